//! What is tried at random by `make fuzz`, and again by the suite with what was found.

pub mod schedule;
pub mod stopwatch;
pub mod trigger;
