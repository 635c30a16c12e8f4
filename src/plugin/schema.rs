//! What the API server's schema refuses, told all at once.
//!
//! It reads the definition that is installed, and knows the parts of OpenAPI that occur there.
//! Formats of dates and instants are not among them: the time engine reads those, and says better
//! what is wrong.

use serde_json::{Map, Value};

use super::problem::Problem;
use super::rules;
use crate::time::{edits, quote};

/// Something refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where and why.
    pub problem: Problem,
    /// All fields it is about: where one of them is complained of elsewhere, once is enough.
    pub about: Vec<String>,
    /// The field to leave out so that the rest can be read.
    pub unreadable: Option<String>,
}

/// As many fields as are listed to somebody who wrote an unknown one.
const MAX_LISTED: usize = 20;

/// Everything that a schema refuses of a value, in the order of the schema's fields.
#[must_use]
pub fn check(schema: &Value, value: &Value, path: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    look_at(schema, value, path, &mut findings);
    findings
}

fn look_at(schema: &Value, value: &Value, path: &str, findings: &mut Vec<Finding>) {
    if let Some(expected) = wrong_type(schema, value) {
        let problem = Problem::new(path, format!("is {}; expected {expected}", described(value)));
        findings.push(Finding::unreadable(problem));
        return;
    }
    match value {
        Value::Object(map) => look_at_object(schema, map, path, findings),
        Value::Array(list) => look_at_list(schema, list, path, findings),
        Value::String(text) => look_at_text(schema, text, path, findings),
        Value::Number(number) => look_at_number(schema, number.as_f64().unwrap_or(0.0), path, findings),
        Value::Null | Value::Bool(_) => {}
    }
    let allowed = schema["enum"].as_array();
    if let Some(allowed) = allowed.filter(|it| !it.contains(value)) {
        let texts: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        let advice = match value.as_str().and_then(|text| nearest(text, texts.iter().copied())) {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => format!("expected one of {}", texts.join(", ")),
        };
        findings.push(Finding::unreadable(Problem::new(path, format!("is {}; {advice}", described(value)))));
    }
    findings.extend(rules::broken(schema, value, path));
}

fn look_at_object(schema: &Value, map: &Map<String, Value>, path: &str, findings: &mut Vec<Finding>) {
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !map.contains_key(name) {
            let problem = Problem::new(&join(path, name), "is missing");
            findings.push(Finding { unreadable: Some(path.to_owned()), ..Finding::of(problem) });
        }
    }
    let known = schema["properties"].as_object();
    for (name, value) in map {
        let path = join(path, name);
        if let Some(schema) = known.and_then(|it| it.get(name)) {
            look_at(schema, value, &path, findings);
        } else if schema["additionalProperties"].is_object() {
            look_at(&schema["additionalProperties"], value, &path, findings);
        } else if let Some(known) = known.filter(|_| schema["x-kubernetes-preserve-unknown-fields"] != true) {
            let advice = match nearest(name, known.keys().map(String::as_str)) {
                Some(nearest) => format!("did you mean {nearest}?"),
                None if known.len() > MAX_LISTED => "remove it".to_owned(),
                None => format!("known here: {}", known.keys().map(String::as_str).collect::<Vec<_>>().join(", ")),
            };
            findings.push(Finding::of(Problem::new(&path, format!("is no known field; {advice}"))));
        }
    }
}

fn look_at_list(schema: &Value, list: &[Value], path: &str, findings: &mut Vec<Finding>) {
    let limits = limits(schema, "minItems", "maxItems", list.len());
    if let Some(expected) = limits {
        let found = if list.is_empty() { "an empty list".to_owned() } else { format!("a list of {}", list.len()) };
        findings.push(Finding::of(Problem::new(path, format!("is {found}; expected {expected}"))));
    }
    for (index, value) in list.iter().enumerate() {
        look_at(&schema["items"], value, &format!("{path}[{index}]"), findings);
    }
    for key in schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        for (index, value) in list.iter().enumerate() {
            let twin = list[..index].iter().position(|it| it[key] == value[key] && !value[key].is_null());
            if let Some(twin) = twin {
                let problem = format!("is {}, as {path}[{twin}].{key} is; expected another", described(&value[key]));
                findings.push(Finding::of(Problem::new(&format!("{path}[{index}].{key}"), problem)));
            }
        }
    }
}

fn look_at_text(schema: &Value, text: &str, path: &str, findings: &mut Vec<Finding>) {
    if let Some(expected) = limits(schema, "minLength", "maxLength", text.chars().count()) {
        let problem = match text.chars().count() {
            0 => "is empty; expected a text".to_owned(),
            length => format!("has {length} characters; expected {expected}"),
        };
        findings.push(Finding::of(Problem::new(path, problem)));
    }
    if let Some(pattern) = schema["pattern"].as_str().filter(|it| !rules::matches(text, it)) {
        let problem = format!("is {}; expected a text that matches {pattern}", quote(text));
        findings.push(Finding::of(Problem::new(path, problem)));
    }
}

fn look_at_number(schema: &Value, number: f64, path: &str, findings: &mut Vec<Finding>) {
    let mut refuse = |expected: String| {
        findings.push(Finding::unreadable(Problem::new(path, format!("is {number}; expected {expected}"))));
    };
    let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
    let is_narrow = schema["format"] == "int32";
    if let Some(least) = least.filter(|it| number < *it) {
        refuse(format!("at least {least}"));
    } else if let Some(most) = most.filter(|it| number > *it) {
        refuse(format!("at most {most}"));
    } else if is_narrow && (number < f64::from(i32::MIN) || number > f64::from(i32::MAX)) {
        refuse(format!("a number from {} to {}", i32::MIN, i32::MAX));
    }
}

/// What a value should have been, if it is of another type.
fn wrong_type(schema: &Value, value: &Value) -> Option<&'static str> {
    let is_integer = value.is_i64() || value.is_u64();
    if schema["x-kubernetes-int-or-string"] == true {
        return (!is_integer && !value.is_string()).then_some("a whole number or a text");
    }
    let (is_right, expected) = match schema["type"].as_str()? {
        "object" => (value.is_object(), "fields, each with its name"),
        "array" => (value.is_array(), "a list"),
        "string" => (value.is_string(), "a text; write it in quotes"),
        "boolean" => (value.is_boolean(), "true or false"),
        "integer" => (is_integer, "a whole number"),
        _ => (value.is_number(), "a number"),
    };
    (!is_right).then_some(expected)
}

fn limits(schema: &Value, least: &str, most: &str, count: usize) -> Option<String> {
    let of = |name: &str| schema[name].as_u64().and_then(|it| usize::try_from(it).ok());
    let (least, most) = (of(least), of(most));
    if let Some(least) = least.filter(|it| count < *it) {
        return Some(format!("at least {least}"));
    }
    most.filter(|it| count > *it).map(|most| format!("at most {most}"))
}

/// A value in a few words.
fn described(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Bool(it) => it.to_string(),
        Value::Number(it) => format!("the number {it}"),
        Value::String(text) => quote(text),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a set of fields".to_owned(),
    }
}

/// The word somebody may have meant: the same but for case, dashes or a slip or two.
fn nearest<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.replace(['-', '_', ' '], "").to_ascii_lowercase();
    let (wanted, allowed) = (plain(wanted), if wanted.len() > 4 { 2 } else { 1 });
    let by_distance = known.map(|it| (edits(&plain(it), &wanted), it)).min_by_key(|(edits, _)| *edits);
    by_distance.filter(|(edits, _)| *edits <= allowed).map(|(_, it)| it)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

// === impl Finding ===

impl Finding {
    pub(super) fn of(problem: Problem) -> Self {
        Self { about: vec![problem.path.clone()], unreadable: None, problem }
    }

    fn unreadable(problem: Problem) -> Self {
        // A list without one of its elements would count the others anew: all of it is left out.
        let member = problem.path.trim_end_matches(']').trim_end_matches(|it: char| it.is_ascii_digit());
        let unreadable = if problem.path.ends_with(']') { member.trim_end_matches('[') } else { &problem.path };
        Self { unreadable: Some(unreadable.to_owned()), ..Self::of(problem) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::check;

    fn refused(schema: &Value, value: &Value) -> Vec<String> {
        check(schema, value, "it").into_iter().map(|it| it.problem.to_string()).collect()
    }

    #[test]
    fn every_kind_of_refusal_says_what_is_there_and_what_is_expected() {
        for (schema, value, expected) in [
            (json!({"type": "string"}), json!(5), "it is the number 5; expected a text; write it in quotes"),
            (json!({"type": "boolean"}), json!("ja"), "it is \"ja\"; expected true or false"),
            (json!({"type": "array"}), json!({}), "it is a set of fields; expected a list"),
            (json!({"type": "integer"}), json!(1.5), "it is the number 1.5; expected a whole number"),
            (json!({"type": "integer", "maximum": 50}), json!(51), "it is 51; expected at most 50"),
            (json!({"type": "integer", "minimum": 1}), json!(0), "it is 0; expected at least 1"),
            (
                json!({"type": "integer", "format": "int32"}),
                json!(3_000_000_000_u64),
                "it is 3000000000; expected a number from -2147483648 to 2147483647",
            ),
            (json!({"type": "string", "minLength": 1}), json!(""), "it is empty; expected a text"),
            (json!({"type": "string", "maxLength": 2}), json!("abc"), "it has 3 characters; expected at most 2"),
            (json!({"type": "array", "minItems": 1}), json!([]), "it is an empty list; expected at least 1"),
            (
                json!({"type": "string", "pattern": "^[a-z]$"}),
                json!("7"),
                "it is \"7\"; expected a text that matches ^[a-z]$",
            ),
            (json!({"type": "string", "enum": ["Allow"]}), json!("allow"), "it is \"allow\"; did you mean Allow?"),
            (json!({"x-kubernetes-int-or-string": true}), json!(true), "it is true; expected a whole number or a text"),
            (json!({"type": "object", "required": ["a"]}), json!({}), "it.a is missing"),
            (
                json!({"type": "object", "properties": {"timeZone": {}}}),
                json!({"timezone": 1}),
                "it.timezone is no known field; did you mean timeZone?",
            ),
            (
                json!({"type": "object", "properties": {"cron": {}, "at": {}}}),
                json!({"schedule": 1}),
                "it.schedule is no known field; known here: at, cron",
            ),
            (
                json!({"type": "array", "items": {}, "x-kubernetes-list-map-keys": ["name"]}),
                json!([{"name": "a"}, {"name": "a"}]),
                "it[1].name is \"a\", as it[0].name is; expected another",
            ),
        ] {
            assert_eq!(refused(&schema, &value), [expected], "{schema} {value}");
        }
    }

    #[test]
    fn what_is_preserved_unknown_and_what_is_right_is_let_pass() {
        for (schema, value) in [
            (
                json!({"type": "object", "properties": {}, "x-kubernetes-preserve-unknown-fields": true}),
                json!({"a": 1}),
            ),
            (json!({"type": "object", "additionalProperties": {"type": "string"}}), json!({"a": "b"})),
            (json!({"type": "object"}), json!({"a": "b"})),
            (json!({"x-kubernetes-int-or-string": true}), json!(5)),
        ] {
            assert_eq!(refused(&schema, &value), Vec::<String>::new(), "{schema} {value}");
        }
    }

    #[test]
    fn a_list_with_an_element_that_cannot_be_read_is_left_out_as_a_whole() {
        let schema = json!({"type": "array", "items": {"type": "string"}});
        let findings = check(&schema, &json!(["a", null]), "spec.at");
        assert_eq!(findings[0].problem.to_string(), "spec.at[1] is empty; expected a text; write it in quotes");
        assert_eq!(findings[0].unreadable.as_deref(), Some("spec.at"));
    }
}
