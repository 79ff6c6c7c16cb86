//! Money in outlives what is done to databases.

use super::*;

/// A bit of everything, in the ledger `main`; the bodies that were delivered, with their answers.
async fn lived_in(test: &str) -> (TestDb, Client, Vec<(String, Line)>) {
    let (db, client) = bank_books(test).await;
    db::execute(&client, "SET wallet_ledger.ledger = 'main'; SET wallet_ledger.actor = 'sari'").await;
    call(&client, "set_webhook_secret('xendit', 'callback-token')").await;
    call(&client, "set_webhook_secret('moota', 'the next key', '30 days')").await;
    call(&client, "set_setting('unique_code_cooldown', '1 hour')").await;
    let make = async |more: &str| intent(&client, 50_000, more).await;
    let keyed = make(", idempotency_key => 'key', reference => 'r', payer_name => 'Budi 😀', metadata => '{\"a\": [1, 2.50]}'").await;
    let (paid, cancelled, pending, rejected, undone) =
        (make("").await, make("").await, make("").await, make("").await, make("").await);
    make(", expires_in => '1 second'").await;
    call(&client, &format!("create_intent('order', 'wallets:u', 1, '{BCA}', 'o-1', method => 'virtual_account', number => '777')")).await;
    call(&client, &format!("cancel_intent('{}', 'not wanted')", &cancelled["id"])).await;
    for line in [&pending, &rejected] {
        call(&client, &format!("submit_payment_proof('{}', 's3://proof')", &line["id"])).await;
    }
    call(&client, &format!("reject_payment('{}', 'blurred')", &rejected["id"])).await;
    let mut bodies = Vec::new();
    for batch in [
        vec![
            credit("paid", &paid["total"]),
            credit("again", &paid["total"]),
            credit("suspense", "5.5"),
            json!({"id": "bad"}),
        ],
        vec![
            credit("undone", &undone["total"]),
            debit("debit", "6500.50"),
            credit("assigned", "7.5"),
            credit("returned", "8.5"),
        ],
        vec![with(&credit("twin", "5.5"), json!({"description": "TRSF E-BANKING CR suspense"}))],
    ] {
        let body = body_of(&batch);
        bodies.push((body.clone(), receive(&client, &body).await));
    }
    bodies.push(("not JSON".to_owned(), receive(&client, "not JSON").await));
    let id = async |provider_id: &str| mutation_now(&client, provider_id).await["id"].to_owned();
    call(&client, &format!("unmatch_mutation('{}', 'wrong')", id("undone").await)).await;
    call(&client, &format!("assign_mutation('{}', 'wallets:c', 'his')", id("assigned").await)).await;
    call(&client, &format!("return_mutation('{}', 'unknown')", id("returned").await)).await;
    if &mutation_now(&client, "twin").await["status"] == "review" {
        call(
            &client,
            &format!("mark_mutation_duplicate('{}', '{}', 'twice')", id("twin").await, id("suspense").await),
        )
        .await;
    }
    call(&client, &delivery("moota", &json!({}), "forged")).await;
    until(&client, "SELECT count(*) > 0 FROM wallet_ledger.intents WHERE status = 'expired'", "t").await;
    assert_eq!(&keyed["status"], "open");
    (db, client, bodies)
}

const VIEWS: [&str; 8] = [
    "bank_accounts",
    "intents",
    "mutations",
    "mutations_to_review",
    "payment_actions",
    "webhooks",
    "webhook_lines",
    "webhook_refusals",
];

async fn seen(client: &Client) -> Vec<Vec<Line>> {
    let mut all = Vec::new();
    for view in VIEWS {
        all.push(lines(client, &format!("SELECT * FROM wallet_ledger.{view} v ORDER BY v::text")).await);
    }
    all.push(lines(client, "SELECT * FROM wallet_ledger.accounts ORDER BY account").await);
    all
}

/// Replays, verifies, matches and gives out codes in the copy as the original would.
async fn carries_on(client: &Client, bodies: &[(String, Line)]) {
    db::execute(client, "SET wallet_ledger.ledger = 'main'").await;
    for (body, first) in bodies {
        let again = receive(client, body).await;
        assert_eq!(&again["replayed"], "t", "with the key that was kept");
        assert_eq!(again.without(&["replayed"]), first.without(&["replayed"]));
    }
    let key = ", idempotency_key => 'key', reference => 'r', payer_name => 'Budi 😀', metadata => '{\"a\": [1, 2.50]}'";
    let kept = intent(client, 50_000, key).await;
    assert_eq!(kept.pick(["status", "replayed"]), ["open", "t"]);
    for _ in 0..200 {
        intent(client, 50_000, "").await;
    }
    let paid = match_line(client, &credit("new", &kept["total"])).await;
    assert_eq!((&paid["outcome"], &paid["intent_id"]), ("matched", &kept["id"]));
    let again =
        deliver(client, &[credit("paid", "1"), credit("suspense", "5.5"), credit("fresh", "9.5")]).await;
    assert_eq!(again.pick(["duplicate_count", "suspense_count", "rejected_count"]), ["1", "1", "1"]);
    let late = one(
        client,
        "SELECT id FROM wallet_ledger.mutations_to_review WHERE provider_mutation_id = 'suspense'",
    )
    .await;
    call(client, &format!("assign_mutation('{}', 'wallets:u', 'found')", &late["id"])).await;
    assert!(value(client, "SELECT wallet_ledger.expire_intents()").await.parse::<i64>().unwrap() <= 1);
    assert_bank_sound(client).await;
}

async fn healthy(client: &Client) {
    let ill = lines(
        client,
        "SELECT check_name, status, detail FROM wallet_ledger.doctor() WHERE status NOT IN ('ok', 'skipped')",
    )
    .await;
    assert!(ill.is_empty(), "{ill:#?}");
}

#[tokio::test]
async fn dump_and_restore_keep_all_of_it() {
    let (db, client, bodies) = lived_in("dumped_bank").await;
    let superuser = db.connect().await;
    healthy(&superuser).await;
    let (rows, views) = (contents(&superuser).await, seen(&client).await);
    for format in ["custom", "plain"] {
        let copy = TestDb::empty(&format!("restored_bank_{format}")).await;
        let dump = std::env::temp_dir().join(format!("{}.dump", copy.name));
        run(db.cluster.program("pg_dump").args(["-F", format, "-d", &db.name, "-f"]).arg(&dump)).await;
        let mut restore = db.cluster.program(if format == "custom" { "pg_restore" } else { "psql" });
        match format {
            "custom" => restore.args(["--exit-on-error", "-d", &copy.name]),
            _ => restore.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &copy.name, "-f"]),
        };
        run(restore.arg(&dump)).await;
        std::fs::remove_file(&dump).unwrap();
        let (restored, owner) = (copy.app().await, copy.connect().await);
        assert_eq!(contents(&owner).await, rows, "{format}");
        assert_eq!(seen(&restored).await, views, "{format}");
        healthy(&owner).await;
        carries_on(&restored, &bodies).await;
        healthy(&owner).await;
        let kept = try_lines(&owner, "DELETE FROM wallet_data.mutations").await;
        assert_error(kept, "append_only", "PT403");
    }
    carries_on(&client, &bodies).await;
}

#[tokio::test]
async fn dropping_the_extension_keeps_all_of_it() {
    let (db, client, bodies) = lived_in("dropped_bank").await;
    let superuser = db.connect().await;
    let (rows, views) = (contents(&superuser).await, seen(&client).await);
    db::execute(&superuser, "DROP EXTENSION wallet_ledger CASCADE").await;
    assert_eq!(contents(&superuser).await, rows);
    for table in ["bank_accounts", "intents", "mutations", "payment_actions", "webhooks"] {
        let deleted = try_lines(&superuser, &format!("DELETE FROM wallet_data.{table}")).await;
        assert_error(deleted, "append_only", "PT403");
    }
    assert_eq!(seen(&client).await, views, "the views go on reading, suggestions too");
    let secrets = try_lines(&client, "SELECT * FROM wallet_data.webhook_secrets").await.unwrap_err();
    assert_eq!(sql_error(&secrets).sqlstate, "42501", "and the keys stay closed");
    assert_eq!(sql_error(&try_call(&client, &webhook_call("[]")).await.unwrap_err()).sqlstate, "42883");
    db::execute(&superuser, "CREATE EXTENSION wallet_ledger; SELECT wallet_ledger.install()").await;
    assert_eq!(contents(&superuser).await, rows);
    healthy(&superuser).await;
    carries_on(&client, &bodies).await;
}
