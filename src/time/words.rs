//! Triggers and slots as people read them, in the columns of `kubectl get`.

mod pattern;

use super::Slot;
use super::rule::Rule;
use super::zone::Zone;
use crate::api::spec::{self, NumberOrText};

/// As wide as the column of a table may get.
const MAX_CHARS: usize = 60;

/// A trigger in a few words.
pub(super) fn describe(spec: &spec::Trigger, rule: &Rule, zone: &Zone) -> String {
    let simple = spec::SimpleTrigger::from(spec);
    let zone_name =
        if has_wall_clock(spec) && zone.name() != "UTC" { format!(", {}", zone.name()) } else { String::new() };
    let exclusions = if spec.exclude.is_some() { " with exceptions" } else { "" };
    let room = MAX_CHARS.saturating_sub(zone_name.chars().count() + exclusions.len());
    let words = match (&spec.any_of, &spec.all_of) {
        (Some(members), _) => joined(members, " or ", "any", room, zone),
        (_, Some(members)) => joined(members, " and also ", "all", room, zone),
        _ => of_simple(&simple, rule, zone, room),
    };
    format!("{words}{exclusions}{zone_name}")
}

fn has_wall_clock(spec: &spec::Trigger) -> bool {
    spec.interval.is_none()
        && spec.at.is_none()
        && spec.at_local.is_none()
        && !spec.cron.as_deref().is_some_and(is_every)
}

fn is_every(cron: &str) -> bool {
    cron.starts_with("@every")
}

/// All members, or how many there are.
fn joined(members: &[spec::SimpleTrigger], and: &str, how_many: &str, room: usize, zone: &Zone) -> String {
    let count = members.len();
    let counted = if count == 1 { "one trigger".to_owned() } else { format!("{how_many} of {count} triggers") };
    // What a member has of its own does not fit into a few words.
    let is_plain = |member: &spec::SimpleTrigger| member.cron.is_some() && member.time_zone.is_none();
    if !members.iter().all(is_plain) {
        return counted;
    }
    let described = members.iter().map(|member| {
        let text = member.cron.as_deref().unwrap_or_default();
        let spread = super::cron::Spread { namespace: "", name: "" };
        match super::cron::parse(text, &spread) {
            Ok(super::cron::Cron::Named { pattern, .. }) if !text.contains(['H', 'h']) => pattern::describe(&pattern),
            _ => None,
        }
    });
    let described: Option<Vec<String>> = described.collect();
    let words = described.map(|it| it.join(and)).filter(|it| it.chars().count() <= room);
    let _ = zone;
    words.unwrap_or(counted)
}

fn of_simple(spec: &spec::SimpleTrigger, rule: &Rule, zone: &Zone, room: usize) -> String {
    if let Rule::Recurring(recurring) = rule
        && let Some(words) = pattern::describe(recurring.pattern()).filter(|it| it.chars().count() <= room)
    {
        return words;
    }
    if let Some(cron) = &spec.cron {
        return shorten(&cron.split_whitespace().collect::<Vec<_>>().join(" "), room);
    }
    if let Some(fields) = &spec.fields {
        return shorten(&of_fields(fields), room);
    }
    if let Some(calendar) = &spec.calendar {
        return shorten(&of_calendar(calendar), room);
    }
    match rule {
        Rule::Instants(instants) => match instants.slots() {
            [slot] => format!("at {}", instant(*slot, zone)),
            slots => format!("at {} instants", slots.len()),
        },
        _ => {
            let every = spec.interval.as_ref().map_or("", |interval| &interval.every);
            format!("every {every}")
        }
    }
}

/// Fields as they were written, the largest first.
fn of_fields(fields: &spec::Fields) -> String {
    let spec::Fields { year, month, day, week, day_of_week, hour, minute, second } = fields;
    let by_size = [
        ("year", year),
        ("month", month),
        ("week", week),
        ("day", day),
        ("dayOfWeek", day_of_week),
        ("hour", hour),
        ("minute", minute),
        ("second", second),
    ];
    let given = by_size.iter().filter_map(|(name, value)| {
        value.as_ref().map(|value| match value {
            NumberOrText::Number(number) => format!("{name} {number}"),
            NumberOrText::Text(text) => format!("{name} {text}"),
        })
    });
    given.collect::<Vec<_>>().join(", ")
}

fn of_calendar(calendar: &spec::Calendar) -> String {
    let spec::Calendar { years, months, weeks, days, time_of_day, .. } = calendar;
    let units = [(years, "year"), (months, "month"), (weeks, "week"), (days, "day")];
    let units: Vec<(i32, &str)> = units.iter().filter_map(|(count, unit)| count.map(|count| (count, *unit))).collect();
    let every = match units[..] {
        [(1, unit)] => unit.to_owned(),
        _ => {
            let counted = |(count, unit): &(i32, &str)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" });
            units.iter().map(counted).collect::<Vec<_>>().join(" and ")
        }
    };
    format!("every {every} at {}", time_of_day.as_deref().unwrap_or("00:00"))
}

/// An instant as the clock in a zone shows it, without seconds on a full minute.
pub(super) fn instant(slot: Slot, zone: &Zone) -> String {
    let shown = zone.shown_at(slot);
    let time = match shown.second() {
        0 => shown.strftime("%H:%M"),
        _ => shown.strftime("%H:%M:%S"),
    };
    format!("{} {time} {}", shown.date(), zone.abbreviation(slot))
}

fn shorten(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let start: String = text.chars().take(max_chars.saturating_sub(1)).collect();
    format!("{}…", start.trim_end())
}
