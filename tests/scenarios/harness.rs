//! The stories' own ability to fail.

use crate::story::Story;

fn failure(expectation: &str) -> String {
    let story = format!(
        "
title: A slot starts on time
given:
  date: 2026-06-01
  created: 10:00
  spec: {{trigger: {{cron: '5 * * * *'}}}}
when: [{{at: 10:10}}]
expect: {expectation}
"
    );
    Story::read(&story).and_then(|story| story.play()).expect_err("a wrong expectation")
}

#[test]
fn a_wrong_expectation_fails_with_the_story_and_the_difference() {
    let failure = failure("{starts: ['10:05 at 10:06']}");
    for told in ["A slot starts on time", "10:05    Job of 10:05: Running", "- - 10:05 at 10:06", "+ - 10:05 at 10:05"]
    {
        assert!(failure.contains(told), "{told:?} is not in:\n{failure}");
    }
}

#[test]
fn a_wrong_word_about_an_outcome_or_a_condition_fails() {
    assert!(failure("{outcomes: ['10:05 Failed']}").contains("+ - 10:05 Succeeded"));
    assert!(failure("{conditions: {Ready: False Scheduled}}").contains("+ - Ready: True Scheduled"));
    assert!(failure("{conditions: {Stalled: True InvalidTrigger}}").contains("+ - Stalled: absent"));
}

#[test]
fn an_expectation_nobody_can_check_fails() {
    assert!(failure("{strats: []}").contains("nobody can see \"strats\""));
}
