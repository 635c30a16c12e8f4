use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Invariant, check};
use crate::api::ScheduleStatus;
use crate::api::spec::ScheduleSpec;
use crate::api::status::Origin;
use crate::decide::Snapshot;
use crate::decide::naming;
use crate::decide::snapshot::{Accepted, Identity, JobState, JobView, Presence};
use crate::time::{Context, Slot, Trigger};

/// What makes a snapshot another one.
type Change = fn(&mut Snapshot);

const UID: &str = "u-1";
/// 2026-06-01T10:00:00Z, on the hour.
const CREATION: Slot = Slot::from_unix_seconds(1_780_308_000);

fn at(seconds: i64) -> Timestamp {
    CREATION.plus_seconds(seconds).timestamp()
}

/// A Schedule that runs on the hour and forbids overlap, at rest so many seconds after its creation:
/// everything was decided that was due.
fn at_rest(seconds: i64) -> Snapshot {
    let template = json!({"spec": {"template": {"spec": {"containers": [{"name": "main"}]}}}});
    with(seconds, &json!({"trigger": {"cron": "0 * * * *"}, "jobTemplate": template}), &json!({}))
}

/// The same, with other words in its spec and its status.
fn with(seconds: i64, spec: &Value, status: &Value) -> Snapshot {
    let mut full = json!({
        "uid": UID, "observedGeneration": 1, "conditions": [], "decidedThrough": at(seconds).to_string(),
        "epoch": {"hash": "v1:1", "since": at(0).to_string()}, "activeRuns": 0, "queuedRuns": 0, "counts": {},
    });
    for (key, value) in status.as_object().into_iter().flatten() {
        full[key] = value.clone();
    }
    let spec: ScheduleSpec = serde_json::from_value(spec.clone()).expect("a spec");
    let context = Context { creation: CREATION, namespace: "team", name: "hourly" };
    let trigger = Trigger::parse(&spec.trigger, &context).expect("a trigger");
    Snapshot {
        now: at(seconds),
        clock_skew: None,
        schedule: Identity {
            namespace: "team".into(),
            name: "hourly".into(),
            uid: UID.into(),
            generation: 1,
            creation: CREATION,
            deleting: false,
        },
        spec: Ok(Accepted { spec, trigger, since: None, pause_until: None }),
        trigger_hash: "v1:1".into(),
        status: Some(serde_json::from_value::<ScheduleStatus>(full).expect("a status")),
        floor: None,
        schedule_runs: Vec::new(),
        to_start: None,
        jobs: Vec::new(),
        evidence: BTreeMap::new(),
        waiting: BTreeMap::new(),
        looked: BTreeSet::new(),
        last_refusal: None,
        template_tried: None,
        fence_seconds: 120,
    }
}

/// The Job of the slot so many seconds after the creation, created then, and at work.
fn job(seconds: i64, attempt: u32) -> JobView {
    let slot = CREATION.plus_seconds(seconds);
    let name = naming::of_attempt(&naming::job_name("hourly", UID, slot), attempt);
    JobView {
        uid: format!("uid of {name}"),
        name,
        origin: Origin::of_slot(slot),
        attempt,
        created: slot.timestamp(),
        presence: Presence::Here,
        state: JobState::Unfinished {
            active: 1,
            ready: 1,
            terminating: 0,
            finished: 0,
            suspended: false,
            rests: false,
        },
        stopped: false,
        deferred_ttl: None,
        has_ttl: false,
    }
}

fn active(job: &JobView) -> Value {
    json!({
        "slotTime": job.asked_for().to_string(), "jobName": job.name, "jobUID": job.uid, "attempt": job.attempt,
        "state": "Running", "startTime": job.created.to_string(),
    })
}

/// Changes the status of a snapshot.
fn edit(snapshot: &mut Snapshot, patch: &Value) {
    let mut status = serde_json::to_value(&snapshot.status).expect("writable");
    for (key, value) in patch.as_object().into_iter().flatten() {
        status[key] = value.clone();
    }
    snapshot.status = serde_json::from_value(status).expect("a status");
}

/// The spec was seen as it is now since the creation.
fn found(snapshot: &Snapshot) -> Vec<Invariant> {
    check(snapshot, at(0)).into_iter().map(|it| it.invariant).collect()
}

#[test]
fn of_a_schedule_that_is_looked_after_nothing_is_found() {
    let mut snapshot = at_rest(4000);
    let running = job(3600, 1);
    edit(&mut snapshot, &json!({"active": [active(&running)], "decidedThrough": at(3600).to_string()}));
    snapshot.jobs = vec![running];
    assert_eq!(found(&snapshot), []);
}

#[test]
fn a_slot_that_passed_long_ago_is_overdue() {
    let mut snapshot = at_rest(3600 + 300);
    edit(&mut snapshot, &json!({"decidedThrough": at(10).to_string()}));
    assert_eq!(found(&snapshot), [], "not yet");
    snapshot.now = at(3600 + 301);
    assert_eq!(found(&snapshot), [Invariant::Overdue]);
}

#[test]
fn a_slot_that_passed_for_a_reason_is_not_overdue() {
    let overdue = || {
        let mut snapshot = at_rest(9000);
        edit(&mut snapshot, &json!({"decidedThrough": at(10).to_string()}));
        snapshot
    };
    assert_eq!(found(&overdue()), [Invariant::Overdue]);
    let reasons: [(&str, Change); 6] = [
        ("it is paused", |it| {
            edit(it, &json!({"pauses": [{"source": "Spec", "since": "2026-06-01T10:00:00Z"}]}));
        }),
        ("maxRuns was reached", |it| edit(it, &json!({"maxRunsReached": "2026-06-01T10:00:00Z"}))),
        ("it is being deleted", |it| it.schedule.deleting = true),
        ("the clock is in doubt", |it| it.clock_skew = Some("an hour ahead".into())),
        ("an older status was put back", |it| it.floor = Some(Slot::floor(it.now))),
        ("the trigger was changed, which is not recorded yet", |it| it.trigger_hash = "v1:2".into()),
    ];
    for (reason, change) in reasons {
        let mut snapshot = overdue();
        change(&mut snapshot);
        assert_eq!(found(&snapshot), [], "{reason}");
    }
}

#[test]
fn jitter_is_allowed_for() {
    let template = json!({"spec": {}});
    let spec = json!({"trigger": {"at": [at(100).to_string()]}, "jitter": "1d", "jobTemplate": template});
    let snapshot = with(3000, &spec, &json!({"decidedThrough": at(10).to_string()}));
    let planned = snapshot.planned_starts().expect("a spec").of(CREATION.plus_seconds(100));
    assert!(planned > CREATION.plus_seconds(3000), "{planned:?}");
    assert_eq!(found(&snapshot), []);
}

#[test]
fn an_edit_that_was_seen_long_ago_and_not_taken_up_is_overdue() {
    let mut snapshot = at_rest(1000);
    snapshot.schedule.generation = 2;
    let at_edit = |seconds| check(&snapshot, at(seconds)).into_iter().map(|it| it.invariant).collect::<Vec<_>>();
    assert_eq!((at_edit(800), at_edit(600)), (vec![], vec![Invariant::Overdue]));
}

#[test]
fn a_schedule_that_nobody_has_looked_at_is_overdue() {
    let mut snapshot = at_rest(301);
    snapshot.status = None;
    assert_eq!(found(&snapshot), [Invariant::Overdue]);
    snapshot.now = at(299);
    assert_eq!(found(&snapshot), []);
}

#[test]
fn a_retry_that_was_to_be_and_is_not_refused_is_overdue() {
    let mut snapshot = at_rest(3000);
    let mut run = active(&job(0, 1));
    run["state"] = json!("Backoff");
    run["nextAttemptTime"] = json!(at(2600).to_string());
    edit(&mut snapshot, &json!({"active": [run]}));
    assert_eq!(found(&snapshot), [Invariant::Overdue]);
    run["reason"] = json!("QuotaExceeded");
    edit(&mut snapshot, &json!({"active": [run]}));
    assert_eq!(found(&snapshot), []);
}

#[test]
fn two_attempts_of_one_run_at_work_are_one_too_many_and_one_after_the_other_is_not() {
    let mut snapshot = at_rest(200);
    snapshot.jobs = vec![job(0, 1), job(0, 2)];
    assert_eq!(found(&snapshot), [Invariant::Doubled]);
    snapshot.jobs[0].state = JobState::Failed { at: at(60), reason: String::new(), message: String::new() };
    assert_eq!(found(&snapshot), []);
}

#[test]
fn two_jobs_of_one_attempt_are_one_too_many_even_when_one_has_ended() {
    let mut snapshot = at_rest(200);
    let mut other = job(0, 1);
    other.name = format!("another-{}", other.name);
    other.state = JobState::Complete { at: at(60) };
    snapshot.jobs = vec![job(0, 1), other];
    assert_eq!(found(&snapshot), [Invariant::Doubled]);
    snapshot.jobs[1].presence = Presence::Gone;
    assert_eq!(found(&snapshot), []);
}

/// Two runs at work of a Schedule that allows one, both created long after its spec was seen.
fn overlapping() -> Snapshot {
    let mut snapshot = at_rest(7300);
    let runs = [job(3600, 1), job(7200, 1)];
    edit(&mut snapshot, &json!({"active": runs.iter().map(active).collect::<Vec<_>>()}));
    snapshot.jobs = runs.into();
    snapshot
}

#[test]
fn more_runs_at_work_than_the_spec_admits_are_too_many() {
    assert_eq!(found(&overlapping()), [Invariant::Overlap]);
}

#[test]
fn runs_at_work_that_have_a_reason_to_be_are_not_too_many() {
    let reasons: [(&str, Change); 5] = [
        ("one is being stopped", |it| it.jobs[0].stopped = true),
        ("one is being deleted", |it| it.jobs[0].presence = Presence::Deleting),
        ("one has ended", |it| it.jobs[1].state = JobState::Complete { at: it.now }),
        ("one came late, from a leader that was frozen", |it| {
            let slot = it.jobs[1].asked_for().to_string();
            edit(it, &json!({"outcomes": [{"slotTime": slot, "outcome": "Started", "reason": "LateCreate"}]}));
        }),
        ("as many are allowed", |it| {
            if let Ok(accepted) = &mut it.spec {
                accepted.spec.concurrency = serde_json::from_value(json!({"policy": "Allow"})).expect("a policy");
            }
        }),
    ];
    for (reason, change) in reasons {
        let mut snapshot = overlapping();
        change(&mut snapshot);
        assert_eq!(found(&snapshot), [], "{reason}");
    }
    assert_eq!(check(&overlapping(), at(7190)), [], "the spec was another when they were created");
}

#[test]
fn a_mark_in_the_future_lets_slots_go_by() {
    let mut snapshot = at_rest(100);
    edit(&mut snapshot, &json!({"decidedThrough": at(400).to_string()}));
    assert_eq!(found(&snapshot), []);
    edit(&mut snapshot, &json!({"decidedThrough": at(402).to_string()}));
    assert_eq!(found(&snapshot), [Invariant::MarkAhead]);
}

#[test]
fn slots_that_wait_for_nothing_are_stranded() {
    let mut snapshot = at_rest(4000);
    let waiting =
        |why: &str| json!({"pending": [{"slotTime": at(3600).to_string(), "why": why, "since": at(3600).to_string()}]});
    edit(&mut snapshot, &waiting("Queued"));
    assert_eq!(found(&snapshot), [Invariant::Stranded]);
    edit(&mut snapshot, &waiting("Retrying"));
    assert_eq!(found(&snapshot), [], "it is refused");
    edit(&mut snapshot, &waiting("Queued"));
    snapshot.jobs = vec![job(0, 1)];
    assert_eq!(found(&snapshot), [], "a run is at work");
    snapshot.jobs.clear();
    snapshot.now = snapshot.now.saturating_sub(SignedDuration::from_secs(200)).expect("in range");
    assert_eq!(found(&snapshot), [], "not for long");
}

#[test]
fn a_run_whose_job_ended_long_ago_is_to_be_recorded() {
    let mut snapshot = at_rest(4000);
    let mut ended = job(3600, 1);
    edit(&mut snapshot, &json!({"active": [active(&ended)]}));
    assert_eq!(found(&snapshot), [Invariant::Unended], "its Job is gone");
    ended.state = JobState::Complete { at: at(3690) };
    snapshot.jobs = vec![ended.clone()];
    assert_eq!(found(&snapshot), [Invariant::Unended]);
    ended.state = JobState::Complete { at: at(3990) };
    snapshot.jobs = vec![ended];
    assert_eq!(found(&snapshot), [], "it has ended just now");
}

#[test]
fn a_status_beyond_its_budget_is_too_large() {
    let mut snapshot = at_rest(100);
    edit(&mut snapshot, &json!({"trigger": "x".repeat(70_000)}));
    assert_eq!(found(&snapshot), [Invariant::StatusTooLarge]);
}
