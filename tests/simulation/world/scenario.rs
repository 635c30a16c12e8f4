//! What is to happen in a simulation, as data: it can be printed, and parts of it left out.

use serde_json::Value;

use super::crash_points::Kind;
use super::time::At;

/// A whole scenario. Everything that happens follows from it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Of whatever is random while it is played.
    pub seed: u64,
    pub replicas: usize,
    /// How many requests a replica has in flight at most.
    pub requests_at_once: usize,
    /// How many Schedules a replica looks at at once at most.
    pub looks_at_once: usize,
    pub schedules: Vec<Given>,
    pub acts: Vec<Timed>,
    /// From then on nothing is wrong any more.
    pub calm: At,
    /// How long the world then has to come to rest.
    pub rest_millis: u64,
}

/// A Schedule that is there from the beginning.
#[derive(Clone, Debug)]
pub struct Given {
    pub name: String,
    pub spec: Value,
}

/// Something that happens at an instant.
#[derive(Clone, Debug)]
pub struct Timed {
    pub at: At,
    pub act: Act,
}

/// What happens. Replicas and Schedules are given by their number, lengths of time in milliseconds.
#[derive(Clone, Debug)]
pub enum Act {
    /// A replica is killed where it stands, and started again later.
    Kill { replica: usize, down: u64 },
    /// A replica meets an end with its n-th mutating request from now on, or its n-th of a kind.
    Snare { replica: usize, of: Option<Kind>, writes: u32, end: End, down: u64 },
    /// A replica is told to stop, and started again some time after it has ended.
    Stop { replica: usize, down: u64 },
    /// A replica is stopped and goes on later, as by SIGSTOP and SIGCONT, or its host sleeps.
    Freeze { replica: usize, lasts: u64, host_sleeps: bool },
    /// The wall clock of a replica is set on or back, and later set right again.
    SetClock { replica: usize, by_millis: i64, lasts: u64 },
    /// The clocks of a replica run fast or slow for a while, in percent of the true time.
    RunAt { replica: usize, percent: u64, lasts: u64 },
    /// Something is wrong between one replica, or all, and the API server.
    Trouble { replica: Option<usize>, trouble: Trouble, lasts: u64 },
    /// Something is wrong with the API server itself.
    Server(ServerAct),
    /// Somebody else does something.
    User(UserAct),
}

/// How a mutating request ends that a replica was waited for with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It takes effect; the replica is killed before the answer comes.
    KilledUnanswered,
    /// It is answered; the replica is killed before it has sent anything else.
    KilledAnswered,
    /// It takes effect, and its answer is lost.
    AnswerLost,
    /// It is on its way while the replica is stopped for some time.
    FrozenHalfSent,
    /// It is on its way while the host of the replica sleeps for some time.
    AsleepHalfSent,
}

/// What is wrong between replicas and API server.
#[derive(Clone, Debug)]
pub enum Trouble {
    LoseRequests {
        percent: u32,
    },
    LoseAnswers {
        percent: u32,
    },
    /// Requests are answered so, before or after they took effect.
    Refuse {
        code: u16,
        percent: u32,
        takes_effect: bool,
    },
    /// Everything takes up to so long.
    Slow {
        millis: u64,
    },
    /// Nothing gets through.
    Partition,
    /// Watches of a kind tell so late.
    Lag {
        resource: &'static str,
        millis: u64,
    },
    /// Watches of a kind break now.
    Break {
        resource: &'static str,
    },
}

/// What is wrong with the API server.
#[derive(Clone, Debug)]
pub enum ServerAct {
    /// It is not there for a while, and all watches end.
    Down { lasts: u64 },
    /// It forgets all versions but the present ones: watches from older ones are answered 410.
    Compact,
    /// No more Jobs may be created for a while.
    Quota { lasts: u64 },
    /// An admission policy refuses an operation on a resource for a while.
    Deny { operation: (&'static str, &'static str), lasts: u64 },
    /// A right is taken from the operator for a while: a verb and a resource.
    Withdraw { right: (&'static str, &'static str), lasts: u64 },
    /// Nothing can be stored for a while.
    StorageFull { lasts: u64 },
}

/// What people do. Schedules are given by their number.
#[derive(Clone, Debug)]
pub enum UserAct {
    Edit {
        schedule: usize,
        spec: Value,
    },
    /// Pauses until so many seconds from then.
    PauseFor {
        schedule: usize,
        seconds: i64,
    },
    Delete {
        schedule: usize,
    },
    /// Creates it again, if it is not there, as it was in the beginning.
    Create {
        schedule: usize,
    },
    RunNow {
        schedule: usize,
        name: &'static str,
    },
    DeleteRun {
        name: &'static str,
    },
    /// Deletes a Job that is recorded as active.
    DeleteJob {
        which: usize,
    },
    DeletePod {
        which: usize,
    },
    DeleteRunLease {
        which: usize,
    },
    DeleteLeaderLease,
    /// Writes somebody into the leader Lease who is not there.
    TakeLeaderLease,
}
