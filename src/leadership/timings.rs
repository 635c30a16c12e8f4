//! The three lengths of time an election runs by.

use std::time::Duration;

/// How long before the renew deadline mutating requests cease: the longest a request may take from
/// the check that allowed it to its effect, without counting on `FENCE`.
pub const PERMIT_MARGIN: Duration = Duration::from_secs(2);
/// How much another's clock may run faster than ours, as the retry period is stretched for it.
const RETRY_STRETCH: f64 = 1.2;
/// Leases are whole seconds in an `int32`; a day is more than any election can want.
const LONGEST: Duration = Duration::from_secs(86_400);
/// A record that claims a longer duration than ours is believed up to so many times ours, so that
/// the setting can be raised up to fourfold in one rolling update, and a typo cannot keep
/// candidates waiting.
const LONGEST_RECORD: u32 = 4;

/// The lengths of time of an election, known to fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timings {
    lease_duration: Duration,
    renew_deadline: Duration,
    retry_period: Duration,
}

/// Why three lengths of time do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTimings {
    /// Candidates could take over from a leader that still acts.
    #[error("lease duration ({duration:?}) must be longer than the renew deadline ({deadline:?})")]
    DurationTooShort {
        /// The lease duration.
        duration: Duration,
        /// The renew deadline.
        deadline: Duration,
    },
    /// A leader could lose its right to act between two renewals.
    #[error("renew deadline ({deadline:?}) must be longer than 1.2 times the retry period ({retry:?}) and 2 s on top")]
    DeadlineTooShort {
        /// The renew deadline.
        deadline: Duration,
        /// The retry period.
        retry: Duration,
    },
    /// Zero, fractions of a second in the lease duration, or more than a day.
    #[error(
        "lease duration ({duration:?}) must be whole seconds, at most a day, and the retry period ({retry:?}) at least 100 ms"
    )]
    OutOfRange {
        /// The lease duration.
        duration: Duration,
        /// The retry period.
        retry: Duration,
    },
}

impl Timings {
    /// # Errors
    ///
    /// When the three do not fit together.
    pub fn new(
        lease_duration: Duration,
        renew_deadline: Duration,
        retry_period: Duration,
    ) -> Result<Self, InvalidTimings> {
        let (duration, deadline, retry) = (lease_duration, renew_deadline, retry_period);
        if duration > LONGEST || duration.subsec_nanos() != 0 || retry < Duration::from_millis(100) {
            return Err(InvalidTimings::OutOfRange { duration, retry });
        }
        if duration <= deadline {
            return Err(InvalidTimings::DurationTooShort { duration, deadline });
        }
        // Below a day by now unless the retry period is absurd, and then the deadline is shorter.
        if retry >= deadline || deadline <= retry.mul_f64(RETRY_STRETCH) + PERMIT_MARGIN {
            return Err(InvalidTimings::DeadlineTooShort { deadline, retry });
        }
        Ok(Self { lease_duration, renew_deadline, retry_period })
    }

    /// How long a record may stay unchanged before others take over.
    #[must_use]
    pub fn lease_duration(&self) -> Duration {
        self.lease_duration
    }

    /// How long after its last successful renewal a leader gives up.
    #[must_use]
    pub fn renew_deadline(&self) -> Duration {
        self.renew_deadline
    }

    /// How often a leader renews and a candidate tries.
    #[must_use]
    pub fn retry_period(&self) -> Duration {
        self.retry_period
    }

    /// How long one request to the API server may take: three attempts fit into the deadline, so
    /// that one dead connection does not cost the leadership.
    #[must_use]
    pub fn call_timeout(&self) -> Duration {
        self.renew_deadline / 3
    }

    /// How long after a renewal was sent mutating requests may be sent.
    #[must_use]
    pub fn permit(&self) -> Duration {
        self.renew_deadline.saturating_sub(PERMIT_MARGIN)
    }

    /// How long a record must stay unchanged before it has expired, given the duration it claims:
    /// never less than ours, never more than four times ours.
    #[must_use]
    pub fn expiry_of(&self, claimed_seconds: Option<i64>) -> Duration {
        let claimed = claimed_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
        Duration::from_secs(claimed).clamp(self.lease_duration, self.lease_duration * LONGEST_RECORD)
    }
}

impl Default for Timings {
    /// 15, 10 and 2 seconds, as everywhere in Kubernetes.
    fn default() -> Self {
        Self {
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timings(duration: f64, deadline: f64, retry: f64) -> Result<Timings, InvalidTimings> {
        let seconds = Duration::from_secs_f64;
        Timings::new(seconds(duration), seconds(deadline), seconds(retry))
    }

    #[test]
    fn timings_that_fit_are_taken() {
        assert_eq!(timings(15.0, 10.0, 2.0), Ok(Timings::default()));
        for (duration, deadline, retry) in [(60.0, 40.0, 15.0), (137.0, 107.0, 26.0), (5.0, 4.0, 0.5)] {
            assert!(timings(duration, deadline, retry).is_ok(), "{duration} {deadline} {retry}");
        }
    }

    #[test]
    fn timings_that_do_not_fit_are_refused_with_what_is_wrong() {
        for (duration, deadline, retry, expected) in [
            (10.0, 10.0, 2.0, "lease duration (10s) must be longer than the renew deadline (10s)"),
            (15.0, 4.0, 2.0, "renew deadline (4s) must be longer than 1.2 times the retry period (2s)"),
            (15.0, 10.0, 1e9, "renew deadline (10s) must be longer"),
            (15.5, 10.0, 2.0, "whole seconds"),
            (90_000.0, 10.0, 2.0, "at most a day"),
            (15.0, 10.0, 0.0, "at least 100 ms"),
            (0.0, 0.0, 0.0, "at least 100 ms"),
        ] {
            let error = timings(duration, deadline, retry).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_claimed_duration_is_believed_within_bounds() {
        let timings = Timings::default();
        for (claimed, expected) in [
            (None, 15),
            (Some(-1), 15),
            (Some(i64::MIN), 15),
            (Some(1), 15),
            (Some(40), 40),
            (Some(61), 60),
            (Some(i64::MAX), 60),
        ] {
            assert_eq!(timings.expiry_of(claimed), Duration::from_secs(expected), "{claimed:?}");
        }
    }
}
