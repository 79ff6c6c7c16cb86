//! Bank accounts: tying an account at a bank or a gateway to an asset account of the books.

pub mod api;
pub mod rules;
pub mod store;

use crate::account::rules::Type;
use crate::account::{self};
use crate::bank::rules::when::When;
use crate::error::{Code, LedgerError, Result, invalid};
use crate::form::label;
use crate::idempotency::rules::Operation;
use crate::ledger::{self, Ledger};
use crate::money::{self, Number};
use crate::posting::Access;
use crate::posting::batch::{self, Call, Limits, OnError};
use crate::posting::request::Request;
use crate::spi::Session;
use crate::{address, event};
use rules::BankAccount;
use rust_decimal::Decimal;
use serde_json::json;
use store::NewBankAccount;

/// The other side of an opening balance.
pub const OPENING_ACCOUNT: &str = "equity:opening_balances";

/// What its transfer is for.
pub const OPENING_KIND: &str = "opening";

/// Arguments of `register_bank_account`.
pub struct Registration<'a> {
    pub account: &'a str,
    pub provider: &'a str,
    pub provider_bank_id: Option<&'a str>,
    pub account_number: Option<&'a str>,
    pub bank: Option<&'a str>,
    pub opening_balance: Option<Number>,
    pub opened_on: Option<i32>,
    pub holder_name: Option<&'a str>,
    pub suspense_account: Option<&'a str>,
    pub outgoing_account: Option<&'a str>,
}

/// Registers a bank account, or returns the one that is there if it is the same.
pub fn register(session: &Session, ledger: &Ledger, wanted: &Registration) -> Result<BankAccount> {
    let account = address::checked(wanted.account, "account")?;
    let provider_id = rules::source_id(wanted.provider)?;
    let provider_bank_id = rules::provider_bank_id(wanted.provider_bank_id)?;
    let account_number = rules::account_number(wanted.account_number)?;
    let bank = label(wanted.bank, "bank", 1000)?;
    let holder_name = label(wanted.holder_name, "holder_name", 1000)?;
    let today = When::at(ledger::now()).day;
    if wanted.opened_on.is_some_and(|day| day > today) {
        return Err(invalid("opened_on", "not lie in the future"));
    }
    let suspense = rules::companion(account, wanted.suspense_account, "suspense");
    let outgoing = rules::companion(account, wanted.outgoing_account, "outgoing");
    if suspense == outgoing {
        return Err(invalid("outgoing_account", "be another account than suspense_account"));
    }
    let stored = open_asset(session, ledger, account)?;
    for (companion, argument) in [(&suspense, "suspense_account"), (&outgoing, "outgoing_account")] {
        check_companion(session, ledger, account, companion, argument)?;
    }
    open_companion(session, ledger, &suspense, "suspense_account", &stored.currency, Some(Decimal::ZERO))?;
    open_companion(session, ledger, &outgoing, "outgoing_account", &stored.currency, None)?;
    let scale = ledger::scale(session, &stored.currency)?;
    let opening_balance = match wanted.opening_balance {
        Some(given) => {
            money::to_scale(given.finite("opening_balance")?, scale, &stored.currency, "opening_balance")?
        }
        None => stored.posted,
    };
    let new = NewBankAccount {
        account,
        suspense_account: &suspense,
        outgoing_account: &outgoing,
        provider_id,
        provider_bank_id,
        account_number: account_number.as_deref(),
        bank,
        holder_name,
        opening_balance,
        opened_on: wanted.opened_on,
    };
    if !store::insert(session, ledger.id, &new) {
        return existing(session, ledger, &new, wanted.opening_balance.is_some());
    }
    if stored.version != 0 && stored.posted != opening_balance {
        return Err(invalid("opening_balance", "be what the books have, or null")
            .with("account", account)
            .with("posted", stored.posted));
    }
    if stored.posted != opening_balance {
        post_opening(session, ledger, &new, &stored.currency)?;
    }
    let payload = json!({ "account": account, "provider": wanted.provider, "opening_balance": opening_balance.to_string() });
    event::write(session, ledger, "bank_account.registered", account, payload);
    find(session, ledger, account)
}

/// The asset account, made where it is missing.
fn open_asset(session: &Session, ledger: &Ledger, account: &str) -> Result<account::store::Stored> {
    let stored = account::find_or_create(session, ledger, account, Type::Asset, None, None)?;
    if stored.account_type == Type::Asset {
        return Ok(stored);
    }
    Err(invalid("account", "be an asset account: what the bank owes us")
        .with("account", account)
        .with("type", stored.account_type.name()))
}

/// A wallet or a merchant's account cannot be one: its owner's money and money that nobody owns yet would be one sum.
/// Nor can another bank account's account: what one bank has sent must not be settled by another. Several may share one
/// suspense account.
fn check_companion(
    session: &Session,
    ledger: &Ledger,
    bank: &str,
    account: &str,
    argument: &str,
) -> Result<()> {
    let account = address::checked(account, argument)?;
    let is_suspense = argument == "suspense_account";
    if rules::is_wallet(account) || store::is_anothers(session, ledger.id, bank, account, is_suspense) {
        let must = "not be a wallet, nor belong to another bank account";
        return Err(invalid(argument, must).with("account", account));
    }
    Ok(())
}

fn open_companion(
    session: &Session,
    ledger: &Ledger,
    account: &str,
    argument: &str,
    currency: &str,
    minimum: Option<Decimal>,
) -> Result<()> {
    address::checked(account, argument)?;
    let stored = account::find_or_create(session, ledger, account, Type::Liability, Some(currency), minimum)?;
    if stored.account_type == Type::Liability && stored.currency == currency {
        return Ok(());
    }
    Err(invalid(argument, "be a liability account in the bank account's currency").with("account", account))
}

/// Registering again is harmless only if it would be the same registration.
fn existing(
    session: &Session,
    ledger: &Ledger,
    new: &NewBankAccount,
    opening_given: bool,
) -> Result<BankAccount> {
    let Some(stored) = store::by_account(session, ledger.id, new.account, false) else {
        return Err(taken(session, ledger, new));
    };
    let different = [
        ("provider", stored.provider_id != new.provider_id),
        ("provider_bank_id", stored.provider_bank_id.as_deref() != new.provider_bank_id),
        ("account_number", stored.account_number.as_deref() != new.account_number),
        ("suspense_account", stored.suspense_account != new.suspense_account),
        ("outgoing_account", stored.outgoing_account != new.outgoing_account),
        ("opening_balance", opening_given && stored.opening_balance != new.opening_balance),
        ("opened_on", stored.opened_on != new.opened_on),
        ("bank", stored.bank.as_deref() != new.bank),
        ("holder_name", stored.holder_name.as_deref() != new.holder_name),
    ];
    match different.iter().find(|(_, differs)| *differs) {
        None => Ok(stored),
        Some((field, _)) => Err(LedgerError::new(
            Code::AlreadyExists,
            format!("bank account {} is registered with another {field}", new.account),
        )
        .with("account", new.account)
        .with("field", field)),
    }
}

/// The error where the provider's id or the number means another account.
fn taken(session: &Session, ledger: &Ledger, new: &NewBankAccount) -> LedgerError {
    let ids: Vec<&str> = new.provider_bank_id.into_iter().collect();
    let by_id = store::reported(session, ledger.id, new.provider_id, &ids, &[]);
    let (field, what) = match by_id.is_empty() {
        false => ("provider_bank_id", "the provider's id"),
        true => ("account_number", "the account number"),
    };
    LedgerError::new(Code::AlreadyExists, format!("{what} belongs to another bank account"))
        .with("account", new.account)
        .with("field", field)
}

/// What the bank account had before its first mutation.
fn post_opening(session: &Session, ledger: &Ledger, new: &NewBankAccount, currency: &str) -> Result<()> {
    let opening = account::of_platform(session, ledger, OPENING_ACCOUNT, Type::Equity, currency)?;
    let (debit, credit) = match new.opening_balance.is_sign_negative() {
        false => (new.account, opening.as_str()),
        true => (opening.as_str(), new.account),
    };
    let request = Request {
        debit_account: Some(debit),
        credit_account: Some(credit),
        amount: Some(Number::Finite(new.opening_balance.abs())),
        kind: Some(OPENING_KIND),
        description: Some("opening balance of the bank account"),
        ..Request::default()
    };
    let call = Call {
        requests: vec![request],
        operation: Operation::PostTransfer,
        on_error: OnError::Raise,
        access: Access::Lock,
        limits: Limits::Enforce,
    };
    batch::post(session, ledger, call).map(|_| ())
}

/// The bank account behind an account of the books.
pub fn find(session: &Session, ledger: &Ledger, account: &str) -> Result<BankAccount> {
    let account = address::checked(account, "bank_account")?;
    store::by_account(session, ledger.id, account, false).ok_or_else(|| unknown(account))
}

/// The same for calls that only read, in the caller's snapshot.
pub fn look(session: &Session, ledger: &Ledger, account: &str) -> Result<BankAccount> {
    let account = address::checked(account, "bank_account")?;
    store::by_account(session, ledger.id, account, true).ok_or_else(|| unknown(account))
}

/// The same by its internal id, which a stored row names.
pub fn find_by_id(session: &Session, ledger: &Ledger, id: i32) -> Result<BankAccount> {
    store::by_id(session, ledger.id, id).ok_or_else(|| {
        LedgerError::new(Code::BooksInconsistent, "a row names a bank account that is missing")
    })
}

fn unknown(account: &str) -> LedgerError {
    LedgerError::new(Code::BankAccountNotFound, format!("{account} is not registered as a bank account"))
        .with("account", account)
}
