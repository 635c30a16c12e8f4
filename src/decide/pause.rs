//! Pauses: while there is one nothing new is decided, and the mark stays, so that what was missed
//! is known on resume.
//!
//! A pause is what status says is one. The spec asks for one, which may end by itself at
//! `pauseUntil` although the spec goes on asking; failed runs bring about another.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::plan::Milestone;
use super::snapshot::Accepted;
use super::{Draft, slot_of, time_of};
use crate::api::status::Pause;
use crate::time::Slot;

/// The source of a pause that a user set in the spec.
pub const SOURCE_SPEC: &str = "Spec";
/// The source of a pause that failed runs brought about.
pub const SOURCE_FAILURES: &str = "Failures";

/// Where a Schedule stands with regard to pausing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is not paused, and was not when it was last decided on.
    Running,
    /// It is paused.
    Paused,
    /// It was paused from one second on until another, and is not any more.
    Resumed { since: Slot, until: Slot },
}

/// Notes the begin and the end of pauses.
pub(super) fn follow(draft: &mut Draft<'_>, accepted: &Accepted) -> Standing {
    let since = draft.plan.memory.pauses.iter().map(|it| slot_of(&it.since)).min();
    let spec_ends = follow_spec(draft, accepted);
    let failures_end = follow_failures(draft);
    let Some(since) = since.filter(|_| draft.plan.memory.pauses.is_empty()) else {
        return if draft.plan.memory.pauses.is_empty() { Standing::Running } else { Standing::Paused };
    };
    draft.milestone(Milestone::Resumed);
    let until = [spec_ends, failures_end].into_iter().flatten().max();
    Standing::Resumed { since, until: until.unwrap_or_else(|| after(draft.now())) }
}

/// A ScheduleRun succeeded: what failed works again. Its pause ends when pauses are followed next,
/// which a trigger that cannot be worked on may put off.
pub(super) fn lift_failures(draft: &mut Draft<'_>) {
    draft.plan.memory.consecutive_failures = 0;
    for pause in draft.plan.memory.pauses.iter_mut().filter(|it| it.source == SOURCE_FAILURES) {
        pause.generation = None;
    }
}

/// A change of the spec ends the pause that failed runs brought about. Answers when it ended.
fn follow_failures(draft: &mut Draft<'_>) -> Option<Slot> {
    let pause = find(draft, SOURCE_FAILURES)?;
    if pause.generation == Some(draft.snapshot.schedule.generation) {
        return None;
    }
    draft.plan.memory.consecutive_failures = 0;
    end(draft, &pause);
    Some(after(draft.now()))
}

/// Follows the pause that the spec asks for. Answers when it ended.
fn follow_spec(draft: &mut Draft<'_>, accepted: &Accepted) -> Option<Slot> {
    let known = find(draft, SOURCE_SPEC);
    let asked_until = accepted.pause_until;
    if !accepted.spec.asks_for_pause() {
        draft.plan.memory.pause_ended = None;
        let known = known?;
        end(draft, &known);
        return Some(after(draft.now()));
    }
    let reached = draft.plan.memory.pause_ended.as_ref().map(slot_of);
    if known.is_none() && reached.is_some() && reached == asked_until {
        return None;
    }
    draft.plan.memory.pause_ended = None;
    if let Some(pause) = &known
        && let Some(until) = pause.until.as_ref().map(slot_of)
        && Some(until) == asked_until
        && until.timestamp() <= draft.now()
    {
        draft.plan.memory.pause_ended = Some(time_of(until));
        end(draft, pause);
        return Some(until);
    }
    hold(draft, accepted, known);
    None
}

/// The pause goes on, or begins. An end that was past already when it was first seen is none.
fn hold(draft: &mut Draft<'_>, accepted: &Accepted, known: Option<Pause>) {
    let is_new = known.is_none();
    let to_come = |until: &Slot| until.timestamp() > draft.now();
    let pause = Pause {
        source: SOURCE_SPEC.into(),
        since: known.map_or_else(|| Time(Slot::floor(draft.now()).timestamp()), |it| it.since),
        reason: accepted.spec.pause_reason.clone(),
        until: accepted.pause_until.filter(to_come).map(time_of),
        generation: None,
    };
    draft.plan.memory.pauses.retain(|it| it.source != SOURCE_SPEC);
    draft.plan.memory.pauses.insert(0, pause.clone());
    if is_new {
        draft.milestone(Milestone::Paused(pause));
    }
}

fn find(draft: &Draft<'_>, source: &str) -> Option<Pause> {
    draft.plan.memory.pauses.iter().find(|it| it.source == source).cloned()
}

/// Ends one pause. One that outlasts it has then been there since the earlier of both: for what was
/// missed they are one.
fn end(draft: &mut Draft<'_>, pause: &Pause) {
    draft.plan.memory.pauses.retain(|it| it != pause);
    for other in &mut draft.plan.memory.pauses {
        other.since = other.since.clone().min(pause.since.clone());
    }
}

/// A pause whose end is only seen by its being gone covers the present second.
fn after(now: Timestamp) -> Slot {
    Slot::floor(now).plus_seconds(1)
}

/// When the first pause ends that ends by itself.
pub(super) fn wake(draft: &Draft<'_>) -> Option<Timestamp> {
    draft.plan.memory.pauses.iter().filter_map(|it| it.until.as_ref()).map(|it| it.0).min()
}
