//! Every so much elapsed time, whatever the clocks on the wall do.

use super::error::{TriggerError, quote};
use super::{Search, Slot, instants};
use crate::api::{Duration, spec};

/// Slots at `first`, and then every `every` seconds.
#[derive(Clone, Debug)]
pub(super) struct Interval {
    first: i64,
    /// At least 1.
    every: i64,
    /// The greatest common divisor of `every` and a day, and how often `every` is to be taken to
    /// get it, but for whole days.
    day: (i128, i128),
}

impl Interval {
    fn new(first: i64, every: i64) -> Self {
        Self { first, every, day: extended_gcd(i128::from(every), 86_400) }
    }

    /// An interval without a start of its own: the first slot is one interval after creation.
    pub(super) fn after_creation(every_seconds: i64, creation: Slot) -> Self {
        let every = every_seconds.max(1);
        let creation = creation.clamp(Slot::FIRST, Slot::LAST);
        Self::new(creation.plus_seconds(every).unix_seconds(), every)
    }

    pub(super) fn parse(spec: &spec::Interval, creation: Slot) -> Result<Self, TriggerError> {
        let every = parse_every(&spec.every)?;
        let Some(start_time) = &spec.start_time else {
            return Ok(Self::after_creation(every, creation));
        };
        let first = instants::parse_instant("spec.trigger.interval.startTime", start_time)?;
        Ok(Self::new(first.unix_seconds(), every))
    }

    pub(super) const fn first(&self) -> i64 {
        self.first
    }

    pub(super) const fn every(&self) -> i64 {
        self.every
    }

    /// The slots that two intervals have in common; none if they never meet within the calendar.
    pub(super) fn and(&self, other: &Self) -> Option<Self> {
        let (every, others_every) = (i128::from(self.every), i128::from(other.every));
        let (divisor, inverse) = extended_gcd(every, others_every);
        let distance = i128::from(other.first) - i128::from(self.first);
        if distance % divisor != 0 {
            return None;
        }
        let common = every / divisor * others_every;
        let steps = (distance / divisor * inverse).rem_euclid(others_every / divisor);
        let meeting = i128::from(self.first) + steps * every;
        let from = i128::from(self.first.max(other.first));
        let first = meeting + (from - meeting).max(0).div_euclid(common) * common;
        let first = if first < from { first + common } else { first };
        let first = i64::try_from(first).ok().filter(|it| Slot(*it) <= Slot::LAST)?;
        Some(Self::new(first, i64::try_from(common).unwrap_or(i64::MAX)))
    }

    /// The first slot at or after an instant that is this many seconds after the start of a UTC
    /// day. Nothing that costs much is left to do for many of them.
    pub(super) fn next_at_second_of_day(&self, second: i64, from: Slot) -> Option<Slot> {
        let from = from.unix_seconds().max(self.first);
        let (first, every) = self.at_second_of_day(second)?;
        let steps = (i128::from(from) - first).max(0);
        let found = first + (steps + every - 1) / every * every;
        i64::try_from(found).ok().map(Slot).filter(|it| *it <= Slot::LAST)
    }

    /// As [`Self::next_at_second_of_day`], backwards.
    pub(super) fn prev_at_second_of_day(&self, second: i64, through: Slot) -> Option<Slot> {
        let (first, every) = self.at_second_of_day(second)?;
        let steps = i128::from(through.unix_seconds()) - first;
        let found = first + steps.div_euclid(every) * every;
        i64::try_from(found).ok().filter(|it| *it >= self.first).map(Slot)
    }

    /// The first slot with this time of day, and the distance from one to the next.
    fn at_second_of_day(&self, second: i64) -> Option<(i128, i128)> {
        const DAY: i128 = 86_400;
        let (divisor, inverse) = self.day;
        let distance = i128::from(second - self.first.rem_euclid(86_400));
        if distance % divisor != 0 {
            return None;
        }
        let steps = (distance / divisor * inverse).rem_euclid(DAY / divisor);
        let every = i128::from(self.every);
        Some((i128::from(self.first) + steps * every, every / divisor * DAY))
    }

    pub(super) fn next(&self, after: Slot) -> Search {
        let next = self.index_after(after).checked_mul(self.every).and_then(|it| self.first.checked_add(it));
        next.map(Slot).filter(|it| *it <= Slot::LAST).into()
    }

    pub(super) fn prev(&self, before: Slot) -> Search {
        // Slots end with the calendar, also for those who ask from beyond it.
        let through = before.min(Slot::LAST.plus_seconds(1)).plus_seconds(-1);
        let slots_through = self.index_after(through);
        (slots_through > 0).then(|| Slot(self.first + (slots_through - 1) * self.every)).into()
    }

    pub(super) fn count(&self, after: Slot, through: Slot) -> u64 {
        let through = through.min(Slot::LAST);
        u64::try_from(self.index_after(through) - self.index_after(after)).unwrap_or(0)
    }

    /// Which slot, counted from 0, is the first one after an instant.
    fn index_after(&self, after: Slot) -> i64 {
        // Within the calendar no difference of two instants overflows.
        let after = after.clamp(Slot::FIRST.plus_seconds(-1), Slot::LAST).unix_seconds();
        if after < self.first { 0 } else { (after - self.first) / self.every + 1 }
    }
}

/// The greatest common divisor of two numbers above 0, and how often the first one is to be taken
/// to get it, but for multiples of the second.
fn extended_gcd(first: i128, second: i128) -> (i128, i128) {
    let (mut old, mut new) = ((first, 1), (second, 0));
    while new.0 != 0 {
        let quotient = old.0 / new.0;
        (old, new) = (new, (old.0 - quotient * new.0, old.1 - quotient * new.1));
    }
    old
}

fn parse_every(text: &str) -> Result<i64, TriggerError> {
    const PATH: &str = "spec.trigger.interval.every";
    const EXPECTED: &str = "expected hours, minutes and seconds in this order, such as 90s, 15m or 1h30m";
    if text.is_empty() {
        return Err(TriggerError::invalid(PATH, format!("is empty; {EXPECTED}")));
    }
    let Ok(every) = text.parse::<Duration>() else {
        return Err(TriggerError::invalid(PATH, format!("is {}; {EXPECTED}", quote(text))));
    };
    if text.contains(['d', 'w']) {
        let problem = format!(
            "is {}, but an interval is elapsed time and has no days or weeks; write hours, such as 24h, \
             or use cron for the same time of day every day",
            quote(text)
        );
        return Err(TriggerError::invalid(PATH, problem));
    }
    if every.seconds() < 1 {
        return Err(TriggerError::invalid(PATH, format!("is {}; expected at least 1s", quote(text))));
    }
    Ok(every.seconds_i64())
}
