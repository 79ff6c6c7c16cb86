//! SQL face of accounts.

use super::store::Stored;
use super::{Change, Request, change_state, create};
use crate::account::rules::Type;
use crate::error::{Result, missing};
use crate::ledger::{self, Ledger};
use crate::money::{self, Number};
use crate::report;
use crate::spi::face::{Composite, JsonIn, NumericIn, composite_result};
use crate::spi::{Argument, Session};
use pgrx::prelude::*;
use rust_decimal::Decimal;
use std::ffi::CStr;

/// An account in words.
pub struct AccountRow {
    ledger: String,
    account: Stored,
}

composite_result!(AccountRow, "wallet_ledger.account_row");

impl AccountRow {
    pub fn new(ledger: &Ledger, account: Stored) -> Self {
        Self { ledger: ledger.name.clone(), account }
    }
}

impl Composite for AccountRow {
    const NAME: &'static CStr = c"account_row";

    fn into_values(self) -> Vec<Argument> {
        let account = &self.account;
        let available = money::subtract(account.posted, account.held).unwrap_or(account.posted);
        vec![
            (&self.ledger).into(),
            (&account.address).into(),
            account.account_type.name().into(),
            (&account.currency).into(),
            account.state.name().into(),
            account.posted.into(),
            account.held.into(),
            available.into(),
            account.version.into(),
            account.minimum.into(),
            account.maximum.into(),
            i32::from(account.stripes).into(),
            account.owner.as_deref().into(),
            account.metadata.as_ref().into(),
            account.created_at.into(),
        ]
    }
}

/// Creates an account. The same call again returns the account that is there.
///
/// * `account`: its address, such as `banks:bca:1234567890`.
/// * `type`: asset, liability, equity, revenue or expense; it fixes the normal side.
/// * `currency`: the ledger's by default.
/// * `minimum_balance`: floor of the available balance, zero or negative; NULL is no floor.
/// * `maximum_balance`: ceiling of the available balance; NULL is no ceiling.
/// * `owner`: whose it is, in the application's terms.
/// * `metadata`: the caller's own JSON.
/// * `stripes`: over how many rows the balance is spread, 1 to 256; more than 1 for accounts that many
///   sessions post to at once.
///
/// Returns the account's row. Errors: missing_argument, invalid_argument, invalid_address,
/// currency_not_found, already_exists (it is there with other properties; the detail names one).
///
/// The SQL is written out because pgrx would name the second argument `r#type`.
#[pg_extern(sql = r#"
CREATE FUNCTION "create_account"(
    "account" TEXT,
    "type" TEXT,
    "currency" TEXT DEFAULT NULL,
    "minimum_balance" NUMERIC DEFAULT NULL,
    "maximum_balance" NUMERIC DEFAULT NULL,
    "owner" TEXT DEFAULT NULL,
    "metadata" JSONB DEFAULT NULL,
    "stripes" INTEGER DEFAULT 1,
    "ledger" TEXT DEFAULT NULL
) RETURNS wallet_ledger.account_row
SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#)]
#[allow(clippy::too_many_arguments)]
fn create_account(
    account: Option<&str>,
    r#type: Option<&str>,
    currency: default!(Option<&str>, "NULL"),
    minimum_balance: default!(Option<NumericIn>, "NULL"),
    maximum_balance: default!(Option<NumericIn>, "NULL"),
    owner: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonIn>, "NULL"),
    stripes: default!(Option<i32>, 1),
    ledger: default!(Option<&str>, "NULL"),
) -> AccountRow {
    report::run(|| {
        let session = Session::connect();
        let request = Request {
            address: account.ok_or_else(|| missing("account"))?,
            account_type: Type::from_name(r#type.ok_or_else(|| missing("type"))?)?,
            currency,
            minimum: minimum_balance.map(|number| number.0),
            maximum: maximum_balance.map(|number| number.0),
            stripes: stripes.ok_or_else(|| missing("stripes"))?,
            owner,
            metadata: metadata.as_ref().map(|metadata| &metadata.0),
        };
        let ledger = ledger::resolve(&session, ledger)?;
        let account = create(&session, &ledger, &request)?;
        Ok(AccountRow::new(&ledger, account))
    })
}

/// Opens the wallet of a person: the liability account `wallets:<owner>` with floor 0. The same call
/// again returns the wallet that is there.
///
/// * `owner`: the person in the application's terms, one segment of an address.
/// * `currency`, `metadata`: as for `create_account`.
///
/// Returns the account's row. Errors as for `create_account`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn open_wallet(
    owner: Option<&str>,
    currency: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonIn>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> AccountRow {
    report::run(|| {
        let session = Session::connect();
        let owner = owner.ok_or_else(|| missing("owner"))?;
        let address = format!("wallets:{owner}");
        let request = Request {
            address: &address,
            account_type: Type::Liability,
            currency,
            minimum: Some(Number::Finite(Decimal::ZERO)),
            maximum: None,
            stripes: 1,
            owner: Some(owner),
            metadata: metadata.as_ref().map(|metadata| &metadata.0),
        };
        let ledger = ledger::resolve(&session, ledger)?;
        let account = create(&session, &ledger, &request)?;
        Ok(AccountRow::new(&ledger, account))
    })
}

fn change(
    account: Option<&str>,
    change: Change,
    reason: Option<&str>,
    ledger: Option<&str>,
) -> Result<AccountRow> {
    let session = Session::connect();
    let address = account.ok_or_else(|| missing("account"))?;
    let ledger = ledger::resolve(&session, ledger)?;
    let account = change_state(&session, &ledger, address, change, reason)?;
    Ok(AccountRow::new(&ledger, account))
}

/// Freezes an account: nothing posts in or out and no hold is made until it is unfrozen. Open holds
/// stay and may be released. Doing it twice is harmless.
///
/// Returns the account's row and writes the event `account.frozen` with `reason`. Errors:
/// account_not_found, account_closed.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn freeze_account(
    account: Option<&str>,
    reason: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> AccountRow {
    report::run(|| change(account, Change::Freeze, reason, ledger))
}

/// Lifts a freeze. Doing it twice is harmless.
///
/// Returns the account's row and writes the event `account.unfrozen`. Errors: account_not_found,
/// account_closed.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn unfreeze_account(
    account: Option<&str>,
    reason: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> AccountRow {
    report::run(|| change(account, Change::Unfreeze, reason, ledger))
}

/// Closes an account that has nothing posted and nothing held. Its history stays.
///
/// Returns the account's row and writes the event `account.closed`. Errors: account_not_found,
/// account_frozen, account_not_empty.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn close_account(
    account: Option<&str>,
    reason: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> AccountRow {
    report::run(|| change(account, Change::Close, reason, ledger))
}

/// Opens a closed account again.
///
/// Returns the account's row and writes the event `account.reopened`. Errors: account_not_found,
/// account_frozen.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn reopen_account(
    account: Option<&str>,
    reason: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> AccountRow {
    report::run(|| change(account, Change::Reopen, reason, ledger))
}
