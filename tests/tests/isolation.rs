//! Runs the isolation specs of `tests/isolation/specs` (see `scripts/isolation.sh`).

use tokio::process::Command;
use wallet_ledger_tests::{TestDb, cluster, run};

#[tokio::test]
async fn specs() {
    let db = TestDb::new("isolation").await;
    let script = cluster::root().join("scripts/isolation.sh");
    println!("{}", run(Command::new(script).env("WL_DB", &db.name)).await);
}
