//! A simulation for people: a row for each slot, and what else happened between them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::played::{Played, Told};
use crate::simulate::history::Fate;
use crate::time::{Slot, Zone};

/// So many neighbours that end alike are told one by one.
const TOLD_EACH: usize = 3;

/// The whole answer.
pub fn of(played: &Played<'_>, all: bool) -> String {
    let mut text = format!("{}\n", played.title);
    let assumed = if played.assumed.is_empty() { String::new() } else { format!("assumed: {}; ", played.assumed) };
    let _ = writeln!(text, "  {assumed}times in {}\n", played.zone.name());
    let rows = rows(played, all);
    if !rows.is_empty() {
        text.push_str(&in_columns(&rows));
        text.push('\n');
    }
    text.push_str(&totals(played));
    if let Some(stopped) = &played.stopped {
        let _ = writeln!(text, "{stopped}");
    }
    for difference in played.differences {
        let _ = write!(text, "\n{difference}");
    }
    text
}

/// A line of the answer.
enum Row {
    Cells([String; 6], String),
    Line(String, String),
}

fn rows(played: &Played<'_>, all: bool) -> Vec<Row> {
    let mut rows =
        vec![Row::Cells(["SLOT", "OUTCOME", "START", "END", "ACTIVE", "WAITING"].map(str::to_owned), "WHY".into())];
    let mut happenings = played.history().happenings.iter().peekable();
    let mut alike: Vec<Told<'_>> = Vec::new();
    for told in played.slots() {
        let is_first = |at: Timestamp| Slot::ceil(at) <= told.first;
        let is_like = alike.last().is_some_and(|before| are_alike(before, &told));
        let happens = happenings.peek().is_some_and(|(at, _)| is_first(*at));
        if all || happens || !is_like {
            tell(&mut rows, &mut alike, played.zone);
        }
        while let Some((at, what)) = happenings.next_if(|(at, _)| is_first(*at)) {
            rows.push(Row::Line(shown(played.zone, Slot::ceil(*at)), what.clone()));
        }
        alike.push(told);
    }
    tell(&mut rows, &mut alike, played.zone);
    rows.extend(happenings.map(|(at, what)| Row::Line(shown(played.zone, Slot::ceil(*at)), what.clone())));
    if rows.len() == 1 { Vec::new() } else { rows }
}

/// Whether one line may tell of both: only how long their runs took differs.
fn are_alike(a: &Told<'_>, b: &Told<'_>) -> bool {
    (a.outcome(), a.why(), a.decided.active, a.decided.waiting)
        == (b.outcome(), b.why(), b.decided.active, b.decided.waiting)
        && a.first == a.last
        && b.first == b.last
        && a.run.is_none_or(|run| run.end.is_some())
}

/// Tells of neighbours that are alike.
fn tell(rows: &mut Vec<Row>, alike: &mut Vec<Told<'_>>, zone: &Zone) {
    let alike = std::mem::take(alike);
    if alike.len() <= TOLD_EACH {
        rows.extend(alike.iter().map(|told| cells(told, zone)));
    } else if let [first, between @ .., last] = alike.as_slice() {
        rows.push(cells(first, zone));
        rows.push(Row::Line("…".into(), format!("{} more that end alike", between.len())));
        rows.push(cells(last, zone));
    }
}

fn cells(told: &Told<'_>, zone: &Zone) -> Row {
    let decided = told.decided;
    let mut slot = shown(zone, told.first);
    if told.first != told.last {
        let count = decided.count.map_or_else(|| "any".to_owned(), |count| count.to_string());
        let _ = write!(slot, " to {} ({count})", after(zone, told.last, told.first));
    }
    let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| after(zone, Slot::floor(at), told.first));
    let start = time(told.run.map(|run| run.started));
    let end = time(told.run.and_then(|run| Some(run.end.as_ref()?.at)));
    let mut why = told.why();
    if let Fate::Settled { into: Some(into), .. } = &decided.fate {
        let _ = write!(why, " (that of {})", after(zone, *into, told.first));
    }
    Row::Cells([slot, told.outcome(), start, end, decided.active.to_string(), decided.waiting.to_string()], why)
}

/// A time with its date.
fn shown(zone: &Zone, at: Slot) -> String {
    let clock = zone.shown_at(at);
    let seconds = if clock.second() == 0 { "" } else { ":%S" };
    clock.strftime(&format!("%Y-%m-%d %H:%M{seconds}")).to_string()
}

/// A time, with its date where that is not the date of another.
fn after(zone: &Zone, at: Slot, other: Slot) -> String {
    let text = shown(zone, at);
    if zone.shown_at(at).date() != zone.shown_at(other).date() {
        return text;
    }
    text.split_once(' ').map_or(text.clone(), |(_, time)| time.to_owned())
}

fn in_columns(rows: &[Row]) -> String {
    let mut widths = [0; 6];
    for row in rows {
        if let Row::Cells(cells, _) = row {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        let line = match row {
            Row::Cells(cells, why) => {
                let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}  "));
                padded.collect::<String>() + why
            }
            Row::Line(at, what) => format!("{at:width$}  {what}", width = widths[0]),
        };
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn totals(played: &Played<'_>) -> String {
    let history = played.history();
    let listed = |totals: &BTreeMap<String, u64>| {
        totals.iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
    };
    let line = |what: &str, totals: BTreeMap<String, u64>| {
        let count: u64 = totals.values().sum();
        let plural = if count == 1 { "" } else { "s" };
        let listed = if totals.is_empty() { String::new() } else { format!(": {}", listed(&totals)) };
        format!("{count} {what}{plural}{listed}\n")
    };
    let until = shown(played.zone, Slot::floor(played.world.cluster.now));
    format!(
        "{}{}at most {} active and {} waiting at once, up to {until}\n",
        line("slot", played.slot_totals()),
        line("run", played.run_totals()),
        history.most_active,
        history.most_waiting,
    )
}
