//! What was told of every slot, from the first look to the last: status holds only the newest.

use super::history::History;
use super::words::Words;
use crate::api::status::Origin;
use crate::decide::Snapshot;
use crate::decide::plan::Plan;
use crate::report::happened::{Happened, StartEnd};
use crate::time::{Slot, Trigger};

/// What became of one slot, or of a range of slots.
#[derive(Clone, Debug)]
pub struct Told {
    /// The slot; of a range the first.
    pub first: Slot,
    /// The last of a range.
    pub last: Slot,
    /// How many; `None` when nobody knows.
    pub count: Option<u64>,
    /// Its outcome, or Started.
    pub what: String,
}

/// One version of the trigger, and from when it decided slots.
#[derive(Clone, Debug)]
pub struct Era {
    /// What tells it from others.
    pub hash: String,
    /// Slots after this one are its own.
    pub since: Slot,
    /// The trigger, if it could be understood.
    pub trigger: Option<Trigger>,
}

/// All that was told.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Of slots, in the order in which they were decided.
    pub told: Vec<Told>,
    /// The versions of the trigger.
    pub eras: Vec<Era>,
    /// While maxRuns was reached: after which slot, and up to which.
    pub gaps: Vec<(Slot, Slot)>,
    /// The reasons of the Events, in their order.
    pub events: Vec<String>,
    /// The words of status that were ever in use.
    pub words: Words,
    /// What became of slots and runs, with the reasons.
    pub history: History,
    /// What must never be, and was, not yet told.
    pub complaints: Vec<String>,
    /// Events, with their notes, not yet in the log.
    pub news: Vec<String>,
}

impl Ledger {
    /// Takes in a round whose status was stored.
    pub fn record(&mut self, snapshot: &Snapshot, plan: &Plan, happened: &Happened) {
        for settled in &plan.settled {
            self.tell(settled.first, settled.last, settled.count, &settled.outcome);
        }
        for adopted in plan.adopted.iter().filter(|it| !it.late_create && !it.is_of_known_run) {
            self.tell_of(&adopted.origin, "Started");
        }
        for (start, end) in happened.starts.iter().filter(|(start, _)| start.attempt == 1) {
            match end {
                StartEnd::Created { .. } | StartEnd::FoundOurs(_) => self.tell_of(&start.origin, "Started"),
                StartEnd::NameTaken | StartEnd::Refused { .. } => self.tell_of(&start.origin, "FailedToCreate"),
                StartEnd::Blocked { .. } => {}
            }
        }
        let before = snapshot.status.as_ref().filter(|it| it.max_runs_reached.is_some());
        if let Some(mark) = before.and_then(|it| it.decided_through.as_ref()).map(|it| Slot::floor(it.0))
            && let Some(new_mark) = plan.memory.mark.filter(|it| *it > mark)
        {
            self.gaps.push((mark, new_mark));
        }
        if let Some(epoch) = &plan.memory.epoch
            && self.eras.last().is_none_or(|era| era.hash != epoch.hash)
        {
            let trigger = snapshot.spec.as_ref().ok().map(|it| it.trigger.clone());
            self.eras.push(Era { hash: epoch.hash.clone(), since: Slot::floor(epoch.since.0), trigger });
        }
    }

    /// A ScheduleRun is no slot.
    fn tell_of(&mut self, origin: &Origin, what: &str) {
        if let Some(slot) = origin.slot() {
            self.tell(slot, slot, Some(1), what);
        }
    }

    fn tell(&mut self, first: Slot, last: Slot, count: Option<u64>, what: impl ToString) {
        self.told.push(Told { first, last, count, what: what.to_string() });
    }
}
