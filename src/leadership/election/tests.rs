//! Every small situation, and what a candidate makes of it.

use proptest::prelude::*;

use super::*;

const ME: &str = "me";
const OTHER: &str = "other";
const FIRST: Term = 220_000_000;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn record(holder: Option<&str>, transitions: Term, duration_seconds: Option<i64>) -> Record {
    Record {
        holder: holder.map(str::to_owned),
        transitions,
        duration_seconds,
        resource_version: "1".to_owned(),
        content: "a".to_owned(),
    }
}

fn held_by(holder: &str) -> Record {
    record(Some(holder), 7, Some(15))
}

fn candidate() -> Candidate {
    Candidate::new(ME.to_owned(), Timings::default())
}

fn standby_that_saw(record: Record) -> Candidate {
    let mut candidate = candidate();
    candidate.saw(Sight::Present(record), Duration::ZERO);
    candidate
}

/// Leads term 7 since a renewal sent at zero.
fn leader() -> Candidate {
    let mut candidate = candidate();
    candidate.attempting(7);
    candidate.won(held_by(ME), Duration::ZERO, Duration::ZERO);
    candidate
}

fn leader_that_read(sight: Sight) -> Candidate {
    let mut leader = leader();
    leader.heard(Sight::Absent, seconds(1));
    assert_eq!(leader.next(seconds(1), FIRST), Move::Read, "hearsay is a reason to look");
    leader.saw(sight, seconds(1));
    leader
}

/// Lets time pass for a standby that always reads the same, until it makes up its mind.
fn decision_on(mut candidate: Candidate, sight: &Sight) -> (Duration, Move) {
    let mut now = Duration::ZERO;
    for _ in 0..1_000 {
        match candidate.next(now, FIRST) {
            Move::Read => candidate.saw(sight.clone(), now),
            Move::Wait(until) => {
                assert!(until > now, "a wait must end later than it began");
                now = until;
            }
            decided => return (now, decided),
        }
    }
    unreachable!("a candidate must make up its mind")
}

const HOLDERS: [Option<&str>; 3] = [None, Some(ME), Some(OTHER)];
const TRANSITIONS: [Term; 8] = [i64::MIN, -1, 0, 7, FIRST, i32::MAX as i64 - 1, i32::MAX as i64, i64::MAX];
const DURATIONS: [Option<i64>; 9] =
    [None, Some(i64::MIN), Some(-15), Some(0), Some(1), Some(15), Some(40), Some(i32::MAX as i64), Some(i64::MAX)];

#[test]
fn any_record_is_acquired_at_its_bounded_expiry_and_not_a_moment_earlier() {
    for holder in HOLDERS {
        for transitions in TRANSITIONS {
            for duration in DURATIONS {
                let sight = Sight::Present(record(holder, transitions, duration));
                let (at, decided) = decision_on(candidate(), &sight);
                let expected = match (holder, duration) {
                    (None, _) => 0,
                    (Some(_), Some(40)) => 40,
                    (Some(_), Some(claimed)) if claimed > 60 => 60,
                    (Some(_), _) => 15,
                };
                assert_eq!(at, seconds(expected), "{sight:?}");
                let Move::Acquire { term, resource_version } = decided else { unreachable!("{decided:?}") };
                assert_eq!(resource_version, "1");
                assert_eq!(term, transitions.saturating_add(1).clamp(0, i64::from(i32::MAX)), "{sight:?}");
            }
        }
    }
}

#[test]
fn an_absent_lease_is_created_at_once_with_the_time_as_its_term() {
    assert_eq!(decision_on(candidate(), &Sight::Absent), (Duration::ZERO, Move::Create { term: FIRST }));
}

#[test]
fn a_lease_deleted_before_our_eyes_is_created_with_a_term_above_the_one_it_had() {
    let mut standby = standby_that_saw(record(Some(OTHER), FIRST + 5, Some(15)));
    standby.heard(Sight::Absent, seconds(3));
    assert_eq!(standby.next(seconds(3), FIRST), Move::Create { term: FIRST + 6 });
}

#[test]
fn a_released_lease_is_acquired_the_moment_it_is_heard_of() {
    let mut standby = standby_that_saw(held_by(OTHER));
    standby.heard(Sight::Present(record(None, 7, Some(15))), seconds(1));
    assert!(matches!(standby.next(seconds(1), FIRST), Move::Acquire { term: 8, .. }));
}

#[test]
fn a_change_of_the_record_starts_the_wait_anew_and_a_mere_new_version_does_not() {
    for (content, expiry) in [("a", 15), ("b", 24)] {
        let mut standby = standby_that_saw(held_by(OTHER));
        let seen = Record { content: content.to_owned(), resource_version: "2".to_owned(), ..held_by(OTHER) };
        standby.saw(Sight::Present(seen.clone()), seconds(9));
        let before = seconds(expiry).saturating_sub(Duration::from_millis(1));
        assert!(!matches!(standby.next(before, FIRST), Move::Acquire { .. }), "{content}");
        let acquire = Move::Acquire { term: 8, resource_version: "2".to_owned() };
        assert_eq!(standby.next(seconds(expiry), FIRST), acquire, "{content}");
    }
}

#[test]
fn our_own_write_whose_answer_was_lost_is_recognized_and_keeps_its_term() {
    let mut standby = standby_that_saw(record(None, 6, Some(15)));
    standby.attempting(7);
    standby.failed(seconds(1));
    assert!(matches!(standby.next(seconds(1), FIRST), Move::Wait(_)));
    assert_eq!(standby.next(seconds(3), FIRST), Move::Read);
    standby.saw(Sight::Present(held_by(ME)), seconds(3));
    assert!(matches!(standby.next(seconds(3), FIRST), Move::Acquire { term: 7, .. }));
}

#[test]
fn a_leader_renews_every_retry_period() {
    let leader = leader();
    assert_eq!(leader.next(seconds(1), FIRST), Move::Wait(seconds(2)));
    assert_eq!(leader.next(seconds(2), FIRST), Move::Renew { term: 7, resource_version: "1".to_owned() });
}

#[test]
fn a_leader_that_cannot_renew_stops_at_the_deadline_counted_from_the_sending() {
    let mut leader = leader();
    for sent in [2, 4, 6, 8] {
        leader.saw(Sight::Present(held_by(ME)), seconds(sent));
        assert!(matches!(leader.next(seconds(sent), FIRST), Move::Renew { .. }), "{sent}");
        leader.failed(seconds(sent));
        assert_eq!(leader.next(seconds(sent), FIRST), Move::Wait(seconds(sent + 2)), "{sent}");
    }
    assert_eq!(leader.permit_until(), Some(seconds(8)));
    assert_eq!(leader.next(seconds(9), FIRST), Move::Wait(seconds(10)));
    assert_eq!(leader.next(seconds(10), FIRST), Move::StepDown(Lost::DeadlinePassed));
}

#[test]
fn a_leader_stops_for_whatever_says_that_it_does_not_lead_its_term() {
    let stops = [
        (Sight::Absent, Lost::Deleted),
        (Sight::Present(record(None, 7, Some(15))), Lost::Emptied),
        (Sight::Present(held_by(OTHER)), Lost::TakenOver { holder: OTHER.to_owned() }),
        (Sight::Present(record(Some(ME), 8, Some(15))), Lost::TermRaised { transitions: 8 }),
    ];
    for (sight, lost) in stops {
        assert_eq!(leader_that_read(sight).next(seconds(1), FIRST), Move::StepDown(lost));
    }
}

#[test]
fn a_version_below_one_that_was_answered_ends_a_leader_and_a_standby_and_hearsay_does_not() {
    let of_version = |version: &str| Sight::Present(Record { resource_version: version.to_owned(), ..held_by(OTHER) });
    let mut standby = candidate();
    standby.saw(of_version("10"), seconds(1));
    standby.heard(of_version("9"), seconds(1));
    assert!(matches!(standby.next(seconds(1), FIRST), Move::Wait(_)), "a watch may lag behind");
    standby.heard(of_version("12"), seconds(1));
    standby.saw(of_version("11"), seconds(1));
    assert_eq!(standby.next(seconds(1), FIRST), Move::StepDown(Lost::WentBack));

    let leader = leader_that_read(Sight::Present(Record { resource_version: "0".to_owned(), ..held_by(ME) }));
    assert_eq!(leader.next(seconds(1), FIRST), Move::StepDown(Lost::WentBack));
}

#[test]
fn a_leader_puts_right_what_was_edited_without_taking_the_lease_away() {
    for edited in [record(Some(ME), 3, Some(15)), record(Some(ME), 7, Some(-1)), record(Some(ME), -9, None)] {
        let leader = leader_that_read(Sight::Present(edited));
        assert!(matches!(leader.next(seconds(2), FIRST), Move::Renew { term: 7, .. }));
    }
}

#[test]
fn a_leader_is_not_disturbed_by_the_echo_of_its_own_writes() {
    let mut leader = leader();
    leader.heard(Sight::Present(held_by(ME)), seconds(1));
    assert_eq!(leader.next(seconds(1), FIRST), Move::Wait(seconds(2)));
}

#[test]
fn the_first_conflict_is_looked_into_at_once_and_a_second_one_waits() {
    let mut leader = leader();
    leader.conflicted(seconds(2));
    assert_eq!(leader.next(seconds(2), FIRST), Move::Read);
    leader.saw(Sight::Present(held_by(ME)), seconds(2));
    assert!(matches!(leader.next(seconds(2), FIRST), Move::Renew { .. }));
    leader.conflicted(seconds(2));
    assert_eq!(leader.next(seconds(2), FIRST), Move::Wait(seconds(4)));
}

#[test]
fn a_standby_that_hears_nothing_reads_and_one_that_hears_does_not() {
    let mut standby = standby_that_saw(held_by(OTHER));
    assert_eq!(standby.next(seconds(1), FIRST), Move::Wait(seconds(2)));
    assert_eq!(standby.next(seconds(2), FIRST), Move::Read);
    let renewed = Record { content: "b".to_owned(), ..held_by(OTHER) };
    standby.heard(Sight::Present(renewed), seconds(2));
    assert_eq!(standby.next(seconds(2), FIRST), Move::Wait(seconds(4)));
}

#[test]
fn patience_is_bounded_whatever_is_asked_for() {
    let mut standby = standby_that_saw(held_by(OTHER));
    standby.set_patience(seconds(1_000_000));
    assert_eq!(standby.next(seconds(1), FIRST), Move::Wait(seconds(4)));
}

#[derive(Clone, Debug)]
enum Happening {
    Saw(Option<Record>),
    Heard(Option<Record>),
    Won(Record),
    Conflicted,
    Failed,
    Passed(u64),
}

fn any_record() -> impl Strategy<Value = Record> {
    let holder = prop::sample::select(HOLDERS.to_vec());
    let content = prop::sample::select(vec!["a", "b"]);
    (holder, any::<i64>(), any::<Option<i64>>(), content).prop_map(|(holder, transitions, duration, content)| Record {
        content: content.to_owned(),
        ..record(holder, transitions, duration)
    })
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let happening = prop_oneof![
        prop::option::of(any_record()).prop_map(Happening::Saw),
        prop::option::of(any_record()).prop_map(Happening::Heard),
        any_record().prop_map(Happening::Won),
        Just(Happening::Conflicted),
        Just(Happening::Failed),
        any::<u64>().prop_map(Happening::Passed),
    ];
    prop::collection::vec(happening, 0..20)
}

proptest! {
    #[test]
    fn no_history_leads_to_a_panic_a_long_wait_or_a_term_out_of_range(history in happenings()) {
        let sight = |record: Option<Record>| record.map_or(Sight::Absent, Sight::Present);
        let mut candidate = candidate();
        let mut now = Duration::ZERO;
        for happening in history {
            match happening {
                Happening::Saw(record) => candidate.saw(sight(record), now),
                Happening::Heard(record) => _ = candidate.heard(sight(record), now),
                Happening::Won(record) => candidate.won(record, now, now),
                Happening::Conflicted => candidate.conflicted(now),
                Happening::Failed => candidate.failed(now),
                Happening::Passed(millis) => now = now.saturating_add(Duration::from_millis(millis)),
            }
            match candidate.next(now, FIRST) {
                Move::Wait(until) => {
                    prop_assert!(until > now && until.saturating_sub(now) <= Timings::default().retry_period() * 2);
                }
                Move::Create { term } | Move::Acquire { term, .. } => {
                    prop_assert!((0..=i64::from(i32::MAX)).contains(&term));
                }
                Move::Read | Move::Renew { .. } | Move::StepDown(_) => {}
            }
        }
    }
}
