//! Reads the audit log, line by line: it may be larger than memory.

use std::io::{BufRead, BufReader};
use std::path::Path;

use jiff::Timestamp;
use punctual::api::ScheduleStatus;
use punctual::api::status::{Outcome, RunState};
use serde_json::Value;

use super::evidence::{Claim, Evidence, JobLife, Paused, RunLife, SpecVersion, Told, Write};
use crate::harness::{second, text};

/// What the API server is to note: whole objects of what is accounted for, without what other
/// objects hold.
pub const POLICY: &str = r#"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: RequestResponse
  verbs: [create, update, patch, delete]
  resources:
  - {group: punctual.dev, resources: ["*"]}
  - {group: batch, resources: [jobs, jobs/status]}
- level: Request
  verbs: [create, update, patch, delete]
  resources:
  - {group: coordination.k8s.io, resources: [leases]}
  - {group: events.k8s.io, resources: [events]}
- level: Metadata
  userGroups: ["system:serviceaccounts:soak"]
- level: None
"#;

/// Reads a log. `account` is the user name of the operators.
pub fn read(log: &Path, account: &str) -> Evidence {
    read_lines(BufReader::with_capacity(1 << 20, std::fs::File::open(log).unwrap()), account)
}

/// The same, of what was read already.
pub fn read_lines(log: impl BufRead, account: &str) -> Evidence {
    let mut evidence = Evidence::default();
    for line in log.split(b'\n').map_while(Result::ok) {
        // A line may be half written when the API server was killed.
        if let Ok(event) = serde_json::from_slice::<Value>(&line) {
            evidence.note(&event, account);
        }
    }
    evidence.claims.sort_by_key(|it| it.at);
    evidence.writes.sort_by_key(|it| it.at);
    for schedule in evidence.schedules.values_mut() {
        schedule.specs.sort_by_key(|it| it.generation);
        schedule.pauses.sort_by_key(|it| it.0);
    }
    evidence
}

impl Evidence {
    /// Notes one line.
    fn note(&mut self, event: &Value, account: &str) {
        let resource = resource(event);
        let is_operator = text(event, "/user/username") == account;
        let code = event.pointer("/responseStatus/code").and_then(Value::as_i64).unwrap_or_default();
        let is_trial = text(event, "/requestURI").contains("dryRun=");
        if is_operator && code == 403 {
            self.forbidden.push(write(event, &resource, code));
        }
        if is_trial {
            return;
        }
        let is_read = matches!(text(event, "/verb"), "get" | "list" | "watch");
        let is_leader_lease = resource == "leases" && requested_name(event) == "punctual";
        if is_operator && !is_read && !is_leader_lease && resource != "events" {
            self.writes.push(write(event, &resource, code));
        }
        let has_changed = !is_read && (200..300).contains(&code);
        match resource.as_str() {
            _ if !has_changed => {}
            "leases" if is_leader_lease => self.note_claim(event),
            "events" if is_operator => {
                *self.events.entry(text(event, "/requestObject/reason").into()).or_default() += 1
            }
            "schedules" | "schedules/status" => self.note_schedule(event),
            "scheduleruns" | "scheduleruns/status" => self.note_run(event),
            "jobs" | "jobs/status" => self.note_job(event, is_operator),
            _ => {}
        }
    }

    fn note_claim(&mut self, event: &Value) {
        let spec = &event["requestObject"]["spec"];
        self.claims.push(Claim {
            at: received(event),
            credential: credential(event),
            holder: text(spec, "/holderIdentity").into(),
            term: spec["leaseTransitions"].as_i64().unwrap_or_default(),
        });
    }

    fn note_schedule(&mut self, event: &Value) {
        let object = &event["responseObject"];
        if text(event, "/verb") == "delete" {
            let name = text(event, "/objectRef/name");
            let there = self.schedules.values_mut().find(|it| it.name == name && it.deleted.is_none());
            there.expect("only what is there can be deleted").deleted = Some(received(event));
            return;
        }
        let life = self.schedules.entry(text(object, "/metadata/uid").into()).or_default();
        life.name = text(object, "/metadata/name").into();
        life.created = instant(object, "/metadata/creationTimestamp");
        let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
        if life.spec(generation).is_none() {
            life.specs.push(SpecVersion { at: received(event), generation, spec: object["spec"].clone() });
        }
        let status: ScheduleStatus = serde_json::from_value(object["status"].clone()).unwrap_or_default();
        if status.uid.is_some() {
            life.note_status(status, version(object), received(event));
        }
    }

    fn note_run(&mut self, event: &Value) {
        let object = &event["responseObject"];
        if text(event, "/verb") == "delete" {
            let name = text(event, "/objectRef/name");
            for run in self.runs.values_mut().filter(|it| it.name == name) {
                run.is_gone = true;
            }
            return;
        }
        let life = self.runs.entry(text(object, "/metadata/uid").into()).or_insert_with(|| RunLife {
            name: text(object, "/metadata/name").into(),
            schedule: text(object, "/spec/scheduleName").into(),
            ..RunLife::default()
        });
        if let Ok(outcome) = serde_json::from_value::<Outcome>(object["status"]["outcome"].clone()) {
            life.outcome.get_or_insert((received(event), outcome));
        }
    }

    fn note_job(&mut self, event: &Value, is_operator: bool) {
        let removes_later = event["requestObject"]["spec"]["ttlSecondsAfterFinished"].is_i64();
        let verb = text(event, "/verb");
        if is_operator && (verb == "delete" || verb == "patch" && removes_later) {
            let name = text(event, "/objectRef/name");
            if let Some(job) = self.jobs.values_mut().find(|it| it.name == name) {
                job.removed.get_or_insert(received(event));
            }
        }
        let object = &event["responseObject"];
        if object["kind"] != "Job" {
            return;
        }
        let life = self.jobs.entry(text(object, "/metadata/uid").into()).or_insert_with(|| new_job(object));
        if verb == "create" {
            life.requested = Some(received(event));
        }
        if object["spec"]["suspend"] == true {
            life.suspended.get_or_insert(received(event));
        }
        for condition in object["status"]["conditions"].as_array().into_iter().flatten() {
            let type_ = text(condition, "/type");
            if condition["status"] == "True" && (type_ == "Complete" || type_ == "Failed") {
                life.end.get_or_insert((received(event), type_.into()));
            }
        }
    }
}

impl super::evidence::ScheduleLife {
    fn note_status(&mut self, status: ScheduleStatus, version: u64, at: Timestamp) {
        for it in &status.outcomes {
            let first = it.slot_time.0.as_second();
            let last = it.last_slot_time.as_ref().map_or(first, |it| it.0.as_second());
            let told = self.told.entry((first, last, it.count, it.outcome.to_string())).or_insert_with(|| Told {
                at,
                version,
                first,
                last,
                count: it.count,
                outcome: it.outcome.clone(),
            });
            told.version = told.version.max(version);
            told.at = told.at.min(at);
        }
        self.waited.extend(status.pending.iter().filter_map(|it| it.origin.slot()).map(|it| it.unix_seconds()));
        if let (Some(epoch), Some(generation)) = (&status.epoch, status.observed_generation) {
            self.epochs.entry(epoch.since.0.as_second()).or_insert(generation);
        }
        let ends = status.pauses.iter().map(|it| it.until.as_ref().map(|it| it.0));
        let until = ends.collect::<Option<Vec<_>>>().and_then(|it| it.into_iter().max());
        let paused = if status.pauses.is_empty() { Paused::No } else { Paused::Until(until) };
        if self.pauses.last().is_none_or(|it| it.1 != paused) {
            self.pauses.push((at, paused));
        }
        for result in &status.results {
            self.results.entry(result.job_name.clone()).or_insert_with(|| (at, result.clone()));
        }
        for run in status.active.iter().filter(|it| it.state == RunState::Stopping) {
            self.stopping.entry(run.job_name.clone()).or_insert(at);
        }
        if version >= self.version {
            (self.version, self.status) = (version, status);
        }
    }
}

fn new_job(object: &Value) -> JobLife {
    let annotation = |name: &str| text(object, &format!("/metadata/annotations/punctual.dev~1{name}"));
    let of_pod = |name: &str| text(object, &format!("/spec/template/metadata/annotations/devcluster~1{name}"));
    let has_slot = !annotation("slot-time").is_empty();
    let run = text(object, "/metadata/labels/punctual.dev~1schedule-run-uid");
    JobLife {
        name: text(object, "/metadata/name").into(),
        schedule: text(object, "/metadata/ownerReferences/0/uid").into(),
        slot: has_slot.then(|| second(object, "/metadata/annotations/punctual.dev~1slot-time")),
        run: Some(run.to_owned()).filter(|it| !it.is_empty()),
        attempt: annotation("attempt").parse().unwrap_or_default(),
        exit_code: of_pod("exit-code").parse().unwrap_or_default(),
        says: of_pod("message").into(),
        ..JobLife::default()
    }
}

fn write(event: &Value, resource: &str, code: i64) -> Write {
    Write {
        at: received(event),
        credential: credential(event),
        verb: text(event, "/verb").into(),
        resource: resource.into(),
        name: requested_name(event).into(),
        code,
        message: text(event, "/responseStatus/message").into(),
    }
}

fn resource(event: &Value) -> String {
    match (text(event, "/objectRef/resource"), text(event, "/objectRef/subresource")) {
        (resource, "") => resource.into(),
        (resource, part) => format!("{resource}/{part}"),
    }
}

/// The name of the object, which stands in the body when it is created.
fn requested_name(event: &Value) -> &str {
    Some(text(event, "/objectRef/name"))
        .filter(|it| !it.is_empty())
        .unwrap_or_else(|| text(event, "/requestObject/metadata/name"))
}

fn credential(event: &Value) -> String {
    text(event, "/user/extra/authentication.kubernetes.io~1credential-id/0").into()
}

fn version(object: &Value) -> u64 {
    text(object, "/metadata/resourceVersion").parse().unwrap_or_default()
}

fn received(event: &Value) -> Timestamp {
    instant(event, "/requestReceivedTimestamp")
}

fn instant(object: &Value, pointer: &str) -> Timestamp {
    crate::harness::time(object, pointer)
}
