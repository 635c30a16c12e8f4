//! What is due happens: slots are decided, those that wait start, runs that ended are recorded.

use super::About;
use crate::api::status::{ActiveRun, RunState, ScheduleStatus, Why};
use crate::decide::snapshot::{Accepted, JobView, Presence};
use crate::time::Slot;

impl About<'_> {
    /// Nothing was recorded of a Schedule that has been there for long.
    pub(super) fn unseen(&self) -> Option<String> {
        let created = self.snapshot.schedule.creation.timestamp();
        (self.is_long_ago(created) && self.is_long_ago(self.edited))
            .then(|| format!("nothing was recorded of a Schedule that was created at {created}"))
    }

    pub(super) fn overdue(&self, status: &ScheduleStatus) -> Option<String> {
        self.edit_not_taken_up(status).or_else(|| self.slot_passed(status)).or_else(|| self.retry_passed(status))
    }

    fn edit_not_taken_up(&self, status: &ScheduleStatus) -> Option<String> {
        (!self.is_taken_up(status) && self.is_long_ago(self.edited))
            .then(|| format!("an edit of the spec that was seen at {} was not taken up", self.edited))
    }

    fn slot_passed(&self, status: &ScheduleStatus) -> Option<String> {
        let accepted = self.working_spec(status)?;
        if status.max_runs_reached.is_some() {
            return None;
        }
        let mark = Slot::floor(status.decided_through.as_ref()?.0);
        let next = accepted.trigger.next(self.snapshot.floor.map_or(mark, |it| it.max(mark))).slot()?;
        let planned = self.snapshot.planned_starts()?.of(next).timestamp();
        self.is_long_ago(planned).then(|| format!("the slot of {} has passed, and is not decided", next.timestamp()))
    }

    fn retry_passed(&self, status: &ScheduleStatus) -> Option<String> {
        self.snapshot.readable_spec()?;
        let is_passed = |run: &&ActiveRun| {
            let next = run.next_attempt_time.as_ref();
            run.state == RunState::Backoff && run.reason.is_none() && next.is_some_and(|it| self.is_long_ago(it.0))
        };
        let run = status.active.iter().find(is_passed)?;
        Some(format!("the run of Job {} was to be tried again, and was not", run.job_name))
    }

    /// Slots that wait although no run is at work, and nothing refuses them.
    pub(super) fn stranded(&self, status: &ScheduleStatus) -> Option<String> {
        self.working_spec(status)?;
        let waits_for_none = status.active.is_empty() && !self.snapshot.jobs.iter().any(is_at_work);
        let is_refused = status.pending.iter().any(|it| it.why == Why::Retrying);
        let since = status.pending.iter().map(|it| it.since.0).min()?;
        (waits_for_none && !is_refused && self.is_long_ago(since))
            .then(|| format!("{} have been waiting since {since}, and nothing is in their way", status.pending.len()))
    }

    /// A run of a slot that has ended. That of a ScheduleRun may wait for its ScheduleRun to tell.
    pub(super) fn unended(&self, status: &ScheduleStatus) -> Option<String> {
        let is_over = |run: &&ActiveRun| {
            let job = self.snapshot.jobs.iter().find(|job| job.uid == run.job_uid);
            let ended = match job {
                Some(job) if job.presence != Presence::Gone => job.state.ended_at(),
                _ => Some(run.start_time.0),
            };
            run.origin.slot().is_some()
                && run.state != RunState::Backoff
                && self.is_long_ago(run.start_time.0)
                && ended.is_some_and(|it| self.is_long_ago(it))
        };
        let run = status.active.iter().find(is_over)?;
        Some(format!("the Job {} has ended or is gone, and its run is still active in status", run.job_name))
    }

    /// The spec, if slots are to start by it: it can be worked on, was taken up, and nothing pauses it.
    fn working_spec(&self, status: &ScheduleStatus) -> Option<&Accepted> {
        let is_epoch = status.epoch.as_ref().is_some_and(|it| it.hash == self.snapshot.trigger_hash);
        let is_free = is_epoch && self.is_taken_up(status) && status.pauses.is_empty();
        self.snapshot.spec.as_ref().ok().filter(|_| is_free)
    }

    pub(super) fn is_taken_up(&self, status: &ScheduleStatus) -> bool {
        status.observed_generation == Some(self.snapshot.schedule.generation)
    }
}

/// Whether the Pods of a Job run, or may yet.
pub(super) fn is_at_work(job: &JobView) -> bool {
    job.presence == Presence::Here && !job.state.is_terminal() && !job.stopped
}
