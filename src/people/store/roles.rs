//! SQL of roles, of who signs in as whom, and of who takes part.

use super::super::rules::{Kind, Status};
use crate::access::rules::Role;
use crate::spi::{Row, Session, Statement};
use pgrx::pg_sys::{INT2OID, INT4OID, TEXTOID, TIMESTAMPTZOID};

static ASSIGN: Statement = Statement::new(
    "INSERT INTO wallet_data.role_assignments (ledger_id, role_id, scope, actor, assigned_at, assigned_by)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    &[INT4OID, INT2OID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID],
);

static ASSIGNMENT: Statement = Statement::new(
    "SELECT assigned_at, assigned_by FROM wallet_data.role_assignments
     WHERE ledger_id = $1 AND role_id = $2 AND scope = $3 AND actor = $4",
    &[INT4OID, INT2OID, TEXTOID, TEXTOID],
);

static REVOKE: Statement = Statement::new(
    "DELETE FROM wallet_data.role_assignments
     WHERE ledger_id = $1 AND role_id = $2 AND scope = $3 AND actor = $4",
    &[INT4OID, INT2OID, TEXTOID, TEXTOID],
);

static MEMBER_OF_ACTOR: Statement = Statement::new(
    "SELECT member::text FROM wallet_data.members WHERE ledger_id = $1 AND actor = $2",
    &[INT4OID, TEXTOID],
);

static GUARDIAN_OF_ACTOR: Statement = Statement::new(
    "SELECT guardian::text FROM wallet_data.guardians WHERE ledger_id = $1 AND actor = $2",
    &[INT4OID, TEXTOID],
);

// Each on condition of what was there: another session may have been faster.
static SET_ACTOR_OF_MEMBER: Statement = Statement::new(
    "UPDATE wallet_data.members SET actor = $3 WHERE ledger_id = $1 AND member = $2 AND actor IS NULL",
    &[INT4OID, TEXTOID, TEXTOID],
);

static SET_ACTOR_OF_GUARDIAN: Statement = Statement::new(
    "UPDATE wallet_data.guardians SET actor = $3 WHERE ledger_id = $1 AND guardian = $2 AND actor IS NULL",
    &[INT4OID, TEXTOID, TEXTOID],
);

static UNSET_ACTOR_OF_MEMBER: Statement = Statement::new(
    "UPDATE wallet_data.members SET actor = NULL WHERE ledger_id = $1 AND member = $2 AND actor = $3",
    &[INT4OID, TEXTOID, TEXTOID],
);

static UNSET_ACTOR_OF_GUARDIAN: Statement = Statement::new(
    "UPDATE wallet_data.guardians SET actor = NULL WHERE ledger_id = $1 AND guardian = $2 AND actor = $3",
    &[INT4OID, TEXTOID, TEXTOID],
);

static SET_MEMBER: Statement = Statement::new(
    "UPDATE wallet_data.members SET state_id = $3 WHERE ledger_id = $1 AND member = $2 AND state_id <> $3",
    &[INT4OID, TEXTOID, INT2OID],
);

static SET_GUARDIAN: Statement = Statement::new(
    "UPDATE wallet_data.guardians SET state_id = $3 WHERE ledger_id = $1 AND guardian = $2 AND state_id <> $3",
    &[INT4OID, TEXTOID, INT2OID],
);

static SET_MERCHANT: Statement = Statement::new(
    "UPDATE wallet_data.merchants SET state_id = $3 WHERE ledger_id = $1 AND merchant = $2 AND state_id <> $3",
    &[INT4OID, TEXTOID, INT2OID],
);

static SET_DEVICE: Statement = Statement::new(
    "UPDATE wallet_data.devices SET state_id = $3 WHERE ledger_id = $1 AND device = $2 AND state_id <> $3",
    &[INT4OID, TEXTOID, INT2OID],
);

/// A role with its scope, of an actor. The scope of the organisation's roles is empty.
#[derive(Clone, Copy)]
pub struct Assignment<'a> {
    pub role: Role,
    pub scope: &'a str,
    pub actor: &'a str,
}

/// Writes a role; false where the actor has it already.
pub fn assign(session: &Session, ledger_id: i32, wanted: Assignment, now: i64, by: &str) -> bool {
    let arguments = [
        ledger_id.into(),
        (wanted.role as i16).into(),
        wanted.scope.into(),
        wanted.actor.into(),
        now.into(),
        by.into(),
    ];
    session.run(&ASSIGN, &arguments).count() == 1
}

/// When a role was given, and by whom.
pub fn assignment(session: &Session, ledger_id: i32, wanted: Assignment) -> Option<(i64, String)> {
    let arguments = [ledger_id.into(), (wanted.role as i16).into(), wanted.scope.into(), wanted.actor.into()];
    let read = |row: Row| (row.need_time(0), row.need(1));
    session.run(&ASSIGNMENT, &arguments).first().map(read)
}

/// Takes a role away; false where the actor does not have it.
pub fn revoke(session: &Session, ledger_id: i32, wanted: Assignment) -> bool {
    let arguments = [ledger_id.into(), (wanted.role as i16).into(), wanted.scope.into(), wanted.actor.into()];
    session.run(&REVOKE, &arguments).count() == 1
}

/// The member, or the guardian, who signs in as this actor.
pub fn of_actor(session: &Session, ledger_id: i32, kind: Kind, actor: &str) -> Option<String> {
    let statement = if kind == Kind::Member { &MEMBER_OF_ACTOR } else { &GUARDIAN_OF_ACTOR };
    session.run(statement, &[ledger_id.into(), actor.into()]).first().map(|row| row.need(0))
}

/// Says who signs in as this member or guardian; false where somebody does already.
pub fn set_actor(session: &Session, ledger_id: i32, kind: Kind, name: &str, actor: &str) -> bool {
    let statement = if kind == Kind::Member { &SET_ACTOR_OF_MEMBER } else { &SET_ACTOR_OF_GUARDIAN };
    session.run(statement, &[ledger_id.into(), name.into(), actor.into()]).count() == 1
}

/// Says that this actor does not sign in as them any more; false where they did not.
pub fn unset_actor(session: &Session, ledger_id: i32, kind: Kind, name: &str, actor: &str) -> bool {
    let statement = if kind == Kind::Member { &UNSET_ACTOR_OF_MEMBER } else { &UNSET_ACTOR_OF_GUARDIAN };
    session.run(statement, &[ledger_id.into(), name.into(), actor.into()]).count() == 1
}

/// Makes somebody or something active or inactive; false where it is so already.
pub fn set_status(session: &Session, ledger_id: i32, kind: Kind, name: &str, status: Status) -> bool {
    let statement = match kind {
        Kind::Member => &SET_MEMBER,
        Kind::Guardian => &SET_GUARDIAN,
        Kind::Merchant => &SET_MERCHANT,
        Kind::Device => &SET_DEVICE,
    };
    session.run(statement, &[ledger_id.into(), name.into(), (status as i16).into()]).count() == 1
}
