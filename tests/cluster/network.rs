//! What is between the operator and the API server: watches that break, lie or fall silent,
//! requests that take long, and clocks that disagree. Slots do not depend on it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;

use crate::harness::{Fault, Proxy, Request, Story, is, now, seconds_from_now, story, text};

/// Nobody but a watch tells of this: a run that is asked for by hand.
async fn a_change_is_noticed(story: &Story, name: &str) {
    let run = format!(
        "{{apiVersion: punctual.dev/v1alpha1, kind: ScheduleRun, metadata: {{name: {name}}}, spec: {{scheduleName: tick}}}}"
    );
    story.apply(&run).await;
    let is_told = async || {
        let run = story.get("ScheduleRun", name).await?;
        (text(&run, "/status/state") != "Pending").then_some(())
    };
    story.until(&format!("the run {name} is noticed"), is_told).await;
}

/// How often each resource was struck.
fn strikes(proxy: &Proxy, kind: &str) -> usize {
    proxy.struck().iter().filter(|it| is(it, kind)).count()
}

#[test]
fn watches_that_break_in_every_way_lose_nothing() {
    const GONE: &str = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","message":"too old resource version","code":410}"#;
    story(async |story| {
        let proxy = story.proxy();
        let mut opened = BTreeMap::new();
        proxy.rule(move |request| {
            if !is(request, "watch *") {
                return Fault::None;
            }
            let count = opened.entry(request.to_owned()).or_insert(0_usize);
            *count += 1;
            match *count {
                // Cut every second, as some load balancers do;
                1..=5 => Fault::Ended(Duration::from_secs(1)),
                6 => Fault::Torn,
                7 => Fault::Error(410),
                8 => Fault::Answered(410, "application/json", GONE),
                9 => Fault::Error(500),
                _ => Fault::None,
            }
        });
        let _operator = story.operator_with("a", "", &proxy.server).await;
        let first = story.tick("").await;
        story.until_job("tick", first).await;
        a_change_is_noticed(story, "while-they-break").await;
        for resource in ["schedules", "scheduleruns", "jobs", "leases"] {
            let kind = format!("watch {resource}");
            story
                .until(&format!("{kind} broke in every way"), async || {
                    // Something has to happen for a line to be torn.
                    story
                        .patch(
                            "Schedule",
                            "tick",
                            json!({"metadata": {"labels": {"at": now().as_second().to_string()}}}),
                        )
                        .await;
                    (strikes(&proxy, &kind) >= 9).then_some(())
                })
                .await;
        }
        a_change_is_noticed(story, "afterwards").await;
        story.tick_was_on_time(3);
        story.tick_is_whole(first).await;
    });
}

#[test]
fn watches_that_end_as_soon_as_they_begin_are_not_opened_without_end() {
    story(async |story| {
        let proxy = story.proxy();
        let _operator = story.operator_with("a", "", &proxy.server).await;
        let first = story.tick("").await;
        story.until_job("tick", first).await;
        proxy.rule(|request| if is(request, "watch *") { Fault::Ended(Duration::ZERO) } else { Fault::None });
        // Those that were open before end by themselves, after 45 s at most.
        for resource in ["schedules", "scheduleruns", "jobs", "leases"] {
            let kind = format!("watch {resource}");
            story.until(&format!("{kind} ends at once"), async || (strikes(&proxy, &kind) > 0).then_some(())).await;
        }
        let before = proxy.struck().len();
        story.until_past(now() + SignedDuration::from_secs(10)).await;
        let opened = proxy.struck().len() - before;
        assert!(opened <= 60, "{opened} watches opened in ten seconds");
        a_change_is_noticed(story, "meanwhile").await;
        story.tick_was_on_time(3);
        story.tick_is_whole(first).await;
    });
}

#[test]
fn slots_start_on_time_while_no_watch_says_anything() {
    story(async |story| {
        let proxy = story.proxy();
        proxy.rule(|request| if is(request, "watch *") { Fault::Silent } else { Fault::None });
        let first = story.tick("").await;
        let _operator = story.operator_with("a", "", &proxy.server).await;
        for resource in ["schedules", "scheduleruns", "jobs"] {
            let kind = format!("watch {resource}");
            story.until(&format!("{kind} is silent"), async || (strikes(&proxy, &kind) > 0).then_some(())).await;
        }
        // Those that are open stay silent; the next ones do not.
        proxy.calm();
        story.until_job("tick", first).await;
        a_change_is_noticed(story, "unheard").await;
        assert!(now() < first + SignedDuration::from_secs(75), "noticed only after {}", now() - first);
        story.tick_was_on_time(3);
        let status = story.tick_is_whole(first).await;
        assert!(status["counts"]["slots"]["Started"].as_i64() >= Some(10), "{status}");
    });
}

#[test]
fn a_slow_network_costs_the_turn_only_where_the_lease_cannot_be_kept() {
    story(async |story| {
        let proxy = story.proxy();
        let mut leader = story.operator_with("a", "", &proxy.server).await;
        story.leader(&[&leader]).await;
        let _standby = story.operator("b").await;
        let first = story.tick("").await;
        story.until_job("tick", first).await;
        let term = async || story.get("Lease", "punctual").await.unwrap()["spec"]["leaseTransitions"].clone();
        let turn = term().await;
        for late in [Duration::from_millis(50), Duration::from_secs(1)] {
            proxy.rule(move |_| Fault::Late(late));
            for _ in 0..3 {
                story.tick_goes_on(&mut [], first, "slowly").await;
            }
            assert_eq!(term().await, turn, "the leader keeps its Lease at {late:?}");
        }
        proxy.rule(|_| Fault::Late(Duration::from_secs(10)));
        let end = leader.ended().await;
        assert!(!end.success(), "{end}");
        assert!(leader.logged().contains("leadership was lost"), "{}", leader.logged());
        story.tick_goes_on(&mut [], first, "under another leader").await;
        assert_ne!(term().await, turn);
        story.tick_is_whole(first).await;
    });
}

#[test]
fn a_leader_told_to_stop_in_the_middle_of_a_start_gives_up_its_lease_last() {
    story(async |story| {
        let proxy = story.proxy();
        let leader = story.operator_with("a", "", &proxy.server).await;
        story.leader(&[&leader]).await;
        let standby = story.operator("b").await;
        story.until_watching(2).await;
        let slot = seconds_from_now(5);
        story.schedule("once", &format!("trigger: {{at: [\"{slot}\"]}}\nresultTTL: 1h"), "").await;
        story.until_condition("once", "Ready", "True", "Scheduled").await;
        proxy
            .rule(|request| if is(request, "create jobs") { Fault::Late(Duration::from_secs(2)) } else { Fault::None });
        story.until("the start is on its way", async || (strikes(&proxy, "create jobs") > 0).then_some(())).await;
        let end = leader.sigterm().await;
        assert!(end.success(), "{end}");
        story.leader(&[&standby]).await;
        story.until_job("once", slot).await;
        let status = story.until_status("once", "the run is recorded", |it| it["results"].is_array()).await;
        assert_eq!(status["counts"], json!({"slots": {"Started": 1}, "runs": {"Succeeded": 1}}));
        // In the order in which they took effect. An Event may be on its way still: it decides nothing.
        let requests = story.requests();
        let start = requests
            .iter()
            .find(|it| it.verb == "create" && it.resource == "jobs" && it.name.starts_with("once-") && it.code == 201);
        let leaders = start.map(|it| it.credential.clone()).unwrap_or_default();
        let is_deed = |it: &&Request| it.is_write() && it.resource != "events" && it.credential == leaders;
        let writes: Vec<_> = requests.iter().filter(is_deed).collect();
        let last = writes.last().map(|it| (it.resource.as_str(), it.name.as_str()));
        assert_eq!(last, Some(("leases", "punctual")), "{writes:#?}");
    });
}

#[test]
fn while_the_clocks_disagree_nothing_is_decided() {
    story(async |story| {
        let before = story.operator("a").await;
        let first = story.tick("").await;
        story.until_condition("tick", "Ready", "True", "Scheduled").await;
        before.kill9().await;
        let proxy = story.proxy();
        proxy.rule(|_| Fault::Dated(600));
        let operator = story.operator_with("b", "", &proxy.server).await;
        let jobs = story.jobs_seen().len();
        story.leader(&[&operator]).await;
        let message = story.until_condition("tick", "ClockSkew", "True", "ClocksDisagree").await;
        assert!(message.contains("API server"), "{message}");
        assert!(operator.logged().contains("the clock is not to be believed"), "{}", operator.logged());
        assert_eq!(story.jobs_seen().len(), jobs);
        proxy.calm();
        story.tick_goes_on(&mut [], first, "the clocks agree again").await;
        let status = story.tick_is_whole(first).await;
        assert!(status["counts"]["slots"]["Coalesced"].as_i64() > Some(5), "{status}");
    });
}
