//! Random walks over the definition: a Schedule is edited at random, rightly and wrongly, and then
//! given back its first spec. Each edit is refused by the API server or answered by a condition;
//! in the end it is as one that never had another spec, and runs.
//!
//! `WALKS=50 SEED=1 cargo test --test cluster -- walks` walks further than the suite does.

mod generator;

use serde_json::{Value, json};

use crate::harness::{Story, story, text};
use crate::soak::specs::Dice;
use generator::Generator;

/// Edits in one walk.
const STEPS: usize = 16;
/// Specs to set out from, whose slots are far away. YAML.
const SPECS: &[&str] = &[
    "{trigger: {cron: \"0 0 1 1 *\", timeZone: Europe/Berlin}, resultTTL: 1h}",
    "{trigger: {interval: {every: 8760h, startTime: \"2020-01-01T00:00:00Z\"}}, concurrency: {policy: Queue, queueLimit: 5}}",
    "{trigger: {at: [\"2099-01-01T00:00:00Z\"]}, jitter: 10s, retry: {limit: 2}, catchUp: {policy: All, limit: 3}}",
    "{trigger: {anyOf: [{cron: \"@yearly\"}, {fields: {month: 2, day: 29}}], exclude: [{name: once, dates: [\"2096-02-29\"]}]}, paused: true, pauseReason: wait}",
];

#[test]
fn a_schedule_that_was_edited_at_random_and_restored_is_as_one_that_never_was() {
    let given = |name: &str| std::env::var(name).ok().map(|it| it.parse::<u64>().expect("a number"));
    let seed = given("SEED").unwrap_or_else(|| crate::harness::now().as_microsecond().unsigned_abs() % 1_000_000);
    for seed in seed..seed + given("WALKS").unwrap_or(2) {
        eprintln!("walk SEED={seed}");
        story(async |story| walk(story, seed).await);
    }
}

async fn walk(story: &Story, seed: u64) {
    let mut operator = story.operator("a").await;
    let mut dice = Dice::new(seed);
    let spec: Value = serde_saphyr::from_str(dice.pick::<&str>(SPECS)).unwrap();
    let first = manifest("walker", spec);
    story.apply(&first.to_string()).await;
    settled(story, "walker", None).await;

    let generator = Generator::of_the_definition();
    let mut present = first.clone();
    let (mut refused, mut stalled) = (0, 0);
    for step in 0..STEPS {
        let mut next = present.clone();
        let edit = generator.edit(&mut dice, &mut next["spec"]);
        let what = format!("SEED={seed}, step {step}: {} = {}", edit.path, edit.value);
        match story.try_apply(&next.to_string()).await {
            Ok(_) => {
                let is_wrong = edit.is_wrong.then_some(what.as_str());
                let ready = settled(story, "walker", is_wrong).await;
                stalled += i32::from(ready["status"] == "False");
                present = next;
            }
            Err(refusal) => {
                let mut names = edit.path.split(['.', '/']).filter(|it| *it != "spec");
                assert!(names.any(|it| refusal.contains(it)), "{what} is refused by: {refusal}");
                refused += 1;
            }
        }
        assert!(operator.is_running(), "{what} ended the operator: {}", operator.logged());
    }

    eprintln!("walk SEED={seed}: of {STEPS} edits {refused} refused, {stalled} answered by Ready=False");

    story.apply(&first.to_string()).await;
    settled(story, "walker", None).await;
    story.apply(&manifest("newcomer", first["spec"].clone()).to_string()).await;
    settled(story, "newcomer", None).await;
    // What some edit started may run for ever; a user puts an end to it.
    story
        .until("nothing is left of what ran", async || {
            for job in story.list("Job").await {
                story.delete("Job", text(&job, "/metadata/name")).await;
            }
            let status = story.status("walker").await;
            (status["active"].is_null() && status["pending"].is_null()).then_some(())
        })
        .await;
    let newcomer = shown(&story.status("newcomer").await);
    let what = format!("SEED={seed}: what was restored is as what is new: {newcomer:#}");
    story.until_status("walker", &what, |it| shown(it) == newcomer).await;
    for name in ["walker", "newcomer"] {
        runs(story, name).await;
    }
    drop(operator);
}

/// Waits until the operator has answered to the present spec; answers the condition Ready. A wrong
/// spec must not be.
async fn settled(story: &Story, name: &str, is_wrong: Option<&str>) -> Value {
    let what = match is_wrong {
        Some(edit) => format!("a condition says what is wrong: {edit}"),
        None => format!("{name} is answered by a condition"),
    };
    story
        .until(&what, async || {
            let object = story.get("Schedule", name).await?;
            let is_seen = object["status"]["observedGeneration"] == object["metadata"]["generation"];
            let ready = condition(&object["status"], "Ready")?;
            let is_answered = ready["status"] == "False" || ready["status"] == "True" && is_wrong.is_none();
            (is_seen && is_answered && !text(&ready, "/message").is_empty()).then_some(ready)
        })
        .await
}

/// What a user sees of it, without what remembers the past.
fn shown(status: &Value) -> Value {
    let fields = [
        "state",
        "trigger",
        "nextSlotTime",
        "nextSlotText",
        "nextSlots",
        "activeRuns",
        "queuedRuns",
        "pauseEnded",
        "maxRunsReached",
    ];
    let mut shown: Value = fields.iter().map(|it| ((*it).to_owned(), status[it].clone())).collect();
    shown["trigger of the epoch"] = status["epoch"]["hash"].clone();
    for type_ in ["Ready", "Stalled", "Paused", "Complete", "StartBlocked", "RunsStarting", "ClockSkew"] {
        let condition = condition(status, type_).unwrap_or_default();
        shown[type_] = json!([condition["status"], condition["reason"]]);
    }
    let pauses = status["pauses"].as_array().into_iter().flatten();
    shown["pauses"] = pauses.map(|it| json!([it["source"], it["reason"], it["until"]])).collect();
    shown
}

fn condition(status: &Value, type_: &str) -> Option<Value> {
    status["conditions"].as_array()?.iter().find(|it| it["type"] == type_).cloned()
}

/// A run by hand comes to a good end.
async fn runs(story: &Story, name: &str) {
    let run = json!({"apiVersion": "punctual.dev/v1alpha1", "kind": "ScheduleRun", "metadata": {"name": name}, "spec": {"scheduleName": name}});
    story.apply(&run.to_string()).await;
    story
        .until(&format!("a run of {name} by hand succeeds"), async || {
            let run = story.get("ScheduleRun", name).await?;
            (run["status"]["outcome"] == "Succeeded").then_some(())
        })
        .await;
}

fn manifest(name: &str, mut spec: Value) -> Value {
    if spec["jobTemplate"].is_null() {
        let containers = json!([{"name": "main", "image": "example/work:1"}]);
        spec["jobTemplate"] = json!({"spec": {"backoffLimit": 0, "template": {"spec": {"containers": containers}}}});
    }
    json!({"apiVersion": "punctual.dev/v1alpha1", "kind": "Schedule", "metadata": {"name": name}, "spec": spec})
}
