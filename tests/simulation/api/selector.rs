//! Which objects a list or watch is about.

use serde_json::Value;

use super::refusal::Refusal;
use super::request::Question;
use super::store::text;

/// Namespace, label selector and field selector.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    namespace: Option<String>,
    labels: Vec<Requirement>,
    fields: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Requirement {
    label: String,
    /// None: any value will do.
    values: Option<Vec<String>>,
    is_negated: bool,
}

impl Selector {
    pub fn of(question: &Question) -> Result<Self, Refusal> {
        let labels = question.parameter("labelSelector").unwrap_or_default();
        let fields = question.parameter("fieldSelector").unwrap_or_default();
        Ok(Self {
            namespace: question.namespace.clone(),
            labels: split(labels).into_iter().map(Requirement::read).collect(),
            fields: split(fields).into_iter().map(field).collect::<Result<_, _>>()?,
        })
    }

    pub fn takes(&self, object: &Value) -> bool {
        let is_there = self.namespace.as_deref().is_none_or(|it| it == text(object, "/metadata/namespace"));
        is_there
            && self.labels.iter().all(|it| it.takes(object))
            && self.fields.iter().all(|(field, value)| text(object, field) == value)
    }

    /// Whether it takes one name only.
    pub fn is_of_one(&self) -> bool {
        self.fields.iter().any(|(field, _)| field == "/metadata/name")
    }

    /// Whether it takes every object of its namespace.
    pub fn takes_all(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }
}

impl Requirement {
    fn read(text: &str) -> Self {
        let one = |label: &str, value: &str, is_negated| Self {
            label: label.trim().to_owned(),
            values: Some(vec![value.trim().to_owned()]),
            is_negated,
        };
        let set = |label: &str, values: &str, is_negated| Self {
            label: label.trim().to_owned(),
            values: Some(values.trim_end_matches(')').split(',').map(|it| it.trim().to_owned()).collect()),
            is_negated,
        };
        if let Some((label, value)) = text.split_once("!=") {
            one(label, value, true)
        } else if let Some((label, value)) = text.split_once('=') {
            one(label, value.trim_start_matches('='), false)
        } else if let Some((label, values)) = text.split_once(" notin (") {
            set(label, values, true)
        } else if let Some((label, values)) = text.split_once(" in (") {
            set(label, values, false)
        } else {
            let label = text.trim().trim_start_matches('!').to_owned();
            Self { label, values: None, is_negated: text.trim().starts_with('!') }
        }
    }

    fn takes(&self, object: &Value) -> bool {
        let found = object["metadata"]["labels"][&self.label].as_str();
        let fits = match &self.values {
            Some(values) => found.is_some_and(|found| values.iter().any(|it| it == found)),
            None => found.is_some(),
        };
        fits != self.is_negated
    }
}

/// A selector's terms; commas in brackets do not part them.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let terms = text.split(|letter: char| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        letter == ',' && depth == 0
    });
    terms.filter(|it| !it.is_empty()).collect()
}

fn field(text: &str) -> Result<(String, String), Refusal> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    match name {
        "metadata.name" | "metadata.namespace" => {
            Ok((format!("/{}", name.replace('.', "/")), value.trim_start_matches('=').to_owned()))
        }
        other => Err(Refusal::bad_request(format!("field label not supported: {other}"))),
    }
}
