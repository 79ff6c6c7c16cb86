//! From parsed lines to the books: the same way for webhooks, statements and single mutations.

use super::rules::Provider;
use super::rules::snap::SnapCase;
use crate::bank::account::rules::BankAccount;
use crate::bank::account::store as accounts;
use crate::bank::gateway;
use crate::bank::mutation::store::arrivals::Arrival;
use crate::bank::mutation::{Outcome, Taken, take};
use crate::bank::rules::{Item, Line, Movement};
use crate::error::{Code, LedgerError, Result};
use crate::ledger::Ledger;
use crate::money;
use crate::spi::Session;
use rust_decimal::Decimal;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// What a line came to.
#[derive(Clone, Debug)]
pub struct LineOutcome {
    /// Counted from 1.
    pub line: usize,
    pub outcome: &'static str,
    pub reasons: Vec<String>,
    pub message: Option<String>,
    pub provider_mutation_id: Option<String>,
    pub bank_account: Option<String>,
    pub direction: Option<&'static str>,
    pub amount: Option<Decimal>,
    pub occurred_at: Option<i64>,
    pub mutation_id: Option<Uuid>,
    pub intent_id: Option<Uuid>,
    pub transaction_id: Option<Uuid>,
    /// What a bank that speaks SNAP is told.
    pub case: SnapCase,
}

impl LineOutcome {
    fn new(line: usize, taken: Taken) -> Self {
        let case = if taken.outcome == Outcome::Rejected { SnapCase::BadRequest } else { SnapCase::Success };
        Self {
            line: line + 1,
            outcome: taken.outcome.name(),
            reasons: taken.reasons,
            message: None,
            provider_mutation_id: None,
            bank_account: None,
            direction: None,
            amount: None,
            occurred_at: None,
            mutation_id: taken.mutation_id,
            intent_id: taken.intent_id,
            transaction_id: taken.transaction_id,
            case,
        }
    }

    fn rejected(line: usize, reason: &str, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::new(line, Taken::rejected(reason)) }
    }

    /// Understood, and nothing for the books.
    fn noted(line: usize, reason: &str) -> Self {
        let outcome = Self::new(line, Taken::rejected(reason));
        Self { outcome: "noted", case: SnapCase::Success, ..outcome }
    }

    pub fn is_rejected(&self) -> bool {
        self.outcome == Outcome::Rejected.name()
    }
}

/// Where movements come from: a provider whose accounts they name, or one bank account.
pub enum From<'a> {
    Provider(Provider),
    Statement(&'a BankAccount, i16),
}

impl From<'_> {
    fn source_id(&self) -> i16 {
        match self {
            From::Provider(provider) => *provider as i16,
            From::Statement(_, source_id) => *source_id,
        }
    }
}

/// Works through the lines. Every line has an outcome; a bad one loses no other. `confirmed`: the caller
/// has asked the gateway's own status API.
pub fn process(
    session: &Session,
    ledger: &Ledger,
    from: &From,
    lines: &[Line],
    confirmed: bool,
) -> Result<Vec<LineOutcome>> {
    let mut outcomes: Vec<Option<LineOutcome>> = vec![None; lines.len()];
    let movements: Vec<(usize, &Movement)> = lines
        .iter()
        .enumerate()
        .filter_map(|(place, line)| match line {
            Ok(Item::Movement(movement)) => Some((place, movement)),
            _ => None,
        })
        .collect();
    take_movements(session, ledger, from, &movements, &mut outcomes)?;
    for (place, line) in lines.iter().enumerate() {
        let outcome = match (line, from) {
            (Ok(Item::Movement(_)), _) => continue,
            (Ok(Item::Payment(notice)), From::Provider(provider)) => {
                let applied = gateway::apply(session, ledger, *provider, notice, confirmed)?;
                LineOutcome {
                    provider_mutation_id: Some(notice.payment_id.clone()),
                    bank_account: applied.bank_account,
                    direction: applied.direction,
                    amount: applied.amount,
                    occurred_at: Some(notice.when.from),
                    case: applied.case,
                    ..LineOutcome::new(place, applied.taken)
                }
            }
            (Ok(Item::Payment(_)), From::Statement(..)) => LineOutcome::noted(place, "payment_notice"),
            (Ok(Item::Other { id, reason }), _) => {
                LineOutcome { provider_mutation_id: id.clone(), ..LineOutcome::noted(place, reason) }
            }
            (Err(bad), _) => LineOutcome {
                provider_mutation_id: bad.id.clone(),
                ..LineOutcome::rejected(place, bad.reason, &bad.message)
            },
        };
        outcomes[place] = Some(outcome);
    }
    Ok(outcomes
        .into_iter()
        .enumerate()
        .map(|(place, outcome)| outcome.unwrap_or_else(|| LineOutcome::noted(place, "unknown")))
        .collect())
}

fn take_movements(
    session: &Session,
    ledger: &Ledger,
    from: &From,
    movements: &[(usize, &Movement)],
    outcomes: &mut [Option<LineOutcome>],
) -> Result<()> {
    if movements.is_empty() {
        return Ok(());
    }
    let banks = Banks::find(session, ledger, from, movements);
    let mut arrivals: Vec<Arrival> = Vec::with_capacity(movements.len());
    for (place, movement) in movements {
        match banks.of(movement) {
            None => outcomes[*place] = Some(unknown_bank(*place, movement)),
            Some(bank) => match arrival(*place, movement, bank, from.source_id()) {
                Ok(arrival) => arrivals.push(arrival),
                Err(error) => {
                    let rejected = LineOutcome::rejected(*place, error.token(), &error.message);
                    outcomes[*place] = Some(told(rejected, movement, Some(bank)));
                }
            },
        }
    }
    let taken = take(session, ledger, &banks.by_id, &arrivals)?;
    let by_line: HashMap<usize, &Movement> = movements.iter().copied().collect();
    for (arrival, taken) in arrivals.iter().zip(taken) {
        let Some(movement) = by_line.get(&arrival.line) else { continue };
        let outcome = LineOutcome::new(arrival.line, taken);
        outcomes[arrival.line] = Some(told(outcome, movement, banks.by_id.get(&arrival.bank_account_id)));
    }
    Ok(())
}

fn arrival<'a>(
    line: usize,
    movement: &'a Movement,
    bank: &BankAccount,
    source_id: i16,
) -> std::result::Result<Arrival<'a>, LedgerError> {
    if bank.opened_on.is_some_and(|day| movement.when.day < day) {
        return Err(LedgerError::new(
            Code::BeforeOpening,
            "the movement is older than the bank account's opening balance, which contains it",
        ));
    }
    Ok(Arrival {
        line,
        bank_account_id: bank.id,
        source_id,
        provider_mutation_id: &movement.id,
        direction: movement.direction,
        amount: money::to_scale(movement.amount, bank.scale, &bank.currency, "amount")?,
        balance: movement.balance,
        when: movement.when,
        description: &movement.description,
        number: None,
    })
}

fn told(outcome: LineOutcome, movement: &Movement, bank: Option<&BankAccount>) -> LineOutcome {
    LineOutcome {
        provider_mutation_id: Some(movement.id.clone()),
        bank_account: bank.map(|bank| bank.account.clone()),
        direction: Some(movement.direction.name()),
        amount: Some(movement.amount),
        occurred_at: Some(movement.when.from),
        ..outcome
    }
}

fn unknown_bank(place: usize, movement: &Movement) -> LineOutcome {
    let named = movement.bank_id.as_deref().or(movement.account_number.as_deref()).unwrap_or("none");
    let message = format!("bank account {named} is not registered; register it and reprocess the webhook");
    told(LineOutcome::rejected(place, "unknown_bank_account", message), movement, None)
}

/// The bank accounts that the movements of a call name.
struct Banks {
    by_id: HashMap<i32, BankAccount>,
    by_bank_id: HashMap<String, i32>,
    by_number: HashMap<String, i32>,
    /// For movements that name none: the only one there can be.
    only: Option<i32>,
}

impl Banks {
    fn find(session: &Session, ledger: &Ledger, from: &From, movements: &[(usize, &Movement)]) -> Self {
        let mut only = None;
        let found = match from {
            From::Statement(bank, _) => {
                only = Some(bank.id);
                vec![(*bank).clone()]
            }
            From::Provider(provider) => {
                let bank_ids: BTreeSet<&str> =
                    movements.iter().filter_map(|(_, movement)| movement.bank_id.as_deref()).collect();
                let numbers: BTreeSet<&str> =
                    movements.iter().filter_map(|(_, movement)| movement.account_number.as_deref()).collect();
                let bank_ids: Vec<&str> = bank_ids.into_iter().collect();
                let numbers: Vec<&str> = numbers.into_iter().collect();
                accounts::reported(session, ledger.id, *provider as i16, &bank_ids, &numbers)
            }
        };
        let by = |key: fn(&BankAccount) -> Option<&String>| {
            found.iter().filter_map(|bank| Some((key(bank)?.clone(), bank.id))).collect()
        };
        Self {
            by_bank_id: by(|bank| bank.provider_bank_id.as_ref()),
            by_number: by(|bank| bank.account_number.as_ref()),
            by_id: found.iter().map(|bank| (bank.id, bank.clone())).collect(),
            only,
        }
    }

    /// The provider's id counts before the number.
    fn of(&self, movement: &Movement) -> Option<&BankAccount> {
        let by_bank_id = movement.bank_id.as_ref().and_then(|id| self.by_bank_id.get(id));
        let by_number = || movement.account_number.as_ref().and_then(|number| self.by_number.get(number));
        self.by_id.get(self.only.as_ref().or(by_bank_id).or_else(by_number)?)
    }
}
