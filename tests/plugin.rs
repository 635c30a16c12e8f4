//! The built kubectl plugin, on manifests good, odd and wrong: what it answers, what it says, and
//! with which exit status.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

const AFTER: &str = "2026-11-21T00:00:00Z";

/// What the plugin answered.
struct Answer {
    status: Option<i32>,
    out: String,
    err: String,
}

/// Runs the plugin with something on its standard input, without any cluster.
fn punctual(arguments: &[&str], input: &str) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-punctual"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the plugin can be started");
    // It may end without reading: that is no failure of the test.
    let _ = child.stdin.take().expect("standard input").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the plugin ends");
    let text = |bytes| String::from_utf8(bytes).expect("text in UTF-8");
    Answer { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A Schedule with a trigger in YAML.
fn schedule(trigger: &str) -> String {
    named("test", trigger)
}

fn named(name: &str, trigger: &str) -> String {
    format!(
        "---\napiVersion: punctual.dev/v1alpha1\nkind: Schedule\nmetadata: {{name: {name}}}\nspec:\n  \
         trigger: {trigger}\n  jobTemplate: {{spec: {{template: {{spec: {{containers: [{{name: main}}]}}}}}}}}\n"
    )
}

fn next(count: &str, input: &str) -> Answer {
    punctual(&["next", "-f", "-", "--after", AFTER, "--count", count, "-o", "json"], input)
}

fn slots(count: &str, trigger: &str) -> Value {
    let answer = next(count, &schedule(trigger));
    assert_eq!((answer.status, answer.err.as_str()), (Some(0), ""), "{trigger}");
    serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{trigger}: {error}: {}", answer.out))
}

fn lint(input: &str) -> Answer {
    punctual(&["lint", "-f", "-"], input)
}

#[test]
fn runs_by_hand_are_judged_like_schedules() {
    let run = |spec: &str| {
        lint(&format!(
            "apiVersion: punctual.dev/v1alpha1\nkind: ScheduleRun\nmetadata: {{name: again}}\nspec: {spec}\n"
        ))
    };
    let right = run("{scheduleName: nightly}");
    assert_eq!((right.status, right.out.as_str()), (Some(0), "1 ScheduleRun, 0 problems, 0 warnings\n"));
    let wrong = run("{schedule: nightly}");
    assert_eq!(wrong.status, Some(1));
    assert!(
        wrong.out.contains("spec.scheduleName is missing") && wrong.out.contains("spec.schedule is no known field"),
        "{}",
        wrong.out
    );
}

#[test]
fn the_next_slots_are_listed_in_utc_and_whether_there_are_more() {
    for (trigger, expected) in [
        ("{cron: '30 2 * * *', timeZone: Europe/Berlin}", json!(["2026-11-21T01:30:00Z", "2026-11-22T01:30:00Z"])),
        ("{cron: '0 9 * * *', timeZone: Asia/Calcutta}", json!(["2026-11-21T03:30:00Z", "2026-11-22T03:30:00Z"])),
        ("{cron: '0 9 * * *', timeZone: Asia/Kolkata}", json!(["2026-11-21T03:30:00Z", "2026-11-22T03:30:00Z"])),
        ("{cron: '0 9 * * *', timeZone: Europe/Kiev}", json!(["2026-11-21T07:00:00Z", "2026-11-22T07:00:00Z"])),
        ("{interval: {every: 1h}}", json!(["2026-11-21T01:00:00Z", "2026-11-21T02:00:00Z"])),
        (
            "{interval: {every: 1h, startTime: '2026-01-01T00:10:00Z'}}",
            json!(["2026-11-21T00:10:00Z", "2026-11-21T01:10:00Z"]),
        ),
    ] {
        assert_eq!(slots("2", trigger), json!({"name": "test", "slots": expected, "exhausted": false}), "{trigger}");
    }
}

#[test]
fn what_ends_or_never_comes_is_exhausted() {
    for (trigger, expected) in [
        ("{at: ['2026-11-21T00:00:00Z', '2026-11-21T00:00:01Z']}", json!(["2026-11-21T00:00:01Z"])),
        ("{cron: '0 0 30 2 *'}", json!([])),
        ("{cron: '0 0 31 2 *'}", json!([])),
        ("{allOf: [{cron: '0 3 * * *'}, {cron: '0 4 * * *'}]}", json!([])),
        ("{cron: '@daily', notAfter: '2026-01-01T00:00:00Z'}", json!([])),
    ] {
        assert_eq!(slots("5", trigger), json!({"name": "test", "slots": expected, "exhausted": true}), "{trigger}");
    }
}

#[test]
fn every_document_is_answered_on_a_line_of_its_own_whatever_the_others_are() {
    let input = named("a", "{cron: '@daily'}")
        + &named("broken", "{cron: '60 * * * *'}")
        + "---\nkind: ConfigMap\napiVersion: v1\n"
        + &named("b", "{cron: '@daily'}");
    let answer = next("1", &input.replace('\n', "\r\n"));
    let names: Vec<Value> =
        answer.out.lines().map(|it| serde_json::from_str::<Value>(it).expect("JSON")["name"].clone()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(answer.status, Some(1));
    assert!(answer.err.contains("standard input:9: broken: spec.trigger.cron, minute field"), "{}", answer.err);
}

#[test]
fn a_list_in_json_is_read_from_standard_input() {
    let item = |name: &str| json!({"apiVersion": "punctual.dev/v1alpha1", "kind": "Schedule", "metadata": {"name": name}, "spec": {"trigger": {"cron": "@daily"}}});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [item("a"), item("b")]});
    let answer = next("1", &list.to_string());
    assert_eq!((answer.status, answer.out.lines().count()), (Some(0), 2), "{}", answer.err);
}

#[test]
fn people_are_told_when_and_why() {
    for (trigger, after, expected) in [
        ("{cron: '30 2 * * *', timeZone: Europe/Berlin}", "2027-03-27T12:00:00Z", "Sun 2027-03-28 03:00 +02:00 CEST"),
        (
            "{cron: '30 2 * * *', timeZone: Europe/Berlin}",
            "2027-03-27T12:00:00Z",
            "moved: the clocks in Europe/Berlin skip 02:00 to 03:00 that day",
        ),
        (
            "{cron: '30 2 * * *', timeZone: Europe/Berlin}",
            "2027-10-30T12:00:00Z",
            "the first time only: the clocks in Europe/Berlin show 02:00 to 03:00 twice that day",
        ),
        (
            "{cron: '0 9 * * *', exclude: [{name: holidays, dates: ['2026-12-25']}]}",
            "2026-12-24T12:00:00Z",
            "excluded by holidays",
        ),
        (
            "{interval: {every: 1h}}",
            AFTER,
            "interval counts from the creation: this is as if it were created at 2026-11-21T00:00:00Z",
        ),
        ("{cron: 'H 3 * * *'}", AFTER, "H depends on the namespace, which is not given: taken to be default"),
        ("{cron: '0 0 30 2 *'}", AFTER, "no slot after 2026-11-21 00:00 UTC: there will never be one"),
        ("{at: ['2026-12-24T00:00:00Z']}", AFTER, "no more slots: there will never be another one"),
    ] {
        let answer = punctual(&["next", "-f", "-", "--after", after, "--count", "2"], &schedule(trigger));
        assert_eq!(answer.status, Some(0), "{trigger}: {}", answer.err);
        assert!(answer.out.contains(expected), "{trigger}: {}", answer.out);
    }
}

#[test]
fn a_schedule_as_the_cluster_has_it_is_answered_by_its_creation_and_its_pause() {
    let created = "metadata: {name: test, namespace: team, creationTimestamp: '2026-11-21T12:30:00Z'}";
    let input = schedule("{anyOf: [{interval: {every: 10h}}, {cron: '0 12 * * *'}]}\n  paused: true");
    let input = input.replace("metadata: {name: test}", created);
    let answer = punctual(&["next", "-f", "-", "--after", AFTER, "--count", "2"], &input);
    let lines: Vec<&str> = answer.out.lines().collect();
    assert_eq!(lines[0], "standard input:2: team/test: any of 2 triggers", "{}", answer.out);
    assert!(lines[1].contains("it is paused"), "{}", answer.out);
    assert!(lines[2].contains("2026-11-21 12:00") && lines[2].ends_with("before its creation: never starts"));
    assert!(lines[3].contains("2026-11-21 22:30") && !lines[3].contains("creation"), "{}", answer.out);
}

#[test]
fn times_are_shown_in_the_zone_asked_for() {
    let arguments = ["next", "-f", "-", "--after", AFTER, "--count", "1", "--zone", "Asia/Kathmandu"];
    let answer = punctual(&arguments, &schedule("{cron: '0 9 * * *'}"));
    assert!(answer.out.contains("Sat 2026-11-21 14:45 +05:45"), "{}", answer.out);
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_to_do() {
    for (trigger, expected) in [
        ("{cron: '60 * * * *'}", "spec.trigger.cron, minute field, column 1, has 60; expected 0 to 59"),
        ("{cron: '1,,2 * * * *'}", "spec.trigger.cron, minute field, column 3, has an empty element"),
        ("{fields: {day: '1,,2'}}", "spec.trigger.fields.day, column 3, has an empty element"),
        ("{cron: 'TZ=UTC 0 0 * * *'}", "use spec.trigger.timeZone instead"),
        ("{interval: {every: 0s}}", "spec.trigger.interval.every is \"0s\"; expected at least 1s"),
        ("{interval: {every: 0}}", "spec.trigger.interval.every is the number 0; expected a text"),
        ("{cron: '@daily', timezone: UTC}", "spec.trigger.timezone is no known field; did you mean timeZone?"),
        ("{cron: '@daily', timeZone: Europe/Berln}", "did you mean Europe/Berlin?"),
        ("{at: [null]}", "spec.trigger.at[0] is empty; expected a text"),
        ("{cron: '@daily', at: ['2026-12-24T00:00:00Z']}", "spec.trigger has to have exactly one of"),
        ("{}", "spec.trigger has to have exactly one of"),
        ("null", "spec.trigger is missing"),
    ] {
        let input = schedule(trigger);
        let found = lint(&input);
        assert_eq!(found.status, Some(1), "{trigger}: {}", found.out);
        assert!(found.out.contains(expected), "{trigger}: {}", found.out);
        assert!(found.out.ends_with("1 Schedule, 1 problem, 0 warnings\n"), "{trigger}: {}", found.out);
        // The other command refuses it, too, in the same words.
        let refused = next("1", &input);
        assert_eq!((refused.status, refused.out.as_str()), (Some(1), ""), "{trigger}");
        assert!(refused.err.contains(expected), "{trigger}: {}", refused.err);
    }
}

#[test]
fn all_problems_of_all_documents_are_told_at_once() {
    let input = named("a", "{cron: '99 * * * *', timeZone: Mars/Base}") + &named("b", "{cron: '0 0 31 2 *'}");
    let answer = lint(&(input + "  concurrency: {policy: forbid}\n"));
    assert_eq!(answer.status, Some(1));
    for expected in [
        "standard input:2: a: problem: spec.trigger.timeZone is \"Mars/Base\"",
        "standard input:2: a: problem: spec.trigger.cron, minute field",
        "standard input:9: b: problem: spec.concurrency.policy is \"forbid\"; did you mean Forbid?",
        "standard input:9: b: problem: spec.trigger names no instant at all",
        "2 Schedules, 4 problems, 0 warnings",
    ] {
        assert!(answer.out.contains(expected), "{expected}: {}", answer.out);
    }
}

#[test]
fn what_cannot_be_read_is_told_apart_from_what_is_wrong() {
    for (input, expected) in [
        ("", "standard input: nothing in it"),
        ("\r\n# a comment\r\n", "standard input: nothing in it"),
        ("a: [", "cannot be read as YAML: unclosed bracket"),
        ("Dear colleagues", "is no Kubernetes object"),
        ("{\"kind\": ", "cannot be read as JSON"),
        ("kind: {{ .Values.kind }}", "render it first"),
        ("kind: Job\napiVersion: batch/v1\n", "no Schedule (apiVersion: punctual.dev/v1alpha1) among them, only Job"),
        ("kind: Schedule\nkind: Schedule\n", "kind is given twice, the second time at line 2, column 1"),
    ] {
        let answer = lint(input);
        assert_eq!((answer.status, answer.out.as_str()), (Some(2), ""), "{input:?}");
        assert!(answer.err.contains(expected), "{input:?}: {}", answer.err);
        assert_eq!(next("1", input).status, Some(1), "{input:?}");
    }
    assert_eq!(punctual(&["lint", "-f", "no/such/file"], "").status, Some(2));
}

#[test]
fn surprises_are_warnings_and_problems_only_if_that_is_wanted() {
    let input = schedule("{cron: '0 9 13 * FRI'}");
    let answer = lint(&input);
    assert_eq!(answer.status, Some(0));
    assert!(answer.out.contains("test: warning: spec.trigger.cron is \"0 9 13 * FRI\""), "{}", answer.out);
    assert_eq!(punctual(&["lint", "--strict", "-f", "-"], &input).status, Some(1));
}

#[test]
fn programs_are_told_of_every_document() {
    let input = named("a", "{cron: '60 * * * *'}") + &named("b", "{interval: {every: 1h}}");
    let answer = punctual(&["lint", "-f", "-", "-o", "json"], &input);
    let told: Vec<Value> = answer.out.lines().map(|it| serde_json::from_str(it).expect("JSON")).collect();
    assert_eq!(told[0]["problems"][0]["field"], "spec.trigger.cron");
    assert_eq!((told[1]["problems"].as_array().map(Vec::len), &told[1]["name"]), (Some(0), &json!("b")));
    assert_eq!(told[1]["warnings"][0]["field"], "spec.trigger.interval");
}

#[test]
fn the_examples_have_neither_problems_nor_warnings() {
    let answer = punctual(&["lint", "--strict", "-f", "examples"], "");
    assert_eq!((answer.status, answer.err.as_str()), (Some(0), ""), "{}", answer.out);
    assert!(answer.out.contains(" 0 problems, 0 warnings"), "{}", answer.out);
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    for (arguments, expected) in [
        (vec!["next"], "<NAME|--filename <FILE>>"),
        (vec!["next", "name", "-f", "-"], "cannot be used with"),
        (vec!["next", "-f", "-", "--count", "0"], "0 is not in 1..=10000"),
        (vec!["next", "-f", "-", "--count", "10001"], "10001 is not in 1..=10000"),
        (vec!["next", "-f", "-", "--after", "tomorrow"], "such as 2026-12-24T18:00:00Z"),
        (vec!["next", "-f", "-", "--zone", "Europe/Berln"], "did you mean Europe/Berlin?"),
        (vec!["lint"], "--filename <FILE>"),
    ] {
        let answer = punctual(&arguments, "");
        assert_eq!((answer.status, answer.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(answer.err.contains(expected), "{arguments:?}: {}", answer.err);
    }
    let answer = punctual(&["next", "name", "--kubeconfig", "no/such/file"], "");
    assert_eq!(answer.status, Some(1));
    assert!(answer.err.starts_with("no cluster: "), "{}", answer.err);
}
