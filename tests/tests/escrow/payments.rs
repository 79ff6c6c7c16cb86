//! An escrow whose money has come as the payment of an order: once, and only what was paid.

use super::*;
use wallet_ledger_tests::bank::{BCA, credit, match_line};

async fn order(client: &Client, purpose: &str) -> Line {
    call(client, &format!("create_intent('{purpose}', '{BUYER}', 100000, '{BCA}')")).await
}

#[tokio::test]
async fn from_a_paid_order() {
    let (_db, client) = shop("paid").await;
    let intent = order(&client, "order").await;
    let open = |reference: &str, more: &str| {
        let lines = bank::quoted(ORDER);
        format!("open_escrow('{reference}', NULL, {lines}, intent_id => '{}'{more})", &intent["id"])
    };
    let before = contents(&client).await;
    let error = try_call(&client, &open("o", "")).await;
    assert_eq!(assert_error(error, "intent_not_paid", "PT409").detail["intent_id"], intent["id"]);
    assert_eq!(before, contents(&client).await);
    match_line(&client, &credit("m", &intent["total"])).await;
    // It is paid with the unique code's rupiah on top: these are the buyer's own.
    let paid = money(&posted(&client, BUYER).await);
    let before = contents(&client).await;
    for (sql, token, state) in [
        (open("o", ", amount => 99999"), "lines_mismatch", "PT422"),
        (open("o", "").replace("15000", "14999"), "lines_mismatch", "PT422"),
        (open("o", "").replace("NULL", "'wallets:a'"), "invalid_argument", "PT400"),
    ] {
        assert_error(try_call(&client, &sql).await, token, state);
    }
    assert_eq!(before, contents(&client).await);
    let opened = call(&client, &open("o", "")).await;
    assert_eq!(opened.pick(["buyer_account", "amount", "status"]), [BUYER, "100000.00", "held"]);
    assert_eq!(opened["intent_id"], intent["id"]);
    assert_eq!(money(&posted(&client, BUYER).await), paid - dec!(100000));
    let before = contents(&client).await;
    let error = try_call(&client, &open("other", "")).await;
    assert_eq!(assert_error(error, "already_exists", "PT409").detail["escrow_id"], opened["id"]);
    assert_eq!(before, contents(&client).await);
    // The buyer may be named, if it is the one who has paid.
    act(&client, "refund_escrow", &opened["id"], "").await;
    let named = open("named", "").replace("NULL", &format!("'{BUYER}'"));
    assert_error(try_call(&client, &named).await, "already_exists", "PT409");
    assert_escrows_sound(&client).await;
}

#[tokio::test]
async fn only_a_paid_order() {
    let (_db, client) = shop("only_paid").await;
    let mut sent = 0;
    for purpose in ["topup", "other"] {
        let intent = order(&client, purpose).await;
        sent += 1;
        match_line(&client, &credit(&format!("m{sent}"), &intent["total"])).await;
        let before = contents(&client).await;
        let open = open_call("p", ORDER, &format!(", intent_id => '{}'", &intent["id"]));
        let error = assert_error(try_call(&client, &open).await, "invalid_argument", "PT400");
        assert_eq!(error.detail["argument"], "intent_id");
        assert_eq!(before, contents(&client).await);
    }
    let cancelled = order(&client, "order").await;
    act(&client, "cancel_intent", &cancelled["id"], "").await;
    let open = open_call("p", ORDER, &format!(", intent_id => '{}'", &cancelled["id"]));
    assert_error(try_call(&client, &open).await, "intent_not_paid", "PT409");
    let nobody = open_call("p", ORDER, ", intent_id => '00000000-0000-7000-8000-000000000000'");
    assert_error(try_call(&client, &nobody).await, "intent_not_found", "PT404");
    assert_escrows_sound(&client).await;
}

/// Two orders with one payment at once: one is opened, and nobody waits for ever.
#[tokio::test]
async fn two_at_once_with_one_payment() {
    let (db, client) = shop("two_orders").await;
    let intent = order(&client, "order").await;
    match_line(&client, &credit("m", &intent["total"])).await;
    let mut sessions = Vec::new();
    for _ in 0..8 {
        sessions.push(db.app().await);
    }
    let open = |number: usize| {
        open_call(&format!("r{number}"), ORDER, &format!(", intent_id => '{}'", &intent["id"]))
    };
    let calls: Vec<String> = (0..8).map(open).collect();
    let opened = sessions.iter().zip(&calls).map(|(session, sql)| try_call(session, sql));
    let opened = futures::future::join_all(opened).await;
    assert_eq!(opened.iter().filter(|result| result.is_ok()).count(), 1);
    for error in opened.into_iter().filter_map(Result::err) {
        let error = sql_error(&error);
        assert!(["already_exists", "try_again"].contains(&error.token()), "{error:?}");
    }
    assert_escrows_sound(&client).await;
}
