//! What time it is, and whether that can be believed.
//!
//! # Expected flow
//!
//! One [`Clock`] is made at start and handed to everything that needs the time. The operator feeds
//! a [`ClockGuard`] with [`Clock::reading`]s (with each sweep) and with [`api_date`] samples
//! (each minute, and at once whenever [`ClockGuard::wants_sample`] says so), and decides nothing
//! unless [`ClockGuard::state`] is [`ClockState::Trusted`].
//!
//! # Guarantees
//!
//! * This is the one place where the wall clock is read; elsewhere it is a value.
//! * [`Clock::reading`] gives the wall clock and the monotonic clock of one moment, so that a step
//!   of the wall clock, a suspended host and a stopped process can be told from passing time.
//!
//! # Assumptions
//!
//! * The monotonic clock never goes back. It may or may not go on while a host is suspended.
//!
//! # Caveats
//!
//! * Which of two clocks is right cannot be known here. When ours and the API server's differ we
//!   stop, and say by how much.

mod api_date;
mod guard;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

pub use api_date::{ApiSample, SampleError, api_date};
pub use guard::{ClockGuard, ClockState};

/// The wall clock and the monotonic clock of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the wall clock says.
    pub wall: Timestamp,
    /// Time since the [`Clock`] was made, which no step of the wall clock touches.
    pub monotonic: Duration,
}

/// Where the time comes from. Cheap to clone; all clones agree.
#[derive(Clone, Debug)]
pub struct Clock {
    origin: Instant,
    wall: Wall,
}

#[derive(Clone, Debug)]
enum Wall {
    System,
    Simulated { start: Timestamp, stepped_millis: Arc<AtomicI64> },
}

impl Clock {
    /// The clocks of this machine.
    #[must_use]
    pub fn system() -> Self {
        Self { origin: Instant::now(), wall: Wall::System }
    }

    /// A wall clock that reads `start` now and then keeps step with tokio's clock, which tests
    /// pause and advance. [`Clock::step`] moves it.
    #[must_use]
    pub fn simulated(start: Timestamp) -> Self {
        let wall = Wall::Simulated { start, stepped_millis: Arc::default() };
        Self { origin: Instant::now(), wall }
    }

    /// The wall clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.reading().wall
    }

    /// Time since this clock was made, which no step of the wall clock touches.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Both clocks at one moment.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let monotonic = self.monotonic();
        let wall = match &self.wall {
            Wall::System => system_now(),
            Wall::Simulated { start, stepped_millis } => {
                let stepped = SignedDuration::from_millis(stepped_millis.load(Ordering::Relaxed));
                let passed = SignedDuration::try_from(monotonic).unwrap_or(SignedDuration::MAX);
                start.saturating_add(stepped.saturating_add(passed)).unwrap_or(Timestamp::MAX)
            }
        };
        Reading { wall, monotonic }
    }

    /// Sets a simulated wall clock forward, or back if negative. The system's is never set.
    pub fn step(&self, by: SignedDuration) {
        if let Wall::Simulated { stepped_millis, .. } = &self.wall {
            let millis = i64::try_from(by.as_millis()).unwrap_or(0);
            stepped_millis.fetch_add(millis, Ordering::Relaxed);
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
fn system_now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_simulated_clock_keeps_step_with_tokio_and_can_be_set() {
        let start: Timestamp = "2026-03-29T00:59:59Z".parse().expect("a valid time");
        let clock = Clock::simulated(start);
        let twin = clock.clone();
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(clock.now().to_string(), "2026-03-29T01:00:01Z");
        clock.step(SignedDuration::from_secs(-3600));
        assert_eq!(twin.now().to_string(), "2026-03-29T00:00:01Z");
        assert_eq!(twin.monotonic(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn the_system_clock_cannot_be_set_from_here() {
        let clock = Clock::system();
        let before = clock.now();
        clock.step(SignedDuration::from_hours(24));
        assert!(clock.now().duration_since(before) < SignedDuration::from_hours(1));
    }
}
