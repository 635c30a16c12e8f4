//! `next`: when will it run?

use std::fmt::Write as _;
use std::io;

use serde::Serialize;

use super::check::{self, Understood};
use super::clock_changes::members;
use super::forecast::{self, End, Forecast, Line};
use super::manifests::Document;
use super::source::Source;
use super::surprises::starts_at_creation;
use super::{Output, Status, Surroundings};
use crate::api::{Duration, ScheduleSpec};
use crate::report::pauses;
use crate::time::{Context, Slot, Zone, parse_instant};

/// More slots than anybody reads.
const MAX_COUNT: u64 = 10_000;

/// Print the slots to come.
#[derive(clap::Args, Debug)]
pub struct Next {
    #[command(flatten)]
    source: Source,
    /// Print the slots strictly later than this instant in RFC 3339, such as 2026-12-24T18:00:00Z.
    /// Default: now.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    after: Option<Slot>,
    /// How many slots to print.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=MAX_COUNT))]
    count: u64,
    /// Show times in this time zone, such as Europe/Berlin. Default: the trigger's own.
    #[arg(long, value_parser = zone)]
    zone: Option<Zone>,
    /// text for people, or json: one object a Schedule, each on its line.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

fn instant(text: &str) -> Result<Slot, String> {
    parse_instant("it", text).map_err(|error| error.to_string())?;
    // Slots are whole seconds: those later than half past one are those later than one.
    text.parse().map(Slot::floor).map_err(|error: jiff::Error| error.to_string())
}

fn zone(text: &str) -> Result<Zone, String> {
    let without_field =
        |error: String| error.replacen("spec.trigger.timeZone ", "", 1).replace(", or no timeZone for UTC", "");
    Zone::parse(Some(text)).map_err(|error| without_field(error.to_string()))
}

impl Next {
    /// Answers for each Schedule on its own.
    ///
    /// # Errors
    ///
    /// When the answer cannot be written.
    pub fn run(&self, surroundings: &mut Surroundings<'_>) -> io::Result<Status> {
        let now = surroundings.now;
        self.source.answer_each(surroundings, self.output, Status::Problems, |document| {
            let context = self.source.context(document, self.after.unwrap_or(now));
            let understood = check::trigger(document, &context)?;
            Ok(self.answer(document, &understood, &context, now))
        })
    }

    fn answer(&self, document: &Document, understood: &Understood, context: &Context<'_>, now: Slot) -> String {
        let after = self.after.unwrap_or(now);
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let forecast = forecast::slots(&understood.trigger, after, count);
        match self.output {
            Output::Json => as_json(document, &forecast),
            Output::Text => {
                let zone = self.zone.as_ref().unwrap_or(understood.trigger.zone());
                let lines = forecast::lines(understood, context, after, &forecast);
                let mut text = headline(document, understood, context);
                text.push_str(&table(&lines, zone, now, document.creation()));
                text.push_str(&ending(&forecast, after, zone));
                text
            }
        }
    }
}

/// What programs are told of a Schedule.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    name: &'a str,
    slots: Vec<String>,
    /// There are fewer slots than asked for. This is proved.
    exhausted: bool,
    /// Where the search for more was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    none_up_to: Option<String>,
}

fn as_json(document: &Document, forecast: &Forecast) -> String {
    let instant = |slot: &Slot| slot.timestamp().to_string();
    let answer = Answer {
        name: document.name(),
        slots: forecast.slots.iter().map(instant).collect(),
        exhausted: forecast.end == End::Exhausted,
        none_up_to: if let End::NoneUpTo(up_to) = &forecast.end { Some(instant(up_to)) } else { None },
    };
    serde_json::to_string(&answer).unwrap_or_default() + "\n"
}

fn headline(document: &Document, understood: &Understood, context: &Context<'_>) -> String {
    let mut text = format!("{}: {}\n", document.title(), understood.trigger.words());
    for sentence in hindrances(document) {
        let _ = writeln!(text, "  {sentence}");
    }
    let counted = members(&understood.spec).find_map(|it| starts_at_creation(&it));
    if let Some(field) = counted.filter(|_| document.creation().is_none()) {
        let created = context.creation.timestamp();
        let _ = writeln!(text, "  {field} counts from the creation: this is as if it were created at {created}");
    }
    let spread = members(&understood.spec).any(|it| it.cron.is_some_and(|cron| has_spread(&cron)));
    if spread && document.namespace().is_none() {
        let _ = writeln!(
            text,
            "  H depends on the namespace, which is not given: taken to be {}, or choose with -n",
            context.namespace
        );
    }
    text
}

/// What keeps slots from starting: as the operator has recorded it, or else as the manifest says.
fn hindrances(document: &Document) -> Vec<String> {
    let written = &document.object["spec"];
    let Ok(Some(status)) = document.status() else {
        let until = written["pauseUntil"].as_str().map(|it| format!(" up to {it}, if that is still to come"));
        let sentence = format!("it is paused: none of these starts{}", until.as_deref().unwrap_or(" until that ends"));
        return (written["paused"] == true).then_some(sentence).into_iter().collect();
    };
    let spec: Option<ScheduleSpec> = serde_json::from_value(written.clone()).ok();
    let pauses = status.pauses.iter().map(|it| format!("it is paused: {}", pauses::in_words(it, spec.as_ref())));
    let complete = "maxRuns is reached: none of these starts unless it is raised";
    pauses.chain(status.max_runs_reached.map(|_| complete.to_owned())).collect()
}

/// Whether a text has an `H`, which stands for a number that depends on the name; `THU` and `MARCH`
/// have none.
fn has_spread(cron: &str) -> bool {
    let mut fields = cron.split_whitespace().flat_map(|field| field.split(','));
    !cron.starts_with('@') && fields.any(|it| it.starts_with(['H', 'h']))
}

fn table(lines: &[Line], zone: &Zone, now: Slot, creation: Option<Slot>) -> String {
    let with_seconds = lines.iter().any(|it| zone.shown_at(it.at).second() != 0);
    let format = if with_seconds { "%a %Y-%m-%d %H:%M:%S" } else { "%a %Y-%m-%d %H:%M" };
    let mut text = String::new();
    for line in lines {
        let name = zone.abbreviation(line.at);
        // Where a zone has no names for its times, the abbreviation is the offset once more.
        let name = if name.starts_with(['+', '-']) { "" } else { &name };
        let mut notes = line.notes.join("; ");
        if line.is_slot && creation.is_some_and(|creation| line.at <= creation) {
            notes = format!("before its creation: never starts; {notes}").trim_end_matches("; ").to_owned();
        }
        let distance = if line.is_slot { distance(line.at, now) } else { "-".to_owned() };
        let shown = zone.shown_at(line.at).strftime(format);
        let row = format!("  {shown} {} {name:<5} {distance:<12} {notes}", zone.offset(line.at));
        let _ = writeln!(text, "{}", row.trim_end());
    }
    text
}

/// How far away a slot is, in its two largest units.
fn distance(slot: Slot, now: Slot) -> String {
    let seconds = slot.unix_seconds().saturating_sub(now.unix_seconds());
    let length = seconds.unsigned_abs();
    let unit = match length {
        0..3_600 => 1,
        3_600..86_400 => 60,
        86_400..864_000 => 3_600,
        _ => 86_400,
    };
    let text = in_days(length / unit * unit);
    if seconds < 0 { format!("{text} ago") } else { format!("in {text}") }
}

fn in_days(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, Duration::from_seconds(seconds % 86_400));
    match (days, rest.seconds()) {
        (0, _) => rest.to_string(),
        (days, 0) => format!("{days}d"),
        (days, _) => format!("{days}d{rest}"),
    }
}

fn ending(forecast: &Forecast, after: Slot, zone: &Zone) -> String {
    let shown = |slot: Slot| zone.shown_at(slot).strftime("%Y-%m-%d %H:%M");
    match (forecast.end, forecast.slots.is_empty()) {
        (End::Counted, _) => String::new(),
        (End::Exhausted, true) => {
            format!("  no slot after {} {}: there will never be one\n", shown(after), zone.name())
        }
        (End::Exhausted, false) => "  no more slots: there will never be another one\n".to_owned(),
        (End::NoneUpTo(up_to), _) => {
            let (up_to, zone) = (shown(up_to), zone.name());
            format!(
                "  no more slots up to {up_to} {zone}; whether there is one later would take too long to find out\n"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Slot, distance, has_spread, instant, zone};

    #[test]
    fn distances_are_in_the_units_that_matter() {
        for (seconds, expected) in [
            (0, "in 0s"),
            (59, "in 59s"),
            (90, "in 1m30s"),
            (31_530, "in 8h45m"),
            (90_061, "in 1d1h"),
            (7 * 86_400, "in 7d"),
            (40 * 86_400 + 5_000, "in 40d"),
            (-90, "1m30s ago"),
        ] {
            let now = Slot::from_unix_seconds(1_000_000);
            assert_eq!(distance(now.plus_seconds(seconds), now), expected);
        }
    }

    #[test]
    fn h_is_told_from_the_names_of_days_and_months() {
        for (cron, expected) in
            [("H 2 * * *", true), ("5,h(0-29) * * * *", true), ("0 0 * MAR THU", false), ("@hourly", false)]
        {
            assert_eq!(has_spread(cron), expected, "{cron}");
        }
    }

    #[test]
    fn arguments_that_make_no_sense_are_refused_with_an_example() {
        assert!(instant("tomorrow").expect_err("refused").contains("such as 2026-12-24T18:00:00Z"));
        assert_eq!(instant("1970-01-01T00:00:01.5Z"), Ok(Slot::from_unix_seconds(1)));
        let error = zone("Europe/Berln").expect_err("refused");
        assert!(error.contains("did you mean Europe/Berlin?") && !error.contains("spec."), "{error}");
    }
}
