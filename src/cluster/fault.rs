//! What the API server's refusals mean to us.

use kube::core::Status;

/// Why a request did not do what it was sent for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It was not sent: this replica does not lead, or not for long enough.
    #[error("not sent: this replica does not lead")]
    NotLeader,
    /// The API server says that another leader's term has begun.
    #[error("refused by the fencing policy: {0}")]
    Fenced(String),
    /// There is no such object.
    #[error("not found: {0}")]
    NotFound(String),
    /// There is such an object already.
    #[error("already exists: {0}")]
    AlreadyExists(String),
    /// The object has changed since it was read, or is not the one that was meant.
    #[error("conflict: {0}")]
    Conflict(String),
    /// Refused for a reason that may pass.
    #[error("refused for now ({reason}): {message}")]
    Blocked {
        /// One word.
        reason: &'static str,
        /// In the API server's words.
        message: String,
    },
    /// Refused for good.
    #[error("refused: {0}")]
    Refused(String),
    /// Nobody knows whether it was done: no answer, or one from in between.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

/// A quota of the namespace is used up, or asks for limits the template does not give.
pub const QUOTA_EXCEEDED: &str = "QuotaExceeded";
/// An admission webhook or policy refuses it.
pub const ADMISSION_DENIED: &str = "AdmissionDenied";
/// We lack the right.
pub const FORBIDDEN: &str = "Forbidden";
/// The namespace is going, or gone.
pub const NAMESPACE_TERMINATING: &str = "NamespaceTerminating";
/// The API server does not answer, or asks for patience.
pub const API_UNAVAILABLE: &str = "ApiUnavailable";
/// The installed CRD drops fields this version writes.
pub const CRD_TOO_OLD: &str = "CRDTooOld";

/// The words of the chart's fencing policy.
const FENCED: &str = "fenced: leader term";
/// Who speaks when a policy of the API server's own refuses.
const POLICY: &str = "ValidatingAdmissionPolicy '";

impl Fault {
    /// The word for conditions and metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::NotLeader => "NotLeader",
            Self::Fenced(_) => "Fenced",
            Self::NotFound(_) => "NotFound",
            Self::AlreadyExists(_) => "AlreadyExists",
            Self::Conflict(_) => "Conflict",
            Self::Blocked { reason, .. } => reason,
            Self::Refused(_) => "Refused",
            Self::Unknown(_) => "Unknown",
        }
    }
}

impl From<kube::Error> for Fault {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => from_status(&status),
            other => Self::Unknown(chain(&other)),
        }
    }
}

/// An error with its causes: the outermost alone seldom says what is wrong.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

fn from_status(status: &Status) -> Fault {
    let message = if status.message.is_empty() { status.reason.clone() } else { status.message.clone() };
    let blocked = |reason| Fault::Blocked { reason, message: message.clone() };
    match status.code {
        403 if is_fence(&message) => Fault::Fenced(message),
        404 => Fault::NotFound(message),
        409 if status.reason == "AlreadyExists" => Fault::AlreadyExists(message),
        409 => Fault::Conflict(message),
        403 => blocked(forbidden_by(status, &message)),
        401 => blocked(FORBIDDEN),
        429 => blocked(API_UNAVAILABLE),
        400 | 413 | 422 if is_admission(&message) => blocked(ADMISSION_DENIED),
        400 | 405 | 413 | 415 | 422 => Fault::Refused(message),
        // The API server reports an object too large for etcd as an error of its own.
        500 if message.contains("request is too large") => Fault::Refused(message),
        // A webhook that cannot be called: the request got no further.
        500 if is_admission(&message) => blocked(ADMISSION_DENIED),
        _ => Fault::Unknown(format!("{} {message}", status.code)),
    }
}

/// Whether a policy itself says so: users can put any words into their objects, and other refusals
/// repeat them.
fn is_fence(message: &str) -> bool {
    message.rsplit_once("denied request: ").is_some_and(|(who, why)| who.contains(POLICY) && why.starts_with(FENCED))
}

fn is_admission(message: &str) -> bool {
    ["denied the request", "denied request", "failed calling webhook"].iter().any(|it| message.contains(it))
}

fn forbidden_by(status: &Status, message: &str) -> &'static str {
    let causes = status.details.as_ref().map(|it| it.causes.as_slice()).unwrap_or_default();
    if causes.iter().any(|it| it.reason == "NamespaceTerminating") {
        NAMESPACE_TERMINATING
    } else if message.contains("exceeded quota") || message.contains("failed quota") {
        QUOTA_EXCEEDED
    } else if is_admission(message) {
        ADMISSION_DENIED
    } else {
        FORBIDDEN
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::{Fault, from_status};

    fn fault(code: u16, reason: &str, message: &str) -> String {
        let status = Status { code, reason: reason.into(), message: message.into(), ..Status::default() };
        from_status(&status).category().to_owned()
    }

    #[test]
    fn refusals_are_told_apart_by_their_cause_and_not_by_their_code() {
        for (code, reason, message, expected) in [
            (409, "AlreadyExists", r#"jobs.batch "a" already exists"#, "AlreadyExists"),
            (409, "Conflict", "the object has been modified", "Conflict"),
            (
                403,
                "Forbidden",
                r#"jobs.batch "a" is forbidden: exceeded quota: q, requested: count/jobs.batch=1"#,
                "QuotaExceeded",
            ),
            (403, "Forbidden", r#"admission webhook "w" denied the request: no"#, "AdmissionDenied"),
            (403, "Forbidden", r#"User "u" cannot create resource "jobs" in API group "batch""#, "Forbidden"),
            (422, "Invalid", "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", "AdmissionDenied"),
            (422, "Invalid", r#"Job.batch "a" is invalid: spec.template.spec.containers: Required value"#, "Refused"),
            (400, "BadRequest", "quantities must match the regular expression", "Refused"),
            (413, "RequestEntityTooLarge", "limit is 3145728", "Refused"),
            (500, "", "etcdserver: request is too large", "Refused"),
            (500, "InternalError", "failed calling webhook \"w\": connection refused", "AdmissionDenied"),
            (500, "", "rpc error: code = Unavailable", "Unknown"),
            (504, "Timeout", "context deadline exceeded", "Unknown"),
            (429, "TooManyRequests", "too many requests", "ApiUnavailable"),
        ] {
            assert_eq!(fault(code, reason, message), expected, "{code} {message}");
        }
    }

    #[test]
    fn only_the_policy_itself_can_say_that_our_term_is_over() {
        let policy = "jobs.batch \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ";
        let said = format!("{policy}fenced: leader term 3 is over, the present term is 4");
        assert_eq!(fault(403, "Forbidden", &said), "Fenced");
        for (code, reason, message) in [
            (
                422,
                "Invalid",
                "Job.batch \"a\" is invalid: metadata.labels: Invalid value: \"fenced: leader term\"".to_owned(),
            ),
            (403, "Forbidden", "admission webhook \"w\" denied the request: fenced: leader term 3".to_owned()),
            (403, "Forbidden", format!("{policy}the label fenced: leader term is not allowed")),
        ] {
            assert_ne!(fault(code, reason, &message), "Fenced", "{message}");
        }
    }

    #[test]
    fn an_error_without_an_answer_is_an_unknown_outcome() {
        let error = kube::Error::Service("connection reset".into());
        assert!(matches!(Fault::from(error), Fault::Unknown(_)));
    }
}
