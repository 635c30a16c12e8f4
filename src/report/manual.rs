//! What is told of runs that were asked for by hand: the status of each ScheduleRun, derived from
//! what is known and planned, so that it is right whatever was told before.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::conditions::Writer;
use super::happened::{Happened, StartEnd};
use super::notices::{self, Notice};
use super::{results, text};
use crate::api::ScheduleRunStatus;
use crate::api::spec::ScheduleSpec;
use crate::api::status::{ActiveRun, Origin, Outcome, Pending, ScheduleStatus};
use crate::decide::plan::{Plan, Reason, RunEnd};
use crate::decide::snapshot::ScheduleRunView;
use crate::decide::{Snapshot, naming};

/// It did what it was asked to do.
pub const COMPLETE: &str = "Complete";
/// It is over, and did not.
pub const FAILED: &str = "Failed";

/// The longest message, in bytes.
const MESSAGE_BYTES: usize = 1024;

/// What to store of one ScheduleRun, and what to tell once it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleRunReport {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The version of the object it was decided on.
    pub version: String,
    /// The whole new status.
    pub status: ScheduleRunStatus,
    /// What to tell.
    pub notices: Vec<Notice>,
}

/// The ScheduleRuns whose status is to change, when this is the new status of their Schedule.
pub(super) fn report(
    snapshot: &Snapshot,
    plan: &Plan,
    happened: &Happened,
    status: &ScheduleStatus,
) -> Vec<ScheduleRunReport> {
    let spec = snapshot.readable_spec();
    let new = |run: &ScheduleRunView| {
        let told = Telling { run, now: snapshot.now, spec };
        let name = run.job_name(&snapshot.schedule);
        let is_its = |job_name: &str| naming::split(job_name).0 == name;
        let is_it = |origin: &Origin| *origin == Origin::ScheduleRun(run.name.clone());
        if let Some(end) = plan.untold.iter().find(|it| is_its(&it.run.job_name)) {
            return Some(told.ended(end));
        }
        if run.deleting {
            return None;
        }
        if let Some(active) = status.active.iter().find(|it| is_its(&it.job_name)) {
            return Some(told.active(active));
        }
        if let Some(dismissed) = plan.dismissed.iter().find(|it| it.name == run.name) {
            return Some(told.dismissed(&dismissed.outcome, dismissed.reason, None));
        }
        if let Some((_, end)) = happened.starts.iter().find(|(start, _)| is_it(&start.origin)) {
            match end {
                StartEnd::NameTaken => {
                    return Some(told.dismissed(&Outcome::FailedToCreate, Reason::NameTaken, None));
                }
                StartEnd::Refused { message } => {
                    return Some(told.dismissed(&Outcome::FailedToCreate, Reason::JobRefused, Some(message)));
                }
                StartEnd::Created { .. } | StartEnd::FoundOurs(_) | StartEnd::Blocked { .. } => {}
            }
        }
        if run.is_over() {
            return None;
        }
        if let Some(pending) = status.pending.iter().find(|it| is_it(&it.origin)) {
            return Some(told.pending(pending));
        }
        // It is not decided yet, and reads so by itself.
        snapshot.spec.as_ref().err().filter(|_| spec.is_none()).map(|refusal| told.held(refusal))
    };
    snapshot.schedule_runs.iter().filter_map(|run| changed(run, new(run)?)).collect()
}

/// The end of a ScheduleRun whose Schedule is not there.
#[must_use]
pub fn without_schedule(run: &ScheduleRunView, now: Timestamp) -> Option<ScheduleRunReport> {
    if run.is_over() {
        return None;
    }
    let outcome = if run.status.job_name.is_some() { Outcome::Deleted } else { Outcome::BeforeCreation };
    let told = Telling { run, now, spec: None };
    changed(run, told.dismissed(&outcome, Reason::NoSuchSchedule, None))
}

/// What is to be stored and told, if it is not what is there.
fn changed(run: &ScheduleRunView, status: ScheduleRunStatus) -> Option<ScheduleRunReport> {
    if run.status == status {
        return None;
    }
    let mut telling = Vec::new();
    if let Some(job_name) = status.job_name.as_deref().filter(|_| run.status.job_name.is_none()) {
        telling.push(notices::of_schedule_run(false, &Outcome::Started, "it runs", Some(job_name)));
    }
    if let Some(outcome) = status.outcome.as_ref().filter(|_| run.status.outcome.is_none()) {
        let note = status.conditions.first().map(|it| it.message.clone()).unwrap_or_default();
        telling.push(notices::of_schedule_run(!outcome.is_success(), outcome, &note, status.job_name.as_deref()));
    }
    let (name, uid, version) = (run.name.clone(), run.uid.clone(), run.version.clone());
    Some(ScheduleRunReport { name, uid, version, status, notices: telling })
}

/// Puts into words where one ScheduleRun stands.
struct Telling<'a> {
    run: &'a ScheduleRunView,
    now: Timestamp,
    spec: Option<&'a ScheduleSpec>,
}

impl Telling<'_> {
    /// It waits.
    fn pending(&self, pending: &Pending) -> ScheduleRunStatus {
        let words = match &pending.message {
            Some(message) => format!("its start is refused and tried again: {message}"),
            None => "it waits for an active run of its Schedule to end".to_owned(),
        };
        self.standing(&pending.why.to_string(), pending.reason.as_deref(), &words)
    }

    /// It cannot be decided on.
    fn held(&self, refusal: &crate::decide::snapshot::Refusal) -> ScheduleRunStatus {
        self.standing("Pending", Some(refusal.reason), &format!("its Schedule cannot work: {}", refusal.message))
    }

    /// It runs.
    fn active(&self, active: &ActiveRun) -> ScheduleRunStatus {
        let reason = active.waiting.is_some().then_some(active.reason.as_deref().unwrap_or("PodNotReady"));
        let words = match (&active.stop_reason, &active.waiting) {
            (Some(why), _) => why.clone(),
            (None, cause) if active.last_attempt.is_some() => {
                let cause = cause.as_deref().map(|it| format!(": its Job is refused: {it}")).unwrap_or_default();
                format!("attempt {} has failed, and another follows{cause}", active.attempt)
            }
            (None, Some(cause)) => format!("Job {} has had no ready Pod for a minute: {cause}", active.job_name),
            (None, None) => format!("Job {} runs", active.job_name),
        };
        ScheduleRunStatus {
            job_name: Some(active.job_name.clone()),
            attempts: Some(active.attempt),
            start_time: Some(active.start_time.clone()),
            ..self.standing(active.state.as_str(), reason, &words)
        }
    }

    /// Its run has ended.
    fn ended(&self, end: &RunEnd) -> ScheduleRunStatus {
        let how = notices::how_it_ended(end);
        let (message, truncated) = match &end.message {
            Some(message) => {
                let (message, truncated) = text::clean(message, MESSAGE_BYTES);
                (Some(message), truncated)
            }
            None => (None, false),
        };
        ScheduleRunStatus {
            reason: end.reason.clone(),
            message,
            truncated,
            job_name: Some(end.run.job_name.clone()),
            attempts: Some(end.run.attempt),
            exit_code: end.exit_code,
            start_time: Some(end.run.start_time.clone()),
            ..self.over(&end.outcome, end.at, &how)
        }
    }

    /// It is over without a run, or its run went with its Schedule.
    fn dismissed(&self, outcome: &Outcome, reason: Reason, message: Option<&str>) -> ScheduleRunStatus {
        let words = match message {
            Some(message) => format!("{}: {message}", notices::in_words(reason)),
            None => match reason {
                Reason::BeforeCreation => "it is older than the Schedule of this name: create it again".to_owned(),
                reason => notices::in_words(reason).to_owned(),
            },
        };
        let now = Timestamp::from_second(self.now.as_second()).unwrap_or(self.now);
        ScheduleRunStatus {
            reason: Some(reason.to_string()),
            message: Some(text::clean(&words, MESSAGE_BYTES).0),
            job_name: self.run.status.job_name.clone().filter(|_| outcome.is_of_run()),
            start_time: self.run.status.start_time.clone().filter(|_| outcome.is_of_run()),
            ..self.over(outcome, now, &words)
        }
    }

    fn over(&self, outcome: &Outcome, at: Timestamp, words: &str) -> ScheduleRunStatus {
        let expiration = self.spec.and_then(|spec| results::expiration(spec, outcome, at));
        ScheduleRunStatus {
            outcome: Some(outcome.clone()),
            state: Some(outcome.to_string()),
            completion_time: Some(Time(at)),
            expiration_time: expiration,
            ..self.with_conditions(outcome.as_str(), Some(outcome), words)
        }
    }

    fn standing(&self, state: &str, reason: Option<&str>, words: &str) -> ScheduleRunStatus {
        ScheduleRunStatus {
            state: Some(state.to_owned()),
            reason: reason.map(str::to_owned),
            message: reason.map(|_| text::clean(words, MESSAGE_BYTES).0),
            ..self.with_conditions(state, None, words)
        }
    }

    /// Ready and Stalled are for tools that wait for anything to be done (Helm, Flux); Complete and
    /// Failed are as those of a Job.
    fn with_conditions(&self, reason: &str, outcome: Option<&Outcome>, words: &str) -> ScheduleRunStatus {
        let mut writer =
            Writer { now: self.now, generation: self.run.generation, before: self.run.status.conditions.clone() };
        let is = |value: bool| if value { "True" } else { "False" };
        let succeeded = outcome.is_some_and(Outcome::is_success);
        let failed = outcome.is_some() && !succeeded;
        let mut conditions: Vec<_> = [("Ready", succeeded), (COMPLETE, succeeded), (FAILED, failed)]
            .map(|(type_, value)| writer.write(type_, is(value), reason, words))
            .into();
        if failed {
            conditions.push(writer.write(super::conditions::STALLED, "True", reason, words));
        }
        ScheduleRunStatus {
            uid: Some(self.run.uid.clone()),
            observed_generation: Some(self.run.generation),
            conditions,
            ..ScheduleRunStatus::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::without_schedule;
    use crate::api::ScheduleRunStatus;
    use crate::decide::snapshot::ScheduleRunView;

    fn run(status: ScheduleRunStatus) -> ScheduleRunView {
        ScheduleRunView {
            name: "adhoc".into(),
            uid: "r-1".into(),
            version: "1".into(),
            generation: 1,
            created: Timestamp::UNIX_EPOCH,
            deleting: false,
            status,
        }
    }

    #[test]
    fn one_that_names_no_schedule_is_over_and_says_what_to_do() {
        let report = without_schedule(&run(ScheduleRunStatus::default()), Timestamp::UNIX_EPOCH).expect("a report");
        let is: Vec<_> = report.status.conditions.iter().map(|it| (it.type_.as_str(), it.status.as_str())).collect();
        assert_eq!(is, [("Ready", "False"), ("Complete", "False"), ("Failed", "True"), ("Stalled", "True")]);
        assert_eq!(report.status.state.as_deref(), Some("BeforeCreation"));
        assert_eq!(report.status.reason.as_deref(), Some("NoSuchSchedule"));
        assert!(report.status.message.is_some_and(|it| it.contains("create the Schedule first")));
        assert!(report.notices.len() == 1 && report.notices[0].is_warning);
    }

    #[test]
    fn one_that_ran_went_with_its_schedule_and_one_that_is_over_is_left_alone() {
        let ran = ScheduleRunStatus { job_name: Some("job".into()), ..ScheduleRunStatus::default() };
        let report = without_schedule(&run(ran), Timestamp::UNIX_EPOCH).expect("a report");
        assert_eq!(report.status.state.as_deref(), Some("Deleted"));
        assert_eq!(report.status.job_name.as_deref(), Some("job"));
        assert_eq!(without_schedule(&run(report.status), Timestamp::UNIX_EPOCH), None);
    }
}
