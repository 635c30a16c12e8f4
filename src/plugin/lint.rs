//! `lint`: what is wrong with manifests, before they are applied.

use std::io;

use serde_json::json;

use super::check::{self, Verdict};
use super::manifests::{Document, Manifests};
use super::problem::Problem;
use super::source::context;
use super::{Output, Status, Surroundings};

/// Say all that is wrong with manifests, without a cluster.
///
/// Exit status: 0 without problems, 1 with problems, 2 if something could not be read.
#[derive(clap::Args, Debug)]
pub struct Lint {
    /// A file of YAML or JSON, a folder of them, or - for standard input. May be repeated.
    #[arg(short, long, value_name = "FILE", required = true)]
    filename: Vec<String>,
    /// The namespace of manifests that name none.
    #[arg(short, long)]
    namespace: Option<String>,
    /// Treat warnings as problems.
    #[arg(long)]
    strict: bool,
    /// text for people, or json: one object a Schedule, each on its line.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

impl Lint {
    /// Judges each Schedule and each ScheduleRun.
    ///
    /// # Errors
    ///
    /// When the verdict cannot be written.
    pub fn run(&self, surroundings: &mut Surroundings<'_>) -> io::Result<Status> {
        let manifests = Manifests::read_all(&self.filename, surroundings.input);
        let schedules = manifests.schedules.iter().map(|document| {
            let context = context(document, self.namespace.as_deref(), surroundings.now);
            (document, check::document(document, &context, surroundings.now))
        });
        let runs = manifests.runs.iter().map(|document| (document, check::run(document)));
        let (mut problems, mut warnings) = (0, 0);
        for (document, verdict) in schedules.chain(runs).collect::<Vec<_>>() {
            problems += verdict.problems.len();
            warnings += verdict.warnings.len();
            match self.output {
                Output::Text => write!(surroundings.out, "{}", as_text(document, &verdict))?,
                Output::Json => writeln!(surroundings.out, "{}", as_json(document, &verdict))?,
            }
        }
        let read = [(manifests.schedules.len(), "Schedule"), (manifests.runs.len(), "ScheduleRun")];
        let read: Vec<_> = read.into_iter().filter(|(count, _)| *count > 0).collect();
        if self.output == Output::Text && !read.is_empty() {
            let counted = read.into_iter().chain([(problems, "problem"), (warnings, "warning")]);
            let counted = counted.map(|(count, what)| format!("{count} {what}{}", if count == 1 { "" } else { "s" }));
            writeln!(surroundings.out, "{}", counted.collect::<Vec<_>>().join(", "))?;
        }
        for error in &manifests.unreadable {
            writeln!(surroundings.err, "{error}")?;
        }
        Ok(match problems + if self.strict { warnings } else { 0 } {
            _ if !manifests.unreadable.is_empty() => Status::Unusable,
            0 => Status::Clean,
            _ => Status::Problems,
        })
    }
}

fn as_text(document: &Document, verdict: &Verdict) -> String {
    let line = |kind: &str, problem: &Problem| format!("{}: {kind}: {problem}\n", document.title());
    let problems = verdict.problems.iter().map(|it| line("problem", it));
    problems.chain(verdict.warnings.iter().map(|it| line("warning", it))).collect()
}

fn as_json(document: &Document, verdict: &Verdict) -> serde_json::Value {
    let told = |problem: &Problem| json!({"field": problem.path, "message": problem.to_string()});
    json!({
        "place": document.place,
        "namespace": document.namespace(),
        "name": document.name(),
        "problems": verdict.problems.iter().map(told).collect::<Vec<_>>(),
        "warnings": verdict.warnings.iter().map(told).collect::<Vec<_>>(),
    })
}
