//! install(): the data schema, as ordinary objects that are not members of the extension.
//!
//! Tables of an extension lose their rows or double their balances in dump and restore and vanish with
//! DROP EXTENSION; tables made by a function after CREATE EXTENSION do not. Migrations run once each,
//! in order, and their number is a row; guards, views and grants are written so that running them again
//! changes nothing or repairs what was taken away.

pub mod api;
pub mod rules;
pub mod store;

use crate::error::{Code, LedgerError, Result};
use crate::ledger;
use crate::spi::{Session, settings};

/// The tables, in the order of their dependencies. Version 1.
const TABLES: &[&str] = &[
    include_str!("../../sql/data/01_ledgers.sql"),
    include_str!("../../sql/data/02_accounts.sql"),
    include_str!("../../sql/data/03_transfers.sql"),
    include_str!("../../sql/data/04_holds.sql"),
    include_str!("../../sql/data/05_idempotency.sql"),
    include_str!("../../sql/data/06_events.sql"),
    include_str!("../../sql/data/07_settings.sql"),
    include_str!("../../sql/data/08_bank.sql"),
    include_str!("../../sql/data/09_rates.sql"),
    include_str!("../../sql/data/10_escrow.sql"),
    include_str!("../../sql/data/11_group_buys.sql"),
    include_str!("../../sql/data/12_subscriptions.sql"),
    include_str!("../../sql/data/13_limits.sql"),
    include_str!("../../sql/data/14_people.sql"),
    include_str!("../../sql/data/15_purchases.sql"),
    include_str!("../../sql/data/16_identification.sql"),
];

/// Every version of the data schema and what it takes to get there from the one before. Released
/// entries are never edited.
const MIGRATIONS: &[(i32, &[&str])] = &[(1, TABLES)];

/// What every installation ends with, whatever it began with.
const OBJECTS: &[&str] = &[
    include_str!("../../sql/data/80_revokes.sql"),
    include_str!("../../sql/data/80_guards.sql"),
    include_str!("../../sql/data/80_guards_bank.sql"),
    include_str!("../../sql/data/80_guards_escrow.sql"),
    include_str!("../../sql/data/80_guards_limits.sql"),
    include_str!("../../sql/data/80_guards_people.sql"),
    include_str!("../../sql/data/80_guards_purchases.sql"),
    include_str!("../../sql/data/80_guards_identification.sql"),
    include_str!("../../sql/data/81_views.sql"),
    include_str!("../../sql/data/81_views_bank.sql"),
    include_str!("../../sql/data/81_views_escrow.sql"),
    include_str!("../../sql/data/81_views_finance.sql"),
    include_str!("../../sql/data/81_views_limits.sql"),
    include_str!("../../sql/data/81_views_people.sql"),
    include_str!("../../sql/data/81_views_purchases.sql"),
    include_str!("../../sql/data/81_views_identification.sql"),
    include_str!("../../sql/data/81_views_school.sql"),
    include_str!("../../sql/data/82_grants.sql"),
];

/// The version that this library works with.
pub fn library_version() -> i32 {
    MIGRATIONS.last().map_or(0, |(version, _)| *version)
}

/// Brings the data schema to the library's version; returns the version before and after. Nothing is looked up by the
/// caller's search_path, which is the same afterwards.
pub fn install(session: &Session) -> Result<(i32, i32)> {
    settings::with(&[(c"search_path", c"pg_catalog, pg_temp")], || install_all(session))
}

fn install_all(session: &Session) -> Result<(i32, i32)> {
    store::lock();
    let caller = store::caller(session);
    rules::check_caller(&caller)?;
    store::ensure_roles(session, &caller);
    store::become_owner(session);
    let before = current(session)?;
    for (version, scripts) in MIGRATIONS.iter().filter(|(version, _)| *version > before) {
        scripts.iter().for_each(|script| session.script(script));
        store::record(session, *version, env!("CARGO_PKG_VERSION"));
    }
    store::ensure_timeline(session, ledger::system_identifier());
    OBJECTS.iter().for_each(|script| session.script(script));
    store::become_caller(session, &caller);
    Ok((before, library_version()))
}

/// The version that is there; the empty schema is made where there is none.
fn current(session: &Session) -> Result<i32> {
    match store::schema_owner(session) {
        None => {
            store::create_schema(session);
            return Ok(0);
        }
        Some(owner) if owner != "wallet_owner" => {
            return Err(LedgerError::new(
                Code::PrivilegeMissing,
                format!("schema wallet_data exists and belongs to {owner}, not to wallet_owner"),
            )
            .with("owner", owner));
        }
        Some(_) => {}
    }
    let version = store::version(session);
    if version > library_version() {
        return Err(LedgerError::new(
            Code::NotInstalled,
            format!("the data schema has version {version}, this library knows {}", library_version()),
        )
        .with_count("data_version", version.into())
        .with_count("library_version", library_version().into()));
    }
    Ok(version)
}
