//! Several triggers as one: the slots of any of them, or those that all have in common.

use super::interval::Interval;
use super::rule::{Bounded, Budget, Rule};
use super::search::Recurring;
use super::shape::Shape;
use super::{Search, Slot};

/// The slots of any member.
#[derive(Clone, Debug)]
pub(super) struct AnyOf {
    members: Vec<Bounded>,
}

/// The instants at which every member has a slot.
#[derive(Clone, Debug)]
pub(super) struct AllOf {
    members: Vec<Bounded>,
}

/// Rounds without a slot after which times of day are compared, which costs more than a round.
const PATIENCE: usize = 4;

// === impl AnyOf ===

impl AnyOf {
    pub(super) fn new(members: Vec<Bounded>) -> Self {
        Self { members }
    }

    pub(super) fn next(&self, after: Slot, budget: &Budget) -> Search {
        let found = self
            .members
            .iter()
            .map(|member| if budget.spend() { member.next(after, budget) } else { Search::NoneUpTo(after) });
        found.reduce(earlier).unwrap_or(Search::Never)
    }

    pub(super) fn prev(&self, before: Slot, budget: &Budget) -> Search {
        let found = self
            .members
            .iter()
            .map(|member| if budget.spend() { member.prev(before, budget) } else { Search::NoneUpTo(before) });
        found.reduce(later).unwrap_or(Search::Never)
    }

    pub(super) fn shape(&self, at: Slot) -> Shape {
        let shapes = self.members.iter().map(|member| member.shape(at));
        shapes.reduce(|all, one| all.or(&one)).unwrap_or_else(|| Shape::anything(at, at))
    }
}

/// What is known of two triggers together: the first slot, unless one of them was not looked at
/// that far.
pub(super) fn earlier(one: Search, other: Search) -> Search {
    match (one, other) {
        (Search::Never, found) | (found, Search::Never) => found,
        (Search::Slot(one), Search::Slot(other)) => Search::Slot(one.min(other)),
        (Search::NoneUpTo(one), Search::NoneUpTo(other)) => Search::NoneUpTo(one.min(other)),
        (Search::Slot(slot), Search::NoneUpTo(up_to)) | (Search::NoneUpTo(up_to), Search::Slot(slot)) => {
            if slot <= up_to { Search::Slot(slot) } else { Search::NoneUpTo(up_to) }
        }
    }
}

/// As [`earlier`], backwards.
pub(super) fn later(one: Search, other: Search) -> Search {
    match (one, other) {
        (Search::Never, found) | (found, Search::Never) => found,
        (Search::Slot(one), Search::Slot(other)) => Search::Slot(one.max(other)),
        (Search::NoneUpTo(one), Search::NoneUpTo(other)) => Search::NoneUpTo(one.max(other)),
        (Search::Slot(slot), Search::NoneUpTo(down_to)) | (Search::NoneUpTo(down_to), Search::Slot(slot)) => {
            if slot >= down_to { Search::Slot(slot) } else { Search::NoneUpTo(down_to) }
        }
    }
}

// === impl AllOf ===

impl AllOf {
    /// Members as one rule: simpler, where it can be.
    pub(super) fn rule(members: Vec<Bounded>) -> Rule {
        let has_all = |members: &[Bounded], slot: Slot| members.iter().all(|member| member.has(slot));
        let listed = members.iter().find_map(|member| match &member.rule {
            Rule::Instants(instants) => Some(instants.filter(|slot| has_all(&members, slot))),
            _ => None,
        });
        if let Some(listed) = listed {
            return Rule::Instants(listed);
        }
        let all_of = Self { members: merge_intervals(members) };
        if all_of.members.is_empty() || all_of.never_meet() {
            return Rule::AnyOf(AnyOf::new(Vec::new()));
        }
        Rule::AllOf(all_of)
    }

    /// Each member in turn is asked for its first slot at or after the earliest instant that is
    /// still possible, which moves on until all agree.
    pub(super) fn next(&self, after: Slot, budget: &Budget) -> Search {
        let mut from = after.plus_seconds(1);
        let (mut agreed, mut asked, mut patience) = (0, 0, PATIENCE * self.members.len());
        for member in self.members.iter().cycle() {
            if !budget.spend() {
                break;
            }
            match member.next(from.plus_seconds(-1), budget) {
                Search::Slot(slot) if slot == from => agreed += 1,
                Search::Slot(slot) => (from, agreed) = (slot, 1),
                found => return found,
            }
            if agreed == self.members.len() {
                return Search::Slot(from);
            }
            asked += 1;
            if asked >= patience {
                let shape = self.shape(from);
                budget.spend_many(shape.cost());
                (asked, patience) = (0, patience * 2);
                let met = if shape.is_empty() { Some(Slot::LAST.plus_seconds(1)) } else { shape.meeting_from(from) };
                if let Some(met) = met {
                    (from, agreed) = (met.min(shape.through.plus_seconds(1)), 0);
                    patience = self.members.len();
                }
                if from > Slot::LAST {
                    return Search::Never;
                }
            }
        }
        Search::NoneUpTo(from.plus_seconds(-1).max(after))
    }

    /// As [`Self::next`], backwards.
    pub(super) fn prev(&self, before: Slot, budget: &Budget) -> Search {
        let mut through = before.plus_seconds(-1);
        let (mut agreed, mut asked, mut patience) = (0, 0, PATIENCE * self.members.len());
        for member in self.members.iter().cycle() {
            if !budget.spend() {
                break;
            }
            match member.prev(through.plus_seconds(1), budget) {
                Search::Slot(slot) if slot == through => agreed += 1,
                Search::Slot(slot) => (through, agreed) = (slot, 1),
                found => return found,
            }
            if agreed == self.members.len() {
                return Search::Slot(through);
            }
            asked += 1;
            if asked >= patience {
                let shape = self.shape(through);
                budget.spend_many(shape.cost());
                (asked, patience) = (0, patience * 2);
                let nowhere = Some(Slot::FIRST.plus_seconds(-1));
                let met = if shape.is_empty() { nowhere } else { shape.meeting_through(through) };
                if let Some(met) = met {
                    (through, agreed) = (met.max(shape.since.plus_seconds(-1)), 0);
                    patience = self.members.len();
                }
                if through < Slot::FIRST {
                    return Search::Never;
                }
            }
        }
        Search::NoneUpTo(through.plus_seconds(1).min(before))
    }

    pub(super) fn shape(&self, at: Slot) -> Shape {
        let shapes = self.members.iter().map(|member| member.shape(at));
        shapes.reduce(|all, one| all.and(&one)).unwrap_or_else(|| Shape::anything(at, at))
    }

    /// Whether it is proved that members never have a slot at the same time.
    fn never_meet(&self) -> bool {
        let recurring: Vec<&Recurring> = self.members.iter().filter_map(|member| member.rule.recurring()).collect();
        let shape = self.shape(Slot::FIRST);
        (shape.through >= Slot::LAST && shape.is_empty())
            || (1..recurring.len()).any(|rest| recurring[rest - 1].never_meets_one_of(&recurring[rest..]))
    }
}

/// All intervals as the one at which they meet. No members at all if they never do.
fn merge_intervals(members: Vec<Bounded>) -> Vec<Bounded> {
    let (mut merged, mut others): (Option<(Interval, Slot, Slot)>, Vec<Bounded>) = (None, Vec::new());
    for member in members {
        let Rule::Interval(interval) = member.rule else {
            others.push(member);
            continue;
        };
        merged = match merged {
            None => Some((interval, member.from, member.through)),
            Some((before, from, through)) => match before.and(&interval) {
                Some(common) => Some((common, from.max(member.from), through.min(member.through))),
                None => return Vec::new(),
            },
        };
    }
    let merged = merged.map(|(interval, from, through)| Bounded::new(Rule::Interval(interval), from, through));
    merged.into_iter().chain(others).collect()
}
