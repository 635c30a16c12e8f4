//! The words of status: closed lists here, open lists on the wire.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A closed list of words that is an open list on the wire: a word of a newer operator is kept.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$word_meta:meta])* $word:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$word_meta])* $word,)+
            /// A word this version does not know, kept as it is.
            #[serde(untagged)]
            Other(String),
        }

        impl $name {
            /// Every word this version writes.
            pub const ALL: &'static [Self] = &[$(Self::$word),+];

            /// The word itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$word => stringify!($word),)+
                    Self::Other(word) => word,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "maxLength": 64})
            }
        }
    };
}

words! {
    /// How a slot or a run ended.
    Outcome {
        /// Of a run: its Job completed.
        Succeeded,
        /// Of a run: its Job failed.
        Failed,
        /// Of a run: its Job was active longer than its deadline.
        TimedOut,
        /// Of a run: stopped so that a newer slot could start.
        Replaced,
        /// Of a run: its Job was deleted by somebody else while it was running.
        Deleted,
        /// Of a run: its Job vanished unseen.
        Lost,
        /// Of a slot: its run is active.
        Started,
        /// Of a slot: another slot runs in its stead.
        Coalesced,
        /// Of a slot: another run was active.
        SkippedOverlap,
        /// Of a slot: it fell into a pause and was not made up for.
        SkippedPaused,
        /// Of a slot: it was late and was not made up for.
        SkippedLate,
        /// Of a slot: it could not start within its starting deadline.
        MissedDeadline,
        /// Of a slot: it had no place in the queue.
        QueueFull,
        /// Of a slot: the trigger was changed, or maxRuns was reached, before it was decided.
        Superseded,
        /// Of a slot: it lies before the Schedule's creation.
        BeforeCreation,
        /// Of a slot: the API server refused its Job for good.
        FailedToCreate,
    }
}

words! {
    /// Why a slot waits.
    Why {
        /// It was late, and was chosen to start.
        CatchUp,
        /// As many runs are active as concurrency.limit admits.
        Queued,
        /// Its start was refused for a reason that may pass.
        Retrying,
        /// The run it replaces is being stopped.
        Replacing,
    }
}

words! {
    /// Where an active run stands.
    RunState {
        /// Its Job is there and has not finished.
        Running,
        /// Its last attempt failed, and the next one has not started yet.
        Backoff,
        /// Its Job is being stopped.
        Stopping,
    }
}

impl Outcome {
    /// Whether it is the end of a run; the others are those of slots that did not start.
    #[must_use]
    pub fn is_of_run(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::TimedOut | Self::Replaced | Self::Deleted | Self::Lost)
    }

    /// Whether a run that ended so did what it was asked to do.
    #[must_use]
    pub fn is_success(&self) -> bool {
        *self == Self::Succeeded
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;
    use crate::api::status::SlotOutcome;

    #[test]
    fn a_word_of_a_newer_operator_survives_reading_and_writing() {
        let text = r#"{"slotTime":"2026-01-01T00:00:00Z","outcome":"Vaporised"}"#;
        let slot: SlotOutcome = serde_json::from_str(text).expect("readable");
        assert_eq!(slot.outcome, Outcome::Other("Vaporised".into()));
        assert_eq!(serde_json::to_string(&slot).expect("writable"), text);
    }

    #[test]
    fn known_words_are_read_as_themselves() {
        for outcome in Outcome::ALL {
            let text = serde_json::to_string(outcome).expect("writable");
            assert_eq!(text, format!("\"{outcome}\""));
            assert_eq!(serde_json::from_str::<Outcome>(&text).expect("readable"), *outcome);
        }
    }
}
