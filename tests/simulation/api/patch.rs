//! Patches: what they make of an object.

use serde_json::Value;

use super::refusal::Refusal;
use super::request::Question;

/// The object after a patch.
pub fn apply(question: &Question, object: &Value) -> Result<Value, Refusal> {
    let mut patched = object.clone();
    match question.content_type.split(';').next().unwrap_or_default() {
        "application/json-patch+json" => {
            let patch: json_patch::Patch = serde_json::from_slice(question.body)
                .map_err(|error| Refusal::bad_request(format!("error decoding patch: {error}")))?;
            json_patch::patch(&mut patched, &patch).map_err(|_| Refusal::patch_does_not_apply())?;
        }
        "application/merge-patch+json" => json_patch::merge(&mut patched, &question.json()?),
        other => {
            let known = "application/json-patch+json, application/merge-patch+json";
            let message = format!(
                "the body of the request was in an unknown format - accepted media types include: {known}, not {other}"
            );
            return Err(Refusal::new(415, "UnsupportedMediaType", message));
        }
    }
    Ok(patched)
}
