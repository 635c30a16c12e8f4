use jiff::Timestamp;
use serde_json::json;

use super::{CALM_SECONDS, CONFIRM_SECONDS, Known, TURNS, Vigil};
use crate::api::ObservedSchedule;
use crate::gather::Recall;
use crate::invariants::Invariant;
use crate::store::{Key, Store};

/// 2026-06-01T10:00:00Z.
const BEGIN: i64 = 1_780_308_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(BEGIN + seconds).expect("in range")
}

fn key(name: &str) -> Key {
    Key { namespace: "team".into(), name: name.into() }
}

/// A Schedule that runs every minute, and whose slots up to an instant are decided.
fn schedule(name: &str, version: i64, decided_through: i64) -> ObservedSchedule {
    let uid = format!("uid of {name}");
    let trigger = json!({"cron": "* * * * *"});
    serde_json::from_value(json!({
        "metadata": {
            "namespace": "team", "name": name, "uid": uid, "generation": 1,
            "resourceVersion": version.to_string(), "creationTimestamp": at(-3600).to_string(),
        },
        "spec": {"trigger": trigger, "jobTemplate": {"spec": {}}},
        "status": {
            "uid": uid, "observedGeneration": 1, "decidedThrough": at(decided_through).to_string(),
            "epoch": {"hash": crate::decide::trigger_hash(&trigger), "since": at(-3600).to_string()},
        },
    }))
    .expect("a Schedule")
}

fn remembered(failed: bool) -> Known {
    let recall = Recall { generation: Some((1, at(0))), ..Recall::default() };
    Known::Remembered(Box::new(recall), failed)
}

/// A store with one Schedule that is overdue throughout.
fn overdue() -> Store {
    let store = Store::default();
    store.put_schedule(schedule("nightly", 1, 0));
    store
}

/// Turns ten seconds apart, as they are taken. Answers what is told, and when.
fn turns(
    vigil: &mut Vigil,
    store: &Store,
    seconds: std::ops::Range<i64>,
    known: fn(&Key) -> Known,
) -> Vec<(i64, Invariant)> {
    let calm = Some(at(0));
    let turn = |now: i64| {
        let told = vigil.turn(store, at(now), calm, known);
        told.into_iter().map(move |(_, violation)| (now, violation.invariant)).collect::<Vec<_>>()
    };
    seconds.step_by(10).flat_map(turn).collect()
}

#[test]
fn what_is_still_there_after_a_minute_is_told_once() {
    let (mut vigil, store) = (Vigil::new(120), overdue());
    let told = turns(&mut vigil, &store, 0..7200, |_| remembered(false));
    assert_eq!(told, [(CALM_SECONDS + CONFIRM_SECONDS, Invariant::Overdue)]);
}

#[test]
fn what_is_gone_within_a_minute_is_not_told_and_what_comes_again_is() {
    let (mut vigil, store) = (Vigil::new(120), overdue());
    assert_eq!(turns(&mut vigil, &store, 0..CALM_SECONDS + CONFIRM_SECONDS, |_| remembered(false)), []);
    store.put_schedule(schedule("nightly", 2, 700));
    assert_eq!(turns(&mut vigil, &store, 660..700, |_| remembered(false)), []);
    let told = turns(&mut vigil, &store, 700..3000, |_| remembered(false));
    // The minute after 700 s passed at 720 s; it is overdue once more than 300 s have gone by.
    assert_eq!(told, [(720 + 310 + CONFIRM_SECONDS, Invariant::Overdue)]);
}

#[test]
fn nothing_is_told_while_the_clock_is_in_doubt_or_soon_after() {
    let (mut vigil, store) = (Vigil::new(120), overdue());
    turns(&mut vigil, &store, 0..CALM_SECONDS + 30, |_| remembered(false));
    assert!(vigil.turn(&store, at(650), None, |_| remembered(false)).is_empty());
    // From here on it is believed again, and what was found before counts no more.
    let mut told = Vec::new();
    for now in (660..2000).step_by(10) {
        told.extend(vigil.turn(&store, at(now), Some(at(660)), |_| remembered(false)).into_iter().map(|_| now));
    }
    assert_eq!(told, [660 + CALM_SECONDS + CONFIRM_SECONDS]);
}

#[test]
fn what_cannot_be_brought_forward_is_known_to_be_late() {
    let (mut vigil, store) = (Vigil::new(120), overdue());
    assert_eq!(turns(&mut vigil, &store, 0..3000, |_| remembered(true)), []);
}

#[test]
fn what_is_being_looked_at_is_left_for_later() {
    let (mut vigil, store) = (Vigil::new(120), overdue());
    assert_eq!(turns(&mut vigil, &store, 0..3000, |_| Known::UnderWay), []);
}

#[test]
fn a_schedule_the_loop_has_forgotten_is_noticed() {
    let (mut vigil, store) = (Vigil::new(120), overdue());
    let told = turns(&mut vigil, &store, 0..3000, |_| Known::Nothing);
    assert_eq!(told, [(CALM_SECONDS + CONFIRM_SECONDS, Invariant::Overdue)]);
}

#[test]
fn all_schedules_are_gone_through_a_few_at_a_time_and_then_again() {
    let (mut vigil, store) = (Vigil::new(120), Store::default());
    let count = 2 * TURNS + 7;
    for number in 0..count {
        store.put_schedule(schedule(&format!("s{number:03}"), 1, 100_000));
    }
    let all: Vec<Key> = (0..count).map(|number| key(&format!("s{number:03}"))).collect();
    let mut looked = Vec::new();
    for _ in 0..2 {
        let mut round = Vec::new();
        while round.last() != all.last() {
            let few = vigil.next(&store);
            assert!(few.len() <= 3, "{few:?}");
            round.extend(few);
        }
        looked.push(round);
    }
    assert_eq!(looked, [all.clone(), all]);
}

#[test]
fn what_is_remembered_has_a_limit_and_goes_with_its_schedule() {
    let (mut vigil, store) = (Vigil::new(120), overdue());
    turns(&mut vigil, &store, 0..1000, |_| remembered(false));
    assert_eq!(vigil.suspects.len(), 1);
    store.remove_schedule(&key("nightly"), "uid of nightly");
    turns(&mut vigil, &store, 1000..1020, |_| remembered(false));
    assert_eq!(vigil.suspects.len(), 0);
}
