//! Which days of the calendar a trigger names.

mod calendar;
mod years;

use jiff::civil::Date;

use super::sets::{above, at_or_above, at_or_below, below, bit, highest, lowest, members};
use calendar::{Month, YearKind};
pub(super) use years::Years;

/// Days named by year, month, week, day of the month and day of the week. In each set, bit n
/// stands for n.
#[derive(Clone, Debug)]
pub(super) struct Days {
    pub(super) years: Years,
    pub(super) months: u64,
    /// Weeks of the year as in ISO 8601, bits 1 to 53; none: any.
    pub(super) weeks: Option<u64>,
    pub(super) of_month: DayRule,
    pub(super) of_week: DayRule,
    pub(super) matching: Matching,
    /// In which months of a year of each kind a day is named, bits 1 to 12.
    months_with_days: [u16; YearKind::COUNT],
}

/// Days of a month, by all that can be said of them; the union of all.
#[derive(Clone, Debug, Default)]
pub(super) struct DayRule {
    /// Bits 1 to 31.
    pub(super) numbers: u64,
    /// Bit n: n days before the last one.
    pub(super) before_last: u64,
    /// Bit n: the day from Monday to Friday nearest to day n, in the same month.
    pub(super) workday_nearest: u64,
    /// The last day from Monday to Friday.
    pub(super) last_workday: bool,
    /// Bits 0 (Sunday) to 6.
    pub(super) weekdays: u64,
    /// Weekdays as above: the first one of the month, the second one, …, the fifth one.
    pub(super) nth_weekdays: [u64; 5],
    /// Weekdays as above, the last one of the month.
    pub(super) last_weekdays: u64,
}

/// How days of the month and days of the week go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matching {
    /// A day that both name.
    Both,
    /// A day that one of them names.
    Either,
}

impl Days {
    pub(super) fn new(
        years: Years,
        months: u64,
        weeks: Option<u64>,
        (of_month, of_week): (DayRule, DayRule),
        matching: Matching,
    ) -> Self {
        let mut days =
            Self { years, months, weeks, of_month, of_week, matching, months_with_days: [0; YearKind::COUNT] };
        for kind in YearKind::all() {
            let named = members(months).filter(|month| days.in_month_of(&Month::new(kind, *month)) != 0);
            days.months_with_days[kind.index()] = named.fold(0, |set, month| set | (1 << month));
        }
        days
    }

    /// The first day named at or after this one.
    pub(super) fn at_or_after(&self, from: Date) -> Option<Date> {
        let (mut year, mut month) = (from.year(), from.month());
        let mut days = self.in_month(year, month) & at_or_above(from.day());
        if days == 0 {
            match lowest(self.months_of(year) & above(month)) {
                Some(next) => month = next,
                None => {
                    year = self.year_after(year)?;
                    month = lowest(self.months_of(year))?;
                }
            }
            days = self.in_month(year, month);
        }
        Date::new(year, month, lowest(days)?).ok()
    }

    /// The last day named at or before this one.
    pub(super) fn at_or_before(&self, from: Date) -> Option<Date> {
        let (mut year, mut month) = (from.year(), from.month());
        let mut days = self.in_month(year, month) & at_or_below(from.day());
        if days == 0 {
            match highest(self.months_of(year) & below(month)) {
                Some(previous) => month = previous,
                None => {
                    year = self.year_before(year)?;
                    month = highest(self.months_of(year))?;
                }
            }
            days = self.in_month(year, month);
        }
        Date::new(year, month, highest(days)?).ok()
    }

    pub(super) fn names(&self, date: Date) -> bool {
        self.in_month(date.year(), date.month()) & bit(date.day()) != 0
    }

    /// Whether there is no day that all of these name and none of the others does. A no is not
    /// certain.
    pub(super) fn never_meet(all: &[&Self], others: &[&Self]) -> bool {
        let years = all.iter().fold(Years::Any, |years, days| years.and(&days.years));
        if years.is_empty() {
            return true;
        }
        let unlimited: Vec<&&Self> = others.iter().filter(|days| days.years == Years::Any).collect();
        YearKind::all().all(|kind| {
            (1..=12).map(|month| Month::new(kind, month)).enumerate().all(|(index, month)| {
                let in_month = |days: &Self| if days.months & (2 << index) == 0 { 0 } else { days.in_month_of(&month) };
                let met = all.iter().fold(u64::MAX, |met, days| met & in_month(days));
                unlimited.iter().fold(met, |met, days| met & !in_month(days)) == 0
            })
        })
    }

    /// Whether every day is named.
    pub(super) fn names_every_day(&self) -> bool {
        let every_month = || YearKind::all().flat_map(|kind| (1..=12).map(move |month| Month::new(kind, month)));
        self.years == Years::Any
            && self.months == above(0) & at_or_below(12)
            && every_month().all(|month| self.in_month_of(&month) == month.all_days())
    }

    /// Months of a year in which a day is named.
    fn months_of(&self, year: i16) -> u64 {
        if self.years.contains(year) { u64::from(self.months_with_days[YearKind::of(year).index()]) } else { 0 }
    }

    /// The next year in which a day is named. The calendar repeats after 400 years.
    fn year_after(&self, year: i16) -> Option<i16> {
        if self.months_with_days.iter().all(|months| *months == 0) {
            return None;
        }
        let mut year = self.years.at_or_after(year.checked_add(1)?)?;
        while self.months_of(year) == 0 {
            year = self.years.at_or_after(year + 1)?;
        }
        Some(year)
    }

    fn year_before(&self, year: i16) -> Option<i16> {
        if self.months_with_days.iter().all(|months| *months == 0) {
            return None;
        }
        let mut year = self.years.at_or_before(year.checked_sub(1)?)?;
        while self.months_of(year) == 0 {
            year = self.years.at_or_before(year - 1)?;
        }
        Some(year)
    }

    /// The days named in a month, bit n for day n.
    fn in_month(&self, year: i16, month: i8) -> u64 {
        if self.months & bit(month) == 0 || !self.years.contains(year) {
            return 0;
        }
        self.in_month_of(&Month::new(YearKind::of(year), month))
    }

    fn in_month_of(&self, month: &Month) -> u64 {
        let (of_month, of_week) = (self.of_month.in_month(month), self.of_week.in_month(month));
        let days = match self.matching {
            Matching::Both => of_month & of_week,
            Matching::Either => of_month | of_week,
        };
        days & self.weeks.map_or(u64::MAX, |weeks| month.days_in_weeks(weeks))
    }
}

impl DayRule {
    /// Every day.
    pub(super) fn every() -> Self {
        Self { numbers: at_or_below(31) & !1, ..Self::default() }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.numbers |= other.numbers;
        self.before_last |= other.before_last;
        self.workday_nearest |= other.workday_nearest;
        self.last_workday |= other.last_workday;
        self.weekdays |= other.weekdays;
        for (nth, others) in self.nth_weekdays.iter_mut().zip(other.nth_weekdays) {
            *nth |= others;
        }
        self.last_weekdays |= other.last_weekdays;
    }

    /// Whether only numbers and weekdays are named.
    pub(super) fn is_plain(&self) -> bool {
        self.before_last | self.workday_nearest | self.last_weekdays == 0
            && !self.last_workday
            && self.nth_weekdays == [0; 5]
    }

    fn in_month(&self, month: &Month) -> u64 {
        let mut days = self.numbers;
        if self.weekdays != 0 {
            days |= month.weekdays(self.weekdays);
        }
        if !self.is_plain() {
            days |= self.counted_in_month(month);
        }
        days & month.all_days()
    }

    /// Days that depend on how long the month is and on which weekday it begins.
    fn counted_in_month(&self, month: &Month) -> u64 {
        let length = month.length;
        let before_last = members(self.before_last).filter(|it| *it < length).fold(0, |set, it| set | bit(length - it));
        let nearest = members(self.workday_nearest).filter(|it| *it <= length);
        let nearest = nearest.fold(0, |set, it| set | bit(month.workday_nearest(it)));
        let last_workday = if self.last_workday { bit(month.workday_nearest_before(length)) } else { 0 };
        let nth = self.nth_weekdays.iter().zip([0_i8, 7, 14, 21, 28]).fold(0, |set, (weekdays, before)| {
            let week = at_or_below(before + 7) & above(before);
            set | if *weekdays == 0 { 0 } else { month.weekdays(*weekdays) & week }
        });
        let last_week = above(length - 7) & at_or_below(length);
        let last = if self.last_weekdays == 0 { 0 } else { month.weekdays(self.last_weekdays) & last_week };
        before_last | nearest | last_workday | nth | last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().expect(text)
    }

    /// The longest a search without listed years can get: 40 years.
    #[test]
    fn a_leap_day_on_a_given_weekday_is_found_in_both_directions() {
        let first = Date::constant(1890, 1, 1);
        let leap_days: Vec<Date> = (1890..2310).filter_map(|year| Date::new(year, 2, 29).ok()).collect();
        for weekday in 0..7 {
            let of_month = DayRule { numbers: bit(29), ..DayRule::default() };
            let of_week = DayRule { weekdays: bit(weekday), ..DayRule::default() };
            let days = Days::new(Years::Any, bit(2), None, (of_month, of_week), Matching::Both);
            let expected: Vec<Date> =
                leap_days.iter().copied().filter(|it| it.weekday().to_sunday_zero_offset() == weekday).collect();
            let next = |date: Date| days.at_or_after(date.tomorrow().ok()?).filter(|it| it.year() < 2310);
            let forth: Vec<Date> = std::iter::successors(days.at_or_after(first), |date| next(*date)).collect();
            assert_eq!(forth, expected);
            let prev = |date: Date| days.at_or_before(date.yesterday().ok()?).filter(|it| *it > first);
            let mut back: Vec<Date> = std::iter::successors(expected.last().copied(), |it| prev(*it)).collect();
            back.reverse();
            assert_eq!(back, expected);
        }
    }

    #[test]
    fn days_that_no_calendar_has_are_known_without_a_search() {
        let all_weekdays = at_or_below(6);
        for (months, of_month, of_week, matching, impossible) in [
            (bit(2), bit(30), all_weekdays, Matching::Both, true),
            (bit(2), bit(30), bit(1), Matching::Either, false),
            (bit(2), bit(29), bit(1), Matching::Both, false),
            (bit(2) | bit(4), bit(31), all_weekdays, Matching::Both, true),
            (bit(2) | bit(5), bit(31), all_weekdays, Matching::Both, false),
        ] {
            let of_month = DayRule { numbers: of_month, ..DayRule::default() };
            let of_week = DayRule { weekdays: of_week, ..DayRule::default() };
            let days = Days::new(Years::Any, months, None, (of_month, of_week), matching);
            assert_eq!(days.at_or_after(date("2026-01-01")).is_none(), impossible, "{days:?}");
            assert_eq!(days.at_or_before(date("2026-01-01")).is_none(), impossible, "{days:?}");
            assert_eq!(Days::never_meet(&[&days], &[]), impossible, "{days:?}");
        }
    }

    #[test]
    fn listed_years_are_the_only_ones() {
        let mut years = Years::none();
        [1970, 2008, 9999].into_iter().for_each(|year| years.add(year));
        let days = Days::new(
            years,
            bit(2),
            None,
            (DayRule { numbers: bit(29), ..DayRule::default() }, DayRule::every()),
            Matching::Both,
        );
        assert_eq!(days.at_or_after(date("1900-01-01")), Some(date("2008-02-29")));
        assert_eq!(days.at_or_after(date("2008-03-01")), None);
        assert_eq!(days.at_or_before(date("9999-12-31")), Some(date("2008-02-29")));
        assert_eq!(days.at_or_before(date("2008-02-28")), None);
    }
}
