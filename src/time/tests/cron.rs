//! What five fields and macros mean.

use super::*;

fn slots_in_utc(cron: &str, after: &str, count: usize) -> Vec<String> {
    let trigger = recurring(cron, "UTC");
    let slots = trigger.between(instant(after), Slot::LAST, count);
    slots.iter().map(|slot| slot.timestamp().to_string()[..16].to_owned()).collect()
}

#[test]
fn five_fields_name_times() {
    for (cron, expected) in [
        ("* * * * *", ["2026-01-01T00:01", "2026-01-01T00:02"]),
        ("*/25 * * * *", ["2026-01-01T00:25", "2026-01-01T00:50"]),
        ("5/25 * * * *", ["2026-01-01T00:05", "2026-01-01T00:30"]),
        ("10-12/2 * * * *", ["2026-01-01T00:10", "2026-01-01T00:12"]),
        ("1,1,3 * * * *", ["2026-01-01T00:01", "2026-01-01T00:03"]),
        ("+7,08 * * * *", ["2026-01-01T00:07", "2026-01-01T00:08"]),
        ("0 9-17/4 * * *", ["2026-01-01T09:00", "2026-01-01T13:00"]),
        ("59 23 31 12 *", ["2026-12-31T23:59", "2027-12-31T23:59"]),
        ("0 0 31 * *", ["2026-01-31T00:00", "2026-03-31T00:00"]),
        ("0 0 1 feb-APR/2 ?", ["2026-02-01T00:00", "2026-04-01T00:00"]),
        ("0 0 * * sun,Wed", ["2026-01-04T00:00", "2026-01-07T00:00"]),
        ("0 0 * * mon-3/2", ["2026-01-05T00:00", "2026-01-07T00:00"]),
        ("0 0 29 2 *", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("0/9223372036854775807 0 * * *", ["2026-01-02T00:00", "2026-01-03T00:00"]),
        ("\t30   4 * * *\u{3000}", ["2026-01-01T04:30", "2026-01-02T04:30"]),
        ("@yearly", ["2027-01-01T00:00", "2028-01-01T00:00"]),
        ("@annually", ["2027-01-01T00:00", "2028-01-01T00:00"]),
        ("@monthly", ["2026-02-01T00:00", "2026-03-01T00:00"]),
        ("@weekly", ["2026-01-04T00:00", "2026-01-11T00:00"]),
        ("@daily", ["2026-01-02T00:00", "2026-01-03T00:00"]),
        ("@midnight", ["2026-01-02T00:00", "2026-01-03T00:00"]),
        ("@hourly", ["2026-01-01T01:00", "2026-01-01T02:00"]),
    ] {
        assert_eq!(slots_in_utc(cron, "2026-01-01T00:00:00Z", 2), expected, "{cron}");
    }
}

/// In 2026, 1 June is a Monday.
#[test]
fn days_of_the_month_and_of_the_week_are_either_or_unless_one_has_a_star() {
    for (story, cron, expected) in [
        ("both restricted", "0 0 10 * 5", ["2026-06-05T00:00", "2026-06-10T00:00", "2026-06-12T00:00"]),
        ("star for the month", "0 0 * * 5", ["2026-06-05T00:00", "2026-06-12T00:00", "2026-06-19T00:00"]),
        ("star for the week", "0 0 10 * *", ["2026-06-10T00:00", "2026-07-10T00:00", "2026-08-10T00:00"]),
        ("? is a star", "0 0 10 * ?", ["2026-06-10T00:00", "2026-07-10T00:00", "2026-08-10T00:00"]),
        ("a step of 1 leaves a star", "0 0 */1 * 5", ["2026-06-05T00:00", "2026-06-12T00:00", "2026-06-19T00:00"]),
        ("a greater step does not", "0 0 */20 * 5", ["2026-06-05T00:00", "2026-06-12T00:00", "2026-06-19T00:00"]),
        ("so its days count, too", "0 0 */14 * 5", ["2026-06-05T00:00", "2026-06-12T00:00", "2026-06-15T00:00"]),
        ("a star within a list", "0 0 3,* * 5", ["2026-06-05T00:00", "2026-06-12T00:00", "2026-06-19T00:00"]),
    ] {
        assert_eq!(slots_in_utc(cron, "2026-06-01T00:00:00Z", 3), expected, "{story}");
    }
}

#[test]
fn a_leap_day_is_found_across_a_century_without_one() {
    assert_eq!(slots_in_utc("0 0 29 2 *", "2096-02-29T00:00:00Z", 1), ["2104-02-29T00:00"]);
    let trigger = recurring("0 0 29 2 *", "UTC");
    assert_eq!(trigger.prev(instant("2104-02-29T00:00:00Z")), Search::Slot(instant("2096-02-29T00:00:00Z")));
}

#[test]
fn days_no_month_has_are_proved_never_to_come() {
    for cron in ["0 0 30 2 *", "0 0 30,31 2 *", "* * 31 2,4,6,9,11 *", "0 0 31 4 ?", "*/5 */2 31 feb-feb */1"] {
        for zone in ["UTC", "Pacific/Apia"] {
            let trigger = recurring(cron, zone);
            assert!(trigger.never_fires(), "{cron}");
            assert_eq!(trigger.next(instant("2026-01-01T00:00:00Z")), Search::Never, "{cron}");
            assert_eq!(trigger.prev(instant("2026-01-01T00:00:00Z")), Search::Never, "{cron}");
        }
    }
    for cron in ["0 0 30 2 1", "0 0 29 2 *", "0 0 31 4,5 *", "@every 1s"] {
        assert!(!recurring(cron, "UTC").never_fires(), "{cron}");
    }
}

#[test]
fn past_the_last_year_of_the_calendar_nothing_comes() {
    let trigger = recurring("0 0 1 1 *", "Europe/Berlin");
    assert_eq!(trigger.next(instant("9999-01-01T12:00:00Z")), Search::Never);
    assert_eq!(trigger.prev(Slot(i64::MAX)), Search::Slot(instant("9998-12-31T23:00:00Z")));
    assert!(!trigger.never_fires());
}

#[test]
fn a_list_of_slots_has_an_end_and_a_limit() {
    let trigger = recurring("0 * * * *", "UTC");
    let (after, through) = (instant("2026-01-01T00:00:00Z"), instant("2026-01-01T03:00:00Z"));
    let hours = |count: i64| (1..=count).map(|hour| after.plus_seconds(hour * 3_600)).collect::<Vec<_>>();
    assert_eq!(trigger.between(after, through, 10), hours(3));
    assert_eq!(trigger.between(after, through, 2), hours(2));
    assert_eq!(trigger.between(after, through, 0), []);
    assert_eq!(trigger.between(through, after, 10), []);
    assert_eq!(trigger.count(after, through, 10), 3);
    assert_eq!(trigger.count(after, through, 2), 2);
    assert_eq!(trigger.count(after, through, 0), 0);
    assert_eq!(trigger.count(through, after, 10), 0);
}
