//! The judge of the simulation: it reads the history of changes, requests and facts, and says which
//! promise was broken.
//!
//! It uses the API types and the time engine, and nothing of what decides: what it asks for is what
//! users are promised. Each file holds one promise; `scene` is what all of them know of the world.

mod accounts;
mod acting;
mod at_rest;
mod identity;
mod never_twice;
mod nothing_retroactive;
mod on_time;
mod overlap;
mod own_writes;
mod quiet;
mod removal;
mod removed_once;
mod results;
mod retries;
mod scene;
mod status_shape;
mod succession;
mod tale;
mod violation;

use jiff::Timestamp;

use crate::api::ApiServer;
use crate::history::{Asked, Change, Fact, History};
use scene::{Meaning, Scene};
pub use violation::{Promise, Violation};

/// Whether a promise was kept.
pub type Verdict = Result<(), Violation>;

/// One promise: what it wants to hear of, and when it is broken.
pub trait Check {
    /// An object changed; the scene knows already.
    fn change(&mut self, _scene: &Scene, _change: &Change, _meaning: &Meaning) -> Verdict {
        Ok(())
    }

    /// A request reached the API server; the scene knows of what it changed.
    fn request(&mut self, _scene: &Scene, _asked: &Asked) -> Verdict {
        Ok(())
    }

    /// Something was done to a replica.
    fn fact(&mut self, _scene: &Scene, _fact: &Fact) -> Verdict {
        Ok(())
    }

    /// So much time has passed.
    fn time(&mut self, _scene: &Scene) -> Verdict {
        Ok(())
    }

    /// Everything is over, and there was time for all that follows.
    fn rest(&mut self, _scene: &Scene) -> Verdict {
        Ok(())
    }
}

/// All promises, and how far the history was read.
pub struct Oracle {
    scene: Scene,
    checks: Vec<Box<dyn Check>>,
    changes: usize,
    requests: usize,
    facts: usize,
}

impl Oracle {
    /// One that has read nothing yet.
    pub fn new() -> Self {
        Self::of(vec![
            Box::new(never_twice::NeverTwice::default()),
            Box::new(accounts::Accounts::default()),
            Box::new(on_time::OnTime::default()),
            Box::new(nothing_retroactive::NothingRetroactive),
            Box::new(overlap::Overlap),
            Box::new(retries::Retries),
            Box::new(results::Results::default()),
            Box::new(removal::Removal),
            Box::new(removed_once::RemovedOnce::default()),
            Box::new(own_writes::OwnWrites),
            Box::new(acting::Acting::default()),
            Box::new(succession::Succession::default()),
            Box::new(status_shape::StatusShape),
            Box::new(quiet::Quiet::default()),
            Box::new(at_rest::AtRest),
        ])
    }

    /// One that knows only some promises.
    fn of(checks: Vec<Box<dyn Check>>) -> Self {
        Self { scene: Scene::default(), checks, changes: 0, requests: 0, facts: 0 }
    }

    /// Judges what is new in the history.
    ///
    /// # Errors
    /// The first promise that was broken.
    pub fn step(&mut self, history: &History) -> Verdict {
        loop {
            let fact = history.facts.get(self.facts);
            let change = history.changes.get(self.changes);
            let request = history.requests.get(self.requests);
            // At one instant: what changed, then who asked for it, then what was done because of it.
            let places = [change.map(|it| (it.at, 0)), request.map(|it| (it.at, 1)), fact.map(|it| (it.at, 2))];
            match (places.into_iter().flatten().min(), fact, change, request) {
                (Some((_, 2)), Some(fact), _, _) => self.hear_fact(fact)?,
                (Some((_, 0)), _, Some(change), _) => self.hear_change(change)?,
                (Some((_, 1)), _, _, Some(request)) => self.hear_request(request)?,
                _ => break,
            }
        }
        self.checks.iter_mut().try_for_each(|it| it.time(&self.scene))
    }

    /// Judges the world when everything is over, as [`Self::rest`] does.
    ///
    /// # Errors
    /// The first promise that was broken.
    pub fn at_rest(&mut self, api: &ApiServer) -> Verdict {
        self.rest(api.history(), api.now())
    }

    /// Judges what is left when everything is over: no fault is in force, and there was time to
    /// settle.
    ///
    /// # Errors
    /// The first promise that was broken.
    fn rest(&mut self, history: &History, now: Timestamp) -> Verdict {
        self.step(history)?;
        self.scene.pass_to(now);
        self.checks.iter_mut().try_for_each(|it| it.time(&self.scene))?;
        self.checks.iter_mut().try_for_each(|it| it.rest(&self.scene))
    }

    fn hear_fact(&mut self, fact: &Fact) -> Verdict {
        self.facts += 1;
        self.scene.note_fact(fact);
        self.checks.iter_mut().try_for_each(|it| it.fact(&self.scene, fact))
    }

    fn hear_change(&mut self, change: &Change) -> Verdict {
        self.changes += 1;
        let meaning = self.scene.note_change(change);
        self.checks.iter_mut().try_for_each(|it| it.change(&self.scene, change, &meaning))
    }

    fn hear_request(&mut self, request: &Asked) -> Verdict {
        self.requests += 1;
        self.scene.pass_to(request.at);
        self.checks.iter_mut().try_for_each(|it| it.request(&self.scene, request))
    }
}
