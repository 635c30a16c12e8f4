//! What is wrong with the API server itself, and what it refuses.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ApiServer;
use super::refusal::Refusal;
use super::request::Question;
use super::resource::{JOBS, LEASES, Resource};
use super::store::text;
use super::write::{Place, Wish};
use crate::history::History;

/// How the API server is set up, and what is wrong with it. Rights, quotas and policies bind who is
/// neither the user nor a controller, unless they say otherwise.
#[derive(Clone, Debug, Default)]
pub struct ServerFaults {
    /// How many Jobs there may be in a namespace, whoever creates them.
    pub job_quota: BTreeMap<String, usize>,
    /// What an admission policy refuses: verb ("create" or "update") and resource ("jobs",
    /// "schedules/status"), and what it says. Whoever asks.
    pub denied: BTreeMap<(&'static str, &'static str), String>,
    /// Rights that were taken away: verb ("get", "list", "watch", "create", "update", "patch",
    /// "delete") and resource ("schedules/status").
    pub withdrawn: BTreeSet<(&'static str, &'static str)>,
    /// The leader Lease whose terms the chart's fencing policy goes by: namespace and name.
    pub fenced_by: Option<(String, String)>,
    /// Namespaces that are being deleted: nothing new gets into them, and what is there goes.
    pub terminating: BTreeSet<String>,
    /// Namespaces that are not there.
    pub missing: BTreeSet<String>,
    /// Whether nothing more can be stored.
    pub is_storage_full: bool,
    /// Whether a watch from a version that is forgotten is refused by a code, and not by an event.
    pub expires_by_code: bool,
    /// Whether no controller does anything: no Pods come, nothing is collected.
    pub are_controllers_down: bool,
}

/// The bytes that etcd takes at most.
const LARGEST: usize = 1_572_864;
/// Where the leader that creates a Job leaves its term.
const TERM: &str = "punctual.dev/leader-term";

/// Whether the rights that are given to the operator are those of a client.
fn is_operator(by: &str) -> bool {
    !matches!(by, "user" | "jobs" | "kubelet" | "garbage" | "ttl")
}

impl ApiServer {
    /// What is wrong with it, to be set and healed.
    pub fn faults(&mut self) -> &mut ServerFaults {
        &mut self.faults
    }

    /// It forgets the past: watches from before now get to hear that they are too old, and so do
    /// lists that were begun.
    pub fn compact(&mut self) {
        self.store.forget_watched();
        self.store.forget_listed();
    }

    /// It ends, and begins again with what is stored: all watches end, and none can be taken up
    /// from before.
    pub fn restart(&mut self) {
        self.end_watches();
        self.store.forget_watched();
    }

    /// It is restored to what was stored at a version, or at the oldest that is remembered, and
    /// begins again with that. Versions count on from there. The history calls the author "restore".
    pub fn restore(&mut self, version: u64) {
        self.end_watches();
        let present = self.store.version();
        self.store.restore(self.now, version.clamp(self.store.oldest(), present));
        self.relist();
    }

    /// Whether a client may ask this at all.
    pub(super) fn permit(&self, by: &str, question: &Question) -> Result<(), Refusal> {
        let Question { resource, name, .. } = question;
        let (verb, path) = (question.verb.word(), path_of(resource, question.is_status));
        if !is_operator(by) || !self.faults.withdrawn.iter().any(|it| *it == (verb, path.as_str())) {
            return Ok(());
        }
        let scope = match &question.namespace {
            Some(namespace) => format!("in the namespace \"{namespace}\""),
            None => "at the cluster scope".to_owned(),
        };
        let why =
            format!("User \"{by}\" cannot {verb} resource \"{path}\" in API group \"{}\" {scope}", resource.group);
        Err(Refusal::forbidden(resource, name, &why))
    }

    pub(super) fn admit_to_namespace(&self, place: Place<'_>, name: &str) -> Result<(), Refusal> {
        if self.faults.missing.contains(place.namespace) {
            return Err(Refusal::namespace_not_found(place.namespace));
        }
        if self.faults.terminating.contains(place.namespace) {
            return Err(Refusal::namespace_terminating(place.resource, name, place.namespace));
        }
        Ok(())
    }

    pub(super) fn admit_create(&self, by: &str, place: Place<'_>, object: &Value) -> Result<(), Refusal> {
        let Place { resource, namespace, name } = place;
        self.admit(place, "create", resource.plural)?;
        if resource.plural != JOBS {
            return Ok(());
        }
        if is_operator(by)
            && let Some(why) = self.fence(object)
        {
            let policy =
                "ValidatingAdmissionPolicy 'punctual-fencing' with binding 'punctual-fencing' denied request: ";
            return Err(Refusal::policy(resource, name, &format!("{policy}{why}"), 403, "Forbidden"));
        }
        if let Some(limit) = self.faults.job_quota.get(namespace) {
            let used = self.store.all(JOBS).filter(|((_, its, _), _)| its == namespace).count();
            if used >= *limit {
                let why = format!(
                    "exceeded quota: jobs, requested: count/jobs.batch=1, used: count/jobs.batch={used}, limited: count/jobs.batch={limit}"
                );
                return Err(Refusal::forbidden(resource, name, &why));
            }
        }
        Ok(())
    }

    pub(super) fn admit_update(&self, wish: Wish<'_>, place: Place<'_>) -> Result<(), Refusal> {
        self.admit(place, "update", &path_of(place.resource, wish.is_status))
    }

    fn admit(&self, place: Place<'_>, operation: &str, path: &str) -> Result<(), Refusal> {
        let denied = self.faults.denied.iter().find(|((verb, resource), _)| (*verb, *resource) == (operation, path));
        let Some((_, message)) = denied else { return Ok(()) };
        let why =
            format!("ValidatingAdmissionPolicy 'house-rules' with binding 'house-rules' denied request: {message}");
        // A policy that gives no reason of its own counts as one of validation.
        Err(Refusal::policy(place.resource, place.name, &why, 422, "Invalid"))
    }

    /// Why the chart's fencing policy refuses a Job, in its words.
    fn fence(&self, job: &Value) -> Option<String> {
        let (namespace, name) = self.faults.fenced_by.as_ref()?;
        let lease = self.store.get(Resource::named(LEASES), namespace, name)?;
        let present = lease["spec"]["leaseTransitions"].as_i64().unwrap_or(0);
        let told = job["metadata"]["annotations"][TERM].as_str().unwrap_or_default();
        match told.parse::<i64>().ok().filter(|it| *it >= 0) {
            None => {
                Some(format!("fenced: the annotation {TERM} is missing or not a number, the present term is {present}"))
            }
            Some(term) if term < present => {
                Some(format!("fenced: leader term {told} is over, the present term is {present}"))
            }
            Some(_) => None,
        }
    }

    pub(super) fn admit_to_storage(&self, object: &Value) -> Result<(), Refusal> {
        if self.faults.is_storage_full && !object.is_null() {
            return Err(Refusal::new(500, "", "etcdserver: mvcc: database space exceeded"));
        }
        if object.to_string().len() > LARGEST {
            return Err(Refusal::new(500, "", "etcdserver: request is too large"));
        }
        Ok(())
    }

    pub fn history(&self) -> &History {
        &self.store.history
    }

    /// For who adds facts to it.
    pub fn history_mut(&mut self) -> &mut History {
        &mut self.store.history
    }

    /// Whether a namespace is going, so that what is in it goes as well.
    pub(super) fn is_going(&self, object: &Value) -> bool {
        self.faults.terminating.contains(text(object, "/metadata/namespace"))
    }
}

fn path_of(resource: &Resource, is_status: bool) -> String {
    if is_status { format!("{}/status", resource.plural) } else { resource.plural.to_owned() }
}
