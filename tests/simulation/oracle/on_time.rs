//! Where nothing is wrong, a slot is decided as soon as it is due, and nothing starts before its time.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use punctual::time::Slot;

use super::identity::RunId;
use super::scene::{Job, Meaning, Scene, Schedule};
use super::{Check, Promise, Verdict, Violation};
use crate::history::Change;

/// How long a slot may wait to be decided.
const BOUND: i64 = 5;
/// How long after something was wrong or changed nobody counts on that.
const SETTLE: SignedDuration = SignedDuration::from_secs(90);

/// The slot of each Schedule that is awaited next.
#[derive(Default)]
pub struct OnTime {
    awaited: BTreeMap<String, Awaited>,
}

#[derive(Clone, Copy, PartialEq)]
struct Awaited {
    /// After which mark, and under which version of the spec.
    after: (Slot, usize),
    /// The slot, and when it has to be decided; none in sight.
    slot: Option<(Slot, Timestamp)>,
}

impl Check for OnTime {
    fn change(&mut self, scene: &Scene, change: &Change, meaning: &Meaning) -> Verdict {
        let Meaning::JobCreated(uid) = meaning else { return Ok(()) };
        is_not_early(scene, change, &scene.jobs[uid])
    }

    fn time(&mut self, scene: &Scene) -> Verdict {
        let Some(calm) = scene.circumstances.undisturbed_since() else { return Ok(()) };
        if calm + SETTLE > scene.now {
            return Ok(());
        }
        for schedule in scene.schedules.values() {
            self.is_decided(scene, schedule, calm)?;
        }
        Ok(())
    }
}

impl OnTime {
    fn is_decided(&mut self, scene: &Scene, schedule: &Schedule, calm: Timestamp) -> Verdict {
        let Some(mark) = schedule.mark().filter(|_| is_looked_after(schedule)) else { return Ok(()) };
        let after = (mark, schedule.specs.len());
        let entry = self.awaited.entry(schedule.uid.clone()).or_insert(Awaited { after, slot: next(schedule, mark) });
        if entry.after != after {
            *entry = Awaited { after, slot: next(schedule, mark) };
        }
        let Some((slot, until)) = entry.slot.filter(|(_, until)| *until < scene.now) else { return Ok(()) };
        let settled = calm.max(schedule.spec().since).max(schedule.tampered.unwrap_or(calm)) + SETTLE;
        let has_job = scene.job_of_slot(&schedule.uid, slot).is_some();
        if slot.timestamp() < settled || has_job {
            return Ok(());
        }
        let what = format!("{} is not decided at {until}, and nothing was wrong since {calm}", RunId::Slot(slot));
        Err(Violation::new(Promise::OnTime, what).of(schedule.title()))
    }
}

/// The first slot after the mark, and until when it has to be decided.
fn next(schedule: &Schedule, mark: Slot) -> Option<(Slot, Timestamp)> {
    let spec = schedule.spec();
    let slot = spec.trigger.as_ref()?.next(mark).slot()?;
    Some((slot, spec.latest_start(slot).plus_seconds(BOUND).timestamp()))
}

/// Whether its slots are to be decided.
fn is_looked_after(schedule: &Schedule) -> bool {
    let status = &schedule.status;
    let is_doubted = status.conditions.iter().any(|it| it.type_ == "ClockSkew" && it.status == "True");
    let is_paused = !status.pauses.is_empty() || schedule.spec().spec.as_ref().is_none_or(|it| it.paused == Some(true));
    schedule.gone.is_none() && !is_paused && !is_doubted && status.max_runs_reached.is_none()
}

/// Nothing starts before its time, by as much as the clock of who started it may be trusted.
fn is_not_early(scene: &Scene, change: &Change, job: &Job) -> Verdict {
    let RunId::Slot(slot) = &job.run else { return Ok(()) };
    let off = scene.circumstances.clock_may_be_off(&job.by);
    if job.created + off >= slot.timestamp() || !scene.circumstances.is_life(&job.by) {
        return Ok(());
    }
    let what = format!("the {} starts {:#} early", job.run, slot.timestamp().duration_since(job.created));
    Err(Violation::new(Promise::OnTime, what).of(format!("Job {}/{}", job.namespace, job.name)).shown_by(change))
}

mod tests {
    use serde_json::json;

    use super::super::tale::{Tale, at};
    use super::OnTime;
    use crate::history::What;

    #[test]
    fn a_slot_that_nobody_decides_is_noticed_after_five_seconds() {
        let mut tale = Tale::begin();
        tale.status("10:10:00", |it| it["decidedThrough"] = at("10:10:00"));
        tale.lease("10:11:05", "a1", 7);
        tale.judge(OnTime::default()).unwrap();
        tale.lease("10:11:06", "a1", 7);
        tale.breaks(OnTime::default(), "is not decided");
    }

    #[test]
    fn nobody_is_late_who_was_disturbed_or_is_not_to_decide() {
        let paused = json!({"paused": true});
        for (spec, fact) in
            [(json!({}), Some(What::Killed("b1".into()))), (paused, None), (json!({"jitter": "30s"}), None)]
        {
            let mut tale = Tale::of(spec);
            tale.status("10:10:00", |it| it["decidedThrough"] = at("10:10:00"));
            fact.into_iter().for_each(|it| tale.fact("10:10:30", it));
            tale.lease("10:11:20", "a1", 7);
            tale.judge(OnTime::default()).unwrap();
        }
    }

    #[test]
    fn nothing_starts_early_but_by_a_clock_that_is_off() {
        let mut tale = Tale::begin();
        tale.fact("10:00:30", What::ClockOff("a1".into(), 20_000));
        tale.job("10:01:45", "10:02:00");
        tale.judge(OnTime::default()).unwrap();
        tale.job("10:02:30", "10:03:00");
        tale.breaks(OnTime::default(), "30s early");
    }
}
