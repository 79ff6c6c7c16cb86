//! What a row of orders can look like: NULLs, bad values, columns of every kind, composite and partitioned
//! keys, and ledgers that the rows name.

use super::market::{BOTH, Form, Market, ORDERS, attach, findings};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::proof::assert_sound;
use wallet_ledger_tests::*;

/// What is changed in a good order before it is paid, the error, and a fact of its detail.
const BAD_ROWS: &[(&str, &str, &str, &str, &str)] = &[
    ("order_no = NULL", "missing_argument", "PT400", "column", "order_no"),
    ("buyer_id = NULL", "missing_argument", "PT400", "column", "buyer_id"),
    ("merchant_id = NULL", "missing_argument", "PT400", "column", "merchant_id"),
    ("total = NULL", "missing_argument", "PT400", "column", "total"),
    ("total = 0", "invalid_amount", "PT400", "row", "1"),
    ("total = -1", "invalid_amount", "PT400", "row", "1"),
    ("total = 'NaN'", "invalid_amount", "PT400", "row", "1"),
    ("total = 'Infinity'", "invalid_amount", "PT400", "row", "1"),
    ("total = 0.001", "invalid_amount", "PT400", "row", "1"),
    ("total = 1e30", "amount_out_of_range", "PT400", "row", "1"),
    ("total = 1000000.01", "insufficient_funds", "PT402", "account", "wallets:1"),
    ("order_no = ''", "invalid_argument", "PT400", "argument", "reference"),
    ("order_no = 'A 1'", "invalid_argument", "PT400", "argument", "reference"),
    ("order_no = 'A:1'", "invalid_argument", "PT400", "argument", "reference"),
    ("order_no = '💸'", "invalid_argument", "PT400", "argument", "reference"),
    ("order_no = repeat('x', 121)", "invalid_argument", "PT400", "argument", "reference"),
    ("buyer_id = 'nobody'", "account_not_found", "PT404", "account", "wallets:nobody"),
    ("buyer_id = '1:x'", "invalid_address", "PT400", "column", "buyer_id"),
    ("buyer_id = ''", "invalid_address", "PT400", "row", "1"),
    ("merchant_id = 99", "account_not_found", "PT404", "account", "merchants:99"),
];

#[tokio::test]
async fn a_row_that_cannot_be_paid_is_named_and_refused() {
    for form in BOTH {
        let market = Market::open("bad", form, ORDERS).await;
        market.order(1).await;
        market.order(2).await;
        for (change, token, sqlstate, fact, expected) in BAD_ROWS {
            execute(&market.clerk, "UPDATE shop.orders SET status = 'pending'").await;
            let sql = format!(
                "UPDATE shop.orders SET status = 'paid' WHERE id = 2;
                 UPDATE shop.orders SET status = 'paid', {change} WHERE id = 1"
            );
            let error = market.refused(&sql, token, sqlstate).await;
            assert_eq!(error.detail[*fact], *expected, "{change}: {error:#?}");
            assert_eq!(
                (&error.detail["table"], &error.detail["row"]),
                (&json!("shop.orders"), &json!("1")),
                "{error:#?}"
            );
            assert!(error.detail.get("position").is_none(), "{change}: {error:#?}");
        }
        call(&market.app, "freeze_account('wallets:1', 'checked')").await;
        let frozen = "UPDATE shop.orders SET status = 'paid'";
        market.refused(frozen, "account_frozen", "PT422").await;
        call(&market.app, "unfreeze_account('wallets:1', 'checked')").await;
        execute(&market.clerk, frozen).await;
        assert_sound(&market.app).await;
    }
}

#[tokio::test]
async fn nulls_that_say_nothing_pass() {
    for form in BOTH {
        let market = Market::open("nulls", form, ORDERS).await;
        // A basket that has no number yet is given up.
        let basket = "INSERT INTO shop.orders (id, status) VALUES (1, 'basket');
                      UPDATE shop.orders SET status = 'cancelled'; UPDATE shop.orders SET note = 'gone'";
        execute(&market.clerk, basket).await;
        market.refused("UPDATE shop.orders SET status = 'shipped'", "missing_argument", "PT400").await;
        // No status is none of the mapping's.
        execute(&market.dba, "ALTER TABLE shop.orders ALTER status DROP NOT NULL").await;
        market.order(2).await;
        for status in ["NULL", "'paid'", "NULL", "'shipped'", "NULL", "'delivered'", "NULL"] {
            execute(
                &market.clerk,
                &format!("UPDATE shop.orders SET status = {status}, tracking_no = ' ' WHERE id = 2"),
            )
            .await;
        }
        assert_eq!(market.escrows().await, ["A-2 released 0.00 100000.00 15000.00 0.00 0.00"]);
        let tracking = "SELECT tracking_reference FROM wallet_ledger.escrows";
        assert_eq!(value(&market.app, tracking).await, "NULL");
        let long =
            "INSERT INTO shop.orders VALUES (3, 'A-3', '1', 1, 5, NULL, repeat('x', 256), NULL, 'paid')";
        execute(&market.clerk, long).await;
        let ship = "UPDATE shop.orders SET status = 'shipped' WHERE id = 3";
        let error = market.refused(ship, "invalid_argument", "PT400").await;
        assert_eq!(error.detail["argument"], "tracking_reference");
    }
}

/// Columns of a table, the status column's paid and done values, and the values of a row before its status.
const TYPES: &[(&str, &str, &str, &str)] = &[
    (
        "id uuid PRIMARY KEY, total int, status shop.state",
        "paid",
        "done",
        "'018f0000-0000-7000-8000-00000000000a', 5000",
    ),
    ("id bigint PRIMARY KEY, total bigint, status boolean", "true", "false", "7, 5000"),
    ("id date PRIMARY KEY, total smallint, status smallint", "02", "3", "'2026-11-21', 5000"),
    ("id char(12) PRIMARY KEY, total text, status char(8)", "paid", "done", "'x-1', ' 5000.00 '"),
    ("id varchar PRIMARY KEY, total shop.rupiah, status varchar(20)", "it's \\paid", "é", "'o_1.2-A', 5000"),
    ("a int, id text, total numeric, status text, PRIMARY KEY (id, a)", "paid", "done", "1, 'k', 5000"),
];

#[tokio::test]
async fn columns_of_every_kind() {
    for form in BOTH {
        let market = Market::bare("types").await;
        execute(
            &market.dba,
            "CREATE TYPE shop.state AS ENUM ('new', 'paid', 'done'); CREATE DOMAIN shop.rupiah AS numeric(18, 2)",
        )
        .await;
        let mut references = Vec::new();
        for (columns, paid, done, values) in TYPES {
            let (paid, done) = (paid.replace('\'', "''"), done.replace('\'', "''"));
            let arguments = format!(
                "'status_column=status', 'opened={paid}', 'released={done}', 'reference={{id}}', 'buyer=wallets:2',
                 'beneficiary=merchants:2', 'amount=total', 'tracking=id'"
            );
            execute(
                &market.dba,
                &format!(
                    "DROP TABLE IF EXISTS shop.kinds; CREATE TABLE shop.kinds ({columns});
                     {}",
                    attach("shop.kinds", form, &arguments)
                ),
            )
            .await;
            let found = findings(&market.dba, "shop.kinds").await;
            assert!(found.iter().all(|line| line.starts_with("note")), "{columns}: {found:?}");
            // Nothing of the session has a say in what a row is called.
            execute(
                &market.clerk,
                &format!(
                    "SET timezone = 'America/New_York'; SET datestyle = 'SQL, DMY';
                     INSERT INTO shop.kinds VALUES ({values}, '{paid}'); SET datestyle = 'German';
                     UPDATE shop.kinds SET status = '{done}'"
                ),
            )
            .await;
            let last = "SELECT concat_ws(' ', reference, status) FROM wallet_ledger.escrows ORDER BY opened_at DESC LIMIT 1";
            references.push(value(&market.app, last).await);
        }
        assert_eq!(
            references,
            [
                "018f0000-0000-7000-8000-00000000000a released",
                "7 released",
                "2026-11-21 released",
                "x-1 released",
                "o_1.2-A released",
                "k released"
            ]
        );
        assert_eq!(posted(&market.app, "merchants:2").await, "30000.00");
    }
}

#[tokio::test]
async fn a_row_names_its_ledger() {
    let market =
        Market::open("ledgers", Form::Statement, &format!("{ORDERS}, 'ledger=school-{{note}}'")).await;
    for number in ["2", "3"] {
        let ledger = format!("school-{number}");
        call(&market.app, &format!("create_ledger('{ledger}')")).await;
        for sql in [
            "create_account('bank', 'asset'",
            "create_account('wallets:1', 'liability'",
            "create_account('merchants:1', 'liability'",
            "post_transfer('bank', 'wallets:1', 100000, 'topup'",
        ] {
            call(&market.app, &format!("{sql}, ledger => '{ledger}')")).await;
        }
    }
    for id in 1..=3 {
        market.order(id).await;
    }
    let pay =
        "UPDATE shop.orders SET note = CASE id WHEN 3 THEN '9' ELSE (id + 1)::text END, status = 'paid'";
    let error = market.refused(pay, "ledger_not_found", "PT404").await;
    assert_eq!(error.detail["row"], "3");
    execute(&market.clerk, &format!("{pay} WHERE id < 3")).await;
    let opened =
        "SELECT string_agg(ledger || ' ' || reference, ', ' ORDER BY ledger) FROM wallet_ledger.escrows";
    assert_eq!(value(&market.app, opened).await, "school-2 A-1, school-3 A-2");
    // The ledger names the escrow as much as the reference does.
    let moved = "UPDATE shop.orders SET note = '3' WHERE id = 1";
    let error = market.refused(moved, "row_key_changed", "PT409").await;
    assert_eq!(error.detail["columns"], "note");
    market.refused("UPDATE shop.orders SET status = 'paid' WHERE id = 3", "missing_argument", "PT400").await;
    // Without the argument it is the session's.
    execute(
        &market.dba,
        &format!(
            "DROP TRIGGER escrow_on_update ON shop.orders; DROP TRIGGER escrow_on_insert ON shop.orders; {}",
            attach("shop.orders", Form::Statement, ORDERS)
        ),
    )
    .await;
    let found = findings(&market.dba, "shop.orders").await;
    assert!(found.iter().all(|line| line.contains("there are 3 ledgers and it names none")), "{found:?}");
    let session = "UPDATE shop.orders SET status = 'delivered' WHERE id = 1";
    market.refused(session, "ledger_required", "PT400").await;
    execute(&market.clerk, &format!("SET wallet_ledger.ledger = 'school-2'; {session}")).await;
    let released = "SELECT ledger FROM wallet_ledger.escrows WHERE status = 'released'";
    assert_eq!(value(&market.app, released).await, "school-2");
}

#[tokio::test]
async fn orders_may_be_partitioned() {
    let market = Market::bare("partitions").await;
    execute(
        &market.dba,
        &format!(
            "CREATE TABLE shop.orders (
                 id int, city text, order_no text, buyer_id text, merchant_id int, total int, tracking_no text,
                 status text, PRIMARY KEY (id, city)) PARTITION BY LIST (city);
             CREATE TABLE shop.jkt PARTITION OF shop.orders FOR VALUES IN ('jkt');
             CREATE TABLE shop.sby (status text, tracking_no text, total int, merchant_id int, buyer_id text,
                                    order_no text, city text NOT NULL, id int NOT NULL);
             ALTER TABLE shop.orders ATTACH PARTITION shop.sby FOR VALUES IN ('sby');
             INSERT INTO shop.orders SELECT g, CASE WHEN g % 2 = 0 THEN 'jkt' ELSE 'sby' END, 'A-' || g, '1', 1,
                 1000, NULL, 'new' FROM generate_series(1, 6) g;
             {}",
            attach("shop.orders", Form::Statement, ORDERS)
        ),
    )
    .await;
    assert_eq!(findings(&market.dba, "shop.orders").await, [""; 0]);
    execute(&market.clerk, "UPDATE shop.orders SET status = 'paid' WHERE id < 6").await;
    assert_eq!(posted(&market.app, "wallets:1").await, "995000.00");
    // An order that moves keeps its reference, and so its escrow.
    execute(&market.clerk, "UPDATE shop.orders SET city = 'jkt', status = 'delivered' WHERE id IN (1, 2)")
        .await;
    assert_eq!(posted(&market.app, "merchants:1").await, "1700.00");
    let error = market
        .refused("UPDATE shop.orders SET status = 'shipped' WHERE id < 6", "escrow_closed", "PT409")
        .await;
    assert_eq!(
        (&error.detail["table"], &error.detail["row"]),
        (&json!("shop.orders"), &json!("[\"1\",\"jkt\"]"))
    );
    // Where a partition drops some of the rows that come to it, the others meet by their keys.
    execute(
        &market.dba,
        "CREATE FUNCTION shop.drop_some() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN IF NEW.id = 6 THEN RETURN NULL; END IF; RETURN NEW; END';
         CREATE TRIGGER drop_some BEFORE INSERT ON shop.sby FOR EACH ROW EXECUTE FUNCTION shop.drop_some()",
    )
    .await;
    let ship = "UPDATE shop.orders SET status = 'shipped', city = CASE id WHEN 6 THEN 'sby' ELSE city END
                WHERE id IN (3, 4, 6)";
    execute(&market.clerk, ship).await;
    let states =
        "SELECT string_agg(reference || ' ' || status, ', ' ORDER BY reference) FROM wallet_ledger.escrows";
    assert_eq!(
        value(&market.app, states).await,
        "A-1 released, A-2 released, A-3 shipped, A-4 shipped, A-5 held"
    );
    assert_sound(&market.app).await;
}
