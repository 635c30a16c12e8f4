//! The built kubectl plugin, as it plays Schedules through and tells why: what it answers, with
//! which exit status, and whether the documents show what it prints.
//!
//! `UPDATE=1 cargo test --test simulate` writes the output in the documents anew.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// Documents whose console blocks show what the plugin prints.
const DOCUMENTS: &[&str] = &["docs/simulate.md"];
/// What the blocks run; the rest needs a cluster.
const PROGRAM: &str = "kubectl-punctual ";

#[test]
fn the_documents_show_what_is_printed() {
    for name in DOCUMENTS {
        let path = root().join(name);
        let written = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (printed, commands) = replayed(&written);
        assert!(commands > 3, "{name} shows {commands} commands");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &printed).expect("the document can be written");
        }
        let committed = fs::read_to_string(&path).expect("a document");
        let differences: Vec<_> = printed.lines().zip(committed.lines()).filter(|(now, then)| now != then).collect();
        assert_eq!(differences, [], "{name}, now and as it is written: UPDATE=1 cargo test --test simulate");
        assert_eq!(printed.len(), committed.len(), "{name} is not as long as it is written");
    }
}

#[test]
fn a_long_run_makes_the_slots_in_it_skip_and_the_reason_is_told() {
    let told = simulate("{cron: '*/10 * * * *'}", &["--for", "30m", "--runs-take", "15m"]);
    let slots: Vec<_> = list(&told, "slots").iter().map(|it| (it["outcome"].clone(), it["reason"].clone())).collect();
    let started = |word: &str| (json!(word), Value::Null);
    let skipped = (json!("SkippedOverlap"), json!("ConcurrencyForbid"));
    assert_eq!(slots, [started("Succeeded"), skipped.clone(), started("Started"), skipped]);
    assert_eq!(told["totals"]["runs"], json!({"Succeeded": 1, "Started": 1}));
    assert_eq!(told["totals"]["mostActive"], 1);
}

#[test]
fn runs_end_as_is_assumed() {
    let told = simulate(
        "{cron: '*/10 * * * *'}",
        &["--for", "50m", "--fail-every", "3", "--fail-at", "2026-06-01T10:10:00Z", "--exit-code", "7"],
    );
    let ends: Vec<_> = list(&told, "runs").iter().map(|it| it["exitCode"].clone()).collect();
    // The last one is still active.
    assert_eq!(ends, [json!(0), json!(7), json!(7), json!(0), json!(0), Value::Null]);
}

#[test]
fn failed_runs_are_tried_again_and_pause_the_schedule_as_the_spec_says() {
    let trigger = "{cron: '*/10 * * * *'}\n  retry: {limit: 1, delay: 30s}\n  pauseAfterFailures: 2";
    let told = simulate(trigger, &["--for", "1h", "--exit-code", "1"]);
    let runs: Vec<_> = list(&told, "runs").iter().map(|it| (it["outcome"].clone(), it["attempts"].clone())).collect();
    assert_eq!(runs, vec![(json!("Failed"), json!(2)); 2]);
    let happened = told["happenings"].to_string();
    assert!(happened.contains("Paused: ") && happened.contains("2026-06-01T10:11:30Z"), "{happened}");
    // Every other Job fails, and the next one of the same run does not.
    let told = simulate(trigger, &["--for", "30m", "--fail-every", "2"]);
    let attempts: Vec<_> = list(&told, "runs").iter().map(|it| it["attempts"].clone()).collect();
    assert_eq!(attempts, [json!(1), json!(2), json!(2), json!(1)]);
}

#[test]
fn how_long_runs_take_at_random_depends_on_the_seed_alone() {
    let ends = |seed: &str| {
        let told = simulate("{interval: {every: 1h}}", &["--for", "9h", "--runs-take", "1m..50m", "--seed", seed]);
        let runs = list(&told, "runs").iter().map(|it| it["completionTime"].clone());
        runs.collect::<Vec<_>>()
    };
    assert_eq!(ends("1"), ends("1"));
    assert_ne!(ends("1"), ends("2"));
}

#[test]
fn what_a_pause_and_a_downtime_miss_is_caught_up_as_the_spec_says() {
    let told = simulate(
        "{cron: '*/10 * * * *'}",
        &[
            "--for",
            "2h",
            "--pause",
            "2026-06-01T10:20..2026-06-01T10:45",
            "--down",
            "2026-06-01T11:20..2026-06-01T11:45",
        ],
    );
    let of = |slot: &str| {
        let found = list(&told, "slots").iter().find(|it| it["slotTime"] == *slot).cloned();
        let found = found.unwrap_or_else(|| panic!("no slot {slot}: {told:#}"));
        (found["outcome"].clone(), found["reason"].clone(), found["into"].clone())
    };
    let coalesced = |into: &str| (json!("Coalesced"), json!("CatchUpLatest"), json!(into));
    assert_eq!(of("2026-06-01T10:20:00Z"), coalesced("2026-06-01T10:40:00Z"));
    assert_eq!(of("2026-06-01T11:20:00Z"), coalesced("2026-06-01T11:40:00Z"));
    let starts: Vec<_> = list(&told, "runs").iter().map(|it| it["startTime"].clone()).collect();
    assert!(starts.contains(&json!("2026-06-01T10:45:00Z")) && starts.contains(&json!("2026-06-01T11:45:00Z")));
    // Both ends of both, and what the operator tells of the pause.
    assert_eq!(list(&told, "happenings").len(), 6);
}

#[test]
fn a_slot_at_the_first_instant_starts_and_one_before_does_not() {
    let told = simulate("{cron: '*/10 * * * *'}", &["--for", "0s"]);
    assert_eq!(list(&told, "slots").len(), 1);
    assert_eq!(list(&told, "slots")[0]["slotTime"], "2026-06-01T10:00:00Z");
}

#[test]
fn every_schedule_of_several_documents_is_simulated_and_wrong_ones_are_told() {
    let input =
        [schedule("{cron: '0 * * * *'}"), schedule("{cron: '61 * * * *'}"), schedule("{interval: {every: 2h}}")];
    let arguments = ["simulate", "-f", "-", "--from", FROM, "--for", "4h", "-o", "json"];
    let output = punctual(&arguments, &input.join(""));
    let out = text(&output.stdout);
    assert_eq!(out.lines().count(), 2, "{out}");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("spec.trigger.cron"), "{}", text(&output.stderr));
}

#[test]
fn a_simulation_of_too_many_slots_stops_and_says_so() {
    let arguments = ["simulate", "-f", "-", "--from", FROM, "--for", "9000d", "--max-slots", "7", "-o", "json"];
    let every_second = schedule("{interval: {every: 1s}}");
    let output = punctual(&arguments, &every_second);
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((output.status.code(), list(&told, "slots").len()), (Some(1), 7));
    let err = text(&output.stderr);
    assert!(err.contains("stopped at 2026-06-01T10:00:07Z after 7 slots: choose a shorter period"), "{err}");
    // While it is paused nothing happens, however long that is.
    let paused = every_second.replace("spec:\n", "spec:\n  paused: true\n");
    assert_eq!(punctual(&arguments, &paused).status.code(), Some(0));
}

#[test]
fn assumptions_that_make_no_sense_are_refused() {
    for (arguments, expected, status) in [
        (["--until", "2026-05-01"], "ends before it begins", 1),
        (["--pause", "2026-06-02..2026-06-01"], "--pause", 1),
        (["--down", "2026-06-02"], "expected FROM..UNTIL", 2),
        (["--runs-take", "9m..1m"], "is shorter than", 2),
        (["--for", "soon"], "is not a duration", 2),
    ] {
        let all = [&["simulate", "-f", "-", "--from", FROM], arguments.as_slice()].concat();
        let output = punctual(&all, &schedule("{cron: '0 * * * *'}"));
        let err = text(&output.stderr);
        assert!(err.contains(expected), "{arguments:?}: {err}");
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {err}");
    }
}

#[test]
fn a_scenario_that_is_not_met_is_told_with_the_difference() {
    let story = fs::read_to_string(root().join("docs/simulate/maintenance.yaml")).expect("a scenario");
    let arguments = ["simulate", "-f", "docs/simulate/import.yaml", "--scenario", "-"];
    let met = punctual(&arguments, &story);
    assert_eq!(met.status.code(), Some(0), "{}{}", text(&met.stdout), text(&met.stderr));
    let wrong =
        punctual(&["simulate", "-f", "-", "--scenario", "docs/simulate/maintenance.yaml"], &schedule("{cron: x}"));
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("spec.trigger.cron"), "{}", text(&wrong.stderr));
    let output = punctual(&arguments, &story.replace("MissedDeadline (StartingDeadline)", "Succeeded"));
    assert_eq!(output.status.code(), Some(1));
    let out = text(&output.stdout);
    for line in ["- - 09:15 Succeeded", "+ - 09:15 MissedDeadline (StartingDeadline)"] {
        assert!(out.contains(line), "{line:?} is not in:\n{out}");
    }
}

#[test]
fn a_scenario_that_makes_no_sense_is_an_error_and_no_panic() {
    let story = |rest: &str| format!("title: t\ngiven: {{date: 2026-06-01, created: '10:00', {rest}\n");
    let spec = "spec: {trigger: {cron: '* * * * *'}}";
    for (text_, expected) in [
        ("hello".to_owned(), "not a story"),
        (story("}\nwhen: []"), "given.spec is missing"),
        (story(&format!("{spec}}}\nwhen: [{{at: '09:00'}}]")), "comes too late"),
        (story(&format!("{spec}}}\nwhen: [{{at: 'soon'}}]")), "no time"),
        (story(&format!("{spec}, status: {{active: 7}}}}\nwhen: []")), "given.status"),
        (story("spec: odd}\nwhen: []"), "given.spec: expected an object"),
        (story(&format!("{spec}}}\nwhen: [{{at: '10:05'}}]\nexpect: {{strats: []}}")), "nobody can see"),
    ] {
        let output = punctual(&["simulate", "--scenario", "-"], &text_);
        assert_eq!(output.status.code(), Some(2), "{text_}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(expected), "{text_}: {}", text(&output.stderr));
    }
    // A template no API server would take is an outcome, not an error.
    let odd = story("spec: {trigger: {cron: '* * * * *'}, jobTemplate: {spec: odd}}}\nwhen: [{at: '10:02'}]");
    let output = punctual(&["simulate", "--scenario", "-"], &odd);
    assert!(text(&output.stdout).contains("FailedToCreate"), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn why_tells_what_status_records_and_what_will_come() {
    let exported = fs::read_to_string(root().join("docs/simulate/exported.yaml")).expect("an export");
    let about = |at: &str| -> Value {
        let output = punctual(&["why", "-f", "-", "--at", at, "-o", "json"], &exported);
        assert_eq!(output.status.code(), Some(0), "{at}: {}", text(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{at}: {error}"));
        told["findings"].as_array().map(|it| it.iter().map(said).collect()).unwrap_or_default()
    };
    for (at, expected) in [
        ("2026-06-01T06:30:00Z", json!(["Succeeded"])),
        ("2026-06-01T07:30:00Z", json!(["Running"])),
        ("2026-06-01T07:45:00Z", json!(["SkippedOverlap ConcurrencyForbid spec.concurrency.policy"])),
        ("2026-05-29T05:00:00Z", json!(["NoSlot spec.trigger"])),
        ("2026-05-29T09:00:00+02:00", json!(["Forgotten"])),
        ("2026-06-01T07:47:00Z", json!(["NoSlot spec.trigger"])),
        (
            "2099-11-23T12:00",
            json!(["SkippedOverlap ConcurrencyForbid spec.concurrency.policy", "Starts spec.trigger"]),
        ),
    ] {
        assert_eq!(about(at), expected, "{at}");
    }
}

#[test]
fn why_without_a_time_tells_what_holds_it_up() {
    let exported = fs::read_to_string(root().join("docs/simulate/exported.yaml")).expect("an export");
    let paused = exported.replace(
        "  state: Scheduled\n",
        "  state: Paused\n  pauses: [{source: Spec, since: '2026-06-01T07:46:00Z', reason: a new disk}]\n",
    );
    let paused = paused.replace("spec:\n  trigger", "spec:\n  paused: true\n  trigger");
    let told = text(&punctual(&["why", "-f", "-"], &paused).stdout);
    for line in [
        "now: Paused (Spec): since 2026-06-01 09:46 CEST: a new disk: no slot starts until spec.paused is false",
        "now: Running",
        "SkippedOverlap (ConcurrencyForbid)",
    ] {
        assert!(told.contains(line), "{line:?} is not in:\n{told}");
    }
    assert!(told.contains("Undecided (Paused)"), "{told}");
}

#[test]
fn why_and_next_tell_why_no_slot_starts() {
    let exported = fs::read_to_string(root().join("docs/simulate/exported.yaml")).expect("an export");
    let with = |spec: &str, status: &str| {
        let spec = exported.replace("spec:\n  trigger", &format!("spec:\n  {spec}\n  trigger"));
        spec.replace("  state: Scheduled\n", &format!("  {status}\n"))
    };
    let refused = "    - {type: Stalled, status: 'True', reason: InvalidTemplate, message: no such field, \
                   lastTransitionTime: '2026-05-29T06:00:00Z'}\n";
    let refused = exported.replace("  conditions:\n", &format!("  conditions:\n{refused}"));
    for (given, why, next) in [
        (
            with("maxRuns: 8", "plannedRuns: 8\n  maxRunsReached: '2026-06-01T07:30:00Z'"),
            ["NoSlot (MaxRunsReached)", "[spec.maxRuns]"],
            "maxRuns is reached: none of these starts",
        ),
        (
            with(
                "paused: true\n  pauseUntil: '2026-01-01T00:00:00Z'",
                "pauses: [{source: Spec, since: '2026-06-01T07:46:00Z'}]",
            ),
            ["Paused (UntilInPast): since 2026-06-01 09:46 CEST", "set a later one, or take paused and pauseUntil out"],
            "(2026-01-01T00:00:00Z) was past already",
        ),
        (
            with("pauseAfterFailures: 2", "pauses: [{source: Failures, since: '2026-06-01T07:46:00Z'}]"),
            ["Paused (ConsecutiveFailures)", "until the spec is changed or a ScheduleRun succeeds"],
            "it is paused: no slot starts until the spec is changed",
        ),
        (exported.clone(), ["now: Undecided", "the slot 2026-06-01 10:00 CEST is due: is the operator running?"], ""),
        (refused, ["now: Stalled (InvalidTemplate)", "it starts only if the API server takes its Job"], ""),
    ] {
        let told = text(&punctual(&["why", "-f", "-"], &given).stdout);
        assert!(why.iter().all(|it| told.contains(it)), "{why:?} are not in:\n{told}");
        let told = text(&punctual(&["next", "-f", "-", "--count", "1"], &given).stdout);
        assert!(told.contains(next), "{next:?} is not in:\n{told}");
    }
}

#[test]
fn what_will_come_reckons_with_an_active_run_by_hand_and_with_starts_that_are_refused() {
    let exported = fs::read_to_string(root().join("docs/simulate/exported.yaml")).expect("an export");
    let by_hand = exported
        .replace("    - slotTime: \"2026-06-01T07:30:00Z\"\n      jobName", "    - scheduleRun: now\n      jobName");
    let by_hand = by_hand
        .replace("import-20260601073000-e6onpvgqy3\n      jobUID", "import-now01780299000-abcdefghij\n      jobUID");
    let told = text(&punctual(&["why", "-f", "-", "--at", "2099-11-23T12:00"], &by_hand).stdout);
    assert!(told.contains("if what is active and waits now still does so then, it does not start"), "{told}");

    let active = exported.find("  active:\n").zip(exported.find("  lastSlot:\n")).expect("an active run");
    let refused = "  pending: [{slotTime: '2026-06-01T07:45:00Z', why: Retrying, since: '2026-06-01T07:45:00Z'}]\n";
    let refused = [&exported[..active.0], refused, &exported[active.1..]].concat();
    let told = text(&punctual(&["why", "-f", "-", "--at", "2099-11-23T12:00"], &refused).stdout);
    assert!(told.contains("Retrying: if what is active and waits now still does so then, it waits"), "{told}");
}

#[test]
fn next_does_not_call_paused_what_was_paused_until_an_instant_that_has_come() {
    let exported = fs::read_to_string(root().join("docs/simulate/exported.yaml")).expect("an export");
    let over =
        exported.replace("spec:\n  trigger", "spec:\n  paused: true\n  pauseUntil: '2026-06-01T07:00:00Z'\n  trigger");
    let told = text(&punctual(&["next", "-f", "-", "--count", "1"], &over).stdout);
    assert!(told.contains("*/15") && !told.contains("paused"), "{told}");
}

// === what the tests above are made of ===

const FROM: &str = "2026-06-01T10:00:00Z";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn schedule(trigger: &str) -> String {
    format!(
        "---\napiVersion: punctual.dev/v1alpha1\nkind: Schedule\nmetadata: {{name: test}}\nspec:\n  \
         trigger: {trigger}\n  jobTemplate: {{spec: {{template: {{spec: {{containers: [{{name: main, image: a}}]}}}}}}}}\n"
    )
}

fn punctual(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-punctual"));
    command.args(arguments).current_dir(root()).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the plugin can be started");
    // It may end without reading: that is no failure of the test.
    let _ = child.stdin.take().expect("standard input").write_all(input.as_bytes());
    child.wait_with_output().expect("the plugin ends")
}

fn simulate(trigger: &str, arguments: &[&str]) -> Value {
    let all = [&["simulate", "-f", "-", "--from", FROM, "-o", "json"], arguments].concat();
    let output = punctual(&all, &schedule(trigger));
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{arguments:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

fn list<'a>(told: &'a Value, name: &str) -> &'a [Value] {
    told[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn said(finding: &Value) -> String {
    let words = ["word", "reason", "field"].iter().filter_map(|it| finding[*it].as_str());
    words.collect::<Vec<_>>().join(" ")
}

/// The document, with the output of its commands as it is now; and how many commands there are.
fn replayed(document: &str) -> (String, usize) {
    let (mut lines, mut commands) = (Vec::new(), 0);
    let (mut in_console, mut is_old_output) = (false, false);
    for line in document.lines() {
        if line.starts_with("```") {
            (in_console, is_old_output) = (line == "```console", false);
        }
        let command = line.strip_prefix("$ ").filter(|_| in_console);
        is_old_output &= command.is_none();
        if !is_old_output {
            lines.push(line.to_owned());
        }
        if let Some(command) = command.filter(|it| it.starts_with(PROGRAM)) {
            commands += 1;
            is_old_output = true;
            lines.extend(shell(command).lines().map(str::to_owned));
        }
    }
    (lines.join("\n") + "\n", commands)
}

/// What a command prints on standard output and standard error.
fn shell(command: &str) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_kubectl-punctual")).parent().expect("a folder").display().to_string();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
    let output =
        Command::new("sh").args(["-c", &format!("{command} 2>&1")]).current_dir(root()).env("PATH", path).output();
    text(&output.expect("a shell").stdout)
}
