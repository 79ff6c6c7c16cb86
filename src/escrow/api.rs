//! SQL face of escrows.

pub mod rows;

use super::rules::Action;
use super::{Opened, Opening, Order, Shortfall, open, refund, release, release_due, ship, wanted_lines};
use crate::error::{Code, LedgerError, Result, invalid, missing};
use crate::form::{self, label};
use crate::idempotency;
use crate::idempotency::rules::{Fingerprint, Operation};
use crate::ledger::{self, Ledger};
use crate::report;
use crate::spi::Session;
use crate::spi::face::{JsonIn, JsonItems, NumericIn, micros, needed_id, uuid};
use crate::spi::table::Table;
use pgrx::prelude::*;
use rows::{DueRow, EscrowRow, Snapshot};

/// Moves a buyer's money into an escrow, in one transaction: it waits there until it is released, refunded, or
/// a dispute is decided.
///
/// * `reference`: the application's own name for it, an order number; 1 to 120 characters of A-Z a-z 0-9 _ . -,
///   once in a ledger. The money waits in the account `escrows:` and the reference.
/// * `buyer`: the account that pays, and that refunds go to; NULL where `intent_id` says it.
/// * `lines`: who is to get what, as a JSON array of 1 to 1000 objects: `beneficiary` (an account), `amount`,
///   `fee` (the name of a rate, what the platform keeps of it; none by default), `description`.
/// * `auto_release_after`: so long after shipping the money goes to the beneficiaries by itself, unless there is
///   a dispute; at most 365 days.
/// * `idempotency_key`, `metadata`, `ledger`: as for `post_transfer`.
/// * `amount`: what the buyer pays; where it is given, the lines must add up to it.
/// * `intent_id`: the paid intent of the purpose order whose money this is; its amount is what the buyer pays.
///
/// Returns the escrow. The rates are those of this moment, whatever is set later. Writes the event
/// `escrow.opened`. Errors: missing_argument, invalid_argument, invalid_json, unknown_field, too_many_items,
/// invalid_amount, same_account, account_not_found, rate_not_found, intent_not_found, intent_not_paid,
/// already_exists, lines_mismatch, currency_mismatch, idempotency_conflict, and those of `post_transfer`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn open_escrow(
    reference: Option<&str>,
    buyer: Option<&str>,
    lines: Option<JsonItems>,
    auto_release_after: default!(Option<Interval>, "'7 days'"),
    idempotency_key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonIn>, "NULL"),
    amount: default!(Option<NumericIn>, "NULL"),
    intent_id: default!(Option<pgrx::Uuid>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> EscrowRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let micros = auto_release_after.map(micros);
        let document = metadata.as_ref().map(|metadata| &metadata.0);
        let intent_id = intent_id.map(uuid);
        let fingerprint = Fingerprint::new(Operation::OpenEscrow)
            .text("reference", reference)
            .text("buyer", buyer)
            .raw(
                "lines",
                lines.as_ref().map(|lines| lines.0.to_document()).as_ref().map(|lines| lines.as_bytes()),
            )
            .integer("auto_release_after", micros)
            .raw("metadata", document.map(|document| document.as_bytes()))
            .amount("amount", amount.map(|amount| amount.0))
            .raw("intent_id", intent_id.as_ref().map(|id| &id.as_bytes()[..]));
        once(&session, &ledger, idempotency_key, &fingerprint, || {
            let wanted = wanted_lines(&lines.as_ref().ok_or_else(|| missing("lines"))?.0)?;
            let opening = Opening {
                reference: reference.ok_or_else(|| missing("reference"))?,
                buyer,
                lines: &wanted,
                amount: amount.map(|amount| amount.0),
                auto_release_micros: micros.ok_or_else(|| missing("auto_release_after"))?,
                intent_id,
                metadata: document,
            };
            open(&session, &ledger, &opening)
        })
    })
}

/// Marks an escrow's goods as sent. From now on the time to the release by itself runs.
///
/// * `escrow_id`: from `open_escrow`.
/// * `tracking_reference`: the carrier's number, 1 to 255 bytes.
/// * `ledger`: the session's ledger by default.
///
/// Returns the escrow; `release_due_at` says when. Writes the event `escrow.shipped`. Errors: missing_argument,
/// invalid_argument, escrow_not_found, already_shipped, escrow_closed, escrow_disputed.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn mark_shipped(
    escrow_id: Option<pgrx::Uuid>,
    tracking_reference: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> EscrowRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let opened = ship(&session, &ledger, needed_id(escrow_id, "escrow_id")?, tracking_reference)?;
        Ok(EscrowRow::new(&ledger, Snapshot::new(&opened), false))
    })
}

/// The buyer has the goods: everything that is held goes to the beneficiaries, less the fees.
///
/// * `escrow_id`: from `open_escrow`.
/// * `reason`: for the record, 1 to 1000 bytes.
/// * `idempotency_key`, `ledger`: as for `post_transfer`.
///
/// Returns the escrow. Writes the event `escrow.confirmed`. Errors: as for `release_escrow`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn confirm_receipt(
    escrow_id: Option<pgrx::Uuid>,
    reason: default!(Option<&str>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> EscrowRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let reason = label(reason, "reason", 1000)?;
        let fingerprint = asked(Operation::ConfirmReceipt, escrow_id, None, None, reason);
        once(&session, &ledger, idempotency_key, &fingerprint, || {
            let order = Order { amount: None, line: None, reason, shortfall: Shortfall::Refuse };
            release(&session, &ledger, needed_id(escrow_id, "escrow_id")?, Action::ConfirmReceipt, &order)
        })
    })
}

/// Pays the beneficiaries what an escrow holds, or a part of it, and the platform its fees, in one transaction.
///
/// * `escrow_id`: from `open_escrow`.
/// * `amount`: at most what is held; NULL is all of it. A part is divided over the lines in proportion to what
///   each still holds, by largest remainder, of equal ones the earlier line first.
/// * `reason`: for the record, 1 to 1000 bytes.
/// * `idempotency_key`, `ledger`: as for `post_transfer`.
/// * `line`: only this line, counted from 1; NULL is all of them.
///
/// Returns the escrow. The fee of a line is its rate's share of all that was released of it, rounded to the
/// nearest smallest unit (half a unit is the beneficiary's), so that parts cost as much as the whole. Writes
/// the event `escrow.released`. Errors: missing_argument, invalid_argument, invalid_amount, escrow_not_found,
/// escrow_closed, escrow_disputed, release_exceeds_escrow, idempotency_conflict, and those of `post_transfer`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn release_escrow(
    escrow_id: Option<pgrx::Uuid>,
    amount: default!(Option<NumericIn>, "NULL"),
    reason: default!(Option<&str>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
    line: default!(Option<i32>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> EscrowRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let reason = label(reason, "reason", 1000)?;
        let fingerprint = asked(Operation::ReleaseEscrow, escrow_id, amount, line, reason);
        once(&session, &ledger, idempotency_key, &fingerprint, || {
            let amount = amount.map(|amount| amount.0);
            let order = Order { amount, line, reason, shortfall: Shortfall::Refuse };
            release(&session, &ledger, needed_id(escrow_id, "escrow_id")?, Action::Release, &order)
        })
    })
}

/// Gives the buyer of an escrow money back, in one transaction: first what is still held; after that what was
/// paid out, from each beneficiary and the platform in exactly the split in which they got it.
///
/// * `escrow_id`: from `open_escrow`.
/// * `amount`: at most what was paid and not given back; NULL is all of it.
/// * `reason`: for the record, 1 to 1000 bytes.
/// * `idempotency_key`, `ledger`: as for `post_transfer`.
/// * `line`: only this line, counted from 1; NULL is all of them, in proportion.
/// * `on_shortfall`: where a beneficiary cannot give back their part: `refuse` (nothing moves; the error names
///   them) or `advance` (the platform pays what is missing from `receivables:` and the beneficiary's address,
///   whose balance is what they owe).
///
/// Returns the escrow. Writes the event `escrow.refunded`. Errors: missing_argument, invalid_argument,
/// invalid_amount, escrow_not_found, escrow_closed, escrow_disputed, refund_exceeds_payment, insufficient_funds,
/// account_frozen, account_closed, idempotency_conflict, and the others of `post_transfer`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn refund_escrow(
    escrow_id: Option<pgrx::Uuid>,
    amount: default!(Option<NumericIn>, "NULL"),
    reason: default!(Option<&str>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
    line: default!(Option<i32>, "NULL"),
    on_shortfall: default!(Option<&str>, "'refuse'"),
    ledger: default!(Option<&str>, "NULL"),
) -> EscrowRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let reason = label(reason, "reason", 1000)?;
        let shortfall = match on_shortfall {
            Some("refuse") => Shortfall::Refuse,
            Some("advance") => Shortfall::Advance,
            _ => return Err(invalid("on_shortfall", "be refuse or advance")),
        };
        let fingerprint = asked(Operation::RefundEscrow, escrow_id, amount, line, reason)
            .text("on_shortfall", on_shortfall);
        once(&session, &ledger, idempotency_key, &fingerprint, || {
            let order = Order { amount: amount.map(|amount| amount.0), line, reason, shortfall };
            refund(&session, &ledger, needed_id(escrow_id, "escrow_id")?, &order)
        })
    })
}

/// Releases escrows whose time is over: shipped longer ago than their `auto_release_after`, without an open
/// dispute. For a job that runs every few minutes; several may run at once, each takes others.
///
/// * `max_count`: at most so many, 1 to 10000.
/// * `ledger`: the session's ledger by default.
///
/// Returns one row for each: released, with the amount, or failed, with the error. One that fails stops no
/// other, writes the event `escrow.release_failed`, and is tried again an hour later. Errors: missing_argument,
/// invalid_argument, try_again.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn release_due_escrows(
    max_count: default!(Option<i32>, 1000),
    ledger: default!(Option<&str>, "NULL"),
) -> Table<DueRow> {
    let rows = report::run(|| {
        let session = Session::connect();
        let max_count = form::max_count(max_count, 10_000)?;
        let ledger = ledger::resolve(&session, ledger)?;
        let due = release_due(&session, &ledger, max_count)?;
        Ok(due.into_iter().map(|due| DueRow::new(&ledger, due)).collect())
    });
    Table(rows)
}

fn asked(
    operation: Operation,
    escrow_id: Option<pgrx::Uuid>,
    amount: Option<NumericIn>,
    line: Option<i32>,
    reason: Option<&str>,
) -> Fingerprint {
    Fingerprint::new(operation)
        .raw("escrow_id", escrow_id.as_ref().map(|id| &id.as_bytes()[..]))
        .amount("amount", amount.map(|amount| amount.0))
        .integer("line", line.map(i64::from))
        .text("reason", reason)
}

/// Runs `work` once per key; a repetition is told what the first call was told.
pub(in crate::escrow) fn once(
    session: &Session,
    ledger: &Ledger,
    key: Option<&str>,
    fingerprint: &Fingerprint,
    work: impl FnOnce() -> Result<Opened>,
) -> Result<EscrowRow> {
    let unreadable =
        || LedgerError::new(Code::BooksInconsistent, "the stored result of an escrow is unreadable");
    let (result, replayed) = idempotency::once(session, ledger.id, key, fingerprint, ledger::now(), || {
        serde_json::to_value(Snapshot::new(&work()?)).map_err(|_| unreadable())
    })?;
    let snapshot = serde_json::from_value(result).map_err(|_| unreadable())?;
    Ok(EscrowRow::new(ledger, snapshot, replayed))
}
