//! `why`: what became of a slot, or will, and what holds the Schedule up now?

mod recorded;
mod standing;
mod to_come;

use std::io;

use serde_json::{Map, Value, json};

use super::check;
use super::manifests::Document;
use super::moment::Moment;
use super::source::Source;
use super::{Output, Status, Surroundings, reasons};
use crate::api::status::Origin;
use crate::api::{ScheduleSpec, ScheduleStatus};
use crate::time::{Context, Search, Slot, Trigger};

/// Say what became of a slot, or will become of it, and which field decides.
///
/// Without --at: what holds the Schedule up now, its last slot and its next one. A Schedule comes
/// from the cluster, or as `kubectl get schedule NAME -o yaml` prints it.
#[derive(clap::Args, Debug)]
pub struct Why {
    #[command(flatten)]
    source: Source,
    /// The slot: a time in RFC 3339, or as the clock in the trigger's time zone shows it, such as
    /// 2026-12-24T18:00.
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,
    /// text for people, or json: one object a Schedule, each on its line.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// A Schedule, read and understood.
struct Subject<'a> {
    document: &'a Document,
    context: Context<'a>,
    spec: ScheduleSpec,
    trigger: Trigger,
    /// `None` if nothing is recorded of it.
    status: Option<ScheduleStatus>,
    now: Slot,
}

/// One thing there is to say.
#[derive(Debug, Default, PartialEq)]
struct Finding {
    /// The slot it is about.
    slot: Option<Slot>,
    /// The outcome, or the state, in the word of status.
    word: String,
    /// Why, in the word of status.
    reason: Option<String>,
    /// In a sentence.
    sentence: String,
    /// The field that decides.
    field: Option<&'static str>,
}

impl Finding {
    fn new(word: &str, sentence: impl Into<String>) -> Self {
        Self { word: word.to_owned(), sentence: sentence.into(), ..Self::default() }
    }

    /// As decided for a reason.
    fn because(mut self, reason: Option<&str>) -> Self {
        self.reason = reason.map(str::to_owned);
        self.field = reason.and_then(reasons::field).or(self.field);
        self
    }

    fn by(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }

    fn about(mut self, slot: Slot) -> Self {
        self.slot = Some(slot);
        self
    }
}

impl Why {
    /// Answers for each Schedule on its own.
    ///
    /// # Errors
    ///
    /// When the answer cannot be written.
    pub fn run(&self, surroundings: &mut Surroundings<'_>) -> io::Result<Status> {
        let now = surroundings.now;
        self.source.answer_each(surroundings, self.output, Status::Unusable, |document| {
            let subject = self.subject(document, now)?;
            let findings = self.findings(&subject);
            Ok(match self.output {
                Output::Text => as_text(&subject, &findings),
                Output::Json => format!("{}\n", as_json(&subject, &findings)),
            })
        })
    }

    fn subject<'a>(&'a self, document: &'a Document, now: Slot) -> Result<Subject<'a>, Vec<String>> {
        let context = self.source.context(document, now);
        let understood = check::trigger(document, &context)
            .map_err(|problems| problems.iter().map(|it| format!("it is stalled: {it}")).collect::<Vec<_>>())?;
        let read = |error: serde_json::Error, what: &str| vec![format!("{what} cannot be read: {error}")];
        let spec = serde_json::from_value(document.object["spec"].clone()).map_err(|error| read(error, "its spec"))?;
        let status = document.status().map_err(|error| read(error, "its status"))?;
        Ok(Subject { document, context, spec, trigger: understood.trigger, status, now })
    }

    fn findings(&self, subject: &Subject<'_>) -> Vec<Finding> {
        if let Some(at) = self.at {
            return subject.about(at.within(subject.trigger.zone()));
        }
        let mut findings = standing::of(subject);
        let last = subject.status.as_ref().and_then(|it| it.last_slot.as_ref());
        findings.extend(last.into_iter().flat_map(|it| subject.about(Slot::floor(it.slot_time.0))));
        match subject.trigger.next(subject.now) {
            Search::Slot(next) => findings.extend(subject.about(next)),
            Search::NoneUpTo(up_to) => {
                let sentence = format!("no slot comes up to {}", subject.shown(up_to));
                findings.push(Finding::new("NoSlot", sentence).by("spec.trigger"));
            }
            Search::Never => findings.push(Finding::new("NoSlot", "no slot is left to come").by("spec.trigger")),
        }
        findings
    }
}

impl Subject<'_> {
    /// What there is to say of an instant.
    fn about(&self, at: Slot) -> Vec<Finding> {
        // What is recorded of a slot counts, even if the trigger has been changed since.
        if let Some(finding) = recorded::of(self, at) {
            return vec![finding.about(at)];
        }
        if self.trigger.between(at.plus_seconds(-1), at, 1).is_empty() {
            return vec![self.no_slot(at).about(at)];
        }
        let findings = if at <= self.now { vec![recorded::unrecorded(self, at)] } else { to_come::of(self, at) };
        findings.into_iter().map(|it| it.about(at)).collect()
    }

    /// An instant at which the trigger asks for nothing.
    fn no_slot(&self, at: Slot) -> Finding {
        let excluded = self.trigger.excluded(at.plus_seconds(-1), at, 1);
        if let Some(excluded) = excluded.first() {
            let moved = excluded.moved_to.map(|to| format!(", and moved to {}", self.shown(to))).unwrap_or_default();
            let sentence = format!("it is no slot: it is excluded by {}{moved}", excluded.by);
            return Finding::new("Excluded", sentence).by("spec.trigger.exclude");
        }
        let near = |found: Search, none: &str| found.slot().map_or_else(|| none.to_owned(), |it| self.shown(it));
        let before = near(self.trigger.prev(at), "there is none");
        let after = near(self.trigger.next(at), "there is none");
        let sentence = format!("it is no slot of the trigger: the one before is {before}, the one after {after}");
        Finding::new("NoSlot", sentence).by("spec.trigger")
    }

    fn shown(&self, slot: Slot) -> String {
        self.trigger.in_words(slot)
    }

    fn origin(&self, origin: &Origin) -> String {
        origin.slot().map_or_else(|| origin.to_string(), |slot| format!("the slot {}", self.shown(slot)))
    }

    fn shown_time(&self, time: jiff::Timestamp) -> String {
        self.shown(Slot::floor(time))
    }
}

fn as_text(subject: &Subject<'_>, findings: &[Finding]) -> String {
    let mut text = format!("{}: {}\n", subject.document.title(), subject.trigger.words());
    for finding in findings {
        let about = finding.slot.map_or_else(|| "now".to_owned(), |slot| subject.shown(slot));
        let reason = finding.reason.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
        let field = finding.field.map(|it| format!(" [{it}]")).unwrap_or_default();
        text.push_str(&format!("  {about}: {}{reason}: {}{field}\n", finding.word, finding.sentence));
    }
    text
}

fn as_json(subject: &Subject<'_>, findings: &[Finding]) -> Value {
    let told = findings.iter().map(|finding| {
        let mut object = Map::new();
        let fields = [
            ("slotTime", json!(finding.slot.map(Slot::timestamp))),
            ("word", json!(finding.word)),
            ("reason", json!(finding.reason)),
            ("message", json!(finding.sentence)),
            ("field", json!(finding.field)),
        ];
        let present = fields.into_iter().filter(|(_, value)| !value.is_null());
        object.extend(present.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(object)
    });
    json!({
        "namespace": subject.context.namespace,
        "name": subject.context.name,
        "now": subject.now.timestamp(),
        "findings": told.collect::<Vec<_>>(),
    })
}
