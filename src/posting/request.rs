//! One requested transfer, as it came: nothing is decided about it yet.

use crate::error::{Code, LedgerError, Result, invalid, missing};
use crate::idempotency::rules::{Fingerprint, Operation};
use crate::json::Field;
use crate::money::Number;
use crate::{address, money, time};
use rust_decimal::Decimal;

/// The keys that an item of `post_transfers` may have.
pub const FIELDS: [&str; 11] = [
    "debit_account",
    "credit_account",
    "amount",
    "kind",
    "idempotency_key",
    "reference",
    "description",
    "metadata",
    "effective_at",
    "expected_version",
    "transaction",
];

/// Longest reference and description, in bytes: they are labels, not documents.
const REFERENCE_BYTES_MAX: usize = 255;
const DESCRIPTION_BYTES_MAX: usize = 2_000;
/// Largest metadata, in bytes of its jsonb form.
const METADATA_BYTES_MAX: usize = 64 * 1024;

#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    pub debit_account: Option<&'a str>,
    pub credit_account: Option<&'a str>,
    pub amount: Option<Number>,
    pub kind: Option<&'a str>,
    pub idempotency_key: Option<&'a str>,
    pub reference: Option<&'a str>,
    pub description: Option<&'a str>,
    pub metadata: Option<Vec<u8>>,
    pub effective_at: Option<i64>,
    pub expected_version: Option<i64>,
    /// Items with the same label happen together or not at all.
    pub transaction: Option<&'a str>,
    /// An account that what follows a refusal will need: locked with the others, so that it is in the one order.
    pub otherwise: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// Takes over one key of a JSON item. NULL means absent.
    pub fn set(&mut self, key: &'a str, field: Field<'a>) -> Result<()> {
        if !FIELDS.contains(&key) {
            return Err(LedgerError::new(Code::UnknownField, format!("unknown key \"{key}\""))
                .with("field", key)
                .with("known_fields", FIELDS.join(", ")));
        }
        match key {
            "debit_account" => self.debit_account = field.into_text(key)?,
            "credit_account" => self.credit_account = field.into_text(key)?,
            "amount" => self.amount = field.into_number(key)?,
            "kind" => self.kind = field.into_text(key)?,
            "idempotency_key" => self.idempotency_key = field.into_text(key)?,
            "reference" => self.reference = field.into_text(key)?,
            "description" => self.description = field.into_text(key)?,
            "metadata" => self.metadata = document(key, field)?,
            "effective_at" => {
                self.effective_at =
                    field.into_text(key)?.map(|value| time::from_text(value, "effective_at")).transpose()?;
            }
            "expected_version" => self.expected_version = field.into_integer(key)?,
            _ => self.transaction = field.into_text(key)?,
        }
        Ok(())
    }

    /// What makes two requests the same. The key itself is not part of it.
    pub fn fingerprint(&self, operation: Operation) -> Fingerprint {
        Fingerprint::new(operation)
            .text("debit_account", self.debit_account)
            .text("credit_account", self.credit_account)
            .amount("amount", self.amount)
            .text("kind", Some(self.kind.unwrap_or(DEFAULT_KIND)))
            .text("reference", self.reference)
            .text("description", self.description)
            .raw("metadata", self.metadata.as_deref())
            .integer("effective_at", self.effective_at)
            .integer("expected_version", self.expected_version)
            .text("transaction", self.transaction)
    }

    /// Checks everything that can be judged without looking at the books, in the documented order.
    pub fn check(&self) -> Result<Checked<'a>> {
        let debit_account = self.debit_account.ok_or_else(|| missing("debit_account"))?;
        let credit_account = self.credit_account.ok_or_else(|| missing("credit_account"))?;
        let amount = money::positive(self.amount.ok_or_else(|| missing("amount"))?, "amount")?;
        let debit_account = address::checked(debit_account, "debit_account")?;
        let credit_account = address::checked(credit_account, "credit_account")?;
        if debit_account == credit_account {
            return Err(LedgerError::new(
                Code::SameAccount,
                format!("debit and credit both name {debit_account}"),
            )
            .with("account", debit_account));
        }
        check_labels(self.reference, self.description, self.metadata.as_deref())?;
        if let Some(effective_at) = self.effective_at {
            time::finite(effective_at, "effective_at")?;
        }
        if self.expected_version.is_some_and(|version| version < 0) {
            return Err(invalid("expected_version", "not be negative"));
        }
        Ok(Checked { debit_account, credit_account, amount })
    }
}

/// The kind of a transfer that names none.
pub const DEFAULT_KIND: &str = "transfer";

/// The parts of a request that passed [`Request::check`].
#[derive(Clone, Copy, Debug)]
pub struct Checked<'a> {
    pub debit_account: &'a str,
    pub credit_account: &'a str,
    pub amount: Decimal,
}

/// Bounds of the free-text columns, for transfers and holds alike.
pub fn check_labels(
    reference: Option<&str>,
    description: Option<&str>,
    metadata: Option<&[u8]>,
) -> Result<()> {
    if reference.is_some_and(|text| text.is_empty() || text.len() > REFERENCE_BYTES_MAX) {
        return Err(invalid("reference", "have 1 to 255 bytes"));
    }
    if description.is_some_and(|text| text.len() > DESCRIPTION_BYTES_MAX) {
        return Err(invalid("description", "have at most 2000 bytes"));
    }
    if metadata.is_some_and(|bytes| bytes.len() > METADATA_BYTES_MAX) {
        return Err(invalid("metadata", "have at most 65536 bytes"));
    }
    if metadata.is_some_and(is_scalar) {
        return Err(invalid("metadata", "be a JSON object or array"));
    }
    Ok(())
}

/// Whether jsonb bytes are a bare string, number, boolean or null: flagged in the first word.
pub fn is_scalar(bytes: &[u8]) -> bool {
    const SCALAR: u32 = 0x1000_0000;
    bytes.first_chunk().is_some_and(|word| u32::from_ne_bytes(*word) & SCALAR != 0)
}

fn document(name: &str, field: Field) -> Result<Option<Vec<u8>>> {
    match field {
        Field::Null => Ok(None),
        Field::Nested(bytes) => Ok(Some(bytes)),
        other => Err(other.wrong_type(name, "an object or array")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request<'static> {
        Request {
            debit_account: Some("a"),
            credit_account: Some("b"),
            amount: Some(Number::Finite(Decimal::ONE)),
            ..Request::default()
        }
    }

    #[test]
    fn a_misspelt_key_is_refused_by_name() {
        let error = Request::default().set("ammount", Field::Text("1")).unwrap_err();
        assert_eq!(error.code, Code::UnknownField);
        assert_eq!(error.detail()["field"], "ammount");
    }

    #[test]
    fn numbers_may_come_as_strings() {
        for (text, value) in [("12111.00", Number::Finite(Decimal::new(1_211_100, 2))), ("NaN", Number::Nan)]
        {
            let mut request = Request::default();
            request.set("amount", Field::Text(text)).unwrap();
            assert_eq!(request.amount, Some(value));
        }
        for text in ["", " 1", "1e5", "1,5", "1.", ".5", "--1", "+1", "Rp1", "💸", "1.2.3"] {
            assert!(Request::default().set("amount", Field::Text(text)).is_err(), "{text:?}");
        }
        let huge = "1".repeat(40);
        assert_eq!(parse_number("amount", &huge), Ok(Number::OutOfRange));
    }

    #[test]
    fn the_first_fault_in_documented_order_is_named() {
        let check = |change: fn(&mut Request<'static>)| {
            let mut changed = request();
            change(&mut changed);
            changed.check().map(|_| ()).map_err(|error| error.code)
        };
        assert_eq!(check(|_| ()), Ok(()));
        assert_eq!(check(|request| request.debit_account = None), Err(Code::MissingArgument));
        assert_eq!(check(|request| request.amount = None), Err(Code::MissingArgument));
        assert_eq!(check(|request| request.credit_account = Some("a")), Err(Code::SameAccount));
        assert_eq!(check(|request| request.credit_account = Some("a b")), Err(Code::InvalidAddress));
        assert_eq!(check(|request| request.amount = Some(Number::Nan)), Err(Code::InvalidAmount));
        assert_eq!(check(|request| request.effective_at = Some(time::INFINITY)), Err(Code::InvalidArgument));
        assert_eq!(check(|request| request.reference = Some("")), Err(Code::InvalidArgument));
        assert_eq!(check(|request| request.expected_version = Some(-1)), Err(Code::InvalidArgument));
    }
}
