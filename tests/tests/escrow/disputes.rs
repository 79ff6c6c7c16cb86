//! A dispute freezes its escrow, stops the clock, and is decided once, with both sides paid.

use super::*;
use wallet_ledger_tests::bank::one;

#[tokio::test]
async fn a_dispute_freezes_everything() {
    let (db, client) = shop("freeze").await;
    let id = open_order(&client, "d").await["id"].to_owned();
    act(&client, "mark_shipped", &id, ", 'JNE'").await;
    act(&client, "release_escrow", &id, ", 10000").await;
    pass(&db, &id, 8 * 86_400).await;
    let dispute = act(&client, "open_dispute", &id, ", 'users:1', 'never came 💸', '[\"photo-1\"]'").await;
    assert_eq!(
        dispute.pick(["ledger", "escrow_id", "status", "opened_by", "reason", "refunded_amount"]),
        ["main", id.as_str(), "open", "users:1", "never came 💸", "NULL"]
    );
    assert_eq!(dispute.json("evidence"), json!(["photo-1"]));
    let now = escrow_now(&client, &id).await;
    assert_eq!(now.pick(["status", "release_due_at"]), ["disputed", "NULL"]);
    let before = contents(&client).await;
    for function in ["release_escrow", "refund_escrow", "confirm_receipt", "mark_shipped"] {
        let error = try_act(&client, function, &id, "").await;
        assert_eq!(assert_error(error, "escrow_disputed", "PT422").detail["escrow_id"], id.as_str());
    }
    let again = try_act(&client, "open_dispute", &id, ", 'x', 'y'").await;
    assert_error(again, "escrow_disputed", "PT422");
    assert!(calls(&client, "release_due_escrows()").await.is_empty(), "the clock stands");
    assert_eq!(before, contents(&client).await);

    let note = "add_dispute_note('{}', '{}', '{}')";
    let note = |text: &str, evidence: &str| {
        note.replacen("{}", &dispute["id"], 1).replacen("{}", text, 1).replacen("{}", evidence, 1)
    };
    client.batch_execute("SET wallet_ledger.actor = 'mediator'").await.unwrap();
    call(&client, &note("who signed?", "{\"asked\": \"JNE\"}")).await;
    call(&client, &note("the neighbour", "[]")).await;
    let notes = lines(&client, "SELECT * FROM wallet_ledger.dispute_notes ORDER BY id").await;
    assert_eq!(notes[0].pick(["author", "note", "dispute_id"]), ["mediator", "who signed?", &dispute["id"]]);
    assert_eq!((notes.len(), notes[0].json("evidence")), (2, json!({"asked": "JNE"})));

    let resolved = act(&client, "resolve_dispute", &dispute["id"], ", 30000, 'a third'").await;
    assert_eq!(
        resolved.pick(["status", "refunded_amount", "released_amount", "resolved_by", "resolution"]),
        ["resolved", "30000.00", "60000.00", "mediator", "a third"]
    );
    let shown = one(&client, "SELECT * FROM wallet_ledger.disputes").await;
    for column in ["id", "status", "refunded_amount", "released_amount", "resolution", "transaction_id"] {
        assert_eq!(shown[column], resolved[column], "{column}");
    }
    let now = escrow_now(&client, &id).await;
    assert_eq!(
        now.pick(["status", "held_amount", "released_amount", "refunded_amount", "fee_amount"]),
        ["released", "0.00", "70000.00", "30000.00", "11025.00"]
    );
    assert_eq!(earned(&client).await, [dec!(50575), dec!(8400), dec!(8925), dec!(2100)]);
    let error = try_act(&client, "resolve_dispute", &dispute["id"], ", 30000, 'again'").await;
    assert_error(error, "already_resolved", "PT409");
    // What somebody has to say is kept also afterwards, and the buyer can still be given money back.
    call(&client, &note("thanks", "[]")).await;
    act(&client, "refund_escrow", &id, "").await;
    assert_eq!(posted(&client, BUYER).await, "1000000.00");
    let error = try_act(&client, "open_dispute", &id, ", 'x', 'y'").await;
    assert_error(error, "escrow_closed", "PT409");
    assert_escrows_sound(&client).await;
}

#[tokio::test]
async fn all_to_one_side() {
    let (_db, client) = shop("sides").await;
    for (reference, refund, status, parts) in [
        ("buyer", "100000", "refunded", ["100000.00", "0.00"]),
        ("seller", "0", "released", ["0.00", "100000.00"]),
        ("sen", "0.01", "released", ["0.01", "99999.99"]),
        ("rest", "99999.99", "released", ["99999.99", "0.01"]),
    ] {
        let id = open_order(&client, reference).await["id"].to_owned();
        let dispute = act(&client, "open_dispute", &id, ", 'u', 'r'").await;
        let before = contents(&client).await;
        let error = try_act(&client, "resolve_dispute", &dispute["id"], ", 100000.01, 'r'").await;
        assert_eq!(assert_error(error, "refund_exceeds_payment", "PT422").detail["left"], "100000.00");
        assert_eq!(before, contents(&client).await);
        let line = act(&client, "resolve_dispute", &dispute["id"], &format!(", {refund}, 'r'")).await;
        assert_eq!(line.pick(["refunded_amount", "released_amount"]), parts, "{reference}");
        assert_eq!(&escrow_now(&client, &id).await["status"], status);
    }
    assert_escrows_sound(&client).await;
}

/// The decision and its payment are one: where a party cannot be paid, nothing is decided.
#[tokio::test]
async fn a_decision_that_cannot_be_paid_is_none() {
    let (_db, client) = shop("unpayable").await;
    let id = open_order(&client, "u").await["id"].to_owned();
    let dispute = act(&client, "open_dispute", &id, ", 'u', 'r'").await;
    call(&client, &format!("freeze_account('{DRIVER}', 'fraud')")).await;
    let before = contents(&client).await;
    let error = try_act(&client, "resolve_dispute", &dispute["id"], ", 5, 'r'").await;
    assert_eq!(assert_error(error, "account_frozen", "PT422").detail["account"], DRIVER);
    assert_eq!(before, contents(&client).await);
    // All of it to the buyer touches nobody else.
    act(&client, "resolve_dispute", &dispute["id"], ", 100000, 'r'").await;
    assert_eq!(posted(&client, BUYER).await, "1000000.00");
    assert_escrows_sound(&client).await;
}
