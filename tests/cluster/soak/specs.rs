//! Schedules at random: every kind of trigger, every policy, Jobs that succeed, fail, hang.

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

/// Everything random comes from here, by the seed.
pub struct Dice(StdRng);

impl Dice {
    /// Those of a seed.
    pub fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A number from one up to and including another.
    pub fn number(&mut self, from: i64, to: i64) -> i64 {
        self.0.random_range(from..=to)
    }

    /// True so many times in a hundred.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.0.random_ratio(percent, 100)
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        among.choose(&mut self.0).expect("there is something to choose from")
    }
}

/// A whole Schedule.
pub fn schedule(dice: &mut Dice, name: &str, now: Timestamp) -> Value {
    let mut spec = json!({"trigger": trigger(dice, now), "jobTemplate": job_template(dice)});
    for edit in [concurrency, catch_up, jitter, deadline] {
        edit(dice, now, &mut spec);
    }
    if dice.chance(25) {
        spec["retry"] = json!({"limit": dice.number(1, 3), "delay": format!("{}s", dice.number(2, 10)), "factor": dice.number(1, 2)});
    }
    if dice.chance(60) {
        spec["resultTTL"] = json!(dice.pick(&["3m", "10m", "1h"]));
        spec["resultLimit"] = json!(50);
        spec["failedResultLimit"] = json!(50);
    }
    if dice.chance(8) {
        spec["maxRuns"] = json!(dice.number(3, 10));
    }
    if dice.chance(8) {
        spec["pauseAfterFailures"] = json!(dice.number(2, 4));
    }
    if dice.chance(30) {
        spec["successfulJobsHistoryLimit"] = json!(dice.number(0, 2));
        spec["failedJobsHistoryLimit"] = json!(dice.number(0, 2));
    }
    json!({"apiVersion": "punctual.dev/v1alpha1", "kind": "Schedule", "metadata": {"name": name}, "spec": spec})
}

/// A trigger that asks for a run about once in two minutes.
pub fn trigger(dice: &mut Dice, now: Timestamp) -> Value {
    let zone = *dice.pick(&["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"]);
    let later = |seconds: i64| (now + SignedDuration::from_secs(seconds)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let local = |seconds: i64| {
        let at = (now + SignedDuration::from_secs(seconds)).in_tz(zone).expect("a zone that there is");
        at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
    };
    let (second, minutes) = (dice.number(0, 59), dice.number(1, 5));
    let every = if dice.chance(5) { dice.number(10, 30) } else { dice.number(60, 300) };
    match dice.number(0, 12) {
        0 | 1 => json!({"interval": {"every": format!("{every}s")}}),
        2 => json!({"interval": {"every": format!("{every}s"), "startTime": later(dice.number(-3600, 60))}}),
        3 => json!({"cron": format!("*/{minutes} * * * *"), "timeZone": zone}),
        4 => json!({"cron": format!("{second} */{minutes} * * * *"), "timeZone": zone}),
        5 => json!({"fields": {"minute": format!("*/{minutes}"), "second": second}}),
        6 => {
            let time_of_day = &local(dice.number(30, 400))[11..];
            json!({"calendar": {"days": 1, "timeOfDay": time_of_day}, "timeZone": zone})
        }
        7 => {
            json!({"at": [later(-60), later(dice.number(5, 60)), later(dice.number(61, 300)), later(dice.number(301, 900))]})
        }
        8 => json!({"atLocal": [local(dice.number(5, 90)), local(dice.number(91, 500))], "timeZone": zone}),
        9 => {
            json!({"anyOf": [{"interval": {"every": format!("{}s", 2 * every)}}, {"cron": format!("*/{} * * * *", 2 * minutes)}]})
        }
        10 => json!({"allOf": [{"cron": "*/2 * * * *"}, {"fields": {"minute": "*/3", "second": 0}}]}),
        11 => {
            let from = dice.number(60, 200);
            json!({"cron": "* * * * *", "exclude": [
                {"name": "a-while", "from": later(from), "to": later(from + 200)},
                {"name": "sevenths", "cron": "*/7 * * * *"},
            ]})
        }
        _ => {
            json!({"cron": format!("*/{minutes} * * * *"), "notBefore": later(dice.number(-60, 100)), "notAfter": later(dice.number(200, 3000))})
        }
    }
}

/// Changes one field beside the trigger.
pub fn edit(dice: &mut Dice, now: Timestamp, spec: &mut Value) {
    let edits = [concurrency, catch_up, jitter, deadline];
    dice.pick(&edits)(dice, now, spec);
}

fn concurrency(dice: &mut Dice, _: Timestamp, spec: &mut Value) {
    spec["concurrency"] = match dice.number(0, 9) {
        0 | 1 => json!({"policy": "Allow"}),
        2 => json!({"policy": "Forbid", "limit": 2}),
        3 | 4 => json!({"policy": "Replace"}),
        5 => json!({"policy": "Replace", "limit": 2}),
        6 => json!({"policy": "Queue"}),
        7 => json!({"policy": "Queue", "limit": 2, "queueLimit": 3, "queueFull": "DropOldest"}),
        _ => Value::Null,
    };
    drop_null(spec, "concurrency");
}

fn catch_up(dice: &mut Dice, now: Timestamp, spec: &mut Value) {
    spec["catchUp"] = match dice.number(0, 9) {
        0 => json!({"policy": "Latest"}),
        1 => json!({"policy": "Earliest"}),
        2 | 3 => json!({"policy": "All"}),
        4 => json!({"policy": "All", "limit": 3}),
        5 => json!({"policy": "None"}),
        6 => json!({"policy": "All", "afterPause": "None"}),
        7 => json!({"policy": "None", "afterPause": "All", "maxAge": "2m"}),
        8 => json!({"since": (now + SignedDuration::from_secs(60)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()}),
        _ => Value::Null,
    };
    drop_null(spec, "catchUp");
}

fn jitter(dice: &mut Dice, _: Timestamp, spec: &mut Value) {
    spec["jitter"] = if dice.chance(20) { json!(format!("{}s", dice.number(5, 40))) } else { Value::Null };
    drop_null(spec, "jitter");
}

fn deadline(dice: &mut Dice, _: Timestamp, spec: &mut Value) {
    spec["startingDeadline"] = if dice.chance(20) { json!(dice.pick(&["5s", "30s", "5m"])) } else { Value::Null };
    drop_null(spec, "startingDeadline");
}

fn drop_null(spec: &mut Value, field: &str) {
    if spec[field].is_null() {
        spec.as_object_mut().expect("a spec is an object").remove(field);
    }
}

fn job_template(dice: &mut Dice) -> Value {
    let mut pod = json!({"devcluster/message": format!("said {}", dice.number(0, 9999))});
    let mut job = json!({"backoffLimit": 0});
    match dice.number(0, 99) {
        0..70 => pod["devcluster/duration"] = json!(format!("{}ms", dice.number(200, 3000))),
        70..84 => pod["devcluster/exit-code"] = json!(dice.number(1, 99).to_string()),
        84..96 => pod["devcluster/duration"] = json!(format!("{}s", dice.number(20, 90))),
        _ => {
            pod["devcluster/hang"] = json!("true");
            job["activeDeadlineSeconds"] = json!(20);
        }
    }
    let containers = json!([{"name": "main", "image": "example/work:1"}]);
    job["template"] = json!({"metadata": {"annotations": pod}, "spec": {"containers": containers}});
    json!({"spec": job})
}
