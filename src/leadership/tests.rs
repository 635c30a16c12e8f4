//! Elections held in virtual time against an API server in memory.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance, sleep, timeout};

use super::fake::{FakeApi, Manner};
use super::*;

const START: &str = "2026-03-01T12:00:00Z";
/// `START` in units of eight seconds since 1970.
const FIRST_TERM: Term = 221_545_800;
const MOMENT: Duration = Duration::from_millis(100);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

struct Replica {
    handle: LeaderHandle,
    clock: Clock,
    shutdown: Option<oneshot::Sender<()>>,
    run: JoinHandle<Result<(), Lost>>,
}

impl Replica {
    fn start(api: &FakeApi, name: &str) -> Self {
        let (election, clock) = election(api, name);
        let handle = election.handle();
        let (shutdown, shut) = oneshot::channel::<()>();
        let run = tokio::spawn(election.run(async {
            if shut.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        Self { handle, clock, shutdown: Some(shutdown), run }
    }

    async fn ends(self) -> Result<(), Lost> {
        timeout(seconds(60), self.run).await.expect("ends in time").expect("does not panic")
    }

    async fn releases(mut self) {
        self.shutdown.take().expect("once").send(()).expect("still runs");
        self.ends().await.expect("an orderly end");
    }
}

fn election(api: &FakeApi, name: &str) -> (Election, Clock) {
    let clock = Clock::simulated(START.parse().expect("a time"));
    let config = Config { identity: name.to_owned(), ..Config::new("home") };
    (Election::new(api.client(name), config, clock.clone()), clock)
}

fn lease(api: &FakeApi) -> Value {
    api.lease("home", "punctual").expect("there is a Lease")
}

/// A leads, B stands by.
async fn leader_and_standby(api: &FakeApi) -> (Replica, Replica) {
    let a = Replica::start(api, "a");
    a.handle.acquired().await.expect("acquires");
    let b = Replica::start(api, "b");
    sleep(seconds(5)).await;
    assert!(a.handle.is_leader() && !b.handle.is_leader());
    (a, b)
}

/// How long until B leads; never while A may act.
async fn until_b_leads(a: &LeaderHandle, b: &LeaderHandle) -> Duration {
    let begin = Instant::now();
    while !b.is_leader() {
        sleep(Duration::from_millis(10)).await;
        assert!(!(a.is_leader() && b.is_leader()), "two leaders");
        assert!(begin.elapsed() < seconds(120), "nobody takes over");
    }
    begin.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_not_there_is_created_at_once() {
    let api = FakeApi::new();
    let a = Replica::start(&api, "a");
    assert_eq!(a.handle.check(), Err(NotLeader::Standby));
    let begin = Instant::now();
    assert_eq!(a.handle.acquired().await, Ok(FIRST_TERM));
    assert_eq!((a.handle.check(), begin.elapsed()), (Ok(FIRST_TERM), Duration::ZERO));
    let expected = json!({
        "holderIdentity": "a", "leaseDurationSeconds": 15, "leaseTransitions": FIRST_TERM,
        "acquireTime": "2026-03-01T12:00:00.000000Z", "renewTime": "2026-03-01T12:00:00.000000Z",
    });
    assert_eq!(lease(&api)["spec"], expected);
}

#[tokio::test(start_paused = true)]
async fn a_leader_renews_every_two_seconds_and_stays() {
    let api = FakeApi::new();
    let (a, b) = leader_and_standby(&api).await;
    api.clear_log();
    sleep(seconds(600)).await;
    assert_eq!(a.handle.check(), Ok(FIRST_TERM));
    assert_eq!(b.handle.lease_holder().as_deref(), Some("a"));
    assert_eq!(lease(&api)["spec"]["acquireTime"], "2026-03-01T12:00:00.000000Z");
    let writes = api.log().iter().filter(|logged| logged.method == http::Method::PUT).count();
    assert!((299..=301).contains(&writes), "{writes}");
    assert!(a.handle.since_turn() <= seconds(3) && b.handle.since_turn() <= seconds(3));
    assert_eq!((a.handle.transitions_seen(), b.handle.transitions_seen()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_reach_the_api_server_stops_in_time_and_is_succeeded_at_expiry() {
    for manner in [Manner::Silent, Manner::Mute, Manner::Overloaded, Manner::Forbids, Manner::Slow(seconds(9))] {
        let api = FakeApi::new();
        let (a, b) = leader_and_standby(&api).await;
        let renewed = a.handle.since_renewal().expect("leads");
        api.treat("a", manner);
        sleep(seconds(8).saturating_sub(renewed).saturating_sub(Duration::from_millis(5))).await;
        assert!(a.handle.is_leader(), "{manner:?}");
        sleep(Duration::from_millis(10)).await;
        assert_eq!(a.handle.check(), Err(NotLeader::Stale), "{manner:?}");
        let lost = timeout(seconds(2), a.handle.lost()).await;
        assert_eq!(lost, Ok(Lost::DeadlinePassed), "{manner:?}");
        let waited = until_b_leads(&a.handle, &b.handle).await;
        // Answers lost on their way back and requests that come late have taken effect, and so B
        // counts from later.
        let late = if matches!(manner, Manner::Mute | Manner::Slow(_)) { seconds(15) } else { MOMENT };
        assert!(waited >= seconds(5).saturating_sub(MOMENT) && waited <= seconds(5) + late, "{manner:?} {waited:?}");
        assert_eq!(a.ends().await, Err(Lost::DeadlinePassed));
        assert!(b.handle.term() > Some(FIRST_TERM));
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_is_followed_by_a_take_over_within_a_moment() {
    let api = FakeApi::new();
    let (a, b) = leader_and_standby(&api).await;
    let handle = a.handle.clone();
    let release = tokio::spawn(a.releases());
    let waited = until_b_leads(&handle, &b.handle).await;
    assert!(waited <= MOMENT, "{waited:?}");
    release.await.expect("released");
    assert!(matches!(handle.check(), Err(NotLeader::Over(Lost::SteppedDown { .. }))));
    assert_eq!(b.handle.term(), Some(FIRST_TERM + 1));
}

#[tokio::test(start_paused = true)]
async fn a_leader_stops_acting_before_it_releases() {
    let api = FakeApi::new();
    let (mut a, _b) = leader_and_standby(&api).await;
    api.treat("a", Manner::Slow(seconds(1)));
    a.shutdown.take().expect("once").send(()).expect("still runs");
    sleep(MOMENT).await;
    assert_eq!(lease(&api)["spec"]["holderIdentity"], "a");
    assert!(matches!(a.handle.check(), Err(NotLeader::Over(_))));
    a.ends().await.expect("an orderly end");
    assert_ne!(lease(&api)["spec"]["holderIdentity"], "a");
}

#[tokio::test(start_paused = true)]
async fn a_late_renewal_does_not_bring_back_what_has_ended() {
    let (election, clock) = election(&FakeApi::new(), "a");
    let handle = election.handle();
    handle.renewed(7, clock.reading());
    assert_eq!(handle.check(), Ok(7));
    handle.step_down("enough");
    handle.renewed(7, clock.reading());
    assert!(matches!(handle.check(), Err(NotLeader::Over(_))));
}

#[tokio::test(start_paused = true)]
async fn without_a_watch_a_release_is_noticed_within_the_retry_period() {
    let api = FakeApi::new();
    let (a, b) = leader_and_standby(&api).await;
    api.refuse_watches();
    sleep(seconds(5)).await;
    let handle = a.handle.clone();
    a.releases().await;
    let waited = until_b_leads(&handle, &b.handle).await;
    assert!(waited <= seconds(3) + MOMENT, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_is_shut_down_touches_nothing() {
    let api = FakeApi::new();
    let (a, b) = leader_and_standby(&api).await;
    api.clear_log();
    b.releases().await;
    assert!(!api.log().iter().any(|logged| logged.client == "b"));
    sleep(seconds(30)).await;
    assert!(a.handle.is_leader());
}

#[tokio::test(start_paused = true)]
async fn a_deleted_lease_ends_the_leader_and_is_created_anew_with_a_higher_term() {
    let api = FakeApi::new();
    let (a, b) = leader_and_standby(&api).await;
    api.delete("home", "punctual");
    sleep(MOMENT).await;
    assert!(b.handle.is_leader());
    assert_eq!(b.handle.term(), Some(FIRST_TERM + 1));
    assert!(!a.handle.is_leader());
    let lost = a.ends().await.expect_err("leadership is lost");
    assert!(matches!(lost, Lost::Deleted | Lost::TakenOver { .. }), "{lost:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lease_deleted_and_made_anew_by_a_process_that_never_saw_it_has_a_higher_term() {
    let api = FakeApi::new();
    let a = Replica::start(&api, "a");
    let before = a.handle.acquired().await.expect("acquires");
    a.run.abort();
    api.delete("home", "punctual");
    let second = Replica::start(&api, "b");
    second.clock.step(jiff::SignedDuration::from_secs(8));
    assert!(second.handle.acquired().await.expect("acquires") > before);
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_renewals_take_effect_unanswered_finds_them_by_reading_and_goes_on() {
    let api = FakeApi::new();
    let (a, b) = leader_and_standby(&api).await;
    api.treat("a", Manner::MuteWrites);
    for _ in 0..60 {
        sleep(seconds(1)).await;
        assert!(a.handle.is_leader() && !b.handle.is_leader());
    }
}

#[tokio::test(start_paused = true)]
async fn a_restored_api_server_ends_every_replica_that_saw_what_is_no_more() {
    let api = FakeApi::new();
    let (a, b) = leader_and_standby(&api).await;
    sleep(seconds(30)).await;
    api.restore(5);
    sleep(seconds(5)).await;
    assert_eq!(a.ends().await, Err(Lost::WentBack));
    assert_eq!(b.ends().await, Err(Lost::WentBack));
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_hears_of_changes_after_it_has_read_newer_ones_takes_nothing_for_restored() {
    let api = FakeApi::new();
    let (a, mut b) = leader_and_standby(&api).await;
    a.run.abort();
    api.treat("b", Manner::Slow(seconds(3)));
    // In the middle of a read: what the watch tells meanwhile is taken up after its answer.
    api.clear_log();
    sleep(seconds(4)).await;
    for _ in 0..2 {
        api.edit("home", "punctual", |lease| lease["metadata"]["labels"] = serde_json::json!({"edited": "yes"}));
    }
    assert!(api.log().is_empty(), "the read is under way");
    let term = tokio::select! {
        term = b.handle.acquired() => term.ok(),
        end = &mut b.run => panic!("{end:?}"),
    };
    assert!(term.is_some());
}

#[tokio::test(start_paused = true)]
async fn whatever_is_written_by_hand_somebody_leads_afterwards_and_alone() {
    let edits: [(&str, Value); 9] = [
        ("holderIdentity", json!("somebody-else")),
        ("holderIdentity", json!("")),
        ("holderIdentity", Value::Null),
        ("leaseDurationSeconds", json!(-5)),
        ("leaseDurationSeconds", json!(i32::MAX)),
        ("leaseTransitions", json!(i32::MAX)),
        ("leaseTransitions", Value::Null),
        ("renewTime", json!("9999-12-31T23:59:59.999999Z")),
        ("acquireTime", json!("0000-01-01T00:00:00.000000Z")),
    ];
    for (field, value) in edits {
        let api = FakeApi::new();
        let (a, b) = leader_and_standby(&api).await;
        api.edit("home", "punctual", |lease| lease["spec"][field] = value.clone());
        sleep(seconds(70)).await;
        let leaders = u8::from(a.handle.is_leader()) + u8::from(b.handle.is_leader());
        assert_eq!(leaders, 1, "{field} {value}");
        let spec = &lease(&api)["spec"];
        assert_eq!(spec["leaseDurationSeconds"], 15, "{field} {value}");
        assert!(spec["leaseTransitions"].as_i64() >= Some(FIRST_TERM) || value.is_null(), "{field} {value}: {spec}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_without_a_spec_is_taken_and_labels_on_it_are_kept() {
    let api = FakeApi::new();
    api.edit("home", "punctual", |lease| {
        lease["metadata"]["labels"] = json!({"team": "a"});
        lease["spec"] = Value::Null;
    });
    let a = Replica::start(&api, "a");
    assert_eq!(a.handle.acquired().await, Ok(1));
    api.edit("home", "punctual", |lease| lease["metadata"]["annotations"] = json!({"note": "b"}));
    sleep(seconds(30)).await;
    assert_eq!(a.handle.check(), Ok(1));
    let metadata = &lease(&api)["metadata"];
    assert_eq!((&metadata["labels"]["team"], &metadata["annotations"]["note"]), (&json!("a"), &json!("b")));
}

#[tokio::test(start_paused = true)]
async fn an_acquisition_whose_answer_was_lost_is_found_again() {
    let api = FakeApi::new();
    api.treat("a", Manner::Mute);
    let a = Replica::start(&api, "a");
    sleep(seconds(6)).await;
    assert!(!a.handle.is_leader());
    api.treat("a", Manner::Normal);
    let term = timeout(seconds(6), a.handle.acquired()).await.expect("without waiting for its own expiry");
    assert_eq!(term, Ok(FIRST_TERM));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_stopped_may_not_act_before_any_task_has_run() {
    let api = FakeApi::new();
    let (election, _) = election(&api, "a");
    let handle = election.handle();
    let mut run = Box::pin(election.run(std::future::pending()));
    tokio::select! {
        _ = &mut run => unreachable!("it leads"),
        _ = handle.acquired() => {}
    }
    // From here on nobody polls the election, as if the process had got SIGSTOP.
    advance(seconds(20)).await;
    assert_eq!(handle.check(), Err(NotLeader::Stale));
    assert_eq!(run.await, Err(Lost::DeadlinePassed));
}

#[tokio::test(start_paused = true)]
async fn a_suspended_host_whose_monotonic_clock_stood_still_may_not_act_before_it_has_renewed() {
    let api = FakeApi::new();
    let (a, _b) = leader_and_standby(&api).await;
    a.clock.step(jiff::SignedDuration::from_secs(60));
    assert_eq!(a.handle.check(), Err(NotLeader::Stale));
    sleep(seconds(2)).await;
    assert!(a.handle.is_leader(), "nobody took over, and so it goes on");
    a.clock.step(jiff::SignedDuration::from_secs(-3600));
    assert!(a.handle.is_leader(), "a clock set back says nothing about a pause");
}

#[tokio::test(start_paused = true)]
async fn clocks_ten_minutes_apart_change_nothing() {
    let api = FakeApi::new();
    let (a, b) = leader_and_standby(&api).await;
    b.clock.step(jiff::SignedDuration::from_mins(10));
    sleep(seconds(60)).await;
    assert!(a.handle.is_leader() && !b.handle.is_leader());
    api.treat("a", Manner::Silent);
    let waited = until_b_leads(&a.handle, &b.handle).await;
    assert!(waited >= seconds(13) && waited <= seconds(15) + MOMENT, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_is_denied_the_lease_goes_on_trying() {
    let api = FakeApi::new();
    api.treat("a", Manner::Forbids);
    let a = Replica::start(&api, "a");
    sleep(seconds(300)).await;
    assert!(api.log().len() < 300, "{} requests", api.log().len());
    api.treat("a", Manner::Normal);
    assert!(timeout(seconds(5), a.handle.acquired()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn stepping_down_ends_the_election_and_leaves_the_lease_to_expire() {
    let api = FakeApi::new();
    let (a, b) = leader_and_standby(&api).await;
    a.handle.step_down("the API server refused our term");
    assert!(matches!(a.handle.check(), Err(NotLeader::Over(_))));
    assert_eq!(lease(&api)["spec"]["holderIdentity"], "a");
    let waited = until_b_leads(&a.handle, &b.handle).await;
    assert!(waited >= seconds(13), "{waited:?}");
    let lost = a.ends().await.expect_err("leadership is lost");
    assert_eq!(lost.to_string(), "the API server refused our term");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_election_ends_it() {
    let api = FakeApi::new();
    let (a, _b) = leader_and_standby(&api).await;
    a.run.abort();
    let lost = timeout(MOMENT, a.handle.lost()).await.expect("ended");
    assert_eq!(a.handle.check(), Err(NotLeader::Over(lost.clone())));
    assert_eq!(a.handle.acquired().await, Err(lost));
}

#[tokio::test(start_paused = true)]
async fn of_many_standbys_exactly_one_takes_over() {
    let api = FakeApi::new();
    let a = Replica::start(&api, "a");
    a.handle.acquired().await.expect("acquires");
    let others: Vec<_> = (0..9).map(|number| Replica::start(&api, &format!("b{number}"))).collect();
    sleep(seconds(5)).await;
    a.releases().await;
    sleep(seconds(5)).await;
    assert_eq!(others.iter().filter(|other| other.handle.is_leader()).count(), 1);
    assert_eq!(lease(&api)["spec"]["leaseTransitions"], FIRST_TERM + 1);
}

#[test]
fn identities_are_never_the_same() {
    let (one, two) = (random_identity(), random_identity());
    assert_ne!(one, two);
    let (host, random) = one.rsplit_once('_').expect("host and random part");
    assert!(!host.is_empty() && random.len() == 10);
}
