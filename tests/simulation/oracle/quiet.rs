//! Where nothing happens nothing is written, and little is asked.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use punctual::time::Trigger;

use super::scene::{Meaning, Scene, StatusWrite, owner, slot_of, text};
use super::{Check, Promise, Verdict, Violation};
use crate::history::{Asked, Change};

/// Over how long requests are counted.
const WINDOW: SignedDuration = SignedDuration::from_mins(1);
/// For how long what happened is a reason to act: as long as a Job may not be removed, and a bit.
const REASON: SignedDuration = SignedDuration::from_secs(150);
/// Writes in a window without any reason, beside those of Leases, and with each reason.
const WRITES: (usize, usize) = (5, 12);
/// Requests of any kind in a window: Leases, renewed watches; and with each reason.
const REQUESTS: (usize, usize) = (150, 25);
/// How often one status may come back while nothing happens to its Schedule.
const RETURNS: usize = 3;

/// What was asked lately, and what gave reason to.
#[derive(Default)]
pub struct Quiet {
    asked: BTreeMap<String, Asks>,
    reasons: VecDeque<Timestamp>,
    statuses: BTreeMap<String, VecDeque<(Timestamp, String)>>,
}

#[derive(Default)]
struct Asks {
    all: VecDeque<Timestamp>,
    writes: VecDeque<Timestamp>,
}

impl Check for Quiet {
    fn change(&mut self, scene: &Scene, change: &Change, meaning: &Meaning) -> Verdict {
        let is_by_operator = scene.circumstances.is_life(&change.by);
        if !is_by_operator || happens_once(change, meaning) {
            self.reasons.push_back(change.at);
        }
        forget(&mut self.reasons, change.at - REASON);
        if !is_by_operator && let Some(schedule) = concerned(scene, change, meaning) {
            self.statuses.remove(schedule);
        }
        let Meaning::Status(write) = meaning else { return Ok(()) };
        let Some(after) = change.after.as_ref().filter(|_| write.is_ours) else { return Ok(()) };
        // How often it is written and when is no part of what it says.
        let text = after["status"].to_string();
        let known = self.statuses.entry(write.schedule_uid.clone()).or_default();
        while known.front().is_some_and(|(at, _)| *at < change.at - REASON) {
            known.pop_front();
        }
        let returns = known.iter().filter(|(_, it)| *it == text).count();
        known.push_back((change.at, text));
        if returns < RETURNS || is_wrong(scene, change.at) {
            return Ok(());
        }
        let title = scene.schedules[&write.schedule_uid].title();
        Err(broken(format!("the same status is written again and again, {returns} times before"))
            .of(title)
            .shown_by(change))
    }

    fn request(&mut self, scene: &Scene, asked: &Asked) -> Verdict {
        if !scene.circumstances.is_life(&asked.by) {
            return Ok(());
        }
        let asks = self.asked.entry(asked.by.clone()).or_default();
        asks.all.push_back(asked.at);
        forget(&mut asks.all, asked.at - WINDOW);
        if asked.method != "GET" && !asked.uri.contains("/leases") && !asked.uri.contains("/events") {
            asks.writes.push_back(asked.at);
        }
        forget(&mut asks.writes, asked.at - WINDOW);
        forget(&mut self.reasons, asked.at - REASON);
        if is_wrong(scene, asked.at) {
            return Ok(());
        }
        let reasons = self.reasons.len();
        for (count, (always, each), what) in
            [(asks.writes.len(), WRITES, "writes"), (asks.all.len(), REQUESTS, "requests")]
        {
            if count > always + each * reasons {
                let what = format!("{count} {what} in a minute, and {reasons} reasons for any in {REASON:#}");
                return Err(broken(what).shown_by(asked));
            }
        }
        Ok(())
    }
}

/// Whether the operator's own change is a reason for others, and no more frequent than what was
/// there to begin with: it starts a run, decides about a slot, or lets go of what has had its time.
fn happens_once(change: &Change, meaning: &Meaning) -> bool {
    match meaning {
        Meaning::JobCreated(_) => true,
        Meaning::Status(write) => write.after.results.len() < write.before.results.len() || passes_a_slot(write),
        _ => change.after.is_none() && matches!(change.resource, "jobs" | "scheduleruns"),
    }
}

/// Whether the mark moves on beyond a slot: each does so once.
fn passes_a_slot(write: &StatusWrite) -> bool {
    let [Some(before), Some(after)] = [&write.before, &write.after].map(|it| it.decided_through.as_ref()) else {
        return false;
    };
    let passed = |trigger: &Trigger| !trigger.between(slot_of(before), slot_of(after), 1).is_empty();
    write.spec.trigger.as_ref().is_some_and(passed)
}

/// The UID of the Schedule that a change of somebody else is about.
fn concerned<'a>(scene: &'a Scene, change: &'a Change, meaning: &'a Meaning) -> Option<&'a str> {
    let of_job = |uid: &str| scene.jobs.get(uid).map(|job| job.schedule_uid.as_str());
    let object = change.after.as_ref().or(change.before.as_ref())?;
    match meaning {
        Meaning::Status(write) => Some(&write.schedule_uid),
        Meaning::JobCreated(uid) | Meaning::JobChanged(uid) | Meaning::JobGone(uid) => of_job(uid),
        Meaning::Other if change.resource == "schedules" => Some(text(object, "/metadata/uid")),
        Meaning::Other => of_job(owner(object, "Job")?),
    }
}

/// Whether something is or was wrong lately: then there is more to do, and more is tried again.
fn is_wrong(scene: &Scene, now: Timestamp) -> bool {
    scene.circumstances.undisturbed_since().is_none_or(|since| since + REASON > now)
}

fn forget(times: &mut VecDeque<Timestamp>, before: Timestamp) {
    while times.front().is_some_and(|at| *at < before) {
        times.pop_front();
    }
}

fn broken(what: String) -> Violation {
    Violation::new(Promise::Quiet, what)
}

mod tests {
    use serde_json::json;

    use super::super::tale::{Tale, at};
    use super::Quiet;

    const STATUS: &str = "/apis/punctual.dev/v1alpha1/namespaces/team/schedules/nightly/status";

    #[test]
    fn writes_without_a_reason_are_noticed_and_renewals_are_not() {
        for (uri, is_kept) in [(STATUS, false), ("/apis/coordination.k8s.io/v1/namespaces/team/leases/x", true)] {
            let mut tale = Tale::begin();
            (10..20).for_each(|second| tale.request(&format!("10:10:{second}"), "a1", "PATCH", uri));
            assert_eq!(tale.judge(Quiet::default()).is_ok(), is_kept);
        }
    }

    #[test]
    fn writes_with_a_reason_are_not_noticed() {
        let mut tale = Tale::begin();
        tale.edit("10:10:00", |it| it["resultLimit"] = json!(3));
        (10..20).for_each(|second| tale.request(&format!("10:10:{second}"), "a1", "PATCH", STATUS));
        tale.judge(Quiet::default()).unwrap();
    }

    #[test]
    fn slots_are_reasons_to_write_even_if_none_starts() {
        for (mark, is_kept) in [("10:00:59", false), ("10:01:00", true)] {
            let mut tale = Tale::begin();
            tale.status("10:10:09", |it| it["decidedThrough"] = at(mark));
            (10..20).for_each(|second| tale.request(&format!("10:10:{second}"), "a1", "PATCH", STATUS));
            assert_eq!(tale.judge(Quiet::default()).is_ok(), is_kept);
        }
    }

    #[test]
    fn what_is_let_go_is_a_reason_to_write() {
        for (is_removed, is_kept) in [(false, false), (true, true)] {
            let mut tale = Tale::begin();
            let job = tale.job("10:01:00", "10:01:00");
            if is_removed {
                tale.remove_job("10:10:09", &job, "a1");
            }
            (10..20).for_each(|second| tale.request(&format!("10:10:{second}"), "a1", "PATCH", STATUS));
            assert_eq!(tale.judge(Quiet::default()).is_ok(), is_kept);
        }
    }

    #[test]
    fn a_status_that_comes_and_goes_is_noticed_unless_its_jobs_do() {
        let mut busy = Tale::begin();
        let job = busy.job("10:01:00", "10:01:00");
        let mut tale = Tale::begin();
        for second in 10..18 {
            let clock = format!("10:10:{second}");
            busy.change_job(&clock, &job, "jobs", |it| it["status"] = json!({"ready": second % 2}));
            for tale in [&mut busy, &mut tale] {
                tale.status(&clock, |it| it["trigger"] = json!(second % 2));
            }
        }
        busy.judge(Quiet::default()).unwrap();
        tale.breaks(Quiet::default(), "again and again");
    }
}
