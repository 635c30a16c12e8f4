//! What the API server checks of every object, and no schema says: version, names and labels.

use serde_json::Value;

use super::manifests::Document;
use super::problem::Problem;
use super::rules;
use crate::api::{GROUP, VERSION};
use crate::time::quote;

/// A name of an object, but for its dots and its length: those are refused by a rule of ours.
const NAME: Form = Form {
    pattern: "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
    expected: "lower-case letters, digits and dashes, with a letter or digit at both ends",
};
const LABEL_KEY: Form = Form {
    pattern: "^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$",
    expected: "at most 63 letters, digits, dashes, dots and underscores, perhaps after a domain and a slash, such as \
               example.com/team",
};
const LABEL_VALUE: Form = Form {
    pattern: "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$",
    expected: "at most 63 letters, digits, dashes, dots and underscores, with a letter or digit at both ends",
};

/// What a text has to look like.
struct Form {
    pattern: &'static str,
    expected: &'static str,
}

/// Everything wrong with it.
pub fn check(document: &Document) -> Vec<Problem> {
    let object = &document.object;
    let mut problems = Vec::new();
    let expected = format!("{GROUP}/{VERSION}");
    match object["apiVersion"].as_str() {
        Some(version) if version == expected => {}
        Some(version) => {
            problems.push(Problem::new("apiVersion", format!("is {}; expected {expected}", quote(version))));
        }
        None => problems.push(Problem::new("apiVersion", format!("is missing; expected {expected}"))),
    }
    let metadata = &object["metadata"];
    if metadata["name"].is_null() && metadata["generateName"].is_null() {
        problems.push(Problem::new("metadata.name", "is missing"));
    }
    for field in ["name", "namespace"] {
        let name = metadata[field].as_str();
        problems.extend(name.and_then(|name| NAME.refuses(&format!("metadata.{field}"), name)));
    }
    problems.extend(labels("metadata", metadata));
    problems.extend(labels("spec.jobTemplate.metadata", &object["spec"]["jobTemplate"]["metadata"]));
    problems
}

/// Keys of labels and annotations, and values of labels.
fn labels(path: &str, metadata: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    for field in ["labels", "annotations"] {
        for (key, value) in metadata[field].as_object().into_iter().flatten() {
            problems.extend(LABEL_KEY.refuses_key(&format!("{path}.{field}"), key));
            if let Some(value) = value.as_str().filter(|_| field == "labels") {
                problems.extend(LABEL_VALUE.refuses(&format!("{path}.{field}.{key}"), value));
            }
        }
    }
    problems
}

impl Form {
    fn refuses(&self, path: &str, text: &str) -> Option<Problem> {
        self.refuses_as(path, "is", text)
    }

    fn refuses_key(&self, path: &str, key: &str) -> Option<Problem> {
        self.refuses_as(path, "has the key", key)
    }

    fn refuses_as(&self, path: &str, verb: &str, text: &str) -> Option<Problem> {
        let problem = || Problem::new(path, format!("{verb} {}; expected {}", quote(text), self.expected));
        (!rules::matches(text, self.pattern)).then(problem)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Document, check};

    #[test]
    fn names_and_labels_are_checked_as_the_api_server_does() {
        for (metadata, expected) in [
            (json!({"name": "a"}), ""),
            (json!({"generateName": "a-"}), ""),
            (json!({"name": "a", "namespace": "b", "labels": {"example.com/a_b": "C.d", "e": ""}}), ""),
            (json!({}), "metadata.name is missing"),
            (json!({"name": "Upper"}), "metadata.name is \"Upper\"; expected lower-case"),
            (json!({"name": "a", "namespace": "-b"}), "metadata.namespace is \"-b\""),
            (json!({"name": "a", "labels": {"a b": "c"}}), "metadata.labels has the key \"a b\"; expected at most 63"),
            (json!({"name": "a", "labels": {"a": "b/c"}}), "metadata.labels.a is \"b/c\"; expected at most 63"),
            (json!({"name": "a", "annotations": {"/a": "b c"}}), "metadata.annotations has the key \"/a\""),
        ] {
            let object = json!({"apiVersion": "punctual.dev/v1alpha1", "metadata": metadata});
            let said = check(&Document { place: "a.yaml:1".to_owned(), object });
            let said = said.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
            assert!(if expected.is_empty() { said.is_empty() } else { said.starts_with(expected) }, "{said}");
        }
    }

    #[test]
    fn another_version_is_not_this_one() {
        let object = json!({"apiVersion": "punctual.dev/v2", "metadata": {"name": "a"}});
        let said = check(&Document { place: "a.yaml:1".to_owned(), object })[0].to_string();
        assert_eq!(said, "apiVersion is \"punctual.dev/v2\"; expected punctual.dev/v1alpha1");
    }
}
