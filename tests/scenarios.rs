//! Scenarios: what a user would tell of a Schedule, held against `decide` and `report`.
//!
//! Each file in `tests/scenarios/*.yaml` is one story: what is given, what happens when, and what
//! is expected of it. They are played in the world of virtual time of `punctual::simulate`.
//! [`properties`] plays random stories and holds them against the promises; [`policies`] plays what
//! was computed elsewhere.

#[path = "scenarios/harness.rs"]
mod harness;
#[path = "scenarios/policies.rs"]
mod policies;
#[path = "scenarios/properties.rs"]
mod properties;

use std::path::{Path, PathBuf};

use punctual::simulate::story::Story;
use punctual::simulate::{cluster, job, story, times, world};

#[test]
fn every_story_ends_as_expected() {
    let mut failures = Vec::new();
    let files = files();
    for file in &files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if let Err(failure) = read(file).and_then(|story| story.play()) {
            failures.push(format!("=== {name}\n{failure}"));
        }
    }
    assert!(failures.is_empty(), "\n{}\n{} of {} stories failed", failures.join("\n"), failures.len(), files.len());
}

fn read(file: &Path) -> Result<Story, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let story = Story::read(&text)?;
    if story.expect.is_empty() { Err("it expects nothing".into()) } else { Ok(story) }
}

/// The stories, by name; those whose name holds the text in `SCENARIO`, if it is set.
fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let wanted = std::env::var("SCENARIO").unwrap_or_default();
    let entries = std::fs::read_dir(folder).expect("the folder of this file");
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_story =
        |path: &PathBuf| path.extension().is_some_and(|it| it == "yaml") && path.to_string_lossy().contains(&wanted);
    let mut files: Vec<PathBuf> = paths.filter(is_story).collect();
    files.sort();
    assert!(!files.is_empty(), "no story is named like {wanted:?}");
    files
}
