//! Slots start at their time, and what they start is what was promised.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Story, is_active, job_slot, now, second, seconds_from_now, story, text, time};

/// How much later than its slot a Job may have been created. The API server notes whole seconds,
/// and the machine may be busy; an operator that polls, or waits for a watch, is later than this.
const SLACK_SECONDS: i64 = 3;

/// No Job before its slot, and none much later.
fn assert_on_time(job: &Value) {
    let delay = second(job, "/metadata/creationTimestamp") - job_slot(job);
    assert!((0..=SLACK_SECONDS).contains(&delay), "created {delay} s after its slot: {}", job["metadata"]);
}

async fn recorded_as_succeeded(story: &Story, name: &str, runs: i64) -> Value {
    story.until_status(name, "every run is recorded", |it| it["counts"]["runs"]["Succeeded"] == runs).await
}

#[test]
fn an_interval_starts_a_job_in_the_second_of_each_slot() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let first = seconds_from_now(6);
        let schedule =
            story.schedule("tick", &format!("trigger: {{interval: {{every: 4s, startTime: \"{first}\"}}}}"), "").await;
        let slots: Vec<Timestamp> = (0..3).map(|k| first + SignedDuration::from_secs(4 * k)).collect();
        for slot in &slots {
            assert_on_time(&story.until_job("tick", *slot).await);
        }
        assert_eq!(job_slot(&story.jobs_of("tick")[0]), first.as_second(), "nothing before startTime");

        let status = story
            .until_status("tick", "three runs are recorded", |it| it["counts"]["runs"]["Succeeded"].as_i64() >= Some(3))
            .await;
        let next: Vec<i64> = (0..5).map(|k| second(&status, &format!("/nextSlots/{k}"))).collect();
        assert!(next.iter().all(|it| (it - first.as_second()) % 4 == 0), "{next:?}");
        assert!(
            next.windows(2).all(|it| it[1] - it[0] == 4) && next[0] > second(&status, "/decidedThrough"),
            "{next:?}"
        );
        assert_eq!(status["nextSlotTime"], status["nextSlots"][0]);
        assert_eq!(status["uid"], schedule["metadata"]["uid"]);
    });
}

/// By how many seconds a Schedule's jitter delays a slot: it never changes, so that no slot moves when
/// another version takes over.
fn delay(schedule: &Value, slot: Timestamp, bound: u64) -> i64 {
    let uid = text(schedule, "/metadata/uid");
    let digest = Sha256::digest(format!("jitter/{uid}/{}", slot.as_second()));
    let number = u64::from_be_bytes(digest[..8].try_into().unwrap());
    i64::try_from(number % bound).unwrap()
}

#[test]
fn schedules_with_jitter_start_at_their_planned_start() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let first = seconds_from_now(6);
        let slots = [first, first + SignedDuration::from_secs(9)];
        let spec = format!("trigger: {{interval: {{every: 9s, startTime: \"{first}\"}}}}\njitter: 8s");
        let mut schedules = Vec::new();
        for name in ["one", "two", "three", "four"] {
            schedules.push(story.schedule(name, &spec, "").await);
        }
        let mut delays = Vec::new();
        for (schedule, slot) in schedules.iter().flat_map(|it| slots.map(|slot| (it, slot))) {
            let job = story.until_job(text(schedule, "/metadata/name"), slot).await;
            let planned = slot.as_second() + delay(schedule, slot, 8);
            let late = second(&job, "/metadata/creationTimestamp") - planned;
            assert!(
                (0..=SLACK_SECONDS).contains(&late),
                "created {late} s after its planned start: {}",
                job["metadata"]
            );
            delays.push(planned - slot.as_second());
        }
        assert!(delays.iter().any(|it| *it != delays[0]), "they are spread: {delays:?}");
    });
}

#[test]
fn a_job_says_whose_it_is_and_what_for() {
    story(async |story| {
        let operator = story.operator("a").await;
        let slot = seconds_from_now(5);
        let spec = format!("trigger: {{at: [\"{slot}\"]}}");
        let schedule = story.schedule("a-name-of-thirty-six-characters-long", &spec, "").await;
        let job = story.until_job("a-name-of-thirty-six-characters-long", slot).await;
        assert_on_time(&job);
        story.leader(&[&operator]).await;

        let metadata = &job["metadata"];
        let stamp = slot.to_zoned(TimeZone::UTC).strftime("%Y%m%d%H%M%S").to_string();
        let name = text(metadata, "/name");
        assert!(name.starts_with(&format!("a-name-of-thirty-six-charac-{stamp}-")) && name.len() == 53, "{name}");
        assert_eq!(metadata["labels"]["punctual.dev/schedule-uid"], schedule["metadata"]["uid"]);
        assert_eq!(
            metadata["labels"]["punctual.dev/slot"],
            slot.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
        );
        let annotations = &metadata["annotations"];
        assert_eq!(annotations["punctual.dev/schedule"], "a-name-of-thirty-six-characters-long");
        assert_eq!(annotations["punctual.dev/slot-time"], slot.to_string());
        assert_eq!(annotations["punctual.dev/attempt"], "1");
        assert_eq!(annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"], slot.to_string());
        let lease = story.get("Lease", "punctual").await.expect("a leader Lease");
        assert_eq!(annotations["punctual.dev/leader-term"], lease["spec"]["leaseTransitions"].to_string());
        let owner = json!([{
            "apiVersion": "punctual.dev/v1alpha1", "kind": "Schedule", "name": "a-name-of-thirty-six-characters-long",
            "uid": schedule["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
        }]);
        assert_eq!(metadata["ownerReferences"], owner);

        let pod = &job["spec"]["template"]["spec"];
        assert_eq!(pod["restartPolicy"], "Never");
        let environment = json!([
            {"name": "PUNCTUAL_SCHEDULE", "value": "a-name-of-thirty-six-characters-long"},
            {"name": "PUNCTUAL_SLOT", "value": slot.to_string()},
            {"name": "PUNCTUAL_RUN_ID", "value": name},
            {"name": "PUNCTUAL_ATTEMPT", "value": "1"},
            {"name": "PUNCTUAL_LAST_SUCCESS"},
        ]);
        assert_eq!(pod["containers"][0]["env"], environment);
    });
}

#[test]
fn a_cron_means_the_wall_clock_of_its_zone() {
    story(async |story| {
        let _operator = story.operator("a").await;
        // The next minute that is not just about to begin; five hours and three quarters from UTC.
        let minute = (now().as_second() + 8).div_euclid(60) * 60 + 60;
        let slot = Timestamp::from_second(minute).unwrap();
        let there = slot.to_zoned(TimeZone::get("Asia/Kathmandu").unwrap());
        let cron = format!("{} {} * * *", there.minute(), there.hour());
        story.schedule("there", &format!("trigger: {{cron: \"{cron}\", timeZone: Asia/Kathmandu}}"), "").await;
        story.schedule("every-minute", "trigger: {cron: \"* * * * *\", timeZone: Europe/Berlin}", "").await;
        let status = story.until_status("there", "its next slot is told", |it| it["nextSlotTime"].is_string()).await;
        assert_eq!(time(&status, "/nextSlotTime"), slot);
        assert!(text(&status, "/nextSlotText").contains(&there.strftime("%H:%M").to_string()), "{status}");
        assert_on_time(&story.until_job("there", slot).await);
        assert_on_time(&story.until_job("every-minute", slot).await);
    });
}

#[test]
fn instants_start_once_each_and_then_the_schedule_is_complete() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let (past, one, two) = (seconds_from_now(-3600), seconds_from_now(4), seconds_from_now(7));
        story.schedule("once", &format!("trigger: {{at: [\"{two}\", \"{past}\", \"{one}\", \"{two}\"]}}"), "").await;
        for slot in [one, two] {
            assert_on_time(&story.until_job("once", slot).await);
        }
        story.until_condition("once", "Complete", "True", "Completed").await;
        let status = recorded_as_succeeded(story, "once", 2).await;
        assert_eq!(status["outcomes"][0]["outcome"], "BeforeCreation", "{status}");
        assert_eq!(time(&status, "/outcomes/0/slotTime"), past);
        assert_eq!(status["counts"]["slots"], json!({"BeforeCreation": 1, "Started": 2}));
        assert_eq!(status["state"], "Completed");
        assert_eq!(story.jobs_of("once").len(), 2);
    });
}

#[test]
fn a_lease_beside_an_active_job_says_who_looks_after_it() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let slot = seconds_from_now(4);
        story.schedule("long", &format!("trigger: {{at: [\"{slot}\"]}}"), "devcluster/duration: 14s").await;
        let job = story.until_job("long", slot).await;
        let name = text(&job, "/metadata/name").to_owned();
        let lease = story.until("the run has its Lease", async || story.get("Lease", &name).await).await;
        assert!(text(&lease, "/spec/holderIdentity").starts_with("a_"), "{lease}");
        assert_eq!(lease["spec"]["leaseDurationSeconds"], 10);
        assert_eq!(lease["metadata"]["ownerReferences"][0]["uid"], job["metadata"]["uid"]);
        let renewed = text(&lease, "/spec/renewTime").to_owned();
        story
            .until("it is renewed", async || {
                let now = story.get("Lease", &name).await.expect("the run is active");
                (text(&now, "/spec/renewTime") > renewed.as_str()).then_some(())
            })
            .await;
        assert!(is_active(&story.until_job("long", slot).await), "renewed while the run was active");
        recorded_as_succeeded(story, "long", 1).await;
        story.until("the Lease is gone", async || story.get("Lease", &name).await.is_none().then_some(())).await;
        assert!(story.get("Job", &name).await.is_some(), "and not because its Job is");
    });
}

#[test]
fn kubectl_shows_what_one_wants_to_know() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let slot = seconds_from_now(4);
        let spec = format!("trigger: {{interval: {{every: 24h, startTime: \"{slot}\"}}, timeZone: Europe/Berlin}}");
        story.schedule("daily", &spec, "").await;
        let status = recorded_as_succeeded(story, "daily", 1).await;
        let shown = story.kubectl_ok(&["get", "psched"]);
        let mut lines =
            shown.lines().map(|line| line.split("   ").map(str::trim).filter(|it| !it.is_empty()).collect::<Vec<_>>());
        assert_eq!(
            lines.next().unwrap(),
            ["NAME", "TRIGGER", "STATE", "ACTIVE", "LAST-SLOT", "OUTCOME", "NEXT", "AGE"],
            "{shown}"
        );
        let row = lines.next().unwrap();
        assert_eq!((row[0], row[2], row[3], row[5]), ("daily", "Scheduled", "0", "Succeeded"), "{shown}");
        assert!(row[1].contains("24h"), "the trigger in words: {shown}");
        assert_eq!(row[6], text(&status, "/nextSlotText"));
        assert!(!shown.contains("invalid"), "{shown}");
        let wide = story.kubectl_ok(&["get", "punctual", "-o", "wide"]);
        for column in ["ZONE", "QUEUED", "LAST-SUCCESS", "REASON", "Europe/Berlin", "slots start at their time"] {
            assert!(wide.contains(column), "{column}: {wide}");
        }
        assert_eq!(story.kubectl_ok(&["get", "psched", "--field-selector=status.state=Paused", "--no-headers"]), "");
        assert!(story.kubectl_ok(&["get", "events"]).contains("started as Job daily-"));
    });
}
