//! Percentiles and times.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

/// What time it is.
#[expect(clippy::disallowed_methods, reason = "the observer's time is the real one")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Seconds from one instant to another.
pub fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// Waits until an instant.
pub async fn until(instant: Timestamp) {
    while let Ok(left) = Duration::try_from(instant.duration_since(now()))
        && !left.is_zero()
    {
        tokio::time::sleep(left).await;
    }
}

/// How delays are spread, in seconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Spread {
    /// Half were shorter.
    pub p50: f64,
    /// Nine in ten were shorter.
    pub p90: f64,
    /// Ninety-nine in a hundred were shorter.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// How delays are spread.
pub fn spread(delays: &[f64]) -> Spread {
    let mut sorted = delays.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().unwrap_or_default()
    };
    Spread { p50: at(50), p90: at(90), p99: at(99), max: at(100) }
}

/// The value in the middle.
pub fn median(values: &[f64]) -> f64 {
    spread(values).p50
}

/// A number with as many digits as it deserves.
pub fn short(value: f64) -> String {
    match value.abs() {
        it if it >= 100.0 => format!("{value:.0}"),
        it if it >= 10.0 => format!("{value:.1}"),
        it if it >= 1.0 || it == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
pub fn float(count: usize) -> f64 {
    count as f64
}
