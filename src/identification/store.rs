//! SQL of identification. Secrets are written here and read here, and leave nowhere.

use super::rules::code::Stored;
use super::rules::pin::Attempts;
use super::rules::{Failure, Method, Recorded};
use crate::spi::{Argument, Row, Session, Statement};
use pgrx::pg_sys::{BYTEAOID, INT2OID, INT4OID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use uuid::Uuid;

static MEMBER: Statement = Statement::new(
    "SELECT FROM wallet_data.members WHERE ledger_id = $1 AND member = $2 AND state_id = 1",
    &[INT4OID, TEXTOID],
);

static MERCHANT: Statement = Statement::new(
    "SELECT merchant::text FROM wallet_data.devices WHERE ledger_id = $1 AND device = $2 AND state_id = 1",
    &[INT4OID, TEXTOID],
);

static PUT_PIN: Statement = Statement::new(
    "INSERT INTO wallet_data.member_pins (ledger_id, member, pin_hash, set_at, set_by)
     VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (ledger_id, member) DO UPDATE
     SET pin_hash = excluded.pin_hash, set_at = excluded.set_at, set_by = excluded.set_by,
         failed_count = 0, last_failed_at = NULL, locked_until = NULL",
    &[INT4OID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID],
);

static LOCK_PIN: Statement = Statement::new(
    "SELECT pin_hash, failed_count::smallint, locked_until FROM wallet_data.member_pins
     WHERE ledger_id = $1 AND member = $2 FOR UPDATE",
    &[INT4OID, TEXTOID],
);

static COUNT_WRONG: Statement = Statement::new(
    "UPDATE wallet_data.member_pins SET failed_count = $3, locked_until = $4, last_failed_at = $5
     WHERE ledger_id = $1 AND member = $2",
    &[INT4OID, TEXTOID, INT2OID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

static FORGIVE: Statement = Statement::new(
    "UPDATE wallet_data.member_pins SET failed_count = 0, locked_until = NULL
     WHERE ledger_id = $1 AND member = $2 AND (failed_count > 0 OR locked_until IS NOT NULL)",
    &[INT4OID, TEXTOID],
);

static PUT_FINGERPRINT: Statement = Statement::new(
    "INSERT INTO wallet_data.member_fingerprints (ledger_id, member, finger, template, enrolled_at, enrolled_by)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (ledger_id, member, finger) DO UPDATE
     SET template = excluded.template, enrolled_at = excluded.enrolled_at, enrolled_by = excluded.enrolled_by",
    &[INT4OID, TEXTOID, TEXTOID, BYTEAOID, TIMESTAMPTZOID, TEXTOID],
);

static ENROLLED: Statement = Statement::new(
    "SELECT FROM wallet_data.member_fingerprints WHERE ledger_id = $1 AND member = $2 LIMIT 1",
    &[INT4OID, TEXTOID],
);

// Codes of the past are no secret and no record any more: the authentications are.
static DROP_OLD_CODES: Statement = Statement::new(
    "DELETE FROM wallet_data.member_qr_codes WHERE ledger_id = $1 AND member = $2 AND expires_at < $3",
    &[INT4OID, TEXTOID, TIMESTAMPTZOID],
);

static PUT_CODE: Statement = Statement::new(
    "INSERT INTO wallet_data.member_qr_codes (ledger_id, member, token_digest, created_at, expires_at, created_by)
     VALUES ($1, $2, $3, $4, $5, $6)",
    &[INT4OID, TEXTOID, BYTEAOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID],
);

static CODE_MEMBER: Statement = Statement::new(
    "SELECT member::text FROM wallet_data.member_qr_codes WHERE ledger_id = $1 AND token_digest = $2",
    &[INT4OID, BYTEAOID],
);

static LOCK_CODE: Statement = Statement::new(
    "SELECT member::text, expires_at, used_at FROM wallet_data.member_qr_codes
     WHERE ledger_id = $1 AND token_digest = $2 FOR UPDATE",
    &[INT4OID, BYTEAOID],
);

static USE_CODE: Statement = Statement::new(
    "UPDATE wallet_data.member_qr_codes SET used_at = $3 WHERE ledger_id = $1 AND token_digest = $2",
    &[INT4OID, BYTEAOID, TIMESTAMPTZOID],
);

static RECORD: Statement = Statement::new(
    "INSERT INTO wallet_data.authentications
         (ledger_id, authentication_id, method_id, failure_id, succeeded, member, device, recorded_at, actor)
     VALUES ($1, $2, $3, $4, $4 IS NULL, $5, $6, $7, $8)",
    &[INT4OID, UUIDOID, INT2OID, INT2OID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID],
);

static LOCK_AUTHENTICATION: Statement = Statement::new(
    "SELECT member::text, method_id::smallint, succeeded, recorded_at, used_at,
            (SELECT d.merchant::text FROM wallet_data.devices d WHERE d.ledger_id = $1 AND d.device = a.device)
     FROM wallet_data.authentications a WHERE ledger_id = $1 AND authentication_id = $2 FOR NO KEY UPDATE",
    &[INT4OID, UUIDOID],
);

static USE_AUTHENTICATION: Statement = Statement::new(
    "UPDATE wallet_data.authentications SET used_at = $3 WHERE ledger_id = $1 AND authentication_id = $2",
    &[INT4OID, UUIDOID, TIMESTAMPTZOID],
);

/// Whether there is an active member of that name.
pub fn is_member(session: &Session, ledger_id: i32, member: &str) -> bool {
    session.read(&MEMBER, &[ledger_id.into(), member.into()]).count() > 0
}

/// Whose an active device is.
pub fn merchant(session: &Session, ledger_id: i32, device: &str) -> Option<String> {
    session.read(&MERCHANT, &[ledger_id.into(), device.into()]).first().map(|row| row.need(0))
}

pub fn put_pin(session: &Session, ledger_id: i32, member: &str, hash: &str, now: i64, set_by: &str) {
    let arguments = [ledger_id.into(), member.into(), hash.into(), now.into(), set_by.into()];
    session.run(&PUT_PIN, &arguments);
}

/// The stored hash and the wrong guesses so far, locked: the guesses of one member wait for each other.
pub fn lock_pin(session: &Session, ledger_id: i32, member: &str) -> Option<(String, Attempts)> {
    let rows = session.run(&LOCK_PIN, &[ledger_id.into(), member.into()]);
    let attempts = |row: &Row| Attempts { failed: row.need(1), locked_until: row.time(2) };
    rows.first().map(|row| (row.need(0), attempts(&row)))
}

pub fn count_wrong(session: &Session, ledger_id: i32, member: &str, attempts: Attempts, now: i64) {
    let (failed, until) = (attempts.failed, attempts.locked_until);
    session.run(&COUNT_WRONG, &[ledger_id.into(), member.into(), failed.into(), until.into(), now.into()]);
}

/// Wrong guesses before a right one count no more.
pub fn forgive(session: &Session, ledger_id: i32, member: &str) {
    session.run(&FORGIVE, &[ledger_id.into(), member.into()]);
}

/// A template about to be stored.
pub struct NewFingerprint<'a> {
    pub member: &'a str,
    pub finger: &'a str,
    pub template: &'a [u8],
    pub enrolled_by: &'a str,
}

pub fn put_fingerprint(session: &Session, ledger_id: i32, new: &NewFingerprint, now: i64) {
    let arguments = [
        ledger_id.into(),
        new.member.into(),
        new.finger.into(),
        Argument::bytes(new.template),
        now.into(),
        new.enrolled_by.into(),
    ];
    session.run(&PUT_FINGERPRINT, &arguments);
}

pub fn is_enrolled(session: &Session, ledger_id: i32, member: &str) -> bool {
    session.read(&ENROLLED, &[ledger_id.into(), member.into()]).count() > 0
}

/// A code about to be stored.
pub struct NewCode<'a> {
    pub member: &'a str,
    pub digest: &'a [u8],
    pub created_at: i64,
    pub expires_at: i64,
    pub created_by: &'a str,
}

pub fn put_code(session: &Session, ledger_id: i32, new: &NewCode) {
    let arguments = [
        ledger_id.into(),
        new.member.into(),
        Argument::bytes(new.digest),
        new.created_at.into(),
        new.expires_at.into(),
        new.created_by.into(),
    ];
    session.run(&PUT_CODE, &arguments);
}

/// Forgets a member's codes that expired before a moment.
pub fn drop_old_codes(session: &Session, ledger_id: i32, member: &str, before: i64) {
    session.run(&DROP_OLD_CODES, &[ledger_id.into(), member.into(), before.into()]);
}

/// Whose code it is.
pub fn code_member(session: &Session, ledger_id: i32, digest: &[u8]) -> Option<String> {
    let arguments = [ledger_id.into(), Argument::bytes(digest)];
    session.read(&CODE_MEMBER, &arguments).first().map(|row| row.need(0))
}

/// A code, locked: of many who show it at once, one is first.
pub fn lock_code(session: &Session, ledger_id: i32, digest: &[u8]) -> Option<Stored> {
    let arguments = [ledger_id.into(), Argument::bytes(digest)];
    let stored =
        |row: Row| Stored { member: row.need(0), expires_at: row.need_time(1), used_at: row.time(2) };
    session.run(&LOCK_CODE, &arguments).first().map(stored)
}

pub fn use_code(session: &Session, ledger_id: i32, digest: &[u8], now: i64) {
    let arguments = [ledger_id.into(), Argument::bytes(digest), now.into()];
    session.run(&USE_CODE, &arguments);
}

/// An authentication about to be recorded.
pub struct NewAuthentication<'a> {
    pub id: Uuid,
    pub method: Method,
    pub failure: Option<Failure>,
    pub member: Option<&'a str>,
    pub device: Option<&'a str>,
    pub recorded_at: i64,
    pub actor: &'a str,
}

pub fn record(session: &Session, ledger_id: i32, new: &NewAuthentication) {
    let arguments = [
        ledger_id.into(),
        new.id.into(),
        (new.method as i16).into(),
        new.failure.map(|failure| failure as i16).into(),
        new.member.into(),
        new.device.into(),
        new.recorded_at.into(),
        new.actor.into(),
    ];
    session.run(&RECORD, &arguments);
}

/// An authentication, locked: of many purchases that refer to it, one is first.
pub fn lock_authentication(session: &Session, ledger_id: i32, id: Uuid) -> Option<Recorded> {
    let rows = session.run(&LOCK_AUTHENTICATION, &[ledger_id.into(), id.into()]);
    rows.first().map(|row| Recorded {
        member: row.get(0),
        method: Method::from_id(row.need(1)).expect("the domain admits the methods there are"),
        succeeded: row.need(2),
        recorded_at: row.need_time(3),
        used_at: row.time(4),
        merchant: row.get(5),
    })
}

pub fn use_authentication(session: &Session, ledger_id: i32, id: Uuid, at: i64) {
    session.run(&USE_AUTHENTICATION, &[ledger_id.into(), id.into(), at.into()]);
}
