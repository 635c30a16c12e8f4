//! What happens to a trigger when clocks are set forward or back, or change their date.

use super::*;
use jiff::tz::TimeZoneDatabase;

#[test]
fn a_skipped_time_runs_at_the_first_instant_after_the_gap() {
    let rows = [
        Row {
            story: "half past two does not exist on the last Sunday of March",
            cron: "30 2 * * *",
            zone: "Europe/Berlin",
            after: "2026-03-28T12:00:00Z",
            slots: &["2026-03-29 03:00 CEST", "2026-03-30 02:30 CEST"],
        },
        Row {
            story: "two times in the same gap are one slot",
            cron: "0,30 2 * * *",
            zone: "America/New_York",
            after: "2026-03-07T12:00:00Z",
            slots: &["2026-03-08 03:00 EDT", "2026-03-09 02:00 EDT", "2026-03-09 02:30 EDT"],
        },
        Row {
            story: "a skipped time and the named time at the end of its gap are one slot",
            cron: "0 1-3 * * *",
            zone: "America/New_York",
            after: "2026-03-08T05:00:00Z",
            slots: &["2026-03-08 01:00 EST", "2026-03-08 03:00 EDT", "2026-03-09 01:00 EDT"],
        },
        Row {
            story: "every hour written as a range is fixed hours",
            cron: "30 0-23 * * *",
            zone: "Europe/Berlin",
            after: "2026-03-29T00:00:00Z",
            slots: &["2026-03-29 01:30 CET", "2026-03-29 03:00 CEST", "2026-03-29 03:30 CEST"],
        },
        Row {
            story: "Lord Howe skips half an hour only",
            cron: "15,45 2 * * *",
            zone: "Australia/Lord_Howe",
            after: "2026-10-03T12:00:00Z",
            slots: &["2026-10-04 02:30 +11", "2026-10-04 02:45 +11", "2026-10-05 02:15 +11"],
        },
        Row {
            story: "Sao Paulo skipped midnight",
            cron: "@daily",
            zone: "America/Sao_Paulo",
            after: "2018-11-03T12:00:00Z",
            slots: &["2018-11-04 01:00 -02", "2018-11-05 00:00 -02"],
        },
        Row {
            story: "Cairo skips midnight, on the first of a month too",
            cron: "@monthly",
            zone: "Africa/Cairo",
            after: "2014-07-15T12:00:00Z",
            slots: &["2014-08-01 01:00 EEST", "2014-09-01 00:00 EEST", "2014-10-01 00:00 EET"],
        },
        Row {
            story: "Cairo skips midnight on a Friday",
            cron: "0 0 * * FRI",
            zone: "Africa/Cairo",
            after: "2024-04-20T12:00:00Z",
            slots: &["2024-04-26 01:00 EEST", "2024-05-03 00:00 EEST"],
        },
        Row {
            story: "Beirut skips midnight on the last day of a month",
            cron: "15 0 31 * *",
            zone: "Asia/Beirut",
            after: "2024-03-20T12:00:00Z",
            slots: &["2024-03-31 01:00 EEST", "2024-05-31 00:15 EEST"],
        },
        Row {
            story: "the gap of Nuuk ends on the next day",
            cron: "30 23 30 * *",
            zone: "America/Nuuk",
            after: "2024-03-30T12:00:00Z",
            slots: &["2024-03-31 00:00 -01", "2024-04-30 23:30 -01"],
        },
    ];
    rows.iter().for_each(Row::check);
}

#[test]
fn a_repeated_time_runs_the_first_time_only() {
    let rows = [
        Row {
            story: "half past two exists twice on the last Sunday of October",
            cron: "30 2 * * *",
            zone: "Europe/Berlin",
            after: "2026-10-24T12:00:00Z",
            slots: &["2026-10-25 02:30 CEST", "2026-10-26 02:30 CET"],
        },
        Row {
            story: "asked between the two, the next one is tomorrow",
            cron: "30 2 * * *",
            zone: "Europe/Berlin",
            after: "2026-10-25T01:10:00Z",
            slots: &["2026-10-26 02:30 CET", "2026-10-27 02:30 CET"],
        },
        Row {
            story: "every hour written as a range is fixed hours",
            cron: "0 0-23 * * *",
            zone: "America/New_York",
            after: "2026-11-01T04:30:00Z",
            slots: &["2026-11-01 01:00 EDT", "2026-11-01 02:00 EST"],
        },
        Row {
            story: "a star within a list leaves the hours fixed",
            cron: "0 *,5 * * *",
            zone: "America/New_York",
            after: "2026-11-01T04:30:00Z",
            slots: &["2026-11-01 01:00 EDT", "2026-11-01 02:00 EST"],
        },
        Row {
            story: "the end of the repeated time is not repeated",
            cron: "59 1,2 * * *",
            zone: "America/New_York",
            after: "2026-11-01T05:30:00Z",
            slots: &["2026-11-01 01:59 EDT", "2026-11-01 02:59 EST"],
        },
        Row {
            story: "Lord Howe repeats half an hour",
            cron: "15,45 1 * * *",
            zone: "Australia/Lord_Howe",
            after: "2026-04-04T12:00:00Z",
            slots: &["2026-04-05 01:15 +11", "2026-04-05 01:45 +11", "2026-04-06 01:15 +1030"],
        },
        Row {
            story: "the last hour of a day is repeated in Sao Paulo",
            cron: "30 23 * * *",
            zone: "America/Sao_Paulo",
            after: "2018-02-17T12:00:00Z",
            slots: &["2018-02-17 23:30 -02", "2018-02-18 23:30 -03"],
        },
        Row {
            story: "Kwajalein went back to the east side of the date line in 1969 and lived 30 September twice",
            cron: "0 12 * * *",
            zone: "Pacific/Kwajalein",
            after: "1969-09-29T00:00:00Z",
            slots: &["1969-09-29 12:00 +11", "1969-09-30 12:00 +11", "1969-10-01 12:00 -12"],
        },
    ];
    rows.iter().for_each(Row::check);
}

#[test]
fn looking_back_from_between_the_two_finds_the_first() {
    let trigger = recurring("15,45 2 * * *", "Europe/Berlin");
    for (story, before, expected) in [
        ("within the first half past two", "2026-10-25T00:30:00Z", "2026-10-25 02:15 CEST"),
        ("within the second", "2026-10-25T01:30:00Z", "2026-10-25 02:45 CEST"),
        ("after both", "2026-10-25T02:30:00Z", "2026-10-25 02:45 CEST"),
        ("as the clock is set back", "2026-10-25T01:00:00Z", "2026-10-25 02:45 CEST"),
    ] {
        let found = trigger.prev(instant(before)).slot().map(|slot| trigger.in_words(slot));
        assert_eq!(found.as_deref(), Some(expected), "{story}");
    }
}

#[test]
fn an_open_hour_goes_by_real_time() {
    let rows = [
        Row {
            story: "every half hour, when clocks are set forward",
            cron: "*/30 * * * *",
            zone: "Europe/Berlin",
            after: "2026-03-29T00:00:00Z",
            slots: &["2026-03-29 01:30 CET", "2026-03-29 03:00 CEST", "2026-03-29 03:30 CEST"],
        },
        Row {
            story: "every half hour, when clocks are set back",
            cron: "*/30 ? * * *",
            zone: "Europe/Berlin",
            after: "2026-10-25T00:00:00Z",
            slots: &["2026-10-25 02:30 CEST", "2026-10-25 02:00 CET", "2026-10-25 02:30 CET", "2026-10-25 03:00 CET"],
        },
        Row {
            story: "every other hour: the one skipped is left out",
            cron: "0 */2 * * *",
            zone: "Europe/Berlin",
            after: "2026-03-28T22:30:00Z",
            slots: &["2026-03-29 00:00 CET", "2026-03-29 04:00 CEST"],
        },
        Row {
            story: "every other hour: the one repeated comes twice",
            cron: "0 */2 * * *",
            zone: "Europe/Berlin",
            after: "2026-10-24T22:00:00Z",
            slots: &["2026-10-25 02:00 CEST", "2026-10-25 02:00 CET", "2026-10-25 04:00 CET"],
        },
        Row {
            story: "@hourly has an open hour",
            cron: "@hourly",
            zone: "America/New_York",
            after: "2026-11-01T05:30:00Z",
            slots: &["2026-11-01 01:00 EST", "2026-11-01 02:00 EST"],
        },
        Row {
            story: "Lord Howe repeats half an hour",
            cron: "*/20 * * * *",
            zone: "Australia/Lord_Howe",
            after: "2026-04-04T14:30:00Z",
            slots: &["2026-04-05 01:40 +11", "2026-04-05 01:40 +1030", "2026-04-05 02:00 +1030"],
        },
        Row {
            story: "a day that ends in a repeated hour",
            cron: "0 * 17 2 *",
            zone: "America/Sao_Paulo",
            after: "2018-02-18T00:30:00Z",
            slots: &["2018-02-17 23:00 -02", "2018-02-17 23:00 -03", "2019-02-17 00:00 -03"],
        },
        Row {
            story: "a leap day many changes away",
            cron: "0 */12 29 2 *",
            zone: "America/New_York",
            after: "2096-03-01T00:00:00Z",
            slots: &["2104-02-29 00:00 EST", "2104-02-29 12:00 EST"],
        },
    ];
    rows.iter().for_each(Row::check);
}

#[test]
fn a_date_that_does_not_exist_is_not_named() {
    let rows = [
        Row {
            story: "Samoa had no 30 December 2011",
            cron: "0 12 * * *",
            zone: "Pacific/Apia",
            after: "2011-12-29T00:00:00Z",
            slots: &["2011-12-29 12:00 -10", "2011-12-31 12:00 +14"],
        },
        Row {
            story: "a trigger for that date alone comes back a year later",
            cron: "0 0 30 12 *",
            zone: "Pacific/Apia",
            after: "2010-12-01T00:00:00Z",
            slots: &["2010-12-30 00:00 -10", "2012-12-30 00:00 +14"],
        },
        Row {
            story: "an open hour finds no hour of that date",
            cron: "0 * 30 12 *",
            zone: "Pacific/Apia",
            after: "2010-12-31T08:30:00Z",
            slots: &["2010-12-30 23:00 -10", "2012-12-30 00:00 +14"],
        },
        Row {
            story: "Kwajalein had no 21 August 1993",
            cron: "@daily",
            zone: "Pacific/Kwajalein",
            after: "1993-08-20T00:00:00Z",
            slots: &["1993-08-20 00:00 -12", "1993-08-22 00:00 +12"],
        },
        Row {
            story: "Kiritimati had no New Year's Eve 1994",
            cron: "59 23 31 12 *",
            zone: "Pacific/Kiritimati",
            after: "1993-12-01T00:00:00Z",
            slots: &["1993-12-31 23:59 -10", "1995-12-31 23:59 +14"],
        },
    ];
    rows.iter().for_each(Row::check);
}

#[test]
fn zones_without_changes_have_only_their_offset() {
    let rows = [
        Row {
            story: "Kathmandu is 5:45 ahead",
            cron: "0 9 * * 1-5",
            zone: "Asia/Kathmandu",
            after: "2026-05-01T03:14:59Z",
            slots: &["2026-05-01 09:00 +0545", "2026-05-04 09:00 +0545"],
        },
        Row {
            story: "a slot is strictly later",
            cron: "0 9 * * 1-5",
            zone: "Asia/Kathmandu",
            after: "2026-05-01T03:15:00Z",
            slots: &["2026-05-04 09:00 +0545"],
        },
    ];
    rows.iter().for_each(Row::check);
}

/// Every search asks for the stretch without a change around an instant.
#[test]
fn each_change_of_each_zone_ends_one_stretch_and_begins_another() {
    for name in TimeZoneDatabase::bundled().available() {
        let zone = Zone::parse(Some(name.as_str())).expect("it was listed");
        let changes = TimeZoneDatabase::bundled().get(name.as_str()).expect("it was listed");
        let until: Timestamp = "2120-01-01T00:00:00Z".parse().expect("a valid instant");
        let changes = changes.following(Timestamp::MIN).map(|it| it.timestamp()).take_while(|it| *it < until);
        let changes: Vec<Slot> = changes.map(Slot::floor).collect();
        for pair in changes.windows(2) {
            for at in [pair[0], pair[0].plus_seconds(1), pair[1].plus_seconds(-1)] {
                let steady = zone.steady_at(at);
                let expected = (pair[0], pair[1].plus_seconds(-1));
                assert_eq!((steady.from, steady.through), expected, "{} {at:?}", name.as_str());
            }
        }
    }
}

/// The search for what a clock has shown takes one change into account at a time. Should new
/// zone data break this, the searches near that place need a look.
#[test]
fn no_two_changes_of_a_zone_are_within_three_days() {
    let database = TimeZoneDatabase::bundled();
    for name in database.available() {
        let zone = database.get(name.as_str()).expect("it was listed");
        let until: Timestamp = "2150-01-01T00:00:00Z".parse().expect("a valid instant");
        let changes = zone.following(Timestamp::MIN).map(|it| it.timestamp()).take_while(|it| *it < until);
        let changes: Vec<i64> = changes.map(Timestamp::as_second).collect();
        let closest = changes.windows(2).map(|pair| pair[1] - pair[0]).min();
        assert!(closest.is_none_or(|seconds| seconds > 3 * 86_400), "{}: {closest:?}", name.as_str());
    }
}
