//! What a request asks for.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::resource::Resource;

/// Verbs as the API server counts and permits them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
}

impl Verb {
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// A request about objects.
pub struct Question<'a> {
    pub verb: Verb,
    pub resource: &'static Resource,
    /// None: all of them.
    pub namespace: Option<String>,
    /// Empty for lists, watches and creates.
    pub name: String,
    /// Whether it is about the status alone.
    pub is_status: bool,
    pub query: BTreeMap<String, String>,
    pub accept: &'a str,
    pub content_type: &'a str,
    pub body: &'a [u8],
}

impl<'a> Question<'a> {
    /// Reads a request, or says why nobody serves it.
    pub fn of(request: &'a http::Request<Vec<u8>>) -> Result<Self, Refusal> {
        let (group, version, path) = split(request.uri().path()).ok_or_else(Refusal::no_such_path)?;
        let (namespace, path) = match path.as_slice() {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
            path => (None, path),
        };
        let (plural, name, subresource) = match path {
            [plural] => (plural, "", None),
            [plural, name] => (plural, *name, None),
            [plural, name, subresource] => (plural, *name, Some(*subresource)),
            _ => return Err(Refusal::no_such_path()),
        };
        let resource = Resource::find(group, version, plural).ok_or_else(Refusal::no_such_path)?;
        let is_status = match subresource {
            None => false,
            Some("status") if resource.has_status => true,
            Some(_) => return Err(Refusal::no_such_path()),
        };
        let query: BTreeMap<String, String> =
            form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
        let is_watch = matches!(query.get("watch").map(String::as_str), Some("true" | "1"));
        let verb = verb_of(request.method(), !name.is_empty(), is_watch).ok_or_else(Refusal::not_allowed)?;
        if namespace.is_none() && !matches!(verb, Verb::List | Verb::Watch) {
            return Err(Refusal::no_such_path());
        }
        let header =
            |name| request.headers().get(name).and_then(|it: &http::HeaderValue| it.to_str().ok()).unwrap_or_default();
        Ok(Self {
            verb,
            resource,
            namespace,
            name: name.to_owned(),
            is_status,
            query,
            accept: header(http::header::ACCEPT),
            content_type: header(http::header::CONTENT_TYPE),
            body: request.body(),
        })
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|it| !it.is_empty())
    }

    /// The namespace of a request that has one.
    pub fn place(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    pub fn is_dry_run(&self) -> bool {
        self.parameter("dryRun") == Some("All")
    }

    /// How something is to be deleted: a body, if there is one, overrides the whole query.
    pub fn delete_options(&self) -> Result<Value, Refusal> {
        if !self.body.is_empty() {
            return self.json();
        }
        let mut options = json!({});
        if let Some(policy) = self.parameter("propagationPolicy") {
            options["propagationPolicy"] = json!(policy);
        }
        if self.is_dry_run() {
            options["dryRun"] = json!(["All"]);
        }
        Ok(options)
    }

    /// Whether only metadata is asked for.
    pub fn wants_metadata(&self) -> bool {
        self.accept.contains("as=PartialObjectMetadata")
    }

    pub fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(self.body)
            .map_err(|error| Refusal::bad_request(format!("the object provided is unrecognized: {error}")))
    }
}

/// Group, version, and what comes after them.
fn split(path: &str) -> Option<(&str, &str, Vec<&str>)> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["api", version, rest @ ..] => Some(("", version, rest.to_vec())),
        ["apis", group, version, rest @ ..] => Some((group, version, rest.to_vec())),
        _ => None,
    }
}

fn verb_of(method: &Method, is_named: bool, is_watch: bool) -> Option<Verb> {
    Some(match (method.as_str(), is_named) {
        ("GET", false) if is_watch => Verb::Watch,
        ("GET", false) => Verb::List,
        ("GET", true) => Verb::Get,
        ("POST", false) => Verb::Create,
        ("PUT", true) => Verb::Update,
        ("PATCH", true) => Verb::Patch,
        ("DELETE", true) => Verb::Delete,
        _ => return None,
    })
}
