//! Random edits: where, the schema says; with what, the schema and what we know of the field.

use punctual::api::crd;
use serde_json::{Map, Value, json};

use crate::harness::now;
use crate::soak::specs::{self, Dice};

/// Instants that are none.
const WRONG_INSTANTS: &[&str] = &["yesterday", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01", ""];
/// Lengths of time that are none.
const WRONG_DURATIONS: &[&str] = &["5", "-1s", "1 hour", "1.5h", "s", "", "99999999999999d"];
/// Cron texts that are none.
const WRONG_CRONS: &[&str] = &["", "nonsense", "61 * * * *", "* * * *", "* * * * * * * *", "0 0 * * funday"];

/// One edit.
pub struct Edit {
    /// Where.
    pub path: String,
    /// What is there now; null when it was taken away.
    pub value: Value,
    /// Whether it cannot be right, whatever the rest of the spec is.
    pub is_wrong: bool,
}

/// Edits what a schema describes.
pub struct Generator {
    schema: Value,
}

impl Generator {
    /// That of the spec of a Schedule.
    pub fn of_the_definition() -> Self {
        let mut definition = crd::definition();
        let schema = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
        Self { schema: definition.pointer_mut(schema).expect("the definition has a spec").take() }
    }

    /// Changes one field of a spec.
    pub fn edit(&self, dice: &mut Dice, spec: &mut Value) -> Edit {
        edit(dice, &self.schema, spec, "spec")
    }
}

fn edit(dice: &mut Dice, schema: &Value, object: &mut Value, path: &str) -> Edit {
    let properties = schema["properties"].as_object().expect("an object has properties");
    let present: Vec<&String> = properties.keys().filter(|it| !object[it.as_str()].is_null()).collect();
    let all: Vec<&String> = properties.keys().collect();
    // What is there already is more interesting than one more field.
    let among = if !present.is_empty() && dice.chance(60) { &present } else { &all };
    let mut name = (*dice.pick(among)).clone();
    if path == "spec" && dice.chance(35) {
        // Of these the schema knows least.
        (*dice.pick(&["trigger", "jobTemplate"])).clone_into(&mut name);
    }
    let (part, path) = (&properties[&name], format!("{path}.{name}"));
    if name == "jobTemplate" {
        return job_template(dice, &mut object[&name], path);
    }
    if object[&name].is_object() && part["properties"].is_object() && dice.chance(60) {
        return edit(dice, part, &mut object[&name], &path);
    }
    if !object[&name].is_null() && dice.chance(25) {
        object.as_object_mut().expect("it has fields").remove(&name);
        let is_wrong = is_required(schema, &name);
        return Edit { path, value: Value::Null, is_wrong };
    }
    if name == "trigger" {
        let is_wrong = dice.chance(50);
        object[&name] = if is_wrong { wrong_trigger(dice) } else { specs::trigger(dice, now()) };
        return Edit { path, value: object[&name].clone(), is_wrong };
    }
    let mut is_wrong = dice.chance(35);
    object[&name] = value(dice, part, &name, &mut is_wrong);
    Edit { path, value: object[&name].clone(), is_wrong }
}

/// A trigger that fits the schema, but not the calendar or the time engine.
fn wrong_trigger(dice: &mut Dice) -> Value {
    let both = [json!({"cron": "0 1 * * *"}), json!({"cron": "0 2 * * *"})];
    let exclude = json!([{"name": "one", "cron": "nonsense"}]);
    let triggers = [
        json!({"cron": "61 * * * *"}),
        json!({"cron": "0 0 30 2 *"}),
        json!({"cron": "0 9 * * *", "timeZone": "Mars/Olympus"}),
        json!({"cron": "0 9 * * *", "exclude": exclude}),
        json!({"fields": {"hour": "nope"}}),
        json!({"fields": {"month": 2, "day": 30}}),
        json!({"interval": {"every": "0s"}}),
        json!({"calendar": {"days": 1, "timeOfDay": "25:00"}}),
        json!({"atLocal": ["2099-02-30T09:30:00"]}),
        json!({"allOf": both}),
    ];
    dice.pick(&triggers).clone()
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().is_some_and(|it| it.iter().any(|it| it == name))
}

/// A value for a field. Is it to be wrong, it is, as far as that can be known; else `is_wrong` becomes
/// false.
fn value(dice: &mut Dice, schema: &Value, name: &str, is_wrong: &mut bool) -> Value {
    if *is_wrong && dice.chance(15) {
        return wrong_kind(schema);
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return if *is_wrong {
            json!(dice.pick(&["nope", "*/0", "99-1", "100"]))
        } else {
            json!(dice.pick(&["1", "*/2", "1-3"]))
        };
    }
    match schema["type"].as_str().unwrap_or_default() {
        "object" => object(dice, schema, is_wrong),
        "array" => json!([value(dice, &schema["items"], name, is_wrong)]),
        "integer" => integer(dice, schema, is_wrong),
        "boolean" => {
            *is_wrong = false;
            json!(dice.chance(50))
        }
        _ => string(dice, schema, name, is_wrong),
    }
}

/// Of another type than the schema asks for.
fn wrong_kind(schema: &Value) -> Value {
    match schema["type"].as_str().unwrap_or_default() {
        "object" | "array" => json!("a text"),
        "string" => json!({"a": "map"}),
        _ => json!({"a": "map"}),
    }
}

/// Its required fields and one or two more. One of them may be wrong.
fn object(dice: &mut Dice, schema: &Value, is_wrong: &mut bool) -> Value {
    let properties = schema["properties"].as_object().expect("an object has properties");
    let all: Vec<&String> = properties.keys().collect();
    let mut names: Vec<&String> = all.iter().copied().filter(|it| is_required(schema, it)).collect();
    for _ in 0..dice.number(1, 2) {
        names.push(*dice.pick::<&String>(&all));
    }
    let (mut fields, mut left) = (Map::new(), *is_wrong);
    *is_wrong = false;
    for name in names {
        if fields.contains_key(name) {
            continue;
        }
        let mut this = std::mem::take(&mut left);
        fields.insert(name.clone(), value(dice, &properties[name], name, &mut this));
        *is_wrong |= this;
    }
    Value::Object(fields)
}

fn integer(dice: &mut Dice, schema: &Value, is_wrong: &mut bool) -> Value {
    let bound = |name: &str| schema[name].as_f64().map(|it| it as i64);
    let (least, most) = (bound("minimum").unwrap_or(1), bound("maximum").unwrap_or(1000));
    match *is_wrong {
        true if dice.chance(50) => json!(least - 1),
        true => json!(bound("maximum").map_or(1_i64 << 40, |it| it + 1)),
        false => json!(*dice.pick(&[least, most, i64::midpoint(least, most)])),
    }
}

fn string(dice: &mut Dice, schema: &Value, name: &str, is_wrong: &mut bool) -> Value {
    if let Some(words) = schema["enum"].as_array() {
        return if *is_wrong { json!("Sometimes") } else { dice.pick(words).clone() };
    }
    let format = schema["format"].as_str().unwrap_or_default();
    let (right, wrong): (&[&str], &[&str]) = match (name, format) {
        ("cron", _) => (&["*/5 * * * *", "30 2 * * 1-5", "@daily", "15 0 12 * * *"], WRONG_CRONS),
        ("timeZone", _) => (&["UTC", "Asia/Kolkata", "America/New_York"], &["Mars/Olympus", "Europe/Berln", ""]),
        ("every", _) => (&["1h", "90s", "24h"], &["1d", "0s", "", "soon"]),
        ("timeOfDay", _) => (&["09:30", "23:59:59"], &["25:00", "9 o'clock", ""]),
        ("atLocal", _) => (&["2099-01-01T09:30:00"], &["2099-02-30T09:30:00", "tomorrow"]),
        ("resultContainer", _) => (&["main"], &["nobody", ""]),
        (_, "date-time") => (&["2030-01-01T00:00:00Z", "2099-06-01T12:00:00+02:00"], WRONG_INSTANTS),
        (_, "duration") => (&["5s", "90s", "1h30m", "2d"], WRONG_DURATIONS),
        (_, "date") => (&["2030-01-01", "2096-02-29"], &["2030-02-30", "monday"]),
        _ => (&["some-words"], &[""]),
    };
    json!(*dice.pick(if *is_wrong { wrong } else { right }))
}

/// The schema knows little of it; the API server judges it in a dry run.
fn job_template(dice: &mut Dice, template: &mut Value, path: String) -> Edit {
    let pod = "/spec/template/spec";
    let edits: &[(&str, Value, bool)] = &[
        ("/spec/template/spec/restartPolicy", json!("Always"), true),
        ("/spec/template/spec/restartPolicy", json!("Never"), false),
        ("/spec/template/spec/containers/0/imagee", json!("x"), true),
        ("/spec/template/spec/containers/0/image", json!("example/work:2"), false),
        ("/spec/template/spec/containers/0/resources", json!({"limits": {"cpu": "lots"}}), true),
        ("/spec/template/spec/containers/0/resources", json!({"limits": {"cpu": "1"}}), false),
        ("/spec/template/spec/containers", json!([]), true),
        ("/spec/template/spec/containers", json!([{"name": "main", "image": "example/work:1"}]), false),
        ("/spec/parallelism", json!(-1), true),
        ("/spec/parallelism", json!(2), false),
        ("/spec/suspend", json!(true), false),
        ("/spec/backoffLimit", json!(1), false),
        ("/metadata", json!({"labels": {"not a label": "x"}}), true),
        ("/metadata", json!({"labels": {"a": "label"}}), false),
    ];
    let (pointer, value, is_wrong) = dice.pick(edits).clone();
    let (parent, name) = pointer.rsplit_once('/').expect("it is a pointer");
    if template.pointer(parent).is_none() {
        // The list of containers was emptied by an earlier edit.
        template.pointer_mut(pod).expect("a template has a Pod")["containers"] =
            json!([{"name": "main", "image": "example/work:1"}]);
    }
    template.pointer_mut(parent).expect("it is there now")[name] = value.clone();
    Edit { path: path + pointer, value, is_wrong }
}
