//! What the application is told when a gateway takes a payment back.

use super::credit::Payment;
use super::reverse::Reversed;
use crate::bank::intent::store::Intent;
use crate::event;
use crate::ledger::Ledger;
use crate::spi::Session;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

/// A reversal, with what it is about.
pub struct Told<'a> {
    pub payment: &'a Payment<'a>,
    /// The intent that the payment had paid.
    pub intent: Option<&'a Intent>,
    pub credit_id: Uuid,
    pub reversed: &'a Reversed,
    pub cause: &'a str,
}

/// A payment was taken back, or a part of it.
pub fn reversed(session: &Session, ledger: &Ledger, told: &Told, amount: Decimal, covered: Decimal) {
    let mut payload = payload(told, amount);
    payload["covered"] = json!(covered.to_string());
    event::write(session, ledger, "gateway.reversed", &told.payment.notice.payment_id, payload);
}

/// The account that had been credited could not pay all of it back.
pub fn shortfall(
    session: &Session,
    ledger: &Ledger,
    told: &Told,
    amount: Decimal,
    missing: Decimal,
    account: &str,
) {
    let mut payload = payload(told, amount);
    payload["shortfall"] = json!(missing.to_string());
    payload["shortfall_account"] = json!(account);
    event::write(session, ledger, "gateway.shortfall", &told.payment.notice.payment_id, payload);
}

fn payload(told: &Told, amount: Decimal) -> Value {
    let (payment, intent) = (told.payment, told.intent);
    json!({
        "payment_id": payment.notice.payment_id,
        "number": payment.number,
        "provider": payment.provider.name(),
        "bank_account": payment.bank.account,
        "cause": told.cause,
        "amount": amount.to_string(),
        "mutation_id": told.credit_id.to_string(),
        "reversal_mutation_id": told.reversed.mutation_id.to_string(),
        "transaction_id": told.reversed.transaction_id.to_string(),
        "intent_id": intent.map(|intent| intent.id.to_string()),
        "purpose": intent.map(|intent| intent.purpose.name()),
        "reference": intent.and_then(|intent| intent.reference.as_deref()),
        "credit_account": intent.map(|intent| intent.credit_account.as_str()),
    })
}
