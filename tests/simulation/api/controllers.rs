//! What happens by itself: each controller hears of changes after a while of its own, and does then
//! what is to be done.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use serde_json::Value;

use super::ApiServer;
use super::job_controller::job_of_pod;
use super::refusal::Refusal;
use super::resource::{JOBS, PODS};
use super::store::{Key, text};
use crate::history::Change;

/// Something a controller will look at. What there is to do it finds out then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// The job controller looks at a Job: namespace, name.
    Job(String, String),
    /// The kubelet looks at a Pod: namespace, name.
    Pod(String, String),
    /// The garbage collector looks at an object.
    Garbage(Key),
    /// The TTL controller looks at a Job: namespace, name.
    Ttl(String, String),
}

/// What is to be done, and when.
#[derive(Debug, Default)]
pub struct Tasks {
    due: BTreeSet<(Timestamp, Task)>,
    /// How many changes of the history were noticed.
    noticed: usize,
    /// Namespaces that are going, as far as it was noticed.
    going: BTreeSet<String>,
}

impl ApiServer {
    /// Moves the server's clock on; what the controllers do until then is done, at their own times.
    pub fn advance_to(&mut self, now: Timestamp) {
        self.notice();
        while let Some((at, task)) = self.tasks.due.first().filter(|(at, _)| *at <= now && self.has_controllers()) {
            let (at, task) = (*at, task.clone());
            self.tasks.due.remove(&(at, task.clone()));
            self.now = self.now.max(at);
            if self.perform(&task).is_err() {
                let again = self.now + self.delay() + SignedDuration::from_secs(1);
                self.tasks.due.insert((again, task));
            }
            self.notice();
        }
        self.now = self.now.max(now);
    }

    /// When a controller next has something to do, if it knows.
    pub fn next_event(&self) -> Option<Timestamp> {
        self.tasks.due.first().map(|(at, _)| *at).filter(|_| self.has_controllers())
    }

    fn has_controllers(&self) -> bool {
        !self.faults.are_controllers_down
    }

    fn perform(&mut self, task: &Task) -> Result<(), Refusal> {
        match task {
            Task::Job(namespace, name) => self.sync_job(namespace, name),
            Task::Pod(namespace, name) => self.sync_pod(namespace, name),
            Task::Garbage(key) => self.collect(key),
            Task::Ttl(namespace, name) => self.expire(namespace, name),
        }
    }

    /// Lets the controllers hear of what has changed.
    pub(super) fn notice(&mut self) {
        let from = self.tasks.noticed;
        let changes: Vec<Change> = self.store.history.changes[from..].to_vec();
        self.tasks.noticed += changes.len();
        for change in &changes {
            match (&change.after, &change.before) {
                (Some(object), _) => self.notice_object(change.resource, object),
                (None, Some(object)) => self.notice_end(change.resource, object),
                (None, None) => {}
            }
        }
        self.notice_namespaces();
    }

    fn notice_object(&mut self, resource: &'static str, object: &Value) {
        let (namespace, name) = place(object);
        match resource {
            JOBS => {
                self.soon(Task::Job(namespace.clone(), name.clone()));
                if !object["spec"]["ttlSecondsAfterFinished"].is_null() {
                    self.soon(Task::Ttl(namespace.clone(), name.clone()));
                }
            }
            PODS => {
                self.soon(Task::Pod(namespace.clone(), name.clone()));
                self.soon(Task::Job(namespace.clone(), job_of_pod(object)));
            }
            _ => {}
        }
        let metadata = &object["metadata"];
        if metadata["ownerReferences"].is_array() || !metadata["deletionTimestamp"].is_null() {
            self.soon(Task::Garbage((resource, namespace, name)));
        }
    }

    /// Who depended on an object that is gone, and whom it kept.
    fn notice_end(&mut self, resource: &'static str, object: &Value) {
        let uid = text(object, "/metadata/uid");
        let mut concerned = self.dependents(uid);
        concerned.extend(self.owners(object).into_iter().flatten());
        for key in concerned {
            self.soon(Task::Garbage(key));
        }
        let (namespace, name) = place(object);
        match resource {
            PODS => self.soon(Task::Job(namespace, job_of_pod(object))),
            JOBS => self.soon(Task::Job(namespace, name)),
            _ => {}
        }
    }

    fn notice_namespaces(&mut self) {
        if self.tasks.going == self.faults.terminating {
            return;
        }
        self.tasks.going = self.faults.terminating.clone();
        let all = self.store.everything().keys();
        let left: Vec<Key> = all.filter(|it| self.faults.terminating.contains(&it.1)).cloned().collect();
        for key in left {
            self.soon(Task::Garbage(key));
        }
    }

    /// The controllers begin anew, with what there is.
    pub(super) fn relist(&mut self) {
        self.tasks = Tasks { noticed: self.store.history.changes.len(), ..Tasks::default() };
        let all: Vec<_> = self.store.everything().iter().map(|(key, object)| (key.0, object.clone())).collect();
        for (resource, object) in all {
            self.notice_object(resource, &object);
        }
    }

    pub(super) fn soon(&mut self, task: Task) {
        let at = self.now + self.delay();
        self.tasks.due.insert((at, task));
    }

    pub(super) fn at(&mut self, at: Timestamp, task: Task) {
        self.tasks.due.insert((at.max(self.now), task));
    }

    /// How long it takes a controller to hear of something: little, but now and then seconds.
    fn delay(&mut self) -> SignedDuration {
        let is_long = self.random.random_ratio(1, 20);
        let milliseconds =
            if is_long { self.random.random_range(1_000..6_000) } else { self.random.random_range(2..150) };
        SignedDuration::from_millis(milliseconds)
    }
}

fn place(object: &Value) -> (String, String) {
    (text(object, "/metadata/namespace").to_owned(), text(object, "/metadata/name").to_owned())
}
