//! What a scenario does to replicas, network and API server, and how each thing ends.

use super::crash_points::Write;
use super::network::Who;
use super::replica::Life;
use super::scenario::{Act, End, ServerAct, Trouble};
use super::time::At;
use super::users::NAMESPACE;
use super::{Frozen, GRACE_MILLIS, Later, Pace, RIGHT, Replica, Snare, World, name};
use crate::history::What;

const SOON_AFTER_WAKING: u64 = 1_000;

impl Replica {
    /// How far its clock is off, or will be when its pace is right again.
    fn most_off(&self) -> i64 {
        self.off_millis + self.pace.map_or(0, |it| it.off_millis(it.until))
    }
}

impl World {
    pub(super) fn act(&mut self, act: &Act) {
        let now = self.now;
        match act {
            Act::Kill { replica, down } => self.kill(*replica, *down),
            Act::Snare { replica, of, writes, end, down } => {
                let snare = Snare { of: *of, writes: *writes, end: *end, down: *down };
                self.replicas[*replica].snares.push(snare);
            }
            Act::Stop { replica, down } => self.tell_to_stop(*replica, *down),
            Act::Freeze { replica, lasts, host_sleeps } => self.freeze(*replica, *lasts, *host_sleeps),
            Act::SetClock { replica, by_millis, lasts } => {
                self.set_clock(*replica, *by_millis);
                let then = self.waking(*replica).unwrap_or(now).plus(*lasts);
                self.postpone(then, Later::SetClock { replica: *replica, by_millis: -by_millis });
            }
            Act::RunAt { replica, percent, lasts } => self.run_at(*replica, *percent, *lasts),
            Act::Trouble { replica, trouble, lasts } => self.trouble(*replica, trouble, *lasts),
            Act::Server(act) => self.disturb_server(act),
            Act::User(act) => self.user(act),
        }
    }

    pub(super) fn happen(&mut self, later: Later) {
        match later {
            Later::Begin { replica } => self.begin(replica),
            Later::Wake { who } => self.wake(who),
            Later::KillStopping { who, down } => {
                if self.life(who).is_some() {
                    self.kill(who.0, down);
                }
            }
            Later::SetClock { replica, by_millis } => self.set_clock(replica, by_millis),
            Later::RunRight { replica } => self.run_right(replica),
            Later::HealServer(act) => self.heal_server(&act),
        }
    }

    /// Nothing is wrong from now on: whoever is down begins, whoever is stopped goes on, clocks are
    /// set right.
    pub(super) fn calm(&mut self) {
        self.network.calm(self.now);
        let later = std::mem::take(&mut self.later);
        let (waking, others): (Vec<Later>, Vec<Later>) =
            later.into_values().partition(|it| matches!(it, Later::Wake { .. }));
        for later in waking.into_iter().chain(others) {
            // Those told to stop are given their time.
            if let Later::KillStopping { who, down } = later {
                self.postpone(self.now.plus(GRACE_MILLIS), Later::KillStopping { who, down });
            } else {
                self.happen(later);
            }
        }
        for number in 0..self.replicas.len() {
            self.replicas[number].snares.clear();
            let off = self.replicas[number].off_millis;
            if off != 0 {
                self.set_clock(number, -off);
            }
            if self.replicas[number].life.is_none() {
                self.begin(number);
            }
        }
        self.note(What::Calm);
    }

    fn begin(&mut self, number: usize) {
        if self.replicas[number].life.is_some() {
            return;
        }
        let replica = &mut self.replicas[number];
        replica.lives += 1;
        replica.frozen = None;
        let life = name((number, replica.lives));
        let percent = replica.pace.map_or(RIGHT, |it| it.percent);
        let off_millis = replica.off_millis + replica.pace.map_or(0, |it| it.off_millis(self.now));
        replica.life = Some(Life::begin(
            life.clone(),
            self.now,
            off_millis,
            percent,
            self.scenario.requests_at_once,
            self.scenario.looks_at_once,
        ));
        let off_millis = replica.most_off();
        self.summary.starts += 1;
        self.note(What::Started(life.clone()));
        if off_millis != 0 {
            self.note(What::ClockOff(life, off_millis));
        }
    }

    pub(super) fn kill(&mut self, number: usize, down: u64) {
        if self.replicas[number].life.is_none() {
            return;
        }
        self.summary.kills += 1;
        self.note(What::Killed(name((number, self.replicas[number].lives))));
        self.end_life(number);
        self.postpone(self.now.plus(down), Later::Begin { replica: number });
    }

    /// A life is over: its connections close, and what it has sent is still under way.
    pub(super) fn end_life(&mut self, number: usize) {
        let who = (number, self.replicas[number].lives);
        self.take_away();
        self.replicas[number].life = None;
        self.replicas[number].frozen = None;
        self.network.watches.values_mut().filter(|it| it.who == who).for_each(|it| it.lines = None);
    }

    fn tell_to_stop(&mut self, number: usize, down: u64) {
        let who = (number, self.replicas[number].lives);
        let Some(life) = self.life(who) else { return };
        life.tell_to_stop();
        self.note(What::ToldToStop(name(who)));
        self.postpone(self.now.plus(GRACE_MILLIS), Later::KillStopping { who, down: 0 });
        self.postpone(self.now.plus(down), Later::Begin { replica: number });
    }

    fn freeze(&mut self, number: usize, lasts: u64, host_sleeps: bool) {
        let now = self.now;
        let replica = &mut self.replicas[number];
        let Some(life) = replica.life.as_ref().filter(|_| replica.frozen.is_none()) else { return };
        let since = life.own(now.max(life.reached));
        replica.frozen = Some(Frozen { since, until: now.plus(lasts), host_sleeps });
        let who = (number, replica.lives);
        self.summary.freezes += 1;
        self.note(What::Frozen(name(who)));
        self.postpone(now.plus(lasts), Later::Wake { who });
    }

    fn wake(&mut self, who: Who) {
        let now = self.now;
        let replica = &mut self.replicas[who.0];
        if replica.lives != who.1 {
            return;
        }
        let (Some(frozen), Some(life)) = (replica.frozen.take(), &mut replica.life) else { return };
        life.wake(frozen.since, now, frozen.host_sleeps);
        self.note(What::Woken(name(who)));
    }

    /// When the host of a replica wakes, if it sleeps.
    fn waking(&self, number: usize) -> Option<At> {
        self.replicas[number].frozen.filter(|it| it.host_sleeps).map(|it| it.until)
    }

    fn set_clock(&mut self, number: usize, by_millis: i64) {
        // Nobody sets the clock of a host that sleeps; whoever does so when it wakes comes second.
        if let Some(waking) = self.waking(number) {
            return self.postpone(waking.plus(SOON_AFTER_WAKING), Later::SetClock { replica: number, by_millis });
        }
        let replica = &mut self.replicas[number];
        replica.off_millis += by_millis;
        let (who, off) = ((number, replica.lives), replica.most_off());
        if let Some(life) = &replica.life {
            life.step_clock(by_millis);
            self.note(What::ClockOff(name(who), off));
        }
    }

    fn run_at(&mut self, number: usize, percent: u64, lasts: u64) {
        let now = self.now;
        let replica = &mut self.replicas[number];
        if replica.pace.is_some() {
            return;
        }
        replica.pace = Some(Pace { percent, from: now, until: now.plus(lasts) });
        replica.life.iter_mut().for_each(|it| it.run_at(percent, now));
        let (who, off) = ((number, replica.lives), replica.most_off());
        self.note(What::Disturbed(format!("the clocks of replica {number} run at {percent} percent")));
        self.note(What::ClockOff(name(who), off));
        self.postpone(now.plus(lasts), Later::RunRight { replica: number });
    }

    /// Its clocks run as they should, and are set right.
    fn run_right(&mut self, number: usize) {
        let now = self.now;
        let replica = &mut self.replicas[number];
        let Some(pace) = replica.pace.take() else { return };
        replica.life.iter_mut().for_each(|it| {
            it.run_at(RIGHT, now);
            it.step_clock(-pace.off_millis(now));
        });
        let (who, off) = ((number, replica.lives), replica.off_millis);
        self.note(What::ClockOff(name(who), off));
    }

    fn trouble(&mut self, replica: Option<usize>, trouble: &Trouble, lasts: u64) {
        self.summary.disturbances += 1;
        let whom = replica.map_or("all".to_owned(), |it| format!("replica {it}"));
        let told = format!("{trouble:?} for {whom}, {lasts} ms");
        self.note(match trouble {
            Trouble::Slow { .. } | Trouble::Partition => What::Slowed(told, lasts.cast_signed()),
            _ => What::Disturbed(told),
        });
        let Trouble::Break { resource } = trouble else {
            return self.network.disturb(replica, trouble.clone(), self.now.plus(lasts));
        };
        let open = self.network.watches.iter();
        let of_kind = open.filter(|(_, it)| !it.is_over && it.path.contains(resource));
        let meant: Vec<usize> =
            of_kind.filter(|(_, it)| replica.is_none_or(|n| n == it.who.0)).map(|it| *it.0).collect();
        for watch in meant {
            self.network.end_watch(watch, true, self.now, &mut self.random);
        }
    }

    fn disturb_server(&mut self, act: &ServerAct) {
        self.summary.disturbances += 1;
        self.note(What::Disturbed(format!("API server: {act:?}")));
        let lasts = match act {
            ServerAct::Down { lasts } => {
                self.is_server_down = true;
                self.api.restart();
                *lasts
            }
            ServerAct::Compact => {
                self.api.compact();
                0
            }
            ServerAct::Quota { lasts } => {
                self.api.faults().job_quota.insert(NAMESPACE.to_owned(), 0);
                *lasts
            }
            ServerAct::Deny { operation, lasts } => {
                self.api.faults().denied.insert(*operation, "not today".to_owned());
                *lasts
            }
            ServerAct::Withdraw { right, lasts } => {
                self.api.faults().withdrawn.insert(*right);
                *lasts
            }
            ServerAct::StorageFull { lasts } => {
                self.api.faults().is_storage_full = true;
                *lasts
            }
        };
        self.postpone(self.now.plus(lasts), Later::HealServer(act.clone()));
    }

    fn heal_server(&mut self, act: &ServerAct) {
        let faults = self.api.faults();
        match act {
            ServerAct::Down { .. } => self.is_server_down = false,
            ServerAct::Compact => {}
            ServerAct::Quota { .. } => drop(faults.job_quota.remove(NAMESPACE)),
            ServerAct::Deny { operation, .. } => drop(faults.denied.remove(operation)),
            ServerAct::Withdraw { right, .. } => drop(faults.withdrawn.remove(right)),
            ServerAct::StorageFull { .. } => faults.is_storage_full = false,
        }
        self.note(What::Disturbed(format!("API server: no longer {act:?}")));
    }

    /// Counts a mutating request down; answers what waited for it.
    pub(super) fn snared(&mut self, who: Who, write: &Write) -> Option<Snare> {
        let snares = &mut self.replicas[who.0].snares;
        let of_kind = |it: &&mut Snare| it.of.is_none() || it.of == write.kind();
        snares.iter_mut().filter(of_kind).for_each(|it| it.writes = it.writes.saturating_sub(1));
        let index = snares.iter().position(|it| it.writes == 0)?;
        Some(snares.remove(index))
    }

    pub(super) fn spring(&mut self, who: Who, snare: &Snare) {
        if self.life(who).is_none() {
            return;
        }
        match snare.end {
            End::KilledUnanswered | End::KilledAnswered => self.kill(who.0, snare.down),
            End::AnswerLost => self.note(What::Unanswered(name(who))),
            End::FrozenHalfSent => self.freeze(who.0, snare.down, false),
            End::AsleepHalfSent => self.freeze(who.0, snare.down, true),
        }
    }
}
