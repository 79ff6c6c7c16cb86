//! Settings that hold while something is done, and no longer.

use pgrx::pg_sys;
use std::ffi::CStr;

/// Undoes every setting that was made since, also those that other code has made meanwhile.
pub struct Level(i32);

impl Level {
    pub fn open() -> Self {
        // SAFETY: closed by Drop, or by the abort of the transaction.
        Self(unsafe { pg_sys::NewGUCNestLevel() })
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        // An error that unwinds aborts the transaction, which undoes them anyhow.
        if !std::thread::panicking() {
            // SAFETY: opened by `open`, and levels are closed in the order of their scopes.
            unsafe { pg_sys::AtEOXact_GUC(false, self.0) }
        }
    }
}

/// Runs `work` with values out of line compressed by LZ4, which is several times as fast as PostgreSQL's own
/// method and compresses as well. A server that was built without it, and a column that has a method of its
/// own, keep theirs. A value knows its method, so nothing else has to know.
pub fn with_fast_compression<T>(work: impl FnOnce() -> T) -> T {
    let _level = Level::open();
    set(c"default_toast_compression", c"lz4", pg_sys::DEBUG5 as i32);
    work()
}

/// Runs `work` under these settings of PostgreSQL.
pub fn with<T>(settings: &[(&CStr, &CStr)], work: impl FnOnce() -> T) -> T {
    let _level = Level::open();
    for (name, value) in settings {
        // Level 0: an unknown name or value is an error like any other.
        set(name, value, 0);
    }
    work()
}

/// Sets a setting until its level closes; `report` is the level at which a refusal is reported.
fn set(name: &CStr, value: &CStr, report: i32) {
    // SAFETY: both are strings.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            report,
            false,
        );
    }
}
