//! Posting: the only way money moves.
//!
//! A call of one item or of ten thousand runs the same few statements:
//!
//! | step | statements |
//! |---|---|
//! | claim idempotency keys, if any | 1, and 1–2 more where some were used before |
//! | lock plain accounts, in address order | 1 |
//! | lock stripes, if any account is striped | 1 per striped account, and 1 where the backend does not know it yet |
//! | expire holds, if a locked account has any | 1 |
//! | read the spending limits, if a limited account pays | 1, and 1 where its counter has to be made anew |
//! | decide, in memory | 0 |
//! | append transfers | 1 |
//! | write back balances | 1 |
//!
//! Lock order, the same in every flow: keys (sorted), plain accounts (by address), stripes (by address
//! and number), holds, reversal totals. Two calls can wait for each other but never in a circle; a
//! transaction that makes several calls can, and PostgreSQL then aborts one of them (`try_again`).
//!
//! Order of checks, per item: key used before; form of the arguments; kind; closed period; accounts
//! exist; currency; decimals; closed or frozen; expected version; floor; ceiling; spending limits.

pub mod api;
pub mod batch;
mod keys;
pub mod limiting;
pub mod request;
pub mod rules;
pub mod store;

use crate::account::{self, rules::Side};
use crate::error::{Code, LedgerError, Result};
use crate::ledger::{self, Ledger};
use crate::report::attempt;
use crate::spi::Session;
use crate::{event, posting};
use pgrx::pg_sys;
use rules::Book;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use store::{Draft, Receipt};

/// Whether a flow takes locks and may write, or only looks (a preview).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Lock,
    Look,
}

/// What a call wants to touch: per address, the most that it will debit and credit.
#[derive(Default)]
pub struct Wanted<'a>(BTreeMap<&'a str, Flow>);

#[derive(Clone, Copy, Default)]
struct Flow {
    debits: Decimal,
    credits: Decimal,
}

impl<'a> Wanted<'a> {
    pub fn transfer(&mut self, debit: &'a str, credit: &'a str, amount: Decimal) {
        self.side(debit, Side::Debit, amount);
        self.side(credit, Side::Credit, amount);
    }

    /// One side of a transfer whose other account is locked by its id.
    pub fn side(&mut self, address: &'a str, side: Side, amount: Decimal) {
        let flow = self.0.entry(address).or_default();
        let sum = match side {
            Side::Debit => &mut flow.debits,
            Side::Credit => &mut flow.credits,
        };
        *sum = sum.saturating_add(amount);
    }

    /// An account that is only reserved from, or looked at.
    pub fn outflow(&mut self, address: &'a str, amount: Decimal) {
        self.transfer(address, address, amount);
    }
}

/// Locks what a call wants and loads it, with expired holds given back. Addresses that do not exist
/// are simply not in the book.
pub fn open_book(session: &Session, ledger: &Ledger, wanted: &Wanted, access: Access) -> Result<Book> {
    let look = access == Access::Look;
    // A backend that has met a striped account does not look for it among the plain ones again.
    let (known, others): (Vec<&str>, Vec<&str>) =
        wanted.0.keys().copied().partition(|address| ledger::cache::striped(ledger.id, address).is_some());
    let mut book = Book::default();
    for account in store::plain(session, ledger.id, &others, look) {
        book.insert(account);
    }
    for striped in striped_among(session, ledger, known, others, &book, look) {
        let flow = wanted.0.get(striped.address.as_str()).copied().unwrap_or_default();
        for account in take_stripes(session, ledger, &striped, flow, look) {
            book.insert(account);
        }
    }
    give_back_expired(session, ledger, &mut book, look)?;
    Ok(book)
}

/// The striped accounts of a call, in address order: those the backend knows, and those found now.
fn striped_among(
    session: &Session,
    ledger: &Ledger,
    known: Vec<&str>,
    mut others: Vec<&str>,
    book: &Book,
    look: bool,
) -> Vec<store::Striped> {
    others.retain(|address| !book.contains(address));
    let mut all =
        if others.is_empty() { Vec::new() } else { store::striped(session, ledger.id, &others, look) };
    for found in &all {
        ledger::cache::keep_striped(
            ledger.id,
            &found.address,
            (found.account_type, found.has_floor, found.stripe_count),
        );
    }
    all.extend(known.into_iter().filter_map(|address| {
        let (account_type, has_floor, stripe_count) = ledger::cache::striped(ledger.id, address)?;
        Some(store::Striped { address: address.to_owned(), account_type, has_floor, stripe_count })
    }));
    all.sort_by(|a, b| a.address.cmp(&b.address));
    all
}

/// Locks what several postings of one transaction will touch, so that they wait for others once and in the one
/// order, however they come afterwards. Holds that had expired are given back, so that the postings find it.
pub fn lock(session: &Session, ledger: &Ledger, wanted: &Wanted) -> Result<Book> {
    let book = open_book(session, ledger, wanted, Access::Lock)?;
    write(session, ledger, &book, &[])?;
    Ok(book)
}

/// [`lock`], and again while accounts come into being: whoever waits for one account cannot lock another that is made
/// meanwhile, and would take it out of order later. All locks are given back each time.
pub fn lock_all(session: &Session, ledger: &Ledger, wanted: &Wanted) -> Result<Book> {
    // Each round finds at least one account that was missing before: so the rounds end.
    for _ in 0..=wanted.0.len() {
        let mut is_late = false;
        let locked = attempt(|| {
            let session = Session::connect();
            let book = lock(&session, ledger, wanted)?;
            let mut missing = wanted.0.keys().copied().filter(|address| !book.contains(address)).peekable();
            is_late = missing.peek().is_some() && account::store::any(&session, ledger.id, missing);
            if is_late { Err(late()) } else { Ok(book) }
        });
        match locked {
            _ if is_late => continue,
            // An attempt keeps an error's token and message only; asked once more outside of it, the refusal comes
            // with its detail.
            Ok(Err(_)) => return lock(session, ledger, wanted),
            Ok(Ok(book)) => return Ok(book),
            Err(error) => return Err(error),
        }
    }
    Err(late())
}

fn late() -> LedgerError {
    LedgerError::new(Code::TryAgain, "another session has made an account that this one needs")
        .with("cause", "concurrent_change")
}

/// A small number that no other backend has at the moment: each begins its search at another stripe.
fn backend_number() -> i32 {
    // SAFETY: reads this backend's slot.
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    let number = unsafe { pg_sys::MyBackendId };
    // SAFETY: as above.
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    let number = unsafe { pg_sys::MyProcNumber };
    number.rem_euclid(i32::from(i16::MAX))
}

/// The stripes that a call works with: one that is free, or, where money has to leave and no free one
/// has enough, all of them.
fn take_stripes(
    session: &Session,
    ledger: &Ledger,
    striped: &store::Striped,
    flow: Flow,
    look: bool,
) -> Vec<crate::account::rules::Account> {
    if look {
        return store::stripes(session, ledger.id, &striped.address, true);
    }
    let outflow = match striped.account_type.normal_side() {
        Side::Debit => flow.credits,
        Side::Credit => flow.debits,
    };
    let start = backend_number();
    if let Some(free) = store::free_stripe(session, ledger.id, striped, start, outflow) {
        return vec![free];
    }
    if striped.has_floor && outflow > Decimal::ZERO {
        return store::stripes(session, ledger.id, &striped.address, false);
    }
    store::wait_for_stripe(session, ledger.id, &striped.address, start).into_iter().collect()
}

/// Locks rows by id, for flows that know them: the stripe a hold sits on. Also returns how many of
/// their holds had expired.
pub fn open_rows(session: &Session, ledger: &Ledger, ids: &[i64]) -> Result<(Book, usize)> {
    let mut book = Book::default();
    for account in store::rows(session, ledger.id, ids.iter().copied()) {
        book.insert(account);
    }
    let expired = give_back_expired(session, ledger, &mut book, false)?;
    Ok((book, expired))
}

/// An expired hold counts as released at once, whether or not a job has run: whoever locks the account
/// first writes it down.
fn give_back_expired(session: &Session, ledger: &Ledger, book: &mut Book, look: bool) -> Result<usize> {
    let holding: Vec<i64> =
        book.rows().iter().filter(|account| account.held > Decimal::ZERO).map(|account| account.id).collect();
    if holding.is_empty() {
        return Ok(0);
    }
    let due = store::expire_holds(session, ledger.id, &holding, ledger::now(), look);
    for expired in &due {
        let index = book.find_row(expired.account_id).expect("only locked accounts were asked for");
        let mut amount = expired.amount;
        amount.rescale(book.row(index).scale);
        book.change_held(index, -amount)?;
        if !look {
            let account = book.row(index);
            let payload = event::hold_payload(expired.hold_id, &account.address, amount);
            event::write(session, ledger, "hold.expired", &expired.hold_id.to_string(), payload);
        }
    }
    Ok(due.len())
}

/// The time of a posting: the clock's, read after the locks were granted, and never before an earlier posting of
/// the same accounts. So an account's history is ordered by version and by time alike.
pub fn instant(book: &Book) -> i64 {
    let latest = book.rows().iter().map(|account| account.last_posted_at).max();
    ledger::now().max(latest.unwrap_or(crate::time::MINUS_INFINITY))
}

/// Writes what was decided and returns the time of posting.
pub fn write(session: &Session, ledger: &Ledger, book: &Book, drafts: &[Draft]) -> Result<i64> {
    write_at(session, ledger, book, drafts, instant(book))
}

/// The same at a time that was needed before: what limits have judged at a moment is posted at that moment.
pub fn write_at(session: &Session, ledger: &Ledger, book: &Book, drafts: &[Draft], now: i64) -> Result<i64> {
    if !drafts.is_empty() {
        let position = ledger::position(session);
        store::insert_transfers(session, ledger.id, book, drafts, position, now);
    }
    let changes: Vec<rules::Change> = book.changes().collect();
    if changes.is_empty() {
        return Ok(now);
    }
    let written = store::update_balances(session, ledger.id, &changes, now, book.has_counted());
    if written != changes.len() {
        return Err(LedgerError::new(
            Code::BooksInconsistent,
            "a balance changed although its row was locked; nothing was written",
        )
        .with_count("changed", changes.len() as i64)
        .with_count("written", written as i64));
    }
    Ok(now)
}

/// What the caller is told about a draft.
pub fn receipt(book: &Book, draft: &Draft, now: i64, preview: bool) -> Receipt {
    let movement = &draft.movement;
    let (debit, credit) = (book.row(movement.debit), book.row(movement.credit));
    Receipt {
        id: (!preview).then_some(draft.id),
        transaction_id: (!preview).then_some(draft.transaction_id.unwrap_or(draft.id)),
        debit_account: debit.address.clone(),
        credit_account: credit.address.clone(),
        amount: movement.amount,
        currency: debit.currency.clone(),
        kind_id: draft.kind_id,
        reference: draft.reference.map(str::to_owned),
        debit_balance: movement.debit_balance,
        credit_balance: movement.credit_balance,
        debit_version: movement.debit_version,
        credit_version: movement.credit_version,
        effective_at: draft.effective_at.unwrap_or(now),
        created_at: now,
        remaining: None,
    }
}

/// Reads a transfer's receipt back; its absence means that somebody tampered with the log.
pub fn stored_receipt(session: &Session, ledger: &Ledger, id: uuid::Uuid, look: bool) -> Result<Receipt> {
    posting::store::receipts(session, ledger.id, &[id], look).remove(&id).ok_or_else(|| {
        LedgerError::new(Code::BooksInconsistent, format!("transfer {id} of an idempotency key is missing"))
            .with("transfer_id", id)
    })
}
