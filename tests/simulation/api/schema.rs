//! What the custom resource definitions make of an object: fields they do not know are dropped,
//! and those that have a default get it.

use std::sync::OnceLock;

use serde_json::Value;

use super::resource::SCHEDULES;

/// Drops what the definition of a resource does not know, and adds its defaults.
pub fn shape(plural: &str, object: &mut Value) {
    let schema = schema_of(plural);
    let Some(fields) = object.as_object_mut() else { return };
    fields.retain(|field, _| {
        matches!(field.as_str(), "apiVersion" | "kind" | "metadata") || schema["properties"].get(field).is_some()
    });
    for part in ["spec", "status"] {
        let schema = &schema["properties"][part];
        if let Some(default) = schema.get("default").filter(|_| !fields.contains_key(part)) {
            fields.insert(part.to_owned(), default.clone());
        }
        if let Some(value) = fields.get_mut(part) {
            apply(schema, value);
        }
    }
}

/// What the definition says to who changes a spec, if it must not change at all.
pub fn fixed_spec(plural: &str) -> Option<&'static str> {
    let rules = schema_of(plural)["properties"]["spec"]["x-kubernetes-validations"].as_array()?;
    rules.iter().find(|it| it["rule"] == "self == oldSelf")?["message"].as_str()
}

fn schema_of(plural: &str) -> &'static Value {
    static SCHEMAS: OnceLock<[Value; 2]> = OnceLock::new();
    let read = |text| {
        let mut definition: Value = serde_saphyr::from_str(text).unwrap();
        definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].take()
    };
    let [schedules, runs] = SCHEMAS.get_or_init(|| {
        [read(include_str!("../../../crds/schedules.yaml")), read(include_str!("../../../crds/scheduleruns.yaml"))]
    });
    if plural == SCHEDULES { schedules } else { runs }
}

fn apply(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(known) = schema["properties"].as_object() {
                if schema["x-kubernetes-preserve-unknown-fields"] != true && !schema["additionalProperties"].is_object()
                {
                    fields.retain(|field, _| known.contains_key(field));
                }
                for (field, schema) in known {
                    if let Some(default) = schema.get("default").filter(|_| !fields.contains_key(field)) {
                        fields.insert(field.clone(), default.clone());
                    }
                    if let Some(value) = fields.get_mut(field) {
                        apply(schema, value);
                    }
                }
            } else if schema["additionalProperties"].is_object() {
                fields.values_mut().for_each(|value| apply(&schema["additionalProperties"], value));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| apply(&schema["items"], item)),
        _ => {}
    }
}
