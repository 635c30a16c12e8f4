//! The report: what was known, what was planned and what happened become status and notices.
//!
//! Pure. It is stored even if a step of the plan failed, because what did happen must not be
//! forgotten; notices follow only once it is stored.

pub mod budget;
pub mod conditions;
pub mod happened;
pub mod manual;
pub mod notices;

mod attempts;
mod outcomes;
pub(crate) mod pauses;
mod results;
mod text;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::status::{ActiveRun, LastRun, Origin, Outcome, Pending, ScheduleStatus, Why};
use crate::decide::plan::{Plan, Reason, RunEnd, Settled, Start};
use crate::decide::{Snapshot, active_run, naming};
use crate::time::{Search, Slot};

use happened::{Happened, StartEnd};
use manual::ScheduleRunReport;
use notices::Notice;
use outcomes::Entry;

/// What to store, and what to tell once it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The whole new status.
    pub status: ScheduleStatus,
    /// What to tell.
    pub notices: Vec<Notice>,
    /// The ScheduleRuns whose status changes. They are stored before the status: what they tell of
    /// the end of a run, the next decision must find there before it forgets the run.
    pub schedule_runs: Vec<ScheduleRunReport>,
}

/// How many slots ahead are shown.
const NEXT_SLOTS: usize = 5;
/// The longest message of `lastRun`, of pending and of active entries, in bytes.
const SHORT_MESSAGE_BYTES: usize = 256;

/// Turns a snapshot, its plan and what came of it into status and notices.
#[must_use]
pub fn report(snapshot: &Snapshot, plan: &Plan, happened: &Happened) -> Report {
    if let Some(skew) = &snapshot.clock_skew {
        let status = doubted(snapshot, skew);
        return Report { status, notices: Vec::new(), schedule_runs: Vec::new() };
    }
    let mut status = snapshot.status.clone().unwrap_or_default();
    status.uid = Some(snapshot.schedule.uid.clone());
    status.observed_generation = Some(snapshot.schedule.generation);
    let mut telling = notices::of_milestones(snapshot, plan);

    keep_memory(&mut status, plan);
    for settled in &plan.settled {
        settle(&mut status, settled, &mut telling);
    }
    for adopted in &plan.adopted {
        let reason = adopted.late_create.then_some(Reason::LateCreate);
        if !adopted.is_of_known_run {
            note_started(&mut status, &adopted.origin, &adopted.job_name, reason, adopted.late_create);
        }
        telling.push(notices::adopted(adopted));
    }
    for (start, end) in &happened.starts {
        if start.attempt > 1 {
            attempts::note_start(&mut status, start, end, &mut telling);
        } else {
            note_start(&mut status, snapshot, start, end, &mut telling);
        }
    }
    for backed_off in &plan.backed_off {
        telling.push(notices::backed_off(backed_off));
    }
    for end in &plan.ended {
        note_end(&mut status, snapshot, end);
        telling.push(notices::ended(end));
    }
    outcomes::fold(&mut status);
    if let Some(verdict) = &happened.template
        && verdict.is_final()
    {
        status.template_checked_generation = Some(snapshot.schedule.generation);
    }

    results::expire(&mut status, snapshot.now);
    results::limit(&mut status, snapshot.readable_spec());
    look_ahead(&mut status, snapshot);
    status.active.sort_by_key(ActiveRun::asked_for);
    status.active_runs = i32::try_from(status.active.len()).unwrap_or(i32::MAX);
    status.queued_runs = i32::try_from(status.pending.len()).unwrap_or(i32::MAX);
    conditions::set(&mut status, snapshot, plan, happened, &mut telling);
    budget::keep(&mut status);
    let schedule_runs = manual::report(snapshot, plan, happened, &status);
    Report { status, notices: telling, schedule_runs }
}

/// While the clock is not to be believed nothing changes but that this is said: no result expires
/// by such a clock.
fn doubted(snapshot: &Snapshot, skew: &str) -> ScheduleStatus {
    let mut status = snapshot.status.clone().unwrap_or_default();
    conditions::doubt(&mut status, snapshot, skew);
    status
}

/// Takes over what the next decision must know.
fn keep_memory(status: &mut ScheduleStatus, plan: &Plan) {
    let memory = plan.memory.clone();
    status.decided_through = memory.mark.map(|mark| Time(mark.timestamp()));
    status.epoch = memory.epoch;
    status.pending = memory.pending;
    status.active = memory.active;
    for run in &mut status.active {
        attempts::shorten(run, SHORT_MESSAGE_BYTES);
    }
    status.pauses = memory.pauses;
    status.pause_ended = memory.pause_ended;
    status.last_resume = memory.last_resume;
    status.consecutive_failures = memory.consecutive_failures;
    status.planned_runs = memory.planned_runs;
    status.max_runs_reached = memory.max_runs_reached;
}

/// Records slots that were decided without a start.
fn settle(status: &mut ScheduleStatus, settled: &Settled, telling: &mut Vec<Notice>) {
    outcomes::add(
        status,
        Entry {
            first: settled.first,
            last: settled.last,
            count: settled.count,
            outcome: settled.outcome.clone(),
            reason: Some(settled.reason.to_string()),
            job_name: None,
            into: settled.into,
        },
    );
    telling.push(notices::settled(settled));
}

/// Records what came of one start.
fn note_start(
    status: &mut ScheduleStatus,
    snapshot: &Snapshot,
    start: &Start,
    end: &StartEnd,
    telling: &mut Vec<Notice>,
) {
    match end {
        StartEnd::Created { job_uid, created } => {
            status.active.push(attempts::running(start, job_uid, *created));
            note_started(status, &start.origin, &start.job_name, None, false);
            telling.push(notices::started(start));
        }
        StartEnd::FoundOurs(job) => {
            status.active.push(active_run(job));
            note_started(status, &start.origin, &start.job_name, None, false);
            telling.push(notices::started(start));
        }
        StartEnd::NameTaken => fail_to_create(status, start, Reason::NameTaken, telling),
        StartEnd::Refused { message } => {
            fail_to_create(status, start, Reason::JobRefused, telling);
            telling.push(notices::refused(start, message));
        }
        StartEnd::Blocked { reason, message } => {
            let since = start.refused_since.unwrap_or(snapshot.now);
            status.pending.push(Pending {
                origin: start.origin.clone(),
                why: Why::Retrying,
                since: Time(since),
                reason: Some((*reason).to_owned()),
                message: Some(text::clean(message, SHORT_MESSAGE_BYTES).0),
            });
            status.pending.sort_by_key(Pending::asked_for);
            if start.refused_since.is_none() {
                telling.push(notices::blocked(start, reason, message));
            }
        }
    }
}

fn fail_to_create(status: &mut ScheduleStatus, start: &Start, reason: Reason, telling: &mut Vec<Notice>) {
    let Some(slot) = start.origin.slot() else { return };
    let outcome = Outcome::FailedToCreate;
    settle(status, &Settled { first: slot, last: slot, count: Some(1), outcome, reason, into: None }, telling);
}

/// Records that a slot has a Job. Of a late create the slot's earlier outcome is corrected.
fn note_started(status: &mut ScheduleStatus, origin: &Origin, job_name: &str, reason: Option<Reason>, correct: bool) {
    let Some(slot) = origin.slot() else { return };
    if correct {
        outcomes::forget(status, slot);
    }
    outcomes::add(
        status,
        Entry {
            first: slot,
            last: slot,
            count: Some(1),
            outcome: Outcome::Started,
            reason: reason.map(|it| it.to_string()),
            job_name: Some(job_name.to_owned()),
            into: None,
        },
    );
    let time = Time(slot.timestamp());
    if status.last_schedule_time.as_ref().is_none_or(|before| before.0 < time.0) {
        status.last_schedule_time = Some(time);
    }
}

/// Records the end of a run.
fn note_end(status: &mut ScheduleStatus, snapshot: &Snapshot, end: &RunEnd) {
    if end.outcome.is_success() && status.last_successful_time.as_ref().is_none_or(|before| before.0 < end.at) {
        status.last_successful_time = Some(Time(end.at));
    }
    // The result of a run that was asked for by hand is kept in its ScheduleRun.
    let Some(slot) = end.run.origin.slot() else { return };
    let runs = status.counts.runs.entry(end.outcome.to_string()).or_default();
    *runs = runs.saturating_add(1);
    outcomes::end_run(status, slot, &end.outcome, end.reason.as_deref());
    let last = LastRun {
        slot_time: Time(slot.timestamp()),
        outcome: end.outcome.clone(),
        exit_code: end.exit_code,
        message: end.message.as_deref().map(|it| text::clean(it, SHORT_MESSAGE_BYTES).0),
        job_name: end.run.job_name.clone(),
        start_time: end.run.start_time.clone(),
        completion_time: Time(end.at),
    };
    if status.last_run.as_ref().is_none_or(|before| before.completion_time.0 <= end.at) {
        status.last_run = Some(last);
    }
    if let Some(spec) = snapshot.readable_spec() {
        results::add(status, spec, slot, end);
    }
}

/// Shows what comes next: slots, whose planned start may be later. A paused Schedule has nothing to
/// come before its pause ends by itself, if it does, and costs no write while the slots it misses go by.
fn look_ahead(status: &mut ScheduleStatus, snapshot: &Snapshot) {
    status.next_slots.clear();
    status.next_slot_time = None;
    status.next_slot_text = None;
    let Ok(accepted) = &snapshot.spec else { return };
    status.trigger = Some(accepted.trigger.words());
    let now = Slot::floor(snapshot.now);
    let mut from = snapshot.planned_starts().map_or(now, |it| it.slots_through(now));
    from = from.max(status.decided_through.as_ref().map_or(from, |it| Slot::floor(it.0)));
    from = from.max(accepted.since.map_or(from, |since| since.plus_seconds(-1)));
    for pause in &status.pauses {
        let Some(until) = &pause.until else { return };
        from = from.max(Slot::floor(until.0).plus_seconds(-1));
    }
    let left = accepted.spec.runs_left(status.planned_runs).try_into().unwrap_or(usize::MAX);
    while status.next_slots.len() < NEXT_SLOTS.min(left)
        && let Search::Slot(slot) = accepted.trigger.next(from)
    {
        status.next_slots.push(Time(slot.timestamp()));
        from = slot;
    }
    if let Some(next) = status.next_slots.first() {
        status.next_slot_text = Some(accepted.trigger.in_words(Slot::floor(next.0)));
        status.next_slot_time = Some(next.clone());
    }
}

/// The name a run is known by in logs, the same for all its Jobs.
#[must_use]
pub fn run_id(snapshot: &Snapshot, slot: Slot) -> String {
    naming::job_name(&snapshot.schedule.name, &snapshot.schedule.uid, slot)
}
