//! When a Schedule runs.

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// When to run: exactly one of cron, fields, interval, calendar, at, atLocal, anyOf and allOf.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.cron), has(self.fields), has(self.interval), has(self.calendar), has(self.at), has(self.atLocal), has(self.anyOf), has(self.allOf)].exists_one(it, it)")
        .message("a trigger has exactly one of cron, fields, interval, calendar, at, atLocal, anyOf and allOf"),
    validation = Rule::new("!has(self.notBefore) || !has(self.notAfter) || self.notBefore <= self.notAfter")
        .message("notAfter must not be before notBefore"),
    validation = Rule::new("!has(self.onExcluded) || has(self.exclude)")
        .message("onExcluded says what becomes of an excluded slot; it needs exclude")
)]
pub struct Trigger {
    /// Five fields (minute, hour, day of month, month, day of week) or a macro such as
    /// "@daily", as in a CronJob. Also six fields with seconds first, L, L-n, LW, nW, d#n, dL
    /// and H.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub cron: Option<String>,

    /// Wall-clock times by named fields, all of which must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,

    /// Every so much elapsed time, whatever the clocks on the wall do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,

    /// The same wall-clock time every so many days, weeks, months or years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<Calendar>,

    /// At these instants, in RFC 3339. Those at or before the Schedule's creation never start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instants")]
    pub at: Option<Vec<String>>,

    /// At these wall-clock times in the time zone, such as 2026-12-24T18:00:00. Those at or
    /// before the Schedule's creation never start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "local_times")]
    pub at_local: Option<Vec<String>>,

    /// The slots of any of these triggers. Equal instants are one slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 10))]
    pub any_of: Option<Vec<SimpleTrigger>>,

    /// The instants at which all of these triggers have a slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 10))]
    pub all_of: Option<Vec<SimpleTrigger>>,

    /// The IANA time zone, such as Europe/Berlin: cron, fields, calendar, atLocal and exclude
    /// mean wall-clock time there, and status shows times there. Members of anyOf and allOf
    /// inherit it. Default: UTC, never the host's zone. It does not set the zone inside
    /// containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,

    /// What happens to wall-clock times that a change of the clocks skips or repeats. Members
    /// of anyOf and allOf inherit it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daylight_saving: Option<DaylightSaving>,

    /// No slot before this instant, in RFC 3339. A slot at it is one. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instant")]
    pub not_before: Option<String>,

    /// No slot after this instant, in RFC 3339. A slot at it is one. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instant")]
    pub not_after: Option<String>,

    /// Times at which nothing runs, each with a name, such as holidays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub exclude: Option<Vec<Exclusion>>,

    /// What becomes of a slot that falls into exclude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_excluded: Option<OnExcluded>,
}

/// One trigger of anyOf or allOf.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.cron), has(self.fields), has(self.interval), has(self.calendar), has(self.at), has(self.atLocal)].exists_one(it, it)")
        .message("a trigger within anyOf or allOf has exactly one of cron, fields, interval, calendar, at and atLocal"),
    validation = Rule::new("!has(self.notBefore) || !has(self.notAfter) || self.notBefore <= self.notAfter")
        .message("notAfter must not be before notBefore")
)]
pub struct SimpleTrigger {
    /// As in the trigger itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub cron: Option<String>,

    /// As in the trigger itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,

    /// As in the trigger itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,

    /// As in the trigger itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<Calendar>,

    /// As in the trigger itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instants")]
    pub at: Option<Vec<String>>,

    /// As in the trigger itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "local_times")]
    pub at_local: Option<Vec<String>>,

    /// The IANA time zone. Default: that of the trigger it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,

    /// What happens to skipped and repeated times. Default: that of the trigger it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daylight_saving: Option<DaylightSaving>,

    /// As in the trigger itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instant")]
    pub not_before: Option<String>,

    /// As in the trigger itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instant")]
    pub not_after: Option<String>,
}

/// Wall-clock times by named fields, all of which must match: numbers, "*", "*/n", "n/m", "a-b",
/// "a-b/n" and lists of them. Fields below the smallest one given take their minimum, week and
/// dayOfWeek excepted; the others are open.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.year) || has(self.month) || has(self.day) || has(self.week) || has(self.dayOfWeek) || has(self.hour) || has(self.minute) || has(self.second)")
        .message("fields needs at least one of year, month, day, week, dayOfWeek, hour, minute and second")
)]
pub struct Fields {
    /// 1970 to 9999.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<NumberOrText>,
    /// 1 to 12, or jan to dec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<NumberOrText>,
    /// 1 to 31, last, or a weekday of the month such as "2nd tue" or "last fri".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<NumberOrText>,
    /// The week of the year as in ISO 8601, 1 to 53.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub week: Option<NumberOrText>,
    /// 0 to 7 (0 and 7 are Sunday), or sun to sat. "*/n" counts from Monday.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_of_week: Option<NumberOrText>,
    /// 0 to 23.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<NumberOrText>,
    /// 0 to 59.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minute: Option<NumberOrText>,
    /// 0 to 59.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<NumberOrText>,
}

/// A number, or a text that names several.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(untagged)]
pub enum NumberOrText {
    /// Written without quotes.
    Number(i64),
    /// Written as a text.
    Text(String),
}

/// Every so much elapsed time.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Interval {
    /// The time from one slot to the next, in hours, minutes and seconds; at least 1s.
    #[schemars(schema_with = "interval_length")]
    pub every: String,

    /// The first slot, in RFC 3339. Default: creation plus every, so that re-creating the
    /// Schedule shifts its slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instant")]
    pub start_time: Option<String>,
}

/// The same wall-clock time every so many calendar units: the sum of all units given. A date
/// that does not exist (31 April) is skipped.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.years) || has(self.months) || has(self.weeks) || has(self.days)")
        .message("calendar needs at least one of years, months, weeks and days")
)]
pub struct Calendar {
    /// So many years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub years: Option<i32>,
    /// So many months.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1200))]
    pub months: Option<i32>,
    /// So many weeks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 5200))]
    pub weeks: Option<i32>,
    /// So many days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 36500))]
    pub days: Option<i32>,
    /// The time of day, such as 09:30 or 09:30:15. Default: 00:00.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time_of_day")]
    pub time_of_day: Option<String>,
    /// The first date, such as 2026-12-24. Default: the Schedule's creation date in the time
    /// zone, so that re-creating the Schedule shifts its slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "date")]
    pub start_date: Option<String>,
}

/// Times at which nothing runs: dates, a span of time, or the minutes a cron text matches.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.dates), has(self.from) || has(self.to), has(self.cron)].exists_one(it, it)")
        .message("an exclusion has exactly one of dates, from with to, and cron"),
    validation = Rule::new("has(self.from) == has(self.to)").message("from and to belong together"),
    validation = Rule::new("!has(self.from) || !has(self.to) || self.from < self.to")
        .message("to must be after from; to itself is not excluded")
)]
pub struct Exclusion {
    /// What it is called, for people and for server-side apply.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,

    /// Whole days in the time zone, such as 2026-12-24.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "dates")]
    pub dates: Option<Vec<String>>,

    /// From this instant on, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instant")]
    pub from: Option<String>,

    /// Until just before this instant, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instant")]
    pub to: Option<String>,

    /// Every minute at which this cron text of five fields, or macro, has a slot: "* 22-23 * * *" excludes
    /// the hours from 22:00 to midnight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub cron: Option<String>,
}

/// What happens to wall-clock times that a change of the clocks skips or repeats: RunOnce (a
/// trigger with fixed hours runs once for each time it names: a skipped one right after the gap, a
/// repeated one the first time; a trigger whose hour is open goes by real time) or WallClock (as a
/// CronJob: skipped times do not run, repeated ones run twice). Default: RunOnce.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DaylightSaving {
    /// Each time named runs once.
    #[default]
    RunOnce,
    /// Whenever the clock shows a time named.
    WallClock,
}

/// What becomes of an excluded slot: Drop (there is no slot) or NextDay (the same wall-clock time on
/// the next day on which that is not excluded, within 31 days, else dropped). Default: Drop.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExcluded {
    /// There is no slot.
    #[default]
    Drop,
    /// It moves to the next free day.
    NextDay,
}

// === impl SimpleTrigger ===

impl From<&Trigger> for SimpleTrigger {
    fn from(trigger: &Trigger) -> Self {
        Self {
            cron: trigger.cron.clone(),
            fields: trigger.fields.clone(),
            interval: trigger.interval.clone(),
            calendar: trigger.calendar.clone(),
            at: trigger.at.clone(),
            at_local: trigger.at_local.clone(),
            time_zone: trigger.time_zone.clone(),
            daylight_saving: trigger.daylight_saving,
            not_before: trigger.not_before.clone(),
            not_after: trigger.not_after.clone(),
        }
    }
}

impl JsonSchema for NumberOrText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NumberOrText".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "maxLength": 128,
        })
    }
}

pub(super) fn instant(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time", "maxLength": 64})
}

fn instants(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 100,
        "items": {"type": "string", "format": "date-time", "maxLength": 64},
    })
}

fn local_times(_: &mut SchemaGenerator) -> Schema {
    let time = json_schema!({
        "type": "string",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?$",
        "maxLength": 19,
    });
    json_schema!({"type": "array", "minItems": 1, "maxItems": 100, "items": time})
}

fn dates(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 366,
        "items": {"type": "string", "format": "date", "maxLength": 10},
    })
}

fn date(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date", "maxLength": 10})
}

fn time_of_day(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}(:[0-9]{2})?$", "maxLength": 8})
}

fn interval_length(_: &mut SchemaGenerator) -> Schema {
    let sentence = "every is a length of elapsed time in hours, minutes and seconds, such as 90s, 15m or 24h, and is at least 1s; for days, weeks and months use calendar or cron";
    crate::api::duration::schema("^([0-9]{1,6}h)?([0-9]{1,8}m)?([0-9]{1,9}s)?$", sentence)
}
