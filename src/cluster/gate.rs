//! A bound on requests in flight that lets urgent ones go first: thousands of starts that are due
//! together are not held up by the status writes of those that have started.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

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

/// A bound on requests in flight.
#[derive(Clone)]
pub struct Gate(Arc<Mutex<Inner>>);

struct Inner {
    free: usize,
    arrivals: u64,
    /// How many decisions are being made that may start something.
    expected: usize,
    waiting: BinaryHeap<Waiter>,
}

struct Waiter {
    urgency: Urgency,
    arrival: Reverse<u64>,
    admit: oneshot::Sender<Pass>,
}

/// The right to have one request in flight; given back when dropped.
pub struct Pass(Option<Gate>);

/// For as long as it is held, something that may start is being decided.
pub struct Expectation(Gate);

impl Gate {
    /// A gate that lets so many requests through at once.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Inner { free: limit.max(1), arrivals: 0, expected: 0, waiting: BinaryHeap::new() })))
    }

    /// Waits for the right to send a request: the more urgent first, then the one that came first.
    pub async fn enter(&self, urgency: Urgency) -> Pass {
        let admitted = {
            let mut inner = self.lock();
            if inner.free > 0 && inner.lets_in(urgency) {
                inner.free -= 1;
                return Pass(Some(self.clone()));
            }
            inner.arrivals += 1;
            let (admit, admitted) = oneshot::channel();
            let arrival = Reverse(inner.arrivals);
            inner.waiting.push(Waiter { urgency, arrival, admit });
            admitted
        };
        // The sender lives in the gate, which this call holds.
        admitted.await.unwrap_or(Pass(None))
    }

    /// Hands a place on to the next who still waits.
    fn leave(&self) {
        loop {
            let next = {
                let mut inner = self.lock();
                let Some(next) = inner.next() else {
                    inner.free += 1;
                    return;
                };
                next
            };
            match next.admit.send(Pass(Some(self.clone()))) {
                Ok(()) => return,
                // Whoever waited has given up: the place goes to the one after, not back through here.
                Err(mut pass) => pass.0 = None,
            }
        }
    }

    /// Something is being decided that may start at once: until that is known, what is less urgent waits.
    /// Among many that are due together the first would otherwise be recorded before the last is
    /// started.
    #[must_use]
    pub fn expect_start(&self) -> Expectation {
        self.lock().expected += 1;
        Expectation(self.clone())
    }

    /// Nothing is expected any more: who waited for that goes on.
    fn let_in_all(&self) {
        loop {
            let next = {
                let mut inner = self.lock();
                if inner.free == 0 {
                    return;
                }
                let Some(next) = inner.next() else { return };
                inner.free -= 1;
                next
            };
            // Whoever has given up hands the place on when this is dropped.
            let _ = next.admit.send(Pass(Some(self.clone())));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn lets_in(&self, urgency: Urgency) -> bool {
        self.expected == 0 || urgency == Urgency::Start
    }

    /// Who goes next, of those that wait.
    fn next(&mut self) -> Option<Waiter> {
        let is_let_in = self.waiting.peek().is_some_and(|it| self.lets_in(it.urgency));
        if is_let_in { self.waiting.pop() } else { None }
    }
}

impl Drop for Expectation {
    fn drop(&mut self) {
        let is_last = {
            let mut inner = self.0.lock();
            inner.expected -= 1;
            inner.expected == 0
        };
        if is_last {
            self.0.let_in_all();
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(gate) = self.0.take() {
            gate.leave();
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

    use super::{Gate, Urgency};

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
        let gate = Gate::new(2);
        let expectations = [gate.expect_start(), gate.expect_start()];
        let _started = gate.enter(Urgency::Start).await;
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
    async fn a_place_is_not_lost_with_someone_who_gave_up_waiting() {
        let gate = Gate::new(1);
        let held = gate.enter(Urgency::Record).await;
        let gave_up = tokio::time::timeout(std::time::Duration::from_millis(1), gate.enter(Urgency::Start)).await;
        assert!(gave_up.is_err());
        drop(held);
        let _next = tokio::time::timeout(std::time::Duration::from_secs(1), gate.enter(Urgency::Background))
            .await
            .expect("a place is free");
    }
}
