//! What exclusions leave of a trigger, and where they move it to.

use serde_json::{Value, json};

use super::*;

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
