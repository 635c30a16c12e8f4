//! The Lease beside each active Job: it tells people and other tools that somebody looks after the
//! run, and who.
//!
//! # Expected flow
//!
//! After leadership was acquired, [`RunLeases::run`] is spawned. Whoever decides about a schedule
//! declares its active runs through a [`RunLeasesHandle`] each time they change. A Lease appears
//! soon after, is renewed for as long as the run is declared, and is deleted afterwards.
//!
//! # Guarantees
//!
//! * Expiry never starts, stops or finishes anything: no decision reads these Leases.
//! * Every write is preceded by [`LeaderHandle::check`], guarded by a resource version (or by the
//!   name being free), has a time-out, and is not repeated blindly. At most four are under way.
//! * When leadership ends this simply stops; the next leader adopts what is left.
//!
//! # Assumptions
//!
//! * The client given does not retry on its own.
//!
//! # Caveats
//!
//! * A Lease left behind by a leader that died between the end of a run and its deletion is looked for
//!   by the next leader, if the run ended lately; else it goes with the Job that owns it.
//! * Rights used: `get`, `create`, `update`, `delete` on Leases in the namespaces of the Jobs.
//!   Neither `list` nor `watch`.

pub mod upkeep;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, Preconditions};
use kube::{Api, Client};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

pub use upkeep::RunRef;

use crate::clock::Clock;
use crate::leadership::LeaderHandle;
use crate::leadership::wire::{self, Claim, LeaseObject, Refusal};
use upkeep::{Action, Facts, Key, Outcome, Upkeep};

/// How long a run Lease is unless told otherwise.
pub const DEFAULT_DURATION: Duration = Duration::from_secs(120);
/// Shorter ones would be mostly renewals.
pub const SHORTEST_DURATION: Duration = Duration::from_secs(10);
/// The label all our run Leases bear, and its value.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "punctual");

/// Requests under way at once: little, since nothing waits for them.
const CONCURRENCY: usize = 4;
/// How long one request may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How often to look whether leadership, unsure for the moment, is sure again.
const STALE_PAUSE: Duration = Duration::from_secs(1);
/// A refusal that does not heal by itself is repeated in the log this often.
const DENIED_LOGGED_EVERY: Duration = Duration::from_secs(60);

/// Declares active runs. Cheap to clone; never waits.
#[derive(Clone, Debug, Default)]
pub struct RunLeasesHandle {
    shared: Option<Arc<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The newest declaration of each schedule not yet taken note of; none: the schedule is gone.
    declared: Mutex<HashMap<String, Option<Vec<RunRef>>>>,
    /// Runs that ended, by schedule, not yet taken note of.
    ended: Mutex<HashMap<String, Vec<RunRef>>>,
    changed: Notify,
    held: AtomicUsize,
}

impl RunLeasesHandle {
    /// For an installation without run Leases: whatever is declared is ignored.
    #[must_use]
    pub fn off() -> Self {
        Self::default()
    }

    /// Declares the complete set of active runs of one schedule. A run no longer in it loses its
    /// Lease.
    pub fn set(&self, schedule_key: String, runs: Vec<RunRef>) {
        self.put(schedule_key, Some(runs));
    }

    /// These runs of a schedule were recorded as ended. Without it, the Lease of a run that ended
    /// before this leader ever declared it would stay as its Job does. Before [`Self::set`].
    pub fn ended(&self, schedule_key: &str, runs: Vec<RunRef>) {
        let Some(shared) = self.shared.as_ref().filter(|_| !runs.is_empty()) else { return };
        shared
            .ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(schedule_key.to_owned())
            .or_default()
            .extend(runs);
        shared.changed.notify_one();
    }

    /// The schedule is gone: its runs lose their Leases, and it costs no memory any more.
    pub fn remove(&self, schedule_key: String) {
        self.put(schedule_key, None);
    }

    fn put(&self, schedule_key: String, runs: Option<Vec<RunRef>>) {
        let Some(shared) = &self.shared else { return };
        shared.declared.lock().unwrap_or_else(PoisonError::into_inner).insert(schedule_key, runs);
        shared.changed.notify_one();
    }

    /// How many run Leases this replica holds.
    #[must_use]
    pub fn held(&self) -> usize {
        self.shared.as_ref().map_or(0, |shared| shared.held.load(Ordering::Relaxed))
    }
}

/// Looks after the Leases of all declared runs.
pub struct RunLeases {
    writer: Writer,
    shared: Arc<Shared>,
}

impl fmt::Debug for RunLeases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunLeases").field("duration", &self.writer.duration).finish_non_exhaustive()
    }
}

impl RunLeases {
    /// `client` must not retry on its own. A `duration` below [`SHORTEST_DURATION`] counts as that.
    #[must_use]
    pub fn new(client: Client, leader: LeaderHandle, clock: Clock, duration: Duration) -> Self {
        let duration = duration.clamp(SHORTEST_DURATION, Duration::from_secs(86_400));
        Self { writer: Writer { client, leader, clock, duration }, shared: Arc::default() }
    }

    /// Declares runs to this.
    #[must_use]
    pub fn handle(&self) -> RunLeasesHandle {
        RunLeasesHandle { shared: Some(Arc::clone(&self.shared)) }
    }

    /// Returns when `shutdown` resolves or leadership is lost.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let Self { writer, shared } = self;
        let mut upkeep = Upkeep::new(writer.duration, writer.clock.monotonic());
        let mut under_way = FuturesUnordered::new();
        let mut denied_logged = None;
        let mut shutdown = pin!(shutdown);
        loop {
            shared.hand_over(&mut upkeep, writer.clock.monotonic());
            shared.held.store(upkeep.held(), Ordering::Relaxed);
            let leads = writer.leader.check().is_ok();
            while leads && under_way.len() < CONCURRENCY {
                let Some(action) = upkeep.take_due(writer.clock.monotonic()) else { break };
                under_way.push(writer.perform(action));
            }
            let idle = match upkeep.next_due() {
                _ if !leads => STALE_PAUSE,
                // Full: the next to finish wakes us.
                _ if under_way.len() >= CONCURRENCY => CALL_TIMEOUT,
                Some(due) => due.saturating_sub(writer.clock.monotonic()),
                None => DEFAULT_DURATION,
            };
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                _ = writer.leader.lost() => return,
                Some((key, result)) = under_way.next(), if !under_way.is_empty() => {
                    let now = writer.clock.monotonic();
                    let outcome = result.unwrap_or_else(|refusal| outcome_of(&key, &refusal, &mut denied_logged, now));
                    upkeep.finish(&key, outcome, now);
                }
                () = shared.changed.notified() => {}
                () = sleep(idle) => {}
            }
        }
    }
}

impl Shared {
    fn hand_over(&self, upkeep: &mut Upkeep, now: Duration) {
        let ended = std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner));
        for (schedule, runs) in ended {
            upkeep.end(&schedule, runs, now);
        }
        let declared = std::mem::take(&mut *self.declared.lock().unwrap_or_else(PoisonError::into_inner));
        for (schedule, runs) in declared {
            match runs {
                Some(runs) => upkeep.declare(&schedule, runs, now),
                None => upkeep.forget(&schedule, now),
            }
        }
    }
}

fn outcome_of(key: &Key, refusal: &Refusal, denied_logged: &mut Option<Duration>, now: Duration) -> Outcome {
    let (namespace, name) = key;
    match refusal {
        Refusal::NotFound => return Outcome::Missing,
        Refusal::Conflict => return Outcome::Conflict,
        Refusal::Denied(failure) => {
            if denied_logged.is_none_or(|at| now.saturating_sub(at) >= DENIED_LOGGED_EVERY) {
                *denied_logged = Some(now);
                tracing::warn!(
                    failure,
                    namespace,
                    name,
                    remedy = "let the operator's ServiceAccount get, create, update and delete Leases, or turn run Leases off",
                    "a run Lease is denied to us"
                );
            }
        }
        Refusal::Unclear(failure) => {
            tracing::debug!(failure, namespace, name, "a run Lease could not be looked after; trying again later");
        }
    }
    Outcome::Failed
}

struct Writer {
    client: Client,
    leader: LeaderHandle,
    clock: Clock,
    duration: Duration,
}

impl Writer {
    async fn perform(&self, action: Action) -> (Key, Result<Outcome, Refusal>) {
        let key = action.run().key();
        let mutates = !matches!(action, Action::Read(_));
        if mutates && self.leader.check().is_err() {
            return (key, Ok(Outcome::NotSent));
        }
        let answer = timeout(CALL_TIMEOUT, self.request(action)).await;
        (key, answer.unwrap_or_else(|_| Err(Refusal::Unclear("no answer in time".to_owned()))))
    }

    async fn request(&self, action: Action) -> Result<Outcome, Refusal> {
        let api: Api<LeaseObject> = wire::api(self.client.clone(), &action.run().namespace);
        let params = wire::post_params();
        let creates = matches!(action, Action::Create(_));
        let answer = match action {
            Action::Read(run) => api
                .get_opt(&run.job_name)
                .await
                .map(|lease| lease.map_or(Outcome::Missing, |lease| Outcome::Found(self.facts(&lease, &run)))),
            Action::Create(run) => {
                let lease = self.lease(&run, None);
                api.create(&params, &lease).await.map(|lease| Outcome::Written(self.facts(&lease, &run)))
            }
            Action::Write(run, facts) => {
                let lease = self.lease(&run, Some(&facts));
                let written = api.replace(&run.job_name, &params, &lease).await;
                written.map(|lease| Outcome::Written(self.facts(&lease, &run)))
            }
            Action::Delete(run, facts) => {
                let (uid, resource_version) = (Some(facts.uid), Some(facts.resource_version));
                let params = DeleteParams::default().preconditions(Preconditions { resource_version, uid });
                api.delete(&run.job_name, &params).await.map(|_| Outcome::Missing)
            }
        };
        answer.map_err(|error| match Refusal::of(&error) {
            Refusal::NotFound if creates => Refusal::Unclear("the namespace does not exist".to_owned()),
            refusal => refusal,
        })
    }

    /// The Lease as we want it: nothing of what somebody else may have put into it is kept.
    fn lease(&self, run: &RunRef, facts: Option<&Facts>) -> LeaseObject {
        let transitions = match facts {
            Some(facts) if facts.ours => facts.transitions,
            Some(facts) => facts.transitions.saturating_add(1).clamp(0, i64::from(i32::MAX)),
            None => 0,
        };
        let now = self.clock.now();
        let acquired = facts.filter(|facts| facts.ours).and_then(|facts| facts.acquired);
        let duration_seconds = i64::try_from(self.duration.as_secs()).unwrap_or(i64::MAX);
        let holder = self.leader.identity();
        let claim = Claim { holder, duration_seconds, transitions, acquired: acquired.unwrap_or(now), now };
        let mut lease = wire::new_lease(&run.job_name, &claim);
        let metadata = &mut lease.metadata;
        metadata.namespace = Some(run.namespace.clone());
        metadata.resource_version = facts.map(|facts| facts.resource_version.clone());
        metadata.labels = Some([(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned())].into());
        metadata.owner_references = Some(vec![OwnerReference {
            api_version: "batch/v1".to_owned(),
            kind: "Job".to_owned(),
            name: run.job_name.clone(),
            uid: run.job_uid.clone(),
            controller: None,
            block_owner_deletion: Some(false),
        }]);
        lease
    }

    fn facts(&self, lease: &LeaseObject, run: &RunRef) -> Facts {
        let record = wire::record(lease);
        let metadata = &lease.metadata;
        let labels = metadata.labels.as_ref();
        let labelled = labels.and_then(|labels| labels.get(MANAGED_BY.0)).is_some_and(|value| value == MANAGED_BY.1);
        let owned = metadata.owner_references.iter().flatten().any(|owner| owner.uid == run.job_uid);
        Facts {
            resource_version: record.resource_version,
            uid: metadata.uid.clone().unwrap_or_default(),
            transitions: record.transitions,
            ours: record.holder.as_deref() == Some(self.leader.identity()),
            acquired: wire::acquired(lease),
            is_run_lease: labelled && owned,
        }
    }
}
