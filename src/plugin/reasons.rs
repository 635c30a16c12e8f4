//! The reasons in status, and what decides them.

use crate::decide::{Reason, SOURCE_FAILURES};
use crate::report::notices;

/// The field of the Schedule that decides, by the reason it has in status.
const FIELDS: &[(&str, &str)] = &[
    ("BeforeCreation", "spec.trigger"),
    ("TriggerChanged", "spec.trigger"),
    ("StartingDeadline", "spec.startingDeadline"),
    ("CatchUpNone", "spec.catchUp.policy"),
    ("CatchUpLatest", "spec.catchUp.policy"),
    ("CatchUpEarliest", "spec.catchUp.policy"),
    ("CatchUpAll", "spec.catchUp.policy"),
    ("CatchUpLimit", "spec.catchUp.limit"),
    ("CatchUpMaxAge", "spec.catchUp.maxAge"),
    ("CatchUpSince", "spec.catchUp.since"),
    ("ConcurrencyForbid", "spec.concurrency.policy"),
    ("ConcurrencyReplace", "spec.concurrency.policy"),
    ("ConcurrencyCap", "spec.concurrency.policy"),
    ("QueueDropNewest", "spec.concurrency.queueFull"),
    ("QueueDropOldest", "spec.concurrency.queueFull"),
    ("MaxRunsReached", "spec.maxRuns"),
    ("JobRefused", "spec.jobTemplate"),
    ("NameTaken", "metadata.name"),
    // Of a run that waits, and of an attempt.
    ("CatchUp", "spec.catchUp.policy"),
    ("Queued", "spec.concurrency.policy"),
    ("Replacing", "spec.concurrency.policy"),
    ("Backoff", "spec.retry"),
    // Of a Schedule.
    ("InvalidTrigger", "spec.trigger"),
    ("UnknownTimeZone", "spec.trigger.timeZone"),
    ("NeverFires", "spec.trigger"),
    ("InvalidTemplate", "spec.jobTemplate"),
    ("UntilInPast", "spec.pauseUntil"),
    // Of a Job.
    ("DeadlineExceeded", "spec.jobTemplate"),
    ("BackoffLimitExceeded", "spec.jobTemplate"),
];

/// The field that decides.
#[must_use]
pub fn field(reason: &str) -> Option<&'static str> {
    FIELDS.iter().find(|(word, _)| *word == reason).map(|(_, field)| *field)
}

/// The field that pauses, by the source of the pause in status.
#[must_use]
pub fn pause_field(source: &str) -> &'static str {
    if source == SOURCE_FAILURES { "spec.pauseAfterFailures" } else { "spec.paused" }
}

/// A reason for people, if it is one of a slot that did not start.
#[must_use]
pub fn in_words(reason: &str) -> Option<&'static str> {
    Reason::ALL.iter().find(|it| it.to_string() == reason).map(|it| notices::in_words(*it))
}

#[cfg(test)]
mod tests {
    use super::{field, in_words};
    use crate::decide::Reason;

    /// Reasons for what becomes of a Job or of a ScheduleRun, not of a slot.
    const OF_OTHERS: &[Reason] = &[
        Reason::HistoryLimit,
        Reason::RunStopped,
        Reason::LateCreate,
        Reason::RunSucceeded,
        Reason::CopiedStatus,
        Reason::NoSuchSchedule,
    ];

    #[test]
    fn every_reason_of_a_slot_has_its_words_and_the_field_that_decides() {
        for reason in Reason::ALL.iter().filter(|it| !OF_OTHERS.contains(it)) {
            let word = reason.to_string();
            assert!(field(&word).is_some_and(|it| !it.is_empty()), "{word} has no field");
            assert!(in_words(&word).is_some(), "{word} has no words");
        }
    }
}
