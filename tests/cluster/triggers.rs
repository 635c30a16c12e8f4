//! Every kind of trigger, on a real API server.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::harness::{Story, job_slot, now, second, story};

/// Slots are these many seconds after the start of a minute.
struct Kind {
    name: &'static str,
    trigger: String,
    slots: &'static [i64],
}

/// Triggers of every kind with their slots in the first twenty seconds of a minute. Clocks that are
/// five hours and three quarters from UTC show it.
fn kinds(minute: Timestamp) -> Vec<Kind> {
    let at = |second: i64| minute + SignedDuration::from_secs(second);
    let shown = |second: i64| at(second).to_zoned(TimeZone::get("Asia/Kathmandu").unwrap()).datetime();
    let (mm, hh) = (shown(0).minute(), shown(0).hour());
    let kind = |name, trigger: String, slots| Kind { name, trigger, slots };
    vec![
        kind("cron-five-fields", format!("cron: \"{mm} {hh} * * *\""), &[0]),
        kind("cron-six-fields", format!("cron: \"5,10 {mm} {hh} * * *\""), &[5, 10]),
        kind("fields", format!("fields: {{hour: {hh}, minute: {mm}, second: \"*/10\"}}"), &[0, 10, 20]),
        kind("interval", format!("interval: {{every: 7s, startTime: \"{minute}\"}}"), &[0, 7, 14]),
        kind("calendar", format!("calendar: {{days: 1, timeOfDay: \"{:02}:{:02}:15\"}}", hh, mm), &[15]),
        kind("at", format!("at: [\"{}\", \"{}\"]", at(12), at(3)), &[3, 12]),
        kind("at-local", format!("atLocal: [\"{}\"]", shown(8)), &[8]),
        kind("any-of", format!("anyOf: [{{at: [\"{}\"]}}, {{cron: \"5,9 {mm} {hh} * * *\"}}]", at(5)), &[5, 9]),
        kind(
            "all-of",
            format!("allOf: [{{interval: {{every: 5s, startTime: \"{minute}\"}}}}, {{cron: \"*/10 * * * * *\"}}]"),
            &[0, 10, 20],
        ),
        kind(
            "exclude",
            format!(
                "interval: {{every: 5s, startTime: \"{minute}\"}}\n  \
                 exclude: [{{name: closed, from: \"{}\", to: \"{}\"}}]",
                at(5),
                at(15)
            ),
            &[0, 15, 20],
        ),
    ]
}

#[test]
fn every_kind_of_trigger_starts_its_jobs_in_the_second_of_their_slots() {
    story(async |story| {
        // As the chart has it: nobody takes over here from a leader that a busy machine held up.
        let patient = "--leader-lease-duration=15s --leader-renew-deadline=10s --leader-retry-period=2s";
        let _operator = story.operator_with("a", patient, story.server()).await;
        // The next minute that is not just about to begin.
        let minute = Timestamp::from_second((now().as_second() + 12).div_euclid(60) * 60 + 60).unwrap();
        let (kinds, last) = (kinds(minute), minute + SignedDuration::from_secs(20));
        for Kind { name, trigger, .. } in &kinds {
            let spec = format!(
                "trigger:\n  {trigger}\n  timeZone: Asia/Kathmandu\n  notAfter: \"{last}\"\n\
                 catchUp: {{policy: All}}\nconcurrency: {{policy: Allow}}\nsuccessfulJobsHistoryLimit: 10"
            );
            story.schedule(name, &spec, "").await;
        }
        for Kind { name, slots, .. } in &kinds {
            started(story, name, minute, slots).await;
        }
    });
}

/// The Schedule is complete, and has started a Job for each of these slots and no other.
async fn started(story: &Story, name: &str, minute: Timestamp, slots: &[i64]) {
    for slot in slots {
        story.until_job(name, minute + SignedDuration::from_secs(*slot)).await;
    }
    story.until_condition(name, "Complete", "True", "Completed").await;
    let jobs = story.jobs_of(name);
    let found: Vec<i64> = jobs.iter().map(|job| job_slot(job) - minute.as_second()).collect();
    assert_eq!(found, slots, "{name}");
    for job in &jobs {
        assert!(second(job, "/metadata/creationTimestamp") >= job_slot(job), "before its slot: {}", job["metadata"]);
    }
}
