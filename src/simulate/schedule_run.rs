//! ScheduleRuns of the model, and what users and the operator do to them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::cluster::{Cluster, Crashed, NAME, NAMESPACE};
use super::job::Job;
use super::times::Times;
use crate::api::{ObservedScheduleRun, ScheduleRunStatus};

/// A ScheduleRun as it is stored.
#[derive(Clone, Debug)]
pub struct StoredRun {
    /// Its UID.
    pub uid: String,
    /// When it was created.
    pub created: Timestamp,
    /// Whether it is being deleted, and a finalizer of somebody holds it.
    pub deleting: bool,
    /// As it was written last.
    pub status: Value,
    version: u64,
}

impl StoredRun {
    /// As the watch shows it.
    pub fn observed(&self, name: &str) -> ObservedScheduleRun {
        serde_json::from_value(json!({
            "metadata": {
                "namespace": NAMESPACE, "name": name, "uid": self.uid, "creationTimestamp": self.created, "generation": 1,
                "resourceVersion": self.version.to_string(), "deletionTimestamp": self.deleting.then_some(self.created),
            },
            "spec": {"scheduleName": NAME},
            "status": self.status,
        }))
        .expect("a ScheduleRun as the API server would give it")
    }

    /// What it tells.
    pub fn read_status(&self) -> ScheduleRunStatus {
        serde_json::from_value(self.status.clone()).expect("a readable status")
    }
}

impl Cluster {
    /// A user asks for a run; `status` is that of a copied object.
    pub fn create_run(&mut self, name: &str, status: Value) {
        let version = self.next_version();
        let uid = format!("run-{version:04}");
        let run = StoredRun { uid, created: self.now, deleting: false, status, version };
        self.schedule_runs.insert(name.to_owned(), run);
    }

    /// A user deletes one, and a finalizer of somebody holds it.
    pub fn hold_run(&mut self, name: &str) {
        let version = self.next_version();
        if let Some(run) = self.schedule_runs.get_mut(name) {
            (run.deleting, run.version) = (true, version);
        }
    }

    /// The operator stores what it tells of a ScheduleRun, if it is still there.
    pub fn write_run_status(&mut self, name: &str, uid: &str, status: &ScheduleRunStatus) -> Result<(), Crashed> {
        let version = self.next_version();
        if let Some(run) = self.schedule_runs.get_mut(name).filter(|it| it.uid == uid) {
            run.status = serde_json::to_value(status).unwrap_or_default();
            run.version = version;
        }
        self.wrote()
    }

    /// The operator deletes one.
    pub fn delete_run(&mut self, name: &str) -> Result<(), Crashed> {
        self.schedule_runs.remove(name);
        self.wrote()
    }

    /// The Jobs that were created for a ScheduleRun of this name and are there.
    pub fn jobs_of_run(&self, name: &str) -> Vec<&Job> {
        self.jobs.values().filter(|job| job.schedule_run() == Some(name)).collect()
    }
}

/// One ScheduleRun in a line.
pub fn line(times: &Times, name: &str, run: &StoredRun) -> String {
    let status = run.read_status();
    let reason = status.reason.map(|it| format!(" ({it})")).unwrap_or_default();
    let exit = status.exit_code.map(|code| format!(" exit {code}")).unwrap_or_default();
    let until = status.expiration_time.map(|it| format!(" until {}", times.show(it.0))).unwrap_or_default();
    format!("{name} {}{reason}{exit}{until}", status.state.unwrap_or_default())
}
