//! What is known of the world from the history read so far: enough to judge what comes next.

mod circumstances;
mod job;
mod schedule;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use punctual::api::ScheduleRunStatus;
use punctual::time::Slot;
use serde_json::Value;

use super::identity::{self, RunId};
use crate::history::{Change, Fact};
pub use circumstances::Circumstances;
pub use job::Job;
pub use schedule::{Schedule, SpecVersion, StatusWrite, is_same_run, slot_of};

/// Before this age no Job may be removed by the operator.
pub const FENCE: SignedDuration = SignedDuration::from_secs(120);

/// All that is known.
#[derive(Default)]
pub struct Scene {
    /// The time of what was read last.
    pub now: Timestamp,
    /// When the first thing happened.
    pub began: Option<Timestamp>,
    /// Every Schedule there ever was, by UID.
    pub schedules: BTreeMap<String, Schedule>,
    /// Every Job of a Schedule there ever was, by UID.
    pub jobs: BTreeMap<String, Job>,
    /// Every ScheduleRun there ever was, by UID.
    pub runs: BTreeMap<String, ScheduleRun>,
    /// What is there now of everything else, by resource, namespace and name.
    pub others: BTreeMap<(&'static str, String, String), Arc<Value>>,
    /// Replicas, and what was done to them.
    pub circumstances: Circumstances,
}

/// A run that was asked for by hand.
pub struct ScheduleRun {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The Schedule it names.
    pub schedule: String,
    /// When it was created.
    pub created: Timestamp,
    /// Its status as it is stored.
    pub status: ScheduleRunStatus,
    /// When it went away, or began to.
    pub gone: Option<Timestamp>,
}

/// What a change means.
pub enum Meaning {
    /// The status of a Schedule was written.
    Status(Box<StatusWrite>),
    /// A Job of a Schedule came: its UID.
    JobCreated(String),
    /// One changed: its UID.
    JobChanged(String),
    /// One went: its UID.
    JobGone(String),
    /// Anything else.
    Other,
}

impl Scene {
    /// Takes in a fact.
    pub fn note_fact(&mut self, fact: &Fact) {
        self.pass_to(fact.at);
        self.circumstances.note(fact);
    }

    /// Takes in that time has passed.
    pub fn pass_to(&mut self, now: Timestamp) {
        self.began.get_or_insert(now);
        self.now = self.now.max(now);
    }

    /// Takes in a change, and says what it means.
    pub fn note_change(&mut self, change: &Change) -> Meaning {
        self.pass_to(change.at);
        match change.resource {
            "schedules" => self.note_schedule(change),
            "scheduleruns" => self.note_run(change),
            "jobs" => return self.note_job(change),
            _ => None,
        }
        .unwrap_or_else(|| {
            let key = (change.resource, change.namespace.clone(), change.name.clone());
            match &change.after {
                Some(after) => drop(self.others.insert(key, after.clone())),
                None => drop(self.others.remove(&key)),
            }
            Meaning::Other
        })
    }

    fn note_schedule(&mut self, change: &Change) -> Option<Meaning> {
        let object = change.after.as_ref().or(change.before.as_ref())?;
        let uid = text(object, "/metadata/uid").to_owned();
        let is_ours = self.circumstances.is_life(&change.by);
        let schedule = self.schedules.entry(uid).or_insert_with(|| Schedule::new(object));
        let Some(write) = schedule.note(change, is_ours) else { return Some(Meaning::Other) };
        self.note_told(&write);
        Some(Meaning::Status(Box::new(write)))
    }

    /// Notes which Jobs a status tells of.
    fn note_told(&mut self, write: &StatusWrite) {
        let status = &write.after;
        let mark = status.decided_through.as_ref().map(slot_of);
        for job in self.jobs.values_mut().filter(|it| it.told.is_none() && it.schedule_uid == write.schedule_uid) {
            let is_told = match &job.run {
                RunId::Slot(slot) => {
                    Some(*slot) <= mark && !status.pending.iter().any(|it| it.origin.slot() == Some(*slot))
                }
                RunId::ByHand(_) => false,
            };
            if is_told || status.active.iter().any(|it| it.job_uid == job.uid) {
                job.told = Some(self.now);
            }
        }
    }

    fn note_run(&mut self, change: &Change) -> Option<Meaning> {
        let object = change.after.as_ref().or(change.before.as_ref())?;
        let status = object.get("status").cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        let is_gone = change.after.is_none() || !object["metadata"]["deletionTimestamp"].is_null();
        let run = self.runs.entry(text(object, "/metadata/uid").to_owned()).or_insert_with(|| ScheduleRun {
            namespace: change.namespace.clone(),
            name: change.name.clone(),
            schedule: text(object, "/spec/scheduleName").to_owned(),
            created: time(object, "/metadata/creationTimestamp").unwrap_or(change.at),
            status: ScheduleRunStatus::default(),
            gone: None,
        });
        run.status = serde_json::from_value(status).unwrap_or_default();
        run.gone = run.gone.or(is_gone.then_some(change.at));
        Some(Meaning::Other)
    }

    fn note_job(&mut self, change: &Change) -> Meaning {
        let Some(object) = change.after.as_ref().or(change.before.as_ref()) else { return Meaning::Other };
        let uid = text(object, "/metadata/uid").to_owned();
        if let Some(job) = self.jobs.get_mut(&uid) {
            job.note(change);
            return if change.after.is_none() { Meaning::JobGone(uid) } else { Meaning::JobChanged(uid) };
        }
        let Some((schedule_uid, run, attempt)) = self.identify(object) else { return Meaning::Other };
        let mut job = Job::new(change, object, schedule_uid, run, attempt);
        job.was_expected = self.expects(&job);
        job.may_be_late = self.may_be_late();
        self.jobs.insert(uid.clone(), job);
        Meaning::JobCreated(uid)
    }

    /// Whose Job this is, and for what, as its owner and its name say.
    pub fn identify(&self, job: &Value) -> Option<(String, RunId, u32)> {
        let name = text(job, "/metadata/name");
        let schedule_uid = owner(job, "Schedule").filter(|uid| self.schedules.contains_key(*uid))?;
        if let Some((slot, attempt)) = identity::of_slot(name, schedule_uid) {
            return Some((schedule_uid.to_owned(), RunId::Slot(slot), attempt));
        }
        let by_hand = |uid: &String| Some((uid.clone(), identity::of_run(name, schedule_uid, uid)?));
        let (run_uid, attempt) = self.runs.keys().find_map(by_hand)?;
        Some((schedule_uid.to_owned(), RunId::ByHand(run_uid), attempt))
    }

    /// Whether what was stored when a Job came leaves room for it: nobody has decided otherwise.
    fn expects(&self, job: &Job) -> bool {
        let Some(schedule) = self.schedules.get(&job.schedule_uid) else { return false };
        let status = &schedule.status;
        let of_run = status.active.iter().find(|it| is_same_run(&it.job_name, &job.name));
        if job.attempt > 1 {
            return of_run.is_some_and(|it| u32::try_from(it.attempt).is_ok_and(|it| it + 1 == job.attempt));
        }
        match &job.run {
            RunId::Slot(slot) => {
                let is_undecided = status.decided_through.as_ref().is_some_and(|mark| *slot > slot_of(mark));
                is_undecided || status.pending.iter().any(|it| it.origin.slot() == Some(*slot))
            }
            RunId::ByHand(uid) => self.runs.get(uid).is_some_and(|it| it.status.outcome.is_none()),
        }
    }

    /// The Jobs there ever were of a Schedule.
    pub fn jobs_of<'a>(&'a self, schedule_uid: &'a str) -> impl Iterator<Item = &'a Job> + 'a {
        self.jobs.values().filter(move |job| job.schedule_uid == schedule_uid)
    }

    /// The Job of a slot's first attempt.
    pub fn job_of_slot(&self, schedule_uid: &str, slot: Slot) -> Option<&Job> {
        self.jobs.values().find(|job| job.schedule_uid == schedule_uid && job.run == RunId::Slot(slot))
    }

    /// What was stored before this, the leader must know by now.
    pub fn known_since(&self) -> Timestamp {
        let has_settled = |since: Timestamp| since + SignedDuration::from_secs(60) <= self.now;
        let is_calm = self.circumstances.undisturbed_since().is_some_and(has_settled);
        self.now - if is_calm { SignedDuration::from_secs(2) } else { FENCE }
    }

    /// Whether a request that arrives now may be one that the network has held up: nobody decides that now.
    pub fn may_be_late(&self) -> bool {
        self.circumstances.late_requests_until().is_some_and(|until| self.now <= until)
    }
}

/// A text in an object; empty if there is none.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A time in an object.
pub fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    text(object, pointer).parse().ok()
}

/// The UID of the owner of this kind.
pub fn owner<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find(|it| it["kind"] == kind).map(|it| text(it, "/uid"))
}

/// Whether this is the Lease by which replicas agree on who leads. Others are owned by Jobs.
pub fn is_leader_lease(resource: &str, object: &Value) -> bool {
    resource == "leases" && owner(object, "Job").is_none()
}
