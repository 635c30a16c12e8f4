//! The length after `@every`, in the notation of Go's durations.

use super::super::error::{TriggerError, quote};
use super::PATH;

/// Nanoseconds in each unit. Longer names come first where one begins with another.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", NANOSECONDS),
    ("m", 60 * NANOSECONDS),
    ("h", 3_600 * NANOSECONDS),
];
const NANOSECONDS: u64 = 1_000_000_000;
/// Fractions are cut after so many digits, as nothing shorter than a nanosecond counts.
const MAX_DIGITS: usize = 15;

/// Reads a length in whole seconds, such as `1h30m`, `90s` or `1.5h`.
pub(super) fn parse(text: &str) -> Result<i64, TriggerError> {
    const EXPECTED: &str = "expected hours, minutes and seconds, such as 90s, 15m or 1h30m, and at most 2562047h";
    let invalid = |problem: &str| {
        TriggerError::invalid(PATH, format!("has {} after @every; {problem}", quote(text))).at("column 8")
    };
    let nanoseconds = parse_nanoseconds(text).ok_or_else(|| invalid(EXPECTED))?;
    let seconds = i64::try_from(nanoseconds / NANOSECONDS).map_err(|_| invalid(EXPECTED))?;
    if seconds < 1 {
        return Err(invalid("expected at least 1s"));
    }
    if nanoseconds % NANOSECONDS != 0 {
        return Err(invalid("expected whole seconds"));
    }
    Ok(seconds)
}

/// The sum of all parts, if it fits into what Go calls a duration.
fn parse_nanoseconds(text: &str) -> Option<u64> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let (whole, after_whole) = take_digits(rest);
        let (fraction, after_number) = after_whole.strip_prefix('.').map_or(("", after_whole), take_digits);
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        // A unit ends before the next digit or dot, so `m` is not the beginning of `ms`.
        let unit_end = after_number.find(|it: char| it.is_ascii_digit() || it == '.').unwrap_or(after_number.len());
        let (unit, after_unit) = after_number.split_at(unit_end);
        let (_, length) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
        sum = sum.checked_add(whole.checked_mul(*length)?)?.checked_add(part_of(*length, fraction))?;
        rest = after_unit;
    }
    i64::try_from(sum).is_ok().then_some(sum)
}

/// So many decimals of a unit, in nanoseconds.
fn part_of(unit: u64, decimals: &str) -> u64 {
    let digits = decimals.bytes().take(MAX_DIGITS).map(|digit| u128::from(digit - b'0'));
    let (number, scale) = digits.fold((0_u128, 1_u128), |(number, scale), digit| (number * 10 + digit, scale * 10));
    u64::try_from(number * u128::from(unit) / scale).unwrap_or(u64::MAX)
}

fn take_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}
