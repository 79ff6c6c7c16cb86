//! SQL of the proof: ranges of indexes, one statement per table. What they are to each other is told in
//! memory: a join over a bank account's whole history would depend on how its size was estimated.

use super::rules::{Closing, Mutation, Posting};
use crate::bank::account::rules::BankAccount;
use crate::bank::mutation::rules::{State, is_statement};
use crate::bank::rules::Direction;
use crate::bank::rules::when::When;
use crate::money;
use crate::spi::{Argument, Row, Session, Statement};
use pgrx::pg_sys::{INT4OID, INT8ARRAYOID, TEXTARRAYOID};
use rust_decimal::Decimal;
use std::collections::HashMap;
use uuid::Uuid;

// A striped account is several rows.
static ROWS: Statement = Statement::new(
    "SELECT account_id FROM wallet_data.accounts WHERE ledger_id = $1 AND address = ANY ($2)",
    &[INT4OID, TEXTARRAYOID],
);

static MUTATIONS: Statement = Statement::new(
    "SELECT mutation_id, booked_on, direction_id, state_id, source_id, amount, received_transaction_id, created_at,
            balance, original_mutation_id
     FROM wallet_data.mutations
     WHERE ledger_id = $1 AND bank_account_id = $2
     ORDER BY booked_on, occurred_from, created_at, mutation_id",
    &[INT4OID, INT4OID],
);

static SIGHTINGS: Statement = Statement::new(
    "SELECT mutation_id, source_id, balance, created_at FROM wallet_data.mutation_sightings
     WHERE ledger_id = $1 AND bank_account_id = $2 AND balance IS NOT NULL",
    &[INT4OID, INT4OID],
);

// Both sides; between two stripes of the account nothing moves.
static POSTINGS: Statement = Statement::new(
    "SELECT transfer_id, coalesce(transaction_id, transfer_id), reverses_id, amount, true, kind_id, effective_at,
            created_at, debit_version, credit_account_id
     FROM wallet_data.transfers
     WHERE ledger_id = $1 AND debit_account_id = ANY ($2) AND credit_account_id <> ALL ($2)
     UNION ALL
     SELECT transfer_id, coalesce(transaction_id, transfer_id), reverses_id, amount, false, kind_id, effective_at,
            created_at, credit_version, debit_account_id
     FROM wallet_data.transfers
     WHERE ledger_id = $1 AND credit_account_id = ANY ($2) AND debit_account_id <> ALL ($2)",
    &[INT4OID, INT8ARRAYOID],
);

// Of all bank accounts: the work of people is little.
static BY_HAND: Statement = Statement::new(
    "SELECT mutation_id, transaction_id, undone_transaction_id FROM wallet_data.payment_actions
     WHERE ledger_id = $1 AND mutation_id IS NOT NULL",
    &[INT4OID],
);

static CLOSINGS: Statement = Statement::new(
    "SELECT until_day, closing_balance, imported_at FROM wallet_data.bank_statements
     WHERE ledger_id = $1 AND bank_account_id = $2 AND closing_balance IS NOT NULL AND until_day IS NOT NULL",
    &[INT4OID, INT4OID],
);

/// What makes a posting part of the opening balance.
pub struct Opening<'a> {
    /// The other side of opening balances, in any currency.
    pub accounts: &'a [&'a str],
    pub kind_id: i16,
}

/// A balance in the bank account's scale; one with more decimals is none of this currency.
fn balance(bank: &BankAccount, value: Option<Decimal>) -> Option<Decimal> {
    money::to_scale(value?, bank.scale, &bank.currency, "balance").ok()
}

fn scaled(bank: &BankAccount, mut value: Decimal) -> Decimal {
    value.rescale(bank.scale);
    value
}

/// The bank account's mutations in order, each with the balance that can be trusted most.
pub fn mutations(session: &Session, ledger_id: i32, bank: &BankAccount) -> Vec<Mutation> {
    let mut sightings = sightings(session, ledger_id, bank);
    let rows = session.read(&MUTATIONS, &[ledger_id.into(), bank.id.into()]);
    rows.iter()
        .map(|row| {
            let id = row.need_id(0);
            let state = State::from_id(row.need(3));
            let amount = scaled(bank, row.need_decimal(5));
            let (created_at, own) = (row.need_time(7), balance(bank, row.decimal(8)));
            let is_statement = is_statement(row.need(4));
            let proven_at = (is_statement && own.is_some()).then_some(created_at);
            let (balance, proven_at) = match (own, proven_at, sightings.remove(&id)) {
                (own, None, Some((seen, seen_at))) if seen_at.is_some() || own.is_none() => {
                    (Some(seen), seen_at)
                }
                (own, proven_at, _) => (own, proven_at),
            };
            Mutation {
                id,
                day: row.need(1),
                effect: if Direction::from_id(row.need(2)) == Direction::Credit { amount } else { -amount },
                is_duplicate: state == State::Duplicate,
                received_id: row.id(6),
                created_at,
                balance,
                proven_at,
                is_undecided: matches!(state, State::Review | State::Ignored),
                original_id: row.id(9),
            }
        })
        .collect()
}

/// Balances that other sources gave: of each mutation one, a statement's first, with when it was imported.
fn sightings(session: &Session, ledger_id: i32, bank: &BankAccount) -> HashMap<Uuid, (Decimal, Option<i64>)> {
    let mut best: HashMap<Uuid, (Decimal, Option<i64>)> = HashMap::new();
    for row in session.read(&SIGHTINGS, &[ledger_id.into(), bank.id.into()]).iter() {
        let Some(balance) = balance(bank, row.decimal(2)) else { continue };
        let proven_at = is_statement(row.need(1)).then(|| row.need_time(3));
        let known = best.entry(row.need_id(0)).or_insert((balance, proven_at));
        if known.1 < proven_at {
            *known = (balance, proven_at);
        }
    }
    best
}

/// Every transfer over the bank's account.
pub fn postings(session: &Session, ledger_id: i32, bank: &BankAccount, opening: &Opening) -> Vec<Posting> {
    let rows_of = |accounts: &[&str]| -> Vec<i64> {
        let arguments = [ledger_id.into(), Argument::texts(accounts.iter().copied())];
        session.read(&ROWS, &arguments).iter().map(|row| row.need(0)).collect()
    };
    let (own, other) = (rows_of(&[&bank.account]), rows_of(opening.accounts));
    let arguments = [ledger_id.into(), Argument::numbers(own.into_iter())];
    let is_opening = |row: &Row| {
        let is_first = row.need::<i64>(8) == 1 && other.contains(&row.need(9));
        row.need_time(7) < bank.created_at || (is_first && row.need::<i16>(5) == opening.kind_id)
    };
    let rows = session.read(&POSTINGS, &arguments);
    rows.iter()
        .map(|row| {
            let amount = scaled(bank, row.need_decimal(3));
            Posting {
                transfer_id: row.need_id(0),
                transaction_id: row.need_id(1),
                reverses_id: row.id(2),
                effect: if row.need(4) { amount } else { -amount },
                kind_id: row.need(5),
                day: When::at(row.need_time(6)).day,
                is_opening: is_opening(&row),
            }
        })
        .collect()
}

/// Transactions of the work by hand, done and undone, each with its mutation.
pub fn by_hand(session: &Session, ledger_id: i32) -> Vec<(Uuid, Uuid)> {
    let rows = session.read(&BY_HAND, &[ledger_id.into()]);
    rows.iter()
        .flat_map(|row| {
            let mutation_id = row.need_id(0);
            [row.id(1), row.id(2)].into_iter().flatten().map(move |id| (id, mutation_id))
        })
        .collect()
}

/// The closing balances of imported statements, from the day on before the account's opening balance counts.
pub fn closings(session: &Session, ledger_id: i32, bank: &BankAccount) -> Vec<Closing> {
    let rows = session.read(&CLOSINGS, &[ledger_id.into(), bank.id.into()]);
    let is_older = |day: i32| bank.opened_on.is_some_and(|opened_on| day.saturating_add(1) < opened_on);
    rows.iter()
        .filter_map(|row| {
            let (day, imported_at) = (row.need(0), row.need_time(2));
            if is_older(day) {
                return None;
            }
            Some(Closing {
                day,
                balance: balance(bank, row.decimal(1))?,
                imported_at,
                imported_on: When::at(imported_at).day,
            })
        })
        .collect()
}
