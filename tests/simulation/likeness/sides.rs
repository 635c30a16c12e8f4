//! The two that are asked.

use std::time::Duration;

use http::Request;
use jiff::SignedDuration;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::{Move, NAMESPACE, NOWHERE, now};
use crate::api::{Answer, ApiServer};

/// What came back: one body, or the lines of a watch.
#[derive(Debug)]
pub struct Reply {
    pub code: u16,
    pub bodies: Vec<Value>,
}

/// A real API server, without any controllers behind it.
pub struct Real {
    client: Client,
}

impl Real {
    pub async fn begin() -> Self {
        let cluster = Cluster::shared();
        // Nothing but we may change anything: the cluster is this test's own.
        for component in ["kube-controller-manager", "kube-scheduler", "simulated-node"] {
            cluster.signal(component, "STOP");
        }
        let real = Self { client: cluster.client().await };
        let namespace = json!({"metadata": {"name": NAMESPACE}}).to_string();
        let created = Move {
            method: http::Method::POST,
            uri: "/api/v1/namespaces".to_owned(),
            content_type: "application/json",
            accept: "application/json",
            body: namespace,
        };
        assert_eq!(real.ask(&created).await.code, 201);
        real
    }

    pub async fn ask(&self, request: &Move) -> Reply {
        let answer = self.client.send(of(request).map(Body::from)).await.unwrap();
        let code = answer.status().as_u16();
        let whole = tokio::time::timeout(Duration::from_secs(60), answer.into_body().collect_bytes()).await;
        let bytes = whole.expect("an answer comes to its end").unwrap();
        Reply { code, bodies: values(&bytes) }
    }
}

/// The model, without its controllers.
pub struct Model {
    api: ApiServer,
}

impl Model {
    pub fn begin(seed: u64) -> Self {
        let mut api = ApiServer::new(now(), seed);
        api.faults().are_controllers_down = true;
        api.faults().missing.insert(NOWHERE.to_owned());
        Self { api }
    }

    pub fn ask(&mut self, request: &Move) -> Reply {
        self.api.advance_to(now());
        let id = match self.api.serve("user", &of(request)) {
            Answer::Reply(reply) => return Reply { code: reply.status().as_u16(), bodies: values(reply.body()) },
            Answer::Watch(id) => id,
        };
        let mut bodies = Vec::new();
        while let Some(lines) = self.api.poll_watch(id) {
            bodies.extend(lines.iter().flat_map(|line| values(line)));
            let later = self.api.now() + SignedDuration::from_secs(1);
            self.api.advance_to(later);
        }
        Reply { code: 200, bodies }
    }
}

fn of(request: &Move) -> Request<Vec<u8>> {
    Request::builder()
        .method(request.method.clone())
        .uri(&request.uri)
        .header(http::header::CONTENT_TYPE, request.content_type)
        .header(http::header::ACCEPT, request.accept)
        .body(request.body.clone().into_bytes())
        .unwrap()
}

fn values(bytes: &[u8]) -> Vec<Value> {
    let values = serde_json::Deserializer::from_slice(bytes).into_iter();
    values.map(|it| it.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))).collect()
}
