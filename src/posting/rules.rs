//! The decision: given locked balances, which movements happen and what they leave behind.
//!
//! A [`Book`] is the part of the ledger that a call has locked, in memory. Items are decided one after
//! another against it, so a later item sees what an earlier one did. Nothing is written until all of
//! them are decided; an item that fails leaves the book as it was before that item.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::rules::{State, Type};

    fn row(
        id: i64,
        address: &str,
        stripe: i16,
        account_type: Type,
        posted: i64,
        minimum: Option<i64>,
    ) -> Account {
        Account {
            id,
            address: address.to_owned(),
            stripe_count: if stripe == 0 { 1 } else { 4 },
            account_type,
            state: State::Open,
            currency: "IDR".to_owned(),
            scale: 2,
            posted: Decimal::new(posted, 2),
            held: Decimal::new(0, 2),
            minimum: minimum.map(|value| Decimal::new(value, 2)),
            maximum: None,
            version: 7,
            last_posted_at: 0,
            spending: None,
        }
    }

    fn book(rows: Vec<Account>) -> Book {
        let mut book = Book::default();
        rows.into_iter().for_each(|row| book.insert(row));
        book
    }

    #[test]
    fn a_posting_moves_both_balances_and_versions() {
        let mut book = book(vec![
            row(1, "bank", 0, Type::Asset, 0, None),
            row(2, "wallet", 0, Type::Liability, 0, Some(0)),
        ]);
        let movements = book.post("bank", "wallet", Decimal::from(5), None).unwrap();
        assert_eq!(movements.len(), 1);
        assert_eq!((movements[0].debit_version, movements[0].credit_version), (8, 8));
        assert_eq!(movements[0].credit_balance.to_string(), "5.00");
        assert_eq!(book.changes().count(), 2);
    }

    #[test]
    fn a_refused_posting_changes_nothing() {
        let mut book = book(vec![
            row(1, "a", 0, Type::Liability, 100, Some(0)),
            row(2, "b", 0, Type::Liability, 0, Some(0)),
        ]);
        assert_eq!(book.post("a", "b", Decimal::from(2), None).unwrap_err().code, Code::InsufficientFunds);
        assert_eq!(book.post("a", "c", Decimal::ONE, None).unwrap_err().code, Code::AccountNotFound);
        assert_eq!(book.post("a", "b", Decimal::new(1, 3), None).unwrap_err().code, Code::InvalidAmount);
        assert_eq!(book.post("a", "b", Decimal::ONE, Some(6)).unwrap_err().code, Code::VersionConflict);
        assert_eq!(book.changes().count(), 0);
    }

    #[test]
    fn a_group_can_be_taken_back_as_a_whole() {
        let mut book = book(vec![
            row(1, "a", 0, Type::Liability, 100, Some(0)),
            row(2, "b", 0, Type::Liability, 0, Some(0)),
        ]);
        book.post("a", "b", Decimal::new(10, 2), None).unwrap();
        book.begin();
        book.post("a", "b", Decimal::new(30, 2), None).unwrap();
        book.post("b", "a", Decimal::new(5, 2), None).unwrap();
        book.roll_back();
        assert_eq!(book.row(0).posted, Decimal::new(90, 2));
        assert_eq!((book.row(0).version, book.row(1).version), (8, 8));
    }

    #[test]
    fn stripes_bring_their_money_together_when_one_is_not_enough() {
        let stripes = |posted: [i64; 3]| {
            let mut rows = vec![row(9, "shop", 0, Type::Liability, 0, Some(0))];
            for (index, amount) in posted.iter().enumerate() {
                rows.push(row(
                    index as i64 + 1,
                    "float",
                    index as i16 + 1,
                    Type::Liability,
                    *amount,
                    Some(0),
                ));
            }
            book(rows)
        };
        let mut enough = stripes([100, 500, 300]);
        assert_eq!(enough.post("float", "shop", Decimal::new(300, 2), None).unwrap().len(), 1);

        let mut scattered = stripes([100, 500, 300]);
        let movements = scattered.post("float", "shop", Decimal::new(850, 2), None).unwrap();
        assert_eq!(movements.iter().filter(|movement| movement.is_rebalance).count(), 2);
        let left: Decimal = scattered.rows_of("float").iter().map(|index| scattered.row(*index).posted).sum();
        assert_eq!(left, Decimal::new(50, 2));
        assert!(scattered.rows().iter().all(|account| account.posted >= Decimal::ZERO));

        let mut short = stripes([100, 500, 300]);
        let error = short.post("float", "shop", Decimal::new(901, 2), None).unwrap_err();
        assert_eq!(error.detail()["available"], "9.00");
        assert_eq!(short.changes().count(), 0);
    }

    #[test]
    fn a_closed_or_frozen_account_takes_part_in_nothing() {
        for (state, code) in [(State::Frozen, Code::AccountFrozen), (State::Closed, Code::AccountClosed)] {
            let mut frozen = row(2, "b", 0, Type::Liability, 0, Some(0));
            frozen.state = state;
            let mut book = book(vec![row(1, "a", 0, Type::Liability, 100, Some(0)), frozen]);
            assert_eq!(book.post("a", "b", Decimal::ONE, None).unwrap_err().code, code);
        }
    }
}
