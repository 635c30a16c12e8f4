//! The families of metrics: their names, kinds and descriptions, and where each is kept.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use super::{Pass, Request, STATES};
use crate::api::status::Outcome;
use crate::invariants::Invariant;

/// What every name begins with; the registry adds the underscore.
pub(super) const PREFIX: &str = "punctual";

/// Every family: its name as it is scraped, its kind, and what it says.
pub const FAMILIES: &[(&str, &str, &str)] = &[
    ("punctual_active_runs", "gauge", "Runs that have started and have not ended"),
    (
        "punctual_api_request_duration_seconds",
        "histogram",
        "Time from sending a request to the API server to its answer",
    ),
    ("punctual_api_requests_total", "counter", "Requests sent to the API server, by HTTP status; none means no answer"),
    ("punctual_build_info", "gauge", "Always 1; its labels are the versions of the operator and of its time zone data"),
    ("punctual_clock_skewed", "gauge", "1 while the clock is not to be believed and nothing is decided, else 0"),
    ("punctual_events_dropped_total", "counter", "Kubernetes Events that could not be written"),
    (
        "punctual_invariant_violations_total",
        "counter",
        "Promises that the leader saw broken, by which; anything but 0 is a defect, or tampering",
    ),
    (
        "punctual_last_start_timestamp_seconds",
        "gauge",
        "When this replica last started a run, in Unix time; 0 before the first",
    ),
    ("punctual_leader", "gauge", "1 while this replica leads, else 0"),
    ("punctual_leader_term", "gauge", "The number of this replica's turn as leader; 0 while it does not lead"),
    ("punctual_pending_slots", "gauge", "Slots that wait to start"),
    ("punctual_queue_depth", "gauge", "Schedules that are due for a reconcile and wait for it"),
    ("punctual_reconcile_duration_seconds", "histogram", "Duration of one reconcile of one Schedule"),
    ("punctual_reconciles_total", "counter", "Reconciles of single Schedules, by how they ended"),
    ("punctual_retried_attempts_total", "counter", "Attempts that ended so and are followed by another of their run"),
    ("punctual_run_duration_seconds", "histogram", "Time from the start of a run to its end"),
    ("punctual_run_leases", "gauge", "Leases of active runs that this replica keeps"),
    ("punctual_runs_total", "counter", "Runs that ended, by outcome"),
    ("punctual_schedules", "gauge", "Schedules, by state"),
    ("punctual_slots_total", "counter", "Slots that were decided, by outcome"),
    (
        "punctual_start_delay_seconds",
        "histogram",
        "Time from the planned start to the API server's answer to the create request",
    ),
    ("punctual_start_own_delay_seconds", "histogram", "Time from the planned start until the create request was sent"),
    ("punctual_watch_restarts_total", "counter", "Watches that had to begin anew, by resource"),
];

/// From a millisecond to ten minutes.
const START_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];
/// From a second to a day.
const RUN_SECONDS: &[f64] =
    &[1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 43_200.0, 86_400.0];
/// From a millisecond to the longest time-out of a request.
const REQUEST_SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Resources that are always watched.
const WATCHED: &[&str] = &["jobs", "scheduleruns", "schedules"];

/// One label.
type Label = [(&'static str, &'static str); 1];
/// Two labels.
type Labels = [(&'static str, &'static str); 2];
/// A histogram for each pair of labels.
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// Where the numbers are kept.
#[derive(Debug)]
pub(super) struct Families {
    pub active_runs: Gauge,
    pub build_info: Family<Labels, Gauge>,
    pub clock_skewed: Gauge,
    pub events_dropped: Counter,
    pub invariant_violations: Family<Label, Counter>,
    pub last_start: Gauge<f64, AtomicU64>,
    pub leader: Gauge,
    pub leader_term: Gauge,
    pub pending_slots: Gauge,
    pub queue_depth: Gauge,
    pub reconcile_duration: Histogram,
    pub reconciles: Family<Label, Counter>,
    pub request_duration: Histograms,
    pub requests: Family<Request, Counter>,
    pub retried_attempts: Family<Label, Counter>,
    pub run_duration: Histogram,
    pub run_leases: Gauge,
    pub runs: Family<Label, Counter>,
    pub schedules: Family<Label, Gauge>,
    pub slots: Family<Label, Counter>,
    pub start_delay: Histogram,
    pub start_own_delay: Histogram,
    pub watch_restarts: Family<Label, Counter>,
}

impl Families {
    pub(super) fn register(to: &mut Registry) -> Self {
        let new_request_duration: fn() -> Histogram = || histogram(REQUEST_SECONDS);
        Self {
            active_runs: register(to, "punctual_active_runs", Gauge::default()),
            build_info: register(to, "punctual_build_info", Family::default()),
            clock_skewed: register(to, "punctual_clock_skewed", Gauge::default()),
            events_dropped: register(to, "punctual_events_dropped_total", Counter::default()),
            invariant_violations: register(to, "punctual_invariant_violations_total", Family::default()),
            last_start: register(to, "punctual_last_start_timestamp_seconds", Gauge::default()),
            leader: register(to, "punctual_leader", Gauge::default()),
            leader_term: register(to, "punctual_leader_term", Gauge::default()),
            pending_slots: register(to, "punctual_pending_slots", Gauge::default()),
            queue_depth: register(to, "punctual_queue_depth", Gauge::default()),
            reconcile_duration: register(to, "punctual_reconcile_duration_seconds", histogram(REQUEST_SECONDS)),
            reconciles: register(to, "punctual_reconciles_total", Family::default()),
            request_duration: register(
                to,
                "punctual_api_request_duration_seconds",
                Family::new_with_constructor(new_request_duration),
            ),
            requests: register(to, "punctual_api_requests_total", Family::default()),
            retried_attempts: register(to, "punctual_retried_attempts_total", Family::default()),
            run_duration: register(to, "punctual_run_duration_seconds", histogram(RUN_SECONDS)),
            run_leases: register(to, "punctual_run_leases", Gauge::default()),
            runs: register(to, "punctual_runs_total", Family::default()),
            schedules: register(to, "punctual_schedules", Family::default()),
            slots: register(to, "punctual_slots_total", Family::default()),
            start_delay: register(to, "punctual_start_delay_seconds", histogram(START_SECONDS)),
            start_own_delay: register(to, "punctual_start_own_delay_seconds", histogram(START_SECONDS)),
            watch_restarts: register(to, "punctual_watch_restarts_total", Family::default()),
        }
    }

    /// A series that appears only with its first count hides that count from `rate`.
    pub(super) fn show_known_series(&self) {
        let versions = [("version", env!("CARGO_PKG_VERSION")), ("tzdata", crate::time::zone_data_version())];
        self.build_info.get_or_create(&versions).set(1);
        for outcome in Outcome::ALL {
            let family = if outcome.is_of_run() { &self.runs } else { &self.slots };
            family.get_or_create(&[("outcome", outcome.as_str())]).inc_by(0);
        }
        for outcome in ["Failed", "TimedOut"] {
            self.retried_attempts.get_or_create(&[("outcome", outcome)]).inc_by(0);
        }
        for pass in Pass::ALL {
            self.reconciles.get_or_create(&[("result", pass.as_str())]).inc_by(0);
        }
        for invariant in Invariant::ALL {
            self.invariant_violations.get_or_create(&[("invariant", invariant.as_str())]).inc_by(0);
        }
        for state in STATES {
            self.schedules.get_or_create(&[("state", *state)]).set(0);
        }
        for resource in WATCHED {
            self.watch_restarts.get_or_create(&[("resource", *resource)]).inc_by(0);
        }
    }
}

fn histogram(buckets: &[f64]) -> Histogram {
    Histogram::new(buckets.iter().copied())
}

/// Registers a metric under its name in [`FAMILIES`] and returns it. The registry adds the prefix,
/// and `_total` to counters.
fn register<M: Metric + Clone>(registry: &mut Registry, full_name: &str, metric: M) -> M {
    let help = FAMILIES.iter().find(|it| it.0 == full_name).map_or("", |it| it.2);
    let name = full_name.strip_prefix(PREFIX).unwrap_or(full_name).trim_start_matches('_');
    registry.register(name.strip_suffix("_total").unwrap_or(name), help, metric.clone());
    metric
}
