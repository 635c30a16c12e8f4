//! Kubernetes Events on Schedules and ScheduleRuns: from [`Notice`]s to `events.k8s.io/v1`.
//!
//! Guarantees: telling never waits and never fails; only who leads tells; an Event that is equal
//! to one of the last five minutes is not told again.
//!
//! Caveats: Events may be lost, which is counted. Whatever a person must not miss is in status.

mod repeats;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, PostParams};
use kube::{Client, Resource};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::Metrics;
use crate::api::{FIELD_MANAGER, ObservedSchedule};
use crate::report::notices::Notice;
use repeats::Repeats;

/// Events that wait at most.
pub const WAITING: usize = 1_000;
/// Requests under way at a time.
const CONCURRENCY: usize = 2;
/// How long one request may take.
const TIME_OUT: Duration = Duration::from_secs(10);
/// How long a request waits that is tried once more.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// The longest note the API server takes, in bytes.
const NOTE_BYTES: usize = 1_024;
/// The longest word the API server takes, in bytes.
const WORD_BYTES: usize = 128;
/// Who reports.
const CONTROLLER: &str = "punctual.dev/operator";
/// What was being done, of every Event.
const ACTION: &str = "Schedule";

/// The object of ours an Event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Regarding<'a> {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its UID.
    pub uid: &'a str,
}

/// Whether this process may tell.
type Permission = Arc<dyn Fn() -> bool + Send + Sync>;

/// Where notices go. A clone is another handle on the same.
#[derive(Clone)]
pub struct EventSink {
    queue: Sender<Event>,
    repeats: Arc<Mutex<Repeats>>,
    instance: Arc<str>,
    metrics: Metrics,
    may_tell: Permission,
}

impl EventSink {
    /// A sink, and the task that writes what is put into it; the task ends when every clone of the
    /// sink is gone and all is written.
    ///
    /// `instance` names this replica. `may_tell` says whether it leads; it is asked when an Event
    /// is put into the sink and again before each request.
    pub fn new(
        client: Client,
        instance: &str,
        metrics: Metrics,
        may_tell: impl Fn() -> bool + Send + Sync + 'static,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, waiting) = mpsc::channel(WAITING);
        let may_tell: Permission = Arc::new(may_tell);
        let writer = Writer { client, metrics: metrics.clone(), may_tell: Arc::clone(&may_tell) };
        let instance = Arc::from(cut(instance, WORD_BYTES));
        let sink = Self { queue, repeats: Arc::default(), instance, metrics, may_tell };
        (sink, write_all(writer, waiting))
    }

    /// Tells, at once and without waiting: a notice for which there is no room is dropped.
    pub fn send(&self, regarding: Regarding<'_>, notice: &Notice, now: Timestamp) {
        if !(self.may_tell)() {
            self.metrics.event_dropped();
            return;
        }
        let key = Repeats::key(&[regarding.uid, &notice.reason, &notice.note]);
        let mut repeats = self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
        if repeats.holds(key, now) {
            return;
        }
        match self.queue.try_send(event(regarding, notice, &self.instance, now)) {
            Ok(()) => repeats.add(key, now),
            Err(_) => self.metrics.event_dropped(),
        }
    }
}

/// The Event of a notice. Its name follows from its content and time, so that a request that is
/// sent twice makes one Event.
fn event(regarding: Regarding<'_>, notice: &Notice, instance: &str, now: Timestamp) -> Event {
    let nanoseconds = now.as_nanosecond().to_string();
    let job_name = notice.job_name.as_deref().unwrap_or_default();
    let mut hash = Sha256::new();
    for part in [instance, regarding.uid, &notice.reason, &notice.note, job_name, &nanoseconds] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    let hex: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let reference = |api_version: &str, kind: &str, name: &str, uid: Option<&str>| ObjectReference {
        api_version: Some(api_version.to_owned()),
        kind: Some(kind.to_owned()),
        namespace: Some(regarding.namespace.to_owned()),
        name: Some(name.to_owned()),
        uid: uid.map(str::to_owned),
        ..ObjectReference::default()
    };
    let api_version = ObservedSchedule::api_version(&());
    Event {
        metadata: ObjectMeta {
            namespace: Some(regarding.namespace.to_owned()),
            name: Some(format!("{}.{hex}", regarding.name)),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        type_: Some(if notice.is_warning { "Warning" } else { "Normal" }.to_owned()),
        reason: Some(cut(&notice.reason, WORD_BYTES)),
        note: Some(cut(&notice.note, NOTE_BYTES)),
        action: Some(ACTION.to_owned()),
        regarding: Some(reference(&api_version, regarding.kind, regarding.name, Some(regarding.uid))),
        related: notice.job_name.as_deref().map(|name| reference("batch/v1", "Job", name, None)),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(instance.to_owned()),
        ..Event::default()
    }
}

/// At most so many bytes of it, whole characters only.
fn cut(text: &str, max_bytes: usize) -> String {
    let mut end = max_bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Writes Events to the API server.
struct Writer {
    client: Client,
    metrics: Metrics,
    may_tell: Permission,
}

async fn write_all(writer: Writer, waiting: Receiver<Event>) {
    let writer = &writer;
    stream::unfold(waiting, async |mut it| it.recv().await.map(|event| (event, it)))
        .for_each_concurrent(CONCURRENCY, |event| writer.write(event))
        .await;
}

/// How a request ended.
enum Answer {
    Written,
    /// It may be written if it is sent once more.
    Busy,
    Refused,
}

impl Writer {
    async fn write(&self, event: Event) {
        let mut answer = self.request(&event).await;
        if matches!(answer, Answer::Busy) {
            sleep(RETRY_DELAY).await;
            answer = self.request(&event).await;
        }
        if !matches!(answer, Answer::Written) {
            self.metrics.event_dropped();
        }
    }

    async fn request(&self, event: &Event) -> Answer {
        if !(self.may_tell)() {
            return Answer::Refused;
        }
        let namespace = event.metadata.namespace.as_deref().unwrap_or_default();
        let api = Api::<Event>::namespaced(self.client.clone(), namespace);
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let sent = Instant::now();
        let result = timeout(TIME_OUT, api.create(&parameters, event)).await;
        let (code, answer, error) = match result {
            Ok(Ok(_)) => (Some(201), Answer::Written, String::new()),
            Ok(Err(kube::Error::Api(status))) => (Some(status.code), understand(&status), status.message),
            Ok(Err(error)) => (None, Answer::Refused, error.to_string()),
            Err(_) => (None, Answer::Refused, "time-out".to_owned()),
        };
        self.metrics.request("create", "events", code, sent.elapsed().as_secs_f64());
        if !matches!(answer, Answer::Written) {
            // Nobody can act on it: most often the namespace is being deleted.
            let name = event.metadata.name.as_deref().unwrap_or_default();
            debug!(namespace, event = name, code, error, "failed to write an Event");
        }
        answer
    }
}

/// What a refusal means. Who finds the Event there already has written it before.
fn understand(status: &kube::core::Status) -> Answer {
    match status.code {
        409 if status.reason == "AlreadyExists" => Answer::Written,
        429 | 500 | 502 | 503 | 504 => Answer::Busy,
        _ => Answer::Refused,
    }
}

#[cfg(test)]
mod tests;
