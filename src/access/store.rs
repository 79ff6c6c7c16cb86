//! SQL of access: which roles somebody has, as far as they matter for a target.

use super::rules::{Grant, Role};
use crate::spi::{Row, Session, Statement};
use const_format::concatcp;
use pgrx::pg_sys::{INT4OID, TEXTOID};

// Roles as rows, who a member is and whose guardian, in one statement. Of the links only the one to the member
// in question counts. Who is inactive has the role no more.
const GRANTS: &str = "
    SELECT r.role_id::smallint, r.scope, false, false, t.member
    FROM target t, wallet_data.role_assignments r
    WHERE r.ledger_id = $1 AND r.actor = $2
    UNION ALL
    SELECT 6::smallint, m.member::text, false, false, t.member
    FROM target t, wallet_data.members m
    WHERE m.ledger_id = $1 AND m.actor = $2 AND m.state_id = 1
    UNION ALL
    SELECT 5::smallint, k.member::text, k.may_view, k.may_set_limits, t.member
    FROM target t
    JOIN wallet_data.guardian_links k ON k.ledger_id = $1 AND k.member = t.member
    JOIN wallet_data.guardians g ON g.ledger_id = k.ledger_id AND g.guardian = k.guardian
    WHERE g.actor = $2 AND g.state_id = 1";

static OF_MEMBER: Statement =
    Statement::new(concatcp!("WITH target (member) AS (VALUES ($3))", GRANTS), &[INT4OID, TEXTOID, TEXTOID]);

static OF_ACCOUNT: Statement = Statement::new(
    concatcp!(
        "WITH target (member) AS (
             VALUES ((SELECT o.member::text
                      FROM wallet_data.accounts a
                      JOIN wallet_data.members o ON o.ledger_id = a.ledger_id AND o.account_id = a.account_id
                      WHERE a.ledger_id = $1 AND a.address = $3 AND a.stripe = 0)))",
        GRANTS
    ),
    &[INT4OID, TEXTOID, TEXTOID],
);

fn grant(row: &Row) -> Option<Grant> {
    let role = Role::from_id(row.need(0))?;
    Some(Grant { role, scope: row.need(1), may_view: row.need(2), may_set_limits: row.need(3) })
}

/// The roles of an actor, with the link to a member if one is named.
pub fn grants(session: &Session, ledger_id: i32, actor: &str, member: Option<&str>) -> Vec<Grant> {
    let rows = session.read(&OF_MEMBER, &[ledger_id.into(), actor.into(), member.into()]);
    rows.iter().filter_map(|row| grant(&row)).collect()
}

/// The same for the member whose wallet an account is, and who that is. Nobody is told to whom it says nothing.
pub fn grants_on_account(
    session: &Session,
    ledger_id: i32,
    actor: &str,
    address: &str,
) -> (Vec<Grant>, Option<String>) {
    let rows = session.read(&OF_ACCOUNT, &[ledger_id.into(), actor.into(), address.into()]);
    let member = rows.first().and_then(|row| row.get(4));
    (rows.iter().filter_map(|row| grant(&row)).collect(), member)
}
