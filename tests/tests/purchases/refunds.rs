//! Refunds: all, items and amounts; never more than was paid, however many ask at once.

use super::LUNCH;
use futures::future::join_all;
use wallet_ledger_tests::school::*;
use wallet_ledger_tests::*;

async fn refund(client: &Client, id: &str, more: &str) -> Line {
    call(client, &format!("refund_purchase('{id}'{more})")).await
}

async fn try_refund(client: &Client, id: &str, more: &str) -> Result<Line, tokio_postgres::Error> {
    try_call(client, &format!("refund_purchase('{id}'{more})")).await
}

#[tokio::test]
async fn all_of_it_goes_back_once() {
    let (db, client) = school("refund_all").await;
    let id = buy(&client, "m1", LUNCH, "").await["id"].to_owned();
    let more = ", reason => 'cold', idempotency_key => 'r'";
    let back = refund(&client, &id, more).await;
    assert_eq!(
        back.pick([
            "purchase_id",
            "member",
            "merchant",
            "amount",
            "to_overdraft",
            "refunded",
            "left_amount",
            "balance",
            "replayed"
        ]),
        [&id, "m1", "canteen", "35000.00", "0.00", "35000.00", "0.00", "100000.00", "f"]
    );
    let again = refund(&client, &id, more).await;
    assert_eq!(again.without(&["replayed"]), back.without(&["replayed"]));
    let error = assert_error(try_refund(&client, &id, "").await, "refund_exceeds_payment", "PT422");
    assert_eq!(error.detail["left"], "0.00");
    // Each transfer that paid is reversed, in one transaction.
    let sql = format!(
        "SELECT t.amount, o.metadata ->> 'category' AS category, t.description FROM wallet_ledger.transfers t
         JOIN wallet_ledger.transfers o ON o.id = t.reverses_id WHERE t.transaction_id = '{}' ORDER BY 2",
        &back["transaction_id"]
    );
    let told = lines(&client, &sql).await;
    assert_eq!(told[0].pick(["amount", "category", "description"]), ["5000.00", "drink", "cold"]);
    assert_eq!(told[1].pick(["amount", "category", "description"]), ["30000.00", "food", "cold"]);
    let payload =
        lines(&client, "SELECT payload FROM wallet_ledger.events WHERE topic = 'purchase.refunded'").await;
    assert_eq!(payload.len(), 1);
    assert_eq!(payload[0].json("payload")["refunded"], "35000.00");
    let kept = lines(&client, "SELECT amount, reason FROM wallet_ledger.purchase_refunds").await;
    assert_eq!(kept[0].pick(["amount", "reason"]), ["35000.00", "cold"]);
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn items_and_amounts_go_back_in_parts() {
    let (db, client) = school("refund_parts").await;
    let id = buy(&client, "m1", LUNCH, "").await["id"].to_owned();
    let one = refund(&client, &id, r#", '[{"line": 1, "quantity": 1}]'"#).await;
    assert_eq!(one.pick(["amount", "refunded", "left_amount"]), ["15000.00", "15000.00", "20000.00"]);
    assert_eq!(one.json("items"), json!([{"line": 1, "quantity": "1", "amount": "15000.00"}]));
    let some = refund(&client, &id, ", amount => 16000").await;
    assert_eq!(
        some.json("items"),
        json!([{"line": 1, "quantity": "0", "amount": "15000.00"}, {"line": 2, "quantity": "0", "amount": "1000.00"}])
    );
    assert_eq!(&some["balance"], "96000.00");
    for (more, token) in [
        (r#", '[{"line": 1}]'"#, "refund_exceeds_payment"),
        (r#", '[{"line": 2, "quantity": 2}]'"#, "refund_exceeds_payment"),
        (", amount => 4000.01", "refund_exceeds_payment"),
        (", amount => 0", "invalid_amount"),
        (", amount => -1", "invalid_amount"),
        (", amount => 'NaN'", "invalid_amount"),
        (", amount => 0.001", "invalid_amount"),
        (", amount => 1e40", "amount_out_of_range"),
        (r#", '[{"line": 2}]', 1"#, "invalid_argument"),
        (", '[]'", "invalid_argument"),
        (", '7'", "invalid_json"),
        (r#", '[{"line": 3}]'"#, "invalid_argument"),
        (r#", '[{"line": 2, "quantity": 0.5}]'"#, "invalid_argument"),
        (r#", '[{"line": 2}, {"line": 2}]'"#, "invalid_argument"),
        (r#", '[{"item": "es-teh"}]'"#, "unknown_field"),
        (", reason => ' '", "invalid_argument"),
    ] {
        let error = sql_error(&try_refund(&client, &id, more).await.expect_err(more));
        assert_eq!(error.token(), token, "{more}: {error:#?}");
    }
    let rest = refund(&client, &id, r#", '[{"line": 2}]'"#).await;
    assert_eq!(rest.pick(["amount", "left_amount"]), ["4000.00", "0.00"]);
    assert_eq!(posted(&client, "merchants:canteen").await, "0.00");
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn what_was_never_paid_is_not_given_back() {
    let (db, client) = school("refund_nothing").await;
    let refused = buy(&client, "m2", LUNCH, ", on_error => 'report'").await["id"].to_owned();
    assert_error(try_refund(&client, &refused, "").await, "refund_exceeds_payment", "PT422");
    let nobody = "0190a000-0000-7000-8000-000000000001";
    assert_error(try_refund(&client, nobody, "").await, "purchase_not_found", "PT404");
    assert_error(try_call(&client, "refund_purchase(NULL)").await, "missing_argument", "PT400");
    // The canteen has spent it.
    let id = buy(&client, "m1", LUNCH, "").await["id"].to_owned();
    call(&client, "post_transfer('merchants:canteen', 'bank', 30000, 'withdrawal')").await;
    let before = contents(&db.connect().await).await;
    assert_error(try_refund(&client, &id, "").await, "insufficient_funds", "PT402");
    assert_eq!(before, contents(&db.connect().await).await);
    // Somebody has reversed the transfers themselves: not twice.
    call(&client, "post_transfer('bank', 'merchants:canteen', 30000, 'topup')").await;
    let transaction =
        value(&client, "SELECT transaction_id FROM wallet_ledger.purchases WHERE status = 'completed'").await;
    calls(&client, &format!("reverse_transaction('{transaction}')")).await;
    assert_error(try_refund(&client, &id, "").await, "reversal_exceeds_original", "PT422");
}

#[tokio::test]
async fn fifty_refunds_at_once_never_exceed() {
    let (db, client) = school("refund_race").await;
    let id = buy(&client, "m1", LUNCH, "").await["id"].to_owned();
    let sessions = join_all((0..50).map(|_| db.app())).await;
    let forms = [
        ", amount => 7000",
        r#", '[{"line": 1, "quantity": 1}]'"#,
        r#", '[{"line": 2}]'"#,
        ", amount => 1000",
    ];
    let results = join_all(
        sessions.iter().enumerate().map(|(n, session)| try_refund(session, &id, forms[n % forms.len()])),
    )
    .await;
    let mut back = Decimal::ZERO;
    for result in results {
        match result {
            Ok(line) => back += line["amount"].parse::<Decimal>().unwrap(),
            Err(error) => assert_eq!(sql_error(&error).token(), "refund_exceeds_payment"),
        }
    }
    assert!(back > dec!(30000) && back <= dec!(35000), "{back}");
    let refunded = value(&client, "SELECT refunded FROM wallet_ledger.purchases").await;
    assert_eq!(refunded.parse::<Decimal>().unwrap(), back);
    assert_eq!(posted(&client, "wallets:m1").await.parse::<Decimal>().unwrap(), dec!(65000) + back);
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn a_refund_gives_the_allowance_back() {
    let (db, client) = school("allowance").await;
    away_from_midnight().await;
    let limit = r#"set_spending_limit('wallets:m1', daily => 50000, categories => '{"limits": {"food": {"daily": 30000}}}')"#;
    call(&client, limit).await;
    let bought = buy(&client, "m1", LUNCH, "").await;
    assert_eq!(bought.pick(["amount", "remaining"]), ["35000.00", "0.00"]);
    let id = &bought["id"];
    let refused = buy(&client, "m1", r#"[{"item": "nasi-goreng"}]"#, ", on_error => 'report'").await;
    assert_eq!(refused.pick(["status", "error"]), ["refused", "spending_limit_exceeded"]);
    call(&client, &format!(r#"refund_purchase('{id}', '[{{"line": 1, "quantity": 1}}]')"#)).await;
    let left = call(&client, "check_spending_limit('wallets:m1', 1, 'canteen', 'food')").await;
    assert_eq!(left.pick(["allowed", "spent", "remaining"]), ["t", "15000.00", "15000.00"]);
    let again = buy(&client, "m1", r#"[{"item": "nasi-goreng"}]"#, "").await;
    assert_eq!(&again["remaining"], "0.00");
    call(&client, &format!("refund_purchase('{id}')")).await;
    let left = call(&client, "check_spending_limit('wallets:m1', 1)").await;
    assert_eq!(left.pick(["spent", "remaining"]), ["15000.00", "35000.00"]);
    assert_purchases_sound(&db).await;
}
