//! Whatever is written in a trigger, reading it and asking for its slots does not panic, goes the
//! right way and takes no longer than it may.

use arbitrary::Arbitrary;
use punctual::api::spec::{
    Calendar, DaylightSaving, Exclusion, Fields, Interval, NumberOrText, OnExcluded, SimpleTrigger, Trigger,
};
use punctual::time::{self, Context, Search, Slot};

use super::stopwatch::Stopwatch;

/// Few words for much: what is taken at random is mostly something that can be read.
#[derive(Arbitrary, Debug)]
pub struct Input {
    members: Vec<Member>,
    shape: u8,
    zone: u8,
    wall_clock: Option<bool>,
    window: Option<(u32, u32)>,
    exclude: Vec<(u8, u32, u32, [Field; 5])>,
    next_day: bool,
    from: i64,
    far: bool,
}

#[derive(Arbitrary, Debug)]
struct Member {
    kind: u8,
    text: String,
    fields: [Field; 6],
    numbers: [u16; 4],
    zone: Option<u8>,
    wall_clock: Option<bool>,
    window: Option<(u32, u32)>,
}

#[derive(Arbitrary, Debug)]
enum Field {
    Star,
    Step(u8),
    List(Vec<u8>),
    Range(u8, u8),
    RangeStep(u8, u8, u8),
    Special(u8, u8),
    Raw(String),
}

const ZONES: &[&str] = &[
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "America/Nuuk",
    "Antarctica/Troll",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "America/Sao_Paulo",
    "Europe/Dublin",
    "Asia/Gaza",
    "Pacific/Chatham",
];

/// Asks the trigger of an input for its slots.
pub fn check(input: &Input, stopwatch: &Stopwatch) {
    let spec = input.spec();
    let context = Context { creation: Slot::from_unix_seconds(1_790_000_000), namespace: "shop", name: "report" };
    let timed = Timed { spec: &spec, stopwatch };
    let parsed = timed.run("parse", context.creation, || time::Trigger::parse(&spec, &context));
    let Ok(trigger) = parsed else { return };
    let from = if input.far { input.from } else { 1_000_000_000 + input.from.rem_euclid(2_000_000_000) };
    let mut at = Slot::from_unix_seconds(from);
    for _ in 0..3 {
        match timed.run("next", at, || trigger.next(at)) {
            Search::Slot(next) => {
                assert!(next > at, "{spec:?}");
                if let Search::Slot(back) = timed.run("prev", next, || trigger.prev(next)) {
                    assert!(back <= at, "{spec:?} {at:?} {next:?} {back:?}");
                }
                at = next;
            }
            Search::NoneUpTo(up_to) => {
                assert!(up_to >= at, "{spec:?}");
                at = up_to;
            }
            Search::Never => break,
        }
    }
    if let Search::Slot(back) = timed.run("prev", at, || trigger.prev(at)) {
        assert!(back < at, "{spec:?}");
    }
}

/// Asks, and says what was asked if that takes long.
struct Timed<'a> {
    spec: &'a Trigger,
    stopwatch: &'a Stopwatch,
}

impl Timed<'_> {
    fn run<T>(&self, what: &str, at: Slot, work: impl Fn() -> T) -> T {
        self.stopwatch.time(|| format!("{what} at {at:?}: {:?}", self.spec), work)
    }
}

impl Input {
    fn spec(&self) -> Trigger {
        let members: Vec<SimpleTrigger> = self.members.iter().take(10).map(Member::spec).collect();
        let (not_before, not_after) = window(self.window);
        let mut spec = Trigger {
            time_zone: Some(zone(self.zone)),
            daylight_saving: self.wall_clock.map(daylight_saving),
            not_before,
            not_after,
            ..Trigger::default()
        };
        match (self.shape % 4, members.first()) {
            (0, _) => spec.any_of = Some(members),
            (1, _) => spec.all_of = Some(members),
            (_, Some(first)) => {
                spec.cron.clone_from(&first.cron);
                spec.fields.clone_from(&first.fields);
                spec.interval.clone_from(&first.interval);
                spec.calendar.clone_from(&first.calendar);
                spec.at.clone_from(&first.at);
                spec.at_local.clone_from(&first.at_local);
            }
            _ => {}
        }
        if !self.exclude.is_empty() {
            spec.exclude = Some(self.exclude.iter().take(20).enumerate().map(exclusion).collect());
            spec.on_excluded = Some(if self.next_day { OnExcluded::NextDay } else { OnExcluded::Drop });
        }
        spec
    }
}

impl Member {
    fn spec(&self) -> SimpleTrigger {
        let (not_before, not_after) = window(self.window);
        let mut spec = SimpleTrigger {
            time_zone: self.zone.map(zone),
            daylight_saving: self.wall_clock.map(daylight_saving),
            not_before,
            not_after,
            ..SimpleTrigger::default()
        };
        let [a, b, c, d] = self.numbers;
        match self.kind % 9 {
            0 => spec.cron = Some(self.text.clone()),
            1 | 2 => spec.cron = Some(cron(&self.fields[..5])),
            3 => spec.cron = Some(cron(&self.fields)),
            4 => spec.fields = Some(fields(&self.fields, a)),
            5 => {
                let every = if a % 2 == 0 { format!("{b}s") } else { format!("{}h{}m{}s", b % 100, c % 100, d % 100) };
                spec.interval = Some(Interval { every, start_time: (d % 3 > 0).then(|| instant(u32::from(c) << 14)) });
            }
            6 => {
                let unit = |number: u16| (number.is_multiple_of(3)).then_some(i32::from(number / 3 % 400));
                let start_date = (d % 2 == 0).then(|| instant(u32::from(d) << 15)[..10].to_owned());
                let time_of_day = Some(format!("{:02}:{:02}", c % 25, b % 61));
                let (years, months, weeks, days) = (unit(a), unit(b), unit(c), unit(d));
                spec.calendar = Some(Calendar { years, months, weeks, days, time_of_day, start_date });
            }
            7 => spec.at = Some(self.numbers.iter().map(|it| instant(u32::from(*it) << 15)).collect()),
            _ => {
                let local = |it: &u16| instant(u32::from(*it) << 15)[..19].to_owned();
                spec.at_local = Some(self.numbers.iter().map(local).collect());
            }
        }
        spec
    }
}

fn cron(fields: &[Field]) -> String {
    let special =
        ["L", "L-3", "LW", "15W", "1W", "5#2", "0L", "H", "H(1-5)", "H/5", "?", "mon-fri", "jan", "31W", "6#5"];
    let texts = fields.iter().map(|field| field.text(&special));
    texts.collect::<Vec<_>>().join(" ")
}

fn fields(texts: &[Field; 6], given: u16) -> Fields {
    let special =
        ["last", "1st mon", "5th sun", "last fri", "2024/4", "53", "mon-fri", "feb", "0-7", "6-1", "9999", "2100"];
    let field =
        |index: usize, bit: u16| (given & (1 << bit) != 0).then(|| NumberOrText::Text(texts[index].text(&special)));
    Fields {
        year: field(0, 0),
        month: field(1, 1),
        day: field(2, 2),
        week: field(0, 3),
        day_of_week: field(1, 4),
        hour: field(3, 5),
        minute: field(4, 6),
        second: field(5, 7),
    }
}

impl Field {
    fn text(&self, special: &[&str]) -> String {
        match self {
            Self::Star => "*".to_owned(),
            Self::Step(step) => format!("*/{}", step % 62),
            Self::List(numbers) if numbers.is_empty() => "0".to_owned(),
            Self::List(numbers) => numbers.iter().map(|it| (it % 60).to_string()).collect::<Vec<_>>().join(","),
            Self::Range(first, last) => format!("{}-{}", first % 61, last % 61),
            Self::RangeStep(first, last, step) => format!("{}-{}/{}", first % 61, last % 61, step % 30),
            Self::Special(one, other) => match (usize::from(*one), usize::from(*other)) {
                (one, other) if other % 2 == 0 => special[one % special.len()].to_owned(),
                (one, other) => format!("{},{}", special[one % special.len()], special[other % special.len()]),
            },
            Self::Raw(text) => text.clone(),
        }
    }
}

fn exclusion((index, (kind, one, other, texts)): (usize, &(u8, u32, u32, [Field; 5]))) -> Exclusion {
    let mut exclusion = Exclusion { name: format!("e{index}"), ..Exclusion::default() };
    match kind % 4 {
        0 => {
            exclusion.dates =
                Some((0..40).map(|day| instant(one.wrapping_add(day * 86_400 * 3))[..10].to_owned()).collect())
        }
        1 => {
            exclusion.from = Some(instant(*one));
            exclusion.to = Some(instant(one.saturating_add(other % 40_000_000)));
        }
        _ => exclusion.cron = Some(cron(texts)),
    }
    exclusion
}

fn window(ends: Option<(u32, u32)>) -> (Option<String>, Option<String>) {
    let instants = ends.map(|(from, through)| (instant(from / 2), instant(through.max(1 << 31))));
    instants
        .filter(|(from, _)| !from.ends_with("7Z"))
        .map_or((None, None), |(from, through)| (Some(from), Some(through)))
}

fn instant(seconds: u32) -> String {
    Slot::from_unix_seconds(i64::from(seconds)).timestamp().to_string()
}

fn zone(index: u8) -> String {
    ZONES[usize::from(index) % ZONES.len()].to_owned()
}

fn daylight_saving(wall_clock: bool) -> DaylightSaving {
    if wall_clock { DaylightSaving::WallClock } else { DaylightSaving::RunOnce }
}
