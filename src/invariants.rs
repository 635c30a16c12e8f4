//! Whether what is there keeps the promises: how the operator notices a defect of its own.
//!
//! What is known to have another cause is no violation: what a user edited, a pause, a refusal of
//! the API server, a late create. Pure: a [`Snapshot`] goes in, what is wrong with it comes out.

mod jobs;
mod progress;

use jiff::{SignedDuration, Timestamp};

use crate::api::status::ScheduleStatus;
use crate::decide::Snapshot;
use crate::report::budget;

/// What should have happened this long ago is overdue: longer than any time-out, and any wait after
/// a refusal.
pub const GRACE_SECONDS: i64 = 300;

/// Something that holds at any time, whatever users, the cluster and the clock do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// Two Jobs of one attempt, or two attempts of one run at work at once.
    Doubled,
    /// The mark is ahead of the time: slots up to it would silently never start.
    MarkAhead,
    /// More runs at work than the spec admits.
    Overlap,
    /// What is due does not happen.
    Overdue,
    /// Status is larger than it may be.
    StatusTooLarge,
    /// Slots wait, and nothing is in their way.
    Stranded,
    /// A run has ended, and status does not say so.
    Unended,
}

impl Invariant {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Doubled,
        Self::MarkAhead,
        Self::Overlap,
        Self::Overdue,
        Self::StatusTooLarge,
        Self::Stranded,
        Self::Unended,
    ];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Doubled => "Doubled",
            Self::MarkAhead => "MarkAhead",
            Self::Overlap => "Overlap",
            Self::Overdue => "Overdue",
            Self::StatusTooLarge => "StatusTooLarge",
            Self::Stranded => "Stranded",
            Self::Unended => "Unended",
        }
    }

    /// Whether a look at the Schedule that failed explains it.
    #[must_use]
    pub const fn is_of_progress(self) -> bool {
        matches!(self, Self::Overdue | Self::Stranded | Self::Unended)
    }

    /// What somebody can do about it, besides reporting it.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Doubled => "delete the Job that should not run, unless its work may be done twice",
            Self::MarkAhead => {
                "a clock was ahead, or somebody wrote status: if slots before it are to start, delete the Schedule and create it anew"
            }
            Self::Overlap => "delete the Job that should not run, unless both may",
            Self::Overdue | Self::Stranded | Self::Unended => {
                "restart the operator's leader, which then looks at every Schedule anew"
            }
            Self::StatusTooLarge => "lower spec.resultLimit and spec.failedResultLimit",
        }
    }
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// What is wrong, in words.
    pub what: String,
}

/// What does not hold of one Schedule. `edited` is when the present generation of its spec was first
/// seen, which is what its Jobs are measured by only from then on.
#[must_use]
pub fn check(snapshot: &Snapshot, edited: Timestamp) -> Vec<Violation> {
    if snapshot.schedule.deleting || snapshot.clock_skew.is_some() {
        return Vec::new();
    }
    let about = About { snapshot, edited };
    let Some(status) = &snapshot.status else {
        return about.unseen().map(|what| Violation { invariant: Invariant::Overdue, what }).into_iter().collect();
    };
    let found = [
        (Invariant::Doubled, about.doubled()),
        (Invariant::MarkAhead, about.mark_ahead(status)),
        (Invariant::Overlap, about.overlap(status)),
        (Invariant::Overdue, about.overdue(status)),
        (Invariant::StatusTooLarge, too_large(status)),
        (Invariant::Stranded, about.stranded(status)),
        (Invariant::Unended, about.unended(status)),
    ];
    found.into_iter().filter_map(|(invariant, what)| what.map(|what| Violation { invariant, what })).collect()
}

/// What the checks look at.
struct About<'a> {
    snapshot: &'a Snapshot,
    edited: Timestamp,
}

impl About<'_> {
    /// Whether something is longer ago than anything takes.
    fn is_long_ago(&self, instant: Timestamp) -> bool {
        self.seconds_since(instant) > GRACE_SECONDS
    }

    fn seconds_since(&self, instant: Timestamp) -> i64 {
        self.snapshot.now.duration_since(instant).as_secs()
    }

    fn mark_ahead(&self, status: &ScheduleStatus) -> Option<String> {
        let mark = status.decided_through.as_ref()?.0;
        let ahead = self.snapshot.now.saturating_add(SignedDuration::from_secs(GRACE_SECONDS)).ok()?;
        (mark > ahead).then(|| format!("status.decidedThrough is in the future: no slot up to {mark} will start"))
    }
}

fn too_large(status: &ScheduleStatus) -> Option<String> {
    let size = budget::size(status);
    let most = budget::MAX_BYTES;
    (size > most).then(|| format!("status has {size} bytes, and may have {most}"))
}

#[cfg(test)]
mod tests;
