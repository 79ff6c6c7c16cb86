//! Snapshots that are older than what another session has committed: whatever depends on it is sent away with
//! `try_again`, and is right when it is made again. Also where the bank's accounts have stripes, so that
//! postings alone would not meet on one row.

use wallet_ledger_tests::bank::{
    SECRET, assert_bank_sound, credit, match_call, set_secret, webhook_call, with,
};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

use super::sessions::LEVELS;

/// A bank account whose every account has these many stripes, with two credits of nobody.
async fn striped(stripes: u32) -> (TestDb, Client, [String; 2]) {
    let (db, client) = books("snapshots").await;
    for (name, more) in [
        ("bank9", "'asset'"),
        ("bank9:suspense", "'liability', minimum_balance => 0"),
        ("bank9:outgoing", "'liability'"),
    ] {
        call(&client, &format!("create_account('{name}', {more}, stripes => {stripes})")).await;
    }
    call(&client, "register_bank_account('bank9', 'moota', 'nine')").await;
    set_secret(&client, "moota", SECRET).await;
    let mut ids = Vec::new();
    for name in ["w", "v"] {
        ids.push(call(&client, &match_call(&line(name, "7000"))).await["mutation_id"].to_owned());
    }
    (db, client, ids.try_into().unwrap())
}

fn line(id: &str, amount: &str) -> Value {
    with(&credit(id, amount), json!({ "bank_id": "nine", "account_number": null }))
}

/// What a call came to: the outcome, of one line or several, or the word of the error.
async fn attempt(client: &Client, sql: &str) -> String {
    match try_call(client, sql).await {
        Ok(line) if sql.starts_with("receive") => {
            let lines = line.json("lines");
            let outcomes = lines.as_array().unwrap().iter().map(|line| line["outcome"].as_str().unwrap());
            outcomes.collect::<Vec<_>>().join(" ")
        }
        Ok(line) if sql.starts_with("match_mutation(") => line["outcome"].to_owned(),
        Ok(line) => line["status"].to_owned(),
        Err(error) => {
            let error = sql_error(&error);
            let cause = error.detail["cause"].as_str().map_or(String::new(), |cause| format!(" {cause}"));
            format!("{} {}{cause}", error.sqlstate, error.token())
        }
    }
}

#[tokio::test]
async fn what_an_old_snapshot_cannot_see_is_not_taken_for_new() {
    for stripes in [1, 4] {
        for level in &LEVELS[1..] {
            let (db, client, [w, v]) = striped(stripes).await;
            let session = db.app().await;
            let at = json!({ "date": bank::wib(-60), "description": "the same words" });
            let [same, again] = [with(&line("n1", "8000"), at.clone()), with(&line("n2", "8000"), at)];
            let cases = [
                // The same movement, alone and in webhooks that overlap.
                (match_call(&line("m", "9000")), match_call(&line("m", "9000")), "duplicate"),
                (
                    webhook_call(&json!([line("a", "100"), line("b", "200")]).to_string()),
                    webhook_call(&json!([line("c", "300"), line("b", "200")]).to_string()),
                    "suspense duplicate",
                ),
                // The same movement under another id.
                (match_call(&same), match_call(&again), "review"),
                // A debit, which is stored for the proof alone.
                (
                    match_call(&with(&line("d", "5"), json!({ "type": "DB" }))),
                    match_call(&with(&line("d", "5"), json!({ "type": "DB" }))),
                    "duplicate",
                ),
                // Each is called a repetition of the other.
                (
                    format!("mark_mutation_duplicate('{w}', '{v}', 'r')"),
                    format!("mark_mutation_duplicate('{v}', '{w}', 'r')"),
                    "PT400 invalid_argument",
                ),
                (
                    format!("return_mutation('{v}', 'r')"),
                    format!("assign_mutation('{v}', 'wallets:a', 'r')"),
                    "PT422 mutation_not_matchable",
                ),
            ];
            for (theirs, ours, expected) in &cases {
                let begin =
                    format!("BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM wallet_data.mutations");
                execute(&session, &begin).await;
                let first = attempt(&client, theirs).await;
                assert!(!first.starts_with("PT"), "{theirs}: {first}");
                assert_eq!(
                    attempt(&session, ours).await,
                    "PT503 try_again serialization",
                    "{level}, {stripes} stripes: {ours}"
                );
                execute(&session, &format!("ROLLBACK; {begin}")).await;
                assert_eq!(attempt(&session, ours).await, *expected, "{level}, {stripes} stripes: {ours}");
                execute(&session, if expected.starts_with("PT") { "ROLLBACK" } else { "COMMIT" }).await;
            }
            // Stripes have a sum: the proofs of tests/src/bank.rs are told from plain accounts.
            let sql = "SELECT sum(CASE direction WHEN 'credit' THEN amount ELSE -amount END)
                       FROM wallet_ledger.mutations WHERE status <> 'duplicate'";
            assert_eq!(posted(&client, "bank9").await, value(&client, sql).await);
            let sql =
                "SELECT sum(amount) FROM wallet_ledger.mutations WHERE status IN ('suspense', 'review')";
            assert_eq!(posted(&client, "bank9:suspense").await, value(&client, sql).await);
            if stripes == 1 {
                assert_bank_sound(&db.connect().await).await;
            }
            verify_clean(&client).await;
        }
    }
}
