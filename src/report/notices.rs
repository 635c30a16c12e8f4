//! What is told once status is stored: the Events on a Schedule, in the words of status.

use super::{pauses, text};
use crate::api::status::Outcome;
use crate::decide::Snapshot;
use crate::decide::plan::{Adopted, BackedOff, Milestone, Plan, Reason, RunEnd, Settled, Start};

/// One Event on a Schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Whether a person should look at it.
    pub is_warning: bool,
    /// One word; one of [`REASONS`].
    pub reason: String,
    /// What happened, with the names and times one needs to follow it.
    pub note: String,
    /// The Job it is about.
    pub job_name: Option<String>,
}

/// Every reason an Event of ours can have, beside the outcomes: each has its line in the
/// documentation.
pub const REASONS: &[&str] = &[
    "Adopted",
    "AttemptFailed",
    "AttemptStarted",
    "Completed",
    "FirstSeen",
    "InvalidSpec",
    "InvalidTemplate",
    "InvalidTrigger",
    "NeverFires",
    "Paused",
    "Resumed",
    "StartBlocked",
    "StatusLost",
    "TriggerChanged",
    "UnknownTimeZone",
    "UnreadableSpec",
];

fn notice(is_warning: bool, reason: impl ToString, note: String, job_name: Option<&str>) -> Notice {
    // What users and the API server say goes to logs and terminals from here.
    let note = text::in_one_line(&note);
    Notice { is_warning, reason: reason.to_string(), note, job_name: job_name.map(str::to_owned) }
}

/// A condition that has turned up or changed its reason.
pub(super) fn condition(is_warning: bool, reason: &str, note: &str) -> Notice {
    notice(is_warning, reason, note.to_owned(), None)
}

/// What happened to the Schedule as a whole.
pub(super) fn of_milestones(snapshot: &Snapshot, plan: &Plan) -> Vec<Notice> {
    let mark = plan.memory.mark.map_or_else(String::new, |mark| mark.timestamp().to_string());
    let tell = |milestone: &Milestone| match milestone {
        Milestone::FirstSeen => notice(false, "FirstSeen", format!("slots after {mark} will start"), None),
        Milestone::StatusLost => notice(
            true,
            "StatusLost",
            format!("it was edited or has Jobs, but no status: slots up to {mark} are not made up for"),
            None,
        ),
        Milestone::TriggerChanged => notice(
            false,
            "TriggerChanged",
            format!("the new trigger decides slots after {mark}; nothing earlier starts because of it"),
            None,
        ),
        Milestone::Paused(pause) => {
            let is_warning = pauses::needs_attention(pause, snapshot.readable_spec());
            notice(is_warning, "Paused", pauses::in_words(pause, snapshot.readable_spec()), None)
        }
        Milestone::Resumed => notice(false, "Resumed", resumed(snapshot, plan), None),
    };
    plan.milestones.iter().map(tell).collect()
}

fn resumed(snapshot: &Snapshot, plan: &Plan) -> String {
    let before = snapshot.status.as_ref().and_then(|it| it.last_resume.as_ref());
    match &plan.memory.last_resume {
        Some(resume) if Some(resume) != before => format!(
            "{} slots were missed in the meantime; chosen to start: {}, dropped by catchUp or their deadline: {}",
            resume.missed, resume.started, resume.dropped
        ),
        _ => "no slot was missed in the meantime".into(),
    }
}

/// Slots that were decided without a start.
pub(super) fn settled(settled: &Settled) -> Notice {
    let is_warning = !matches!(settled.outcome, Outcome::Coalesced | Outcome::Superseded | Outcome::SkippedPaused);
    let slots = match (settled.count, settled.first == settled.last) {
        (_, true) => format!("slot {}", settled.first.timestamp()),
        (Some(count), false) => {
            format!("{count} slots from {} to {}", settled.first.timestamp(), settled.last.timestamp())
        }
        (None, false) => format!("any slots from {} to {}", settled.first.timestamp(), settled.last.timestamp()),
    };
    let into = settled.into.map(|it| format!(", into {}", it.timestamp())).unwrap_or_default();
    notice(
        is_warning,
        &settled.outcome,
        format!("{slots}: {}{into} ({})", in_words(settled.reason), settled.reason),
        None,
    )
}

/// Why slots and ScheduleRuns did not start, for people.
#[must_use]
pub fn in_words(reason: Reason) -> &'static str {
    match reason {
        Reason::BeforeCreation => "before the Schedule was created, so it never starts",
        Reason::CopiedStatus => "it came with the status of another ScheduleRun, so it is a copy: create one without",
        Reason::NoSuchSchedule => "there is no Schedule of this name: create the Schedule first, then this again",
        Reason::TriggerChanged => "undecided when spec.trigger was changed, so it never starts",
        Reason::StartingDeadline => "could not start within spec.startingDeadline",
        Reason::CatchUpNone => "late, and catchUp chose None",
        Reason::CatchUpLatest => "a newer one runs in its stead",
        Reason::CatchUpEarliest => "an older one runs in its stead",
        Reason::CatchUpLimit => "more were late than catchUp.limit",
        Reason::CatchUpMaxAge => "late, and older than catchUp.maxAge",
        Reason::CatchUpSince => "before catchUp.since, from which on slots start",
        Reason::CatchUpAll => "waits for its turn",
        Reason::ConcurrencyForbid => {
            "as many runs were active as concurrency.limit admits, and concurrency.policy is Forbid"
        }
        Reason::ConcurrencyCap => "as many runs are active as are allowed at once",
        Reason::ConcurrencyReplace => "a newer one replaces the active run",
        Reason::QueueDropNewest => "it would have had to wait, and the queue was full",
        Reason::QueueDropOldest => "it had waited longest when another came due, and the queue was full",
        Reason::MaxRunsReached => "as many runs were planned as spec.maxRuns allows",
        Reason::JobRefused => "the API server refuses its Job",
        Reason::NameTaken => "somebody else's Job has its name",
        Reason::HistoryLimit | Reason::RunStopped | Reason::LateCreate | Reason::RunSucceeded => {
            "its Job was tidied up"
        }
    }
}

/// A Job that was created, or found to be there already.
pub(super) fn started(start: &Start) -> Notice {
    notice(
        false,
        Outcome::Started,
        format!("{} started as Job {}", start.origin, start.job_name),
        Some(&start.job_name),
    )
}

/// A Job that status did not account for.
pub(super) fn adopted(adopted: &Adopted) -> Notice {
    let late = if adopted.late_create { ", created by a request that arrived late" } else { "" };
    let what = if adopted.is_of_known_run { "the next attempt of its run" } else { "started" };
    let note =
        format!("Job {} of {} was not recorded yet{late}: it counts as {what}", adopted.job_name, adopted.origin);
    notice(adopted.late_create, "Adopted", note, Some(&adopted.job_name))
}

/// A start that the API server refused for good.
pub(super) fn refused(start: &Start, message: &str) -> Notice {
    let note = format!("the API server refuses the Job of {}: {message}", what(start));
    notice(true, "InvalidTemplate", note, None)
}

/// A start that is tried again.
pub(super) fn blocked(start: &Start, reason: &str, message: &str) -> Notice {
    let note = format!("the Job of {} cannot be created now and is tried again: {reason}: {message}", what(start));
    notice(true, "StartBlocked", note, None)
}

/// What a Job was to be for.
fn what(start: &Start) -> String {
    if start.attempt > 1 { format!("attempt {} of {}", start.attempt, start.origin) } else { start.origin.to_string() }
}

/// A further attempt, whose Job was created or found to be there already.
pub(super) fn attempt_started(start: &Start) -> Notice {
    let note = format!("{} started as Job {}", what(start), start.job_name);
    notice(false, "AttemptStarted", note, Some(&start.job_name))
}

/// The end of an attempt that another follows.
pub(super) fn backed_off(backed_off: &BackedOff) -> Notice {
    let run = &backed_off.end.run;
    let note = format!(
        "attempt {} of {}, Job {}, {}; attempt {} starts at {}",
        run.attempt,
        run.origin,
        run.job_name,
        how(&backed_off.end),
        run.attempt.saturating_add(1),
        backed_off.next
    );
    notice(true, "AttemptFailed", note, Some(&run.job_name))
}

/// The end of a run.
pub(super) fn ended(end: &RunEnd) -> Notice {
    notice(!end.outcome.is_success(), &end.outcome, how_it_ended(end), Some(&end.run.job_name))
}

/// The end of a run, in words.
pub(super) fn how_it_ended(end: &RunEnd) -> String {
    let attempts = if end.run.attempt > 1 { format!(", attempt {},", end.run.attempt) } else { String::new() };
    format!("Job {}{attempts} of {} {}", end.run.job_name, end.run.origin, how(end))
}

/// What a ScheduleRun itself is told about.
pub(super) fn of_schedule_run(is_warning: bool, outcome: &Outcome, note: &str, job_name: Option<&str>) -> Notice {
    notice(is_warning, outcome, note.to_owned(), job_name)
}

/// How it ended, for people.
fn how(end: &RunEnd) -> String {
    let exit = end.exit_code.map(|it| format!(", exit code {it}")).unwrap_or_default();
    let reason = end.reason.as_deref().map(|it| format!(", {it}")).unwrap_or_default();
    let how = match end.outcome {
        Outcome::Deleted => "was deleted by somebody else while it ran",
        Outcome::Replaced if end.run.last_attempt.is_some() => "is not tried again, so that a newer slot could start",
        Outcome::Replaced => "was stopped so that a newer slot could start",
        Outcome::Lost => "is gone, and nobody saw how it ended",
        Outcome::TimedOut => "ran longer than its deadline",
        _ => "ended",
    };
    format!("{how}{exit}{reason}")
}
