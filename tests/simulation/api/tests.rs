//! What the comparison with a real API server does not reach: controllers in virtual time, and
//! faults.

use http::{Method, Request};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::job_controller::condition;
use super::{Answer, ApiServer, WatchId};

const JOBS: &str = "/apis/batch/v1/namespaces/ns/jobs";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/ns/leases";

/// An API server with one client.
struct Room {
    api: ApiServer,
}

impl Room {
    fn new() -> Self {
        Self { api: ApiServer::new("2026-01-01T00:00:00Z".parse().unwrap(), 7) }
    }

    fn ask(&mut self, by: &str, method: Method, uri: &str, body: &Value) -> (u16, Value) {
        let patch = "application/merge-patch+json";
        let content = if method == Method::PATCH { patch } else { "application/json" };
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request::builder().method(method).uri(uri).header("content-type", content).body(body).unwrap();
        match self.api.serve(by, &request) {
            Answer::Reply(reply) => (reply.status().as_u16(), serde_json::from_slice(reply.body()).unwrap()),
            Answer::Watch(_) => panic!("a watch was not asked for"),
        }
    }

    fn watch(&mut self, version: u64) -> WatchId {
        let uri = format!("{LEASES}?watch=true&resourceVersion={version}&timeoutSeconds=45");
        match self.api.serve("user", &Request::builder().uri(uri).body(Vec::new()).unwrap()) {
            Answer::Watch(id) => id,
            Answer::Reply(reply) => panic!("no watch: {}", reply.status()),
        }
    }

    fn lines(&mut self, id: WatchId) -> Option<Vec<Value>> {
        let lines = self.api.poll_watch(id)?;
        Some(lines.iter().map(|line| serde_json::from_slice(line).unwrap()).collect())
    }

    fn job(&mut self, name: &str, behaviour: &str, spec: Value) -> Value {
        let mut job = json!({"metadata": {"name": name}, "spec": spec});
        job["spec"]["template"] = json!({
            "metadata": {"annotations": {"simulation/behaviour": behaviour}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example/work:1"}]},
        });
        let (code, job) = self.ask("user", Method::POST, JOBS, &job);
        assert_eq!(code, 201, "{job}");
        job
    }

    fn lease(&mut self, name: &str, owner: Option<&Value>) {
        let mut lease = json!({"metadata": {"name": name}, "spec": {"leaseTransitions": 3}});
        if let Some(job) = owner {
            lease["metadata"]["ownerReferences"] = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"]}]);
        }
        assert_eq!(self.ask("user", Method::POST, LEASES, &lease).0, 201);
    }

    fn after(&mut self, seconds: i64) {
        let now = self.api.now() + SignedDuration::from_secs(seconds);
        self.api.advance_to(now);
    }

    fn stored(&self, name: &str) -> Option<&Value> {
        self.api.object("jobs", "ns", name)
    }

    fn pods(&self) -> usize {
        self.api.objects("pods").count()
    }
}

#[test]
fn a_job_works_for_as_long_as_it_says_and_is_announced_complete_before_it_is() {
    let mut room = Room::new();
    room.job("good", r#"{"seconds": 60, "message": "done"}"#, json!({}));
    room.after(40);
    let job = room.stored("good").unwrap();
    assert_eq!((&job["status"]["active"], &job["status"]["ready"]), (&json!(1), &json!(1)));
    room.after(60);
    let job = room.stored("good").unwrap().clone();
    let end: Timestamp = job["status"]["completionTime"].as_str().unwrap().parse().unwrap();
    let start: Timestamp = job["status"]["startTime"].as_str().unwrap().parse().unwrap();
    assert!((60..80).contains(&end.duration_since(start).as_secs()), "{job}");
    assert!(condition(&job, "Complete").is_some());
    let pod = room.api.objects("pods").next().unwrap();
    assert_eq!(pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"], "done");
    let announced = |it: &&crate::history::Change| {
        it.after.as_ref().is_some_and(|it| condition(it, "SuccessCriteriaMet").is_some())
    };
    let first = room.api.history().changes.iter().find(announced).unwrap();
    let first = first.after.as_ref().unwrap();
    assert_eq!((condition(first, "Complete"), &first["status"]["succeeded"]), (None, &Value::Null), "not counted yet");
    assert_eq!(job["status"]["succeeded"], 1);
}

#[test]
fn a_job_that_fails_is_tried_again_up_to_its_limit() {
    let mut room = Room::new();
    room.job("bad", r#"{"seconds": 1, "exit": 3}"#, json!({"backoffLimit": 1}));
    room.after(120);
    let job = room.stored("bad").unwrap();
    assert_eq!(condition(job, "Failed").unwrap()["reason"], "BackoffLimitExceeded");
    assert_eq!((&job["status"]["failed"], room.pods()), (&json!(2), 2));
}

#[test]
fn a_job_is_ended_by_its_deadline() {
    let mut room = Room::new();
    room.job("slow", r#"{"seconds": null}"#, json!({"activeDeadlineSeconds": 20}));
    room.after(60);
    let job = room.stored("slow").unwrap();
    assert_eq!(condition(job, "Failed").unwrap()["reason"], "DeadlineExceeded");
    assert_eq!(room.pods(), 0);
}

#[test]
fn a_suspended_job_rests_without_pods_and_its_failures_do_not_count() {
    let mut room = Room::new();
    room.job("rests", r#"{"seconds": 100}"#, json!({"backoffLimit": 0}));
    room.after(20);
    assert_eq!(room.pods(), 1);
    room.ask("user", Method::PATCH, &format!("{JOBS}/rests"), &json!({"spec": {"suspend": true}}));
    room.after(30);
    let job = room.stored("rests").unwrap();
    assert_eq!(condition(job, "Suspended").unwrap()["reason"], "JobSuspended");
    assert_eq!((&job["status"]["failed"], &job["status"]["active"], room.pods()), (&Value::Null, &Value::Null, 0));
    room.ask("user", Method::PATCH, &format!("{JOBS}/rests"), &json!({"spec": {"suspend": false}}));
    room.after(150);
    assert!(condition(room.stored("rests").unwrap(), "Complete").is_some());
}

#[test]
fn a_job_deleted_in_the_foreground_stays_until_its_pods_are_gone_and_takes_its_leases_along() {
    let mut room = Room::new();
    let job = room.job("goes", r#"{"seconds": null, "stops": 10}"#, json!({}));
    room.lease("beside", Some(&job));
    room.after(20);
    let options = json!({"propagationPolicy": "Foreground"});
    let (code, marked) = room.ask("user", Method::DELETE, &format!("{JOBS}/goes"), &options);
    assert_eq!((code, &marked["metadata"]["finalizers"]), (200, &json!(["foregroundDeletion"])));
    room.after(8);
    assert!(room.stored("goes").is_some(), "its Pod takes ten seconds to end");
    room.after(60);
    assert_eq!((room.stored("goes"), room.pods()), (None, 0));
    assert_eq!(room.api.object("leases", "ns", "beside"), None);
}

#[test]
fn a_finished_job_goes_when_its_time_to_live_is_over() {
    let mut room = Room::new();
    room.job("short", r#"{"seconds": 1}"#, json!({"ttlSecondsAfterFinished": 100}));
    room.after(60);
    assert!(room.stored("short").is_some());
    room.after(120);
    assert_eq!((room.stored("short"), room.pods()), (None, 0));
}

#[test]
fn a_watch_from_what_was_forgotten_is_told_so_in_either_way() {
    let mut room = Room::new();
    room.lease("one", None);
    let begin = room.api.version();
    room.lease("two", None);
    room.api.compact();
    let id = room.watch(begin);
    let lines = room.lines(id).unwrap();
    assert_eq!((&lines[0]["type"], &lines[0]["object"]["code"]), (&json!("ERROR"), &json!(410)));
    assert_eq!(room.lines(id), None);
    room.api.faults().expires_by_code = true;
    let (code, _) =
        room.ask("user", Method::GET, &format!("{LEASES}?watch=true&resourceVersion={begin}"), &Value::Null);
    assert_eq!(code, 410);
}

#[test]
fn a_restored_server_has_the_old_objects_and_counts_on_from_the_old_version() {
    let mut room = Room::new();
    room.lease("one", None);
    let old = room.api.version();
    room.lease("two", None);
    let id = room.watch(old);
    room.api.restore(old);
    assert_eq!(room.lines(id), None, "watches end");
    assert_eq!(room.api.object("leases", "ns", "two"), None);
    assert_eq!(room.api.version(), old);
    room.lease("three", None);
    assert_eq!(room.api.object("leases", "ns", "three").unwrap()["metadata"]["resourceVersion"], (old + 1).to_string());
}

#[test]
fn a_leader_whose_term_is_over_starts_nothing() {
    let mut room = Room::new();
    room.lease("leader", None);
    room.api.faults().fenced_by = Some(("ns".into(), "leader".into()));
    let job = |term: &str| {
        json!({"metadata": {"name": format!("of-{term}"), "annotations": {"punctual.dev/leader-term": term}}, "spec": {"template": {
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example/work:1"}]}}}})
    };
    let (code, refusal) = room.ask("a1", Method::POST, JOBS, &job("2"));
    assert_eq!(code, 403);
    let words = "denied request: fenced: leader term 2 is over, the present term is 3";
    assert!(refusal["message"].as_str().unwrap().ends_with(words), "{refusal}");
    assert_eq!(room.ask("a1", Method::POST, JOBS, &job("3")).0, 201);
}

#[test]
fn what_a_namespace_that_is_going_holds_goes_and_nothing_new_comes() {
    let mut room = Room::new();
    room.job("there", r#"{"seconds": null}"#, json!({}));
    room.after(20);
    room.api.faults().terminating.insert("ns".into());
    let (code, refusal) = room.ask("user", Method::POST, LEASES, &json!({"metadata": {"name": "new"}}));
    assert_eq!((code, &refusal["details"]["causes"][0]["reason"]), (403, &json!("NamespaceTerminating")));
    room.after(60);
    assert_eq!((room.stored("there"), room.pods()), (None, 0));
}
