//! The true time of a simulation, in whole milliseconds since its beginning.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

/// When every simulation begins: a minute before a full hour.
const BEGINNING: &str = "2026-03-03T11:59:00Z";

/// An instant of the true time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(pub u64);

impl At {
    pub fn plus(self, millis: u64) -> Self {
        Self(self.0 + millis)
    }

    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    pub fn timestamp(self) -> Timestamp {
        let beginning: Timestamp = BEGINNING.parse().unwrap();
        beginning + SignedDuration::from_millis(self.0.cast_signed())
    }

    /// The first whole millisecond at or after an instant.
    pub fn of(timestamp: Timestamp) -> Self {
        let beginning: Timestamp = BEGINNING.parse().unwrap();
        let nanos = timestamp.duration_since(beginning).as_nanos().max(0);
        Self(u64::try_from((nanos + 999_999) / 1_000_000).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}
