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
/// What is added is to be dealt with within so many periods.
const CALM_WITHIN: usize = 60;

#[derive(Debug, Serialize)]
struct Cost {
    who: Who,
    schedules: usize,
    /// Finished Jobs that were there before.
    finished_jobs: usize,
    runs: usize,
    requests: Requests,
    cpu_ms_per_run: f64,
    usage: Usage,
    load_average: f64,
}

/// Measures all sizes.
pub async fn measure(lab: &Lab, options: &Options, results: &mut Results) -> Try<()> {
    let mut costs = vec![cron_job(lab).await?];
    results.keep("cost", &costs[0])?;
    costs.extend(punctual(lab, options, results).await?);
    let punctual = || costs.iter().filter(|it| it.who == Who::Punctual);
    let by_schedules = punctual().filter(|it| it.finished_jobs == 0).map(|it| (float(it.schedules), it.cpu_ms_per_run));
    let by_jobs = punctual().filter(|it| it.finished_jobs > 0).map(|it| (float(it.finished_jobs), it.cpu_ms_per_run));
    results.plot(
        "cost",
        &Plot {
            title: "What a run costs the operator, by what else is there".into(),
            x: "objects beside it".into(),
            y: "CPU, ms a run".into(),
            logarithmic: (true, false),
            lines: vec![
                Line { name: "Schedules".into(), points: by_schedules.collect() },
                Line { name: "finished Jobs".into(), points: by_jobs.collect() },
            ],
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
    let cost = window(lab, begin + SignedDuration::from_secs(3 * 60), &controller).await?;
    drop(controller);
    jobs.end().await?;
    Ok(Cost { who: Who::CronJobTuned, schedules: count, ..cost })
}

/// One operator, beside whom there is more and more: first Schedules that are not due, then Jobs that are over.
async fn punctual(lab: &Lab, options: &Options, results: &Results) -> Try<Vec<Cost>> {
    lab.clean().await?;
    let mut jobs = job_controller(lab).await?;
    let mut operator = Operator::lead(lab, "punctual").await?;
    let begin = Timestamp::from_second(now().as_second() + 10)?;
    load::create(lab, "schedules", (0..ACTIVE).map(|index| active(index, begin))).await?;
    // After a while every look finds as many Jobs kept as the next: the fence is over, and what
    // came before is removed.
    until(begin + SignedDuration::from_secs(170)).await;
    let usual = period(lab).await?;
    let far = begin + SignedDuration::from_hours(12);
    let (mut schedules, mut over) = (ACTIVE, 0);
    let mut costs = Vec::new();
    let of_jobs = options.jobs.iter().map(|jobs| (0, *jobs));
    let steps = options.sizes.iter().map(|size| (*size, 0)).chain(of_jobs);
    for (more_schedules, more_jobs) in steps {
        let idle = schedules..more_schedules.max(schedules);
        let foreign = over..more_jobs.max(over);
        (schedules, over) = (idle.end, foreign.end);
        load::create(lab, "schedules", idle.map(|it| load::daily_schedule(it, far))).await?;
        load::create(lab, "jobs", foreign.map(|it| load::job("over", it, JobEnd::AtOnce))).await?;
        calm(lab, usual).await?;
        let periods = (now().duration_since(begin).as_secs() + 1) / EVERY + 1;
        let cost = window(lab, begin + SignedDuration::from_secs(periods * EVERY), &operator.process).await?;
        let cost = Cost { schedules, finished_jobs: over, ..cost };
        results.keep("cost", &cost)?;
        costs.push(cost);
    }
    operator.process.end().await?;
    jobs.end().await?;
    Ok(costs)
}

/// Waits until no more is asked of the API server in a period than before anything was added. As much as in the
/// period before would not do: what was just created is worked off at an even rate.
async fn calm(lab: &Lab, usual: f64) -> Try<()> {
    for _ in 0..CALM_WITHIN {
        if period(lab).await? <= usual * 1.1 {
            return Ok(());
        }
    }
    Err("the cluster does not come to rest beside what was added: the machine is too busy".into())
}

/// How many requests there are in one period.
async fn period(lab: &Lab) -> Try<f64> {
    let before = Requests::so_far(lab).await?;
    tokio::time::sleep(Duration::from_secs(u64::try_from(EVERY)?)).await;
    Ok(before.since(lab).await?.all())
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
async fn window(lab: &Lab, begin: Timestamp, process: &Process) -> Try<Cost> {
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
            short(cost.requests.writes() / runs),
            short(cost.requests.reads() / runs),
            format!("{} ({})", short(cost.usage.rss_mb), short(cost.usage.own_rss_mb)),
            cost.requests.per(cost.runs),
            short(cost.load_average),
        ]);
    }
    results.table(&table)
}
