//! Which run Leases are to be written, and when. Pure: declarations, outcomes and moments go in,
//! actions come out. Moments are lengths of time on our monotonic clock.
//!
//! # Expected flow
//!
//! [`Upkeep::declare`] tells the active runs of a schedule; [`Upkeep::take_due`] gives an action,
//! whose outcome goes to [`Upkeep::finish`]; [`Upkeep::next_due`] tells when to ask again.
//!
//! # Guarantees
//!
//! * Each run has at most one action under way.
//! * A Lease is renewed between three eighths and half of its duration after it was last written,
//!   at a moment that differs from run to run.
//! * What the first declaration of a schedule brings soon after our start is taken for the
//!   inheritance of an earlier leader: it is looked at first, at moments spread over one duration.
//!   Later runs are ours, and get their Lease at once.
//! * A run declared and withdrawn before anything was sent costs nothing.
//! * A Lease of the same name that is no run Lease of that Job is never deleted.
//!
//! # Caveats
//!
//! * Nothing here, nor the expiry of any of these Leases, starts, stops or finishes a run.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::Timestamp;

use crate::leadership::Term;

/// The first wait after a failure; each further one doubles it, up to half a duration.
const FIRST_BACKOFF: Duration = Duration::from_secs(5);

/// An active run, by its Job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunRef {
    /// The namespace of the Job and of the Lease.
    pub namespace: String,
    /// The name of the Job and of the Lease.
    pub job_name: String,
    /// The UID of the Job, which owns the Lease.
    pub job_uid: String,
}

/// Namespace and name of a Job and its Lease.
pub type Key = (String, String);

/// A Lease as it was last written or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Guards a write.
    pub resource_version: String,
    /// Guards a deletion.
    pub uid: String,
    /// `leaseTransitions`.
    pub transitions: Term,
    /// Whether we are its holder.
    pub ours: bool,
    /// Since when its holder holds it, if that can be read.
    pub acquired: Option<Timestamp>,
    /// Whether it bears our label and belongs to this Job.
    pub is_run_lease: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    /// It may exist.
    Unknown,
    /// It does not, as far as we know.
    Absent,
    /// It does, and something is to be written.
    Found(Facts),
    /// We wrote it last.
    Written(Facts),
}

/// One request about one Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read it.
    Read(RunRef),
    /// Create it.
    Create(RunRef),
    /// Write holder, times and owner; a new holder adds one to `leaseTransitions`.
    Write(RunRef, Facts),
    /// Delete it, guarded by UID and resource version.
    Delete(RunRef, Facts),
}

/// What came of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Read: this is how it is.
    Found(Facts),
    /// Created or written: this is how it is now.
    Written(Facts),
    /// There is none: not found, or deleted by us.
    Missing,
    /// It is not as we thought.
    Conflict,
    /// It failed, or nobody knows what became of it.
    Failed,
    /// It was not sent.
    NotSent,
}

#[derive(Debug)]
struct Entry {
    schedule: String,
    run: RunRef,
    desired: bool,
    known: Known,
    due: Duration,
    busy: bool,
    failures: u32,
}

/// All run Leases we look after.
#[derive(Debug)]
pub struct Upkeep {
    duration: Duration,
    started: Duration,
    entries: HashMap<Key, Entry>,
    by_schedule: HashMap<String, Vec<Key>>,
    /// The moment of each entry that is not busy.
    queue: BTreeSet<(Duration, Key)>,
    held: usize,
}

impl RunRef {
    /// Namespace and name.
    #[must_use]
    pub fn key(&self) -> Key {
        (self.namespace.clone(), self.job_name.clone())
    }

    /// A share of `whole` that differs from run to run and never changes.
    fn share_of(&self, whole: Duration) -> Duration {
        let mut hasher = DefaultHasher::new();
        self.job_uid.hash(&mut hasher);
        whole / 1024 * u32::try_from(hasher.finish() % 1024).unwrap_or(0)
    }
}

impl Action {
    /// The run it is about.
    #[must_use]
    pub fn run(&self) -> &RunRef {
        match self {
            Self::Read(run) | Self::Create(run) | Self::Write(run, _) | Self::Delete(run, _) => run,
        }
    }
}

impl Upkeep {
    /// Looks after nothing yet; Leases are to be `duration` long.
    #[must_use]
    pub fn new(duration: Duration, now: Duration) -> Self {
        let (entries, by_schedule) = (HashMap::new(), HashMap::new());
        Self { duration, started: now, entries, by_schedule, queue: BTreeSet::new(), held: 0 }
    }

    /// Replaces what is known of a schedule's active runs.
    pub fn declare(&mut self, schedule: &str, runs: Vec<RunRef>, now: Duration) {
        let inherited = !self.by_schedule.contains_key(schedule) && now < self.started.saturating_add(self.duration);
        let keys: Vec<Key> = runs.iter().map(RunRef::key).collect();
        for run in runs {
            self.want(schedule, run, inherited, now);
        }
        let before = self.by_schedule.insert(schedule.to_owned(), keys).unwrap_or_default();
        let kept = self.by_schedule.get(schedule).map(Vec::as_slice).unwrap_or_default();
        let gone: Vec<Key> = before.into_iter().filter(|key| !kept.contains(key)).collect();
        for key in gone {
            self.withdraw(schedule, &key, now);
        }
    }

    /// Runs of a schedule that were recorded as ended. Those we never heard of, as they ended while
    /// nobody led or at once, may have a Lease of an earlier leader: it is looked for soon.
    pub fn end(&mut self, schedule: &str, runs: Vec<RunRef>, now: Duration) {
        if self.by_schedule.contains_key(schedule) {
            return;
        }
        for run in runs {
            let key = run.key();
            if self.entries.contains_key(&key) {
                continue;
            }
            let due = now.saturating_add(run.share_of(self.duration / 8));
            self.queue.insert((due, key.clone()));
            let schedule = schedule.to_owned();
            self.entries.insert(
                key,
                Entry { schedule, run, desired: false, known: Known::Unknown, due, busy: false, failures: 0 },
            );
        }
    }

    /// A schedule that is gone, with all its runs.
    pub fn forget(&mut self, schedule: &str, now: Duration) {
        for key in self.by_schedule.remove(schedule).unwrap_or_default() {
            self.withdraw(schedule, &key, now);
        }
    }

    fn want(&mut self, schedule: &str, run: RunRef, inherited: bool, now: Duration) {
        let key = run.key();
        if let Some(entry) = self.entries.get_mut(&key) {
            let changed = entry.run != run || !entry.desired;
            (entry.schedule, entry.run, entry.desired) = (schedule.to_owned(), run, true);
            return if changed {
                self.reschedule(&key, now)
            };
        }
        let (known, due) = if inherited {
            (Known::Unknown, now.saturating_add(run.share_of(self.duration)))
        } else {
            (Known::Absent, now)
        };
        self.queue.insert((due, key.clone()));
        let schedule = schedule.to_owned();
        self.entries.insert(key, Entry { schedule, run, desired: true, known, due, busy: false, failures: 0 });
    }

    fn withdraw(&mut self, schedule: &str, key: &Key, now: Duration) {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.schedule == schedule) else { return };
        entry.desired = false;
        if entry.is_over() && !entry.busy {
            self.queue.remove(&(entry.due, key.clone()));
            self.entries.remove(key);
        } else {
            self.reschedule(key, now);
        }
    }

    fn reschedule(&mut self, key: &Key, due: Duration) {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| !entry.busy) else { return };
        self.queue.remove(&(entry.due, key.clone()));
        entry.due = due;
        self.queue.insert((due, key.clone()));
    }

    /// The action that has been due for longest, if any is.
    pub fn take_due(&mut self, now: Duration) -> Option<Action> {
        let (due, key) = self.queue.first().filter(|(due, _)| *due <= now)?.clone();
        self.queue.remove(&(due, key.clone()));
        let entry = self.entries.get_mut(&key)?;
        entry.busy = true;
        let run = entry.run.clone();
        Some(match (&entry.known, entry.desired) {
            (Known::Unknown, _) | (Known::Absent, false) => Action::Read(run),
            (Known::Absent, true) => Action::Create(run),
            (Known::Found(facts) | Known::Written(facts), true) => Action::Write(run, facts.clone()),
            (Known::Found(facts) | Known::Written(facts), false) => Action::Delete(run, facts.clone()),
        })
    }

    /// When an action will be due.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// How many Leases are in our hands.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// Takes note of what came of an action taken.
    pub fn finish(&mut self, key: &Key, outcome: Outcome, now: Duration) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.busy = false;
        let held_before = entry.is_held();
        let wait = entry.learn(outcome, self.duration);
        let (is_held, forgotten) = (entry.is_held(), entry.is_over());
        entry.due = now.saturating_add(wait);
        let due = entry.due;
        self.held = self.held + usize::from(is_held) - usize::from(held_before);
        if forgotten {
            self.entries.remove(key);
        } else {
            self.queue.insert((due, key.clone()));
        }
    }
}

impl Entry {
    fn is_held(&self) -> bool {
        matches!(self.known, Known::Written(..))
    }

    /// Whether there is nothing left to do, now or later.
    fn is_over(&self) -> bool {
        let nothing_of_ours = match &self.known {
            Known::Absent => true,
            Known::Found(facts) => !facts.is_run_lease,
            Known::Unknown | Known::Written(..) => false,
        };
        !self.desired && nothing_of_ours
    }

    /// How long until the next action.
    fn learn(&mut self, outcome: Outcome, duration: Duration) -> Duration {
        match outcome {
            Outcome::NotSent => {}
            Outcome::Missing => self.known = Known::Absent,
            Outcome::Found(facts) => self.known = Known::Found(facts),
            Outcome::Written(facts) => {
                self.failures = 0;
                self.known = Known::Written(facts);
                return if self.desired { renewal_wait(&self.run, duration) } else { Duration::ZERO };
            }
            Outcome::Conflict | Outcome::Failed => {
                self.failures = self.failures.saturating_add(1);
                self.known = Known::Unknown;
                // The first conflict is looked into at once; a second one in a row is a quarrel.
                let at_once = outcome == Outcome::Conflict && self.failures == 1;
                return if at_once { Duration::ZERO } else { backoff(self.failures, duration) };
            }
        }
        Duration::ZERO
    }
}

/// Half of the duration, less up to an eighth.
fn renewal_wait(run: &RunRef, duration: Duration) -> Duration {
    (duration / 2).saturating_sub(run.share_of(duration / 8))
}

fn backoff(failures: u32, duration: Duration) -> Duration {
    FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(duration / 2)
}
