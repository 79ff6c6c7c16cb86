//! Proves that an order's status and its escrow cannot disagree: what the status asks for is done in the same
//! statement, and what the escrow's state forbids makes the statement fail, with nothing moved.
//!
//! Here: the whole life of an order by UPDATEs alone, under triggers per statement and per row, every
//! forbidden move, and the rights of who changes the row. `rows`: what a row can look like. `definitions`:
//! triggers that do not fit. `sessions`: many rows and many sessions. `chain`: from the bank's report over the
//! paid intent and the paid order to the escrow.

#[path = "triggers_escrow/chain.rs"]
mod chain;
#[path = "triggers_escrow/definitions.rs"]
mod definitions;
#[path = "triggers_escrow/market.rs"]
mod market;
#[path = "triggers_escrow/rows.rs"]
mod rows;
#[path = "triggers_escrow/sessions.rs"]
mod sessions;

use market::{BOTH, Form, LINES, Market, ORDERS, TABLE, attach, findings};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::proof::assert_sound;
use wallet_ledger_tests::*;

#[tokio::test]
async fn the_life_of_an_order_by_updates_alone() {
    for form in BOTH {
        let market = Market::open("life", form, ORDERS).await;
        assert_eq!(findings(&market.dba, "shop.orders").await, [""; 0], "{form:?}");
        market.order(1).await;
        assert_eq!(market.escrows().await, [""; 0]);
        for (status, escrow) in [
            ("review", ""),
            ("paid", "A-1 held 100000.00 0.00 0.00 0.00 0.00"),
            ("paid", "A-1 held 100000.00 0.00 0.00 0.00 0.00"),
            ("packed", "A-1 held 100000.00 0.00 0.00 0.00 0.00"),
            ("shipped", "A-1 shipped 100000.00 0.00 0.00 0.00 0.00"),
            ("shipped", "A-1 shipped 100000.00 0.00 0.00 0.00 0.00"),
            ("delivered", "A-1 released 0.00 100000.00 15000.00 0.00 0.00"),
            ("reviewed", "A-1 released 0.00 100000.00 15000.00 0.00 0.00"),
        ] {
            let sql = format!("UPDATE shop.orders SET status = '{status}', tracking_no = 'JNE-1'");
            execute(&market.clerk, &sql).await;
            assert_eq!(market.escrows().await.concat(), escrow, "{form:?}, to {status}");
        }
        assert_eq!(posted(&market.app, "wallets:1").await, "900000.00");
        assert_eq!(posted(&market.app, "merchants:1").await, "85000.00");
        let facts = "SELECT concat_ws('; ', tracking_reference, release_due_at - shipped_at, buyer_account)
                     FROM wallet_ledger.escrows WHERE reference = 'A-1'";
        // The clock stops with the release.
        assert_eq!(value(&market.app, facts).await, "JNE-1; wallets:1");
        let said = "SELECT string_agg(concat_ws(' ', action, reason), ', ' ORDER BY id) FROM wallet_ledger.escrow_actions";
        assert_eq!(
            value(&market.app, said).await,
            "open_escrow, mark_shipped, release_escrow row 1 of shop.orders: status became delivered"
        );
        // The order comes back: from merchant and platform, as it was paid.
        market.must_set(1, "cancelled").await;
        assert_eq!(market.escrows().await, ["A-1 refunded 0.00 100000.00 15000.00 0.00 100000.00"]);
        for (account, balance) in [("wallets:1", "1000000.00"), ("merchants:1", "0.00")] {
            assert_eq!(posted(&market.app, account).await, balance, "{account}");
        }
        assert_sound(&market.app).await;
    }
}

#[tokio::test]
async fn other_lives() {
    for form in BOTH {
        let market = Market::open("lives", form, ORDERS).await;
        // Cancelled before it was paid, cancelled after; delivered without having been shipped.
        for (id, statuses, escrow) in [
            (1, &["cancelled", "pending", "cancelled"][..], ""),
            (2, &["paid", "cancelled"], "A-2 refunded 0.00 0.00 0.00 100000.00 0.00"),
            (3, &["paid", "shipped", "cancelled"], "A-3 refunded 0.00 0.00 0.00 100000.00 0.00"),
            (4, &["paid", "delivered"], "A-4 released 0.00 100000.00 15000.00 0.00 0.00"),
            (5, &["cancelled", "paid"], "A-5 held 100000.00 0.00 0.00 0.00 0.00"),
        ] {
            market.order(id).await;
            for status in statuses {
                market.must_set(id, status).await;
            }
            let found =
                market.escrows().await.into_iter().filter(|line| line.starts_with(&format!("A-{id} ")));
            assert_eq!(found.collect::<String>(), escrow, "{form:?}");
        }
        // Inserted as paid, and by an upsert that comes twice.
        let upsert = "INSERT INTO shop.orders (id, order_no, buyer_id, merchant_id, total, status)
                      VALUES (6, 'A-6', '2', 2, 50000, 'paid')
                      ON CONFLICT (id) DO UPDATE SET status = excluded.status";
        execute(&market.clerk, upsert).await;
        execute(&market.clerk, upsert).await;
        assert_eq!(posted(&market.app, "wallets:2").await, "950000.00");
        // What the function has opened, the row goes on with.
        let lines = r#"'[{"beneficiary": "merchants:3", "amount": 7000}]'"#;
        call(&market.app, &format!("open_escrow('A-7', 'wallets:3', {lines})")).await;
        market.order(7).await;
        market.must_set(7, "delivered").await;
        assert_eq!(posted(&market.app, "merchants:3").await, "7000.00");
        assert_sound(&market.app).await;
    }
}

#[tokio::test]
async fn an_order_that_is_opened_rolled_back_and_opened_again() {
    let market = Market::open("rollback", Form::Statement, ORDERS).await;
    market.order(1).await;
    let before = contents(&market.app).await;
    let pay = "UPDATE shop.orders SET status = 'paid'";
    execute(&market.clerk, &format!("BEGIN; {pay}; ROLLBACK")).await;
    execute(&market.clerk, &format!("BEGIN; SAVEPOINT s; {pay}; ROLLBACK TO s; COMMIT")).await;
    assert_eq!((contents(&market.app).await, market.status(1).await), (before, "pending".to_owned()));
    // All of its life in one transaction.
    let life = ["shipped", "delivered"].map(|status| format!("UPDATE shop.orders SET status = '{status}'"));
    execute(&market.clerk, &format!("BEGIN; {pay}; {}; COMMIT", life.join("; "))).await;
    assert_eq!(market.escrows().await, ["A-1 released 0.00 100000.00 15000.00 0.00 0.00"]);
    assert_sound(&market.app).await;
}

/// What has happened to an order, the status that is forbidden then, and the error.
const FORBIDDEN: &[(&[&str], &str, &str, &str)] = &[
    (&[], "shipped", "escrow_not_found", "PT404"),
    (&[], "delivered", "escrow_not_found", "PT404"),
    (&["paid", "pending"], "paid", "already_exists", "PT409"),
    (&["paid", "shipped"], "paid", "already_exists", "PT409"),
    (&["paid", "cancelled"], "paid", "already_exists", "PT409"),
    (&["paid", "shipped", "pending"], "shipped", "already_shipped", "PT409"),
    (&["paid", "delivered"], "shipped", "escrow_closed", "PT409"),
    (&["paid", "delivered", "pending"], "delivered", "escrow_closed", "PT409"),
    (&["paid", "cancelled"], "shipped", "escrow_closed", "PT409"),
    (&["paid", "cancelled"], "delivered", "escrow_closed", "PT409"),
    (&["paid", "cancelled", "pending"], "cancelled", "escrow_closed", "PT409"),
    (&["paid", "disputed"], "shipped", "escrow_disputed", "PT422"),
    (&["paid", "disputed"], "delivered", "escrow_disputed", "PT422"),
    (&["paid", "shipped", "disputed"], "delivered", "escrow_disputed", "PT422"),
    (&["paid", "shipped", "disputed"], "cancelled", "escrow_disputed", "PT422"),
    (&["paid", "delivered", "spent"], "cancelled", "insufficient_funds", "PT402"),
];

#[tokio::test]
async fn a_forbidden_move_fails_and_moves_nothing() {
    for form in BOTH {
        let market = Market::open("forbidden", form, ORDERS).await;
        call(&market.app, "post_transfer('bank', 'wallets:1', 9000000, 'topup')").await;
        for (number, (past, status, token, sqlstate)) in (1..).zip(FORBIDDEN) {
            market.order(number).await;
            for step in *past {
                let escrow = format!("(SELECT id FROM wallet_ledger.escrows WHERE reference = 'A-{number}')");
                if *step == "disputed" {
                    call(&market.app, &format!("open_dispute({escrow}, 'buyer', 'it came broken')")).await;
                }
                if *step == "spent" {
                    let all = posted(&market.app, "merchants:1").await;
                    call(&market.app, &format!("post_transfer('merchants:1', 'bank', {all}, 'payout')"))
                        .await;
                }
                market.must_set(number, step).await;
            }
            // With another row that could go its way.
            let other = 1_000 + number;
            market.order(other).await;
            let sql = format!(
                "UPDATE shop.orders SET status = CASE id WHEN {number} THEN '{status}' ELSE 'paid' END
                 WHERE id IN ({number}, {other})"
            );
            let error = market.refused(&sql, token, sqlstate).await;
            let row = number.to_string();
            assert_eq!(error.detail["table"], "shop.orders", "{error:#?}");
            assert_eq!(error.detail["row"], row.as_str(), "{past:?} {error:#?}");
            assert!(error.message.starts_with(&format!("row {row} of shop.orders: ")), "{error:#?}");
            assert_eq!(market.status(other).await, "pending");
        }
        assert_sound(&market.app).await;
    }
}

#[tokio::test]
async fn whoever_may_change_the_order_needs_no_right_on_the_ledger() {
    let market = Market::open("rights", Form::Statement, ORDERS).await;
    market.order(1).await;
    market.must_set(1, "paid").await;
    for sql in [
        "SELECT * FROM wallet_ledger.escrows",
        "SELECT wallet_ledger.check_trigger('shop.orders')",
        "SELECT wallet_ledger.release_escrow(NULL)",
        "CREATE TABLE pg_temp.orders (id int PRIMARY KEY, status text)",
    ] {
        let refused = try_lines(&market.clerk, sql).await;
        if sql.starts_with("SELECT") {
            assert_eq!(sql_error(&refused.unwrap_err()).sqlstate, "42501", "{sql}");
        }
    }
    // Nor can it attach the function to a table of its own.
    let own = attach("pg_temp.orders", Form::Row, ORDERS);
    assert_eq!(sql_error(&market.clerk.batch_execute(&own).await.unwrap_err()).sqlstate, "42501");
    // Who did it is written down: the one who is logged in, or whom the application names.
    execute(&market.clerk, "SET wallet_ledger.actor = 'clerk-7'").await;
    market.must_set(1, "delivered").await;
    let actor = "SELECT actor FROM wallet_ledger.escrow_actions WHERE action = 'release_escrow'";
    assert_eq!(value(&market.app, actor).await, "clerk-7");
    // A role that may not change the order moves nothing.
    let role = market.db.role("reader", "").await;
    let reader = market.db.connect_as(&role).await;
    let refused = reader.batch_execute("UPDATE shop.orders SET status = 'cancelled'").await;
    assert_eq!(sql_error(&refused.unwrap_err()).sqlstate, "42501");
}

#[tokio::test]
async fn a_reference_is_kept_while_it_stands_for_an_escrow() {
    for form in BOTH {
        let market = Market::open("reference", form, ORDERS).await;
        market.order(1).await;
        // Before it is paid, and with the payment, an order may get another number.
        execute(&market.clerk, "UPDATE shop.orders SET order_no = 'B-1'").await;
        execute(&market.clerk, "UPDATE shop.orders SET order_no = 'C-1', status = 'paid'").await;
        for change in ["order_no = 'D-1'", "order_no = 'D-1', status = 'pending'", "order_no = NULL"] {
            let sql = format!("UPDATE shop.orders SET {change}");
            let error = market.refused(&sql, "row_key_changed", "PT409").await;
            assert_eq!(
                (&error.detail["columns"], &error.detail["row"]),
                (&json!("order_no"), &json!("1")),
                "{error:#?}"
            );
        }
        // Everything else may change: the escrow keeps what it was opened with.
        execute(
            &market.clerk,
            "UPDATE shop.orders SET id = 5, total = 1, buyer_id = '9', merchant_id = 9, note = 'n'",
        )
        .await;
        market.must_set(5, "delivered").await;
        assert_eq!(market.escrows().await, ["C-1 released 0.00 100000.00 15000.00 0.00 0.00"]);
        assert_eq!(posted(&market.app, "merchants:1").await, "85000.00");
    }
}

#[tokio::test]
async fn lines_in_a_column() {
    for form in BOTH {
        let market = Market::open("lines", form, LINES).await;
        assert_eq!(findings(&market.dba, "shop.orders").await, [""; 0]);
        let lines = r#"'[{"beneficiary": "merchants:1", "amount": 85000, "fee": "merchant_commission"},
                         {"beneficiary": "merchants:2", "amount": "15000", "fee": "delivery_platform_share"}]'"#;
        let insert = |id: u32, lines: &str| {
            format!(
                "INSERT INTO shop.orders (id, order_no, buyer_id, total, lines, status)
                 VALUES ({id}, 'A-{id}', '1', 100000, {lines}, 'paid')"
            )
        };
        execute(&market.clerk, &insert(1, lines)).await;
        market.must_set(1, "delivered").await;
        assert_eq!(posted(&market.app, "merchants:1").await, "72250.00");
        assert_eq!(posted(&market.app, "merchants:2").await, "12000.00");
        for (lines, token, sqlstate, fact) in [
            ("NULL", "missing_argument", "PT400", ("column", json!("lines"))),
            ("'[]'", "invalid_argument", "PT400", ("argument", json!("lines"))),
            ("'{}'", "invalid_json", "PT400", ("argument", json!("lines"))),
            ("'null'", "invalid_json", "PT400", ("argument", json!("lines"))),
            ("'[1]'", "invalid_json", "PT400", ("position", json!(1))),
            (r#"'[{"seller": "x"}]'"#, "unknown_field", "PT400", ("field", json!("seller"))),
            (
                r#"'[{"beneficiary": "merchants:1", "amount": 100000}, {"beneficiary": "nobody", "amount": 1}]'"#,
                "account_not_found",
                "PT404",
                ("position", json!(2)),
            ),
            (
                r#"'[{"beneficiary": "merchants:1", "amount": 99999}]'"#,
                "lines_mismatch",
                "PT422",
                ("total", json!("99999.00")),
            ),
            (
                r#"'[{"beneficiary": "wallets:1", "amount": 100000}]'"#,
                "same_account",
                "PT400",
                ("account", json!("wallets:1")),
            ),
        ] {
            let error = market.refused(&insert(2, lines), token, sqlstate).await;
            assert_eq!((&error.detail[fact.0], &error.detail["row"]), (&fact.1, &json!("2")), "{error:#?}");
        }
        assert_sound(&market.app).await;
    }
}

#[tokio::test]
async fn the_clock_and_the_order() {
    let arguments = format!("{ORDERS}, 'auto_release_after=0 seconds'");
    let market = Market::open("clock", Form::Statement, &arguments).await;
    market.order(1).await;
    market.must_set(1, "paid").await;
    market.must_set(1, "shipped").await;
    call(&market.app, "release_due_escrows()").await;
    assert_eq!(market.escrows().await, ["A-1 released 0.00 100000.00 15000.00 0.00 0.00"]);
    // The money has gone by itself, so there is nothing for `delivered` to release; another word says so.
    let late = "UPDATE shop.orders SET status = 'delivered'";
    assert_eq!(market.refused(late, "escrow_closed", "PT409").await.detail["status"], "released");
    market.must_set(1, "completed").await;
    // Without the argument it is a week.
    execute(
        &market.dba,
        &format!("DROP TABLE shop.orders; {TABLE} {}", attach("shop.orders", Form::Statement, ORDERS)),
    )
    .await;
    market.order(2).await;
    market.must_set(2, "paid").await;
    market.must_set(2, "shipped").await;
    let week = "SELECT release_due_at - shipped_at FROM wallet_ledger.escrows WHERE reference = 'A-2'";
    assert_eq!(value(&market.app, week).await, "7 days");
}
