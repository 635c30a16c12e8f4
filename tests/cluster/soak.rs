//! `make soak`: a few hundred Schedules of all kinds, three replicas as the chart sets them up, and
//! for as long as one likes something goes wrong all the time, by a seed. At the end an accountant
//! goes through what the API server noted and accounts for every slot.
//!
//! `script` does it, `specs` invents the Schedules, `log` reads the notes, `accountant` judges.

mod accountant;
mod evidence;
mod log;
mod report;
mod script;
pub mod specs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::harness::{Cluster, Story};
use accountant::Facts;

/// Where all of it takes place.
const NAMESPACE: &str = "soak";
/// The file of [`Left`].
const LEFT: &str = "soak.json";

/// What is asked for, by the environment.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Options {
    /// How long.
    pub minutes: u64,
    /// What decides everything random.
    pub seed: u64,
    /// Schedules that are there at any time.
    pub schedules: usize,
}

impl Options {
    fn of_the_environment() -> Self {
        let given: BTreeMap<String, String> = std::env::vars().collect();
        let number = |name: &str, default: u64| {
            let text = given.get(name).filter(|it| !it.is_empty());
            text.map_or(default, |it| it.parse().unwrap_or_else(|_| panic!("{name}={it} is not a number")))
        };
        let seed = number("SEED", crate::harness::now().as_microsecond().unsigned_abs() % 1_000_000);
        Self {
            minutes: number("MINUTES", 5).max(3),
            seed,
            schedules: usize::try_from(number("SCHEDULES", 200)).unwrap(),
        }
    }
}

/// What the play leaves for the accountant, beside the audit log.
#[derive(Serialize, Deserialize)]
struct Left {
    options: Options,
    facts: Facts,
    logs: Vec<(String, PathBuf)>,
}

#[test]
#[ignore = "takes minutes, or hours: make soak"]
fn soak() {
    let options = Options::of_the_environment();
    eprintln!("soak: SEED={} MINUTES={} SCHEDULES={}", options.seed, options.minutes, options.schedules);
    let flags = script::api_server_flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let cluster = Cluster::only("soak", &flags);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let left = tokio::task::LocalSet::new().block_on(&runtime, async {
        let story = Story::begin(cluster, NAMESPACE).await;
        let facts = script::play(&story, options).await;
        Left { options, facts, logs: story.log_files() }
    });
    std::fs::write(cluster.dir.join(LEFT), serde_json::to_string(&left).unwrap()).unwrap();
    account(&cluster.dir);
}

/// For work on the accountant: the files of an earlier play are in the directory `SOAK`.
#[test]
#[ignore = "needs the files of a soak"]
fn account_again() {
    account(Path::new(&std::env::var("SOAK").expect("SOAK is a directory below target/tmp/soak")));
}

fn account(dir: &Path) {
    let left: Left = serde_json::from_slice(&std::fs::read(dir.join(LEFT)).unwrap()).unwrap();
    let evidence = log::read(&dir.join("audit.log"), &format!("system:serviceaccount:{NAMESPACE}:punctual"));
    let mut book = accountant::account(&evidence, &left.facts);
    report::read_logs(&left.logs, &mut book);
    report::print(left.options, &evidence, &left.facts, &book);
    eprintln!("soak: the files are in {}", dir.display());
    assert!(book.problems.is_empty(), "{} things are not accounted for, see above", book.problems.len());
}
