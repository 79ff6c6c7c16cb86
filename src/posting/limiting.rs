//! Spending limits on the way through the engine: which transfers of a call spend, and what is counted.

use super::Access;
use super::batch::{Call, Item, Limits};
use super::rules::{Book, Movement};
use crate::account::rules::{Account, Side};
use crate::error::Result;
use crate::ledger::Ledger;
use crate::limit::rules::Spend;
use crate::limit::rules::gauge::Gauge;
use crate::limit::rules::meter::Asked;
use crate::limit::rules::spending::give_back;
use crate::limit::{self, Limited, Source};
use crate::spi::Session;
use crate::spi::jsonb::Document;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// The limits of a call's payers.
pub struct Limiting<'a> {
    pub gauge: Gauge,
    session: &'a Session,
    ledger: &'a Ledger,
    now: i64,
    mode: Limits,
}

/// Reads the limits of the limited accounts that pay in a call: no statement where there are none.
pub(super) fn open<'a>(
    session: &'a Session,
    ledger: &'a Ledger,
    call: &Call,
    book: &Book,
    items: &[Item],
    now: i64,
) -> Result<Limiting<'a>> {
    let look = call.access == Access::Look;
    let mut limiting = Limiting { gauge: Gauge::default(), session, ledger, now, mode: call.limits };
    if book.rows().iter().all(|account| account.spending.is_none()) {
        return Ok(limiting);
    }
    // Each payer with the moments of its own items.
    let mut payers: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    for item in items.iter().filter(|item| item.outcome.is_none()) {
        let Some((checked, _)) = item.checked else { continue };
        for (address, side) in [(checked.debit_account, Side::Debit), (checked.credit_account, Side::Credit)]
        {
            let row = book.rows_of(address).first().copied();
            if let Some(row) = row.filter(|row| is_payer(book.row(*row), side)) {
                payers.entry(row).or_default().extend(item.request.effective_at);
            }
        }
    }
    let limited = payers.into_iter().filter_map(|(row, mut moments)| {
        moments.sort_unstable();
        moments.dedup();
        Limited::of(row, book.row(row), moments)
    });
    let limited: Vec<Limited> = limited.collect();
    limiting.gauge = limit::open(session, ledger, &limited, now, Source::Rows, look)?;
    Ok(limiting)
}

impl Limiting<'_> {
    /// Judges and counts an item that was just decided. `movement` is the item's own, after those between stripes.
    pub(super) fn spend(&mut self, book: &Book, item: &Item, movement: Option<&Movement>) -> Result<()> {
        let Some(movement) = movement else { return Ok(()) };
        for (row, spend, at) in self.spends(book, item, movement) {
            if self.mode == Limits::Enforce {
                self.gauge
                    .check(row, &spend, at, Asked::All)
                    .map_err(|refusal| limit::refused(self.session, self.ledger, &refusal))?;
            }
            self.gauge.count(row, &spend, at)?;
        }
        Ok(())
    }

    /// What is left for another payment of the same kind, once a movement has been counted.
    pub(super) fn remaining(&self, book: &Book, item: &Item, movement: &Movement) -> Option<Decimal> {
        let mut spends = self.spends(book, item, movement).into_iter();
        spends.find_map(|(row, spend, at)| self.gauge.judge(row, &spend, at).remaining)
    }

    /// What a movement spends: the payer's row, what limits look at, and when.
    fn spends(&self, book: &Book, item: &Item, movement: &Movement) -> Vec<(usize, Spend, i64)> {
        let counts = item.checked.is_some_and(|(_, kind_id)| self.gauge.counts(kind_id));
        if self.gauge.is_empty() || !counts {
            return Vec::new();
        }
        let at = item.request.effective_at.unwrap_or(self.now);
        payers(book, movement)
            .into_iter()
            .map(|(row, other)| {
                let merchant = &book.row(other).address;
                let spend = spend_of(movement.amount, Some(merchant), item.request.metadata.as_deref());
                (row, spend, at)
            })
            .collect()
    }

    /// Puts the counters into the book, to be written with the balances.
    pub fn store(&self, book: &mut Book) {
        for (row, spending) in self.gauge.changes() {
            book.set_spending(row, spending);
        }
    }
}

/// The limited accounts that a movement makes smaller, each with the other one, by their rows.
fn payers(book: &Book, movement: &Movement) -> Vec<(usize, usize)> {
    let sides =
        [(movement.debit, movement.credit, Side::Debit), (movement.credit, movement.debit, Side::Credit)];
    let payers = sides.into_iter().filter(|(row, _, side)| is_payer(book.row(*row), *side));
    payers.map(|(row, other, _)| (row, other)).collect()
}

fn is_payer(account: &Account, side: Side) -> bool {
    account.spending.is_some() && account.decreases(side)
}

/// What limits look at. The category and the way in which the payer was identified stand in the metadata, so that
/// the transfers alone say what was spent on what.
pub fn spend_of(amount: Decimal, merchant: Option<&str>, metadata: Option<&[u8]>) -> Spend {
    let document = metadata.map(|bytes| Document::from_bytes(bytes.to_vec()));
    let text = |key: &str| document.as_ref().and_then(|document| document.text(key));
    Spend {
        amount,
        merchant: merchant.map(str::to_owned),
        category: text("category"),
        method: text("method"),
    }
}

/// Refuses a hold that passes a limit. It counts for as long as it is open, without being written anywhere else.
pub fn check_hold(
    session: &Session,
    ledger: &Ledger,
    account: &Account,
    kind_id: i16,
    spend: &Spend,
    now: i64,
) -> Result<()> {
    let Some(limited) = Limited::of(0, account, Vec::new()) else { return Ok(()) };
    let gauge = limit::open(session, ledger, &[limited], now, Source::Rows, false)?;
    if !gauge.counts(kind_id) {
        return Ok(());
    }
    gauge.check(0, spend, now, Asked::All).map_err(|refusal| limit::refused(session, ledger, &refusal))
}

/// What is captured of a hold.
pub struct Captured<'a> {
    /// The account that held, by its row of the book.
    pub holder: usize,
    pub movement: &'a Movement,
    pub kind_id: i16,
    /// Whether the hold named its destination: then the merchant was judged with the rest when it was made.
    pub was_named: bool,
    pub metadata: Option<&'a [u8]>,
}

/// Counts what is captured of a hold. It was judged when the hold was made, but for a merchant that was not known
/// then, and for a destination that pays as well. The hold itself still stands open in its table, where it counts
/// for no merchant that is judged here.
pub fn count_capture(
    session: &Session,
    ledger: &Ledger,
    book: &mut Book,
    captured: &Captured,
    now: i64,
) -> Result<()> {
    let payers = payers(book, captured.movement);
    let limited: Vec<Limited> =
        payers.iter().filter_map(|(row, _)| Limited::of(*row, book.row(*row), Vec::new())).collect();
    let mut gauge = limit::open(session, ledger, &limited, now, Source::Rows, false)?;
    if !gauge.counts(captured.kind_id) {
        return Ok(());
    }
    for (row, other) in payers {
        let spend = spend_of(captured.movement.amount, Some(&book.row(other).address), captured.metadata);
        let asked = match (row == captured.holder, captured.was_named) {
            (false, _) => Some(Asked::All),
            (true, false) => Some(Asked::Merchant),
            (true, true) => None,
        };
        if let Some(asked) = asked {
            gauge
                .check(row, &spend, now, asked)
                .map_err(|refusal| limit::refused(session, ledger, &refusal))?;
        }
        gauge.count(row, &spend, now)?;
    }
    let changes: Vec<(usize, String)> = gauge.changes().collect();
    changes.into_iter().for_each(|(row, spending)| book.set_spending(row, spending));
    Ok(())
}

/// A spending that is taken back, in whole or in part.
pub struct TakenBack<'a> {
    /// The accounts that the money came from and went to, by their rows of the book.
    pub payer: usize,
    pub receiver: usize,
    pub amount: Decimal,
    pub kind_id: i16,
    /// When it counted as spent.
    pub spent_at: i64,
    pub metadata: Option<&'a [u8]>,
}

/// Gives the allowance back to the periods in which the money was spent, where they still run.
pub fn take_back(book: &mut Book, taken: &TakenBack) -> Result<()> {
    let Some(stored) = book.row(taken.payer).spending.clone() else { return Ok(()) };
    let spend = spend_of(taken.amount, Some(&book.row(taken.receiver).address), taken.metadata);
    let after = give_back(&stored, taken.kind_id, taken.spent_at, &spend)?;
    if after != stored {
        book.set_spending(taken.payer, after);
    }
    Ok(())
}
