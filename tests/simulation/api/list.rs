//! Lists, in pages, of now or of an older version.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::ApiServer;
use super::refusal::Refusal;
use super::request::Question;
use super::resource::Resource;
use super::selector::Selector;
use super::store::{Key, Objects};
use super::write::Done;

/// Where a page begins: `{"rv": …, "start": "namespace/name"}`, as text that clients must not read.
struct Token {
    version: u64,
    after: (String, String),
}

impl ApiServer {
    pub(super) fn get(&self, question: &Question) -> Result<Done, Refusal> {
        let (resource, name) = (question.resource, question.name.as_str());
        let found = self.store.get(resource, question.place(), name);
        let object = found.ok_or_else(|| Refusal::not_found(resource, name))?;
        Ok(Done::of(if question.wants_metadata() { metadata_only(object) } else { (**object).clone() }))
    }

    pub(super) fn list(&self, question: &Question) -> Result<Done, Refusal> {
        let selector = Selector::of(question)?;
        let token = question.parameter("continue").map(Token::read).transpose()?;
        let (version, objects) = self.state_for(question, token.as_ref())?;
        let limit = question.parameter("limit").and_then(|it| it.parse().ok()).filter(|it| *it > 0);
        // From its cache a server answers whole lists.
        let limit = limit.filter(|_| question.parameter("resourceVersion") != Some("0")).unwrap_or(usize::MAX);

        let is_asked = |(plural, namespace, name): &Key| {
            let is_before = token.as_ref().is_some_and(|it| (namespace, name) <= (&it.after.0, &it.after.1));
            *plural == question.resource.plural
                && question.namespace.as_ref().is_none_or(|it| it == namespace)
                && !is_before
        };
        let mut taken: Vec<(&Key, &Arc<Value>)> = Vec::new();
        let mut rest = objects.iter().filter(|(key, _)| is_asked(key)).peekable();
        while let Some((key, object)) = rest.next_if(|_| taken.len() < limit) {
            if selector.takes(object) {
                taken.push((key, object));
            }
        }
        let mut metadata = json!({"resourceVersion": version.to_string()});
        // Whether more of the rest are to be shown nobody knows before it is looked at; but of one
        // name there is no more than one.
        if let Some(((_, namespace, name), _)) = taken.last().filter(|_| rest.peek().is_some() && !selector.is_of_one())
        {
            metadata["continue"] = json!(Token { version, after: (namespace.clone(), name.clone()) }.write());
            if selector.takes_all() {
                metadata["remainingItemCount"] = json!(rest.count());
            }
        }
        let items = taken.iter().map(|(_, object)| item(question, object)).collect();
        Ok(Done::of(listed(question, metadata, items)))
    }

    /// The objects a list is to be made of, and their version.
    fn state_for(&self, question: &Question, token: Option<&Token>) -> Result<(u64, Cow<'_, Objects>), Refusal> {
        let present = self.store.version();
        let asked = question.parameter("resourceVersion").unwrap_or("0");
        let asked: u64 =
            asked.parse().map_err(|_| Refusal::bad_request(format!("invalid resource version: {asked:?}")))?;
        let is_exact = question.parameter("resourceVersionMatch") == Some("Exact");
        let version = match token {
            Some(token) => token.version,
            None if asked > present => return Err(Refusal::too_large_version(asked, present)),
            None if is_exact => asked,
            None => return Ok((present, Cow::Borrowed(self.store.everything()))),
        };
        let is_token = if token.is_some() { "the continue token" } else { "the resource version" };
        let objects =
            self.store.at(version).ok_or_else(|| Refusal::expired(format!("{is_token} is too old: {version}")));
        Ok((version, Cow::Owned(objects?)))
    }
}

fn listed(question: &Question, metadata: Value, items: Vec<Value>) -> Value {
    let (kind, api_version) = if question.wants_metadata() {
        ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned())
    } else {
        (format!("{}List", question.resource.kind), question.resource.api_version())
    };
    json!({"kind": kind, "apiVersion": api_version, "metadata": metadata, "items": items})
}

fn item(question: &Question, object: &Value) -> Value {
    if question.wants_metadata() { metadata_only(object) } else { bare(question.resource, object) }
}

/// Objects of built-in kinds do not say in lists what they are.
fn bare(resource: &Resource, object: &Value) -> Value {
    let mut object = object.clone();
    if !resource.is_custom
        && let Some(fields) = object.as_object_mut()
    {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    object
}

/// What is left of an object for who asks for metadata only.
pub fn metadata_only(object: &Value) -> Value {
    let mut fields = Map::new();
    fields.insert("kind".into(), json!("PartialObjectMetadata"));
    fields.insert("apiVersion".into(), json!("meta.k8s.io/v1"));
    fields.insert("metadata".into(), object["metadata"].clone());
    Value::Object(fields)
}

impl Token {
    fn write(&self) -> String {
        json!({"v": "meta.k8s.io/v1", "rv": self.version, "start": format!("{}/{}", self.after.0, self.after.1)})
            .to_string()
    }

    fn read(text: &str) -> Result<Self, Refusal> {
        let bad = || Refusal::bad_request("continue key is not valid");
        let token: Value = serde_json::from_str(text).map_err(|_| bad())?;
        let (namespace, name) = token["start"].as_str().and_then(|it| it.split_once('/')).ok_or_else(bad)?;
        Ok(Self { version: token["rv"].as_u64().ok_or_else(bad)?, after: (namespace.to_owned(), name.to_owned()) })
    }
}
