//! The guards of money in, each one alone: what the tables refuse when the code above them is wrong, and the
//! signature, without which nothing is taken for true. The guards that live in locks are shown by
//! tests/bank_races.rs. `scripts/mutants.sh` removes every one of them in turn and demands that the test
//! named for it goes red.

use wallet_ledger_tests::bank::{BCA, bank_books, credit, debit, deliver, intent, quoted, signature};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

/// Runs a statement that must be refused; the SQLSTATE and the constraint.
async fn refused(client: &Client, sql: &str) -> (String, String) {
    match client.batch_execute(sql).await {
        Ok(()) => panic!("not refused: {sql}"),
        Err(error) => {
            let db = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error}"));
            (db.code().code().to_owned(), db.constraint().unwrap_or(db.message()).to_owned())
        }
    }
}

/// Two intents, one of them paid; a credit of nobody and a debit. The superuser, for whom only guards count.
async fn paid_books(test: &str) -> (TestDb, Client) {
    let (db, client) = bank_books(test).await;
    let paid = intent(&client, 50_000, ", reference => 'paid'").await;
    call(&client, &format!("create_intent('order', 'wallets:u', 20000, '{BCA}', 'o1')")).await;
    call(&client, &format!("create_intent('order', 'wallets:u', 20000, '{BCA}', 'o2')")).await;
    let batch = [credit("pays", &paid["total"]), credit("waits", "777"), debit("goes", "5")];
    assert_eq!(deliver(&client, &batch).await.pick(["matched_count", "suspense_count"]), ["1", "1"]);
    let root = db.connect().await;
    (db, root)
}

/// A copy of a row with other values in some columns.
fn copied(table: &str, condition: &str, changes: &str) -> String {
    format!(
        "INSERT INTO wallet_data.{table} SELECT (jsonb_populate_record(t, {changes})).* \
         FROM wallet_data.{table} t WHERE {condition}"
    )
}

#[tokio::test]
async fn unique_indexes_refuse_a_second_one() {
    let (_db, root) = paid_books("bank_unique").await;
    let new = |column: &str| format!("jsonb_build_object('{column}', gen_random_uuid())");
    for (sql, index) in [
        (copied("mutations", "provider_mutation_id = 'waits'", &new("mutation_id")), "mutations_provider_id"),
        (
            copied(
                "mutations",
                "provider_mutation_id = 'pays'",
                "jsonb_build_object('mutation_id', gen_random_uuid(), 'provider_mutation_id', 'other')",
            ),
            "mutations_intent",
        ),
        (copied("live_intents", "order_reference = 'o1'", &new("intent_id")), "live_intents_order"),
        (copied("intent_codes", "total > 50000", &new("intent_id")), "intent_codes_pkey"),
        (copied("webhooks", "true", &new("webhook_id")), "webhooks_body"),
        (
            copied(
                "bank_accounts",
                "bank_account_id = (SELECT min(bank_account_id) FROM wallet_data.bank_accounts)",
                "jsonb_build_object('bank_account_id', 999)",
            ),
            "bank_accounts_ledger_id_account_id_key",
        ),
    ] {
        assert_eq!(refused(&root, &sql).await, ("23505".to_owned(), index.to_owned()), "{sql}");
    }
}

#[tokio::test]
async fn checks_refuse_what_no_call_writes() {
    let (_db, root) = paid_books("bank_checks").await;
    for (sql, check) in [
        ("UPDATE wallet_data.intents SET state_id = 1 WHERE state_id = 4", "intents_paid_once"),
        ("UPDATE wallet_data.intents SET state_id = 4 WHERE reference = 'o1'", "intents_paid_once"),
        // Each of these breaks one clause alone.
        ("UPDATE wallet_data.intents SET mutation_id = NULL WHERE state_id = 4", "intents_paid_once"),
        ("UPDATE wallet_data.intents SET transaction_id = NULL WHERE state_id = 4", "intents_paid_once"),
        ("UPDATE wallet_data.intents SET paid_amount = NULL WHERE state_id = 4", "intents_paid_once"),
        ("UPDATE wallet_data.intents SET closed_at = NULL WHERE state_id = 4", "intents_paid_once"),
        ("UPDATE wallet_data.intents SET unique_code = NULL", "intents_known_by"),
        ("UPDATE wallet_data.intents SET number = '1' WHERE reference = 'o1'", "intents_known_by"),
        ("UPDATE wallet_data.mutations SET state_id = 2 WHERE state_id = 1", "mutations_matched"),
        ("UPDATE wallet_data.mutations SET received_transaction_id = NULL", "mutations_posted"),
        ("UPDATE wallet_data.mutations SET state_id = 5 WHERE state_id = 2", "mutations_assigned"),
        ("UPDATE wallet_data.mutations SET state_id = 4 WHERE state_id = 2", "mutations_direction"),
        ("UPDATE wallet_data.mutations SET state_id = 3 WHERE direction_id = 2", "mutations_direction"),
    ] {
        assert_eq!(refused(&root, sql).await, ("23514".to_owned(), check.to_owned()), "{sql}");
    }
    for (table, column) in [("intents", "total"), ("intents", "amount"), ("mutations", "amount")] {
        for amount in ["0", "-1", "'NaN'", "'Infinity'"] {
            let sql = format!("UPDATE wallet_data.{table} SET {column} = {amount}");
            assert_eq!(refused(&root, &sql).await.0, "23514", "{sql}");
        }
    }
}

#[tokio::test]
async fn what_came_in_is_kept_even_from_a_superuser() {
    let (_db, root) = paid_books("bank_kept").await;
    let kept = [
        "bank_accounts",
        "intents",
        "mutations",
        "mutation_sightings",
        "payment_actions",
        "webhooks",
        "gateway_payments",
        "bank_statements",
    ];
    // An ordinary trigger would be skipped in the second mode.
    for mode in ["origin", "replica"] {
        execute(&root, &format!("SET session_replication_role = {mode}")).await;
        for table in kept {
            for sql in
                [format!("DELETE FROM wallet_data.{table}"), format!("TRUNCATE wallet_data.{table} CASCADE")]
            {
                assert_error(root.batch_execute(&sql).await, "append_only", "PT403");
            }
        }
        for table in ["mutation_sightings", "payment_actions"] {
            let sql = format!("UPDATE wallet_data.{table} SET created_at = now() WHERE false");
            assert_error(root.batch_execute(&sql).await, "append_only", "PT403");
        }
    }
}

#[tokio::test]
async fn a_forged_webhook_is_refused_and_leaves_nothing() {
    let (_db, client) = bank_books("bank_forged").await;
    let wanted = intent(&client, 50_000, "").await;
    let body = json!([credit("forged", &wanted["total"])]).to_string();
    let mut flipped = signature(bank::SECRET, &body);
    flipped.replace_range(63.., if flipped.ends_with('0') { "1" } else { "0" });
    for signature in [flipped, signature("another-key", &body), signature(bank::SECRET, &format!("{body} "))]
    {
        let headers = json!({ "Signature": signature }).to_string();
        let sql = format!("('moota', {}, {})", quoted(&headers), quoted(&body));
        let verified = call(&client, &format!("verify_webhook{sql}")).await;
        assert_eq!(verified.pick(["valid", "reason"]), ["f", "signature_mismatch"]);
        let answer = call(&client, &format!("receive_webhook{sql}")).await;
        assert_eq!(answer.pick(["outcome", "http_status", "webhook_id"]), ["refused", "401", "NULL"]);
    }
    let sql = "SELECT concat_ws(' ', (SELECT count(*) FROM wallet_ledger.mutations),
                      (SELECT count(*) FROM wallet_ledger.webhooks), (SELECT count(*) FROM wallet_ledger.webhook_refusals),
                      (SELECT status FROM wallet_ledger.intents))";
    assert_eq!(value(&client, sql).await, "0 0 3 open");
}
