//! Starts that the API server refuses for a reason that may pass.

use serde_json::{Value, json};

use crate::harness::{Story, seconds_from_now, story, text, time};

const QUOTA: &str = "
apiVersion: v1
kind: ResourceQuota
metadata: {name: jobs}
spec: {hard: {count/jobs.batch: \"0\"}}
";

/// Waits until a slot's start is being tried again; answers the entry.
async fn refused(story: &Story, name: &str, reason: &str) -> Value {
    let is_it = |it: &Value| it["pending"][0]["why"] == "Retrying" && it["pending"][0]["reason"] == reason;
    let status = story.until_status(name, &format!("the start of {name} is refused: {reason}"), is_it).await;
    assert_eq!(status["queuedRuns"], 1);
    let ready = status["conditions"].as_array().unwrap().iter().find(|it| it["type"] == "Ready").unwrap();
    assert_eq!(ready["status"], "True", "a refusal that may pass leaves it ready");
    status["pending"][0].clone()
}

#[test]
fn a_quota_holds_a_start_back_until_it_is_raised() {
    story(async |story| {
        story.apply(QUOTA).await;
        let is_counted = async || story.get("ResourceQuota", "jobs").await?["status"]["hard"].is_object().then_some(());
        story.until("the quota is counted", is_counted).await;
        let _operator = story.operator("a").await;
        let slot = seconds_from_now(5);
        story.schedule("patient", &format!("trigger: {{at: [\"{slot}\"]}}"), "").await;
        let deadline = format!("trigger: {{at: [\"{slot}\"]}}\nstartingDeadline: 4s");
        story.schedule("impatient", &deadline, "").await;
        let pending = refused(story, "patient", "QuotaExceeded").await;
        assert_eq!(time(&pending, "/slotTime"), slot);
        assert!(text(&pending, "/message").contains("exceeded quota: jobs"), "{pending}");
        story
            .until_status("impatient", "its deadline has passed", |it| it["lastSlot"]["outcome"] == "MissedDeadline")
            .await;
        assert!(story.jobs_seen().is_empty());

        story.apply(&QUOTA.replace("\"0\"", "\"5\"")).await;
        story.until_job("patient", slot).await;
        let status =
            story.until_status("patient", "the run is recorded", |it| it["counts"]["runs"]["Succeeded"] == 1).await;
        assert_eq!((&status["pending"], &status["queuedRuns"]), (&Value::Null, &json!(0)));
        assert!(story.jobs_of("impatient").is_empty());
    });
}

#[test]
fn an_admission_policy_holds_a_start_back_until_it_goes() {
    story(async |story| {
        let _operator = story.operator("a").await;
        story.refuse_jobs().await;
        let slot = seconds_from_now(4);
        story.schedule("once", &format!("trigger: {{at: [\"{slot}\"]}}"), "").await;
        let pending = refused(story, "once", "AdmissionDenied").await;
        assert!(text(&pending, "/message").contains("the house rules say no"), "{pending}");
        // The policy's word is not held against the template.
        assert_eq!(story.status("once").await["state"], "Scheduled");
        story.allow().await;
        story.until_job("once", slot).await;
        let status =
            story.until_status("once", "the run is recorded", |it| it["counts"]["runs"]["Succeeded"] == 1).await;
        assert_eq!(status["counts"]["slots"], json!({"Started": 1}));
        assert_eq!(status["lastSlot"]["outcome"], "Succeeded");
    });
}

#[test]
fn a_withdrawn_right_is_named_and_its_return_noticed() {
    story(async |story| {
        story.lets_rights_lack();
        let _operator = story.operator("a").await;
        let slot = seconds_from_now(6);
        story.schedule("once", &format!("trigger: {{at: [\"{slot}\"]}}"), "").await;
        story.until_condition("once", "Ready", "True", "Scheduled").await;
        let role = format!("punctual-operator.{}", story.namespace);
        let rules = story.get("Role", &role).await.unwrap()["rules"].take();
        let mut fewer = rules.clone();
        let jobs = fewer.as_array_mut().unwrap().iter_mut().find(|it| it["resources"] == json!(["jobs"])).unwrap();
        jobs["verbs"] = json!(["get", "list", "watch"]);
        story.patch("Role", &role, json!({"rules": fewer})).await;

        let pending = refused(story, "once", "Forbidden").await;
        assert!(text(&pending, "/message").contains("cannot create resource \"jobs\""), "{pending}");
        story.patch("Role", &role, json!({"rules": rules})).await;
        story.until_job("once", slot).await;
    });
}
