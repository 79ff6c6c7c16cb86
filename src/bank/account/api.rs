//! SQL face of bank accounts.

use super::rules::{BankAccount, source_name};
use super::{Registration, register};
use crate::error::missing;
use crate::ledger;
use crate::report;
use crate::spi::face::{Composite, NumericIn, composite_result};
use crate::spi::{Argument, Session};
use pgrx::datum::Date;
use pgrx::prelude::*;
use std::ffi::CStr;

/// A bank account in words.
pub struct BankAccountRow {
    ledger: String,
    stored: BankAccount,
}

composite_result!(BankAccountRow, "wallet_ledger.bank_account_row");

impl Composite for BankAccountRow {
    const NAME: &'static CStr = c"bank_account_row";

    fn into_values(self) -> Vec<Argument> {
        let stored = &self.stored;
        vec![
            (&self.ledger).into(),
            (&stored.account).into(),
            source_name(stored.provider_id).into(),
            stored.provider_bank_id.as_deref().into(),
            stored.account_number.as_deref().into(),
            stored.bank.as_deref().into(),
            stored.holder_name.as_deref().into(),
            (&stored.currency).into(),
            stored.opening_balance.into(),
            stored.opened_on.into(),
            (&stored.suspense_account).into(),
            (&stored.outgoing_account).into(),
            stored.created_at.into(),
        ]
    }
}

/// Ties an account at a bank or a gateway to an asset account of the books.
///
/// * `account`: the asset account, such as `banks:bca:1234567890`; created where it is missing.
/// * `provider`: who reports its mutations: moota, midtrans, xendit or snap; `statement` for an account
///   whose mutations only come with imported statements.
/// * `provider_bank_id`: the provider's id of it, Moota's `bank_id`, say.
/// * `account_number`: the bank's own number; compared by its digits.
/// * `bank`, `holder_name`: for people.
/// * `opening_balance`: what the bank had before the first mutation that will be reported. It is posted
///   from `equity:opening_balances` where the account has no postings yet; NULL takes the books' balance.
/// * `opened_on`: the bank's day at whose beginning it had that balance. Mutations of earlier days are part
///   of it and are rejected; NULL: the balance was there before everything that is reported.
/// * `suspense_account`, `outgoing_account`: liability accounts for money that belongs to nobody yet and
///   for money that is on its way out; `<account>:suspense` and `<account>:outgoing` by default, created
///   where they are missing. Neither may be a wallet or belong to another bank account; a suspense account may
///   be shared.
///
/// Returns the bank account. The same call again returns the one that is there. Errors: missing_argument,
/// invalid_argument, invalid_address, invalid_amount, already_exists.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn register_bank_account(
    account: Option<&str>,
    provider: Option<&str>,
    provider_bank_id: default!(Option<&str>, "NULL"),
    account_number: default!(Option<&str>, "NULL"),
    bank: default!(Option<&str>, "NULL"),
    opening_balance: default!(Option<NumericIn>, "NULL"),
    opened_on: default!(Option<Date>, "NULL"),
    holder_name: default!(Option<&str>, "NULL"),
    suspense_account: default!(Option<&str>, "NULL"),
    outgoing_account: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> BankAccountRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let wanted = Registration {
            account: account.ok_or_else(|| missing("account"))?,
            provider: provider.ok_or_else(|| missing("provider"))?,
            provider_bank_id,
            account_number,
            bank,
            opening_balance: opening_balance.map(|balance| balance.0),
            opened_on: opened_on.map(|day| day.to_pg_epoch_days()),
            holder_name,
            suspense_account,
            outgoing_account,
        };
        let stored = register(&session, &ledger, &wanted)?;
        Ok(BankAccountRow { ledger: ledger.name.clone(), stored })
    })
}
