//! What is told of a new mutation.

use super::rules::Decision;
use super::{Draft, reasons};
use crate::bank::account::rules::BankAccount;
use crate::bank::intent;
use crate::json::Shown;
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::HashMap;
use uuid::Uuid;

#[derive(Serialize)]
#[serde(untagged)]
pub enum Payload<'a> {
    Paid(Paid<'a>),
    Unmatched(Unmatched<'a>),
}

/// What the event of a payment says.
#[derive(Serialize)]
pub struct Paid<'a> {
    #[serde(flatten)]
    intent: intent::Payload<'a>,
    mutation_id: Shown<Uuid>,
    transaction_id: Shown<Uuid>,
    paid_amount: Shown<Decimal>,
}

/// What the event of a credit says that belongs to nobody yet.
#[derive(Serialize)]
pub struct Unmatched<'a> {
    mutation_id: Shown<Uuid>,
    bank_account: &'a str,
    amount: Shown<Decimal>,
    status: &'static str,
    reasons: Vec<&'static str>,
}

pub fn paid(intent: intent::Payload<'_>, mutation_id: Uuid, transaction_id: Uuid, paid: Decimal) -> Paid<'_> {
    Paid {
        intent,
        mutation_id: Shown(mutation_id),
        transaction_id: Shown(transaction_id),
        paid_amount: Shown(paid),
    }
}

/// The event of a new mutation: topic, subject, payload. Debits have none.
pub(super) fn of<'a>(
    draft: &'a Draft,
    banks: &'a HashMap<i32, BankAccount>,
) -> Option<(&'static str, String, Payload<'a>)> {
    let transaction_id = draft.transaction_id?;
    let bank = banks.get(&draft.arrival.bank_account_id)?;
    if let Some(intent) = &draft.intent {
        let said = intent::Payload::of_payable(intent, &bank.account);
        let payload = paid(said, draft.id, transaction_id, draft.arrival.amount);
        return Some(("intent.paid", intent.id.to_string(), Payload::Paid(payload)));
    }
    if draft.decision == Decision::Ignored {
        return None;
    }
    let payload = Unmatched {
        mutation_id: Shown(draft.id),
        bank_account: &bank.account,
        amount: Shown(draft.arrival.amount),
        status: draft.decision.state().name(),
        reasons: reasons(&draft.decision),
    };
    Some(("mutation.unmatched", draft.id.to_string(), Payload::Unmatched(payload)))
}
