//! An attempt follows one that has failed, when its time has come, and as often as `spec.retry` says.

use jiff::SignedDuration;
use punctual::api::spec::Retry;
use punctual::api::status::{ActiveRun, Outcome, RunState, ScheduleStatus};

use super::scene::{Job, Meaning, Scene, Schedule, StatusWrite, is_same_run, slot_of};
use super::{Check, Promise, Verdict, Violation};
use crate::history::Change;

/// It needs no memory.
pub struct Retries;

impl Check for Retries {
    fn change(&mut self, scene: &Scene, change: &Change, meaning: &Meaning) -> Verdict {
        match meaning {
            Meaning::JobCreated(uid) => follows_a_failure(scene, change, &scene.jobs[uid]),
            Meaning::Status(write) if write.is_ours => is_not_given_up(scene, change, write),
            _ => Ok(()),
        }
    }
}

fn follows_a_failure(scene: &Scene, change: &Change, job: &Job) -> Verdict {
    if job.attempt == 1 || !scene.circumstances.is_life(&job.by) {
        return Ok(());
    }
    let schedule = &scene.schedules[&job.schedule_uid];
    let mut jobs = scene.jobs_of(&job.schedule_uid);
    let before = jobs.find(|it| it.run == job.run && it.attempt + 1 == job.attempt);
    let failed = before.and_then(|it| it.end.as_ref()).filter(|it| it.outcome != Outcome::Succeeded);
    let Some(failed) = failed else {
        return Err(broken(
            format!("attempt {} starts, and the one before has not failed", job.attempt),
            schedule,
            change,
        ));
    };
    let rules = |retry: &&Retry| u32::try_from(retry.limit).is_ok_and(|limit| job.attempt <= limit + 1);
    let specs = schedule.specs_since(failed.at - SignedDuration::from_secs(1));
    let rules: Vec<&Retry> = specs.filter_map(|it| it.spec.as_ref()?.retry.as_ref()).filter(rules).collect();
    let Some(delay) = rules.iter().map(|it| delay(it, job.attempt)).min() else {
        return Err(broken(format!("attempt {} starts, and retry.limit is reached", job.attempt), schedule, change));
    };
    let off = scene.circumstances.clock_may_be_off(&job.by) + SignedDuration::from_millis(500);
    if job.created + off < failed.at + delay {
        let what = format!("attempt {} starts earlier than {delay:#} after {}", job.attempt, failed.at);
        return Err(broken(what, schedule, change));
    }
    Ok(())
}

/// How long after the attempt before it one starts.
fn delay(retry: &Retry, attempt: u32) -> SignedDuration {
    let delay = retry.delay.map_or(10, |it| it.seconds());
    let factor = retry.factor.map_or(2, |it| u64::from(it.unsigned_abs()));
    let grown = delay.saturating_mul(factor.saturating_pow(attempt - 2));
    let seconds = grown.min(retry.max_delay.map_or(300, |it| it.seconds()));
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// A run that has failed is not recorded as over while an attempt is left.
fn is_not_given_up(scene: &Scene, change: &Change, write: &StatusWrite) -> Verdict {
    let schedule = &scene.schedules[&write.schedule_uid];
    let Some(limit) = write.spec.spec.as_ref().and_then(|it| it.retry.as_ref()).map(|it| it.limit) else {
        return Ok(());
    };
    if schedule.tampered.is_some() {
        return Ok(());
    }
    let is_there = |run: &&ActiveRun| write.after.active.iter().any(|it| is_same_run(&it.job_name, &run.job_name));
    for run in write.before.active.iter().filter(|run| !is_there(run) && run.state != RunState::Stopping) {
        let Some((outcome, reason)) = end_of(&write.after, run) else { continue };
        let has_failed = matches!(outcome, Outcome::Failed | Outcome::TimedOut);
        let is_refused = matches!(reason, Some("JobRefused" | "NameTaken"));
        let made = attempts_made(scene, &write.schedule_uid, run);
        if has_failed && !is_refused && made <= limit {
            let what = format!(
                "the run of {} ends as {outcome} after attempt {made}, and retry.limit is {limit}",
                run.job_name
            );
            return Err(broken(what, schedule, change));
        }
    }
    Ok(())
}

/// How many attempts of a run there were. Status does not tell of the last one if the leader that
/// created it died, and it ended before the next leader looked.
fn attempts_made(scene: &Scene, schedule_uid: &str, run: &ActiveRun) -> i32 {
    let of_run = scene.jobs_of(schedule_uid).filter(|job| is_same_run(&job.name, &run.job_name));
    of_run.filter_map(|job| i32::try_from(job.attempt).ok()).fold(run.attempt, i32::max)
}

/// How status says that the run of a slot has ended.
fn end_of<'a>(status: &'a ScheduleStatus, run: &ActiveRun) -> Option<(&'a Outcome, Option<&'a str>)> {
    let slot = run.origin.slot()?;
    let mut alone = status.outcomes.iter().filter(|it| it.last_slot_time.is_none());
    let entry = alone.find(|it| slot_of(&it.slot_time) == slot)?;
    Some((&entry.outcome, entry.reason.as_deref()))
}

fn broken(what: String, schedule: &Schedule, change: &Change) -> Violation {
    Violation::new(Promise::Retries, what).of(schedule.title()).shown_by(change)
}

mod tests {
    use serde_json::{Value, json};

    use super::super::tale::{Tale, at};
    use super::Retries;

    fn failed_once(retry: Value) -> Tale {
        let mut tale = Tale::of(json!({"retry": retry}));
        let first = tale.job("10:01:00", "10:01:00");
        tale.end_job("10:01:10", &first, "Failed");
        tale
    }

    #[test]
    fn the_next_attempt_follows_when_its_time_has_come() {
        let mut tale = failed_once(json!({"limit": 2, "delay": "20s"}));
        let second = tale.attempt("10:01:30", "10:01:00", 2);
        tale.end_job("10:01:40", &second, "Failed");
        let mut early = failed_once(json!({"limit": 2, "delay": "20s"}));
        early.attempt("10:01:29", "10:01:00", 2);
        early.breaks(Retries, "starts earlier than");
        tale.attempt("10:02:20", "10:01:00", 3);
        tale.judge(Retries).unwrap();
    }

    #[test]
    fn no_attempt_follows_beyond_the_limit() {
        let mut tale = failed_once(json!({"limit": 1}));
        let second = tale.attempt("10:01:30", "10:01:00", 2);
        tale.end_job("10:01:40", &second, "Failed");
        tale.judge(Retries).unwrap();
        tale.attempt("10:03:00", "10:01:00", 3);
        tale.breaks(Retries, "retry.limit is reached");
    }

    #[test]
    fn no_attempt_follows_one_that_has_not_failed() {
        for end in [None, Some("Complete")] {
            let mut tale = Tale::of(json!({"retry": {"limit": 3}}));
            let first = tale.job("10:01:00", "10:01:00");
            end.into_iter().for_each(|end| tale.end_job("10:01:10", &first, end));
            tale.attempt("10:03:00", "10:01:00", 2);
            tale.breaks(Retries, "has not failed");
        }
    }

    #[test]
    fn a_run_with_attempts_left_is_not_over() {
        for (limit, second, is_kept) in [(1, None, false), (0, None, true), (1, Some("10:01:20"), true)] {
            let mut tale = failed_once(json!({"limit": limit}));
            let first = super::super::identity::name_of_slot(
                "nightly",
                "schedule-1",
                punctual::time::Slot::from_unix_seconds(1_780_308_060),
                1,
            );
            let active = tale.active("10:01:00", &first);
            tale.status("10:01:01", |it| it["active"] = json!([active]));
            // Nobody records that attempt before it has failed.
            let second = second.map(|clock| tale.attempt(clock, "10:01:00", 2));
            second.into_iter().for_each(|it| tale.end_job("10:01:25", &it, "Failed"));
            tale.status("10:01:30", |it| {
                it["active"] = json!([]);
                it["outcomes"] = json!([{"slotTime": at("10:01:00"), "outcome": "Failed"}]);
            });
            assert_eq!(tale.judge(Retries).is_ok(), is_kept);
        }
    }
}
