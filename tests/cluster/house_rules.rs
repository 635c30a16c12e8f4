//! Mutating admission policies that change the operator's Jobs under its hands.

use serde_json::{Value, json};

use crate::harness::{Story, now, story_alone, text};

/// Such policies are not in force by default in this version of Kubernetes.
const FLAGS: &[&str] = &[
    "--apiserver-arg=--feature-gates=MutatingAdmissionPolicy=true",
    "--apiserver-arg=--runtime-config=admissionregistration.k8s.io/v1beta1=true",
];

/// Lets the API server change every new Job of the namespace; waits until it does.
async fn change_jobs(story: &Story, patch_type: &str, expression: &str, is_changed: impl Fn(&Value) -> bool) {
    let key = if patch_type == "JSONPatch" { "jsonPatch" } else { "applyConfiguration" };
    let metadata = json!({"name": "house-rules"});
    let api_version = "admissionregistration.k8s.io/v1beta1";
    let policy = json!({"apiVersion": api_version, "kind": "MutatingAdmissionPolicy", "metadata": metadata, "spec": {
        "failurePolicy": "Fail", "reinvocationPolicy": "Never",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": story.namespace}},
            "resourceRules": [{"apiGroups": ["batch"], "apiVersions": ["v1"], "resources": ["jobs"], "operations": ["CREATE"]}],
        },
        "mutations": [{"patchType": patch_type, key: {"expression": expression}}],
    }});
    let binding = json!({"apiVersion": api_version, "kind": "MutatingAdmissionPolicyBinding", "metadata": metadata, "spec": {"policyName": "house-rules"}});
    for object in [policy, binding] {
        let output = story.kubectl(&["apply"], &object.to_string());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let annotations = json!({"punctual.dev/leader-term": "999999999", "punctual.dev/other": "1"});
    let container = json!({"name": "main", "image": "example/work:1"});
    let probe = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "probe", "labels": {"probe": "true"}, "annotations": annotations},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}});
    let in_force = async || {
        let tried = story.try_apply_with(&probe.to_string(), "dryRun=All").await.unwrap();
        is_changed(&tried).then_some(())
    };
    story.until("the policy is in force", in_force).await;
}

fn lift(story: &Story) {
    story.kubectl_ok(&["delete", "mutatingadmissionpolicybinding,mutatingadmissionpolicy", "house-rules"]);
}

#[test]
fn policies_that_change_jobs_cost_no_slot_and_start_none_twice() {
    story_alone("house-rules", FLAGS, async |story| {
        let _operator = story.operator("a").await;
        let first = story.tick("successfulJobsHistoryLimit: 0").await;
        let never = "trigger: {at: [\"2099-01-01T00:00:00Z\"]}\nsuccessfulJobsHistoryLimit: 0";
        story.schedule("by-hand", never, "").await;
        story.until_job("tick", first).await;
        let started = |status: &Value| status["counts"]["slots"]["Started"].as_i64().unwrap_or_default();
        let goes_on = async |what: &str| {
            let before = started(&story.status("tick").await);
            story.until_status("tick", &format!("slots go on: {what}"), |it| started(it) >= before + 4).await;
        };

        // Jobs that are removed as soon as they end.
        let ttl = "Object{spec: Object.spec{ttlSecondsAfterFinished: 0}}";
        change_jobs(story, "ApplyConfiguration", ttl, |job| job["spec"]["ttlSecondsAfterFinished"] == 0).await;
        goes_on("Jobs vanish").await;
        lift(story);

        // Whose they are is read from their names.
        let strip = r#"[JSONPatch{op: "replace", path: "/metadata/labels", value: {"team": "a"}},
            JSONPatch{op: "replace", path: "/metadata/annotations", value: {"punctual.dev/leader-term": object.metadata.annotations["punctual.dev/leader-term"]}}]"#;
        change_jobs(story, "JSONPatch", strip, |job| job["metadata"]["labels"] == json!({"team": "a"})).await;
        goes_on("labels and annotations are replaced").await;
        let run = json!({"apiVersion": "punctual.dev/v1alpha1", "kind": "ScheduleRun", "metadata": {"name": "by-hand"}, "spec": {"scheduleName": "by-hand"}});
        story.apply(&run.to_string()).await;
        let ended = async || {
            let status = story.get("ScheduleRun", "by-hand").await?["status"].take();
            status["outcome"].is_string().then_some(status)
        };
        let status = story.until("the run by hand has ended", ended).await;
        assert_eq!(status["outcome"], "Succeeded", "{status}");
        lift(story);

        // Deleted Jobs that stay until somebody else has seen them.
        let hold = r#"[JSONPatch{op: "add", path: "/metadata/finalizers", value: ["example.com/held"]}]"#;
        change_jobs(story, "JSONPatch", hold, |job| job["metadata"]["finalizers"].is_array()).await;
        goes_on("Jobs are held").await;
        lift(story);
        let status = story.tick_is_whole(first).await;
        assert!(started(&status) >= 12 && status["counts"]["runs"]["Failed"].is_null(), "{status}");
        for job in story.list("Job").await {
            story.patch("Job", text(&job, "/metadata/name"), json!({"metadata": {"finalizers": null}})).await;
        }
        story.until("what was held is gone", async || (story.list("Job").await.len() <= 1).then_some(())).await;

        // Without the leader's term the fencing policy takes no Job: held back, and said so.
        let bare = r#"[JSONPatch{op: "remove", path: "/metadata/annotations"}]"#;
        story.until_status("tick", "no slot waits", |it| it["pending"].is_null()).await;
        change_jobs(story, "JSONPatch", bare, |job| job["metadata"]["annotations"].is_null()).await;
        let is_refused = |it: &Value| it["pending"][0]["reason"] == "AdmissionDenied";
        let status = story.until_status("tick", "starts are refused", is_refused).await;
        assert!(text(&status, "/pending/0/message").contains("leader-term is missing"), "{status}");
        lift(story);
        let lifted = now();
        let starts_again =
            |it: &Value| it["lastRun"]["startTime"].as_str().is_some_and(|at| at > lifted.to_string().as_str());
        story.until_status("tick", "slots start again", starts_again).await;
        story.tick_is_whole(first).await;
    });
}
