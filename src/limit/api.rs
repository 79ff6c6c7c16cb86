//! SQL face of spending limits.

use super::rules::change::{EVERYONE, Request};
use super::rules::verdict::Reason;
use super::rules::{Spend, merchant_account};
use super::store::change::Change;
use super::{Answer, check, set};
use crate::access::rules::{Action, Target};
use crate::access::{demand, demand_on_account, demand_on_account_at};
use crate::address;
use crate::error::{Result, invalid, missing};
use crate::form::label;
use crate::ledger::{self, Ledger};
use crate::report;
use crate::spi::face::{Composite, JsonIn, NumericIn, Timestamp, composite_result};
use crate::spi::{Argument, Session};
use pgrx::prelude::*;
use rust_decimal::Decimal;
use serde_json::Value;
use std::ffi::CStr;

/// A limit in words.
pub struct LimitRow {
    ledger: String,
    account: String,
    name: String,
    change: Change,
}

composite_result!(LimitRow, "wallet_ledger.spending_limit_row");

impl Composite for LimitRow {
    const NAME: &'static CStr = c"spending_limit_row";

    fn into_values(self) -> Vec<Argument> {
        let change = &self.change;
        let terms = &change.terms;
        let json = |value: &Option<Value>| value.as_ref().map_or(Argument::datum(None), Argument::json);
        vec![
            change.id.into(),
            (&self.ledger).into(),
            (&self.account).into(),
            (&self.name).into(),
            (&terms.currency).into(),
            terms.caps[0].into(),
            terms.caps[1].into(),
            terms.caps[2].into(),
            terms.caps[3].into(),
            json(&terms.lists[0]),
            json(&terms.lists[1]),
            json(&terms.lists[2]),
            terms.method.as_deref().into(),
            terms.replaces_default.into(),
            change.effective_from.into(),
            (&change.set_by).into(),
            change.reason.as_deref().into(),
            change.created_at.into(),
        ]
    }
}

/// A verdict in words.
pub struct CheckRow {
    ledger: String,
    answer: Answer,
}

composite_result!(CheckRow, "wallet_ledger.spending_check");

impl Composite for CheckRow {
    const NAME: &'static CStr = c"spending_check";

    fn into_values(self) -> Vec<Argument> {
        let verdict = &self.answer.verdict;
        let bound = verdict.bound.as_ref();
        let limit = bound.map(|bound| &bound.limit).or(verdict.limit.as_ref());
        vec![
            verdict.reason.is_none().into(),
            verdict.reason.map(Reason::name).into(),
            bound.map(|bound| bound.cap).into(),
            bound.map(|bound| bound.spent).into(),
            bound.map(|bound| bound.held).into(),
            verdict.remaining.into(),
            self.answer.resets_at.into(),
            limit.map(String::as_str).into(),
            bound.and_then(|bound| bound.scope.as_deref()).into(),
            (&self.answer.account).into(),
            (&self.answer.currency).into(),
            (&self.ledger).into(),
        ]
    }
}

/// Sets a spending limit of an account, or of the organisation, from a moment on. All limits that count apply; the
/// smallest room decides. A limit that limits nothing (all NULL) is one that is lifted.
///
/// * `account`: whose spending; `*` sets the organisation's default, for the wallets of all its members.
/// * `per_transaction`, `daily`, `weekly`, `monthly`: the most that may be spent, gross, in the account's currency;
///   0 means nothing may be spent, NULL no bound. Days, weeks (from Monday) and months are those of the ledger's
///   time zone.
/// * `windows`: when may be spent, by the ledger's clock:
///   `[{"days": ["mon", "fri"], "from": "07:00", "to": "15:00"}]`; from the first moment to before the last; over
///   midnight where `to` is not later; every day without `days`. They may not overlap.
/// * `merchants`: where: `{"allow": […], "deny": […], "limits": {"canteen": {"daily": 20000}}}`. A name stands for
///   the account `merchants:<name>`, an address for itself.
/// * `categories`: on what, in the same form; the category of a transfer is `category` in its metadata.
/// * `effective_from`: from when on it counts, not in the past; NULL is now. A later moment takes the organisation's
///   right.
/// * `name`: which limit of the account, lower-case words; the same name again changes it, another name adds one;
///   at most 20.
/// * `method`: only for what is paid by somebody identified as `fingerprint`, `pin` or `qr`, and only that is counted.
/// * `replaces_default`: the organisation's defaults do not count beside it; takes the organisation's right.
/// * `reason`: for the history, 1 to 1000 bytes.
/// * `ledger`: the session's ledger by default.
///
/// Returns the limit; the same from the same moment again returns what is there, and so does what counts now. Writes
/// the event `limit.changed`. Errors: missing_argument, invalid_argument, invalid_amount, amount_out_of_range,
/// invalid_address, account_not_found, not_allowed (a limit that somebody else has set is changed with the
/// organisation's right only), try_again.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn set_spending_limit(
    account: Option<&str>,
    per_transaction: default!(Option<NumericIn>, "NULL"),
    daily: default!(Option<NumericIn>, "NULL"),
    weekly: default!(Option<NumericIn>, "NULL"),
    monthly: default!(Option<NumericIn>, "NULL"),
    windows: default!(Option<JsonIn>, "NULL"),
    merchants: default!(Option<JsonIn>, "NULL"),
    categories: default!(Option<JsonIn>, "NULL"),
    effective_from: default!(Option<Timestamp>, "NULL"),
    name: default!(Option<&str>, "'default'"),
    method: default!(Option<&str>, "NULL"),
    replaces_default: default!(Option<bool>, false),
    reason: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> LimitRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let account = account.ok_or_else(|| missing("account"))?;
        let name = name.ok_or_else(|| missing("name"))?;
        let number = |number: Option<NumericIn>| number.map(|number| number.0);
        let request = Request {
            name,
            method,
            per_transaction: number(per_transaction),
            periods: [number(daily), number(weekly), number(monthly)],
            windows: json(windows, "windows")?,
            merchants: json(merchants, "merchants")?,
            categories: json(categories, "categories")?,
            replaces_default: replaces_default.ok_or_else(|| missing("replaces_default"))?,
            is_default: account == EVERYONE,
        };
        let organisation = || demand(&session, &ledger, Action::SetDefaultLimit, Target::default());
        if request.is_default || request.replaces_default {
            organisation()?;
        } else {
            demand_on_account(&session, &ledger, Action::SetSpendingLimit, account)?;
        }
        let reason = label(reason, "reason", 1000)?;
        let from = effective_from.map(|from| from.0);
        let (account, change) = set(&session, &ledger, account, &request, from, reason, organisation)?;
        Ok(LimitRow { ledger: ledger.name.clone(), account, name: name.to_owned(), change })
    })
}

/// JSON's null is SQL's NULL. What PostgreSQL's JSON can say and ours cannot (numbers beyond reason, nesting without
/// end) is refused: taken for nothing, it would be no limit.
fn json(value: Option<JsonIn>, argument: &str) -> Result<Option<Value>> {
    let Some(value) = value else { return Ok(None) };
    let parsed: Value = serde_json::from_str(&value.0.to_text())
        .map_err(|error| invalid(argument, "be readable").with("problem", error.to_string()))?;
    Ok(Some(parsed).filter(|value| !value.is_null()))
}

/// Whether an account may spend an amount: exactly what posting would say at the same instant. Reads only, and
/// works on a standby.
///
/// * `account`: who pays.
/// * `amount`: above zero, in the account's currency.
/// * `merchant`: who is paid: a merchant's name, or an account's address; NULL where nobody knows yet, as for a hold
///   without a destination.
/// * `category`: of what is bought.
/// * `at`: when; NULL is now.
/// * `method`: how the payer is identified: `fingerprint`, `pin` or `qr`.
/// * `ledger`: the session's ledger by default.
///
/// Returns one row: allowed, reason (window, merchant, category, per_transaction, daily, weekly or monthly; NULL
/// where it is allowed), limit_amount, spent, held and limit_name of the bound that refuses, or else of the one
/// with the least room; remaining, the most that may be spent; resets_at, when that bound begins anew or the
/// window opens. All NULL where nothing is limited. Balances are not looked at. Errors: missing_argument,
/// invalid_amount, invalid_address, account_not_found, not_allowed.
#[pg_extern(security_definer, stable)]
#[search_path(pg_catalog, pg_temp)]
fn check_spending_limit(
    account: Option<&str>,
    amount: Option<NumericIn>,
    merchant: default!(Option<&str>, "NULL"),
    category: default!(Option<&str>, "NULL"),
    at: default!(Option<Timestamp>, "NULL"),
    method: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> CheckRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let account = account.ok_or_else(|| missing("account"))?;
        demand_on_account_at(&session, &ledger, Action::CheckSpendingLimit, account, merchant)?;
        let answer = ask(&session, &ledger, account, amount, [merchant, category, method], at)?;
        Ok(CheckRow { ledger: ledger.name.clone(), answer })
    })
}

fn ask(
    session: &Session,
    ledger: &Ledger,
    account: &str,
    amount: Option<NumericIn>,
    [merchant, category, method]: [Option<&str>; 3],
    at: Option<Timestamp>,
) -> Result<Answer> {
    let amount = amount.ok_or_else(|| missing("amount"))?.0;
    let merchant = merchant.map(merchant_account);
    if let Some(merchant) = &merchant {
        address::checked(merchant, "merchant")?;
    }
    let spend = Spend {
        amount: Decimal::ZERO,
        merchant,
        category: category.map(str::to_owned),
        method: method.map(str::to_owned),
    };
    check(session, ledger, account, amount, spend, at.map(|at| at.0))
}
