//! What a user assumes, as a story.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::manifests::Document;
use super::super::source::context;
use super::Assumed;
use crate::api::Duration;
use crate::decide::trigger_hash;
use crate::simulate::job::{Behavior, Variation};
use crate::simulate::story::{Given, Power, Step, Story};
use crate::time::{Slot, Trigger, Zone};

/// Without an end, so many slots are played.
const USUAL_SLOTS: usize = 20;
/// The name of standard input.
const STDIN: &str = "-";

/// How long runs take: a duration, or any between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunsTake {
    shortest: Duration,
    longest: Option<Duration>,
}

impl FromStr for RunsTake {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = |text: &str| text.parse::<Duration>().map_err(|error| error.to_string());
        let Some((shortest, longest)) = text.split_once("..") else {
            return Ok(Self { shortest: read(text)?, longest: None });
        };
        let (shortest, longest) = (read(shortest)?, read(longest)?);
        if longest < shortest {
            return Err(format!("{longest} is shorter than {shortest}"));
        }
        Ok(Self { shortest, longest: Some(longest) })
    }
}

impl Assumed {
    /// The first instant.
    pub fn from(&self, zone: &Zone, now: Slot) -> Slot {
        self.from.map_or(now, |it| it.within(zone))
    }

    /// The story of a Schedule for which all that came before is decided.
    ///
    /// # Errors
    ///
    /// What makes no sense, in a sentence.
    pub fn story(
        &self,
        document: &Document,
        namespace: Option<&str>,
        trigger: &Trigger,
        from: Slot,
    ) -> Result<Story, String> {
        let until = self.until(trigger, from)?;
        let context = context(document, namespace, from);
        let begin = from.plus_seconds(-1);
        let uid = document.object["metadata"]["uid"].as_str().unwrap_or(UID).to_owned();
        let given = Given {
            date: begin.timestamp().strftime("%Y-%m-%d").to_string(),
            created: context.creation.timestamp().to_string(),
            begin: Some(begin.timestamp().to_string()),
            namespace: Some(context.namespace.to_owned()),
            name: Some(context.name.to_owned()),
            spec: document.object["spec"].clone(),
            status: status_at(document, &uid, begin),
            uid: Some(uid),
            jobs: self.usual(),
            jobs_of: self.failing(trigger.zone()),
            vary: Variation { takes_up_to: self.runs_take.longest, seed: self.seed, fail_every: self.fail_every },
            ..Given::default()
        };
        let when = self.steps(document, trigger.zone(), (from, until))?;
        Ok(Story { title: document.title(), given, when, expect: BTreeMap::new() })
    }

    fn until(&self, trigger: &Trigger, from: Slot) -> Result<Slot, String> {
        let until = match (self.until, self.length) {
            (Some(until), _) => until.within(trigger.zone()),
            (None, Some(length)) => from.plus_seconds(length.seconds_i64()),
            (None, None) => {
                let far = Slot::floor(Timestamp::MAX);
                let slots = trigger.between(from.plus_seconds(-1), far, USUAL_SLOTS + 1);
                match (slots.get(USUAL_SLOTS), slots.last()) {
                    (Some(next), _) => next.plus_seconds(-1),
                    (None, Some(last)) => last.plus_seconds(self.longest().seconds_i64()),
                    (None, None) => return Err(format!("there is no slot at {} or later", from.timestamp())),
                }
            }
        };
        if until < from {
            return Err(format!("{}..{} ends before it begins", from.timestamp(), until.timestamp()));
        }
        Ok(until)
    }

    fn longest(&self) -> Duration {
        self.runs_take.longest.unwrap_or(self.runs_take.shortest)
    }

    fn usual(&self) -> Behavior {
        let all_fail = self.fail_at.is_empty() || self.fail_every.is_some();
        let exit_code = if all_fail { self.exit_code } else { 0 };
        Behavior { takes: self.runs_take.shortest, exit_code, ..Behavior::default() }
    }

    fn failing(&self, zone: &Zone) -> BTreeMap<String, Behavior> {
        let exit_code = if self.exit_code == 0 { 1 } else { self.exit_code };
        let failing = Behavior { takes: self.runs_take.shortest, exit_code, ..Behavior::default() };
        self.fail_at.iter().map(|it| (it.within(zone).timestamp().to_string(), failing.clone())).collect()
    }

    fn steps(&self, document: &Document, zone: &Zone, (from, until): (Slot, Slot)) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        // What it was before: a Schedule may be paused all the time.
        let paused = document.object["spec"]["paused"].as_bool().unwrap_or(false);
        for span in &self.pause {
            let (begin, end) = span.within(zone).map_err(|error| format!("--pause {error}"))?;
            steps.push((just_before(begin.max(from)), Change::Edit(json!({"paused": true}))));
            steps.push((end.timestamp(), Change::Edit(json!({"paused": paused}))));
        }
        for span in &self.down {
            let (begin, end) = span.within(zone).map_err(|error| format!("--down {error}"))?;
            steps.push((just_before(begin.max(from)), Change::Power(Power::Down)));
            steps.push((end.timestamp(), Change::Power(Power::Up)));
        }
        steps.retain(|(at, _)| just_before(from) <= *at && *at <= until.timestamp());
        steps.sort_by_key(|(at, _)| *at);
        let mut steps: Vec<Step> = steps.into_iter().map(|(at, change)| change.step(at)).collect();
        steps.push(Step::at(until.timestamp()));
        Ok(steps)
    }

    /// The assumptions, for people.
    pub fn in_words(&self) -> String {
        let takes = match self.runs_take.longest {
            Some(longest) => format!("runs take {} to {longest} (seed {})", self.runs_take.shortest, self.seed),
            None => format!("runs take {}", self.runs_take.shortest),
        };
        let code = if self.exit_code == 0 { 1 } else { self.exit_code };
        let end = match (self.fail_every, self.fail_at.is_empty(), self.exit_code) {
            (None, true, 0) => "they succeed".to_owned(),
            (None, true, code) => format!("they fail with exit code {code}"),
            (None, false, _) => format!("those of --fail-at fail with exit code {code}"),
            (Some(every), true, _) => format!("of every {every} Jobs the last fails with exit code {code}"),
            (Some(every), false, _) => {
                format!("of every {every} Jobs the last fails, and those of --fail-at, with exit code {code}")
            }
        };
        format!("{takes}, and {end}")
    }
}

/// What a user, or fate, does.
enum Change {
    Edit(Value),
    Power(Power),
}

impl Change {
    fn step(self, at: Timestamp) -> Step {
        match self {
            Self::Edit(patch) => Step::edit(at, patch),
            Self::Power(power) => Step::power(at, power),
        }
    }
}

/// What begins with a second comes before what is due in it.
fn just_before(slot: Slot) -> Timestamp {
    slot.timestamp().saturating_sub(SignedDuration::from_millis(1)).unwrap_or(Timestamp::MIN)
}

/// The UID of a Schedule that does not exist yet.
const UID: &str = "00000000-0000-0000-0000-000000000000";

/// The status of a Schedule for which everything is decided up to an instant, and nothing is active.
fn status_at(document: &Document, uid: &str, mark: Slot) -> Value {
    let mark = mark.timestamp();
    let recorded = &document.object["status"];
    let is_its_own = recorded["uid"].as_str() == Some(uid);
    let kept = |field: &str| if is_its_own { recorded[field].as_i64().unwrap_or(0) } else { 0 };
    json!({
        "uid": uid,
        "conditions": [],
        "decidedThrough": mark,
        "epoch": {"hash": trigger_hash(&document.object["spec"]["trigger"]), "since": mark},
        "activeRuns": 0,
        "queuedRuns": 0,
        "plannedRuns": kept("plannedRuns"),
        "consecutiveFailures": kept("consecutiveFailures"),
        "counts": {},
    })
}

/// Reads a scenario; it is about the Schedule of a manifest, if there is one.
///
/// # Errors
///
/// What is wrong with it, in a sentence.
pub fn of_scenario(
    file: &str,
    input: &mut dyn Read,
    documents: &[Document],
    namespace: Option<&str>,
) -> Result<Story, String> {
    let mut text = String::new();
    let read = if file == STDIN {
        input.read_to_string(&mut text).map(|_| ())
    } else {
        fs::read_to_string(file).map(|it| text = it)
    };
    read.map_err(|error| format!("failed to read it: {error}"))?;
    let mut story = Story::read(&text)?;
    let document = match (documents, story.given.spec.is_null()) {
        ([], false) => return Ok(story),
        ([], true) => return Err("given.spec is missing; it may also come from a manifest, by -f".into()),
        ([document], true) => document,
        ([_], false) => return Err("given.spec is there, and a manifest as well: leave out one of them".into()),
        _ => return Err(format!("{} Schedules are given by -f; a scenario is about one", documents.len())),
    };
    let context = context(document, namespace, Slot::from_unix_seconds(0));
    story.given.namespace.get_or_insert_with(|| context.namespace.to_owned());
    story.given.name.get_or_insert_with(|| context.name.to_owned());
    story.given.spec = document.object["spec"].clone();
    Ok(story)
}
