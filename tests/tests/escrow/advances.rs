//! A refund that a beneficiary cannot cover: refused, or paid by the platform, to whom they owe it.

use super::*;

/// Takes what the merchant has away from it, except so much.
async fn spend(client: &Client, account: &str, amount: &str) {
    call(client, &format!("post_transfer('{account}', 'shop', {amount})")).await;
}

#[tokio::test]
async fn refuse_names_the_party_and_moves_nothing() {
    let (_db, client) = shop("refuse").await;
    let id = open_order(&client, "r").await["id"].to_owned();
    act(&client, "release_escrow", &id, "").await;
    spend(&client, DRIVER, "11000").await;
    let before = contents(&client).await;
    for more in ["", ", on_shortfall => 'refuse'", ", line => 2", ", 20000"] {
        let error =
            assert_error(try_act(&client, "refund_escrow", &id, more).await, "insufficient_funds", "PT402");
        assert_eq!(error.detail["account"], DRIVER, "{error:?}");
    }
    call(&client, &format!("freeze_account('{MERCHANT}', 'fraud')")).await;
    let frozen = contents(&client).await;
    let error =
        assert_error(try_act(&client, "refund_escrow", &id, ", line => 1").await, "account_frozen", "PT422");
    assert_eq!(error.detail["account"], MERCHANT);
    assert_eq!(frozen, contents(&client).await);
    call(&client, &format!("unfreeze_account('{MERCHANT}')")).await;
    assert_eq!(before["escrows"], contents(&client).await["escrows"]);
    // What the driver has left covers a part: 1,000 net of 1,250 gross.
    let line = act(&client, "refund_escrow", &id, ", 1250, line => 2").await;
    assert_eq!(&line["returned_amount"], "1250.00");
    assert_eq!(posted(&client, DRIVER).await, "0.00");
    assert_escrows_sound(&client).await;
}

#[tokio::test]
async fn advance_pays_what_is_missing_and_books_the_debt() {
    let (_db, client) = shop("advance").await;
    let id = open_order(&client, "a").await["id"].to_owned();
    act(&client, "release_escrow", &id, "").await;
    spend(&client, DRIVER, "11000").await;
    let line = act(&client, "refund_escrow", &id, ", on_shortfall => 'advance'").await;
    assert_eq!(line.pick(["status", "returned_amount"]), ["refunded", "100000.00"]);
    assert_eq!(line.json("lines")[1]["advanced_amount"], "11000.00");
    assert_eq!(line.json("lines")[0]["advanced_amount"], "0.00");
    assert_eq!(posted(&client, BUYER).await, "1000000.00");
    assert_eq!(earned(&client).await, [dec!(0); 4]);
    assert_eq!(posted(&client, "receivables:drivers:7").await, "11000.00");
    let kind = "SELECT type FROM wallet_ledger.accounts WHERE account = 'receivables:drivers:7'";
    assert_eq!(value(&client, kind).await, "asset");
    assert!(!all_balances(&client).await.contains_key("receivables:merchants:5"));
    let event = wallet_ledger_tests::bank::events(&client, &["escrow.refunded"]).await;
    let parts = &event[0].json("payload")["lines"];
    assert_eq!((&parts[1]["given_back"], &parts[1]["owed"]), (&json!("1000.00"), &json!("11000.00")));
    // The driver pays the debt: an ordinary transfer.
    call(&client, "post_transfer('shop', 'receivables:drivers:7', 11000, 'adjustment')").await;
    assert_eq!(posted(&client, "receivables:drivers:7").await, "0.00");
}

#[tokio::test]
async fn a_frozen_or_closed_beneficiary_owes_all_of_it() {
    let (_db, client) = shop("owes").await;
    let id = open_order(&client, "f").await["id"].to_owned();
    act(&client, "release_escrow", &id, "").await;
    call(&client, &format!("freeze_account('{MERCHANT}', 'fraud')")).await;
    spend(&client, DRIVER, "12000").await;
    call(&client, &format!("close_account('{DRIVER}')")).await;
    act(&client, "refund_escrow", &id, ", 50000, on_shortfall => 'advance'").await;
    assert_eq!(posted(&client, MERCHANT).await, "72250.00");
    assert_eq!(posted(&client, "receivables:merchants:5").await, "36125.00");
    assert_eq!(posted(&client, "receivables:drivers:7").await, "6000.00");
    assert_escrows_sound(&client).await;
    // Thawed in between, they pay their own part of the rest.
    call(&client, &format!("unfreeze_account('{MERCHANT}')")).await;
    act(&client, "refund_escrow", &id, ", on_shortfall => 'advance'").await;
    assert_eq!(posted(&client, MERCHANT).await, "36125.00");
    assert_eq!(posted(&client, "receivables:merchants:5").await, "36125.00");
    assert_eq!(posted(&client, "receivables:drivers:7").await, "12000.00");
    assert_eq!(posted(&client, BUYER).await, "1000000.00");
    assert_escrows_sound(&client).await;
}

/// What a beneficiary has is counted once, however many lines they have.
#[tokio::test]
async fn one_beneficiary_on_several_lines() {
    let (_db, client) = shop("lines").await;
    let lines = json!([
        {"beneficiary": MERCHANT, "amount": 100}, {"beneficiary": DRIVER, "amount": 1},
        {"beneficiary": MERCHANT, "amount": 50}, {"beneficiary": MERCHANT, "amount": 25},
    ]);
    let opened = call(&client, &open_call("m", &lines.to_string(), "")).await;
    act(&client, "release_escrow", &opened["id"], "").await;
    spend(&client, MERCHANT, "55").await;
    // 20 is held for something else, 1 of it no longer: 101 is what they can give.
    let hold = |amount: &str, more: &str| format!("hold_funds('{MERCHANT}', {amount}, 'shop'{more})");
    call(&client, &hold("19", "")).await;
    let brief = call(&client, &hold("1", ", expires_at => now() + interval '1 s'")).await;
    until(&client, &format!("SELECT now() > '{}'", &brief["expires_at"]), "t").await;
    let error = assert_error(
        try_act(&client, "refund_escrow", &opened["id"], "").await,
        "insufficient_funds",
        "PT402",
    );
    assert_eq!(error.detail["account"], MERCHANT);
    let line = act(&client, "refund_escrow", &opened["id"], ", on_shortfall => 'advance'").await;
    let advanced: Vec<Value> =
        line.json("lines").as_array().unwrap().iter().map(|line| line["advanced_amount"].clone()).collect();
    assert_eq!(advanced, ["0.00", "0.00", "49.00", "25.00"]);
    assert_eq!(balances(&client, MERCHANT).await, ["19.00", "19.00", "0.00"]);
    assert_eq!(posted(&client, "receivables:merchants:5").await, "74.00");
    assert_eq!(posted(&client, BUYER).await, "1000000.00");
    assert_escrows_sound(&client).await;
}

/// A striped beneficiary gives from all of its stripes.
#[tokio::test]
async fn a_striped_beneficiary() {
    let (_db, client) = shop("striped").await;
    call(&client, "create_account('wide', 'liability', minimum_balance => 0, stripes => 4)").await;
    let lines = json!([{"beneficiary": "wide", "amount": 30, "fee": "merchant_commission"},
                       {"beneficiary": "wide", "amount": 70}]);
    let id = call(&client, &open_call("w", &lines.to_string(), "")).await["id"].to_owned();
    for amount in 1..=13 {
        act(&client, "release_escrow", &id, &format!(", {amount}.01")).await;
    }
    act(&client, "release_escrow", &id, "").await;
    assert_eq!(posted(&client, "wide").await, "95.50");
    spend(&client, "wide", "40").await;
    act(&client, "refund_escrow", &id, ", 33.33, on_shortfall => 'advance'").await;
    assert!(!all_balances(&client).await.contains_key("receivables:wide"));
    act(&client, "refund_escrow", &id, ", on_shortfall => 'advance'").await;
    assert_eq!(posted(&client, "wide").await, "0.00");
    assert_eq!(posted(&client, "receivables:wide").await, "40.00");
    assert_escrows_sound(&client).await;
}
