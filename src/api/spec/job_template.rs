//! The Job that a run is made from.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A `batch/v1` Job template, kept as it was written.
///
/// It is not the typed `JobTemplateSpec`: that would drop every field newer than the types we
/// were compiled with. The schema names only what we rely on; the API server judges the rest
/// when the Job is created, and a dry run does so when a Schedule is first seen.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(transparent)]
pub struct JobTemplate(pub serde_json::Value);

impl JsonSchema for JobTemplate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "JobTemplate".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let count = |what: &str, min: i32| serde_json::json!({"type": "integer", "format": "int32", "minimum": min, "description": what});
        let texts = |what: &str| {
            let text = serde_json::json!({"type": "string", "maxLength": 262_144});
            serde_json::json!({"type": "object", "additionalProperties": text, "description": what})
        };
        let container = serde_json::json!({
            "type": "object",
            "required": ["name"],
            "x-kubernetes-preserve-unknown-fields": true,
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 63, "description": "The container's name, unique in the Pod."},
            },
        });
        let pod_spec = serde_json::json!({
            "type": "object",
            "required": ["containers"],
            "x-kubernetes-preserve-unknown-fields": true,
            "description": "The Pod's spec, as in a Job.",
            "properties": {
                "restartPolicy": {"type": "string", "enum": ["Never", "OnFailure"], "description": "Never or OnFailure. Default: Never."},
                "containers": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 100,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": container,
                    "description": "The Pod's containers, as in a Job.",
                },
            },
        });
        let job_spec = serde_json::json!({
            "type": "object",
            "required": ["template"],
            "x-kubernetes-preserve-unknown-fields": true,
            "description": "The Job's spec; everything a batch/v1 Job knows may stand here.",
            "properties": {
                "activeDeadlineSeconds": {"type": "integer", "format": "int64", "minimum": 1, "description": "The Job fails as TimedOut when it is active longer than this."},
                "backoffLimit": count("How often the Job controller starts a failed Pod again.", 0),
                "completions": count("Pods that must succeed.", 0),
                "parallelism": count("Pods that run at once.", 0),
                "ttlSecondsAfterFinished": count("Set on the Job only after its result was recorded.", 0),
                "template": {
                    "type": "object",
                    "required": ["spec"],
                    "x-kubernetes-preserve-unknown-fields": true,
                    "description": "The Pod template, as in a Job.",
                    "properties": {
                        "metadata": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "description": "Labels and annotations of the Pods."},
                        "spec": pod_spec,
                    },
                },
            },
        });
        json_schema!({
            "type": "object",
            "required": ["spec"],
            "properties": {
                "metadata": {
                    "type": "object",
                    "description": "Labels and annotations of the Jobs.",
                    "properties": {"labels": texts("Labels of the Jobs."), "annotations": texts("Annotations of the Jobs.")},
                },
                "spec": job_spec,
            },
        })
    }
}
