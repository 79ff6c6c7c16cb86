//! Proves that the tables themselves refuse what the code must never do, whoever asks: no escrow pays out more
//! than it holds, nothing that was done to it is changed or taken away, no dispute is decided twice, nobody joins a
//! group buy twice, and no period of a subscription and no bank's transfer is there twice.

use wallet_ledger_tests::escrow::{BUYER, MERCHANT, act, assert_escrows_sound, open_order, shop};
use wallet_ledger_tests::*;

/// Every one as the superuser: what it does, and the constraint that refuses it, or `guard`.
const ATTEMPTS: &[(&str, &str)] = &[
    ("UPDATE wallet_data.escrows SET released_amount = amount + 1 WHERE reference = 'held'", "escrows_pay_once"),
    (
        "UPDATE wallet_data.escrows SET released_amount = amount, refunded_amount = 0.01 WHERE reference = 'held'",
        "escrows_pay_once",
    ),
    (
        "UPDATE wallet_data.escrows SET returned_amount = released_amount + 0.01 WHERE reference = 'paid'",
        "escrows_return_what_was_paid",
    ),
    ("UPDATE wallet_data.escrows SET state_id = 4 WHERE reference = 'held'", "escrows_closed_when_empty"),
    ("UPDATE wallet_data.escrows SET state_id = 1 WHERE reference = 'paid'", "escrows_closed_when_empty"),
    ("UPDATE wallet_data.escrows SET release_due_at = now() WHERE reference = 'held'", "escrows_clock"),
    ("UPDATE wallet_data.escrows SET released_amount = -1 WHERE reference = 'held'", "held_amount_check"),
    ("UPDATE wallet_data.escrows SET state_id = 6 WHERE reference = 'held'", "escrow_state_check"),
    ("UPDATE wallet_data.escrows SET reference = 'paid' WHERE reference = 'held'", "escrows_reference"),
    (
        "UPDATE wallet_data.escrows SET intent_id = '00000000-0000-7000-8000-000000000000'
         WHERE reference IN ('held', 'paid')",
        "escrows_intent",
    ),
    ("UPDATE wallet_data.escrow_lines SET released_amount = amount + 1 WHERE line = 1", "escrow_lines_pay_once"),
    ("UPDATE wallet_data.escrow_lines SET fee_amount = released_amount + 1 WHERE line = 1", "escrow_lines_fee"),
    (
        "UPDATE wallet_data.escrow_lines SET returned_amount = released_amount, returned_fee_amount = 0
         WHERE line = 1 AND released_amount > 0",
        "escrow_lines_return_what_was_paid",
    ),
    ("UPDATE wallet_data.escrow_lines SET advanced_amount = 0.01 WHERE line = 1", "escrow_lines_advance"),
    ("UPDATE wallet_data.escrow_lines SET rate = 1.1 WHERE line = 1", "rate_check"),
    (
        "INSERT INTO wallet_data.disputes (ledger_id, dispute_id, escrow_id, opened_at, opened_by, reason)
         SELECT ledger_id, gen_random_uuid(), escrow_id, now(), 'x', 'x' FROM wallet_data.disputes
         WHERE resolved_at IS NULL",
        "disputes_one_open",
    ),
    (
        "INSERT INTO wallet_data.rates SELECT ledger_id, revision + 1, now() - interval '1 s', now(), name, 0, account,
             set_by, reason FROM wallet_data.rates",
        "rates_not_backdated",
    ),
    ("UPDATE wallet_data.disputes SET refunded_amount = 0 WHERE resolved_at IS NOT NULL", "guard"),
    ("UPDATE wallet_data.rates SET rate = 0", "guard"),
    ("UPDATE wallet_data.escrow_actions SET actor = 'nobody'", "guard"),
    ("UPDATE wallet_data.escrow_splits SET fee_amount = 0", "guard"),
    ("UPDATE wallet_data.dispute_notes SET note = 'x'", "guard"),
    ("UPDATE wallet_data.group_buys SET target_quantity = 1 WHERE reference = 'g'", "group_buys_one_target"),
    ("UPDATE wallet_data.group_buys SET state_id = 2 WHERE reference = 'g'", "group_buys_decided"),
    (
        "INSERT INTO wallet_data.group_buy_members
         SELECT ledger_id, member + 1, group_buy_id, escrow_id, buyer_account_id + 1, 1, now()
         FROM wallet_data.group_buy_members",
        "group_buy_members_escrow",
    ),
    (
        "INSERT INTO wallet_data.group_buy_members
         SELECT ledger_id, member + 1, group_buy_id, gen_random_uuid(), buyer_account_id, 1, now()
         FROM wallet_data.group_buy_members",
        "group_buy_members_buyer",
    ),
    (
        "INSERT INTO wallet_data.bank_releases
         SELECT ledger_id, line, escrow_id, gen_random_uuid(), transaction_id, bank_account_id, sent_at, recorded_at,
                amount, transfer_reference, recorded_by FROM wallet_data.bank_releases",
        "bank_releases_reference",
    ),
    (
        "INSERT INTO wallet_data.subscription_periods SELECT * FROM wallet_data.subscription_periods",
        "subscription_periods_pkey",
    ),
    (
        "INSERT INTO wallet_data.subscriptions (ledger_id, period, subscription_id, plan_id, account_id, started_at,
             period_start, period_end, attempt_at, price)
         SELECT ledger_id, 1, gen_random_uuid(), plan_id, account_id, now(), now(), now() + interval '1 day', now(), 1
         FROM wallet_data.subscriptions",
        "subscriptions_live",
    ),
    ("UPDATE wallet_data.subscriptions SET state_id = 2", "subscriptions_past_due"),
    ("UPDATE wallet_data.subscriptions SET state_id = 4, attempt_at = NULL", "subscriptions_ended"),
    ("UPDATE wallet_data.bank_releases SET amount = 1", "guard"),
    ("UPDATE wallet_data.plans SET price = 1", "guard"),
    ("UPDATE wallet_data.subscription_periods SET amount = 1", "guard"),
    ("UPDATE wallet_data.subscription_refunds SET amount = 1", "guard"),
];

const TABLES: &[&str] = &[
    "rates",
    "escrows",
    "escrow_lines",
    "escrow_actions",
    "escrow_splits",
    "disputes",
    "dispute_notes",
    "group_buys",
    "group_buy_members",
    "bank_releases",
    "plans",
    "subscriptions",
    "subscription_periods",
    "subscription_refunds",
];

/// A group buy that somebody has joined, a transfer to a seller's bank, a subscription.
async fn beside(client: &Client, paid: &str) {
    let group = call(client, "open_group_buy('g', 9, deadline => now() + interval '1 day')").await;
    let lines = format!(r#"[{{"beneficiary": "{MERCHANT}", "amount": 10}}]"#);
    call(client, &format!("join_group_buy('{}', '{BUYER}', '{lines}')", &group["id"])).await;
    call(client, "register_bank_account('banks:bri:1', 'statement', account_number => '1')").await;
    call(client, &format!("record_bank_release('{paid}', 'banks:bri:1', 'R1')")).await;
    call(client, "create_plan('pro', 10)").await;
    call(client, &format!("subscribe('pro', '{BUYER}')")).await;
}

#[tokio::test]
async fn the_tables_refuse_it_whoever_asks() {
    let (db, client) = shop("guards").await;
    call(&client, "set_rate('escrow_fee', 0.01)").await;
    open_order(&client, "held").await;
    let paid = open_order(&client, "paid").await;
    act(&client, "release_escrow", &paid["id"], "").await;
    for reference in ["decided", "open"] {
        let id = open_order(&client, reference).await["id"].to_owned();
        let dispute = act(&client, "open_dispute", &id, ", 'u', 'r'").await;
        act(&client, "add_dispute_note", &dispute["id"], ", 'n'").await;
        if reference == "decided" {
            act(&client, "resolve_dispute", &dispute["id"], ", 5, 'r'").await;
        }
    }
    beside(&client, &paid["id"]).await;
    let owner = db.connect().await;
    assert_tables_refuse(&owner, &client, TABLES, ATTEMPTS).await;
    assert_escrows_sound(&client).await;
}
