//! What each kind of trigger means, and what windows and exclusions leave of it.

use serde_json::{Value, json};

use super::*;

fn parsed(spec: &Value) -> Result<Trigger, Vec<TriggerError>> {
    let spec = serde_json::from_value(spec.clone()).expect("a spec");
    Trigger::parse_all(&spec, &context(instant("2026-01-01T00:00:00Z")))
}

/// The first slots after an instant, as the clock in the zone shows them.
fn slots(spec: &Value, after: &str, count: usize) -> Vec<String> {
    let trigger = parsed(spec).expect("a valid trigger");
    let found = trigger.between(instant(after), Slot::LAST, count);
    found.iter().map(|slot| trigger.in_words(*slot)).collect()
}

/// Stories of slots: a trigger, an instant, and all slots after it, or the first few where `…` follows.
fn check(stories: &[(&str, Value, &str, &[&str])]) {
    for (story, spec, after, expected) in stories {
        let (expected, goes_on) = match expected {
            [expected @ .., "…"] => (expected, true),
            expected => (*expected, false),
        };
        let found = slots(spec, after, expected.len() + usize::from(!goes_on));
        assert_eq!(found, expected, "{story}");
    }
}

#[test]
fn a_sixth_field_in_front_names_seconds() {
    check(&[
        (
            "every twenty seconds",
            json!({"cron": "*/20 * * * * *"}),
            "2026-05-01T00:00:00Z",
            &["2026-05-01 00:00:20 UTC", "2026-05-01 00:00:40 UTC", "2026-05-01 00:01 UTC", "…"],
        ),
        (
            "one second of a day",
            json!({"cron": "15 30 2 * * *"}),
            "2026-05-01T02:30:15Z",
            &["2026-05-02 02:30:15 UTC", "…"],
        ),
    ]);
}

#[test]
fn days_are_counted_from_the_end_to_workdays_and_among_weekdays() {
    let after = "2026-01-01T00:00:00Z";
    check(&[
        ("the last day", json!({"cron": "0 0 L * *"}), after, &["2026-01-31 00:00 UTC", "2026-02-28 00:00 UTC", "…"]),
        (
            "two days before it",
            json!({"cron": "0 0 L-2 * *"}),
            after,
            &["2026-01-29 00:00 UTC", "2026-02-26 00:00 UTC", "…"],
        ),
        (
            "the last workday",
            json!({"cron": "0 0 LW * *"}),
            after,
            &["2026-01-30 00:00 UTC", "2026-02-27 00:00 UTC", "…"],
        ),
        (
            "near the 15th",
            json!({"cron": "0 0 15W * *"}),
            after,
            &["2026-01-15 00:00 UTC", "2026-02-16 00:00 UTC", "…"],
        ),
        (
            "within the month",
            json!({"cron": "0 0 1W * *"}),
            after,
            &["2026-02-02 00:00 UTC", "2026-03-02 00:00 UTC", "…"],
        ),
        (
            "the second Monday",
            json!({"cron": "0 0 * * 1#2"}),
            after,
            &["2026-01-12 00:00 UTC", "2026-02-09 00:00 UTC", "…"],
        ),
        (
            "a fifth Friday",
            json!({"cron": "0 0 * * FRI#5"}),
            after,
            &["2026-01-30 00:00 UTC", "2026-05-29 00:00 UTC", "…"],
        ),
        (
            "the last Friday",
            json!({"cron": "0 0 * * 5L"}),
            after,
            &["2026-01-30 00:00 UTC", "2026-02-27 00:00 UTC", "…"],
        ),
        (
            "either, as with numbers",
            json!({"cron": "0 0 L * 1#1"}),
            after,
            &["2026-01-05 00:00 UTC", "2026-01-31 00:00 UTC", "2026-02-02 00:00 UTC", "…"],
        ),
    ]);
}

#[test]
fn h_stays_the_same_for_a_schedule_and_is_another_for_others() {
    let of = |namespace: &str, name: &str, cron: &str| {
        let spec = spec::Trigger { cron: Some(cron.into()), ..Default::default() };
        let context = Context { creation: Slot(0), namespace, name };
        let trigger = Trigger::parse(&spec, &context).expect("a valid trigger");
        trigger
            .between(instant("2026-01-31T23:59:59Z"), Slot::LAST, 3)
            .iter()
            .map(|it| trigger.in_words(*it))
            .collect::<Vec<_>>()
    };
    // Never to be changed: it would move the slots of every Schedule that has an H.
    assert_eq!(of("shop", "report", "H H * * *")[0], "2026-02-01 15:34 UTC");
    assert_eq!(of("shop", "report", "H/20 H(9-17) * * *")[..2], ["2026-02-01 12:14 UTC", "2026-02-01 12:34 UTC"]);
    assert_eq!(of("shop", "report", "0 0 H * *")[..2], ["2026-02-28 00:00 UTC", "2026-03-28 00:00 UTC"]);
    let names = (0..200).map(|index| of("shop", &format!("report-{index}"), "H 0 * * *")[0].clone());
    let minutes: std::collections::BTreeSet<String> = names.collect();
    assert!(minutes.len() > 50, "{minutes:?}");
    assert_ne!(of("shop", "report", "H H * * *"), of("bank", "report", "H H * * *"));
}

#[test]
fn wall_clock_runs_what_the_clock_shows() {
    let trigger = json!({"cron": "30 2 * * *", "timeZone": "Europe/Berlin", "daylightSaving": "WallClock"});
    check(&[
        ("a skipped time does not run", trigger.clone(), "2026-03-28T12:00:00Z", &["2026-03-30 02:30 CEST", "…"]),
        (
            "a repeated one runs twice",
            trigger,
            "2026-10-24T12:00:00Z",
            &["2026-10-25 02:30 CEST", "2026-10-25 02:30 CET", "…"],
        ),
    ]);
}

#[test]
fn fields_must_all_match() {
    let after = "2026-01-01T00:00:00Z";
    check(&[
        (
            "Friday the 13th",
            json!({"fields": {"day": 13, "dayOfWeek": "fri"}}),
            after,
            &["2026-02-13 00:00 UTC", "2026-03-13 00:00 UTC", "…"],
        ),
        (
            "smaller fields take their minimum",
            json!({"fields": {"month": 6}}),
            after,
            &["2026-06-01 00:00 UTC", "2027-06-01 00:00 UTC", "…"],
        ),
        (
            "larger ones are open",
            json!({"fields": {"minute": 30}}),
            after,
            &["2026-01-01 00:30 UTC", "2026-01-01 01:30 UTC", "…"],
        ),
        ("a year ends", json!({"fields": {"year": 2026, "month": 12}}), after, &["2026-12-01 00:00 UTC"]),
        (
            "weeks of the year",
            json!({"fields": {"week": 53, "dayOfWeek": 1}}),
            after,
            &["2026-12-28 00:00 UTC", "2032-12-27 00:00 UTC", "…"],
        ),
        (
            "steps over weekdays begin on Monday",
            json!({"fields": {"dayOfWeek": "*/3"}}),
            after,
            &["2026-01-04 00:00 UTC", "2026-01-05 00:00 UTC", "2026-01-08 00:00 UTC", "…"],
        ),
        (
            "weekdays go around",
            json!({"fields": {"dayOfWeek": "sat-mon"}}),
            after,
            &["2026-01-03 00:00 UTC", "2026-01-04 00:00 UTC", "2026-01-05 00:00 UTC", "…"],
        ),
    ]);
}

#[test]
fn an_open_hour_of_fields_goes_by_real_time_and_every_other_does_not() {
    let of = |hour: &str| json!({"fields": {"hour": hour, "minute": 30}, "timeZone": "Europe/Berlin"});
    check(&[
        ("open", of("*"), "2026-10-24T23:45:00Z", &["2026-10-25 02:30 CEST", "2026-10-25 02:30 CET", "…"]),
        ("all, but named", of("0-23"), "2026-10-24T23:45:00Z", &["2026-10-25 02:30 CEST", "2026-10-25 03:30 CET", "…"]),
    ]);
}

#[test]
fn calendar_keeps_the_time_of_day_and_skips_dates_that_do_not_exist() {
    let zone = "America/New_York";
    check(&[
        (
            "every second week at nine, whatever the clocks do",
            json!({"calendar": {"weeks": 2, "timeOfDay": "09:00", "startDate": "2026-03-01"}, "timeZone": zone}),
            "2026-01-01T00:00:00Z",
            &["2026-03-01 09:00 EST", "2026-03-15 09:00 EDT", "2026-03-29 09:00 EDT", "…"],
        ),
        (
            "the 31st of those months that have one",
            json!({"calendar": {"months": 1, "startDate": "2026-01-31"}}),
            "2026-01-01T00:00:00Z",
            &["2026-01-31 00:00 UTC", "2026-03-31 00:00 UTC", "2026-05-31 00:00 UTC", "…"],
        ),
        (
            "a skipped time runs after the gap",
            json!({"calendar": {"days": 1, "timeOfDay": "02:30", "startDate": "2026-03-07"}, "timeZone": zone}),
            "2026-03-07T12:00:00Z",
            &["2026-03-08 03:00 EDT", "2026-03-09 02:30 EDT", "…"],
        ),
        (
            "or not at all, by the clock",
            json!({"calendar": {"days": 1, "timeOfDay": "02:30", "startDate": "2026-03-07"}, "timeZone": zone, "daylightSaving": "WallClock"}),
            "2026-03-07T12:00:00Z",
            &["2026-03-09 02:30 EDT", "…"],
        ),
        (
            "a repeated time runs once, by the clock too",
            json!({"calendar": {"days": 1, "timeOfDay": "01:30", "startDate": "2026-03-07"}, "timeZone": zone, "daylightSaving": "WallClock"}),
            "2026-10-31T12:00:00Z",
            &["2026-11-01 01:30 EDT", "2026-11-02 01:30 EST", "…"],
        ),
        (
            "from the creation",
            json!({"calendar": {"days": 1}, "timeZone": zone}),
            "2025-12-01T00:00:00Z",
            &["2025-12-31 00:00 EST", "…"],
        ),
    ]);
}

#[test]
fn local_times_are_those_of_the_zone() {
    let of = |at: &[&str]| json!({"atLocal": at, "timeZone": "Europe/Berlin"});
    check(&[
        (
            "two of them",
            of(&["2026-12-24T18:00", "2026-07-01T08:00:30"]),
            "2026-01-01T00:00:00Z",
            &["2026-07-01 08:00:30 CEST", "2026-12-24 18:00 CET"],
        ),
        ("one that is skipped", of(&["2026-03-29T02:30"]), "2026-01-01T00:00:00Z", &["2026-03-29 03:00 CEST"]),
        ("one that is repeated", of(&["2026-10-25T02:30"]), "2026-01-01T00:00:00Z", &["2026-10-25 02:30 CEST"]),
    ]);
}

#[test]
fn the_window_includes_both_ends() {
    check(&[(
        "three days",
        json!({"cron": "0 12 * * *", "notBefore": "2026-05-02T12:00:00Z", "notAfter": "2026-05-04T12:00:00Z"}),
        "2026-01-01T00:00:00Z",
        &["2026-05-02 12:00 UTC", "2026-05-03 12:00 UTC", "2026-05-04 12:00 UTC"],
    )]);
}

#[test]
fn fractions_of_a_second_are_rounded_up() {
    check(&[
        (
            "an instant",
            json!({"at": ["2026-05-02T12:00:00.001Z"]}),
            "2026-01-01T00:00:00Z",
            &["2026-05-02 12:00:01 UTC"],
        ),
        (
            "a start and an end",
            json!({"interval": {"every": "1h", "startTime": "2026-05-02T12:00:00.5Z"}, "notAfter": "2026-05-02T13:00:00.5Z"}),
            "2026-01-01T00:00:00Z",
            &["2026-05-02 12:00:01 UTC", "2026-05-02 13:00:01 UTC"],
        ),
    ]);
}

#[test]
fn members_inherit_the_zone_and_what_happens_at_changes() {
    check(&[(
        "one of two has its own",
        json!({
            "anyOf": [{"cron": "30 2 * * *"}, {"cron": "0 9 * * *", "timeZone": "UTC"}],
            "timeZone": "Europe/Berlin",
            "daylightSaving": "WallClock",
        }),
        "2026-03-28T12:00:00Z",
        &["2026-03-29 11:00 CEST", "2026-03-30 02:30 CEST", "2026-03-30 11:00 CEST", "…"],
    )]);
}

#[test]
fn equal_instants_of_members_are_one_slot() {
    check(&[
        (
            "any of two",
            json!({"anyOf": [{"cron": "0 0 * * *"}, {"cron": "0 0,12 * * *"}]}),
            "2026-01-01T00:00:00Z",
            &["2026-01-01 12:00 UTC", "2026-01-02 00:00 UTC", "2026-01-02 12:00 UTC", "…"],
        ),
        (
            "all of two",
            json!({"allOf": [{"cron": "0 0 13 * *"}, {"cron": "0 0 * * 5"}]}),
            "2026-01-01T00:00:00Z",
            &["2026-02-13 00:00 UTC", "2026-03-13 00:00 UTC", "2026-11-13 00:00 UTC", "…"],
        ),
        (
            "each within its own window",
            json!({"anyOf": [{"cron": "0 0 1 * *", "notAfter": "2026-02-01T00:00:00Z"}, {"cron": "0 0 15 * *", "notBefore": "2026-03-01T00:00:00Z"}]}),
            "2026-01-01T00:00:00Z",
            &["2026-02-01 00:00 UTC", "2026-03-15 00:00 UTC", "…"],
        ),
    ]);
}

#[test]
fn what_never_comes_is_known_at_once() {
    let exclude = |cron: &str| json!([{"name": "all", "cron": cron}]);
    for spec in [
        json!({"cron": "0 0 30 2 *"}),
        json!({"fields": {"month": 2, "day": 30}}),
        json!({"fields": {"year": 2026, "month": 2, "day": 29}}),
        json!({"allOf": [{"cron": "0 9 * * *"}, {"cron": "0 10 * * *"}]}),
        json!({"allOf": [{"cron": "0 9 * * *"}, {"cron": "0 10 * * *"}], "timeZone": "Europe/Berlin"}),
        json!({"allOf": [{"cron": "0 9 * * 1"}, {"cron": "0 9 * * 2"}], "timeZone": "Europe/Berlin"}),
        json!({"allOf": [{"cron": "* * 1 1 *"}, {"cron": "* * 1 2 *"}], "timeZone": "America/New_York"}),
        json!({"allOf": [
            {"interval": {"every": "4s", "startTime": "2026-01-01T00:00:00Z"}},
            {"interval": {"every": "6s", "startTime": "2026-01-01T00:00:01Z"}},
        ]}),
        json!({"allOf": [{"interval": {"every": "1h", "startTime": "2026-01-01T00:10:00Z"}}, {"cron": "30 * * * *"}]}),
        json!({"allOf": [{"at": ["2026-05-01T00:00:00Z"]}, {"cron": "30 * * * *"}]}),
        json!({"cron": "0 9 * * *", "exclude": exclude("* * * * *")}),
        json!({"cron": "0 9 * * 6", "exclude": exclude("* 9 * * 6"), "timeZone": "Europe/Berlin"}),
        json!({"cron": "0 9 * * *", "exclude": [{"name": "a", "cron": "* 9 * * 1-5"}, {"name": "b", "cron": "* * * * 0,6"}]}),
    ] {
        let trigger = parsed(&spec).expect("a valid trigger");
        assert!(trigger.never_fires(), "{spec}: {:?}", trigger.next(Slot(0)));
        assert_eq!(trigger.prev(Slot::LAST), Search::Never, "{spec}");
    }
}

/// Times of a day that differ can still meet where a gap brings them together.
#[test]
fn skipped_times_of_members_meet_after_the_gap() {
    check(&[(
        "both are skipped on one Sunday a year",
        json!({"allOf": [{"cron": "15 2 * * *"}, {"cron": "45 2 * * *"}], "timeZone": "Europe/Berlin"}),
        "2026-01-01T00:00:00Z",
        &["2026-03-29 03:00 CEST", "2027-03-28 03:00 CEST", "…"],
    )]);
}

#[test]
fn exclusions_are_days_in_the_zone_spans_and_minutes() {
    let of = |exclude: Value| json!({"cron": "0 */12 * * *", "exclude": [exclude], "timeZone": "Asia/Tokyo"});
    let after = "2026-05-01T00:00:00Z";
    check(&[
        (
            "a date",
            of(json!({"name": "a", "dates": ["2026-05-02"]})),
            after,
            &["2026-05-01 12:00 JST", "2026-05-03 00:00 JST", "…"],
        ),
        (
            "a span, its end not included",
            of(json!({"name": "a", "from": "2026-05-01T03:00:00Z", "to": "2026-05-02T03:00:00Z"})),
            after,
            &["2026-05-02 12:00 JST", "2026-05-03 00:00 JST", "…"],
        ),
        (
            "minutes",
            of(json!({"name": "a", "cron": "* 0-6 * * *"})),
            after,
            &["2026-05-01 12:00 JST", "2026-05-02 12:00 JST", "…"],
        ),
        (
            "a minute includes its seconds",
            json!({
                "cron": "*/30 * * * * *",
                "exclude": [{"name": "a", "cron": "0 * * * *"}],
            }),
            "2026-05-01T00:59:00Z",
            &["2026-05-01 00:59:30 UTC", "2026-05-01 01:01 UTC", "…"],
        ),
    ]);
}

#[test]
fn an_excluded_slot_moves_to_the_same_time_on_the_next_free_day() {
    let weekends = json!({"name": "weekends", "cron": "* * * * 0,6"});
    let first_of_month = json!({"cron": "0 9 1 * *", "exclude": [weekends.clone()], "onExcluded": "NextDay"});
    let with = |name: &str, value: Value| {
        let mut spec = first_of_month.clone();
        spec[name] = value;
        spec
    };
    check(&[
        (
            "the first working day of a month",
            first_of_month.clone(),
            "2026-07-15T00:00:00Z",
            &["2026-08-03 09:00 UTC", "2026-09-01 09:00 UTC", "2026-10-01 09:00 UTC", "2026-11-02 09:00 UTC", "…"],
        ),
        (
            "moved ones are one with those that are there",
            json!({"cron": "0 9 * * *", "exclude": [weekends], "onExcluded": "NextDay"}),
            "2026-07-31T12:00:00Z",
            &["2026-08-03 09:00 UTC", "2026-08-04 09:00 UTC", "…"],
        ),
        ("not beyond the window", with("notAfter", json!("2026-08-02T12:00:00Z")), "2026-07-15T00:00:00Z", &[]),
        (
            "not further than 31 days",
            with("exclude", json!([{"name": "a", "from": "2026-08-01T00:00:00Z", "to": "2026-09-02T00:00:00Z"}])),
            "2026-07-15T00:00:00Z",
            &["2026-09-02 09:00 UTC", "2026-10-01 09:00 UTC", "…"],
        ),
        (
            "a day less, and it is dropped",
            with("exclude", json!([{"name": "a", "from": "2026-08-01T00:00:00Z", "to": "2026-09-03T00:00:00Z"}])),
            "2026-07-15T00:00:00Z",
            &["2026-09-03 09:00 UTC", "2026-10-01 09:00 UTC", "…"],
        ),
    ]);
}

/// On such days minutes are skipped or shown twice, and midnight is not always the first one.
#[test]
fn an_excluded_slot_moves_to_or_over_a_day_on_which_the_clocks_change() {
    let story = |zone: &str, spec: Value| {
        let mut spec = spec;
        spec["timeZone"] = zone.into();
        spec["onExcluded"] = "NextDay".into();
        spec
    };
    check(&[
        (
            "the clock skips the time on the next day: the end of the gap stands for it",
            story("Europe/Berlin", json!({"cron": "30 2 * * 6", "exclude": [{"name": "a", "cron": "* 2 * * 0,6"}]})),
            "2026-03-28T00:00:00Z",
            &["2026-03-29 03:00 CEST", "2026-04-06 02:30 CEST", "…"],
        ),
        (
            "which is excluded as well: the day after",
            story("Europe/Berlin", json!({"cron": "30 2 * * 6", "exclude": [{"name": "a", "cron": "* 2,3 * * 0,6"}]})),
            "2026-03-28T00:00:00Z",
            &["2026-03-30 02:30 CEST", "2026-04-06 02:30 CEST", "…"],
        ),
        (
            "going by the clock, a skipped time is passed over",
            story(
                "Europe/Berlin",
                json!({"cron": "30 2 * * 6", "exclude": [{"name": "a", "cron": "* * * * 6"}], "daylightSaving": "WallClock"}),
            ),
            "2026-03-28T00:00:00Z",
            &["2026-03-30 02:30 CEST", "2026-04-05 02:30 CEST", "…"],
        ),
        (
            "a day without midnight",
            story(
                "Africa/Cairo",
                json!({"cron": "30 1 23 4 *", "exclude": [{"name": "a", "from": "2026-04-22T22:00:00Z", "to": "2026-04-23T23:00:00Z"}]}),
            ),
            "2026-04-22T00:00:00Z",
            &["2026-04-25 01:30 EEST", "2027-04-23 01:30 EET", "…"],
        ),
        (
            "a date that the zone left out",
            story(
                "Pacific/Apia",
                json!({"at": ["2011-12-29T20:00:00Z"], "exclude": [{"name": "a", "dates": ["2011-12-29"]}]}),
            ),
            "2011-12-29T00:00:00Z",
            &["2011-12-31 10:00 +14"],
        ),
        (
            "the earlier of two times moves first, also if it was the later one when the clock was set back",
            story(
                "Europe/Berlin",
                json!({"at": ["2026-10-25T00:30:00Z", "2026-10-25T01:15:00Z"], "exclude": [{"name": "a", "dates": ["2026-10-25"]}]}),
            ),
            "2026-10-25T12:00:00Z",
            &["2026-10-26 02:15 CET", "2026-10-26 02:30 CET"],
        ),
    ]);
}

/// A search that gives up says how far it came, and has to get on from there.
#[test]
fn a_search_for_moved_slots_gets_on_among_many_that_do_not_move() {
    for (spec, after, expected) in [
        (
            json!({"cron": "*/2 * * * *", "exclude": [{"name": "odd minutes", "cron": "1-59/2 * * * 0-5"}]}),
            "2026-05-02T09:00:00Z",
            "2026-05-02 09:02 UTC",
        ),
        (
            json!({
                "cron": "* * * * * *",
                "timeZone": "Europe/Berlin",
                "exclude": [{"name": "after the clocks were set", "from": "2026-03-29T08:00:00Z", "to": "2026-03-29T09:00:00Z"}],
            }),
            "2026-03-30T02:00:00Z",
            "2026-03-30 04:00:01 CEST",
        ),
    ] {
        let mut spec = spec;
        spec["onExcluded"] = "NextDay".into();
        let trigger = parsed(&spec).expect("a valid trigger");
        let found = trigger.next(instant(after));
        assert_eq!(found.slot().map(|it| trigger.in_words(it)).as_deref(), Some(expected), "{spec}");
    }
}

/// Found by fuzzing: all steps went to slots that stay where they are.
#[test]
fn a_search_for_slots_that_hardly_ever_meet_gets_on() {
    let spec = json!({
        "allOf": [
            {"calendar": {"months": 11, "days": 1985, "timeOfDay": "06:51", "startDate": "1992-06-01"}},
            {"interval": {"every": "65533s"}},
        ],
        "timeZone": "America/New_York",
        "exclude": [{"name": "a", "cron": "* * * 1 *"}],
        "onExcluded": "NextDay",
    });
    let trigger = parsed(&spec).expect("a valid trigger");
    for at in ["1992-06-02T00:00:00Z", "2046-10-24T12:35:29Z"].map(instant) {
        assert!(!matches!(trigger.next(at), Search::NoneUpTo(up_to) if up_to <= at), "{:?}", trigger.next(at));
        assert!(!matches!(trigger.prev(at), Search::NoneUpTo(down_to) if down_to >= at), "{:?}", trigger.prev(at));
    }
}

/// Found by fuzzing.
#[test]
fn a_search_for_moved_slots_comes_to_its_end_on_the_last_and_the_first_day_of_the_calendar() {
    for zone in ["UTC", "America/New_York", "Pacific/Apia"] {
        let spec = json!({
            "cron": "* * * * *",
            "timeZone": zone,
            "exclude": [{"name": "a", "cron": "* * * * 0-5"}],
            "onExcluded": "NextDay",
        });
        let trigger = parsed(&spec).expect("a valid trigger");
        for from in [Slot::FIRST, Slot::LAST] {
            for days in -3..=3 {
                let at = from.plus_seconds(days * 86_400);
                assert!(trigger.next(at).slot().is_none_or(|slot| slot > at), "{zone} {at:?}");
                assert!(trigger.prev(at).slot().is_none_or(|slot| slot < at), "{zone} {at:?}");
            }
        }
    }
}

#[test]
fn what_was_excluded_is_told_with_the_name_and_where_it_went() {
    let spec = json!({
        "cron": "0 9 1 * *",
        "exclude": [{"name": "weekends", "cron": "* * * * 0,6"}, {"name": "closed", "from": "2026-09-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}],
        "onExcluded": "NextDay",
    });
    let trigger = parsed(&spec).expect("a valid trigger");
    let told = trigger.excluded(instant("2026-07-15T00:00:00Z"), instant("2026-12-31T00:00:00Z"), 10);
    let told: Vec<(String, &str, Option<String>)> = told
        .iter()
        .map(|it| (trigger.in_words(it.slot), &*it.by, it.moved_to.map(|slot| trigger.in_words(slot))))
        .collect();
    let moved = |text: &str| Some(text.to_owned());
    assert_eq!(
        told,
        [
            ("2026-08-01 09:00 UTC".into(), "weekends", moved("2026-08-03 09:00 UTC")),
            ("2026-09-01 09:00 UTC".into(), "closed", None),
            ("2026-10-01 09:00 UTC".into(), "closed", None),
            ("2026-11-01 09:00 UTC".into(), "weekends", moved("2026-11-02 09:00 UTC")),
        ]
    );
}

#[test]
fn errors_say_where_they_are_and_all_are_told_at_once() {
    let spec = json!({
        "anyOf": [
            {"cron": "0 25 * * *"},
            {"cron": "0 9 * * *", "interval": {"every": "1h"}},
            {"fields": {"hour": 24, "minute": "1,,2"}, "timeZone": "Europe/Berln"},
            {"calendar": {"days": 0, "timeOfDay": "9:00"}},
            {"atLocal": ["2026-03-29T02:30", "2026-02-30T00:00"], "daylightSaving": "WallClock", "timeZone": "Europe/Berlin"},
        ],
        "exclude": [{"name": "a", "dates": ["2026-13-01"]}, {"name": "b", "cron": "* * * *"}, {"name": "c"}],
        "notBefore": "2026-05-01T00:00:00Z",
        "notAfter": "2026-04-01T00:00:00Z",
    });
    let told: Vec<String> = parsed(&spec).expect_err("much is wrong").iter().map(ToString::to_string).collect();
    let version = zone_data_version();
    assert_eq!(told, [
        "spec.trigger.anyOf[0].cron, hour field, column 3, has 25; expected 0 to 23".to_owned(),
        "spec.trigger.anyOf[1] has to have exactly one of cron, fields, interval, calendar, at and atLocal".to_owned(),
        format!("spec.trigger.anyOf[2].timeZone is \"Europe/Berln\", unknown to the time zone data compiled in ({version}); did you mean Europe/Berlin?"),
        "spec.trigger.anyOf[2].fields.hour has \"24\"; expected 0 to 23, or */n".to_owned(),
        "spec.trigger.anyOf[2].fields.minute, column 3, has an empty element; remove the comma too many".to_owned(),
        "spec.trigger.anyOf[3].calendar.days is 0; expected 1 to 36500".to_owned(),
        "spec.trigger.anyOf[3].calendar.timeOfDay is \"9:00\"; expected a time of day such as 09:30 or 09:30:15".to_owned(),
        "spec.trigger.anyOf[4].atLocal[0] is \"2026-03-29T02:30\", which the clocks in Europe/Berlin skip that day; write another time, or use daylightSaving: RunOnce".to_owned(),
        "spec.trigger.anyOf[4].atLocal[1] is \"2026-02-30T00:00\"; expected a date and a time without a zone, such as 2026-12-24T18:00".to_owned(),
        "spec.trigger.notAfter is before notBefore".to_owned(),
        "spec.trigger.exclude[0].dates[0] is \"2026-13-01\"; expected a date of the calendar, such as 2026-12-24".to_owned(),
        "spec.trigger.exclude[1].cron has 4 fields; expected five: minute, hour, day of month, month, day of week (or six: second first)".to_owned(),
        "spec.trigger.exclude[2] has to have exactly one of dates, from with to, and cron".to_owned(),
    ]);
}

#[test]
fn what_fields_do_not_take_is_refused() {
    for (fields, expected) in [
        (json!({}), " has no field; expected one of year, month, day, week, dayOfWeek, hour, minute and second"),
        (
            json!({"month": "nov-feb"}),
            ".month has \"nov-feb\", which ends before it begins; expected the lower number first, or two ranges: 11-12,1-2",
        ),
        (
            json!({"day": "4-6/3"}),
            ".day has the step 3 in \"4-6/3\", which leads beyond the end from the first number already; expected at most 2",
        ),
        (
            json!({"day": "6th mon"}),
            ".day has \"6th mon\"; expected 1 to 31, last, or a weekday of the month such as \"2nd tue\" or \"last fri\"",
        ),
        (
            json!({"dayOfWeek": "mon-fri/2"}),
            ".dayOfWeek has \"mon-fri/2\"; expected numbers where there is a step, as in 1-5/2",
        ),
        (json!({"week": 54}), ".week has \"54\"; expected 1 to 53, or */n"),
        (json!({"hour": "*/0"}), ".hour has the step \"0\" in \"*/0\"; expected a whole number of at least 1"),
        (json!({"minute": ""}), ".minute is empty"),
        (json!({"minute": "-1"}), ".minute has \"\" in \"-1\"; expected 0 to 59, or */n"),
        (json!({"year": 1969}), ".year has \"1969\"; expected 1970 to 9999, or */n"),
    ] {
        let told = parsed(&json!({ "fields": fields })).expect_err("it is wrong");
        assert_eq!(told[0].to_string(), format!("spec.trigger.fields{expected}"));
    }
}
