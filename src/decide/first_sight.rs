//! First sight: the mark is stored before any Job is created, so that nothing from before the
//! object was seen ever starts.

use super::plan::{Milestone, Reason, Settled};
use super::{Draft, slot_of};
use crate::api::status::{Epoch, Outcome};
use crate::time::Slot;

/// Sets the mark and the epoch.
///
/// The mark is the creation, so that slots between creation and now are caught up on. If the
/// object is older than its status can be (it was edited, or has Jobs), the status was lost: what
/// happened since creation is unknown, and the mark is now.
pub(super) fn decide(draft: &mut Draft<'_>) {
    let schedule = &draft.snapshot.schedule;
    let lost = schedule.generation > 1 || !draft.snapshot.jobs.is_empty();
    let mark = if lost { Slot::floor(draft.now()) } else { schedule.creation };
    let mark = draft.snapshot.floor.map_or(mark, |floor| mark.max(floor));
    draft.plan.memory.mark = Some(mark);
    draft.plan.memory.epoch = Some(Epoch { hash: draft.snapshot.trigger_hash.clone(), since: super::time_of(mark) });
    draft.milestone(Milestone::FirstSeen);
    if lost {
        draft.milestone(Milestone::StatusLost);
    } else {
        settle_instants_before(draft, mark, Outcome::BeforeCreation, Reason::BeforeCreation);
    }
    draft.plan.wake = Some(draft.now());
}

/// The instants of `trigger.at` or `trigger.atLocal` up to the mark, which never start, but for those of which status
/// tells already: each row of neighbours as one outcome.
pub(super) fn settle_instants_before(draft: &mut Draft<'_>, mark: Slot, outcome: Outcome, reason: Reason) {
    let Ok(accepted) = &draft.snapshot.spec else { return };
    let trigger = &accepted.spec.trigger;
    let Some(at) = trigger.at.as_ref().or(trigger.at_local.as_ref()) else { return };
    let instants = accepted.trigger.between(Slot::from_unix_seconds(i64::MIN), mark, at.len());
    let rows: Vec<Vec<Slot>> =
        instants.chunk_by(|a, b| is_told(draft, *a) == is_told(draft, *b)).map(<[Slot]>::to_vec).collect();
    for row in rows {
        if let (Some(first), Some(last)) = (row.first().copied(), row.last().copied())
            && !is_told(draft, first)
        {
            draft.settle(Settled {
                first,
                last,
                count: Some(row.len() as u64),
                outcome: outcome.clone(),
                reason,
                into: None,
            });
        }
    }
}

/// Whether status, or this very plan, says already what became of a slot.
fn is_told(draft: &Draft<'_>, slot: Slot) -> bool {
    let recorded = draft.snapshot.status.iter().flat_map(|it| &it.outcomes);
    let mut recorded =
        recorded.map(|it| (slot_of(&it.slot_time), slot_of(it.last_slot_time.as_ref().unwrap_or(&it.slot_time))));
    let mut planned = draft.plan.settled.iter().map(|it| (it.first, it.last));
    let adopted = draft.plan.adopted.iter().any(|it| it.origin.slot() == Some(slot));
    let holds = |(first, last): (Slot, Slot)| first <= slot && slot <= last;
    adopted || recorded.any(holds) || planned.any(holds)
}
