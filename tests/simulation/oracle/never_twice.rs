//! One run and attempt: one Job, whose name says so.

use std::collections::BTreeMap;

use punctual::time::Slot;

use super::identity::{self, RunId};
use super::scene::{Job, Meaning, Scene, owner};
use super::{Check, Promise, Verdict, Violation};
use crate::history::Change;

/// The Jobs there were, by Schedule, run and attempt: their UIDs.
#[derive(Default)]
pub struct NeverTwice {
    created: BTreeMap<(String, RunId, u32), String>,
}

impl Check for NeverTwice {
    fn change(&mut self, scene: &Scene, change: &Change, meaning: &Meaning) -> Verdict {
        match meaning {
            Meaning::JobCreated(uid) => self.is_the_only_one(scene, change, &scene.jobs[uid]),
            _ if change.resource == "jobs" && change.before.is_none() => is_named(scene, change),
            _ => Ok(()),
        }
    }
}

impl NeverTwice {
    fn is_the_only_one(&mut self, scene: &Scene, change: &Change, job: &Job) -> Verdict {
        let schedule = &scene.schedules[&job.schedule_uid];
        let name = match &job.run {
            RunId::Slot(slot) => identity::name_of_slot(&schedule.name, &schedule.uid, *slot, job.attempt),
            RunId::ByHand(uid) => {
                let created = Slot::floor(scene.runs[uid].created);
                identity::name_of_run(&schedule.name, &schedule.uid, created, uid, job.attempt)
            }
        };
        if name != job.name {
            return Err(broken(format!("the Job should have the name {name}"), change));
        }
        let key = (job.schedule_uid.clone(), job.run.clone(), job.attempt);
        if let Some(first) = self.created.insert(key, job.uid.clone()).map(|uid| &scene.jobs[&uid])
            && !may_come_again(scene, first)
        {
            let what = format!("attempt {} of {} has a second Job", job.attempt, job.run);
            let shown = format!("{} version {}: the first was created by {}", first.created, first.version, first.by);
            return Err(broken(what, change).of(schedule.title()).shown_by(shown));
        }
        if !job.was_expected && scene.circumstances.is_life(&job.by) && !job.may_be_late {
            let what = format!("{} has been decided, and yet attempt {} of it starts", job.run, job.attempt);
            return Err(broken(what, change).of(schedule.title()));
        }
        Ok(())
    }
}

/// Whether a run whose Job is gone may start again: nobody could know of it. Somebody else deleted it
/// before status told of it, or put an older status in the place of what told of it.
fn may_come_again(scene: &Scene, first: &Job) -> bool {
    let is_gone = first.gone.is_some();
    let was_unknown = first.told.is_none() && !scene.circumstances.is_life(&first.gone_by);
    let tampered = scene.schedules[&first.schedule_uid].tampered;
    is_gone && (was_unknown || tampered.is_some_and(|at| at > first.created))
}

/// What a replica creates for a Schedule is named after it.
fn is_named(scene: &Scene, change: &Change) -> Verdict {
    let of_ours = change.after.as_ref().filter(|it| owner(it, "Schedule").is_some());
    if of_ours.is_none() || !scene.circumstances.is_life(&change.by) {
        return Ok(());
    }
    Err(broken("the name of the Job is not that of any run of its Schedule".into(), change))
}

fn broken(what: String, change: &Change) -> Violation {
    Violation::new(Promise::NeverTwice, what).of(format!("Job {}/{}", change.namespace, change.name)).shown_by(change)
}

mod tests {
    use super::super::tale::{Tale, at};
    use super::NeverTwice;

    #[test]
    fn a_second_job_of_one_attempt_is_one_too_many_even_if_the_first_is_gone() {
        let mut tale = Tale::begin();
        let first = tale.job("10:02:00", "10:02:00");
        tale.status("10:02:01", |it| it["decidedThrough"] = at("10:02:00"));
        tale.remove_job("10:05:00", &first, "a1");
        tale.job("10:06:00", "10:02:00");
        tale.breaks(NeverTwice::default(), "has a second Job");
    }

    #[test]
    fn a_job_that_a_user_deleted_before_anybody_told_of_it_may_come_again() {
        let mut tale = Tale::begin();
        let first = tale.job("10:02:00", "10:02:00");
        tale.remove_job("10:02:01", &first, "user");
        tale.job("10:02:02", "10:02:00");
        tale.judge(NeverTwice::default()).unwrap();
    }

    #[test]
    fn the_job_of_another_attempt_or_slot_is_another_one() {
        let mut tale = Tale::begin();
        tale.job("10:01:00", "10:01:00");
        tale.job("10:02:00", "10:02:00");
        tale.judge(NeverTwice::default()).unwrap();
    }

    #[test]
    fn a_run_that_status_has_decided_does_not_start() {
        let mut tale = Tale::begin();
        tale.status("10:01:02", |it| it["decidedThrough"] = at("10:01:00"));
        tale.job("10:01:03", "10:01:00");
        tale.breaks(NeverTwice::default(), "has been decided");
    }

    #[test]
    fn one_that_waits_below_the_mark_starts() {
        let mut tale = Tale::begin();
        tale.status("10:01:02", |it| {
            it["decidedThrough"] = at("10:01:00");
            it["pending"] =
                serde_json::json!([{"slotTime": at("10:01:00"), "why": "CatchUp", "since": at("10:01:02")}]);
        });
        tale.job("10:01:03", "10:01:00");
        tale.judge(NeverTwice::default()).unwrap();
    }

    #[test]
    fn a_request_that_was_long_on_its_way_is_nobodys_decision() {
        let mut tale = Tale::begin();
        tale.status("10:01:02", |it| it["decidedThrough"] = at("10:01:00"));
        tale.fact("10:01:02", crate::history::What::Slowed("requests".into(), 60_000));
        tale.job("10:01:03", "10:01:00");
        tale.judge(NeverTwice::default()).unwrap();
    }

    #[test]
    fn a_job_that_is_not_named_after_its_run_could_come_twice() {
        let mut tale = Tale::begin();
        tale.job_named("10:01:00", "nightly-20260601100100-x7f3k2m5qp");
        tale.breaks(NeverTwice::default(), "not that of any run");
    }
}
