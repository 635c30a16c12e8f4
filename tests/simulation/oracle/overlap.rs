//! As many runs at once as the spec says, whatever the cache of the leader has seen.

use std::collections::BTreeSet;

use punctual::api::status::{ActiveRun, RunState};

use super::identity::run_name;
use super::scene::{Job, Meaning, Scene, Schedule, is_same_run};
use super::{Check, Promise, Verdict, Violation};
use crate::history::Change;

/// It needs no memory.
pub struct Overlap;

impl Check for Overlap {
    fn change(&mut self, scene: &Scene, change: &Change, meaning: &Meaning) -> Verdict {
        let Meaning::JobCreated(uid) = meaning else { return Ok(()) };
        let job = &scene.jobs[uid];
        // What nobody decided now, because its request was long on its way, is adopted when it is found.
        if job.attempt > 1 || job.may_be_late || !job.was_expected || !scene.circumstances.is_life(&job.by) {
            return Ok(());
        }
        let schedule = &scene.schedules[&job.schedule_uid];
        let Some(limit) = limit(scene, schedule) else { return Ok(()) };
        let others = others(scene, schedule, job);
        if others.len() < limit {
            return Ok(());
        }
        let what = format!("{} starts beside {} others, and {limit} may be active", job.run, others.len());
        let violation = Violation::new(Promise::Overlap, what).of(schedule.title()).shown_by(change);
        Err(others.into_iter().fold(violation, |it, name| it.of(format!("active run {name}"))))
    }
}

/// The most that any version of the spec admits by which this may have been decided.
fn limit(scene: &Scene, schedule: &Schedule) -> Option<usize> {
    let specs = schedule.specs_since(scene.known_since());
    specs.filter_map(|it| it.spec.as_ref()).map(|it| it.concurrency_limit()).max()
}

/// The other runs that are active: with a Job at work, or between two attempts.
fn others<'a>(scene: &'a Scene, schedule: &'a Schedule, job: &Job) -> BTreeSet<&'a str> {
    let jobs = scene.jobs_of(&schedule.uid).filter(|it| it.is_at_work() && it.was_expected && !it.may_be_late);
    let backoff = schedule.status.active.iter().filter(|it| waits_for_its_next_attempt(scene, schedule, it));
    let names = jobs.map(|it| it.name.as_str()).chain(backoff.map(|it| it.job_name.as_str()));
    names.filter(|name| !is_same_run(name, &job.name)).map(run_name).collect()
}

/// Whether a run is surely between two attempts: what status tells may be older than its last Job, and
/// a run that is not tried again, or whose next Job is refused, may be about to end.
fn waits_for_its_next_attempt(scene: &Scene, schedule: &Schedule, run: &ActiveRun) -> bool {
    let mut specs = schedule.specs_since(scene.known_since()).map(|it| it.spec.as_ref());
    let is_retried = specs.all(|it| it.is_some_and(|it| it.retry.is_some()));
    let is_newer = |job: &Job| u32::try_from(run.attempt).is_ok_and(|it| job.attempt > it);
    let mut jobs = scene.jobs_of(&schedule.uid);
    let has_started = jobs.any(|job| is_same_run(&job.name, &run.job_name) && is_newer(job));
    let is_of_slot = run.origin.slot().is_some();
    run.state == RunState::Backoff && run.reason.is_none() && is_of_slot && is_retried && !has_started
}

mod tests {
    use serde_json::json;

    use super::super::tale::{Tale, at};
    use super::Overlap;

    #[test]
    fn two_at_once_are_one_too_many_whether_or_not_the_first_is_recorded() {
        for is_recorded in [false, true] {
            let mut tale = Tale::begin();
            let first = tale.job("10:01:00", "10:01:00");
            let active = tale.active("10:01:00", &first);
            if is_recorded {
                tale.status("10:01:01", |it| it["active"] = json!([active]));
            }
            tale.job("10:02:00", "10:02:00");
            tale.breaks(Overlap, "starts beside 1 others");
        }
    }

    #[test]
    fn one_starts_when_the_other_has_ended_or_is_gone_or_suspended_without_pods() {
        let mut tale = Tale::begin();
        let first = tale.job("10:01:00", "10:01:00");
        tale.end_job("10:01:30", &first, "Complete");
        let second = tale.job("10:02:00", "10:02:00");
        tale.remove_job("10:02:30", &second, "user");
        let third = tale.job("10:03:00", "10:03:00");
        tale.change_job("10:03:30", &third, "a1", |it| it["spec"]["suspend"] = json!(true));
        tale.job("10:04:00", "10:04:00");
        tale.judge(Overlap).unwrap();
    }

    #[test]
    fn one_that_is_suspended_counts_until_its_pods_have_ended() {
        let mut tale = Tale::of(json!({"concurrency": {"policy": "Replace"}}));
        let first = tale.job("10:01:00", "10:01:00");
        tale.change_job("10:01:30", &first, "a1", |it| {
            it["spec"]["suspend"] = json!(true);
            it["status"] = json!({"terminating": 1});
        });
        tale.job("10:02:00", "10:02:00");
        tale.breaks(Overlap, "starts beside");
    }

    #[test]
    fn a_run_between_two_attempts_counts() {
        let mut tale = Tale::of(json!({"retry": {"limit": 1, "delay": "1h"}}));
        let first = tale.job("10:01:00", "10:01:00");
        tale.end_job("10:01:30", &first, "Failed");
        let mut active = tale.active("10:01:00", &first);
        active["state"] = json!("Backoff");
        tale.status("10:01:31", |it| it["active"] = json!([active]));
        tale.job("10:02:00", "10:02:00");
        tale.breaks(Overlap, "starts beside");
    }

    #[test]
    fn a_run_whose_last_attempt_has_ended_unrecorded_does_not_count() {
        let mut tale = Tale::of(json!({"retry": {"limit": 1, "delay": "1s"}}));
        let first = tale.job("10:01:00", "10:01:00");
        tale.end_job("10:01:30", &first, "Failed");
        let mut active = tale.active("10:01:00", &first);
        active["state"] = json!("Backoff");
        tale.status("10:01:31", |it| it["active"] = json!([active]));
        let second = tale.attempt("10:01:32", "10:01:00", 2);
        tale.end_job("10:01:40", &second, "Failed");
        tale.job("10:02:00", "10:02:00");
        tale.judge(Overlap).unwrap();
    }

    #[test]
    fn as_many_start_as_the_limit_says() {
        let mut tale = Tale::of(json!({"concurrency": {"policy": "Queue", "limit": 2}}));
        tale.job("10:01:00", "10:01:00");
        tale.job("10:02:00", "10:02:00");
        tale.judge(Overlap).unwrap();
        tale.job("10:03:00", "10:03:00");
        tale.breaks(Overlap, "starts beside 2 others");
    }

    #[test]
    fn what_was_found_late_is_nobodys_fault() {
        let mut tale = Tale::begin();
        tale.status("10:01:30", |it| it["decidedThrough"] = at("10:01:00"));
        tale.job("10:01:31", "10:01:00");
        tale.job("10:02:00", "10:02:00");
        tale.judge(Overlap).unwrap();
    }
}
