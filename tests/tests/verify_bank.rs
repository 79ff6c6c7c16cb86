//! Proves that verify_ledger() finds what is wrong with money in: every finding is provoked by tampering
//! with sound books, inside a transaction that is rolled back.

use wallet_ledger_tests::*;

/// What tampering must give: finding and subject, where `*` stands for any.
type Findings = &'static [[&'static str; 2]];

const CASES: &[(&str, Findings)] = &[
    // Money that left suspense behind the mutations' back.
    (
        "SELECT wallet_ledger.post_transfer('banks:bca:1:suspense', 'wallets:a', 1)",
        &[["suspense_mismatch", "banks:bca:1:suspense"]],
    ),
    // A mutation that nobody posted.
    (
        "UPDATE wallet_data.mutations SET state_id = 7, received_transaction_id = NULL, intent_id = NULL
         WHERE provider_mutation_id = 'waits'",
        &[["suspense_mismatch", "banks:bca:1:suspense"]],
    ),
    (
        "UPDATE wallet_data.mutations SET received_transaction_id = '00000000-0000-7000-8000-000000000000'
         WHERE provider_mutation_id = 'paid'",
        &[["mutation_posting_missing", "{paid}"]],
    ),
    (
        "UPDATE wallet_data.mutations SET amount = amount + 1 WHERE provider_mutation_id = 'debit'",
        &[["mutation_posting_missing", "{debit}"]],
    ),
    (
        "UPDATE wallet_data.mutations SET amount = amount + 1 WHERE provider_mutation_id = 'paid'",
        &[["intent_payment_differs", "{intent}"], ["mutation_posting_missing", "{paid}"]],
    ),
    // Postings of mutations that were reversed by other means than unmatch_mutation().
    (
        "SELECT wallet_ledger.reverse_transaction(received_transaction_id) FROM wallet_data.mutations
         WHERE provider_mutation_id = 'paid'",
        &[["mutation_posting_missing", "{paid}"]],
    ),
    (
        "SELECT wallet_ledger.reverse_transfer(received_transaction_id, 1) FROM wallet_data.mutations
         WHERE provider_mutation_id = 'waits'",
        &[["mutation_posting_missing", "{waits}"], ["suspense_mismatch", "banks:bca:1:suspense"]],
    ),
    // Paid by a mutation that says it is somebody else's, or nobody's.
    (
        "UPDATE wallet_data.intents SET mutation_id = '00000000-0000-7000-8000-000000000000'
         WHERE state_id = 4",
        &[["intent_payment_differs", "{intent}"]],
    ),
    (
        "UPDATE wallet_data.intents SET state_id = 6, mutation_id = NULL, transaction_id = NULL, paid_amount = NULL
         WHERE state_id = 4",
        &[["intent_payment_differs", "{intent}"]],
    ),
    // Two live intents with one total.
    (
        "UPDATE wallet_data.intents SET total = 70000 WHERE reference IN ('o1', 'o2')",
        &[["intent_total_shared", "banks:bca:1"]],
    ),
    // Live and holding nothing, closed and holding something, or holding another's.
    (
        "DELETE FROM wallet_data.live_intents WHERE order_reference = 'o1'",
        &[["live_intent_differs", "{o1}"]],
    ),
    (
        "UPDATE wallet_data.intents SET state_id = 6, closed_at = now() WHERE reference = 'o1'",
        &[["live_intent_differs", "{o1}"]],
    ),
    (
        "UPDATE wallet_data.live_intents SET order_reference = 'o3' WHERE order_reference = 'o1'",
        &[["live_intent_differs", "{o1}"]],
    ),
    (
        "INSERT INTO wallet_data.gateway_payments (ledger_id, state_id, bank_account_id, confirmed, payment_id,
             number, created_at, updated_at, credited, reversed, facts)
         SELECT 1, 3, bank_account_id, false, 'p1', 'n1', now(), now(), 5, 0, '{}' FROM wallet_data.bank_accounts",
        &[["gateway_payment_mismatch", "p1"]],
    ),
];

async fn deliver(client: &tokio_postgres::Client, id: &str, direction: &str, amount: &str) -> Line {
    let mutation = format!(
        "jsonb_build_object('mutation_id', '{id}', 'bank_id', 'b1', 'type', '{direction}', 'amount', {amount},
             'date', to_char(now() AT TIME ZONE 'Asia/Jakarta', 'YYYY-MM-DD HH24:MI:SS'), 'description', '{id}')"
    );
    call(client, &format!("match_mutation({mutation})")).await
}

#[tokio::test]
async fn every_finding_about_money_in_is_found_and_nothing_else() {
    let db = TestDb::with_ledger("verify_bank").await;
    let client = db.connect().await;
    call(&client, "open_wallet('a')").await;
    call(&client, "register_bank_account('banks:bca:1', 'moota', 'b1', opening_balance => 1000)").await;
    let intent = call(&client, "create_intent('topup', 'wallets:a', 50000, 'banks:bca:1')").await;
    let order = |order: &str| format!("create_intent('order', 'wallets:a', 60000, 'banks:bca:1', '{order}')");
    let first = call(&client, &order("o1")).await;
    call(&client, &order("o2")).await;
    let paid = deliver(&client, "paid", "CR", &intent["total"]).await;
    assert_eq!(&paid["outcome"], "matched");
    let waits = deliver(&client, "waits", "CR", "777").await;
    assert_eq!(&waits["outcome"], "suspense");
    let debit = deliver(&client, "debit", "DB", "500").await;
    let names = [
        ("{intent}", &intent["id"]),
        ("{o1}", &first["id"]),
        ("{paid}", &paid["mutation_id"]),
        ("{waits}", &waits["mutation_id"]),
        ("{debit}", &debit["mutation_id"]),
    ];
    let fill_in =
        |text: &str| names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    verify_clean(&client).await;
    for (tamper, expected) in CASES {
        db::execute(&client, "BEGIN").await;
        db::execute(&client, tamper).await;
        let mut found: Vec<[String; 2]> = calls(&client, "verify_ledger()")
            .await
            .iter()
            .map(|line| line.pick(["finding", "subject"]).map(str::to_owned))
            .collect();
        found.sort();
        let wanted: Vec<[String; 2]> = expected.iter().map(|row| row.map(fill_in)).collect();
        assert_eq!(found, wanted, "{tamper}");
        db::execute(&client, "ROLLBACK").await;
    }
    verify_clean(&client).await;
}
