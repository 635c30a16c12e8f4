//! The Job's name, which is the lock: it is derived from the Schedule's UID and the slot or the
//! ScheduleRun's UID, so that a second create for the same run is refused by the API server.

use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use crate::time::Slot;

/// How much of the Schedule's name a Job's name holds.
const STEM_LENGTH: usize = 27;
/// How many characters of the hash.
const HASH_LENGTH: usize = 10;
/// `YYYYMMDDhhmmss`.
const SLOT_LENGTH: usize = 14;

/// The name of the first Job of a slot's run; also the run's idempotency key.
///
/// At most 53 characters: `-a99` and the index of an Indexed Job's Pods still fit into 63.
#[must_use]
pub fn job_name(schedule: &str, uid: &str, slot: Slot) -> String {
    let time = slot.timestamp().to_zoned(TimeZone::UTC).strftime("%Y%m%d%H%M%S");
    format!("{}-{time}-{}", stem(schedule), hash(uid, &slot.unix_seconds().to_string()))
}

/// The name of the first Job of a ScheduleRun, which was created at this second. It is as long as
/// that of a slot, and cannot be one.
#[must_use]
pub fn job_name_of_run(schedule: &str, uid: &str, created: Slot, run_uid: &str) -> String {
    format!("{}-now{:011}-{}", stem(schedule), created.unix_seconds().max(0), hash(uid, run_uid))
}

/// When the ScheduleRun of a Job was created, as the Job's name says.
#[must_use]
pub fn created_of_run(job_name: &str) -> Option<Slot> {
    let (front, _) = split(job_name).0.rsplit_once('-')?;
    let (_, time) = front.rsplit_once('-')?;
    time.strip_prefix("now")?.parse().ok().map(Slot::from_unix_seconds)
}

/// The attempt of a Job that belongs to the Schedule and the ScheduleRun of these UIDs; `None` when
/// the name is not one we gave.
#[must_use]
pub fn attempt_of_run(name: &str, uid: &str, run_uid: &str) -> Option<u32> {
    let (run, attempt) = split(name);
    let (front, given) = run.rsplit_once('-')?;
    let (_, time) = front.rsplit_once('-')?;
    let is_ours = time.len() == SLOT_LENGTH && time.starts_with("now") && given == hash(uid, run_uid);
    is_ours.then_some(attempt)
}

/// The name of a run, and the attempt, in the name of a Job.
#[must_use]
pub fn split(job_name: &str) -> (&str, u32) {
    let attempt = job_name.rsplit_once("-a").filter(|(_, number)| is_attempt(number));
    let attempt = attempt.and_then(|(run, number)| Some((run, number.parse().ok()?)));
    attempt.unwrap_or((job_name, 1))
}

/// The name of another attempt of the run that a Job belongs to.
#[must_use]
pub fn of_attempt(job_name: &str, attempt: u32) -> String {
    let (run, _) = split(job_name);
    if attempt <= 1 { run.to_owned() } else { format!("{run}-a{attempt}") }
}

/// Whether two Jobs are attempts of one run.
#[must_use]
pub fn is_same_run(one: &str, other: &str) -> bool {
    split(one).0 == split(other).0
}

/// The slot and attempt of a Job that belongs to the Schedule of this UID; `None` when the name
/// is not one we gave.
#[must_use]
pub fn identity(name: &str, uid: &str) -> Option<(Slot, u32)> {
    let (run, attempt) = split(name);
    let (front, given) = run.rsplit_once('-')?;
    let (_, time) = front.rsplit_once('-')?;
    if time.len() != SLOT_LENGTH {
        return None;
    }
    let civil = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", time).ok()?;
    let slot = Slot::floor(civil.to_zoned(TimeZone::UTC).ok()?.timestamp());
    (given == hash(uid, &slot.unix_seconds().to_string())).then_some((slot, attempt))
}

/// The slot as a label value.
#[must_use]
pub fn slot_label(slot: Slot) -> String {
    slot.timestamp().to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Attempts are numbered from 2 in names, and have at most two digits.
fn is_attempt(number: &str) -> bool {
    matches!(number.len(), 1 | 2)
        && number.bytes().all(|it| it.is_ascii_digit())
        && number != "1"
        && !number.starts_with('0')
}

fn stem(schedule: &str) -> String {
    schedule.chars().take(STEM_LENGTH).collect()
}

/// Of the Schedule's UID, and of what makes the run one of a kind.
fn hash(uid: &str, run: &str) -> String {
    let digest = Sha256::digest(format!("{uid}/{run}"));
    base32(&digest).take(HASH_LENGTH).collect()
}

/// Lowercase base32 (RFC 4648) of whole groups of five bits.
fn base32(bytes: &[u8]) -> impl Iterator<Item = char> + '_ {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    (0..bytes.len() * 8 / 5).map(|group| {
        let bit = |index: usize| (bytes[index / 8] >> (7 - index % 8)) & 1;
        let value = (0..5).fold(0_u8, |value, offset| (value << 1) | bit(group * 5 + offset));
        char::from(ALPHABET[usize::from(value)])
    })
}

#[cfg(test)]
mod tests {
    use super::{attempt_of_run, base32, identity, job_name, job_name_of_run, of_attempt, slot_label};
    use crate::time::Slot;

    const UID: &str = "8f2c0f8e-2a4b-4a53-9a3e-0d1c2b3a4f5e";
    const SLOT: Slot = Slot::from_unix_seconds(1_798_166_100);

    #[test]
    fn base32_is_that_of_the_rfc() {
        assert_eq!(base32(b"foobar").collect::<String>(), "mzxw6ytbo");
    }

    #[test]
    fn the_name_tells_the_slot_and_fits_with_the_longest_schedule_name() {
        let name = job_name(&"x".repeat(52), UID, SLOT);
        assert!(name.starts_with("xxxxxxxxxxxxxxxxxxxxxxxxxxx-20261225023500-"), "{name}");
        assert_eq!(name.len(), 53);
        assert_eq!(slot_label(SLOT), "20261225T023500Z");
    }

    #[test]
    fn a_name_is_read_back_with_its_attempt() {
        let name = job_name("nightly-a1", UID, SLOT);
        assert_eq!(identity(&name, UID), Some((SLOT, 1)));
        assert_eq!(identity(&format!("{name}-a2"), UID), Some((SLOT, 2)));
        assert_eq!(identity(&of_attempt(&name, 99), UID), Some((SLOT, 99)));
        assert_eq!(of_attempt(&of_attempt(&name, 2), 3), format!("{name}-a3"));
        assert_eq!(of_attempt(&of_attempt(&name, 2), 1), name);
    }

    #[test]
    fn the_name_of_a_run_by_hand_is_checked_by_both_uids_and_is_never_that_of_a_slot() {
        let name = job_name_of_run(&"x".repeat(52), UID, SLOT, "run-1");
        assert!(name.starts_with("xxxxxxxxxxxxxxxxxxxxxxxxxxx-now01798166100-"), "{name}");
        assert_eq!(name.len(), 53);
        assert_eq!(attempt_of_run(&name, UID, "run-1"), Some(1));
        assert_eq!(attempt_of_run(&format!("{name}-a3"), UID, "run-1"), Some(3));
        assert_eq!(attempt_of_run(&name, UID, "run-2"), None);
        assert_eq!(attempt_of_run(&name, "another-uid", "run-1"), None);
        assert_eq!(identity(&name, UID), None);
        assert_eq!(attempt_of_run(&job_name("nightly", UID, SLOT), UID, &SLOT.unix_seconds().to_string()), None);
    }

    #[test]
    fn a_name_that_is_not_ours_is_nobodys() {
        let name = job_name("nightly", UID, SLOT);
        for other in
            ["nightly", "nightly-20261225023500-aaaaaaaaaa", "", "-", &format!("{name}-a1"), &format!("{name}-b")]
        {
            assert_eq!(identity(other, UID), None, "{other}");
        }
        assert_eq!(identity(&name, "another-uid"), None);
    }
}
