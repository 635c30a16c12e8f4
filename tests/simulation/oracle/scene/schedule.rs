//! One Schedule: every version of its spec, and its status as it is stored.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use punctual::api::{ScheduleSpec, ScheduleStatus};
use punctual::time::{Context, Slot, Trigger};
use serde_json::Value;

use super::super::identity;
use super::{text, time};
use crate::history::Change;

/// What became of one Schedule.
pub struct Schedule {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// When it was created.
    pub created: Timestamp,
    /// When it went away, or began to.
    pub gone: Option<Timestamp>,
    /// The versions of its spec, oldest first.
    pub specs: Vec<Arc<SpecVersion>>,
    /// Its status as it is stored; empty if it is another object's.
    pub status: Arc<ScheduleStatus>,
    /// When somebody else last wrote its status.
    pub tampered: Option<Timestamp>,
}

/// One version of a spec.
pub struct SpecVersion {
    /// From when on it was stored.
    pub since: Timestamp,
    /// The generation it made.
    pub generation: i64,
    /// The spec, if it has a form that can be read.
    pub spec: Option<ScheduleSpec>,
    /// The trigger as it is stored, with its keys sorted.
    pub trigger_text: String,
    /// The trigger, if it can be understood.
    pub trigger: Option<Trigger>,
}

/// One write of a status.
pub struct StatusWrite {
    /// The Schedule.
    pub schedule_uid: String,
    /// Whether a replica wrote it.
    pub is_ours: bool,
    /// What was stored before.
    pub before: Arc<ScheduleStatus>,
    /// What is stored since.
    pub after: Arc<ScheduleStatus>,
    /// The spec that was there at that time: what was decided on, because the version is checked.
    pub spec: Arc<SpecVersion>,
}

impl Schedule {
    pub(super) fn new(object: &Value) -> Self {
        Self {
            namespace: text(object, "/metadata/namespace").to_owned(),
            name: text(object, "/metadata/name").to_owned(),
            uid: text(object, "/metadata/uid").to_owned(),
            created: time(object, "/metadata/creationTimestamp").unwrap_or_default(),
            gone: None,
            specs: Vec::new(),
            status: Arc::default(),
            tampered: None,
        }
    }

    /// Takes in a change of it. Answers the write of its status, if it was one.
    pub(super) fn note(&mut self, change: &Change, is_ours: bool) -> Option<StatusWrite> {
        let Some(object) = &change.after else {
            self.gone = self.gone.or(Some(change.at));
            return None;
        };
        if !object["metadata"]["deletionTimestamp"].is_null() {
            self.gone = self.gone.or(Some(change.at));
        }
        if change.before.as_ref().is_none_or(|before| before["spec"] != object["spec"]) {
            self.specs.push(Arc::new(self.read_spec(change.at, object)));
        }
        if change.before.as_ref().is_some_and(|before| before["status"] == object["status"]) {
            return None;
        }
        let after = Arc::new(self.read_status(&object["status"]));
        let before = std::mem::replace(&mut self.status, after.clone());
        if !is_ours && change.before.is_some() {
            self.tampered = Some(change.at);
        }
        let spec = self.specs.last()?.clone();
        Some(StatusWrite { schedule_uid: self.uid.clone(), is_ours, before, after, spec })
    }

    fn read_spec(&self, since: Timestamp, object: &Value) -> SpecVersion {
        let mut trigger = object["spec"]["trigger"].clone();
        trigger.sort_all_objects();
        let spec: Option<ScheduleSpec> = serde_json::from_value(object["spec"].clone()).ok();
        let context = Context { creation: Slot::floor(self.created), namespace: &self.namespace, name: &self.name };
        SpecVersion {
            since,
            generation: object["metadata"]["generation"].as_i64().unwrap_or(0),
            trigger: spec.as_ref().and_then(|it| Trigger::parse(&it.trigger, &context).ok()),
            trigger_text: trigger.to_string(),
            spec,
        }
    }

    fn read_status(&self, status: &Value) -> ScheduleStatus {
        let status: ScheduleStatus = serde_json::from_value(status.clone()).unwrap_or_default();
        if status.uid.as_deref() == Some(&self.uid) { status } else { ScheduleStatus::default() }
    }

    /// The spec as it is now.
    pub fn spec(&self) -> &SpecVersion {
        self.specs.last().unwrap()
    }

    /// The versions of the spec that were in force at any time since.
    pub fn specs_since(&self, since: Timestamp) -> impl Iterator<Item = &SpecVersion> {
        let first = self.specs.iter().rposition(|it| it.since <= since).unwrap_or(0);
        self.specs[first..].iter().map(Arc::as_ref)
    }

    /// The mark.
    pub fn mark(&self) -> Option<Slot> {
        self.status.decided_through.as_ref().map(slot_of)
    }

    /// For people.
    pub fn title(&self) -> String {
        format!("Schedule {}/{} ({})", self.namespace, self.name, self.uid)
    }
}

impl SpecVersion {
    /// Whether the trigger asks for this very instant.
    pub fn asks_for(&self, slot: Slot) -> bool {
        let asks = |it: &Trigger| it.between(slot.plus_seconds(-1), slot, 1).first() == Some(&slot);
        self.trigger.as_ref().is_some_and(asks)
    }

    /// Jitter, in seconds.
    pub fn jitter(&self) -> i64 {
        let jitter = self.spec.as_ref().and_then(|it| it.jitter);
        jitter.map_or(0, |it| it.seconds_i64())
    }

    /// The latest at which a slot may be planned to start.
    pub fn latest_start(&self, slot: Slot) -> Slot {
        let next = self.trigger.as_ref().and_then(|it| it.next(slot).slot());
        let distance = next.map_or(i64::MAX, |it| it.unix_seconds() - slot.unix_seconds());
        slot.plus_seconds(self.jitter().min(distance))
    }

    /// Whether the spec asks for a pause at this instant.
    pub fn asks_for_pause(&self, at: Timestamp) -> bool {
        let Some(spec) = &self.spec else { return false };
        let until = spec.pause_until.as_ref().and_then(|it| it.parse::<Timestamp>().ok());
        spec.paused == Some(true) && until.is_none_or(|until| at < until)
    }
}

/// The slot of a time in status.
pub fn slot_of(time: &Time) -> Slot {
    Slot::floor(time.0)
}

/// Whether two Jobs are attempts of one run.
pub fn is_same_run(one: &str, other: &str) -> bool {
    identity::run_name(one) == identity::run_name(other)
}
