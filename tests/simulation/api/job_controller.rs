//! The job controller: Pods for Jobs, and what became of them into the Job's status.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::ApiServer;
use super::controllers::Task;
use super::object;
use super::refusal::Refusal;
use super::resource::{JOBS, PODS, Resource};
use super::store::{Key, text};
use super::write::{Place, Wish};

/// Keeps a Pod until it is counted.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";
const JOB_NAME: &str = "batch.kubernetes.io/job-name";
/// How long after a failure the next Pod comes: this, and each time twice as much, at most that.
const BACKOFF: i64 = 10;
const BACKOFF_AT_MOST: i64 = 600;

const BY: &str = "jobs";

/// Whether a Pod is of a kind.
type Kind = fn(&Value) -> bool;

/// What Pods that are over are counted as, and which; one that was deleted before its end has failed.
const COUNTERS: [(&str, Kind); 2] = [
    ("succeeded", |pod| text(pod, "/status/phase") == "Succeeded"),
    ("failed", |pod| text(pod, "/status/phase") != "Succeeded" && !is_active(pod)),
];

/// A Job under consideration.
struct Case {
    namespace: String,
    name: String,
    job: Arc<Value>,
    pods: Vec<(Key, Arc<Value>)>,
    status: Value,
    now: Timestamp,
}

impl ApiServer {
    pub(super) fn sync_job(&mut self, namespace: &str, name: &str) -> Result<(), Refusal> {
        let key = (JOBS, namespace.to_owned(), name.to_owned());
        let Some(job) = self.found(&key) else { return self.let_go(namespace, name) };
        let uid = text(&job, "/metadata/uid").to_owned();
        let mut case = Case {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            pods: self.pods_of(&uid),
            status: job["status"].clone(),
            now: self.second(),
            job,
        };
        let is_leaving = !case.job["metadata"]["deletionTimestamp"].is_null();
        self.count(&mut case)?;
        if !case.is_finished() && !is_leaving {
            case.begin_or_pause();
            case.judge();
            if case.is_failing() || case.is_suspended() {
                self.end_pods(&case)?;
            } else if case.wants_pods() > 0 {
                self.add_pods(&case)?;
            }
            self.wake_for(&case);
        }
        if case.has_uncounted() {
            self.soon(Task::Job(namespace.to_owned(), name.to_owned()));
        }
        // What was done to the Pods is told in the same breath.
        case.pods = self.pods_of(&uid);
        case.tell_numbers();
        let mut wanted = (*case.job).clone();
        object::put(&mut wanted, "status", case.status);
        let place = Place { resource: Resource::named(JOBS), namespace, name };
        self.update(Wish::of(BY).about_status(), place, wanted).map(drop)
    }

    /// Nobody counts the Pods of a Job that is gone.
    fn let_go(&mut self, namespace: &str, name: &str) -> Result<(), Refusal> {
        let left = self.store.all(PODS).filter(|((_, its, _), pod)| its == namespace && job_of_pod(pod) == name);
        let left: Vec<Key> = left.map(|(key, _)| key.clone()).collect();
        left.iter().try_for_each(|key| self.drop_finalizer(BY, key, TRACKING))
    }

    fn pods_of(&self, job_uid: &str) -> Vec<(Key, Arc<Value>)> {
        let is_its = |pod: &Value| text(pod, "/metadata/ownerReferences/0/uid") == job_uid;
        self.store.all(PODS).filter(|(_, pod)| is_its(pod)).map(|(key, pod)| (key.clone(), pod.clone())).collect()
    }

    /// Counts Pods that are over, each once: first they are only listed, then let go and counted.
    fn count(&mut self, case: &mut Case) -> Result<(), Refusal> {
        for (counter, _) in COUNTERS {
            for uid in case.uncounted(counter) {
                let pod = case.pods.iter().find(|(_, pod)| text(pod, "/metadata/uid") == uid);
                if let Some((key, _)) = pod {
                    self.drop_finalizer(BY, key, TRACKING)?;
                }
                case.status[counter] = json!(case.number(counter) + 1);
            }
        }
        let mut listed = json!({});
        for (counter, is_its) in COUNTERS {
            let is_new = |pod: &&Value| {
                object::finalizers(pod).iter().any(|it| it == TRACKING)
                    && !case.uncounted(counter).contains(&text(pod, "/metadata/uid").to_owned())
                    && is_its(pod)
            };
            let uids: Vec<&str> =
                case.pods.iter().map(|(_, pod)| &**pod).filter(is_new).map(|it| text(it, "/metadata/uid")).collect();
            if !uids.is_empty() {
                listed[counter] = json!(uids);
            }
        }
        case.status["uncountedTerminatedPods"] = listed;
        Ok(())
    }

    fn end_pods(&mut self, case: &Case) -> Result<(), Refusal> {
        for (key, pod) in case.pods.iter().filter(|(_, pod)| is_active(pod)) {
            if case.is_suspended() {
                // A Pod that has to go for that has not failed.
                self.drop_finalizer(BY, key, TRACKING)?;
            }
            self.remove(BY, key, pod, "Background")?;
        }
        Ok(())
    }

    fn add_pods(&mut self, case: &Case) -> Result<(), Refusal> {
        if let Some(at) = case.backs_off_until().filter(|at| *at > self.now) {
            self.at(at, Task::Job(case.namespace.clone(), case.name.clone()));
            return Ok(());
        }
        for _ in 0..case.wants_pods() {
            let mut pod = case.job["spec"]["template"].clone();
            pod["metadata"]["generateName"] = json!(format!("{}-", case.name));
            pod["metadata"]["finalizers"] = json!([TRACKING]);
            pod["metadata"]["ownerReferences"] = json!([{
                "apiVersion": "batch/v1", "kind": "Job", "name": case.name, "uid": case.job["metadata"]["uid"],
                "controller": true, "blockOwnerDeletion": true,
            }]);
            let place = Place { resource: Resource::named(PODS), namespace: &case.namespace, name: "" };
            self.create(Wish::of(BY), place, pod)?;
        }
        Ok(())
    }

    /// Looks again when the Job's deadline is over, and to finish what was only announced.
    fn wake_for(&mut self, case: &Case) {
        let task = Task::Job(case.namespace.clone(), case.name.clone());
        if let Some(at) = case.deadline().filter(|_| !case.is_suspended()) {
            self.at(at.max(self.now + SignedDuration::from_secs(1)), task.clone());
        }
        if case.has("SuccessCriteriaMet") && !case.is_finished() {
            self.soon(task);
        }
    }
}

impl Case {
    fn has(&self, type_: &str) -> bool {
        self.conditions().any(|it| it["type"] == type_ && it["status"] == "True")
    }

    fn conditions(&self) -> impl Iterator<Item = &Value> {
        self.status["conditions"].as_array().into_iter().flatten()
    }

    fn is_finished(&self) -> bool {
        self.has("Complete") || self.has("Failed")
    }

    fn is_failing(&self) -> bool {
        self.has("FailureTarget")
    }

    fn is_suspended(&self) -> bool {
        self.job["spec"]["suspend"] == true
    }

    fn number(&self, field: &str) -> i64 {
        self.status[field].as_i64().unwrap_or(0)
    }

    /// The UIDs of the Pods that are over and not counted yet.
    fn uncounted(&self, counter: &str) -> Vec<String> {
        let all = self.status["uncountedTerminatedPods"][counter].as_array();
        all.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn has_uncounted(&self) -> bool {
        COUNTERS.iter().any(|(counter, _)| !self.uncounted(counter).is_empty())
    }

    /// All that came to this end, counted or not.
    fn total(&self, counter: &str) -> i64 {
        self.number(counter) + i64::try_from(self.uncounted(counter).len()).unwrap()
    }

    /// Whether nothing of it is left to be waited for.
    fn is_still(&self) -> bool {
        self.active() + self.terminating() == 0 && !self.has_uncounted()
    }

    fn active(&self) -> i64 {
        i64::try_from(self.pods.iter().filter(|(_, pod)| is_active(pod)).count()).unwrap()
    }

    fn terminating(&self) -> i64 {
        let is_it = |pod: &Value| !pod["metadata"]["deletionTimestamp"].is_null() && !is_over(pod);
        i64::try_from(self.pods.iter().filter(|(_, pod)| is_it(pod)).count()).unwrap()
    }

    fn wants_pods(&self) -> i64 {
        let spec = &self.job["spec"];
        let parallelism = spec["parallelism"].as_i64().unwrap_or(1);
        let left = spec["completions"].as_i64().unwrap_or(1) - self.total("succeeded");
        if self.has("SuccessCriteriaMet") { 0 } else { (parallelism.min(left) - self.active()).max(0) }
    }

    fn deadline(&self) -> Option<Timestamp> {
        let start: Timestamp = text(&self.status, "/startTime").parse().ok()?;
        Some(start + SignedDuration::from_secs(self.job["spec"]["activeDeadlineSeconds"].as_i64()?))
    }

    fn backs_off_until(&self) -> Option<Timestamp> {
        let failures = u32::try_from(self.total("failed")).unwrap();
        let ends = self.pods.iter().filter_map(|(_, pod)| {
            text(pod, "/status/containerStatuses/0/state/terminated/finishedAt").parse::<Timestamp>().ok()
        });
        let last = ends.max().filter(|_| failures > 0)?;
        let seconds = BACKOFF.saturating_mul(2_i64.saturating_pow(failures - 1)).min(BACKOFF_AT_MOST);
        Some(last + SignedDuration::from_secs(seconds))
    }

    /// Its time runs from when it was not suspended any more.
    fn begin_or_pause(&mut self) {
        let now = self.now.to_string();
        if self.is_suspended() {
            self.set("Suspended", "True", "JobSuspended", "Job suspended");
        } else if self.has("Suspended") {
            self.set("Suspended", "False", "JobResumed", "Job resumed");
            self.status["startTime"] = json!(now);
        } else if self.status["startTime"].is_null() {
            self.status["startTime"] = json!(now);
        }
    }

    /// Whether it has come to its end, first announced and then, when no Pod is left, for good.
    fn judge(&mut self) {
        let backoff_limit = self.job["spec"]["backoffLimit"].as_i64().unwrap_or(6);
        let is_late = self.deadline().is_some_and(|at| at <= self.now) && !self.is_suspended();
        let completions = self.job["spec"]["completions"].as_i64().unwrap_or(1);
        if self.is_failing() {
            let why = self.conditions().find(|it| it["type"] == "FailureTarget").cloned().unwrap();
            if self.is_still() {
                self.set("Failed", "True", text(&why, "/reason"), text(&why, "/message"));
            }
        } else if self.has("SuccessCriteriaMet") {
            if self.is_still() {
                self.set("Complete", "True", "CompletionsReached", "Reached expected number of succeeded pods");
                self.status["completionTime"] = json!(self.now.to_string());
            }
        } else if self.total("failed") > backoff_limit {
            self.set("FailureTarget", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit");
        } else if is_late {
            self.set("FailureTarget", "True", "DeadlineExceeded", "Job was active longer than specified deadline");
        } else if self.total("succeeded") >= completions {
            self.set("SuccessCriteriaMet", "True", "CompletionsReached", "Reached expected number of succeeded pods");
        }
    }

    fn set(&mut self, type_: &str, status: &str, reason: &str, message: &str) {
        if self.conditions().any(|it| it["type"] == type_ && it["status"] == status) {
            return;
        }
        let now = self.now.to_string();
        let condition = json!({
            "type": type_, "status": status, "reason": reason, "message": message,
            "lastProbeTime": now, "lastTransitionTime": now,
        });
        if !self.status["conditions"].is_array() {
            self.status["conditions"] = json!([]);
        }
        let conditions = self.status["conditions"].as_array_mut().unwrap();
        conditions.retain(|it| it["type"] != type_);
        conditions.push(condition);
    }

    fn tell_numbers(&mut self) {
        let is_ready = |pod: &Value| is_active(pod) && text(pod, "/status/phase") == "Running";
        let ready = self.pods.iter().filter(|(_, pod)| is_ready(pod)).count();
        let (active, terminating) = (self.active(), self.terminating());
        object::put(&mut self.status, "active", if active > 0 { json!(active) } else { Value::Null });
        self.status["terminating"] = json!(terminating);
        self.status["ready"] = json!(ready);
    }
}

/// The condition of an object that holds.
pub fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    let all = object["status"]["conditions"].as_array()?;
    all.iter().find(|it| it["type"] == type_ && it["status"] == "True")
}

/// The name of the Job that a Pod says it is of.
pub fn job_of_pod(pod: &Value) -> String {
    pod["metadata"]["labels"][JOB_NAME].as_str().unwrap_or_default().to_owned()
}

/// Whether all containers of a Pod have ended.
pub fn is_over(pod: &Value) -> bool {
    matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

fn is_active(pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_null() && !is_over(pod)
}
