//! Planned starts: a slot, plus the delay by which `spec.jitter` spreads starts.
//!
//! A delay is below the distance to the following slot, so planned starts have the order of their
//! slots, and of all slots up to an instant only the newest can have its planned start after it.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::snapshot::{Accepted, Identity, Snapshot};
use crate::api::status::Origin;
use crate::time::{Slot, Trigger};

/// When the slots of one Schedule are to start.
#[derive(Debug, Clone, Copy)]
pub struct PlannedStarts<'a> {
    trigger: &'a Trigger,
    uid: &'a str,
    jitter_seconds: i64,
}

impl<'a> PlannedStarts<'a> {
    pub(super) fn new(accepted: &'a Accepted, schedule: &'a Identity) -> Self {
        let jitter = accepted.spec.jitter.map_or(0, |it| it.seconds_i64());
        Self { trigger: &accepted.trigger, uid: &schedule.uid, jitter_seconds: jitter }
    }

    /// The planned start of a slot, the same whenever it is computed.
    #[must_use]
    pub fn of(&self, slot: Slot) -> Slot {
        if self.jitter_seconds == 0 {
            return slot;
        }
        let next = self.trigger.between(slot, slot.plus_seconds(self.jitter_seconds), 1).first().copied();
        let delays = next.map_or(self.jitter_seconds, |next| next.unix_seconds().saturating_sub(slot.unix_seconds()));
        slot.plus_seconds(delay_below(delays, self.uid, slot))
    }

    /// When a run was to start: at the planned start of its slot; without a slot, when it was first seen.
    pub(super) fn of_origin(&self, origin: &Origin, seen: Timestamp) -> Timestamp {
        origin.slot().map_or(seen, |slot| self.of(slot).timestamp())
    }

    /// Up to where slots have their planned start at or before an instant: up to that instant, or
    /// to the second before the newest slot, if that one is still to start.
    #[must_use]
    pub fn slots_through(&self, instant: Slot) -> Slot {
        if self.jitter_seconds == 0 {
            return instant;
        }
        let newest = self.trigger.latest(instant.plus_seconds(-self.jitter_seconds), instant, 1, |_| false);
        newest.first().filter(|slot| self.of(**slot) > instant).map_or(instant, |slot| slot.plus_seconds(-1))
    }
}

impl Snapshot {
    /// The planned starts, if the spec can be worked on.
    #[must_use]
    pub fn planned_starts(&self) -> Option<PlannedStarts<'_>> {
        self.spec.as_ref().ok().map(|accepted| PlannedStarts::new(accepted, &self.schedule))
    }
}

/// A number of seconds from zero to just below a bound, which only the Schedule and the slot decide.
fn delay_below(bound: i64, uid: &str, slot: Slot) -> i64 {
    let digest = Sha256::digest(format!("jitter/{uid}/{}", slot.unix_seconds()));
    let number = digest.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    let bound = u64::try_from(bound).unwrap_or(0).max(1);
    i64::try_from(number % bound).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::PlannedStarts;
    use crate::time::{Context, Slot, Trigger};

    const UID: &str = "8f2c0f8e-2a4b-4a53-9a3e-0d1c2b3a4f5e";
    /// 2026-06-01T00:00:00Z.
    const BEGIN: Slot = Slot::from_unix_seconds(1_780_272_000);

    fn trigger(spec: &serde_json::Value) -> Trigger {
        let context = Context { creation: BEGIN, namespace: "team", name: "nightly" };
        Trigger::parse(&serde_json::from_value(spec.clone()).expect("a trigger"), &context).expect("a trigger")
    }

    fn delays(spec: &serde_json::Value, jitter_seconds: i64, uid: &str, count: usize) -> Vec<(i64, Option<i64>)> {
        let trigger = trigger(spec);
        let planned = PlannedStarts { trigger: &trigger, uid, jitter_seconds };
        let slots = trigger.between(BEGIN, BEGIN.plus_seconds(400 * 86_400), count);
        let seconds = |from: Slot, to: Slot| to.unix_seconds() - from.unix_seconds();
        let delay =
            |slot: Slot| (seconds(slot, planned.of(slot)), trigger.next(slot).slot().map(|it| seconds(slot, it)));
        slots.into_iter().map(delay).collect()
    }

    #[test]
    fn a_delay_is_never_negative_and_below_both_jitter_and_the_distance_to_the_next_slot() {
        let uneven = json!({"anyOf": [{"cron": "0 * * * *"}, {"cron": "1 * * * *"}, {"cron": "1 1 * * * *"}]});
        for jitter in [1, 2, 59, 60, 61, 3600, 31_536_000] {
            for (delay, distance) in delays(&uneven, jitter, UID, 300) {
                let bound = distance.map_or(jitter, |it| it.min(jitter));
                assert!((0..bound).contains(&delay), "{delay} s of {bound} s");
            }
        }
    }

    #[test]
    fn the_last_slot_of_all_is_delayed_by_jitter_alone() {
        let once = json!({"at": ["2026-06-01T10:00:00Z"]});
        let found: Vec<i64> = (0..200).map(|uid| delays(&once, 600, &format!("{uid}"), 1)[0].0).collect();
        assert!(found.iter().all(|it| (0..600).contains(it)), "{found:?}");
        assert!(found.iter().any(|it| *it > 300), "{found:?}");
    }

    #[test]
    fn delays_spread_evenly_over_slots_and_over_schedules() {
        let minutes = json!({"cron": "*/10 * * * *"});
        let of_slots = delays(&minutes, 100, UID, 4000).into_iter().map(|it| it.0).collect();
        let of_schedules = (0..4000).map(|uid| delays(&minutes, 100, &format!("uid-{uid}"), 1)[0].0).collect();
        for found in [of_slots, of_schedules] as [Vec<i64>; 2] {
            let mut tenths = BTreeMap::new();
            found.iter().for_each(|delay| *tenths.entry(delay / 10).or_insert(0) += 1);
            assert_eq!(tenths.len(), 10);
            // 400 are expected in each, with a standard deviation of 19.
            assert!(tenths.values().all(|it| (300..500).contains(it)), "{tenths:?}");
        }
    }

    #[test]
    fn without_jitter_the_planned_start_is_the_slot() {
        assert!(delays(&json!({"cron": "* * * * *"}), 0, UID, 100).iter().all(|it| it.0 == 0));
    }

    #[test]
    fn slots_through_an_instant_are_those_whose_planned_start_has_come() {
        let uneven = trigger(&json!({"anyOf": [{"cron": "*/7 * * * *"}, {"cron": "*/5 * * * *"}]}));
        let slots = uneven.between(BEGIN, BEGIN.plus_seconds(7200), 1000);
        for jitter in [0, 30, 90, 1000] {
            let planned = PlannedStarts { trigger: &uneven, uid: UID, jitter_seconds: jitter };
            for second in (0..5000).step_by(3) {
                let now = BEGIN.plus_seconds(second);
                let through = planned.slots_through(now);
                for slot in &slots {
                    assert_eq!(planned.of(*slot) <= now, *slot <= through, "{slot:?} at {now:?}, jitter {jitter}");
                }
            }
        }
    }
}
