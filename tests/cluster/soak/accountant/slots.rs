//! Each slot: one Job at most, and one outcome.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use punctual::api::status::Outcome;
use punctual::time::{Context, Slot, Trigger};

use super::super::evidence::{Evidence, JobLife, ScheduleLife, Told};
use super::{Book, Facts};

/// Slots of one Schedule looked at, at most: none of the script's has as many.
const MANY: usize = 100_000;

/// One Schedule, with its Jobs and the slots its triggers name.
struct Ledger<'a> {
    schedule: &'a ScheduleLife,
    uid: &'a str,
    facts: &'a Facts,
    disturbed: &'a [(Timestamp, Timestamp)],
    /// The Jobs of each slot, by attempt.
    jobs: BTreeMap<i64, BTreeMap<u32, &'a JobLife>>,
    /// How many runs by hand failed.
    failed_by_hand: usize,
    /// Every slot from the first epoch until the end.
    slots: BTreeSet<i64>,
    /// Instants that were past already when the trigger that names them was first seen.
    past: BTreeSet<i64>,
}

/// Accounts for the slots of one Schedule.
pub(super) fn account(
    evidence: &Evidence,
    facts: &Facts,
    disturbed: &[(Timestamp, Timestamp)],
    uid: &str,
    schedule: &ScheduleLife,
    book: &mut Book,
) {
    let mut ledger = Ledger {
        schedule,
        uid,
        facts,
        disturbed,
        jobs: BTreeMap::new(),
        failed_by_hand: 0,
        slots: BTreeSet::new(),
        past: BTreeSet::new(),
    };
    ledger.collect_jobs(evidence, book);
    ledger.collect_slots(book);
    ledger.no_job_without_a_slot(book);
    for slot in ledger.past.iter().chain(&ledger.slots) {
        ledger.one_end(*slot, book);
    }
    ledger.totals(book);
    ledger.limits(evidence, book);
    ledger.epochs(book);
}

impl<'a> Ledger<'a> {
    fn name(&self) -> String {
        format!("{} ({})", self.schedule.name, self.uid)
    }

    /// When it ended: its deletion, or the end of all.
    fn end(&self) -> Timestamp {
        self.schedule.deleted.unwrap_or(self.facts.cut)
    }

    fn collect_jobs(&mut self, evidence: &'a Evidence, book: &mut Book) {
        for job in evidence.jobs.values().filter(|it| it.schedule == self.uid) {
            let Some(slot) = job.slot else {
                self.failed_by_hand += usize::from(has_failed(job));
                continue;
            };
            book.count("Jobs of slots");
            if self.jobs.entry(slot).or_default().insert(job.attempt, job).is_some() {
                book.problem(format!("{}: attempt {} of slot {} got two Jobs", self.name(), job.attempt, time(slot)));
            }
            if job.requested.is_some_and(|at| at.as_second() < slot) {
                book.problem(format!("{}: the Job {} was created before its slot", self.name(), job.name));
            }
        }
    }

    /// The slots of each epoch: after its first second, up to that of the next one.
    fn collect_slots(&mut self, book: &mut Book) {
        let begins: Vec<(i64, i64)> = self.schedule.epochs.iter().map(|it| (*it.0, *it.1)).collect();
        let created = self.schedule.created.as_second();
        // One that no leader ever saw: what its first spec asks for.
        let begins = if begins.is_empty() { vec![(created, 1)] } else { begins };
        for (index, (begin, generation)) in begins.iter().enumerate() {
            let through = begins.get(index + 1).map_or(self.end().as_second(), |it| it.0);
            let Some(trigger) = self.trigger(*generation) else {
                book.problem(format!("{}: no trigger of generation {generation}", self.name()));
                continue;
            };
            let slot = Slot::from_unix_seconds;
            self.slots.extend(trigger.between(slot(*begin), slot(through), MANY).iter().map(|it| it.unix_seconds()));
            let spec = self.schedule.spec(*generation).expect("its trigger was just read");
            if spec["trigger"]["at"].is_array() || spec["trigger"]["atLocal"].is_array() {
                let past = trigger.between(slot(i64::MIN), slot(*begin), MANY);
                self.past.extend(past.iter().map(|it| it.unix_seconds()).filter(|it| !self.slots.contains(it)));
            }
        }
    }

    fn trigger(&self, generation: i64) -> Option<Trigger> {
        let spec = serde_json::from_value(self.schedule.spec(generation)?["trigger"].clone()).ok()?;
        let creation = Slot::floor(self.schedule.created);
        Trigger::parse(&spec, &Context { creation, namespace: super::super::NAMESPACE, name: &self.schedule.name }).ok()
    }

    fn no_job_without_a_slot(&self, book: &mut Book) {
        for (slot, jobs) in &self.jobs {
            if !self.slots.contains(slot) {
                let names: Vec<_> = jobs.values().map(|it| it.name.as_str()).collect();
                book.problem(format!("{}: Jobs for {}, which is no slot: {names:?}", self.name(), time(*slot)));
            }
        }
    }

    /// A Job, or an outcome, and not both unless they say the same.
    fn one_end(&self, slot: i64, book: &mut Book) {
        book.count("slots");
        let told = self.schedule.told_of(slot);
        let jobs = self.jobs.get(&slot);
        let is_waiting =
            self.schedule.status.pending.iter().any(|it| it.origin.slot().is_some_and(|it| it.unix_seconds() == slot));
        match (jobs, told) {
            (Some(jobs), Some(told)) if is_started(&told.outcome) => self.attempts(slot, jobs, book),
            (Some(_), Some(told)) => {
                book.problem(format!("{}: slot {} has a Job, and status says {:?}", self.name(), time(slot), told));
            }
            (Some(jobs), None) => {
                self.attempts(slot, jobs, book);
                // Its start may have been on the way to status when all ended.
                if !self.is_at_the_end(slot) {
                    book.problem(format!("{}: slot {} has a Job, and status never said so", self.name(), time(slot)));
                }
            }
            (None, Some(told)) if self.is_in_a_row_of_others(slot, told) => {
                book.count("past instants in a row of others")
            }
            (None, Some(told)) if is_started(&told.outcome) => {
                book.problem(format!("{}: slot {} has no Job, and status says {:?}", self.name(), time(slot), told));
            }
            (None, Some(told)) => book.count(word(&told.outcome)),
            (None, None) if is_waiting => book.count("slots that wait at the end"),
            (None, None) => self.explain(slot, book),
        }
    }

    /// An instant that an edit named too late is not told of where others on both sides of it are told
    /// of in one row; see docs/triggers.md.
    fn is_in_a_row_of_others(&self, slot: i64, told: &Told) -> bool {
        self.past.contains(&slot) && told.first < slot && slot < told.last
    }

    /// Why neither a Job nor an outcome: there is a reason, or it was lost.
    fn explain(&self, slot: i64, book: &mut Book) {
        let status = &self.schedule.status;
        let is_above_mark = status.decided_through.as_ref().is_none_or(|mark| mark.0.as_second() < slot);
        let has_none_left = status.max_runs_reached.as_ref().is_some_and(|it| it.0.as_second() < slot);
        if has_none_left && self.schedule.ever_had("maxRuns") {
            book.count("slots after maxRuns");
        } else if is_above_mark && !status.pauses.is_empty() && self.may_be_paused() {
            book.count("slots that a pause holds back at the end");
        } else if is_above_mark && self.is_at_the_end(slot) {
            book.count("slots that were due as all ended");
        } else {
            let mark = status.decided_through.as_ref().map(|it| it.0.to_string()).unwrap_or_default();
            book.problem(format!(
                "{}: slot {} has neither a Job nor an outcome; the mark is {mark}, the end was {}",
                self.name(),
                time(slot),
                self.end(),
            ));
        }
    }

    /// Whether its spec asks for a pause, or as many runs failed as bring one about.
    fn may_be_paused(&self) -> bool {
        let spec = self.schedule.specs.last().map(|it| &it.spec);
        let limit = spec.and_then(|it| it["pauseAfterFailures"].as_u64());
        let of_slots = self.jobs.values().filter_map(|it| it.values().last()).filter(|it| has_failed(it)).count();
        let failed = (of_slots + self.failed_by_hand) as u64;
        spec.is_some_and(|it| it["paused"] == true) || limit.is_some_and(|it| it <= failed)
    }

    /// Whether it came due so late that nobody had to decide it any more.
    fn is_at_the_end(&self, slot: i64) -> bool {
        let jitter = self.schedule.specs.iter().map(|it| seconds(&it.spec["jitter"])).max().unwrap_or_default();
        let due = time(slot) + SignedDuration::from_secs(jitter);
        // What was held back by a disturbance until the end.
        let held = self.disturbed.iter().filter(|it| it.0 <= self.end() && self.end() <= it.1).map(|it| it.0).min();
        due + self.facts.grace > held.unwrap_or(self.end())
    }

    /// One attempt after the other, none without the failure of the one before.
    fn attempts(&self, slot: i64, jobs: &BTreeMap<u32, &JobLife>, book: &mut Book) {
        book.count("runs of slots");
        let numbers: Vec<u32> = jobs.keys().copied().collect();
        if numbers != (1..=u32::try_from(numbers.len()).unwrap()).collect::<Vec<_>>() {
            book.problem(format!("{}: slot {} has the attempts {numbers:?}", self.name(), time(slot)));
        }
        for (before, after) in jobs.values().zip(jobs.values().skip(1)) {
            book.count("further attempts");
            let ended = before.end.as_ref().filter(|it| it.1 == "Failed").map(|it| it.0);
            if ended.is_none_or(|ended| after.requested.is_some_and(|at| at < ended)) {
                book.problem(format!("{}: {} was created before {} had failed", self.name(), after.name, before.name));
            }
        }
        if let Some(first) = jobs.get(&1) {
            self.start(slot, first, book);
        }
    }

    fn start(&self, slot: i64, job: &JobLife, book: &mut Book) {
        let Some(requested) = job.requested else { return };
        if self.schedule.was_paused(requested) {
            book.problem(format!("{}: {} was created at {requested}, while it was paused", self.name(), job.name));
        }
        if self.schedule.deleted.is_some_and(|at| requested > at + self.facts.grace) {
            book.problem(format!("{}: {} was created at {requested}, after its deletion", self.name(), job.name));
        }
        if !self.schedule.waited.contains(&slot) && !self.schedule.ever_had("jitter") {
            let late = requested.duration_since(time(slot));
            let is_disturbed = self.disturbed.iter().any(|it| it.0 <= requested && time(slot) <= it.1);
            book.start(late, is_disturbed, &job.name);
        }
    }

    /// What status counted is what there was.
    fn totals(&self, book: &mut Book) {
        let Some(mark) = self.schedule.status.decided_through.as_ref().map(|it| it.0.as_second()) else { return };
        let mut known = BTreeMap::<&str, i64>::new();
        for slot in self.past.iter().chain(&self.slots) {
            let told = self.schedule.told_of(*slot).filter(|it| !is_uncounted(it));
            let told = told.filter(|it| !self.is_in_a_row_of_others(*slot, it));
            let outcome = told.map(|it| if is_started(&it.outcome) { "Started" } else { it.outcome.as_str() });
            if let Some(outcome) = outcome {
                *known.entry(outcome).or_default() += 1;
            }
        }
        // How many were superseded nobody can tell; see docs/outcomes.md.
        let counted = |outcome: &str| self.schedule.status.counts.slots.get(outcome).copied().unwrap_or_default();
        let outcomes: BTreeSet<&str> =
            known.keys().copied().chain(self.schedule.status.counts.slots.keys().map(String::as_str)).collect();
        for outcome in outcomes.into_iter().filter(|it| *it != Outcome::Superseded.as_str()) {
            let (known, counted) = (known.get(outcome).copied().unwrap_or_default(), counted(outcome));
            if known != counted {
                book.problem(format!(
                    "{}: {known} slots ended as {outcome}, status counts {counted}; the mark is {}",
                    self.name(),
                    time(mark)
                ));
            }
        }
    }

    /// `maxRuns`, and the limits of Forbid and Queue, if they were the same all its life.
    fn limits(&self, evidence: &Evidence, book: &mut Book) {
        let first = self.schedule.specs.first().map(|it| &it.spec);
        let most = self.schedule.specs.iter().filter_map(|it| it.spec["maxRuns"].as_u64()).max();
        let is_constant =
            |field: &str| self.schedule.specs.iter().all(|it| Some(&it.spec[field]) == first.map(|it| &it[field]));
        if let Some(most) = most.filter(|most| is_constant("maxRuns") && self.jobs.len() as u64 > *most) {
            book.problem(format!("{}: {} runs, maxRuns is {most}", self.name(), self.jobs.len()));
        }
        let Some(concurrency) = first.map(|it| &it["concurrency"]).filter(|_| is_constant("concurrency")) else {
            return;
        };
        if !matches!(concurrency["policy"].as_str().unwrap_or("Forbid"), "Forbid" | "Queue") {
            return;
        }
        let limit = concurrency["limit"].as_u64().unwrap_or(1);
        let all: Vec<&JobLife> = evidence.jobs.values().filter(|it| it.schedule == self.uid).collect();
        for job in &all {
            let Some(at) = job.requested else { continue };
            let is_active = |it: &&&JobLife| {
                it.name != job.name
                    && it.requested.is_some_and(|other| other < at)
                    && it.end.as_ref().is_none_or(|end| end.0 > at)
            };
            let active: Vec<&str> = all.iter().filter(is_active).map(|it| it.name.as_str()).collect();
            if active.len() as u64 >= limit {
                book.problem(format!("{}: {} was created while {active:?} were active", self.name(), job.name));
            }
        }
    }

    /// An epoch for each change of the trigger that was seen, and none else; the last one is of the
    /// last trigger.
    fn epochs(&self, book: &mut Book) {
        let specs = &self.schedule.specs;
        let changes = specs.windows(2).filter(|it| it[0].spec["trigger"] != it[1].spec["trigger"]).count();
        let epochs = &self.schedule.epochs;
        if epochs.len() > changes + 1 {
            book.problem(format!("{}: {} epochs, {changes} changes of the trigger", self.name(), epochs.len()));
        }
        for (since, generation) in epochs.iter().skip(1) {
            let written = specs.iter().find(|it| it.generation == *generation).map(|it| it.at);
            if written.is_some_and(|at| time(*since) < time(at.as_second())) {
                book.problem(format!("{}: an epoch since {}, before it was written", self.name(), time(*since)));
            }
        }
        let (Some(last), Some(epoch)) = (specs.last(), epochs.iter().next_back()) else { return };
        let is_last = self.schedule.spec(*epoch.1).is_some_and(|it| it["trigger"] == last.spec["trigger"]);
        if !is_last && !self.is_at_the_end(last.at.as_second()) {
            book.problem(format!("{}: the trigger written at {} was never seen", self.name(), last.at));
        }
    }
}

/// Of the old trigger nobody can tell how many slots there were.
fn is_uncounted(told: &Told) -> bool {
    told.outcome == Outcome::Superseded && told.count.is_none()
}

fn has_failed(job: &JobLife) -> bool {
    job.end.as_ref().is_some_and(|end| end.1 == "Failed")
}

fn is_started(outcome: &Outcome) -> bool {
    *outcome == Outcome::Started || outcome.is_of_run()
}

fn word(outcome: &Outcome) -> &'static str {
    let known = Outcome::ALL.iter().find(|it| *it == outcome);
    known.map_or("of an outcome that is not in the list", |it| it.as_str())
}

/// The seconds of a duration in a spec; 0 when there is none.
fn seconds(value: &serde_json::Value) -> i64 {
    let read = value.as_str().and_then(|it| it.parse::<punctual::api::Duration>().ok());
    read.map_or(0, |it| i64::try_from(it.seconds()).unwrap())
}

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}
