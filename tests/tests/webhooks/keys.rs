//! Keys: two live ones, and nothing without one of them.

use super::*;

async fn verifies(client: &Client, secret: &str, body: &str) -> bool {
    let headers = json!({ "Signature": signature(secret, body) });
    &call(client, &verification("moota", &headers, body)).await["valid"] == "t"
}

async fn set(client: &Client, secret: &str, keep: &str) -> String {
    value(client, &format!("SELECT wallet_ledger.set_webhook_secret('moota', '{secret}', '{keep}')")).await
}

/// What is not signed, or not as it is, is written down and nothing more.
#[tokio::test]
async fn nothing_of_a_forged_webhook_is_taken_for_true() {
    let (_db, client) = bank_books("forged").await;
    let line = intent(&client, 50_000, "").await;
    let body = body_of(&[credit("a", &line["total"])]);
    let right = signature(SECRET, &body);
    let before = all_but_refusals(&client).await;
    let mut refused = 0;
    for (headers, body, reason) in [
        (json!({}), body.clone(), "signature_missing"),
        (json!({"Signature": null}), body.clone(), "signature_missing"),
        (json!({"Signature": ""}), body.clone(), "signature_missing"),
        (json!({"Signature": []}), body.clone(), "signature_missing"),
        (json!({"X-Signature": right}), body.clone(), "signature_missing"),
        (json!({"Signature": right[..63]}), body.clone(), "signature_malformed"),
        (json!({"Signature": format!("{right}0")}), body.clone(), "signature_malformed"),
        (json!({"Signature": format!("sha256={right}")}), body.clone(), "signature_malformed"),
        (
            json!({"Signature": right.replacen(|c: char| c.is_ascii_digit(), "g", 1)}),
            body.clone(),
            "signature_malformed",
        ),
        (json!({"Signature": "💸".repeat(16)}), body.clone(), "signature_malformed"),
        (json!({"Signature": "0".repeat(64)}), body.clone(), "signature_mismatch"),
        (json!({"Signature": signature("another key", &body)}), body.clone(), "signature_mismatch"),
        (json!({"Signature": ["0".repeat(64), right]}), body.clone(), "signature_mismatch"),
        (json!({"Signature": right}), format!("{body}\n"), "signature_mismatch"),
        (json!({"Signature": right}), body[..body.len() - 1].to_owned(), "signature_mismatch"),
        (json!({"Signature": right}), body.replace("\"a\"", "\"b\""), "signature_mismatch"),
        (json!({"Signature": right}), String::new(), "signature_mismatch"),
        (json!({"Signature": right}), body.replace(':', ": "), "signature_mismatch"),
    ] {
        let verdict = call(&client, &verification("moota", &headers, &body)).await;
        assert_eq!(verdict.pick(["valid", "reason"]), ["f", reason], "{headers}");
        let answer = call(&client, &delivery("moota", &headers, &body)).await;
        assert_eq!(
            answer.pick(["webhook_id", "outcome", "http_status", "reason", "line_count", "lines"]),
            ["NULL", "refused", "401", reason, "0", "[]"]
        );
        refused += 1;
        let rows = lines(
            &client,
            "SELECT *, encode(sha256(''), 'hex') AS nothing FROM wallet_ledger.webhook_refusals ORDER BY id",
        )
        .await;
        assert_eq!(rows.len(), refused);
        let row = &rows[refused - 1];
        assert_eq!(
            row.pick(["provider", "reason", "body_bytes"]),
            ["moota", reason, &body.len().to_string()]
        );
        assert_eq!(row["body_digest"] == row["nothing"], body.is_empty());
    }
    for provider in ["midtrans", "xendit", "snap"] {
        let answer = call(&client, &delivery(provider, &json!({"Signature": right}), &body)).await;
        assert_eq!(answer.pick(["outcome", "reason"]), ["refused", "no_secret"]);
    }
    assert_eq!(before, all_but_refusals(&client).await);
    // A forged one does not stand in the way of the real one.
    let answer = call(&client, &delivery("moota", &json!({"Signature": right}), &body)).await;
    assert_eq!(answer.pick(["outcome", "matched_count"]), ["processed", "1"]);
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn a_key_is_rotated_without_losing_a_webhook() {
    let db = TestDb::with_ledger("rotation").await;
    let client = db.app().await;
    let body = "[]";
    assert_eq!(set(&client, "first key", "7 days").await, "NULL", "there was none before");
    assert!(verifies(&client, "first key", body).await && !verifies(&client, "second key", body).await);
    let until_text = set(&client, "second key", "1 hour").await;
    let kept = format!("SELECT '{until_text}'::timestamptz - now() BETWEEN '59 minutes' AND '1 hour'");
    assert_eq!(value(&client, &kept).await, "t");
    assert!(verifies(&client, "first key", body).await && verifies(&client, "second key", body).await);
    // The same again rotates nothing away.
    assert_eq!(set(&client, "second key", "2 hours").await, until_text, "nor does it last longer");
    assert!(verifies(&client, "first key", body).await && verifies(&client, "second key", body).await);
    // Two live ones, not three.
    set(&client, "third key", "1 hour").await;
    for (secret, expected) in [("first key", false), ("second key", true), ("third key", true)] {
        assert_eq!(verifies(&client, secret, body).await, expected, "{secret}");
    }
    // Until its time, by the clock; or ended at once.
    let end = set(&client, "fourth key", "1 second").await;
    assert!(verifies(&client, "third key", body).await);
    until(&client, &format!("SELECT now() > '{end}'"), "t").await;
    assert!(!verifies(&client, "third key", body).await && verifies(&client, "fourth key", body).await);
    assert_eq!(set(&client, "fifth key", "0 seconds").await, "NULL");
    assert!(!verifies(&client, "fourth key", body).await && verifies(&client, "fifth key", body).await);
    set(&client, "sixth key", "90 days").await;
    assert_eq!(set(&client, "sixth key", "0 seconds").await, "NULL", "set again, what was kept can be ended");
    assert!(!verifies(&client, "fifth key", body).await);
    // Back to an old one.
    set(&client, "fifth key", "1 day").await;
    assert!(verifies(&client, "fifth key", body).await && verifies(&client, "sixth key", body).await);
    // Of each provider and each ledger its own.
    call(&client, "set_webhook_secret('xendit', 'a key of xendit')").await;
    call(&client, "create_ledger('other')").await;
    call(&client, "set_webhook_secret('moota', 'a key there', ledger => 'other')").await;
    db::execute(&client, "SET wallet_ledger.ledger = 'main'").await;
    assert!(verifies(&client, "fifth key", body).await && !verifies(&client, "a key there", body).await);
    let told = events(&client, &["webhook.secret_set"]).await;
    assert!(told.len() >= 10 && told.iter().all(|event| !event["payload"].contains("key")), "{told:?}");
    assert_eq!(told[0].json("payload")["provider"], "moota");
    let stored = "SELECT string_agg(provider_id || ':' || slot, ' ' ORDER BY ledger_id, provider_id, slot) FROM wallet_data.webhook_secrets";
    assert_eq!(value(&db.connect().await, stored).await, "1:1 1:2 3:1 1:1");
}

#[tokio::test]
async fn what_is_no_key_is_refused_without_repeating_it() {
    let db = TestDb::with_ledger("no_key").await;
    let client = db.app().await;
    set(&client, "the key before", "7 days").await;
    let before = contents(&db.connect().await).await;
    let long = "k".repeat(1025);
    for (sql, token, argument) in [
        ("set_webhook_secret(NULL, 'abcdefgh')", "missing_argument", "provider"),
        ("set_webhook_secret('stripe', 'abcdefgh')", "invalid_argument", "provider"),
        ("set_webhook_secret('statement', 'abcdefgh')", "invalid_argument", "provider"),
        ("set_webhook_secret('moota', NULL)", "missing_argument", "secret"),
        ("set_webhook_secret('moota', '')", "invalid_argument", "secret"),
        ("set_webhook_secret('moota', 'hunt2')", "invalid_argument", "secret"),
        ("set_webhook_secret('moota', ' hunter2')", "invalid_argument", "secret"),
        ("set_webhook_secret('moota', E'hunter2\\n')", "invalid_argument", "secret"),
        ("set_webhook_secret('moota', '      ')", "invalid_argument", "secret"),
        (&format!("set_webhook_secret('moota', '{long}')"), "invalid_argument", "secret"),
        ("set_webhook_secret('moota', 'hunter22', NULL)", "missing_argument", "keep_previous_for"),
        ("set_webhook_secret('moota', 'hunter22', '-1 second')", "invalid_argument", "keep_previous_for"),
        ("set_webhook_secret('moota', 'hunter22', '91 days')", "invalid_argument", "keep_previous_for"),
        (
            "set_webhook_secret('moota', 'hunter22', '178000000 years')",
            "invalid_argument",
            "keep_previous_for",
        ),
    ] {
        let error = assert_error(try_call(&client, sql).await, token, "PT400");
        assert_eq!(error.detail["argument"], argument, "{sql}");
        let said = format!("{error:?}");
        assert!(!said.contains("hunt") && !said.contains("kkkk"), "{said}");
    }
    assert_eq!(before, contents(&db.connect().await).await);
    assert!(verifies(&client, "the key before", "[]").await);
    for secret in ["k".repeat(1024), "💸💸".to_owned(), "123456".to_owned(), "a b'c\\d\"e".to_owned()] {
        value(&client, &format!("SELECT wallet_ledger.set_webhook_secret('moota', {})", quoted(&secret)))
            .await;
        assert!(verifies(&client, &secret, "[]").await);
    }
}

/// Two sessions set a key at the same time: it ends as if the second had come after the first.
#[tokio::test]
async fn keys_set_at_once_follow_each_other() {
    let db = TestDb::with_ledger("keys_at_once").await;
    let [client, first, second] = [db.app().await, db.app().await, db.app().await];
    let process = backend(&second).await;
    let owner = db.connect().await;
    set(&client, "old key", "7 days").await;
    let both = [
        // The same new key twice: the old one stays valid.
        ("moota", "new key", "new key", "new key, old key"),
        // The first keys that a provider has.
        ("xendit", "one key", "other key", "other key, one key"),
    ];
    for (provider, one, other, left) in both {
        let put = |secret: &str| format!("set_webhook_secret('{provider}', '{secret}')");
        db::execute(&first, "BEGIN").await;
        call(&first, &put(one)).await;
        let commit = async {
            until_blocked(&client, &process).await;
            db::execute(&first, "COMMIT").await;
        };
        let other = put(other);
        tokio::join!(call(&second, &other), commit);
        let stored = format!(
            "SELECT string_agg(secret, ', ' ORDER BY slot) FROM wallet_data.webhook_secrets \
             WHERE valid_until > now() AND provider_id = {}",
            if provider == "moota" { 1 } else { 3 }
        );
        assert_eq!(value(&owner, &stored).await, left, "{provider}");
    }
}
