//! What banks, aggregators and gateways report, in the ledger's own words.
//!
//! Every parser (webhooks of several providers, statements of several banks) ends in these types, and
//! the matching begins with them.

pub mod when;

use rust_decimal::Decimal;
use when::When;

/// Longest id, number, description and label of a reported line, in bytes. What is longer is refused
/// where it is a key and shortened where it is prose.
pub const ID_BYTES_MAX: usize = 128;
pub const DESCRIPTION_BYTES_MAX: usize = 1_000;

/// Which way the money went, as the holder of the bank account sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Into the bank account.
    Credit = 1,
    /// Out of the bank account.
    Debit = 2,
}

impl Direction {
    pub fn from_id(id: i16) -> Self {
        if id == 1 { Direction::Credit } else { Direction::Debit }
    }

    pub fn name(self) -> &'static str {
        match self {
            Direction::Credit => "credit",
            Direction::Debit => "debit",
        }
    }
}

/// One movement on a bank account: a line of its statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Movement {
    /// The provider's id of the bank account.
    pub bank_id: Option<String>,
    /// The bank's own number of the account, digits only.
    pub account_number: Option<String>,
    /// The provider's id of the movement.
    pub id: String,
    pub direction: Direction,
    /// Above zero; how many decimals it may have is the currency's matter.
    pub amount: Decimal,
    /// The account's balance after it, where the provider says so.
    pub balance: Option<Decimal>,
    pub when: When,
    pub description: String,
}

/// What a gateway or a bank says about one payment: to an order, or to a virtual account.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The order id or the virtual account number that the payment names.
    pub number: String,
    /// The provider's id of the payment; notices with the same one are about the same payment.
    pub payment_id: String,
    /// What the payment is worth; NULL where the notification need not say it and the bill decides.
    pub amount: Option<Decimal>,
    pub facts: Vec<Fact>,
    pub when: When,
    pub description: String,
}

/// Something that became true of a payment. Facts come in any order and more than once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fact {
    /// Not paid yet.
    Pending,
    /// Paid, but held back for a check against fraud.
    Challenged,
    /// The money is there.
    Settled,
    /// It came to nothing.
    Ended(Ending),
    /// Money went back. With an id each one counts once; without, `amount` is the sum so far, and
    /// nothing at all means the whole payment.
    Reversed { cause: Cause, id: Option<String>, amount: Option<Decimal> },
}

/// How a payment came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ending {
    Expired,
    Cancelled,
    Failed,
    Denied,
}

/// Why money went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    Refund,
    Chargeback,
}

/// One line of a webhook or a statement that was understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Movement(Movement),
    Payment(Notice),
    /// Understood, and nothing for the matching: a payout's callback, say. The reason is a token.
    Other {
        id: Option<String>,
        reason: &'static str,
    },
}

/// A line that was not understood. It is stored as it came, with the reason, and loses no other line.
#[derive(Clone, Debug, PartialEq)]
pub struct BadLine {
    /// A token: `missing_field`, `invalid_amount`, `invalid_date`, `invalid_direction`, `not_an_object`, ….
    pub reason: &'static str,
    /// One sentence that names the field.
    pub message: String,
    pub id: Option<String>,
}

/// What a parser makes of each line.
pub type Line = std::result::Result<Item, BadLine>;

impl BadLine {
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), id: None }
    }

    #[must_use]
    pub fn of(mut self, id: Option<&str>) -> Self {
        self.id = id.map(str::to_owned);
        self
    }
}

/// The digits of an account number, whatever stands between them.
pub fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Prose cut to what a column takes, at a character's boundary; control characters become blanks.
pub fn prose(text: &str) -> String {
    let mut clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.len() > DESCRIPTION_BYTES_MAX {
        let end = (0..=DESCRIPTION_BYTES_MAX).rev().find(|end| clean.is_char_boundary(*end)).unwrap_or(0);
        clean.truncate(end);
    }
    clean
}

/// An amount as banks and gateways write it: digits, at most one point with decimals, nothing else.
/// More digits than a `Decimal` holds, or an exponent, is not an amount.
pub fn amount(text: &str) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) {
        return None;
    }
    Decimal::from_str_exact(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_plain_decimals() {
        for (text, value) in
            [("10000", Some(Decimal::from(10_000))), ("12111.00", Some(Decimal::new(1_211_100, 2)))]
        {
            assert_eq!(amount(text), value);
        }
        for text in ["", "1e3", "1,5", "-1", "+1", " 1", "1.", ".5", "NaN", "１", &"9".repeat(40)] {
            assert_eq!(amount(text), None, "{text:?}");
        }
    }

    #[test]
    fn prose_is_cut_at_a_character() {
        let long = "💸".repeat(400);
        let cut = prose(&long);
        assert!(cut.len() <= DESCRIPTION_BYTES_MAX && cut.chars().all(|c| c == '💸'));
        assert_eq!(prose("a\nb\0c"), "a b c");
        assert_eq!(digits("123-456 7890"), "1234567890");
    }
}
