//! What the API server adds to objects of a kind, and what it refuses them for.

use serde_json::{Map, Value, json};

use super::refusal::{Refusal, Wrong};
use super::resource::{JOBS, LEASES, Resource};
use super::schema;
use super::store::text;

const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";
const JOB_NAME: &str = "batch.kubernetes.io/job-name";

/// Fills in what a new object leaves out.
pub fn prepare(resource: &Resource, object: &mut Value) {
    match resource.plural {
        JOBS => prepare_job(object),
        "events" => add(object.as_object_mut().unwrap(), [("deprecatedSource", json!({}))]),
        _ => {}
    }
}

fn prepare_job(job: &mut Value) {
    let (uid, name) = (text(job, "/metadata/uid").to_owned(), text(job, "/metadata/name").to_owned());
    job["status"] = json!({});
    let Some(spec) = job["spec"].as_object_mut() else { return };
    let completions =
        json!(if spec.contains_key("completions") || spec.contains_key("parallelism") { None } else { Some(1) });
    let defaults = [
        ("completions", completions),
        ("parallelism", json!(1)),
        ("backoffLimit", json!(6)),
        ("completionMode", json!("NonIndexed")),
        ("suspend", json!(false)),
        ("manualSelector", json!(false)),
        ("podReplacementPolicy", json!("TerminatingOrFailed")),
    ];
    add(spec, defaults);
    spec.insert("selector".into(), json!({"matchLabels": {CONTROLLER_UID: uid}}));
    let template = spec.entry("template").or_insert_with(|| json!({}));
    for (label, value) in [(CONTROLLER_UID, &uid), ("controller-uid", &uid), (JOB_NAME, &name), ("job-name", &name)] {
        template["metadata"]["labels"][label] = json!(value);
    }
    let Some(pod) = template["spec"].as_object_mut() else { return };
    let defaults = [
        ("dnsPolicy", json!("ClusterFirst")),
        ("restartPolicy", json!("Always")),
        ("schedulerName", json!("default-scheduler")),
        ("securityContext", json!({})),
        ("terminationGracePeriodSeconds", json!(30)),
    ];
    add(pod, defaults);
    for list in ["initContainers", "containers"] {
        for container in pod.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let image = container["image"].as_str().unwrap_or_default();
            let is_latest = image.ends_with(":latest") || !image.rsplit('/').next().unwrap_or_default().contains(':');
            let pull = json!(if is_latest { "Always" } else { "IfNotPresent" });
            let Some(container) = container.as_object_mut() else { continue };
            let defaults = [
                ("imagePullPolicy", pull),
                ("resources", json!({})),
                ("terminationMessagePath", json!("/dev/termination-log")),
                ("terminationMessagePolicy", json!("File")),
            ];
            add(container, defaults);
        }
    }
}

/// A Job without labels bears those of its Pods.
pub fn label(resource: &Resource, object: &mut Value) {
    if resource.plural == JOBS && object["metadata"]["labels"].is_null() {
        object["metadata"]["labels"] = object["spec"]["template"]["metadata"]["labels"].clone();
    }
}

fn add<const N: usize>(fields: &mut Map<String, Value>, defaults: [(&str, Value); N]) {
    for (field, default) in defaults {
        if !default.is_null() && fields.get(field).is_none_or(Value::is_null) {
            fields.insert(field.to_owned(), default);
        }
    }
}

/// Whether an object may be stored at all.
pub fn check(resource: &Resource, name: &str, object: &Value) -> Result<(), Refusal> {
    let wrong = |field: &str, wrong, why: &str| Err(Refusal::invalid(resource, name, field, wrong, why));
    match resource.plural {
        JOBS => {
            let pod = &object["spec"]["template"]["spec"];
            let containers = pod["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
            if containers.is_empty() {
                return wrong("spec.template.spec.containers", Wrong::Required, "");
            }
            if let Some(index) = containers.iter().position(|it| text(it, "/image").is_empty()) {
                return wrong(&format!("spec.template.spec.containers[{index}].image"), Wrong::Required, "");
            }
            if !matches!(text(pod, "/restartPolicy"), "Never" | "OnFailure") {
                let why = "valid values: \"OnFailure\", \"Never\"";
                return wrong("spec.template.spec.restartPolicy", Wrong::Required, why);
            }
        }
        LEASES => {
            if let Some(seconds) = object["spec"]["leaseDurationSeconds"].as_i64().filter(|it| *it <= 0) {
                let why = format!("{seconds}: must be greater than 0");
                return wrong("spec.leaseDurationSeconds", Wrong::Invalid, &why);
            }
            if let Some(number) = object["spec"]["leaseTransitions"].as_i64().filter(|it| *it < 0) {
                let why = format!("{number}: must be greater than or equal to 0");
                return wrong("spec.leaseTransitions", Wrong::Invalid, &why);
            }
        }
        _ => {}
    }
    Ok(())
}

/// Whether an object may become another.
pub fn check_update(resource: &Resource, name: &str, before: &Value, after: &Value) -> Result<(), Refusal> {
    if resource.is_custom
        && before["spec"] != after["spec"]
        && let Some(why) = schema::fixed_spec(resource.plural)
    {
        return Err(Refusal::invalid(resource, name, "spec", Wrong::Invalid, why));
    }
    let fixed: &[&str] = if resource.plural == JOBS { &["template", "selector", "completionMode"] } else { &[] };
    for field in fixed {
        if before["spec"][field] != after["spec"][field] {
            let why = format!("{}: field is immutable", after["spec"][field]);
            return Err(Refusal::invalid(resource, name, &format!("spec.{field}"), Wrong::Invalid, &why));
        }
    }
    Ok(())
}
