//! The API server and its memory fail: slots are late at worst, and each keeps its one outcome.

use jiff::{SignedDuration, Timestamp};

use crate::harness::{Operator, Story, job_slot, now, second, seconds_from_now, story_alone};

/// Waits until a slot that is yet to come has its Job; replicas that end are started again.
async fn goes_on(story: &Story, replicas: &mut [Operator], first: Timestamp, what: &str) {
    let slot = story.next_slot(first, 2) + 2;
    story
        .until(&format!("slots go on: {what}"), async || {
            story.revive(replicas).await;
            story.jobs_of("tick").iter().any(|job| job_slot(job) >= slot).then_some(())
        })
        .await;
}

#[test]
fn outages_of_the_api_server_and_of_etcd_cost_no_slot() {
    story_alone("outage", async |story| {
        // An API server that has just begun knows of no rights yet.
        story.lets_rights_lack();
        let mut replicas = [story.operator("a").await, story.operator("b").await];
        let first = seconds_from_now(4);
        let spec =
            format!("trigger: {{interval: {{every: 2s, startTime: \"{first}\"}}}}\nsuccessfulJobsHistoryLimit: 100");
        story.schedule("tick", &spec, "").await;
        story.until_job("tick", first).await;

        story.cluster.signal("kube-apiserver", "KILL");
        story.cluster.restart("kube-apiserver");
        goes_on(story, &mut replicas, first, "the API server was killed").await;

        story.cluster.signal("etcd", "KILL");
        story.cluster.restart("etcd");
        goes_on(story, &mut replicas, first, "etcd was killed").await;

        // Open connections, and no answer, for longer than a leader may go on without one.
        story.cluster.signal("kube-apiserver", "STOP");
        story.until_past(now() + SignedDuration::from_secs(8)).await;
        story.cluster.signal("kube-apiserver", "CONT");
        goes_on(story, &mut replicas, first, "the API server was frozen").await;

        let status = story.every_slot_has_its_outcome("tick", first, 2).await;
        // Every Job there is was counted as one start.
        let mark = second(&status, "/decidedThrough");
        let there = story.list("Job").await.iter().filter(|job| job_slot(job) <= mark).count();
        assert_eq!(status["counts"]["slots"]["Started"].as_u64(), u64::try_from(there).ok(), "{status}");
    });
}

#[test]
fn a_definition_older_than_the_operator_stops_it_from_starting_anything() {
    story_alone("old-definition", async |story| {
        let definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/schedules.punctual.dev";
        let whole = story.raw(definition).await;
        let mut old = whole.clone();
        let version = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties";
        old.pointer_mut(version).and_then(|it| it.as_object_mut()).unwrap().remove("decidedThrough");
        story.put(definition, &old).await;
        let _operator = story.operator("a").await;
        let first = seconds_from_now(5);
        story.schedule("tick", &format!("trigger: {{interval: {{every: 2s, startTime: \"{first}\"}}}}"), "").await;
        story
            .until("the operator complains", async || story.logs()[0].1.contains("drops status fields").then_some(()))
            .await;
        story.until_past(first + SignedDuration::from_secs(4)).await;
        assert!(story.jobs_seen().is_empty(), "{:?}", story.jobs_seen());
        let writes = story.requests().iter().filter(|it| it.resource == "schedules/status").count();
        assert!(writes <= 20, "what is in vain is not tried all the time: {writes} times");

        // Nothing need be started again once the right one is there.
        let there = story.raw(definition).await;
        let mut whole = whole;
        whole["metadata"]["resourceVersion"] = there["metadata"]["resourceVersion"].clone();
        story.put(definition, &whole).await;
        story.until("slots start", async || (!story.jobs_of("tick").is_empty()).then_some(())).await;
    });
}
