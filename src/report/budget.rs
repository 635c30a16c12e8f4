//! The size of status: it stays far below what etcd takes, whatever users write.

use super::{attempts, text};
use crate::api::status::ScheduleStatus;

/// The serialized status never exceeds this.
pub const MAX_BYTES: usize = 64 * 1024;

/// The longest of those texts, when there is no room for more.
const SHORT_TEXT_BYTES: usize = 64;

/// Cuts what may be cut until status fits: messages of results first, oldest first, then other
/// texts, then whole results, then outcomes. What decisions rest on is never cut; it is limited where it is made.
pub fn keep(status: &mut ScheduleStatus) {
    let mut surplus = size(status).saturating_sub(MAX_BYTES);
    if surplus == 0 {
        return;
    }
    for result in &mut status.results {
        if surplus == 0 {
            break;
        }
        if let Some(message) = result.message.take() {
            surplus = surplus.saturating_sub(serde_json::to_string(&message).map_or(0, |it| it.len()));
            result.truncated = true;
        }
    }
    if size(status) > MAX_BYTES {
        shorten_texts(status);
    }
    if size(status) > MAX_BYTES {
        remove_texts(status);
    }
    while size(status) > MAX_BYTES && !status.results.is_empty() {
        status.results.remove(0);
        status.counts.results_dropped = status.counts.results_dropped.saturating_add(1);
    }
    while size(status) > MAX_BYTES && !status.outcomes.is_empty() {
        status.outcomes.remove(0);
        status.counts.outcomes_dropped = status.counts.outcomes_dropped.saturating_add(1);
    }
}

/// Texts of others beside results: many runs that wait, for their Pods or to be tried again, may
/// each say why.
fn shorten_texts(status: &mut ScheduleStatus) {
    for run in &mut status.active {
        attempts::shorten(run, SHORT_TEXT_BYTES);
    }
    let refused = status.pending.iter_mut().filter_map(|it| it.message.as_mut());
    let last = status.last_run.iter_mut().filter_map(|it| it.message.as_mut());
    for message in refused.chain(last) {
        *message = text::clean(message, SHORT_TEXT_BYTES).0;
    }
}

/// What is left when not even short texts fit.
fn remove_texts(status: &mut ScheduleStatus) {
    for run in &mut status.active {
        (run.waiting, run.stop_reason) = (None, None);
        run.last_attempt.iter_mut().for_each(|it| it.message = None);
    }
    status.pending.iter_mut().for_each(|it| it.message = None);
}

/// The size as it is sent.
#[must_use]
pub fn size(status: &ScheduleStatus) -> usize {
    serde_json::to_vec(status).map_or(usize::MAX, |bytes| bytes.len())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::{MAX_BYTES, keep, size};
    use crate::api::status::{
        ActiveRun, AttemptEnd, Origin, Outcome, Pending, RunResult, RunState, ScheduleStatus, Why,
    };

    fn status_with(results: usize, message: &str) -> ScheduleStatus {
        let time = || Time(Timestamp::UNIX_EPOCH);
        let result = RunResult {
            slot_time: time(),
            job_name: "j".repeat(57),
            outcome: Outcome::Failed,
            attempts: 1,
            exit_code: Some(1),
            reason: None,
            message: Some(message.to_owned()),
            truncated: false,
            start_time: time(),
            completion_time: time(),
            expiration_time: time(),
        };
        ScheduleStatus { results: vec![result; results], ..ScheduleStatus::default() }
    }

    #[test]
    fn a_status_that_fits_is_left_alone() {
        let mut status = status_with(50, "rows=42");
        let before = status.clone();
        keep(&mut status);
        assert_eq!(status, before);
    }

    /// As many as there may be of everything that is never cut, with the longest names and texts.
    fn crowded_status(name_bytes: usize) -> ScheduleStatus {
        let time = || Time("2026-06-01T10:00:00.123456Z".parse().expect("a time"));
        let nasty = || Some("\"".repeat(256));
        let origin = || Origin::ScheduleRun("n".repeat(name_bytes));
        let run = ActiveRun {
            origin: origin(),
            job_name: "j".repeat(57),
            job_uid: "u".repeat(36),
            attempt: 98,
            state: RunState::Stopping,
            start_time: time(),
            next_attempt_time: Some(time()),
            last_attempt: Some(AttemptEnd {
                outcome: Outcome::TimedOut,
                reason: Some("BackoffLimitExceeded".into()),
                exit_code: Some(137),
                message: nasty(),
                completion_time: time(),
            }),
            reason: Some("NamespaceTerminating".into()),
            stop_reason: Some(format!("replaced by the {}", origin())),
            waiting: nasty(),
        };
        let pending = Pending {
            origin: origin(),
            why: Why::Retrying,
            since: time(),
            reason: Some("NamespaceTerminating".into()),
            message: nasty(),
        };
        ScheduleStatus { active: vec![run; 100], pending: vec![pending; 100], ..status_with(50, &"\"".repeat(1024)) }
    }

    #[test]
    fn a_hundred_that_wait_and_a_hundred_that_are_tried_again_fit_whatever_refuses_them() {
        for name_bytes in [20, 63] {
            let mut status = crowded_status(name_bytes);
            keep(&mut status);
            assert!(size(&status) <= MAX_BYTES, "{} with names of {name_bytes}", size(&status));
            assert_eq!((status.active.len(), status.pending.len()), (100, 100));
        }
    }

    #[test]
    fn the_oldest_messages_go_first_and_the_newest_stays() {
        let mut status = status_with(100, &"\"".repeat(1024));
        keep(&mut status);
        assert!(size(&status) <= MAX_BYTES, "{}", size(&status));
        assert_eq!(status.results.len(), 100);
        assert!(status.results[0].message.is_none() && status.results[0].truncated);
        assert!(status.results[99].message.is_some());
    }
}
