//! Books to test with, and what a test looks at in them from outside.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio_postgres::Client;

use crate::db::TestDb;
use crate::lines::{call, lines, value};

/// A fresh database with the ledger `main` (IDR) and a session of a trusted backend in it.
///
/// `bank` (asset) and `shop` (liability) have no floor; `wallets:a` has 1,000.00 and `wallets:b` 500.00,
/// `wallets:c` nothing, all with floor 0.
pub async fn books(test: &str) -> (TestDb, Client) {
    let db = TestDb::with_ledger(test).await;
    let client = db.app().await;
    call(&client, "create_account('bank', 'asset')").await;
    call(&client, "create_account('shop', 'liability')").await;
    for (owner, amount) in [("a", 1000), ("b", 500), ("c", 0)] {
        call(&client, &format!("open_wallet('{owner}')")).await;
        if amount > 0 {
            call(&client, &format!("post_transfer('bank', 'wallets:{owner}', {amount}, 'topup')")).await;
        }
    }
    (db, client)
}

/// Posted, held and available balance of an account of the ledger `main`, as text.
pub async fn balances(client: &Client, account: &str) -> [String; 3] {
    let sql = format!(
        "SELECT posted, held, available FROM wallet_ledger.accounts WHERE ledger = 'main' AND account = '{account}'"
    );
    let found = lines(client, &sql).await;
    assert_eq!(found.len(), 1, "{account}: {found:?}");
    ["posted", "held", "available"].map(|column| found[0][column].to_owned())
}

/// The posted balance of an account of the ledger `main`.
pub async fn posted(client: &Client, account: &str) -> String {
    let [posted, _, _] = balances(client, account).await;
    posted
}

/// A digest of every table of the data schema: equal digests mean that nothing was written.
pub async fn contents(client: &Client) -> BTreeMap<String, String> {
    let tables = lines(
        client,
        // Secrets are for wallet_owner alone.
        "SELECT relname FROM pg_class WHERE relnamespace = 'wallet_data'::regnamespace AND relkind = 'r' \
           AND has_table_privilege('wallet_app', oid, 'SELECT')",
    )
    .await;
    let mut digests = BTreeMap::new();
    for table in tables {
        let name = &table["relname"];
        let sql = format!(
            "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ';' ORDER BY t::text)), '-') \
             FROM wallet_data.{name} t"
        );
        digests.insert(name.to_owned(), value(client, &sql).await);
    }
    digests
}

/// The process that serves this session.
pub async fn backend(client: &Client) -> String {
    value(client, "SELECT pg_backend_pid()").await
}

/// Waits until that backend waits for a lock.
pub async fn until_blocked(observer: &Client, backend: &str) {
    let sql = format!("SELECT count(*) FROM pg_locks WHERE pid = {backend} AND NOT granted");
    until(observer, &sql, "1").await;
}

/// Waits until a query gives that value; panics after a minute.
pub async fn until(client: &Client, sql: &str, expected: &str) {
    let begun = Instant::now();
    loop {
        let is = value(client, sql).await;
        if is == expected {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{sql}: still {is}, not {expected}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
