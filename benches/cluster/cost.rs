//! What one run costs, by how much there is beside it: Schedules that are not due, and Jobs that
//! are over.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use super::Try;
use super::controller::{Limits, Operator, controller_manager};
use super::lab::{Lab, load_average};
use super::load::{self, JobEnd};
use super::numbers::{float, now, short, until};
use super::observer::Observer;
use super::options::{Options, Who};
use super::plot::{Line, Plot};
use super::process::{Process, Usage};
use super::requests::Requests;
use super::results::{Results, Table};
use super::steady::job_controller;

/// So many of the Schedules are due, each of them once in `EVERY` seconds.
const ACTIVE: usize = 100;
const EVERY: i64 = 10;
/// For so long runs are counted.
const WINDOW: i64 = 60;
/// Schedules there are when Jobs are varied.
const BESIDE_JOBS: usize = 1_000;

#[derive(Debug, Serialize)]
struct Cost {
    who: Who,
    schedules: usize,
    /// Finished Jobs that were there before.
    finished_jobs: usize,
    runs: usize,
    requests: Requests,
    cpu_ms_per_run: f64,
    /// What it used in as long a time without a run.
    idle_cpu_seconds: f64,
    usage: Usage,
    load_average: f64,
}

/// Measures all sizes.
pub async fn measure(lab: &Lab, options: &Options, results: &mut Results) -> Try<()> {
    let mut costs = vec![cron_job(lab).await?];
    for &schedules in &options.sizes {
        costs.push(punctual(lab, schedules, 0).await?);
    }
    let lines = |name: &str, points| Line { name: name.into(), points };
    let by_schedules = costs[1..].iter().map(|it| (float(it.schedules), it.cpu_ms_per_run)).collect();
    let first_of_jobs = costs.len();
    for &jobs in &options.jobs {
        costs.push(punctual(lab, BESIDE_JOBS, jobs).await?);
    }
    let by_jobs = costs[first_of_jobs..].iter().map(|it| (float(it.finished_jobs.max(1)), it.cpu_ms_per_run)).collect();
    for cost in &costs {
        results.keep("cost", cost)?;
    }
    results.plot(
        "cost",
        &Plot {
            title: "What a run costs the operator, by what else is there".into(),
            x: "objects beside it".into(),
            y: "CPU, ms a run".into(),
            logarithmic: (true, false),
            lines: vec![lines("Schedules", by_schedules), lines("finished Jobs", by_jobs)],
        },
    )?;
    tell(&costs, results)
}

/// The CronJob controller with as many runs, for the requests it takes: one CronJob may be due
/// once a minute only, so that there are more of them.
async fn cron_job(lab: &Lab) -> Try<Cost> {
    lab.clean().await?;
    let mut jobs = job_controller(lab).await?;
    let limits = Limits { qps: 1_000, burst: 2_000, syncs: 50 };
    let controller = controller_manager(lab, "cronjob-controller", limits).await?;
    let count = ACTIVE * usize::try_from(WINDOW / EVERY)?;
    let begin = Timestamp::from_second((now().as_second() + 30).div_euclid(60) * 60 + 60)?;
    let every_minute = (0..count).map(|index| {
        let mut object = load::cron_job(index, begin);
        object["spec"]["schedule"] = json!("* * * * *");
        object["spec"]["jobTemplate"] = load::job_template(JobEnd::AtOnce);
        object
    });
    // Not before the minute has passed that would be one too many.
    until(begin - SignedDuration::from_secs(30)).await;
    load::create(lab, "cronjobs", every_minute).await?;
    // History is full after the third minute: from then on every run costs the same.
    let cost = window(lab, begin + SignedDuration::from_secs(3 * 60), &controller, 0.0).await?;
    drop(controller);
    jobs.end().await?;
    Ok(Cost { who: Who::CronJobTuned, schedules: count, ..cost })
}

async fn punctual(lab: &Lab, schedules: usize, finished_jobs: usize) -> Try<Cost> {
    lab.clean().await?;
    let mut jobs = job_controller(lab).await?;
    let foreign = (0..finished_jobs).map(|it| load::job("over", it, JobEnd::AtOnce));
    load::create(lab, "jobs", foreign).await?;
    let mut operator = Operator::lead(lab, "punctual").await?;
    let far = now() + SignedDuration::from_hours(12);
    let idle = schedules.saturating_sub(ACTIVE);
    load::create(lab, "schedules", (0..idle).map(|it| load::daily_schedule(it, far))).await?;
    super::idle::at_rest(&operator, idle).await?;
    let usage = operator.process.usage()?;
    tokio::time::sleep(Duration::from_secs(u64::try_from(WINDOW)? / 2)).await;
    let idle_cpu_seconds = (operator.process.usage()?.cpu_seconds - usage.cpu_seconds) * 2.0;

    let begin = Timestamp::from_second(now().as_second() + 10)?;
    load::create(lab, "schedules", (0..ACTIVE).map(|index| active(index, begin))).await?;
    // After a while every look finds as many Jobs kept as the next: the fence is over, and what
    // came before is removed.
    let cost = window(lab, begin + SignedDuration::from_secs(170), &operator.process, idle_cpu_seconds).await?;
    operator.process.end().await?;
    jobs.end().await?;
    Ok(Cost { schedules, finished_jobs, ..cost })
}

/// One that is due once in `EVERY` seconds.
fn active(index: usize, begin: Timestamp) -> Value {
    let offset = i64::try_from(index).unwrap_or_default() * EVERY / i64::try_from(ACTIVE).unwrap_or(1);
    let first = begin + SignedDuration::from_secs(offset);
    let trigger = json!({"interval": {"every": format!("{EVERY}s"), "startTime": first.to_string()}});
    load::schedule(&format!("active-{index:05}"), &trigger, JobEnd::AtOnce)
}

/// Counts what the runs of a minute take, half a second before the first of them until half a
/// second before the first of the next.
async fn window(lab: &Lab, begin: Timestamp, process: &Process, idle_cpu_seconds: f64) -> Try<Cost> {
    let early = SignedDuration::from_millis(500);
    until(begin - early).await;
    let observer = Observer::begin(lab).await?;
    let (before, usage) = (Requests::so_far(lab).await?, process.usage()?);
    until(begin - early + SignedDuration::from_secs(WINDOW)).await;
    let used = process.usage()?;
    let requests = before.since(lab).await?;
    let runs = observer.end().await.len();
    let cpu_seconds = used.cpu_seconds - usage.cpu_seconds;
    let cost = Cost {
        who: Who::Punctual,
        schedules: 0,
        finished_jobs: 0,
        runs,
        requests,
        cpu_ms_per_run: cpu_seconds * 1_000.0 / float(runs.max(1)),
        idle_cpu_seconds,
        usage: used,
        load_average: load_average(),
    };
    println!("a run costs {} ms; {} runs, load {}", short(cost.cpu_ms_per_run), cost.runs, cost.load_average);
    Ok(cost)
}

fn tell(costs: &[Cost], results: &mut Results) -> Try<()> {
    let mut table = Table::new(
        "What a run costs, from its start to the removal of its Job",
        &[
            "",
            "Schedules",
            "finished Jobs beside",
            "runs",
            "CPU ms a run",
            "idle CPU of one core",
            "writes a run",
            "reads a run",
            "RSS MB (own)",
            "requests a run, the Job controller's among them",
            "load",
        ],
    );
    for cost in costs {
        let runs = float(cost.runs.max(1));
        table.row(vec![
            cost.who.title().into(),
            cost.schedules.to_string(),
            cost.finished_jobs.to_string(),
            cost.runs.to_string(),
            short(cost.cpu_ms_per_run),
            format!("{} %", short(cost.idle_cpu_seconds / 60.0 * 100.0)),
            short(cost.requests.writes() / runs),
            short(cost.requests.reads() / runs),
            format!("{} ({})", short(cost.usage.rss_mb), short(cost.usage.own_rss_mb)),
            cost.requests.per(cost.runs),
            short(cost.load_average),
        ]);
    }
    results.table(&table)
}
