//! What users get wrong: `kubectl` or a condition answers in a sentence that says what to do, and
//! the corrected Schedule works without further ado.

use crate::harness::{Story, schedule, story};

/// Applies a manifest as a user does; it must be refused with these words.
fn refused(story: &Story, manifest: &str, words: &[&str]) {
    let output = story.kubectl(&["apply"], manifest);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "kubectl takes it:\n{manifest}");
    for word in words {
        assert!(told.contains(word), "{word:?} is not in: {told}");
    }
}

/// Applies a manifest as a user does; it must be taken.
fn taken(story: &Story, manifest: &str) {
    let output = story.kubectl(&["apply"], manifest);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The Schedule is taken, but a condition says these words; corrected, it works.
async fn stalled(story: &Story, name: &str, manifest: &str, reason: &str, words: &[&str]) {
    story.apply(manifest).await;
    let message = story.until_condition(name, "Stalled", "True", reason).await;
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
    assert_eq!(story.until_condition(name, "Ready", "False", reason).await, message);
    assert_eq!(story.status(name).await["state"], reason);
    story.schedule(name, RIGHT, "").await;
    story.until_condition(name, "Ready", "True", "Scheduled").await;
    let conditions = story.status(name).await["conditions"].to_string();
    assert!(!conditions.contains("Stalled"), "{conditions}");
}

const RIGHT: &str = "trigger: {cron: \"30 2 * * *\"}";

#[test]
fn the_schema_answers_what_needs_no_parser() {
    story(async |story| {
        let right = schedule("mistake", RIGHT, "");
        let with = |from: &str, to: &str| right.replace(from, to);
        let trigger = |to: &str| with("{cron: \"30 2 * * *\"}", to);
        let spec = |more: &str| with("spec:\n  trigger", &format!("spec:\n  {more}\n  trigger"));
        let exactly_one =
            ["a trigger has exactly one of cron, fields, interval, calendar, at, atLocal, anyOf and allOf"];
        refused(story, &trigger("{cron: \"30 2 * * *\", interval: {every: 1h}}"), &exactly_one);
        refused(story, &trigger("{timeZone: Europe/Berlin}"), &exactly_one);
        refused(
            story,
            &trigger("{cron: \"30 2 * * *\", timezone: Europe/Berlin}"),
            &["unknown field \"spec.trigger.timezone\""],
        );
        refused(story, &spec("pause: true"), &["unknown field \"spec.pause\""]);
        refused(
            story,
            &with("containers: [", "containrs: ["),
            &["spec.jobTemplate.spec.template.spec.containers: Required value"],
        );
        refused(
            story,
            &trigger("{interval: {every: 0s}}"),
            &["spec.trigger.interval.every", "every is a length of elapsed time", "at least 1s"],
        );
        refused(story, &trigger("{interval: {every: 1d}}"), &["spec.trigger.interval.every", "use calendar or cron"]);
        refused(story, &trigger("{at: [\"tomorrow\"]}"), &["spec.trigger.at[0]", "date-time"]);
        refused(story, &spec("resultContainer: mian"), &["resultContainer must be the name of a container"]);
        refused(
            story,
            &spec("catchUp: {}"),
            &["spec.catchUp", "catchUp needs one of policy, limit, afterPause, maxAge and since"],
        );
        refused(
            story,
            &spec("catchUp: {policy: Newest}"),
            &["spec.catchUp.policy", "supported values: \"None\", \"Latest\""],
        );
        let concurrency = |fields: &str| spec(&format!("concurrency: {{{fields}}}"));
        refused(story, &concurrency(""), &["concurrency needs a policy: Allow, Forbid, Replace or Queue"]);
        refused(
            story,
            &concurrency("policy: Allow, limit: 5"),
            &["limit does not go with policy Allow, which admits up to 100 runs"],
        );
        let queue = ["queueLimit and queueFull need policy Queue"];
        refused(story, &concurrency("policy: Forbid, queueLimit: 5"), &queue);
        refused(story, &concurrency("queueFull: DropOldest"), &queue);
        refused(
            story,
            &concurrency("policy: Queue, limit: 0"),
            &["spec.concurrency.limit", "greater than or equal to 1"],
        );
        let pause = ["pauseUntil and pauseReason say more about a pause: they need paused: true"];
        refused(story, &spec("pauseUntil: \"2030-01-01T00:00:00Z\""), &pause);
        refused(story, &spec("paused: false\n  pauseReason: maintenance"), &pause);
        refused(story, &spec("paused: true\n  pauseUntil: tomorrow"), &["spec.pauseUntil", "date-time"]);
        refused(story, &spec("retry: {delay: 5s}"), &["spec.retry.limit: Required value"]);
        refused(story, &spec("retry: {limit: 99}"), &["spec.retry.limit", "less than or equal to 98"]);
        refused(story, &spec("jitter: soon"), &["spec.jitter", "such as 90s, 15m"]);
        refused(story, &spec("maxRuns: 0"), &["spec.maxRuns", "greater than or equal to 1"]);
        refused(
            story,
            &spec("resultTTL: 0s"),
            &["spec.resultTTL", "a length of time is written such as 90s", "at least 1s"],
        );
        refused(story, &spec("resultTTL: forever"), &["spec.resultTTL", "such as 90s, 15m"]);
        refused(story, &spec("startingDeadline: 1.5h"), &["spec.startingDeadline"]);
        let name = ["metadata.name must have at most 52 characters and no dot"];
        refused(story, &with("name: mistake", "name: report.v2"), &name);
        refused(story, &with("name: mistake", &format!("name: {}", "n".repeat(53))), &name);
        taken(story, &with("name: mistake", &format!("name: {}", "n".repeat(52))));
        taken(story, &spec("resultTTL: 1w\n  startingDeadline: 1h30m"));
        taken(story, &concurrency("limit: 5"));
        taken(story, &concurrency("policy: Queue, limit: 2, queueLimit: 5, queueFull: DropOldest"));
        taken(story, &spec("paused: true\n  pauseUntil: \"2030-01-01T00:00:00Z\"\n  pauseReason: maintenance"));
    });
}

#[test]
fn the_schema_answers_for_runs_by_hand_too() {
    story(async |story| {
        let run = |spec: &str| {
            format!(
                "apiVersion: punctual.dev/v1alpha1\nkind: ScheduleRun\nmetadata: {{name: mistake}}\nspec: {{{spec}}}\n"
            )
        };
        refused(story, &run("reason: because"), &["spec.scheduleName: Required value"]);
        refused(story, &run("schedule: nightly"), &["unknown field \"spec.schedule\""]);
        refused(story, &run("scheduleName: a, reason: \"\""), &["spec.reason"]);
        let long = run("scheduleName: nightly").replace("mistake", &"n".repeat(64));
        refused(story, &long, &["metadata.name must have at most 63 characters"]);
        taken(story, &run("scheduleName: nightly, reason: because"));
        let unchangeable = ["the spec of a ScheduleRun cannot be changed", "create another ScheduleRun"];
        refused(story, &run("scheduleName: hourly, reason: because"), &unchangeable);
        refused(story, &run("scheduleName: nightly"), &unchangeable);
    });
}

#[test]
fn a_condition_answers_what_needs_one() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let trigger = |text: &str| schedule("mistake", &format!("trigger: {text}"), "");
        let cron = trigger("{cron: \"0 25 * * *\"}");
        stalled(
            story,
            "mistake",
            &cron,
            "InvalidTrigger",
            &["spec.trigger.cron", "hour field", "has 25; expected 0 to 23"],
        )
        .await;
        let words = trigger("{cron: \"every day at noon\"}");
        stalled(story, "mistake", &words, "InvalidTrigger", &["spec.trigger.cron has 4 fields; expected five"]).await;
        let zone = trigger("{cron: \"0 2 * * *\", timeZone: Europe/Belrin}");
        stalled(
            story,
            "mistake",
            &zone,
            "UnknownTimeZone",
            &["spec.trigger.timeZone", "Europe/Belrin", "Europe/Berlin"],
        )
        .await;
        let never = trigger("{cron: \"0 0 31 2 *\"}");
        stalled(story, "mistake", &never, "NeverFires", &["spec.trigger", "at 00:00 on 31 February never comes"]).await;
    });
}

#[test]
fn a_template_is_tried_when_it_is_first_seen() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let right = schedule("mistake", RIGHT, "");
        let container = |more: &str| right.replace("example/work:1\"", &format!("example/work:1\", {more}"));
        let quantity = container("resources: {limits: {memory: 1 GB}}");
        stalled(story, "mistake", &quantity, "InvalidTemplate", &["spec.jobTemplate", "quantities must match"]).await;
        let field = container("comand: [\"sh\"]");
        stalled(story, "mistake", &field, "InvalidTemplate", &["spec.jobTemplate", "unknown field", "comand"]).await;
        let port = container("ports: [{containerPort: 80000}]");
        stalled(
            story,
            "mistake",
            &port,
            "InvalidTemplate",
            &["containers[0].ports[0].containerPort", "between 1 and 65535"],
        )
        .await;
        let image = right.replace("image: \"example/work:1\"", "command: [sh]");
        stalled(story, "mistake", &image, "InvalidTemplate", &["containers[0].image", "Required value"]).await;
        assert!(story.jobs_seen().is_empty(), "a dry run leaves nothing");
    });
}

#[test]
fn a_mistake_made_later_stops_the_slots_and_its_correction_brings_them_back() {
    story(async |story| {
        let _operator = story.operator("a").await;
        let first = crate::harness::seconds_from_now(3);
        let right = format!("trigger: {{interval: {{every: 2s, startTime: \"{first}\"}}}}");
        story.schedule("tick", &right, "").await;
        story.until_job("tick", first).await;
        story.schedule("tick", "trigger: {cron: \"* * * *\"}", "").await;
        story.until_condition("tick", "Stalled", "True", "InvalidTrigger").await;
        let stopped = story.jobs_of("tick").len();
        story.until_past(crate::harness::seconds_from_now(5)).await;
        assert_eq!(story.jobs_of("tick").len(), stopped);

        story.schedule("tick", &right, "").await;
        let corrected = crate::harness::now();
        story.until_condition("tick", "Ready", "True", "Scheduled").await;
        story.until("slots start again", async || (story.jobs_of("tick").len() >= stopped + 2).then_some(())).await;
        let later = |job: &serde_json::Value| crate::harness::job_slot(job) >= corrected.as_second();
        assert_eq!(story.jobs_of("tick").iter().filter(|it| later(it)).count() + stopped, story.jobs_of("tick").len());
    });
}
