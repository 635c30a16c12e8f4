//! What holds for every trigger, against sets of instants and days counted one by one.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};
use punctual::time::{Search, Slot, Trigger};
use serde_json::{Value, json};

use super::random::Random;
use super::{last, slot, trigger};

/// Cases of each kind; `TIME_CASES` asks for more.
fn cases() -> u64 {
    std::env::var("TIME_CASES").map_or(200, |it| it.parse().expect("a number"))
}

/// Slots of one trigger that are looked at in a case.
const MOST: usize = 2_000;

/// The same where it takes long to count them.
const MOVED: usize = 6_000;

/// A stretch of time between 2019 and 2022.
fn stretch(random: &mut Random) -> (Slot, Slot) {
    let from = slot(&random.instant()).plus_seconds(random.within(-7_200, 7_200));
    let length = [7_200, 2 * 86_400, 60 * 86_400, 400 * 86_400];
    let length = length[usize::try_from(random.within(0, 3)).expect("an index")];
    (from, from.plus_seconds(random.within(0, length)))
}

/// All slots of some triggers in a stretch, and how far it was looked at for all of them.
fn listed(triggers: &[Trigger], after: Slot, through: Slot) -> (Vec<BTreeSet<Slot>>, Slot) {
    let slots: Vec<Vec<Slot>> = triggers.iter().map(|it| it.between(after, through, MOST)).collect();
    let ends = slots.iter().map(|it| if it.len() < MOST { through } else { it[MOST - 1] });
    let through = ends.min().unwrap_or(through);
    (slots.into_iter().map(|it| it.into_iter().filter(|slot| *slot <= through).collect()).collect(), through)
}

/// The trigger has exactly these slots in a stretch, whichever way one asks.
fn has_exactly(trigger: &Trigger, (after, through): (Slot, Slot), expected: &BTreeSet<Slot>, story: &Value) {
    let expected: Vec<Slot> = expected.iter().copied().collect();
    let found = trigger.between(after, through, expected.len() + 1);
    assert_eq!(found, expected, "{story} after {after:?} through {through:?}");
    assert_eq!(trigger.count(after, through, u64::MAX), expected.len() as u64, "{story}");
    let mut back = Vec::new();
    let mut before = through.plus_seconds(1);
    loop {
        match trigger.prev(before) {
            Search::Slot(slot) if slot > after => {
                back.push(slot);
                before = slot;
            }
            Search::NoneUpTo(down_to) if down_to < before && down_to > after => before = down_to,
            _ => break,
        }
    }
    back.reverse();
    assert_eq!(back, expected, "backwards: {story} after {after:?} through {through:?}");
}

fn with(mut spec: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().expect("an object") {
        spec[name] = value.clone();
    }
    spec
}

/// A member as a trigger of its own, with what it inherits.
fn alone(member: &Value, zone: &str) -> Trigger {
    let inherited = if member["timeZone"].is_null() { json!({ "timeZone": zone }) } else { json!({}) };
    trigger(with(member.clone(), &inherited))
}

#[test]
fn any_of_has_the_slots_of_all_members() {
    for seed in 0..cases() {
        let mut random = Random::new(seed);
        let (zone, members) = (random.zone(), (0..random.within(1, 4)).map(|_| random.simple()).collect::<Vec<_>>());
        let spec = json!({ "anyOf": members, "timeZone": zone });
        let members: Vec<Trigger> = members.iter().map(|it| alone(it, zone)).collect();
        let (after, through) = stretch(&mut random);
        let (slots, through) = listed(&members, after, through);
        has_exactly(&trigger(spec.clone()), (after, through), &slots.into_iter().flatten().collect(), &spec);
    }
}

#[test]
fn all_of_has_the_slots_that_all_members_have() {
    for seed in 0..cases() * 2 {
        let mut random = Random::new(seed);
        let (zone, members) = (random.zone(), (0..random.within(1, 3)).map(|_| random.simple()).collect::<Vec<_>>());
        let spec = json!({ "allOf": members, "timeZone": zone });
        let members: Vec<Trigger> = members.iter().map(|it| alone(it, zone)).collect();
        let (after, through) = stretch(&mut random);
        let (slots, through) = listed(&members, after, through);
        let common = slots.into_iter().reduce(|one, other| &one & &other).expect("a member");
        has_exactly(&trigger(spec.clone()), (after, through), &common, &spec);
    }
}

#[test]
fn what_is_excluded_and_dropped_is_no_slot() {
    for seed in 0..cases() * 2 {
        let mut random = Random::new(seed);
        let (zone, simple) = (random.zone(), random.simple());
        let spec = with(simple, &json!({ "timeZone": zone }));
        let whole = trigger(spec.clone());
        let spec = with(spec, &json!({ "exclude": random.exclusions() }));
        let excluding = Excluding::new(&spec, zone);
        let (after, through) = stretch(&mut random);
        let (slots, through) = listed(&[whole], after, through);
        let free = slots[0].iter().copied().filter(|it| !excluding.covers(*it)).collect();
        has_exactly(&trigger(spec.clone()), (after, through), &free, &spec);
        let told = trigger(spec.clone()).excluded(after, through, 100);
        let expected = slots[0].iter().copied().filter(|it| excluding.covers(*it)).take(told.len().max(1));
        assert!(told.iter().map(|it| it.slot).eq(expected.take(told.len())), "{spec}");
    }
}

#[test]
fn what_is_excluded_and_moved_is_at_the_same_time_on_the_next_free_day() {
    for seed in 0..cases() {
        let mut random = Random::new(seed);
        let (zone, simple) = (random.zone(), random.simple());
        let spec = with(simple, &json!({ "timeZone": zone }));
        let whole = trigger(spec.clone());
        let spec = with(spec, &json!({"exclude": random.exclusions(), "onExcluded": "NextDay"}));
        let excluding = Excluding::new(&spec, zone);
        let (after, through) = stretch(&mut random);
        let from = after.plus_seconds(-40 * 86_400);
        let through = Slot::from_unix_seconds(through.unix_seconds().min(after.unix_seconds() + 30 * 86_400));
        // All that may move into the stretch counts.
        let whole = whole.between(from, through, MOVED);
        if whole.len() == MOVED {
            continue;
        }
        let last = spec["notAfter"].as_str().map_or(last(), slot);
        let there = whole.iter().filter_map(|it| if excluding.covers(*it) { excluding.target(*it) } else { Some(*it) });
        let there = there.filter(|it| *it > after && *it <= through && *it <= last).collect();
        has_exactly(&trigger(spec.clone()), (after, through), &there, &spec);
    }
}

/// Exclusions, looked at one by one.
struct Excluding {
    zone: TimeZone,
    wall_clock: bool,
    dates: Vec<Date>,
    spans: Vec<(Slot, Slot)>,
    patterns: Vec<Trigger>,
}

impl Excluding {
    fn new(spec: &Value, zone: &str) -> Self {
        let wall_clock = spec["daylightSaving"] == "WallClock";
        let zone_name = zone;
        let zone = TimeZone::get(zone).expect("a zone");
        let mut all = Self { zone, wall_clock, dates: Vec::new(), spans: Vec::new(), patterns: Vec::new() };
        for exclusion in spec["exclude"].as_array().expect("a list") {
            let dates = exclusion["dates"].as_array().into_iter().flatten();
            all.dates.extend(dates.map(|it| it.as_str().expect("a text").parse::<Date>().expect("a date")));
            if let (Some(from), Some(to)) = (exclusion["from"].as_str(), exclusion["to"].as_str()) {
                all.spans.push((slot(from), slot(to)));
            }
            if let Some(cron) = exclusion["cron"].as_str() {
                let spec = json!({"cron": cron, "timeZone": zone_name, "daylightSaving": "WallClock"});
                all.patterns.push(trigger(spec));
            }
        }
        all
    }

    fn shown(&self, slot: Slot) -> DateTime {
        self.zone.to_datetime(slot.timestamp())
    }

    fn covers(&self, slot: Slot) -> bool {
        let shown = self.shown(slot);
        let minute = slot.plus_seconds(-i64::from(shown.second()));
        let matches = |pattern: &Trigger| pattern.next(minute.plus_seconds(-1)) == Search::Slot(minute);
        self.dates.contains(&shown.date())
            || self.spans.iter().any(|(from, to)| *from <= slot && slot < *to)
            || self.patterns.iter().any(matches)
    }

    fn target(&self, slot: Slot) -> Option<Slot> {
        (1..=31)
            .filter_map(|days| self.on(self.shown(slot).checked_add(days.days()).ok()?))
            .find(|it| !self.covers(*it))
    }

    /// The first instant at which a time, or a later one, is shown; none if its date is left out.
    fn on(&self, time: DateTime) -> Option<Slot> {
        match self.zone.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(time).ok().map(Slot::ceil),
            // After the last change that jiff has listed it goes by later rules too early.
            AmbiguousOffset::Fold { before, after } => {
                let slots = [before, after].map(|it| it.to_timestamp(time).ok().map(Slot::ceil));
                slots.into_iter().flatten().find(|it| self.shown(*it) == time)
            }
            AmbiguousOffset::Gap { .. } if self.wall_clock => None,
            AmbiguousOffset::Gap { .. } => {
                let near = TimeZone::UTC.to_timestamp(time).expect("an instant").as_second() - 2 * 86_400;
                let minutes =
                    (0..4 * 1_440).map(|minute| Slot::from_unix_seconds(near.div_euclid(60) * 60 + minute * 60));
                let mut shown = minutes.map(|it| (it, self.shown(it))).skip_while(|(_, shown)| *shown < time);
                let (end, shown) = shown.next()?;
                let date_exists =
                    shown.date() == time.date() || self.shown(end.plus_seconds(-60)).date() == time.date();
                date_exists.then_some(end)
            }
        }
    }
}

#[test]
fn days_counted_from_the_end_or_among_weekdays_are_those_of_the_calendar() {
    for seed in 0..cases() * 3 {
        let [day, month, weekday] = Random::new(seed).cron_days();
        let spec = json!({ "cron": format!("0 0 {day} {month} {weekday}") });
        let expected = dates().filter(|date| {
            let in_month = month == "*" || month.split(',').any(|it| it == date.month().to_string());
            let (of_month, of_week) = (names_day(&day, *date), names_weekday(&weekday, *date));
            let either = day != "*" && weekday != "*";
            in_month && if either { of_month || of_week } else { of_month && of_week }
        });
        let expected: BTreeSet<Slot> = expected.map(|date| slot(&format!("{date}T00:00:00Z"))).collect();
        has_exactly(
            &trigger(spec.clone()),
            (slot("2018-12-31T00:00:00Z"), slot("2022-12-31T12:00:00Z")),
            &expected,
            &spec,
        );
    }
}

#[test]
fn days_by_fields_are_those_of_the_calendar() {
    for seed in 0..cases() * 3 {
        let mut fields = Random::new(seed).fields();
        fields["hour"] = json!(0);
        fields["minute"] = json!(0);
        let spec = json!({ "fields": fields });
        let text = |name: &str| fields[name].as_str();
        let lists =
            |name: &str, number: i64| text(name).is_none_or(|it| it.split(',').any(|it| it == number.to_string()));
        let expected = dates().filter(|date| {
            let year = text("year")
                .is_none_or(|it| (i64::from(date.year()) - 2019) % it[5..].parse::<i64>().expect("a step") == 0);
            year && lists("month", i64::from(date.month()))
                && lists("week", i64::from(date.iso_week_date().week()))
                && text("day").is_none_or(|it| it.split(',').any(|it| names_day_in_words(it, *date)))
                && text("dayOfWeek").is_none_or(|it| it.split(',').any(|it| names_day_of_week(it, *date)))
        });
        let expected: BTreeSet<Slot> = expected.map(|date| slot(&format!("{date}T00:00:00Z"))).collect();
        has_exactly(
            &trigger(spec.clone()),
            (slot("2018-12-31T00:00:00Z"), slot("2022-12-31T12:00:00Z")),
            &expected,
            &spec,
        );
    }
}

fn dates() -> impl Iterator<Item = Date> {
    let first = Date::constant(2019, 1, 1);
    std::iter::successors(Some(first), |date| date.tomorrow().ok()).take_while(|date| date.year() < 2023)
}

fn is_workday(date: Date) -> bool {
    !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn names_day(text: &str, date: Date) -> bool {
    let last = date.last_of_month();
    text.split(',').any(|element| match element {
        "*" => true,
        "L" => date == last,
        "LW" => {
            is_workday(date)
                && (date.day() + 1..=last.day()).all(|day| !is_workday(Date::constant(date.year(), date.month(), day)))
        }
        _ => {
            if let Some(before) = element.strip_prefix("L-") {
                return i64::from(last.day()) - before.parse::<i64>().expect("a number") == i64::from(date.day());
            }
            let Some(day) = element.strip_suffix('W') else { return element == date.day().to_string() };
            let day: i8 = day.parse().expect("a number");
            let Ok(target) = Date::new(date.year(), date.month(), day) else { return false };
            let distance = |it: &Date| (target - *it).get_days().abs();
            let workdays =
                (1..=last.day()).map(|it| Date::constant(date.year(), date.month(), it)).filter(|it| is_workday(*it));
            workdays.min_by_key(distance) == Some(date)
        }
    })
}

fn names_weekday(text: &str, date: Date) -> bool {
    let weekday = date.weekday().to_sunday_zero_offset().to_string();
    text.split(',').any(|element| {
        if let Some((day, nth)) = element.split_once('#') {
            return day == weekday && nth == ((date.day() - 1) / 7 + 1).to_string();
        }
        match element.strip_suffix('L') {
            Some(day) => day == weekday && date.day() + 7 > date.last_of_month().day(),
            None => element == "*" || element == weekday,
        }
    })
}

fn names_day_in_words(element: &str, date: Date) -> bool {
    const NTH: [&str; 5] = ["1st", "2nd", "3rd", "4th", "5th"];
    let short = format!("{:?}", date.weekday())[..3].to_lowercase();
    match element.split_once(' ') {
        Some((nth, weekday)) => {
            let matches = match nth {
                "last" => date.day() + 7 > date.last_of_month().day(),
                _ => NTH.iter().position(|it| *it == nth) == usize::try_from((date.day() - 1) / 7).ok(),
            };
            weekday == short && matches
        }
        None if element == "last" => date == date.last_of_month(),
        None if element == "*/3" => (date.day() - 1) % 3 == 0,
        None => element == date.day().to_string(),
    }
}

fn names_day_of_week(element: &str, date: Date) -> bool {
    let weekday = i64::from(date.weekday().to_sunday_zero_offset());
    match element {
        "*/2" => [1, 3, 5, 0].contains(&weekday),
        "mon-fri" => is_workday(date),
        _ => match element.split_once('-') {
            Some((first, last)) => {
                let (first, last): (i64, i64) = (first.parse().expect("a number"), last.parse().expect("a number"));
                // Walk through the week from the first to the last.
                let end = if last < first { last + 7 } else { last };
                (first..=end).any(|it| it % 7 == weekday)
            }
            None => element.parse::<i64>().expect("a number") % 7 == weekday,
        },
    }
}

#[test]
fn calendar_dates_follow_one_from_another() {
    for seed in 0..cases() / 2 {
        let mut random = Random::new(seed);
        let (zone, calendar) = (random.zone(), random.calendar());
        let mode = random.pick(&["RunOnce", "WallClock"]);
        let spec = json!({"calendar": calendar, "timeZone": zone, "daylightSaving": mode});
        let excluding = Excluding::new(&json!({"exclude": [], "daylightSaving": mode}), zone);
        let unit = |name: &str| calendar[name].as_i64().unwrap_or(0);
        let (months, days) = (unit("years") * 12 + unit("months"), unit("weeks") * 7 + unit("days"));
        let mut date: Date = calendar["startDate"].as_str().expect("a date").parse().expect("a date");
        let time: jiff::civil::Time = calendar["timeOfDay"].as_str().expect("a time").parse().expect("a time");
        let (after, through) = (slot("2000-01-01T00:00:00Z"), slot("2035-01-01T00:00:00Z"));
        let mut expected = BTreeSet::new();
        while date.year() < 2037 {
            expected.extend(excluding.on(date.to_datetime(time)).filter(|it| *it > after && *it <= through));
            date = next_date(date, months, days);
        }
        has_exactly(&trigger(spec.clone()), (after, through), &expected, &spec);
    }
}

fn next_date(date: Date, months: i64, days: i64) -> Date {
    let mut month = i64::from(date.year()) * 12 + i64::from(date.month()) - 1;
    loop {
        month += months;
        let (year, of_year) =
            (i16::try_from(month / 12).expect("a year"), i8::try_from(month % 12 + 1).expect("a month"));
        if let Ok(next) = Date::new(year, of_year, date.day()) {
            return next.checked_add(days.days()).expect("a date");
        }
    }
}

/// Also far from today, and for triggers put together from others.
#[test]
fn every_search_goes_its_way_from_anywhere() {
    for seed in 0..cases() * 5 {
        let mut random = Random::new(seed);
        let mut spec = match random.within(0, 3) {
            0 => json!({ "anyOf": [random.simple(), random.simple()] }),
            1 => json!({ "allOf": [random.simple(), random.simple()] }),
            _ => random.simple(),
        };
        if random.once_in(2) {
            spec["exclude"] = random.exclusions();
            spec["onExcluded"] = json!(random.pick(&["Drop", "NextDay"]));
        }
        let trigger = trigger(spec.clone());
        for _ in 0..4 {
            let from = match random.within(0, 3) {
                0 => random.within(i64::MIN / 4, i64::MAX / 4),
                1 => Timestamp::MAX.as_second() - random.within(-100_000, 40_000_000),
                2 => Timestamp::MIN.as_second() + random.within(-100_000, 40_000_000),
                _ => random.within(-4_000_000_000, 8_000_000_000),
            };
            goes_its_way(&trigger, Slot::from_unix_seconds(from), &spec);
        }
    }
}

fn goes_its_way(trigger: &Trigger, from: Slot, spec: &Value) {
    match trigger.next(from) {
        Search::Slot(next) => {
            assert!(next > from && next <= last(), "{spec} {from:?}");
            match trigger.prev(next) {
                Search::Slot(back) => assert!(back <= from, "{spec} {from:?} {next:?} {back:?}"),
                Search::NoneUpTo(down_to) => assert!(down_to <= next, "{spec} {from:?}"),
                Search::Never => {}
            }
            let again = trigger.prev(next.plus_seconds(1));
            assert!(again == Search::Slot(next) || matches!(again, Search::NoneUpTo(_)), "{spec} {from:?}");
        }
        Search::NoneUpTo(up_to) => assert!(up_to >= from, "{spec} {from:?} {up_to:?}"),
        Search::Never => {}
    }
    match trigger.prev(from) {
        Search::Slot(prev) => {
            assert!(prev < from, "{spec} {from:?}");
            let again = trigger.next(prev.plus_seconds(-1));
            assert!(again == Search::Slot(prev) || matches!(again, Search::NoneUpTo(_)), "{spec} {from:?}");
        }
        Search::NoneUpTo(down_to) => assert!(down_to <= from, "{spec} {from:?} {down_to:?}"),
        Search::Never => {}
    }
}
