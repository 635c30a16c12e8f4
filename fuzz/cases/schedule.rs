//! Whatever is stored in a Schedule, its ScheduleRuns and its Jobs, the rounds of a reconcile do not
//! panic, take no longer than they may, do the same when done again, and keep what they must keep.

mod odd;
mod refused;
mod stored;

use std::collections::BTreeSet;

use arbitrary::{Arbitrary, Result, Unstructured};
use jiff::{SignedDuration, Timestamp};
use punctual::api::ScheduleStatus;
use punctual::decide::plan::{Look, Plan, Start};
use punctual::decide::snapshot::{Evidence, Snapshot};
use punctual::decide::{decide, naming};
use punctual::gather::{Circumstances, Recall, gather};
use punctual::invariants;
use punctual::report::happened::{Happened, StartEnd, TemplateVerdict};
use punctual::report::{Report, budget, report};
use punctual::store::job::ObservedJob;
use punctual::store::{Key, Store};
use serde_json::{Value, json};

use super::stopwatch::Stopwatch;
use stored::{NAME, NAMESPACE, UID};

/// No Job of ours is removed before this age.
const FENCE_SECONDS: i64 = 120;
/// As often as a reconcile looks before it gives up.
const LOOKS: usize = 8;

/// What is stored, and what happens then.
#[derive(Debug)]
pub struct Input {
    schedule: Value,
    jobs: Vec<Value>,
    runs: Vec<Value>,
    rounds: Vec<Round>,
}

/// What happens until the next round, and in it.
#[derive(Arbitrary, Debug)]
struct Round {
    pause: u32,
    is_long: bool,
    skewed: u8,
    restarts: bool,
    creates: [u8; 4],
    jobs_end: u8,
    evidence: Option<(u8, Option<String>)>,
    template: u8,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let rounds = Vec::<Round>::arbitrary(u)?;
        let mut schedule = stored::schedule(u)?;
        for _ in 0..u.int_in_range(0..=3)? {
            for part in ["spec", "status"] {
                odd::mutate(u, &mut schedule[part])?;
            }
        }
        let jobs = stored::several(u, 5, stored::job)?;
        let runs = stored::several(u, 3, stored::run)?;
        Ok(Self { schedule, jobs, runs, rounds })
    }
}

/// Goes through the rounds.
pub fn check(input: &Input, stopwatch: &Stopwatch) {
    let mut world = World::new(input, stopwatch);
    for round in input.rounds.iter().take(6) {
        let seconds = if round.is_long { i64::from(round.pause) } else { i64::from(round.pause % 900) };
        world.now = world.now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
        if round.restarts {
            world.recall = Recall::default();
        }
        for _ in 0..3 {
            if !world.look(round) {
                break;
            }
        }
        world.end_jobs(round.jobs_end);
    }
}

/// What there is, and one who looks after it.
struct World<'a> {
    store: Store,
    recall: Recall,
    now: Timestamp,
    version: u64,
    object: Value,
    jobs: Vec<Value>,
    stopwatch: &'a Stopwatch,
}

impl<'a> World<'a> {
    fn new(input: &Input, stopwatch: &'a Stopwatch) -> Self {
        let (store, recall) = (Store::default(), Recall::default());
        let mut world = Self {
            store,
            recall,
            now: stored::now(),
            version: 1000,
            object: input.schedule.clone(),
            jobs: Vec::new(),
            stopwatch,
        };
        for run in &input.runs {
            if let Ok(run) = serde_json::from_value(run.clone()) {
                world.store.put_schedule_run(&run);
            }
        }
        input.jobs.iter().for_each(|job| world.put_job(job.clone()));
        world.put_schedule();
        world
    }

    fn put_schedule(&mut self) {
        self.version += 1;
        self.object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if let Ok(observed) = serde_json::from_value(self.object.clone()) {
            self.store.put_schedule(observed);
        }
    }

    fn put_job(&mut self, mut job: Value) {
        self.version += 1;
        job["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if let Ok(observed) = serde_json::from_value::<ObservedJob>(job.clone()) {
            self.store.put_job(&observed);
            self.jobs.push(job);
        }
    }

    /// One round. Answers whether it stored anything.
    fn look(&mut self, round: &Round) -> bool {
        let key = Key { namespace: NAMESPACE.into(), name: NAME.into() };
        let clock_skew = (round.skewed == 1).then(|| "an hour ahead".to_owned());
        let circumstances = Circumstances { now: self.now, clock_skew, fence_seconds: FENCE_SECONDS };
        // A status that cannot be read is for a newer version.
        let Ok(Some((mut snapshot, _))) = gather(&self.store, &key, &mut self.recall, circumstances) else {
            return false;
        };
        let plan = self.plan(&mut snapshot, round);
        drop(invariants::check(&snapshot, stored::now()));
        check_plan(&snapshot, &plan);
        let happened = self.happen(&plan, round);
        let told = self.stopwatch.time(|| format!("report {}", self.object), || report(&snapshot, &plan, &happened));
        assert_eq!(told, report(&snapshot, &plan, &happened), "not the same again: {}", self.object);
        self.check_report(&snapshot, &told);
        self.recall.note_stored(&told.status, plan.memory.mark);
        let status = serde_json::to_value(&told.status).expect("a status can be written");
        let is_new = self.object["status"] != status;
        self.object["status"] = status;
        self.put_schedule();
        is_new
    }

    fn plan(&self, snapshot: &mut Snapshot, round: &Round) -> Plan {
        for _ in 0..LOOKS {
            let plan = self.stopwatch.time(|| format!("decide {} {:?}", self.object, self.jobs), || decide(snapshot));
            assert_eq!(plan, decide(snapshot), "not the same again: {}", self.object);
            let unread = if plan.starts.is_empty() { plan.unread.as_slice() } else { &[] };
            if plan.look.is_empty() && unread.is_empty() {
                return plan;
            }
            for look in plan.look.iter().chain(unread) {
                match look {
                    Look::Job(name) => {
                        snapshot.looked.insert(name.clone());
                        if !self.jobs.iter().any(|job| job["metadata"]["name"] == name.as_str()) {
                            self.store.lose_job(NAMESPACE, name);
                        }
                    }
                    Look::Pods(_, uid) => {
                        let told = round.evidence.clone();
                        let evidence = told.map_or_else(Evidence::default, |(exit_code, message)| Evidence {
                            exit_code: Some(exit_code.into()),
                            reason: None,
                            message,
                        });
                        snapshot.evidence.insert(uid.clone(), evidence);
                    }
                }
            }
            snapshot.jobs = self.store.jobs(NAMESPACE, UID);
        }
        unreachable!("one look after another: {}", self.object);
    }

    fn happen(&mut self, plan: &Plan, round: &Round) -> Happened {
        let mut happened = Happened::default();
        for (index, start) in plan.starts.iter().enumerate() {
            let end = self.create(start, round.creates[index % round.creates.len()]);
            happened.starts.push((start.clone(), end));
        }
        happened.template = match round.template % 4 {
            _ if !plan.try_template => None,
            0 => Some(TemplateVerdict::Invalid { message: "\u{1b}".repeat(5000) }),
            1 => Some(TemplateVerdict::Unknown),
            _ => Some(TemplateVerdict::Accepted),
        };
        happened
    }

    fn create(&mut self, start: &Start, answer: u8) -> StartEnd {
        let there = self.store.jobs(NAMESPACE, UID).into_iter().find(|job| job.name == start.job_name);
        if let Some(there) = there {
            return StartEnd::FoundOurs(there);
        }
        match answer % 8 {
            0 => StartEnd::Blocked { reason: "QuotaExceeded", message: "\"quota\n".repeat(1000) },
            1 => StartEnd::Refused { message: "ä\u{7}".repeat(1000) },
            2 => StartEnd::NameTaken,
            _ => {
                let mut job = Value::clone(&start.job);
                let job_uid = format!("job-{}", self.version);
                job["metadata"]["uid"] = json!(job_uid);
                job["metadata"]["creationTimestamp"] = json!(self.now.to_string());
                self.put_job(job);
                StartEnd::Created { job_uid, created: self.now }
            }
        }
    }

    fn check_report(&self, snapshot: &Snapshot, told: &Report) {
        let before = snapshot.status.as_ref();
        assert!(mark(before) <= mark(Some(&told.status)), "the mark goes back: {}", self.object);
        assert!(
            snapshot.floor.is_none()
                || snapshot.clock_skew.is_some()
                || snapshot.schedule.deleting
                || told.status.decided_through.as_ref().map(|it| it.0) >= snapshot.floor.map(|it| it.timestamp())
        );
        // What somebody wrote by hand may be beyond what can be mended; what the API server takes from
        // us today it must take tomorrow.
        let was = serde_json::to_value(before.unwrap_or(&ScheduleStatus::default())).expect("writable");
        let is = serde_json::to_value(&told.status).expect("writable");
        let was_taken = refused::by_schema("status", &was).is_empty();
        if was_taken && refused::by_schema("spec", &self.object["spec"]).is_empty() {
            assert_eq!(refused::by_schema("status", &is), Vec::<String>::new(), "{}", self.object);
        }
        let (size_before, size) = (was.to_string().len(), budget::size(&told.status));
        // More runs than the schema takes may fill it already: our own words come on top.
        let on_top = if was_taken { 0 } else { 1024 };
        assert!(
            size <= budget::MAX_BYTES.max(size_before + on_top),
            "{size} bytes after {size_before}: {}",
            self.object
        );
    }

    /// Some of the Jobs end.
    fn end_jobs(&mut self, which: u8) {
        for index in 0..self.jobs.len().min(8) {
            if which & (1 << index) == 0 {
                continue;
            }
            let mut job = self.jobs[index].clone();
            let type_ = if index % 2 == 0 { "Complete" } else { "Failed" };
            let time = self.now.to_string();
            job["status"] = json!({"conditions": [{"type": type_, "status": "True", "lastTransitionTime": time}]});
            self.jobs.remove(index);
            self.put_job(job);
            return;
        }
    }
}

fn mark(status: Option<&ScheduleStatus>) -> Option<Timestamp> {
    status?.decided_through.as_ref().map(|it| punctual::time::Slot::floor(it.0).timestamp())
}

/// What holds of every plan, however odd that is which it rests on.
fn check_plan(snapshot: &Snapshot, plan: &Plan) {
    let names: BTreeSet<&str> = plan.starts.iter().map(|it| it.job_name.as_str()).collect();
    // A status written by hand may list a run twice: the API server refuses the second Job.
    let is_listed_once = snapshot.status.as_ref().is_none_or(|status| {
        let runs: BTreeSet<&str> = status.active.iter().map(|it| naming::split(&it.job_name).0).collect();
        let waiting: BTreeSet<String> = status.pending.iter().map(|it| it.origin.to_string()).collect();
        (runs.len(), waiting.len()) == (status.active.len(), status.pending.len())
    });
    assert!(names.len() == plan.starts.len() || !is_listed_once, "one start twice: {:?}", plan.starts);
    let may_act = !snapshot.schedule.deleting && snapshot.clock_skew.is_none() && snapshot.status.is_some();
    assert!(may_act || plan.starts.is_empty() && plan.stops.is_empty() && plan.removals.is_empty());
    let Some(status) = &snapshot.status else { return };
    for start in &plan.starts {
        let Some(slot) = start.origin.slot() else { continue };
        let is_named = naming::identity(&start.job_name, UID) == Some((slot, start.attempt));
        assert!(is_named, "{start:?}");
        let is_new = mark(Some(status)).is_none_or(|mark| slot.timestamp() > mark);
        let waits = status.pending.iter().any(|it| it.origin == start.origin);
        let is_active = status.active.iter().any(|it| it.origin == start.origin);
        assert!(is_new || waits || is_active, "a slot that was decided starts: {start:?}");
        assert!(slot.timestamp() <= snapshot.now || waits || is_active, "before its time: {start:?}");
    }
    for removal in &plan.removals {
        let job = snapshot.jobs.iter().find(|job| job.name == removal.job_name);
        let age = job.map(|job| snapshot.now.duration_since(job.created).as_secs());
        assert!(age.is_none_or(|age| age >= FENCE_SECONDS), "removed at an age of {age:?} s: {removal:?}");
    }
}
