//! Three replicas, which are killed, frozen, stopped, and come back.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

use super::plan::{self, Act};
use crate::harness::{Operator, Story};
use crate::soak::specs::Dice;

/// How many there are.
const COUNT: usize = 3;
/// As the chart sets them up.
const FLAGS: &str = "--leader-lease-duration=15s --leader-renew-deadline=10s --leader-retry-period=2s --fence=120s --run-lease-duration=120s --log-level=info,punctual=debug";
/// As in the flags.
pub const RENEW_DEADLINE: SignedDuration = SignedDuration::from_secs(10);

/// All of them.
pub struct Replicas {
    places: Vec<Place>,
    lives: usize,
    /// Of their own, because how often they are thrown depends on what happens.
    dice: Dice,
}

enum Place {
    Up(Operator),
    Frozen(Operator, Instant),
    Down(Instant),
}

impl Replicas {
    /// Starts them.
    pub async fn start(story: &Story, seed: u64) -> Self {
        let mut replicas = Self { places: Vec::new(), lives: 0, dice: Dice::new(seed) };
        for _ in 0..COUNT {
            let life = replicas.life(story).await;
            replicas.places.push(life);
        }
        replicas
    }

    async fn life(&mut self, story: &Story) -> Place {
        self.lives += 1;
        Place::Up(story.operator_with(&format!("life{:03}", self.lives), FLAGS, story.server()).await)
    }

    /// Wakes what was frozen long enough, and starts again what has ended, after a while.
    pub async fn tend(&mut self, story: &Story) {
        for index in 0..self.places.len() {
            let now = Instant::now();
            let place = std::mem::replace(&mut self.places[index], Place::Down(now));
            self.places[index] = match place {
                Place::Frozen(operator, until) if until <= now => {
                    operator.thaw();
                    Place::Up(operator)
                }
                Place::Up(mut operator) => {
                    if operator.is_running() {
                        Place::Up(operator)
                    } else {
                        Place::Down(now + pause(&mut self.dice))
                    }
                }
                Place::Down(until) if until <= now => self.life(story).await,
                other => other,
            };
        }
    }

    /// Does something to one of them, the leader more often than not. Answers what, to which, and how
    /// long; nothing if that one is frozen or down.
    pub async fn disturb(&mut self, act: Act, holder: &str) -> Option<(&'static str, String, Duration)> {
        let leads =
            |it: &Place| matches!(it, Place::Up(operator) if holder.starts_with(&format!("{}_", operator.name())));
        let leader = self.places.iter().position(leads).filter(|_| self.dice.chance(65));
        let index = leader.unwrap_or_else(|| usize::try_from(self.dice.number(0, COUNT as i64 - 1)).unwrap());
        let now = Instant::now();
        let operator = match std::mem::replace(&mut self.places[index], Place::Down(now)) {
            Place::Up(operator) => operator,
            other => {
                self.places[index] = other;
                return None;
            }
        };
        let name = format!("{}{}", operator.name(), if leader.is_some() { ", which leads," } else { "" });
        let pause = pause(&mut self.dice);
        let (what, length, place) = match act {
            Act::Freeze(seconds) => {
                operator.freeze();
                let length = Duration::from_secs(seconds);
                (plan::FREEZE, length, Place::Frozen(operator, now + length))
            }
            Act::Stop => {
                operator.sigterm().await;
                (plan::STOP, Duration::ZERO, Place::Down(Instant::now() + pause))
            }
            _ => {
                operator.kill9().await;
                (plan::KILL, Duration::ZERO, Place::Down(now + pause))
            }
        };
        self.places[index] = place;
        Some((what, name, length))
    }

    /// Wakes whatever is frozen.
    pub fn thaw_all(&mut self) {
        for place in &mut self.places {
            if let Place::Frozen(_, until) = place {
                *until = Instant::now();
            }
        }
    }

    /// Tells all of them to end, and waits until they did.
    pub async fn stop_all(self) {
        for place in self.places {
            if let Place::Up(operator) | Place::Frozen(operator, _) = place {
                operator.thaw();
                operator.sigterm().await;
            }
        }
    }
}

/// How long until a kubelet starts it again.
fn pause(dice: &mut Dice) -> Duration {
    Duration::from_millis(dice.number(500, 8000).unsigned_abs())
}
