//! Due slots: those above the mark whose time has come, and, when any of them is late, the one
//! choice over all of them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::pause::Standing;
use super::plan::{Reason, Settled};
use super::snapshot::Accepted;
use super::{Draft, missed_through, overlap, refused};
use crate::api::spec::{CATCH_UP_LIMIT, CatchUpPolicy};
use crate::api::status::{Origin, Outcome, Resume, Why};
use crate::time::{Search, Slot, Trigger};

/// Counts of slots past this are a lower bound.
pub const COUNT_CAP: u64 = 1000;
/// A slot is late at the latest after this many seconds.
const LATE_AT_MOST_SECONDS: i64 = 60;
/// A slot is never late before this many seconds.
const LATE_AT_LEAST_SECONDS: i64 = 5;

/// Decides every slot from the mark to now, and moves the mark.
pub(super) fn decide(draft: &mut Draft<'_>, accepted: &Accepted, standing: Standing) {
    let Some(window) = Window::new(draft, accepted, standing) else { return };
    if window.is_empty() {
        // Nothing was asked for: the mark need not move, and nothing need be written.
        return;
    }
    let after = drop_missed(draft, &window);
    // While paused nothing starts: what is decided then waits.
    let (missed_through, chosen) = if window.any_late(draft, after) || standing == Standing::Paused {
        (window.through, choose(draft, &window, after))
    } else {
        meet_each(draft, accepted, &window, after);
        (after, 0)
    };
    note_resume(draft, standing, window.count(window.after, missed_through), chosen);
    draft.plan.memory.mark = Some(window.through);
}

/// Slots that are on time start, wait or are skipped, each by itself.
fn meet_each(draft: &mut Draft<'_>, accepted: &Accepted, window: &Window<'_>, after: Slot) {
    for slot in window.trigger.between(after, window.through, LISTED) {
        if !window.started.contains(&slot) {
            overlap::meet(draft, &accepted.spec, &Origin::of_slot(slot));
        }
    }
}

/// More slots than this in one window are late without looking at each.
const LISTED: usize = 1000;

/// The slots above the mark whose time has come.
struct Window<'a> {
    trigger: &'a Trigger,
    policy: CatchUpPolicy,
    deadline_seconds: Option<i64>,
    after: Slot,
    through: Slot,
    /// Slots in it that have a Job already, which status did not account for.
    started: Vec<Slot>,
    /// From here on the Schedule was paused.
    paused_since: Option<Slot>,
}

impl<'a> Window<'a> {
    /// While paused, only slots up to an unrecorded Job's are decided: that Job was started
    /// before the pause was seen, and the mark must account for it.
    fn new(draft: &Draft<'_>, accepted: &'a Accepted, standing: Standing) -> Option<Self> {
        let after = draft.mark();
        let started: Vec<Slot> =
            draft.plan.adopted.iter().filter_map(|it| it.origin.slot()).filter(|slot| *slot > after).collect();
        let through = match standing {
            Standing::Paused => *started.iter().max()?,
            Standing::Running | Standing::Resumed { .. } => Slot::floor(draft.now()),
        };
        let paused_since = if let Standing::Resumed { since } = standing { Some(since) } else { None };
        let spec = &accepted.spec;
        Some(Self {
            trigger: &accepted.trigger,
            policy: spec.catch_up_policy(),
            deadline_seconds: spec.starting_deadline.map(|it| it.seconds_i64()),
            after,
            through,
            started,
            paused_since,
        })
    }

    fn is_empty(&self) -> bool {
        self.after >= self.through || (self.started.is_empty() && self.first(self.after).is_none())
    }

    /// The first slot after an instant, within the window.
    fn first(&self, after: Slot) -> Option<Slot> {
        self.trigger.between(after, self.through, 1).first().copied()
    }

    /// The newest slots after an instant that have no Job, oldest first.
    fn newest(&self, after: Slot, limit: usize) -> Vec<Slot> {
        self.trigger.latest(after, self.through, limit, |slot| self.started.contains(&slot))
    }

    fn any_late(&self, draft: &Draft<'_>, after: Slot) -> bool {
        let slots = self.trigger.between(after, self.through, LISTED + 1);
        slots.len() > LISTED || slots.iter().any(|slot| !self.started.contains(slot) && self.is_late(draft, *slot))
    }

    /// Late: undecided for longer than the distance to the following slot (at least 5 s, at most
    /// 60 s), or in a pause.
    fn is_late(&self, draft: &Draft<'_>, slot: Slot) -> bool {
        if self.fell_into_pause(slot) {
            return true;
        }
        let distance = match self.trigger.next(slot) {
            Search::Slot(next) => next.unix_seconds().saturating_sub(slot.unix_seconds()),
            Search::NoneUpTo(_) | Search::Never => LATE_AT_MOST_SECONDS,
        };
        let grace = distance.clamp(LATE_AT_LEAST_SECONDS, LATE_AT_MOST_SECONDS);
        draft.now() >= super::later(slot.timestamp(), grace)
    }

    fn fell_into_pause(&self, slot: Slot) -> bool {
        self.paused_since.is_some_and(|since| slot >= since)
    }

    /// How many slots of a range have no Job.
    fn count(&self, after: Slot, through: Slot) -> u64 {
        let started = self.started.iter().filter(|slot| after < **slot && **slot <= through).count();
        self.trigger.count(after, through, COUNT_CAP).saturating_sub(started as u64)
    }
}

/// Drops the slots past their starting deadline, late or not. Answers up to where.
fn drop_missed(draft: &mut Draft<'_>, window: &Window<'_>) -> Slot {
    let missed = window.deadline_seconds.map(|it| missed_through(draft.now(), it).min(window.through));
    let Some(missed) = missed.filter(|it| *it > window.after) else { return window.after };
    drop_range(draft, window, (window.after, missed), &Dropped::deadline(), &[]);
    missed
}

/// The one choice over a window that holds late slots. It is recorded before it is acted on: the
/// chosen become pending, and start with the next decision. Answers how many they are.
fn choose(draft: &mut Draft<'_>, window: &Window<'_>, after: Slot) -> u64 {
    let chosen = match window.policy {
        CatchUpPolicy::Latest => latest(draft, window, after),
        CatchUpPolicy::Earliest => earliest(draft, window, after),
        CatchUpPolicy::All => all(draft, window, after),
        CatchUpPolicy::None => none(draft, window, after),
    };
    let count = chosen.len() as u64;
    for slot in chosen {
        draft.wait(&Origin::of_slot(slot), Why::CatchUp);
    }
    count
}

/// The newest starts. Slots older than one that has a Job already went into that one.
fn latest(draft: &mut Draft<'_>, window: &Window<'_>, mut after: Slot) -> Vec<Slot> {
    if let Some(newest_started) = window.started.iter().copied().max().filter(|it| *it > after) {
        drop_range(
            draft,
            window,
            (after, newest_started),
            &Dropped::coalesced(Reason::CatchUpLatest, newest_started),
            &[],
        );
        after = newest_started;
    }
    let chosen = window.newest(after, 1);
    if let Some(slot) = chosen.first() {
        refused::give_way(draft, *slot);
        drop_range(
            draft,
            window,
            (after, slot.plus_seconds(-1)),
            &Dropped::coalesced(Reason::CatchUpLatest, *slot),
            &[],
        );
    }
    chosen
}

/// The oldest starts, which may be one that has been waiting because its start was refused.
fn earliest(draft: &mut Draft<'_>, window: &Window<'_>, after: Slot) -> Vec<Slot> {
    if let Some(refused) = refused::oldest(draft) {
        drop_range(draft, window, (after, window.through), &Dropped::coalesced(Reason::CatchUpEarliest, refused), &[]);
        return Vec::new();
    }
    let mut chosen = window.first(after);
    while let Some(slot) = chosen.filter(|slot| window.started.contains(slot)) {
        chosen = window.first(slot);
    }
    let Some(slot) = chosen else { return Vec::new() };
    drop_range(draft, window, (slot, window.through), &Dropped::coalesced(Reason::CatchUpEarliest, slot), &[]);
    vec![slot]
}

/// The newest start in their order, as many as the line has room for.
fn all(draft: &mut Draft<'_>, window: &Window<'_>, after: Slot) -> Vec<Slot> {
    let room = CATCH_UP_LIMIT.saturating_sub(draft.plan.memory.pending.len());
    let chosen = window.newest(after, room);
    let until = chosen.first().map_or(window.through, |slot| slot.plus_seconds(-1));
    drop_range(draft, window, (after, until), &Dropped::late(Reason::CatchUpLimit), &[]);
    chosen
}

/// Those that are not late start.
fn none(draft: &mut Draft<'_>, window: &Window<'_>, after: Slot) -> Vec<Slot> {
    let newest = window.newest(after, LATE_AT_MOST_SECONDS as usize);
    let chosen: Vec<Slot> = newest.into_iter().filter(|slot| !window.is_late(draft, *slot)).collect();
    if let Some(slot) = chosen.last() {
        refused::give_way(draft, *slot);
    }
    drop_range(draft, window, (after, window.through), &Dropped::late(Reason::CatchUpNone), &chosen);
    chosen
}

/// Why the slots of a range do not start.
struct Dropped {
    reason: Reason,
    fixed: Option<Outcome>,
    into: Option<Slot>,
}

impl Dropped {
    fn deadline() -> Self {
        Self { reason: Reason::StartingDeadline, fixed: Some(Outcome::MissedDeadline), into: None }
    }

    fn coalesced(reason: Reason, into: Slot) -> Self {
        Self { reason, fixed: Some(Outcome::Coalesced), into: Some(into) }
    }

    fn late(reason: Reason) -> Self {
        Self { reason, fixed: None, into: None }
    }
}

/// Settles the slots of a range, but for those that have a Job and those to be spared; those not
/// started for being late are told apart by whether they fell into a pause.
fn drop_range(
    draft: &mut Draft<'_>,
    window: &Window<'_>,
    (after, through): (Slot, Slot),
    dropped: &Dropped,
    spared: &[Slot],
) {
    let mut kept: Vec<Slot> =
        window.started.iter().chain(spared).copied().filter(|it| after < *it && *it <= through).collect();
    kept.sort_unstable();
    let mut from = after;
    for slot in kept {
        drop_gap(draft, window, (from, slot.plus_seconds(-1)), dropped);
        from = slot;
    }
    drop_gap(draft, window, (from, through), dropped);
}

fn drop_gap(draft: &mut Draft<'_>, window: &Window<'_>, (after, through): (Slot, Slot), dropped: &Dropped) {
    if let Some(outcome) = &dropped.fixed {
        settle_range(draft, window, (after, through), outcome.clone(), dropped);
        return;
    }
    let pause = window.paused_since.map_or(through, |since| since.plus_seconds(-1)).clamp(after, through.max(after));
    settle_range(draft, window, (after, pause), Outcome::SkippedLate, dropped);
    settle_range(draft, window, (pause, through), Outcome::SkippedPaused, dropped);
}

fn settle_range(
    draft: &mut Draft<'_>,
    window: &Window<'_>,
    (after, through): (Slot, Slot),
    outcome: Outcome,
    dropped: &Dropped,
) {
    let count = window.count(after, through);
    let first = window.trigger.between(after, through, 1).first().copied();
    let last = window.trigger.latest(after, through, 1, |_| false).first().copied();
    let (Some(first), Some(last)) = (first, last) else { return };
    if count > 0 {
        draft.settle(Settled { first, last, count: Some(count), outcome, reason: dropped.reason, into: dropped.into });
    }
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
