//! Steady work: many Schedules, each due once a minute, minute after minute.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;

use super::Try;
use super::controller::{Limits, Operator, controller_manager};
use super::lab::{Lab, load_average};
use super::load::{self, JobEnd};
use super::numbers::{Spread, float, now, seconds, short, spread, until};
use super::observer::{Observer, Start, distinct};
use super::options::Options;
use super::process::{Process, Usage};
use super::requests::Requests;
use super::results::{Results, Table};

/// Every Schedule is due once in so many seconds.
pub const PERIOD: i64 = 60;

/// What a steady load was met with.
#[derive(Debug, Serialize)]
struct Steady {
    schedules: usize,
    minutes: u32,
    slots: usize,
    started: usize,
    lag: Spread,
    late: usize,
    requests: Requests,
    cpu_seconds: f64,
    usage: Usage,
    api_server_cpu_seconds: f64,
    load_average: f64,
}

/// Schedules that are due in turn, evenly spread over the minute.
pub struct Spreading {
    /// The first slot of the first.
    pub begin: Timestamp,
    /// How many there are.
    pub count: usize,
}

impl Spreading {
    /// Creates them, all with their first slot in the first minute after the beginning.
    pub async fn create(lab: &Lab, count: usize) -> Try<Self> {
        let ahead = 20 + i64::try_from(count / 40)?;
        let begin = Timestamp::from_second(now().as_second() + ahead)?;
        let period = usize::try_from(PERIOD)?;
        let schedules = (0..count).map(|index| {
            let offset = i64::try_from(index * period / count).unwrap_or_default();
            let first = begin + SignedDuration::from_secs(offset);
            let trigger = json!({"interval": {"every": format!("{PERIOD}s"), "startTime": first.to_string()}});
            load::schedule(&format!("steady-{index:05}"), &trigger, JobEnd::AtOnce)
        });
        load::create(lab, "schedules", schedules).await?;
        if now() > begin {
            return Err("the Schedules were not all there when the first was due: the machine is too busy".into());
        }
        Ok(Self { begin, count })
    }

    /// When a minute begins.
    pub fn minute(&self, number: u32) -> Timestamp {
        self.begin + SignedDuration::from_secs(PERIOD * i64::from(number))
    }

    /// How many slots there are in so many whole minutes.
    pub fn slots(&self, minutes: u32) -> usize {
        self.count * usize::try_from(minutes).unwrap_or(usize::MAX)
    }
}

/// The Job controller, which ends every Job at once.
pub async fn job_controller(lab: &Lab) -> Try<Process> {
    controller_manager(lab, "job-controller", Limits { qps: 2_000, burst: 4_000, syncs: 1 }).await
}

/// Measures it.
pub async fn measure(lab: &Lab, options: &Options, results: &mut Results) -> Try<()> {
    lab.clean().await?;
    let mut jobs = job_controller(lab).await?;
    let mut operator = Operator::lead(lab, "punctual").await?;
    let spreading = Spreading::create(lab, options.steady).await?;
    let observer = Observer::begin(lab).await?;
    until(spreading.minute(0)).await;
    let before = Requests::so_far(lab).await?;
    let (usage, server) = (operator.process.usage()?, lab.api_server_cpu_seconds()?);
    let end = spreading.minute(options.minutes);
    until(end).await;
    // What was due in the last second starts now.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let used = operator.process.usage()?;
    let requests = before.since(lab).await?;
    let mut starts = observer.end().await;
    starts.retain(|it| it.slot.is_some_and(|slot| slot < end));
    let lags: Vec<f64> = starts.iter().filter_map(lag).collect();
    let steady = Steady {
        schedules: spreading.count,
        minutes: options.minutes,
        slots: spreading.slots(options.minutes),
        started: distinct(&starts),
        lag: spread(&lags),
        late: late(&starts),
        requests,
        cpu_seconds: used.cpu_seconds - usage.cpu_seconds,
        usage: used,
        api_server_cpu_seconds: lab.api_server_cpu_seconds()? - server,
        load_average: load_average(),
    };
    results.keep("steady", &steady)?;
    operator.process.end().await?;
    jobs.end().await?;
    tell(&steady, results)
}

/// How long after its slot a start was seen, in seconds.
pub fn lag(start: &Start) -> Option<f64> {
    Some(seconds(start.slot?, start.seen))
}

/// Starts seen more than five seconds after their slot.
pub fn late(starts: &[Start]) -> usize {
    starts.iter().filter(|it| lag(it).is_some_and(|it| it > 5.0)).count()
}

fn tell(steady: &Steady, results: &mut Results) -> Try<()> {
    let mut table = Table::new(
        "Steady: each Schedule once a minute, evenly spread; every Job ends at once",
        &[
            "Schedules",
            "minutes",
            "slots",
            "started",
            "lag p50 s",
            "p99",
            "max",
            "over 5 s",
            "writes a run",
            "reads a run",
            "CPU of one core",
            "API server's and etcd's",
            "peak RSS MB (own)",
            "load",
        ],
    );
    let duration = f64::from(steady.minutes) * 60.0;
    let runs = float(steady.started.max(1));
    table.row(vec![
        steady.schedules.to_string(),
        steady.minutes.to_string(),
        steady.slots.to_string(),
        steady.started.to_string(),
        short(steady.lag.p50),
        short(steady.lag.p99),
        short(steady.lag.max),
        steady.late.to_string(),
        short(steady.requests.writes() / runs),
        short(steady.requests.reads() / runs),
        format!("{} %", short(steady.cpu_seconds / duration * 100.0)),
        format!("{} %", short(steady.api_server_cpu_seconds / duration * 100.0)),
        format!("{} ({})", short(steady.usage.peak_rss_mb), short(steady.usage.own_rss_mb)),
        short(steady.load_average),
    ]);
    results.table(&table)?;
    println!("requests per run: {}", steady.requests.per(steady.started));
    Ok(())
}
