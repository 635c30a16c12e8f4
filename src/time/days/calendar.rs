//! Years and months of the calendar, as far as they differ in where their days fall.

use super::super::sets::{at_or_above, at_or_below};

/// All that decides on which weekdays and in which weeks the days of a year fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct YearKind {
    /// The weekday of 1 January, from 0 for Sunday.
    first_weekday: i8,
    is_leap: bool,
    follows_leap: bool,
}

/// A month of such a year.
#[derive(Clone, Copy, Debug)]
pub(super) struct Month {
    year: YearKind,
    /// The weekday of its first day.
    first_weekday: i8,
    pub(super) length: i8,
    /// How many days of the year come before it.
    days_before: i16,
}

impl YearKind {
    pub(super) const COUNT: usize = 28;

    pub(super) fn of(year: i16) -> Self {
        let is_leap = |year: i16| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        // 1 January 2000 was a Saturday; from there every year moves on by a day, and every leap
        // year before it by one more. Counted within the 400 years after which all repeats.
        let year = i32::from(year).rem_euclid(400);
        let leaps_before = if year == 0 { 0 } else { (year - 1) / 4 - (year - 1) / 100 + 1 };
        let year = i16::try_from(year).unwrap_or_default();
        Self {
            first_weekday: i8::try_from((6 + i32::from(year) + leaps_before) % 7).unwrap_or_default(),
            is_leap: is_leap(year),
            follows_leap: is_leap(year + 399),
        }
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        let leaps = [(false, false), (false, true), (true, false), (true, true)];
        (0..7).flat_map(move |first_weekday| {
            leaps.map(|(is_leap, follows_leap)| Self { first_weekday, is_leap, follows_leap })
        })
    }

    pub(super) fn index(self) -> usize {
        let weekday = usize::try_from(self.first_weekday).unwrap_or(0);
        weekday * 4 + usize::from(self.is_leap) * 2 + usize::from(self.follows_leap)
    }

    fn before_has_53_weeks(self) -> bool {
        // The year before began one weekday earlier, or two if it had a leap day.
        self.first_weekday == 5 || (self.follows_leap && self.first_weekday == 6)
    }
}

impl Month {
    pub(super) fn new(year: YearKind, month: i8) -> Self {
        const DAYS_BEFORE: [i16; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
        let index = usize::try_from(month - 1).unwrap_or(0).min(11);
        let leap_day = |month: usize| i16::from(year.is_leap && month >= 2);
        let days_before = DAYS_BEFORE[index] + leap_day(index);
        let length = DAYS_BEFORE[index + 1] + leap_day(index + 1) - days_before;
        let narrow = |number: i16| i8::try_from(number).unwrap_or_default();
        Self {
            year,
            first_weekday: narrow((i16::from(year.first_weekday) + days_before) % 7),
            length: narrow(length),
            days_before,
        }
    }

    pub(super) fn all_days(&self) -> u64 {
        at_or_below(self.length) & !1
    }

    fn weekday(&self, day: i8) -> i8 {
        (self.first_weekday + day - 1) % 7
    }

    /// The days on these weekdays, some beyond the end of the month among them.
    pub(super) fn weekdays(&self, weekdays: u64) -> u64 {
        /// One bit in every seven, for six weeks.
        const EVERY_SEVENTH: u64 = 0x0008_1020_4081;
        ((weekdays * EVERY_SEVENTH) >> self.first_weekday) << 1
    }

    pub(super) fn workday_nearest(&self, day: i8) -> i8 {
        match self.weekday(day) {
            6 if day == 1 => 3,
            6 => day - 1,
            0 if day == self.length => day - 2,
            0 => day + 1,
            _ => day,
        }
    }

    pub(super) fn workday_nearest_before(&self, day: i8) -> i8 {
        match self.weekday(day) {
            6 => day - 1,
            0 => day - 2,
            _ => day,
        }
    }

    /// The days that fall into these weeks of the year.
    pub(super) fn days_in_weeks(&self, weeks: u64) -> u64 {
        let (mut days, mut day) = (0, 1);
        while day <= self.length {
            let sunday = day + 6 - (self.weekday(day) + 6) % 7;
            if weeks & (1 << self.week(day)) != 0 {
                days |= at_or_above(day) & at_or_below(sunday.min(self.length));
            }
            day = sunday + 1;
        }
        days
    }

    /// The week of the year as in ISO 8601: the one that its Thursday is in.
    fn week(&self, day: i8) -> i16 {
        let from_monday = i16::from((self.weekday(day) + 6) % 7);
        // How many days of the year come before the Thursday of the week.
        let thursday = self.days_before + i16::from(day) - 1 - from_monday + 3;
        let year_length = 365 + i16::from(self.year.is_leap);
        if thursday < 0 {
            return 52 + i16::from(self.year.before_has_53_weeks());
        }
        if thursday >= year_length { 1 } else { thursday / 7 + 1 }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;

    use super::*;

    #[test]
    fn years_months_and_weeks_are_those_of_the_calendar() {
        for year in -801..=2801 {
            let kind = YearKind::of(year);
            let first = Date::new(year, 1, 1).expect("a date");
            assert_eq!(kind.first_weekday, first.weekday().to_sunday_zero_offset(), "{year}");
            assert_eq!(
                (kind.is_leap, kind.follows_leap),
                (first.in_leap_year(), first.yesterday().expect("a date").in_leap_year())
            );
            for month in 1..=12 {
                let (counted, first) = (Month::new(kind, month), Date::new(year, month, 1).expect("a date"));
                assert_eq!(counted.length, first.days_in_month(), "{first}");
                for day in 1..=counted.length {
                    let date = Date::new(year, month, day).expect("a date");
                    assert_eq!(counted.weekday(day), date.weekday().to_sunday_zero_offset(), "{date}");
                    assert_eq!(counted.week(day), i16::from(date.iso_week_date().week()), "{date}");
                }
            }
        }
    }
}
