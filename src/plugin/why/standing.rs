//! What holds a Schedule up now.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{Finding, Subject, reasons};
use crate::api::Duration;
use crate::api::status::{Pending, ScheduleStatus, Why};
use crate::report::conditions::{CLOCK_SKEW, INVALID_TEMPLATE, STALLED};
use crate::report::pauses as report;
use crate::time::Slot;

/// An operator that runs decides a slot well before.
const PATIENCE_SECONDS: i64 = 10;
/// Conditions that say why nothing starts, and the field that decides.
const HINDRANCES: &[(&str, &str, Option<&str>)] = &[
    ("Stalled", "True", Some("spec")),
    ("ClockSkew", "True", None),
    ("Complete", "True", Some("spec.trigger")),
    ("StartBlocked", "True", None),
    ("RunsStarting", "False", Some("spec.jobTemplate")),
];

/// What holds it up, the strongest first; or that nothing does.
pub fn of(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(status) = &subject.status else {
        let sentence = "the operator has recorded nothing of this Schedule yet";
        return vec![Finding::new("Unseen", sentence)];
    };
    let mut findings = conditions(status);
    findings.extend(pauses(subject, status));
    findings.extend(overdue(subject, status));
    for run in &status.active {
        let since = subject.shown_time(run.start_time.0);
        let state = run.state.as_str();
        findings.push(Finding::new(
            state,
            format!("the run of {} is active since {since}, Job {}", subject.origin(&run.origin), run.job_name),
        ));
    }
    findings.extend(line(subject, &status.pending));
    if findings.is_empty() {
        findings.push(Finding::new(status.state.as_deref().unwrap_or("Pending"), "nothing holds it up"));
    }
    findings
}

fn conditions(status: &ScheduleStatus) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (type_, is, field) in HINDRANCES {
        let found = status.conditions.iter().find(|it| it.type_ == *type_ && it.status == *is);
        findings.extend(found.map(|it| Finding {
            field: reasons::field(&it.reason).or(*field),
            reason: Some(it.reason.clone()),
            ..Finding::new(type_, it.message.clone())
        }));
    }
    findings
}

/// Slots have come, and nobody decides them.
fn overdue(subject: &Subject<'_>, status: &ScheduleStatus) -> Option<Finding> {
    let is_held = |it: &Condition| [STALLED, CLOCK_SKEW].contains(&it.type_.as_str()) && it.reason != INVALID_TEMPLATE;
    let waits = !status.pauses.is_empty() || status.max_runs_reached.is_some();
    if waits || status.conditions.iter().any(is_held) {
        return None;
    }
    let mark = Slot::floor(status.decided_through.as_ref()?.0);
    let first = subject.trigger.next(mark).slot()?;
    let jitter = subject.spec.jitter.map_or(0, Duration::seconds_i64);
    let sentence = format!(
        "nothing was decided after {}, although the slot {} is due: is the operator running?",
        subject.shown(mark),
        subject.shown(first)
    );
    let is_late = first.plus_seconds(jitter.saturating_add(PATIENCE_SECONDS)) < subject.now;
    is_late.then(|| Finding::new("Undecided", sentence))
}

fn pauses(subject: &Subject<'_>, status: &ScheduleStatus) -> Vec<Finding> {
    let told = status.pauses.iter().map(|pause| {
        let reason = report::reason(pause, Some(&subject.spec));
        let field = reasons::field(reason).unwrap_or_else(|| reasons::pause_field(&pause.source));
        let since = subject.shown_time(pause.since.0);
        let sentence = format!("since {since}: {}", report::in_words(pause, Some(&subject.spec)));
        Finding { reason: Some(reason.to_owned()), ..Finding::new("Paused", sentence).by(field) }
    });
    told.collect()
}

/// Those that wait, one finding for all that wait for the same.
fn line(subject: &Subject<'_>, pending: &[Pending]) -> Vec<Finding> {
    let of_kind = |why: &Why, what: &str| {
        let waiting: Vec<&Pending> = pending.iter().filter(|it| it.why == *why).collect();
        let first = waiting.first()?;
        let since = subject.shown_time(first.since.0);
        let (count, plural) = (waiting.len(), if waiting.len() == 1 { " waits" } else { "s wait" });
        let sentence =
            format!("{count} slot{plural} {what}, the first, {}, since {since}", subject.origin(&first.origin));
        let finding = Finding::new(why.as_str(), sentence).because(first.reason.as_deref());
        Some(Finding { field: finding.field.or_else(|| reasons::field(why.as_str())), ..finding })
    };
    [
        (Why::Retrying, "while starts are refused"),
        (Why::Replacing, "for a run to stop"),
        (Why::Queued, "until fewer runs are active"),
        (Why::CatchUp, "for a turn after downtime or a pause"),
    ]
    .iter()
    .filter_map(|(why, what)| of_kind(why, what))
    .collect()
}
