//! Retries: an attempt that failed is followed by another of the same run, as `spec.retry` says.
//!
//! That a run is to be tried again is recorded first, with the time of its next attempt; only a
//! later decision, which finds it recorded, creates the Job. In between the run is in Backoff: it
//! is active, it has no Job at work, and how its newest attempt ended is kept with it, so that it
//! can still end so.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::plan::{BackedOff, Reason, RunEnd};
use super::snapshot::JobState;
use super::{Draft, later, naming, runs, wake};
use crate::api::spec::Retry;
use crate::api::status::{ActiveRun, AttemptEnd, Outcome, RunState};

/// Whether a run has failed for now, and waits to be tried again or for its end to be recorded.
pub(super) fn is_between_attempts(run: &ActiveRun) -> bool {
    run.last_attempt.is_some()
}

/// An attempt ended: the run as it is to be recorded if another follows.
///
/// A run that is being stopped is not tried again, nor one whose Job was deleted, or vanished
/// without anybody having seen it fail.
pub(super) fn back_off(draft: &mut Draft<'_>, end: &RunEnd) -> Option<ActiveRun> {
    let has_failed = matches!(end.outcome, Outcome::Failed | Outcome::TimedOut);
    let retry = rule(draft, &end.run).filter(|_| has_failed)?;
    let next = later(end.at, retry.delay_after(number(&end.run)));
    draft.plan.backed_off.push(BackedOff { end: end.clone(), next });
    Some(ActiveRun {
        state: RunState::Backoff,
        next_attempt_time: Some(Time(next)),
        last_attempt: Some(AttemptEnd {
            outcome: end.outcome.clone(),
            reason: end.reason.clone(),
            exit_code: end.exit_code,
            message: end.message.clone(),
            completion_time: Time(end.at),
        }),
        waiting: None,
        ..end.run.clone()
    })
}

/// Whether a run whose Job has finished is sure to be tried again if that Job failed.
pub(super) fn will_follow(draft: &Draft<'_>, run: &ActiveRun) -> bool {
    let job = draft.snapshot.jobs.iter().find(|job| job.uid == run.job_uid);
    job.is_some_and(|job| matches!(job.state, JobState::Failed { .. })) && rule(draft, run).is_some()
}

/// By which rule another attempt of a run follows, if one does.
fn rule<'a>(draft: &Draft<'a>, run: &ActiveRun) -> Option<&'a Retry> {
    let retry = draft.snapshot.readable_spec().and_then(|spec| spec.retry.as_ref());
    // Of a ScheduleRun that was deleted nobody asks for another attempt.
    let is_asked_for =
        run.origin.slot().is_some() || draft.schedule_run_of(&run.job_name).is_some_and(|it| !it.deleting);
    retry.filter(|it| is_asked_for && it.allows_after(run.attempt) && run.state != RunState::Stopping)
}

/// What becomes of a run between two attempts: `None` while it waits for the next one.
///
/// Before it ends, the Job of its next attempt is looked for: a create that was not answered may
/// have been carried out.
pub(super) fn fate(draft: &mut Draft<'_>, run: &ActiveRun) -> Option<RunEnd> {
    let is_refused = is_refused_for_good(run);
    let goes_on = rule(draft, run).is_some() || draft.snapshot.readable_spec().is_none();
    if goes_on && !is_refused && !is_outdated(draft, run) && run.state != RunState::Stopping {
        return None;
    }
    let next = name_of_next(run);
    if !is_refused && !draft.has_looked_at(&next) {
        draft.look_at(&next);
        return None;
    }
    if run.state == RunState::Stopping {
        return Some(runs::replaced(draft, run));
    }
    let last = run.last_attempt.clone()?;
    let (reason, message) =
        if is_refused { (run.reason.clone(), run.waiting.clone()) } else { (last.reason, last.message) };
    Some(RunEnd {
        run: run.clone(),
        outcome: last.outcome,
        reason,
        exit_code: last.exit_code,
        message,
        at: if is_refused { draft.now() } else { last.completion_time.0 },
    })
}

/// Plans the next attempts whose time has come. Pauses, deadlines and the concurrency policy do not
/// apply: the run has started, and counts as active all the time.
pub(super) fn start_due(draft: &mut Draft<'_>) {
    let Some(spec) = draft.snapshot.readable_spec() else { return };
    let waits = |run: &&ActiveRun| is_recorded(draft, run) && !draft.is_over(run);
    let waiting: Vec<ActiveRun> = draft.plan.memory.active.iter().filter(waits).cloned().collect();
    for run in waiting {
        let Some(at) = next_try(draft, &run) else { continue };
        if at <= draft.now() {
            let since = run.next_attempt_time.as_ref().filter(|_| run.reason.is_some()).map(|it| it.0);
            draft.start_attempt(spec, &run.origin, number_of_next(&run), since);
        }
    }
}

/// Whether status, as it was read, says that a run is in Backoff.
fn is_recorded(draft: &Draft<'_>, run: &ActiveRun) -> bool {
    let recorded = draft.snapshot.status.as_ref().map(|it| it.active.as_slice()).unwrap_or_default();
    run.state == RunState::Backoff
        && recorded.iter().any(|it| it.state == RunState::Backoff && it.job_uid == run.job_uid)
}

/// When to look at the runs in Backoff again. A start of this plan may be refused, and then nothing
/// changes that would bring about another look.
pub(super) fn wakes(draft: &Draft<'_>) -> Vec<Timestamp> {
    if draft.snapshot.readable_spec().is_none() {
        return Vec::new();
    }
    let mut instants = Vec::new();
    for run in draft.plan.memory.active.iter().filter(|it| it.state == RunState::Backoff) {
        instants.extend(next_try(draft, run));
        if let Some(since) = run.next_attempt_time.as_ref().filter(|_| run.reason.is_some()) {
            instants.push(later(since.0, wake::WAITING_SECONDS));
        }
    }
    instants
}

/// When the next attempt of a run is to be created; later than planned while that is refused.
fn next_try(draft: &Draft<'_>, run: &ActiveRun) -> Option<Timestamp> {
    let planned = run.next_attempt_time.as_ref()?.0;
    let refused = run.reason.as_ref().and_then(|_| wake::retry_at(planned, planned, draft.snapshot.last_refusal));
    Some(refused.map_or(planned, |at| at.max(planned)))
}

/// Whether this process knows that the run was tried again since: somebody put an older status back.
fn is_outdated(draft: &Draft<'_>, run: &ActiveRun) -> bool {
    draft.snapshot.to_start.as_ref().is_some_and(|known| !known.backed_off.contains(&run.job_uid))
}

/// Whether the next Job will never be taken.
fn is_refused_for_good(run: &ActiveRun) -> bool {
    let reason = run.reason.as_deref().unwrap_or_default();
    [Reason::JobRefused, Reason::NameTaken].iter().any(|it| it.to_string() == reason)
}

/// Which attempt a run is at. What somebody wrote into its status in place of a number that there can
/// be counts as the first.
fn number(run: &ActiveRun) -> u32 {
    run.attempt.max(1).unsigned_abs()
}

fn number_of_next(run: &ActiveRun) -> u32 {
    number(run).saturating_add(1)
}

fn name_of_next(run: &ActiveRun) -> String {
    naming::of_attempt(&run.job_name, number_of_next(run))
}
