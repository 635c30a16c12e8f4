//! Who meets the herd: set up, made ready, ended.

use jiff::Timestamp;

use super::Try;
use super::controller::{Limits, Metrics, Operator, controller_manager};
use super::lab::Lab;
use super::load;
use super::process::{Process, Usage};

/// A way to have Jobs started at an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Subject {
    /// The CronJob controller with these limits.
    CronJob(Limits),
    /// Punctual.
    Punctual,
}

/// A subject that runs.
pub enum Running {
    /// A controller-manager with nothing but the CronJob controller.
    CronJob(Process),
    /// The operator, leading.
    Punctual(Operator),
}

impl Subject {
    /// Starts it.
    pub async fn start(self, lab: &Lab) -> Try<Running> {
        Ok(match self {
            Self::CronJob(limits) => Running::CronJob(controller_manager(lab, "cronjob-controller", limits).await?),
            Self::Punctual => Running::Punctual(Operator::lead(lab, "punctual").await?),
        })
    }

    /// Creates so many objects that are all due at one instant.
    pub async fn create_due(self, lab: &Lab, count: usize, due: Timestamp) -> Try<()> {
        match self {
            Self::CronJob(_) => load::create(lab, "cronjobs", (0..count).map(|it| load::cron_job(it, due))).await,
            Self::Punctual => load::create(lab, "schedules", (0..count).map(|it| load::daily_schedule(it, due))).await,
        }
    }

    /// How it was set up, in a few words.
    pub fn set_up(self) -> String {
        match self {
            Self::CronJob(limits) => format!("{}/{}/{}", limits.qps, limits.burst, limits.syncs),
            Self::Punctual => String::new(),
        }
    }
}

impl Running {
    /// What it has used so far.
    pub fn usage(&self) -> Try<Usage> {
        match self {
            Self::CronJob(process) => process.usage(),
            Self::Punctual(operator) => operator.process.usage(),
        }
    }

    /// What the operator tells of itself.
    pub async fn metrics(&self) -> Option<Metrics> {
        match self {
            Self::CronJob(_) => None,
            Self::Punctual(operator) => operator.metrics().await,
        }
    }

    /// Ends it in good order.
    pub async fn end(self) -> Try<()> {
        match self {
            Self::CronJob(mut process) => process.end().await,
            Self::Punctual(mut operator) => operator.process.end().await,
        }
    }
}
