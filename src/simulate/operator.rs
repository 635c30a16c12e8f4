//! The operator of the model: the rounds of a reconcile, as the real one goes through them, with
//! the real store, gather, decide and report.

use std::collections::BTreeMap;

use crate::decide::plan::{Look, Plan, Start, StopHow};
use crate::decide::snapshot::JobView;
use crate::decide::{Snapshot, WAITING_SECONDS, decide};
use crate::gather::{Circumstances, Known, Recall, gather_knowing};
use crate::invariants::{Violation, check};
use crate::report::happened::{Happened, StartEnd, TemplateVerdict};
use crate::report::report;
use crate::store::{Key, Store};
use crate::time::Slot;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::cluster::{Answer, Cluster, Crashed, Creates, Event, validate};
use super::job::Job;
use super::ledger::Ledger;
use super::words::Kind;

/// As many rounds as the real reconcile goes.
const ROUNDS: usize = 8;
/// No Job of ours is removed before this age.
pub const FENCE_SECONDS: i64 = 120;

/// One process that leads.
pub struct Operator {
    store: Store,
    recall: Recall,
    known: Known,
    /// When it wants to look again.
    pub wake: Option<Timestamp>,
    /// Why it does not believe its clock, if it does not.
    pub clock_skew: Option<String>,
}

impl Operator {
    /// One that has just begun to lead: it knows what a list shows.
    pub fn start(cluster: &Cluster) -> Self {
        let store = Store::default();
        for job in cluster.jobs.values() {
            store.put_job(&job.observed());
        }
        Self { store, recall: Recall::default(), known: Known::keeping(), wake: Some(cluster.now), clock_skew: None }
    }

    /// Takes in what a watch tells. Answers whether that is news: a Job that we created and that
    /// runs is known already, and was looked at once more after it was recorded.
    pub fn hear(&self, cluster: &Cluster, event: &Event) -> bool {
        match event {
            Event::JobChanged(job) => {
                let known = self.store.version_of_job(&cluster.schedule.namespace, &job.name);
                if job.is_running() && known.is_some_and(|(uid, version)| uid == job.uid && version >= job.version) {
                    return false;
                }
                self.store.put_job(&job.observed());
            }
            Event::JobGone(job) => {
                self.store.remove_job(&job.observed());
                return !self.is_over(cluster, job);
            }
        }
        true
    }

    /// Whether a Job had ended, and status accounts for it: then nothing depends on it any more.
    fn is_over(&self, cluster: &Cluster, job: &Job) -> bool {
        let active = cluster.schedule.status["active"].as_array();
        job.has_ended() && !active.into_iter().flatten().any(|run| run["jobUID"] == job.uid.as_str())
    }

    /// One reconcile.
    pub fn look(&mut self, cluster: &mut Cluster, ledger: &mut Ledger) -> Result<(), Crashed> {
        self.store.forget_what_is_over();
        for _ in 0..ROUNDS {
            let Some(mut snapshot) = self.gather(cluster) else {
                self.wake = None;
                return Ok(());
            };
            let Some(plan) = self.plan(cluster, &mut snapshot) else { break };
            let happened = self.perform(cluster, &snapshot, &plan)?;
            if !self.round_off(cluster, ledger, &snapshot, &plan, &happened)? {
                // While it does not believe its clock it asks again every second.
                let doubt = self.clock_skew.is_some().then(|| cluster.now + SignedDuration::from_secs(1));
                self.wake = doubt.or(plan.wake);
                return Ok(());
            }
        }
        ledger.complaints.push(format!("the Schedule does not come to rest: {}", cluster.schedule.status));
        self.wake = cluster.now.checked_add(SignedDuration::from_secs(1)).ok();
        Ok(())
    }

    /// What it would do if it looked once more, having just done so.
    pub fn would_do(&mut self, cluster: &Cluster) -> Option<String> {
        let mut snapshot = self.gather(cluster)?;
        let Some(plan) = self.plan(cluster, &mut snapshot) else { return Some("one look after another".into()) };
        if snapshot.schedule.deleting {
            return None;
        }
        let reported = report(&snapshot, &plan, &Happened::default());
        let (before, after) = (&cluster.schedule.status, to_value(&reported.status));
        let acts = plan.starts.len()
            + plan.stops.len()
            + plan.removals.len()
            + plan.expired_runs.len()
            + reported.schedule_runs.len()
            + plan.ttls.len()
            + usize::from(plan.try_template);
        (*before != after || acts > 0)
            .then(|| format!("{acts} acts, and status changes\nfrom {before}\nto   {after}\n{plan:?}"))
    }

    /// Which promises are broken as far as it can see.
    pub fn violations(&mut self, cluster: &Cluster) -> Vec<Violation> {
        let Some(snapshot) = self.gather(cluster) else { return Vec::new() };
        check(&snapshot, self.recall.generation.map_or(cluster.now, |it| it.1))
    }

    /// The planned start of the first slot after an instant.
    pub fn planned_start_after(&mut self, cluster: &Cluster, after: Slot) -> Option<Slot> {
        let snapshot = self.gather(cluster)?;
        let next = snapshot.spec.as_ref().ok()?.trigger.next(after).slot()?;
        snapshot.planned_starts().map(|it| it.of(next))
    }

    fn gather(&mut self, cluster: &Cluster) -> Option<Snapshot> {
        let key = key(cluster);
        if self.store.version_of_schedule(&key) != Some(cluster.schedule.version()) {
            self.store.put_schedule(cluster.observed_schedule());
        }
        let mut listed = self.store.begin_schedule_runs(None);
        for (name, run) in &cluster.schedule_runs {
            listed.saw(&key.namespace, name);
            self.store.put_schedule_run(&run.observed(name));
        }
        self.store.end_schedule_runs(&listed);
        let circumstances =
            Circumstances { now: cluster.now, clock_skew: self.clock_skew.clone(), fence_seconds: FENCE_SECONDS };
        let (mut snapshot, _) = gather_knowing(&self.store, &key, &mut self.recall, circumstances, &mut self.known)
            .expect("a readable status")?;
        self.ask_unready(cluster, &mut snapshot);
        Some(snapshot)
    }

    fn ask_unready(&mut self, cluster: &Cluster, snapshot: &mut Snapshot) {
        let is_long = |since: Timestamp| snapshot.now.duration_since(since).as_secs() >= WAITING_SECONDS;
        let active = snapshot.status.iter().flat_map(|it| &it.active);
        let is_unready = |job: &JobView| is_long(job.created) && job.has_no_pod_to_show();
        let unready = active.filter(|run| snapshot.jobs.iter().any(|job| job.uid == run.job_uid && is_unready(job)));
        let causes: BTreeMap<String, String> = unready
            .filter_map(|run| {
                let cause = cluster.jobs.get(&run.job_name)?.behavior.never_ready.clone()?;
                Some((run.job_uid.clone(), cause))
            })
            .collect();
        snapshot.waiting = causes;
    }

    /// `None` if it asks for one look after another.
    fn plan(&self, cluster: &Cluster, snapshot: &mut Snapshot) -> Option<Plan> {
        for _ in 0..ROUNDS {
            let plan = decide(snapshot);
            let unread = if plan.starts.is_empty() { plan.unread.as_slice() } else { &[] };
            if plan.look.is_empty() && unread.is_empty() {
                return Some(plan);
            }
            for look in plan.look.iter().chain(unread) {
                self.look_live(cluster, snapshot, look);
            }
            snapshot.jobs = self.store.jobs(&snapshot.schedule.namespace, &snapshot.schedule.uid);
        }
        None
    }

    fn look_live(&self, cluster: &Cluster, snapshot: &mut Snapshot, look: &Look) {
        match look {
            Look::Job(name) => {
                match cluster.jobs.get(name) {
                    Some(job) => drop(self.store.put_job(&job.observed())),
                    None => self.store.lose_job(&cluster.schedule.namespace, name),
                }
                snapshot.looked.insert(name.clone());
            }
            Look::Pods(name, uid) => {
                let job = cluster.jobs.get(name).filter(|job| job.uid == *uid);
                let evidence = job.map(super::job::Job::evidence).unwrap_or_default();
                snapshot.evidence.insert(uid.clone(), evidence);
            }
        }
    }

    fn perform(&self, cluster: &mut Cluster, snapshot: &Snapshot, plan: &Plan) -> Result<Happened, Crashed> {
        let mut happened = Happened::default();
        for start in &plan.starts {
            let end = self.create(cluster, start)?;
            happened.starts.push((start.clone(), end));
        }
        if !happened.starts.is_empty() {
            return Ok(happened);
        }
        for stop in &plan.stops {
            match stop.how {
                StopHow::Suspend => cluster.suspend(&stop.job_name)?,
                StopHow::Delete => cluster.delete_foreground(&stop.job_name)?,
            }
        }
        for removal in &plan.removals {
            cluster.delete_background(&removal.job_name)?;
        }
        for run in &plan.expired_runs {
            cluster.delete_run(&run.name)?;
        }
        for ttl in &plan.ttls {
            cluster.set_ttl(&ttl.job_name, ttl.seconds)?;
        }
        // An answer to our own write is seen at once, however far the watch lags behind.
        let removed = plan.removals.iter().map(|it| &it.job_name);
        for name in removed.clone().filter(|name| !cluster.jobs.contains_key(*name)) {
            self.store.lose_job(&cluster.schedule.namespace, name);
        }
        let changed = plan.stops.iter().map(|it| &it.job_name).chain(plan.ttls.iter().map(|it| &it.job_name));
        for job in changed.chain(removed).filter_map(|name| cluster.jobs.get(name)) {
            self.store.put_job(&job.observed());
        }
        happened.template = plan.try_template.then(|| try_template(cluster, snapshot));
        Ok(happened)
    }

    fn create(&self, cluster: &mut Cluster, start: &Start) -> Result<StartEnd, Crashed> {
        Ok(match cluster.create(&start.job)? {
            Answer::Created(job) => {
                self.store.put_job(&job.observed());
                StartEnd::Created { job_uid: job.uid, created: job.created }
            }
            Answer::AlreadyExists(job) => {
                self.store.put_job(&job.observed());
                job.observed().started_as(start, &cluster.schedule.uid).map_or(StartEnd::NameTaken, StartEnd::FoundOurs)
            }
            Answer::Invalid(message) => StartEnd::Refused { message },
            Answer::Blocked(reason, message) => StartEnd::Blocked { reason, message },
        })
    }

    fn round_off(
        &mut self,
        cluster: &mut Cluster,
        ledger: &mut Ledger,
        snapshot: &Snapshot,
        plan: &Plan,
        happened: &Happened,
    ) -> Result<bool, Crashed> {
        if happened.starts.iter().any(|(_, end)| matches!(end, StartEnd::Blocked { .. })) {
            self.recall.last_refusal = Some(snapshot.now);
        }
        if happened.template.is_some() {
            self.recall.template_tried = Some(snapshot.schedule.generation);
        }
        if snapshot.schedule.deleting || (snapshot.clock_skew.is_some() && snapshot.status.is_none()) {
            return Ok(false);
        }
        let report = report(snapshot, plan, happened);
        let refused = happened.starts.iter().any(|(_, end)| matches!(end, StartEnd::Blocked { .. }));
        let is_to_go_on = refused || !plan.unread.is_empty() || !report.schedule_runs.is_empty();
        ledger.words.take_in(plan, &report.status);
        for run in &report.schedule_runs {
            ledger.words.take_in_run(&run.status);
            for notice in &run.notices {
                ledger.news.push(format!("ScheduleRun {}: {}: {}", run.name, notice.reason, notice.note));
            }
            cluster.write_run_status(&run.name, &run.uid, &run.status)?;
        }
        if snapshot.status.as_ref() == Some(&report.status) {
            return Ok(is_to_go_on);
        }
        let written = match cluster.write_status(to_value(&report.status)) {
            Ok(Err(refusal)) => {
                ledger.complaints.push(refusal);
                return Ok(false);
            }
            Ok(Ok(())) => Ok(()),
            Err(crashed) => Err(crashed),
        };
        // The write is there, whether or not we live to see it.
        ledger.record(snapshot, plan, happened);
        ledger.history.record(snapshot, plan, happened, &report.status);
        for notice in report.notices.iter().filter(|_| written.is_ok()) {
            ledger.events.push(notice.reason.clone());
            ledger.words.insert(Kind::Event, &notice.reason);
            ledger.history.hear(snapshot.now, notice);
            ledger.news.push(format!("{}: {}", notice.reason, notice.note));
        }
        self.recall.note_stored(&report.status, plan.memory.mark);
        written.map(|()| true)
    }
}

fn try_template(cluster: &Cluster, snapshot: &Snapshot) -> TemplateVerdict {
    let Ok(accepted) = &snapshot.spec else { return TemplateVerdict::Unknown };
    if cluster.creates != Creates::Accepted {
        return TemplateVerdict::Unknown;
    }
    match validate(&accepted.spec.job_template.0) {
        Ok(()) => TemplateVerdict::Accepted,
        Err(message) => TemplateVerdict::Invalid { message },
    }
}

fn key(cluster: &Cluster) -> Key {
    Key { namespace: cluster.schedule.namespace.clone(), name: cluster.schedule.name.clone() }
}

fn to_value(status: &crate::api::ScheduleStatus) -> Value {
    serde_json::to_value(status).unwrap_or_default()
}
