//! The operator changes only what is its own: the status of Schedules and ScheduleRuns, its Jobs, its
//! Leases, and Events.

use serde_json::Value;

use super::scene::{Meaning, Scene};
use super::{Check, Promise, Verdict, Violation};
use crate::history::Change;

/// It needs no memory.
pub struct OwnWrites;

impl Check for OwnWrites {
    fn change(&mut self, scene: &Scene, change: &Change, meaning: &Meaning) -> Verdict {
        if !scene.circumstances.is_life(&change.by) {
            return Ok(());
        }
        let objection = match change.resource {
            "schedules" => (!is_status_only(change)).then_some("more than the status of a Schedule is changed"),
            "scheduleruns" => {
                let may = is_status_only(change) || is_removal(change);
                (!may).then_some("more than the status of a ScheduleRun is changed")
            }
            "jobs" => objection_to_job(change, meaning),
            "leases" | "events" => None,
            _ => Some("the operator changes nothing of this kind"),
        };
        objection.map_or(Ok(()), |why| {
            let object = format!("{} {}/{}", change.resource, change.namespace, change.name);
            Err(Violation::new(Promise::OwnWrites, why).of(object).shown_by(change))
        })
    }
}

fn objection_to_job(change: &Change, meaning: &Meaning) -> Option<&'static str> {
    let before = change.before.as_ref()?;
    if matches!(meaning, Meaning::Other) {
        return Some("a Job is touched that is not one of ours");
    }
    let after = change.after.as_ref()?;
    let parts = ["/spec/suspend", "/spec/ttlSecondsAfterFinished", "/metadata/annotations/punctual.dev~1stopped"];
    let is_ours = is_removal(change) || without(before, &parts) == without(after, &parts);
    (!is_ours).then_some("more of a Job is changed than its suspension and its time to live")
}

fn is_removal(change: &Change) -> bool {
    change.after.as_ref().is_none_or(|it| !it["metadata"]["deletionTimestamp"].is_null())
}

fn is_status_only(change: &Change) -> bool {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return false };
    without(before, &["/status"]) == without(after, &["/status"])
}

/// An object without these parts, and without what every write changes.
fn without(object: &Value, parts: &[&str]) -> Value {
    let mut rest = object.clone();
    for part in ["/metadata/resourceVersion", "/metadata/managedFields", "/metadata/generation"].iter().chain(parts) {
        if let Some((parent, name)) = part.rsplit_once('/')
            && let Some(parent) = rest.pointer_mut(parent).and_then(Value::as_object_mut)
        {
            parent.remove(&name.replace("~1", "/"));
        }
    }
    // An empty object of annotations is none.
    if rest["metadata"]["annotations"].as_object().is_some_and(serde_json::Map::is_empty)
        && let Some(metadata) = rest["metadata"].as_object_mut()
    {
        metadata.remove("annotations");
    }
    rest
}

mod tests {
    use serde_json::json;

    use super::super::tale::Tale;
    use super::OwnWrites;

    #[test]
    fn the_status_and_the_suspension_of_a_job_are_ours() {
        let mut tale = Tale::begin();
        let job = tale.job("10:01:00", "10:01:00");
        tale.change_job("10:01:01", &job, "a1", |it| {
            it["spec"]["suspend"] = json!(true);
            it["metadata"]["annotations"] = json!({"punctual.dev/stopped": "Replaced"});
        });
        tale.judge(OwnWrites).unwrap();
    }

    #[test]
    fn the_spec_of_a_schedule_is_not() {
        let mut tale = Tale::begin();
        tale.edit("10:01:00", |it| it["paused"] = json!(true));
        tale.judge(OwnWrites).unwrap();
        tale.change_schedule("10:01:01", "a1", |it| it["spec"]["paused"] = json!(false));
        tale.breaks(OwnWrites, "more than the status");
    }

    #[test]
    fn nor_are_the_template_of_a_job_or_the_job_of_somebody_else() {
        let mut tale = Tale::begin();
        let job = tale.job("10:01:00", "10:01:00");
        tale.change_job("10:01:01", &job, "a1", |it| it["spec"]["parallelism"] = json!(2));
        tale.breaks(OwnWrites, "more of a Job");
        let mut tale = Tale::begin();
        tale.create(
            "10:01:00",
            "user",
            "jobs",
            json!({"metadata": {"namespace": "team", "name": "theirs", "uid": "job-x"}}),
        );
        tale.remove_job("10:01:01", "theirs", "a1");
        tale.breaks(OwnWrites, "not one of ours");
    }

    #[test]
    fn nor_is_anything_else() {
        let mut tale = Tale::begin();
        tale.create(
            "10:01:00",
            "a1",
            "pods",
            json!({"metadata": {"namespace": "team", "name": "pod", "uid": "pod-1"}}),
        );
        tale.breaks(OwnWrites, "nothing of this kind");
    }
}
