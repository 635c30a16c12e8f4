//! Creating, updating and deleting, for clients and controllers alike.

use serde_json::{Map, Value, json};

use super::ApiServer;
use super::refusal::{Refusal, Wrong};
use super::resource::Resource;
use super::store::{Author, Key, text, version_of};
use super::{object, rules};

/// What was done, as the client hears of it.
#[derive(Debug)]
pub struct Done {
    pub code: u16,
    pub body: Value,
    /// The version of the change, if there was one.
    pub made: Option<u64>,
}

/// Who wants something, and how.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    pub by: &'a str,
    pub is_dry_run: bool,
    /// Whether unknown fields are an error.
    pub is_strict: bool,
    pub is_status: bool,
    /// Whether it says only what is to be different.
    pub is_patch: bool,
}

/// Where something is to happen.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub resource: &'static Resource,
    pub namespace: &'a str,
    pub name: &'a str,
}

/// Keeps an object until what depends on it is gone.
pub const FOREGROUND: &str = "foregroundDeletion";
/// Keeps an object until what depends on it no longer says so.
pub const ORPHAN: &str = "orphan";

impl Done {
    pub fn of(body: Value) -> Self {
        Self { code: 200, body, made: None }
    }
}

impl<'a> Wish<'a> {
    pub fn of(by: &'a str) -> Self {
        Self { by, is_dry_run: false, is_strict: false, is_status: false, is_patch: false }
    }

    pub fn about_status(self) -> Self {
        Self { is_status: true, ..self }
    }
}

impl Place<'_> {
    fn key(&self) -> Key {
        (self.resource.plural, self.namespace.to_owned(), self.name.to_owned())
    }

    fn not_found(&self) -> Refusal {
        Refusal::not_found(self.resource, self.name)
    }
}

impl ApiServer {
    pub(super) fn create(&mut self, wish: Wish<'_>, place: Place<'_>, body: Value) -> Result<Done, Refusal> {
        let resource = place.resource;
        let mut object = object::read(resource, body, wish.is_strict)?;
        object::settle_namespace(&mut object, place.namespace)?;
        let name = self.name_for(&object);
        self.admit_to_namespace(place, &name)?;
        if !text(&object, "/metadata/resourceVersion").is_empty() {
            return Err(Refusal::new(500, "", "resourceVersion should not be set on objects to be created"));
        }
        if name.is_empty() {
            let why = "name or generateName is required";
            return Err(Refusal::invalid(resource, "", "metadata.name", Wrong::Required, why));
        }
        let place = Place { name: &name, ..place };
        self.begin_metadata(resource, &mut object, &name);
        rules::prepare(resource, &mut object);
        rules::label(resource, &mut object);
        rules::check(resource, &name, &object)?;
        self.admit_create(wish.by, place, &object)?;
        match self.store.get(resource, place.namespace, &name) {
            None => {}
            Some(there) if there["metadata"]["deletionTimestamp"].is_null() => {
                return Err(Refusal::already_exists(resource, &name));
            }
            Some(_) => return Err(Refusal::still_there(resource, &name)),
        }
        let done = self.commit(wish, place, object)?;
        if resource.is_custom && done.made.is_some() {
            self.store.settle_later(place.key());
        }
        Ok(Done { code: 201, ..done })
    }

    /// Replaces an object, or its status alone.
    pub(super) fn update(&mut self, wish: Wish<'_>, place: Place<'_>, wanted: Value) -> Result<Done, Refusal> {
        let Place { resource, namespace, name } = place;
        let mut wanted = object::read(resource, wanted, wish.is_strict)?;
        object::settle_namespace(&mut wanted, namespace)?;
        let wanted_name = text(&wanted, "/metadata/name");
        if wanted_name != name {
            let message = format!("the name of the object ({wanted_name}) does not match the name on the URL ({name})");
            return Err(Refusal::bad_request(message));
        }
        let Some(existing) = self.store.get(resource, namespace, name).cloned() else {
            return self.update_missing(wish, place, wanted);
        };
        let uid = text(&existing, "/metadata/uid");
        match text(&wanted, "/metadata/uid") {
            wanted if wanted.is_empty() || wanted == uid => {}
            // A patch of the status has no say in what it is of.
            _ if wish.is_patch && wish.is_status && resource.is_custom => {}
            other if wish.is_patch => {
                let why = format!("\"{other}\": field is immutable");
                return Err(Refusal::invalid(resource, name, "metadata.uid", Wrong::Invalid, &why));
            }
            other => return Err(Refusal::other_uid(resource, namespace, name, other, uid)),
        }
        match version_of(&wanted) {
            "" if resource.updates_blindly => {}
            "" => return Err(Refusal::version_missing(resource, name)),
            version if version == version_of(&existing) => {}
            _ => return Err(Refusal::modified(resource, name)),
        }
        let mut updated = merged(wish, resource, &existing, wanted);
        rules::label(resource, &mut updated);
        rules::check(resource, name, &updated)?;
        rules::check_update(resource, name, &existing, &updated)?;
        self.admit_update(wish, place)?;
        let is_over = !updated["metadata"]["deletionTimestamp"].is_null()
            && updated["metadata"]["finalizers"].is_null()
            && updated["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0;
        if is_over {
            return self.uncommit(wish, place).map(|done| Done { body: updated, ..done });
        }
        if updated == *existing && !self.store.is_to_be_settled(&place.key()) {
            return Ok(Done::of(updated));
        }
        self.commit(wish, place, updated)
    }

    fn update_missing(&mut self, wish: Wish<'_>, place: Place<'_>, mut wanted: Value) -> Result<Done, Refusal> {
        if !place.resource.creates_on_update {
            return Err(place.not_found());
        }
        match text(&wanted, "/metadata/uid") {
            "" => {}
            uid => return Err(Refusal::other_uid(place.resource, place.namespace, place.name, uid, "")),
        }
        object::remove(&mut wanted, "metadata", "resourceVersion");
        self.create(wish, place, wanted)
    }

    /// Deletes an object, or marks it for those who have something to do before.
    pub(super) fn delete(&mut self, wish: Wish<'_>, place: Place<'_>, options: &Value) -> Result<Done, Refusal> {
        let Place { resource, namespace, name } = place;
        let existing = self.store.get(resource, namespace, name).cloned().ok_or_else(|| place.not_found())?;
        for (field, what) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
            let found = text(&existing["metadata"], &format!("/{field}"));
            if let Some(wanted) = options["preconditions"][field].as_str().filter(|it| *it != found) {
                return Err(Refusal::not_to_be_deleted(resource, name, what, wanted, found));
            }
        }
        let mut marked = (*existing).clone();
        let finalizers = finalizers_for(resource, &existing, options["propagationPolicy"].as_str());
        let grace = grace_seconds(resource, &existing, options);
        object::set_finalizers(&mut marked, &finalizers);
        if finalizers.is_empty() && grace == 0 {
            let body = if resource.plural == super::resource::PODS { marked } else { deleted(place, &existing) };
            return self.uncommit(wish, place).map(|done| Done { body, ..done });
        }
        if marked["metadata"]["deletionTimestamp"].is_null() {
            marked["metadata"]["deletionTimestamp"] = json!(self.second().to_string());
            if let Some(generation) = marked["metadata"]["generation"].as_i64() {
                marked["metadata"]["generation"] = json!(generation + 1);
            }
            marked["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
        } else if grace < marked["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) {
            marked["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
        }
        if marked == *existing {
            return Ok(Done::of(marked));
        }
        self.commit(wish, place, marked)
    }

    fn commit(&mut self, wish: Wish<'_>, place: Place<'_>, mut object: Value) -> Result<Done, Refusal> {
        if wish.is_dry_run {
            return Ok(Done::of(object));
        }
        self.admit_to_storage(&object)?;
        place.resource.stamp(&mut object);
        let object = self.store.put(self.author(wish), place.key(), object);
        Ok(Done { code: 200, body: (*object).clone(), made: Some(self.store.version()) })
    }

    fn uncommit(&mut self, wish: Wish<'_>, place: Place<'_>) -> Result<Done, Refusal> {
        if wish.is_dry_run {
            return Ok(Done::of(Value::Null));
        }
        self.admit_to_storage(&Value::Null)?;
        self.store.remove(self.author(wish), &place.key());
        Ok(Done { code: 200, body: Value::Null, made: Some(self.store.version()) })
    }

    fn author<'a>(&self, wish: Wish<'a>) -> Author<'a> {
        Author { at: self.now, by: wish.by, is_status: wish.is_status }
    }

    fn name_for(&mut self, object: &Value) -> String {
        let (name, stem) = (text(object, "/metadata/name"), text(object, "/metadata/generateName"));
        if name.is_empty() && !stem.is_empty() { format!("{stem}{}", self.letters(5)) } else { name.to_owned() }
    }

    fn begin_metadata(&mut self, resource: &Resource, object: &mut Value, name: &str) {
        if !object["metadata"].is_object() {
            object["metadata"] = Value::Object(Map::new());
        }
        for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
            object::remove(object, "metadata", field);
        }
        object["metadata"]["name"] = json!(name);
        object["metadata"]["uid"] = json!(self.uid());
        object["metadata"]["creationTimestamp"] = json!(self.second().to_string());
        if resource.has_generation {
            object["metadata"]["generation"] = json!(1);
        }
        if resource.has_status {
            object.as_object_mut().unwrap().remove("status");
        }
        if resource.is_custom {
            super::schema::shape(resource.plural, object);
        }
    }
}

/// The object that an update makes of what is there and what is wanted.
fn merged(wish: Wish<'_>, resource: &Resource, existing: &Value, mut wanted: Value) -> Value {
    if wish.is_status {
        let mut status = wanted["status"].take();
        if resource.is_custom {
            wanted = existing.clone();
        } else {
            wanted["spec"] = existing["spec"].clone();
        }
        object::put(&mut wanted, "status", status.take());
    } else if resource.has_status {
        object::put(&mut wanted, "status", existing["status"].clone());
    }
    for field in
        ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion"]
    {
        object::remove(&mut wanted, "metadata", field);
        if let Some(value) = existing["metadata"].get(field) {
            wanted["metadata"][field] = value.clone();
        }
    }
    if resource.has_generation && content(existing) != content(&wanted) {
        let generation = existing["metadata"]["generation"].as_i64().unwrap_or(0);
        wanted["metadata"]["generation"] = json!(generation + 1);
    }
    wanted
}

/// What the generation counts versions of.
fn content(object: &Value) -> Map<String, Value> {
    let fields = object.as_object().into_iter().flatten();
    fields
        .filter(|(field, _)| !matches!(field.as_str(), "metadata" | "status" | "apiVersion" | "kind"))
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect()
}

/// Who is to be waited for when an object is deleted so.
fn finalizers_for(resource: &Resource, object: &Value, policy: Option<&str>) -> Vec<String> {
    let mut all = object::finalizers(object);
    let own = match policy {
        None if all.iter().any(|it| it == FOREGROUND || it == ORPHAN) => return all,
        // As it was before there was a choice.
        None if resource.plural == super::resource::JOBS => Some(ORPHAN),
        None => None,
        // Nothing can depend on an Event.
        Some("Foreground" | "Orphan") if resource.kind == "Event" => None,
        Some("Foreground") => Some(FOREGROUND),
        Some("Orphan") => Some(ORPHAN),
        Some(_) => None,
    };
    all.retain(|it| it != FOREGROUND && it != ORPHAN);
    all.extend(own.map(str::to_owned));
    all
}

/// How long a Pod on a node may take to end.
fn grace_seconds(resource: &Resource, pod: &Value, options: &Value) -> i64 {
    let is_at_work = resource.plural == super::resource::PODS
        && !text(pod, "/spec/nodeName").is_empty()
        && !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
    if !is_at_work {
        return 0;
    }
    let asked = options["gracePeriodSeconds"].as_i64();
    asked.or_else(|| pod["spec"]["terminationGracePeriodSeconds"].as_i64()).unwrap_or(30)
}

fn deleted(place: Place<'_>, object: &Value) -> Value {
    let mut details = place.resource.details(place.name);
    details["uid"] = object["metadata"]["uid"].clone();
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
