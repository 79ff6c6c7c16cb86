//! SQL of tables whose rows a paid intent marks: the only place where the ledger writes to a table that is
//! not its own.

use super::labels;
use crate::bank::intent::rules::Purpose;
use crate::spi::{Argument, Session, Statement};
use crate::trigger::rules::column::{Column, Holds};
use crate::trigger::rules::facts::Marked;
use crate::trigger::rules::marking::{Definition, Plan};
use crate::trigger::source::{base_type, holds, key_type, type_name};
use pgrx::pg_sys;
use pgrx::pg_sys::{INT2OID, INT4OID, OIDOID, TEXTARRAYOID, TEXTOID};
use std::collections::{BTreeSet, HashSet};
use std::ffi::CString;

// By names and not by regclass, which asks for USAGE on the schema.
static TABLE: Statement = Statement::new(
    "SELECT c.oid, c.relowner, c.relkind IN ('r', 'p'), pg_catalog.pg_get_userbyid(c.relowner) = current_user,
            c.relrowsecurity AND c.relforcerowsecurity, k.atttypid, s.atttypid,
            EXISTS (SELECT FROM pg_catalog.pg_index i
                    WHERE i.indrelid = c.oid AND i.indkey[0] = k.attnum AND i.indisvalid AND i.indpred IS NULL)
     FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_catalog.pg_attribute k
       ON k.attrelid = c.oid AND k.attname = $3 AND k.attnum > 0 AND NOT k.attisdropped
     LEFT JOIN pg_catalog.pg_attribute s
       ON s.attrelid = c.oid AND s.attname = $4 AND s.attnum > 0 AND NOT s.attisdropped
     WHERE n.nspname = $1 AND c.relname = $2",
    &[TEXTOID, TEXTOID, TEXTOID, TEXTOID],
);

// Columns, functions in PL languages that the UPDATE will call without a search_path of their own, and triggers that
// would wait for COMMIT.
static DETAILS: Statement = Statement::new(
    "SELECT ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
            ARRAY(SELECT DISTINCT pg_catalog.format('%I.%I', n.nspname, p.proname)
                  FROM pg_catalog.pg_trigger t
                  JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
                  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
                  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
                  WHERE t.tgrelid = $1 AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 16 <> 0
                    AND l.lanname NOT IN ('internal', 'c')
                    AND NOT EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) AS o (setting)
                                    WHERE pg_catalog.starts_with(o.setting, 'search_path='))),
            ARRAY(SELECT t.tgname::text FROM pg_catalog.pg_trigger t
                  WHERE t.tgrelid = $1 AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 16 <> 0
                    AND t.tginitdeferred ORDER BY t.tgname)",
    &[OIDOID],
);

static STILL_PAID: Statement = Statement::new(
    "SELECT DISTINCT i.reference
     FROM wallet_data.ledgers l
     JOIN wallet_data.intents i ON i.ledger_id = l.ledger_id AND i.reference = ANY ($1)
     WHERE i.state_id = 4 AND ($2 IS NULL OR i.purpose_id = $2) AND ($3 IS NULL OR l.ledger_id = $3)",
    &[TEXTARRAYOID, INT2OID, INT4OID],
);

/// The table that a trigger names, as it is until the transaction ends: nobody can drop it, rename it or give it to
/// another owner any more. `None` where there is none.
pub fn lock(session: &Session, wanted: &Definition) -> Option<Marked> {
    const MODE: i32 = pg_sys::RowExclusiveLock as i32;
    loop {
        let table = named(wanted)?;
        // SAFETY: ordinary heavyweight locks; who waits is told afterwards what others have renamed.
        unsafe { pg_sys::LockRelationOid(table, MODE) };
        if named(wanted) == Some(table) {
            return look(session, wanted, false);
        }
        // SAFETY: locked above.
        unsafe { pg_sys::UnlockRelationOid(table, MODE) };
    }
}

/// What the names of a definition mean at the moment.
fn named(wanted: &Definition) -> Option<pg_sys::Oid> {
    let text = |name: &str| CString::new(name).ok();
    let (schema, table) = (text(&wanted.schema)?, text(&wanted.table)?);
    // SAFETY: look-ups in the catalogue.
    let found = unsafe {
        let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        pg_sys::get_relname_relid(table.as_ptr(), schema)
    };
    (found != pg_sys::InvalidOid).then_some(found)
}

/// The table that a trigger names, as the call has found it. For `check_trigger`, which only reads.
pub fn find(session: &Session, wanted: &Definition) -> Option<Marked> {
    look(session, wanted, true)
}

fn look(session: &Session, wanted: &Definition, read_only: bool) -> Option<Marked> {
    let names = [&wanted.schema, &wanted.table, &wanted.key, &wanted.status].map(Argument::from);
    let row = session.query(&TABLE, &names, read_only).first()?;
    let relation: pg_sys::Oid = row.need(0);
    let details = session.query(&DETAILS, &[relation.into()], read_only).first()?;
    let column = |place: usize, name: &str| {
        let oid: pg_sys::Oid = row.get(place)?;
        let base = base_type(oid);
        Some((Column { name: name.to_owned(), type_name: type_name(oid), holds: holds(base) }, base))
    };
    let status = column(6, &wanted.status).map(|(column, base)| {
        let labels = if column.holds == Holds::Enum { labels(session, base) } else { Vec::new() };
        (column, labels)
    });
    Some(Marked {
        table: relation.to_u32(),
        owner: row.need::<pg_sys::Oid>(1).to_u32(),
        is_table: row.need(2),
        is_the_ledgers: row.need(3),
        forces_row_security: row.need(4),
        columns: details.need(0),
        key: column(5, &wanted.key).map(|(column, base)| (column, key_type(base))),
        key_is_indexed: row.need(7),
        status,
        open_functions: details.need(1),
        deferred: details.need(2),
    })
}

/// Those of the references that some intent has paid, all the same.
pub fn still_paid(
    session: &Session,
    references: &BTreeSet<String>,
    purpose: Option<Purpose>,
    ledger_id: Option<i32>,
) -> HashSet<String> {
    let arguments = [
        Argument::texts(references.iter().map(String::as_str)),
        purpose.map(|purpose| purpose as i16).into(),
        ledger_id.into(),
    ];
    session.run(&STILL_PAID, &arguments).iter().map(|row| row.need(0)).collect()
}

/// Sets the status of the rows with these keys; false where the names mean another table by now. Its text is different
/// for every trigger, so it is prepared for this one time. The keys are values of the type; the casts are
/// PostgreSQL's own.
pub fn set(session: &Session, at: &Definition, plan: &Plan, value: &str, keys: &BTreeSet<String>) -> bool {
    let sql = format!(
        "UPDATE {}.{} SET {} = {} WHERE {} OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.{}[])",
        quoted(&at.schema),
        quoted(&at.table),
        quoted(&at.status),
        quoted_value(value),
        quoted(&at.key),
        plan.key_type.name(),
    );
    let keys = Argument::texts(keys.iter().map(String::as_str));
    session.update_once(pg_sys::Oid::from(plan.marked.table), &sql, &[TEXTARRAYOID], &[keys])
}

/// An identifier as SQL reads it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A literal as SQL reads it, whatever the session's setting for backslashes is. It has no type yet and
/// takes the column's.
fn quoted_value(value: &str) -> String {
    format!("E'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}
