//! The session's settings. All of them, in one place.

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::pg_sys;
use std::ffi::{CStr, CString};

static LEDGER: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
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
    // SAFETY: missing_ok returns NULL for an unknown parameter; the string is PostgreSQL's.
    let claims = unsafe {
        let value = pg_sys::GetConfigOption(c"request.jwt.claims".as_ptr(), true, false);
        if value.is_null() {
            return None;
        }
        CStr::from_ptr(value).to_str().ok()?
    };
    let claims: serde_json::Value = serde_json::from_str(claims).ok()?;
    Some(claims.get("ledger")?.as_str()?.to_owned())
}
