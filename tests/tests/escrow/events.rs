//! What is told to those it concerns, and what is kept of who did what and why.

use super::*;
use wallet_ledger_tests::bank::{events as told, one};

const TOPICS: &[&str] = &[
    "escrow.opened",
    "escrow.shipped",
    "escrow.released",
    "escrow.confirmed",
    "escrow.refunded",
    "escrow.disputed",
    "escrow.dispute_noted",
    "escrow.dispute_resolved",
    "escrow.release_failed",
];

#[tokio::test]
async fn every_change_is_told_and_kept() {
    let (_db, client) = shop("told").await;
    let actor = |name: &str| format!("SET wallet_ledger.actor = '{name}'");
    client.batch_execute(&actor("cashier")).await.unwrap();
    let opened = open_order(&client, "t").await;
    let id = opened["id"].to_owned();
    client.batch_execute(&actor("warehouse")).await.unwrap();
    let shipped = act(&client, "mark_shipped", &id, ", 'JNE-1'").await;
    let released = act(&client, "release_escrow", &id, ", 20000, 'first part'").await;
    client.batch_execute(&actor("users:1")).await.unwrap();
    let dispute = act(&client, "open_dispute", &id, ", 'users:1', 'cold'").await;
    let note = call(&client, &format!("add_dispute_note('{}', 'see photo')", &dispute["id"])).await;
    client.batch_execute(&actor("mediator")).await.unwrap();
    let resolved = act(&client, "resolve_dispute", &dispute["id"], ", 20000, 'cold indeed'").await;
    let refunded = act(&client, "refund_escrow", &id, ", 10000, 'sorry'").await;
    let second = open_order(&client, "s").await;
    let confirmed = act(&client, "confirm_receipt", &second["id"], ", 'eaten'").await;

    let told = told(&client, TOPICS).await;
    let payloads: Vec<Value> = told.iter().map(|row| row.json("payload")).collect();
    let topics: Vec<&str> = told.iter().map(|row| &row["topic"]).collect();
    assert_eq!(
        topics.join(" ").replace("escrow.", ""),
        "opened shipped released disputed dispute_noted dispute_resolved refunded opened confirmed"
    );
    for payload in &payloads[..7] {
        assert_eq!(payload["escrow_id"], id.as_str());
        assert_eq!((&payload["reference"], &payload["currency"]), (&json!("t"), &json!("IDR")));
        assert_eq!(payload["buyer_account"], BUYER);
        assert_eq!(payload["seller_accounts"], json!([DRIVER, MERCHANT]));
        assert_eq!(payload["for"], json!(["buyer", "seller", "finance"]));
        assert_eq!(payload["amount"], "100000.00");
    }
    let has = |number: usize, fields: Value| {
        for (name, value) in fields.as_object().unwrap() {
            assert_eq!(&payloads[number][name], value, "{} of {}", name, payloads[number]);
        }
    };
    has(0, json!({"status": "held", "actor": "cashier", "reason": null}));
    has(0, json!({"transaction_id": &opened["transaction_id"]}));
    has(1, json!({"status": "shipped", "actor": "warehouse", "tracking_reference": "JNE-1"}));
    let due = payloads[1]["release_due_at"].as_str().unwrap();
    let same = format!("SELECT '{due}'::timestamptz = '{}'", &shipped["release_due_at"]);
    assert_eq!(value(&client, &same).await, "t");
    has(2, json!({"status": "shipped", "reason": "first part", "released": "20000.00", "fee": "3150.00"}));
    has(
        2,
        json!({"refunded": "0.00", "transaction_id": &released["transaction_id"], "lines": [
        {"line": 1, "beneficiary_account": MERCHANT, "earned": "14450.00", "fee": "2550.00",
         "given_back": "0.00", "owed": "0.00"},
        {"line": 2, "beneficiary_account": DRIVER, "earned": "2400.00", "fee": "600.00",
         "given_back": "0.00", "owed": "0.00"}]}),
    );
    has(3, json!({"status": "disputed", "actor": "users:1", "opened_by": "users:1", "reason": "cold"}));
    has(3, json!({"dispute_id": &dispute["id"]}));
    has(4, json!({"dispute_id": &dispute["id"], "note_id": &note["add_dispute_note"]}));
    has(
        5,
        json!({"status": "released", "actor": "mediator", "reason": "cold indeed", "refunded": "20000.00"}),
    );
    has(5, json!({"released": "60000.00", "transaction_id": &resolved["transaction_id"]}));
    has(6, json!({"status": "released", "reason": "sorry", "refunded": "10000.00", "released": "0.00"}));
    has(6, json!({"transaction_id": &refunded["transaction_id"]}));
    has(8, json!({"status": "released", "reason": "eaten", "released": "100000.00", "fee": "15750.00"}));
    has(8, json!({"transaction_id": &confirmed["transaction_id"]}));

    let kept =
        lines(&client, "SELECT * FROM wallet_ledger.escrow_actions WHERE reference = 't' ORDER BY id").await;
    let kept: Vec<String> = kept
        .iter()
        .map(|row| {
            let moved =
                ["released_amount", "refunded_amount", "returned_amount"].map(|name| money(&row[name]));
            let moved = moved.map(|sum| sum.normalize().to_string()).join(" ");
            format!("{} {moved}", row.pick(["action", "actor", "reason"]).join(" | "))
        })
        .collect();
    assert_eq!(
        kept,
        [
            "open_escrow | cashier | NULL 0 0 0",
            "mark_shipped | warehouse | NULL 0 0 0",
            "release_escrow | warehouse | first part 20000 0 0",
            "open_dispute | users:1 | cold 0 0 0",
            "resolve_dispute | mediator | cold indeed 60000 20000 0",
            "refund_escrow | mediator | sorry 0 0 10000",
        ]
    );
    assert_escrows_sound(&client).await;
}

/// What a function returns is what the views show.
#[tokio::test]
async fn the_views_agree_with_the_answers() {
    let (_db, client) = shop("views").await;
    let id = call(&client, &open_call("v", ORDER, ", metadata => '{\"cart\": 7}'")).await["id"].to_owned();
    let mut answers = vec![act(&client, "mark_shipped", &id, ", 'JNE'").await];
    for (function, more) in [
        ("release_escrow", ", 33333.33"),
        ("refund_escrow", ", 11111.11, line => 2"),
        ("refund_escrow", ", 60000"),
        ("release_escrow", ""),
        ("refund_escrow", ", 5, on_shortfall => 'advance'"),
        ("refund_escrow", ""),
    ] {
        let same = ["status", "transaction_id", "replayed", "lines", "ledger"];
        if let Ok(line) = try_act(&client, function, &id, more).await {
            answers.push(line);
        }
        let (answer, shown) = (answers.last().unwrap(), escrow_now(&client, &id).await);
        assert_eq!(answer["status"], shown["status"]);
        assert_eq!(answer.without(&same), shown.without(&same).without(&["metadata"]), "{function}");
        let mut rows = lines(
            &client,
            &format!("SELECT * FROM wallet_ledger.escrow_lines WHERE escrow_id = '{id}' ORDER BY line"),
        )
        .await;
        for (row, line) in rows.iter_mut().zip(answer.json("lines").as_array().unwrap()) {
            for (name, value) in line.as_object().unwrap() {
                let said = value.as_str().map_or(value.to_string(), str::to_owned);
                assert_eq!(row[name.as_str()], said, "{name} of {row:?}");
            }
        }
    }
    assert_eq!(answers.len(), 6, "one of them is refused: nothing is held any more");
    let shown = escrow_now(&client, &id).await;
    assert_eq!((shown.json("metadata"), &shown["status"]), (json!({"cart": 7}), "refunded"));
    let splits = one(
        &client,
        "SELECT sum(released_amount) AS released, sum(fee_amount) AS fee, sum(returned_fee_amount) AS fee_back,
                count(DISTINCT action) AS actions
         FROM wallet_ledger.escrow_splits WHERE fee_account = 'platform:revenue:merchant_commission'",
    )
    .await;
    assert_eq!(splits["fee"], splits["fee_back"]);
    assert_eq!(&splits["actions"], "2");
    assert_escrows_sound(&client).await;
}
