//! Mutations: what banks report is taken in, recognised, matched and posted, in one transaction.
//!
//! | step | statements |
//! |---|---|
//! | lock the bank accounts | 1 |
//! | find what is known by its id, and what resembles it | 2 |
//! | lock the intents that could be paid | 1 or 2 |
//! | decide, in memory | 0 |
//! | post: the array engine, a second time where an account refused | 4 or 5 |
//! | write mutations, paid intents, their totals, events | 4 |
//! | look for what unmatched ones resemble | 1 |
//!
//! However many lines. The bank's account in the books moves by every mutation the moment it is stored:
//! to whom it is for, or to suspense. So the books' balance of a bank account is its opening balance plus
//! all of its mutations, always.

pub mod api;
pub mod events;
pub mod hand;
mod post;
mod recognise;
pub mod rules;
pub mod store;

use crate::bank::account::rules::BankAccount;
use crate::bank::account::store as accounts;
use crate::bank::intent::store::paying::{self as intents, Payable, Payment, Wanted};
use crate::error::{Code, LedgerError, Result};
use crate::event;
use crate::ledger::{self, Ledger};
use crate::spi::Session;
use recognise::Recognised;
use rules::{Candidate, Decision, State};
use std::collections::{HashMap, HashSet};
use store::arrivals::{Arrival, New};
use uuid::Uuid;

/// What a reported movement came to.
#[derive(Clone, Debug)]
pub struct Taken {
    pub outcome: Outcome,
    pub mutation_id: Option<Uuid>,
    pub intent_id: Option<Uuid>,
    pub transaction_id: Option<Uuid>,
    pub reasons: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Matched,
    Suspense,
    Review,
    Ignored,
    /// Stored before; the rest says as what.
    Duplicate,
    /// Not stored.
    Rejected,
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Matched => "matched",
            Outcome::Suspense => "suspense",
            Outcome::Review => "review",
            Outcome::Ignored => "ignored",
            Outcome::Duplicate => "duplicate",
            Outcome::Rejected => "rejected",
        }
    }

    fn of(state: State) -> Self {
        match state {
            State::Matched => Outcome::Matched,
            State::Suspense => Outcome::Suspense,
            State::Review => Outcome::Review,
            _ => Outcome::Ignored,
        }
    }
}

impl Taken {
    /// A movement that is not stored, and why: a token.
    pub fn rejected(reason: &str) -> Self {
        Self {
            outcome: Outcome::Rejected,
            mutation_id: None,
            intent_id: None,
            transaction_id: None,
            reasons: vec![reason.to_owned()],
        }
    }
}

/// A new movement on its way through the engine.
struct Draft<'a> {
    arrival: &'a Arrival<'a>,
    /// The arrival's, among those of the call.
    place: usize,
    id: Uuid,
    original_id: Option<Uuid>,
    decision: Decision,
    /// The intent of `Decision::Match`.
    intent: Option<Payable>,
    transaction_id: Option<Uuid>,
}

/// Takes movements in. Every one has an outcome, in their order; nothing is lost and nothing raises,
/// except what PostgreSQL itself has to abort. `banks` are the accounts that the arrivals name.
pub fn take(
    session: &Session,
    ledger: &Ledger,
    banks: &HashMap<i32, BankAccount>,
    arrivals: &[Arrival],
) -> Result<Vec<Taken>> {
    if arrivals.is_empty() {
        return Ok(Vec::new());
    }
    ledger::enter_period(ledger);
    lock(session, ledger, arrivals.iter().map(|arrival| arrival.bank_account_id));
    let mut taken: Vec<Option<Taken>> = vec![None; arrivals.len()];
    let mut drafts: Vec<Draft> = Vec::with_capacity(arrivals.len());
    let mut repeats: Vec<(usize, usize)> = Vec::new();
    for (place, recognised) in recognise::all(session, ledger, arrivals)?.into_iter().enumerate() {
        match recognised {
            Recognised::Before(before) => taken[place] = Some(before),
            Recognised::Again(first) => repeats.push((place, first)),
            Recognised::New { id, original_id } => drafts.push(Draft {
                arrival: &arrivals[place],
                place,
                id,
                original_id,
                decision: Decision::Suspense,
                intent: None,
                transaction_id: None,
            }),
        }
    }
    decide(session, ledger, &mut drafts);
    resemble(session, ledger, &mut drafts);
    post::all(session, ledger, banks, &mut drafts)?;
    write(session, ledger, banks, &drafts)?;
    for draft in &drafts {
        taken[draft.place] = Some(told(draft));
    }
    for (place, first) in repeats {
        let outcome = taken[first].clone();
        taken[place] = outcome.map(|it| recognise::of_repeat(&arrivals[place], &arrivals[first], it));
    }
    Ok(taken.into_iter().map(|taken| taken.unwrap_or_else(|| Taken::rejected("lost"))).collect())
}

/// Locks bank accounts in the order of their ids.
pub fn lock(session: &Session, ledger: &Ledger, ids: impl Iterator<Item = i32>) {
    let mut ids: Vec<i32> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    accounts::lock(session, ledger.id, &ids);
}

/// Finds and locks the intents that the credits could pay, and decides about each in turn.
fn decide(session: &Session, ledger: &Ledger, drafts: &mut [Draft]) {
    let wanted: Vec<Wanted> = drafts
        .iter()
        .filter(|draft| draft.arrival.direction == crate::bank::rules::Direction::Credit)
        .map(|draft| Wanted {
            line: draft.arrival.line,
            bank_account_id: draft.arrival.bank_account_id,
            total: draft.arrival.amount,
            number: draft.arrival.number,
            occurred_from: draft.arrival.when.from,
            occurred_until: draft.arrival.when.until,
        })
        .collect();
    let mut found: HashMap<usize, Vec<Payable>> = HashMap::new();
    for (line, intent) in intents::lock(session, ledger.id, &wanted, rules::CLOCK_SKEW_MICROS) {
        found.entry(line).or_default().push(intent);
    }
    let mut claimed: HashSet<Uuid> = HashSet::new();
    for draft in drafts {
        let arrival = draft.arrival;
        let mut intents = found.remove(&arrival.line).unwrap_or_default();
        let candidates: Vec<Candidate> = intents.iter().map(|intent| candidate(arrival, intent)).collect();
        let is_claimed = |id: Uuid| claimed.contains(&id);
        draft.decision =
            rules::decide(arrival.direction, &candidates, is_claimed, draft.original_id.is_some());
        if let Decision::Match(place) = draft.decision {
            let intent = intents.swap_remove(place);
            claimed.insert(intent.id);
            draft.intent = Some(intent);
        }
    }
}

/// What the decision needs to know of an intent that an arrival could pay.
pub fn candidate(arrival: &Arrival, intent: &Payable) -> Candidate {
    let is_numbered = arrival.number.is_some();
    Candidate {
        intent_id: intent.id,
        state: intent.state,
        by_number: is_numbered,
        wrong_amount: is_numbered && intent.total != arrival.amount,
        late: is_numbered && intent.accepts_until < arrival.when.from,
    }
}

/// What is nobody's but resembles an intent is for a person to look at.
fn resemble(session: &Session, ledger: &Ledger, drafts: &mut [Draft]) {
    let nobodys: Vec<&Arrival> = drafts
        .iter()
        .filter(|draft| draft.decision == Decision::Suspense)
        .map(|draft| draft.arrival)
        .collect();
    if nobodys.is_empty() {
        return;
    }
    let lines: HashSet<usize> =
        store::arrivals::resembling(session, ledger.id, &nobodys).into_iter().collect();
    for draft in drafts.iter_mut().filter(|draft| lines.contains(&draft.arrival.line)) {
        draft.decision = Decision::Review(vec!["resembles_intent"]);
    }
}

/// Writes what was decided and posted.
fn write(
    session: &Session,
    ledger: &Ledger,
    banks: &HashMap<i32, BankAccount>,
    drafts: &[Draft],
) -> Result<()> {
    let now = ledger::now();
    let mut new: Vec<New> = Vec::with_capacity(drafts.len());
    let mut payments: Vec<Payment> = Vec::new();
    for draft in drafts {
        let Some(transaction_id) = draft.transaction_id else { continue };
        new.push(New {
            id: draft.id,
            arrival: draft.arrival,
            state: draft.decision.state(),
            transaction_id,
            intent_id: draft.intent.as_ref().map(|intent| intent.id),
            original_id: draft.original_id,
            reasons: reasons(&draft.decision),
        });
        if let Some(intent) = &draft.intent {
            payments.push(Payment {
                intent_id: intent.id,
                tuple_id: Some(intent.tuple_id),
                mutation_id: draft.id,
                transaction_id,
                paid_amount: draft.arrival.amount,
            });
        }
    }
    if !new.is_empty() {
        store::arrivals::insert(session, ledger.id, &new, now);
    }
    pay(session, ledger, &payments)?;
    let events: Vec<(&str, String, events::Payload)> =
        drafts.iter().filter_map(|draft| events::of(draft, banks)).collect();
    event::write_many(session, ledger, events);
    Ok(())
}

/// Marks intents paid; they are locked and were found payable.
pub fn pay(session: &Session, ledger: &Ledger, payments: &[Payment]) -> Result<()> {
    if payments.is_empty() {
        return Ok(());
    }
    let paid = intents::pay(session, ledger.id, payments, ledger::now());
    if paid == payments.len() {
        return Ok(());
    }
    Err(LedgerError::new(Code::BooksInconsistent, "an intent was paid although its row was locked")
        .with_count("wanted", payments.len() as i64)
        .with_count("paid", paid as i64))
}

fn reasons(decision: &Decision) -> Vec<&'static str> {
    match decision {
        Decision::Review(reasons) => reasons.clone(),
        _ => Vec::new(),
    }
}

fn told(draft: &Draft) -> Taken {
    let Some(transaction_id) = draft.transaction_id else {
        let reasons = reasons(&draft.decision);
        return Taken::rejected(reasons.last().copied().unwrap_or("posting_refused"));
    };
    Taken {
        outcome: Outcome::of(draft.decision.state()),
        mutation_id: Some(draft.id),
        intent_id: draft.intent.as_ref().map(|intent| intent.id),
        transaction_id: Some(transaction_id),
        reasons: reasons(&draft.decision).into_iter().map(str::to_owned).collect(),
    }
}
