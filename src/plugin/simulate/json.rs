//! A simulation for programs.

use serde_json::{Map, Value, json};

use super::super::reasons;
use super::played::{Played, Told};
use crate::report::notices::in_words;
use crate::simulate::history::{Fate, Run};
use crate::time::Slot;

/// One object.
pub fn of(played: &Played<'_>) -> Value {
    let (history, schedule) = (played.history(), &played.world.cluster.schedule);
    let happenings =
        history.happenings.iter().map(|(at, what)| json!({"time": Slot::ceil(*at).timestamp(), "what": what}));
    json!({
        "namespace": schedule.namespace,
        "name": schedule.name,
        "until": Slot::floor(played.world.cluster.now).timestamp(),
        "stopped": played.stopped,
        "slots": played.slots().map(|told| slot(&told)).collect::<Vec<_>>(),
        "runs": history.runs.iter().map(run).collect::<Vec<_>>(),
        "happenings": happenings.collect::<Vec<_>>(),
        "totals": {
            "slots": played.slot_totals(),
            "runs": played.run_totals(),
            "mostActive": history.most_active,
            "mostWaiting": history.most_waiting,
        },
        "differences": played.differences,
    })
}

fn slot(told: &Told<'_>) -> Value {
    let decided = told.decided;
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            object.insert(name.into(), value);
        }
    };
    put("slotTime", json!(told.first.timestamp()));
    if told.first != told.last {
        put("lastSlotTime", json!(told.last.timestamp()));
        put("count", json!(decided.count));
    }
    put("decidedTime", json!(Slot::floor(decided.at).timestamp()));
    put(if matches!(decided.fate, Fate::Waits { .. }) { "waits" } else { "outcome" }, json!(told.outcome()));
    put("reason", json!(told.reason()));
    if let Fate::Settled { reason, into, .. } = &decided.fate {
        put("message", json!(in_words(*reason)));
        put("field", json!(reasons::field(&reason.to_string())));
        put("into", json!(into.map(Slot::timestamp)));
    }
    put("jobName", json!(told.run.map(|it| &it.job_name)));
    put("active", json!(decided.active));
    put("waiting", json!(decided.waiting));
    Value::Object(object)
}

fn run(run: &Run) -> Value {
    let mut object = json!(run.origin);
    object["jobName"] = json!(run.job_name);
    object["startTime"] = json!(run.started);
    object["attempts"] = json!(run.attempts);
    object["beside"] = json!(run.beside);
    if let Some(why) = &run.waited {
        object["waited"] = json!(why);
    }
    if let Some(end) = &run.end {
        object["completionTime"] = json!(end.at);
        object["outcome"] = json!(end.outcome);
        for (name, value) in
            [("exitCode", json!(end.exit_code)), ("reason", json!(end.reason)), ("message", json!(end.message))]
        {
            if !value.is_null() {
                object[name] = value;
            }
        }
    }
    object
}
