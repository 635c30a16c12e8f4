//! Runs that are asked for by hand.

use serde_json::{Value, json};

use crate::harness::{Story, is_active, now, story, text, time};

/// A trigger that asks for nothing while a story is told.
const FAR: &str = "trigger: {at: [\"2099-01-01T00:00:00Z\"]}\n";
const HANG: &str = "devcluster/hang: \"true\"";

/// Asks for a run.
async fn run_now(story: &Story, name: &str, schedule: &str) -> Value {
    let run = format!(
        "apiVersion: punctual.dev/v1alpha1\nkind: ScheduleRun\nmetadata: {{name: {name}}}\nspec: {{scheduleName: {schedule}}}"
    );
    story.apply(&run).await
}

/// What a ScheduleRun tells.
async fn told(story: &Story, name: &str) -> Value {
    story.get("ScheduleRun", name).await.map(|mut it| it["status"].take()).unwrap_or_default()
}

async fn until_told(story: &Story, name: &str, field: &str, value: &str) -> Value {
    let what = format!("ScheduleRun {name} has {field} {value}");
    story.until(&what, async || Some(told(story, name).await).filter(|it| it[field] == value)).await
}

fn waits_for(story: &Story, name: &str, what: &str) {
    story.kubectl_ok(&["wait", &format!("psrun/{name}"), &format!("--for={what}"), "--timeout=60s"]);
}

fn jobs_of_run(story: &Story, run: &Value) -> Vec<Value> {
    let uid = text(run, "/metadata/uid");
    let is_its = |job: &Value| text(job, "/metadata/labels/punctual.dev~1schedule-run-uid") == uid;
    story.jobs_seen().into_iter().filter(is_its).collect()
}

async fn until_jobs(story: &Story, run: &Value) -> Vec<Value> {
    story.until("it has a Job", async || Some(jobs_of_run(story, run)).filter(|it| !it.is_empty())).await
}

#[test]
fn a_run_starts_while_the_schedule_is_paused_and_its_end_can_be_waited_for() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let message = "devcluster/message: \"rows=42\", devcluster/duration: 1s";
        story.schedule("fine", &(FAR.to_owned() + "paused: true"), message).await;
        let broken = "devcluster/exit-code: \"3\", devcluster/message: no such table";
        story.schedule("broken", &(FAR.to_owned() + "paused: true"), broken).await;
        story.until_condition("fine", "Paused", "True", "Spec").await;

        let run = run_now(story, "adhoc", "fine").await;
        assert_eq!(run["status"]["state"], "Pending", "nobody has looked at it yet: {run}");
        waits_for(story, "adhoc", "condition=Complete");
        let status = told(story, "adhoc").await;
        assert_eq!(
            (&status["outcome"], &status["exitCode"], &status["message"]),
            (&json!("Succeeded"), &json!(0), &json!("rows=42"))
        );
        let jobs = until_jobs(story, &run).await;
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        assert_eq!(status["jobName"], jobs[0]["metadata"]["name"]);
        let env = &jobs[0]["spec"]["template"]["spec"]["containers"][0]["env"];
        let slot = env.as_array().unwrap().iter().find(|it| it["name"] == "PUNCTUAL_SLOT").unwrap();
        assert_eq!(slot["value"], run["metadata"]["creationTimestamp"]);

        run_now(story, "failing", "broken").await;
        waits_for(story, "failing", "condition=Failed");
        waits_for(story, "failing", "jsonpath={.status.outcome}");
        let row = story.kubectl_ok(&["get", "psrun", "failing", "-o", "wide", "--no-headers"]);
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(words[..3], ["failing", "broken", "Failed"], "{row}");
        assert!(words.ends_with(&["BackoffLimitExceeded", "3", "no", "such", "table"]), "{row}");

        // The plan knows nothing of it.
        let status = story.until_status("fine", "the run is over", |it| it["active"].is_null()).await;
        assert_eq!(
            (&status["counts"], &status["outcomes"], &status["state"]),
            (&json!({}), &Value::Null, &json!("Paused"))
        );
        let events = async || {
            let events = story.kubectl_ok(&[
                "get",
                "events",
                "-o",
                "name",
                "--field-selector",
                "involvedObject.kind=ScheduleRun,involvedObject.name=adhoc",
            ]);
            (events.lines().count() >= 2).then_some(())
        };
        story.until("its events tell of its start and its end", events).await;
    });
}

#[test]
fn a_run_meets_the_concurrency_policy() {
    story(async |story| {
        let _operator = story.operator("a").await;
        for policy in ["Forbid", "Allow", "Replace"] {
            let name = policy.to_lowercase();
            let (first, second) = (format!("{name}-1"), format!("{name}-2"));
            story.schedule(&name, &format!("{FAR}concurrency: {{policy: {policy}}}"), HANG).await;
            run_now(story, &first, &name).await;
            until_told(story, &first, "state", "Running").await;
            let run = run_now(story, &second, &name).await;
            match policy {
                "Forbid" => {
                    let status = until_told(story, &second, "outcome", "SkippedOverlap").await;
                    assert_eq!(status["reason"], "ConcurrencyForbid");
                    waits_for(story, &second, "condition=Failed");
                    assert_eq!(jobs_of_run(story, &run), [] as [Value; 0]);
                    assert_eq!(told(story, &first).await["state"], "Running");
                }
                "Allow" => {
                    until_told(story, &second, "state", "Running").await;
                    story.until_status(&name, "both are active", |it| it["activeRuns"] == 2).await;
                }
                _ => {
                    until_told(story, &second, "state", "Running").await;
                    assert_eq!(told(story, &first).await["outcome"], "Replaced");
                    story.until_status(&name, "one is active", |it| it["activeRuns"] == 1).await;
                }
            }
        }
    });
}

#[test]
fn a_run_waits_in_the_queue() {
    story(async |story| {
        let _operator = story.operator("a").await;
        story.schedule("line", &format!("{FAR}concurrency: {{policy: Queue}}"), "devcluster/duration: 4s").await;
        run_now(story, "first", "line").await;
        until_told(story, "first", "state", "Running").await;
        run_now(story, "second", "line").await;
        until_told(story, "second", "state", "Queued").await;
        story.until_status("line", "it stands in line", |it| it["pending"][0]["scheduleRun"] == "second").await;
        waits_for(story, "second", "condition=Complete");
        assert!(
            time(&told(story, "second").await, "/startTime") >= time(&told(story, "first").await, "/completionTime")
        );
    });
}

#[test]
fn the_result_stays_until_its_time_to_live_is_over() {
    story(async |story| {
        let _operator = story.operator("a").await;
        story.schedule("brief", &(FAR.to_owned() + "resultTTL: 5s"), "").await;
        story.schedule("lasting", FAR, "").await;
        run_now(story, "brief", "brief").await;
        run_now(story, "lasting", "lasting").await;
        let status = until_told(story, "brief", "outcome", "Succeeded").await;
        let expiration = time(&status, "/expirationTime");
        assert_eq!(expiration.as_second() - time(&status, "/completionTime").as_second(), 5);
        story.until("it is removed", async || story.get("ScheduleRun", "brief").await.is_none().then_some(())).await;
        assert!(now() >= expiration);
        assert_eq!(told(story, "lasting").await["expirationTime"], Value::Null);
    });
}

#[test]
fn a_leader_killed_in_the_middle_of_a_run_hands_it_on() {
    story(async |story| {
        let leader = story.operator("a").await;
        story.leader(&[&leader]).await;
        let standby = story.operator("b").await;
        story.until_watching(2).await;
        story.schedule("once", FAR, "devcluster/duration: 4s, devcluster/message: done").await;
        let run = run_now(story, "adhoc", "once").await;
        until_told(story, "adhoc", "state", "Running").await;
        leader.kill9().await;
        waits_for(story, "adhoc", "condition=Complete");
        assert_eq!(told(story, "adhoc").await["message"], "done");
        assert_eq!(until_jobs(story, &run).await.len(), 1);
        story.until_status("once", "the run is over", |it| it["active"].is_null()).await;
        drop(standby);
    });
}

#[test]
fn a_run_whose_start_or_end_cannot_be_told_is_told_of_later() {
    story(async |story| {
        // Given an operator that cannot write what it knows of ScheduleRuns.
        let leader = story.operator("a").await;
        story.schedule("once", FAR, "devcluster/duration: 2s, devcluster/message: done").await;
        let run = run_now(story, "probe", "once").await;
        waits_for(story, "probe", "condition=Complete");
        let probe = async || {
            story
                .try_patch("ScheduleRun", "probe/status", "dryRun=All", json!({"status": {"state": "x"}}))
                .await
                .is_err()
        };
        story.refuse("UPDATE", "punctual.dev", "scheduleruns/status", probe).await;
        let second = run_now(story, "adhoc", "once").await;
        let is_over = async || jobs_of_run(story, &second).first().filter(|job| !is_active(job)).cloned();
        story.until("its Job is over", is_over).await;

        // Then the Schedule does not forget it, also not when the operator is killed;
        assert_eq!(story.status("once").await["active"][0]["scheduleRun"], "adhoc");
        leader.kill9().await;
        story.allow().await;
        let _next = story.operator("b").await;

        // and its end is told when it can be.
        waits_for(story, "adhoc", "condition=Complete");
        assert_eq!(told(story, "adhoc").await["message"], "done");
        story.until_status("once", "the run is over", |it| it["active"].is_null()).await;
        assert_eq!((jobs_of_run(story, &run).len(), jobs_of_run(story, &second).len()), (1, 1));
    });
}

#[test]
fn a_run_is_for_a_schedule_that_is_there() {
    story(async |story| {
        let _operator = story.operator("a").await;
        run_now(story, "early", "late").await;
        waits_for(story, "early", "condition=Failed");
        let status = told(story, "early").await;
        assert_eq!((&status["outcome"], &status["reason"]), (&json!("BeforeCreation"), &json!("NoSuchSchedule")));
        assert!(text(&status, "/message").contains("create the Schedule first"), "{status}");

        // The Schedule that comes later does not start it, and its own one goes with it.
        story.schedule("late", FAR, HANG).await;
        run_now(story, "running", "late").await;
        until_told(story, "running", "state", "Running").await;
        story.delete("Schedule", "late").await;
        let status = until_told(story, "running", "outcome", "Deleted").await;
        assert_eq!(status["reason"], "NoSuchSchedule");
        assert_eq!(told(story, "early").await["outcome"], "BeforeCreation");
    });
}

#[test]
fn a_deleted_one_leaves_its_run_alone() {
    story(async |story| {
        let _operator = story.operator("a").await;
        story.schedule("once", FAR, "devcluster/duration: 6s").await;
        let run = run_now(story, "adhoc", "once").await;
        until_told(story, "adhoc", "state", "Running").await;
        story.delete("ScheduleRun", "adhoc").await;
        let again = run_now(story, "adhoc", "once").await;
        let status = until_told(story, "adhoc", "outcome", "SkippedOverlap").await;
        assert_eq!(status["uid"], again["metadata"]["uid"]);
        story.until_status("once", "the run is over", |it| it["active"].is_null()).await;
        assert_eq!((jobs_of_run(story, &run).len(), jobs_of_run(story, &again).len()), (1, 0));
    });
}
