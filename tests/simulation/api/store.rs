//! The objects, and every version of them that is still known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::resource::Resource;
use crate::history::{Change, History};

/// Resource in the plural, namespace, name.
pub type Key = (&'static str, String, String);
/// Objects by their keys.
pub type Objects = BTreeMap<Key, Arc<Value>>;

/// Versions before the first.
const BEGIN: u64 = 1_000;

/// Who changes something, when, and through what.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    pub at: Timestamp,
    pub by: &'a str,
    pub is_status: bool,
}

/// What etcd holds, and the history that watches are served from.
#[derive(Debug)]
pub struct Store {
    objects: Objects,
    /// The version of the last change.
    version: u64,
    /// What happened up to this version cannot be watched any more.
    unwatchable: u64,
    /// What there was before this version cannot be listed any more.
    unlistable: u64,
    /// How many of the history's changes are of an earlier past than the present one.
    past: usize,
    /// Objects of which a part is shown that is not stored yet: the status that a definition gives
    /// to a new one. The first write stores it, whatever else that changes.
    unsettled: BTreeSet<Key>,
    pub history: History,
}

impl Store {
    pub fn new() -> Self {
        Self {
            objects: Objects::new(),
            version: BEGIN,
            unwatchable: BEGIN,
            unlistable: BEGIN,
            past: 0,
            unsettled: BTreeSet::new(),
            history: History::default(),
        }
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    /// The oldest version that can be gone back to.
    pub fn oldest(&self) -> u64 {
        self.history.changes.get(self.past).map_or(self.version, |it| it.version - 1)
    }

    pub fn unwatchable(&self) -> u64 {
        self.unwatchable
    }

    /// The number of the first change that is of the present past.
    pub fn past(&self) -> usize {
        self.past
    }

    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.objects.get(&(resource.plural, namespace.to_owned(), name.to_owned()))
    }

    pub fn settle_later(&mut self, key: Key) {
        self.unsettled.insert(key);
    }

    pub fn is_to_be_settled(&self, key: &Key) -> bool {
        self.unsettled.contains(key)
    }

    /// All objects of a resource in the order of their namespaces and names.
    pub fn all(&self, plural: &str) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        let plural = Resource::named(plural).plural;
        let from = (plural, String::new(), String::new());
        self.objects.range(from..).take_while(move |(key, _)| key.0 == plural)
    }

    pub fn everything(&self) -> &Objects {
        &self.objects
    }

    /// Stores an object, which gets the next version.
    pub fn put(&mut self, author: Author<'_>, key: Key, mut object: Value) -> Arc<Value> {
        object["metadata"]["resourceVersion"] = json!((self.version + 1).to_string());
        let object = Arc::new(object);
        let before = self.objects.insert(key.clone(), object.clone());
        self.note(author, key, before, Some(object.clone()));
        object
    }

    /// Removes an object; what was last known of it remains in the history.
    pub fn remove(&mut self, author: Author<'_>, key: &Key) {
        if let Some(before) = self.objects.remove(key) {
            self.note(author, key.clone(), Some(before), None);
        }
    }

    fn note(&mut self, author: Author<'_>, key: Key, before: Option<Arc<Value>>, after: Option<Arc<Value>>) {
        self.version += 1;
        self.unsettled.remove(&key);
        let (resource, namespace, name) = key;
        let (version, by) = (self.version, author.by.to_owned());
        let (at, is_status) = (author.at, author.is_status);
        self.history.changes.push(Change { version, at, by, resource, is_status, namespace, name, before, after });
    }

    /// The objects as they were at a version; none when that is too old to be known.
    pub fn at(&self, version: u64) -> Option<Objects> {
        (version >= self.unlistable).then(|| self.back_to(version))
    }

    fn back_to(&self, version: u64) -> Objects {
        let mut objects = self.objects.clone();
        for change in self.history.changes[self.past..].iter().rev().take_while(|it| it.version > version) {
            let key = (change.resource, change.namespace.clone(), change.name.clone());
            match &change.before {
                Some(before) => objects.insert(key, before.clone()),
                None => objects.remove(&key),
            };
        }
        objects
    }

    pub fn forget_watched(&mut self) {
        self.unwatchable = self.version;
    }

    pub fn forget_listed(&mut self) {
        self.unlistable = self.version;
    }

    /// Goes back to what was there at a version of the present past, as from a backup. The history
    /// tells of it as changes by "restore", all of that old version; versions count on from there.
    pub fn restore(&mut self, at: Timestamp, version: u64) {
        let old = self.back_to(version);
        let now = std::mem::replace(&mut self.objects, old);
        let keys: BTreeSet<&Key> = now.keys().chain(self.objects.keys()).collect();
        for key in keys {
            let (before, after) = (now.get(key).cloned(), self.objects.get(key).cloned());
            if before != after {
                let (resource, namespace, name) = key.clone();
                let by = "restore".to_owned();
                let change = Change { version, at, by, resource, is_status: false, namespace, name, before, after };
                self.history.changes.push(change);
            }
        }
        (self.version, self.unwatchable, self.unlistable) = (version, version, version);
        self.past = self.history.changes.len();
    }
}

/// The text at a JSON pointer; empty when there is none.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The version an object bears.
pub fn version_of(object: &Value) -> &str {
    text(object, "/metadata/resourceVersion")
}
