//! Which replica acts: one Lease, held by one of them.
//!
//! # Expected flow
//!
//! [`Election::new`] gives an election and [`Election::handle`] what the rest of the operator sees
//! of it. [`Election::run`] is spawned as a task of its own. The operator waits for
//! [`LeaderHandle::acquired`], works, and asks [`LeaderHandle::check`] immediately before every
//! mutating request. When `run` returns an error or [`LeaderHandle::lost`] resolves, the process
//! exits, non-zero. On SIGTERM the operator first lets its work end, then resolves the `shutdown`
//! future it gave to `run`: that releases the Lease. If the work does not end in time, the process
//! just exits, and the Lease expires.
//!
//! # Guarantees
//!
//! * Those of [`election`], which decides; this module only carries out.
//! * Every request has a time-out, and none outlives the renew deadline.
//! * We stop acting first and say so afterwards: [`LeaderHandle::check`] fails before the Lease is
//!   released, before `run` returns, and when `run` is dropped.
//! * A standby learns of a release or a deletion from a watch and tries at once. Without the watch
//!   it reads the Lease every retry period.
//!
//! # Assumptions
//!
//! * The client given does not retry on its own: a retried renewal could be sent after the
//!   deadline, and says nothing about when it was sent.
//! * The task is not starved. If it is, leadership is lost, and nothing worse.
//!
//! # Caveats
//!
//! * A Lease is not a lock. A request sent while [`LeaderHandle::check`] held may arrive later;
//!   the name of each Job and the API server's check of the term are what makes that harmless.
//! * Rights used: `get`, `watch`, `update` on the one Lease, `create` on Leases in its namespace.

pub mod election;
mod follow;
mod handle;
mod participant;
mod timings;
pub(crate) mod wire;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::pin;

use kube::{Api, Client};
use tokio::task::JoinSet;

pub use election::{Lost, Term};
pub use handle::{LeaderHandle, NotLeader};
pub use timings::{InvalidTimings, PERMIT_MARGIN, Timings};

use crate::clock::Clock;
use participant::Participant;
use wire::LeaseObject;

/// The name of the leader Lease unless told otherwise.
pub const DEFAULT_LEASE_NAME: &str = "punctual";
/// Which Lease, who we are, and how long things may take.
#[derive(Clone, Debug)]
pub struct Config {
    /// The namespace of the leader Lease: the operator's own.
    pub namespace: String,
    /// The name of the leader Lease.
    pub name: String,
    /// What we call ourselves in it. No two processes may share it: see [`random_identity`].
    pub identity: String,
    /// How long things may take.
    pub timings: Timings,
}

impl Config {
    /// The usual name and timings, and a new identity.
    #[must_use]
    pub fn new(namespace: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: DEFAULT_LEASE_NAME.to_owned(),
            identity: random_identity(),
            timings: Timings::default(),
        }
    }
}

/// A name no other process has: that of the Pod, which the chart sets as `POD_NAME` (a host name
/// may be cut, or the node's), else that of the host; and ten characters chosen at random, so that a restarted process never mistakes its predecessor's turn for its own.
#[must_use]
pub fn random_identity() -> String {
    const CHARACTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let kernel_name = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let names =
        ["POD_NAME", "HOSTNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|it| !it.is_empty()));
    let host = names.or_else(kernel_name).unwrap_or_default();
    let host = if host.trim().is_empty() { "punctual" } else { host.trim() };
    let random = (0..10).map(|_| char::from(CHARACTERS[rand::random_range(0..CHARACTERS.len())]));
    format!("{host}_{}", random.collect::<String>())
}

/// One replica's candidacy, from its start to its end.
pub struct Election {
    api: Api<LeaseObject>,
    config: Config,
    clock: Clock,
    handle: LeaderHandle,
}

impl fmt::Debug for Election {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Election").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Election {
    /// `client` must not retry on its own.
    #[must_use]
    pub fn new(client: Client, config: Config, clock: Clock) -> Self {
        let api = wire::api(client, &config.namespace);
        let handle = LeaderHandle::new(config.identity.clone(), &config.timings, clock.clone());
        Self { api, config, clock, handle }
    }

    /// What the rest of the operator sees.
    #[must_use]
    pub fn handle(&self) -> LeaderHandle {
        self.handle.clone()
    }

    /// Acquires the Lease and renews it. Returns once leadership has been lost, or `shutdown` has
    /// resolved and the Lease, if it was ours, has been released. Resolve `shutdown` only when no
    /// mutating request is under way any more: another replica acts within milliseconds.
    ///
    /// # Errors
    ///
    /// Why leadership was lost. The election is not joined again: exit, and start anew.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Lost> {
        let handle = self.handle.clone();
        let _end = EndOnDrop(handle.clone());
        // Dropped, and so aborted, with this future.
        let mut follower = JoinSet::new();
        let mut participant = Participant::new(self, &mut follower);
        let mut shutdown = pin!(shutdown);
        let lost = loop {
            participant.turn();
            tokio::select! {
                biased;
                lost = handle.lost() => break lost,
                () = &mut shutdown => {
                    handle.end(Lost::SteppedDown { reason: "released for shutdown".to_owned() });
                    participant.release().await;
                    return Ok(());
                }
                step = participant.step() => if let Err(lost) = step { break lost },
            }
        };
        handle.end(lost.clone());
        tracing::error!(reason = %lost, last_failure = participant.last_failure(), "leadership lost");
        Err(lost)
    }
}

/// However an election ends, nobody acts on it afterwards.
struct EndOnDrop(LeaderHandle);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end_unless_over();
    }
}
