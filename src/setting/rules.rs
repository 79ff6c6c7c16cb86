//! The settings of a ledger: what there is, what form a value has, what holds where nobody set anything.
//!
//! A new setting is one more variant of [`Setting`] and one more line of [`ALL`]. Names are stored and
//! stay; a default may change with a release, and then counts for every ledger that never set its own.

pub mod interval;
pub mod timeline;

use crate::address;
use crate::error::{LedgerError, Result, invalid};
use crate::form::word;
use interval::{DAY, HOUR, MINUTE, SECOND};
use rust_decimal::Decimal;

/// Longest value, in bytes: the longest form is an account address.
pub const VALUE_BYTES_MAX: usize = address::BYTES_MAX;
/// Longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 255;

/// Everything that a ledger can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setting {
    TopupMinimum,
    TopupMaximum,
    UniqueCodeCooldown,
    UniqueCodeBeneficiary,
    UniqueCodeAccount,
    IntentGrace,
    ShortfallAccount,
    LimitedKinds,
    PinAttempts,
    PinLockout,
    AuthenticationValidity,
    TillClockSkew,
    TillOfflineMax,
}

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Zero or more, in the currency of what it is compared with.
    Amount,
    /// A length of time between these, in microseconds.
    Interval { shortest: i64, longest: i64 },
    /// A whole number between these.
    Count { least: i16, most: i16 },
    /// One of these words.
    Word(&'static [&'static str]),
    /// The address of an account.
    Account,
    /// Kinds of transfers.
    Kinds,
}

/// A value that has its setting's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Amount(Decimal),
    /// Microseconds.
    Interval(i64),
    Count(i16),
    Text(String),
}

/// How one [`Setting`] appears outside.
pub struct Definition {
    pub setting: Setting,
    pub name: &'static str,
    pub form: Form,
    pub default: &'static str,
    pub meaning: &'static str,
}

const fn define(
    setting: Setting,
    name: &'static str,
    form: Form,
    default: &'static str,
    meaning: &'static str,
) -> Definition {
    Definition { setting, name, form, default, meaning }
}

/// Every setting there is. The position equals the enum's value.
#[rustfmt::skip]
pub static ALL: &[Definition] = &[
    define(Setting::TopupMinimum, "topup_minimum", Form::Amount, "10000", "The smallest amount of a top-up."),
    define(Setting::TopupMaximum, "topup_maximum", Form::Amount, "10000000", "The largest amount of a top-up."),
    define(Setting::UniqueCodeCooldown, "unique_code_cooldown", Form::Interval { shortest: 0, longest: 30 * DAY }, "48 hours", "How long after an intent has closed no other intent gets its total on the same bank account."),
    define(Setting::UniqueCodeBeneficiary, "unique_code_beneficiary", Form::Word(&["platform", "payer"]), "platform", "Who gets the rupiah of the unique code: platform or payer."),
    define(Setting::UniqueCodeAccount, "unique_code_account", Form::Account, "platform:revenue:unique_code", "The account that is credited with unique codes where they are the platform's."),
    define(Setting::IntentGrace, "intent_grace", Form::Interval { shortest: 0, longest: 7 * DAY }, "1 hour", "How long after its expiry an intent is still paid by a transfer, by the bank's time."),
    define(Setting::ShortfallAccount, "shortfall_account", Form::Account, "platform:receivable:chargebacks", "The account that is debited with what a reversal cannot take back from the payer."),
    define(Setting::LimitedKinds, "limited_kinds", Form::Kinds, "capture, payment, purchase", "The kinds of transfers and holds that spending limits count."),
    define(Setting::PinAttempts, "pin_attempts", Form::Count { least: 1, most: 10 }, "5", "After how many wrong PINs in a row a member's PIN is locked."),
    define(Setting::PinLockout, "pin_lockout", Form::Interval { shortest: MINUTE, longest: 7 * DAY }, "15 minutes", "How long a PIN stays locked after too many wrong ones."),
    define(Setting::AuthenticationValidity, "authentication_validity", Form::Interval { shortest: 5 * SECOND, longest: HOUR }, "5 minutes", "How long after an authentication a purchase may refer to it."),
    define(Setting::TillClockSkew, "till_clock_skew", Form::Interval { shortest: 0, longest: DAY }, "10 minutes", "How far ahead an offline till's clock may be: a purchase later than that is rejected."),
    define(Setting::TillOfflineMax, "till_offline_max", Form::Interval { shortest: 0, longest: 90 * DAY }, "7 days", "How long ago an offline till may have made a purchase that it brings now."),
];

impl Setting {
    /// The definition of this setting.
    pub fn definition(self) -> &'static Definition {
        &ALL[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// The setting of that name; the error lists the names there are.
    pub fn from_name(name: &str) -> Result<Self> {
        ALL.iter().find(|known| known.name == name).map(|known| known.setting).ok_or_else(|| {
            let names = ALL.iter().map(|known| known.name).collect::<Vec<_>>().join(", ");
            invalid("setting", &format!("be one of {names}"))
                .with("value", name)
                .with("known_settings", names)
        })
    }

    /// Reads a value of this setting.
    pub fn parse(self, text: &str) -> Result<Value> {
        let definition = self.definition();
        let text = text.trim();
        let value = match definition.form {
            _ if text.len() > VALUE_BYTES_MAX => None,
            Form::Amount => amount(text).map(Value::Amount),
            Form::Interval { shortest, longest } => interval::parse(text)
                .filter(|micros| (shortest..=longest).contains(micros))
                .map(Value::Interval),
            Form::Count { least, most } => {
                count(text).filter(|count| (least..=most).contains(count)).map(Value::Count)
            }
            Form::Word(words) => words.contains(&text).then(|| Value::Text(text.to_owned())),
            Form::Account => address::checked(text, "value").ok().map(|text| Value::Text(text.to_owned())),
            Form::Kinds => kinds(text).map(Value::Text),
        };
        value.ok_or_else(|| definition.malformed(text))
    }
}

impl Definition {
    fn malformed(&self, text: &str) -> LedgerError {
        let must = match self.form {
            Form::Amount => "be an amount such as 10000, zero or more".to_owned(),
            Form::Interval { shortest, longest } => {
                let (shortest, longest) = (interval::to_text(shortest), interval::to_text(longest));
                format!("be a length of time such as {} or PT1H, {shortest} to {longest}", self.default)
            }
            Form::Count { least, most } => format!("be a whole number from {least} to {most}"),
            Form::Word(words) => format!("be one of {}", words.join(", ")),
            Form::Account => format!("be an account address such as {}", self.default),
            Form::Kinds => format!("be kinds such as {}", self.default),
        };
        invalid("value", &must).with("setting", self.name).with("value", text)
    }
}

impl Form {
    /// What a value is counted in.
    pub fn unit(self) -> &'static str {
        match self {
            Form::Amount => "amount",
            Form::Interval { .. } => "interval",
            Form::Count { .. } => "count",
            Form::Word(_) => "word",
            Form::Account => "account",
            Form::Kinds => "kinds",
        }
    }
}

impl Value {
    /// The one way to write this value: equal values are equal texts.
    pub fn to_text(&self) -> String {
        match self {
            Value::Amount(amount) => amount.normalize().to_string(),
            Value::Interval(micros) => interval::to_text(*micros),
            Value::Count(count) => count.to_string(),
            Value::Text(text) => text.clone(),
        }
    }
}

/// Digits, at most one point with decimals behind it, nothing else, and no more than can be kept exactly.
fn amount(text: &str) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) {
        return None;
    }
    Decimal::from_str_exact(text).ok()
}

/// Words with a comma between them, each once and in order.
fn kinds(text: &str) -> Option<String> {
    let mut names: Vec<&str> = text.split(',').map(str::trim).collect();
    names.sort_unstable();
    names.dedup();
    names.iter().all(|name| word(name, "value", "payment").is_ok()).then(|| names.join(", "))
}

/// Digits and nothing else: a sign or a point would be another way to write the same.
fn count(text: &str) -> Option<i16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The reason of a change: a label, not a document.
pub fn check_reason(reason: Option<&str>) -> Result<()> {
    match reason {
        Some(reason) if reason.trim().is_empty() || reason.len() > REASON_BYTES_MAX => {
            Err(invalid("reason", &format!("have 1 to {REASON_BYTES_MAX} bytes, not only blanks")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn the_table_is_indexed_by_the_enum_and_every_default_has_its_form() {
        for (index, definition) in ALL.iter().enumerate() {
            assert_eq!(definition.setting as usize, index, "{} is out of place", definition.name);
            assert_eq!(Setting::from_name(definition.name), Ok(definition.setting));
            let default = definition.setting.parse(definition.default).unwrap();
            assert_eq!(default.to_text(), definition.default, "defaults are written in the one way");
            assert!(definition.meaning.ends_with('.') && !definition.form.unit().is_empty());
        }
    }

    #[test]
    fn equal_values_are_equal_texts() {
        for (setting, text, canonical) in [
            (Setting::TopupMinimum, " 25000 ", "25000"),
            (Setting::TopupMinimum, "25000.00", "25000"),
            (Setting::TopupMinimum, "0025000.50", "25000.5"),
            (Setting::TopupMinimum, "0.00", "0"),
            (Setting::UniqueCodeCooldown, "PT48H", "48 hours"),
            (Setting::UniqueCodeCooldown, "2 days", "48 hours"),
            (Setting::IntentGrace, "0 seconds", "0 seconds"),
            (Setting::IntentGrace, "168 hours", "7 days"),
            (Setting::UniqueCodeBeneficiary, "payer", "payer"),
            (Setting::UniqueCodeAccount, "platform:codes", "platform:codes"),
            (Setting::LimitedKinds, "purchase,payment,purchase", "payment, purchase"),
            (Setting::PinAttempts, " 3 ", "3"),
            (Setting::PinAttempts, "007", "7"),
            (Setting::PinLockout, "PT1M", "1 minute"),
            (Setting::AuthenticationValidity, "90 seconds", "90 seconds"),
        ] {
            let value = setting.parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            assert_eq!(value.to_text(), canonical, "{text:?}");
            assert_eq!(setting.parse(canonical), Ok(value));
        }
    }

    #[test]
    fn everything_else_is_refused_and_named() {
        let long = "a".repeat(VALUE_BYTES_MAX + 1);
        let digits = "9".repeat(30);
        let zeros = "0".repeat(VALUE_BYTES_MAX + 1);
        let common = ["", " ", "💸", "NaN", "-1", "null", &long];
        let amounts =
            ["-0.01", "+1", "1e3", "1,000", "1.", ".5", "Infinity", "Rp1", "１", "1 000", &digits, &zeros];
        let intervals =
            ["1", "48", "31 days", "721 hours", "1 month", "P1M", "1 year", "-1 hour", "1 hour ago"];
        let words = ["Platform", "PAYER", "both", "platform|payer"];
        let accounts = [":", "a:", "a b", "é", "platform::x"];
        for (setting, texts) in [
            (Setting::TopupMinimum, amounts.as_slice()),
            (Setting::TopupMaximum, &amounts),
            (Setting::UniqueCodeCooldown, &intervals),
            (Setting::IntentGrace, &["8 days", "169 hours", "168 hours 1 microsecond"]),
            (Setting::UniqueCodeBeneficiary, &words),
            (Setting::UniqueCodeAccount, &accounts),
            (Setting::LimitedKinds, &["payment,", ",", "Payment", "payment;purchase", "payment purchase"]),
            (Setting::PinAttempts, &["0", "11", "+5", "5.0", "５", "1e1", "five", "99999999999999999999"]),
            (Setting::PinLockout, &["0 seconds", "59 seconds", "8 days", "15"]),
            (Setting::AuthenticationValidity, &["4 seconds", "61 minutes", "5"]),
        ] {
            // A word of letters and signs is an address.
            let is_account = setting.definition().form == Form::Account;
            let common = common.iter().filter(|text| !is_account || !matches!(**text, "NaN" | "-1" | "null"));
            let is_kinds = setting.definition().form == Form::Kinds;
            let common = common.filter(|text| !is_kinds || **text != "null");
            for text in common.chain(texts) {
                let error = setting.parse(text).expect_err(text);
                assert_eq!(error.code, Code::InvalidArgument, "{text:?}");
                assert_eq!(error.detail()["setting"], setting.name());
            }
        }
    }

    #[test]
    fn an_unknown_name_is_told_which_there_are() {
        for name in ["", "Topup_minimum", "topup_minimum ", "💸", "rate"] {
            let error = Setting::from_name(name).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            for definition in ALL {
                assert!(error.message.contains(definition.name), "{}", error.message);
            }
        }
    }

    #[test]
    fn a_reason_is_a_label() {
        let long = "r".repeat(REASON_BYTES_MAX + 1);
        assert!(check_reason(None).is_ok() && check_reason(Some("a campaign 💸")).is_ok());
        for reason in ["", "  ", &long] {
            assert_eq!(check_reason(Some(reason)).unwrap_err().code, Code::InvalidArgument);
        }
    }
}
