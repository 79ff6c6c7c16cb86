//! What a till sends about one purchase, and whether its clock can be right.

use crate::error::{Code, LedgerError, Result, invalid, missing};
use crate::json::Field;
use crate::time;

/// Most entries of one batch.
pub const ENTRIES_MAX: usize = 10_000;
/// Longest reference, in bytes.
const REFERENCE_BYTES_MAX: usize = 255;
/// Longest name of a member, in bytes.
const MEMBER_BYTES_MAX: usize = 64;
/// Longest authentication as jsonb, in bytes.
const AUTHENTICATION_BYTES_MAX: usize = 4096;
/// Largest entry as jsonb, in bytes.
const ENTRY_BYTES_MAX: usize = 64 * 1024;
/// Largest batch as jsonb, in bytes.
const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;

const FIELDS: &[&str] = &["sequence", "member", "items", "at", "authentication", "reference"];
/// How a till can have recognised a buyer while it was offline.
const METHODS: &[&str] = &["fingerprint", "pin", "qr"];

/// The plain keys of an entry. Its lines and its authentication are objects of their own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry<'a> {
    pub sequence: Option<i64>,
    member: Option<&'a str>,
    at: Option<i64>,
    pub reference: Option<&'a str>,
}

impl<'a> Entry<'a> {
    /// Takes over one key. NULL means absent; the first fault is kept by the caller.
    pub fn set(&mut self, key: &'a str, field: Field<'a>) -> Result<()> {
        match key {
            "sequence" => {
                let sequence = field.into_integer(key)?;
                if sequence.is_some_and(|sequence| sequence < 1) {
                    return Err(invalid("sequence", "be 1 or more"));
                }
                self.sequence = sequence;
            }
            "member" => self.member = field.into_text(key)?,
            "at" => self.at = field.into_text(key)?.map(|text| time::from_text(text, key)).transpose()?,
            "reference" => self.reference = field.into_text(key)?,
            "items" | "authentication" => match field {
                Field::Null | Field::Nested(_) => {}
                other => return Err(other.wrong_type(key, "an object or array")),
            },
            _ => {
                return Err(LedgerError::new(Code::UnknownField, format!("unknown key \"{key}\""))
                    .with("field", key)
                    .with("known_fields", FIELDS.join(", ")));
            }
        }
        Ok(())
    }

    pub fn member(&self) -> Result<&'a str> {
        let member = self.member.ok_or_else(|| missing("member"))?;
        if member.is_empty() || member.len() > MEMBER_BYTES_MAX {
            return Err(invalid("member", "have 1 to 64 bytes"));
        }
        Ok(member)
    }

    pub fn at(&self) -> Result<i64> {
        self.at.ok_or_else(|| missing("at"))
    }

    /// Checks what is left to judge.
    pub fn check(&self) -> Result<()> {
        self.sequence.ok_or_else(|| missing("sequence"))?;
        if self.reference.is_some_and(|text| text.is_empty() || text.len() > REFERENCE_BYTES_MAX) {
            return Err(invalid("reference", "have 1 to 255 bytes"));
        }
        Ok(())
    }
}

/// How much there may be of a batch, in bytes of its jsonb form. What cannot be sold is kept for ever: so it has a bound.
pub fn check_size(bytes: usize) -> Result<()> {
    check_bytes("batch", bytes, BATCH_BYTES_MAX)
}

/// How much there may be of an entry.
pub fn check_entry_size(bytes: usize) -> Result<()> {
    check_bytes("entry", bytes, ENTRY_BYTES_MAX)
}

fn check_bytes(name: &str, bytes: usize, most: usize) -> Result<()> {
    if bytes <= most {
        return Ok(());
    }
    Err(invalid(name, &format!("have at most {most} bytes")))
}

/// How many entries there may be.
pub fn check_count(count: usize) -> Result<()> {
    if count <= ENTRIES_MAX {
        return Ok(());
    }
    Err(LedgerError::new(Code::TooManyItems, format!("{count} entries are more than {ENTRIES_MAX}"))
        .with_count("count", count as i64)
        .with_count("max_count", ENTRIES_MAX as i64))
}

/// How much of a till's word on how it recognised the buyer is kept, in bytes.
pub fn check_authentication(bytes: usize) -> Result<()> {
    check_bytes("authentication", bytes, AUTHENTICATION_BYTES_MAX)
}

/// The method by which a till has recognised the buyer.
pub fn check_method(method: Option<Field<'_>>) -> Result<&str> {
    match method {
        Some(Field::Text(method)) if METHODS.contains(&method) => Ok(method),
        None | Some(Field::Null) => Err(missing("method")),
        Some(_) => Err(invalid("method", &format!("be one of {}", METHODS.join(", ")))),
    }
}

/// What tills' clocks are allowed, in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub now: i64,
    pub skew: i64,
    pub offline_max: i64,
}

impl Clock {
    /// Refuses a purchase from the future, and one that a till has kept for too long.
    pub fn check(&self, at: i64) -> Result<()> {
        let facts = |code, said: String| {
            LedgerError::new(code, said).with("at", time::to_text(at)).with("now", time::to_text(self.now))
        };
        if at > self.now.saturating_add(self.skew) {
            let said = format!("{} lies in the future: the till's clock is ahead", time::to_text(at));
            return Err(facts(Code::ClockSkew, said).with("allowed_seconds", seconds(self.skew)));
        }
        if at < self.now.saturating_sub(self.offline_max) {
            let said = format!("{} is longer ago than tills may be offline", time::to_text(at));
            return Err(facts(Code::EntryTooOld, said).with("allowed_seconds", seconds(self.offline_max)));
        }
        Ok(())
    }
}

fn seconds(micros: i64) -> i64 {
    const MICROS_PER_SECOND: i64 = 1_000_000;
    micros / MICROS_PER_SECOND
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Number;
    use rust_decimal::Decimal;

    #[test]
    fn every_key_has_its_form() {
        let mut entry = Entry::default();
        for (key, field) in [
            ("sequence", Field::Number(Number::Finite(Decimal::from(17)))),
            ("member", Field::Text("m1")),
            ("at", Field::Text("2026-11-21T12:00:00+07:00")),
            ("items", Field::Nested(vec![])),
            ("reference", Field::Null),
        ] {
            assert_eq!(entry.set(key, field), Ok(()), "{key}");
        }
        assert_eq!((entry.sequence, entry.member(), entry.check()), (Some(17), Ok("m1"), Ok(())));
        assert_eq!(entry.at(), time::from_text("2026-11-21T05:00:00Z", "at"));
        for (key, field, code) in [
            ("sequence", Field::Number(Number::Finite(Decimal::ZERO)), Code::InvalidArgument),
            ("sequence", Field::Text("1.5"), Code::InvalidArgument),
            ("sequence", Field::Text("99999999999999999999"), Code::InvalidArgument),
            ("member", Field::Bool, Code::InvalidArgument),
            ("at", Field::Text("2026-11-21 12:00"), Code::InvalidArgument),
            ("at", Field::Text("infinity"), Code::InvalidArgument),
            ("items", Field::Text("[]"), Code::InvalidArgument),
            ("device", Field::Text("till-2"), Code::UnknownField),
        ] {
            assert_eq!(Entry::default().set(key, field).unwrap_err().code, code, "{key}");
        }
        assert_eq!(Entry::default().member().unwrap_err().code, Code::MissingArgument);
        assert_eq!(Entry::default().at().unwrap_err().code, Code::MissingArgument);
        assert_eq!(Entry::default().check().unwrap_err().code, Code::MissingArgument);
        let long = "m".repeat(65);
        assert!(Entry { member: Some(&long), ..Entry::default() }.member().is_err());
        assert!(check_size(16 * 1024 * 1024).is_ok() && check_size(16 * 1024 * 1024 + 1).is_err());
        assert!(check_entry_size(65_536).is_ok() && check_entry_size(65_537).is_err());
        assert!(check_count(10_000).is_ok());
        assert_eq!(check_count(10_001).unwrap_err().code, Code::TooManyItems);
        assert!(check_method(Some(Field::Text("pin"))).is_ok());
        assert!(check_method(Some(Field::Text("face"))).is_err() && check_method(None).is_err());
    }

    #[test]
    fn clocks_are_bounded_on_both_sides() {
        let clock = Clock { now: 1_000, skew: 10, offline_max: 100 };
        for at in [900, 1_000, 1_010] {
            assert_eq!(clock.check(at), Ok(()), "{at}");
        }
        assert_eq!(clock.check(1_011).unwrap_err().code, Code::ClockSkew);
        assert_eq!(clock.check(899).unwrap_err().code, Code::EntryTooOld);
        let extreme = Clock { now: i64::MAX - 1, skew: 10, offline_max: i64::MAX };
        assert_eq!(extreme.check(0), Ok(()));
    }
}
