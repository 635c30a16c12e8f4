//! A model of the API server and of the controllers behind it.
//!
//! It is plain code without a clock of its own: whoever drives it says what time it is, and what is
//! random in it follows from a seed. `likeness` checks it against a real API server.

mod controllers;
mod faults;
mod garbage;
mod job_controller;
mod kubelet;
mod list;
mod object;
mod patch;
mod refusal;
mod request;
mod resource;
mod rules;
mod schema;
mod selector;
mod store;
mod tests;
mod watch;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

pub use faults::ServerFaults;
pub use watch::WatchId;

use crate::history::Asked;
use controllers::Tasks;
use refusal::Refusal;
use request::{Question, Verb};
use resource::Resource;
use store::Store;
use watch::Watch;
use write::{Done, Place, Wish};

/// Objects, their history, and what happens to them by itself.
#[derive(Debug)]
pub struct ApiServer {
    now: Timestamp,
    random: StdRng,
    store: Store,
    watches: BTreeMap<u64, Watch>,
    last_watch: u64,
    faults: ServerFaults,
    tasks: Tasks,
}

/// The bytes that a request may have at most.
const LARGEST_BODY: usize = 3 * 1024 * 1024;

/// What a client gets for a request.
#[derive(Debug)]
pub enum Answer {
    /// All of it at once.
    Reply(http::Response<Vec<u8>>),
    /// Code 200, and then lines for as long as [`ApiServer::poll_watch`] gives some.
    Watch(WatchId),
}

impl ApiServer {
    /// An empty one.
    pub fn new(now: Timestamp, seed: u64) -> Self {
        Self {
            now,
            random: StdRng::seed_from_u64(seed),
            store: Store::new(),
            watches: BTreeMap::new(),
            last_watch: 0,
            faults: ServerFaults::default(),
            tasks: Tasks::default(),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Serves one request of a client, and notes it in the history.
    pub fn serve(&mut self, client: &str, request: &http::Request<Vec<u8>>) -> Answer {
        let question = Question::of(request);
        let is_version = request.method() == http::Method::GET && request.uri().path() == "/version";
        let outcome = match &question {
            _ if is_version => Ok(Done::of(json!({"major": "1", "minor": "35", "gitVersion": "v1.35.4"}))),
            Ok(question) if question.body.len() > LARGEST_BODY => Err(Refusal::new(
                413,
                "RequestEntityTooLarge",
                format!("Request entity too large: limit is {LARGEST_BODY}"),
            )),
            Ok(question) => match self.permit(client, question) {
                Ok(()) if question.verb == Verb::Watch => match self.watch(question) {
                    Ok(id) => {
                        self.note(client, request, 200, None);
                        return Answer::Watch(id);
                    }
                    Err(refusal) => Err(refusal),
                },
                Ok(()) => self.answer(client, question),
                Err(refusal) => Err(refusal),
            },
            Err(refusal) => Err(refusal.clone()),
        };
        let (code, made, body) = match outcome {
            Ok(done) => (done.code, done.made, done.body),
            Err(refusal) => (refusal.code, None, refusal.body),
        };
        self.note(client, request, code, made);
        self.notice();
        Answer::Reply(self.reply(code, &body))
    }

    fn answer(&mut self, client: &str, question: &Question) -> Result<Done, Refusal> {
        let wish = Wish {
            by: client,
            is_dry_run: question.is_dry_run(),
            is_strict: question.parameter("fieldValidation") == Some("Strict"),
            is_status: question.is_status,
            is_patch: question.verb == Verb::Patch,
        };
        let place = Place { resource: question.resource, namespace: question.place(), name: &question.name };
        match question.verb {
            Verb::Get => self.get(question),
            Verb::List | Verb::Watch => self.list(question),
            Verb::Create => self.create(wish, place, question.json()?),
            Verb::Update => self.update(wish, place, question.json()?),
            Verb::Patch => {
                let found = self.store.get(place.resource, place.namespace, place.name).cloned();
                let existing = found.ok_or_else(|| Refusal::not_found(place.resource, place.name))?;
                self.update(wish, place, patch::apply(question, &existing)?)
            }
            Verb::Delete => {
                let options = question.delete_options()?;
                let is_dry_run = options["dryRun"] == json!(["All"]);
                self.delete(Wish { is_dry_run, ..wish }, place, &options)
            }
        }
    }

    fn note(&mut self, client: &str, request: &http::Request<Vec<u8>>, code: u16, made: Option<u64>) {
        let (at, by) = (self.now, client.to_owned());
        let (method, uri) = (request.method().to_string(), request.uri().to_string());
        self.store.history.requests.push(Asked { at, by, method, uri, code, made });
    }

    fn reply(&self, code: u16, body: &Value) -> http::Response<Vec<u8>> {
        http::Response::builder()
            .status(code)
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::DATE, self.date())
            .body(body.to_string().into_bytes())
            .unwrap()
    }

    /// The time as a `Date` header gives it.
    pub fn date(&self) -> String {
        DateTimePrinter::new().timestamp_to_rfc9110_string(&self.second()).unwrap()
    }

    /// One object.
    pub fn object(&self, resource: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.store.get(Resource::named(resource), namespace, name).map(Arc::as_ref)
    }

    /// All objects of a resource.
    pub fn objects(&self, resource: &str) -> impl Iterator<Item = &Value> {
        self.store.all(resource).map(|(_, object)| object.as_ref())
    }

    /// The version of the last change.
    pub fn version(&self) -> u64 {
        self.store.version()
    }

    /// The time as objects tell it: in whole seconds.
    fn second(&self) -> Timestamp {
        Timestamp::from_second(self.now.as_second()).unwrap()
    }

    fn uid(&mut self) -> String {
        let number: u128 = self.random.random();
        let hex = format!("{number:032x}");
        format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }

    fn letters(&mut self, count: usize) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        (0..count).map(|_| char::from(LETTERS[self.random.random_range(0..LETTERS.len())])).collect()
    }
}
