//! The same wall-clock time every so many days, weeks, months or years.

use jiff::civil::{Date, Time};
use jiff::{Span, ToSpan};

use super::error::{TriggerError, quote};
use super::search::DaylightSaving;
use super::shape::Shape;
use super::wall::Times;
use super::zone::Zone;
use super::{Search, Slot, instants};
use crate::api::spec;

const PATH: &str = "spec.trigger.calendar";

/// A time of day on every so many-th date.
#[derive(Clone, Debug)]
pub(super) struct Calendar {
    dates: Dates,
    time: Time,
    zone: Zone,
    daylight_saving: DaylightSaving,
}

/// Dates in a row: a first one, and the steps from there. The last one is the calendar's.
#[derive(Clone, Debug)]
enum Dates {
    /// Every so many days.
    Days { first: Date, days: i32 },
    /// The same day every so many months, in those months that have it.
    Months { first: Date, months: i32 },
    /// So many months on, further on still to a month that has the day, and then so many days:
    /// where that leads depends on the whole way. Dates not far from each other are kept.
    Mixed { milestones: Vec<Date>, months: i32, days: i32 },
}

/// Months on the way from one milestone to the next, at least.
const STRIDE_MONTHS: i32 = 64;
/// Candidates whose time no clock shows in a row, after which a search gives up for now. Between
/// the changes of the clocks known there are a handful.
const MAX_ROUNDS: usize = 500;
/// Months without the day in a row. A leap day comes again after at most 400 years of any step.
const MAX_SHORT_MONTHS: usize = 5_000;

impl Calendar {
    pub(super) fn parse(
        spec: &spec::Calendar,
        zone: &Zone,
        daylight_saving: DaylightSaving,
        creation: Slot,
    ) -> Result<Self, Vec<TriggerError>> {
        let mut errors = Vec::new();
        let mut unit = |name: &str, value: Option<i32>, max: i32| match value {
            None => 0,
            Some(value) if (1..=max).contains(&value) => value,
            Some(value) => {
                let problem = format!("is {value}; expected 1 to {max}");
                errors.push(TriggerError::invalid(format!("{PATH}.{name}"), problem));
                0
            }
        };
        let (years, months) = (unit("years", spec.years, 100), unit("months", spec.months, 1200));
        let (weeks, days) = (unit("weeks", spec.weeks, 5200), unit("days", spec.days, 36_500));
        let (months, days) = (years * 12 + months, weeks * 7 + days);
        let time = spec.time_of_day.as_deref().map_or(Ok(Time::midnight()), parse_time);
        let time = time.unwrap_or_else(|error| {
            errors.push(error);
            Time::midnight()
        });
        let created = || zone.shown_at(creation.clamp(Slot::FIRST, Slot::LAST)).date();
        let start = spec.start_date.as_deref().map(|text| instants::parse_date(&format!("{PATH}.startDate"), text));
        let first = start.unwrap_or_else(|| Ok(created())).unwrap_or_else(|error| {
            errors.push(error);
            Date::MIN
        });
        if errors.is_empty() && months == 0 && days == 0 {
            errors.push(TriggerError::invalid(
                PATH,
                "has no unit; expected at least one of years, months, weeks and days",
            ));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let dates = match (months, days) {
            (0, _) => Dates::Days { first, days },
            (_, 0) => Dates::Months { first, months },
            _ => Dates::mixed(first, months, days),
        };
        Ok(Self { dates, time, zone: zone.clone(), daylight_saving })
    }

    pub(super) fn next(&self, after: Slot) -> Search {
        if after >= Slot::LAST {
            return Search::Never;
        }
        // No clock is a whole day apart from its own date a day before.
        let shown = self.zone.shown_at(after.max(Slot::FIRST)).date();
        let mut from = shown.checked_sub(2.days()).unwrap_or(Date::MIN);
        for _ in 0..MAX_ROUNDS {
            let Some(date) = self.dates.at_or_after(from) else { return Search::Never };
            if let Some(slot) = self.slot_on(date).filter(|slot| *slot > after) {
                return if slot <= Slot::LAST { Search::Slot(slot) } else { Search::Never };
            }
            let Ok(next) = date.tomorrow() else { return Search::Never };
            from = next;
        }
        Search::NoneUpTo(self.zone.start_of(from).plus_seconds(-2 * 86_400).max(after))
    }

    pub(super) fn prev(&self, before: Slot) -> Search {
        if before <= Slot::FIRST {
            return Search::Never;
        }
        let shown = self.zone.shown_at(before.min(Slot::LAST)).date();
        let mut from = shown.checked_add(2.days()).unwrap_or(Date::MAX);
        for _ in 0..MAX_ROUNDS {
            let Some(date) = self.dates.at_or_before(from) else { return Search::Never };
            if let Some(slot) = self.slot_on(date).filter(|slot| *slot < before) {
                return if slot >= Slot::FIRST { Search::Slot(slot) } else { Search::Never };
            }
            let Ok(previous) = date.yesterday() else { return Search::Never };
            from = previous;
        }
        Search::NoneUpTo(self.zone.start_of(from).plus_seconds(2 * 86_400).min(before))
    }

    pub(super) fn shape(&self, at: Slot) -> Shape {
        let (hours, minutes, seconds) = (1 << self.time.hour(), 1 << self.time.minute(), 1 << self.time.second());
        Shape::of_wall_clock(&Times { hours, minutes, seconds }, &self.zone, self.daylight_saving, at)
    }

    fn slot_on(&self, date: Date) -> Option<Slot> {
        self.daylight_saving.instant(&self.zone, date.to_datetime(self.time))
    }
}

// === impl Dates ===

impl Dates {
    fn mixed(first: Date, months: i32, days: i32) -> Self {
        let (mut milestones, mut walked, mut date) = (vec![first], 0, Some(Day::of(first)));
        while let Some(day) = date {
            date = day.step(months, days, &mut walked);
            if walked >= STRIDE_MONTHS {
                milestones.extend(date.and_then(Day::date));
                walked = 0;
            }
        }
        Self::Mixed { milestones, months, days }
    }

    fn at_or_after(&self, from: Date) -> Option<Date> {
        match self {
            Self::Days { first, days } => {
                let (passed, days) = (days_between(*first, from).max(0), i64::from(*days));
                plus_days(*first, (passed + days - 1) / days * days)
            }
            Self::Months { first, months } => {
                let mut index = months_between(*first, from).max(0).div_euclid(i64::from(*months));
                for _ in 0..MAX_SHORT_MONTHS {
                    match month_step(*first, index * i64::from(*months)) {
                        MonthStep::Date(date) if date >= from => return Some(date),
                        MonthStep::Beyond => return None,
                        _ => index += 1,
                    }
                }
                None
            }
            Self::Mixed { milestones, months, days } => {
                let passed = milestones.partition_point(|it| *it <= from);
                let mut day = Day::of(*milestones.get(passed.saturating_sub(1))?);
                while day < Day::of(from) {
                    day = day.step(*months, *days, &mut 0)?;
                }
                day.date()
            }
        }
    }

    fn at_or_before(&self, from: Date) -> Option<Date> {
        match self {
            Self::Days { first, days } => {
                let (passed, days) = (days_between(*first, from), i64::from(*days));
                if passed < 0 { None } else { plus_days(*first, passed / days * days) }
            }
            Self::Months { first, months } => {
                let mut index = months_between(*first, from).div_euclid(i64::from(*months));
                while index >= 0 {
                    match month_step(*first, index * i64::from(*months)) {
                        MonthStep::Date(date) if date <= from => return Some(date),
                        _ => index -= 1,
                    }
                }
                None
            }
            Self::Mixed { milestones, months, days } => {
                let passed = milestones.partition_point(|it| *it <= from);
                let mut day = Day::of(*milestones.get(passed.checked_sub(1)?)?);
                while let Some(next) = day.step(*months, *days, &mut 0).filter(|it| *it <= Day::of(from)) {
                    day = next;
                }
                day.date()
            }
        }
    }
}

/// Where a number of months leads from a date.
enum MonthStep {
    Date(Date),
    /// The month has no such day.
    Short,
    /// There is no calendar.
    Beyond,
}

fn month_step(from: Date, months: i64) -> MonthStep {
    let month = i64::from(from.year()) * 12 + i64::from(from.month()) - 1 + months;
    let (year, month) = (i16::try_from(month.div_euclid(12)), i8::try_from(month.rem_euclid(12) + 1));
    let (Ok(year), Ok(month)) = (year, month) else { return MonthStep::Beyond };
    match Date::new(year, month, from.day()) {
        Ok(date) => MonthStep::Date(date),
        Err(_) if Date::new(year, month, 1).is_ok() => MonthStep::Short,
        Err(_) => MonthStep::Beyond,
    }
}

/// A date as plain numbers: many thousand steps are taken when a trigger is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Day {
    year: i32,
    /// From 0.
    month: i32,
    day: i32,
}

impl Day {
    fn of(date: Date) -> Self {
        Self { year: date.year().into(), month: i32::from(date.month()) - 1, day: date.day().into() }
    }

    fn date(self) -> Option<Date> {
        let (year, month) = (i16::try_from(self.year).ok()?, i8::try_from(self.month + 1).ok()?);
        Date::new(year, month, i8::try_from(self.day).ok()?).ok()
    }

    /// So many months on, further still to a month that has the day, and so many days on. Adds how
    /// many months that was, or was tried.
    fn step(mut self, months: i32, days: i32, walked: &mut i32) -> Option<Self> {
        loop {
            self = self.plus_months(months)?;
            *walked += 1;
            if self.day <= self.month_length() {
                break;
            }
        }
        self.day += days;
        while self.day > self.month_length() {
            self.day -= self.month_length();
            self = self.plus_months(1)?;
            *walked += 1;
        }
        Some(self)
    }

    fn plus_months(self, months: i32) -> Option<Self> {
        let months = self.month + months;
        let year = self.year + months / 12;
        (year <= i32::from(Date::MAX.year())).then_some(Self { year, month: months % 12, ..self })
    }

    fn month_length(self) -> i32 {
        const LENGTHS: [i32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let is_leap = || self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let index = usize::try_from(self.month).unwrap_or(0).min(11);
        LENGTHS[index] + i32::from(index == 1 && is_leap())
    }
}

fn plus_days(date: Date, days: i64) -> Option<Date> {
    date.checked_add(Span::new().try_days(days).ok()?).ok()
}

fn days_between(from: Date, to: Date) -> i64 {
    i64::from((to - from).get_days())
}

/// How many first days of a month lie between two dates.
fn months_between(from: Date, to: Date) -> i64 {
    let index = |date: Date| i64::from(date.year()) * 12 + i64::from(date.month());
    index(to) - index(from)
}

/// Reads `HH:MM` or `HH:MM:SS`.
fn parse_time(text: &str) -> Result<Time, TriggerError> {
    instants::time_of_day(text).ok_or_else(|| {
        let problem = format!("is {}; expected a time of day such as 09:30 or 09:30:15", quote(text));
        TriggerError::invalid(format!("{PATH}.timeOfDay"), problem)
    })
}
