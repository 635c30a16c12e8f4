//! Random stories, held against the promises.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use punctual::api::Duration;
use punctual::api::ScheduleStatus;
use punctual::api::spec::{ConcurrencyPolicy, ScheduleSpec};
use punctual::api::status::Origin;
use punctual::decide::naming;
use punctual::time::Slot;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Creates, NAME};
use crate::job::{Behavior, Job};
use crate::times::Times;
use crate::world::World;

const BEGIN: &str = "2026-06-01T10:00:00Z";
/// After the end of every history.
const SOME_DAY: &str = "2026-07-01T00:00:00Z";

/// What happens after some time has passed.
#[derive(Clone, Debug)]
enum Act {
    StopOperator,
    StartOperator,
    CrashAfter(u32),
    Pause(bool),
    PauseFor(i64),
    EditTrigger(Value),
    EditOther,
    /// The same manifest is applied once more.
    ApplyAgain,
    /// A pause that nothing falls into.
    PauseAndResume,
    EditJitter(Value),
    NoMoreRetries,
    EditConcurrency(Value),
    EditMaxRuns(Value),
    Creates(Creates),
    DeleteAJob,
    HoldJobWatch(bool),
    RunNow(String),
    DeleteRun(String),
    CopyRun(String),
    KeepStatus,
    RestoreStatus,
}

/// What somebody does who puts back an older status, among other acts, while one operator leads.
fn act_of_restore() -> impl Strategy<Value = Act> {
    let creates = [Creates::Accepted, Creates::Accepted, Creates::QuotaExceeded];
    prop_oneof![
        4 => Just(Act::KeepStatus),
        4 => Just(Act::RestoreStatus),
        1 => any::<bool>().prop_map(Act::Pause),
        1 => trigger().prop_map(Act::EditTrigger),
        1 => concurrency().prop_map(Act::EditConcurrency),
        2 => prop::sample::select(creates.to_vec()).prop_map(Act::Creates),
        2 => run_name().prop_map(Act::RunNow),
    ]
}

/// Few names, so that some are used again.
fn run_name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["one", "two", "three"]).prop_map(str::to_owned)
}

fn trigger() -> impl Strategy<Value = Value> {
    let interval =
        |every: &str| json!({"interval": {"every": every, "startTime": "2026-06-01T00:00:00Z"}, "cron": null});
    let cron = |text: &str| json!({"cron": text, "interval": null});
    prop::sample::select(vec![
        interval("4s"),
        interval("15s"),
        interval("45s"),
        cron("* * * * *"),
        cron("*/3 * * * *"),
        cron("*/10 * * * *"),
    ])
}

fn jitter() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![Value::Null, json!("3s"), json!("50s"), json!("1h")])
}

fn catch_up() -> impl Strategy<Value = Value> {
    let policy = || prop::sample::select(vec!["None", "Latest", "Earliest", "All"]);
    let after_pause = prop::option::of(policy());
    let limit = prop::option::of(1..4);
    let max_age = prop::sample::select(vec![None, None, Some("3s"), Some("2m")]);
    let since = prop::sample::select(vec![
        None,
        None,
        Some("2026-06-01T10:01:30Z"),
        Some("2026-06-01T10:06:00Z"),
        Some(SOME_DAY),
    ]);
    (policy(), after_pause, limit, max_age, since).prop_map(|(policy, after_pause, limit, max_age, since)| {
        json!({"policy": policy, "afterPause": after_pause, "limit": limit, "maxAge": max_age, "since": since})
    })
}

fn concurrency() -> impl Strategy<Value = Value> {
    let limit = prop::sample::select(vec![Value::Null, json!(2), json!(3)]);
    let queue_limit = prop::sample::select(vec![Value::Null, json!(1), json!(4)]);
    let queue_full = prop::sample::select(vec![Value::Null, json!("DropOldest")]);
    let policy = prop::sample::select(vec!["Allow", "Forbid", "Replace", "Queue", "Queue"]);
    (policy, limit, queue_limit, queue_full).prop_map(|(policy, limit, queue_limit, queue_full)| match policy {
        "Allow" => json!({"policy": policy, "limit": null, "queueLimit": null, "queueFull": null}),
        "Queue" => json!({"policy": policy, "limit": limit, "queueLimit": queue_limit, "queueFull": queue_full}),
        _ => json!({"policy": policy, "limit": limit, "queueLimit": null, "queueFull": null}),
    })
}

fn max_runs() -> impl Strategy<Value = Value> {
    prop_oneof![2 => Just(Value::Null), 1 => (1..9).prop_map(|it| json!(it))]
}

fn spec() -> impl Strategy<Value = Value> {
    let deadline = prop::sample::select(vec![Value::Null, json!("3s"), json!("90s"), json!("5m")]);
    let retry = prop::sample::select(vec![
        Value::Null,
        json!({"limit": 1, "delay": "1s"}),
        json!({"limit": 2}),
        json!({"limit": 3, "delay": "30s", "maxDelay": "40s"}),
    ]);
    let failing = (retry, prop::sample::select(vec![Value::Null, json!(1), json!(3)]));
    (trigger(), jitter(), deadline, catch_up(), concurrency(), max_runs(), failing, 0..3, 0..3).prop_map(|(trigger, jitter, deadline, catch_up, concurrency, max_runs, (retry, pause_after), succeeded, failed)| {
        let template = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "work:1"}]}}}});
        let trigger = trigger.as_object().into_iter().flatten().filter(|it| !it.1.is_null());
        json!({
            "trigger": trigger.map(|(key, value)| (key.clone(), value.clone())).collect::<serde_json::Map<_, _>>(),
            "startingDeadline": deadline, "jitter": jitter, "catchUp": catch_up, "concurrency": concurrency, "maxRuns": max_runs,
            "retry": retry, "pauseAfterFailures": pause_after,
            "successfulJobsHistoryLimit": succeeded, "failedJobsHistoryLimit": failed, "resultTTL": "1d", "jobTemplate": template,
        })
    })
}

fn behavior() -> impl Strategy<Value = Behavior> {
    let seconds = |choices: &[u64]| prop::sample::select(choices.to_vec()).prop_map(Duration::from_seconds);
    let exit_codes = prop::collection::vec(0..2, 1..4);
    (seconds(&[1, 20, 70, 400]), exit_codes, seconds(&[0, 0, 15, 150]))
        .prop_map(|(takes, exit_codes, stops_in)| Behavior { takes, exit_codes, stops_in, ..Behavior::default() })
}

fn act() -> impl Strategy<Value = Act> {
    let creates = [Creates::Accepted, Creates::QuotaExceeded, Creates::Unanswered, Creates::UnansweredButCreated];
    prop_oneof![
        1 => Just(Act::StopOperator),
        3 => Just(Act::StartOperator),
        2 => (1..5_u32).prop_map(Act::CrashAfter),
        2 => any::<bool>().prop_map(Act::Pause),
        2 => (-20..60_i64).prop_map(Act::PauseFor),
        1 => Just(Act::NoMoreRetries),
        1 => trigger().prop_map(Act::EditTrigger),
        1 => Just(Act::EditOther),
        1 => Just(Act::ApplyAgain),
        1 => Just(Act::PauseAndResume),
        1 => jitter().prop_map(Act::EditJitter),
        1 => concurrency().prop_map(Act::EditConcurrency),
        1 => max_runs().prop_map(Act::EditMaxRuns),
        2 => prop::sample::select(creates.to_vec()).prop_map(Act::Creates),
        1 => Just(Act::DeleteAJob),
        1 => any::<bool>().prop_map(Act::HoldJobWatch),
        3 => run_name().prop_map(Act::RunNow),
        1 => run_name().prop_map(Act::DeleteRun),
        1 => run_name().prop_map(Act::CopyRun),
    ]
}

fn history() -> impl Strategy<Value = Vec<(i64, Act)>> {
    prop::collection::vec((prop_oneof![0..10_i64, 0..100_i64], act()), 1..14)
}

impl Act {
    fn take(&self, world: &mut World) {
        match self {
            Self::StopOperator if world.is_up() => world.stop_operator(),
            Self::StartOperator if !world.is_up() => world.start_operator(),
            Self::StopOperator | Self::StartOperator => {}
            Self::CrashAfter(writes) => world.crash_after(*writes),
            Self::Pause(paused) => world.edit(&json!({"paused": paused, "pauseUntil": null})),
            Self::PauseFor(seconds) => {
                let until = world.cluster.now + SignedDuration::from_secs(*seconds);
                world.edit(&json!({"paused": true, "pauseUntil": until}));
            }
            Self::NoMoreRetries => world.edit(&json!({"retry": null})),
            Self::EditTrigger(trigger) => world.edit(&json!({"trigger": trigger})),
            Self::EditJitter(jitter) => world.edit(&json!({"jitter": jitter})),
            Self::ApplyAgain => check_no_change(world, |world| world.edit(&json!({}))),
            Self::PauseAndResume if can_pause_unnoticed(world) => check_no_change(world, |world| {
                world.edit(&json!({"paused": true}));
                world.run_until(world.cluster.now);
                world.edit(&json!({"paused": null}));
            }),
            Self::PauseAndResume => {}
            Self::EditOther => world.edit(&json!({"resultLimit": 7})),
            Self::EditConcurrency(concurrency) => world.edit(&json!({"concurrency": concurrency})),
            Self::EditMaxRuns(max_runs) => world.edit(&json!({"maxRuns": max_runs})),
            Self::Creates(creates) => world.cluster.creates = *creates,
            Self::DeleteAJob => {
                // One whose start is not recorded yet would start again: nobody could know of it.
                let recorded = world.cluster.schedule.status["active"].to_string();
                let is_known = |job: &&crate::job::Job| job.is_at_work() && recorded.contains(&job.uid);
                let at_work = world.cluster.jobs.values().find(is_known).and_then(crate::job::Job::slot);
                at_work.into_iter().for_each(|slot| world.delete_job(slot));
            }
            Self::HoldJobWatch(hold) => world.hold_job_watch(*hold),
            Self::RunNow(name) if !world.cluster.schedule_runs.contains_key(name) => world.create_run(name),
            Self::DeleteRun(name) if !is_retrying(world, name) => world.delete_run(name),
            Self::CopyRun(name) if world.cluster.schedule_runs.contains_key(name) && !is_retrying(world, name) => {
                world.copy_run(name);
            }
            Self::KeepStatus => world.keep_status(),
            // An empty one is the status of a Schedule that was never seen.
            Self::RestoreStatus => world.restore_status(),
            Self::RunNow(_) | Self::DeleteRun(_) | Self::CopyRun(_) => {}
        }
    }
}

/// Whether the operator is at rest, and nothing else pauses the Schedule or did so until an instant.
fn can_pause_unnoticed(world: &World) -> bool {
    let (spec, status) = (&world.cluster.schedule.spec, &world.cluster.schedule.status);
    let is_paused = spec["paused"] == true || !status["pauses"].is_null();
    world.is_up() && world.cluster.writes_until_crash.is_none() && !is_paused
}

/// Something happens that must change nothing: no Job starts or goes, and status says what it said,
/// but for when that was so and for which generation.
fn check_no_change(world: &mut World, act: impl FnOnce(&mut World)) {
    let seen = |world: &World| {
        let mut status = world.cluster.schedule.status.clone();
        let conditions = status["conditions"].as_array_mut().into_iter().flatten();
        conditions.for_each(|it| it["lastTransitionTime"] = Value::Null);
        remove_generations(&mut status);
        let jobs: Vec<String> = world.cluster.jobs.keys().cloned().collect();
        (status, jobs, world.cluster.created.len(), world.wake())
    };
    let before = seen(world);
    act(world);
    world.run_until(world.cluster.now);
    let after = seen(world);
    if before != after {
        world.complaints.push(format!("nothing was to change, and yet:\nfrom {before:?}\nto   {after:?}"));
    }
}

fn remove_generations(value: &mut Value) {
    for (name, value) in value.as_object_mut().into_iter().flatten() {
        if name == "observedGeneration" || name == "templateCheckedGeneration" {
            *value = Value::Null;
        }
        remove_generations(value);
        value.as_array_mut().into_iter().flatten().for_each(remove_generations);
    }
}

/// What was deleted while its create was not answered is known only once the watch shows its Job.
fn is_retrying(world: &World, name: &str) -> bool {
    world.cluster.schedule_runs.get(name).is_some_and(|it| it.read_status().state.as_deref() == Some("Retrying"))
}

/// Plays a history, and then lets everything come to its end.
fn play(spec: Value, behavior: Behavior, history: &[(i64, Act)]) -> World {
    let begin: Timestamp = BEGIN.parse().expect("a time");
    let mut world =
        World::new(Cluster::new(begin, spec, behavior, BTreeMap::new()), Times::on("2026-06-01").expect("a date"));
    let pass =
        |world: &mut World, seconds: i64| world.run_until(world.cluster.now + SignedDuration::from_secs(seconds));
    for (seconds, act) in history {
        pass(&mut world, *seconds);
        act.take(&mut world);
        pass(&mut world, 0);
    }
    world.cluster.writes_until_crash = None;
    pass(&mut world, 0);
    let end = [Act::HoldJobWatch(false), Act::Creates(Creates::Accepted), Act::Pause(false), Act::StartOperator];
    end.iter().for_each(|act| act.take(&mut world));
    world.edit(&json!({"pauseAfterFailures": null}));
    pass(&mut world, 310);
    world
}

/// Every slot from the first mark to the last was told of exactly once, or still waits. Of an old
/// trigger's last slots nobody can tell how many there were: the range that says so is enough. While
/// maxRuns is reached there are no slots.
fn check_every_slot_is_told(world: &World) -> Result<(), TestCaseError> {
    let status: ScheduleStatus = serde_json::from_value(world.cluster.schedule.status.clone()).expect("a status");
    let mark = Slot::floor(status.decided_through.expect("a mark").0);
    let waiting: BTreeSet<Slot> = status.pending.iter().filter_map(|it| it.origin.slot()).collect();
    let eras = &world.ledger.eras;
    for (index, era) in eras.iter().enumerate() {
        let Some(trigger) = &era.trigger else { continue };
        let through = eras.get(index + 1).map_or(mark, |next| next.since);
        let is_gone = |slot: &Slot| world.ledger.gaps.iter().any(|(after, to)| after < slot && slot <= to);
        for slot in trigger.between(era.since, through, 100_000).into_iter().filter(|slot| !is_gone(slot)) {
            let told: Vec<_> = world.ledger.told.iter().filter(|it| it.first <= slot && slot <= it.last).collect();
            let exactly = told.iter().filter(|it| it.count.is_some()).count() + usize::from(waiting.contains(&slot));
            let is_told = exactly == 1 || (exactly == 0 && !told.is_empty());
            let words: Vec<&str> = told.iter().map(|it| it.what.as_str()).collect();
            prop_assert!(is_told, "{}: {words:?}\n{}", slot.timestamp(), world.log.join("\n"));
        }
        if index + 1 == eras.len() && status.max_runs_reached.is_none() {
            let next = world.planned_start_after(mark);
            prop_assert!(
                next.is_none_or(|next| next > Slot::floor(world.cluster.now)),
                "{next:?} is not decided\n{}",
                world.log.join("\n")
            );
        }
    }
    Ok(())
}

fn check_starts(world: &World) -> Result<(), TestCaseError> {
    let mut seen = BTreeSet::new();
    let mut last_attempts = BTreeMap::new();
    for job in &world.cluster.created {
        let (at, name) = (job.created, &job.name);
        prop_assert!(seen.insert(name), "{name} was created twice\n{}", world.log.join("\n"));
        let before = last_attempts.insert(naming::split(name).0, job.attempt()).unwrap_or(0);
        prop_assert_eq!(job.attempt(), before + 1, "{} is out of turn\n{}", name, world.log.join("\n"));
        // Others were asked for by hand.
        let Some(slot) = job.slot().filter(|_| before == 0) else { continue };
        let era = world.ledger.eras.iter().rev().find(|era| era.since.timestamp() < at);
        prop_assert!(
            era.is_none_or(|era| slot > era.since),
            "{name} is from before its epoch\n{}",
            world.log.join("\n")
        );
        prop_assert!(slot.timestamp() <= at, "{name} started too early\n{}", world.log.join("\n"));
        let since = world.cluster.schedule.spec["catchUp"]["since"].as_str().map(|it| it.parse().expect("a time"));
        prop_assert!(
            since.is_none_or(|since| slot.timestamp() >= since),
            "{name} is from before catchUp.since\n{}",
            world.log.join("\n")
        );
    }
    Ok(())
}

/// What was asked for by hand is over or under way, and its outcome says whether it has ever run.
fn check_runs_by_hand(world: &World) -> Result<(), TestCaseError> {
    let status: ScheduleStatus = serde_json::from_value(world.cluster.schedule.status.clone()).expect("a status");
    let schedule = &world.cluster.schedule.uid;
    for (name, run) in &world.cluster.schedule_runs {
        let told = run.read_status();
        let log = world.log.join("\n");
        let created = Slot::floor(run.created);
        let job = naming::job_name_of_run(NAME, schedule, created, &run.uid);
        let has_run = world.cluster.created.iter().any(|it| it.name == job);
        let is_it = |origin: &Origin| *origin == Origin::ScheduleRun(name.clone());
        let is_under_way = status.active.iter().any(|it| naming::is_same_run(&it.job_name, &job))
            || status.pending.iter().any(|it| is_it(&it.origin));
        match told.outcome.filter(|_| told.uid.as_ref() == Some(&run.uid)) {
            None => prop_assert!(is_under_way || told.uid.as_ref() != Some(&run.uid), "{name} is forgotten\n{log}"),
            Some(outcome) => {
                prop_assert!(!is_under_way, "{name} is {outcome} and under way\n{log}");
                prop_assert_eq!(outcome.is_of_run(), has_run, "{} is {}\n{}", name, outcome, log);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nothing_starts_twice_when_an_older_status_is_put_back(
        spec in spec(),
        behavior in behavior(),
        history in prop::collection::vec((0..200_i64, act_of_restore()), 1..10),
    ) {
        let history: Vec<(i64, Act)> = [(1, Act::KeepStatus)].into_iter().chain(history).collect();
        let world = play(spec.clone(), behavior, &history);
        prop_assert!(world.complaints.is_empty(), "{}\n{}", world.log.join("\n"), world.complaints.join("\n"));
        check_starts(&world)?;
        let at_once = specs_of(&spec, &history).iter().map(ScheduleSpec::concurrency_limit).max().unwrap_or_default();
        prop_assert!(world.most_at_work <= at_once, "{}\n{}", world.most_at_work, world.log.join("\n"));
    }

    #[test]
    fn every_history_keeps_the_promises(spec in spec(), behavior in behavior(), history in history()) {
        let specs = specs_of(&spec, &history);
        let world = play(spec, behavior, &history);
        prop_assert!(world.complaints.is_empty(), "{}\n{}", world.log.join("\n"), world.complaints.join("\n"));
        check_starts(&world)?;
        check_runs_by_hand(&world)?;
        check_every_slot_is_told(&world)?;
        check_limits(&world, &specs)?;
    }
}

/// The spec in all its versions, each with the fields that limit runs.
fn specs_of(spec: &Value, history: &[(i64, Act)]) -> Vec<ScheduleSpec> {
    let mut spec = spec.clone();
    let mut all = vec![spec.clone()];
    for (_, act) in history {
        match act {
            Act::EditConcurrency(concurrency) => spec["concurrency"] = concurrency.clone(),
            Act::EditMaxRuns(max_runs) => spec["maxRuns"] = max_runs.clone(),
            _ => continue,
        }
        all.push(spec.clone());
    }
    all.into_iter().map(|spec| serde_json::from_value(spec).expect("a spec")).collect()
}

/// Never more runs were at work at once, nor planned, than some version of the spec allows; and a
/// queue was never overtaken.
fn check_limits(world: &World, specs: &[ScheduleSpec]) -> Result<(), TestCaseError> {
    let log = || world.log.join("\n");
    let at_once = specs.iter().map(ScheduleSpec::concurrency_limit).max().unwrap_or_default();
    prop_assert!(world.most_at_work <= at_once, "{} at once, not {at_once}\n{}", world.most_at_work, log());
    if let Some(most) = specs.iter().map(|spec| spec.max_runs).collect::<Option<Vec<i32>>>() {
        let most = most.into_iter().max().and_then(|it| usize::try_from(it).ok()).unwrap_or_default();
        let count = slots_started(world).len();
        prop_assert!(count <= most, "{count} runs, not {most}\n{}", log());
    }
    if specs.iter().all(|spec| spec.concurrency_policy() == ConcurrencyPolicy::Queue) {
        prop_assert!(slots_started(world).is_sorted(), "overtaken\n{}", log());
    }
    Ok(())
}

/// The slots that started, in the order in which they did.
fn slots_started(world: &World) -> Vec<Slot> {
    world.cluster.created.iter().filter(|job| job.attempt() == 1).filter_map(Job::slot).collect()
}

/// The same histories in every run of the suite, so that it says the same of the same code;
/// `PROPTEST_CASES` asks for so many others.
fn config() -> ProptestConfig {
    let asked_for = std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok());
    let config = ProptestConfig { failure_persistence: None, max_shrink_iters: 150, ..ProptestConfig::default() };
    match asked_for {
        Some(cases) => ProptestConfig { cases, ..config },
        None => ProptestConfig { cases: 64, rng_seed: RngSeed::Fixed(1), ..config },
    }
}
