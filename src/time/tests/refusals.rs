//! What is refused, and the whole sentence that says why.

use serde_json::json;

use super::*;

#[test]
fn a_cron_text_is_refused_with_the_place_and_what_to_do() {
    for (cron, expected) in CRON {
        let spec = spec::Trigger { cron: Some((*cron).into()), ..Default::default() };
        assert_invalid(&spec, &format!("spec.trigger.cron{expected}"));
    }
}

const CRON: &[(&str, &str)] = &[
    ("", " has no fields; expected five: minute, hour, day of month, month, day of week (or six: second first)"),
    ("  ", " has no fields; expected five: minute, hour, day of month, month, day of week (or six: second first)"),
    ("*", " has one field; expected five: minute, hour, day of month, month, day of week (or six: second first)"),
    ("* * * *", " has 4 fields; expected five: minute, hour, day of month, month, day of week (or six: second first)"),
    (
        "* * * * * * *",
        " has 7 fields; expected five: minute, hour, day of month, month, day of week (or six: second first)",
    ),
    (
        "TZ=Asia/Tokyo 0 9 * * *",
        r#", column 1, has "TZ=Asia/Tokyo", but a time zone inside the text is not supported; use spec.trigger.timeZone instead"#,
    ),
    (
        " CRON_TZ=UTC * * * * *",
        r#", column 2, has "CRON_TZ=UTC", but a time zone inside the text is not supported; use spec.trigger.timeZone instead"#,
    ),
    (", * * * *", r#", minute field, column 1, has an empty element in the list ","; remove the comma too many"#),
    ("1,,2 * * * *", r#", minute field, column 3, has an empty element in the list "1,,2"; remove the comma too many"#),
    (
        "* * * * mon,",
        r#", day of week field, column 13, has an empty element in the list "mon,"; remove the comma too many"#,
    ),
    ("60 * * * *", ", minute field, column 1, has 60; expected 0 to 59"),
    ("-1 * * * *", r#", minute field, column 1, has "-1" with a number missing; expected 0 to 59"#),
    ("* 24 * * *", ", hour field, column 3, has 24; expected 0 to 23"),
    ("* 20-24 * * *", r#", hour field, column 3, has 24 in "20-24"; expected 0 to 23"#),
    ("* * 0 * *", ", day of month field, column 5, has 0; expected 1 to 31"),
    ("* * 1-32 * *", r#", day of month field, column 5, has 32 in "1-32"; expected 1 to 31"#),
    ("* * * 13 *", ", month field, column 7, has 13; expected 1 to 12 or JAN to DEC"),
    ("* * * * 7", ", day of week field, column 9, has 7; expected 0 (Sunday) to 6 or SUN to SAT"),
    ("* * * * 1-7", r#", day of week field, column 9, has 7 in "1-7"; expected 0 (Sunday) to 6 or SUN to SAT"#),
    (
        "* * * * sunday",
        r#", day of week field, column 9, has "sunday"; expected 0 (Sunday) to 6 or SUN to SAT, * or ?"#,
    ),
    ("* * * foo *", r#", month field, column 7, has "foo"; expected 1 to 12 or JAN to DEC, * or ?"#),
    ("* 2am * * *", r#", hour field, column 3, has "2am"; expected 0 to 23, * or ?"#),
    ("* 5,2am-4 * * *", r#", hour field, column 5, has "2am" in "2am-4"; expected 0 to 23"#),
    (
        "* 22-6 * * *",
        r#", hour field, column 3, has "22-6", which ends before it begins; expected the lower number first, or two ranges: 22-23,0-6"#,
    ),
    (
        "* * * * sat-mon",
        r#", day of week field, column 9, has "sat-mon", which ends before it begins; expected the lower number first, or two ranges: 6-6,0-1"#,
    ),
    ("1-2-3 * * * *", r#", minute field, column 1, has "1-2-3" with more than one hyphen; expected one, as in 1-5"#),
    ("*/0 * * * *", r#", minute field, column 1, has the step "0" in "*/0"; expected a whole number of at least 1"#),
    ("*/-5 * * * *", r#", minute field, column 1, has the step "-5" in "*/-5"; expected a whole number of at least 1"#),
    ("*/ * * * *", r#", minute field, column 1, has the step "" in "*/"; expected a whole number of at least 1"#),
    ("/5 * * * *", r#", minute field, column 1, has "/5" with a number missing; expected 0 to 59"#),
    ("*/5/5 * * * *", r#", minute field, column 1, has "*/5/5" with more than one slash; expected one, as in */15"#),
    ("5- * * * *", r#", minute field, column 1, has "5-" with a number missing; expected 0 to 59"#),
    ("60 * * * * *", ", second field, column 1, has 60; expected 0 to 59"),
    ("L * * * *", r#", minute field, column 1, has "L"; expected 0 to 59, * or ?"#),
    ("* * * L *", r#", month field, column 7, has "L"; expected 1 to 12 or JAN to DEC, * or ?"#),
    ("* * L-31 * *", r#", day of month field, column 5, has "L-31"; expected L- and 0 to 30 days before the last one"#),
    ("* * 32W * *", r#", day of month field, column 5, has "32W"; expected LW, or 1 to 31 and W, as in 15W"#),
    ("* * 1-5W * *", r#", day of month field, column 5, has "1-5W"; expected LW, or 1 to 31 and W, as in 15W"#),
    (
        "* * * * L",
        r#", day of week field, column 9, has "L"; expected a weekday before L, as in 5L for the last Friday of the month"#,
    ),
    ("* * * * 7L", r#", day of week field, column 9, has 7 in "7L"; expected 0 (Sunday) to 6 or SUN to SAT"#),
    (
        "* * * * 5#6",
        r#", day of week field, column 9, has "5#6"; expected a weekday, # and 1 to 5, as in MON#2 for the second Monday of the month"#,
    ),
    (
        "* * * * fri#0",
        r#", day of week field, column 9, has "fri#0"; expected a weekday, # and 1 to 5, as in MON#2 for the second Monday of the month"#,
    ),
    ("* * * * x#2", r#", day of week field, column 9, has "x" in "x#2"; expected 0 (Sunday) to 6 or SUN to SAT"#),
    ("H( * * * *", r#", minute field, column 1, has "H("; expected H, H(a-b), H/n or H(a-b)/n"#),
    ("H(5) * * * *", r#", minute field, column 1, has "H(5)"; expected H, H(a-b), H/n or H(a-b)/n"#),
    ("H(0-60) * * * *", r#", minute field, column 1, has 60 in "H(0-60)"; expected 0 to 59"#),
    ("H/0 * * * *", r#", minute field, column 1, has the step "0" in "H/0"; expected a whole number of at least 1"#),
    ("* H/25 * * *", r#", hour field, column 3, has the step 25 in "H/25"; expected at most 24"#),
    ("a\u{7}b * * * *", ", minute field, column 1, has \"a\\u{7}b\"; expected 0 to 59, * or ?"),
    (
        "@reboot",
        r#" is "@reboot"; expected one of @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly, or @every and a length of time, such as @every 1h30m"#,
    ),
    ("@Daily", r#" is "@Daily"; write it as @daily, in lower case and without spaces"#),
    (" @daily", r#" is " @daily"; write it as @daily, in lower case and without spaces"#),
    ("@daily ", r#" is "@daily "; write it as @daily, in lower case and without spaces"#),
    (
        "@every",
        r#" is "@every"; expected one of @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly, or @every and a length of time, such as @every 1h30m"#,
    ),
    (
        "@every 5x",
        r#", column 8, has "5x" after @every; expected hours, minutes and seconds, such as 90s, 15m or 1h30m, and at most 2562047h"#,
    ),
    ("@every 0s", r#", column 8, has "0s" after @every; expected at least 1s"#),
    ("@every 500ms", r#", column 8, has "500ms" after @every; expected at least 1s"#),
    ("@every 1.5s", r#", column 8, has "1.5s" after @every; expected whole seconds"#),
    (
        "@every -5m",
        r#", column 8, has "-5m" after @every; expected hours, minutes and seconds, such as 90s, 15m or 1h30m, and at most 2562047h"#,
    ),
    (
        "@every 1d",
        r#", column 8, has "1d" after @every; expected hours, minutes and seconds, such as 90s, 15m or 1h30m, and at most 2562047h"#,
    ),
];

#[test]
fn a_cron_text_too_long_is_refused() {
    let spec = spec::Trigger { cron: Some("1".repeat(257)), ..Default::default() };
    assert_invalid(&spec, "spec.trigger.cron is longer than 256 characters");
}

#[test]
fn a_long_text_is_quoted_in_part() {
    let spec = spec::Trigger { cron: Some("1".repeat(60) + " * * * *"), ..Default::default() };
    let quoted = "1".repeat(39) + "…";
    let expected = format!("spec.trigger.cron, minute field, column 1, has {quoted:?}; expected 0 to 59, * or ?");
    assert_invalid(&spec, &expected);
}

#[test]
fn a_time_zone_we_have_no_data_for_is_refused() {
    for (zone, expected) in TIME_ZONES {
        let spec = spec::Trigger { cron: Some("@daily".into()), time_zone: Some((*zone).into()), ..Default::default() };
        let error = Trigger::parse(&spec, &context(Slot(0))).expect_err(zone);
        assert_eq!(error.kind, TriggerErrorKind::UnknownTimeZone, "{zone}");
        let expected = expected.replace("VERSION", zone_data_version());
        assert_eq!(error.to_string(), format!("spec.trigger.timeZone is {expected}"), "{zone}");
    }
}

const TIME_ZONES: &[(&str, &str)] = &[
    ("", "empty; expected the IANA name of a time zone, such as Europe/Berlin, or no timeZone for UTC"),
    (
        "Local",
        r#""Local", which would mean the zone of whatever host the operator runs on; expected the IANA name of a time zone, such as Europe/Berlin, or no timeZone for UTC"#,
    ),
    (
        "local",
        r#""local", which would mean the zone of whatever host the operator runs on; expected the IANA name of a time zone, such as Europe/Berlin, or no timeZone for UTC"#,
    ),
    (
        "Mars/Olympus",
        r#""Mars/Olympus", unknown to the time zone data compiled in (VERSION); expected the IANA name of a time zone, such as Europe/Berlin, or no timeZone for UTC"#,
    ),
    ("Berlin", r#""Berlin", unknown to the time zone data compiled in (VERSION); did you mean Europe/Berlin?"#),
    (
        "Europe/Berln",
        r#""Europe/Berln", unknown to the time zone data compiled in (VERSION); did you mean Europe/Berlin?"#,
    ),
    (
        "europe/Berlinn",
        r#""europe/Berlinn", unknown to the time zone data compiled in (VERSION); did you mean Europe/Berlin?"#,
    ),
    (
        "+02:00",
        r#""+02:00", unknown to the time zone data compiled in (VERSION); an offset is no time zone: name a place, such as Europe/Berlin"#,
    ),
    (
        "PST",
        r#""PST", unknown to the time zone data compiled in (VERSION); expected the IANA name of a time zone, such as Europe/Berlin, or no timeZone for UTC"#,
    ),
    (
        "Etc/Unknown",
        r#""Etc/Unknown", unknown to the time zone data compiled in (VERSION); expected the IANA name of a time zone, such as Europe/Berlin, or no timeZone for UTC"#,
    ),
    ("New York", r#""New York", unknown to the time zone data compiled in (VERSION); did you mean America/New_York?"#),
    (
        "Asia/Calcuta",
        r#""Asia/Calcuta", unknown to the time zone data compiled in (VERSION); did you mean Asia/Calcutta?"#,
    ),
    (
        "America/Newyork",
        r#""America/Newyork", unknown to the time zone data compiled in (VERSION); did you mean America/New_York?"#,
    ),
];

#[test]
fn an_interval_that_is_no_elapsed_time_of_at_least_a_second_is_refused() {
    for (every, expected) in EVERY {
        let interval = spec::Interval { every: (*every).into(), start_time: None };
        let spec = spec::Trigger { interval: Some(interval), ..Default::default() };
        assert_invalid(&spec, &format!("spec.trigger.interval.every is {expected}"));
    }
}

const EVERY: &[(&str, &str)] = &[
    ("", "empty; expected hours, minutes and seconds in this order, such as 90s, 15m or 1h30m"),
    ("5", r#""5"; expected hours, minutes and seconds in this order, such as 90s, 15m or 1h30m"#),
    (
        "1d",
        r#""1d", but an interval is elapsed time and has no days or weeks; write hours, such as 24h, or use cron for the same time of day every day"#,
    ),
    (
        "1w2d",
        r#""1w2d", but an interval is elapsed time and has no days or weeks; write hours, such as 24h, or use cron for the same time of day every day"#,
    ),
    ("0s", r#""0s"; expected at least 1s"#),
    ("-5m", r#""-5m"; expected hours, minutes and seconds in this order, such as 90s, 15m or 1h30m"#),
    ("1.5h", r#""1.5h"; expected hours, minutes and seconds in this order, such as 90s, 15m or 1h30m"#),
    ("500ms", r#""500ms"; expected hours, minutes and seconds in this order, such as 90s, 15m or 1h30m"#),
    ("5m1h", r#""5m1h"; expected hours, minutes and seconds in this order, such as 90s, 15m or 1h30m"#),
];

#[test]
fn a_text_that_is_no_instant_is_refused() {
    for (text, expected) in INSTANTS {
        let at = vec!["2026-12-24T18:00:00Z".into(), (*text).into()];
        let listed = spec::Trigger { at: Some(at), ..Default::default() };
        assert_invalid(&listed, &format!("spec.trigger.at[1] is {expected}"));
        let interval = spec::Interval { every: "1h".into(), start_time: Some((*text).into()) };
        let interval = spec::Trigger { interval: Some(interval), ..Default::default() };
        assert_invalid(&interval, &format!("spec.trigger.interval.startTime is {expected}"));
    }
}

const INSTANTS: &[(&str, &str)] = &[
    ("", "empty; expected an instant in RFC 3339, such as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00"),
    (
        "tomorrow",
        r#""tomorrow"; expected an instant in RFC 3339, such as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00"#,
    ),
    (
        "2026-12-24",
        r#""2026-12-24"; expected an instant in RFC 3339, such as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00"#,
    ),
    (
        "2026-12-24T18:00Z",
        r#""2026-12-24T18:00Z"; expected an instant in RFC 3339, such as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00"#,
    ),
    (
        "2026-12-24 18:00:00Z",
        r#""2026-12-24 18:00:00Z"; expected an instant in RFC 3339, such as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00"#,
    ),
    (
        "2026-12-24T18:00:00",
        r#""2026-12-24T18:00:00"; expected an instant in RFC 3339, such as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00"#,
    ),
    (
        "2026-12-24T18:00:00+01",
        r#""2026-12-24T18:00:00+01"; expected an instant in RFC 3339, such as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00"#,
    ),
    (
        "2026-12-24T18:00:00+24:00",
        r#""2026-12-24T18:00:00+24:00"; expected an instant in RFC 3339, such as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00"#,
    ),
    (
        "2026-02-30T00:00:00Z",
        r#""2026-02-30T00:00:00Z", which is no time of the calendar known here (up to 9999-12-30T22:00:00Z)"#,
    ),
    (
        "2026-12-24T23:59:60Z",
        r#""2026-12-24T23:59:60Z"; expected an instant in RFC 3339, such as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00"#,
    ),
    (
        "2026-12-24T18:00:00.Z",
        r#""2026-12-24T18:00:00.Z"; expected an instant in RFC 3339, such as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00"#,
    ),
    (
        "2026-12-24T18:00:00Z[UTC]",
        r#""2026-12-24T18:00:00Z[UTC]"; expected an instant in RFC 3339, such as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00"#,
    ),
    (
        "9999-12-30T22:00:00.5Z",
        r#""9999-12-30T22:00:00.5Z", which is no time of the calendar known here (up to 9999-12-30T22:00:00Z)"#,
    ),
    (
        "9999-12-31T23:59:59Z",
        r#""9999-12-31T23:59:59Z", which is no time of the calendar known here (up to 9999-12-30T22:00:00Z)"#,
    ),
    (
        "2026-12-24T24:00:00Z",
        r#""2026-12-24T24:00:00Z", which is no time of the calendar known here (up to 9999-12-30T22:00:00Z)"#,
    ),
];

#[test]
fn a_list_of_no_or_too_many_instants_is_refused() {
    let listed = |count| spec::Trigger { at: Some(vec!["2026-12-24T18:00:00Z".into(); count]), ..Default::default() };
    assert_invalid(&listed(0), "spec.trigger.at is an empty list; expected at least one time");
    assert_invalid(&listed(101), "spec.trigger.at lists 101 times; expected at most 100");
}

#[test]
fn a_trigger_of_no_kind_or_of_two_is_refused() {
    let expected =
        "spec.trigger has to have exactly one of cron, fields, interval, calendar, at, atLocal, anyOf and allOf";
    assert_invalid(&spec::Trigger::default(), expected);
    let cron = Some("@daily".into());
    assert_invalid(&spec::Trigger { cron, at: Some(Vec::new()), ..Default::default() }, expected);
}

fn assert_invalid(spec: &spec::Trigger, expected: &str) {
    let error = Trigger::parse(spec, &context(Slot(0))).expect_err(expected);
    assert_eq!(error.kind, TriggerErrorKind::InvalidTrigger, "{spec:?}");
    assert_eq!(error.to_string(), expected, "{spec:?}");
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
