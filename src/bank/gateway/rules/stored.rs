//! The facts of a payment as JSON, for a jsonb column: equal facts are equal values, and what is not known
//! is left out.

use super::{Payment, Reversals, State};
use crate::bank::rules::Ending;
use crate::error::{Code, LedgerError, Result};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const ENDINGS: [Ending; 4] = [Ending::Expired, Ending::Cancelled, Ending::Failed, Ending::Denied];

impl Payment {
    pub fn to_json(&self) -> Value {
        let flag = |is_set: bool| is_set.then_some(Value::Bool(true));
        object([
            ("amount_conflict", flag(self.amount_conflict)),
            ("challenged", flag(self.challenged)),
            ("chargebacks", self.chargebacks.to_json()),
            ("ending", self.ending.map(|ending| json!(State::from(ending).name()))),
            ("gross", self.gross.map(text)),
            ("pending", flag(self.pending)),
            ("refunds", self.refunds.to_json()),
            ("settled", flag(self.settled)),
        ])
    }

    /// The inverse of [`Self::to_json`]; what is unreadable is reported as such, never guessed at.
    pub fn from_json(json: &Value) -> Result<Self> {
        read(json).ok_or_else(|| {
            LedgerError::new(Code::BooksInconsistent, "the stored facts of a gateway payment are unreadable")
                .with("facts", json)
        })
    }
}

fn read(json: &Value) -> Option<Payment> {
    let mut payment = Payment::default();
    for (name, value) in json.as_object()? {
        match name.as_str() {
            "amount_conflict" => payment.amount_conflict = value.as_bool()?,
            "challenged" => payment.challenged = value.as_bool()?,
            "chargebacks" => payment.chargebacks = Reversals::read(value)?,
            "ending" => {
                let name = value.as_str()?;
                let ending = ENDINGS.into_iter().find(|ending| State::from(*ending).name() == name);
                payment.ending = Some(ending?);
            }
            "gross" => payment.gross = Some(decimal(value)?),
            "pending" => payment.pending = value.as_bool()?,
            "refunds" => payment.refunds = Reversals::read(value)?,
            "settled" => payment.settled = value.as_bool()?,
            _ => return None,
        }
    }
    Some(payment)
}

impl Reversals {
    fn to_json(&self) -> Option<Value> {
        if *self == Self::default() {
            return None;
        }
        let ids: Map<String, Value> =
            self.by_id.iter().map(|(id, amount)| (id.clone(), text(*amount))).collect();
        Some(object([
            ("by_id", (!ids.is_empty()).then_some(Value::Object(ids))),
            ("running", (!self.running.is_zero()).then(|| text(self.running))),
            ("whole", self.is_whole.then_some(Value::Bool(true))),
        ]))
    }

    fn read(json: &Value) -> Option<Self> {
        let mut reversals = Self::default();
        for (name, value) in json.as_object()? {
            match name.as_str() {
                "by_id" => {
                    let amount = |(id, amount): (&String, &Value)| Some((id.clone(), decimal(amount)?));
                    reversals.by_id =
                        value.as_object()?.iter().map(amount).collect::<Option<BTreeMap<_, _>>>()?;
                }
                "running" => reversals.running = decimal(value)?,
                "whole" => reversals.is_whole = value.as_bool()?,
                _ => return None,
            }
        }
        Some(reversals)
    }
}

fn object<const N: usize>(entries: [(&str, Option<Value>); N]) -> Value {
    let present = entries.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(present.collect())
}

/// Money is text in JSON: numbers would be rounded by others.
fn text(amount: Decimal) -> Value {
    Value::String(amount.to_string())
}

fn decimal(json: &Value) -> Option<Decimal> {
    Decimal::from_str_exact(json.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bank::rules::{Cause, Fact};

    #[test]
    fn the_form_is_compact_and_the_same_for_equal_facts() {
        assert_eq!(Payment::new(None).to_json(), json!({}));
        let reversed = |id: Option<&str>, amount: Option<Decimal>| Fact::Reversed {
            cause: Cause::Refund,
            id: id.map(str::to_owned),
            amount,
        };
        let facts = [
            Fact::Settled,
            Fact::Ended(Ending::Denied),
            reversed(Some("b"), Some(Decimal::from(30))),
            reversed(Some("a"), Some(Decimal::new(2_050, 2))),
            reversed(Some("b"), Some(Decimal::new(3_000, 2))),
            reversed(None, Some(Decimal::from(25))),
            reversed(None, None),
        ];
        let mut payment = Payment::new(Some(Decimal::new(10_000, 2)));
        payment.merge_all(&facts);
        let refunds = json!({"by_id": {"a": "20.5", "b": "30"}, "running": "25", "whole": true});
        let expected = json!({"ending": "denied", "gross": "100", "refunds": refunds, "settled": true});
        assert_eq!(payment.to_json().to_string(), expected.to_string());
        let mut backwards = Payment::new(Some(Decimal::from(100)));
        backwards.merge_all(facts.iter().rev());
        assert_eq!(backwards.to_json().to_string(), expected.to_string());
    }

    #[test]
    fn what_is_unreadable_is_not_guessed() {
        for json in [
            json!(null),
            json!([]),
            json!({"settled": 1}),
            json!({"gross": 100}),
            json!({"gross": "1e400"}),
            json!({"ending": "settled"}),
            json!({"refunds": []}),
            json!({"refunds": {"by_id": {"a": null}}}),
            json!({"refunds": {"other": true}}),
            json!({"of_a_later_version": true}),
        ] {
            assert_eq!(Payment::from_json(&json).unwrap_err().code, Code::BooksInconsistent, "{json}");
        }
    }
}
