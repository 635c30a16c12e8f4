//! The one choice over a window that holds late slots.

use super::dropped::{Dropped, drop_range};
use super::window::Window;
use crate::api::spec::{CatchUpPolicy, ScheduleSpec};
use crate::api::status::Origin;
use crate::decide::plan::Reason;
use crate::decide::{Draft, overlap, queue, refused};
use crate::time::Slot;

/// It is recorded before it is acted on: the chosen become pending, and start with the next
/// decision. Answers how many they are.
pub(super) fn choose(draft: &mut Draft<'_>, spec: &ScheduleSpec, window: &Window<'_>, after: Slot) -> u64 {
    let policy = if window.any_in_pause(after) { spec.catch_up_policy_after_pause() } else { spec.catch_up_policy() };
    let chosen = match policy {
        CatchUpPolicy::Latest => latest(draft, window, after),
        CatchUpPolicy::Earliest => earliest(draft, window, after),
        CatchUpPolicy::All => all(draft, spec, window, after),
        CatchUpPolicy::None => none(draft, window, after),
    };
    let line_up = |slot: &Slot| overlap::line_up(draft, spec, &Origin::of_slot(*slot), policy);
    chosen.iter().copied().filter(line_up).count() as u64
}

/// The newest starts. Slots older than one that has a Job already went into that one.
fn latest(draft: &mut Draft<'_>, window: &Window<'_>, mut after: Slot) -> Vec<Slot> {
    if let Some(newest_started) = window.started.iter().copied().max().filter(|it| *it > after) {
        let dropped = Dropped::coalesced(Reason::CatchUpLatest, newest_started);
        drop_range(draft, window, (after, newest_started), &dropped, &[]);
        after = newest_started;
    }
    let chosen = window.newest(after, 1);
    if let Some(slot) = chosen.first() {
        refused::give_way(draft, *slot);
        let dropped = Dropped::coalesced(Reason::CatchUpLatest, *slot);
        drop_range(draft, window, (after, slot.plus_seconds(-1)), &dropped, &[]);
    }
    chosen
}

/// The oldest starts, which may be one that has been waiting because its start was refused.
fn earliest(draft: &mut Draft<'_>, window: &Window<'_>, after: Slot) -> Vec<Slot> {
    if let Some(refused) = refused::oldest(draft) {
        drop_range(draft, window, (after, window.through), &Dropped::coalesced(Reason::CatchUpEarliest, refused), &[]);
        return Vec::new();
    }
    let mut chosen = window.first(after);
    while let Some(slot) = chosen.filter(|slot| window.started.contains(slot)) {
        chosen = window.first(slot);
    }
    let Some(slot) = chosen else { return Vec::new() };
    drop_range(draft, window, (slot, window.through), &Dropped::coalesced(Reason::CatchUpEarliest, slot), &[]);
    vec![slot]
}

/// The newest start in their order, as many as the line has room for.
fn all(draft: &mut Draft<'_>, spec: &ScheduleSpec, window: &Window<'_>, after: Slot) -> Vec<Slot> {
    let room = spec.catch_up_limit().saturating_sub(queue::in_the_line(draft));
    let chosen = window.newest(after, room);
    let until = chosen.first().map_or(window.through, |slot| slot.plus_seconds(-1));
    drop_range(draft, window, (after, until), &Dropped::skipped(Reason::CatchUpLimit), &[]);
    chosen
}

/// Those that are not late start.
fn none(draft: &mut Draft<'_>, window: &Window<'_>, after: Slot) -> Vec<Slot> {
    let chosen = window.on_time(after);
    if let Some(slot) = chosen.last() {
        refused::give_way(draft, *slot);
    }
    drop_range(draft, window, (after, window.through), &Dropped::skipped(Reason::CatchUpNone), &chosen);
    chosen
}
