//! The garbage collector, and the controller that removes finished Jobs in their time.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::ApiServer;
use super::controllers::Task;
use super::job_controller::condition;
use super::object;
use super::refusal::Refusal;
use super::resource::{JOBS, Resource};
use super::store::{Key, text};
use super::write::{FOREGROUND, ORPHAN, Place, Wish};

impl ApiServer {
    /// Looks whether an object is to go, and whether one that is to go may.
    pub(super) fn collect(&mut self, key: &Key) -> Result<(), Refusal> {
        let Some(object) = self.found(key) else { return Ok(()) };
        let finalizers = object::finalizers(&object);
        if object["metadata"]["deletionTimestamp"].is_null() {
            let owners = self.owners(&object);
            let is_orphan = !owners.is_empty() && owners.iter().all(Option::is_none);
            if is_orphan || self.is_going(&object) {
                return self.remove("garbage", key, &object, "Background");
            }
            let is_waited_for = |owner: &Key| {
                self.found(owner).is_some_and(|it| object::finalizers(&it).iter().any(|it| it == FOREGROUND))
            };
            if blocks(&object) && owners.iter().flatten().any(is_waited_for) {
                return self.remove("garbage", key, &object, "Foreground");
            }
        } else if finalizers.iter().any(|it| it == FOREGROUND) {
            self.collect_dependents(key, &object)?;
        } else if finalizers.iter().any(|it| it == ORPHAN) {
            self.orphan_dependents(key, &object)?;
        }
        Ok(())
    }

    fn collect_dependents(&mut self, key: &Key, object: &Value) -> Result<(), Refusal> {
        let dependents = self.dependents(text(object, "/metadata/uid"));
        let blocking: Vec<Key> =
            dependents.into_iter().filter(|it| self.found(it).is_some_and(|it| blocks(&it))).collect();
        if blocking.is_empty() {
            return self.drop_finalizer("garbage", key, FOREGROUND);
        }
        for dependent in blocking {
            self.soon(Task::Garbage(dependent));
        }
        Ok(())
    }

    fn orphan_dependents(&mut self, key: &Key, object: &Value) -> Result<(), Refusal> {
        let uid = text(object, "/metadata/uid");
        for key in self.dependents(uid) {
            let Some(dependent) = self.found(&key) else { continue };
            let mut freed = (*dependent).clone();
            if let Some(owners) = freed["metadata"]["ownerReferences"].as_array_mut() {
                owners.retain(|it| it["uid"] != uid);
            }
            self.update(Wish::of("garbage"), place(&key), freed)?;
        }
        self.drop_finalizer("garbage", key, ORPHAN)
    }

    /// Removes a Job whose time to live after its end is over.
    pub(super) fn expire(&mut self, namespace: &str, name: &str) -> Result<(), Refusal> {
        let key = (JOBS, namespace.to_owned(), name.to_owned());
        let Some(job) = self.found(&key) else { return Ok(()) };
        let Some(ttl) = job["spec"]["ttlSecondsAfterFinished"].as_i64() else { return Ok(()) };
        let Some(end) = condition(&job, "Complete").or_else(|| condition(&job, "Failed")) else { return Ok(()) };
        let end: Timestamp = text(end, "/lastTransitionTime").parse().unwrap();
        let due = end + SignedDuration::from_secs(ttl);
        if !job["metadata"]["deletionTimestamp"].is_null() {
            return Ok(());
        }
        if due > self.now {
            self.at(due, Task::Ttl(namespace.to_owned(), name.to_owned()));
            return Ok(());
        }
        self.remove("ttl", &key, &job, "Foreground")
    }

    pub(super) fn found(&self, key: &Key) -> Option<Arc<Value>> {
        self.store.everything().get(key).cloned()
    }

    /// Deletes this very object.
    pub(super) fn remove(&mut self, by: &str, key: &Key, object: &Value, policy: &str) -> Result<(), Refusal> {
        let options = json!({"propagationPolicy": policy, "preconditions": {"uid": object["metadata"]["uid"]}});
        self.delete(Wish::of(by), place(key), &options).map(drop)
    }

    pub(super) fn drop_finalizer(&mut self, by: &str, key: &Key, finalizer: &str) -> Result<(), Refusal> {
        let Some(object) = self.found(key) else { return Ok(()) };
        let mut finalizers = object::finalizers(&object);
        finalizers.retain(|it| it != finalizer);
        let mut freed = (*object).clone();
        object::set_finalizers(&mut freed, &finalizers);
        self.update(Wish::of(by), place(key), freed).map(drop)
    }

    /// All objects that name this one as an owner.
    pub(super) fn dependents(&self, uid: &str) -> Vec<Key> {
        let depends = |object: &Value| references(object).any(|it| it["uid"] == uid);
        self.store.everything().iter().filter(|(_, object)| depends(object)).map(|(key, _)| key.clone()).collect()
    }

    /// The owners that an object names; none for each that is not there.
    pub(super) fn owners(&self, object: &Value) -> Vec<Option<Key>> {
        let namespace = text(object, "/metadata/namespace");
        let owner = |reference: &Value| {
            let resource = Resource::of_kind(text(reference, "/apiVersion"), text(reference, "/kind"))?;
            let name = text(reference, "/name");
            let found = self.store.get(resource, namespace, name)?;
            (found["metadata"]["uid"] == reference["uid"])
                .then(|| (resource.plural, namespace.to_owned(), name.to_owned()))
        };
        references(object).map(owner).collect()
    }
}

fn references(object: &Value) -> impl Iterator<Item = &Value> {
    object["metadata"]["ownerReferences"].as_array().into_iter().flatten()
}

/// Whether an owner that is deleted after what depends on it waits for this object.
fn blocks(object: &Value) -> bool {
    references(object).any(|it| it["blockOwnerDeletion"] == true)
}

fn place(key: &Key) -> Place<'_> {
    Place { resource: Resource::named(key.0), namespace: &key.1, name: &key.2 }
}
