//! SQL of the installation: roles, the schema and its version.

use super::rules::Caller;
use crate::spi::{Row, Session, Statement};
use pgrx::pg_sys::{self, INT4OID, INT8OID, TEXTOID};

static CALLER: Statement = Statement::new(
    "SELECT r.rolname::text, pg_catalog.current_setting('role'), r.rolsuper, r.rolcreaterole,
            pg_catalog.pg_has_role(r.oid, d.datdba, 'MEMBER'),
            coalesce((SELECT pg_catalog.pg_has_role(r.oid, o.oid, 'MEMBER')
                      FROM pg_catalog.pg_roles o WHERE o.rolname = 'wallet_owner'), false),
            (SELECT count(*) = 4 FROM pg_catalog.pg_roles x
             WHERE x.rolname IN ('wallet_owner', 'wallet_app', 'wallet_auditor', 'wallet_user')),
            coalesce((SELECT pg_catalog.has_database_privilege(o.oid, d.oid, 'CREATE')
                      FROM pg_catalog.pg_roles o WHERE o.rolname = 'wallet_owner'), false)
     FROM pg_catalog.pg_roles r, pg_catalog.pg_database d
     WHERE r.rolname = current_user AND d.datname = pg_catalog.current_database()",
    &[],
);

static SCHEMA_OWNER: Statement = Statement::new(
    "SELECT pg_catalog.pg_get_userbyid(nspowner)::text FROM pg_catalog.pg_namespace WHERE nspname = 'wallet_data'",
    &[],
);

static VERSION: Statement =
    Statement::new("SELECT coalesce(max(version), 0) FROM wallet_data.schema_versions", &[]);

static RECORD: Statement = Statement::new(
    "INSERT INTO wallet_data.schema_versions (version, library) VALUES ($1, $2)",
    &[INT4OID, TEXTOID],
);

static ENSURE_TIMELINE: Statement = Statement::new(
    "INSERT INTO wallet_data.timeline (system_identifier, position_offset) VALUES ($1, 0)
     ON CONFLICT (only_row) DO NOTHING",
    &[INT8OID],
);

/// Installations wait for each other, and for whoever drops the extension.
pub fn lock() {
    // SAFETY: an ordinary heavyweight lock on an object of the catalogue, released at the end of the transaction.
    unsafe {
        let extension = pg_sys::get_extension_oid(c"wallet_ledger".as_ptr(), false);
        let mode = pg_sys::ShareUpdateExclusiveLock as i32;
        pg_sys::LockDatabaseObject(pg_sys::ExtensionRelationId, extension, 0, mode);
    }
}

pub fn caller(session: &Session) -> Caller {
    let rows = session.run(&CALLER, &[]);
    let row: Row = rows.first().expect("the current role exists");
    Caller {
        name: row.need(0),
        role: row.need(1),
        is_superuser: row.need(2),
        can_create_roles: row.need(3),
        owns_database: row.need(4),
        is_owner_member: row.need(5),
        roles_exist: row.need(6),
        owner_can_create: row.need(7),
    }
}

/// Creates the roles where missing and gives wallet_owner what it needs to own the schema.
pub fn ensure_roles(session: &Session, caller: &Caller) {
    if !caller.roles_exist {
        for role in ["wallet_owner", "wallet_app", "wallet_auditor", "wallet_user"] {
            session.script(&format!(
                "DO $$ BEGIN
                     IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{role}') THEN
                         CREATE ROLE {role} NOLOGIN;
                     END IF;
                 END $$"
            ));
        }
    }
    if !caller.is_superuser && !caller.is_owner_member {
        session.script(&format!("GRANT wallet_owner TO {}", quoted(&caller.name)));
    }
    if !caller.owner_can_create {
        session.script(
            "DO $$ BEGIN
                 EXECUTE pg_catalog.format('GRANT CREATE ON DATABASE %I TO wallet_owner', pg_catalog.current_database());
             END $$",
        );
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// From here on objects belong to wallet_owner; an error ends it with the transaction.
pub fn become_owner(session: &Session) {
    session.script("SET LOCAL ROLE wallet_owner");
}

pub fn become_caller(session: &Session, caller: &Caller) {
    let role = if caller.role == "none" { "NONE".to_owned() } else { quoted(&caller.role) };
    session.script(&format!("SET LOCAL ROLE {role}"));
}

pub fn schema_owner(session: &Session) -> Option<String> {
    session.run(&SCHEMA_OWNER, &[]).first().map(|row| row.need(0))
}

pub fn create_schema(session: &Session) {
    session.script(
        "CREATE SCHEMA wallet_data AUTHORIZATION wallet_owner;
         COMMENT ON SCHEMA wallet_data IS
             'Tables of wallet_ledger. Not members of the extension: they survive dump, restore and DROP EXTENSION.';
         CREATE TABLE wallet_data.schema_versions (
             version    integer PRIMARY KEY,
             library    text NOT NULL,
             applied_at timestamptz NOT NULL DEFAULT clock_timestamp());
         COMMENT ON TABLE wallet_data.schema_versions IS
             'Which migrations of the data schema have run, and by which version of the library.'",
    );
}

pub fn version(session: &Session) -> i32 {
    session.run(&VERSION, &[]).first().map_or(0, |row| row.need(0))
}

pub fn record(session: &Session, version: i32, library: &str) {
    session.run(&RECORD, &[version.into(), library.into()]);
}

pub fn ensure_timeline(session: &Session, system_identifier: i64) {
    session.run(&ENSURE_TIMELINE, &[system_identifier.into()]);
}
