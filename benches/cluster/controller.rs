//! The controllers under test, as processes of their own.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::Try;
use super::lab::{Lab, OPERATOR_NAMESPACE};
use super::process::Process;

/// How long a program may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// Limits of a controller-manager.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Limits {
    /// Requests a second.
    pub qps: u32,
    /// Requests at once after a rest.
    pub burst: u32,
    /// CronJobs looked at at once.
    pub syncs: u32,
}

impl Limits {
    /// What a controller-manager has unless told otherwise.
    pub const DEFAULT: Self = Self { qps: 20, burst: 30, syncs: 5 };

    fn flags(self) -> Vec<String> {
        vec![
            format!("--kube-api-qps={}", self.qps),
            format!("--kube-api-burst={}", self.burst),
            format!("--concurrent-cron-job-syncs={}", self.syncs),
        ]
    }
}

/// A controller-manager with one controller, set up as devcluster sets up its own.
pub async fn controller_manager(lab: &Lab, controller: &str, limits: Limits) -> Try<Process> {
    const OURS: &[&str] =
        &["--controllers", "--kube-api-qps", "--kube-api-burst", "--concurrent-cron-job-syncs", "--secure-port"];
    let is_ours = |it: &&String| OURS.iter().any(|flag| it.split('=').next() == Some(flag));
    let mut arguments: Vec<String> = lab.controller_manager.iter().filter(|it| !is_ours(it)).cloned().collect();
    let port = free_port()?;
    arguments.extend(limits.flags());
    arguments.extend([format!("--controllers={controller}"), format!("--secure-port={port}")]);
    let log = lab.dir.join(format!("logs/{controller}.log"));
    let mut process = Process::start(&lab.kubernetes, &arguments, &[], &log)?;
    answers(&mut process, port, controller).await?;
    Ok(process)
}

/// One replica of the operator.
pub struct Operator {
    /// The process.
    pub process: Process,
    port: u16,
}

impl Operator {
    /// Starts a replica as the chart would, on its own port.
    pub async fn start(lab: &Lab, name: &str) -> Try<Self> {
        Self::start_with(lab, name, &lab.operator_kubeconfig().await?)
    }

    /// The same at the API server of a kubeconfig.
    pub fn start_with(lab: &Lab, name: &str, kubeconfig: &Path) -> Try<Self> {
        let port = free_port()?;
        let mut arguments: Vec<String> =
            ["run", "--lease-name=punctual", "--log-format=json", "--log-level=info"].map(str::to_owned).into();
        arguments.push(format!("--address=127.0.0.1:{port}"));
        arguments.extend(lab.operator_args.iter().cloned());
        let kubeconfig = kubeconfig.to_string_lossy();
        let environment = [
            ("KUBECONFIG", &*kubeconfig),
            ("POD_NAME", name),
            ("HOSTNAME", name),
            ("POD_NAMESPACE", OPERATOR_NAMESPACE),
        ];
        let log = lab.dir.join(format!("logs/{name}.log"));
        let process = Process::start(&lab.operator, &arguments, &environment, &log)?;
        Ok(Self { process, port })
    }

    /// Starts a replica and waits until it leads.
    pub async fn lead(lab: &Lab, name: &str) -> Try<Self> {
        let mut operator = Self::start(lab, name).await?;
        let deadline = Instant::now() + PATIENCE;
        while !operator.leads().await? {
            if Instant::now() > deadline || !operator.process.is_running()? {
                return Err(format!("replica {name} does not lead; its log is in {}", lab.dir.display()).into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(operator)
    }

    /// Whether it has begun to look at Schedules as the leader.
    pub async fn leads(&self) -> Try<bool> {
        Ok(self
            .metrics()
            .await
            .is_some_and(|it| it.sum("punctual_reconciles_total") > 0.0 || it.sum("punctual_leader") > 0.0))
    }

    /// What it tells of itself; nothing while it does not answer.
    pub async fn metrics(&self) -> Option<Metrics> {
        let port = self.port;
        tokio::task::spawn_blocking(move || scrape(port)).await.ok()?.ok().map(|text| Metrics::read(&text))
    }
}

/// Metrics as they were at one moment, by name with labels.
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| line.starts_with("punctual_"));
        let read = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Self(lines.filter_map(read).collect())
    }

    /// The sum of all series of a name.
    pub fn sum(&self, name: &str) -> f64 {
        let is_it = |it: &&String| it.split('{').next() == Some(name);
        self.0.iter().filter(|(it, _)| is_it(it)).map(|(_, value)| value).sum()
    }

    /// The buckets of a histogram without labels: up to how much, and how many.
    fn buckets(&self, name: &str) -> Vec<(f64, f64)> {
        let bound = |it: &str| {
            let text = it.strip_prefix(name)?.strip_prefix("_bucket{le=\"")?.strip_suffix("\"}")?;
            if text == "+Inf" { Some(f64::INFINITY) } else { text.parse().ok() }
        };
        let mut all: Vec<(f64, f64)> = self.0.iter().filter_map(|(it, count)| Some((bound(it)?, *count))).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all
    }

    /// A quantile of what a histogram has counted since, as Prometheus estimates it.
    pub fn quantile_since(&self, before: &Self, name: &str, quantile: f64) -> Option<f64> {
        let counts = self.buckets(name).into_iter().zip(before.buckets(name));
        let counts: Vec<(f64, f64)> = counts.map(|(now, before)| (now.0, now.1 - before.1)).collect();
        let wanted = counts.last().map(|it| it.1).filter(|all| *all > 0.0)? * quantile;
        let (mut low, mut below) = (0.0, 0.0);
        for (high, count) in counts {
            if count >= wanted {
                let share = (wanted - below) / (count - below);
                return Some(if high.is_finite() { low + (high - low) * share } else { low });
            }
            (low, below) = (high, count);
        }
        None
    }
}

fn scrape(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    if text.starts_with("HTTP/1.1 200") { Ok(text) } else { Err(std::io::Error::other("no metrics")) }
}

fn free_port() -> Try<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

async fn answers(process: &mut Process, port: u16, name: &str) -> Try<()> {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > deadline || !process.is_running()? {
            return Err(format!("{name} does not answer").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
