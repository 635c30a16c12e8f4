//! Gathering: everything a decision may look at, read once.
//!
//! Schedules and Jobs come from the store; what a decision asks to be read live, and the Pods,
//! come from the API server.

mod pods;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::Value;

use crate::api::observed::JsonText;
use crate::api::{ObservedSchedule, ScheduleSpec, ScheduleStatus};
use crate::cluster::Cluster;
use crate::cluster::fault::{self, Fault};
use crate::decide::plan::Look;
use crate::decide::snapshot::{Accepted, Identity, JobState, Refusal, Snapshot, ToStart};
use crate::decide::{WAITING_SECONDS, trigger_hash};
use crate::store::{Key, Store};
use crate::time::{Context, Slot, Trigger, TriggerErrorKind, parse_instant};

/// What this process remembers of a Schedule beyond its status: nothing that a successor would
/// need, only what keeps this one from doing things twice or too often.
#[derive(Debug, Clone, Default)]
pub struct Recall {
    /// The UID it is about.
    pub uid: String,
    /// The highest mark written.
    pub floor: Option<Slot>,
    /// What the status written last has yet to start; `None` when that is not known.
    pub to_start: Option<ToStart>,
    /// The generation seen last, and when it was first seen.
    pub generation: Option<(i64, Timestamp)>,
    /// When a start was last refused.
    pub last_refusal: Option<Timestamp>,
    /// The generation whose template was tried.
    pub template_tried: Option<i64>,
    /// Whether the Leases that an earlier leader may have left behind were seen to.
    pub left_behind: bool,
    /// When the last decision wanted to be woken.
    pub wake: Option<Timestamp>,
    /// Why Jobs have no ready Pod, and when their Pods were asked, by Job UID.
    pub waiting: HashMap<String, (Timestamp, String)>,
}

impl Recall {
    /// Notes what a status says that is stored now, the mark of its decision being this.
    pub fn note_stored(&mut self, status: &ScheduleStatus, mark: Option<Slot>) {
        self.floor = self.floor.max(mark);
        self.to_start = Some(ToStart::of(status));
    }
}

/// The circumstances of a decision that are the same for all Schedules.
#[derive(Debug, Clone)]
pub struct Circumstances {
    /// The wall-clock time.
    pub now: Timestamp,
    /// Why it is not to be believed, if it is not.
    pub clock_skew: Option<String>,
    /// The age before which no Job is removed, in seconds.
    pub fence_seconds: i64,
}

/// A status this version cannot read: nothing can be decided about its Schedule.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the status of {key}, which a newer version may have written")]
pub struct UnreadableStatus {
    key: Key,
    source: serde_json::Error,
}

/// What there is of a Schedule, and the version of the object it was read from; `None` when there
/// is no such Schedule.
///
/// # Errors
/// When its status cannot be read.
pub fn gather(
    store: &Store,
    key: &Key,
    recall: &mut Recall,
    circumstances: Circumstances,
) -> Result<Option<(Snapshot, String)>, UnreadableStatus> {
    gather_knowing(store, key, recall, circumstances, &mut Known::default())
}

/// What was read last, so that equal texts need not be read again. The operator keeps none: it
/// would cost more memory than it saves time.
#[derive(Debug, Clone, Default)]
pub struct Known {
    keeps: bool,
    spec: Option<(JsonText, Result<Accepted, Refusal>, String)>,
    status: Option<(JsonText, Option<ScheduleStatus>)>,
}

/// As [`gather`], for one who looks at the same Schedule again and again.
///
/// # Errors
/// When its status cannot be read.
pub fn gather_knowing(
    store: &Store,
    key: &Key,
    recall: &mut Recall,
    circumstances: Circumstances,
    known: &mut Known,
) -> Result<Option<(Snapshot, String)>, UnreadableStatus> {
    let Some(observed) = store.schedule(key) else { return Ok(None) };
    let Some(schedule) = identity(&observed) else { return Ok(None) };
    if recall.uid != schedule.uid {
        *recall = Recall { uid: schedule.uid.clone(), ..Recall::default() };
    }
    if recall.generation.is_none_or(|(before, _)| before != schedule.generation) {
        recall.generation = Some((schedule.generation, circumstances.now));
    }
    let status = known.status(&observed).map_err(|source| UnreadableStatus { key: key.clone(), source })?;
    let status = status.filter(|it| it.uid.as_deref() == Some(&schedule.uid));
    let (spec, trigger_hash) = known.spec(&observed, &schedule);
    let snapshot = Snapshot {
        now: circumstances.now,
        clock_skew: circumstances.clock_skew,
        spec,
        trigger_hash,
        floor: recall.floor,
        schedule_runs: store.schedule_runs(key),
        to_start: recall.to_start.clone(),
        jobs: store.jobs(&schedule.namespace, &schedule.uid),
        evidence: BTreeMap::new(),
        waiting: recall.waiting.iter().map(|(uid, (_, cause))| (uid.clone(), cause.clone())).collect(),
        looked: BTreeSet::new(),
        last_refusal: recall.last_refusal,
        template_tried: recall.template_tried,
        fence_seconds: circumstances.fence_seconds,
        status,
        schedule,
    };
    Ok(Some((snapshot, observed.metadata.resource_version.clone().unwrap_or_default())))
}

/// Reads what a decision asked for, from the API server.
///
/// # Errors
/// When the API server does not answer.
pub async fn look(cluster: &Cluster, store: &Store, snapshot: &mut Snapshot, looks: &[Look]) -> Result<(), Fault> {
    let namespace = snapshot.schedule.namespace.clone();
    for look in looks {
        match look {
            Look::Job(name) => {
                match cluster.job(&namespace, name).await? {
                    Some(job) => drop(store.put_job(&job)),
                    None => store.lose_job(&namespace, name),
                }
                snapshot.looked.insert(name.clone());
            }
            Look::Pods(name, uid) => {
                let pods = match cluster.pods(&namespace, uid).await {
                    // The end of a run is not held up by a right that is lacking.
                    Err(Fault::Blocked { reason: fault::FORBIDDEN, message }) => {
                        tracing::error!(
                            error = message,
                            "the operator may not read Pods: results come without message and exit code"
                        );
                        Vec::new()
                    }
                    pods => pods?,
                };
                let job = snapshot.jobs.iter().find(|it| it.name == *name);
                let failed = job.is_some_and(|it| matches!(it.state, JobState::Failed { .. }));
                let container = snapshot.spec.as_ref().ok().and_then(|it| it.spec.result_container.as_deref());
                snapshot.evidence.insert(uid.clone(), pods::evidence(&pods, failed, container));
            }
        }
    }
    snapshot.jobs = store.jobs(&namespace, &snapshot.schedule.uid);
    Ok(())
}

/// Asks the Pods of runs that should have one by now why they have none that is ready; not more
/// than once a minute each. It is for people only: where there is no answer, the last one stands.
/// Answers whether there is anything new.
pub async fn ask_unready(cluster: &Cluster, snapshot: &mut Snapshot, recall: &mut Recall) -> bool {
    let is_long = |since: Timestamp| snapshot.now.duration_since(since).as_secs() >= WAITING_SECONDS;
    let active: BTreeSet<&str> =
        snapshot.status.iter().flat_map(|it| &it.active).map(|it| it.job_uid.as_str()).collect();
    let unready: Vec<String> = snapshot
        .jobs
        .iter()
        .filter(|job| active.contains(job.uid.as_str()) && is_long(job.created) && job.has_no_pod_to_show())
        .map(|job| job.uid.clone())
        .collect();
    recall.waiting.retain(|uid, _| unready.contains(uid));
    for uid in unready {
        if recall.waiting.get(&uid).is_none_or(|(asked, _)| is_long(*asked))
            && let Ok(pods) = cluster.pods(&snapshot.schedule.namespace, &uid).await
        {
            let job = snapshot.jobs.iter().find(|job| job.uid == uid);
            let is_suspended = job.is_some_and(|job| matches!(job.state, JobState::Unfinished { suspended: true, .. }));
            recall.waiting.insert(uid, (snapshot.now, pods::waiting(&pods, is_suspended)));
        }
    }
    let waiting = recall.waiting.iter().map(|(uid, (_, cause))| (uid.clone(), cause.clone())).collect();
    let is_new = snapshot.waiting != waiting;
    snapshot.waiting = waiting;
    is_new
}

fn identity(observed: &ObservedSchedule) -> Option<Identity> {
    let metadata = &observed.metadata;
    Some(Identity {
        namespace: metadata.namespace.clone()?,
        name: metadata.name.clone()?,
        uid: metadata.uid.clone()?,
        generation: metadata.generation.unwrap_or(1),
        creation: Slot::floor(metadata.creation_timestamp.as_ref()?.0),
        deleting: metadata.deletion_timestamp.is_some(),
    })
}

impl Known {
    /// Nothing yet, but what is read is kept.
    #[must_use]
    pub fn keeping() -> Self {
        Self { keeps: true, ..Self::default() }
    }

    /// The spec, understood or refused, and the hash of its trigger as it is stored.
    fn spec(&mut self, observed: &ObservedSchedule, schedule: &Identity) -> (Result<Accepted, Refusal>, String) {
        if let Some((_, spec, hash)) = self.spec.as_ref().filter(|(text, ..)| *text == observed.spec) {
            return (spec.clone(), hash.clone());
        }
        let raw: Value = serde_json::from_str(observed.spec.as_str()).unwrap_or_default();
        let hash = trigger_hash(raw.get("trigger").unwrap_or(&Value::Null));
        let spec = understand(observed, schedule);
        self.spec = self.keeps.then(|| (observed.spec.clone(), spec.clone(), hash.clone()));
        (spec, hash)
    }

    fn status(&mut self, observed: &ObservedSchedule) -> Result<Option<ScheduleStatus>, serde_json::Error> {
        if let Some((_, status)) = self.status.as_ref().filter(|(text, _)| *text == observed.status) {
            return Ok(status.clone());
        }
        let status = observed.read_status()?;
        self.status = self.keeps.then(|| (observed.status.clone(), status.clone()));
        Ok(status)
    }
}

fn understand(observed: &ObservedSchedule, schedule: &Identity) -> Result<Accepted, Refusal> {
    let spec = observed.read_spec().map_err(|error| Refusal {
        reason: "UnreadableSpec",
        message: format!(
            "this version cannot read the spec ({error}): apply the CRD and the operator of the same version"
        ),
        spec: None,
    })?;
    let since = spec.catch_up.as_ref().and_then(|it| it.since.as_deref());
    let understood = || {
        let trigger = understand_trigger(&spec, schedule)?;
        let since = read_instant("spec.catchUp.since", since)?;
        Ok((trigger, since, read_instant("spec.pauseUntil", spec.pause_until.as_deref())?))
    };
    match understood() {
        Ok((trigger, since, pause_until)) => Ok(Accepted { spec, trigger, since, pause_until }),
        Err((reason, message)) => Err(Refusal { reason, message, spec: Some(Box::new(spec)) }),
    }
}

/// The schema lets through what looks like an instant and is none, such as 30 February.
fn read_instant(path: &str, text: Option<&str>) -> Result<Option<Slot>, (&'static str, String)> {
    text.map(|it| parse_instant(path, it)).transpose().map_err(|error| ("InvalidSpec", error.to_string()))
}

/// The trigger, or the reason and the words in which it is refused.
fn understand_trigger(spec: &ScheduleSpec, schedule: &Identity) -> Result<Trigger, (&'static str, String)> {
    let context = Context { creation: schedule.creation, namespace: &schedule.namespace, name: &schedule.name };
    let trigger = Trigger::parse(&spec.trigger, &context).map_err(|error| {
        let reason = match error.kind {
            TriggerErrorKind::InvalidTrigger => "InvalidTrigger",
            TriggerErrorKind::UnknownTimeZone => "UnknownTimeZone",
        };
        (reason, error.to_string())
    })?;
    if trigger.never_fires() {
        return Err(("NeverFires", format!("spec.trigger names no instant at all: {} never comes", trigger.words())));
    }
    Ok(trigger)
}
