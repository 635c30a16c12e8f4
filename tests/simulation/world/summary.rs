//! What came of a simulation.

use std::fmt;
use std::ops::AddAssign;

use crate::oracle::Violation;

/// What was broken.
#[derive(Clone, Debug)]
pub struct Complaint {
    /// The promise, in words that are the same whenever it is this one.
    pub promise: String,
    /// What shows it.
    pub details: String,
}

impl Complaint {
    /// What is the same whenever the same thing is wrong: without numbers and names.
    pub fn headline(&self) -> String {
        let what = self.details.lines().nth(1).unwrap_or_default().trim();
        let words = what.split_whitespace().filter(|it| it.chars().all(|it| it.is_alphabetic() || ",:'".contains(it)));
        format!("{}: {}", self.promise, words.collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken promise: {}\n{}", self.promise, self.details)
    }
}

impl From<Violation> for Complaint {
    fn from(violation: Violation) -> Self {
        Self { promise: violation.promise.to_string(), details: violation.to_string() }
    }
}

/// What was seen in a simulation that went well.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    pub runs: u64,
    pub requests: u64,
    pub kills: u64,
    pub freezes: u64,
    pub starts: u64,
    pub disturbances: u64,
    pub millis: u64,
}

impl AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        self.runs += other.runs;
        self.requests += other.requests;
        self.kills += other.kills;
        self.freezes += other.freezes;
        self.starts += other.starts;
        self.disturbances += other.disturbances;
        self.millis += other.millis;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, requests, kills, freezes, starts, disturbances, millis } = self;
        let hours = millis / 3_600_000;
        write!(
            f,
            "{runs} Jobs created, {requests} requests, {starts} starts of replicas, {kills} kills, {freezes} freezes, {disturbances} disturbances in {hours} hours"
        )
    }
}
