//! Whether the books are sound, told from the tables alone by plain SQL: a second opinion beside
//! `verify_ledger()`, which shares no line with it.

use tokio_postgres::Client;

use crate::lines::lines;

/// What must give no row, and what it would mean if it did.
const PROOFS: &[(&str, &str)] = &[
    (
        "debits and credits differ in a ledger and currency",
        "SELECT ledger_id, currency, sum(CASE WHEN type_id IN (1, 5) THEN posted ELSE -posted END) AS difference
         FROM wallet_data.accounts GROUP BY 1, 2
         HAVING sum(CASE WHEN type_id IN (1, 5) THEN posted ELSE -posted END) <> 0",
    ),
    (
        "a balance is not the sum of the account's entries",
        "SELECT a.address, a.stripe, a.posted, e.total FROM wallet_data.accounts a
         LEFT JOIN (SELECT account_id, sum(amount) AS total FROM entries GROUP BY 1) e USING (account_id)
         WHERE a.posted <> coalesce(e.total, 0)",
    ),
    (
        "versions are not 1..n, each once",
        "SELECT a.address, a.stripe, a.version, count(e.version) FROM wallet_data.accounts a
         LEFT JOIN entries e USING (account_id) GROUP BY a.account_id, a.address, a.stripe, a.version
         HAVING count(e.version) <> a.version OR count(DISTINCT e.version) <> a.version
             OR min(e.version) <> 1 OR max(e.version) <> a.version",
    ),
    (
        "a balance after an entry is not the one before it plus the amount",
        "SELECT * FROM (
             SELECT account_id, version, balance, sum(amount) OVER (PARTITION BY account_id ORDER BY version) AS running
             FROM entries) e WHERE balance <> running",
    ),
    (
        "an entry belongs to no account, or to the root of a striped one",
        "SELECT e.account_id FROM entries e LEFT JOIN wallet_data.accounts a USING (account_id)
         WHERE a.account_id IS NULL OR (a.stripe = 0 AND a.stripe_count > 1)",
    ),
    (
        "held is not the sum of the open holds",
        "SELECT a.address, a.stripe, a.held, h.total FROM wallet_data.accounts a
         LEFT JOIN (SELECT account_id, sum(amount) AS total FROM wallet_data.holds WHERE state_id = 1 GROUP BY 1) h
         USING (account_id) WHERE a.held <> coalesce(h.total, 0)",
    ),
    (
        "a floor is broken",
        "SELECT address, stripe, posted, held, minimum_balance FROM wallet_data.accounts
         WHERE posted - held < minimum_balance",
    ),
    (
        "a captured hold and its transfer differ",
        "SELECT h.hold_id FROM wallet_data.holds h LEFT JOIN wallet_data.transfers t USING (transfer_id)
         WHERE h.state_id = 2 AND h.captured_amount IS DISTINCT FROM t.amount",
    ),
    (
        "reversals and their total differ, or exceed the original",
        "SELECT coalesce(r.reverses_id, s.transfer_id) FROM
             (SELECT reverses_id, sum(amount) AS total FROM wallet_data.transfers
              WHERE reverses_id IS NOT NULL GROUP BY 1) r
         FULL JOIN (SELECT transfer_id, reversed_amount FROM wallet_data.reversal_totals
                    WHERE reversed_amount > 0) s ON s.transfer_id = r.reverses_id
         LEFT JOIN wallet_data.transfers o ON o.transfer_id = r.reverses_id
         WHERE r.total IS DISTINCT FROM s.reversed_amount OR r.total > o.amount OR o.amount IS NULL",
    ),
    (
        "a key stands for a transfer that is not there",
        "SELECT k.key, id FROM wallet_data.idempotency_keys k CROSS JOIN unnest(k.transfer_ids) AS id
         LEFT JOIN wallet_data.transfers t ON t.transfer_id = id
         WHERE k.error IS NULL AND t.transfer_id IS NULL",
    ),
    (
        "two currencies in one transfer",
        "SELECT t.transfer_id FROM wallet_data.transfers t
         JOIN wallet_data.accounts d ON d.account_id = t.debit_account_id
         JOIN wallet_data.accounts c ON c.account_id = t.credit_account_id
         WHERE d.currency <> c.currency OR d.ledger_id <> c.ledger_id OR d.ledger_id <> t.ledger_id",
    ),
];

/// Two signed rows a transfer, on the normal side of each account.
const ENTRIES: &str = "
    SELECT t.debit_account_id AS account_id, t.debit_version AS version, t.debit_balance AS balance,
           CASE WHEN a.type_id IN (1, 5) THEN t.amount ELSE -t.amount END AS amount
    FROM wallet_data.transfers t LEFT JOIN wallet_data.accounts a ON a.account_id = t.debit_account_id
    UNION ALL
    SELECT t.credit_account_id, t.credit_version, t.credit_balance,
           CASE WHEN a.type_id IN (1, 5) THEN -t.amount ELSE t.amount END
    FROM wallet_data.transfers t LEFT JOIN wallet_data.accounts a ON a.account_id = t.credit_account_id";

/// Asserts that the books of all ledgers are sound: by these proofs, and by the verifier's.
pub async fn assert_sound(client: &Client) {
    for (meaning, sql) in PROOFS {
        let found = lines(client, &format!("WITH entries AS ({ENTRIES}) {sql} LIMIT 5")).await;
        assert!(found.is_empty(), "{meaning}: {found:#?}");
    }
    for ledger in lines(client, "SELECT ledger FROM wallet_ledger.ledgers").await {
        crate::db::verify_clean_ledger(client, &ledger["ledger"]).await;
    }
}
