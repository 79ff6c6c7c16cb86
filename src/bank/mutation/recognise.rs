//! Which of the movements of a call are known already.

use super::rules::same::{Same, Similar, recognise};
use super::rules::{State, is_statement};
use super::store::arrivals::{self, Arrival, Known};
use super::{Outcome, Taken};
use crate::bank::rules::Direction;
use crate::bank::rules::when::When;
use crate::error::Result;
use crate::ledger::{self, Ledger};
use crate::spi::Session;
use rust_decimal::Decimal;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// What a movement turned out to be.
pub enum Recognised {
    /// Stored before this call.
    Before(Taken),
    /// Has the id of an earlier line of this call, and was not known before it.
    Again,
    /// To be stored under this id; `original_id` is what it seems to repeat.
    New { id: Uuid, original_id: Option<Uuid> },
}

/// What makes two movements of one source look the same.
type Content<'a> = (i32, Direction, Decimal, When, &'a str);

/// Recognises every movement, in order. [`settle_repeats`] gives those that come [`Recognised::Again`]
/// their earlier line's outcome.
pub fn all(session: &Session, ledger: &Ledger, arrivals: &[Arrival]) -> Result<Vec<Recognised>> {
    let everything: Vec<&Arrival> = arrivals.iter().collect();
    let mut known: HashMap<usize, Known> = arrivals::known(session, ledger.id, &everything)
        .into_iter()
        .map(|known| (known.line, known))
        .collect();
    let repeats = repeats(arrivals);
    let fresh: Vec<&Arrival> = arrivals
        .iter()
        .filter(|arrival| !known.contains_key(&arrival.line) && !repeats.contains_key(&arrival.line))
        .collect();
    let (similar, asked_for) = similar(session, ledger, &fresh);
    let mut claimed: HashSet<Uuid> = known.values().map(|known| known.mutation_id).collect();
    let mut seen: HashMap<Content, Uuid> = HashMap::new();
    let mut recognised = Vec::with_capacity(arrivals.len());
    for arrival in arrivals {
        if let Some(known) = known.remove(&arrival.line) {
            recognised.push(Recognised::Before(before(arrival, known)));
            continue;
        }
        if repeats.contains_key(&arrival.line) {
            recognised.push(Recognised::Again);
            continue;
        }
        let found = asked_for.get(&kind_of(arrival)).and_then(|line| similar.get(line));
        let similar: Vec<&Similar> = found.map_or_else(Vec::new, |all| all.iter().collect());
        let same = recognise(arrival.source_id, arrival.when, arrival.description, &similar, |id| {
            claimed.contains(&id)
        });
        let content =
            (arrival.bank_account_id, arrival.direction, arrival.amount, arrival.when, arrival.description);
        match same {
            Same::Sighting(mutation_id) => {
                claimed.insert(mutation_id);
                seen.entry(content).or_insert(mutation_id);
                arrivals::sight(session, ledger.id, arrival, mutation_id, ledger::now());
                recognised.push(Recognised::Before(sighted(session, ledger, mutation_id)));
            }
            // A gateway's payment is known by its id and its number: two that look alike are two.
            Same::Reissue(_) if arrival.number.is_some() => {
                recognised.push(Recognised::New { id: Uuid::now_v7(), original_id: None });
            }
            Same::Reissue(original) => {
                if is_statement(arrival.source_id) {
                    claimed.insert(original);
                }
                recognised.push(Recognised::New { id: Uuid::now_v7(), original_id: Some(original) });
            }
            Same::New => {
                let id = Uuid::now_v7();
                let earlier = (!is_statement(arrival.source_id)).then(|| seen.get(&content)).flatten();
                let original_id = earlier.copied();
                seen.entry(content).or_insert(id);
                recognised.push(Recognised::New { id, original_id });
            }
        }
    }
    Ok(recognised)
}

/// What arrivals have in common that resemble the same stored mutations.
type Kind = (i32, i16, Direction, Decimal, i32);

fn kind_of(arrival: &Arrival) -> Kind {
    let Arrival { bank_account_id, source_id, direction, amount, when, .. } = arrival;
    (*bank_account_id, *source_id, *direction, *amount, when.day)
}

/// What is stored and resembles the arrivals, by the line of the first arrival of each kind. A thousand
/// arrivals that look alike ask once: else each would be compared with each already in the answer.
fn similar(
    session: &Session,
    ledger: &Ledger,
    arrivals: &[&Arrival],
) -> (HashMap<usize, Vec<Similar>>, HashMap<Kind, usize>) {
    let mut asked_for: HashMap<Kind, usize> = HashMap::new();
    let mut asking: Vec<&Arrival> = Vec::new();
    for arrival in arrivals {
        asked_for.entry(kind_of(arrival)).or_insert_with(|| {
            asking.push(arrival);
            arrival.line
        });
    }
    let mut similar: HashMap<usize, Vec<Similar>> = HashMap::new();
    if !asking.is_empty() {
        for found in arrivals::similar(session, ledger.id, &asking) {
            similar.entry(found.line).or_default().push(found);
        }
    }
    (similar, asked_for)
}

/// Lines whose id an earlier line of the same call has, with that line.
fn repeats(arrivals: &[Arrival]) -> HashMap<usize, usize> {
    let mut first: HashMap<(i32, i16, &str), usize> = HashMap::new();
    let mut repeats = HashMap::new();
    for arrival in arrivals {
        let key = (arrival.bank_account_id, arrival.source_id, arrival.provider_mutation_id);
        match first.get(&key) {
            Some(line) => {
                repeats.insert(arrival.line, *line);
            }
            None => {
                first.insert(key, arrival.line);
            }
        }
    }
    repeats
}

/// A movement that is stored under its id: a duplicate, unless it now says something else.
fn before(arrival: &Arrival, known: Known) -> Taken {
    if known.amount != arrival.amount || known.direction != arrival.direction {
        return Taken::rejected("conflicting_duplicate");
    }
    let mut reasons = vec![known.state.name().to_owned()];
    reasons.extend(known.reasons);
    Taken {
        outcome: Outcome::Duplicate,
        mutation_id: Some(known.mutation_id),
        intent_id: known.intent_id,
        transaction_id: known.transaction_id,
        reasons,
    }
}

fn sighted(session: &Session, ledger: &Ledger, mutation_id: Uuid) -> Taken {
    let stored = super::store::find(session, ledger.id, mutation_id);
    let state = stored.as_ref().map_or(State::Duplicate, |stored| stored.state);
    Taken {
        outcome: Outcome::Duplicate,
        mutation_id: Some(mutation_id),
        intent_id: stored.as_ref().and_then(|stored| stored.intent_id),
        transaction_id: stored.as_ref().and_then(|stored| stored.transaction_id()),
        reasons: vec![state.name().to_owned(), "other_source".to_owned()],
    }
}

/// Puts the outcomes of new movements in their places, and gives lines that repeat one of them a
/// duplicate's. What was stored before the call has its own, whatever else the call says under its id.
pub fn settle_repeats(
    arrivals: &[Arrival],
    mut taken: Vec<Option<Taken>>,
    settled: &mut HashMap<usize, Taken>,
) -> Vec<Taken> {
    for (place, arrival) in arrivals.iter().enumerate() {
        if let Some(outcome) = settled.remove(&arrival.line) {
            taken[place] = Some(outcome);
        }
    }
    let repeats = repeats(arrivals);
    let places: HashMap<usize, usize> =
        arrivals.iter().enumerate().map(|(place, arrival)| (arrival.line, place)).collect();
    for (place, arrival) in arrivals.iter().enumerate() {
        if taken[place].is_some() {
            continue;
        }
        let Some(first) = repeats.get(&arrival.line).and_then(|line| places.get(line)) else { continue };
        let original = &arrivals[*first];
        if original.amount != arrival.amount || original.direction != arrival.direction {
            taken[place] = Some(Taken::rejected("conflicting_duplicate"));
            continue;
        }
        if let Some(outcome) = taken[*first].clone() {
            // Seen by another source before: it has said already as what.
            if matches!(outcome.outcome, Outcome::Rejected | Outcome::Duplicate) {
                taken[place] = Some(outcome);
                continue;
            }
            let mut reasons = vec![outcome.outcome.name().to_owned()];
            reasons.extend(outcome.reasons);
            taken[place] = Some(Taken { outcome: Outcome::Duplicate, reasons, ..outcome });
        }
    }
    taken.into_iter().map(|taken| taken.unwrap_or_else(|| Taken::rejected("lost"))).collect()
}
