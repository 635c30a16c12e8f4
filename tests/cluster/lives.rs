//! Schedules and Jobs that are deleted, made again, copied, wiped or in the way of each other.

use jiff::SignedDuration;
use punctual::decide::naming;
use punctual::time::Slot;
use serde_json::{Value, json};

use crate::harness::{is_active, job_slot, now, schedule, second, seconds_from_now, story, text};

#[test]
fn a_job_of_somebody_else_that_has_the_name_is_left_alone() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let (slot, next) = (seconds_from_now(5), seconds_from_now(8));
        let made = story.schedule("taken", &format!("trigger: {{at: [\"{slot}\", \"{next}\"]}}"), "").await;
        let name = naming::job_name("taken", text(&made, "/metadata/uid"), Slot::floor(slot));
        let container = json!({"name": "main", "image": "example/other:1"});
        let foreign = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {
            "suspend": true, "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}});
        story.apply(&foreign.to_string()).await;
        let is_decided = |it: &Value| it["counts"]["slots"]["FailedToCreate"] == 1;
        let status = story.until_status("taken", "the slot is decided", is_decided).await;
        assert_eq!(status["outcomes"][0]["reason"], "NameTaken");
        let there = story.get("Job", &name).await.unwrap();
        assert_eq!((&there["spec"]["suspend"], &there["metadata"]["ownerReferences"]), (&json!(true), &Value::Null));
        story.until_job("taken", next).await;
    });
}

#[test]
fn a_schedule_takes_its_jobs_with_it_and_a_new_one_begins_anew() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let first = seconds_from_now(4);
        let spec = format!(
            "trigger: {{interval: {{every: 3s, startTime: \"{first}\"}}}}\nresultTTL: 1h\nconcurrency: {{policy: Allow}}"
        );
        let old = story.schedule("tick", &spec, "devcluster/duration: 5s").await;
        let with_lease = |it: &Value| it["active"][0]["jobName"].as_str().map(str::to_owned);
        let status = story
            .until_status("tick", "a result, and an active run", |it| {
                it["results"].is_array() && with_lease(it).is_some()
            })
            .await;
        story.delete("Schedule", "tick").await;
        story
            .until("its Jobs and their Leases are gone", async || {
                let leases = story.list("Lease").await;
                (story.list("Job").await.is_empty() && leases.len() == 1).then_some(())
            })
            .await;

        // Restored from a copy, with a status that is not its own.
        let new = story.schedule("tick", &spec, "").await;
        assert_ne!(new["metadata"]["uid"], old["metadata"]["uid"]);
        story.patch("Schedule", "tick/status", json!({"status": status})).await;
        let created = second(&new, "/metadata/creationTimestamp");
        let slot = jiff::Timestamp::from_second(story.next_slot(first, 3) + 3).unwrap();
        let job = story.until_job("tick", slot).await;
        assert_eq!(job["metadata"]["ownerReferences"][0]["uid"], new["metadata"]["uid"]);
        let of_new: Vec<Value> = story
            .jobs_of("tick")
            .into_iter()
            .filter(|it| it["metadata"]["ownerReferences"][0]["uid"] == new["metadata"]["uid"])
            .collect();
        assert!(of_new.iter().all(|it| job_slot(it) > created), "nothing from before it was made");
        let is_its_own = |it: &Value| it["uid"] == new["metadata"]["uid"] && it["results"].is_array();
        let status = story.until_status("tick", "its status is its own", is_its_own).await;
        assert!(second(&status, "/results/0/slotTime") > created, "{status}");
    });
}

#[test]
fn a_status_wiped_by_hand_starts_nothing_again() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let first = seconds_from_now(4);
        let spec =
            format!("trigger: {{interval: {{every: 3s, startTime: \"{first}\"}}}}\nsuccessfulJobsHistoryLimit: 0");
        story.schedule("tick", &spec, "").await;
        // With no Job left there is nothing but status that knows of the slots before.
        let is_tidy = |it: &Value| it["counts"]["runs"]["Succeeded"].as_i64() >= Some(2);
        story.until_status("tick", "two runs are recorded", is_tidy).await;
        story.until("their Jobs are gone", async || (story.list("Job").await.len() <= 1).then_some(())).await;
        let edited = story.patch("Schedule", "tick", json!({"spec": {"successfulJobsHistoryLimit": 1}})).await;
        assert_eq!(edited["metadata"]["generation"], 2);
        let nothing = json!([{"op": "remove", "path": "/status"}]);
        let wiped = story.kubectl_ok(&[
            "patch",
            "psched",
            "tick",
            "--subresource=status",
            "--type=json",
            "-p",
            &nothing.to_string(),
        ]);
        assert!(wiped.contains("patched"), "{wiped}");
        let slot = jiff::Timestamp::from_second(story.next_slot(first, 3) + 3).unwrap();
        story.until_job("tick", slot).await;
        story
            .until("the loss is told", async || {
                story.kubectl_ok(&["get", "events"]).contains("StatusLost").then_some(())
            })
            .await;
        // That no slot got a second Job is checked of every story.
    });
}

#[test]
fn somebody_who_edits_all_the_time_delays_nothing() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let first = seconds_from_now(4);
        story.schedule("tick", &format!("trigger: {{interval: {{every: 2s, startTime: \"{first}\"}}}}"), "").await;
        let mut count = 0;
        while now() < first + SignedDuration::from_secs(13) {
            count += 1;
            story.patch("Schedule", "tick", json!({"metadata": {"labels": {"edit": count.to_string()}}})).await;
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let status = story.every_slot_has_its_outcome("tick", first, 2).await;
        assert!(status["counts"]["slots"]["Started"].as_i64() >= Some(6), "{status}");
        for job in story.jobs_of("tick") {
            let delay = second(&job, "/metadata/creationTimestamp") - job_slot(&job);
            assert!((0..=3).contains(&delay), "{delay} s late after {count} edits");
        }
        assert_eq!(story.get("Schedule", "tick").await.unwrap()["metadata"]["labels"]["edit"], count.to_string());
    });
}

#[test]
fn a_job_that_tries_again_by_itself_is_one_run() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let slot = seconds_from_now(4);
        let yaml = schedule(
            "stubborn",
            &format!("trigger: {{at: [\"{slot}\"]}}\nresultTTL: 1h"),
            "devcluster/exit-code: \"7\"",
        );
        story.apply(&yaml.replace("backoffLimit: 0", "backoffLimit: 1")).await;
        story.until_job("stubborn", slot).await;
        let has_failed = async || {
            let job = story.jobs_of("stubborn").remove(0);
            (job["status"]["failed"] == 1 && is_active(&job)).then_some(())
        };
        story.until("its first Pod has failed", has_failed).await;
        let status = story.until_status("stubborn", "the run is recorded", |it| it["results"].is_array()).await;
        assert_eq!(status["counts"], json!({"slots": {"Started": 1}, "runs": {"Failed": 1}}));
        assert_eq!(
            (&status["results"][0]["exitCode"], &status["results"][0]["reason"]),
            (&json!(7), &json!("BackoffLimitExceeded"))
        );
        assert_eq!(story.jobs_of("stubborn")[0]["status"]["failed"], 2);
    });
}
