//! Carries out a candidate's moves: requests, their time-outs, what came of them, and the log.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use kube::Api;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::election::{Candidate, Lost, Move, Sight, Term};
use super::wire::{self, Claim, LeaseObject, Refusal};
use super::{Config, Election, LeaderHandle, follow};
use crate::clock::{Clock, Reading};

/// Watch events that may wait while a request is under way; the watch waits beyond that.
const EVENTS_WAITING: usize = 16;
/// How often a release is tried.
const RELEASE_ATTEMPTS: u32 = 3;
/// A refusal that does not heal by itself is repeated in the log this often.
const DENIED_LOGGED_EVERY: Duration = Duration::from_secs(30);

/// A Lease is created with the time since 1970 in this unit as its term: the finest round one that an
/// `int32` holds for some centuries.
const TERM_SECONDS: i64 = 8;

/// The candidate, and what it takes to carry out its moves.
pub(super) struct Participant {
    api: Api<LeaseObject>,
    config: Config,
    clock: Clock,
    handle: LeaderHandle,
    candidate: Candidate,
    /// The Lease the candidate's sight was taken from: a write keeps what is not ours in it.
    lease: Option<LeaseObject>,
    /// The renewals since the last that succeeded: what they wrote, and when they were sent.
    unanswered: Vec<(String, Reading)>,
    events: mpsc::Receiver<Option<LeaseObject>>,
    version: watch::Sender<Option<String>>,
    last_failure: Option<String>,
    denied_logged: Option<Duration>,
    holder_logged: Option<String>,
}

impl Participant {
    pub(super) fn new(election: Election, follower: &mut JoinSet<()>) -> Self {
        let Election { api, config, clock, handle } = election;
        let (event_sender, events) = mpsc::channel(EVENTS_WAITING);
        let (version, newest) = watch::channel(None);
        follower.spawn(follow::follow(api.clone(), config.name.clone(), newest, event_sender));
        Self {
            candidate: Candidate::new(config.identity.clone(), config.timings),
            api,
            config,
            clock,
            handle,
            lease: None,
            unanswered: Vec::new(),
            events,
            version,
            last_failure: None,
            denied_logged: None,
            holder_logged: None,
        }
    }

    /// What went wrong last, unless a renewal has succeeded since.
    pub(super) fn last_failure(&self) -> Option<&str> {
        self.last_failure.as_deref()
    }

    /// Notes for others that we are alive, and what we see.
    pub(super) fn turn(&mut self) {
        self.handle.turned(self.candidate.sight());
        if let Some(Sight::Present(record)) = self.candidate.sight()
            && record.holder != self.holder_logged
        {
            self.holder_logged.clone_from(&record.holder);
            let holder = record.holder.as_deref().unwrap_or("nobody");
            tracing::info!(holder, term = record.transitions, identity = %self.config.identity, "the leader Lease changed hands");
        }
    }

    /// One move, or as much of a wait as passes before something is heard.
    pub(super) async fn step(&mut self) -> Result<(), Lost> {
        let now = self.clock.monotonic();
        match self.candidate.next(now, self.first_term()) {
            Move::StepDown(lost) => return Err(lost),
            Move::Wait(until) => tokio::select! {
                biased;
                Some(lease) = self.events.recv() => self.heard(lease),
                () = sleep(until.saturating_sub(now)) => {}
            },
            Move::Read => self.read().await,
            Move::Create { term } => {
                let sent = self.attempting(term);
                let lease = wire::new_lease(&self.config.name, &self.claim(term, None));
                let params = wire::post_params();
                let answer = self.limited(self.api.create(&params, &lease)).await;
                self.written(answer, sent);
            }
            Move::Acquire { term, resource_version } => self.replace(term, true, &resource_version).await,
            Move::Renew { term, resource_version } => self.replace(term, false, &resource_version).await,
        }
        Ok(())
    }

    async fn read(&mut self) {
        let sent = self.sending();
        match self.limited(self.api.get_opt(&self.config.name)).await {
            Ok(lease) => match lease.as_ref().and_then(|it| self.written_unanswered(it)) {
                Some(renewed) => self.written(lease.ok_or(Refusal::NotFound), renewed),
                None => self.saw(lease),
            },
            Err(refusal) => self.failed(&refusal, sent),
        }
    }

    /// When the renewal was sent that left the Lease as it was read, if it was one of ours.
    fn written_unanswered(&self, read: &LeaseObject) -> Option<Reading> {
        let record = wire::record(read);
        let is_news = self.lease.as_ref().is_none_or(|it| wire::record(it).content != record.content);
        self.unanswered.iter().find(|(content, _)| is_news && *content == record.content).map(|(_, sent)| *sent)
    }

    async fn replace(&mut self, term: Term, begins: bool, resource_version: &str) {
        let sent = self.attempting(term);
        let guarded = |lease: &&LeaseObject| lease.metadata.resource_version.as_deref() == Some(resource_version);
        let Some(mut lease) = self.lease.as_ref().filter(guarded).cloned() else {
            return self.candidate.conflicted(sent.monotonic);
        };
        let since = if begins { None } else { wire::acquired(&lease) };
        wire::write(&mut lease, &self.claim(term, since));
        if !begins {
            self.unanswered.push((wire::record(&lease).content, sent));
        }
        let params = wire::post_params();
        let answer = self.limited(self.api.replace(&self.config.name, &params, &lease)).await;
        self.written(answer, sent);
    }

    fn written(&mut self, answer: Result<LeaseObject, Refusal>, sent: Reading) {
        match answer {
            Ok(lease) => {
                let record = wire::record(&lease);
                let (term, begins) = (record.transitions, self.candidate.term().is_none());
                self.version.send_replace(Some(record.resource_version.clone()));
                self.candidate.won(record, sent.monotonic, self.clock.monotonic());
                self.lease = Some(lease);
                self.unanswered.clear();
                self.handle.renewed(term, sent);
                self.last_failure = None;
                if begins {
                    tracing::info!(term, identity = %self.config.identity, "this replica leads");
                }
            }
            Err(Refusal::Conflict) => self.candidate.conflicted(sent.monotonic),
            // Deleted since we read it: as much a reason to look again as a change.
            Err(Refusal::NotFound) if self.lease.is_some() => self.candidate.conflicted(sent.monotonic),
            Err(refusal) => self.failed(&refusal, sent),
        }
    }

    fn failed(&mut self, refusal: &Refusal, sent: Reading) {
        self.candidate.failed(sent.monotonic);
        let (namespace, name) = (&self.config.namespace, &self.config.name);
        let failure = match refusal {
            Refusal::Conflict => "conflict".to_owned(),
            Refusal::NotFound => format!("namespace {namespace:?} does not exist"),
            Refusal::Denied(message) | Refusal::Unclear(message) => message.clone(),
        };
        let now = self.clock.monotonic();
        let quiet = self.denied_logged.is_some_and(|at| now.saturating_sub(at) < DENIED_LOGGED_EVERY);
        match refusal {
            Refusal::Denied(_) if quiet => {}
            Refusal::Denied(_) => {
                self.denied_logged = Some(now);
                tracing::error!(
                    failure,
                    namespace,
                    name,
                    remedy = "let the operator's ServiceAccount get, watch, create and update this Lease (group coordination.k8s.io)",
                    "the leader Lease is denied to us; this does not heal by itself"
                );
            }
            _ => tracing::warn!(failure, namespace, name, "the leader Lease cannot be reached"),
        }
        self.last_failure = Some(failure);
    }

    fn heard(&mut self, lease: Option<LeaseObject>) {
        if self.candidate.heard(sight(lease.as_ref()), self.clock.monotonic()) {
            self.keep(lease);
        }
    }

    fn saw(&mut self, lease: Option<LeaseObject>) {
        self.candidate.saw(sight(lease.as_ref()), self.clock.monotonic());
        self.keep(lease);
    }

    fn keep(&mut self, lease: Option<LeaseObject>) {
        self.version.send_replace(lease.as_ref().and_then(|lease| lease.metadata.resource_version.clone()));
        self.lease = lease;
    }

    /// Gives the Lease away, if it is ours. Nobody may be acting on it any more.
    pub(super) async fn release(mut self) {
        if !self.candidate.may_hold() {
            return;
        }
        let ours = |lease: &LeaseObject| wire::record(lease).holder.as_deref() == Some(&self.config.identity);
        let mut known = self.lease.take().filter(ours);
        for _ in 0..RELEASE_ATTEMPTS {
            let lease = match known.take() {
                Some(lease) => lease,
                None => match self.limited(self.api.get_opt(&self.config.name)).await {
                    Ok(Some(lease)) => lease,
                    Ok(None) => return,
                    Err(_) => continue,
                },
            };
            if !ours(&lease) {
                return;
            }
            let term = wire::record(&lease).transitions;
            let mut released = lease;
            let claim = Claim { holder: "", ..self.claim(term, wire::acquired(&released)) };
            wire::write(&mut released, &claim);
            let params = wire::post_params();
            match self.limited(self.api.replace(&self.config.name, &params, &released)).await {
                Ok(_) => return tracing::info!(term, "the leader Lease is released"),
                Err(refusal) => tracing::debug!(?refusal, "the leader Lease could not be released yet"),
            }
        }
        tracing::warn!("the leader Lease could not be released; it will expire");
    }

    /// A request under the time-out that applies now.
    async fn limited<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, Refusal> {
        let now = self.clock.monotonic();
        let rest = self.candidate.deadline().map_or(Duration::MAX, |deadline| deadline.saturating_sub(now));
        let limit = self.config.timings.call_timeout().min(rest);
        match timeout(limit, call).await {
            Ok(answer) => answer.map_err(|error| Refusal::of(&error)),
            Err(_) => Err(Refusal::Unclear(format!("no answer within {} ms", limit.as_millis()))),
        }
    }

    fn sending(&mut self) -> Reading {
        self.candidate.set_patience(self.config.timings.retry_period().mul_f64(rand::random_range(1.0..1.5)));
        self.clock.reading()
    }

    fn attempting(&mut self, term: Term) -> Reading {
        self.candidate.attempting(term);
        self.sending()
    }

    fn claim(&self, transitions: Term, acquired: Option<Timestamp>) -> Claim<'_> {
        let duration_seconds = i64::try_from(self.config.timings.lease_duration().as_secs()).unwrap_or(i64::MAX);
        let now = self.clock.now();
        let acquired = acquired.unwrap_or(now);
        Claim { holder: &self.config.identity, duration_seconds, transitions, acquired, now }
    }

    /// The term of a Lease created now, so that terms go on rising although somebody deleted the
    /// Lease that counted them.
    fn first_term(&self) -> Term {
        self.clock.now().as_second().max(0) / TERM_SECONDS
    }
}

fn sight(lease: Option<&LeaseObject>) -> Sight {
    lease.map_or(Sight::Absent, |lease| Sight::Present(wire::record(lease)))
}
