//! Objects made in bulk, with so many requests at once.

use futures::{StreamExt, stream};
use http::Method;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use punctual::api::ScheduleSpec;
use punctual::decide::job::{ANNOTATION_TERM, build};
use punctual::decide::snapshot::Identity;
use punctual::time::Slot;
use serde_json::{Value, json};

use super::Try;
use super::lab::{Lab, NAMESPACE};

/// Requests at once when it does not matter.
const PARALLEL: usize = 32;

/// How a Job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEnd {
    /// It is suspended: nothing is done about it.
    Held,
    /// It asks for no Pod, so that the Job controller completes it at once.
    AtOnce,
}

/// The template of every Job here.
pub fn job_template(end: JobEnd) -> Value {
    let mut template = json!({"spec": {
        "backoffLimit": 0,
        "template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "example/work:1", "command": ["work", "--once"]}],
        }},
    }});
    match end {
        JobEnd::Held => template["spec"]["suspend"] = json!(true),
        JobEnd::AtOnce => template["spec"]["completions"] = json!(0),
    }
    template
}

/// A CronJob that is due at one instant, a full minute, and then not for a day.
pub fn cron_job(index: usize, due: Timestamp) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name(index)},
        "spec": {"schedule": daily(due), "timeZone": "Etc/UTC", "jobTemplate": job_template(JobEnd::Held)},
    })
}

/// A Schedule that is due at one instant, a full minute, and then not for a day.
pub fn daily_schedule(index: usize, due: Timestamp) -> Value {
    schedule(&name(index), &json!({"cron": daily(due), "timeZone": "Etc/UTC"}), JobEnd::Held)
}

/// A Schedule as its user would write it.
pub fn schedule(name: &str, trigger: &Value, end: JobEnd) -> Value {
    json!({
        "apiVersion": "punctual.dev/v1alpha1", "kind": "Schedule", "metadata": {"name": name},
        "spec": {"trigger": trigger, "jobTemplate": job_template(end)},
    })
}

/// The Job that the operator starts for a Schedule that is due at this instant, to be created by someone else.
pub fn started_job(index: usize, due: Timestamp) -> Try<Value> {
    let schedule = daily_schedule(index, due);
    let spec: ScheduleSpec = serde_json::from_value(schedule["spec"].clone())?;
    let slot = Slot::floor(due);
    let identity = Identity {
        namespace: NAMESPACE.into(),
        name: name(index),
        uid: format!("00000000-0000-4000-8000-{index:012}"),
        generation: 1,
        creation: slot,
        deleting: false,
    };
    let mut job = build(&identity, &spec, slot.into(), 1, None);
    job["metadata"]["annotations"][ANNOTATION_TERM] = json!("29000000");
    Ok(job)
}

/// A Job that nobody owns.
pub fn job(prefix: &str, index: usize, end: JobEnd) -> Value {
    let mut job = job_template(end);
    job["apiVersion"] = json!("batch/v1");
    job["kind"] = json!("Job");
    job["metadata"] = json!({"name": format!("{prefix}-{}", name(index))});
    job
}

fn name(index: usize) -> String {
    format!("work-{index:05}")
}

fn daily(due: Timestamp) -> String {
    let due = due.to_zoned(TimeZone::UTC);
    format!("{} {} * * *", due.minute(), due.hour())
}

/// Creates objects, a few dozen at once.
pub async fn create(lab: &Lab, kind: &str, objects: impl Iterator<Item = Value>) -> Try<()> {
    create_with(lab, kind, objects, PARALLEL).await
}

/// Creates objects, so many at once.
pub async fn create_with(lab: &Lab, kind: &str, objects: impl Iterator<Item = Value>, parallel: usize) -> Try<()> {
    let group = if kind == "schedules" { "punctual.dev/v1alpha1" } else { "batch/v1" };
    let uri = format!("/apis/{group}/namespaces/{NAMESPACE}/{kind}");
    let sent = stream::iter(objects).map(|object| {
        let uri = uri.clone();
        async move { lab.send(Method::POST, &uri, &object).await.map(drop) }
    });
    let mut answers = sent.buffer_unordered(parallel);
    while let Some(answer) = answers.next().await {
        answer?;
    }
    Ok(())
}
