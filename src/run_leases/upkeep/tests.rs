//! What is due, when, and what comes of it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const DURATION: Duration = Duration::from_secs(120);
/// Past the time in which declarations are taken for an inheritance.
const LATER: Duration = Duration::from_secs(1_000);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn run(name: &str) -> RunRef {
    RunRef { namespace: "shop".to_owned(), job_name: name.to_owned(), job_uid: format!("uid-of-{name}") }
}

fn facts(version: u64, ours: bool) -> Facts {
    Facts {
        resource_version: version.to_string(),
        uid: "u".to_owned(),
        transitions: 3,
        ours,
        acquired: None,
        is_run_lease: true,
    }
}

fn upkeep() -> Upkeep {
    Upkeep::new(DURATION, Duration::ZERO)
}

/// A run whose Lease we wrote at `LATER`.
fn upkeep_holding(name: &str) -> Upkeep {
    let mut upkeep = upkeep();
    upkeep.declare("s", vec![run(name)], LATER);
    assert_eq!(upkeep.take_due(LATER), Some(Action::Create(run(name))));
    upkeep.finish(&run(name).key(), Outcome::Written(facts(1, true)), LATER);
    assert_eq!(upkeep.held(), 1);
    upkeep
}

#[test]
fn a_new_run_gets_its_lease_at_once_and_a_withdrawn_one_costs_nothing() {
    let mut upkeep = upkeep();
    upkeep.declare("s", vec![run("a"), run("b")], LATER);
    upkeep.declare("s", vec![run("b")], LATER);
    assert_eq!(upkeep.take_due(LATER), Some(Action::Create(run("b"))));
    assert_eq!(upkeep.take_due(LATER), None);
}

#[test]
fn a_lease_is_renewed_between_three_eighths_and_half_of_its_duration() {
    for name in ["a", "b", "c", "d"] {
        let mut upkeep = upkeep_holding(name);
        let due = upkeep.next_due().expect("a renewal") - LATER;
        assert!(due > seconds(45) && due <= seconds(60), "{due:?}");
        assert_eq!(upkeep.take_due(LATER + due), Some(Action::Write(run(name), facts(1, true))));
    }
}

#[test]
fn a_run_that_is_over_has_its_lease_deleted_and_is_forgotten() {
    let mut upkeep = upkeep_holding("a");
    upkeep.declare("s", vec![], LATER);
    assert_eq!(upkeep.take_due(LATER), Some(Action::Delete(run("a"), facts(1, true))));
    upkeep.finish(&run("a").key(), Outcome::Missing, LATER);
    assert_eq!((upkeep.next_due(), upkeep.held(), upkeep.entries.len()), (None, 0, 0));
}

#[test]
fn a_run_that_ends_while_its_lease_is_being_created_has_it_deleted() {
    let mut upkeep = upkeep();
    upkeep.declare("s", vec![run("a")], LATER);
    assert!(upkeep.take_due(LATER).is_some());
    upkeep.forget("s", LATER);
    assert_eq!(upkeep.take_due(LATER), None, "one action at a time");
    upkeep.finish(&run("a").key(), Outcome::Written(facts(1, true)), LATER);
    assert_eq!(upkeep.take_due(LATER), Some(Action::Delete(run("a"), facts(1, true))));
}

#[test]
fn an_inheritance_is_looked_at_spread_over_one_duration_and_adopted() {
    let mut upkeep = upkeep();
    let runs: Vec<RunRef> = (0..200).map(|number| run(&format!("r{number}"))).collect();
    upkeep.declare("s", runs, seconds(1));
    let mut by_quarter = BTreeMap::<u64, usize>::new();
    for (due, _) in &upkeep.queue {
        *by_quarter.entry((due.as_secs() - 1) / 30).or_default() += 1;
    }
    assert_eq!(by_quarter.keys().copied().collect::<Vec<_>>(), vec![0, 1, 2, 3]);
    assert!(by_quarter.values().all(|count| (30..=70).contains(count)), "{by_quarter:?}");

    let (due, key) = upkeep.queue.first().cloned().expect("not empty");
    let Some(Action::Read(first)) = upkeep.take_due(due) else { unreachable!("it is looked at first") };
    upkeep.finish(&key, Outcome::Found(facts(9, false)), due);
    assert_eq!(upkeep.take_due(due), Some(Action::Write(first, facts(9, false))));
}

#[test]
fn a_run_added_to_a_schedule_already_known_is_no_inheritance() {
    let mut upkeep = upkeep();
    upkeep.declare("s", vec![], seconds(1));
    upkeep.declare("s", vec![run("a")], seconds(2));
    assert_eq!(upkeep.take_due(seconds(2)), Some(Action::Create(run("a"))));
}

#[test]
fn a_conflict_is_looked_into_at_once_and_a_quarrel_is_not() {
    let mut upkeep = upkeep_holding("a");
    let key = run("a").key();
    let now = upkeep.next_due().expect("a renewal");
    assert!(upkeep.take_due(now).is_some());
    upkeep.finish(&key, Outcome::Conflict, now);
    assert_eq!(upkeep.take_due(now), Some(Action::Read(run("a"))));
    upkeep.finish(&key, Outcome::Found(facts(5, false)), now);
    assert_eq!(upkeep.take_due(now), Some(Action::Write(run("a"), facts(5, false))));
    upkeep.finish(&key, Outcome::Conflict, now);
    assert_eq!(upkeep.take_due(now), None);
    assert_eq!(upkeep.next_due(), Some(now + seconds(10)));
}

#[test]
fn a_lease_that_vanished_is_created_again_while_its_run_is_active() {
    let mut upkeep = upkeep_holding("a");
    let now = upkeep.next_due().expect("a renewal");
    assert!(upkeep.take_due(now).is_some());
    upkeep.finish(&run("a").key(), Outcome::Missing, now);
    assert_eq!(upkeep.take_due(now), Some(Action::Create(run("a"))));
}

#[test]
fn failures_wait_longer_each_time_up_to_half_a_duration_and_look_first() {
    let mut upkeep = upkeep();
    upkeep.declare("s", vec![run("a")], LATER);
    let mut now = LATER;
    for wait in [5, 10, 20, 40, 60, 60] {
        assert!(upkeep.take_due(now).is_some());
        upkeep.finish(&run("a").key(), Outcome::Failed, now);
        assert_eq!(upkeep.next_due(), Some(now + seconds(wait)));
        now += seconds(wait);
    }
    assert_eq!(upkeep.take_due(now), Some(Action::Read(run("a"))), "a create without an answer may have succeeded");
}

#[test]
fn a_lease_that_is_not_a_run_lease_of_this_job_is_left_alone() {
    let mut upkeep = upkeep();
    upkeep.declare("s", vec![run("a")], seconds(1));
    upkeep.declare("s", vec![], seconds(2));
    assert_eq!(upkeep.take_due(seconds(2)), Some(Action::Read(run("a"))));
    let theirs = Facts { is_run_lease: false, ..facts(1, false) };
    upkeep.finish(&run("a").key(), Outcome::Found(theirs), seconds(2));
    assert_eq!(upkeep.next_due(), None);
}

#[test]
fn a_foreign_lease_about_to_be_taken_over_is_left_alone_when_the_run_ends_first() {
    let mut upkeep = upkeep();
    upkeep.declare("s", vec![run("a")], LATER);
    assert!(upkeep.take_due(LATER).is_some());
    upkeep.finish(&run("a").key(), Outcome::Conflict, LATER);
    assert!(upkeep.take_due(LATER).is_some());
    let theirs = Facts { is_run_lease: false, ..facts(1, false) };
    upkeep.finish(&run("a").key(), Outcome::Found(theirs), LATER);
    upkeep.declare("s", vec![], LATER);
    assert_eq!(upkeep.take_due(LATER), None);
}

#[test]
fn a_job_of_the_same_name_with_another_uid_has_the_lease_written_anew() {
    let mut upkeep = upkeep_holding("a");
    let again = RunRef { job_uid: "another".to_owned(), ..run("a") };
    upkeep.declare("s", vec![again.clone()], LATER);
    assert_eq!(upkeep.take_due(LATER), Some(Action::Write(again, facts(1, true))));
}

proptest! {
    /// Against a perfect API server every history ends with exactly the Leases of active runs.
    #[test]
    fn whatever_is_declared_when_the_leases_end_up_right(
        steps in prop::collection::vec((0..3_usize, prop::collection::vec(0..4_u8, 0..4), 0..200_u64, 0..4_u8), 1..25)
    ) {
        let mut upkeep = upkeep();
        let mut there = BTreeMap::<Key, u64>::new();
        let mut declared = BTreeMap::<usize, Vec<u8>>::new();
        let mut now = Duration::ZERO;
        let mut version = 0;
        let calm = (0..600).map(|_| (None, 60, 0));
        let steps = steps.into_iter().map(|(schedule, runs, passed, fault)| (Some((schedule, runs)), passed, fault));
        for (declaration, passed, fault) in steps.chain(calm.take(40)) {
            if let Some((schedule, mut runs)) = declaration {
                runs.sort_unstable();
                runs.dedup();
                let refs = runs.iter().map(|number| run(&format!("s{schedule}r{number}"))).collect();
                upkeep.declare(&schedule.to_string(), refs, now);
                declared.insert(schedule, runs);
            }
            now += seconds(passed);
            for _ in 0..100 {
                let Some(action) = upkeep.take_due(now) else { break };
                let key = action.run().key();
                version += 1;
                let current = there.get(&key).copied();
                let outcome = match (&action, fault) {
                    (_, 1) => Outcome::Failed,
                    (Action::Read(_), _) => current.map_or(Outcome::Missing, |v| Outcome::Found(facts(v, true))),
                    (Action::Create(_), _) if current.is_some() => Outcome::Conflict,
                    (Action::Write(_, facts), _) | (Action::Delete(_, facts), _)
                        if current.is_some_and(|v| v.to_string() != facts.resource_version) => Outcome::Conflict,
                    (Action::Write(..) | Action::Delete(..), _) if current.is_none() => Outcome::Missing,
                    (Action::Delete(..), _) => { there.remove(&key); Outcome::Missing }
                    (Action::Create(_) | Action::Write(..), _) => {
                        there.insert(key.clone(), version);
                        Outcome::Written(facts(version, true))
                    }
                };
                let unheard = fault == 2 && !matches!(action, Action::Read(_));
                upkeep.finish(&key, if unheard { Outcome::Failed } else { outcome }, now);
            }
        }
        let expected: Vec<Key> = declared
            .iter()
            .flat_map(|(schedule, runs)| runs.iter().map(move |number| run(&format!("s{schedule}r{number}")).key()))
            .collect();
        prop_assert_eq!(there.keys().cloned().collect::<Vec<_>>(), expected.clone());
        prop_assert_eq!(upkeep.held(), expected.len());
        prop_assert_eq!(upkeep.entries.len(), upkeep.queue.len());
    }
}
