//! Objects as they may be stored: mostly such as make sense, with values that are odd.

use arbitrary::{Result, Unstructured};
use jiff::{SignedDuration, Timestamp};
use punctual::decide::{naming, trigger_hash};
use punctual::time::Slot;
use serde_json::{Map, Value, json};

use super::odd::{duration, near, time};

/// Makes a value.
type Part = fn(&mut Unstructured<'_>) -> Result<Value>;

/// The one Schedule.
pub const NAMESPACE: &str = "team";
pub const NAME: &str = "nightly";
pub const UID: &str = "2d1f7a52-6d3c-4bb0-9d52-0a52c4a3f9e1";

/// The time of the first round: 2026-06-01T10:00:00Z.
pub fn now() -> Timestamp {
    later(0)
}

/// So many seconds after it.
pub fn later(seconds: i64) -> Timestamp {
    let begin = Slot::from_unix_seconds(1_780_308_000).timestamp();
    begin.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(begin)
}

/// Up to so many, each of its own kind.
pub fn several<T>(
    u: &mut Unstructured<'_>,
    most: usize,
    one: fn(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    (0..u.int_in_range(0..=most)?).map(|_| one(u)).collect()
}

/// Few that differ, as often as it takes to fill a list to its limit, or beyond.
fn list(u: &mut Unstructured<'_>, one: Part) -> Result<Value> {
    let few = several(u, 3, one)?;
    let copies = *u.choose(&[1, 1, 1, 1, 40, 120])?;
    Ok(few.iter().cycle().take(few.len() * copies).cloned().collect())
}

/// An object of some of these fields.
fn some(u: &mut Unstructured<'_>, fields: &[(&str, Part)]) -> Result<Value> {
    let mut map = Map::new();
    for (name, value) in fields {
        if u.ratio(1, 3)? {
            map.insert((*name).to_owned(), value(u)?);
        }
    }
    Ok(Value::Object(map))
}

fn small(u: &mut Unstructured<'_>) -> Result<Value> {
    Ok(json!(u.choose(&[0, 1, 2, 3, 98, 100, 1000, i64::from(i32::MAX), -1])?))
}

fn text(u: &mut Unstructured<'_>) -> Result<Value> {
    let length = *u.choose(&[1, 20, 256, 1024])?;
    Ok(json!(u.choose(&["a", "\"", "ä", "\u{7}", "\n"])?.repeat(length)))
}

fn word(u: &mut Unstructured<'_>) -> Result<Value> {
    let words = [
        "Started",
        "Failed",
        "Succeeded",
        "Lost",
        "SkippedLate",
        "QuotaExceeded",
        "CatchUpAll",
        "LateCreate",
        "JobRefused",
        "Vaporised",
        "",
    ];
    Ok(json!(u.choose(&words)?))
}

pub fn schedule(u: &mut Unstructured<'_>) -> Result<Value> {
    let spec = spec(u)?;
    let status = status(u, &spec["trigger"])?;
    let deleted = if u.ratio(1, 30)? { time(u)? } else { Value::Null };
    let generation = *u.choose(&[1, 1, 1, 2, i64::MAX, -1])?;
    let creation = if u.ratio(1, 10)? { time(u)? } else { json!(later(-7200).to_string()) };
    Ok(json!({
        "metadata": {
            "namespace": NAMESPACE, "name": NAME, "uid": UID, "generation": generation,
            "creationTimestamp": creation, "deletionTimestamp": deleted,
        },
        "spec": spec,
        "status": status,
    }))
}

fn spec(u: &mut Unstructured<'_>) -> Result<Value> {
    let fields: &[(&str, Part)] = &[
        ("jitter", duration),
        ("paused", |u| Ok(json!(u.arbitrary::<bool>()?))),
        ("pauseUntil", time),
        ("pauseReason", text),
        ("startingDeadline", duration),
        ("catchUp", |u| {
            let policy: Part = |u| Ok(json!(u.choose(&["None", "Latest", "Earliest", "All"])?));
            some(
                u,
                &[("policy", policy), ("limit", small), ("afterPause", policy), ("maxAge", duration), ("since", time)],
            )
        }),
        ("concurrency", |u| {
            let policy: Part = |u| Ok(json!(u.choose(&["Allow", "Forbid", "Replace", "Queue"])?));
            let full: Part = |u| Ok(json!(u.choose(&["DropNewest", "DropOldest"])?));
            some(u, &[("policy", policy), ("limit", small), ("queueLimit", small), ("queueFull", full)])
        }),
        ("retry", |u| {
            let mut retry = some(u, &[("delay", duration), ("factor", small), ("maxDelay", duration)])?;
            retry["limit"] = small(u)?;
            Ok(retry)
        }),
        ("maxRuns", small),
        ("pauseAfterFailures", small),
        ("resultTTL", duration),
        ("failedResultTTL", duration),
        ("resultLimit", small),
        ("failedResultLimit", small),
        ("resultContainer", text),
        ("successfulJobsHistoryLimit", small),
        ("failedJobsHistoryLimit", small),
    ];
    let mut spec = some(u, fields)?;
    spec["trigger"] = trigger(u)?;
    let container = json!({"name": "main", "image": "work:1", "env": [{"name": "A", "value": "1"}]});
    let job = json!({"ttlSecondsAfterFinished": small(u)?, "template": {"spec": {"containers": [container]}}});
    spec["jobTemplate"] =
        json!({"metadata": {"labels": {"a": "b"}, "annotations": {"punctual.dev/stopped": "x"}}, "spec": job});
    Ok(spec)
}

fn trigger(u: &mut Unstructured<'_>) -> Result<Value> {
    let crons = ["* * * * *", "*/7 * * * * *", "0 */2 * * *", "H H * * *", "0 0 31 2 *", "0 0 29 2 mon#5", "nonsense"];
    let mut trigger = match u.int_in_range(0..=5)? {
        0 | 1 => json!({"cron": u.choose(&crons)?}),
        2 => json!({"interval": {"every": duration(u)?, "startTime": time(u)?}}),
        3 => json!({"at": several(u, 5, time)?}),
        4 => json!({"calendar": {"days": small(u)?, "timeOfDay": "02:30"}}),
        _ => {
            json!({"anyOf": [{"cron": u.choose(&crons)?}, {"interval": {"every": duration(u)?}}, {"at": several(u, 3, near)?}]})
        }
    };
    let more: &[(&str, Part)] = &[
        ("timeZone", |u| Ok(json!(u.choose(&["UTC", "Europe/Berlin", "Pacific/Apia", "Nowhere/At_All"])?))),
        ("notBefore", time),
        ("notAfter", time),
        ("exclude", |u| Ok(json!([{"name": "e", "from": near(u)?, "to": near(u)?}]))),
    ];
    if u.ratio(1, 3)?
        && let (Some(map), Value::Object(more)) = (trigger.as_object_mut(), some(u, more)?)
    {
        map.extend(more);
    }
    Ok(trigger)
}

/// What a run is for.
fn origin(u: &mut Unstructured<'_>) -> Result<(&'static str, Value)> {
    Ok(if u.ratio(1, 5)? { ("scheduleRun", json!(u.choose(&["one", "two", ""])?)) } else { ("slotTime", near(u)?) })
}

/// The name of the Job of a slot near the first round, or any.
fn job_name(u: &mut Unstructured<'_>) -> Result<Value> {
    let attempt = *u.choose(&[1, 1, 1, 2, 99])?;
    Ok(match u.int_in_range(0..=5)? {
        0 => json!("anything"),
        1 => json!(naming::of_attempt(&run_name(), attempt)),
        _ => {
            let slot = Slot::floor(later(60 * i64::from(u.int_in_range(-120_i32..=10)?)));
            json!(naming::of_attempt(&naming::job_name(NAME, UID, slot), attempt))
        }
    })
}

fn run_name() -> String {
    naming::job_name_of_run(NAME, UID, Slot::floor(later(-600)), "run-1")
}

fn status(u: &mut Unstructured<'_>, trigger: &Value) -> Result<Value> {
    if u.ratio(1, 6)? {
        return Ok(json!({"conditions": []}));
    }
    let fields: &[(&str, Part)] = &[
        ("observedGeneration", small),
        ("trigger", text),
        ("state", word),
        ("nextSlotTime", time),
        ("nextSlots", |u| list(u, time)),
        ("pending", |u| list(u, pending)),
        ("active", |u| list(u, active)),
        ("results", |u| list(u, result)),
        ("outcomes", |u| list(u, outcome)),
        ("lastScheduleTime", time),
        ("lastSuccessfulTime", time),
        ("consecutiveFailures", small),
        ("plannedRuns", |u| Ok(json!(u.choose(&[0, 1, 5, i64::MAX, i64::MIN])?))),
        ("maxRunsReached", time),
        ("pauseEnded", time),
        ("pauses", |u| {
            let mut pause = some(u, &[("reason", text), ("until", time), ("generation", small)])?;
            pause["source"] = json!(u.choose(&["Spec", "Failures", "Weather"])?);
            pause["since"] = time(u)?;
            Ok(json!([pause]))
        }),
        ("lastResume", |u| {
            Ok(json!({"time": time(u)?, "missed": small(u)?, "started": small(u)?, "dropped": small(u)?}))
        }),
        ("conditions", |u| {
            let type_ = *u.choose(&["Ready", "Complete", "StartBlocked", "Weather"])?;
            Ok(
                json!([{"type": type_, "status": "True", "reason": word(u)?, "message": text(u)?, "lastTransitionTime": time(u)?}]),
            )
        }),
        ("counts", |u| {
            Ok(json!({"slots": {"Started": i64::MAX}, "runs": {"Failed": small(u)?}, "resultsDropped": i64::MAX}))
        }),
    ];
    let mut status = some(u, fields)?;
    if u.ratio(9, 10)? {
        status["uid"] = json!(UID);
    }
    if u.ratio(9, 10)? {
        status["decidedThrough"] = if u.ratio(2, 3)? { json!(later(-600).to_string()) } else { time(u)? };
    }
    if u.ratio(9, 10)? {
        let hash = if u.ratio(4, 5)? { trigger_hash(trigger) } else { "v0:1".into() };
        status["epoch"] = json!({"hash": hash, "since": time(u)?});
    }
    Ok(status)
}

fn pending(u: &mut Unstructured<'_>) -> Result<Value> {
    let mut pending = some(u, &[("reason", word), ("message", text)])?;
    let (name, value) = origin(u)?;
    pending[name] = value;
    pending["why"] = json!(u.choose(&["CatchUp", "Queued", "Retrying", "Replacing", "Bored"])?);
    pending["since"] = time(u)?;
    Ok(pending)
}

fn active(u: &mut Unstructured<'_>) -> Result<Value> {
    let end: Part =
        |u| Ok(json!({"outcome": word(u)?, "exitCode": small(u)?, "message": text(u)?, "completionTime": time(u)?}));
    let mut active = some(
        u,
        &[("reason", word), ("waiting", text), ("stopReason", text), ("nextAttemptTime", time), ("lastAttempt", end)],
    )?;
    let (name, value) = origin(u)?;
    active[name] = value;
    active["jobName"] = job_name(u)?;
    active["jobUID"] = json!(format!("job-{}", u.int_in_range(0..=9)?));
    active["attempt"] = small(u)?;
    active["state"] = json!(u.choose(&["Running", "Backoff", "Stopping", "Dancing"])?);
    active["startTime"] = time(u)?;
    Ok(active)
}

fn result(u: &mut Unstructured<'_>) -> Result<Value> {
    Ok(json!({
        "slotTime": time(u)?, "jobName": job_name(u)?, "outcome": word(u)?, "attempts": small(u)?, "message": text(u)?,
        "startTime": time(u)?, "completionTime": time(u)?, "expirationTime": time(u)?,
    }))
}

fn outcome(u: &mut Unstructured<'_>) -> Result<Value> {
    let mut outcome =
        some(u, &[("lastSlotTime", near), ("count", small), ("reason", word), ("jobName", job_name), ("into", near)])?;
    outcome["slotTime"] = near(u)?;
    outcome["outcome"] = word(u)?;
    Ok(outcome)
}

pub fn job(u: &mut Unstructured<'_>) -> Result<Value> {
    let name = job_name(u)?;
    let counts = some(
        u,
        &[("active", small), ("ready", small), ("terminating", small), ("succeeded", small), ("failed", small)],
    )?;
    let mut status = counts;
    if u.ratio(1, 2)? {
        let type_ = *u.choose(&["Complete", "Failed", "Suspended", "FailureTarget"])?;
        status["conditions"] = json!([{"type": type_, "status": "True", "reason": "DeadlineExceeded", "message": text(u)?, "lastTransitionTime": time(u)?}]);
    }
    let deleted = if u.ratio(1, 10)? { time(u)? } else { Value::Null };
    let owner = json!({"apiVersion": "punctual.dev/v1alpha1", "kind": "Schedule", "name": NAME, "uid": UID, "controller": true});
    Ok(json!({
        "metadata": {
            "namespace": NAMESPACE, "name": name, "uid": format!("job-{}", u.int_in_range(0..=9)?),
            "creationTimestamp": time(u)?, "deletionTimestamp": deleted, "ownerReferences": [owner],
            "labels": {"punctual.dev/schedule-run-uid": "run-1"},
            "annotations": {"punctual.dev/schedule-run": "one", "punctual.dev/stopped": "x", "punctual.dev/ttl-seconds-after-finished": "99999999999"},
        },
        "spec": {"suspend": u.arbitrary::<bool>()?},
        "status": status,
    }))
}

pub fn run(u: &mut Unstructured<'_>) -> Result<Value> {
    // No two objects have one UID.
    let (name, uid) = *u.choose(&[("one", "run-1"), ("two", "run-2"), ("three", "run-3")])?;
    let fields: &[(&str, Part)] = &[
        ("uid", |u| Ok(json!(u.choose(&["run-1", "run-2"])?))),
        ("outcome", word),
        ("expirationTime", time),
        ("message", text),
        ("state", word),
    ];
    let deleted = if u.ratio(1, 10)? { time(u)? } else { Value::Null };
    let creation = if u.ratio(1, 2)? { json!(later(-600).to_string()) } else { time(u)? };
    Ok(json!({
        "metadata": {
            "namespace": NAMESPACE, "name": name, "uid": uid, "resourceVersion": "5",
            "creationTimestamp": creation, "deletionTimestamp": deleted,
        },
        "spec": {"scheduleName": NAME},
        "status": some(u, fields)?,
    }))
}
