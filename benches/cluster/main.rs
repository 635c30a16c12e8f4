//! Punctual beside the CronJob controller and beside the API server's own limit: one API server,
//! one run, one observer. `make bench` runs it.
//!
//! The observer is a watch of Jobs; a start counts when it is seen there. Requests are counted by
//! the API server itself. Nothing here is asserted: it measures, prints tables, draws plots, and
//! keeps the raw data.

#![expect(clippy::print_stdout, reason = "what was measured is what it is run for")]

mod controller;
mod cost;
mod herd;
mod idle;
mod instant;
mod lab;
mod load;
mod numbers;
mod observer;
mod options;
mod own;
mod plot;
mod process;
mod requests;
mod results;
mod steady;
mod subject;
mod takeover;

use clap::Parser;

use lab::Lab;
use options::{Options, Phase};
use results::Results;

/// What goes wrong here is told and ends the run.
pub type Try<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> std::process::ExitCode {
    let options = Options::parse();
    // Children die with the thread that started them: this one, which lives as long as the run.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let end = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(bench(&options)));
    match end {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn bench(options: &Options) -> Try<()> {
    let mut results = Results::begin(options)?;
    let end = tokio::select! {
        end = phases(options, &mut results) => end,
        _ = tokio::signal::ctrl_c() => Err("interrupted; what was measured until then is kept".into()),
    };
    results.end()?;
    end
}

async fn phases(options: &Options, results: &mut Results) -> Try<()> {
    let lab = Lab::set_up(options).await?;
    results.machine = lab.machine().await?;
    for phase in &options.phases {
        match phase {
            Phase::Herd => herd::measure(&lab, options, results).await?,
            Phase::Own => own::measure(&lab, options, results).await?,
            Phase::Idle => idle::measure(&lab, options, results).await?,
            Phase::Cost => cost::measure(&lab, options, results).await?,
            Phase::Steady => steady::measure(&lab, options, results).await?,
            Phase::TakeOver => takeover::measure(&lab, options, results).await?,
        }
    }
    Ok(())
}
