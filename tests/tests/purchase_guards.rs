//! Proves that the tables themselves refuse what the code must never do, whoever asks: more given back than was
//! paid, a sale that changes, a number of a till that is taken twice. And that verify_ledger() finds what got past
//! them: every finding is provoked by tampering with sound books, inside a transaction that is rolled back.

use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::school::*;
use wallet_ledger_tests::*;

const LUNCH: &str = r#"[{"item": "nasi-goreng", "quantity": 2}, {"item": "es-teh"}]"#;

/// Every one as the superuser: what it does, and the constraint that refuses it, or `guard`.
const ATTEMPTS: &[(&str, &str)] = &[
    (
        "UPDATE wallet_data.purchases SET refunded_amount = amount + 1 WHERE state_id = 1",
        "guard",
    ),
    (
        "UPDATE wallet_data.purchases SET overdraft_returned_amount = overdraft_amount + 1 WHERE is_overdraft",
        "guard",
    ),
    ("UPDATE wallet_data.purchase_items SET refunded_amount = amount + 1", "guard"),
    (
        "UPDATE wallet_data.purchase_items SET refunded_quantity = quantity + 1",
        "guard",
    ),
    ("UPDATE wallet_data.purchases SET refunded_amount = 'NaN' WHERE state_id = 1", "held_amount_check"),
    ("UPDATE wallet_data.purchases SET refunded_amount = refunded_amount - 1 WHERE refunded_amount > 0", "guard"),
    ("UPDATE wallet_data.purchases SET refunded_amount = 1 WHERE state_id = 2", "guard"),
    ("UPDATE wallet_data.purchases SET amount = amount + 1 WHERE state_id = 1", "guard"),
    ("UPDATE wallet_data.purchases SET member = 'm1' WHERE member = 'm2' AND state_id = 1", "guard"),
    ("UPDATE wallet_data.purchases SET error = NULL WHERE state_id = 2", "guard"),
    ("UPDATE wallet_data.purchase_items SET unit_price = 1", "guard"),
    ("UPDATE wallet_data.purchase_items SET refunded_amount = 0 WHERE refunded_amount > 0", "guard"),
    ("UPDATE wallet_data.purchase_refunds SET amount = 1", "guard"),
    ("UPDATE wallet_data.device_entries SET state_id = 1, error = NULL", "guard"),
    (
        "INSERT INTO wallet_data.purchases (ledger_id, state_id, purchase_id, account_id, purchased_at, created_at,
             amount, member, merchant, actor)
         VALUES (1, 2, gen_random_uuid(), 1, now(), now(), 1, 'm1', 'canteen', 'x')",
        "purchases_paid_or_refused",
    ),
    (
        "INSERT INTO wallet_data.purchases (ledger_id, state_id, purchase_id, transaction_id, account_id, purchased_at,
             created_at, amount, member, merchant, actor, error)
         VALUES (1, 2, gen_random_uuid(), gen_random_uuid(), 1, now(), now(), 1, 'm1', 'canteen', 'x', '{}')",
        "purchases_paid_or_refused",
    ),
    (
        "INSERT INTO wallet_data.purchases (ledger_id, state_id, purchase_id, transaction_id, account_id, purchased_at,
             created_at, amount, member, merchant, actor, device, device_sequence)
         VALUES (1, 1, gen_random_uuid(), gen_random_uuid(), 1, now(), now(), 1, 'm1', 'canteen', 'x', 'till-1', 1)",
        "purchases_sequence",
    ),
    (
        "INSERT INTO wallet_data.purchases (ledger_id, state_id, purchase_id, transaction_id, account_id, purchased_at,
             created_at, amount, member, merchant, actor, device, device_sequence)
         VALUES (1, 1, gen_random_uuid(), gen_random_uuid(), 1, now(), now(), 1, 'm1', 'canteen', 'x', 'till-1', 0)",
        "till_number_check",
    ),
    (
        "INSERT INTO wallet_data.purchases (ledger_id, state_id, purchase_id, transaction_id, account_id, purchased_at,
             created_at, amount, member, merchant, actor)
         VALUES (1, 1, gen_random_uuid(), gen_random_uuid(), 1, 'infinity', now(), 1, 'm1', 'canteen', 'x')",
        "finite_time_check",
    ),
    (
        "INSERT INTO wallet_data.purchase_items (ledger_id, line, quantity_scale, purchase_id, quantity, unit_price,
             amount, item) VALUES (1, 0, 0, gen_random_uuid(), 1, 1, 1, 'pen')",
        "line_number_check",
    ),
    (
        "INSERT INTO wallet_data.purchase_items (ledger_id, line, quantity_scale, purchase_id, quantity, unit_price,
             amount, item) VALUES (1, 1, 4, gen_random_uuid(), 1, 1, 1, 'pen')",
        "quantity_scale_check",
    ),
    (
        "INSERT INTO wallet_data.device_entries SELECT * FROM wallet_data.device_entries LIMIT 1",
        "device_entries_pkey",
    ),
    (
        "INSERT INTO wallet_data.device_entries (ledger_id, state_id, sequence, decided_at, device, digest, error)
         VALUES (1, 3, 99, now(), 'till-1', sha256(''), '{}')",
        "device_entries_kept",
    ),
    (
        "INSERT INTO wallet_data.device_entries (ledger_id, state_id, sequence, decided_at, device, digest, entry)
         VALUES (1, 3, 99, now(), 'till-1', sha256(''), '{}')",
        "device_entries_rejected",
    ),
];

const TABLES: &[&str] = &["purchases", "purchase_items", "purchase_refunds", "device_entries"];

/// Findings and their subjects, `{name}` standing for an id.
type Findings = &'static [[&'static str; 2]];

const CASES: &[(&str, Findings)] = &[
    (
        "UPDATE wallet_data.purchases SET amount = amount + 1 WHERE purchase_id = '{sold}'",
        &[["purchase_sum_mismatch", "{sold}"]],
    ),
    (
        "UPDATE wallet_data.purchases SET refunded_amount = refunded_amount + 1 WHERE purchase_id = '{sold}'",
        &[["purchase_sum_mismatch", "{sold}"], ["purchase_sum_mismatch", "{sold}"]],
    ),
    (
        "UPDATE wallet_data.purchase_items SET amount = amount + 1 WHERE purchase_id = '{sold}' AND line = 1;
         UPDATE wallet_data.purchases SET amount = amount + 1 WHERE purchase_id = '{sold}'",
        &[["purchase_posting_mismatch", "{sold}"]],
    ),
    (
        "UPDATE wallet_data.purchase_items SET transfer_id = NULL WHERE purchase_id = '{sold}' AND line = 2",
        &[["purchase_posting_mismatch", "{sold}"], ["purchase_posting_mismatch", "{sold}"]],
    ),
    (
        "SELECT wallet_ledger.reverse_transaction(transaction_id) FROM wallet_data.purchases WHERE purchase_id = '{sold}'",
        &[["purchase_posting_mismatch", "{sold}"]],
    ),
    (
        "UPDATE wallet_data.purchases SET state_id = 1 WHERE purchase_id = '{refused}'",
        &[["purchase_posting_mismatch", "{refused}"]],
    ),
    (
        "UPDATE wallet_data.purchase_items SET refunded_quantity = quantity + 1 WHERE purchase_id = '{sold}' AND line = 1",
        &[["purchase_sum_mismatch", "{sold}"]],
    ),
    (
        "UPDATE wallet_data.purchases SET overdraft_returned_amount = amount + 1 WHERE purchase_id = '{lent}'",
        &[["purchase_posting_mismatch", "{lent}"], ["purchase_sum_mismatch", "{lent}"]],
    ),
    (
        "UPDATE wallet_data.purchases SET transaction_id = gen_random_uuid() WHERE purchase_id = '{lent}'",
        &[["purchase_posting_mismatch", "{lent}"], ["purchase_posting_mismatch", "{lent}"]],
    ),
    (
        "UPDATE wallet_data.purchases SET overdraft_amount = overdraft_amount - 1 WHERE purchase_id = '{lent}'",
        &[["purchase_posting_mismatch", "{lent}"]],
    ),
    (
        "UPDATE wallet_data.purchase_items SET transfer_id = (SELECT transfer_id FROM wallet_data.transfers LIMIT 1)
         WHERE purchase_id = '{refused}' AND line = 1",
        &[["purchase_posting_mismatch", "{refused}"]],
    ),
    (
        "INSERT INTO wallet_data.purchase_refunds
         SELECT 1, gen_random_uuid(), purchase_id, gen_random_uuid(), now(), 1, 'x', NULL, NULL
         FROM wallet_data.purchases WHERE purchase_id = '{sold}'",
        &[["purchase_posting_mismatch", "{sold}"], ["purchase_sum_mismatch", "{sold}"]],
    ),
    (
        "UPDATE wallet_data.purchase_refunds SET transaction_id = gen_random_uuid()",
        &[["purchase_posting_mismatch", "{sold}"]],
    ),
    (
        "UPDATE wallet_data.purchases SET member = 'nobody' WHERE purchase_id = '{sold}'",
        &[["purchase_party_missing", "{sold}"]],
    ),
    (
        "UPDATE wallet_data.purchases SET merchant = 'nowhere', device = NULL WHERE purchase_id = '{sold}'",
        &[["purchase_party_missing", "{sold}"]],
    ),
    (
        "UPDATE wallet_data.purchases SET device = 'till-9' WHERE purchase_id = '{sold}'",
        &[["purchase_party_missing", "{sold}"]],
    ),
    (
        "DELETE FROM wallet_data.purchases WHERE purchase_id = '{refused}'",
        &[["purchase_party_missing", "{refused}"]],
    ),
    (
        "DELETE FROM wallet_data.device_entries WHERE sequence = 1",
        &[["device_entry_mismatch", "till-1:1"]],
    ),
    (
        "UPDATE wallet_data.device_entries SET state_id = 1 WHERE sequence = 1",
        &[["device_entry_mismatch", "till-1:1"]],
    ),
    ("UPDATE wallet_data.devices SET last_sequence = 9", &[["device_entry_mismatch", "till-1:2"]]),
];

/// A sale with a refund, one that was refused, one into an overdraft, and an entry that could not be read.
async fn sales(test: &str) -> (TestDb, Client, Vec<(String, String)>) {
    let (db, client) = school(test).await;
    device(&client, "canteen", "till-1", "conflict_policy => 'accept', overdraft_limit => 50000").await;
    let sold = buy(&client, "m1", LUNCH, ", device => 'till-2'").await["id"].to_owned();
    call(&client, &format!("refund_purchase('{sold}', amount => 31000)")).await;
    let refused = buy(&client, "m2", LUNCH, ", on_error => 'report'").await["id"].to_owned();
    let batch =
        r#"[{"sequence": 1, "member": "m2", "at": "NOW", "items": [{"item": "pen"}]}, {"sequence": 2}]"#;
    let at =
        value(&client, "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')").await;
    let answers = calls(&client, &format!("sync_purchases('till-1', '{}')", batch.replace("NOW", &at))).await;
    assert_eq!(&answers[0]["status"], "overdraft");
    let lent = answers[0]["purchase_id"].to_owned();
    let names =
        vec![("{sold}".to_owned(), sold), ("{refused}".to_owned(), refused), ("{lent}".to_owned(), lent)];
    assert_purchases_sound(&db).await;
    (db, client, names)
}

#[tokio::test]
async fn the_tables_refuse_it_whoever_asks() {
    let (db, client, _) = sales("guards").await;
    let owner = db.connect().await;
    assert_tables_refuse(&owner, &client, TABLES, ATTEMPTS).await;
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn every_finding_about_purchases_is_found_and_nothing_else() {
    let (db, _client, names) = sales("verify").await;
    let fill_in =
        |text: &str| names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    let owner = db.connect().await;
    // Tampering takes somebody who removes the guards first.
    let guards: String =
        TABLES.iter().map(|table| format!("ALTER TABLE wallet_data.{table} DISABLE TRIGGER ALL;")).collect();
    for (tamper, expected) in CASES {
        execute(&owner, "BEGIN").await;
        execute(&owner, &guards).await;
        execute(&owner, &fill_in(tamper)).await;
        let mut found: Vec<[String; 2]> = calls(&owner, "verify_ledger()")
            .await
            .iter()
            .map(|line| line.pick(["finding", "subject"]).map(str::to_owned))
            .collect();
        found.sort();
        let wanted: Vec<[String; 2]> = expected.iter().map(|row| row.map(fill_in)).collect();
        assert_eq!(found, wanted, "{tamper}");
        execute(&owner, "ROLLBACK").await;
    }
    assert_purchases_sound(&db).await;
}
