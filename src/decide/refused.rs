//! Slots whose start is being refused for a reason that may pass: one group, of which the catch-up
//! policy chooses when another slot comes due. In a queue there is no such group: who comes later
//! waits behind the one that is refused.

use jiff::Timestamp;

use super::Draft;
use super::plan::Reason;
use super::queue;
use crate::api::spec::{CatchUpPolicy, ConcurrencyPolicy, ScheduleSpec};
use crate::api::status::{Origin, Outcome, Pending, Why};
use crate::time::Slot;

/// The oldest of them.
pub(super) fn oldest(draft: &Draft<'_>) -> Option<Slot> {
    all(draft).first().and_then(|it| it.origin.slot())
}

/// Since when starts have been refused.
pub(super) fn since(draft: &Draft<'_>) -> Option<Timestamp> {
    all(draft).iter().map(|it| it.since.0).min()
}

/// A create that was not answered may have been carried out: before another slot, or anything
/// asked for by hand, starts, its run is looked for.
pub(super) fn look_for_all(draft: &mut Draft<'_>) {
    let refused = draft.plan.memory.pending.iter().filter(|it| it.why == Why::Retrying);
    let causes: Vec<_> = refused.filter_map(|it| draft.cause(&it.origin)).collect();
    for cause in causes {
        draft.look_at(&cause.job_name(&draft.snapshot.schedule));
    }
}

/// The newest of the late slots starts: they go into it.
pub(super) fn give_way(draft: &mut Draft<'_>, into: Slot) {
    for pending in all(draft) {
        draft.give_up(&pending);
        draft.settle_one(&pending.origin, Outcome::Coalesced, Reason::CatchUpLatest, Some(into));
    }
}

/// Another slot came due. Answers whether that leaves it nothing to do.
pub(super) fn join(draft: &mut Draft<'_>, spec: &ScheduleSpec, slot: Slot) -> bool {
    let refused = all(draft);
    let Some(oldest) = refused.first() else { return false };
    match spec.catch_up_policy() {
        CatchUpPolicy::Latest | CatchUpPolicy::None => {
            give_way(draft, slot);
            false
        }
        CatchUpPolicy::Earliest => {
            draft.settle_one(&Origin::of_slot(slot), Outcome::Coalesced, Reason::CatchUpEarliest, oldest.origin.slot());
            true
        }
        CatchUpPolicy::All => {
            if refused.len() >= spec.catch_up_limit() || !queue::is_below_cap(draft) {
                draft.give_up(oldest);
                draft.settle_one(&oldest.origin, Outcome::SkippedLate, Reason::CatchUpLimit, None);
            }
            draft.put_in_line(Pending { origin: Origin::of_slot(slot), ..oldest.clone() });
            true
        }
    }
}

/// All slots among them, oldest first.
fn all(draft: &Draft<'_>) -> Vec<Pending> {
    let policy = draft.snapshot.readable_spec().map(ScheduleSpec::concurrency_policy);
    if policy == Some(ConcurrencyPolicy::Queue) {
        return Vec::new();
    }
    draft
        .plan
        .memory
        .pending
        .iter()
        .filter(|it| it.why == Why::Retrying && it.origin.slot().is_some())
        .cloned()
        .collect()
}
