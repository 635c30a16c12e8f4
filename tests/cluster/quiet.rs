//! With nothing to do, nothing is written.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{Request, seconds_from_now, story};

/// Writes by resource and name, without the renewals of the leader Lease.
fn writes(requests: &[Request]) -> BTreeMap<(String, String), usize> {
    let mut writes = BTreeMap::new();
    for request in requests.iter().filter(|it| it.is_write() && !(it.resource == "leases" && it.name == "punctual")) {
        *writes.entry((format!("{} {}", request.verb, request.resource), request.name.clone())).or_default() += 1;
    }
    writes
}

#[test]
fn with_nothing_due_only_the_leader_lease_is_written() {
    story(async |story| {
        let replicas = [story.operator("a").await, story.operator("b").await];
        let slot = seconds_from_now(3);
        story.schedule("done", &format!("trigger: {{at: [\"{slot}\"]}}\nresultTTL: 1h"), "").await;
        story.schedule("yearly", "trigger: {cron: \"0 0 1 1 *\"}", "").await;
        story.schedule("paused", "paused: true\ntrigger: {interval: {every: 1s}}", "").await;
        story.schedule("wrong", "trigger: {cron: \"every day at noon\"}", "").await;
        story.schedule("running", &format!("trigger: {{at: [\"{slot}\"]}}"), "devcluster/hang: \"true\"").await;
        story.leader(&replicas.each_ref()).await;
        story.until_condition("done", "Complete", "True", "Completed").await;
        story.until_condition("paused", "Paused", "True", "Spec").await;
        story.until_condition("wrong", "Stalled", "True", "InvalidTrigger").await;
        story.until_status("running", "its Pod is ready", |it| it["activeRuns"] == 1).await;
        for name in ["done", "yearly", "paused", "running"] {
            let is_tried = |it: &Value| it["templateCheckedGeneration"] == 1;
            story.until_status(name, "its template was tried", is_tried).await;
        }
        // Whatever those left to do is done; from then on ten seconds pass.
        story.until_past(seconds_from_now(4)).await;
        let before = story.requests();
        story.until_past(seconds_from_now(10)).await;
        let after = story.requests();
        let quiet = &after[before.len()..];
        let mut told = writes(quiet);
        // The one run that is active has a Lease, which is kept alive: it is 10 s long here.
        told.retain(|(what, name), count| !(what == "update leases" && name.starts_with("running-") && *count <= 4));
        assert_eq!(told, BTreeMap::new());
        let renewals = quiet.iter().filter(|it| it.verb == "update" && it.name == "punctual").count();
        assert!((5..=12).contains(&renewals), "the leader renews each second: {renewals}");
        let reads = quiet.iter().filter(|it| matches!(it.verb.as_str(), "get" | "list")).count();
        assert!(reads <= 25, "{reads} reads in ten seconds: {quiet:#?}");
    });
}

#[test]
fn status_is_written_once_for_what_happens_at_once() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let slot = seconds_from_now(5);
        story.schedule("once", &format!("trigger: {{at: [\"{slot}\"]}}"), "devcluster/duration: 2s").await;
        story.until_condition("once", "Complete", "True", "Completed").await;
        let writes = writes(&story.requests());
        // First sight; that the template was tried; the start; the end: not one more than needed.
        let status = writes[&("patch schedules/status".to_owned(), "once".to_owned())];
        assert!(status <= 4, "{writes:#?}");
        let creates =
            |what: &str| writes.iter().filter(|((it, _), _)| it == what).map(|(_, count)| count).sum::<usize>();
        // A dry run of the template, and the Job; one Lease.
        assert_eq!((creates("create jobs"), creates("create leases")), (2, 1), "{writes:#?}");
    });
}
