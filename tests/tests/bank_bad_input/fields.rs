//! Every value in the place of every field of a line.

use super::*;

/// Every value in the place of every field: between two good lines, which are taken, and alone. What was
/// rejected is stored with its reason, and reading it all again counts nothing twice.
#[tokio::test]
async fn every_field_of_a_line() {
    let (_db, client) = bank_books("fields").await;
    let fields = [
        "mutation_id",
        "id",
        "bank_id",
        "account_number",
        "date",
        "amount",
        "type",
        "balance",
        "description",
        "note",
        "token",
        "bank",
        "taggings",
        "payment_detail",
        "created_at",
        "💸",
        "",
    ];
    let mut good = dec!(0);
    let mut number = 0;
    for field in fields {
        let mut batch = Vec::new();
        for value in values() {
            number += 1;
            // Words that are its own, so that no two lines look alike.
            let line = with(
                &credit(&format!("m{number}"), "7.50"),
                json!({"description": number.to_string(), field: "HERE"}),
            );
            batch.push(line.to_string().replace("\"HERE\"", &value));
            batch.push(with(&credit(&format!("good {number}"), "10.50"), json!({})).to_string());
        }
        let body = format!("[{}]", batch.join(","));
        let answer = bank::receive(&client, &body).await;
        assert_eq!(
            (&answer["outcome"], &answer["line_count"]),
            ("processed", batch.len().to_string().as_str()),
            "{field}"
        );
        let lines = answer.json("lines");
        for (position, line) in lines.as_array().unwrap().iter().enumerate() {
            let sent: String = batch[position].chars().take(300).collect();
            if position % 2 == 1 {
                assert_eq!(line["outcome"], "suspense", "{field}: {sent}: {line}");
                good += dec!(10.50);
            }
            assert!(line["outcome"] != "matched" && line["outcome"] != "noted", "{sent}: {line}");
            assert!(line["message"].as_str().is_none_or(|message| message.len() < 1_000), "{line}");
        }
        let stored = format!(
            "SELECT count(*) FROM wallet_ledger.webhook_lines WHERE webhook_id = '{}'",
            &answer["webhook_id"]
        );
        assert_eq!(value(&client, &stored).await, answer["rejected_count"], "{field}");
        // What was rejected may be understood when it is read again: jsonb has no NUL and no number like 1e400.
        // Once it is, it is known.
        let reprocess = format!("reprocess_webhook('{}')", &answer["webhook_id"]);
        let again = call(&client, &reprocess).await;
        let taken = |line: &&Value| line["outcome"] != "rejected";
        for (first, again) in lines.as_array().unwrap().iter().zip(again.json("lines").as_array().unwrap()) {
            assert!(!taken(&first) || again["outcome"] == "duplicate", "{field}: {first} {again}");
            assert!(
                !taken(&first) || again["mutation_id"] == first["mutation_id"],
                "{field}: {first} {again}"
            );
        }
        let before = contents(&client).await;
        assert_eq!(&call(&client, &reprocess).await["rejected_count"], &again["rejected_count"]);
        assert_eq!(&bank::receive(&client, &body).await["replayed"], "t");
        assert_eq!(before, contents(&client).await, "{field}");
    }
    assert!(money(&posted(&client, BCA).await) >= good);
    assert_eq!(money(&posted(&client, "wallets:u").await), dec!(0));
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn every_field_of_a_single_mutation() {
    let (_db, client) = bank_books("single").await;
    let mut number = 0;
    for field in [
        "mutation_id",
        "bank_id",
        "account_number",
        "date",
        "amount",
        "type",
        "balance",
        "description",
        "bank",
    ] {
        for value in values() {
            number += 1;
            let line = with(
                &credit(&format!("m{number}"), "7.50"),
                json!({"description": number.to_string(), field: "HERE"}),
            );
            let sql = format!("match_mutation({})", quoted(&line.to_string().replace("\"HERE\"", &value)));
            if let Ok(rows) = survives(&client, &sql).await {
                assert!(
                    ["suspense", "review", "ignored", "duplicate"].contains(&&rows[0]["outcome"]),
                    "{rows:?}"
                );
            }
        }
    }
    // And what is no mutation at all.
    let brackets = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for (mutation, token) in [
        ("NULL", "missing_argument"),
        ("'null'", "invalid_json"),
        ("'5'", "invalid_json"),
        ("'\"text\"'", "invalid_json"),
        ("'[]'", "invalid_json"),
        ("'{}'", "invalid_json"),
        ("'[[]]'", "invalid_json"),
        ("'[1, 2]'", "invalid_json"),
        (&format!("'{brackets}'"), "invalid_json"),
        (&format!("'[{}, {}]'", credit("a", "5"), credit("b", "5")), "invalid_json"),
        ("to_jsonb(repeat('x', 5000000))", "invalid_json"),
        ("jsonb_build_object('mutation_id', 'x', 'description', repeat('x', 5000000))", "invalid_json"),
    ] {
        let error = survives(&client, &format!("match_mutation({mutation})")).await.expect_err(token);
        let shown: String = mutation.chars().take(100).collect();
        assert!(error.token() == token || mutation.contains("5000000"), "{shown}: {error:?}");
    }
    for text in texts() {
        let sql = format!("match_mutation({}, {})", quoted(&credit("x", "5").to_string()), quoted(&text));
        survives(&client, &sql).await.expect_err("no such provider");
    }
    let other_provider = format!("match_mutation({}, 'xendit')", quoted(&credit("x", "5").to_string()));
    let noted = survives(&client, &other_provider).await.unwrap().remove(0);
    assert_eq!(noted.pick(["outcome", "mutation_id"]), ["noted", "NULL"], "not what Xendit sends");
    assert_eq!(money(&posted(&client, "wallets:u").await), dec!(0));
    assert_bank_sound(&client).await;
}

/// A description is kept to a thousand bytes, at a character; the rest of the line is as good as any.
#[tokio::test]
async fn words_are_cut_and_cleaned() {
    let (_db, client) = bank_books("words").await;
    let line = intent(&client, 50_000, "").await;
    let long = "💸".repeat(5_000);
    let odd = with(&credit("a", &line["total"]), json!({"description": long, "date": wib(0)}));
    let answer = deliver(&client, &[odd]).await;
    assert_eq!(&answer["matched_count"], "1");
    let kept = bank::mutation_now(&client, "a").await["description"].to_owned();
    assert!(kept.len() <= 1_000 && kept.len() > 900 && long.starts_with(&kept), "{}", kept.len());
    match_line(&client, &with(&credit("b", "6.50"), json!({"description": "a\u{1}b\u{7f}c\nd\te"}))).await;
    assert_eq!(&bank::mutation_now(&client, "b").await["description"], "a b c d e");
    assert_bank_sound(&client).await;
}
