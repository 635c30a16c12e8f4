//! Times at which nothing runs.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time};

use super::cron::{self, Cron, Spread};
use super::days::Days;
use super::error::{TriggerError, quote};
use super::instants::{parse_date, parse_instant};
use super::rule::Budget;
use super::search::{DaylightSaving, Recurring};
use super::shape::MinuteSet;
use super::wall::Pattern;
use super::zone::Zone;
use super::{Search, Slot};
use crate::api::spec;

/// As many as the resource's schema admits.
const MAX_EXCLUSIONS: usize = 50;
const MAX_DATES: usize = 366;

/// All exclusions of a trigger.
#[derive(Clone, Debug)]
pub(super) struct Exclusions {
    zone: Zone,
    spans: Vec<Span>,
    /// The same, ascending, with no two that touch.
    merged: Vec<(Slot, Slot)>,
    patterns: Vec<Minutes>,
    /// The minutes that are excluded on every day.
    always: MinuteSet,
}

/// From one instant until just before another.
#[derive(Clone, Debug)]
struct Span {
    name: String,
    from: Slot,
    to: Slot,
}

/// The minutes that a cron text matches.
#[derive(Clone, Debug)]
struct Minutes {
    name: String,
    recurring: Recurring,
    of_day: MinuteSet,
}

/// Minutes of a date: what happens to a time that is moved there.
#[derive(Clone, Debug)]
pub(super) struct ExcludedOn {
    /// Some of its seconds are excluded, or not shown.
    pub(super) part: MinuteSet,
    /// All of them are.
    pub(super) whole: MinuteSet,
}

impl ExcludedOn {
    fn set(&mut self, minute: usize, part: bool, whole: bool) {
        self.part.set(minute, part);
        self.whole.set(minute, whole);
    }
}

const DAY_SECONDS: i64 = 86_400;
const DAY_MINUTES: usize = 1440;

impl Exclusions {
    pub(super) fn parse(
        specs: &[spec::Exclusion],
        zone: &Zone,
        spread: &Spread<'_>,
    ) -> Result<Self, Vec<TriggerError>> {
        let mut all = Self {
            zone: zone.clone(),
            spans: Vec::new(),
            merged: Vec::new(),
            patterns: Vec::new(),
            always: MinuteSet::empty(),
        };
        let mut errors = Vec::new();
        if specs.len() > MAX_EXCLUSIONS {
            let problem = format!("lists {} exclusions; expected at most {MAX_EXCLUSIONS}", specs.len());
            return Err(vec![TriggerError::invalid("spec.trigger.exclude", problem)]);
        }
        for (index, spec) in specs.iter().enumerate() {
            let read = all.add(spec, spread);
            errors.extend(read.err().into_iter().flatten().map(|error| error.inside(&format!("exclude[{index}]"))));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        all.merge();
        for pattern in all.patterns.iter().filter(|it| it.recurring.pattern().days.names_every_day()) {
            all.always.add_all(&pattern.of_day);
        }
        Ok(all)
    }

    fn add(&mut self, spec: &spec::Exclusion, spread: &Spread<'_>) -> Result<(), Vec<TriggerError>> {
        let name = &spec.name;
        match (&spec.dates, &spec.from, &spec.to, &spec.cron) {
            (Some(dates), None, None, None) => self.add_dates(name, dates),
            (None, Some(from), Some(to), None) => self.add_span(name, from, to).map_err(|error| vec![error]),
            (None, None, None, Some(cron)) => self.add_cron(name, cron, spread).map_err(|error| vec![error]),
            _ => {
                let problem = "has to have exactly one of dates, from with to, and cron";
                Err(vec![TriggerError::invalid("spec.trigger", problem)])
            }
        }
    }

    fn add_dates(&mut self, name: &str, dates: &[String]) -> Result<(), Vec<TriggerError>> {
        const PATH: &str = "spec.trigger.dates";
        if dates.is_empty() || dates.len() > MAX_DATES {
            let problem = format!("lists {} dates; expected 1 to {MAX_DATES}", dates.len());
            return Err(vec![TriggerError::invalid(PATH, problem)]);
        }
        let mut errors = Vec::new();
        for (index, text) in dates.iter().enumerate() {
            match parse_date(&format!("{PATH}[{index}]"), text) {
                Ok(date) => {
                    let to = date.tomorrow().map_or(Slot::LAST, |next| self.zone.start_of(next));
                    self.spans.push(Span { name: name.to_owned(), from: self.zone.start_of(date), to });
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn add_span(&mut self, name: &str, from: &str, to: &str) -> Result<(), TriggerError> {
        let from = parse_instant("spec.trigger.from", from)?;
        let to_slot = parse_instant("spec.trigger.to", to)?;
        if to_slot <= from {
            let problem = format!("is {}, which is not after from", quote(to));
            return Err(TriggerError::invalid("spec.trigger.to", problem));
        }
        self.spans.push(Span { name: name.to_owned(), from, to: to_slot });
        Ok(())
    }

    fn add_cron(&mut self, name: &str, text: &str, spread: &Spread<'_>) -> Result<(), TriggerError> {
        const PATH: &str = "spec.trigger.cron";
        let pattern = match cron::parse(text, spread)? {
            Cron::Named { pattern, has_seconds: false, .. } => *pattern,
            Cron::Named { .. } => {
                let problem = "has a field for seconds; an exclusion takes whole minutes: five fields";
                return Err(TriggerError::invalid(PATH, problem));
            }
            Cron::Every { .. } => {
                let problem = "is @every, which names no minutes of a day; expected five fields";
                return Err(TriggerError::invalid(PATH, problem));
            }
        };
        let of_day = MinuteSet::of(&pattern.times);
        let recurring = Recurring::new(pattern, self.zone.clone(), DaylightSaving::RealTime);
        self.patterns.push(Minutes { name: name.to_owned(), recurring, of_day });
        Ok(())
    }

    fn merge(&mut self) {
        let mut spans: Vec<(Slot, Slot)> = self.spans.iter().map(|span| (span.from, span.to)).collect();
        spans.sort_unstable();
        for (from, to) in spans {
            match self.merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => self.merged.push((from, to)),
            }
        }
    }

    /// The name of an exclusion that covers an instant.
    pub(super) fn covering(&self, slot: Slot) -> Option<&str> {
        let span = self.spans.iter().find(|span| (span.from..span.to).contains(&slot)).map(|span| &*span.name);
        span.or_else(|| {
            let shown = self.zone.shown_at(slot);
            let minute = minute_of(shown);
            let pattern = self.patterns.iter().find(|it| it.of_day.contains(minute) && it.days().names(shown.date()));
            pattern.map(|it| &*it.name)
        })
    }

    pub(super) fn covers(&self, slot: Slot) -> bool {
        self.span_around(slot).is_some() || {
            let shown = self.zone.shown_at(slot);
            self.minutes_on(shown.date()).contains(minute_of(shown))
        }
    }

    /// The first instant at or after one that is not excluded.
    pub(super) fn free_from(&self, mut from: Slot, budget: &Budget) -> Search {
        while budget.spend() {
            if from > Slot::LAST {
                return Search::Never;
            }
            if let Some((_, to)) = self.span_around(from) {
                from = to;
                continue;
            }
            if self.patterns.is_empty() {
                return Search::Slot(from);
            }
            let shown = self.zone.shown_at(from);
            let minutes = self.minutes_on(shown.date());
            if !minutes.contains(minute_of(shown)) {
                return Search::Slot(from);
            }
            if self.always.is_full() {
                return Search::Never;
            }
            let free = match minutes.first_free(minute_of(shown)) {
                Some(minute) => Some(at_minute(shown.date(), minute)),
                None => shown.date().tomorrow().ok().map(|date| date.to_datetime(Time::midnight())),
            };
            let steady = self.zone.steady_at(from);
            let free = free.and_then(|time| steady.instant(time)).unwrap_or(Slot::LAST.plus_seconds(1));
            from = free.min(steady.through.plus_seconds(1));
        }
        Search::NoneUpTo(from.plus_seconds(-1))
    }

    /// The last instant at or before one that is not excluded.
    pub(super) fn free_through(&self, mut through: Slot, budget: &Budget) -> Search {
        while budget.spend() {
            if through < Slot::FIRST {
                return Search::Never;
            }
            if let Some((from, _)) = self.span_around(through) {
                through = from.plus_seconds(-1);
                continue;
            }
            if self.patterns.is_empty() {
                return Search::Slot(through);
            }
            let shown = self.zone.shown_at(through);
            let minutes = self.minutes_on(shown.date());
            if !minutes.contains(minute_of(shown)) {
                return Search::Slot(through);
            }
            if self.always.is_full() {
                return Search::Never;
            }
            let taken_from = minutes.last_free(minute_of(shown)).map_or(0, |minute| minute + 1);
            let steady = self.zone.steady_at(through);
            let taken_from = steady.instant(at_minute(shown.date(), taken_from)).unwrap_or(Slot::FIRST);
            through = taken_from.max(steady.from).plus_seconds(-1);
        }
        Search::NoneUpTo(through.plus_seconds(1))
    }

    /// The first instant at or after one that is excluded.
    pub(super) fn covered_from(&self, from: Slot) -> Option<Slot> {
        if self.covers(from) {
            return Some(from);
        }
        let passed = self.merged.partition_point(|(start, _)| *start < from);
        let span = self.merged.get(passed).map(|(start, _)| *start);
        let patterns = self.patterns.iter().filter_map(|it| it.recurring.next(from).slot());
        patterns.chain(span).min()
    }

    /// The last instant up to which a trigger has no slot that is not excluded, if its times of
    /// day are all excluded on the day of an instant, or on every day.
    pub(super) fn barren_through(&self, shape: &super::shape::Shape, at: Slot) -> Option<Slot> {
        let (steady, shown) = (self.zone.steady_at(at), self.zone.shown_at(at));
        let ahead = steady.minutes_ahead()?;
        let through = shape.through.min(steady.through);
        if shape.minutes.is_within(&self.always.moved(-ahead)) {
            return Some(through);
        }
        if !shape.minutes.is_within(&self.minutes_on(shown.date()).moved(-ahead)) {
            return None;
        }
        let end = shown.date().tomorrow().ok().and_then(|date| steady.instant(date.to_datetime(Time::midnight())));
        Some(end.map_or(through, |end| through.min(end.plus_seconds(-1))))
    }

    /// As [`Self::barren_through`], backwards.
    pub(super) fn barren_since(&self, shape: &super::shape::Shape, at: Slot) -> Option<Slot> {
        let (steady, shown) = (self.zone.steady_at(at), self.zone.shown_at(at));
        let ahead = steady.minutes_ahead()?;
        let since = shape.since.max(steady.from);
        if shape.minutes.is_within(&self.always.moved(-ahead)) {
            return Some(since);
        }
        if !shape.minutes.is_within(&self.minutes_on(shown.date()).moved(-ahead)) {
            return None;
        }
        let start = steady.instant(shown.date().to_datetime(Time::midnight()));
        Some(start.map_or(since, |start| since.max(start)))
    }

    /// Whether it is proved that every slot of a trigger is excluded.
    pub(super) fn cover_all_of(&self, trigger: &Recurring) -> bool {
        let Some(mut needed) = trigger.minutes_in(&self.zone) else { return false };
        needed.remove(&self.always);
        let covering: Vec<&Days> =
            self.patterns.iter().filter(|it| needed.is_within(&it.of_day)).map(Minutes::days).collect();
        needed.is_empty() || Days::never_meet(&[&trigger.pattern().days], &covering)
    }

    /// What of a date is excluded, for times that are taken to it from another date.
    pub(super) fn on(&self, date: Date, daylight_saving: DaylightSaving) -> ExcludedOn {
        let whole = self.minutes_on(date);
        let (mut excluded, mut shown) = (ExcludedOn { part: whole.clone(), whole }, MinuteSet::empty());
        let start = self.zone.start_of(date);
        // A clock that is set back after midnight shows the end of a date again.
        for steady in self.zone.steady_through(start, start.plus_seconds(2 * DAY_SECONDS)) {
            let since_midnight = self.zone.shown_at(steady.from).duration_since(date.to_datetime(Time::midnight()));
            let midnight = steady.from.plus_seconds(-since_midnight.as_secs());
            let until = steady.through.plus_seconds(1).min(midnight.plus_seconds(DAY_SECONDS));
            let from = steady.from.max(midnight);
            let minutes = |from: Slot, to: Slot, round_from: i64, round_to: i64| {
                let second = |slot: Slot| slot.unix_seconds() - midnight.unix_seconds();
                let minute = |slot: Slot, round: i64| usize::try_from((second(slot) + round) / 60).unwrap_or(0);
                MinuteSet::between(minute(from, round_from), minute(to, round_to))
            };
            for (first, end) in self.spans_within(from, until) {
                excluded.part.add_all(&minutes(first, end, 0, 59));
                let mut whole = minutes(first, end, 59, 0);
                whole.remove(&shown);
                excluded.whole.add_all(&whole);
            }
            shown.add_all(&minutes(from, until, 59, 0));
        }
        let mut skipped = MinuteSet::full();
        skipped.remove(&shown);
        if !skipped.is_empty() && !self.zone.has_date(date) {
            return ExcludedOn { part: MinuteSet::full(), whole: MinuteSet::full() };
        }
        let mut from = 0;
        while let Some(first) = skipped.next_in(from) {
            from = skipped.first_free(first).unwrap_or(DAY_MINUTES);
            let (part, whole) = self.instead_of(date, first, from - 1, daylight_saving);
            (first..from).for_each(|minute| excluded.set(minute, part, whole));
        }
        excluded
    }

    /// Whether the instant that stands for some minutes in a row, which the clock skips or does not
    /// show as a whole, is excluded: in part, and wholly.
    fn instead_of(&self, date: Date, first: usize, last: usize, daylight_saving: DaylightSaving) -> (bool, bool) {
        let ends = [at_minute(date, first), at_minute(date, last).saturating_add(59.seconds())];
        match ends.map(|time| daylight_saving.instant(&self.zone, time)) {
            [None, None] => (true, true),
            [Some(first), Some(last)] if first == last => (self.covers(first), self.covers(first)),
            _ => (true, false),
        }
    }

    /// The seconds of a minute that are excluded, bit n for second n; None if they are not to be told
    /// by themselves, because a clock is changed.
    pub(super) fn seconds_on(&self, date: Date, minute: usize) -> Option<u64> {
        let start = at_minute(date, minute);
        let shown = [start, start.saturating_add(59.seconds())].map(|time| self.zone.shown(time));
        let [Some(first), Some(last)] = shown.map(|it| it.filter(|it| it.exactly).map(|it| it.slot)) else {
            return None;
        };
        if last != first.plus_seconds(59) {
            return None;
        }
        let second = |slot: Slot| slot.unix_seconds() - first.unix_seconds();
        let spans = self.spans_within(first, last.plus_seconds(1));
        Some(spans.fold(0, |set, (from, to)| set | ((1 << second(to)) - (1 << second(from)))))
    }

    /// The parts of a stretch of time that are excluded by themselves, not by minutes of days.
    fn spans_within(&self, from: Slot, until: Slot) -> impl Iterator<Item = (Slot, Slot)> {
        let passed = self.merged.partition_point(|(_, to)| *to <= from);
        let within = self.merged[passed..].iter().take_while(move |(start, _)| *start < until);
        within.map(move |(start, to)| (from.max(*start), until.min(*to)))
    }

    /// Whether any date from one on may have an exclusion.
    pub(super) fn any_from(&self, date: Date) -> bool {
        let start = self.zone.start_of(date);
        !self.patterns.is_empty() || self.merged.last().is_some_and(|(_, to)| *to > start)
    }

    /// Whether any date up to one may have an exclusion.
    pub(super) fn any_through(&self, date: Date) -> bool {
        let end = date.checked_add(1.day()).map_or(Slot::LAST, |next| self.zone.start_of(next));
        !self.patterns.is_empty() || self.merged.first().is_some_and(|(from, _)| *from < end)
    }

    fn span_around(&self, slot: Slot) -> Option<(Slot, Slot)> {
        let passed = self.merged.partition_point(|(from, _)| *from <= slot);
        self.merged[..passed].last().copied().filter(|(_, to)| slot < *to)
    }

    /// The minutes that cron texts match on a date.
    fn minutes_on(&self, date: Date) -> MinuteSet {
        let mut minutes = self.always.clone();
        for pattern in self.patterns.iter().filter(|it| it.days().names(date)) {
            minutes.add_all(&pattern.of_day);
        }
        minutes
    }
}

impl Minutes {
    fn days(&self) -> &Days {
        let Pattern { days, .. } = self.recurring.pattern();
        days
    }
}

pub(super) fn minute_of(shown: DateTime) -> usize {
    usize::try_from(i32::from(shown.hour()) * 60 + i32::from(shown.minute())).unwrap_or(0)
}

/// The start of a minute of a date.
pub(super) fn at_minute(date: Date, minute: usize) -> DateTime {
    let narrow = |number: usize| i8::try_from(number).unwrap_or(0);
    date.at(narrow(minute / 60), narrow(minute % 60), 0, 0)
}
