//! Status is small, its lists are bounded and in order, and it agrees with itself.

use std::collections::BTreeSet;

use punctual::api::ScheduleStatus;

use super::scene::{Meaning, Scene, SpecVersion, StatusWrite, slot_of};
use super::{Check, Promise, Verdict, Violation};
use crate::history::Change;

/// It needs no memory.
pub struct StatusShape;

/// What the serialized status has at most.
const MAX_BYTES: usize = 64 * 1024;

impl Check for StatusShape {
    fn change(&mut self, scene: &Scene, change: &Change, meaning: &Meaning) -> Verdict {
        let Meaning::Status(write) = meaning else { return Ok(()) };
        if !write.is_ours {
            return Ok(());
        }
        let bytes = change.after.as_ref().map_or(0, |it| it["status"].to_string().len());
        let mut faults = Vec::new();
        let mut expect = |holds: bool, otherwise: &str| {
            if !holds {
                faults.push(otherwise.to_owned());
            }
        };
        expect(bytes <= MAX_BYTES, &format!("it has {bytes} bytes"));
        lists(&write.after, &write.spec, &mut expect);
        order(&write.after, &mut expect);
        totals(write, &mut expect);
        if faults.is_empty() {
            return Ok(());
        }
        let title = scene.schedules[&write.schedule_uid].title();
        Err(Violation::new(Promise::StatusShape, faults.join("; ")).of(title).shown_by(change))
    }
}

fn lists(status: &ScheduleStatus, spec: &SpecVersion, expect: &mut dyn FnMut(bool, &str)) {
    expect(status.active.len() <= 100, "more than 100 runs are active");
    expect(status.pending.len() <= 100, "more than 100 slots wait");
    expect(status.outcomes.len() <= 20, "more than 20 outcomes");
    expect(status.next_slots.len() <= 5, "more than five next slots");
    expect(status.pauses.len() <= 4, "more than four pauses");
    let types: BTreeSet<&str> = status.conditions.iter().map(|it| it.type_.as_str()).collect();
    expect(types.len() == status.conditions.len(), "a condition is there twice");
    let Some(spec) = &spec.spec else { return };
    for is_success in [true, false] {
        let results = status.results.iter().filter(|it| it.outcome.is_success() == is_success).count();
        expect(results <= spec.result_limit(is_success), "more results than their limit");
    }
    let messages = status.results.iter().filter_map(|it| it.message.as_ref());
    expect(messages.into_iter().all(|it| it.len() <= 1024), "a result has a message of more than 1 KiB");
}

fn order(status: &ScheduleStatus, expect: &mut dyn FnMut(bool, &str)) {
    expect(
        status.next_slots.is_sorted() && status.next_slots.first() == status.next_slot_time.as_ref(),
        "the next slots are not in order",
    );
    expect(status.outcomes.is_sorted_by_key(|it| it.slot_time.0), "the outcomes are not in order");
    expect(status.results.is_sorted_by_key(|it| it.slot_time.0), "the results are not in order");
    let mark = status.decided_through.as_ref().map(slot_of);
    let below = |it: &punctual::api::status::Pending| it.origin.slot().is_none_or(|slot| Some(slot) <= mark);
    expect(status.pending.iter().all(below), "a slot above the mark waits");
}

fn totals(write: &StatusWrite, expect: &mut dyn FnMut(bool, &str)) {
    let (before, after) = (&write.before, &write.after);
    let counted = |list: usize, total: i32| i32::try_from(list).is_ok_and(|it| it == total);
    expect(counted(after.active.len(), after.active_runs), "activeRuns is not how many runs are active");
    expect(counted(after.pending.len(), after.queued_runs), "queuedRuns is not how many wait");
    let ready = after.conditions.iter().find(|it| it.type_ == "Ready");
    expect(ready.is_none_or(|it| Some(&it.reason) == after.state.as_ref()), "state is not the reason of Ready");
    expect(
        after.observed_generation.is_none_or(|it| it <= write.spec.generation),
        "a generation is observed that is not there yet",
    );
    expect(before.last_schedule_time <= after.last_schedule_time, "lastScheduleTime went back");
    expect(before.last_successful_time <= after.last_successful_time, "lastSuccessfulTime went back");
    expect(after.consecutive_failures >= 0 && after.planned_runs >= 0, "a count is negative");
    let grew = |it: &ScheduleStatus| it.counts.runs.values().sum::<i64>();
    expect(
        grew(before) <= grew(after) && before.counts.results_dropped <= after.counts.results_dropped,
        "a total went back",
    );
}

mod tests {
    use serde_json::{Value, json};

    use super::super::tale::{Tale, at};
    use super::StatusShape;

    #[test]
    fn what_does_not_agree_with_itself_is_told_of() {
        let cases: [(Value, &str); 5] = [
            (json!({"activeRuns": 1}), "activeRuns"),
            (json!({"trigger": "x".repeat(65_536)}), "bytes"),
            (json!({"nextSlots": [at("10:05:00")]}), "next slots"),
            (
                json!({"queuedRuns": 1, "pending": [{"slotTime": at("11:00:00"), "why": "Queued", "since": at("10:00:00")}]}),
                "above the mark",
            ),
            (json!({"observedGeneration": 2}), "generation"),
        ];
        for (more, words) in cases {
            let mut tale = Tale::begin();
            tale.status("10:01:00", |it| it.as_object_mut().unwrap().extend(more.as_object().unwrap().clone()));
            tale.breaks(StatusShape, words);
        }
    }

    #[test]
    fn what_does_is_not() {
        let mut tale = Tale::begin();
        tale.status("10:01:00", |it| {
            it["nextSlots"] = json!([at("10:05:00"), at("10:06:00")]);
            it["nextSlotTime"] = at("10:05:00");
        });
        tale.judge(StatusShape).unwrap();
    }
}
