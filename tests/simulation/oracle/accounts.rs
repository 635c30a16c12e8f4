//! Every slot that the mark passes has exactly one outcome, or waits; and the mark never goes back.
//!
//! Each write of a status is held against the one before it: what the trigger asked for between both
//! marks is what entered the counts and the queue in between, no more and no less. What is decided
//! was decided on the spec that was stored at that time, because the version is checked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use punctual::api::ScheduleStatus;
use punctual::api::status::Outcome;
use punctual::time::Slot;

use super::identity::RunId;
use super::scene::{Job, Meaning, Scene, Schedule, StatusWrite, slot_of};
use super::{Check, Promise, Verdict, Violation};
use crate::history::Change;

/// A Job that came so lately may not be recorded yet.
const SETTLE: SignedDuration = SignedDuration::from_secs(30);
/// Beyond so many slots a count is a lower bound.
const COUNTED: u64 = 1000;

/// What is known of each Schedule beside its status.
#[derive(Default)]
pub struct Accounts {
    books: BTreeMap<String, Book>,
}

#[derive(Default)]
struct Book {
    /// The trigger that each epoch is the life of.
    triggers: BTreeMap<String, String>,
    /// The highest mark so far.
    mark: Option<Slot>,
    /// Slots above the mark that were counted already: their Jobs were found.
    early: BTreeSet<Slot>,
}

impl Check for Accounts {
    fn change(&mut self, scene: &Scene, change: &Change, meaning: &Meaning) -> Verdict {
        let Meaning::Status(write) = meaning else { return Ok(()) };
        let book = self.books.entry(write.schedule_uid.clone()).or_default();
        if !write.is_ours {
            // Whoever puts another status in its place has to answer for it.
            *book = Book { mark: write.after.decided_through.as_ref().map(slot_of), ..Book::default() };
            return Ok(());
        }
        book.judge(scene, write).map_err(|it| it.of(scene.schedules[&write.schedule_uid].title()).shown_by(change))
    }

    fn rest(&mut self, scene: &Scene) -> Verdict {
        let there = scene.schedules.values().filter(|it| it.gone.is_none() && it.tampered.is_none());
        there.filter(|it| it.spec().spec.is_some()).try_for_each(|it| counts_what_started(scene, it))
    }
}

/// At rest as many slots are counted as started as have Jobs. What turned up late, over and unseen, or
/// went by a user's hand before anybody told of it, may be counted or not.
fn counts_what_started(scene: &Scene, schedule: &Schedule) -> Verdict {
    let slots = |which: &dyn Fn(&Job) -> bool| -> BTreeSet<Slot> {
        let jobs = scene.jobs_of(&schedule.uid).filter(|job| which(job));
        jobs.filter_map(|job| if let RunId::Slot(slot) = &job.run { Some(*slot) } else { None }).collect()
    };
    let all = slots(&|_| true);
    let is_old = |job: &Job| job.created + SETTLE < scene.now;
    let sure = slots(&|job| is_old(job) && job.was_expected && (job.told.is_some() || job.gone.is_none()));
    let started = schedule.status.counts.slots.get("Started").copied().unwrap_or(0);
    if (count(sure.len())..=count(all.len())).contains(&started) {
        return Ok(());
    }
    let (sure, all) = (sure.len(), all.len());
    let what = format!("{started} slots are counted as started, and of {all} with a Job {sure} must be");
    Err(broken(what).of(schedule.title()))
}

impl Book {
    fn judge(&mut self, scene: &Scene, write: &StatusWrite) -> Verdict {
        let (before, after) = (&*write.before, &*write.after);
        is_told_once(after)?;
        let Some(mark) = after.decided_through.as_ref().map(slot_of) else {
            return before.decided_through.as_ref().map_or(Ok(()), |_| Err(broken("the mark is gone")));
        };
        if self.mark.is_some_and(|highest| mark < highest) {
            let highest = self.mark.map(Slot::timestamp);
            return Err(broken(format!("the mark went back to {} from {highest:?}", mark.timestamp())));
        }
        self.mark = Some(mark);
        if decided(before) == decided(after) {
            return Ok(());
        }
        let told = told(after) - told(before);
        match before.decided_through.as_ref().map(slot_of) {
            None => first_sight(scene, write, mark)?,
            Some(_) if before.epoch != after.epoch => self.new_epoch(write, mark, told)?,
            Some(old) => self.same_epoch(scene, write, (old, mark), told)?,
        }
        if let Some(epoch) = &after.epoch {
            self.triggers.entry(epoch.hash.clone()).or_insert_with(|| write.spec.trigger_text.clone());
        }
        let early = started(after).difference(&started(before)).copied().collect::<BTreeSet<_>>();
        self.early.extend(early);
        self.early.retain(|slot| *slot > mark);
        Ok(())
    }

    /// A change of the trigger: what the old one left is told of, and nothing of the new one is from
    /// before it was seen.
    fn new_epoch(&self, write: &StatusWrite, mark: Slot, told: i64) -> Verdict {
        let (before, after) = (&*write.before, &*write.after);
        let (Some(old), Some(new)) = (&before.epoch, &after.epoch) else { return Ok(()) };
        if slot_of(&new.since) != mark {
            return Err(broken("an epoch begins, and not at the mark"));
        }
        if told < 0 {
            return Err(broken(format!("{} slots lost their outcome with the new epoch", -told)));
        }
        if self.triggers.get(&old.hash) == Some(&write.spec.trigger_text) {
            return Err(broken("an epoch began although the trigger is the same"));
        }
        Ok(())
    }

    /// What the trigger asked for between two marks is told of.
    fn same_epoch(&self, scene: &Scene, write: &StatusWrite, marks: (Slot, Slot), told: i64) -> Verdict {
        let (before, after) = (&*write.before, &*write.after);
        let hash = after.epoch.as_ref().map(|it| it.hash.as_str()).unwrap_or_default();
        if self.triggers.get(hash).is_some_and(|it| *it != write.spec.trigger_text) {
            return Err(broken("slots were decided by a trigger that has no epoch yet"));
        }
        // Without a trigger only what has started can be decided.
        let Some(trigger) = &write.spec.trigger else { return Ok(()) };
        let asked = trigger.count(marks.0, marks.1, COUNTED + 1);
        let new: Vec<Slot> = started(after).difference(&started(before)).copied().collect();
        let above = new.iter().filter(|slot| **slot > marks.1).count();
        // Of those decided otherwise before, a Job turned up.
        let corrected: Vec<Slot> =
            new.iter().copied().filter(|slot| *slot <= marks.0 && !is_waiting(before, *slot)).collect();
        could_not_be_known(scene, write, &corrected)?;
        let corrected = corrected.len();
        let was_early = self.early.iter().filter(|slot| **slot > marks.0 && **slot <= marks.1).count();
        let due = i64::try_from(asked).unwrap_or(i64::MAX) + count(above) - count(was_early);
        let none_are_asked_for = before.max_runs_reached.is_some();
        let is_right = match told {
            _ if asked > COUNTED => told > 0,
            _ if none_are_asked_for => (0..=due + count(corrected)).contains(&told),
            _ => (due..=due + count(corrected)).contains(&told),
        };
        if is_right {
            return Ok(());
        }
        let (from, to) = (marks.0.timestamp(), marks.1.timestamp());
        let violation =
            broken(format!("of the slots after {from} up to {to} there are {due} to be told of, and {told} were"));
        let jobs =
            scene.jobs_of(&write.schedule_uid).filter(|job| matches!(&job.run, RunId::Slot(slot) if *slot > marks.0));
        Err(jobs.fold(violation, |it, job| {
            it.shown_by(format!("{} Job {} was created by {}", job.created, job.name, job.by))
        }))
    }
}

/// A slot is decided otherwise only while it has no Job, for all that was stored: its Job came later, or
/// by a request that the network held up.
fn could_not_be_known(scene: &Scene, write: &StatusWrite, corrected: &[Slot]) -> Verdict {
    if scene.schedules[&write.schedule_uid].tampered.is_some() {
        return Ok(());
    }
    let mut jobs = corrected.iter().filter_map(|slot| scene.job_of_slot(&write.schedule_uid, *slot));
    let Some(job) = jobs.find(|job| job.was_expected && !job.may_be_late) else { return Ok(()) };
    let what = format!("{} was decided as if it had not started, and {} was there", job.run, job.name);
    Err(broken(what).shown_by(format!("{} version {}: created by {}", job.created, job.version, job.by)))
}

/// The first look: the mark is the creation, or now if that is not the first status.
fn first_sight(scene: &Scene, write: &StatusWrite, mark: Slot) -> Verdict {
    let created = Slot::floor(scene.schedules[&write.schedule_uid].created);
    if mark < created {
        return Err(broken("the first mark lies before the creation"));
    }
    let after = &*write.after;
    let settled_only = after.counts.slots.keys().all(|it| it == Outcome::BeforeCreation.as_str());
    if !settled_only || !after.pending.is_empty() || !after.active.is_empty() {
        return Err(broken("more than the mark is decided at first sight"));
    }
    Ok(())
}

/// No slot is told of in two places.
fn is_told_once(status: &ScheduleStatus) -> Verdict {
    let mut seen = BTreeSet::new();
    let waiting = status.pending.iter().map(|it| &it.origin);
    let runs = status.active.iter().map(|it| &it.origin);
    for origin in waiting.chain(runs) {
        if !seen.insert(format!("{origin:?}")) {
            return Err(broken(format!("{origin:?} is told of twice among what waits and runs")));
        }
    }
    Ok(())
}

/// The part of status that decisions change.
fn decided(status: &ScheduleStatus) -> impl PartialEq + '_ {
    (&status.decided_through, &status.epoch, &status.pending, &status.active, &status.counts.slots)
}

/// How many slots are told of, those that wait included.
fn told(status: &ScheduleStatus) -> i64 {
    let waiting = status.pending.iter().filter(|it| it.origin.slot().is_some()).count();
    status.counts.slots.values().sum::<i64>() + count(waiting)
}

/// Slots that have started, as far as status still names them one by one.
fn started(status: &ScheduleStatus) -> BTreeSet<Slot> {
    let alone = status.outcomes.iter().filter(|it| it.last_slot_time.is_none());
    let of_run = alone.filter(|it| it.outcome.is_of_run() || it.outcome == Outcome::Started);
    let active = status.active.iter().filter_map(|it| it.origin.slot());
    of_run.map(|it| slot_of(&it.slot_time)).chain(active).collect()
}

fn is_waiting(status: &ScheduleStatus, slot: Slot) -> bool {
    status.pending.iter().any(|it| it.origin.slot() == Some(slot))
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn broken(what: impl Into<String>) -> Violation {
    Violation::new(Promise::NeverSilentlyNot, what)
}

mod tests {
    use serde_json::json;

    use super::super::tale::{Tale, at};
    use super::Accounts;

    #[test]
    fn each_slot_the_mark_passes_is_counted_or_waits() {
        let mut tale = Tale::begin();
        tale.status("10:03:00", |it| {
            it["decidedThrough"] = at("10:03:00");
            it["counts"] = json!({"slots": {"Coalesced": 2}});
            it["pending"] = json!([{"slotTime": at("10:03:00"), "why": "CatchUp", "since": at("10:03:00")}]);
        });
        tale.judge(Accounts::default()).unwrap();
    }

    #[test]
    fn a_slot_that_the_mark_passes_in_silence_is_missed() {
        let mut tale = Tale::begin();
        tale.status("10:03:00", |it| {
            it["decidedThrough"] = at("10:03:00");
            it["counts"] = json!({"slots": {"Coalesced": 2}});
        });
        tale.breaks(Accounts::default(), "3 to be told of, and 2 were");
    }

    #[test]
    fn the_mark_stays_but_when_a_user_puts_an_older_status_back() {
        let mut tale = Tale::begin();
        let mark = |it: &mut serde_json::Value, mark: &str, slots: i64| {
            (it["decidedThrough"], it["counts"]) = (at(mark), json!({"slots": {"SkippedLate": slots}}));
        };
        tale.status("10:03:00", |it| mark(it, "10:03:00", 3));
        tale.status_of_user("10:04:00", |it| mark(it, "10:02:00", 2));
        tale.status("10:04:01", |it| mark(it, "10:04:00", 4));
        tale.judge(Accounts::default()).unwrap();
        tale.status("10:04:02", |it| mark(it, "10:03:00", 3));
        tale.breaks(Accounts::default(), "the mark went back");
    }

    #[test]
    fn a_run_found_while_paused_is_counted_when_it_is_found_and_not_again() {
        let mut tale = Tale::begin();
        let job = tale.job("10:02:00", "10:02:00");
        let active = tale.active("10:02:00", &job);
        tale.status("10:02:30", |it| {
            it["active"] = json!([active]);
            it["outcomes"] = json!([{"slotTime": at("10:02:00"), "outcome": "Started"}]);
            it["counts"] = json!({"slots": {"Started": 1}});
        });
        tale.status("10:03:30", |it| {
            it["decidedThrough"] = at("10:03:00");
            it["counts"] = json!({"slots": {"Started": 1, "SkippedPaused": 2}});
        });
        tale.judge(Accounts::default()).unwrap();
        tale.status("10:04:00", |it| {
            it["decidedThrough"] = at("10:04:00");
            it["counts"] = json!({"slots": {"Started": 1, "SkippedPaused": 4}});
        });
        tale.breaks(Accounts::default(), "1 to be told of, and 2 were");
    }

    #[test]
    fn a_slot_whose_job_is_there_is_not_decided_otherwise_first() {
        for (clock, is_kept) in [("10:01:20", false), ("10:01:31", true)] {
            let mut tale = Tale::begin();
            let job = if is_kept { None } else { Some(tale.job(clock, "10:01:00")) };
            tale.status("10:01:30", |it| {
                (it["decidedThrough"], it["counts"]) = (at("10:01:00"), json!({"slots": {"SkippedLate": 1}}));
            });
            let job = job.unwrap_or_else(|| tale.job(clock, "10:01:00"));
            let active = tale.active("10:01:00", &job);
            tale.status("10:01:32", |it| {
                it["active"] = json!([active]);
                it["outcomes"] = json!([{"slotTime": at("10:01:00"), "outcome": "Started"}]);
                it["counts"] = json!({"slots": {"Started": 1}});
            });
            assert_eq!(tale.judge(Accounts::default()).is_ok(), is_kept, "{clock}");
        }
    }

    #[test]
    fn a_changed_trigger_decides_nothing_before_it_has_an_epoch() {
        let mut tale = Tale::begin();
        tale.edit("10:00:30", |it| it["trigger"] = json!({"cron": "*/2 * * * *"}));
        let mut honoured = Tale::begin();
        honoured.edit("10:00:30", |it| it["trigger"] = json!({"cron": "*/2 * * * *"}));
        honoured.status("10:00:31", |it| {
            it["decidedThrough"] = at("10:00:31");
            it["epoch"] = json!({"hash": "v1:2", "since": at("10:00:31")});
        });
        for it in [&mut tale, &mut honoured] {
            it.status("10:02:00", |it| {
                it["decidedThrough"] = at("10:02:00");
                it["counts"] = json!({"slots": {"SkippedOverlap": 1}});
            });
        }
        honoured.judge(Accounts::default()).unwrap();
        tale.breaks(Accounts::default(), "no epoch yet");
    }

    #[test]
    fn at_rest_as_many_are_counted_as_started_as_have_jobs() {
        let mut tale = Tale::begin();
        tale.job("10:01:00", "10:01:00");
        tale.judge_rest(Accounts::default(), "10:01:20").unwrap();
        tale.breaks_at_rest(Accounts::default(), "10:02:00", "0 slots are counted as started");
        tale.status("10:01:01", |it| {
            it["decidedThrough"] = at("10:01:00");
            it["counts"] = json!({"slots": {"Started": 1}});
        });
        tale.judge_rest(Accounts::default(), "10:02:00").unwrap();
    }

    #[test]
    fn an_edit_of_anything_else_opens_no_epoch() {
        let mut tale = Tale::begin();
        tale.edit("10:00:30", |it| it["resultLimit"] = json!(3));
        tale.status("10:00:31", |it| {
            it["decidedThrough"] = at("10:00:31");
            it["epoch"] = json!({"hash": "v1:2", "since": at("10:00:31")});
        });
        tale.breaks(Accounts::default(), "the trigger is the same");
    }
}
