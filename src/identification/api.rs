//! SQL face of identification.

use super::rules::Method;
use super::{Authentication, Claim, authenticate, create_code, enrol};
use crate::error::missing;
use crate::ledger;
use crate::report;
use crate::spi::face::{Composite, Timestamp, composite_result, micros};
use crate::spi::{Argument, Session};
use pgrx::prelude::*;
use std::ffi::CStr;

/// A code for a member to show.
pub struct QrCodeRow {
    token: String,
    ledger: String,
    member: String,
    expires_at: i64,
}

composite_result!(QrCodeRow, "wallet_ledger.qr_code_row");

impl Composite for QrCodeRow {
    const NAME: &'static CStr = c"qr_code_row";

    fn into_values(self) -> Vec<Argument> {
        vec![(&self.token).into(), (&self.ledger).into(), (&self.member).into(), self.expires_at.into()]
    }
}

/// An authentication in words.
pub struct AuthenticationRow {
    ledger: String,
    authentication: Authentication,
}

composite_result!(AuthenticationRow, "wallet_ledger.authentication_row");

impl Composite for AuthenticationRow {
    const NAME: &'static CStr = c"authentication_row";

    fn into_values(self) -> Vec<Argument> {
        let authentication = &self.authentication;
        vec![
            authentication.id.into(),
            (&self.ledger).into(),
            authentication.member.as_deref().into(),
            authentication.method.name().into(),
            authentication.failure.is_none().into(),
            authentication.failure.map(|failure| failure.name()).into(),
            authentication.attempts_left.map(i32::from).into(),
            authentication.locked_until.into(),
            authentication.device.as_deref().into(),
            authentication.recorded_at.into(),
            authentication.valid_until.into(),
        ]
    }
}

/// Sets a member's PIN, or another one in its place. Kept as a slow salted hash only; nobody can read it back.
///
/// * `member`: whose.
/// * `pin`: 4 to 12 digits, not one digit repeated and not digits in a row. Pass it as a parameter of a prepared
///   statement on a connection whose parameters are not logged; see docs/identification.md.
/// * `ledger`: the session's ledger by default.
///
/// Returns when it was set. Wrong guesses at the PIN before are forgotten and a lock-out ends. Writes the event
/// `pin.set`. Errors: missing_argument, invalid_argument, weak_pin, member_not_found, try_again.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn set_pin(member: Option<&str>, pin: Option<&str>, ledger: default!(Option<&str>, "NULL")) -> Timestamp {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let member = member.ok_or_else(|| missing("member"))?;
        let pin = pin.ok_or_else(|| missing("pin"))?;
        super::set_pin(&session, &ledger, member, pin).map(Timestamp)
    })
}

/// Checks a member's PIN. A wrong one is a row with `succeeded` = false and not an error, because an error would
/// undo the count: the attempt counts when the transaction commits, so call it in a transaction of its own. For
/// trusted backends only: whoever could make the transaction fail after a wrong guess could guess for ever.
///
/// * `member`: whose.
/// * `pin`: as it was entered. What cannot be a PIN is refused with an error and is no guess.
/// * `device`: the till that it was entered at, if any.
/// * `ledger`: the session's ledger by default.
///
/// Returns the authentication: reason wrong_pin or pin_locked where it failed, how many guesses are left, until
/// when it is locked. After the setting `pin_attempts` wrong ones (5) it is locked for the setting `pin_lockout`
/// (15 minutes) and the event `pin.locked` is written; while it is locked no guess is looked at. A right one
/// forgets the wrong ones before. Errors: missing_argument, invalid_argument, not_allowed, member_not_found,
/// device_not_found, pin_not_set, try_again.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn verify_pin(
    member: Option<&str>,
    pin: Option<&str>,
    device: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> AuthenticationRow {
    let claim = Claim { method: Method::Pin, member, credential: pin, device };
    answer(ledger, "verify_pin", || Ok(claim))
}

/// Keeps the template of a member's finger. The device encrypts it; it is opaque here, and nobody but
/// `wallet_owner` can read it back. The same finger again replaces it.
///
/// * `member`: whose.
/// * `finger`: `left_` or `right_` and thumb, index, middle, ring or little.
/// * `template`: 16 bytes to 64 KiB.
/// * `ledger`: the session's ledger by default.
///
/// Returns when it was enrolled. Writes the event `fingerprint.enrolled`. Errors: missing_argument,
/// invalid_argument, member_not_found.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn enrol_fingerprint(
    member: Option<&str>,
    finger: Option<&str>,
    template: Option<&[u8]>,
    ledger: default!(Option<&str>, "NULL"),
) -> Timestamp {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let member = member.ok_or_else(|| missing("member"))?;
        let finger = finger.ok_or_else(|| missing("finger"))?;
        let template = template.ok_or_else(|| missing("template"))?;
        enrol(&session, &ledger, member, finger, template).map(Timestamp)
    })
}

/// Makes a code for a member to show at a till: it identifies the member once, and for a short time.
///
/// * `member`: whom it identifies.
/// * `expires_in`: for how long, 5 seconds to 15 minutes.
/// * `ledger`: the session's ledger by default.
///
/// Returns the token that the QR code carries. It is told this once: only its SHA-256 is kept. Errors:
/// missing_argument, invalid_argument, member_not_found.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn create_qr_code(
    member: Option<&str>,
    expires_in: default!(Option<Interval>, "'2 minutes'"),
    ledger: default!(Option<&str>, "NULL"),
) -> QrCodeRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let member = member.ok_or_else(|| missing("member"))?;
        let life = micros(expires_in.ok_or_else(|| missing("expires_in"))?);
        let (token, expires_at) = create_code(&session, &ledger, member, life)?;
        Ok(QrCodeRow { token, ledger: ledger.name.clone(), member: member.to_owned(), expires_at })
    })
}

/// Records how a member was identified. What fails is a row with `succeeded` = false and its reason, not an error;
/// as with `verify_pin`, call it in a transaction of its own.
///
/// * `method`: `fingerprint` (matched on the device: what is recorded is the device's word), `pin` (as
///   `verify_pin`, and as there for trusted backends only) or `qr`.
/// * `member`: whom; NULL with `qr` means whose code it is.
/// * `credential`: the PIN or the token; NULL with `fingerprint`.
/// * `device`: the till; `fingerprint` needs it.
/// * `ledger`: the session's ledger by default.
///
/// Returns the authentication. One that succeeded serves one purchase of this member until `valid_until` (the
/// setting `authentication_validity`, 5 minutes), and where a device recorded it, one of that device's merchant.
/// Reasons of one that failed: wrong_pin, pin_locked, code_unknown, code_expired, code_used, code_of_another. Errors:
/// missing_argument, invalid_argument, not_allowed, member_not_found, device_not_found, pin_not_set,
/// fingerprint_not_enrolled, try_again.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn record_authentication(
    method: Option<&str>,
    member: default!(Option<&str>, "NULL"),
    credential: default!(Option<&str>, "NULL"),
    device: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> AuthenticationRow {
    answer(ledger, "record_authentication", || {
        let method = Method::from_name(method.ok_or_else(|| missing("method"))?)?;
        Ok(Claim { method, member, credential, device })
    })
}

fn answer<'a>(
    ledger: Option<&str>,
    function: &str,
    claim: impl FnOnce() -> crate::error::Result<Claim<'a>>,
) -> AuthenticationRow {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let authentication = authenticate(&session, &ledger, function, &claim()?)?;
        Ok(AuthenticationRow { ledger: ledger.name.clone(), authentication })
    })
}
