//! The elements of a field: numbers, ranges, steps, names, and days of the month by weekday.

use super::super::days::{DayRule, Years};
use super::super::error::quote;
use super::super::sets::{at_or_below, below, bit};

/// What a field is called and which numbers it takes.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) min: i16,
    max: i16,
    /// Names for the numbers, the first one for `min`.
    names: &'static [&'static str],
    expected: &'static str,
}

const NUMBERS: Kind = Kind { name: "", min: 0, max: 59, names: &[], expected: "0 to 59, or */n" };
pub(super) const SECOND: Kind = Kind { name: "second", ..NUMBERS };
pub(super) const MINUTE: Kind = Kind { name: "minute", ..NUMBERS };
pub(super) const HOUR: Kind = Kind { name: "hour", max: 23, expected: "0 to 23, or */n", ..NUMBERS };
pub(super) const WEEK: Kind = Kind { name: "week", min: 1, max: 53, expected: "1 to 53, or */n", ..NUMBERS };
pub(super) const DAY: Kind = Kind {
    name: "day",
    min: 1,
    max: 31,
    expected: "1 to 31, last, or a weekday of the month such as \"2nd tue\" or \"last fri\"",
    ..NUMBERS
};
pub(super) const MONTH: Kind = Kind {
    name: "month",
    min: 1,
    max: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    expected: "1 to 12 or jan to dec",
};
pub(super) const YEAR: Kind =
    Kind { name: "year", min: Years::FIRST, max: Years::LAST, expected: "1970 to 9999, or */n", ..NUMBERS };
/// Both 0 and 7 are Sunday.
pub(super) const DAY_OF_WEEK: Kind = Kind {
    name: "dayOfWeek",
    min: 0,
    max: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    expected: "0 to 7 (0 and 7 are Sunday) or sun to sat",
};

/// From one number to another, every so many.
struct Range {
    first: i16,
    last: i16,
    step: i16,
}

/// An error, and the column of the element it is in.
type Misread = (usize, String);

impl Kind {
    /// Every number.
    pub(super) fn all(&self) -> u64 {
        let narrow = |number: i16| i8::try_from(number).unwrap_or_default();
        at_or_below(narrow(self.max)) & !below(narrow(self.min))
    }
}

/// Reads the numbers of a field.
pub(super) fn numbers(kind: &Kind, text: &str) -> Result<u64, Misread> {
    each(text, |element| range(kind, element).map(|it| it.numbers()), |all, one| all | one)
}

/// Reads years.
pub(super) fn years(text: &str) -> Result<Vec<std::iter::StepBy<std::ops::RangeInclusive<i16>>>, Misread> {
    let years = |element: &str| range(&YEAR, element).map(|it| vec![it.iter()]);
    each(text, years, |mut all: Vec<_>, mut one| {
        all.append(&mut one);
        all
    })
}

/// Reads weekdays, bits 0 (Sunday) to 6.
pub(super) fn weekdays(text: &str) -> Result<u64, Misread> {
    let kind = &DAY_OF_WEEK;
    let weekdays = |element: &str| {
        let mut range = if element.split('/').next() == Some("*") {
            // Weeks begin on Monday.
            let step = element.split_once('/').map_or(Ok(1), |(_, step)| step_of(step, element))?;
            Range { first: 1, last: 7, step }
        } else {
            unchecked(kind, element)?
        };
        if range.first > range.last {
            range.last += 7;
        }
        check(kind, &range, element)?;
        Ok(range.iter().fold(0, |set, day| set | 1 << (day % 7)))
    };
    each(text, weekdays, |all, one| all | one)
}

/// Reads days of the month.
pub(super) fn days(text: &str) -> Result<DayRule, Misread> {
    let day = |element: &str| {
        if let Some(rule) = by_weekday(element)? {
            return Ok(rule);
        }
        range(&DAY, element).map(|it| DayRule { numbers: it.numbers(), ..DayRule::default() })
    };
    each(text, day, |mut all: DayRule, one| {
        all.add(&one);
        all
    })
}

/// `last`, `2nd tue` or `last fri`.
fn by_weekday(element: &str) -> Result<Option<DayRule>, String> {
    const NTH: [&str; 5] = ["1st", "2nd", "3rd", "4th", "5th"];
    let mut words = element.split_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next());
    let nth = NTH.iter().position(|it| it.eq_ignore_ascii_case(first));
    let is_last = first.eq_ignore_ascii_case("last");
    let weekday = second.and_then(|day| DAY_OF_WEEK.names.iter().position(|it| it.eq_ignore_ascii_case(day)));
    let weekday = weekday.and_then(|it| i8::try_from(it).ok()).map(bit);
    let mut rule = DayRule::default();
    match (nth, is_last, second, weekday) {
        (None, false, ..) => return Ok(None),
        (None, true, None, _) => rule.before_last = bit(0),
        (None, true, Some(_), Some(weekday)) => rule.last_weekdays = weekday,
        (Some(nth), _, Some(_), Some(weekday)) => rule.nth_weekdays[nth] = weekday,
        _ => return Err(format!("has {}; expected {}", quote(element), DAY.expected)),
    }
    if words.next().is_some() {
        return Err(format!("has {}; expected {}", quote(element), DAY.expected));
    }
    Ok(Some(rule))
}

/// Reads every element of a list and puts them together.
fn each<T>(text: &str, read: impl Fn(&str) -> Result<T, String>, join: impl Fn(T, T) -> T) -> Result<T, Misread> {
    let mut column = 1;
    let mut all = None;
    for element in text.split(',') {
        let start = column + element.chars().take_while(|it| it.is_whitespace()).count();
        column += element.chars().count() + 1;
        let element = element.trim();
        if element.is_empty() {
            let what =
                if text.trim().is_empty() { "is empty" } else { "has an empty element; remove the comma too many" };
            return Err((start, what.to_owned()));
        }
        let one = read(element).map_err(|problem| (start, problem))?;
        all = Some(match all {
            Some(all) => join(all, one),
            None => one,
        });
    }
    all.ok_or_else(|| (1, "is empty".to_owned()))
}

fn range(kind: &Kind, element: &str) -> Result<Range, String> {
    let range = unchecked(kind, element)?;
    check(kind, &range, element)?;
    Ok(range)
}

fn unchecked(kind: &Kind, element: &str) -> Result<Range, String> {
    let (ends, step) = match element.split_once('/') {
        Some((ends, step)) => (ends, Some(step_of(step, element)?)),
        None => (element, None),
    };
    if ends == "*" {
        return Ok(Range { first: kind.min, last: kind.max, step: step.unwrap_or(1) });
    }
    let (first, last) = match ends.split_once('-') {
        Some((first, last)) => (first, Some(last)),
        None => (ends, None),
    };
    let is_named = |text: &str| kind.names.iter().any(|it| it.eq_ignore_ascii_case(text));
    if step.is_some() && (is_named(first) || last.is_some_and(is_named)) {
        let problem = "expected numbers where there is a step, as in 1-5/2";
        return Err(format!("has {}; {problem}", quote(element)));
    }
    let first = number(kind, first, element)?;
    let last = match (last, step) {
        (Some(last), _) => number(kind, last, element)?,
        (None, Some(_)) => kind.max,
        (None, None) => first,
    };
    Ok(Range { first, last, step: step.unwrap_or(1) })
}

fn check(kind: &Kind, range: &Range, element: &str) -> Result<(), String> {
    let Range { first, last, step } = range;
    let Kind { min, max, .. } = kind;
    if first > last {
        return Err(format!(
            "has {}, which ends before it begins; expected the lower number first, or two ranges: \
             {first}-{max},{min}-{last}",
            quote(element)
        ));
    }
    if element.contains('/') && *step > last - first {
        return Err(format!(
            "has the step {step} in {}, which leads beyond the end from the first number already; expected at most {}",
            quote(element),
            last - first
        ));
    }
    Ok(())
}

fn step_of(text: &str, element: &str) -> Result<i16, String> {
    digits(text).filter(|step| *step > 0).ok_or_else(|| {
        format!("has the step {} in {}; expected a whole number of at least 1", quote(text), quote(element))
    })
}

fn number(kind: &Kind, text: &str, element: &str) -> Result<i16, String> {
    let named = kind.names.iter().zip(kind.min..).find(|(name, _)| name.eq_ignore_ascii_case(text));
    let number = named.map(|(_, number)| number).or_else(|| digits(text));
    number.filter(|it| (kind.min..=kind.max).contains(it)).ok_or_else(|| {
        if text == element {
            format!("has {}; expected {}", quote(text), kind.expected)
        } else {
            format!("has {} in {}; expected {}", quote(text), quote(element), kind.expected)
        }
    })
}

/// Digits only: no sign.
fn digits(text: &str) -> Option<i16> {
    if text.bytes().all(|it| it.is_ascii_digit()) { text.parse().ok() } else { None }
}

impl Range {
    fn iter(&self) -> std::iter::StepBy<std::ops::RangeInclusive<i16>> {
        (self.first..=self.last).step_by(usize::try_from(self.step).unwrap_or(1).max(1))
    }

    fn numbers(&self) -> u64 {
        self.iter().fold(0, |set, number| set | 1 << number)
    }
}
