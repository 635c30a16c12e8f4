//! Who a Job is, read from its name: worked out anew from what users are promised of names, not by
//! the code that gives them.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use punctual::time::Slot;
use sha2::{Digest, Sha256};

/// What a run is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunId {
    /// A slot.
    Slot(Slot),
    /// The ScheduleRun of this UID.
    ByHand(String),
}

/// The slot and the attempt that a Job's name holds, if the Schedule of this UID gave it.
pub fn of_slot(name: &str, schedule_uid: &str) -> Option<(Slot, u32)> {
    let (time, hash, attempt) = parts(name)?;
    let civil = DateTime::strptime("%Y%m%d%H%M%S", time).ok()?;
    let slot = Slot::floor(civil.to_zoned(TimeZone::UTC).ok()?.timestamp());
    (hash == hash_of(schedule_uid, &slot.unix_seconds().to_string())).then_some((slot, attempt))
}

/// The attempt that a Job's name holds, if it was given to the ScheduleRun of this UID.
pub fn of_run(name: &str, schedule_uid: &str, run_uid: &str) -> Option<u32> {
    let (time, hash, attempt) = parts(name)?;
    (time.starts_with("now") && hash == hash_of(schedule_uid, run_uid)).then_some(attempt)
}

/// The name of a run's first Job: what the Job's own name is without its attempt.
pub fn run_name(job_name: &str) -> &str {
    split_attempt(job_name).0
}

/// The name that the Job of a slot has to have.
pub fn name_of_slot(schedule: &str, schedule_uid: &str, slot: Slot, attempt: u32) -> String {
    let time = slot.timestamp().to_zoned(TimeZone::UTC).strftime("%Y%m%d%H%M%S");
    let hash = hash_of(schedule_uid, &slot.unix_seconds().to_string());
    with_attempt(format!("{}-{time}-{hash}", stem(schedule)), attempt)
}

/// The name that the Job of a ScheduleRun, created in this second, has to have.
pub fn name_of_run(schedule: &str, schedule_uid: &str, created: Slot, run_uid: &str, attempt: u32) -> String {
    let hash = hash_of(schedule_uid, run_uid);
    with_attempt(format!("{}-now{:011}-{hash}", stem(schedule), created.unix_seconds()), attempt)
}

fn stem(schedule: &str) -> &str {
    &schedule[..schedule.len().min(27)]
}

fn with_attempt(name: String, attempt: u32) -> String {
    if attempt > 1 { format!("{name}-a{attempt}") } else { name }
}

/// The time, the hash and the attempt in a Job's name.
fn parts(name: &str) -> Option<(&str, &str, u32)> {
    let (run, attempt) = split_attempt(name);
    let (front, hash) = run.rsplit_once('-')?;
    let (_, time) = front.rsplit_once('-')?;
    Some((time, hash, attempt))
}

fn split_attempt(name: &str) -> (&str, u32) {
    let number = |(run, text): (&'_ str, &str)| Some((run.len(), text.parse::<u32>().ok()?));
    match name.rsplit_once("-a").and_then(number) {
        Some((length, attempt)) if (2..100).contains(&attempt) => (&name[..length], attempt),
        _ => (name, 1),
    }
}

/// Ten characters of the lowercase base32 of SHA-256.
fn hash_of(schedule_uid: &str, run: &str) -> String {
    let digest = Sha256::digest(format!("{schedule_uid}/{run}"));
    let bits: String = digest.iter().map(|byte| format!("{byte:08b}")).collect();
    let letter = |at: usize| {
        let number = u8::from_str_radix(&bits[at * 5..at * 5 + 5], 2).unwrap();
        char::from(if number < 26 { b'a' + number } else { b'2' + number - 26 })
    };
    (0..10).map(letter).collect()
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slot(slot) => write!(f, "slot {}", slot.timestamp()),
            Self::ByHand(uid) => write!(f, "ScheduleRun {uid}"),
        }
    }
}

mod tests {
    use punctual::decide::naming;
    use punctual::time::Slot;

    use super::{name_of_run, name_of_slot, of_run, of_slot};

    const SLOT: Slot = Slot::from_unix_seconds(1_798_166_100);

    #[test]
    fn names_are_those_the_operator_gives() {
        let long = "x".repeat(52);
        for schedule in ["nightly-a2", &long] {
            let first = naming::job_name(schedule, "uid-1", SLOT);
            assert_eq!(name_of_slot(schedule, "uid-1", SLOT, 1), first);
            assert_eq!(name_of_slot(schedule, "uid-1", SLOT, 12), naming::of_attempt(&first, 12));
            let by_hand = naming::job_name_of_run(schedule, "uid-1", SLOT, "run-1");
            assert_eq!(name_of_run(schedule, "uid-1", SLOT, "run-1", 1), by_hand);
        }
    }

    #[test]
    fn a_name_is_read_only_for_those_it_was_given_to() {
        let name = name_of_slot("nightly", "uid-1", SLOT, 3);
        assert_eq!(of_slot(&name, "uid-1"), Some((SLOT, 3)));
        assert_eq!(of_slot(&name, "uid-2"), None);
        assert_eq!(of_slot("nightly-20261225023500-aaaaaaaaaa", "uid-1"), None);
        let by_hand = name_of_run("nightly", "uid-1", SLOT, "run-1", 2);
        assert_eq!(of_run(&by_hand, "uid-1", "run-1"), Some(2));
        assert_eq!(of_run(&by_hand, "uid-1", "run-2"), None);
    }
}
