//! The decision: a [`Snapshot`] goes in, a [`Plan`] comes out.
//!
//! Pure: no client, no clock, no logging, not async, and it cannot fail. One file a rule; the
//! order of the rules is the order of the calls in [`decide`].

pub mod job;
pub mod naming;
pub mod origin;
pub mod plan;
pub mod planned;
pub mod snapshot;

mod due;
mod epoch;
mod failures;
mod first_sight;
mod manual;
mod max_runs;
mod overlap;
mod pause;
mod pending;
mod queue;
mod refused;
mod replace;
mod retention;
mod retry;
mod runs;
mod wake;

use jiff::SignedDuration;
use jiff::Timestamp;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::spec::ScheduleSpec;
use crate::api::status::{ActiveRun, Origin, Outcome, Pending, Why};
use crate::time::Slot;

pub use epoch::trigger_hash;
pub use pause::{SOURCE_FAILURES, SOURCE_SPEC};
pub use plan::{Plan, Reason};
pub use runs::{active_run, next_attempt};
pub use snapshot::Snapshot;
pub use wake::{WAITING_SECONDS, retry_at};

use job::Cause;
use pause::Standing;
use plan::{Dismissed, Look, Memory, Milestone, Settled, Start};
use snapshot::{Accepted, ScheduleRunView};

/// What to do about one Schedule now.
#[must_use]
pub fn decide(snapshot: &Snapshot) -> Plan {
    let mut draft = Draft::new(snapshot);
    if snapshot.schedule.deleting || snapshot.clock_skew.is_some() {
        return draft.plan;
    }
    if snapshot.status.is_none() {
        first_sight::decide(&mut draft);
        return draft.plan;
    }
    runs::follow(&mut draft);
    pending::forget_outdated(&mut draft);
    manual::tell_first(&mut draft);
    if draft.is_complete() {
        failures::count(&mut draft);
        if epoch::follow(&mut draft) == epoch::Trigger::Unchanged {
            if let Ok(accepted) = &snapshot.spec {
                go_on(&mut draft, accepted);
            }
            start_what_waits(&mut draft);
            tidy_up(&mut draft);
        }
        wake::set(&mut draft);
    }
    draft.finish()
}

/// The rules for a Schedule whose trigger is the one its mark belongs to.
fn go_on<'a>(draft: &mut Draft<'a>, accepted: &'a Accepted) {
    let standing = pause::follow(draft, accepted);
    draft.slots_start = standing != Standing::Paused;
    max_runs::follow(draft, &accepted.spec);
    if draft.slots_start {
        pending::clear(draft, accepted);
    }
    if draft.plan.memory.max_runs_reached.is_none() {
        due::decide(draft, accepted, standing);
    }
    if draft.slots_start {
        max_runs::close(draft, &accepted.spec);
    }
    draft.plan.try_template = draft.template_is_untried();
}

/// What was recorded as waiting, and then what is asked for by hand. While paused, and while the
/// trigger cannot be worked on, no slot starts; what is asked for by hand does.
fn start_what_waits(draft: &mut Draft<'_>) {
    let Some(spec) = draft.snapshot.readable_spec() else { return };
    manual::leave_the_line(draft);
    pending::decide(draft, spec);
    manual::decide(draft, spec);
}

/// The rules that go on whether or not the trigger can be worked on.
fn tidy_up(draft: &mut Draft<'_>) {
    if draft.snapshot.spec.is_err() {
        // What was started is decided, though nothing else is.
        let started = draft.plan.adopted.iter().filter_map(|it| it.origin.slot()).max();
        draft.plan.memory.mark = draft.plan.memory.mark.max(started);
    }
    replace::stop_recorded(draft);
    retry::start_due(draft);
    if let Some(spec) = draft.snapshot.readable_spec() {
        retention::decide(draft, spec);
    }
    manual::expire(draft);
}

/// A plan in the making.
struct Draft<'a> {
    snapshot: &'a Snapshot,
    /// Whether slots start now: not while paused, nor while the trigger cannot be worked on.
    slots_start: bool,
    plan: Plan,
}

impl<'a> Draft<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        let memory = snapshot.status.as_ref().map(|status| Memory {
            mark: status.decided_through.as_ref().map(|it| Slot::floor(it.0)).max(snapshot.floor),
            epoch: status.epoch.clone(),
            pending: status.pending.clone(),
            active: status.active.clone(),
            pauses: status.pauses.clone(),
            pause_ended: status.pause_ended.clone(),
            last_resume: status.last_resume.clone(),
            consecutive_failures: status.consecutive_failures,
            planned_runs: status.planned_runs,
            max_runs_reached: status.max_runs_reached.clone(),
        });
        Self { snapshot, slots_start: false, plan: Plan { memory: memory.unwrap_or_default(), ..Plan::default() } }
    }

    fn now(&self) -> Timestamp {
        self.snapshot.now
    }

    /// Status holds a mark from first sight on; a status without one decides nothing before now.
    fn mark(&self) -> Slot {
        self.plan.memory.mark.unwrap_or_else(|| Slot::floor(self.now()))
    }

    /// Whether everything was there that the decision so far needed to know.
    fn is_complete(&self) -> bool {
        self.plan.look.is_empty()
    }

    /// The plan; nothing but the questions, while there are any.
    fn finish(mut self) -> Plan {
        self.plan.memory.planned_runs = max_runs::planned(&self);
        if self.is_complete() { self.plan } else { Plan { look: self.plan.look, ..Plan::default() } }
    }

    fn has_looked_at(&self, job_name: &str) -> bool {
        self.snapshot.looked.contains(job_name)
    }

    /// Asks for a Job to be read live, unless it was.
    fn look_at(&mut self, job_name: &str) {
        let look = Look::Job(job_name.to_owned());
        if !self.has_looked_at(job_name) && !self.plan.look.contains(&look) {
            self.plan.look.push(look);
        }
    }

    fn settle(&mut self, settled: Settled) {
        self.plan.settled.push(settled);
    }

    /// Settles a single slot, or a ScheduleRun.
    fn settle_one(&mut self, origin: &Origin, outcome: Outcome, reason: Reason, into: Option<Slot>) {
        match origin {
            Origin::Slot(time) => {
                let slot = slot_of(time);
                self.settle(Settled { first: slot, last: slot, count: Some(1), outcome, reason, into });
            }
            Origin::ScheduleRun(name) => self.plan.dismissed.push(Dismissed { name: name.clone(), outcome, reason }),
        }
    }

    /// The ScheduleRun of a name.
    fn schedule_run(&self, name: &str) -> Option<&'a ScheduleRunView> {
        self.snapshot.schedule_runs.iter().find(|it| it.name == name)
    }

    /// The ScheduleRun that a Job is for. Its name alone would not tell: another one may have had it
    /// before.
    fn schedule_run_of(&self, job_name: &str) -> Option<&'a ScheduleRunView> {
        let (run, _) = naming::split(job_name);
        // The hash is computed only of those created in that very second.
        let created = naming::created_of_run(run)?;
        let mut runs = self.snapshot.schedule_runs.iter().filter(|it| Slot::floor(it.created) == created);
        runs.find(|it| it.job_name(&self.snapshot.schedule) == run)
    }

    /// What a Job for this is made of; `None` when its ScheduleRun is gone.
    fn cause(&self, origin: &Origin) -> Option<Cause<'a>> {
        match origin {
            Origin::Slot(time) => Some(Cause::Slot(slot_of(time))),
            Origin::ScheduleRun(name) => self.schedule_run(name).map(Cause::ScheduleRun),
        }
    }

    /// When a slot, or a ScheduleRun, was asked for.
    fn asked_for(&self, origin: &Origin) -> Timestamp {
        let created = || self.cause(origin).map(|it| it.asked_for().timestamp());
        origin.slot().map(Slot::timestamp).or_else(created).unwrap_or(self.now())
    }

    /// Whether one that waits is held up neither by a pause nor by a trigger that cannot be worked on.
    fn may_start_now(&self, pending: &Pending) -> bool {
        self.slots_start || pending.origin.slot().is_none()
    }

    /// Those that wait, may start, and were asked for earlier.
    fn ahead_of(&self, origin: &Origin) -> impl Iterator<Item = &Pending> {
        let asked_for = self.asked_for(origin);
        let waiting = self.plan.memory.pending.iter().filter(|it| self.may_start_now(it));
        waiting.filter(move |it| self.asked_for(&it.origin) < asked_for)
    }

    /// One waits from now on.
    fn wait(&mut self, origin: &Origin, why: Why) {
        let since = Time(self.now());
        self.put_in_line(Pending { origin: origin.clone(), why, since, reason: None, message: None });
    }

    /// Puts one among those that wait, in the order in which they were asked for.
    fn put_in_line(&mut self, pending: Pending) {
        self.plan.memory.pending.push(pending);
        self.plan.memory.pending.sort_by_key(Pending::asked_for);
    }

    /// A slot waits no longer.
    fn take_off(&mut self, pending: &Pending) {
        self.plan.memory.pending.retain(|it| it != pending);
    }

    /// Takes a slot off those that wait, for good. A create that was not answered may have been
    /// carried out: before its slot is decided otherwise, the Job is looked for.
    fn give_up(&mut self, pending: &Pending) {
        if let (Why::Retrying, Some(cause)) = (&pending.why, self.cause(&pending.origin)) {
            self.look_at(&cause.job_name(&self.snapshot.schedule));
        }
        self.take_off(pending);
    }

    fn milestone(&mut self, milestone: Milestone) {
        self.plan.milestones.push(milestone);
    }

    /// Plans the start of a run.
    fn start(&mut self, spec: &ScheduleSpec, origin: &Origin, refused_since: Option<Timestamp>) {
        self.start_attempt(spec, origin, 1, refused_since);
    }

    /// Plans the start of one attempt of a run.
    fn start_attempt(&mut self, spec: &ScheduleSpec, origin: &Origin, attempt: u32, refused_since: Option<Timestamp>) {
        let Some(cause) = self.cause(origin) else { return };
        let schedule = &self.snapshot.schedule;
        self.plan.starts.push(Start {
            origin: origin.clone(),
            attempt,
            job_name: naming::of_attempt(&cause.job_name(schedule), attempt),
            job: job::build(schedule, spec, cause, attempt, self.snapshot.status.as_ref()).into(),
            refused_since,
        });
    }

    /// Runs that are active, or will be when this plan is carried out. A further attempt belongs to a
    /// run that is active already.
    fn active_count(&self) -> usize {
        let starts = self.plan.starts.iter().filter(|it| it.attempt == 1).count();
        self.plan.memory.active.iter().filter(|run| !self.is_over(run)).count() + starts
    }

    /// Whether a run has ended, and only its Pods have yet to be read, or its ScheduleRun to tell. One
    /// that is to be tried again has not.
    fn is_over(&self, run: &ActiveRun) -> bool {
        let is_unread = || self.plan.unread.iter().any(|it| matches!(it, Look::Pods(_, uid) if *uid == run.job_uid));
        self.plan.untold.iter().any(|it| it.run.job_uid == run.job_uid)
            || (!retry::will_follow(self, run) && is_unread())
    }

    fn template_is_untried(&self) -> bool {
        let checked = self.snapshot.status.as_ref().and_then(|it| it.template_checked_generation);
        let generation = Some(self.snapshot.schedule.generation);
        checked != generation && self.snapshot.template_tried != generation
    }
}

/// The last slot whose starting deadline has passed: a slot is missed only when now is strictly
/// past it.
fn missed_through(now: Timestamp, deadline_seconds: i64) -> Slot {
    let whole = Slot::floor(now).plus_seconds(-deadline_seconds);
    if now > Slot::floor(now).timestamp() { whole } else { whole.plus_seconds(-1) }
}

/// The slot of a time in status.
fn slot_of(time: &Time) -> Slot {
    Slot::floor(time.0)
}

/// A slot as a time in status.
fn time_of(slot: Slot) -> Time {
    Time(slot.timestamp())
}

/// An instant some seconds later; the end of time when there is no such instant.
fn later(instant: Timestamp, seconds: i64) -> Timestamp {
    instant.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
