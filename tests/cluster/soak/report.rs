//! What is printed at the end.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use super::Options;
use super::accountant::{Book, Facts};
use super::evidence::Evidence;

/// Problems printed at most; the rest is alike.
const SHOWN: usize = 100;

/// Adds what the replicas' logs tell of themselves.
pub fn read_logs(logs: &[(String, PathBuf)], book: &mut Book) {
    for (name, log) in logs {
        let lines = BufReader::new(std::fs::File::open(log).unwrap()).split(b'\n').map_while(Result::ok);
        for line in lines {
            let line = String::from_utf8_lossy(&line);
            if ["panicked at", "does not come to rest"].iter().any(|it| line.contains(it)) {
                book.problems.push(format!("replica {name}, {}: {line}", log.display()));
            }
        }
    }
}

/// Prints figures, then what is not accounted for.
pub fn print(options: Options, evidence: &Evidence, facts: &Facts, book: &Book) {
    let line = |what: &str, value: String| eprintln!("  {what:<52} {value:>8}");
    eprintln!("\nsoak: what was seen");
    line("minutes", options.minutes.to_string());
    line("seed", options.seed.to_string());
    line("Schedules", evidence.schedules.len().to_string());
    line("versions of their specs", evidence.schedules.values().map(|it| it.specs.len()).sum::<usize>().to_string());
    line("Jobs", evidence.jobs.len().to_string());
    for what in super::script::KINDS {
        line(what, facts.disturbances.iter().filter(|it| it.what == *what).count().to_string());
    }
    for (what, count) in &book.counts {
        line(what, count.to_string());
    }
    for (reason, count) in &evidence.events {
        line(&format!("Events {reason}"), count.to_string());
    }
    for (when, (late, job)) in [("outside of", &book.latest), ("within", &book.latest_disturbed)] {
        line(&format!("latest start {when} disturbances, in s"), format!("{:.3}", late.as_secs_f64()));
        eprintln!("      {job}");
    }
    line("not accounted for", book.problems.len().to_string());
    for problem in book.problems.iter().take(SHOWN) {
        eprintln!("    {problem}");
    }
}
