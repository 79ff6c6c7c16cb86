//! Idempotency of the engine: claiming the keys of a call and settling what was requested before.

use super::Access;
use super::batch::{Call, Item, OnError, Outcome, refuse};
use super::store::{self, Receipt};
use crate::error::{Code, LedgerError, Result};
use crate::idempotency::rules::{Operation, check_key};
use crate::idempotency::store::{Claim, Stored};
use crate::idempotency::{self, forgotten_meanwhile};
use crate::ledger::{self, Ledger};
use crate::spi::Session;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use uuid::Uuid;

/// Claims the keys and settles the items whose key was used before. `whole` is the key of the call itself; returns what
/// it stands for if the call was made before.
pub(super) fn settle(
    session: &Session,
    ledger: &Ledger,
    call: &Call,
    items: &mut [Item],
    whole: Option<&Claim>,
) -> Result<Option<Stored>> {
    if let Some(whole) = whole {
        check_key(whole.key)?;
    }
    let mut first_with: HashMap<String, usize> = HashMap::new();
    for (index, item) in items.iter_mut().enumerate() {
        let Some(key) = item.request.idempotency_key else { continue };
        check_key(key).map_err(|error| call.locate(error, index))?;
        // The operation in the fingerprint is the single one: an item means the same in both calls.
        item.fingerprint = Some(item.request.fingerprint(Operation::PostTransfer));
        match first_with.get(key) {
            Some(first) => item.same_as = Some(*first),
            None => {
                first_with.insert(key.to_owned(), index);
            }
        }
    }
    if first_with.is_empty() && whole.is_none() {
        return Ok(None);
    }
    let mut found = claim(session, ledger, call, items, &first_with, whole);
    if let Some(whole) = whole
        && !found.free.remove(whole.key)
    {
        return made_before(session, ledger, whole, found).map(Some);
    }
    for (key, index) in &first_with {
        items[*index].claimed = found.free.contains(key);
    }
    for index in 0..items.len() {
        let Some(key) = items[index].request.idempotency_key else { continue };
        if let Some(whole) = whole.filter(|whole| whole.key == key) {
            let error = used_by_call(whole, &items[index]);
            error.map_or_else(|error| refuse(call, items, index, error), Ok)?;
            continue;
        }
        match settle_item(call, items, index, key, &found) {
            Ok(outcome) => items[index].outcome = outcome,
            Err(error) => refuse(call, items, index, error)?,
        }
    }
    Ok(None)
}

/// An item whose key is the key of its own call: they are different operations.
fn used_by_call(whole: &Claim, item: &Item) -> Result<()> {
    let fingerprint = item.fingerprint.as_ref().expect("every keyed item has one");
    fingerprint.check_same(whole.key, Operation::PostTransfers as i16, whole.fingerprint.bytes())
}

/// What the whole call came to when it was made before. Keys of items that retention has forgotten meanwhile were
/// claimed anew: they are given back, for this call posts nothing under them.
fn made_before(session: &Session, ledger: &Ledger, whole: &Claim, mut found: Found) -> Result<Stored> {
    let before = found.taken.remove(whole.key).ok_or_else(|| forgotten_meanwhile(whole.key))?;
    whole.fingerprint.check_same(whole.key, before.operation_id, &before.request)?;
    if !found.free.is_empty() {
        idempotency::store::give_back(session, ledger.id, found.free.iter().map(String::as_str));
    }
    Ok(before)
}

/// `None`: the item is to be posted, or repeats an earlier one of this call.
fn settle_item(
    call: &Call,
    items: &[Item],
    index: usize,
    key: &str,
    found: &Found,
) -> Result<Option<Outcome>> {
    let item = &items[index];
    let fingerprint = item.fingerprint.as_ref().expect("every keyed item has one");
    if let Some(first) = item.same_as {
        let first = items[first].fingerprint.as_ref().expect("it has the same key");
        return fingerprint.check_same(key, first.operation as i16, first.bytes()).map(|()| None);
    }
    let Some(before) = found.taken.get(key) else {
        let is_free = item.claimed || call.access == Access::Look;
        return if is_free { Ok(None) } else { Err(forgotten_meanwhile(key)) };
    };
    fingerprint.check_same(key, before.operation_id, &before.request)?;
    replay(call, index, key, before, &found.receipts).map(Some)
}

/// What the claiming of a call's keys came to.
struct Found {
    free: HashSet<String>,
    taken: HashMap<String, Stored>,
    receipts: HashMap<Uuid, Receipt>,
}

/// One statement claims every key, the call's own among them, in sorted order: claimed one after the other, two calls
/// of which each has the other's key on an item would wait for each other. Two more statements find those that were
/// taken and what was posted under them; where the whole call was made before, that alone.
fn claim(
    session: &Session,
    ledger: &Ledger,
    call: &Call,
    items: &[Item],
    first_with: &HashMap<String, usize>,
    whole: Option<&Claim>,
) -> Found {
    let mut keys: Vec<&str> = first_with.keys().map(String::as_str).collect();
    keys.extend(whole.map(|whole| whole.key).filter(|key| !first_with.contains_key(*key)));
    keys.sort_unstable();
    let look = call.access == Access::Look;
    let free =
        if look { HashSet::new() } else { claim_free(session, ledger, items, first_with, &keys, whole) };
    match whole {
        Some(whole) if !free.contains(whole.key) => keys = vec![whole.key],
        _ => keys.retain(|key| !free.contains(*key)),
    }
    let taken = match keys.as_slice() {
        [] => HashMap::new(),
        keys => idempotency::store::find(session, ledger.id, keys, look),
    };
    let ids: Vec<Uuid> = taken.values().filter_map(|stored| stored.transfer_ids.first().copied()).collect();
    let receipts =
        if ids.is_empty() { HashMap::new() } else { store::receipts(session, ledger.id, &ids, look) };
    Found { free, taken, receipts }
}

fn claim_free(
    session: &Session,
    ledger: &Ledger,
    items: &[Item],
    first_with: &HashMap<String, usize>,
    keys: &[&str],
    whole: Option<&Claim>,
) -> HashSet<String> {
    let claims: Vec<Claim> = keys
        .iter()
        .map(|key| {
            if let Some(whole) = whole.filter(|whole| whole.key == *key) {
                return Claim { key, fingerprint: whole.fingerprint, transfer_ids: Vec::new() };
            }
            let item = &items[first_with[*key]];
            let fingerprint = item.fingerprint.as_ref().expect("every keyed item has one");
            Claim { key, fingerprint, transfer_ids: vec![item.id] }
        })
        .collect();
    let now = ledger::now();
    if let [claim] = claims.as_slice() {
        let claimed = idempotency::store::claim_one(session, ledger.id, claim, now);
        return claimed.then(|| claim.key.to_owned()).into_iter().collect();
    }
    idempotency::store::claim_many(session, ledger.id, &claims, now)
}

/// What a key that was used before came to.
fn replay(
    call: &Call,
    index: usize,
    key: &str,
    before: &Stored,
    receipts: &HashMap<Uuid, Receipt>,
) -> Result<Outcome> {
    if let Some(error) = &before.error {
        // The first call may have had the item at another place, or have been another function.
        let error = LedgerError::from_stored(error).without_position();
        if call.on_error == OnError::Raise {
            return Err(error);
        }
        return Ok(Outcome::Rejected { error: call.locate(error, index), replayed: true });
    }
    let receipt = before.transfer_ids.first().and_then(|id| receipts.get(id));
    receipt.cloned().map(Outcome::Replayed).ok_or_else(|| {
        LedgerError::new(Code::BooksInconsistent, format!("the transfer of idempotency key {key} is missing"))
            .with("idempotency_key", key)
    })
}

/// A transaction is replayed as a whole or posted as a whole.
pub(super) fn settle_mixed_groups(call: &Call, items: &mut [Item], groups: &[Range<usize>]) -> Result<()> {
    for group in groups.iter().filter(|group| group.len() > 1) {
        let settled = |item: &Item| item.outcome.is_some() || item.same_as.is_some();
        let Some(before) = group.clone().find(|index| settled(&items[*index])) else { continue };
        if group.clone().all(|index| settled(&items[index])) {
            continue;
        }
        for index in group.clone() {
            if items[index].outcome.is_none() {
                let error = LedgerError::new(
                    Code::IdempotencyConflict,
                    "some items of the transaction were requested before and others were not",
                )
                .with("field", "transaction")
                .with_count("other_position", before as i64 + 1);
                refuse(call, items, index, error)?;
            }
        }
    }
    Ok(())
}
