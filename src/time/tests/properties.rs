//! What holds for every trigger at every time.

use jiff::civil::{Date, DateTime};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::*;

/// The fields of a cron text as plain lists, for a matcher that shares nothing with the engine.
#[derive(Clone, Debug)]
struct Fields {
    minutes: Vec<i8>,
    hours: Hours,
    /// None for a star.
    days: Option<Vec<i8>>,
    months: Option<Vec<i8>>,
    weekdays: Option<Vec<i8>>,
}

#[derive(Clone, Debug)]
enum Hours {
    Fixed(Vec<i8>),
    Every(i8),
}

impl Fields {
    fn text(&self) -> String {
        let list = |numbers: &[i8]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let or_star = |numbers: &Option<Vec<i8>>| numbers.as_deref().map_or("*".to_owned(), list);
        let hours = match &self.hours {
            Hours::Fixed(hours) => list(hours),
            Hours::Every(1) => "*".to_owned(),
            Hours::Every(step) => format!("*/{step}"),
        };
        let days = or_star(&self.days);
        format!("{} {hours} {days} {} {}", list(&self.minutes), or_star(&self.months), or_star(&self.weekdays))
    }

    fn names_date(&self, date: Date) -> bool {
        let weekday = date.weekday().to_sunday_zero_offset();
        let month = self.months.as_ref().is_none_or(|months| months.contains(&date.month()));
        month
            && match (&self.days, &self.weekdays) {
                (Some(days), Some(weekdays)) => days.contains(&date.day()) || weekdays.contains(&weekday),
                (Some(days), None) => days.contains(&date.day()),
                (None, Some(weekdays)) => weekdays.contains(&weekday),
                (None, None) => true,
            }
    }

    fn names(&self, time: DateTime) -> bool {
        let hour = match &self.hours {
            Hours::Fixed(hours) => hours.contains(&time.hour()),
            Hours::Every(step) => time.hour() % step == 0,
        };
        hour && self.minutes.contains(&time.minute()) && time.second() == 0 && self.names_date(time.date())
    }

    /// All slots in a stretch of time, found by looking at the clock every minute. Clocks have
    /// been changed on full minutes only since 1972.
    fn look_at_the_clock(&self, zone: &TimeZone, after: Slot, through: Slot) -> Vec<Slot> {
        const MARGIN_SECONDS: i64 = 3 * 86_400;
        let start = (after.0 - MARGIN_SECONDS).div_euclid(60) * 60;
        let minutes = (start..=through.0 + MARGIN_SECONDS).step_by(60);
        let shown: Vec<(Slot, DateTime)> =
            minutes.map(|second| (Slot(second), zone.to_datetime(Slot(second).timestamp()))).collect();
        let slots: Vec<Slot> = match self.hours {
            Hours::Every(_) => shown.iter().filter(|(_, time)| self.names(*time)).map(|(slot, _)| *slot).collect(),
            Hours::Fixed(_) => self.first_shown(&shown),
        };
        slots.into_iter().filter(|slot| *slot > after && *slot <= through).collect()
    }

    /// For each time named, in order, the first instant at which it or a later one is shown.
    fn first_shown(&self, shown: &[(Slot, DateTime)]) -> Vec<Slot> {
        let mut dates: Vec<Date> = shown.iter().map(|(_, time)| time.date()).collect();
        dates.sort_unstable();
        dates.dedup();
        let minutes = |date: Date| (0..24).flat_map(move |hour| (0..60).map(move |minute| date.at(hour, minute, 0, 0)));
        let mut slots: Vec<Slot> = Vec::new();
        let mut clock = shown.iter();
        let mut now = clock.next();
        for time in dates.into_iter().flat_map(minutes).filter(|time| self.names(*time)) {
            while now.is_some_and(|(_, shown)| *shown < time) {
                now = clock.next();
            }
            slots.extend(now.map(|(slot, _)| *slot));
        }
        slots.dedup();
        slots
    }
}

fn fields() -> impl Strategy<Value = Fields> {
    let some = |first: i8, last: i8, most: usize| subsequence((first..=last).collect::<Vec<_>>(), 1..=most);
    let hours = prop_oneof![
        3 => some(0, 23, 24).prop_map(Hours::Fixed),
        1 => subsequence((0..=4).collect::<Vec<i8>>(), 1..=5).prop_map(Hours::Fixed),
        2 => select(vec![1, 2, 3, 5, 7]).prop_map(Hours::Every),
    ];
    let days = proptest::option::of(some(1, 31, 31));
    let months = proptest::option::weighted(0.3, some(1, 12, 12));
    let weekdays = proptest::option::of(some(0, 6, 6));
    (some(0, 59, 6), hours, days, months, weekdays).prop_map(|(minutes, hours, days, months, weekdays)| Fields {
        minutes,
        hours,
        days,
        months,
        weekdays,
    })
}

fn zone_name() -> impl Strategy<Value = String> {
    let all = TimeZoneDatabase::bundled().available().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
    let odd = [
        "UTC",
        "Africa/Cairo",
        "America/New_York",
        "America/Sao_Paulo",
        "Asia/Beirut",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Europe/Berlin",
        "Pacific/Apia",
        "Pacific/Kwajalein",
    ];
    prop_oneof![select(all), select(odd.map(str::to_owned).to_vec())]
}

/// An instant near a change of the zone's clocks between 1975 and 2060, or anywhere if it has none.
fn near_a_change(zone: &TimeZone, change: Index, distance: i64) -> Slot {
    let (from, until) = (instant("1975-01-01T00:00:00Z"), instant("2060-01-01T00:00:00Z"));
    let changes = zone.following(from.timestamp()).map(|it| Slot::floor(it.timestamp()));
    let changes: Vec<Slot> = changes.take_while(|slot| *slot < until).collect();
    let base = if changes.is_empty() { from } else { *change.get(&changes) };
    base.plus_seconds(distance)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// The engine jumps; looking at the clock every minute finds the same slots.
    #[test]
    fn jumping_finds_what_looking_at_the_clock_every_minute_finds(
        fields in fields(),
        zone_name in zone_name(),
        change in any::<Index>(),
        distance in -86_400_i64..43_200,
        length in 0_i64..100_000,
    ) {
        let trigger = recurring(&fields.text(), &zone_name);
        let zone = TimeZoneDatabase::bundled().get(&zone_name).expect("it was listed");
        let after = near_a_change(&zone, change, distance);
        let through = after.plus_seconds(length);
        let expected = fields.look_at_the_clock(&zone, after, through);
        prop_assert_eq!(&trigger.between(after, through, usize::MAX), &expected, "{} {}", fields.text(), zone_name);
        prop_assert_eq!(trigger.count(after, through, u64::MAX), expected.len() as u64);
        let back = std::iter::successors(trigger.prev(through.plus_seconds(1)).slot(), |it| trigger.prev(*it).slot());
        let mut back: Vec<Slot> = back.take_while(|slot| *slot > after).collect();
        back.reverse();
        prop_assert_eq!(&back, &expected, "backwards: {} {}", fields.text(), zone_name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Also in the years −9999 and 9999, and for instants without a calendar.
    #[test]
    fn each_search_goes_its_way_from_anywhere(
        fields in fields(),
        zone_name in zone_name(),
        from in prop_oneof![
            any::<i64>(),
            Slot::FIRST.0 - 100_000..Slot::FIRST.0 + 40_000_000,
            Slot::LAST.0 - 40_000_000..Slot::LAST.0 + 100_000,
            Slot::FIRST.0..Slot::LAST.0,
        ].prop_map(Slot),
    ) {
        let trigger = recurring(&fields.text(), &zone_name);
        let (next, prev) = (trigger.next(from), trigger.prev(from));
        prop_assert!(!matches!(next, Search::NoneUpTo(_)) && !matches!(prev, Search::NoneUpTo(_)));
        if let Some(next) = next.slot() {
            prop_assert!(next > from && next <= Slot::LAST);
            let back = trigger.prev(next).slot();
            prop_assert!(back.is_none_or(|back| back <= from));
            prop_assert!(trigger.in_words(next).len() < 50);
        }
        if let Some(prev) = prev.slot() {
            prop_assert!(prev < from && prev >= Slot::FIRST);
            let forth = trigger.next(prev).slot();
            prop_assert!(forth.is_none_or(|forth| forth >= from));
        }
    }

    /// Whatever a user writes is read or refused with a sentence of bearable length.
    #[test]
    fn any_text_is_read_or_refused(text in "[-0-9*/?, @A-Za-z+.\u{b5}\t\n\"]{0,40}|\\PC{0,60}") {
        let cron = spec::Trigger { cron: Some(text.clone()), ..Default::default() };
        let zone = spec::Trigger { cron: Some("@daily".into()), time_zone: Some(text.clone()), ..Default::default() };
        let at = spec::Trigger { at: Some(vec![text.clone()]), ..Default::default() };
        let interval = Some(spec::Interval { every: text, start_time: None });
        let interval = spec::Trigger { interval, ..Default::default() };
        for spec in [cron, zone, at, interval] {
            match Trigger::parse(&spec, &context(Slot(0))) {
                Ok(trigger) => prop_assert!(trigger.words().chars().count() <= 60),
                Err(error) => {
                    let sentence = error.to_string();
                    prop_assert!(sentence.starts_with("spec.trigger") && sentence.len() < 700, "{}", sentence);
                    prop_assert!(!sentence.contains(char::is_control), "{}", sentence);
                }
            }
        }
    }
}
