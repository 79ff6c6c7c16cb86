//! How much one webhook may be, and how long it takes.

use std::time::Instant;

use super::*;

/// As small as a line can be; amounts differ, so that no two look alike.
fn short(number: usize) -> Value {
    json!({"id": format!("m{number}"), "bank_id": BCA_ID, "date": "2026-03-10", "amount": 1000 + number, "type": "CR"})
}

#[tokio::test]
async fn ten_thousand_lines_are_taken_and_one_more_is_refused() {
    let (_db, client) = bank_books("many").await;
    let line = intent(&client, 50_000, "").await;
    let mut batch: Vec<Value> = (0..10_000).map(short).collect();
    batch[7_777] = credit("the one", &line["total"]);
    let body = body_of(&batch);
    assert!(body.len() < 1_048_576);
    let begun = Instant::now();
    let answer = receive(&client, &body).await;
    let took = begun.elapsed();
    eprintln!("10,000 lines in {took:.1?}, {:.0} a second", 10_000.0 / took.as_secs_f64());
    assert_eq!(
        answer.pick(["outcome", "line_count", "matched_count", "rejected_count"]),
        ["processed", "10000", "1", "0"]
    );
    assert!(took.as_secs() < 60, "{took:?}");
    assert_eq!(&intent_now(&client, &line["id"]).await["status"], "paid");
    let again = receive(&client, &body).await;
    assert_eq!(&again["replayed"], "t");
    assert_eq!(again.without(&["replayed"]), answer.without(&["replayed"]));
    // In another body: all of them are known.
    let begun = Instant::now();
    let shuffled = body_of(&batch.iter().rev().cloned().collect::<Vec<Value>>());
    assert_eq!(&receive(&client, &shuffled).await["duplicate_count"], "10000");
    assert!(begun.elapsed().as_secs() < 60);

    batch.push(short(10_000));
    let before = all_but_refusals(&client).await;
    let refused = receive(&client, &body_of(&batch)).await;
    assert_eq!(
        refused.pick(["outcome", "http_status", "reason", "webhook_id"]),
        ["refused", "413", "too_many_lines", "NULL"]
    );
    assert_eq!(before, all_but_refusals(&client).await);
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn a_mebibyte_is_read_and_a_byte_more_is_not() {
    let (_db, client) = bank_books("large").await;
    let padded = |bytes: usize| {
        let line = credit("a", "5").to_string();
        format!("[{line}{}]", " ".repeat(bytes - line.len() - 2))
    };
    let before = all_but_refusals(&client).await;
    for bytes in [1_048_577, 5_000_000] {
        let body = padded(bytes);
        let headers = json!({ "Signature": signature(SECRET, &body) });
        let verdict = call(&client, &verification("moota", &headers, &body)).await;
        assert_eq!(verdict.pick(["valid", "reason"]), ["f", "body_too_large"]);
        let refused = receive(&client, &body).await;
        assert_eq!(refused.pick(["outcome", "http_status", "reason"]), ["refused", "413", "body_too_large"]);
        let row =
            one(&client, &format!("SELECT * FROM wallet_ledger.webhook_refusals WHERE body_bytes = {bytes}"))
                .await;
        assert_eq!(&row["reason"], "body_too_large");
    }
    assert_eq!(before, all_but_refusals(&client).await);
    // Whether or not it is signed, and of every provider.
    for provider in ["moota", "midtrans", "xendit", "snap"] {
        let refused = call(&client, &delivery(provider, &json!({}), &padded(1_048_577))).await;
        assert_eq!(&refused["reason"], "body_too_large", "{provider}");
    }
    let answer = receive(&client, &padded(1_048_576)).await;
    assert_eq!(answer.pick(["outcome", "suspense_count"]), ["processed", "1"]);
    assert_bank_sound(&client).await;
}

/// Anybody can send an endpoint something to refuse: what is written down of it has an end.
#[tokio::test]
async fn refusals_of_long_ago_are_forgotten() {
    let (db, client) = bank_books("forgotten").await;
    for body in ["[]", "[1]", "[2]", "[3]"] {
        let refused = call(&client, &delivery("moota", &json!({}), body)).await;
        assert_eq!(refused.pick(["outcome", "reason"]), ["refused", "signature_missing"]);
    }
    let age = "WITH r AS (SELECT refusal_id, row_number() OVER (ORDER BY refusal_id) AS n
                          FROM wallet_data.webhook_refusals)
               UPDATE wallet_data.webhook_refusals w SET received_at = now() - r.n * interval '31 days'
               FROM r WHERE r.refusal_id = w.refusal_id";
    db::execute(&db.connect().await, age).await;
    let left = "SELECT count(*) FROM wallet_ledger.webhook_refusals";
    for (arguments, forgotten, rest) in [
        ("'200000 years'", "0", "4"),
        ("", "2", "2"),
        ("'45 days', 1", "1", "1"),
        ("'45 days', 1", "0", "1"),
        ("'1 hour'", "1", "0"),
    ] {
        let answer = call(&client, &format!("forget_webhook_refusals({arguments})")).await;
        assert_eq!(&answer["forget_webhook_refusals"], forgotten, "{arguments}");
        assert_eq!(value(&client, left).await, rest, "{arguments}");
    }
}

/// A canteen where everything costs the same: what looks alike is told apart, and not by comparing each with
/// each for ever.
#[tokio::test]
async fn thousands_that_look_alike() {
    let (_db, client) = bank_books("alike").await;
    let batch = |from: usize, to: usize| -> Vec<Value> {
        (from..to)
            .map(|n| json!({"id": n.to_string(), "bank_id": BCA_ID, "date": "2026-03-10", "amount": 5000, "type": "CR"}))
            .collect()
    };
    let begun = Instant::now();
    let first = deliver(&client, &batch(0, 3_000)).await;
    assert_eq!(first.pick(["suspense_count", "review_count"]), ["1", "2999"]);
    let second = deliver(&client, &batch(3_000, 6_000)).await;
    assert_eq!(&second["review_count"], "3000");
    eprintln!("two webhooks of 3,000 lines that look alike in {:.1?}", begun.elapsed());
    assert!(begun.elapsed().as_secs() < 120, "{:?}", begun.elapsed());
    assert_eq!(posted(&client, BCA).await, "30000000.00");
    assert_bank_sound(&client).await;
}
