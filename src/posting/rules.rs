//! The decision: given locked balances, which movements happen and what they leave behind.
//!
//! A [`Book`] is the part of the ledger that a call has locked, in memory. Items are decided one after
//! another against it, so a later item sees what an earlier one did. Nothing is written until all of
//! them are decided; an item that fails leaves the book as it was before that item.

#[cfg(test)]
mod tests;

use crate::account::rules::{Account, Side};
use crate::error::{Code, LedgerError, Result};
use crate::money;
use rust_decimal::Decimal;
use std::collections::{HashMap, HashSet};

/// One movement between two rows of the book, with what it leaves behind.
#[derive(Clone, Debug)]
pub struct Movement {
    pub debit: usize,
    pub credit: usize,
    pub amount: Decimal,
    pub debit_version: i64,
    pub credit_version: i64,
    pub debit_balance: Decimal,
    pub credit_balance: Decimal,
    /// Between two stripes of one account, to bring its money together.
    pub is_rebalance: bool,
}

/// The balances that a call has locked.
#[derive(Default)]
pub struct Book {
    rows: Vec<Account>,
    /// The rows as they are in the table, to write back only what changed and to check the versions.
    stored: Vec<(Decimal, Decimal, i64)>,
    /// The rows whose counters of spending changed.
    counted: HashSet<usize>,
    by_address: HashMap<String, Vec<usize>>,
    undo: Vec<(usize, Decimal, i64)>,
}

/// A row to write back: the account and the version that the table must still have.
pub struct Change<'a> {
    pub account: &'a Account,
    pub stored_version: i64,
}

impl Book {
    pub fn insert(&mut self, account: Account) {
        let index = self.rows.len();
        self.by_address.entry(account.address.clone()).or_default().push(index);
        self.stored.push((account.posted, account.held, account.version));
        self.rows.push(account);
    }

    /// Takes over the rows of another book, with what has changed in them and not been written yet.
    pub fn absorb(&mut self, other: Book) {
        for (place, (account, stored)) in other.rows.into_iter().zip(other.stored).enumerate() {
            let index = self.rows.len();
            self.insert(account);
            self.stored[index] = stored;
            if other.counted.contains(&place) {
                self.counted.insert(index);
            }
        }
    }

    pub fn row(&self, index: usize) -> &Account {
        &self.rows[index]
    }

    pub fn rows(&self) -> &[Account] {
        &self.rows
    }

    /// The locked rows of an address: one, or the stripes that were taken.
    pub fn rows_of(&self, address: &str) -> &[usize] {
        self.by_address.get(address).map_or(&[], Vec::as_slice)
    }

    pub fn contains(&self, address: &str) -> bool {
        self.by_address.contains_key(address)
    }

    /// Where the row with this id stands.
    pub fn find_row(&self, account_id: i64) -> Option<usize> {
        self.rows.iter().position(|account| account.id == account_id)
    }

    /// Reserves or gives back: `held` changes, `posted` does not, and no version is used up.
    pub fn change_held(&mut self, index: usize, by: Decimal) -> Result<()> {
        let account = &mut self.rows[index];
        let held = money::add(account.held, by).ok_or_else(|| money::out_of_range("held"))?;
        // Without a floor nothing else bounds what a hold leaves.
        money::subtract(account.posted, held).ok_or_else(|| money::out_of_range("available"))?;
        account.held = held;
        Ok(())
    }

    /// Replaces the counter of what an account has spent.
    pub fn set_spending(&mut self, index: usize, spending: String) {
        self.rows[index].spending = Some(spending);
        self.counted.insert(index);
    }

    /// Whether any counter of spending is to be written back.
    pub fn has_counted(&self) -> bool {
        !self.counted.is_empty()
    }

    /// The rows that differ from the table.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        self.rows.iter().zip(&self.stored).enumerate().filter_map(
            |(index, (account, (posted, held, version)))| {
                let changed = account.version != *version
                    || account.posted != *posted
                    || account.held != *held
                    || self.counted.contains(&index);
                changed.then_some(Change { account, stored_version: *version })
            },
        )
    }

    /// Begins a group of movements that [`Self::roll_back`] can take back.
    pub fn begin(&mut self) {
        self.undo.clear();
    }

    pub fn roll_back(&mut self) {
        self.roll_back_to(0);
    }

    /// Decides one transfer. On refusal the book is as before.
    pub fn post(
        &mut self,
        debit: &str,
        credit: &str,
        amount: Decimal,
        expected: Option<i64>,
    ) -> Result<Vec<Movement>> {
        let (debit_row, credit_row) = (self.first_row(debit)?, self.first_row(credit)?);
        let amount = self.check_pair(debit_row, credit_row, amount)?;
        self.check_version(debit_row, expected)?;
        let mark = self.undo.len();
        let posted = self.post_rows(debit, credit, amount);
        if posted.is_err() {
            self.roll_back_to(mark);
        }
        posted
    }

    /// Decides one transfer out of a row that the caller has chosen, the stripe of a hold. On refusal the
    /// book must not be used any more.
    pub fn post_from(&mut self, held: usize, destination: &str, amount: Decimal) -> Result<Vec<Movement>> {
        // Out of the held account, whichever side that is for its type.
        let side = if self.rows[held].decreases(Side::Debit) { Side::Credit } else { Side::Debit };
        let in_order = |other: usize| if side == Side::Credit { (held, other) } else { (other, held) };
        let (debit, credit) = in_order(self.first_row(destination)?);
        let amount = self.check_pair(debit, credit, amount)?;
        let mut movements = Vec::with_capacity(1);
        let (debit, credit) = in_order(self.gather(destination, side, amount, &mut movements)?);
        movements.push(self.move_money(debit, credit, amount, false)?);
        Ok(movements)
    }

    fn first_row(&self, address: &str) -> Result<usize> {
        self.rows_of(address).first().copied().ok_or_else(|| {
            LedgerError::new(Code::AccountNotFound, format!("there is no account {address}"))
                .with("account", address)
        })
    }

    /// Currency, decimals and states of a pair; returns the amount in the currency's scale.
    fn check_pair(&self, debit: usize, credit: usize, amount: Decimal) -> Result<Decimal> {
        let (debit, credit) = (&self.rows[debit], &self.rows[credit]);
        if debit.currency != credit.currency {
            return Err(LedgerError::new(
                Code::CurrencyMismatch,
                format!(
                    "{} is in {}, {} in {}",
                    debit.address, debit.currency, credit.address, credit.currency
                ),
            )
            .with("debit_currency", &debit.currency)
            .with("credit_currency", &credit.currency));
        }
        let amount = money::to_scale(amount, debit.scale, &debit.currency, "amount")?;
        debit.check_open()?;
        credit.check_open()?;
        Ok(amount)
    }

    fn check_version(&self, debit: usize, expected: Option<i64>) -> Result<()> {
        let account = &self.rows[debit];
        match expected {
            Some(_) if account.stripe_count > 1 => Err(LedgerError::new(
                Code::InvalidArgument,
                format!("account {} is striped and has no single version", account.address),
            )
            .with("argument", "expected_version")),
            Some(expected) if expected != account.version => Err(LedgerError::new(
                Code::VersionConflict,
                format!("account {} is at version {}, not {expected}", account.address, account.version),
            )
            .with("account", &account.address)
            .with_count("expected_version", expected)
            .with_count("version", account.version)),
            _ => Ok(()),
        }
    }

    fn post_rows(&mut self, debit: &str, credit: &str, amount: Decimal) -> Result<Vec<Movement>> {
        let mut movements = Vec::with_capacity(1);
        let debit = self.gather(debit, Side::Debit, amount, &mut movements)?;
        let credit = self.gather(credit, Side::Credit, amount, &mut movements)?;
        movements.push(self.move_money(debit, credit, amount, false)?);
        Ok(movements)
    }

    /// The row of `address` that takes the posting. Where money leaves a striped account and no single
    /// stripe has enough, the others' money is first moved to one of them.
    fn gather(
        &mut self,
        address: &str,
        side: Side,
        amount: Decimal,
        movements: &mut Vec<Movement>,
    ) -> Result<usize> {
        let rows = self.rows_of(address).to_vec();
        let first = rows[0];
        let enough =
            |book: &Self, row: usize| book.rows[row].spendable().is_none_or(|spendable| spendable >= amount);
        if rows.len() == 1 || !self.rows[first].decreases(side) {
            return Ok(first);
        }
        if let Some(row) = rows.iter().copied().find(|row| enough(self, *row)) {
            return Ok(row);
        }
        let total: Option<Decimal> =
            rows.iter().try_fold(Decimal::ZERO, |sum, row| sum.checked_add(self.rows[*row].spendable()?));
        if total.is_some_and(|total| total < amount) {
            let available = rows.iter().map(|row| self.rows[*row].available()).sum();
            return Err(self.rows[first].insufficient(amount, available));
        }
        for row in rows.iter().copied().filter(|row| *row != first) {
            let missing = amount - self.rows[first].spendable().unwrap_or(amount);
            if missing <= Decimal::ZERO {
                break;
            }
            let share = self.rows[row].spendable().unwrap_or_default().min(missing);
            if share > Decimal::ZERO {
                // Towards `first`, whichever side that is for this type of account.
                let (from, to) = if side == Side::Debit { (row, first) } else { (first, row) };
                movements.push(self.move_money(from, to, share, true)?);
            }
        }
        Ok(first)
    }

    fn move_money(
        &mut self,
        debit: usize,
        credit: usize,
        amount: Decimal,
        is_rebalance: bool,
    ) -> Result<Movement> {
        let debit_after = self.rows[debit].after(Side::Debit, amount);
        let credit_after = self.rows[credit].after(Side::Credit, amount);
        let (debit_balance, credit_balance) = match (debit_after, credit_after) {
            // Where each side refuses, the floor is named before the ceiling.
            (Err(error), Err(floor)) if error.code == Code::BalanceLimitExceeded => return Err(floor),
            (debit_after, credit_after) => (debit_after?, credit_after?),
        };
        let debit_version = self.advance(debit, debit_balance);
        let credit_version = self.advance(credit, credit_balance);
        Ok(Movement {
            debit,
            credit,
            amount,
            debit_version,
            credit_version,
            debit_balance,
            credit_balance,
            is_rebalance,
        })
    }

    fn advance(&mut self, index: usize, balance: Decimal) -> i64 {
        let account = &mut self.rows[index];
        self.undo.push((index, account.posted, account.version));
        account.posted = balance;
        account.version += 1;
        account.version
    }

    fn roll_back_to(&mut self, mark: usize) {
        while self.undo.len() > mark {
            let (index, posted, version) = self.undo.pop().expect("longer than the mark");
            self.rows[index].posted = posted;
            self.rows[index].version = version;
        }
    }
}
