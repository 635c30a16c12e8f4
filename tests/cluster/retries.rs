//! Runs that fail: they are tried again, and too many of them pause their Schedule.

use serde_json::{Value, json};

use crate::harness::{Story, is_active, schedule, second, seconds_from_now, story, text};

const FAILING: &str = "devcluster/exit-code: \"1\"";

/// From now on the Pods of new Jobs succeed.
async fn correct(story: &Story, name: &str) {
    let annotations = json!({"devcluster/exit-code": "0", "devcluster/message": "done"});
    let template = json!({"spec": {"template": {"metadata": {"annotations": annotations}}}});
    story.patch("Schedule", name, json!({"spec": {"jobTemplate": template}})).await;
}

/// Whether the one active run waits for the attempt after this one.
fn has_failed(status: &Value, attempt: i64) -> bool {
    status["active"][0]["state"] == "Backoff" && status["active"][0]["attempt"] == attempt
}

#[test]
fn a_run_that_fails_twice_and_then_succeeds_is_one_run_of_three_jobs() {
    story(async |story| {
        let operator = story.operator("a").await;
        let slot = seconds_from_now(4);
        let spec = format!("trigger: {{at: [\"{slot}\"]}}\nretry: {{limit: 3, delay: 5s, factor: 1}}\nresultTTL: 1h");
        // The Job's own backoffLimit is left to us.
        story.apply(&schedule("again", &spec, FAILING).replace("backoffLimit: 0", "parallelism: 1")).await;
        let first = story.until_job("again", slot).await;
        let run = text(&first, "/metadata/name").to_owned();
        assert_eq!(first["spec"]["backoffLimit"], 0);

        let failed = story.until_status("again", "its first attempt failed", |it| has_failed(it, 1)).await;
        let delay =
            second(&failed, "/active/0/nextAttemptTime") - second(&failed, "/active/0/lastAttempt/completionTime");
        assert_eq!(delay, 5);
        assert_eq!(failed["outcomes"][0]["outcome"], "Started");
        let lease_is_gone = async || story.get("Lease", &run).await.is_none().then_some(());
        story.until("nobody looks after a Job that is over", lease_is_gone).await;
        operator.kill9().await;
        let _again = story.operator("b").await;

        story.until_status("again", "its second attempt failed", |it| has_failed(it, 2)).await;
        correct(story, "again").await;
        let status = story.until_status("again", "the run has ended", |it| it["lastRun"].is_object()).await;
        let result = &status["results"][0];
        assert_eq!((text(result, "/outcome"), text(result, "/message")), ("Succeeded", "done"));
        assert_eq!((&result["attempts"], &status["counts"]["runs"]), (&json!(3), &json!({"Succeeded": 1})));
        assert_eq!((&status["counts"]["slots"], &status["activeRuns"]), (&json!({"Started": 1}), &json!(0)));
        assert_eq!(second(result, "/startTime"), second(&first, "/metadata/creationTimestamp"));

        let mut jobs = story.jobs_of("again");
        jobs.sort_by_key(|job| text(job, "/metadata/name").to_owned());
        let names: Vec<&str> = jobs.iter().map(|job| text(job, "/metadata/name")).collect();
        assert_eq!(names, [run.clone(), format!("{run}-a2"), format!("{run}-a3")]);
        for (job, attempt) in jobs.iter().zip(["1", "2", "3"]) {
            let env = job["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
            let of = |name: &str| env.iter().find(|it| it["name"] == name).map(|it| text(it, "/value"));
            assert_eq!((of("PUNCTUAL_ATTEMPT"), of("PUNCTUAL_RUN_ID")), (Some(attempt), Some(run.as_str())));
        }
        let left = async || {
            let there = story.list("Job").await;
            (there.len() == 1 && text(&there[0], "/metadata/name") == format!("{run}-a3")).then_some(())
        };
        story.until("only the Job that succeeded is left", left).await;
    });
}

#[test]
fn three_failures_in_a_row_pause_a_schedule_until_its_spec_is_changed() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let first = seconds_from_now(4);
        let spec = format!("trigger: {{interval: {{every: 3s, startTime: \"{first}\"}}}}\npauseAfterFailures: 3");
        story.schedule("broken", &spec, FAILING).await;
        let status = story.until_status("broken", "it is paused", |it| it["state"] == "Paused").await;
        assert_eq!((&status["consecutiveFailures"], &status["pauses"][0]["source"]), (&json!(3), &json!("Failures")));
        story.until_condition("broken", "Paused", "True", "ConsecutiveFailures").await;
        let shown = story.kubectl_ok(&["get", "psched", "broken", "-o", "wide"]);
        assert!(shown.contains("3 runs failed in a row"), "{shown}");
        let version =
            async || text(&story.get("Schedule", "broken").await.unwrap(), "/metadata/resourceVersion").to_owned();
        let before = version().await;
        story.until_past(seconds_from_now(7)).await;
        assert_eq!(version().await, before, "paused and overdue, it costs no write");
        assert_eq!(story.jobs_of("broken").len(), 3);

        correct(story, "broken").await;
        let status = story.until_status("broken", "it works again", |it| it["lastRun"]["outcome"] == "Succeeded").await;
        assert_eq!((&status["consecutiveFailures"], &status["pauses"]), (&Value::Null, &Value::Null));
        assert!(status["lastResume"]["missed"].as_i64() >= Some(2), "{status}");
    });
}

#[test]
fn a_pause_ends_by_itself_also_while_nobody_is_there_to_see_it() {
    story(async |story| {
        let operator = story.operator("a").await;
        let first = seconds_from_now(3);
        let until = seconds_from_now(9);
        let spec = format!(
            "trigger: {{interval: {{every: 2s, startTime: \"{first}\"}}}}\npaused: true\npauseUntil: \"{until}\"\npauseReason: maintenance"
        );
        for name in ["seen", "unseen"] {
            story.schedule(name, &spec, "").await;
        }
        let status = story.until_status("seen", "it is paused", |it| it["state"] == "Paused").await;
        assert_eq!(second(&status, "/pauses/0/until"), until.as_second());
        assert!(second(&status, "/nextSlotTime") >= until.as_second(), "{status}");
        let shown = story.kubectl_ok(&["get", "psched", "seen", "-o", "wide"]);
        assert!(shown.contains("maintenance: no slot starts until"), "{shown}");
        // Of the other one nobody sees the end of its pause.
        story.until_status("unseen", "it is paused", |it| it["state"] == "Paused").await;
        story.until_past(seconds_from_now(1)).await;
        operator.kill9().await;
        assert_eq!(story.jobs_seen().len(), 0);
        story.until_past(until).await;
        let _again = story.operator("b").await;
        for name in ["seen", "unseen"] {
            story.until_condition(name, "Paused", "False", "UntilReached").await;
            let job = async || story.jobs_of(name).into_iter().find(|job| !is_active(job));
            let job = story.until("a Job has run", job).await;
            assert!(second(&job, "/metadata/creationTimestamp") >= until.as_second());
            assert_eq!(story.get("Schedule", name).await.unwrap()["spec"]["paused"], true);
        }
    });
}
