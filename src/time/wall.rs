//! Which wall-clock times a trigger names, without asking any time zone.

use jiff::civil::{DateTime, Time};

use super::days::Days;
use super::sets::{above, at_or_above, at_or_below, below, bit, highest, lowest};
use super::zone::Gap;

/// Days, and the times named on each of them.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) days: Days,
    pub(super) times: Times,
}

/// Times of a day: all combinations of the hours, minutes and seconds. No set is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) hours: u64,
    pub(super) minutes: u64,
    pub(super) seconds: u64,
}

// === impl Pattern ===

impl Pattern {
    /// The first time named at or after this one.
    pub(super) fn at_or_after(&self, from: DateTime) -> Option<DateTime> {
        let date = self.days.at_or_after(from.date())?;
        if date > from.date() {
            return Some(date.to_datetime(self.times.first()?));
        }
        if let Some(time) = self.times.at_or_after(from.time()) {
            return Some(date.to_datetime(time));
        }
        let date = self.days.at_or_after(date.tomorrow().ok()?)?;
        Some(date.to_datetime(self.times.first()?))
    }

    /// The last time named at or before this one.
    pub(super) fn at_or_before(&self, from: DateTime) -> Option<DateTime> {
        let date = self.days.at_or_before(from.date())?;
        if date < from.date() {
            return Some(date.to_datetime(self.times.last()?));
        }
        if let Some(time) = self.times.at_or_before(from.time()) {
            return Some(date.to_datetime(time));
        }
        let date = self.days.at_or_before(date.yesterday().ok()?)?;
        Some(date.to_datetime(self.times.last()?))
    }
}

// === impl Times ===

impl Times {
    /// Whether there is a time in both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.hours & other.hours != 0 && self.minutes & other.minutes != 0 && self.seconds & other.seconds != 0
    }

    /// Whether a time is skipped by a gap, or is the end of it.
    pub(super) fn any_within(&self, gap: &Gap) -> bool {
        if gap.over_midnight {
            return self.at_or_after(gap.first).is_some() || self.at_or_before(gap.end).is_some();
        }
        self.at_or_after(gap.first).is_some_and(|time| time <= gap.end)
    }

    fn first(&self) -> Option<Time> {
        to_time(lowest(self.hours)?, lowest(self.minutes)?, lowest(self.seconds)?)
    }

    fn last(&self) -> Option<Time> {
        to_time(highest(self.hours)?, highest(self.minutes)?, highest(self.seconds)?)
    }

    fn at_or_after(&self, from: Time) -> Option<Time> {
        let (hour, minute) = (from.hour(), from.minute());
        if self.hours & bit(hour) != 0 {
            if self.minutes & bit(minute) != 0
                && let Some(second) = lowest(self.seconds & at_or_above(from.second()))
            {
                return to_time(hour, minute, second);
            }
            if let Some(minute) = lowest(self.minutes & above(minute)) {
                return to_time(hour, minute, lowest(self.seconds)?);
            }
        }
        to_time(lowest(self.hours & above(hour))?, lowest(self.minutes)?, lowest(self.seconds)?)
    }

    fn at_or_before(&self, from: Time) -> Option<Time> {
        let (hour, minute) = (from.hour(), from.minute());
        if self.hours & bit(hour) != 0 {
            if self.minutes & bit(minute) != 0
                && let Some(second) = highest(self.seconds & at_or_below(from.second()))
            {
                return to_time(hour, minute, second);
            }
            if let Some(minute) = highest(self.minutes & below(minute)) {
                return to_time(hour, minute, highest(self.seconds)?);
            }
        }
        to_time(highest(self.hours & below(hour))?, highest(self.minutes)?, highest(self.seconds)?)
    }
}

fn to_time(hour: i8, minute: i8, second: i8) -> Option<Time> {
    Time::new(hour, minute, second, 0).ok()
}
