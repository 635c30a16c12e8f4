//! Where the Schedules come from that a command is about.

use std::fmt::Display;
use std::io;

use super::lookup::Cluster;
use super::manifests::{Document, Manifests};
use super::{Output, Status, Surroundings};
use crate::time::{Context, Slot};

/// Manifests, or one Schedule in the cluster.
#[derive(clap::Args, Debug, Default)]
#[command(group(clap::ArgGroup::new("schedules").required(true)))]
pub struct Source {
    /// A Schedule in the cluster.
    #[arg(group = "schedules")]
    name: Option<String>,
    /// A file of YAML or JSON, a folder of them, or - for standard input. May be repeated.
    #[arg(short, long, value_name = "FILE", group = "schedules")]
    filename: Vec<String>,
    /// The namespace; for manifests, of those that name none. Default: as kubectl, and "default"
    /// for manifests.
    #[arg(short, long)]
    namespace: Option<String>,
    #[command(flatten)]
    cluster: Cluster,
}

/// What a manifest that names no namespace is taken to be in.
pub const DEFAULT_NAMESPACE: &str = "default";

impl Source {
    /// All Schedules that are meant, and why others could not be read.
    fn read(&self, surroundings: &mut Surroundings<'_>) -> (Vec<Document>, Vec<String>) {
        let Some(name) = &self.name else {
            let manifests = Manifests::read(&self.filename, surroundings.input);
            return (manifests.schedules, manifests.unreadable);
        };
        match self.cluster.schedule(self.namespace.as_deref(), name) {
            Ok(document) => (vec![document], Vec::new()),
            Err(error) => (Vec::new(), vec![error]),
        }
    }

    /// Answers for each Schedule on its own, whatever is wrong with others. `unreadable` is the
    /// status when one could not be read.
    ///
    /// # Errors
    ///
    /// When an answer cannot be written.
    pub fn answer_each<P: Display>(
        &self,
        surroundings: &mut Surroundings<'_>,
        output: Output,
        unreadable: Status,
        answer: impl Fn(&Document) -> Result<String, Vec<P>>,
    ) -> io::Result<Status> {
        let (documents, errors) = self.read(surroundings);
        let mut status = Status::Clean;
        for (index, document) in documents.iter().enumerate() {
            match answer(document) {
                Ok(text) => {
                    let gap = if index > 0 && output == Output::Text { "\n" } else { "" };
                    write!(surroundings.out, "{gap}{text}")?;
                }
                Err(problems) => {
                    status = Status::Problems;
                    for problem in problems {
                        writeln!(surroundings.err, "{}: {problem}", document.title())?;
                    }
                }
            }
        }
        for error in errors {
            status = unreadable;
            writeln!(surroundings.err, "{error}")?;
        }
        Ok(status)
    }

    /// What a trigger takes from its Schedule; one that was not created yet is created at an
    /// instant.
    pub fn context<'a>(&'a self, document: &'a Document, created: Slot) -> Context<'a> {
        context(document, self.namespace.as_deref(), created)
    }
}

/// As [`Source::context`].
pub fn context<'a>(document: &'a Document, namespace: Option<&'a str>, created: Slot) -> Context<'a> {
    Context {
        creation: document.creation().unwrap_or(created),
        namespace: document.namespace().or(namespace).unwrap_or(DEFAULT_NAMESPACE),
        name: document.name(),
    }
}
