//! Whether our clock is to be believed: compared with itself at every reading, and with the API
//! server's from time to time, for as long as we lead.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use tokio::sync::Notify;

use crate::clock::{Clock, ClockGuard, ClockState, api_date};
use crate::cluster::fault::chain;
use crate::telemetry::Metrics;
use crate::watch::Watches;

/// How often the clocks are read when nobody else reads them.
const TURN: Duration = Duration::from_secs(1);

/// Our clock, and what is to be thought of it. A clone is another handle on the same.
#[derive(Clone)]
pub(super) struct Watched {
    clock: Clock,
    guard: Arc<Mutex<ClockGuard>>,
    compared: Arc<Notify>,
}

impl Watched {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, guard: Arc::default(), compared: Arc::default() }
    }

    /// The time, and why it is not to be believed, if it is not: judged by this very reading.
    pub(super) fn now(&self) -> (Timestamp, Option<String>) {
        let reading = self.clock.reading();
        let mut guard = self.guard.lock().unwrap_or_else(PoisonError::into_inner);
        match guard.observe(reading) {
            ClockState::Trusted => (reading.wall, None),
            ClockState::Skewed { text } => (reading.wall, Some(text.clone())),
        }
    }

    /// Completes when the clock was compared with the API server's.
    pub(super) async fn compared(&self) {
        self.compared.notified().await;
    }

    /// Compares, for ever, and says what came of it.
    ///
    /// A clock that moved by itself may be that of a host that slept for hours, while nobody else led: what
    /// there is is listed anew, as by a new leader, before the clock is believed and anything decided.
    pub(super) async fn compare(self, client: Client, watches: Watches, metrics: Metrics) {
        let mut turns = tokio::time::interval(TURN);
        // Nothing is said before the first comparison: then whatever came of it.
        let mut said = None;
        loop {
            turns.tick().await;
            let has_moved = said.is_some() && !self.with(|guard| guard.was_compared());
            if has_moved && let Err(error) = watches.catch_up().await {
                tracing::warn!(error = chain(&error), "the clock has moved, and what there is cannot be listed");
            } else if self.with(|guard| guard.wants_sample(self.clock.monotonic())) {
                self.sample(&client).await;
            }
            let (_, skew) = self.now();
            metrics.clock_skewed(skew.is_some());
            let is_trusted = skew.is_none();
            if said == Some(is_trusted) || (said.is_none() && !self.with(|guard| guard.was_compared())) {
                continue;
            }
            said = Some(is_trusted);
            match skew {
                Some(text) => tracing::error!(text, "the clock is not to be believed: nothing is decided until it is"),
                None => tracing::info!("the clock agrees with the API server's"),
            }
        }
    }

    async fn sample(&self, client: &Client) {
        match api_date(client, &self.clock).await {
            Ok(sample) => self.with(|guard| {
                guard.sample(&sample);
            }),
            Err(error) => {
                tracing::debug!(error = chain(&error), "the API server's time could not be read");
                self.with(|guard| guard.sample_failed(self.clock.monotonic()));
            }
        }
        self.compared.notify_one();
    }

    fn with<T>(&self, act: impl FnOnce(&mut ClockGuard) -> T) -> T {
        act(&mut self.guard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
