//! Runs: those by hand, and what is kept of all of them before their Jobs go.

use punctual::api::status::Outcome;

use super::super::evidence::{Evidence, JobLife, RunLife};
use super::{Book, Facts};

/// Accounts for ScheduleRuns, results and removed Jobs.
pub(super) fn account(evidence: &Evidence, facts: &Facts, book: &mut Book) {
    for (uid, run) in &evidence.runs {
        by_hand(evidence, uid, run, book);
    }
    for job in evidence.jobs.values() {
        if !evidence.schedules.contains_key(&job.schedule) || job.slot.is_none() && job.run.is_none() {
            book.problem(format!("{} belongs to no Schedule, slot or ScheduleRun", job.name));
        }
        removal(evidence, facts, job, book);
        result(evidence, facts, job, book);
    }
}

/// One Job for each attempt and one outcome, or it still waits.
fn by_hand(evidence: &Evidence, uid: &str, run: &RunLife, book: &mut Book) {
    book.count("ScheduleRuns");
    let mut attempts: Vec<u32> =
        evidence.jobs.values().filter(|it| it.run.as_deref() == Some(uid)).map(|it| it.attempt).collect();
    attempts.sort_unstable();
    let schedule = evidence.schedules.values().find(|it| it.name == run.schedule);
    let is_known = schedule.is_some_and(|it| {
        let is_it = |name: String| name == format!("ScheduleRun {}", run.name);
        it.deleted.is_some()
            || it.status.active.iter().any(|it| is_it(it.origin.to_string()))
            || it.status.pending.iter().any(|it| is_it(it.origin.to_string()))
    });
    let what = || format!("the ScheduleRun {} of {} ({uid}), attempts {attempts:?}", run.name, run.schedule);
    if attempts.iter().copied().ne(1..=u32::try_from(attempts.len()).unwrap()) {
        book.problem(format!("{}: not one after the other", what()));
    }
    match &run.outcome {
        Some((_, outcome)) if outcome.is_of_run() == attempts.is_empty() => {
            book.problem(format!("{}: its outcome is {outcome}", what()));
        }
        Some(_) => {}
        None if is_known => book.count("ScheduleRuns that wait or run at the end"),
        None => book.problem(format!("{}: no outcome, and its Schedule does not know of it", what())),
    }
}

/// A Job goes on our behalf only after its run was recorded, or while it is being stopped.
fn removal(evidence: &Evidence, facts: &Facts, job: &JobLife, book: &mut Book) {
    let (Some(removed), Some(schedule)) = (job.removed, evidence.schedules.get(&job.schedule)) else { return };
    book.count("Jobs removed by us");
    let recorded = match (&job.run, job.slot) {
        (Some(run), _) => evidence.runs.get(run).and_then(|it| it.outcome.as_ref()).map(|it| it.0),
        (None, Some(slot)) => schedule.run_recorded(slot),
        (None, None) => None,
    };
    let is_recorded = recorded.is_some_and(|at| at <= removed);
    // It may end just as its removal is on the way.
    let has_not_ended = job.end.as_ref().is_none_or(|end| end.0 + facts.grace > removed);
    let is_stopped = has_not_ended && schedule.stopping.get(&job.name).is_some_and(|at| *at <= removed);
    if !is_recorded && !is_stopped {
        book.problem(format!("{} was removed at {removed}, its run was recorded {recorded:?}", job.name));
    }
}

/// What status says of a finished run is what its Job says.
fn result(evidence: &Evidence, facts: &Facts, job: &JobLife, book: &mut Book) {
    let (Some(schedule), Some((ended, end))) = (evidence.schedules.get(&job.schedule), &job.end) else { return };
    let told = match (&job.run, job.slot) {
        (Some(run), _) => evidence.runs.get(run).and_then(|it| it.outcome.as_ref()).map(|it| it.1.clone()),
        (None, Some(slot)) => schedule.told_of(slot).map(|it| it.outcome.clone()),
        (None, None) => None,
    };
    let end_of_life = schedule.deleted.unwrap_or(facts.cut);
    if end == "Complete" {
        book.count("Jobs that completed");
        let is_it = matches!(told, Some(Outcome::Succeeded | Outcome::Replaced));
        if !is_it && *ended + facts.grace * 2 < end_of_life && !is_disturbed_at_the_end(evidence, facts) {
            book.problem(format!("{} completed at {ended}, and its run is {told:?}", job.name));
        }
    } else {
        book.count("Jobs that failed");
    }
    if let Some((_, result)) = schedule.results.get(&job.name) {
        book.count("results kept");
        let is_right = match result.outcome {
            Outcome::Succeeded => end == "Complete" && result.exit_code == Some(0),
            Outcome::Failed => end == "Failed" && result.exit_code.is_none_or(|it| it == job.exit_code),
            _ => true,
        };
        let says = result.message.clone().unwrap_or_default();
        let has_code = result.exit_code == Some(job.exit_code);
        if !is_right || has_code && matches!(result.outcome, Outcome::Succeeded | Outcome::Failed) && says != job.says {
            book.problem(format!("{}: {end}, exit code {}, said {:?}; {result:?}", job.name, job.exit_code, job.says));
        }
    }
}

/// Whether nobody led for the last stretch, so that what ended then may not be known.
fn is_disturbed_at_the_end(evidence: &Evidence, facts: &Facts) -> bool {
    let last = evidence.claims.iter().rev().find(|it| !it.holder.is_empty());
    last.is_none_or(|it| it.at + facts.grace < facts.cut)
}
