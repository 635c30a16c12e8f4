//! Epochs: a change below `spec.trigger` starts a new count of time, and nothing from before the
//! change was seen ever starts because of it.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::plan::{Milestone, Reason, Settled};
use super::{Draft, first_sight, slot_of};
use crate::api::status::{Epoch, Outcome};
use crate::time::Slot;

/// The form of the hash below. Another form in status is computed anew and opens no epoch.
const VERSION: &str = "v1:";

/// The hash of a trigger as it is stored: equal for equal JSON, whatever the order of its keys.
#[must_use]
pub fn trigger_hash(trigger: &Value) -> String {
    let mut sorted = trigger.clone();
    sorted.sort_all_objects();
    let digest = Sha256::digest(sorted.to_string());
    digest.iter().take(16).fold(VERSION.to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// Whether the trigger is the one the mark belongs to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    Unchanged,
    /// A new epoch has to be recorded before anything else is decided.
    Changed,
}

/// Opens an epoch when the trigger was changed.
pub(super) fn follow(draft: &mut Draft<'_>) -> Trigger {
    let hash = &draft.snapshot.trigger_hash;
    let Some(epoch) = draft.plan.memory.epoch.clone() else {
        open(draft, hash);
        return Trigger::Changed;
    };
    if epoch.hash == *hash {
        return Trigger::Unchanged;
    }
    if !epoch.hash.starts_with(VERSION) {
        draft.plan.memory.epoch = Some(Epoch { hash: hash.clone(), ..epoch });
        return Trigger::Unchanged;
    }
    supersede(draft);
    open(draft, hash);
    draft.milestone(Milestone::TriggerChanged);
    Trigger::Changed
}

fn open(draft: &mut Draft<'_>, hash: &str) {
    let since = draft.mark().max(Slot::floor(draft.now()));
    draft.plan.memory.mark = Some(since);
    draft.plan.memory.epoch = Some(Epoch { hash: hash.to_owned(), since: super::time_of(since) });
    draft.plan.wake = Some(draft.now());
}

/// Ends what the old trigger left: what waits, what it asked for since the mark (how much, nobody
/// can tell any more), and the instants of a new `at` that are past already.
fn supersede(draft: &mut Draft<'_>) {
    let superseded = |first: Slot, last: Slot, count| Settled {
        first,
        last,
        count,
        outcome: Outcome::Superseded,
        reason: Reason::TriggerChanged,
        into: None,
    };
    for pending in draft.plan.memory.pending.clone() {
        let Some(slot) = pending.origin.slot() else { continue };
        draft.give_up(&pending);
        draft.settle(superseded(slot, slot, Some(1)));
    }
    let (mark, now) = (draft.mark(), Slot::floor(draft.now()));
    if mark < now && old_trigger_may_have_asked(draft, now) {
        draft.settle(superseded(mark.plus_seconds(1), now, None));
    }
    first_sight::settle_instants_before(draft, now.max(mark), Outcome::Superseded, Reason::TriggerChanged);
}

/// Not when its next slot was known to be still to come, or it had none left. Slots before
/// `catchUp.since` are not announced.
fn old_trigger_may_have_asked(draft: &Draft<'_>, now: Slot) -> bool {
    if draft.plan.memory.max_runs_reached.is_some() {
        return false;
    }
    let Some(status) = &draft.snapshot.status else { return true };
    if !status.pauses.is_empty() {
        // What is shown as next comes after the pause.
        return true;
    }
    let since = draft.snapshot.spec.as_ref().ok().and_then(|it| it.since);
    match &status.next_slot_time {
        Some(next) => slot_of(next) <= now || since.is_some_and(|since| since > draft.mark().plus_seconds(1)),
        None => !status.conditions.iter().any(|it| it.type_ == "Complete" && it.status == "True"),
    }
}

#[cfg(test)]
mod tests {
    use super::trigger_hash;
    use serde_json::json;

    #[test]
    fn the_order_of_keys_does_not_matter_and_every_value_does() {
        let hash = trigger_hash(&json!({"cron": "0 0 * * *", "timeZone": "UTC"}));
        assert_eq!(hash, trigger_hash(&json!({"timeZone": "UTC", "cron": "0 0 * * *"})));
        assert_ne!(hash, trigger_hash(&json!({"cron": "0 1 * * *", "timeZone": "UTC"})));
        assert_ne!(hash, trigger_hash(&json!({"cron": "0 0 * * *"})));
    }
}
