//! The vigil: the leader slowly goes through all Schedules, over and over, and sees whether what is
//! there keeps the promises.
//!
//! It asks nobody but the store. What it finds counts only if it is still there when it looks again
//! a minute later, and only after calm has lasted for long enough: right after a take-over, or a
//! clock in doubt, much is late for a reason.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::gather::{Circumstances, Recall, gather};
use crate::invariants::{self, Invariant, Violation};
use crate::store::{Key, Store};

/// All Schedules are gone through in so many turns, ten minutes at the usual pace.
const TURNS: usize = 60;
/// For so long nothing must have been in doubt.
const CALM_SECONDS: i64 = 600;
/// What is found counts if it is still there after this.
const CONFIRM_SECONDS: i64 = 60;
/// So much is remembered of what was found. Past it, what more there is would say no more.
const SUSPECTS: usize = 1000;

/// What the loop knows of a Schedule and the store does not.
#[derive(Debug, Clone, Default)]
pub(super) enum Known {
    /// It is being looked at just now: it is left for later.
    UnderWay,
    /// Nothing: it has not been looked at in this turn of leadership.
    #[default]
    Nothing,
    /// What is remembered of it, and whether the last look at it failed.
    Remembered(Box<Recall>, bool),
}

/// What was found, and how far it has got.
#[derive(Debug)]
pub(super) struct Vigil {
    fence_seconds: i64,
    calm_since: Option<Timestamp>,
    /// Where the last turn ended.
    last: Option<Key>,
    /// What was found, since when, and whether that was told.
    suspects: BTreeMap<(Key, Invariant), (Timestamp, bool)>,
}

impl Vigil {
    pub(super) fn new(fence_seconds: i64) -> Self {
        Self { fence_seconds, calm_since: None, last: None, suspects: BTreeMap::new() }
    }

    /// Goes through the next few Schedules, and once more through those of which something was found.
    /// `calm_since` is when this turn of leadership began, or the clock was last in doubt. Answers what
    /// has to be told.
    pub(super) fn turn(
        &mut self,
        store: &Store,
        now: Timestamp,
        calm_since: Option<Timestamp>,
        known: impl Fn(&Key) -> Known,
    ) -> Vec<(Key, Violation)> {
        if self.calm_since != calm_since {
            self.calm_since = calm_since;
            self.suspects.retain(|_, (_, is_told)| *is_told);
        }
        if calm_since.is_none_or(|since| now.duration_since(since).as_secs() < CALM_SECONDS) {
            return Vec::new();
        }
        let mut told = Vec::new();
        for key in self.next(store) {
            if let Some(violations) = self.look(store, &key, now, known(&key)) {
                told.extend(self.take_note(&key, violations, now).into_iter().map(|it| (key.clone(), it)));
            }
        }
        told
    }

    fn next(&mut self, store: &Store) -> Vec<Key> {
        let few = store.count() / TURNS + 1;
        let mut keys = store.schedules_after(self.last.as_ref(), few);
        if keys.is_empty() {
            // After the last one it begins anew.
            keys = store.schedules_after(None, few);
        }
        self.last = keys.last().cloned();
        keys.extend(self.suspects.keys().map(|(key, _)| key.clone()));
        keys.sort();
        keys.dedup();
        keys
    }

    /// What does not hold of a Schedule; `None` if that cannot be said now.
    fn look(&self, store: &Store, key: &Key, now: Timestamp, known: Known) -> Option<Vec<Violation>> {
        let (mut recall, has_failed, was_looked_at) = match known {
            Known::UnderWay => return None,
            Known::Nothing => (Recall::default(), false, false),
            Known::Remembered(recall, has_failed) => (*recall, has_failed, true),
        };
        let circumstances = Circumstances { now, clock_skew: None, fence_seconds: self.fence_seconds };
        // One that is gone, or whose status a newer version wrote, has nothing to be held against.
        let Ok(Some((snapshot, _))) = gather(store, key, &mut recall, circumstances) else {
            return Some(Vec::new());
        };
        let seen = recall.generation.map(|(_, at)| at).filter(|_| was_looked_at);
        let found = invariants::check(&snapshot, seen.or(self.calm_since).unwrap_or(now));
        Some(found.into_iter().filter(|it| !(has_failed && it.invariant.is_of_progress())).collect())
    }

    /// Remembers what was found. Answers what has been there for long enough, once.
    fn take_note(&mut self, key: &Key, violations: Vec<Violation>, now: Timestamp) -> Vec<Violation> {
        let is_found = |invariant: Invariant| violations.iter().any(|it| it.invariant == invariant);
        self.suspects.retain(|(of, invariant), _| of != key || is_found(*invariant));
        let mut confirmed = Vec::new();
        for violation in violations {
            let id = (key.clone(), violation.invariant);
            let has_room = self.suspects.len() < SUSPECTS;
            match self.suspects.get_mut(&id) {
                Some((since, is_told)) if !*is_told && now.duration_since(*since).as_secs() >= CONFIRM_SECONDS => {
                    *is_told = true;
                    confirmed.push(violation);
                }
                None if has_room => drop(self.suspects.insert(id, (now, false))),
                _ => {}
            }
        }
        confirmed
    }
}

#[cfg(test)]
mod tests;
