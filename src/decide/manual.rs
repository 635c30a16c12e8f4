//! Runs that were asked for by hand: ScheduleRuns.
//!
//! They are outside of the plan: pauses, the window and the trigger do not concern them, and they
//! move no slot. They meet the concurrency policy like a slot does. A ScheduleRun is over once its
//! status holds an outcome: that is written before anything forgets its run.

use jiff::Timestamp;

use super::plan::{ExpiredRun, Reason, RunEnd};
use super::snapshot::ScheduleRunView;
use super::{Draft, later, missed_through, overlap, queue, wake};
use crate::api::spec::ScheduleSpec;
use crate::api::status::{ActiveRun, Origin, Outcome, RunState, Why};
use crate::time::Slot;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// How a run ended, if its ScheduleRun tells so already.
pub(super) fn told(draft: &Draft<'_>, run: &ActiveRun) -> Option<RunEnd> {
    let status = &draft.schedule_run_of(&run.job_name)?.status;
    let outcome = status.outcome.clone().filter(Outcome::is_of_run)?;
    // What it tells was wrong when its Job is found to be at work: it is corrected.
    if draft.plan.adopted.iter().any(|it| it.job_name == run.job_name) {
        return None;
    }
    Some(RunEnd {
        run: run.clone(),
        outcome,
        reason: status.reason.clone(),
        exit_code: status.exit_code,
        message: status.message.clone(),
        at: status.completion_time.as_ref().map_or(draft.now(), |it| it.0),
    })
}

/// The end of a run is written to its ScheduleRun first: until that is read back, the run stays
/// among the active ones.
pub(super) fn tell_first(draft: &mut Draft<'_>) {
    let is_told = |draft: &Draft<'_>, end: &RunEnd| {
        let outcome = draft.schedule_run_of(&end.run.job_name).map(|it| &it.status.outcome);
        outcome.is_none_or(|it| it.as_ref().is_some_and(Outcome::is_of_run))
    };
    let (told, untold) = std::mem::take(&mut draft.plan.ended).into_iter().partition(|end| is_told(draft, end));
    draft.plan.ended = told;
    draft.plan.untold = untold;
    let ended = draft.plan.untold.iter().map(|end| end.run.clone());
    draft.plan.memory.active.extend(ended);
    draft.plan.memory.active.sort_by_key(ActiveRun::asked_for);
}

/// Takes those off the line whose ScheduleRun was deleted, or is over. A copy of it does not take its
/// place.
pub(super) fn leave_the_line(draft: &mut Draft<'_>) {
    for pending in draft.plan.memory.pending.clone() {
        if let Origin::ScheduleRun(name) = &pending.origin
            && draft.schedule_run(name).is_none_or(|run| run.is_over() || run.is_copy())
        {
            draft.give_up(&pending);
        }
    }
}

/// Starts what is asked for, or lets it wait, or says why it never starts: oldest first.
pub(super) fn decide(draft: &mut Draft<'_>, spec: &ScheduleSpec) {
    for run in &draft.snapshot.schedule_runs {
        if run.is_over() || is_under_way(draft, run) {
            continue;
        }
        let origin = Origin::ScheduleRun(run.name.clone());
        if let Some((outcome, reason)) = never_starts(draft, spec, run) {
            draft.settle_one(&origin, outcome, reason, None);
        } else if let Some(job_name) = run.status.job_name.clone() {
            lose(draft, run, job_name);
        } else if queue::is_below_cap(draft) {
            // Those that find no room are left as they are, and looked at again.
            overlap::start_or_yield(draft, spec, &origin, None);
        }
    }
    wake_for_waiting(draft, spec);
}

/// Removes those whose result has expired.
pub(super) fn expire(draft: &mut Draft<'_>) {
    let recorded = draft.snapshot.status.iter().flat_map(|it| &it.active);
    let recorded: Vec<&str> =
        recorded.filter_map(|run| draft.schedule_run_of(&run.job_name)).map(|it| it.uid.as_str()).collect();
    for run in &draft.snapshot.schedule_runs {
        let Some(expiration) = &run.status.expiration_time else { continue };
        if run.deleting || run.status.outcome.is_none() || recorded.contains(&run.uid.as_str()) {
            continue;
        }
        if expiration.0 <= draft.now() {
            draft.plan.expired_runs.push(ExpiredRun { name: run.name.clone(), uid: run.uid.clone() });
        } else {
            wake::at(draft, expiration.0);
        }
    }
}

/// Whether it waits, starts now, or runs.
fn is_under_way(draft: &Draft<'_>, run: &ScheduleRunView) -> bool {
    let is_it = |origin: &Origin| *origin == Origin::ScheduleRun(run.name.clone());
    let name = run.job_name(&draft.snapshot.schedule);
    draft.plan.memory.pending.iter().any(|it| is_it(&it.origin))
        || draft.plan.starts.iter().any(|it| is_it(&it.origin))
        || draft.plan.dismissed.iter().any(|it| it.name == run.name)
        || draft.plan.memory.active.iter().any(|it| super::naming::split(&it.job_name).0 == name)
}

/// Why a ScheduleRun never starts, if it does not. Nothing is retroactive: it is for the Schedule
/// that was there when it was created, and a copy does not repeat what the original asked for.
fn never_starts(draft: &Draft<'_>, spec: &ScheduleSpec, run: &ScheduleRunView) -> Option<(Outcome, Reason)> {
    if run.is_copy() {
        return Some((Outcome::BeforeCreation, Reason::CopiedStatus));
    }
    if Slot::floor(run.created) < draft.snapshot.schedule.creation {
        let outcome = if run.status.job_name.is_some() { Outcome::Deleted } else { Outcome::BeforeCreation };
        return Some((outcome, Reason::BeforeCreation));
    }
    let deadline = spec.starting_deadline.map(|it| missed_through(draft.now(), it.seconds_i64()))?;
    let is_missed = run.status.job_name.is_none() && Slot::floor(run.created) <= deadline;
    is_missed.then_some((Outcome::MissedDeadline, Reason::StartingDeadline))
}

/// It was started, and neither status nor any Job says so: it is not started again.
fn lose(draft: &mut Draft<'_>, run: &ScheduleRunView, job_name: String) {
    if !draft.has_looked_at(&job_name) {
        draft.look_at(&job_name);
        return;
    }
    let start_time = run.status.start_time.clone().unwrap_or(Time(run.created));
    let lost = ActiveRun {
        origin: Origin::ScheduleRun(run.name.clone()),
        job_name,
        job_uid: String::new(),
        attempt: run.status.attempts.unwrap_or(1),
        state: RunState::Running,
        start_time,
        next_attempt_time: None,
        last_attempt: None,
        reason: None,
        stop_reason: None,
        waiting: None,
    };
    let at = draft.now().max(lost.start_time.0);
    let message = Some("its Job is gone, and nobody saw how it ended".into());
    draft.plan.untold.push(RunEnd { run: lost, outcome: Outcome::Lost, reason: None, exit_code: None, message, at });
}

/// A deadline passes, and a refused start is tried again, whether or not slots start now.
fn wake_for_waiting(draft: &mut Draft<'_>, spec: &ScheduleSpec) {
    let mut instants: Vec<Timestamp> = Vec::new();
    let starts_now: Vec<Origin> = draft.plan.starts.iter().map(|it| it.origin.clone()).collect();
    for run in draft.snapshot.schedule_runs.iter().filter(|it| !it.is_over() && it.status.job_name.is_none()) {
        let origin = Origin::ScheduleRun(run.name.clone());
        if let Some(deadline) = spec.starting_deadline
            && !starts_now.contains(&origin)
        {
            instants.push(later(Slot::floor(run.created).timestamp(), deadline.seconds_i64().saturating_add(1)));
        }
        let refused = draft.plan.memory.pending.iter().find(|it| it.origin == origin && it.why == Why::Retrying);
        if let Some(pending) = refused {
            instants.extend(wake::retry_at(pending.asked_for(), pending.since.0, draft.snapshot.last_refusal));
        }
    }
    for at in instants.into_iter().filter(|at| *at > draft.snapshot.now) {
        wake::at(draft, at);
    }
}
