//! Holds: money that is promised and not yet moved.
//!
//! A hold changes hands under the row lock of its account: capture, release and expiry of one hold
//! wait for each other there, and whoever comes second finds it resolved. Lock order: key, accounts
//! (the hold's and the destination), then the hold's row, which nobody can hold without the account.
//!
//! Statements: hold_funds 4 (lock, balance, hold, event), capture 7 (2 more where the hold sits on a
//! stripe), release 6; each two more with a key.

pub mod api;
pub mod rules;
pub mod store;

use crate::account::rules::Account;
use crate::error::{Code, LedgerError, Result};
use crate::ledger::{self, Ledger};
use crate::posting::batch::rebalancing;
use crate::posting::limiting::{self, Captured};
use crate::posting::rules::{Book, Movement};
use crate::posting::store::{Draft, Receipt};
use crate::posting::{self, Access, Wanted};
use crate::spi::Session;
use crate::spi::jsonb::Document;
use crate::{address, event, money, time};
use rules::{Action, State};
use rust_decimal::Decimal;
use serde_json::json;
use store::{NewHold, Stored};
use uuid::Uuid;

/// Arguments of `hold_funds`, checked for form.
pub struct Request<'a> {
    pub account: &'a str,
    pub amount: Decimal,
    pub destination: Option<&'a str>,
    pub expires_at: Option<i64>,
    pub kind: &'a str,
    pub reference: Option<&'a str>,
    pub description: Option<&'a str>,
    pub metadata: Option<&'a Document>,
}

/// A hold and its account's balances after the call.
pub struct Reserved {
    pub stored: Stored,
    pub held: Decimal,
    pub available: Decimal,
}

/// Reserves available balance.
pub fn hold(session: &Session, ledger: &Ledger, request: &Request) -> Result<Reserved> {
    let account = address::checked(request.account, "account")?;
    let destination = request.destination.map(|given| address::checked(given, "destination")).transpose()?;
    if let Some(destination) = destination {
        check_other(account, destination)?;
    }
    posting::request::check_labels(
        request.reference,
        request.description,
        request.metadata.map(Document::as_bytes),
    )?;
    let kind_id = ledger::kind_id(session, ledger, request.kind)?;
    let mut wanted = Wanted::default();
    wanted.outflow(account, request.amount);
    let mut book = posting::open_book(session, ledger, &wanted, Access::Lock)?;
    let holder = holder(&book, account)?;
    let amount = money::to_scale(request.amount, holder.scale, &holder.currency, "amount")?;
    let now = ledger::now();
    let expires_at = check_expiry(request.expires_at, now)?;
    // What no money would mend is said first, as a transfer does; on a striped account, whether there is
    // enough depends on how its money happens to lie.
    if let Some(destination) = destination {
        check_destination(session, ledger, destination, &holder.currency)?;
    }
    let row = reserving_row(&book, holder, amount)?;
    book.change_held(row, amount)?;
    let metadata = request.metadata.map(Document::as_bytes);
    let spend = limiting::spend_of(amount, destination, metadata);
    limiting::check_hold(session, ledger, book.row(row), kind_id, &spend, posting::instant(&book))?;
    posting::write(session, ledger, &book, &[])?;
    let id = Uuid::now_v7();
    let new = NewHold {
        id,
        kind_id,
        account_id: book.row(row).id,
        amount,
        destination,
        expires_at,
        created_at: now,
        reference: request.reference,
        description: request.description,
        metadata: request.metadata,
    };
    store::insert(session, ledger.id, &new);
    let mut payload = event::hold_payload(id, account, amount);
    payload["destination"] = json!(destination);
    payload["expires_at"] = json!(time::to_text(expires_at));
    event::write(session, ledger, "hold.created", &id.to_string(), payload);
    result(session, ledger, id, &book, row)
}

/// Money that is held goes somewhere else, and not to another stripe of the same account either.
fn check_other(account: &str, destination: &str) -> Result<()> {
    if account != destination {
        return Ok(());
    }
    Err(LedgerError::new(Code::SameAccount, format!("hold and destination both name {account}"))
        .with("account", account))
}

/// The account that is to hold money, by its first row; it must be open.
fn holder<'a>(book: &'a Book, account: &str) -> Result<&'a Account> {
    let Some(first) = book.rows_of(account).first() else {
        return Err(LedgerError::new(Code::AccountNotFound, format!("there is no account {account}"))
            .with("account", account));
    };
    let row = book.row(*first);
    row.check_open()?;
    Ok(row)
}

/// The row that can reserve the amount. A hold sits on one row, so on a striped account a single
/// stripe must have it.
fn reserving_row(book: &Book, holder: &Account, amount: Decimal) -> Result<usize> {
    let rows = book.rows_of(&holder.address);
    let enough = |index: &usize| book.row(*index).spendable().is_none_or(|spendable| spendable >= amount);
    rows.iter().copied().find(enough).ok_or_else(|| {
        let available = rows.iter().map(|index| book.row(*index).available()).max().unwrap_or_default();
        holder.insufficient(amount, available)
    })
}

fn check_expiry(expires_at: Option<i64>, now: i64) -> Result<i64> {
    match expires_at {
        None => Ok(time::INFINITY),
        Some(at) if at <= now => {
            Err(crate::error::invalid("expires_at", "lie in the future")
                .with("expires_at", time::to_text(at)))
        }
        Some(at) => Ok(at),
    }
}

/// A destination that could never be paid is refused now, not at capture.
fn check_destination(session: &Session, ledger: &Ledger, destination: &str, currency: &str) -> Result<()> {
    let account = crate::account::find(session, ledger, destination, true)?;
    if account.currency == currency {
        return Ok(());
    }
    Err(LedgerError::new(
        Code::CurrencyMismatch,
        format!("the hold is in {currency}, {destination} in {}", account.currency),
    )
    .with("debit_currency", currency)
    .with("credit_currency", account.currency))
}

/// Moves the held money, or a part of it; the rest is released.
pub fn capture(
    session: &Session,
    ledger: &Ledger,
    hold_id: Uuid,
    amount: Option<Decimal>,
    destination: Option<&str>,
) -> Result<(Receipt, Stored)> {
    let before = find(session, ledger, hold_id, false)?;
    // A hold that is over is said to be so, whatever else is wrong with the call.
    rules::check(&before.hold, Action::Capture, ledger::now())?;
    let destination = address::checked(rules::destination(&before.hold, destination)?, "destination")?;
    check_other(&before.account, destination)?;
    let mut book = lock_pair(session, ledger, &before, destination, amount.unwrap_or(before.hold.amount))?;
    let stored = find(session, ledger, hold_id, true)?;
    rules::check(&stored.hold, Action::Capture, ledger::now())?;
    let amount = rules::captured_amount(&stored.hold, amount, stored.scale, &stored.currency)?;
    let held = row_of(&book, stored.account_id)?;
    book.change_held(held, -stored.hold.amount)?;
    let movements = book.post_from(held, destination, amount)?;
    let now = posting::instant(&book);
    // The movement to the destination comes last, after those between its stripes.
    if let Some(movement) = movements.last() {
        let captured = Captured {
            holder: held,
            movement,
            kind_id: stored.kind_id,
            was_named: stored.hold.destination.is_some(),
            metadata: stored.metadata.as_ref().map(Document::as_bytes),
        };
        limiting::count_capture(session, ledger, &mut book, &captured, now)?;
    }
    let id = Uuid::now_v7();
    let draft = |movement: Movement| {
        let is_rebalance = movement.is_rebalance;
        let draft = Draft {
            id,
            transaction_id: None,
            reverses_id: None,
            kind_id: stored.kind_id,
            movement,
            reference: stored.reference.as_deref(),
            description: stored.description.as_deref(),
            metadata: stored.metadata.as_ref().map(Document::as_bytes),
            effective_at: None,
        };
        if is_rebalance { rebalancing(draft) } else { draft }
    };
    let drafts: Vec<Draft> = movements.into_iter().map(draft).collect();
    posting::write_at(session, ledger, &book, &drafts, now)?;
    let receipt = posting::receipt(&book, &drafts[drafts.len() - 1], now, false);
    settle(session, ledger, &stored, State::Captured, now, amount, receipt.id)?;
    let mut payload = event::hold_payload(hold_id, &stored.account, amount);
    payload["transfer_id"] = json!(receipt.id.map(|id| id.to_string()));
    payload["released"] = json!((stored.hold.amount - amount).to_string());
    event::write(session, ledger, "hold.captured", &hold_id.to_string(), payload);
    Ok((receipt, stored))
}

/// Locks the hold's row of balance and its destination, in the global order.
fn lock_pair(
    session: &Session,
    ledger: &Ledger,
    stored: &Stored,
    destination: &str,
    amount: Decimal,
) -> Result<Book> {
    let mut wanted = Wanted::default();
    // The held account pays on the side that is not its normal one; the destination is on the other.
    let receiving = stored.account_type.normal_side();
    if stored.is_striped {
        // Plain accounts come before stripes in the lock order, stripes in the order of their addresses;
        // the hold's stripe is a given one.
        wanted.side(destination, receiving, amount);
        let is_first = stored.account.as_str() < destination
            && !posting::store::striped(session, ledger.id, &[destination], false).is_empty();
        let open_held = || posting::open_rows(session, ledger, &[stored.account_id]);
        let held_before = if is_first { Some(open_held()?) } else { None };
        let other = posting::open_book(session, ledger, &wanted, Access::Lock)?;
        let (mut book, _) = match held_before {
            Some(held) => held,
            None => open_held()?,
        };
        book.absorb(other);
        return Ok(book);
    }
    wanted.outflow(&stored.account, amount);
    wanted.side(destination, receiving, amount);
    posting::open_book(session, ledger, &wanted, Access::Lock)
}

fn row_of(book: &Book, account_id: i64) -> Result<usize> {
    book.find_row(account_id)
        .ok_or_else(|| LedgerError::new(Code::BooksInconsistent, "the account of a hold is missing"))
}

/// Gives the held money back to the available balance.
pub fn release(session: &Session, ledger: &Ledger, hold_id: Uuid, reason: Option<&str>) -> Result<Reserved> {
    let before = find(session, ledger, hold_id, false)?;
    let (mut book, _) = posting::open_rows(session, ledger, &[before.account_id])?;
    let stored = find(session, ledger, hold_id, true)?;
    let now = ledger::now();
    rules::check(&stored.hold, Action::Release, now)?;
    let row = row_of(&book, stored.account_id)?;
    book.change_held(row, -stored.hold.amount)?;
    posting::write(session, ledger, &book, &[])?;
    settle(session, ledger, &stored, State::Released, now, money::zero(stored.scale), None)?;
    let mut payload = event::hold_payload(hold_id, &stored.account, stored.hold.amount);
    payload["reason"] = json!(reason);
    event::write(session, ledger, "hold.released", &hold_id.to_string(), payload);
    result(session, ledger, hold_id, &book, row)
}

fn settle(
    session: &Session,
    ledger: &Ledger,
    stored: &Stored,
    state: State,
    now: i64,
    captured: Decimal,
    transfer_id: Option<Uuid>,
) -> Result<()> {
    if !store::resolve(session, ledger.id, stored.hold.id, state, now, captured, transfer_id) {
        return Err(LedgerError::new(
            Code::BooksInconsistent,
            "a hold was resolved although its account was locked",
        )
        .with("hold_id", stored.hold.id));
    }
    Ok(())
}

/// Writes down expired holds: for the record, since they count as released anyway. Returns how many;
/// bounded, and skips accounts that are in use.
pub fn expire(session: &Session, ledger: &Ledger, max_count: i64) -> Result<i64> {
    let accounts = store::due_accounts(session, ledger.id, ledger::now(), max_count);
    if accounts.is_empty() {
        return Ok(0);
    }
    // Opening the rows expires what is due on them; writing gives the money back.
    let (book, expired) = posting::open_rows(session, ledger, &accounts)?;
    posting::write(session, ledger, &book, &[])?;
    Ok(expired as i64)
}

fn find(session: &Session, ledger: &Ledger, hold_id: Uuid, lock: bool) -> Result<Stored> {
    store::find(session, ledger.id, hold_id, lock).ok_or_else(|| {
        LedgerError::new(Code::HoldNotFound, format!("there is no hold {hold_id}")).with("hold_id", hold_id)
    })
}

fn result(session: &Session, ledger: &Ledger, hold_id: Uuid, book: &Book, row: usize) -> Result<Reserved> {
    let stored = find(session, ledger, hold_id, false)?;
    let account = book.row(row);
    Ok(Reserved { stored, held: account.held, available: account.available() })
}
