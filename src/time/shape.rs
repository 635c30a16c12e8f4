//! At which times of a UTC day slots can be at all, for as long as no clock is changed.
//!
//! A search that finds nothing for a while asks for this: times of day that never agree need not
//! be tried day after day.

use super::search::DaylightSaving;
use super::sets::members;
use super::wall::Times;
use super::zone::Zone;
use super::{Interval, Slot};

/// Minutes of a day.
const MINUTES: usize = 1440;

/// A set of minutes of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MinuteSet([u64; MINUTES.div_ceil(64)]);

/// Times of a UTC day: minutes, in each of them seconds, and of those one in every so many.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) minutes: MinuteSet,
    seconds: u64,
    /// Only slots of this interval.
    interval: Option<Interval>,
    /// The first instant for which this holds.
    pub(super) since: Slot,
    /// The last one.
    pub(super) through: Slot,
}

const ALL_SECONDS: u64 = (1 << 60) - 1;
const DAY_SECONDS: u64 = 86_400;
/// Times of a day that are tried one by one.
const MOST_TRIED: usize = 2_000;

impl Shape {
    /// Any time at all, between two instants.
    pub(super) fn anything(since: Slot, through: Slot) -> Self {
        Self { minutes: MinuteSet::full(), seconds: ALL_SECONDS, interval: None, since, through }
    }

    /// Times on a clock in a zone, around an instant.
    pub(super) fn of_wall_clock(times: &Times, zone: &Zone, daylight_saving: DaylightSaving, at: Slot) -> Self {
        let steady = zone.steady_at(at);
        let mut since = steady.from;
        if daylight_saving == DaylightSaving::RunOnce && since > Slot::FIRST {
            // Times that were skipped run right at the change.
            if at == since {
                return Self::anything(at, at);
            }
            since = since.plus_seconds(1);
        }
        let anything = Self::anything(since, steady.through);
        match steady.minutes_ahead() {
            Some(ahead) => Self { minutes: MinuteSet::of(times).moved(-ahead), seconds: times.seconds, ..anything },
            None => anything,
        }
    }

    pub(super) fn of_interval(interval: &Interval) -> Self {
        let (remainder, divisor) = remainder_of_day(interval);
        let anything = Self::anything(Slot::FIRST, Slot::LAST);
        let mut shape = Self { interval: Some(interval.clone()), ..anything };
        if divisor > 60 {
            shape.minutes = MinuteSet::empty();
            for second in (remainder..DAY_SECONDS).step_by(usize::try_from(divisor).unwrap_or(1)) {
                shape.minutes.add(usize::try_from(second / 60).unwrap_or(0));
            }
        }
        shape
    }

    /// What both allow. Of two intervals only one is kept.
    pub(super) fn and(mut self, other: &Self) -> Self {
        self.minutes.keep(&other.minutes);
        self.seconds &= other.seconds;
        self.interval = self.interval.or_else(|| other.interval.clone());
        self.since = self.since.max(other.since);
        self.through = self.through.min(other.through);
        self
    }

    /// What one of them allows.
    pub(super) fn or(mut self, other: &Self) -> Self {
        self.minutes.add_all(&other.minutes);
        self.seconds |= other.seconds;
        self.interval = None;
        self.since = self.since.max(other.since);
        self.through = self.through.min(other.through);
        self
    }

    /// Whether no time of day is left.
    pub(super) fn is_empty(&self) -> bool {
        if self.seconds == 0 || self.minutes.is_empty() {
            return true;
        }
        let Some(interval) = &self.interval else { return false };
        let (remainder, divisor) = remainder_of_day(interval);
        !self.minutes.iter().any(|minute| {
            let start = minute as u64 * 60;
            // The first second from the start of the minute on that leaves the remainder.
            let first = (remainder + divisor - start % divisor) % divisor;
            (first..60).step_by(usize::try_from(divisor).unwrap_or(60)).any(|second| self.seconds & (1 << second) != 0)
        })
    }

    /// The first instant at or after one at which the interval has a slot at one of the times of
    /// day. None where there is no interval, or more times than can be tried one by one.
    pub(super) fn meeting_from(&self, from: Slot) -> Option<Slot> {
        self.meeting(|interval, second| interval.next_at_second_of_day(second, from))?.min()
    }

    /// As [`Self::meeting_from`], backwards.
    pub(super) fn meeting_through(&self, through: Slot) -> Option<Slot> {
        self.meeting(|interval, second| interval.prev_at_second_of_day(second, through))?.max()
    }

    /// How many steps of a search it costs to find out where the interval meets the times of day.
    pub(super) fn cost(&self) -> usize {
        const TIMES_A_STEP: usize = 8;
        if self.interval.is_none() { 2 } else { self.times().min(MOST_TRIED) / TIMES_A_STEP + 2 }
    }

    fn times(&self) -> usize {
        self.minutes.count() * self.seconds.count_ones() as usize
    }

    fn meeting<'a>(
        &'a self,
        find: impl Fn(&Interval, i64) -> Option<Slot> + 'a,
    ) -> Option<impl Iterator<Item = Slot> + 'a> {
        let interval = self.interval.as_ref()?;
        let all = self
            .minutes
            .iter()
            .flat_map(|minute| members(self.seconds).map(move |second| minute as i64 * 60 + i64::from(second)));
        (self.times() <= MOST_TRIED).then(|| all.filter_map(move |second| find(interval, second)))
    }
}

/// What the slots of an interval leave when divided by its greatest common divisor with a day.
fn remainder_of_day(interval: &Interval) -> (u64, u64) {
    let divisor = gcd(u64::try_from(interval.every()).unwrap_or(1), DAY_SECONDS);
    let remainder = interval.first().rem_euclid(i64::try_from(divisor).unwrap_or(1)).unsigned_abs();
    (remainder, divisor)
}

impl MinuteSet {
    pub(super) const fn empty() -> Self {
        Self([0; MINUTES.div_ceil(64)])
    }

    pub(super) fn full() -> Self {
        Self::between(0, MINUTES)
    }

    /// The minutes from one up to another, which is not among them; those there are.
    pub(super) fn between(from: usize, to: usize) -> Self {
        let below = |minute: usize| {
            let (minute, mut set) = (minute.min(MINUTES), Self::empty());
            set.0[..minute / 64].fill(u64::MAX);
            if let Some(word) = set.0.get_mut(minute / 64) {
                *word = (1 << (minute % 64)) - 1;
            }
            set
        };
        let mut set = below(to);
        set.remove(&below(from));
        set
    }

    /// The minutes in which times lie.
    pub(super) fn of(times: &Times) -> Self {
        let mut set = Self::empty();
        for hour in (0..24).filter(|hour| times.hours & (1 << hour) != 0) {
            set.add_bits(hour * 60, times.minutes);
        }
        set
    }

    pub(super) fn contains(&self, minute: usize) -> bool {
        self.0[minute / 64] & (1 << (minute % 64)) != 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(super) fn is_full(&self) -> bool {
        *self == Self::full()
    }

    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).all(|(these, those)| these & !those == 0)
    }

    pub(super) fn add(&mut self, minute: usize) {
        self.0[minute / 64] |= 1 << (minute % 64);
    }

    pub(super) fn set(&mut self, minute: usize, is_in: bool) {
        self.0[minute / 64] &= !(1 << (minute % 64));
        self.0[minute / 64] |= u64::from(is_in) << (minute % 64);
    }

    /// The first minute at or after this one that is in the set.
    pub(super) fn next_in(&self, from: usize) -> Option<usize> {
        self.iter().find(|minute| *minute >= from)
    }

    /// The last minute before this one that is in the set.
    pub(super) fn last_in(&self, before: usize) -> Option<usize> {
        (0..before).rev().find(|minute| self.contains(*minute))
    }

    pub(super) fn add_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(these, those)| *these |= those);
    }

    pub(super) fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(these, those)| *these &= those);
    }

    pub(super) fn remove(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(these, those)| *these &= !those);
    }

    /// The first minute at or after this one that is not in the set.
    pub(super) fn first_free(&self, from: usize) -> Option<usize> {
        let mut word = from / 64;
        let mut free = !*self.0.get(word)? & (u64::MAX << (from % 64));
        while free == 0 {
            word += 1;
            free = !*self.0.get(word)?;
        }
        Some(word * 64 + free.trailing_zeros() as usize).filter(|minute| *minute < MINUTES)
    }

    /// The last minute at or before this one that is not in the set.
    pub(super) fn last_free(&self, from: usize) -> Option<usize> {
        (0..=from).rev().find(|minute| !self.contains(*minute))
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(index, word)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
                word &= word - 1;
                Some(index * 64 + bit)
            })
        })
    }

    /// The same minutes so much later, those beyond the end of the day at its start.
    pub(super) fn moved(&self, minutes: i32) -> Self {
        let by = usize::try_from(minutes.rem_euclid(1440)).unwrap_or(0);
        if by == 0 {
            return self.clone();
        }
        let mut moved = Self::empty();
        for (index, word) in self.0.iter().enumerate().filter(|(_, word)| **word != 0) {
            let start = index * 64 + by;
            moved.add_bits(start % MINUTES, *word);
        }
        moved
    }

    /// Adds the minutes from a start on whose bits are set, around the end of the day.
    fn add_bits(&mut self, start: usize, bits: u64) {
        let until_end = MINUTES - start;
        let (now, wrapped) =
            if until_end >= 64 { (bits, 0) } else { (bits & ((1 << until_end) - 1), bits >> until_end) };
        let (word, shift) = (start / 64, start % 64);
        self.0[word] |= now << shift;
        if shift > 0
            && let Some(next) = self.0.get_mut(word + 1)
        {
            *next |= now >> (64 - shift);
        }
        self.0[0] |= wrapped;
    }
}

fn gcd(first: u64, second: u64) -> u64 {
    if second == 0 { first } else { gcd(second, first % second) }
}
