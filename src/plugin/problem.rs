//! Something wrong with a document.

use std::fmt;

use crate::time::TriggerError;

/// Something wrong, or surprising, at a place in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, such as `spec.trigger.cron`; empty where it is the whole document.
    pub path: String,
    /// The whole sentence, the field at its beginning.
    sentence: String,
}

impl Problem {
    /// A problem of which the sentence goes on after the name of the field.
    #[must_use]
    pub fn new(path: &str, rest: impl fmt::Display) -> Self {
        Self { path: path.to_owned(), sentence: format!("{path} {rest}").trim_start().to_owned() }
    }

    /// A problem told in a sentence of its own.
    #[must_use]
    pub fn told(path: &str, sentence: &str) -> Self {
        let field = if path.is_empty() { String::new() } else { format!("{path}: ") };
        Self { path: path.to_owned(), sentence: format!("{field}{sentence}") }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl From<TriggerError> for Problem {
    fn from(error: TriggerError) -> Self {
        Self { path: error.path().to_owned(), sentence: error.to_string() }
    }
}
