//! Everything random in a simulation comes from its seed: what the world does, the order of hash
//! maps, and what the operator and its libraries choose at random.

use std::cell::RefCell;
use std::ffi::{c_uint, c_void};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

thread_local! {
    static OF_THIS_THREAD: RefCell<Option<StdRng>> = const { RefCell::new(None) };
}

/// Nothing that is played needs so much of a processor: most of it needs less than a second.
const LONGEST: Duration = Duration::from_secs(120);
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Plays something on a thread of its own, where all randomness comes from a seed. A new thread has
/// not yet asked for any: hash maps keep the first they get for its whole life.
///
/// An operator that is busy without end lets no time pass, and cannot be interrupted: then the process
/// ends.
pub fn seeded<T: Send>(seed: u64, play: impl FnOnce() -> T + Send) -> std::thread::Result<T> {
    let (begun, has_begun) = mpsc::channel();
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            begun.send(fs::read_link("/proc/thread-self").unwrap()).unwrap();
            OF_THIS_THREAD.set(Some(StdRng::seed_from_u64(seed)));
            fastrand::seed(seed);
            play()
        });
        watch(seed, &has_begun);
        thread.join()
    })
}

/// Until the thread that says where it is in `/proc` has ended.
fn watch(seed: u64, has_begun: &Receiver<PathBuf>) {
    let Ok(thread) = has_begun.recv() else { return };
    while has_begun.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        if processor_time(&thread) > LONGEST {
            eprintln!(
                "seed {seed} breaks \"the operator does not spin\": it is not over after {LONGEST:?} of a processor"
            );
            std::process::exit(101);
        }
    }
}

/// How long a thread has run; none if it is gone.
fn processor_time(thread: &Path) -> Duration {
    let told = fs::read_to_string(Path::new("/proc").join(thread).join("schedstat")).unwrap_or_default();
    let nanoseconds = told.split(' ').next().and_then(|it| it.parse().ok());
    nanoseconds.map_or(Duration::ZERO, Duration::from_nanos)
}

/// Stands before the C library's function of this name, which is where the standard library and the
/// crate `getrandom` get their randomness.
#[expect(unsafe_code, reason = "the symbol is what has to be replaced; its contract is that of getrandom(2)")]
#[unsafe(no_mangle)]
pub extern "C" fn getrandom(buffer: *mut c_void, length: usize, _flags: c_uint) -> isize {
    // SAFETY: the caller of getrandom(2) hands over a buffer of this length to be written to.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    let is_seeded = OF_THIS_THREAD.with_borrow_mut(|random| random.as_mut().map(|it| it.fill_bytes(bytes)).is_some());
    if !is_seeded && File::open("/dev/urandom").and_then(|mut file| file.read_exact(bytes)).is_err() {
        return -1;
    }
    length.cast_signed()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::{Duration, Instant};

    use super::{processor_time, seeded};

    fn drawn(seed: u64) -> (Vec<u32>, u64, u64) {
        let draw = || ((0..50).collect::<HashSet<u32>>().into_iter().collect(), rand::random(), fastrand::u64(..));
        seeded(seed, draw).unwrap()
    }

    #[test]
    fn a_thread_that_is_busy_is_seen_to_use_a_processor() {
        let this = std::fs::read_link("/proc/thread-self").unwrap();
        let before = processor_time(&this);
        let begin = Instant::now();
        while processor_time(&this) - before < Duration::from_millis(20) {
            assert!(begin.elapsed() < Duration::from_secs(60), "its time stands still");
        }
    }

    #[test]
    fn hash_maps_and_random_numbers_follow_from_the_seed() {
        assert_eq!(drawn(1), drawn(1));
        let (one, other) = (drawn(1), drawn(2));
        assert!(one.0 != other.0 && one.1 != other.1 && one.2 != other.2);
    }
}
