//! Everything a decision may ask for, each with its reason. No choice is left to whoever
//! performs it.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::status::{ActiveRun, Epoch, Origin, Outcome, Pause, Pending, Resume};
use crate::time::Slot;

/// What to do, and what to remember.
///
/// Starts, stops and removals rest on what `status` already holds, or are on time: they may be
/// done at once. Everything that chooses enters [`Plan::memory`] only; it is acted on by the
/// next decision, which finds it recorded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Jobs to read from the API server before this can be decided. While there are any, the
    /// rest of the plan is empty.
    pub look: Vec<Look>,
    /// Pods to read before the end of their run can be recorded. Starts do not wait for it.
    pub unread: Vec<Look>,
    /// What the next decision must know.
    pub memory: Memory,
    /// Slots decided without a start.
    pub settled: Vec<Settled>,
    /// Jobs found that status did not account for.
    pub adopted: Vec<Adopted>,
    /// Runs that ended.
    pub ended: Vec<RunEnd>,
    /// Runs that ended and whose ScheduleRun does not tell yet: it does so first, and until that is
    /// read back they stay among the active ones.
    pub untold: Vec<RunEnd>,
    /// ScheduleRuns that are over without a run.
    pub dismissed: Vec<Dismissed>,
    /// ScheduleRuns to delete, their result expired.
    pub expired_runs: Vec<ExpiredRun>,
    /// Attempts that ended, and are to be followed by another of the same run.
    pub backed_off: Vec<BackedOff>,
    /// Jobs to create.
    pub starts: Vec<Start>,
    /// Jobs to stop.
    pub stops: Vec<Stop>,
    /// Jobs to delete, their run recorded.
    pub removals: Vec<Removal>,
    /// Jobs to hand over to the TTL controller, their run recorded.
    pub ttls: Vec<SetTtl>,
    /// Whether the Job template is to be tried in a dry run.
    pub try_template: bool,
    /// What happened to the Schedule as a whole.
    pub milestones: Vec<Milestone>,
    /// Results at or past their expiration leave status with this write.
    pub expire: bool,
    /// When to look at this Schedule again, whatever happens until then.
    pub wake: Option<Timestamp>,
}

/// The part of status that decisions rest on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// Every slot up to and including it is decided.
    pub mark: Option<Slot>,
    /// The life of the present trigger.
    pub epoch: Option<Epoch>,
    /// Slots that wait.
    pub pending: Vec<Pending>,
    /// Runs that are active, the [`Plan::starts`] not among them.
    pub active: Vec<ActiveRun>,
    /// What pauses the Schedule.
    pub pauses: Vec<Pause>,
    /// The `pauseUntil` at which the pause that the spec still asks for has ended.
    pub pause_ended: Option<Time>,
    /// What the end of the latest pause found.
    pub last_resume: Option<Resume>,
    /// Failed runs in a row.
    pub consecutive_failures: i64,
    /// Slots chosen to start since the Schedule was created.
    pub planned_runs: i64,
    /// Since when there are as many as maxRuns allows.
    pub max_runs_reached: Option<Time>,
}

/// What to read from the API server before deciding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// The Job of this name.
    Job(String),
    /// The Pods of the finished Job of this name and UID.
    Pods(String, String),
}

/// A slot, or a range of slots, decided without a start.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The first slot.
    pub first: Slot,
    /// The last slot.
    pub last: Slot,
    /// How many; `None` when it cannot be known.
    pub count: Option<u64>,
    /// How they ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The slot they were coalesced into.
    pub into: Option<Slot>,
}

/// A ScheduleRun that is over without a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Dismissed {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
}

/// A ScheduleRun to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiredRun {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

/// A Job found that status did not account for: it counts as started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// What it is for.
    pub origin: Origin,
    /// Its name.
    pub job_name: String,
    /// Whether its slot had been decided otherwise: its create request arrived late.
    pub late_create: bool,
    /// Which attempt of its run it is, from 1.
    pub attempt: u32,
    /// Whether status knows its run: then its slot counts as started already.
    pub is_of_known_run: bool,
}

/// An attempt that ended, and when the next one of its run starts.
#[derive(Debug, Clone, PartialEq)]
pub struct BackedOff {
    /// The attempt's end.
    pub end: RunEnd,
    /// When the next attempt starts.
    pub next: Timestamp,
}

/// How a run, or an attempt of it, ended.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEnd {
    /// The run, as it was active.
    pub run: ActiveRun,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, when the outcome does not say it all.
    pub reason: Option<String>,
    /// The exit code of the container that decided.
    pub exit_code: Option<i32>,
    /// What there is to say of it.
    pub message: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A Job to create.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// What it is for.
    pub origin: Origin,
    /// Which attempt of its run it is, from 1.
    pub attempt: u32,
    /// Its name.
    pub job_name: String,
    /// The whole Job, but for the leader's term. It is the largest part of a plan: what came of it shares it.
    pub job: Arc<serde_json::Value>,
    /// Since when its start has been refused, if it has.
    pub refused_since: Option<Timestamp>,
}

/// A Job to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Its name.
    pub job_name: String,
    /// Its UID.
    pub job_uid: String,
    /// How.
    pub how: StopHow,
}

/// How a Job is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopHow {
    /// Its Pods end, its name stays: it is younger than the fence.
    Suspend,
    /// It goes, after its Pods.
    Delete,
}

/// A Job to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Its name.
    pub job_name: String,
    /// Its UID.
    pub job_uid: String,
    /// Why.
    pub reason: Reason,
}

/// A finished Job to hand over to the TTL controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetTtl {
    /// Its name.
    pub job_name: String,
    /// Its UID.
    pub job_uid: String,
    /// The time to live its user wants, in seconds.
    pub seconds: i32,
}

/// What happened to the Schedule as a whole.
#[derive(Debug, Clone, PartialEq)]
pub enum Milestone {
    /// It was seen for the first time.
    FirstSeen,
    /// It was seen before, but its status is gone.
    StatusLost,
    /// Its trigger was changed.
    TriggerChanged,
    /// It was paused, by this pause.
    Paused(Pause),
    /// Its pause ended.
    Resumed,
}

/// Why something was decided: one word, the same in status, events, logs and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The trigger names an instant at or before the Schedule's creation, or the ScheduleRun is
    /// older than the Schedule.
    BeforeCreation,
    /// The ScheduleRun came with the status of another one.
    CopiedStatus,
    /// The ScheduleRun names no Schedule, or none any more.
    NoSuchSchedule,
    /// The trigger was changed before the slot was decided.
    TriggerChanged,
    /// It could not start within startingDeadline.
    StartingDeadline,
    /// catchUp chose none of the late slots.
    CatchUpNone,
    /// catchUp chose the latest slot.
    CatchUpLatest,
    /// catchUp chose the earliest slot.
    CatchUpEarliest,
    /// More slots were late, or waited in line, than the limit of All.
    CatchUpLimit,
    /// It was late, and older than catchUp.maxAge.
    CatchUpMaxAge,
    /// It is before catchUp.since.
    CatchUpSince,
    /// All chose it: it waits for its turn.
    CatchUpAll,
    /// As many runs are active as concurrency.limit admits, and concurrency.policy is Forbid.
    ConcurrencyForbid,
    /// As many runs are active as Allow admits.
    ConcurrencyCap,
    /// A newer slot replaces the active run in its stead.
    ConcurrencyReplace,
    /// The queue was full when it came due.
    QueueDropNewest,
    /// It had waited longest when the queue was full and another came due.
    QueueDropOldest,
    /// As many runs were planned as maxRuns allows.
    MaxRunsReached,
    /// The API server will not take this Job.
    JobRefused,
    /// Another object's Job has its name.
    NameTaken,
    /// More finished Jobs are there than the history limits keep.
    HistoryLimit,
    /// The Job was stopped, and its run is recorded.
    RunStopped,
    /// The Job was created by a request that arrived late.
    LateCreate,
    /// The Job is that of a failed attempt, and a later attempt of its run succeeded.
    RunSucceeded,
}

impl Reason {
    /// Every reason there is.
    pub const ALL: &'static [Self] = &[
        Self::BeforeCreation,
        Self::CopiedStatus,
        Self::NoSuchSchedule,
        Self::TriggerChanged,
        Self::StartingDeadline,
        Self::CatchUpNone,
        Self::CatchUpLatest,
        Self::CatchUpEarliest,
        Self::CatchUpLimit,
        Self::CatchUpMaxAge,
        Self::CatchUpSince,
        Self::CatchUpAll,
        Self::ConcurrencyForbid,
        Self::ConcurrencyCap,
        Self::ConcurrencyReplace,
        Self::QueueDropNewest,
        Self::QueueDropOldest,
        Self::MaxRunsReached,
        Self::JobRefused,
        Self::NameTaken,
        Self::HistoryLimit,
        Self::RunStopped,
        Self::LateCreate,
        Self::RunSucceeded,
    ];
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}
