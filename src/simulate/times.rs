//! Times as stories write them: `10:05` and `10:05:30` on the story's date, `06-02 10:05` in its
//! year, or RFC 3339. All in UTC.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Reads and shows times the way one story does.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    date: Date,
}

impl Times {
    /// Times without a date are on this one.
    pub fn on(date: &str) -> Result<Self, String> {
        let date = date.parse().map_err(|error| format!("given.date {date:?}: {error}"))?;
        Ok(Self { date })
    }

    /// A time as a story writes it.
    pub fn read(&self, text: &str) -> Result<Timestamp, String> {
        if let Ok(timestamp) = text.parse::<Timestamp>() {
            return Ok(timestamp);
        }
        let full = match text.split_once(' ') {
            Some((day, time)) => format!("{:04}-{day}T{time}", self.date.year()),
            None => format!("{}T{text}", self.date),
        };
        let civil: DateTime = full.parse().map_err(|error| format!("no time: {text:?} ({error})"))?;
        Ok(civil.to_zoned(TimeZone::UTC).map_err(|error| error.to_string())?.timestamp())
    }

    /// A time as a story writes it, as short as it can be.
    pub fn show(&self, timestamp: Timestamp) -> String {
        let civil = timestamp.to_zoned(TimeZone::UTC).datetime();
        if civil.date().year() != self.date.year() {
            return timestamp.to_string();
        }
        let time = if civil.second() == 0 { "%H:%M" } else { "%H:%M:%S" };
        let day = if civil.date() == self.date { String::new() } else { civil.strftime("%m-%d ").to_string() };
        format!("{day}{}", civil.strftime(time))
    }
}
