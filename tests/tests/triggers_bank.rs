//! Proves that a row in an application's staging table pays an intent, and that the paid intent marks the
//! application's order, in one transaction; and that neither direction lends anybody the other's rights.
//!
//! Here: the whole loop and what undoes it, many rows and many sessions. `staging`: what a row of a staging
//! table can look like, and what is refused. `marking`: which rows an intent marks, and when a payment
//! fails. `rights`: whose rights the code of an application runs with. `definitions`: triggers that do not
//! fit. `operations`: install(), doctor(), dump and restore.

#[path = "triggers_bank/counter.rs"]
mod counter;
#[path = "triggers_bank/definitions.rs"]
mod definitions;
#[path = "triggers_bank/marking.rs"]
mod marking;
#[path = "triggers_bank/operations.rs"]
mod operations;
#[path = "triggers_bank/rights.rs"]
mod rights;
#[path = "triggers_bank/staging.rs"]
mod staging;

use std::sync::Arc;

use counter::{Shop, findings, insert, row};
use futures::future::join_all;
use wallet_ledger_tests::bank::{
    assert_bank_sound, credit, deliver, intent_now, match_line, mutation_now, one,
};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

#[tokio::test]
async fn a_row_in_a_staging_table_pays_the_order() {
    let shop = Shop::open("loop").await;
    assert_eq!(findings(&shop.dba, "shop.mutations").await, [""; 0]);
    assert_eq!(findings(&shop.dba, "shop.bodies").await, [""; 0]);
    assert_eq!(findings(&shop.dba, "wallet_data.intents").await, [""; 0]);
    let intent = shop.order(1, 100_000).await;
    shop.order(2, 100_000).await;
    let before = contents(&shop.app).await;
    // Rolled back, nothing has happened on either side.
    let pay = insert(&[row("m1", &intent["total"])]);
    execute(&shop.edge, &format!("BEGIN; {pay}; SAVEPOINT s; ROLLBACK TO s; ROLLBACK")).await;
    assert_eq!(shop.orders().await, "1 unpaid, 2 unpaid");
    assert_eq!(contents(&shop.app).await, before);
    // Committed, all of it has, in one transaction.
    execute(&shop.edge, &pay).await;
    assert_eq!(shop.orders().await, "1 paid, 2 unpaid");
    let transactions = "SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM shop.orders WHERE id = 1
        UNION ALL SELECT xmin FROM shop.mutations UNION ALL SELECT xmin FROM wallet_data.mutations
        UNION ALL SELECT xmin FROM wallet_data.intents WHERE state_id = 4) AS written";
    assert_eq!(shop.value(transactions).await, "1");
    assert_eq!(shop.taken().await, "m1 matched");
    assert_eq!(posted(&shop.app, "shop").await, "100000.00");
    // The same again, as another row, and from the webhook: a duplicate, and nothing more.
    execute(&shop.edge, &insert(&[row("m1", &intent["total"])])).await;
    assert_eq!(&match_line(&shop.app, &credit("m1", &intent["total"])).await["outcome"], "duplicate");
    assert_eq!(posted(&shop.app, "shop").await, "100000.00");
    // Taken back, the order is unpaid again; matched by hand, it is paid again.
    let mutation = mutation_now(&shop.app, "m1").await;
    call(&shop.app, &format!("unmatch_mutation('{}', 'wrong order')", &mutation["id"])).await;
    assert_eq!(shop.orders().await, "1 unpaid, 2 unpaid");
    let by_hand =
        format!("match_mutation_by_hand('{}', '{}', 'right after all')", &mutation["id"], &intent["id"]);
    call(&shop.app, &by_hand).await;
    assert_eq!(shop.orders().await, "1 paid, 2 unpaid");
    assert_eq!(&intent_now(&shop.app, &intent["id"]).await["status"], "paid");
    assert_bank_sound(&shop.app).await;
}

#[tokio::test]
async fn two_hundred_lines_pay_their_orders_with_one_update() {
    let shop = Shop::open("batch").await;
    execute(
        &shop.dba,
        "CREATE TABLE shop.firings (rows bigint); GRANT INSERT ON shop.firings TO PUBLIC;
         CREATE FUNCTION shop.fired() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO shop.firings SELECT count(*) FROM n; RETURN NULL; END';
         CREATE TRIGGER fired AFTER UPDATE ON shop.orders REFERENCING NEW TABLE AS n
             FOR EACH STATEMENT EXECUTE FUNCTION shop.fired()",
    )
    .await;
    let mut batch = Vec::new();
    let mut rows = Vec::new();
    for id in 1..=400 {
        let intent = shop.order(id, 50_000 + 1_000 * id as u32).await;
        if id <= 200 {
            batch.push(credit(&format!("w{id}"), &intent["total"]));
        } else {
            rows.push(row(&format!("s{id}"), &intent["total"]));
        }
    }
    assert_eq!(&deliver(&shop.app, &batch).await["matched_count"], "200");
    let paid = "SELECT count(*) FILTER (WHERE status = 'paid') FROM shop.orders";
    let firings = "SELECT string_agg(rows::text, ' ') FROM shop.firings";
    assert_eq!((shop.value(paid).await, shop.value(firings).await), ("200".into(), "200".into()));
    execute(&shop.edge, &insert(&rows)).await;
    assert_eq!((shop.value(paid).await, shop.value(firings).await), ("400".into(), "200 200".into()));
    assert_bank_sound(&shop.app).await;
}

#[tokio::test]
async fn thirty_sessions_insert_the_same_mutation() {
    let shop = Shop::open("sessions").await;
    let mut rows = Vec::new();
    for id in 1..=5 {
        let intent = shop.order(id, 100_000).await;
        rows.push(row(&format!("m{id}"), &intent["total"]));
    }
    let (db, rows) = (Arc::new(shop.db), Arc::new(rows));
    let edge = value(&shop.edge, "SELECT current_user").await;
    let session = |number: usize| {
        let (db, rows, edge) = (db.clone(), rows.clone(), edge.clone());
        async move {
            let client = db.connect_as(&edge).await;
            let mut order: Vec<String> = rows.to_vec();
            order.rotate_left(number % 5);
            if number.is_multiple_of(2) {
                execute(&client, &insert(&order)).await;
            } else {
                for row in order {
                    execute(&client, &insert(&[row])).await;
                }
            }
        }
    };
    join_all((0..30).map(session)).await;
    let staged = value(&shop.dba, "SELECT count(*) FROM shop.mutations").await;
    assert_eq!(staged, "150");
    assert_eq!(value(&shop.app, "SELECT count(*) FROM wallet_ledger.mutations").await, "5");
    assert_eq!(posted(&shop.app, "shop").await, "500000.00");
    let all = value(&shop.dba, "SELECT string_agg(DISTINCT status, ' ') FROM shop.orders").await;
    assert_eq!(all, "paid");
    assert_bank_sound(&shop.app).await;
}

#[tokio::test]
async fn ten_thousand_rows_are_one_call_of_the_engine() {
    let shop = Shop::open("bulk").await;
    let intent = shop.order(1, 100_000).await;
    execute(
        &shop.dba,
        &format!(
            "INSERT INTO shop.mutations (id, account_number, date, amount, description, type)
             SELECT 'b' || g, '1000000001', now() AT TIME ZONE 'Asia/Jakarta',
                    CASE g WHEN 7777 THEN {} ELSE 1000000 + g END, 'bulk', CASE g % 10 WHEN 0 THEN 'DB' ELSE 'CR' END
             FROM generate_series(1, 10500) g",
            &intent["total"]
        ),
    )
    .await;
    let counts = one(
        &shop.app,
        "SELECT count(*) AS all, count(*) FILTER (WHERE status = 'matched') AS matched,
                count(*) FILTER (WHERE status = 'ignored') AS ignored, count(DISTINCT created_at) AS calls
         FROM wallet_ledger.mutations",
    )
    .await;
    assert_eq!(counts.pick(["all", "matched", "ignored", "calls"]), ["10500", "1", "1050", "1"]);
    assert_eq!(shop.orders().await, "1 paid");
    assert_bank_sound(&shop.app).await;
}

#[tokio::test]
async fn an_orders_own_trigger_moves_money_in_the_same_statement() {
    let shop = Shop::open("chain").await;
    execute(
        &shop.dba,
        "CREATE TRIGGER settled AFTER UPDATE ON shop.orders REFERENCING OLD TABLE AS o NEW TABLE AS n
             FOR EACH STATEMENT EXECUTE FUNCTION wallet_ledger.post_on_status_change(
                 'status', 'paid', 'shop', 'wallets:c', 'total', 'settlement', 'unpaid')",
    )
    .await;
    let intent = shop.order(1, 100_000).await;
    execute(&shop.edge, &insert(&[row("m1", &intent["total"])])).await;
    assert_eq!(posted(&shop.app, "wallets:c").await, "100000.00");
    assert_eq!(posted(&shop.app, "shop").await, "0.00");
    let mutation = mutation_now(&shop.app, "m1").await;
    call(&shop.app, &format!("unmatch_mutation('{}', 'a mistake')", &mutation["id"])).await;
    assert_eq!(posted(&shop.app, "wallets:c").await, "0.00");
    assert_eq!(shop.orders().await, "1 unpaid");
    assert_bank_sound(&shop.app).await;
    // What the inner call refuses is the error of the outer one, with its own SQLSTATE and detail.
    execute(&shop.dba, "UPDATE shop.orders SET total = 100; INSERT INTO shop.orders VALUES (2, 999999999)")
        .await;
    call(&shop.app, "freeze_account('wallets:c', 'checked')").await;
    let second = shop.intent("order", 50_000, "'2'").await;
    let before = contents(&shop.app).await;
    let refused = shop.edge.batch_execute(&insert(&[row("m2", &second["total"])])).await;
    let error = assert_error(refused, "account_frozen", "PT422");
    assert_eq!((&error.detail["account"], &error.detail["row"]), (&json!("wallets:c"), &json!("2")));
    assert_eq!(contents(&shop.app).await, before);
}
