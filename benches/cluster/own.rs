//! The operator's own part of a start: a herd on an API server that answers at once.

use jiff::Timestamp;
use serde::Serialize;

use super::Try;
use super::controller::Operator;
use super::idle::at_rest;
use super::instant::Instant;
use super::lab::{Lab, load_average};
use super::load;
use super::numbers::{Spread, float, now, seconds, short, spread, until};
use super::options::Options;
use super::process::Usage;
use super::results::{Results, Table};

#[derive(Debug, Serialize)]
struct Own {
    n: usize,
    /// From the planned start to the arrival of the request.
    lag: Spread,
    cpu_seconds: f64,
    usage: Usage,
    load_average: f64,
    lags: Vec<f64>,
}

/// Measures it for every herd.
pub async fn measure(lab: &Lab, options: &Options, results: &mut Results) -> Try<()> {
    let mut table = Table::new(
        "Our own part: planned start to request received, by an API server that answers at once",
        &["due at once", "p50 ms", "p90", "p99", "max", "CPU ms a run, all it does", "peak RSS MB (own)", "load"],
    );
    for &n in &options.n {
        let own = own_part(lab, n).await?;
        results.keep("own", &own)?;
        table.row(vec![
            n.to_string(),
            short(own.lag.p50 * 1_000.0),
            short(own.lag.p90 * 1_000.0),
            short(own.lag.p99 * 1_000.0),
            short(own.lag.max * 1_000.0),
            short(own.cpu_seconds * 1_000.0 / float(n)),
            format!("{} ({})", short(own.usage.peak_rss_mb), short(own.usage.own_rss_mb)),
            short(own.load_average),
        ]);
    }
    results.table(&table)
}

async fn own_part(lab: &Lab, n: usize) -> Try<Own> {
    let ahead = 12 + i64::try_from(n / 500)?;
    let due = Timestamp::from_second((now().as_second() + ahead).div_euclid(60) * 60 + 60)?;
    let server = Instant::serve(&lab.dir, (0..n).map(|it| load::daily_schedule(it, due))).await?;
    let mut operator = Operator::start_with(lab, "own", &server.kubeconfig)?;
    at_rest(&operator, n).await?;
    if now() > due {
        return Err("the Schedules were not all looked at when they were due: the machine is too busy".into());
    }
    let usage = operator.process.usage()?;
    until(due).await;
    at_rest(&operator, 2 * n).await?;
    let used = operator.process.usage()?;
    let lags: Vec<f64> = server.jobs().into_iter().map(|at| seconds(due, at)).collect();
    operator.process.end().await?;
    Ok(Own {
        n,
        lag: spread(&lags),
        cpu_seconds: used.cpu_seconds - usage.cpu_seconds,
        usage: used,
        load_average: load_average(),
        lags,
    })
}
