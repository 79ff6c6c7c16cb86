//! Running SQL with the rights of another role, for tables that are not the ledger's; and whose rights a session
//! has.

use super::settings::Level;
use pgrx::pg_sys;
use std::cell::Cell;

thread_local! {
    /// The role that [`run_as`] has put on, if it has.
    static PUT_ON: Cell<Option<pg_sys::Oid>> = const { Cell::new(None) };
}

/// Who we were; set again when the work is done, and also while an error unwinds.
struct Before {
    user: pg_sys::Oid,
    security: i32,
    put_on: Option<pg_sys::Oid>,
}

/// Runs `work` with the rights of `role`, as PostgreSQL runs a referential action with those of the
/// table's owner: what the table's triggers, defaults and constraints call can neither use our rights nor
/// get at them with SET ROLE. Nor can it leave anything behind that runs at COMMIT, when the rights are the
/// caller's again: PostgreSQL refuses cursors WITH HOLD and deferred triggers in a restricted operation.
///
/// Settings end with it too. Otherwise such code could change `search_path` for the rest of the function
/// that called us, which goes on with our own rights: a function's own SET does not keep that out.
pub fn run_as<T>(role: pg_sys::Oid, work: impl FnOnce() -> T) -> T {
    let before = Before::now();
    let _level = Level::open();
    let restricted = pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;
    // SAFETY: both values are what PostgreSQL itself sets where it runs code of a table's owner.
    unsafe { pg_sys::SetUserIdAndSecContext(role, before.security | restricted as i32) };
    PUT_ON.set(Some(role));
    work()
}

impl Before {
    fn now() -> Self {
        let (mut user, mut security) = (pg_sys::InvalidOid, 0);
        // SAFETY: reads two globals.
        unsafe { pg_sys::GetUserIdAndSecContext(&mut user, &mut security) };
        Self { user, security, put_on: PUT_ON.get() }
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        PUT_ON.set(self.put_on);
        // SAFETY: sets two globals back to what they were.
        unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.security) }
    }
}

/// Whether this session is a trusted backend: its role has the privileges of `wallet_app`, or is `wallet_owner`,
/// which could take any guard away.
///
/// The role is the one that logged in or that SET ROLE has put on. It is not the current user, which is
/// `wallet_owner` in our functions, nor the owner of somebody's definer function that calls us: that function's
/// caller is a stranger to us. Where we have put on somebody's role to run their triggers, it is that one; and
/// code that PostgreSQL itself runs for the owner of a table, in ANALYZE for example, is nobody's to trust. Below a
/// trigger that we run so, it cannot be told from the trigger's own: whoever is trusted must not maintain tables of
/// strangers there.
pub fn is_trusted() -> bool {
    // SAFETY: looks at globals and catalogues.
    unsafe {
        let acting = match PUT_ON.get() {
            Some(role) => role,
            None if pg_sys::InSecurityRestrictedOperation() => return false,
            None => pg_sys::GetOuterUserId(),
        };
        [c"wallet_app", c"wallet_owner"].iter().any(|role| {
            let role = pg_sys::get_role_oid(role.as_ptr(), true);
            role != pg_sys::InvalidOid && pg_sys::has_privs_of_role(acting, role)
        })
    }
}
