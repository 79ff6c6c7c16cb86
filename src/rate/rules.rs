//! Rates: shares of an amount that the platform keeps, and from when on each counts.
//!
//! Changes are only ever added. At a moment the change counts that begins last at or before it; of two
//! that begin at the same moment, the one that was made later.

use crate::error::{Code, LedgerError, Result, invalid};
use crate::form::word;
use crate::money::Number;
use crate::time;
use rust_decimal::Decimal;

/// Longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 255;
/// Where the share of a rate goes that names no account: this and its name.
pub const ACCOUNT_PREFIX: &str = "platform:revenue:";

/// A share between nothing and all of it, exact to six decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u32);

impl Rate {
    pub const ONE: u32 = 1_000_000;
    pub const ZERO: Rate = Rate(0);

    /// Millionths, at most [`Rate::ONE`].
    pub fn from_millionths(millionths: u32) -> Option<Self> {
        (millionths <= Self::ONE).then_some(Self(millionths))
    }

    /// The rate 0.15, say, from the argument called `name`.
    pub fn new(number: Number, name: &str) -> Result<Self> {
        let value = number.finite(name)?;
        Self::exact(value).ok_or_else(|| {
            invalid(name, "be between 0 and 1, with at most six decimals").with("value", value)
        })
    }

    /// `None` where the value is no rate.
    pub fn exact(value: Decimal) -> Option<Self> {
        let mut value = value.normalize();
        if value.scale() > 6 {
            return None;
        }
        value.rescale(6);
        u32::try_from(value.mantissa()).ok().and_then(Self::from_millionths)
    }

    pub fn millionths(self) -> u32 {
        self.0
    }

    pub fn to_decimal(self) -> Decimal {
        Decimal::new(i64::from(self.0), 6).normalize()
    }
}

/// What counts in a ledger that has changed nothing.
pub const DEFAULTS: &[(&str, Rate)] =
    &[("merchant_commission", Rate(150_000)), ("delivery_platform_share", Rate(200_000))];

/// One change of one rate, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Counts the changes of a ledger.
    pub revision: i64,
    pub name: String,
    pub rate: Rate,
    /// The account that the share goes to.
    pub account: String,
    pub effective_from: i64,
    pub set_by: String,
    pub reason: Option<String>,
    pub created_at: i64,
}

/// A rate as it counts at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counting {
    pub rate: Rate,
    pub account: String,
}

pub fn default_account(name: &str) -> String {
    format!("{ACCOUNT_PREFIX}{name}")
}

/// The change that counts at a moment.
pub fn counting<'a>(changes: &'a [Change], name: &str, at: i64) -> Option<&'a Change> {
    changes
        .iter()
        .filter(|change| change.name == name && change.effective_from <= at)
        .max_by_key(|change| (change.effective_from, change.revision))
}

/// The rate that counts: changed, or a default.
pub fn find(changes: &[Change], name: &str, at: i64) -> Result<Counting> {
    if let Some(change) = counting(changes, name, at) {
        return Ok(Counting { rate: change.rate, account: change.account.clone() });
    }
    let default = DEFAULTS.iter().find(|(known, _)| *known == name);
    default.map(|(_, rate)| Counting { rate: *rate, account: default_account(name) }).ok_or_else(|| {
        LedgerError::new(Code::RateNotFound, format!("no rate {name} counts at {}", time::to_text(at)))
            .with("rate", name)
    })
}

/// A rate's name: lower-case words.
pub fn check_name(name: &str) -> Result<&str> {
    word(name, "name", "merchant_commission")
}

/// A change that somebody wants.
pub struct Wanted<'a> {
    pub name: &'a str,
    pub rate: Rate,
    pub account: &'a str,
    /// NULL is now.
    pub effective_from: Option<i64>,
    pub set_by: String,
    pub reason: Option<&'a str>,
}

/// What comes of a wanted change.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// It was made before: the same rate from the same moment, or the one that counts now.
    Made(&'a Change),
    Make(Change),
}

/// Decides about a change, with all changes that the ledger has seen. `transaction_start` is what SQL's
/// `now()` says: it means now, however long ago it is.
pub fn decide<'a>(
    changes: &'a [Change],
    wanted: Wanted,
    now: i64,
    transaction_start: i64,
) -> Result<Decision<'a>> {
    let effective_from = match wanted.effective_from {
        None => now,
        Some(given) => {
            let given = time::finite(given, "effective_from")?;
            if given < transaction_start.min(now) {
                let must = "not lie in the past: what was opened under the old rate keeps it";
                return Err(invalid("effective_from", must)
                    .with("value", time::to_text(given))
                    .with("now", time::to_text(now)));
            }
            given.max(now)
        }
    };
    let same = |made: &&Change| made.rate == wanted.rate && made.account == wanted.account;
    let before = counting(changes, wanted.name, effective_from).filter(same);
    if let Some(made) = before.filter(|made| made.effective_from == effective_from || effective_from <= now) {
        return Ok(Decision::Made(made));
    }
    Ok(Decision::Make(Change {
        revision: changes.iter().map(|change| change.revision).max().unwrap_or(0) + 1,
        name: wanted.name.to_owned(),
        rate: wanted.rate,
        account: wanted.account.to_owned(),
        effective_from,
        set_by: wanted.set_by,
        reason: wanted.reason.map(str::to_owned),
        created_at: now,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Option<Rate> {
        Rate::exact(text.parse().unwrap())
    }

    #[test]
    fn a_rate_is_a_share_with_six_decimals() {
        for (text, millionths) in [("0", 0), ("1", 1_000_000), ("0.150000000", 150_000), ("0.000001", 1)] {
            assert_eq!(rate(text).map(Rate::millionths), Some(millionths), "{text}");
        }
        for text in ["-0.1", "1.000001", "0.1234567", "15", "79228162514264337593543950335"] {
            assert_eq!(rate(text), None, "{text}");
        }
        for number in [Number::Nan, Number::Infinite, Number::OutOfRange] {
            assert!(Rate::new(number, "rate").is_err());
        }
        assert_eq!(rate("0.15").unwrap().to_decimal().to_string(), "0.15");
    }

    fn made(changes: &mut Vec<Change>, rate: u32, from: Option<i64>, now: i64) -> Result<bool> {
        let account = default_account("fee");
        let wanted = Wanted {
            name: "fee",
            rate: Rate(rate),
            account: &account,
            effective_from: from,
            set_by: "app".to_owned(),
            reason: None,
        };
        let change = match decide(changes, wanted, now, now - 5)? {
            Decision::Made(_) => return Ok(false),
            Decision::Make(change) => change,
        };
        changes.push(change);
        Ok(true)
    }

    #[test]
    fn the_last_that_begins_counts() {
        let mut changes = Vec::new();
        assert_eq!(made(&mut changes, 10, None, 100), Ok(true));
        assert_eq!(made(&mut changes, 30, Some(300), 100), Ok(true));
        assert_eq!(made(&mut changes, 20, Some(200), 100), Ok(true));
        assert_eq!(made(&mut changes, 25, Some(200), 100), Ok(true));
        for (at, rate) in [(100, 10), (199, 10), (200, 25), (299, 25), (300, 30), (i64::MAX, 30)] {
            assert_eq!(find(&changes, "fee", at).unwrap().rate, Rate(rate), "at {at}");
        }
        assert_eq!(find(&changes, "fee", 99).unwrap_err().code, Code::RateNotFound);
    }

    #[test]
    fn the_same_again_is_harmless_and_the_past_stays() {
        let mut changes = Vec::new();
        assert_eq!(made(&mut changes, 10, None, 100), Ok(true));
        assert_eq!(made(&mut changes, 10, None, 150), Ok(false));
        assert_eq!(made(&mut changes, 20, Some(200), 150), Ok(true));
        assert_eq!(made(&mut changes, 20, Some(200), 160), Ok(false));
        // Since the transaction began is now.
        assert_eq!(made(&mut changes, 30, Some(157), 160), Ok(true));
        assert_eq!(changes.last().unwrap().effective_from, 160);
        assert_eq!(made(&mut changes, 40, Some(154), 160).unwrap_err().code, Code::InvalidArgument);
    }

    #[test]
    fn the_known_rates_have_defaults_and_others_must_be_set() {
        assert_eq!(find(&[], "merchant_commission", 0).unwrap().rate, rate("0.15").unwrap());
        assert_eq!(
            find(&[], "delivery_platform_share", 0).unwrap().account,
            "platform:revenue:delivery_platform_share"
        );
        assert_eq!(find(&[], "escrow_fee", 0).unwrap_err().code, Code::RateNotFound);
        for name in ["", "Fee", "1fee", "fee rate", "💸", &"f".repeat(64)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
