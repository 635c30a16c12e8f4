//! No Job goes that is still needed: its run recorded, its age beyond the fence, and more kept than
//! the history limits say. And what is not needed any more does go.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use punctual::api::status::{Outcome, RunState};

use super::identity::{RunId, run_name};
use super::scene::{FENCE, Job, Meaning, Scene, Schedule, is_same_run, slot_of};
use super::{Check, Promise, Verdict, Violation};
use crate::history::Change;

/// It needs no memory.
pub struct Removal;

/// A Job's creation is written in whole seconds.
const SECOND: SignedDuration = SignedDuration::from_secs(1);
/// How long after it may go a Job is gone.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

impl Check for Removal {
    fn change(&mut self, scene: &Scene, change: &Change, meaning: &Meaning) -> Verdict {
        let (Meaning::JobChanged(uid) | Meaning::JobGone(uid)) = meaning else { return Ok(()) };
        let job = &scene.jobs[uid];
        let schedule = &scene.schedules[&job.schedule_uid];
        let is_excused = schedule.gone.is_some() || schedule.tampered.is_some();
        if is_excused || !scene.circumstances.is_life(&change.by) {
            return Ok(());
        }
        let objection = match Deed::of(change) {
            Deed::Remove => objection_to_removal(scene, schedule, job, change),
            Deed::HandOver if job.end.is_none() => Some("it has not finished".into()),
            Deed::HandOver => too_young(scene, job, change).or_else(|| unaccounted(scene, schedule, job)),
            Deed::Suspend => {
                let is_stopping = status_of_run(schedule, job) == Some(&RunState::Stopping);
                (!is_stopping).then(|| "status does not say that its run is being stopped".into())
            }
            Deed::Nothing => None,
        };
        objection.map_or(Ok(()), |why: String| {
            let what = format!("{:?} of Job {}/{}, and {why}", Deed::of(change), job.namespace, job.name);
            Err(Violation::new(Promise::Removal, what).of(schedule.title()).shown_by(change))
        })
    }

    fn rest(&mut self, scene: &Scene) -> Verdict {
        scene.schedules.values().filter(|it| it.gone.is_none()).try_for_each(|it| goes_in_time(scene, it))
    }
}

/// What was done to a Job.
#[derive(Debug, PartialEq)]
enum Deed {
    Remove,
    HandOver,
    Suspend,
    Nothing,
}

impl Deed {
    fn of(change: &Change) -> Self {
        let (Some(before), Some(after)) = (&change.before, &change.after) else { return Self::Remove };
        let begins = |pointer: &str| before.pointer(pointer) != after.pointer(pointer);
        if begins("/metadata/deletionTimestamp") {
            Self::Remove
        } else if begins("/spec/ttlSecondsAfterFinished") {
            Self::HandOver
        } else if begins("/spec/suspend") {
            Self::Suspend
        } else {
            Self::Nothing
        }
    }
}

fn objection_to_removal(scene: &Scene, schedule: &Schedule, job: &Job, change: &Change) -> Option<String> {
    if let Some(too_young) = too_young(scene, job, change) {
        return Some(too_young);
    }
    if status_of_run(schedule, job) == Some(&RunState::Stopping) && job.end.is_none() {
        return None;
    }
    unaccounted(scene, schedule, job).or_else(|| wanted(scene, schedule, job))
}

fn too_young(scene: &Scene, job: &Job, change: &Change) -> Option<String> {
    let off = scene.circumstances.clock_may_be_off(&change.by) + SECOND;
    let age = job.age(change.at);
    (age + off < FENCE).then(|| format!("it is {age:#} old"))
}

/// Why status, as it is stored, does not account for a Job.
fn unaccounted(scene: &Scene, schedule: &Schedule, job: &Job) -> Option<String> {
    let status = &schedule.status;
    if let Some(state) = status_of_run(schedule, job) {
        return Some(format!("its run is {state}"));
    }
    match &job.run {
        RunId::Slot(slot) if status.decided_through.as_ref().is_none_or(|mark| *slot > slot_of(mark)) => {
            Some("its slot is not decided".into())
        }
        RunId::Slot(slot) if status.pending.iter().any(|it| it.origin.slot() == Some(*slot)) => {
            Some("its slot waits".into())
        }
        RunId::ByHand(uid) if scene.runs[uid].gone.is_none() && scene.runs[uid].status.outcome.is_none() => {
            Some("its ScheduleRun has no outcome".into())
        }
        _ => None,
    }
}

fn status_of_run<'a>(schedule: &'a Schedule, job: &Job) -> Option<&'a RunState> {
    schedule.status.active.iter().find(|it| is_same_run(&it.job_name, &job.name)).map(|it| &it.state)
}

/// Whether a finished Job is among the newest that are to be kept.
fn wanted(scene: &Scene, schedule: &Schedule, job: &Job) -> Option<String> {
    let end = job.end.as_ref()?;
    let known_since = scene.known_since();
    let may_be_seen = |it: &&Job| it.gone.is_none_or(|gone| gone >= known_since);
    let jobs: Vec<&Job> = scene.jobs_of(&schedule.uid).filter(may_be_seen).collect();
    let succeeded = |it: &&&Job| it.end.as_ref().is_some_and(|end| end.outcome == Outcome::Succeeded);
    let followed = jobs.iter().filter(succeeded).any(|it| it.run == job.run && it.attempt > job.attempt);
    if followed {
        return None;
    }
    let is_success = end.outcome == Outcome::Succeeded;
    let specs = schedule.specs_since(known_since).filter_map(|it| it.spec.as_ref());
    let limit = specs.map(|it| it.jobs_history_limit(is_success)).min()?;
    let runs = kept(scene, &jobs, is_success);
    // Of two that were asked for in the same second either may go.
    let is_no_older =
        |(name, asked_for): &(&&str, &Timestamp)| **name != run_name(&job.name) && **asked_for >= asked(scene, job);
    let newer = runs.iter().filter(is_no_older).count();
    (newer < limit).then(|| format!("only {newer} newer ones like it are there, and {limit} are to be kept"))
}

/// Runs whose Jobs have finished in one way, and when each was asked for.
fn kept<'a>(scene: &Scene, jobs: &[&'a Job], is_success: bool) -> BTreeMap<&'a str, Timestamp> {
    let mut last: BTreeMap<&str, &Job> = BTreeMap::new();
    for job in jobs.iter().filter(|it| it.end.is_some()) {
        let entry = last.entry(run_name(&job.name)).or_insert(job);
        if entry.attempt < job.attempt {
            *entry = job;
        }
    }
    let is_kind = |job: &Job| job.end.as_ref().is_some_and(|end| (end.outcome == Outcome::Succeeded) == is_success);
    last.into_iter().filter(|(_, job)| is_kind(job)).map(|(name, job)| (name, asked(scene, job))).collect()
}

fn asked(scene: &Scene, job: &Job) -> Timestamp {
    match &job.run {
        RunId::Slot(slot) => slot.timestamp(),
        RunId::ByHand(uid) => scene.runs[uid].created,
    }
}

/// At rest no more finished Jobs are there than the limits say, but for those within the fence.
fn goes_in_time(scene: &Scene, schedule: &Schedule) -> Verdict {
    let Some(spec) = &schedule.spec().spec else { return Ok(()) };
    let old = |job: &&Job| job.gone.is_none() && job.deleting.is_none() && job.age(scene.now) > FENCE + PATIENCE;
    let over = |job: &&Job| job.end.as_ref().is_some_and(|end| end.at + PATIENCE < scene.now);
    let jobs: Vec<&Job> = scene.jobs_of(&schedule.uid).filter(old).filter(over).collect();
    for is_success in [true, false] {
        let (runs, limit) = (kept(scene, &jobs, is_success), spec.jobs_history_limit(is_success));
        let is_going_on = |name: &&&str| schedule.status.active.iter().any(|it| run_name(&it.job_name) == **name);
        let names: Vec<&&str> = runs.keys().filter(|name| !is_going_on(name)).collect();
        if names.len() > limit {
            let what = format!("{limit} finished runs are to be kept, and these are: {names:?}");
            return Err(Violation::new(Promise::Removal, what).of(schedule.title()));
        }
    }
    Ok(())
}

mod tests {
    use serde_json::{Value, json};

    use super::super::tale::{Tale, at};
    use super::Removal;

    /// A Job of 10:01:00 that has ended and is recorded, where none is kept.
    fn recorded() -> (Tale, String) {
        let mut tale = Tale::of(json!({"successfulJobsHistoryLimit": 0}));
        let job = tale.job("10:01:00", "10:01:00");
        tale.end_job("10:01:30", &job, "Complete");
        tale.status("10:01:31", |it| it["decidedThrough"] = at("10:01:00"));
        (tale, job)
    }

    #[test]
    fn a_recorded_job_goes_when_it_is_older_than_the_fence() {
        let (mut tale, job) = recorded();
        let mut early = recorded().0;
        tale.remove_job("10:03:00", &job, "a1");
        tale.judge(Removal).unwrap();
        early.remove_job("10:02:58", &job, "a1");
        early.breaks(Removal, "old");
    }

    #[test]
    fn a_user_may_remove_what_he_likes() {
        let (mut tale, job) = recorded();
        tale.remove_job("10:01:40", &job, "user");
        tale.judge(Removal).unwrap();
    }

    #[test]
    fn a_job_that_status_does_not_account_for_stays() {
        let (mut tale, job) = recorded();
        let active = tale.active("10:01:00", &job);
        tale.status("10:02:00", |it| it["active"] = json!([active]));
        tale.remove_job("10:04:00", &job, "a1");
        tale.breaks(Removal, "its run is Running");
    }

    #[test]
    fn one_that_is_to_be_kept_stays_until_there_are_newer_ones() {
        let mut tale = Tale::of(json!({"successfulJobsHistoryLimit": 1}));
        let first = tale.job("10:01:00", "10:01:00");
        tale.end_job("10:01:30", &first, "Complete");
        tale.status("10:02:31", |it| it["decidedThrough"] = at("10:02:00"));
        let second = tale.job("10:02:00", "10:02:00");
        tale.end_job("10:02:30", &second, "Complete");
        tale.remove_job("10:05:00", &first, "a1");
        tale.judge(Removal).unwrap();
        tale.remove_job("10:05:00", &second, "a1");
        tale.breaks(Removal, "are to be kept");
    }

    #[test]
    fn a_run_is_stopped_only_when_status_says_so() {
        let mut tale = Tale::of(json!({"concurrency": {"policy": "Replace"}}));
        let job = tale.job("10:01:00", "10:01:00");
        let mut active = tale.active("10:01:00", &job);
        let suspend = |it: &mut Value| it["spec"]["suspend"] = json!(true);
        let mut early = Tale::of(json!({"concurrency": {"policy": "Replace"}}));
        early.job("10:01:00", "10:01:00");
        early.change_job("10:02:01", &job, "a1", suspend);
        early.breaks(Removal, "is being stopped");
        active["state"] = json!("Stopping");
        tale.status("10:02:00", |it| it["active"] = json!([active]));
        tale.change_job("10:02:01", &job, "a1", suspend);
        tale.judge(Removal).unwrap();
    }

    #[test]
    fn a_time_to_live_is_set_only_when_the_run_is_recorded() {
        let (mut tale, job) = recorded();
        let mut running = Tale::begin();
        running.job("10:01:00", "10:01:00");
        let hand_over = |it: &mut Value| it["spec"]["ttlSecondsAfterFinished"] = json!(60);
        tale.change_job("10:04:00", &job, "a1", hand_over);
        tale.judge(Removal).unwrap();
        running.change_job("10:04:00", &job, "a1", hand_over);
        running.breaks(Removal, "has not finished");
    }

    #[test]
    fn what_nobody_keeps_is_gone_at_rest() {
        let (tale, _) = recorded();
        tale.judge_rest(Removal, "10:04:00").unwrap();
        tale.breaks_at_rest(Removal, "10:04:01", "are to be kept");
    }
}
