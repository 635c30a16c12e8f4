//! Overlap: a slot is due while as many runs are active as may be at once.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::plan::Reason;
use super::{Draft, max_runs, queue, refused, replace};
use crate::api::spec::{ACTIVE_CAP, CatchUpPolicy, ConcurrencyPolicy, ScheduleSpec};
use crate::api::status::{Origin, Outcome, Pending, Why};

/// A slot that is on time starts, waits, or is skipped.
pub(super) fn meet(draft: &mut Draft<'_>, spec: &ScheduleSpec, origin: &Origin) {
    if !max_runs::admits(draft, origin) {
        return;
    }
    if joins_the_line(draft, spec) {
        if queue::in_the_line(draft) < spec.catch_up_limit() {
            stand_in_line(draft, origin);
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

/// A late slot was chosen to start: it waits until that is recorded. Answers whether it does.
pub(super) fn line_up(draft: &mut Draft<'_>, spec: &ScheduleSpec, origin: &Origin, chosen_by: CatchUpPolicy) -> bool {
    let may = max_runs::admits(draft, origin) && queue::has_space(draft, spec, origin);
    match chosen_by {
        _ if !may => {}
        CatchUpPolicy::All => stand_in_line(draft, origin),
        _ => draft.wait(origin, Why::CatchUp),
    }
    may
}

/// A slot takes its place in the line of those that `All` chose.
fn stand_in_line(draft: &mut Draft<'_>, origin: &Origin) {
    let (since, reason) = (Time(draft.now()), Some(Reason::CatchUpAll.to_string()));
    draft.put_in_line(Pending { origin: origin.clone(), why: Why::CatchUp, since, reason, message: None });
}

/// Whether a slot waits in the line of `All`, in which nobody is skipped, and nobody replaces
/// anything or goes first. What was asked for by hand does not stand in it.
pub(super) fn is_in_line(spec: &ScheduleSpec, pending: &Pending) -> bool {
    let was_chosen_by_all = match pending.why {
        Why::CatchUp => pending.reason.as_deref() == Some(Reason::CatchUpAll.to_string().as_str()),
        _ => spec.catch_up_policy() == CatchUpPolicy::All,
    };
    pending.origin.slot().is_some() && was_chosen_by_all && spec.concurrency_policy() != ConcurrencyPolicy::Allow
}

/// Under `All`, a slot that comes due while others wait their turn waits behind them. In a queue
/// it does so anyway.
fn joins_the_line(draft: &Draft<'_>, spec: &ScheduleSpec) -> bool {
    spec.concurrency_policy() != ConcurrencyPolicy::Queue
        && draft.plan.memory.pending.iter().any(|it| it.why == Why::CatchUp && is_in_line(spec, it))
}

/// Starts a slot if there is a place for it; otherwise the concurrency policy says what becomes of it.
pub(super) fn start_or_yield(
    draft: &mut Draft<'_>,
    spec: &ScheduleSpec,
    origin: &Origin,
    refused_since: Option<Timestamp>,
) {
    if spec.concurrency_policy() != ConcurrencyPolicy::Allow {
        refused::look_for_all(draft);
    }
    if has_place(draft, spec, origin) {
        // If it is refused it has to wait.
        if queue::has_space(draft, spec, origin) {
            draft.start(spec, origin, refused_since);
        }
        return;
    }
    if is_crowded(draft, spec) {
        draft.wait(origin, Why::Queued);
        return;
    }
    match spec.concurrency_policy() {
        ConcurrencyPolicy::Allow => skip_if_certain(draft, origin, Reason::ConcurrencyCap),
        ConcurrencyPolicy::Forbid => skip_if_certain(draft, origin, Reason::ConcurrencyForbid),
        ConcurrencyPolicy::Replace => replace::oldest(draft, spec, origin),
        ConcurrencyPolicy::Queue => queue::join(draft, spec, origin),
    }
}

/// How many more runs may be active now.
pub(super) fn places(draft: &Draft<'_>, spec: &ScheduleSpec) -> usize {
    spec.concurrency_limit().saturating_sub(draft.active_count()).min(room(draft))
}

/// How many more runs status can hold: those that are over stay there until their end is recorded.
fn room(draft: &Draft<'_>) -> usize {
    let starts = draft.plan.starts.iter().filter(|it| it.attempt == 1).count();
    ACTIVE_CAP.saturating_sub(draft.plan.memory.active.len() + starts)
}

/// Whether one that finds no place has one as soon as the ends of runs are recorded.
fn is_crowded(draft: &Draft<'_>, spec: &ScheduleSpec) -> bool {
    room(draft) == 0 && draft.active_count() < spec.concurrency_limit() && queue::is_below_cap(draft)
}

/// Whether a place is left for a slot. In a queue nobody overtakes; elsewhere those go first that wait
/// for nothing but a place.
fn has_place(draft: &Draft<'_>, spec: &ScheduleSpec, origin: &Origin) -> bool {
    let mut ahead = draft.ahead_of(origin);
    let places = places(draft, spec);
    match spec.concurrency_policy() {
        ConcurrencyPolicy::Queue => places > 0 && ahead.next().is_none(),
        _ => ahead.filter(|it| matches!(it.why, Why::Queued | Why::Replacing)).count() < places,
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
pub(super) fn look_at_active(draft: &mut Draft<'_>) -> bool {
    let active = draft.plan.memory.active.iter().filter(|run| !draft.is_over(run));
    let names: Vec<String> = active.map(|run| run.job_name.clone()).collect();
    for name in &names {
        draft.look_at(name);
    }
    names.iter().all(|name| draft.has_looked_at(name))
}
