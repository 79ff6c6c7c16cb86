//! SQL of the changes of spending limits.

use crate::limit::rules::Limit;
use crate::spi::{Argument, Session, Statement};
use pgrx::pg_sys::{BOOLOID, INT4OID, INT8OID, JSONBOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use serde_json::Value;
use uuid::Uuid;

// The number of the last change, and the change that counts at a moment, if any does.
static COUNTING: Statement = Statement::new(
    "SELECT l.revision, c.revision, c.effective_from, c.set_by, c.replaces_default, c.method, c.per_transaction,
            c.daily, c.weekly, c.monthly, c.windows, c.merchants, c.categories, c.currency, c.limit_id, c.reason,
            c.created_at
     FROM (SELECT max(s.revision) AS revision FROM wallet_data.spending_limits s
           WHERE s.ledger_id = $1 AND s.account_id IS NOT DISTINCT FROM $2 AND s.name = $3) l
     LEFT JOIN LATERAL (
         SELECT s.* FROM wallet_data.spending_limits s
         WHERE s.ledger_id = $1 AND s.account_id IS NOT DISTINCT FROM $2 AND s.name = $3 AND s.effective_from <= $4
         ORDER BY s.effective_from DESC, s.revision DESC LIMIT 1) c ON true",
    &[INT4OID, INT8OID, TEXTOID, TIMESTAMPTZOID],
);

static COUNT: Statement = Statement::new(
    "SELECT count(DISTINCT name) FROM wallet_data.spending_limits
     WHERE ledger_id = $1 AND account_id IS NOT DISTINCT FROM $2",
    &[INT4OID, INT8OID],
);

static INSERT: Statement = Statement::new(
    "INSERT INTO wallet_data.spending_limits
         (ledger_id, revision, limit_id, account_id, effective_from, created_at, replaces_default, name, method,
          currency, per_transaction, daily, weekly, monthly, windows, merchants, categories, set_by, reason)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
     ON CONFLICT ON CONSTRAINT spending_limits_revision DO NOTHING",
    &[
        INT4OID,
        INT8OID,
        UUIDOID,
        INT8OID,
        TIMESTAMPTZOID,
        TIMESTAMPTZOID,
        BOOLOID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
        NUMERICOID,
        NUMERICOID,
        NUMERICOID,
        NUMERICOID,
        JSONBOID,
        JSONBOID,
        JSONBOID,
        TEXTOID,
        TEXTOID,
    ],
);

/// A change of a limit, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub revision: i64,
    pub id: Uuid,
    pub effective_from: i64,
    pub created_at: i64,
    pub set_by: String,
    pub reason: Option<String>,
    pub terms: Terms,
}

/// What a change says, in the one way to write it.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    pub replaces_default: bool,
    pub method: Option<String>,
    pub currency: String,
    /// Per transaction, daily, weekly, monthly.
    pub caps: [Option<rust_decimal::Decimal>; 4],
    /// Windows, merchants, categories.
    pub lists: [Option<Value>; 3],
}

impl Terms {
    pub fn of(limit: &Limit) -> Self {
        let [daily, weekly, monthly] = limit.caps.periods;
        Self {
            replaces_default: limit.replaces_default,
            method: limit.method.clone(),
            currency: limit.currency.clone(),
            caps: [limit.caps.per_transaction, daily, weekly, monthly],
            lists: [
                limit.windows.as_ref().map(|windows| windows.to_json()),
                limit.merchants.as_ref().map(|list| list.to_json()),
                limit.categories.as_ref().map(|list| list.to_json()),
            ],
        }
    }
}

/// What has become of a limit up to a moment.
pub struct History {
    /// The number of the last change of all, whenever that one counts; 0 where there is none.
    pub revision: i64,
    /// The change that counts at the moment.
    pub counting: Option<Change>,
}

/// What has become of a limit up to a moment; `None` for the account is the organisation's.
pub fn history(session: &Session, ledger_id: i32, account_id: Option<i64>, name: &str, at: i64) -> History {
    let rows = session.run(&COUNTING, &[ledger_id.into(), account_id.into(), name.into(), at.into()]);
    let Some(row) = rows.first() else { return History { revision: 0, counting: None } };
    let change = |revision| Change {
        revision,
        effective_from: row.need_time(2),
        set_by: row.need(3),
        terms: Terms {
            replaces_default: row.need(4),
            method: row.get(5),
            caps: [row.decimal(6), row.decimal(7), row.decimal(8), row.decimal(9)],
            lists: [row.json(10), row.json(11), row.json(12)],
            currency: row.need(13),
        },
        id: row.need_id(14),
        reason: row.get(15),
        created_at: row.need_time(16),
    };
    History { revision: row.get(0).unwrap_or_default(), counting: row.get(1).map(change) }
}

/// How many limits an account has, or the organisation, also those that limit nothing any more.
pub fn count(session: &Session, ledger_id: i32, account_id: Option<i64>) -> i64 {
    session.run(&COUNT, &[ledger_id.into(), account_id.into()]).first().map_or(0, |row| row.need(0))
}

/// Adds a change; false where another session was first with this revision.
pub fn insert(
    session: &Session,
    ledger_id: i32,
    account_id: Option<i64>,
    name: &str,
    change: &Change,
) -> bool {
    let Terms { replaces_default, method, currency, caps, lists } = &change.terms;
    let json = |value: &Option<Value>| value.as_ref().map_or(Argument::datum(None), Argument::json);
    let arguments = [
        ledger_id.into(),
        change.revision.into(),
        change.id.into(),
        account_id.into(),
        change.effective_from.into(),
        change.created_at.into(),
        (*replaces_default).into(),
        name.into(),
        method.as_deref().into(),
        currency.into(),
        caps[0].into(),
        caps[1].into(),
        caps[2].into(),
        caps[3].into(),
        json(&lists[0]),
        json(&lists[1]),
        json(&lists[2]),
        (&change.set_by).into(),
        change.reason.as_deref().into(),
    ];
    session.run(&INSERT, &arguments).count() == 1
}
