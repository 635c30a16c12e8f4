//! The text of a crontab, in the dialect of a Kubernetes CronJob and with a little more.

mod every;
mod field;
mod hash;
mod special;

use super::days::{DayRule, Days, Matching, Years};
use super::error::{TriggerError, quote};
use super::wall::{Pattern, Times};
use field::{DAY_OF_MONTH, DAY_OF_WEEK, Field, HOUR, MINUTE, MONTH, SECOND};
pub(super) use hash::Spread;

/// Where the text stands in a Schedule.
const PATH: &str = "spec.trigger.cron";
/// As long as the resource's schema admits.
const MAX_CHARS: usize = 256;

/// What a text asks for.
pub(super) enum Cron {
    /// Wall-clock times.
    Named {
        pattern: Box<Pattern>,
        /// The hour is open: the trigger is about hours passing, not about times of a day.
        by_the_hour: bool,
        /// There is a field for seconds.
        has_seconds: bool,
    },
    /// Elapsed time.
    Every { seconds: i64 },
}

/// Reads a text of five or six fields, or a macro.
pub(super) fn parse(text: &str, spread: &Spread<'_>) -> Result<Cron, TriggerError> {
    if text.chars().count() > MAX_CHARS {
        return Err(TriggerError::invalid(PATH, format!("is longer than {MAX_CHARS} characters")));
    }
    let start = text.trim_start();
    if start.starts_with("TZ=") || start.starts_with("CRON_TZ=") {
        return Err(zone_inside(text, start));
    }
    if start.starts_with('@') {
        return parse_macro(text, spread);
    }
    parse_fields(text, spread)
}

fn parse_macro(text: &str, spread: &Spread<'_>) -> Result<Cron, TriggerError> {
    if let Some(length) = text.strip_prefix("@every ") {
        return every::parse(length).map(|seconds| Cron::Every { seconds });
    }
    if let Some(fields) = fields_of_macro(text) {
        return parse_fields(fields, spread);
    }
    let likely = text.trim().to_ascii_lowercase();
    let problem = match fields_of_macro(&likely) {
        Some(_) => format!("is {}; write it as {likely}, in lower case and without spaces", quote(text)),
        None => format!(
            "is {}; expected one of @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly, \
             or @every and a length of time, such as @every 1h30m",
            quote(text)
        ),
    };
    Err(TriggerError::invalid(PATH, problem))
}

/// The five fields a macro stands for.
fn fields_of_macro(name: &str) -> Option<&'static str> {
    match name {
        "@yearly" | "@annually" => Some("0 0 1 1 *"),
        "@monthly" => Some("0 0 1 * *"),
        "@weekly" => Some("0 0 * * 0"),
        "@daily" | "@midnight" => Some("0 0 * * *"),
        "@hourly" => Some("0 * * * *"),
        _ => None,
    }
}

fn parse_fields(text: &str, spread: &Spread<'_>) -> Result<Cron, TriggerError> {
    const EXPECTED: &str = "expected five: minute, hour, day of month, month, day of week (or six: second first)";
    let fields = split(text);
    let (second, [minute, hour, day_of_month, month, day_of_week]) = match fields[..] {
        [minute, hour, day_of_month, month, day_of_week] => (None, [minute, hour, day_of_month, month, day_of_week]),
        [second, minute, hour, day_of_month, month, day_of_week] => {
            (Some(second), [minute, hour, day_of_month, month, day_of_week])
        }
        _ => {
            let found = match fields.len() {
                0 => "no fields".to_owned(),
                1 => "one field".to_owned(),
                more => format!("{more} fields"),
            };
            return Err(TriggerError::invalid(PATH, format!("has {found}; {EXPECTED}")));
        }
    };
    let seconds = second.map_or(Ok(1), |second| Field::parse(&SECOND, second, spread).map(|it| it.numbers))?;
    let minute = Field::parse(&MINUTE, minute, spread)?;
    let hour = Field::parse(&HOUR, hour, spread)?;
    let day_of_month = Field::parse(&DAY_OF_MONTH, day_of_month, spread)?;
    let month = Field::parse(&MONTH, month, spread)?;
    let day_of_week = Field::parse(&DAY_OF_WEEK, day_of_week, spread)?;
    let has_star = day_of_month.has_star || day_of_week.has_star;
    let days = (
        DayRule { numbers: day_of_month.numbers, ..day_of_month.days },
        DayRule { weekdays: day_of_week.numbers, ..day_of_week.days },
    );
    let matching = if has_star { Matching::Both } else { Matching::Either };
    let pattern = Pattern {
        days: Days::new(Years::Any, month.numbers, None, days, matching),
        times: Times { hours: hour.numbers, minutes: minute.numbers, seconds },
    };
    Ok(Cron::Named { pattern: Box::new(pattern), by_the_hour: hour.is_open, has_seconds: second.is_some() })
}

/// The fields of a text, each with the column of its first character, counted from 1.
fn split(text: &str) -> Vec<(usize, &str)> {
    let mut fields = Vec::new();
    let mut rest = text;
    let mut column = 1;
    while let Some(start) = rest.find(|it: char| !it.is_whitespace()) {
        column += rest[..start].chars().count();
        rest = &rest[start..];
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        fields.push((column, &rest[..end]));
        column += rest[..end].chars().count();
        rest = &rest[end..];
    }
    fields
}

fn zone_inside(text: &str, start: &str) -> TriggerError {
    let column = text.chars().count() - start.chars().count() + 1;
    let setting = quote(start.split_whitespace().next().unwrap_or(start));
    let problem =
        format!("has {setting}, but a time zone inside the text is not supported; use spec.trigger.timeZone instead");
    TriggerError::invalid(PATH, problem).at(&format!("column {column}"))
}
