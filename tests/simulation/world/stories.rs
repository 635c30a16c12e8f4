//! Stories in which only one guard of the operator stands between what goes wrong and a promise. A
//! seed may tell them, too; here each is told for certain.

use punctual::operator::LOOKS_AT_ONCE;
use serde_json::{Value, json};

use super::crash_points::{self, Kind};
use super::scenario::{Act, End, Given, Scenario, Timed, Trouble};
use super::time::At;

const SECOND: u64 = 1_000;

/// All of them, each with its name.
pub fn stories() -> Vec<(&'static str, Scenario)> {
    vec![
        ("everything occurs, and nothing goes wrong", crash_points::story()),
        ("a leader is stopped for less time than its Lease lasts", told(2, &every_40_seconds(5), vec![frozen(11)])),
        (
            "a leader that was stopped wakes with a plan in hand",
            told(2, &every_40_seconds(5), vec![create(1, End::FrozenHalfSent, 20)]),
        ),
        (
            "a leader whose host slept wakes with a plan in hand",
            told(2, &every_40_seconds(5), vec![create(1, End::AsleepHalfSent, 20)]),
        ),
        (
            "a leader dies with a Job that it has not recorded, and the next one has not heard of it",
            told(2, &strict(200), vec![lag("jobs"), create(1, End::KilledAnswered, 90)]),
        ),
        (
            "a leader dies with a Job that it has not recorded, and comes back",
            told(1, &strict(200), vec![create(1, End::KilledAnswered, 1)]),
        ),
        (
            "a Job is created, and nobody hears of it for long",
            told(1, &strict(200), vec![lag("jobs"), create(1, End::AnswerLost, 1)]),
        ),
        (
            "a run that is replaced takes its time to end, and the leader that stopped it dies",
            told(
                2,
                &merged(&every_40_seconds(200), &json!({"concurrency": {"policy": "Replace"}})),
                vec![snare(Kind::SuspendJob, 1, End::KilledAnswered, 90)],
            ),
        ),
    ]
}

fn told(replicas: usize, spec: &Value, acts: Vec<Act>) -> Scenario {
    Scenario {
        seed: 1,
        replicas,
        requests_at_once: 64,
        looks_at_once: LOOKS_AT_ONCE,
        schedules: vec![Given { name: "told".into(), spec: spec.clone() }],
        acts: acts.into_iter().map(|act| Timed { at: At(5 * SECOND), act }).collect(),
        calm: At(130 * SECOND),
        rest_millis: 200 * SECOND,
    }
}

/// The first replica, which leads from the beginning, meets this end with its n-th Job.
fn create(nth: u32, end: End, down: u64) -> Act {
    snare(Kind::CreateJob, nth, end, down)
}

fn snare(of: Kind, nth: u32, end: End, down: u64) -> Act {
    Act::Snare { replica: 0, of: Some(of), writes: nth, end, down: down * SECOND }
}

fn frozen(seconds: u64) -> Act {
    Act::Freeze { replica: 0, lasts: seconds * SECOND, host_sleeps: false }
}

/// What happens to the objects of a kind is heard of long afterwards.
fn lag(resource: &'static str) -> Act {
    Act::Trouble { replica: None, trouble: Trouble::Lag { resource, millis: 100 * SECOND }, lasts: 110 * SECOND }
}

/// Slots at 11:59:20, 12:00:00 and so on, whose Jobs take so many seconds, and 15 to end when stopped.
fn every_40_seconds(seconds: u64) -> Value {
    let behaviour = json!({"seconds": seconds, "stops": 15}).to_string();
    json!({
        "trigger": {"interval": {"every": "40s", "startTime": "2026-03-01T00:00:00Z"}},
        "jobTemplate": {"spec": {"template": {
            "metadata": {"annotations": {"simulation/behaviour": behaviour}},
            "spec": {"containers": [{"name": "main", "image": "work:1"}]},
        }}},
    })
}

/// As few runs as possible: never two at once, and none is late.
fn strict(seconds: u64) -> Value {
    merged(
        &every_40_seconds(seconds),
        &json!({"concurrency": {"policy": "Forbid"}, "catchUp": {"policy": "None"}, "startingDeadline": "10s"}),
    )
}

fn merged(spec: &Value, more: &Value) -> Value {
    let mut spec = spec.clone();
    json_patch::merge(&mut spec, more);
    spec
}

#[cfg(test)]
mod tests {
    use super::super::play::play_telling;
    use super::*;

    /// `STORY='a leader dies' cargo test --test simulation -- stories` tells only those that begin so.
    /// `STORY='a leader dies'` plays only those that begin so, and `TELL=1` tells them all.
    #[test]
    fn no_story_breaks_a_promise() {
        let wanted = std::env::var("STORY").unwrap_or_default();
        let told: Vec<_> = stories().into_iter().filter(|(name, _)| name.starts_with(&wanted)).collect();
        assert!(!told.is_empty(), "no story begins with {wanted:?}");
        let mut broken = 0;
        for (name, scenario) in told {
            let (end, story) = play_telling(&scenario);
            if let Err(complaint) = &end {
                eprintln!("the story {name:?} breaks {:?}: {complaint}", complaint.promise);
                broken += 1;
            }
            eprint!("{story}");
        }
        assert_eq!(broken, 0, "stories break promises");
    }
}
