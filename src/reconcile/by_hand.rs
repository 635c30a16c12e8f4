//! What is stored of ScheduleRuns, those whose Schedule is not there included.

use jiff::Timestamp;

use super::Reconciler;
use crate::api::ObservedSchedule;
use crate::cluster::fault::Fault;
use crate::gather::Circumstances;
use crate::report::manual::{ScheduleRunReport, without_schedule};
use crate::store::Key;
use crate::telemetry::Regarding;

/// What became of ScheduleRuns whose Schedule the store does not know.
pub(super) enum Orphans {
    /// There is one after all.
    Have(Box<ObservedSchedule>),
    /// They are over.
    Ended {
        /// When the first of those that are left expires.
        wake: Option<Timestamp>,
        /// Whether anything was stored.
        wrote: bool,
    },
}

impl Reconciler {
    /// Stores what is to be told of ScheduleRuns, all of it that can be. Answers whether anything was.
    pub(super) async fn store_schedule_runs(
        &self,
        schedule: &Key,
        reports: &[ScheduleRunReport],
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let mut fault = None;
        for report in reports {
            match self.store_schedule_run(schedule, report, now).await {
                Ok(()) => {}
                Err(not_leader @ (Fault::NotLeader | Fault::Fenced(_))) => return Err(not_leader),
                Err(other) => fault = Some(other),
            }
        }
        fault.map_or(Ok(!reports.is_empty()), Err)
    }

    async fn store_schedule_run(
        &self,
        schedule: &Key,
        report: &ScheduleRunReport,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let key = Key { namespace: schedule.namespace.clone(), name: report.name.clone() };
        match self.cluster.write_run_status(&key, &report.version, &report.status).await {
            Ok(written) => self.store.update_schedule_run(&written),
            Err(Fault::NotFound(_)) => {
                self.store.remove_schedule_run(&key, &report.uid);
                return Ok(());
            }
            Err(fault @ (Fault::Conflict(_) | Fault::Unknown(_))) => {
                // Somebody else changed it, or nobody knows: the next decision rests on what is there.
                let there = self.cluster.schedule_run(&key).await?;
                self.store.lose_schedule_run(&key);
                if let Some(there) = there {
                    self.store.put_schedule_run(&there);
                }
                return Err(fault);
            }
            Err(fault) => return Err(fault),
        }
        let regarding = Regarding { kind: "ScheduleRun", namespace: &key.namespace, name: &key.name, uid: &report.uid };
        for notice in &report.notices {
            // What has a Job is told of the Schedule as well.
            if notice.job_name.is_none() {
                super::log(schedule, notice);
            }
            self.events.send(regarding, notice, now);
        }
        Ok(())
    }

    /// Ends the ScheduleRuns that name no Schedule, and removes those that have expired. That there is
    /// none is asked of the API server: the watch may lag behind.
    pub(super) async fn end_without_schedule(&self, key: &Key, now: Circumstances) -> Result<Orphans, Fault> {
        let runs = self.store.schedule_runs(key);
        if runs.is_empty() || now.clock_skew.is_some() {
            return Ok(Orphans::Ended { wake: None, wrote: false });
        }
        if let Some(there) = self.cluster.schedule(key).await? {
            return Ok(Orphans::Have(Box::new(there)));
        }
        let reports: Vec<ScheduleRunReport> = runs.iter().filter_map(|it| without_schedule(it, now.now)).collect();
        let wrote = self.store_schedule_runs(key, &reports, now.now).await?;
        let mut wake = None;
        for run in runs.iter().filter(|it| !it.deleting) {
            let Some(expiration) = &run.status.expiration_time else { continue };
            if expiration.0 > now.now {
                wake = Some(wake.map_or(expiration.0, |at: Timestamp| at.min(expiration.0)));
                continue;
            }
            let key = Key { namespace: key.namespace.clone(), name: run.name.clone() };
            self.cluster.delete_run(&key, &run.uid).await?;
            self.store.remove_schedule_run(&key, &run.uid);
        }
        Ok(Orphans::Ended { wake, wrote })
    }
}
