//! `simulate`: what would become of each slot?

mod assumed;
mod json;
mod played;
mod table;

use std::io::{self, IsTerminal, Write};
use std::num::NonZeroU64;
use std::time::{Duration as Elapsed, Instant};

use super::check;
use super::manifests::{Document, Manifests};
use super::moment::{Moment, Span};
use super::source::context;
use super::{Output, Status, Surroundings};
use crate::api::Duration;
use crate::simulate::story::Story;
use crate::simulate::world::World;
use crate::time::{Slot, Trigger, Zone};

use assumed::RunsTake;
use played::Played;

/// Instants at which something happens, at most.
const MAX_INSTANTS: u64 = 2_000_000;
/// How often to say how far it is.
const PROGRESS: Elapsed = Elapsed::from_millis(300);

/// Play Schedules through in virtual time, with the operator's own rules.
///
/// Times are in RFC 3339, or as the clock in the trigger's time zone shows them, such as
/// 2026-12-24T18:00.
///
/// Exit status: 0 if all went as it should, 1 if a Schedule has problems, an expectation is not met
/// or not all of the period could be played, 2 if something could not be read.
#[derive(clap::Args, Debug)]
pub struct Simulate {
    /// A file of YAML or JSON, a folder of them, or - for standard input. May be repeated. With
    /// --scenario: the Schedule that the scenario is about.
    #[arg(short, long, value_name = "FILE", required_unless_present = "scenario")]
    filename: Vec<String>,
    /// The namespace of manifests that name none.
    #[arg(short, long)]
    namespace: Option<String>,
    /// What is given, what happens when, and what is expected: docs/simulate.md tells the format.
    /// May be repeated.
    #[arg(long, value_name = "FILE", conflicts_with = "period")]
    scenario: Vec<String>,
    #[command(flatten)]
    assumed: Assumed,
    /// Stop after so many slots.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    max_slots: usize,
    /// Print every slot; else neighbours that end alike are one line.
    #[arg(long)]
    all: bool,
    /// text for people, or json: one object a Schedule, each on its line.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// What is assumed where no scenario says it.
#[derive(clap::Args, Debug)]
#[group(id = "period", multiple = true)]
struct Assumed {
    /// The first instant. Default: now.
    #[arg(long, value_name = "TIME")]
    from: Option<Moment>,
    /// The last instant. Default: the end of twenty slots.
    #[arg(long, value_name = "TIME", conflicts_with = "length")]
    until: Option<Moment>,
    /// How long, such as 8h or 7d, instead of --until.
    #[arg(long = "for", id = "length", value_name = "DURATION")]
    length: Option<Duration>,
    /// How long runs take, such as 5m; or from 1m..10m, at random.
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    runs_take: RunsTake,
    /// Another number lets other runs take longer.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The exit code of runs, of all or of those that fail.
    #[arg(long, value_name = "N", default_value_t = 0)]
    exit_code: i32,
    /// Every Nth Job fails.
    #[arg(long, value_name = "N")]
    fail_every: Option<NonZeroU64>,
    /// The Jobs of this slot fail. May be repeated.
    #[arg(long, value_name = "SLOT")]
    fail_at: Vec<Moment>,
    /// It is paused, as by spec.paused. May be repeated.
    #[arg(long, value_name = "FROM..UNTIL")]
    pause: Vec<Span>,
    /// The operator is down. May be repeated.
    #[arg(long, value_name = "FROM..UNTIL")]
    down: Vec<Span>,
}

impl Simulate {
    /// Plays each Schedule on its own.
    ///
    /// # Errors
    ///
    /// When the answer cannot be written.
    pub fn run(&self, surroundings: &mut Surroundings<'_>) -> io::Result<Status> {
        let manifests = Manifests::read_if_any(&self.filename, surroundings.input);
        let mut status = Status::Clean;
        for error in &manifests.unreadable {
            status = Status::Unusable;
            writeln!(surroundings.err, "{error}")?;
        }
        let played = if self.scenario.is_empty() {
            self.play_documents(&manifests.schedules, surroundings)?
        } else if status == Status::Clean {
            self.play_scenarios(&manifests.schedules, surroundings)?
        } else {
            status
        };
        Ok(status.max(played))
    }

    fn play_documents(&self, documents: &[Document], surroundings: &mut Surroundings<'_>) -> io::Result<Status> {
        let mut status = Status::Clean;
        for (index, document) in documents.iter().enumerate() {
            let title = document.title();
            status = status.max(match self.begin(document, surroundings.now) {
                Err(problems) => tell_problems(&title, &problems, surroundings)?,
                Ok((story, trigger)) => {
                    let about = format!("{title}: {}", trigger.words());
                    self.play(&about, &story, trigger.zone(), &self.assumed.in_words(), index > 0, surroundings)?
                }
            });
        }
        Ok(status)
    }

    fn play_scenarios(&self, documents: &[Document], surroundings: &mut Surroundings<'_>) -> io::Result<Status> {
        for document in documents {
            if let Err(problems) = self.understand(document, surroundings.now) {
                tell_problems(&document.title(), &problems, surroundings)?;
                return Ok(Status::Unusable);
            }
        }
        let mut status = Status::Clean;
        for (index, file) in self.scenario.iter().enumerate() {
            let story = assumed::of_scenario(file, surroundings.input, documents, self.namespace.as_deref());
            status = status.max(match story {
                Err(problem) => {
                    writeln!(surroundings.err, "{file}: {problem}")?;
                    Status::Unusable
                }
                Ok(story) => {
                    let title = format!("{file}: {}", story.title);
                    // As the times are that stories are written in.
                    self.play(&title, &story, &Zone::utc(), "", index > 0, surroundings)?
                }
            });
        }
        Ok(status)
    }

    /// The story of a document that has no problem, and its trigger.
    fn begin(&self, document: &Document, now: Slot) -> Result<(Story, Trigger), Vec<String>> {
        let from = self.assumed.from(self.understand(document, now)?.zone(), now);
        let trigger = self.understand(document, from)?;
        let story = self.assumed.story(document, self.namespace.as_deref(), &trigger, from);
        story.map(|story| (story, trigger)).map_err(|problem| vec![problem])
    }

    /// The trigger of a document that has no problem.
    fn understand(&self, document: &Document, now: Slot) -> Result<Trigger, Vec<String>> {
        let context = context(document, self.namespace.as_deref(), now);
        let verdict = check::document(document, &context, now);
        if !verdict.problems.is_empty() {
            return Err(verdict.problems.iter().map(ToString::to_string).collect());
        }
        let understood = check::trigger(document, &context);
        understood.map(|it| it.trigger).map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    fn play(
        &self,
        title: &str,
        story: &Story,
        zone: &Zone,
        assumed: &str,
        is_another: bool,
        surroundings: &mut Surroundings<'_>,
    ) -> io::Result<Status> {
        let mut watched = Watched::new(title, self.max_slots);
        let end = story.look_on(&mut |world| watched.goes_on(world));
        watched.clear();
        let (world, differences) = match end {
            Ok(end) => end,
            Err(error) => {
                writeln!(surroundings.err, "{title}: {error}")?;
                return Ok(Status::Unusable);
            }
        };
        let played =
            Played { title, zone, assumed, world: &world, stopped: watched.stopped, differences: &differences };
        match self.output {
            Output::Text => {
                let gap = if is_another { "\n" } else { "" };
                write!(surroundings.out, "{gap}{}", table::of(&played, self.all))?;
            }
            Output::Json => writeln!(surroundings.out, "{}", json::of(&played))?,
        }
        surroundings.out.flush()?;
        if let Some(stopped) = &played.stopped {
            writeln!(surroundings.err, "{title}: {stopped}")?;
        }
        for wrong in &world.complaints {
            writeln!(surroundings.err, "{title}: a defect of this program, please report it: {wrong}")?;
        }
        let is_well = differences.is_empty() && played.stopped.is_none() && world.complaints.is_empty();
        Ok(if is_well { Status::Clean } else { Status::Problems })
    }
}

fn tell_problems(title: &str, problems: &[String], surroundings: &mut Surroundings<'_>) -> io::Result<Status> {
    for problem in problems {
        writeln!(surroundings.err, "{title}: {problem}")?;
    }
    Ok(Status::Problems)
}

/// Looks on while a story is played, and says how far it is.
struct Watched {
    title: String,
    max_slots: usize,
    instants: u64,
    told: Instant,
    is_terminal: bool,
    has_told: bool,
    /// Why it was stopped.
    stopped: Option<String>,
}

impl Watched {
    fn new(title: &str, max_slots: usize) -> Self {
        let is_terminal = io::stderr().is_terminal();
        Self {
            title: title.to_owned(),
            max_slots,
            instants: 0,
            told: Instant::now(),
            is_terminal,
            has_told: false,
            stopped: None,
        }
    }

    fn goes_on(&mut self, world: &World) -> bool {
        self.instants += 1;
        let slots = world.ledger.history.slots.len();
        let now = world.cluster.now;
        if slots >= self.max_slots || self.instants >= MAX_INSTANTS {
            let advice = "choose a shorter period with --for or --until, or allow more with --max-slots";
            self.stopped = Some(format!("stopped at {now} after {slots} slots: {advice}"));
            return false;
        }
        if self.is_terminal && self.told.elapsed() >= PROGRESS {
            self.told = Instant::now();
            self.has_told = true;
            let _ = write!(io::stderr(), "\r\x1b[K{}: {now}, {slots} slots", self.title);
        }
        true
    }

    /// Takes what was said off the terminal.
    fn clear(&self) {
        if self.has_told {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
