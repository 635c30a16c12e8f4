//! Histories written by hand, to try the oracle itself.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::identity;
use super::{Check, Oracle, Verdict};
use crate::history::{Asked, Change, Fact, History, What};
use punctual::time::Slot;

/// A history of one Schedule, `team/nightly`, created at 10:00:00 and led by `a1`, on 2026-06-01.
pub struct Tale {
    history: History,
    schedule: Value,
    version: u64,
}

/// A time of that day, as it is written in objects.
pub fn at(clock: &str) -> Value {
    json!(format!("2026-06-01T{clock}Z"))
}

/// A time of that day.
pub fn instant(clock: &str) -> Timestamp {
    format!("2026-06-01T{clock}Z").parse().unwrap()
}

const UID: &str = "schedule-1";

impl Tale {
    /// A Schedule of every minute that was first looked at.
    pub fn begin() -> Self {
        Self::of(json!({}))
    }

    /// The same with more in its spec.
    pub fn of(more: Value) -> Self {
        let mut spec = json!({
            "trigger": {"cron": "* * * * *"},
            "jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "a:1"}]}}}},
        });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut tale = Self { history: History::default(), schedule: Value::Null, version: 0 };
        tale.fact("09:59:45", What::Started("a1".into()));
        tale.lease("09:59:46", "a1", 7);
        tale.schedule = json!({
            "apiVersion": "punctual.dev/v1alpha1", "kind": "Schedule", "spec": spec,
            "metadata": {"namespace": "team", "name": "nightly", "uid": UID, "generation": 1, "creationTimestamp": at("10:00:00")},
        });
        tale.push("10:00:00", "user", "schedules", None, Some(tale.schedule.clone()));
        tale.status("10:00:01", |it| {
            it["uid"] = json!(UID);
            it["observedGeneration"] = json!(1);
            it["decidedThrough"] = at("10:00:00");
            it["epoch"] = json!({"hash": "v1:1", "since": at("10:00:00")});
        });
        tale
    }

    /// Something is done to a replica.
    pub fn fact(&mut self, clock: &str, what: What) {
        self.history.facts.push(Fact { at: instant(clock), what });
    }

    /// A replica takes, renews or (as nobody) releases the leader Lease.
    pub fn lease(&mut self, clock: &str, holder: &str, term: i64) {
        let by = if holder.is_empty() { "a1" } else { holder };
        self.lease_written_by(clock, by, holder, term);
    }

    /// The leader Lease is written.
    pub fn lease_written_by(&mut self, clock: &str, by: &str, holder: &str, term: i64) {
        let find = |it: &&Change| it.resource == "leases";
        let before = self.history.changes.iter().rev().find(find).and_then(|it| it.after.clone());
        let after = json!({
            "metadata": {"namespace": "system", "name": "punctual", "uid": "lease-1"},
            "spec": {"holderIdentity": holder, "leaseTransitions": term, "leaseDurationSeconds": 15, "renewTime": at(clock)},
        });
        self.push(clock, by, "leases", before.map(|it| (*it).clone()), Some(after));
        self.request(clock, by, "PUT", "/apis/coordination.k8s.io/v1/namespaces/system/leases/punctual");
    }

    /// A request arrives.
    pub fn request(&mut self, clock: &str, by: &str, method: &str, uri: &str) {
        self.request_answered(clock, by, method, uri, 200);
    }

    /// A request arrives, and is answered with this code.
    pub fn request_answered(&mut self, clock: &str, by: &str, method: &str, uri: &str, code: u16) {
        let (at, by, method, uri) = (instant(clock), by.into(), method.into(), uri.into());
        let made = (code == 200).then_some(self.version);
        self.history.requests.push(Asked { at, by, method, uri, code, made });
    }

    /// The leader writes the status.
    pub fn status(&mut self, clock: &str, change: impl FnOnce(&mut Value)) {
        self.change_schedule(clock, "a1", |it| {
            if it["status"].is_null() {
                it["status"] = json!({"conditions": [], "activeRuns": 0, "queuedRuns": 0, "counts": {}});
            }
            change(&mut it["status"]);
        });
    }

    /// A user writes the status.
    pub fn status_of_user(&mut self, clock: &str, change: impl FnOnce(&mut Value)) {
        self.change_schedule(clock, "user", |it| change(&mut it["status"]));
    }

    /// A user edits the spec.
    pub fn edit(&mut self, clock: &str, change: impl FnOnce(&mut Value)) {
        self.change_schedule(clock, "user", |it| {
            change(&mut it["spec"]);
            it["metadata"]["generation"] = json!(it["metadata"]["generation"].as_i64().unwrap() + 1);
        });
    }

    /// The Schedule changes.
    pub fn change_schedule(&mut self, clock: &str, by: &str, change: impl FnOnce(&mut Value)) {
        let before = self.schedule.clone();
        change(&mut self.schedule);
        self.push(clock, by, "schedules", Some(before), Some(self.schedule.clone()));
    }

    /// The Schedule is deleted.
    pub fn delete_schedule(&mut self, clock: &str) {
        self.push(clock, "user", "schedules", Some(self.schedule.clone()), None);
    }

    /// The leader creates the Job of a slot. Answers its name.
    pub fn job(&mut self, clock: &str, slot: &str) -> String {
        self.attempt(clock, slot, 1)
    }

    /// The leader creates the Job of an attempt. Answers its name.
    pub fn attempt(&mut self, clock: &str, slot: &str, attempt: u32) -> String {
        let name = identity::name_of_slot("nightly", UID, Slot::floor(instant(slot)), attempt);
        self.job_named(clock, &name);
        name
    }

    /// The leader creates a Job of this name for the Schedule.
    pub fn job_named(&mut self, clock: &str, name: &str) {
        self.version += 1;
        let job = json!({
            "metadata": {
                "namespace": "team", "name": name, "uid": format!("job-{}", self.version), "creationTimestamp": at(clock),
                "ownerReferences": [{"apiVersion": "punctual.dev/v1alpha1", "kind": "Schedule", "name": "nightly", "uid": UID, "controller": true}],
            },
            "spec": {},
        });
        self.push(clock, "a1", "jobs", None, Some(job));
    }

    /// The UID of a Job.
    pub fn uid(&self, name: &str) -> String {
        self.object("jobs", name)["metadata"]["uid"].as_str().unwrap().to_owned()
    }

    /// The entry of status for the run of a Job.
    pub fn active(&self, slot: &str, name: &str) -> Value {
        let attempt = name.rsplit_once("-a").and_then(|it| it.1.parse().ok()).unwrap_or(1);
        json!({"slotTime": at(slot), "jobName": name, "jobUID": self.uid(name), "attempt": attempt, "state": "Running", "startTime": at(slot)})
    }

    /// A Job ends, with the condition Complete or Failed.
    pub fn end_job(&mut self, clock: &str, name: &str, condition: &str) {
        self.change_job(clock, name, "jobs", |it| {
            it["status"] = json!({"conditions": [{"type": condition, "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": at(clock)}]});
        });
    }

    /// A Job changes.
    pub fn change_job(&mut self, clock: &str, name: &str, by: &str, change: impl FnOnce(&mut Value)) {
        let before = self.object("jobs", name);
        let mut after = before.clone();
        change(&mut after);
        self.push(clock, by, "jobs", Some(before), Some(after));
    }

    /// A Job is removed.
    pub fn remove_job(&mut self, clock: &str, name: &str, by: &str) {
        let before = self.object("jobs", name);
        self.push(clock, by, "jobs", Some(before), None);
    }

    /// An object of another kind comes.
    pub fn create(&mut self, clock: &str, by: &str, resource: &'static str, object: Value) {
        self.push(clock, by, resource, None, Some(object));
    }

    /// Judges the tale by one promise.
    pub fn judge(&self, check: impl Check + 'static) -> Verdict {
        Oracle::of(vec![Box::new(check)]).step(&self.history)
    }

    /// Judges the tale by one promise, with everything over at this time.
    pub fn judge_rest(&self, check: impl Check + 'static, clock: &str) -> Verdict {
        Oracle::of(vec![Box::new(check)]).rest(&self.history, instant(clock))
    }

    /// The tale breaks a promise, and is told so in words that hold these.
    pub fn breaks(&self, check: impl Check + 'static, words: &str) {
        let violation = self.judge(check).expect_err("broken").to_string();
        assert!(violation.contains(words), "{violation}");
    }

    /// The same, with everything over at this time.
    pub fn breaks_at_rest(&self, check: impl Check + 'static, clock: &str, words: &str) {
        let violation = self.judge_rest(check, clock).expect_err("broken").to_string();
        assert!(violation.contains(words), "{violation}");
    }

    fn object(&self, resource: &str, name: &str) -> Value {
        let of_name = |it: &&Change| it.resource == resource && it.name == name;
        (**self.history.changes.iter().rev().find(of_name).unwrap().after.as_ref().unwrap()).clone()
    }

    fn push(&mut self, clock: &str, by: &str, resource: &'static str, before: Option<Value>, after: Option<Value>) {
        self.version += 1;
        let there = after.as_ref().or(before.as_ref()).unwrap();
        let part = |name: &str| there["metadata"][name].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (part("namespace"), part("name"));
        let is_status = matches!((&before, &after), (Some(before), Some(after)) if before["status"] != after["status"]);
        self.history.changes.push(Change {
            version: self.version,
            at: instant(clock),
            by: by.into(),
            resource,
            is_status,
            namespace,
            name,
            before: before.map(Arc::new),
            after: after.map(Arc::new),
        });
    }
}
