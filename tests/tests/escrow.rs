//! Proves the life of an order's money: it waits, is paid out less the fees of the day it was opened, goes back
//! in exactly the split in which it was paid, and whoever asks again or too late is told what has happened.

#[path = "escrow/advances.rs"]
mod advances;
#[path = "escrow/answers.rs"]
mod answers;
#[path = "escrow/disputes.rs"]
mod disputes;
#[path = "escrow/events.rs"]
mod events;
#[path = "escrow/payments.rs"]
mod payments;
#[path = "escrow/rates.rs"]
mod rates;

use wallet_ledger_tests::bank::money;
use wallet_ledger_tests::escrow::{
    BUYER, COMMISSION, DELIVERY_SHARE, DRIVER, MERCHANT, ORDER, act, all_balances, assert_escrows_sound,
    escrow_now, open_call, open_order, shop, try_act,
};
use wallet_ledger_tests::*;

/// What the merchant, the driver and the platform's two accounts have.
async fn earned(client: &Client) -> [Decimal; 4] {
    let mut earned = [Decimal::ZERO; 4];
    let all = all_balances(client).await;
    for (sum, account) in earned.iter_mut().zip([MERCHANT, DRIVER, COMMISSION, DELIVERY_SHARE]) {
        *sum = all.get(account).map_or(Decimal::ZERO, |posted| money(posted));
    }
    earned
}

/// Sets an escrow's clock back by so many seconds, as if it had been shipped earlier.
async fn pass(db: &TestDb, id: &str, seconds: u64) {
    let sql = format!(
        "UPDATE wallet_data.escrows SET release_due_at = release_due_at - interval '{seconds} s',
             attempt_at = attempt_at - interval '{seconds} s' WHERE escrow_id = '{id}'"
    );
    db::execute(&db.connect().await, &sql).await;
}

#[tokio::test]
async fn the_order_of_the_requirements_and_back() {
    let (_db, client) = shop("order").await;
    let before = all_balances(&client).await;
    let opened = open_order(&client, "ORD-1").await;
    assert_eq!(
        opened.pick(["ledger", "reference", "status", "account", "buyer_account", "currency", "replayed"]),
        ["main", "ORD-1", "held", "escrows:ORD-1", BUYER, "IDR", "f"]
    );
    let sums =
        ["amount", "held_amount", "released_amount", "fee_amount", "refunded_amount", "returned_amount"];
    assert_eq!(opened.pick(sums), ["100000.00", "100000.00", "0.00", "0.00", "0.00", "0.00"]);
    assert_eq!(opened.json("lines")[0]["rate"], "0.15");
    assert_eq!(opened.json("lines")[1]["description"], "delivery");
    assert_eq!(posted(&client, BUYER).await, "900000.00");
    assert_eq!(balances(&client, "escrows:ORD-1").await, ["100000.00", "0.00", "100000.00"]);

    let released = act(&client, "release_escrow", &opened["id"], "").await;
    assert_eq!(&released["status"], "released");
    assert_eq!(released.pick(sums), ["100000.00", "0.00", "100000.00", "15750.00", "0.00", "0.00"]);
    assert_eq!(earned(&client).await, [dec!(72250), dec!(12000), dec!(12750), dec!(3000)]);
    assert_eq!(posted(&client, "escrows:ORD-1").await, "0.00");
    let kinds = format!(
        "SELECT string_agg(kind || ' ' || credit_account || ' ' || amount || ' ' || reference, ', '
                           ORDER BY kind, credit_account)
         FROM wallet_ledger.transfers WHERE transaction_id = '{}'",
        &released["transaction_id"]
    );
    assert_eq!(
        value(&client, &kinds).await,
        "commission platform:revenue:delivery_platform_share 3000.00 ORD-1, \
         commission platform:revenue:merchant_commission 12750.00 ORD-1, \
         earning drivers:7 12000.00 ORD-1, earning merchants:5 72250.00 ORD-1"
    );

    let refunded = act(&client, "refund_escrow", &opened["id"], ", reason => 'spoilt'").await;
    assert_eq!(&refunded["status"], "refunded");
    assert_eq!(refunded.pick(sums), ["100000.00", "0.00", "100000.00", "15750.00", "0.00", "100000.00"]);
    assert_eq!(all_balances(&client).await, before, "every account is back where it was");
    for function in ["release_escrow", "refund_escrow", "confirm_receipt", "mark_shipped"] {
        let error = try_act(&client, function, &opened["id"], "").await;
        assert_eq!(assert_error(error, "escrow_closed", "PT409").detail["status"], "refunded");
    }
    assert_escrows_sound(&client).await;
}

#[tokio::test]
async fn a_refund_before_the_release_comes_out_of_the_escrow() {
    let (_db, client) = shop("early_refund").await;
    let before = all_balances(&client).await;
    let id = open_order(&client, "r").await["id"].to_owned();
    let line = act(&client, "refund_escrow", &id, ", 40000").await;
    assert_eq!(line.pick(["status", "held_amount", "refunded_amount"]), ["held", "60000.00", "40000.00"]);
    // In proportion: 85 % and 15 % of it.
    assert_eq!(line.json("lines")[0]["refunded_amount"], "34000.00");
    assert_eq!(line.json("lines")[1]["refunded_amount"], "6000.00");
    let error = try_act(&client, "refund_escrow", &id, ", 60000.01").await;
    assert_eq!(assert_error(error, "refund_exceeds_payment", "PT422").detail["left"], "60000.00");
    let line = act(&client, "refund_escrow", &id, "").await;
    assert_eq!(line.pick(["status", "held_amount", "refunded_amount"]), ["refunded", "0.00", "100000.00"]);
    assert_ne!(&line["closed_at"], "NULL");
    assert_eq!(all_balances(&client).await, before);
    assert_escrows_sound(&client).await;
}

#[tokio::test]
async fn parts_by_amount_and_by_line_come_to_the_whole() {
    let (_db, client) = shop("parts").await;
    let before = all_balances(&client).await;
    let id = open_order(&client, "p").await["id"].to_owned();
    // 1 sen is the larger line's, and no fee yet is half a sen.
    let line = act(&client, "release_escrow", &id, ", 0.01").await;
    assert_eq!(line.pick(["status", "released_amount", "fee_amount"]), ["held", "0.01", "0.00"]);
    assert_eq!(line.json("lines")[0]["released_amount"], "0.01");
    let line = act(&client, "release_escrow", &id, ", 5000, line => 2").await;
    assert_eq!(line.json("lines")[1]["fee_amount"], "1000.00");
    assert_eq!(line.json("lines")[0]["released_amount"], "0.01");
    let error = try_act(&client, "release_escrow", &id, ", 10000.01, line => 2").await;
    let error = assert_error(error, "release_exceeds_escrow", "PT422");
    assert_eq!((&error.detail["left"], &error.detail["amount"]), (&json!("10000.00"), &json!("10000.01")));
    let line = act(&client, "release_escrow", &id, ", line => 2").await;
    assert_eq!(line.json("lines")[1]["held_amount"], "0.00");
    let error = try_act(&client, "release_escrow", &id, ", line => 2").await;
    assert_eq!(assert_error(error, "release_exceeds_escrow", "PT422").detail["left"], "0.00");
    // A refund of a line takes its own money only: the food is untouched.
    let line = act(&client, "refund_escrow", &id, ", 3000, line => 2").await;
    assert_eq!(line.json("lines")[1]["returned_amount"], "3000.00");
    assert_eq!(line.json("lines")[1]["returned_fee_amount"], "600.00");
    assert_eq!(line.json("lines")[0]["held_amount"], "84999.99");
    let line = act(&client, "confirm_receipt", &id, ", 'it was good'").await;
    assert_eq!(line.pick(["status", "released_amount", "fee_amount"]), ["released", "100000.00", "15750.00"]);
    assert_eq!(earned(&client).await, [dec!(72250), dec!(9600), dec!(12750), dec!(2400)]);
    let error = try_act(&client, "refund_escrow", &id, ", 97000.01").await;
    assert_eq!(assert_error(error, "refund_exceeds_payment", "PT422").detail["left"], "97000.00");
    for amount in ["0.01", "33333.33", "63666.66"] {
        act(&client, "refund_escrow", &id, &format!(", {amount}")).await;
    }
    assert_eq!(&escrow_now(&client, &id).await["status"], "refunded");
    assert_eq!(all_balances(&client).await, before);
    assert_escrows_sound(&client).await;
}

#[tokio::test]
async fn the_clock_runs_from_shipping_to_release() {
    let (db, client) = shop("clock").await;
    let line = call(&client, &open_call("c", ORDER, ", '3 days'")).await;
    let (id, fields) = (line["id"].to_owned(), ["status", "release_due_at", "shipped_at"]);
    assert_eq!(line.pick(fields), ["held", "NULL", "NULL"]);
    assert!(calls(&client, "release_due_escrows()").await.is_empty());
    let line = act(&client, "mark_shipped", &id, ", 'JNE-1'").await;
    assert_eq!(line.pick(["status", "tracking_reference", "transaction_id"]), ["shipped", "JNE-1", "NULL"]);
    let lasts = format!("SELECT '{}'::timestamptz - '{}'", &line["release_due_at"], &line["shipped_at"]);
    assert_eq!(value(&client, &lasts).await, "3 days");
    assert_error(try_act(&client, "mark_shipped", &id, "").await, "already_shipped", "PT409");
    let second = 3 * 86_400;
    pass(&db, &id, second - 60).await;
    assert!(calls(&client, "release_due_escrows()").await.is_empty(), "a minute is left");
    // A part that was released before is not released again.
    act(&client, "release_escrow", &id, ", 20000").await;
    pass(&db, &id, 60).await;
    let due = calls(&client, "release_due_escrows()").await;
    assert_eq!(due.len(), 1);
    assert_eq!(
        due[0].pick(["escrow_id", "ledger", "reference", "outcome", "amount", "error"]),
        [id.as_str(), "main", "c", "released", "80000.00", "NULL"]
    );
    assert!(calls(&client, "release_due_escrows()").await.is_empty());
    assert_eq!(escrow_now(&client, &id).await.pick(["status", "release_due_at"]), ["released", "NULL"]);
    assert_eq!(earned(&client).await, [dec!(72250), dec!(12000), dec!(12750), dec!(3000)]);
    // At once, where that was agreed.
    let at_once = call(&client, &open_call("now", ORDER, ", '0'")).await["id"].to_owned();
    act(&client, "mark_shipped", &at_once, "").await;
    assert_eq!(calls(&client, "release_due_escrows(1)").await.len(), 1);
    assert_eq!(&escrow_now(&client, &at_once).await["status"], "released");
    assert_escrows_sound(&client).await;
}
