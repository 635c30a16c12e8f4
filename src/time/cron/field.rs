//! One field of a crontab: a list of numbers, ranges and steps.

use super::super::days::DayRule;
use super::super::error::{TriggerError, quote};
use super::hash::Spread;
use super::{PATH, special};

/// What a field is called and which numbers it takes.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) min: u64,
    pub(super) max: u64,
    /// The last number that H alone may stand for: every month has a 28th.
    pub(super) hash_max: u64,
    /// Names for the numbers, the first one for `min`.
    names: &'static [&'static str],
    /// The numbers a person may write.
    pub(super) expected: &'static str,
    pub(super) special: Special,
}

/// Which elements a field takes that are no numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    None,
    /// L, L-n, LW, nW.
    DayOfMonth,
    /// d#n, dL.
    DayOfWeek,
}

/// The numbers a field names.
#[derive(Default)]
pub(super) struct Field {
    /// Bit n stands for n.
    pub(super) numbers: u64,
    /// Days that are not simply numbers.
    pub(super) days: DayRule,
    /// A star or question mark without a step stands in the list. It decides whether a day must
    /// match both day fields or one of them.
    pub(super) has_star: bool,
    /// The whole field is `*`, `?` or a step over it.
    pub(super) is_open: bool,
}

const NUMBERS: Kind =
    Kind { name: "", min: 0, max: 59, hash_max: 59, names: &[], expected: "0 to 59", special: Special::None };
pub(super) const SECOND: Kind = Kind { name: "second", ..NUMBERS };
pub(super) const MINUTE: Kind = Kind { name: "minute", ..NUMBERS };
pub(super) const HOUR: Kind = Kind { name: "hour", max: 23, hash_max: 23, expected: "0 to 23", ..NUMBERS };
pub(super) const DAY_OF_MONTH: Kind = Kind {
    name: "day of month",
    min: 1,
    max: 31,
    hash_max: 28,
    names: &[],
    expected: "1 to 31",
    special: Special::DayOfMonth,
};
pub(super) const MONTH: Kind = Kind {
    name: "month",
    min: 1,
    max: 12,
    hash_max: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    expected: "1 to 12 or JAN to DEC",
    special: Special::None,
};
pub(super) const DAY_OF_WEEK: Kind = Kind {
    name: "day of week",
    min: 0,
    max: 6,
    hash_max: 6,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    expected: "0 (Sunday) to 6 or SUN to SAT",
    special: Special::DayOfWeek,
};

/// One element of the list.
#[derive(Default)]
pub(super) struct Element {
    numbers: u64,
    days: DayRule,
    has_star: bool,
    is_open: bool,
}

/// An element's first and last number.
pub(super) struct Range {
    pub(super) first: u64,
    pub(super) last: u64,
    form: Form,
}

/// How an element's range was written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `*` or `?`.
    Open,
    /// `5`.
    Single,
    /// `5-10`.
    FirstToLast,
    /// `*-5`, which CronJob reads as `*`.
    OpenToLast,
}

impl Field {
    /// Reads a field that begins at a column of the text.
    pub(super) fn parse(kind: &Kind, (column, text): (usize, &str), spread: &Spread<'_>) -> Result<Self, TriggerError> {
        let mut field = Self::default();
        let mut column = column;
        for element_text in text.split(',') {
            let element = parse_element(kind, element_text, text, spread).map_err(|problem| {
                TriggerError::invalid(PATH, problem).at(&format!("{} field, column {column}", kind.name))
            })?;
            field.numbers |= element.numbers;
            field.days.add(&element.days);
            field.has_star |= element.has_star;
            field.is_open = element.is_open && element_text.len() == text.len();
            column += element_text.chars().count() + 1;
        }
        Ok(field)
    }
}

impl Element {
    pub(super) fn numbers(numbers: u64) -> Self {
        Self { numbers, ..Self::default() }
    }

    pub(super) fn days(days: DayRule) -> Self {
        Self { days, ..Self::default() }
    }
}

/// Reads one element. An error is the rest of a sentence that says where the element is.
fn parse_element(kind: &Kind, text: &str, field: &str, spread: &Spread<'_>) -> Result<Element, String> {
    if text.is_empty() {
        return Err(format!("has an empty element in the list {}; remove the comma too many", quote(field)));
    }
    if let Some(element) = special::parse(kind, text, spread) {
        return element;
    }
    let mut parts = text.split('/');
    let range_text = parts.next().unwrap_or_default();
    let (step_text, more) = (parts.next(), parts.next());
    let mut range = parse_range(kind, range_text, text)?;
    if more.is_some() {
        return Err(format!("has {} with more than one slash; expected one, as in */15", quote(text)));
    }
    let step = step_text.map_or(Ok(1), |step| parse_step(step, text))?;
    if step_text.is_some() && range.form == Form::Single {
        range.last = kind.max;
    }
    check_bounds(kind, &range, text)?;
    let mut numbers = 0;
    let mut number = Some(range.first);
    while let Some(it) = number.filter(|it| *it <= range.last) {
        numbers |= 1 << it;
        number = it.checked_add(step);
    }
    let is_star = matches!(range.form, Form::Open | Form::OpenToLast);
    Ok(Element { numbers, has_star: is_star && step == 1, is_open: range.form == Form::Open, ..Element::default() })
}

pub(super) fn parse_range(kind: &Kind, text: &str, element: &str) -> Result<Range, String> {
    let ends: Vec<&str> = text.split('-').collect();
    let number = |text| parse_number(kind, text, element);
    match ends[..] {
        ["*" | "?"] => Ok(Range { first: kind.min, last: kind.max, form: Form::Open }),
        ["*" | "?", ..] => Ok(Range { first: kind.min, last: kind.max, form: Form::OpenToLast }),
        [single] => number(single).map(|it| Range { first: it, last: it, form: Form::Single }),
        [first, last] => Ok(Range { first: number(first)?, last: number(last)?, form: Form::FirstToLast }),
        _ => Err(format!("has {} with more than one hyphen; expected one, as in 1-5", quote(element))),
    }
}

pub(super) fn parse_number(kind: &Kind, text: &str, element: &str) -> Result<u64, String> {
    let named = kind.names.iter().zip(kind.min..).find(|(name, _)| name.eq_ignore_ascii_case(text));
    if let Some((_, number)) = named {
        return Ok(number);
    }
    parse_digits(text).ok_or_else(|| {
        let Kind { expected, .. } = kind;
        if text == element {
            format!("has {}; expected {expected}, * or ?", quote(text))
        } else if text.is_empty() {
            format!("has {} with a number missing; expected {expected}", quote(element))
        } else {
            format!("has {} in {}; expected {expected}", quote(text), quote(element))
        }
    })
}

pub(super) fn parse_step(text: &str, element: &str) -> Result<u64, String> {
    parse_digits(text).filter(|step| *step > 0).ok_or_else(|| {
        format!("has the step {} in {}; expected a whole number of at least 1", quote(text), quote(element))
    })
}

/// Reads digits with an optional plus sign, which CronJob takes too. A minus sign never gets
/// here with a number: it stands for a range.
pub(super) fn parse_digits(text: &str) -> Option<u64> {
    text.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok())
}

pub(super) fn check_bounds(kind: &Kind, range: &Range, element: &str) -> Result<(), String> {
    let Kind { min, max, expected, .. } = kind;
    let Range { first, last, .. } = range;
    if first < min || last > max {
        let outside = if first < min { first } else { last };
        if outside.to_string() == element {
            return Err(format!("has {outside}; expected {expected}"));
        }
        return Err(format!("has {outside} in {}; expected {expected}", quote(element)));
    }
    if first > last {
        return Err(format!(
            "has {}, which ends before it begins; expected the lower number first, or two ranges: \
             {first}-{max},{min}-{last}",
            quote(element)
        ));
    }
    Ok(())
}
