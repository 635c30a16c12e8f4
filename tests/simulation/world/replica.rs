//! One life of a replica: the real operator in a runtime of its own, whose time stands still unless
//! the driver lets it pass.

use std::time::Duration;

use jiff::SignedDuration;
use punctual::clock::Clock;
use punctual::leadership;
use punctual::operator::{Operator, OperatorError, Settings};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::connection::{Answered, Outbox, Sent};
use super::log;
use super::time::At;

/// The namespace of the leader Lease.
pub const HOME: &str = "punctual-system";
/// What a clock that is right does in the time of the world: a hundred percent of it.
pub const RIGHT: u64 = 100;

type End = Result<Result<(), OperatorError>, JoinError>;

/// One life, from its start to its end.
pub struct Life {
    pub name: String,
    runtime: Runtime,
    clock: Clock,
    outbox: Outbox,
    operator: JoinHandle<Result<(), OperatorError>>,
    end: Option<End>,
    stop: Option<oneshot::Sender<()>>,
    born: Instant,
    /// An instant by the true time and by the life's own, and how much of its own time passes in
    /// the true time since, in percent.
    anchor: (At, Duration),
    percent: u64,
    /// How far it came, by the true time.
    pub reached: At,
    /// Answers that never come.
    pub silenced: Vec<oneshot::Sender<Answered>>,
}

impl Life {
    /// Begins, with a wall clock that is off by so many milliseconds.
    pub fn begin(
        name: String,
        now: At,
        off_millis: i64,
        percent: u64,
        requests_at_once: usize,
        looks_at_once: usize,
    ) -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let outbox = Outbox::default();
        let (stop, stopped) = oneshot::channel::<()>();
        let settings = Settings {
            namespaces: Vec::new(),
            leadership: leadership::Config { identity: name.clone(), ..leadership::Config::new(HOME) },
            run_lease_duration: Some(punctual::run_leases::DEFAULT_DURATION),
            fence: Duration::from_secs(120),
            max_requests_in_flight: requests_at_once,
            looks_at_once,
            address: ([127, 0, 0, 1], 0).into(),
        };
        let (born, clock, operator) = runtime.block_on(async {
            let clock = Clock::simulated(now.timestamp() + SignedDuration::from_millis(off_millis));
            let operator = Operator::new(outbox.client(), settings, clock.clone());
            let told = async move {
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            (Instant::now(), clock, tokio::spawn(operator.run(told)))
        });
        let anchor = (now, Duration::ZERO);
        let (end, stop, silenced) = (None, Some(stop), Vec::new());
        Self { name, runtime, clock, outbox, operator, end, stop, born, anchor, percent, reached: now, silenced }
    }

    /// Goes on until an instant, or until it sends something; answers how far it came. It may be
    /// further already, if another one stopped to send something: then it waits.
    pub fn go_on(&mut self, until: At) -> At {
        if self.end.is_some() || until < self.reached {
            return until;
        }
        let _speaking = log::speaking(&self.name);
        let target = self.born + self.own(until);
        let (outbox, operator, born) = (&self.outbox, &mut self.operator, self.born);
        let (end, stopped) = self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = outbox.filled() => (None, Some(born.elapsed())),
                end = operator => (Some(end), Some(born.elapsed())),
                () = tokio::time::sleep_until(target) => (None, None),
            }
        });
        self.end = end;
        self.reached = stopped.map_or(until, |own| self.truly(own).min(until));
        self.reached
    }

    /// What it sent since this was last asked.
    pub fn take_sent(&self) -> Vec<Sent> {
        self.outbox.take()
    }

    /// How it ended by itself, if it has: with the error, if any.
    pub fn ended(&self) -> Option<Option<String>> {
        self.end.as_ref().map(|end| match end {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        })
    }

    /// Tells it to stop, as SIGTERM does.
    pub fn tell_to_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// It was stopped since some instant of its own clock, as by SIGSTOP: all of that time has passed
    /// when it goes on. If its host slept, only the wall clock has moved.
    pub fn wake(&mut self, since: Duration, now: At, host_slept: bool) {
        let missed = self.own(now).saturating_sub(since);
        self.reached = self.reached.max(now);
        if host_slept {
            self.clock.step(SignedDuration::try_from(missed).unwrap());
            self.anchor = (now, since);
        } else {
            let _speaking = log::speaking(&self.name);
            self.runtime.block_on(tokio::time::advance(missed));
        }
    }

    /// Sets its wall clock on, or back.
    pub fn step_clock(&self, millis: i64) {
        self.clock.step(SignedDuration::from_millis(millis));
    }

    /// From now on its clocks run so fast.
    pub fn run_at(&mut self, percent: u64, now: At) {
        self.anchor = (now, self.own(now));
        self.percent = percent;
    }

    /// How long it has lived by its own clock, at an instant of the true time.
    pub fn own(&self, at: At) -> Duration {
        self.anchor.1 + Duration::from_millis(at.since(self.anchor.0) * self.percent / 100)
    }

    fn truly(&self, own: Duration) -> At {
        let passed = u64::try_from(own.saturating_sub(self.anchor.1).as_millis()).unwrap_or(u64::MAX);
        self.anchor.0.plus((passed * 100).div_ceil(self.percent))
    }
}
