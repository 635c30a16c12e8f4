//! Triggers and slots as people read them.

use serde_json::json;

use super::*;

fn words(trigger: spec::Trigger, zone: Option<&str>) -> String {
    let spec = spec::Trigger { time_zone: zone.map(Into::into).or(trigger.time_zone.clone()), ..trigger };
    Trigger::parse(&spec, &context(Slot(0))).expect("a valid trigger").words()
}

fn cron(text: &str) -> spec::Trigger {
    spec::Trigger { cron: Some(text.into()), ..Default::default() }
}

fn every(text: &str) -> spec::Trigger {
    let interval = spec::Interval { every: text.into(), start_time: None };
    spec::Trigger { interval: Some(interval), ..Default::default() }
}

fn at(texts: &[&str]) -> spec::Trigger {
    spec::Trigger { at: Some(texts.iter().map(ToString::to_string).collect()), ..Default::default() }
}

#[test]
fn a_trigger_is_described_in_words_where_they_are_simple() {
    for (text, expected) in [
        ("30 2 * * *", "at 02:30 every day"),
        ("@daily", "at 00:00 every day"),
        ("0 9,17 * * *", "at 09:00 and 17:00 every day"),
        ("30 2 * * MON-FRI", "at 02:30 on weekdays"),
        ("30 2 * * 0,6", "at 02:30 on weekends"),
        ("30 2 * * 1", "at 02:30 on Mondays"),
        ("30 2 * * 0,3", "at 02:30 on Wednesdays and Sundays"),
        ("0 0 1 * *", "at 00:00 on the 1st of the month"),
        ("0 0 1,15,22 * *", "at 00:00 on the 1st, the 15th and the 22nd of the month"),
        ("@yearly", "at 00:00 on 1 January"),
        ("0 12 24 12 *", "at 12:00 on 24 December"),
        ("0 12 1 1,7 *", "at 12:00 on the 1st of January and July"),
        ("0 12 * 8 *", "at 12:00 every day in August"),
        ("0 12 * 8 1", "at 12:00 on Mondays in August"),
        ("0 12 L * *", "at 12:00 on the last day of the month"),
        ("0 12 L-2 * *", "at 12:00 on the last day but 2 of the month"),
        ("0 12 LW 3 *", "at 12:00 on the last workday of March"),
        ("0 12 15W * *", "at 12:00 on the workday nearest to the 15th of the month"),
        ("0 12 * * 2#1", "at 12:00 on the 1st Tuesday of the month"),
        ("0 12 * * 5L", "at 12:00 on the last Friday of the month"),
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("*/15 * * * 1-5", "every 15 minutes on weekdays"),
        ("@hourly", "every hour"),
        ("5 * * * *", "every hour at :05"),
        ("0 */6 * * *", "every 6 hours"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("* * * * * *", "every second"),
        ("15 30 2 * * *", "at 02:30:15 every day"),
    ] {
        assert_eq!(words(cron(text), None), expected, "{text}");
    }
}

#[test]
fn a_trigger_that_is_not_simple_is_told_as_it_was_written() {
    for text in ["*/7 * * * *", "*/15 9-17 * * *", "0 0 13 * 5", "0 1,2,3,4 * * *", "5,10 */2 * * *", "@every 1h30m"] {
        assert_eq!(words(cron(text), None), text);
    }
    assert_eq!(words(cron(" 30\t2  1 * MON-fri\n"), None), "30 2 1 * MON-fri");
}

#[test]
fn the_zone_is_told_where_it_matters() {
    let (one, other) = ("2026-12-24T18:00:00Z", "2027-01-01T00:00:30Z");
    for (trigger, zone, expected) in [
        (cron("30 2 * * *"), Some("UTC"), "at 02:30 every day"),
        (cron("30 2 * * 1-5"), Some("europe/berlin"), "at 02:30 on weekdays, Europe/Berlin"),
        (cron("0 0 13 * 5"), Some("Asia/Kathmandu"), "0 0 13 * 5, Asia/Kathmandu"),
        (cron("@every 1h30m"), Some("Asia/Kathmandu"), "@every 1h30m"),
        (every("90m"), Some("Europe/Berlin"), "every 90m"),
        (at(&[one]), None, "at 2026-12-24 18:00 UTC"),
        (at(&[one]), Some("Europe/Berlin"), "at 2026-12-24 19:00 CET"),
        (at(&[other]), None, "at 2027-01-01 00:00:30 UTC"),
        (at(&[one, other, one]), None, "at 2 instants"),
    ] {
        assert_eq!(words(trigger, zone), expected);
    }
}

#[test]
fn every_kind_of_trigger_has_words() {
    for (trigger, expected) in [
        (json!({"fields": {"day": "last sun", "hour": 9}}), "at 09:00 on the last Sunday of the month"),
        (json!({"fields": {"year": 2026, "week": "1-9", "hour": 9}}), "year 2026, week 1-9, hour 9"),
        (json!({"calendar": {"months": 1}}), "every month at 00:00"),
        (json!({"calendar": {"weeks": 2, "timeOfDay": "09:30"}}), "every 2 weeks at 09:30"),
        (json!({"calendar": {"months": 1, "days": 2}}), "every 1 month and 2 days at 00:00"),
        (json!({"atLocal": ["2026-12-24T18:00"], "timeZone": "Europe/Berlin"}), "at 2026-12-24 18:00 CET"),
        (
            json!({"anyOf": [{"cron": "0 10 * * 1-5"}, {"cron": "0 11 * * 0,6"}]}),
            "at 10:00 on weekdays or at 11:00 on weekends",
        ),
        (json!({"allOf": [{"cron": "0 0 13 * *"}, {"interval": {"every": "1h"}}]}), "all of 2 triggers"),
        (
            json!({"cron": "0 9 * * 1-5", "exclude": [{"name": "eve", "dates": ["2026-12-24"]}], "timeZone": "Europe/Berlin"}),
            "at 09:00 on weekdays with exceptions, Europe/Berlin",
        ),
    ] {
        let spec = serde_json::from_value(trigger).expect("a trigger");
        assert_eq!(words(spec, None), expected);
    }
}

#[test]
fn a_long_trigger_is_cut_its_zone_is_not() {
    let minutes = (0..60).map(|minute| minute.to_string()).collect::<Vec<_>>().join(",");
    let text = format!("{minutes} 0 * * *");
    let in_utc = words(cron(&text), None);
    assert_eq!(in_utc, "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,…");
    let elsewhere = words(cron(&text), Some("America/Argentina/ComodRivadavia"));
    assert_eq!(elsewhere, "0,1,2,3,4,5,6,7,8,9,10,11…, America/Argentina/ComodRivadavia");
    assert!(in_utc.chars().count() <= 60 && elsewhere.chars().count() <= 60);
}

#[test]
fn a_slot_is_told_in_the_zone_with_seconds_only_where_there_are_some() {
    for (zone, slot, expected) in [
        ("UTC", "2026-11-22T02:30:00Z", "2026-11-22 02:30 UTC"),
        ("Europe/Berlin", "2026-11-22T01:30:00Z", "2026-11-22 02:30 CET"),
        ("Europe/Berlin", "2026-07-22T01:30:05Z", "2026-07-22 03:30:05 CEST"),
        ("Asia/Kathmandu", "2026-07-22T18:15:00Z", "2026-07-23 00:00 +0545"),
    ] {
        assert_eq!(recurring("* * * * *", zone).in_words(instant(slot)), expected);
    }
}

#[test]
fn the_version_of_the_zone_data_is_known() {
    let version = zone_data_version();
    assert!(version.len() == 5 && version.starts_with("20"), "{version}");
}
