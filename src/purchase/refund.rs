//! Giving back: all that is left, items, or an amount. Money goes back as reversals of the transfers that paid,
//! so that a limit's allowance comes back with it; first to what the member owes for the purchase, if anything.
//!
//! Lock order: period, key, purchase, accounts, reversal totals. Statements: 2 to lock and read, 6 to reverse, 1 to write,
//! 1 event; for a purchase into an overdraft 1 more, which locks the accounts to see what is owed.

use super::overdraft;
use super::rules::State;
use super::rules::refund::{Part, Wanted, spread, to_overdraft};
use super::store::refund::{self as store, Locked, Refund};
use crate::error::{Code, LedgerError, Result};
use crate::ledger::{self, Ledger};
use crate::money::{self, Number};
use crate::spi::Session;
use crate::{event, reversal};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What is to be given back of a purchase, and why.
pub struct Order<'a> {
    /// Without an amount it is `items`.
    pub amount: Option<Number>,
    pub items: Wanted,
    pub reason: Option<&'a str>,
}

/// What was given back.
pub struct Refunded {
    pub id: Uuid,
    pub purchase: Locked,
    pub transaction_id: Uuid,
    pub amount: Decimal,
    pub to_overdraft: Decimal,
    pub balance: Option<Decimal>,
    pub items: Value,
    pub at: i64,
}

/// Whose purchase it is and where it was made, or the error that there is none.
pub fn parties(session: &Session, ledger: &Ledger, id: Uuid) -> Result<(String, String)> {
    store::parties(session, ledger.id, id).ok_or_else(|| not_found(id))
}

fn not_found(id: Uuid) -> LedgerError {
    LedgerError::new(Code::PurchaseNotFound, format!("there is no purchase {id}")).with("purchase_id", id)
}

/// Gives back.
pub fn refund(session: &Session, ledger: &Ledger, id: Uuid, order: &Order) -> Result<Refunded> {
    let purchase = store::lock(session, ledger.id, id).ok_or_else(|| not_found(id))?;
    if purchase.state == State::Refused {
        let said = format!("purchase {id} was refused: nothing was paid");
        return Err(LedgerError::new(Code::RefundExceedsPayment, said)
            .with("purchase_id", id)
            .with("left", money::zero(purchase.scale)));
    }
    let exact = |number| {
        let amount = money::positive(number, "amount")?;
        money::to_scale(amount, purchase.scale, &purchase.currency, "amount").map(Wanted::Amount)
    };
    let by_amount = order.amount.map(exact).transpose()?;
    let wanted = by_amount.as_ref().unwrap_or(&order.items);
    let parts = spread(&purchase.lines, wanted).map_err(|error| error.with("purchase_id", id))?;
    let amount: Decimal = parts.iter().map(|part| part.amount).sum();
    let to_overdraft = match purchase.overdraft {
        Some((_, left)) => {
            let accounts = overdraft::Accounts::new(&purchase.member, &purchase.account);
            to_overdraft(
                amount,
                left,
                accounts.owed(session, ledger, &purchase.merchant_account, amount, purchase.scale)?,
            )
        }
        None => money::zero(purchase.scale),
    };
    let reversals = reversals(&purchase, &parts, to_overdraft)?;
    let receipts = reversal::reverse_parts(session, ledger, &reversals, order.reason)?;
    let last = receipts.last().and_then(|last| Some((last.transaction_id?, last.created_at)));
    let (transaction_id, at) =
        last.ok_or_else(|| LedgerError::new(Code::BooksInconsistent, "a refund reversed nothing"))?;
    let of_wallet = |receipt: &&crate::posting::store::Receipt| {
        [&receipt.credit_account, &receipt.debit_account].contains(&&purchase.account)
    };
    let balance = receipts.iter().rfind(of_wallet).map(|receipt| {
        if receipt.credit_account == purchase.account {
            receipt.credit_balance
        } else {
            receipt.debit_balance
        }
    });
    let items = items(&parts);
    let refunded =
        Refunded { id: Uuid::now_v7(), purchase, transaction_id, amount, to_overdraft, balance, items, at };
    write(session, ledger, id, &refunded, &parts, order.reason);
    Ok(refunded)
}

/// What to reverse: of each transfer what its lines give back, then what goes to the overdraft.
fn reversals(purchase: &Locked, parts: &[Part], to_overdraft: Decimal) -> Result<Vec<(Uuid, Decimal)>> {
    let mut sums: BTreeMap<Uuid, Decimal> = BTreeMap::new();
    for part in parts {
        let paid_by = purchase.transfers[part.place].ok_or_else(|| {
            LedgerError::new(Code::BooksInconsistent, "a line of a completed purchase was not paid")
        })?;
        *sums.entry(paid_by).or_insert_with(|| money::zero(purchase.scale)) += part.amount;
    }
    let mut reversals: Vec<(Uuid, Decimal)> = sums.into_iter().collect();
    if let (Some((transfer_id, _)), false) = (purchase.overdraft, to_overdraft.is_zero()) {
        reversals.push((transfer_id, to_overdraft));
    }
    Ok(reversals)
}

/// What each line gave back.
fn items(parts: &[Part]) -> Value {
    let told = |part: &Part| {
        json!({
            "line": part.place + 1,
            "quantity": part.quantity.normalize().to_string(),
            "amount": part.amount.to_string(),
        })
    };
    parts.iter().map(told).collect()
}

fn write(
    session: &Session,
    ledger: &Ledger,
    purchase_id: Uuid,
    refunded: &Refunded,
    parts: &[Part],
    reason: Option<&str>,
) {
    let actor = ledger::settings::actor();
    let purchase = &refunded.purchase;
    let row = Refund {
        id: refunded.id,
        purchase_id,
        transaction_id: refunded.transaction_id,
        at: refunded.at,
        amount: refunded.amount,
        to_overdraft: refunded.to_overdraft,
        actor: &actor,
        reason,
        items: &refunded.items,
    };
    store::insert(session, ledger.id, &row, parts);
    let payload = json!({
        "purchase_id": purchase_id.to_string(),
        "refund_id": refunded.id.to_string(),
        "transaction_id": refunded.transaction_id.to_string(),
        "member": purchase.member,
        "account": purchase.account,
        "merchant": purchase.merchant,
        "amount": refunded.amount.to_string(),
        "to_overdraft": refunded.to_overdraft.to_string(),
        "refunded": (purchase.refunded + refunded.amount).to_string(),
        "currency": purchase.currency,
        "items": refunded.items,
        "reason": reason,
        "actor": actor,
        "for": ["guardian"],
    });
    event::write(session, ledger, "purchase.refunded", &purchase_id.to_string(), payload);
}
