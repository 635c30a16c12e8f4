//! What fuzzing has found stays mended: each input is tried again. See `make fuzz`.

use std::fs;
use std::path::Path;

use arbitrary::{Arbitrary, Unstructured};
use rand::{RngCore, SeedableRng};

#[path = "../fuzz/cases/mod.rs"]
mod cases;

use cases::stopwatch::Stopwatch;
use cases::{schedule, trigger};

/// How long it takes is a matter of a release build: `make fuzz` sees to it.
static STOPWATCH: Stopwatch = Stopwatch::new(0, || 0);

#[test]
fn triggers_that_were_found_are_read_and_answer() {
    let found = each("trigger", |input: &trigger::Input| trigger::check(input, &STOPWATCH));
    assert!(found > 10, "{found}");
}

#[test]
fn schedules_that_were_found_are_decided_and_reported() {
    let found = each("schedule", |input: &schedule::Input| schedule::check(input, &STOPWATCH));
    assert!(found > 0, "{found}");
}

/// As many as make the suite longer by a second; with `FUZZ_CASES` so many others.
#[test]
fn schedules_at_random_are_decided_and_reported() {
    let cases: Option<u64> = std::env::var("FUZZ_CASES").ok().and_then(|it| it.parse().ok());
    let seeds = cases.map_or(0..150, |it| 1_000..1_000 + it);
    for seed in seeds {
        let mut bytes = vec![0; 3000];
        rand::rngs::StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
        eprintln!("seed {seed}");
        let input = schedule::Input::arbitrary_take_rest(Unstructured::new(&bytes)).expect("an input");
        schedule::check(&input, &STOPWATCH);
    }
}

/// Tries each input of a target as the fuzzer does. Answers how many there are.
fn each<T: for<'a> Arbitrary<'a>>(target: &str, check: impl Fn(&T)) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/found").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| unreachable!("{}: {error}", folder.display()));
    let mut count = 0;
    for file in files {
        let path = file.expect("a file").path();
        let bytes = fs::read(&path).expect("a readable file");
        eprintln!("{}", path.display());
        // The fuzzer leaves out what is too short to be an input.
        if let Ok(input) = T::arbitrary_take_rest(Unstructured::new(&bytes)) {
            check(&input);
        }
        count += 1;
    }
    count
}
