use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{CONNECTION_SECONDS, CONNECTIONS, Health, Server};
use crate::telemetry::Metrics;

#[derive(Default)]
struct Told {
    is_live: AtomicBool,
    is_ready: AtomicBool,
}

impl Health for Told {
    fn live(&self) -> Result<(), String> {
        self.is_live.load(Ordering::Relaxed).then_some(()).ok_or_else(|| "the due queue stands still".into())
    }

    fn ready(&self) -> Result<(), String> {
        self.is_ready.load(Ordering::Relaxed).then_some(()).ok_or_else(|| "jobs have not synced".into())
    }
}

struct Running {
    address: SocketAddr,
    told: Arc<Told>,
    metrics: Metrics,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

async fn run() -> Running {
    let server = Server::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let address = server.local_address().expect("bound");
    let (told, metrics) = (Arc::new(Told::default()), Metrics::new());
    let (stop, stopped) = oneshot::channel::<()>();
    let served = server.serve(metrics.clone(), told.clone(), async { drop(stopped.await) });
    Running { address, told, metrics, stop, task: tokio::spawn(served) }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("valid");
    stream
}

/// The whole answer, up to the end of the connection.
async fn get(address: SocketAddr, path: &'static str) -> String {
    spawn_blocking(move || {
        let mut stream = connect(address);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the connection is closed after the answer");
        answer
    })
    .await
    .expect("no panic")
}

/// Whether the server ends this connection within the time.
fn is_ended(mut stream: &TcpStream, within: Duration) -> bool {
    stream.set_read_timeout(Some(within)).expect("valid");
    match stream.read(&mut [0; 64]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_probes_say_what_health_says_and_why() {
    let running = run().await;
    let answer = get(running.address, "/healthz").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("the due queue stands still\n"), "{answer}");
    running.told.is_live.store(true, Ordering::Relaxed);
    assert!(get(running.address, "/healthz").await.starts_with("HTTP/1.1 200 "));
    let answer = get(running.address, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("jobs have not synced\n"), "{answer}");
    running.told.is_ready.store(true, Ordering::Relaxed);
    assert!(get(running.address, "/readyz").await.starts_with("HTTP/1.1 200 "));
    assert!(get(running.address, "/else").await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_open_metrics_text_with_the_present_numbers() {
    let running = run().await;
    running.metrics.queue_depth(42);
    let answer = get(running.address, "/metrics").await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{head}");
    assert!(body.contains("\npunctual_queue_depth 42\n"), "{body}");
    assert!(body.ends_with("# EOF\n"), "{body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_is_answered_while_silent_clients_hold_every_connection() {
    let running = run().await;
    let address = running.address;
    let silent = spawn_blocking(move || (0..CONNECTIONS + 8).map(|_| connect(address)).collect::<Vec<_>>())
        .await
        .expect("no panic");
    let before = Instant::now();
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 503 "));
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
    let ended = spawn_blocking(move || {
        let oldest = is_ended(&silent[0], Duration::from_secs(1));
        (oldest, is_ended(&silent[CONNECTIONS + 7], Duration::from_millis(200)))
    });
    assert_eq!(ended.await.expect("no panic"), (true, false), "the oldest gives way, the newest stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_finishes_its_request_is_cut_off() {
    let running = run().await;
    let address = running.address;
    let ended = spawn_blocking(move || {
        let mut stream = connect(address);
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").expect("written");
        is_ended(&stream, Duration::from_secs(CONNECTION_SECONDS + 5))
    });
    assert!(ended.await.expect("no panic"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stops_when_told_although_a_client_hangs_on() {
    let running = run().await;
    let address = running.address;
    let mut stream = spawn_blocking(move || connect(address)).await.expect("no panic");
    stream.write_all(b"GET /metrics HTTP/1.1\r\n").expect("written");
    running.stop.send(()).expect("it runs");
    let ended = tokio::time::timeout(Duration::from_secs(CONNECTION_SECONDS + 5), running.task).await;
    ended.expect("in time").expect("no panic").expect("no error");
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}
