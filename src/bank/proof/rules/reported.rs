//! What the bank says the balance was, from the balances that come with its mutations.
//!
//! Aggregators send zero, or a balance of some other moment, as readily as the right one, and lines that bear
//! only a date have no order. So a balance counts only where it is one of a chain, and the chain itself says
//! which balance is the last:
//!
//! * A mutation with a balance leads from the balance before it (the balance less its amount) to that balance.
//!   Two are **linked** where one leads to where the other begins. So is one that begins where the day begins
//!   (unless it leads to zero, which chance would have too often), and one that is linked to the last day
//!   before, or the next one after, that has balances.
//! * A day is trusted if at least one of its mutations is linked, or has its balance from an imported
//!   statement, whose balances were found to follow when it was imported; or if the last day before that has
//!   balances was trusted: who has sent good ones is believed when something is missing.
//! * On a trusted day a balance that is linked to nothing is passed over if it is zero, or the same as another
//!   one of that day or the day before: it was filled in or stood still.
//! * The reported balance is the one that no other mutation of the day begins with; of several, because
//!   something is missing between them, the last by time. Where all of them are begun with, the day ends where
//!   it began.
//! * Mutations after it that have no balance are added, unless the next day begins with it, or it comes from a
//!   statement that was made when the day was over: then there is nothing after it.

use super::{Mutation, Problem};
use crate::bank::rules::when::When;
use crate::money;
use rust_decimal::Decimal;
use std::collections::{HashMap, HashSet};

/// A mutation with its balance: from one balance to the next.
struct Step {
    /// The mutation's place in its day.
    place: usize,
    before: Decimal,
    after: Decimal,
    proven_at: Option<i64>,
}

/// What a day's balances say.
#[derive(Debug, Default, PartialEq)]
pub struct Reading {
    /// The balance at the end of the day, where it can be trusted.
    pub closing: Option<Decimal>,
    /// The first mutation that does not begin where the one before it, or the day, leads to.
    pub gap: Option<Problem>,
}

/// How a day begins.
#[derive(Clone, Copy)]
pub struct Start {
    /// The opening balance by the mutations.
    pub opening: Decimal,
    /// The same with the difference that was reported last: where the bank's own day should begin.
    pub expected: Decimal,
    /// The last day with balances was trusted.
    pub is_trusted: bool,
}

/// The balances of all days, for their neighbours.
pub struct Chain {
    /// For each day the place of the last day before that has balances, and of the next one after.
    neighbours: Vec<(Option<usize>, Option<usize>)>,
    afters: Vec<HashSet<Decimal>>,
    befores: Vec<HashSet<Decimal>>,
}

impl Chain {
    /// `days`: the mutations of each day.
    pub fn new<'a, 'b: 'a>(days: impl Iterator<Item = &'a [&'b Mutation]>) -> Self {
        let (mut afters, mut befores) = (Vec::new(), Vec::new());
        for day in days {
            let steps = steps(day);
            afters.push(steps.iter().map(|step| step.after).collect::<HashSet<_>>());
            befores.push(steps.iter().map(|step| step.before).collect::<HashSet<_>>());
        }
        let mut neighbours = vec![(None, None); afters.len()];
        let mut last = None;
        for place in 0..afters.len() {
            neighbours[place].0 = last;
            if !afters[place].is_empty() {
                last = Some(place);
            }
        }
        let mut next = None;
        for place in (0..afters.len()).rev() {
            neighbours[place].1 = next;
            if !afters[place].is_empty() {
                next = Some(place);
            }
        }
        Self { neighbours, afters, befores }
    }

    /// Reads the day at that place.
    pub fn read(&self, place: usize, day: &[&Mutation], start: Start) -> Reading {
        let steps = self.usable(place, steps(day), start);
        if steps.is_empty() {
            return Reading::default();
        }
        let closing = last(&steps, start.expected).and_then(|(end, balance)| {
            let rest = self.rest(place, day, &steps, end, balance);
            rest.map(|mutation| mutation.effect).try_fold(balance, money::add)
        });
        Reading { closing, gap: gap(day, &steps, start.expected) }
    }

    fn begins_after(&self, place: usize, balance: &Decimal) -> bool {
        self.neighbours[place].1.is_some_and(|next| self.befores[next].contains(balance))
    }

    /// The mutations without a balance that come after the last one with a balance.
    fn rest<'a>(
        &self,
        place: usize,
        day: &'a [&'a Mutation],
        steps: &[Step],
        end: &Step,
        balance: Decimal,
    ) -> impl Iterator<Item = &'a Mutation> + use<'a> {
        let has_balance: HashSet<usize> = steps.iter().map(|step| step.place).collect();
        let is_end = self.begins_after(place, &balance);
        let (from, proven_at) = (end.place + 1, end.proven_at);
        day.iter().copied().enumerate().skip(from).filter_map(move |(place, mutation)| {
            let is_after =
                proven_at.is_none_or(|at| When::at(at).day <= mutation.day && mutation.created_at > at);
            (!is_end && is_after && !has_balance.contains(&place)).then_some(mutation)
        })
    }

    /// The steps of a trusted day that count; none of a day that is not trusted.
    fn usable(&self, place: usize, mut steps: Vec<Step>, start: Start) -> Vec<Step> {
        let last = self.neighbours[place].0;
        let ends_before = |balance: &Decimal| last.is_some_and(|last| self.afters[last].contains(balance));
        let is_linked = |step: &Step| {
            step.proven_at.is_some()
                || self.afters[place].contains(&step.before)
                || self.befores[place].contains(&step.after)
                || ends_before(&step.before)
                || self.begins_after(place, &step.after)
                || (!step.after.is_zero() && [start.opening, start.expected].contains(&step.before))
        };
        if !start.is_trusted && !steps.iter().any(is_linked) {
            return Vec::new();
        }
        let mut seen: HashMap<Decimal, usize> = HashMap::new();
        for step in &steps {
            *seen.entry(step.after).or_default() += 1;
        }
        steps.retain(|step| {
            let stands_still =
                seen.get(&step.after).is_some_and(|times| *times > 1) || ends_before(&step.after);
            is_linked(step) || !(step.after.is_zero() || stands_still)
        });
        steps
    }
}

fn steps(day: &[&Mutation]) -> Vec<Step> {
    let step = |(place, mutation): (usize, &&Mutation)| {
        let after = mutation.balance?;
        let before = money::subtract(after, mutation.effect)?;
        Some(Step { place, before, after, proven_at: mutation.proven_at })
    };
    day.iter().enumerate().filter_map(step).collect()
}

/// The last step, and the balance that it leads to.
fn last(steps: &[Step], start: Decimal) -> Option<(&Step, Decimal)> {
    let mut begun: HashMap<Decimal, usize> = HashMap::new();
    for step in steps {
        *begun.entry(step.before).or_default() += 1;
    }
    let mut end = None;
    for step in steps {
        match begun.get_mut(&step.after) {
            Some(times) if *times > 0 => *times -= 1,
            _ => end = Some((step, step.after)),
        }
    }
    let last = steps.last()?;
    let circle = || {
        let balance = if steps.iter().any(|step| step.before == start) { start } else { last.after };
        (last, balance)
    };
    Some(end.unwrap_or_else(circle))
}

fn gap(day: &[&Mutation], steps: &[Step], start: Decimal) -> Option<Problem> {
    let mut ended: HashMap<Decimal, usize> = HashMap::new();
    for step in steps {
        *ended.entry(step.after).or_default() += 1;
    }
    let mut lone = None;
    for (index, step) in steps.iter().enumerate() {
        match ended.get_mut(&step.before) {
            Some(times) if *times > 0 => *times -= 1,
            _ if step.before == start => {}
            _ => {
                lone = Some(index);
                break;
            }
        }
    }
    let index = lone?;
    let (step, anchor) = (&steps[index], if index == 0 { start } else { steps[index - 1].after });
    let mutation = day[step.place];
    Some(Problem::DoesNotFollow {
        mutation_id: mutation.id,
        amount: mutation.effect,
        balance: step.after,
        expected: money::add(anchor, mutation.effect)?,
    })
}
