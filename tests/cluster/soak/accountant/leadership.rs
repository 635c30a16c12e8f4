//! Who acted: only the leader, and no longer than it had the right to.

use super::super::evidence::{Claim, Evidence, Write};
use super::{Book, Facts};

/// The words of the fencing policy, the only one there is.
const FENCED: &str = "fenced: leader term";

/// Accounts for terms, writes and refusals.
pub(super) fn account(evidence: &Evidence, facts: &Facts, book: &mut Book) {
    for (before, after) in evidence.claims.iter().zip(evidence.claims.iter().skip(1)) {
        let has_changed = before.holder != after.holder && !after.holder.is_empty();
        if has_changed {
            book.count("take-overs");
        }
        if after.term < before.term {
            book.problem(format!("the term of the leader Lease went back: {before:?}, {after:?}"));
        }
    }
    let mut claims = evidence.claims.iter().peekable();
    let mut last: Option<&Claim> = None;
    for write in &evidence.writes {
        while let Some(claim) = claims.next_if(|it| it.at <= write.at) {
            last = Some(claim);
        }
        book.count("requests that change something");
        leads(last, write, facts, book);
    }
    for refused in &evidence.forbidden {
        if refused.message.contains(FENCED) {
            book.count("requests refused by the fencing policy");
        } else if facts.has_just_started(refused.at) {
            book.count("requests refused by an API server that had just started");
        } else {
            book.problem(format!("a request lacked a right: {}", refused.line()));
        }
    }
}

/// A request that came too late must have changed nothing.
fn leads(last: Option<&Claim>, write: &Write, facts: &Facts, book: &mut Book) {
    let in_force = last.filter(|it| it.credential == write.credential && !it.holder.is_empty());
    if in_force.is_some_and(|it| write.at <= it.at + facts.renew_deadline) {
        return;
    }
    // It was sent in time, lay there while nothing was read, and nobody else had taken over.
    if in_force.is_some_and(|it| facts.was_frozen_between(it.at, write.at)) {
        book.count("requests that a frozen API server took up late");
    } else if (200..300).contains(&write.code) {
        book.problem(format!("written without the right to: {}; the Lease was {last:?}", write.line()));
    } else {
        book.count("requests that came too late, and were not carried out");
    }
}
