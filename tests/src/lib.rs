//! The harness of the integration tests: a database of its own for each test, ledger errors
//! taken apart, seeded random numbers, and PostgreSQL's own programs.
//!
//! `scripts/test.sh` (that is, `make test`) starts the private server and says where it is; the
//! tests do not start on their own.

pub mod bank;
pub mod books;
pub mod clock;
pub mod cluster;
pub mod data;
pub mod db;
pub mod errors;
pub mod escrow;
pub mod lines;
pub mod proof;
pub mod school;
pub mod seed;
pub mod tables;

pub use books::{backend, balances, books, contents, posted, until, until_blocked};
pub use clock::{away_from_midnight, away_from_the_hour};
pub use cluster::{Cluster, run};
pub use db::{TestDb, rows, verify_clean};
pub use errors::{LedgerError, assert_error, sql_error};
pub use lines::{Line, call, calls, lines, try_call, try_calls, try_lines, value};
pub use rust_decimal::{Decimal, dec};
pub use seed::Seed;
pub use serde_json::{Value, json};
pub use tables::assert_tables_refuse;
pub use tokio_postgres::Client;

/// Whether the long forms are asked for (`make test-long`).
pub fn long() -> bool {
    std::env::var("WL_LONG").is_ok_and(|v| v == "1")
}
