//! What the API server would have against a spec, or a status.

use std::sync::LazyLock;

use punctual::api::crd;
use serde_json::Value;

static SCHEMA: LazyLock<Value> =
    LazyLock::new(|| crd::definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"].clone());

/// Everything that the definition refuses of a `spec`, or a `status`.
pub fn by_schema(part: &str, value: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    look_at(&SCHEMA[part], value, part, &mut problems);
    problems
}

fn look_at(schema: &Value, value: &Value, path: &str, problems: &mut Vec<String>) {
    let mut refuse = |what: &str| problems.push(format!("{path} {what}"));
    match value {
        Value::Array(list) => {
            if schema["maxItems"].as_u64().is_some_and(|most| list.len() as u64 > most) {
                refuse(&format!("has {} items", list.len()));
            }
            for (index, item) in list.iter().enumerate() {
                for key in schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten() {
                    let key = key.as_str().unwrap_or_default();
                    if list[..index].iter().any(|it| it[key] == item[key]) {
                        problems.push(format!("{path} has two of {}", item[key]));
                    }
                }
                look_at(&schema["items"], item, &format!("{path}[{index}]"), problems);
            }
        }
        Value::Object(map) => {
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !map.contains_key(name) {
                    refuse(&format!("has no {name}"));
                }
            }
            for (name, value) in map {
                let below = [&schema["properties"][name], &schema["additionalProperties"]];
                let below = below.into_iter().find(|it| it.is_object());
                if let Some(below) = below {
                    look_at(below, value, &format!("{path}.{name}"), problems);
                }
            }
        }
        Value::String(text) => {
            let length = text.chars().count() as u64;
            if schema["maxLength"].as_u64().is_some_and(|most| length > most) {
                refuse(&format!("has {length} characters"));
            }
            if schema["minLength"].as_u64().is_some_and(|least| length < least) {
                refuse("is too short");
            }
            if schema["format"] == "date-time" && !is_time(text) {
                refuse(&format!("is no time: {text}"));
            }
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            if schema["minimum"].as_f64().is_some_and(|least| number < least) {
                refuse(&format!("is {number}"));
            }
            let is_narrow = schema["format"] == "int32";
            if is_narrow && !(f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number) {
                refuse(&format!("is {number}"));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// As the API server reads one: with a year of four digits.
fn is_time(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_digit) && text.parse::<jiff::Timestamp>().is_ok()
}
