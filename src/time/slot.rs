//! Instants in whole seconds.

use jiff::Timestamp;

/// One instant, in whole UTC seconds, at which a trigger asks for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub(super) i64);

impl Slot {
    /// The slot at so many seconds since 1970 in UTC.
    #[must_use]
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970 in UTC.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0
    }

    /// The earliest instant jiff has a calendar for, but for one: a search begins before it.
    pub(super) const FIRST: Self = Self(-377_705_023_200);
    /// The latest one, in the last days of the year 9999.
    pub(super) const LAST: Self = Self(253_402_207_200);

    /// The first whole second at or after an instant.
    #[must_use]
    pub fn ceil(instant: Timestamp) -> Self {
        Self(instant.as_second() + i64::from(instant.subsec_nanosecond() > 0))
    }

    /// The whole second that holds an instant.
    #[must_use]
    pub fn floor(instant: Timestamp) -> Self {
        Self(instant.as_second() - i64::from(instant.subsec_nanosecond() < 0))
    }

    /// The same instant as a timestamp. Outside the years jiff knows (about −9999 to 9999) the
    /// nearest instant inside them.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        let clamped = self.0.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        Timestamp::from_second(clamped).unwrap_or(Timestamp::MAX)
    }

    /// The slot so many seconds later (earlier if negative).
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}
