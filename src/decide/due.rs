//! Due slots: those above the mark whose planned start has come, and, when any of them is late,
//! the one choice over all of them.

mod choice;
mod dropped;
mod window;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use self::dropped::{Dropped, drop_range};
use self::window::Window;
use super::pause::Standing;
use super::plan::Reason;
use super::snapshot::Accepted;
use super::{Draft, max_runs, missed_through, overlap};
use crate::api::status::{Origin, Resume};
use crate::time::Slot;

/// Decides every slot from the mark to now, and moves the mark.
pub(super) fn decide<'a>(draft: &mut Draft<'a>, accepted: &'a Accepted, standing: Standing) {
    let Some(window) = Window::new(draft, accepted, standing) else { return };
    if window.is_empty() {
        // Nothing was asked for: the mark need not move, and nothing need be written.
        return;
    }
    if max_runs::left(draft, &accepted.spec) == 0 {
        drop_range(draft, &window, (window.after, window.through), &Dropped::beyond_max_runs(), &[]);
        note_resume(draft, standing, window.count(window.after, window.through), 0);
        draft.plan.memory.mark = Some(window.through);
        return;
    }
    let after = drop_what_cannot_start(draft, accepted, &window);
    // While paused nothing starts: what is decided then waits.
    let (missed_through, chosen) = if window.any_late(after) || standing == Standing::Paused {
        (window.through, choice::choose(draft, &accepted.spec, &window, after))
    } else {
        for slot in window.list(after).unwrap_or_default() {
            overlap::meet(draft, &accepted.spec, &Origin::of_slot(slot));
        }
        (after, 0)
    };
    note_resume(draft, standing, window.count(window.after, missed_through), chosen);
    draft.plan.memory.mark = Some(window.through);
}

/// Drops the slots that start under no policy: past their starting deadline, late and too old, or
/// before the instant from which on slots start. Answers up to where.
fn drop_what_cannot_start(draft: &mut Draft<'_>, accepted: &Accepted, window: &Window<'_>) -> Slot {
    let now = draft.now();
    let older_than = |seconds: i64| window.planned.slots_through(missed_through(now, seconds));
    let deadline = accepted.spec.starting_deadline.map(|it| older_than(it.seconds_i64()));
    let after = drop_through(draft, window, window.after, deadline, &Dropped::deadline());
    let aged = accepted.spec.catch_up_max_age().map(|it| {
        // Only late slots can be too old.
        let on_time = window.on_time(after).first().map(|slot| slot.plus_seconds(-1));
        older_than(it.seconds_i64()).min(on_time.unwrap_or(window.through))
    });
    let after = drop_through(draft, window, after, aged, &Dropped::skipped(Reason::CatchUpMaxAge));
    let before_since = accepted.since.map(|since| since.plus_seconds(-1));
    drop_through(draft, window, after, before_since, &Dropped::skipped(Reason::CatchUpSince))
}

/// Drops the slots up to an instant, if there are any. Answers up to where.
fn drop_through(
    draft: &mut Draft<'_>,
    window: &Window<'_>,
    after: Slot,
    through: Option<Slot>,
    dropped: &Dropped,
) -> Slot {
    let Some(through) = through.map(|it| it.min(window.through)).filter(|it| *it > after) else { return after };
    drop_range(draft, window, (after, through), dropped, &[]);
    through
}

/// Tells what the end of a pause found, when it found anything.
fn note_resume(draft: &mut Draft<'_>, standing: Standing, missed: u64, started: u64) {
    if missed == 0 || !matches!(standing, Standing::Resumed { .. }) {
        return;
    }
    let to_i64 = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    draft.plan.memory.last_resume = Some(Resume {
        time: Time(Slot::floor(draft.now()).timestamp()),
        missed: to_i64(missed),
        started: to_i64(started),
        dropped: to_i64(missed.saturating_sub(started)),
    });
}
