//! Times as they are given on the command line: instants, or what the clock shows in the trigger's
//! time zone.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::time::{Slot, Zone, quote};

/// A time, before it is known in which zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Moment {
    /// In RFC 3339.
    Instant(Slot),
    /// As the clock on the wall shows it.
    Shown(DateTime),
}

/// A stretch of time, its end not in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Its begin.
    pub from: Moment,
    /// Its end.
    pub until: Moment,
}

const EXPECTED: &str = "expected a time in RFC 3339, such as 2026-12-24T18:00:00Z, or in the trigger's time zone, such as 2026-12-24T18:00";

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Ok(Self::Instant(Slot::floor(instant)));
        }
        text.parse().map(Self::Shown).map_err(|_| format!("it is {}; {EXPECTED}", quote(text)))
    }
}

impl Moment {
    /// When that is, by the clocks in a zone.
    #[must_use]
    pub fn within(self, zone: &Zone) -> Slot {
        match self {
            Self::Instant(slot) => slot,
            // The calendar ends where the instants do.
            Self::Shown(shown) => zone.instant_of(shown).unwrap_or(Slot::floor(Timestamp::MAX)),
        }
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, until) =
            text.split_once("..").ok_or_else(|| format!("it is {}; expected FROM..UNTIL", quote(text)))?;
        Ok(Self { from: from.parse()?, until: until.parse()? })
    }
}

impl Span {
    /// Begin and end, by the clocks in a zone.
    ///
    /// # Errors
    ///
    /// When it ends before it begins.
    pub fn within(&self, zone: &Zone) -> Result<(Slot, Slot), String> {
        let (from, until) = (self.from.within(zone), self.until.within(zone));
        if from < until {
            return Ok((from, until));
        }
        Err(format!("{}..{} ends before it begins", from.timestamp(), until.timestamp()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Moment, Span};
    use crate::time::Zone;

    fn seconds(text: &str) -> i64 {
        let zone = Zone::parse(Some("Europe/Berlin")).expect("a zone");
        text.parse::<Moment>().expect("a time").within(&zone).unix_seconds()
    }

    #[test]
    fn a_time_without_an_offset_is_what_the_clock_in_the_zone_shows() {
        assert_eq!(seconds("2026-06-01T12:00"), seconds("2026-06-01T10:00:00Z"));
        assert_eq!(seconds("2026-06-01 12:00:30"), seconds("2026-06-01T10:00:30Z"));
        assert_eq!(seconds("2026-06-01"), seconds("2026-05-31T22:00:00Z"));
    }

    #[test]
    fn what_is_no_time_is_refused_with_examples() {
        let refused = |text: &str| text.parse::<Span>().expect_err("refused");
        assert!(refused("10:00").contains("expected FROM..UNTIL"), "{}", refused("10:00"));
        assert!(refused("10:00..").contains("such as 2026-12-24T18:00"), "{}", refused("10:00.."));
        let zone = Zone::parse(None).expect("UTC");
        let backwards: Span = "2026-06-02..2026-06-01".parse().expect("two times");
        assert!(backwards.within(&zone).expect_err("refused").contains("ends before it begins"));
    }
}
