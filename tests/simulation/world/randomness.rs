//! Everything random in a simulation comes from its seed: what the world does, the order of hash
//! maps, and what the operator and its libraries choose at random.

use std::cell::RefCell;
use std::ffi::{c_uint, c_void};
use std::fs::File;
use std::io::Read;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

thread_local! {
    static OF_THIS_THREAD: RefCell<Option<StdRng>> = const { RefCell::new(None) };
}

/// Nothing that is played takes so long, on however busy a machine: alone it takes seconds.
const LONGEST: Duration = Duration::from_secs(900);

/// Plays something on a thread of its own, where all randomness comes from a seed. A new thread has
/// not yet asked for any: hash maps keep the first they get for its whole life.
///
/// An operator that is busy without end lets no time pass, and cannot be interrupted: then the process
/// ends.
pub fn seeded<T: Send>(seed: u64, play: impl FnOnce() -> T + Send) -> std::thread::Result<T> {
    let (busy, is_busy) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            let _busy = busy;
            OF_THIS_THREAD.set(Some(StdRng::seed_from_u64(seed)));
            fastrand::seed(seed);
            play()
        });
        if is_busy.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
            eprintln!("seed {seed} breaks \"the operator does not spin\": it is not over after {LONGEST:?}");
            std::process::exit(101);
        }
        thread.join()
    })
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

    use super::seeded;

    fn drawn(seed: u64) -> (Vec<u32>, u64, u64) {
        let draw = || ((0..50).collect::<HashSet<u32>>().into_iter().collect(), rand::random(), fastrand::u64(..));
        seeded(seed, draw).unwrap()
    }

    #[test]
    fn hash_maps_and_random_numbers_follow_from_the_seed() {
        assert_eq!(drawn(1), drawn(1));
        let (one, other) = (drawn(1), drawn(2));
        assert!(one.0 != other.0 && one.1 != other.1 && one.2 != other.2);
    }
}
