//! SQL face of purchases and refunds.

mod rows;

use super::overdraft::repay;
use super::refund::{self, parties};
use super::rules::line::{self, FIELDS, Wanted};
use super::rules::refund as back;
use super::{Order, buy, find_member, store};
use crate::access;
use crate::access::rules::{Action, Target};
use crate::error::{Code, LedgerError, Result, invalid, missing};
use crate::form::label;
use crate::idempotency;
use crate::idempotency::rules::{Fingerprint, Operation, personal};
use crate::ledger::{self, settings};
use crate::posting::batch::OnError;
use crate::report;
use crate::spi::Session;
use crate::spi::face::{JsonIn, JsonItems, NumericIn, Timestamp, needed_id};
use crate::spi::identity;
use crate::spi::jsonb::Items;
use pgrx::prelude::*;
use rows::{PurchaseRow, RefundRow, RefundSnapshot, RepaymentRow, Snapshot};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use uuid::Uuid;

/// Sells items of a merchant's catalogue to a member, who pays from their wallet.
///
/// * `member_account`: the address of the member's wallet, or the member's name.
/// * `merchant`: who sells.
/// * `items`: 1 to 200 lines, `[{"item": "nasi-goreng", "quantity": 2}]`; without a quantity it is 1. Price and
///   category are the catalogue's of this moment. A line costs price × quantity, rounded to the currency's decimals
///   (half to the even neighbour).
/// * `device`: the merchant's till where it happens.
/// * `authentication`: how the member was identified, from `record_authentication`: `{"authentication_id": "…"}`; it
///   serves one purchase.
/// * `idempotency_key`, `reference`, `metadata`: as for `post_transfer`. The keys of a person who has signed in are that
///   person's own.
/// * `on_error`: `raise`: a refusal is an error and leaves nothing. `report`: a refusal is written down, tells the
///   guardian (event `purchase.refused`) and is answered with status `refused`, error and message; it is remembered
///   under the key. What was asked for wrongly (no such member or item, a bad quantity) is an error in both.
/// * `effective_at`: when it counts, for limits and reports; now by default. Signed-in people need the organisation's
///   right for another time.
/// * `ledger`: the session's ledger by default.
///
/// Returns the purchase with what is left in the wallet, and of the allowance where spending limits count it. Each
/// category is one transfer of kind `purchase`, all of them one transaction. Writes the event `purchase.completed`.
/// Errors: missing_argument, invalid_argument, invalid_json, unknown_field, too_many_items, invalid_amount,
/// amount_out_of_range, idempotency_conflict, member_not_found, merchant_not_found, device_not_found, item_not_found;
/// and as refusals party_inactive, authentication_invalid, insufficient_funds, spending_limit_exceeded and the others
/// of `post_transfer`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn purchase(
    member_account: Option<&str>,
    merchant: Option<&str>,
    items: Option<JsonItems>,
    device: default!(Option<&str>, "NULL"),
    authentication: default!(Option<JsonItems>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
    reference: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonIn>, "NULL"),
    on_error: default!(Option<&str>, "'raise'"),
    effective_at: default!(Option<Timestamp>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> PurchaseRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let member = member_account.ok_or_else(|| missing("member_account"))?;
        let merchant = merchant.ok_or_else(|| missing("merchant"))?;
        let items = items.ok_or_else(|| missing("items"))?;
        let (on_error, mode) = match on_error {
            Some("raise") => (OnError::Raise, "raise"),
            Some("report") => (OnError::Report, "report"),
            _ => return Err(invalid("on_error", "be raise or report")),
        };
        let (lines, names) = lines(&items.0)?;
        let authentication_id = authentication.as_ref().map(authentication_id).transpose()?;
        let effective_at = effective_at.map(|at| at.0);
        let metadata = metadata.as_ref().map(|metadata| &metadata.0);
        ledger::enter_period(&ledger);
        let scene = store::scene(&session, ledger.id, member, merchant, device, names.iter().copied());
        let name = scene.member.as_ref().map_or(member, |found| &found.member);
        let target = Target { member: Some(name), merchant: Some(merchant) };
        // Whoever may date a purchase may make one.
        let action = if effective_at.is_some() { Action::DatePurchase } else { Action::Purchase };
        access::demand(&session, &ledger, action, target)?;
        let fingerprint = || {
            Fingerprint::new(Operation::Purchase)
                .text("member_account", Some(member))
                .text("merchant", Some(merchant))
                .raw("items", Some(items.0.to_document().as_bytes()))
                .text("device", device)
                .raw("authentication", authentication_id.as_ref().map(|id| &id.as_bytes()[..]))
                .text("reference", reference)
                .raw("metadata", metadata.map(|metadata| metadata.as_bytes()))
                .text("on_error", Some(mode))
                .integer("effective_at", effective_at)
        };
        let order = Order {
            merchant,
            lines: &lines,
            device,
            authentication_id,
            reference,
            metadata,
            on_error,
            effective_at,
        };
        let work = || Ok(Snapshot::new(buy(&session, &ledger, member, scene, &order)?));
        let (snapshot, replayed) = once(&session, ledger.id, idempotency_key, fingerprint, work)?;
        Ok(PurchaseRow { ledger: ledger.name, snapshot, replayed })
    })
}

/// The identification that a purchase refers to.
fn authentication_id(given: &JsonItems) -> Result<Uuid> {
    let must = "be an object such as {\"authentication_id\": \"…\"}";
    let fields = given.0.fields().ok_or_else(|| invalid("authentication", must))?;
    if let Some((key, _)) = fields.iter().find(|(key, _)| *key != "authentication_id") {
        return Err(LedgerError::new(Code::UnknownField, format!("unknown key \"{key}\""))
            .with("field", key)
            .with("known_fields", "authentication_id"));
    }
    let id = fields.into_iter().find_map(|(_, field)| field.into_text("authentication_id").ok().flatten());
    id.and_then(|id| id.parse().ok()).ok_or_else(|| invalid("authentication", must))
}

/// The lines of a purchase, and the items that they name.
fn lines(items: &Items) -> Result<(Vec<Wanted<'_>>, Vec<&str>)> {
    line::check_count(items.count("items")?)?;
    let mut lines: Vec<Wanted> = vec![Wanted::default(); items.count("items")?];
    let visit =
        |index: usize, key, field| lines[index].set(key, field, FIELDS).map_err(|error| error.at_item(index));
    items.walk("items", visit, |_| Ok(()))?;
    let names = lines
        .iter()
        .enumerate()
        .map(|(index, line)| line.check().map_err(|error| error.at_item(index)))
        .collect::<Result<Vec<&str>>>()?;
    Ok((lines, names))
}

/// Runs `work` once per key, and answers a repetition with what it came to. Without a key nothing is kept. The key of
/// a person who has signed in is that person's own.
fn once<T: Serialize + DeserializeOwned>(
    session: &Session,
    ledger_id: i32,
    key: Option<&str>,
    fingerprint: impl FnOnce() -> Fingerprint,
    work: impl FnOnce() -> Result<T>,
) -> Result<(T, bool)> {
    let Some(key) = key else {
        return Ok((work()?, false));
    };
    // Whoever signs in has keys of their own: else they could use up those of the backend.
    let key = if identity::is_trusted() { Cow::Borrowed(key) } else { personal(&settings::actor(), key)? };
    let unreadable =
        |_| LedgerError::new(Code::BooksInconsistent, "the stored result of a purchase is unreadable");
    let mut fresh = None;
    let (stored, replayed) =
        idempotency::once(session, ledger_id, Some(&key), &fingerprint(), ledger::now(), || {
            let done = work()?;
            let stored = serde_json::to_value(&done).map_err(unreadable)?;
            fresh = Some(done);
            Ok(stored)
        })?;
    match fresh {
        Some(done) => Ok((done, replayed)),
        None => Ok((serde_json::from_value::<T>(stored).map_err(unreadable)?, replayed)),
    }
}

/// Gives back what a member paid for a purchase: all of it, some items, or an amount.
///
/// * `purchase_id`: from `purchase`.
/// * `items`: `[{"line": 1, "quantity": 1}]`; without a quantity it is all that is left of the line. A quantity is
///   worth what it cost, but never more than is left of its line.
/// * `amount`: taken from what is left of the first line, then of the second. With neither items nor amount it is
///   all that is left.
/// * `reason`: for the record, 1 to 1000 bytes.
/// * `idempotency_key`, `ledger`: as for `post_transfer`.
///
/// Returns the refund. The money goes back as reversals of the transfers that paid, in one transaction, and so
/// gives spending limits their allowance back; what the member still owes for this purchase is paid back first.
/// Writes the event `purchase.refunded`. Errors: missing_argument, invalid_argument, invalid_json, unknown_field,
/// invalid_amount, purchase_not_found, refund_exceeds_payment, idempotency_conflict, insufficient_funds (the
/// merchant has not got it any more), and the others of `reverse_transfer`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn refund_purchase(
    purchase_id: Option<pgrx::Uuid>,
    items: default!(Option<JsonItems>, "NULL"),
    amount: default!(Option<NumericIn>, "NULL"),
    reason: default!(Option<&str>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> RefundRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let id = needed_id(purchase_id, "purchase_id")?;
        let reason = label(reason, "reason", REASON_BYTES_MAX)?;
        let amount = amount.map(|amount| amount.0);
        if amount.is_some() && items.is_some() {
            return Err(invalid("amount", "be absent where items are named"));
        }
        let wanted = items.as_ref().map_or(Ok(back::Wanted::All), |items| given_back(&items.0))?;
        let found = parties(&session, &ledger, id);
        let (member, merchant) = match &found {
            Ok((member, merchant)) => (Some(member.as_str()), Some(merchant.as_str())),
            Err(_) => (None, None),
        };
        access::demand(&session, &ledger, Action::RefundPurchase, Target { member, merchant })?;
        found?;
        ledger::enter_period(&ledger);
        let fingerprint = || {
            let document = items.as_ref().map(|items| items.0.to_document());
            Fingerprint::new(Operation::RefundPurchase)
                .raw("purchase_id", Some(id.as_bytes()))
                .raw("items", document.as_ref().map(|items| items.as_bytes()))
                .amount("amount", amount)
                .text("reason", reason)
        };
        let order = refund::Order { amount, items: wanted, reason };
        let work = || Ok(RefundSnapshot::new(id, refund::refund(&session, &ledger, id, &order)?));
        let (snapshot, replayed) = once(&session, ledger.id, idempotency_key, fingerprint, work)?;
        Ok(RefundRow { ledger: ledger.name, snapshot, replayed })
    })
}

/// Longest reason, in bytes.
const REASON_BYTES_MAX: usize = 1000;

/// The items that are to be given back.
fn given_back(items: &Items) -> Result<back::Wanted> {
    line::check_count(items.count("items")?)?;
    let mut wanted: Vec<back::Item> = vec![back::Item::default(); items.count("items")?];
    let visit =
        |index: usize, key, field| wanted[index].set(key, field).map_err(|error| error.at_item(index));
    items.walk("items", visit, |_| Ok(()))?;
    Ok(back::Wanted::Items(wanted))
}

/// Repays what a member owes through purchases of offline tills, as far as their wallet reaches.
///
/// * `member`: the member's name, or the address of their wallet.
/// * `ledger`: the session's ledger by default.
///
/// Returns what was repaid and what is still owed; nothing to repay, or nothing to repay it with, is no error.
/// Posts a transfer of kind `settlement` from the wallet to `overdrafts:<member>` and writes the event
/// `overdraft.repaid`. Errors: missing_argument, member_not_found, account_frozen, account_closed.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn repay_overdraft(member: Option<&str>, ledger: default!(Option<&str>, "NULL")) -> RepaymentRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let asked = member.ok_or_else(|| missing("member"))?;
        let found = find_member(&session, &ledger, asked);
        let name = found.as_ref().map_or(asked, |found| found.member.as_str());
        // Whoever may spend a member's money may also pay their debts with it.
        let target = Target { member: Some(name), merchant: None };
        access::demand(&session, &ledger, Action::Purchase, target)?;
        let member = found?;
        let repaid = repay(&session, &ledger, &member)?;
        Ok(RepaymentRow { ledger: ledger.name, member: member.member, repaid })
    })
}
