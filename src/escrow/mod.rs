//! Escrow: a buyer's money waits in an account of its own until the order is delivered, taken back or
//! decided about.
//!
//! Everything about one escrow happens under its row lock. Lock order: key, intent, escrow, accounts (as
//! every posting). Whoever comes second finds the state that the first has left, and is told so.
//!
//! An amount is divided over the lines by largest remainder, of equal ones the earlier line first; on a line
//! the fee is what the rate says of all that was released so far. A refund takes what is still held first,
//! then what was paid out, in the split in which it was paid. The last part always closes to the last unit.
//!
//! Statements: open_escrow 11 with a fee, release and refund 8 (escrow, lines, accounts, transfers, balances,
//! sums, event, lines again); each two more with a key.

pub mod api;
pub mod bank_release;
pub mod dispute;
mod due;
pub mod group;
mod many;
mod open;
mod pay;
pub mod rules;
pub mod store;
pub mod together;

pub use due::{Due, release_due};
pub use open::{Opening, open, wanted_lines};
pub use pay::{Order, Shortfall, decide, refund, release};

use crate::error::{Code, LedgerError, Result};
use crate::event;
use crate::form::label;
use crate::ledger::{self, Ledger};
use crate::money::Number;
use crate::posting::request::Request;
use crate::spi::Session;
use rules::Action;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use store::record::{self, Record};
use store::{Escrow, StoredLine};
use uuid::Uuid;

/// An escrow and its lines, as an action has left them, and the transaction that the action posted.
pub struct Opened {
    pub escrow: Escrow,
    pub lines: Vec<StoredLine>,
    pub transaction_id: Option<Uuid>,
}

/// The escrow, or the error that there is none.
fn find(session: &Session, ledger: &Ledger, id: Uuid, lock: bool) -> Result<Escrow> {
    store::find(session, ledger.id, id, lock).ok_or_else(|| {
        LedgerError::new(Code::EscrowNotFound, format!("there is no escrow {id}")).with("escrow_id", id)
    })
}

/// Locks an escrow and checks that the action may be done to it.
fn find_for(session: &Session, ledger: &Ledger, id: Uuid, action: Action) -> Result<Escrow> {
    ledger::enter_period(ledger);
    let escrow = find(session, ledger, id, true)?;
    rules::check(id, escrow.state, action)?;
    Ok(escrow)
}

/// The escrow as it is now.
pub fn read(session: &Session, ledger: &Ledger, id: Uuid, transaction_id: Option<Uuid>) -> Result<Opened> {
    let escrow = find(session, ledger, id, false)?;
    let lines = store::lines(session, ledger.id, id, escrow.scale);
    Ok(Opened { escrow, lines, transaction_id })
}

/// Marks the goods as sent: the time to the release by itself begins.
pub fn ship(
    session: &Session,
    ledger: &Ledger,
    id: Uuid,
    tracking_reference: Option<&str>,
) -> Result<Opened> {
    let tracking_reference = label(tracking_reference, "tracking_reference", 255)?;
    find_for(session, ledger, id, Action::MarkShipped)?;
    let now = ledger::now();
    store::ship(session, ledger.id, id, now, tracking_reference);
    let done = Record { escrow_id: id, action: Action::MarkShipped.name(), ..Record::default() };
    record::insert(session, ledger.id, &done, &ledger::settings::actor(), now);
    let opened = read(session, ledger, id, None)?;
    let due = opened.escrow.release_due_at.map(crate::time::to_text);
    let more = json!({ "tracking_reference": tracking_reference, "release_due_at": due });
    announce(session, ledger, "escrow.shipped", &opened, None, more);
    Ok(opened)
}

/// Writes an event for buyer, sellers and finance office, with what a notification to each needs.
pub fn announce(
    session: &Session,
    ledger: &Ledger,
    topic: &str,
    opened: &Opened,
    reason: Option<&str>,
    more: Value,
) {
    let escrow = &opened.escrow;
    let mut sellers: Vec<&str> = opened.lines.iter().map(|line| line.beneficiary.as_str()).collect();
    sellers.sort_unstable();
    sellers.dedup();
    let payload = json!({
        "escrow_id": escrow.id.to_string(),
        "reference": escrow.reference,
        "status": escrow.state.name(),
        "buyer_account": escrow.buyer,
        "seller_accounts": sellers,
        "for": ["buyer", "seller", "finance"],
        "amount": escrow.amount.to_string(),
        "currency": escrow.currency,
        "transaction_id": opened.transaction_id.map(|id| id.to_string()),
        "actor": ledger::settings::actor(),
        "reason": reason,
    });
    event::write(session, ledger, topic, &escrow.id.to_string(), event::with(payload, more));
}

/// A transfer of an escrow's transaction.
fn transfer<'a>(
    debit: &'a str,
    credit: &'a str,
    amount: Decimal,
    kind: &'a str,
    reference: &'a str,
) -> Request<'a> {
    Request {
        debit_account: Some(debit),
        credit_account: Some(credit),
        amount: Some(Number::Finite(amount)),
        kind: Some(kind),
        reference: Some(reference),
        transaction: Some("escrow"),
        ..Request::default()
    }
}
