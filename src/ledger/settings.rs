//! The session's settings. All of them, in one place.

use crate::spi::identity;
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::pg_sys;
use std::ffi::{CStr, CString};

static LEDGER: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static ACTOR: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static NOTIFY_CHANNEL: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// Registers the settings. Called once, from _PG_init.
pub fn register() {
    GucRegistry::define_string_guc(
        c"wallet_ledger.ledger",
        c"The ledger that calls mean which do not name one.",
        c"Overrides the JWT claim 'ledger'. Behind a pooler, set it per transaction.",
        &LEDGER,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"wallet_ledger.actor",
        c"The person on whose behalf calls are made, for the audit.",
        c"Overrides the JWT claim 'sub' for members of wallet_app. Behind a pooler, set it per transaction.",
        &ACTOR,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"wallet_ledger.notify_channel",
        c"Channel that is notified when a transaction has written events. Empty: no notification.",
        c"NOTIFY makes commits wait for one another; consumers that poll do not need it.",
        &NOTIFY_CHANNEL,
        GucContext::Userset,
        GucFlags::default(),
    );
}

fn text(setting: &GucSetting<Option<CString>>) -> Option<String> {
    let value = setting.get()?;
    let value = value.to_string_lossy();
    (!value.is_empty()).then(|| value.into_owned())
}

/// `wallet_ledger.ledger`, unless empty.
pub fn ledger() -> Option<String> {
    text(&LEDGER)
}

/// `wallet_ledger.notify_channel`, unless empty.
pub fn notify_channel() -> Option<String> {
    text(&NOTIFY_CHANNEL)
}

/// The claim `ledger` of PostgREST's `request.jwt.claims`. After a transaction PostgREST leaves an
/// empty string behind, and any session can set the parameter: it only chooses a default here.
pub fn ledger_claim() -> Option<String> {
    claim("ledger")
}

/// Longest name of an actor that is kept, and that can have a role; in bytes.
const ACTOR_BYTES_MAX: usize = 255;

/// Who acts, for the audit: the person, else who is logged in. The first is the caller's word.
pub fn actor() -> String {
    let mut actor = person().unwrap_or_else(session_user);
    let end =
        (0..=ACTOR_BYTES_MAX.min(actor.len())).rev().find(|end| actor.is_char_boundary(*end)).unwrap_or(0);
    actor.truncate(end);
    actor
}

/// Who acts, to be asked for a role: named in full, by the setting or the claim.
pub fn named_actor() -> Option<String> {
    person().filter(|actor| actor.len() <= ACTOR_BYTES_MAX)
}

/// `wallet_ledger.actor`, else the JWT claim `sub`. Where somebody who is not trusted has both, the claim counts: it
/// comes with the request, and the setting may be left over on a connection that others use too.
fn person() -> Option<String> {
    match (text(&ACTOR), claim("sub")) {
        (Some(set), Some(sub)) if set != sub && !identity::is_trusted() => Some(sub),
        (set, sub) => set.or(sub),
    }
}

/// Who is logged in: the definer's role would say nothing.
pub fn session_user() -> String {
    // SAFETY: the session user always exists; the name is PostgreSQL's string.
    unsafe {
        let name = pg_sys::GetUserNameFromId(pg_sys::GetSessionUserId(), true);
        if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
    }
}

fn claim(name: &str) -> Option<String> {
    // SAFETY: missing_ok returns NULL for an unknown parameter; the string is PostgreSQL's.
    let claims = unsafe {
        let value = pg_sys::GetConfigOption(c"request.jwt.claims".as_ptr(), true, false);
        if value.is_null() {
            return None;
        }
        CStr::from_ptr(value).to_str().ok()?
    };
    let claims: serde_json::Value = serde_json::from_str(claims).ok()?;
    let value = claims.get(name)?.as_str()?;
    (!value.is_empty()).then(|| value.to_owned())
}
