//! Slots that were computed elsewhere: by APScheduler's own tests and documents, by running it, and
//! by an independent matcher where it is wrong. Clocks mean in them what they show.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use punctual::time::{Search, Slot, Trigger};
use serde_json::{Map, Value, json};

use super::{last, parse, slot, trigger};

const VECTORS: &str = include_str!("fire_times.json");

/// Vectors for things that we do not have, and why we do not.
const NOT_APPLICABLE: &[(&str, &str)] = &[
    ("ut-and-dates-threshold-1", "instants coincide or they do not: there is no threshold"),
    ("ex-and-threshold-offset", "as above"),
    ("ex-and-threshold-coarse", "as above"),
    ("ex-nested", "members of anyOf and allOf are simple triggers"),
    ("ex-no-fields", "fields has at least one field"),
    ("ut-inv-end-in-gap", "notAfter is an instant, which no clock can skip"),
    ("ex-inv-crontab-macro", "cron takes the macros of a CronJob"),
    ("ex-inv-crontab-six", "cron takes a sixth field, for seconds"),
];

#[test]
fn all_vectors_pass() {
    let vectors = vectors();
    let (mut run, mut as_cron) = (0, 0);
    for vector in list(&vectors, "fire_times") {
        if is_not_applicable(vector) {
            continue;
        }
        run += 1;
        check(vector, &as_trigger(vector, &vector["trigger"]));
        let expression = vector["trigger"]["expr"].as_str();
        if let Some(cron) = expression.filter(|it| means_the_same_as_cron(it)) {
            as_cron += 1;
            check(vector, &trigger(with_zone(json!({ "cron": cron }), vector)));
        }
    }
    assert_eq!((run, as_cron), (292, 163));
}

#[test]
fn what_must_be_refused_is_refused() {
    let vectors = vectors();
    let mut refused = 0;
    for vector in list(&vectors, "must_reject").iter().filter(|it| !is_not_applicable(it)) {
        let spec = match vector["trigger"]["expr"].as_str() {
            Some(cron) => json!({ "cron": cron }),
            None => spec_of(vector, &vector["trigger"]),
        };
        assert!(parse(spec).is_err(), "{vector}");
        refused += 1;
    }
    assert_eq!(refused, 33);
}

#[test]
fn intervals_that_never_meet_are_known_at_once() {
    for vector in list(&vectors(), "evaluation_errors") {
        assert!(as_trigger(vector, &vector["trigger"]).never_fires(), "{vector}");
    }
}

#[test]
fn fields_that_are_not_given_take_their_defaults() {
    let mut compared = 0;
    for rule in list(&vectors(), "field_default_rules") {
        if rule["given"].as_object().is_some_and(Map::is_empty) {
            continue;
        }
        let of = |fields: &Value| trigger(json!({"fields": fields_of(fields), "timeZone": "Europe/Berlin"}));
        let (given, resolved) = (of(&rule["given"]), of(&rule["resolved"]));
        for from in ["2008-12-31T22:59:59Z", "2020-03-28T12:00:00Z", "2026-10-24T12:00:00Z"] {
            assert_eq!(given.between(slot(from), last(), 50), resolved.between(slot(from), last(), 50), "{rule}");
        }
        compared += 1;
    }
    assert_eq!(compared, 12);
}

#[test]
fn crontab_fields_map_to_fields() {
    for rule in list(&vectors(), "crontab_field_mapping") {
        let expression = rule["expr"].as_str().expect("a text");
        let of = |fields: Value| trigger(json!({ "fields": fields }));
        let (mapped, expected) = (of(fields_of_crontab(expression)), of(fields_of(&rule["fields"])));
        let from = slot("2026-01-01T00:00:00Z");
        assert_eq!(mapped.between(from, last(), 2_000), expected.between(from, last(), 2_000), "{expression}");
    }
}

#[test]
fn every_vector_that_does_not_apply_exists() {
    let vectors = vectors();
    let all = ["fire_times", "must_reject"].into_iter().flat_map(|it| list(&vectors, it));
    let names: BTreeSet<&str> = all.filter_map(|vector| vector["id"].as_str()).collect();
    let missing: Vec<&&str> = NOT_APPLICABLE.iter().map(|(name, _)| name).filter(|it| !names.contains(**it)).collect();
    assert_eq!(missing, Vec::<&&str>::new());
}

/// The slots listed, in order; both ways; and none after them if they are all.
fn check(vector: &Value, trigger: &Trigger) {
    let before = slot(text(vector, "after")).plus_seconds(-1);
    let expected: Vec<Slot> = list(vector, "expected").iter().map(|it| slot(it.as_str().expect("a text"))).collect();
    assert_eq!(trigger.between(before, last(), expected.len()), expected, "{vector}");
    let end = expected.last().copied().unwrap_or(before);
    if vector["exhausted"] == true {
        assert_eq!(trigger.next(end), Search::Never, "{vector}");
    }
    let back = std::iter::successors(trigger.prev(end.plus_seconds(1)).slot(), |it| trigger.prev(*it).slot());
    let mut back: Vec<Slot> = back.take_while(|it| *it > before).collect();
    back.reverse();
    assert_eq!(back, expected, "backwards: {vector}");
}

fn as_trigger(vector: &Value, spec: &Value) -> Trigger {
    trigger(spec_of(vector, spec))
}

/// A vector's trigger as it stands in a Schedule.
fn spec_of(vector: &Value, spec: &Value) -> Value {
    let mut ours = match text(spec, "type") {
        "cron" => json!({ "fields": fields_of(&spec["fields"]) }),
        "crontab" => json!({ "fields": fields_of_crontab(text(spec, "expr")) }),
        "date" => json!({ "at": [spec["run_time"]] }),
        "interval" => {
            let units = [("seconds", 1), ("minutes", 60), ("hours", 3_600), ("days", 86_400), ("weeks", 604_800)];
            let every: i64 = units.iter().map(|(unit, length)| spec[unit].as_i64().unwrap_or(0) * length).sum();
            json!({ "interval": {"every": format!("{every}s"), "startTime": spec["start"]} })
        }
        "calendar_interval" => calendar_of(spec),
        "and" => json!({ "allOf": members(vector, spec) }),
        "or" => json!({ "anyOf": members(vector, spec) }),
        other => panic!("{other}"),
    };
    if let Some(end) = spec["end"].as_str() {
        ours["notAfter"] = json!(end);
    }
    if let Some(date) = spec["end_date"].as_str() {
        let date: Date = date.parse().expect("a date");
        let end = date.at(23, 59, 59, 0).to_zoned(TimeZone::get(text(vector, "tz")).expect("a zone"));
        ours["notAfter"] = json!(end.expect("an instant").timestamp().to_string());
    }
    with_zone(ours, vector)
}

fn with_zone(mut spec: Value, vector: &Value) -> Value {
    spec["daylightSaving"] = json!("WallClock");
    if let Some(zone) = vector["tz"].as_str() {
        spec["timeZone"] = json!(zone);
    }
    spec
}

fn members(vector: &Value, spec: &Value) -> Vec<Value> {
    list(spec, "triggers").iter().map(|member| spec_of(vector, member)).collect()
}

fn calendar_of(spec: &Value) -> Value {
    let units = ["years", "months", "weeks", "days"].into_iter().filter(|unit| spec[unit].is_i64());
    let mut calendar: Map<String, Value> = units.map(|unit| (unit.to_owned(), spec[unit].clone())).collect();
    let number = |name: &str| spec[name].as_i64().unwrap_or(0);
    let time = format!("{:02}:{:02}:{:02}", number("hour"), number("minute"), number("second"));
    calendar.insert("timeOfDay".to_owned(), json!(time));
    calendar.insert("startDate".to_owned(), spec["start_date"].clone());
    json!({ "calendar": calendar })
}

fn fields_of(fields: &Value) -> Value {
    let fields = fields.as_object().expect("fields").iter();
    let renamed = |(name, value): (&String, &Value)| {
        let name = if name == "day_of_week" { "dayOfWeek" } else { name };
        (name.to_owned(), value.clone())
    };
    fields.map(renamed).collect::<Map<_, _>>().into()
}

fn fields_of_crontab(expression: &str) -> Value {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let [minute, hour, day, month, day_of_week] = fields[..] else { panic!("{expression}") };
    json!({"second": 0, "minute": minute, "hour": hour, "day": day, "month": month, "dayOfWeek": day_of_week})
}

/// Not where both days are restricted, which a crontab takes as either, nor where the dialects
/// differ: Sunday as 7, weeks beyond Sunday, steps over weekdays, words for days.
fn means_the_same_as_cron(expression: &str) -> bool {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let [_, _, day, _, day_of_week] = fields[..] else { return false };
    let wraps = |range: &str| matches!(range.split_once('-'), Some((first, last)) if first > last);
    (day == "*" || day_of_week == "*")
        && !day.contains("last")
        && !day_of_week.contains(['7', '/'])
        && !day_of_week.split(',').any(wraps)
}

fn is_not_applicable(vector: &Value) -> bool {
    NOT_APPLICABLE.iter().any(|(name, _)| vector["id"] == *name)
}

fn vectors() -> Value {
    serde_json::from_str(VECTORS).expect("JSON")
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().expect(name)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect(name)
}
