//! SQL of members, guardians and the links between them.

pub mod places;
pub mod roles;

use super::rules::Status;
use crate::spi::{Row, Session, Statement, jsonb::Document};
use pgrx::pg_sys::{BOOLOID, INT4OID, JSONBOID, TEXTOID, TIMESTAMPTZOID};

static INSERT_MEMBER: Statement = Statement::new(
    "INSERT INTO wallet_data.members (ledger_id, account_id, created_at, member, full_name, actor, metadata)
     SELECT $1, a.account_id, $4, $2, $5, $6, $7
     FROM wallet_data.accounts a WHERE a.ledger_id = $1 AND a.address = $3 AND a.stripe = 0
     ON CONFLICT DO NOTHING RETURNING account_id",
    &[INT4OID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, JSONBOID],
);

static MEMBER: Statement = Statement::new(
    "SELECT m.member::text, m.state_id::smallint, a.address, a.currency, m.full_name::text, m.actor::text,
            m.metadata, m.created_at
     FROM wallet_data.members m
     JOIN wallet_data.accounts a ON a.ledger_id = m.ledger_id AND a.account_id = m.account_id
     WHERE m.ledger_id = $1 AND m.member = $2",
    &[INT4OID, TEXTOID],
);

static INSERT_GUARDIAN: Statement = Statement::new(
    "INSERT INTO wallet_data.guardians (ledger_id, created_at, guardian, full_name, actor, metadata)
     VALUES ($1, $3, $2, $4, $5, $6) ON CONFLICT DO NOTHING",
    &[INT4OID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, JSONBOID],
);

static GUARDIAN: Statement = Statement::new(
    "SELECT guardian::text, state_id::smallint, full_name::text, actor::text, metadata, created_at
     FROM wallet_data.guardians WHERE ledger_id = $1 AND guardian = $2",
    &[INT4OID, TEXTOID],
);

// A link that is as it should be is not written again: who linked it, and when, stays.
static LINK: Statement = Statement::new(
    "INSERT INTO wallet_data.guardian_links AS k
         (ledger_id, guardian, member, may_view, may_top_up, may_set_limits, linked_at, linked_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (ledger_id, guardian, member) DO UPDATE
     SET may_view = excluded.may_view, may_top_up = excluded.may_top_up,
         may_set_limits = excluded.may_set_limits, linked_at = excluded.linked_at, linked_by = excluded.linked_by
     WHERE (k.may_view, k.may_top_up, k.may_set_limits)
           <> (excluded.may_view, excluded.may_top_up, excluded.may_set_limits)",
    &[INT4OID, TEXTOID, TEXTOID, BOOLOID, BOOLOID, BOOLOID, TIMESTAMPTZOID, TEXTOID],
);

static FIND_LINK: Statement = Statement::new(
    "SELECT may_view, may_top_up, may_set_limits, linked_at, linked_by
     FROM wallet_data.guardian_links WHERE ledger_id = $1 AND guardian = $2 AND member = $3",
    &[INT4OID, TEXTOID, TEXTOID],
);

/// A person or a place about to be written.
pub struct NewPerson<'a> {
    pub name: &'a str,
    pub full_name: Option<&'a str>,
    /// Who signs in as this person; places have none.
    pub actor: Option<&'a str>,
    pub metadata: Option<&'a Document>,
}

/// A member as it is stored, with the wallet.
#[derive(Clone, Debug)]
pub struct Member {
    pub member: String,
    pub status: Status,
    pub account: String,
    pub currency: String,
    pub full_name: Option<String>,
    pub actor: Option<String>,
    pub metadata: Option<Document>,
    pub created_at: i64,
}

/// A guardian as it is stored.
#[derive(Clone, Debug)]
pub struct Guardian {
    pub guardian: String,
    pub status: Status,
    pub full_name: Option<String>,
    pub actor: Option<String>,
    pub metadata: Option<Document>,
    pub created_at: i64,
}

/// What a guardian may do for a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    pub view: bool,
    pub top_up: bool,
    pub set_limits: bool,
}

/// A link as it is stored.
#[derive(Clone, Debug)]
pub struct Link {
    pub rights: Rights,
    pub linked_at: i64,
    pub linked_by: String,
}

/// Writes a member whose wallet is at that address; the wallet's id, or none where the member or the actor is
/// there already.
pub fn insert_member(
    session: &Session,
    ledger_id: i32,
    address: &str,
    new: &NewPerson,
    now: i64,
) -> Option<i64> {
    let arguments = [
        ledger_id.into(),
        new.name.into(),
        address.into(),
        now.into(),
        new.full_name.into(),
        new.actor.into(),
        new.metadata.into(),
    ];
    session.run(&INSERT_MEMBER, &arguments).first().map(|row| row.need(0))
}

pub fn member(session: &Session, ledger_id: i32, name: &str) -> Option<Member> {
    let read = |row: Row| Member {
        member: row.need(0),
        status: Status::from_id(row.need(1)),
        account: row.need(2),
        currency: row.need(3),
        full_name: row.get(4),
        actor: row.get(5),
        metadata: row.document(6),
        created_at: row.need_time(7),
    };
    session.run(&MEMBER, &[ledger_id.into(), name.into()]).first().map(read)
}

/// Writes a guardian; false where the guardian or the actor is there already.
pub fn insert_guardian(session: &Session, ledger_id: i32, new: &NewPerson, now: i64) -> bool {
    let arguments = [
        ledger_id.into(),
        new.name.into(),
        now.into(),
        new.full_name.into(),
        new.actor.into(),
        new.metadata.into(),
    ];
    session.run(&INSERT_GUARDIAN, &arguments).count() == 1
}

pub fn guardian(session: &Session, ledger_id: i32, name: &str) -> Option<Guardian> {
    let read = |row: Row| Guardian {
        guardian: row.need(0),
        status: Status::from_id(row.need(1)),
        full_name: row.get(2),
        actor: row.get(3),
        metadata: row.document(4),
        created_at: row.need_time(5),
    };
    session.run(&GUARDIAN, &[ledger_id.into(), name.into()]).first().map(read)
}

/// Writes a link; false where it is so already.
pub fn link(
    session: &Session,
    ledger_id: i32,
    (guardian, member): (&str, &str),
    rights: Rights,
    (now, by): (i64, &str),
) -> bool {
    let arguments = [
        ledger_id.into(),
        guardian.into(),
        member.into(),
        rights.view.into(),
        rights.top_up.into(),
        rights.set_limits.into(),
        now.into(),
        by.into(),
    ];
    session.run(&LINK, &arguments).count() == 1
}

pub fn find_link(session: &Session, ledger_id: i32, guardian: &str, member: &str) -> Option<Link> {
    let read = |row: Row| Link {
        rights: Rights { view: row.need(0), top_up: row.need(1), set_limits: row.need(2) },
        linked_at: row.need_time(3),
        linked_by: row.need(4),
    };
    session.run(&FIND_LINK, &[ledger_id.into(), guardian.into(), member.into()]).first().map(read)
}
