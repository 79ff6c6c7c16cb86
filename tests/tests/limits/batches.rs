//! Batches of payments on many days, by many accounts: what a till brings that was offline.

use super::school;
use super::times::since_long_ago;
use wallet_ledger_tests::*;

fn item(wallet: &str, amount: u32, at: &str) -> Value {
    json!({"debit_account": format!("wallets:{wallet}"), "credit_account": "merchants:canteen", "amount": amount,
           "kind": "purchase", "effective_at": at})
}

async fn post(client: &Client, items: &[Value]) -> Vec<Line> {
    let items = Value::from(items.to_vec());
    calls(client, &format!("post_transfers('{items}', on_error => 'report')")).await
}

/// Every item is judged by the limits of its own account, as they counted at its own moment.
#[tokio::test]
async fn every_item_is_judged_by_its_own_account_and_moment() {
    let (db, client) = school("dated_batch").await;
    call(&client, "post_transfer('bank', 'wallets:c', 1000, 'topup')").await;
    call(&client, "create_member('b')").await;
    for limit in [
        "'wallets:a', daily => 100",
        "'wallets:a', name => 'week', weekly => 150",
        "'wallets:c', daily => 30",
        "'*', daily => 50",
    ] {
        call(&client, &format!("set_spending_limit({limit})")).await;
    }
    since_long_ago(&db).await;
    // From the first Wednesday of October 2030 on: less for a, more for members.
    let wednesday = "2030-10-02 00:00+07";
    for limit in ["'wallets:a', daily => 20", "'*', daily => 200"] {
        call(&client, &format!("set_spending_limit({limit}, effective_from => '{wednesday}')")).await;
    }
    let (monday, tuesday) = ("2030-09-30 12:00+07", "2030-10-01 23:59:59.999999+07");
    let thursday = "2030-10-03 12:00+07";
    let asked = [
        ("a", 100, monday, "NULL"),
        ("b", 51, monday, "spending_limit_exceeded"),
        ("c", 30, thursday, "NULL"),
        ("b", 50, monday, "NULL"),
        ("a", 21, wednesday, "spending_limit_exceeded"),
        ("a", 1, monday, "spending_limit_exceeded"),
        ("a", 20, wednesday, "NULL"),
        ("b", 51, wednesday, "NULL"),
        ("b", 150, wednesday, "spending_limit_exceeded"),
        ("c", 1, thursday, "spending_limit_exceeded"),
        ("c", 30, tuesday, "NULL"),
        // The week has 30 left, the day of Tuesday 100.
        ("a", 31, tuesday, "spending_limit_exceeded"),
        ("a", 30, tuesday, "NULL"),
        ("a", 1, thursday, "spending_limit_exceeded"),
        ("b", 149, wednesday, "NULL"),
    ];
    let items: Vec<Value> = asked.iter().map(|(wallet, amount, at, _)| item(wallet, *amount, at)).collect();
    let said = post(&client, &items).await;
    for ((line, asked), place) in said.iter().zip(&asked).zip(1..) {
        assert_eq!(&line["error"], asked.3, "{place}: {asked:?} {line:?}");
    }
    let spent = async |wallet: &str, at: &str| {
        let check = format!("check_spending_limit('wallets:{wallet}', 1, at => '{at}')");
        call(&client, &check).await["spent"].to_owned()
    };
    assert_eq!([spent("a", wednesday).await, spent("b", wednesday).await], ["20.00", "200.00"]);
    assert_eq!([spent("c", tuesday).await, spent("c", thursday).await], ["30.00", "30.00"]);
    verify_clean(&client).await;
}

/// Five hundred pupils who bought something each while the till was offline. What took the fourth power of their
/// number took hours; the bound is far above what it takes and far below that.
#[tokio::test]
async fn a_batch_costs_as_much_as_its_items() {
    const PUPILS: usize = 500;
    let (db, client) = school("wide_batch").await;
    let all = format!("FROM generate_series(1, {PUPILS}) n");
    for sql in [
        format!("SELECT wallet_ledger.open_wallet('p' || n) {all}"),
        format!(
            "SELECT wallet_ledger.post_transfers((SELECT jsonb_agg(jsonb_build_object('debit_account', 'bank',
                 'credit_account', 'wallets:p' || n, 'amount', 100, 'kind', 'topup')) {all}))"
        ),
        format!("SELECT wallet_ledger.set_spending_limit('wallets:p' || n, daily => 10) {all}"),
    ] {
        lines(&client, &sql).await;
    }
    since_long_ago(&db).await;
    let noon = chrono::Utc::now() - chrono::Duration::days(3);
    let at = |number: usize| (noon + chrono::Duration::seconds(number as i64)).to_rfc3339();
    let items: Vec<Value> = (1..=PUPILS).map(|number| item(&format!("p{number}"), 10, &at(number))).collect();
    db::execute(&client, "SET statement_timeout = '60s'").await;
    for expected in ["posted", "rejected"] {
        let said = post(&client, &items).await;
        assert!(said.iter().all(|line| &line["outcome"] == expected), "{said:?}");
    }
    // And ten thousand of one account, each at a moment of its own.
    let items: Vec<Value> = (0..10_000).map(|number| item("p1", 1, &at(number * 60))).collect();
    let said = post(&client, &items).await;
    let posted = said.iter().filter(|line| &line["outcome"] == "posted").count();
    assert!((50..=90).contains(&posted), "{posted}: ten a day for a week, and 90 in the wallet");
    verify_clean(&client).await;
}
