//! Running SQL with the rights of another role: for tables that are not the ledger's.

use super::settings::Level;
use pgrx::pg_sys;

/// Who we were; set again when the work is done, and also while an error unwinds.
struct Before {
    user: pg_sys::Oid,
    security: i32,
}

/// Runs `work` with the rights of `role`, as PostgreSQL runs a referential action with those of the
/// table's owner: what the table's triggers, defaults and constraints call can neither use our rights nor
/// get at them with SET ROLE.
///
/// Settings end with it too. Otherwise such code could change `search_path` for the rest of the function
/// that called us, which goes on with our own rights: a function's own SET does not keep that out.
pub fn run_as<T>(role: pg_sys::Oid, work: impl FnOnce() -> T) -> T {
    let before = Before::now();
    let _level = Level::open();
    // SAFETY: both values are what PostgreSQL itself sets for a referential action.
    unsafe {
        let security = before.security | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32;
        pg_sys::SetUserIdAndSecContext(role, security);
    }
    work()
}

impl Before {
    fn now() -> Self {
        let (mut user, mut security) = (pg_sys::InvalidOid, 0);
        // SAFETY: reads two globals.
        unsafe { pg_sys::GetUserIdAndSecContext(&mut user, &mut security) };
        Self { user, security }
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        // SAFETY: sets two globals back to what they were.
        unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.security) }
    }
}
