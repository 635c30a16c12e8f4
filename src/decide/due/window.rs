//! The slots above the mark whose planned start has come.

use crate::decide::pause::Standing;
use crate::decide::planned::PlannedStarts;
use crate::decide::snapshot::Accepted;
use crate::decide::{Draft, later};
use crate::time::{Search, Slot, Trigger};

use jiff::Timestamp;

/// Counts of slots past this are a lower bound.
const COUNT_CAP: u64 = 1000;
/// A slot is late at the latest after this many seconds.
const LATE_AT_MOST_SECONDS: i64 = 60;
/// A slot is never late before this many seconds.
const LATE_AT_LEAST_SECONDS: i64 = 5;
/// More slots than this in one window are late without looking at each.
const LISTED: usize = 1000;

pub(super) struct Window<'a> {
    pub trigger: &'a Trigger,
    pub planned: PlannedStarts<'a>,
    pub after: Slot,
    pub through: Slot,
    now: Timestamp,
    /// Slots in it that have a Job already, which status did not account for.
    pub started: Vec<Slot>,
    /// Slots after the first of these and up to the second fell into a pause that has ended.
    pub pause: Option<(Slot, Slot)>,
}

impl<'a> Window<'a> {
    /// While paused, only slots up to an unrecorded Job's are decided: that Job was started
    /// before the pause was seen, and the mark must account for it. So it must when a longer jitter
    /// has since put off the planned start of its slot.
    pub fn new(draft: &Draft<'a>, accepted: &'a Accepted, standing: Standing) -> Option<Self> {
        let planned = PlannedStarts::new(accepted, &draft.snapshot.schedule);
        let after = draft.mark();
        let started: Vec<Slot> =
            draft.plan.adopted.iter().filter_map(|it| it.origin.slot()).filter(|slot| *slot > after).collect();
        let newest_started = started.iter().max().copied();
        let through = match standing {
            Standing::Paused => newest_started?,
            Standing::Running | Standing::Resumed { .. } => {
                let due = planned.slots_through(Slot::floor(draft.now()));
                newest_started.map_or(due, |slot| slot.max(due))
            }
        };
        let before = |end: Slot| planned.slots_through(end.plus_seconds(-1));
        let pause = match standing {
            Standing::Resumed { since, until } => Some((before(since), before(until))),
            Standing::Running | Standing::Paused => None,
        };
        Some(Self { trigger: &accepted.trigger, planned, after, through, now: draft.now(), started, pause })
    }

    pub fn is_empty(&self) -> bool {
        self.after >= self.through || (self.started.is_empty() && self.first(self.after).is_none())
    }

    /// The first slot after an instant, within the window.
    pub fn first(&self, after: Slot) -> Option<Slot> {
        self.trigger.between(after, self.through, 1).first().copied()
    }

    /// The slots after an instant that have no Job, oldest first, when they are few enough to list.
    pub fn list(&self, after: Slot) -> Option<Vec<Slot>> {
        let mut slots = self.trigger.between(after, self.through, LISTED + 1);
        let are_few = slots.len() <= LISTED;
        slots.retain(|slot| !self.started.contains(slot));
        are_few.then_some(slots)
    }

    /// The newest slots after an instant that have no Job, oldest first.
    pub fn newest(&self, after: Slot, limit: usize) -> Vec<Slot> {
        self.trigger.latest(after, self.through, limit, |slot| self.started.contains(&slot))
    }

    /// The slots after an instant that are not late: planned starts are seconds apart, so they are few.
    pub fn on_time(&self, after: Slot) -> Vec<Slot> {
        let newest = self.newest(after, LATE_AT_MOST_SECONDS as usize);
        newest.into_iter().filter(|slot| !self.is_late(*slot)).collect()
    }

    pub fn any_late(&self, after: Slot) -> bool {
        self.list(after).is_none_or(|slots| slots.iter().any(|slot| self.is_late(*slot)))
    }

    /// Late: undecided for longer than the distance to the following slot (at least 5 s, at most
    /// 60 s), or in a pause.
    fn is_late(&self, slot: Slot) -> bool {
        if self.pause.is_some_and(|(before, last)| before < slot && slot <= last) {
            return true;
        }
        let distance = match self.trigger.next(slot) {
            Search::Slot(next) => next.unix_seconds().saturating_sub(slot.unix_seconds()),
            Search::NoneUpTo(_) | Search::Never => LATE_AT_MOST_SECONDS,
        };
        let grace = distance.clamp(LATE_AT_LEAST_SECONDS, LATE_AT_MOST_SECONDS);
        self.now >= later(self.planned.of(slot).timestamp(), grace)
    }

    /// Whether a slot after an instant fell into a pause.
    pub fn any_in_pause(&self, after: Slot) -> bool {
        self.pause.is_some_and(|(before, last)| {
            let has_job = |slot| self.started.contains(&slot);
            !self.trigger.latest(after.max(before), last.min(self.through), 1, has_job).is_empty()
        })
    }

    /// How many slots of a range have no Job.
    pub fn count(&self, after: Slot, through: Slot) -> u64 {
        let started = self.started.iter().filter(|slot| after < **slot && **slot <= through).count();
        self.trigger.count(after, through, COUNT_CAP).saturating_sub(started as u64)
    }
}
