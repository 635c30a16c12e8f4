//! What the API server counted: requests by verb and kind.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Try;
use super::lab::Lab;
use super::numbers::{float, short};

/// Numbers of requests by verb and kind, as in `POST jobs`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Requests(pub BTreeMap<String, f64>);

/// Verbs of requests that change something.
const WRITES: &[&str] = &["POST", "PUT", "PATCH", "APPLY", "DELETE"];
/// Verbs of requests that read; a watch is open and costs by what it tells.
const READS: &[&str] = &["GET", "LIST"];
/// What we are measured by: everything else is the cluster's own housekeeping.
const KINDS: &[&str] = &["jobs", "cronjobs", "schedules", "pods", "leases", "events"];

impl Requests {
    /// What the API server has counted so far.
    pub async fn so_far(lab: &Lab) -> Try<Self> {
        let text = lab.client.request_text(http::Request::get("/metrics").body(Vec::new())?).await?;
        let mut counts = BTreeMap::<String, f64>::new();
        for line in text.lines().filter_map(|line| line.strip_prefix("apiserver_request_total{")) {
            let Some((labels, value)) = line.rsplit_once("} ") else { continue };
            let label = |name: &str| {
                let at = labels.split(',').find_map(|it| it.strip_prefix(name)?.strip_prefix("=\""));
                at.map(|it| it.trim_end_matches('"')).unwrap_or_default()
            };
            if !KINDS.contains(&label("resource")) {
                continue;
            }
            let dry = if label("dry_run").is_empty() { "" } else { " (dry run)" };
            let kind = match label("subresource") {
                "" => label("resource").to_owned(),
                part => format!("{}/{part}", label("resource")),
            };
            let value: f64 = value.parse().unwrap_or_default();
            *counts.entry(format!("{} {kind}{dry}", label("verb"))).or_default() += value;
        }
        Ok(Self(counts))
    }

    /// What was counted since.
    pub async fn since(&self, lab: &Lab) -> Try<Self> {
        let mut counts = Self::so_far(lab).await?.0;
        for (name, before) in &self.0 {
            if let Some(now) = counts.get_mut(name) {
                *now -= before;
            }
        }
        counts.retain(|_, count| *count > 0.0);
        Ok(Self(counts))
    }

    /// Those that changed something, without those that no controller under test sends: the status
    /// of a Job is its controller's, and the leader Lease is renewed by the second, not by the run.
    pub fn writes(&self) -> f64 {
        let of_others = ["PUT jobs/status", "PUT leases"].iter().filter_map(|it| self.0.get(*it));
        self.sum(WRITES) - of_others.sum::<f64>()
    }

    /// Those that read.
    pub fn reads(&self) -> f64 {
        self.sum(READS)
    }

    /// All that are not watches.
    pub fn all(&self) -> f64 {
        self.sum(WRITES) + self.sum(READS)
    }

    fn sum(&self, verbs: &[&str]) -> f64 {
        let is_one = |name: &&String| verbs.contains(&name.split(' ').next().unwrap_or_default());
        self.0.iter().filter(|(name, _)| is_one(name)).fold(0.0, |sum, (_, count)| sum + count)
    }

    /// As a list, for so many runs: `POST jobs 1.00, ...`.
    pub fn per(&self, runs: usize) -> String {
        let shown = self.0.iter().filter(|(name, _)| !name.starts_with("WATCH"));
        let shown = shown.map(|(name, count)| (name, count / float(runs.max(1)))).filter(|(_, it)| *it >= 0.005);
        shown.map(|(name, count)| format!("{name} {}", short(count))).collect::<Vec<_>>().join(", ")
    }
}
