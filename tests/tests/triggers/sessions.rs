//! Many rows and many sessions. A bulk UPDATE goes through the array engine at once: all of its transfers
//! have one time and one position in the log, which posting one by one could not give them. Sessions that
//! pay the same rows, twice, or roll back, leave exactly one transfer for each row that ends up paid.
//! Statements that post some rows and reverse others over the same accounts never wait in a circle.

use std::sync::Arc;

use futures::future::join_all;
use rand::Rng;
use rand::seq::SliceRandom;
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::proof::assert_sound;
use wallet_ledger_tests::*;

use super::shop::{ARGUMENTS, Form, attach, count, topups};

#[tokio::test]
async fn a_bulk_update_is_one_call_of_the_engine() {
    let (_db, client) = topups("bulk", Form::Statement).await;
    let fill = |from: u32, to: u32| {
        format!("INSERT INTO topups SELECT g, 1 + g % 5, g FROM generate_series({from}, {to}) g")
    };
    // More than one call of post_transfers() may have.
    execute(&client, &fill(1, 10_500)).await;
    execute(&client, "UPDATE topups SET status = 'paid'").await;
    let one =
        "SELECT concat_ws(' ', count(*), count(DISTINCT position), count(DISTINCT created_at), sum(amount))
               FROM wallet_data.transfers WHERE kind_id = ";
    assert_eq!(value(&client, &format!("{one} 2")).await, "10500 1 1 55130250.00");
    // Away and back, a change of something else: nothing more.
    execute(
        &client,
        "UPDATE topups SET status = 'x'; UPDATE topups SET status = 'paid'; UPDATE topups SET note = 'n'",
    )
    .await;
    assert_eq!(count(&client).await, "10500");
    // One statement that takes back most and posts the others, and one INSERT of many.
    execute(&client, &fill(10_501, 11_000)).await;
    execute(&client, "UPDATE topups SET status = CASE WHEN id <= 10000 THEN 'refunded' ELSE 'paid' END")
        .await;
    assert_eq!(value(&client, &format!("{one} 900")).await, "10000 1 1 50005000.00");
    assert_eq!(value(&client, &format!("{one} 2")).await, "11000 2 2 60505500.00");
    execute(&client, &fill(11_001, 12_000).replace("g, 1 + g % 5, g", "g, 1 + g % 5, g, 'paid'")).await;
    assert_eq!(value(&client, &format!("{one} 2")).await, "12000 3 3 72006000.00");
    assert_sound(&client).await;
}

#[tokio::test]
async fn a_bulk_update_fails_as_a_whole() {
    let (_db, client) = topups("whole", Form::Statement).await;
    execute(&client, "INSERT INTO topups SELECT g, CASE WHEN g = 777 THEN '99' ELSE '1' END, g FROM generate_series(1, 1000) g").await;
    let before = contents(&client).await;
    let refused = client.batch_execute("UPDATE topups SET status = 'paid'").await;
    let error = assert_error(refused, "account_not_found", "PT404");
    assert_eq!((&error.detail["row"], &error.detail["account"]), (&json!("777"), &json!("wallets:99")));
    assert_eq!(before, contents(&client).await);
    assert_eq!(value(&client, "SELECT count(*) FROM topups WHERE status = 'paid'").await, "0");
}

/// Asserts that each paid row has one transfer, and no other row has any.
async fn assert_once(client: &Client) {
    let wrong = lines(
        client,
        "SELECT r.id, r.status, count(t.id) FROM topups r
         LEFT JOIN wallet_ledger.transfers t ON t.reference = r.id::text AND t.kind = 'topup'
         GROUP BY r.id HAVING count(t.id) <> CASE r.status WHEN 'paid' THEN 1 ELSE 0 END",
    )
    .await;
    assert!(wrong.is_empty(), "{wrong:?}");
    let elsewhere = "SELECT count(*) FROM wallet_ledger.transfers t LEFT JOIN topups r ON r.id::text = t.reference WHERE r.id IS NULL";
    assert_eq!(value(client, elsewhere).await, "0");
}

#[tokio::test]
async fn fifty_sessions_pay_the_same_rows() {
    const ROWS: u32 = 60;
    let seed = Seed::from_env_or_random("triggers");
    for form in [Form::Statement, Form::Row] {
        let (db, client) = topups("fifty", form).await;
        let db = Arc::new(db);
        execute(
            &client,
            &format!("INSERT INTO topups SELECT g, 1 + g % 5, g FROM generate_series(1, {ROWS}) g"),
        )
        .await;
        let session = |number: u64| {
            let db = db.clone();
            async move {
                let mut rng = seed.rng(number);
                let client = db.connect().await;
                let mut rows: Vec<u32> = (1..=ROWS).collect();
                rows.shuffle(&mut rng);
                for row in rows.into_iter().take(25) {
                    // The last rows are only ever rolled back.
                    let pay = format!("UPDATE topups SET status = 'paid' WHERE id = {row}");
                    let sql = match rng.random_range(0..4) {
                        _ if row > ROWS - 10 => format!("BEGIN; {pay}; ROLLBACK"),
                        0 => format!("BEGIN; {pay}; ROLLBACK"),
                        1 => format!("BEGIN; {pay}; {pay}; COMMIT"),
                        2 => format!("{pay}; {pay}"),
                        _ => pay,
                    };
                    execute(&client, &sql).await;
                }
            }
        };
        join_all((0..50).map(session)).await;
        assert_once(&client).await;
        let paid = "SELECT count(*) FILTER (WHERE id <= 50) || ' ' || count(*) FILTER (WHERE id > 50) FROM topups WHERE status = 'paid'";
        assert_eq!(value(&client, paid).await, "50 0", "{form:?}");
        assert_sound(&client).await;
    }
}

#[tokio::test]
async fn a_second_session_waits_and_then_sees_what_the_first_did() {
    let (db, client) = topups("waits", Form::Statement).await;
    execute(&client, "INSERT INTO topups VALUES (1, '1', 5), (2, '2', 5)").await;
    for (end, row) in [("COMMIT", 1), ("ROLLBACK", 2)] {
        let second = db.connect().await;
        let process = backend(&second).await;
        let pay = format!("UPDATE topups SET status = 'paid' WHERE id = {row}");
        execute(&client, &format!("BEGIN; {pay}")).await;
        let waiting = {
            let pay = pay.clone();
            tokio::spawn(async move { execute(&second, &pay).await })
        };
        until_blocked(&db.connect().await, &process).await;
        execute(&client, end).await;
        waiting.await.unwrap();
    }
    assert_once(&client).await;
    assert_eq!(count(&client).await, "2");
}

#[tokio::test]
async fn statements_that_post_and_reverse_never_wait_in_a_circle() {
    const SESSIONS: u32 = 8;
    const ROWS: u32 = 3;
    let seed = Seed::from_env_or_random("triggers");
    let (db, client) = topups("circle", Form::Statement).await;
    let db = Arc::new(db);
    // The debit side is a wallet too, so that every session posts and reverses among the same few.
    let arguments = ARGUMENTS.replace("banks:bca:1", "wallets:{note}");
    execute(
        &client,
        &format!(
            "DROP TRIGGER posted_on_update ON topups; DROP TRIGGER posted_on_insert ON topups; {}",
            attach("topups", Form::Statement, &arguments)
        ),
    )
    .await;
    for wallet in 1..=5 {
        call(&client, &format!("post_transfer('banks:bca:1', 'wallets:{wallet}', 1000000)")).await;
    }
    let session = |number: u32| {
        let db = db.clone();
        async move {
            let mut rng = seed.rng(number.into());
            let client = db.connect().await;
            let first = number * 10_000;
            for round in 0..if long() { 1000 } else { 100 } {
                let from = first + round * ROWS;
                // Each round has its own two wallets, so that what is posted and what is taken back lie apart.
                let debit = rng.random_range(1..=5);
                let credit = 1 + (debit + rng.random_range(0..4)) % 5;
                let sql = format!(
                    "INSERT INTO topups SELECT g, {credit}, 1, 'new', {debit}
                         FROM generate_series({from}, {from} + {ROWS} - 1) g;
                     UPDATE topups SET status = CASE status WHEN 'new' THEN 'paid' ELSE 'refunded' END
                         WHERE id BETWEEN {from} - {ROWS} AND {from} + {ROWS} - 1 AND id >= {first}"
                );
                execute(&client, &sql).await;
            }
        }
    };
    join_all((1..=SESSIONS).map(session)).await;
    let wrong = "SELECT count(*) FROM topups r WHERE (SELECT count(*) FROM wallet_ledger.transfers t WHERE t.reference = r.id::text)
                 <> CASE r.status WHEN 'paid' THEN 1 ELSE 2 END";
    assert_eq!(value(&client, wrong).await, "0");
    assert_sound(&client).await;
}

#[tokio::test]
async fn every_isolation_level() {
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let (_db, client) = topups("levels", Form::Statement).await;
        execute(
            &client,
            &format!(
                "BEGIN ISOLATION LEVEL {level}; INSERT INTO topups VALUES (1, '1', 5, 'paid'), (2, '2', 5, 'new');
                 UPDATE topups SET status = 'paid'; SAVEPOINT s; UPDATE topups SET status = 'refunded'; ROLLBACK TO s;
                 UPDATE topups SET status = 'refunded' WHERE id = 1; COMMIT"
            ),
        )
        .await;
        assert_eq!(count(&client).await, "3", "{level}");
        assert_sound(&client).await;
    }
}

/// A wallet that is opened while a statement waits for another one is locked in its place, not after the other.
#[tokio::test]
async fn an_account_made_while_a_statement_waited_is_locked_in_the_one_order() {
    let (db, client) = topups("late", Form::Statement).await;
    call(&client, "open_wallet('z')").await;
    call(&client, "create_account('cash', 'asset')").await;
    execute(&client, "INSERT INTO topups VALUES (1, 'z', 5, 'paid'), (2, 'm', 5, 'new')").await;
    let (slow, changing, paying) = (db.connect().await, db.connect().await, db.app().await);
    let waiting = [backend(&changing).await, backend(&paying).await];
    execute(&slow, "BEGIN; SELECT FROM wallet_data.accounts WHERE address = 'wallets:z' FOR UPDATE").await;
    // One row is taken back and the other posted, to a wallet that is not there yet.
    let change = "UPDATE topups SET status = CASE id WHEN 1 THEN 'refunded' ELSE 'paid' END";
    let then = async {
        until_blocked(&client, &waiting[0]).await;
        call(&client, "open_wallet('m')").await;
        call(&client, "post_transfer('cash', 'wallets:m', 10)").await;
        let release = async {
            until_blocked(&client, &waiting[1]).await;
            execute(&slow, "COMMIT").await;
        };
        tokio::join!(call(&paying, "post_transfer('wallets:m', 'wallets:z', 1)"), release);
    };
    tokio::join!(execute(&changing, change), then);
    let balances = [posted(&client, "wallets:m").await, posted(&client, "wallets:z").await];
    assert_eq!(balances, ["14.00", "1.00"]);
    assert_sound(&client).await;
}
