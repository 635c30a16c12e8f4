//! The world of a simulation: replicas of the real operator in virtual time, the network between
//! them and the model of the API server, and whatever a scenario does to all of them.
//!
//! One seed gives one history, byte for byte: every replica has a runtime of its own that stands
//! still unless the driver lets it pass time, everything is on one thread, and all randomness comes
//! from the seed.

mod acts;
mod connection;
mod crash_points;
mod crowd;
mod log;
mod network;
mod play;
mod randomness;
mod replica;
mod scenario;
mod seeds;
mod stories;
mod story;
mod summary;
mod time;
mod users;

use std::collections::BTreeMap;
use std::time::Duration;

use http::Request;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::oneshot;

use crate::api::{Answer, ApiServer};
use crate::history::{Fact, What};
use crate::oracle::Oracle;
use connection::Answered;
use crash_points::{Kind, Write};
use log::Said;
use network::{Message, Network, Reception, Who};
use replica::{Life, RIGHT};
use scenario::{End, Scenario, ServerAct};
use summary::{Complaint, Summary};
use time::At;

/// How far all go on at once, at most, when nothing is known to happen. With one replica no request
/// is late for it: each ends a stride.
const STRIDE_ALONE: u64 = 2_000;
const STRIDE_TOGETHER: u64 = 200;
/// So many steps in the same millisecond are a loop.
const STEPS_AT_ONCE: u32 = 20_000;
/// How soon whoever ended by itself is started again.
const RESTART_MILLIS: u64 = 2_000;
/// How long a replica that was told to stop may take.
const GRACE_MILLIS: u64 = 30_000;

/// A replica, from the first of its lives to the last.
#[derive(Default)]
struct Replica {
    lives: u32,
    life: Option<Life>,
    frozen: Option<Frozen>,
    /// How far its wall clock is off, but for what its pace adds.
    off_millis: i64,
    /// How fast its clocks run, if that is wrong.
    pace: Option<Pace>,
    snares: Vec<Snare>,
}

#[derive(Clone, Copy)]
struct Frozen {
    /// By its own clock.
    since: Duration,
    until: At,
    host_sleeps: bool,
}

/// How fast clocks run, in percent of the true time, and between which instants.
#[derive(Clone, Copy)]
struct Pace {
    percent: u64,
    from: At,
    until: At,
}

impl Pace {
    /// By how much clocks are off at an instant that have run so until then.
    fn off_millis(self, now: At) -> i64 {
        let passed = now.min(self.until).since(self.from);
        (passed * self.percent / RIGHT).cast_signed() - passed.cast_signed()
    }
}

/// What waits for a mutating request of a replica.
struct Snare {
    of: Option<Kind>,
    writes: u32,
    end: End,
    down: u64,
}

/// What is to happen later because of something that happened.
enum Later {
    Begin { replica: usize },
    Wake { who: Who },
    KillStopping { who: Who, down: u64 },
    SetClock { replica: usize, by_millis: i64 },
    RunRight { replica: usize },
    HealServer(ServerAct),
}

pub struct World {
    scenario: Scenario,
    now: At,
    acted: usize,
    api: ApiServer,
    is_server_down: bool,
    network: Network,
    replicas: Vec<Replica>,
    later: BTreeMap<(At, u64), Later>,
    postponed: u64,
    random: StdRng,
    oracle: Oracle,
    polled: (usize, At),
    stuck: (At, u32),
    said: Vec<(At, Said)>,
    summary: Summary,
    notes_writes: bool,
    /// Mutating requests of replicas, if they are noted.
    pub writes: Vec<Write>,
}

impl World {
    pub fn new(scenario: Scenario) -> Self {
        let api = ApiServer::new(At::default().timestamp(), scenario.seed);
        let mut world = Self {
            now: At::default(),
            acted: 0,
            api,
            is_server_down: false,
            network: Network::default(),
            replicas: (0..scenario.replicas).map(|_| Replica::default()).collect(),
            later: BTreeMap::new(),
            postponed: 0,
            random: StdRng::seed_from_u64(scenario.seed),
            oracle: Oracle::new(),
            polled: (0, At::default()),
            stuck: (At::default(), 0),
            said: Vec::new(),
            summary: Summary::default(),
            notes_writes: false,
            writes: Vec::new(),
            scenario,
        };
        world.furnish();
        for replica in 0..world.replicas.len() {
            let at = At(100 + 700 * replica as u64);
            world.postpone(at, Later::Begin { replica });
        }
        world
    }

    /// Plays the scenario to its end.
    pub fn play(&mut self) -> Result<Summary, Complaint> {
        let _listening = log::listen();
        while self.now < self.scenario.calm {
            self.step(self.scenario.calm)?;
        }
        self.calm();
        let end = self.now.plus(self.scenario.rest_millis);
        while self.now < end {
            self.step(end)?;
        }
        self.oracle.at_rest(&self.api).map_err(Complaint::from)?;
        let history = self.api.history();
        let is_start = |it: &&crate::history::Change| it.resource == "jobs" && it.before.is_none();
        self.summary.runs = history.changes.iter().filter(is_start).count() as u64;
        self.summary.requests = history.requests.len() as u64;
        self.summary.millis = self.now.0;
        Ok(self.summary)
    }

    /// Lets everybody go on until the next thing happens, and lets it happen.
    fn step(&mut self, end: At) -> Result<(), Complaint> {
        let mut reached = self.next_moment().min(end);
        for replica in self.replicas.iter_mut().filter(|it| it.frozen.is_none()) {
            if let Some(life) = &mut replica.life {
                reached = life.go_on(reached).min(reached);
            }
        }
        self.now = self.now.max(reached);
        self.api.advance_to(self.now.timestamp());
        self.hear()?;
        self.take_away();
        while let Some(message) = self.network.arrived(self.now) {
            self.arrive(message);
        }
        self.bury();
        while let Some(due) = self.later.first_entry().filter(|it| it.key().0 <= self.now) {
            let later = due.remove();
            self.happen(later);
        }
        while let Some(timed) = self.scenario.acts.get(self.acted).filter(|it| it.at <= self.now).cloned() {
            self.acted += 1;
            self.act(&timed.act);
        }
        self.poll_watches();
        self.check_progress()?;
        self.oracle.step(self.api.history()).map_err(Complaint::from)
    }

    fn next_moment(&self) -> At {
        let stride = if self.replicas.len() == 1 { STRIDE_ALONE } else { STRIDE_TOGETHER };
        let next_act = self.scenario.acts.get(self.acted).map(|it| it.at);
        let next_later = self.later.first_key_value().map(|((at, _), _)| *at);
        let next_event = self.api.next_event().map(|it| At::of(it).max(self.now.plus(1)));
        let known = [self.network.next(), next_act, next_later, next_event];
        known.into_iter().flatten().fold(self.now.plus(stride), At::min).max(self.now)
    }

    /// Takes note of what the operator says: a panic is never right, and neither is a loop,
    /// or an alarm of something that the oracle does not see.
    fn hear(&mut self) -> Result<(), Complaint> {
        for said in log::take() {
            let (is_panic, line) = (said.is_panic, said.line.clone());
            self.said.push((self.now, said));
            if is_panic {
                return Err(Complaint { promise: "the operator never panics".into(), details: line });
            }
            if line.contains("does not come to rest") {
                return Err(Complaint { promise: "a Schedule comes to rest".into(), details: line });
            }
            if line.contains("a promise is broken") {
                return Err(Complaint { promise: "the operator sees no promise broken".into(), details: line });
            }
        }
        Ok(())
    }

    fn take_away(&mut self) {
        for number in 0..self.replicas.len() {
            let replica = &mut self.replicas[number];
            let Some(life) = &mut replica.life else { continue };
            // One that stopped before it may have kept all others back.
            let at = self.now.max(life.reached);
            for sent in life.take_sent() {
                let never = self.network.send((number, replica.lives), sent, at, &mut self.random);
                life.silenced.extend(never);
            }
        }
    }

    fn arrive(&mut self, message: Message) {
        match message {
            Message::Request { who, request, answer } => {
                let answered = self.receive(who, &request);
                let write = Write::of(&request);
                let snare = write.as_ref().and_then(|it| self.snared(who, it));
                self.writes.extend(write.filter(|_| self.notes_writes));
                match snare.as_ref().map(|it| it.end) {
                    Some(End::AnswerLost | End::KilledUnanswered) => self.keep(who, Some(answer)),
                    Some(End::KilledAnswered) => self.answer_at_last(who, answered, answer),
                    Some(End::FrozenHalfSent | End::AsleepHalfSent) | None => {
                        let never = self.network.answer(who, answered, answer, self.now, &mut self.random);
                        self.keep(who, never);
                    }
                }
                snare.into_iter().for_each(|it| self.spring(who, &it));
            }
            Message::Answer { answered, answer } => drop(answer.send(answered)),
            Message::Line { watch, line } => {
                let lines = self.network.watches.get(&watch).and_then(|it| it.lines.as_ref());
                lines.into_iter().for_each(|it| drop(it.unbounded_send(Ok(line.clone()))));
            }
            Message::WatchEnds { watch, breaks } => {
                let Some(open) = self.network.watches.remove(&watch) else { return };
                self.api.close_watch(open.id);
                if breaks {
                    let reset = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
                    open.lines.into_iter().for_each(|it| drop(it.unbounded_send(Err(reset()))));
                }
            }
        }
    }

    fn receive(&mut self, who: Who, request: &Request<Vec<u8>>) -> Answered {
        if self.is_server_down {
            return Answered::Broken;
        }
        let reception = self.network.reception(who, request, self.now, &mut self.random);
        if let Reception::Refuse(code) = reception {
            return Answered::Reply(network::refusal(code));
        }
        let answer = self.api.serve(&name(who), request);
        match (answer, reception) {
            (Answer::Watch(id), _) => self.network.open(id, who, request.uri().to_string(), self.now),
            (Answer::Reply(_), Reception::ServeAndRefuse(code)) => Answered::Reply(network::refusal(code)),
            (Answer::Reply(reply), _) => Answered::Reply(reply),
        }
    }

    /// The answer arrives at once, and what the replica wants to send because of it is never sent.
    fn answer_at_last(&mut self, who: Who, answered: Answered, answer: oneshot::Sender<Answered>) {
        let soon = self.now.plus(1);
        drop(answer.send(answered));
        if let Some(life) = self.life(who) {
            life.go_on(soon);
            drop(life.take_sent());
        }
    }

    /// Answers that never come are kept for as long as somebody waits for them.
    fn keep(&mut self, who: Who, answer: Option<oneshot::Sender<Answered>>) {
        if let Some(life) = self.life(who) {
            life.silenced.extend(answer);
        }
    }

    fn life(&mut self, who: Who) -> Option<&mut Life> {
        let replica = &mut self.replicas[who.0];
        if replica.lives == who.1 { replica.life.as_mut() } else { None }
    }

    /// Takes note of who ended by itself; a new life begins soon.
    fn bury(&mut self) {
        for number in 0..self.replicas.len() {
            let ended = self.replicas[number].life.as_ref().and_then(Life::ended);
            let Some(error) = ended else { continue };
            self.note(What::Ended(name((number, self.replicas[number].lives)), error));
            self.end_life(number);
            let is_expected =
                self.later.values().any(|it| matches!(it, Later::Begin { replica } if *replica == number));
            if !is_expected {
                self.postpone(self.now.plus(RESTART_MILLIS), Later::Begin { replica: number });
            }
        }
    }

    fn poll_watches(&mut self) {
        let changes = self.api.history().changes.len();
        if self.polled.0 == changes && self.now.since(self.polled.1) < 1_000 {
            return;
        }
        self.polled = (changes, self.now);
        let open: Vec<usize> = self.network.watches.iter().filter(|it| !it.1.is_over).map(|it| *it.0).collect();
        for watch in open {
            let it = &self.network.watches[&watch];
            if it.lines.as_ref().is_none_or(futures::channel::mpsc::UnboundedSender::is_closed) {
                self.api.close_watch(it.id);
                self.network.watches.remove(&watch);
                continue;
            }
            match self.api.poll_watch(it.id) {
                Some(lines) => {
                    lines.into_iter().for_each(|it| self.network.tell(watch, it, self.now, &mut self.random));
                }
                None => self.network.end_watch(watch, false, self.now, &mut self.random),
            }
        }
    }

    fn check_progress(&mut self) -> Result<(), Complaint> {
        self.stuck = if self.stuck.0 == self.now { (self.now, self.stuck.1 + 1) } else { (self.now, 0) };
        if self.stuck.1 > STEPS_AT_ONCE {
            let details = format!("{STEPS_AT_ONCE} steps at {}", self.now);
            return Err(Complaint { promise: "the operator does not spin".into(), details });
        }
        Ok(())
    }

    fn postpone(&mut self, at: At, later: Later) {
        self.postponed += 1;
        self.later.insert((at, self.postponed), later);
    }

    fn note(&mut self, what: What) {
        let at = self.now.timestamp();
        self.api.history_mut().facts.push(Fact { at, what });
    }
}

/// What a life of a replica is called: a letter and a number.
fn name((replica, life): Who) -> String {
    let letter = char::from(b'a' + u8::try_from(replica).unwrap_or(25).min(25));
    format!("{letter}{life}")
}
