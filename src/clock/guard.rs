//! Whether our clock can be believed. Pure: readings go in, a verdict comes out.
//!
//! # Guarantees
//!
//! * Nothing is trusted before the first comparison with the API server's clock.
//! * A wall clock that moved against the monotonic one by more than 10 s between two readings, or
//!   that differs from the API server's by more than 30 s, is not trusted.
//! * A sample taken after the trouble was seen, and agreeing, always ends it: also after a host
//!   was suspended, whether or not its monotonic clock stood still.
//!
//! # Caveats
//!
//! * A clock that drifts slowly is only caught by the comparison with the API server.
//! * Where something strips the `Date` header, there is nothing to compare with; then each sample
//!   is taken as agreement, since stopping for ever would be worse.

use std::time::Duration;

use jiff::SignedDuration;

use super::{ApiSample, Reading};

/// How far the wall clock may move against the monotonic one between two readings.
const STEP_LIMIT: SignedDuration = SignedDuration::from_secs(10);
/// How far our wall clock may be from the API server's.
const API_LIMIT: SignedDuration = SignedDuration::from_secs(30);
/// How old the last sample may grow while all is well.
const SAMPLE_EVERY: Duration = Duration::from_secs(60);
/// How often to ask while the clock is not trusted.
const SAMPLE_EVERY_SKEWED: Duration = Duration::from_secs(2);

/// Whether decisions may be made by our clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClockState {
    /// Yes.
    Trusted,
    /// No.
    Skewed {
        /// Why, for people.
        text: String,
    },
}

/// Compares successive readings with each other and with the API server's clock.
#[derive(Clone, Debug)]
pub struct ClockGuard {
    state: ClockState,
    last: Option<Reading>,
    /// Samples asked for before this moment say nothing about the clock as it is now.
    stepped_at: Duration,
    sampled_at: Option<Duration>,
}

impl Default for ClockGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl ClockGuard {
    /// A guard that trusts nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let text = "our clock has not been compared with the API server's yet".to_owned();
        Self { state: ClockState::Skewed { text }, last: None, stepped_at: Duration::ZERO, sampled_at: None }
    }

    /// The verdict so far.
    #[must_use]
    pub fn state(&self) -> &ClockState {
        &self.state
    }

    /// Whether decisions may be made.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.state == ClockState::Trusted
    }

    /// Whether a comparison with the API server's clock was tried since the last step of ours.
    #[must_use]
    pub fn was_compared(&self) -> bool {
        self.sampled_at.is_some()
    }

    /// Whether the API server should be asked now.
    #[must_use]
    pub fn wants_sample(&self, monotonic: Duration) -> bool {
        let every = if self.is_trusted() { SAMPLE_EVERY } else { SAMPLE_EVERY_SKEWED };
        self.sampled_at.is_none_or(|at| monotonic >= at.saturating_add(every))
    }

    /// Takes a reading into account. One older than the last is ignored.
    pub fn observe(&mut self, reading: Reading) -> &ClockState {
        if let Some(last) = self.last {
            if reading.monotonic < last.monotonic {
                return &self.state;
            }
            let moved = moved(last, reading);
            if moved.abs() > STEP_LIMIT {
                self.stepped_at = reading.monotonic;
                // The comparison made before the step is void: ask again without delay.
                self.sampled_at = None;
                self.state = ClockState::Skewed { text: step_text(moved) };
            }
        }
        self.last = Some(reading);
        &self.state
    }

    /// Takes a comparison with the API server into account. One that was under way while our clock
    /// was set is ignored.
    pub fn sample(&mut self, sample: &ApiSample) -> &ClockState {
        self.observe(sample.sent);
        self.observe(sample.received);
        let set_meanwhile = moved(sample.sent, sample.received).abs() > STEP_LIMIT;
        if set_meanwhile || sample.sent.monotonic < self.stepped_at {
            return &self.state;
        }
        self.sampled_at = Some(sample.received.monotonic);
        self.state = match sample.ahead() {
            Some(ahead) if ahead.abs() > API_LIMIT => ClockState::Skewed { text: apart_text(ahead) },
            Some(_) | None => ClockState::Trusted,
        };
        &self.state
    }

    /// Notes that a sample was asked for in vain, so that the next one waits its turn.
    pub fn sample_failed(&mut self, monotonic: Duration) {
        self.sampled_at = Some(monotonic);
    }
}

/// How far the wall clock went beyond the monotonic one from one reading to another.
fn moved(from: Reading, to: Reading) -> SignedDuration {
    let passed = to.monotonic.saturating_sub(from.monotonic);
    let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
    to.wall.duration_since(from.wall).saturating_sub(passed)
}

fn step_text(moved: SignedDuration) -> String {
    let direction = if moved.is_negative() { "back" } else { "forward" };
    let seconds = moved.abs().as_secs();
    format!("our clock went {direction} by {seconds} s and is being compared with the API server's")
}

fn apart_text(ahead: SignedDuration) -> String {
    let direction = if ahead.is_negative() { "behind" } else { "ahead of" };
    let seconds = ahead.abs().as_secs();
    format!("our clock is {seconds} s {direction} the API server's: correct the time on this node or the API server's")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    /// Both clocks in seconds; the wall clock counts from some day in 2026.
    fn reading(wall: i64, monotonic: u64) -> Reading {
        let wall = Timestamp::from_second(1_767_225_600 + wall).expect("in range");
        Reading { wall, monotonic: Duration::from_secs(monotonic) }
    }

    fn sample(at: Reading, api: i64) -> ApiSample {
        ApiSample { sent: at, date: Some(reading(api, 0).wall), received: at }
    }

    fn trusted_at(wall: i64, monotonic: u64) -> ClockGuard {
        let mut guard = ClockGuard::new();
        guard.sample(&sample(reading(wall, monotonic), wall));
        assert!(guard.is_trusted());
        guard
    }

    fn text(guard: &ClockGuard) -> &str {
        match guard.state() {
            ClockState::Trusted => "trusted",
            ClockState::Skewed { text } => text,
        }
    }

    #[test]
    fn nothing_is_trusted_before_the_first_comparison() {
        let mut guard = ClockGuard::new();
        guard.observe(reading(0, 0));
        assert!(!guard.is_trusted());
        assert!(guard.wants_sample(Duration::ZERO));
        assert!(guard.sample(&sample(reading(1, 1), 1)) == &ClockState::Trusted);
    }

    #[test]
    fn a_move_of_ten_seconds_is_borne_and_more_is_not() {
        for (wall, trusted) in [(90, true), (110, true), (89, false), (111, false)] {
            let mut guard = trusted_at(0, 0);
            guard.observe(reading(wall, 100));
            assert_eq!(guard.is_trusted(), trusted, "{wall}: {}", text(&guard));
        }
    }

    #[test]
    fn after_a_step_only_a_fresh_and_agreeing_sample_restores_trust() {
        let mut guard = trusted_at(0, 0);
        let asked_before = reading(50, 50);
        guard.observe(reading(3_651, 51));
        assert!(text(&guard).contains("forward by 3600 s"), "{}", text(&guard));
        guard.observe(reading(3_660, 60));
        assert!(!guard.is_trusted(), "time alone restores nothing");
        guard.sample(&sample(asked_before, 50));
        assert!(!guard.is_trusted(), "the sample is older than the step");
        guard.sample(&sample(reading(3_662, 62), 62));
        assert!(text(&guard).contains("3599 s ahead"), "{}", text(&guard));
        guard.observe(reading(63, 63));
        guard.sample(&sample(reading(64, 64), 64));
        assert!(guard.is_trusted(), "set right again: {}", text(&guard));
    }

    #[test]
    fn a_suspended_host_recovers_by_itself_whether_its_monotonic_clock_stopped_or_not() {
        for monotonic_after in [10, 7_210] {
            let mut guard = trusted_at(0, 0);
            guard.observe(reading(10, 10));
            guard.observe(reading(7_210, monotonic_after));
            guard.sample(&sample(reading(7_211, monotonic_after + 1), 7_211));
            assert!(guard.is_trusted());
        }
    }

    #[test]
    fn a_clock_set_while_the_answer_was_on_its_way_is_not_compared_with_it() {
        let mut guard = trusted_at(0, 0);
        let straddling =
            ApiSample { sent: reading(10, 10), date: Some(reading(10, 0).wall), received: reading(500, 11) };
        guard.sample(&straddling);
        assert!(text(&guard).contains("forward"), "{}", text(&guard));
    }

    #[test]
    fn a_difference_from_the_api_server_is_named_with_its_direction() {
        let mut guard = trusted_at(0, 0);
        guard.sample(&sample(reading(60, 60), 100));
        assert!(text(&guard).contains("40 s behind"), "{}", text(&guard));
    }

    #[test]
    fn without_a_date_there_is_nothing_to_hold_against_the_clock() {
        let mut guard = ClockGuard::new();
        guard.sample(&ApiSample { sent: reading(0, 0), date: None, received: reading(0, 0) });
        assert!(guard.is_trusted());
    }

    #[test]
    fn samples_are_wanted_each_minute_and_sooner_while_skewed() {
        let mut guard = trusted_at(0, 0);
        assert!(!guard.wants_sample(Duration::from_secs(59)));
        assert!(guard.wants_sample(Duration::from_secs(60)));
        guard.observe(reading(1_000, 60));
        assert!(guard.wants_sample(Duration::from_secs(60)));
        guard.sample_failed(Duration::from_secs(60));
        assert!(!guard.wants_sample(Duration::from_secs(61)));
        assert!(guard.wants_sample(Duration::from_secs(62)));
    }

    proptest! {
        #[test]
        fn any_readings_end_in_trust_once_the_clocks_agree(
            readings in prop::collection::vec((any::<i32>(), any::<u32>()), 0..20)
        ) {
            let mut guard = ClockGuard::new();
            for (wall, monotonic) in readings {
                guard.observe(reading(i64::from(wall), u64::from(monotonic)));
            }
            let late = u64::from(u32::MAX) + 1;
            guard.observe(reading(0, late));
            guard.sample(&sample(reading(1, late + 1), 1));
            prop_assert!(guard.is_trusted());
        }
    }
}
