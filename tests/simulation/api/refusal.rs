//! What the API server answers when it does not do what it was asked: `metav1.Status` bodies.

use serde_json::{Value, json};

use super::resource::Resource;
use super::store::text;

/// A code and the body that goes with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub code: u16,
    pub body: Value,
}

/// What is wrong with a field: the reason of a cause, and how messages begin.
#[derive(Clone, Copy)]
pub enum Wrong {
    Required,
    Invalid,
}

impl Refusal {
    /// One with no details.
    pub fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message.into(), "code": code,
        });
        if !reason.is_empty() {
            body["reason"] = json!(reason);
        }
        Self { code, body }
    }

    fn with_details(mut self, details: Value) -> Self {
        self.body["details"] = details;
        self
    }

    fn about(self, resource: &Resource, name: &str) -> Self {
        self.with_details(resource.details(name))
    }

    pub fn not_found(resource: &Resource, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", resource.qualified())).about(resource, name)
    }

    pub fn namespace_not_found(namespace: &str) -> Self {
        Self::new(404, "NotFound", format!("namespaces \"{namespace}\" not found"))
            .with_details(json!({"name": namespace, "kind": "namespaces"}))
    }

    /// There is nothing at this path.
    pub fn no_such_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").with_details(json!({}))
    }

    pub fn not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(405, "MethodNotAllowed", message).with_details(json!({}))
    }

    pub fn already_exists(resource: &Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", resource.qualified());
        Self::new(409, "AlreadyExists", message).about(resource, name)
    }

    pub fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.qualified());
        Self::new(409, "Conflict", message).about(resource, name)
    }

    /// One of this name is there still, on its way out.
    pub fn still_there(resource: &Resource, name: &str) -> Self {
        let message = format!("object is being deleted: {} \"{name}\" already exists", resource.qualified());
        Self::new(409, "AlreadyExists", message).about(resource, name)
    }

    /// It is not the one that was meant, or there is none any more.
    pub fn other_uid(resource: &Resource, namespace: &str, name: &str, wanted: &str, found: &str) -> Self {
        let group = if resource.is_custom { format!("{}/", resource.group) } else { String::new() };
        let key = format!("/registry/{group}{}/{namespace}/{name}", resource.plural);
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"
        );
        Self::conflict(resource, name, &why)
    }

    /// It has been changed since the version that was given.
    pub fn modified(resource: &Resource, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    /// It is not the one, or not the version, that was to be deleted.
    pub fn not_to_be_deleted(resource: &Resource, name: &str, what: &str, wanted: &str, found: &str) -> Self {
        let perhaps = if what == "UID" { "deleted and then recreated" } else { "modified" };
        let why = format!(
            "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). The object might have been {perhaps}"
        );
        let kind = resource.qualified_kind();
        Self::new(409, "Conflict", format!("Operation cannot be fulfilled on {kind} \"{name}\": {why}"))
            .with_details(resource.details_of_kind(name))
    }

    pub fn forbidden(resource: &Resource, name: &str, why: &str) -> Self {
        let subject =
            if name.is_empty() { resource.qualified() } else { format!("{} \"{name}\"", resource.qualified()) };
        Self::new(403, "Forbidden", format!("{subject} is forbidden: {why}")).about(resource, name)
    }

    /// A validating policy says so, by a code and a reason of its own choice.
    pub fn policy(resource: &Resource, name: &str, why: &str, code: u16, reason: &str) -> Self {
        let mut refusal = Self::forbidden(resource, name, why);
        refusal.code = code;
        refusal.body["code"] = json!(code);
        refusal.body["reason"] = json!(reason);
        refusal.body["details"]["causes"] = json!([{"message": why}]);
        refusal
    }

    pub fn namespace_terminating(resource: &Resource, name: &str, namespace: &str) -> Self {
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let mut refusal = Self::forbidden(resource, name, &why);
        refusal.body["details"]["causes"] = json!([{
            "reason": "NamespaceTerminating", "field": "metadata.namespace",
            "message": format!("namespace {namespace} is being terminated"),
        }]);
        refusal
    }

    /// A field of an object is not as it must be.
    pub fn invalid(resource: &Resource, name: &str, field: &str, wrong: Wrong, why: &str) -> Self {
        let (reason, words) = match wrong {
            Wrong::Required => ("FieldValueRequired", "Required value"),
            Wrong::Invalid => ("FieldValueInvalid", "Invalid value"),
        };
        let told = if why.is_empty() { words.to_owned() } else { format!("{words}: {why}") };
        let cause = json!({"reason": reason, "message": told, "field": field});
        Self::invalid_for(&resource.qualified_kind(), name, &[cause], resource.details_of_kind(name))
    }

    /// A version is needed, and none was given.
    pub fn version_missing(resource: &Resource, name: &str) -> Self {
        let message = "Invalid value: 0: must be specified for an update";
        let cause = json!({"reason": "FieldValueInvalid", "message": message, "field": "metadata.resourceVersion"});
        Self::invalid_for(&resource.qualified(), name, &[cause], resource.details(name))
    }

    fn invalid_for(subject: &str, name: &str, causes: &[Value], mut details: Value) -> Self {
        let told = format!("{}: {}", text(&causes[0], "/field"), text(&causes[0], "/message"));
        details["causes"] = json!(causes);
        Self::new(422, "Invalid", format!("{subject} \"{name}\" is invalid: {told}")).with_details(details)
    }

    /// A patch cannot be carried out on what is there.
    pub fn patch_does_not_apply() -> Self {
        Self::new(422, "Invalid", "the server rejected our request due to an error in our request")
            .with_details(json!({}))
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// A version or token is older than what is kept.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// A version is asked for that has not come yet.
    pub fn too_large_version(asked: u64, present: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {present}");
        Self::new(504, "Timeout", message).with_details(json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        }))
    }
}
