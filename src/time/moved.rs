//! Excluded slots that move to the next free day.

use std::collections::HashMap;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime};

use super::exclude::{ExcludedOn, Exclusions, at_minute, minute_of};
use super::rule::{Bounded, Budget};
use super::search::DaylightSaving;
use super::sets::{above, at_or_below, below, bit, highest, lowest};
use super::shape::{MinuteSet, Shape};
use super::zone::Zone;
use super::{Search, Slot};

/// How far a slot moves at most.
const MAX_DAYS: i32 = 31;
/// How many steps of a search it costs to see what is excluded on a date.
const DATE_STEPS: usize = 2;
/// How many steps it costs to see where a slot moves.
const MOVE_STEPS: usize = 4;
const DAY_MINUTES: usize = 1440;
const DAY_SECONDS: i64 = 86_400;
/// Those of a minute, bits 0 to 59.
const ALL_SECONDS: u64 = (1 << 60) - 1;

/// How excluded slots move.
#[derive(Clone, Debug)]
pub(super) struct Moved {
    zone: Zone,
    daylight_saving: DaylightSaving,
}

/// A search for slots that move.
struct Arrivals<'a> {
    moved: &'a Moved,
    trigger: &'a Bounded,
    exclusions: &'a Exclusions,
    /// What is excluded on dates that were looked at.
    known: HashMap<Date, ExcludedOn>,
    /// The minutes at which the trigger may have slots on dates that were looked at.
    slots: HashMap<Date, MinuteSet>,
    /// When the trigger can have slots, for some time.
    shape: Option<Shape>,
}

/// Times of a day that slots may move from: in these minutes, and of one of them in these seconds.
struct Open<'a> {
    minutes: Option<&'a MinuteSet>,
    minute: usize,
    seconds: u64,
}

impl Moved {
    pub(super) fn new(zone: Zone, daylight_saving: DaylightSaving) -> Self {
        Self { zone, daylight_saving }
    }

    /// Where an excluded slot moves: to the same time on the next day on which that is free.
    pub(super) fn target(&self, exclusions: &Exclusions, slot: Slot) -> Option<Slot> {
        let shown = self.zone.shown_at(slot);
        let days = (1..=MAX_DAYS).map_while(|days| shown.checked_add(days.days()).ok());
        let mut slots = days.filter_map(|time| self.daylight_saving.instant(&self.zone, time));
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
        if after >= limit {
            return Search::Never;
        }
        let after = after.max(Slot::FIRST.plus_seconds(-1));
        let start = self.zone.latest_shown_through(after);
        let mut arrivals = Arrivals::new(self, trigger, exclusions);
        let (mut date, mut origin) = (start.date(), Date::MIN);
        loop {
            let earliest = date.checked_sub(MAX_DAYS.days()).unwrap_or(Date::MIN);
            if self.zone.start_of(date) > limit || !exclusions.any_from(earliest) {
                return Search::Never;
            }
            if !budget.spend_many(DATE_STEPS) {
                return Search::NoneUpTo(self.zone.start_of(date).plus_seconds(-1).max(after));
            }
            // Nothing moves to a day before which there is nothing to move.
            if origin <= earliest {
                origin = match trigger.next(self.zone.start_of(earliest).plus_seconds(-1), budget) {
                    Search::Slot(slot) => self.zone.shown_at(slot).date(),
                    Search::NoneUpTo(up_to) => return Search::NoneUpTo(up_to.max(after)),
                    Search::Never => return Search::Never,
                };
                date = origin.tomorrow().map_or(date, |next| date.max(next));
            }
            match arrivals.first_on(date, start, budget) {
                Search::Never => {}
                Search::NoneUpTo(up_to) => return Search::NoneUpTo(up_to.max(after)),
                found => return found,
            }
            let Ok(next) = date.tomorrow() else { return Search::Never };
            date = next;
        }
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
        let start = self.zone.latest_shown_through(before.plus_seconds(-1));
        let mut arrivals = Arrivals::new(self, trigger, exclusions);
        let (mut date, mut origin) = (start.date(), Date::MAX);
        loop {
            let Some(latest) = date.yesterday().ok().filter(|_| self.end_of(date) >= limit) else {
                return Search::Never;
            };
            if !exclusions.any_through(latest) {
                return Search::Never;
            }
            if !budget.spend_many(DATE_STEPS) {
                return Search::NoneUpTo(self.end_of(date).plus_seconds(1).min(before));
            }
            if origin >= date {
                origin = match trigger.prev(self.zone.start_of(date), budget) {
                    Search::Slot(slot) => self.zone.shown_at(slot).date(),
                    Search::NoneUpTo(down_to) => {
                        // What lies further back may move this far.
                        let reach = down_to.plus_seconds(i64::from(MAX_DAYS + 1) * DAY_SECONDS);
                        return Search::NoneUpTo(reach.min(before));
                    }
                    Search::Never => return Search::Never,
                };
                date = origin.checked_add(MAX_DAYS.days()).map_or(date, |last| date.min(last));
            }
            match arrivals.last_on(date, start, budget) {
                Search::Never => {}
                Search::NoneUpTo(down_to) => return Search::NoneUpTo(down_to.min(before)),
                found => return found,
            }
            let Ok(previous) = date.yesterday() else { return Search::Never };
            date = previous;
        }
    }

    fn end_of(&self, date: Date) -> Slot {
        date.tomorrow().map_or(Slot::LAST, |next| self.zone.start_of(next))
    }
}

impl<'a> Arrivals<'a> {
    fn new(moved: &'a Moved, trigger: &'a Bounded, exclusions: &'a Exclusions) -> Self {
        Self { moved, trigger, exclusions, known: HashMap::new(), slots: HashMap::new(), shape: None }
    }

    /// The first slot of a date, at a time later than another, to which one of the days before moves.
    fn first_on(&mut self, date: Date, after: DateTime, budget: &Budget) -> Search {
        let mut free = self.free_on(date);
        let bound = Some(after).filter(|it| it.date() == date);
        if let Some(after) = bound {
            free.keep(&MinuteSet::between(minute_of(after), DAY_MINUTES));
        }
        let origins = self.origins(date, free);
        let (zone, mut first) = (&self.moved.zone, Search::Never);
        let Some(mut from) = origins.last().map(|(oldest, _)| zone.start_of(*oldest)) else { return first };
        while budget.spend() {
            let slot = match self.trigger.next(from.plus_seconds(-1), budget) {
                Search::Slot(slot) => slot,
                Search::NoneUpTo(_) => break,
                Search::Never => return first,
            };
            let shown = zone.shown_at(slot);
            if shown.date() >= date {
                return first;
            }
            let mut open = self.open_at(&origins, slot, date);
            if let Some(after) = bound.filter(|it| minute_of(*it) == open.minute) {
                open.seconds &= above(after.second());
            }
            let midnight = slot.plus_seconds(-open.second_of_day(shown.second()));
            let later = match self.target_on(slot, date, &open, budget) {
                Some(target) => {
                    first = super::combine::earlier(first, Search::Slot(target));
                    midnight.plus_seconds(DAY_SECONDS)
                }
                None => midnight.plus_seconds(open.next_after(shown.second())),
            };
            // A clock that is set back shows earlier times once more.
            from = later.min(zone.steady_at(slot).through.plus_seconds(1));
        }
        Search::NoneUpTo(zone.start_of(date).plus_seconds(-1))
    }

    /// The last slot of a date, at a time up to another, to which one of the days before moves.
    fn last_on(&mut self, date: Date, through: DateTime, budget: &Budget) -> Search {
        let mut free = self.free_on(date);
        let bound = Some(through).filter(|it| it.date() == date);
        if let Some(through) = bound {
            free.keep(&MinuteSet::between(0, minute_of(through) + 1));
        }
        let origins = self.origins(date, free);
        let (zone, mut last) = (&self.moved.zone, Search::Never);
        let Some(oldest) = origins.last().map(|(oldest, _)| *oldest) else { return last };
        let mut until = zone.start_of(date);
        while budget.spend() {
            let slot = match self.trigger.prev(until, budget) {
                Search::Slot(slot) => slot,
                Search::NoneUpTo(_) => break,
                Search::Never => return last,
            };
            let shown = zone.shown_at(slot);
            if shown.date() < oldest {
                return last;
            }
            let mut open = self.open_at(&origins, slot, date);
            if let Some(through) = bound.filter(|it| minute_of(*it) == open.minute) {
                open.seconds &= at_or_below(through.second());
            }
            let midnight = slot.plus_seconds(-open.second_of_day(shown.second()));
            let earlier = match self.target_on(slot, date, &open, budget) {
                Some(target) => {
                    last = super::combine::later(last, Search::Slot(target));
                    midnight
                }
                None => midnight.plus_seconds(open.end_before(shown.second())),
            };
            until = earlier.max(zone.steady_at(slot).from);
        }
        Search::NoneUpTo(self.moved.end_of(date))
    }

    /// The times at which slots may move to a date, on the day of a slot.
    fn open_at<'o>(&mut self, origins: &'o [(Date, MinuteSet)], slot: Slot, date: Date) -> Open<'o> {
        let shown = self.moved.zone.shown_at(slot);
        let minute = minute_of(shown);
        let minutes = origins.iter().find(|(origin, _)| *origin == shown.date()).map(|(_, minutes)| minutes);
        let mut open = Open { minutes, minute, seconds: 0 };
        if minutes.is_some_and(|it| it.contains(minute)) {
            let start = slot.plus_seconds(-i64::from(shown.second()));
            open.seconds = self.seconds_open(shown.date(), start, date, minute);
        }
        open
    }

    /// The seconds of a minute, the one that starts at an instant of one day, that may move to another:
    /// excluded on that day and those between, and free on the other.
    fn seconds_open(&mut self, origin: Date, start: Slot, date: Date, minute: usize) -> u64 {
        let (mut seconds, mut day) = (ALL_SECONDS, origin);
        while day < date {
            let excluded = self.on(day);
            let is_part = excluded.part.contains(minute) && !excluded.whole.contains(minute);
            if is_part && (day > origin || self.moved.zone.first_shown(at_minute(day, minute)) == Some(start)) {
                seconds &= self.exclusions.seconds_on(day, minute).unwrap_or(ALL_SECONDS);
            }
            let Ok(next) = day.tomorrow() else { return 0 };
            day = next;
        }
        if self.on(date).part.contains(minute) {
            seconds &= !self.exclusions.seconds_on(date, minute).unwrap_or(0);
        }
        seconds
    }

    /// Where a slot moves, if its time is open, it is excluded, and it moves to this date.
    fn target_on(&self, slot: Slot, date: Date, open: &Open<'_>, budget: &Budget) -> Option<Slot> {
        let zone = &self.moved.zone;
        let shown = zone.shown_at(slot);
        if open.seconds & bit(shown.second()) == 0 || !self.exclusions.covers(slot) {
            return None;
        }
        // It goes through the days between, one by one.
        budget.spend_many(MOVE_STEPS);
        let target = self.moved.target(self.exclusions, slot).filter(|it| *it <= self.trigger.through)?;
        let time = shown.checked_add((date - shown.date()).get_days().days()).ok()?;
        (zone.first_shown(time) == Some(target)).then_some(target)
    }

    fn on(&mut self, date: Date) -> &ExcludedOn {
        self.known.entry(date).or_insert_with(|| self.exclusions.on(date, self.moved.daylight_saving))
    }

    /// The minutes of a date at which the trigger may have slots.
    fn minutes_of_slots(&mut self, date: Date) -> &MinuteSet {
        if !self.slots.contains_key(&date) {
            let minutes = self.minutes_by_shape(date).unwrap_or_else(MinuteSet::full);
            self.slots.insert(date, minutes);
        }
        &self.slots[&date]
    }

    /// The same, if the clock is not changed on that date.
    fn minutes_by_shape(&mut self, date: Date) -> Option<MinuteSet> {
        let (start, last) = (self.moved.zone.start_of(date), self.moved.end_of(date).plus_seconds(-1));
        let steady = self.moved.zone.steady_at(start);
        let holds = |shape: &Shape| shape.since <= start && last <= shape.through;
        let shape = self.shape.take().filter(holds).unwrap_or_else(|| self.trigger.shape(start));
        let shape = self.shape.insert(shape);
        let ahead = steady.minutes_ahead().filter(|_| holds(shape) && last <= steady.through)?;
        Some(shape.minutes.moved(ahead))
    }

    /// The days before a date from which slots may move there, the nearest first, each with the
    /// minutes at which they may: free on the date, and excluded on all days between.
    fn origins(&mut self, date: Date, free: MinuteSet) -> Vec<(Date, MinuteSet)> {
        let (mut open, mut origins) = (free, Vec::new());
        for origin in (1..=MAX_DAYS).map_while(|days| date.checked_sub(days.days()).ok()) {
            open.keep(&self.on(origin).part);
            if open.is_empty() {
                break;
            }
            let mut minutes = open.clone();
            minutes.keep(self.minutes_of_slots(origin));
            if !minutes.is_empty() {
                origins.push((origin, minutes));
            }
        }
        origins
    }

    /// The minutes of a date that are not wholly excluded.
    fn free_on(&mut self, date: Date) -> MinuteSet {
        let mut free = MinuteSet::full();
        free.remove(&self.on(date).whole);
        free
    }
}

impl Open<'_> {
    /// How many seconds after midnight a second of this minute is.
    fn second_of_day(&self, second: i8) -> i64 {
        seconds_of(self.minute) + i64::from(second)
    }

    /// The first second of the day after one of this minute that is open, or the end of the day.
    fn next_after(&self, second: i8) -> i64 {
        let second = lowest(self.seconds & above(second)).map(|it| self.second_of_day(it));
        let minute = || self.minutes?.next_in(self.minute + 1).map(seconds_of);
        second.or_else(minute).unwrap_or(DAY_SECONDS)
    }

    /// The end of the last second of the day before one of this minute that is open, or midnight.
    fn end_before(&self, second: i8) -> i64 {
        let second = highest(self.seconds & below(second)).map(|it| self.second_of_day(it) + 1);
        let minute = || self.minutes?.last_in(self.minute).map(|it| seconds_of(it + 1));
        second.or_else(minute).unwrap_or(0)
    }
}

fn seconds_of(minutes: usize) -> i64 {
    i64::try_from(minutes * 60).unwrap_or(DAY_SECONDS)
}
