//! What each kind of trigger means, alone and with others, and what a window leaves of it.

use serde_json::json;

use super::*;

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
