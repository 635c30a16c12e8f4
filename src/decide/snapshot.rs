//! Everything a decision may look at, the time included.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::naming;
use crate::api::ScheduleRunStatus;
use crate::api::spec::ScheduleSpec;
use crate::api::status::{Origin, RunState, ScheduleStatus};
use crate::time::{Slot, Trigger};

/// One Schedule and what there is of it, at one instant.
#[derive(Debug)]
pub struct Snapshot {
    /// The wall-clock time of the decision.
    pub now: Timestamp,
    /// Why the wall clock is not to be believed, if it is not.
    pub clock_skew: Option<String>,
    /// Which object this is.
    pub schedule: Identity,
    /// The spec, ready to be worked on, or why it cannot be.
    pub spec: Result<Accepted, Refusal>,
    /// Which version of `spec.trigger` this is.
    pub trigger_hash: String,
    /// What was recorded; `None` when nothing was recorded for this UID.
    pub status: Option<ScheduleStatus>,
    /// The highest mark this process wrote for this UID: a slot at or below it was decided, even
    /// if somebody has put an older status back.
    pub floor: Option<Slot>,
    /// The ScheduleRuns that name it, oldest first.
    pub schedule_runs: Vec<ScheduleRunView>,
    /// What the status that this process wrote last has yet to start; `None` when it wrote none. What
    /// else seems to wait was decided since, and an older status has been put back.
    pub to_start: Option<ToStart>,
    /// Our Jobs, by slot and attempt. Those seen to go are kept until status accounts for them.
    pub jobs: Vec<JobView>,
    /// What the Pods of finished Jobs told, by Job UID.
    pub evidence: BTreeMap<String, Evidence>,
    /// Why a Job has no ready Pod, by Job UID.
    pub waiting: BTreeMap<String, String>,
    /// Names of the Jobs that were read from the API server for this decision, not from a cache.
    pub looked: BTreeSet<String>,
    /// When a start of this Schedule was last refused, as far as this process knows.
    pub last_refusal: Option<Timestamp>,
    /// The generation whose template this process tried, whatever came of it.
    pub template_tried: Option<i64>,
    /// No Job of ours is removed before this age, in seconds, so that a create request that was
    /// on its way for long still meets the name.
    pub fence_seconds: i64,
}

/// What a status has yet to start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToStart {
    /// The slots and ScheduleRuns that wait.
    pub waiting: Vec<Origin>,
    /// The runs in Backoff, by the UID of their Job.
    pub backed_off: BTreeSet<String>,
    /// The newest Jobs of all runs that are not over.
    pub active: Vec<String>,
}

impl ToStart {
    /// What this status has yet to start.
    #[must_use]
    pub fn of(status: &ScheduleStatus) -> Self {
        let backed_off = status.active.iter().filter(|run| run.state == RunState::Backoff);
        Self {
            waiting: status.pending.iter().map(|it| it.origin.clone()).collect(),
            backed_off: backed_off.map(|run| run.job_uid.clone()).collect(),
            active: status.active.iter().map(|run| run.job_name.clone()).collect(),
        }
    }
}

/// Which object a decision is about.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The generation of its spec.
    pub generation: i64,
    /// When it was created.
    pub creation: Slot,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// A spec that can be worked on.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// As the user wrote it.
    pub spec: ScheduleSpec,
    /// Its trigger, understood.
    pub trigger: Trigger,
    /// Its `catchUp.since`, understood.
    pub since: Option<Slot>,
    /// `spec.pauseUntil`, in whole seconds.
    pub pause_until: Option<Slot>,
}

/// Why a spec cannot be worked on.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// One word, for conditions and metrics.
    pub reason: &'static str,
    /// What, where, and what to do.
    pub message: String,
    /// As the user wrote it, if it could be read: what does not depend on the trigger goes on.
    pub spec: Option<Box<ScheduleSpec>>,
}

impl Snapshot {
    /// The spec as the user wrote it, whether or not its trigger can be worked on.
    #[must_use]
    pub fn readable_spec(&self) -> Option<&ScheduleSpec> {
        match &self.spec {
            Ok(accepted) => Some(&accepted.spec),
            Err(refusal) => refusal.spec.as_deref(),
        }
    }
}

/// One ScheduleRun.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleRunView {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The version of the object that was read.
    pub version: String,
    /// The generation of its spec.
    pub generation: i64,
    /// When it was created.
    pub created: Timestamp,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// What was recorded.
    pub status: ScheduleRunStatus,
}

impl ScheduleRunView {
    /// The name of its first Job.
    #[must_use]
    pub fn job_name(&self, schedule: &Identity) -> String {
        naming::job_name_of_run(&schedule.name, &schedule.uid, Slot::floor(self.created), &self.uid)
    }

    /// Whether nothing will be started for it any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.deleting || self.status.outcome.is_some()
    }

    /// Whether it came with the status of another object, as from a restore.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        self.status.uid.as_ref().is_some_and(|uid| *uid != self.uid)
    }
}

/// One Job of ours, as far as decisions need it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobView {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// What it is for, as its name says.
    pub origin: Origin,
    /// The attempt in its name, from 1.
    pub attempt: u32,
    /// When the API server created it.
    pub created: Timestamp,
    /// Whether it is still there.
    pub presence: Presence,
    /// How far it got.
    pub state: JobState,
    /// Whether we suspended it to stop its run.
    pub stopped: bool,
    /// The time to live its user wants once its result is recorded.
    pub deferred_ttl: Option<i32>,
    /// Whether it has a time to live already.
    pub has_ttl: bool,
}

/// Whether a Job is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Yes.
    Here,
    /// It is being deleted.
    Deleting,
    /// It was seen to go.
    Gone,
}

/// How far a Job got. Failing or succeeding is not yet the end: only the conditions `Complete`
/// and `Failed` are.
#[derive(Debug, Clone, PartialEq)]
pub enum JobState {
    /// Not finished.
    Unfinished {
        /// Pods that are pending or running.
        active: i32,
        /// Pods that are ready.
        ready: i32,
        /// Pods that are being ended.
        terminating: i32,
        /// Pods that finished, however.
        finished: i32,
        /// Whether `spec.suspend` is set.
        suspended: bool,
        /// Whether the Job controller has taken note of that: until then it may still create Pods.
        rests: bool,
    },
    /// It completed.
    Complete {
        /// When.
        at: Timestamp,
    },
    /// It failed.
    Failed {
        /// When.
        at: Timestamp,
        /// The condition's reason, such as `BackoffLimitExceeded` or `DeadlineExceeded`.
        reason: String,
        /// The condition's message.
        message: String,
    },
}

impl JobState {
    /// When the Job finished, if it has.
    #[must_use]
    pub fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Self::Unfinished { .. } => None,
            Self::Complete { at } | Self::Failed { at, .. } => Some(*at),
        }
    }

    /// Whether the Job has finished.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        !matches!(self, Self::Unfinished { .. })
    }
}

impl JobView {
    /// The instant at which its run was asked for, the same for all its attempts: its slot, or the
    /// creation of its ScheduleRun.
    #[must_use]
    pub fn asked_for(&self) -> Timestamp {
        let asked_for = self.origin.slot().or_else(|| naming::created_of_run(&self.name));
        asked_for.map_or(self.created, Slot::timestamp)
    }

    /// Whether it should have a Pod that is ready or has finished, and has none.
    #[must_use]
    pub fn has_no_pod_to_show(&self) -> bool {
        matches!(self.state, JobState::Unfinished { ready: 0, finished: 0, .. })
            && !self.stopped
            && self.presence == Presence::Here
    }

    /// Whether nothing of a Job that we stopped runs any more.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        matches!(self.state, JobState::Unfinished { active: 0, terminating: 0, suspended: true, rests: true, .. })
    }
}

/// What the Pods of a finished Job told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The exit code of the container that decided.
    pub exit_code: Option<i32>,
    /// Why it ended, such as `OOMKilled`.
    pub reason: Option<String>,
    /// Its termination message; `None` when there was no Pod left to read it from.
    pub message: Option<String>,
}
