//! A story as it is written, and how it is played.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::api::ScheduleStatus;
use crate::time::Slot;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::cluster::{Cluster, Creates};
use super::job::{Behavior, Variation};
use super::seen::{Seen, seen};
use super::times::Times;
use super::words::Words;
use super::world::World;

/// What is given, what happens, what is expected.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Story {
    /// The one idea.
    pub title: String,
    /// How it begins.
    pub given: Given,
    /// What happens, in the order of time.
    pub when: Vec<Step>,
    /// What is to be seen after the last step: see [`super::seen`].
    #[serde(default)]
    pub expect: BTreeMap<String, Value>,
}

/// How a story begins.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Given {
    /// The date of times that have none.
    pub date: String,
    /// When the Schedule is created.
    pub created: String,
    /// When the story begins, if not then.
    pub begin: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its UID.
    pub uid: Option<String>,
    /// When the operator begins to lead; from the start, if absent.
    pub first_seen: Option<String>,
    /// As a user writes it; a Job template is added if there is none.
    #[serde(default)]
    pub spec: Value,
    /// More than 1 when it was edited before it was seen.
    pub generation: Option<i64>,
    /// A status it has already, perhaps one that was copied from another Schedule.
    #[serde(default)]
    pub status: Value,
    /// What Jobs do.
    #[serde(default)]
    pub jobs: Behavior,
    /// What the Jobs of certain slots do instead.
    #[serde(default)]
    pub jobs_of: BTreeMap<String, Behavior>,
    /// In what Jobs differ from one another.
    #[serde(default)]
    pub vary: Variation,
}

/// What happens at one time. `at` alone lets time pass until then.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Step {
    /// When.
    at: String,
    /// A merge patch of the spec.
    edit: Option<Value>,
    operator: Option<Power>,
    /// The operator dies right after its so manieth write from here.
    crash_after_writes: Option<u32>,
    /// What becomes of creates of Jobs from here on.
    creates: Option<Creates>,
    /// The Job of a slot's newest attempt.
    delete_job: Option<String>,
    /// A user creates the ScheduleRun of this name.
    schedule_run: Option<String>,
    delete_schedule_run: Option<String>,
    /// As before, and a finalizer of somebody holds it.
    hold_schedule_run: Option<String>,
    /// A restore makes it anew, with its status.
    copy_schedule_run: Option<String>,
    delete_job_of_run: Option<String>,
    delete_schedule: bool,
    keep_status: bool,
    restore_status: bool,
    wipe_status: bool,
    late_create: Option<String>,
    foreign_job: Option<String>,
    set_clocks: Option<String>,
    clock_skew: Option<String>,
    job_watch: Option<Watch>,
    /// What is to be seen then.
    expect: Option<BTreeMap<String, Value>>,
}

/// Whether an operator leads.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Power {
    /// It begins to lead.
    Up,
    /// It is stopped.
    Down,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Watch {
    LagsBehind,
    CatchesUp,
}

impl Story {
    /// Reads one from YAML.
    pub fn read(text: &str) -> Result<Self, String> {
        serde_saphyr::from_str(text).map_err(|error| format!("not a story: {error}"))
    }

    /// Plays it, checking that the operator comes to rest. Answers the words it made use of. What
    /// differs from what is expected is told together with what happened.
    pub fn play(&self) -> Result<Words, String> {
        let mut world = self.begin()?;
        let differences = self.go_through(&mut world, &mut |_| true)?;
        let wrong: Vec<&str> = differences.iter().chain(&world.complaints).map(String::as_str).collect();
        if wrong.is_empty() {
            Ok(world.ledger.words)
        } else {
            Err(format!("{}\n{}\n{}", self.title, world.log.join("\n"), wrong.join("\n")))
        }
    }

    /// Plays it for as long as it is to go on. Answers the world at the end, and what differs from
    /// what is expected.
    ///
    /// # Errors
    ///
    /// What is wrong with the story itself.
    pub fn look_on(&self, go_on: &mut dyn FnMut(&World) -> bool) -> Result<(World, Vec<String>), String> {
        let mut world = self.begin()?;
        world.is_checked = false;
        world.ledger.history.happenings.clear();
        let differences = self.go_through(&mut world, go_on)?;
        Ok((world, differences))
    }

    fn go_through(&self, world: &mut World, go_on: &mut dyn FnMut(&World) -> bool) -> Result<Vec<String>, String> {
        let mut differences = Vec::new();
        for step in &self.when {
            let at = world.times.read(&step.at)?;
            if at < world.cluster.now {
                return Err(format!("{}: a step at {} comes too late", self.title, step.at));
            }
            if !world.run_while(at, go_on) {
                return Ok(differences);
            }
            step.take(world)?;
            world.run_until(at);
            if let Some(expected) = &step.expect {
                differences.extend(compare(expected, world)?);
            }
        }
        differences.extend(compare(&self.expect, world)?);
        Ok(differences)
    }

    fn begin(&self) -> Result<World, String> {
        let given = &self.given;
        let times = Times::on(&given.date)?;
        let mut spec = given.spec.clone();
        if !spec.is_object() {
            return Err(format!("given.spec: expected an object, not {spec}"));
        }
        if spec.get("jobTemplate").is_none() {
            spec["jobTemplate"] =
                json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "work:1"}]}}}});
        }
        let slot = |(text, behavior): (&String, &Behavior)| {
            Ok::<_, String>((Slot::floor(times.read(text)?), behavior.clone()))
        };
        let behaviors = given.jobs_of.iter().map(slot).collect::<Result<_, _>>()?;
        let created = times.read(&given.created)?;
        let begin = given.begin.as_ref().map_or(Ok(created), |text| times.read(text))?;
        let mut cluster = Cluster::new(begin, spec, given.jobs.clone(), behaviors);
        cluster.schedule.creation = created;
        cluster.variation = given.vary.clone();
        let stored = &mut cluster.schedule;
        stored.namespace = given.namespace.clone().unwrap_or_else(|| std::mem::take(&mut stored.namespace));
        stored.name = given.name.clone().unwrap_or_else(|| std::mem::take(&mut stored.name));
        stored.uid = given.uid.clone().unwrap_or_else(|| std::mem::take(&mut stored.uid));
        cluster.schedule.generation = given.generation.unwrap_or(1);
        if !given.status.is_null() {
            serde_json::from_value::<ScheduleStatus>(given.status.clone())
                .map_err(|error| format!("given.status: {error}"))?;
            cluster.schedule.status = given.status.clone();
        }
        let mut world = World::new(cluster, times);
        if let Some(first_seen) = &given.first_seen {
            world.stop_operator();
            world.run_until(times.read(first_seen)?);
            world.start_operator();
        }
        Ok(world)
    }
}

/// What differs from what is expected now.
fn compare(expected: &BTreeMap<String, Value>, world: &World) -> Result<Option<String>, String> {
    let seen = seen(world);
    let mut differences = String::new();
    for (what, value) in expected {
        differences += &difference(what, &lines(value), &seen)?;
    }
    let now = world.times.show(world.cluster.now);
    Ok((!differences.is_empty()).then(|| format!("expected (-) and seen (+) at {now}:\n{differences}")))
}

impl Step {
    /// Time passes until then.
    #[must_use]
    pub fn at(at: Timestamp) -> Self {
        Self { at: at.to_string(), ..Self::default() }
    }

    /// The spec is edited, by a merge patch.
    #[must_use]
    pub fn edit(at: Timestamp, patch: Value) -> Self {
        Self { edit: Some(patch), ..Self::at(at) }
    }

    /// The operator begins to lead, or is stopped.
    #[must_use]
    pub fn power(at: Timestamp, power: Power) -> Self {
        Self { operator: Some(power), ..Self::at(at) }
    }

    fn take(&self, world: &mut World) -> Result<(), String> {
        let times = world.times;
        let slot = |text: &String| times.read(text).map(Slot::floor);
        let attempt = |text: &String| match text.split_once(" attempt ") {
            Some((at, number)) => {
                Ok((times.read(at).map(Slot::floor)?, number.parse().map_err(|_| format!("no attempt: {text:?}"))?))
            }
            None => Ok::<(Slot, u32), String>((slot(text)?, 1)),
        };
        match self.operator {
            Some(Power::Down) => world.stop_operator(),
            Some(Power::Up) => world.start_operator(),
            None => {}
        }
        match self.job_watch {
            Some(Watch::LagsBehind) => world.hold_job_watch(true),
            Some(Watch::CatchesUp) => world.hold_job_watch(false),
            None => {}
        }
        if let Some(creates) = self.creates {
            world.cluster.creates = creates;
        }
        if let Some(writes) = self.crash_after_writes {
            world.crash_after(writes);
        }
        self.edit.iter().for_each(|patch| world.edit(patch));
        self.schedule_run.iter().for_each(|name| world.create_run(name));
        self.delete_schedule_run.iter().for_each(|name| world.delete_run(name));
        self.hold_schedule_run.iter().for_each(|name| world.hold_run(name));
        self.copy_schedule_run.iter().for_each(|name| world.copy_run(name));
        self.delete_job_of_run.iter().for_each(|name| world.delete_job_of_run(name));
        self.delete_job.iter().try_for_each(|text| slot(text).map(|slot| world.delete_job(slot)))?;
        self.late_create
            .iter()
            .try_for_each(|text| attempt(text).map(|(slot, attempt)| world.late_create(slot, attempt)))?;
        self.foreign_job
            .iter()
            .try_for_each(|text| attempt(text).map(|(slot, attempt)| world.foreign_job(slot, attempt)))?;
        self.clock_skew.iter().for_each(|why| world.doubt_clock(Some(why.clone()).filter(|it| it != "none")));
        self.set_clocks.iter().try_for_each(|text| times.read(text).map(|now: Timestamp| world.set_clocks(now)))?;
        if self.delete_schedule {
            world.delete_schedule();
        }
        if self.keep_status {
            world.keep_status();
        }
        if self.restore_status {
            world.restore_status();
        }
        if self.wipe_status {
            world.wipe_status();
        }
        Ok(())
    }
}

/// What is expected, a line each.
fn lines(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().map(text).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| format!("{key}: {}", text(value))).collect(),
        other => vec![text(other)],
    }
}

fn difference(what: &str, expected: &[String], seen: &Seen) -> Result<String, String> {
    let found = seen.get(what).ok_or_else(|| format!("nobody can see {what:?}: there is {:?}", seen.keys()))?;
    let found =
        if what == "conditions" || what == "messages" { conditions_asked_for(expected, found) } else { found.clone() };
    if expected == found {
        return Ok(String::new());
    }
    let mut text = format!("{what}:\n");
    for (sign, line) in diff(expected, &found) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{sign} - {line}");
    }
    Ok(text)
}

/// Of the conditions only those asked for count, in the order asked for.
fn conditions_asked_for(expected: &[String], found: &[String]) -> Vec<String> {
    let type_ = |line: &String| line.split(':').next().unwrap_or_default().to_owned();
    let of = |type_: String| {
        found.iter().find(|it| it.starts_with(&format!("{type_}:"))).cloned().unwrap_or(format!("{type_}: absent"))
    };
    expected.iter().map(|it| of(type_(it))).collect()
}

/// The lines both have in common, from their longest common sequence, and the others.
fn diff(expected: &[String], found: &[String]) -> Vec<(char, String)> {
    let (rows, columns) = (expected.len(), found.len());
    let mut common = vec![vec![0_usize; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            common[row][column] = if expected[row] == found[column] {
                common[row + 1][column + 1] + 1
            } else {
                common[row + 1][column].max(common[row][column + 1])
            };
        }
    }
    let (mut row, mut column, mut lines) = (0, 0, Vec::new());
    while row < rows || column < columns {
        if row < rows && column < columns && expected[row] == found[column] {
            lines.push((' ', expected[row].clone()));
            (row, column) = (row + 1, column + 1);
        } else if column == columns || (row < rows && common[row + 1][column] >= common[row][column + 1]) {
            lines.push(('-', expected[row].clone()));
            row += 1;
        } else {
            lines.push(('+', found[column].clone()));
            column += 1;
        }
    }
    lines
}
