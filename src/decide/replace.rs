//! Replace: the oldest runs are stopped so that a newer slot can start.

use jiff::Timestamp;

use super::plan::{Reason, Start, Stop, StopHow};
use super::snapshot::{JobView, Presence};
use super::{Draft, later, overlap, wake};
use crate::api::spec::ScheduleSpec;
use crate::api::status::{Origin, Outcome, Pending, RunState, Why};

/// The newest slot waits for a place, those that waited before go into it, and no more runs are to
/// stop than it needs. All of that is recorded first and acted on by the next decision.
pub(super) fn oldest(draft: &mut Draft<'_>, spec: &ScheduleSpec, origin: &Origin) {
    if !overlap::look_at_active(draft) {
        return;
    }
    // Those of a queue are left from before the policy was changed.
    let (replacing, others): (Vec<Pending>, Vec<Pending>) = std::mem::take(&mut draft.plan.memory.pending)
        .into_iter()
        .partition(|it| matches!(it.why, Why::Replacing | Why::Queued));
    draft.plan.memory.pending = others;
    // An older slot that comes to this point, from the line of late ones, does not displace a newer one.
    let mut rivals: Vec<&Origin> = replacing.iter().map(|it| &it.origin).chain([origin]).collect();
    rivals.sort_by_key(|it| draft.asked_for(it));
    let Some(newest) = rivals.pop() else { return };
    for older in rivals {
        draft.settle_one(older, Outcome::Coalesced, Reason::ConcurrencyReplace, newest.slot());
    }
    draft.wait(newest, Why::Replacing);
    make_room(draft, spec, newest);
}

/// Sees to it that as many runs are being stopped as a slot needs that waits for a place: more than
/// before, if the limit was lowered meanwhile.
pub(super) fn make_room(draft: &mut Draft<'_>, spec: &ScheduleSpec, newest: &Origin) {
    let mut surplus = surplus(draft, spec);
    if surplus == 0 || !overlap::look_at_active(draft) {
        return;
    }
    for (_, older) in going_on(draft) {
        if surplus == 0 {
            break;
        }
        give_way(draft, &older, newest);
        surplus -= 1;
    }
}

/// How many runs too many go on for one more to fit.
fn surplus(draft: &Draft<'_>, spec: &ScheduleSpec) -> usize {
    let active = draft.plan.memory.active.iter().filter(|run| !draft.is_over(run));
    let stopping = active.filter(|run| run.state == RunState::Stopping).count();
    (draft.active_count() + 1).saturating_sub(spec.concurrency_limit() + stopping)
}

/// The runs that are not being stopped, and those that this very plan starts, oldest first.
fn going_on(draft: &Draft<'_>) -> Vec<(Timestamp, Origin)> {
    let active = draft.plan.memory.active.iter();
    let active = active.filter(|run| !draft.is_over(run) && run.state != RunState::Stopping);
    let starts = draft.plan.starts.iter().filter(|it| it.attempt == 1);
    let starts = starts.map(|it| (draft.asked_for(&it.origin), it.origin.clone()));
    let mut all: Vec<_> = active.map(|run| (run.asked_for(), run.origin.clone())).chain(starts).collect();
    all.sort_by_key(|(asked_for, _)| *asked_for);
    all
}

/// A run is to stop. A start planned in this very decision is not made in the first place.
fn give_way(draft: &mut Draft<'_>, older: &Origin, newest: &Origin) {
    let (given_up, starts): (Vec<Start>, Vec<Start>) =
        std::mem::take(&mut draft.plan.starts).into_iter().partition(|it| it.origin == *older);
    draft.plan.starts = starts;
    // A create that was not answered may have been carried out.
    for start in given_up.iter().filter(|it| it.refused_since.is_some()) {
        draft.look_at(&start.job_name);
    }
    match draft.plan.memory.active.iter_mut().find(|run| run.origin == *older) {
        Some(run) => {
            run.state = RunState::Stopping;
            run.stop_reason = Some(format!("replaced by the {newest}"));
        }
        None => draft.settle_one(older, Outcome::Coalesced, Reason::ConcurrencyReplace, newest.slot()),
    }
}

/// Stops the Jobs of runs that status, as it was read, says are to stop.
///
/// A Job older than the fence is deleted. A younger one keeps its name, which a late create
/// request must still meet: it is suspended, and deleted when it is old enough.
pub(super) fn stop_recorded(draft: &mut Draft<'_>) {
    let recorded = draft.snapshot.status.as_ref().map(|it| it.active.as_slice()).unwrap_or_default();
    let now = draft.now();
    for run in recorded.iter().filter(|run| run.state == RunState::Stopping) {
        let job = draft.snapshot.jobs.iter().find(|job| job.uid == run.job_uid);
        let Some(job) = job.filter(|job| job.presence == Presence::Here && !job.state.is_terminal()) else { continue };
        let fence = later(job.created, draft.snapshot.fence_seconds);
        if let Some(how) = how_to_stop(job, now >= fence) {
            draft.plan.stops.push(Stop { job_name: job.name.clone(), job_uid: job.uid.clone(), how });
        }
        if now < fence {
            wake::at(draft, fence);
        }
    }
}

fn how_to_stop(job: &JobView, is_past_fence: bool) -> Option<StopHow> {
    match (is_past_fence, job.stopped) {
        (true, _) => Some(StopHow::Delete),
        (false, false) => Some(StopHow::Suspend),
        (false, true) => None,
    }
}
