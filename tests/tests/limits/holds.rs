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
