//! What our cron texts have beyond those of a CronJob: `H`, and days counted from the end of the
//! month, to the nearest workday, or among the weekdays of the month.

use super::super::days::DayRule;
use super::super::error::quote;
use super::super::sets::bit;
use super::field::{Element, Kind, Special, check_bounds, parse_digits, parse_number, parse_range, parse_step};
use super::hash::Spread;

/// Reads an element if it is one of those. An error is the rest of a sentence that says where the
/// element is.
pub(super) fn parse(kind: &Kind, text: &str, spread: &Spread<'_>) -> Option<Result<Element, String>> {
    if text.starts_with(['H', 'h']) && !text[1..].starts_with(|it: char| it.is_alphanumeric()) {
        return Some(parse_hash(kind, text, spread).map(Element::numbers));
    }
    let rule = match kind.special {
        Special::None => None,
        Special::DayOfMonth => day_of_month(text),
        Special::DayOfWeek => day_of_week(kind, text),
    };
    rule.map(|rule| rule.map(Element::days))
}

/// `H`, `H(a-b)`, `H/n` or `H(a-b)/n`.
fn parse_hash(kind: &Kind, text: &str, spread: &Spread<'_>) -> Result<u64, String> {
    const EXPECTED: &str = "expected H, H(a-b), H/n or H(a-b)/n";
    let (before, step) = match text[1..].split_once('/') {
        Some((before, step)) => (before, Some(parse_step(step, text)?)),
        None => (&text[1..], None),
    };
    let (first, last) = if before.is_empty() {
        (kind.min, kind.hash_max)
    } else {
        let inside = before.strip_prefix('(').and_then(|it| it.strip_suffix(')'));
        let inside = inside.filter(|it| it.contains('-') && !it.contains(['*', '?']));
        let inside = inside.ok_or_else(|| format!("has {}; {EXPECTED}", quote(text)))?;
        let range = parse_range(kind, inside, text)?;
        check_bounds(kind, &range, text)?;
        (range.first, range.last)
    };
    let choices = last - first + 1;
    let Some(step) = step else {
        return Ok(1 << (first + spread.choose(kind.name, choices)));
    };
    if step > choices {
        return Err(format!("has the step {step} in {}; expected at most {choices}", quote(text)));
    }
    let start = first + spread.choose(kind.name, step);
    let steps = (start..=last).step_by(usize::try_from(step).unwrap_or(usize::MAX));
    Ok(steps.fold(0, |numbers, number| numbers | 1 << number))
}

/// `L`, `L-n`, `LW` or `nW`.
fn day_of_month(text: &str) -> Option<Result<DayRule, String>> {
    if text.eq_ignore_ascii_case("L") {
        return Some(Ok(DayRule { before_last: bit(0), ..DayRule::default() }));
    }
    if text.eq_ignore_ascii_case("LW") {
        return Some(Ok(DayRule { last_workday: true, ..DayRule::default() }));
    }
    if let Some(before) = text.strip_prefix("L-").or_else(|| text.strip_prefix("l-")) {
        let before = parse_digits(before).and_then(|it| i8::try_from(it).ok()).filter(|it| (0..=30).contains(it));
        let expected = || format!("has {}; expected L- and 0 to 30 days before the last one", quote(text));
        return Some(before.map(|it| DayRule { before_last: bit(it), ..DayRule::default() }).ok_or_else(expected));
    }
    let day = text.strip_suffix(['W', 'w'])?;
    let day = parse_digits(day).and_then(|it| i8::try_from(it).ok()).filter(|it| (1..=31).contains(it));
    let expected = || format!("has {}; expected LW, or 1 to 31 and W, as in 15W", quote(text));
    Some(day.map(|it| DayRule { workday_nearest: bit(it), ..DayRule::default() }).ok_or_else(expected))
}

/// `d#n` or `dL`.
fn day_of_week(kind: &Kind, text: &str) -> Option<Result<DayRule, String>> {
    if let Some((day, nth)) = text.split_once('#') {
        let nth = parse_digits(nth).and_then(|it| usize::try_from(it).ok()).filter(|it| (1..=5).contains(it));
        let Some(nth) = nth else {
            let problem = "expected a weekday, # and 1 to 5, as in MON#2 for the second Monday of the month";
            return Some(Err(format!("has {}; {problem}", quote(text))));
        };
        return Some(weekday(kind, day, text).map(|weekday| {
            let mut rule = DayRule::default();
            rule.nth_weekdays[nth - 1] = weekday;
            rule
        }));
    }
    let day = text.strip_suffix(['L', 'l'])?;
    if day.is_empty() {
        let problem = "expected a weekday before L, as in 5L for the last Friday of the month";
        return Some(Err(format!("has {}; {problem}", quote(text))));
    }
    Some(weekday(kind, day, text).map(|weekday| DayRule { last_weekdays: weekday, ..DayRule::default() }))
}

fn weekday(kind: &Kind, day: &str, text: &str) -> Result<u64, String> {
    let number = parse_number(kind, day, text)?;
    if number > kind.max {
        return Err(format!("has {number} in {}; expected {}", quote(text), kind.expected));
    }
    Ok(1 << number)
}
