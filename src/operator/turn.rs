//! One turn of leadership: one Schedule after another is looked at, many at once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::Client;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::probes::Beat;
use super::skew::Watched;
use super::vigil::{Known, Vigil};
use super::{OperatorError, Settings};
use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::cluster::fault::{Fault, chain};
use crate::cluster::gate::Expectation;
use crate::gather::{Circumstances, Recall};
use crate::leadership::LeaderHandle;
use crate::queue::{Queue, TURN};
use crate::reconcile::{Looked, ReconcileError, Reconciler};
use crate::run_leases::{RunLeases, RunLeasesHandle};
use crate::store::Key;
use crate::telemetry::EventSink;
use crate::telemetry::metrics::{Pass, Standing};
use crate::watch::Watches;

/// A reconcile that takes longer is given up and tried again.
const RECONCILE_TIMEOUT: Duration = Duration::from_secs(120);
/// How long requests under way may take to end when we are told to stop.
const DRAIN: Duration = Duration::from_secs(5);
/// Every Schedule is looked at this often even if nothing seems to have happened.
const SWEEP: Duration = Duration::from_secs(600);
/// How often the gauges are set.
const GAUGES: Duration = Duration::from_secs(10);
/// A clock that is not to be believed for longer than this is shown on every Schedule.
const SKEW_SHOWN_AFTER: Duration = Duration::from_secs(30);
/// So many conflicts in a row are taken up at once.
const CONFLICTS_AT_ONCE: u32 = 3;
/// The longest wait after a reconcile that failed, in seconds.
const RETRY_AT_MOST_SECONDS: i64 = 60;

/// One turn of leadership.
pub(super) struct Turn {
    reconciler: Reconciler,
    watches: Watches,
    clock: Watched,
    client: Client,
    leader: LeaderHandle,
    fence_seconds: i64,
    looks_at_once: usize,
    run_leases: Option<RunLeases>,
    beat: Arc<Beat>,
    recalls: Arc<Mutex<HashMap<Key, Remembered>>>,
    vigil: Arc<Mutex<Vigil>>,
}

/// What is remembered of a Schedule from one look to the next.
#[derive(Default)]
struct Remembered {
    recall: Recall,
    failures: u32,
}

/// One look at a Schedule, and how it ended.
struct Look {
    key: Key,
    end: Result<Looked, ReconcileError>,
}

/// The looks under way.
#[derive(Default)]
struct Looks {
    tasks: JoinSet<Look>,
    keys: HashMap<Id, Key>,
}

impl Turn {
    pub(super) fn new(
        client: Client,
        settings: &Settings,
        watches: Watches,
        clock: Clock,
        leader: LeaderHandle,
        beat: Arc<Beat>,
    ) -> Self {
        let (store, metrics) = (watches.store.clone(), watches.metrics.clone());
        let in_flight = settings.max_requests_in_flight;
        let cluster = Cluster::new(client.clone(), leader.clone(), clock.clone(), in_flight, metrics.clone());
        let told = leader.clone();
        let may_tell = move || told.check().is_ok();
        let (events, written) = EventSink::new(client.clone(), leader.identity(), metrics.clone(), may_tell);
        tokio::spawn(written);
        let new_run_leases = |it| RunLeases::new(client.clone(), leader.clone(), clock.clone(), it);
        let run_leases = settings.run_lease_duration.map(new_run_leases);
        let handle = run_leases.as_ref().map_or_else(RunLeasesHandle::off, RunLeases::handle);
        let fence_seconds = i64::try_from(settings.fence.as_secs()).unwrap_or(i64::MAX);
        Self {
            reconciler: Reconciler { store, cluster, events, metrics, run_leases: handle },
            watches,
            clock: Watched::new(clock),
            client,
            leader,
            fence_seconds,
            looks_at_once: settings.looks_at_once.max(1),
            run_leases,
            beat,
            recalls: Arc::default(),
            vigil: Arc::new(Mutex::new(Vigil::new(fence_seconds))),
        }
    }

    /// Leads until told to stop, or until leadership is lost.
    pub(super) async fn lead(mut self, stop: impl Future<Output = ()>) -> Result<(), OperatorError> {
        let mut helpers = JoinSet::new();
        let (watches, metrics) = (self.watches.clone(), self.reconciler.metrics.clone());
        helpers.spawn(self.clock.clone().compare(self.client.clone(), watches, metrics));
        if let Some(run_leases) = self.run_leases.take() {
            helpers.spawn(run_leases.run(std::future::pending()));
        }
        let mut stop = std::pin::pin!(stop);
        // The helpers end with this turn, when they are dropped.
        tokio::select! {
            biased;
            lost = self.leader.lost() => Err(lost.into()),
            end = async {
                tokio::select! {
                    biased;
                    () = &mut stop => return Ok(()),
                    caught_up = self.catch_up() => caught_up?,
                }
                self.work(stop).await;
                Ok(())
            } => end,
        }
    }

    /// Sees what there is before the first decision.
    async fn catch_up(&self) -> Result<(), OperatorError> {
        match tokio::time::timeout(RECONCILE_TIMEOUT, self.watches.catch_up()).await {
            Ok(end) => end.map_err(OperatorError::CatchUp),
            Err(_) => {
                self.leader.step_down("the API server took too long to list what there is");
                // Ends with the turn, which is over now.
                std::future::pending().await
            }
        }
    }

    /// Looks at one Schedule after another until told to stop; then lets those under way end.
    async fn work(&self, mut stop: impl Future<Output = ()> + Unpin) {
        let mut queue = Queue::default();
        let mut looks = Looks::default();
        let (mut sweep, mut gauges) = (tokio::time::interval(SWEEP), tokio::time::interval(GAUGES));
        let (mut doubt, mut calm_since) = (Doubt::default(), None);
        loop {
            self.beat.now();
            let (now, skew) = self.clock.now();
            calm_since = if skew.is_some() { None } else { calm_since.or(Some(now)) };
            if doubt.turn(skew.is_some()) {
                self.sweep(&mut queue);
            }
            while doubt.lets_decide()
                && looks.tasks.len() < self.looks_at_once
                && let Some(key) = queue.next(now)
            {
                // Announced before it begins: all that are due together are known from now on.
                let expectation = queue.is_due(&key).then(|| self.reconciler.cluster.expect_start());
                looks.begin(key.clone(), self.look(key, expectation));
            }
            self.reconciler.metrics.queue_depth(queue.depth());
            let is_full = looks.tasks.len() >= self.looks_at_once;
            self.reconciler.cluster.crowded(is_full && queue.has_due(now));
            let may_begin = !is_full && skew.is_none();
            let patience = if may_begin { queue.patience(self.clock.now().0) } else { TURN };
            // In this order rather than at random, so that a run can be repeated. The first ones are
            // seldom ready; of the last two all that is ready is taken at once.
            tokio::select! {
                biased;
                () = &mut stop => break,
                _ = sweep.tick() => self.sweep(&mut queue),
                _ = gauges.tick() => {
                    self.set_gauges();
                    // What is late because more wait than can be looked at at once is not forgotten.
                    if queue.depth() == 0 {
                        self.keep_vigil(now, calm_since, &looks);
                    }
                }
                () = self.clock.compared() => {}
                keys = self.watches.changed() => keys.into_iter().for_each(|key| queue.changed(key, now)),
                Some(end) = looks.tasks.join_next_with_id() => {
                    self.note(&mut queue, looks.end(end));
                    while let Some(end) = looks.tasks.try_join_next_with_id() {
                        self.note(&mut queue, looks.end(end));
                    }
                }
                () = tokio::time::sleep(patience) => {}
            }
        }
        self.drain(looks).await;
    }

    fn sweep(&self, queue: &mut Queue) {
        let (now, _) = self.clock.now();
        for key in self.reconciler.store.keys() {
            queue.changed(key, now);
        }
    }

    async fn drain(&self, mut looks: Looks) {
        tracing::info!(under_way = looks.tasks.len(), "told to stop: nothing new is begun");
        let drained = async { while looks.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            // The Lease is left to run out: a request under way may still do something.
            self.leader.step_down("requests were still under way when told to stop");
        }
    }

    /// Looks at one Schedule.
    fn look(&self, key: Key, expectation: Option<Expectation>) -> impl Future<Output = Look> + Send + 'static {
        let mut remembered =
            self.recalls.lock().unwrap_or_else(PoisonError::into_inner).remove(&key).unwrap_or_default();
        let (reconciler, recalls) = (self.reconciler.clone(), self.recalls.clone());
        let (clock, fence_seconds) = (self.clock.clone(), self.fence_seconds);
        let circumstances = move || {
            let (now, clock_skew) = clock.now();
            Circumstances { now, clock_skew, fence_seconds }
        };
        async move {
            let begin = Instant::now();
            let reconcile = reconciler.reconcile(&key, &mut remembered.recall, circumstances, expectation);
            let end = match tokio::time::timeout(RECONCILE_TIMEOUT, reconcile).await {
                Ok(end) => end,
                Err(_) => Err(Fault::Unknown("a reconcile took too long".into()).into()),
            };
            let is_gone = reconciler.store.schedule(&key).is_none();
            reconciler.metrics.reconciled(pass(&end, is_gone), begin.elapsed().as_secs_f64());
            remembered.failures = if end.is_ok() { 0 } else { remembered.failures.saturating_add(1) };
            // What failed is remembered of one that is gone as well, so that it is not tried every second.
            if !is_gone || end.is_err() {
                recalls.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), remembered);
            }
            Look { key, end }
        }
    }

    /// Notes how a look ended, and when the next is due.
    fn note(&self, queue: &mut Queue, end: Result<Look, Key>) {
        let (now, _) = self.clock.now();
        let (key, wake) = match end {
            Ok(Look { key, end: Ok(looked) }) => {
                if looked.is_unrecorded {
                    // Noted while it is under way: it is looked at again, after those that are due.
                    queue.changed(key.clone(), now);
                }
                (key, looked.wake)
            }
            Ok(Look { key, end: Err(error) }) => {
                let at = self.retry_at(&key, &error, now);
                (key, Some(at))
            }
            // A defect of ours: the Schedule is looked at again, the others are not held up.
            Err(key) => (key, Some(after_seconds(now, RETRY_AT_MOST_SECONDS))),
        };
        queue.done(key, wake, now);
    }

    /// A first conflict is taken up at once; anything else waits longer from time to time, but not
    /// beyond what the Schedule wants to be woken for: what fails may be a matter of its past.
    fn retry_at(&self, key: &Key, error: &ReconcileError, now: Timestamp) -> Timestamp {
        let recalls = self.recalls.lock().unwrap_or_else(PoisonError::into_inner);
        let (failures, wake) = recalls.get(key).map_or((1, None), |it| (it.failures, it.recall.wake));
        let is_conflict = matches!(error, ReconcileError::Fault(Fault::Conflict(_)));
        if is_conflict && failures <= CONFLICTS_AT_ONCE {
            tracing::debug!(schedule = %key, "the Schedule changed while it was decided on");
            return now;
        }
        let seconds = (1_i64 << failures.saturating_sub(1).min(6)).min(RETRY_AT_MOST_SECONDS);
        tracing::warn!(schedule = %key, error = chain(error), retry_in_seconds = seconds, "failed to bring a Schedule forward");
        let next_slot = self.reconciler.store.next_slot_after(key, now);
        let retry = after_seconds(now, seconds);
        wake.into_iter().chain(next_slot).filter(|at| *at > now).fold(retry, Timestamp::min)
    }

    fn set_gauges(&self) {
        let metrics = &self.reconciler.metrics;
        metrics.leading(self.leader.term());
        metrics.run_leases(self.reconciler.run_leases.held());
        // Reading every status takes its time: it must not hold up what is due.
        let (metrics, store) = (metrics.clone(), self.reconciler.store.clone());
        let overview = move || {
            metrics.overview(store.standings().iter().map(|it| Standing {
                state: it.state.as_deref(),
                active_runs: usize::try_from(it.active_runs).unwrap_or(0),
                pending_slots: usize::try_from(it.queued_runs).unwrap_or(0),
            }));
        };
        aside(overview);
    }

    /// Sees whether what is there keeps the promises.
    fn keep_vigil(&self, now: Timestamp, calm_since: Option<Timestamp>, looks: &Looks) {
        let under_way: HashSet<Key> = looks.keys.values().cloned().collect();
        let (vigil, recalls) = (self.vigil.clone(), self.recalls.clone());
        let (store, metrics) = (self.reconciler.store.clone(), self.reconciler.metrics.clone());
        let known = move |key: &Key| match recalls.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            _ if under_way.contains(key) => Known::UnderWay,
            Some(it) => Known::Remembered(Box::new(it.recall.clone()), it.failures > 0),
            None => Known::Nothing,
        };
        aside(move || {
            let Ok(mut vigil) = vigil.try_lock() else { return };
            for (key, violation) in vigil.turn(&store, now, calm_since, known) {
                let invariant = violation.invariant;
                metrics.violated(invariant);
                let (what, remedy) = (violation.what, invariant.remedy());
                tracing::error!(
                    schedule = %key,
                    invariant = invariant.as_str(),
                    "a promise is broken: {what}; {remedy}, and report this with the operator's log"
                );
            }
        });
    }
}

/// How long our clock has been in doubt.
struct Doubt {
    since: Option<Instant>,
    is_shown: bool,
}

impl Default for Doubt {
    /// Until it was compared, it is in doubt.
    fn default() -> Self {
        Self { since: Some(Instant::now()), is_shown: false }
    }
}

impl Doubt {
    /// Takes note of a verdict. Answers whether every Schedule is to be looked at: when the doubt
    /// has lasted long enough to be shown, and when it is over.
    fn turn(&mut self, is_skewed: bool) -> bool {
        let was_skewed = self.since.is_some();
        self.since = if is_skewed { self.since.or_else(|| Some(Instant::now())) } else { None };
        let is_shown = self.since.is_some_and(|it| it.elapsed() > SKEW_SHOWN_AFTER);
        let shows_now = is_shown && !self.is_shown;
        self.is_shown = is_shown;
        shows_now || (was_skewed && !is_skewed)
    }

    /// Whether Schedules are looked at: also to show the doubt.
    fn lets_decide(&self) -> bool {
        self.since.is_none() || self.is_shown
    }
}

impl Looks {
    fn begin(&mut self, key: Key, look: impl Future<Output = Look> + Send + 'static) {
        let task = self.tasks.spawn(look);
        self.keys.insert(task.id(), key);
    }

    /// The look that ended, or the key of the one that panicked.
    fn end(&mut self, end: Result<(Id, Look), JoinError>) -> Result<Look, Key> {
        let id = end.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let key = self.keys.remove(&id);
        match end {
            Ok((_, look)) => Ok(look),
            Err(error) => {
                tracing::error!(%error, "a reconcile panicked; its Schedule is looked at again in a minute");
                Err(key.unwrap_or_else(|| Key { namespace: String::new(), name: String::new() }))
            }
        }
    }
}

fn pass(end: &Result<Looked, ReconcileError>, is_gone: bool) -> Pass {
    match end {
        Ok(_) if is_gone => Pass::Gone,
        Ok(looked) if looked.wrote => Pass::Stored,
        Ok(_) => Pass::Unchanged,
        Err(ReconcileError::Fault(Fault::Conflict(_))) => Pass::Conflict,
        Err(_) => Pass::Failed,
    }
}

/// Does what would hold up the loop on another thread. In virtual time there is one thread, and all
/// happens on it.
fn aside(work: impl FnOnce() + Send + 'static) {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => work(),
        _ => drop(tokio::task::spawn_blocking(work)),
    }
}

fn after_seconds(now: Timestamp, seconds: i64) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
