//! A scenario for each seed: some calm with one thing that goes wrong, some wild.

use punctual::operator::LOOKS_AT_ONCE;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::crash_points::Kind;
use super::scenario::{Act, End, Given, Scenario, ServerAct, Timed, Trouble, UserAct};
use super::time::At;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
/// How long the world has to come to rest: longer than the fence.
const REST_MILLIS: u64 = 4 * MINUTE;
/// Few names, so that some are used again.
const RUNS: [&str; 3] = ["one", "two", "three"];
/// What replicas are waited for with: any mutating request, or one that something hangs on.
const SNARED: [Option<Kind>; 8] = [
    None,
    None,
    None,
    Some(Kind::CreateJob),
    Some(Kind::CreateJob),
    Some(Kind::CreateNextAttempt),
    Some(Kind::ScheduleStatus),
    Some(Kind::SuspendJob),
];
const RESOURCES: [&str; 4] = ["schedules", "scheduleruns", "jobs", "leases"];

/// Chooses, from a seed.
pub struct Chooser {
    random: StdRng,
    replicas: usize,
    schedules: usize,
}

impl Scenario {
    /// The scenario of a seed.
    pub fn of(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed ^ 0x5eed);
        let replicas = *[1, 1, 2, 2, 3].choose(&mut random).unwrap();
        let schedules = random.random_range(1..=3);
        let mut chooser = Chooser { random, replicas, schedules };
        let schedules = (0..schedules).map(|number| chooser.schedule(number)).collect();
        let count = match chooser.random.random_range(0..10) {
            0..4 => 1,
            4..8 => chooser.random.random_range(2..7),
            _ => chooser.random.random_range(8..24),
        };
        let lasts = chooser.random.random_range(MINUTE..4 * MINUTE);
        let mut acts: Vec<Timed> = (0..count).map(|_| chooser.timed(lasts)).collect();
        acts.sort_by_key(|it| it.at);
        let calm = acts.iter().map(Timed::over).max().unwrap_or_default().max(At(lasts));
        let requests_at_once = *[64, 64, 64, 4, 1].choose(&mut chooser.random).unwrap();
        let looks_at_once = *[LOOKS_AT_ONCE, LOOKS_AT_ONCE, 2, 1].choose(&mut chooser.random).unwrap();
        Self { seed, replicas, requests_at_once, looks_at_once, schedules, acts, calm, rest_millis: REST_MILLIS }
    }
}

impl Timed {
    /// When what it does is over, if that is long after it began.
    fn over(&self) -> At {
        match &self.act {
            Act::Freeze { lasts, .. } if *lasts > 10 * MINUTE => self.at.plus(*lasts),
            _ => self.at,
        }
    }
}

impl Chooser {
    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of.choose(&mut self.random).unwrap().clone()
    }

    fn below(&mut self, limit: usize) -> usize {
        self.random.random_range(0..limit)
    }

    fn millis(&mut self, from: u64, to: u64) -> u64 {
        self.random.random_range(from..=to)
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    fn timed(&mut self, lasts: u64) -> Timed {
        let at = At(self.millis(5 * SECOND, lasts));
        Timed { at, act: self.act() }
    }

    fn act(&mut self) -> Act {
        let replica = self.below(self.replicas);
        let down = self.one(&[0, 500, 3 * SECOND, 20 * SECOND, 90 * SECOND, 4 * MINUTE]);
        match self.below(20) {
            0 => Act::Kill { replica, down },
            1..5 => {
                let ends = [End::KilledUnanswered, End::KilledAnswered, End::AnswerLost];
                let end = if self.chance(75) {
                    self.one(&ends)
                } else {
                    self.one(&[End::FrozenHalfSent, End::AsleepHalfSent])
                };
                let of = self.one(&SNARED);
                let writes = self.random.random_range(1..if of.is_some() { 6 } else { 30 });
                Act::Snare { replica, of, writes, end, down: down.max(500) }
            }
            5 => Act::Stop { replica, down },
            6 | 7 => {
                let lasts = self.one(&[2 * SECOND, 9 * SECOND, 14 * SECOND, 20 * SECOND, 70 * SECOND, 5 * MINUTE]);
                let lasts = if self.chance(5) { self.millis(30 * MINUTE, 150 * MINUTE) } else { lasts };
                Act::Freeze { replica, lasts, host_sleeps: self.chance(30) }
            }
            8 => {
                let by_millis = self.one(&[-3_600_000, -45_000, -20_000, -4_000, 4_000, 20_000, 45_000, 3_600_000]);
                Act::SetClock { replica, by_millis, lasts: self.millis(5 * SECOND, 2 * MINUTE) }
            }
            9 => Act::RunAt {
                replica,
                percent: self.one(&[80, 96, 105, 119, 140]),
                lasts: self.millis(5 * SECOND, MINUTE),
            },
            10..13 => self.trouble(),
            13 | 14 => self.server(),
            _ => Act::User(self.user()),
        }
    }

    fn trouble(&mut self) -> Act {
        let lasts = self.one(&[1, 5, 12, 30, 80]) * SECOND;
        let percent = self.one(&[5, 30, 100]);
        let resource = self.one(&RESOURCES);
        let trouble = match self.below(8) {
            0 => Trouble::LoseRequests { percent },
            1 => Trouble::LoseAnswers { percent },
            2 | 3 => Trouble::Refuse { code: self.one(&[429, 500, 503, 504]), percent, takes_effect: self.chance(50) },
            4 => Trouble::Slow { millis: self.one(&[100, 1_500, 12_000]) },
            5 => Trouble::Partition,
            6 => Trouble::Lag { resource, millis: self.one(&[200, 3_000, 30_000, 70_000]) },
            _ => Trouble::Break { resource },
        };
        let replica = if self.chance(60) { Some(self.below(self.replicas)) } else { None };
        Act::Trouble { replica, trouble, lasts }
    }

    fn server(&mut self) -> Act {
        let lasts = self.one(&[1, 5, 20, 70]) * SECOND;
        Act::Server(match self.below(7) {
            0 => ServerAct::Down { lasts },
            1 => ServerAct::Compact,
            2 => ServerAct::Quota { lasts },
            3 => ServerAct::Deny { operation: ("create", "jobs"), lasts },
            4 => ServerAct::Deny { operation: ("update", "schedules/status"), lasts },
            5 => {
                let rights = [
                    ("create", "jobs"),
                    ("delete", "jobs"),
                    ("patch", "jobs"),
                    ("get", "jobs"),
                    ("list", "pods"),
                    ("patch", "schedules/status"),
                    ("watch", "jobs"),
                    ("update", "leases"),
                    ("create", "leases"),
                    ("create", "events"),
                    ("patch", "scheduleruns/status"),
                ];
                ServerAct::Withdraw { right: self.one(&rights), lasts }
            }
            _ => ServerAct::StorageFull { lasts },
        })
    }

    fn user(&mut self) -> UserAct {
        let schedule = self.below(self.schedules);
        let which = self.below(100);
        match self.below(16) {
            0 => UserAct::Edit { schedule, spec: json!({"paused": true, "pauseUntil": null}) },
            1 | 2 => UserAct::Edit { schedule, spec: json!({"paused": null, "pauseUntil": null}) },
            3 => UserAct::PauseFor { schedule, seconds: self.random.random_range(-20..90) },
            4 | 5 => UserAct::Edit { schedule, spec: json!({"trigger": self.new_trigger()}) },
            6 => UserAct::Edit { schedule, spec: json!({"concurrency": self.concurrency()}) },
            7 => UserAct::Edit { schedule, spec: json!({"catchUp": self.catch_up(), "retry": self.retry()}) },
            8 => UserAct::Edit { schedule, spec: json!({"jobTemplate": self.template()}) },
            9 => UserAct::Delete { schedule },
            10 => UserAct::Create { schedule },
            11 | 12 => UserAct::RunNow { schedule, name: self.one(&RUNS) },
            13 => UserAct::DeleteRun { name: self.one(&RUNS) },
            14 => self.one(&[UserAct::DeleteJob { which }, UserAct::DeletePod { which }]),
            _ => self.one(&[UserAct::DeleteRunLease { which }, UserAct::DeleteLeaderLease, UserAct::TakeLeaderLease]),
        }
    }

    fn schedule(&mut self, number: usize) -> Given {
        let names = ["alpha", "beta", "gamma"];
        let mut spec = json!({
            "trigger": self.trigger(),
            "jitter": self.one(&[Value::Null, Value::Null, json!("3s"), json!("50s")]),
            "startingDeadline": self.one(&[Value::Null, Value::Null, json!("3s"), json!("90s"), json!("5m")]),
            "catchUp": self.catch_up(),
            "concurrency": self.concurrency(),
            "maxRuns": self.one(&[Value::Null, Value::Null, Value::Null, json!(4), json!(9)]),
            "retry": self.retry(),
            "pauseAfterFailures": self.one(&[Value::Null, Value::Null, json!(1), json!(3)]),
            "successfulJobsHistoryLimit": self.one(&[Value::Null, json!(0), json!(1)]),
            "failedJobsHistoryLimit": self.one(&[Value::Null, json!(0), json!(2)]),
            "resultTTL": self.one(&[Value::Null, json!("1m"), json!("3m"), json!("1d")]),
            "jobTemplate": self.template(),
        });
        drop_nulls(&mut spec);
        Given { name: names[number].to_owned(), spec }
    }

    fn trigger(&mut self) -> Value {
        self.one(&[
            json!({"interval": {"every": "10s", "startTime": "2026-03-01T00:00:00Z"}}),
            json!({"interval": {"every": "25s", "startTime": "2026-03-01T00:00:00Z"}}),
            json!({"interval": {"every": "40s"}}),
            json!({"cron": "* * * * *"}),
            json!({"cron": "* * * * *"}),
            json!({"cron": "*/2 * * * *", "timeZone": "Europe/Berlin"}),
            json!({"fields": {"second": "*/20"}}),
            json!({"at": ["2026-03-03T12:00:30Z", "2026-03-03T12:01:30Z", "2026-03-03T12:03:00Z"]}),
        ])
    }

    /// In place of whatever there was.
    fn new_trigger(&mut self) -> Value {
        let mut trigger = json!({"interval": null, "cron": null, "timeZone": null, "fields": null, "at": null});
        trigger.as_object_mut().unwrap().extend(self.trigger().as_object().unwrap().clone());
        trigger
    }

    fn concurrency(&mut self) -> Value {
        let limit = self.one(&[Value::Null, Value::Null, json!(2)]);
        match self.one(&["Allow", "Forbid", "Forbid", "Replace", "Queue", "Queue"]) {
            "Allow" => json!({"policy": "Allow", "limit": null, "queueLimit": null, "queueFull": null}),
            "Queue" => json!({
                "policy": "Queue", "limit": limit, "queueLimit": self.one(&[Value::Null, json!(1), json!(4)]),
                "queueFull": self.one(&[Value::Null, json!("DropOldest")]),
            }),
            policy => json!({"policy": policy, "limit": limit, "queueLimit": null, "queueFull": null}),
        }
    }

    fn catch_up(&mut self) -> Value {
        let policies = ["None", "Latest", "Latest", "Earliest", "All"].map(|it| json!(it));
        json!({
            "policy": self.one(&policies),
            "afterPause": if self.chance(25) { self.one(&policies) } else { Value::Null },
            "limit": self.one(&[Value::Null, Value::Null, json!(1), json!(3)]),
            "maxAge": self.one(&[Value::Null, Value::Null, Value::Null, json!("3s"), json!("2m")]),
        })
    }

    fn retry(&mut self) -> Value {
        self.one(&[
            Value::Null,
            Value::Null,
            json!({"limit": 1, "delay": "1s"}),
            json!({"limit": 2}),
            json!({"limit": 3, "delay": "30s", "maxDelay": "40s"}),
        ])
    }

    fn template(&mut self) -> Value {
        let seconds = self.one(&[json!(1), json!(5), json!(5), json!(20), json!(70), json!(200)]);
        let exit = self.one(&[0, 0, 0, 1]);
        let message = self.one(&["", "done", "the disk is full"]);
        let stops = self.one(&[0, 0, 4, 25]);
        let behaviour = json!({"seconds": seconds, "exit": exit, "message": message, "stops": stops}).to_string();
        json!({"spec": {"template": {
            "metadata": {"annotations": {"simulation/behaviour": behaviour}},
            "spec": {"containers": [{"name": "main", "image": "work:1"}]},
        }}})
    }
}

fn drop_nulls(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|_, it| !it.is_null());
        fields.values_mut().for_each(drop_nulls);
    }
}
