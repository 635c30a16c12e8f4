//! From what a user wrote to a trigger that answers.

use super::calendar::Calendar;
use super::combine::{AllOf, AnyOf};
use super::cron::{self, Cron, Spread};
use super::error::TriggerError;
use super::exclude::Exclusions;
use super::excluding::Excluding;
use super::instants::{Instants, parse_instant};
use super::interval::Interval;
use super::rule::{Bounded, Rule};
use super::search::{DaylightSaving, Recurring};
use super::zone::Zone;
use super::{Plan, Slot, Trigger, fields, words};
use crate::api::spec;

/// What a trigger takes from the Schedule it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// When it was created: what has no start of its own starts from there.
    pub creation: Slot,
    /// Its namespace. With its name it decides what `H` stands for.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// As many as the resource's schema admits.
const MAX_MEMBERS: usize = 10;

/// What members and exclusions inherit.
#[derive(Clone)]
struct Setting {
    zone: Zone,
    daylight_saving: spec::DaylightSaving,
}

type Errors = Vec<TriggerError>;

/// Reads a trigger, and tells of everything that is wrong.
pub(super) fn trigger(spec: &spec::Trigger, context: &Context<'_>) -> Result<Trigger, Errors> {
    let zone = Zone::parse(spec.time_zone.as_deref());
    // A zone that is not known keeps nobody from reading the rest.
    let (zone, mut errors) = zone.map_or_else(|error| (Zone::utc(), vec![error]), |zone| (zone, Vec::new()));
    let setting = Setting { zone, daylight_saving: spec.daylight_saving.unwrap_or_default() };
    let simple = spec::SimpleTrigger::from(spec);
    let given = [&spec.any_of, &spec.all_of].iter().filter(|it| it.is_some()).count() + kinds(&simple);
    let bounded = if given == 1 {
        match (&spec.any_of, &spec.all_of) {
            (Some(members), _) => list(members, "anyOf", &simple, &setting, context, |it| Rule::AnyOf(AnyOf::new(it))),
            (_, Some(members)) => list(members, "allOf", &simple, &setting, context, AllOf::rule),
            _ => simple_trigger(&simple, &setting, context),
        }
    } else {
        let problem = "has to have exactly one of cron, fields, interval, calendar, at, atLocal, anyOf and allOf";
        Err(vec![TriggerError::invalid("spec.trigger", problem)])
    };
    let spread = Spread { namespace: context.namespace, name: context.name };
    let exclusions = spec.exclude.as_deref().map(|it| Exclusions::parse(it, &setting.zone, &spread)).transpose();
    if spec.on_excluded.is_some() && spec.exclude.is_none() {
        let problem = "says what becomes of an excluded slot, but there is no exclude";
        errors.push(TriggerError::invalid("spec.trigger.onExcluded", problem));
    }
    match (bounded, exclusions) {
        (Ok(bounded), Ok(exclusions)) if errors.is_empty() => {
            let words = words::describe(spec, &bounded.rule, &setting.zone);
            let plan = exclusions.map_or(Plan::Whole(Box::new(bounded.clone())), |exclusions| {
                let on_excluded = spec.on_excluded.unwrap_or_default();
                let daylight_saving = setting.of_fixed_time();
                let excluding = Excluding::new(bounded, exclusions, on_excluded, &setting.zone, daylight_saving);
                if excluding.is_empty() { Plan::nothing() } else { Plan::Excluding(Box::new(excluding)) }
            });
            Ok(Trigger { plan, zone: setting.zone, words })
        }
        (bounded, exclusions) => {
            errors.extend(bounded.err().into_iter().flatten());
            errors.extend(exclusions.err().into_iter().flatten());
            Err(errors)
        }
    }
}

/// Reads the members of a list, and makes one rule of them.
fn list(
    members: &[spec::SimpleTrigger],
    name: &str,
    window: &spec::SimpleTrigger,
    setting: &Setting,
    context: &Context<'_>,
    join: impl FnOnce(Vec<Bounded>) -> Rule,
) -> Result<Bounded, Errors> {
    if members.is_empty() || members.len() > MAX_MEMBERS {
        let problem = format!("has {} triggers; expected 1 to {MAX_MEMBERS}", members.len());
        return Err(vec![TriggerError::invalid(format!("spec.trigger.{name}"), problem)]);
    }
    let (mut read, mut errors) = (Vec::new(), Vec::new());
    for (index, member) in members.iter().enumerate() {
        match member_of(member, setting, context) {
            Ok(member) => read.push(member),
            Err(found) => {
                errors.extend(found.into_iter().map(|error| error.inside(&format!("{name}[{index}]"))));
            }
        }
    }
    let (from, through) = window_of(window, &mut errors);
    if errors.is_empty() { Ok(Bounded::new(join(read), from, through)) } else { Err(errors) }
}

fn member_of(member: &spec::SimpleTrigger, setting: &Setting, context: &Context<'_>) -> Result<Bounded, Errors> {
    if kinds(member) != 1 {
        let problem = "has to have exactly one of cron, fields, interval, calendar, at and atLocal";
        return Err(vec![TriggerError::invalid("spec.trigger", problem)]);
    }
    let zone = match &member.time_zone {
        Some(name) => Zone::parse(Some(name)),
        None => Ok(setting.zone.clone()),
    };
    let daylight_saving = member.daylight_saving.unwrap_or(setting.daylight_saving);
    match zone {
        Ok(zone) => simple_trigger(member, &Setting { zone, daylight_saving }, context),
        Err(error) => {
            let rest = simple_trigger(member, &Setting { daylight_saving, ..setting.clone() }, context);
            Err(std::iter::once(error).chain(rest.err().into_iter().flatten()).collect())
        }
    }
}

/// How many kinds of trigger are given.
fn kinds(spec: &spec::SimpleTrigger) -> usize {
    let spec::SimpleTrigger { cron, fields, interval, calendar, at, at_local, .. } = spec;
    let given = [cron.is_some(), fields.is_some(), interval.is_some(), calendar.is_some(), at.is_some()];
    given.into_iter().chain([at_local.is_some()]).filter(|it| *it).count()
}

fn simple_trigger(spec: &spec::SimpleTrigger, setting: &Setting, context: &Context<'_>) -> Result<Bounded, Errors> {
    let mut errors = Vec::new();
    let (from, through) = window_of(spec, &mut errors);
    match rule_of(spec, setting, context) {
        Ok(Rule::Interval(interval)) if interval.first() > through.unix_seconds() && spec.not_after.is_some() => {
            let problem = "is before the first slot of interval";
            errors.push(TriggerError::invalid("spec.trigger.notAfter", problem));
            Err(errors)
        }
        Ok(rule) if errors.is_empty() => Ok(Bounded::new(rule, from, through)),
        rule => Err(rule.err().into_iter().flatten().chain(errors).collect()),
    }
}

fn rule_of(spec: &spec::SimpleTrigger, setting: &Setting, context: &Context<'_>) -> Result<Rule, Errors> {
    let zone = &setting.zone;
    if let Some(text) = &spec.cron {
        let spread = Spread { namespace: context.namespace, name: context.name };
        return Ok(match cron::parse(text, &spread).map_err(|error| vec![error])? {
            Cron::Named { pattern, by_the_hour, .. } => {
                Rule::Recurring(Recurring::boxed(*pattern, zone, setting.of_hours(by_the_hour)))
            }
            Cron::Every { seconds } => Rule::Interval(Interval::after_creation(seconds, context.creation)),
        });
    }
    if let Some(fields) = &spec.fields {
        let fields::Named { pattern, by_the_hour } = fields::parse(fields)?;
        return Ok(Rule::Recurring(Recurring::boxed(pattern, zone, setting.of_hours(by_the_hour))));
    }
    if let Some(interval) = &spec.interval {
        return Interval::parse(interval, context.creation).map(Rule::Interval).map_err(|error| vec![error]);
    }
    if let Some(calendar) = &spec.calendar {
        return Calendar::parse(calendar, zone, setting.of_fixed_time(), context.creation).map(Rule::Calendar);
    }
    if let Some(at) = &spec.at {
        return Instants::parse(at).map(Rule::Instants);
    }
    let at_local = spec.at_local.as_deref().unwrap_or_default();
    Instants::parse_local(at_local, zone, setting.of_fixed_time()).map(Rule::Instants)
}

/// The first and the last instant at which a trigger may have a slot.
fn window_of(spec: &spec::SimpleTrigger, errors: &mut Errors) -> (Slot, Slot) {
    let mut read = |name: &str, text: &Option<String>, otherwise: Slot| {
        let Some(text) = text else { return otherwise };
        parse_instant(&format!("spec.trigger.{name}"), text).unwrap_or_else(|error| {
            errors.push(error);
            otherwise
        })
    };
    let from = read("notBefore", &spec.not_before, Slot::FIRST);
    let through = read("notAfter", &spec.not_after, Slot::LAST);
    if from > through {
        errors.push(TriggerError::invalid("spec.trigger.notAfter", "is before notBefore"));
    }
    (from, through)
}

impl Setting {
    /// For triggers whose hour is open or not.
    fn of_hours(&self, by_the_hour: bool) -> DaylightSaving {
        if by_the_hour { DaylightSaving::RealTime } else { self.of_fixed_time() }
    }

    fn of_fixed_time(&self) -> DaylightSaving {
        match self.daylight_saving {
            spec::DaylightSaving::RunOnce => DaylightSaving::RunOnce,
            spec::DaylightSaving::WallClock => DaylightSaving::RealTime,
        }
    }
}

impl Plan {
    fn nothing() -> Self {
        Self::Whole(Box::new(Bounded::new(Rule::AnyOf(AnyOf::new(Vec::new())), Slot::FIRST, Slot::LAST)))
    }
}
