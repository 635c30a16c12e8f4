//! Instants a user listed one by one.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};

use super::error::{TriggerError, quote};
use super::search::DaylightSaving;
use super::zone::Zone;
use super::{Search, Slot};

/// As many as the resource's schema admits.
const MAX_INSTANTS: usize = 100;

/// Listed slots, ascending, each once.
#[derive(Clone, Debug)]
pub(super) struct Instants {
    slots: Vec<Slot>,
}

impl Instants {
    /// Listed instants, each checked.
    pub(super) fn parse(texts: &[String]) -> Result<Self, Vec<TriggerError>> {
        Self::read("spec.trigger.at", texts, parse_instant)
    }

    /// Listed wall-clock times. One that exists twice is the first of the two.
    pub(super) fn parse_local(
        texts: &[String],
        zone: &Zone,
        daylight_saving: DaylightSaving,
    ) -> Result<Self, Vec<TriggerError>> {
        Self::read("spec.trigger.atLocal", texts, |path, text| {
            let time = parse_local_time(path, text)?;
            let never = |why: &str| Err(TriggerError::invalid(path, format!("is {}, {why}", quote(text))));
            let name = zone.name();
            if !zone.has_date(time.date()) {
                return never(&format!("a date that does not exist in {name}"));
            }
            if daylight_saving == DaylightSaving::RealTime && zone.skips(time) {
                return never(&format!(
                    "which the clocks in {name} skip that day; write another time, or use daylightSaving: RunOnce"
                ));
            }
            let slot = zone.first_shown(time).filter(|it| *it <= Slot::LAST);
            slot.map_or_else(|| never("which is no time of the calendar known here"), Ok)
        })
    }

    /// Those of the slots for which something holds.
    pub(super) fn filter(&self, holds: impl Fn(Slot) -> bool) -> Self {
        Self { slots: self.slots.iter().copied().filter(|slot| holds(*slot)).collect() }
    }

    fn read(
        path: &str,
        texts: &[String],
        read: impl Fn(&str, &str) -> Result<Slot, TriggerError>,
    ) -> Result<Self, Vec<TriggerError>> {
        if texts.is_empty() {
            return Err(vec![TriggerError::invalid(path, "is an empty list; expected at least one time")]);
        }
        if texts.len() > MAX_INSTANTS {
            let problem = format!("lists {} times; expected at most {MAX_INSTANTS}", texts.len());
            return Err(vec![TriggerError::invalid(path, problem)]);
        }
        let (mut slots, mut errors) = (Vec::new(), Vec::new());
        for (index, text) in texts.iter().enumerate() {
            match read(&format!("{path}[{index}]"), text) {
                Ok(slot) => slots.push(slot),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        slots.sort_unstable();
        slots.dedup();
        Ok(Self { slots })
    }

    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(super) fn next(&self, after: Slot) -> Search {
        let passed = self.slots.partition_point(|slot| *slot <= after);
        self.slots.get(passed).copied().into()
    }

    pub(super) fn prev(&self, before: Slot) -> Search {
        let passed = self.slots.partition_point(|slot| *slot < before);
        self.slots[..passed].last().copied().into()
    }
}

/// Reads an instant in RFC 3339. A slot is a whole second and never before the instant asked
/// for, so fractions are rounded up.
///
/// # Errors
///
/// When it is none; the path says where it stands.
pub fn parse_instant(path: &str, text: &str) -> Result<Slot, TriggerError> {
    const EXPECTED: &str = "expected an instant in RFC 3339, such as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00";
    if text.is_empty() {
        return Err(TriggerError::invalid(path, format!("is empty; {EXPECTED}")));
    }
    if !is_rfc3339(text) {
        return Err(TriggerError::invalid(path, format!("is {}; {EXPECTED}", quote(text))));
    }
    let slot = text.parse::<Timestamp>().ok().map(Slot::ceil).filter(|slot| *slot <= Slot::LAST);
    slot.ok_or_else(|| {
        let last = Slot::LAST.timestamp();
        let problem = format!("is {}, which is no time of the calendar known here (up to {last})", quote(text));
        TriggerError::invalid(path, problem)
    })
}

/// Reads a date.
pub(super) fn parse_date(path: &str, text: &str) -> Result<Date, TriggerError> {
    let date = if has_shape(text.as_bytes(), b"0000-00-00") { text.parse::<Date>().ok() } else { None };
    date.ok_or_else(|| {
        TriggerError::invalid(path, format!("is {}; expected a date of the calendar, such as 2026-12-24", quote(text)))
    })
}

/// Reads `HH:MM` or `HH:MM:SS`.
pub(super) fn time_of_day(text: &str) -> Option<Time> {
    let has_seconds = has_shape(text.as_bytes(), b"00:00:00");
    // A leap second would be read as the second before it.
    if !(has_seconds || has_shape(text.as_bytes(), b"00:00")) || (has_seconds && text.ends_with("60")) {
        return None;
    }
    text.parse().ok()
}

/// Reads a wall-clock time with its date.
fn parse_local_time(path: &str, text: &str) -> Result<DateTime, TriggerError> {
    let parts = text.split_once(['T', 't']);
    let date = parts.and_then(|(date, _)| parse_date(path, date).ok());
    let time = parts.and_then(|(_, time)| time_of_day(time));
    match (date, time) {
        (Some(date), Some(time)) => Ok(date.to_datetime(time)),
        _ => {
            const EXPECTED: &str = "expected a date and a time without a zone, such as 2026-12-24T18:00";
            Err(TriggerError::invalid(path, format!("is {}; {EXPECTED}", quote(text))))
        }
    }
}

/// Whether a text looks like an example, in which `0` stands for any digit and `T` for `t`, too.
fn has_shape(text: &[u8], example: &[u8]) -> bool {
    text.len() == example.len()
        && text.iter().zip(example).all(|(byte, expected)| match expected {
            b'0' => byte.is_ascii_digit(),
            b'T' => byte.eq_ignore_ascii_case(&b'T'),
            _ => byte == expected,
        })
}

/// Whether a text has the shape of RFC 3339. The parser alone would take more: spaces, zone
/// names in brackets, seconds left out.
fn is_rfc3339(text: &str) -> bool {
    const DATE_AND_TIME: &[u8] = b"0000-00-00T00:00:00";
    let Some((date_and_time, rest)) = text.as_bytes().split_at_checked(DATE_AND_TIME.len()) else {
        return false;
    };
    let zone = match rest.split_first() {
        Some((b'.', fraction)) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=9).contains(&digits) {
                return false;
            }
            &fraction[digits..]
        }
        _ => rest,
    };
    // A leap second would be read as the second before it.
    let is_leap_second = date_and_time.ends_with(b"60");
    let is_zone = has_shape(zone, b"+00:00") || has_shape(zone, b"-00:00") || matches!(zone, [b'Z' | b'z']);
    let offset_in_a_day = zone.get(1..3).is_none_or(|hours| hours <= b"23".as_slice());
    has_shape(date_and_time, DATE_AND_TIME) && !is_leap_second && is_zone && offset_in_a_day
}
