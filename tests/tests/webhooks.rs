//! Proves that a webhook counts only if it is its provider's, and then once: over the raw body, with either of
//! two live keys, line by line. A bad line loses no other, what cannot be understood is kept with the reason,
//! and what must not be kept of a body is nowhere in the database.

#[path = "webhooks/backup.rs"]
mod backup;
#[path = "webhooks/bounds.rs"]
mod bounds;
#[path = "webhooks/keys.rs"]
mod keys;
#[path = "webhooks/published.rs"]
mod published;
#[path = "webhooks/stored.rs"]
mod stored;

use wallet_ledger_tests::bank::{
    BCA, BCA_ID, BRI_ID, BRI_NUMBER, SECRET, assert_bank_sound, bank_books, credit, debit, deliver, events,
    intent, intent_now, match_line, money, mutation_now, one, quoted, receive, set_secret, signature,
    webhook_call, wib, with,
};
use wallet_ledger_tests::*;

/// `receive_webhook` with these headers.
fn delivery(provider: &str, headers: &Value, body: &str) -> String {
    format!("receive_webhook('{provider}', {}, {})", quoted(&headers.to_string()), quoted(body))
}

fn verification(provider: &str, headers: &Value, body: &str) -> String {
    delivery(provider, headers, body).replacen("receive", "verify", 1)
}

/// Everything but what is written down of refusals.
async fn all_but_refusals(client: &Client) -> std::collections::BTreeMap<String, String> {
    let mut all = contents(client).await;
    all.remove("webhook_refusals");
    all
}

fn body_of(lines: &[Value]) -> String {
    Value::from(lines.to_vec()).to_string()
}

#[tokio::test]
async fn a_genuine_webhook_is_worked_through_line_by_line() {
    let (_db, client) = bank_books("lines").await;
    let line = intent(&client, 50_000, "").await;
    let batch = [
        credit("a", &line["total"]),
        credit("b", "111.5"),
        debit("c", "6500"),
        credit("d", &line["total"]),
        with(&credit("e", "5"), json!({"bank_id": BRI_ID, "account_number": BRI_NUMBER})),
    ];
    let answer = deliver(&client, &batch).await;
    assert_eq!(
        answer.pick(["outcome", "http_status", "response_code", "reason", "line_count", "replayed"]),
        ["processed", "200", "NULL", "NULL", "5", "f"]
    );
    assert_eq!(
        answer.pick([
            "matched_count",
            "suspense_count",
            "review_count",
            "ignored_count",
            "duplicate_count",
            "rejected_count"
        ]),
        ["1", "2", "1", "1", "0", "0"]
    );
    let told = answer.json("lines");
    for (position, (told, sent)) in told.as_array().unwrap().iter().zip(&batch).enumerate() {
        assert_eq!(
            (&told["line"], &told["provider_mutation_id"]),
            (&json!(position + 1), &sent["mutation_id"])
        );
        let row = one(
            &client,
            &format!(
                "SELECT * FROM wallet_ledger.mutations WHERE id = {}",
                quoted(told["mutation_id"].as_str().unwrap())
            ),
        )
        .await;
        assert_eq!(
            (&row["status"], &row["transaction_id"]),
            (told["outcome"].as_str().unwrap(), told["transaction_id"].as_str().unwrap())
        );
        assert_eq!(money(told["amount"].as_str().unwrap()), money(&row["amount"]), "money is a string");
    }
    assert_eq!(told[0]["intent_id"], line["id"]);
    assert_eq!(posted(&client, "wallets:u").await, "50000.00");
    let row = one(&client, "SELECT * FROM wallet_ledger.webhooks").await;
    assert_eq!(
        row.pick(["id", "provider", "line_count", "confirmed"]),
        [&answer["webhook_id"], "moota", "5", "f"]
    );
    assert_eq!(row.json("answer")["lines"], told);
    assert_bank_sound(&client).await;
}

/// The first answer, whatever has happened since, and nothing else.
#[tokio::test]
async fn the_same_body_again_gets_the_first_answer() {
    let (_db, client) = bank_books("replay").await;
    let line = intent(&client, 50_000, "").await;
    let bodies = [
        body_of(&[credit("a", &line["total"]), credit("b", "5"), json!({"id": "bad"})]),
        "[]".to_owned(),
        "not JSON".to_owned(),
        "{\"hello\": 1}".to_owned(),
    ];
    let mut first = Vec::new();
    for body in &bodies {
        first.push(receive(&client, body).await);
    }
    let b = mutation_now(&client, "b").await["id"].to_owned();
    call(&client, &format!("assign_mutation('{b}', 'wallets:c', 'his')")).await;
    let a = mutation_now(&client, "a").await["id"].to_owned();
    call(&client, &format!("unmatch_mutation('{a}', 'wrong')")).await;
    call(&client, &format!("reprocess_webhook('{}')", &first[0]["webhook_id"])).await;
    let before = contents(&client).await;
    for _ in 0..3 {
        for (body, first) in bodies.iter().zip(&first) {
            let again = receive(&client, body).await;
            assert_eq!((&first["replayed"], &again["replayed"]), ("f", "t"));
            assert_eq!(again.without(&["replayed"]), first.without(&["replayed"]), "{body}");
        }
    }
    assert_eq!(before, contents(&client).await);
    // A byte more is another body, and its lines are known.
    let spaced = receive(&client, &format!("{} ", bodies[0])).await;
    assert_eq!(spaced.pick(["replayed", "duplicate_count", "rejected_count"]), ["f", "2", "1"]);
    assert_ne!(spaced["webhook_id"], first[0]["webhook_id"]);
    // Another ledger has keys, bank accounts and webhooks of its own.
    call(&client, "create_ledger('other')").await;
    let there = webhook_call(&bodies[0]).replace("')", "', ledger => 'other')");
    let refused = call(&client, &there).await;
    assert_eq!(refused.pick(["outcome", "reason"]), ["refused", "no_secret"]);
    call(&client, &format!("set_webhook_secret('moota', '{SECRET}', ledger => 'other')")).await;
    call(&client, &format!("register_bank_account('{BCA}', 'moota', '{BCA_ID}', ledger => 'other')")).await;
    let processed = call(&client, &there).await;
    assert_eq!(processed.pick(["outcome", "replayed", "suspense_count"]), ["processed", "f", "2"]);
    db::execute(&client, "SET wallet_ledger.ledger = 'main'").await;
    assert_bank_sound(&client).await;
}

/// Two batches that overlap: each line counts once, in whichever body it comes.
#[tokio::test]
async fn batches_overlap() {
    let (_db, client) = bank_books("overlap").await;
    let line = intent(&client, 50_000, "").await;
    let all: Vec<Value> =
        (0..30).map(|n| credit(&format!("m{n}"), if n == 15 { &line["total"] } else { "1000" })).collect();
    let mut stored = 0;
    for (from, to, new) in [(0, 20, 20), (10, 30, 10), (5, 25, 0), (0, 30, 0), (29, 30, 0)] {
        let answer = deliver(&client, &all[from..to]).await;
        stored += new;
        assert_eq!(&answer["duplicate_count"], (to - from - new).to_string());
        assert_eq!(value(&client, "SELECT count(*) FROM wallet_ledger.mutations").await, stored.to_string());
    }
    assert_eq!(posted(&client, "wallets:u").await, "50000.00");
    assert_eq!(money(&posted(&client, BCA).await), dec!(29000) + money(&line["total"]));
    assert_bank_sound(&client).await;
}

/// One bad line among good ones, for everything that can be wrong with a line.
#[tokio::test]
async fn a_bad_line_loses_no_other() {
    let (_db, client) = bank_books("bad_line").await;
    let mut waiting = 0;
    for (number, (fields, reason)) in [
        (json!({"mutation_id": null}), "missing_field"),
        (json!({"mutation_id": " "}), "missing_field"),
        (json!({"mutation_id": {}}), "invalid_id"),
        (json!({"mutation_id": 1.5}), "invalid_id"),
        (json!({"mutation_id": "x".repeat(129)}), "too_long"),
        (json!({"mutation_id": "a\u{0}b"}), "invalid_id"),
        (json!({"amount": null}), "missing_field"),
        (json!({"amount": 0}), "invalid_amount"),
        (json!({"amount": -5}), "invalid_amount"),
        (json!({"amount": "-5"}), "invalid_amount"),
        (json!({"amount": 0.001}), "invalid_amount"),
        (json!({"amount": "5.001"}), "invalid_amount"),
        (json!({"amount": "NaN"}), "invalid_amount"),
        (json!({"amount": "1e3"}), "invalid_amount"),
        (json!({"amount": "1,000"}), "invalid_amount"),
        // One or a thousand: nobody knows.
        (json!({"amount": "1.000"}), "invalid_amount"),
        (json!({"amount": "150.500"}), "invalid_amount"),
        (json!({"amount": 150.125}), "invalid_amount"),
        (json!({"amount": [5]}), "invalid_amount"),
        (json!({"amount": "9".repeat(28)}), "amount_out_of_range"),
        (json!({"amount": "9".repeat(10_000)}), "invalid_amount"),
        (json!({"type": null}), "missing_field"),
        (json!({"type": "XX"}), "invalid_direction"),
        (json!({"type": 1}), "invalid_direction"),
        (json!({"date": null}), "missing_field"),
        (json!({"date": "2026-02-30 10:00:00"}), "invalid_date"),
        (json!({"date": "2026-13-01"}), "invalid_date"),
        (json!({"date": "yesterday"}), "invalid_date"),
        (json!({"date": "infinity"}), "invalid_date"),
        (json!({"date": 20_261_121}), "invalid_date"),
        (json!({"bank_id": "unknown", "account_number": "1"}), "unknown_bank_account"),
        (json!({"bank_id": null, "account_number": null}), "unknown_bank_account"),
    ]
    .into_iter()
    .enumerate()
    {
        let good = |place: &str| credit(&format!("{number} {place}"), "10");
        let bad = with(&good("bad"), fields.clone());
        let answer = deliver(&client, &[good("before"), bad, good("after")]).await;
        let lines = answer.json("lines");
        assert_eq!(
            answer.pick(["line_count", "suspense_count", "rejected_count"]),
            ["3", "2", "1"],
            "{fields}: {lines}"
        );
        assert_eq!(lines[1]["reasons"], json!([reason]), "{fields}");
        assert!(lines[1]["message"].as_str().is_some_and(|message| message.len() > 10), "{fields}: {lines}");
        waiting += 20;
        let stored = one(
            &client,
            &format!(
                "SELECT * FROM wallet_ledger.webhook_lines WHERE webhook_id = '{}'",
                &answer["webhook_id"]
            ),
        )
        .await;
        assert_eq!(stored.pick(["line", "reason", "solved_at"]), ["2", reason, "NULL"]);
        assert_eq!(stored["message"], *lines[1]["message"].as_str().unwrap());
        let told = events(&client, &["webhook.lines_rejected"]).await.pop().unwrap().json("payload");
        assert_eq!((&told["webhook_id"], &told["rejected_count"]), (&json!(answer["webhook_id"]), &json!(1)));
    }
    for bad in ["1", "null", "[]", "\"text\"", "true"] {
        let answer = receive(&client, &format!("[{},{bad}]", credit(bad, "10"))).await;
        waiting += 10;
        assert_eq!(answer.json("lines")[1]["reasons"], json!(["not_an_object"]));
    }
    assert_eq!(money(&posted(&client, &format!("{BCA}:suspense")).await), Decimal::from(waiting));
    // An amount that no currency has comes through raw JSON only.
    for amount in ["1e400", "1e-400", "1E+2"] {
        let body = format!("[{}]", credit(amount, "10").to_string().replace("\"10\"", amount));
        let answer = receive(&client, &body).await;
        let expected = if amount == "1E+2" { "suspense" } else { "rejected" };
        assert_eq!(answer.json("lines")[0]["outcome"], expected, "{amount}: {answer:?}");
    }
    assert_bank_sound(&client).await;
}

/// What could not be used when it came can be later, once; the answer that was given stays.
#[tokio::test]
async fn what_was_stored_can_be_worked_through_again() {
    let (_db, client) = bank_books("reprocess").await;
    let at = |line: &Value| with(line, json!({"bank_id": "new", "account_number": "3-3"}));
    let body = body_of(&[
        at(&credit("a", "100.5")),
        credit("b", "7"),
        at(&debit("c", "30")),
        json!({"id": "never"}),
        at(&credit("d", "5.00")),
    ]);
    let first = receive(&client, &body).await;
    assert_eq!(first.pick(["suspense_count", "rejected_count"]), ["1", "4"]);
    let open = "SELECT string_agg(line::text, ' ' ORDER BY line) FROM wallet_ledger.webhook_lines WHERE solved_at IS NULL";
    assert_eq!(value(&client, open).await, "1 3 4 5");
    let reprocess = format!("reprocess_webhook('{}')", &first["webhook_id"]);
    let in_vain = call(&client, &reprocess).await;
    assert_eq!(in_vain.pick(["duplicate_count", "rejected_count"]), ["1", "4"]);
    assert_eq!(value(&client, open).await, "1 3 4 5");
    call(&client, "register_bank_account('banks:new', 'moota', account_number => '33')").await;
    let line =
        call(&client, "create_intent('other', 'wallets:u', 5, 'banks:new', method => 'transfer')").await;
    let solved = call(&client, &reprocess).await;
    assert_eq!(
        solved.pick(["suspense_count", "review_count", "ignored_count", "duplicate_count", "rejected_count"]),
        ["1", "1", "1", "1", "1"],
        "{solved:?}"
    );
    assert_eq!(value(&client, open).await, "4");
    assert_eq!(money(&posted(&client, "banks:new").await), dec!(75.5));
    let before = contents(&client).await;
    let again = call(&client, &reprocess).await;
    assert_eq!(again.pick(["duplicate_count", "rejected_count"]), ["4", "1"]);
    let replayed = receive(&client, &body).await;
    assert_eq!(replayed.without(&["replayed"]), first.without(&["replayed"]));
    assert_eq!(before, contents(&client).await);
    assert_eq!(&intent_now(&client, &line["id"]).await["status"], "open");
    let nobody = "reprocess_webhook('00000000-0000-7000-8000-000000000000')";
    assert_error(try_call(&client, nobody).await, "webhook_not_found", "PT404");
    assert_error(try_call(&client, "reprocess_webhook(NULL)").await, "missing_argument", "PT400");
    assert_bank_sound(&client).await;
}

/// Genuine, but not what the provider sends: kept, told, and no reason to send it again.
#[tokio::test]
async fn what_is_not_understood_is_kept() {
    let (_db, client) = bank_books("not_understood").await;
    let brackets = "[".repeat(100_000);
    let closed = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, reason) in [
        ("", "empty_body"),
        (" \n ", "empty_body"),
        ("hello", "not_json"),
        ("{", "not_json"),
        ("[{]", "not_json"),
        ("{} {}", "not_json"),
        ("\u{feff}[]", "not_json"),
        ("[\"\\ud80\"]", "not_json"),
        (&brackets, "not_json"),
        (&closed, "not_json"),
        ("null", "unexpected_shape"),
        ("5", "unexpected_shape"),
        ("\"text\"", "unexpected_shape"),
        ("{}", "unexpected_shape"),
        ("{\"mutations\": {}}", "unexpected_shape"),
    ] {
        let shown: String = body.chars().take(30).collect();
        let answer = receive(&client, body).await;
        assert_eq!(
            answer.pick(["outcome", "http_status", "reason", "line_count", "rejected_count"]),
            ["not_understood", "200", reason, "1", "1"],
            "{shown}"
        );
        let stored = one(
            &client,
            &format!(
                "SELECT * FROM wallet_ledger.webhook_lines WHERE webhook_id = '{}'",
                &answer["webhook_id"]
            ),
        )
        .await;
        assert_eq!(stored.pick(["line", "reason"]), ["0", reason], "{shown}");
        let again = call(&client, &format!("reprocess_webhook('{}')", &answer["webhook_id"])).await;
        assert_eq!(again["outcome"], answer["outcome"], "{shown}: {again:?}");
        assert_eq!(
            value(
                &client,
                &format!(
                    "SELECT solved_at FROM wallet_ledger.webhook_lines WHERE webhook_id = '{}'",
                    &answer["webhook_id"]
                )
            )
            .await,
            "NULL"
        );
    }
    let nothing = receive(&client, "[]").await;
    assert_eq!(nothing.pick(["outcome", "line_count"]), ["processed", "0"]);
    assert_eq!(value(&client, "SELECT count(*) FROM wallet_ledger.mutations").await, "0");
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn webhooks_are_written_by_functions_only() {
    let (db, client) = bank_books("written").await;
    let answer = deliver(&client, &[credit("a", "5"), json!({})]).await;
    let auditor = db.connect_as("wallet_auditor").await;
    for view in ["webhooks", "webhook_lines", "mutations"] {
        assert_eq!(lines(&auditor, &format!("SELECT * FROM wallet_ledger.{view}")).await.len(), 1, "{view}");
    }
    for sql in [
        webhook_call("[]"),
        format!("reprocess_webhook('{}')", &answer["webhook_id"]),
        "set_webhook_secret('moota', 'abcdefgh')".to_owned(),
    ] {
        assert_eq!(sql_error(&try_calls(&auditor, &sql).await.unwrap_err()).sqlstate, "42501", "{sql}");
    }
    for table in ["webhooks", "webhook_lines", "webhook_refusals"] {
        let sql = format!("DELETE FROM wallet_data.{table}");
        assert_eq!(sql_error(&try_lines(&client, &sql).await.unwrap_err()).sqlstate, "42501", "{sql}");
    }
    let deleted = try_lines(&db.connect().await, "DELETE FROM wallet_data.webhooks").await;
    assert_error(deleted, "append_only", "PT403");
    assert_eq!(match_line(&client, &credit("a", "5")).await["outcome"], *"duplicate");
}
