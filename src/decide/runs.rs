//! What happened to the runs: Jobs that status does not account for are recorded as started,
//! and every active run is followed to its end.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::plan::{Adopted, Look, RunEnd};
use super::snapshot::{Evidence, JobState, JobView, Presence, Snapshot, ToStart};
use super::{Draft, manual, naming, retry, slot_of};
use crate::api::status::{ActiveRun, Outcome, RunState};
use crate::time::Slot;

/// Adopts unrecorded Jobs, then ends the runs that have ended, but for those to be tried again.
pub(super) fn follow(draft: &mut Draft<'_>) {
    let snapshot = draft.snapshot;
    for job in &snapshot.jobs {
        adopt(draft, job);
    }
    let mut going_on = Vec::new();
    for mut run in std::mem::take(&mut draft.plan.memory.active) {
        let end = if let Some(told) = manual::told(draft, &run) {
            Some(told)
        } else if retry::is_between_attempts(&run) {
            retry::fate(draft, &run)
        } else {
            let job = snapshot.jobs.iter().find(|job| job.uid == run.job_uid);
            if job.is_some_and(|job| is_known_to_be_over(snapshot, job)) {
                run.state = RunState::Stopping;
            }
            run.waiting = snapshot.waiting.get(&run.job_uid).cloned();
            let end = fate(draft, &run, job);
            if let Some(backed_off) = end.as_ref().and_then(|end| retry::back_off(draft, end)) {
                going_on.push(backed_off);
                continue;
            }
            end
        };
        match end {
            Some(end) => draft.plan.ended.push(end),
            None => going_on.push(run),
        }
    }
    draft.plan.memory.active = going_on;
}

/// Whether this process has recorded the end of the run of a finished Job, and somebody has put an
/// older status back: it is recorded once more, and not tried again.
fn is_known_to_be_over(snapshot: &Snapshot, job: &JobView) -> bool {
    let is_decided = job.origin.slot().is_some_and(|slot| snapshot.floor.is_some_and(|floor| slot <= floor));
    let is_active = |known: &ToStart| known.active.iter().any(|name| naming::is_same_run(name, &job.name));
    is_decided && job.state.is_terminal() && snapshot.to_start.as_ref().is_some_and(|known| !is_active(known))
}

/// Records a Job that status does not account for. A Job for an instant still to come was named
/// by a clock ahead of ours: it is nobody's until that instant.
fn adopt(draft: &mut Draft<'_>, job: &JobView) {
    if job.origin.slot().is_some_and(|slot| slot.timestamp() > draft.now())
        || draft.plan.memory.active.iter().any(|run| run.job_uid == job.uid)
    {
        return;
    }
    let known = draft.plan.memory.active.iter().position(|run| naming::is_same_run(&run.job_name, &job.name));
    if let Some(index) = known {
        let attempt = draft.plan.memory.active[index].attempt;
        if attempt < attempt_of(job) {
            adopt_attempt(draft, job, index);
            return;
        }
    }
    let waiting = draft.plan.memory.pending.iter().position(|it| it.origin == job.origin);
    let unrecorded = known.is_none()
        && match job.origin.slot() {
            Some(slot) => slot > recorded_mark(draft) || waiting.is_some(),
            None => draft.schedule_run_of(&job.name).is_some_and(|run| run.status.outcome.is_none()),
        };
    let at_work = !job.state.is_terminal() && job.presence == Presence::Here && !job.stopped;
    if !unrecorded && !at_work {
        return;
    }
    if !unrecorded && !draft.has_looked_at(&job.name) {
        draft.look_at(&job.name);
        return;
    }
    if let Some(index) = waiting.filter(|_| unrecorded) {
        draft.plan.memory.pending.remove(index);
    }
    draft.plan.adopted.push(Adopted {
        origin: job.origin.clone(),
        job_name: job.name.clone(),
        late_create: !unrecorded,
        attempt: job.attempt,
        is_of_known_run: false,
    });
    draft.plan.memory.active.push(active_run(job));
    draft.plan.memory.active.sort_by_key(ActiveRun::asked_for);
}

/// Records a later attempt of a run that is active: it takes the place of the earlier one.
fn adopt_attempt(draft: &mut Draft<'_>, job: &JobView, index: usize) {
    let is_new = |it: &&mut Adopted| it.origin == job.origin && !it.is_of_known_run;
    if let Some(adopted) = draft.plan.adopted.iter_mut().find(is_new) {
        // An older status was put back, which knows nothing of the run.
        (adopted.job_name, adopted.attempt) = (job.name.clone(), job.attempt);
    } else {
        draft.plan.adopted.push(Adopted {
            origin: job.origin.clone(),
            job_name: job.name.clone(),
            late_create: false,
            attempt: job.attempt,
            is_of_known_run: true,
        });
    }
    let run = &mut draft.plan.memory.active[index];
    *run = next_attempt(run, active_run(job));
}

/// A run with its next attempt, which its Job tells of: it began with its first Job, and is being
/// stopped if it was.
#[must_use]
pub fn next_attempt(run: &ActiveRun, attempt: ActiveRun) -> ActiveRun {
    let state = if run.state == RunState::Stopping { RunState::Stopping } else { RunState::Running };
    let (start_time, stop_reason) = (run.start_time.clone(), run.stop_reason.clone());
    ActiveRun { state, start_time, stop_reason, ..attempt }
}

fn attempt_of(job: &JobView) -> i32 {
    i32::try_from(job.attempt).unwrap_or(i32::MAX)
}

/// The mark as status has it: an older status that was put back does not know of later Jobs, even
/// if we remember to have decided their slots.
fn recorded_mark(draft: &Draft<'_>) -> Slot {
    let recorded = draft.snapshot.status.as_ref().and_then(|it| it.decided_through.as_ref());
    recorded.map_or_else(|| draft.mark(), slot_of)
}

/// The record of a Job that runs.
#[must_use]
pub fn active_run(job: &JobView) -> ActiveRun {
    ActiveRun {
        origin: job.origin.clone(),
        job_name: job.name.clone(),
        job_uid: job.uid.clone(),
        attempt: attempt_of(job),
        state: RunState::Running,
        start_time: Time(job.created),
        next_attempt_time: None,
        last_attempt: None,
        reason: None,
        stop_reason: None,
        waiting: None,
    }
}

/// How a run ended; `None` while it goes on, or until something has been looked at or read.
fn fate(draft: &mut Draft<'_>, run: &ActiveRun, job: Option<&JobView>) -> Option<RunEnd> {
    let Some(job) = job else { return vanished(draft, run) };
    let stopping = run.state == RunState::Stopping;
    match &job.state {
        JobState::Complete { at } => {
            let evidence = evidence(draft, job)?;
            Some(ended(run, Outcome::Succeeded, None, evidence, *at))
        }
        JobState::Failed { at, reason, message } => {
            let mut evidence = evidence(draft, job)?;
            let outcome = if reason == "DeadlineExceeded" { Outcome::TimedOut } else { Outcome::Failed };
            let cause = evidence
                .reason
                .take()
                .filter(|it| it != "Error" && it != "Completed")
                .unwrap_or_else(|| reason.clone());
            if evidence.message.as_deref().unwrap_or_default().is_empty() {
                evidence.message = Some(format!(
                    "{} ({message})",
                    evidence.message.as_deref().map_or(MESSAGE_MISSING, |_| "no message")
                ));
            }
            Some(ended(run, outcome, Some(cause), evidence, *at))
        }
        JobState::Unfinished { .. } if job.presence == Presence::Gone => Some(removed(draft, run, stopping)),
        JobState::Unfinished { .. } if stopping && job.is_at_rest() => Some(replaced(draft, run)),
        JobState::Unfinished { .. } => None,
    }
}

/// What is written in place of a message when there was no Pod left to read it from.
pub const MESSAGE_MISSING: &str = "message missing: the Pod was gone before it could be read";

/// What the Pods of a finished Job told. A Job that is gone has no Pods to ask any more.
fn evidence(draft: &mut Draft<'_>, job: &JobView) -> Option<Evidence> {
    let told = draft.snapshot.evidence.get(&job.uid).cloned();
    if told.is_none() && job.presence != Presence::Gone {
        draft.plan.unread.push(Look::Pods(job.name.clone(), job.uid.clone()));
        return None;
    }
    Some(told.unwrap_or_default())
}

/// A run whose Job is nowhere: looked for live first, because a cache may lag behind.
fn vanished(draft: &mut Draft<'_>, run: &ActiveRun) -> Option<RunEnd> {
    if !draft.has_looked_at(&run.job_name) {
        draft.look_at(&run.job_name);
        return None;
    }
    if run.state == RunState::Stopping {
        return Some(replaced(draft, run));
    }
    let evidence =
        Evidence { message: Some("its Job is gone, and nobody saw how it ended".into()), ..Evidence::default() };
    Some(ended(run, Outcome::Lost, None, evidence, draft.now()))
}

fn removed(draft: &Draft<'_>, run: &ActiveRun, stopping: bool) -> RunEnd {
    if stopping {
        return replaced(draft, run);
    }
    let evidence = Evidence { message: Some("its Job was deleted while it was running".into()), ..Evidence::default() };
    ended(run, Outcome::Deleted, None, evidence, draft.now())
}

/// A run that was stopped so that a newer slot could start.
pub(super) fn replaced(draft: &Draft<'_>, run: &ActiveRun) -> RunEnd {
    let evidence = Evidence { message: run.stop_reason.clone(), ..Evidence::default() };
    ended(run, Outcome::Replaced, None, evidence, draft.now())
}

/// A reason is a word. Who else writes Jobs and Pods may write more, of which status has no room for much.
const REASON_LENGTH: usize = 64;

/// A clock of the API server behind our own must not end a run before it began.
fn ended(run: &ActiveRun, outcome: Outcome, reason: Option<String>, evidence: Evidence, at: jiff::Timestamp) -> RunEnd {
    let message = match evidence.message {
        None if outcome == Outcome::Succeeded => Some(MESSAGE_MISSING.to_owned()),
        message => message.filter(|it| !it.is_empty()),
    };
    let reason = reason.map(|it| it.chars().filter(|it| !it.is_control()).take(REASON_LENGTH).collect());
    RunEnd { outcome, reason, exit_code: evidence.exit_code, message, at: at.max(run.start_time.0), run: run.clone() }
}
