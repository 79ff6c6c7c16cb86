//! Proves that whatever is passed to money in is either understood, or refused in the closed vocabulary, or
//! stored as bad with its reason: the session goes on, nothing is half written, and nobody is credited who
//! should not be. Hostile values are put in the place of every argument and of every field of a line.

#[path = "bank_bad_input/fields.rs"]
mod fields;

use wallet_ledger_tests::bank::{
    BCA, SECRET, assert_bank_sound, bank_books, credit, deliver, intent, match_line, money, quoted,
    signature, wib, with,
};
use wallet_ledger_tests::*;

/// Texts that are too long, too short, or not what they look like.
fn texts() -> Vec<String> {
    vec![
        String::new(),
        " ".into(),
        "\t\r\n".into(),
        "x".into(),
        "x".repeat(10_000),
        "💸".into(),
        "💸".repeat(2_500),
        "\u{1}\u{2}\u{7f}\u{1b}[31m".into(),
        "e\u{301}\u{200b}\u{202e}\u{feff}".into(),
        "'; DROP TABLE wallet_data.intents; --".into(),
        "\\x00 \\u0000 \\".into(),
        "$1 %s {} %n %'s".into(),
        "NULL".into(),
        "NaN".into(),
        "-1".into(),
        "1e400".into(),
        "2026-02-30 25:61:61".into(),
        "0000-00-00".into(),
        "infinity".into(),
        "banks:bca:1".into(),
        "wallets:u".into(),
        "[".repeat(1_000),
        "{\"a\":".repeat(1_000),
        "٣٤٥".into(),
    ]
}

/// The same as JSON values, and all the others that JSON has.
fn values() -> Vec<String> {
    let mut all: Vec<String> = texts().iter().map(|text| json!(text).to_string()).collect();
    all.extend(
        [
            "null",
            "true",
            "false",
            "0",
            "-0",
            "-1",
            "1",
            "0.001",
            "1e400",
            "-1e400",
            "1e-400",
            "1E5",
            "1.50",
            "12111.00",
            "99999999999999999999999999999999999999",
            "18446744073709551616",
            "[]",
            "{}",
            "[[]]",
            "[1]",
            "{\"a\": {\"b\": []}}",
            "\"\\u0000\"",
            "\"a\\u0000b\"",
            "\"\\ud83d\\udcb8\"",
            "\"12111.00\"",
            "\"12111,00\"",
            "\"1.000\"",
            "\"0\"",
            "\"-5\"",
            "\"2026-11-21\"",
            "\"2026-02-29\"",
            "\"9999-12-31 23:59:59\"",
            "\"10000-01-01\"",
            "\"0001-01-01\"",
            "\"-9999-01-01\"",
            "\"2026-11-21T10:00:00+99:99\"",
            "\"CR\"",
            "\"DB\"",
        ]
        .map(str::to_owned),
    );
    all
}

/// Calls, and tells what it came to; the session must go on, and an error must be ours or PostgreSQL's for the
/// argument's type, and must have written nothing.
async fn survives(client: &Client, sql: &str) -> Result<Vec<Line>, LedgerError> {
    let shown: String = sql.chars().take(300).collect();
    let before = contents(client).await;
    let error = match try_calls(client, sql).await {
        Ok(rows) => return Ok(rows),
        Err(error) => sql_error(&error),
    };
    assert!(error.sqlstate.starts_with("PT") || error.sqlstate.starts_with("22"), "{shown}: {error:?}");
    assert!(!error.sqlstate.starts_with("PT5"), "{shown}: {error:?}");
    assert!(error.sqlstate.starts_with("22") || !error.token().is_empty(), "{shown}: {error:?}");
    assert!(!error.message.contains("panick"), "{shown}: {error:?}");
    assert!(error.message.len() < 1_000 || error.sqlstate.starts_with("22"), "{shown}: {error:?}");
    assert_eq!(before, contents(client).await, "{shown} wrote something");
    assert_eq!(value(client, "SELECT 1").await, "1", "{shown}");
    Err(error)
}

/// One argument after another of a call is put in the place of `#`.
async fn every_argument(client: &Client, function: &str, arguments: &[(&str, &str)]) -> usize {
    let mut taken = 0;
    for (position, (name, _)) in arguments.iter().enumerate() {
        let mut hostile: Vec<String> = texts().iter().map(|text| quoted(text)).collect();
        hostile.push("NULL".to_owned());
        for text in hostile {
            let call: Vec<String> = arguments
                .iter()
                .enumerate()
                .map(|(place, (name, good))| {
                    format!("{name} => {}", if place == position { &text } else { *good })
                })
                .collect();
            let result = survives(client, &format!("{function}({})", call.join(", "))).await;
            taken += usize::from(result.is_ok());
            if let Err(error) = result
                && ["invalid_argument", "missing_argument"].contains(&error.token())
            {
                assert_eq!(error.detail["argument"], *name, "{function} {name} {error:?}");
            }
        }
    }
    taken
}

#[tokio::test]
async fn every_argument_of_an_intent() {
    let (_db, client) = bank_books("intent").await;
    let good = [
        ("purpose", "'other'"),
        ("credit_account", "'wallets:u'"),
        ("amount", "50000"),
        ("bank_account", "'banks:bca:1'"),
        ("reference", "NULL"),
        ("expires_in", "'1 hour'"),
        ("idempotency_key", "NULL"),
        ("method", "'transfer'"),
        ("payer_name", "'Budi'"),
        ("description", "NULL"),
        ("metadata", "NULL"),
        ("ledger", "'main'"),
    ];
    let taken = every_argument(&client, "create_intent", &good).await;
    assert!(taken > 40, "many a text is a reference, a name or a description: {taken}");
    for method in ["gateway", "virtual_account"] {
        for text in texts() {
            let sql = format!(
                "create_intent('other', 'wallets:u', 50000, '{BCA}', method => '{method}', number => {})",
                quoted(&text)
            );
            let taken = survives(&client, &sql).await;
            assert!(method == "gateway" || taken.is_err(), "{text}");
        }
    }
    let id = intent(&client, 50_000, "").await["id"].to_owned();
    for (function, arguments) in [
        ("cancel_intent", vec![("intent_id", "'#'"), ("reason", "NULL"), ("ledger", "NULL")]),
        ("submit_payment_proof", vec![("intent_id", "'#'"), ("proof_reference", "'p'"), ("ledger", "NULL")]),
        ("reject_payment", vec![("intent_id", "'#'"), ("reason", "'r'"), ("ledger", "NULL")]),
        ("expire_intents", vec![("max_count", "5"), ("ledger", "NULL")]),
    ] {
        let nobody = "'00000000-0000-7000-8000-000000000000'";
        let arguments: Vec<(&str, &str)> = arguments
            .into_iter()
            .map(|(name, good)| (name, if good == "'#'" { nobody } else { good }))
            .collect();
        every_argument(&client, function, &arguments).await;
    }
    assert_eq!(money(&posted(&client, "wallets:u").await), dec!(0));
    assert_eq!(money(&posted(&client, BCA).await), dec!(0));
    call(&client, &format!("cancel_intent('{id}')")).await;
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn every_argument_of_a_bank_account_and_a_key() {
    let (db, client) = bank_books("account").await;
    every_argument(
        &client,
        "register_bank_account",
        &[
            ("account", "'banks:new'"),
            ("provider", "'moota'"),
            ("provider_bank_id", "'new'"),
            ("account_number", "'77'"),
            ("bank", "'BCA'"),
            ("opening_balance", "5"),
            ("opened_on", "'2026-01-01'"),
            ("holder_name", "'x'"),
            ("suspense_account", "NULL"),
            ("outgoing_account", "NULL"),
            ("ledger", "'main'"),
        ],
    )
    .await;
    for amount in [
        "'NaN'",
        "'Infinity'",
        "'-Infinity'",
        "1e400::numeric",
        "1e-400::numeric",
        "0.001",
        "-0.001",
        "-1e28",
        "1e131000::numeric",
    ] {
        let sql = format!("register_bank_account('banks:new', 'moota', 'new2', opening_balance => {amount})");
        survives(&client, &sql).await.expect_err(amount);
    }
    // The keys are in a table that only its owner reads.
    let owner = db.connect().await;
    every_argument(
        &owner,
        "set_webhook_secret",
        &[
            ("provider", "'moota'"),
            ("secret", "'abcdefgh'"),
            ("keep_previous_for", "'1 day'"),
            ("ledger", "'main'"),
        ],
    )
    .await;
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn every_argument_of_the_work_by_hand() {
    let (_db, client) = bank_books("hand").await;
    let line = intent(&client, 50_000, "").await;
    let mutation = match_line(&client, &credit("m", "5.50")).await["mutation_id"].to_owned();
    let other = match_line(&client, &credit("n", "6.50")).await["mutation_id"].to_owned();
    let (mutation, other, line) =
        (format!("'{mutation}'"), format!("'{other}'"), format!("'{}'", &line["id"]));
    let nobody = "'00000000-0000-7000-8000-000000000000'";
    for (function, arguments) in [
        (
            "match_mutation_by_hand",
            vec![("mutation_id", nobody), ("intent_id", &line), ("reason", "'r'"), ("ledger", "NULL")],
        ),
        (
            "verify_payment",
            vec![("intent_id", &line), ("mutation_id", nobody), ("reason", "'r'"), ("ledger", "NULL")],
        ),
        (
            "assign_mutation",
            vec![
                ("mutation_id", nobody),
                ("account", "'shop'"),
                ("reason", "'r'"),
                ("kind", "'deposit'"),
                ("ledger", "NULL"),
            ],
        ),
        ("unmatch_mutation", vec![("mutation_id", nobody), ("reason", "'r'"), ("ledger", "NULL")]),
        ("return_mutation", vec![("mutation_id", nobody), ("reason", "'r'"), ("ledger", "NULL")]),
        (
            "mark_mutation_duplicate",
            vec![("mutation_id", nobody), ("original_id", &other), ("reason", "'r'"), ("ledger", "NULL")],
        ),
        ("reprocess_webhook", vec![("webhook_id", nobody), ("ledger", "NULL")]),
    ] {
        assert_eq!(every_argument(&client, function, &arguments).await, 0, "{function}");
    }
    // Of the real one: only the account is left to be wrong.
    for text in texts() {
        let sql = format!("assign_mutation({mutation}, {}, 'r')", quoted(&text));
        if text != "wallets:u" {
            survives(&client, &sql).await.expect_err(&text);
        }
    }
    assert_eq!(money(&posted(&client, &format!("{BCA}:suspense")).await), dec!(12));
    assert_bank_sound(&client).await;
}

/// Bodies and headers of every sort, signed and not, of every provider.
#[tokio::test]
async fn every_body_and_header() {
    let (_db, client) = bank_books("bodies").await;
    for provider in ["midtrans", "xendit", "snap"] {
        call(&client, &format!("set_webhook_secret('{provider}', '{SECRET}')")).await;
    }
    let mut bodies = texts();
    bodies.extend(values());
    bodies.extend([
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
        format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
        "x".repeat(5_000_000),
        "💸".repeat(300_000),
    ]);
    for body in &bodies {
        let right = signature(SECRET, body);
        let snap = json!({"x-signature": right, "x-timestamp": "t", "authorization": "Bearer x", ":path": "/", "x-callback-token": SECRET, "signature": right});
        for provider in ["moota", "midtrans", "xendit", "snap"] {
            let sql =
                format!("receive_webhook('{provider}', {}, {})", quoted(&snap.to_string()), quoted(body));
            let row = survives(&client, &sql)
                .await
                .unwrap_or_else(|e| panic!("a webhook raises nothing: {e:?}"))
                .remove(0);
            assert!(["processed", "not_understood", "refused"].contains(&&row["outcome"]), "{row:?}");
            assert_eq!(&row["matched_count"], "0");
            survives(&client, &sql.replacen("receive", "verify", 1)).await.unwrap();
        }
    }
    for provider in texts() {
        survives(&client, &format!("receive_webhook({}, '{{}}', '[]')", quoted(&provider)))
            .await
            .expect_err("no such provider");
    }
    for headers in values().iter().map(|value| quoted(value)).chain([
        "NULL".into(),
        "'{\"signature\": {}}'".into(),
        "'{\"a\": [[1]]}'".into(),
    ]) {
        let sql = format!("receive_webhook('moota', {headers}, '[]')");
        if let Err(error) = survives(&client, &sql).await {
            assert!(["invalid_json", "missing_argument", ""].contains(&error.token()), "{error:?}");
        }
    }
    for value in values() {
        let headers = format!("{{\"Signature\": {value}}}");
        if let Ok(rows) =
            survives(&client, &format!("receive_webhook('moota', {}, '[]')", quoted(&headers))).await
        {
            assert_eq!(&rows[0]["outcome"], "refused", "{value}");
        }
    }
    let missing = survives(&client, "receive_webhook('moota', '{}', NULL)").await.unwrap_err();
    assert_eq!(missing.token(), "missing_argument");
    assert_eq!(value(&client, "SELECT count(*) FROM wallet_ledger.mutations").await, "0");
    assert_bank_sound(&client).await;
}
