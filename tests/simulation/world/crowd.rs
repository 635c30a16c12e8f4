//! More Schedules are due at once than are looked at at once.

use std::collections::BTreeMap;

use punctual::decide::job::ANNOTATION_SLOT_TIME;
use serde_json::{Value, json};

use super::crash_points::Kind;
use super::play::{play, play_noting};
use super::scenario::{Given, Scenario};
use super::time::At;

const SCHEDULES: usize = 7;

/// All are due every 40 seconds; one replica looks at two of them at once.
fn crowd() -> Scenario {
    let spec = json!({
        "trigger": {"interval": {"every": "40s", "startTime": "2026-03-01T00:00:00Z"}},
        "jobTemplate": {"spec": {"template": {
            "metadata": {"annotations": {"simulation/behaviour": json!({"seconds": 5}).to_string()}},
            "spec": {"containers": [{"name": "main", "image": "work:1"}]},
        }}},
    });
    Scenario {
        seed: 1,
        replicas: 1,
        requests_at_once: 64,
        looks_at_once: 2,
        schedules: (0..SCHEDULES).map(|it| Given { name: format!("crowd-{it}"), spec: spec.clone() }).collect(),
        acts: Vec::new(),
        calm: At(130_000),
        rest_millis: 200_000,
    }
}

#[test]
fn all_that_are_due_start_before_any_of_them_is_recorded() {
    let scenario = crowd();
    let writes = play_noting(&scenario);
    let mut creates: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, write) in writes.iter().enumerate().filter(|(_, it)| it.kind() == Some(Kind::CreateJob)) {
        let job: Value = serde_json::from_slice(&write.body).unwrap();
        let slot = job["metadata"]["annotations"][ANNOTATION_SLOT_TIME].as_str().unwrap();
        creates.entry(slot.to_owned()).or_default().push(index);
    }
    assert!(creates.len() >= 5, "{} slots", creates.len());
    for (slot, creates) in creates {
        assert_eq!(creates.len(), SCHEDULES, "of slot {slot}");
        let meanwhile = &writes[creates[0]..creates[SCHEDULES - 1]];
        let recorded = meanwhile.iter().filter(|it| it.kind() == Some(Kind::ScheduleStatus)).count();
        assert_eq!(recorded, 0, "statuses written before the last start of slot {slot}");
    }
    assert!(play(&scenario).is_ok(), "no promise is broken");
}
