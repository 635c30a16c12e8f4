//! A proxy between a replica and the API server that does to requests what networks, load
//! balancers and servers in trouble do to them.
//!
//! The replica speaks plain HTTP to it, the proxy TLS to the API server. A rule looks at each
//! request, named as in `create jobs report-x7k2p`, and says what is to happen to it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use super::cluster::Cluster;

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing.
    None,
    /// It arrives so much later.
    Late(Duration),
    /// It gets no further, and its connection is closed.
    Lost,
    /// It takes effect, and the connection is closed without a reply.
    ReplyLost,
    /// It takes effect, and nothing more is heard.
    ReplyWithheld,
    /// It waits here until [`Proxy::release`], and then arrives.
    Held,
    /// It gets no further, and is answered so.
    Answered(u16, &'static str, &'static str),
    /// The reply says that it is so many seconds later.
    Dated(i64),
    /// A watch ends, as it should, after so long.
    Ended(Duration),
    /// A watch breaks off in the middle of its first line.
    Torn,
    /// A watch stays open, and nothing is heard of it.
    Silent,
    /// A watch says that something is wrong, with this code.
    Error(u16),
}

/// Says what is to happen to a request.
type Rule = Box<dyn FnMut(&str) -> Fault + Send>;
type Reply = Response<http_body_util::combinators::UnsyncBoxBody<Bytes, Broken>>;

/// Why a connection is closed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Broken(String);

/// The proxy. It ends when this is dropped.
pub struct Proxy {
    /// Where it listens, as `http://127.0.0.1:…`.
    pub server: String,
    state: Arc<State>,
    _stop: oneshot::Sender<()>,
}

struct State {
    client: Client,
    rule: Mutex<Rule>,
    struck: Mutex<Vec<String>>,
    is_holding: watch::Sender<bool>,
}

impl Proxy {
    /// Begins to listen in front of the API server of a cluster.
    pub fn before(cluster: &'static Cluster) -> Self {
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let state = Arc::new(State {
                    client: client_of_nobody(cluster).await,
                    rule: Mutex::new(Box::new(|_| Fault::None)),
                    struck: Mutex::default(),
                    is_holding: watch::Sender::new(false),
                });
                tell.send((listener.local_addr().unwrap(), state.clone())).unwrap();
                tokio::select! {
                    () = accept(listener, state) => {}
                    _ = stopped => {}
                }
            });
        });
        let (address, state) = told.recv().unwrap();
        Self { server: format!("http://{address}"), state, _stop: stop }
    }

    /// From now on this rule says what happens.
    pub fn rule(&self, rule: impl FnMut(&str) -> Fault + Send + 'static) {
        *self.state.rule.lock().unwrap() = Box::new(rule);
    }

    /// From now on nothing happens to requests.
    pub fn calm(&self) {
        self.rule(|_| Fault::None);
    }

    /// From now on what the replica sends stays here.
    pub fn hold(&self) {
        self.state.is_holding.send_replace(true);
        self.rule(|_| Fault::Held);
    }

    /// What was held back goes on its way.
    pub fn release(&self) {
        self.calm();
        self.state.is_holding.send_replace(false);
    }

    /// The requests that something was done to, in their order.
    pub fn struck(&self) -> Vec<String> {
        self.state.struck.lock().unwrap().clone()
    }
}

/// Whether a request is of a kind, such as `create jobs`; `*` stands for any word.
pub fn is(request: &str, kind: &str) -> bool {
    let mut words = request.split(' ');
    kind.split(' ').all(|wanted| words.next().is_some_and(|word| wanted == "*" || wanted == word))
}

/// A client with no credentials of its own: requests bring theirs.
async fn client_of_nobody(cluster: &Cluster) -> Client {
    let kubeconfig: Kubeconfig = serde_json::from_value(json!({
        "current-context": "it", "users": [{"name": "nobody", "user": {}}],
        "clusters": [{"name": "it", "cluster": {"server": cluster.server, "certificate-authority-data": cluster.authority}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "nobody"}}],
    }))
    .unwrap();
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    config.read_timeout = None;
    Client::try_from(config).unwrap()
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((connection, _)) = listener.accept().await {
        let state = state.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| serve(state.clone(), request));
            // How a connection ends is the replica's to judge.
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service).await);
        });
    }
}

async fn serve(state: Arc<State>, request: Request<Incoming>) -> Result<Reply, Broken> {
    let name = name_of(&request);
    let fault = (state.rule.lock().unwrap())(&name);
    if !matches!(fault, Fault::None) {
        state.struck.lock().unwrap().push(name);
    }
    match fault {
        Fault::Lost => return Err(Broken("lost".into())),
        Fault::Answered(code, kind, text) => return Ok(answer(code, kind, text)),
        Fault::Late(time) => tokio::time::sleep(time).await,
        _ => {}
    }
    let reply = pass_on(state, request, matches!(fault, Fault::Held)).await?;
    match fault {
        Fault::ReplyLost => Err(Broken("reply lost".into())),
        Fault::ReplyWithheld => std::future::pending().await,
        fault => Ok(spoil(reply, &fault)),
    }
}

/// Sends a request to the API server. Once it is here it gets there, even if the replica does not
/// wait for that.
async fn pass_on(state: Arc<State>, request: Request<Incoming>, is_held: bool) -> Result<Response<Body>, Broken> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|error| Broken(error.to_string()))?.to_bytes().to_vec();
    let sent = tokio::spawn(async move {
        if is_held {
            // The sender lives in the state, which this holds.
            let _ = state.is_holding.subscribe().wait_for(|is_holding| !is_holding).await;
        }
        state.client.send(Request::from_parts(parts, Body::from(body))).await
    });
    sent.await.unwrap().map_err(|error| Broken(error.to_string()))
}

fn answer(code: u16, kind: &str, text: &'static str) -> Reply {
    let body = http_body_util::Full::new(Bytes::from_static(text.as_bytes()));
    let mut reply = Response::builder().status(code).header(http::header::CONTENT_TYPE, kind);
    if code == 429 {
        reply = reply.header(http::header::RETRY_AFTER, "1");
    }
    reply.body(body.map_err(|never| match never {}).boxed_unsync()).unwrap()
}

fn spoil(reply: Response<Body>, fault: &Fault) -> Reply {
    let (mut parts, body) = reply.into_parts();
    if let Fault::Dated(seconds) = fault {
        set_date(&mut parts.headers, *seconds);
    }
    let data = body.into_data_stream().map_err(|error| Broken(error.to_string()));
    let data = match fault {
        Fault::Ended(time) => data.take_until(tokio::time::sleep(*time)).boxed(),
        Fault::Torn => {
            let torn = |bytes: Bytes| bytes.slice(..bytes.len() / 2);
            data.map_ok(torn).take(1).chain(stream::iter([Err(Broken("torn".into()))])).boxed()
        }
        // It stays open towards the API server as well.
        Fault::Silent => stream::pending().chain(data).boxed(),
        Fault::Error(code) => {
            let (code, reason) = (*code, if *code == 410 { "Expired" } else { "InternalError" });
            let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason, "message": "the proxy says no"});
            let event = format!("{}\n", json!({"type": "ERROR", "object": status}));
            stream::iter([Ok(Bytes::from(event))]).boxed()
        }
        _ => data.boxed(),
    };
    if !matches!(fault, Fault::None) {
        parts.headers.remove(http::header::CONTENT_LENGTH);
    }
    Response::from_parts(parts, StreamBody::new(data.map_ok(Frame::data)).boxed_unsync())
}

fn set_date(headers: &mut http::HeaderMap, seconds: i64) {
    let date = (super::now() + jiff::SignedDuration::from_secs(seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT");
    headers.insert(http::header::DATE, HeaderValue::from_str(&date.to_string()).unwrap());
}

/// What a request is about, as the audit log has it: verb, resource and name. One that is only
/// tried has the verb `try`.
fn name_of<B>(request: &Request<B>) -> String {
    let query = request.uri().query().unwrap_or_default();
    let parts: Vec<&str> = request.uri().path().trim_start_matches('/').split('/').collect();
    let after = if parts[0] == "apis" { 3 } else { 2 };
    let rest = parts.get(after..).unwrap_or_default();
    let rest = if rest.first() == Some(&"namespaces") { rest.get(2..).unwrap_or_default() } else { rest };
    let (resource, name) = match rest {
        [] => ("", ""),
        [resource] => (*resource, ""),
        [resource, name] => (*resource, *name),
        [resource, name, sub, ..] => return format!("{} {resource}/{sub} {name}", verb(request.method(), query, name)),
    };
    format!("{} {resource} {name}", verb(request.method(), query, name))
}

fn verb(method: &Method, query: &str, name: &str) -> &'static str {
    match *method {
        Method::POST if query.contains("dryRun") => "try",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ if query.contains("watch=true") => "watch",
        _ if name.is_empty() => "list",
        _ => "get",
    }
}
