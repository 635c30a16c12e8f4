//! When to look at a Schedule again, whatever happens until then.

use jiff::Timestamp;

use super::planned::PlannedStarts;
use super::{Draft, later, pause, retry};
use crate::api::status::{RunResult, ScheduleStatus, Why};
use crate::time::{Search, Slot};

/// A run without a ready Pod for this long is shown as waiting; a start refused for this long as
/// blocked.
pub const WAITING_SECONDS: i64 = 60;
/// The longest wait between two tries of a start that is being refused.
const RETRY_AT_MOST_SECONDS: i64 = 60;
/// While a run has no ready Pod, its Pods are asked why this often.
const WAITING_AGAIN_SECONDS: i64 = 60;
/// A search for the next slot that ended without an answer is not repeated before this.
const SEARCH_AGAIN_SECONDS: i64 = 60;

/// Brings the wake-up forward.
pub(super) fn at(draft: &mut Draft<'_>, at: Timestamp) {
    let at = at.max(draft.now());
    draft.plan.wake = Some(draft.plan.wake.map_or(at, |before| before.min(at)));
}

/// Sets the wake-up to the earliest of everything that happens by the mere passing of time.
pub(super) fn set(draft: &mut Draft<'_>) {
    let mut instants = Vec::new();
    if let Ok(accepted) = &draft.snapshot.spec
        && draft.plan.memory.pauses.is_empty()
    {
        let planned = PlannedStarts::new(accepted, &draft.snapshot.schedule);
        let next = if draft.plan.memory.max_runs_reached.is_some() {
            Search::Never
        } else {
            accepted.trigger.next(draft.mark().max(planned.slots_through(Slot::floor(draft.now()))))
        };
        match next {
            Search::Slot(next) => instants.push(planned.of(next).timestamp()),
            // The search goes on from there, at the latest when that instant has come.
            Search::NoneUpTo(up_to) => {
                instants.push(up_to.timestamp().max(later(draft.now(), SEARCH_AGAIN_SECONDS)));
            }
            Search::Never => {}
        }
        instants.extend(while_waiting(draft, &planned, accepted.spec.starting_deadline.map(|it| it.seconds_i64())));
    }
    instants.extend(pause::wake(draft));
    instants.extend(retry::wakes(draft));
    instants.retain(|at| *at > draft.now());
    instants.extend(unready_again(draft));
    if let Some(status) = &draft.snapshot.status {
        let due = expiry_at(status);
        draft.plan.expire = due.is_some_and(|at| at <= draft.now());
        instants.extend(due);
    }
    for instant in instants {
        at(draft, instant);
    }
}

/// What comes for slots that wait: the end of their deadline, and the next try of those that are
/// being refused. A start of this plan that was refused before may be refused again, and then
/// nothing changes that would bring about another look.
fn while_waiting(draft: &Draft<'_>, planned: &PlannedStarts<'_>, deadline_seconds: Option<i64>) -> Vec<Timestamp> {
    let waiting = draft.plan.memory.pending.iter();
    let waiting = waiting.map(|it| {
        (
            planned.of_origin(&it.origin, it.since.0),
            (it.why == Why::Retrying).then_some(it.since.0),
            draft.snapshot.last_refusal,
        )
    });
    let tried = draft.plan.starts.iter().filter(|it| it.refused_since.is_some());
    let tried = tried.map(|it| (planned.of_origin(&it.origin, draft.now()), it.refused_since, Some(draft.now())));
    let mut instants = Vec::new();
    for (planned, refused_since, last_refusal) in waiting.chain(tried) {
        instants.extend(deadline_seconds.map(|it| later(planned, it.saturating_add(1))));
        if let Some(since) = refused_since {
            instants.push(retry_at(planned, since, last_refusal).unwrap_or_else(|| draft.now()));
            instants.push(later(since, WAITING_SECONDS));
        }
    }
    instants
}

/// When a refused start is tried again: after as long as it has been refused, between 1 s and
/// a minute after the last refusal. `None`: at once, because no refusal is known.
#[must_use]
pub fn retry_at(planned: Timestamp, since: Timestamp, last_refusal: Option<Timestamp>) -> Option<Timestamp> {
    let refused = last_refusal?;
    // One that took the place of another carries on its time, but has been refused only since it came.
    let waited = refused.duration_since(since.max(planned)).as_secs();
    Some(later(refused, waited.clamp(1, RETRY_AT_MOST_SECONDS)))
}

/// Runs without a ready Pod are looked at when they have been so for a minute, and again.
fn unready_again(draft: &Draft<'_>) -> Vec<Timestamp> {
    let active = &draft.plan.memory.active;
    let unready = draft.snapshot.jobs.iter().filter(|job| job.has_no_pod_to_show());
    unready
        .filter(|job| active.iter().any(|run| run.job_uid == job.uid))
        .map(|job| {
            let first = later(job.created, WAITING_SECONDS);
            if first > draft.now() { first } else { later(draft.now(), WAITING_AGAIN_SECONDS) }
        })
        .collect()
}

/// When the first expired result has to have left status. A tenth of its life is allowed, so
/// that results which expire together leave with one write.
fn expiry_at(status: &ScheduleStatus) -> Option<Timestamp> {
    let gone_by = |result: &RunResult| {
        let life = result.expiration_time.0.duration_since(result.completion_time.0).as_secs();
        later(result.expiration_time.0, (life / 10).clamp(1, 600))
    };
    status.results.iter().map(gone_by).min()
}
