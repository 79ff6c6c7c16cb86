//! Reading: balances now and at any moment, and statements.
//!
//! Everything is read in the caller's snapshot and nothing is written, so it works in a read-only
//! transaction and on a standby. An account's posting times never go back as its versions go up, and
//! its versions have no gaps: any moment is found by bisection over the two unique indexes, a few index
//! probes however long the history is.
//!
//! | call | statements |
//! |---|---|
//! | balance, now | 1 |
//! | balance, at a moment | 2, and up to 2·log2(versions) probes per stripe |
//! | the same by effective time | 1 more per stripe, over the account's dated transfers |
//! | statement, one page | 2, and the probes for `from` and `to` |
//! | statement of one kind | 1 more; both read the window's lines up to what they need |
//!
//! The held amount of a past moment is a sum over the holds made before it.

pub mod api;
pub mod rules;
pub mod store;

use crate::account::rules::Side;
use crate::error::{Code, LedgerError, Result, invalid};
use crate::ledger::{self, Ledger, rules::BUILT_IN_KINDS};
use crate::spi::Session;
use crate::{account, money, time};
use rules::{TimeBasis, last_within};
use rust_decimal::Decimal;
use store::{BalanceRow, Line, Range};

/// An account's balance at one moment.
pub struct Balance {
    pub currency: String,
    pub posted: Decimal,
    pub held: Decimal,
    pub version: Option<i64>,
    pub at: i64,
}

/// The balance now, or at a moment.
pub fn balance(
    session: &Session,
    ledger: &Ledger,
    address: &str,
    at: Option<i64>,
    basis: TimeBasis,
) -> Result<Balance> {
    let address = crate::address::checked(address, "account")?;
    let at = at.map(|at| time::finite(at, "at")).transpose()?;
    if at.is_none() && basis == TimeBasis::Posted {
        let now = ledger::now();
        let found = account::find(session, ledger, address, false)?;
        return Ok(Balance {
            currency: found.currency,
            posted: found.posted,
            held: found.held,
            version: Some(found.version),
            at: now,
        });
    }
    let rows = rows(session, ledger, address)?;
    let moment = at.unwrap_or_else(ledger::now);
    let scale = rows[0].scale;
    let (mut posted, mut versions) = (money::zero(scale), 0);
    for row in &rows {
        let version = match at {
            Some(at) => last_version(session, ledger, row, |created_at| created_at <= at)?,
            None => row.version,
        };
        posted = add(posted, balance_after(session, ledger, row, version)?)?;
        versions += version;
        if basis == TimeBasis::Effective {
            let mut dated = store::dated(session, ledger.id, row.id, version, moment);
            dated.rescale(scale);
            let dated = if row.account_type.normal_side() == Side::Debit { dated } else { -dated };
            posted = add(posted, dated)?;
        }
    }
    let mut held = store::held(session, ledger.id, rows.iter().map(|row| row.id), moment);
    held.rescale(scale);
    Ok(Balance {
        currency: rows[0].currency.clone(),
        posted,
        held,
        // A balance by effective time is no point on the line of versions.
        version: (basis == TimeBasis::Posted).then_some(versions),
        at: moment,
    })
}

fn add(a: Decimal, b: Decimal) -> Result<Decimal> {
    money::add(a, b).ok_or_else(|| money::out_of_range("balance"))
}

fn rows(session: &Session, ledger: &Ledger, address: &str) -> Result<Vec<BalanceRow>> {
    let rows = store::rows(session, ledger.id, address);
    if rows.is_empty() {
        return Err(LedgerError::new(Code::AccountNotFound, format!("there is no account {address}"))
            .with("account", address));
    }
    Ok(rows)
}

/// The last version whose posting time is within. The newest needs no look: the account knows its time.
fn last_version(
    session: &Session,
    ledger: &Ledger,
    row: &BalanceRow,
    is_within: impl Fn(i64) -> bool,
) -> Result<i64> {
    if row.version == 0 || is_within(row.last_posted_at) {
        return Ok(row.version);
    }
    last_within(row.version - 1, |version| {
        entry(session, ledger, row, version).map(|entry| is_within(entry.created_at))
    })
}

fn balance_after(session: &Session, ledger: &Ledger, row: &BalanceRow, version: i64) -> Result<Decimal> {
    if version == row.version {
        return Ok(row.posted);
    }
    if version == 0 {
        return Ok(money::zero(row.scale));
    }
    entry(session, ledger, row, version).map(|entry| entry.balance)
}

fn entry(session: &Session, ledger: &Ledger, row: &BalanceRow, version: i64) -> Result<store::Entry> {
    store::entry(session, ledger.id, row.id, version).ok_or_else(|| missing_version(version))
}

fn missing_version(version: i64) -> LedgerError {
    LedgerError::new(
        Code::BooksInconsistent,
        format!("the account's history has no posting of version {version}"),
    )
    .with_count("version", version)
}

/// What `statement` is asked for. `kind` and `stripe` narrow it down.
pub struct Question<'a> {
    pub account: &'a str,
    pub from: Option<i64>,
    pub to: Option<i64>,
    pub after_version: Option<i64>,
    pub page_size: i64,
    pub kind: Option<&'a str>,
    pub stripe: Option<i32>,
}

/// One page of an account's history.
pub struct Page {
    pub row: BalanceRow,
    pub opening: Decimal,
    pub closing: Decimal,
    pub total: i64,
    pub lines: Vec<Line>,
}

/// The lines of the window [from, to) that come after a version.
pub fn statement(session: &Session, ledger: &Ledger, question: &Question) -> Result<Page> {
    let address = crate::address::checked(question.account, "account")?;
    let from = question.from.map(|from| time::finite(from, "from")).transpose()?;
    let to = question.to.map(|to| time::finite(to, "to")).transpose()?;
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err(invalid("to", "not lie before from"));
    }
    if question.after_version.is_some_and(|version| version < 0) {
        return Err(invalid("after_version", "not be negative"));
    }
    let kind_id = question.kind.map(|kind| kind_id(session, ledger, kind)).transpose()?;
    let row = one_row(rows(session, ledger, address)?, address, question.stripe)?;
    let before = |bound: i64| last_version(session, ledger, &row, |created_at| created_at < bound);
    let opened = from.map_or(Ok(0), before)?;
    let closed = to.map_or(Ok(row.version), before)?;
    let window = Range { ledger_id: ledger.id, account_id: row.id, after: opened, until: closed };
    let after = question.after_version.unwrap_or(0).clamp(opened, closed);
    let (lines, total) = match kind_id {
        Some(kind_id) => {
            let rest = Range { after, ..window };
            (
                store::page_of_kind(session, rest, kind_id, question.page_size),
                store::count_of_kind(session, window, kind_id),
            )
        }
        None => (page(session, Range { after, ..window }, question.page_size)?, closed - opened),
    };
    Ok(Page {
        opening: balance_after(session, ledger, &row, opened)?,
        closing: balance_after(session, ledger, &row, closed)?,
        row,
        total,
        lines,
    })
}

/// A page without a line of its range would be taken for the end: better an error than a wrong history.
fn page(session: &Session, rest: Range, size: i64) -> Result<Vec<Line>> {
    let range = Range { until: rest.until.min(rest.after.saturating_add(size)), ..rest };
    let lines = store::page(session, range);
    let gap = (range.after + 1..=range.until).zip(lines.iter().map(|line| Some(line.version)).chain([None]));
    match gap.into_iter().find(|(version, found)| Some(*version) != *found) {
        Some((version, _)) => Err(missing_version(version)),
        None => Ok(lines),
    }
}

/// Stripes have versions of their own, so a statement is of one of them.
fn one_row(mut rows: Vec<BalanceRow>, address: &str, stripe: Option<i32>) -> Result<BalanceRow> {
    let stripes = i32::from(rows[0].stripe_count);
    let refused = |must: String| {
        Err(invalid("stripe", &must).with("account", address).with_count("stripes", stripes.into()))
    };
    match stripe {
        None if stripes == 1 => Ok(rows.swap_remove(0)),
        None => refused(format!(
            "be given: account {address} is spread over {stripes} stripes, and each has a history of its own"
        )),
        Some(stripe) => match rows.iter().position(|row| i32::from(row.stripe) == stripe) {
            Some(index) => Ok(rows.swap_remove(index)),
            None if stripes == 1 => refused(format!("be left out: account {address} is not striped")),
            None => refused(format!("be between 1 and {stripes}")),
        },
    }
}

/// The id of any kind, those included that only the ledger itself posts.
fn kind_id(session: &Session, ledger: &Ledger, name: &str) -> Result<i16> {
    match BUILT_IN_KINDS.iter().find(|(_, known)| *known == name) {
        Some((id, _)) => Ok(*id),
        None => ledger::kind_id(session, ledger, name),
    }
}
