use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{FAMILIES, Metrics, Pass, STATES, Standing};
use crate::api::status::{ActiveRun, Origin, Outcome, RunState};
use crate::decide::plan::{Adopted, BackedOff, Plan, Reason, RunEnd, Settled, Start};
use crate::invariants::Invariant;
use crate::report::happened::{Happened, StartEnd};
use crate::time::Slot;

/// The samples, by name and labels.
fn samples(metrics: &Metrics) -> BTreeMap<String, f64> {
    let text = metrics.encode().expect("text");
    let rows = text.lines().filter(|it| !it.starts_with('#')).filter_map(|it| it.rsplit_once(' '));
    rows.map(|(name, value)| (name.to_owned(), value.parse().expect("a number"))).collect()
}

fn at(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(millisecond).expect("in range")
}

fn slot(second: i64) -> Slot {
    Slot::from_unix_seconds(second)
}

fn settled(outcome: Outcome, count: Option<u64>) -> Settled {
    Settled { first: slot(0), last: slot(60), count, outcome, reason: Reason::CatchUpLatest, into: None }
}

fn start() -> Start {
    Start {
        origin: Origin::of_slot(slot(60)),
        attempt: 1,
        job_name: "job".into(),
        job: serde_json::Value::Null.into(),
        refused_since: None,
    }
}

#[test]
fn the_registry_holds_every_family_of_the_table_and_nothing_else() {
    let metrics = Metrics::new();
    metrics.request("get", "jobs", Some(200), 0.1);
    let text = metrics.encode().expect("text");
    let mut shown = BTreeSet::new();
    let mut help = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, said)) = line.strip_prefix("# HELP ").and_then(|it| it.split_once(' ')) {
            help.insert(name, said.trim_end_matches('.').to_owned());
        }
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|it| it.split_once(' ')) {
            let total = if kind == "counter" { "_total" } else { "" };
            assert!(shown.insert((format!("{name}{total}"), kind.to_owned(), help[name].clone())), "{name} twice");
        }
    }
    let table: BTreeSet<_> = FAMILIES.iter().map(|it| (it.0.to_owned(), it.1.to_owned(), it.2.to_owned())).collect();
    assert_eq!(shown, table);
    assert_eq!(table.len(), FAMILIES.len());
}

#[test]
fn the_documented_table_is_the_one_of_the_code() {
    let text = include_str!("../../../docs/metrics.md");
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|it| it.trim().trim_matches('`').to_owned()).collect();
    let rows: Vec<Vec<String>> = text.lines().filter(|it| it.starts_with("| `")).map(cells).collect();
    let documented: Vec<(&str, &str, &str)> =
        rows.iter().map(|row| (row[0].as_str(), row[1].as_str(), row[3].as_str())).collect();
    assert_eq!(documented, FAMILIES);
}

#[test]
fn documents_name_no_metric_and_no_outcome_that_does_not_exist() {
    let text = concat!(include_str!("../../../docs/metrics.md"), include_str!("../../../docs/events.md"));
    for word in text.split(|it: char| !it.is_alphanumeric() && it != '_').filter(|it| it.starts_with("punctual_")) {
        let is_known = |name: &str| FAMILIES.iter().any(|it| it.0 == name);
        let bare = word.strip_suffix("_bucket").unwrap_or(word);
        assert!(is_known(bare) || word == "punctual_", "{word}");
    }
    let matched = text.split("outcome=~\"").nth(1).and_then(|it| it.split('"').next()).expect("an alert on outcomes");
    for word in matched.split('|') {
        assert!(Outcome::ALL.iter().any(|it| it.as_str() == word), "{word}");
    }
}

#[test]
fn every_invariant_is_explained() {
    let text = include_str!("../../../docs/metrics.md");
    let (_, table) = text.split_once("| invariant | what was seen |").expect("a table");
    let words = table.lines().skip(2).map_while(|it| it.strip_prefix("| ")?.split(" |").next());
    assert!(words.eq(Invariant::ALL.iter().map(|it| it.as_str())), "{table}");
}

#[test]
fn the_labels_in_the_documents_are_those_of_the_series() {
    let metrics = Metrics::new();
    metrics.request("get", "jobs", Some(200), 0.1);
    let shown = samples(&metrics);
    for row in include_str!("../../../docs/metrics.md").lines().filter(|it| it.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = cells[1].trim_matches('`');
        let labels: Vec<&str> =
            cells[3].split(", ").map(|it| it.trim_matches('`')).filter(|it| !it.is_empty()).collect();
        let is_of_it =
            |it: &&String| it.strip_prefix(name).is_some_and(|it| it.is_empty() || it.starts_with(['{', '_']));
        let sample = shown.keys().find(is_of_it).unwrap_or_else(|| unreachable!("{name} has no sample"));
        let found: Vec<&str> =
            sample.split(['{', ',']).skip(1).filter_map(|it| it.split_once('=')).map(|it| it.0).collect();
        let found: Vec<&str> = found.into_iter().filter(|it| *it != "le").collect();
        assert_eq!(found, labels, "{sample}");
    }
}

#[test]
fn series_with_known_labels_are_there_from_the_start() {
    let shown = samples(&Metrics::new());
    let run_outcomes = ["Succeeded", "Failed", "TimedOut", "Replaced", "Deleted", "Lost"];
    for outcome in Outcome::ALL {
        let of_run = shown.get(&format!("punctual_runs_total{{outcome=\"{outcome}\"}}"));
        let of_slot = shown.get(&format!("punctual_slots_total{{outcome=\"{outcome}\"}}"));
        let expected = if run_outcomes.contains(&outcome.as_str()) { (Some(&0.0), None) } else { (None, Some(&0.0)) };
        assert_eq!((of_run, of_slot), expected, "{outcome}");
    }
    for state in STATES {
        assert_eq!(shown[&format!("punctual_schedules{{state=\"{state}\"}}")], 0.0);
    }
    for invariant in Invariant::ALL {
        assert_eq!(shown[&format!("punctual_invariant_violations_total{{invariant=\"{}\"}}", invariant.as_str())], 0.0);
    }
    for pass in Pass::ALL {
        assert_eq!(shown[&format!("punctual_reconciles_total{{result=\"{}\"}}", pass.as_str())], 0.0);
    }
    assert!(shown.keys().any(|it| it.starts_with("punctual_build_info{version=\"") && it.contains("tzdata=\"20")));
}

#[test]
fn a_stored_plan_is_counted_by_what_came_of_it() {
    let run = ActiveRun {
        origin: Origin::Slot(Time(at(0))),
        job_name: "job".into(),
        job_uid: "uid".into(),
        attempt: 1,
        state: RunState::Running,
        start_time: Time(at(1_000)),
        next_attempt_time: None,
        last_attempt: None,
        reason: None,
        stop_reason: None,
        waiting: None,
    };
    let end = RunEnd { run, outcome: Outcome::TimedOut, reason: None, exit_code: None, message: None, at: at(91_000) };
    let adopted = |is_of_known_run| Adopted {
        origin: Origin::of_slot(slot(0)),
        job_name: "adopted".into(),
        late_create: false,
        attempt: 1 + u32::from(is_of_known_run),
        is_of_known_run,
    };
    let plan = Plan {
        settled: vec![settled(Outcome::Coalesced, Some(41)), settled(Outcome::Superseded, None)],
        adopted: vec![adopted(false), adopted(true)],
        backed_off: vec![BackedOff { end: end.clone(), next: at(100_000) }],
        ended: vec![end],
        ..Plan::default()
    };
    let created = StartEnd::Created { job_uid: "uid".into(), created: at(60_000) };
    let refused = StartEnd::Refused { message: "no".into() };
    let blocked = StartEnd::Blocked { reason: "QuotaExceeded", message: "later".into() };
    let second = (Start { attempt: 2, ..start() }, created.clone());
    let mut starts = [created, refused, StartEnd::NameTaken, blocked].map(|end| (start(), end)).to_vec();
    starts.push(second);
    let metrics = Metrics::new();
    metrics.record_report(&plan, &Happened { starts, ..Happened::default() }, at(60_500));

    let shown = samples(&metrics);
    let slots = |outcome: &str| shown[&format!("punctual_slots_total{{outcome=\"{outcome}\"}}")];
    let counts = ["Coalesced", "Superseded", "Started", "FailedToCreate", "SkippedLate"].map(slots);
    assert_eq!(counts, [41.0, 1.0, 2.0, 2.0, 0.0]);
    assert_eq!(shown["punctual_runs_total{outcome=\"TimedOut\"}"], 1.0);
    assert_eq!(shown["punctual_retried_attempts_total{outcome=\"TimedOut\"}"], 1.0);
    assert_eq!(shown["punctual_run_duration_seconds_sum"], 90.0);
    assert_eq!(shown["punctual_last_start_timestamp_seconds"], 60.5);
}

#[test]
fn a_plan_without_a_start_leaves_the_time_of_the_last_one() {
    let metrics = Metrics::new();
    metrics.record_report(&Plan::default(), &Happened::default(), at(1_000));
    assert_eq!(samples(&metrics)["punctual_last_start_timestamp_seconds"], 0.0);
}

#[test]
fn both_delays_run_from_the_planned_start_and_never_below_zero() {
    let metrics = Metrics::new();
    metrics.start_answered(at(60_000), at(60_020), at(60_250));
    metrics.start_answered(at(120_000), at(119_000), at(120_250));
    let shown = samples(&metrics);
    assert_eq!(shown["punctual_start_own_delay_seconds_sum"], 0.02);
    assert_eq!(shown["punctual_start_delay_seconds_sum"], 0.5);
    assert_eq!(shown["punctual_start_delay_seconds_bucket{le=\"0.001\"}"], 0.0);
    assert_eq!(shown["punctual_start_delay_seconds_bucket{le=\"600.0\"}"], 2.0);
}

#[test]
fn a_state_nobody_knows_shares_one_series_and_empty_ones_fall_back_to_zero() {
    let metrics = Metrics::new();
    let standing = |state| Standing { state, active_runs: 2, pending_slots: 1 };
    metrics.overview([standing(Some("Vaporised")), standing(Some("Bored")), standing(None)]);
    let shown = samples(&metrics);
    assert_eq!(shown["punctual_schedules{state=\"Other\"}"], 2.0);
    assert_eq!(shown["punctual_schedules{state=\"Pending\"}"], 1.0);
    assert_eq!((shown["punctual_active_runs"], shown["punctual_pending_slots"]), (6.0, 3.0));
    metrics.overview([]);
    let shown = samples(&metrics);
    assert_eq!((shown["punctual_schedules{state=\"Other\"}"], shown["punctual_active_runs"]), (0.0, 0.0));
    assert_eq!(shown.keys().filter(|it| it.starts_with("punctual_schedules{")).count(), STATES.len());
}

#[test]
fn an_outcome_of_another_version_makes_no_series_of_its_own() {
    let metrics = Metrics::new();
    metrics.slot(&Outcome::Other("Vaporised".into()), 1);
    let shown = samples(&metrics);
    assert_eq!(shown["punctual_slots_total{outcome=\"Other\"}"], 1.0);
    assert!(!shown.keys().any(|it| it.contains("Vaporised")));
}

#[test]
fn a_request_is_counted_by_its_status_and_one_without_an_answer_as_none() {
    let metrics = Metrics::new();
    metrics.request("create", "jobs", Some(201), 0.2);
    metrics.request("create", "jobs", None, 30.0);
    metrics.request("create", "jobs", Some(0), 1.0);
    let shown = samples(&metrics);
    let count = |code: &str| {
        shown[&format!("punctual_api_requests_total{{verb=\"create\",resource=\"jobs\",code=\"{code}\"}}")]
    };
    assert_eq!((count("201"), count("none")), (1.0, 2.0));
    assert_eq!(shown["punctual_api_request_duration_seconds_count{verb=\"create\",resource=\"jobs\"}"], 3.0);
}

#[test]
fn gauges_and_counters_say_what_they_were_told() {
    let metrics = Metrics::new();
    metrics.leading(Some(29_000_001));
    metrics.clone().queue_depth(7);
    metrics.run_leases(3);
    metrics.clock_skewed(true);
    metrics.event_dropped();
    metrics.watch_restarted("jobs");
    metrics.reconciled(Pass::Conflict, 0.004);
    let shown = samples(&metrics);
    assert_eq!((shown["punctual_leader"], shown["punctual_leader_term"]), (1.0, 29_000_001.0));
    assert_eq!((shown["punctual_queue_depth"], shown["punctual_run_leases"]), (7.0, 3.0));
    assert_eq!((shown["punctual_clock_skewed"], shown["punctual_events_dropped_total"]), (1.0, 1.0));
    assert_eq!(shown["punctual_watch_restarts_total{resource=\"jobs\"}"], 1.0);
    assert_eq!(shown["punctual_reconciles_total{result=\"Conflict\"}"], 1.0);
    metrics.leading(None);
    metrics.clock_skewed(false);
    let shown = samples(&metrics);
    assert_eq!(
        (shown["punctual_leader"], shown["punctual_leader_term"], shown["punctual_clock_skewed"]),
        (0.0, 0.0, 0.0)
    );
}
