//! Slots whose start is being refused for a reason that may pass: one group, of which the catch-up
//! policy chooses when another slot comes due.

use jiff::Timestamp;

use super::plan::Reason;
use super::{Draft, slot_of, time_of};
use crate::api::spec::{CATCH_UP_LIMIT, CatchUpPolicy, ScheduleSpec};
use crate::api::status::{Outcome, Pending, Why};
use crate::time::Slot;

/// The oldest of them.
pub(super) fn oldest(draft: &Draft<'_>) -> Option<Slot> {
    all(draft).first().map(|it| slot_of(&it.slot_time))
}

/// Since when starts have been refused.
pub(super) fn since(draft: &Draft<'_>) -> Option<Timestamp> {
    all(draft).iter().map(|it| it.since.0).min()
}

/// The newest of the late slots starts: they go into it.
pub(super) fn give_way(draft: &mut Draft<'_>, into: Slot) {
    for pending in all(draft) {
        draft.give_up(&pending);
        draft.settle_one(slot_of(&pending.slot_time), Outcome::Coalesced, Reason::CatchUpLatest, Some(into));
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
            draft.settle_one(slot, Outcome::Coalesced, Reason::CatchUpEarliest, Some(slot_of(&oldest.slot_time)));
            true
        }
        CatchUpPolicy::All => {
            if refused.len() >= CATCH_UP_LIMIT {
                draft.give_up(oldest);
                draft.settle_one(slot_of(&oldest.slot_time), Outcome::SkippedLate, Reason::CatchUpLimit, None);
            }
            draft.put_in_line(Pending { slot_time: time_of(slot), ..oldest.clone() });
            true
        }
    }
}

/// All of them, oldest first.
fn all(draft: &Draft<'_>) -> Vec<Pending> {
    draft.plan.memory.pending.iter().filter(|it| it.why == Why::Retrying).cloned().collect()
}
