//! A shop whose orders wait in escrow, and a second opinion about what became of them.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use crate::bank::{assert_bank_sound, bank_books, one, quoted};
use crate::db::TestDb;
use crate::lines::{Line, call, lines, try_call};

pub const BUYER: &str = "wallets:u";
pub const MERCHANT: &str = "merchants:5";
pub const DRIVER: &str = "drivers:7";
/// Where the default rates' shares go.
pub const COMMISSION: &str = "platform:revenue:merchant_commission";
pub const DELIVERY_SHARE: &str = "platform:revenue:delivery_platform_share";
/// An order of food with its delivery: 100,000 in all, with the default rates.
pub const ORDER: &str = r#"[
    {"beneficiary": "merchants:5", "amount": 85000, "fee": "merchant_commission", "description": "food"},
    {"beneficiary": "drivers:7", "amount": 15000, "fee": "delivery_platform_share", "description": "delivery"}]"#;

/// [`bank_books`] with a merchant and a driver, both empty with floor 0; `wallets:u` has 1,000,000.
pub async fn shop(test: &str) -> (TestDb, Client) {
    let (db, client) = bank_books(test).await;
    for account in [MERCHANT, DRIVER] {
        call(&client, &format!("create_account('{account}', 'liability', minimum_balance => 0)")).await;
    }
    call(&client, &format!("post_transfer('bank', '{BUYER}', 1000000, 'topup')")).await;
    (db, client)
}

/// `open_escrow` as a call to be made; `more` are further arguments: `", metadata => '{}'"`.
pub fn open_call(reference: &str, lines: &str, more: &str) -> String {
    format!("open_escrow('{reference}', '{BUYER}', {}{more})", quoted(lines))
}

/// Opens [`ORDER`] for `wallets:u`.
pub async fn open_order(client: &Client, reference: &str) -> Line {
    call(client, &open_call(reference, ORDER, "")).await
}

/// A function of one escrow; `more` are further arguments: `", 5, 'why'"`.
pub async fn act(client: &Client, function: &str, id: &str, more: &str) -> Line {
    call(client, &format!("{function}('{id}'{more})")).await
}

/// The same where it may be refused.
pub async fn try_act(
    client: &Client,
    function: &str,
    id: &str,
    more: &str,
) -> Result<Line, tokio_postgres::Error> {
    try_call(client, &format!("{function}('{id}'{more})")).await
}

pub async fn escrow_now(client: &Client, id: &str) -> Line {
    one(client, &format!("SELECT * FROM wallet_ledger.escrows WHERE id = '{id}'")).await
}

/// Every account of the ledger `main` that is not at zero.
pub async fn all_balances(client: &Client) -> BTreeMap<String, String> {
    let sql = "SELECT account, posted FROM wallet_ledger.accounts WHERE ledger = 'main' AND posted <> 0";
    lines(client, sql).await.iter().map(|row| (row["account"].to_owned(), row["posted"].to_owned())).collect()
}

/// What must give no row, and what it would mean if it did. Told from the tables alone.
const PROOFS: &[(&str, &str)] = &[
    (
        "an escrow's account does not have what is held",
        "SELECT e.reference, a.posted, e.amount - e.released_amount - e.refunded_amount
         FROM wallet_data.escrows e JOIN wallet_data.accounts a USING (ledger_id, account_id)
         WHERE a.posted <> e.amount - e.released_amount - e.refunded_amount",
    ),
    (
        "an escrow's sums are not those of its lines",
        "SELECT e.reference FROM wallet_data.escrows e
         JOIN (SELECT escrow_id, sum(amount) AS amount, sum(released_amount) AS released, sum(fee_amount) AS fee,
                      sum(refunded_amount) AS refunded, sum(returned_amount) AS returned
               FROM wallet_data.escrow_lines GROUP BY 1) l USING (escrow_id)
         WHERE (e.amount, e.released_amount, e.fee_amount, e.refunded_amount, e.returned_amount)
               <> (l.amount, l.released, l.fee, l.refunded, l.returned)",
    ),
    (
        "a line's sums are not those of what was done to it",
        "SELECT l.escrow_id, l.line FROM wallet_data.escrow_lines l
         LEFT JOIN (SELECT escrow_id, line, sum(released_amount) AS released, sum(fee_amount) AS fee,
                           sum(refunded_amount) AS refunded, sum(returned_amount) AS returned,
                           sum(returned_fee_amount) AS returned_fee, sum(advanced_amount) AS advanced
                    FROM wallet_data.escrow_splits GROUP BY 1, 2) s USING (escrow_id, line)
         WHERE (l.released_amount, l.fee_amount, l.refunded_amount, l.returned_amount, l.returned_fee_amount,
                l.advanced_amount)
               <> (coalesce(s.released, 0), coalesce(s.fee, 0), coalesce(s.refunded, 0), coalesce(s.returned, 0),
                   coalesce(s.returned_fee, 0), coalesce(s.advanced, 0))",
    ),
    (
        "an action's sums are not those of its parts, or not what was posted",
        "SELECT c.action, c.action_id FROM wallet_data.escrow_actions c
         LEFT JOIN (SELECT action_id, sum(released_amount) AS released, sum(refunded_amount) AS refunded,
                           sum(returned_amount) AS returned
                    FROM wallet_data.escrow_splits GROUP BY 1) s USING (action_id)
         LEFT JOIN (SELECT coalesce(transaction_id, transfer_id) AS transaction_id, sum(amount) AS moved
                    FROM wallet_data.transfers GROUP BY 1) t
             USING (transaction_id)
         WHERE (c.released_amount, c.refunded_amount, c.returned_amount)
               <> (coalesce(s.released, 0), coalesce(s.refunded, 0), coalesce(s.returned, 0))
            OR c.action <> 'open_escrow'
               AND coalesce(t.moved, 0) <> c.released_amount + c.refunded_amount + c.returned_amount",
    ),
    (
        "a dispute and its escrow's state do not agree",
        "SELECT e.reference, e.state_id, d.dispute_id FROM wallet_data.escrows e
         LEFT JOIN (SELECT * FROM wallet_data.disputes WHERE resolved_at IS NULL) d USING (escrow_id)
         WHERE (e.state_id = 3) <> (d.dispute_id IS NOT NULL)",
    ),
    (
        "a receivable is not what the platform has paid in the beneficiary's place",
        "SELECT r.address, r.posted, l.advanced FROM wallet_data.accounts r
         LEFT JOIN (SELECT b.ledger_id, 'receivables:' || b.address AS address, sum(n.advanced_amount) AS advanced
                    FROM wallet_data.escrow_lines n
                    JOIN wallet_data.accounts b
                      ON b.ledger_id = n.ledger_id AND b.account_id = n.beneficiary_account_id
                    GROUP BY 1, 2) l USING (ledger_id, address)
         WHERE r.address LIKE 'receivables:%' AND r.posted <> coalesce(l.advanced, 0)",
    ),
];

/// Asserts that escrows are sound, and money in and the books with them.
pub async fn assert_escrows_sound(client: &Client) {
    for (meaning, sql) in PROOFS {
        let found = lines(client, &format!("{sql} LIMIT 5")).await;
        assert!(found.is_empty(), "{meaning}: {found:#?}");
    }
    assert_bank_sound(client).await;
}
