//! What a bank reports: lines of a webhook, good and bad.

use serde_json::{Value, json};
use wallet_ledger_tests::bank::with;

use super::model::{Bank, DAY, HOUR, text};

const WIB: i64 = 7 * HOUR;

/// The first and the last microsecond that a date can mean, and the bank's day, counted from 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    pub from: i64,
    pub until: i64,
    pub day: i64,
}

/// A moment in whole seconds as Moota writes it.
pub fn date(micros: i64) -> String {
    let local = chrono::DateTime::from_timestamp_micros(micros + WIB).expect("a moment of our days");
    local.format("%Y-%m-%d %H:%M:%S").to_string()
}

impl When {
    /// A date alone is a whole day in WIB, and so is midnight sharp: banks that know only the day say so.
    pub fn of(date: &str) -> When {
        let (day, time) = date.split_once(' ').unwrap_or((date, "00:00:00"));
        let local = chrono::NaiveDateTime::parse_from_str(&format!("{day} {time}"), "%Y-%m-%d %H:%M:%S")
            .unwrap_or_else(|e| panic!("{date}: {e}"));
        let from = local.and_utc().timestamp_micros() - WIB;
        let until = if time == "00:00:00" { from + DAY - 1 } else { from };
        When { from, until, day: (from + WIB).div_euclid(DAY) }
    }
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    NoAmount,
    NotAnAmount,
    Zero,
    TooManyDecimals,
    NoDirection,
    NoSuchDate,
    NoId,
    UnknownBank,
    NotAnObject,
}

impl Fault {
    pub const ALL: [Fault; 9] = [
        Fault::NoAmount,
        Fault::NotAnAmount,
        Fault::Zero,
        Fault::TooManyDecimals,
        Fault::NoDirection,
        Fault::NoSuchDate,
        Fault::NoId,
        Fault::UnknownBank,
        Fault::NotAnObject,
    ];

    /// Why the line is rejected, and the error where it comes alone.
    pub fn tokens(self) -> (&'static str, &'static str) {
        match self {
            Fault::NoAmount | Fault::NoId => ("missing_field", "invalid_argument"),
            Fault::NotAnAmount | Fault::Zero | Fault::TooManyDecimals => ("invalid_amount", "invalid_amount"),
            Fault::NoDirection => ("invalid_direction", "invalid_argument"),
            Fault::NoSuchDate => ("invalid_date", "invalid_argument"),
            Fault::UnknownBank => ("unknown_bank_account", "bank_account_not_found"),
            Fault::NotAnObject => ("not_an_object", "invalid_json"),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Report {
    /// The provider's.
    pub id: String,
    pub bank: usize,
    /// It names the account's number, not the provider's id of it.
    pub by_number: bool,
    pub is_credit: bool,
    pub amount: i64,
    pub date: String,
    pub words: String,
    pub fault: Option<Fault>,
}

impl Report {
    pub fn json(&self, banks: &[Bank]) -> Value {
        let bank = &banks[self.bank];
        let id = if self.by_number { Value::Null } else { json!(bank.id) };
        let line = json!({
            "mutation_id": self.id, "bank_id": id, "account_number": bank.number,
            "type": if self.is_credit { "CR" } else { "DB" }, "amount": text(self.amount),
            "date": self.date, "description": self.words, "balance": null,
        });
        match self.fault {
            None => line,
            Some(Fault::NoAmount) => with(&line, json!({ "amount": null })),
            Some(Fault::NotAnAmount) => with(&line, json!({ "amount": "1e3" })),
            Some(Fault::Zero) => with(&line, json!({ "amount": 0 })),
            Some(Fault::TooManyDecimals) => with(&line, json!({ "amount": "50000.125" })),
            Some(Fault::NoDirection) => with(&line, json!({ "type": "XX" })),
            Some(Fault::NoSuchDate) => with(&line, json!({ "date": "2026-02-30" })),
            Some(Fault::NoId) => with(&line, json!({ "mutation_id": null })),
            Some(Fault::UnknownBank) => with(&line, json!({ "bank_id": "other", "account_number": "99" })),
            Some(Fault::NotAnObject) => json!(5),
        }
    }
}
