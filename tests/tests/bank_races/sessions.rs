//! Calls of several sessions at once, under any isolation level.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use tokio::sync::Barrier;
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

pub const LEVELS: [&str; 3] = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"];

/// How often PostgreSQL aborted a transaction of these sessions, and so it was made again.
static ABORTED: AtomicUsize = AtomicUsize::new(0);

pub fn aborted() -> usize {
    ABORTED.load(Ordering::Relaxed)
}

/// A call in a transaction of its own, made again until PostgreSQL lets it pass; its first attempt looks
/// from before `start`. A refusal is the result as well. Under READ COMMITTED nothing may be aborted.
pub async fn committed(
    client: &Client,
    level: &str,
    sql: &str,
    start: Option<&Barrier>,
) -> Result<Line, LedgerError> {
    let mut start = start;
    for _ in 0..200 {
        execute(
            client,
            &format!("BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM wallet_ledger.bank_accounts"),
        )
        .await;
        if let Some(barrier) = start.take() {
            barrier.wait().await;
        }
        match try_call(client, sql).await {
            Ok(line) => match client.batch_execute("COMMIT").await {
                Ok(()) => return Ok(line),
                Err(error) => {
                    // The commit is PostgreSQL's own statement, and so is its refusal.
                    let sqlstate = sql_error(&error).sqlstate;
                    assert_eq!((sqlstate.as_str(), level), ("40001", "SERIALIZABLE"), "{sql}");
                }
            },
            Err(error) => {
                let error = sql_error(&error);
                execute(client, "ROLLBACK").await;
                assert!(error.sqlstate.starts_with("PT"), "{level}: {sql}: {error:#?}");
                if error.sqlstate != "PT503" {
                    return Err(error);
                }
                assert_eq!(error.token(), "try_again", "{sql}: {error:#?}");
                assert_eq!(error.detail["cause"], "serialization", "{level}: {sql}: {error:#?}");
                assert_ne!(level, "READ COMMITTED", "{sql}: {error:#?}");
            }
        }
        ABORTED.fetch_add(1, Ordering::Relaxed);
    }
    panic!("{level}: aborted 200 times: {sql}");
}

pub async fn sessions(db: &TestDb, count: usize) -> Vec<Client> {
    join_all((0..count).map(|_| db.app())).await
}

/// One call for each session, all begun at the same moment.
pub async fn at_once(clients: &[Client], level: &str, calls: &[String]) -> Vec<Result<Line, LedgerError>> {
    let barrier = Arc::new(Barrier::new(calls.len()));
    join_all(clients.iter().zip(calls).map(|(client, call)| committed(client, level, call, Some(&barrier))))
        .await
}

/// How many deadlocks PostgreSQL itself has counted in this test's database.
pub async fn deadlocks(db: &TestDb) -> String {
    let sql = format!("SELECT deadlocks FROM pg_stat_database WHERE datname = '{}'", db.name);
    value(&db.connect().await, &sql).await
}
