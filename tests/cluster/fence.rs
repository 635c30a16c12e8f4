//! A leader that does not know yet that its turn is over.

use serde_json::json;

use crate::harness::{Operator, Proxy, Request, Story, is, job_slot, now, seconds_from_now, story, text, time};

/// Lets a create of the leader `a` hang between it and the API server until `b` leads. Answers the
/// frozen leader and its successor, and what is between the former and the API server.
async fn overtaken(story: &Story, names: &[&str]) -> (Operator, Operator, Proxy) {
    // Long enough that the leader may still send a create while its renewals are being held.
    let timings = "--leader-lease-duration=11s --leader-renew-deadline=10s --leader-retry-period=1s";
    let proxy = story.proxy();
    let old = story.operator_with("a", timings, &proxy.server).await;
    story.leader(&[&old]).await;
    let new = story.operator_with("b", timings, story.server()).await;

    // Two slots each: one to see that all is well.
    let (warm, slot) = (seconds_from_now(5), seconds_from_now(12));
    for name in names {
        story.schedule(name, &format!("trigger: {{at: [\"{warm}\", \"{slot}\"]}}"), "").await;
    }
    for name in names {
        story.until_status(name, "its first run is recorded", |it| it["counts"]["runs"]["Succeeded"] == 1).await;
    }
    assert!(now() < slot, "the machine is too slow for this story");

    // When the slot comes, the creates are on their way; then the leader is frozen.
    story.until_past(slot - jiff::SignedDuration::from_millis(800)).await;
    proxy.hold();
    story.until_past(slot + jiff::SignedDuration::from_millis(1200)).await;
    assert!(proxy.struck().iter().any(|it| is(it, "create jobs")), "nothing is on its way");
    old.freeze();
    assert_eq!(story.leader(&[&old, &new]).await, "a", "nobody else leads yet");
    story.leader(&[&new]).await;
    // Its successor starts what is late by then.
    for name in names {
        story.until_job(name, slot).await;
    }
    proxy.release();
    (old, new, proxy)
}

#[test]
fn a_create_of_a_leader_whose_turn_is_over_is_refused() {
    story(async |story| {
        let names = ["one", "two", "three"];
        let (mut old, _new, _proxy) = overtaken(story, &names).await;

        // Then what it had sent arrives, and the API server refuses it;
        let is_fenced =
            |it: &Request| it.verb == "create" && it.resource == "jobs" && it.message.contains("fenced: leader term");
        let fenced = async || story.requests().into_iter().find(is_fenced);
        let late = story.until("a late create is refused", fenced).await;
        assert_eq!(late.code, 403, "{late:?}");
        // woken up, it ends, and says so;
        old.thaw();
        let end = old.ended().await;
        assert!(!end.success(), "{end}");
        // its successor's Jobs are the only ones, and nothing is counted twice.
        for name in names {
            let status =
                story.until_status(name, "both runs are recorded", |it| it["counts"]["runs"]["Succeeded"] == 2).await;
            assert_eq!(status["counts"]["slots"], json!({"Started": 2}), "{status}");
            assert_eq!(story.jobs_of(name).len(), 2);
        }
        let late_by_successor = |it: &&Request| it.credential != late.credential && is_fenced(it);
        assert_eq!(story.requests().iter().find(late_by_successor).map(|it| &it.name), None);
    });
}

#[test]
fn a_leader_that_was_frozen_for_long_does_nothing_when_it_wakes() {
    story(async |story| {
        let mut old = story.operator("a").await;
        story.leader(&[&old]).await;
        let new = story.operator("b").await;
        let first = seconds_from_now(4);
        story.schedule("tick", &format!("trigger: {{interval: {{every: 2s, startTime: \"{first}\"}}}}"), "").await;
        story.until_job("tick", first).await;
        old.freeze();
        story.leader(&[&new]).await;
        let term = story.get("Lease", "punctual").await.unwrap()["spec"]["leaseTransitions"].to_string();
        let woken = now();
        old.thaw();
        let end = old.ended().await;
        assert!(!end.success(), "{end}");
        assert!(old.logged().contains("leadership was lost"), "{}", old.logged());
        let next = story.next_slot(first, 2) + 2;
        story
            .until("slots go on", async || story.jobs_of("tick").iter().any(|it| job_slot(it) >= next).then_some(()))
            .await;
        for job in story.jobs_of("tick").iter().filter(|job| time(job, "/metadata/creationTimestamp") > woken) {
            assert_eq!(text(job, "/metadata/annotations/punctual.dev~1leader-term"), term);
        }
        story.every_slot_has_its_outcome("tick", first, 2).await;
    });
}
