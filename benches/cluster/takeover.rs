//! Take-over: the leader ends under the steady load, and another replica goes on.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::Try;
use super::controller::Operator;
use super::lab::{Lab, load_average};
use super::numbers::{now, seconds, short, until};
use super::observer::{Observer, Start, distinct};
use super::options::Options;
use super::results::{Results, Table};
use super::steady::{Spreading, job_controller, late};

/// How the leader ends.
#[derive(Debug, Clone, Copy, Serialize)]
enum End {
    /// As in a power cut.
    Kill9,
    /// In good order.
    Sigterm,
}

/// What became of it.
#[derive(Debug, Serialize)]
struct TakeOver {
    end: End,
    /// Until a start of the new leader was seen.
    seconds: Option<f64>,
    /// How many slots started over five seconds late, of all that were due in these two minutes.
    late: usize,
    slots: usize,
    started: usize,
    /// Jobs beyond one for each slot.
    twice: usize,
    load_average: f64,
}

/// How long a leader that falls silent is waited for, as the chart sets it.
const LEASE_SECONDS: u32 = 15;

/// Measures both ways.
pub async fn measure(lab: &Lab, options: &Options, results: &mut Results) -> Try<()> {
    let mut table = Table::new(
        &format!("Take-over: the leader ends under the steady load (Lease: {LEASE_SECONDS} s)"),
        &[
            "the leader gets",
            "until the next start, s",
            "slots in two minutes",
            "started",
            "over 5 s late",
            "twice",
            "load",
        ],
    );
    for end in [End::Kill9, End::Sigterm] {
        let it = take_over(lab, options.steady, end).await?;
        results.keep("take-over", &it)?;
        table.row(vec![
            format!("{:?}", it.end),
            it.seconds.map_or_else(|| "none".into(), short),
            it.slots.to_string(),
            it.started.to_string(),
            it.late.to_string(),
            it.twice.to_string(),
            short(it.load_average),
        ]);
    }
    results.table(&table)
}

async fn take_over(lab: &Lab, count: usize, end: End) -> Try<TakeOver> {
    lab.clean().await?;
    let mut jobs = job_controller(lab).await?;
    let mut leader = Operator::lead(lab, "first").await?;
    let mut standby = Operator::start(lab, "second").await?;
    let spreading = Spreading::create(lab, count).await?;
    let observer = Observer::begin(lab).await?;
    // In the middle of the first minute, and between two slots.
    until(spreading.minute(0) + jiff::SignedDuration::from_millis(30_500)).await;
    let ended = now();
    match end {
        End::Kill9 => leader.process.kill9()?,
        End::Sigterm => leader.process.terminate()?,
    }
    let last = spreading.minute(2);
    until(last).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut starts = observer.end().await;
    starts.retain(|it| it.slot.is_some_and(|slot| slot < last));
    let started = distinct(&starts);
    let answer = TakeOver {
        end,
        seconds: next_start(&starts, ended).map(|at| seconds(ended, at)),
        late: late(&starts),
        slots: spreading.slots(2),
        started,
        twice: starts.len() - started,
        load_average: load_average(),
    };
    println!("the leader got {end:?}: {answer:?}");
    leader.process.end().await?;
    standby.process.end().await?;
    jobs.end().await?;
    Ok(answer)
}

/// The first start by another leader than the one that ended.
fn next_start(starts: &[Start], ended: Timestamp) -> Option<Timestamp> {
    let before = starts.iter().filter(|it| it.seen < ended).find_map(|it| it.term.clone());
    starts.iter().filter(|it| it.seen > ended && it.term != before).map(|it| it.seen).min()
}
