//! Excluded slots that move to the next free day.

use std::collections::HashMap;

use jiff::ToSpan;
use jiff::civil::Date;

use super::exclude::{Exclusions, at_minute, minute_of};
use super::rule::{Bounded, Budget};
use super::search::DaylightSaving;
use super::shape::MinuteSet;
use super::zone::Zone;
use super::{Search, Slot};

/// How far a slot moves at most.
const MAX_DAYS: i32 = 31;
const DAY_MINUTES: usize = 1440;

/// How excluded slots move.
#[derive(Clone, Debug)]
pub(super) struct Moved {
    zone: Zone,
    daylight_saving: DaylightSaving,
}

/// What is excluded on dates that were looked at.
struct Calendar<'a> {
    exclusions: &'a Exclusions,
    known: HashMap<Date, (MinuteSet, MinuteSet)>,
}

impl Moved {
    pub(super) fn new(zone: Zone, daylight_saving: DaylightSaving) -> Self {
        Self { zone, daylight_saving }
    }

    /// Where an excluded slot moves: to the same time on the next day on which that is free.
    pub(super) fn target(&self, exclusions: &Exclusions, slot: Slot) -> Option<Slot> {
        let shown = self.zone.shown_at(slot);
        let days = (1..=MAX_DAYS).map_while(|days| shown.checked_add(days.days()).ok());
        let mut slots = days.filter_map(|time| {
            let found = self.zone.shown(time)?;
            let is_named = match self.daylight_saving {
                DaylightSaving::RunOnce => found.exactly || self.zone.has_date(time.date()),
                DaylightSaving::RealTime => found.exactly,
            };
            is_named.then_some(found.slot)
        });
        slots.find(|slot| !exclusions.covers(*slot)).filter(|slot| *slot <= Slot::LAST)
    }

    /// The first slot after an instant and up to another to which an excluded one moves.
    pub(super) fn next(
        &self,
        trigger: &Bounded,
        exclusions: &Exclusions,
        after: Slot,
        limit: Slot,
        budget: &Budget,
    ) -> Search {
        let limit = limit.min(trigger.through);
        let after = after.max(Slot::FIRST);
        let start = self.zone.latest_shown_through(after);
        let mut calendar = Calendar { exclusions, known: HashMap::new() };
        let mut date = start.date();
        loop {
            let earliest = date.checked_sub(MAX_DAYS.days()).unwrap_or(Date::MIN);
            if self.zone.start_of(date) > limit || !exclusions.any_from(earliest) {
                return Search::Never;
            }
            if !budget.spend() {
                return Search::NoneUpTo(self.zone.start_of(date).plus_seconds(-1).max(after));
            }
            // Nothing moves to a day before which there is nothing to move.
            match trigger.next(self.zone.start_of(earliest).plus_seconds(-1), budget) {
                Search::Slot(slot) => {
                    let next = self.zone.shown_at(slot).date().tomorrow();
                    date = next.map_or(date, |next| date.max(next));
                }
                Search::NoneUpTo(up_to) => return Search::NoneUpTo(up_to.max(after)),
                Search::Never => return Search::Never,
            }
            let from_minute = if date == start.date() { minute_of(start) } else { 0 };
            match self.first_on(date, trigger, &mut calendar, (after, from_minute), budget) {
                Search::Never => {}
                found => return found,
            }
            let Ok(next) = date.tomorrow() else { return Search::Never };
            date = next;
        }
    }

    /// The first slot of a day, later than an instant, to which one of the days before moves.
    fn first_on(
        &self,
        date: Date,
        trigger: &Bounded,
        calendar: &mut Calendar<'_>,
        (after, from_minute): (Slot, usize),
        budget: &Budget,
    ) -> Search {
        let mut free = calendar.free_on(date);
        (0..from_minute).for_each(|minute| free.remove_one(minute));
        let origins = calendar.origins(date, free);
        let mut first = Search::Never;
        let Some(mut from) = origins.last().map(|(origin, _)| self.zone.start_of(*origin)) else { return first };
        let out_of_budget = Search::NoneUpTo(self.zone.start_of(date).plus_seconds(-1).max(after));
        while budget.spend() {
            let slot = match trigger.next(from.plus_seconds(-1), budget) {
                Search::Slot(slot) => slot,
                Search::NoneUpTo(_) => return out_of_budget,
                Search::Never => return first,
            };
            let shown = self.zone.shown_at(slot);
            let Some((origin, open)) = origins.iter().find(|(origin, _)| *origin == shown.date()) else {
                if shown.date() >= date {
                    return first;
                }
                from = slot.plus_seconds(1);
                continue;
            };
            let minute = minute_of(shown);
            if !open.contains(minute) {
                // On to the next minute that counts, or to the next change of the clocks.
                let steady = self.zone.steady_at(slot);
                let next = open.next_in(minute + 1).and_then(|it| steady.instant(at_minute(*origin, it)));
                let next = next.unwrap_or_else(|| self.end_of(*origin)).min(steady.through.plus_seconds(1));
                from = next.max(slot.plus_seconds(1));
                continue;
            }
            let target = self.target_on(calendar.exclusions, slot, date, trigger.through).filter(|it| *it > after);
            from = match target {
                Some(target) => {
                    first = super::combine::earlier(first, Search::Slot(target));
                    self.end_of(*origin).max(slot.plus_seconds(1))
                }
                None => slot.plus_seconds(1),
            };
        }
        out_of_budget
    }

    /// Where a slot moves, if it is excluded and moves to this date.
    fn target_on(&self, exclusions: &Exclusions, slot: Slot, date: Date, through: Slot) -> Option<Slot> {
        let target = self.target(exclusions, slot).filter(|_| exclusions.covers(slot))?;
        let days = (date - self.zone.shown_at(slot).date()).get_days();
        (target <= through && self.moves_by(slot, target, days)).then_some(target)
    }

    /// Whether a slot moves by exactly so many days.
    fn moves_by(&self, slot: Slot, target: Slot, days: i32) -> bool {
        let time = self.zone.shown_at(slot).checked_add(days.days());
        time.is_ok_and(|time| self.zone.first_shown(time) == Some(target))
    }

    /// As [`Self::next`], backwards.
    pub(super) fn prev(
        &self,
        trigger: &Bounded,
        exclusions: &Exclusions,
        before: Slot,
        limit: Slot,
        budget: &Budget,
    ) -> Search {
        let before = before.min(trigger.through.plus_seconds(1)).min(Slot::LAST);
        let start = self.zone.latest_shown_through(before);
        let mut calendar = Calendar { exclusions, known: HashMap::new() };
        let mut date = start.date();
        loop {
            let Some(latest) = date.yesterday().ok().filter(|_| self.end_of(date) >= limit) else {
                return Search::Never;
            };
            if !exclusions.any_through(latest) {
                return Search::Never;
            }
            if !budget.spend() {
                return Search::NoneUpTo(self.end_of(date).plus_seconds(1).min(before));
            }
            match trigger.prev(self.zone.start_of(date), budget) {
                Search::Slot(slot) => {
                    let last = self.zone.shown_at(slot).date().checked_add(MAX_DAYS.days());
                    date = last.map_or(date, |last| date.min(last));
                }
                Search::NoneUpTo(down_to) => {
                    // What lies further back may move this far.
                    let reach = down_to.plus_seconds(i64::from(MAX_DAYS + 1) * 86_400);
                    return Search::NoneUpTo(reach.min(before));
                }
                Search::Never => return Search::Never,
            }
            match self.last_on(date, trigger, &mut calendar, before, budget) {
                Search::Never => {}
                found => return found,
            }
            let Ok(previous) = date.yesterday() else { return Search::Never };
            date = previous;
        }
    }

    /// The last slot of a day, earlier than an instant, to which one of the days before moves.
    fn last_on(
        &self,
        date: Date,
        trigger: &Bounded,
        calendar: &mut Calendar<'_>,
        before: Slot,
        budget: &Budget,
    ) -> Search {
        let mut free = calendar.free_on(date);
        let latest = self.zone.latest_shown_through(before);
        if latest.date() == date {
            (minute_of(latest) + 1..DAY_MINUTES).for_each(|minute| free.remove_one(minute));
        }
        let origins = calendar.origins(date, free);
        let mut last = Search::Never;
        let mut until = self.zone.start_of(date);
        let out_of_budget = Search::NoneUpTo(self.end_of(date).min(before));
        while budget.spend() {
            let slot = match trigger.prev(until, budget) {
                Search::Slot(slot) => slot,
                Search::NoneUpTo(_) => return out_of_budget,
                Search::Never => return last,
            };
            let shown = self.zone.shown_at(slot);
            let Some((origin, open)) = origins.iter().find(|(origin, _)| *origin == shown.date()) else {
                if origins.last().is_none_or(|(origin, _)| shown.date() < *origin) {
                    return last;
                }
                until = slot;
                continue;
            };
            let minute = minute_of(shown);
            if !open.contains(minute) {
                // Back to the minute before that counts, or to the last change of the clocks.
                let steady = self.zone.steady_at(slot);
                let end = open.last_in(minute).and_then(|it| steady.instant(at_minute(*origin, it)));
                let end = end.map_or_else(|| self.zone.start_of(*origin), |it| it.plus_seconds(60));
                until = end.max(steady.from).min(slot);
                continue;
            }
            let target = self.target_on(calendar.exclusions, slot, date, trigger.through).filter(|it| *it < before);
            until = match target {
                Some(target) => {
                    last = super::combine::later(last, Search::Slot(target));
                    self.zone.start_of(*origin).min(slot)
                }
                None => slot,
            };
        }
        out_of_budget
    }

    fn end_of(&self, date: Date) -> Slot {
        date.tomorrow().map_or(Slot::LAST, |next| self.zone.start_of(next))
    }
}

impl Calendar<'_> {
    /// Which minutes of a date are excluded in part, and which as a whole.
    fn on(&mut self, date: Date) -> &(MinuteSet, MinuteSet) {
        self.known.entry(date).or_insert_with(|| self.exclusions.on(date))
    }

    /// The days before a date from which slots may move there, the nearest first, each with the
    /// minutes at which they may: free on the date, and excluded on all days between.
    fn origins(&mut self, date: Date, free: MinuteSet) -> Vec<(Date, MinuteSet)> {
        let mut open = free;
        let days = (1..=MAX_DAYS).map_while(|days| date.checked_sub(days.days()).ok());
        let origins = days.map_while(|origin| {
            open.keep(&self.on(origin).0);
            (!open.is_empty()).then(|| (origin, open.clone()))
        });
        origins.collect()
    }

    /// The minutes of a date that are not wholly excluded.
    fn free_on(&mut self, date: Date) -> MinuteSet {
        let mut free = MinuteSet::full();
        free.remove(&self.on(date).1);
        free
    }
}
