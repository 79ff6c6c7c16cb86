//! Proves that verify_ledger() finds what is wrong with escrows: every finding is provoked by tampering with
//! sound books, inside a transaction that is rolled back.

use wallet_ledger_tests::escrow::{act, assert_escrows_sound, open_order, shop};
use wallet_ledger_tests::*;

/// What tampering must give: finding and subject, `{name}` standing for an escrow's id.
type Findings = &'static [[&'static str; 2]];

const CASES: &[(&str, Findings)] = &[
    // Money that left an escrow behind its back, and money that nobody knows of.
    ("SELECT wallet_ledger.post_transfer('escrows:held', 'wallets:a', 1)", &[["escrow_balance_mismatch", "{held}"]]),
    ("SELECT wallet_ledger.post_transfer('bank', 'escrows:paid', 1)", &[["escrow_balance_mismatch", "{paid}"]]),
    // The sums of an escrow, of its lines, and of what was done.
    (
        "UPDATE wallet_data.escrows SET fee_amount = fee_amount + 1 WHERE reference = 'paid'",
        &[["escrow_sum_mismatch", "{paid}"]],
    ),
    (
        "UPDATE wallet_data.escrow_lines SET returned_amount = 1, returned_fee_amount = 1 WHERE escrow_id = '{paid}' AND line = 1",
        &[["escrow_sum_mismatch", "{paid}"], ["escrow_sum_mismatch", "{paid}"]],
    ),
    (
        "UPDATE wallet_data.escrow_lines SET refunded_amount = 1 WHERE escrow_id = '{held}' AND line = 1",
        &[["escrow_balance_mismatch", "{held}"], ["escrow_sum_mismatch", "{held}"], ["escrow_sum_mismatch", "{held}"]],
    ),
    (
        "UPDATE wallet_data.escrow_lines SET fee_amount = fee_amount - 1 WHERE escrow_id = '{paid}' AND line = 2;
         UPDATE wallet_data.escrows SET fee_amount = fee_amount - 1 WHERE reference = 'paid'",
        &[["escrow_sum_mismatch", "{paid}"]],
    ),
    // Something that was never posted, or posted otherwise.
    (
        "INSERT INTO wallet_data.escrow_actions SELECT ledger_id, escrow_id, gen_random_uuid(), NULL, gen_random_uuid(),
             now(), 1, 0, 0, 'release_escrow', 'x', NULL FROM wallet_data.escrows WHERE reference = 'held'",
        &[["escrow_posting_missing", "{held}"]],
    ),
    (
        "UPDATE wallet_data.escrows SET amount = amount + 1 WHERE reference = 'held'",
        &[["escrow_posting_missing", "{held}"], ["escrow_sum_mismatch", "{held}"]],
    ),
    // Disputes and states.
    (
        "UPDATE wallet_data.escrows SET state_id = 2 WHERE reference = 'disputed'",
        &[["escrow_dispute_mismatch", "{disputed}"]],
    ),
    (
        "UPDATE wallet_data.escrows SET state_id = 3 WHERE reference = 'held'",
        &[["escrow_dispute_mismatch", "{held}"]],
    ),
    (
        "INSERT INTO wallet_data.disputes (ledger_id, dispute_id, escrow_id, opened_at, opened_by, reason)
         SELECT ledger_id, gen_random_uuid(), escrow_id, now(), 'x', 'x' FROM wallet_data.escrows
         WHERE reference = 'paid'",
        &[["escrow_dispute_mismatch", "{paid}"]],
    ),
];

#[tokio::test]
async fn every_finding_about_escrows_is_found_and_nothing_else() {
    let (db, client) = shop("verify").await;
    let mut names: Vec<(String, String)> = Vec::new();
    for reference in ["held", "paid", "disputed"] {
        let id = open_order(&client, reference).await["id"].to_owned();
        names.push((format!("{{{reference}}}"), id));
    }
    act(&client, "release_escrow", &names[1].1, ", 40000").await;
    act(&client, "release_escrow", &names[1].1, "").await;
    act(&client, "open_dispute", &names[2].1, ", 'u', 'r'").await;
    assert_escrows_sound(&client).await;
    let fill_in =
        |text: &str| names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    let owner = db.connect().await;
    for (tamper, expected) in CASES {
        db::execute(&owner, "BEGIN").await;
        db::execute(&owner, &fill_in(tamper)).await;
        let mut found: Vec<[String; 2]> = calls(&owner, "verify_ledger()")
            .await
            .iter()
            .map(|line| line.pick(["finding", "subject"]).map(str::to_owned))
            .collect();
        found.sort();
        let wanted: Vec<[String; 2]> = expected.iter().map(|row| row.map(fill_in)).collect();
        assert_eq!(found, wanted, "{tamper}");
        db::execute(&owner, "ROLLBACK").await;
    }
    assert_escrows_sound(&client).await;
}

/// A buyer whose money lies in several stripes: what has to move between them first is no part of the escrow.
#[tokio::test]
async fn money_that_moves_between_stripes_first_is_no_finding() {
    let (db, client) = shop("stripes").await;
    call(&client, "create_account('wallets:wide', 'liability', minimum_balance => 0, stripes => 2)").await;
    // Each session holds the stripe that it credits until both have one.
    let other = db.app().await;
    db::execute(&other, "BEGIN").await;
    call(&other, "post_transfer('bank', 'wallets:wide', 100000, 'topup')").await;
    call(&client, "create_account('banks:second', 'asset')").await;
    call(&client, "post_transfer('banks:second', 'wallets:wide', 100000, 'topup')").await;
    db::execute(&other, "COMMIT").await;
    let lines = r#"[{"beneficiary": "merchants:5", "amount": 200000}]"#;
    let opened = call(&client, &format!("open_escrow('wide', 'wallets:wide', '{lines}')")).await;
    let owner = db.connect().await;
    let moved = owner.query("SELECT FROM wallet_data.transfers WHERE kind_id = 901", &[]).await.unwrap();
    assert_ne!(moved.len(), 0, "nothing had to move: this shows nothing");
    act(&client, "release_escrow", &opened["id"], "").await;
    verify_clean(&owner).await;
}
