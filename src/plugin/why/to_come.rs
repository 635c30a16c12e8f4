//! What will become of a slot, by the operator's own rules: it is played in the world of virtual
//! time, with what is active now.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Finding, Subject, reasons};
use crate::api::status::{ActiveRun, Origin, Pending, Why};
use crate::decide::{naming, trigger_hash};
use crate::report::conditions::{INVALID_TEMPLATE, STALLED};
use crate::simulate::cluster::{Cluster, Creates};
use crate::simulate::history::{Decided, Fate};
use crate::simulate::job::Behavior;
use crate::simulate::times::Times;
use crate::simulate::world::World;
use crate::time::Slot;

/// What will become of a slot: if what is active now goes on, and if it has ended by then.
pub fn of(subject: &Subject<'_>, slot: Slot) -> Vec<Finding> {
    let ended = play(subject, slot, false).map(|it| tell(subject, slot, it));
    let is_busy = subject.status.as_ref().is_some_and(|it| !it.active.is_empty() || !it.pending.is_empty());
    let busy = if is_busy { play(subject, slot, true).map(|it| tell(subject, slot, it)) } else { None };
    match (busy, ended) {
        (Some(busy), Some(ended)) if busy == ended => vec![assuming("whatever is active now", busy)],
        (Some(busy), Some(ended)) => vec![
            assuming("if what is active and waits now still does so then", busy),
            assuming("if that has come to its end by then", ended),
        ],
        (Some(only), None) | (None, Some(only)) => vec![assuming("if all goes on as now", only)],
        (None, None) => vec![Finding::new("Unknown", "what comes of it cannot be computed")],
    }
}

fn assuming(what: &str, finding: Finding) -> Finding {
    Finding { sentence: format!("{what}, {}", finding.sentence), ..finding }
}

/// What is decided of it at its planned start; `None` inside if nothing is.
fn play(subject: &Subject<'_>, slot: Slot, is_busy: bool) -> Option<Option<(Decided, Slot)>> {
    let object = &subject.document.object;
    let begin = slot.plus_seconds(-1);
    let times = Times::on(&begin.timestamp().strftime("%Y-%m-%d").to_string()).ok()?;
    let forever = Behavior { never_ready: Some(String::new()), ..Behavior::default() };
    let mut cluster =
        Cluster::new(begin.timestamp(), object["spec"].clone(), forever, std::collections::BTreeMap::new());
    let stored = &mut cluster.schedule;
    stored.namespace = subject.context.namespace.to_owned();
    stored.name = subject.context.name.to_owned();
    stored.creation = subject.context.creation.timestamp();
    stored.uid = object["metadata"]["uid"].as_str().map_or_else(|| stored.uid.clone(), str::to_owned);
    stored.generation = object["metadata"]["generation"].as_i64().unwrap_or(1);
    let active = if is_busy { active(subject, &stored.uid, begin) } else { Vec::new() };
    stored.status = status_at(subject, &stored.uid, begin, is_busy);
    stored.status["active"] = json!(active);
    active.iter().for_each(|run| cluster.go_on(run));
    let is_refused = |it: &Pending| it.why == Why::Retrying;
    if is_busy && subject.status.iter().flat_map(|it| &it.pending).any(is_refused) {
        cluster.creates = Creates::QuotaExceeded;
    }
    let mut world = World::new(cluster, times);
    world.is_checked = false;
    let planned = world.planned_start_after(begin)?;
    world.run_until(planned.timestamp().checked_add(SignedDuration::from_secs(1)).ok()?);
    let decided = world.ledger.history.slots.iter().find(|((first, last), _)| *first <= slot && slot <= *last);
    Some(decided.map(|(_, it)| (it.clone(), planned)))
}

/// The runs that are active now. One by hand counts as any other, but status does not hold what its
/// Job is known by: here it is that of a slot which was decided before.
fn active(subject: &Subject<'_>, uid: &str, mark: Slot) -> Vec<ActiveRun> {
    let runs = subject.status.iter().flat_map(|it| &it.active);
    let as_of_slot = |(number, run): (i64, &ActiveRun)| {
        if run.origin.slot().is_some() {
            return run.clone();
        }
        let slot = mark.plus_seconds(-number);
        let (_, attempt) = naming::split(&run.job_name);
        let job_name = naming::of_attempt(&naming::job_name(subject.context.name, uid, slot), attempt);
        ActiveRun { origin: Origin::of_slot(slot), job_name, ..run.clone() }
    };
    (1..).zip(runs).map(as_of_slot).collect()
}

/// The status as it is now, with every slot before this one decided.
fn status_at(subject: &Subject<'_>, uid: &str, mark: Slot, is_busy: bool) -> Value {
    let mut status = subject.document.object["status"].clone();
    if !status.is_object() || subject.status.is_none() {
        status = json!({"conditions": []});
    }
    status["uid"] = json!(uid);
    status["decidedThrough"] = json!(mark.timestamp());
    let hash = trigger_hash(&subject.document.object["spec"]["trigger"]);
    status["epoch"] = json!({"hash": hash, "since": mark.timestamp()});
    if !is_busy {
        status["pending"] = json!([]);
    }
    status
}

fn tell(subject: &Subject<'_>, slot: Slot, decided: Option<(Decided, Slot)>) -> Finding {
    let Some((decided, planned)) = decided else { return undecided(subject) };
    match decided.fate {
        Fate::Started(_) if is_refused(subject) => {
            let sentence = "it starts only if the API server takes its Job, which it would not when it was tried";
            Finding::new("Starts", sentence).by("spec.jobTemplate")
        }
        Fate::Started(_) if planned > slot => {
            Finding::new("Starts", format!("it starts at {}, spread by jitter", subject.shown(planned)))
                .by("spec.jitter")
        }
        Fate::Started(_) => Finding::new("Starts", "it starts").by("spec.trigger"),
        Fate::Waits { why, .. } => {
            let word = why.as_str().to_owned();
            let sentence = format!("it waits, with {} before it", decided.waiting.saturating_sub(1));
            Finding { field: reasons::field(&word), ..Finding::new(&word, sentence) }
        }
        Fate::Settled { outcome, reason, .. } => {
            let reason = reason.to_string();
            let words = reasons::in_words(&reason).unwrap_or_default();
            Finding::new(outcome.as_str(), format!("it does not start: {words}")).because(Some(&reason))
        }
    }
}

/// Nothing is decided of it when it comes.
fn undecided(subject: &Subject<'_>) -> Finding {
    let status = subject.status.as_ref();
    if status.is_some_and(|it| it.max_runs_reached.is_some()) {
        return Finding::new(
            "NoSlot",
            "as many runs were planned as spec.maxRuns allows, and there are no slots any more",
        )
        .because(Some("MaxRunsReached"));
    }
    let sentence = "it is not decided when it comes, because the Schedule is paused: on resume catchUp decides";
    let source = status.iter().flat_map(|it| &it.pauses).next().map_or("", |it| it.source.as_str());
    Finding::new("Undecided", sentence).because(Some("Paused")).by(reasons::pause_field(source))
}

/// The Job was tried, and refused: what is played here takes every Job.
fn is_refused(subject: &Subject<'_>) -> bool {
    let conditions = subject.status.iter().flat_map(|it| &it.conditions);
    conditions.into_iter().any(|it| it.type_ == STALLED && it.reason == INVALID_TEMPLATE)
}
