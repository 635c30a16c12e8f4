//! Downtime, pauses and edits: what was missed is decided once, and nothing from before a change
//! starts because of it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Story, job_slot, now, second, seconds_from_now, story};

/// The slots of a Schedule that have, or had, a Job.
fn started(story: &Story, name: &str) -> BTreeSet<i64> {
    story.jobs_of(name).iter().map(job_slot).collect()
}

/// The entries of a Schedule's outcomes of one kind.
fn outcomes(status: &Value, outcome: &str) -> Vec<Value> {
    let entries = status["outcomes"].as_array().cloned().unwrap_or_default();
    entries.into_iter().filter(|it| it["outcome"] == outcome).collect()
}

fn count(status: &Value, outcome: &str) -> i64 {
    status["counts"]["slots"][outcome].as_i64().unwrap_or_default()
}

#[test]
fn after_downtime_the_latest_slot_runs_and_the_others_go_into_it() {
    story(async |story| {
        let (a, b) = (story.operator("a").await, story.operator("b").await);
        let first = seconds_from_now(4);
        story.schedule("tick", &format!("trigger: {{interval: {{every: 3s, startTime: \"{first}\"}}}}"), "").await;
        story.until_job("tick", first).await;
        a.kill9().await;
        b.kill9().await;
        let before = started(story, "tick");
        let missed = story.next_slot(first, 3);
        story.until_past(Timestamp::from_second(missed + 4 * 3 + 1).unwrap()).await;

        let _again = story.operator("c").await;
        story.until_status("tick", "the missed slots are decided", |it| count(it, "Coalesced") > 0).await;
        let status = story.every_slot_has_its_outcome("tick", first, 3).await;
        let coalesced = outcomes(&status, "Coalesced").remove(0);
        let into = second(&coalesced, "/into");
        // The first may be one more: killed in the second of a slot, before it was decided.
        assert!(coalesced["count"].as_i64() >= Some(4), "{coalesced}");
        assert!(into >= missed + 4 * 3, "the newest runs: {coalesced}");
        let between: Vec<i64> =
            started(story, "tick").into_iter().filter(|it| !before.contains(it) && *it < into).collect();
        assert_eq!(between, Vec::<i64>::new(), "and no other from the downtime");
        assert!(started(story, "tick").contains(&into));
    });
}

#[test]
fn after_a_pause_over_five_slots_the_catch_up_policy_chooses() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let first = seconds_from_now(4);
        let policies = ["None", "Latest", "Earliest", "All"];
        for policy in policies {
            let spec = format!(
                "trigger: {{interval: {{every: 3s, startTime: \"{first}\"}}}}\ncatchUp: {{policy: {policy}}}\nconcurrency: {{policy: Allow}}"
            );
            story.schedule(&policy.to_lowercase(), &spec, "").await;
        }
        for name in policies.map(str::to_lowercase) {
            story.until_job(&name, first).await;
            story.patch("Schedule", &name, json!({"spec": {"paused": true}})).await;
            story.until_condition(&name, "Paused", "True", "Spec").await;
        }
        let paused_from = story.next_slot(first, 3);
        let paused_through = paused_from + 4 * 3;
        story.until_past(Timestamp::from_second(paused_through + 1).unwrap()).await;
        for name in policies.map(str::to_lowercase) {
            assert_eq!(story.status(&name).await["state"], "Paused");
            assert_eq!(started(story, &name).range(paused_from..).count(), 0, "{name} is paused");
            story.patch("Schedule", &name, json!({"spec": {"paused": false}})).await;
        }
        for policy in policies {
            check_what_a_pause_left(story, policy, first, (paused_from, paused_through)).await;
        }
    });
}

/// What became of the slots of a pause. It may have covered one or two more than it was meant to.
async fn check_what_a_pause_left(story: &Story, policy: &str, first: Timestamp, (from, through): (i64, i64)) {
    let name = policy.to_lowercase();
    let status = story.until_status(&name, "the end of the pause is noted", |it| it["lastResume"].is_object()).await;
    let resume = &status["lastResume"];
    let of = |field: &str| resume[field].as_i64().unwrap();
    assert!(of("missed") >= 5, "{name}: {resume}");
    assert_eq!(of("started") + of("dropped"), of("missed"), "{name}: {resume}");
    // Later slots start as if nothing had been.
    story.until_job(&name, Timestamp::from_second(story.next_slot(first, 3)).unwrap()).await;
    let status = story.every_slot_has_its_outcome(&name, first, 3).await;
    let chosen: Vec<i64> = started(story, &name).range(from..=through).copied().collect();
    match policy {
        "None" => {
            assert_eq!(chosen, [] as [i64; 0]);
            assert!(count(&status, "SkippedPaused") >= 5, "{status}");
        }
        "Latest" => {
            assert!(chosen.iter().all(|slot| *slot == through), "{chosen:?}");
            assert_eq!(of("started"), 1, "{resume}");
            assert!(count(&status, "Coalesced") >= 4, "{status}");
            assert!(outcomes(&status, "Coalesced").iter().all(|it| second(it, "/into") >= through), "{status}");
        }
        "Earliest" => {
            assert!(chosen.len() <= 1 && chosen.iter().all(|slot| *slot == from), "{chosen:?}");
            assert_eq!(of("started"), 1, "{resume}");
            assert!(outcomes(&status, "Coalesced").iter().all(|it| second(it, "/into") <= from), "{status}");
        }
        _ => {
            assert_eq!(chosen, (0..5).map(|k| from + 3 * k).collect::<Vec<_>>());
            assert_eq!(of("dropped"), 0, "{resume}");
        }
    }
}

#[test]
fn an_edit_of_the_trigger_starts_nothing_from_before_it() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let first = seconds_from_now(3);
        story
            .schedule(
                "tick",
                &format!("paused: true\ntrigger: {{interval: {{every: 2s, startTime: \"{first}\"}}}}"),
                "",
            )
            .await;
        story.until_condition("tick", "Paused", "True", "Spec").await;
        story.until_past(Timestamp::from_second(first.as_second() + 4).unwrap()).await;

        // Two slots wait for the end of the pause. The new trigger has many in the past, too.
        let edited = now().as_second();
        let start = Timestamp::from_second(edited - 3599).unwrap();
        let later = Timestamp::from_second(story.next_slot(start, 5) + 5).unwrap();
        let trigger = json!({"interval": {"every": "5s", "startTime": start.to_string()}});
        story.patch("Schedule", "tick", json!({"spec": {"paused": false, "trigger": trigger}})).await;

        story.until_job("tick", later).await;
        let status = story.until_status("tick", "the old slots are told of", |it| count(it, "Superseded") == 1).await;
        assert!(started(story, "tick").iter().all(|slot| *slot > edited), "{:?}", started(story, "tick"));
        let superseded = &outcomes(&status, "Superseded")[0];
        assert!(
            second(superseded, "/slotTime") <= first.as_second() && second(superseded, "/lastSlotTime") >= edited,
            "{superseded}"
        );
        assert_eq!(superseded["count"], Value::Null, "how many there were, nobody can tell");
        assert_eq!(count(&status, "Coalesced") + count(&status, "SkippedPaused"), 0, "{status}");
        assert!(second(&status, "/epoch/since") >= edited);
    });
}

#[test]
fn applying_the_same_again_writes_nothing() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let spec = "trigger: {cron: \"0 0 1 1 *\"}";
        story.schedule("yearly", spec, "").await;
        story.until_status("yearly", "its template was tried", |it| it["templateCheckedGeneration"] == 1).await;
        let before = story.get("Schedule", "yearly").await.unwrap();
        story.schedule("yearly", spec, "").await;
        let annotated =
            story.patch("Schedule", "yearly", json!({"metadata": {"annotations": {"seen": "by a tool"}}})).await;
        // What comes later through the same watch has been looked at: so was this.
        story.schedule("another", spec, "").await;
        story.until_condition("another", "Ready", "True", "Scheduled").await;
        let after = story.get("Schedule", "yearly").await.unwrap();
        assert_eq!(after["metadata"]["resourceVersion"], annotated["metadata"]["resourceVersion"]);
        assert_eq!(after["status"], before["status"]);
        assert_eq!(after["metadata"]["generation"], 1);
    });
}
