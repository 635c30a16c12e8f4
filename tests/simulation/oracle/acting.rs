//! Only the leader acts, for as long as it surely leads; and there is one leader a term.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::scene::{Meaning, Scene, is_leader_lease, text};
use super::{Check, Promise, Verdict, Violation};
use crate::history::{Asked, Change};

/// Until so long after its last renewal a leader may act.
const RENEW_DEADLINE: SignedDuration = SignedDuration::from_secs(10);
/// For so long nobody takes a Lease that is not renewed; and how short that is by the fastest clock
/// there is here, of 140 percent. It is longer than the old leader may act, of which it is the end.
const LEASE_DURATION: SignedDuration = SignedDuration::from_secs(15);
const LEASE_DURATION_OF_A_FAST_CLOCK: SignedDuration = SignedDuration::from_millis(15_000 * 100 / 140);
/// What was sent in the instant before a replica released its Lease arrives within this.
const UNDER_WAY: SignedDuration = SignedDuration::from_secs(1);

/// Who led, and when each renewed last.
#[derive(Default)]
pub struct Acting {
    renewed: BTreeMap<String, Timestamp>,
    released: BTreeMap<String, Timestamp>,
    leaders: BTreeMap<i64, String>,
    last_write: Option<(Timestamp, String)>,
}

impl Check for Acting {
    fn change(&mut self, scene: &Scene, change: &Change, _: &Meaning) -> Verdict {
        let Some(after) = change.after.as_ref().filter(|it| is_leader_lease(change.resource, it)) else {
            let is_gone = change.before.as_ref().is_some_and(|it| is_leader_lease(change.resource, it));
            if is_gone && change.after.is_none() {
                // Terms count on from the minute it is: who deletes the Lease may make one begin twice.
                self.leaders.clear();
            }
            return Ok(());
        };
        let holder = text(after, "/spec/holderIdentity");
        let before = change.before.as_ref().map_or("", |it| text(it, "/spec/holderIdentity"));
        let last_write = self.last_write.replace((change.at, change.by.clone()));
        if !scene.circumstances.is_life(&change.by) {
            // Who writes the Lease by hand may say what he likes.
            self.leaders.clear();
            return Ok(());
        }
        if holder.is_empty() {
            self.renewed.remove(&change.by);
            self.released.insert(change.by.clone(), change.at);
            return Ok(());
        }
        self.renewed.insert(change.by.clone(), change.at);
        let term = after["spec"]["leaseTransitions"].as_i64().unwrap_or(0);
        let leader = self.leaders.entry(term).or_insert_with(|| change.by.clone());
        if *leader != change.by {
            return Err(broken(format!("{leader} and {} lead the same term {term}", change.by)).shown_by(change));
        }
        if let Some((later, other)) = self.leaders.range(term + 1..).next() {
            return Err(broken(format!("{} leads term {term} after {other} led {later}", change.by)).shown_by(change));
        }
        let may_be_fast = scene.circumstances.clock_may_be_off(&change.by) != SignedDuration::ZERO;
        let expiry = if may_be_fast { LEASE_DURATION_OF_A_FAST_CLOCK } else { LEASE_DURATION };
        match last_write {
            Some((at, by))
                if !before.is_empty()
                    && before != holder
                    && scene.circumstances.is_life(&by)
                    && change.at < at + expiry =>
            {
                Err(broken(format!("{} took the Lease that {before} renewed at {at}", change.by)).shown_by(change))
            }
            _ => Ok(()),
        }
    }

    fn request(&mut self, scene: &Scene, asked: &Asked) -> Verdict {
        let mutates = asked.method != "GET" && !asked.uri.contains("/events");
        let is_about_leases = asked.uri.contains("/leases");
        if !mutates || is_about_leases || !scene.circumstances.is_life(&asked.by) {
            return Ok(());
        }
        let until = self.renewed.get(&asked.by).map(|at| *at + RENEW_DEADLINE);
        let until = until.or_else(|| self.released.get(&asked.by).map(|at| *at + UNDER_WAY));
        if until.is_some_and(|until| asked.at <= until) || scene.may_be_late() {
            return Ok(());
        }
        let what = match until {
            Some(until) => format!("{} acts at {}, and led until {until}", asked.by, asked.at),
            None => format!("{} acts, and never led", asked.by),
        };
        Err(broken(what).shown_by(asked))
    }
}

fn broken(what: String) -> Violation {
    Violation::new(Promise::Leadership, what)
}

mod tests {
    use super::super::tale::Tale;
    use super::Acting;
    use crate::history::What;

    const STATUS: &str = "/apis/punctual.dev/v1alpha1/namespaces/team/schedules/nightly/status";

    #[test]
    fn a_leader_acts_until_its_renew_deadline() {
        let mut tale = Tale::begin();
        tale.lease("10:01:00", "a1", 7);
        tale.request("10:01:10", "a1", "PATCH", STATUS);
        tale.judge(Acting::default()).unwrap();
        tale.request("10:01:11", "a1", "PATCH", STATUS);
        tale.breaks(Acting::default(), "led until");
    }

    #[test]
    fn it_may_read_and_renew_whenever_it_likes() {
        let mut tale = Tale::begin();
        tale.request("10:01:11", "a1", "GET", STATUS);
        tale.lease("10:01:12", "a1", 7);
        tale.judge(Acting::default()).unwrap();
    }

    #[test]
    fn a_leader_that_was_frozen_does_not_act_when_it_wakes_but_for_what_the_network_held_up() {
        let mut tale = Tale::begin();
        let mut slow = Tale::begin();
        slow.fact("10:00:59", What::Slowed("requests".into(), 30_000));
        for tale in [&mut tale, &mut slow] {
            tale.lease("10:01:00", "a1", 7);
            tale.fact("10:01:01", What::Frozen("a1".into()));
            tale.fact("10:01:20", What::Woken("a1".into()));
            tale.request("10:01:21", "a1", "PATCH", STATUS);
        }
        tale.breaks(Acting::default(), "led until");
        slow.judge(Acting::default()).unwrap();
    }

    #[test]
    fn a_standby_does_not_act_nor_does_one_that_released_the_lease() {
        let mut tale = Tale::begin();
        tale.fact("10:00:30", What::Started("b1".into()));
        tale.request("10:01:00", "b1", "PATCH", STATUS);
        tale.breaks(Acting::default(), "never led");
        let mut tale = Tale::begin();
        tale.lease("10:01:00", "", 7);
        tale.request("10:01:02", "a1", "PATCH", STATUS);
        tale.breaks(Acting::default(), "led until");
    }

    #[test]
    fn a_lease_is_taken_only_when_it_has_expired_and_with_a_new_term() {
        for (clock, term, words) in
            [("10:01:14", 8, "took the Lease"), ("10:01:15", 7, "the same term"), ("10:01:15", 6, "after a1 led")]
        {
            let mut tale = Tale::begin();
            tale.fact("10:00:30", What::Started("b1".into()));
            tale.lease("10:01:00", "a1", 7);
            tale.lease(clock, "b1", term);
            tale.breaks(Acting::default(), words);
        }
        let mut tale = Tale::begin();
        tale.fact("10:00:30", What::Started("b1".into()));
        tale.lease("10:01:00", "a1", 7);
        tale.lease("10:01:15", "b1", 8);
        tale.judge(Acting::default()).unwrap();
    }

    #[test]
    fn only_one_whose_own_clock_is_fast_takes_it_earlier_and_never_while_the_old_leader_may_act() {
        for (fast, clock, is_kept) in [("b1", "10:01:11", true), ("b1", "10:01:10", false), ("a1", "10:01:14", false)] {
            let mut tale = Tale::begin();
            tale.fact("10:00:30", What::Started("b1".into()));
            tale.fact("10:00:31", What::ClockOff(fast.into(), 9_000));
            tale.lease("10:01:00", "a1", 7);
            tale.lease(clock, "b1", 8);
            assert_eq!(tale.judge(Acting::default()).is_ok(), is_kept, "{fast} {clock}");
        }
    }
}
