//! Every request the operator sends about Schedules, ScheduleRuns and Jobs: with a time-out, without automatic
//! retries, in order of urgency, and the mutating ones only while this replica leads.

pub mod fault;
pub mod gate;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Method, Request};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::core::ObjectList;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use crate::api::{FIELD_MANAGER, GROUP, ObservedSchedule, ObservedScheduleRun, ScheduleRunStatus, VERSION};
use crate::clock::Clock;
use crate::decide::job::{ANNOTATION_STOPPED, ANNOTATION_TERM};
use crate::leadership::LeaderHandle;
use crate::store::Key;
use crate::store::job::ObservedJob;
use crate::telemetry::Metrics;
use fault::Fault;
use gate::{Expectation, Gate, Urgency};

/// How long a create may take: the API server's own limit is a minute, and giving up early only
/// makes the outcome unknown.
const CREATE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long any other request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// So many Schedules are recorded at once of which something has started: more than there are places for requests,
/// so that these are never idle.
const RECORDING: usize = 256;
/// Pods read at a time.
const POD_PAGE: u32 = 500;

/// The API server, as the operator uses it.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    leader: LeaderHandle,
    clock: Clock,
    gate: Gate,
    recording: Arc<Semaphore>,
    is_crowded: watch::Sender<bool>,
    metrics: Metrics,
    /// Schedules whose last status write came back without fields that were sent.
    pruned: Arc<Mutex<HashSet<Key>>>,
}

/// One request.
struct Call {
    urgency: Urgency,
    method: Method,
    resource: &'static str,
    uri: String,
    content_type: &'static str,
    body: Vec<u8>,
    timeout: Duration,
}

impl Cluster {
    /// The API server behind a client that must not retry by itself.
    #[must_use]
    pub fn new(
        client: Client,
        leader: LeaderHandle,
        clock: Clock,
        max_requests_in_flight: usize,
        metrics: Metrics,
    ) -> Self {
        let (gate, recording) = (Gate::new(max_requests_in_flight), Arc::new(Semaphore::new(RECORDING)));
        let is_crowded = watch::Sender::new(false);
        Self { client, leader, clock, gate, recording, is_crowded, metrics, pruned: Arc::default() }
    }

    /// Announces that something is being decided that may start at once.
    #[must_use]
    pub fn expect_start(&self) -> Expectation {
        self.gate.expect_start()
    }

    /// Waits while starts are being decided or are on their way: what is worked out meanwhile would take the
    /// processor time that those need. Then waits for the right to record what has started: so many at once,
    /// as what is to be recorded is as large as the Schedule itself.
    pub async fn let_starts_go_first(&self) -> Option<OwnedSemaphorePermit> {
        drop(self.gate.enter(Urgency::Record).await);
        // It is never closed.
        self.recording.clone().acquire_owned().await.ok()
    }

    /// Says whether something is due that cannot be looked at, as so many are under way.
    pub fn crowded(&self, is_crowded: bool) {
        self.is_crowded.send_if_modified(|it| std::mem::replace(it, is_crowded) != is_crowded);
    }

    /// Waits until there is a crowd: who only waits to record something is to make room.
    pub async fn until_crowded(&self) {
        // It fails when there is no sender, and this is one.
        drop(self.is_crowded.subscribe().wait_for(|it| *it).await);
    }

    /// Creates a Job, stamped with the term of this leader. Of a Job that is on time, `planned`
    /// is when it was to start.
    ///
    /// # Errors
    /// When the Job was not created, or nobody knows.
    pub async fn create_job(
        &self,
        namespace: &str,
        job: &Value,
        planned: Option<Timestamp>,
    ) -> Result<ObservedJob, Fault> {
        if !self.pruned.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return Err(crd_too_old());
        }
        let uri = format!("{}?fieldManager={FIELD_MANAGER}", jobs(namespace));
        let call = Call::new(Urgency::Start, Method::POST, "jobs", uri).with_json(&self.stamped(job)?);
        let (sent, result) = self.mutate_at(Call { timeout: CREATE_TIMEOUT, ..call }).await?;
        if let Some(planned) = planned.filter(|_| result.is_ok()) {
            self.metrics.start_answered(planned, sent, self.clock.now());
        }
        result
    }

    /// Asks the API server whether it would take a Job, unknown fields being an error.
    ///
    /// # Errors
    /// When it would not, or could not be asked.
    pub async fn try_job(&self, namespace: &str, job: &Value) -> Result<(), Fault> {
        let uri = format!("{}?fieldManager={FIELD_MANAGER}&dryRun=All&fieldValidation=Strict", jobs(namespace));
        let call = Call::new(Urgency::Background, Method::POST, "jobs", uri).with_json(&self.stamped(job)?);
        self.mutate::<Value>(call).await.map(drop)
    }

    /// The Job with the term of this leader, by which the API server can tell a late request.
    fn stamped(&self, job: &Value) -> Result<Value, Fault> {
        let term = self.leader.check().map_err(|_| Fault::NotLeader)?;
        let mut job = job.clone();
        job["metadata"]["annotations"][ANNOTATION_TERM] = json!(term.to_string());
        Ok(job)
    }

    /// Reads a Job from the API server; `None` when there is none.
    ///
    /// # Errors
    /// When it could not be read.
    pub async fn job(&self, namespace: &str, name: &str) -> Result<Option<ObservedJob>, Fault> {
        let Ok(uri) = job(namespace, name) else { return Ok(None) };
        found(self.send(Call::new(Urgency::Start, Method::GET, "jobs", uri)).await)
    }

    /// Reads the Pods of a Job from the API server.
    ///
    /// # Errors
    /// When they could not be read.
    pub async fn pods(&self, namespace: &str, job_uid: &str) -> Result<Vec<Pod>, Fault> {
        let (mut pods, job_uid) = (Vec::new(), percent_encoded(job_uid));
        let mut next = String::new();
        loop {
            let uri = format!(
                "/api/v1/namespaces/{namespace}/pods?labelSelector=batch.kubernetes.io%2Fcontroller-uid%3D{job_uid}&limit={POD_PAGE}&continue={next}"
            );
            let page: ObjectList<Pod> = self.send(Call::new(Urgency::Record, Method::GET, "pods", uri)).await?;
            pods.extend(page.items);
            match page.metadata.continue_.filter(|it| !it.is_empty()) {
                Some(token) => next = percent_encoded(&token),
                None => return Ok(pods),
            }
        }
    }

    /// Stops a Job without deleting it: its Pods end, its name stays.
    ///
    /// # Errors
    /// When it was not stopped, or nobody knows.
    pub async fn suspend_job(&self, namespace: &str, name: &str, uid: &str, why: &str) -> Result<ObservedJob, Fault> {
        let patch =
            json!({"metadata": {"uid": uid, "annotations": {ANNOTATION_STOPPED: why}}, "spec": {"suspend": true}});
        self.patch_job(namespace, name, &patch).await
    }

    /// Hands a Job over to the TTL controller.
    ///
    /// # Errors
    /// When it was not handed over, or nobody knows.
    pub async fn set_ttl(&self, namespace: &str, name: &str, uid: &str, seconds: i32) -> Result<ObservedJob, Fault> {
        let patch = json!({"metadata": {"uid": uid}, "spec": {"ttlSecondsAfterFinished": seconds}});
        self.patch_job(namespace, name, &patch).await
    }

    /// Deletes a Job after (`Foreground`) or before (`Background`) its Pods. Answers the Job if it is still
    /// there and waits for something before it goes; `None` when it is gone.
    ///
    /// # Errors
    /// When it was not deleted, or nobody knows. That it is gone already is no error.
    pub async fn delete_job(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        propagation: &str,
    ) -> Result<Option<ObservedJob>, Fault> {
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation, "preconditions": {"uid": uid}});
        let Ok(uri) = job(namespace, name) else { return Ok(None) };
        let call = Call::new(Urgency::Background, Method::DELETE, "jobs", uri).with_json(&options);
        // Of what is gone the API server answers a Status.
        let answer = found(self.mutate::<Value>(call).await)?.filter(|it| it["kind"] == "Job");
        answer.map(serde_json::from_value).transpose().map_err(|error| Fault::Unknown(error.to_string()))
    }

    /// Reads a Schedule from the API server; `None` when there is none.
    ///
    /// # Errors
    /// When it could not be read.
    pub async fn schedule(&self, key: &Key) -> Result<Option<ObservedSchedule>, Fault> {
        let Ok(uri) = schedule(key) else { return Ok(None) };
        found(self.send(Call::new(Urgency::Record, Method::GET, "schedules", uri)).await)
    }

    /// Replaces the status of a Schedule, if it still is the version that was decided on.
    ///
    /// # Errors
    /// When it was not written, or nobody knows.
    pub async fn write_status(
        &self,
        key: &Key,
        resource_version: &str,
        status: &Value,
    ) -> Result<ObservedSchedule, Fault> {
        let call = Call::replacing_status("schedules/status", &schedule(key)?, resource_version, status);
        let written: ObservedSchedule = self.mutate(call).await?;
        self.note_pruning(key, status, &written);
        Ok(written)
    }

    /// Reads a ScheduleRun from the API server; `None` when there is none.
    ///
    /// # Errors
    /// When it could not be read.
    pub async fn schedule_run(&self, key: &Key) -> Result<Option<ObservedScheduleRun>, Fault> {
        let Ok(uri) = schedule_run(key) else { return Ok(None) };
        found(self.send(Call::new(Urgency::Record, Method::GET, "scheduleruns", uri)).await)
    }

    /// Replaces the status of a ScheduleRun, if it still is the version that was decided on.
    ///
    /// # Errors
    /// When it was not written, or nobody knows.
    pub async fn write_run_status(
        &self,
        key: &Key,
        resource_version: &str,
        status: &ScheduleRunStatus,
    ) -> Result<ObservedScheduleRun, Fault> {
        let status = serde_json::to_value(status).unwrap_or_default();
        let uri = schedule_run(key)?;
        self.mutate(Call::replacing_status("scheduleruns/status", &uri, resource_version, &status)).await
    }

    /// Deletes a ScheduleRun.
    ///
    /// # Errors
    /// When it was not deleted, or nobody knows. That it is gone already is no error.
    pub async fn delete_run(&self, key: &Key, uid: &str) -> Result<(), Fault> {
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}});
        let call = Call::new(Urgency::Background, Method::DELETE, "scheduleruns", schedule_run(key)?);
        match self.mutate::<Value>(call.with_json(&options)).await {
            Ok(_) | Err(Fault::NotFound(_)) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// A CRD older than this version drops fields it does not know. Without them we would forget
    /// what we did: nothing is started until the CRD is the right one.
    fn note_pruning(&self, key: &Key, sent: &Value, written: &ObservedSchedule) {
        let is_pruned = written.status != crate::api::observed::JsonText::from(sent);
        let mut pruned = self.pruned.lock().unwrap_or_else(PoisonError::into_inner);
        let was_none = pruned.is_empty();
        if is_pruned {
            pruned.insert(key.clone());
        } else {
            pruned.remove(key);
        }
        if was_none && is_pruned {
            tracing::error!(schedule = %key, "the installed CustomResourceDefinition drops status fields: nothing is started until it is updated");
        } else if !was_none && pruned.is_empty() {
            tracing::info!(schedule = %key, "the installed CustomResourceDefinition keeps all status fields again");
        }
    }

    /// Whether what was last stored of a Schedule is what was sent.
    ///
    /// # Errors
    /// When the CRD dropped some of it: writing it again at once would only be in vain.
    pub fn check_stored(&self, key: &Key) -> Result<(), Fault> {
        let pruned = self.pruned.lock().unwrap_or_else(PoisonError::into_inner);
        if pruned.contains(key) { Err(crd_too_old()) } else { Ok(()) }
    }

    /// A Schedule is gone, and with it what was not stored of it.
    pub fn forget(&self, key: &Key) {
        self.pruned.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    async fn patch_job(&self, namespace: &str, name: &str, patch: &Value) -> Result<ObservedJob, Fault> {
        let uri = format!("{}?fieldManager={FIELD_MANAGER}", job(namespace, name)?);
        let call = Call::new(Urgency::Background, Method::PATCH, "jobs", uri).with_json(patch);
        self.mutate(Call { content_type: "application/merge-patch+json", ..call }).await
    }

    /// Sends a request that changes something: only while this replica leads, asked when it is the
    /// request's turn.
    async fn mutate<T: DeserializeOwned>(&self, call: Call) -> Result<T, Fault> {
        self.mutate_at(call).await?.1
    }

    /// Answers also when the request was sent.
    async fn mutate_at<T: DeserializeOwned>(&self, call: Call) -> Result<(Timestamp, Result<T, Fault>), Fault> {
        let pass = self.gate.enter(call.urgency).await;
        let term = self.leader.check().map_err(|_| Fault::NotLeader)?;
        let sent = self.clock.now();
        let mut result = pass.during(self.exchange(call)).await;
        if let Err(Fault::Fenced(message)) = &result {
            // Words alone end no leader: the Lease has to say the same.
            if self.leader.lease_term().is_some_and(|present| present > term) {
                self.leader.step_down(message.clone());
            } else {
                result = Err(Fault::Blocked { reason: fault::ADMISSION_DENIED, message: message.clone() });
            }
        }
        Ok((sent, result))
    }

    async fn send<T: DeserializeOwned>(&self, call: Call) -> Result<T, Fault> {
        let pass = self.gate.enter(call.urgency).await;
        pass.during(self.exchange(call)).await
    }

    async fn exchange<T: DeserializeOwned>(&self, call: Call) -> Result<T, Fault> {
        let verb = call.verb();
        let request = Request::builder()
            .method(call.method)
            .uri(call.uri)
            .header(http::header::CONTENT_TYPE, call.content_type)
            .body(call.body)
            .map_err(|error| Fault::Refused(format!("no request can be made of this: {error}")))?;
        let begin = Instant::now();
        let answer = tokio::time::timeout(call.timeout, self.client.request::<T>(request)).await;
        let code = match &answer {
            Ok(Ok(_)) => Some(200),
            Ok(Err(kube::Error::Api(status))) => Some(status.code),
            Ok(Err(_)) | Err(_) => None,
        };
        self.metrics.request(verb, call.resource, code, begin.elapsed().as_secs_f64());
        match answer {
            Ok(result) => result.map_err(Fault::from),
            Err(_) => Err(Fault::Unknown(format!("no answer within {} s", call.timeout.as_secs()))),
        }
    }
}

impl Call {
    fn new(urgency: Urgency, method: Method, resource: &'static str, uri: String) -> Self {
        Self { urgency, method, resource, uri, content_type: "application/json", body: Vec::new(), timeout: TIMEOUT }
    }

    /// The version in the patch makes the API server refuse it when the object has changed since.
    fn replacing_status(resource: &'static str, object: &str, version: &str, status: &Value) -> Self {
        let patch = json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/status", "value": status},
        ]);
        let uri = format!("{object}/status?fieldManager={FIELD_MANAGER}");
        let body = serde_json::to_vec(&patch).unwrap_or_default();
        let call = Self::new(Urgency::Record, Method::PATCH, resource, uri);
        Self { content_type: "application/json-patch+json", body, ..call }
    }

    fn with_json(self, body: &Value) -> Self {
        Self { body: body.to_string().into_bytes(), ..self }
    }

    fn verb(&self) -> &'static str {
        match (&self.method, self.resource) {
            (&Method::POST, _) => "create",
            (&Method::PATCH, _) => "patch",
            (&Method::DELETE, _) => "delete",
            (_, "pods") => "list",
            _ => "get",
        }
    }
}

fn found<T>(result: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match result {
        Ok(object) => Ok(Some(object)),
        Err(Fault::NotFound(_)) => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn crd_too_old() -> Fault {
    let message =
        "the installed CustomResourceDefinition drops status fields of this version: apply the CRD that came with it";
    Fault::Blocked { reason: fault::CRD_TOO_OLD, message: message.into() }
}

fn jobs(namespace: &str) -> String {
    format!("/apis/batch/v1/namespaces/{namespace}/jobs")
}

fn job(namespace: &str, name: &str) -> Result<String, Fault> {
    named(&jobs(namespace), name)
}

fn schedule(key: &Key) -> Result<String, Fault> {
    named(&format!("/apis/{GROUP}/{VERSION}/namespaces/{}/schedules", key.namespace), &key.name)
}

fn schedule_run(key: &Key) -> Result<String, Fault> {
    named(&format!("/apis/{GROUP}/{VERSION}/namespaces/{}/scheduleruns", key.namespace), &key.name)
}

/// Where an object is. Names stand in the spec of a ScheduleRun, and in status, that no object can have:
/// they would be the way to something else, however they are encoded.
fn named(collection: &str, name: &str) -> Result<String, Fault> {
    let is_plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    let ends = [name.bytes().next(), name.bytes().next_back()];
    let is_name = name.bytes().all(|it| is_plain(it) || it == b'-' || it == b'.')
        && ends.into_iter().all(|it| it.is_some_and(is_plain));
    if is_name { Ok(format!("{collection}/{name}")) } else { Err(Fault::NotFound(format!("{name:?} is no name"))) }
}

/// Continue tokens are opaque: every byte that could mean something in a query is written as its
/// number.
fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::{job, schedule};
    use crate::store::Key;

    #[test]
    fn a_name_that_no_object_can_have_asks_for_nothing() {
        for name in ["", "?", "..", "../../x", "a/status", "a%2Fstatus", "a b", "A", "-", "a-", "ä", "a\u{1}"] {
            let key = Key { namespace: "team".into(), name: name.into() };
            assert!(schedule(&key).is_err() && job("team", name).is_err(), "{name}");
        }
        let key = Key { namespace: "team".into(), name: "nightly-1.x".into() };
        let expected = "/apis/punctual.dev/v1alpha1/namespaces/team/schedules/nightly-1.x";
        assert_eq!(schedule(&key).as_deref(), Ok(expected));
    }
}
