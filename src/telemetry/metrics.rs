//! The metrics: one struct, one method for each thing that can be measured.
//!
//! No label ever names a Schedule, a namespace or a Job: the number of series does not depend on
//! what users create.

mod families;

use std::sync::Arc;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::api::status::{Origin, Outcome};
use crate::decide::plan::Plan;
use crate::invariants::Invariant;
use crate::report::happened::{Happened, StartEnd};

pub use families::FAMILIES;
use families::Families;

/// The label value of a word that is not on its closed list.
pub const OTHER: &str = "Other";

/// The states of Schedules that have a series of their own; any other is counted as [`OTHER`].
pub const STATES: &[&str] = &[
    "Pending",
    "Scheduled",
    "Paused",
    "Completed",
    "InvalidSpec",
    "InvalidTemplate",
    "InvalidTrigger",
    "NeverFires",
    "UnknownTimeZone",
    "UnreadableSpec",
    OTHER,
];

/// How one pass over a Schedule ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Its new status was stored.
    Stored,
    /// There was nothing to store.
    Unchanged,
    /// Its object had changed in the meantime: it is gathered again.
    Conflict,
    /// There is no such Schedule any more.
    Gone,
    /// Something could not be read or stored: it is tried again.
    Failed,
}

impl Pass {
    /// Every way a pass can end.
    pub const ALL: &'static [Self] = &[Self::Stored, Self::Unchanged, Self::Conflict, Self::Gone, Self::Failed];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "Stored",
            Self::Unchanged => "Unchanged",
            Self::Conflict => "Conflict",
            Self::Gone => "Gone",
            Self::Failed => "Failed",
        }
    }
}

/// Where one Schedule stands, for the gauges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing<'a> {
    /// `status.state`; a Schedule without one is Pending.
    pub state: Option<&'a str>,
    /// How many of its runs are active.
    pub active_runs: usize,
    /// How many of its slots wait.
    pub pending_slots: usize,
}

/// The label of a request to the API server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    verb: &'static str,
    resource: &'static str,
    code: String,
}

/// All metrics of the process. A clone is another handle on the same numbers.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    families: Families,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Every series whose labels are known in advance is there from now on, at 0.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix(families::PREFIX);
        let families = Families::register(&mut registry);
        families.show_known_series();
        Self(Arc::new(Inner { registry, families }))
    }

    /// All metrics as OpenMetrics text.
    ///
    /// # Errors
    /// When a metric cannot be written as text.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.0.registry)?;
        Ok(text)
    }

    fn families(&self) -> &Families {
        &self.0.families
    }

    /// Says whether this replica leads, and in which term.
    pub fn leading(&self, term: Option<i64>) {
        self.families().leader.set(i64::from(term.is_some()));
        self.families().leader_term.set(term.unwrap_or_default());
    }

    /// A create request for a slot that came due on time was answered: its planned start, when the
    /// request was sent, when the answer came. Not for slots that had been waiting: their delay
    /// says nothing about how fast we are.
    pub fn start_answered(&self, planned: Timestamp, sent: Timestamp, answered: Timestamp) {
        observe(&self.families().start_own_delay, seconds(planned, sent));
        observe(&self.families().start_delay, seconds(planned, answered));
    }

    /// So many slots ended so.
    pub fn slot(&self, outcome: &Outcome, count: u64) {
        self.families().slots.get_or_create(&[("outcome", word(outcome))]).inc_by(count);
    }

    /// A run ended so, after so many seconds.
    pub fn run_ended(&self, outcome: &Outcome, seconds: f64) {
        self.families().runs.get_or_create(&[("outcome", word(outcome))]).inc();
        observe(&self.families().run_duration, seconds);
    }

    /// Counts what a plan brought about, once the status that tells of it is stored.
    pub fn record_report(&self, plan: &Plan, happened: &Happened, now: Timestamp) {
        for settled in &plan.settled {
            self.slot(&settled.outcome, settled.count.unwrap_or(1));
        }
        let is_new_slot = |origin: &Origin, is_first: bool| is_first && origin.slot().is_some();
        let adopted = plan.adopted.iter().filter(|it| is_new_slot(&it.origin, !it.is_of_known_run)).count();
        self.slot(&Outcome::Started, u64::try_from(adopted).unwrap_or(u64::MAX));
        for (start, end) in &happened.starts {
            // What a ScheduleRun asked for is no slot.
            let slots = u64::from(is_new_slot(&start.origin, start.attempt == 1));
            match end {
                StartEnd::Created { .. } | StartEnd::FoundOurs(_) => {
                    self.slot(&Outcome::Started, slots);
                    self.families().last_start.set(now.as_duration().as_secs_f64());
                }
                StartEnd::NameTaken | StartEnd::Refused { .. } => self.slot(&Outcome::FailedToCreate, slots),
                StartEnd::Blocked { .. } => {}
            }
        }
        for backed_off in &plan.backed_off {
            let outcome = word(&backed_off.end.outcome);
            self.families().retried_attempts.get_or_create(&[("outcome", outcome)]).inc();
        }
        for end in &plan.ended {
            self.run_ended(&end.outcome, seconds(end.run.start_time.0, end.at));
        }
    }

    /// A request to the API server took so many seconds and was answered with this HTTP status;
    /// `None` when there was no answer.
    pub fn request(&self, verb: &'static str, resource: &'static str, code: Option<u16>, seconds: f64) {
        let code = code.filter(|it| (100..600).contains(it)).map_or_else(|| "none".to_owned(), |it| it.to_string());
        self.families().requests.get_or_create(&Request { verb, resource, code }).inc();
        let labels = [("verb", verb), ("resource", resource)];
        observe(&self.families().request_duration.get_or_create(&labels), seconds);
    }

    /// Sets the gauges of Schedules by state, active runs and pending slots, from every Schedule
    /// there is.
    pub fn overview<'a>(&self, schedules: impl IntoIterator<Item = Standing<'a>>) {
        let mut counts = vec![0_i64; STATES.len()];
        let (mut active, mut pending) = (0, 0);
        for standing in schedules {
            let state = standing.state.unwrap_or("Pending");
            let index = STATES.iter().position(|it| *it == state).unwrap_or(STATES.len() - 1);
            counts[index] += 1;
            active += standing.active_runs;
            pending += standing.pending_slots;
        }
        for (state, count) in STATES.iter().zip(counts) {
            self.families().schedules.get_or_create(&[("state", *state)]).set(count);
        }
        self.families().active_runs.set(whole(active));
        self.families().pending_slots.set(whole(pending));
    }

    /// One pass over a Schedule ended so, after so many seconds.
    pub fn reconciled(&self, pass: Pass, seconds: f64) {
        self.families().reconciles.get_or_create(&[("result", pass.as_str())]).inc();
        observe(&self.families().reconcile_duration, seconds);
    }

    /// So many Schedules are due for a pass and wait for it.
    pub fn queue_depth(&self, depth: usize) {
        self.families().queue_depth.set(whole(depth));
    }

    /// An Event could not be told.
    pub fn event_dropped(&self) {
        self.families().events_dropped.inc();
    }

    /// A promise was seen broken.
    pub fn violated(&self, invariant: Invariant) {
        self.families().invariant_violations.get_or_create(&[("invariant", invariant.as_str())]).inc();
    }

    /// So many run Leases are kept by this replica.
    pub fn run_leases(&self, count: usize) {
        self.families().run_leases.set(whole(count));
    }

    /// A watch had to begin anew.
    pub fn watch_restarted(&self, resource: &'static str) {
        self.families().watch_restarts.get_or_create(&[("resource", resource)]).inc();
    }

    /// Says whether the wall clock is not to be believed.
    pub fn clock_skewed(&self, is_skewed: bool) {
        self.families().clock_skewed.set(i64::from(is_skewed));
    }
}

/// A clock that was set back between the two gives 0.
fn observe(histogram: &Histogram, seconds: f64) {
    histogram.observe(seconds.max(0.0));
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The outcome as a label: words of other versions share one series.
fn word(outcome: &Outcome) -> &'static str {
    Outcome::ALL.iter().find(|it| *it == outcome).map_or(OTHER, Outcome::as_str)
}

#[cfg(test)]
mod tests;
