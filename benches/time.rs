//! How long `next` takes for each kind of trigger, beside the Go library of a CronJob in the same run
//! where it knows the text, and the longest single call found. `make bench-time` runs it.
//!
//! Both sides take turns, and the fastest round of each counts: other work on the machine only adds
//! to the time.

#![expect(clippy::print_stdout, reason = "what was measured is what it is run for")]

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use punctual::time::{Context, Search, Slot, Trigger};
use serde_json::{Value, json};

/// Calls in one round, from slot to slot.
const CALLS: u32 = 1_000;
const ROUNDS: usize = 20;
/// How often both sides have their turn.
const TURNS: usize = 3;
/// Searches start here, 2026-05-28, and again when a trigger has no more slots.
const START: i64 = 1_780_000_000;

/// What people write most.
const EVERYDAY: &[&str] = &[
    "* * * * *",
    "*/5 * * * *",
    "*/15 * * * *",
    "0 * * * *",
    "30 2 * * *",
    "0 0 * * *",
    "0 */6 * * *",
    "0 9 * * 1-5",
    "0 0 * * 0",
    "0 0 1 * *",
    "*/5 9-17 * * 1-5",
    "0 4 8-14 * *",
    "15 14 1 * *",
    "0 0,12 1 */2 *",
];
/// Far from each other, or never.
const RARE: &[&str] = &["0 0 29 2 *", "0 0 31 * *", "0 0 13 * 5", "0 0 30 2 *"];
const ZONES: &[&str] = &["UTC", "America/New_York"];

fn main() {
    let pairs = |texts: &[&'static str]| -> Vec<(&'static str, &'static str)> {
        texts.iter().flat_map(|text| ZONES.iter().map(move |zone| (*text, *zone))).collect()
    };
    let everyday = beside_the_library("everyday texts", &pairs(EVERYDAY));
    beside_the_library("rare texts", &pairs(RARE));
    let mut ratios = everyday;
    ratios.sort_by(f64::total_cmp);
    if let Some(median) = ratios.get(ratios.len() / 2) {
        println!("\nmedian over everyday texts: {median:.2} of the library's time");
    }
    every_kind();
}

/// Measures texts here and there in turn, and prints them side by side. Answers the ratios.
fn beside_the_library(title: &str, pairs: &[(&str, &str)]) -> Vec<f64> {
    let trigger =
        |(text, zone): &(&str, &str)| parse(&json!({"cron": text, "timeZone": zone, "daylightSaving": "WallClock"}));
    let triggers: Vec<Trigger> = pairs.iter().map(trigger).collect();
    let (mut ours, mut theirs) = (vec![f64::INFINITY; pairs.len()], vec![f64::INFINITY; pairs.len()]);
    for _ in 0..TURNS {
        keep_fastest(&mut theirs, library(pairs).unwrap_or_default());
        keep_fastest(&mut ours, triggers.iter().map(nanoseconds));
    }
    println!("\n{title:<44} {:>9} {:>9} {:>7}", "ours", "library", "ratio");
    let rows = pairs.iter().zip(ours.into_iter().zip(theirs)).map(|((text, zone), (ours, theirs))| {
        let name = format!("{text}  {zone}");
        if theirs.is_infinite() {
            println!("{name:<44} {ours:>6.0} ns  (no Go toolchain)");
            return None;
        }
        println!("{name:<44} {ours:>6.0} ns {theirs:>6.0} ns {:>7.2}", ours / theirs);
        Some(ours / theirs)
    });
    rows.flatten().collect()
}

fn keep_fastest(kept: &mut [f64], measured: impl IntoIterator<Item = f64>) {
    kept.iter_mut().zip(measured).for_each(|(kept, measured)| *kept = kept.min(measured));
}

/// The Go program beside the tests measures the same texts.
fn library(pairs: &[(&str, &str)]) -> Option<Vec<f64>> {
    let mut go = Command::new("go");
    go.args(["run", ".", "bench", &START.to_string(), &CALLS.to_string()]);
    go.args(pairs.iter().flat_map(|(text, zone)| [*text, *zone]));
    let output = go.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/time/robfig")).output().ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

fn every_kind() {
    println!("\n{:<62} {:>9} {:>9} {:>10}", "every kind of trigger", "next", "prev", "longest");
    let mut longest = (Duration::ZERO, String::new());
    for (name, spec) in kinds() {
        let trigger = parse(&spec);
        let (next, prev) = (nanoseconds(&trigger), nanoseconds_back(&trigger));
        let worst = longest_call(&trigger);
        println!("{name:<62} {next:>6.0} ns {prev:>6.0} ns {:>7} µs", worst.as_micros());
        longest = longest.max((worst, name.to_owned()));
    }
    println!("\nlongest call: {} µs, {}", longest.0.as_micros(), longest.1);
}

fn kinds() -> Vec<(&'static str, Value)> {
    let zone = "America/New_York";
    let weekends = json!([{"name": "weekends", "cron": "* * * * 0,6"}]);
    vec![
        ("cron, run once", json!({"cron": "30 2 * * *", "timeZone": zone})),
        ("cron, six fields", json!({"cron": "*/10 * * * * *", "timeZone": zone})),
        ("cron, last workday", json!({"cron": "0 9 LW * *", "timeZone": zone})),
        ("cron, second Tuesday", json!({"cron": "0 9 * * 2#2", "timeZone": zone})),
        ("fields, last Sunday", json!({"fields": {"day": "last sun", "hour": 9}, "timeZone": zone})),
        ("fields, week 53 on a Monday", json!({"fields": {"week": 53, "dayOfWeek": "mon"}, "timeZone": zone})),
        ("fields, a year long ago", json!({"fields": {"year": "1970,9998", "hour": 9}, "timeZone": zone})),
        ("interval", json!({"interval": {"every": "90m", "startTime": "2026-01-01T00:00:00Z"}})),
        ("calendar, every second week", json!({"calendar": {"weeks": 2, "startDate": "2026-01-05"}, "timeZone": zone})),
        (
            "calendar, months and days",
            json!({"calendar": {"months": 1, "days": 1, "startDate": "1970-01-31"}, "timeZone": zone}),
        ),
        ("at", json!({"at": ["2026-12-24T18:00:00Z", "2027-12-24T18:00:00Z"]})),
        ("anyOf two", json!({"anyOf": [{"cron": "0 9 * * 1-5"}, {"cron": "0 11 * * 0,6"}], "timeZone": zone})),
        ("allOf, Friday the 13th", json!({"allOf": [{"cron": "0 0 13 * *"}, {"cron": "0 0 * * 5"}], "timeZone": zone})),
        (
            "allOf, every two weeks on weekdays",
            json!({"allOf": [{"calendar": {"days": 14, "startDate": "2026-01-01"}}, {"cron": "0 0 * * 1-5"}], "timeZone": zone}),
        ),
        (
            "allOf, every 397 s and at half past",
            json!({"allOf": [{"interval": {"every": "397s", "startTime": "2026-01-01T00:00:00Z"}}, {"cron": "30 * * * *"}], "timeZone": zone}),
        ),
        (
            "allOf that never meets, two zones",
            json!({"allOf": [{"cron": "0 9 * * *", "timeZone": "Asia/Tokyo"}, {"cron": "0 9 * * *"}], "timeZone": zone}),
        ),
        (
            "allOf that never meets, interval",
            json!({"allOf": [{"interval": {"every": "1h", "startTime": "2026-01-01T00:10:00Z"}}, {"cron": "30 * * * *"}], "timeZone": zone}),
        ),
        (
            "allOf that hardly ever meets",
            json!({"allOf": [{"interval": {"every": "86399s", "startTime": "2026-01-01T00:00:00Z"}}, {"cron": "30 2 29 2 *"}], "timeZone": zone}),
        ),
        ("exclude weekends, drop", json!({"cron": "0 9 * * *", "timeZone": zone, "exclude": weekends})),
        (
            "exclude weekends, next day",
            json!({"cron": "0 9 1 * *", "timeZone": zone, "exclude": weekends, "onExcluded": "NextDay"}),
        ),
        (
            "exclude all but weekends from every second, next day",
            json!({"cron": "* * * * * *", "timeZone": zone, "exclude": [{"name": "week", "cron": "* * * * 1-5"}], "onExcluded": "NextDay"}),
        ),
        (
            "exclude Januaries, next day, from some seconds of their Sundays",
            json!({"cron": "* */56 0 1 1 0", "timeZone": "Australia/Lord_Howe", "exclude": [{"name": "a", "cron": "* 0 * 1 *"}], "onExcluded": "NextDay"}),
        ),
        (
            "exclude everything, day by day",
            json!({"cron": "0 9 * * *", "timeZone": zone, "exclude": [{"name": "a", "cron": "* 9 * * 1-5"}, {"name": "b", "cron": "* 9 * * 0,6"}]}),
        ),
    ]
}

fn parse(spec: &Value) -> Trigger {
    let context = Context { creation: Slot::from_unix_seconds(START), namespace: "shop", name: "report" };
    let parsed = serde_json::from_value(spec.clone()).map(|spec| Trigger::parse(&spec, &context));
    parsed.expect("a trigger").expect("a trigger that can be understood")
}

/// Nanoseconds a call, going from slot to slot.
fn nanoseconds(trigger: &Trigger) -> f64 {
    let start = Slot::from_unix_seconds(START);
    least(|| {
        let mut at = start;
        for _ in 0..CALLS {
            at = black_box(trigger).next(at).slot().unwrap_or(start);
        }
    })
}

fn nanoseconds_back(trigger: &Trigger) -> f64 {
    let start = Slot::from_unix_seconds(START);
    least(|| {
        let mut at = start;
        for _ in 0..CALLS {
            at = black_box(trigger).prev(at).slot().unwrap_or(start);
        }
    })
}

fn least(round: impl Fn()) -> f64 {
    let timed = |()| {
        let began = Instant::now();
        round();
        began.elapsed()
    };
    let least = std::iter::repeat_n((), ROUNDS).map(timed).min().unwrap_or_default();
    least.as_secs_f64() * 1e9 / f64::from(CALLS)
}

/// The longest call from instants all over the calendar and at some slots: of several tries at each,
/// the shortest.
fn longest_call(trigger: &Trigger) -> Duration {
    let (first, last) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let instants = (0..200).map(|index| first + (last - first) / 200 * index).chain([START, first - 1, last]);
    let slots = std::iter::successors(Some(Slot::from_unix_seconds(START)), |at| trigger.next(*at).slot()).take(100);
    let calls = instants.map(Slot::from_unix_seconds).chain(slots).map(|at| {
        let tries = (0..5).map(|_| {
            let began = Instant::now();
            let found: (Search, Search) = (trigger.next(at), trigger.prev(at));
            black_box(found);
            began.elapsed() / 2
        });
        tries.min().unwrap_or_default()
    });
    calls.max().unwrap_or_default()
}
