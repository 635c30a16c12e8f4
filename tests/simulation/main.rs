//! The operator's own loops (watch, queue, reconcile, leader Lease, run Leases, events) against a
//! model of the API server, in one process and in virtual time, all from one seed.
//!
//! `api` is the model of the API server and of the controllers behind it, which `likeness` holds
//! against a real API server; `world` runs replicas
//! against it and does to them what a seed says, and `oracle` reads the history of writes and says
//! which promise was broken.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a simulation that cannot go on is over")]

mod api;
mod history;
mod likeness;
mod oracle;
mod world;
