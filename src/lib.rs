//! Punctual: a Kubernetes operator that runs Jobs on a schedule.
//!
//! A reconcile is *gather → decide → perform → report*, each a module. Modules in the order of
//! what may use what:
//!
//! - [`api`], [`time`]: the resource, and when a trigger asks for a run. Pure.
//! - [`decide`], [`report`]: what to do, and what to remember and tell. Pure.
//! - [`invariants`]: whether what is there keeps the promises. Pure.
//! - [`clock`], [`leadership`], [`run_leases`]: what time it is, who may act, who looks after a run.
//! - [`telemetry`]: logs, metrics, Events.
//! - [`store`], [`cluster`], [`gather`], [`perform`], [`reconcile`]: what is known, and what is done.
//! - [`simulate`]: a world of virtual time, for trying a Schedule without a cluster. Pure.
//! - [`queue`], [`watch`], [`operator`]: which Schedule is looked at, and when.
//! - [`plugin`]: what the kubectl plugin answers.

pub mod api;
pub mod clock;
pub mod cluster;
pub mod decide;
pub mod gather;
pub mod invariants;
pub mod leadership;
pub mod operator;
pub mod perform;
pub mod plugin;
pub mod queue;
pub mod reconcile;
pub mod report;
pub mod run_leases;
pub mod simulate;
pub mod store;
pub mod telemetry;
pub mod time;
pub mod watch;
