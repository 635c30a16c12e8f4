//! What is known of the objects, boiled down from the audit log to what an accountant asks for.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use punctual::api::ScheduleStatus;
use punctual::api::status::{Outcome, RunResult};
use serde_json::Value;

/// All of it. Objects are known by their UIDs.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Every Schedule there was.
    pub schedules: BTreeMap<String, ScheduleLife>,
    /// Every ScheduleRun there was.
    pub runs: BTreeMap<String, RunLife>,
    /// Every Job there was.
    pub jobs: BTreeMap<String, JobLife>,
    /// Every write of the leader Lease that was taken, in the order of time.
    pub claims: Vec<Claim>,
    /// What the operators asked to be changed, but for the leader Lease and Events.
    pub writes: Vec<Write>,
    /// What the operators were refused for want of a right or by a policy, whatever they asked.
    pub forbidden: Vec<Write>,
    /// Events that the operators wrote, by their reason.
    pub events: BTreeMap<String, usize>,
}

/// One Schedule, from its creation on.
#[derive(Debug, Default)]
pub struct ScheduleLife {
    /// Its name.
    pub name: String,
    /// When it was created, by the API server.
    pub created: Timestamp,
    /// What users wrote, in the order of its generations.
    pub specs: Vec<SpecVersion>,
    /// When a user deleted it.
    pub deleted: Option<Timestamp>,
    /// Every entry of `status.outcomes` there ever was.
    pub told: BTreeMap<(i64, i64, Option<i64>, String), Told>,
    /// Slots that were ever seen to wait.
    pub waited: BTreeSet<i64>,
    /// Each epoch there ever was, by its first second, with a generation that it was decided on.
    pub epochs: BTreeMap<i64, i64>,
    /// From when on status said that it was paused, and until when, or that it was not.
    pub pauses: Vec<(Timestamp, Paused)>,
    /// Results there ever were, by the name of the Job, with when they were stored.
    pub results: BTreeMap<String, (Timestamp, RunResult)>,
    /// Jobs that status said were to be stopped, and since when.
    pub stopping: BTreeMap<String, Timestamp>,
    /// The newest status.
    pub status: ScheduleStatus,
    /// Its version.
    pub version: u64,
}

/// What status says of pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paused {
    /// There is none.
    No,
    /// Until this instant, or until somebody ends it.
    Until(Option<Timestamp>),
}

/// One version of a spec.
#[derive(Debug, Clone)]
pub struct SpecVersion {
    /// When it was written.
    pub at: Timestamp,
    /// Its number.
    pub generation: i64,
    /// The whole of it.
    pub spec: Value,
}

/// One entry of `status.outcomes`.
#[derive(Debug, Clone)]
pub struct Told {
    /// When it was first stored.
    pub at: Timestamp,
    /// The newest version of the Schedule that held it.
    pub version: u64,
    /// The first slot.
    pub first: i64,
    /// The last slot.
    pub last: i64,
    /// How many slots, if it says so.
    pub count: Option<i64>,
    /// What became of them.
    pub outcome: Outcome,
}

/// One ScheduleRun.
#[derive(Debug, Default)]
pub struct RunLife {
    /// Its name.
    pub name: String,
    /// The Schedule it is for.
    pub schedule: String,
    /// How it ended, and when that was stored.
    pub outcome: Option<(Timestamp, Outcome)>,
    /// Whether it is gone.
    pub is_gone: bool,
}

/// One Job.
#[derive(Debug, Default)]
pub struct JobLife {
    /// Its name.
    pub name: String,
    /// The UID of the Schedule that owns it.
    pub schedule: String,
    /// The slot it is for, in seconds since 1970.
    pub slot: Option<i64>,
    /// The UID of the ScheduleRun it is for, if it is for one.
    pub run: Option<String>,
    /// Which attempt it is.
    pub attempt: u32,
    /// When its create was received. Not known when the API server died before it could note it.
    pub requested: Option<Timestamp>,
    /// How it ended (`Complete` or `Failed`), and when that was stored.
    pub end: Option<(Timestamp, String)>,
    /// When it was first suspended.
    pub suspended: Option<Timestamp>,
    /// When the operators first asked for its removal.
    pub removed: Option<Timestamp>,
    /// What its container exits with.
    pub exit_code: i32,
    /// What its container says.
    pub says: String,
}

/// A write of the leader Lease.
#[derive(Debug, Clone)]
pub struct Claim {
    /// When it was received.
    pub at: Timestamp,
    /// By whose token.
    pub credential: String,
    /// Who holds the Lease from then on; empty when it was released.
    pub holder: String,
    /// The term.
    pub term: i64,
}

/// A request of an operator that would change something.
#[derive(Debug, Clone)]
pub struct Write {
    /// When it was received.
    pub at: Timestamp,
    /// By whose token.
    pub credential: String,
    /// As the API server calls it.
    pub verb: String,
    /// The resource and its part.
    pub resource: String,
    /// The object's name.
    pub name: String,
    /// The answer's code.
    pub code: i64,
    /// The answer's message, if it was refused.
    pub message: String,
}

impl ScheduleLife {
    /// The spec of a generation.
    pub fn spec(&self, generation: i64) -> Option<&Value> {
        self.specs.iter().find(|it| it.generation == generation).map(|it| &it.spec)
    }

    /// Whether any of its specs has a field.
    pub fn ever_had(&self, field: &str) -> bool {
        self.specs.iter().any(|it| !it.spec[field].is_null())
    }

    /// What status said last of a slot.
    pub fn told_of(&self, slot: i64) -> Option<&Told> {
        self.told.values().filter(|it| it.first <= slot && slot <= it.last).max_by_key(|it| it.version)
    }

    /// When status first said how the run of a slot ended.
    pub fn run_recorded(&self, slot: i64) -> Option<Timestamp> {
        let covering = self.told.values().filter(|it| it.first <= slot && slot <= it.last && it.outcome.is_of_run());
        covering.map(|it| it.at).min()
    }

    /// Whether it was paused at an instant: status had said so by then, and no edit had ended it since. What
    /// waited may start before status says that the pause is over.
    pub fn was_paused(&self, at: Timestamp) -> bool {
        let Some((said, Paused::Until(until))) = self.pauses.iter().rev().find(|it| it.0 < at) else { return false };
        if until.is_some_and(|it| it <= at) {
            return false;
        }
        let edit = self.specs.iter().rev().find(|it| it.at < at).filter(|it| it.at > *said);
        edit.is_none_or(|it| it.spec["paused"] == true)
    }
}

impl Write {
    /// In one line.
    pub fn line(&self) -> String {
        let Self { at, verb, resource, name, code, message, credential } = self;
        format!("{at} {verb} {resource} {name} by {credential}: {code} {message}")
    }
}
