//! What is true of every story, and of every slot.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::story::Story;
use super::{Request, audit, documented, second, text};

impl Story {
    /// Waits until every slot of an interval of so many seconds, from its first to the mark, has
    /// exactly one outcome; answers the status that says so.
    pub async fn every_slot_has_its_outcome(&self, name: &str, first: Timestamp, every: i64) -> Value {
        // The first Job may be there a moment before the status tells of its slot.
        let has_begun =
            |it: &Value| it["decidedThrough"].is_string() && second(it, "/decidedThrough") >= first.as_second();
        let at_rest = |it: &Value| has_begun(it) && it["pending"].is_null() && it["active"].is_null();
        let status = self.until_status(name, "slots are decided, none waits, no run is active", at_rest).await;
        let counted = |what: &str| -> i64 {
            status["counts"][what].as_object().into_iter().flatten().filter_map(|it| it.1.as_i64()).sum()
        };
        let slots = (second(&status, "/decidedThrough") - first.as_second()).div_euclid(every) + 1;
        assert_eq!(counted("slots"), slots, "each slot has one outcome: {status}");
        let started = status["counts"]["slots"]["Started"].as_i64().unwrap_or_default();
        assert_eq!(counted("runs"), started, "each run ended once: {status}");
        status
    }

    /// Waits until so many replicas have listed what there is and watch the leader Lease, so that
    /// one of them can take over at any time.
    pub async fn until_watching(&self, replicas: usize) {
        self.until(&format!("{replicas} replicas are ready to lead"), async || {
            let requests = self.requests();
            let watching = |resource: &str| -> BTreeSet<String> {
                let watches = requests.iter().filter(|it| it.verb == "watch" && it.resource == resource);
                watches.map(|it| it.credential.clone()).collect()
            };
            let all = ["schedules", "scheduleruns", "jobs", "leases"].map(watching);
            (all.iter().all(|it| it.len() >= replicas)).then_some(())
        })
        .await;
    }

    /// What the operators of this story asked of the API server so far.
    pub fn requests(&self) -> Vec<Request> {
        audit::requests(
            &self.cluster.audit_log(),
            self.begin,
            &format!("system:serviceaccount:{}:punctual", self.namespace),
        )
    }

    /// What holds in every story.
    pub fn check_what_is_always_true(&self) {
        let mut attempts = BTreeMap::new();
        for job in self.jobs_seen() {
            let label = |name: &str| text(&job, &format!("/metadata/labels/punctual.dev~1{name}")).to_owned();
            let annotation = |name: &str| text(&job, &format!("/metadata/annotations/punctual.dev~1{name}")).to_owned();
            let mut run = (label("schedule-uid"), annotation("slot-time"), label("schedule-run-uid"));
            if annotation("slot-time").is_empty() && label("schedule-run-uid").is_empty() {
                // Somebody took our words off it: its name says what it is for.
                run.0 = text(&job, "/metadata/name").to_owned();
            }
            if let Some(other) = attempts.insert((run, annotation("attempt")), job.clone()) {
                panic!("two Jobs for one attempt: {} and {}", job["metadata"], other["metadata"]);
            }
        }
        for (name, log) in self.logs() {
            for line in log.lines() {
                assert!(
                    !line.contains("panicked at") && !line.contains("does not come to rest"),
                    "replica {name}: {line}"
                );
            }
        }
        let documented = documented();
        for request in self.requests() {
            let what = (request.resource.clone(), request.verb.clone());
            assert!(documented.contains(&what), "a request that SECURITY.md does not tell of: {request:?}");
        }
        let lacking: Vec<Request> = self.requests().into_iter().filter(|it| it.is_unauthorized).collect();
        assert!(lacking.is_empty() || *self.rights_may_lack.borrow(), "the chart gives too few rights: {lacking:#?}");
    }
}
