//! What is legal, and works, but perhaps not as was meant. Few, so that they are read.

use super::clock_changes::{Effect, effects, members};
use super::forecast::{self, End};
use super::problem::Problem;
use crate::api::Duration;
use crate::api::spec::{CatchUp, CatchUpPolicy, ScheduleSpec, SimpleTrigger, Trigger as TriggerSpec};
use crate::time::{Context, Search, Slot, Trigger, parse_instant};

/// Starts take a moment: a deadline below this is missed by mere load.
const SHORT_DEADLINE: Duration = Duration::from_seconds(10);
const YEAR_SECONDS: i64 = 366 * 86_400;

/// All warnings of a spec.
#[must_use]
pub fn of(spec: &ScheduleSpec, trigger: &Trigger, context: &Context<'_>, now: Slot) -> Vec<Problem> {
    let written = &spec.trigger;
    let mut found = paths_of(written).flat_map(|(path, member)| of_member(&path, &member)).collect::<Vec<_>>();
    found.extend(past(written, trigger, now));
    found.extend(clocks(written, trigger, context, now));
    if let Some(deadline) = spec.starting_deadline.filter(|it| *it < SHORT_DEADLINE) {
        let problem =
            format!("is {deadline}: a slot delayed a little by load is dropped; give it at least {SHORT_DEADLINE}");
        found.push(Problem::new("spec.startingDeadline", problem));
    }
    found.extend(without_effect(spec, now));
    for (field, succeeded) in [("resultLimit", true), ("failedResultLimit", false)] {
        let limit = if succeeded { spec.result_limit } else { spec.failed_result_limit };
        if limit.is_some() && spec.result_ttl(succeeded).is_none() {
            found.push(Problem::new(&format!("spec.{field}"), "has no effect: no results are kept without resultTTL"));
        }
    }
    found
}

/// What is said beside the trigger, and does not do what it seems to say.
fn without_effect(spec: &ScheduleSpec, now: Slot) -> Vec<Problem> {
    let mut found = Vec::new();
    let until = spec.pause_until.as_deref().and_then(|it| parse_instant("", it).ok());
    if until.is_some_and(|it| it <= now) {
        let problem = "is past: applied now it ends nothing, and the pause holds until paused is false";
        found.push(Problem::new("spec.pauseUntil", problem));
    }
    let catch_up = spec.catch_up.as_ref();
    let chooses_all = |it: &CatchUp| [it.policy, it.after_pause].contains(&Some(CatchUpPolicy::All));
    if catch_up.is_some_and(|it| it.limit.is_some() && !chooses_all(it)) {
        found.push(Problem::new("spec.catchUp.limit", "has no effect: it is about policy or afterPause All"));
    }
    let tries = spec.job_template.0["spec"]["backoffLimit"].as_i64().filter(|it| *it > 0);
    if let Some(tries) = tries.filter(|_| spec.retry.is_some()) {
        let problem = format!(
            "is {tries}: each attempt of retry tries its Pod {} times; leave it out to have it tried once",
            tries.saturating_add(1)
        );
        found.push(Problem::new("spec.jobTemplate.spec.backoffLimit", problem));
    }
    found
}

/// The simple triggers, each with the field it stands in.
fn paths_of(spec: &TriggerSpec) -> impl Iterator<Item = (String, SimpleTrigger)> {
    let list = if spec.any_of.is_some() { "anyOf" } else { "allOf" };
    members(spec).enumerate().map(move |(index, member)| match index {
        0 => ("spec.trigger".to_owned(), member),
        _ => (format!("spec.trigger.{list}[{}]", index - 1), member),
    })
}

fn of_member(path: &str, trigger: &SimpleTrigger) -> Vec<Problem> {
    let mut found = Vec::new();
    if let Some(cron) = trigger.cron.as_deref().filter(|it| names_either_day(it)) {
        let problem = format!(
            "is \"{cron}\": with both a day of the month and a day of the week it runs on days that match either of \
             them; for days that match both use fields"
        );
        found.push(Problem::new(&format!("{path}.cron"), problem));
    }
    let from_creation = "counts from the creation of the Schedule: to create it anew shifts its slots; pin them with";
    if let Some(field) = starts_at_creation(trigger) {
        let pin = if field == "calendar" { "startDate" } else { "startTime" };
        let pin = if field == "cron" { "interval and its startTime" } else { pin };
        found.push(Problem::new(&format!("{path}.{field}"), format!("{from_creation} {pin}")));
    }
    found
}

/// The field of a trigger that counts from the Schedule's creation.
#[must_use]
pub fn starts_at_creation(trigger: &SimpleTrigger) -> Option<&'static str> {
    if trigger.interval.as_ref().is_some_and(|it| it.start_time.is_none()) {
        return Some("interval");
    }
    if trigger.calendar.as_ref().is_some_and(|it| it.start_date.is_none() && !is_every_day(it)) {
        return Some("calendar");
    }
    trigger.cron.as_deref().is_some_and(|it| it.starts_with("@every")).then_some("cron")
}

fn is_every_day(calendar: &crate::api::spec::Calendar) -> bool {
    calendar.days == Some(1) && calendar.weeks.is_none() && calendar.months.is_none() && calendar.years.is_none()
}

/// Whether a text restricts the day of the month and the day of the week: either is enough then.
fn names_either_day(cron: &str) -> bool {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let is_open = |field: &str| field.contains('*') || field.contains('?');
    match fields[..] {
        [_, _, day, _, weekday] | [_, _, _, day, _, weekday] => !is_open(day) && !is_open(weekday),
        _ => false,
    }
}

/// What is over, or far away.
fn past(spec: &TriggerSpec, trigger: &Trigger, now: Slot) -> Option<Problem> {
    const PATH: &str = "spec.trigger";
    let instants = spec.at.as_ref().map(|it| ("at", it)).or(spec.at_local.as_ref().map(|it| ("atLocal", it)));
    if let Some((field, texts)) = instants {
        let passed = trigger.between(Slot::from_unix_seconds(i64::MIN), now, texts.len()).len();
        let rest = match (passed, trigger.next(now)) {
            (0, _) => return None,
            (1, Search::Slot(_)) => "lists a time that is past: it never starts".to_owned(),
            (_, Search::Slot(_)) => format!("lists {passed} times that are past: they never start"),
            _ => "lists only times that are past: nothing ever starts".to_owned(),
        };
        return Some(Problem::new(&format!("{PATH}.{field}"), rest));
    }
    let next = forecast::slots(trigger, now, 1);
    let far = match (next.slots.first(), next.end) {
        (Some(slot), _) => format!("has its next slot only at {}: more than a year away", trigger.in_words(*slot)),
        (None, End::NoneUpTo(up_to)) => {
            let up_to = trigger.in_words(up_to);
            format!("has no slot up to {up_to}; whether there is one later would take too long to find out")
        }
        (None, _) => return Some(Problem::new(PATH, "has no slot from now on: nothing ever starts")),
    };
    let begins = spec.not_before.as_deref().and_then(|it| parse_instant("", it).ok());
    let is_far = next.slots.first().is_none_or(|it| *it > now.plus_seconds(YEAR_SECONDS));
    (is_far && begins.is_none_or(|it| it <= now)).then(|| Problem::new(PATH, far))
}

/// Slots of the coming year that a change of the clocks takes away or doubles, and instants that it
/// moves.
fn clocks(spec: &TriggerSpec, trigger: &Trigger, context: &Context<'_>, now: Slot) -> Vec<Problem> {
    let effects = effects(spec, trigger, context, (now, now.plus_seconds(YEAR_SECONDS)));
    let first = |wanted: Effect| effects.iter().find(|it| it.effect == wanted);
    let day = |slot: Slot| trigger.zone().shown_at(slot).date();
    let mut found = Vec::new();
    if let Some(skipped) = first(Effect::Skipped) {
        let problem = format!(
            "has a slot that the clocks in {} skip on {}: it does not run that day; with daylightSaving: RunOnce it \
             runs right after the gap",
            skipped.zone,
            day(skipped.slot)
        );
        found.push(Problem::new("spec.trigger", problem));
    }
    // Every few minutes is twice as often in such an hour, as it should be.
    if let Some(twice) = first(Effect::Second).filter(|_| first(Effect::Skipped).is_some()) {
        let problem = format!(
            "runs twice at {} on {}, when the clocks in {} are set back; with daylightSaving: RunOnce it runs once",
            trigger.zone().shown_at(twice.slot).strftime("%H:%M"),
            day(twice.slot),
            twice.zone
        );
        found.push(Problem::new("spec.trigger", problem));
    }
    if spec.at_local.is_some()
        && let Some(moved) = first(Effect::Moved)
    {
        let problem = format!(
            "has a time that the clocks in {} skip; it runs at {} instead",
            moved.zone,
            trigger.in_words(moved.slot)
        );
        found.push(Problem::new("spec.trigger.atLocal", problem));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::of;
    use crate::api::spec::ScheduleSpec;
    use crate::time::{Context, Slot, Trigger};

    fn warnings(spec: Value) -> Vec<String> {
        let mut spec = spec;
        if spec["jobTemplate"].is_null() {
            spec["jobTemplate"] = json!({"spec": {}});
        }
        let spec: ScheduleSpec = serde_json::from_value(spec).expect("a spec");
        let now = Slot::floor("2026-11-21T12:00:00Z".parse().expect("an instant"));
        let context = Context { creation: now, namespace: "default", name: "a" };
        let trigger = Trigger::parse(&spec.trigger, &context).expect("understood");
        of(&spec, &trigger, &context, now).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_may_surprise_is_told() {
        for (spec, expected) in [
            (json!({"trigger": {"cron": "0 9 1 * MON"}}), "spec.trigger.cron is \"0 9 1 * MON\": with both"),
            (json!({"trigger": {"anyOf": [{"cron": "0 9 13 * FRI"}]}}), "spec.trigger.anyOf[0].cron is"),
            (json!({"trigger": {"interval": {"every": "1h"}}}), "spec.trigger.interval counts from the creation"),
            (json!({"trigger": {"cron": "@every 1h"}}), "spec.trigger.cron counts from the creation"),
            (json!({"trigger": {"calendar": {"weeks": 2}}}), "spec.trigger.calendar counts from the creation"),
            (json!({"trigger": {"at": ["2020-01-01T00:00:00Z"]}}), "spec.trigger.at lists only times that are past"),
            (
                json!({"trigger": {"at": ["2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"]}}),
                "spec.trigger.at lists a time that is past: it never starts",
            ),
            (
                json!({"trigger": {"cron": "@daily", "notAfter": "2025-01-01T00:00:00Z"}}),
                "spec.trigger has no slot from now on",
            ),
            (
                json!({"trigger": {"cron": "0 0 29 2 *"}}),
                "spec.trigger has its next slot only at 2028-02-29 00:00 UTC: more than a year away",
            ),
            (json!({"trigger": {"cron": "@daily"}, "startingDeadline": "5s"}), "spec.startingDeadline is 5s"),
            (json!({"trigger": {"cron": "@daily"}, "resultLimit": 5}), "spec.resultLimit has no effect"),
            (
                json!({"trigger": {"cron": "@daily"}, "paused": true, "pauseUntil": "2026-11-21T12:00:00Z"}),
                "spec.pauseUntil is past: applied now it ends nothing",
            ),
            (
                json!({"trigger": {"cron": "@daily"}, "catchUp": {"policy": "Latest", "limit": 3}}),
                "spec.catchUp.limit has no effect",
            ),
            (
                json!({
                    "trigger": {"cron": "@daily"},
                    "retry": {"limit": 2},
                    "jobTemplate": {"spec": {"backoffLimit": 6}},
                }),
                "spec.jobTemplate.spec.backoffLimit is 6: each attempt of retry tries its Pod 7 times",
            ),
            (
                json!({"trigger": {"atLocal": ["2027-03-28T02:30:00"], "timeZone": "Europe/Berlin"}}),
                "spec.trigger.atLocal has a time that the clocks in Europe/Berlin skip; it runs at 2027-03-28 03:00",
            ),
        ] {
            let told = warnings(spec.clone());
            assert_eq!(told.len(), 1, "{spec}: {told:#?}");
            assert!(told[0].starts_with(expected), "{spec}: {told:#?}");
        }
    }

    #[test]
    fn the_clocks_of_a_wall_are_told_where_slots_are_lost_or_doubled() {
        let told = warnings(json!({
            "trigger": {"cron": "30 2 * * *", "timeZone": "Europe/Berlin", "daylightSaving": "WallClock"},
        }));
        assert!(told[0].contains("skip on 2027-03-28"), "{told:#?}");
        assert!(told[1].contains("runs twice at 02:30 on 2027-10-31"), "{told:#?}");
    }

    #[test]
    fn what_does_what_it_says_is_let_pass() {
        for trigger in [
            json!({"cron": "30 2 * * *", "timeZone": "Europe/Berlin"}),
            json!({"cron": "*/5 * * * *", "timeZone": "Europe/Berlin"}),
            json!({"cron": "0 0 */2 * MON"}),
            json!({"interval": {"every": "1h", "startTime": "2026-01-01T00:00:00Z"}}),
            json!({"calendar": {"days": 1}}),
            json!({"at": ["2030-01-01T00:00:00Z"]}),
            json!({"cron": "@daily", "notBefore": "2030-01-01T00:00:00Z"}),
        ] {
            assert_eq!(warnings(json!({"trigger": trigger})), Vec::<String>::new(), "{trigger}");
        }
        let spec = json!({
            "trigger": {"cron": "@daily"},
            "paused": true,
            "pauseUntil": "2026-11-21T12:00:01Z",
            "catchUp": {"afterPause": "All", "limit": 3},
            "retry": {"limit": 2},
            "jobTemplate": {"spec": {"backoffLimit": 0}},
        });
        assert_eq!(warnings(spec), Vec::<String>::new());
    }
}
