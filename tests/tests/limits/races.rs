//! Sessions that spend one allowance at once.

use super::{limit, school};
use futures::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wallet_ledger_tests::*;

/// Payments, holds that are captured, released or left open, and refunds, from sixteen sessions: what counts is
/// never above the limit, and the whole of it can be spent.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_tills_never_spend_more_than_the_allowance() {
    const LIMIT: u64 = 500;
    let (db, client) = school("tills").await;
    limit(&client, &format!("daily => {LIMIT}")).await;
    let refused = Arc::new(AtomicU64::new(0));
    let till = async |number: u64| {
        let client = db.app().await;
        let merchant = if number.is_multiple_of(2) { "canteen" } else { "kiosk" };
        for round in 0..40_u64 {
            let amount = 1 + (number * 7 + round * 3) % 11;
            let paid = match round % 3 {
                0 => {
                    let hold = format!(
                        "hold_funds('wallets:a', {amount}, 'merchants:{merchant}', kind => 'payment')"
                    );
                    match try_call(&client, &hold).await {
                        Ok(hold) if round.is_multiple_of(2) => {
                            let part = amount.div_ceil(2);
                            try_call(&client, &format!("capture_hold('{}', {part})", &hold["id"])).await
                        }
                        Ok(hold) => try_call(&client, &format!("release_hold('{}')", &hold["id"])).await,
                        Err(error) => Err(error),
                    }
                }
                _ => {
                    let pay =
                        format!("post_transfer('wallets:a', 'merchants:{merchant}', {amount}, 'purchase')");
                    let paid = try_call(&client, &pay).await;
                    if let Ok(paid) = &paid
                        && round.is_multiple_of(5)
                    {
                        call(&client, &format!("reverse_transfer('{}')", &paid["id"])).await;
                    }
                    paid
                }
            };
            if paid.is_err() {
                super::assert_limited(paid, "daily");
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    join_all((0..16).map(till)).await;
    let spent = "SELECT sum(t.amount - coalesce(r.reversed_amount, 0)) FROM wallet_data.transfers t
        JOIN wallet_data.accounts a ON a.account_id = t.debit_account_id AND a.address = 'wallets:a'
        LEFT JOIN wallet_data.reversal_totals r ON r.transfer_id = t.transfer_id WHERE t.kind_id IN (3, 4)";
    let spent: f64 = value(&client, spent).await.parse().unwrap();
    assert!(spent <= LIMIT as f64 && spent > (LIMIT - 11) as f64, "{spent} of {LIMIT}");
    assert!(refused.load(Ordering::Relaxed) > 0, "nobody was ever refused");
    let said = call(&client, "check_spending_limit('wallets:a', 1)").await;
    assert_eq!(said["spent"].parse::<f64>().unwrap(), spent);
    verify_clean(&client).await;
}

/// A limit that is tightened waits for the payment under way, and the next payment sees it.
#[tokio::test]
async fn a_change_and_a_payment_wait_for_each_other() {
    let (db, client) = school("change_race").await;
    limit(&client, "daily => 100").await;
    let (first, second) = (db.app().await, db.app().await);
    db::execute(&first, "BEGIN").await;
    super::pay(&first, "60", "").await.unwrap();
    let pid = backend(&second).await;
    let tighten = async { call(&second, "set_spending_limit('wallets:a', daily => 70)").await };
    let commit = async {
        until_blocked(&client, &pid).await;
        db::execute(&first, "COMMIT").await;
    };
    futures::join!(tighten, commit);
    let detail = super::assert_limited(super::pay(&client, "11", "").await, "daily");
    assert_eq!((&detail["spent"], &detail["remaining"]), (&json!("60.00"), &json!("10.00")));
    verify_clean(&client).await;
}

/// The organisation's limit misses nobody: neither a member who is made while it is set, nor one who pays.
#[tokio::test]
async fn the_organisation_s_limit_reaches_members_made_at_the_same_time() {
    let (db, client) = school("default_race").await;
    call(&client, "create_member('a')").await;
    super::pay(&client, "1", "").await.unwrap();
    let (setter, maker) = (db.app().await, db.app().await);
    db::execute(&setter, "BEGIN").await;
    call(&setter, "set_spending_limit('*', daily => 100)").await;
    let pid = backend(&maker).await;
    let make = async {
        call(&maker, "create_member('b')").await;
        call(&maker, "post_transfer('wallets:b', 'shop', 1, 'payment')").await;
    };
    let commit = async {
        until_blocked(&client, &pid).await;
        db::execute(&setter, "COMMIT").await;
    };
    futures::join!(make, commit);
    for wallet in ["a", "b"] {
        let pay = format!("post_transfer('wallets:{wallet}', 'shop', 100, 'payment')");
        assert_eq!(super::assert_limited(try_call(&client, &pay).await, "daily")["spent"], "1.00");
    }
    verify_clean(&client).await;
}

const ISOLATED: [&str; 2] = ["REPEATABLE READ", "SERIALIZABLE"];

/// A snapshot from before the organisation's limit does not make a member whom the limit never reaches.
#[tokio::test]
async fn a_member_made_under_an_old_snapshot_is_not_missed() {
    for (change, unlimited) in [
        ("set_spending_limit('*', daily => 100)", "daily"),
        ("set_setting('limited_kinds', 'payment')", "none"),
    ] {
        for level in ISOLATED {
            let (db, client) = school("old_maker").await;
            let maker = db.app().await;
            let make = async || {
                try_call(&maker, "create_member('b')").await?;
                try_call(&maker, "post_transfer('wallets:b', 'shop', 500, 'payment')").await
            };
            db::execute(&maker, &format!("BEGIN ISOLATION LEVEL {level}; SELECT 1")).await;
            call(&client, change).await;
            assert_error(make().await, "try_again", "PT503");
            db::execute(&maker, "ROLLBACK").await;
            // The next attempt sees the limit.
            db::execute(&maker, &format!("BEGIN ISOLATION LEVEL {level}; SELECT 1")).await;
            let made = make().await;
            match unlimited {
                "none" => db::execute(&maker, if made.is_ok() { "COMMIT" } else { panic!("{made:?}") }).await,
                reason => {
                    super::assert_limited(made, reason);
                    db::execute(&maker, "ROLLBACK").await;
                }
            }
            verify_clean(&client).await;
        }
    }
}

/// Nor does a limit that is set under an old snapshot miss the members made since.
#[tokio::test]
async fn a_limit_set_under_an_old_snapshot_misses_nobody() {
    for change in ["set_spending_limit('*', daily => 100)", "set_setting('limited_kinds', 'payment, fee')"] {
        for level in ISOLATED {
            let (db, client) = school("old_setter").await;
            call(&client, "create_member('a')").await;
            let setter = db.app().await;
            db::execute(&setter, &format!("BEGIN ISOLATION LEVEL {level}; SELECT 1")).await;
            call(&client, "create_member('b')").await;
            call(&client, "post_transfer('wallets:b', 'shop', 1, 'payment')").await;
            assert_error(try_call(&setter, change).await, "try_again", "PT503");
            db::execute(&setter, "ROLLBACK").await;
            db::execute(&setter, &format!("BEGIN ISOLATION LEVEL {level}; SELECT 1")).await;
            call(&setter, change).await;
            db::execute(&setter, "COMMIT").await;
            verify_clean(&client).await;
        }
    }
}
