//! Results of finished runs: added with an expiration, dropped when it has come or there are too
//! many.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::text;
use crate::api::spec::ScheduleSpec;
use crate::api::status::{Outcome, RunResult, ScheduleStatus};
use crate::decide::plan::RunEnd;
use crate::time::Slot;

/// The longest message of a result, in bytes.
const MESSAGE_BYTES: usize = 1024;

/// Adds the result of a planned run, if its kind has a time to live.
pub(super) fn add(status: &mut ScheduleStatus, spec: &ScheduleSpec, slot: Slot, end: &RunEnd) {
    let Some(expiration_time) = expiration(spec, &end.outcome, end.at) else { return };
    let (message, truncated) = match &end.message {
        Some(message) => {
            let (message, truncated) = text::clean(message, MESSAGE_BYTES);
            (Some(message), truncated)
        }
        None => (None, false),
    };
    status.results.push(RunResult {
        slot_time: Time(slot.timestamp()),
        job_name: end.run.job_name.clone(),
        outcome: end.outcome.clone(),
        attempts: end.run.attempt,
        exit_code: end.exit_code,
        reason: end.reason.clone(),
        message,
        truncated,
        start_time: end.run.start_time.clone(),
        completion_time: Time(end.at),
        expiration_time,
    });
    status.results.sort_by(|a, b| a.slot_time.cmp(&b.slot_time));
}

/// When the result of what ended so at an instant is removed; `None`: it is not kept at all, or, of
/// a ScheduleRun, never removed.
pub(super) fn expiration(spec: &ScheduleSpec, outcome: &Outcome, at: Timestamp) -> Option<Time> {
    let ttl = spec.result_ttl(outcome.is_success())?;
    Some(Time(at.saturating_add(SignedDuration::from_secs(ttl.seconds_i64())).unwrap_or(Timestamp::MAX)))
}

/// Removes results whose expiration has come.
pub(super) fn expire(status: &mut ScheduleStatus, now: Timestamp) {
    status.results.retain(|it| it.expiration_time.0 > now);
}

/// Drops the oldest results beyond the limits of their kind.
pub(super) fn limit(status: &mut ScheduleStatus, spec: Option<&ScheduleSpec>) {
    let Some(spec) = spec else { return };
    for succeeded in [true, false] {
        let count = status.results.iter().filter(|it| it.outcome.is_success() == succeeded).count();
        let mut surplus = count.saturating_sub(spec.result_limit(succeeded));
        let dropped = i64::try_from(surplus).unwrap_or(i64::MAX);
        status.counts.results_dropped = status.counts.results_dropped.saturating_add(dropped);
        status.results.retain(|it| {
            let drop = surplus > 0 && it.outcome.is_success() == succeeded;
            surplus -= usize::from(drop);
            !drop
        });
    }
}
