//! Replicas are killed, frozen and told to stop, and Leases are tampered with: no slot runs
//! twice, none is forgotten, and what ran is recorded once.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Operator, Story, job_slot, second, seconds_from_now, story, text};

/// Two replicas, the leader first.
async fn leader_and_standby(story: &Story) -> (Operator, Operator) {
    let leader = story.operator("a").await;
    story.leader(&[&leader]).await;
    let standby = story.operator("b").await;
    story.until_watching(2).await;
    (leader, standby)
}

async fn holder_of(story: &Story, lease: &str) -> String {
    let lease = story.get("Lease", lease).await.unwrap_or_default();
    text(&lease, "/spec/holderIdentity").split('_').next().unwrap_or_default().to_owned()
}

fn one_slot(slot: Timestamp) -> String {
    format!("trigger: {{at: [\"{slot}\"]}}\nresultTTL: 1h")
}

#[test]
fn a_leader_killed_before_it_recorded_a_start_starts_nothing_twice() {
    story(async |story| {
        // Given a leader that can create Jobs, but cannot record that it did.
        let (leader, standby) = leader_and_standby(story).await;
        let slot = seconds_from_now(12);
        story.schedule("once", &one_slot(slot), "devcluster/duration: 2s, devcluster/message: done").await;
        story.until_condition("once", "Ready", "True", "Scheduled").await;
        story.refuse_status_writes("once").await;
        let job = story.until_job("once", slot).await;
        assert_eq!(story.status("once").await["active"], Value::Null, "not recorded");

        // When it is killed, and the next leader can write again.
        leader.kill9().await;
        story.allow().await;
        story.leader(&[&standby]).await;

        // Then that one counts the Job as the start of the slot, and records its end once.
        let status = story.until_status("once", "the run is recorded", |it| it["results"].is_array()).await;
        assert_eq!(status["counts"], json!({"slots": {"Started": 1}, "runs": {"Succeeded": 1}}));
        assert_eq!(status["results"][0]["jobName"], job["metadata"]["name"]);
        assert_eq!(status["results"][0]["message"], "done");
        assert_eq!(story.jobs_of("once").len(), 1);
    });
}

#[test]
fn leaders_killed_in_the_middle_of_a_run_hand_it_on() {
    story(async |story| {
        let (first, second) = leader_and_standby(story).await;
        let third = story.operator("c").await;
        let slot = seconds_from_now(5);
        story.schedule("tick", &format!("trigger: {{interval: {{every: 5s, startTime: \"{slot}\"}}}}"), "").await;
        story.schedule("long", &one_slot(slot), "devcluster/duration: 40s").await;

        // When the leader dies in the moment in which Jobs appear,
        let job = story.until_job("long", slot).await;
        first.kill9().await;
        let next = story.leader(&[&second, &third]).await.to_owned();
        let (leader, last) = if next == "b" { (second, third) } else { (third, second) };
        // and the next one when it has taken the run over,
        let name = text(&job, "/metadata/name").to_owned();
        let is_held = async || (holder_of(story, &name).await == next).then_some(());
        story.until("the next leader looks after the run", is_held).await;
        leader.kill9().await;
        story.leader(&[&last]).await;

        // then the third one sees the run end, and records it once;
        let status = story.until_status("long", "the run is recorded", |it| it["results"].is_array()).await;
        assert_eq!(status["counts"], json!({"slots": {"Started": 1}, "runs": {"Succeeded": 1}}));
        assert!(
            story.until("the Lease is gone", async || story.get("Lease", &name).await.is_none().then_some(true)).await
        );
        // every slot in between has its outcome, and later ones are on time.
        let later = second_after(&story.status("tick").await, slot);
        let delay = second_of(&story.until_job("tick", later).await) - later.as_second();
        assert!((0..=3).contains(&delay), "{delay} s late");
        story.every_slot_has_its_outcome("tick", slot, 5).await;
    });
}

/// The second slot of a tick of five seconds after the mark.
fn second_after(status: &Value, first: Timestamp) -> Timestamp {
    let decided = second(status, "/decidedThrough") - first.as_second();
    Timestamp::from_second(first.as_second() + (decided.div_euclid(5) + 2) * 5).unwrap()
}

fn second_of(job: &Value) -> i64 {
    second(job, "/metadata/creationTimestamp")
}

#[test]
fn a_leader_told_to_stop_hands_over_at_once() {
    story(async |story| {
        // Given Leases so long that waiting for one to run out would be noticed.
        let long = "--leader-lease-duration=60s --leader-renew-deadline=40s --leader-retry-period=5s";
        let server = story.server();
        let leader = story.operator_with("a", long, server).await;
        story.leader(&[&leader]).await;
        let standby = story.operator_with("b", long, server).await;
        let slot = seconds_from_now(4);
        story.schedule("tick", &format!("trigger: {{interval: {{every: 2s, startTime: \"{slot}\"}}}}"), "").await;
        story.until_job("tick", slot).await;

        let begin = Instant::now();
        let end = leader.sigterm().await;
        story.leader(&[&standby]).await;
        assert!(begin.elapsed() < Duration::from_secs(20), "took over after {:?}", begin.elapsed());
        assert!(end.success(), "{end}");
        story
            .until("the standby starts slots", async || {
                let term = story.get("Lease", "punctual").await?["spec"]["leaseTransitions"].to_string();
                let jobs = story.jobs_of("tick");
                jobs.iter()
                    .any(|job| text(job, "/metadata/annotations/punctual.dev~1leader-term") == term)
                    .then_some(())
            })
            .await;
        let _ = story.every_slot_has_its_outcome("tick", slot, 2).await;
    });
}

#[test]
fn no_edit_of_the_leader_lease_stops_the_work_for_long() {
    story(async |story| {
        let mut replicas = vec![story.operator("a").await, story.operator("b").await];
        let first = seconds_from_now(4);
        story.schedule("tick", &format!("trigger: {{interval: {{every: 3s, startTime: \"{first}\"}}}}"), "").await;
        story.until_job("tick", first).await;
        let edits = [
            (
                "another holder",
                json!({"spec": {"holderIdentity": "somebody_else", "renewTime": "2026-01-01T00:00:00.000000Z"}}),
            ),
            (
                "no times",
                json!({"spec": {"holderIdentity": "somebody_else", "acquireTime": null, "renewTime": null, "leaseDurationSeconds": null}}),
            ),
            (
                "the far future",
                json!({"spec": {"acquireTime": "2099-01-01T00:00:00.000000Z", "renewTime": "2099-01-01T00:00:00.000000Z"}}),
            ),
            ("no holder", json!({"spec": {"holderIdentity": null}})),
            ("deleted", Value::Null),
        ];
        for (what, edit) in edits {
            match edit {
                Value::Null => story.delete("Lease", "punctual").await,
                edit => drop(story.patch("Lease", "punctual", edit).await),
            }
            // A replica that loses the Lease ends; something starts it again, as a kubelet does.
            let slot = Timestamp::from_second(story.next_slot(first, 3) + 3).unwrap();
            story
                .until(&format!("slots go on after the Lease was edited: {what}"), async || {
                    story.revive(&mut replicas).await;
                    story.jobs_of("tick").iter().any(|job| job_slot(job) >= slot.as_second()).then_some(())
                })
                .await;
        }
        // Negative durations the API server refuses by itself.
        assert!(story.try_patch("Lease", "punctual", "", json!({"spec": {"leaseDurationSeconds": -5}})).await.is_err());
        story.every_slot_has_its_outcome("tick", first, 3).await;
    });
}

#[test]
fn no_edit_of_a_run_lease_touches_the_run() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let slot = seconds_from_now(4);
        story.schedule("long", &one_slot(slot), "devcluster/duration: 22s").await;
        let name = text(&story.until_job("long", slot).await, "/metadata/name").to_owned();
        let is_ours = async || (holder_of(story, &name).await == "a").then_some(());
        story.until("the run has its Lease", is_ours).await;

        // Long expired, and somebody else's: taken back.
        let edit = json!({"spec": {"holderIdentity": "somebody_else", "renewTime": "2020-01-01T00:00:00.000000Z", "leaseDurationSeconds": 1}});
        story.patch("Lease", &name, edit).await;
        story.until("the Lease is ours again", is_ours).await;
        // Deleted: made again.
        story.delete("Lease", &name).await;
        story.until("there is a Lease again", is_ours).await;

        let status = story.until_status("long", "the run is recorded", |it| it["results"].is_array()).await;
        assert_eq!(status["counts"], json!({"slots": {"Started": 1}, "runs": {"Succeeded": 1}}));
    });
}
