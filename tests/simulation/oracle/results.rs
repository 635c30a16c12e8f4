//! How a run ended is recorded once, as it was; and its result stays until it expires, and no longer.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use punctual::api::ScheduleStatus;
use punctual::api::status::{ActiveRun, Outcome, RunResult, RunState};

use super::identity::run_name;
use super::scene::{Job, Meaning, Scene, Schedule, StatusWrite, is_same_run, slot_of};
use super::{Check, Promise, Verdict, Violation};
use crate::history::Change;

/// It needs no memory but this: which results were judged to be overdue is not asked at every step.
#[derive(Default)]
pub struct Results {
    next_look: Option<Timestamp>,
}

impl Check for Results {
    fn change(&mut self, scene: &Scene, change: &Change, meaning: &Meaning) -> Verdict {
        let Meaning::Status(write) = meaning else { return Ok(()) };
        let schedule = &scene.schedules[&write.schedule_uid];
        if !write.is_ours || schedule.tampered.is_some() {
            return Ok(());
        }
        let judged = adds_up(&write.after)
            .and_then(|()| {
                let ended = ended(scene, write);
                ended.iter().try_for_each(|it| is_true(scene, it))?;
                are_kept(scene, change, write, &ended)
            })
            .and_then(|()| are_new(write));
        judged.map_err(|it| it.of(schedule.title()).shown_by(change))
    }

    fn time(&mut self, scene: &Scene) -> Verdict {
        if self.next_look.is_some_and(|at| scene.now < at) {
            return Ok(());
        }
        self.next_look = Some(scene.now + SignedDuration::from_secs(5));
        let Some(calm) = scene.circumstances.undisturbed_since() else { return Ok(()) };
        scene.schedules.values().try_for_each(|it| leave_in_time(scene, it, calm))
    }
}

/// A run that is over.
struct Ended<'a> {
    run: ActiveRun,
    outcome: &'a Outcome,
    job: &'a Job,
}

/// Slots that started are runs that ended and runs that are active.
fn adds_up(status: &ScheduleStatus) -> Verdict {
    let started = status.counts.slots.get("Started").copied().unwrap_or(0);
    let ended: i64 = status.counts.runs.values().sum();
    let active = status.active.iter().filter(|it| it.origin.slot().is_some()).count();
    if started == ended + i64::try_from(active).unwrap_or(i64::MAX) {
        return Ok(());
    }
    Err(broken(format!("{started} slots started, {ended} runs ended and {active} are active")))
}

/// The runs of slots that this write tells the end of.
fn ended<'a>(scene: &'a Scene, write: &'a StatusWrite) -> Vec<Ended<'a>> {
    let goes_on = |run: &ActiveRun| write.after.active.iter().any(|it| is_same_run(&it.job_name, &run.job_name));
    let gone = write.before.active.iter().filter(|run| !goes_on(run));
    let describe = |run: &ActiveRun| {
        let job = scene.jobs.get(&run.job_uid)?;
        let outcome = outcome_of(&write.after, run)?;
        Some(Ended { run: run.clone(), outcome, job })
    };
    gone.filter_map(describe).collect()
}

/// How a status says that the run of a slot has ended, as far as the entry stands alone.
fn outcome_of<'a>(status: &'a ScheduleStatus, run: &ActiveRun) -> Option<&'a Outcome> {
    let slot = run.origin.slot()?;
    let result = status.results.iter().find(|it| is_same_run(&it.job_name, &run.job_name));
    let entry = status.outcomes.iter().find(|it| it.last_slot_time.is_none() && slot_of(&it.slot_time) == slot);
    result.map(|it| &it.outcome).or(entry.map(|it| &it.outcome))
}

/// A run ended as its Job did.
fn is_true(scene: &Scene, ended: &Ended<'_>) -> Verdict {
    let (job, is_stopping) = (ended.job, ended.run.state == RunState::Stopping);
    // A later attempt may have been found and have ended in the same moment.
    let later = scene.jobs_of(&job.schedule_uid).any(|it| it.run == job.run && it.attempt > job.attempt);
    let may_be = match ended.outcome {
        _ if later => true,
        Outcome::Replaced => is_stopping,
        Outcome::Lost => job.gone.is_some(),
        Outcome::Deleted => job.gone.is_some() || job.deleting.is_some(),
        outcome => job.end.as_ref().is_some_and(|it| it.outcome == *outcome),
    };
    if may_be {
        return Ok(());
    }
    let truth = job.end.as_ref().map_or("not ended".into(), |it| it.outcome.to_string());
    Err(broken(format!("the run of {} is told to be {}, and its Job is {truth}", job.name, ended.outcome)))
}

/// What was there stays, unless it has expired or is counted as dropped; what ended comes.
fn are_kept(scene: &Scene, change: &Change, write: &StatusWrite, ended: &[Ended<'_>]) -> Verdict {
    let now = change.at + scene.circumstances.clock_may_be_off(&change.by);
    let (before, after) = (&write.before, &write.after);
    let is_there = |name: &str| after.results.iter().any(|it| is_same_run(&it.job_name, name));
    let gone = before.results.iter().filter(|it| !is_there(&it.job_name) && it.expiration_time.0 > now);
    let mut missing: Vec<&str> = gone.map(|it| it.job_name.as_str()).collect();
    for it in ended.iter().filter(|it| !is_there(&it.run.job_name)) {
        let ttl = write.spec.spec.as_ref().and_then(|spec| spec.result_ttl(it.outcome.is_success()));
        let end = it.job.end.as_ref().map_or(change.at, |end| end.at);
        if ttl.is_some_and(|ttl| end + SignedDuration::from_secs(ttl.seconds_i64()) > now) {
            missing.push(&it.run.job_name);
        }
    }
    let dropped = after.counts.results_dropped - before.counts.results_dropped;
    if i64::try_from(missing.len()).is_ok_and(|missing| missing <= dropped) {
        return Ok(());
    }
    Err(broken(format!(
        "of the results that should be kept these are not: {missing:?}; {dropped} were counted as dropped"
    )))
}

/// Each result is there once, and expires when the spec said.
fn are_new(write: &StatusWrite) -> Verdict {
    let mut seen = BTreeSet::new();
    if let Some(twice) = write.after.results.iter().find(|it| !seen.insert(run_name(&it.job_name))) {
        return Err(broken(format!("the result of {} is there twice", twice.job_name)));
    }
    for result in &write.after.results {
        let before = write.before.results.iter().find(|it| it.job_name == result.job_name);
        let ttl = write.spec.spec.as_ref().and_then(|it| it.result_ttl(result.outcome.is_success()));
        let expires = |ttl: i64| result.completion_time.0 + SignedDuration::from_secs(ttl);
        let is_right = match before {
            Some(before) => essence(before) == essence(result),
            None => ttl.is_some_and(|ttl| expires(ttl.seconds_i64()) == result.expiration_time.0),
        };
        if !is_right {
            return Err(broken(format!(
                "the result of {} is not what was recorded or is to expire at another time",
                result.job_name
            )));
        }
    }
    Ok(())
}

/// What never changes of a result.
fn essence(result: &RunResult) -> impl PartialEq + '_ {
    (
        &result.slot_time,
        &result.outcome,
        result.exit_code,
        &result.start_time,
        &result.completion_time,
        &result.expiration_time,
    )
}

/// What has expired leaves within a tenth of its time to live, at least 30 s and at most 10 min.
fn leave_in_time(scene: &Scene, schedule: &Schedule, calm: Timestamp) -> Verdict {
    const SLACK: SignedDuration = SignedDuration::from_secs(30);
    let is_doubted = schedule.status.conditions.iter().any(|it| it.type_ == "ClockSkew" && it.status == "True");
    if schedule.gone.is_some() || schedule.spec().spec.is_none() || is_doubted {
        return Ok(());
    }
    for result in &schedule.status.results {
        let ttl = result.expiration_time.0.duration_since(result.completion_time.0);
        let patience = (ttl / 10).clamp(SignedDuration::from_secs(30), SignedDuration::from_mins(10));
        if result.expiration_time.0.max(calm) + patience + SLACK < scene.now {
            let what =
                format!("the result of {} expired at {} and is still there", result.job_name, result.expiration_time.0);
            return Err(broken(what).of(schedule.title()));
        }
    }
    Ok(())
}

fn broken(what: String) -> Violation {
    Violation::new(Promise::Results, what)
}

mod tests {
    use serde_json::{Value, json};

    use super::super::tale::{Tale, at};
    use super::Results;

    /// A run that ended at 10:01:30, as it is recorded at 10:01:31.
    fn ended(record: impl FnOnce(&mut Value, Value)) -> Tale {
        let mut tale = Tale::of(json!({"resultTTL": "1h"}));
        let job = tale.job("10:01:00", "10:01:00");
        let active = tale.active("10:01:00", &job);
        tale.status("10:01:01", |it| {
            it["active"] = json!([active]);
            it["counts"] = json!({"slots": {"Started": 1}});
        });
        tale.end_job("10:01:30", &job, "Complete");
        let result = json!({"slotTime": at("10:01:00"), "jobName": job, "outcome": "Succeeded", "attempts": 1,
            "startTime": at("10:01:00"), "completionTime": at("10:01:30"), "expirationTime": at("11:01:30")});
        tale.status("10:01:31", |it| {
            it["active"] = json!([]);
            it["counts"] = json!({"slots": {"Started": 1}, "runs": {"Succeeded": 1}});
            it["outcomes"] = json!([{"slotTime": at("10:01:00"), "outcome": "Succeeded"}]);
            it["results"] = json!([result]);
            record(it, result);
        });
        tale
    }

    #[test]
    fn a_run_that_ended_is_recorded_with_its_result() {
        ended(|_, _| ()).judge(Results::default()).unwrap();
    }

    #[test]
    fn a_record_that_is_not_true_or_not_complete_is_told_of() {
        let other = |it: &mut Value, outcome: &str| {
            it["outcomes"][0]["outcome"] = json!(outcome);
            it["results"][0]["outcome"] = json!(outcome);
        };
        ended(|it, _| other(it, "Failed")).breaks(Results::default(), "is told to be Failed");
        ended(|it, _| other(it, "Lost")).breaks(Results::default(), "is told to be Lost");
        ended(|it, _| it["results"] = json!([])).breaks(Results::default(), "these are not");
        ended(|it, result| it["results"] = json!([result, result])).breaks(Results::default(), "there twice");
        ended(|it, _| it["counts"]["runs"] = json!({})).breaks(Results::default(), "0 runs ended and 0 are active");
        ended(|it, _| it["results"][0]["expirationTime"] = at("10:02:30")).breaks(Results::default(), "another time");
    }

    #[test]
    fn a_result_leaves_when_it_has_expired_or_is_counted_as_dropped_and_not_before() {
        let mut dropped = ended(|_, _| ());
        dropped.status("10:30:00", |it| (it["results"], it["counts"]["resultsDropped"]) = (json!([]), json!(1)));
        dropped.judge(Results::default()).unwrap();
        let mut expired = ended(|_, _| ());
        expired.status("11:01:31", |it| it["results"] = json!([]));
        expired.judge(Results::default()).unwrap();
        let mut early = ended(|_, _| ());
        early.status("11:01:29", |it| it["results"] = json!([]));
        early.breaks(Results::default(), "these are not");
    }

    #[test]
    fn a_result_does_leave() {
        let mut tale = ended(|_, _| ());
        tale.lease("11:08:00", "a1", 7);
        tale.judge(Results::default()).unwrap();
        tale.lease("11:08:05", "a1", 7);
        tale.breaks(Results::default(), "is still there");
    }
}
