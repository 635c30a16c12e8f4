//! What holds a Schedule up now.

use super::{Finding, Subject, reasons};
use crate::api::status::{Pending, ScheduleStatus, Why};

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
            field: *field,
            reason: Some(it.reason.clone()),
            ..Finding::new(type_, it.message.clone())
        }));
    }
    findings
}

fn pauses(subject: &Subject<'_>, status: &ScheduleStatus) -> Vec<Finding> {
    let told = status.pauses.iter().map(|pause| {
        let since = subject.shown_time(pause.since.0);
        let until = pause.until.as_ref().map(|it| format!(", until {}", subject.shown_time(it.0))).unwrap_or_default();
        let why = pause.reason.as_ref().or(subject.spec.pause_reason.as_ref());
        let why = why.map(|it| format!(": {it}")).unwrap_or_default();
        let field = reasons::pause_field(&pause.source);
        let sentence = format!("no slot starts since {since}{until}{why}");
        Finding { reason: Some(pause.source.clone()), ..Finding::new("Paused", sentence).by(field) }
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
        (Why::CatchUp, "for their turn after downtime or a pause"),
    ]
    .iter()
    .filter_map(|(why, what)| of_kind(why, what))
    .collect()
}
