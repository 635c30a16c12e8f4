//! The observer: a watch of the Jobs in our namespace that notes when it saw each begin.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{AsyncBufReadExt, TryStreamExt};
use jiff::Timestamp;
use kube::Client;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Try;
use super::lab::{Lab, NAMESPACE};
use super::numbers::now;

/// A Job that was seen to begin.
#[derive(Debug, Clone)]
pub struct Start {
    /// When the watch told of it.
    pub seen: Timestamp,
    /// The slot it is for, if it is one of a CronJob or a Schedule.
    pub slot: Option<Timestamp>,
    /// Whose it is.
    pub owner: String,
    /// The term of the leader that created it.
    pub term: Option<String>,
}

/// Watches until it is dropped.
pub struct Observer {
    seen: Arc<Mutex<Vec<Start>>>,
    tasks: JoinSet<()>,
}

#[derive(Deserialize)]
struct Event {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    annotations: std::collections::HashMap<String, String>,
    owner_references: Vec<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    name: String,
}

impl Observer {
    /// Sees every Job that is created from now on.
    pub async fn begin(lab: &Lab) -> Try<Self> {
        let jobs = format!("/apis/batch/v1/namespaces/{NAMESPACE}/jobs");
        let list = lab.send(http::Method::GET, &format!("{jobs}?limit=1"), &serde_json::Value::Null).await?;
        let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        let seen: Arc<Mutex<Vec<Start>>> = Arc::default();
        let (told, mut lines) = mpsc::unbounded_channel::<(Timestamp, String)>();
        let mut tasks = JoinSet::new();
        let client = lab.client.clone();
        tasks.spawn(async move {
            let mut version = version;
            // The API server ends a watch that does not keep up with it.
            while read(&client, &jobs, &mut version, &told).await.inspect_err(|it| eprintln!("bench: {it}")).is_ok() {
                eprintln!("bench: the observer's watch ended, and goes on from version {version}");
            }
        });
        let kept = seen.clone();
        tasks.spawn(async move {
            while let Some((at, line)) = lines.recv().await {
                if let Some(start) = start(at, &line) {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(start);
                }
            }
        });
        Ok(Self { seen, tasks })
    }

    /// How many Jobs were seen to begin.
    pub fn count(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Every Job that was seen to begin.
    pub fn starts(&self) -> Vec<Start> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many were seen, or no further one for that long. Answers whether it were as many.
    pub async fn until(&self, count: usize, patience: Duration) -> bool {
        let (mut before, mut since) = (0, Instant::now());
        loop {
            let seen = self.count();
            if seen >= count {
                return true;
            }
            if seen != before {
                (before, since) = (seen, Instant::now());
            } else if since.elapsed() > patience {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it; answers every Job that was seen to begin.
    pub async fn end(mut self) -> Vec<Start> {
        self.tasks.shutdown().await;
        self.starts()
    }
}

/// Only notes the time: what a line says is read elsewhere, so that it holds up nothing.
async fn read(
    client: &Client,
    jobs: &str,
    version: &mut String,
    told: &mpsc::UnboundedSender<(Timestamp, String)>,
) -> Try<()> {
    let uri = format!("{jobs}?watch=1&timeoutSeconds=7200&resourceVersion={version}");
    let stream = client.request_stream(http::Request::get(uri).body(Vec::new())?).await?;
    let mut lines = std::pin::pin!(stream.lines());
    while let Some(line) = lines.try_next().await? {
        let at = now();
        if line.starts_with("{\"type\":\"ERROR\"") {
            return Err(format!("the observer sees no more: {line}").into());
        }
        let rest = line.split_once("\"resourceVersion\":\"").map(|it| it.1);
        if let Some((seen, _)) = rest.and_then(|it| it.split_once('"')) {
            seen.clone_into(version);
        }
        if line.starts_with("{\"type\":\"ADDED\"") {
            told.send((at, line))?;
        }
    }
    Ok(())
}

fn start(seen: Timestamp, line: &str) -> Option<Start> {
    let Event { object } = serde_json::from_str(line).ok()?;
    let mut annotations = object.metadata.annotations;
    let slot = annotations.remove("batch.kubernetes.io/cronjob-scheduled-timestamp");
    Some(Start {
        seen,
        slot: slot.and_then(|it| it.parse().ok()),
        owner: object.metadata.owner_references.into_iter().next().map(|it| it.name).unwrap_or_default(),
        term: annotations.remove("punctual.dev/leader-term"),
    })
}

/// How many different slots there are among starts: those of one owner count once each.
pub fn distinct(starts: &[Start]) -> usize {
    starts.iter().map(|it| (&it.owner, it.slot)).collect::<HashSet<_>>().len()
}
