//! How long one look at a Schedule takes, stage by stage, and what the queue costs: a regression
//! shows here without a cluster. `cargo bench --bench deciding` runs it.
//!
//! The fastest of some rounds counts: other work on the machine only adds to the time.

#![expect(clippy::print_stdout, reason = "what was measured is what it is run for")]

use std::hint::black_box;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use punctual::api::ObservedSchedule;
use punctual::decide::decide;
use punctual::decide::plan::{Look, Plan};
use punctual::decide::snapshot::{Evidence, Snapshot};
use punctual::gather::{Circumstances, Recall, gather};
use punctual::queue::Queue;
use punctual::report::happened::{Happened, StartEnd, TemplateVerdict};
use punctual::report::report;
use punctual::store::{Key, Store};
use serde_json::{Value, json};

const ROUNDS: usize = 30;
/// 2026-05-28, on a full minute.
const START: i64 = 1_779_999_960;

fn main() {
    println!("{:<58} {:>10} {:>10} {:>10}", "one look at a Schedule, µs", "gather", "decide", "report");
    let every_minute = json!({"cron": "* * * * *"});
    let mut idle = Operator::new(&every_minute, &json!({}));
    idle.show("nothing is due");
    idle.pass(60);
    idle.show("one slot is due");
    for kept in [3, 100] {
        let mut operator =
            Operator::new(&every_minute, &json!({"successfulJobsHistoryLimit": kept, "resultTTL": "1d"}));
        for _ in 0..kept + 3 {
            operator.pass(60);
            operator.settle();
        }
        operator.pass(30);
        operator.show(&format!("nothing is due, {kept} finished Jobs kept"));
        operator.pass(30);
        operator.show(&format!("one slot is due, {kept} finished Jobs kept"));
    }
    let every_second = json!({"cron": "* * * * * *"});
    for policy in ["Latest", "All", "None"] {
        let mut operator = Operator::new(&every_second, &json!({"catchUp": {"policy": policy}}));
        operator.pass(86_400);
        operator.show(&format!("a slot each second, a day late, catchUp {policy}"));
    }
    queue();
}

/// A Schedule, what there is of it, and the time.
struct Operator {
    store: Store,
    recall: Recall,
    object: Value,
    version: u64,
    now: Timestamp,
}

impl Operator {
    /// A Schedule that was just created and looked at.
    fn new(trigger: &Value, more: &Value) -> Self {
        let mut object = json!({
            "apiVersion": "punctual.dev/v1alpha1", "kind": "Schedule",
            "metadata": {
                "namespace": "bench", "name": "work", "uid": "5b7f0a52-0000-4000-8000-000000000001",
                "generation": 1, "creationTimestamp": at(START).to_string(),
            },
            "spec": {"trigger": trigger, "jobTemplate": {"spec": {"template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "main", "image": "example/work:1"}],
            }}}}},
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            object["spec"][name] = value.clone();
        }
        let now = at(START) + SignedDuration::from_millis(100);
        let mut operator = Self { store: Store::default(), recall: Recall::default(), object, version: 0, now };
        operator.store_schedule();
        operator.settle();
        operator
    }

    fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    fn gather(&self) -> Snapshot {
        let circumstances = Circumstances { now: self.now, clock_skew: None, fence_seconds: 0 };
        let gathered = gather(&self.store, &key(), &mut self.recall.clone(), circumstances);
        gathered.expect("a readable status").expect("a Schedule").0
    }

    /// The snapshot with everything the decision asks to be read, and the decision.
    fn look(&self) -> (Snapshot, Plan) {
        let mut snapshot = self.gather();
        loop {
            let plan = decide(&snapshot);
            let looks: Vec<&Look> = plan.look.iter().chain(&plan.unread).collect();
            if looks.is_empty() {
                return (snapshot, plan);
            }
            for look in looks {
                if let Look::Job(name) = look {
                    snapshot.looked.insert(name.clone());
                } else if let Look::Pods(_, uid) = look {
                    snapshot.evidence.insert(uid.clone(), Evidence::default());
                }
            }
        }
    }

    /// What comes of a plan on an API server that grants everything: each Job is over at once.
    fn perform(&mut self, plan: &Plan) -> Happened {
        let mut happened =
            Happened { template: plan.try_template.then_some(TemplateVerdict::Accepted), ..Happened::default() };
        for start in &plan.starts {
            self.version += 1;
            let mut job = Value::clone(&start.job);
            let uid = format!("5b7f0a52-0000-4000-9000-{:012}", self.version);
            job["metadata"]["uid"] = json!(uid);
            job["metadata"]["namespace"] = json!("bench");
            job["metadata"]["resourceVersion"] = json!(self.version.to_string());
            job["metadata"]["creationTimestamp"] = json!(at(self.now.as_second()).to_string());
            job["status"] = json!({
                "completionTime": at(self.now.as_second() + 1).to_string(),
                "conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": at(self.now.as_second() + 1).to_string()}],
            });
            self.store.put_job(&serde_json::from_value(job).expect("a Job"));
            happened.starts.push((start.clone(), StartEnd::Created { job_uid: uid, created: self.now }));
        }
        for removal in &plan.removals {
            self.store.lose_job("bench", &removal.job_name);
        }
        happened
    }

    /// Goes round until nothing changes any more.
    fn settle(&mut self) {
        for _ in 0..20 {
            self.pass(1);
            let (snapshot, plan) = self.look();
            let happened = self.perform(&plan);
            let status = serde_json::to_value(report(&snapshot, &plan, &happened).status).expect("writable");
            self.recall.template_tried = Some(1);
            self.store.forget_what_is_over();
            if self.object["status"] == status {
                return;
            }
            self.object["status"] = status;
            self.store_schedule();
        }
    }

    fn store_schedule(&mut self) {
        self.version += 1;
        self.object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let observed: ObservedSchedule = serde_json::from_value(self.object.clone()).expect("a Schedule");
        self.store.put_schedule(observed);
    }

    /// Measures a look as things stand.
    fn show(&self, what: &str) {
        let (snapshot, plan) = self.look();
        let started = StartEnd::Created { job_uid: "5b7f0a52-0000-4000-9000-ffffffffffff".into(), created: self.now };
        let starts = plan.starts.iter().map(|start| (start.clone(), started.clone())).collect();
        let happened = Happened { starts, ..Happened::default() };
        let gathering = least(50, || drop(black_box(self.gather())));
        let deciding = least(50, || drop(black_box(decide(black_box(&snapshot)))));
        let reporting = least(50, || drop(black_box(report(black_box(&snapshot), &plan, &happened))));
        println!("{what:<58} {gathering:>10.1} {deciding:>10.1} {reporting:>10.1}");
    }
}

/// The queue under a herd: every Schedule waits for the same instant, is taken, and is done.
fn queue() {
    println!("\n{:<58} {:>10}", "the queue, µs for each Schedule of a herd", "");
    for (schedules, namespaces) in [(1_000, 1), (10_000, 1), (100_000, 1), (10_000, 100), (10_000, 1_000)] {
        let herd = || {
            let mut queue = Queue::default();
            for index in 0..schedules {
                let key = Key { namespace: format!("n{}", index % namespaces), name: format!("work-{index}") };
                queue.changed(key, at(START));
            }
            // The first look sets the timers; the second is the herd.
            for (now, wake) in [(START, START + 60), (START + 60, START + 120)] {
                let taken: Vec<Key> = std::iter::from_fn(|| queue.next(at(now))).collect();
                for key in taken {
                    queue.done(key, Some(at(wake)), at(now));
                }
            }
            black_box(queue.depth());
        };
        let mut fastest = f64::INFINITY;
        for _ in 0..3 {
            let began = Instant::now();
            herd();
            fastest = fastest.min(began.elapsed().as_secs_f64());
        }
        let name = format!("{schedules} Schedules in {namespaces} namespaces");
        println!("{name:<58} {:>10.2}", fastest * 1e6 / 2.0 / f64::from(schedules));
    }
}

/// Microseconds a call, in the fastest of some rounds.
fn least(calls: u32, call: impl Fn()) -> f64 {
    let timed = |()| {
        let began = Instant::now();
        for _ in 0..calls {
            call();
        }
        began.elapsed()
    };
    let least = std::iter::repeat_n((), ROUNDS).map(timed).min().unwrap_or_default();
    least.as_secs_f64() * 1e6 / f64::from(calls)
}

fn key() -> Key {
    Key { namespace: "bench".into(), name: "work".into() }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}
