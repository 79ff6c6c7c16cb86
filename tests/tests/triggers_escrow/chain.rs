//! The whole way in: the bank's report pays the intent, the paid intent marks the order, and the order's new
//! status opens its escrow, in one transaction.

use super::market::{Form, ORDERS, TABLE, attach};
use wallet_ledger_tests::bank::{BCA, assert_bank_sound, bank_books, credit, match_line, try_match_line};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

#[tokio::test]
async fn a_bank_transfer_opens_the_escrow() {
    let (db, app) = bank_books("chain").await;
    let dba = db.connect().await;
    let owner = db.role("shop", "").await;
    for number in [1, 2] {
        call(&app, &format!("create_account('merchants:{number}', 'liability', minimum_balance => 0)")).await;
    }
    execute(
        &dba,
        &format!(
            "CREATE SCHEMA shop AUTHORIZATION \"{owner}\"; SET ROLE \"{owner}\"; {TABLE} RESET ROLE;
             {}
             CREATE TRIGGER orders_paid AFTER UPDATE ON wallet_data.intents
                 REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT
                 EXECUTE FUNCTION wallet_ledger.update_on_intent('shop.orders', 'id', 'status', 'paid', '', 'order');
             INSERT INTO shop.orders (id, order_no, buyer_id, merchant_id, total)
                 VALUES (1, 'A-1', 'u', 1, 150000), (2, 'A-2', 'u', 1, 999999)",
            attach("shop.orders", Form::Statement, ORDERS)
        ),
    )
    .await;
    let pay = async |id: u32| {
        let intent = format!("create_intent('order', 'wallets:u', 150000, '{BCA}', reference => '{id}')");
        call(&app, &intent).await["total"].to_owned()
    };
    let total = pay(1).await;
    assert_eq!(&match_line(&app, &credit("m1", &total)).await["outcome"], "matched");
    let order = "SELECT status FROM shop.orders WHERE id = 1";
    assert_eq!(value(&dba, order).await, "paid");
    let transactions = "SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM shop.orders WHERE id = 1
        UNION ALL SELECT xmin FROM wallet_data.mutations UNION ALL SELECT xmin FROM wallet_data.escrows) AS written";
    assert_eq!(value(&dba, transactions).await, "1");
    assert_eq!(posted(&app, "escrows:A-1").await, "150000.00");
    assert_eq!(posted(&app, "wallets:u").await, "0.00");
    execute(&dba, "UPDATE shop.orders SET status = 'delivered' WHERE id = 1").await;
    assert_eq!(posted(&app, "merchants:1").await, "127500.00");
    // An order that costs more than was paid for it stops all of it, and the error names the row.
    let total = pay(2).await;
    let before = contents(&app).await;
    let error =
        assert_error(try_match_line(&app, &credit("m2", &total)).await, "insufficient_funds", "PT402");
    assert_eq!((&error.detail["row"], &error.detail["account"]), (&json!("2"), &json!("wallets:u")));
    assert_eq!(contents(&app).await, before);
    assert_bank_sound(&app).await;
}
