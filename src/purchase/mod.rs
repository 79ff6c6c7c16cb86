//! Purchases: goods against a member's wallet, priced, posted and written down in one transaction.
//!
//! | step | statements |
//! |---|---|
//! | read member, wallet, merchant, till and every item | 1 |
//! | claim the key, if there is one; keep its result | 0 or 2 |
//! | use the identification, if there is one | 0 or 3 |
//! | price the lines, in memory | 0 |
//! | post: lock the accounts, decide, append, write back | 3 |
//! | write the purchase with its lines and its event | 1 |
//!
//! Each category is a transfer of its own, so that limits of a category see it; all of them are one transaction.
//! A refusal moves nothing. It is raised, or, in report form, written down and told in the result: a raised
//! error would take the guardian's event with it.
//!
//! Order of checks: form; who acts; key used before; member, merchant and device exist; items and amounts;
//! everybody active; identification; then those of a posting. From "everybody active" on a refusal can be
//! reported. Lock order: key, identification, then what a posting locks.

pub mod api;
pub mod overdraft;
pub mod refund;
pub mod rules;
pub mod store;
pub mod sync;

use crate::error::{Code, LedgerError, Result};
use crate::idempotency::rules::Operation;
use crate::ledger::{self, Ledger};
use crate::money::Number;
use crate::posting::Access;
use crate::posting::batch::{self, Call, Limits, OnError, Outcome};
use crate::posting::request::{Request, check_labels};
use crate::posting::store::Receipt;
use crate::spi::Session;
use crate::spi::jsonb::Document;
use crate::{event, identification, time};
use rules::State;
use rules::line::{self, Money, Wanted};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use store::{Member, Merchant, Purchase, Refusal, Scene};
use uuid::Uuid;

/// Arguments of `purchase` once they have their form.
pub struct Order<'a> {
    pub merchant: &'a str,
    pub lines: &'a [Wanted<'a>],
    pub device: Option<&'a str>,
    pub authentication_id: Option<Uuid>,
    pub reference: Option<&'a str>,
    pub metadata: Option<&'a Document>,
    pub on_error: OnError,
    /// `None`: now.
    pub effective_at: Option<i64>,
}

/// What a purchase leaves: in the wallet, and of the allowance where limits count.
#[derive(Clone, Copy)]
pub struct Left {
    pub balance: Decimal,
    pub remaining: Option<Decimal>,
}

/// A purchase, and what it left.
pub struct Bought {
    pub purchase: Purchase,
    pub left: Option<Left>,
}

/// Sells. A refusal is the error, or in report form a purchase that was refused.
pub fn buy(session: &Session, ledger: &Ledger, asked: &str, scene: Scene, order: &Order) -> Result<Bought> {
    check_labels(order.reference, None, order.metadata.map(Document::as_bytes))?;
    let (member, merchant) = parties(asked, &scene, order)?;
    let money = Money { currency: &member.currency, scale: member.scale };
    let mut lines = Vec::with_capacity(order.lines.len());
    for (place, (wanted, item)) in order.lines.iter().zip(&scene.items).enumerate() {
        lines.push(line::price(wanted, item.as_ref(), money).map_err(|error| error.at_item(place))?);
    }
    let now = ledger::now();
    let mut purchase = Purchase {
        id: Uuid::now_v7(),
        state: State::Completed,
        is_overdraft: false,
        transaction_id: None,
        authentication_id: order.authentication_id,
        method: None,
        overdraft: None,
        merchant: order.merchant.to_owned(),
        device: order.device.map(str::to_owned),
        device_sequence: None,
        purchased_at: time::finite(order.effective_at.unwrap_or(now), "effective_at")?,
        created_at: now,
        amount: line::total(&lines, member.scale)?,
        reference: order.reference.map(str::to_owned),
        refusal: None,
        metadata: order.metadata.cloned(),
        lines: lines.into_iter().map(|line| (line, None)).collect(),
        member: member.clone(),
    };
    let paid = check_active(member, merchant, &scene, order)
        .and_then(|()| identify(session, ledger, order, &member.member, now))
        .and_then(|method| {
            purchase.method = method;
            pay(session, ledger, &mut purchase, &merchant.account, order.effective_at)
        });
    let left = match paid {
        Ok(left) => Some(left),
        // A conflict of isolation is nobody's refusal.
        Err(error) if order.on_error == OnError::Raise || is_fatal(&error) => return Err(error),
        Err(error) => {
            refuse(&mut purchase, error.without_position().into());
            None
        }
    };
    let now = ledger::now();
    if left.is_none() {
        // After the locks were granted: that is when it was refused.
        (purchase.purchased_at, purchase.created_at) = (order.effective_at.unwrap_or(now), now);
    }
    let (topic, payload) = told(&purchase, left.map(|left| left.balance));
    let event = event::beside(session, ledger, topic, &purchase.id.to_string(), &payload, now);
    store::insert_one(session, &purchase, event, &actor());
    event::notify(session, ledger);
    Ok(Bought { purchase, left })
}

fn actor() -> String {
    ledger::settings::actor()
}

/// Whether an error is about the whole transaction and not about what was asked.
fn is_fatal(error: &LedgerError) -> bool {
    matches!(error.code, Code::TryAgain | Code::BooksInconsistent | Code::NotInstalled)
}

/// Who takes part, or the error that one of them does not exist.
fn parties<'s>(asked: &str, scene: &'s Scene, order: &Order) -> Result<(&'s Member, &'s Merchant)> {
    let merchant = order.merchant;
    let member = scene.member.as_ref().ok_or_else(|| no_member(asked))?;
    let seller = scene.merchant.as_ref().ok_or_else(|| {
        LedgerError::new(Code::MerchantNotFound, format!("there is no merchant {merchant}"))
            .with("merchant", merchant)
    })?;
    if let (Some(device), None) = (order.device, scene.device_is_active) {
        let said = format!("merchant {merchant} has no device {device}");
        return Err(LedgerError::new(Code::DeviceNotFound, said)
            .with("device", device)
            .with("merchant", merchant));
    }
    Ok((member, seller))
}

/// The member of that name or wallet, or the error that there is none.
pub fn find_member(session: &Session, ledger: &Ledger, asked: &str) -> Result<Member> {
    // The scene of a purchase of nothing, nowhere.
    let scene = store::scene(session, ledger.id, asked, "", None, std::iter::once(""));
    scene.member.ok_or_else(|| no_member(asked))
}

fn no_member(asked: &str) -> LedgerError {
    LedgerError::new(Code::MemberNotFound, format!("there is no member {asked}")).with("member", asked)
}

fn check_active(member: &Member, merchant: &Merchant, scene: &Scene, order: &Order) -> Result<()> {
    if !member.is_active {
        return Err(line::inactive("member", &member.member));
    }
    if !merchant.is_active {
        return Err(line::inactive("merchant", order.merchant));
    }
    match (order.device, scene.device_is_active) {
        (Some(device), Some(false)) => Err(line::inactive("device", device)),
        _ => Ok(()),
    }
}

/// How the buyer was identified: an identification serves one purchase, also one that is then refused.
fn identify(
    session: &Session,
    ledger: &Ledger,
    order: &Order,
    member: &str,
    at: i64,
) -> Result<Option<String>> {
    let consumed = order
        .authentication_id
        .map(|id| identification::consume(session, ledger, id, member, order.merchant, at))
        .transpose()?;
    Ok(consumed.map(|method| method.name().to_owned()))
}

/// Posts what a purchase costs and writes its transfers into it; returns what is left.
fn pay(
    session: &Session,
    ledger: &Ledger,
    purchase: &mut Purchase,
    merchant: &str,
    effective_at: Option<i64>,
) -> Result<Left> {
    let label = purchase.id.to_string();
    let requests = requests(purchase, merchant, effective_at, &label);
    let receipts = post(session, ledger, requests, Limits::Enforce)?;
    settle(purchase, &receipts)
}

/// The transfers of a purchase: one for each category.
fn requests<'a>(
    purchase: &'a Purchase,
    merchant: &'a str,
    effective_at: Option<i64>,
    label: &'a str,
) -> Vec<Request<'a>> {
    let parts = line::by_category(purchase.lines.iter().map(|(line, _)| line));
    // One transfer is a transaction of its own.
    let transaction = (parts.len() > 1).then_some(label);
    parts
        .into_iter()
        .map(|(category, amount)| {
            let mut metadata = json!({ "purchase_id": purchase.id.to_string() });
            if let Some(category) = category {
                metadata["category"] = json!(category);
            }
            if let Some(method) = &purchase.method {
                metadata["method"] = json!(method);
            }
            Request {
                debit_account: Some(&purchase.member.account),
                credit_account: Some(merchant),
                amount: Some(Number::Finite(amount)),
                kind: Some("purchase"),
                reference: purchase.reference.as_deref(),
                metadata: Some(Document::of_value(&metadata).into_bytes()),
                effective_at,
                transaction,
                ..Request::default()
            }
        })
        .collect()
}

/// Posts one transaction; its refusal is the error of the transfer that was refused.
fn post(session: &Session, ledger: &Ledger, requests: Vec<Request>, limits: Limits) -> Result<Vec<Receipt>> {
    let (operation, on_error, access) = (Operation::PostTransfer, OnError::Report, Access::Lock);
    let outcomes = batch::post(session, ledger, Call { requests, operation, on_error, access, limits })?;
    receipts(outcomes)
}

/// What was posted, or the error of the transfer that was refused first: it says more than those linked to it.
fn receipts(outcomes: Vec<Outcome>) -> Result<Vec<Receipt>> {
    let (mut receipts, mut refused) = (Vec::with_capacity(outcomes.len()), None);
    for outcome in outcomes {
        match outcome {
            Outcome::Posted(receipt) | Outcome::Replayed(receipt) => receipts.push(receipt),
            Outcome::Rejected { error, .. } => match &refused {
                Some(LedgerError { code, .. }) if *code != Code::LinkedItemFailed => {}
                _ => refused = Some(error),
            },
        }
    }
    refused.map_or(Ok(receipts), Err)
}

/// Writes into a purchase which transfers paid it, and when: one receipt for each category, in their order. Returns
/// what is left.
fn settle(purchase: &mut Purchase, receipts: &[Receipt]) -> Result<Left> {
    let parts = line::by_category(purchase.lines.iter().map(|(line, _)| line));
    let categories: Vec<Option<String>> =
        parts.into_iter().map(|(category, _)| category.map(str::to_owned)).collect();
    let last = receipts.last().filter(|_| receipts.len() == categories.len()).ok_or_else(|| {
        LedgerError::new(Code::BooksInconsistent, "a purchase was posted otherwise than it was asked for")
    })?;
    for (line, transfer_id) in &mut purchase.lines {
        let place = categories.iter().position(|category| *category == line.category);
        *transfer_id = place.and_then(|place| receipts[place].id);
    }
    purchase.transaction_id = last.transaction_id;
    // When the limits have counted it: a moment later may be another day.
    (purchase.purchased_at, purchase.created_at) = (last.effective_at, last.created_at);
    // What the category with the least room leaves is what the next purchase like this one may cost.
    let remaining = receipts.iter().filter_map(|receipt| receipt.remaining).min();
    Ok(Left { balance: last.debit_balance, remaining })
}

/// Turns a purchase into one that was refused.
fn refuse(purchase: &mut Purchase, refusal: Refusal) {
    purchase.state = State::Refused;
    purchase.refusal = Some(refusal);
}

/// The event about a purchase.
fn told(purchase: &Purchase, balance: Option<Decimal>) -> (&'static str, Value) {
    let payload = json!({
        "purchase_id": purchase.id.to_string(),
        "member": purchase.member.member,
        "account": purchase.member.account,
        "merchant": purchase.merchant,
        "device": purchase.device,
        "sequence": purchase.device_sequence,
        "amount": purchase.amount.to_string(),
        "currency": purchase.member.currency,
        "reference": purchase.reference,
        "purchased_at": time::to_text(purchase.purchased_at),
        "actor": actor(),
        "for": ["guardian"],
    });
    match &purchase.refusal {
        Some(refusal) => {
            let more = json!({ "error": refusal.detail, "message": refusal.message });
            ("purchase.refused", event::with(payload, more))
        }
        None => {
            let more = json!({
                "transaction_id": purchase.transaction_id.map(|id| id.to_string()),
                "balance": balance.map(|balance| balance.to_string()),
            });
            ("purchase.completed", event::with(payload, more))
        }
    }
}
