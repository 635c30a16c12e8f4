//! The rules in the schema, written in the Common Expression Language, evaluated as the API server
//! does: the very same text.

use cel::{Context, Program, Value as Cel};
use jiff::Timestamp;
use serde_json::Value;

use super::problem::Problem;
use super::schema::Finding;

/// The rules of a schema that a value breaks.
pub fn broken(schema: &Value, value: &Value, path: &str) -> Vec<Finding> {
    let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    let broken = rules.filter(|rule| {
        // A rule that cannot be evaluated is about a field that is missing or of the wrong type,
        // which is told by itself.
        rule["rule"].as_str().is_some_and(|text| holds(text, schema, value) == Ok(false))
    });
    let findings = broken.map(|rule| {
        let (text, message) = (rule["rule"].as_str().unwrap_or_default(), rule["message"].as_str().unwrap_or_default());
        let problem = Problem::told(path, message);
        let fields = fields_of(text).map(|field| format!("{path}.{field}"));
        Finding { about: fields.chain([path.to_owned()]).collect(), ..Finding::of(problem) }
    });
    findings.collect()
}

/// Whether a text matches a pattern.
pub fn matches(text: &str, pattern: &str) -> bool {
    let context = |context: &mut Context<'_, '_>| {
        context.add_variable_from_value("text", text.to_owned());
        context.add_variable_from_value("pattern", pattern.to_owned());
    };
    evaluate("text.matches(pattern)", context).unwrap_or(true)
}

fn holds(rule: &str, schema: &Value, value: &Value) -> Result<bool, String> {
    evaluate(rule, |context| context.add_variable_from_value("self", to_cel(schema, value)))
}

fn evaluate(text: &str, add_variables: impl FnOnce(&mut Context<'_, '_>)) -> Result<bool, String> {
    let program = Program::compile(text).map_err(|error| error.to_string())?;
    let mut context = Context::default();
    add_variables(&mut context);
    match program.execute(&context).map_err(|error| error.to_string())? {
        Cel::Bool(holds) => Ok(holds),
        other => Err(format!("{other:?} is neither true nor false")),
    }
}

/// A value as rules see it. Instants are numbers here: rules compare them, and nothing else.
fn to_cel(schema: &Value, value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(it) => Cel::Bool(*it),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| Cel::Float(number.as_f64().unwrap_or_default()), Cel::Int)
        }
        Value::String(text) => match text.parse::<Timestamp>() {
            Ok(instant) if schema["format"] == "date-time" => Cel::Int(instant.as_microsecond()),
            _ => Cel::from(text.clone()),
        },
        Value::Array(list) => Cel::from(list.iter().map(|it| to_cel(&schema["items"], it)).collect::<Vec<_>>()),
        Value::Object(map) => {
            let fields = map.iter().map(|(name, it)| (name.clone(), to_cel(&schema["properties"][name], it)));
            Cel::from(fields.collect::<std::collections::HashMap<_, _>>())
        }
    }
}

/// The fields a rule speaks of.
fn fields_of(rule: &str) -> impl Iterator<Item = &str> {
    rule.split("self.").skip(1).filter_map(|rest| {
        let end = rest.find(|it: char| !it.is_ascii_alphanumeric()).unwrap_or(rest.len());
        Some(&rest[..end]).filter(|_| !rest[end..].starts_with('('))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{broken, holds, matches};
    use crate::api::crd;

    /// All schemas within one, each with its rules.
    fn with_rules(schema: &Value, found: &mut Vec<Value>) {
        match schema {
            Value::Object(map) => {
                if map.contains_key("x-kubernetes-validations") {
                    found.push(schema.clone());
                }
                map.values().for_each(|it| with_rules(it, found));
            }
            Value::Array(list) => list.iter().for_each(|it| with_rules(it, found)),
            _ => {}
        }
    }

    #[test]
    fn every_rule_of_the_definition_can_be_evaluated_here() {
        let mut schemas = Vec::new();
        with_rules(&crd::definition(), &mut schemas);
        let mut rules = 0;
        for schema in schemas {
            let value = match schema["type"].as_str() {
                Some("string") => json!("1h"),
                _ => json!({"metadata": {"name": "a"}}),
            };
            for rule in schema["x-kubernetes-validations"].as_array().expect("a list") {
                let text = rule["rule"].as_str().expect("a text");
                assert!(holds(text, &schema, &value).is_ok(), "{text}: {:?}", holds(text, &schema, &value));
                rules += 1;
            }
        }
        assert!(rules > 10, "{rules}");
    }

    #[test]
    fn a_broken_rule_is_told_in_its_words_and_with_the_fields_it_is_about() {
        let rule = json!({"rule": "!has(self.from) || self.from < self.to", "message": "to must be after from"});
        let instant = json!({"format": "date-time"});
        let schema = json!({"x-kubernetes-validations": [rule], "properties": {"from": instant, "to": instant}});
        // The texts alone compare the other way round.
        let value = json!({"from": "2026-12-24T09:00:00-05:00", "to": "2026-12-24T13:00:00+01:00"});
        let findings = broken(&schema, &value, "it");
        assert_eq!(findings[0].problem.to_string(), "it: to must be after from");
        assert_eq!(findings[0].about, ["it.from", "it.from", "it.to", "it"]);
        assert_eq!(broken(&schema, &json!({"from": 1, "to": 2}), "it"), []);
        assert_eq!(broken(&schema, &json!({"from": 1}), "it"), []);
    }

    #[test]
    fn a_pattern_is_matched_anywhere_unless_it_says_otherwise() {
        assert!(matches("09:30", "^[0-9]{2}:[0-9]{2}$"));
        assert!(!matches("9:30", "^[0-9]{2}:[0-9]{2}$"));
        assert!(matches("a1b", "[0-9]"));
    }
}
