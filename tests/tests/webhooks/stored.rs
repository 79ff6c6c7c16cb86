//! What of a body is stored, and what must not be: tokens are planted wherever a sender may put one, and the
//! whole database is searched for them, dumped by PostgreSQL's own program.

use super::*;

const PLANTED: &str = "hunter2-planted";

/// The database as pg_dump writes it, without the table of the keys.
async fn dumped(db: &TestDb) -> String {
    let mut dump = db.cluster.program("pg_dump");
    dump.args(["--inserts", "--exclude-table-data=wallet_data.webhook_secrets", "-d", &db.name]);
    run(&mut dump).await
}

#[tokio::test]
async fn no_token_is_stored_anywhere() {
    let (db, client) = bank_books("planted").await;
    let full = |id: &str| {
        with(
            &credit(id, "5"),
            json!({
                "token": PLANTED,
                "access_token": PLANTED,
                "bank": {
                    "token": PLANTED, "meta": {"cookie": PLANTED, "deep": [PLANTED, {"x": PLANTED}]}, "username": PLANTED,
                    "corporate_id": PLANTED, "password": PLANTED, "pin": PLANTED, "api_key": PLANTED,
                    "client-secret": [PLANTED], "Authorization": {"Bearer": PLANTED}, "bank_id": BCA_ID,
                },
            }),
        )
    };
    let good = full("good").to_string();
    let bodies = [
        format!("[{good}]"),
        format!("{{\"mutations\": [{}], \"secret\": \"{PLANTED}\"}}", full("wrapped")),
        full("one").to_string(),
        // Bad lines of every kind, among them some that have a token where another field should be.
        body_of(&[
            with(&full("no amount"), json!({"amount": null})),
            with(&full("bad amount"), json!({"amount": "x"})),
            with(&full("bad date"), json!({"date": "x"})),
            with(&full("bad type"), json!({"type": "x"})),
            with(
                &full("no bank"),
                json!({"bank_id": "nobody", "account_number": null, "bank": {"token": PLANTED}}),
            ),
            with(&full("x"), json!({"mutation_id": null})),
            with(&full("x"), json!({"mutation_id": {"token": PLANTED}})),
            json!({"token": PLANTED}),
            json!([{"token": PLANTED}]),
        ]),
        // Nearly JSON, and cut short.
        format!("[{good}"),
        format!("[{good},]"),
        format!("{{\"token\": \"{PLANTED}\""),
        format!("{{\"token\" :\n\"{PLANTED}"),
        format!("{{\"bank\": {{\"meta\": {{\"a\": [\"{PLANTED}\""),
        // JSON of another shape.
        json!({"data": {"token": PLANTED}}).to_string(),
        json!({"to\u{0}ken": PLANTED}).to_string(),
        format!("{{\"tok\\u0065n\": \"{PLANTED}\"}}"),
        format!("{{\"token\": \"a\", \"token\": \"{PLANTED}\"}}"),
    ];
    for body in &bodies {
        assert!(body.contains(PLANTED));
        let answer = receive(&client, body).await;
        assert_ne!(&answer["outcome"], "refused");
        assert!(!format!("{answer:?}").contains(PLANTED), "{answer:?}");
        call(&client, &format!("reprocess_webhook('{}')", &answer["webhook_id"])).await;
    }
    // Refused: with the token in the body, in a header, in the place of the signature.
    for (provider, headers) in [
        ("moota", json!({"Signature": PLANTED})),
        ("moota", json!({"Signature": signature(PLANTED, &bodies[0])})),
        ("xendit", json!({"x-callback-token": PLANTED})),
        ("snap", json!({"Authorization": format!("Bearer {PLANTED}"), "X-SIGNATURE": PLANTED})),
        ("midtrans", json!({})),
    ] {
        let answer = call(&client, &delivery(provider, &headers, &bodies[0])).await;
        assert_eq!(&answer["outcome"], "refused");
        assert!(!format!("{answer:?}").contains(PLANTED), "{answer:?}");
    }
    match_line(&client, &full("by itself")).await;
    for bad in [
        with(&full("x"), json!({"amount": 0})),
        with(&full("x"), json!({"bank_id": "x", "account_number": null, "bank": null})),
    ] {
        let error = sql_error(&bank::try_match_line(&client, &bad).await.unwrap_err());
        assert!(!format!("{error:?}").contains(PLANTED), "{error:?}");
    }
    let dump = dumped(&db).await;
    assert!(dump.contains("[redacted]") && dump.contains("good"), "the dump is the database");
    let found: Vec<&str> = dump.lines().filter(|line| line.contains(PLANTED)).collect();
    assert!(found.is_empty(), "{found:#?}");
    assert!(!dump.contains(SECRET), "the key is in no other table");
    let with_keys = run(db.cluster.program("pg_dump").args(["--inserts", "-d", &db.name])).await;
    assert!(with_keys.contains(SECRET), "an owner's dump has the keys: it is as secret as they are");
    assert_bank_sound(&client).await;
}

/// What is stored is what came, but for the secrets: and so the lines can be read again.
#[tokio::test]
async fn everything_else_is_stored_as_it_came() {
    let (_db, client) = bank_books("as_it_came").await;
    let mut line = credit("a", "12111.00");
    line["description"] = json!("kopi ☕ \"quoted\" \\ back\tslash 💸");
    line["taggings"] = json!([{"name": "x"}, 1, null, true]);
    line["balance"] = json!(3_799_460.89);
    line["bank"] = json!({"atas_nama": "PT Maju", "account_number": "1000000001", "label": "BCA"});
    deliver(&client, &[line.clone()]).await;
    line["token"] = json!("[redacted]");
    let stored = one(&client, "SELECT body FROM wallet_ledger.webhooks").await.json("body");
    assert_eq!(stored, json!([line]));
    let row = mutation_now(&client, "a").await;
    assert_eq!(row.pick(["amount", "balance"]), ["12111.00", "3799460.89"]);
    assert_eq!(&row["description"], "kopi ☕ \"quoted\" \\ back slash 💸", "a control character is a blank");
    assert_bank_sound(&client).await;
}

/// Numbers and repeated keys mean the same when they are read again.
#[tokio::test]
async fn reading_it_again_gives_the_same() {
    let (_db, client) = bank_books("read_again").await;
    let bodies: Vec<String> = [
        ("100000.00", "\"a1\""),
        ("1e3", "\"a2\""),
        ("12111.5", "18446744073709551616"),
        ("5", "00"),
        ("0.10", "1.0"),
        ("5.5", "1e5"),
        ("9007199254740993", "9007199254740993"),
        ("7", "\" a3 \""),
        ("7.7", "\"a\\u00e9\""),
        ("8", "\"a4\", \"mutation_id\": \"a5\""),
        ("9", "\"1\", \"amount\": 10"),
        ("1.000", "\"b1\""),
        ("150.500", "\"b2\""),
        ("\"150.500\"", "\"b3\""),
        ("1000.000", "\"b4\""),
    ]
    .iter()
    .map(|(amount, id)| {
        format!(
            "[{{\"mutation_id\": {id}, \"amount\": {amount}, \"type\": \"CR\", \"bank_id\": \"bca-1\", \"date\": \"{}\", \
             \"description\": {}}}]",
            wib(0),
            json!(format!("{amount} {id}"))
        )
    })
    .collect();
    for body in bodies {
        let first = receive(&client, &body).await;
        let before = posted(&client, BCA).await;
        let mutations = value(&client, "SELECT count(*) FROM wallet_ledger.mutations").await;
        let again = call(&client, &format!("reprocess_webhook('{}')", &first["webhook_id"])).await;
        let (first, again) = (first.json("lines"), again.json("lines"));
        let expected = if first[0]["outcome"] == "rejected" { "rejected" } else { "duplicate" };
        assert_eq!(again[0]["outcome"], expected, "{body}: {first} {again}");
        assert_eq!(again[0]["mutation_id"], first[0]["mutation_id"], "{body}");
        assert_eq!(posted(&client, BCA).await, before, "{body}");
        assert_eq!(value(&client, "SELECT count(*) FROM wallet_ledger.mutations").await, mutations, "{body}");
    }
    assert_bank_sound(&client).await;
}

/// An emoji that somebody has cut in half takes no other line along, and is stored as what is left of it.
#[tokio::test]
async fn half_an_emoji_is_no_reason_to_lose_a_batch() {
    let (_db, client) = bank_books("half").await;
    let line = intent(&client, 50_000, "").await;
    let cut =
        with(&credit("a", "5"), json!({"description": "budi CUT"})).to_string().replace("CUT", "\\ud83d");
    let answer = receive(&client, &format!("[{cut}, {}]", credit("b", &line["total"]))).await;
    assert_eq!(answer.pick(["outcome", "matched_count", "suspense_count"]), ["processed", "1", "1"]);
    assert_eq!(&mutation_now(&client, "a").await["description"], "budi \u{fffd}");
    let again = call(&client, &format!("reprocess_webhook('{}')", &answer["webhook_id"])).await;
    assert_eq!(&again["duplicate_count"], "2");
    assert_bank_sound(&client).await;
}
