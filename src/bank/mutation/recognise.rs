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
    /// Has the id of the arrival at this place, an earlier one of the call, and was not known before it.
    Again(usize),
    /// To be stored under this id; `original_id` is what it seems to repeat.
    New { id: Uuid, original_id: Option<Uuid> },
}

/// What makes two movements of one source look the same.
type Content<'a> = (i32, Direction, Decimal, When, &'a str);

/// Recognises every movement, in order. [`of_repeat`] is what comes of those that are there [`Recognised::Again`].
pub fn all(session: &Session, ledger: &Ledger, arrivals: &[Arrival]) -> Result<Vec<Recognised>> {
    let everything: Vec<&Arrival> = arrivals.iter().collect();
    let mut known: HashMap<usize, Known> = arrivals::known(session, ledger.id, &everything)
        .into_iter()
        .map(|known| (known.line, known))
        .collect();
    let repeats = repeats(arrivals);
    let fresh: Vec<&Arrival> = arrivals
        .iter()
        .zip(&repeats)
        .filter(|(arrival, first)| !known.contains_key(&arrival.line) && first.is_none())
        .map(|(arrival, _)| arrival)
        .collect();
    let (similar, asked_for) = similar(session, ledger, &fresh);
    let mut claimed: HashSet<Uuid> = known.values().map(|known| known.mutation_id).collect();
    let mut seen: HashMap<Content, Uuid> = HashMap::new();
    let mut recognised = Vec::with_capacity(arrivals.len());
    for (arrival, first) in arrivals.iter().zip(repeats) {
        if let Some(known) = known.remove(&arrival.line) {
            recognised.push(Recognised::Before(before(arrival, known)));
            continue;
        }
        if let Some(first) = first {
            recognised.push(Recognised::Again(first));
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

/// For every arrival the place of the first one with its id, if that is an earlier one.
fn repeats(arrivals: &[Arrival]) -> Vec<Option<usize>> {
    let mut first: HashMap<(i32, i16, &str), usize> = HashMap::with_capacity(arrivals.len());
    let mut repeats = Vec::with_capacity(arrivals.len());
    for (place, arrival) in arrivals.iter().enumerate() {
        let key = (arrival.bank_account_id, arrival.source_id, arrival.provider_mutation_id);
        let first = *first.entry(key).or_insert(place);
        repeats.push(Some(first).filter(|first| *first < place));
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

/// What comes of an arrival that repeats an earlier one of the same call, of which came `outcome`.
pub fn of_repeat(arrival: &Arrival, original: &Arrival, outcome: Taken) -> Taken {
    if original.amount != arrival.amount || original.direction != arrival.direction {
        return Taken::rejected("conflicting_duplicate");
    }
    // Seen by another source before: it has said already as what.
    if matches!(outcome.outcome, Outcome::Rejected | Outcome::Duplicate) {
        return outcome;
    }
    let mut reasons = vec![outcome.outcome.name().to_owned()];
    reasons.extend(outcome.reasons);
    Taken { outcome: Outcome::Duplicate, reasons, ..outcome }
}
