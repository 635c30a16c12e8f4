//! What users and administrators do around the operator while it works.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::{Story, now, schedule, seconds_from_now, story, text};

fn every_two_seconds(first: Timestamp) -> String {
    format!("trigger: {{interval: {{every: 2s, startTime: \"{first}\"}}}}\n")
}

#[test]
fn each_right_that_is_withdrawn_for_a_while_costs_no_slot() {
    story(async |story| {
        story.lets_rights_lack();
        let mut replicas = [story.operator("a").await];
        let first = story.tick("successfulJobsHistoryLimit: 1").await;
        story.until_job("tick", first).await;
        let mut withdrawn = 0;
        for role in story.list("Role").await {
            let name = text(&role, "/metadata/name");
            let rules = role["rules"].as_array().unwrap();
            for index in 0..rules.len() {
                let mut fewer = rules.clone();
                let rule = fewer.remove(index);
                story.patch("Role", name, json!({"rules": fewer})).await;
                story.until_past(now() + SignedDuration::from_secs(3)).await;
                story.patch("Role", name, json!({"rules": rules})).await;
                story.tick_goes_on(&mut replicas, first, &format!("without {rule} for a while")).await;
                withdrawn += 1;
            }
        }
        assert!(withdrawn >= 9, "{withdrawn}");
        story.tick_is_whole(first).await;
    });
}

#[test]
fn a_leader_without_its_lease_says_so_and_ends() {
    story(async |story| {
        story.lets_rights_lack();
        let mut leader = story.operator("a").await;
        story.leader(&[&leader]).await;
        let roles = story.list("Role").await;
        for role in &roles {
            let mut rules = role["rules"].clone();
            rules.as_array_mut().unwrap().retain(|rule| rule["resources"] != json!(["leases"]));
            story.patch("Role", text(role, "/metadata/name"), json!({"rules": rules})).await;
        }
        let begin = now();
        let end = leader.ended().await;
        assert!(!end.success() && now() < begin + SignedDuration::from_secs(20), "{end} after {}", now() - begin);
        let log = leader.logged();
        assert!(log.contains("leadership was lost") && log.contains("cannot update resource"), "{log}");
        let begun = log.matches("this replica leads").count();
        assert_eq!(begun, 1, "{log}");
        // One that comes up meanwhile waits for the right to come back.
        let other = story.operator("b").await;
        for role in &roles {
            story.patch("Role", text(role, "/metadata/name"), json!({"rules": role["rules"]})).await;
        }
        story.leader(&[&other]).await;
    });
}

/// Gives the operator of the story the same rights in another namespace.
async fn allow_in(story: &Story, namespace: &str) {
    let rules: Vec<Value> = story
        .list("Role")
        .await
        .iter()
        .flat_map(|role| role["rules"].as_array().cloned().unwrap_or_default())
        .collect();
    let (group, name) = ("rbac.authorization.k8s.io", format!("guest.{namespace}"));
    let subject = json!({"kind": "ServiceAccount", "name": "punctual", "namespace": story.namespace});
    // By bindings of the cluster: those of the namespace would go before its Schedules do.
    for object in [
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}),
        json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name}, "subjects": [subject],
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name}}),
    ] {
        let output = story.kubectl(&["apply"], &object.to_string());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_namespace_that_goes_takes_its_schedules_with_it_and_disturbs_no_other() {
    story(async |story| {
        let guest = format!("{}-guest", story.namespace);
        story.kubectl_ok(&["create", "namespace", &guest]);
        allow_in(story, &guest).await;
        let both = format!("--namespaces={},{guest}", story.namespace);
        let _operator = story.operator_with("a", &both, story.server()).await;
        let first = story.tick("").await;
        let spec = every_two_seconds(first);
        let going = schedule("going", &spec, "")
            .replace("{name: going}", &format!("{{name: going, namespace: {guest}, finalizers: [example.com/held]}}"));
        let applied = story.kubectl(&["apply", "-n", &guest], &going);
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        let jobs_there = || story.kubectl_ok(&["get", "jobs", "-n", &guest, "-o", "name"]).lines().count();
        story.until("it runs there too", async || (jobs_there() > 0).then_some(())).await;

        // Stuck on its way, as by somebody else's finalizer.
        story.kubectl_ok(&["delete", "namespace", &guest, "--wait=false"]);
        story.until("its Jobs are gone", async || (jobs_there() == 0).then_some(())).await;
        let before = story.requests().len();
        let gone = now();
        story.until_past(gone + SignedDuration::from_secs(8)).await;
        assert_eq!(jobs_there(), 0);
        let refused = story.requests()[before..].iter().filter(|it| it.verb == "create" && it.code == 403).count();
        assert!(refused <= 8, "{refused} creates in vain in eight seconds");
        story.kubectl_ok(&[
            "patch",
            "psched",
            "going",
            "-n",
            &guest,
            "--type=merge",
            "-p",
            r#"{"metadata":{"finalizers":null}}"#,
        ]);
        story.kubectl_ok(&["wait", "--for=delete", &format!("namespace/{guest}"), "--timeout=60s"]);

        story.tick_was_on_time(3);
        // The name given anew is looked after anew.
        story.kubectl_ok(&["create", "namespace", &guest]);
        let anew = schedule("anew", &every_two_seconds(seconds_from_now(4)), "");
        let applied = story.kubectl(&["apply", "-n", &guest], &anew);
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        story.until("it runs there again", async || (jobs_there() > 0).then_some(())).await;
        story.kubectl_ok(&["delete", "namespace", &guest, "--wait=false"]);
        story.tick_is_whole(first).await;
    });
}

#[test]
fn a_job_that_expires_before_it_was_recorded_is_lost_and_not_run_again() {
    story(async |story| {
        let operator = story.operator("a").await;
        let (slot, next) = (seconds_from_now(4), seconds_from_now(20));
        let spec = format!("trigger: {{at: [\"{slot}\", \"{next}\"]}}\nresultTTL: 1h\nconcurrency: {{policy: Allow}}");
        story.schedule("twice", &spec, "devcluster/duration: 2s").await;
        let name = text(&story.until_job("twice", slot).await, "/metadata/name").to_owned();
        story.until_status("twice", "the start is recorded", |it| it["activeRuns"] == 1).await;
        operator.kill9().await;
        // A user, or a policy, gives it no time to live.
        story.patch("Job", &name, json!({"spec": {"ttlSecondsAfterFinished": 0}})).await;
        story.until("the Job is gone", async || story.get("Job", &name).await.is_none().then_some(())).await;

        let _again = story.operator("b").await;
        let status = story.until_status("twice", "the run has an end", |it| it["results"].is_array()).await;
        assert_eq!(
            (text(&status, "/results/0/jobName"), text(&status, "/results/0/outcome")),
            (name.as_str(), "Lost"),
            "{status}"
        );
        story.until_job("twice", next).await;
        let status = story.until_status("twice", "both are recorded", |it| it["results"][1].is_object()).await;
        assert_eq!(status["counts"], json!({"slots": {"Started": 2}, "runs": {"Lost": 1, "Succeeded": 1}}));
        assert_eq!(story.jobs_of("twice").len(), 2);
    });
}

#[test]
fn pods_and_jobs_deleted_all_the_time_cost_no_slot_and_start_none_twice() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let first = seconds_from_now(4);
        story.schedule("tick", &(every_two_seconds(first) + "resultTTL: 1h"), "devcluster/duration: 1s").await;
        story.until_job("tick", first).await;
        let (until, mut seen) = (now() + SignedDuration::from_secs(120), Vec::new());
        loop {
            // Of a start that is recorded: one that is not would be forgotten with its Job.
            let status = story.status("tick").await;
            let ended = |outcome: &str| status["counts"]["runs"][outcome].as_i64() > Some(2);
            if ended("Deleted") && ended("Failed") {
                break;
            }
            assert!(now() < until, "some runs are deleted, and some have failed: {status}");
            if let Some(name) = status["active"][0]["jobName"].as_str() {
                if seen.last().is_none_or(|it| it != name) {
                    seen.push(name.to_owned());
                }
                // The Pods of every second run, as soon as there are any; of the others the Job.
                let its_pods = format!("--selector=batch.kubernetes.io/job-name={name}");
                let what = if seen.len() % 2 == 0 { ["pods", &its_pods] } else { ["job", name] };
                story.kubectl_ok(&["delete", "--ignore-not-found", "--wait=false", what[0], what[1]]);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        story.tick_is_whole(first).await;
    });
}

#[test]
fn an_admission_webhook_that_is_down_holds_starts_back_until_it_is_gone() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let first = story.tick("").await;
        story.until_job("tick", first).await;
        let name = format!("down.{}", story.namespace);
        let hook = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": name},
            "webhooks": [{"name": "down.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "timeoutSeconds": 1,
                "clientConfig": {"url": "https://127.0.0.1:1/"}, "failurePolicy": "Fail",
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": story.namespace}},
                "rules": [{"apiGroups": ["batch"], "apiVersions": ["v1"], "resources": ["jobs"], "operations": ["CREATE"]}]}]});
        let applied = story.kubectl(&["apply"], &hook.to_string());
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        let is_refused = |it: &Value| it["pending"][0]["reason"] == "AdmissionDenied";
        let status = story.until_status("tick", "a start is refused", is_refused).await;
        assert!(text(&status, "/pending/0/message").contains("failed calling webhook"), "{status}");
        story.kubectl_ok(&["delete", "validatingwebhookconfiguration", &name]);
        story.tick_goes_on(&mut [], first, "the webhook is gone").await;
        story.tick_is_whole(first).await;
    });
}
