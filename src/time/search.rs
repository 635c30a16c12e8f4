//! At which instants a pattern of wall-clock times asks for a run in a time zone.

use std::cell::LazyCell;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use super::days::Days;
use super::shape::{MinuteSet, Shape};
use super::wall::Pattern;
use super::zone::{Gap, Zone};
use super::{Search, Slot};

/// Wall-clock times in a zone.
#[derive(Clone, Debug)]
pub(super) struct Recurring {
    pattern: Pattern,
    zone: Zone,
    daylight_saving: DaylightSaving,
}

/// What a change of the clocks does to a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DaylightSaving {
    /// Every time named on a day becomes one instant: a skipped one the end of its gap, a
    /// repeated one the first of its two.
    RunOnce,
    /// Every instant at which the clock shows a time named: none for a skipped time, two for a
    /// repeated one.
    RealTime,
}

/// Rounds after which a search gives up for now. With the zone data compiled in a handful is
/// enough; the bound is for data we have not seen.
const MAX_ROUNDS: usize = 500;

/// No two clocks are this far apart, whatever their zones: jiff admits offsets of 26 hours.
const CLOCKS_APART_SECONDS: i64 = 3 * 86_400;

impl DaylightSaving {
    /// The instant that one wall-clock time stands for, the first of two; none if the zone left its
    /// date out, or if the clock skips the time and it is gone by what the clock shows.
    pub(super) fn instant(self, zone: &Zone, time: DateTime) -> Option<Slot> {
        let shown = zone.shown(time)?;
        let is_named = match self {
            Self::RunOnce => shown.exactly || zone.has_date(time.date()),
            Self::RealTime => shown.exactly,
        };
        is_named.then_some(shown.slot)
    }
}

impl Recurring {
    pub(super) fn new(pattern: Pattern, zone: Zone, daylight_saving: DaylightSaving) -> Self {
        Self { pattern, zone, daylight_saving }
    }

    pub(super) fn boxed(pattern: Pattern, zone: &Zone, daylight_saving: DaylightSaving) -> Box<Self> {
        Box::new(Self::new(pattern, zone.clone(), daylight_saving))
    }

    pub(super) fn next(&self, after: Slot) -> Search {
        if after >= Slot::LAST {
            return Search::Never;
        }
        let after = after.max(Slot::FIRST.plus_seconds(-1));
        match self.daylight_saving {
            DaylightSaving::RunOnce => self.next_once(after),
            DaylightSaving::RealTime => self.next_in_real_time(after.plus_seconds(1)),
        }
    }

    pub(super) fn prev(&self, before: Slot) -> Search {
        if before <= Slot::FIRST {
            return Search::Never;
        }
        let through = before.min(Slot::LAST.plus_seconds(1)).plus_seconds(-1);
        match self.daylight_saving {
            DaylightSaving::RunOnce => self.prev_once(through),
            DaylightSaving::RealTime => self.prev_in_real_time(through),
        }
    }

    pub(super) fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    pub(super) fn shape(&self, at: Slot) -> Shape {
        Shape::of_wall_clock(&self.pattern.times, &self.zone, self.daylight_saving, at)
    }

    /// Whether it is proved that it never has a slot at the same time as one of others on the same
    /// clock: they name no day or no time of day in common, and no gap brings them together.
    pub(super) fn never_meets_one_of(&self, others: &[&Self]) -> bool {
        let gaps = LazyCell::new(|| self.zone.gaps());
        others.iter().filter(|other| other.zone == self.zone).any(|other| {
            let (these, those) = (&self.pattern.times, &other.pattern.times);
            let by_the_clock = [self, *other].iter().all(|it| it.daylight_saving == DaylightSaving::RealTime);
            let meet_after = |gap: &Gap| these.any_within(gap) && those.any_within(gap);
            let any_gap = |is_such: &dyn Fn(&Gap) -> bool| !by_the_clock && gaps.iter().any(is_such);
            (!these.meets(those) && !any_gap(&meet_after))
                || (Days::never_meet(&[self.days(), other.days()], &[])
                    && !any_gap(&|gap| gap.over_midnight && meet_after(gap)))
        })
    }

    pub(super) fn days(&self) -> &Days {
        &self.pattern.days
    }

    /// The minutes of a day in which a clock in a zone can show slots, if that is this trigger's
    /// zone and the date is always the one named.
    pub(super) fn minutes_in(&self, zone: &Zone) -> Option<MinuteSet> {
        if self.zone != *zone {
            return None;
        }
        let mut minutes = MinuteSet::of(&self.pattern.times);
        if self.daylight_saving == DaylightSaving::RunOnce {
            for gap in self.zone.gaps().iter().filter(|gap| self.pattern.times.any_within(gap)) {
                if gap.over_midnight {
                    return None;
                }
                let minute = i32::from(gap.end.hour()) * 60 + i32::from(gap.end.minute());
                minutes.add(usize::try_from(minute).unwrap_or(0));
            }
        }
        Some(minutes)
    }

    /// A time named becomes the first instant at which the clock shows it or a later one. Those
    /// instants are in the order of the times, so the times alone can be searched: a time is
    /// still to come exactly if it is later than all that the clock has shown.
    fn next_once(&self, after: Slot) -> Search {
        let mut shown = self.zone.latest_shown_through(after);
        for _ in 0..MAX_ROUNDS {
            let time = shown.checked_add(1.second()).ok().and_then(|from| self.pattern.at_or_after(from));
            let Some(time) = time else {
                return Search::Never;
            };
            match self.zone.shown(time) {
                Some(found) if !found.exactly && !self.zone.has_date(time.date()) => shown = end_of(time.date()),
                Some(found) if found.slot > after => return Search::Slot(found.slot),
                Some(_) => shown = time,
                None => return Search::Never,
            }
        }
        Search::NoneUpTo(after.max(as_in_utc(shown).plus_seconds(-CLOCKS_APART_SECONDS)))
    }

    /// As [`Self::next_once`], backwards.
    fn prev_once(&self, through: Slot) -> Search {
        let mut shown = Some(self.zone.latest_shown_through(through));
        for _ in 0..MAX_ROUNDS {
            let Some(time) = shown.and_then(|from| self.pattern.at_or_before(from)) else {
                return Search::Never;
            };
            shown = match self.zone.shown(time) {
                Some(found) if !found.exactly && !self.zone.has_date(time.date()) => {
                    time.date().yesterday().ok().map(end_of)
                }
                Some(found) if found.slot <= through => return Search::Slot(found.slot),
                Some(_) => time.checked_sub(1.second()).ok(),
                None => return Search::Never,
            };
        }
        let down_to = shown.map_or(Slot::FIRST, |it| as_in_utc(it).plus_seconds(CLOCKS_APART_SECONDS));
        Search::NoneUpTo(down_to.min(through))
    }

    /// Between two changes of the clocks, times and instants go together one to one.
    fn next_in_real_time(&self, mut from: Slot) -> Search {
        for _ in 0..MAX_ROUNDS {
            let steady = self.zone.steady_at(from);
            let Some(time) = self.pattern.at_or_after(self.zone.shown_at(from)) else {
                // The clock may be set back to the last times named.
                if steady.through >= from.plus_seconds(CLOCKS_APART_SECONDS).min(Slot::LAST) {
                    return Search::Never;
                }
                from = steady.through.plus_seconds(1);
                continue;
            };
            if let Some(slot) = steady.instant(time).filter(|slot| *slot <= steady.through) {
                return Search::Slot(slot);
            }
            if steady.through >= Slot::LAST {
                return Search::Never;
            }
            let change = steady.through.plus_seconds(1);
            // A change less than this away may show times again from before the search began;
            // after that, nothing is named until the clock comes near the time found.
            let is_far = change >= from.plus_seconds(CLOCKS_APART_SECONDS);
            let near = as_in_utc(time).plus_seconds(-CLOCKS_APART_SECONDS);
            from = if is_far { change.max(near) } else { change };
        }
        Search::NoneUpTo(from.plus_seconds(-1))
    }

    /// As [`Self::next_in_real_time`], backwards.
    fn prev_in_real_time(&self, mut through: Slot) -> Search {
        for _ in 0..MAX_ROUNDS {
            let steady = self.zone.steady_at(through);
            let Some(time) = self.pattern.at_or_before(self.zone.shown_at(through)) else {
                // The clock may have been set back from the first times named.
                if steady.from <= through.plus_seconds(-CLOCKS_APART_SECONDS).max(Slot::FIRST) {
                    return Search::Never;
                }
                through = steady.from.plus_seconds(-1);
                continue;
            };
            if let Some(slot) = steady.instant(time).filter(|slot| *slot >= steady.from) {
                return Search::Slot(slot);
            }
            if steady.from <= Slot::FIRST {
                return Search::Never;
            }
            let before_change = steady.from.plus_seconds(-1);
            let is_far = before_change <= through.plus_seconds(-CLOCKS_APART_SECONDS);
            let near = as_in_utc(time).plus_seconds(CLOCKS_APART_SECONDS);
            through = if is_far { before_change.min(near) } else { before_change };
        }
        Search::NoneUpTo(through.plus_seconds(1))
    }
}

fn end_of(date: Date) -> DateTime {
    date.to_datetime(Time::MAX).with().subsec_nanosecond(0).build().unwrap_or(date.to_datetime(Time::MAX))
}

/// The instant at which a clock in UTC shows a time; an instant far from it in no zone.
fn as_in_utc(time: DateTime) -> Slot {
    TimeZone::UTC.to_timestamp(time).map_or(Slot::FIRST, Slot::floor)
}
