//! Objects as they are stored: of what a client sends, the fields that the API knows.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::resource::{JOBS, LEASES, PODS, Resource};
use super::schema;
use super::store::text;

/// Reads what a client sent, without the fields that nobody knows; those are an error if they are
/// to be.
pub fn read(resource: &Resource, mut sent: Value, is_strict: bool) -> Result<Value, Refusal> {
    let (api_version, kind) = (text(&sent, "/apiVersion"), text(&sent, "/kind"));
    let expected = resource.api_version();
    if !api_version.is_empty() && api_version != expected {
        let message =
            format!("the API version in the data ({api_version}) does not match the expected API version ({expected})");
        return Err(Refusal::bad_request(message));
    }
    if !kind.is_empty() && kind != resource.kind {
        let message = format!("{kind} in version \"{}\" cannot be handled as a {}", resource.version, resource.kind);
        return Err(Refusal::bad_request(message));
    }
    resource.stamp(&mut sent);
    let mut known = match resource.plural {
        JOBS => typed::<Job>(resource, &sent)?,
        PODS => typed::<Pod>(resource, &sent)?,
        LEASES => typed::<Lease>(resource, &sent)?,
        "events" => typed::<Event>(resource, &sent)?,
        plural => {
            let mut object = sent.clone();
            object["metadata"] = typed::<ObjectMeta>(resource, &sent["metadata"])?;
            schema::shape(plural, &mut object);
            object
        }
    };
    tidy(&mut known["metadata"]);
    match unknown_field(&sent, &known, "").filter(|_| is_strict) {
        Some(field) => Err(Refusal::bad_request(format!(
            "{} in version \"{}\" cannot be handled as a {}: strict decoding error: unknown field \"{field}\"",
            resource.kind, resource.version, resource.kind
        ))),
        None => Ok(known),
    }
}

fn typed<T: DeserializeOwned + Serialize>(resource: &Resource, sent: &Value) -> Result<Value, Refusal> {
    let unreadable = |error| {
        let (kind, version) = (resource.kind, resource.version);
        Refusal::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {error}"))
    };
    let object: T = serde_json::from_value(sent.clone()).map_err(unreadable)?;
    serde_json::to_value(object).map_err(unreadable)
}

/// What is empty is not stored, nor who wrote which field.
fn tidy(metadata: &mut Value) {
    let Some(fields) = metadata.as_object_mut() else { return };
    fields.remove("managedFields");
    fields.retain(|_, value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
        _ => true,
    });
}

/// The first field that was sent and is not known.
fn unknown_field(sent: &Value, known: &Value, path: &str) -> Option<String> {
    match (sent, known) {
        (Value::Object(sent), Value::Object(known)) => {
            sent.iter().filter(|(_, it)| !is_empty(it)).find_map(|(key, value)| {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match known.get(key) {
                    _ if path == "metadata.managedFields" => None,
                    Some(known) => unknown_field(value, known, &path),
                    None => Some(path),
                }
            })
        }
        (Value::Array(sent), Value::Array(known)) => sent
            .iter()
            .zip(known)
            .enumerate()
            .find_map(|(index, (sent, known))| unknown_field(sent, known, &format!("{path}[{index}]"))),
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// The namespace of an object is that of its path.
pub fn settle_namespace(object: &mut Value, namespace: &str) -> Result<(), Refusal> {
    match text(object, "/metadata/namespace") {
        "" => object["metadata"]["namespace"] = json!(namespace),
        own if own == namespace => {}
        _ => {
            let message = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Refusal::bad_request(message));
        }
    }
    Ok(())
}

/// Takes a field out of one of the object's parts.
pub fn remove(object: &mut Value, part: &str, field: &str) {
    if let Some(fields) = object.get_mut(part).and_then(Value::as_object_mut) {
        fields.remove(field);
    }
}

/// Sets a field; null takes it away.
pub fn put(object: &mut Value, field: &str, value: Value) {
    let fields = object.as_object_mut().expect("an object is a map");
    if value.is_null() {
        fields.remove(field);
    } else {
        fields.insert(field.to_owned(), value);
    }
}

pub fn finalizers(object: &Value) -> Vec<String> {
    let all = object["metadata"]["finalizers"].as_array();
    all.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

pub fn set_finalizers(object: &mut Value, finalizers: &[String]) {
    let value = if finalizers.is_empty() { Value::Null } else { json!(finalizers) };
    put(&mut object["metadata"], "finalizers", value);
}
