//! Wall-clock times in words, where that can be said simply.

use super::super::days::{DayRule, Days, Matching, Years};
use super::super::sets::{at_or_above, at_or_below, bit, lowest, members};
use super::super::wall::{Pattern, Times};

/// More things than this are no list that people read.
const MAX_LISTED: usize = 3;

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// How often on a day, in words.
enum Often {
    /// `every 15 minutes`.
    Every(String),
    /// `at 02:30`.
    At(String),
}

/// A pattern in words; none where they would be hard to follow.
pub(super) fn describe(pattern: &Pattern) -> Option<String> {
    let (often, days) = (times(&pattern.times)?, days(&pattern.days)?);
    Some(match (often, days.as_str()) {
        (Often::Every(often), "") => often,
        (Often::At(often), "") => format!("{often} every day"),
        (Often::Every(often) | Often::At(often), days) => format!("{often} {days}"),
    })
}

fn times(times: &Times) -> Option<Often> {
    let Times { hours, minutes, seconds } = *times;
    let (all_hours, all_minutes) = (at_or_below(23), at_or_below(59));
    if (hours, minutes) == (all_hours, all_minutes) {
        return match seconds {
            1 => Some(Often::Every("every minute".to_owned())),
            _ => step(seconds, 60, "second").map(Often::Every),
        };
    }
    if seconds == 1 && hours == all_hours && minutes.count_ones() > 1 {
        return step(minutes, 60, "minute").map(Often::Every);
    }
    if seconds == 1
        && minutes.count_ones() == 1
        && hours.count_ones() > 1
        && let Some(every) = step(hours, 24, "hour")
    {
        return Some(Often::Every(match lowest(minutes)? {
            0 => every,
            minute => format!("{every} at :{minute:02}"),
        }));
    }
    let all = members(hours).flat_map(|hour| members(minutes).map(move |minute| (hour, minute)));
    let second = lowest(seconds).filter(|_| seconds.count_ones() == 1)?;
    let all = all.map(|(hour, minute)| match second {
        0 => format!("{hour:02}:{minute:02}"),
        second => format!("{hour:02}:{minute:02}:{second:02}"),
    });
    list(all).map(|times| Often::At(format!("at {times}")))
}

/// Every so many, from 0 on, with no shorter one at the end.
fn step(set: u64, size: i8, unit: &str) -> Option<String> {
    let every = if set == at_or_below(size - 1) { 1 } else { lowest(set & at_or_above(1))? };
    let expected = (0..size).step_by(usize::try_from(every).ok()?).fold(0, |set, it| set | bit(it));
    if set != expected || size % every != 0 {
        return None;
    }
    Some(if every == 1 { format!("every {unit}") } else { format!("every {every} {unit}s") })
}

/// Which days; empty for every day.
fn days(days: &Days) -> Option<String> {
    if days.years != Years::Any || days.weeks.is_some() {
        return None;
    }
    let every_day = |rule: &DayRule| rule.numbers == at_or_below(31) & !1 || rule.weekdays == at_or_below(6);
    let (of_month, of_week) = (&days.of_month, &days.of_week);
    let months = list(members(days.months).map(|month| name(&MONTHS, month - 1)));
    let months = if days.months == at_or_below(12) & !1 { Some(String::new()) } else { months };
    match (every_day(of_month), every_day(of_week)) {
        _ if days.matching == Matching::Either => None,
        (true, true) => months.map(|months| if months.is_empty() { months } else { format!("every day in {months}") }),
        (true, false) => {
            let weekdays = weekdays(of_week)?;
            months.map(|months| if months.is_empty() { weekdays } else { format!("{weekdays} in {months}") })
        }
        (false, true) => {
            if let Some(day) = only_number(of_month)
                && days.months.count_ones() == 1
            {
                return Some(format!("on {day} {}", months?));
            }
            let month_days = month_days(of_month)?;
            months.map(|months| match months.as_str() {
                "" => format!("on {month_days} of the month"),
                months => format!("on {month_days} of {months}"),
            })
        }
        (false, false) => None,
    }
}

fn weekdays(rule: &DayRule) -> Option<String> {
    const FROM_MONDAY_TO_FRIDAY: u64 = 0b11_1110;
    if rule.is_plain() {
        return match rule.weekdays {
            FROM_MONDAY_TO_FRIDAY => Some("on weekdays".to_owned()),
            weekend if weekend == bit(0) | bit(6) => Some("on weekends".to_owned()),
            some => {
                // The week of people who say so begins on Monday.
                let days = members(some & !1).chain(members(some & 1));
                list(days.map(|day| format!("{}s", name(&WEEKDAYS, day)))).map(|days| format!("on {days}"))
            }
        };
    }
    let nth = rule.nth_weekdays.iter().zip(["1st", "2nd", "3rd", "4th", "5th"]);
    let nth = nth.flat_map(|(set, nth)| members(*set).map(move |day| format!("the {nth} {}", name(&WEEKDAYS, day))));
    let last = members(rule.last_weekdays).map(|day| format!("the last {}", name(&WEEKDAYS, day)));
    let days = list(nth.chain(last)).filter(|_| rule.weekdays == 0)?;
    Some(format!("on {days} of the month"))
}

/// Days of the month, without the words that say of which.
fn month_days(rule: &DayRule) -> Option<String> {
    if rule.weekdays != 0 || rule.nth_weekdays != [0; 5] || rule.last_weekdays != 0 {
        let has_more = rule.numbers | rule.before_last | rule.workday_nearest != 0 || rule.last_workday;
        let words = weekdays(rule).filter(|_| !has_more)?;
        return Some(words.strip_prefix("on ")?.strip_suffix(" of the month")?.to_owned());
    }
    let numbers = members(rule.numbers).map(|day| format!("the {}", ordinal(day)));
    let nearest = members(rule.workday_nearest).map(|day| format!("the workday nearest to the {}", ordinal(day)));
    let last = members(rule.before_last).map(|before| match before {
        0 => "the last day".to_owned(),
        1 => "the last day but one".to_owned(),
        more => format!("the last day but {more}"),
    });
    let last_workday = rule.last_workday.then(|| "the last workday".to_owned());
    list(numbers.chain(nearest).chain(last).chain(last_workday))
}

/// The only day, if it is a number.
fn only_number(rule: &DayRule) -> Option<i8> {
    let is_one = rule.is_plain() && rule.weekdays == 0 && rule.numbers.count_ones() == 1;
    lowest(rule.numbers).filter(|_| is_one)
}

fn ordinal(number: i8) -> String {
    let suffix = match (number % 10, number) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

fn name(names: &[&str], index: i8) -> String {
    let index = usize::try_from(index).unwrap_or(0);
    names.get(index).copied().unwrap_or_default().to_owned()
}

/// `a`, `a and b`, `a, b and c`; none of more.
fn list(items: impl Iterator<Item = String>) -> Option<String> {
    let items: Vec<String> = items.take(MAX_LISTED + 1).collect();
    match &items[..] {
        [] => None,
        [one] => Some(one.clone()),
        [before @ .., last] if items.len() <= MAX_LISTED => Some(format!("{} and {last}", before.join(", "))),
        _ => None,
    }
}
