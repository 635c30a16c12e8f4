//! An API server for Leases in memory, for tests with a paused clock. What it does wrong, it does
//! to one client at a time.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::{Method, StatusCode};
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

/// How the API server treats one client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As it should.
    #[default]
    Normal,
    /// Requests get lost: never an answer, never an effect.
    Silent,
    /// Requests take effect, their answers get lost.
    Mute,
    /// The same, but reads are answered.
    MuteWrites,
    /// 403.
    Forbids,
    /// 503.
    Overloaded,
    /// Everything takes so long, on the way there.
    Slow(Duration),
}

#[derive(Clone)]
pub(crate) struct FakeApi {
    store: Arc<Mutex<Store>>,
}

#[derive(Default)]
struct Store {
    version: u64,
    leases: BTreeMap<String, Value>,
    history: Vec<(u64, Value)>,
    watchers: Vec<mpsc::UnboundedSender<Value>>,
    manners: BTreeMap<String, Manner>,
    no_watch: bool,
    log: Vec<Logged>,
}

/// A request that was answered, or would have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) at: Instant,
    pub(crate) client: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) status: u16,
}

impl FakeApi {
    pub(crate) fn new() -> Self {
        Self { store: Arc::default() }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client the API server knows by name.
    pub(crate) fn client(&self, name: &str) -> Client {
        let state = (self.clone(), name.to_owned());
        Client::new(Router::new().fallback(answer).with_state(state), "default")
    }

    pub(crate) fn treat(&self, client: &str, manner: Manner) {
        self.store().manners.insert(client.to_owned(), manner);
    }

    /// From now on no watch is served; those open end.
    pub(crate) fn refuse_watches(&self) {
        let mut store = self.store();
        store.no_watch = true;
        store.watchers.clear();
    }

    pub(crate) fn lease(&self, namespace: &str, name: &str) -> Option<Value> {
        self.store().leases.get(&path(namespace, name)).cloned()
    }

    /// What somebody else does to a Lease, past all guards; none deletes it.
    pub(crate) fn edit(&self, namespace: &str, name: &str, edit: impl FnOnce(&mut Value)) {
        let mut lease = self.lease(namespace, name).unwrap_or_else(|| {
            json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name, "namespace": namespace}, "spec": {}})
        });
        edit(&mut lease);
        self.store().put(&path(namespace, name), lease);
    }

    pub(crate) fn delete(&self, namespace: &str, name: &str) {
        self.store().remove(&path(namespace, name));
    }

    /// Puts an older state back, of which the Leases are the same but for their versions.
    pub(crate) fn restore(&self, version: u64) {
        let mut store = self.store();
        store.version = version;
        store.leases.values_mut().for_each(|lease| lease["metadata"]["resourceVersion"] = json!(version.to_string()));
        store.history.clear();
        store.watchers.clear();
    }

    pub(crate) fn log(&self) -> Vec<Logged> {
        self.store().log.clone()
    }

    /// Forgets what was logged so far.
    pub(crate) fn clear_log(&self) {
        self.store().log.clear();
    }
}

impl Store {
    fn put(&mut self, path: &str, mut lease: Value) -> Value {
        self.version += 1;
        lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if lease["metadata"]["uid"].is_null() {
            lease["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        }
        let kind = if self.leases.contains_key(path) { "MODIFIED" } else { "ADDED" };
        self.leases.insert(path.to_owned(), lease.clone());
        self.tell(json!({"type": kind, "object": lease}));
        lease
    }

    fn remove(&mut self, path: &str) {
        if let Some(mut lease) = self.leases.remove(path) {
            self.version += 1;
            lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.tell(json!({"type": "DELETED", "object": lease}));
        }
    }

    fn tell(&mut self, event: Value) {
        self.watchers.retain(|watcher| watcher.send(event.clone()).is_ok());
        self.history.push((self.version, event));
    }

    fn serve(&mut self, method: &Method, path: &str, body: &Value) -> Result<Value, (u16, &'static str)> {
        let current = self.leases.get(path);
        let version_of = |lease: &Value| lease["metadata"]["resourceVersion"].as_str().map(str::to_owned);
        match *method {
            Method::GET => current.cloned().ok_or((404, "NotFound")),
            Method::POST => {
                let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap_or_default());
                if self.leases.contains_key(&path) {
                    return Err((409, "AlreadyExists"));
                }
                Ok(self.put(&path, body.clone()))
            }
            Method::PUT => {
                let current = current.ok_or((404, "NotFound"))?;
                if version_of(body).is_none() {
                    return Err((422, "Invalid"));
                }
                if version_of(current) != version_of(body) {
                    return Err((409, "Conflict"));
                }
                let mut lease = body.clone();
                lease["metadata"]["uid"] = current["metadata"]["uid"].clone();
                Ok(self.put(path, lease))
            }
            Method::DELETE => {
                let current = current.ok_or((404, "NotFound"))?;
                let wanted = &body["preconditions"];
                let fits = |field: &str| wanted[field].is_null() || wanted[field] == current["metadata"][field];
                if !fits("uid") || !fits("resourceVersion") {
                    return Err((409, "Conflict"));
                }
                self.remove(path);
                Ok(json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
            }
            _ => Err((405, "MethodNotAllowed")),
        }
    }
}

fn path(namespace: &str, name: &str) -> String {
    format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}")
}

async fn answer(State((api, client)): State<(FakeApi, String)>, request: Request) -> Response {
    let manner = api.store().manners.get(&client).copied().unwrap_or_default();
    match manner {
        Manner::Silent => std::future::pending().await,
        Manner::Slow(delay) => sleep(delay).await,
        _ => {}
    }
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let result = match manner {
        Manner::Forbids => Err((403, "Forbidden")),
        Manner::Overloaded => Err((503, "ServiceUnavailable")),
        _ if query.contains("watch=true") && api.store().no_watch => Err((403, "Forbidden")),
        _ if query.contains("watch=true") => return watch(&api, &query),
        _ => api.store().serve(&parts.method, parts.uri.path(), &body),
    };
    let status = result.as_ref().map_or_else(|(code, _)| *code, |_| 200);
    let is_mute = manner == Manner::Mute || (manner == Manner::MuteWrites && parts.method != Method::GET);
    let (method, path) = (parts.method, parts.uri.path().to_owned());
    api.store().log.push(Logged { at: Instant::now(), client, method, path, status });
    if is_mute {
        std::future::pending::<()>().await;
    }
    let body = result.unwrap_or_else(|(code, reason)| {
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason})
    });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, body.to_string()).into_response()
}

fn parameter<'a>(query: &'a str, name: &str) -> &'a str {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next().unwrap_or_default()
}

/// All that happened since a version, and from then on, to the one Lease that is asked for.
fn watch(api: &FakeApi, query: &str) -> Response {
    let name = parameter(query, "fieldSelector").rsplit("%3D").next().unwrap_or_default().to_owned();
    let since: u64 = parameter(query, "resourceVersion").parse().unwrap_or(0);
    let lasts: u64 = parameter(query, "timeoutSeconds").parse().unwrap_or(290);
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut store = api.store();
    for (_, event) in store.history.iter().filter(|(version, _)| *version > since) {
        let _ = sender.send(event.clone());
    }
    store.watchers.push(sender);
    let end = Instant::now() + Duration::from_secs(lasts);
    let lines = stream::unfold((receiver, name), move |(mut receiver, name)| async move {
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            let event = timeout(rest, receiver.recv()).await.ok().flatten()?;
            if event["object"]["metadata"]["name"] == name.as_str() {
                return Some((Ok::<_, Infallible>(format!("{event}\n")), (receiver, name)));
            }
        }
    });
    Body::from_stream(lines).into_response()
}
