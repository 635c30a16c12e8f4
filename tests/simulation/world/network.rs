//! What is under way between the replicas and the API server, when it arrives, and what is wrong
//! with the way there.

use std::collections::BTreeMap;
use std::io;

use axum::body::Bytes;
use futures::channel::mpsc;
use http::{Method, Request, Response};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::sync::oneshot;

use super::connection::{Answered, Sent};
use super::scenario::Trouble;
use super::time::At;
use crate::api::WatchId;

/// A life of a replica: its number, and which of its lives.
pub type Who = (usize, u32);

/// What arrives somewhere.
pub enum Message {
    Request { who: Who, request: Request<Vec<u8>>, answer: oneshot::Sender<Answered> },
    Answer { answered: Answered, answer: oneshot::Sender<Answered> },
    Line { watch: usize, line: Bytes },
    WatchEnds { watch: usize, breaks: bool },
}

/// A watch that somebody has open.
pub struct OpenWatch {
    pub id: WatchId,
    pub who: Who,
    /// The path it was opened with.
    pub path: String,
    pub lines: Option<mpsc::UnboundedSender<io::Result<Bytes>>>,
    /// When its last line arrives.
    last: At,
    /// The API server has nothing more to tell.
    pub is_over: bool,
}

/// A trouble, between whom, and until when.
struct Lasting {
    until: At,
    replica: Option<usize>,
    trouble: Trouble,
}

/// What the network does with a request that reached the API server's side.
pub enum Reception {
    Serve,
    /// Serves it, and answers something else.
    ServeAndRefuse(u16),
    Refuse(u16),
}

#[derive(Default)]
pub struct Network {
    under_way: BTreeMap<(At, u64), Message>,
    sent: u64,
    pub watches: BTreeMap<usize, OpenWatch>,
    opened: usize,
    troubles: Vec<Lasting>,
}

/// A request that waits for longer than this to arrive is lost instead: what arrives after the fence
/// is promised nothing.
const LATEST_MILLIS: u64 = 90_000;

impl Network {
    /// When the next thing arrives.
    pub fn next(&self) -> Option<At> {
        self.under_way.first_key_value().map(|((at, _), _)| *at)
    }

    /// What has arrived by now, one at a time.
    pub fn arrived(&mut self, now: At) -> Option<Message> {
        let first = self.under_way.first_entry()?;
        if first.key().0 <= now { Some(first.remove()) } else { None }
    }

    pub fn disturb(&mut self, replica: Option<usize>, trouble: Trouble, until: At) {
        self.troubles.push(Lasting { until, replica, trouble });
    }

    /// Nothing is wrong any more: what was held up arrives, in its order.
    pub fn calm(&mut self, now: At) {
        self.troubles.clear();
        let soon = now.plus(1);
        let held_up = self.under_way.split_off(&(soon, 0));
        held_up.into_values().for_each(|it| self.post(soon, it));
        self.watches.values_mut().for_each(|it| it.last = it.last.min(soon));
    }

    /// A request leaves a replica.
    pub fn send(&mut self, who: Who, sent: Sent, now: At, random: &mut StdRng) -> Option<oneshot::Sender<Answered>> {
        let Sent { request, answer } = sent;
        let mut at = now.plus(self.latency(who, now, random));
        if let Some(until) = self.partitioned(who, now) {
            // What the kernel still has it sends again when it can; or it hears that nobody knows of
            // the connection any more.
            if until.since(now) > LATEST_MILLIS || random.random_bool(0.5) {
                self.post(until, Message::Answer { answered: Answered::Broken, answer });
                return None;
            }
            at = until.plus(random.random_range(0..200));
        }
        let lost = self.percent(who, now, |it| if let Trouble::LoseRequests { percent } = it { *percent } else { 0 });
        if random.random_range(0..100) < lost {
            if random.random_bool(0.5) {
                return Some(answer);
            }
            self.post(at, Message::Answer { answered: Answered::Broken, answer });
            return None;
        }
        self.post(at, Message::Request { who, request, answer });
        None
    }

    /// An answer leaves the API server. What never arrives is given back, to be kept.
    pub fn answer(
        &mut self,
        who: Who,
        answered: Answered,
        answer: oneshot::Sender<Answered>,
        now: At,
        random: &mut StdRng,
    ) -> Option<oneshot::Sender<Answered>> {
        let lost = self.percent(who, now, |it| if let Trouble::LoseAnswers { percent } = it { *percent } else { 0 });
        if let Some(until) = self.partitioned(who, now) {
            let answered = if random.random_bool(0.5) { answered } else { Answered::Broken };
            self.post(until, Message::Answer { answered, answer });
            return None;
        }
        let mut answered = answered;
        if random.random_range(0..100) < lost {
            if random.random_bool(0.5) {
                return Some(answer);
            }
            answered = Answered::Broken;
        }
        let at = now.plus(self.latency(who, now, random));
        self.post(at, Message::Answer { answered, answer });
        None
    }

    /// How a request is received.
    pub fn reception(&self, who: Who, request: &Request<Vec<u8>>, now: At, random: &mut StdRng) -> Reception {
        for it in self.present(who, now) {
            if let Trouble::Refuse { code, percent, takes_effect } = it
                && random.random_range(0..100) < *percent
            {
                let serves = *takes_effect && *code != 429 && request.method() != Method::GET;
                return if serves { Reception::ServeAndRefuse(*code) } else { Reception::Refuse(*code) };
            }
        }
        Reception::Serve
    }

    /// A watch was opened; answers what its reader gets.
    pub fn open(&mut self, id: WatchId, who: Who, path: String, now: At) -> Answered {
        let (lines, read) = mpsc::unbounded();
        self.opened += 1;
        self.watches.insert(self.opened, OpenWatch { id, who, path, lines: Some(lines), last: now, is_over: false });
        Answered::Watch(read)
    }

    /// A watch tells something.
    pub fn tell(&mut self, watch: usize, line: Vec<u8>, now: At, random: &mut StdRng) {
        let at = self.tells_at(watch, now, random);
        self.post(at, Message::Line { watch, line: line.into() });
    }

    /// A watch ends, or breaks, after what it told before.
    pub fn end_watch(&mut self, watch: usize, breaks: bool, now: At, random: &mut StdRng) {
        let at = if breaks { now } else { self.tells_at(watch, now, random) };
        self.watches.entry(watch).and_modify(|it| it.is_over = true);
        self.post(at, Message::WatchEnds { watch, breaks });
    }

    /// The lines of one watch arrive in their order.
    fn tells_at(&mut self, watch: usize, now: At, random: &mut StdRng) -> At {
        let Some(open) = self.watches.get(&watch) else { return now };
        let (who, last) = (open.who, open.last);
        let of_kind = |resource: &str| open.path.split('?').next().unwrap_or_default().contains(resource);
        let lag = self.present(who, now).filter_map(|it| match it {
            Trouble::Lag { resource, millis } if of_kind(resource) => Some(*millis),
            _ => None,
        });
        let lag = lag.max().unwrap_or(0);
        let mut at = now.plus(lag + self.latency(who, now, random));
        if let Some(until) = self.partitioned(who, now) {
            at = at.max(until);
        }
        let at = at.max(last);
        self.watches.entry(watch).and_modify(|it| it.last = at);
        at
    }

    fn post(&mut self, at: At, message: Message) {
        self.sent += 1;
        self.under_way.insert((at, self.sent), message);
    }

    fn latency(&self, who: Who, now: At, random: &mut StdRng) -> u64 {
        let slow = self
            .present(who, now)
            .filter_map(|it| if let Trouble::Slow { millis } = it { Some(*millis) } else { None });
        match slow.max() {
            Some(most) => random.random_range(1..=most.max(1)),
            None => random.random_range(1..4),
        }
    }

    fn partitioned(&self, who: Who, now: At) -> Option<At> {
        let of_who = |it: &&Lasting| it.until > now && it.replica.is_none_or(|replica| replica == who.0);
        let partitions = self.troubles.iter().filter(of_who).filter(|it| matches!(it.trouble, Trouble::Partition));
        partitions.map(|it| it.until).max()
    }

    fn percent(&self, who: Who, now: At, of: impl Fn(&Trouble) -> u32) -> u32 {
        self.present(who, now).map(of).max().unwrap_or(0)
    }

    fn present(&self, who: Who, now: At) -> impl Iterator<Item = &Trouble> {
        let of_who = move |it: &&Lasting| it.until > now && it.replica.is_none_or(|replica| replica == who.0);
        self.troubles.iter().filter(of_who).map(|it| &it.trouble)
    }
}

/// What a proxy, or a server that is not well, answers.
pub fn refusal(code: u16) -> Response<Vec<u8>> {
    let (reason, message) = match code {
        429 => ("TooManyRequests", "too many requests, please try again later"),
        500 => ("InternalError", "rpc error: code = Unavailable"),
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        _ => ("Timeout", "context deadline exceeded"),
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    let reply = Response::builder().status(code).header("content-type", "application/json");
    let reply = if code == 429 { reply.header("retry-after", "1") } else { reply };
    reply.body(status.to_string().into_bytes()).unwrap()
}
