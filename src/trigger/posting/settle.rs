//! From what the rows ask of a ledger to its books.

use super::Context;
use super::collect::{Change, Changes};
use crate::error::Result;
use crate::idempotency::rules::Operation;
use crate::idempotency::{self, store::Stored};
use crate::ledger::{self, Ledger};
use crate::money;
use crate::posting::batch::{self, Call, Limits, OnError};
use crate::posting::request::Request;
use crate::posting::{self, Access, Wanted};
use crate::reversal::{self, Keyed};
use crate::spi::Session;
use crate::trigger::rules::posting::{Movement, for_row};
use crate::trigger::rules::{key, named};
use std::collections::HashMap;
use uuid::Uuid;

/// A row whose transfer has to be taken back.
struct Due<'a> {
    row: &'a str,
    transfer_id: Uuid,
    key: String,
}

/// Compares, posts and reverses what the rows ask of one ledger.
pub fn settle(session: &Session, ledger: &Ledger, context: &Context, changes: &Changes) -> Result<()> {
    ledger::enter_period(ledger);
    let stored = find_stored(session, ledger, changes);
    for (change, movement) in &changes.compares {
        if let Some(stored) = stored.get(&change.key) {
            compare(change, movement, stored, context)
                .map_err(|error| named(error, &change.row, &context.table))?;
        }
    }
    let due = due_reversals(changes, &stored);
    if !changes.posts.is_empty() && !due.is_empty() {
        lock_together(session, ledger, changes, &due)?;
    }
    post(session, ledger, context, changes)?;
    reverse(session, ledger, context, &due)
}

/// What the keys of reversed and edited rows stand for.
fn find_stored(session: &Session, ledger: &Ledger, changes: &Changes) -> HashMap<String, Stored> {
    let reversal_keys: Vec<String> =
        changes.reverses.iter().map(|change| key::reversal_key(&change.key)).collect();
    let edited = changes.compares.iter().map(|(change, _)| change);
    let keys: Vec<&str> = changes
        .reverses
        .iter()
        .chain(edited)
        .map(|change| change.key.as_str())
        .chain(reversal_keys.iter().map(String::as_str))
        .collect();
    if keys.is_empty() {
        return HashMap::new();
    }
    idempotency::store::find(session, ledger.id, &keys, false)
}

/// An edited row must ask for what was posted.
fn compare(change: &Change, movement: &Result<Movement>, stored: &Stored, context: &Context) -> Result<()> {
    let movement = movement.as_ref().map_err(Clone::clone)?;
    let fingerprint = request(change, movement, context).fingerprint(Operation::PostTransfer);
    fingerprint.check_same(&change.key, stored.operation_id, &stored.request)
}

/// The rows that were posted and not taken back before.
fn due_reversals<'a>(changes: &'a Changes, stored: &HashMap<String, Stored>) -> Vec<Due<'a>> {
    let due = |change: &'a Change| {
        let transfer_id = *stored.get(&change.key)?.transfer_ids.first()?;
        let key = key::reversal_key(&change.key);
        (!stored.contains_key(&key)).then_some(Due { row: &change.row, transfer_id, key })
    };
    changes.reverses.iter().filter_map(due).collect()
}

/// Locks the accounts of both flows in one go, those included that are made while it waits, and writes down what that
/// alone brings about: holds that have expired.
fn lock_together(session: &Session, ledger: &Ledger, changes: &Changes, due: &[Due]) -> Result<()> {
    let originals = reversal::store::transfers(session, ledger.id, due.iter().map(|due| due.transfer_id));
    let mut wanted = Wanted::default();
    for (_, movement) in &changes.posts {
        // A malformed amount is refused by the engine, with the row's name.
        if let Ok(amount) = money::positive(movement.amount, "amount") {
            wanted.transfer(&movement.debit_account, &movement.credit_account, amount);
        }
    }
    for found in originals.values() {
        wanted.transfer(&found.credit_account, &found.debit_account, found.original.amount);
    }
    posting::lock_all(session, ledger, &wanted).map(drop)
}

fn post(session: &Session, ledger: &Ledger, context: &Context, changes: &Changes) -> Result<()> {
    if changes.posts.is_empty() {
        return Ok(());
    }
    let call = Call {
        requests: changes.posts.iter().map(|(change, movement)| request(change, movement, context)).collect(),
        operation: Operation::PostTransfers,
        on_error: OnError::Raise,
        access: Access::Lock,
        limits: Limits::Enforce,
    };
    let row = |index: usize| changes.posts.get(index).map(|(change, _)| change.row.as_str());
    batch::post(session, ledger, call).map_err(|error| for_row(error, &context.table, row))?;
    Ok(())
}

fn request<'a>(change: &'a Change, movement: &'a Movement, context: &'a Context) -> Request<'a> {
    Request {
        debit_account: Some(&movement.debit_account),
        credit_account: Some(&movement.credit_account),
        amount: Some(movement.amount),
        kind: Some(&context.definition.kind),
        idempotency_key: Some(&change.key),
        reference: key::reference(&change.row),
        ..Request::default()
    }
}

fn reverse(session: &Session, ledger: &Ledger, context: &Context, due: &[Due]) -> Result<()> {
    if due.is_empty() {
        return Ok(());
    }
    let definition = &context.definition;
    let reason =
        format!("{} became {}", definition.status, definition.reverses_at.as_deref().unwrap_or_default());
    let wanted: Vec<Keyed> =
        due.iter().map(|due| Keyed { transfer_id: due.transfer_id, key: &due.key }).collect();
    let row = |index: usize| due.get(index).map(|due| due.row);
    reversal::reverse_remaining(session, ledger, &wanted, Some(&reason))
        .map_err(|error| for_row(error, &context.table, row))
}
