//! The HTTP server for probes and scrapes: `/healthz`, `/readyz` and `/metrics` on one address.
//!
//! Guarantees: a client that is slow, or silent, or one of many, costs one of [`CONNECTIONS`]
//! connections for [`CONNECTION_SECONDS`] at most; when all are taken, the oldest gives way, so
//! that nobody can keep a probe from being answered by holding connections open.
//!
//! Caveats: no TLS and no authentication. What is served names no user's object.

mod connections;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::Metrics;
use connections::Bounded;
pub use connections::{CONNECTION_SECONDS, CONNECTIONS};

/// The content type that makes a scraper read OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the probes ask. Both must answer at once.
pub trait Health: Send + Sync + 'static {
    /// Whether the main loops answer; a process that does not is restarted.
    ///
    /// # Errors
    /// When one does not, with which.
    fn live(&self) -> Result<(), String>;

    /// Whether all watches have synced once. A standby is ready too.
    ///
    /// # Errors
    /// When one has not, with which.
    fn ready(&self) -> Result<(), String>;
}

/// A server that is bound to its address and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
}

impl Server {
    /// Takes the address; port 0 means any that is free.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await? })
    }

    /// The address that was taken.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `stop` completes, and then until the requests at hand are answered, which
    /// takes [`CONNECTION_SECONDS`] at most.
    ///
    /// # Errors
    /// When the socket fails for good.
    pub async fn serve(
        self,
        metrics: Metrics,
        health: Arc<dyn Health>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let router = Router::new()
            .route("/healthz", get(live))
            .route("/readyz", get(ready))
            .route("/metrics", get(scrape))
            .with_state(Served { metrics, health });
        axum::serve(Bounded::new(self.listener), router).with_graceful_shutdown(stop).await
    }
}

#[derive(Clone)]
struct Served {
    metrics: Metrics,
    health: Arc<dyn Health>,
}

async fn live(State(served): State<Served>) -> Response {
    verdict(served.health.live())
}

async fn ready(State(served): State<Served>) -> Response {
    verdict(served.health.ready())
}

fn verdict(result: Result<(), String>) -> Response {
    match result {
        Ok(()) => answer(StatusCode::OK, "text/plain; charset=utf-8", "ok\n".to_owned()),
        Err(why) => answer(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", why + "\n"),
    }
}

async fn scrape(State(served): State<Served>) -> Response {
    match served.metrics.encode() {
        Ok(text) => answer(StatusCode::OK, OPEN_METRICS, text),
        Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", format!("{error}\n")),
    }
}

/// One answer a connection: none is kept open between scrapes.
fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let headers: [(HeaderName, &'static str); 3] =
        [(CONTENT_TYPE, content_type), (CONNECTION, "close"), (CACHE_CONTROL, "no-store")];
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests;
