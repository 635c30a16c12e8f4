//! Deciding is told of as a whole: whatever word status, an Event or a removed Job may show, some
//! story shows it.

use std::collections::BTreeSet;

use punctual::api::status::{Outcome, RunState, Why};
use punctual::decide::{Reason, SOURCE_FAILURES, SOURCE_SPEC};
use punctual::report::notices;
use punctual::simulate::words::Kind;

/// What no story can show, because only a real API server says so; and where it is shown instead.
const ELSEWHERE: &[(Kind, &str, &str)] = &[
    (Kind::Reason, "NoSuchSchedule", "a story is about one Schedule that is there: tests/cluster/by_hand.rs"),
    (Kind::Condition, "StartBlocked True Forbidden", "rights are the API server's: tests/cluster/refusals.rs"),
    (Kind::Condition, "StartBlocked True NamespaceTerminating", "in whose words, only it knows: src/cluster/fault.rs"),
    (Kind::Condition, "StartBlocked True CRDTooOld", "its CRD is another version's: src/reconcile.rs"),
];

#[test]
fn every_word_is_shown_by_a_story() {
    if std::env::var_os("SCENARIO").is_some() {
        // Of some of the stories nobody expects it.
        return;
    }
    let shown = super::words_shown();
    let all = |kind| shown.of(kind).collect::<BTreeSet<_>>();
    let mut wanted: Vec<(Kind, String)> = Vec::new();
    wanted.extend(Outcome::ALL.iter().map(|it| (Kind::Outcome, it.to_string())));
    wanted.extend(Reason::ALL.iter().map(|it| (Kind::Reason, it.to_string())));
    wanted.extend(Why::ALL.iter().map(|it| (Kind::Why, it.to_string())));
    wanted.extend(RunState::ALL.iter().map(|it| (Kind::RunState, it.to_string())));
    wanted.extend([SOURCE_SPEC, SOURCE_FAILURES].map(|it| (Kind::Pause, it.to_owned())));
    wanted.extend(notices::REASONS.iter().map(|it| (Kind::Event, (*it).to_owned())));
    wanted.extend(documented_conditions().into_iter().map(|it| (Kind::Condition, it)));

    let is_shown = |kind, word: &str| all(kind).contains(word);
    let missing: Vec<String> = wanted
        .iter()
        .filter(|(kind, word)| !is_shown(*kind, word) && !ELSEWHERE.iter().any(|it| (it.0, it.1) == (*kind, word)))
        .map(|(kind, word)| format!("{kind:?} {word}"))
        .collect();
    assert!(missing.is_empty(), "no story shows:\n{}", missing.join("\n"));
    for (kind, word, _) in ELSEWHERE {
        assert!(wanted.contains(&(*kind, (*word).to_owned())), "{kind:?} {word} is no word any more");
        assert!(!is_shown(*kind, word), "{kind:?} {word} is shown by a story: it is no exception");
    }
}

#[test]
fn every_condition_that_a_story_shows_is_documented() {
    let documented: BTreeSet<String> = table("## Conditions").into_iter().map(|row| word(&row[0])).collect();
    let shown = super::words_shown();
    let types = shown.of(Kind::Condition).filter_map(|it| it.split(' ').next());
    let unknown: BTreeSet<&str> = types.filter(|it| !documented.contains(*it)).collect();
    assert!(unknown.is_empty(), "docs/status.md does not tell of {unknown:?}");
}

/// The conditions that `docs/status.md` tells of, with their reasons: a state is a reason of `Ready`.
fn documented_conditions() -> Vec<String> {
    let states = table("## States");
    let mut all: Vec<String> = states.iter().map(|row| format!("Ready {} {}", row[1], word(&row[0]))).collect();
    for row in states.iter().filter(|row| row[1] == "False") {
        all.push(format!("Stalled True {}", word(&row[0])));
    }
    for row in table("## Conditions") {
        let type_ = word(&row[0]);
        let is_reason = |it: &&str| it.starts_with(char::is_uppercase) && it.chars().all(char::is_alphanumeric);
        // Every other piece of a text between backticks is code.
        let code = row[2].split('`').skip(1).step_by(2);
        all.extend(code.filter(is_reason).filter(|it| *it != "Ready").map(|it| format!("{type_} True {it}")));
    }
    all.extend(
        Outcome::ALL
            .iter()
            .filter(|it| it.is_of_run())
            .map(|it| format!("LastRunSucceeded {} {it}", if it.is_success() { "True" } else { "False" })),
    );
    let others =
        ["LastRunSucceeded Unknown NoRunYet", "RunsStarting False PodNotReady", "ClockSkew True ClocksDisagree"];
    all.extend(others.map(str::to_owned));
    all
}

/// The cells of the table below a heading of `docs/status.md`.
fn table(heading: &str) -> Vec<Vec<String>> {
    let text = include_str!("../../docs/status.md");
    let section = text.split(&format!("{heading}\n")).nth(1).expect("there is such a heading");
    let rows = section.lines().skip_while(|it| !it.starts_with('|')).take_while(|it| it.starts_with('|')).skip(2);
    let cells = |row: &str| row.trim_matches('|').split('|').map(|it| it.trim().to_owned()).collect();
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    assert!(rows.len() > 5, "{heading} has no table");
    rows
}

fn word(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}
