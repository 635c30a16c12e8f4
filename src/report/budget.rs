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
    while size(status) > MAX_BYTES && !status.results.is_empty() {
        status.results.remove(0);
        status.counts.results_dropped += 1;
    }
    while size(status) > MAX_BYTES && !status.outcomes.is_empty() {
        status.outcomes.remove(0);
        status.counts.outcomes_dropped += 1;
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
    use crate::api::status::{Outcome, RunResult, ScheduleStatus};

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
