//! `maxRuns`: how many slots may still be chosen to start. Once there are none left the Schedule
//! has no slots any more, until the limit is raised.

use std::collections::BTreeSet;

use super::plan::Reason;
use super::{Draft, time_of};
use crate::api::spec::ScheduleSpec;
use crate::api::status::{Origin, Outcome, Pending};
use crate::time::Slot;

/// A limit that was raised brings the Schedule back: its slots begin now, nothing is made up for.
pub(super) fn follow(draft: &mut Draft<'_>, spec: &ScheduleSpec) {
    if draft.plan.memory.max_runs_reached.is_some() && left(draft, spec) > 0 {
        draft.plan.memory.max_runs_reached = None;
        draft.plan.memory.mark = Some(draft.mark().max(Slot::floor(draft.now())));
    }
}

/// Whether a slot may be chosen to start; if not, that is its outcome.
pub(super) fn admits(draft: &mut Draft<'_>, origin: &Origin) -> bool {
    let is_left = draft.snapshot.readable_spec().is_none_or(|spec| left(draft, spec) > 0);
    if !is_left {
        draft.settle_one(origin, Outcome::Superseded, Reason::MaxRunsReached, None);
    }
    is_left
}

/// Once as many were chosen as may be: what waits beyond that, the newest first, does not start, and
/// from now on there are no slots.
pub(super) fn close(draft: &mut Draft<'_>, spec: &ScheduleSpec) {
    let Some(limit) = spec.max_runs else { return };
    for _ in i64::from(limit)..planned(draft) {
        let mut waiting = draft.plan.memory.pending.iter().rev();
        let Some(newest) = waiting.find(|it| it.origin.slot().is_some()).cloned() else { break };
        draft.give_up(&newest);
        draft.settle_one(&newest.origin, Outcome::Superseded, Reason::MaxRunsReached, None);
    }
    if left(draft, spec) == 0 && draft.plan.memory.max_runs_reached.is_none() {
        draft.plan.memory.max_runs_reached = Some(time_of(Slot::floor(draft.now())));
    }
}

/// How many slots may still be chosen to start.
pub(super) fn left(draft: &Draft<'_>, spec: &ScheduleSpec) -> u64 {
    spec.runs_left(planned(draft))
}

/// How many slots were ever chosen to start, those of this plan so far included. A slot counts once,
/// when it is taken to be started or to wait; one that gave its place to another, or no
/// longer counts as a slot, does not.
pub(super) fn planned(draft: &Draft<'_>) -> i64 {
    let Some(status) = &draft.snapshot.status else { return 0 };
    let plan = &draft.plan;
    let slots = |pending: &[Pending]| pending.iter().filter_map(|it| it.origin.slot()).collect::<BTreeSet<_>>();
    let waited = slots(&status.pending);
    let active = status.active.iter().filter_map(|it| it.origin.slot());
    let known: BTreeSet<Slot> = waited.iter().copied().chain(active).collect();
    let mut chosen = slots(&plan.memory.pending);
    chosen.extend(plan.starts.iter().filter_map(|it| it.origin.slot()));
    chosen.extend(plan.adopted.iter().filter_map(|it| it.origin.slot()));
    let new = chosen.difference(&known).count();
    let gone = plan.settled.iter().filter(|it| gave_its_place(&it.outcome) && waited.contains(&it.first)).count();
    let to_i64 = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    status.planned_runs.saturating_add(to_i64(new)).saturating_sub(to_i64(gone))
}

fn gave_its_place(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Coalesced | Outcome::QueueFull | Outcome::Superseded)
}
