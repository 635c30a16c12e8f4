//! How long a call takes, in processor time.

use std::sync::atomic::{AtomicU64, Ordering};

/// A slow call is tried again so often: an interrupt may count as ours.
const TRIES: usize = 5;

/// Fails when a call takes longer than any may.
pub struct Stopwatch {
    most_milliseconds: u64,
    /// The processor time of this thread, in microseconds.
    clock: fn() -> u64,
    /// The longest call so far, in microseconds.
    longest: AtomicU64,
}

impl Stopwatch {
    /// One by this clock.
    pub const fn new(most_milliseconds: u64, clock: fn() -> u64) -> Self {
        Self { most_milliseconds, clock, longest: AtomicU64::new(200) }
    }

    /// Does something, and sees how long that takes.
    pub fn time<T>(&self, what: impl Fn() -> String, work: impl Fn() -> T) -> T {
        let mut least = u64::MAX;
        for _ in 0..TRIES {
            let began = (self.clock)();
            let result = work();
            least = least.min((self.clock)() - began);
            if least <= self.longest.load(Ordering::Relaxed) {
                return result;
            }
        }
        self.longest.store(least, Ordering::Relaxed);
        eprintln!("longest so far: {least} microseconds: {}", what());
        assert!(least <= self.most_milliseconds * 1_000, "took {least} microseconds: {}", what());
        work()
    }
}
