//! Overlap: a slot is due while earlier runs are active.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::plan::{Reason, Stop, StopHow};
use super::snapshot::{JobView, Presence};
use super::{Draft, later, refused, wake};
use crate::api::spec::{ALLOW_CAP, CatchUpPolicy, ConcurrencyPolicy, ScheduleSpec};
use crate::api::status::{ActiveRun, Origin, Outcome, Pending, RunState, Why};

/// A slot that is on time starts, waits, or is skipped.
pub(super) fn meet(draft: &mut Draft<'_>, spec: &ScheduleSpec, origin: &Origin) {
    if joins_the_line(draft, spec) {
        if draft.plan.memory.pending.len() < spec.catch_up_limit() {
            line_up(draft, origin);
        } else {
            skip(draft, origin, Reason::CatchUpLimit);
        }
    } else {
        // The newest takes the place of those that were refused: it has been blocked for as long.
        let refused_since = refused::since(draft);
        if !origin.slot().is_some_and(|slot| refused::join(draft, spec, slot)) {
            start_or_yield(draft, spec, origin, refused_since);
        }
    }
}

/// Under `All`, a slot that comes due while others wait their turn waits behind them.
fn joins_the_line(draft: &Draft<'_>, spec: &ScheduleSpec) -> bool {
    draft.plan.memory.pending.iter().any(|it| it.why == Why::CatchUp && is_in_line(spec, it))
}

/// A slot takes its place in the line of those that `All` chose.
pub(super) fn line_up(draft: &mut Draft<'_>, origin: &Origin) {
    let (since, reason) = (Time(draft.now()), Some(Reason::CatchUpAll.to_string()));
    draft.put_in_line(Pending { origin: origin.clone(), why: Why::CatchUp, since, reason, message: None });
}

/// Whether a slot waits in the line of `All`, in which nobody is skipped, and nobody replaces
/// anything or goes first.
pub(super) fn is_in_line(spec: &ScheduleSpec, pending: &Pending) -> bool {
    let was_chosen_by_all = match pending.why {
        Why::CatchUp => pending.reason.as_deref() == Some(Reason::CatchUpAll.to_string().as_str()),
        _ => spec.catch_up_policy() == CatchUpPolicy::All,
    };
    was_chosen_by_all && spec.concurrency_policy() != ConcurrencyPolicy::Allow
}

/// Starts a slot if the concurrency policy lets it.
pub(super) fn start_or_yield(
    draft: &mut Draft<'_>,
    spec: &ScheduleSpec,
    origin: &Origin,
    refused_since: Option<Timestamp>,
) {
    if spec.concurrency_policy() != ConcurrencyPolicy::Allow {
        refused::look_for_all(draft);
    }
    match spec.concurrency_policy() {
        ConcurrencyPolicy::Allow if draft.active_count() < ALLOW_CAP => draft.start(spec, origin, refused_since),
        ConcurrencyPolicy::Allow => skip_if_certain(draft, origin, Reason::ConcurrencyCap),
        _ if draft.active_count() == 0 => draft.start(spec, origin, refused_since),
        ConcurrencyPolicy::Forbid => skip_if_certain(draft, origin, Reason::ConcurrencyForbid),
        ConcurrencyPolicy::Replace => replace(draft, origin),
        ConcurrencyPolicy::Queue => draft.wait(origin, Why::Queued),
    }
}

/// Skips a slot, once the Jobs in its way have been read live: a cache may not have seen their
/// end yet.
fn skip_if_certain(draft: &mut Draft<'_>, origin: &Origin, reason: Reason) {
    if look_at_active(draft) {
        skip(draft, origin, reason);
    }
}

fn skip(draft: &mut Draft<'_>, origin: &Origin, reason: Reason) {
    draft.settle_one(origin, Outcome::SkippedOverlap, reason, None);
}

/// Whether every active Job was read live. Starts of this very plan need no look.
fn look_at_active(draft: &mut Draft<'_>) -> bool {
    let active = draft.plan.memory.active.iter().filter(|run| !draft.is_over(run));
    let names: Vec<String> = active.map(|run| run.job_name.clone()).collect();
    for name in &names {
        draft.look_at(name);
    }
    names.iter().all(|name| draft.has_looked_at(name))
}

/// The active runs are to stop, and the newest slot waits for it. Both are recorded first and
/// acted on by the next decision.
fn replace(draft: &mut Draft<'_>, origin: &Origin) {
    if !look_at_active(draft) {
        return;
    }
    let (replacing, others): (Vec<Pending>, Vec<Pending>) =
        std::mem::take(&mut draft.plan.memory.pending).into_iter().partition(|it| it.why == Why::Replacing);
    draft.plan.memory.pending = others;
    // An older slot that comes to this point, from the line of late ones, does not displace a newer one.
    let mut rivals: Vec<&Origin> = replacing.iter().map(|it| &it.origin).chain([origin]).collect();
    rivals.sort_by_key(|it| it.asked_for(draft.now()));
    let Some(newest) = rivals.pop() else { return };
    for older in rivals {
        draft.settle_one(older, Outcome::Coalesced, Reason::ConcurrencyReplace, newest.slot());
    }
    draft.wait(newest, Why::Replacing);
    // A start planned in this very decision gives way to the newer slot.
    for start in std::mem::take(&mut draft.plan.starts) {
        draft.settle_one(&start.origin, Outcome::Coalesced, Reason::ConcurrencyReplace, newest.slot());
    }
    let (over, mut active): (Vec<_>, Vec<_>) =
        std::mem::take(&mut draft.plan.memory.active).into_iter().partition(|run| draft.is_over(run));
    for run in active.iter_mut().filter(|run| run.state != RunState::Stopping) {
        run.state = RunState::Stopping;
        run.stop_reason = Some(format!("replaced by the {newest}"));
    }
    draft.plan.memory.active = over.into_iter().chain(active).collect();
    draft.plan.memory.active.sort_by_key(ActiveRun::asked_for);
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
