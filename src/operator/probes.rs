//! What the probes are answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::leadership::LeaderHandle;
use crate::telemetry::Health;
use crate::watch::Watches;

/// The loops come round every second; one that has not for this long is stuck.
const STUCK: Duration = Duration::from_secs(30);

/// When the working loop last came round; never, while this replica stands by.
#[derive(Debug, Default)]
pub(super) struct Beat(Mutex<Option<Instant>>);

impl Beat {
    pub(super) fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn age(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).map(|it| it.elapsed())
    }
}

/// What the probes ask.
pub(super) struct Probes {
    pub(super) watches: Watches,
    pub(super) leader: LeaderHandle,
    pub(super) beat: Arc<Beat>,
}

impl Health for Probes {
    fn live(&self) -> Result<(), String> {
        // Before that it does not campaign yet.
        if self.watches.are_synced() && self.leader.since_turn() > STUCK {
            return Err("the election loop is stuck".into());
        }
        match self.beat.age() {
            Some(age) if age > STUCK => Err("the working loop is stuck".into()),
            _ => Ok(()),
        }
    }

    fn ready(&self) -> Result<(), String> {
        if self.watches.are_synced() { Ok(()) } else { Err("not every watch has listed yet".into()) }
    }
}
