//! SQL of accounts and their profiles. Balances are written by `posting::store` only.

use super::rules::{State, Type};
use crate::money;
use crate::spi::{Argument, Session, Statement, jsonb::Document};
use const_format::concatcp;
use pgrx::pg_sys::{INT2OID, INT4OID, INT8OID, JSONBOID, NUMERICOID, TEXTARRAYOID, TEXTOID};
use rust_decimal::Decimal;

static INSERT: Statement = Statement::new(
    "INSERT INTO wallet_data.accounts
         (ledger_id, stripe, stripe_count, type_id, currency, scale, address, minimum_balance, maximum_balance)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (ledger_id, address, stripe) DO NOTHING
     RETURNING account_id",
    &[INT4OID, INT2OID, INT2OID, INT2OID, TEXTOID, INT2OID, TEXTOID, NUMERICOID, NUMERICOID],
);

static INSERT_PROFILE: Statement = Statement::new(
    "INSERT INTO wallet_data.account_profiles (ledger_id, account_id, owner, metadata) VALUES ($1, $2, $3, $4)",
    &[INT4OID, INT8OID, TEXTOID, JSONBOID],
);

// The account as one row: a plain account's own, or the root of a striped one with the sum of its stripes.
// Expired holds count as released here as everywhere.
static READ: Statement = Statement::new(
    "SELECT a.account_id, a.address, a.type_id, a.state_id, a.currency, a.scale, a.minimum_balance,
            a.maximum_balance, a.stripe_count,
            CASE WHEN a.stripe_count = 1 THEN a.posted ELSE s.posted END,
            CASE WHEN a.stripe_count = 1 THEN a.held ELSE s.held END - coalesce(e.amount, 0),
            CASE WHEN a.stripe_count = 1 THEN a.version ELSE s.version END,
            p.owner, p.metadata, p.created_at
     FROM wallet_data.accounts a
     LEFT JOIN wallet_data.account_profiles p ON p.ledger_id = a.ledger_id AND p.account_id = a.account_id
     LEFT JOIN LATERAL (
         SELECT sum(b.posted) AS posted, sum(b.held) AS held, sum(b.version)::bigint AS version
         FROM wallet_data.accounts b
         WHERE a.stripe_count > 1 AND b.ledger_id = a.ledger_id AND b.address = a.address AND b.stripe > 0) s ON true
     LEFT JOIN LATERAL (
         SELECT sum(h.amount) AS amount
         FROM wallet_data.holds h
         JOIN wallet_data.accounts b ON b.ledger_id = h.ledger_id AND b.account_id = h.account_id
         WHERE b.ledger_id = a.ledger_id AND b.address = a.address AND b.held > 0
           AND h.state_id = 1 AND h.expires_at <= clock_timestamp()) e ON true
     WHERE a.ledger_id = $1 AND a.address = $2 AND a.stripe = 0",
    &[INT4OID, TEXTOID],
);

static LOCK: Statement = Statement::new(
    "SELECT stripe FROM wallet_data.accounts
     WHERE ledger_id = $1 AND address = $2 AND (stripe > 0 OR stripe_count = 1)
     ORDER BY stripe FOR NO KEY UPDATE",
    &[INT4OID, TEXTOID],
);

/// Whether account `a` is the asset, suspense or outgoing account of some bank account: mutations alone move those.
pub const IS_A_BANKS: &str = "EXISTS (SELECT FROM wallet_data.bank_accounts k
     WHERE k.ledger_id = a.ledger_id AND a.account_id IN (k.account_id, k.suspense_account_id, k.outgoing_account_id))";
static A_BANKS: Statement = Statement::new(
    concatcp!(
        "SELECT FROM wallet_data.accounts a WHERE a.ledger_id = $1 AND a.address = $2 AND a.stripe = 0 AND ",
        IS_A_BANKS
    ),
    &[INT4OID, TEXTOID],
);

static ANY: Statement = Statement::new(
    "SELECT FROM wallet_data.accounts WHERE ledger_id = $1 AND address = ANY ($2) LIMIT 1",
    &[INT4OID, TEXTARRAYOID],
);

static SET_STATE: Statement = Statement::new(
    "UPDATE wallet_data.accounts SET state_id = $3 WHERE ledger_id = $1 AND address = $2 AND state_id <> $3",
    &[INT4OID, TEXTOID, INT2OID],
);

/// What `create_account` puts into the table.
pub struct NewAccount<'a> {
    pub address: &'a str,
    pub account_type: Type,
    pub currency: &'a str,
    pub scale: u32,
    pub minimum: Option<Decimal>,
    pub maximum: Option<Decimal>,
    pub stripes: i16,
    pub owner: Option<&'a str>,
    pub metadata: Option<&'a Document>,
}

/// An account with its profile and its balances as they count now.
#[derive(Clone, Debug)]
pub struct Stored {
    pub address: String,
    pub account_type: Type,
    pub state: State,
    pub currency: String,
    pub minimum: Option<Decimal>,
    pub maximum: Option<Decimal>,
    pub stripes: i16,
    pub posted: Decimal,
    pub held: Decimal,
    pub version: i64,
    pub owner: Option<String>,
    pub metadata: Option<Document>,
    pub created_at: Option<i64>,
}

/// Whether an account is the asset, suspense or outgoing account of some bank account.
pub fn is_a_banks(session: &Session, ledger_id: i32, address: &str) -> bool {
    session.run(&A_BANKS, &[ledger_id.into(), address.into()]).first().is_some()
}

/// Whether one of these addresses is taken now, by whatever was committed since the call began too.
pub fn any<'a>(session: &Session, ledger_id: i32, addresses: impl Iterator<Item = &'a str>) -> bool {
    session.run(&ANY, &[ledger_id.into(), Argument::texts(addresses)]).first().is_some()
}

/// Inserts the account, with its stripes and profile; false where the address is taken.
pub fn insert(session: &Session, ledger_id: i32, account: &NewAccount) -> bool {
    let scale = i16::try_from(account.scale).expect("at most 18");
    let insert_row = |stripe: i16| {
        // The floor of a striped account is shared out: the first stripe has all of it, the others zero.
        let minimum = if stripe > 1 { account.minimum.map(|_| Decimal::ZERO) } else { account.minimum };
        let arguments = [
            ledger_id.into(),
            stripe.into(),
            account.stripes.into(),
            (account.account_type as i16).into(),
            account.currency.into(),
            scale.into(),
            account.address.into(),
            minimum.into(),
            account.maximum.into(),
        ];
        session.run(&INSERT, &arguments).first().map(|row| row.need::<i64>(0))
    };
    let Some(root) = insert_row(0) else { return false };
    let stripes = if account.stripes > 1 { account.stripes } else { 0 };
    (1..=stripes).for_each(|stripe| {
        insert_row(stripe);
    });
    session.run(
        &INSERT_PROFILE,
        &[ledger_id.into(), root.into(), account.owner.into(), account.metadata.into()],
    );
    true
}

/// Reads an account. `fresh` looks at what is committed now, otherwise at the caller's snapshot.
pub fn read(session: &Session, ledger_id: i32, address: &str, fresh: bool) -> Option<Stored> {
    let rows = session.query(&READ, &[ledger_id.into(), address.into()], !fresh);
    let row = rows.first()?;
    let scale = u32::from(row.need::<i16>(5).unsigned_abs());
    let scaled = |value| money::scaled(value, scale);
    Some(Stored {
        address: row.need(1),
        account_type: Type::from_id(row.need(2)),
        state: State::from_id(row.need(3)),
        currency: row.need(4),
        minimum: row.decimal(6).map(scaled),
        maximum: row.decimal(7).map(scaled),
        stripes: row.need(8),
        posted: scaled(row.need_decimal(9)),
        held: scaled(row.need_decimal(10)),
        version: row.need(11),
        owner: row.get(12),
        metadata: row.document(13),
        created_at: row.time(14),
    })
}

/// Locks every balance of an account, in the order that postings use.
pub fn lock(session: &Session, ledger_id: i32, address: &str) {
    session.run(&LOCK, &[ledger_id.into(), address.into()]);
}

/// Sets the state of every row of an account; false where it was so already.
pub fn set_state(session: &Session, ledger_id: i32, address: &str, state: State) -> bool {
    session.run(&SET_STATE, &[ledger_id.into(), address.into(), (state as i16).into()]).count() > 0
}
