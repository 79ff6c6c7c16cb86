//! Identification: how a member is recognised before money is spent, and the secrets that this takes.
//!
//! What fails is recorded like what succeeds, as a row and not as an error: an error would undo the count of wrong
//! PINs. So an attempt counts when its transaction commits, and belongs into one of its own. Whoever can make the
//! transaction fail after the answer, as everybody can through PostgREST, could guess for ever: PINs are checked for
//! trusted backends only. A code cannot be guessed, and what is rolled back has used none up and identified nobody.
//!
//! Locks: the row of the PIN makes one member's guesses wait for each other, so fifty at once are no more guesses
//! than the setting allows; the row of a code, and of an authentication, makes the first of many the only one.
//! Nothing of the ledger is locked while they are held, and they come after a purchase's key and before accounts.

pub mod api;
pub mod rules;
pub mod store;

use crate::access::{self, rules::Action, rules::Target};
use crate::error::{Code, LedgerError, Result, invalid, missing};
use crate::event;
use crate::ledger::{self, Ledger};
use crate::setting::{self, rules::Setting, rules::timeline::Settings};
use crate::spi::Session;
use crate::time;
use rand::TryRngCore;
use rand::rngs::OsRng;
use rules::pin::{Attempts, Gate};
use rules::{AUDIENCE, Failure, Method, code, pin};
use serde_json::{Value, json};
use store::{NewAuthentication, NewCode, NewFingerprint};
use uuid::Uuid;

/// How long an expired code is remembered, so that who shows it late is told why it is refused.
const CODE_MEMORY: i64 = setting::rules::interval::DAY;

/// Sets a member's PIN. Wrong guesses at the one before are forgotten. Returns when it was set.
pub fn set_pin(session: &Session, ledger: &Ledger, member: &str, pin: &str) -> Result<i64> {
    access::demand(session, ledger, Action::SetPin, of_member(member))?;
    pin::check_new(pin)?;
    check_member(session, ledger, member)?;
    let hash = pin::hash(pin, random());
    let (now, actor) = (ledger::now(), ledger::settings::actor());
    store::put_pin(session, ledger.id, member, &hash, now, &actor);
    announce(session, ledger, "pin.set", member, json!({ "actor": actor }));
    Ok(now)
}

/// Keeps the template of a finger, or another one of the same finger. Returns when.
pub fn enrol(session: &Session, ledger: &Ledger, member: &str, finger: &str, template: &[u8]) -> Result<i64> {
    access::demand(session, ledger, Action::EnrolFingerprint, of_member(member))?;
    let (finger, template) = (rules::check_finger(finger)?, rules::check_template(template)?);
    check_member(session, ledger, member)?;
    let (now, actor) = (ledger::now(), ledger::settings::actor());
    let new = NewFingerprint { member, finger, template, enrolled_by: &actor };
    store::put_fingerprint(session, ledger.id, &new, now);
    announce(session, ledger, "fingerprint.enrolled", member, json!({ "finger": finger, "actor": actor }));
    Ok(now)
}

/// Makes a code for a member to show. Returns the token and until when it counts.
pub fn create_code(session: &Session, ledger: &Ledger, member: &str, life: i64) -> Result<(String, i64)> {
    access::demand(session, ledger, Action::CreateQrCode, of_member(member))?;
    let life = code::check_life(life)?;
    check_member(session, ledger, member)?;
    let token = code::token(random());
    let digest = code::digest(&token).expect("a token of ours");
    let (now, actor) = (ledger::now(), ledger::settings::actor());
    store::drop_old_codes(session, ledger.id, member, now - CODE_MEMORY);
    let new =
        NewCode { member, digest: &digest, created_at: now, expires_at: now + life, created_by: &actor };
    store::put_code(session, ledger.id, &new);
    Ok((token, new.expires_at))
}

/// What a till, or whoever asks, says about who stands there.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    pub method: Method,
    pub member: Option<&'a str>,
    /// The PIN, or the token of the code.
    pub credential: Option<&'a str>,
    pub device: Option<&'a str>,
}

/// What an attempt came to.
pub struct Authentication {
    pub id: Uuid,
    pub member: Option<String>,
    pub device: Option<String>,
    pub method: Method,
    pub failure: Option<Failure>,
    pub recorded_at: i64,
    /// Until when a purchase may refer to it; `None` where it failed.
    pub valid_until: Option<i64>,
    /// Of a PIN.
    pub attempts_left: Option<i16>,
    pub locked_until: Option<i64>,
}

/// Identifies a member, or records that it failed. `function` is what was called.
pub fn authenticate(
    session: &Session,
    ledger: &Ledger,
    function: &str,
    claim: &Claim,
) -> Result<Authentication> {
    if claim.method == Method::Pin {
        access::demand_backend(function)?;
    }
    let merchant = claim.device.and_then(|device| store::merchant(session, ledger.id, device));
    let digest = match claim.method {
        Method::Qr => claim.credential.and_then(code::digest),
        Method::Fingerprint | Method::Pin => None,
    };
    let of_code = digest.and_then(|digest| store::code_member(session, ledger.id, &digest));
    let member = claim.member.or(of_code.as_deref());
    let target = Target { member, merchant: merchant.as_deref() };
    access::demand(session, ledger, Action::RecordAuthentication, target)?;
    if let (Some(device), None) = (claim.device, &merchant) {
        let error =
            LedgerError::new(Code::DeviceNotFound, format!("ledger {} has no device {device}", ledger.name));
        return Err(error.with("device", device));
    }
    if let Some(member) = member {
        check_member(session, ledger, member)?;
    }
    let settings = setting::read(session, ledger, ledger::now())?;
    match claim.method {
        Method::Fingerprint => by_fingerprint(session, ledger, &settings, claim),
        Method::Pin => by_pin(session, ledger, &settings, claim),
        Method::Qr => by_code(session, ledger, &settings, claim, digest),
    }
}

/// The device has matched the finger; its word is recorded.
fn by_fingerprint(
    session: &Session,
    ledger: &Ledger,
    settings: &Settings,
    claim: &Claim,
) -> Result<Authentication> {
    let member = claim.member.ok_or_else(|| missing("member"))?;
    if claim.device.is_none() {
        return Err(missing("device"));
    }
    if claim.credential.is_some() {
        return Err(invalid("credential", "be null: a finger is matched on the device"));
    }
    if !store::is_enrolled(session, ledger.id, member) {
        let error =
            LedgerError::new(Code::FingerprintNotEnrolled, format!("{member} has no enrolled fingerprint"));
        return Err(error.with("member", member));
    }
    Ok(record(session, ledger, settings, claim, None))
}

/// One guess at a PIN, if there is one to be had.
fn by_pin(session: &Session, ledger: &Ledger, settings: &Settings, claim: &Claim) -> Result<Authentication> {
    let member = claim.member.ok_or_else(|| missing("member"))?;
    let pin = pin::check_form(claim.credential.ok_or_else(|| missing("pin"))?)?;
    let Some((hash, attempts)) = store::lock_pin(session, ledger.id, member) else {
        let error = LedgerError::new(Code::PinNotSet, format!("{member} has no PIN"));
        return Err(error.with("member", member));
    };
    let most = settings.count(Setting::PinAttempts);
    // By the clock of now: others may have been guessing while this one waited for the lock.
    let now = ledger::now();
    let (failure, attempts) = match attempts.gate(now) {
        Gate::Locked { until } => {
            (Some(Failure::PinLocked), Attempts { locked_until: Some(until), ..attempts })
        }
        Gate::Open { .. } if pin::matches(pin, &hash)? => {
            store::forgive(session, ledger.id, member);
            (None, Attempts::default())
        }
        Gate::Open { failed } => {
            let after = Attempts::after_wrong(failed, most, settings.micros(Setting::PinLockout), now);
            store::count_wrong(session, ledger.id, member, after, now);
            (Some(Failure::WrongPin), after)
        }
    };
    let authentication = record(session, ledger, settings, claim, failure);
    if let (Some(Failure::WrongPin), Some(until)) = (failure, attempts.locked_until) {
        let more = json!({ "locked_until": time::to_text(until), "attempts": attempts.failed, "device": claim.device });
        announce(session, ledger, "pin.locked", member, more);
    }
    let attempts_left = Some(attempts.left(most));
    Ok(Authentication { attempts_left, locked_until: attempts.locked_until, ..authentication })
}

/// The member whose code was shown.
fn by_code(
    session: &Session,
    ledger: &Ledger,
    settings: &Settings,
    claim: &Claim,
    digest: Option<[u8; 32]>,
) -> Result<Authentication> {
    if claim.credential.is_none() {
        return Err(missing("credential"));
    }
    let stored = digest.and_then(|digest| store::lock_code(session, ledger.id, &digest));
    let now = ledger::now();
    let failure = code::failure(stored.as_ref(), claim.member, now);
    if let (Some(digest), None) = (digest, failure) {
        store::use_code(session, ledger.id, &digest, now);
    }
    let member = claim.member.or(stored.as_ref().map(|stored| stored.member.as_str()));
    Ok(record(session, ledger, settings, &Claim { member, ..*claim }, failure))
}

fn record(
    session: &Session,
    ledger: &Ledger,
    settings: &Settings,
    claim: &Claim,
    failure: Option<Failure>,
) -> Authentication {
    let (id, recorded_at, actor) = (Uuid::now_v7(), ledger::now(), ledger::settings::actor());
    let Claim { method, member, device, .. } = *claim;
    let new = NewAuthentication { id, method, failure, member, device, recorded_at, actor: &actor };
    store::record(session, ledger.id, &new);
    let validity = settings.micros(Setting::AuthenticationValidity);
    Authentication {
        id,
        member: member.map(str::to_owned),
        device: device.map(str::to_owned),
        method,
        failure,
        recorded_at,
        valid_until: failure.is_none().then(|| recorded_at + validity),
        attempts_left: None,
        locked_until: None,
    }
}

/// Uses an authentication for what a member buys of a merchant at a moment, once. Returns how the member was
/// identified.
pub fn consume(
    session: &Session,
    ledger: &Ledger,
    id: Uuid,
    member: &str,
    merchant: &str,
    at: i64,
) -> Result<Method> {
    let validity = setting::read(session, ledger, at)?.micros(Setting::AuthenticationValidity);
    let recorded = store::lock_authentication(session, ledger.id, id);
    let method = rules::check_serves(id, recorded.as_ref(), member, merchant, validity, at)?;
    store::use_authentication(session, ledger.id, id, at);
    Ok(method)
}

fn check_member(session: &Session, ledger: &Ledger, member: &str) -> Result<()> {
    if store::is_member(session, ledger.id, member) {
        return Ok(());
    }
    let error =
        LedgerError::new(Code::MemberNotFound, format!("ledger {} has no member {member}", ledger.name));
    Err(error.with("member", member))
}

fn of_member(member: &str) -> Target<'_> {
    Target { member: Some(member), merchant: None }
}

/// Bytes that nobody can foretell.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).expect("the operating system has random bytes");
    bytes
}

/// Never a secret: events are read by many.
fn announce(session: &Session, ledger: &Ledger, topic: &str, member: &str, more: Value) {
    let payload = event::with(json!({ "member": member }), more);
    event::write(session, ledger, topic, member, event::with(payload, json!({ "for": AUDIENCE })));
}
