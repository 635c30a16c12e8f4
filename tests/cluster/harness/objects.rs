//! Objects as JSON: where the API server keeps them, and what stories ask of them.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::Value;

/// Where the objects of a kind are.
pub fn collection(api_version: &str, kind: &str, namespace: &str) -> String {
    let group = if api_version.contains('/') { format!("/apis/{api_version}") } else { format!("/api/{api_version}") };
    let plural = match kind.to_lowercase() {
        word if word.ends_with('y') => format!("{}ies", &word[..word.len() - 1]),
        word => format!("{word}s"),
    };
    let is_of_the_cluster = kind == "Namespace" || kind.starts_with("ValidatingAdmissionPolicy");
    if is_of_the_cluster { format!("{group}/{plural}") } else { format!("{group}/namespaces/{namespace}/{plural}") }
}

/// Where one object is.
pub fn path(object: &Value, namespace: &str) -> String {
    let field = |pointer: &str| {
        object.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}: {object}"))
    };
    format!("{}/{}", collection(field("/apiVersion"), field("/kind"), namespace), field("/metadata/name"))
}

/// A Schedule as its user would write it. `spec` is YAML; `pod` is a list of annotations that tell
/// how the simulated Pod ends, in YAML's flow style.
pub fn schedule(name: &str, spec: &str, pod: &str) -> String {
    let mut text = format!("apiVersion: punctual.dev/v1alpha1\nkind: Schedule\nmetadata: {{name: {name}}}\nspec:\n");
    for line in spec.lines() {
        writeln!(text, "  {}", line.trim_end()).unwrap();
    }
    text + &job_template(pod)
}

fn job_template(pod: &str) -> String {
    format!(
        "  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        metadata:
          annotations: {{{pod}}}
        spec:
          containers: [{{name: main, image: \"example/work:1\"}}]
"
    )
}

/// The text at a JSON pointer; empty when there is none.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The instant at a JSON pointer.
pub fn time(object: &Value, pointer: &str) -> Timestamp {
    text(object, pointer).parse().unwrap_or_else(|error| panic!("{pointer}: {error}: {object}"))
}

/// The instant at a JSON pointer in seconds since 1970.
pub fn second(object: &Value, pointer: &str) -> i64 {
    time(object, pointer).as_second()
}

/// The slot a Job was created for, in seconds since 1970.
pub fn job_slot(job: &Value) -> i64 {
    second(job, "/metadata/annotations/punctual.dev~1slot-time")
}

/// Whether a Job has neither completed nor failed.
pub fn is_active(job: &Value) -> bool {
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
    !conditions
        .into_iter()
        .flatten()
        .any(|it| it["status"] == "True" && (it["type"] == "Complete" || it["type"] == "Failed"))
}
