//! How runs ended is told, kept as long as was asked for, and never lost to tidying up.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Story, is_active, now, schedule, second, seconds_from_now, story, text};

/// One slot, whose result is kept.
fn once(slot: Timestamp) -> String {
    format!("trigger: {{at: [\"{slot}\"]}}\nresultTTL: 1h")
}

async fn result(story: &Story, name: &str) -> Value {
    let mut status = story.until_status(name, &format!("{name} has a result"), |it| it["results"].is_array()).await;
    assert_eq!(status["lastRun"]["outcome"], status["results"][0]["outcome"], "{status}");
    status["results"][0].take()
}

#[test]
fn a_result_tells_exit_code_message_and_reason() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let slot = seconds_from_now(5);
        // What a kubelet would have cut, and what no terminal should be shown.
        let long = "ä".repeat(50_000);
        let messages = [
            ("fine", "devcluster/message: \"rows=42\\n\"".to_owned()),
            ("failed", "devcluster/exit-code: \"3\", devcluster/message: no such table".to_owned()),
            ("killed", "devcluster/exit-code: \"137\", devcluster/reason: OOMKilled".to_owned()),
            ("long", format!("devcluster/message: \"{long}\"")),
            ("rude", "devcluster/message: \"a\\e[31mred\\x07\\tb\"".to_owned()),
        ];
        for (name, pod) in &messages {
            story.schedule(name, &once(slot), pod).await;
        }
        let fine = result(story, "fine").await;
        assert_eq!((text(&fine, "/outcome"), text(&fine, "/message")), ("Succeeded", "rows=42"));
        assert_eq!((&fine["exitCode"], &fine["attempts"]), (&json!(0), &json!(1)));
        assert_eq!(second(&fine, "/expirationTime") - second(&fine, "/completionTime"), 3600);

        let failed = result(story, "failed").await;
        assert_eq!((text(&failed, "/outcome"), text(&failed, "/message")), ("Failed", "no such table"));
        assert_eq!(failed["exitCode"], 3);
        story.until_condition("failed", "LastRunSucceeded", "False", "Failed").await;
        story.until_condition("failed", "Ready", "True", "Completed").await;
        assert_eq!(story.status("failed").await["lastSuccessfulTime"], Value::Null);

        let killed = result(story, "killed").await;
        assert_eq!((text(&killed, "/outcome"), text(&killed, "/reason")), ("Failed", "OOMKilled"));
        assert_eq!(killed["exitCode"], 137);

        let cut = result(story, "long").await;
        let message = text(&cut, "/message");
        assert!(message.len() <= 1024 && message.ends_with("ä…") && cut["truncated"] == true, "{cut}");
        assert!(text(&story.status("long").await, "/lastRun/message").len() <= 256);

        assert_eq!(text(&result(story, "rude").await, "/message"), "a\u{fffd}[31mred\u{fffd}\tb");
    });
}

#[test]
fn a_message_that_is_gone_is_said_to_be_missing() {
    story(async |story| {
        let operator = story.operator("a").await;
        let slot = seconds_from_now(4);
        story.schedule("once", &once(slot), "devcluster/duration: 3s, devcluster/message: never read").await;
        story.until_job("once", slot).await;
        story.until_status("once", "the start is recorded", |it| it["activeRuns"] == 1).await;
        operator.kill9().await;
        story.until("the Job is over", async || (!is_active(&story.jobs_of("once")[0])).then_some(())).await;
        for pod in story.list("Pod").await {
            story.delete("Pod", text(&pod, "/metadata/name")).await;
        }
        story.until("its Pod is gone", async || story.list("Pod").await.is_empty().then_some(())).await;

        let _again = story.operator("b").await;
        let result = result(story, "once").await;
        assert_eq!(text(&result, "/outcome"), "Succeeded");
        assert!(text(&result, "/message").starts_with("message missing"), "{result}");
        assert_eq!(result["exitCode"], Value::Null);
    });
}

#[test]
fn runs_that_were_deleted_or_took_too_long_are_told_apart() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let slot = seconds_from_now(5);
        let hang = "devcluster/hang: \"true\"";
        story.schedule("deleted", &once(slot), hang).await;
        story.apply(&schedule("slow", &once(slot), hang).replace("backoffLimit: 0", "activeDeadlineSeconds: 3")).await;
        let job = story.until_job("deleted", slot).await;
        story.until_status("deleted", "the start is recorded", |it| it["activeRuns"] == 1).await;
        story.delete("Job", text(&job, "/metadata/name")).await;
        let deleted = result(story, "deleted").await;
        assert_eq!(text(&deleted, "/outcome"), "Deleted");
        assert!(text(&deleted, "/message").contains("deleted while it was running"), "{deleted}");
        let slow = result(story, "slow").await;
        assert_eq!((text(&slow, "/outcome"), text(&slow, "/reason")), ("TimedOut", "DeadlineExceeded"));
    });
}

#[test]
fn results_expire_each_in_its_time() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let slot = seconds_from_now(4);
        let spec = |ttl: &str| format!("trigger: {{at: [\"{slot}\"]}}\n{ttl}");
        let failing = "devcluster/exit-code: \"1\"";
        story.schedule("short", &spec("resultTTL: 8s\nfailedResultTTL: 1h"), "").await;
        story.schedule("kept", &spec("resultTTL: 8s\nfailedResultTTL: 1h"), failing).await;
        story.schedule("failed-only", &spec("failedResultTTL: 1h"), failing).await;
        story.schedule("none", &spec("successfulJobsHistoryLimit: 0"), "").await;
        let short = result(story, "short").await;
        assert_eq!(second(&short, "/expirationTime") - second(&short, "/completionTime"), 8);
        story.until_status("short", "the result has expired", |it| it["results"].is_null()).await;
        let late = now().as_second() - second(&short, "/expirationTime");
        // A tenth of its life, but at least a second, is allowed; the rest is for the machine.
        assert!((0..=5).contains(&late), "gone {late} s after it expired");
        assert_eq!(story.status("short").await["lastRun"]["outcome"], "Succeeded", "lastRun stays");
        for name in ["kept", "failed-only"] {
            assert_eq!(text(&result(story, name).await, "/outcome"), "Failed");
        }
        let none = story.until_status("none", "the run is recorded", |it| it["lastRun"].is_object()).await;
        assert_eq!(none["results"], Value::Null);
        // Expiry makes no slot run again.
        assert_eq!(story.jobs_of("short").len(), 1);
    });
}

#[test]
fn no_job_goes_before_its_result_is_kept() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let first = seconds_from_now(4);
        let spec = format!(
            "trigger: {{interval: {{every: 2s, startTime: \"{first}\"}}}}\nresultTTL: 1h\nresultLimit: 50\nsuccessfulJobsHistoryLimit: 1"
        );
        story.schedule("tidy", &spec, "").await;
        let limited = spec.replace("resultLimit: 50", "resultLimit: 2").replace("HistoryLimit: 1", "HistoryLimit: 100");
        story.schedule("limited", &limited, "").await;
        story
            .until("eight Jobs came and went", async || {
                let there: BTreeSet<String> =
                    story.list("Job").await.iter().map(|it| text(it, "/metadata/name").to_owned()).collect();
                let status = story.status("tidy").await;
                let kept = |job: &str| {
                    status["results"].as_array().into_iter().flatten().any(|it| text(it, "/jobName") == job)
                };
                let seen = story.jobs_of("tidy");
                let gone: Vec<&str> =
                    seen.iter().map(|job| text(job, "/metadata/name")).filter(|name| !there.contains(*name)).collect();
                // Those created while we were looking are not gone, only too new.
                let unkept: Vec<&&str> = gone.iter().filter(|job| !kept(job)).collect();
                let is_new = |job: &str| seen.iter().any(|it| text(it, "/metadata/name") == job && is_active(it));
                assert!(unkept.iter().all(|job| is_new(job)), "gone without a result: {unkept:?}");
                (gone.len() >= 8).then_some(())
            })
            .await;
        let status = story.status("limited").await;
        assert_eq!(status["results"].as_array().unwrap().len(), 2, "{status}");
        let dropped = status["counts"]["resultsDropped"].as_i64().unwrap();
        assert_eq!(dropped, status["counts"]["runs"]["Succeeded"].as_i64().unwrap() - 2);
        assert!(
            story.get("Job", text(&story.jobs_of("limited")[0], "/metadata/name")).await.is_some(),
            "its Jobs stay"
        );
    });
}

#[test]
fn while_a_result_cannot_be_kept_its_job_stays() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let slot = seconds_from_now(4);
        let spec = once(slot) + "\nsuccessfulJobsHistoryLimit: 0";
        story.schedule("once", &spec, "devcluster/duration: 4s, devcluster/message: kept").await;
        let name = text(&story.until_job("once", slot).await, "/metadata/name").to_owned();
        story.until_status("once", "the start is recorded", |it| it["activeRuns"] == 1).await;
        story.refuse_status_writes("once").await;
        story.until("the Job is over", async || (!is_active(&story.jobs_of("once")[0])).then_some(())).await;
        story.until_past(seconds_from_now(4)).await;
        assert!(story.get("Job", &name).await.is_some(), "its Job is all there is of its result");

        story.allow().await;
        assert_eq!(text(&result(story, "once").await, "/message"), "kept");
        story.until("the Job is gone", async || story.get("Job", &name).await.is_none().then_some(())).await;
    });
}

#[test]
fn the_time_to_live_of_a_job_begins_when_its_result_is_kept() {
    story(async |story| {
        let operator = story.operator("a").await;
        let slot = seconds_from_now(4);
        let yaml = schedule("once", &once(slot), "devcluster/duration: 2s, devcluster/message: kept");
        story.apply(&yaml.replace("backoffLimit: 0", "ttlSecondsAfterFinished: 0")).await;
        let job = story.until_job("once", slot).await;
        let name = text(&job, "/metadata/name").to_owned();
        assert_eq!(job["spec"]["ttlSecondsAfterFinished"], Value::Null);
        story.until_status("once", "the start is recorded", |it| it["activeRuns"] == 1).await;
        operator.kill9().await;
        story.until("the Job is over", async || (!is_active(&story.jobs_of("once")[0])).then_some(())).await;
        // Nobody reads its result, and so nobody removes it.
        story.until_past(seconds_from_now(2)).await;
        assert!(story.get("Job", &name).await.is_some());

        let _again = story.operator("b").await;
        assert_eq!(text(&result(story, "once").await, "/message"), "kept");
        story.until("the Job is gone", async || story.get("Job", &name).await.is_none().then_some(())).await;
        assert_eq!(story.jobs_of("once")[0]["spec"]["ttlSecondsAfterFinished"], 0, "by its time to live");
        assert_eq!(text(&result(story, "once").await, "/message"), "kept");
    });
}
