//! Where nothing happens nothing is written, and little is asked.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::scene::{Meaning, Scene};
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
/// How often one status may come back within the time of a reason.
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
        if !is_by_operator || matches!(meaning, Meaning::JobCreated(_)) {
            self.reasons.push_back(change.at);
        }
        forget(&mut self.reasons, change.at - REASON);
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

    use super::super::tale::Tale;
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
    fn a_status_that_comes_and_goes_is_noticed() {
        let mut tale = Tale::begin();
        for second in 10..18 {
            tale.status(&format!("10:10:{second}"), |it| it["trigger"] = json!(second % 2));
        }
        tale.breaks(Quiet::default(), "again and again");
    }
}
