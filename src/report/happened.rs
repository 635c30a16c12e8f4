//! What came of a plan, as data.

use jiff::Timestamp;

use crate::decide::plan::Start;
use crate::decide::snapshot::JobView;

/// What came of a plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Happened {
    /// Each start that was tried, and how it ended.
    pub starts: Vec<(Start, StartEnd)>,
    /// What the API server said of the Job template, if it was asked.
    pub template: Option<TemplateVerdict>,
    /// What could not be done, and is to be planned again soon.
    pub undone: Option<String>,
}

/// How the creation of a Job ended.
#[derive(Debug, Clone, PartialEq)]
pub enum StartEnd {
    /// The Job is there.
    Created {
        /// Its UID.
        job_uid: String,
        /// When the API server created it.
        created: Timestamp,
    },
    /// It was there already, and is ours.
    FoundOurs(JobView),
    /// Somebody else's Job has its name.
    NameTaken,
    /// The API server will not take this Job, now or later.
    Refused {
        /// In its words.
        message: String,
    },
    /// It was refused for a reason that may pass, or nobody knows whether it was created.
    Blocked {
        /// One word.
        reason: &'static str,
        /// In the words of the API server.
        message: String,
    },
}

/// What the API server said of the Job template in a dry run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateVerdict {
    /// It takes it.
    Accepted,
    /// It will not take it.
    Invalid {
        /// In its words.
        message: String,
    },
    /// It could not be asked, or refused for a reason that may pass.
    Unknown,
}

impl TemplateVerdict {
    /// Whether it need not be asked again.
    #[must_use]
    pub fn is_final(&self) -> bool {
        *self != Self::Unknown
    }
}
