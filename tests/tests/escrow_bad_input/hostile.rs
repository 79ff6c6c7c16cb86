//! Texts and documents that nobody expects, in the place of every argument.

use super::*;

fn texts() -> Vec<String> {
    vec![
        String::new(),
        " ".into(),
        "\t\r\n".into(),
        "x".repeat(10_000),
        "💸".into(),
        "\u{1}\u{7f}\u{1b}[31m".into(),
        "e\u{301}\u{200b}\u{202e}\u{feff}".into(),
        "'; DROP TABLE wallet_data.escrows; --".into(),
        "\\x00 \\u0000 \\".into(),
        "$1 %s {} %n %'s".into(),
        "NULL".into(),
        "NaN".into(),
        "-1".into(),
        "1e400".into(),
        "infinity".into(),
        "-infinity".into(),
        "[]".into(),
        "{}".into(),
        "[[[]]]".into(),
        "[".repeat(1_000),
        "00000000-0000-7000-8000-000000000000".into(),
        BUYER.into(),
        "escrows:live".into(),
        "٣٤٥".into(),
    ]
}

/// Calls; the session must go on, and an error must be ours, or PostgreSQL's for the argument's type, and must
/// have written nothing.
async fn survives(client: &Client, sql: &str) -> bool {
    let shown: String = sql.chars().take(300).collect();
    let before = contents(client).await;
    let Err(error) = try_calls(client, sql).await else { return true };
    let error = sql_error(&error);
    assert!(error.sqlstate.starts_with("PT4") || error.sqlstate.starts_with("22"), "{shown}: {error:?}");
    assert!(error.sqlstate.starts_with("22") || !error.token().is_empty(), "{shown}: {error:?}");
    assert!(!error.message.contains("panick"), "{shown}: {error:?}");
    assert_eq!(before, contents(client).await, "{shown} wrote something");
    assert_eq!(value(client, "SELECT 1").await, "1", "{shown}");
    false
}

#[tokio::test]
async fn every_argument_of_every_function() {
    let (_db, client) = shop("hostile").await;
    let live = format!("'{}'", &open_order(&client, "live").await["id"]);
    let disputed = open_order(&client, "disputed").await["id"].to_owned();
    let dispute = format!("'{}'", &act(&client, "open_dispute", &disputed, ", 'u', 'r'").await["id"]);
    let lines = quoted(&line(json!({})));
    let buyer = format!("'{BUYER}'");
    // Every call as it stands is refused, so that what is taken is taken for the one that is put in.
    let functions: Vec<(&str, Vec<(&str, &str)>)> = vec![
        (
            "open_escrow",
            vec![
                ("reference", "'live'"),
                ("buyer", &buyer),
                ("lines", &lines),
                ("auto_release_after", "'1 day'"),
                ("idempotency_key", "NULL"),
                ("metadata", "NULL"),
                ("amount", "NULL"),
                ("intent_id", "NULL"),
                ("ledger", "NULL"),
            ],
        ),
        ("mark_shipped", vec![("escrow_id", NOBODY), ("tracking_reference", "'t'"), ("ledger", "NULL")]),
        (
            "confirm_receipt",
            vec![("escrow_id", NOBODY), ("reason", "'r'"), ("idempotency_key", "NULL"), ("ledger", "NULL")],
        ),
        (
            "release_escrow",
            vec![
                ("escrow_id", &live),
                ("amount", "1e9"),
                ("reason", "'r'"),
                ("idempotency_key", "NULL"),
                ("line", "1"),
                ("ledger", "NULL"),
            ],
        ),
        (
            "refund_escrow",
            vec![
                ("escrow_id", &live),
                ("amount", "1e9"),
                ("reason", "'r'"),
                ("idempotency_key", "NULL"),
                ("line", "1"),
                ("on_shortfall", "'advance'"),
                ("ledger", "NULL"),
            ],
        ),
        (
            "open_dispute",
            vec![
                ("escrow_id", NOBODY),
                ("opened_by", "'u'"),
                ("reason", "'r'"),
                ("evidence", "'{}'"),
                ("ledger", "NULL"),
            ],
        ),
        (
            "add_dispute_note",
            vec![("dispute_id", NOBODY), ("note", "'n'"), ("evidence", "'{}'"), ("ledger", "NULL")],
        ),
        (
            "resolve_dispute",
            vec![("dispute_id", &dispute), ("refund_amount", "1e9"), ("reason", "'r'"), ("ledger", "NULL")],
        ),
        ("release_due_escrows", vec![("max_count", "0"), ("ledger", "NULL")]),
        (
            "set_rate",
            vec![
                ("name", "'hostile'"),
                ("rate", "2"),
                ("effective_from", "NULL"),
                ("account", "NULL"),
                ("reason", "NULL"),
                ("ledger", "NULL"),
            ],
        ),
        ("list_rates", vec![("at", "NULL"), ("ledger", "'nobody'")]),
    ];
    for (function, arguments) in functions {
        let mut taken = Vec::new();
        for (position, (name, _)) in arguments.iter().enumerate() {
            let hostile = texts().into_iter().map(|text| quoted(&text)).chain(["NULL".to_owned()]);
            for text in hostile {
                let call: Vec<String> = arguments
                    .iter()
                    .enumerate()
                    .map(|(place, (name, good))| {
                        format!("{name} => {}", if place == position { &text } else { *good })
                    })
                    .collect();
                if survives(&client, &format!("{function}({})", call.join(", "))).await {
                    taken.push(format!("{name} {text}"));
                }
            }
        }
        // Words that are a reference, and an amount that is all there is.
        let expected: &[&str] = match function {
            "open_escrow" => &["reference 'NULL'"],
            "release_escrow" | "refund_escrow" => &["amount NULL"],
            "list_rates" => &["ledger NULL"],
            _ => &[],
        };
        let other: Vec<&String> =
            taken.iter().filter(|taken| !expected.iter().any(|text| taken.contains(&text[..6]))).collect();
        assert!(other.is_empty(), "{function} took {other:?}");
    }
    assert_escrows_sound(&client).await;
}
