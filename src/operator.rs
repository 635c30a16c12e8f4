//! The operator: watches and queue around the reconcile, inside the leadership, until it is told
//! to stop.

mod probes;
mod skew;
mod turn;
mod vigil;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;

use crate::clock::Clock;
use crate::leadership::{self, Election, Lost};
use crate::store::Store;
use crate::telemetry::{Metrics, Server};
use crate::watch::Watches;
use probes::{Beat, Probes};
use turn::Turn;

/// So many Schedules are looked at at once: a matter of memory. Requests in flight are bounded by themselves, in order
/// of urgency.
pub const LOOKS_AT_ONCE: usize = 6000;

/// How the operator is to run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The namespaces it looks after; all of them when empty.
    pub namespaces: Vec<String>,
    /// Who leads, and how that is found out.
    pub leadership: leadership::Config,
    /// How long run Leases are; `None` turns them off.
    pub run_lease_duration: Option<Duration>,
    /// The age before which no Job is removed.
    pub fence: Duration,
    /// Requests to the API server in flight at most.
    pub max_requests_in_flight: usize,
    /// Schedules looked at at once.
    pub looks_at_once: usize,
    /// Where probes and metrics are served.
    pub address: SocketAddr,
}

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// It no longer leads. It ends, so that nothing of its turn lives on.
    #[error("leadership was lost")]
    Lost(#[from] Lost),
    /// The address for probes and metrics is not to be had.
    #[error("failed to serve probes and metrics on {address}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The API server did not answer when a leader had to know what there is.
    #[error("failed to list what there is before the first decision")]
    CatchUp(#[source] kube::Error),
}

/// Runs by the clock of this machine, and serves probes and metrics, until `stop` completes or
/// leadership is lost. The client must not retry by itself.
///
/// # Errors
/// When the address cannot be had, or leadership was lost.
pub async fn run(
    client: Client,
    settings: Settings,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), OperatorError> {
    let address = settings.address;
    let operator = Operator::new(client, settings, Clock::system());
    let server = Server::bind(address).await.map_err(|source| OperatorError::Address { address, source })?;
    tokio::spawn(server.serve(operator.watches.metrics.clone(), operator.probes(), std::future::pending()));
    operator.run(stop).await
}

/// The operator without what serves its probes and metrics: all it needs is a client and a clock,
/// so that a whole one can be run in virtual time.
pub struct Operator {
    client: Client,
    settings: Settings,
    clock: Clock,
    watches: Watches,
    election: Election,
    beat: Arc<Beat>,
}

impl Operator {
    /// One replica. The client must not retry by itself.
    #[must_use]
    pub fn new(client: Client, settings: Settings, clock: Clock) -> Self {
        let store = Arc::new(Store::default());
        let watches = Watches::new(client.clone(), settings.namespaces.clone(), store, Metrics::new());
        let election = Election::new(client.clone(), settings.leadership.clone(), clock.clone());
        Self { client, settings, clock, watches, election, beat: Arc::default() }
    }

    fn probes(&self) -> Arc<Probes> {
        let (watches, leader) = (self.watches.clone(), self.election.handle());
        Arc::new(Probes { watches, leader, beat: self.beat.clone() })
    }

    /// Runs until `stop` completes or leadership is lost.
    ///
    /// # Errors
    /// When leadership was lost.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), OperatorError> {
        let Self { client, settings, clock, watches, election, beat } = self;
        watches.spawn();
        let leader = election.handle();
        let (release, released) = tokio::sync::oneshot::channel::<()>();
        let synced = watches.clone();
        let election = tokio::spawn(async move {
            // One that cannot see what there is must not keep the turn from one that can.
            synced.synced().await;
            election.run(async move { drop(released.await) }).await
        });
        let mut stop = std::pin::pin!(stop);
        let outcome = tokio::select! {
            biased;
            () = &mut stop => Ok(()),
            acquired = leader.acquired() => match acquired {
                Err(lost) => Err(lost.into()),
                Ok(_) => Turn::new(client, &settings, watches.clone(), clock, leader.clone(), beat).lead(stop).await,
            },
        };
        drop(release);
        if !watches.are_synced() {
            // It has not begun to campaign: there is nothing to release.
            election.abort();
            return outcome;
        }
        // It ends by itself: it has been told to release, or has lost the Lease already.
        match election.await {
            Ok(Err(lost)) if outcome.is_ok() => Err(lost.into()),
            _ => outcome,
        }
    }
}
