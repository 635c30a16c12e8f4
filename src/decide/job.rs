//! The Job for one slot or ScheduleRun: the user's template, whole, with our name, owner, labels
//! and environment.

use serde_json::{Map, Value, json};

use super::naming;
use super::snapshot::{Identity, ScheduleRunView};
use crate::api::spec::{JobTemplate, Schedule, ScheduleSpec};
use crate::api::status::ScheduleStatus;
use crate::time::Slot;

/// Label, and annotation: the name of the Schedule.
pub const LABEL_SCHEDULE: &str = "punctual.dev/schedule";
/// Label: the UID of the Schedule.
pub const LABEL_SCHEDULE_UID: &str = "punctual.dev/schedule-uid";
/// Label: the slot, as `20261225T023000Z`.
pub const LABEL_SLOT: &str = "punctual.dev/slot";
/// Annotation: the name of the ScheduleRun, of a run that was asked for by hand.
pub const ANNOTATION_SCHEDULE_RUN: &str = "punctual.dev/schedule-run";
/// Label: the UID of the ScheduleRun.
pub const LABEL_SCHEDULE_RUN_UID: &str = "punctual.dev/schedule-run-uid";
/// Annotation: the slot in RFC 3339.
pub const ANNOTATION_SLOT_TIME: &str = "punctual.dev/slot-time";
/// Annotation: which attempt of its run the Job is.
pub const ANNOTATION_ATTEMPT: &str = "punctual.dev/attempt";
/// Annotation: the term of the leader that created the Job.
pub const ANNOTATION_TERM: &str = "punctual.dev/leader-term";
/// Annotation: the time to live the user wants, set on the Job once its result is recorded.
pub const ANNOTATION_TTL: &str = "punctual.dev/ttl-seconds-after-finished";
/// Annotation: why we suspended the Job.
pub const ANNOTATION_STOPPED: &str = "punctual.dev/stopped";
/// Annotation known from `CronJob`: the slot in RFC 3339 (KEP-4026).
pub const ANNOTATION_SCHEDULED_TIMESTAMP: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// What a Job is for.
#[derive(Debug, Clone, Copy)]
pub enum Cause<'a> {
    /// A slot of the trigger.
    Slot(Slot),
    /// A ScheduleRun.
    ScheduleRun(&'a ScheduleRunView),
}

impl From<Slot> for Cause<'_> {
    fn from(slot: Slot) -> Self {
        Self::Slot(slot)
    }
}

impl Cause<'_> {
    /// The name of the run's first Job.
    #[must_use]
    pub fn job_name(self, schedule: &Identity) -> String {
        match self {
            Self::Slot(slot) => naming::job_name(&schedule.name, &schedule.uid, slot),
            Self::ScheduleRun(run) => run.job_name(schedule),
        }
    }

    /// The slot, or when the ScheduleRun was created.
    #[must_use]
    pub fn asked_for(self) -> Slot {
        match self {
            Self::Slot(slot) => slot,
            Self::ScheduleRun(run) => Slot::floor(run.created),
        }
    }

    /// What the Job says about it: a label, and annotations.
    fn describe(self, labels: &mut Map<String, Value>, annotations: &mut Map<String, Value>) {
        match self {
            Self::Slot(slot) => {
                let time = slot.timestamp().to_string();
                labels.insert(LABEL_SLOT.into(), json!(naming::slot_label(slot)));
                annotations.insert(ANNOTATION_SLOT_TIME.into(), json!(time));
                annotations.insert(ANNOTATION_SCHEDULED_TIMESTAMP.into(), json!(time));
            }
            Self::ScheduleRun(run) => {
                labels.insert(LABEL_SCHEDULE_RUN_UID.into(), json!(run.uid));
                annotations.insert(ANNOTATION_SCHEDULE_RUN.into(), json!(run.name));
            }
        }
    }
}

/// The Job for an attempt of a run, but for the leader's term, which is stamped on when it is sent.
///
/// It adds to the Pod spec nothing but generated environment variables, before the user's own
/// so that those win and may refer to ours, and a `restartPolicy` where there is none. Where runs
/// are tried again by `spec.retry`, the Job itself tries once unless the template says otherwise.
#[must_use]
pub fn build(
    schedule: &Identity,
    asked: &ScheduleSpec,
    cause: Cause<'_>,
    attempt: u32,
    status: Option<&ScheduleStatus>,
) -> Value {
    let template = &asked.job_template;
    let run = cause.job_name(schedule);
    let mut spec = template.0.get("spec").cloned().unwrap_or_else(|| json!({}));
    let ttl = spec.as_object_mut().and_then(|it| it.remove("ttlSecondsAfterFinished"));
    if let Some(job) = spec.as_object_mut().filter(|_| asked.retry.is_some()) {
        job.entry("backoffLimit").or_insert_with(|| json!(0));
    }
    if let Some(pod) = spec.pointer_mut("/template/spec").and_then(Value::as_object_mut) {
        pod.entry("restartPolicy").or_insert_with(|| json!("Never"));
        add_environment(pod, &environment(schedule, &run, cause, attempt, status));
    }

    let mut labels = texts(template, "labels");
    labels.insert(LABEL_SCHEDULE.into(), json!(schedule.name));
    labels.insert(LABEL_SCHEDULE_UID.into(), json!(schedule.uid));
    let mut annotations = texts(template, "annotations");
    // What these say of a Job we say, and nobody else.
    for ours in [ANNOTATION_STOPPED, ANNOTATION_TTL] {
        annotations.remove(ours);
    }
    annotations.insert(LABEL_SCHEDULE.into(), json!(schedule.name));
    annotations.insert(ANNOTATION_ATTEMPT.into(), json!(attempt.to_string()));
    cause.describe(&mut labels, &mut annotations);
    if let Some(ttl) = ttl.filter(|it| !it.is_null()) {
        annotations.insert(ANNOTATION_TTL.into(), json!(ttl.to_string()));
    }
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": naming::of_attempt(&run, attempt),
            "namespace": schedule.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner(schedule)],
        },
        "spec": spec,
    })
}

/// The controller reference to a Schedule.
fn owner(schedule: &Identity) -> Value {
    json!({
        "apiVersion": <Schedule as kube::Resource>::api_version(&()),
        "kind": <Schedule as kube::Resource>::kind(&()),
        "name": schedule.name,
        "uid": schedule.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

fn texts(template: &JobTemplate, key: &str) -> Map<String, Value> {
    let found = template.0.get("metadata").and_then(|it| it.get(key)).and_then(Value::as_object);
    found.cloned().unwrap_or_default()
}

fn environment(
    schedule: &Identity,
    run: &str,
    cause: Cause<'_>,
    attempt: u32,
    status: Option<&ScheduleStatus>,
) -> Vec<(&'static str, String)> {
    let last_success = status.and_then(|it| it.last_successful_time.as_ref()).map(|it| it.0.to_string());
    vec![
        ("PUNCTUAL_SCHEDULE", schedule.name.clone()),
        ("PUNCTUAL_SLOT", cause.asked_for().timestamp().to_string()),
        ("PUNCTUAL_RUN_ID", run.to_owned()),
        ("PUNCTUAL_ATTEMPT", attempt.to_string()),
        ("PUNCTUAL_LAST_SUCCESS", last_success.unwrap_or_default()),
    ]
}

fn add_environment(pod: &mut Map<String, Value>, ours: &[(&'static str, String)]) {
    for list in ["initContainers", "containers"] {
        for container in pod.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(container) = container.as_object_mut() else { continue };
            let theirs = container.get("env").and_then(Value::as_array).cloned().unwrap_or_default();
            let is_theirs = |name: &str| theirs.iter().any(|it| it.get("name").and_then(Value::as_str) == Some(name));
            let mut all: Vec<Value> = ours
                .iter()
                .filter(|(name, _)| !is_theirs(name))
                .map(|(name, value)| json!({"name": name, "value": value}))
                .collect();
            all.extend(theirs);
            container.insert("env".into(), Value::Array(all));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Cause, build};
    use crate::api::spec::ScheduleSpec;
    use crate::decide::snapshot::{Identity, ScheduleRunView};
    use crate::time::Slot;

    fn job(template: Value) -> Value {
        attempt(1, &json!({"trigger": {"cron": "5 2 * * *"}, "jobTemplate": template}))
    }

    fn schedule() -> Identity {
        Identity {
            namespace: "team".into(),
            name: "nightly".into(),
            uid: "u-1".into(),
            generation: 1,
            creation: Slot::from_unix_seconds(0),
            deleting: false,
        }
    }

    fn attempt(attempt: u32, spec: &Value) -> Value {
        let spec: ScheduleSpec = serde_json::from_value(spec.clone()).expect("a spec");
        build(&schedule(), &spec, Slot::from_unix_seconds(1_798_166_100).into(), attempt, None)
    }

    #[test]
    fn a_further_attempt_has_a_name_of_its_own_and_the_id_of_its_run() {
        let containers = json!([{"name": "a", "env": [{"name": "ID", "value": "$(PUNCTUAL_RUN_ID)"}]}]);
        let spec = json!({"trigger": {"cron": "5 2 * * *"}, "retry": {"limit": 3},
            "jobTemplate": {"spec": {"template": {"spec": {"containers": containers}}}}});
        let (first, third) = (attempt(1, &spec), attempt(3, &spec));
        let env = |job: &Value, index: usize| job["spec"]["template"]["spec"]["containers"][0]["env"][index].clone();
        let run = first["metadata"]["name"].as_str().expect("a name");
        assert_eq!(third["metadata"]["name"], format!("{run}-a3"));
        assert_eq!(third["metadata"]["annotations"]["punctual.dev/attempt"], "3");
        assert_eq!(env(&third, 2), json!({"name": "PUNCTUAL_RUN_ID", "value": run}));
        assert_eq!(env(&first, 3), json!({"name": "PUNCTUAL_ATTEMPT", "value": "1"}));
        assert_eq!(env(&third, 3), json!({"name": "PUNCTUAL_ATTEMPT", "value": "3"}));
    }

    #[test]
    fn with_retry_the_job_itself_tries_once_unless_the_template_says_otherwise() {
        let spec = |retry: Value, job: Value| json!({"trigger": {"cron": "5 2 * * *"}, "retry": retry, "jobTemplate": {"spec": job}});
        let retry = json!({"limit": 1});
        assert_eq!(attempt(1, &spec(retry.clone(), json!({})))["spec"]["backoffLimit"], 0);
        assert_eq!(attempt(1, &spec(retry, json!({"backoffLimit": 4})))["spec"]["backoffLimit"], 4);
        assert_eq!(attempt(1, &spec(Value::Null, json!({})))["spec"]["backoffLimit"], Value::Null);
    }

    #[test]
    fn fields_we_do_not_know_are_passed_through() {
        let built = job(
            json!({"spec": {"aFieldOfTomorrow": {"x": 1}, "template": {"spec": {"containers": [{"name": "a", "novel": true}]}}}}),
        );
        assert_eq!(built.pointer("/spec/aFieldOfTomorrow/x"), Some(&json!(1)));
        assert_eq!(built.pointer("/spec/template/spec/containers/0/novel"), Some(&json!(true)));
        assert_eq!(built.pointer("/spec/template/spec/restartPolicy"), Some(&json!("Never")));
    }

    #[test]
    fn the_users_own_environment_wins_and_may_refer_to_ours() {
        let built = job(json!({"spec": {"template": {"spec": {"containers": [
            {"name": "a", "env": [{"name": "PUNCTUAL_SLOT", "value": "mine"}, {"name": "KEY", "value": "$(PUNCTUAL_RUN_ID)"}]}]}}}}));
        let env = built.pointer("/spec/template/spec/containers/0/env").and_then(Value::as_array).expect("a list");
        let names: Vec<_> = env.iter().filter_map(|it| it["name"].as_str()).collect();
        assert_eq!(
            names,
            [
                "PUNCTUAL_SCHEDULE",
                "PUNCTUAL_RUN_ID",
                "PUNCTUAL_ATTEMPT",
                "PUNCTUAL_LAST_SUCCESS",
                "PUNCTUAL_SLOT",
                "KEY"
            ]
        );
        assert_eq!(env[4]["value"], "mine");
    }

    #[test]
    fn the_users_time_to_live_waits_until_the_result_is_recorded() {
        let built = job(json!({"spec": {"ttlSecondsAfterFinished": 0, "template": {"spec": {"containers": []}}}}));
        assert_eq!(built.pointer("/spec/ttlSecondsAfterFinished"), None);
        assert_eq!(built["metadata"]["annotations"]["punctual.dev/ttl-seconds-after-finished"], "0");
    }

    #[test]
    fn a_template_cannot_speak_for_us() {
        let claims = json!({"punctual.dev/stopped": "x", "punctual.dev/ttl-seconds-after-finished": "1", "punctual.dev/attempt": "9"});
        let job = job(json!({"metadata": {"annotations": claims}, "spec": {}}));
        let annotations = &job["metadata"]["annotations"];
        assert_eq!(annotations["punctual.dev/attempt"], "1");
        assert_eq!(annotations["punctual.dev/stopped"], Value::Null);
        assert_eq!(annotations["punctual.dev/ttl-seconds-after-finished"], Value::Null);
    }

    #[test]
    fn our_labels_and_annotations_stand_beside_the_users() {
        let built = job(
            json!({"metadata": {"labels": {"team": "a", "punctual.dev/slot": "forged"}}, "spec": {"template": {"spec": {}}}}),
        );
        assert_eq!(built["metadata"]["labels"]["team"], "a");
        assert_eq!(built["metadata"]["labels"]["punctual.dev/slot"], "20261225T023500Z");
        assert_eq!(
            built["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"],
            "2026-12-25T02:35:00Z"
        );
        assert_eq!(built["metadata"]["ownerReferences"][0]["uid"], "u-1");
    }

    #[test]
    fn the_job_of_a_run_by_hand_names_its_schedule_run_and_claims_no_scheduled_time() {
        let run = ScheduleRunView {
            name: "adhoc".into(),
            uid: "r-1".into(),
            version: "1".into(),
            generation: 1,
            created: Slot::from_unix_seconds(1_798_166_100).timestamp(),
            deleting: false,
            status: crate::api::ScheduleRunStatus::default(),
        };
        let template = json!({"spec": {"template": {"spec": {"containers": [{"name": "a"}]}}}});
        let spec = json!({"trigger": {"cron": "5 2 * * *"}, "jobTemplate": template});
        let spec: ScheduleSpec = serde_json::from_value(spec).expect("a spec");
        let built = build(&schedule(), &spec, Cause::ScheduleRun(&run), 1, None);
        assert_eq!(built["metadata"]["annotations"]["punctual.dev/schedule-run"], "adhoc");
        assert_eq!(built["metadata"]["labels"]["punctual.dev/schedule-run-uid"], "r-1");
        assert_eq!(built["metadata"]["labels"]["punctual.dev/slot"], Value::Null);
        let annotations = built["metadata"]["annotations"].to_string();
        assert!(!annotations.contains("scheduled-timestamp") && !annotations.contains("slot-time"), "{annotations}");
        let env = &built["spec"]["template"]["spec"]["containers"][0]["env"];
        assert_eq!(env[1], json!({"name": "PUNCTUAL_SLOT", "value": "2026-12-25T02:35:00Z"}));
        assert_eq!(env[2], json!({"name": "PUNCTUAL_RUN_ID", "value": built["metadata"]["name"]}));
    }
}
