//! Durations as users write them: `90s`, `15m`, `1h30m`, `7d`, `2w`.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Weeks, days, hours, minutes and seconds, each at most once and in this order. A day is
/// always 24 hours: this is elapsed time, not calendar time.
const PATTERN: &str = "^([0-9]{1,4}w)?([0-9]{1,5}d)?([0-9]{1,6}h)?([0-9]{1,8}m)?([0-9]{1,9}s)?$";
/// Long enough for every text the pattern admits.
const MAX_LENGTH: usize = 40;

const UNITS: [(char, u64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A length of elapsed time in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    seconds: u64,
}

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a duration: write weeks, days, hours, minutes and seconds in this order, such as 90s, 15m, 1h30m, 7d or 2w"
)]
pub struct InvalidDuration {
    text: String,
}

impl Duration {
    /// A duration of so many seconds.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self { seconds }
    }

    /// Its length in seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.seconds
    }

    /// Its length in seconds, for arithmetic on instants. No duration a user can write exceeds it.
    #[must_use]
    pub fn seconds_i64(self) -> i64 {
        i64::try_from(self.seconds).unwrap_or(i64::MAX)
    }
}

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let invalid = || InvalidDuration { text: text.chars().take(MAX_LENGTH).collect() };
        if text.is_empty() || text.len() > MAX_LENGTH {
            return Err(invalid());
        }
        let mut units = UNITS.iter();
        let mut rest = text;
        let mut seconds = 0_u64;
        while !rest.is_empty() {
            let digits = rest.chars().take_while(char::is_ascii_digit).count();
            let unit = rest[digits..].chars().next().ok_or_else(invalid)?;
            let (_, length) = units.find(|(name, _)| *name == unit).ok_or_else(invalid)?;
            let number: u64 = rest[..digits].parse().map_err(|_| invalid())?;
            seconds = number.checked_mul(*length).and_then(|part| seconds.checked_add(part)).ok_or_else(invalid)?;
            rest = &rest[digits + unit.len_utf8()..];
        }
        Ok(Self { seconds })
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.seconds == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.seconds;
        for (unit, length) in UNITS {
            // Weeks are only for whole weeks: people read 15d more easily than 2w1d.
            if unit == 'w' && !rest.is_multiple_of(length) {
                continue;
            }
            if rest / length > 0 {
                write!(f, "{}{unit}", rest / length)?;
                rest %= length;
            }
        }
        Ok(())
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema(PATTERN, "a length of time is written such as 90s, 15m, 1h30m, 7d or 2w, and is at least 1s")
    }
}

/// The schema of a length of time in the units of a pattern. It is checked by a rule and not by
/// `pattern`, whose refusal would be a regular expression and not a sentence.
pub(crate) fn schema(pattern: &str, sentence: &str) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": MAX_LENGTH,
        "x-kubernetes-validations": [{"rule": format!("self.matches('{pattern}') && self.matches('[1-9]')"), "message": sentence}],
    })
}

#[cfg(test)]
mod tests {
    use super::Duration;

    #[test]
    fn every_unit_and_their_sums_are_read() {
        for (text, seconds) in
            [("90s", 90), ("15m", 900), ("1h30m", 5_400), ("7d", 604_800), ("2w", 1_209_600), ("1w1d1h1m1s", 694_861)]
        {
            assert_eq!(text.parse::<Duration>().map(Duration::seconds), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example_of_one() {
        for text in ["", "5", "m", "5 m", "1m1h", "1h1h", "-5s", "1.5h", "5ms", "99999999999999999999s", "五s"] {
            let error = text.parse::<Duration>().expect_err(text).to_string();
            assert!(error.contains("such as 90s"), "{error}");
        }
    }

    #[test]
    fn printing_gives_the_text_a_person_would_write() {
        for text in ["0s", "90s", "15m", "1h30m", "7d", "2w", "15d"] {
            let printed = text.parse::<Duration>().expect(text).to_string();
            assert_eq!(printed.parse::<Duration>(), text.parse::<Duration>());
        }
        assert_eq!(Duration::from_seconds(90).to_string(), "1m30s");
        assert_eq!(Duration::from_seconds(15 * 86_400).to_string(), "15d");
    }
}
