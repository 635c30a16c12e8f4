//! The slots to come, and what became of those that are none.

use std::collections::BTreeMap;

use super::check::Understood;
use super::clock_changes::{Effect, Effected, effects};
use crate::time::{Context, Excluded, Search, Slot, Trigger, Zone};

/// Slots of a trigger, and what is known of what comes after them.
#[derive(Debug, PartialEq, Eq)]
pub struct Forecast {
    /// The slots, ascending.
    pub slots: Vec<Slot>,
    /// Why there are not more of them.
    pub end: End,
}

/// Why a forecast ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As many as were asked for.
    Counted,
    /// There are no more. This is proved.
    Exhausted,
    /// There are no more up to this instant, beyond which nobody looked.
    NoneUpTo(Slot),
}

/// What people are told of one instant.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The slot, or where it would be.
    pub at: Slot,
    /// It is a slot.
    pub is_slot: bool,
    /// What there is to say of it.
    pub notes: Vec<String>,
}

/// A search that finds nothing is continued so often. Each covers years.
const MAX_CONTINUATIONS: usize = 500;
/// How far to look for what is excluded where no slot follows.
const YEAR_SECONDS: i64 = 366 * 86_400;
/// No slot moves further than this.
const FURTHEST_MOVE_SECONDS: i64 = 32 * 86_400;
/// As many excluded slots are looked at.
const MAX_EXCLUDED: usize = 1_000;

/// The slots after an instant; at most so many.
#[must_use]
pub fn slots(trigger: &Trigger, after: Slot, count: usize) -> Forecast {
    let (mut slots, mut after, mut continuations) = (Vec::new(), after, 0);
    let end = loop {
        if slots.len() >= count {
            break End::Counted;
        }
        match trigger.next(after) {
            Search::Slot(slot) => {
                slots.push(slot);
                after = slot;
            }
            Search::NoneUpTo(up_to) if up_to > after && continuations < MAX_CONTINUATIONS => {
                continuations += 1;
                after = up_to;
            }
            Search::NoneUpTo(up_to) => break End::NoneUpTo(up_to),
            Search::Never => break End::Exhausted,
        }
    };
    Forecast { slots, end }
}

/// All there is to tell of the time a forecast covers, in order.
#[must_use]
pub fn lines(understood: &Understood, context: &Context<'_>, after: Slot, forecast: &Forecast) -> Vec<Line> {
    let Understood { spec, trigger } = understood;
    let last = forecast.slots.last().copied();
    let through = match forecast.end {
        End::Counted => last.unwrap_or(after),
        End::Exhausted | End::NoneUpTo(_) => last.unwrap_or(after).plus_seconds(YEAR_SECONDS),
    };
    let mut notes: BTreeMap<Slot, Vec<String>> = BTreeMap::new();
    for effected in effects(spec, trigger, context, (after, through)) {
        notes.entry(effected.slot).or_default().push(of_clocks(&effected));
    }
    let mut lines = Vec::new();
    let zone = trigger.zone();
    for excluded in excluded(trigger, after, through) {
        if let Some(target) = excluded.moved_to.filter(|it| *it > after) {
            let from = shown(zone, excluded.slot);
            notes.entry(target).or_default().push(format!("moved here from {from}, excluded by {}", excluded.by));
        }
        if excluded.slot > after {
            lines.push(of_excluded(&excluded, zone));
        }
    }
    for slot in &forecast.slots {
        lines.push(Line { at: *slot, is_slot: true, notes: notes.remove(slot).unwrap_or_default() });
    }
    let told = notes.into_iter().filter(|(slot, _)| Some(*slot) <= last);
    lines.extend(told.map(|(at, notes)| Line { at, is_slot: false, notes }));
    lines.sort_by_key(|it| it.at);
    folded(lines, zone)
}

/// Excluded slots in a stretch of time, and those before it that moved into it.
fn excluded(trigger: &Trigger, after: Slot, through: Slot) -> Vec<Excluded> {
    let before = trigger.excluded(after.plus_seconds(-FURTHEST_MOVE_SECONDS), after, MAX_EXCLUDED);
    let moved = before.into_iter().filter(|it| it.moved_to.is_some_and(|to| to > after));
    moved.chain(trigger.excluded(after, through, MAX_EXCLUDED)).collect()
}

fn of_excluded(excluded: &Excluded, zone: &Zone) -> Line {
    let note = match excluded.moved_to {
        Some(to) => format!("excluded by {}, moved to {}", excluded.by, shown(zone, to)),
        None => format!("excluded by {}", excluded.by),
    };
    Line { at: excluded.slot, is_slot: false, notes: vec![note] }
}

fn of_clocks(effected: &Effected) -> String {
    let Effected { effect, zone, from, to, .. } = effected;
    let times = format!("{} to {}", from.strftime("%H:%M"), to.strftime("%H:%M"));
    match effect {
        Effect::Moved => format!("moved: the clocks in {zone} skip {times} that day"),
        Effect::Skipped => format!("none: the clocks in {zone} skip {times} that day"),
        Effect::First => format!("the first of two: the clocks in {zone} show {times} twice that day"),
        Effect::Second => format!("the second of two: the clocks in {zone} show {times} twice that day"),
        Effect::Once => format!("the first time only: the clocks in {zone} show {times} twice that day"),
    }
}

/// Rows of excluded slots for the same reason as one line: a night of minutes says no more than
/// that.
fn folded(lines: Vec<Line>, zone: &Zone) -> Vec<Line> {
    let mut rows: Vec<(Line, Slot, usize)> = Vec::new();
    for line in lines {
        match rows.last_mut() {
            Some((first, end, count)) if !line.is_slot && !first.is_slot && first.notes == line.notes => {
                (*end, *count) = (line.at, *count + 1);
            }
            _ => {
                let at = line.at;
                rows.push((line, at, 1));
            }
        }
    }
    let folded = rows.into_iter().map(|(mut line, end, count)| {
        if count > 1 {
            line.notes.push(format!("{count} of them until {}", shown(zone, end)));
        }
        line
    });
    folded.collect()
}

fn shown(zone: &Zone, slot: Slot) -> String {
    zone.shown_at(slot).strftime("%a %Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{End, lines, slots};
    use crate::plugin::check::Understood;
    use crate::time::{Context, Slot, Trigger};

    const CONTEXT: Context<'_> = Context { creation: Slot::from_unix_seconds(0), namespace: "default", name: "a" };

    fn understood(trigger: Value) -> Understood {
        let spec = serde_json::from_value(trigger).expect("a trigger");
        let trigger = Trigger::parse(&spec, &CONTEXT).expect("understood");
        Understood { spec, trigger }
    }

    fn told(trigger: Value, after: &str, count: usize) -> Vec<String> {
        let after = Slot::floor(after.parse().expect("an instant"));
        let understood = understood(trigger);
        let forecast = slots(&understood.trigger, after, count);
        let lines = lines(&understood, &CONTEXT, after, &forecast);
        let told = lines.iter().map(|it| {
            let sign = if it.is_slot { "+" } else { "-" };
            format!("{sign} {} {}", understood.trigger.in_words(it.at), it.notes.join("; ")).trim_end().to_owned()
        });
        told.collect()
    }

    #[test]
    fn excluded_slots_are_told_where_they_would_be_and_where_they_went() {
        let trigger = json!({
            "cron": "0 9 * * *",
            "exclude": [{"name": "holidays", "dates": ["2026-12-25", "2026-12-26"]}],
            "onExcluded": "NextDay",
        });
        let expected = [
            "+ 2026-12-24 09:00 UTC",
            "- 2026-12-25 09:00 UTC excluded by holidays, moved to Sun 2026-12-27 09:00; 2 of them until Sat 2026-12-26 09:00",
            "+ 2026-12-27 09:00 UTC moved here from Fri 2026-12-25 09:00, excluded by holidays; moved here from Sat 2026-12-26 09:00, excluded by holidays",
        ];
        assert_eq!(told(trigger.clone(), "2026-12-24T00:00:00Z", 2), expected);
        // What was moved from before the beginning is told, too.
        assert_eq!(told(trigger, "2026-12-26T12:00:00Z", 1), &expected[2..]);
    }

    #[test]
    fn a_row_of_excluded_slots_is_one_line() {
        let trigger = json!({"cron": "* * * * *", "exclude": [{"name": "night", "cron": "* 22-23 * * *"}]});
        let expected = [
            "+ 2026-12-24 21:59 UTC",
            "- 2026-12-24 22:00 UTC excluded by night; 120 of them until Thu 2026-12-24 23:59",
            "+ 2026-12-25 00:00 UTC",
        ];
        assert_eq!(told(trigger, "2026-12-24T21:58:00Z", 2), expected);
    }

    #[test]
    fn changes_of_the_clocks_are_told_where_they_matter() {
        let trigger = json!({"cron": "30 2 * * *", "timeZone": "Europe/Berlin"});
        let told_of = told(trigger.clone(), "2027-03-27T12:00:00Z", 1);
        let expected = ["+ 2027-03-28 03:00 CEST moved: the clocks in Europe/Berlin skip 02:00 to 03:00 that day"];
        assert_eq!(told_of, expected);
        let trigger = json!({"cron": "30 2 * * *", "timeZone": "Europe/Berlin", "daylightSaving": "WallClock"});
        let expected = [
            "- 2027-03-28 03:00 CEST none: the clocks in Europe/Berlin skip 02:00 to 03:00 that day",
            "+ 2027-03-29 02:30 CEST",
        ];
        assert_eq!(told(trigger, "2027-03-27T12:00:00Z", 1), expected);
    }

    #[test]
    fn the_end_says_whether_it_is_known() {
        let after = Slot::from_unix_seconds(0);
        let of = |trigger: Value, count| slots(&understood(trigger).trigger, after, count);
        assert_eq!(of(json!({"cron": "@daily"}), 3).end, End::Counted);
        let once = of(json!({"at": ["2026-12-24T00:00:00Z"]}), 3);
        assert_eq!((once.slots.len(), once.end), (1, End::Exhausted));
        let never = of(json!({"allOf": [{"cron": "0 3 * * *"}, {"cron": "0 4 * * *"}]}), 3);
        assert_eq!((never.slots.len(), never.end), (0, End::Exhausted));
    }
}
