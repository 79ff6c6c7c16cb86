//! What is not applied, and what becomes of it.

use super::providers::*;
use wallet_ledger_tests::bank::with;
use wallet_ledger_tests::*;

#[tokio::test]
async fn a_notice_that_contradicts_the_first_changes_nothing() {
    let (_db, client) = shop("contradictions").await;
    order(&client, "u", 50_000, "o-1").await;
    midtrans(&client, &status("o-1", 50_000, "pending")).await;
    let before = payment(&client, "pay-o-1").await;
    let long = "x".repeat(101);
    for (fields, reason) in [
        (json!({ "gross_amount": "50001.00" }), "amount_conflict"),
        (json!({ "gross_amount": "50000.001" }), "invalid_amount"),
        (json!({ "order_id": "o-2" }), "conflicting_duplicate"),
        (json!({ "transaction_id": long }), "too_long"),
        (json!({ "transaction_status": "partial_refund", "refund_amount": "0.001" }), "invalid_amount"),
    ] {
        let outcome = midtrans(&client, &with(&settlement("o-1", 50_000), fields)).await;
        assert_eq!((&outcome["outcome"], reasons(&outcome)), (&json!("rejected"), vec![reason]), "{outcome}");
    }
    assert_eq!(payment(&client, "pay-o-1").await, before);
    assert_eq!(posted(&client, MIDTRANS).await, "0");
    assert_eq!(midtrans(&client, &settlement("o-1", 50_000)).await["outcome"], "matched");
    assert_all_sound(&client).await;
}

#[tokio::test]
async fn the_bank_account_is_that_of_the_intent() {
    let (_db, client) = shop("places").await;
    // The only account of the provider takes what has no intent.
    assert_eq!(midtrans(&client, &settlement("a", 20_000)).await["bank_account"], MIDTRANS);
    let other = "gateways:midtrans:2";
    call(&client, &format!("register_bank_account('{other}', 'midtrans')")).await;
    let unknown = midtrans(&client, &settlement("b", 20_000)).await;
    assert_eq!((&unknown["outcome"], reasons(&unknown)), (&json!("rejected"), vec!["unknown_bank_account"]));
    let create = |account: &str, more: &str| {
        format!(
            "create_intent('other', 'wallets:u', 20000, '{account}', method => 'gateway', number => 'b'{more})"
        )
    };
    // Live at one account, over at the other.
    let first = call(&client, &create(MIDTRANS, "")).await;
    call(&client, &create(other, "")).await;
    let several = midtrans(&client, &with(&settlement("b", 20_000), json!({ "n": 1 }))).await;
    assert_eq!((&several["outcome"], reasons(&several)), (&json!("rejected"), vec!["several_intents"]));
    call(&client, &format!("cancel_intent('{}')", &first["id"])).await;
    let placed = midtrans(&client, &with(&settlement("b", 20_000), json!({ "n": 2 }))).await;
    assert_eq!((&placed["outcome"], &placed["bank_account"]), (&json!("matched"), &json!(other)));
    // What is known of a payment stays where it is, whoever expects the number now.
    call(&client, &create(MIDTRANS, "")).await;
    let denied = midtrans(&client, &status("b", 20_000, "deny")).await;
    assert_eq!((&denied["bank_account"], reasons(&denied)), (&json!(other), vec!["denied"]));
    assert_eq!(posted(&client, other).await, "0.00");
    assert_all_sound(&client).await;
}

#[tokio::test]
async fn what_the_bank_account_refuses_is_tried_again() {
    let (_db, client) = shop("frozen").await;
    order(&client, "u", 50_000, "o-1").await;
    call(&client, &format!("freeze_account('{MIDTRANS}')")).await;
    let answer = call(&client, &midtrans_call(&settlement("o-1", 50_000), true)).await;
    assert_eq!(reasons(&line(&answer)), ["account_frozen"]);
    let count = "SELECT count(*) FROM wallet_ledger.gateway_payments";
    assert_eq!(value(&client, count).await, "0");
    call(&client, &format!("unfreeze_account('{MIDTRANS}')")).await;
    let again = call(&client, &format!("reprocess_webhook('{}')", &answer["webhook_id"])).await;
    assert_eq!(&again["matched_count"], "1");
    // The same with a reversal.
    call(&client, &format!("freeze_account('{MIDTRANS}')")).await;
    let before = payment(&client, "pay-o-1").await;
    let answer = call(&client, &midtrans_call(&status("o-1", 50_000, "deny"), false)).await;
    assert_eq!(reasons(&line(&answer)), ["account_frozen"]);
    assert_eq!(payment(&client, "pay-o-1").await, before);
    call(&client, &format!("unfreeze_account('{MIDTRANS}')")).await;
    let again = call(&client, &format!("reprocess_webhook('{}')", &answer["webhook_id"])).await;
    assert_eq!(again.json("lines")[0]["reasons"], json!(["denied"]));
    assert_eq!(posted(&client, "wallets:u").await, "0.00");
    assert_all_sound(&client).await;
}

/// A frozen wallet loses nothing: the money waits for a person.
#[tokio::test]
async fn what_the_wallet_refuses_waits() {
    let (_db, client) = shop("frozen_wallet").await;
    order(&client, "u", 50_000, "o-1").await;
    call(&client, "freeze_account('wallets:u')").await;
    let held = midtrans(&client, &settlement("o-1", 50_000)).await;
    assert_eq!(
        (&held["outcome"], reasons(&held)),
        (&json!("review"), vec!["posting_refused", "account_frozen"])
    );
    midtrans(&client, &status("o-1", 50_000, "deny")).await;
    assert_eq!(posted(&client, MIDTRANS).await, "0.00");
    assert_eq!(posted(&client, &format!("{MIDTRANS}:suspense")).await, "0.00");
    assert_all_sound(&client).await;
}

/// Two payments of the same amount, in the same second, by the same method: two, not one reported twice.
#[tokio::test]
async fn payments_that_look_alike_are_told_apart_by_their_ids() {
    let (_db, client) = shop("alike").await;
    let (one, two) = (settlement("o-1", 50_000), settlement("o-2", 50_000));
    let two = with(&two, json!({ "transaction_time": one["transaction_time"] }));
    order(&client, "u", 50_000, "o-1").await;
    order(&client, "a", 50_000, "o-2").await;
    assert_eq!(midtrans(&client, &one).await["outcome"], "matched");
    assert_eq!(midtrans(&client, &two).await["outcome"], "matched");
    assert_eq!(posted(&client, MIDTRANS).await, "100000.00");
    assert_all_sound(&client).await;
}

/// What happened before the day of the opening balance is part of it.
#[tokio::test]
async fn what_is_older_than_the_opening_balance_is_not_posted_again() {
    let (_db, client) = shop("opening").await;
    let account = "gateways:midtrans:new";
    let register =
        format!("register_bank_account('{account}', 'midtrans', opening_balance => 1000, opened_on => ");
    call(&client, &format!("{register}(now() AT TIME ZONE 'Asia/Jakarta')::date)")).await;
    let create = |number: &str| {
        format!(
            "create_intent('other', 'wallets:u', 20000, '{account}', method => 'gateway', number => '{number}')"
        )
    };
    call(&client, &create("old")).await;
    call(&client, &create("new")).await;
    let yesterday = json!({ "transaction_time": bank::wib(-86_400) });
    let old = midtrans(&client, &with(&settlement("old", 20_000), yesterday.clone())).await;
    assert_eq!(reasons(&old), ["before_opening"]);
    assert_eq!(midtrans(&client, &settlement("new", 20_000)).await["outcome"], "matched");
    // Of a payment that is known, a notice with an older time counts.
    let refund = with(&refunds("new", 20_000, &[("a", 5_000)]), yesterday);
    assert_eq!(reasons(&midtrans(&client, &refund).await), ["refund"]);
    assert_eq!(posted(&client, account).await, "16000.00");
    assert_all_sound(&client).await;
}

/// Notices are in rupiah: an account in another currency takes none.
#[tokio::test]
async fn an_account_in_another_currency_takes_no_rupiah() {
    let (_db, client) = books("gateway_usd").await;
    call(&client, &format!("create_account('{MIDTRANS}', 'asset', 'USD')")).await;
    call(&client, &format!("register_bank_account('{MIDTRANS}', 'midtrans')")).await;
    bank::set_secret(&client, "midtrans", SERVER_KEY).await;
    let refused = midtrans(&client, &settlement("o-1", 50_000)).await;
    assert_eq!((&refused["outcome"], reasons(&refused)), (&json!("rejected"), vec!["currency_mismatch"]));
    assert_eq!(posted(&client, MIDTRANS).await, "0");
    assert_all_sound(&client).await;
}

/// A session whose snapshot is older than the first notice does not credit again: it is told to try again.
#[tokio::test]
async fn a_session_with_an_old_snapshot_tries_again() {
    let (db, client) = shop("old_snapshot").await;
    order(&client, "u", 50_000, "o-1").await;
    let old = db.app().await;
    let mut refusals = 0;
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let bodies = [settlement("o-1", 50_000), status("o-1", 50_000, "pending"), settlement("x", 50_000)];
        for (index, body) in bodies.iter().enumerate() {
            db::execute(&old, &format!("BEGIN ISOLATION LEVEL {level}")).await;
            value(&old, "SELECT count(*) FROM wallet_ledger.gateway_payments").await;
            midtrans(&client, &with(body, json!({ "first": [level, index] }))).await;
            let late = with(body, json!({ "late": [level, index], "transaction_time": bank::wib(1) }));
            match try_call(&old, &midtrans_call(&late, true)).await {
                // What changes nothing has nothing to be late for.
                Ok(answer) => assert_ne!(&answer["matched_count"], "1", "{level} {index}"),
                refused => {
                    assert_error(refused, "try_again", "PT503");
                    refusals += 1;
                }
            }
            db::execute(&old, "ROLLBACK").await;
        }
    }
    assert!(refusals >= 2, "{refusals}: the two credits at least");
    assert_eq!(posted(&client, "wallets:u").await, "50000.00");
    assert_eq!(posted(&client, MIDTRANS).await, "100000.00");
    assert_all_sound(&client).await;
}
