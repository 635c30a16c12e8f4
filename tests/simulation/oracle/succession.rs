//! Somebody leads: soon after a leader died, and at once after it went in order.

use jiff::{SignedDuration, Timestamp};

use super::scene::{Meaning, Scene, is_leader_lease, text};
use super::{Check, Promise, Verdict, Violation};
use crate::history::Change;

/// A Lease expires after 15 s, and is then tried for every 2 s; one of the two may just have been missed.
const AFTER_DEATH: SignedDuration = SignedDuration::from_secs(15 + 2 * 2 + 2);
/// A replica campaigns once it has seen what there is; a list whose answer was lost is given up after
/// 20 s, and begun again soon after.
const LIST_LOST: SignedDuration = SignedDuration::from_secs(20 + 2);
/// After an orderly stop.
const AFTER_RELEASE: SignedDuration = SignedDuration::from_secs(2);
/// How long a replica must be up, and everything well, for it to be ready to lead.
const WARM: SignedDuration = SignedDuration::from_secs(60);

/// When the Lease was last held.
#[derive(Default)]
pub struct Succession {
    held: Option<Timestamp>,
    released: Option<Timestamp>,
    last_change: Option<Timestamp>,
}

impl Check for Succession {
    fn change(&mut self, scene: &Scene, change: &Change, _: &Meaning) -> Verdict {
        let object = change.after.as_ref().or(change.before.as_ref());
        let Some(lease) = object.filter(|it| is_leader_lease(change.resource, it)) else { return Ok(()) };
        let is_life = scene.circumstances.is_life(&change.by);
        self.judge(scene, change.at)?;
        if text(lease, "/spec/holderIdentity").is_empty() || change.after.is_none() {
            self.released = is_life.then_some(change.at);
        } else {
            (self.held, self.released) = (Some(change.at), None);
        }
        self.last_change = self.last_change.max((!is_life).then_some(change.at));
        Ok(())
    }

    fn time(&mut self, scene: &Scene) -> Verdict {
        self.judge(scene, scene.now)
    }
}

impl Succession {
    fn judge(&self, scene: &Scene, now: Timestamp) -> Verdict {
        if let Some(released) = self.released
            && now > released + AFTER_RELEASE
            && is_somebody_ready(scene, released)
        {
            return Err(broken(format!("the Lease was released at {released}, and nobody has taken it at {now}")));
        }
        let Some(calm) = scene.circumstances.undisturbed_since() else { return Ok(()) };
        let since = [self.held, self.last_change].into_iter().flatten().fold(calm, Timestamp::max);
        let may_have_lost_a_list = scene.circumstances.network_was_in_trouble_since(since);
        let patience = if may_have_lost_a_list { AFTER_DEATH + LIST_LOST } else { AFTER_DEATH };
        if now > since + patience {
            return Err(broken(format!("nobody has led since {since}, and replicas are there at {now}")));
        }
        Ok(())
    }
}

/// Whether a replica was ready to lead at a time, and has been since.
fn is_somebody_ready(scene: &Scene, at: Timestamp) -> bool {
    let before = at - WARM;
    let is_well = !scene.circumstances.network_was_in_trouble_since(before);
    is_well && scene.circumstances.able().any(|(_, life)| life.started <= before && !life.was_frozen_since(before))
}

fn broken(what: String) -> Violation {
    Violation::new(Promise::Succession, what)
}

mod tests {
    use super::super::tale::Tale;
    use super::Succession;
    use crate::history::What;

    /// Two replicas; `a1` renews its Lease until 10:03:00.
    fn two() -> Tale {
        let mut tale = Tale::begin();
        tale.fact("10:00:05", What::Started("b1".into()));
        for second in (10..=180).step_by(10) {
            tale.lease(&format!("10:{:02}:{:02}", second / 60, second % 60), "a1", 7);
        }
        tale
    }

    #[test]
    fn somebody_leads_soon_after_a_leader_was_killed() {
        for (clock, is_kept) in [("10:03:22", true), ("10:03:23", false)] {
            let mut tale = two();
            tale.fact("10:03:01", What::Killed("a1".into()));
            tale.lease(clock, "b1", 8);
            assert_eq!(tale.judge(Succession::default()).is_ok(), is_kept, "{clock}");
        }
    }

    #[test]
    fn a_replica_whose_list_was_lost_begins_it_again_first() {
        for (clock, is_kept) in [("10:03:44", true), ("10:03:46", false)] {
            let mut tale = two();
            tale.fact("10:03:00", What::Disturbed("answers are lost".into()));
            tale.fact("10:03:01", What::Killed("a1".into()));
            tale.fact("10:03:02", What::Calm);
            tale.lease(clock, "b1", 8);
            assert_eq!(tale.judge(Succession::default()).is_ok(), is_kept, "{clock}");
        }
    }

    #[test]
    fn nobody_is_expected_to_lead_where_nobody_is() {
        let mut tale = Tale::begin();
        tale.fact("10:00:05", What::Killed("a1".into()));
        tale.fact("10:10:00", What::Started("a2".into()));
        tale.lease("10:10:20", "a2", 8);
        tale.judge(Succession::default()).unwrap();
    }

    #[test]
    fn a_lease_that_is_released_is_taken_at_once() {
        for (clock, is_kept) in [("10:03:04", true), ("10:03:05", false)] {
            let mut tale = two();
            tale.fact("10:03:01", What::ToldToStop("a1".into()));
            tale.lease("10:03:02", "", 7);
            tale.lease(clock, "b1", 8);
            let violation = tale.judge(Succession::default()).err();
            assert!(violation.is_none() == is_kept, "{clock} {violation:?}");
        }
    }
}
