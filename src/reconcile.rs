//! One Schedule: gather, decide, perform, report, and again until there is nothing left to do
//! now.

mod by_hand;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use crate::api::status::{ActiveRun, RunState};
use crate::cluster::Cluster;
use crate::cluster::fault::Fault;
use crate::cluster::gate::Expectation;
use crate::decide::plan::{Look, Plan};
use crate::decide::snapshot::{JobView, Presence};
use crate::decide::{Snapshot, decide};
use crate::gather::{self, Circumstances, Recall, UnreadableStatus, ask_unready, gather};
use crate::perform::perform;
use crate::report::happened::{Happened, StartEnd};
use crate::report::{Report, report};
use crate::run_leases::{RunLeasesHandle, RunRef};
use crate::store::{Key, Store};
use crate::telemetry::{EventSink, Metrics, Regarding};

/// Rounds of one reconcile. A choice that is recorded is acted on in the next round; more than a
/// few in a row would be a loop.
const ROUNDS: usize = 8;

/// Leases of runs that ended longer ago than this are not looked for: they go with their Jobs.
const LEFT_BEHIND_SECONDS: i64 = 3600;

/// What a reconcile needs.
#[derive(Clone)]
pub struct Reconciler {
    /// What the watches have shown.
    pub store: Arc<Store>,
    /// The API server.
    pub cluster: Cluster,
    /// Where Events go.
    pub events: EventSink,
    /// What is counted.
    pub metrics: Metrics,
    /// The Leases beside the active Jobs.
    pub run_leases: RunLeasesHandle,
}

/// How a look at a Schedule ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// When it wants to be looked at again, whatever happens until then.
    pub wake: Option<Timestamp>,
    /// Whether anything was stored.
    pub wrote: bool,
    /// Whether something was started that is yet to be recorded, by another look.
    pub is_unrecorded: bool,
}

/// A start is to be recorded by a later look, as others that are due wait for this one to end.
struct RoomIsNeeded;

/// Why a Schedule could not be brought forward.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The API server refused, or did not answer.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Something was planned and could not be done.
    #[error("{0}")]
    Undone(String),
    /// A newer version wrote its status.
    #[error(transparent)]
    UnreadableStatus(#[from] UnreadableStatus),
}

impl Reconciler {
    /// Brings a Schedule forward. The expectation lasts until the first decision.
    ///
    /// # Errors
    /// When the API server refused or did not answer: to be tried again.
    pub async fn reconcile(
        &self,
        key: &Key,
        recall: &mut Recall,
        circumstances: impl Fn() -> Circumstances,
        mut expectation: Option<Expectation>,
    ) -> Result<Looked, ReconcileError> {
        let (mut wrote, mut runs_end) = (false, false);
        for _ in 0..ROUNDS {
            let Some((mut snapshot, version)) = gather(&self.store, key, recall, circumstances())? else {
                drop(expectation.take());
                self.run_leases.remove(key.to_string());
                self.cluster.forget(key);
                match self.end_without_schedule(key, circumstances()).await? {
                    by_hand::Orphans::Have(it) => {
                        // Only now there is one: it is looked at.
                        drop(self.store.put_schedule(*it));
                        continue;
                    }
                    by_hand::Orphans::Ended { wake, wrote: ended } => {
                        return Ok(Looked { wake, wrote: wrote || ended, is_unrecorded: false });
                    }
                }
            };
            let mut plan = self.plan(&mut snapshot, expectation.take()).await?;
            // For people only: a start does not wait for it.
            if plan.starts.is_empty() && ask_unready(&self.cluster, &mut snapshot, recall).await {
                plan = self.plan(&mut snapshot, None).await?;
            }
            recall.wake = plan.wake;
            runs_end |= !plan.ended.is_empty();
            let happened = perform(&self.cluster, &self.store, &snapshot, &plan).await?;
            let Ok(_turn) = self.turn_to_record(&plan, &happened).await else {
                // As after a write that failed: the next decision finds the Job that status does not account for.
                recall.to_start = None;
                return Ok(Looked { wake: plan.wake, wrote, is_unrecorded: true });
            };
            let goes_on = self.round_off(key, &version, &snapshot, &plan, &happened, recall).await?;
            if let Some(undone) = happened.undone {
                return Err(ReconcileError::Undone(undone));
            }
            self.cluster.check_stored(key)?;
            wrote |= goes_on;
            if !goes_on {
                return Ok(Looked { wake: plan.wake, wrote, is_unrecorded: false });
            }
        }
        // Runs that end in the meantime, one after the other, are reason enough for as many rounds.
        if !runs_end {
            tracing::error!(schedule = %key, rounds = ROUNDS, "a Schedule does not come to rest; it is looked at again");
        }
        Ok(Looked { wake: Some(circumstances().now), wrote, is_unrecorded: false })
    }

    /// Waits for the turn to record what has started, if anything has.
    async fn turn_to_record(
        &self,
        plan: &Plan,
        happened: &Happened,
    ) -> Result<Option<OwnedSemaphorePermit>, RoomIsNeeded> {
        if happened.starts.is_empty() {
            return Ok(None);
        }
        // Any other end only this look knows; and what was left to it by an earlier one is recorded now.
        let is_seen = |end: &StartEnd| matches!(end, StartEnd::Created { .. } | StartEnd::FoundOurs(_));
        if !plan.adopted.is_empty() || !happened.starts.iter().all(|(_, end)| is_seen(end)) {
            return Ok(self.cluster.let_starts_go_first().await);
        }
        tokio::select! {
            biased;
            () = self.cluster.until_crowded() => Err(RoomIsNeeded),
            turn = self.cluster.let_starts_go_first() => Ok(turn),
        }
    }

    /// Decides, and looks at what the decision wants to have seen live, until it is content.
    async fn plan(&self, snapshot: &mut Snapshot, expectation: Option<Expectation>) -> Result<Plan, Fault> {
        let mut expectation = expectation;
        for _ in 0..ROUNDS {
            let plan = decide(snapshot);
            // From here on requests are made: a start is the next, and no look may wait for itself.
            drop(expectation.take());
            // Pods are read before the end of their run is recorded, and not before a start.
            let unread = if plan.starts.is_empty() { plan.unread.as_slice() } else { &[] };
            let looks: Vec<Look> = plan.look.iter().chain(unread).cloned().collect();
            if looks.is_empty() {
                return Ok(plan);
            }
            gather::look(&self.cluster, &self.store, snapshot, &looks).await?;
        }
        Err(Fault::Unknown("Jobs come and go faster than they can be looked at".into()))
    }

    /// Stores what is to be remembered, then tells of it. Answers whether there may be more to do.
    async fn round_off(
        &self,
        key: &Key,
        version: &str,
        snapshot: &Snapshot,
        plan: &Plan,
        happened: &Happened,
        recall: &mut Recall,
    ) -> Result<bool, Fault> {
        // Remembered whether or not status can be stored: it must not be tried again at once.
        let refused = happened.starts.iter().any(|(_, end)| matches!(end, StartEnd::Blocked { .. }));
        if refused {
            recall.last_refusal = Some(snapshot.now);
        }
        if happened.template.is_some() {
            recall.template_tried = Some(snapshot.schedule.generation);
        }
        if snapshot.schedule.deleting {
            self.run_leases.remove(key.to_string());
            return Ok(false);
        }
        if snapshot.clock_skew.is_some() && snapshot.status.is_none() {
            return Ok(false);
        }
        let report = report(snapshot, plan, happened);
        let told = self.store_schedule_runs(key, &report.schedule_runs, snapshot.now).await;
        if let Err(fault @ (Fault::NotLeader | Fault::Fenced(_))) = told {
            return Err(fault);
        }
        // What can be recorded is, even if something about a ScheduleRun cannot.
        // Until the answer is there nobody knows what is stored.
        let to_start = recall.to_start.take();
        let written = self.store_status(key, version, snapshot, &report).await?;
        if written {
            recall.note_stored(&report.status, plan.memory.mark);
            self.metrics.record_report(plan, happened, snapshot.now);
            let (namespace, name, uid) = (&key.namespace, &key.name, &snapshot.schedule.uid);
            let regarding = Regarding { kind: "Schedule", namespace, name, uid };
            for notice in &report.notices {
                log(key, notice);
                self.events.send(regarding, notice, snapshot.now);
            }
        } else {
            recall.to_start = to_start;
        }
        if !std::mem::replace(&mut recall.left_behind, true) {
            self.end_left_behind(key, snapshot);
        }
        self.declare_runs(key, snapshot, &report);
        // A start refused once more leaves status as it is: when it is tried again, only the next
        // decision says. And what ended beside a start is yet to be recorded.
        Ok(told? || written || refused || !plan.unread.is_empty())
    }

    /// Tells who looks after the Leases of active runs which these are now. A run in Backoff has no
    /// Job that anybody would have to look after.
    fn declare_runs(&self, key: &Key, snapshot: &Snapshot, report: &Report) {
        let as_ref = |run: &ActiveRun| RunRef {
            namespace: key.namespace.clone(),
            job_name: run.job_name.clone(),
            job_uid: run.job_uid.clone(),
        };
        let has_job = |run: &&ActiveRun| run.state != RunState::Backoff;
        let active: Vec<RunRef> = report.status.active.iter().filter(has_job).map(as_ref).collect();
        let before = snapshot.status.iter().flat_map(|status| &status.active).filter(has_job).map(as_ref);
        self.run_leases.ended(&key.to_string(), before.filter(|run| !active.contains(run)).collect());
        self.run_leases.set(key.to_string(), active);
    }

    /// An earlier leader may have recorded the end of a run and died before it could delete its
    /// Lease: at the first look at a Schedule the Leases of runs that ended lately are looked for.
    fn end_left_behind(&self, key: &Key, snapshot: &Snapshot) {
        let is_recent = |at: Timestamp| snapshot.now.duration_since(at).as_secs() < LEFT_BEHIND_SECONDS;
        let active = snapshot.status.iter().flat_map(|it| &it.active).filter(|it| it.state != RunState::Backoff);
        let active: Vec<&str> = active.map(|run| run.job_uid.as_str()).collect();
        let ended = snapshot.jobs.iter().filter(|job| {
            job.presence == Presence::Here
                && job.state.ended_at().is_some_and(is_recent)
                && !active.contains(&job.uid.as_str())
        });
        let as_ref = |job: &JobView| RunRef {
            namespace: key.namespace.clone(),
            job_name: job.name.clone(),
            job_uid: job.uid.clone(),
        };
        self.run_leases.ended(&key.to_string(), ended.map(as_ref).collect());
    }

    /// Writes status if it differs from what is there. Answers whether it did.
    async fn store_status(
        &self,
        key: &Key,
        version: &str,
        snapshot: &Snapshot,
        report: &Report,
    ) -> Result<bool, Fault> {
        let new = to_value(&report.status);
        if snapshot.status.as_ref().map(to_value).as_ref() == Some(&new) {
            return Ok(false);
        }
        match self.cluster.write_status(key, version, &new).await {
            Ok(written) => {
                self.store.update_schedule(written);
                Ok(true)
            }
            Err(Fault::NotFound(_)) => {
                self.store.remove_schedule(key, &snapshot.schedule.uid);
                Ok(false)
            }
            Err(fault @ (Fault::Conflict(_) | Fault::Unknown(_))) => {
                // Somebody else wrote it, or nobody knows: the next decision rests on what is there.
                match self.cluster.schedule(key).await? {
                    Some(there) => self.store.replace_schedule(there),
                    None => self.store.remove_schedule(key, &snapshot.schedule.uid),
                }
                Err(fault)
            }
            Err(fault) => Err(fault),
        }
    }
}

fn to_value(status: &crate::api::ScheduleStatus) -> Value {
    serde_json::to_value(status).unwrap_or_default()
}

/// One line for what people can also read as an Event.
fn log(key: &Key, notice: &crate::report::notices::Notice) {
    let (reason, note, job) = (&notice.reason, &notice.note, notice.job_name.as_deref());
    if notice.is_warning {
        tracing::warn!(schedule = %key, reason, job, "{note}");
    } else {
        tracing::info!(schedule = %key, reason, job, "{note}");
    }
}
