//! What is told of pauses: who set them, until when they last, and what ends them.

use super::text;
use crate::api::spec::ScheduleSpec;
use crate::api::status::Pause;
use crate::decide::{SOURCE_FAILURES, SOURCE_SPEC};

/// The reason of a pause whose end was past already when it was first seen.
pub const UNTIL_IN_PAST: &str = "UntilInPast";
/// The reason of a pause that failed runs brought about.
pub const CONSECUTIVE_FAILURES: &str = "ConsecutiveFailures";

/// One word for it.
pub(crate) fn reason<'a>(pause: &'a Pause, spec: Option<&ScheduleSpec>) -> &'a str {
    match pause.source.as_str() {
        SOURCE_FAILURES => CONSECUTIVE_FAILURES,
        _ if is_until_in_past(pause, spec) => UNTIL_IN_PAST,
        source => source,
    }
}

/// Whether a person should look at it.
pub(super) fn needs_attention(pause: &Pause, spec: Option<&ScheduleSpec>) -> bool {
    reason(pause, spec) != SOURCE_SPEC
}

/// The pause that is told first: one that needs attention before one that does not.
pub(super) fn foremost<'a>(pauses: &'a [Pause], spec: Option<&ScheduleSpec>) -> Option<&'a Pause> {
    pauses.iter().find(|it| needs_attention(it, spec)).or_else(|| pauses.first())
}

/// All of them, in a sentence each.
pub(super) fn all_in_words(pauses: &[Pause], spec: Option<&ScheduleSpec>) -> String {
    pauses.iter().map(|it| in_words(it, spec)).collect::<Vec<_>>().join("; also ")
}

/// What it is about, and what ends it.
pub(crate) fn in_words(pause: &Pause, spec: Option<&ScheduleSpec>) -> String {
    let why = pause.reason.as_ref().map(|it| format!("{}: ", text::in_one_line(it))).unwrap_or_default();
    let what = match reason(pause, spec) {
        CONSECUTIVE_FAILURES => {
            "no slot starts until the spec is changed or a ScheduleRun succeeds (spec.pauseAfterFailures)".to_owned()
        }
        UNTIL_IN_PAST => format!(
            "no slot starts until spec.paused is false, because spec.pauseUntil ({}) was past already when it was first seen: set a later one, or take paused and pauseUntil out",
            spec.and_then(|it| it.pause_until.as_deref()).unwrap_or_default()
        ),
        _ => match &pause.until {
            Some(until) => format!("no slot starts until {}", until.0),
            None => "no slot starts until spec.paused is false".to_owned(),
        },
    };
    format!("{why}{what}; active runs go on")
}

fn is_until_in_past(pause: &Pause, spec: Option<&ScheduleSpec>) -> bool {
    pause.source == SOURCE_SPEC && pause.until.is_none() && spec.is_some_and(|it| it.pause_until.is_some())
}
