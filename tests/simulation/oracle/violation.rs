//! A promise that was broken, and what shows it.

use std::fmt;

use crate::history::{Asked, Change, Fact};

/// What users are promised. Words that do not change: a mutant names the one that it must break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// One run and attempt: one Job, of the name that is theirs.
    NeverTwice,
    /// Every slot has exactly one outcome.
    NeverSilentlyNot,
    /// What is due starts.
    OnTime,
    /// Nothing starts from before it was asked for, nor while it is not to.
    NothingRetroactive,
    /// As many runs at once as the spec says.
    Overlap,
    /// Attempts follow failures, as `spec.retry` says.
    Retries,
    /// How runs end is recorded once, and stays until it expires.
    Results,
    /// Nothing is removed that is still needed; what is not needed goes.
    Removal,
    /// The operator changes only what is its own.
    OwnWrites,
    /// Only the leader acts.
    Leadership,
    /// Somebody leads.
    Succession,
    /// Status is small and agrees with itself.
    StatusShape,
    /// Where nothing happens nothing is written.
    Quiet,
    /// When everything is over everything is in order.
    AtRest,
}

/// One broken promise.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// How it was broken, in words.
    pub what: String,
    /// The objects it is about.
    pub objects: Vec<String>,
    /// The changes, requests and facts that show it.
    pub shown_by: Vec<String>,
}

impl Violation {
    /// One that nothing shows yet.
    pub fn new(promise: Promise, what: impl Into<String>) -> Self {
        Self { promise, what: what.into(), objects: Vec::new(), shown_by: Vec::new() }
    }

    /// It is about this object.
    pub fn of(mut self, object: impl fmt::Display) -> Self {
        self.objects.push(object.to_string());
        self
    }

    /// This shows it.
    pub fn shown_by(mut self, what: impl Evidence) -> Self {
        self.shown_by.push(what.line());
        self
    }
}

/// What can show that a promise was broken.
pub trait Evidence {
    /// On one line.
    fn line(&self) -> String;
}

impl Evidence for &Change {
    fn line(&self) -> String {
        let what = match (&self.before, &self.after) {
            (None, _) => "created",
            (_, None) => "removed",
            _ if self.is_status => "status written",
            _ => "changed",
        };
        let (resource, namespace, name) = (self.resource, &self.namespace, &self.name);
        format!("{} version {}: {resource} {namespace}/{name} {what} by {}", self.at, self.version, self.by)
    }
}

impl Evidence for &Asked {
    fn line(&self) -> String {
        format!("{} {} asked {} {}: {}", self.at, self.by, self.method, self.uri, self.code)
    }
}

impl Evidence for &Fact {
    fn line(&self) -> String {
        format!("{} {:?}", self.at, self.what)
    }
}

impl Evidence for String {
    fn line(&self) -> String {
        self.clone()
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverTwice => "never twice",
            Self::NeverSilentlyNot => "never silently not",
            Self::OnTime => "on time",
            Self::NothingRetroactive => "nothing retroactive",
            Self::Overlap => "overlap",
            Self::Retries => "retries",
            Self::Results => "results",
            Self::Removal => "removal",
            Self::OwnWrites => "own writes",
            Self::Leadership => "leadership",
            Self::Succession => "succession",
            Self::StatusShape => "status shape",
            Self::Quiet => "quiet",
            Self::AtRest => "at rest",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken promise: {}\n  {}", self.promise, self.what)?;
        for object in &self.objects {
            write!(f, "\n  of {object}")?;
        }
        for line in &self.shown_by {
            write!(f, "\n  shown by {line}")?;
        }
        Ok(())
    }
}
