//! SQL of spending limits: what counts at a moment, what was spent, and the changes.

pub mod change;

use super::rules::list::List;
use super::rules::window::Windows;
use super::rules::{Caps, Limit, Period, Spend, list};
use crate::account::rules::{Side, Type};
use crate::error::{Code, LedgerError, Result};
use crate::spi::{Argument, Row, Session, Statement};
use const_format::concatcp;
use pgrx::pg_sys::{BOOLOID, INT4OID, INT8ARRAYOID, INT8OID, TEXTOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZOID};
use std::collections::{HashMap, HashSet};

// Everything that limits look at, in one statement, between two moments ($3 and $5; $4 is now). Rows of four forms:
// 1: the kinds that count now, and when a change that was made ahead begins;
// 2: a change of a limit that counts then, of one of the accounts or the organisation's (account NULL);
// 3: an open hold of one of the accounts;
// 4: one of the accounts that is a member's wallet: for these alone the organisation's limits count.
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
     SELECT 2, NULL, s.account_id, s.name, s.currency, s.method, s.replaces_default, s.revision,
            s.per_transaction, s.daily, s.weekly, s.monthly,
            s.windows::text, s.merchants::text, s.categories::text, s.effective_from
     FROM ((SELECT DISTINCT ON (c.account_id, c.name) c.*
            FROM wallet_data.spending_limits c
            WHERE c.ledger_id = $1 AND (c.account_id = ANY ($2) OR c.account_id IS NULL) AND c.effective_from <= $3
            ORDER BY c.account_id, c.name, c.effective_from DESC, c.revision DESC)
           UNION ALL
           SELECT c.*
           FROM wallet_data.spending_limits c
           WHERE c.ledger_id = $1 AND (c.account_id = ANY ($2) OR c.account_id IS NULL)
             AND c.effective_from > $3 AND c.effective_from <= $5) s
     UNION ALL
     SELECT 3, h.kind_id, h.account_id, h.destination, h.metadata->>'category', h.metadata->>'method', NULL, NULL,
            h.amount, NULL, NULL, NULL, NULL, NULL, NULL, NULL
     FROM wallet_data.holds h
     WHERE h.ledger_id = $1 AND h.account_id = ANY ($2) AND h.state_id = 1 AND h.expires_at > $4
     UNION ALL
     SELECT 4, NULL, m.account_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
     FROM wallet_data.members m
     WHERE m.ledger_id = $1 AND m.account_id = ANY ($2)",
    &[INT4OID, INT8ARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID],
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

// In the order of postings, so that nobody waits in a circle. $2: members' wallets only.
static FORGET: Statement = Statement::new(
    "WITH limited AS (
         SELECT a.account_id FROM wallet_data.accounts a
         WHERE a.ledger_id = $1 AND a.spending IS NOT NULL
           AND (NOT $2 OR EXISTS (SELECT FROM wallet_data.members m
                                  WHERE m.ledger_id = a.ledger_id AND m.account_id = a.account_id))
         ORDER BY a.address, a.stripe FOR NO KEY UPDATE)
     UPDATE wallet_data.accounts a SET spending = '{}'
     FROM limited l WHERE a.ledger_id = $1 AND a.account_id = l.account_id",
    &[INT4OID, BOOLOID],
);

static LIMITED: Statement = Statement::new(
    "SELECT count(*) FROM wallet_data.accounts a
     WHERE a.ledger_id = $1 AND a.spending IS NOT NULL
       AND (NOT $2 OR EXISTS (SELECT FROM wallet_data.members m
                              WHERE m.ledger_id = a.ledger_id AND m.account_id = a.account_id))",
    &[INT4OID, BOOLOID],
);

// Changes nothing, and is a change all the same: who looks at the ledger's row with a snapshot from before it
// cannot lock the row any more.
static OUTDATE: Statement =
    Statement::new("UPDATE wallet_data.ledgers SET created_at = created_at WHERE ledger_id = $1", &[INT4OID]);

// Conflicts with the lock under which the organisation's limits and settings are changed, not with itself.
static JOIN_LIMITED: Statement =
    Statement::new("SELECT FROM wallet_data.ledgers WHERE ledger_id = $1 FOR SHARE", &[INT4OID]);

/// An open hold, with the kind of what it promises.
pub struct Held {
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
    /// By the account (`None`: the organisation's): changes, with the moment from which each counts.
    pub limits: HashMap<Option<i64>, Vec<(i64, Limit)>>,
    /// By the account.
    pub holds: HashMap<i64, Vec<Held>>,
    /// Those of the accounts that are members' wallets.
    pub members: HashSet<i64>,
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

/// Reads everything that limits look at, for some accounts at some moments from the first to the last. Holds that
/// expire before now do not count.
pub fn read(
    session: &Session,
    ledger_id: i32,
    accounts: &[i64],
    now: i64,
    (first, last): (i64, i64),
    look: bool,
) -> Result<Found> {
    let accounts = Argument::numbers(accounts.iter().copied());
    let arguments = [ledger_id.into(), accounts, first.into(), now.into(), last.into()];
    let mut found = Found::default();
    for row in session.query(&READ, &arguments, look).iter() {
        match row.need::<i16>(0) {
            1 => (found.kinds, found.until) = (row.get(3), row.time(15)),
            2 => found.limits.entry(row.get(2)).or_default().push((row.need_time(15), limit(&row)?)),
            3 => found.holds.entry(row.need(2)).or_default().push(Held {
                kind_id: i16::try_from(row.need::<i32>(1)).unwrap_or_default(),
                spend: Spend {
                    amount: row.need_decimal(8),
                    merchant: row.get(3),
                    category: row.get(4),
                    method: row.get(5),
                },
            }),
            _ => {
                found.members.insert(row.need(2));
            }
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
    // A list that cannot be read is not a list that is not there.
    let json = |column: usize| {
        let text: Option<String> = row.get(column);
        text.map(|text| serde_json::from_str::<serde_json::Value>(&text)).transpose().map_err(|error| {
            LedgerError::new(
                Code::BooksInconsistent,
                format!("a stored spending limit is unreadable: {error}"),
            )
        })
    };
    let currency: String = row.need(4);
    let money = list::In { currency: &currency, scale: None };
    let as_it_is = |name: &str| Ok(name.to_owned());
    let list = |column, argument| {
        json(column)?
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
        windows: json(12)?.map(|value| Windows::parse(&value)).transpose().map_err(unreadable)?,
        merchants: list(13, "merchants")?,
        categories: list(14, "categories")?,
        currency,
    })
}

/// What an account has spent in some periods, for each by merchant, category and method: counted from the transfers,
/// without what was taken back.
pub fn spent(
    session: &Session,
    ledger_id: i32,
    account_id: i64,
    side: Side,
    periods: &[Period],
    kinds: &[i16],
    look: bool,
) -> Result<Vec<Vec<Spend>>> {
    let arguments = [
        ledger_id.into(),
        account_id.into(),
        Argument::times(periods.iter().map(|period| period.start)),
        Argument::times(periods.iter().map(|period| period.end)),
        Argument::numbers(kinds.iter().map(|kind| i64::from(*kind))),
    ];
    let statement = if side == Side::Debit { &SPENT_BY_DEBIT } else { &SPENT_BY_CREDIT };
    let mut spent = vec![Vec::new(); periods.len()];
    for row in session.query(statement, &arguments, look).iter() {
        let place = usize::try_from(row.need::<i32>(0)).unwrap_or(1) - 1;
        spent[place].push(Spend {
            // A sum that nothing bounds: what came in can be spent again.
            amount: row.need_number(4).finite("spent")?,
            merchant: row.get(1),
            category: row.get(2),
            method: row.get(3),
        });
    }
    Ok(spent)
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

/// Makes limited accounts read their limits anew; returns how many.
pub fn forget(session: &Session, ledger_id: i32, members_only: bool) -> i64 {
    session.run(&FORGET, &[ledger_id.into(), members_only.into()]).count() as i64
}

/// How many limited accounts there are, also those that are younger than the transaction's snapshot.
pub fn count_limited(session: &Session, ledger_id: i32, members_only: bool) -> i64 {
    let rows = session.read_latest(&LIMITED, &[ledger_id.into(), members_only.into()]);
    rows.first().map_or(0, |row| row.need(0))
}

/// Makes sessions whose snapshot is from before this change fail where they lock the ledger's row.
pub fn outdate(session: &Session, ledger_id: i32) {
    session.run(&OUTDATE, &[ledger_id.into()]);
}

/// Waits for whoever changes the organisation's limits, and holds back the next change: it must not miss an
/// account that is limited only just now.
pub fn join_limited(session: &Session, ledger_id: i32) {
    session.run(&JOIN_LIMITED, &[ledger_id.into()]);
}
