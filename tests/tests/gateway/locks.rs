//! All accounts that a notice needs are locked in the one order, before anything of it is posted.

use super::providers::*;
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

const OUTGOING: &str = "gateways:midtrans:outgoing";

fn lock(account: &str) -> String {
    format!("SELECT FROM wallet_data.accounts WHERE address = '{account}' FOR NO KEY UPDATE")
}

/// The refund was notified first: the settlement credits, and takes back at once.
#[tokio::test]
async fn a_credit_and_its_reversal_in_one_notice_lock_in_the_one_order() {
    let (db, client) = shop("credit_reversal_order").await;
    order(&client, "u", 50_000, "o-1").await;
    midtrans(&client, &refunds("o-1", 50_000, &[("a", 30_000)])).await;
    let [session, orderly] = [db.app().await, db.connect().await];
    let process = backend(&session).await;
    execute(&orderly, &format!("BEGIN; {}", lock(OUTGOING))).await;
    let goes_on = async {
        until_blocked(&client, &process).await;
        execute(&orderly, &lock("wallets:u")).await;
        execute(&orderly, "COMMIT").await;
    };
    let settled = settlement("o-1", 50_000);
    let (line, ()) = tokio::join!(midtrans(&session, &settled), goes_on);
    assert_eq!((&line["outcome"], reasons(&line)), (&json!("matched"), vec!["refund"]));
    assert_eq!(posted(&client, "wallets:u").await, "20000.00");
    assert_all_sound(&client).await;
}

/// The account that pays what is missing is made by somebody else while the reversal waits for the wallet: it must not
/// come to it after the wallet.
#[tokio::test]
async fn a_shortfall_account_made_meanwhile_is_locked_in_the_one_order() {
    let (db, client) = shop("shortfall_order").await;
    order(&client, "u", 50_000, "o-1").await;
    midtrans(&client, &settlement("o-1", 50_000)).await;
    call(&client, "post_transfer('wallets:u', 'shop', 50000)").await;
    let [session, slow, orderly] = [db.app().await, db.connect().await, db.connect().await];
    let waiting = [backend(&session).await, backend(&orderly).await];
    execute(&slow, &format!("BEGIN; {}", lock("wallets:u"))).await;
    let both = format!("BEGIN; {}; {}; COMMIT", lock(SHORTFALL), lock("wallets:u"));
    let order = async {
        until_blocked(&client, &waiting[0]).await;
        let makes = async {
            call(&orderly, &format!("create_account('{SHORTFALL}', 'asset')")).await;
            execute(&orderly, &both).await;
        };
        let release = async {
            until_blocked(&client, &waiting[1]).await;
            execute(&slow, "COMMIT").await;
        };
        tokio::join!(makes, release)
    };
    let refund = refunds("o-1", 50_000, &[("a", 30_000)]);
    let (line, _) = tokio::join!(midtrans(&session, &refund), order);
    assert_eq!((&line["outcome"], reasons(&line)), (&json!("ignored"), vec!["refund"]));
    assert_eq!(posted(&client, SHORTFALL).await, "30000.00");
    assert_all_sound(&client).await;
}
