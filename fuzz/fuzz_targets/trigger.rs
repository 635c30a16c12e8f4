//! Triggers at random; see the case of the same name.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../cases/mod.rs"]
#[expect(dead_code, reason = "the other targets")]
mod cases;

use cases::trigger;
use cases::stopwatch::Stopwatch;

/// No call takes longer than 5 ms.
static STOPWATCH: Stopwatch = Stopwatch::new(5, processor_microseconds);

fuzz_target!(|input: trigger::Input| trigger::check(&input, &STOPWATCH));

fn processor_microseconds() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1_000
}
