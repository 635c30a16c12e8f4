//! The Schedule that most stories of faults are told of: `tick`, due every two seconds.

use jiff::Timestamp;
use serde_json::Value;

use super::operator::Operator;
use super::story::{Story, seconds_from_now};
use super::{job_slot, second};

const EVERY: i64 = 2;

impl Story {
    /// Applies it, with further fields of its spec; answers its first slot.
    pub async fn tick(&self, further: &str) -> Timestamp {
        let first = seconds_from_now(5);
        let spec = format!("trigger: {{interval: {{every: {EVERY}s, startTime: \"{first}\"}}}}\n{further}");
        self.schedule("tick", &spec, "").await;
        first
    }

    /// Waits until a slot of it that is yet to come has its Job; replicas that end are started again.
    pub async fn tick_goes_on(&self, replicas: &mut [Operator], first: Timestamp, what: &str) {
        let slot = self.next_slot(first, EVERY) + EVERY;
        self.until(&format!("slots go on: {what}"), async || {
            self.revive(replicas).await;
            self.jobs_of("tick").iter().any(|job| job_slot(job) >= slot).then_some(())
        })
        .await;
    }

    /// Waits until every slot of it has its one outcome; answers its status.
    pub async fn tick_is_whole(&self, first: Timestamp) -> Value {
        self.every_slot_has_its_outcome("tick", first, EVERY).await
    }

    /// Each Job of it that there ever was came within so many seconds of its slot.
    pub fn tick_was_on_time(&self, bound: i64) {
        for job in self.jobs_of("tick") {
            let delay = second(&job, "/metadata/creationTimestamp") - job_slot(&job);
            assert!((0..=bound).contains(&delay), "{delay} s late: {}", job["metadata"]["name"]);
        }
    }
}
