//! A trigger without what is excluded from it.

use super::exclude::Exclusions;
use super::moved::Moved;
use super::rule::{Bounded, Budget};
use super::search::DaylightSaving;
use super::zone::Zone;
use super::{Search, Slot, combine};
use crate::api::spec::OnExcluded;

/// Slots of a trigger that are not excluded, and perhaps others in their place.
#[derive(Clone, Debug)]
pub(super) struct Excluding {
    trigger: Bounded,
    exclusions: Exclusions,
    moved: Option<Moved>,
}

/// A slot of the trigger that is none because of an exclusion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    /// When it would have been.
    pub slot: Slot,
    /// The name of the exclusion.
    pub by: String,
    /// The slot that stands for it, if it was moved.
    pub moved_to: Option<Slot>,
}

/// Excluded slots in a row after which times of day are compared.
const PATIENCE: u32 = 4;

/// How long the stretches are that are searched one after the other, in seconds.
fn stretches() -> impl Iterator<Item = i64> {
    std::iter::successors(Some(40 * 86_400), |seconds: &i64| seconds.checked_mul(4))
}

impl Excluding {
    pub(super) fn new(
        trigger: Bounded,
        exclusions: Exclusions,
        on_excluded: OnExcluded,
        zone: &Zone,
        daylight_saving: DaylightSaving,
    ) -> Self {
        let moved = match on_excluded {
            OnExcluded::Drop => None,
            OnExcluded::NextDay => Some(Moved::new(zone.clone(), daylight_saving)),
        };
        Self { trigger, exclusions, moved }
    }

    pub(super) fn next(&self, mut after: Slot, budget: &Budget) -> Search {
        let Some(moved) = &self.moved else { return self.next_free(after, Slot::LAST, budget) };
        let for_moved = budget.take_half();
        for seconds in stretches() {
            let until = after.max(Slot::FIRST).plus_seconds(seconds).min(Slot::LAST);
            let free = self.next_free(after, until, budget);
            let limit = free.slot().unwrap_or(until);
            let found = combine::earlier(free, moved.next(&self.trigger, &self.exclusions, after, limit, &for_moved));
            match found {
                Search::NoneUpTo(up_to) if up_to >= until && until < Slot::LAST => after = until,
                // Slots to come move to later days only.
                found => return found,
            }
        }
        Search::NoneUpTo(after)
    }

    pub(super) fn prev(&self, mut before: Slot, budget: &Budget) -> Search {
        let Some(moved) = &self.moved else { return self.prev_free(before, Slot::FIRST, budget) };
        let for_moved = budget.take_half();
        for seconds in stretches() {
            let until = before.min(Slot::LAST).plus_seconds(-seconds).max(Slot::FIRST);
            let free = self.prev_free(before, until, budget);
            let limit = free.slot().unwrap_or(until);
            let found = combine::later(free, moved.prev(&self.trigger, &self.exclusions, before, limit, &for_moved));
            match found {
                Search::NoneUpTo(down_to) if down_to <= until && until > Slot::FIRST => before = until,
                found => return found,
            }
        }
        Search::NoneUpTo(before)
    }

    /// Slots of the trigger in a stretch of time that are excluded; at most so many.
    pub(super) fn excluded(&self, after: Slot, through: Slot, limit: usize) -> Vec<Excluded> {
        let (mut found, mut from, budget) = (Vec::new(), after.plus_seconds(1), Budget::new());
        while found.len() < limit && from <= through && budget.spend() {
            let Search::Slot(slot) = self.trigger.next(from.plus_seconds(-1), &budget) else { break };
            if slot > through {
                break;
            }
            from = match self.exclusions.covering(slot) {
                Some(name) => {
                    let moved = self.moved.as_ref().and_then(|it| it.target(&self.exclusions, slot));
                    let moved_to = moved.filter(|it| *it <= self.trigger.through);
                    found.push(Excluded { slot, by: name.to_owned(), moved_to });
                    slot.plus_seconds(1)
                }
                None => match self.exclusions.covered_from(slot) {
                    Some(covered) => covered,
                    None => break,
                },
            };
        }
        found
    }

    /// Whether it is proved that nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        let all_excluded = || self.trigger.rule.recurring().is_some_and(|it| self.exclusions.cover_all_of(it));
        self.moved.is_none() && all_excluded()
    }

    /// The first slot after an instant that is not excluded. Beyond another instant it is not
    /// looked for.
    fn next_free(&self, after: Slot, until: Slot, budget: &Budget) -> Search {
        let (mut from, mut tried, mut patience) = (after.plus_seconds(1), 0, PATIENCE);
        while budget.spend() {
            if from > until {
                return if until < Slot::LAST { Search::NoneUpTo(from.plus_seconds(-1)) } else { Search::Never };
            }
            from = match self.trigger.next(from.plus_seconds(-1), budget) {
                Search::Slot(slot) => slot,
                found => return found,
            };
            from = match self.exclusions.free_from(from, budget) {
                Search::Slot(free) if free == from => return Search::Slot(from),
                Search::Slot(free) => free,
                found => return found,
            };
            tried += 1;
            if tried >= patience {
                (tried, patience) = (0, patience * 2);
                if let Some(through) = self.exclusions.barren_through(&self.trigger.shape(from), from) {
                    (from, patience) = (through.plus_seconds(1), 1);
                }
            }
        }
        Search::NoneUpTo(from.plus_seconds(-1))
    }

    /// As [`Self::next_free`], backwards.
    fn prev_free(&self, before: Slot, until: Slot, budget: &Budget) -> Search {
        let (mut through, mut tried, mut patience) = (before.plus_seconds(-1), 0, PATIENCE);
        while budget.spend() {
            if through < until {
                return if until > Slot::FIRST { Search::NoneUpTo(through.plus_seconds(1)) } else { Search::Never };
            }
            through = match self.trigger.prev(through.plus_seconds(1), budget) {
                Search::Slot(slot) => slot,
                found => return found,
            };
            through = match self.exclusions.free_through(through, budget) {
                Search::Slot(free) if free == through => return Search::Slot(through),
                Search::Slot(free) => free,
                found => return found,
            };
            tried += 1;
            if tried >= patience {
                (tried, patience) = (0, patience * 2);
                if let Some(since) = self.exclusions.barren_since(&self.trigger.shape(through), through) {
                    (through, patience) = (since.plus_seconds(-1), 1);
                }
            }
        }
        Search::NoneUpTo(through.plus_seconds(1))
    }
}
