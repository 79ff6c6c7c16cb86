//! Names of ledgers and kinds.

use crate::error::{Code, LedgerError, Result, invalid};
use crate::form::word;

/// The kinds that every ledger has, with their ids. An id is stored in every transfer: append only.
pub const BUILT_IN_KINDS: &[(i16, &str)] = &[
    (1, "transfer"),
    (2, "topup"),
    (3, "payment"),
    (4, "purchase"),
    (5, "earning"),
    (6, "commission"),
    (7, "refund"),
    (8, "withdrawal"),
    (9, "payout"),
    (10, "fee"),
    (11, "adjustment"),
    (12, "deposit"),
    (13, "settlement"),
    (14, "escrow"),
    (15, "release"),
    (16, "chargeback"),
    (17, "bonus"),
    (18, "cashback"),
    (19, "interest"),
    (20, "tax"),
    (21, "opening"),
    (22, "capture"),
    (23, "suspense"),
    (24, "unique_code"),
    (25, "return"),
    (REVERSAL, "reversal"),
    (REBALANCE, "rebalance"),
];

/// Written by reverse_transfer() only.
pub const REVERSAL: i16 = 900;
/// Written between the stripes of one account only.
pub const REBALANCE: i16 = 901;
/// Where a ledger's own kinds begin.
pub const FIRST_OWN_KIND: i16 = 1000;

/// The id of a built-in kind that a caller may name.
pub fn built_in_kind(name: &str) -> Result<Option<i16>> {
    match BUILT_IN_KINDS.iter().find(|(_, known)| *known == name) {
        Some((REVERSAL | REBALANCE, _)) => {
            Err(LedgerError::new(Code::ReservedKind, format!("kind {name} is written by the ledger itself"))
                .with("kind", name))
        }
        Some((id, _)) => Ok(Some(*id)),
        None => Ok(None),
    }
}

/// The name of a built-in kind.
pub fn built_in_name(id: i16) -> Option<&'static str> {
    BUILT_IN_KINDS.iter().find(|(known, _)| *known == id).map(|(_, name)| *name)
}

/// A new kind's name: lower-case words.
pub fn check_kind_name(name: &str) -> Result<()> {
    word(name, "kind", "top_up").map(|_| ())
}

/// A ledger's name.
pub fn check_ledger_name(name: &str) -> Result<()> {
    let well_formed = (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if well_formed {
        Ok(())
    } else {
        Err(invalid("ledger", "be 1 to 63 characters of A-Z a-z 0-9 _ . -").with("value", name))
    }
}

/// A currency's code and scale.
pub fn check_currency(code: &str, scale: i32) -> Result<i16> {
    let well_formed = (3..=12).contains(&code.len())
        && code.starts_with(|first: char| first.is_ascii_uppercase())
        && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if !well_formed {
        return Err(
            invalid("code", "be 3 to 12 upper-case letters or digits, such as IDR").with("value", code)
        );
    }
    match i16::try_from(scale) {
        Ok(scale @ 0..=18) => Ok(scale),
        _ => Err(invalid("scale", "be between 0 and 18").with("value", scale)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_the_ledger_writes_are_reserved() {
        assert_eq!(built_in_kind("topup"), Ok(Some(2)));
        assert_eq!(built_in_kind("top_up"), Ok(None));
        assert_eq!(built_in_kind("reversal").unwrap_err().code, Code::ReservedKind);
        assert_eq!(built_in_kind("rebalance").unwrap_err().code, Code::ReservedKind);
    }

    #[test]
    fn ids_are_distinct_and_below_the_ledgers_own() {
        let mut ids: Vec<i16> = BUILT_IN_KINDS.iter().map(|(id, _)| *id).collect();
        ids.dedup();
        assert_eq!(ids.len(), BUILT_IN_KINDS.len());
        assert!(ids.iter().all(|id| (1..FIRST_OWN_KIND).contains(id)));
    }

    #[test]
    fn names_are_checked() {
        assert!(check_kind_name("top_up").is_ok());
        for bad in ["", "Top", "1x", "a-b", "é"] {
            assert!(check_kind_name(bad).is_err(), "{bad:?}");
        }
        assert!(check_ledger_name("school-7.jkt").is_ok() && check_ledger_name("").is_err());
        assert!(check_currency("IDR", 2).is_ok() && check_currency("idr", 2).is_err());
        assert!(check_currency("IDR", 19).is_err() && check_currency("IDR", -1).is_err());
    }
}
