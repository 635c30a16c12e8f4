//! What a run is for: a slot of the trigger, or a ScheduleRun.

use jiff::Timestamp;

use super::{slot_of, time_of};
use crate::api::status::{ActiveRun, Origin, Pending};
use crate::time::Slot;

impl Origin {
    /// The origin of a planned run.
    #[must_use]
    pub fn of_slot(slot: Slot) -> Self {
        Self::Slot(time_of(slot))
    }

    /// The slot, of a planned run.
    #[must_use]
    pub fn slot(&self) -> Option<Slot> {
        match self {
            Self::Slot(time) => Some(slot_of(time)),
            Self::ScheduleRun(_) => None,
        }
    }

    /// The instant it was asked for: its slot, or else when it was first seen.
    pub(super) fn asked_for(&self, seen: Timestamp) -> Timestamp {
        self.slot().map_or(seen, Slot::timestamp)
    }
}

/// For people.
impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Slot(time) => write!(f, "slot {}", time.0),
            Self::ScheduleRun(name) => write!(f, "ScheduleRun {name}"),
        }
    }
}

impl Pending {
    /// The instant it was asked for, by which it stands in line.
    #[must_use]
    pub fn asked_for(&self) -> Timestamp {
        self.origin.asked_for(self.since.0)
    }
}

impl ActiveRun {
    /// The instant it was asked for, by which runs are old or young.
    #[must_use]
    pub fn asked_for(&self) -> Timestamp {
        self.origin.asked_for(self.start_time.0)
    }
}
