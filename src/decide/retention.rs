//! Retention: which Jobs may go. Only those whose run status, as it was read, accounts for, and
//! none before the fence. All attempts of a run stay until it has ended, so that a late create of
//! any of them meets its name.

use super::naming::is_same_run;
use super::plan::{Reason, Removal, SetTtl};
use super::snapshot::{JobState, JobView, Presence};
use super::{Draft, later, slot_of};
use crate::api::spec::ScheduleSpec;

/// Plans the removal of Jobs beyond the history limits, of Jobs we stopped, and the hand-over of
/// those with a time to live of their own.
pub(super) fn decide(draft: &mut Draft<'_>, spec: &ScheduleSpec) {
    let recorded: Vec<&JobView> = draft.snapshot.jobs.iter().filter(|job| is_accounted_for(draft, job)).collect();
    for job in recorded.iter().filter(|job| job.stopped && !job.state.is_terminal()) {
        remove(draft, job, Reason::RunStopped);
    }
    let finished: Vec<&JobView> = recorded.into_iter().filter(|job| job.state.is_terminal()).collect();
    let (succeeded, failed) = runs(&finished).into_iter().partition(|run| succeeded(run));
    keep_newest(draft, succeeded, spec.jobs_history_limit(true));
    keep_newest(draft, failed, spec.jobs_history_limit(false));
}

/// The Jobs of each run, attempt by attempt; the newest run first.
fn runs<'a>(jobs: &[&'a JobView]) -> Vec<Vec<&'a JobView>> {
    let mut runs: Vec<Vec<&JobView>> = Vec::new();
    for job in jobs {
        match runs.iter_mut().find(|run| run.iter().any(|it| super::naming::is_same_run(&it.name, &job.name))) {
            Some(run) => run.push(job),
            None => runs.push(vec![job]),
        }
    }
    for run in &mut runs {
        run.sort_by_key(|job| job.attempt);
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.first().map(|job| job.asked_for())));
    runs
}

fn succeeded(run: &[&JobView]) -> bool {
    run.last().is_some_and(|job| matches!(job.state, JobState::Complete { .. }))
}

/// Keeps the Jobs of so many runs. Of one that succeeded only the Job that did it is of use.
fn keep_newest(draft: &mut Draft<'_>, runs: Vec<Vec<&JobView>>, limit: usize) {
    for (index, run) in runs.into_iter().enumerate() {
        let has_succeeded = succeeded(&run);
        for (place, job) in run.iter().rev().enumerate() {
            if index >= limit {
                remove(draft, job, Reason::HistoryLimit);
            } else if has_succeeded && place > 0 {
                remove(draft, job, Reason::RunSucceeded);
            } else {
                hand_over(draft, job);
            }
        }
    }
}

/// Whether everything about a Job is in the status that was read.
fn is_accounted_for(draft: &Draft<'_>, job: &JobView) -> bool {
    let Some(status) = &draft.snapshot.status else { return false };
    job.presence == Presence::Here
        && (job.state.is_terminal() || job.stopped)
        && job
            .origin
            .slot()
            .is_none_or(|slot| status.decided_through.as_ref().is_some_and(|mark| slot <= slot_of(mark)))
        && draft.schedule_run_of(&job.name).is_none_or(|run| run.status.outcome.is_some())
        && !status.active.iter().any(|run| run.job_uid == job.uid || is_same_run(&run.job_name, &job.name))
        && !status.pending.iter().any(|it| it.origin == job.origin)
        && !draft.plan.adopted.iter().any(|it| it.job_name == job.name)
}

fn remove(draft: &mut Draft<'_>, job: &JobView, reason: Reason) {
    if is_past_fence(draft, job) {
        draft.plan.removals.push(Removal { job_name: job.name.clone(), job_uid: job.uid.clone(), reason });
    }
}

fn hand_over(draft: &mut Draft<'_>, job: &JobView) {
    if let Some(seconds) = job.deferred_ttl.filter(|_| !job.has_ttl)
        && is_past_fence(draft, job)
    {
        draft.plan.ttls.push(SetTtl { job_name: job.name.clone(), job_uid: job.uid.clone(), seconds });
    }
}

/// Whether a Job is old enough to go; if it is not, it is looked at again when it is.
fn is_past_fence(draft: &mut Draft<'_>, job: &JobView) -> bool {
    let at = later(job.created, draft.snapshot.fence_seconds);
    if at > draft.now() {
        super::wake::at(draft, at);
        return false;
    }
    true
}
