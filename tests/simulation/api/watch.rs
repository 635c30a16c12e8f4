//! Watches: every change since a version, then those that come.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::ApiServer;
use super::list::metadata_only;
use super::refusal::Refusal;
use super::request::Question;
use super::resource::Resource;
use super::selector::Selector;
use super::store::Store;
use crate::history::Change;

/// A watch that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(u64);

/// How long a watch lasts that does not say.
const LASTS: i64 = 1_800;
/// How often the server tells in a bookmark how far a watch has come, and how long before its end.
const BOOKMARK_EVERY: SignedDuration = SignedDuration::from_secs(60);
const BOOKMARK_BEFORE_END: SignedDuration = SignedDuration::from_secs(2);

#[derive(Debug)]
pub struct Watch {
    resource: &'static Resource,
    selector: Selector,
    is_metadata: bool,
    /// Lines not sent yet.
    waiting: Vec<Value>,
    /// The number of the next change in the history to look at.
    next: usize,
    /// Changes up to this version are known to the client.
    since: u64,
    ends: Timestamp,
    bookmark: Option<Timestamp>,
    /// Whether nothing comes after what waits.
    is_over: bool,
}

impl ApiServer {
    pub(super) fn watch(&mut self, question: &Question) -> Result<WatchId, Refusal> {
        let since = question.parameter("resourceVersion").unwrap_or("0");
        let since: u64 =
            since.parse().map_err(|_| Refusal::bad_request(format!("invalid resource version: {since:?}")))?;
        let seconds = question.parameter("timeoutSeconds").and_then(|it| it.parse().ok()).filter(|it| *it > 0);
        let ends = self.now + SignedDuration::from_secs(seconds.unwrap_or(LASTS));
        let bookmarks = question.parameter("allowWatchBookmarks") == Some("true");
        let bookmark = (self.now + BOOKMARK_EVERY).min(ends - BOOKMARK_BEFORE_END);
        let mut watch = Watch {
            resource: question.resource,
            selector: Selector::of(question)?,
            is_metadata: question.wants_metadata(),
            waiting: Vec::new(),
            next: self.store.past(),
            since,
            ends,
            bookmark: bookmarks.then_some(bookmark),
            is_over: false,
        };
        let begins_with_all = question.parameter("sendInitialEvents") == Some("true");
        if since == 0 || begins_with_all {
            watch.begin_with_all(&self.store, begins_with_all);
        } else if since < self.store.unwatchable() {
            let refusal = Refusal::expired(format!("too old resource version: {since} ({})", self.store.unwatchable()));
            if self.faults.expires_by_code {
                return Err(refusal);
            }
            watch.waiting.push(json!({"type": "ERROR", "object": refusal.body}));
            watch.is_over = true;
        }
        self.last_watch += 1;
        self.watches.insert(self.last_watch, watch);
        Ok(WatchId(self.last_watch))
    }

    /// Lines that a watch has to send by now, each with its newline; none when it has ended.
    pub fn poll_watch(&mut self, id: WatchId) -> Option<Vec<Vec<u8>>> {
        let watch = self.watches.get_mut(&id.0)?;
        if !watch.is_over {
            watch.look(&self.store, self.now);
        }
        let lines: Vec<Value> = std::mem::take(&mut watch.waiting);
        if watch.is_over && lines.is_empty() {
            self.watches.remove(&id.0);
            return None;
        }
        Some(lines.into_iter().map(|line| format!("{line}\n").into_bytes()).collect())
    }

    /// The client does not listen any more.
    pub fn close_watch(&mut self, id: WatchId) {
        self.watches.remove(&id.0);
    }

    /// Ends all watches; what waits to be sent is lost.
    pub(super) fn end_watches(&mut self) {
        self.watches.clear();
    }
}

impl Watch {
    /// Shows what there is as if it were new.
    fn begin_with_all(&mut self, store: &Store, and_says_so: bool) {
        self.since = store.version();
        let objects = store.all(self.resource.plural).map(|(_, object)| object);
        let found: Vec<Value> =
            objects.filter(|it| self.selector.takes(it)).map(|it| self.event("ADDED", it)).collect();
        self.waiting.extend(found);
        if and_says_so {
            let mut bookmark = self.bookmark_at(self.since);
            bookmark["object"]["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
            self.waiting.push(bookmark);
        }
    }

    /// Takes in what has happened by now.
    fn look(&mut self, store: &Store, now: Timestamp) {
        for change in &store.history.changes[self.next..] {
            if change.resource == self.resource.plural && change.version > self.since {
                let event = self.seen(change);
                self.waiting.extend(event);
                self.since = change.version;
            }
        }
        self.next = store.history.changes.len();
        if let Some(at) = self.bookmark.filter(|at| *at <= now) {
            self.waiting.push(self.bookmark_at(self.since));
            let before_end = self.ends - BOOKMARK_BEFORE_END;
            let next = if at < before_end { (at + BOOKMARK_EVERY).min(before_end) } else { Timestamp::MAX };
            self.bookmark = Some(next);
        }
        self.is_over = self.ends <= now;
    }

    /// What a change looks like to one who sees only what the selector takes.
    fn seen(&self, change: &Change) -> Option<Value> {
        let takes =
            |object: &Option<_>| object.as_ref().is_some_and(|it: &std::sync::Arc<Value>| self.selector.takes(it));
        let after = change.after.as_ref();
        match (takes(&change.before), takes(&change.after)) {
            (false, true) => after.map(|it| self.event("ADDED", it)),
            (true, true) => after.map(|it| self.event("MODIFIED", it)),
            (true, false) => {
                let mut last = (**change.before.as_ref()?).clone();
                last["metadata"]["resourceVersion"] = json!(change.version.to_string());
                Some(self.event("DELETED", &last))
            }
            (false, false) => None,
        }
    }

    fn event(&self, kind: &str, object: &Value) -> Value {
        let object = if self.is_metadata { metadata_only(object) } else { object.clone() };
        json!({"type": kind, "object": object})
    }

    fn bookmark_at(&self, version: u64) -> Value {
        let mut object = json!({"metadata": {"resourceVersion": version.to_string(), "creationTimestamp": null}});
        self.resource.stamp(&mut object);
        self.event("BOOKMARK", &object)
    }
}
