//! Slots that wait: chosen late ones, refused ones, and those that wait for a run to stop.
//!
//! Only what status, as it was read, says is waiting is acted on: a choice made by this very
//! decision starts with the next one.

use super::plan::Reason;
use super::snapshot::Accepted;
use super::{Draft, missed_through, overlap, wake};
use crate::api::spec::{CatchUpPolicy, ConcurrencyPolicy, ScheduleSpec};
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
        } else if may_start(draft, &accepted.spec, &pending) {
            draft.take_off(&pending);
            let refused_since = (pending.why == Why::Retrying).then_some(pending.since.0);
            overlap::start_or_yield(draft, &accepted.spec, &pending.origin, refused_since);
        }
    }
}

/// Whether a slot that waits has waited past its starting deadline.
fn is_past_deadline(draft: &Draft<'_>, accepted: &Accepted, pending: &Pending) -> bool {
    let deadline = accepted.spec.starting_deadline.map(|it| it.seconds_i64());
    deadline.is_some_and(|seconds| Slot::floor(pending.asked_for()) <= missed_through(draft.now(), seconds))
}

/// Whether it is a waiting slot's turn. What then becomes of it, the concurrency policy says.
fn may_start(draft: &Draft<'_>, spec: &ScheduleSpec, pending: &Pending) -> bool {
    let is_free = draft.active_count() == 0;
    // In the line of `All` nobody is skipped, and nobody replaces anything or goes first.
    let is_line = spec.catch_up_policy() == CatchUpPolicy::All && spec.concurrency_policy() != ConcurrencyPolicy::Allow;
    let is_turn = !is_line || (is_free && draft.plan.memory.pending.first() == Some(pending));
    match pending.why {
        Why::Replacing | Why::Queued => is_free,
        Why::Retrying => is_turn && is_tried_again(draft, pending),
        Why::CatchUp | Why::Other(_) => is_turn,
    }
}

fn is_tried_again(draft: &Draft<'_>, pending: &Pending) -> bool {
    wake::retry_at(pending.asked_for(), pending.since.0, draft.snapshot.last_refusal).is_none_or(|at| at <= draft.now())
}
