//! What people do to the objects.

use http::Request;
use serde_json::{Value, json};

use jiff::SignedDuration;

use super::World;
use super::replica::HOME;
use super::scenario::UserAct;
use crate::api::Answer;

/// Where the Schedules are.
pub const NAMESPACE: &str = "default";
const USER: &str = "user";
const SCHEDULES: &str = "/apis/punctual.dev/v1alpha1/namespaces/default/schedules";
const RUNS: &str = "/apis/punctual.dev/v1alpha1/namespaces/default/scheduleruns";
const JOBS: &str = "/apis/batch/v1/namespaces/default/jobs";
const PODS: &str = "/api/v1/namespaces/default/pods";

impl World {
    /// What is there before anything happens.
    pub(super) fn furnish(&mut self) {
        self.api.faults().fenced_by = Some((HOME.to_owned(), punctual::leadership::DEFAULT_LEASE_NAME.to_owned()));
        for schedule in 0..self.scenario.schedules.len() {
            self.create(schedule);
        }
    }

    pub(super) fn user(&mut self, act: &UserAct) {
        match act {
            UserAct::Edit { schedule, spec } => self.edit(*schedule, spec),
            UserAct::PauseFor { schedule, seconds } => {
                let until = self.now.timestamp() + SignedDuration::from_secs(*seconds);
                self.edit(*schedule, &json!({"paused": true, "pauseUntil": until}));
            }
            UserAct::Delete { schedule } => {
                let uri = format!("{SCHEDULES}/{}", self.scenario.schedules[*schedule].name);
                self.ask("DELETE", &uri, &json!({"propagationPolicy": "Background"}));
            }
            UserAct::Create { schedule } => self.create(*schedule),
            UserAct::RunNow { schedule, name } => {
                let spec = json!({"scheduleName": self.scenario.schedules[*schedule].name, "reason": "by hand"});
                let run = json!({
                    "apiVersion": "punctual.dev/v1alpha1", "kind": "ScheduleRun",
                    "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec,
                });
                self.ask("POST", RUNS, &run);
            }
            UserAct::DeleteRun { name } => {
                if !self.is_retried(name) {
                    self.ask("DELETE", &format!("{RUNS}/{name}"), &json!({}));
                }
            }
            UserAct::DeleteJob { which } => {
                let jobs = self.recorded_jobs();
                if let Some(name) = jobs.get(which % jobs.len().max(1)).cloned() {
                    self.ask("DELETE", &format!("{JOBS}/{name}"), &json!({"propagationPolicy": "Background"}));
                }
            }
            UserAct::DeletePod { which } => {
                let pods: Vec<String> = self.api.objects("pods").map(name_of).collect();
                if let Some(name) = pods.get(which % pods.len().max(1)) {
                    self.ask("DELETE", &format!("{PODS}/{name}"), &json!({}));
                }
            }
            UserAct::DeleteRunLease { which } => {
                let runs = self.api.objects("leases").filter(|it| it["metadata"]["namespace"] == NAMESPACE);
                let leases: Vec<String> = runs.map(name_of).collect();
                if let Some(name) = leases.get(which % leases.len().max(1)) {
                    self.ask("DELETE", &lease(NAMESPACE, name), &json!({}));
                }
            }
            UserAct::DeleteLeaderLease => {
                self.ask("DELETE", &leader_lease(), &json!({}));
            }
            UserAct::TakeLeaderLease => {
                self.patch(&leader_lease(), &json!({"spec": {"holderIdentity": "somebody"}}));
            }
        }
    }

    fn create(&mut self, schedule: usize) {
        let given = &self.scenario.schedules[schedule];
        let object = json!({
            "apiVersion": "punctual.dev/v1alpha1", "kind": "Schedule",
            "metadata": {"name": given.name, "namespace": NAMESPACE}, "spec": given.spec,
        });
        self.ask("POST", SCHEDULES, &object);
    }

    fn edit(&mut self, schedule: usize, spec: &Value) {
        let uri = format!("{SCHEDULES}/{}", self.scenario.schedules[schedule].name);
        self.patch(&uri, &json!({"spec": spec}));
    }

    fn patch(&mut self, uri: &str, patch: &Value) {
        self.send("PATCH", uri, "application/merge-patch+json", patch);
    }

    fn ask(&mut self, method: &str, uri: &str, body: &Value) {
        self.send(method, uri, "application/json", body);
    }

    fn send(&mut self, method: &str, uri: &str, content_type: &str, body: &Value) {
        let request = Request::builder().method(method).uri(uri).header("content-type", content_type);
        let request = request.body(body.to_string().into_bytes()).unwrap();
        let Answer::Reply(reply) = self.api.serve(USER, &request) else { return };
        let code = reply.status().as_u16();
        // What is not there, there already or just changed is no mistake of the scenario.
        let is_mistake = code >= 400 && ![404, 409].contains(&code);
        let is_disturbed = self.api.faults().is_storage_full;
        let said = || String::from_utf8_lossy(reply.body()).into_owned();
        assert!(!is_mistake || is_disturbed, "{method} {uri} {body}: {code} {}", said());
    }

    /// The unfinished Jobs that status names: nobody could know of another that it ever was there.
    fn recorded_jobs(&self) -> Vec<String> {
        let statuses = self.api.objects("schedules").map(|it| &it["status"]["active"]);
        let uids: Vec<&Value> =
            statuses.flat_map(|it| it.as_array().into_iter().flatten()).map(|it| &it["jobUID"]).collect();
        self.api.objects("jobs").filter(|it| uids.contains(&&it["metadata"]["uid"])).map(name_of).collect()
    }

    /// Whether a run by hand waits for another attempt: without it nobody knows that it is one run.
    fn is_retried(&self, run: &str) -> bool {
        let statuses = self.api.objects("schedules").map(|it| &it["status"]["active"]);
        statuses
            .flat_map(|it| it.as_array().into_iter().flatten())
            .any(|it| it["scheduleRun"] == run && it["state"] == "Backoff")
    }
}

fn name_of(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn lease(namespace: &str, name: &str) -> String {
    format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}")
}

fn leader_lease() -> String {
    lease(HOME, punctual::leadership::DEFAULT_LEASE_NAME)
}
