//! Which Schedule is looked at next: those whose time has come, in the order of their time, then
//! those that changed; no namespace before another that has fewer under way.
//!
//! Pure but for its waiting: the time is told by whoever asks. Wall-clock times are compared with
//! the wall clock at every turn, so that a clock that was set, or a host that was suspended, is
//! noticed within [`TURN`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::store::Key;

/// The longest wait before the wall clock is read again.
pub const TURN: Duration = Duration::from_secs(1);
/// So many that merely changed are looked at at once. Everything that a decision knows is in memory
/// until its requests are answered; a new leader looks at all there are, and is in no hurry.
const CHANGED_AT_ONCE: usize = 500;

/// Why a Schedule is looked at: its time has come, or it changed. The former goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Due,
    Changed,
}

/// What waits, what is under way, and what comes when.
#[derive(Debug, Default)]
pub struct Queue {
    timers: BTreeSet<(Timestamp, Key)>,
    wakes: HashMap<Key, Timestamp>,
    ready: BTreeMap<String, BTreeSet<(Class, Timestamp, Key)>>,
    queued: HashMap<Key, (Class, Timestamp)>,
    under_way: HashMap<Key, Class>,
    changed_under_way: usize,
    under_way_by_namespace: HashMap<String, usize>,
    changed_meanwhile: HashSet<Key>,
}

impl Queue {
    /// A Schedule changed, or a Job of it.
    pub fn changed(&mut self, key: Key, now: Timestamp) {
        if self.under_way.contains_key(&key) {
            self.changed_meanwhile.insert(key);
        } else if !self.queued.contains_key(&key) {
            self.enqueue(key, Class::Changed, now);
        }
    }

    /// The next to look at, if any is ready.
    pub fn next(&mut self, now: Timestamp) -> Option<Key> {
        self.ripen(now);
        let may_take_changed = self.changed_under_way < CHANGED_AT_ONCE;
        let is_welcome = |waiting: &BTreeSet<(Class, Timestamp, Key)>| {
            may_take_changed || waiting.first().is_some_and(|(class, ..)| *class == Class::Due)
        };
        let namespace = self
            .ready
            .iter()
            .filter(|(_, waiting)| is_welcome(waiting))
            .min_by_key(|(namespace, waiting)| {
                let first = waiting.first().map(|(class, at, _)| (*class, *at));
                (self.under_way_by_namespace.get(*namespace).copied().unwrap_or(0) / FAIR_SHARE, first)
            })
            .map(|(namespace, _)| namespace.clone())?;
        let waiting = self.ready.get_mut(&namespace)?;
        let (class, _, key) = waiting.pop_first()?;
        if waiting.is_empty() {
            self.ready.remove(&namespace);
        }
        self.queued.remove(&key);
        self.cancel_timer(&key);
        self.under_way.insert(key.clone(), class);
        self.changed_under_way += usize::from(class == Class::Changed);
        *self.under_way_by_namespace.entry(namespace).or_default() += 1;
        Some(key)
    }

    /// One has been looked at, and wants to be again at an instant. One that changed meanwhile is
    /// looked at again at once.
    pub fn done(&mut self, key: Key, wake: Option<Timestamp>, now: Timestamp) {
        let class = self.under_way.remove(&key);
        self.changed_under_way -= usize::from(class == Some(Class::Changed));
        if let Some(count) = self.under_way_by_namespace.get_mut(&key.namespace) {
            *count -= 1;
            if *count == 0 {
                self.under_way_by_namespace.remove(&key.namespace);
            }
        }
        if let Some(at) = wake {
            self.timers.insert((at, key.clone()));
            self.wakes.insert(key.clone(), at);
        }
        if self.changed_meanwhile.remove(&key) {
            self.enqueue(key, Class::Changed, now);
        }
    }

    /// How long until the next becomes ready by the passing of time; [`TURN`] at most.
    #[must_use]
    pub fn patience(&self, now: Timestamp) -> Duration {
        let next = self.timers.first().map(|(at, _)| at.duration_since(now));
        next.map_or(TURN, |it| Duration::try_from(it).unwrap_or(Duration::ZERO).min(TURN))
    }

    /// Whether one that is being looked at was due.
    #[must_use]
    pub fn is_due(&self, key: &Key) -> bool {
        self.under_way.get(key) == Some(&Class::Due)
    }

    /// Whether one waits to be looked at whose time has come.
    pub fn has_due(&mut self, now: Timestamp) -> bool {
        self.ripen(now);
        self.ready.values().any(|waiting| waiting.first().is_some_and(|(class, ..)| *class == Class::Due))
    }

    /// How many wait to be looked at.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.queued.len()
    }

    /// How many are being looked at.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// Those whose time has come become ready, and go before those that merely changed.
    fn ripen(&mut self, now: Timestamp) {
        while let Some((at, key)) = self.timers.pop_first_if(|(at, _)| *at <= now) {
            self.wakes.remove(&key);
            if let Some(place) = self.queued.remove(&key)
                && let Some(waiting) = self.ready.get_mut(&key.namespace)
            {
                waiting.remove(&(place.0, place.1, key.clone()));
            }
            self.enqueue(key, Class::Due, at);
        }
    }

    fn enqueue(&mut self, key: Key, class: Class, at: Timestamp) {
        self.queued.insert(key.clone(), (class, at));
        self.ready.entry(key.namespace.clone()).or_default().insert((class, at, key));
    }

    fn cancel_timer(&mut self, key: &Key) {
        if let Some(at) = self.wakes.remove(key) {
            self.timers.remove(&(at, key.clone()));
        }
    }
}

/// Namespaces whose number under way differs by less than this count as equal, and the order of
/// time decides between them.
const FAIR_SHARE: usize = 16;

/// `BTreeSet::pop_first` under a condition.
trait PopFirstIf<T> {
    fn pop_first_if(&mut self, condition: impl FnOnce(&T) -> bool) -> Option<T>;
}

impl<T: Ord> PopFirstIf<T> for BTreeSet<T> {
    fn pop_first_if(&mut self, condition: impl FnOnce(&T) -> bool) -> Option<T> {
        if condition(self.first()?) { self.pop_first() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{CHANGED_AT_ONCE, Queue, TURN};
    use crate::store::Key;

    fn key(namespace: &str, name: &str) -> Key {
        Key { namespace: namespace.into(), name: name.into() }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("in range")
    }

    /// Looks at a Schedule once, so that it sets a timer.
    fn scheduled(queue: &mut Queue, key: Key, wake: i64) {
        queue.changed(key.clone(), at(0));
        assert_eq!(queue.next(at(0)), Some(key.clone()));
        queue.done(key, Some(at(wake)), at(0));
    }

    #[test]
    fn those_due_go_in_the_order_of_their_time_and_before_those_that_changed() {
        let mut queue = Queue::default();
        scheduled(&mut queue, key("a", "second"), 20);
        scheduled(&mut queue, key("b", "first"), 10);
        queue.changed(key("a", "edited"), at(5));
        let order: Vec<String> = std::iter::from_fn(|| queue.next(at(30))).map(|it| it.name).collect();
        assert_eq!(order, ["first", "second", "edited"]);
    }

    #[test]
    fn nothing_is_ready_before_its_time() {
        let mut queue = Queue::default();
        scheduled(&mut queue, key("a", "x"), 20);
        assert!(queue.next(at(19)).is_none() && !queue.has_due(at(19)));
        assert_eq!(queue.patience(Timestamp::from_millisecond(19_900).expect("in range")), Duration::from_millis(100));
        assert_eq!(queue.patience(at(0)), TURN);
        assert!(queue.has_due(at(20)));
        assert_eq!(queue.next(at(20)), Some(key("a", "x")));
        queue.changed(key("a", "y"), at(20));
        assert!(!queue.has_due(at(20)));
    }

    #[test]
    fn one_is_never_looked_at_twice_at_once_and_a_change_meanwhile_is_not_lost() {
        let mut queue = Queue::default();
        queue.changed(key("a", "x"), at(0));
        assert_eq!(queue.next(at(0)), Some(key("a", "x")));
        queue.changed(key("a", "x"), at(1));
        assert_eq!(queue.next(at(1)), None);
        queue.done(key("a", "x"), None, at(2));
        assert_eq!(queue.next(at(2)), Some(key("a", "x")));
    }

    #[test]
    fn a_crowded_namespace_does_not_starve_another() {
        let mut queue = Queue::default();
        for number in 0..100 {
            scheduled(&mut queue, key("crowd", &format!("{number:03}")), 10);
        }
        scheduled(&mut queue, key("quiet", "x"), 11);
        let taken: Vec<Key> = std::iter::from_fn(|| queue.next(at(11))).take(20).collect();
        assert!(taken.contains(&key("quiet", "x")), "{taken:?}");
    }

    #[test]
    fn many_changes_at_once_wait_for_each_other_and_hold_up_nothing_that_is_due() {
        let mut queue = Queue::default();
        scheduled(&mut queue, key("a", "due"), 20);
        for number in 0..=CHANGED_AT_ONCE {
            queue.changed(key("a", &format!("{number}")), at(1));
        }
        let taken: Vec<Key> = std::iter::from_fn(|| queue.next(at(1))).collect();
        assert_eq!(taken.len(), CHANGED_AT_ONCE);
        assert_eq!(queue.next(at(20)), Some(key("a", "due")));
        assert!(queue.is_due(&key("a", "due")) && !queue.is_due(&taken[0]));
        assert_eq!(queue.next(at(20)), None);
        queue.done(taken[0].clone(), None, at(21));
        assert!(queue.next(at(21)).is_some());
    }

    #[test]
    fn a_look_for_a_change_cancels_the_timer_it_replaces() {
        let mut queue = Queue::default();
        scheduled(&mut queue, key("a", "x"), 20);
        scheduled(&mut queue, key("a", "x"), 50);
        assert_eq!(queue.next(at(20)), None);
    }
}
