//! Replicas, and what was done to them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::history::{Fact, What};

/// What is wrong, and what was.
#[derive(Default)]
pub struct Circumstances {
    lives: BTreeMap<String, Life>,
    is_disturbed: bool,
    disturbed_until: Option<Timestamp>,
    slow_until: Option<Timestamp>,
    last_fact: Option<Timestamp>,
}

/// One life of a replica.
pub struct Life {
    /// When it began.
    pub started: Timestamp,
    /// When it was told to stop.
    pub told_to_stop: Option<Timestamp>,
    /// When it ended, in whatever way.
    pub ended: Option<Timestamp>,
    frozen: Option<Timestamp>,
    woken: Option<Timestamp>,
    clock_off: SignedDuration,
    most_off: SignedDuration,
}

impl Circumstances {
    /// Takes in a fact.
    pub fn note(&mut self, fact: &Fact) {
        self.last_fact = Some(fact.at);
        match &fact.what {
            What::Started(life) => {
                // The clock is the host's: what it was to the life before it is to this one.
                let host = life.trim_end_matches(char::is_numeric);
                let before = self.lives.iter().filter(|(it, _)| it.trim_end_matches(char::is_numeric) == host);
                let clock_off =
                    before.max_by_key(|(_, it)| it.started).map_or(SignedDuration::ZERO, |it| it.1.clock_off);
                self.lives.insert(life.clone(), Life::new(fact.at, clock_off));
            }
            What::Killed(life) | What::Ended(life, _) => self.with(life, |it| it.ended = Some(fact.at)),
            What::ToldToStop(life) => self.with(life, |it| it.told_to_stop = Some(fact.at)),
            What::Frozen(life) => self.with(life, |it| it.frozen = Some(fact.at)),
            What::Woken(life) => self.with(life, |it| (it.frozen, it.woken) = (None, Some(fact.at))),
            What::ClockOff(life, milliseconds) => self.with(life, |it| {
                it.clock_off = SignedDuration::from_millis(*milliseconds);
                it.most_off = it.most_off.max(it.clock_off.abs());
            }),
            // What it did not hear of it looks for: only the time that takes counts.
            What::Unanswered(_) => {}
            What::Slowed(_, lasts) => {
                self.is_disturbed = true;
                self.slow_until = self.slow_until.max(Some(fact.at + SignedDuration::from_millis(*lasts)));
            }
            What::Disturbed(_) => self.is_disturbed = true,
            What::Calm => {
                (self.is_disturbed, self.disturbed_until) = (false, Some(fact.at));
                self.lives.values_mut().for_each(|it| it.clock_off = SignedDuration::ZERO);
            }
        }
    }

    /// Whether a client is a life of a replica.
    pub fn is_life(&self, client: &str) -> bool {
        self.lives.contains_key(client)
    }

    /// Those that could lead: alive, not frozen, not about to end.
    pub fn able(&self) -> impl Iterator<Item = (&String, &Life)> {
        self.lives.iter().filter(|(_, it)| it.ended.is_none() && it.frozen.is_none() && it.told_to_stop.is_none())
    }

    /// Since when nothing was done to anybody, and nothing is wrong; `None` while something is.
    pub fn undisturbed_since(&self) -> Option<Timestamp> {
        let mut there = self.lives.values().filter(|it| it.ended.is_none());
        let is_wrong = there.any(|it| it.frozen.is_some() || it.clock_off != SignedDuration::ZERO);
        let is_anybody_there = self.able().next().is_some();
        self.last_fact.filter(|_| !self.is_disturbed && !is_wrong && is_anybody_there)
    }

    /// Whether something was wrong between the replicas and the API server at any time since.
    pub fn network_was_in_trouble_since(&self, since: Timestamp) -> bool {
        self.is_disturbed || self.disturbed_until.is_some_and(|until| until >= since)
    }

    /// Until when requests that were long on their way may arrive.
    pub fn late_requests_until(&self) -> Option<Timestamp> {
        const LONGEST_ON_ITS_WAY: SignedDuration = SignedDuration::from_secs(15);
        self.slow_until.map(|until| until + LONGEST_ON_ITS_WAY)
    }

    /// By how much the clock of a life was ever off, as far as anybody would believe it.
    pub fn clock_may_be_off(&self, life: &str) -> SignedDuration {
        const NOT_BELIEVED: SignedDuration = SignedDuration::from_secs(41);
        self.lives.get(life).map_or(SignedDuration::ZERO, |it| it.most_off.min(NOT_BELIEVED))
    }

    fn with(&mut self, life: &str, change: impl FnOnce(&mut Life)) {
        if let Some(life) = self.lives.get_mut(life) {
            change(life);
        }
    }
}

impl Life {
    fn new(started: Timestamp, clock_off: SignedDuration) -> Self {
        let most_off = clock_off.abs();
        Self { started, told_to_stop: None, ended: None, frozen: None, woken: None, clock_off, most_off }
    }

    /// Whether it was frozen at any time since.
    pub fn was_frozen_since(&self, since: Timestamp) -> bool {
        self.frozen.is_some() || self.woken.is_some_and(|woken| woken >= since)
    }
}
