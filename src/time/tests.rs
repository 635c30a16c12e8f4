//! What the time engine promises, as tables of small stories.

mod changes_of_clocks;
mod cron;
mod elapsed;
mod exclusions;
mod kinds;
mod properties;
mod refusals;
mod words;

use jiff::Timestamp;
use serde_json::Value;

use super::*;

/// One story: the slots a trigger has after an instant.
struct Row {
    story: &'static str,
    cron: &'static str,
    zone: &'static str,
    after: &'static str,
    /// The first slots, as the clock in the zone shows them.
    slots: &'static [&'static str],
}

impl Row {
    /// Checks the slots, and that the way back from the last one meets the same.
    fn check(&self) {
        let Self { story, cron, zone, after, slots } = self;
        let trigger = recurring(cron, zone);
        let after = instant(after);
        let found = trigger.between(after, Slot::LAST, slots.len());
        let shown: Vec<String> = found.iter().map(|slot| trigger.in_words(*slot)).collect();
        assert_eq!(shown, *slots, "{story}");
        let Some(last) = found.last() else { return };
        let mut back: Vec<Slot> =
            std::iter::successors(Some(*last), |slot| trigger.prev(*slot).slot()).take(slots.len()).collect();
        back.reverse();
        assert_eq!(back, found, "backwards: {story}");
        let first_again = trigger.prev(found[0]).slot();
        assert!(first_again.is_none_or(|slot| slot <= after), "backwards, one more: {story}");
    }
}

fn recurring(cron: &str, zone: &str) -> Trigger {
    let spec = spec::Trigger { cron: Some(cron.into()), time_zone: Some(zone.into()), ..Default::default() };
    Trigger::parse(&spec, &context(Slot(0))).expect("a valid trigger")
}

fn context(creation: Slot) -> Context<'static> {
    Context { creation, namespace: "shop", name: "nightly-report" }
}

fn instant(text: &str) -> Slot {
    Slot::floor(text.parse().expect(text))
}

fn parsed(spec: &Value) -> Result<Trigger, Vec<TriggerError>> {
    let spec = serde_json::from_value(spec.clone()).expect("a spec");
    Trigger::parse_all(&spec, &context(instant("2026-01-01T00:00:00Z")))
}

/// The first slots after an instant, as the clock in the zone shows them.
fn slots(spec: &Value, after: &str, count: usize) -> Vec<String> {
    let trigger = parsed(spec).expect("a valid trigger");
    let found = trigger.between(instant(after), Slot::LAST, count);
    found.iter().map(|slot| trigger.in_words(*slot)).collect()
}

/// Stories of slots: a trigger, an instant, and all slots after it, or the first few where `…` follows.
fn check(stories: &[(&str, Value, &str, &[&str])]) {
    for (story, spec, after, expected) in stories {
        let (expected, goes_on) = match expected {
            [expected @ .., "…"] => (expected, true),
            expected => (*expected, false),
        };
        let found = slots(spec, after, expected.len() + usize::from(!goes_on));
        assert_eq!(found, expected, "{story}");
    }
}

#[test]
fn the_first_and_last_slot_are_those_of_the_calendar() {
    assert_eq!(Slot::FIRST.plus_seconds(-1).0, Timestamp::MIN.as_second());
    assert_eq!(Slot::LAST.0, Timestamp::MAX.as_second());
}

/// Found by fuzzing: the first slot was left out where every day has its times.
#[test]
fn a_search_from_before_all_calendars_finds_the_first_slot() {
    for cron in ["* * * * * *", "* * 0-23 * * *"] {
        let trigger = recurring(cron, "UTC");
        for before in [i64::MIN, Slot::FIRST.0 - 100, Slot::FIRST.0 - 1] {
            assert_eq!(trigger.next(Slot(before)), Search::Slot(Slot::FIRST), "{cron}");
        }
        assert_eq!(trigger.prev(Slot::FIRST.plus_seconds(1)), Search::Slot(Slot::FIRST), "{cron}");
        assert_eq!(trigger.prev(Slot::FIRST), Search::Never, "{cron}");
    }
}

#[test]
fn fractions_round_both_ways_also_before_1970() {
    for (text, floor, ceil) in [
        ("1970-01-01T00:00:00.000000001Z", 0, 1),
        ("1970-01-01T00:00:01Z", 1, 1),
        ("1969-12-31T23:59:58.5Z", -2, -1),
        ("1969-12-31T23:59:59.5Z", -1, 0),
        ("1969-12-31T23:59:59Z", -1, -1),
    ] {
        let instant: Timestamp = text.parse().expect(text);
        assert_eq!((Slot::floor(instant), Slot::ceil(instant)), (Slot(floor), Slot(ceil)), "{text}");
    }
}

#[test]
fn a_found_slot_is_one_and_no_slot_is_none() {
    assert_eq!(Search::Slot(Slot(1)).slot(), Some(Slot(1)));
    assert_eq!(Search::NoneUpTo(Slot(1)).slot(), None);
    assert_eq!(Search::Never.slot(), None);
}
