//! The conditions, in the form that `kubectl wait`, Helm and GitOps tools understand.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::happened::{Happened, StartEnd, TemplateVerdict};
use super::notices::{self, Notice};
use super::{pauses, text};
use crate::api::ScheduleSpec;
use crate::api::status::{ActiveRun, Pending, RunState, ScheduleStatus, Why};
use crate::decide::plan::{Milestone, Plan};
use crate::decide::snapshot::Refusal;
use crate::decide::{Snapshot, WAITING_SECONDS};
use crate::time::Search;

/// The spec is accepted and looked after.
pub const READY: &str = "Ready";
/// The spec cannot work.
pub const STALLED: &str = "Stalled";
/// No slot starts.
pub const PAUSED: &str = "Paused";
/// There is no slot to come.
pub const COMPLETE: &str = "Complete";
/// How the last run ended.
pub const LAST_RUN_SUCCEEDED: &str = "LastRunSucceeded";
/// A start is being refused for a reason that may pass.
pub const START_BLOCKED: &str = "StartBlocked";
/// False when an active Job has no Pod that got ready.
pub const RUNS_STARTING: &str = "RunsStarting";
/// Nothing is decided, because the clock is not to be believed.
pub const CLOCK_SKEW: &str = "ClockSkew";

/// The reason of a template that the API server refuses.
pub const INVALID_TEMPLATE: &str = "InvalidTemplate";
/// The longest message, in bytes.
const MESSAGE_BYTES: usize = 1024;

/// Sets every condition and `state`, and tells of those that turned bad.
pub(super) fn set(
    status: &mut ScheduleStatus,
    snapshot: &Snapshot,
    plan: &Plan,
    happened: &Happened,
    telling: &mut Vec<Notice>,
) {
    let mut writer = Writer {
        now: snapshot.now,
        generation: snapshot.schedule.generation,
        before: std::mem::take(&mut status.conditions),
    };
    let stalled = stalled(&writer, snapshot, happened);
    if let Some(refusal) = &stalled
        && !writer.had(STALLED, "True", refusal.reason)
    {
        telling.push(notices::condition(true, refusal.reason, &refusal.message));
    }
    let complete = stalled.is_none() && is_complete(status, snapshot);
    if complete && !writer.had(COMPLETE, "True", why_complete(status)) {
        telling.push(notices::condition(status.last_schedule_time.is_none(), "Completed", completed(status)));
    }
    let mut conditions = vec![ready(&mut writer, stalled.as_ref(), snapshot, plan, status, complete)];
    if let Some(refusal) = &stalled {
        conditions.push(writer.write(STALLED, "True", refusal.reason, &refusal.message));
    }
    conditions.push(paused(&mut writer, status, snapshot));
    if complete {
        conditions.push(writer.write(COMPLETE, "True", why_complete(status), completed(status)));
    }
    conditions.push(last_run(&mut writer, status));
    conditions.extend(blocked(&mut writer, status, snapshot));
    conditions.extend(runs_starting(&mut writer, status));
    debug_assert!(plan.look.is_empty(), "a plan that asks for a look is not reported");
    status.state = conditions.first().map(|it| it.reason.clone());
    status.conditions = conditions;
}

/// Says that the clock is not to be believed, and leaves the rest as it is.
pub(super) fn doubt(status: &mut ScheduleStatus, snapshot: &Snapshot, skew: &str) {
    let before = status.conditions.clone();
    let mut writer = Writer { now: snapshot.now, generation: snapshot.schedule.generation, before };
    let condition = writer.write(CLOCK_SKEW, "True", "ClocksDisagree", skew);
    status.conditions.retain(|it| it.type_ != CLOCK_SKEW);
    status.conditions.push(condition);
}

/// Why the spec cannot work, if it cannot. What the API server said of a template holds until the
/// spec is changed or a start succeeds.
fn stalled(writer: &Writer, snapshot: &Snapshot, happened: &Happened) -> Option<Refusal> {
    if let Err(refusal) = &snapshot.spec {
        return Some(refusal.clone());
    }
    let invalid = |message: &str| {
        let message = if is_unknown_field(message) {
            format!(
                "spec.jobTemplate has a field that a Job does not know, and that does nothing: {}",
                in_template(message)
            )
        } else {
            format!("the API server refuses the Job that spec.jobTemplate makes: {}", in_template(message))
        };
        Some(Refusal { reason: INVALID_TEMPLATE, message, spec: None })
    };
    let starts = || happened.starts.iter().map(|(_, end)| end);
    let known = writer.before.iter().find(|it| it.type_ == STALLED && it.reason == INVALID_TEMPLATE);
    let known = known.filter(|it| it.observed_generation == Some(writer.generation));
    // A start that succeeds disproves a refusal, but not that a field does nothing.
    let known = known.filter(|it| {
        is_unknown_field(&it.message)
            || !starts().any(|end| matches!(end, StartEnd::Created { .. } | StartEnd::FoundOurs(_)))
    });
    if let Some(StartEnd::Refused { message }) = starts().find(|end| matches!(end, StartEnd::Refused { .. })) {
        return invalid(message);
    }
    match &happened.template {
        Some(TemplateVerdict::Invalid { message }) => invalid(message),
        Some(TemplateVerdict::Accepted) => None,
        Some(TemplateVerdict::Unknown) | None => {
            known.map(|it| Refusal { reason: INVALID_TEMPLATE, message: it.message.clone(), spec: None })
        }
    }
}

/// Whether the API server has found a field that it does not know.
fn is_unknown_field(message: &str) -> bool {
    message.contains("unknown field")
}

/// The API server's words about a Job, as words about the template: where in it, and nothing of the
/// Job's name, which nobody can find.
fn in_template(message: &str) -> String {
    let about =
        message.split_once(" is invalid: ").filter(|(job, _)| job.starts_with("Job.batch ")).map(|(_, what)| what);
    let about =
        about.or_else(|| message.split_once("cannot be handled as a Job: ").map(|(_, what)| what)).unwrap_or(message);
    about.replace("spec.template.", "spec.jobTemplate.spec.template.")
}

fn is_complete(status: &ScheduleStatus, snapshot: &Snapshot) -> bool {
    let Ok(accepted) = &snapshot.spec else { return false };
    let from = status.decided_through.as_ref().map(|it| crate::time::Slot::floor(it.0));
    let nothing_to_come =
        status.max_runs_reached.is_some() || from.is_some_and(|from| accepted.trigger.next(from) == Search::Never);
    // What was asked for by hand is no part of the plan.
    let mut open = status.pending.iter().map(|it| &it.origin).chain(status.active.iter().map(|it| &it.origin));
    nothing_to_come && open.all(|origin| origin.slot().is_none())
}

fn why_complete(status: &ScheduleStatus) -> &'static str {
    if status.max_runs_reached.is_some() { "MaxRunsReached" } else { "Completed" }
}

/// That a Schedule is complete does not mean that it ever ran.
fn completed(status: &ScheduleStatus) -> &'static str {
    if status.last_schedule_time.is_none() {
        "no slot is left, and none of them started: status.outcomes says why"
    } else if status.max_runs_reached.is_some() {
        "as many runs were planned as spec.maxRuns allows, and every run has ended; raise it for more"
    } else {
        "no slot is left, and every run has ended"
    }
}

fn ready(
    writer: &mut Writer,
    stalled: Option<&Refusal>,
    snapshot: &Snapshot,
    plan: &Plan,
    status: &ScheduleStatus,
    is_complete: bool,
) -> Condition {
    let is_paused = !status.pauses.is_empty();
    let is_blocked = refused(status, snapshot).next().is_some();
    match stalled {
        Some(refusal) => writer.write(READY, "False", refusal.reason, &refusal.message),
        // Its template is tried in the next round.
        None if plan.milestones.contains(&Milestone::FirstSeen) => {
            writer.write(READY, "Unknown", "Pending", "its Job template is being tried")
        }
        None if is_complete => writer.write(READY, "True", "Completed", completed(status)),
        None if is_paused => {
            writer.write(READY, "True", "Paused", &pauses::all_in_words(&status.pauses, snapshot.readable_spec()))
        }
        None if is_blocked => writer.write(
            READY,
            "True",
            "Scheduled",
            "a start is being refused and tried again: status.pending says why",
        ),
        None => writer.write(READY, "True", "Scheduled", "slots start at their time"),
    }
}

fn paused(writer: &mut Writer, status: &ScheduleStatus, snapshot: &Snapshot) -> Condition {
    let spec = snapshot.readable_spec();
    match (pauses::foremost(&status.pauses, spec), &status.pause_ended) {
        (Some(pause), _) => {
            let words = pauses::all_in_words(&status.pauses, spec);
            let message = format!("paused since {}: {words}", pause.since.0);
            writer.write(PAUSED, "True", pauses::reason(pause, spec), &message)
        }
        (None, Some(at)) => {
            let message = format!("spec.pauseUntil ({}) was reached; spec.paused may be taken out", at.0);
            writer.write(PAUSED, "False", "UntilReached", &message)
        }
        (None, None) => writer.write(PAUSED, "False", "NotPaused", "spec.paused is not set"),
    }
}

fn last_run(writer: &mut Writer, status: &ScheduleStatus) -> Condition {
    let Some(run) = &status.last_run else {
        return writer.write(LAST_RUN_SUCCEEDED, "Unknown", "NoRunYet", "no run of a slot has ended yet");
    };
    let is = if run.outcome.is_success() { "True" } else { "False" };
    let exit = run.exit_code.filter(|it| *it != 0).map(|it| format!(" with exit code {it}")).unwrap_or_default();
    let message = format!("Job {} of slot {} ended{exit} at {}", run.job_name, run.slot_time.0, run.completion_time.0);
    writer.write(LAST_RUN_SUCCEEDED, is, run.outcome.as_str(), &message)
}

/// What waits because its start is refused. While paused, or while every place is taken, no start of
/// these is tried, and none is refused.
fn refused<'a>(status: &'a ScheduleStatus, snapshot: &Snapshot) -> impl Iterator<Item = &'a Pending> {
    let has_place = |spec: &ScheduleSpec| status.active.len() < spec.concurrency_limit();
    let is_tried = status.pauses.is_empty() && snapshot.readable_spec().is_none_or(has_place);
    status.pending.iter().filter(move |it| is_tried && it.why == Why::Retrying)
}

/// Whether anything has been refused for long. Retries of runs go on whatever else is the case.
fn blocked(writer: &mut Writer, status: &ScheduleStatus, snapshot: &Snapshot) -> Option<Condition> {
    let is_long = |since: Timestamp| snapshot.now.duration_since(since).as_secs() >= WAITING_SECONDS;
    let since = |run: &ActiveRun| run.next_attempt_time.as_ref().filter(|_| run.reason.is_some()).map(|it| it.0);
    if let Some((run, since)) = status.active.iter().find_map(|run| Some((run, since(run).filter(|it| is_long(*it))?)))
    {
        let message = format!(
            "attempt {} of {} has been waiting since {since}: {}",
            run.attempt.saturating_add(1),
            run.origin,
            run.waiting.as_deref().unwrap_or_default()
        );
        return Some(writer.write(START_BLOCKED, "True", run.reason.as_deref().unwrap_or("Unknown"), &message));
    }
    let pending = refused(status, snapshot).find(|it| is_long(it.since.0))?;
    let message = format!(
        "{} has been waiting since {}: {}",
        pending.origin,
        pending.since.0,
        pending.message.as_deref().unwrap_or_default()
    );
    Some(writer.write(START_BLOCKED, "True", pending.reason.as_deref().unwrap_or("Unknown"), &message))
}

fn runs_starting(writer: &mut Writer, status: &ScheduleStatus) -> Option<Condition> {
    let run = status.active.iter().find(|it| it.waiting.is_some() && it.state != RunState::Backoff)?;
    let cause = run.waiting.as_deref().unwrap_or_default();
    let message = format!("Job {} has had no ready Pod for a minute: {cause}", run.job_name);
    Some(writer.write(RUNS_STARTING, "False", "PodNotReady", &message))
}

/// Writes conditions that keep the time of their last transition.
pub(super) struct Writer {
    pub now: Timestamp,
    pub generation: i64,
    pub before: Vec<Condition>,
}

impl Writer {
    fn had(&self, type_: &str, status: &str, reason: &str) -> bool {
        self.before.iter().any(|it| it.type_ == type_ && it.status == status && it.reason == reason)
    }

    pub fn write(&mut self, type_: &str, status: &str, reason: &str, message: &str) -> Condition {
        let before = self.before.iter().find(|it| it.type_ == type_ && it.status == status);
        // Whole seconds, as the API server stores them: what is read back equals what was written.
        let now = Timestamp::from_second(self.now.as_second()).unwrap_or(self.now);
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: text::clean(message, MESSAGE_BYTES).0,
            observed_generation: Some(self.generation),
            last_transition_time: before.map_or(Time(now), |it| it.last_transition_time.clone()),
        }
    }
}
