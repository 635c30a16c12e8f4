//! Run Leases in virtual time against an API server in memory.

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;
use crate::leadership::fake::{FakeApi, Manner};
use crate::leadership::{Config, Election};

const MOMENT: Duration = Duration::from_millis(100);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn run_ref(name: &str) -> RunRef {
    RunRef { namespace: "shop".to_owned(), job_name: name.to_owned(), job_uid: format!("uid-of-{name}") }
}

struct Operator {
    leader: LeaderHandle,
    leases: RunLeasesHandle,
    election: JoinHandle<()>,
    upkeep: JoinHandle<()>,
}

/// A replica that leads; its run Leases use the client `<name>-runs`.
async fn operator(api: &FakeApi, name: &str) -> Operator {
    let clock = Clock::simulated("2026-03-01T12:00:00Z".parse().expect("a time"));
    let config = Config { identity: name.to_owned(), ..Config::new("home") };
    let election = Election::new(api.client(name), config, clock.clone());
    let leader = election.handle();
    let election = tokio::spawn(async {
        let _ = election.run(std::future::pending()).await;
    });
    leader.acquired().await.expect("acquires");
    let run_leases = RunLeases::new(api.client(&format!("{name}-runs")), leader.clone(), clock, DEFAULT_DURATION);
    let leases = run_leases.handle();
    let upkeep = tokio::spawn(run_leases.run(std::future::pending()));
    leases.set("s".to_owned(), vec![]);
    sleep(MOMENT).await;
    Operator { leader, leases, election, upkeep }
}

fn spec(api: &FakeApi, name: &str) -> Value {
    api.lease("shop", name).expect("there is a Lease")["spec"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_run_has_a_lease_of_its_job_for_as_long_as_it_is_active() {
    let api = FakeApi::new();
    let operator = operator(&api, "a").await;
    operator.leases.set("s".to_owned(), vec![run_ref("job")]);
    sleep(MOMENT).await;
    let lease = api.lease("shop", "job").expect("there is a Lease");
    let owner = json!([{
        "apiVersion": "batch/v1", "kind": "Job", "name": "job", "uid": "uid-of-job", "blockOwnerDeletion": false,
    }]);
    assert_eq!(lease["metadata"]["ownerReferences"], owner);
    assert_eq!(lease["metadata"]["labels"], json!({"app.kubernetes.io/managed-by": "punctual"}));
    let acquired = lease["spec"]["acquireTime"].clone();
    let fresh = json!({
        "holderIdentity": "a", "leaseDurationSeconds": 120, "leaseTransitions": 0,
        "acquireTime": acquired, "renewTime": acquired,
    });
    assert_eq!(lease["spec"], fresh);

    sleep(seconds(600)).await;
    assert_ne!(spec(&api, "job")["renewTime"], acquired);
    assert_eq!(spec(&api, "job")["acquireTime"], acquired);
    assert_eq!(operator.leases.held(), 1);

    operator.leases.remove("s".to_owned());
    sleep(MOMENT).await;
    assert_eq!((api.lease("shop", "job"), operator.leases.held()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_adopts_what_it_inherits_within_one_duration() {
    let api = FakeApi::new();
    let first = operator(&api, "a").await;
    let names: Vec<String> = (0..20).map(|number| format!("job-{number}")).collect();
    let runs: Vec<RunRef> = names.iter().map(|name| run_ref(name)).collect();
    first.leases.set("s".to_owned(), runs.clone());
    sleep(MOMENT).await;
    first.election.abort();
    sleep(MOMENT).await;
    assert!(first.upkeep.is_finished(), "it stops with leadership");

    let clock = Clock::simulated("2026-03-01T12:00:30Z".parse().expect("a time"));
    let config = Config { identity: "b".to_owned(), ..Config::new("home") };
    let election = Election::new(api.client("b"), config, clock.clone());
    let leader = election.handle();
    tokio::spawn(election.run(std::future::pending()));
    leader.acquired().await.expect("acquires");
    let run_leases = RunLeases::new(api.client("b-runs"), leader, clock, DEFAULT_DURATION);
    run_leases.handle().set("s".to_owned(), runs);
    tokio::spawn(run_leases.run(std::future::pending()));
    sleep(seconds(60)).await;
    let adopted = |name: &&String| spec(&api, name)["holderIdentity"] == "b";
    assert!((4..=16).contains(&names.iter().filter(adopted).count()));
    sleep(seconds(61)).await;
    for name in &names {
        let spec = spec(&api, name);
        assert_eq!((&spec["holderIdentity"], &spec["leaseTransitions"]), (&json!("b"), &json!(1)), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ended_while_nobody_led_loses_its_lease() {
    let api = FakeApi::new();
    let first = operator(&api, "a").await;
    first.leases.set("s".to_owned(), vec![run_ref("ended"), run_ref("active")]);
    sleep(MOMENT).await;
    first.election.abort();
    sleep(MOMENT).await;

    let clock = Clock::simulated("2026-03-01T12:00:30Z".parse().expect("a time"));
    let config = Config { identity: "b".to_owned(), ..Config::new("home") };
    let election = Election::new(api.client("b"), config, clock.clone());
    let leader = election.handle();
    tokio::spawn(election.run(std::future::pending()));
    leader.acquired().await.expect("acquires");
    let run_leases = RunLeases::new(api.client("b-runs"), leader, clock, DEFAULT_DURATION);
    let leases = run_leases.handle();
    leases.ended("s", vec![run_ref("ended"), run_ref("without-lease")]);
    leases.set("s".to_owned(), vec![run_ref("active")]);
    tokio::spawn(run_leases.run(std::future::pending()));
    sleep(DEFAULT_DURATION / 8 + MOMENT).await;
    assert_eq!(api.lease("shop", "ended"), None);
    assert!(api.lease("shop", "active").is_some());
    sleep(DEFAULT_DURATION).await;
    assert_eq!(spec(&api, "active")["holderIdentity"], "b");
    assert_eq!((api.lease("shop", "without-lease"), leases.held()), (None, 1));
}

#[tokio::test(start_paused = true)]
async fn what_others_do_to_a_run_lease_is_put_right_with_the_next_renewal() {
    let api = FakeApi::new();
    let operator = operator(&api, "a").await;
    operator.leases.set("s".to_owned(), vec![run_ref("edited"), run_ref("deleted")]);
    sleep(MOMENT).await;
    api.edit("shop", "edited", |lease| {
        lease["spec"]["holderIdentity"] = json!("somebody-else");
        lease["spec"]["renewTime"] = json!("9999-12-31T23:59:59.999999Z");
        lease["spec"]["leaseDurationSeconds"] = json!(-1);
    });
    api.delete("shop", "deleted");
    sleep(seconds(61)).await;
    let edited = spec(&api, "edited");
    assert_eq!((&edited["holderIdentity"], &edited["leaseTransitions"]), (&json!("a"), &json!(1)));
    assert_eq!(edited["leaseDurationSeconds"], 120);
    assert_eq!(spec(&api, "deleted")["holderIdentity"], "a");
}

#[tokio::test(start_paused = true)]
async fn an_old_lease_of_the_same_name_is_taken_over_with_its_owner() {
    let api = FakeApi::new();
    let operator = operator(&api, "a").await;
    api.edit("shop", "job", |lease| {
        lease["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "old"}]);
        lease["spec"] = json!({"holderIdentity": "old", "leaseTransitions": 4});
    });
    operator.leases.set("s".to_owned(), vec![run_ref("job")]);
    sleep(MOMENT).await;
    let lease = api.lease("shop", "job").expect("there is a Lease");
    assert_eq!(lease["metadata"]["ownerReferences"][0]["uid"], "uid-of-job");
    assert_eq!((&lease["spec"]["holderIdentity"], &lease["spec"]["leaseTransitions"]), (&json!("a"), &json!(5)));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_became_somebody_elses_is_not_deleted() {
    let api = FakeApi::new();
    let operator = operator(&api, "a").await;
    operator.leases.set("s".to_owned(), vec![run_ref("job")]);
    sleep(MOMENT).await;
    api.treat("a-runs", Manner::Slow(seconds(1)));
    operator.leases.set("s".to_owned(), vec![]);
    sleep(MOMENT).await;
    api.edit("shop", "job", |lease| lease["metadata"]["labels"] = json!({"team": "b"}));
    sleep(seconds(300)).await;
    assert_eq!(api.lease("shop", "job").expect("still there")["metadata"]["labels"]["team"], "b");
}

#[tokio::test(start_paused = true)]
async fn answers_that_get_lost_leave_the_leases_right_in_the_end() {
    for manner in [Manner::Silent, Manner::Mute, Manner::Overloaded, Manner::Forbids] {
        let api = FakeApi::new();
        let operator = operator(&api, "a").await;
        operator.leases.set("s".to_owned(), vec![run_ref("over")]);
        sleep(MOMENT).await;
        api.treat("a-runs", manner);
        operator.leases.set("s".to_owned(), vec![run_ref("job")]);
        sleep(seconds(300)).await;
        api.treat("a-runs", Manner::Normal);
        sleep(seconds(75)).await;
        assert_eq!(spec(&api, "job")["holderIdentity"], "a", "{manner:?}");
        assert_eq!(api.lease("shop", "over"), None, "{manner:?}");
        assert!(operator.leader.is_leader());
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_without_the_right_to_act() {
    let api = FakeApi::new();
    let operator = operator(&api, "a").await;
    api.treat("a", Manner::Silent);
    sleep(Duration::from_millis(8_500)).await;
    assert!(!operator.leader.is_leader());
    api.clear_log();
    operator.leases.set("s".to_owned(), vec![run_ref("job")]);
    sleep(seconds(30)).await;
    assert!(operator.upkeep.is_finished());
    assert_eq!(api.log(), vec![]);
}

#[tokio::test(start_paused = true)]
async fn at_most_four_requests_are_under_way_and_all_get_their_turn() {
    let api = FakeApi::new();
    let operator = operator(&api, "a").await;
    api.treat("a-runs", Manner::Slow(seconds(1)));
    api.clear_log();
    let runs = (0..40).map(|number| run_ref(&format!("job-{number}"))).collect();
    operator.leases.set("s".to_owned(), runs);
    sleep(seconds(5)).await;
    let creates = || api.log().iter().filter(|logged| logged.method == http::Method::POST).count();
    assert!((16..=20).contains(&creates()), "{}", creates());
    sleep(seconds(6)).await;
    assert_eq!((creates(), operator.leases.held()), (40, 40));
}

#[test]
fn a_handle_that_is_off_ignores_what_it_is_told() {
    let handle = RunLeasesHandle::off();
    handle.set("s".to_owned(), vec![run_ref("job")]);
    assert_eq!(handle.held(), 0);
}
