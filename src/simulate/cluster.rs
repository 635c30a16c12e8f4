//! A model of the API server and of what runs behind it, as far as one Schedule meets them.

use std::collections::BTreeMap;

use crate::api::ObservedSchedule;
use crate::api::status::ActiveRun;
use crate::store::job::ObservedJob;
use crate::time::Slot;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde::Deserialize;
use serde_json::{Value, json};

use super::job::{Behavior, Change, Job, Variation};
use super::schedule_run::StoredRun;

/// The namespace of the Schedule of a story.
pub const NAMESPACE: &str = "team";
/// Its name.
pub const NAME: &str = "nightly";

/// How long the lists of status may be, as the definition says.
const LIMITS: [(&str, usize); 4] = [("pending", 100), ("active", 100), ("outcomes", 20), ("results", 100)];

/// What becomes of creates of Jobs. A Job without an image is invalid in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Creates {
    /// They are carried out.
    #[default]
    Accepted,
    /// Refused by a quota.
    QuotaExceeded,
    /// Refused by admission.
    AdmissionDenied,
    /// No answer, and the Job is there.
    UnansweredButCreated,
    /// No answer, and no Job.
    Unanswered,
}

/// What a create was answered.
pub enum Answer {
    /// It is there now.
    Created(Job),
    /// One of that name was there.
    AlreadyExists(Job),
    /// The Job cannot be accepted, and why.
    Invalid(String),
    /// Refused for a reason that may pass.
    Blocked(&'static str, String),
}

/// The operator died in the middle of its work.
#[derive(Debug)]
pub struct Crashed;

/// Something a watch would tell.
pub enum Event {
    /// A Job is there, or is different.
    JobChanged(Job),
    /// A Job is no longer there.
    JobGone(Job),
}

/// The Schedule as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// When it was created.
    pub creation: Timestamp,
    /// The generation of its spec.
    pub generation: i64,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// As the user wrote it.
    pub spec: Value,
    /// As it was written last.
    pub status: Value,
    version: u64,
}

/// The API server and the Job controller.
pub struct Cluster {
    /// The time on all clocks.
    pub now: Timestamp,
    /// The one Schedule.
    pub schedule: Stored,
    /// The ScheduleRuns that are there, by name.
    pub schedule_runs: BTreeMap<String, StoredRun>,
    /// The Jobs that are there, by name.
    pub jobs: BTreeMap<String, Job>,
    /// What becomes of creates from now on.
    pub creates: Creates,
    /// The operator crashes after so many more of its writes.
    pub writes_until_crash: Option<u32>,
    /// Every Job there ever was, as it was created.
    pub created: Vec<Job>,
    /// What new Jobs do.
    pub behavior: Behavior,
    behaviors: BTreeMap<Slot, Behavior>,
    /// In what new Jobs differ from one another.
    pub variation: Variation,
    events: Vec<Event>,
    version: u64,
}

impl Stored {
    /// Its resource version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }
}

impl Cluster {
    /// One with a Schedule that is created now.
    pub fn new(now: Timestamp, spec: Value, behavior: Behavior, behaviors: BTreeMap<Slot, Behavior>) -> Self {
        let schedule = Stored {
            namespace: NAMESPACE.into(),
            name: NAME.into(),
            uid: "2d1f7a52-6d3c-4bb0-9d52-0a52c4a3f9e1".into(),
            creation: now,
            generation: 1,
            deleting: false,
            spec,
            status: json!({"conditions": []}),
            version: 1,
        };
        Self {
            now,
            schedule,
            schedule_runs: BTreeMap::new(),
            jobs: BTreeMap::new(),
            creates: Creates::Accepted,
            writes_until_crash: None,
            created: Vec::new(),
            behavior,
            behaviors,
            variation: Variation::default(),
            events: Vec::new(),
            version: 1,
        }
    }

    /// The Schedule as the watch shows it.
    pub fn observed_schedule(&self) -> ObservedSchedule {
        let Stored { namespace, name, uid, creation, generation, deleting, spec, status, version } = &self.schedule;
        let metadata = ObjectMeta {
            namespace: Some(namespace.clone()),
            name: Some(name.clone()),
            uid: Some(uid.clone()),
            creation_timestamp: Some(Time(*creation)),
            generation: Some(*generation),
            deletion_timestamp: deleting.then_some(Time(self.now)),
            resource_version: Some(version.to_string()),
            ..ObjectMeta::default()
        };
        ObservedSchedule { metadata, spec: spec.into(), status: status.into() }
    }

    /// Changes the Schedule as a user would. Its generation counts changes of the spec.
    pub fn change_schedule(&mut self, change: impl FnOnce(&mut Stored)) {
        let before = self.schedule.spec.clone();
        change(&mut self.schedule);
        self.schedule.generation += i64::from(self.schedule.spec != before);
        self.schedule.version = self.next_version();
    }

    /// A status write of the operator: refused, with these words, or stored.
    pub fn write_status(&mut self, status: Value) -> Result<Result<(), String>, Crashed> {
        for (list, limit) in LIMITS {
            let length = status[list].as_array().map_or(0, Vec::len);
            if length > limit {
                return Ok(Err(format!("the API server refuses a status with {length} {list}")));
            }
        }
        self.schedule.status = status;
        self.schedule.version = self.next_version();
        self.wrote().map(Ok)
    }

    /// When the next thing happens by itself.
    pub fn next_change(&self) -> Option<Timestamp> {
        self.jobs.values().filter_map(Job::next_change).min()
    }

    /// Brings all Jobs to the present.
    pub fn advance(&mut self) {
        for name in self.jobs.keys().cloned().collect::<Vec<_>>() {
            let now = self.now;
            match self.jobs.get_mut(&name).map(|job| job.advance(now)) {
                Some(Change::Gone) => self.remove(&name),
                Some(Change::Changed) => self.changed(&name),
                Some(Change::None) | None => {}
            }
        }
    }

    /// What the watches have to tell since they were last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// A create by the operator.
    pub fn create(&mut self, body: &Value) -> Result<Answer, Crashed> {
        let answer = self.answer(body);
        self.wrote()?;
        Ok(answer)
    }

    fn answer(&mut self, body: &Value) -> Answer {
        let name = body["metadata"]["name"].as_str().unwrap_or_default();
        match self.creates {
            Creates::Unanswered => return Answer::Blocked("ApiUnavailable", "no answer".into()),
            Creates::QuotaExceeded => return Answer::Blocked("QuotaExceeded", "exceeded quota: jobs".into()),
            Creates::AdmissionDenied => return Answer::Blocked("AdmissionDenied", "a policy says no".into()),
            Creates::Accepted | Creates::UnansweredButCreated => {}
        }
        if let Err(message) = validate(body) {
            return Answer::Invalid(message);
        }
        if let Some(there) = self.jobs.get(name) {
            return Answer::AlreadyExists(there.clone());
        }
        let job = self.add(body.clone());
        if self.creates == Creates::UnansweredButCreated {
            return Answer::Blocked("ApiUnavailable", "no answer".into());
        }
        Answer::Created(job)
    }

    /// Adds a Job, whoever asked for it.
    pub fn add(&mut self, body: Value) -> Job {
        let uid = format!("job-{:04}", self.created.len() + 1);
        let mut job = Job::new(body, uid, self.now, self.behavior.clone());
        let its_own = job.slot().and_then(|slot| self.behaviors.get(&slot));
        let usual = || self.variation.fail(&self.behavior, self.created.len() as u64);
        let behavior = self.variation.take_longer(its_own.cloned().unwrap_or_else(usual), &job.name);
        job.behave(behavior);
        job.version = self.next_version();
        self.created.push(job.clone());
        self.jobs.insert(job.name.clone(), job.clone());
        self.events.push(Event::JobChanged(job.clone()));
        job
    }

    /// The Job of a run that has been active before the story begins.
    pub fn go_on(&mut self, run: &ActiveRun) {
        let schedule = &self.schedule;
        let owner = json!({
            "apiVersion": "punctual.dev/v1alpha1", "kind": "Schedule", "name": schedule.name, "uid": schedule.uid,
            "controller": true,
        });
        let body = json!({
            "metadata": {"name": run.job_name, "namespace": schedule.namespace, "ownerReferences": [owner]},
            "spec": {},
        });
        let mut job = Job::new(body, run.job_uid.clone(), run.start_time.0, self.behavior.clone());
        job.version = self.next_version();
        self.jobs.insert(job.name.clone(), job);
    }

    /// A patch of the operator that suspends a Job.
    pub fn suspend(&mut self, name: &str) -> Result<(), Crashed> {
        let now = self.now;
        if let Some(job) = self.jobs.get_mut(name) {
            job.suspend(now);
            self.changed(name);
        }
        self.wrote()
    }

    /// Deletes a Job after its Pods, whoever asks for it.
    pub fn delete_after_pods(&mut self, name: &str) {
        let now = self.now;
        match self.jobs.get_mut(name).map(|job| job.delete(now)) {
            Some(true) => self.remove(name),
            Some(false) => self.changed(name),
            None => {}
        }
    }

    /// A delete by the operator that waits for the Pods.
    pub fn delete_foreground(&mut self, name: &str) -> Result<(), Crashed> {
        self.delete_after_pods(name);
        self.wrote()
    }

    /// A delete by the operator that does not wait.
    pub fn delete_background(&mut self, name: &str) -> Result<(), Crashed> {
        self.remove(name);
        self.wrote()
    }

    /// A patch of the operator that gives a Job its time to live.
    pub fn set_ttl(&mut self, name: &str, seconds: i32) -> Result<(), Crashed> {
        if let Some(job) = self.jobs.get_mut(name) {
            job.set_ttl(seconds.into());
            self.changed(name);
        }
        self.wrote()
    }

    /// Sets all clocks.
    pub fn set_clocks(&mut self, now: Timestamp) {
        let by: SignedDuration = now.duration_since(self.now);
        self.now = now;
        for job in self.jobs.values_mut() {
            job.shift(by.as_secs());
        }
    }

    fn remove(&mut self, name: &str) {
        let version = self.next_version();
        if let Some(mut job) = self.jobs.remove(name) {
            job.version = version;
            self.events.push(Event::JobGone(job));
        }
    }

    fn changed(&mut self, name: &str) {
        let version = self.next_version();
        if let Some(job) = self.jobs.get_mut(name) {
            job.version = version;
            self.events.push(Event::JobChanged(job.clone()));
        }
    }

    pub(super) fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    pub(super) fn wrote(&mut self) -> Result<(), Crashed> {
        let Some(left) = &mut self.writes_until_crash else { return Ok(()) };
        *left = left.saturating_sub(1);
        if *left > 0 {
            return Ok(());
        }
        self.writes_until_crash = None;
        Err(Crashed)
    }
}

/// What the API server has against a Job.
pub fn validate(body: &Value) -> Result<(), String> {
    if let Some(spec) = body.get("spec").filter(|it| !it.is_object()) {
        return Err(format!("spec: expected an object, not {spec}"));
    }
    if let Err(error) = serde_json::from_value::<ObservedJob>(body.clone()) {
        return Err(format!("spec cannot be handled as that of a Job: {error}"));
    }
    let containers =
        body.pointer("/spec/template/spec/containers").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_valid = containers.iter().all(|it| it["image"].as_str().is_some_and(|image| !image.is_empty()));
    if is_valid { Ok(()) } else { Err("spec.template.spec.containers[0].image: Required value".into()) }
}
