//! What was told lately.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use jiff::Timestamp;

/// How long an equal Event is a repeat, in seconds.
pub(super) const REPEAT_SECONDS: i64 = 300;
/// How many are remembered at most; beyond it the oldest is forgotten.
pub(super) const REMEMBERED: usize = 4_096;

/// The Events of the last minutes, by a hash of what they said.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    told: HashMap<u64, Timestamp>,
    /// In the order they were told; no key is in it twice.
    order: VecDeque<u64>,
}

impl Repeats {
    /// The key of an Event with these parts. It differs from process to process, so that nobody
    /// can write a text that hides another.
    pub(super) fn key(parts: &[&str]) -> u64 {
        static HASHER: std::sync::LazyLock<RandomState> = std::sync::LazyLock::new(RandomState::new);
        HASHER.hash_one(parts)
    }

    /// Whether it was told lately. A clock that was set back does not make it so for long: what
    /// lies too far ahead counts as long ago.
    pub(super) fn holds(&self, key: u64, now: Timestamp) -> bool {
        self.told.get(&key).is_some_and(|told| is_recent(*told, now))
    }

    /// Remembers it, unless it is remembered as recent.
    pub(super) fn add(&mut self, key: u64, now: Timestamp) {
        if self.told.insert(key, now).is_some() {
            self.order.retain(|it| *it != key);
        }
        self.order.push_back(key);
        while let Some(oldest) = self.order.front() {
            let is_of_use = self.told.get(oldest).is_some_and(|told| is_recent(*told, now));
            if is_of_use && self.order.len() <= REMEMBERED {
                break;
            }
            self.told.remove(oldest);
            self.order.pop_front();
        }
    }
}

fn is_recent(told: Timestamp, now: Timestamp) -> bool {
    now.duration_since(told).as_secs().abs() < REPEAT_SECONDS
}

#[cfg(test)]
mod tests {
    use super::{REMEMBERED, REPEAT_SECONDS, Repeats};
    use jiff::Timestamp;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn it_is_a_repeat_for_five_minutes() {
        let mut repeats = Repeats::default();
        assert!(!repeats.holds(7, at(0)));
        repeats.add(7, at(0));
        assert!(repeats.holds(7, at(REPEAT_SECONDS - 1)));
        assert!(!repeats.holds(7, at(REPEAT_SECONDS)));
        assert!(!repeats.holds(8, at(0)));
    }

    #[test]
    fn a_repeat_after_its_time_is_remembered_anew() {
        let mut repeats = Repeats::default();
        repeats.add(7, at(0));
        repeats.add(7, at(400));
        assert!(repeats.holds(7, at(600)));
        assert_eq!(repeats.order.len(), 1);
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let mut repeats = Repeats::default();
        for key in 0..=REMEMBERED as u64 {
            repeats.add(key, at(0));
        }
        assert_eq!((repeats.told.len(), repeats.order.len()), (REMEMBERED, REMEMBERED));
        assert!(!repeats.holds(0, at(1)));
        assert!(repeats.holds(1, at(1)));
    }

    #[test]
    fn a_clock_set_back_by_an_hour_does_not_silence_it() {
        let mut repeats = Repeats::default();
        repeats.add(7, at(3600));
        assert!(!repeats.holds(7, at(0)));
    }

    #[test]
    fn the_parts_of_a_key_do_not_run_together() {
        assert_ne!(Repeats::key(&["ab", "c"]), Repeats::key(&["a", "bc"]));
        assert_eq!(Repeats::key(&["ab", "c"]), Repeats::key(&["ab", "c"]));
    }
}
