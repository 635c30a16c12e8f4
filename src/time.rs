//! When a trigger asks for a run. Pure: instants go in, instants come out.
//!
//! A [`Trigger`] is parsed once and then answers searches in both directions. [`cron`] and
//! [`fields`] read texts, [`wall`] and [`days`] say which wall-clock times they name, [`zone`] at
//! which instants a clock in a time zone shows them, [`search`] puts that together. [`interval`] and
//! [`instants`] need no clock on the wall, [`calendar`] counts dates. [`combine`] makes one trigger
//! of several, [`excluding`] and [`moved`] take exclusions from it.
//!
//! Every search is bounded in work for any text a user can write: it jumps from field to field
//! and from one change of the clocks to the next, and never tries instant after instant.

mod calendar;
mod combine;
mod cron;
mod days;
mod error;
mod exclude;
mod excluding;
mod fields;
mod instants;
mod interval;
mod moved;
mod parse;
mod rule;
mod search;
mod sets;
mod shape;
mod slot;
mod spelling;
#[cfg(test)]
mod tests;
mod wall;
mod words;
mod zone;

pub use error::{TriggerError, TriggerErrorKind, quote};
pub use excluding::Excluded;
use excluding::Excluding;
pub use instants::parse_instant;
use interval::Interval;
pub use parse::Context;
use rule::{Bounded, Budget, Rule};
pub use slot::Slot;
pub use spelling::edits;
pub use zone::{ClockChange, Zone, zone_data_version};

use crate::api::spec;

/// A parsed trigger.
#[derive(Clone, Debug)]
pub struct Trigger {
    plan: Plan,
    zone: Zone,
    words: String,
}

/// What answers searches.
#[derive(Clone, Debug)]
enum Plan {
    Whole(Box<Bounded>),
    Excluding(Box<Excluding>),
}

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// This slot is the nearest one.
    Slot(Slot),
    /// None up to and including this instant, beyond which the search was not continued. The
    /// trigger is healthy: ask again from here.
    NoneUpTo(Slot),
    /// None, however far one looks in this direction. This is proved, not guessed.
    Never,
}

/// A stretch of time that [`Trigger::between`] and its like go through may take more than one search:
/// at most so many that end without a slot.
const MAX_CONTINUATIONS: usize = 64;

impl Trigger {
    /// Reads the trigger of a spec.
    ///
    /// # Errors
    ///
    /// When the trigger cannot be understood, or a time zone is unknown.
    pub fn parse(spec: &spec::Trigger, context: &Context<'_>) -> Result<Self, TriggerError> {
        Self::parse_all(spec, context).map_err(|errors| {
            errors.into_iter().next().unwrap_or_else(|| TriggerError::invalid("spec.trigger", "cannot be understood"))
        })
    }

    /// As [`Self::parse`], but with all that is wrong.
    ///
    /// # Errors
    ///
    /// As in [`Self::parse`]; there is at least one.
    pub fn parse_all(spec: &spec::Trigger, context: &Context<'_>) -> Result<Self, Vec<TriggerError>> {
        parse::trigger(spec, context)
    }

    /// The first slot strictly later than an instant.
    #[must_use]
    pub fn next(&self, after: Slot) -> Search {
        let budget = Budget::new();
        match &self.plan {
            Plan::Whole(trigger) => trigger.next(after, &budget),
            Plan::Excluding(trigger) => trigger.next(after, &budget),
        }
    }

    /// The last slot strictly earlier than an instant. `NoneUpTo` is then the instant down to
    /// which there is none.
    #[must_use]
    pub fn prev(&self, before: Slot) -> Search {
        let budget = Budget::new();
        match &self.plan {
            Plan::Whole(trigger) => trigger.prev(before, &budget),
            Plan::Excluding(trigger) => trigger.prev(before, &budget),
        }
    }

    /// The slots after one instant up to and including another, ascending; at most so many of
    /// them, the earliest ones.
    #[must_use]
    pub fn between(&self, after: Slot, through: Slot, limit: usize) -> Vec<Slot> {
        self.slots(after, through).take(limit).collect()
    }

    /// As [`Self::between`], but the latest ones. Slots for which something holds are left out.
    #[must_use]
    pub fn latest(&self, after: Slot, through: Slot, limit: usize, left_out: impl Fn(Slot) -> bool) -> Vec<Slot> {
        let (mut found, mut before, mut continuations) = (Vec::new(), through.plus_seconds(1), 0);
        while found.len() < limit && continuations <= MAX_CONTINUATIONS {
            before = match self.prev(before) {
                Search::Slot(slot) if slot > after => {
                    if !left_out(slot) {
                        found.push(slot);
                    }
                    slot
                }
                Search::NoneUpTo(down_to) if after < down_to && down_to < before => {
                    continuations += 1;
                    down_to
                }
                _ => break,
            };
        }
        found.reverse();
        found
    }

    /// How many slots there are after one instant up to and including another; where there are
    /// more than the cap, the cap.
    #[must_use]
    pub fn count(&self, after: Slot, through: Slot, cap: u64) -> u64 {
        if let Plan::Whole(bounded) = &self.plan
            && let Rule::Interval(interval) = &bounded.rule
        {
            let (after, through) = (after.max(bounded.from.plus_seconds(-1)), through.min(bounded.through));
            return interval.count(after, through).min(cap);
        }
        self.slots(after, through).zip(0..cap).fold(0, |counted, _| counted + 1)
    }

    /// Slots in a stretch of time that are none because of `exclude`, ascending; at most so many.
    /// It may end early where that would be too much work.
    #[must_use]
    pub fn excluded(&self, after: Slot, through: Slot, limit: usize) -> Vec<Excluded> {
        match &self.plan {
            Plan::Whole(_) => Vec::new(),
            Plan::Excluding(trigger) => trigger.excluded(after, through, limit),
        }
    }

    /// Whether there is no slot at any time, past or future. This is proved.
    #[must_use]
    pub fn never_fires(&self) -> bool {
        self.next(Slot::from_unix_seconds(i64::MIN)) == Search::Never
    }

    /// The trigger in a few words, at most about 60 characters.
    #[must_use]
    pub fn words(&self) -> String {
        self.words.clone()
    }

    /// A slot as the clock in the trigger's time zone shows it, such as `2026-11-22 02:30 CET`.
    #[must_use]
    pub fn in_words(&self, slot: Slot) -> String {
        words::instant(slot, &self.zone)
    }

    /// The trigger's time zone.
    #[must_use]
    pub const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The name of the trigger's time zone.
    #[must_use]
    pub fn zone_name(&self) -> &str {
        self.zone.name()
    }

    fn slots(&self, after: Slot, through: Slot) -> impl Iterator<Item = Slot> {
        let mut continuations = 0;
        let mut later = move |after: Slot| {
            let mut after = after;
            loop {
                match self.next(after) {
                    Search::Slot(found) => return Some(found).filter(|found| *found <= through),
                    Search::NoneUpTo(up_to) if after < up_to && up_to < through => {
                        continuations += 1;
                        after = up_to;
                    }
                    Search::NoneUpTo(_) | Search::Never => return None,
                }
                if continuations > MAX_CONTINUATIONS {
                    return None;
                }
            }
        };
        let first = later(after);
        std::iter::successors(first, move |slot| later(*slot))
    }
}

impl Search {
    /// The slot, if one was found.
    #[must_use]
    pub const fn slot(self) -> Option<Slot> {
        match self {
            Self::Slot(slot) => Some(slot),
            Self::NoneUpTo(_) | Self::Never => None,
        }
    }
}

impl From<Option<Slot>> for Search {
    /// For searches that looked everywhere: nothing found is a proof.
    fn from(found: Option<Slot>) -> Self {
        found.map_or(Self::Never, Self::Slot)
    }
}
