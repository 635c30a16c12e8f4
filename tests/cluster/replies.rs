//! Replies that are lost, or that say nothing of use: what was asked for is done once all the same.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use crate::harness::{Fault, Operator, Proxy, Story, is, seconds_from_now, story, text};

/// Every kind of write, as [`Workload`] makes them all happen.
const JOBS_AND_STATUS: &[&str] =
    &["try jobs", "create jobs", "patch jobs", "delete jobs", "patch schedules/status", "create events"];
const RUNS_AND_LEASES: &[&str] = &[
    "patch scheduleruns/status",
    "delete scheduleruns",
    "update leases punctual",
    "create leases",
    "update leases",
    "delete leases",
];
/// Younger Jobs are suspended, not deleted, when they are replaced.
const FLAGS: &str = "--fence=6s";

/// Schedules and runs by hand that make the operator write all it ever writes.
struct Workload<'a> {
    story: &'a Story,
    first: Timestamp,
    asked: std::cell::Cell<u32>,
}

impl<'a> Workload<'a> {
    async fn begin(story: &'a Story) -> Self {
        let first = seconds_from_now(5);
        let every = |seconds: i64| format!("trigger: {{interval: {{every: {seconds}s, startTime: \"{first}\"}}}}\n");
        story.schedule("tidy", &(every(2) + "successfulJobsHistoryLimit: 0"), "").await;
        let replace = every(3) + "concurrency: {policy: Replace}";
        story.schedule("relay", &replace, "devcluster/duration: 8s").await;
        story.schedule("by-hand", "trigger: {at: [\"2099-01-01T00:00:00Z\"]}\nresultTTL: 1s", "").await;
        Self { story, first, asked: 0.into() }
    }

    /// Goes on until everything of these kinds was struck so often.
    async fn until_struck(&self, proxy: &Proxy, kinds: &[&str], times: usize) {
        let missing = || {
            let struck = proxy.struck();
            let often = |kind: &str| struck.iter().filter(|it| is(it, kind)).count() >= times;
            kinds.iter().copied().filter(|kind| !often(kind)).collect::<Vec<_>>()
        };
        let all = self.story.until("everything was struck", async || {
            // One at a time: each of them asks for a status, a Lease, and a removal.
            if self.story.list("ScheduleRun").await.is_empty() {
                self.ask_for_a_run().await;
            }
            missing().is_empty().then_some(())
        });
        if tokio::time::timeout(std::time::Duration::from_secs(80), all).await.is_err() {
            panic!("not struck {times} times: {:?}", missing());
        }
    }

    async fn ask_for_a_run(&self) {
        let number = self.asked.replace(self.asked.get() + 1);
        // A template seen for the first time is tried.
        self.story
            .patch(
                "Schedule",
                "by-hand",
                json!({"spec": {"jobTemplate": {"metadata": {"labels": {"edit": number.to_string()}}}}}),
            )
            .await;
        let run = format!(
            "{{apiVersion: punctual.dev/v1alpha1, kind: ScheduleRun, metadata: {{name: run-{number}}}, spec: {{scheduleName: by-hand}}}}"
        );
        self.story.apply(&run).await;
    }

    /// Comes to rest: every slot has its one outcome, every run that was asked for its end.
    async fn end(&self) {
        self.story.every_slot_has_its_outcome("tidy", self.first, 2).await;
        // One of its runs is always active: it is paused in a moment in which no slot waits.
        let pause = async |paused: bool| {
            self.story.patch("Schedule", "relay", json!({"spec": {"paused": paused}})).await;
            let (status, reason) = if paused { ("True", "Spec") } else { ("False", "NotPaused") };
            self.story.until_condition("relay", "Paused", status, reason).await;
        };
        pause(true).await;
        while !self.story.status("relay").await["pending"].is_null() {
            pause(false).await;
            self.story.until_status("relay", "no slot waits", |it| it["pending"].is_null()).await;
            pause(true).await;
        }
        self.story.every_slot_has_its_outcome("relay", self.first, 3).await;
        let over = async || self.story.list("ScheduleRun").await.is_empty().then_some(());
        self.story.until("every run by hand is over and its result expired", over).await;
        let asked = usize::try_from(self.asked.get()).unwrap();
        let by_hand =
            |job: &&serde_json::Value| !text(job, "/metadata/labels/punctual.dev~1schedule-run-uid").is_empty();
        assert_eq!(self.story.jobs_seen().iter().filter(by_hand).count(), asked, "each got its Job");
        let is_left = |lease: &serde_json::Value| text(lease, "/metadata/name") != "punctual";
        let no_lease = async || (!self.story.list("Lease").await.iter().any(is_left)).then_some(());
        self.story.until("no Lease is left of any run", no_lease).await;
    }
}

#[test]
fn writes_whose_replies_are_lost_are_neither_repeated_nor_forgotten() {
    story(async |story| {
        let proxy = story.proxy();
        let _operator = story.operator_with("a", FLAGS, &proxy.server).await;
        let mut seen = BTreeMap::new();
        proxy.rule(move |request| {
            let kind = JOBS_AND_STATUS.iter().chain(RUNS_AND_LEASES).find(|kind| is(request, kind));
            let Some(kind) = kind else { return Fault::None };
            // Every third one: what had its reply lost may look in peace at what came of it.
            let count = seen.entry(*kind).or_insert(0_u32);
            *count += 1;
            if *count % 3 == 2 { Fault::ReplyLost } else { Fault::None }
        });
        let workload = Workload::begin(story).await;
        workload.until_struck(&proxy, &[JOBS_AND_STATUS, RUNS_AND_LEASES].concat(), 2).await;
        proxy.calm();
        workload.end().await;
    });
}

/// A replica dies while it waits for the reply to a write that took effect, and another goes on;
/// for one kind of write after the other.
async fn die_unanswered(story: &Story, kinds: &[&'static str]) {
    let workload = Workload::begin(story).await;
    let mut replica: Option<(Operator, Proxy)> = None;
    for &kind in kinds {
        let proxy = story.proxy();
        let mut is_first = true;
        proxy.rule(move |request| {
            let strikes = is(request, kind) && std::mem::take(&mut is_first);
            if strikes { Fault::ReplyWithheld } else { Fault::None }
        });
        let next = story.operator_with("r", FLAGS, &proxy.server).await;
        if let Some((before, _proxy)) = replica.take() {
            before.kill9().await;
        }
        workload.until_struck(&proxy, &[kind], 1).await;
        replica = Some((next, proxy));
    }
    replica.unwrap().0.kill9().await;
    let _last = story.operator_with("r", FLAGS, story.server()).await;
    workload.end().await;
}

#[test]
fn leaders_that_die_before_they_hear_of_their_jobs_leave_nothing_undone() {
    story(async |story| die_unanswered(story, JOBS_AND_STATUS).await);
}

#[test]
fn leaders_that_die_before_they_hear_of_runs_and_leases_leave_nothing_undone() {
    story(async |story| die_unanswered(story, RUNS_AND_LEASES).await);
}

/// What a server in trouble, or a load balancer in front of it, answers.
const USELESS: [Fault; 8] = [
    Fault::Answered(
        429,
        "application/json",
        r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"TooManyRequests","message":"slow down","code":429}"#,
    ),
    Fault::Answered(429, "text/plain", "The server is currently unable to handle the request"),
    Fault::Answered(
        500,
        "application/json",
        r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"rpc error: code = Unavailable","code":500}"#,
    ),
    Fault::Answered(502, "text/html", "<html><body><h1>502 Bad Gateway</h1></body></html>"),
    Fault::Answered(503, "text/plain", ""),
    Fault::Answered(
        504,
        "application/json",
        r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Timeout","message":"request did not complete","code":504}"#,
    ),
    Fault::Answered(200, "text/html", "<html><body>please log in</body></html>"),
    Fault::Lost,
];

#[test]
fn useless_answers_to_every_third_request_cost_no_slot() {
    story(async |story| {
        let proxy = story.proxy();
        let _operator = story.operator_with("a", FLAGS, &proxy.server).await;
        let mut seen = BTreeMap::new();
        proxy.rule(move |request| {
            // The leader Lease is a kind of its own: counted with the run Leases, all of its renewals could be the
            // third, and a leader that cannot renew ends, as it should.
            let kind = if is(request, "* leases punctual") { request } else { request.rsplit_once(' ').unwrap().0 };
            let kind = kind.to_owned();
            let count = seen.entry(kind).or_insert(0);
            *count += 1;
            if *count % 3 == 0 { USELESS[(*count / 3 - 1) % USELESS.len()].clone() } else { Fault::None }
        });
        let workload = Workload::begin(story).await;
        workload.until_struck(&proxy, &["create jobs", "patch schedules/status"], USELESS.len()).await;
        workload.until_struck(&proxy, &[JOBS_AND_STATUS, RUNS_AND_LEASES].concat(), 1).await;
        proxy.calm();
        workload.end().await;
    });
}
