//! What became of every slot and of every run, from the first look to the last: status holds only
//! the newest.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::ScheduleStatus;
use crate::api::status::{ActiveRun, Origin, Outcome, Pending, Why};
use crate::decide::Snapshot;
use crate::decide::plan::{Look, Plan, Reason, RunEnd};
use crate::report::happened::{Happened, StartEnd};
use crate::report::notices::Notice;
use crate::time::Slot;

/// All that happened to one Schedule.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// What became of slots, by the first and the last of those decided together.
    pub slots: BTreeMap<(Slot, Slot), Decided>,
    /// Runs, in the order in which they started.
    pub runs: Vec<Run>,
    /// What else happened, in the order of time.
    pub happenings: Vec<(Timestamp, String)>,
    /// The most runs that were active at once.
    pub most_active: usize,
    /// The most slots that waited at once.
    pub most_waiting: usize,
    /// Runs that are active, by what they are for.
    open: BTreeMap<String, usize>,
}

/// What became of one slot, or of neighbouring slots that were decided together.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// How many; `None` when nobody can know.
    pub count: Option<u64>,
    /// When that was decided.
    pub at: Timestamp,
    /// What.
    pub fate: Fate,
    /// Active runs at that time, that of this slot among them.
    pub active: usize,
    /// Slots that waited then, this one among them.
    pub waiting: usize,
}

/// What became of a slot.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It is decided without a start.
    Settled {
        /// How.
        outcome: Outcome,
        /// Why.
        reason: Reason,
        /// The slot it was coalesced into.
        into: Option<Slot>,
    },
    /// It waits to start.
    Waits {
        /// Why.
        why: Why,
        /// What refuses its start, if something does.
        refusal: Option<String>,
    },
    /// It started, as this one of the runs.
    Started(usize),
}

/// What a slot, or a ScheduleRun, became.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What it is for.
    pub origin: Origin,
    /// When its first Job was created.
    pub started: Timestamp,
    /// Why it had to wait before, if it had.
    pub waited: Option<Why>,
    /// Its Jobs so far.
    pub attempts: i32,
    /// Its newest Job.
    pub job_name: String,
    /// The other runs that were active when it started.
    pub beside: usize,
    /// How it ended, if it has.
    pub end: Option<RunEnd>,
}

impl History {
    /// Takes in a round whose status was stored.
    pub fn record(&mut self, snapshot: &Snapshot, plan: &Plan, happened: &Happened, after: &ScheduleStatus) {
        let now = snapshot.now;
        // A run that has ended is active until its Pods have been read, but in nobody's way.
        let is_over =
            |run: &&ActiveRun| plan.unread.iter().any(|it| matches!(it, Look::Pods(_, uid) if *uid == run.job_uid));
        let (active, waiting) = (after.active.iter().filter(|run| !is_over(run)).count(), after.pending.len());
        (self.most_active, self.most_waiting) = (self.most_active.max(active), self.most_waiting.max(waiting));
        let mut decide = |first: Slot, last: Slot, count, fate| {
            self.slots.insert((first, last), Decided { count, at: now, fate, active, waiting });
        };
        for it in &plan.settled {
            let fate = Fate::Settled { outcome: it.outcome.clone(), reason: it.reason, into: it.into };
            decide(it.first, it.last, it.count, fate);
        }
        for (start, end) in &happened.starts {
            let reason = match end {
                StartEnd::NameTaken => Reason::NameTaken,
                StartEnd::Refused { .. } => Reason::JobRefused,
                StartEnd::Created { .. } | StartEnd::FoundOurs(_) | StartEnd::Blocked { .. } => continue,
            };
            let fate = Fate::Settled { outcome: Outcome::FailedToCreate, reason, into: None };
            start.origin.slot().into_iter().for_each(|slot| decide(slot, slot, Some(1), fate.clone()));
        }
        let before = snapshot.status.as_ref();
        let waited = before.map(|it| it.pending.as_slice()).unwrap_or_default();
        for pending in after.pending.iter().filter(|it| !waited.contains(it)) {
            let fate = Fate::Waits {
                why: pending.why.clone(),
                refusal: pending.reason.clone().filter(|_| pending.why == Why::Retrying),
            };
            pending.origin.slot().into_iter().for_each(|slot| decide(slot, slot, Some(1), fate.clone()));
        }
        let known = before.map(|it| it.active.as_slice()).unwrap_or_default();
        let ended = plan.ended.iter().map(|it| &it.run);
        for run in after.active.iter().chain(ended).filter(|it| !known.contains(it)) {
            self.follow(run, waited, (now, active, waiting));
        }
        for end in &plan.ended {
            if let Some(index) = self.open.remove(&end.run.origin.to_string()) {
                self.runs[index].end = Some(end.clone());
            }
        }
    }

    /// A run is new, or not what it was.
    fn follow(&mut self, run: &ActiveRun, waited: &[Pending], (now, active, waiting): (Timestamp, usize, usize)) {
        if let Some(index) = self.open.get(&run.origin.to_string()) {
            let known = &mut self.runs[*index];
            known.attempts = known.attempts.max(run.attempt);
            known.job_name.clone_from(&run.job_name);
            return;
        }
        let index = self.runs.len();
        self.open.insert(run.origin.to_string(), index);
        let waited = waited.iter().find(|it| it.origin == run.origin).map(|it| it.why.clone());
        self.runs.push(Run {
            origin: run.origin.clone(),
            started: run.start_time.0,
            waited,
            attempts: run.attempt,
            job_name: run.job_name.clone(),
            beside: active.saturating_sub(1),
            end: None,
        });
        if let Some(slot) = run.origin.slot() {
            let decided = Decided { count: Some(1), at: now, fate: Fate::Started(index), active, waiting };
            self.slots.insert((slot, slot), decided);
        }
    }

    /// Takes in what is told of the Schedule as a whole; slots and runs are told of otherwise.
    pub fn hear(&mut self, now: Timestamp, notice: &Notice) {
        let is_of_one = notice.reason == "Adopted" || Outcome::ALL.iter().any(|it| it.as_str() == notice.reason);
        if !is_of_one {
            self.happenings.push((now, format!("{}: {}", notice.reason, notice.note)));
        }
    }
}
