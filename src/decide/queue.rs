//! The queue: a slot that finds no place waits for one, behind all that wait already.

use super::plan::Reason;
use super::{Draft, overlap};
use crate::api::spec::{PENDING_CAP, QueueFull, ScheduleSpec};
use crate::api::status::{Origin, Outcome, Pending, Why};

/// A slot waits, unless the queue is full: then it, or the one that waited longest, is given up.
pub(super) fn join(draft: &mut Draft<'_>, spec: &ScheduleSpec, origin: &Origin) {
    if admits(draft, spec, origin, has_place_in_queue) {
        draft.wait(origin, Why::Queued);
    }
}

/// Whether one more may wait at all, for whatever reason. If not, one is given up as in a full queue.
pub(super) fn has_space(draft: &mut Draft<'_>, spec: &ScheduleSpec, origin: &Origin) -> bool {
    admits(draft, spec, origin, |draft, _| is_below_cap(draft))
}

/// Makes room for one more, or gives it up.
fn admits(
    draft: &mut Draft<'_>,
    spec: &ScheduleSpec,
    origin: &Origin,
    has_room: impl Fn(&Draft<'_>, &ScheduleSpec) -> bool,
) -> bool {
    // What follows rests on the runs that seem to be active.
    if !has_room(draft, spec) && !overlap::look_at_active(draft) {
        return false;
    }
    while !has_room(draft, spec) {
        match longest_waiting(draft).filter(|_| spec.queue_full() == QueueFull::DropOldest) {
            Some(oldest) => {
                draft.take_off(&oldest);
                draft.settle_one(&oldest.origin, Outcome::QueueFull, Reason::QueueDropOldest, None);
            }
            None => {
                draft.settle_one(origin, Outcome::QueueFull, Reason::QueueDropNewest, None);
                return false;
            }
        }
    }
    true
}

/// Those at the head that start in this very decision leave their places to others.
fn has_place_in_queue(draft: &Draft<'_>, spec: &ScheduleSpec) -> bool {
    let queued = draft.plan.memory.pending.len() - in_the_line(draft);
    let starting = overlap::places(draft, spec).saturating_sub(in_the_line(draft));
    queued.saturating_sub(starting) < spec.queue_limit() && is_below_cap(draft)
}

/// How many wait otherwise than in the queue, which is a line of its own beside that of `All`.
pub(super) fn in_the_line(draft: &Draft<'_>) -> usize {
    draft.plan.memory.pending.iter().filter(|it| it.why != Why::Queued).count()
}

/// A start that is refused comes back to those that wait: it counts as one of them.
pub(super) fn is_below_cap(draft: &Draft<'_>) -> bool {
    draft.plan.memory.pending.len() + draft.plan.starts.len() < PENDING_CAP
}

fn longest_waiting(draft: &Draft<'_>) -> Option<Pending> {
    let mut queued = draft.plan.memory.pending.iter().filter(|it| it.why == Why::Queued);
    queued.find(|it| it.origin.slot().is_some()).cloned()
}
