//! The operator itself against a real API server: one test is one story.
//!
//! The cluster is that of `devcluster`; its node is a simulated one, whose Pods end as their
//! annotations say. Each story has a namespace of its own, in which the operator runs with the
//! rights that the chart gives it and under the chart's fencing policy.
//!
//! When a story fails it prints what there is in its namespace and what the operators logged. The
//! files of the cluster stay in `target/tmp/cluster` until the next run.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a story that cannot go on is over")]

mod by_hand;
mod crash;
mod downtime;
mod fence;
mod firing;
mod harness;
mod house_rules;
mod jumps;
mod lives;
mod mistakes;
mod network;
mod outage;
mod overlap;
mod process;
mod quiet;
mod refusals;
mod replies;
mod results;
mod retries;
mod rights;
mod security;
mod soak;
mod surroundings;
mod triggers;
mod walks;
