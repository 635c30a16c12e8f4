//! What is to be measured. Each option can also be given to `make bench` as a variable.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use serde::Serialize;

/// Measures Punctual beside the CronJob controller.
#[derive(Parser, Debug)]
pub struct Options {
    /// What is measured.
    #[arg(
        long,
        env = "PHASES",
        value_enum,
        value_delimiter = ',',
        default_value = "herd,own,cost,idle,steady,take-over"
    )]
    pub phases: Vec<Phase>,
    /// Sizes of the herd: how many Schedules are due in the same second.
    #[arg(long, env = "N", value_delimiter = ',', default_value = "100,1000,5000")]
    pub n: Vec<usize>,
    /// Who meets the herd.
    #[arg(
        long,
        env = "SUBJECTS",
        value_enum,
        value_delimiter = ',',
        default_value = "raw,cron-job,cron-job-tuned,punctual"
    )]
    pub subjects: Vec<Who>,
    /// How often each herd of at most 1,000 is measured; the tables show the median.
    #[arg(long, env = "REPEAT", default_value_t = 3)]
    pub repeat: usize,
    /// Also measures what takes minutes for a figure that follows from others: the CronJob controller at its
    /// defaults again and again, and with a herd of over 1,000.
    #[arg(long, env = "PATIENT", action = clap::ArgAction::Set, default_value_t = false)]
    pub patient: bool,
    /// Schedules that are there in the idle phase.
    #[arg(long, env = "IDLE", default_value_t = 10_000)]
    pub idle: usize,
    /// Schedules of the steady phase, each due once a minute.
    #[arg(long, env = "STEADY", default_value_t = 2_000)]
    pub steady: usize,
    /// How many minutes the steady phase takes.
    #[arg(long, env = "MINUTES", default_value_t = 10)]
    pub minutes: u32,
    /// How many Schedules there are when the cost of one run is measured.
    #[arg(long, env = "SIZES", value_delimiter = ',', default_value = "100,1000,10000")]
    pub sizes: Vec<usize>,
    /// How many finished Jobs lie around when the cost of one run is measured.
    #[arg(long, env = "JOBS", value_delimiter = ',', default_value = "100,10000")]
    pub jobs: Vec<usize>,
    /// More arguments for the operator, separated by spaces: what is measured then is not its default set-up.
    #[arg(long, env = "OPERATOR_ARGS", default_value = "")]
    pub operator_args: String,
    /// Values of the chart, as for helm's --set: what is measured then is not its default set-up.
    #[arg(long, env = "CHART_VALUES", default_value = "crds.enabled=false")]
    pub chart_values: String,
    /// The operator that is measured, as it is released.
    #[arg(long, env = "OPERATOR", default_value = concat!(env!("CARGO_TARGET_TMPDIR"), "/../release/punctual"))]
    pub operator: PathBuf,
    /// Where tables, plots and raw data go. Default: a new directory below target/bench.
    #[arg(long, env = "OUT")]
    pub out: Option<PathBuf>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Phase {
    /// Many due in the same second.
    Herd,
    /// The operator alone, on an API server that answers at once.
    Own,
    /// What one run costs, by the number of Schedules and of finished Jobs.
    Cost,
    /// Many Schedules, none due.
    Idle,
    /// Many runs, spread over each minute.
    Steady,
    /// The leader ends under load.
    TakeOver,
}

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
pub enum Who {
    /// A bare client that creates the same Jobs: the API server's own limit.
    Raw,
    /// The CronJob controller with the limits a controller-manager has by default.
    CronJob,
    /// The CronJob controller with limits raised until that gains no more.
    CronJobTuned,
    /// Punctual as its chart sets it up.
    Punctual,
}

impl Who {
    /// As the tables call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Raw => "raw limit",
            Self::CronJob => "CronJob",
            Self::CronJobTuned => "CronJob tuned",
            Self::Punctual => "Punctual",
        }
    }
}
