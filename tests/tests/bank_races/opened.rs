//! Accounts that two sessions open at the same time: the second finds what the first has made, and goes on with it as
//! with one that had been there for long.

use wallet_ledger_tests::bank::{assert_bank_sound, bank_books};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

/// Makes the second call while the first is not committed yet, and returns its answer.
async fn while_open(db: &TestDb, first: &str, second: &str) -> Line {
    let [observer, opening, waiting] = [db.app().await, db.app().await, db.app().await];
    let process = backend(&waiting).await;
    execute(&opening, "BEGIN").await;
    call(&opening, first).await;
    let commit = async {
        until_blocked(&observer, &process).await;
        execute(&opening, "COMMIT").await;
    };
    tokio::join!(call(&waiting, second), commit).0
}

/// The first opening balance makes the platform's account in its currency; of another currency it is another account.
#[tokio::test]
async fn an_account_of_the_platform_opened_in_two_currencies_at_once_is_two() {
    let (db, client) = bank_books("opened_currencies").await;
    call(&client, "create_account('banks:usd', 'asset', 'USD')").await;
    let register = |account: &str, id: &str, amount: &str| {
        format!("register_bank_account('{account}', 'moota', '{id}', opening_balance => {amount})")
    };
    let idr = register("banks:idr", "idr", "1000");
    while_open(&db, &idr, &register("banks:usd", "usd", "12.34")).await;
    assert_eq!(posted(&client, "equity:opening_balances").await, "1000.00");
    assert_eq!(posted(&client, "equity:opening_balances:usd").await, "12.34");
    assert_bank_sound(&client).await;
}

/// What a bank account needs may have a floor, a ceiling or an owner: also if it is made meanwhile.
#[tokio::test]
async fn a_bank_account_takes_what_is_made_meanwhile_as_it_is() {
    let (db, client) = bank_books("opened_meanwhile").await;
    let made = [
        "create_account('banks:new', 'asset', minimum_balance => 0)",
        "create_account('banks:new:suspense', 'liability', owner => 'finance')",
        "create_account('banks:new:outgoing', 'liability', maximum_balance => 1000000)",
    ];
    for (number, first) in made.iter().enumerate() {
        let (first, account) = (first.replace("new", &format!("new{number}")), format!("banks:new{number}"));
        let second = format!("register_bank_account('{account}', 'moota', 'new-{number}')");
        assert_eq!(&while_open(&db, &first, &second).await["account"], account);
    }
    assert_bank_sound(&client).await;
}
