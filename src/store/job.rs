//! Jobs as they are watched: reduced to what decisions need.

use std::borrow::Cow;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use serde::{Deserialize, Serialize};

use crate::api::status::Origin;
use crate::api::{GROUP, observed};
use crate::decide::job::{ANNOTATION_SCHEDULE_RUN, ANNOTATION_STOPPED, ANNOTATION_TTL, LABEL_SCHEDULE_RUN_UID};
use crate::decide::naming;
use crate::decide::plan::Start;
use crate::decide::snapshot::{JobState, JobView, Presence};

/// A Job, as far as we read it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ObservedJob {
    /// Standard metadata.
    #[serde(default, deserialize_with = "observed::lean")]
    pub metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    suspend: bool,
    ttl_seconds_after_finished: Option<i32>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    active: i32,
    ready: i32,
    terminating: i32,
    succeeded: i32,
    failed: i32,
    completion_time: Option<Time>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    reason: String,
    message: String,
    last_transition_time: Option<Time>,
}

impl ObservedJob {
    /// The controller reference to a Schedule of ours, if it has one.
    #[must_use]
    pub fn schedule(&self) -> Option<&OwnerReference> {
        let owners = self.metadata.owner_references.as_deref().unwrap_or_default();
        let ours = |it: &&OwnerReference| {
            it.controller == Some(true) && it.kind == "Schedule" && it.api_version.split('/').next() == Some(GROUP)
        };
        owners.iter().find(ours)
    }

    /// The Job as decisions see it; `None` when its name is not one we gave it for its owner, or belongs to
    /// a ScheduleRun that the Job's label does not tell.
    #[must_use]
    pub fn view(&self) -> Option<JobView> {
        let (name, uid) = (self.metadata.name.as_ref()?, &self.schedule()?.uid);
        if let Some((slot, attempt)) = naming::identity(name, uid) {
            return self.view_as(Origin::of_slot(slot), attempt);
        }
        let run_uid = self.metadata.labels.as_ref()?.get(LABEL_SCHEDULE_RUN_UID)?;
        let attempt = naming::attempt_of_run(name, uid, run_uid)?;
        self.view_as(Origin::ScheduleRun(self.annotation(ANNOTATION_SCHEDULE_RUN)?.clone()), attempt)
    }

    /// The Job as decisions see it, if it is the one that was to be started for the Schedule of this UID:
    /// of that name, and with that owner.
    #[must_use]
    pub fn started_as(&self, start: &Start, schedule_uid: &str) -> Option<JobView> {
        let is_it = self.metadata.name.as_ref() == Some(&start.job_name)
            && self.schedule().is_some_and(|owner| owner.uid == schedule_uid);
        self.view_as(start.origin.clone(), start.attempt).filter(|_| is_it)
    }

    fn annotation(&self, key: &str) -> Option<&String> {
        self.metadata.annotations.as_ref().and_then(|it| it.get(key))
    }

    /// The Job as decisions see it, if it is known what it is for.
    #[must_use]
    pub fn view_as(&self, origin: Origin, attempt: u32) -> Option<JobView> {
        Some(JobView {
            origin,
            attempt,
            uid: self.metadata.uid.clone()?,
            created: self.metadata.creation_timestamp.as_ref()?.0,
            presence: if self.metadata.deletion_timestamp.is_some() { Presence::Deleting } else { Presence::Here },
            state: self.state(),
            stopped: self.annotation(ANNOTATION_STOPPED).is_some() && self.spec.suspend,
            deferred_ttl: self.annotation(ANNOTATION_TTL).and_then(|it| it.parse().ok()),
            has_ttl: self.spec.ttl_seconds_after_finished.is_some(),
            name: self.metadata.name.clone()?,
        })
    }

    fn state(&self) -> JobState {
        let condition = |type_: &str| self.status.conditions.iter().find(|it| it.type_ == type_ && it.status == "True");
        let at =
            |condition: &Condition| condition.last_transition_time.as_ref().map_or(Timestamp::UNIX_EPOCH, |it| it.0);
        if let Some(complete) = condition("Complete") {
            return JobState::Complete {
                at: self.status.completion_time.as_ref().map_or_else(|| at(complete), |it| it.0),
            };
        }
        if let Some(failed) = condition("Failed") {
            return JobState::Failed { at: at(failed), reason: failed.reason.clone(), message: failed.message.clone() };
        }
        JobState::Unfinished {
            active: self.status.active,
            ready: self.status.ready,
            terminating: self.status.terminating,
            finished: self.status.succeeded.saturating_add(self.status.failed),
            suspended: self.spec.suspend,
            rests: condition("Suspended").is_some(),
        }
    }
}

impl kube::Resource for ObservedJob {
    type DynamicType = ();
    type Scope = kube::core::NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        <Job as kube::Resource>::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        <Job as kube::Resource>::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        <Job as kube::Resource>::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        <Job as kube::Resource>::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::ObservedJob;
    use crate::decide::naming;
    use crate::decide::snapshot::JobState;
    use crate::time::Slot;

    fn job(status: serde_json::Value) -> ObservedJob {
        let name = naming::job_name("nightly", "u-1", Slot::from_unix_seconds(1_798_166_100));
        serde_json::from_value(json!({
            "metadata": {
                "name": name, "uid": "j-1", "creationTimestamp": "2026-12-25T02:35:01Z",
                "ownerReferences": [{"apiVersion": "punctual.dev/v1alpha1", "kind": "Schedule", "name": "nightly", "uid": "u-1", "controller": true}],
            },
            "spec": {"template": {"anything": 1}},
            "status": status,
        }))
        .expect("a Job")
    }

    #[test]
    fn failing_is_not_the_end_only_failed_is() {
        let failing = job(
            json!({"conditions": [{"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"}], "terminating": 1}),
        );
        assert!(!failing.view().expect("ours").state.is_terminal());
        let failed =
            job(json!({"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}));
        assert!(
            matches!(failed.view().expect("ours").state, JobState::Failed { reason, .. } if reason == "BackoffLimitExceeded")
        );
    }

    #[test]
    fn a_job_of_another_schedule_or_name_is_not_ours() {
        let mut foreign = job(json!({}));
        foreign.metadata.name = Some("nightly-by-hand".into());
        assert_eq!(foreign.view(), None);
        let mut adopted = job(json!({}));
        if let Some(owner) = adopted.metadata.owner_references.as_mut().and_then(|it| it.first_mut()) {
            owner.uid = "u-2".into();
        }
        assert_eq!(adopted.view(), None);
    }
}
