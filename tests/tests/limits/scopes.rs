//! Limits of merchants, categories and methods, and several limits at once.

use super::{assert_limited, check, limit, pay, school};
use wallet_ledger_tests::*;

async fn pay_to(
    client: &Client,
    merchant: &str,
    amount: u32,
    metadata: &str,
) -> Result<Line, tokio_postgres::Error> {
    let sql = format!(
        "post_transfer('wallets:a', 'merchants:{merchant}', {amount}, 'purchase', metadata => '{metadata}')"
    );
    try_call(client, &sql).await
}

#[tokio::test]
async fn several_limits_all_apply_and_the_least_room_decides() {
    let (_db, client) = school("several").await;
    limit(&client, "daily => 100, weekly => 150").await;
    limit(&client, "name => 'guardian', daily => 80, per_transaction => 50").await;
    assert_eq!(
        check(&client, "51").await.pick(["reason", "limit_name", "remaining"]),
        ["per_transaction", "guardian", "50.00"]
    );
    pay(&client, "50", "").await.unwrap();
    assert_eq!(
        check(&client, "31").await.pick(["reason", "limit_name", "remaining"]),
        ["daily", "guardian", "30.00"]
    );
    pay(&client, "30", "").await.unwrap();
    limit(&client, "name => 'guardian'").await;
    assert_eq!(
        check(&client, "21").await.pick(["reason", "limit_name", "remaining"]),
        ["daily", "default", "20.00"]
    );
    pay(&client, "20", "").await.unwrap();
    assert_limited(pay(&client, "1", "").await, "daily");
    verify_clean(&client).await;
}

#[tokio::test]
async fn merchants_and_categories_are_allowed_denied_and_limited() {
    let (_db, client) = school("lists").await;
    limit(
        &client,
        r#"daily => 100,
        merchants => '{"allow": ["canteen", "kiosk"], "limits": {"kiosk": {"daily": 20}}}',
        categories => '{"deny": ["sweets"], "limits": {"drinks": {"daily": 15}}}'"#,
    )
    .await;
    assert_limited(pay_to(&client, "canteen", 1, r#"{"category": "sweets"}"#).await, "category");
    let elsewhere = try_call(&client, "post_transfer('wallets:a', 'shop', 1, 'payment')").await;
    assert_eq!(assert_limited(elsewhere, "merchant")["remaining"], "0.00");
    pay_to(&client, "kiosk", 10, r#"{"category": "drinks"}"#).await.unwrap();
    let detail = assert_limited(pay_to(&client, "kiosk", 11, "{}").await, "daily");
    assert_eq!((&detail["scope"], &detail["remaining"]), (&json!("merchants:kiosk"), &json!("10.00")));
    let detail = assert_limited(pay_to(&client, "canteen", 6, r#"{"category": "drinks"}"#).await, "daily");
    assert_eq!((&detail["scope"], &detail["limit_amount"]), (&json!("drinks"), &json!("15.00")));
    let paid = pay_to(&client, "kiosk", 5, r#"{"category": "drinks"}"#).await.unwrap();
    assert_eq!(check(&client, "1, 'canteen', 'drinks'").await.pick(["allowed", "scope"]), ["f", "drinks"]);
    assert_eq!(check(&client, "5, 'kiosk'").await.pick(["allowed", "remaining"]), ["t", "5.00"]);
    assert_eq!(
        check(&client, "1, 'merchants:elsewhere'").await.pick(["allowed", "reason"]),
        ["f", "merchant"]
    );
    // A refund gives every one of the allowances back.
    call(&client, &format!("reverse_transfer('{}')", &paid["id"])).await;
    assert_eq!(check(&client, "5, 'canteen', 'drinks'").await.pick(["allowed", "remaining"]), ["t", "5.00"]);
    assert_eq!(check(&client, "10, 'kiosk'").await.pick(["allowed", "remaining"]), ["t", "10.00"]);
    assert_eq!(check(&client, "90, 'canteen'").await.pick(["allowed", "remaining"]), ["t", "90.00"]);
    verify_clean(&client).await;
}

#[tokio::test]
async fn where_only_some_are_allowed_what_has_no_name_is_not() {
    let (_db, client) = school("unnamed").await;
    limit(&client, r#"categories => '{"allow": ["food"]}'"#).await;
    assert_limited(pay(&client, "1", "").await, "category");
    assert_limited(pay_to(&client, "canteen", 1, r#"{"category": 7}"#).await, "category");
    assert_limited(pay_to(&client, "canteen", 1, r#"{"category": ["food"]}"#).await, "category");
    pay_to(&client, "canteen", 1, r#"{"a": {"category": "sweets"}, "category": "food", "z": 1}"#)
        .await
        .unwrap();
    assert_eq!(&check(&client, "1").await["reason"], "category");
    assert_eq!(&check(&client, "1, category => 'food'").await["allowed"], "t");
}

#[tokio::test]
async fn a_way_of_identification_may_carry_a_lower_limit() {
    let (_db, client) = school("methods").await;
    limit(&client, "daily => 100").await;
    limit(&client, "name => 'with_pin', daily => 20, method => 'pin'").await;
    pay_to(&client, "canteen", 50, r#"{"method": "fingerprint"}"#).await.unwrap();
    pay_to(&client, "canteen", 15, r#"{"method": "pin"}"#).await.unwrap();
    let detail = assert_limited(pay_to(&client, "canteen", 6, r#"{"method": "pin"}"#).await, "daily");
    assert_eq!((&detail["limit"], &detail["remaining"]), (&json!("with_pin"), &json!("5.00")));
    assert_eq!(check(&client, "6, method => 'pin'").await.pick(["allowed", "remaining"]), ["f", "5.00"]);
    pay_to(&client, "canteen", 35, r#"{"method": "fingerprint"}"#).await.unwrap();
    assert_limited(pay_to(&client, "canteen", 1, "{}").await, "daily");
}

#[tokio::test]
async fn the_organisation_s_default_counts_for_members() {
    let (_db, client) = school("defaults").await;
    call(&client, "set_spending_limit('*', daily => 100)").await;
    pay(&client, "101", "").await.unwrap();
    for member in ["a", "b"] {
        call(&client, &format!("create_member('{member}')")).await;
    }
    assert_eq!(
        check(&client, "1").await.pick(["reason", "limit_name", "spent"]),
        ["daily", "default", "101.00"]
    );
    let by_b = |amount: u32| format!("post_transfer('wallets:b', 'shop', {amount}, 'payment')");
    limit(&client, "name => 'own', daily => 5000").await;
    assert_limited(pay(&client, "1", "").await, "daily");
    limit(&client, "name => 'own', daily => 5000, replaces_default => true").await;
    pay(&client, "4899", "").await.unwrap();
    assert_limited(pay(&client, "1", "").await, "daily");
    assert_limited(try_call(&client, &by_b(101)).await, "daily");
    call(&client, &by_b(100)).await;
    call(&client, "set_spending_limit('*')").await;
    call(&client, &by_b(1000)).await;
    verify_clean(&client).await;
}

/// A limit of its own does not make an account a member's wallet.
#[tokio::test]
async fn the_organisation_s_default_counts_for_members_only() {
    let (_db, client) = school("members_only").await;
    call(&client, "create_member('a')").await;
    call(&client, "post_transfer('bank', 'merchants:canteen', 10000, 'topup')").await;
    call(&client, "set_spending_limit('merchants:canteen', daily => 5000)").await;
    let buy = |amount: u32| format!("post_transfer('merchants:canteen', 'shop', {amount}, 'payment')");
    call(&client, &buy(1)).await;
    call(&client, "set_spending_limit('*', daily => 100)").await;
    // In the row that it has, and where the limits are read anew: beside a hold, and dated.
    call(&client, &buy(199)).await;
    call(&client, "hold_funds('merchants:canteen', 200, 'shop', kind => 'payment')").await;
    call(&client, &buy(300)).await;
    let said = call(&client, "check_spending_limit('merchants:canteen', 1)").await;
    assert_eq!(said.pick(["limit_amount", "spent", "held"]), ["5000.00", "500.00", "200.00"]);
    assert_limited(try_call(&client, &buy(4301)).await, "daily");
    assert_limited(pay(&client, "101", "").await, "daily");
    verify_clean(&client).await;
    // From now on it is one.
    call(&client, "create_member('b')").await;
    call(&client, "post_transfer('wallets:b', 'shop', 100, 'payment')").await;
    assert_limited(try_call(&client, "post_transfer('wallets:b', 'shop', 1, 'payment')").await, "daily");
    verify_clean(&client).await;
}
