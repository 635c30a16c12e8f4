//! What we tell: when it runs next, what runs now, and how earlier slots and runs ended.
//!
//! Status is also the operator's only memory. There are no enums in its schema, so that a newer
//! operator's words never make an object unreadable for an older one.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

pub use super::words::{Outcome, RunState, Why};

/// What we tell about a Schedule.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct ScheduleStatus {
    /// The UID of the Schedule this status belongs to. A status copied from another object
    /// counts as absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The generation of the spec this status was computed from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Stalled, Paused, Complete, LastRunSucceeded, StartBlocked, RunsStarting, ClockSkew.
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// The trigger in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// The reason of the Ready condition: Pending, Scheduled, Paused, Completed, InvalidTrigger …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The mark: every slot up to and including it is decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_through: Option<Time>,
    /// The life of the present version of spec.trigger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// The generation whose job template the API server accepted in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_checked_generation: Option<i64>,
    /// The next slot that may start. With jitter its planned start is later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_slot_time: Option<Time>,
    /// The next slot in the trigger's time zone, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_slot_text: Option<String>,
    /// The next five slots.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    pub next_slots: Vec<Time>,
    /// How many runs are active.
    pub active_runs: i32,
    /// How many slots wait to start.
    pub queued_runs: i32,
    /// Slots at or below the mark that wait to start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub pending: Vec<Pending>,
    /// Runs that have started and have not ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub active: Vec<ActiveRun>,
    /// The newest decided slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_slot: Option<LastSlot>,
    /// The run that ended last, kept whatever resultTTL is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_run: Option<LastRun>,
    /// The slot of the newest started run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_schedule_time: Option<Time>,
    /// When the newest successful run completed, also one that a ScheduleRun asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_successful_time: Option<Time>,
    /// Failed runs in a row since a run last succeeded.
    #[serde(skip_serializing_if = "is_zero")]
    pub consecutive_failures: i64,
    /// Planned runs since the Schedule was created, which maxRuns limits; a slot counts when it is
    /// chosen to start.
    #[serde(skip_serializing_if = "is_zero")]
    pub planned_runs: i64,
    /// Since when as many runs were planned as maxRuns allows: from then on the trigger has no slots,
    /// until maxRuns is raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_runs_reached: Option<Time>,
    /// What pauses the Schedule now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub pauses: Vec<Pause>,
    /// The pauseUntil at which the pause that the spec still asks for has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_ended: Option<Time>,
    /// What the end of the latest pause found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_resume: Option<Resume>,
    /// How the newest slots ended, oldest first; equal neighbours are folded into a range.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub outcomes: Vec<SlotOutcome>,
    /// Results of finished runs, oldest first, until they expire.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub results: Vec<RunResult>,
    /// Totals since the Schedule was created.
    pub counts: Counts,
}

/// The life of one version of `spec.trigger`.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Epoch {
    /// A hash of the stored trigger, with the version of the hash in front.
    pub hash: String,
    /// The second from which this version decides slots.
    pub since: Time,
}

/// What a run is for; in status either `slotTime` or `scheduleRun`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A slot of the trigger.
    #[serde(rename = "slotTime")]
    Slot(Time),
    /// The ScheduleRun of this name.
    #[serde(rename = "scheduleRun")]
    ScheduleRun(String),
}

impl JsonSchema for Origin {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Origin".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {
                "slotTime": {"type": "string", "format": "date-time", "description": "The slot it is for."},
                "scheduleRun": {"type": "string", "maxLength": 253, "description": "The ScheduleRun it is for, if it is not for a slot."},
            },
        })
    }
}

/// A slot at or below the mark, or a ScheduleRun, that waits to start.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// What it is for.
    #[serde(flatten)]
    pub origin: Origin,
    /// CatchUp, Queued, Retrying or Replacing.
    pub why: Why,
    /// Since when it waits.
    pub since: Time,
    /// What refused its start, when it is Retrying; CatchUpAll, when it waits for its turn in the
    /// line of catchUp.policy All.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The refusal in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub message: Option<String>,
}

/// A run that has started and has not ended.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ActiveRun {
    /// What it is for.
    #[serde(flatten)]
    pub origin: Origin,
    /// The Job of its newest attempt.
    pub job_name: String,
    /// That Job's UID.
    #[serde(rename = "jobUID")]
    pub job_uid: String,
    /// Which attempt this Job is, from 1.
    pub attempt: i32,
    /// Running, Backoff or Stopping.
    pub state: RunState,
    /// When its first Job was created.
    pub start_time: Time,
    /// When the next attempt starts, of a run in Backoff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_time: Option<Time>,
    /// How its newest attempt ended, of a run in Backoff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempt: Option<AttemptEnd>,
    /// What refuses the Job of its next attempt, of a run in Backoff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it is being stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// Why it has no ready Pod, if it has been waiting for one for a minute; of a run in Backoff,
    /// the refusal of its next Job in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub waiting: Option<String>,
}

/// How one attempt of a run ended.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AttemptEnd {
    /// Failed or TimedOut.
    pub outcome: Outcome,
    /// Why, such as OOMKilled or DeadlineExceeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The exit code of the container that decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What the container said at its end, or why there is no word from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub message: Option<String>,
    /// When it ended.
    pub completion_time: Time,
}

/// The newest decided slot.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LastSlot {
    /// The slot.
    pub slot_time: Time,
    /// How it ended, or Started while its run is active.
    pub outcome: Outcome,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its Job, if it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_name: Option<String>,
}

/// The run that ended last.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// The slot it was started for.
    pub slot_time: Time,
    /// How it ended.
    pub outcome: Outcome,
    /// The exit code of the container that decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What the container said at its end, or why there is no word from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub message: Option<String>,
    /// Its last Job.
    pub job_name: String,
    /// When it started.
    pub start_time: Time,
    /// When it ended.
    pub completion_time: Time,
}

/// What pauses a Schedule.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// Spec: a user set spec.paused. Failures: as many runs failed in a row as
    /// spec.pauseAfterFailures says.
    pub source: String,
    /// When it was first seen; if another pause was there and ended before it, when that one was.
    pub since: Time,
    /// Why, as far as anybody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub reason: Option<String>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// The generation of the spec under which it began, of a pause that a change of the spec lifts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
}

/// What the end of a pause found.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Resume {
    /// When the pause was seen to have ended.
    pub time: Time,
    /// Slots that were late then; a lower bound past 1000.
    pub missed: i64,
    /// Of these, chosen to start.
    pub started: i64,
    /// Of these, dropped by catchUp or their deadline.
    pub dropped: i64,
}

/// How one slot, or a range of neighbouring slots, ended.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SlotOutcome {
    /// The slot; of a range the first.
    pub slot_time: Time,
    /// The last slot of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_slot_time: Option<Time>,
    /// How many slots. Absent: one, or for Superseded an unknown number. A lower bound past 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its Job, if it started and stands alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_name: Option<String>,
    /// The slot it was coalesced into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<Time>,
}

/// The result of a finished run.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RunResult {
    /// The slot it was started for.
    pub slot_time: Time,
    /// Its last Job.
    pub job_name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How many Jobs it took.
    pub attempts: i32,
    /// The exit code of the container that decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Why it ended so, such as OOMKilled or DeadlineExceeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the container said at its end, or why there is no word from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// Whether the message was cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// When it started.
    pub start_time: Time,
    /// When it ended.
    pub completion_time: Time,
    /// When this result is removed.
    pub expiration_time: Time,
}

/// Totals since the Schedule was created.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// Slots by outcome; slots that started count as Started, however their run ended.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub slots: BTreeMap<String, i64>,
    /// Finished runs of slots by outcome.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub runs: BTreeMap<String, i64>,
    /// Results dropped by their limit or for want of room, before they expired.
    #[serde(skip_serializing_if = "is_zero")]
    pub results_dropped: i64,
    /// Outcome entries dropped because newer ones came.
    #[serde(skip_serializing_if = "is_zero")]
    pub outcomes_dropped: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// Conditions are merged by type; `Ready` is Unknown from creation, by this default, so that
/// `helm --wait` does not pass an object nobody has looked at yet.
pub(super) fn conditions(generator: &mut SchemaGenerator) -> Schema {
    let items = generator.subschema_for::<Condition>();
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": items,
    })
}

#[cfg(test)]
mod tests {
    use super::ScheduleStatus;

    #[test]
    fn the_default_that_the_schema_fills_in_reads_as_a_status_of_nobody() {
        let status: ScheduleStatus = serde_json::from_str(r#"{"conditions":[]}"#).expect("readable");
        assert_eq!(status.uid, None);
    }
}
