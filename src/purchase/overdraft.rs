//! Overdrafts: what members owe through purchases that a till made offline.
//!
//! The missing money comes into the wallet from `overdrafts:<member>`, an asset of the ledger whose balance is
//! what the member owes, and leaves it again with the purchase: so limits see the whole purchase, and each
//! category stays one transfer.

use crate::account::{self, rules::Type};
use crate::error::{Code, LedgerError, Result};
use crate::ledger::{self, Ledger};
use crate::money::{self, Number};
use crate::posting::batch::post_all;
use crate::posting::request::Request;
use crate::posting::rules::Book;
use crate::posting::{self, Wanted};
use crate::spi::Session;
use crate::{address, event};
use rust_decimal::Decimal;
use serde_json::json;
use uuid::Uuid;

const PREFIX: &str = "overdrafts:";

/// The two accounts of a member that an overdraft moves money between.
pub struct Accounts<'a> {
    pub wallet: &'a str,
    pub overdraft: String,
}

impl<'a> Accounts<'a> {
    pub fn new(member: &'a str, wallet: &'a str) -> Self {
        Self { wallet, overdraft: format!("{PREFIX}{member}") }
    }

    /// Both, for one statement that locks everything.
    pub fn want<'w>(&'w self, wanted: &mut Wanted<'w>) {
        wanted.outflow(self.wallet, Decimal::ZERO);
        wanted.outflow(&self.overdraft, Decimal::ZERO);
    }

    /// Locks both accounts.
    fn lock(&self, session: &Session, ledger: &Ledger) -> Result<Book> {
        let mut wanted = Wanted::default();
        self.want(&mut wanted);
        posting::lock(session, ledger, &wanted)
    }

    /// What the member owes, with both accounts locked, and the merchant's, which the refund will need too: locked
    /// one after the other they would not be in the one order. `amount` is what the merchant gives back: of a merchant
    /// in stripes, as many are locked as have it.
    pub fn owed(
        &self,
        session: &Session,
        ledger: &Ledger,
        merchant: &str,
        amount: Decimal,
        scale: u32,
    ) -> Result<Decimal> {
        let mut wanted = Wanted::default();
        self.want(&mut wanted);
        wanted.transfer(merchant, self.wallet, amount);
        let book = posting::lock(session, ledger, &wanted)?;
        Ok(posted(&book, &self.overdraft, scale))
    }

    /// What is missing in the wallet for `amount`, and what the member owes already, with both locked.
    pub fn shortfall(
        &self,
        session: &Session,
        ledger: &Ledger,
        amount: Decimal,
        scale: u32,
    ) -> Result<(Decimal, Decimal)> {
        let book = self.lock(session, ledger)?;
        let spendable = spendable(&book, self.wallet).unwrap_or(amount);
        let missing = money::subtract(amount, spendable).ok_or_else(|| money::out_of_range("amount"))?;
        Ok((missing.max(money::zero(scale)), posted(&book, &self.overdraft, scale)))
    }

    /// Makes the account of what is owed, if it is not there.
    pub fn open(&self, session: &Session, ledger: &Ledger, currency: &str, scale: u32) -> Result<()> {
        let address = address::checked(&self.overdraft, "account")?;
        account::create_plain(
            session,
            ledger,
            address,
            Type::Asset,
            Some(currency),
            Some(money::zero(scale)),
        )?;
        Ok(())
    }
}

fn posted(book: &Book, address: &str, scale: u32) -> Decimal {
    book.rows_of(address)
        .iter()
        .map(|row| book.row(*row).posted)
        .fold(money::zero(scale), |sum, row| sum + row)
}

/// What may leave a wallet; `None` where it has no floor.
fn spendable(book: &Book, address: &str) -> Option<Decimal> {
    book.rows_of(address).iter().map(|row| book.row(*row).spendable()).sum()
}

/// What a repayment came to.
pub struct Repaid {
    pub wallet: String,
    pub overdraft: String,
    pub amount: Decimal,
    pub owed: Decimal,
    pub balance: Decimal,
    pub currency: String,
    pub transaction_id: Option<Uuid>,
}

/// Moves what the member has towards what the member owes; nothing where either is nothing.
pub fn repay(session: &Session, ledger: &Ledger, wallet: &super::store::Member) -> Result<Repaid> {
    ledger::enter_period(ledger);
    let accounts = Accounts::new(&wallet.member, &wallet.account);
    let mut wanted = Wanted::default();
    accounts.want(&mut wanted);
    // The first overdraft may be under way, and makes the account of what is owed.
    let book = posting::lock_all(session, ledger, &wanted)?;
    let owed = posted(&book, &accounts.overdraft, wallet.scale);
    let amount = spendable(&book, accounts.wallet).unwrap_or(owed).min(owed);
    let balance = posted(&book, accounts.wallet, wallet.scale);
    let mut repaid = Repaid {
        wallet: wallet.account.clone(),
        overdraft: accounts.overdraft.clone(),
        amount: money::zero(wallet.scale),
        owed,
        balance,
        currency: wallet.currency.clone(),
        transaction_id: None,
    };
    if amount <= Decimal::ZERO {
        return Ok(repaid);
    }
    let request = Request {
        debit_account: Some(&wallet.account),
        credit_account: Some(&accounts.overdraft),
        amount: Some(Number::Finite(amount)),
        kind: Some(KIND),
        ..Request::default()
    };
    let transaction_id = post_all(session, ledger, vec![request])?;
    let inexact = || LedgerError::new(Code::BooksInconsistent, "a repayment is larger than the debt");
    repaid.owed = money::subtract(owed, amount).ok_or_else(inexact)?;
    repaid.balance = money::subtract(balance, amount).ok_or_else(inexact)?;
    (repaid.amount, repaid.transaction_id) = (amount, Some(transaction_id));
    let payload = json!({
        "member": wallet.member,
        "account": wallet.account,
        "overdraft_account": repaid.overdraft,
        "amount": repaid.amount.to_string(),
        "owed": repaid.owed.to_string(),
        "currency": repaid.currency,
        "transaction_id": transaction_id.to_string(),
        "actor": ledger::settings::actor(),
        "for": ["guardian"],
    });
    event::write(session, ledger, "overdraft.repaid", &wallet.member, payload);
    Ok(repaid)
}

/// The kind of what moves between a wallet and its overdraft: nobody's spending.
pub const KIND: &str = "settlement";
