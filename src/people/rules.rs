//! What may be said about people and places.

use crate::error::{Code, LedgerError, Result, invalid};
use crate::money::{self, Number};
use rust_decimal::Decimal;

/// Longest name of a person or a place. The domain `wallet_data.name` says the same.
const NAME_BYTES_MAX: usize = 64;
/// Longest name in words, and longest actor.
pub const LABEL_BYTES_MAX: usize = 255;
/// Thousandths: grams of a kilogram.
const QUANTITY_DECIMALS_MAX: i32 = 3;

/// Whether somebody or something takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active = 1,
    Inactive = 2,
}

impl Status {
    pub fn from_id(id: i16) -> Self {
        if id == Status::Active as i16 { Status::Active } else { Status::Inactive }
    }

    pub fn of(active: bool) -> Self {
        if active { Status::Active } else { Status::Inactive }
    }

    pub fn name(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Inactive => "inactive",
        }
    }
}

/// What can be made active and inactive by its name alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Member,
    Guardian,
    Merchant,
    Device,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Member, Kind::Guardian, Kind::Merchant, Kind::Device];

    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| invalid("kind", "be member, guardian, merchant or device").with("value", name))
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Member => "member",
            Kind::Guardian => "guardian",
            Kind::Merchant => "merchant",
            Kind::Device => "device",
        }
    }

    /// The error that there is none of that name.
    pub fn not_found(self, name: &str) -> LedgerError {
        let code = match self {
            Kind::Member => Code::MemberNotFound,
            Kind::Guardian => Code::GuardianNotFound,
            Kind::Merchant => Code::MerchantNotFound,
            Kind::Device => Code::DeviceNotFound,
        };
        LedgerError::new(code, format!("there is no {} {name}", self.name())).with(self.name(), name)
    }

    /// The event that says so.
    pub fn topic(self, status: Status) -> &'static str {
        match (self, status) {
            (Kind::Member, Status::Active) => "member.activated",
            (Kind::Member, Status::Inactive) => "member.deactivated",
            (Kind::Guardian, Status::Active) => "guardian.activated",
            (Kind::Guardian, Status::Inactive) => "guardian.deactivated",
            (Kind::Merchant, Status::Active) => "merchant.activated",
            (Kind::Merchant, Status::Inactive) => "merchant.deactivated",
            (Kind::Device, Status::Active) => "device.activated",
            (Kind::Device, Status::Inactive) => "device.deactivated",
        }
    }
}

/// What happens to a till's purchases behind a missing number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapPolicy {
    Wait = 1,
    Take = 2,
}

impl GapPolicy {
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "wait" => Ok(GapPolicy::Wait),
            "take" => Ok(GapPolicy::Take),
            _ => Err(invalid("gap_policy", "be wait or take").with("value", name)),
        }
    }

    pub fn from_id(id: i16) -> Self {
        if id == GapPolicy::Take as i16 { GapPolicy::Take } else { GapPolicy::Wait }
    }

    pub fn name(self) -> &'static str {
        match self {
            GapPolicy::Wait => "wait",
            GapPolicy::Take => "take",
        }
    }
}

/// What happens to a purchase that a till made offline and that the limit or the balance would refuse now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictPolicy {
    Reject = 1,
    Accept = 2,
}

impl ConflictPolicy {
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "reject" => Ok(ConflictPolicy::Reject),
            "accept" => Ok(ConflictPolicy::Accept),
            _ => Err(invalid("conflict_policy", "be reject or accept").with("value", name)),
        }
    }

    pub fn from_id(id: i16) -> Self {
        if id == ConflictPolicy::Accept as i16 { ConflictPolicy::Accept } else { ConflictPolicy::Reject }
    }

    pub fn name(self) -> &'static str {
        match self {
            ConflictPolicy::Reject => "reject",
            ConflictPolicy::Accept => "accept",
        }
    }
}

/// The application's own name for a person or a place: one segment of an address.
pub fn name<'a>(text: &'a str, argument: &str) -> Result<&'a str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.bytes().all(is_plain) {
        return Ok(text);
    }
    Err(invalid(argument, "have 1 to 64 characters of A-Z a-z 0-9 _ . -").with("value", text))
}

/// A price: above zero, in the merchant's currency.
pub fn price(number: Number, scale: u32, currency: &str) -> Result<Decimal> {
    money::to_scale(money::positive(number, "price")?, scale, currency, "price")
}

/// The most that one member may owe through a till: zero or more.
pub fn overdraft_limit(number: Number, scale: u32, currency: &str) -> Result<Decimal> {
    const NAME: &str = "overdraft_limit";
    let value = number.finite(NAME)?;
    if value < Decimal::ZERO {
        return Err(LedgerError::new(
            Code::InvalidAmount,
            format!("{NAME} must not be negative, like {value}"),
        )
        .with("argument", NAME)
        .with("amount", value)
        .with("reason", "negative"));
    }
    money::to_scale(value, scale, currency, NAME)
}

/// How many decimals a quantity may have.
pub fn quantity_decimals(decimals: i32) -> Result<i16> {
    if (0..=QUANTITY_DECIMALS_MAX).contains(&decimals) {
        return Ok(decimals as i16);
    }
    Err(invalid("quantity_decimals", "be between 0 and 3").with_count("value", decimals.into()))
}

/// Creating again is harmless only if nothing would be otherwise. What a call leaves out it says nothing about.
pub fn check_same(what: &str, name: &str, different: &[(&str, bool)]) -> Result<()> {
    match different.iter().find(|(_, differs)| *differs) {
        None => Ok(()),
        Some((field, _)) => {
            Err(LedgerError::new(Code::AlreadyExists, format!("{what} {name} exists with another {field}"))
                .with(what, name)
                .with("field", field))
        }
    }
}

/// The error for an actor that is another member or guardian already.
pub fn actor_taken(what: &str, actor: &str) -> LedgerError {
    LedgerError::new(Code::AlreadyExists, format!("{actor} is the actor of another {what}"))
        .with("actor", actor)
        .with("field", "actor")
}

/// The error for an actor that became somebody else's after the transaction's view of the tables was taken.
pub fn actor_taken_meanwhile() -> LedgerError {
    LedgerError::new(Code::TryAgain, "another session has given the actor to somebody first")
        .with("cause", "concurrent_change")
}

/// The error for a creation that another session was making at the same time.
pub fn made_elsewhere(what: &str, name: &str) -> LedgerError {
    LedgerError::new(Code::TryAgain, format!("{what} {name} is being created elsewhere"))
        .with("cause", "creation")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_segment_of_an_address() {
        for text in ["a", "joni.2026", "KELAS-7_b", &"n".repeat(64)] {
            assert_eq!(name(text, "member"), Ok(text));
        }
        for text in ["", " ", "a b", "a:b", "joni\n", "é", "💸", &"n".repeat(65)] {
            assert_eq!(name(text, "member").unwrap_err().code, Code::InvalidArgument, "{text:?}");
        }
    }

    #[test]
    fn prices_are_above_zero_and_overdrafts_not_below() {
        let number = |text: &str| Number::Finite(text.parse().unwrap());
        assert_eq!(price(number("5000"), 2, "IDR").unwrap().to_string(), "5000.00");
        for bad in [number("0"), number("-1"), number("1.005"), Number::Nan, Number::Infinite] {
            assert_eq!(price(bad, 2, "IDR").unwrap_err().code, Code::InvalidAmount);
        }
        assert_eq!(overdraft_limit(number("0"), 2, "IDR").unwrap().to_string(), "0.00");
        for bad in [number("-0.01"), number("1.005"), Number::Nan, Number::Infinite] {
            assert_eq!(overdraft_limit(bad, 2, "IDR").unwrap_err().code, Code::InvalidAmount);
        }
        assert_eq!(quantity_decimals(3), Ok(3));
        assert!(quantity_decimals(4).is_err() && quantity_decimals(-1).is_err());
    }

    #[test]
    fn words_and_numbers_of_the_tables_agree() {
        for status in [Status::Active, Status::Inactive] {
            assert_eq!(Status::from_id(status as i16), status);
        }
        for policy in [GapPolicy::Wait, GapPolicy::Take] {
            assert_eq!(GapPolicy::from_id(policy as i16), policy);
            assert_eq!(GapPolicy::from_name(policy.name()), Ok(policy));
        }
        for policy in [ConflictPolicy::Reject, ConflictPolicy::Accept] {
            assert_eq!(ConflictPolicy::from_id(policy as i16), policy);
            assert_eq!(ConflictPolicy::from_name(policy.name()), Ok(policy));
        }
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Ok(kind));
            for status in [Status::Active, Status::Inactive] {
                assert!(kind.topic(status).starts_with(&format!("{}.", kind.name())));
            }
        }
    }

    #[test]
    fn the_first_field_that_differs_is_named() {
        assert!(check_same("member", "joni", &[("actor", false)]).is_ok());
        let error = check_same("member", "joni", &[("full_name", false), ("actor", true)]).unwrap_err();
        assert_eq!((error.code, error.detail()["field"].as_str()), (Code::AlreadyExists, Some("actor")));
    }
}
