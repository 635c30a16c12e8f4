//! What happens when: decided by the seed before anything begins.

use std::time::Duration;

use crate::soak::specs::Dice;

pub const KILL: &str = "replicas killed";
pub const FREEZE: &str = "replicas frozen";
pub const STOP: &str = "replicas stopped orderly";
pub const KILL_API_SERVER: &str = "API servers killed";
pub const RESTART_API_SERVER: &str = "API servers restarted orderly";
pub const FREEZE_API_SERVER: &str = "API servers frozen";

/// Before this long is over everything is only set up.
const PRELUDE: i64 = 25;
/// Something happens to the API server this often, in seconds.
const API_SERVER_EVERY: i64 = 500;
/// What happens how often in an hour, but to the API server.
const RATES: &[(i64, Invent)] = &[
    (30, |_| Act::Kill),
    (30, |dice| Act::Freeze(dice.number(5, 60).unsigned_abs())),
    (20, |_| Act::Stop),
    (120, |dice| Act::Pause { seconds: dice.number(10, 150).unsigned_abs(), ends_by_itself: dice.chance(30) }),
    (100, |_| Act::EditTrigger),
    (100, |_| Act::Edit),
    (150, |_| Act::Run),
    (40, |_| Act::Replace),
];

/// Invents the details.
type Invent = fn(&mut Dice) -> Act;

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// A replica is killed.
    Kill,
    /// A replica is frozen for so many seconds.
    Freeze(u64),
    /// A replica is told to end.
    Stop,
    /// Something is done to the API server for so many seconds.
    ApiServer(&'static str, u64),
    /// A Schedule is paused for so many seconds.
    Pause { seconds: u64, ends_by_itself: bool },
    /// A Schedule gets another trigger.
    EditTrigger,
    /// Another field of a Schedule changes.
    Edit,
    /// A ScheduleRun is created.
    Run,
    /// A Schedule is deleted, and another one created.
    Replace,
}

/// All of it, in the order of time. Each kind happens once at least.
pub fn acts(dice: &mut Dice, length: Duration) -> Vec<(Duration, Act)> {
    let seconds = i64::try_from(length.as_secs()).unwrap();
    let mut acts = Vec::new();
    let mut add = |dice: &mut Dice, act: Act| {
        let millis = dice.number(PRELUDE * 1000, seconds * 1000).unsigned_abs();
        acts.push((Duration::from_millis(millis), act));
    };
    for (an_hour, act) in RATES {
        for _ in 0..(an_hour * seconds / 3600).max(1) {
            let act = act(dice);
            add(dice, act);
        }
    }
    let kinds = [KILL_API_SERVER, RESTART_API_SERVER, FREEZE_API_SERVER];
    for index in 0..(seconds / API_SERVER_EVERY).max(3) {
        let kind = kinds[usize::try_from(index).unwrap() % kinds.len()];
        let act = Act::ApiServer(kind, dice.number(1, 15).unsigned_abs());
        add(dice, act);
    }
    acts.sort_by_key(|it| it.0);
    acts
}
