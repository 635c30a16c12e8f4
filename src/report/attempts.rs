//! What came of the attempts of runs: they change the entry of their run, and no slot.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::happened::StartEnd;
use super::notices::{self, Notice};
use super::{SHORT_MESSAGE_BYTES, text};
use crate::api::status::{ActiveRun, RunState, ScheduleStatus};
use crate::decide::naming;
use crate::decide::plan::{Reason, Start};
use crate::decide::{active_run, next_attempt};

/// The record of a run whose Job was just created.
pub(super) fn running(start: &Start, job_uid: &str, created: Timestamp) -> ActiveRun {
    ActiveRun {
        origin: start.origin.clone(),
        job_name: start.job_name.clone(),
        job_uid: job_uid.to_owned(),
        attempt: i32::try_from(start.attempt).unwrap_or(i32::MAX),
        state: RunState::Running,
        start_time: Time(created),
        next_attempt_time: None,
        last_attempt: None,
        reason: None,
        stop_reason: None,
        waiting: None,
    }
}

/// Records what came of the start of a further attempt. One that is refused for good ends its run;
/// the next decision finds that here.
pub(super) fn note_start(status: &mut ScheduleStatus, start: &Start, end: &StartEnd, telling: &mut Vec<Notice>) {
    let is_its_run =
        |run: &&mut ActiveRun| naming::is_same_run(&run.job_name, &start.job_name) && run.state == RunState::Backoff;
    let Some(run) = status.active.iter_mut().find(is_its_run) else { return };
    match end {
        StartEnd::Created { job_uid, created } => {
            *run = next_attempt(run, running(start, job_uid, *created));
            telling.push(notices::attempt_started(start));
        }
        StartEnd::FoundOurs(job) => {
            *run = next_attempt(run, active_run(job));
            telling.push(notices::attempt_started(start));
        }
        StartEnd::NameTaken => {
            let message = format!("somebody else's Job has the name {}", start.job_name);
            refuse(run, &Reason::NameTaken.to_string(), &message);
        }
        StartEnd::Refused { message } => {
            refuse(run, &Reason::JobRefused.to_string(), message);
            telling.push(notices::refused(start, message));
        }
        StartEnd::Blocked { reason, message } => {
            refuse(run, reason, message);
            if start.refused_since.is_none() {
                telling.push(notices::blocked(start, reason, message));
            }
        }
    }
}

fn refuse(run: &mut ActiveRun, reason: &str, message: &str) {
    run.reason = Some(reason.to_owned());
    run.waiting = Some(text::clean(message, SHORT_MESSAGE_BYTES).0);
}

/// Cuts the texts of others that a run carries.
pub(super) fn shorten(run: &mut ActiveRun, max_bytes: usize) {
    let last = run.last_attempt.as_mut().and_then(|it| it.message.as_mut());
    for text in run.waiting.iter_mut().chain(last) {
        *text = text::clean(text, max_bytes).0;
    }
}
