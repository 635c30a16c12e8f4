//! ScheduleRuns as they are kept: by the Schedule they name.

use std::collections::{BTreeSet, HashMap};

use super::{Key, version_of};
use crate::api::ObservedScheduleRun;
use crate::decide::naming;
use crate::decide::snapshot::ScheduleRunView;
use crate::time::Slot;

/// All ScheduleRuns there are.
#[derive(Default)]
pub(super) struct ScheduleRuns {
    /// By their own namespace and name.
    runs: HashMap<Key, Stored>,
    /// Their names by the Schedule they name.
    by_schedule: HashMap<Key, BTreeSet<String>>,
}

struct Stored {
    version: u64,
    schedule: Key,
    view: ScheduleRunView,
}

impl ScheduleRuns {
    /// Takes one in if it is newer than the one that is there; an answer to our own write counts as
    /// newer than an equal version. Answers the key of its Schedule; `None` for one that this
    /// version cannot read: it is left alone.
    pub fn put(&mut self, run: &ObservedScheduleRun) -> Option<Key> {
        let (schedule, view) = view(run)?;
        let id = Key { namespace: schedule.namespace.clone(), name: view.name.clone() };
        let version = version_of(&run.metadata.resource_version);
        if self.runs.get(&id).is_some_and(|it| it.view.uid == view.uid && it.version > version) {
            return Some(schedule);
        }
        self.remove(&id, None);
        self.by_schedule.entry(schedule.clone()).or_default().insert(id.name.clone());
        self.runs.insert(id, Stored { version, schedule: schedule.clone(), view });
        Some(schedule)
    }

    /// Notes that one is gone, if it is of this UID. Answers the key of its Schedule.
    pub fn remove(&mut self, id: &Key, uid: Option<&str>) -> Option<Key> {
        if uid.is_some_and(|uid| self.runs.get(id).is_some_and(|it| it.view.uid != uid)) {
            return None;
        }
        let stored = self.runs.remove(id)?;
        if let Some(names) = self.by_schedule.get_mut(&stored.schedule) {
            names.remove(&id.name);
            if names.is_empty() {
                self.by_schedule.remove(&stored.schedule);
            }
        }
        Some(stored.schedule)
    }

    /// Those that name a Schedule, oldest first.
    pub fn of(&self, schedule: &Key) -> Vec<ScheduleRunView> {
        let id = |name: &String| Key { namespace: schedule.namespace.clone(), name: name.clone() };
        let names = self.by_schedule.get(schedule).into_iter().flatten();
        let mut runs: Vec<ScheduleRunView> =
            names.filter_map(|name| self.runs.get(&id(name))).map(|it| it.view.clone()).collect();
        runs.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
        runs
    }

    /// The ScheduleRun that a Job of a Schedule is for, and which attempt, as the Job's name says.
    pub fn of_job(&self, schedule: &Key, schedule_uid: &str, job_name: &str) -> Option<(&str, u32)> {
        // The hash is computed only of those created in that very second.
        let created = naming::created_of_run(job_name)?;
        let id = |name: &String| Key { namespace: schedule.namespace.clone(), name: name.clone() };
        let names = self.by_schedule.get(schedule).into_iter().flatten();
        let mut runs = names.filter_map(|name| self.runs.get(&id(name))).map(|it| &it.view);
        runs.find_map(|run| {
            let attempt = || naming::attempt_of_run(job_name, schedule_uid, &run.uid);
            (Slot::floor(run.created) == created).then(attempt).flatten().map(|it| (run.name.as_str(), it))
        })
    }

    /// The keys of the Schedules that any of them names.
    pub fn schedules(&self) -> impl Iterator<Item = &Key> {
        self.by_schedule.keys()
    }

    /// The UID of one.
    pub fn uid(&self, id: &Key) -> Option<&str> {
        self.runs.get(id).map(|it| it.view.uid.as_str())
    }

    /// The version of one.
    pub fn version(&self, id: &Key) -> Option<u64> {
        self.runs.get(id).map(|it| it.version)
    }

    /// Their own keys and versions.
    pub fn versions(&self) -> impl Iterator<Item = (&Key, u64)> {
        self.runs.iter().map(|(id, stored)| (id, stored.version))
    }
}

/// The ScheduleRun as decisions see it, and the key of its Schedule.
fn view(run: &ObservedScheduleRun) -> Option<(Key, ScheduleRunView)> {
    let metadata = &run.metadata;
    let view = ScheduleRunView {
        name: metadata.name.clone()?,
        uid: metadata.uid.clone()?,
        version: metadata.resource_version.clone().unwrap_or_default(),
        generation: metadata.generation.unwrap_or(1),
        created: metadata.creation_timestamp.as_ref()?.0,
        deleting: metadata.deletion_timestamp.is_some(),
        status: run.read_status().ok()?,
    };
    let schedule = Key { namespace: metadata.namespace.clone()?, name: run.read_spec().ok()?.schedule_name };
    Some((schedule, view))
}
