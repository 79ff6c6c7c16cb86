//! SQL of plans and subscriptions. A subscription is written under its row lock only.

use super::rules::{Period, State};
use crate::spi::{Argument, Row, Session, Statement, jsonb::Document};
use const_format::concatcp;
use pgrx::pg_sys::{
    INT2OID, INT4OID, INT8OID, JSONBOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID, UUIDARRAYOID, UUIDOID,
};
use rust_decimal::Decimal;
use uuid::Uuid;

static INSERT_PLAN: Statement = Statement::new(
    "INSERT INTO wallet_data.plans
         (ledger_id, plan_id, name, months, account_id, created_at, grace, price, description, limits)
     SELECT $1, $2, $3, $4, a.account_id, $6, make_interval(secs => $7::double precision / 1000000), $8, $9, $10
     FROM wallet_data.accounts a WHERE a.ledger_id = $1 AND a.address = $5 AND a.stripe = 0
     ON CONFLICT DO NOTHING",
    &[INT4OID, UUIDOID, TEXTOID, INT2OID, TEXTOID, TIMESTAMPTZOID, INT8OID, NUMERICOID, TEXTOID, JSONBOID],
);

static PLAN: Statement = Statement::new(
    "SELECT p.plan_id, p.name, p.months, a.address, a.currency, a.scale, p.price,
            (extract(epoch FROM p.grace) * 1000000)::bigint, p.description, p.limits, p.created_at
     FROM wallet_data.plans p
     JOIN wallet_data.accounts a ON a.ledger_id = p.ledger_id AND a.account_id = p.account_id
     WHERE p.ledger_id = $1 AND p.name = $2",
    &[INT4OID, TEXTOID],
);

// Counted from the start, in the ledger's days: what began on the 31st ends on the last of a shorter month
// and on the 31st again after it.
static PERIOD: Statement = Statement::new(
    "SELECT (($2 AT TIME ZONE l.timezone) + make_interval(months => $3 * ($4 - 1))) AT TIME ZONE l.timezone,
            (($2 AT TIME ZONE l.timezone) + make_interval(months => $3 * $4)) AT TIME ZONE l.timezone
     FROM wallet_data.ledgers l WHERE l.ledger_id = $1",
    &[INT4OID, TIMESTAMPTZOID, INT4OID, INT4OID],
);

static INSERT: Statement = Statement::new(
    "INSERT INTO wallet_data.subscriptions
         (ledger_id, subscription_id, plan_id, account_id, period, started_at, period_start, period_end, attempt_at,
          price, reference, metadata)
     SELECT $1, $2, $3, a.account_id, 1, $5, $5, $6, $6, $7, $8, $9
     FROM wallet_data.accounts a WHERE a.ledger_id = $1 AND a.address = $4 AND a.stripe = 0
     ON CONFLICT DO NOTHING",
    &[
        INT4OID, UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, NUMERICOID, TEXTOID, JSONBOID,
    ],
);

const READ: &str = "SELECT s.subscription_id, s.state_id, p.name, p.months, a.address, b.address, a.currency, a.scale, s.price,
            s.period, s.started_at, s.period_start, s.period_end, s.past_due_since, s.ends_at, s.reference,
            (extract(epoch FROM p.grace) * 1000000)::bigint, p.limits, t.transaction_id, r.amount
     FROM wallet_data.subscriptions s
     JOIN wallet_data.plans p ON p.ledger_id = s.ledger_id AND p.plan_id = s.plan_id
     JOIN wallet_data.accounts a ON a.ledger_id = s.ledger_id AND a.account_id = s.account_id
     JOIN wallet_data.accounts b ON b.ledger_id = p.ledger_id AND b.account_id = p.account_id
     LEFT JOIN wallet_data.subscription_periods t
          ON t.ledger_id = s.ledger_id AND t.subscription_id = s.subscription_id AND t.period = s.period
     LEFT JOIN wallet_data.subscription_refunds r
          ON r.ledger_id = s.ledger_id AND r.subscription_id = s.subscription_id
     WHERE s.ledger_id = $1";
static FIND: Statement = Statement::new(concatcp!(READ, " AND s.subscription_id = $2"), &[INT4OID, UUIDOID]);
static LOCK: Statement = Statement::new(
    concatcp!(READ, " AND s.subscription_id = $2 FOR NO KEY UPDATE OF s"),
    &[INT4OID, UUIDOID],
);
// The two are looked up first: before a first ANALYZE a join would go through all subscriptions for them.
static LIVE: Statement = Statement::new(
    concatcp!(
        READ,
        " AND s.account_id = (SELECT x.account_id FROM wallet_data.accounts x
                             WHERE x.ledger_id = $1 AND x.address = $2 AND x.stripe = 0)
          AND s.plan_id = (SELECT x.plan_id FROM wallet_data.plans x WHERE x.ledger_id = $1 AND x.name = $3)
          AND s.state_id <= 2"
    ),
    &[INT4OID, TEXTOID, TEXTOID],
);

static PAID: Statement = Statement::new(
    "INSERT INTO wallet_data.subscription_periods
         (ledger_id, subscription_id, period, transaction_id, period_start, period_end, paid_at, amount)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    &[INT4OID, UUIDOID, INT4OID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, NUMERICOID],
);

static RENEWED: Statement = Statement::new(
    "UPDATE wallet_data.subscriptions
     SET state_id = 1, period = $3, period_start = $4, period_end = $5, past_due_since = NULL, attempt_at = $5
     WHERE ledger_id = $1 AND subscription_id = $2",
    &[INT4OID, UUIDOID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

static PAST_DUE: Statement = Statement::new(
    "UPDATE wallet_data.subscriptions SET state_id = 2, past_due_since = $3, attempt_at = $4
     WHERE ledger_id = $1 AND subscription_id = $2",
    &[INT4OID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

static END: Statement = Statement::new(
    "UPDATE wallet_data.subscriptions
     SET state_id = $3, ends_at = $4, past_due_since = NULL, attempt_at = NULL, reason = $5
     WHERE ledger_id = $1 AND subscription_id = $2",
    &[INT4OID, UUIDOID, INT2OID, TIMESTAMPTZOID, TEXTOID],
);

static REFUNDED: Statement = Statement::new(
    "INSERT INTO wallet_data.subscription_refunds
         (ledger_id, subscription_id, transaction_id, refunded_at, amount, actor, reason)
     VALUES ($1, $2, $3, $4, $5, $6, $7)",
    &[INT4OID, UUIDOID, UUIDOID, TIMESTAMPTZOID, NUMERICOID, TEXTOID, TEXTOID],
);

static TAKE: Statement = Statement::new(
    "SELECT subscription_id FROM wallet_data.subscriptions
     WHERE ledger_id = $1 AND attempt_at <= $2
     ORDER BY attempt_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED",
    &[INT4OID, TIMESTAMPTZOID, INT8OID],
);

static FLOWS: Statement = Statement::new(
    "SELECT a.address, b.address, s.price, s.period_end, p.months
     FROM unnest($2) AS due (subscription_id)
     CROSS JOIN LATERAL (SELECT s.account_id, s.plan_id, s.price, s.period_end FROM wallet_data.subscriptions s
                         WHERE s.ledger_id = $1 AND s.subscription_id = due.subscription_id OFFSET 0) s
     JOIN wallet_data.plans p ON p.ledger_id = $1 AND p.plan_id = s.plan_id
     JOIN wallet_data.accounts a ON a.ledger_id = $1 AND a.account_id = s.account_id
     JOIN wallet_data.accounts b ON b.ledger_id = $1 AND b.account_id = p.account_id",
    &[INT4OID, UUIDARRAYOID],
);

/// A plan as it is stored.
#[derive(Clone, Debug)]
pub struct Plan {
    pub id: Uuid,
    pub name: String,
    pub period: Period,
    /// Who is paid.
    pub account: String,
    pub currency: String,
    pub price: Decimal,
    pub grace_micros: i64,
    pub description: Option<String>,
    pub limits: Option<Document>,
    pub created_at: i64,
}

/// A subscription as it is stored, with its plan.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub id: Uuid,
    pub state: State,
    pub plan: String,
    pub length: Period,
    /// Who pays.
    pub account: String,
    /// Who is paid.
    pub plan_account: String,
    pub currency: String,
    pub price: Decimal,
    /// Counts the periods from 1.
    pub period: i32,
    pub started_at: i64,
    pub period_start: i64,
    pub period_end: i64,
    pub past_due_since: Option<i64>,
    pub ends_at: Option<i64>,
    pub reference: Option<String>,
    pub grace_micros: i64,
    pub limits: Option<Document>,
    pub transaction_id: Option<Uuid>,
    pub refunded: Option<Decimal>,
}

fn scaled(mut value: Decimal, scale: u32) -> Decimal {
    value.rescale(scale);
    value
}

fn subscription(row: Row) -> Subscription {
    let scale = u32::from(row.need::<i16>(7).unsigned_abs());
    Subscription {
        id: row.need_id(0),
        state: State::from_id(row.need(1)),
        plan: row.need(2),
        length: Period::from_months(row.need(3)),
        account: row.need(4),
        plan_account: row.need(5),
        currency: row.need(6),
        price: scaled(row.need_decimal(8), scale),
        period: row.need(9),
        started_at: row.need_time(10),
        period_start: row.need_time(11),
        period_end: row.need_time(12),
        past_due_since: row.time(13),
        ends_at: row.time(14),
        reference: row.get(15),
        grace_micros: row.need(16),
        limits: row.document(17),
        transaction_id: row.id(18),
        refunded: row.decimal(19),
    }
}

/// Writes a plan; false where the name is taken.
pub fn insert_plan(session: &Session, ledger_id: i32, plan: &Plan) -> bool {
    let arguments = [
        ledger_id.into(),
        plan.id.into(),
        (&plan.name).into(),
        plan.period.months().into(),
        (&plan.account).into(),
        plan.created_at.into(),
        plan.grace_micros.into(),
        plan.price.into(),
        plan.description.as_deref().into(),
        plan.limits.as_ref().into(),
    ];
    session.run(&INSERT_PLAN, &arguments).count() == 1
}

pub fn plan(session: &Session, ledger_id: i32, name: &str) -> Option<Plan> {
    let rows = session.run(&PLAN, &[ledger_id.into(), name.into()]);
    rows.first().map(|row| {
        let scale = u32::from(row.need::<i16>(5).unsigned_abs());
        Plan {
            id: row.need_id(0),
            name: row.need(1),
            period: Period::from_months(row.need(2)),
            account: row.need(3),
            currency: row.need(4),
            price: scaled(row.need_decimal(6), scale),
            grace_micros: row.need(7),
            description: row.get(8),
            limits: row.document(9),
            created_at: row.need_time(10),
        }
    })
}

/// When a period begins and ends; periods count from 1.
pub fn period(session: &Session, ledger_id: i32, started_at: i64, length: Period, number: i32) -> (i64, i64) {
    let arguments = [ledger_id.into(), started_at.into(), i32::from(length.months()).into(), number.into()];
    let rows = session.run(&PERIOD, &arguments);
    rows.first().map(|row| (row.need_time(0), row.need_time(1))).expect("the ledger is there")
}

/// A subscription about to be written.
pub struct NewSubscription<'a> {
    pub id: Uuid,
    pub plan_id: Uuid,
    pub account: &'a str,
    pub started_at: i64,
    pub period_end: i64,
    pub price: Decimal,
    pub reference: Option<&'a str>,
    pub metadata: Option<&'a Document>,
}

/// Writes a subscription; false where the account has the plan already.
pub fn insert(session: &Session, ledger_id: i32, new: &NewSubscription) -> bool {
    let arguments = [
        ledger_id.into(),
        new.id.into(),
        new.plan_id.into(),
        new.account.into(),
        new.started_at.into(),
        new.period_end.into(),
        new.price.into(),
        new.reference.into(),
        new.metadata.into(),
    ];
    session.run(&INSERT, &arguments).count() == 1
}

pub fn find(session: &Session, ledger_id: i32, id: Uuid, lock: bool) -> Option<Subscription> {
    let statement = if lock { &LOCK } else { &FIND };
    session.run(statement, &[ledger_id.into(), id.into()]).first().map(subscription)
}

/// The subscription that an account has to a plan now.
pub fn live(session: &Session, ledger_id: i32, account: &str, plan: &str) -> Option<Subscription> {
    session.run(&LIVE, &[ledger_id.into(), account.into(), plan.into()]).first().map(subscription)
}

/// A period that was paid.
pub struct Paid {
    pub subscription_id: Uuid,
    pub period: i32,
    pub transaction_id: Uuid,
    pub start: i64,
    pub end: i64,
    pub at: i64,
    pub amount: Decimal,
}

/// Writes down that a period was paid; false where it was before.
pub fn paid(session: &Session, ledger_id: i32, paid: &Paid) -> bool {
    let arguments = [
        ledger_id.into(),
        paid.subscription_id.into(),
        paid.period.into(),
        paid.transaction_id.into(),
        paid.start.into(),
        paid.end.into(),
        paid.at.into(),
        paid.amount.into(),
    ];
    session.run(&PAID, &arguments).count() == 1
}

pub fn renewed(session: &Session, ledger_id: i32, paid: &Paid) {
    let arguments = [
        ledger_id.into(),
        paid.subscription_id.into(),
        paid.period.into(),
        paid.start.into(),
        paid.end.into(),
    ];
    session.run(&RENEWED, &arguments);
}

pub fn past_due(session: &Session, ledger_id: i32, id: Uuid, since: i64, attempt_at: i64) {
    session.run(&PAST_DUE, &[ledger_id.into(), id.into(), since.into(), attempt_at.into()]);
}

/// Ends a subscription: expired or cancelled.
pub fn end(session: &Session, ledger_id: i32, id: Uuid, state: State, ends_at: i64, reason: Option<&str>) {
    let arguments = [ledger_id.into(), id.into(), (state as i16).into(), ends_at.into(), reason.into()];
    session.run(&END, &arguments);
}

pub fn refunded(
    session: &Session,
    ledger_id: i32,
    id: Uuid,
    transaction_id: Uuid,
    at: i64,
    amount: Decimal,
    by: (&str, Option<&str>),
) {
    let arguments = [
        ledger_id.into(),
        id.into(),
        transaction_id.into(),
        at.into(),
        amount.into(),
        by.0.into(),
        by.1.into(),
    ];
    session.run(&REFUNDED, &arguments);
}

/// Locks up to so many subscriptions that are due, and leaves to others what they work on.
pub fn take(session: &Session, ledger_id: i32, now: i64, max_count: i64) -> Vec<Uuid> {
    let rows = session.run(&TAKE, &[ledger_id.into(), now.into(), max_count.into()]);
    rows.iter().map(|row| row.need_id(0)).collect()
}

/// What a subscription that is due pays for a period.
pub struct Flow {
    pub account: String,
    pub plan_account: String,
    pub price: Decimal,
    /// Until when it is paid.
    pub period_end: i64,
    pub length: Period,
}

/// Who pays whom how much for a period when these are renewed.
pub fn flows(session: &Session, ledger_id: i32, ids: &[Uuid]) -> Vec<Flow> {
    let rows = session.run(&FLOWS, &[ledger_id.into(), Argument::ids(ids.iter().copied())]);
    let flow = |row: Row| Flow {
        account: row.need(0),
        plan_account: row.need(1),
        price: row.need_decimal(2),
        period_end: row.need_time(3),
        length: Period::from_months(row.need(4)),
    };
    rows.iter().map(flow).collect()
}
