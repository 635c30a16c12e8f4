//! Why a trigger was refused, in one sentence a person understands.

/// Why a trigger was refused: where, what was found, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}{place} {problem}")]
pub struct TriggerError {
    /// What is wrong in general.
    pub kind: TriggerErrorKind,
    /// The field, such as `spec.trigger.cron`.
    path: String,
    /// Where in the field's text, with the comma before it; empty where it is all of it.
    place: String,
    /// The rest of the sentence.
    problem: String,
}

/// What is wrong with a trigger in general.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerErrorKind {
    /// The trigger cannot be understood.
    InvalidTrigger,
    /// The time zone data compiled in has no such zone.
    UnknownTimeZone,
}

/// A quoted text is cut after so many characters: users may write long ones.
const QUOTED_CHARS: usize = 40;

impl TriggerError {
    /// The field, such as `spec.trigger.cron`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A trigger that cannot be understood because of all that a field says.
    pub(super) fn invalid(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            kind: TriggerErrorKind::InvalidTrigger,
            path: path.into(),
            place: String::new(),
            problem: problem.into(),
        }
    }

    /// A time zone we have no data for.
    pub(super) fn unknown_time_zone(problem: impl Into<String>) -> Self {
        Self { kind: TriggerErrorKind::UnknownTimeZone, ..Self::invalid("spec.trigger.timeZone", problem) }
    }

    /// The same error, found in a part of the trigger such as `anyOf[1]`.
    pub(super) fn inside(self, part: &str) -> Self {
        const TRIGGER: &str = "spec.trigger";
        let rest = self.path.strip_prefix(TRIGGER).unwrap_or(&self.path);
        Self { path: format!("{TRIGGER}.{part}{rest}"), ..self }
    }

    /// The same error, found at a place within the field's text.
    pub(super) fn at(self, place: &str) -> Self {
        Self { place: format!(", {place},"), ..self }
    }
}

/// A user's text in quotes, control characters escaped, long ones cut.
#[must_use]
pub fn quote(text: &str) -> String {
    if text.chars().count() <= QUOTED_CHARS {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(QUOTED_CHARS - 1).collect();
    format!("{:?}", format!("{start}…"))
}
