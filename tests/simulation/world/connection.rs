//! A replica's end of the network: the client the operator gets. What it sends lies in an outbox
//! until the driver takes it away, and what comes back is handed to whoever waits for it.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use futures::channel::mpsc;
use futures::{Stream, StreamExt, stream};
use http::{Request, Response};
use kube::Client;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

/// As the operator configures its client.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// What comes back for a request.
pub enum Answered {
    /// A whole reply.
    Reply(Response<Vec<u8>>),
    /// The lines of a watch, as they come, until it ends or breaks.
    Watch(mpsc::UnboundedReceiver<io::Result<Bytes>>),
    /// The connection broke.
    Broken,
}

/// A request on its way.
pub struct Sent {
    pub request: Request<Vec<u8>>,
    pub answer: oneshot::Sender<Answered>,
}

/// What a replica has sent since the driver last looked.
#[derive(Clone, Default)]
pub struct Outbox {
    sent: Arc<Mutex<Vec<Sent>>>,
    some: Arc<Notify>,
}

impl Outbox {
    pub fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut *self.sent.lock().unwrap())
    }

    pub fn is_empty(&self) -> bool {
        self.sent.lock().unwrap().is_empty()
    }

    /// Completes when something lies in it.
    pub async fn filled(&self) {
        while self.is_empty() {
            self.some.notified().await;
        }
    }

    /// A client that sends into this. To be made inside the replica's runtime.
    pub fn client(&self) -> Client {
        let outbox = self.clone();
        Client::new(tower::service_fn(move |request| outbox.clone().exchange(request)), "default")
    }

    async fn exchange(self, request: Request<kube::client::Body>) -> io::Result<Response<Body>> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(Body::new(body), usize::MAX).await.map_err(io::Error::other)?;
        let (answer, answered) = oneshot::channel();
        self.sent.lock().unwrap().push(Sent { request: Request::from_parts(parts, body.to_vec()), answer });
        self.some.notify_one();
        match timeout(READ_TIMEOUT, answered).await {
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
            Ok(Ok(Answered::Reply(reply))) => Ok(reply.map(Body::from)),
            Ok(Ok(Answered::Watch(lines))) => Ok(Response::new(Body::from_stream(within_time(lines)))),
            Ok(Ok(Answered::Broken) | Err(_)) => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
}

/// A stream that breaks when nothing comes for too long.
fn within_time(lines: mpsc::UnboundedReceiver<io::Result<Bytes>>) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(Some(lines), async |lines| {
        let mut lines = lines?;
        match timeout(READ_TIMEOUT, lines.next()).await {
            Err(_) => Some((Err(io::ErrorKind::TimedOut.into()), None)),
            Ok(None) => None,
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Ok(Some(Ok(line))) => Some((Ok(line), Some(lines))),
        }
    })
}
