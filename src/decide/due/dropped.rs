//! Slots of a window that do not start, settled as ranges.

use super::window::Window;
use crate::api::status::Outcome;
use crate::decide::Draft;
use crate::decide::plan::{Reason, Settled};
use crate::time::Slot;

/// Why the slots of a range do not start.
pub(super) struct Dropped {
    reason: Reason,
    fixed: Option<Outcome>,
    into: Option<Slot>,
}

impl Dropped {
    pub fn deadline() -> Self {
        Self { reason: Reason::StartingDeadline, fixed: Some(Outcome::MissedDeadline), into: None }
    }

    pub fn beyond_max_runs() -> Self {
        Self { reason: Reason::MaxRunsReached, fixed: Some(Outcome::Superseded), into: None }
    }

    pub fn coalesced(reason: Reason, into: Slot) -> Self {
        Self { reason, fixed: Some(Outcome::Coalesced), into: Some(into) }
    }

    /// The outcome tells whether a slot fell into a pause.
    pub fn skipped(reason: Reason) -> Self {
        Self { reason, fixed: None, into: None }
    }
}

/// Settles the slots of a range, but for those that have a Job and those to be spared.
pub(super) fn drop_range(
    draft: &mut Draft<'_>,
    window: &Window<'_>,
    (after, through): (Slot, Slot),
    dropped: &Dropped,
    spared: &[Slot],
) {
    let mut kept: Vec<Slot> =
        window.started.iter().chain(spared).copied().filter(|it| after < *it && *it <= through).collect();
    kept.sort_unstable();
    let mut from = after;
    for slot in kept {
        drop_gap(draft, window, (from, slot.plus_seconds(-1)), dropped);
        from = slot;
    }
    drop_gap(draft, window, (from, through), dropped);
}

fn drop_gap(draft: &mut Draft<'_>, window: &Window<'_>, (after, through): (Slot, Slot), dropped: &Dropped) {
    if let Some(outcome) = &dropped.fixed {
        settle_range(draft, window, (after, through), outcome.clone(), dropped);
        return;
    }
    let within = |slot: Slot| slot.clamp(after, through.max(after));
    let (before, last) = window.pause.map_or((through, through), |(before, last)| (within(before), within(last)));
    settle_range(draft, window, (after, before), Outcome::SkippedLate, dropped);
    settle_range(draft, window, (before, last), Outcome::SkippedPaused, dropped);
    settle_range(draft, window, (last, through), Outcome::SkippedLate, dropped);
}

fn settle_range(
    draft: &mut Draft<'_>,
    window: &Window<'_>,
    (after, through): (Slot, Slot),
    outcome: Outcome,
    dropped: &Dropped,
) {
    let count = window.count(after, through);
    let first = window.trigger.between(after, through, 1).first().copied();
    let last = window.trigger.latest(after, through, 1, |_| false).first().copied();
    let (Some(first), Some(last)) = (first, last) else { return };
    if count > 0 {
        draft.settle(Settled { first, last, count: Some(count), outcome, reason: dropped.reason, into: dropped.into });
    }
}
