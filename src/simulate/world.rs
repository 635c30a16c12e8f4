//! The world of one story: virtual time, a cluster, an operator, and what users do to them.

use crate::decide::job;
use crate::report::budget::MAX_BYTES;
use crate::time::Slot;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::cluster::{Cluster, Event, validate};
use super::ledger::Ledger;
use super::operator::Operator;
use super::seen::which;
use super::times::Times;

/// Looks at one instant. More would mean that the operator never comes to rest.
const LOOKS_AT_ONCE: usize = 60;

/// All there is in a story.
pub struct World {
    /// The API server and what runs behind it.
    pub cluster: Cluster,
    /// What was told of every slot.
    pub ledger: Ledger,
    /// How times are written.
    pub times: Times,
    /// What happened, in the order of time.
    pub log: Vec<String>,
    /// What must never be, and was.
    pub complaints: Vec<String>,
    /// The most Jobs that ever worked at once.
    pub most_at_work: usize,
    operator: Option<Operator>,
    /// Events the operator has not been told, because its watch lags behind.
    untold: Vec<Event>,
    job_watch_flows: bool,
    is_dirty: bool,
    /// Whether to check at every rest that there is nothing left to do.
    pub is_checked: bool,
    kept_status: Value,
}

impl World {
    /// One that begins now, with an operator that leads.
    pub fn new(cluster: Cluster, times: Times) -> Self {
        let operator = Some(Operator::start(&cluster));
        let mut world = Self {
            cluster,
            ledger: Ledger::default(),
            times,
            log: Vec::new(),
            complaints: Vec::new(),
            most_at_work: 0,
            operator,
            untold: Vec::new(),
            job_watch_flows: true,
            is_dirty: true,
            is_checked: true,
            kept_status: json!({"conditions": []}),
        };
        world.tell("the Schedule is created".into());
        world
    }

    /// Lets time pass, and everything happen that happens by itself until then.
    pub fn run_until(&mut self, end: Timestamp) {
        self.run_while(end, &mut |_| true);
    }

    /// As [`Self::run_until`], for as long as it is to go on. Answers whether it came to the end.
    pub fn run_while(&mut self, end: Timestamp, go_on: &mut dyn FnMut(&Self) -> bool) -> bool {
        self.settle();
        while let Some(next) = self.next_instant().filter(|at| *at <= end) {
            if !go_on(self) {
                return false;
            }
            self.cluster.now = next;
            self.settle();
        }
        self.cluster.now = self.cluster.now.max(end);
        self.settle();
        self.check_rest();
        true
    }

    fn next_instant(&self) -> Option<Timestamp> {
        let wake = self.operator.as_ref().and_then(|it| it.wake);
        let instants = [self.cluster.next_change(), wake];
        instants.into_iter().flatten().filter(|at| *at > self.cluster.now).min()
    }

    /// Everything that happens at this instant.
    fn settle(&mut self) {
        for _ in 0..LOOKS_AT_ONCE {
            self.cluster.advance();
            self.most_at_work =
                self.most_at_work.max(self.cluster.jobs.values().filter(|job| job.is_at_work()).count());
            self.deliver();
            let now = self.cluster.now;
            let Some(operator) = &mut self.operator else { return };
            if !self.is_dirty && operator.wake.is_none_or(|at| at > now) {
                return;
            }
            self.is_dirty = false;
            let look = operator.look(&mut self.cluster, &mut self.ledger);
            for complaint in std::mem::take(&mut self.ledger.complaints) {
                self.complain(&complaint);
            }
            for news in std::mem::take(&mut self.ledger.news) {
                self.note(format!("event {news}"));
            }
            if look.is_err() {
                self.tell("the operator crashes".into());
                self.operator = None;
            }
        }
        self.complain("the operator does not come to rest");
    }

    fn deliver(&mut self) {
        for event in self.cluster.take_events() {
            let (job, word) = match &event {
                Event::JobChanged(job) => (job, job.word()),
                Event::JobGone(job) => (job, "gone"),
            };
            let line = format!("Job of {}: {word}", which(&self.times, job));
            self.note(line);
            self.untold.push(event);
        }
        if self.job_watch_flows
            && let Some(operator) = &self.operator
        {
            for event in self.untold.drain(..) {
                self.is_dirty |= operator.hear(&self.cluster, &event);
            }
        }
    }

    /// Between two looks, as right after one, there is nothing to do that the operator does not
    /// know of, and status is not too large.
    fn check_rest(&mut self) {
        if !self.is_checked {
            return;
        }
        let size = self.cluster.schedule.status.to_string().len();
        if size > MAX_BYTES {
            self.complain(&format!("status has {size} bytes"));
        }
        let Some(operator) = self.operator.as_mut().filter(|_| self.job_watch_flows) else { return };
        let more = operator.would_do(&self.cluster).map(|more| format!("at rest, and yet: {more}"));
        let broken = operator.violations(&self.cluster).into_iter().map(|it| format!("broken: {}", it.what));
        for what in more.into_iter().chain(broken) {
            self.complain(&what);
        }
    }

    fn complain(&mut self, what: &str) {
        self.complaints.push(format!("at {}: {what}", self.times.show(self.cluster.now)));
    }

    /// When the operator wants to look again.
    pub fn wake(&self) -> Option<Timestamp> {
        self.operator.as_ref().and_then(|it| it.wake)
    }

    /// Whether an operator leads.
    pub fn is_up(&self) -> bool {
        self.operator.is_some()
    }

    /// A detail of what happens by itself.
    fn note(&mut self, what: String) {
        self.log.push(format!("{:>14}    {what}", self.times.show(self.cluster.now)));
    }

    /// The planned start of the first slot after an instant.
    pub fn planned_start_after(&self, after: Slot) -> Option<Slot> {
        Operator::start(&self.cluster).planned_start_after(&self.cluster, after)
    }

    /// Something that makes a difference.
    fn tell(&mut self, what: String) {
        self.ledger.history.happenings.push((self.cluster.now, what.clone()));
        self.log.push(format!("{:>14}  {what}", self.times.show(self.cluster.now)));
    }

    // What users and fate do.

    /// The operator is gone, for now.
    pub fn stop_operator(&mut self) {
        self.tell("the operator is stopped".into());
        self.operator = None;
    }

    /// A new process leads: what the old one had not been told, a list tells it.
    pub fn start_operator(&mut self) {
        self.tell("an operator begins to lead".into());
        drop(self.cluster.take_events());
        self.untold.clear();
        self.operator = Some(Operator::start(&self.cluster));
    }

    /// The operator crashes after so many more of its writes.
    pub fn crash_after(&mut self, writes: u32) {
        self.cluster.writes_until_crash = Some(writes);
    }

    /// Merges into the spec; null removes a field.
    pub fn edit(&mut self, patch: &Value) {
        self.tell(format!("the spec is edited: {patch}"));
        self.cluster.change_schedule(|it| merge(&mut it.spec, patch));
        self.is_dirty = true;
    }

    /// A user deletes the Schedule.
    pub fn delete_schedule(&mut self) {
        self.tell("the Schedule is being deleted".into());
        self.cluster.change_schedule(|it| it.deleting = true);
        self.is_dirty = true;
    }

    /// A user deletes the Job of a slot.
    pub fn delete_job(&mut self, slot: Slot) {
        self.tell(format!("a user deletes the Job of {}", self.times.show(slot.timestamp())));
        let newest = self.cluster.jobs.values().filter(|job| job.slot() == Some(slot)).max_by_key(|job| job.attempt());
        if let Some(name) = newest.map(|job| job.name.clone()) {
            self.cluster.delete_after_pods(&name);
        }
    }

    /// A user asks for a run now.
    pub fn create_run(&mut self, name: &str) {
        self.tell(format!("a user creates the ScheduleRun {name}"));
        self.cluster.create_run(name, json!({"state": "Pending", "conditions": []}));
        self.is_dirty = true;
    }

    /// A user deletes a ScheduleRun.
    pub fn delete_run(&mut self, name: &str) {
        self.tell(format!("a user deletes the ScheduleRun {name}"));
        self.cluster.schedule_runs.remove(name);
        self.is_dirty = true;
    }

    /// A user deletes a ScheduleRun, and a finalizer of somebody holds it.
    pub fn hold_run(&mut self, name: &str) {
        self.tell(format!("a user deletes the ScheduleRun {name}, and a finalizer holds it"));
        self.cluster.hold_run(name);
        self.is_dirty = true;
    }

    /// A restore makes a ScheduleRun anew, with the status it had.
    pub fn copy_run(&mut self, name: &str) {
        self.tell(format!("a restore makes the ScheduleRun {name} anew, with its status"));
        let status = self.cluster.schedule_runs.get(name).map_or(Value::Null, |it| it.status.clone());
        self.cluster.create_run(name, status);
        self.is_dirty = true;
    }

    /// A user deletes the Job of a ScheduleRun.
    pub fn delete_job_of_run(&mut self, name: &str) {
        self.tell(format!("a user deletes the Job of the ScheduleRun {name}"));
        let jobs: Vec<String> = self.cluster.jobs_of_run(name).iter().map(|job| job.name.clone()).collect();
        jobs.iter().for_each(|job| self.cluster.delete_after_pods(job));
    }

    /// Somebody makes a copy of status.
    pub fn keep_status(&mut self) {
        self.tell("somebody keeps a copy of status".into());
        self.kept_status = self.cluster.schedule.status.clone();
    }

    /// Somebody puts that copy back.
    pub fn restore_status(&mut self) {
        self.tell("somebody puts the old status back".into());
        let kept = self.kept_status.clone();
        self.cluster.change_schedule(|it| it.status = kept);
        self.is_dirty = true;
    }

    /// Somebody removes the status.
    pub fn wipe_status(&mut self) {
        self.tell("somebody removes the status".into());
        self.cluster.change_schedule(|it| it.status = json!({"conditions": []}));
        self.is_dirty = true;
    }

    /// A create request of a leader that was frozen arrives: the name decides what comes of it.
    pub fn late_create(&mut self, slot: Slot, attempt: u32) {
        self.tell(format!("a late create of the slot {} arrives", self.times.show(slot.timestamp())));
        let body = self.job_of(slot, attempt, &self.cluster.schedule.uid);
        let name = body["metadata"]["name"].as_str().unwrap_or_default();
        if validate(&body).is_ok() && !self.cluster.jobs.contains_key(name) {
            self.cluster.add(body);
        }
    }

    /// Somebody else has a Job of the name that a slot's Job will have.
    pub fn foreign_job(&mut self, slot: Slot, attempt: u32) {
        self.tell(format!("somebody creates a Job with the name of that of {}", self.times.show(slot.timestamp())));
        let body = self.job_of(slot, attempt, "somebody-else");
        if validate(&body).is_ok() {
            self.cluster.add(body);
        }
    }

    fn job_of(&self, slot: Slot, attempt: u32, owner_uid: &str) -> Value {
        let schedule = &self.cluster.schedule;
        let identity = crate::decide::snapshot::Identity {
            namespace: schedule.namespace.clone(),
            name: schedule.name.clone(),
            uid: schedule.uid.clone(),
            generation: schedule.generation,
            creation: Slot::floor(schedule.creation),
            deleting: false,
        };
        let spec = serde_json::from_value(schedule.spec.clone()).expect("a spec");
        let mut body = job::build(&identity, &spec, slot.into(), attempt, None);
        body["metadata"]["ownerReferences"][0]["uid"] = json!(owner_uid);
        body
    }

    /// All clocks are set.
    pub fn set_clocks(&mut self, now: Timestamp) {
        self.tell(format!("all clocks are set to {}", self.times.show(now)));
        self.cluster.set_clocks(now);
        self.is_dirty = true;
    }

    /// The operator does not believe its clock, or does again.
    pub fn doubt_clock(&mut self, why: Option<String>) {
        self.tell(why.as_ref().map_or_else(|| "the clocks agree".into(), |why| format!("the clocks disagree: {why}")));
        if let Some(operator) = &mut self.operator {
            operator.clock_skew = why;
        }
        self.is_dirty = true;
    }

    /// The watch of Jobs lags behind, or no longer does.
    pub fn hold_job_watch(&mut self, hold: bool) {
        self.tell(if hold { "the watch of Jobs lags behind" } else { "the watch of Jobs catches up" }.into());
        self.job_watch_flows = !hold;
    }
}

/// A merge patch (RFC 7396).
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        let Some(fields) = target.as_object_mut() else { return };
        if value.is_null() {
            fields.remove(key);
        } else {
            merge(fields.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
