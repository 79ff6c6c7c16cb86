//! SQL of balances: locking account rows and writing them back.

use crate::account::rules::{Account, State, Type};
use crate::money;
use crate::posting::rules::Change;
use crate::spi::batch::{Batch, Column};
use crate::spi::{Argument, Row, Session, Statement};
use const_format::concatcp;
use pgrx::pg_sys::{
    INT2OID, INT4OID, INT8ARRAYOID, INT8OID, JSONOID, NUMERICOID, Oid, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID,
};
use rust_decimal::Decimal;
use uuid::Uuid;

const ACCOUNT_COLUMNS: &str = "account_id, address, stripe_count, type_id, state_id, currency, scale, \
     posted, held, minimum_balance, maximum_balance, version, last_posted_at, spending";

// `+ 0` keeps the index from it: before a first ANALYZE the planner would look through all accounts of stripe 0 for the
// addresses instead of looking these up.
const PLAIN: &str = concatcp!(
    "SELECT ",
    ACCOUNT_COLUMNS,
    " FROM wallet_data.accounts
     WHERE ledger_id = $1 AND address = ANY ($2) AND stripe + 0 = 0 AND stripe_count = 1 ORDER BY address"
);
static LOOK_AT_PLAIN: Statement = Statement::new(PLAIN, &[INT4OID, TEXTARRAYOID]);
// NO KEY UPDATE: balances are not keys, and foreign keys that point here need not wait.
static LOCK_PLAIN: Statement =
    Statement::new(concatcp!(PLAIN, " FOR NO KEY UPDATE"), &[INT4OID, TEXTARRAYOID]);

static STRIPED: Statement = Statement::new(
    "SELECT address, type_id, minimum_balance IS NOT NULL, stripe_count FROM wallet_data.accounts
     WHERE ledger_id = $1 AND address = ANY ($2) AND stripe + 0 = 0 AND stripe_count > 1 ORDER BY address",
    &[INT4OID, TEXTARRAYOID],
);

// One given stripe, if nobody has locked it and it can give $4: a single probe of the index.
static TAKE_STRIPE: Statement = Statement::new(
    concatcp!(
        "SELECT ",
        ACCOUNT_COLUMNS,
        " FROM wallet_data.accounts
         WHERE ledger_id = $1 AND address = $2 AND stripe = $3
           AND (minimum_balance IS NULL OR posted - held - minimum_balance >= $4)
         FOR NO KEY UPDATE SKIP LOCKED"
    ),
    &[INT4OID, TEXTOID, INT2OID, NUMERICOID],
);

// A stripe that nobody has locked and that can give $4; the search begins at another one in each backend.
static TAKE_FREE_STRIPE: Statement = Statement::new(
    concatcp!(
        "SELECT ",
        ACCOUNT_COLUMNS,
        " FROM wallet_data.accounts
         WHERE ledger_id = $1 AND address = $2 AND stripe >= 1
           AND (minimum_balance IS NULL OR posted - held - minimum_balance >= $4)
         ORDER BY (stripe + $3) % stripe_count LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED"
    ),
    &[INT4OID, TEXTOID, INT4OID, NUMERICOID],
);

static WAIT_FOR_STRIPE: Statement = Statement::new(
    concatcp!(
        "SELECT ",
        ACCOUNT_COLUMNS,
        " FROM wallet_data.accounts
         WHERE ledger_id = $1 AND address = $2 AND stripe = 1 + $3 % stripe_count FOR NO KEY UPDATE"
    ),
    &[INT4OID, TEXTOID, INT4OID],
);

const ALL_STRIPES: &str = concatcp!(
    "SELECT ",
    ACCOUNT_COLUMNS,
    " FROM wallet_data.accounts WHERE ledger_id = $1 AND address = $2 AND stripe >= 1 ORDER BY stripe"
);
static LOOK_AT_STRIPES: Statement = Statement::new(ALL_STRIPES, &[INT4OID, TEXTOID]);
static LOCK_STRIPES: Statement =
    Statement::new(concatcp!(ALL_STRIPES, " FOR NO KEY UPDATE"), &[INT4OID, TEXTOID]);

static LOCK_ROWS: Statement = Statement::new(
    concatcp!(
        "SELECT ",
        ACCOUNT_COLUMNS,
        " FROM wallet_data.accounts
         WHERE ledger_id = $1 AND account_id = ANY ($2) ORDER BY address, stripe FOR NO KEY UPDATE"
    ),
    &[INT4OID, INT8ARRAYOID],
);

// An expired hold counts as released from its expiry on; the next posting on its account says so.
// Joined to the list of accounts, so that the account is a condition of the index whatever the table's size
// was when the plan was made.
static EXPIRE_HOLDS: Statement = Statement::new(
    "UPDATE wallet_data.holds h SET state_id = 4, resolved_at = $3
     FROM (SELECT DISTINCT unnest($2) AS account_id) w
     WHERE h.ledger_id = $1 AND h.account_id = w.account_id AND h.state_id = 1 AND h.expires_at <= $3
     RETURNING h.account_id, h.amount, h.hold_id",
    &[INT4OID, INT8ARRAYOID, TIMESTAMPTZOID],
);
static LOOK_AT_EXPIRED: Statement = Statement::new(
    "SELECT h.account_id, h.amount, h.hold_id
     FROM (SELECT DISTINCT unnest($2) AS account_id) w
     JOIN wallet_data.holds h ON h.ledger_id = $1 AND h.account_id = w.account_id AND h.state_id = 1
      AND h.expires_at <= $3",
    &[INT4OID, INT8ARRAYOID, TIMESTAMPTZOID],
);

// The version in the condition makes a lost update impossible even where a lock was forgotten.
static UPDATE_BALANCE: Statement = Statement::new(
    "UPDATE wallet_data.accounts SET posted = $4, held = $5, version = $6, last_posted_at = $7
     WHERE ledger_id = $1 AND account_id = $2 AND version = $3",
    &[INT4OID, INT8OID, INT8OID, NUMERICOID, NUMERICOID, INT8OID, TIMESTAMPTZOID],
);

// Both rows of a single transfer at once: starting a statement costs more than writing a row.
const PAIR: &str = "UPDATE wallet_data.accounts
     SET posted = CASE account_id WHEN $2 THEN $4 ELSE $10 END,
         held = CASE account_id WHEN $2 THEN $5 ELSE $11 END,
         version = CASE account_id WHEN $2 THEN $6 ELSE $12 END,
         last_posted_at = CASE account_id WHEN $2 THEN $7 ELSE $13 END";
const OF_PAIR: &str = "
     WHERE ledger_id = $1 AND account_id = ANY (ARRAY[$2, $8])
       AND version = CASE account_id WHEN $2 THEN $3 ELSE $9 END";

// Where limits have counted what one of the two spends, its counter goes back with the balance.
const COUNTERS: &str = ", spending = CASE account_id WHEN $2 THEN $14 ELSE $15 END";
const PAIR_PARAMETERS: &[Oid] = &[
    INT4OID,
    INT8OID,
    INT8OID,
    NUMERICOID,
    NUMERICOID,
    INT8OID,
    TIMESTAMPTZOID,
    INT8OID,
    INT8OID,
    NUMERICOID,
    NUMERICOID,
    INT8OID,
    TIMESTAMPTZOID,
    JSONOID,
    JSONOID,
];

// Without the counters.
static UPDATE_PAIR: Statement = Statement::new(concatcp!(PAIR, OF_PAIR), PAIR_PARAMETERS.split_at(13).0);
static UPDATE_COUNTED_PAIR: Statement = Statement::new(concatcp!(PAIR, COUNTERS, OF_PAIR), PAIR_PARAMETERS);

const COUNTED_BATCH: &[Column] = &[
    (c"account_id", INT8OID),
    (c"stored_version", INT8OID),
    (c"posted", NUMERICOID),
    (c"held", NUMERICOID),
    (c"version", INT8OID),
    (c"posted_at", TIMESTAMPTZOID),
    (c"spending", JSONOID),
];

// Without the counters.
const BALANCE_BATCH: &[Column] = COUNTED_BATCH.split_at(6).0;

static UPDATE_BALANCES: Statement = Statement::new(
    "UPDATE wallet_data.accounts a
     SET posted = n.posted, held = n.held, version = n.version, last_posted_at = n.posted_at
     FROM wallet_balances n
     WHERE a.ledger_id = $1 AND a.account_id = n.account_id AND a.version = n.stored_version",
    &[INT4OID],
);

// Counters of spending too.
static UPDATE_COUNTED: Statement = Statement::new(
    "UPDATE wallet_data.accounts a
     SET posted = n.posted, held = n.held, version = n.version, last_posted_at = n.posted_at,
         spending = n.spending
     FROM wallet_counted n
     WHERE a.ledger_id = $1 AND a.account_id = n.account_id AND a.version = n.stored_version",
    &[INT4OID],
);

/// A striped account that a call touches.
pub struct Striped {
    pub address: String,
    pub account_type: Type,
    pub has_floor: bool,
    pub stripe_count: i16,
}

/// A hold that expired by itself.
pub struct Expired {
    pub account_id: i64,
    pub amount: Decimal,
    pub hold_id: Uuid,
}

fn account(row: &Row) -> Account {
    let scale = u32::from(row.need::<i16>(6).unsigned_abs());
    // A column default has no decimals; in memory every amount has its currency's.
    let scaled = |value| money::scaled(value, scale);
    Account {
        id: row.need(0),
        address: row.need(1),
        stripe_count: row.need(2),
        account_type: Type::from_id(row.need(3)),
        state: State::from_id(row.need(4)),
        currency: row.need(5),
        scale,
        posted: scaled(row.need_decimal(7)),
        held: scaled(row.need_decimal(8)),
        minimum: row.decimal(9).map(scaled),
        maximum: row.decimal(10).map(scaled),
        version: row.need(11),
        last_posted_at: row.need_time(12),
        spending: row.get(13),
    }
}

/// Locks the plain accounts among `addresses`, in address order, whatever the order they come in.
pub fn plain(session: &Session, ledger_id: i32, addresses: &[&str], look: bool) -> Vec<Account> {
    let statement = if look { &LOOK_AT_PLAIN } else { &LOCK_PLAIN };
    let arguments = [ledger_id.into(), Argument::texts(addresses.iter().copied())];
    session.query(statement, &arguments, look).iter().map(|row| account(&row)).collect()
}

/// The striped accounts among `addresses`, in address order. Locks nothing.
pub fn striped(session: &Session, ledger_id: i32, addresses: &[&str], look: bool) -> Vec<Striped> {
    let arguments = [ledger_id.into(), Argument::texts(addresses.iter().copied())];
    let rows = session.query(&STRIPED, &arguments, look);
    rows.iter()
        .map(|row| Striped {
            address: row.need(0),
            account_type: Type::from_id(row.need(1)),
            has_floor: row.need(2),
            stripe_count: row.need(3),
        })
        .collect()
}

/// Locks a stripe that is free and can give `outflow`; never waits. Looks at this backend's own stripe
/// first, which nobody else uses while there are fewer backends than stripes.
pub fn free_stripe(
    session: &Session,
    ledger_id: i32,
    striped: &Striped,
    start: i32,
    outflow: Decimal,
) -> Option<Account> {
    let address = striped.address.as_str();
    let own = i16::try_from(1 + start % i32::from(striped.stripe_count)).expect("at most 256 stripes");
    let arguments = [ledger_id.into(), address.into(), own.into(), outflow.into()];
    if let Some(row) = session.run(&TAKE_STRIPE, &arguments).first() {
        return Some(account(&row));
    }
    let arguments = [ledger_id.into(), address.into(), start.into(), outflow.into()];
    session.run(&TAKE_FREE_STRIPE, &arguments).first().map(|row| account(&row))
}

/// Waits for one stripe.
pub fn wait_for_stripe(session: &Session, ledger_id: i32, address: &str, start: i32) -> Option<Account> {
    let arguments = [ledger_id.into(), address.into(), start.into()];
    session.run(&WAIT_FOR_STRIPE, &arguments).first().map(|row| account(&row))
}

/// Locks, or looks at, every stripe in order.
pub fn stripes(session: &Session, ledger_id: i32, address: &str, look: bool) -> Vec<Account> {
    let statement = if look { &LOOK_AT_STRIPES } else { &LOCK_STRIPES };
    session
        .query(statement, &[ledger_id.into(), address.into()], look)
        .iter()
        .map(|row| account(&row))
        .collect()
}

/// Locks rows by id, in the order of addresses and stripes.
pub fn rows(session: &Session, ledger_id: i32, ids: impl Iterator<Item = i64>) -> Vec<Account> {
    let arguments = [ledger_id.into(), Argument::numbers(ids)];
    session.run(&LOCK_ROWS, &arguments).iter().map(|row| account(&row)).collect()
}

/// Marks the expired holds of locked accounts, or only looks at them.
pub fn expire_holds(session: &Session, ledger_id: i32, ids: &[i64], now: i64, look: bool) -> Vec<Expired> {
    let statement = if look { &LOOK_AT_EXPIRED } else { &EXPIRE_HOLDS };
    let arguments = [ledger_id.into(), Argument::numbers(ids.iter().copied()), now.into()];
    let rows = session.query(statement, &arguments, look);
    rows.iter()
        .map(|row| Expired { account_id: row.need(0), amount: row.need_decimal(1), hold_id: row.need_id(2) })
        .collect()
}

/// Writes back the rows that changed; returns how many the table accepted. `has_counted`: counters of spending
/// are among what changed.
pub fn update_balances(
    session: &Session,
    ledger_id: i32,
    changes: &[Change],
    now: i64,
    has_counted: bool,
) -> usize {
    // An account whose holds changed and whose balance did not keeps the time of its last posting.
    let values = |change: &Change| -> [Argument; 6] {
        let account = change.account;
        let is_posted = account.version != change.stored_version;
        let posted_at = if is_posted { now } else { account.last_posted_at };
        [
            account.id.into(),
            change.stored_version.into(),
            account.posted.into(),
            account.held.into(),
            account.version.into(),
            posted_at.into(),
        ]
    };
    let ledger = [Argument::from(ledger_id)];
    let spending = |change: &Change| Argument::from(change.account.spending.as_deref());
    match (changes, has_counted) {
        ([one], false) => session.run(&UPDATE_BALANCE, &[&ledger[..], &values(one)].concat()).count(),
        ([one, two], false) => {
            session.run(&UPDATE_PAIR, &[&ledger[..], &values(one), &values(two)].concat()).count()
        }
        ([one, two], true) => {
            let counters = [spending(one), spending(two)];
            let arguments = [&ledger[..], &values(one), &values(two), &counters].concat();
            session.run(&UPDATE_COUNTED_PAIR, &arguments).count()
        }
        (many, false) => {
            let mut batch = Batch::new(c"wallet_balances", BALANCE_BATCH);
            many.iter().for_each(|change| batch.push(&values(change)));
            let _registered = batch.register();
            session.run(&UPDATE_BALANCES, &ledger).count()
        }
        (many, true) => {
            let mut batch = Batch::new(c"wallet_counted", COUNTED_BATCH);
            many.iter().for_each(|change| batch.push(&[&values(change)[..], &[spending(change)]].concat()));
            let _registered = batch.register();
            session.run(&UPDATE_COUNTED, &ledger).count()
        }
    }
}
