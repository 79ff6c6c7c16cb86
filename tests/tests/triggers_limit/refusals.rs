//! What the limits refuse, as a row and as a payment.

use crate::{ARGUMENTS, FORM, attach, count, orders};
use futures::future::join_all;
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

/// An order of `wallets:a`; `more` are values for shop, kind and made_at.
fn order(total: &str, more: &str) -> String {
    format!("INSERT INTO public.orders (member, total, shop, kind, made_at) VALUES ('a', {total}, {more})")
}

const PLAIN: &str = "'canteen', 'food', NULL";

/// The payment of an order, as an application makes it.
fn payment(total: &str) -> String {
    format!("SELECT wallet_ledger.post_transfer('wallets:a', 'shops:canteen', {total}, 'payment')")
}

/// [`orders`] with the trigger, a merchant, and money enough that only limits refuse.
async fn limited(test: &str, limit: &str) -> (TestDb, Client, Client) {
    away_from_midnight().await;
    let (db, dba, client) = orders(test).await;
    away_from_midnight().await;
    attach(&dba, FORM, ARGUMENTS).await;
    call(&client, "create_account('shops:canteen', 'liability')").await;
    call(&client, "post_transfer('bank', 'wallets:a', 1000000, 'topup')").await;
    call(&client, &format!("set_spending_limit('wallets:a', {limit})")).await;
    (db, dba, client)
}

#[track_caller]
fn assert_limited(result: Result<(), tokio_postgres::Error>, reason: &str) -> Value {
    let error = assert_error(result, "spending_limit_exceeded", "PT422");
    assert_eq!(error.detail["reason"], reason, "{error:#?}");
    error.detail
}

#[tokio::test]
async fn an_order_beyond_the_limit_is_refused_and_named() {
    let (_db, dba, client) = limited("refused", "daily => 50000").await;
    execute(&dba, &order("50000", PLAIN)).await;
    let detail = assert_limited(dba.batch_execute(&order("50000.01", PLAIN)).await, "daily");
    assert_eq!((&detail["table"], &detail["row"]), (&json!("public.orders"), &json!("2")));
    assert_eq!((&detail["remaining"], &detail["amount"]), (&json!("50000.00"), &json!("50000.01")));
    // What was paid and what is promised counts; an order alone does not.
    execute(&dba, &payment("20000")).await;
    let hold =
        "hold_funds('wallets:a', 10000, 'shops:canteen', now() + interval '1 hour', kind => 'payment')";
    call(&client, hold).await;
    execute(&dba, &order("20000", PLAIN)).await;
    execute(&dba, &order("20000", PLAIN)).await;
    let detail = assert_limited(dba.batch_execute(&order("20000.01", PLAIN)).await, "daily");
    assert_eq!((&detail["spent"], &detail["held"]), (&json!("20000.00"), &json!("10000.00")));
    // A whole statement is refused with its one row that is.
    let many = "INSERT INTO public.orders (member, total) SELECT 'a', g * 5000 FROM generate_series(1, 5) g";
    assert_limited(dba.batch_execute(many).await, "daily");
    assert_eq!(count(&dba).await, "3");
    // Another member has no limit.
    execute(&dba, "INSERT INTO public.orders (member, total) VALUES ('b', 1000000)").await;
    verify_clean(&client).await;
}

/// Each alone fits, both together do not: the rows pass, the payments do not.
#[tokio::test]
async fn rows_are_judged_alone_and_their_payments_together() {
    let (_db, dba, client) = limited("alone", "daily => 50000").await;
    let two = "INSERT INTO public.orders (member, total) VALUES ('a', 30000), ('a', 30000)";
    execute(&dba, &format!("BEGIN; {two}; {}", payment("30000"))).await;
    assert_limited(dba.batch_execute(&payment("30000")).await, "daily");
    execute(&dba, "ROLLBACK").await;
    assert_eq!(count(&dba).await, "0");
    // Row and payment, row and payment: the second row knows of the first payment.
    execute(&dba, &format!("BEGIN; {}; {}", order("30000", PLAIN), payment("30000"))).await;
    assert_limited(dba.batch_execute(&order("30000", PLAIN)).await, "daily");
    execute(&dba, "ROLLBACK").await;
    assert_eq!(books::posted(&client, "shops:canteen").await, "0");
}

#[tokio::test]
async fn windows_merchants_categories_and_methods_are_the_rows() {
    let (_db, dba, client) = limited("scopes", "per_transaction => 100000").await;
    execute(&dba, "ALTER TABLE public.orders ADD known_by text").await;
    attach(&dba, FORM, &format!("{ARGUMENTS}, 'method=known_by'")).await;
    let tomorrow = |clock: &str| {
        format!(
            "((now() AT TIME ZONE 'Asia/Jakarta')::date + 1 + time '{clock}') AT TIME ZONE 'Asia/Jakarta'"
        )
    };
    let is = async |values: &str, known_by: &str| {
        let columns = "member, total, shop, kind, made_at, known_by";
        let sql = format!("INSERT INTO public.orders ({columns}) VALUES ('a', {values}, {known_by})");
        dba.batch_execute(&sql).await
    };
    for (limit, passes, refused, reason) in [
        (
            r#"windows => '[{"from": "07:00", "to": "15:00"}]'"#,
            format!("1, NULL, NULL, {}", tomorrow("14:59:59.999999")),
            format!("1, NULL, NULL, {}", tomorrow("15:00")),
            "window",
        ),
        (
            r#"merchants => '{"deny": ["shops:kiosk"]}'"#,
            "1, 'canteen', NULL, NULL".to_owned(),
            "1, 'kiosk', NULL, NULL".to_owned(),
            "merchant",
        ),
        (
            r#"categories => '{"deny": ["drinks"]}'"#,
            "1, NULL, 'food', NULL".to_owned(),
            "1, NULL, 'drinks', NULL".to_owned(),
            "category",
        ),
    ] {
        call(&client, &format!("set_spending_limit('wallets:a', {limit})")).await;
        let passed = is(&passes, "NULL").await;
        passed.unwrap_or_else(|e| panic!("{passes}: {}", cluster::explain(&e)));
        assert_limited(is(&refused, "NULL").await, reason);
    }
    call(&client, "set_spending_limit('wallets:a', per_transaction => 500, method => 'pin')").await;
    is("600, NULL, NULL, NULL", "'fingerprint'").await.unwrap();
    assert_limited(is("600, NULL, NULL, NULL", "'pin'").await, "per_transaction");
    assert_error(is("600, NULL, NULL, NULL", "'face'").await, "invalid_argument", "PT400");
}

/// Order and payment in one transaction, from sixteen tills at once: the allowance is spent once.
#[tokio::test]
async fn sixteen_tills_share_one_allowance() {
    let (db, _dba, client) = limited("tills", "daily => 50000").await;
    let sessions = join_all((0..16).map(|_| db.connect())).await;
    let both = format!("BEGIN; {}; {}; COMMIT", order("20000", PLAIN), payment("20000"));
    let results = join_all(sessions.iter().map(|session| session.batch_execute(&both))).await;
    let (paid, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((paid.len(), refused.len()), (2, 14));
    for result in refused {
        // The row is what is refused, never its payment: nobody spends between the two.
        assert_eq!(assert_limited(result, "daily")["table"], "public.orders");
    }
    assert_eq!(books::posted(&client, "shops:canteen").await, "40000.00");
    verify_clean(&client).await;
}
