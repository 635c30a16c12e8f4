//! What changes of the clocks do to the slots of a trigger.

use jiff::civil::DateTime;

use crate::api::spec::{self, DaylightSaving};
use crate::time::{ClockChange, Context, Slot, Trigger, Zone};

/// What a change of the clocks did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The slot names a time that is skipped, and was moved to the end of the gap.
    Moved,
    /// There would be a slot, but its time is skipped.
    Skipped,
    /// The time of the slot comes twice; this is the first time, and the trigger takes both.
    First,
    /// The time of the slot comes twice, and only the first time is a slot.
    Once,
    /// The time of the slot comes for the second time.
    Second,
}

/// An effect on the slot at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effected {
    /// The slot, or where it would be.
    pub slot: Slot,
    /// What happened to it.
    pub effect: Effect,
    /// In which zone the clocks are changed.
    pub zone: String,
    /// The first of the times that are skipped or come twice.
    pub from: DateTime,
    /// The end of them.
    pub to: DateTime,
}

/// As many changes of the clocks are looked at.
const MAX_CHANGES: usize = 2_000;
/// As many slots are looked at in the hours that come twice.
const MAX_SLOTS: usize = 500;

/// A trigger, and the same one for each of the ways to meet a change of the clocks.
struct Twins<'a> {
    trigger: &'a Trigger,
    once: Option<Trigger>,
    real: Option<Trigger>,
}

/// What changes of the clocks do to slots after one instant up to and including another,
/// ascending.
#[must_use]
pub fn effects(
    spec: &spec::Trigger,
    trigger: &Trigger,
    context: &Context<'_>,
    (after, through): (Slot, Slot),
) -> Vec<Effected> {
    if !has_wall_clock(spec) {
        return Vec::new();
    }
    let with = |daylight_saving| Trigger::parse(&all_with(spec, daylight_saving), context).ok();
    let twins = Twins { trigger, once: with(DaylightSaving::RunOnce), real: with(DaylightSaving::WallClock) };
    let mut found = Vec::new();
    for zone in zones(spec, trigger) {
        for change in zone.changes(after.plus_seconds(-86_400), through).take(MAX_CHANGES) {
            found.extend(twins.effects_of(&change).into_iter().map(|(slot, effect)| {
                let (from, to) = (change.from.min(change.to), change.from.max(change.to));
                Effected { slot, effect, zone: zone.name().to_owned(), from, to }
            }));
        }
    }
    found.retain(|it| after < it.slot && it.slot <= through);
    found.sort_by_key(|it| it.slot);
    found
}

impl Twins<'_> {
    fn effects_of(&self, change: &ClockChange) -> Vec<(Slot, Effect)> {
        if change.to > change.from { self.effect_of_gap(change) } else { self.effects_of_repetition(change) }
    }

    /// A slot at the end of a gap that is none by what the clock shows was moved there.
    fn effect_of_gap(&self, change: &ClockChange) -> Vec<(Slot, Effect)> {
        let named = self.once.as_ref().is_some_and(|it| has(it, change.at));
        let shown = self.real.as_ref().is_some_and(|it| has(it, change.at));
        let effect = if has(self.trigger, change.at) { Effect::Moved } else { Effect::Skipped };
        if named && !shown { vec![(change.at, effect)] } else { Vec::new() }
    }

    fn effects_of_repetition(&self, change: &ClockChange) -> Vec<(Slot, Effect)> {
        let length = change.from.duration_since(change.to).as_secs();
        let slots = |after: Slot, through| self.trigger.between(after.plus_seconds(-1), through, MAX_SLOTS);
        let first = slots(change.at.plus_seconds(-length), change.at.plus_seconds(-1)).into_iter().map(|slot| {
            let twice = has(self.trigger, slot.plus_seconds(length));
            (slot, if twice { Effect::First } else { Effect::Once })
        });
        let second = slots(change.at, change.at.plus_seconds(length - 1)).into_iter();
        first.chain(second.map(|slot| (slot, Effect::Second))).collect()
    }
}

fn has(trigger: &Trigger, slot: Slot) -> bool {
    trigger.next(slot.plus_seconds(-1)).slot() == Some(slot)
}

/// Whether any of it is about what clocks show.
fn has_wall_clock(spec: &spec::Trigger) -> bool {
    members(spec).any(|it| {
        let by_cron = it.cron.as_deref().is_some_and(|cron| !cron.starts_with("@every"));
        by_cron || it.fields.is_some() || it.calendar.is_some() || it.at_local.is_some()
    })
}

/// All zones whose clocks count, each once.
fn zones(spec: &spec::Trigger, trigger: &Trigger) -> Vec<Zone> {
    let mut zones = vec![trigger.zone().clone()];
    for zone in members(spec).filter_map(|it| Zone::parse(Some(&it.time_zone?)).ok()) {
        if !zones.contains(&zone) {
            zones.push(zone);
        }
    }
    zones
}

/// The trigger itself, and what it is made of.
pub fn members(spec: &spec::Trigger) -> impl Iterator<Item = spec::SimpleTrigger> {
    let lists = spec.any_of.iter().chain(&spec.all_of).flatten().cloned();
    std::iter::once(spec::SimpleTrigger::from(spec)).chain(lists)
}

fn all_with(spec: &spec::Trigger, daylight_saving: DaylightSaving) -> spec::Trigger {
    let mut spec = spec.clone();
    spec.daylight_saving = Some(daylight_saving);
    for member in spec.any_of.iter_mut().chain(&mut spec.all_of).flatten() {
        member.daylight_saving = Some(daylight_saving);
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::{Effect, effects};
    use crate::api::spec;
    use crate::time::{Context, Slot, Trigger};

    fn found(trigger: serde_json::Value) -> Vec<(String, Effect)> {
        let spec: spec::Trigger = serde_json::from_value(trigger).expect("a trigger");
        let slot = |text: &str| Slot::floor(text.parse().expect("an instant"));
        let context = Context { creation: slot("2026-01-01T00:00:00Z"), namespace: "default", name: "a" };
        let trigger = Trigger::parse(&spec, &context).expect("understood");
        let span = (slot("2026-12-31T00:00:00Z"), slot("2027-12-31T00:00:00Z"));
        effects(&spec, &trigger, &context, span).iter().map(|it| (trigger.in_words(it.slot), it.effect)).collect()
    }

    #[test]
    fn a_skipped_time_is_moved_or_skipped_as_the_trigger_says() {
        let moved = found(serde_json::json!({"cron": "30 2 * * *", "timeZone": "Europe/Berlin"}));
        let expected =
            [("2027-03-28 03:00 CEST".to_owned(), Effect::Moved), ("2027-10-31 02:30 CEST".to_owned(), Effect::Once)];
        assert_eq!(moved, expected);
        let trigger =
            serde_json::json!({"cron": "30 2 * * *", "timeZone": "Europe/Berlin", "daylightSaving": "WallClock"});
        let expected = [
            ("2027-03-28 03:00 CEST".to_owned(), Effect::Skipped),
            ("2027-10-31 02:30 CEST".to_owned(), Effect::First),
            ("2027-10-31 02:30 CET".to_owned(), Effect::Second),
        ];
        assert_eq!(found(trigger), expected);
    }

    #[test]
    fn what_is_right_at_the_end_of_a_gap_was_not_moved() {
        assert_eq!(found(serde_json::json!({"cron": "0 3 * * *", "timeZone": "Europe/Berlin"})), []);
    }

    #[test]
    fn a_member_with_a_zone_of_its_own_follows_its_clocks_and_elapsed_time_follows_none() {
        let members =
            serde_json::json!([{"cron": "30 2 * * *", "timeZone": "America/New_York"}, {"cron": "0 12 * * *"}]);
        let effects = found(serde_json::json!({"anyOf": members}));
        assert_eq!(effects[0], ("2027-03-14 07:00 UTC".to_owned(), Effect::Moved));
        assert_eq!(found(serde_json::json!({"interval": {"every": "30m"}, "timeZone": "Europe/Berlin"})), []);
    }
}
