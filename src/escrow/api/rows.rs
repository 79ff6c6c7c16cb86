//! Escrows as SQL returns them.

use crate::escrow::rules::line::Line;
use crate::escrow::rules::{amount, split::Units};
use crate::escrow::store::StoredLine;
use crate::escrow::{Due, Opened};
use crate::ledger::Ledger;
use crate::spi::Argument;
use crate::spi::face::{Composite, composite_result};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::ffi::CStr;
use uuid::Uuid;

/// An escrow in words, as a call has left it: what a repetition of the call is answered with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    id: Uuid,
    reference: String,
    status: String,
    account: String,
    buyer_account: String,
    amount: Decimal,
    held_amount: Decimal,
    released_amount: Decimal,
    fee_amount: Decimal,
    refunded_amount: Decimal,
    returned_amount: Decimal,
    currency: String,
    lines: Value,
    intent_id: Option<Uuid>,
    tracking_reference: Option<String>,
    transaction_id: Option<Uuid>,
    opened_at: i64,
    shipped_at: Option<i64>,
    release_due_at: Option<i64>,
    closed_at: Option<i64>,
}

impl Snapshot {
    pub fn new(opened: &Opened) -> Self {
        let (escrow, scale) = (&opened.escrow, opened.escrow.scale);
        let sum =
            |of: fn(&Line) -> Units| amount(opened.lines.iter().map(|stored| of(&stored.line)).sum(), scale);
        Self {
            id: escrow.id,
            reference: escrow.reference.clone(),
            status: escrow.state.name().to_owned(),
            account: escrow.account.clone(),
            buyer_account: escrow.buyer.clone(),
            amount: escrow.amount,
            held_amount: sum(Line::held),
            released_amount: sum(|line| line.released),
            fee_amount: sum(|line| line.fee),
            refunded_amount: sum(|line| line.refunded),
            returned_amount: sum(|line| line.returned),
            currency: escrow.currency.clone(),
            lines: lines(opened),
            intent_id: escrow.intent_id,
            tracking_reference: escrow.tracking_reference.clone(),
            transaction_id: opened.transaction_id,
            opened_at: escrow.opened_at,
            shipped_at: escrow.shipped_at,
            release_due_at: escrow.release_due_at,
            closed_at: escrow.closed_at,
        }
    }
}

/// The lines as JSON. Money goes out as strings: JavaScript would round numbers.
fn lines(opened: &Opened) -> Value {
    let text = |units| amount(units, opened.escrow.scale).to_string();
    let line = |(index, stored): (usize, &StoredLine)| {
        json!({
            "line": index + 1,
            "beneficiary_account": stored.beneficiary,
            "amount": text(stored.line.amount),
            "fee": stored.fee,
            "rate": stored.line.rate.to_decimal().to_string(),
            "held_amount": text(stored.line.held()),
            "released_amount": text(stored.line.released),
            "fee_amount": text(stored.line.fee),
            "refunded_amount": text(stored.line.refunded),
            "returned_amount": text(stored.line.returned),
            "returned_fee_amount": text(stored.line.returned_fee),
            "advanced_amount": text(stored.line.advanced),
            "description": stored.description,
        })
    };
    opened.lines.iter().enumerate().map(line).collect()
}

/// A snapshot as SQL returns it.
pub struct EscrowRow {
    ledger: String,
    snapshot: Snapshot,
    replayed: bool,
}

composite_result!(EscrowRow, "wallet_ledger.escrow_row");

impl EscrowRow {
    pub fn new(ledger: &Ledger, snapshot: Snapshot, replayed: bool) -> Self {
        Self { ledger: ledger.name.clone(), snapshot, replayed }
    }
}

impl Composite for EscrowRow {
    const NAME: &'static CStr = c"escrow_row";

    fn into_values(self) -> Vec<Argument> {
        let escrow = &self.snapshot;
        vec![
            escrow.id.into(),
            (&self.ledger).into(),
            (&escrow.reference).into(),
            (&escrow.status).into(),
            (&escrow.account).into(),
            (&escrow.buyer_account).into(),
            escrow.amount.into(),
            escrow.held_amount.into(),
            escrow.released_amount.into(),
            escrow.fee_amount.into(),
            escrow.refunded_amount.into(),
            escrow.returned_amount.into(),
            (&escrow.currency).into(),
            Argument::json_value(&escrow.lines),
            escrow.intent_id.into(),
            escrow.tracking_reference.as_deref().into(),
            escrow.transaction_id.into(),
            escrow.opened_at.into(),
            escrow.shipped_at.into(),
            escrow.release_due_at.into(),
            escrow.closed_at.into(),
            self.replayed.into(),
        ]
    }
}

/// What became of an escrow that was due.
pub struct DueRow {
    ledger: String,
    due: Due,
}

composite_result!(DueRow, "wallet_ledger.due_escrow_row");

impl DueRow {
    pub fn new(ledger: &Ledger, due: Due) -> Self {
        Self { ledger: ledger.name.clone(), due }
    }
}

impl Composite for DueRow {
    const NAME: &'static CStr = c"due_escrow_row";

    fn into_values(self) -> Vec<Argument> {
        let failure = self.due.outcome.as_ref().err();
        vec![
            self.due.escrow_id.into(),
            (&self.ledger).into(),
            (&self.due.reference).into(),
            if failure.is_some() { "failed" } else { "released" }.into(),
            self.due.outcome.as_ref().ok().copied().into(),
            failure.map(|failure| failure.token.as_str()).into(),
            failure.map(|failure| failure.message.as_str()).into(),
        ]
    }
}
