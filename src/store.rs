//! What the watches have shown, and what our own writes were answered: the freshest of both.
//!
//! An object enters only if it is newer than the one that is there. So an answer to our own write
//! is seen at once, and a watch that lags behind does not undo it.

pub mod job;

mod schedule_run;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use kube::ResourceExt;

use crate::api::status::Origin;
use crate::api::{ObservedSchedule, ObservedScheduleRun, ScheduleStatus};
use crate::decide::naming;
use crate::decide::snapshot::{JobView, Presence, ScheduleRunView};
use crate::time::Slot;
use job::ObservedJob;
use schedule_run::ScheduleRuns;

/// Which Schedule: its namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What is known of Schedules, of what was asked for by hand, and of their Jobs.
#[derive(Default)]
pub struct Store(RwLock<Inner>);

#[derive(Default)]
struct Inner {
    schedules: HashMap<Key, (u64, Arc<ObservedSchedule>)>,
    schedule_runs: ScheduleRuns,
    /// By namespace and Job name.
    jobs: HashMap<(String, String), StoredJob>,
    /// Names of Jobs by the UID of their Schedule.
    by_schedule: HashMap<String, BTreeSet<(String, String)>>,
}

struct StoredJob {
    version: u64,
    schedule: Key,
    schedule_uid: String,
    view: JobView,
}

/// What a list has shown, so that what it did not show can be taken as gone.
#[derive(Default)]
pub struct Listed {
    /// What was there when the list began, and which version of it.
    before: BTreeMap<(String, String), u64>,
    seen: BTreeSet<(String, String)>,
}

impl Store {
    /// Takes in a Schedule as a watch or a list shows it. Answers its key.
    pub fn put_schedule(&self, schedule: ObservedSchedule) -> Key {
        let key = key_of(&schedule);
        let version = version_of(&schedule.metadata.resource_version);
        let mut inner = self.write();
        if inner.schedules.get(&key).is_none_or(|(before, _)| *before < version) {
            inner.schedules.insert(key.clone(), (version, Arc::new(lean(schedule))));
        }
        key
    }

    /// Takes in the answer to a write of ours: only if the Schedule is still there, because the
    /// answer may come after its end was seen. Of one version the answer counts, not what the watch
    /// showed: that may go by a definition which has just been replaced.
    pub fn update_schedule(&self, schedule: ObservedSchedule) {
        let key = key_of(&schedule);
        let version = version_of(&schedule.metadata.resource_version);
        let mut inner = self.write();
        if let Some((before, there)) = inner.schedules.get_mut(&key)
            && there.metadata.uid == schedule.metadata.uid
            && *before <= version
        {
            (*before, *there) = (version, Arc::new(lean(schedule)));
        }
    }

    /// Takes in a Schedule that was read from the API server just now: it is what there is, even if
    /// its version is a lower one, as after a restore of the API server's memory.
    pub fn replace_schedule(&self, schedule: ObservedSchedule) {
        let version = version_of(&schedule.metadata.resource_version);
        self.write().schedules.insert(key_of(&schedule), (version, Arc::new(lean(schedule))));
    }

    /// Notes that the Schedule of this UID is gone.
    pub fn remove_schedule(&self, key: &Key, uid: &str) {
        let mut inner = self.write();
        if inner.schedules.get(key).is_some_and(|(_, it)| it.metadata.uid.as_deref() == Some(uid)) {
            inner.schedules.remove(key);
        }
    }

    /// The Schedule of a key.
    #[must_use]
    pub fn schedule(&self, key: &Key) -> Option<Arc<ObservedSchedule>> {
        self.read().schedules.get(key).map(|(_, schedule)| schedule.clone())
    }

    /// All keys there are, also those of Schedules that are only named by a ScheduleRun.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        let inner = self.read();
        let named = inner.schedule_runs.schedules().filter(|key| !inner.schedules.contains_key(key));
        inner.schedules.keys().chain(named).cloned().collect()
    }

    /// Up to so many keys of Schedules that come after one, in their order.
    #[must_use]
    pub fn schedules_after(&self, after: Option<&Key>, most: usize) -> Vec<Key> {
        let inner = self.read();
        let mut later: Vec<&Key> = inner.schedules.keys().filter(|key| after.is_none_or(|it| *key > it)).collect();
        later.sort_unstable();
        later.into_iter().take(most).cloned().collect()
    }

    /// How many Schedules there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.read().schedules.len()
    }

    /// Takes in a ScheduleRun. Answers the key of the Schedule it names.
    pub fn put_schedule_run(&self, run: &ObservedScheduleRun) -> Option<Key> {
        self.write().schedule_runs.put(run)
    }

    /// Takes in the answer to a write of ours: only if the ScheduleRun is still there.
    pub fn update_schedule_run(&self, run: &ObservedScheduleRun) {
        let key = Key { namespace: run.namespace().unwrap_or_default(), name: run.name_any() };
        let mut inner = self.write();
        if inner.schedule_runs.uid(&key) == run.metadata.uid.as_deref() {
            inner.schedule_runs.put(run);
        }
    }

    /// Notes that the ScheduleRun of this UID is gone. Answers the key of the Schedule it named.
    pub fn remove_schedule_run(&self, key: &Key, uid: &str) -> Option<Key> {
        self.write().schedule_runs.remove(key, Some(uid))
    }

    /// Notes that there is no ScheduleRun of this name.
    pub fn lose_schedule_run(&self, key: &Key) {
        self.write().schedule_runs.remove(key, None);
    }

    /// The ScheduleRuns that name a Schedule, oldest first.
    #[must_use]
    pub fn schedule_runs(&self, schedule: &Key) -> Vec<ScheduleRunView> {
        self.read().schedule_runs.of(schedule)
    }

    /// The resource version of a ScheduleRun.
    #[must_use]
    pub fn version_of_schedule_run(&self, key: &Key) -> Option<u64> {
        self.read().schedule_runs.version(key)
    }

    /// Where every Schedule stands, for the gauges.
    #[must_use]
    pub fn standings(&self) -> Vec<ScheduleStatus> {
        let all: Vec<Arc<ObservedSchedule>> =
            self.read().schedules.values().map(|(_, schedule)| schedule.clone()).collect();
        all.iter().map(|it| it.read_status().ok().flatten().unwrap_or_default()).collect()
    }

    /// The first slot after an instant that status announces.
    #[must_use]
    pub fn next_slot_after(&self, key: &Key, now: jiff::Timestamp) -> Option<jiff::Timestamp> {
        let status = self.schedule(key)?.read_status().ok().flatten()?;
        status.next_slots.iter().map(|it| it.0).find(|at| *at > now)
    }

    /// Takes in a Job. Answers the key of its Schedule when it is one of ours.
    pub fn put_job(&self, job: &ObservedJob) -> Option<Key> {
        let mut inner = self.write();
        let (key, schedule_uid, view) = inner.ours(job)?;
        let version = version_of(&job.metadata.resource_version);
        let id = (key.namespace.clone(), view.name.clone());
        // Another object under the same name is newer, whatever its version says.
        if inner.jobs.get(&id).is_some_and(|it| it.view.uid == view.uid && it.version >= version) {
            return Some(key);
        }
        inner.by_schedule.entry(schedule_uid.clone()).or_default().insert(id.clone());
        inner.jobs.insert(id, StoredJob { version, schedule: key.clone(), schedule_uid, view });
        Some(key)
    }

    /// Notes that a Job is gone. Its last state stays until [`Store::forget_jobs`]: it is evidence
    /// of how its run ended.
    pub fn remove_job(&self, job: &ObservedJob) -> Option<Key> {
        let key = self.put_job(job)?;
        let id = (key.namespace.clone(), job.name_any());
        let mut inner = self.write();
        if let Some(stored) = inner.jobs.get_mut(&id).filter(|it| Some(&it.view.uid) == job.metadata.uid.as_ref()) {
            stored.view.presence = Presence::Gone;
        }
        Some(key)
    }

    /// The Jobs of a Schedule, by slot and attempt. One of another namespace that names it as its owner
    /// is somebody else's.
    #[must_use]
    pub fn jobs(&self, namespace: &str, schedule_uid: &str) -> Vec<JobView> {
        let inner = self.read();
        let names = inner.by_schedule.get(schedule_uid).into_iter().flatten();
        let names = names.filter(|id| id.0 == namespace);
        let mut jobs: Vec<JobView> = names.filter_map(|id| inner.jobs.get(id)).map(|it| it.view.clone()).collect();
        jobs.sort_by_key(|it| (it.asked_for(), it.attempt));
        jobs
    }

    /// Forgets Jobs that are gone, and whose run status accounts for; also those whose Schedule is
    /// gone. Every replica does so from time to time: one that stands by sees Jobs go as well.
    pub fn forget_what_is_over(&self) {
        let over: Vec<(String, String)> = {
            let inner = self.read();
            let gone = inner.jobs.iter().filter(|(_, job)| job.view.presence == Presence::Gone);
            gone.filter(|(_, job)| inner.accounts_for(job)).map(|(id, _)| id.clone()).collect()
        };
        let mut inner = self.write();
        for id in over {
            if inner.jobs.get(&id).is_some_and(|it| it.view.presence == Presence::Gone) {
                inner.forget(&id);
            }
        }
    }

    /// Begins a list of the Schedules of a namespace (of all, if `None`).
    #[must_use]
    pub fn begin_schedules(&self, namespace: Option<&str>) -> Listed {
        let inner = self.read();
        let there = inner.schedules.iter().filter(|(key, _)| namespace.is_none_or(|it| it == key.namespace));
        let before = there.map(|(key, (version, _))| ((key.namespace.clone(), key.name.clone()), *version)).collect();
        Listed { before, seen: BTreeSet::new() }
    }

    /// Begins a list of the ScheduleRuns of a namespace (of all, if `None`).
    #[must_use]
    pub fn begin_schedule_runs(&self, namespace: Option<&str>) -> Listed {
        let inner = self.read();
        let there = inner.schedule_runs.versions().filter(|(key, _)| namespace.is_none_or(|it| it == key.namespace));
        let before = there.map(|(key, version)| ((key.namespace.clone(), key.name.clone()), version)).collect();
        Listed { before, seen: BTreeSet::new() }
    }

    /// Begins a list of the Jobs of a namespace (of all, if `None`).
    #[must_use]
    pub fn begin_jobs(&self, namespace: Option<&str>) -> Listed {
        let inner = self.read();
        let there = inner.jobs.iter().filter(|(id, _)| namespace.is_none_or(|it| it == id.0));
        let there = there.filter(|(_, job)| job.view.presence != Presence::Gone);
        Listed { before: there.map(|(id, job)| (id.clone(), job.version)).collect(), seen: BTreeSet::new() }
    }

    /// Ends a list of Schedules: those that were there before and were not in it are gone. What
    /// entered or changed while the list was read is left alone.
    pub fn end_schedules(&self, listed: &Listed) -> Vec<Key> {
        let mut inner = self.write();
        let missing = listed.missing().map(|((namespace, name), version)| (Key { namespace, name }, version));
        let gone: Vec<Key> = missing
            .filter(|(key, version)| inner.schedules.get(key).is_some_and(|(now, _)| now == version))
            .map(|(key, _)| key)
            .collect();
        for key in &gone {
            inner.schedules.remove(key);
        }
        gone
    }

    /// Ends a list of ScheduleRuns: those that were there before and were not in it are gone. Answers
    /// the keys of the Schedules they named.
    pub fn end_schedule_runs(&self, listed: &Listed) -> Vec<Key> {
        let mut inner = self.write();
        let missing = listed.missing().map(|((namespace, name), version)| (Key { namespace, name }, version));
        missing
            .filter_map(|(key, version)| {
                let is_unchanged = inner.schedule_runs.version(&key) == Some(version);
                is_unchanged.then(|| inner.schedule_runs.remove(&key, None)).flatten()
            })
            .collect()
    }

    /// Ends a list of Jobs: those that were there before and were not in it are gone. Answers the
    /// keys of their Schedules.
    pub fn end_jobs(&self, listed: &Listed) -> Vec<Key> {
        let mut inner = self.write();
        let mut told = Vec::new();
        for (id, version) in listed.missing() {
            if let Some(stored) = inner.jobs.get_mut(&id).filter(|it| it.version == version) {
                stored.view.presence = Presence::Gone;
                told.push(stored.schedule.clone());
            }
        }
        told
    }

    /// Notes that a Job is there no more: nobody saw it go, or we removed it. If it was last seen
    /// unfinished, that is what it counts as: gone, unfinished.
    pub fn lose_job(&self, namespace: &str, name: &str) {
        if let Some(stored) = self.write().jobs.get_mut(&(namespace.to_owned(), name.to_owned())) {
            stored.view.presence = Presence::Gone;
        }
    }

    /// The resource version of a Schedule.
    #[must_use]
    pub fn version_of_schedule(&self, key: &Key) -> Option<u64> {
        self.read().schedules.get(key).map(|(version, _)| *version)
    }

    /// The UID and resource version of a Job.
    #[must_use]
    pub fn version_of_job(&self, namespace: &str, name: &str) -> Option<(String, u64)> {
        let inner = self.read();
        inner.jobs.get(&(namespace.to_owned(), name.to_owned())).map(|it| (it.view.uid.clone(), it.version))
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Inner> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Inner> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// A Job of ours, and of which Schedule. What it is for stands in its name, which nobody can change;
    /// that of a ScheduleRun can be read by its label, or by whoever knows what was asked for.
    fn ours(&self, job: &ObservedJob) -> Option<(Key, String, JobView)> {
        let owner = job.schedule()?;
        let key = Key { namespace: job.namespace()?, name: owner.name.clone() };
        let view = job.view().or_else(|| {
            let (origin, attempt) = self.unlabelled(job, &key, &owner.uid)?;
            job.view_as(origin, attempt)
        })?;
        Some((key, owner.uid.clone(), view))
    }

    /// What a Job is for that somebody took the labels off: what it was known for before, or what its
    /// ScheduleRun or, if that is gone, the Schedule's status tells.
    fn unlabelled(&self, job: &ObservedJob, key: &Key, schedule_uid: &str) -> Option<(Origin, u32)> {
        let (name, uid) = (job.name_any(), job.metadata.uid.as_ref()?);
        let known = self.jobs.get(&(key.namespace.clone(), name.clone())).map(|it| &it.view);
        if let Some(known) = known.filter(|it| it.uid == *uid) {
            return Some((known.origin.clone(), known.attempt));
        }
        if let Some((run, attempt)) = self.schedule_runs.of_job(key, schedule_uid, &name) {
            return Some((Origin::ScheduleRun(run.to_owned()), attempt));
        }
        let (_, schedule) = self.schedules.get(key)?;
        let active = schedule.read_status().ok()??.active;
        let run = active.into_iter().find(|it| it.job_uid == *uid && it.job_name == name)?;
        Some((run.origin, naming::split(&name).1))
    }

    /// Whether nobody will ask any more how the run of a Job that is gone has ended.
    fn accounts_for(&self, job: &StoredJob) -> bool {
        let schedule = self.schedules.get(&job.schedule).map(|(_, it)| it);
        let Some(schedule) = schedule.filter(|it| it.metadata.uid.as_ref() == Some(&job.schedule_uid)) else {
            return true;
        };
        let Ok(Some(status)) = schedule.read_status() else { return false };
        let run = naming::split(&job.view.name).0;
        let is_asked_for = |it: &ScheduleRunView| {
            it.status.outcome.is_none() && naming::attempt_of_run(run, &job.schedule_uid, &it.uid).is_some()
        };
        if matches!(job.view.origin, Origin::ScheduleRun(_))
            && self.schedule_runs.of(&job.schedule).iter().any(is_asked_for)
        {
            return false;
        }
        job.view
            .origin
            .slot()
            .is_none_or(|slot| status.decided_through.as_ref().is_some_and(|mark| slot <= Slot::floor(mark.0)))
            && !status.active.iter().any(|it| it.job_uid == job.view.uid || it.origin == job.view.origin)
            && !status.pending.iter().any(|it| it.origin == job.view.origin)
    }

    fn forget(&mut self, id: &(String, String)) {
        let Some(stored) = self.jobs.remove(id) else { return };
        if let Some(names) = self.by_schedule.get_mut(&stored.schedule_uid) {
            names.remove(id);
            if names.is_empty() {
                self.by_schedule.remove(&stored.schedule_uid);
            }
        }
    }
}

impl Listed {
    /// Notes that an object was in the list.
    pub fn saw(&mut self, namespace: &str, name: &str) {
        self.seen.insert((namespace.to_owned(), name.to_owned()));
    }

    fn missing(&self) -> impl Iterator<Item = ((String, String), u64)> + '_ {
        self.before.iter().filter(|(id, _)| !self.seen.contains(*id)).map(|(id, version)| (id.clone(), *version))
    }
}

/// Without the list of managed fields: it is most of an object's size, and nobody here reads it.
/// Without what is kept for others, such as the manifest that kubectl applied last.
fn lean(mut schedule: ObservedSchedule) -> ObservedSchedule {
    (schedule.metadata.annotations, schedule.metadata.labels) = (None, None);
    schedule
}

/// The key of a Schedule.
#[must_use]
pub fn key_of(schedule: &ObservedSchedule) -> Key {
    Key { namespace: schedule.namespace().unwrap_or_default(), name: schedule.name_any() }
}

/// Resource versions may be compared as numbers within one resource (KEP-5504).
#[must_use]
pub fn version_of(resource_version: &Option<String>) -> u64 {
    resource_version.as_deref().and_then(|it| it.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
