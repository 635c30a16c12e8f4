//! Slots that wait: chosen late ones, refused ones, and those that wait for a run to stop.
//!
//! Only what status, as it was read, says is waiting is acted on: a choice made by this very
//! decision starts with the next one.

use jiff::Timestamp;

use super::plan::Reason;
use super::planned::PlannedStarts;
use super::snapshot::Accepted;
use super::{Draft, missed_through, overlap, wake};
use crate::api::status::{Outcome, Pending, Why};
use crate::time::Slot;

/// Starts, keeps or drops what waits, oldest slot first.
pub(super) fn decide(draft: &mut Draft<'_>, accepted: &Accepted) {
    let recorded = draft.snapshot.status.as_ref().map(|it| it.pending.clone()).unwrap_or_default();
    for pending in recorded {
        // It may have been adopted, or coalesced into a newer slot, by the rules before.
        if !draft.plan.memory.pending.contains(&pending) {
            continue;
        }
        if is_past_deadline(draft, accepted, &pending) {
            draft.give_up(&pending);
            draft.settle_one(&pending.origin, Outcome::MissedDeadline, Reason::StartingDeadline, None);
        } else if may_start(draft, accepted, &pending) {
            draft.take_off(&pending);
            let refused_since = (pending.why == Why::Retrying).then_some(pending.since.0);
            overlap::start_or_yield(draft, &accepted.spec, &pending.origin, refused_since);
        }
    }
}

/// Whether a slot that waits has waited past its starting deadline.
fn is_past_deadline(draft: &Draft<'_>, accepted: &Accepted, pending: &Pending) -> bool {
    let deadline = accepted.spec.starting_deadline.map(|it| it.seconds_i64());
    let planned = planned_start(draft, accepted, pending);
    deadline.is_some_and(|seconds| Slot::floor(planned) <= missed_through(draft.now(), seconds))
}

/// Whether it is a waiting slot's turn. What then becomes of it, the concurrency policy says.
fn may_start(draft: &Draft<'_>, accepted: &Accepted, pending: &Pending) -> bool {
    let is_free = draft.active_count() == 0;
    let is_turn = !overlap::is_in_line(&accepted.spec, pending)
        || (is_free && draft.plan.memory.pending.first() == Some(pending));
    match pending.why {
        Why::Replacing | Why::Queued => is_free,
        Why::Retrying => is_turn && is_tried_again(draft, accepted, pending),
        Why::CatchUp | Why::Other(_) => is_turn,
    }
}

fn is_tried_again(draft: &Draft<'_>, accepted: &Accepted, pending: &Pending) -> bool {
    wake::retry_at(planned_start(draft, accepted, pending), pending.since.0, draft.snapshot.last_refusal)
        .is_none_or(|at| at <= draft.now())
}

fn planned_start(draft: &Draft<'_>, accepted: &Accepted, pending: &Pending) -> Timestamp {
    PlannedStarts::new(accepted, &draft.snapshot.schedule).of_origin(&pending.origin, pending.since.0)
}
