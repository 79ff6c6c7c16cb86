//! What needs two postings locks the accounts of both in the one order, before the first.

use super::*;

/// Makes a call while somebody has the suspense account, who then comes to `wallets:u`, as any posting would that needs
/// both: the call must not have that already.
async fn beside_an_orderly_session(db: &TestDb, sql: &str) -> Line {
    let [observer, session, orderly] = [db.app().await, db.app().await, db.connect().await];
    let process = backend(&session).await;
    let lock = |account: &str| {
        format!("SELECT FROM wallet_data.accounts WHERE address = '{account}' FOR NO KEY UPDATE")
    };
    db::execute(&orderly, &format!("BEGIN; {}", lock(SUSPENSE))).await;
    let goes_on = async {
        until_blocked(&observer, &process).await;
        db::execute(&orderly, &lock("wallets:u")).await;
        db::execute(&orderly, "COMMIT").await;
    };
    tokio::join!(call(&session, sql), goes_on).0
}

#[tokio::test]
async fn undoing_locks_suspense_before_the_wallet() {
    let (db, client) = bank_books("undo_order").await;
    let paid = intent(&client, 50_000, "").await;
    let mutation = match_line(&client, &credit("m", &paid["total"])).await["mutation_id"].to_owned();
    let undo = format!("unmatch_mutation('{mutation}', 'wrong')");
    assert_eq!(&beside_an_orderly_session(&db, &undo).await["status"], "review");
    assert_eq!(balance(&client, "wallets:u").await, dec!(0));
    assert_eq!(balance(&client, SUSPENSE).await, money(&paid["total"]));
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn what_a_wallet_refuses_locks_suspense_before_it() {
    let (db, client) = bank_books("refusal_order").await;
    let wanted = intent(&client, 50_000, "").await;
    call(&client, "freeze_account('wallets:u')").await;
    let line = quoted(&credit("m", &wanted["total"]).to_string());
    let outcome = beside_an_orderly_session(&db, &format!("match_mutation({line})")).await;
    assert_eq!(told(&outcome), "review posting_refused account_frozen");
    assert_eq!(balance(&client, SUSPENSE).await, money(&wanted["total"]));
    assert_bank_sound(&client).await;
}
