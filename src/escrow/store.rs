//! SQL of escrows and their lines. Rows are written under the row lock of their escrow only.

pub mod due;
pub mod record;
pub mod together;

use super::rules::line::{Line, Split};
use super::rules::{State, amount, units};
use crate::rate::rules::Rate;
use crate::spi::batch::{Batch, Column};
use crate::spi::{Row, Session, Statement, jsonb::Document};
use const_format::concatcp;
use pgrx::pg_sys::{
    INT2OID, INT4OID, INT8OID, JSONBOID, NUMERICOID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID, UUIDOID,
};
use rust_decimal::Decimal;
use uuid::Uuid;

const READ: &str =
    "SELECT e.escrow_id, e.state_id, a.address, b.address, a.currency, a.scale, e.amount, e.reference,
            e.intent_id, e.tracking_reference, e.opened_at, e.shipped_at, e.release_due_at, e.closed_at
     FROM wallet_data.escrows e
     JOIN wallet_data.accounts a ON a.ledger_id = e.ledger_id AND a.account_id = e.account_id
     JOIN wallet_data.accounts b ON b.ledger_id = e.ledger_id AND b.account_id = e.buyer_account_id
     WHERE e.ledger_id = $1";
static FIND: Statement = Statement::new(concatcp!(READ, " AND e.escrow_id = $2"), &[INT4OID, UUIDOID]);
static LOCK: Statement =
    Statement::new(concatcp!(READ, " AND e.escrow_id = $2 FOR NO KEY UPDATE OF e"), &[INT4OID, UUIDOID]);
static BY_REFERENCE: Statement = Statement::new(
    "SELECT escrow_id FROM wallet_data.escrows WHERE ledger_id = $1 AND reference = $2",
    &[INT4OID, TEXTOID],
);
static BY_INTENT: Statement = Statement::new(
    "SELECT escrow_id FROM wallet_data.escrows WHERE ledger_id = $1 AND intent_id = $2",
    &[INT4OID, UUIDOID],
);

static LINES: Statement = Statement::new(
    "SELECT b.address, f.address, l.rate, l.amount, l.released_amount, l.fee_amount, l.refunded_amount,
            l.returned_amount, l.returned_fee_amount, l.advanced_amount, l.fee, l.description
     FROM wallet_data.escrow_lines l
     JOIN wallet_data.accounts b ON b.ledger_id = l.ledger_id AND b.account_id = l.beneficiary_account_id
     LEFT JOIN wallet_data.accounts f ON f.ledger_id = l.ledger_id AND f.account_id = l.fee_account_id
     WHERE l.ledger_id = $1 AND l.escrow_id = $2 ORDER BY l.line",
    &[INT4OID, UUIDOID],
);

// `+ 0`, here and below: see the posting's own look-up of accounts.
static PARTIES: Statement = Statement::new(
    "SELECT address, currency FROM wallet_data.accounts
     WHERE ledger_id = $1 AND address = ANY ($2) AND stripe + 0 = 0",
    &[INT4OID, TEXTARRAYOID],
);

static INSERT: Statement = Statement::new(
    "INSERT INTO wallet_data.escrows
         (ledger_id, escrow_id, account_id, buyer_account_id, intent_id, transaction_id, opened_at,
          auto_release_after, amount, reference, metadata)
     SELECT $1, $2, a.account_id, b.account_id, $5, $6, $7, make_interval(secs => $8::double precision / 1000000), $9,
            $10, $11
     FROM wallet_data.accounts a, wallet_data.accounts b
     WHERE a.ledger_id = $1 AND a.address = $3 AND a.stripe = 0
       AND b.ledger_id = $1 AND b.address = $4 AND b.stripe = 0
     ON CONFLICT DO NOTHING",
    &[
        INT4OID, UUIDOID, TEXTOID, TEXTOID, UUIDOID, UUIDOID, TIMESTAMPTZOID, INT8OID, NUMERICOID, TEXTOID, JSONBOID,
    ],
);

const NEW_LINES: &[Column] = &[
    (c"line", INT2OID),
    (c"beneficiary", TEXTOID),
    (c"fee_account", TEXTOID),
    (c"rate", NUMERICOID),
    (c"amount", NUMERICOID),
    (c"fee", TEXTOID),
    (c"description", TEXTOID),
];
// Striped accounts have a root, and it is the root that a line names.
static INSERT_LINES: Statement = Statement::new(
    "INSERT INTO wallet_data.escrow_lines
         (ledger_id, escrow_id, line, beneficiary_account_id, fee_account_id, rate, amount, fee, description)
     SELECT $1, $2, n.line, b.account_id, f.account_id, n.rate, n.amount, n.fee, n.description
     FROM wallet_lines n
     JOIN wallet_data.accounts b ON b.ledger_id = $1 AND b.address = n.beneficiary AND b.stripe + 0 = 0
     LEFT JOIN wallet_data.accounts f ON f.ledger_id = $1 AND f.address = n.fee_account AND f.stripe + 0 = 0",
    &[INT4OID, UUIDOID],
);

static SHIP: Statement = Statement::new(
    "UPDATE wallet_data.escrows
     SET state_id = 2, shipped_at = $3, release_due_at = $3 + auto_release_after, attempt_at = $3 + auto_release_after,
         tracking_reference = $4
     WHERE ledger_id = $1 AND escrow_id = $2",
    &[INT4OID, UUIDOID, TIMESTAMPTZOID, TEXTOID],
);

static SET_STATE: Statement = Statement::new(
    "UPDATE wallet_data.escrows
     SET state_id = $3, release_due_at = CASE WHEN $3 = 2 THEN release_due_at END,
         attempt_at = CASE WHEN $3 = 2 THEN attempt_at END
     WHERE ledger_id = $1 AND escrow_id = $2",
    &[INT4OID, UUIDOID, INT2OID],
);

const SPLITS: &[Column] = &[
    (c"line", INT2OID),
    (c"released", NUMERICOID),
    (c"fee", NUMERICOID),
    (c"refunded", NUMERICOID),
    (c"returned", NUMERICOID),
    (c"returned_fee", NUMERICOID),
    (c"advanced", NUMERICOID),
];
// One statement for the escrow, its lines and how the action was split over them; the sums of the escrow
// cannot come apart from those of its lines. The clock goes on only where the goods are still on their way.
static PAY: Statement = Statement::new(
    "WITH moved AS (
         UPDATE wallet_data.escrow_lines l
         SET released_amount = l.released_amount + s.released, fee_amount = l.fee_amount + s.fee,
             refunded_amount = l.refunded_amount + s.refunded, returned_amount = l.returned_amount + s.returned,
             returned_fee_amount = l.returned_fee_amount + s.returned_fee,
             advanced_amount = l.advanced_amount + s.advanced
         FROM wallet_splits s
         WHERE l.ledger_id = $1 AND l.escrow_id = $2 AND l.line = s.line
         RETURNING s.released, s.fee, s.refunded, s.returned),
     total AS (
         SELECT sum(released) AS released, sum(fee) AS fee, sum(refunded) AS refunded, sum(returned) AS returned
         FROM moved),
     recorded AS (
         INSERT INTO wallet_data.escrow_actions
             (ledger_id, escrow_id, action_id, dispute_id, transaction_id, created_at, released_amount,
              refunded_amount, returned_amount, action, actor, reason)
         SELECT $1, $2, $3, $4, $5, $6, t.released, t.refunded, t.returned, $8, $9, $10 FROM total t),
     split AS (
         INSERT INTO wallet_data.escrow_splits
             (ledger_id, line, escrow_id, action_id, released_amount, fee_amount, refunded_amount, returned_amount,
              returned_fee_amount, advanced_amount)
         SELECT $1, line, $2, $3, released, fee, refunded, returned, returned_fee, advanced FROM wallet_splits)
     UPDATE wallet_data.escrows e
     SET state_id = $7, released_amount = e.released_amount + t.released, fee_amount = e.fee_amount + t.fee,
         refunded_amount = e.refunded_amount + t.refunded, returned_amount = e.returned_amount + t.returned,
         closed_at = CASE WHEN $7 >= 4 THEN coalesce(e.closed_at, $6) END,
         release_due_at = CASE WHEN $7 = 2 THEN e.release_due_at END,
         attempt_at = CASE WHEN $7 = 2 THEN e.attempt_at END
     FROM total t
     WHERE e.ledger_id = $1 AND e.escrow_id = $2",
    &[
        INT4OID, UUIDOID, UUIDOID, UUIDOID, UUIDOID, TIMESTAMPTZOID, INT2OID, TEXTOID, TEXTOID, TEXTOID,
    ],
);

/// An escrow as it is stored, with its accounts.
#[derive(Clone, Debug)]
pub struct Escrow {
    pub id: Uuid,
    pub state: State,
    pub account: String,
    pub buyer: String,
    pub currency: String,
    pub scale: u32,
    pub amount: Decimal,
    pub reference: String,
    pub intent_id: Option<Uuid>,
    pub tracking_reference: Option<String>,
    pub opened_at: i64,
    pub shipped_at: Option<i64>,
    pub release_due_at: Option<i64>,
    pub closed_at: Option<i64>,
}

/// A line with its parties.
#[derive(Clone, Debug)]
pub struct StoredLine {
    pub line: Line,
    pub beneficiary: String,
    pub fee_account: Option<String>,
    pub fee: Option<String>,
    pub description: Option<String>,
}

/// An escrow about to be written.
pub struct NewEscrow<'a> {
    pub id: Uuid,
    pub account: &'a str,
    pub buyer: &'a str,
    pub intent_id: Option<Uuid>,
    pub transaction_id: Uuid,
    pub opened_at: i64,
    pub auto_release_micros: i64,
    pub amount: Decimal,
    pub reference: &'a str,
    pub metadata: Option<&'a Document>,
}

/// Money that has moved, about to be written down.
pub struct Payment<'a> {
    pub escrow_id: Uuid,
    pub action_id: Uuid,
    pub dispute_id: Option<Uuid>,
    pub transaction_id: Uuid,
    pub at: i64,
    pub state: State,
    pub action: &'a str,
    pub actor: &'a str,
    pub reason: Option<&'a str>,
}

fn escrow(row: Row) -> Escrow {
    let scale = u32::from(row.need::<i16>(5).unsigned_abs());
    let mut whole = row.need_decimal(6);
    whole.rescale(scale);
    Escrow {
        id: row.need_id(0),
        state: State::from_id(row.need(1)),
        account: row.need(2),
        buyer: row.need(3),
        currency: row.need(4),
        scale,
        amount: whole,
        reference: row.need(7),
        intent_id: row.id(8),
        tracking_reference: row.get(9),
        opened_at: row.need_time(10),
        shipped_at: row.time(11),
        release_due_at: row.time(12),
        closed_at: row.time(13),
    }
}

/// Reads an escrow; with `lock` its row is locked until the transaction ends.
pub fn find(session: &Session, ledger_id: i32, id: Uuid, lock: bool) -> Option<Escrow> {
    let statement = if lock { &LOCK } else { &FIND };
    session.run(statement, &[ledger_id.into(), id.into()]).first().map(escrow)
}

/// The escrow that has this reference, or that this intent has paid.
pub fn taken_by(session: &Session, ledger_id: i32, reference: &str, intent_id: Option<Uuid>) -> Option<Uuid> {
    let by_reference = session.run(&BY_REFERENCE, &[ledger_id.into(), reference.into()]);
    by_reference.first().map(|row| row.need_id(0)).or_else(|| {
        session.run(&BY_INTENT, &[ledger_id.into(), intent_id?.into()]).first().map(|row| row.need_id(0))
    })
}

/// The lines of an escrow, in their order, as the latest commit left them.
pub fn lines(session: &Session, ledger_id: i32, id: Uuid, scale: u32) -> Vec<StoredLine> {
    let rows = session.run(&LINES, &[ledger_id.into(), id.into()]);
    let line = |row: Row| {
        let sum = |column| {
            let mut value = row.need_decimal(column);
            value.rescale(scale);
            units(value)
        };
        StoredLine {
            line: Line {
                amount: sum(3),
                rate: Rate::exact(row.need_decimal(2)).expect("the table admits rates only"),
                released: sum(4),
                fee: sum(5),
                refunded: sum(6),
                returned: sum(7),
                returned_fee: sum(8),
                advanced: sum(9),
            },
            beneficiary: row.need(0),
            fee_account: row.get(1),
            fee: row.get(10),
            description: row.get(11),
        }
    };
    rows.iter().map(line).collect()
}

/// Which of these accounts there are, with their currencies.
pub fn parties<'a>(
    session: &Session,
    ledger_id: i32,
    addresses: impl Iterator<Item = &'a str>,
) -> Vec<(String, String)> {
    let rows = session.run(&PARTIES, &[ledger_id.into(), crate::spi::Argument::texts(addresses)]);
    rows.iter().map(|row| (row.need(0), row.need(1))).collect()
}

/// Writes a new escrow; false where another has its reference or its intent.
pub fn insert(session: &Session, ledger_id: i32, new: &NewEscrow) -> bool {
    let arguments = [
        ledger_id.into(),
        new.id.into(),
        new.account.into(),
        new.buyer.into(),
        new.intent_id.into(),
        new.transaction_id.into(),
        new.opened_at.into(),
        new.auto_release_micros.into(),
        new.amount.into(),
        new.reference.into(),
        new.metadata.into(),
    ];
    session.run(&INSERT, &arguments).count() == 1
}

pub fn insert_lines(session: &Session, ledger_id: i32, id: Uuid, scale: u32, lines: &[StoredLine]) {
    let mut batch = Batch::new(c"wallet_lines", NEW_LINES);
    for (index, stored) in lines.iter().enumerate() {
        batch.push(&[
            number(index).into(),
            (&stored.beneficiary).into(),
            stored.fee_account.as_deref().into(),
            stored.line.rate.to_decimal().into(),
            amount(stored.line.amount, scale).into(),
            stored.fee.as_deref().into(),
            stored.description.as_deref().into(),
        ]);
    }
    let _registered = batch.register();
    session.run(&INSERT_LINES, &[ledger_id.into(), id.into()]);
}

/// Lines count from 1.
fn number(index: usize) -> i16 {
    i16::try_from(index + 1).expect("an escrow has at most a thousand lines")
}

/// Marks as shipped and starts the clock.
pub fn ship(session: &Session, ledger_id: i32, id: Uuid, at: i64, tracking_reference: Option<&str>) {
    session.run(&SHIP, &[ledger_id.into(), id.into(), at.into(), tracking_reference.into()]);
}

/// Changes the state without moving money.
pub fn set_state(session: &Session, ledger_id: i32, id: Uuid, state: State) {
    session.run(&SET_STATE, &[ledger_id.into(), id.into(), (state as i16).into()]);
}

/// Writes down money that has moved: on the escrow, on its lines, and as an action with its splits. False
/// where the escrow is not there.
pub fn pay(session: &Session, ledger_id: i32, payment: &Payment, splits: &[Split], scale: u32) -> bool {
    let mut batch = Batch::new(c"wallet_splits", SPLITS);
    for (index, split) in splits.iter().enumerate().filter(|(_, split)| !split.is_nothing()) {
        batch.push(&[
            number(index).into(),
            amount(split.released, scale).into(),
            amount(split.fee, scale).into(),
            amount(split.refunded, scale).into(),
            amount(split.returned, scale).into(),
            amount(split.returned_fee, scale).into(),
            amount(split.advanced, scale).into(),
        ]);
    }
    let _registered = batch.register();
    let arguments = [
        ledger_id.into(),
        payment.escrow_id.into(),
        payment.action_id.into(),
        payment.dispute_id.into(),
        payment.transaction_id.into(),
        payment.at.into(),
        (payment.state as i16).into(),
        payment.action.into(),
        payment.actor.into(),
        payment.reason.into(),
    ];
    session.run(&PAY, &arguments).count() == 1
}
