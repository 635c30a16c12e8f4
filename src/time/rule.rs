//! One trigger of any kind, and the window in which it has slots.

use std::cell::Cell;

use super::calendar::Calendar;
use super::combine::{AllOf, AnyOf};
use super::instants::Instants;
use super::interval::Interval;
use super::search::Recurring;
use super::shape::Shape;
use super::{Search, Slot};

/// How many searches of single triggers one search may cost.
const STEPS: usize = 350;

/// What is left of the work a search may do.
#[derive(Debug)]
pub(super) struct Budget {
    steps: Cell<usize>,
}

/// What says when, without a window.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    Recurring(Box<Recurring>),
    Interval(Interval),
    Calendar(Calendar),
    Instants(Instants),
    AnyOf(AnyOf),
    AllOf(AllOf),
}

/// A rule within its window.
#[derive(Clone, Debug)]
pub(super) struct Bounded {
    pub(super) rule: Rule,
    /// The first instant at which there may be a slot.
    pub(super) from: Slot,
    /// The last one.
    pub(super) through: Slot,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { steps: Cell::new(STEPS) }
    }

    /// Takes half of what is left for another search, which then gets on whatever this one costs.
    pub(super) fn take_half(&self) -> Self {
        let half = self.steps.get() / 2;
        self.spend_many(half);
        Self { steps: Cell::new(half) }
    }

    /// Takes one step, if there is one left.
    pub(super) fn spend(&self) -> bool {
        self.spend_many(1)
    }

    /// Takes several steps, if there is any left.
    pub(super) fn spend_many(&self, steps: usize) -> bool {
        let left = self.steps.get();
        self.steps.set(left.saturating_sub(steps));
        left > 0
    }
}

impl Rule {
    pub(super) fn recurring(&self) -> Option<&Recurring> {
        if let Self::Recurring(recurring) = self { Some(recurring) } else { None }
    }

    fn next(&self, after: Slot, budget: &Budget) -> Search {
        match self {
            Self::Recurring(recurring) => recurring.next(after),
            Self::Interval(interval) => interval.next(after),
            Self::Calendar(calendar) => calendar.next(after),
            Self::Instants(instants) => instants.next(after),
            Self::AnyOf(any_of) => any_of.next(after, budget),
            Self::AllOf(all_of) => all_of.next(after, budget),
        }
    }

    fn prev(&self, before: Slot, budget: &Budget) -> Search {
        match self {
            Self::Recurring(recurring) => recurring.prev(before),
            Self::Interval(interval) => interval.prev(before),
            Self::Calendar(calendar) => calendar.prev(before),
            Self::Instants(instants) => instants.prev(before),
            Self::AnyOf(any_of) => any_of.prev(before, budget),
            Self::AllOf(all_of) => all_of.prev(before, budget),
        }
    }
}

impl Bounded {
    pub(super) fn new(rule: Rule, from: Slot, through: Slot) -> Self {
        Self { rule, from, through }
    }

    pub(super) fn next(&self, after: Slot, budget: &Budget) -> Search {
        let after = after.max(self.from.plus_seconds(-1));
        if after >= self.through {
            return Search::Never;
        }
        match self.rule.next(after, budget) {
            Search::Slot(slot) if slot > self.through => Search::Never,
            Search::NoneUpTo(up_to) if up_to >= self.through => Search::Never,
            found => found,
        }
    }

    pub(super) fn prev(&self, before: Slot, budget: &Budget) -> Search {
        let before = before.min(self.through.plus_seconds(1));
        if before <= self.from {
            return Search::Never;
        }
        match self.rule.prev(before, budget) {
            Search::Slot(slot) if slot < self.from => Search::Never,
            Search::NoneUpTo(down_to) if down_to <= self.from => Search::Never,
            found => found,
        }
    }

    /// Whether there is a slot at an instant.
    pub(super) fn has(&self, slot: Slot) -> bool {
        (self.from..=self.through).contains(&slot)
            && self.rule.next(slot.plus_seconds(-1), &Budget::new()) == Search::Slot(slot)
    }

    /// At which times of a UTC day slots can be, around an instant.
    pub(super) fn shape(&self, at: Slot) -> Shape {
        match &self.rule {
            Rule::Recurring(recurring) => recurring.shape(at),
            Rule::Interval(interval) => Shape::of_interval(interval),
            Rule::Calendar(calendar) => calendar.shape(at),
            Rule::Instants(_) => Shape::anything(Slot::FIRST, Slot::LAST),
            Rule::AnyOf(any_of) => any_of.shape(at),
            Rule::AllOf(all_of) => all_of.shape(at),
        }
    }
}
