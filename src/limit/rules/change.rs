//! A change of a limit, as it was asked for.

use super::list::{In, List, cap};
use super::window::Windows;
use super::{Caps, Limit, merchant_account};
use crate::address;
use crate::error::{Result, invalid};
use crate::form::word;
use crate::money::Number;
use crate::time;
use serde_json::Value;

/// How a payer can be identified.
pub const METHODS: [&str; 3] = ["fingerprint", "pin", "qr"];

/// Most limits of one account: all of them stand in its row.
pub const LIMITS_MAX: i64 = 20;

/// The account that stands for all members' wallets.
pub const EVERYONE: &str = "*";

/// Arguments of `set_spending_limit`. What is `None` does not limit.
pub struct Request<'a> {
    pub name: &'a str,
    pub method: Option<&'a str>,
    pub per_transaction: Option<Number>,
    /// Daily, weekly, monthly.
    pub periods: [Option<Number>; 3],
    pub windows: Option<Value>,
    pub merchants: Option<Value>,
    pub categories: Option<Value>,
    pub replaces_default: bool,
    pub is_default: bool,
}

/// The limit that is asked for, if it is a sound one.
pub fn limit(request: &Request, money: In) -> Result<Limit> {
    let name = word(request.name, "name", "weekend_limit")?;
    if let Some(method) = request.method.filter(|method| !METHODS.contains(method)) {
        return Err(invalid("method", &format!("be one of {}", METHODS.join(", "))).with("value", method));
    }
    if request.is_default && request.replaces_default {
        return Err(invalid("replaces_default", "be false for the organisation's own limit"));
    }
    let amount = |number: Option<Number>, name| number.map(|number| cap(number, name, money)).transpose();
    let [daily, weekly, monthly] = request.periods;
    let caps = Caps {
        per_transaction: amount(request.per_transaction, "per_transaction")?,
        periods: [amount(daily, "daily")?, amount(weekly, "weekly")?, amount(monthly, "monthly")?],
    };
    let merchant = |name: &str| address::checked(&merchant_account(name), "merchants").map(str::to_owned);
    let category = |name: &str| word(name, "categories", "food").map(str::to_owned);
    let list = |value: &Option<Value>, argument, form: &dyn Fn(&str) -> Result<String>| {
        value.as_ref().map(|value| List::parse(value, argument, money, form)).transpose()
    };
    let limit = Limit {
        name: name.to_owned(),
        revision: 0,
        is_default: request.is_default,
        replaces_default: request.replaces_default,
        currency: money.currency.to_owned(),
        method: request.method.map(str::to_owned),
        caps,
        windows: request.windows.as_ref().map(Windows::parse).transpose()?,
        merchants: list(&request.merchants, "merchants", &merchant)?,
        categories: list(&request.categories, "categories", &category)?,
    };
    let nested = [&limit.merchants, &limit.categories];
    if limit.method.is_some()
        && nested.iter().any(|list| list.iter().any(|list| list.limited().next().is_some()))
    {
        let must = "be null where merchants or categories have limits of their own: these count every method";
        return Err(invalid("method", must));
    }
    Ok(limit)
}

/// Refuses one more limit where an account has as many as it may have, of whatever use.
pub fn check_count(there: i64) -> Result<()> {
    if there < LIMITS_MAX {
        return Ok(());
    }
    let must = format!(
        "be that of a limit which is there: an account has at most {LIMITS_MAX}, lifted ones included"
    );
    Err(invalid("name", &must).with_count("limits", there))
}

/// From when on a change counts that is wanted from a moment, and never for a time that is over. `now()` of SQL is
/// when the transaction began, and means now.
pub fn effective_from(wanted: i64, now: i64, transaction_start: i64) -> Result<i64> {
    if wanted < transaction_start.min(now) {
        return Err(invalid("effective_from", "not lie in the past: what was spent then was allowed then")
            .with("effective_from", time::to_text(wanted)));
    }
    Ok(wanted.max(now))
}
