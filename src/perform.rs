//! Performing: a plan is carried out. Nothing is decided here; what happened comes back as data.

use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;

use crate::cluster::Cluster;
use crate::cluster::fault::{self, Fault};
use crate::decide::Snapshot;
use crate::decide::plan::{Plan, Start, Stop, StopHow};
use crate::report::happened::{Happened, StartEnd, TemplateVerdict};
use crate::store::{Key, Store};
use crate::time::Slot;

/// Carries out a plan: starts first and all at once, then everything else.
///
/// # Errors
/// Only [`Fault::NotLeader`] and [`Fault::Fenced`]: another replica acts now, and nothing of this
/// plan may be recorded by us. Other failures are part of what happened.
pub async fn perform(cluster: &Cluster, store: &Store, snapshot: &Snapshot, plan: &Plan) -> Result<Happened, Fault> {
    let starts = join_all(plan.starts.iter().map(|start| create(cluster, store, snapshot, start))).await;
    let starts = plan.starts.iter().cloned().zip(starts).map(|(start, end)| Ok((start, end?)));
    let mut happened = Happened { starts: starts.collect::<Result<_, Fault>>()?, ..Happened::default() };
    if !happened.starts.is_empty() {
        // To be recorded at once: the next decision plans the rest again.
        return Ok(happened);
    }
    for stop in &plan.stops {
        let end = self::stop(cluster, store, snapshot, stop).await;
        note(&mut happened, "stop", &format!("Job {}", stop.job_name), end)?;
    }
    let rest = tidy_up(cluster, store, snapshot, plan, &mut happened);
    until_due(snapshot.now, plan.wake, rest).await.unwrap_or(Ok(()))?;
    Ok(happened)
}

/// Does what nobody waits for until the Schedule is to be looked at again, and leaves off then: under
/// load such requests wait behind all others, and must not hold up the next start. What was not done
/// is planned again.
async fn until_due<T>(now: Timestamp, wake: Option<Timestamp>, work: impl Future<Output = T>) -> Option<T> {
    let patience = wake.map_or(Duration::MAX, |at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
    tokio::time::timeout(patience, work).await.ok()
}

/// Removes what is over, and tries the template.
async fn tidy_up(
    cluster: &Cluster,
    store: &Store,
    snapshot: &Snapshot,
    plan: &Plan,
    happened: &mut Happened,
) -> Result<(), Fault> {
    let namespace = &snapshot.schedule.namespace;
    for removal in &plan.removals {
        let end = cluster.delete_job(namespace, &removal.job_name, &removal.job_uid, "Background").await;
        let end = end.map(|rest| match rest {
            Some(job) => drop(store.put_job(&job)),
            None => store.lose_job(namespace, &removal.job_name),
        });
        note(happened, "delete", &format!("Job {}", removal.job_name), end)?;
    }
    for run in &plan.expired_runs {
        let key = Key { namespace: namespace.clone(), name: run.name.clone() };
        let end = cluster.delete_run(&key, &run.uid).await;
        let is_gone = end.is_ok();
        note(happened, "delete", &format!("ScheduleRun {}", run.name), end)?;
        if is_gone {
            store.remove_schedule_run(&key, &run.uid);
        }
    }
    for ttl in &plan.ttls {
        let end = cluster.set_ttl(namespace, &ttl.job_name, &ttl.job_uid, ttl.seconds).await;
        let end = end.map(|job| drop(store.put_job(&job)));
        note(happened, "set the time to live of", &format!("Job {}", ttl.job_name), end)?;
    }
    if plan.try_template {
        happened.template = Some(try_template(cluster, snapshot).await?);
    }
    Ok(())
}

/// What failed is planned again by the next decision, unless we no longer lead. That something is
/// gone already is what was wanted.
fn note(happened: &mut Happened, what: &str, object: &str, end: Result<(), Fault>) -> Result<(), Fault> {
    match end {
        Ok(()) | Err(Fault::NotFound(_)) => {}
        Err(fault @ (Fault::NotLeader | Fault::Fenced(_))) => return Err(fault),
        Err(fault) => happened.undone = Some(format!("failed to {what} the {object}: {fault}")),
    }
    Ok(())
}

/// Creates the Job of a slot.
async fn create(cluster: &Cluster, store: &Store, snapshot: &Snapshot, start: &Start) -> Result<StartEnd, Fault> {
    let namespace = &snapshot.schedule.namespace;
    let planned = start.origin.slot().filter(|slot| is_on_time(snapshot, *slot));
    let planned = planned.map(|slot| snapshot.planned_starts().map_or(slot, |it| it.of(slot)).timestamp());
    match cluster.create_job(namespace, &start.job, planned).await {
        Ok(job) => {
            store.put_job(&job);
            Ok(job
                .started_as(start, &snapshot.schedule.uid)
                .map_or(StartEnd::NameTaken, |view| StartEnd::Created { job_uid: view.uid, created: view.created }))
        }
        Err(Fault::AlreadyExists(_)) => found_there(cluster, store, snapshot, start).await,
        Err(fault @ (Fault::NotLeader | Fault::Fenced(_))) => Err(fault),
        Err(Fault::Refused(message)) => Ok(StartEnd::Refused { message }),
        Err(fault) => Ok(blocked(fault)),
    }
}

/// A slot at or below the mark has been waiting: its delay says nothing about us.
fn is_on_time(snapshot: &Snapshot, slot: Slot) -> bool {
    let mark = snapshot.status.as_ref().and_then(|it| it.decided_through.as_ref());
    mark.is_some_and(|mark| slot > Slot::floor(mark.0))
}

/// The name is taken: by an earlier create of ours whose answer was lost, or by somebody else.
async fn found_there(cluster: &Cluster, store: &Store, snapshot: &Snapshot, start: &Start) -> Result<StartEnd, Fault> {
    match cluster.job(&snapshot.schedule.namespace, &start.job_name).await {
        Ok(Some(job)) => {
            store.put_job(&job);
            Ok(job.started_as(start, &snapshot.schedule.uid).map_or(StartEnd::NameTaken, StartEnd::FoundOurs))
        }
        Ok(None) => Ok(blocked(Fault::Unknown("a Job of this name was there, and is gone".into()))),
        Err(fault) => Ok(blocked(fault)),
    }
}

fn blocked(fault: Fault) -> StartEnd {
    match fault {
        Fault::Blocked { reason, message } => StartEnd::Blocked { reason, message },
        Fault::NotFound(message) => StartEnd::Blocked { reason: fault::NAMESPACE_TERMINATING, message },
        other => StartEnd::Blocked { reason: fault::API_UNAVAILABLE, message: other.to_string() },
    }
}

async fn stop(cluster: &Cluster, store: &Store, snapshot: &Snapshot, stop: &Stop) -> Result<(), Fault> {
    let namespace = &snapshot.schedule.namespace;
    match stop.how {
        StopHow::Delete => {
            let rest = cluster.delete_job(namespace, &stop.job_name, &stop.job_uid, "Foreground").await?;
            // How a Job that is gone already has ended is told by the watch.
            rest.iter().for_each(|job| drop(store.put_job(job)));
            Ok(())
        }
        StopHow::Suspend => {
            let suspended = cluster.suspend_job(namespace, &stop.job_name, &stop.job_uid, "Replaced").await;
            suspended.map(|job| drop(store.put_job(&job)))
        }
    }
}

/// How the name of a Job that is only tried ends.
const DRY_RUN: &str = "dry-run";

/// Asks the API server whether it would take the Job of the template.
async fn try_template(cluster: &Cluster, snapshot: &Snapshot) -> Result<TemplateVerdict, Fault> {
    let Ok(accepted) = &snapshot.spec else { return Ok(TemplateVerdict::Unknown) };
    let slot = Slot::floor(snapshot.now);
    let (spec, status) = (&accepted.spec, snapshot.status.as_ref());
    let mut job = crate::decide::job::build(&snapshot.schedule, spec, slot.into(), 1, status);
    // A name of its own, of the same length: the dry run must not meet a Job that is there.
    let name = job["metadata"]["name"].as_str().unwrap_or_default();
    let stem: String = name.chars().take(name.len().saturating_sub(DRY_RUN.len())).collect();
    job["metadata"]["name"] = serde_json::json!(stem + DRY_RUN);
    match cluster.try_job(&snapshot.schedule.namespace, &job).await {
        Ok(()) => Ok(TemplateVerdict::Accepted),
        Err(Fault::Refused(message)) => Ok(TemplateVerdict::Invalid { message }),
        Err(fault @ (Fault::NotLeader | Fault::Fenced(_))) => Err(fault),
        Err(_) => Ok(TemplateVerdict::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};

    use super::until_due;

    #[tokio::test(start_paused = true)]
    async fn what_nobody_waits_for_is_left_off_when_the_next_start_is_due() {
        let (now, began) = (Timestamp::UNIX_EPOCH, tokio::time::Instant::now());
        let due = now + SignedDuration::from_secs(3);
        assert_eq!(until_due(now, Some(due), pending::<()>()).await, None);
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        assert_eq!(until_due(now, Some(now), ready("done")).await, Some("done"), "what needs no waiting is done");
        assert_eq!(until_due(now, None, ready("done")).await, Some("done"));
    }
}
