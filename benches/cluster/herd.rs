//! The herd: everything is due in the same second.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Try;
use super::controller::Limits;
use super::lab::{Lab, load_average};
use super::load::{self, JobEnd};
use super::numbers::{Spread, float, median, now, seconds, short, spread, until};
use super::observer::Observer;
use super::options::{Options, Who};
use super::plot::{Line, Plot};
use super::process::Usage;
use super::requests::Requests;
use super::results::{Results, Table};
use super::subject::{Running, Subject};

/// Creates at once of the bare client, of which the best is looked for.
const PARALLEL: &[usize] = &[8, 16, 32, 64, 128];
/// Limits of the controller-manager, tried one after the other until that gains no more.
const LADDER: &[Limits] = &[
    Limits { qps: 1_000, burst: 2_000, syncs: 50 },
    Limits { qps: 5_000, burst: 10_000, syncs: 100 },
    Limits { qps: 20_000, burst: 40_000, syncs: 400 },
];
/// A step that gains less than this is the last.
const GAIN: f64 = 0.95;
/// Limits are looked for with so many CronJobs.
const TUNED_WITH: usize = 1_000;
/// The CronJob controller by its defaults is not asked for more, unless by `PATIENT`: it starts about nine Jobs a
/// second, whatever there is to start.
const UNTUNED_AT_MOST: usize = 1_000;
/// A larger herd is measured once: each of them takes minutes.
const REPEATED_AT_MOST: usize = 1_000;
/// Jobs created before anything is measured: an API server that was just started is slower.
const WARM_UP: usize = 5_000;
/// No further start for this long: there will be none.
const PATIENCE: Duration = Duration::from_secs(60);

/// One herd that was met.
#[derive(Debug, Clone, Serialize)]
pub struct Herd {
    who: Who,
    set_up: String,
    n: usize,
    due: Timestamp,
    starts: usize,
    lag: Spread,
    /// Whether everything was at rest when the herd came due.
    was_at_rest: bool,
    /// Time from the planned start to the request, as the operator itself measured it.
    own_p99: Option<f64>,
    requests: Requests,
    cpu_seconds: f64,
    usage: Usage,
    api_server_cpu_seconds: f64,
    /// The same up to the last start: what comes after it holds up none.
    until_last_start: UntilLastStart,
    load_average: f64,
    lags: Vec<f64>,
}

/// What was done until the last start was seen.
#[derive(Debug, Clone, Default, Serialize)]
struct UntilLastStart {
    requests: Requests,
    cpu_seconds: f64,
    api_server_cpu_seconds: f64,
}

/// Measures every herd that is asked for.
pub async fn measure(lab: &Lab, options: &Options, results: &mut Results) -> Try<()> {
    let mut herds = Vec::new();
    let mut tuned = None;
    load::create(lab, "jobs", (0..WARM_UP).map(|it| load::job("warm", it, JobEnd::Held))).await?;
    for &n in &options.n {
        let mut parallel = None;
        let turns = if n <= REPEATED_AT_MOST { options.repeat } else { 1 };
        for turn in 0..turns {
            for &who in &options.subjects {
                if who == Who::CronJob && (n > UNTUNED_AT_MOST || turn > 0) && !options.patient {
                    println!("{n} due at once, turn {turn}, {}: left out; PATIENT=true measures it too", who.title());
                    continue;
                }
                let herd = match who {
                    Who::Raw => {
                        let parallel = match parallel {
                            Some(parallel) => parallel,
                            None => *parallel.insert(best_parallel(lab, n, results).await?),
                        };
                        raw(lab, n, parallel).await?
                    }
                    Who::CronJob => meet(lab, who, Subject::CronJob(Limits::DEFAULT), n).await?,
                    Who::CronJobTuned => {
                        let limits = match tuned {
                            Some(limits) => limits,
                            None => *tuned.insert(tune(lab, TUNED_WITH, results).await?),
                        };
                        meet(lab, who, Subject::CronJob(limits), n).await?
                    }
                    Who::Punctual => meet(lab, who, Subject::Punctual, n).await?,
                };
                results.keep("herd", &herd)?;
                herds.push(herd);
            }
        }
        results.plot(&format!("herd-{n}"), &curve(n, &herds))?;
    }
    tell(&herds, results)
}

/// Raises the limits of the controller-manager until that gains no more.
async fn tune(lab: &Lab, n: usize, results: &mut Results) -> Try<Limits> {
    let (mut best, mut fastest) = (Limits::DEFAULT, f64::INFINITY);
    for &limits in LADDER {
        let herd = meet(lab, Who::CronJobTuned, Subject::CronJob(limits), n).await?;
        results.keep("tuning", &herd)?;
        if herd.lag.max < fastest * GAIN {
            (best, fastest) = (limits, herd.lag.max);
        } else {
            break;
        }
    }
    println!("the CronJob controller gains no more from higher limits than {best:?}");
    Ok(best)
}

/// How many creates at once are the fastest.
async fn best_parallel(lab: &Lab, n: usize, results: &mut Results) -> Try<usize> {
    let (mut best, mut fastest) = (PARALLEL[0], f64::INFINITY);
    for &parallel in PARALLEL {
        let herd = raw(lab, n, parallel).await?;
        results.keep("tuning", &herd)?;
        if herd.lag.max < fastest {
            (best, fastest) = (parallel, herd.lag.max);
        }
    }
    Ok(best)
}

/// A bare client creates the same Jobs, as an administrator, so many at once. It begins at rest, as the others do:
/// the API server is not to be busy with what was just deleted.
async fn raw(lab: &Lab, n: usize, parallel: usize) -> Try<Herd> {
    lab.clean().await?;
    quiet(lab).await?;
    let observer = Observer::begin(lab).await?;
    let before = Requests::so_far(lab).await?;
    let (usage, server) = (super::process::usage(std::process::id())?, lab.api_server_cpu_seconds()?);
    let jobs = (0..n).map(|it| load::started_job(it, now())).collect::<Try<Vec<_>>>()?;
    let begin = now();
    load::create_with(lab, "jobs", jobs.into_iter(), parallel).await?;
    let was_at_rest = observer.until(n, PATIENCE).await;
    let used = super::process::usage(std::process::id())?;
    Ok(Herd {
        requests: before.since(lab).await?,
        cpu_seconds: used.cpu_seconds - usage.cpu_seconds,
        usage: used,
        api_server_cpu_seconds: lab.api_server_cpu_seconds()? - server,
        ..Herd::of(Who::Raw, format!("{parallel} at once"), n, begin, observer, was_at_rest).await
    })
}

/// A controller meets a herd.
async fn meet(lab: &Lab, who: Who, subject: Subject, n: usize) -> Try<Herd> {
    lab.clean().await?;
    let running = subject.start(lab).await?;
    // A full minute, far enough for everything to be created and looked at before.
    let ahead = 10 + i64::try_from(n / 60)?;
    let due = Timestamp::from_second((now().as_second() + ahead).div_euclid(60) * 60 + 60)?;
    subject.create_due(lab, n, due).await?;
    let was_at_rest = tokio::select! {
        quiet = quiet(lab) => { quiet?; true }
        () = until(due - SignedDuration::from_secs(4)) => false,
    };
    until(due - SignedDuration::from_secs(3)).await;
    let observer = Observer::begin(lab).await?;
    let before = Requests::so_far(lab).await?;
    let told = running.metrics().await;
    let (usage, server) = (running.usage()?, lab.api_server_cpu_seconds()?);
    until(due).await;
    observer.until(n, PATIENCE).await;
    let until_last_start = UntilLastStart {
        cpu_seconds: running.usage()?.cpu_seconds - usage.cpu_seconds,
        api_server_cpu_seconds: lab.api_server_cpu_seconds()? - server,
        requests: before.since(lab).await?,
    };
    quiet(lab).await?;
    let used = running.usage()?;
    let own_p99 = own_part(&running, told).await;
    let herd = Herd {
        requests: before.since(lab).await?,
        cpu_seconds: used.cpu_seconds - usage.cpu_seconds,
        usage: used,
        api_server_cpu_seconds: lab.api_server_cpu_seconds()? - server,
        own_p99,
        until_last_start,
        ..Herd::of(who, subject.set_up(), n, due, observer, was_at_rest).await
    };
    running.end().await?;
    Ok(herd)
}

async fn own_part(running: &Running, before: Option<super::controller::Metrics>) -> Option<f64> {
    running.metrics().await?.quantile_since(&before?, "punctual_start_own_delay_seconds", 0.99)
}

/// Waits until nothing was written for three seconds.
async fn quiet(lab: &Lab) -> Try<()> {
    let (mut before, mut seconds) = (f64::NAN, 0);
    while seconds < 3 {
        let writes = Requests::so_far(lab).await?.writes();
        seconds = if writes.total_cmp(&before).is_eq() { seconds + 1 } else { 0 };
        before = writes;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

impl Herd {
    /// What the observer saw of it.
    async fn of(who: Who, set_up: String, n: usize, due: Timestamp, observer: Observer, was_at_rest: bool) -> Self {
        let starts = observer.end().await;
        let mut lags: Vec<f64> = starts.iter().map(|it| seconds(due, it.seen)).collect();
        lags.sort_by(f64::total_cmp);
        let herd = Self {
            who,
            set_up,
            n,
            due,
            starts: starts.len(),
            lag: spread(&lags),
            was_at_rest,
            own_p99: None,
            requests: Requests::default(),
            cpu_seconds: 0.0,
            usage: Usage::default(),
            api_server_cpu_seconds: 0.0,
            until_last_start: UntilLastStart::default(),
            load_average: load_average(),
            lags,
        };
        println!(
            "{n} due at once, {} {}: {} starts, p50 {} s, p99 {} s, the last after {} s; load {}",
            who.title(),
            herd.set_up,
            herd.starts,
            short(herd.lag.p50),
            short(herd.lag.p99),
            short(herd.lag.max),
            herd.load_average
        );
        herd
    }
}

/// How many have started, by the time since they were due.
fn curve(n: usize, herds: &[Herd]) -> Plot {
    let lines = [Who::Raw, Who::CronJobTuned, Who::CronJob, Who::Punctual].iter().filter_map(|who| {
        let mut of_it: Vec<&Herd> = herds.iter().filter(|it| it.n == n && it.who == *who).collect();
        of_it.sort_by(|a, b| a.lag.max.total_cmp(&b.lag.max));
        let herd = of_it.get(of_it.len().checked_sub(1)? / 2)?;
        let points = herd.lags.iter().enumerate().map(|(index, lag)| (lag.max(0.001), float(index + 1))).collect();
        Some(Line { name: who.title().into(), points })
    });
    Plot {
        title: format!("{n} due in the same second"),
        x: "seconds since they were due".into(),
        y: "started".into(),
        logarithmic: (true, false),
        lines: lines.collect(),
    }
}

fn tell(herds: &[Herd], results: &mut Results) -> Try<()> {
    let mut speed = Table::new(
        "Herd: start lag in seconds",
        &[
            "due at once",
            "",
            "started",
            "p50",
            "p90",
            "p99",
            "max = last start",
            "of the raw limit's",
            "own part p99",
            "load",
        ],
    );
    let mut cost = Table::new(
        "Herd: what it cost, per run",
        &[
            "due at once",
            "",
            "writes",
            "reads",
            "CPU ms",
            "API server's and etcd's CPU ms",
            "peak RSS MB (own)",
            "requests",
        ],
    );
    let mut kinds: Vec<(usize, Who)> = herds.iter().map(|it| (it.n, it.who)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for (n, who) in kinds {
        let of_it: Vec<&Herd> = herds.iter().filter(|it| it.n == n && it.who == who).collect();
        let raw: Vec<f64> = herds.iter().filter(|it| it.n == n && it.who == Who::Raw).map(|it| it.lag.max).collect();
        let middle = |of: fn(&Herd) -> f64| median(&of_it.iter().map(|it| of(it)).collect::<Vec<_>>());
        let per_run = |of: fn(&Herd) -> f64| short(middle(of) / float(n));
        let Some(last) = of_it.last() else { continue };
        let name = format!("{} {}", who.title(), last.set_up);
        speed.row(vec![
            n.to_string(),
            name.clone(),
            of_it.iter().map(|it| it.starts).min().unwrap_or_default().to_string(),
            short(middle(|it| it.lag.p50)),
            short(middle(|it| it.lag.p90)),
            short(middle(|it| it.lag.p99)),
            short(middle(|it| it.lag.max)),
            if raw.is_empty() { "-".into() } else { short(middle(|it| it.lag.max) / median(&raw)) },
            last.own_p99.map_or_else(|| "-".into(), short),
            short(middle(|it| it.load_average)),
        ]);
        cost.row(vec![
            n.to_string(),
            name,
            per_run(|it| it.requests.writes()),
            per_run(|it| it.requests.reads()),
            short(middle(|it| it.cpu_seconds) * 1_000.0 / float(n)),
            short(middle(|it| it.api_server_cpu_seconds) * 1_000.0 / float(n)),
            format!("{} ({})", short(middle(|it| it.usage.peak_rss_mb)), short(middle(|it| it.usage.own_rss_mb))),
            last.requests.per(n),
        ]);
    }
    results.table(&speed)?;
    results.table(&cost)
}
