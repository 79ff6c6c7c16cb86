//! Rates have a history that is never rewritten, and an escrow keeps those of the moment it was opened.

use super::*;
use wallet_ledger_tests::bank::{events as told, one};
use wallet_ledger_tests::db::execute;

async fn listed(client: &Client, at: &str) -> Vec<String> {
    let rows = calls(client, &format!("list_rates({at})")).await;
    rows.iter().map(|row| row.pick(["name", "rate"]).join(" ")).collect()
}

#[tokio::test]
async fn a_changed_rate_changes_nothing_for_what_is_open() {
    let (_db, client) = shop("changed").await;
    let old = open_order(&client, "old").await["id"].to_owned();
    act(&client, "release_escrow", &old, ", 30000.01").await;
    call(&client, "set_rate('merchant_commission', 0.5)").await;
    call(&client, "set_rate('delivery_platform_share', 0.000001, account => 'platform:drivers')").await;
    let new = open_order(&client, "new").await["id"].to_owned();
    act(&client, "release_escrow", &old, "").await;
    assert_eq!(earned(&client).await, [dec!(72250), dec!(12000), dec!(12750), dec!(3000)]);
    let line = act(&client, "release_escrow", &new, "").await;
    assert_eq!(line.json("lines")[0]["fee_amount"], "42500.00");
    // It is a sen and a half, and half a sen is the beneficiary's.
    assert_eq!(line.json("lines")[1]["fee_amount"], "0.01");
    assert_eq!(posted(&client, "platform:drivers").await, "0.01");
    act(&client, "refund_escrow", &old, "").await;
    act(&client, "refund_escrow", &new, "").await;
    assert_eq!(earned(&client).await, [dec!(0); 4]);
    assert_escrows_sound(&client).await;
}

#[tokio::test]
async fn rates_have_defaults_and_a_history() {
    let (_db, client) = shop("history").await;
    assert_eq!(listed(&client, "").await, ["delivery_platform_share 0.2", "merchant_commission 0.15"]);
    let default = calls(&client, "list_rates()").await.remove(1);
    assert_eq!(default.pick(["account", "effective_from", "set_by"]), [COMMISSION, "NULL", "NULL"]);
    assert_error(
        try_call(&client, &open_call("x", &ORDER.replace("merchant_commission", "escrow_fee"), "")).await,
        "rate_not_found",
        "PT404",
    );
    client.batch_execute("SET wallet_ledger.actor = 'finance:1'").await.unwrap();
    let began = value(&client, "SELECT clock_timestamp()").await;
    let row = call(&client, "set_rate('escrow_fee', 0.0125, reason => 'board of 3 May')").await;
    assert_eq!(
        row.pick(["ledger", "name", "rate", "account", "set_by", "reason"]),
        ["main", "escrow_fee", "0.0125", "platform:revenue:escrow_fee", "finance:1", "board of 3 May"]
    );
    let later = call(&client, "set_rate('escrow_fee', 0.02, now() + interval '30 days')").await;
    let at = |sql: &str| format!("at => {sql}");
    assert!(listed(&client, "").await.contains(&"escrow_fee 0.0125".to_owned()));
    assert!(listed(&client, &at("now() + interval '31 days'")).await.contains(&"escrow_fee 0.02".to_owned()));
    assert_eq!(listed(&client, &at(&format!("'{began}'"))).await.len(), 2, "it did not count then");
    // The same again changes nothing; the past cannot be set.
    let again = call(&client, "set_rate('escrow_fee', 0.012500)").await;
    assert_eq!(again.pick(["effective_from", "created_at"]), row.pick(["effective_from", "created_at"]));
    let again = format!("set_rate('escrow_fee', 0.02, '{}')", &later["effective_from"]);
    assert_eq!(call(&client, &again).await["created_at"], later["created_at"]);
    let before = contents(&client).await;
    for sql in [
        "set_rate('escrow_fee', 0.5, now() - interval '1 second')",
        "set_rate('escrow_fee', 0.5, '-infinity')",
        "set_rate('escrow_fee', 0.5, 'infinity')",
    ] {
        let error = assert_error(try_call(&client, sql).await, "invalid_argument", "PT400");
        assert_eq!(error.detail["argument"], "effective_from");
    }
    assert_eq!(before, contents(&client).await);
    let history = "SELECT string_agg(rate || ' ' || set_by, ', ' ORDER BY revision) FROM wallet_ledger.rates";
    assert_eq!(value(&client, history).await, "0.0125 finance:1, 0.02 finance:1");
    let told: Vec<Value> =
        told(&client, &["rate.changed"]).await.iter().map(|row| row.json("payload")).collect();
    assert_eq!(
        (told.len(), &told[0]["value_before"], &told[1]["value_before"]),
        (2, &Value::Null, &json!("0.0125"))
    );
    assert_eq!(told[0]["reason"], "board of 3 May");
    assert_escrows_sound(&client).await;
}

/// Rates of other ledgers are other rates.
#[tokio::test]
async fn each_ledger_has_its_own() {
    let (db, client) = shop("ledgers").await;
    call(&db.connect().await, "create_ledger('second')").await;
    call(&client, "set_rate('merchant_commission', 0.5, ledger => 'second')").await;
    let mine = one(
        &client,
        "SELECT rate FROM wallet_ledger.list_rates(ledger => 'main') WHERE name = 'merchant_commission'",
    );
    assert_eq!(&mine.await["rate"], "0.15");
    let open = open_call("l", ORDER, ", ledger => 'main'");
    let id = call(&client, &open).await["id"].to_owned();
    let elsewhere = try_act(&client, "release_escrow", &id, ", ledger => 'second'").await;
    assert_error(elsewhere, "escrow_not_found", "PT404");
    act(&client, "release_escrow", &id, ", ledger => 'main'").await;
    assert_eq!(earned(&client).await[2], dec!(12750));
    assert_escrows_sound(&client).await;
}

/// The first fees of several rates make accounts: two orders with the same rates in another order make them in one
/// order, and do not wait for each other in a circle.
#[tokio::test]
async fn first_fees_make_their_accounts_in_one_order() {
    let (db, client) = shop("first_fees").await;
    for fee in ["fee_a", "fee_b", "fee_c"] {
        call(&client, &format!("set_rate('{fee}', 0.1)")).await;
    }
    let order = |reference: &str, fees: &[&str]| {
        let lines: Vec<Value> =
            fees.iter().map(|fee| json!({"beneficiary": MERCHANT, "amount": 1000, "fee": fee})).collect();
        open_call(reference, &Value::from(lines).to_string(), "")
    };
    let (slow, one, two) = (db.app().await, db.app().await, db.app().await);
    let waiting = [backend(&one).await, backend(&two).await];
    // Somebody is making the account of one of them by hand.
    execute(&slow, "BEGIN").await;
    call(&slow, "create_account('platform:revenue:fee_c', 'revenue')").await;
    let (first, second) = (order("one", &["fee_a", "fee_c", "fee_b"]), order("two", &["fee_b", "fee_a"]));
    let then = async {
        until_blocked(&client, &waiting[0]).await;
        let release = async {
            until_blocked(&client, &waiting[1]).await;
            execute(&slow, "ROLLBACK").await;
        };
        tokio::join!(call(&two, &second), release).0
    };
    let (one, two) = tokio::join!(call(&one, &first), then);
    for (opened, held) in [(one, "3000.00"), (two, "2000.00")] {
        assert_eq!(opened.pick(["status", "held_amount"]), ["held", held]);
    }
    assert_escrows_sound(&client).await;
}
