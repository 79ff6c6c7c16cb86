//! Proves the engine on somebody else's data: IBM AMLSim's sample of 20,000 accounts and 118,250 transfers,
//! whose outcome was computed independently. In batches, one at a time, and from four sessions at once
//! where only the sum is determined. Without the data files the test says so and passes.

use std::collections::BTreeMap;
use std::sync::Mutex;

use futures::future::join_all;
use wallet_ledger_tests::*;

const ACCOUNTS: &str = "amlsim_accounts.csv.gz";
const TRANSFERS: &str = "amlsim_transfers.csv.gz";
/// The published result of a replay in file order with a floor of zero.
const POSTED: usize = 45_232;
const INSUFFICIENT: usize = 73_004;
const SAME: usize = 14;
const MOVED: &str = "11015406.11";
const SUM: &str = "5600953.52";

const SUM_OF_BALANCES: &str = "SELECT sum(posted) FROM wallet_ledger.accounts WHERE account LIKE 'node:%'";
const LOWEST: &str = "SELECT min(posted) >= 0 FROM wallet_ledger.accounts WHERE account LIKE 'node:%'";

fn item(record: &csv::StringRecord) -> Value {
    json!({
        "debit_account": format!("node:{}", &record[0]),
        "credit_account": format!("node:{}", &record[1]),
        "amount": &record[2],
    })
}

/// What each item came to, in order.
async fn post(client: &Client, items: &[Value]) -> Vec<(String, Decimal)> {
    let sql = "SELECT coalesce(error, outcome), coalesce(amount, 0) FROM wallet_ledger.post_transfers($1, on_error => 'report')";
    let rows = client.query(sql, &[&Value::from(items.to_vec())]).await;
    let rows = rows.unwrap_or_else(|e| panic!("{}", cluster::explain(&e)));
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn count(outcomes: &[(String, Decimal)]) -> (BTreeMap<&str, usize>, Decimal) {
    let mut counts = BTreeMap::new();
    for (outcome, _) in outcomes {
        *counts.entry(outcome.as_str()).or_default() += 1;
    }
    (counts, outcomes.iter().map(|(_, amount)| *amount).sum())
}

/// The accounts with their opening balances, from an equity account without a floor.
async fn opened(path: &std::path::PathBuf) -> TestDb {
    let db = TestDb::with_ledger("amlsim").await;
    let client = db.app().await;
    call(&client, "create_account('equity:opening', 'equity')").await;
    let mut openings = Vec::new();
    for chunk in data::read_csv_gz(path).chunks(2_000) {
        let nodes: Vec<String> = chunk.iter().map(|record| format!("node:{}", &record[0])).collect();
        let create = "SELECT wallet_ledger.create_account(a, 'liability', minimum_balance => 0) FROM unnest($1::text[]) a";
        client.execute(create, &[&nodes]).await.unwrap();
        for (node, record) in nodes.iter().zip(chunk) {
            if record[2].parse::<Decimal>().unwrap() > Decimal::ZERO {
                openings.push(json!({"debit_account": "equity:opening", "credit_account": node,
                                     "amount": &record[2], "kind": "opening"}));
            }
        }
    }
    for chunk in openings.chunks(5_000) {
        assert!(post(&client, chunk).await.iter().all(|(outcome, _)| outcome == "posted"));
    }
    assert_eq!(value(&client, SUM_OF_BALANCES).await, SUM);
    db
}

async fn copy_of(db: &TestDb) -> TestDb {
    let sessions = format!(
        "SELECT bool_and(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = '{}'",
        db.name
    );
    value(&db.cluster.connect("postgres").await, &sessions).await;
    TestDb::create(&db.cluster, "amlsim", &db.name).await
}

#[tokio::test]
async fn the_replay_gives_the_published_result() {
    let (Some(accounts), Some(transfers)) = (data::find(ACCOUNTS), data::find(TRANSFERS)) else {
        println!("skipped: data not found");
        return;
    };
    let items: Vec<Value> = data::read_csv_gz(&transfers).iter().map(item).collect();
    let base = opened(&accounts).await;
    let copies = [copy_of(&base).await, copy_of(&base).await];

    let outcomes = in_batches(&base, &items).await;
    one_at_a_time(&copies[0], &items, &outcomes).await;
    from_four_sessions(&copies[1], &items).await;
}

async fn in_batches(db: &TestDb, items: &[Value]) -> Vec<(String, Decimal)> {
    let client = db.app().await;
    let mut outcomes = Vec::with_capacity(items.len());
    for chunk in items.chunks(5_000) {
        outcomes.extend(post(&client, chunk).await);
    }
    assert_published(&client, &outcomes).await;
    outcomes
}

async fn assert_published(client: &Client, outcomes: &[(String, Decimal)]) {
    let (counts, moved) = count(outcomes);
    assert_eq!(
        counts,
        BTreeMap::from([("insufficient_funds", INSUFFICIENT), ("posted", POSTED), ("same_account", SAME)])
    );
    assert_eq!(moved.to_string(), MOVED);
    assert_eq!(value(client, SUM_OF_BALANCES).await, SUM);
    assert_eq!(value(client, LOWEST).await, "t");
    verify_clean(client).await;
}

/// Single calls come to the same, item by item: a prefix of them, or all in the long form.
async fn one_at_a_time(db: &TestDb, items: &[Value], expected: &[(String, Decimal)]) {
    let client = db.app().await;
    let statement = client
        .prepare("SELECT amount FROM wallet_ledger.post_transfer($1, $2, $3::text::numeric)")
        .await
        .unwrap();
    let length = if long() { items.len() } else { 6_000 };
    let mut outcomes = Vec::with_capacity(length);
    for item in &items[..length] {
        let [debit, credit, amount] =
            ["debit_account", "credit_account", "amount"].map(|key| item[key].as_str());
        outcomes.push(match client.query_one(&statement, &[&debit, &credit, &amount]).await {
            Ok(row) => ("posted".to_owned(), row.get(0)),
            Err(error) => (sql_error(&error).token().to_owned(), Decimal::ZERO),
        });
    }
    assert_eq!(outcomes, expected[..length]);
    if length == items.len() {
        assert_published(&client, &outcomes).await;
    }
    verify_clean(&client).await;
}

/// Which transfers post depends on the order now; the sum and the floors do not.
async fn from_four_sessions(db: &TestDb, items: &[Value]) {
    let queue = Mutex::new(items.chunks(1_000));
    let sessions = join_all((0..4).map(|_| db.app())).await;
    let outcomes = join_all(sessions.iter().map(|client| async {
        let mut outcomes = Vec::new();
        loop {
            let Some(chunk) = queue.lock().unwrap().next() else { return outcomes };
            outcomes.extend(post(client, chunk).await);
        }
    }))
    .await
    .concat();
    let (counts, moved) = count(&outcomes);
    assert_eq!(outcomes.len(), items.len());
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), ["insufficient_funds", "posted", "same_account"]);
    assert_eq!(counts["same_account"], SAME);
    let client = &sessions[0];
    let booked = "SELECT sum(amount) FROM wallet_ledger.transfers WHERE kind = 'transfer'";
    assert_eq!(value(client, booked).await, moved.to_string());
    assert_eq!(value(client, SUM_OF_BALANCES).await, SUM);
    assert_eq!(value(client, LOWEST).await, "t");
    verify_clean(client).await;
}
