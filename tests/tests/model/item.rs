//! One requested transfer: its request, its SQL, and what is wrong with its form.

use wallet_ledger_tests::{Decimal, Value, json};

use crate::books::{Books, Fault, KINDS, Request, fault};

/// One requested transfer.
#[derive(Clone, Debug, Default)]
pub struct Item {
    pub debit: String,
    pub credit: String,
    pub amount: String,
    pub kind: Option<String>,
    pub key: Option<String>,
    pub reference: Option<String>,
    /// A day of January 2024.
    pub effective: Option<i64>,
    pub expected_version: Option<i64>,
    /// Items with the same number belong together.
    pub transaction: Option<u32>,
}

pub fn day(number: i64) -> String {
    format!("2024-01-{number:02}T00:00:00+00:00")
}

pub fn literal(value: Option<impl ToString>) -> String {
    value.map_or("NULL".to_owned(), |value| format!("'{}'", value.to_string()))
}

impl Item {
    pub fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("transfer")
    }

    pub fn request(&self) -> Request {
        Request::new("post_transfer")
            .field("debit_account", Some(&self.debit))
            .field("credit_account", Some(&self.credit))
            .amount(Some(&self.amount))
            .field("kind", Some(self.kind()))
            .field("reference", self.reference.as_ref())
            .field("effective_at", self.effective)
            .field("expected_version", self.expected_version)
            .field("transaction", self.transaction)
    }

    pub fn arguments(&self) -> String {
        format!(
            "'{}', '{}', '{}', '{}', {}, {}, NULL, NULL, {}, {}",
            self.debit,
            self.credit,
            self.amount,
            self.kind(),
            literal(self.key.as_ref()),
            literal(self.reference.as_ref()),
            literal(self.effective.map(day)),
            literal(self.expected_version),
        )
    }

    pub fn json(&self) -> Value {
        let mut item =
            json!({"debit_account": self.debit, "credit_account": self.credit, "amount": self.amount});
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                item[name] = value;
            }
        };
        set("kind", self.kind.clone().map(Value::from));
        set("idempotency_key", self.key.clone().map(Value::from));
        set("reference", self.reference.clone().map(Value::from));
        set("effective_at", self.effective.map(|number| day(number).into()));
        set("expected_version", self.expected_version.map(Value::from));
        set("transaction", self.transaction.map(|label| format!("t{label}").into()));
        item
    }

    /// What can be judged without the accounts, in the documented order: form, kind, closed period.
    pub fn check(&self, books: &Books) -> Result<Decimal, Fault> {
        let amount = amount(&self.amount)?;
        for (name, address) in [("debit_account", &self.debit), ("credit_account", &self.credit)] {
            if address.contains(' ') {
                return Err(fault("invalid_address").with("argument", name));
            }
        }
        if self.debit == self.credit {
            return Err(fault("same_account"));
        }
        match self.kind() {
            "reversal" => return Err(fault("reserved_kind")),
            kind if !KINDS.contains(&kind) => return Err(fault("kind_not_found").with("kind", kind)),
            _ => {}
        }
        match (self.effective, books.closed_until) {
            (Some(day), Some(until)) if day < until => Err(fault("period_closed")),
            _ => Ok(amount),
        }
    }
}

/// A finite number above zero that fits.
pub fn amount(written: &str) -> Result<Decimal, Fault> {
    match written {
        "NaN" => return Err(fault("invalid_amount").with("reason", "NaN")),
        "Infinity" => return Err(fault("invalid_amount").with("reason", "infinite")),
        _ => {}
    }
    match Decimal::from_str_exact(written) {
        Err(_) => Err(fault("amount_out_of_range")),
        Ok(value) if value.is_zero() => Err(fault("invalid_amount").with("reason", "zero")),
        Ok(value) if value < Decimal::ZERO => Err(fault("invalid_amount").with("reason", "negative")),
        Ok(value) => Ok(value),
    }
}
