//! Nothing starts from before it was asked for, nor while it is not to.

use jiff::{SignedDuration, Timestamp};
use punctual::api::status::Outcome;
use punctual::time::Slot;

use super::identity::RunId;
use super::scene::{Job, Meaning, Scene, Schedule, slot_of};
use super::{Check, Promise, Verdict, Violation};
use crate::history::Change;

/// It needs no memory.
pub struct NothingRetroactive;

impl Check for NothingRetroactive {
    fn change(&mut self, scene: &Scene, change: &Change, meaning: &Meaning) -> Verdict {
        let Meaning::JobCreated(uid) = meaning else { return Ok(()) };
        let job = &scene.jobs[uid];
        if job.attempt > 1 || !scene.circumstances.is_life(&job.by) {
            return Ok(());
        }
        let schedule = &scene.schedules[&job.schedule_uid];
        let objection = match &job.run {
            RunId::Slot(slot) => objection_to_slot(scene, schedule, job, *slot),
            RunId::ByHand(run) => objection_to_run(scene, schedule, job, run),
        };
        objection.map_or(Ok(()), |why| {
            let what = format!("the {} starts, and {why}", job.run);
            let job = format!("Job {}/{}", job.namespace, job.name);
            Err(Violation::new(Promise::NothingRetroactive, what).of(schedule.title()).of(job).shown_by(change))
        })
    }
}

fn objection_to_slot(scene: &Scene, schedule: &Schedule, job: &Job, slot: Slot) -> Option<String> {
    if slot <= Slot::floor(schedule.created) {
        return Some(format!("its Schedule was created at {}", schedule.created));
    }
    if !schedule.specs.iter().any(|spec| spec.asks_for(slot)) {
        return Some("no version of the trigger ever asked for it".into());
    }
    let known_since = scene.known_since();
    if schedule.gone.is_some_and(|gone| gone < known_since) {
        return Some("its Schedule is gone or on its way there".into());
    }
    if job.may_be_late {
        return None;
    }
    if !schedule.specs_since(known_since).any(|spec| spec.asks_for(slot)) {
        return Some("the trigger does not ask for it any more".into());
    }
    let epoch = schedule.status.epoch.as_ref().map(|it| slot_of(&it.since));
    if epoch.is_none_or(|since| slot <= since) {
        return Some(format!("slots begin after {:?}", epoch.map(Slot::timestamp)));
    }
    let since = schedule.specs_since(known_since).map(since).min().flatten();
    if since.is_some_and(|since| slot.timestamp() < since) {
        return Some(format!("catchUp.since is {since:?}"));
    }
    is_paused(scene, schedule, job, known_since).then(|| "the Schedule is paused".into())
}

fn since(spec: &super::scene::SpecVersion) -> Option<Timestamp> {
    spec.spec.as_ref()?.catch_up.as_ref()?.since.as_ref()?.parse().ok()
}

/// Whether there is a pause that the leader knows of: it had time to see it, or has recorded it.
/// By a clock that is believed a pause ends as much earlier as that is fast.
fn is_paused(scene: &Scene, schedule: &Schedule, job: &Job, known_since: Timestamp) -> bool {
    let just_now = scene.now - SignedDuration::from_secs(2);
    let its_now = scene.now + scene.circumstances.clock_may_be_off(&job.by);
    let asks_since = |since: Timestamp| schedule.specs_since(since).all(|it| it.asks_for_pause(its_now));
    let is_recorded = schedule.status.pauses.iter().any(|it| match it.source.as_str() {
        "Spec" => asks_since(just_now),
        _ => it.generation == Some(schedule.spec().generation) && !may_be_lifted(scene, schedule, it.since.0),
    });
    is_recorded || asks_since(known_since)
}

/// Whether a run by hand has succeeded, which ends a pause by failures.
fn may_be_lifted(scene: &Scene, schedule: &Schedule, since: Timestamp) -> bool {
    let is_by_hand = |job: &&Job| matches!(job.run, RunId::ByHand(_));
    let mut ends = scene.jobs_of(&schedule.uid).filter(is_by_hand).filter_map(|job| job.end.as_ref());
    ends.any(|end| end.outcome == Outcome::Succeeded && end.at >= since)
}

fn objection_to_run(scene: &Scene, schedule: &Schedule, job: &Job, uid: &str) -> Option<String> {
    let run = &scene.runs[uid];
    if Slot::floor(run.created) < Slot::floor(schedule.created) {
        return Some("its Schedule is younger".into());
    }
    let known_since = scene.known_since();
    if [schedule.gone, run.gone].into_iter().flatten().any(|gone| gone < known_since) {
        return Some("it was deleted, or its Schedule was".into());
    }
    let is_copy = run.status.uid.as_deref().is_some_and(|it| it != uid);
    (is_copy && !job.may_be_late).then(|| "it is a copy".into())
}

mod tests {
    use serde_json::json;

    use super::super::tale::{Tale, at};
    use super::NothingRetroactive;
    use crate::history::What;

    #[test]
    fn no_slot_starts_from_before_the_creation_or_that_nobody_asked_for() {
        for (slot, words) in [("09:59:00", "was created at"), ("10:01:30", "ever asked for it")] {
            let mut tale = Tale::begin();
            tale.job("10:02:00", slot);
            tale.breaks(NothingRetroactive, words);
        }
        let mut tale = Tale::begin();
        tale.job("10:01:00", "10:01:00");
        tale.judge(NothingRetroactive).unwrap();
    }

    #[test]
    fn no_slot_starts_under_an_epoch_that_began_after_it() {
        let mut tale = Tale::begin();
        tale.status("10:01:30", |it| it["epoch"] = json!({"hash": "v1:2", "since": at("10:01:30")}));
        tale.job("10:02:00", "10:02:00");
        tale.judge(NothingRetroactive).unwrap();
        tale.job("10:02:01", "10:01:00");
        tale.breaks(NothingRetroactive, "slots begin after");
    }

    #[test]
    fn a_slot_of_the_old_trigger_may_start_for_as_long_as_the_edit_cannot_be_known() {
        let mut tale = Tale::begin();
        tale.edit("10:01:59", |it| it["trigger"] = json!({"cron": "30 * * * *"}));
        tale.job("10:02:00", "10:02:00");
        tale.judge(NothingRetroactive).unwrap();
        tale.job("10:02:03", "10:01:00");
        tale.breaks(NothingRetroactive, "does not ask for it any more");
    }

    #[test]
    fn no_slot_starts_in_a_pause_that_can_be_known() {
        let mut tale = Tale::begin();
        tale.edit("10:01:59", |it| it["paused"] = json!(true));
        tale.job("10:02:00", "10:02:00");
        tale.judge(NothingRetroactive).unwrap();
        tale.job("10:03:00", "10:03:00");
        tale.breaks(NothingRetroactive, "is paused");
    }

    #[test]
    fn a_slot_at_the_end_of_a_pause_may_start_before_that_is_recorded() {
        let mut tale = Tale::of(json!({"paused": true, "pauseUntil": at("10:05:00")}));
        let pause = json!([{"source": "Spec", "since": at("10:00:00"), "until": at("10:05:00")}]);
        tale.status("10:00:02", |it| it["pauses"] = pause);
        tale.job("10:05:00", "10:05:00");
        tale.judge(NothingRetroactive).unwrap();
    }

    #[test]
    fn a_clock_that_is_believed_may_end_a_pause_as_early_as_it_is_off() {
        for (off, is_kept) in [(10_000, true), (9_000, false), (0, false)] {
            let mut tale = Tale::of(json!({"paused": true, "pauseUntil": at("10:05:10")}));
            tale.fact("10:00:30", What::ClockOff("a1".into(), off));
            tale.job("10:05:00", "10:05:00");
            assert_eq!(tale.judge(NothingRetroactive).is_ok(), is_kept, "{off}");
        }
    }

    #[test]
    fn no_slot_starts_once_its_schedule_is_known_to_be_gone() {
        let mut tale = Tale::begin();
        tale.delete_schedule("10:01:59");
        tale.job("10:02:00", "10:02:00");
        tale.judge(NothingRetroactive).unwrap();
        tale.job("10:02:02", "10:01:00");
        tale.breaks(NothingRetroactive, "gone");
    }

    #[test]
    fn what_the_network_held_up_is_not_held_against_anybody() {
        let mut tale = Tale::begin();
        tale.status("10:01:30", |it| it["epoch"] = json!({"hash": "v1:2", "since": at("10:01:30")}));
        tale.fact("10:01:31", What::Slowed("requests".into(), 60_000));
        tale.job("10:02:01", "10:01:00");
        tale.judge(NothingRetroactive).unwrap();
    }
}
