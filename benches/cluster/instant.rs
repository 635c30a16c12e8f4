//! An API server that takes everything and answers at once: what is measured with it is the
//! operator alone. Over loopback, without TLS.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use futures::stream;
use http::{Method, StatusCode, Uri};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Try;
use super::lab::NAMESPACE;
use super::numbers::now;

const SCHEDULES: &str = "/apis/punctual.dev/v1alpha1/";
const JOBS: &str = "/apis/batch/v1/";

/// It serves until it is dropped.
pub struct Instant {
    /// How the operator reaches it.
    pub kubeconfig: PathBuf,
    memory: Arc<Mutex<Memory>>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Memory {
    version: u64,
    /// By path.
    objects: HashMap<String, Value>,
    schedules: BTreeMap<String, Value>,
    /// When each Job was asked for.
    jobs: Vec<Timestamp>,
}

impl Instant {
    /// Serves these Schedules.
    pub async fn serve(dir: &Path, schedules: impl Iterator<Item = Value>) -> Try<Self> {
        let mut memory = Memory::default();
        for mut schedule in schedules {
            let name = schedule["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            schedule["metadata"]["namespace"] = json!(NAMESPACE);
            schedule["metadata"]["generation"] = json!(1);
            memory.stamp(&mut schedule);
            memory.schedules.insert(name, schedule);
        }
        let memory = Arc::new(Mutex::new(memory));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": format!("http://{}", listener.local_addr()?)}}],
            "users": [{"name": "it", "user": {}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        });
        let kubeconfig = dir.join("instant.kubeconfig");
        std::fs::write(&kubeconfig, config.to_string())?;
        let router = Router::new().fallback(answer).with_state(memory.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("bench: the instant API server ended: {error}");
            }
        });
        Ok(Self { kubeconfig, memory, _serving: serving })
    }

    /// When each Job was asked for.
    pub fn jobs(&self) -> Vec<Timestamp> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).jobs.clone()
    }
}

async fn answer(State(memory): State<Arc<Mutex<Memory>>>, method: Method, uri: Uri, body: Bytes) -> Response {
    let at = now();
    if uri.query().is_some_and(|it| it.split('&').any(|it| it == "watch=true")) {
        // Nobody else changes anything: there is never anything to tell.
        return Response::new(Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()));
    }
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, answer) = memory.answer(&method, &uri, body, at);
    let mut response = Response::new(Body::from(answer.to_string()));
    *response.status_mut() = status;
    response
}

impl Memory {
    fn answer(&mut self, method: &Method, uri: &Uri, body: Value, at: Timestamp) -> (StatusCode, Value) {
        let (path, query) = (uri.path(), uri.query().unwrap_or_default());
        let name = path.rsplit('/').find(|it| *it != "status").unwrap_or_default();
        match *method {
            Method::POST => {
                if path.starts_with(JOBS) && !query.contains("dryRun") {
                    self.jobs.push(at);
                }
                let name = body["metadata"]["name"].as_str().unwrap_or_default();
                (StatusCode::CREATED, self.keep(format!("{path}/{name}"), body))
            }
            Method::PUT => (StatusCode::OK, self.keep(path.to_owned(), body)),
            Method::PATCH if path.starts_with(SCHEDULES) => {
                let Some(mut schedule) = self.schedules.get(name).cloned() else { return missing() };
                schedule["status"] = body[1]["value"].clone();
                self.stamp(&mut schedule);
                self.schedules.insert(name.to_owned(), schedule.clone());
                (StatusCode::OK, schedule)
            }
            Method::GET if path.ends_with("/schedules") => {
                (StatusCode::OK, self.list(self.schedules.values().cloned().collect()))
            }
            Method::GET if path.ends_with("/jobs") || path.ends_with("/scheduleruns") => {
                (StatusCode::OK, self.list(Vec::new()))
            }
            Method::GET if path.starts_with(SCHEDULES) => {
                self.schedules.get(name).cloned().map_or_else(missing, |it| (StatusCode::OK, it))
            }
            _ => self.objects.get(path).cloned().map_or_else(missing, |it| (StatusCode::OK, it)),
        }
    }

    fn keep(&mut self, path: String, mut object: Value) -> Value {
        self.stamp(&mut object);
        // Of what is only written, nothing has to be kept.
        if path.contains("/leases/") {
            self.objects.insert(path, object.clone());
        }
        object
    }

    fn stamp(&mut self, object: &mut Value) {
        self.version += 1;
        let metadata = &mut object["metadata"];
        if metadata["uid"].is_null() {
            metadata["uid"] = json!(format!("00000000-0000-4000-8000-{:012}", self.version));
            metadata["creationTimestamp"] = json!(now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        }
        metadata["resourceVersion"] = json!(self.version.to_string());
    }

    fn list(&self, items: Vec<Value>) -> Value {
        json!({"metadata": {"resourceVersion": self.version.to_string()}, "items": items})
    }
}

fn missing() -> (StatusCode, Value) {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not found"});
    (StatusCode::NOT_FOUND, status)
}
