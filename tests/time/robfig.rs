//! `cron` against the library that a CronJob uses, github.com/robfig/cron/v3: whether a text is
//! understood, and when it comes next, on texts, zones and instants at random. The Go program beside
//! this file asks the library.
//!
//! `ROBFIG_CASES=2000000 ROBFIG_SEED=7 cargo test --release --test time robfig -- --nocapture` asks
//! for more; the same seed makes the same cases.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use punctual::time::{Search, Slot, Trigger};
use serde::Deserialize;
use serde_json::json;

use super::parse;

/// Zones with changes at which the library does not go by what the clock shows, and why. There a slot
/// that differs is compared with a clock that is looked at; everywhere else it has to be the library's.
const ODD_ZONES: &[(&str, &str)] = &[
    ("Africa/Cairo", "a change at midnight"),
    ("America/Havana", "a change at midnight"),
    ("America/Nuuk", "a change that ends at midnight"),
    ("America/Santiago", "a change at midnight"),
    ("America/Sao_Paulo", "a change at midnight"),
    ("Antarctica/Troll", "a change of two hours"),
    ("Asia/Beirut", "a change at midnight"),
    ("Asia/Tehran", "a change at midnight"),
    ("Australia/Lord_Howe", "a change of half an hour"),
    ("Pacific/Chatham", "a change at a quarter to an hour"),
];
/// The library finds nothing that is further away.
const LIBRARY_YEARS: i16 = 5;

/// The odd cases, by the reason.
type Exceptions = BTreeMap<&'static str, u64>;

#[derive(Deserialize)]
struct Answer {
    text: String,
    zone: String,
    error: String,
    every: i64,
    sets: Vec<u64>,
    asked: Vec<i64>,
    next: Vec<i64>,
}

#[test]
fn cron_is_what_the_library_of_a_cronjob_makes_of_it() {
    let variable = |name: &str, default: &str| std::env::var(name).unwrap_or(default.to_owned());
    let (cases, seed) = (variable("ROBFIG_CASES", "20000"), variable("ROBFIG_SEED", "1"));
    if Command::new("go").arg("version").output().is_err() {
        eprintln!("NOT TESTED: the Go toolchain is not installed (https://go.dev/dl), so cron was not compared");
        return;
    }
    let mut go = Command::new("go")
        .args(["run", ".", "-cases", &cases, "-seed", &seed])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/time/robfig"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("go can be run");
    let (mut exceptions, mut compared, mut differences) = (Exceptions::new(), 0_u64, Vec::new());
    for line in BufReader::new(go.stdout.take().expect("it is piped")).lines() {
        let line = line.expect("a line");
        let answer: Answer = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        compared += 1;
        if let Err(difference) = compare(&answer, &mut exceptions) {
            differences.push(difference);
        }
    }
    assert!(go.wait().expect("go ends").success());
    eprintln!("compared {compared} texts of seed {seed}; of them or their instants: {exceptions:#?}");
    assert_eq!(compared.to_string(), cases);
    assert!(
        differences.is_empty(),
        "{} differences: {:#?}",
        differences.len(),
        &differences[..differences.len().min(40)]
    );
}

/// Whether we say the same; what differs, if not.
fn compare(answer: &Answer, exceptions: &mut Exceptions) -> Result<(), String> {
    let Answer { text, zone, .. } = answer;
    let mut except = |reason| -> Result<(), String> {
        *exceptions.entry(reason).or_default() += 1;
        Ok(())
    };
    let trigger = parse(json!({"cron": text, "timeZone": zone, "daylightSaving": "WallClock"}));
    let trigger = match (trigger, answer.error.is_empty()) {
        (Err(_), false) => return except("refused by both"),
        (Ok(_), false) if text.split_whitespace().count() == 6 => return except("six fields are ours"),
        (Ok(_), false) => return Err(format!("{text:?} is understood by us alone: {}", answer.error)),
        (Ok(trigger), true) => trigger,
        (Err(error), true) => {
            let error = error.to_string();
            return match refused_by_design(&error) {
                Some(reason) => except(reason),
                None => Err(format!("{text:?} is refused by us alone: {error}")),
            };
        }
    };
    if answer.every != 0 {
        let created = super::slot("2026-01-01T00:00:00Z");
        let found = trigger.next(created);
        let is_same = found == Search::Slot(created.plus_seconds(answer.every));
        return if is_same { Ok(()) } else { Err(format!("{text:?} comes every {} s, not {found:?}", answer.every)) };
    }
    for (asked, next) in answer.asked.iter().zip(&answer.next) {
        let asked = Slot::from_unix_seconds(*asked);
        let found = trigger.next(asked);
        if found.slot().map_or(0, Slot::unix_seconds) == *next && !matches!(found, Search::NoneUpTo(_)) {
            check_way_back(&trigger, asked, found).map_err(|problem| format!("{text:?} in {zone}: {problem}"))?;
            continue;
        }
        let reason = explain(answer, asked, *next, found).ok_or_else(|| {
            let shown = |slot: Slot| trigger.in_words(slot);
            let (theirs, ours) = (shown(Slot::from_unix_seconds(*next)), found.slot().map(shown));
            format!("{text:?} in {zone} after {}: theirs is {theirs}, ours {ours:?}", shown(asked))
        })?;
        except(reason)?;
    }
    Ok(())
}

/// What the library takes and we do not.
fn refused_by_design(error: &str) -> Option<&'static str> {
    if error.contains("empty element") {
        return Some("empty elements of lists are refused");
    }
    if error.contains("inside the text") {
        return Some("zones inside the text are refused");
    }
    let odd_length = error.contains("whole seconds") || error.contains("at least 1s") || error.contains("\"-");
    (error.contains("after @every") && odd_length)
        .then_some("@every of less than a second, or of no whole seconds, is refused")
}

/// Why our slot is not the library's, if it is right all the same.
fn explain(answer: &Answer, asked: Slot, next: i64, found: Search) -> Option<&'static str> {
    let zone = TimeZoneDatabase::bundled().get(&answer.zone).expect("a zone");
    let year = |slot: Slot| zone.to_datetime(slot.timestamp()).year();
    if next == 0 {
        let is_far = found.slot().is_none_or(|slot| year(slot) > year(asked) + LIBRARY_YEARS);
        let is_first = found.slot().is_none_or(|slot| Clock::new(answer, &zone).names(slot));
        return (is_far && is_first && found != Search::NoneUpTo(asked))
            .then_some("the library looks five years ahead only");
    }
    let (_, reason) = ODD_ZONES.iter().find(|(name, _)| *name == answer.zone)?;
    let expected = Clock::new(answer, &zone).next(asked, found.slot()?);
    (expected == found.slot()).then_some(reason)
}

/// A clock that is looked at every minute.
struct Clock<'a> {
    sets: &'a [u64],
    zone: &'a TimeZone,
}

impl<'a> Clock<'a> {
    fn new(answer: &'a Answer, zone: &'a TimeZone) -> Self {
        Self { sets: &answer.sets, zone }
    }

    fn names(&self, slot: Slot) -> bool {
        let shown = self.zone.to_datetime(slot.timestamp());
        let has = |field: usize, number: i8| self.sets[field] & (1 << number) != 0;
        has(0, shown.minute()) && has(1, shown.hour()) && self.names_date(shown.date())
    }

    fn names_date(&self, date: Date) -> bool {
        const STAR: u64 = 1 << 63;
        let has = |field: usize, number: i8| self.sets[field] & (1 << number) != 0;
        let (day, weekday) = (has(2, date.day()), has(4, date.weekday().to_sunday_zero_offset()));
        let has_star = (self.sets[2] | self.sets[4]) & STAR != 0;
        has(3, date.month()) && if has_star { day && weekday } else { day || weekday }
    }

    /// The first minute it names after an instant and up to another. Dates begin, and clocks are
    /// changed, at a quarter of an hour.
    fn next(&self, after: Slot, through: Slot) -> Option<Slot> {
        let mut second = after.unix_seconds().div_euclid(60) * 60 + 60;
        while second <= through.unix_seconds() {
            let slot = Slot::from_unix_seconds(second);
            if self.names(slot) {
                return Some(slot);
            }
            let date = self.zone.to_datetime(slot.timestamp()).date();
            second = if self.names_date(date) { second + 60 } else { (second.div_euclid(900) + 1) * 900 };
        }
        None
    }
}

/// Back from the slot there is nothing until the instant asked.
fn check_way_back(trigger: &Trigger, asked: Slot, found: Search) -> Result<(), String> {
    let Some(slot) = found.slot() else { return Ok(()) };
    match trigger.prev(slot) {
        Search::Slot(back) if back > asked => Err(format!("{slot:?} comes next, but {back:?} before it")),
        Search::Slot(back) if trigger.next(back) != found => {
            Err(format!("{back:?} is before {slot:?}, not the other way"))
        }
        _ => Ok(()),
    }
}
