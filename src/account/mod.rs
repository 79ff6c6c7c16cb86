//! Accounts: creating, freezing, closing.
//!
//! A change of state locks every balance of the account first, in the order of postings, so that it
//! comes either before or after any posting, never in the middle of one.

pub mod api;
pub mod rules;
pub mod store;

use crate::error::{Code, LedgerError, Result, invalid};
use crate::event;
use crate::ledger::{self, Ledger};
use crate::money::{self, Number};
use crate::spi::Session;
use crate::spi::jsonb::Document;
use rules::State;
use rust_decimal::Decimal;
use store::{NewAccount, Stored};

/// Arguments of `create_account` once they are known not to be NULL.
pub struct Request<'a> {
    pub address: &'a str,
    pub account_type: rules::Type,
    pub currency: Option<&'a str>,
    pub minimum: Option<Number>,
    pub maximum: Option<Number>,
    pub stripes: i32,
    pub owner: Option<&'a str>,
    pub metadata: Option<&'a Document>,
}

/// Creates an account, or returns the one that is there if it has the same properties.
pub fn create(session: &Session, ledger: &Ledger, request: &Request) -> Result<Stored> {
    let address = crate::address::checked(request.address, "account")?;
    if request.owner.is_some_and(|owner| owner.is_empty() || owner.len() > 255) {
        return Err(invalid("owner", "have 1 to 255 bytes"));
    }
    let currency = match request.currency {
        Some(currency) => currency.to_owned(),
        None => default_currency(session, ledger)?,
    };
    let scale = ledger::scale(session, &currency)?;
    let bound = |number: Option<Number>, name: &str| -> Result<Option<Decimal>> {
        number.map(|number| money::to_scale(number.finite(name)?, scale, &currency, name)).transpose()
    };
    let minimum = bound(request.minimum, "minimum_balance")?;
    let maximum = bound(request.maximum, "maximum_balance")?;
    let stripes = i16::try_from(request.stripes).unwrap_or(0);
    rules::check_bounds(minimum, maximum, stripes)?;
    let account = NewAccount {
        address,
        account_type: request.account_type,
        currency: &currency,
        scale,
        minimum,
        maximum,
        stripes,
        owner: request.owner,
        metadata: request.metadata,
    };
    let created = store::insert(session, ledger.id, &account);
    let stored = find(session, ledger, address, true)?;
    if created {
        return Ok(stored);
    }
    check_same(&account, &stored)?;
    Ok(stored)
}

/// An account of the ledger's own making: one row, nobody's in particular.
pub fn create_plain(
    session: &Session,
    ledger: &Ledger,
    address: &str,
    account_type: rules::Type,
    currency: Option<&str>,
    minimum: Option<Decimal>,
) -> Result<Stored> {
    let minimum = minimum.map(Number::Finite);
    let request = Request {
        address,
        account_type,
        currency,
        minimum,
        maximum: None,
        stripes: 1,
        owner: None,
        metadata: None,
    };
    create(session, ledger, &request)
}

/// The account as it is, whatever it is, or a new one. Where another session makes it at the same time, it is there:
/// the answer is the same whether that session was just before or long before.
pub fn find_or_create(
    session: &Session,
    ledger: &Ledger,
    address: &str,
    account_type: rules::Type,
    currency: Option<&str>,
    minimum: Option<Decimal>,
) -> Result<Stored> {
    if let Some(stored) = store::read(session, ledger.id, address, true) {
        return Ok(stored);
    }
    match create_plain(session, ledger, address, account_type, currency, minimum) {
        Err(error) if error.code == Code::AlreadyExists => find(session, ledger, address, true),
        created => created,
    }
}

/// An account of the platform's own in a currency, made where it is missing. Where the address has an account
/// of another currency, the currency's code is added to it.
pub fn of_platform(
    session: &Session,
    ledger: &Ledger,
    address: &str,
    account_type: rules::Type,
    currency: &str,
) -> Result<String> {
    let stored = find_or_create(session, ledger, address, account_type, Some(currency), None)?;
    if stored.currency == currency {
        return Ok(stored.address);
    }
    let address = format!("{address}:{}", currency.to_ascii_lowercase());
    find_or_create(session, ledger, &address, account_type, Some(currency), None)?;
    Ok(address)
}

/// The currency of a ledger's accounts that name none.
pub fn default_currency(session: &Session, ledger: &Ledger) -> Result<String> {
    let definition = ledger::store::definition(session, ledger.id);
    definition.map(|definition| definition.currency).ok_or_else(|| {
        LedgerError::new(Code::LedgerNotFound, format!("there is no ledger {}", ledger.name))
            .with("ledger", &ledger.name)
    })
}

/// Creating an account again is harmless only if it would be the same account.
fn check_same(wanted: &NewAccount, stored: &Stored) -> Result<()> {
    let different = [
        ("type", wanted.account_type != stored.account_type),
        ("currency", wanted.currency != stored.currency),
        ("minimum_balance", wanted.minimum != stored.minimum),
        ("maximum_balance", wanted.maximum != stored.maximum),
        ("stripes", wanted.stripes != stored.stripes),
        ("owner", wanted.owner != stored.owner.as_deref()),
        ("metadata", wanted.metadata.is_some() && wanted.metadata != stored.metadata.as_ref()),
    ];
    match different.iter().find(|(_, differs)| *differs) {
        None => Ok(()),
        Some((field, _)) => Err(LedgerError::new(
            Code::AlreadyExists,
            format!("account {} exists with another {field}", wanted.address),
        )
        .with("account", wanted.address)
        .with("field", field)),
    }
}

/// The account, or the error that there is none.
pub fn find(session: &Session, ledger: &Ledger, address: &str, fresh: bool) -> Result<Stored> {
    let address = crate::address::checked(address, "account")?;
    store::read(session, ledger.id, address, fresh).ok_or_else(|| {
        LedgerError::new(Code::AccountNotFound, format!("there is no account {address}"))
            .with("account", address)
    })
}

/// What a caller may do to an account's state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Freeze,
    Unfreeze,
    Close,
    Reopen,
}

/// Changes an account's state under its locks. Doing it twice is harmless and writes one event.
pub fn change_state(
    session: &Session,
    ledger: &Ledger,
    address: &str,
    change: Change,
    reason: Option<&str>,
) -> Result<Stored> {
    let address = crate::address::checked(address, "account")?;
    store::lock(session, ledger.id, address);
    let account = find(session, ledger, address, true)?;
    let (target, topic) = match change {
        Change::Freeze => (State::Frozen, "account.frozen"),
        Change::Unfreeze => (State::Open, "account.unfrozen"),
        Change::Close => (State::Closed, "account.closed"),
        Change::Reopen => (State::Open, "account.reopened"),
    };
    check_change(&account, change)?;
    if account.state != target && store::set_state(session, ledger.id, address, target) {
        event::account_changed(session, ledger, topic, address, reason);
    }
    find(session, ledger, address, true)
}

/// Freezing and closing are different things: neither undoes the other.
fn check_change(account: &Stored, change: Change) -> Result<()> {
    let refused = match (change, account.state) {
        (Change::Freeze | Change::Unfreeze, State::Closed) => Some(Code::AccountClosed),
        (Change::Close | Change::Reopen, State::Frozen) => Some(Code::AccountFrozen),
        _ => None,
    };
    if let Some(code) = refused {
        let message = format!("account {} is {}", account.address, account.state.name());
        return Err(LedgerError::new(code, message).with("account", &account.address));
    }
    if change == Change::Close
        && account.state == State::Open
        && !(account.posted.is_zero() && account.held.is_zero())
    {
        return Err(LedgerError::new(
            Code::AccountNotEmpty,
            format!("account {} has {} posted and {} held", account.address, account.posted, account.held),
        )
        .with("account", &account.address)
        .with("posted", account.posted)
        .with("held", account.held));
    }
    Ok(())
}
