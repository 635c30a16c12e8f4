//! Slots that come due while an earlier run is active.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::harness::{is_active, job_slot, second, seconds_from_now, story, text};

fn trigger(every: i64, first: Timestamp) -> String {
    format!("trigger: {{interval: {{every: {every}s, startTime: \"{first}\"}}}}\n")
}

fn instants(slots: &[Timestamp]) -> String {
    let slots: Vec<String> = slots.iter().map(|it| format!("\"{it}\"")).collect();
    format!("trigger: {{at: [{}]}}\n", slots.join(", "))
}

#[test]
fn a_run_longer_than_its_interval_and_its_lease_is_started_once() {
    story(async |story| {
        // Run Leases are 10 s long here: this run outlives three of them, and eight slots.
        let _operator = story.operator("a").await;
        let first = seconds_from_now(4);
        story.schedule("long", &trigger(4, first), "devcluster/duration: 34s").await;
        let job = story.until_job("long", first).await;
        let name = text(&job, "/metadata/name").to_owned();
        let mut renewals = Vec::new();
        story
            .until("the run ends", async || {
                if let Some(lease) = story.get("Lease", &name).await {
                    let renewed = text(&lease, "/spec/renewTime").to_owned();
                    if renewals.last() != Some(&renewed) {
                        renewals.push(renewed);
                    }
                }
                (!is_active(&story.until_job("long", first).await)).then_some(())
            })
            .await;
        assert!(renewals.len() >= 4 && renewals.is_sorted(), "renewed all along: {renewals:?}");
        let seconds: Vec<i64> = renewals.iter().map(|it| it.parse::<Timestamp>().unwrap().as_second()).collect();
        assert!(seconds.windows(2).all(|it| it[1] - it[0] < 10), "and before it ran out: {renewals:?}");

        let status =
            story.until_status("long", "the run is recorded", |it| it["counts"]["runs"]["Succeeded"] == 1).await;
        let skipped = status["counts"]["slots"]["SkippedOverlap"].as_i64().unwrap();
        assert!((7..=9).contains(&skipped), "{status}");
        let slots: Vec<i64> = story.jobs_of("long").iter().map(job_slot).collect();
        assert!(slots.iter().all(|it| *it == first.as_second() || *it >= first.as_second() + 34), "{slots:?}");
        let folded =
            status["outcomes"].as_array().unwrap().iter().find(|it| it["outcome"] == "SkippedOverlap").unwrap();
        assert_eq!(folded["count"], skipped, "one entry for all of them: {status}");
    });
}

#[test]
fn runs_that_may_overlap_do() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let first = seconds_from_now(4);
        let spec = trigger(2, first) + "concurrency: {policy: Allow}";
        story.schedule("together", &spec, "devcluster/duration: 9s").await;
        let status =
            story.until_status("together", "three runs are active", |it| it["activeRuns"].as_i64() >= Some(3)).await;
        let active = status["active"].as_array().unwrap();
        assert!(active.windows(2).all(|it| second(&it[1], "/slotTime") - second(&it[0], "/slotTime") == 2), "{status}");
        let leases = async || {
            let names: Vec<String> =
                story.list("Lease").await.iter().map(|it| text(it, "/metadata/name").to_owned()).collect();
            active.iter().all(|run| names.iter().any(|it| *it == text(run, "/jobName"))).then_some(())
        };
        story.until("each has its Lease", leases).await;
        story
            .until_status("together", "they end each", |it| it["counts"]["runs"]["Succeeded"].as_i64() >= Some(3))
            .await;
        assert_eq!(story.status("together").await["counts"]["slots"]["SkippedOverlap"], Value::Null);
    });
}

#[test]
fn a_run_that_is_replaced_ends_before_the_next_begins() {
    story(async |story| {
        // The fence stands at 12 s: the first run is replaced while younger, the second when older.
        let _operator = story.operator_with("a", "--fence=12s", story.server()).await;
        let first = seconds_from_now(4);
        let at = |offset: i64| Timestamp::from_second(first.as_second() + offset).unwrap();
        let slots = [at(0), at(4), at(24)];
        story
            .schedule(
                "relay",
                &(instants(&slots) + "concurrency: {policy: Replace}\nresultTTL: 1h"),
                "devcluster/hang: \"true\"",
            )
            .await;
        let young = story.until_job("relay", slots[0]).await;
        let name = |job: &Value| text(job, "/metadata/name").to_owned();

        // Younger than the fence: its Pods end, its name stays until it is old enough.
        let old = story.until_job("relay", slots[1]).await;
        let suspended = story.get("Job", &name(&young)).await.expect("its name is still there");
        assert_eq!(suspended["spec"]["suspend"], true);
        assert_eq!(text(&suspended, "/metadata/annotations/punctual.dev~1stopped"), "Replaced");
        assert_eq!(suspended["status"]["active"].as_i64().unwrap_or_default(), 0, "its Pod has ended");
        let replaced = |count: i64| move |it: &Value| it["counts"]["runs"]["Replaced"] == count;
        let status = story.until_status("relay", "the first run is recorded", replaced(1)).await;
        assert_eq!(status["results"][0]["outcome"], "Replaced");
        assert!(text(&status, "/results/0/message").contains(&slots[1].to_string()), "{status}");
        story
            .until("it goes at the fence", async || story.get("Job", &name(&young)).await.is_none().then_some(()))
            .await;

        // Older than the fence: deleted at once, and gone before the next is created.
        let last = story.until_job("relay", slots[2]).await;
        assert!(story.get("Job", &name(&old)).await.is_none(), "gone before the next begins");
        story.until_status("relay", "the second run is recorded", replaced(2)).await;
        assert!(second(&last, "/metadata/creationTimestamp") - slots[2].as_second() <= 8, "{}", last["metadata"]);
        let status = story.status("relay").await;
        assert_eq!(status["counts"]["slots"], json!({"Started": 3}));
        assert_eq!(status["activeRuns"], 1);
    });
}

#[test]
fn ten_slots_run_two_at_a_time_in_their_order_though_the_leader_is_killed() {
    story(async |story| {
        let leader = story.operator("a").await;
        story.leader(&[&leader]).await;
        let standby = story.operator("b").await;
        story.until_watching(2).await;
        let first = seconds_from_now(5);
        let slots: Vec<Timestamp> =
            (0..10).map(|offset| Timestamp::from_second(first.as_second() + offset).unwrap()).collect();
        let spec = instants(&slots) + "concurrency: {policy: Queue, limit: 2}";
        story.schedule("ten", &spec, "devcluster/duration: 6s").await;

        // When the leader dies in the moment in which it starts the seventh, after all have come due,
        story.until_job("ten", slots[6]).await;
        leader.kill9().await;
        story.leader(&[&standby]).await;

        // then all of them run once, none of them before those that came due earlier,
        let status = story
            .until_status("ten", "all have run", |it| it["counts"]["runs"]["Succeeded"].as_i64() >= Some(10))
            .await;
        assert_eq!(status["counts"], json!({"slots": {"Started": 10}, "runs": {"Succeeded": 10}}));
        let jobs = story.jobs_of("ten");
        let spans: Vec<(i64, i64)> = jobs
            .iter()
            .map(|job| (second(job, "/metadata/creationTimestamp"), second(job, "/status/completionTime")))
            .collect();
        assert_eq!(
            jobs.iter().map(job_slot).collect::<Vec<_>>(),
            slots.iter().map(|it| it.as_second()).collect::<Vec<_>>()
        );
        assert!(spans.is_sorted_by_key(|(begin, _)| *begin), "in order: {spans:?}");
        // and never more than two at once.
        for (index, (begin, _)) in spans.iter().enumerate() {
            let others = spans[..index].iter().filter(|(_, end)| end > begin).count();
            assert!(others <= 1, "{others} others were active when {index} began: {spans:?}");
        }
        assert!(spans.windows(2).any(|it| it[1].0 < it[0].1), "two of them did overlap: {spans:?}");
    });
}

#[test]
fn an_edit_while_a_queue_waits_is_for_all_of_it_and_a_new_trigger_ends_it() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let first = seconds_from_now(4);
        let slots: Vec<Timestamp> =
            (0..5).map(|offset| Timestamp::from_second(first.as_second() + offset).unwrap()).collect();
        let spec = instants(&slots) + "concurrency: {policy: Queue}";
        story.schedule("line", &spec, "devcluster/hang: \"true\"").await;
        let queued = |count: i64| move |it: &Value| it["queuedRuns"] == count;
        story.until_status("line", "four wait behind the first", queued(4)).await;

        // More at once are allowed: the head of the line starts, the others go on waiting.
        story.patch("Schedule", "line", json!({"spec": {"concurrency": {"limit": 2}}})).await;
        story.until_job("line", slots[1]).await;
        let status = story.until_status("line", "three wait", queued(3)).await;
        assert_eq!(second(&status, "/pending/0/slotTime"), slots[2].as_second());

        // A new trigger: what waits is given up, what runs goes on, and the new slot stands in line.
        let next = seconds_from_now(4);
        story.patch("Schedule", "line", json!({"spec": {"trigger": {"at": [next.to_string()]}}})).await;
        let is_next = |it: &Value| it["pending"][0]["slotTime"] == next.to_string().as_str();
        let status = story.until_status("line", "the new slot waits", is_next).await;
        assert_eq!(status["counts"], json!({"slots": {"Started": 2, "Superseded": 3}}));
        assert_eq!((&status["activeRuns"], &status["queuedRuns"]), (&json!(2), &json!(1)));
        story.patch("Schedule", "line", json!({"spec": {"concurrency": {"limit": 3}}})).await;
        story.until_job("line", next).await;
        let started: Vec<i64> = story.jobs_of("line").iter().map(job_slot).collect();
        assert_eq!(started, [slots[0], slots[1], next].map(Timestamp::as_second));
    });
}
