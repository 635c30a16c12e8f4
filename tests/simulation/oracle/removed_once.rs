//! What a replica has removed, and was told so, it does not ask to be removed again.

use std::collections::BTreeSet;

use super::scene::Scene;
use super::{Check, Promise, Verdict, Violation};
use crate::history::Asked;

/// What was removed, by whom.
#[derive(Default)]
pub struct RemovedOnce(BTreeSet<(String, String)>);

impl Check for RemovedOnce {
    fn request(&mut self, scene: &Scene, asked: &Asked) -> Verdict {
        // Who may not have been told asks again, and must.
        if asked.method != "DELETE" || scene.circumstances.undisturbed_since().is_none_or(|since| since > asked.at) {
            return Ok(());
        }
        let removed = (asked.by.clone(), asked.uri.clone());
        match asked.code {
            200 => drop(self.0.insert(removed)),
            404 if self.0.contains(&removed) => {
                return Err(Violation::new(Promise::Quiet, "it had removed that already").shown_by(asked));
            }
            _ => {}
        }
        Ok(())
    }
}

mod tests {
    use super::super::tale::Tale;
    use super::RemovedOnce;

    const JOB: &str = "/apis/batch/v1/namespaces/team/jobs/nightly-1";

    #[test]
    fn what_was_removed_is_not_removed_again_but_another_of_its_name_may_be() {
        let mut tale = Tale::begin();
        tale.request("10:01:00", "a1", "DELETE", JOB);
        tale.request("10:02:00", "a1", "DELETE", JOB);
        tale.judge(RemovedOnce::default()).unwrap();
        tale.request_answered("10:02:01", "a1", "DELETE", JOB, 404);
        tale.breaks(RemovedOnce::default(), "already");
    }

    #[test]
    fn what_somebody_else_removed_may_be_tried() {
        let mut tale = Tale::begin();
        tale.request("10:01:00", "user", "DELETE", JOB);
        tale.request_answered("10:01:01", "a1", "DELETE", JOB, 404);
        tale.judge(RemovedOnce::default()).unwrap();
    }
}
