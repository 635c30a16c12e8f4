//! Slots and ScheduleRuns that wait: chosen late ones, refused ones, queued ones, and those that wait
//! for a run to stop.
//!
//! Only what status, as it was read, says is waiting is acted on: a choice made by this very
//! decision starts with the next one.

use jiff::Timestamp;

use super::plan::Reason;
use super::snapshot::Accepted;
use super::{Draft, later, missed_through, overlap, replace, wake};
use crate::api::spec::{ConcurrencyPolicy, ScheduleSpec};
use crate::api::status::{Outcome, Pending, Why};
use crate::time::Slot;

/// What this process knows to have been decided since does not wait any more: somebody put an older
/// status back. What became of it was told then.
pub(super) fn forget_outdated(draft: &mut Draft<'_>) {
    if let Some(to_start) = &draft.snapshot.to_start {
        draft.plan.memory.pending.retain(|it| to_start.waiting.contains(&it.origin));
    }
}

/// Slots before `catchUp.since`, and those past their deadline, wait no longer. They go before others
/// come due, to whom they would deny a place, or who would go into them.
pub(super) fn clear(draft: &mut Draft<'_>, accepted: &Accepted) {
    for pending in draft.plan.memory.pending.clone() {
        if accepted.since.is_some_and(|since| pending.origin.slot().is_some_and(|slot| slot < since)) {
            draft.give_up(&pending);
            draft.settle_one(&pending.origin, Outcome::SkippedLate, Reason::CatchUpSince, None);
        } else if is_past_deadline(draft, &accepted.spec, &pending) {
            miss(draft, &pending);
        }
    }
}

/// Starts, keeps or drops what waits, oldest first; of slots only if they may start now.
pub(super) fn decide(draft: &mut Draft<'_>, spec: &ScheduleSpec) {
    let recorded = draft.snapshot.status.as_ref().map(|it| it.pending.clone()).unwrap_or_default();
    for pending in recorded {
        // It may have been adopted, or coalesced into a newer slot, by the rules before.
        if !draft.may_start_now(&pending) || !draft.plan.memory.pending.contains(&pending) {
            continue;
        }
        if is_past_deadline(draft, spec, &pending) {
            miss(draft, &pending);
        } else if may_start(draft, spec, &pending) {
            // One that finds no place may have been created already.
            if overlap::places(draft, spec) > 0 {
                draft.take_off(&pending)
            } else {
                draft.give_up(&pending)
            }
            let refused_since = (pending.why == Why::Retrying).then_some(pending.since.0);
            overlap::start_or_yield(draft, spec, &pending.origin, refused_since);
        } else if let Some(again) = just_refused_until(draft).filter(|_| pending.why == Why::Queued) {
            wake::at(draft, again);
        } else if pending.why == Why::Replacing && spec.concurrency_policy() == ConcurrencyPolicy::Replace {
            replace::make_room(draft, spec, &pending.origin);
        }
    }
}

fn miss(draft: &mut Draft<'_>, pending: &Pending) {
    draft.give_up(pending);
    draft.settle_one(&pending.origin, Outcome::MissedDeadline, Reason::StartingDeadline, None);
}

/// Whether a slot that waits has waited past its starting deadline.
fn is_past_deadline(draft: &Draft<'_>, spec: &ScheduleSpec, pending: &Pending) -> bool {
    let deadline = spec.starting_deadline.map(|it| it.seconds_i64());
    let planned = planned_start(draft, pending);
    deadline.is_some_and(|seconds| Slot::floor(planned) <= missed_through(draft.now(), seconds))
}

/// Whether it is a waiting slot's turn. What then becomes of it, the concurrency policy says.
fn may_start(draft: &Draft<'_>, spec: &ScheduleSpec, pending: &Pending) -> bool {
    let is_queue = spec.concurrency_policy() == ConcurrencyPolicy::Queue;
    let is_line = overlap::is_in_line(spec, pending);
    let places = overlap::places(draft, spec);
    let has_place = places > 0;
    let is_first = draft.ahead_of(&pending.origin).next().is_none();
    // The line does not take the places that runs were stopped for.
    let replacing = draft.plan.memory.pending.iter().filter(|it| it.why == Why::Replacing && !is_queue);
    let is_turn = !(is_queue || is_line) || (is_first && places > replacing.count());
    // In a queue nobody starts behind a start that was refused before, until that has succeeded.
    let may_follow = !is_queue || !tries_again(draft);
    match pending.why {
        Why::Replacing => has_place && may_follow && (is_first || !is_queue),
        Why::Queued => has_place && may_follow && (is_first || !(is_queue || just_refused_until(draft).is_some())),
        Why::Retrying => is_turn && is_tried_again(draft, pending),
        // Beside the line of `All` a late slot joins a queue like any other.
        Why::CatchUp | Why::Other(_) => (is_turn && may_follow) || (is_queue && !is_line),
    }
}

fn tries_again(draft: &Draft<'_>) -> bool {
    draft.plan.starts.iter().any(|it| it.refused_since.is_some())
}

/// What refused one start would refuse all that are left of a queue, one after the other: they
/// wait a second each.
fn just_refused_until(draft: &Draft<'_>) -> Option<Timestamp> {
    draft.snapshot.last_refusal.map(|at| later(at, 1)).filter(|until| draft.now() < *until)
}

fn is_tried_again(draft: &Draft<'_>, pending: &Pending) -> bool {
    wake::retry_at(planned_start(draft, pending), pending.since.0, draft.snapshot.last_refusal)
        .is_none_or(|at| at <= draft.now())
}

fn planned_start(draft: &Draft<'_>, pending: &Pending) -> Timestamp {
    match pending.origin.slot() {
        Some(slot) => draft.snapshot.planned_starts().map_or(slot, |it| it.of(slot)).timestamp(),
        None => draft.asked_for(&pending.origin),
    }
}
