//! The accountant: goes through the evidence and says what is not accounted for. It believes the
//! API server's notes, the time engine, and what the script did; of the operator it believes nothing.

mod leadership;
mod runs;
mod slots;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::evidence::Evidence;

/// How long after the end of a disturbance what it delayed may still be late.
const AFTERMATH: SignedDuration = SignedDuration::from_secs(20);

/// A start that is not later than this is on time.
const PUNCTUAL: SignedDuration = SignedDuration::from_secs(1);

/// What the script did, and when.
#[derive(Debug, Serialize, Deserialize)]
pub struct Facts {
    /// What was done to the replicas and the API server.
    pub disturbances: Vec<Disturbance>,
    /// When the operators were told to end.
    pub cut: Timestamp,
    /// How long a leader may act after its last renewal.
    pub renew_deadline: SignedDuration,
    /// By when a slot has to be decided after it was due, when nothing disturbs.
    pub grace: SignedDuration,
}

/// Something that was done on purpose.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Disturbance {
    /// From when on.
    pub begin: Timestamp,
    /// Until when.
    pub end: Timestamp,
    /// What it was.
    pub what: String,
    /// Whether it was done to the API server.
    pub is_of_api_server: bool,
}

/// What came out.
#[derive(Debug, Default)]
pub struct Book {
    /// What is not accounted for, with the objects.
    pub problems: Vec<String>,
    /// How often what was seen.
    pub counts: BTreeMap<&'static str, usize>,
    /// How late the latest start was outside of disturbances, and for what.
    pub latest: (SignedDuration, String),
    /// The same within.
    pub latest_disturbed: (SignedDuration, String),
}

/// Does all of it.
pub fn account(evidence: &Evidence, facts: &Facts) -> Book {
    let mut book = Book::default();
    let disturbed = facts.disturbed(evidence);
    for (uid, schedule) in &evidence.schedules {
        slots::account(evidence, facts, &disturbed, uid, schedule, &mut book);
    }
    runs::account(evidence, facts, &mut book);
    leadership::account(evidence, facts, &mut book);
    book
}

impl Facts {
    /// Whether an API server had only just started, and did not know yet who has which rights.
    fn has_just_started(&self, at: Timestamp) -> bool {
        self.disturbances.iter().any(|it| it.is_of_api_server && it.begin <= at && at <= it.end + AFTERMATH)
    }

    /// Whether the API server read nothing for a while between two instants, the second of which is when
    /// it read on.
    fn was_frozen_between(&self, begin: Timestamp, end: Timestamp) -> bool {
        let reads_on = SignedDuration::from_secs(2);
        let lies_there = |it: &Disturbance| begin <= it.end && it.begin <= end && end <= it.end + reads_on;
        self.disturbances.iter().any(|it| it.is_of_api_server && lies_there(it))
    }

    /// From when until when something may be late: until the Lease was held again, and what had piled
    /// up was worked off.
    fn disturbed(&self, evidence: &Evidence) -> Vec<(Timestamp, Timestamp)> {
        let held_after =
            |at: Timestamp| evidence.claims.iter().find(|it| it.at >= at && !it.holder.is_empty()).map(|it| it.at);
        let span = |it: &Disturbance| (it.begin, held_after(it.end).unwrap_or(self.cut).max(it.end) + AFTERMATH);
        let mut spans: Vec<_> = self.disturbances.iter().map(span).collect();
        let first = held_after(Timestamp::UNIX_EPOCH).unwrap_or(self.cut);
        spans.push((Timestamp::UNIX_EPOCH, first + AFTERMATH));
        spans
    }
}

impl Book {
    fn problem(&mut self, what: String) {
        self.problems.push(what);
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn start(&mut self, late: SignedDuration, is_disturbed: bool, what: &str) {
        if late > PUNCTUAL {
            self.count(if is_disturbed {
                "starts over 1 s late within disturbances"
            } else {
                "starts over 1 s late outside of them"
            });
        }
        let latest = if is_disturbed { &mut self.latest_disturbed } else { &mut self.latest };
        if late > latest.0 {
            *latest = (late, what.to_owned());
        }
    }
}
