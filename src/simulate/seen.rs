//! What there is to see at one instant, in the words in which stories expect it.

use std::collections::BTreeMap;

use crate::api::ScheduleStatus;
use crate::api::status::{Origin, RunResult, SlotOutcome};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::job::Job;
use super::schedule_run;
use super::times::Times;
use super::world::World;

/// By what it is called in `expect`.
pub type Seen = BTreeMap<&'static str, Vec<String>>;

/// All there is to see.
pub fn seen(world: &World) -> Seen {
    let times = &world.times;
    let status: ScheduleStatus =
        serde_json::from_value(world.cluster.schedule.status.clone()).expect("a readable status");
    let mut seen = Seen::new();
    of_status(&mut seen, times, &status);
    let start = |job: &Job| format!("{} at {}", which(times, job), times.show(job.created));
    seen.insert("starts", world.cluster.created.iter().map(start).collect());
    seen.insert("startedJobs", world.cluster.created.iter().map(|job| job.name.clone()).collect());
    let mut jobs: Vec<_> = world.cluster.jobs.values().collect();
    jobs.sort_by_key(|job| (job.slot(), job.attempt()));
    seen.insert("jobs", jobs.iter().map(|job| format!("{} {}", which(times, job), job.word())).collect());
    let runs = world.cluster.schedule_runs.iter();
    seen.insert("scheduleRuns", runs.map(|(name, run)| schedule_run::line(times, name, run)).collect());
    seen.insert("events", world.ledger.events.clone());
    seen.insert("mostAtWork", vec![world.most_at_work.to_string()]);
    seen.insert("wake", world.wake().map(|at| times.show(at)).into_iter().collect());
    seen
}

/// A Job by its slot, and its attempt if it is not the first.
pub fn which(times: &Times, job: &Job) -> String {
    let run = || job.schedule_run().unwrap_or(&job.name).to_owned();
    let slot = job.slot().map_or_else(run, |slot| times.show(slot.timestamp()));
    if job.attempt() > 1 { format!("{slot} attempt {}", job.attempt()) } else { slot }
}

fn of_status(seen: &mut Seen, times: &Times, status: &ScheduleStatus) {
    let show = |time: &Time| times.show(time.0);
    let shown = |time: &Option<Time>| time.iter().map(show).collect();
    let bracketed = |text: &Option<String>| text.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
    seen.insert("outcomes", status.outcomes.iter().map(|it| outcome(times, it)).collect());
    seen.insert("results", status.results.iter().map(|it| result(times, it)).collect());
    let pending = status.pending.iter();
    let pending = pending.map(|it| {
        format!("{} {} since {}{}", origin(times, &it.origin), it.why.as_str(), show(&it.since), bracketed(&it.reason))
    });
    seen.insert("pending", pending.collect());
    let active = status.active.iter();
    let active =
        active.map(|it| format!("{} {} since {}", origin(times, &it.origin), it.state.as_str(), show(&it.start_time)));
    seen.insert("active", active.collect());
    let next_attempts = status.active.iter().filter_map(|it| {
        let next = show(it.next_attempt_time.as_ref()?);
        Some(format!("{} attempt {} at {next}{}", origin(times, &it.origin), it.attempt + 1, bracketed(&it.reason)))
    });
    seen.insert("nextAttempts", next_attempts.collect());
    seen.insert("consecutiveFailures", vec![status.consecutive_failures.to_string()]);
    let resume = status.last_resume.iter();
    let resume = resume
        .map(|it| format!("{} missed {} started {} dropped {}", show(&it.time), it.missed, it.started, it.dropped));
    seen.insert("lastResume", resume.collect());
    let last_slot = status.last_slot.iter();
    seen.insert(
        "lastSlot",
        last_slot.map(|it| format!("{} {}{}", show(&it.slot_time), it.outcome, bracketed(&it.reason))).collect(),
    );
    let last_run = status.last_run.iter().map(|it| {
        let exit = it.exit_code.map(|code| format!(" exit {code}")).unwrap_or_default();
        let message = it.message.as_ref().map(|text| format!(" {text:?}")).unwrap_or_default();
        format!("{} {}{exit}{message} ended {}", show(&it.slot_time), it.outcome, show(&it.completion_time))
    });
    seen.insert("lastRun", last_run.collect());
    seen.insert("queuedRuns", vec![status.queued_runs.to_string()]);
    seen.insert("plannedRuns", vec![status.planned_runs.to_string()]);
    seen.insert("state", status.state.clone().into_iter().collect());
    seen.insert("mark", shown(&status.decided_through));
    seen.insert("next", shown(&status.next_slot_time));
    seen.insert("epoch", status.epoch.iter().map(|it| show(&it.since)).collect());
    seen.insert("lastScheduleTime", shown(&status.last_schedule_time));
    seen.insert("lastSuccessfulTime", shown(&status.last_successful_time));
    let pause = |it: &crate::api::status::Pause| {
        let until = it.until.iter().map(|until| format!(" until {}", show(until))).collect::<String>();
        format!("{} since {}{until}{}", it.source, show(&it.since), bracketed(&it.reason))
    };
    seen.insert("pauses", status.pauses.iter().map(pause).collect());
    let conditions = status.conditions.iter().map(|it| format!("{}: {} {}", it.type_, it.status, it.reason));
    seen.insert("conditions", conditions.collect());
    let messages = status.conditions.iter().map(|it| format!("{}: {}", it.type_, it.message));
    seen.insert("messages", messages.collect());
    let counted = |counts: &BTreeMap<String, i64>| {
        counts.iter().filter(|it| *it.1 != 0).map(|(word, count)| format!("{word}: {count}")).collect()
    };
    seen.insert("slots", counted(&status.counts.slots));
    seen.insert("runs", counted(&status.counts.runs));
    seen.insert("resultsDropped", vec![status.counts.results_dropped.to_string()]);
    seen.insert("trigger", status.trigger.clone().into_iter().collect());
}

fn origin(times: &Times, origin: &Origin) -> String {
    match origin {
        Origin::Slot(time) => times.show(time.0),
        Origin::ScheduleRun(name) => name.clone(),
    }
}

fn outcome(times: &Times, entry: &SlotOutcome) -> String {
    let mut text = times.show(entry.slot_time.0);
    if let Some(last) = &entry.last_slot_time {
        let count = entry.count.map_or_else(|| "any".into(), |count| count.to_string());
        text += &format!(" to {} ({count})", times.show(last.0));
    }
    text += &format!(" {}", entry.outcome);
    if let Some(reason) = &entry.reason {
        text += &format!(" ({reason})");
    }
    if let Some(into) = &entry.into {
        text += &format!(" into {}", times.show(into.0));
    }
    text
}

fn result(times: &Times, result: &RunResult) -> String {
    let exit = result.exit_code.map(|code| format!(" exit {code}")).unwrap_or_default();
    let reason = result.reason.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
    let message = result.message.as_ref().map(|text| format!(" {text:?}")).unwrap_or_default();
    let attempts = if result.attempts > 1 { format!(" after {} attempts", result.attempts) } else { String::new() };
    let (slot, expires) = (times.show(result.slot_time.0), times.show(result.expiration_time.0));
    format!("{slot} {}{reason}{exit}{message}{attempts} until {expires}", result.outcome)
}
