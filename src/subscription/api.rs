//! SQL face of plans and subscriptions.

use super::rules::{Period, Refund, State};
use super::store::{Plan, Subscription};
use super::{NewPlan, Renewal, cancel, create_plan as create, find, renew_due, subscribe as start};
use crate::error::{Code, LedgerError, Result, missing};
use crate::form::{self, label};
use crate::idempotency;
use crate::idempotency::rules::{Fingerprint, Operation};
use crate::ledger::{self, Ledger};
use crate::report;
use crate::spi::face::{Composite, JsonIn, NumericIn, composite_result, micros, needed_id};
use crate::spi::table::Table;
use crate::spi::{Argument, Session};
use pgrx::prelude::*;
use serde_json::json;
use std::ffi::CStr;

/// A plan in words.
pub struct PlanRow {
    ledger: String,
    plan: Plan,
}

composite_result!(PlanRow, "wallet_ledger.plan_row");

impl Composite for PlanRow {
    const NAME: &'static CStr = c"plan_row";

    fn into_values(self) -> Vec<Argument> {
        let plan = &self.plan;
        vec![
            plan.id.into(),
            (&self.ledger).into(),
            (&plan.name).into(),
            plan.price.into(),
            (&plan.currency).into(),
            plan.period.name().into(),
            (&plan.account).into(),
            plan.limits.as_ref().into(),
            plan.description.as_deref().into(),
            plan.created_at.into(),
        ]
    }
}

/// A subscription in words.
pub struct SubscriptionRow {
    ledger: String,
    subscription: Subscription,
    replayed: bool,
}

composite_result!(SubscriptionRow, "wallet_ledger.subscription_row");

impl Composite for SubscriptionRow {
    const NAME: &'static CStr = c"subscription_row";

    fn into_values(self) -> Vec<Argument> {
        let subscription = &self.subscription;
        vec![
            subscription.id.into(),
            (&self.ledger).into(),
            (&subscription.plan).into(),
            (&subscription.account).into(),
            subscription.state.name().into(),
            subscription.price.into(),
            (&subscription.currency).into(),
            subscription.length.name().into(),
            subscription.period.into(),
            subscription.period_start.into(),
            subscription.period_end.into(),
            subscription.past_due_since.into(),
            subscription.ends_at.into(),
            subscription.refunded.into(),
            subscription.transaction_id.into(),
            subscription.limits.as_ref().into(),
            subscription.reference.as_deref().into(),
            subscription.started_at.into(),
            self.replayed.into(),
        ]
    }
}

/// What became of a subscription that was due.
pub struct RenewalRow {
    ledger: String,
    renewal: Renewal,
}

composite_result!(RenewalRow, "wallet_ledger.renewal_row");

impl Composite for RenewalRow {
    const NAME: &'static CStr = c"renewal_row";

    fn into_values(self) -> Vec<Argument> {
        let subscription = &self.renewal.subscription;
        let failure = self.renewal.failure.as_ref();
        let outcome = match (failure, subscription.state) {
            (None, _) => "renewed",
            (Some(_), State::Expired) => "expired",
            (Some(_), _) => "past_due",
        };
        vec![
            subscription.id.into(),
            (&self.ledger).into(),
            (&subscription.plan).into(),
            (&subscription.account).into(),
            outcome.into(),
            self.renewal.periods.into(),
            subscription.period_end.into(),
            failure.map(|failure| failure.token.as_str()).into(),
            failure.map(|failure| failure.message.as_str()).into(),
        ]
    }
}

/// Creates a plan that accounts can subscribe to.
///
/// * `name`: lower-case words, once in a ledger.
/// * `price`: of one period; a new price is a new plan.
/// * `period`: monthly or yearly, by the ledger's calendar.
/// * `account`: who is paid; made as a revenue account where it is missing.
/// * `grace`: how long a subscription that cannot be paid stays past due before it expires, at most 90 days.
/// * `limits`: what the plan allows, a JSON object for the application.
/// * `description`: at most 2000 bytes.
/// * `currency`, `ledger`: the ledger's, and the session's, by default.
///
/// Returns the plan; the same plan again returns the one that is there. Errors: missing_argument,
/// invalid_argument, invalid_amount, invalid_address, currency_not_found, already_exists.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn create_plan(
    name: Option<&str>,
    price: Option<NumericIn>,
    period: default!(Option<&str>, "'monthly'"),
    account: default!(Option<&str>, "'platform:revenue:subscriptions'"),
    grace: default!(Option<Interval>, "'7 days'"),
    limits: default!(Option<JsonIn>, "NULL"),
    description: default!(Option<&str>, "NULL"),
    currency: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> PlanRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let grace = grace.ok_or_else(|| missing("grace"))?;
        let new = NewPlan {
            name: name.ok_or_else(|| missing("name"))?,
            price: price.ok_or_else(|| missing("price"))?.0,
            account: account.ok_or_else(|| missing("account"))?,
            period: Period::from_name(period.ok_or_else(|| missing("period"))?)?,
            grace_micros: micros(grace),
            currency,
            limits: limits.as_ref().map(|limits| &limits.0),
            description,
        };
        let plan = create(&session, &ledger, &new)?;
        Ok(PlanRow { ledger: ledger.name.clone(), plan })
    })
}

/// Subscribes an account to a plan. The first period is paid at once; the next ones by
/// `renew_due_subscriptions()`.
///
/// * `plan`: its name.
/// * `account`: who pays, a wallet; it has a plan once at a time.
/// * `reference`: the application's own name for it, 1 to 255 bytes.
/// * `idempotency_key`, `metadata`, `ledger`: as for `post_transfer`.
///
/// Returns the subscription. The price stays for as long as it runs. Writes the event `subscription.started`.
/// Errors: missing_argument, invalid_argument, plan_not_found, already_exists, idempotency_conflict,
/// insufficient_funds, and the others of `post_transfer`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn subscribe(
    plan: Option<&str>,
    account: Option<&str>,
    reference: default!(Option<&str>, "NULL"),
    idempotency_key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonIn>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> SubscriptionRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let document = metadata.as_ref().map(|metadata| &metadata.0);
        let fingerprint = Fingerprint::new(Operation::Subscribe)
            .text("plan", plan)
            .text("account", account)
            .text("reference", reference)
            .raw("metadata", document.map(|document| document.as_bytes()));
        let work = || {
            let plan = plan.ok_or_else(|| missing("plan"))?;
            let account = account.ok_or_else(|| missing("account"))?;
            start(&session, &ledger, plan, account, reference, document)
        };
        once(&session, &ledger, idempotency_key, &fingerprint, work)
    })
}

/// Runs `work` once per key. A repetition is told of the subscription as it is now: it names it, and its first
/// period stays paid.
fn once(
    session: &Session,
    ledger: &Ledger,
    key: Option<&str>,
    fingerprint: &Fingerprint,
    work: impl FnOnce() -> Result<Subscription>,
) -> Result<SubscriptionRow> {
    let (result, replayed) = idempotency::once(session, ledger.id, key, fingerprint, ledger::now(), || {
        Ok(json!({ "subscription_id": work()?.id.to_string() }))
    })?;
    let found = result["subscription_id"].as_str().and_then(|id| id.parse().ok());
    let id = found.ok_or_else(|| {
        LedgerError::new(Code::BooksInconsistent, "the stored result of a subscription is unreadable")
    })?;
    let subscription = find(session, ledger, id, false)?;
    Ok(SubscriptionRow { ledger: ledger.name.clone(), subscription, replayed })
}

/// Charges subscriptions whose period is over. For a job that runs every hour; several may run at once, each takes
/// others. After a time without the job every period is caught up, each charged once.
///
/// * `max_count`: at most so many subscriptions, 1 to 10000.
/// * `ledger`: the session's ledger by default.
///
/// Returns one row for each: renewed, past_due (the wallet cannot pay; tried again every day until the plan's
/// grace is over) or expired. Writes the events `subscription.renewed`, `subscription.past_due` and
/// `subscription.expired`. Errors: missing_argument, invalid_argument, try_again.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn renew_due_subscriptions(
    max_count: default!(Option<i32>, 1000),
    ledger: default!(Option<&str>, "NULL"),
) -> Table<RenewalRow> {
    let rows = report::run(|| {
        let session = Session::connect();
        let max_count = form::max_count(max_count, 10_000)?;
        let ledger = ledger::resolve(&session, ledger)?;
        let renewals = renew_due(&session, &ledger, max_count)?;
        Ok(renewals.into_iter().map(|renewal| RenewalRow { ledger: ledger.name.clone(), renewal }).collect())
    });
    Table(rows)
}

/// Cancels a subscription.
///
/// * `subscription_id`: from `subscribe`.
/// * `refund`: `none` (it goes on to the end of the period that is paid) or `prorated` (it ends now, and the part
///   of the period that is left is given back, rounded down).
/// * `reason`: for the record, 1 to 1000 bytes.
/// * `ledger`: the session's ledger by default.
///
/// Returns the subscription; `ends_at` says until when it counts. Writes the event `subscription.cancelled`.
/// Errors: missing_argument, invalid_argument, subscription_not_found, already_resolved, and those of
/// `post_transfer`.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn cancel_subscription(
    subscription_id: Option<pgrx::Uuid>,
    refund: default!(Option<&str>, "'none'"),
    reason: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> SubscriptionRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let refund = Refund::from_name(refund.ok_or_else(|| missing("refund"))?)?;
        let reason = label(reason, "reason", 1000)?;
        let id = needed_id(subscription_id, "subscription_id")?;
        let subscription = cancel(&session, &ledger, id, refund, reason)?;
        Ok(SubscriptionRow { ledger: ledger.name.clone(), subscription, replayed: false })
    })
}
