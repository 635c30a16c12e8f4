//! A world in which a Schedule is played through in virtual time: what would become of it, without
//! a cluster.
//!
//! A model of the API server and the Job controller ([`cluster`], [`job`]), and an operator that
//! goes through the real rounds of gather, decide and report ([`operator`]). A [`story`] says what
//! is given, what happens when, and what is expected.

pub mod cluster;
pub mod history;
pub mod job;
pub mod ledger;
pub mod operator;
pub mod schedule_run;
pub mod seen;
pub mod story;
pub mod times;
pub mod words;
pub mod world;
