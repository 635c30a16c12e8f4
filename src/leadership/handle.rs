//! What the rest of the operator sees of an election: may I act, and has it ended.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::watch;

use super::election::{Lost, Sight, Term};
use super::timings::Timings;
use crate::clock::{Clock, Reading};

/// Why a mutating request may not be sent now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLeader {
    /// Another replica leads, or nobody does yet.
    #[error("this replica does not lead")]
    Standby,
    /// We may still hold the Lease, but not surely for as long as a request may take.
    #[error("this replica's leadership was not renewed in time")]
    Stale,
    /// We led, and do not any more. It does not come back in this process.
    #[error("this replica has stopped leading")]
    Over(#[source] Lost),
}

/// One replica's part in the election. Cheap to clone; all clones agree.
#[derive(Clone, Debug)]
pub struct LeaderHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    identity: String,
    clock: Clock,
    permit: Duration,
    state: watch::Sender<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    lease_term: Option<Term>,
    lease_holder: Option<String>,
    holder_changes: u64,
    turned: Duration,
}

#[derive(Clone, Debug)]
enum Phase {
    Standby,
    /// With both clocks of the moment at which the last successful renewal was sent.
    Leading {
        term: Term,
        renewed: Reading,
    },
    Over(Lost),
}

impl LeaderHandle {
    pub(super) fn new(identity: String, timings: &Timings, clock: Clock) -> Self {
        let state = State {
            phase: Phase::Standby,
            lease_term: None,
            lease_holder: None,
            holder_changes: 0,
            turned: clock.monotonic(),
        };
        let shared = Shared { identity, clock, permit: timings.permit(), state: watch::Sender::new(state) };
        Self { shared: Arc::new(shared) }
    }

    /// The term we lead, if a mutating request may be sent now: surely until 2 s before the renew
    /// deadline, counted from when the last successful renewal was sent. Cheap; to be asked
    /// immediately before every mutating request.
    ///
    /// It reads both clocks itself, so that a process that was stopped, or a host that was
    /// suspended, gets the right answer before any other task of ours has run.
    ///
    /// # Errors
    ///
    /// When it may not be sent.
    pub fn check(&self) -> Result<Term, NotLeader> {
        let now = self.shared.clock.reading();
        match &self.shared.state.borrow().phase {
            Phase::Standby => Err(NotLeader::Standby),
            Phase::Over(lost) => Err(NotLeader::Over(lost.clone())),
            Phase::Leading { term, renewed } if self.holds(*renewed, now) => Ok(*term),
            Phase::Leading { .. } => Err(NotLeader::Stale),
        }
    }

    /// The monotonic clock of a suspended host may stand still; its wall clock does not. A wall
    /// clock set forward only costs us the time to the next renewal.
    fn holds(&self, renewed: Reading, now: Reading) -> bool {
        let permit = SignedDuration::try_from(self.shared.permit).unwrap_or(SignedDuration::ZERO);
        now.monotonic.saturating_sub(renewed.monotonic) < self.shared.permit
            && now.wall.duration_since(renewed.wall) < permit
    }

    /// Waits until we lead.
    ///
    /// # Errors
    ///
    /// When the election has ended for us.
    pub async fn acquired(&self) -> Result<Term, Lost> {
        let mut states = self.shared.state.subscribe();
        loop {
            match &states.borrow_and_update().phase {
                Phase::Leading { term, .. } => return Ok(*term),
                Phase::Over(lost) => return Err(lost.clone()),
                Phase::Standby => {}
            }
            if states.changed().await.is_err() {
                return Err(ended());
            }
        }
    }

    /// Waits until the election has ended for us, and says why. From then on [`Self::check`] fails.
    pub async fn lost(&self) -> Lost {
        let mut states = self.shared.state.subscribe();
        loop {
            if let Phase::Over(lost) = &states.borrow_and_update().phase {
                return lost.clone();
            }
            if states.changed().await.is_err() {
                return ended();
            }
        }
    }

    /// Stops leading, for instance because the API server refused our term: [`Self::check`] fails
    /// from now on and [`super::Election::run`] returns. The Lease is not released, since requests
    /// may be under way. The first reason given stays.
    pub fn step_down(&self, reason: impl Into<String>) {
        self.end(Lost::SteppedDown { reason: reason.into() });
    }

    /// The term we lead; none on a standby and once leadership has ended. Says nothing about
    /// whether we may act: that is [`Self::check`].
    #[must_use]
    pub fn term(&self) -> Option<Term> {
        match self.shared.state.borrow().phase {
            Phase::Leading { term, .. } => Some(term),
            Phase::Standby | Phase::Over(_) => None,
        }
    }

    /// Whether [`Self::check`] would succeed.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.check().is_ok()
    }

    /// Our name in the Lease.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.shared.identity
    }

    /// Time since the last successful renewal was sent, if we lead.
    #[must_use]
    pub fn since_renewal(&self) -> Option<Duration> {
        match self.shared.state.borrow().phase {
            Phase::Leading { renewed, .. } => Some(self.shared.clock.monotonic().saturating_sub(renewed.monotonic)),
            Phase::Standby | Phase::Over(_) => None,
        }
    }

    /// The Lease's `leaseTransitions` as last seen.
    #[must_use]
    pub fn lease_term(&self) -> Option<Term> {
        self.shared.state.borrow().lease_term
    }

    /// Who held the Lease when it was last seen.
    #[must_use]
    pub fn lease_holder(&self) -> Option<String> {
        self.shared.state.borrow().lease_holder.clone()
    }

    /// How often the Lease was seen to get another holder, our own turn included.
    #[must_use]
    pub fn transitions_seen(&self) -> u64 {
        self.shared.state.borrow().holder_changes
    }

    /// Time since the election last took a turn. More than a lease duration means that it is
    /// stuck, and a liveness probe should say so.
    #[must_use]
    pub fn since_turn(&self) -> Duration {
        self.shared.clock.monotonic().saturating_sub(self.shared.state.borrow().turned)
    }

    /// Never brings back what has ended.
    pub(super) fn renewed(&self, term: Term, sent: Reading) {
        self.shared.state.send_if_modified(|state| {
            let begins = matches!(state.phase, Phase::Standby);
            if !matches!(state.phase, Phase::Over(_)) {
                state.phase = Phase::Leading { term, renewed: sent };
            }
            begins
        });
    }

    pub(super) fn end(&self, lost: Lost) {
        self.shared.state.send_if_modified(|state| {
            let first = !matches!(state.phase, Phase::Over(_));
            if first {
                state.phase = Phase::Over(lost);
            }
            first
        });
    }

    pub(super) fn end_unless_over(&self) {
        self.end(ended());
    }

    pub(super) fn turned(&self, sight: Option<&Sight>) {
        let (holder, term) = match sight {
            Some(Sight::Present(record)) => (record.holder.as_ref(), Some(record.transitions)),
            Some(Sight::Absent) | None => (None, None),
        };
        self.shared.state.send_if_modified(|state| {
            state.turned = self.shared.clock.monotonic();
            state.lease_term = term;
            if state.lease_holder.as_ref() != holder {
                state.lease_holder = holder.cloned();
                state.holder_changes += u64::from(holder.is_some());
            }
            false
        });
    }
}

fn ended() -> Lost {
    Lost::SteppedDown { reason: "the election was stopped".to_owned() }
}
