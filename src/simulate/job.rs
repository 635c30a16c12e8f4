//! A Job of the model: it is created, runs, and ends as its behavior says, unless it is stopped
//! or deleted before.

use crate::api::Duration;
use crate::decide::job::{ANNOTATION_SCHEDULE_RUN, ANNOTATION_STOPPED};
use crate::decide::naming;
use crate::decide::snapshot::Evidence;
use crate::store::job::ObservedJob;
use crate::time::Slot;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::num::NonZeroU64;

/// What the workload of a Job does.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Behavior {
    /// How long it works.
    pub takes: Duration,
    /// With which exit code it ends.
    pub exit_code: i32,
    /// With which exit codes the attempts of a run end instead, the last of them for all further.
    pub exit_codes: Vec<i32>,
    /// What it says at its end.
    pub message: String,
    /// Why its container ended, such as OOMKilled.
    pub reason: Option<String>,
    /// How long its Pods take to end when they are told to.
    pub stops_in: Duration,
    /// Whether nobody can read its Pods after its end.
    pub pods_vanish: bool,
    /// Why its Pods never get ready, if they do not. Such a Job does not end by itself.
    pub never_ready: Option<String>,
}

impl Default for Behavior {
    fn default() -> Self {
        Self {
            takes: Duration::from_seconds(30),
            exit_code: 0,
            exit_codes: Vec::new(),
            message: String::new(),
            reason: None,
            stops_in: Duration::from_seconds(0),
            pods_vanish: false,
            never_ready: None,
        }
    }
}

/// In what Jobs differ from one another.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Variation {
    /// They take up to so long, and at least as long as is usual.
    pub takes_up_to: Option<Duration>,
    /// Another seed makes others take longer.
    pub seed: u64,
    /// Every so manieth Job fails.
    pub fail_every: Option<NonZeroU64>,
}

impl Variation {
    /// What the so manieth Job does, from 0.
    pub(super) fn fail(&self, usual: &Behavior, index: u64) -> Behavior {
        let Some(every) = self.fail_every else { return usual.clone() };
        let exit_code = match (index + 1).is_multiple_of(every.get()) {
            true if usual.exit_code == 0 => 1,
            true => usual.exit_code,
            false => 0,
        };
        Behavior { exit_code, ..usual.clone() }
    }

    /// How long a Job takes.
    pub(super) fn take_longer(&self, behavior: Behavior, name: &str) -> Behavior {
        let Some(longest) = self.takes_up_to else { return behavior };
        let shortest = behavior.takes.seconds();
        let room = longest.seconds().saturating_sub(shortest).saturating_add(1);
        Behavior { takes: Duration::from_seconds(shortest + self.random(name) % room), ..behavior }
    }

    /// A number that depends on nothing but the seed and the name.
    fn random(&self, name: &str) -> u64 {
        let digest = Sha256::digest(format!("{}/{name}", self.seed));
        digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

/// How a Job ended.
#[derive(Clone, Debug)]
struct End {
    at: Timestamp,
    /// `None`: it completed.
    failure: Option<&'static str>,
}

/// A Job, and what it will do.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The UID of the Schedule it belongs to.
    pub owner_uid: String,
    /// When it was created.
    pub created: Timestamp,
    /// Its resource version.
    pub version: u64,
    /// What its workload does.
    pub behavior: Behavior,
    body: Value,
    end: Option<End>,
    /// When the last of its Pods ends, because they were told to.
    pods_end: Option<Timestamp>,
    suspended: bool,
    deleting: bool,
    ttl_seconds: Option<i64>,
    clocks_set_by: i64,
}

/// What became of a Job with time.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// It is different.
    Changed,
    /// It is no longer there.
    Gone,
}

impl Job {
    /// One that begins to work now.
    pub fn new(body: Value, uid: String, created: Timestamp, behavior: Behavior) -> Self {
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (name, owner_uid) = (text("/metadata/name"), text("/metadata/ownerReferences/0/uid"));
        Self {
            name,
            uid,
            owner_uid,
            created,
            version: 0,
            behavior,
            ttl_seconds: body.pointer("/spec/ttlSecondsAfterFinished").and_then(Value::as_i64),
            body,
            end: None,
            pods_end: None,
            suspended: false,
            deleting: false,
            clocks_set_by: 0,
        }
    }

    /// The slot its name says it is for.
    pub fn slot(&self) -> Option<Slot> {
        naming::identity(&self.name, &self.owner_uid).map(|(slot, _)| slot)
    }

    /// The ScheduleRun it is for.
    pub fn schedule_run(&self) -> Option<&str> {
        self.body["metadata"]["annotations"][ANNOTATION_SCHEDULE_RUN].as_str()
    }

    /// Which attempt of its run it is.
    pub fn attempt(&self) -> u32 {
        naming::split(&self.name).1
    }

    /// Lets it do what Jobs of its kind do in its attempt.
    pub fn behave(&mut self, behavior: Behavior) {
        let attempt = usize::try_from(self.attempt()).unwrap_or(usize::MAX);
        let own = behavior.exit_codes.get(attempt - 1).or(behavior.exit_codes.last()).copied();
        self.behavior = Behavior { exit_code: own.unwrap_or(behavior.exit_code), ..behavior };
    }

    /// Whether a container of it works, as far as anybody can tell.
    pub fn is_at_work(&self) -> bool {
        self.end.is_none() && (!self.suspended || self.pods_end.is_some())
    }

    /// Whether its workload has come to its end.
    pub fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Whether nothing has happened to it since it was created.
    pub fn is_running(&self) -> bool {
        self.end.is_none() && !self.suspended && !self.deleting
    }

    /// When something about it changes by the mere passing of time.
    pub fn next_change(&self) -> Option<Timestamp> {
        if self.pods_end.is_some() {
            return self.pods_end;
        }
        match &self.end {
            Some(end) => self.ttl_seconds.map(|ttl| after(end.at, ttl)),
            None if self.suspended => None,
            None => self.natural_end().map(|end| end.at),
        }
    }

    /// Brings it to an instant.
    pub fn advance(&mut self, now: Timestamp) -> Change {
        if self.next_change().is_none_or(|at| at > now) {
            return Change::None;
        }
        if self.pods_end.take().is_some() {
            return if self.deleting { Change::Gone } else { Change::Changed };
        }
        if self.end.is_some() {
            return Change::Gone;
        }
        self.end = self.natural_end();
        Change::Changed
    }

    fn natural_end(&self) -> Option<End> {
        let works_for =
            i64::try_from(self.behavior.takes.seconds()).ok().filter(|_| self.behavior.never_ready.is_none());
        let deadline = self.body.pointer("/spec/activeDeadlineSeconds").and_then(Value::as_i64);
        let failure = (self.behavior.exit_code != 0).then_some("BackoffLimitExceeded");
        match (works_for, deadline) {
            (Some(works), deadline) if deadline.is_none_or(|it| works <= it) => {
                Some(End { at: after(self.created, works + self.clocks_set_by), failure })
            }
            (_, Some(deadline)) => {
                Some(End { at: after(self.created, deadline + self.clocks_set_by), failure: Some("DeadlineExceeded") })
            }
            (_, None) => None,
        }
    }

    /// Stops its Pods and lets it rest.
    pub fn suspend(&mut self, now: Timestamp) {
        if self.end.is_none() && !self.suspended {
            self.suspended = true;
            self.body["metadata"]["annotations"][ANNOTATION_STOPPED] = json!("Replaced");
            self.end_pods(now);
        }
    }

    /// Deletes it after its Pods. Answers whether it is gone already.
    pub fn delete(&mut self, now: Timestamp) -> bool {
        self.deleting = true;
        if self.end.is_none() && self.pods_end.is_none() && !self.suspended {
            self.end_pods(now);
        }
        self.pods_end.is_none()
    }

    /// How long after its end it goes by itself.
    pub fn set_ttl(&mut self, seconds: i64) {
        self.ttl_seconds = Some(seconds);
    }

    fn end_pods(&mut self, now: Timestamp) {
        let seconds = i64::try_from(self.behavior.stops_in.seconds()).unwrap_or(0);
        self.pods_end = (seconds > 0).then(|| after(now, seconds));
    }

    /// All clocks are set by so much: what is still to come comes after as long as before.
    pub fn shift(&mut self, seconds: i64) {
        self.clocks_set_by += seconds;
        self.pods_end = self.pods_end.map(|at| after(at, seconds));
    }

    /// What its Pods tell once it has finished.
    pub fn evidence(&self) -> Evidence {
        if self.behavior.pods_vanish {
            return Evidence::default();
        }
        let was_killed = self.end.as_ref().is_some_and(|end| end.failure == Some("DeadlineExceeded"));
        Evidence {
            exit_code: Some(if was_killed { 143 } else { self.behavior.exit_code }),
            reason: self
                .behavior
                .reason
                .clone()
                .or_else(|| Some(if self.behavior.exit_code == 0 { "Completed" } else { "Error" }.into())),
            message: Some(self.behavior.message.clone()),
        }
    }

    /// In a word, for stories.
    pub fn word(&self) -> &'static str {
        match &self.end {
            _ if self.deleting => "Deleting",
            Some(End { failure: None, .. }) => "Complete",
            Some(_) => "Failed",
            None if self.suspended => "Suspended",
            None => "Running",
        }
    }

    /// As the watch shows it.
    pub fn observed(&self) -> ObservedJob {
        let ends_pods = i32::from(self.pods_end.is_some());
        let works = i32::from(self.end.is_none() && !self.suspended && ends_pods == 0);
        let ready = if self.behavior.never_ready.is_some() { 0 } else { works };
        let mut job = self.body.clone();
        job["metadata"]["uid"] = json!(self.uid);
        job["metadata"]["resourceVersion"] = json!(self.version.to_string());
        job["metadata"]["creationTimestamp"] = json!(self.created);
        if self.deleting {
            job["metadata"]["deletionTimestamp"] = json!(self.created);
        }
        job["spec"]["suspend"] = json!(self.suspended);
        job["spec"]["ttlSecondsAfterFinished"] = json!(self.ttl_seconds);
        job["status"] =
            json!({"active": works, "ready": ready, "terminating": ends_pods, "conditions": self.conditions()});
        serde_json::from_value(job).expect("a Job as the API server would give it")
    }

    fn conditions(&self) -> Value {
        match &self.end {
            None if self.suspended => json!([{"type": "Suspended", "status": "True"}]),
            None => json!([]),
            Some(End { at, failure: None }) => {
                json!([{"type": "Complete", "status": "True", "reason": "", "message": "", "lastTransitionTime": at}])
            }
            Some(End { at, failure: Some(reason) }) => {
                let message = "the Job controller says so";
                json!([{"type": "Failed", "status": "True", "reason": reason, "message": message, "lastTransitionTime": at}])
            }
        }
    }
}

fn after(instant: Timestamp, seconds: i64) -> Timestamp {
    instant.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
