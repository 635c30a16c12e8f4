//! Every zone of the database, around every change of its clocks for some years, against a clock that
//! is looked at every quarter of an hour.

use std::collections::HashSet;

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use punctual::time::{Slot, Trigger};
use serde_json::json;

use super::{slot, trigger};

/// Looked at for so long before and after a change.
const AROUND_SECONDS: i64 = 4 * 3_600;
const QUARTER_SECONDS: i64 = 900;

#[test]
fn every_quarter_of_an_hour_comes_as_every_clock_shows_it() {
    let mut seen = HashSet::new();
    for name in TimeZoneDatabase::bundled().available() {
        let zone = TimeZoneDatabase::bundled().get(name.as_str()).expect("it is listed");
        // Every quarter of an hour, written in two ways: by the hour, and with fixed hours.
        let of = |cron: &str, daylight_saving: &str| {
            trigger(json!({"cron": cron, "timeZone": name.as_str(), "daylightSaving": daylight_saving}))
        };
        let (open, fixed) = ("*/15 * * * *", "0,15,30,45 0-23 * * *");
        let all_changes = changes(&zone);
        // Many names are other names of one zone.
        if !seen.insert(all_changes.iter().map(|it| (*it, zone.to_offset(it.timestamp()))).collect::<Vec<_>>()) {
            of(open, "RunOnce");
            continue;
        }
        for change in all_changes {
            let shown = shown_around(&zone, change);
            let quarters = shown.iter().filter(|(_, time)| time.minute() % 15 == 0);
            let all: Vec<Slot> = quarters.map(|(slot, _)| *slot).collect();
            for (cron, daylight_saving) in [(open, "RunOnce"), (open, "WallClock"), (fixed, "WallClock")] {
                check(&of(cron, daylight_saving), change, &all, name.as_str());
            }
            check(&of(fixed, "RunOnce"), change, &first_shown(&shown), name.as_str());
        }
    }
    let changes: usize = seen.iter().map(Vec::len).sum();
    assert!(seen.len() > 50 && changes > 800, "{} zones, {changes} changes", seen.len());
}

/// Changes of the clocks from 2020 to 2031.
fn changes(zone: &TimeZone) -> Vec<Slot> {
    let (from, until) = (slot("2020-01-01T00:00:00Z"), slot("2032-01-01T00:00:00Z"));
    let changes = zone.following(from.timestamp()).map(|it| Slot::floor(it.timestamp()));
    changes.take_while(|change| *change < until).collect()
}

/// What the clock shows around a change, and at it: all zones are whole quarters of an hour apart by
/// now, but not all are changed at one.
fn shown_around(zone: &TimeZone, change: Slot) -> Vec<(Slot, DateTime)> {
    let first = (change.unix_seconds() - AROUND_SECONDS).div_euclid(QUARTER_SECONDS) + 1;
    let last = (change.unix_seconds() + AROUND_SECONDS).div_euclid(QUARTER_SECONDS);
    let quarters = (first..=last).map(|quarter| Slot::from_unix_seconds(quarter * QUARTER_SECONDS));
    let mut slots: Vec<Slot> = quarters.chain([change]).collect();
    slots.sort_unstable();
    slots.dedup();
    slots.into_iter().map(|slot| (slot, zone.to_datetime(slot.timestamp()))).collect()
}

/// Where the clock goes on to a quarter of an hour that it has not shown before, or beyond one.
fn first_shown(shown: &[(Slot, DateTime)]) -> Vec<Slot> {
    let mut latest = 0;
    let mut slots = Vec::new();
    for (slot, time) in shown {
        let minutes =
            i64::from(time.date().day_of_year()) * 1_440 + i64::from(time.hour()) * 60 + i64::from(time.minute());
        let quarter = i64::from(time.year()) * 40_000 + minutes / 15;
        if quarter > latest {
            latest = quarter;
            slots.push(*slot);
        }
    }
    slots
}

fn check(trigger: &Trigger, change: Slot, expected: &[Slot], zone: &str) {
    let (after, through) = (change.plus_seconds(-AROUND_SECONDS), change.plus_seconds(AROUND_SECONDS));
    assert_eq!(trigger.between(after, through, usize::MAX), expected, "{zone} around {change:?}");
    assert_eq!(trigger.latest(after, through, usize::MAX, |_| false), expected, "{zone} around {change:?}, backwards");
}
