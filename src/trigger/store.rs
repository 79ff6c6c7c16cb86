//! SQL of triggers: the catalogue, as far as check_trigger() needs it. No row of an application is
//! read; `marked` writes to one.

pub mod marked;

use super::rules::column::Column;
use super::rules::facts::{Books, Function, Table, Trigger};
use super::rules::key::table_name;
use super::source::{base_type, holds, type_name};
use crate::spi::{Session, Statement};
use pgrx::pg_sys;
use pgrx::pg_sys::OIDOID;

static PARTITION_ROOT: Statement =
    Statement::new("SELECT pg_catalog.pg_partition_root($1)::pg_catalog.oid", &[OIDOID]);

static TABLE: Statement = Statement::new(
    "SELECT n.nspname::text, c.relname::text, c.relkind IN ('r', 'p'), c.relkind = 'p', c.reltuples::bigint,
            EXISTS (SELECT FROM pg_catalog.pg_inherits h
                    JOIN pg_catalog.pg_class k ON k.oid = h.inhrelid
                    WHERE h.inhparent = c.oid AND NOT k.relispartition),
            (SELECT i.indimmediate FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = $1",
    &[OIDOID],
);

static COLUMNS: Statement = Statement::new(
    "SELECT a.attname::text, a.atttypid
     FROM pg_catalog.pg_attribute a
     WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
    &[OIDOID],
);

static LABELS: Statement = Statement::new(
    "SELECT e.enumlabel::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = $1 ORDER BY e.enumsortorder",
    &[OIDOID],
);

static TRIGGERS: Statement = Statement::new(
    "SELECT t.tgname::text, t.tgtype, t.tgnargs, t.tgargs, t.tgenabled::text,
            t.tgoldtable IS NOT NULL, t.tgnewtable IS NOT NULL, t.tgqual IS NOT NULL,
            pg_catalog.cardinality(t.tgattr::smallint[]) > 0,
            t.tgparentid = 0 AND EXISTS (
                SELECT FROM pg_catalog.pg_partition_ancestors(t.tgrelid) a
                JOIN pg_catalog.pg_trigger o ON o.tgrelid = a.relid AND o.tgfoid = t.tgfoid
                WHERE a.relid <> t.tgrelid),
            p.proname::text
     FROM pg_catalog.pg_trigger t
     JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
     JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE t.tgrelid = $1 AND NOT t.tgisinternal
       AND n.nspname = 'wallet_ledger'
     ORDER BY t.tgname COLLATE \"C\"",
    &[OIDOID],
);

static LEDGERS: Statement = Statement::new("SELECT name FROM wallet_data.ledgers", &[]);

static OWN_KINDS: Statement = Statement::new(
    "SELECT l.name, k.name FROM wallet_data.kinds k JOIN wallet_data.ledgers l USING (ledger_id)
     WHERE k.kind_id >= 1000",
    &[],
);

static RATES: Statement = Statement::new(
    "SELECT DISTINCT l.name, r.name FROM wallet_data.rates r JOIN wallet_data.ledgers l USING (ledger_id)",
    &[],
);

static PROVIDERS: Statement =
    Statement::new("SELECT DISTINCT provider_id FROM wallet_data.bank_accounts", &[]);

/// The root of a partition's table.
pub fn partition_root(session: &Session, relation: pg_sys::Oid) -> Option<pg_sys::Oid> {
    session.read(&PARTITION_ROOT, &[relation.into()]).first().and_then(|row| row.get(0))
}

/// The table as it is now; `None` where there is none.
pub fn table(session: &Session, relation: pg_sys::Oid) -> Option<Table> {
    let row = session.read(&TABLE, &[relation.into()]).first()?;
    let immediate: Option<bool> = row.get(6);
    let mut table = Table {
        name: table_name(&row.need::<String>(0), &row.need::<String>(1)),
        is_table: row.need(2),
        is_partitioned: row.need(3),
        rows: row.need(4),
        has_heirs: row.need(5),
        has_key: immediate.is_some(),
        key_is_deferrable: immediate == Some(false),
        ..Table::default()
    };
    let columns: Vec<(String, pg_sys::Oid)> =
        session.read(&COLUMNS, &[relation.into()]).iter().map(|row| (row.need(0), row.need(1))).collect();
    for (name, oid) in columns {
        let base = base_type(oid);
        table.labels.push(labels(session, base));
        table.columns.push(Column { name, type_name: type_name(oid), holds: holds(base) });
    }
    Some(table)
}

fn labels(session: &Session, base_type: pg_sys::Oid) -> Vec<String> {
    session.read(&LABELS, &[base_type.into()]).iter().map(|row| row.need(0)).collect()
}

/// The table's triggers that call a function of the ledger, by name.
pub fn triggers(session: &Session, relation: pg_sys::Oid) -> Vec<Trigger> {
    let rows = session.read(&TRIGGERS, &[relation.into()]);
    rows.iter()
        .filter_map(|row| {
            let called: String = row.need(10);
            let function = Function::ALL.into_iter().find(|function| function.name() == called)?;
            let form = u32::from(row.need::<i16>(1).unsigned_abs());
            let is = |flag: u32| form & flag != 0;
            let count = usize::from(row.need::<i16>(2).unsigned_abs());
            Some(Trigger {
                name: row.need(0),
                function,
                arguments: arguments(&row.need::<Vec<u8>>(3), count),
                is_after: form & pg_sys::TRIGGER_TYPE_TIMING_MASK == pg_sys::TRIGGER_TYPE_AFTER,
                on_insert: is(pg_sys::TRIGGER_TYPE_INSERT),
                on_update: is(pg_sys::TRIGGER_TYPE_UPDATE),
                on_other: is(pg_sys::TRIGGER_TYPE_DELETE) || is(pg_sys::TRIGGER_TYPE_TRUNCATE),
                per_row: is(pg_sys::TRIGGER_TYPE_ROW),
                enabled: row.need::<String>(4).chars().next().unwrap_or('O'),
                has_old_rows: row.need(5),
                has_new_rows: row.need(6),
                has_condition: row.need(7),
                has_columns: row.need(8),
                is_own_copy: row.need(9),
            })
        })
        .collect()
}

/// PostgreSQL stores a trigger's arguments in one value, each with a NUL at its end.
fn arguments(stored: &[u8], count: usize) -> Vec<String> {
    stored
        .split(|byte| *byte == 0)
        .take(count)
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}

/// The ledgers, their own kinds and rates, and who reports to them.
pub fn books(session: &Session) -> Books {
    let pairs =
        |statement| session.read(statement, &[]).iter().map(|row| (row.need(0), row.need(1))).collect();
    Books {
        ledgers: session.read(&LEDGERS, &[]).iter().map(|row| row.need(0)).collect(),
        providers: session.read(&PROVIDERS, &[]).iter().map(|row| row.need(0)).collect(),
        own_kinds: pairs(&OWN_KINDS),
        rates: pairs(&RATES),
    }
}
