//! What status tells of a slot.

use super::{Finding, Subject, reasons};
use crate::api::status::{ActiveRun, Origin, Outcome, Pending, RunResult, RunState, SlotOutcome, Why};
use crate::time::Slot;

/// What status tells of a slot, if it does.
pub fn of(subject: &Subject<'_>, slot: Slot) -> Option<Finding> {
    let status = subject.status.as_ref()?;
    let is_it = |origin: &Origin| origin.slot() == Some(slot);
    let at = |time: jiff::Timestamp| Slot::floor(time) == slot;
    if let Some(run) = status.active.iter().find(|it| is_it(&it.origin)) {
        return Some(active(subject, run));
    }
    if let Some(pending) = status.pending.iter().find(|it| is_it(&it.origin)) {
        return Some(waiting(subject, pending));
    }
    if let Some(result) = status.results.iter().find(|it| at(it.slot_time.0)) {
        return Some(ended(subject, result));
    }
    if let Some(run) = status.last_run.as_ref().filter(|it| at(it.slot_time.0)) {
        let exit = run.exit_code.map(|code| format!(" with exit code {code}")).unwrap_or_default();
        let message = run.message.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
        let (start, end) = (subject.shown_time(run.start_time.0), subject.shown_time(run.completion_time.0));
        let job = &run.job_name;
        let sentence = format!("its run started at {start} as Job {job}, and ended at {end}{exit}{message}");
        let reason = status.last_slot.as_ref().filter(|it| at(it.slot_time.0)).and_then(|it| it.reason.as_deref());
        return Some(Finding::new(run.outcome.as_str(), sentence).because(reason));
    }
    let holds = |it: &&SlotOutcome| {
        let last = it.last_slot_time.as_ref().unwrap_or(&it.slot_time);
        Slot::floor(it.slot_time.0) <= slot && slot <= Slot::floor(last.0)
    };
    let is_slot = !subject.trigger.between(slot.plus_seconds(-1), slot, 1).is_empty();
    // Whatever lies between the first and the last of a range is one of it only if it is a slot.
    status
        .outcomes
        .iter()
        .filter(holds)
        .find(|it| is_slot || it.last_slot_time.is_none())
        .map(|it| decided(subject, it))
}

fn active(subject: &Subject<'_>, run: &ActiveRun) -> Finding {
    let since = subject.shown_time(run.start_time.0);
    let job = &run.job_name;
    match run.state {
        RunState::Backoff => {
            let next = run
                .next_attempt_time
                .as_ref()
                .map(|it| format!("; the next one starts at {}", subject.shown_time(it.0)));
            let sentence = format!("attempt {} failed, Job {job}{}", run.attempt, next.unwrap_or_default());
            Finding::new("Backoff", sentence).by("spec.retry")
        }
        RunState::Stopping => {
            let why = run.stop_reason.as_deref().unwrap_or("nobody said why");
            Finding::new("Stopping", format!("its run, Job {job}, is being stopped: {why}"))
                .by("spec.concurrency.policy")
        }
        RunState::Running | RunState::Other(_) => {
            let waiting = run.waiting.as_ref().map(|it| format!("; it has no ready Pod: {it}")).unwrap_or_default();
            Finding::new(run.state.as_str(), format!("its run has been active since {since}, Job {job}{waiting}"))
        }
    }
}

fn waiting(subject: &Subject<'_>, pending: &Pending) -> Finding {
    let since = subject.shown_time(pending.since.0);
    let what = match pending.why {
        Why::CatchUp => "it was late, was chosen to start, and waits for its turn",
        Why::Queued => "it waits until fewer runs are active",
        Why::Replacing => "it waits until the run it replaces has stopped",
        Why::Retrying => "its start is being refused, and is tried again",
        Why::Other(_) => "it waits",
    };
    let message = pending.message.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
    let word = pending.why.as_str();
    let field = reasons::field(word);
    let finding = Finding::new(word, format!("{what}, since {since}{message}")).because(pending.reason.as_deref());
    Finding { field: finding.field.or(field), ..finding }
}

fn ended(subject: &Subject<'_>, result: &RunResult) -> Finding {
    let exit = result.exit_code.map(|code| format!(" with exit code {code}")).unwrap_or_default();
    let attempts = if result.attempts > 1 { format!(" after {} attempts", result.attempts) } else { String::new() };
    let message = result.message.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
    let (start, end) = (subject.shown_time(result.start_time.0), subject.shown_time(result.completion_time.0));
    let job = &result.job_name;
    let sentence = format!("its run started at {start} as Job {job}, and ended at {end}{attempts}{exit}{message}");
    Finding::new(result.outcome.as_str(), sentence).because(result.reason.as_deref())
}

fn decided(subject: &Subject<'_>, entry: &SlotOutcome) -> Finding {
    let reason = entry.reason.as_deref();
    let range = entry.last_slot_time.as_ref().map(|last| {
        let (first, last) = (subject.shown_time(entry.slot_time.0), subject.shown_time(last.0));
        let count = entry.count.map_or_else(|| "any".to_owned(), |count| count.to_string());
        format!(", as one of {count} slots from {first} to {last}")
    });
    let range = range.unwrap_or_default();
    let into = entry.into.as_ref().map(|it| format!(", that of {}", subject.shown_time(it.0))).unwrap_or_default();
    let job = entry.job_name.as_ref().map(|it| format!(", Job {it}")).unwrap_or_default();
    let what = match reason.and_then(reasons::in_words) {
        Some(words) => format!("{words}{into}{range}"),
        None if entry.outcome == Outcome::Succeeded => format!("its run succeeded{job}{range}"),
        None => format!("its run ended so{job}{range}"),
    };
    Finding::new(entry.outcome.as_str(), what).because(reason)
}

/// A slot that has come, and of which status does not tell.
pub fn unrecorded(subject: &Subject<'_>, slot: Slot) -> Finding {
    let Some(status) = &subject.status else {
        return Finding::new("Unseen", "the operator has recorded nothing of this Schedule yet: is it running?");
    };
    let since = status.epoch.as_ref().map(|it| Slot::floor(it.since.0));
    if slot <= subject.context.creation {
        let sentence = format!("the Schedule was created later, at {}", subject.shown(subject.context.creation));
        return Finding::new("BeforeCreation", sentence).because(Some("BeforeCreation"));
    }
    if let Some(since) = since.filter(|since| slot <= *since) {
        let sentence =
            format!("the present trigger decides slots after {}, when it was first seen", subject.shown(since));
        return Finding::new("Superseded", sentence).because(Some("TriggerChanged"));
    }
    let mark = status.decided_through.as_ref().map(|it| Slot::floor(it.0));
    if mark.is_some_and(|mark| slot <= mark) {
        let sentence = match status.counts.outcomes_dropped {
            0 => "it was decided, but status does not tell how".to_owned(),
            dropped => {
                format!("it was decided, but status keeps the newest outcomes only: {dropped} older entries are gone")
            }
        };
        return Finding::new("Forgotten", sentence);
    }
    if let Some(pause) = status.pauses.first() {
        let since = subject.shown_time(pause.since.0);
        let sentence =
            format!("the Schedule has been paused since {since}: on resume catchUp decides over what was missed");
        return Finding::new("Undecided", sentence).because(Some("Paused")).by(reasons::pause_field(&pause.source));
    }
    let through = mark.map_or_else(|| "nothing".to_owned(), |mark| subject.shown(mark));
    let sentence = format!("it is due and not decided yet: the operator has decided up to {through}; is it running?");
    Finding::new("Undecided", sentence)
}
