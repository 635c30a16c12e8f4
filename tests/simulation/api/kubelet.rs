//! Scheduler and kubelet in one: a Pod gets a node, runs, and ends as its annotation says.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ApiServer;
use super::controllers::Task;
use super::job_controller::is_over;
use super::refusal::Refusal;
use super::resource::{PODS, Resource};
use super::store::text;
use super::write::{Place, Wish};

/// The annotation of a Pod that says what it does.
const BEHAVIOUR: &str = "simulation/behaviour";
const BY: &str = "kubelet";
/// The exit code of a container that was told to end and did.
const TERMINATED: i32 = 143;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Behaviour {
    /// How long it works; for ever if not said.
    seconds: Option<i64>,
    exit: i32,
    message: String,
    /// How long it takes to end when it is told to.
    stops: i64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { seconds: Some(5), exit: 0, message: String::new(), stops: 0 }
    }
}

impl Behaviour {
    fn of(pod: &Value) -> Self {
        let told = pod["metadata"]["annotations"][BEHAVIOUR].as_str();
        told.map(|it| serde_json::from_str(it).unwrap_or_else(|error| panic!("{BEHAVIOUR}: {error}: {it}")))
            .unwrap_or_default()
    }
}

impl ApiServer {
    pub(super) fn sync_pod(&mut self, namespace: &str, name: &str) -> Result<(), Refusal> {
        let place = Place { resource: Resource::named(PODS), namespace, name };
        let Some(pod) = self.store.get(place.resource, namespace, name).cloned() else { return Ok(()) };
        let behaviour = Behaviour::of(&pod);
        if !pod["metadata"]["deletionTimestamp"].is_null() {
            return self.stop_pod(place, &pod, &behaviour);
        }
        if is_over(&pod) {
            return Ok(());
        }
        if text(&pod, "/spec/nodeName").is_empty() {
            return self.start_pod(place, &pod, &behaviour);
        }
        let start: Timestamp = text(&pod, "/status/startTime").parse().unwrap();
        let Some(seconds) = behaviour.seconds else { return Ok(()) };
        let end = start + SignedDuration::from_secs(seconds);
        if end > self.now {
            self.at(end, Task::Pod(namespace.to_owned(), name.to_owned()));
            return Ok(());
        }
        self.end_pod(place, &pod, behaviour.exit, &behaviour.message)
    }

    fn start_pod(&mut self, place: Place<'_>, pod: &Value, behaviour: &Behaviour) -> Result<(), Refusal> {
        let mut bound = pod.clone();
        bound["spec"]["nodeName"] = json!("node");
        let mut pod = self.update(Wish::of(BY), place, bound)?.body;
        let now = self.second();
        pod["status"] = json!({
            "phase": "Running", "startTime": now.to_string(),
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now.to_string()}],
            "containerStatuses": containers(&pod, true, &json!({"running": {"startedAt": now.to_string()}})),
        });
        self.update(Wish::of(BY).about_status(), place, pod)?;
        if let Some(seconds) = behaviour.seconds {
            let end = now + SignedDuration::from_secs(seconds);
            self.at(end, Task::Pod(place.namespace.to_owned(), place.name.to_owned()));
        }
        Ok(())
    }

    /// Ends the containers of a Pod that is deleted, and then the Pod.
    fn stop_pod(&mut self, place: Place<'_>, pod: &Value, behaviour: &Behaviour) -> Result<(), Refusal> {
        let told: Timestamp = text(pod, "/metadata/deletionTimestamp").parse().unwrap();
        let grace = pod["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
        let end = told + SignedDuration::from_secs(behaviour.stops.min(grace));
        if !is_over(pod) && end > self.now {
            self.at(end, Task::Pod(place.namespace.to_owned(), place.name.to_owned()));
            return Ok(());
        }
        if !is_over(pod) {
            self.end_pod(place, pod, TERMINATED, "")?;
        }
        let options = json!({"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}});
        self.delete(Wish::of(BY), place, &options).map(drop)
    }

    fn end_pod(&mut self, place: Place<'_>, pod: &Value, exit: i32, message: &str) -> Result<(), Refusal> {
        let now = self.second().to_string();
        let mut ended = json!({
            "exitCode": exit, "reason": if exit == 0 { "Completed" } else { "Error" },
            "startedAt": pod["status"]["startTime"], "finishedAt": now,
        });
        if !message.is_empty() {
            ended["message"] = json!(message);
        }
        let mut pod = pod.clone();
        pod["status"]["phase"] = json!(if exit == 0 { "Succeeded" } else { "Failed" });
        pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False", "lastTransitionTime": now}]);
        pod["status"]["containerStatuses"] = containers(&pod, false, &json!({"terminated": ended}));
        self.update(Wish::of(BY).about_status(), place, pod).map(drop)
    }
}

/// The statuses of all containers, each in the same state.
fn containers(pod: &Value, is_ready: bool, state: &Value) -> Value {
    let all = pod["spec"]["containers"].as_array().into_iter().flatten();
    let status = |it: &Value| {
        json!({
            "name": it["name"], "image": it["image"], "imageID": "", "ready": is_ready, "restartCount": 0, "state": state,
        })
    };
    Value::Array(all.map(status).collect())
}
