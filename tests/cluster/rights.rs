//! The rights that SECURITY.md tells of, those that the chart gives and those that are used are the
//! same: none lacks, and no request is made beyond them, which is checked of every story; and none is
//! given in vain.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::harness::{Story, documented, now, seconds_from_now, story, text};

/// Rights that no request needs: they let a Job be owned by a Schedule where the cluster asks
/// whether its creator could as well have set the Schedule's finalizers.
const NOT_REQUESTS: &[(&str, &str)] = &[("schedules/finalizers", "update")];
/// What anybody may ask who has an account.
const FOR_ALL: (&str, &str) = ("/version", "get");

#[test]
fn the_rights_that_are_documented_are_those_that_the_chart_gives() {
    story(async |story| {
        let mut told = documented();
        assert!(told.remove(&(FOR_ALL.0.to_owned(), FOR_ALL.1.to_owned())), "{told:?}");
        assert_eq!(told, given(&story.list("Role").await));
    });
}

#[test]
fn every_right_that_the_chart_gives_is_used() {
    story(async |story| {
        // With a fence that those runs do not reach which are replaced.
        let leader = story.operator_with("a", "--fence=6s", story.server()).await;
        story.leader(&[&leader]).await;
        let standby = story.operator_with("b", "--fence=6s", story.server()).await;
        let first = seconds_from_now(4);
        let every = |seconds: i64| format!("trigger: {{interval: {{every: {seconds}s, startTime: \"{first}\"}}}}\n");
        // Creates and deletes Jobs, and reads their Pods;
        story.schedule("tidy", &(every(2) + "successfulJobsHistoryLimit: 0"), "").await;
        // patches and reads some;
        story.schedule("relay", &(every(3) + "concurrency: {policy: Replace}"), "devcluster/hang: \"true\"").await;
        // runs by hand what is removed when its result has expired;
        story.schedule("by-hand", "trigger: {at: [\"2099-01-01T00:00:00Z\"]}\nresultTTL: 1s", "").await;
        // and meets somebody else's edit, so that it has to read the Schedule, or the ScheduleRun.
        story.until_job("tidy", first).await;
        leader.kill9().await;
        // Runs are taken over, Leases renewed.
        let mut count = 0;
        let mut unused = Vec::new();
        let all_used = async || {
            count += 1;
            let label = || json!({"metadata": {"labels": {"edit": count.to_string()}}});
            story.patch("Schedule", "tidy", label()).await;
            run_by_hand(story, &format!("by-hand-{count}"), label()).await;
            let used: BTreeSet<_> = story.requests().into_iter().map(|it| (it.resource, it.verb)).collect();
            let given = given(&story.list("Role").await);
            unused = given.into_iter().filter(|it| !used.contains(it) && !is_no_request(it)).collect();
            (unused.is_empty() || now() > first + SignedDuration::from_secs(40)).then_some(())
        };
        story.until("every right is used, or time is up", all_used).await;
        assert_eq!(unused, [], "given by the chart, and not used");
        drop(standby);
    });
}

/// Asks for a run, and edits what asks for it at the moment at which the operator writes its status.
async fn run_by_hand(story: &Story, name: &str, edit: Value) {
    story
        .apply(&format!(
            "{{apiVersion: punctual.dev/v1alpha1, kind: ScheduleRun, metadata: {{name: {name}}}, spec: {{scheduleName: by-hand}}}}"
        ))
        .await;
    let edits = (0..3).map(|_| story.try_patch("ScheduleRun", name, "", edit.clone()));
    futures::future::join_all(edits).await;
}

/// What Roles allow, as resources and verbs.
fn given(roles: &[Value]) -> BTreeSet<(String, String)> {
    let list = |rule: &Value, key: &str| -> Vec<String> {
        rule[key].as_array().into_iter().flatten().map(|it| text(it, "").to_owned()).collect()
    };
    let rules = roles.iter().flat_map(|role| role["rules"].as_array().cloned().unwrap_or_default());
    let all = rules.flat_map(|rule| {
        let verbs = list(&rule, "verbs");
        list(&rule, "resources")
            .into_iter()
            .flat_map(move |resource| verbs.clone().into_iter().map(move |verb| (resource.clone(), verb)))
    });
    all.collect()
}

fn is_no_request((resource, verb): &(String, String)) -> bool {
    NOT_REQUESTS.contains(&(resource, verb))
}
