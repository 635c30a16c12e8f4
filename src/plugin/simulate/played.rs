//! What was played, and what there is to tell of a slot of it.

use std::collections::BTreeMap;

use crate::api::Duration;
use crate::api::status::{Outcome, Why};
use crate::report::notices::in_words;
use crate::simulate::history::{Decided, Fate, History, Run};
use crate::simulate::world::World;
use crate::time::{Slot, Zone};

/// A story that was played.
pub struct Played<'a> {
    /// What it is about.
    pub title: &'a str,
    /// The zone in which people read times.
    pub zone: &'a Zone,
    /// What was assumed, in words.
    pub assumed: &'a str,
    /// How it ended.
    pub world: &'a World,
    /// Why it was stopped before its end, if it was.
    pub stopped: Option<String>,
    /// What differs from what was expected.
    pub differences: &'a [String],
}

/// What there is to tell of a slot, or of neighbouring ones decided together.
pub struct Told<'a> {
    /// The slot; of a range the first.
    pub first: Slot,
    /// The last of a range.
    pub last: Slot,
    /// What became of it.
    pub decided: &'a Decided,
    /// The run it became.
    pub run: Option<&'a Run>,
}

impl Played<'_> {
    /// What happened.
    pub fn history(&self) -> &History {
        &self.world.ledger.history
    }

    /// Slots in their order.
    pub fn slots(&self) -> impl Iterator<Item = Told<'_>> {
        let history = self.history();
        history.slots.iter().map(|((first, last), decided)| {
            let run = if let Fate::Started(index) = decided.fate { history.runs.get(index) } else { None };
            Told { first: *first, last: *last, decided, run }
        })
    }

    /// Slots by outcome; those that wait by why they do.
    pub fn slot_totals(&self) -> BTreeMap<String, u64> {
        let mut totals = BTreeMap::new();
        for told in self.slots() {
            *totals.entry(told.outcome()).or_default() += told.decided.count.unwrap_or(1);
        }
        totals
    }

    /// Runs by outcome; `Started` for those that have not ended.
    pub fn run_totals(&self) -> BTreeMap<String, u64> {
        let mut totals = BTreeMap::new();
        for run in &self.history().runs {
            *totals.entry(outcome_of(run)).or_default() += 1;
        }
        totals
    }
}

fn outcome_of(run: &Run) -> String {
    run.end.as_ref().map_or(Outcome::Started, |end| end.outcome.clone()).to_string()
}

impl Told<'_> {
    /// Its outcome, that of its run, or why it waits.
    pub fn outcome(&self) -> String {
        match (&self.decided.fate, self.run) {
            (Fate::Settled { outcome, .. }, _) => outcome.to_string(),
            (Fate::Waits { why, .. }, _) => why.as_str().to_owned(),
            (Fate::Started(_), Some(run)) => outcome_of(run),
            (Fate::Started(_), None) => Outcome::Started.to_string(),
        }
    }

    /// The word for why.
    pub fn reason(&self) -> Option<String> {
        match (&self.decided.fate, self.run) {
            (Fate::Settled { reason, .. }, _) => Some(reason.to_string()),
            (Fate::Waits { refusal, .. }, _) => refusal.clone(),
            (Fate::Started(_), run) => run?.end.as_ref()?.reason.clone(),
        }
    }

    /// Why, for people; empty where there is nothing to say.
    pub fn why(&self) -> String {
        match (&self.decided.fate, self.run) {
            (Fate::Settled { reason, .. }, _) => format!("{reason}: {}", in_words(*reason)),
            (Fate::Waits { refusal: Some(refusal), .. }, _) => format!("{refusal}: its start is refused"),
            (Fate::Waits { refusal: None, .. }, _) => "it has not started yet".into(),
            (Fate::Started(_), Some(run)) => self.why_so(run),
            (Fate::Started(_), None) => String::new(),
        }
    }

    fn why_so(&self, run: &Run) -> String {
        let late = run.started.duration_since(self.first.timestamp()).as_secs();
        let late = Duration::from_seconds(u64::try_from(late).unwrap_or(0));
        let mut parts = Vec::new();
        match &run.waited {
            Some(Why::CatchUp) => parts.push(format!("caught up, {late} late")),
            Some(Why::Queued) => parts.push(format!("queued for {late}")),
            Some(Why::Replacing) => parts.push("replaced the run before".into()),
            Some(why) => parts.push(format!("{}, {late} late", why.as_str())),
            None if late.seconds() > 0 => parts.push(format!("{late} after its slot")),
            None => {}
        }
        if run.attempts > 1 {
            parts.push(format!("{} attempts", run.attempts));
        }
        if let Some(end) = run.end.as_ref().filter(|end| !end.outcome.is_success()) {
            parts.extend(end.exit_code.map(|code| format!("exit code {code}")));
            parts.extend(end.reason.clone());
            parts.extend(end.message.clone().filter(|_| end.exit_code.is_none()));
        }
        parts.join(", ")
    }
}
