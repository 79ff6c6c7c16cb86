//! SQL of spending limits: what counts at a moment, what was spent, and the changes.

pub mod change;

use super::rules::list::List;
use super::rules::window::Windows;
use super::rules::{Caps, Limit, Period, Spend, list};
use crate::account::rules::{Side, Type};
use crate::error::{Code, LedgerError, Result};
use crate::spi::{Argument, Row, Session, Statement};
use const_format::concatcp;
use pgrx::pg_sys::{INT4OID, INT8ARRAYOID, INT8OID, TEXTOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZOID};

// Everything that limits look at, in one statement. Rows of three forms:
// 1: the kinds that count now, and when a change that was made ahead begins;
// 2: a limit that counts at a moment, of one of the accounts or the organisation's (account NULL);
// 3: an open hold of one of the accounts.
static READ: Statement = Statement::new(
    "SELECT 1::smallint, NULL::integer, NULL::bigint,
            (SELECT s.value FROM wallet_data.settings s
             WHERE s.ledger_id = $1 AND s.name = 'limited_kinds' AND s.effective_from <= $4
             ORDER BY s.effective_from DESC, s.revision DESC LIMIT 1),
            NULL::text, NULL::text, NULL::boolean, NULL::bigint,
            NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::text, NULL::text, NULL::text,
            least((SELECT min(c.effective_from) FROM wallet_data.spending_limits c
                   WHERE c.ledger_id = $1 AND (c.account_id = ANY ($2) OR c.account_id IS NULL)
                     AND c.effective_from > $4),
                  (SELECT min(s.effective_from) FROM wallet_data.settings s
                   WHERE s.ledger_id = $1 AND s.name = 'limited_kinds' AND s.effective_from > $4))
     UNION ALL
     SELECT 2, i.number::integer, s.account_id, s.name, s.currency, s.method, s.replaces_default, s.revision,
            s.per_transaction, s.daily, s.weekly, s.monthly,
            s.windows::text, s.merchants::text, s.categories::text, NULL
     FROM unnest($3) WITH ORDINALITY i(at, number)
     CROSS JOIN LATERAL (
         SELECT DISTINCT ON (c.account_id, c.name) c.*
         FROM wallet_data.spending_limits c
         WHERE c.ledger_id = $1 AND (c.account_id = ANY ($2) OR c.account_id IS NULL) AND c.effective_from <= i.at
         ORDER BY c.account_id, c.name, c.effective_from DESC, c.revision DESC) s
     UNION ALL
     SELECT 3, h.kind_id, h.account_id, h.destination, h.metadata->>'category', h.metadata->>'method', NULL, NULL,
            h.amount, NULL, NULL, NULL, NULL, NULL, NULL, NULL
     FROM wallet_data.holds h
     WHERE h.ledger_id = $1 AND h.account_id = ANY ($2) AND h.state_id = 1 AND h.expires_at > $4",
    &[INT4OID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZOID],
);

const SPENT: &str = "SELECT p.number::integer, o.address, t.metadata->>'category', t.metadata->>'method',
            sum(t.amount - coalesce(r.reversed_amount, 0))
     FROM wallet_data.transfers t
     JOIN unnest($3, $4) WITH ORDINALITY p(period_start, period_end, number)
       ON t.effective_at >= p.period_start AND t.effective_at < p.period_end
     LEFT JOIN wallet_data.reversal_totals r ON r.ledger_id = t.ledger_id AND r.transfer_id = t.transfer_id
     JOIN wallet_data.accounts o ON o.ledger_id = t.ledger_id AND o.account_id = ";
const SPENT_PARAMETERS: &[pgrx::pg_sys::Oid] =
    &[INT4OID, INT8OID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, INT8ARRAYOID];

// Money leaves a wallet, a liability, by a debit, and an asset by a credit.
static SPENT_BY_DEBIT: Statement = Statement::new(
    concatcp!(
        SPENT,
        "t.credit_account_id WHERE t.ledger_id = $1 AND t.debit_account_id = $2 AND t.kind_id = ANY ($5)
         GROUP BY 1, 2, 3, 4"
    ),
    SPENT_PARAMETERS,
);
static SPENT_BY_CREDIT: Statement = Statement::new(
    concatcp!(
        SPENT,
        "t.debit_account_id WHERE t.ledger_id = $1 AND t.credit_account_id = $2 AND t.kind_id = ANY ($5)
         GROUP BY 1, 2, 3, 4"
    ),
    SPENT_PARAMETERS,
);

static PAYER: Statement = Statement::new(
    "SELECT account_id, address, type_id, currency, scale, stripe_count, spending, last_posted_at, held > 0
     FROM wallet_data.accounts WHERE ledger_id = $1 AND address = $2 AND stripe = 0",
    &[INT4OID, TEXTOID],
);

static MARK: Statement = Statement::new(
    "UPDATE wallet_data.accounts SET spending = '{}' WHERE ledger_id = $1 AND account_id = $2",
    &[INT4OID, INT8OID],
);

// In the order of postings, so that nobody waits in a circle.
static FORGET: Statement = Statement::new(
    "WITH limited AS (
         SELECT account_id FROM wallet_data.accounts
         WHERE ledger_id = $1 AND spending IS NOT NULL ORDER BY address, stripe FOR NO KEY UPDATE)
     UPDATE wallet_data.accounts a SET spending = '{}'
     FROM limited l WHERE a.ledger_id = $1 AND a.account_id = l.account_id",
    &[INT4OID],
);

// Conflicts with the lock under which the organisation's limits and settings are changed, not with itself.
static JOIN_LIMITED: Statement =
    Statement::new("SELECT FROM wallet_data.ledgers WHERE ledger_id = $1 FOR SHARE", &[INT4OID]);

/// An open hold, with the kind of what it promises.
pub struct Held {
    pub account_id: i64,
    pub kind_id: i16,
    pub spend: Spend,
}

/// What a call's limits look at.
#[derive(Default)]
pub struct Found {
    /// What the setting `limited_kinds` says; `None` where nobody has set it.
    pub kinds: Option<String>,
    /// When a change that was made ahead begins; `None` where there is none.
    pub until: Option<i64>,
    /// The place of the moment, the account (`None`: the organisation's), the limit.
    pub limits: Vec<(usize, Option<i64>, Limit)>,
    pub holds: Vec<Held>,
}

/// An account that pays, or is to be limited.
pub struct Payer {
    pub id: i64,
    pub address: String,
    pub account_type: Type,
    pub currency: String,
    pub scale: u32,
    pub is_striped: bool,
    pub spending: Option<String>,
    pub last_posted_at: i64,
    pub has_holds: bool,
}

/// Reads everything that limits look at, for some accounts at some moments. The first moment is now: holds that
/// expire before it do not count.
pub fn read(
    session: &Session,
    ledger_id: i32,
    accounts: &[i64],
    moments: &[i64],
    look: bool,
) -> Result<Found> {
    let now = moments.first().copied().unwrap_or_default();
    let arguments = [
        ledger_id.into(),
        Argument::numbers(accounts.iter().copied()),
        Argument::times(moments.iter().copied()),
        now.into(),
    ];
    let mut found = Found::default();
    for row in session.query(&READ, &arguments, look).iter() {
        match row.need::<i16>(0) {
            1 => (found.kinds, found.until) = (row.get(3), row.time(15)),
            2 => {
                let place = usize::try_from(row.need::<i32>(1)).unwrap_or(1) - 1;
                found.limits.push((place, row.get(2), limit(&row)?));
            }
            _ => found.holds.push(Held {
                account_id: row.need(2),
                kind_id: i16::try_from(row.need::<i32>(1)).unwrap_or_default(),
                spend: Spend {
                    amount: row.need_decimal(8),
                    merchant: row.get(3),
                    category: row.get(4),
                    method: row.get(5),
                },
            }),
        }
    }
    Ok(found)
}

fn limit(row: &Row) -> Result<Limit> {
    let unreadable = |error: LedgerError| {
        LedgerError::new(
            Code::BooksInconsistent,
            format!("a stored spending limit is unreadable: {}", error.message),
        )
    };
    let json = |column: usize| -> Option<serde_json::Value> {
        row.get::<String>(column).and_then(|text| serde_json::from_str(&text).ok())
    };
    let currency: String = row.need(4);
    let money = list::In { currency: &currency, scale: None };
    let as_it_is = |name: &str| Ok(name.to_owned());
    let list = |column, argument| {
        json(column)
            .map(|value| List::parse(&value, argument, money, &as_it_is))
            .transpose()
            .map_err(unreadable)
    };
    Ok(Limit {
        name: row.need(3),
        revision: row.need(7),
        is_default: row.get::<i64>(2).is_none(),
        replaces_default: row.need(6),
        method: row.get(5),
        caps: Caps {
            per_transaction: row.decimal(8),
            periods: [row.decimal(9), row.decimal(10), row.decimal(11)],
        },
        windows: json(12).map(|value| Windows::parse(&value)).transpose().map_err(unreadable)?,
        merchants: list(13, "merchants")?,
        categories: list(14, "categories")?,
        currency,
    })
}

/// What an account has spent in some periods, by their place, merchant, category and method: counted from the
/// transfers, without what was taken back.
pub fn spent(
    session: &Session,
    ledger_id: i32,
    account_id: i64,
    side: Side,
    periods: &[Period],
    kinds: &[i16],
    look: bool,
) -> Vec<(usize, Spend)> {
    let arguments = [
        ledger_id.into(),
        account_id.into(),
        Argument::times(periods.iter().map(|period| period.start)),
        Argument::times(periods.iter().map(|period| period.end)),
        Argument::numbers(kinds.iter().map(|kind| i64::from(*kind))),
    ];
    let statement = if side == Side::Debit { &SPENT_BY_DEBIT } else { &SPENT_BY_CREDIT };
    session
        .query(statement, &arguments, look)
        .iter()
        .map(|row| {
            let spend = Spend {
                amount: row.need_decimal(4),
                merchant: row.get(1),
                category: row.get(2),
                method: row.get(3),
            };
            (usize::try_from(row.need::<i32>(0)).unwrap_or(1) - 1, spend)
        })
        .collect()
}

pub fn payer(session: &Session, ledger_id: i32, address: &str, look: bool) -> Option<Payer> {
    session.query(&PAYER, &[ledger_id.into(), address.into()], look).first().map(|row| Payer {
        id: row.need(0),
        address: row.need(1),
        account_type: Type::from_id(row.need(2)),
        currency: row.need(3),
        scale: u32::from(row.need::<i16>(4).unsigned_abs()),
        is_striped: row.need::<i16>(5) > 1,
        spending: row.get(6),
        last_posted_at: row.need_time(7),
        has_holds: row.need(8),
    })
}

/// Makes limits look at an account; what it has spent is counted anew at its next spending.
pub fn mark(session: &Session, ledger_id: i32, account_id: i64) {
    session.run(&MARK, &[ledger_id.into(), account_id.into()]);
}

/// Makes every limited account of a ledger read its limits anew.
pub fn forget(session: &Session, ledger_id: i32) {
    session.run(&FORGET, &[ledger_id.into()]);
}

/// Waits for whoever changes the organisation's limits, and holds back the next change: it must not miss an
/// account that is limited only just now.
pub fn join_limited(session: &Session, ledger_id: i32) {
    session.run(&JOIN_LIMITED, &[ledger_id.into()]);
}
