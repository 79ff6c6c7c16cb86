//! The array engine: many requested transfers, one outcome each.

use super::limiting::{self, Limiting};
use super::request::{Checked, Request};
use super::rules::{Book, Movement};
use super::store::{Draft, Receipt};
use super::{Access, Wanted, instant, keys, open_book, receipt, write_at};
use crate::error::{Code, LedgerError, Result, invalid};
use crate::idempotency;
use crate::idempotency::rules::{Fingerprint, Operation};
use crate::idempotency::store::{Claim, Stored};
use crate::ledger::{self, Ledger, rules::REBALANCE};
use crate::spi::Session;
use rust_decimal::Decimal;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use uuid::Uuid;

/// What happens when an item is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The whole call fails with the item's error.
    Raise,
    /// The item is rejected, the others go on.
    Report,
}

/// What spending limits do to a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limits {
    /// What passes a limit is refused.
    #[default]
    Enforce,
    /// It is counted all the same: the goods are gone already.
    Count,
}

/// What an item came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    Posted(Receipt),
    Replayed(Receipt),
    Rejected { error: LedgerError, replayed: bool },
}

/// One call of the engine.
pub struct Call<'a> {
    pub requests: Vec<Request<'a>>,
    pub operation: Operation,
    pub on_error: OnError,
    pub access: Access,
    pub limits: Limits,
}

/// An item on its way through the engine.
pub(super) struct Item<'a> {
    pub request: Request<'a>,
    pub id: Uuid,
    pub checked: Option<(Checked<'a>, i16)>,
    /// An earlier item of this call with the same key.
    pub same_as: Option<usize>,
    pub fingerprint: Option<Fingerprint>,
    /// Claimed by this call: a rejection must be remembered.
    pub claimed: bool,
    pub outcome: Option<Outcome>,
}

impl Call<'_> {
    /// Names the item's position, unless the call has only the one.
    pub(super) fn locate(&self, error: LedgerError, index: usize) -> LedgerError {
        if self.operation == Operation::PostTransfers { error.at_item(index) } else { error }
    }
}

/// What a call under a key of its own came to.
pub enum Once {
    Now(Vec<Outcome>),
    /// It was made before: what is stored of it.
    Before(Stored),
}

/// Posts the requests and returns one outcome each, in their order.
pub fn post(session: &Session, ledger: &Ledger, call: Call) -> Result<Vec<Outcome>> {
    match run(session, ledger, call, None)? {
        Once::Now(outcomes) => Ok(outcomes),
        Once::Before(_) => {
            Err(LedgerError::new(Code::BooksInconsistent, "a call without a key was made before"))
        }
    }
}

/// The same once for the key of the call. The caller stores the result under it.
pub fn post_once(session: &Session, ledger: &Ledger, call: Call, key: &Claim) -> Result<Once> {
    run(session, ledger, call, Some(key))
}

fn run(session: &Session, ledger: &Ledger, mut call: Call, key: Option<&Claim>) -> Result<Once> {
    let preview = call.access == Access::Look;
    if !preview {
        ledger::enter_period(ledger);
    }
    let requests = std::mem::take(&mut call.requests);
    let mut items: Vec<Item> = requests
        .into_iter()
        .map(|request| Item {
            request,
            id: Uuid::now_v7(),
            checked: None,
            same_as: None,
            fingerprint: None,
            claimed: false,
            outcome: None,
        })
        .collect();
    let groups = groups(&items).map_err(|(index, error)| call.locate(error, index))?;
    if let Some(before) = keys::settle(session, ledger, &call, &mut items, key)? {
        return Ok(Once::Before(before));
    }
    keys::settle_mixed_groups(&call, &mut items, &groups)?;
    check_items(session, ledger, &call, &mut items)?;
    let mut wanted = Wanted::default();
    for item in items.iter().filter(|item| item.outcome.is_none()) {
        if let Some((checked, _)) = item.checked {
            wanted.transfer(checked.debit_account, checked.credit_account, checked.amount);
            item.request.otherwise.into_iter().for_each(|account| wanted.outflow(account, Decimal::ZERO));
        }
    }
    if items.iter().any(|item| item.outcome.is_none() && item.same_as.is_none()) {
        let mut book = open_book(session, ledger, &wanted, call.access)?;
        decide(session, ledger, &call, &mut book, &mut items, &groups)?;
    }
    finish(session, ledger, &call, items).map(Once::Now)
}

/// Posts all of the requests or none, and returns the transaction of the first.
pub fn post_all(session: &Session, ledger: &Ledger, requests: Vec<Request>) -> Result<Uuid> {
    let (operation, on_error, access) = (Operation::PostTransfer, OnError::Raise, Access::Lock);
    match post(session, ledger, Call { requests, operation, on_error, access, limits: Limits::Enforce })?
        .first()
    {
        Some(Outcome::Posted(receipt)) => receipt.transaction_id,
        _ => None,
    }
    .ok_or_else(|| LedgerError::new(Code::BooksInconsistent, "a posting has no transaction"))
}

/// Ranges of items that belong together: equal adjacent labels, everything else alone.
fn groups(items: &[Item]) -> std::result::Result<Vec<Range<usize>>, (usize, LedgerError)> {
    let mut groups: Vec<Range<usize>> = Vec::with_capacity(items.len());
    let mut seen: HashSet<&str> = HashSet::new();
    for (index, item) in items.iter().enumerate() {
        let label = item.request.transaction;
        if let (Some(label), Some(last)) = (label, groups.last_mut())
            && items[last.start].request.transaction == Some(label)
        {
            last.end = index + 1;
            continue;
        }
        if let Some(label) = label
            && !seen.insert(label)
        {
            let error = invalid("transaction", "be the same in adjacent items only").with("value", label);
            return Err((index, error));
        }
        groups.push(index..index + 1);
    }
    Ok(groups)
}

/// An item is refused: the call fails, or the item is rejected.
pub(super) fn refuse(call: &Call, items: &mut [Item], index: usize, error: LedgerError) -> Result<()> {
    // A conflict of isolation is never an item's own fault.
    if call.on_error == OnError::Raise || matches!(error.code, Code::TryAgain | Code::BooksInconsistent) {
        return Err(call.locate(error, index));
    }
    items[index].outcome = Some(Outcome::Rejected { error: call.locate(error, index), replayed: false });
    Ok(())
}

/// Judges what can be judged without the books, and the closed period.
fn check_items(session: &Session, ledger: &Ledger, call: &Call, items: &mut [Item]) -> Result<()> {
    let dated = items.iter().any(|item| item.outcome.is_none() && item.request.effective_at.is_some());
    let closed_until = if dated {
        ledger::store::closed_until(session, ledger.id, call.access == Access::Look)
    } else {
        None
    };
    let mut kinds: HashMap<&str, i16> = HashMap::new();
    for index in 0..items.len() {
        if items[index].outcome.is_some() || items[index].same_as.is_some() {
            continue;
        }
        let request = &items[index].request;
        let kind = request.kind.unwrap_or(super::request::DEFAULT_KIND);
        let checked = request.check().and_then(|checked| {
            let kind_id = match kinds.get(kind) {
                Some(id) => *id,
                None => ledger::kind_id(session, ledger, kind)?,
            };
            if let Some(effective_at) = request.effective_at {
                ledger::check_period(effective_at, closed_until)?;
            }
            Ok((checked, kind_id))
        });
        match checked {
            Ok((checked, kind_id)) => {
                kinds.insert(kind, kind_id);
                items[index].checked = Some((checked, kind_id));
            }
            Err(error) => refuse(call, items, index, error)?,
        }
    }
    Ok(())
}

/// Decides group after group, then writes all that was decided at once.
fn decide(
    session: &Session,
    ledger: &Ledger,
    call: &Call,
    book: &mut Book,
    items: &mut [Item],
    groups: &[Range<usize>],
) -> Result<()> {
    let mut decided: Vec<Decided> = Vec::with_capacity(items.len());
    let now = instant(book);
    let mut limits = limiting::open(session, ledger, call, book, items, now)?;
    for group in groups {
        let mark = decided.len();
        if let Some((culprit, error)) = decide_group(book, &mut limits, items, group.clone(), &mut decided) {
            book.roll_back();
            limits.gauge.roll_back();
            decided.truncate(mark);
            reject_group(call, items, group.clone(), culprit, error)?;
        }
    }
    // What is left is for the next transaction.
    limits.gauge.begin();
    let drafts = drafts(items, groups, &decided);
    let preview = call.access == Access::Look;
    if !preview {
        limits.store(book);
        write_at(session, ledger, book, &drafts, now)?;
    }
    let receipts: Vec<(usize, Receipt)> = decided
        .iter()
        .zip(&drafts)
        .filter(|(decided, _)| !decided.movement.is_rebalance)
        .map(|(decided, draft)| {
            let remaining = limits.remaining(book, &items[decided.item], &decided.movement);
            (decided.item, Receipt { remaining, ..receipt(book, draft, now, preview) })
        })
        .collect();
    for (item, receipt) in receipts {
        items[item].outcome = Some(Outcome::Posted(receipt));
    }
    Ok(())
}

/// A movement and the item that it belongs to.
struct Decided {
    item: usize,
    movement: Movement,
}

/// Decides the items of one transaction. On refusal returns the culprit; the caller rolls back.
fn decide_group(
    book: &mut Book,
    limits: &mut Limiting,
    items: &[Item],
    group: Range<usize>,
    decided: &mut Vec<Decided>,
) -> Option<(usize, LedgerError)> {
    book.begin();
    limits.gauge.begin();
    if group.len() > 1 {
        let refused =
            |index: &usize| matches!(items[*index].outcome, Some(Outcome::Rejected { replayed: false, .. }));
        if let Some(culprit) = group.clone().find(refused) {
            // Already settled: the error is only needed for its position.
            return Some((culprit, LedgerError::new(Code::LinkedItemFailed, "")));
        }
    }
    for index in group {
        let item = &items[index];
        let Some((checked, _)) = item.checked.filter(|_| item.outcome.is_none()) else { continue };
        let (debit, credit) = (checked.debit_account, checked.credit_account);
        match book.post(debit, credit, checked.amount, item.request.expected_version) {
            Ok(movements) => {
                if let Err(error) = limits.spend(book, item, movements.last()) {
                    return Some((index, error));
                }
                decided.extend(movements.into_iter().map(|movement| Decided { item: index, movement }));
            }
            Err(error) => return Some((index, error)),
        }
    }
    None
}

/// Rejects the culprit with its error and the rest of its transaction because of it.
fn reject_group(
    call: &Call,
    items: &mut [Item],
    group: Range<usize>,
    culprit: usize,
    error: LedgerError,
) -> Result<()> {
    // Where the call fails, it fails with the fault itself and not with its consequence.
    if call.on_error == OnError::Raise {
        return refuse(call, items, culprit, error);
    }
    for index in group {
        // What repeats an earlier item gets that one's outcome in the end.
        if items[index].outcome.is_some() || items[index].same_as.is_some() {
            continue;
        }
        let error = if index == culprit {
            error.clone()
        } else {
            let message = format!("item {} of the same transaction was rejected", culprit + 1);
            LedgerError::new(Code::LinkedItemFailed, message)
                .with_count("failed_position", culprit as i64 + 1)
        };
        refuse(call, items, index, error)?;
    }
    Ok(())
}

/// Gives every decided movement its identity.
fn drafts<'b>(items: &'b [Item], groups: &[Range<usize>], decided: &[Decided]) -> Vec<Draft<'b>> {
    let mut transactions: HashMap<usize, Uuid> = HashMap::new();
    for group in groups.iter().filter(|group| group.len() > 1) {
        let transaction = Uuid::now_v7();
        transactions.extend(group.clone().map(|index| (index, transaction)));
    }
    decided
        .iter()
        .map(|Decided { item: index, movement }| {
            let item = &items[*index];
            let transaction_id = transactions.get(index).copied();
            let (_, kind_id) = item.checked.expect("only checked items are decided");
            let draft = Draft {
                id: item.id,
                transaction_id,
                reverses_id: None,
                kind_id,
                movement: movement.clone(),
                reference: item.request.reference,
                description: item.request.description,
                metadata: item.request.metadata.as_deref(),
                effective_at: item.request.effective_at,
            };
            if movement.is_rebalance { rebalancing(draft) } else { draft }
        })
        .collect()
}

/// The draft of a movement between two stripes, which belongs to the transaction of `main`.
pub fn rebalancing(main: Draft) -> Draft {
    Draft {
        id: Uuid::now_v7(),
        transaction_id: Some(main.transaction_id.unwrap_or(main.id)),
        kind_id: REBALANCE,
        reverses_id: None,
        reference: None,
        description: None,
        metadata: None,
        ..main
    }
}

/// Copies outcomes to repeated keys and remembers the rejections.
fn finish(session: &Session, ledger: &Ledger, call: &Call, mut items: Vec<Item>) -> Result<Vec<Outcome>> {
    for index in 0..items.len() {
        if let (Some(first), None) = (items[index].same_as, &items[index].outcome) {
            let outcome = items[first].outcome.clone().map(|outcome| match outcome {
                Outcome::Posted(receipt) | Outcome::Replayed(receipt) => Outcome::Replayed(receipt),
                Outcome::Rejected { error, .. } => Outcome::Rejected { error, replayed: true },
            });
            items[index].outcome = outcome;
        }
    }
    if call.access == Access::Lock {
        let rejections: Vec<(&str, serde_json::Value)> = items
            .iter()
            .filter(|item| item.claimed)
            .filter_map(|item| match &item.outcome {
                Some(Outcome::Rejected { error, .. }) => {
                    Some((item.request.idempotency_key?, error.to_stored()))
                }
                _ => None,
            })
            .collect();
        if !rejections.is_empty() {
            idempotency::store::set_errors(session, ledger.id, &rejections);
        }
    }
    Ok(items.into_iter().map(|item| item.outcome.expect("every item has been settled")).collect())
}
