//! What a bank account is, and where it is reported.

use crate::bank::mutation::rules::{SOURCE_STATEMENT, is_statement};
use crate::bank::rules::{Direction, ID_BYTES_MAX, digits};
use crate::bank::webhook::rules::Provider;
use crate::error::{Result, invalid};
use rust_decimal::Decimal;

/// Accounts that no webhook reports: their mutations come with imported statements.
const STATEMENT: &str = "statement";

/// An account at a bank or a gateway, with the accounts of the books that stand for it.
#[derive(Clone, Debug)]
pub struct BankAccount {
    pub id: i32,
    pub account: String,
    pub suspense_account: String,
    pub outgoing_account: String,
    pub currency: String,
    pub scale: u32,
    pub provider_id: i16,
    pub provider_bank_id: Option<String>,
    pub account_number: Option<String>,
    pub bank: Option<String>,
    pub holder_name: Option<String>,
    pub opening_balance: Decimal,
    /// The bank's day of the opening balance, in days since 2000-01-01: what happened before is part of it.
    /// `None`: it was there before everything that is reported.
    pub opened_on: Option<i32>,
    pub created_at: i64,
}

impl BankAccount {
    /// Where a movement that nobody has decided about waits: debit, credit and kind of its posting.
    pub fn waiting(&self, direction: Direction) -> (&str, &str, &'static str) {
        match direction {
            Direction::Credit => (&self.account, &self.suspense_account, "suspense"),
            Direction::Debit => (&self.outgoing_account, &self.account, "settlement"),
        }
    }
}

/// The stored id of a source by its name.
pub fn source_id(name: &str) -> Result<i16> {
    if name == STATEMENT { Ok(SOURCE_STATEMENT) } else { Provider::from_name(name).map(|found| found as i16) }
}

/// The name of a stored source.
pub fn source_name(id: i16) -> &'static str {
    if is_statement(id) { STATEMENT } else { Provider::from_id(id).map_or("unknown", Provider::name) }
}

/// A provider's id as it is stored.
pub fn provider_bank_id(given: Option<&str>) -> Result<Option<&str>> {
    match given.map(str::trim) {
        Some(id) if id.is_empty() || id.len() > ID_BYTES_MAX => {
            Err(invalid("provider_bank_id", "have 1 to 128 bytes"))
        }
        id => Ok(id),
    }
}

/// An account number as it is compared: its digits.
pub fn account_number(given: Option<&str>) -> Result<Option<String>> {
    let Some(given) = given else { return Ok(None) };
    let digits = digits(given);
    let has_letters = given.chars().any(char::is_alphabetic);
    if digits.is_empty() || digits.len() > 34 || has_letters {
        return Err(invalid("account_number", "have 1 to 34 digits").with("value", given));
    }
    Ok(Some(digits))
}

/// The address of an account that goes with the bank's.
pub fn companion(account: &str, given: Option<&str>, word: &str) -> String {
    given.map_or_else(|| format!("{account}:{word}"), str::to_owned)
}

/// Whether an address is that of a wallet, there or yet to be opened.
pub fn is_wallet(account: &str) -> bool {
    account.starts_with("wallets:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_by_their_digits() {
        assert_eq!(account_number(Some("123-456 7890")).unwrap().as_deref(), Some("1234567890"));
        for bad in ["", "abc", "12x", "--", &"1".repeat(35)] {
            assert!(account_number(Some(bad)).is_err(), "{bad:?}");
        }
        assert!(provider_bank_id(Some(" ")).is_err());
        assert_eq!(provider_bank_id(Some(" VLagzqBj42D ")), Ok(Some("VLagzqBj42D")));
    }

    #[test]
    fn sources_have_names() {
        assert_eq!(source_id("statement"), Ok(SOURCE_STATEMENT));
        assert_eq!(source_name(SOURCE_STATEMENT), "statement");
        assert_eq!(source_name(SOURCE_STATEMENT + 3), "statement");
        assert_eq!(source_name(source_id("moota").unwrap()), "moota");
        assert!(source_id("mootaa").is_err());
    }

    #[test]
    fn companions_stand_beside_the_account() {
        assert_eq!(companion("banks:bca:1", None, "suspense"), "banks:bca:1:suspense");
        assert_eq!(companion("banks:bca:1", Some("suspense"), "suspense"), "suspense");
    }
}
