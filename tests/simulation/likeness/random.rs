//! Requests at random: by what was answered so far, so that many of them find something there.

use std::collections::HashMap;

use http::Method;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::bodies::{KINDS, Kind};
use super::{Game, Move, NAMESPACE, NOWHERE};

const NAMES: [&str; 3] = ["a", "b", "c"];
const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const STEPS: &str = "application/json-patch+json";
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1, application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1beta1, application/json";

/// Asks, and remembers what was answered.
pub struct Player {
    random: StdRng,
    /// Objects as they were answered, with what stands for versions and UIDs, oldest first.
    seen: HashMap<(&'static str, &'static str), Vec<Value>>,
    /// The first version of each resource that was seen.
    first: HashMap<&'static str, String>,
}

impl Player {
    pub fn new(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), seen: HashMap::new(), first: HashMap::new() }
    }

    /// One request, or a list with all its pages.
    pub async fn turn(&mut self, game: &mut Game) {
        let kind = &KINDS[self.random.random_range(0..KINDS.len())];
        let name = NAMES[self.random.random_range(0..NAMES.len())];
        let request = match self.random.random_range(0..100) {
            0..22 => self.create(kind, name),
            22..30 => plain(Method::GET, kind.path(name), &Value::Null),
            30..40 => return self.list(game, kind).await,
            40..55 if kind.is_ours => self.write_status(kind, name),
            40..65 => self.merge(kind, name),
            65..72 => self.steps(kind, name),
            72..86 => self.replace(kind, name),
            86..98 => self.delete(kind, name),
            _ => match self.first.get(kind.plural) {
                Some(version) if self.random.random_bool(0.5) => watch(kind, version),
                // From what there is now.
                _ => watch(kind, "0"),
            },
        };
        self.play(game, kind, name, &request).await;
    }

    /// Everything that happened, as watches tell it afterwards.
    pub async fn look_back(&mut self, game: &mut Game) {
        for kind in &KINDS {
            if let Some(version) = self.first.get(kind.plural) {
                game.ask(&watch(kind, version)).await;
            }
        }
    }

    async fn play(&mut self, game: &mut Game, kind: &'static Kind, name: &'static str, request: &Move) {
        let (real, model) = game.ask(request).await;
        let is_object =
            real.code < 300 && model.code < 300 && real.bodies.first().is_some_and(|it| it["kind"] == kind.kind);
        if !is_object
            || request.uri.contains("dryRun")
            || request.body.contains("dryRun")
            || request.uri.contains("watch")
        {
            return;
        }
        let mut object = real.bodies[0].clone();
        object["metadata"].as_object_mut().unwrap().remove("managedFields");
        game.pairs.stand_in(&mut object);
        let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        self.first.entry(kind.plural).or_insert(version);
        self.seen.entry((kind.plural, name)).or_default().push(object);
    }

    fn chance(&mut self, of: u32) -> bool {
        self.random.random_ratio(1, of)
    }

    /// The object as it was last seen, or now and then before.
    fn known(&mut self, kind: &Kind, name: &str) -> Option<Value> {
        let is_stale = self.chance(4);
        let seen = self.seen.get(&(kind.plural, name))?;
        let back = if is_stale { self.random.random_range(0..seen.len()) } else { 0 };
        seen.get(seen.len() - 1 - back).cloned()
    }

    fn create(&mut self, kind: &Kind, name: &str) -> Move {
        let mut object = kind.object(&mut self.random, name);
        let mut uri = kind.collection(NAMESPACE);
        match self.random.random_range(0..30) {
            0 => object["metadata"]["namespace"] = json!("elsewhere"),
            1 => drop(object["metadata"].as_object_mut().unwrap().remove("name")),
            2 => object["metadata"]["resourceVersion"] = json!("5"),
            3 if !kind.is_ours => object["kind"] = json!("Pod"),
            4 => object["apiVersion"] = json!("v9"),
            5 => uri = kind.collection(NOWHERE),
            6 if kind.kind == "Job" => {
                drop(object["spec"]["template"]["spec"]["containers"][0].as_object_mut().unwrap().remove("image"))
            }
            6 if kind.kind == "Lease" => object["spec"]["leaseDurationSeconds"] = json!(0),
            7 if kind.kind == "Job" => {
                drop(object["spec"]["template"]["spec"].as_object_mut().unwrap().remove("restartPolicy"))
            }
            8 if kind.kind == "Job" => {
                object["spec"]["template"]["spec"]["unheard"] = json!(1);
                uri += "?dryRun=All&fieldValidation=Strict";
            }
            9..13 => uri += "?dryRun=All",
            13 => object["status"] = json!({"activeRuns": 9}),
            14 => object["spec"]["unheard"] = json!("of"),
            15 => object["metadata"]["generation"] = json!(7),
            _ => {}
        }
        plain(Method::POST, uri, &object)
    }

    /// As the operator writes a status: guarded by a version.
    fn write_status(&mut self, kind: &Kind, name: &str) -> Move {
        let version = self.known(kind, name).map_or(json!("1"), |it| it["metadata"]["resourceVersion"].clone());
        let patch = json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/status", "value": kind.status(&mut self.random)},
        ]);
        let uri = format!("{}/status?fieldManager=punctual", kind.path(name));
        Move { content_type: STEPS, ..plain(Method::PATCH, uri, &patch) }
    }

    fn merge(&mut self, kind: &Kind, name: &str) -> Move {
        let mut patch = match self.random.random_range(0..8) {
            0 => json!({"metadata": {"labels": {"tier": null, "flag": "x"}}}),
            1 => json!({"metadata": {"annotations": {"punctual.dev/stopped": "Replaced"}}}),
            2 => json!({"metadata": {"finalizers": null}}),
            3 if kind.kind != "Job" => json!({"metadata": {"labels": null}}),
            4 => json!({}),
            _ => kind.change(&mut self.random),
        };
        let known = self.known(kind, name).unwrap_or_else(|| json!({"metadata": {"uid": "u", "resourceVersion": "1"}}));
        match self.random.random_range(0..6) {
            0 => patch["metadata"]["uid"] = json!("00000000-0000-4000-8000-000000000000"),
            1..3 => patch["metadata"]["uid"] = known["metadata"]["uid"].clone(),
            3 => patch["metadata"]["resourceVersion"] = known["metadata"]["resourceVersion"].clone(),
            _ => {}
        }
        let mut uri = kind.path(name);
        if kind.is_ours && self.chance(5) {
            // What is said of the rest counts for nothing, but for who said it last.
            uri += "/status";
            patch = json!({"metadata": {"uid": patch["metadata"]["uid"]}, "status": kind.status(&mut self.random)});
        }
        Move { content_type: MERGE, ..plain(Method::PATCH, uri, &patch) }
    }

    fn steps(&mut self, kind: &Kind, name: &str) -> Move {
        let steps = match self.random.random_range(0..5) {
            0 => json!([{"op": "test", "path": "/metadata/name", "value": "somebody"}]),
            1 => {
                json!([{"op": "test", "path": "/metadata/name", "value": name}, {"op": "add", "path": "/metadata/labels", "value": {"by": "steps"}}])
            }
            2 => json!([{"op": "replace", "path": "/metadata/nothing/there", "value": 1}]),
            3 if kind.kind != "Job" => json!([{"op": "remove", "path": "/metadata/labels"}]),
            _ => json!([{"op": "replace", "path": "/metadata/resourceVersion", "value": "1"}]),
        };
        Move { content_type: STEPS, ..plain(Method::PATCH, kind.path(name), &steps) }
    }

    fn replace(&mut self, kind: &Kind, name: &str) -> Move {
        let Some(mut object) = self.known(kind, name) else {
            let object = kind.object(&mut self.random, name);
            return plain(Method::PUT, kind.path(name), &object);
        };
        match self.random.random_range(0..10) {
            0 => drop(object["metadata"].as_object_mut().unwrap().remove("resourceVersion")),
            // One that is being deleted would be so again if this made it anew.
            1 if object["metadata"]["deletionTimestamp"].is_null() => {
                object["metadata"].as_object_mut().unwrap().remove("uid");
            }
            2 => object["metadata"]["uid"] = json!("00000000-0000-4000-8000-000000000000"),
            3 => object["metadata"]["name"] = json!("other"),
            4 => object["metadata"]["generation"] = json!(99),
            5..8 => json_patch::merge(&mut object, &kind.change(&mut self.random)),
            8 if kind.is_ours => {
                object["status"] = kind.status(&mut self.random);
                return plain(Method::PUT, format!("{}/status", kind.path(name)), &object);
            }
            _ => {}
        }
        plain(Method::PUT, kind.path(name), &object)
    }

    fn delete(&mut self, kind: &Kind, name: &str) -> Move {
        let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions"});
        let known = self.known(kind, name);
        // Who takes a finalizer for dependents back, and gives a version or wants to be told only, gets
        // odd answers from a real server.
        let last = self.seen.get(&(kind.plural, name)).and_then(|it| it.last());
        let is_free = last.is_some_and(|it| it["metadata"]["finalizers"].is_null());
        match self.random.random_range(0..8) {
            0 => options["preconditions"] = json!({"uid": "00000000-0000-4000-8000-000000000000"}),
            1 => options["preconditions"] = json!({"resourceVersion": "1"}),
            2..5 if known.is_some() => options["preconditions"] = json!({"uid": known.unwrap()["metadata"]["uid"]}),
            5 if is_free => {
                options["preconditions"] = json!({"resourceVersion": known.unwrap()["metadata"]["resourceVersion"]})
            }
            _ => {}
        }
        match self.random.random_range(0..6) {
            0 => options["propagationPolicy"] = json!("Foreground"),
            1 => options["propagationPolicy"] = json!("Orphan"),
            2..5 => options["propagationPolicy"] = json!("Background"),
            _ => {}
        }
        if is_free && self.chance(10) {
            options["dryRun"] = json!(["All"]);
        }
        // The options override what the query says.
        let query = ["", "", "", "?dryRun=All", "?propagationPolicy=Foreground"][self.random.random_range(0..5)];
        let body = if self.chance(8) { &Value::Null } else { &options };
        plain(Method::DELETE, format!("{}{query}", kind.path(name)), body)
    }

    async fn list(&mut self, game: &mut Game, kind: &'static Kind) {
        let selector = ["", "&labelSelector=tier%3Done", "&labelSelector=tier", "&fieldSelector=metadata.name%3Da"];
        let selector = selector[self.random.random_range(0..selector.len())];
        let limit = self.random.random_range(0..3);
        let accept = if self.chance(3) { METADATA_LIST } else { JSON };
        let first = format!("{}?limit={limit}{selector}", kind.collection(NAMESPACE));
        let mut request = Move { accept, ..plain(Method::GET, first.clone(), &Value::Null) };
        loop {
            let (real, model) = game.ask(&request).await;
            let token = |body: &Value| body["metadata"]["continue"].as_str().filter(|it| !it.is_empty()).map(encoded);
            let (Some(real), Some(model)) = (token(&real.bodies[0]), token(&model.bodies[0])) else { return };
            let Some(number) = game.pairs.meet(&real, &model) else { return };
            request.uri = format!("{first}&continue=@{number}@");
        }
    }
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn watch(kind: &Kind, version: &str) -> Move {
    let uri = format!("{}?watch=true&timeoutSeconds=1&resourceVersion={version}", kind.collection(NAMESPACE));
    plain(Method::GET, uri, &Value::Null)
}

fn plain(method: Method, uri: String, body: &Value) -> Move {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Move { method, uri, content_type: JSON, accept: JSON, body }
}
