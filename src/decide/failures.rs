//! Failed runs in a row: they are counted, and enough of them pause the Schedule.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Draft;
use super::pause::{self, SOURCE_FAILURES};
use super::plan::{Milestone, RunEnd};
use crate::api::status::{Origin, Outcome, Pause};
use crate::time::Slot;

/// Counts the runs of this plan that ended, in the order in which they did.
pub(super) fn count(draft: &mut Draft<'_>) {
    let mut ended: Vec<RunEnd> = draft.plan.ended.clone();
    ended.sort_by_key(|end| end.at);
    for end in ended {
        match end.outcome {
            Outcome::Succeeded => {
                draft.plan.memory.consecutive_failures = 0;
                if matches!(end.run.origin, Origin::ScheduleRun(_)) {
                    pause::lift_failures(draft);
                }
            }
            Outcome::Failed | Outcome::TimedOut | Outcome::Lost => {
                draft.plan.memory.consecutive_failures = draft.plan.memory.consecutive_failures.saturating_add(1);
                pause_if_too_many(draft);
            }
            _ => {}
        }
    }
}

/// Only a failure pauses: not an edit that sets a limit which was reached before.
fn pause_if_too_many(draft: &mut Draft<'_>) {
    let failures = draft.plan.memory.consecutive_failures;
    let limit = draft.snapshot.readable_spec().and_then(|spec| spec.pause_after_failures);
    let is_known = draft.plan.memory.pauses.iter().any(|it| it.source == SOURCE_FAILURES);
    if limit.is_none_or(|limit| failures < limit.into()) || is_known {
        return;
    }
    let pause = Pause {
        source: SOURCE_FAILURES.into(),
        since: Time(Slot::floor(draft.now()).timestamp()),
        reason: Some(if failures == 1 { "a run failed".into() } else { format!("{failures} runs failed in a row") }),
        until: None,
        generation: Some(draft.snapshot.schedule.generation),
    };
    draft.plan.memory.pauses.push(pause.clone());
    draft.milestone(Milestone::Paused(pause));
}
