//! Subscriptions: paid from a wallet, period after period.
//!
//! A period is paid once: its number is the primary key of what records the payment, and everything about one
//! subscription happens under its row lock. Lock order: key, subscription, accounts. A renewal that was not run
//! for months is caught up period by period; each is charged once, for the time that it stands for.

pub mod api;
pub mod rules;
pub mod store;

use crate::account::{self, rules::Type};
use crate::error::{Code, LedgerError, Result};
use crate::ledger::{self, Ledger};
use crate::money::Number;
use crate::posting::batch::post_all;
use crate::posting::request::{Request as Transfer, check_labels};
use crate::posting::{self, Wanted};
use crate::report::{Failure, attempt};
use crate::spi::Session;
use crate::spi::jsonb::Document;
use crate::{address, event, time};
use rules::{Late, Period, Refund, State};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use store::{NewSubscription, Paid, Plan, Subscription};
use uuid::Uuid;

/// Most periods that one call catches up for a subscription: ten years of months.
const PERIODS_MAX: u32 = 120;

/// Arguments of `create_plan`.
pub struct NewPlan<'a> {
    pub name: &'a str,
    pub price: Number,
    pub account: &'a str,
    pub period: Period,
    pub grace_micros: i64,
    pub currency: Option<&'a str>,
    pub limits: Option<&'a Document>,
    pub description: Option<&'a str>,
}

/// Creates a plan, or returns the one that is there if it is the same.
pub fn create_plan(session: &Session, ledger: &Ledger, new: &NewPlan) -> Result<Plan> {
    let name = rules::check_name(new.name)?;
    rules::check_grace(new.grace_micros)?;
    check_labels(None, new.description, new.limits.map(Document::as_bytes))?;
    let currency = match new.currency {
        Some(currency) => currency.to_owned(),
        None => account::default_currency(session, ledger)?,
    };
    let scale = ledger::scale(session, &currency)?;
    let price = rules::price(new.price, scale, &currency)?;
    let address = address::checked(new.account, "account")?;
    let plan = Plan {
        id: Uuid::now_v7(),
        name: name.to_owned(),
        period: new.period,
        account: account::of_platform(session, ledger, address, Type::Revenue, &currency)?,
        currency,
        price,
        grace_micros: new.grace_micros,
        description: new.description.map(str::to_owned),
        limits: new.limits.cloned(),
        created_at: ledger::now(),
    };
    if store::insert_plan(session, ledger.id, &plan) {
        return Ok(plan);
    }
    let there = find_plan(session, ledger, name)?;
    let different = [
        ("price", there.price != plan.price),
        ("period", there.period != plan.period),
        ("account", there.account != plan.account),
        ("grace", there.grace_micros != plan.grace_micros),
        ("limits", there.limits != plan.limits),
    ];
    match different.iter().find(|(_, differs)| *differs) {
        None => Ok(there),
        Some((field, _)) => {
            Err(LedgerError::new(Code::AlreadyExists, format!("plan {name} exists with another {field}"))
                .with("plan", name)
                .with("field", field))
        }
    }
}

fn find_plan(session: &Session, ledger: &Ledger, name: &str) -> Result<Plan> {
    store::plan(session, ledger.id, name).ok_or_else(|| {
        LedgerError::new(Code::PlanNotFound, format!("there is no plan {name}")).with("plan", name)
    })
}

/// Subscribes an account to a plan; the first period is paid at once.
pub fn subscribe(
    session: &Session,
    ledger: &Ledger,
    plan: &str,
    account: &str,
    reference: Option<&str>,
    metadata: Option<&Document>,
) -> Result<Subscription> {
    check_labels(reference, None, metadata.map(Document::as_bytes))?;
    let account = address::checked(account, "account")?;
    ledger::enter_period(ledger);
    let plan = find_plan(session, ledger, plan)?;
    if let Some(there) = store::live(session, ledger.id, account, &plan.name) {
        return Err(rules::subscribed(there.id, &plan.name, account, there.period_end));
    }
    let requests = vec![transfer(account, &plan.account, plan.price, "payment", &plan.name, reference)];
    let transaction_id = post_all(session, ledger, requests)?;
    let now = ledger::now();
    let (start, end) = store::period(session, ledger.id, now, plan.period, 1);
    let id = Uuid::now_v7();
    let new = NewSubscription {
        id,
        plan_id: plan.id,
        account,
        started_at: now,
        period_end: end,
        price: plan.price,
        reference,
        metadata,
    };
    if !store::insert(session, ledger.id, &new) {
        // Another session was faster; what it has committed is visible now.
        return Err(match store::live(session, ledger.id, account, &plan.name) {
            Some(there) => rules::subscribed(there.id, &plan.name, account, there.period_end),
            None => LedgerError::new(Code::TryAgain, "another session was subscribing the same account")
                .with("cause", "concurrent_change"),
        });
    }
    let paid =
        Paid { subscription_id: id, period: 1, transaction_id, start, end, at: now, amount: plan.price };
    store::paid(session, ledger.id, &paid);
    let subscription = find(session, ledger, id, false)?;
    announce(session, ledger, "subscription.started", &subscription, json!({}));
    Ok(subscription)
}

/// The subscription, or the error that there is none.
pub fn find(session: &Session, ledger: &Ledger, id: Uuid, lock: bool) -> Result<Subscription> {
    store::find(session, ledger.id, id, lock).ok_or_else(|| {
        LedgerError::new(Code::SubscriptionNotFound, format!("there is no subscription {id}"))
            .with("subscription_id", id)
    })
}

/// Ends a subscription: with the period that is paid, or at once with the rest of it given back.
pub fn cancel(
    session: &Session,
    ledger: &Ledger,
    id: Uuid,
    refund: Refund,
    reason: Option<&str>,
) -> Result<Subscription> {
    ledger::enter_period(ledger);
    let subscription = find(session, ledger, id, true)?;
    rules::check_live(id, subscription.state)?;
    let now = ledger::now();
    let ends_at = match refund {
        Refund::None => subscription.period_end.max(now),
        Refund::Prorated => now,
    };
    let unused = rules::unused(subscription.price, subscription.period_start, subscription.period_end, now);
    if refund == Refund::Prorated && unused > Decimal::ZERO {
        let (from, to) = (&subscription.plan_account, &subscription.account);
        let reference = subscription.reference.as_deref();
        let requests = vec![transfer(from, to, unused, "refund", &subscription.plan, reference)];
        let transaction_id = post_all(session, ledger, requests)?;
        let actor = ledger::settings::actor();
        store::refunded(session, ledger.id, id, transaction_id, now, unused, (&actor, reason));
    }
    store::end(session, ledger.id, id, State::Cancelled, ends_at, reason);
    let subscription = find(session, ledger, id, false)?;
    let refunded = subscription.refunded.map(|amount| amount.to_string());
    announce(
        session,
        ledger,
        "subscription.cancelled",
        &subscription,
        json!({ "refunded": refunded, "reason": reason }),
    );
    Ok(subscription)
}

/// What became of a subscription that was due.
pub struct Renewal {
    pub subscription: Subscription,
    /// How many periods were paid now.
    pub periods: i32,
    pub failure: Option<Failure>,
}

/// Charges what is due, at most so many subscriptions. Every account is locked first, in the global order; each
/// period is charged in a subtransaction of its own.
pub fn renew_due(session: &Session, ledger: &Ledger, max_count: i64) -> Result<Vec<Renewal>> {
    ledger::enter_period(ledger);
    let now = ledger::now();
    let ids = store::take(session, ledger.id, now, max_count);
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let flows = store::flows(session, ledger.id, &ids);
    let mut wanted = Wanted::default();
    for flow in &flows {
        // All periods that may be charged: of a payer in stripes, so many are locked that what they have suffices.
        let periods = rules::periods_at_most(flow.period_end, flow.length, now).min(PERIODS_MAX);
        let amount = flow.price.saturating_mul(Decimal::from(periods));
        wanted.transfer(&flow.account, &flow.plan_account, amount);
    }
    posting::lock(session, ledger, &wanted)?;
    ids.into_iter().map(|id| renew(session, ledger, id, now)).collect()
}

/// Charges one subscription until its period reaches beyond now, or a charge fails.
fn renew(session: &Session, ledger: &Ledger, id: Uuid, now: i64) -> Result<Renewal> {
    let (mut periods, mut failure) = (0, None);
    for _ in 0..PERIODS_MAX {
        let subscription = find(session, ledger, id, false)?;
        if subscription.period_end > now {
            break;
        }
        match attempt(|| charge(&Session::connect(), ledger, &subscription))? {
            Ok(()) => periods += 1,
            Err(refused) => {
                miss(session, ledger, &subscription, &refused, now)?;
                failure = Some(refused);
                break;
            }
        }
    }
    Ok(Renewal { subscription: find(session, ledger, id, false)?, periods, failure })
}

/// Charges the next period.
fn charge(session: &Session, ledger: &Ledger, subscription: &Subscription) -> Result<()> {
    let number = subscription.period + 1;
    let (start, end) =
        store::period(session, ledger.id, subscription.started_at, subscription.length, number);
    let (from, to) = (&subscription.account, &subscription.plan_account);
    let reference = subscription.reference.as_deref();
    let requests = vec![transfer(from, to, subscription.price, "payment", &subscription.plan, reference)];
    let transaction_id = post_all(session, ledger, requests)?;
    let (at, amount) = (ledger::now(), subscription.price);
    let paid =
        Paid { subscription_id: subscription.id, period: number, transaction_id, start, end, at, amount };
    if !store::paid(session, ledger.id, &paid) {
        return Err(LedgerError::new(
            Code::BooksInconsistent,
            "a period was paid although its subscription was locked",
        )
        .with("subscription_id", subscription.id));
    }
    store::renewed(session, ledger.id, &paid);
    let renewed = find(session, ledger, subscription.id, false)?;
    announce(session, ledger, "subscription.renewed", &renewed, json!({}));
    Ok(())
}

/// A charge has failed: the grace begins, goes on, or is over.
fn miss(
    session: &Session,
    ledger: &Ledger,
    subscription: &Subscription,
    failure: &Failure,
    now: i64,
) -> Result<()> {
    let id = subscription.id;
    let topic = match rules::late(subscription.past_due_since, subscription.grace_micros, now) {
        Late::PastDue { since, attempt_at } => {
            store::past_due(session, ledger.id, id, since, attempt_at);
            "subscription.past_due"
        }
        Late::Expired => {
            store::end(session, ledger.id, id, State::Expired, now, Some("the grace is over"));
            "subscription.expired"
        }
    };
    let subscription = find(session, ledger, id, false)?;
    let more = json!({ "error": failure.token, "message": failure.message });
    announce(session, ledger, topic, &subscription, more);
    Ok(())
}

fn transfer<'a>(
    debit: &'a str,
    credit: &'a str,
    amount: Decimal,
    kind: &'a str,
    plan: &'a str,
    reference: Option<&'a str>,
) -> Transfer<'a> {
    Transfer {
        debit_account: Some(debit),
        credit_account: Some(credit),
        amount: Some(Number::Finite(amount)),
        kind: Some(kind),
        reference,
        description: Some(plan),
        ..Transfer::default()
    }
}

fn announce(session: &Session, ledger: &Ledger, topic: &str, subscription: &Subscription, more: Value) {
    let payload = json!({
        "subscription_id": subscription.id.to_string(),
        "plan": subscription.plan,
        "account": subscription.account,
        "status": subscription.state.name(),
        "price": subscription.price.to_string(),
        "currency": subscription.currency,
        "period": subscription.period,
        "period_end": time::to_text(subscription.period_end),
        "reference": subscription.reference,
        "actor": ledger::settings::actor(),
        "for": ["seller", "finance"],
    });
    event::write(session, ledger, topic, &subscription.id.to_string(), event::with(payload, more));
}
