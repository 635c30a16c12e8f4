//! Intervals, and instants listed one by one.

use super::*;

fn interval(every: &str, start_time: Option<&str>, creation: Slot) -> Trigger {
    let interval = spec::Interval { every: every.into(), start_time: start_time.map(Into::into) };
    let spec =
        spec::Trigger { interval: Some(interval), time_zone: Some("Europe/Berlin".into()), ..Default::default() };
    Trigger::parse(&spec, &context(creation)).expect("a valid trigger")
}

fn listed(texts: &[&str]) -> Trigger {
    let at = texts.iter().map(ToString::to_string).collect();
    let spec = spec::Trigger { at: Some(at), ..Default::default() };
    Trigger::parse(&spec, &context(Slot(0))).expect("a valid trigger")
}

#[test]
fn an_interval_without_start_begins_one_interval_after_creation() {
    for trigger in [interval("10m", None, Slot(1_000)), recurring_from("@every 10m", Slot(1_000))] {
        assert_eq!(trigger.next(Slot(i64::MIN)), Search::Slot(Slot(1_600)));
        assert_eq!(trigger.next(Slot(1_600)), Search::Slot(Slot(2_200)));
        assert_eq!(trigger.next(Slot(2_199)), Search::Slot(Slot(2_200)));
        assert_eq!(trigger.prev(Slot(2_201)), Search::Slot(Slot(2_200)));
        assert_eq!(trigger.prev(Slot(2_200)), Search::Slot(Slot(1_600)));
        assert_eq!(trigger.prev(Slot(1_600)), Search::Never);
    }
}

fn recurring_from(cron: &str, creation: Slot) -> Trigger {
    let spec = spec::Trigger { cron: Some(cron.into()), ..Default::default() };
    Trigger::parse(&spec, &context(creation)).expect("a valid trigger")
}

#[test]
fn an_interval_with_a_start_begins_there_whenever_it_was_created() {
    let trigger = interval("1h", Some("2026-03-29T00:15:00+01:00"), instant("2026-06-01T00:00:00Z"));
    assert_eq!(trigger.next(Slot(0)), Search::Slot(instant("2026-03-28T23:15:00Z")));
    assert_eq!(trigger.next(instant("2026-03-28T23:15:00Z")), Search::Slot(instant("2026-03-29T00:15:00Z")));
    assert_eq!(trigger.prev(instant("2026-03-28T23:15:00Z")), Search::Never);
}

#[test]
fn an_interval_is_elapsed_time_whatever_clocks_do() {
    let trigger = interval("24h", Some("2026-03-28T01:30:00Z"), Slot(0));
    let slots = trigger.between(Slot(0), Slot::LAST, 3);
    let shown: Vec<String> = slots.iter().map(|slot| trigger.in_words(*slot)).collect();
    assert_eq!(shown, ["2026-03-28 02:30 CET", "2026-03-29 03:30 CEST", "2026-03-30 03:30 CEST"]);
}

#[test]
fn slots_of_an_interval_are_counted_without_visiting_them() {
    let trigger = interval("1s", None, Slot(0));
    assert_eq!(trigger.count(Slot(i64::MIN), Slot(i64::MAX), u64::MAX), 253_402_207_200);
    assert_eq!(trigger.count(Slot(i64::MIN), Slot(i64::MAX), 1_000), 1_000);
    assert_eq!(trigger.count(Slot(5), Slot(7), 1_000), 2);
    assert_eq!(trigger.count(Slot(7), Slot(5), 1_000), 0);
}

#[test]
fn an_interval_ends_with_the_calendar() {
    let trigger = interval("999999h", Some("9999-12-30T00:00:00Z"), Slot(0));
    let only = instant("9999-12-30T00:00:00Z");
    assert_eq!(trigger.next(Slot(0)), Search::Slot(only));
    assert_eq!(trigger.next(only), Search::Never);
    assert_eq!(trigger.prev(Slot(i64::MAX)), Search::Slot(only));
    assert!(interval("1s", None, Slot(i64::MAX)).never_fires());
    assert!(!interval("1s", None, Slot(i64::MIN)).never_fires());
}

#[test]
fn the_lengths_after_every_are_those_of_go() {
    for (text, seconds) in [
        ("1s", 1),
        ("90s", 90),
        ("1h30m", 5_400),
        ("1.5h", 5_400),
        (".5m", 30),
        ("2.m", 120),
        ("30m1h", 5_400),
        ("1h1h", 7_200),
        ("+5m", 300),
        ("1000ms", 1),
        ("2000000\u{b5}s", 2),
        ("0.1h", 360),
        ("1m0.5s500ms", 61),
        ("2562047h", 9_223_369_200),
    ] {
        let trigger = recurring_from(&format!("@every {text}"), Slot(0));
        assert_eq!(trigger.next(Slot(0)), Search::Slot(Slot(seconds)), "{text}");
    }
}

#[test]
fn listed_instants_are_slots_in_order_each_once() {
    let trigger = listed(&[
        "2026-12-24T18:00:00Z",
        "2026-01-01T00:00:00+02:00",
        "2026-12-24t19:00:00+01:00",
        "2026-12-24T17:59:59.000000001z",
    ]);
    let (first, second) = (instant("2025-12-31T22:00:00Z"), instant("2026-12-24T18:00:00Z"));
    assert_eq!(trigger.between(Slot(i64::MIN), Slot(i64::MAX), 10), [first, second]);
    assert_eq!(trigger.count(first, second, 10), 1);
    assert_eq!(trigger.next(first), Search::Slot(second));
    assert_eq!(trigger.next(second), Search::Never);
    assert_eq!(trigger.prev(second), Search::Slot(first));
    assert_eq!(trigger.prev(first), Search::Never);
    assert!(!trigger.never_fires());
}

#[test]
fn fractions_of_a_second_are_rounded_up() {
    for (text, slot) in [
        ("2026-12-24T18:00:00.000000001Z", "2026-12-24T18:00:01Z"),
        ("2026-12-31T23:59:59.9Z", "2027-01-01T00:00:00Z"),
        ("2026-12-24T18:00:00.0Z", "2026-12-24T18:00:00Z"),
        ("1960-12-24T18:00:00.5Z", "1960-12-24T18:00:01Z"),
    ] {
        assert_eq!(listed(&[text]).next(Slot(i64::MIN)), Search::Slot(instant(slot)), "{text}");
        assert_eq!(interval("1s", Some(text), Slot(0)).next(Slot(i64::MIN)), Search::Slot(instant(slot)), "{text}");
    }
}
