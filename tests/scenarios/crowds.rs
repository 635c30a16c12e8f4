//! A hundred runs of one Schedule at once: how large its status gets, and who waits.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use punctual::api::Duration;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Creates};
use crate::job::Behavior;
use crate::times::Times;
use crate::world::World;

const BEGIN: &str = "2026-06-01T10:00:00Z";

#[test]
fn status_stays_small_whatever_users_write() {
    let mut world = crowded(Value::Null);
    let nasty = "\"\\\n".repeat(1000);
    for (seconds, behavior) in [
        (600, Behavior { message: nasty.clone(), ..Behavior::default() }),
        (600, Behavior { message: nasty.clone(), exit_code: 1, ..Behavior::default() }),
        (1200, Behavior { never_ready: Some(nasty), ..Behavior::default() }),
    ] {
        world.cluster.behavior = behavior;
        world.run_until(world.cluster.now + SignedDuration::from_secs(seconds));
    }
    assert_eq!(world.most_at_work, 100);
    assert!(world.complaints.is_empty(), "{:?}", world.complaints.first());
}

#[test]
fn status_stays_small_with_a_hundred_runs_that_wait_to_be_tried_again() {
    let mut world = crowded(json!({"limit": 1, "delay": "1h", "maxDelay": "1h"}));
    let message = "\"\\\n".repeat(1000);
    world.cluster.behavior =
        Behavior { takes: Duration::from_seconds(1), message, exit_code: 1, ..Behavior::default() };
    world.run_until(world.cluster.now + SignedDuration::from_secs(1200));
    assert_eq!(world.cluster.schedule.status["activeRuns"], 100);
    assert!(world.complaints.is_empty(), "{:?}", world.complaints.first());
}

#[test]
fn no_more_than_a_hundred_wait_when_runs_by_hand_and_slots_are_refused() {
    let mut world = crowded(Value::Null);
    world.cluster.creates = Creates::QuotaExceeded;
    (0..110).for_each(|number| world.create_run(&format!("run-{number}")));
    world.run_until(world.cluster.now + SignedDuration::from_secs(20));
    assert!(world.complaints.is_empty(), "{:?}", world.complaints.first());
    assert_eq!(world.cluster.schedule.status["queuedRuns"], 100);
    world.cluster.creates = Creates::Accepted;
    world.run_until(world.cluster.now + SignedDuration::from_secs(150));
    assert!(world.complaints.is_empty(), "{:?}", world.complaints.first());
    // Those for which there was no room have met the others at work since.
    let over = world.cluster.schedule_runs.values().filter(|it| it.read_status().outcome.is_some());
    assert_eq!(over.count(), 110);
}

/// A Schedule whose runs may all be active at once.
fn crowded(retry: Value) -> World {
    let begin: Timestamp = BEGIN.parse().expect("a time");
    let spec = json!({
        "trigger": {"interval": {"every": "10s"}}, "concurrency": {"policy": "Allow"}, "retry": retry,
        "resultTTL": "1d", "resultLimit": 50, "failedResultLimit": 50,
        "jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "work:1"}]}}}},
    });
    let cluster = Cluster::new(begin, spec, Behavior::default(), BTreeMap::new());
    World::new(cluster, Times::on("2026-06-01").expect("a date"))
}
