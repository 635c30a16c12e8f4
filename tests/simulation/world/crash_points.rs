//! A story in which the operator does everything it can do, told once for each of its mutating
//! requests: with a crash before the answer to this one, with a crash after it, and with the answer
//! lost.

use http::{Method, Request};
use punctual::operator::LOOKS_AT_ONCE;
use serde_json::{Value, json};

use super::play::play_noting;
use super::scenario::{Act, End, Given, Scenario, Timed, UserAct};
use super::time::At;

/// A mutating request of a replica.
#[derive(Clone, Debug)]
pub struct Write {
    pub method: String,
    pub path: String,
    pub body: Vec<u8>,
}

/// What a mutating request is for. Each has its call in the source, and each call its kinds: see
/// `CALLS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    CreateJob,
    CreateNextAttempt,
    SuspendJob,
    SetTimeToLive,
    DeleteJobAfterPods,
    DeleteJobBeforePods,
    ScheduleStatus,
    RunStatus,
    DeleteRun,
    CreateLeaderLease,
    RenewLeaderLease,
    ReleaseLeaderLease,
    CreateRunLease,
    RenewRunLease,
    DeleteRunLease,
    CreateEvent,
}

/// The functions in the source that send mutating requests, and what these are for. Dry runs change
/// nothing.
const CALLS: [(&str, &str, &[Kind]); 15] = [
    ("src/cluster.rs", "create_job", &[Kind::CreateJob, Kind::CreateNextAttempt]),
    ("src/cluster.rs", "try_job", &[]),
    ("src/cluster.rs", "suspend_job", &[Kind::SuspendJob]),
    ("src/cluster.rs", "set_ttl", &[Kind::SetTimeToLive]),
    ("src/cluster.rs", "patch_job", &[Kind::SuspendJob, Kind::SetTimeToLive]),
    ("src/cluster.rs", "delete_job", &[Kind::DeleteJobAfterPods, Kind::DeleteJobBeforePods]),
    ("src/cluster.rs", "write_status", &[Kind::ScheduleStatus]),
    ("src/cluster.rs", "write_run_status", &[Kind::RunStatus]),
    ("src/cluster.rs", "replacing_status", &[Kind::ScheduleStatus, Kind::RunStatus]),
    ("src/cluster.rs", "delete_run", &[Kind::DeleteRun]),
    ("src/leadership/participant.rs", "step", &[Kind::CreateLeaderLease]),
    ("src/leadership/participant.rs", "replace", &[Kind::RenewLeaderLease]),
    ("src/leadership/participant.rs", "release", &[Kind::ReleaseLeaderLease]),
    ("src/run_leases.rs", "request", &[Kind::CreateRunLease, Kind::RenewRunLease, Kind::DeleteRunLease]),
    ("src/telemetry/events.rs", "request", &[Kind::CreateEvent]),
];

/// How a mutating request shows in the source.
const SENDING: [&str; 10] = [
    " Method::POST",
    " Method::PUT",
    " Method::PATCH",
    " Method::DELETE",
    ".patch_job(",
    "::replacing_status(",
    "api.create(",
    "api.replace(",
    "api.patch(",
    "api.delete(",
];

impl Write {
    /// What a request is, if it is a mutating one.
    pub fn of(request: &Request<Vec<u8>>) -> Option<Self> {
        let (method, path) = (request.method().to_string(), request.uri().to_string());
        let is_write = request.method() != Method::GET && !path.contains("dryRun");
        is_write.then(|| Self { method, path, body: request.body().clone() })
    }

    /// What it is for.
    pub fn kind(&self) -> Option<Kind> {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let is_next = body["metadata"]["annotations"]["punctual.dev/attempt"] != "1";
        let is_run_lease = !self.path.contains("/punctual-system/");
        let (path, _) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let resource = ["jobs", "schedules", "scheduleruns", "leases", "events"];
        let resource = resource.into_iter().find(|it| path.split('/').any(|part| part == *it))?;
        Some(match (self.method.as_str(), resource) {
            ("POST", "jobs") if is_next => Kind::CreateNextAttempt,
            ("POST", "jobs") => Kind::CreateJob,
            ("PATCH", "jobs") if !body["spec"]["suspend"].is_null() => Kind::SuspendJob,
            ("PATCH", "jobs") if !body["spec"]["ttlSecondsAfterFinished"].is_null() => Kind::SetTimeToLive,
            ("DELETE", "jobs") if body["propagationPolicy"] == "Foreground" => Kind::DeleteJobAfterPods,
            ("DELETE", "jobs") => Kind::DeleteJobBeforePods,
            ("PATCH", "schedules") => Kind::ScheduleStatus,
            ("PATCH", "scheduleruns") => Kind::RunStatus,
            ("DELETE", "scheduleruns") => Kind::DeleteRun,
            ("POST", "leases") if is_run_lease => Kind::CreateRunLease,
            ("PUT", "leases") if is_run_lease => Kind::RenewRunLease,
            ("DELETE", "leases") if is_run_lease => Kind::DeleteRunLease,
            ("POST", "leases") => Kind::CreateLeaderLease,
            ("PUT", "leases") if body["spec"]["holderIdentity"] == "" => Kind::ReleaseLeaderLease,
            ("PUT", "leases") => Kind::RenewLeaderLease,
            ("POST", "events") => Kind::CreateEvent,
            _ => return None,
        })
    }
}

/// Five minutes in which everything occurs.
pub fn story() -> Scenario {
    let work = |seconds: Value, exit: i32, more: Value| {
        let behaviour = json!({"seconds": seconds, "exit": exit, "message": "said", "stops": 3}).to_string();
        let mut spec = json!({"template": {
            "metadata": {"annotations": {"simulation/behaviour": behaviour}},
            "spec": {"containers": [{"name": "main", "image": "work:1"}]},
        }});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"spec": spec})
    };
    let every = |every: &str| json!({"interval": {"every": every, "startTime": "2026-03-01T00:00:00Z"}});
    let given = |name: &str, spec: Value| Given { name: name.to_owned(), spec };
    let user = |seconds: u64, act: UserAct| Timed { at: At(seconds * 1000), act: Act::User(act) };
    Scenario {
        seed: 1,
        replicas: 1,
        requests_at_once: 64,
        looks_at_once: LOOKS_AT_ONCE,
        schedules: vec![
            given(
                "forgetful",
                json!({
                    "trigger": every("60s"), "resultTTL": "30s", "successfulJobsHistoryLimit": 0,
                    "jobTemplate": work(json!(5), 0, json!({})),
                }),
            ),
            given(
                "failing",
                json!({
                    "trigger": every("2m"), "retry": {"limit": 2, "delay": "5s"}, "failedJobsHistoryLimit": 0,
                    "jobTemplate": work(json!(3), 1, json!({})),
                }),
            ),
            given(
                "replacing",
                json!({
                    "trigger": every("90s"), "concurrency": {"policy": "Replace"},
                    "jobTemplate": work(Value::Null, 0, json!({})),
                }),
            ),
            given(
                "replacing-old",
                json!({
                    "trigger": every("150s"), "concurrency": {"policy": "Replace"},
                    "jobTemplate": work(Value::Null, 0, json!({})),
                }),
            ),
            given(
                "waiting",
                json!({
                    "trigger": every("50s"), "concurrency": {"policy": "Queue"},
                    "jobTemplate": work(json!(65), 0, json!({"ttlSecondsAfterFinished": 20})),
                }),
            ),
        ],
        acts: vec![
            user(20, UserAct::RunNow { schedule: 0, name: "one" }),
            user(100, UserAct::RunNow { schedule: 4, name: "two" }),
            user(150, UserAct::PauseFor { schedule: 0, seconds: 30 }),
            Timed { at: At(230_000), act: Act::Stop { replica: 0, down: 3_000 } },
        ],
        calm: At(300_000),
        rest_millis: 200_000,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::play::play;
    use super::*;

    /// Renewals of the leader Lease are many and all alike.
    const RENEWALS: usize = 3;
    /// Of each kind the suite takes the first, and every so many of the others.
    const FIRST: usize = 1;
    const EVERY: usize = 16;

    /// The mutating requests of the story, by their number.
    fn crash_points() -> Vec<(usize, Kind)> {
        let writes = play_noting(&story());
        let kinds = writes.iter().map(|it| it.kind().unwrap_or_else(|| panic!("of no known kind: {it:?}")));
        kinds.enumerate().map(|(index, kind)| (index + 1, kind)).collect()
    }

    /// Whether to crash at the n-th of a kind.
    fn is_taken(kind: Kind, nth: usize) -> bool {
        if kind == Kind::RenewLeaderLease {
            return nth <= RENEWALS;
        }
        nth <= FIRST || nth.is_multiple_of(EVERY) || std::env::var("CRASHES").is_ok_and(|it| it == "all")
    }

    /// `CRASHES=all` has it killed at each write; it takes some minutes.
    #[test]
    fn wherever_the_operator_is_killed_no_promise_is_broken() {
        let mut counts = BTreeMap::new();
        let mut points = crash_points();
        points.retain(|(_, kind)| {
            let count = counts.entry(*kind).or_insert(0);
            *count += 1;
            is_taken(*kind, *count)
        });
        let ends = [End::KilledUnanswered, End::KilledAnswered, End::AnswerLost];
        let tried: Vec<_> = points.iter().flat_map(|point| ends.map(|end| (*point, end))).collect();
        let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
                scope.spawn(|| {
                    while let Some(((write, kind), end)) = tried.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let mut scenario = story();
                        let writes = u32::try_from(*write).unwrap();
                        let snare = Act::Snare { replica: 0, of: None, writes, end: *end, down: 1_000 };
                        scenario.acts.insert(0, Timed { at: At(0), act: snare });
                        if let Err((complaint, told)) = play(&scenario) {
                            let text = format!("{end:?} at write {write}, {kind:?}: {complaint}\n{told}");
                            failures.lock().unwrap().push(text);
                        }
                    }
                });
            }
        });
        let failures = failures.into_inner().unwrap();
        eprintln!("{} mutating requests, {} ends", points.len(), tried.len());
        assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), tried.len(), failures[0]);
    }

    #[test]
    fn every_mutating_call_of_the_source_occurs_in_the_story() {
        let known: BTreeMap<(String, String), &[Kind]> =
            CALLS.iter().map(|(file, function, kinds)| ((file.to_string(), function.to_string()), *kinds)).collect();
        let found = calls_of_the_source();
        assert_eq!(found, known.keys().cloned().collect(), "the calls in the source are not those of CALLS");
        let occurring: BTreeSet<Kind> = crash_points().into_iter().map(|(_, kind)| kind).collect();
        let missing: Vec<_> = known.values().flat_map(|it| it.iter()).filter(|it| !occurring.contains(it)).collect();
        assert!(missing.is_empty(), "these do not occur in the story: {missing:?}");
    }

    fn calls_of_the_source() -> BTreeSet<(String, String)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut calls = BTreeSet::new();
        for path in sources(&root.join("src")) {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let mut function = String::new();
            for line in code.lines() {
                if let Some((_, rest)) = line.split_once("fn ")
                    && !line.trim_start().starts_with("//")
                {
                    function = rest.split(['(', '<']).next().unwrap_or_default().to_owned();
                } else if SENDING.iter().any(|it| line.contains(it)) {
                    calls.insert((name.clone(), function.clone()));
                }
            }
        }
        calls
    }

    /// The sources of the operator: neither its tests nor the plugin.
    fn sources(directory: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(directory).unwrap().map(|it| it.unwrap().path());
        let of_others = ["tests.rs", "fake.rs", "model.rs", "plugin", "plugin.rs", "simulate", "simulate.rs"];
        let ours = entries.filter(|it| !of_others.contains(&it.file_name().unwrap().to_str().unwrap()));
        ours.flat_map(|it| if it.is_dir() { sources(&it) } else { vec![it] }).collect()
    }
}
