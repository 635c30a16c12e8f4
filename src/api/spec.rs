//! What a user asks for.
//!
//! No field has a default in the schema: a default that the API server fills in shows up as
//! drift in GitOps tools. Defaults are documented here and applied where a spec is read.

mod job_template;
mod trigger;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::Duration;
use super::status::ScheduleStatus;
pub use job_template::JobTemplate;
pub use trigger::{
    Calendar, DaylightSaving, Exclusion, Fields, Interval, NumberOrText, OnExcluded, SimpleTrigger, Trigger,
};

/// Runs Jobs at the times its trigger names.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "punctual.dev",
    version = "v1alpha1",
    kind = "Schedule",
    plural = "schedules",
    shortname = "psched",
    category = "punctual",
    namespaced,
    status = "ScheduleStatus",
    selectable = ".status.state",
    doc = "Schedule runs Jobs at the times its trigger names, and keeps their results in its status.",
    validation = Rule::new("size(self.metadata.name) <= 52 && !self.metadata.name.contains('.')")
        .message("metadata.name must have at most 52 characters and no dot: Jobs and Pods are named after it")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.resultContainer) || self.jobTemplate.spec.template.spec.containers.exists(c, c.name == self.resultContainer)")
        .message("resultContainer must be the name of a container in jobTemplate.spec.template.spec.containers"),
    validation = Rule::new("(has(self.paused) && self.paused) || !(has(self.pauseUntil) || has(self.pauseReason))")
        .message("pauseUntil and pauseReason say more about a pause: they need paused: true; take them out too to resume")
)]
pub struct ScheduleSpec {
    /// When to run: exactly one of cron, fields, interval, calendar, at, atLocal, anyOf and
    /// allOf, with its time zone. A change here never starts anything from before the change
    /// was seen.
    pub trigger: Trigger,

    /// Spreads starts: each planned start is its slot plus a delay below this, the same for the
    /// same slot whenever it is computed, and never as long as to the next slot. Default: 0s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Duration>,

    /// While true no slot starts. Runs already started go on. What was missed is decided by
    /// catchUp on resume. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,

    /// The pause ends by itself at this instant, in RFC 3339; paused stays true in the spec. If it
    /// is past already when it is first seen, the pause holds. Only with paused: true. Default:
    /// none, the pause lasts until paused is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "trigger::instant")]
    pub pause_until: Option<String>,

    /// Why it is paused, for people. Only with paused: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub pause_reason: Option<String>,

    /// A slot that cannot start within this time of its planned start is not started
    /// (outcome MissedDeadline). Default: none, a slot may start however late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_deadline: Option<Duration>,

    /// What starts when slots are late, after downtime or a pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<CatchUp>,

    /// What happens when a slot is due while an earlier run is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,

    /// Whether a failed run is tried again, as a new Job of the same run. With it an absent
    /// backoffLimit of the template means 0. Default: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,

    /// Planned runs since creation at most; then the Schedule is complete. A slot counts when it is
    /// chosen to start. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_runs: Option<i32>,

    /// So many failed runs in a row pause the Schedule, in status and not in the spec, until the
    /// spec is changed or a ScheduleRun succeeds. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub pause_after_failures: Option<i32>,

    /// How long results stay in status. Default: none, results are not kept there (lastRun is).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "resultTTL")]
    pub result_ttl: Option<Duration>,

    /// How long results of runs that did not succeed stay in status; alone, it keeps only
    /// those. Default: resultTTL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "failedResultTTL")]
    pub failed_result_ttl: Option<Duration>,

    /// Results of successful runs kept at most, oldest dropped first. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub result_limit: Option<i32>,

    /// Results of runs that did not succeed kept at most, oldest dropped first. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub failed_result_limit: Option<i32>,

    /// The container whose exit code and termination message are the result.
    /// Default: the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub result_container: Option<String>,

    /// Successful runs whose Jobs are kept for their logs. Default: 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub successful_jobs_history_limit: Option<i32>,

    /// Failed runs whose Jobs are kept for their logs. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub failed_jobs_history_limit: Option<i32>,

    /// The Job to run: a batch/v1 Job template, passed through whole.
    pub job_template: JobTemplate,
}

/// What starts when slots are late.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.policy) || has(self.limit) || has(self.afterPause) || has(self.maxAge) || has(self.since)")
        .message("catchUp needs one of policy, limit, afterPause, maxAge and since")
)]
pub struct CatchUp {
    /// Which of the late slots start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<CatchUpPolicy>,

    /// How many slots All starts, and how many wait in its line at most. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub limit: Option<i32>,

    /// Which of the late slots start when any of them fell into a pause. Default: as policy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_pause: Option<CatchUpPolicy>,

    /// Late slots older than this are not started. Default: startingDeadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,

    /// No slot before this instant starts, late or on time, in RFC 3339. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "trigger::instant")]
    pub since: Option<String>,
}

/// Which of the late slots start: None, the Latest, the Earliest, or All (the newest, as many as
/// limit says, one after the other). Default: Latest.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CatchUpPolicy {
    /// No late slot starts.
    None,
    /// The newest one starts; the others are coalesced into it.
    #[default]
    Latest,
    /// The oldest one starts; the others are coalesced into it.
    Earliest,
    /// The newest start, as many as `catchUp.limit` says, oldest first, one after the other.
    All,
}

/// What happens when a slot is due while earlier runs are active.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.policy) || has(self.limit) || has(self.queueLimit) || has(self.queueFull)")
        .message("concurrency needs a policy: Allow, Forbid, Replace or Queue"),
    validation = Rule::new("!has(self.limit) || !has(self.policy) || self.policy != 'Allow'")
        .message("limit does not go with policy Allow, which admits up to 100 runs"),
    validation = Rule::new("(has(self.policy) && self.policy == 'Queue') || !(has(self.queueLimit) || has(self.queueFull))")
        .message("queueLimit and queueFull need policy Queue")
)]
pub struct Concurrency {
    /// What happens to a slot that is due while limit runs are active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<ConcurrencyPolicy>,

    /// Runs that may be active at once. Not with Allow. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub limit: Option<i32>,

    /// Slots that wait at most. Only with Queue. Default: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub queue_limit: Option<i32>,

    /// Which slot is given up when one more would have to wait than queueLimit. Only with Queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_full: Option<QueueFull>,
}

/// What happens to a slot that is due while limit runs are active: Allow (start it too), Forbid
/// (skip it), Replace (stop the oldest run, then start it) or Queue (let it wait). Default: Forbid.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConcurrencyPolicy {
    /// It starts beside them, up to [`ACTIVE_CAP`] active runs.
    Allow,
    /// It is skipped.
    #[default]
    Forbid,
    /// The oldest active run is stopped, then it starts.
    Replace,
    /// It waits until fewer runs are active.
    Queue,
}

/// Which slot is given up when the queue is full: DropNewest (the one that comes due) or DropOldest
/// (the one that has waited longest). Default: DropNewest.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueFull {
    /// The one that comes due.
    #[default]
    DropNewest,
    /// The one that has waited longest.
    DropOldest,
}

/// How a failed run is tried again.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// Attempts after the first, at most.
    #[schemars(range(min = 1, max = MOST_RETRIES))]
    pub limit: i32,

    /// How long after a failed attempt the second one starts. Default: 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,

    /// By how much the delay grows with each further attempt. Default: 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub factor: Option<i32>,

    /// The delay at most. Default: 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_delay: Option<Duration>,
}

/// Names of Jobs have room for two digits. Beyond it only a Schedule that was stored under another
/// schema can ask for more.
const MOST_RETRIES: i32 = 98;
/// The default of `catchUp.limit`: how many late slots `All` starts, and how long its line is.
pub const CATCH_UP_LIMIT: usize = 10;
/// Active runs at most under `Allow`.
pub const ACTIVE_CAP: usize = 100;
/// The default of `concurrency.limit`.
pub const CONCURRENCY_LIMIT: usize = 1;
/// The default of `concurrency.queueLimit`.
pub const QUEUE_LIMIT: usize = 100;
/// Slots that wait at most, for whatever reason.
pub const PENDING_CAP: usize = 100;
/// The default of `retry.delay`.
pub const RETRY_DELAY: Duration = Duration::from_seconds(10);
/// The default of `retry.factor`.
pub const RETRY_FACTOR: u64 = 2;
/// The default of `retry.maxDelay`.
pub const RETRY_MAX_DELAY: Duration = Duration::from_seconds(300);
/// The default of both result limits.
pub const RESULT_LIMIT: usize = 10;
/// The default of `successfulJobsHistoryLimit`.
pub const SUCCESSFUL_JOBS_HISTORY_LIMIT: usize = 3;
/// The default of `failedJobsHistoryLimit`.
pub const FAILED_JOBS_HISTORY_LIMIT: usize = 1;

impl ScheduleSpec {
    /// Whether the spec asks for a pause. Whether there is one, status says: it may have ended by
    /// itself, and there are others.
    #[must_use]
    pub fn asks_for_pause(&self) -> bool {
        self.paused.unwrap_or(false)
    }

    /// The catch-up policy, its default applied.
    #[must_use]
    pub fn catch_up_policy(&self) -> CatchUpPolicy {
        self.catch_up.as_ref().and_then(|it| it.policy).unwrap_or_default()
    }

    /// The catch-up policy when a late slot fell into a pause, its default applied.
    #[must_use]
    pub fn catch_up_policy_after_pause(&self) -> CatchUpPolicy {
        self.catch_up.as_ref().and_then(|it| it.after_pause).unwrap_or_else(|| self.catch_up_policy())
    }

    /// How many slots `All` starts, and how long its line is, the default applied.
    #[must_use]
    pub fn catch_up_limit(&self) -> usize {
        self.catch_up.as_ref().and_then(|it| it.limit).map_or(CATCH_UP_LIMIT, to_count)
    }

    /// How old late slots may be. The default is `startingDeadline`, past which no slot starts
    /// anyway.
    #[must_use]
    pub fn catch_up_max_age(&self) -> Option<Duration> {
        self.catch_up.as_ref().and_then(|it| it.max_age)
    }

    /// The concurrency policy, its default applied.
    #[must_use]
    pub fn concurrency_policy(&self) -> ConcurrencyPolicy {
        self.concurrency.as_ref().and_then(|it| it.policy).unwrap_or_default()
    }

    /// How many runs may be active at once, defaults applied.
    #[must_use]
    pub fn concurrency_limit(&self) -> usize {
        match self.concurrency_policy() {
            ConcurrencyPolicy::Allow => ACTIVE_CAP,
            _ => self.concurrency.as_ref().and_then(|it| it.limit).map_or(CONCURRENCY_LIMIT, to_count),
        }
    }

    /// How many slots may wait in the queue, its default applied.
    #[must_use]
    pub fn queue_limit(&self) -> usize {
        self.concurrency.as_ref().and_then(|it| it.queue_limit).map_or(QUEUE_LIMIT, to_count)
    }

    /// Which slot a full queue gives up, its default applied.
    #[must_use]
    pub fn queue_full(&self) -> QueueFull {
        self.concurrency.as_ref().and_then(|it| it.queue_full).unwrap_or_default()
    }

    /// How many runs may still be planned when so many were.
    #[must_use]
    pub fn runs_left(&self, planned: i64) -> u64 {
        let left = self.max_runs.map(|limit| i64::from(limit).saturating_sub(planned));
        left.map_or(u64::MAX, |left| u64::try_from(left).unwrap_or(0))
    }

    /// How long a result stays in status, if it enters at all.
    #[must_use]
    pub fn result_ttl(&self, succeeded: bool) -> Option<Duration> {
        if succeeded { self.result_ttl } else { self.failed_result_ttl.or(self.result_ttl) }
    }

    /// How many results are kept, defaults applied.
    #[must_use]
    pub fn result_limit(&self, succeeded: bool) -> usize {
        let limit = if succeeded { self.result_limit } else { self.failed_result_limit };
        limit.map_or(RESULT_LIMIT, to_count)
    }

    /// How many finished runs keep their Jobs, defaults applied.
    #[must_use]
    pub fn jobs_history_limit(&self, succeeded: bool) -> usize {
        let (limit, default) = if succeeded {
            (self.successful_jobs_history_limit, SUCCESSFUL_JOBS_HISTORY_LIMIT)
        } else {
            (self.failed_jobs_history_limit, FAILED_JOBS_HISTORY_LIMIT)
        };
        limit.map_or(default, to_count)
    }
}

impl Retry {
    /// Whether another attempt may follow this one, counted from 1.
    #[must_use]
    pub fn allows_after(&self, attempt: i32) -> bool {
        attempt <= self.limit.min(MOST_RETRIES)
    }

    /// How long after the end of an attempt the following one starts, in seconds.
    #[must_use]
    pub fn delay_after(&self, attempt: u32) -> i64 {
        let factor = self.factor.map_or(RETRY_FACTOR, |it| it.unsigned_abs().into());
        let grown = factor
            .saturating_pow(attempt.saturating_sub(1))
            .saturating_mul(self.delay.unwrap_or(RETRY_DELAY).seconds());
        let capped = grown.min(self.max_delay.unwrap_or(RETRY_MAX_DELAY).seconds());
        i64::try_from(capped).unwrap_or(i64::MAX)
    }
}

/// The schema refuses negative numbers.
fn to_count(value: i32) -> usize {
    usize::try_from(value).unwrap_or(0)
}
