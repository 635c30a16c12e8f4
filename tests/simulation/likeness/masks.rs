//! What must differ between the two sides: versions and UIDs, which have to correspond one to one,
//! and times, which have to be there.

use std::collections::HashMap;

use serde_json::Value;

use super::Move;

/// Names of the same thing: the real side's and the model's.
#[derive(Debug, Default)]
pub struct Pairs {
    all: Vec<[String; 2]>,
    of_real: HashMap<String, usize>,
    of_model: HashMap<String, usize>,
    /// Whether what is compared are answers to a request that makes no sense.
    is_senseless: bool,
}

/// Texts that are only compared for being there.
const TIMES: [&str; 2] = ["creationTimestamp", "deletionTimestamp"];

impl Pairs {
    /// Takes note that these mean the same; answers their number, none if they cannot.
    pub fn meet(&mut self, real: &str, model: &str) -> Option<usize> {
        match (self.of_real.get(real), self.of_model.get(model)) {
            (None, None) => {
                let number = self.all.len();
                self.all.push([real.to_owned(), model.to_owned()]);
                self.of_real.insert(real.to_owned(), number);
                self.of_model.insert(model.to_owned(), number);
                Some(number)
            }
            (real, model) => real.copied().filter(|_| real == model),
        }
    }

    /// The request in the words of one side.
    pub fn spelled(&self, request: &Move, side: usize) -> Move {
        let spell = |text: &str| {
            let mut parts = text.split('@');
            let mut spelled = parts.next().unwrap_or_default().to_owned();
            while let (Some(number), Some(rest)) = (parts.next(), parts.next()) {
                spelled += &self.all[number.parse::<usize>().unwrap()][side];
                spelled += rest;
            }
            spelled
        };
        Move { uri: spell(&request.uri), body: spell(&request.body), ..request.clone() }
    }

    /// What differs in bodies that must not.
    pub fn compare(&mut self, real: &Value, model: &Value, found: &mut Vec<String>) {
        for uid in ["/metadata/uid", "/object/metadata/uid"] {
            if let (Some(real), Some(model)) = (text(real, uid), text(model, uid)) {
                self.meet(real, model);
            }
        }
        self.is_senseless = real["code"] == 400 || real["code"] == 422;
        self.compare_at(&comparable(real), &comparable(model), "", found);
    }

    /// A request's text with the names of the real side replaced by what stands for them.
    pub fn stand_in(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(number) = self.of_real.get(text) {
                    *text = format!("@{number}@");
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|it| self.stand_in(it)),
            Value::Object(fields) => fields.values_mut().for_each(|it| self.stand_in(it)),
            _ => {}
        }
    }

    fn compare_at(&mut self, real: &Value, model: &Value, path: &str, found: &mut Vec<String>) {
        let field = path.rsplit('.').next().unwrap_or_default();
        match (real, model) {
            (Value::String(real), Value::String(model)) if matches!(field, "uid" | "resourceVersion") => {
                if self.meet(real, model).is_none() {
                    found.push(format!("{path}: {real} is not what {model} is"));
                }
            }
            (Value::String(_), Value::String(_)) if TIMES.contains(&field) => {}
            // What is wrong with a request that makes no sense is told in words of one's own.
            (Value::String(_), Value::String(_)) if path == "message" && self.is_senseless => {}
            (Value::String(real), Value::String(model)) => {
                let (real, model) = (self.numbered(real, 0), self.numbered(model, 1));
                if real != model {
                    found.push(format!("{path}: {real:?} and not {model:?}"));
                }
            }
            (Value::Object(real), Value::Object(model)) => {
                let keys: std::collections::BTreeSet<&String> = real.keys().chain(model.keys()).collect();
                for key in keys.into_iter().filter(|key| *key != "managedFields") {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    self.compare_at(
                        real.get(key).unwrap_or(&Value::Null),
                        model.get(key).unwrap_or(&Value::Null),
                        &path,
                        found,
                    );
                }
            }
            (Value::Array(real), Value::Array(model)) if real.len() == model.len() => {
                for (index, (real, model)) in real.iter().zip(model).enumerate() {
                    self.compare_at(real, model, &format!("{path}[{index}]"), found);
                }
            }
            (real, model) if real == model => {}
            (real, model) => found.push(format!("{path}: {real} and not {model}")),
        }
    }

    /// A text with the names of one side replaced by their numbers.
    fn numbered(&self, text: &str, side: usize) -> String {
        let known = if side == 0 { &self.of_real } else { &self.of_model };
        let is_of_name = |it: char| it.is_ascii_alphanumeric() || it == '-';
        text.split_inclusive(|it: char| !is_of_name(it))
            .map(|part| {
                let name = part.trim_end_matches(|it: char| !is_of_name(it));
                known.get(name).map_or_else(|| part.to_owned(), |number| part.replace(name, &format!("#{number}")))
            })
            .collect()
    }
}

/// The version of a list is that of everything, of other people's things too; how it is continued
/// is the server's business.
fn comparable(body: &Value) -> Value {
    let mut body = body.clone();
    if body["kind"].as_str().is_some_and(|it| it.ends_with("List")) {
        if body["items"].is_null() {
            body["items"] = Value::Array(Vec::new());
        }
        body["metadata"]["resourceVersion"] = "any".into();
        let is_last = text(&body, "/metadata/continue").unwrap_or_default().is_empty();
        body["metadata"]["continue"] = if is_last { Value::Null } else { "any".into() };
    }
    // Of all that is wrong the model tells the first, if it is a matter of fields at all.
    if let Some(causes) = body["details"]["causes"].as_array_mut() {
        causes.truncate(1);
    }
    body
}

fn text<'a>(body: &'a Value, pointer: &str) -> Option<&'a str> {
    body.pointer(pointer).and_then(Value::as_str)
}
