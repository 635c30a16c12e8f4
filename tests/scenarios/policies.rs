//! What starts after a pause or downtime, as computed elsewhere: by APScheduler's own tests, by
//! running it, and from its rules. Times are seconds from a first slot.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use punctual::time::Slot;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::job::Behavior;
use crate::times::Times;
use crate::world::World;

const VECTORS: &str = include_str!("policies.json");
const BEGIN: &str = "2026-06-01T10:00:00Z";

#[test]
fn all_vectors_pass() {
    let vectors: Value = serde_json::from_str(VECTORS).expect("JSON");
    let mut played = BTreeMap::new();
    for vector in vectors["policies"].as_array().expect("a list") {
        let kind = text(vector, "kind");
        match kind {
            "pause_resume" => {
                resume(vector, Absence::Pause);
                // The same holds when it was the operator that was away.
                resume(vector, Absence::Downtime);
            }
            "misfire" => misfire(vector),
            "coalesce" => coalesce(vector),
            "jitter" if vector["rule"].is_string() => jitter_within_bounds(vector),
            "jitter" => jitter_and_deadline(vector),
            other => unreachable!("{other}: {vector}"),
        }
        *played.entry(kind).or_insert(0) += 1;
    }
    assert_eq!(Vec::from_iter(played), [("coalesce", 3), ("jitter", 2), ("misfire", 3), ("pause_resume", 15)]);
}

#[derive(Clone, Copy, PartialEq)]
enum Absence {
    Pause,
    Downtime,
}

impl Absence {
    fn begin(self, world: &mut World) {
        match self {
            Self::Pause => world.edit(&json!({"paused": true})),
            Self::Downtime => world.stop_operator(),
        }
    }

    fn end(self, world: &mut World, edit: &Value) {
        world.edit(edit);
        match self {
            Self::Pause => world.edit(&json!({"paused": false})),
            Self::Downtime => world.start_operator(),
        }
    }
}

fn resume(vector: &Value, absence: Absence) {
    let resumed = number(vector, "resume_at_offset");
    let since = match &vector["resume_from"] {
        Value::String(from) if from == "leave_off" => None,
        Value::String(from) if from == "now" => Some(resumed),
        from => Some(number(from, "offset")),
    };
    let mut world = world(number(vector, "interval_seconds"), number(vector, "first_fire_offset"), vector, json!({}));
    run_until(&mut world, number(vector, "paused_from_offset"));
    absence.begin(&mut world);
    run_until(&mut world, resumed);
    assert_eq!(
        starts(&world).len(),
        usize::try_from(number(vector, "jobs_while_paused")).expect("a count"),
        "{vector}"
    );
    absence.end(&mut world, &json!({"catchUp": {"since": since.map(|it| instant(it).to_string())}}));
    run_until(&mut world, resumed);
    let expected: Vec<i64> = vector["expected_job_offsets"].as_array().expect("a list").iter().map(as_number).collect();
    assert_eq!(slots(&world), expected, "{vector}\n{}", world.log.join("\n"));
    let last = world.cluster.schedule.status["lastScheduleTime"].as_str().map(|it| it.parse().expect("a time"));
    assert_eq!(last, vector["last_fire_offset"].as_i64().map(instant), "{vector}");
    check_next(&mut world, expected.len(), vector);
}

fn misfire(vector: &Value) {
    let grace = vector["misfire_grace_seconds"].as_i64().map(|it| format!("{it}s"));
    let jobs = vector["jobs"].as_array().expect("a list");
    let first = number(&jobs[0], "offset");
    let mut world = world(number(vector, "interval_seconds"), first, vector, json!({"startingDeadline": grace}));
    run_until(&mut world, first - 1);
    world.stop_operator();
    run_until(&mut world, number(vector, "evaluated_at_offset"));
    world.start_operator();
    run_until(&mut world, number(vector, "evaluated_at_offset"));
    let expected: Vec<i64> = jobs.iter().filter(|it| it["started"] == true).map(|it| number(it, "offset")).collect();
    assert_eq!(slots(&world), expected, "{vector}\n{}", world.log.join("\n"));
}

fn coalesce(vector: &Value) {
    let (first, now) = (number(vector, "start_offset"), number(vector, "now_offset"));
    let mut world = world(number(vector, "interval_seconds"), first, vector, json!({}));
    run_until(&mut world, first - 1);
    world.stop_operator();
    run_until(&mut world, now);
    world.start_operator();
    run_until(&mut world, now);
    let count = number(vector, "expected_jobs");
    let expected: Vec<i64> =
        (0..count).map(|it| number(vector, "first_job_offset") + it * number(vector, "job_spacing")).collect();
    assert_eq!(slots(&world), expected, "{vector}\n{}", world.log.join("\n"));
    check_next(&mut world, expected.len(), vector);
}

/// The delay is our own, and in whole seconds: nothing is drawn.
fn jitter_and_deadline(vector: &Value) {
    let nominal = number(vector, "nominal_offset");
    let grace = number(vector, "misfire_grace_seconds");
    let delay_expected = vector["drawn_jitter"].as_f64() == vector["expected_scheduled_offset"].as_f64();
    assert!(delay_expected, "the planned start is slot plus delay: {vector}");
    let spec = json!({"jitter": format!("{}s", number(vector, "max_jitter")), "startingDeadline": format!("{grace}s")});
    let begin = || world(3600, nominal, vector, spec.clone());
    let mut on_time = begin();
    run_until(&mut on_time, nominal + 60);
    let [(slot, planned)]: [_; 1] = starts(&on_time).try_into().expect("one start");
    assert_eq!(slot, number(vector, "expected_original_offset"), "{vector}");
    assert!((nominal..nominal + number(vector, "max_jitter")).contains(&planned), "{planned}: {vector}");
    for (late, count) in [(0, 1), (1, 0)] {
        let mut world = begin();
        world.stop_operator();
        run_until(&mut world, planned + grace + late);
        world.start_operator();
        run_until(&mut world, planned + grace + late);
        assert_eq!(starts(&world).len(), count, "{vector}\n{}", world.log.join("\n"));
    }
}

fn jitter_within_bounds(vector: &Value) {
    let mut delays = BTreeMap::new();
    for (interval, jitter) in [(60, 20), (60, 60), (60, 3600)] {
        let mut world = world(interval, 0, vector, json!({"jitter": format!("{jitter}s")}));
        run_until(&mut world, 40 * interval);
        for (slot, at) in starts(&world) {
            assert!((slot..slot + interval.min(jitter)).contains(&at), "{slot} at {at}: {vector}");
            *delays.entry(at - slot).or_insert(0) += 1;
        }
    }
    assert!(delays.len() > 30, "{delays:?}");
}

/// The next start is that of the slot expected.
fn check_next(world: &mut World, started: usize, vector: &Value) {
    let next = number(vector, "next_fire_offset");
    let announced = world.cluster.schedule.status["nextSlotTime"].as_str().map(|it| it.parse().expect("a time"));
    assert_eq!(announced, Some(instant(next)), "{vector}");
    run_until(world, next);
    assert_eq!(starts(world).get(started..), Some([(next, next)].as_slice()), "{vector}\n{}", world.log.join("\n"));
}

/// A Schedule from a minute before its first slot on.
fn world(interval: i64, first: i64, vector: &Value, more: Value) -> World {
    let policy = vector["coalesce"].as_str().map(|it| it[..1].to_uppercase() + &it[1..]);
    let mut spec = json!({
        "trigger": {"interval": {"every": format!("{interval}s"), "startTime": instant(first).to_string()}},
        "catchUp": {"policy": policy, "limit": 100},
        "concurrency": {"policy": "Allow"},
        "jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "work:1"}]}}}},
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    let cluster = Cluster::new(instant(first - 60), spec, Behavior::default(), BTreeMap::new());
    let mut world = World::new(cluster, Times::on("2026-06-01").expect("a date"));
    run_until(&mut world, first - 60);
    world
}

fn run_until(world: &mut World, offset: i64) {
    world.run_until(instant(offset));
    assert!(world.complaints.is_empty(), "{:?}", world.complaints);
}

/// Slots and when they started.
fn starts(world: &World) -> Vec<(i64, i64)> {
    let offset = |at: Timestamp| at.duration_since(instant(0)).as_secs();
    let of = |slot: &Option<Slot>| offset(slot.expect("all Jobs are ours").timestamp());
    world.cluster.created.iter().map(|job| (of(&job.slot()), offset(job.created))).collect()
}

fn slots(world: &World) -> Vec<i64> {
    starts(world).into_iter().map(|(slot, _)| slot).collect()
}

fn instant(offset: i64) -> Timestamp {
    BEGIN.parse::<Timestamp>().expect("a time") + SignedDuration::from_secs(offset)
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().expect(name)
}

fn number(vector: &Value, name: &str) -> i64 {
    as_number(&vector[name])
}

fn as_number(value: &Value) -> i64 {
    value.as_i64().expect("a whole number")
}
