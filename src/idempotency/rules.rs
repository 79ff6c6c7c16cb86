//! Requests as fingerprints: the same request gives the same bytes, another one tells where it differs.

use crate::error::{Code, LedgerError, Result, invalid};
use crate::money::Number;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// Bytes kept of each field's SHA-256. Two different values of a field look the same once in 2^64.
const FIELD_BYTES: usize = 8;
/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 255;

/// What a key was used for. Stored: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    PostTransfer = 1,
    PostTransfers = 2,
    ReverseTransfer = 3,
    ReverseTransaction = 4,
    HoldFunds = 5,
    CaptureHold = 6,
    ReleaseHold = 7,
    CreateIntent = 8,
    OpenEscrow = 9,
    ConfirmReceipt = 10,
    ReleaseEscrow = 11,
    RefundEscrow = 12,
    JoinGroupBuy = 13,
    Subscribe = 14,
    Purchase = 15,
    RefundPurchase = 16,
}

impl Operation {
    fn name(id: i16) -> &'static str {
        match id {
            1 => "post_transfer",
            2 => "post_transfers",
            3 => "reverse_transfer",
            4 => "reverse_transaction",
            5 => "hold_funds",
            6 => "capture_hold",
            7 => "release_hold",
            8 => "create_intent",
            9 => "open_escrow",
            10 => "confirm_receipt",
            11 => "release_escrow",
            12 => "refund_escrow",
            13 => "join_group_buy",
            14 => "subscribe",
            15 => "purchase",
            16 => "refund_purchase",
            _ => "another operation",
        }
    }
}

/// The fields of one request, hashed one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    pub operation: Operation,
    names: Vec<&'static str>,
    bytes: Vec<u8>,
}

impl Fingerprint {
    pub fn new(operation: Operation) -> Self {
        Self { operation, names: Vec::new(), bytes: Vec::new() }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    #[must_use]
    pub fn raw(mut self, name: &'static str, value: Option<&[u8]>) -> Self {
        self.names.push(name);
        match value {
            // An absent field is zeros; a present one is never hashed to zeros in practice.
            None => self.bytes.extend([0; FIELD_BYTES]),
            Some(value) => self.bytes.extend(&Sha256::digest(value)[..FIELD_BYTES]),
        }
        self
    }

    #[must_use]
    pub fn text(self, name: &'static str, value: Option<&str>) -> Self {
        self.raw(name, value.map(str::as_bytes))
    }

    #[must_use]
    pub fn integer(self, name: &'static str, value: Option<i64>) -> Self {
        self.raw(name, value.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice))
    }

    /// `100` and `100.00` are the same amount.
    #[must_use]
    pub fn amount(self, name: &'static str, value: Option<Number>) -> Self {
        let canonical = value.map(|number| match number {
            Number::Finite(value) => value.normalize().to_string(),
            other => format!("{other:?}"),
        });
        self.text(name, canonical.as_deref())
    }

    /// Compares with what is stored under `key`; the error names the first field that differs.
    pub fn check_same(&self, key: &str, operation_id: i16, stored: &[u8]) -> Result<()> {
        let field = if operation_id != self.operation as i16 {
            "operation"
        } else if stored == self.bytes {
            return Ok(());
        } else {
            let differs = |index: &usize| {
                let range = index * FIELD_BYTES..(index + 1) * FIELD_BYTES;
                stored.get(range.clone()) != self.bytes.get(range)
            };
            (0..self.names.len()).find(differs).map_or("operation", |index| self.names[index])
        };
        Err(LedgerError::new(
            Code::IdempotencyConflict,
            format!("idempotency key {key} was used before with another {field}"),
        )
        .with("idempotency_key", key)
        .with("field", field)
        .with("operation", Operation::name(operation_id)))
    }
}

/// A key's form: not empty, not endless.
pub fn check_key(key: &str) -> Result<()> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(invalid("idempotency_key", "have 1 to 255 bytes").with_count("bytes", key.len() as i64));
    }
    Ok(())
}

/// A person's key, kept apart from everybody else's and from those of backends. The actor's length keeps `a` with
/// the key `b:c` and `a:b` with the key `c` apart; what would be too long is kept as its digest.
pub fn personal(actor: &str, key: &str) -> Result<Cow<'static, str>> {
    check_key(key)?;
    let whole = format!("user:{}:{actor}:{key}", actor.len());
    if whole.len() <= KEY_BYTES_MAX {
        return Ok(whole.into());
    }
    Ok(format!("user:{:x}", Sha256::digest(whole.as_bytes())).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::Decimal;

    fn request(amount: i64, scale: u32, reference: Option<&str>) -> Fingerprint {
        Fingerprint::new(Operation::PostTransfer)
            .text("debit_account", Some("a"))
            .amount("amount", Some(Number::Finite(Decimal::new(amount, scale))))
            .text("reference", reference)
    }

    #[test]
    fn equal_requests_are_equal_however_the_amount_is_written() {
        let first = request(100, 0, None);
        assert!(request(10_000, 2, None).check_same("k", 1, first.bytes()).is_ok());
    }

    #[test]
    fn a_different_request_names_its_first_different_field() {
        let first = request(100, 0, None);
        let field = |other: Fingerprint| {
            other.check_same("k", 1, first.bytes()).unwrap_err().detail()["field"].clone()
        };
        assert_eq!(field(request(101, 0, None)), "amount");
        assert_eq!(field(request(100, 0, Some(""))), "reference");
        assert_eq!(
            field(Fingerprint::new(Operation::PostTransfer).text("debit_account", Some("b"))),
            "debit_account"
        );
        let error = request(100, 0, None).check_same("k", 5, first.bytes()).unwrap_err();
        assert_eq!(error.detail()["operation"], "hold_funds");
    }

    #[test]
    fn keys_have_a_form() {
        assert!(check_key("order-1").is_ok() && check_key(&"x".repeat(255)).is_ok());
        assert!(check_key("").is_err() && check_key(&"x".repeat(256)).is_err());
    }

    #[test]
    fn persons_do_not_share_keys() {
        let own = |actor: &str, key: &str| personal(actor, key).unwrap().into_owned();
        assert_eq!(own("joni", "k-1"), "user:4:joni:k-1");
        assert_ne!(own("a", "b:c"), own("a:b", "c"));
        let long = "x".repeat(255);
        assert_ne!(own("joni", &long), own("jono", &long));
        assert!(check_key(&own("joni", &long)).is_ok());
        assert!(personal("joni", "").is_err() && personal("joni", &"x".repeat(256)).is_err());
    }
}
