//! Plays seeds, and makes what fails small.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::World;
use super::crash_points::Write;
use super::randomness::seeded;
use super::scenario::Scenario;
use super::summary::{Complaint, Summary};

/// A scenario that broke a promise.
#[derive(Debug)]
pub struct Failure {
    pub complaint: Complaint,
    pub scenario: Scenario,
    /// Which of the scenario's acts were left out, and then which of its Schedules.
    pub without: Vec<String>,
    pub story: String,
}

/// Plays a scenario on a thread of its own, where everything follows from its seed.
pub fn play(scenario: &Scenario) -> Result<Summary, (Complaint, String)> {
    let (end, story) = play_telling(scenario);
    end.map_err(|complaint| (complaint, story))
}

/// Plays a scenario, and tells what happened if a promise is broken, or if `TELL` is set.
pub fn play_telling(scenario: &Scenario) -> (Result<Summary, Complaint>, String) {
    let played = seeded(scenario.seed, || {
        let mut world = World::new(scenario.clone());
        let end = world.play();
        let is_told = end.is_err() || std::env::var("TELL").is_ok();
        (end, if is_told { world.story(false) } else { String::new() })
    });
    played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).to_owned())).unwrap_or_default();
        (Err(Complaint { promise: "the simulation itself does not panic".into(), details: text }), String::new())
    })
}

/// Plays a scenario, whatever comes of it; answers the mutating requests of the replicas.
pub fn play_noting(scenario: &Scenario) -> Vec<Write> {
    let play = || {
        let mut world = World::new(scenario.clone());
        world.notes_writes = true;
        let _ = world.play();
        world.writes
    };
    seeded(scenario.seed, play).unwrap_or_default()
}

/// Plays the scenario of a seed.
///
/// # Errors
/// What was broken.
pub fn run(seed: u64) -> Result<Summary, Box<Failure>> {
    let scenario = Scenario::of(seed);
    let failure = |(complaint, story)| Failure { complaint, scenario: scenario.clone(), without: Vec::new(), story };
    play(&scenario).map_err(|it| Box::new(failure(it)))
}

/// Leaves out one act after another for as long as the same promise is broken.
pub fn shrink(mut smallest: Failure) -> Failure {
    let whole = smallest.scenario.clone();
    let mut left_out: Vec<usize> = Vec::new();
    loop {
        let mut has_shrunk = false;
        for act in (0..whole.acts.len()).rev() {
            if left_out.contains(&act) {
                continue;
            }
            let tried: Vec<usize> = left_out.iter().copied().chain([act]).collect();
            let scenario = without(&whole, &tried);
            if let Err((complaint, story)) = play(&scenario)
                && complaint.headline() == smallest.complaint.headline()
            {
                left_out = tried;
                let without = left_out.iter().map(ToString::to_string).collect();
                smallest = Failure { complaint, scenario, without, story };
                has_shrunk = true;
            }
        }
        if !has_shrunk {
            return smallest;
        }
    }
}

/// The scenario without some of its acts.
pub fn without(whole: &Scenario, left_out: &[usize]) -> Scenario {
    let acts = whole.acts.iter().enumerate().filter(|(index, _)| !left_out.contains(index));
    Scenario { acts: acts.map(|(_, it)| it.clone()).collect(), ..whole.clone() }
}

impl Failure {
    /// For people: what was broken, by what, and how to see it again.
    pub fn tell(&self) -> String {
        let Self { complaint, scenario, without, story } = self;
        let mut text = format!("{complaint}\n\n");
        text += &format!(
            "the scenario of seed {}, {} replicas, made as small as possible:\n",
            scenario.seed, scenario.replicas
        );
        for given in &scenario.schedules {
            text += &format!("  {}: {}\n", given.name, given.spec);
        }
        for timed in &scenario.acts {
            text += &format!("  {} {:?}\n", timed.at, timed.act);
        }
        let except = if without.is_empty() { String::new() } else { format!("WITHOUT={} ", without.join(",")) };
        text += &format!("\nwhat happened:\n{story}\n");
        text + &format!("again: SEED={} {except}cargo test --test simulation -- --nocapture one_seed\n", scenario.seed)
    }
}

/// Plays many seeds on all cores; what came of all that went well, and the failures.
pub fn many(first: u64, count: u64, progress: bool) -> (Summary, Vec<Failure>) {
    let next = AtomicU64::new(first);
    let played = AtomicU64::new(0);
    let ends = Mutex::new((Summary::default(), Vec::new()));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let end = run(seed);
                    let mut ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
                    match end {
                        Ok(summary) => ends.0 += summary,
                        Err(failure) => {
                            eprintln!("seed {seed}: {}", failure.complaint.headline());
                            ends.1.push(*failure);
                        }
                    }
                    let done = played.fetch_add(1, Ordering::Relaxed) + 1;
                    if progress && done.is_multiple_of(100) {
                        eprintln!("{done} of {count} seeds, {}, {} violations", ends.0, ends.1.len());
                    }
                }
            });
        }
    });
    let (summary, mut failures) = ends.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|it| it.scenario.seed);
    (summary, failures)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// How many failures are made small, and told.
    const TOLD: usize = 2;
    /// How many seeds the suite plays.
    const SLICE: u64 = 60;

    fn number(name: &str) -> Option<u64> {
        std::env::var(name).ok().map(|it| it.parse().unwrap_or_else(|_| panic!("{name} is a number, not {it:?}")))
    }

    #[test]
    fn seeds() {
        let (first, count) = (number("FIRST").unwrap_or(1), number("SEEDS").unwrap_or(SLICE));
        let (summary, failures) = many(first, count, number("SEEDS").is_some());
        eprintln!("{count} seeds from {first}: {summary}, {} violations", failures.len());
        let mut others: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for it in &failures {
            others.entry(it.complaint.headline()).or_default().push(it.scenario.seed);
        }
        let told: String = failures.into_iter().take(TOLD).map(|it| shrink(it).tell()).collect();
        assert!(others.is_empty(), "{told}\nall that failed: {others:#?}");
    }

    /// `SEED=123 cargo test --test simulation -- --nocapture one_seed` tells what happens in one.
    #[test]
    fn one_seed() {
        let seed = number("SEED").unwrap_or(0);
        let left_out = std::env::var("WITHOUT").unwrap_or_default();
        let left_out: Vec<usize> = left_out.split(',').filter_map(|it| it.parse().ok()).collect();
        let scenario = without(&Scenario::of(seed), &left_out);
        let told = seeded(seed, || {
            let mut world = World::new(scenario.clone());
            let end = world.play();
            (end, world.story(std::env::var("REQUESTS").is_ok()))
        });
        let (end, story) = told.unwrap();
        if number("SEED").is_some() {
            eprintln!("{scenario:#?}\n{story}");
        }
        eprintln!("{end:?}");
        assert!(end.is_ok());
    }

    #[test]
    fn the_same_seed_gives_the_same_history_byte_for_byte() {
        for seed in [2, 13, 21] {
            let told = || {
                let play = || {
                    let mut world = World::new(Scenario::of(seed));
                    let _ = world.play();
                    world.story(true)
                };
                seeded(seed, play).unwrap()
            };
            let (once, again) = (told(), told());
            let difference = once.lines().zip(again.lines()).find(|(one, other)| one != other);
            assert!(once == again, "seed {seed}: {difference:#?}");
        }
    }
}
