//! A bound on requests in flight that lets urgent ones go first: thousands of starts that are due
//! together are not held up by the status writes of those that have started.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// A start that is not answered within this time is slow for a reason of its own, such as a webhook: it no
/// longer holds up what is less urgent.
const HOLDS_UP: Duration = Duration::from_millis(250);
/// For so long starts that follow one another without a pause go alone. Then what is less urgent has its turn
/// as well, where no start waits for a place: what has started must be recorded some day.
const ALONE: Duration = Duration::from_secs(10);

/// What is less urgent than a start gets one of so many places. More would not be faster, and the API server would
/// tell of the Jobs that were just created the later.
const SHARE: usize = 4;

/// How urgent a request is, the most urgent last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Nothing waits for it.
    Background,
    /// Something is recorded, or read in order to record it.
    Record,
    /// A Job is created, or read in order to create it.
    Start,
}

/// A bound on requests in flight. While starts are being decided or are on their way, nothing else is sent:
/// the API server has the time for either, and what is recorded later is not late.
#[derive(Clone)]
pub struct Gate(Arc<Mutex<Inner>>);

struct Inner {
    free: usize,
    /// Of those, how many what is less urgent than a start may take.
    free_for_others: usize,
    arrivals: u64,
    /// How many decisions are being made that may start something.
    expected: usize,
    /// How many starts are in flight that hold up what is less urgent.
    starting: usize,
    /// Since when there have been such starts without a pause.
    starting_since: Instant,
    waiting: BinaryHeap<Waiter>,
}

struct Waiter {
    urgency: Urgency,
    arrival: Reverse<u64>,
    admit: oneshot::Sender<Pass>,
}

/// The right to have one request in flight; given back when dropped.
pub struct Pass {
    /// `None` once it is given back.
    gate: Option<Gate>,
    urgency: Urgency,
    holds_up: bool,
}

/// For as long as it is held, something that may start is being decided.
pub struct Expectation(Gate);

impl Gate {
    /// A gate that lets so many requests through at once.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            free: limit.max(1),
            free_for_others: (limit / SHARE).max(1),
            arrivals: 0,
            expected: 0,
            starting: 0,
            starting_since: Instant::now(),
            waiting: BinaryHeap::new(),
        })))
    }

    /// Waits for the right to send a request: the more urgent first, then the one that came first.
    pub async fn enter(&self, urgency: Urgency) -> Pass {
        let admitted = {
            let mut inner = self.lock();
            if inner.lets_in(urgency) {
                inner.admit(urgency);
                return self.pass(urgency);
            }
            inner.arrivals += 1;
            let (admit, admitted) = oneshot::channel();
            let arrival = Reverse(inner.arrivals);
            inner.waiting.push(Waiter { urgency, arrival, admit });
            admitted
        };
        // The sender lives in the gate, which this call holds.
        admitted.await.unwrap_or(Pass { gate: None, urgency, holds_up: false })
    }

    /// Something is being decided that may start at once: until that is known, what is less urgent waits.
    /// Among many that are due together the first would otherwise be recorded before the last is
    /// started.
    #[must_use]
    pub fn expect_start(&self) -> Expectation {
        self.lock().expected += 1;
        Expectation(self.clone())
    }

    fn pass(&self, urgency: Urgency) -> Pass {
        Pass { gate: Some(self.clone()), urgency, holds_up: urgency == Urgency::Start }
    }

    /// Notes a change, and lets in all that may go ahead since.
    fn after(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.lock());
        loop {
            let next = {
                let mut inner = self.lock();
                let Some(next) = inner.next() else { return };
                inner.admit(next.urgency);
                next
            };
            if let Err(mut pass) = next.admit.send(self.pass(next.urgency)) {
                // Whoever waited has given up: the place goes to the one after, here and not in another call.
                pass.gate = None;
                self.lock().leave(pass.urgency, pass.holds_up);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn lets_in(&self, urgency: Urgency) -> bool {
        let others_may = || self.free_for_others > 0 && self.expected == 0 && !self.is_held_up();
        self.free > 0 && (urgency == Urgency::Start || others_may())
    }

    fn is_held_up(&self) -> bool {
        self.starting > 0 && self.starting_since.elapsed() < ALONE
    }

    fn admit(&mut self, urgency: Urgency) {
        self.free -= 1;
        if urgency == Urgency::Start {
            if self.starting == 0 {
                self.starting_since = Instant::now();
            }
            self.starting += 1;
        } else {
            self.free_for_others -= 1;
        }
    }

    fn leave(&mut self, urgency: Urgency, held_up: bool) {
        self.free += 1;
        self.free_for_others += usize::from(urgency != Urgency::Start);
        self.starting -= usize::from(held_up);
    }

    /// Who goes next, of those that wait.
    fn next(&mut self) -> Option<Waiter> {
        let is_let_in = self.waiting.peek().is_some_and(|it| self.lets_in(it.urgency));
        if is_let_in { self.waiting.pop() } else { None }
    }
}

impl Pass {
    /// Waits for the answer to the request that was let through.
    pub async fn during<T>(mut self, request: impl Future<Output = T>) -> T {
        let mut request = pin!(request);
        if self.holds_up {
            tokio::select! {
                biased;
                answer = &mut request => return answer,
                () = tokio::time::sleep(HOLDS_UP) => self.hold_up_no_more(),
            }
        }
        request.await
    }

    fn hold_up_no_more(&mut self) {
        self.holds_up = false;
        if let Some(gate) = &self.gate {
            gate.after(|inner| inner.starting -= 1);
        }
    }
}

impl Drop for Expectation {
    fn drop(&mut self) {
        self.0.after(|inner| inner.expected -= 1);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.after(|inner| inner.leave(self.urgency, self.holds_up));
        }
    }
}

impl PartialEq for Waiter {
    fn eq(&self, other: &Self) -> bool {
        (self.urgency, self.arrival) == (other.urgency, other.arrival)
    }
}

impl Eq for Waiter {}

impl PartialOrd for Waiter {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiter {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.urgency, self.arrival).cmp(&(other.urgency, other.arrival))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::{ALONE, Gate, HOLDS_UP, SHARE, Urgency};

    #[tokio::test(flavor = "current_thread")]
    async fn starts_overtake_records_and_equals_keep_their_order() {
        let gate = Gate::new(1);
        let held = gate.enter(Urgency::Background).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for (name, urgency) in [
            ("background", Urgency::Background),
            ("record", Urgency::Record),
            ("start 1", Urgency::Start),
            ("start 2", Urgency::Start),
        ] {
            let (gate, order) = (gate.clone(), order.clone());
            tasks.push(tokio::spawn(async move {
                let _pass = gate.enter(urgency).await;
                order.lock().expect("no panic").push(name);
            }));
            tokio::task::yield_now().await;
        }
        drop(held);
        for task in tasks {
            task.await.expect("no panic");
        }
        assert_eq!(*order.lock().expect("no panic"), ["start 1", "start 2", "record", "background"]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn while_a_start_is_being_decided_only_starts_go_ahead() {
        let gate = Gate::new(2 * SHARE);
        let expectations = [gate.expect_start(), gate.expect_start()];
        drop(gate.enter(Urgency::Start).await);
        let waiting = [Urgency::Record, Urgency::Background, Urgency::Record].map(|urgency| {
            let gate = gate.clone();
            tokio::spawn(async move { gate.enter(urgency).await })
        });
        for expectation in expectations {
            tokio::task::yield_now().await;
            assert!(waiting.iter().all(|it| !it.is_finished()));
            drop(expectation);
        }
        let [first, background, second] = waiting;
        drop(first.await.expect("no panic"));
        drop(second.await.expect("no panic"));
        drop(background.await.expect("no panic"));
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_start_on_its_way_holds_up_the_rest_until_it_is_answered_or_slow() {
        let gate = Gate::new(4);
        let enter = |urgency| {
            let gate = gate.clone();
            tokio::spawn(async move { drop(gate.enter(urgency).await) })
        };
        let start = async |takes| {
            let begin = Instant::now();
            let request = tokio::spawn(gate.enter(Urgency::Start).await.during(sleep(takes)));
            enter(Urgency::Record).await.expect("let in");
            let waited = begin.elapsed();
            request.await.expect("answered");
            waited
        };
        assert_eq!(start(Duration::from_millis(100)).await, Duration::from_millis(100));
        assert_eq!(start(Duration::from_secs(10)).await, HOLDS_UP);
        assert_eq!(gate.lock().starting, 0);
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn starts_that_never_pause_hold_up_the_rest_for_some_seconds_only() {
        let gate = Gate::new(4);
        let begin = Instant::now();
        let mut before = gate.enter(Urgency::Start).await;
        let held_up = gate.clone();
        let record = tokio::spawn(async move { drop(held_up.enter(Urgency::Record).await) });
        while !record.is_finished() {
            assert!(begin.elapsed() <= ALONE + HOLDS_UP);
            sleep(Duration::from_millis(100)).await;
            before = gate.enter(Urgency::Start).await;
        }
        assert!(begin.elapsed() >= ALONE);
        drop(before);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn all_that_waited_for_the_last_start_go_on_together() {
        let gate = Gate::new(3 * SHARE);
        let start = gate.enter(Urgency::Start).await;
        let records = [(); 3].map(|()| {
            let gate = gate.clone();
            tokio::spawn(async move { gate.enter(Urgency::Record).await })
        });
        tokio::task::yield_now().await;
        drop(start);
        let mut passes = Vec::new();
        for record in records {
            passes.push(record.await.expect("let in"));
        }
        assert_eq!(gate.lock().free_for_others, 0);
        drop(passes);
        assert_eq!(gate.lock().free, 3 * SHARE);
        assert_eq!(gate.lock().free_for_others, 3);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn however_much_is_recorded_a_start_finds_a_place() {
        let gate = Gate::new(2 * SHARE);
        let recorded = [gate.enter(Urgency::Record).await, gate.enter(Urgency::Background).await];
        let held_up = gate.clone();
        let third = tokio::spawn(async move { held_up.enter(Urgency::Record).await });
        let started = gate.enter(Urgency::Start).await;
        assert!(!third.is_finished());
        drop(started);
        drop(recorded);
        drop(third.await.expect("let in"));
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_place_is_not_lost_with_someone_who_gave_up_waiting() {
        let gate = Gate::new(1);
        let held = gate.enter(Urgency::Record).await;
        let gave_up = tokio::time::timeout(Duration::from_millis(1), gate.enter(Urgency::Start)).await;
        assert!(gave_up.is_err());
        drop(held);
        let _next = tokio::time::timeout(Duration::from_secs(1), gate.enter(Urgency::Background))
            .await
            .expect("a place is free");
    }
}
