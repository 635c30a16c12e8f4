//! Idle: many Schedules, and nothing is due.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Serialize;
use tokio::time::Instant;

use super::Try;
use super::controller::Operator;
use super::lab::{Lab, load_average};
use super::load;
use super::numbers::{float, now, short};
use super::options::Options;
use super::process::Usage;
use super::requests::Requests;
use super::results::{Results, Table};

/// How long nothing is done.
const WINDOW: Duration = Duration::from_secs(120);

#[derive(Debug, Serialize)]
struct Idle {
    schedules: usize,
    /// From the start of the process until the first Schedule was looked at; on what a predecessor recorded.
    first_decision_seconds: f64,
    /// Until all of them were looked at.
    all_decided_seconds: f64,
    requests: Requests,
    /// Watches and the leader Lease left aside.
    requests_per_second: f64,
    cpu_seconds: f64,
    window_seconds: f64,
    usage: Usage,
    load_average: f64,
}

/// Measures it.
pub async fn measure(lab: &Lab, options: &Options, results: &mut Results) -> Try<()> {
    lab.clean().await?;
    let far = now() + SignedDuration::from_hours(12);
    load::create(lab, "schedules", (0..options.idle).map(|it| load::daily_schedule(it, far))).await?;
    // A first turn records every Schedule; the one that is measured finds that.
    let mut first = Operator::start(lab, "first").await?;
    at_rest(&first, options.idle).await?;
    first.process.end().await?;
    let begin = Instant::now();
    let mut operator = Operator::start(lab, "punctual").await?;
    let first_decision_seconds = looked_at(&operator, 1.0, begin).await?;
    let all_decided_seconds = looked_at(&operator, float(options.idle), begin).await?;
    at_rest(&operator, options.idle).await?;
    let (before, usage, since) = (Requests::so_far(lab).await?, operator.process.usage()?, Instant::now());
    tokio::time::sleep(WINDOW).await;
    let used = operator.process.usage()?;
    let window_seconds = since.elapsed().as_secs_f64();
    let requests = before.since(lab).await?;
    let of_leader: f64 = ["GET leases", "PUT leases"].iter().filter_map(|it| requests.0.get(*it)).sum();
    let idle = Idle {
        schedules: options.idle,
        first_decision_seconds,
        all_decided_seconds,
        requests_per_second: (requests.all() - of_leader) / window_seconds,
        requests,
        cpu_seconds: used.cpu_seconds - usage.cpu_seconds,
        window_seconds,
        usage: used,
        load_average: load_average(),
    };
    results.keep("idle", &idle)?;
    operator.process.end().await?;
    tell(&idle, results)
}

/// Waits until so many looks at Schedules have ended; answers the seconds since the beginning.
async fn looked_at(operator: &Operator, looks: f64, begin: Instant) -> Try<f64> {
    while begin.elapsed() < Duration::from_secs(600) {
        if operator.metrics().await.is_some_and(|it| it.sum("punctual_reconciles_total") >= looks) {
            return Ok(begin.elapsed().as_secs_f64());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(format!("not so many Schedules are looked at: {looks}").into())
}

/// Waits until every Schedule was looked at, and none for five seconds.
pub async fn at_rest(operator: &Operator, count: usize) -> Try<()> {
    looked_at(operator, float(count), Instant::now()).await?;
    let (mut before, mut seconds) = (0.0, 0);
    while seconds < 5 {
        let looks = operator.metrics().await.map(|it| it.sum("punctual_reconciles_total")).unwrap_or_default();
        seconds = if looks > before { 0 } else { seconds + 1 };
        before = looks;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

fn tell(idle: &Idle, results: &mut Results) -> Try<()> {
    let mut table = Table::new(
        "Idle: none due for hours",
        &[
            "Schedules",
            "RSS MB (own)",
            "peak",
            "requests a second",
            "CPU of one core",
            "first decision s",
            "all looked at s",
            "all requests",
            "load",
        ],
    );
    table.row(vec![
        idle.schedules.to_string(),
        format!("{} ({})", short(idle.usage.rss_mb), short(idle.usage.own_rss_mb)),
        short(idle.usage.peak_rss_mb),
        short(idle.requests_per_second),
        format!("{} %", short(idle.cpu_seconds / idle.window_seconds * 100.0)),
        short(idle.first_decision_seconds),
        short(idle.all_decided_seconds),
        idle.requests.per(1),
        short(idle.load_average),
    ]);
    results.table(&table)
}
