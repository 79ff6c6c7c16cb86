//! Holds that say nothing of what they are for, or of where the money will go.

use super::{assert_limited, check, limit, pay, school};
use wallet_ledger_tests::*;

async fn hold(client: &Client, amount: u32, more: &str) -> Result<Line, tokio_postgres::Error> {
    try_call(client, &format!("hold_funds('wallets:a', {amount}{more})")).await
}

async fn capture(client: &Client, hold: &Line, merchant: &str) -> Result<Line, tokio_postgres::Error> {
    let id = &hold["id"];
    try_call(client, &format!("capture_hold('{id}', destination => 'merchants:{merchant}')")).await
}

#[tokio::test]
async fn a_hold_of_the_kind_that_holds_have_by_default_counts() {
    let (_db, client) = school("default_kind").await;
    limit(&client, "daily => 100, per_transaction => 80").await;
    assert_limited(hold(&client, 81, ", 'merchants:canteen'").await, "per_transaction");
    let held = hold(&client, 70, ", 'merchants:canteen'").await.unwrap();
    assert_eq!(&held["kind"], "capture");
    assert_eq!(check(&client, "30").await.pick(["spent", "held", "remaining"]), ["0.00", "70.00", "30.00"]);
    assert_limited(hold(&client, 31, "").await, "daily");
    capture(&client, &held, "canteen").await.unwrap();
    assert_eq!(check(&client, "30").await.pick(["spent", "held", "remaining"]), ["70.00", "0.00", "30.00"]);
    assert_limited(pay(&client, "31", "").await, "daily");
    verify_clean(&client).await;
}

/// Where a hold leaves the destination to the capture, so does the judgement about the merchant.
#[tokio::test]
async fn a_merchant_that_the_hold_did_not_name_is_judged_at_capture() {
    let (_db, client) = school("late_merchant").await;
    let merchants = r#"{"deny": ["kiosk"], "limits": {"canteen": {"daily": 20, "per_transaction": 15}}}"#;
    limit(&client, &format!("daily => 100, merchants => '{merchants}'")).await;
    // What posting would say of a hold without a destination, and of one with it.
    assert_eq!(check(&client, "50").await.pick(["allowed", "remaining"]), ["t", "100.00"]);
    assert_limited(hold(&client, 9, ", 'merchants:kiosk'").await, "merchant");
    let held = hold(&client, 9, "").await.unwrap();
    let before = contents(&client).await;
    assert_limited(capture(&client, &held, "kiosk").await, "merchant");
    assert_eq!(contents(&client).await, before, "the hold is as it was");
    capture(&client, &held, "canteen").await.unwrap();
    let held = hold(&client, 16, "").await.unwrap();
    let detail = assert_limited(capture(&client, &held, "canteen").await, "per_transaction");
    assert_eq!(&detail["scope"], "merchants:canteen");
    // In part it may.
    let part = format!("capture_hold('{}', 11, 'merchants:canteen')", &held["id"]);
    call(&client, &part).await;
    let held = hold(&client, 1, "").await.unwrap();
    let detail = assert_limited(capture(&client, &held, "canteen").await, "daily");
    assert_eq!((&detail["scope"], &detail["spent"]), (&json!("merchants:canteen"), &json!("20.00")));
    try_call(&client, &format!("capture_hold('{}', destination => 'shop')", &held["id"])).await.unwrap();
    assert_eq!(check(&client, "79").await.pick(["allowed", "spent", "remaining"]), ["t", "21.00", "79.00"]);
    verify_clean(&client).await;
}

/// A hold that named its destination was judged then, and is captured whatever was changed since.
#[tokio::test]
async fn a_merchant_that_the_hold_named_is_not_judged_again() {
    let (_db, client) = school("named_merchant").await;
    limit(&client, "daily => 100").await;
    let named = hold(&client, 10, ", 'merchants:kiosk'").await.unwrap();
    let unnamed = hold(&client, 10, "").await.unwrap();
    limit(&client, r#"daily => 5, merchants => '{"deny": ["kiosk"]}'"#).await;
    capture(&client, &named, "kiosk").await.unwrap();
    assert_limited(capture(&client, &unnamed, "kiosk").await, "merchant");
    // The day's room was promised with the hold.
    capture(&client, &unnamed, "canteen").await.unwrap();
    assert_eq!(&check(&client, "1").await["spent"], "20.00");
    verify_clean(&client).await;
}

/// What is captured into an asset takes from one liability; into a liability that decreases, from both.
#[tokio::test]
async fn a_destination_that_pays_as_well_is_judged_and_counted() {
    let (_db, client) = school("both_pay").await;
    call(&client, "post_transfer('bank', 'wallets:b', 1000, 'topup')").await;
    call(&client, "set_spending_limit('wallets:b', daily => 100)").await;
    // Money is held at the bank, and leaves it by a capture from a wallet: a withdrawal that counts.
    let hold = async |amount: u32| {
        let hold = format!("hold_funds('bank', {amount}, 'wallets:b', kind => 'payment')");
        call(&client, &hold).await["id"].to_owned()
    };
    let (first, second) = (hold(60).await, hold(60).await);
    let b = "check_spending_limit('wallets:b', 1)";
    assert_eq!(call(&client, b).await.pick(["spent", "held", "remaining"]), ["0.00", "0.00", "100.00"]);
    call(&client, &format!("capture_hold('{first}')")).await;
    assert_eq!(call(&client, b).await.pick(["spent", "remaining"]), ["60.00", "40.00"]);
    assert_limited(try_call(&client, &format!("capture_hold('{second}')")).await, "daily");
    call(&client, &format!("capture_hold('{second}', 40)")).await;
    assert_eq!(call(&client, b).await.pick(["spent", "remaining"]), ["100.00", "0.00"]);
    verify_clean(&client).await;
}
