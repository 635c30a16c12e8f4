//! One Job of a Schedule, from its beginning to its end.

use jiff::{SignedDuration, Timestamp};
use punctual::api::status::Outcome;
use serde_json::Value;

use super::super::identity::RunId;
use super::{text, time};
use crate::history::Change;

/// What became of one Job.
pub struct Job {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The UID of its Schedule.
    pub schedule_uid: String,
    /// What it is for.
    pub run: RunId,
    /// Which attempt it is.
    pub attempt: u32,
    /// When it came.
    pub created: Timestamp,
    /// Who created it.
    pub by: String,
    /// The version at which it came.
    pub version: u64,
    /// Whether nothing that was stored when it came had decided otherwise.
    pub was_expected: bool,
    /// Whether it may have come by a request that was long on its way.
    pub may_be_late: bool,
    /// How it ended, once it has.
    pub end: Option<End>,
    /// Since when it is being deleted.
    pub deleting: Option<Timestamp>,
    /// When it went.
    pub gone: Option<Timestamp>,
    /// Who let it go.
    pub gone_by: String,
    /// Whether it is suspended.
    pub is_suspended: bool,
    /// Its Pods that have not ended.
    pub pods: i64,
    /// The time to live it was given.
    pub ttl: Option<i64>,
    /// When a status first told of it.
    pub told: Option<Timestamp>,
}

/// How a Job ended.
#[derive(Clone)]
pub struct End {
    /// When, as it was written.
    pub at: Timestamp,
    /// As a run of it alone would end.
    pub outcome: Outcome,
}

impl Job {
    pub(super) fn new(change: &Change, object: &Value, schedule_uid: String, run: RunId, attempt: u32) -> Self {
        let mut job = Self {
            namespace: change.namespace.clone(),
            name: change.name.clone(),
            uid: text(object, "/metadata/uid").to_owned(),
            schedule_uid,
            run,
            attempt,
            created: change.at,
            by: change.by.clone(),
            version: change.version,
            was_expected: true,
            may_be_late: false,
            end: None,
            deleting: None,
            gone: None,
            gone_by: String::new(),
            is_suspended: false,
            pods: 0,
            ttl: None,
            told: None,
        };
        job.note(change);
        job
    }

    pub(super) fn note(&mut self, change: &Change) {
        let Some(object) = &change.after else {
            self.gone = Some(change.at);
            if self.deleting.is_none() {
                self.gone_by.clone_from(&change.by);
            }
            return;
        };
        if self.deleting.is_none() && !object["metadata"]["deletionTimestamp"].is_null() {
            self.deleting = Some(change.at);
            self.gone_by.clone_from(&change.by);
        }
        self.is_suspended = object["spec"]["suspend"] == true;
        self.pods = ["active", "terminating"].iter().filter_map(|it| object["status"][it].as_i64()).sum();
        self.ttl = object["spec"]["ttlSecondsAfterFinished"].as_i64();
        self.end = self.end.take().or_else(|| end(object));
    }

    /// Whether it counts as active: neither finished nor gone, nor suspended with all its Pods at their end.
    pub fn is_at_work(&self) -> bool {
        self.end.is_none() && self.gone.is_none() && (!self.is_suspended || self.pods > 0)
    }

    /// Its age.
    pub fn age(&self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.created)
    }
}

fn end(object: &Value) -> Option<End> {
    let conditions = object["status"]["conditions"].as_array()?;
    let is_true = |kind: &str| conditions.iter().find(|it| it["type"] == kind && it["status"] == "True");
    if let Some(complete) = is_true("Complete") {
        let at = time(&object["status"], "/completionTime").or_else(|| time(complete, "/lastTransitionTime"))?;
        return Some(End { at, outcome: Outcome::Succeeded });
    }
    let failed = is_true("Failed")?;
    let outcome = if failed["reason"] == "DeadlineExceeded" { Outcome::TimedOut } else { Outcome::Failed };
    Some(End { at: time(failed, "/lastTransitionTime")?, outcome })
}
