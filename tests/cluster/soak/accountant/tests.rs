//! The accountant can fail: small logs in which one thing is wrong.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::log;
use super::{Book, Facts, account};

const OPERATOR: &str = "system:serviceaccount:soak:punctual";
const SCHEDULE: &str = "uid-of-the-schedule";
/// 2026-06-01T00:00:00Z.
const BEGIN: i64 = 1_780_272_000;

/// A log in the making. The one Schedule in it has a slot every minute; seconds count from its creation.
#[derive(Default)]
struct Fake {
    lines: Vec<Value>,
    outcomes: Vec<Value>,
    counts: Value,
    pauses: Value,
    spec: Value,
    generation: u64,
    version: u64,
    epoch: i64,
}

fn time(second: i64) -> String {
    Timestamp::from_second(BEGIN + second).unwrap().to_string()
}

impl Fake {
    /// A leader, and a Schedule with a spec.
    fn begin() -> Self {
        let mut fake = Self {
            counts: json!({"slots": {}, "runs": {}}),
            pauses: json!([]),
            spec: json!({"trigger": {"interval": {"every": "60s"}}}),
            generation: 1,
            ..Self::default()
        };
        for second in 0..=64 {
            fake.claim(second * 5, "one", "one_holds");
        }
        fake.status(0, 0);
        fake
    }

    fn line(&mut self, second: i64, user: &str, verb: &str, resource: &str, name: &str, code: i64) -> &mut Value {
        let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
        self.lines.push(json!({
            "verb": verb, "user": {"username": user, "extra": {"authentication.kubernetes.io/credential-id": ["one"]}},
            "objectRef": {"resource": resource, "subresource": part, "name": name},
            "responseStatus": {"code": code, "message": "as told"}, "requestReceivedTimestamp": time(second),
        }));
        self.lines.last_mut().unwrap()
    }

    fn claim(&mut self, second: i64, credential: &str, holder: &str) {
        let line = self.line(second, OPERATOR, "update", "leases", "punctual", 200);
        line["user"]["extra"]["authentication.kubernetes.io/credential-id"] = json!([credential]);
        line["requestObject"] = json!({"spec": {"holderIdentity": holder, "leaseTransitions": 7}});
    }

    /// The status is stored as it is now, with its mark.
    fn status(&mut self, second: i64, mark: i64) {
        let status = json!({
            "uid": SCHEDULE, "observedGeneration": self.generation, "conditions": [], "decidedThrough": time(mark),
            "epoch": {"hash": "v1:0", "since": time(self.epoch)}, "outcomes": self.outcomes, "counts": self.counts,
            "pauses": self.pauses,
        });
        let object = self.object(status);
        self.line(second, OPERATOR, "patch", "schedules/status", "minutely", 200)["responseObject"] = object;
    }

    /// A user writes a field of the spec.
    fn edit(&mut self, second: i64, field: &str, value: Value) {
        self.spec[field] = value;
        self.generation += 1;
        let object = self.object(json!({"conditions": []}));
        self.line(second, "somebody", "patch", "schedules", "minutely", 200)["responseObject"] = object;
    }

    fn object(&mut self, status: Value) -> Value {
        self.version += 1;
        json!({
            "metadata": {
                "name": "minutely", "uid": SCHEDULE, "generation": self.generation,
                "resourceVersion": self.version.to_string(), "creationTimestamp": time(0),
            },
            "spec": self.spec, "status": status,
        })
    }

    /// Status says that it is paused, or is not.
    fn pause(&mut self, second: i64, mark: i64, is_paused: bool) {
        let pause = json!([{"source": "Spec", "since": time(second)}]);
        self.pauses = if is_paused { pause } else { json!([]) };
        self.status(second, mark);
    }

    /// What became of a slot is put into the status.
    fn outcome(&mut self, slot: i64, outcome: &str) {
        self.outcomes.push(json!({"slotTime": time(slot), "outcome": outcome}));
        let counted = if ["Succeeded", "Failed"].contains(&outcome) { "Started" } else { outcome };
        let count = self.counts["slots"][counted].as_i64().unwrap_or_default();
        self.counts["slots"][counted] = json!(count + 1);
    }

    fn job(&mut self, second: i64, uid: &str, slot: i64) {
        let line = self.line(second, OPERATOR, "create", "jobs", "", 201);
        line["requestObject"] = json!({"metadata": {"name": uid}});
        line["responseObject"] = job(uid, slot, "");
    }

    fn job_ends(&mut self, second: i64, uid: &str, slot: i64, condition: &str) {
        self.line(second, "jobs", "update", "jobs/status", uid, 200)["responseObject"] = job(uid, slot, condition);
    }

    /// A slot as it should be.
    fn run(&mut self, slot: i64) {
        let uid = format!("job-{slot}");
        self.job(slot, &uid, slot);
        self.job_ends(slot + 2, &uid, slot, "Complete");
        self.outcome(slot, "Succeeded");
        self.status(slot + 3, slot);
    }

    /// The problems found, when all ended after five slots.
    fn problems(&self) -> Vec<String> {
        let log: String = self.lines.iter().map(|it| format!("{it}\n")).collect();
        self.book(&log).problems
    }

    fn book(&self, log: &str) -> Book {
        let facts = Facts {
            disturbances: Vec::new(),
            cut: Timestamp::from_second(BEGIN + 330).unwrap(),
            renew_deadline: SignedDuration::from_secs(10),
            grace: SignedDuration::from_secs(15),
        };
        account(&log::read_lines(log.as_bytes(), OPERATOR), &facts)
    }
}

fn job(uid: &str, slot: i64, condition: &str) -> Value {
    let conditions = if condition.is_empty() { json!([]) } else { json!([{"type": condition, "status": "True"}]) };
    json!({
        "kind": "Job", "status": {"conditions": conditions},
        "metadata": {
            "name": uid, "uid": uid, "creationTimestamp": time(slot), "ownerReferences": [{"uid": SCHEDULE}],
            "annotations": {"punctual.dev/slot-time": time(slot), "punctual.dev/attempt": "1"},
        },
    })
}

/// Five slots of which something is wrong with the third.
fn with_third(third: impl FnOnce(&mut Fake)) -> Vec<String> {
    let mut fake = Fake::begin();
    fake.run(60);
    fake.run(120);
    third(&mut fake);
    fake.run(240);
    fake.run(300);
    fake.problems()
}

#[track_caller]
fn assert_only(problems: &[String], words: &[&str]) {
    assert_eq!(problems.len(), words.len(), "{problems:#?}");
    for (problem, word) in problems.iter().zip(words) {
        assert!(problem.contains(word), "{word}: {problems:#?}");
    }
}

#[test]
fn a_log_in_which_all_is_well_has_no_problems() {
    assert_only(&with_third(|fake| fake.run(180)), &[]);
}

#[test]
fn a_slot_that_was_skipped_and_recorded_is_accounted_for() {
    assert_only(&with_third(|fake| fake.outcome(180, "SkippedLate")), &[]);
}

#[test]
fn a_slot_with_neither_job_nor_outcome_is_missing() {
    assert_only(&with_third(|_| {}), &["neither a Job nor an outcome"]);
}

#[test]
fn a_slot_with_two_jobs_is_doubled() {
    let problems = with_third(|fake| {
        fake.run(180);
        fake.job(184, "again", 180);
        fake.job_ends(185, "again", 180, "Failed");
    });
    assert_only(&problems, &["got two Jobs"]);
}

#[test]
fn a_job_whose_slot_status_never_told_of_is_unrecorded() {
    let problems = with_third(|fake| {
        fake.job(180, "silent", 180);
        fake.job_ends(182, "silent", 180, "Complete");
    });
    assert_only(&problems, &["status never said so", "its run is None"]);
}

#[test]
fn an_outcome_of_a_run_without_a_job_is_false() {
    assert_only(&with_third(|fake| fake.outcome(180, "Succeeded")), &["has no Job"]);
}

#[test]
fn a_skipped_slot_with_a_job_is_a_contradiction() {
    let problems = with_third(|fake| {
        fake.job(180, "skipped", 180);
        fake.job_ends(182, "skipped", 180, "Failed");
        fake.outcome(180, "SkippedLate");
    });
    assert_only(&problems, &["has a Job, and status says"]);
}

#[test]
fn a_job_that_starts_in_a_pause_is_seen() {
    let problems = with_third(|fake| {
        fake.edit(170, "paused", json!(true));
        fake.pause(171, 120, true);
        fake.run(180);
        fake.edit(190, "paused", json!(false));
        fake.pause(191, 180, false);
    });
    assert_only(&problems, &["while it was paused"]);
}

#[test]
fn what_waited_may_start_before_status_says_that_the_pause_is_over() {
    let problems = with_third(|fake| {
        fake.edit(170, "paused", json!(true));
        fake.pause(171, 120, true);
        fake.edit(179, "paused", json!(false));
        fake.job(180, "job-180", 180);
        fake.job_ends(182, "job-180", 180, "Complete");
        fake.outcome(180, "Succeeded");
        fake.pause(183, 180, false);
    });
    assert_only(&problems, &[]);
}

#[test]
fn a_slot_may_start_when_its_pause_has_ended_by_itself_and_not_before() {
    for (until, words) in [(180, &[][..]), (181, &["while it was paused"][..])] {
        let problems = with_third(|fake| {
            fake.edit(170, "pauseUntil", json!(time(until)));
            fake.edit(170, "paused", json!(true));
            fake.pauses = json!([{"source": "Spec", "since": time(170), "until": time(until)}]);
            fake.status(171, 120);
            fake.job(180, "job-180", 180);
            fake.job_ends(182, "job-180", 180, "Complete");
            fake.outcome(180, "Succeeded");
            fake.pause(183, 180, false);
        });
        assert_only(&problems, words);
    }
}

#[test]
fn an_instant_named_too_late_need_not_be_told_of_within_a_row_of_others() {
    for (named, words) in [(90, &[][..]), (121, &["neither a Job nor an outcome"][..])] {
        let mut fake = Fake::begin();
        fake.run(60);
        fake.run(120);
        let row = json!({"slotTime": time(60), "lastSlotTime": time(120), "count": 2, "outcome": "Succeeded"});
        fake.outcomes = vec![row];
        fake.edit(150, "trigger", json!({"at": [time(named), time(180)]}));
        fake.epoch = 150;
        fake.status(151, 150);
        fake.run(180);
        assert_only(&fake.problems(), words);
    }
}

#[test]
fn a_failed_run_by_hand_brings_a_pause_about_as_well() {
    for (by_hand, words) in [(true, &[][..]), (false, &["neither a Job nor an outcome"; 2][..])] {
        let mut fake = Fake::begin();
        fake.edit(10, "pauseAfterFailures", json!(2));
        fake.run(60);
        fake.run(120);
        fake.job(180, "job-180", 180);
        fake.job_ends(182, "job-180", 180, "Failed");
        fake.outcome(180, "Failed");
        if by_hand {
            let mut run = job("job-now", 190, "Failed");
            run["metadata"]["annotations"] = json!({"punctual.dev/attempt": "1"});
            run["metadata"]["labels"] = json!({"punctual.dev/schedule-run-uid": "uid-of-the-run"});
            fake.line(190, "jobs", "update", "jobs/status", "job-now", 200)["responseObject"] = run;
        }
        fake.pause(200, 180, true);
        assert_only(&fake.problems(), words);
    }
}

#[test]
fn a_job_for_what_is_no_slot_is_seen() {
    let problems = with_third(|fake| {
        fake.run(180);
        fake.job(191, "stray", 190);
        fake.job_ends(192, "stray", 190, "Failed");
    });
    assert_only(&problems, &["which is no slot"]);
}

#[test]
fn a_slot_that_was_counted_twice_is_seen() {
    let problems = with_third(|fake| {
        fake.run(180);
        fake.counts["slots"]["Started"] = json!(4);
    });
    assert_only(&problems, &["5 slots ended as Started, status counts 6"]);
}

#[test]
fn a_job_beside_another_one_is_seen_where_that_is_forbidden() {
    let problems = with_third(|fake| {
        fake.job(180, "long", 180);
        fake.outcome(180, "Started");
        fake.status(181, 180);
        fake.job_ends(242, "long", 180, "Complete");
        fake.outcomes.pop();
        fake.counts["slots"]["Started"] = json!(2);
        fake.outcome(180, "Succeeded");
    });
    assert_only(&problems, &["was created while [\"long\"]"]);
}

#[test]
fn a_job_that_was_removed_before_its_run_was_recorded_is_seen() {
    let problems = with_third(|fake| {
        fake.job(180, "early", 180);
        fake.job_ends(181, "early", 180, "Complete");
        fake.line(182, OPERATOR, "delete", "jobs", "early", 200);
        fake.outcome(180, "Succeeded");
        fake.status(183, 180);
    });
    assert_only(&problems, &["early was removed at"]);
}

#[test]
fn a_job_that_completed_and_counts_as_failed_is_seen() {
    let problems = with_third(|fake| {
        fake.job(180, "good", 180);
        fake.job_ends(181, "good", 180, "Complete");
        fake.outcome(180, "Failed");
    });
    assert_only(&problems, &["good completed at"]);
}

#[test]
fn a_write_by_one_who_lost_the_lease_is_seen_unless_it_was_refused() {
    let late = |code| {
        with_third(|fake| {
            fake.run(180);
            fake.claim(185, "two", "two_holds");
            fake.line(186, OPERATOR, "patch", "jobs", "job-180", code);
            fake.claim(187, "one", "one_holds");
        })
    };
    assert_only(&late(200), &["written without the right to"]);
    assert_only(&late(409), &[]);
}

#[test]
fn a_write_later_than_the_renew_deadline_is_seen() {
    let mut fake = Fake::begin();
    (60..=300).step_by(60).for_each(|slot| fake.run(slot));
    fake.line(332, OPERATOR, "patch", "jobs", "job-300", 200);
    assert_only(&fake.problems(), &["written without the right to"]);
}

#[test]
fn a_right_that_is_lacking_is_seen_and_the_fence_is_none() {
    let refused = |message: &str| {
        with_third(|fake| {
            fake.run(180);
            fake.line(184, OPERATOR, "create", "jobs", "", 403)["responseStatus"]["message"] = json!(message);
        })
    };
    assert_only(&refused("jobs is forbidden"), &["lacked a right"]);
    assert_only(&refused("ValidatingAdmissionPolicy 'x' denied request: fenced: leader term 6 is over"), &[]);
}
