//! Where the Schedules come from that a command is about.

use super::Surroundings;
use super::lookup::Cluster;
use super::manifests::{Document, Manifests};
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
    pub fn read(&self, surroundings: &mut Surroundings<'_>) -> (Vec<Document>, Vec<String>) {
        let Some(name) = &self.name else {
            let manifests = Manifests::read(&self.filename, surroundings.input);
            return (manifests.schedules, manifests.unreadable);
        };
        match self.cluster.schedule(self.namespace.as_deref(), name) {
            Ok(document) => (vec![document], Vec::new()),
            Err(error) => (Vec::new(), vec![error]),
        }
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
