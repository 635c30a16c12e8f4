//! Who leads, decided from what was observed. Pure: no client, no clock, nothing asynchronous;
//! moments are lengths of time on the candidate's own monotonic clock.
//!
//! # Expected flow
//!
//! A [`Candidate`] is asked for its [`Move`] whenever something happened or the moment of the last
//! [`Move::Wait`] has come; the move is carried out, and what came of it is told to the candidate:
//! [`Candidate::saw`] for a read, [`Candidate::heard`] for a watch event, and for a write
//! [`Candidate::won`], [`Candidate::conflicted`] or [`Candidate::failed`]. A leader that reads just
//! what it wrote, and was not told that this took effect, has won as well.
//!
//! # Guarantees
//!
//! * A record naming another holder is taken over only after it stayed unchanged, as *this*
//!   candidate saw it, for the duration it claims (at least ours, at most four times ours). Times
//!   written by others are never compared with our clock: they only tell that a record changed.
//! * A leader acts on a renewal from the moment it was *sent*, so that whoever watches the record
//!   counts from a later moment than the leader does.
//! * No content of a record makes a candidate panic, or wait longer than four lease durations.
//! * A released, emptied or deleted Lease is acquired at once.
//! * A term this candidate takes is above each it has ever seen, up to the largest `int32`.
//!
//! # Assumptions
//!
//! * Writes take effect only if the record still has the resource version they name.
//! * Candidates' monotonic clocks run at nearly the same rate: a leader's may be slower than a
//!   candidate's by lease duration ÷ renew deadline, minus what requests take.
//! * No two processes share an identity: it has a part chosen at random at start.
//!
//! # Caveats
//!
//! * Somebody who edits or deletes a leader's Lease by hand makes two leaders for as long as the
//!   first needs to notice, normally some milliseconds. What keeps runs single then is the name of
//!   the Job and the fencing by term, not this.
//! * A new Lease starts at the time since 1970, in units of eight seconds. So a term could come again
//!   only if the Lease is deleted, and created again by a process that never saw the old one, within
//!   eight seconds; or if it changed hands more often than once in eight seconds before.

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::time::Duration;

use super::timings::Timings;

/// The number of a leader's turn: the Lease's `leaseTransitions`.
pub type Term = i64;

/// `leaseTransitions` is an `int32`: a term beyond would be refused for ever.
const LAST_TERM: Term = i32::MAX as Term;

/// What of a Lease an election looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// Who holds it; none when absent or empty.
    pub holder: Option<String>,
    /// `leaseTransitions`, zero when absent.
    pub transitions: Term,
    /// `leaseDurationSeconds`.
    pub duration_seconds: Option<i64>,
    /// The version a write must name.
    pub resource_version: String,
    /// All of `spec` as text. Only ever compared with itself: another text is a sign of life.
    pub content: String,
}

/// What there was to see.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sight {
    /// No Lease.
    Absent,
    /// A Lease.
    Present(Record),
}

impl Sight {
    /// The version of the Lease, where versions are numbers.
    fn version(&self) -> Option<u64> {
        match self {
            Self::Present(record) => record.resource_version.parse().ok(),
            Self::Absent => None,
        }
    }
}

/// What a candidate is to do next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Move {
    /// Read the Lease.
    Read,
    /// Create the Lease with us as the holder.
    Create {
        /// Its `leaseTransitions`.
        term: Term,
    },
    /// Become the holder of a Lease nobody holds.
    Acquire {
        /// Its new `leaseTransitions`.
        term: Term,
        /// Guards the write.
        resource_version: String,
    },
    /// Go on holding it.
    Renew {
        /// Its `leaseTransitions`.
        term: Term,
        /// Guards the write.
        resource_version: String,
    },
    /// Nothing before this moment, unless something is heard.
    Wait(Duration),
    /// We do not lead any more.
    StepDown(Lost),
}

/// How leadership was lost.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Lost {
    /// No renewal succeeded in time.
    #[error("the Lease could not be renewed before the renew deadline")]
    DeadlinePassed,
    /// Another replica holds the Lease.
    #[error("the Lease is held by {holder:?} now")]
    TakenOver {
        /// Who.
        holder: String,
    },
    /// Somebody cleared the holder.
    #[error("the Lease's holder was cleared by somebody else")]
    Emptied,
    /// Somebody deleted the Lease.
    #[error("the Lease was deleted")]
    Deleted,
    /// Somebody raised `leaseTransitions`, so that the API server refuses our Jobs.
    #[error("the Lease's leaseTransitions were raised to {transitions}, above our term")]
    TermRaised {
        /// To what.
        transitions: Term,
    },
    /// The API server was restored to an older state: whatever was watched is of a future that is no more.
    #[error("the Lease's resourceVersion went back: the API server has been restored to an older state")]
    WentBack,
    /// The operator itself gave up, for instance because the API server refused its term.
    #[error("{reason}")]
    SteppedDown {
        /// Why.
        reason: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Leading {
    term: Term,
    /// When the last renewal that succeeded was sent.
    renewed: Duration,
}

/// One replica's view of the election.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    identity: String,
    timings: Timings,
    /// How long to wait before trying again: the retry period, varied at random by the caller.
    patience: Duration,
    sight: Option<Sight>,
    /// When the record's content was last seen to change.
    changed: Duration,
    /// When the API server last told us anything about the Lease.
    heard: Duration,
    /// False once we know that what we saw is out of date.
    fresh: bool,
    /// No request before this moment.
    not_before: Duration,
    /// Conflicts since the last write that succeeded.
    conflicts: u32,
    leading: Option<Leading>,
    /// The term of our last attempt to become holder, should its answer have been lost.
    attempted: Option<Term>,
    highest_term: Option<Term>,
    /// The highest version of the Lease that was read or told. Nothing where versions are no numbers.
    highest_version: Option<u64>,
    /// A read showed a version below: what there was after it is no more.
    went_back: bool,
}

impl Candidate {
    /// A candidate that has seen nothing yet.
    #[must_use]
    pub fn new(identity: String, timings: Timings) -> Self {
        Self {
            identity,
            patience: timings.retry_period(),
            timings,
            sight: None,
            changed: Duration::ZERO,
            heard: Duration::ZERO,
            fresh: false,
            not_before: Duration::ZERO,
            conflicts: 0,
            leading: None,
            attempted: None,
            highest_term: None,
            highest_version: None,
            went_back: false,
        }
    }

    /// What to do at `now`. `first_term` is the term of a Lease created now.
    #[must_use]
    pub fn next(&self, now: Duration, first_term: Term) -> Move {
        match &self.leading {
            _ if self.went_back => Move::StepDown(Lost::WentBack),
            Some(leading) => self.as_leader(leading, now),
            None => self.as_standby(now, first_term),
        }
    }

    fn as_leader(&self, leading: &Leading, now: Duration) -> Move {
        let deadline = leading.renewed.saturating_add(self.timings.renew_deadline());
        if now >= deadline {
            return Move::StepDown(Lost::DeadlinePassed);
        }
        let record = match self.sight.as_ref().map(|sight| self.judge(sight, leading.term)) {
            Some(Ok(record)) => Some(record),
            Some(Err(lost)) => return Move::StepDown(lost),
            None => None,
        };
        match record.filter(|_| self.fresh) {
            _ if now < self.not_before => Move::Wait(self.not_before.min(deadline)),
            None => Move::Read,
            Some(record) => {
                let due = leading.renewed.saturating_add(self.timings.retry_period());
                if now < due {
                    return Move::Wait(due.min(deadline));
                }
                Move::Renew { term: leading.term, resource_version: record.resource_version.clone() }
            }
        }
    }

    /// The record, if it still says that we lead this term.
    fn judge<'a>(&self, sight: &'a Sight, term: Term) -> Result<&'a Record, Lost> {
        let Sight::Present(record) = sight else { return Err(Lost::Deleted) };
        match &record.holder {
            None => Err(Lost::Emptied),
            Some(holder) if *holder != self.identity => Err(Lost::TakenOver { holder: holder.clone() }),
            Some(_) if record.transitions > term => Err(Lost::TermRaised { transitions: record.transitions }),
            Some(_) => Ok(record),
        }
    }

    fn as_standby(&self, now: Duration, first_term: Term) -> Move {
        if now < self.not_before {
            return Move::Wait(self.not_before);
        }
        let Some(sight) = self.sight.as_ref().filter(|_| self.fresh) else { return Move::Read };
        let record = match sight {
            Sight::Absent => return Move::Create { term: self.above_seen(first_term) },
            Sight::Present(record) => record,
        };
        let resource_version = record.resource_version.clone();
        let ours_unanswered = self.attempted == Some(record.transitions);
        match &record.holder {
            Some(holder) if *holder == self.identity && ours_unanswered => {
                Move::Acquire { term: record.transitions, resource_version }
            }
            Some(_) if now < self.expiry(record) => {
                let look = self.heard.saturating_add(self.patience);
                if now < look { Move::Wait(look.min(self.expiry(record))) } else { Move::Read }
            }
            Some(_) | None => {
                // Not raised to `first_term`: a term far below the clock's leaves all the
                // more room before a deletion could make it go back.
                let term = self.above_seen(record.transitions.saturating_add(1));
                Move::Acquire { term, resource_version }
            }
        }
    }

    fn above_seen(&self, term: Term) -> Term {
        let above = self.highest_term.map_or(0, |highest| highest.saturating_add(1));
        term.max(above).clamp(0, LAST_TERM)
    }

    /// When a record that names a holder may be taken over.
    fn expiry(&self, record: &Record) -> Duration {
        self.changed.saturating_add(self.timings.expiry_of(record.duration_seconds))
    }

    /// Until when mutating requests may be sent, if we lead.
    #[must_use]
    pub fn permit_until(&self) -> Option<Duration> {
        self.leading.as_ref().map(|leading| leading.renewed.saturating_add(self.timings.permit()))
    }

    /// When leadership ends unless a renewal succeeds, if we lead.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.leading.as_ref().map(|leading| leading.renewed.saturating_add(self.timings.renew_deadline()))
    }

    /// The term we lead, if we do.
    #[must_use]
    pub fn term(&self) -> Option<Term> {
        self.leading.as_ref().map(|leading| leading.term)
    }

    /// Whether the Lease may name us: we lead, or a write of ours may have succeeded unseen.
    #[must_use]
    pub fn may_hold(&self) -> bool {
        self.leading.is_some() || self.attempted.is_some()
    }

    /// What was last seen.
    #[must_use]
    pub fn sight(&self) -> Option<&Sight> {
        self.sight.as_ref()
    }

    /// Sets how long to wait before trying again; not more than twice the retry period.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience.min(self.timings.retry_period() * 2);
    }

    /// A read was answered at `at`.
    pub fn saw(&mut self, sight: Sight, at: Duration) {
        let version = sight.version();
        self.went_back |= version.is_some() && version < self.highest_version;
        self.highest_version = self.highest_version.max(version);
        self.take(sight, at);
    }

    fn take(&mut self, sight: Sight, at: Duration) {
        self.heard = at;
        self.fresh = true;
        if let Sight::Present(record) = &sight {
            self.highest_term = self.highest_term.max(Some(record.transitions));
        }
        let changed = match (&self.sight, &sight) {
            (Some(Sight::Present(before)), Sight::Present(now)) => before.content != now.content,
            _ => true,
        };
        if changed {
            self.changed = at;
        }
        self.sight = Some(sight);
    }

    /// A watch told something at `at`. A leader's own writes come back this way, late; so to a
    /// leader it is only a reason to look. Answers whether it is what there is, as far as is known.
    pub fn heard(&mut self, sight: Sight, at: Duration) -> bool {
        if let Some(leading) = &self.leading {
            self.heard = at;
            self.fresh &= self.judge(&sight, leading.term).is_ok();
            return false;
        }
        // What was read since the watch told it is newer: that is no sign of a restore.
        let version = sight.version();
        if version.is_some() && version < self.highest_version {
            return false;
        }
        self.highest_version = self.highest_version.max(version);
        self.take(sight, at);
        true
    }

    /// A write is about to be sent. From now on a record that names us with this term is ours,
    /// even if we are never told that the write succeeded.
    pub fn attempting(&mut self, term: Term) {
        self.attempted = Some(term);
    }

    /// A write that was sent at `sent` made us the holder, or left us so: it was answered, or the
    /// record it wrote was read.
    pub fn won(&mut self, record: Record, sent: Duration, at: Duration) {
        self.leading = Some(Leading { term: record.transitions, renewed: sent });
        self.conflicts = 0;
        self.not_before = Duration::ZERO;
        self.saw(Sight::Present(record), at);
    }

    /// A write was refused because somebody else was faster: look again, at once if this is the
    /// first time, so that a tight race cannot become a flood.
    pub fn conflicted(&mut self, sent: Duration) {
        self.fresh = false;
        self.conflicts = self.conflicts.saturating_add(1);
        if self.conflicts > 1 {
            self.not_before = sent.saturating_add(self.patience);
        }
    }

    /// A request sent at `sent` failed, or nobody knows what became of it.
    pub fn failed(&mut self, sent: Duration) {
        // The record may have changed by our own write.
        self.fresh = false;
        self.not_before = sent.saturating_add(self.patience);
    }
}
