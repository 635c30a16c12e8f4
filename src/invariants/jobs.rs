//! No run twice, and no more of them at once than the spec admits.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::About;
use super::progress::is_at_work;
use crate::api::status::{Origin, ScheduleStatus};
use crate::decide::naming;
use crate::decide::plan::Reason;
use crate::decide::snapshot::{JobView, Presence};
use crate::time::Slot;

/// By how much the API server's clock and ours may differ.
const CLOCKS_DIFFER_SECONDS: i64 = 60;

impl About<'_> {
    pub(super) fn doubled(&self) -> Option<String> {
        let mut attempts = BTreeMap::new();
        let mut runs = BTreeMap::new();
        for job in self.snapshot.jobs.iter().filter(|it| it.presence == Presence::Here) {
            if let Some(other) = attempts.insert((run_of(job), job.attempt), &job.name) {
                return Some(format!("the Jobs {other} and {} are for one attempt of one run", job.name));
            }
            if is_at_work(job)
                && let Some(other) = runs.insert(run_of(job), &job.name)
            {
                return Some(format!("the Jobs {other} and {}, attempts of one run, are at work at once", job.name));
            }
        }
        None
    }

    /// The newest Job at work is one too many, and was created under the spec as it is now: those
    /// older than it were at work then, because they are now.
    pub(super) fn overlap(&self, status: &ScheduleStatus) -> Option<String> {
        let limit = self.snapshot.readable_spec().filter(|_| self.is_taken_up(status))?.concurrency_limit();
        // A Job of an instant still to come is nobody's until then.
        let has_come = |job: &&JobView| job.asked_for() <= self.snapshot.now;
        let at_work: Vec<&JobView> = self.snapshot.jobs.iter().filter(|it| is_at_work(it)).filter(has_come).collect();
        let runs: BTreeSet<String> = at_work.iter().map(|it| run_of(it)).collect();
        let newest = at_work.iter().max_by_key(|it| it.created).filter(|_| runs.len() > limit)?;
        let known = self.edited.saturating_add(SignedDuration::from_secs(CLOCKS_DIFFER_SECONDS)).ok()?;
        let is_explained = newest.created <= known || at_work.iter().any(|it| was_created_late(status, it));
        (!is_explained).then(|| {
            format!(
                "{} runs are at work at once, and spec.concurrency admits {limit}: the newest is {}",
                runs.len(),
                newest.name
            )
        })
    }
}

/// What attempts of one run have in common. A name that begins in another way than those we give is
/// still that of the same slot.
fn run_of(job: &JobView) -> String {
    let by_hand = || naming::split(&job.name).0.to_owned();
    job.origin.slot().map_or_else(by_hand, naming::slot_label)
}

/// Whether a Job turned up after its slot was given up, as that of a leader that was frozen does.
fn was_created_late(status: &ScheduleStatus, job: &JobView) -> bool {
    let Origin::Slot(slot) = &job.origin else { return false };
    let holds = |first: Slot, last: Slot| first <= Slot::floor(slot.0) && Slot::floor(slot.0) <= last;
    let late = Reason::LateCreate.to_string();
    status.outcomes.iter().filter(|it| it.reason.as_deref() == Some(&late)).any(|it| {
        let last = it.last_slot_time.as_ref().unwrap_or(&it.slot_time);
        holds(Slot::floor(it.slot_time.0), Slot::floor(last.0))
    })
}
