//! Which words of status were ever in use: what a collection of stories is measured by.

use std::collections::BTreeSet;

use crate::api::{ScheduleRunStatus, ScheduleStatus};
use crate::decide::plan::Plan;

/// What a word says something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// How a slot or a run ended.
    Outcome,
    /// Why a slot or a ScheduleRun did not start, or waits, or why a Job was removed.
    Reason,
    /// Why a slot waits.
    Why,
    /// Where an active run stands.
    RunState,
    /// What pauses the Schedule.
    Pause,
    /// A condition: its type, its status and its reason.
    Condition,
    /// The reason of an Event.
    Event,
}

/// The words in use.
#[derive(Clone, Debug, Default)]
pub struct Words(BTreeSet<(Kind, String)>);

impl Words {
    /// Takes in what a round decided, and the status that came of it.
    pub fn take_in(&mut self, plan: &Plan, status: &ScheduleStatus) {
        let settled = plan.settled.iter().map(|it| (&it.outcome, it.reason));
        for (outcome, reason) in settled.chain(plan.dismissed.iter().map(|it| (&it.outcome, it.reason))) {
            self.insert(Kind::Outcome, outcome);
            self.insert(Kind::Reason, reason);
        }
        plan.removals.iter().for_each(|it| self.insert(Kind::Reason, it.reason));
        plan.ended.iter().for_each(|it| self.insert(Kind::Outcome, &it.outcome));
        for slot in &status.outcomes {
            self.insert(Kind::Outcome, &slot.outcome);
            slot.reason.iter().for_each(|reason| self.insert(Kind::Reason, reason));
        }
        for pending in &status.pending {
            self.insert(Kind::Why, &pending.why);
            pending.reason.iter().for_each(|reason| self.insert(Kind::Reason, reason));
        }
        status.active.iter().for_each(|it| self.insert(Kind::RunState, &it.state));
        status.pauses.iter().for_each(|it| self.insert(Kind::Pause, &it.source));
        for it in &status.conditions {
            self.insert(Kind::Condition, format!("{} {} {}", it.type_, it.status, it.reason));
        }
    }

    /// Takes in what a ScheduleRun tells.
    pub fn take_in_run(&mut self, status: &ScheduleRunStatus) {
        status.outcome.iter().for_each(|it| self.insert(Kind::Outcome, it));
        status.reason.iter().for_each(|it| self.insert(Kind::Reason, it));
    }

    /// Takes in one word.
    pub fn insert(&mut self, kind: Kind, word: impl ToString) {
        self.0.insert((kind, word.to_string()));
    }

    /// Takes in all those of another story.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
    }

    /// Those of one kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |it| it.0 == kind).map(|it| it.1.as_str())
    }
}
