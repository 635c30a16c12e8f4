//! The API server and its memory fail: slots are late at worst, and each keeps its one outcome.

use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::{Operator, Story, job_slot, now, run, second, seconds_from_now, story_alone, text};

/// Two replicas, and a Schedule that is due every two seconds; answers its first slot as well.
async fn at_work(story: &Story) -> ([Operator; 2], Timestamp) {
    // An API server that has just begun knows of no rights yet.
    story.lets_rights_lack();
    let replicas = [story.operator("a").await, story.operator("b").await];
    let first = story.tick("successfulJobsHistoryLimit: 100").await;
    story.until_job("tick", first).await;
    (replicas, first)
}

/// Every slot has its outcome, and every Job there is was counted as one start.
async fn nothing_was_lost(story: &Story, first: Timestamp) {
    let status = story.tick_is_whole(first).await;
    let mark = second(&status, "/decidedThrough");
    let there = story.list("Job").await.iter().filter(|job| job_slot(job) <= mark).count();
    assert_eq!(status["counts"]["slots"]["Started"].as_u64(), u64::try_from(there).ok(), "{status}");
}

/// Slots go on once an outage is over.
async fn slots_go_on(story: &Story, replicas: &mut [Operator], first: Timestamp, what: &str) {
    story.cluster.wake_node();
    story.tick_goes_on(replicas, first, what).await;
}

/// Connections stay open, and nothing is answered.
async fn freeze(story: &Story, component: &str, seconds: i64) {
    story.cluster.signal(component, "STOP");
    story.until_past(now() + SignedDuration::from_secs(seconds)).await;
    story.cluster.signal(component, "CONT");
}

#[test]
fn outages_of_the_api_server_cost_no_slot() {
    story_alone("outage", &[], async |story| {
        let (mut replicas, first) = at_work(story).await;
        story.cluster.signal("kube-apiserver", "KILL");
        story.cluster.restart("kube-apiserver");
        slots_go_on(story, &mut replicas, first, "the API server was killed").await;
        story.cluster.restart("kube-apiserver");
        slots_go_on(story, &mut replicas, first, "the API server was restarted in order").await;
        // Twice for longer than a leader may go on without an answer.
        for seconds in [3, 8, 20] {
            freeze(story, "kube-apiserver", seconds).await;
            slots_go_on(story, &mut replicas, first, &format!("the API server was frozen for {seconds} s")).await;
        }
        nothing_was_lost(story, first).await;
    });
}

#[test]
fn outages_of_etcd_cost_no_slot() {
    story_alone("outage-etcd", &["--etcd-arg=--quota-backend-bytes=16777216"], async |story| {
        let (mut replicas, first) = at_work(story).await;
        story.cluster.signal("etcd", "KILL");
        story.cluster.restart("etcd");
        slots_go_on(story, &mut replicas, first, "etcd was killed").await;
        freeze(story, "etcd", 12).await;
        slots_go_on(story, &mut replicas, first, "etcd was frozen").await;

        // Full: it takes no write until somebody makes room and says so.
        let refusal = fill(story).await;
        assert!(refusal.contains("database space exceeded"), "{refusal}");
        let before = story.requests().len();
        let until = now() + SignedDuration::from_secs(10);
        while now() < until {
            story.revive(&mut replicas).await;
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        let asked = story.requests().len() - before;
        assert!(asked <= 200, "{asked} requests in ten seconds, all in vain");
        let says_so = story.logs().iter().any(|(_, log)| log.contains("database space exceeded"));
        assert!(says_so, "no replica says what is wrong");
        make_room(story).await;
        slots_go_on(story, &mut replicas, first, "etcd was full").await;
        nothing_was_lost(story, first).await;
    });
}

/// Stores until nothing more is taken; answers how that was refused.
async fn fill(story: &Story) -> String {
    for number in 0..40 {
        let ballast = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("ballast-{number}")},
            "data": {"it": "x".repeat(900_000)}});
        if let Err(refusal) = story.try_apply(&ballast.to_string()).await {
            return refusal;
        }
    }
    panic!("etcd takes everything");
}

async fn make_room(story: &Story) {
    let ballast: Vec<_> = story.list("ConfigMap").await;
    for map in ballast.iter().filter(|it| text(it, "/metadata/name").starts_with("ballast-")) {
        story.delete("ConfigMap", text(map, "/metadata/name")).await;
    }
    let etcd = async |what: &str, body| story.cluster.etcd(what, &body).await;
    let revision = etcd("maintenance/status", json!({})).await["header"]["revision"].clone();
    etcd("kv/compaction", json!({"revision": revision, "physical": true})).await;
    etcd("maintenance/defragment", json!({})).await;
    let alarms = etcd("maintenance/alarm", json!({"action": "GET"})).await;
    assert_eq!(alarms["alarms"][0]["alarm"], "NOSPACE", "{alarms}");
    let member = &alarms["alarms"][0]["memberID"];
    etcd("maintenance/alarm", json!({"action": "DEACTIVATE", "memberID": member, "alarm": "NOSPACE"})).await;
}

#[test]
fn definitions_that_are_too_old_or_gone_stop_the_starts_and_not_the_operator() {
    story_alone("definitions", &[], async |story| {
        let definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/schedules.punctual.dev";
        let whole = story.raw(definition).await;
        let mut old = whole.clone();
        let version = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties";
        old.pointer_mut(version).and_then(|it| it.as_object_mut()).unwrap().remove("decidedThrough");
        story.put(definition, &old).await;
        let mut operator = story.operator("a").await;
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

        // Deleted, it takes all Schedules with it; nothing need be started again once it is there anew.
        story.kubectl_ok(&["delete", "crd", "schedules.punctual.dev", "--timeout=60s"]);
        let before = story.requests().len();
        story.until_past(now() + SignedDuration::from_secs(5)).await;
        let asked = story.requests().len() - before;
        assert!(asked <= 60, "{asked} requests in five seconds");
        story.cluster.install_crd();
        let first = seconds_from_now(5);
        story.schedule("tock", &format!("trigger: {{interval: {{every: 2s, startTime: \"{first}\"}}}}"), "").await;
        story.until("slots start anew", async || (!story.jobs_of("tock").is_empty()).then_some(())).await;
        assert!(operator.is_running());
        story.every_slot_has_its_outcome("tock", first, 2).await;
    });
}

#[test]
fn an_etcd_restored_to_an_earlier_state_is_taken_as_it_is() {
    story_alone("restored", &[], async |story| {
        let (mut replicas, first) = at_work(story).await;
        let data = |name: &str| story.cluster.dir.join(name);
        stop_control_plane(story);
        run(Command::new("cp").arg("-a").arg(data("etcd")).arg(data("etcd.copy")));
        start_control_plane(story);
        let copied = now().as_second();
        slots_go_on(story, &mut replicas, first, "a copy of etcd was made").await;
        let is_later = |it: &Value| second(it, "/decidedThrough") > copied;
        let before = story.until_status("tick", "what came after the copy is recorded", is_later).await;

        // A leader would have a second or two for a decision before it sees its Lease again.
        replicas.iter().for_each(Operator::freeze);
        stop_control_plane(story);
        std::fs::remove_dir_all(data("etcd")).unwrap();
        std::fs::rename(data("etcd.copy"), data("etcd")).unwrap();
        start_control_plane(story);
        for component in ["kube-controller-manager", "kube-scheduler", "simulated-node"] {
            story.cluster.restart(component);
        }
        let mark = second(&story.status("tick").await, "/decidedThrough");
        assert!(mark < second(&before, "/decidedThrough"), "nothing was forgotten");
        // What they know is of a future that is no more.
        replicas.iter().for_each(Operator::thaw);
        let mut reasons = String::new();
        for replica in &mut replicas {
            replica.ended().await;
            reasons += &replica.logged();
        }
        assert!(reasons.contains("resourceVersion went back"), "{reasons}");
        let _replica = story.operator("c").await;
        // What was forgotten is late now: the newest slot runs, and the others go into it.
        let is_over = |it: &Value| it["lastRun"]["slotTime"].as_str() > before["lastRun"]["slotTime"].as_str();
        story.until_status("tick", "a later slot has run", is_over).await;
        let status = story.tick_is_whole(first).await;
        assert!(status["counts"]["slots"]["Coalesced"].as_i64() > Some(0), "{status}");
    });
}

fn stop_control_plane(story: &Story) {
    for component in ["kube-apiserver", "etcd"] {
        story.cluster.signal(component, "KILL");
    }
}

/// Each is ready only when the other is.
fn start_control_plane(story: &Story) {
    let cluster = story.cluster;
    std::thread::scope(|scope| {
        for component in ["etcd", "kube-apiserver"] {
            scope.spawn(move || cluster.restart(component));
        }
    });
}
