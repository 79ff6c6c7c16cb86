//! Purchases and refunds as SQL returns them, and as a key remembers them.

use crate::purchase::refund::Refunded;
use crate::purchase::rules::line::Line;
use crate::purchase::{Bought, overdraft::Repaid};
use crate::spi::Argument;
use crate::spi::face::{Composite, composite_result};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::ffi::CStr;
use uuid::Uuid;

/// A purchase in words, as a call has left it: what a repetition of the call is answered with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    id: Uuid,
    status: String,
    member: String,
    account: String,
    merchant: String,
    device: Option<String>,
    amount: Decimal,
    currency: String,
    refunded: Decimal,
    items: Value,
    transaction_id: Option<Uuid>,
    balance: Option<Decimal>,
    remaining: Option<Decimal>,
    error: Option<String>,
    message: Option<String>,
    purchased_at: i64,
    created_at: i64,
}

impl Snapshot {
    pub fn new(bought: Bought) -> Self {
        let Bought { purchase, left } = bought;
        Self {
            id: purchase.id,
            status: purchase.state.name().to_owned(),
            items: purchase.lines.iter().enumerate().map(|(place, (line, _))| item(place, line)).collect(),
            member: purchase.member.member,
            account: purchase.member.account,
            merchant: purchase.merchant,
            device: purchase.device,
            amount: purchase.amount,
            refunded: crate::money::zero(purchase.member.scale),
            currency: purchase.member.currency,
            transaction_id: purchase.transaction_id,
            balance: left.map(|left| left.balance),
            remaining: left.and_then(|left| left.remaining),
            error: purchase.refusal.as_ref().map(|refusal| refusal.token.clone()),
            message: purchase.refusal.map(|refusal| refusal.message),
            purchased_at: purchase.purchased_at,
            created_at: purchase.created_at,
        }
    }
}

fn item(place: usize, line: &Line) -> Value {
    json!({
        "line": place + 1,
        "item": line.item,
        "name": line.name,
        "category": line.category,
        "quantity": line.quantity.to_string(),
        "unit_price": line.unit_price.to_string(),
        "amount": line.amount.to_string(),
    })
}

/// A purchase.
pub struct PurchaseRow {
    pub ledger: String,
    pub snapshot: Snapshot,
    pub replayed: bool,
}

composite_result!(PurchaseRow, "wallet_ledger.purchase_row");

impl Composite for PurchaseRow {
    const NAME: &'static CStr = c"purchase_row";

    fn into_values(self) -> Vec<Argument> {
        let purchase = &self.snapshot;
        vec![
            purchase.id.into(),
            (&self.ledger).into(),
            (&purchase.status).into(),
            (&purchase.member).into(),
            (&purchase.account).into(),
            (&purchase.merchant).into(),
            purchase.device.as_deref().into(),
            purchase.amount.into(),
            (&purchase.currency).into(),
            purchase.refunded.into(),
            Argument::json_value(&purchase.items),
            purchase.transaction_id.into(),
            purchase.balance.into(),
            purchase.remaining.into(),
            purchase.error.as_deref().into(),
            purchase.message.as_deref().into(),
            purchase.purchased_at.into(),
            purchase.created_at.into(),
            self.replayed.into(),
        ]
    }
}

/// A refund in words.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefundSnapshot {
    id: Uuid,
    purchase_id: Uuid,
    member: String,
    account: String,
    merchant: String,
    amount: Decimal,
    currency: String,
    to_overdraft: Decimal,
    refunded: Decimal,
    left: Decimal,
    items: Value,
    transaction_id: Uuid,
    balance: Option<Decimal>,
    refunded_at: i64,
}

impl RefundSnapshot {
    pub fn new(purchase_id: Uuid, done: Refunded) -> Self {
        let purchase = done.purchase;
        let refunded = purchase.refunded + done.amount;
        Self {
            id: done.id,
            purchase_id,
            member: purchase.member,
            account: purchase.account,
            merchant: purchase.merchant,
            amount: done.amount,
            currency: purchase.currency,
            to_overdraft: done.to_overdraft,
            refunded,
            left: purchase.amount - refunded,
            items: done.items,
            transaction_id: done.transaction_id,
            balance: done.balance,
            refunded_at: done.at,
        }
    }
}

/// A refund.
pub struct RefundRow {
    pub ledger: String,
    pub snapshot: RefundSnapshot,
    pub replayed: bool,
}

composite_result!(RefundRow, "wallet_ledger.purchase_refund_row");

impl Composite for RefundRow {
    const NAME: &'static CStr = c"purchase_refund_row";

    fn into_values(self) -> Vec<Argument> {
        let refund = &self.snapshot;
        vec![
            refund.id.into(),
            (&self.ledger).into(),
            refund.purchase_id.into(),
            (&refund.member).into(),
            (&refund.account).into(),
            (&refund.merchant).into(),
            refund.amount.into(),
            (&refund.currency).into(),
            refund.to_overdraft.into(),
            refund.refunded.into(),
            refund.left.into(),
            Argument::json_value(&refund.items),
            refund.transaction_id.into(),
            refund.balance.into(),
            refund.refunded_at.into(),
            self.replayed.into(),
        ]
    }
}

/// What a repayment came to.
pub struct RepaymentRow {
    pub ledger: String,
    pub member: String,
    pub repaid: Repaid,
}

composite_result!(RepaymentRow, "wallet_ledger.overdraft_repayment_row");

impl Composite for RepaymentRow {
    const NAME: &'static CStr = c"overdraft_repayment_row";

    fn into_values(self) -> Vec<Argument> {
        let repaid = &self.repaid;
        vec![
            (&self.ledger).into(),
            (&self.member).into(),
            (&repaid.wallet).into(),
            (&repaid.overdraft).into(),
            repaid.amount.into(),
            repaid.owed.into(),
            repaid.balance.into(),
            (&repaid.currency).into(),
            repaid.transaction_id.into(),
        ]
    }
}
