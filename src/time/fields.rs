//! Wall-clock times by named fields, all of which must match.

mod element;

use super::days::{DayRule, Days, Matching, Years};
use super::error::TriggerError;
use super::sets::{at_or_below, bit};
use super::wall::{Pattern, Times};
use crate::api::spec::{self, NumberOrText};
use element::Kind;

/// Where the fields stand in a Schedule.
const PATH: &str = "spec.trigger.fields";

/// The times that fields name.
pub(super) struct Named {
    pub(super) pattern: Pattern,
    /// The hour is open: the trigger is about hours passing, not about times of a day.
    pub(super) by_the_hour: bool,
}

/// What a field that is not given stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Absent {
    /// All it could be.
    Open,
    /// The least it could be: a larger field is given, and no smaller one.
    Least,
}

/// Reads all fields, and tells of every one that cannot be understood.
pub(super) fn parse(fields: &spec::Fields) -> Result<Named, Vec<TriggerError>> {
    let spec::Fields { year, month, day, week, day_of_week, hour, minute, second } = fields;
    let by_size = [year, month, day, week, day_of_week, hour, minute, second];
    let Some(smallest) = by_size.iter().rposition(|field| field.is_some()) else {
        let problem = "has no field; expected one of year, month, day, week, dayOfWeek, hour, minute and second";
        return Err(vec![TriggerError::invalid(PATH, problem)]);
    };
    let absent = |index: usize| if index > smallest { Absent::Least } else { Absent::Open };
    let mut errors = Vec::new();
    let mut numbers = |index: usize, kind: &Kind| match by_size[index] {
        Some(value) => read(kind, value, |text| element::numbers(kind, text), &mut errors),
        None if absent(index) == Absent::Least => bit(i8::try_from(kind.min).unwrap_or(0)),
        None => kind.all(),
    };
    let months = numbers(1, &element::MONTH);
    let weeks = week.is_some().then(|| numbers(3, &element::WEEK));
    let times = Times {
        hours: numbers(5, &element::HOUR),
        minutes: numbers(6, &element::MINUTE),
        seconds: numbers(7, &element::SECOND),
    };
    let years = year.as_ref().map_or(Years::Any, |year| {
        let mut years = Years::none();
        for ranges in read(&element::YEAR, year, element::years, &mut errors) {
            ranges.for_each(|year| years.add(year));
        }
        years
    });
    let of_month = match day {
        Some(value) => read(&element::DAY, value, element::days, &mut errors),
        None if absent(2) == Absent::Least => DayRule { numbers: bit(1), ..DayRule::default() },
        None => DayRule::every(),
    };
    let of_week = match day_of_week {
        Some(value) => read(&element::DAY_OF_WEEK, value, element::weekdays, &mut errors),
        None => at_or_below(6),
    };
    let of_week = DayRule { weekdays: of_week, ..DayRule::default() };
    if !errors.is_empty() {
        return Err(errors);
    }
    let days = Days::new(years, months, weeks, (of_month, of_week), Matching::Both);
    let by_the_hour = hour.as_ref().map_or(absent(5) == Absent::Open, is_open);
    Ok(Named { pattern: Pattern { days, times }, by_the_hour })
}

/// Reads one field, and keeps the error if there is one.
fn read<T: Default>(
    kind: &Kind,
    value: &NumberOrText,
    read: impl FnOnce(&str) -> Result<T, (usize, String)>,
    errors: &mut Vec<TriggerError>,
) -> T {
    let text = match value {
        NumberOrText::Number(number) => number.to_string(),
        NumberOrText::Text(text) => text.clone(),
    };
    read(&text).unwrap_or_else(|(column, problem)| {
        let error = TriggerError::invalid(format!("{PATH}.{}", kind.name), problem);
        errors.push(if column == 1 { error } else { error.at(&format!("column {column}")) });
        T::default()
    })
}

/// `*` or a step over it.
fn is_open(hour: &NumberOrText) -> bool {
    match hour {
        NumberOrText::Number(_) => false,
        NumberOrText::Text(text) => text.trim().split('/').next() == Some("*") && !text.contains(','),
    }
}
