//! Retention: which Jobs may go. Only those whose run status, as it was read, accounts for, and
//! none before the fence.

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
    for succeeded in [true, false] {
        let mut finished: Vec<&&JobView> = recorded
            .iter()
            .filter(|job| job.state.is_terminal() && matches!(job.state, JobState::Complete { .. }) == succeeded)
            .collect();
        finished.sort_by_key(|job| std::cmp::Reverse((job.asked_for(), job.attempt)));
        let limit = spec.jobs_history_limit(succeeded);
        for job in finished.iter().skip(limit) {
            remove(draft, job, Reason::HistoryLimit);
        }
        for job in finished.iter().take(limit) {
            hand_over(draft, job);
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
        && !status.active.iter().any(|run| run.job_uid == job.uid)
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
