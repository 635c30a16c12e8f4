//! The list of slot outcomes: one entry a slot, equal neighbours folded into a range.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::status::{LastSlot, Outcome, ScheduleStatus, SlotOutcome};
use crate::time::Slot;

/// Entries kept at most.
const KEPT: usize = 20;

/// How a slot, or a range of slots, ended.
pub(super) struct Entry {
    pub first: Slot,
    pub last: Slot,
    pub count: Option<u64>,
    pub outcome: Outcome,
    pub reason: Option<String>,
    pub job_name: Option<String>,
    pub into: Option<Slot>,
}

/// Adds an entry, counts it, and shows it as the last slot if there is no newer one.
pub(super) fn add(status: &mut ScheduleStatus, entry: Entry) {
    let time = |slot: Slot| Time(slot.timestamp());
    let count = entry.count.map(|it| i64::try_from(it).unwrap_or(i64::MAX));
    let total = status.counts.slots.entry(entry.outcome.to_string()).or_default();
    *total = total.saturating_add(count.unwrap_or(1));
    if status.last_slot.as_ref().is_none_or(|it| Slot::floor(it.slot_time.0) <= entry.last) {
        status.last_slot = Some(LastSlot {
            slot_time: time(entry.last),
            outcome: entry.outcome.clone(),
            reason: entry.reason.clone(),
            job_name: entry.job_name.clone(),
        });
    }
    let is_range = entry.first != entry.last;
    status.outcomes.push(SlotOutcome {
        slot_time: time(entry.first),
        last_slot_time: is_range.then(|| time(entry.last)),
        count: count.filter(|_| is_range),
        outcome: entry.outcome,
        reason: entry.reason,
        job_name: entry.job_name,
        into: entry.into.map(time),
    });
}

/// Shows a started slot as its run's outcome.
pub(super) fn end_run(status: &mut ScheduleStatus, slot: Slot, outcome: &Outcome, reason: Option<&str>) {
    let is_it = |time: &Time| Slot::floor(time.0) == slot;
    if let Some(entry) = status.outcomes.iter_mut().find(|it| it.outcome == Outcome::Started && is_it(&it.slot_time)) {
        entry.outcome = outcome.clone();
        entry.reason = reason.map(str::to_owned);
    }
    if let Some(last) = status.last_slot.as_mut().filter(|it| it.outcome == Outcome::Started && is_it(&it.slot_time)) {
        last.outcome = outcome.clone();
        last.reason = reason.map(str::to_owned);
    }
}

/// Removes the entry of a single slot, which turned out otherwise. A slot within a range stays
/// counted there: the range is a summary.
pub(super) fn forget(status: &mut ScheduleStatus, slot: Slot) {
    let found =
        status.outcomes.iter().position(|it| it.last_slot_time.is_none() && Slot::floor(it.slot_time.0) == slot);
    if let Some(entry) = found.map(|index| status.outcomes.remove(index)) {
        let count = status.counts.slots.entry(entry.outcome.to_string()).or_default();
        *count = count.saturating_sub(1).max(0);
    }
}

/// Puts the list in order, folds equal neighbours, and drops the oldest entries beyond the limit.
/// Slots with one between them that still waits are no neighbours.
pub(super) fn fold(status: &mut ScheduleStatus) {
    let mut entries = std::mem::take(&mut status.outcomes);
    entries.sort_by(|a, b| a.slot_time.cmp(&b.slot_time));
    let waiting: Vec<_> = status.pending.iter().filter_map(|it| it.origin.slot()).collect();
    let are_neighbours = |a: &SlotOutcome, b: &SlotOutcome| {
        let last = Slot::floor(a.last_slot_time.as_ref().unwrap_or(&a.slot_time).0);
        !waiting.iter().any(|slot| last < *slot && *slot < Slot::floor(b.slot_time.0))
    };
    for entry in entries {
        match status.outcomes.last_mut() {
            Some(before) if is_equal(before, &entry) && are_neighbours(before, &entry) => extend(before, entry),
            _ => status.outcomes.push(entry),
        }
    }
    let surplus = status.outcomes.len().saturating_sub(KEPT);
    status.outcomes.drain(..surplus);
    let dropped = i64::try_from(surplus).unwrap_or(i64::MAX);
    status.counts.outcomes_dropped = status.counts.outcomes_dropped.saturating_add(dropped);
}

/// A slot whose run is active, and a range of which nobody can tell how many slots it has, stand alone.
fn is_equal(a: &SlotOutcome, b: &SlotOutcome) -> bool {
    let is_counted = |it: &SlotOutcome| it.last_slot_time.is_none() || it.count.is_some();
    a.outcome == b.outcome
        && a.reason == b.reason
        && a.into == b.into
        && a.outcome != Outcome::Started
        && is_counted(a)
        && is_counted(b)
}

fn extend(range: &mut SlotOutcome, entry: SlotOutcome) {
    range.count = Some(range.count.unwrap_or(1).saturating_add(entry.count.unwrap_or(1)));
    let last = entry.last_slot_time.unwrap_or(entry.slot_time);
    range.last_slot_time = Some(range.last_slot_time.take().map_or(last.clone(), |before| before.max(last)));
    range.job_name = None;
}

#[cfg(test)]
mod tests {
    use super::{Entry, add, end_run, fold, forget};
    use crate::api::status::{Outcome, ScheduleStatus};
    use crate::time::Slot;

    fn entry(seconds: i64, outcome: Outcome) -> Entry {
        let slot = Slot::from_unix_seconds(seconds);
        Entry {
            first: slot,
            last: slot,
            count: Some(1),
            outcome,
            reason: None,
            job_name: Some(format!("job-{seconds}")),
            into: None,
        }
    }

    fn shown(status: &ScheduleStatus) -> Vec<(i64, i64, String)> {
        let row = |it: &crate::api::status::SlotOutcome| {
            (it.slot_time.0.as_second(), it.count.unwrap_or(1), it.outcome.to_string())
        };
        status.outcomes.iter().map(row).collect()
    }

    #[test]
    fn runs_that_end_alike_fold_into_a_range_and_one_that_is_active_stands_alone() {
        let mut status = ScheduleStatus::default();
        for seconds in [60, 120, 180] {
            add(&mut status, entry(seconds, Outcome::Started));
        }
        end_run(&mut status, Slot::from_unix_seconds(120), &Outcome::Succeeded, None);
        fold(&mut status);
        assert_eq!(
            shown(&status),
            [(60, 1, "Started".into()), (120, 1, "Succeeded".into()), (180, 1, "Started".into())]
        );
        end_run(&mut status, Slot::from_unix_seconds(60), &Outcome::Succeeded, None);
        fold(&mut status);
        assert_eq!(shown(&status), [(60, 2, "Succeeded".into()), (180, 1, "Started".into())]);
        assert_eq!(status.counts.slots["Started"], 3);
    }

    #[test]
    fn the_oldest_entries_leave_and_are_counted() {
        let mut status = ScheduleStatus::default();
        for seconds in 0..25 {
            add(
                &mut status,
                entry(seconds, if seconds % 2 == 0 { Outcome::SkippedLate } else { Outcome::SkippedPaused }),
            );
        }
        fold(&mut status);
        assert_eq!(status.outcomes.len(), 20);
        assert_eq!(status.counts.outcomes_dropped, 5);
        assert_eq!(status.last_slot.as_ref().map(|it| it.slot_time.0.as_second()), Some(24));
    }

    #[test]
    fn a_slot_that_turned_out_otherwise_is_counted_once() {
        let mut status = ScheduleStatus::default();
        add(&mut status, entry(60, Outcome::Coalesced));
        forget(&mut status, Slot::from_unix_seconds(60));
        add(&mut status, entry(60, Outcome::Started));
        assert_eq!(shown(&status), [(60, 1, "Started".into())]);
        assert_eq!(status.counts.slots["Coalesced"], 0);
    }
}
