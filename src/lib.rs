//! wallet_ledger: a complete wallet ledger inside PostgreSQL.
//!
//! Imports point down only: `error`, `money`, `address`, `time`, `json` and every `rules` (pure: no
//! pgrx, no SQL) ← `spi`, `report` ← every `store` (all SQL) ← every `mod` (the flow: lock, decide,
//! write) ← every `api` (the SQL face) ← this file. Only `posting::store` writes transfers and balances.

mod account;
mod address;
mod error;
mod event;
mod hold;
mod idempotency;
mod install;
mod json;
mod ledger;
mod money;
mod posting;
mod report;
mod reversal;
mod spi;
mod time;

pgrx::pg_module_magic!();

// What the extension owns in SQL: result types before the functions, then roles, owners, grants and
// comments after everything else.
pgrx::extension_sql_file!("../sql/types.sql", name = "types", bootstrap);
pgrx::extension_sql_file!("../sql/roles.sql", name = "roles", finalize);

/// Called once in each backend, when the library is loaded.
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    ledger::settings::register();
    ledger::cache::register();
}
