//! Proves the life of an expected payment: by what it is known, that no other one can be mistaken for it, that
//! it is over when its time is whether or not a job has run, and that nothing can be asked of it that its state
//! does not allow.

#[path = "intents/codes.rs"]
mod codes;
#[path = "intents/only_one.rs"]
mod only_one;
#[path = "intents/refusals.rs"]
mod refusals;

use std::collections::BTreeSet;

use futures::future::join_all;
use wallet_ledger_tests::bank::{
    BCA, BRI, BRI_ID, BRI_NUMBER, actions, assert_bank_sound, bank_books, credit, events, intent, intent_now,
    match_line, money, mutation_now, one, wib, with,
};
use wallet_ledger_tests::*;

async fn set(client: &Client, setting: &str, value: &str) {
    call(client, &format!("set_setting('{setting}', '{value}')")).await;
}

/// An intent whose time is over by the server's clock; nothing has written it down.
async fn expired(client: &Client, amount: u64, more: &str) -> Line {
    let line = intent(client, amount, &format!(", expires_in => '1 second'{more}")).await;
    until(client, &format!("SELECT now() >= '{}'", &line["expires_at"]), "t").await;
    line
}

async fn status(client: &Client, id: &str) -> String {
    intent_now(client, id).await["status"].to_owned()
}

/// Takes every code of an intent's amount but its own.
async fn take_other_codes(db: &TestDb, intent: &Line) {
    let taken = format!(
        "INSERT INTO wallet_data.intent_codes (ledger_id, bank_account_id, total, intent_id, free_at) \
         SELECT ledger_id, bank_account_id, amount + code, gen_random_uuid(), 'infinity' \
         FROM wallet_data.intents, generate_series(1, 999) AS code \
         WHERE intent_id = '{}' ON CONFLICT DO NOTHING",
        &intent["id"]
    );
    db::execute(&db.connect().await, &taken).await;
}

#[tokio::test]
async fn a_transfer_is_known_by_its_total() {
    let (_db, client) = bank_books("created").await;
    let created = call(
        &client,
        "create_intent('order', 'wallets:u', 150000, 'banks:bca:1', 'order-1', '2 hours', 'key-1', payer_name => 'Budi', \
         description => 'words 💸', metadata => '{\"cart\": [1, 2]}', ledger => 'main')",
    )
    .await;
    assert_eq!(
        created.pick(["ledger", "purpose", "method", "status", "credit_account", "bank_account", "currency"]),
        ["main", "order", "transfer", "open", "wallets:u", BCA, "IDR"]
    );
    assert_eq!(
        created.pick(["bank", "account_number", "amount", "reference", "payer_name", "number", "replayed"]),
        ["BCA", "1000000001", "150000.00", "order-1", "Budi", "NULL", "f"]
    );
    let nothing = ["paid_amount", "mutation_id", "transaction_id", "proof_reference", "reason", "closed_at"];
    assert_eq!(created.pick(nothing), ["NULL"; 6]);
    let code: u32 = created["unique_code"].parse().unwrap();
    assert!((1..=999).contains(&code));
    assert_eq!(money(&created["total"]), Decimal::from(150_000 + code));
    let lasts = format!("SELECT '{}'::timestamptz - '{}'", &created["expires_at"], &created["created_at"]);
    assert_eq!(value(&client, &lasts).await, "02:00:00");
    let shown = intent_now(&client, &created["id"]).await;
    for column in
        ["purpose", "status", "amount", "total", "unique_code", "reference", "payer_name", "expires_at"]
    {
        assert_eq!(shown[column], created[column], "{column}");
    }
    assert_eq!(shown.json("metadata"), json!({"cart": [1, 2]}));
    assert_eq!(&shown["description"], "words 💸");
    let grace = format!("SELECT '{}'::timestamptz - '{}'", &shown["accepts_until"], &shown["expires_at"]);
    assert_eq!(value(&client, &grace).await, "01:00:00");
    // No money has moved, and what is open by default lasts a day.
    assert_eq!(
        value(&client, "SELECT count(*) FROM wallet_ledger.transfers WHERE kind = 'payment'").await,
        "0"
    );
    let default = intent(&client, 10_000, "").await;
    let lasts = format!("SELECT '{}'::timestamptz - '{}'", &default["expires_at"], &default["created_at"]);
    assert_eq!(value(&client, &lasts).await, "1 day");
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn topups_have_the_bounds_that_count_at_that_moment() {
    let (_db, client) = bank_books("bounds").await;
    let create =
        |purpose: &str, amount: &str| format!("create_intent('{purpose}', 'wallets:u', {amount}, '{BCA}')");
    for (amount, allowed) in [("9999.99", false), ("10000", true), ("10000000", true), ("10000000.01", false)]
    {
        let result = try_call(&client, &create("topup", amount)).await;
        if allowed {
            assert_eq!(&result.unwrap()["purpose"], "topup");
            continue;
        }
        let error = assert_error(result, "amount_not_allowed", "PT422");
        assert_eq!(
            (&error.detail["minimum"], &error.detail["maximum"]),
            (&json!("10000"), &json!("10000000"))
        );
    }
    // Only top-ups have them.
    for purpose in ["order", "subscription", "other"] {
        for amount in ["0.01", "20000000"] {
            assert_eq!(&call(&client, &create(purpose, amount)).await["purpose"], purpose);
        }
    }
    set(&client, "topup_minimum", "500").await;
    set(&client, "topup_maximum", "600").await;
    call(&client, &create("topup", "500")).await;
    for amount in ["499", "601"] {
        assert_error(try_call(&client, &create("topup", amount)).await, "amount_not_allowed", "PT422");
    }
    // One that is announced counts from its moment on, and not before.
    let at = value(&client, "SELECT clock_timestamp() + interval '2 seconds'").await;
    call(&client, &format!("set_setting('topup_maximum', '700', '{at}')")).await;
    assert_error(try_call(&client, &create("topup", "601")).await, "amount_not_allowed", "PT422");
    until(&client, &format!("SELECT clock_timestamp() > '{at}'"), "t").await;
    call(&client, &create("topup", "601")).await;
}

#[tokio::test]
async fn an_intent_is_over_by_its_time_alone() {
    let (_db, client) = bank_books("expiry").await;
    let over = expired(&client, 50_000, "").await;
    let id = &over["id"];
    assert_eq!(
        value(&client, &format!("SELECT state_id FROM wallet_data.intents WHERE intent_id = '{id}'")).await,
        "1"
    );
    let shown = intent_now(&client, id).await;
    assert_eq!(shown.pick(["status", "closed_at"]), ["expired", &over["expires_at"]]);
    let before = contents(&client).await;
    for sql in [
        format!("cancel_intent('{id}')"),
        format!("submit_payment_proof('{id}', 'proof')"),
        format!("reject_payment('{id}', 'no')"),
    ] {
        let error = assert_error(try_call(&client, &sql).await, "intent_expired", "PT422");
        assert_eq!((&error.detail["intent_id"], &error.detail["status"]), (&json!(id), &json!("expired")));
    }
    assert_eq!(before, contents(&client).await);
    // A rejected one as well; one whose proof waits, not.
    let rejected = intent(&client, 50_000, ", expires_in => '2 seconds'").await;
    let pending = intent(&client, 50_000, ", expires_in => '2 seconds'").await;
    for line in [&rejected, &pending] {
        call(&client, &format!("submit_payment_proof('{}', 'proof')", &line["id"])).await;
    }
    call(&client, &format!("reject_payment('{}', 'no')", &rejected["id"])).await;
    until(&client, &format!("SELECT now() >= '{}'", &pending["expires_at"]), "t").await;
    assert_eq!(status(&client, &rejected["id"]).await, "expired");
    assert_eq!(status(&client, &pending["id"]).await, "pending_verification");
    assert_eq!(value(&client, "SELECT wallet_ledger.expire_intents()").await, "2");
    assert_eq!(status(&client, &pending["id"]).await, "pending_verification");
    assert_eq!(intent_now(&client, id).await, shown, "written down, it reads the same");
    call(&client, &format!("submit_payment_proof('{}', 'another')", &pending["id"])).await;
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn expire_intents_is_bounded_idempotent_and_skips_who_is_busy() {
    let (db, client) = bank_books("job").await;
    for _ in 0..7 {
        intent(&client, 50_000, ", expires_in => '1 second', reference => 'r'").await;
    }
    let open = intent(&client, 50_000, "").await;
    until(&client, "SELECT count(*) FROM wallet_ledger.intents WHERE status = 'expired'", "7").await;
    let busy = db.connect().await;
    db::execute(&busy, "BEGIN").await;
    let locked =
        "SELECT intent_id FROM wallet_data.intents ORDER BY expires_at, intent_id LIMIT 1 FOR UPDATE";
    value(&busy, locked).await;
    let expire = "SELECT wallet_ledger.expire_intents(2)";
    for written in ["2", "2", "2", "0"] {
        assert_eq!(value(&client, expire).await, written);
    }
    db::execute(&busy, "ROLLBACK").await;
    assert_eq!(value(&client, "SELECT wallet_ledger.expire_intents()").await, "1");
    assert_eq!(value(&client, "SELECT wallet_ledger.expire_intents()").await, "0");
    let told = events(&client, &["intent.expired"]).await;
    let subjects: BTreeSet<String> =
        told.iter().map(|event| event.json("payload")["intent_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!((told.len(), subjects.len()), (7, 7), "each is told of once");
    assert_eq!(told[0].json("payload")["reference"], "r");
    let closed = "SELECT count(*) FROM wallet_data.intents WHERE state_id = 5 AND closed_at = expires_at";
    assert_eq!(value(&client, closed).await, "7");
    assert_eq!(status(&client, &open["id"]).await, "open");
    for (sql, token) in [
        ("expire_intents(0)", "invalid_argument"),
        ("expire_intents(10001)", "invalid_argument"),
        ("expire_intents(NULL)", "missing_argument"),
    ] {
        assert_error(try_calls(&client, sql).await, token, "PT400");
    }
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn a_proof_is_looked_at_by_a_person() {
    let (_db, client) = bank_books("proof").await;
    let line = intent(&client, 50_000, ", payer_name => 'Budi'").await;
    let id = &line["id"];
    db::execute(&client, "SET wallet_ledger.actor = 'budi'").await;
    let sent = call(&client, &format!("submit_payment_proof('{id}', 's3://proofs/1.jpg')")).await;
    assert_eq!(sent.pick(["status", "proof_reference"]), ["pending_verification", "s3://proofs/1.jpg"]);
    call(&client, &format!("submit_payment_proof('{id}', 's3://proofs/2.jpg')")).await;
    db::execute(&client, "SET wallet_ledger.actor = 'sari'").await;
    let rejected = call(&client, &format!("reject_payment('{id}', 'unreadable')")).await;
    assert_eq!(
        rejected.pick(["status", "proof_reference", "reason"]),
        ["rejected", "s3://proofs/2.jpg", "unreadable"]
    );
    assert_error(
        try_call(&client, &format!("reject_payment('{id}', 'twice')")).await,
        "intent_not_pending",
        "PT409",
    );
    db::execute(&client, "SET wallet_ledger.actor = 'budi'").await;
    call(&client, &format!("submit_payment_proof('{id}', 's3://proofs/3.jpg')")).await;
    // The money came with the wrong amount; the finance office finds it and says so.
    match_line(&client, &credit("m", "50000")).await;
    let mutation = mutation_now(&client, "m").await["id"].to_owned();
    db::execute(&client, "SET wallet_ledger.actor = ''; SET request.jwt.claims = '{\"sub\": \"finance-7\"}'")
        .await;
    let verified = call(&client, &format!("verify_payment('{id}', '{mutation}')")).await;
    assert_eq!(verified.pick(["status", "intent_id"]), ["matched", id]);
    let paid = intent_now(&client, id).await;
    assert_eq!(paid.pick(["status", "paid_amount", "mutation_id"]), ["paid", "50000.00", &mutation]);
    assert_eq!(posted(&client, "wallets:u").await, "50000.00");
    let done: Vec<String> =
        actions(&client).await.iter().map(|row| row.pick(["action", "actor", "reason"]).join(" ")).collect();
    assert_eq!(
        done,
        [
            "submit_payment_proof budi NULL",
            "submit_payment_proof budi NULL",
            "reject_payment sari unreadable",
            "submit_payment_proof budi NULL",
            "verify_payment finance-7 proof verified",
        ]
    );
    assert!(actions(&client).await.iter().all(|row| row["intent_id"] == *id));
    let topics: Vec<String> =
        events(&client, &["intent.proof_submitted", "intent.proof_rejected", "intent.paid"])
            .await
            .iter()
            .map(|row| row["topic"].to_owned())
            .collect();
    assert_eq!(
        topics.join(" "),
        "intent.proof_submitted intent.proof_submitted intent.proof_rejected intent.proof_submitted intent.paid"
    );
    assert_bank_sound(&client).await;
}

/// A proof does not stand in the way of the bank: the matching mutation pays it.
#[tokio::test]
async fn a_mutation_pays_whatever_is_live() {
    let (_db, client) = bank_books("pays_live").await;
    for state in ["open", "pending_verification", "rejected"] {
        let line = intent(&client, 50_000, "").await;
        if state != "open" {
            call(&client, &format!("submit_payment_proof('{}', 'proof')", &line["id"])).await;
        }
        if state == "rejected" {
            call(&client, &format!("reject_payment('{}', 'no')", &line["id"])).await;
        }
        assert_eq!(status(&client, &line["id"]).await, state);
        let outcome = match_line(&client, &credit(state, &line["total"])).await;
        assert_eq!((&outcome["outcome"], &outcome["intent_id"]), ("matched", &line["id"]), "{state}");
        assert_eq!(status(&client, &line["id"]).await, "paid");
    }
    assert_bank_sound(&client).await;
}
