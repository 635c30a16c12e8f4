//! When everything is over, everything is in order: nothing is left to do, nothing is left behind.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use punctual::api::status::{Origin, RunState};
use punctual::time::Slot;

use super::scene::{Scene, Schedule, is_leader_lease, owner};
use super::{Check, Promise, Verdict, Violation};

/// How long after its last reason something may still be on its way.
const SETTLE: SignedDuration = SignedDuration::from_secs(30);

/// It needs no memory.
pub struct AtRest;

impl Check for AtRest {
    fn rest(&mut self, scene: &Scene) -> Verdict {
        no_orphans(scene)?;
        runs_by_hand(scene)?;
        for schedule in scene.schedules.values().filter(|it| it.gone.is_none()) {
            let judged = nothing_is_due(scene, schedule)
                .and_then(|()| nothing_waits(schedule))
                .and_then(|()| active_is_true(scene, schedule))
                .and_then(|()| conditions(scene, schedule));
            judged.map_err(|it| it.of(schedule.title()))?;
        }
        Ok(())
    }
}

/// What was owned by something that is gone is gone, and so are the Leases of runs that are over.
fn no_orphans(scene: &Scene) -> Verdict {
    for job in scene.jobs.values().filter(|it| it.gone.is_none()) {
        let gone = scene.schedules[&job.schedule_uid].gone;
        if gone.is_some_and(|gone| gone + SETTLE < scene.now) {
            return Err(broken("its Schedule is gone").of(format!("Job {}/{}", job.namespace, job.name)));
        }
    }
    for ((resource, namespace, name), object) in &scene.others {
        let Some(job) = owner(object, "Job").and_then(|uid| scene.jobs.get(uid)) else { continue };
        let gone = job.gone.is_some_and(|gone| gone + SETTLE < scene.now);
        let over = *resource == "leases" && !is_leader_lease(resource, object) && is_over(scene, &job.uid);
        if gone || over {
            let why = if gone { "its Job is gone" } else { "its run is over" };
            return Err(broken(why).of(format!("{resource} {namespace}/{name}")));
        }
    }
    Ok(())
}

/// Whether no status tells of a Job as one that runs, and it has ended long ago.
fn is_over(scene: &Scene, job_uid: &str) -> bool {
    let job = &scene.jobs[job_uid];
    let has_ended = job.end.as_ref().is_some_and(|end| end.at + SETTLE < scene.now);
    let active = &scene.schedules[&job.schedule_uid].status.active;
    has_ended && !active.iter().any(|it| it.job_uid == job_uid && it.state != RunState::Backoff)
}

/// Each ScheduleRun is over or under way, and leaves when it has expired.
fn runs_by_hand(scene: &Scene) -> Verdict {
    for run in scene.runs.values().filter(|it| it.gone.is_none() && it.created + SETTLE < scene.now) {
        let of_name = |it: &&Schedule| it.gone.is_none() && it.namespace == run.namespace && it.name == run.schedule;
        let is_it = |origin: &Origin| *origin == Origin::ScheduleRun(run.name.clone());
        let under_way = scene.schedules.values().find(of_name).is_some_and(|it| {
            let unreadable = it.spec().spec.is_none();
            let waits = it.status.pending.iter().any(|it| is_it(&it.origin));
            unreadable || waits || it.status.active.iter().any(|it| is_it(&it.origin))
        });
        let title = format!("ScheduleRun {}/{}", run.namespace, run.name);
        if run.status.outcome.is_none() && !under_way {
            return Err(broken("it has no outcome, and nothing is under way").of(title));
        }
        if run.status.expiration_time.as_ref().is_some_and(|at| at.0 + SETTLE < scene.now)
            && run.status.outcome.is_some()
        {
            return Err(broken("it has expired and is still there").of(title));
        }
    }
    Ok(())
}

/// No slot is due that is not decided.
fn nothing_is_due(scene: &Scene, schedule: &Schedule) -> Verdict {
    let Some(mark) = schedule.mark() else {
        let is_new = schedule.created + SETTLE > scene.now;
        return if is_new { Ok(()) } else { Err(broken("nobody has looked at it")) };
    };
    if is_paused(schedule) || schedule.status.max_runs_reached.is_some() {
        return Ok(());
    }
    let spec = schedule.spec();
    let Some(slot) = spec.trigger.as_ref().and_then(|it| it.next(mark).slot()) else { return Ok(()) };
    if spec.latest_start(slot) < Slot::floor(scene.now - SETTLE) {
        return Err(broken(format!("the slot {} is due and not decided", slot.timestamp())));
    }
    Ok(())
}

fn is_paused(schedule: &Schedule) -> bool {
    !schedule.status.pauses.is_empty()
}

/// What waits, waits for a place.
fn nothing_waits(schedule: &Schedule) -> Verdict {
    let Some(spec) = &schedule.spec().spec else { return Ok(()) };
    let slots_start = !is_paused(schedule) && schedule.spec().trigger.is_some();
    let has_place = schedule.status.active.len() < spec.concurrency_limit();
    let waiting = schedule.status.pending.iter().find(|it| slots_start || it.origin.slot().is_none());
    match waiting.filter(|_| has_place) {
        Some(it) => Err(broken(format!("{} waits ({}), and there is a place", it.origin, it.why))),
        None => Ok(()),
    }
}

/// Status tells of exactly the runs that are active.
fn active_is_true(scene: &Scene, schedule: &Schedule) -> Verdict {
    let told: BTreeSet<&str> = schedule.status.active.iter().map(|it| it.job_uid.as_str()).collect();
    for run in schedule.status.active.iter().filter(|it| it.state != RunState::Backoff) {
        let job = scene.jobs.get(&run.job_uid);
        let is_there =
            job.is_some_and(|it| it.gone.is_none() && it.end.as_ref().is_none_or(|end| end.at + SETTLE > scene.now));
        if !is_there {
            return Err(broken(format!("the run of {} is told to be active, and is not", run.job_name)));
        }
    }
    let mut untold = scene.jobs_of(&schedule.uid).filter(|it| it.is_at_work() && it.created + SETTLE < scene.now);
    untold
        .find(|it| !told.contains(it.uid.as_str()))
        .map_or(Ok(()), |job| Err(broken(format!("Job {} is at work, and status does not tell of it", job.name))))
}

/// Status speaks of the spec that is there, and of no trouble that is over.
fn conditions(scene: &Scene, schedule: &Schedule) -> Verdict {
    let (spec, status) = (schedule.spec(), &schedule.status);
    if spec.since + SETTLE > scene.now {
        return Ok(());
    }
    if status.observed_generation != Some(spec.generation) {
        let observed = status.observed_generation;
        return Err(broken(format!("generation {} is there, and {observed:?} was observed", spec.generation)));
    }
    let of_type = |kind: &str| status.conditions.iter().find(|it| it.type_ == kind).map(|it| it.status.as_str());
    let works = spec.trigger.as_ref().is_some_and(|it| !it.never_fires());
    if works
        && of_type("Ready") != Some("True")
        && status.state.as_deref() != Some("InvalidTemplate")
        && status.state.as_deref() != Some("InvalidSpec")
    {
        return Err(broken(format!("the trigger works, and it is {:?}", status.state)));
    }
    if !works && of_type("Stalled") != Some("True") {
        return Err(broken(format!("the trigger cannot work, and it is {:?}", status.state)));
    }
    let trouble = ["StartBlocked", "ClockSkew"].into_iter().find(|kind| of_type(kind) == Some("True"));
    trouble.map_or(Ok(()), |kind| Err(broken(format!("nothing is wrong any more, and {kind} is True"))))
}

fn broken(what: impl Into<String>) -> Violation {
    Violation::new(Promise::AtRest, what)
}

mod tests {
    use serde_json::{Value, json};

    use super::super::tale::{Tale, at};
    use super::AtRest;

    const READY: &str = r#"[{"type":"Ready","status":"True","reason":"Scheduled","message":"","lastTransitionTime":"2026-06-01T10:00:00Z"}]"#;

    /// One that has been looked at until 10:10:00.
    fn at_rest(more: impl FnOnce(&mut Value)) -> Tale {
        let mut tale = Tale::begin();
        tale.status("10:10:01", |it| {
            it["decidedThrough"] = at("10:10:00");
            it["conditions"] = serde_json::from_str(READY).unwrap();
            more(it);
        });
        tale
    }

    #[test]
    fn nothing_is_left_to_do() {
        at_rest(|_| ()).judge_rest(AtRest, "10:11:29").unwrap();
        at_rest(|_| ()).breaks_at_rest(AtRest, "10:11:31", "is due and not decided");
        let waiting = json!([{"slotTime": at("10:10:00"), "why": "Retrying", "since": at("10:10:00")}]);
        at_rest(|it| it["pending"] = waiting).breaks_at_rest(AtRest, "10:10:30", "there is a place");
        let unseen = |it: &mut Value| it["observedGeneration"] = json!(0);
        at_rest(unseen).breaks_at_rest(AtRest, "10:10:30", "was observed");
        let blocked = |it: &mut Value| it["conditions"][1] = json!({"type": "StartBlocked", "status": "True", "reason": "", "message": "", "lastTransitionTime": at("10:00:00")});
        let mut tale = Tale::begin();
        tale.status("10:10:01", |it| {
            it["decidedThrough"] = at("10:10:00");
            it["conditions"] = json!([serde_json::from_str::<Value>(READY).unwrap()[0], null]);
            blocked(it);
        });
        tale.breaks_at_rest(AtRest, "10:10:30", "StartBlocked is True");
    }

    #[test]
    fn a_run_that_is_told_of_is_there_and_one_that_is_there_is_told_of() {
        let mut tale = at_rest(|_| ());
        let job = tale.job("10:10:02", "10:10:00");
        tale.judge_rest(AtRest, "10:10:20").unwrap();
        tale.breaks_at_rest(AtRest, "10:10:40", "does not tell of it");
        let active = tale.active("10:10:00", &job);
        tale.status("10:10:03", |it| it["active"] = json!([active]));
        tale.judge_rest(AtRest, "10:10:40").unwrap();
        tale.end_job("10:10:05", &job, "Complete");
        tale.breaks_at_rest(AtRest, "10:10:40", "told to be active");
    }

    #[test]
    fn the_lease_of_a_run_that_is_over_is_gone() {
        let mut tale = at_rest(|_| ());
        let job = tale.job("10:10:02", "10:10:00");
        tale.create(
            "10:10:03",
            "a1",
            "leases",
            json!({"metadata": {"namespace": "team", "name": job, "uid": "l-2",
            "ownerReferences": [{"kind": "Job", "uid": tale.uid(&job)}]}}),
        );
        tale.end_job("10:10:05", &job, "Complete");
        tale.judge_rest(AtRest, "10:10:30").unwrap();
        tale.breaks_at_rest(AtRest, "10:10:40", "its run is over");
    }

    #[test]
    fn jobs_of_a_schedule_that_is_gone_are_gone() {
        let mut tale = at_rest(|_| ());
        let job = tale.job("10:10:02", "10:10:00");
        tale.delete_schedule("10:10:03");
        tale.breaks_at_rest(AtRest, "10:10:40", "its Schedule is gone");
        tale.remove_job("10:10:04", &job, "garbage");
        tale.judge_rest(AtRest, "10:10:40").unwrap();
    }
}
