use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, Uri};
use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{CONCURRENCY, EventSink, RETRY_DELAY, Regarding, TIME_OUT, WAITING};
use crate::api::status::Outcome;
use crate::report::notices::{Notice, REASONS};
use crate::telemetry::Metrics;

const NIGHTLY: Regarding<'_> = Regarding { kind: "Schedule", namespace: "shop", name: "nightly", uid: "uid-1" };

/// An API server that takes Events, and answers as it is told: 201 unless there is something else
/// to answer first.
#[derive(Clone, Default)]
struct Fake {
    requests: Arc<Mutex<Vec<(String, Value)>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
    /// How long an answer takes.
    takes: Duration,
    under_way: Arc<AtomicUsize>,
    most_under_way: Arc<AtomicUsize>,
}

impl Fake {
    fn answering(answers: &[u16]) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.iter().copied().collect())), ..Self::default() }
    }

    fn client(&self) -> Client {
        let fake = self.clone();
        let handler = async move |uri: Uri, body: String| fake.answer(uri.to_string(), body).await;
        Client::new(Router::new().fallback(handler), "default")
    }

    async fn answer(&self, uri: String, body: String) -> (StatusCode, String) {
        let under_way = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_under_way.fetch_max(under_way, Ordering::Relaxed);
        self.requests.lock().expect("no panic").push((uri, serde_json::from_str(&body).expect("JSON")));
        sleep(self.takes).await;
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        let code = self.answers.lock().expect("no panic").pop_front().unwrap_or(201);
        let reason = if code == 409 { "AlreadyExists" } else { "Something" };
        let refusal = json!({"kind": "Status", "status": "Failure", "message": "no", "reason": reason, "code": code});
        (StatusCode::from_u16(code).expect("a code"), if code == 201 { body } else { refusal.to_string() })
    }

    fn requests(&self) -> Vec<(String, Value)> {
        self.requests.lock().expect("no panic").clone()
    }
}

struct Setup {
    sink: EventSink,
    task: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>,
    metrics: Metrics,
    leads: Arc<AtomicBool>,
}

fn setup(fake: &Fake) -> Setup {
    let (metrics, leads) = (Metrics::new(), Arc::new(AtomicBool::new(true)));
    let asked = Arc::clone(&leads);
    let (sink, task) =
        EventSink::new(fake.client(), "punctual-0", metrics.clone(), move || asked.load(Ordering::Relaxed));
    Setup { sink, task: Box::pin(task), metrics, leads }
}

impl Setup {
    /// Writes what waits, to the end.
    async fn finish(self) -> Metrics {
        drop(self.sink);
        self.task.await;
        self.metrics
    }
}

fn dropped(metrics: &Metrics) -> u64 {
    let text = metrics.encode().expect("text");
    let line = text.lines().find_map(|it| it.strip_prefix("punctual_events_dropped_total ")).expect("there");
    line.parse().expect("a number")
}

fn notice(note: &str) -> Notice {
    Notice { is_warning: false, reason: "Started".into(), note: note.into(), job_name: None }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

#[tokio::test(start_paused = true)]
async fn an_event_says_who_what_about_whom_and_when() {
    let fake = Fake::default();
    let setup = setup(&fake);
    let told = Notice {
        is_warning: true,
        reason: "Failed".into(),
        note: "Job nightly-1 of slot 1970-01-01T00:01:00Z ended, exit code 1".into(),
        job_name: Some("nightly-1".into()),
    };
    setup.sink.send(NIGHTLY, &told, at(90));
    assert_eq!(dropped(&setup.finish().await), 0);

    let requests = fake.requests();
    assert_eq!(requests.len(), 1);
    let (uri, event) = &requests[0];
    assert!(uri.starts_with("/apis/events.k8s.io/v1/namespaces/shop/events?"), "{uri}");
    let name = event["metadata"]["name"].as_str().expect("a name");
    let hex = name.strip_prefix("nightly.").expect("begins with the Schedule's name");
    assert!(hex.len() == 16 && hex.chars().all(|it| it.is_ascii_hexdigit()), "{name}");
    let mut rest = event.clone();
    rest["metadata"]["name"] = Value::Null;
    let expected = json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": null, "namespace": "shop"},
        "type": "Warning",
        "reason": "Failed",
        "note": "Job nightly-1 of slot 1970-01-01T00:01:00Z ended, exit code 1",
        "action": "Schedule",
        "eventTime": "1970-01-01T00:01:30.000000Z",
        "regarding": {
            "apiVersion": "punctual.dev/v1alpha1", "kind": "Schedule", "namespace": "shop", "name": "nightly", "uid": "uid-1",
        },
        "related": {"apiVersion": "batch/v1", "kind": "Job", "namespace": "shop", "name": "nightly-1"},
        "reportingController": "punctual.dev/operator",
        "reportingInstance": "punctual-0",
    });
    assert_eq!(rest, expected);
}

#[tokio::test(start_paused = true)]
async fn texts_that_are_too_long_are_cut_at_a_character() {
    let fake = Fake::default();
    let setup = setup(&fake);
    let told = Notice { reason: "R".repeat(200), ..notice(&format!("x{}", "ä".repeat(2_000))) };
    setup.sink.send(NIGHTLY, &told, at(0));
    setup.finish().await;
    let (_, event) = fake.requests().remove(0);
    assert_eq!(event["note"].as_str().map(str::len), Some(1_023));
    assert_eq!(event["reason"].as_str().map(str::len), Some(128));
    assert_eq!(event["type"], "Normal");
    assert!(event.get("related").is_none());
}

#[tokio::test(start_paused = true)]
async fn an_equal_event_is_told_again_after_five_minutes_only() {
    let fake = Fake::default();
    let setup = setup(&fake);
    for second in [0, 10, 299, 300] {
        setup.sink.send(NIGHTLY, &notice("same"), at(second));
    }
    setup.sink.send(NIGHTLY, &notice("other"), at(10));
    setup.sink.send(Regarding { kind: "Schedule", uid: "uid-2", ..NIGHTLY }, &notice("same"), at(10));
    let metrics = setup.finish().await;
    let requests = fake.requests();
    assert_eq!(requests.len(), 4);
    let names: BTreeSet<String> = requests.iter().map(|it| it.1["metadata"]["name"].to_string()).collect();
    assert_eq!(names.len(), 4, "every name is unique");
    assert_eq!(dropped(&metrics), 0, "a repeat is not a loss");
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_is_dropped_at_once_counted_and_may_be_told_later() {
    let fake = Fake::default();
    let mut setup = setup(&fake);
    for number in 0..WAITING + 5 {
        setup.sink.send(NIGHTLY, &notice(&number.to_string()), at(0));
    }
    assert_eq!(dropped(&setup.metrics), 5);
    tokio::select! {
        () = &mut setup.task => unreachable!("the sink is still there"),
        () = sleep(Duration::from_secs(1)) => {}
    }
    assert_eq!(fake.requests().len(), WAITING);
    setup.sink.send(NIGHTLY, &notice(&(WAITING + 4).to_string()), at(1));
    assert_eq!(dropped(&setup.finish().await), 5);
    assert_eq!(fake.requests().len(), WAITING + 1);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_lead_tells_nothing() {
    let fake = Fake::default();
    let setup = setup(&fake);
    setup.leads.store(false, Ordering::Relaxed);
    setup.sink.send(NIGHTLY, &notice("never led"), at(0));
    setup.leads.store(true, Ordering::Relaxed);
    setup.sink.send(NIGHTLY, &notice("lost the lead while it waited"), at(0));
    setup.leads.store(false, Ordering::Relaxed);
    assert_eq!(dropped(&setup.finish().await), 2);
    assert_eq!(fake.requests(), []);
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_asked_once_more_with_the_same_event() {
    for code in [429, 500, 503] {
        let fake = Fake::answering(&[code]);
        let setup = setup(&fake);
        setup.sink.send(NIGHTLY, &notice("busy"), at(0));
        let before = Instant::now();
        assert_eq!(dropped(&setup.finish().await), 0, "{code}");
        let requests = fake.requests();
        assert_eq!(requests.len(), 2, "{code}");
        assert_eq!(requests[0], requests[1]);
        assert_eq!(before.elapsed().as_secs(), RETRY_DELAY.as_secs());
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_not_asked_a_third_time() {
    let fake = Fake::answering(&[503, 503]);
    let setup = setup(&fake);
    setup.sink.send(NIGHTLY, &notice("busy"), at(0));
    assert_eq!(dropped(&setup.finish().await), 1);
    assert_eq!(fake.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_counted_and_not_tried_again() {
    for code in [403, 404, 422] {
        let fake = Fake::answering(&[code]);
        let setup = setup(&fake);
        setup.sink.send(NIGHTLY, &notice("refused"), at(0));
        assert_eq!(dropped(&setup.finish().await), 1, "{code}");
        assert_eq!(fake.requests().len(), 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_turns_out_to_be_there_is_not_lost() {
    let fake = Fake::answering(&[504, 409]);
    let setup = setup(&fake);
    setup.sink.send(NIGHTLY, &notice("written by the request that timed out"), at(0));
    assert_eq!(dropped(&setup.finish().await), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_costs_ten_seconds_and_the_event() {
    let fake = Fake { takes: Duration::from_secs(3_600), ..Fake::default() };
    let setup = setup(&fake);
    setup.sink.send(NIGHTLY, &notice("silence"), at(0));
    let before = Instant::now();
    let metrics = setup.finish().await;
    assert_eq!(before.elapsed().as_secs(), TIME_OUT.as_secs());
    assert_eq!(dropped(&metrics), 1);
    let text = metrics.encode().expect("text");
    assert!(
        text.contains("punctual_api_requests_total{verb=\"create\",resource=\"events\",code=\"none\"} 1"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn few_requests_are_under_way_at_a_time() {
    let fake = Fake { takes: Duration::from_millis(50), ..Fake::default() };
    let setup = setup(&fake);
    for number in 0..20 {
        setup.sink.send(NIGHTLY, &notice(&number.to_string()), at(0));
    }
    setup.finish().await;
    assert_eq!(fake.requests().len(), 20);
    assert_eq!(fake.most_under_way.load(Ordering::Relaxed), CONCURRENCY);
}

#[test]
fn every_reason_is_documented_and_nothing_else() {
    let text = include_str!("../../../docs/events.md");
    let reason = |line: &str| line.strip_prefix("| `").and_then(|it| it.split_once('`')).map(|it| it.0.to_owned());
    let rows: Vec<String> = text.lines().filter_map(reason).collect();
    let documented: BTreeSet<&str> = rows.iter().map(String::as_str).collect();
    assert_eq!(documented.len(), rows.len(), "a reason has one line");
    let told: BTreeSet<&str> = Outcome::ALL.iter().map(Outcome::as_str).chain(REASONS.iter().copied()).collect();
    assert_eq!(documented, told);
    let (outcomes, _) = text.split_once("## Other reasons").expect("two tables");
    let outcomes: BTreeSet<String> = outcomes.lines().filter_map(reason).collect();
    assert_eq!(outcomes, Outcome::ALL.iter().map(ToString::to_string).collect());
}
