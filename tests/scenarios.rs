//! Scenarios: what a user would tell of a Schedule, held against `decide` and `report`.
//!
//! Each file in `tests/scenarios/*.yaml` is one story: what is given, what happens when, and what
//! is expected of it. They are played in the world of virtual time of `punctual::simulate`.
//! [`words`] holds all of them together against what there is to tell; [`properties`] plays random
//! stories and holds them against the promises; [`crowds`] plays a hundred runs at once, and [`policies`] what was
//! computed elsewhere.

#[path = "scenarios/crowds.rs"]
mod crowds;
#[path = "scenarios/harness.rs"]
mod harness;
#[path = "scenarios/policies.rs"]
mod policies;
#[path = "scenarios/properties.rs"]
mod properties;
#[path = "scenarios/words.rs"]
mod words;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use punctual::simulate::story::Story;
use punctual::simulate::words::Words;
use punctual::simulate::{cluster, job, story, times, world};

/// Each story, by name, played once for all that is asked of it.
static PLAYED: LazyLock<Vec<(String, Result<Words, String>)>> = LazyLock::new(|| {
    let name = |file: &Path| file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    files().iter().map(|file| (name(file), read(file).and_then(|story| story.play()))).collect()
});

#[test]
fn every_story_ends_as_expected() {
    let failures: Vec<String> = PLAYED
        .iter()
        .filter_map(|(name, end)| end.as_ref().err().map(|failure| format!("=== {name}\n{failure}")))
        .collect();
    assert!(failures.is_empty(), "\n{}\n{} of {} stories failed", failures.join("\n"), failures.len(), PLAYED.len());
}

/// The words that any story shows.
fn words_shown() -> Words {
    let mut shown = Words::default();
    PLAYED.iter().filter_map(|(_, end)| end.as_ref().ok()).for_each(|words| shown.extend(words));
    shown
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
