//! SQL of group buys. Rows are written under the group's row lock only.

use super::rules::{State, Target};
use crate::spi::{Row, Session, Statement, jsonb::Document};
use const_format::concatcp;
use pgrx::pg_sys::{BOOLOID, INT2OID, INT4OID, INT8OID, JSONBOID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use uuid::Uuid;

static INSERT: Statement = Statement::new(
    "INSERT INTO wallet_data.group_buys
         (ledger_id, group_buy_id, reference, target_participants, target_quantity, deadline, releases,
          auto_release_after, opened_at, metadata)
     VALUES ($1, $2, $3, $4, $5, $6, $7, make_interval(secs => $8::double precision / 1000000), $9, $10)
     ON CONFLICT DO NOTHING",
    &[
        INT4OID,
        UUIDOID,
        TEXTOID,
        INT4OID,
        INT8OID,
        TIMESTAMPTZOID,
        BOOLOID,
        INT8OID,
        TIMESTAMPTZOID,
        JSONBOID,
    ],
);

const READ: &str = "SELECT group_buy_id, state_id, reference, target_participants, target_quantity, deadline, releases,
            (extract(epoch FROM auto_release_after) * 1000000)::bigint, joined_count, opened_at, decided_at, settled_at
     FROM wallet_data.group_buys WHERE ledger_id = $1 AND group_buy_id = $2";
static FIND: Statement = Statement::new(READ, &[INT4OID, UUIDOID]);
static LOCK: Statement = Statement::new(concatcp!(READ, " FOR NO KEY UPDATE"), &[INT4OID, UUIDOID]);

static JOIN: Statement = Statement::new(
    "WITH joined AS (
         INSERT INTO wallet_data.group_buy_members
             (ledger_id, group_buy_id, member, escrow_id, buyer_account_id, quantity, joined_at)
         SELECT $1, $2, $3, $4, e.buyer_account_id, $5, $6
         FROM wallet_data.escrows e WHERE e.ledger_id = $1 AND e.escrow_id = $4
         ON CONFLICT DO NOTHING RETURNING member)
     UPDATE wallet_data.group_buys g SET joined_count = joined.member
     FROM joined WHERE g.ledger_id = $1 AND g.group_buy_id = $2",
    &[INT4OID, UUIDOID, INT4OID, UUIDOID, INT8OID, TIMESTAMPTZOID],
);

// Whoever has all of the money back takes part no more.
static TAKING_PART: Statement = Statement::new(
    "SELECT count(*), coalesce(sum(m.quantity), 0)::bigint
     FROM wallet_data.group_buy_members m
     JOIN wallet_data.escrows e ON e.ledger_id = m.ledger_id AND e.escrow_id = m.escrow_id
     WHERE m.ledger_id = $1 AND m.group_buy_id = $2 AND e.state_id <> 5",
    &[INT4OID, UUIDOID],
);

static DECIDE: Statement = Statement::new(
    "UPDATE wallet_data.group_buys SET state_id = $3, decided_at = $4 WHERE ledger_id = $1 AND group_buy_id = $2",
    &[INT4OID, UUIDOID, INT2OID, TIMESTAMPTZOID],
);

// The escrows are locked before their accounts, as everywhere; what somebody works on is left to the next call.
static NEXT: Statement = Statement::new(
    "SELECT m.escrow_id FROM wallet_data.group_buy_members m
     JOIN wallet_data.escrows e ON e.ledger_id = m.ledger_id AND e.escrow_id = m.escrow_id
     WHERE m.ledger_id = $1 AND m.group_buy_id = $2 AND m.settled_at IS NULL
     ORDER BY m.attempted_at NULLS FIRST, m.member LIMIT $3 FOR NO KEY UPDATE OF e SKIP LOCKED",
    &[INT4OID, UUIDOID, INT8OID],
);

static WORKED_OFF: Statement = Statement::new(
    "UPDATE wallet_data.group_buy_members
     SET attempted_at = $3, error = $4, settled_at = CASE WHEN $4 IS NULL THEN $3 END
     WHERE ledger_id = $1 AND escrow_id = $2",
    &[INT4OID, UUIDOID, TIMESTAMPTZOID, TEXTOID],
);

static CARRY_ON: Statement = Statement::new(
    "UPDATE wallet_data.group_buy_members SET settled_at = $3
     WHERE ledger_id = $1 AND group_buy_id = $2 AND settled_at IS NULL",
    &[INT4OID, UUIDOID, TIMESTAMPTZOID],
);

static IS_DONE: Statement = Statement::new(
    "SELECT NOT EXISTS (SELECT FROM wallet_data.group_buy_members
                        WHERE ledger_id = $1 AND group_buy_id = $2 AND settled_at IS NULL)",
    &[INT4OID, UUIDOID],
);

static CLOSE: Statement = Statement::new(
    "UPDATE wallet_data.group_buys SET settled_at = $3 WHERE ledger_id = $1 AND group_buy_id = $2",
    &[INT4OID, UUIDOID, TIMESTAMPTZOID],
);

/// A group buy about to be written.
pub struct NewGroupBuy<'a> {
    pub id: Uuid,
    pub reference: &'a str,
    pub target: Target,
    pub deadline: i64,
    pub releases: bool,
    pub auto_release_micros: i64,
    pub opened_at: i64,
    pub metadata: Option<&'a Document>,
}

#[derive(Clone, Debug)]
pub struct GroupBuy {
    pub id: Uuid,
    pub state: State,
    pub reference: String,
    pub target_participants: Option<i32>,
    pub target_quantity: Option<i64>,
    pub target: Target,
    pub deadline: i64,
    pub releases: bool,
    pub auto_release_micros: i64,
    pub joined_count: i32,
    pub opened_at: i64,
    pub decided_at: Option<i64>,
    pub settled_at: Option<i64>,
}

/// Somebody who joins.
pub struct Member {
    pub member: i32,
    pub escrow_id: Uuid,
    pub quantity: i64,
}

/// Writes a new group buy; false where another has its reference.
pub fn insert(session: &Session, ledger_id: i32, new: &NewGroupBuy) -> bool {
    let (participants, quantity) = match new.target {
        Target::Participants(wanted) => (Some(wanted), None),
        Target::Quantity(wanted) => (None, Some(wanted)),
    };
    let arguments = [
        ledger_id.into(),
        new.id.into(),
        new.reference.into(),
        participants.into(),
        quantity.into(),
        new.deadline.into(),
        new.releases.into(),
        new.auto_release_micros.into(),
        new.opened_at.into(),
        new.metadata.into(),
    ];
    session.run(&INSERT, &arguments).count() == 1
}

pub fn find(session: &Session, ledger_id: i32, id: Uuid, lock: bool) -> Option<GroupBuy> {
    let statement = if lock { &LOCK } else { &FIND };
    let group = |row: Row| {
        let (target_participants, target_quantity) = (row.get(3), row.get(4));
        GroupBuy {
            id: row.need_id(0),
            state: State::from_id(row.need(1)),
            reference: row.need(2),
            target_participants,
            target_quantity,
            target: Target::new(target_participants, target_quantity).expect("the table admits one target"),
            deadline: row.need_time(5),
            releases: row.need(6),
            auto_release_micros: row.need(7),
            joined_count: row.need(8),
            opened_at: row.need_time(9),
            decided_at: row.time(10),
            settled_at: row.time(11),
        }
    };
    session.run(statement, &[ledger_id.into(), id.into()]).first().map(group)
}

/// Adds a member; false where the buyer takes part already.
pub fn join(session: &Session, ledger_id: i32, id: Uuid, member: &Member, now: i64) -> bool {
    let arguments = [
        ledger_id.into(),
        id.into(),
        member.member.into(),
        member.escrow_id.into(),
        member.quantity.into(),
        now.into(),
    ];
    session.run(&JOIN, &arguments).count() == 1
}

/// How many take part, and with how much between them.
pub fn taking_part(session: &Session, ledger_id: i32, id: Uuid) -> (i64, i64) {
    let rows = session.run(&TAKING_PART, &[ledger_id.into(), id.into()]);
    rows.first().map_or((0, 0), |row| (row.need(0), row.need(1)))
}

pub fn decide(session: &Session, ledger_id: i32, id: Uuid, state: State, now: i64) {
    session.run(&DECIDE, &[ledger_id.into(), id.into(), (state as i16).into(), now.into()]);
}

/// The next escrows to work off, those that failed last.
pub fn next(session: &Session, ledger_id: i32, id: Uuid, max_count: i64) -> Vec<Uuid> {
    let rows = session.run(&NEXT, &[ledger_id.into(), id.into(), max_count.into()]);
    rows.iter().map(|row| row.need_id(0)).collect()
}

/// Writes down what became of a member's escrow.
pub fn worked_off(session: &Session, ledger_id: i32, escrow_id: Uuid, now: i64, error: Option<&str>) {
    session.run(&WORKED_OFF, &[ledger_id.into(), escrow_id.into(), now.into(), error.into()]);
}

/// Leaves every escrow to go on by itself; returns how many.
pub fn carry_on(session: &Session, ledger_id: i32, id: Uuid, now: i64) -> i64 {
    session.run(&CARRY_ON, &[ledger_id.into(), id.into(), now.into()]).count() as i64
}

/// Whether nobody is left to be worked off.
pub fn is_done(session: &Session, ledger_id: i32, id: Uuid) -> bool {
    session.run(&IS_DONE, &[ledger_id.into(), id.into()]).first().is_none_or(|row| row.need(0))
}

pub fn close(session: &Session, ledger_id: i32, id: Uuid, now: i64) {
    session.run(&CLOSE, &[ledger_id.into(), id.into(), now.into()]);
}
