//! What is told of a new mutation.

use super::rules::Decision;
use super::{Draft, reasons};
use crate::bank::account::rules::BankAccount;
use crate::bank::intent;
use crate::bank::intent::store::Intent;
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
    bank_account: Option<&'a str>,
    amount: Shown<Decimal>,
    status: &'static str,
    reasons: Vec<&'static str>,
}

pub fn paid(intent: &Intent, mutation_id: Uuid, transaction_id: Uuid, paid: Decimal) -> Paid<'_> {
    Paid {
        intent: intent::Payload::of(intent),
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
    if let Some(intent) = &draft.intent {
        let payload = paid(intent, draft.id, transaction_id, draft.arrival.amount);
        return Some(("intent.paid", intent.id.to_string(), Payload::Paid(payload)));
    }
    if draft.decision == Decision::Ignored {
        return None;
    }
    let payload = Unmatched {
        mutation_id: Shown(draft.id),
        bank_account: banks.get(&draft.arrival.bank_account_id).map(|bank| bank.account.as_str()),
        amount: Shown(draft.arrival.amount),
        status: draft.decision.state().name(),
        reasons: reasons(&draft.decision),
    };
    Some(("mutation.unmatched", draft.id.to_string(), Payload::Unmatched(payload)))
}
