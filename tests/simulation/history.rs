//! What happened, as nobody in the simulation can deny it: every change of a stored object, every
//! request that reached the API server, and what was done to the replicas.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

/// One change of one stored object.
#[derive(Clone, Debug)]
pub struct Change {
    /// The resource version it gave; rises by each change of anything.
    pub version: u64,
    /// When, by the API server's clock, which is the true one.
    pub at: Timestamp,
    /// The client: a life of a replica ("a1" is the first life of replica a), "user", or a
    /// controller ("jobs", "kubelet", "garbage", "ttl"); or "restore", when the API server was
    /// restored to an older state: then `version` is that of the state.
    pub by: String,
    /// The resource in the plural: "schedules", "scheduleruns", "jobs", "pods", "leases", "events".
    pub resource: &'static str,
    /// Whether it went through the status subresource.
    pub is_status: bool,
    /// The object's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The object before; none when it was created.
    pub before: Option<Arc<Value>>,
    /// The object after; none when it went away.
    pub after: Option<Arc<Value>>,
}

/// One request that reached the API server, whether or not its answer reached anybody.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When it reached the API server.
    pub at: Timestamp,
    /// The client, as in [`Change::by`].
    pub by: String,
    /// "GET", "POST", "PUT", "PATCH" or "DELETE".
    pub method: String,
    /// Path and query.
    pub uri: String,
    /// The status code it was answered.
    pub code: u16,
    /// The change it made, if any.
    pub made: Option<u64>,
}

/// Something that was done to a replica, or to all.
#[derive(Clone, Debug)]
pub struct Fact {
    /// When, by the true clock.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A life of a replica began.
    Started(String),
    /// It was killed where it stood.
    Killed(String),
    /// It was told to stop.
    ToldToStop(String),
    /// It ended by itself, with this error if any.
    Ended(String, Option<String>),
    /// It was stopped for a while, as by SIGSTOP.
    Frozen(String),
    /// It went on.
    Woken(String),
    /// Its wall clock is off by so many milliseconds from now on.
    ClockOff(String, i64),
    /// The answer to one of its writes was lost.
    Unanswered(String),
    /// Requests that are sent within so many milliseconds from now on may be long on their way, in
    /// addition to what is said of [`What::Disturbed`].
    Slowed(String, i64),
    /// Something is wrong from now on: named for people.
    Disturbed(String),
    /// From now on nothing is wrong.
    Calm,
}

/// All of it, each list in the order of time.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Changes of objects.
    pub changes: Vec<Change>,
    /// Requests.
    pub requests: Vec<Asked>,
    /// What was done to replicas.
    pub facts: Vec<Fact>,
}
