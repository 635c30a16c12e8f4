use serde_json::json;

use super::job::ObservedJob;
use super::{Key, Store};
use crate::api::status::Origin;
use crate::api::{ObservedSchedule, ObservedScheduleRun};
use crate::decide::naming;
use crate::decide::snapshot::Presence;
use crate::time::Slot;

fn schedule(version: u32) -> ObservedSchedule {
    serde_json::from_value(json!({"metadata": {"namespace": "team", "name": "nightly", "uid": "u-1", "resourceVersion": version.to_string()}}))
        .expect("a Schedule")
}

fn job(version: u32, uid: &str) -> ObservedJob {
    let name = naming::job_name("nightly", "u-1", Slot::from_unix_seconds(60));
    serde_json::from_value(json!({"metadata": {
        "namespace": "team", "name": name, "uid": uid, "resourceVersion": version.to_string(), "creationTimestamp": "2026-01-01T00:00:00Z",
        "ownerReferences": [{"apiVersion": "punctual.dev/v1alpha1", "kind": "Schedule", "name": "nightly", "uid": "u-1", "controller": true}],
    }}))
    .expect("a Job")
}

fn key() -> Key {
    Key { namespace: "team".into(), name: "nightly".into() }
}

#[test]
fn a_watch_that_lags_behind_does_not_undo_our_own_write() {
    let store = Store::default();
    store.put_schedule(schedule(8));
    store.put_schedule(schedule(7));
    assert_eq!(store.version_of_schedule(&key()), Some(8));
}

#[test]
fn what_a_list_does_not_show_is_gone_unless_it_came_meanwhile() {
    let store = Store::default();
    store.put_schedule(schedule(8));
    let listed = store.begin_schedules(None);
    assert_eq!(store.end_schedules(&listed), [key()]);
    let listed = store.begin_schedules(None);
    store.put_schedule(schedule(9));
    assert_eq!(store.end_schedules(&listed), []);
    assert!(store.schedule(&key()).is_some());
}

#[test]
fn a_job_seen_to_go_stays_as_evidence_and_one_of_the_same_name_takes_its_place() {
    let store = Store::default();
    store.put_job(&job(3, "j-1"));
    store.remove_job(&job(4, "j-1"));
    assert_eq!(store.jobs("team", "u-1").first().map(|it| it.presence), Some(Presence::Gone));
    store.put_job(&job(2, "j-2"));
    assert_eq!(
        store.jobs("team", "u-1").first().map(|it| (it.uid.as_str(), it.presence)),
        Some(("j-2", Presence::Here))
    );
}

#[test]
fn a_job_of_another_namespace_is_not_that_of_the_schedule_it_names_as_its_owner() {
    let store = Store::default();
    let mut foreign = job(3, "j-1");
    foreign.metadata.namespace = Some("another".into());
    store.put_job(&foreign);
    assert_eq!(store.jobs("team", "u-1"), []);
}

#[test]
fn a_job_that_is_gone_is_forgotten_once_status_accounts_for_it_or_its_schedule_is_gone() {
    let store = Store::default();
    let with_status = |version: u32, status: serde_json::Value| {
        let mut it = schedule(version);
        it.status = crate::api::observed::JsonText::from(&status);
        it
    };
    store.put_schedule(with_status(8, json!({"uid": "u-1", "decidedThrough": "1970-01-01T00:00:00Z"})));
    store.put_job(&job(3, "j-1"));
    store.remove_job(&job(4, "j-1"));
    store.forget_what_is_over();
    assert_eq!(store.jobs("team", "u-1").len(), 1, "its slot is above the mark: nobody has decided on it yet");
    store.put_schedule(with_status(9, json!({"uid": "u-1", "decidedThrough": "1970-01-01T00:01:00Z"})));
    store.forget_what_is_over();
    assert_eq!(store.jobs("team", "u-1").len(), 0);

    store.put_job(&job(5, "j-2"));
    store.remove_schedule(&key(), "u-1");
    store.forget_what_is_over();
    assert_eq!(store.jobs("team", "u-1").len(), 1, "it is there");
    store.remove_job(&job(6, "j-2"));
    store.forget_what_is_over();
    assert_eq!(store.jobs("team", "u-1").len(), 0);
}

#[test]
fn the_answer_to_a_write_does_not_bring_back_what_is_gone() {
    let store = Store::default();
    store.put_schedule(schedule(8));
    store.remove_schedule(&key(), "another-uid");
    assert!(store.schedule(&key()).is_some(), "another object of the same name");
    store.remove_schedule(&key(), "u-1");
    store.update_schedule(schedule(9));
    assert!(store.schedule(&key()).is_none());
}

#[test]
fn what_was_read_just_now_holds_even_if_its_version_is_lower() {
    let store = Store::default();
    store.put_schedule(schedule(8));
    store.replace_schedule(schedule(5));
    assert_eq!(store.version_of_schedule(&key()), Some(5));
}

fn schedule_run(version: u32, uid: &str, schedule: &str) -> ObservedScheduleRun {
    serde_json::from_value(json!({
        "metadata": {
            "namespace": "team", "name": "adhoc", "uid": uid, "resourceVersion": version.to_string(),
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {"scheduleName": schedule},
    }))
    .expect("a ScheduleRun")
}

#[test]
fn a_schedule_run_is_found_by_the_schedule_it_names_whether_or_not_that_is_there() {
    let store = Store::default();
    assert_eq!(store.put_schedule_run(&schedule_run(5, "r-1", "nightly")), Some(key()));
    assert_eq!(store.keys(), [key()]);
    store.put_schedule_run(&schedule_run(4, "r-1", "nightly"));
    assert_eq!(store.schedule_runs(&key())[0].version, "5", "an older version is not taken in");

    // Another one of the same name, for another Schedule, takes its place.
    store.put_schedule_run(&schedule_run(7, "r-2", "hourly"));
    assert_eq!(store.schedule_runs(&key()), []);
    assert_eq!(store.remove_schedule_run(&Key { name: "adhoc".into(), ..key() }, "r-1"), None);
    store.update_schedule_run(&schedule_run(8, "r-1", "nightly"));
    assert_eq!(store.schedule_runs(&key()), [], "an answer about one that is gone is not taken in");
}

#[test]
fn a_job_of_a_schedule_run_is_known_by_its_label_and_stays_known_without() {
    let store = Store::default();
    let name = naming::job_name_of_run("nightly", "u-1", Slot::from_unix_seconds(60), "r-1");
    let job = |version: u32, run_uid: Option<&str>| -> ObservedJob {
        let mut job = serde_json::to_value(job(version, "j-1")).expect("writable");
        job["metadata"]["name"] = json!(name);
        job["metadata"]["annotations"] = json!({"punctual.dev/schedule-run": "adhoc"});
        job["metadata"]["labels"] = run_uid.map_or(json!({}), |uid| json!({"punctual.dev/schedule-run-uid": uid}));
        serde_json::from_value(job).expect("a Job")
    };
    assert_eq!(store.put_job(&job(1, Some("r-2"))), None, "the name vouches for another ScheduleRun");
    assert_eq!(store.put_job(&job(2, Some("r-1"))), Some(key()));
    assert_eq!(store.put_job(&job(3, None)), Some(key()));
    assert_eq!(store.jobs("team", "u-1")[0].origin, Origin::ScheduleRun("adhoc".into()));
}

/// A Job of the ScheduleRun `r-1` that somebody took the labels off.
fn stripped(version: u32, run_uid: &str) -> ObservedJob {
    let mut stripped = job(version, "j-1");
    let created = Slot::floor("2026-01-01T00:00:00Z".parse().expect("a time"));
    stripped.metadata.name = Some(naming::job_name_of_run("nightly", "u-1", created, run_uid) + "-a2");
    stripped
}

#[test]
fn a_job_without_labels_is_known_by_its_name_if_its_schedule_run_is_known() {
    let store = Store::default();
    store.put_schedule_run(&schedule_run(5, "r-1", "nightly"));
    assert_eq!(store.put_job(&stripped(6, "r-2")), None, "the name vouches for another ScheduleRun");
    assert_eq!(store.put_job(&stripped(7, "r-1")), Some(key()));
    let known = store.jobs("team", "u-1").remove(0);
    assert_eq!((known.origin, known.attempt), (Origin::ScheduleRun("adhoc".into()), 2));
}

#[test]
fn a_job_without_labels_whose_schedule_run_is_gone_is_known_by_the_status_that_says_it_is_active() {
    let store = Store::default();
    let job = stripped(7, "r-1");
    let active = |uid: &str| {
        let mut schedule = schedule(8);
        let run = json!({"scheduleRun": "adhoc", "jobName": job.metadata.name, "jobUID": uid, "attempt": 2,
            "state": "Running", "startTime": "2026-01-01T00:00:00Z"});
        schedule.status = crate::api::observed::JsonText::from(&json!({"uid": "u-1", "active": [run]}));
        schedule
    };
    store.replace_schedule(active("j-0"));
    assert_eq!(store.put_job(&job), None, "another Job of this name was active");
    store.replace_schedule(active("j-1"));
    assert_eq!(store.put_job(&job), Some(key()));
    assert_eq!(store.jobs("team", "u-1")[0].origin, Origin::ScheduleRun("adhoc".into()));
}
