//! What the operator tells about itself and its work, beside status: [`metrics`], Kubernetes
//! [`events`], [`logging`], and the [`server`] that answers probes and scrapes.
//!
//! Nothing here decides anything, and nothing here may hold up what does: every call from the
//! working parts returns at once, and what cannot be told in time is dropped and counted.

pub mod events;
pub mod logging;
pub mod metrics;
pub mod server;

pub use events::{EventSink, Regarding};
pub use metrics::Metrics;
pub use server::{Health, Server};
