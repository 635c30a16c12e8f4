//! Objects as clients send them, some of them wrong.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::NAMESPACE;

/// A resource: its path before and after the namespace, its kind and API version.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    pub group: &'static str,
    pub plural: &'static str,
    pub api_version: &'static str,
    pub kind: &'static str,
    pub is_ours: bool,
}

pub static KINDS: [Kind; 5] = [
    Kind {
        group: "/apis/punctual.dev/v1alpha1",
        plural: "schedules",
        api_version: "punctual.dev/v1alpha1",
        kind: "Schedule",
        is_ours: true,
    },
    Kind {
        group: "/apis/punctual.dev/v1alpha1",
        plural: "scheduleruns",
        api_version: "punctual.dev/v1alpha1",
        kind: "ScheduleRun",
        is_ours: true,
    },
    Kind { group: "/apis/batch/v1", plural: "jobs", api_version: "batch/v1", kind: "Job", is_ours: false },
    Kind {
        group: "/apis/coordination.k8s.io/v1",
        plural: "leases",
        api_version: "coordination.k8s.io/v1",
        kind: "Lease",
        is_ours: false,
    },
    Kind {
        group: "/apis/events.k8s.io/v1",
        plural: "events",
        api_version: "events.k8s.io/v1",
        kind: "Event",
        is_ours: false,
    },
];

impl Kind {
    pub fn collection(&self, namespace: &str) -> String {
        format!("{}/namespaces/{namespace}/{}", self.group, self.plural)
    }

    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.collection(NAMESPACE))
    }

    /// One that is right.
    pub fn object(&self, random: &mut StdRng, name: &str) -> Value {
        let mut object = match self.kind {
            "Schedule" => json!({"spec": schedule_spec(random)}),
            "ScheduleRun" => json!({"spec": {"scheduleName": "a", "reason": "to see"}}),
            "Job" => json!({"spec": job_spec(random)}),
            "Lease" => json!({"spec": lease_spec(random)}),
            _ => event(name),
        };
        object["apiVersion"] = json!(self.api_version);
        object["kind"] = json!(self.kind);
        object["metadata"]["name"] = json!(name);
        // A Job without labels gets some each time it is read, and each write of it is a new version.
        if self.kind == "Job" || random.random_bool(0.5) {
            object["metadata"]["labels"] = json!({"tier": if random.random_bool(0.5) { "one" } else { "two" }});
        }
        if random.random_bool(0.1) {
            object["metadata"]["finalizers"] = json!(["punctual.dev/likeness"]);
        }
        object
    }

    /// A change of the spec that is allowed, but for those of ScheduleRuns.
    pub fn change(&self, random: &mut StdRng) -> Value {
        let flag = random.random_bool(0.5);
        match self.kind {
            "Schedule" => json!({"spec": {"paused": flag}}),
            "ScheduleRun" => json!({"spec": {"reason": if flag { "to see" } else { "to change" }}}),
            "Job" if flag => json!({"spec": {"suspend": true, "ttlSecondsAfterFinished": 60}}),
            "Job" => json!({"spec": {"suspend": true, "ttlSecondsAfterFinished": null}}),
            "Lease" => json!({"spec": {"leaseTransitions": random.random_range(0..3)}}),
            _ => json!({"metadata": {"labels": {"flag": flag.to_string()}}}),
        }
    }

    /// A status of ours.
    pub fn status(&self, random: &mut StdRng) -> Value {
        let number = random.random_range(0..3);
        if self.kind == "Schedule" {
            json!({"activeRuns": number, "state": "Scheduled", "unheard": number})
        } else {
            json!({"attempts": number, "state": "Running"})
        }
    }
}

fn pod_template() -> Value {
    json!({
        "metadata": {"annotations": {"simulation/behaviour": "{}"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "example/work:1"}]},
    })
}

fn schedule_spec(random: &mut StdRng) -> Value {
    json!({
        "trigger": {"cron": format!("{} 2 * * *", random.random_range(0..60))},
        "jobTemplate": {"spec": {"template": pod_template()}},
    })
}

fn job_spec(random: &mut StdRng) -> Value {
    let mut spec = json!({"suspend": true, "template": pod_template()});
    if random.random_bool(0.5) {
        spec["backoffLimit"] = json!(random.random_range(0..3));
    }
    if random.random_bool(0.3) {
        spec["template"]["spec"]["containers"][0]["image"] = json!("example/work");
    }
    spec
}

fn lease_spec(random: &mut StdRng) -> Value {
    let holder = ["a", "b", ""][random.random_range(0..3)];
    json!({
        "holderIdentity": holder,
        "leaseDurationSeconds": 15,
        "leaseTransitions": random.random_range(0..3),
        "acquireTime": "2026-01-01T00:00:00.000000Z",
        "renewTime": "2026-01-01T00:00:05.250000Z",
    })
}

fn event(name: &str) -> Value {
    json!({
        "eventTime": "2026-01-01T00:00:00.123456Z",
        "type": "Normal",
        "reason": "SlotStarted",
        "note": "a Job was created",
        "action": "Schedule",
        "regarding": {"apiVersion": "punctual.dev/v1alpha1", "kind": "Schedule", "namespace": NAMESPACE, "name": name},
        "reportingController": "punctual.dev/operator",
        "reportingInstance": "a",
    })
}
