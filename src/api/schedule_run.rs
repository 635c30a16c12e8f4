//! A run that was asked for by hand: kind `ScheduleRun`.
//!
//! It is an object of its own, and not a field of a Schedule, so that the right to start a run can
//! be given without the right to change what runs, and so that applying, copying or restoring a
//! Schedule starts nothing.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::{Outcome, conditions};

/// Which Schedule is to run now, and why.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "punctual.dev",
    version = "v1alpha1",
    kind = "ScheduleRun",
    plural = "scheduleruns",
    shortname = "psrun",
    category = "punctual",
    namespaced,
    status = "ScheduleRunStatus",
    selectable = ".spec.scheduleName",
    selectable = ".status.state",
    doc = "ScheduleRun starts one run of a Schedule now, outside of its plan, and keeps the result in its status.",
    validation = Rule::new("size(self.metadata.name) <= 63")
        .message("metadata.name must have at most 63 characters: the status of the Schedule, whose size is limited, tells of its runs by name")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self == oldSelf")
        .message("the spec of a ScheduleRun cannot be changed, because it says what one run was asked for: create another ScheduleRun")
)]
pub struct ScheduleRunSpec {
    /// The Schedule to run, in the same namespace. It has to be there already.
    #[schemars(length(min = 1, max = 52))]
    pub schedule_name: String,

    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub reason: Option<String>,
}

/// What we tell about a ScheduleRun.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct ScheduleRunStatus {
    /// The UID of the ScheduleRun this status belongs to. One that has the status of another object
    /// is a copy, and starts nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The generation of the spec this status was computed from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Complete, Failed, Stalled. One of Complete and Failed is True once it is over.
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// Where it stands: Pending; while it waits Queued, Retrying or Replacing; while it runs
    /// Running, Backoff or Stopping; once it is over its outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// How it ended. Absent until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Why it stands or ended so, such as ConcurrencyForbid, QuotaExceeded or OOMKilled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub reason: Option<String>,
    /// What the container said at its end, or why there is no word from it, or why it did not start.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// Whether the message was cut.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// Its last Job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_name: Option<String>,
    /// How many Jobs it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<i32>,
    /// The exit code of the container that decided it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// When it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    /// When this ScheduleRun is deleted. Absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<Time>,
}
