//! Pauses: while `spec.paused` is set nothing new is decided, and the mark stays, so that what
//! was missed is known on resume.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Draft;
use super::plan::Milestone;
use crate::api::spec::ScheduleSpec;
use crate::api::status::Pause;
use crate::time::Slot;

/// The source of a pause that a user set in the spec.
pub const SOURCE_SPEC: &str = "Spec";

/// Where a Schedule stands with regard to pausing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is not paused, and was not when it was last decided on.
    Running,
    /// It is paused.
    Paused,
    /// It was paused from this second on, and is not any more.
    Resumed { since: Slot },
}

/// Notes the begin and the end of a pause.
pub(super) fn follow(draft: &mut Draft<'_>, spec: &ScheduleSpec) -> Standing {
    let known = draft.plan.memory.pauses.iter().position(|it| it.source == SOURCE_SPEC);
    match (spec.is_paused(), known) {
        (false, None) => Standing::Running,
        (true, Some(_)) => Standing::Paused,
        (true, None) => {
            let since = Time(Slot::floor(draft.now()).timestamp());
            draft.plan.memory.pauses.push(Pause {
                source: SOURCE_SPEC.into(),
                since,
                reason: None,
                until: None,
                generation: None,
            });
            draft.milestone(Milestone::Paused);
            Standing::Paused
        }
        (false, Some(index)) => {
            let pause = draft.plan.memory.pauses.remove(index);
            draft.milestone(Milestone::Resumed);
            Standing::Resumed { since: super::slot_of(&pause.since) }
        }
    }
}
