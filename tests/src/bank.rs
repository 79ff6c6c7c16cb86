//! Money in, as a bank and Moota bring it: registered bank accounts, lines of mutations, signed bodies, and
//! a second opinion about what became of them.

use hmac::{Hmac, Mac};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio_postgres::Client;

use crate::books::books;
use crate::db::TestDb;
use crate::lines::{Line, call, lines, try_call};

/// The key that [`bank_books`] has set for Moota.
pub const SECRET: &str = "moota-key-of-the-tests";
/// The two bank accounts of [`bank_books`], with what Moota calls them.
pub const BCA: &str = "banks:bca:1";
pub const BCA_ID: &str = "bca-1";
pub const BCA_NUMBER: &str = "1000000001";
pub const BRI: &str = "banks:bri:2";
pub const BRI_ID: &str = "bri-2";
pub const BRI_NUMBER: &str = "2000000002";

/// [`books`] with two bank accounts at Moota, empty, and Moota's key. `wallets:u` has nothing.
pub async fn bank_books(test: &str) -> (TestDb, Client) {
    let (db, client) = books(test).await;
    for (account, id, number, bank) in [(BCA, BCA_ID, BCA_NUMBER, "BCA"), (BRI, BRI_ID, BRI_NUMBER, "BRI")] {
        let sql = format!("register_bank_account('{account}', 'moota', '{id}', '{number}', '{bank}', 0)");
        call(&client, &sql).await;
    }
    call(&client, "open_wallet('u')").await;
    set_secret(&client, "moota", SECRET).await;
    (db, client)
}

pub async fn set_secret(client: &Client, provider: &str, secret: &str) {
    call(client, &format!("set_webhook_secret({}, {})", quoted(provider), quoted(secret))).await;
}

/// A text as a literal of SQL.
pub fn quoted(text: &str) -> String {
    assert!(!text.contains('\0'), "no literal has a NUL");
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// Moota's signature: the hex HMAC-SHA256 of the raw body.
pub fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The moment so many seconds from now, as Moota writes it: WIB, without a zone.
pub fn wib(seconds_from_now: i64) -> String {
    let moment = chrono::Utc::now() + chrono::Duration::seconds(seconds_from_now);
    (moment + chrono::Duration::hours(7)).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A credit at [`BCA`], dated now. Change what else is wanted: `line["type"] = json!("DB")`.
pub fn credit(id: &str, amount: &str) -> Value {
    json!({
        "account_number": BCA_NUMBER, "date": wib(0), "description": format!("TRSF E-BANKING CR {id}"),
        "note": "", "amount": amount, "type": "CR", "balance": 0, "mutation_id": id, "token": id,
        "bank_id": BCA_ID, "taggings": [],
    })
}

/// The same as a debit.
pub fn debit(id: &str, amount: &str) -> Value {
    let mut line = credit(id, amount);
    line["type"] = json!("DB");
    line["description"] = json!(format!("TRSF E-BANKING DB {id}"));
    line
}

/// A line with other values in some of its fields; null takes a field away.
pub fn with(line: &Value, fields: Value) -> Value {
    let mut line = line.clone();
    let (object, fields) = (line.as_object_mut().expect("a line"), fields);
    for (name, value) in fields.as_object().expect("fields") {
        match value {
            Value::Null => drop(object.shift_remove(name)),
            value => drop(object.insert(name.clone(), value.clone())),
        }
    }
    line
}

/// `receive_webhook` of a signed body, as a call to be made with [`call`].
pub fn webhook_call(body: &str) -> String {
    let headers = json!({ "Signature": signature(SECRET, body), "User-Agent": "MootaBot/1.5" });
    format!("receive_webhook('moota', {}, {})", quoted(&headers.to_string()), quoted(body))
}

/// Delivers a body with the right signature.
pub async fn receive(client: &Client, body: &str) -> Line {
    call(client, &webhook_call(body)).await
}

/// Delivers lines as one webhook.
pub async fn deliver(client: &Client, batch: &[Value]) -> Line {
    receive(client, &Value::from(batch.to_vec()).to_string()).await
}

/// `match_mutation` of one line.
pub async fn match_line(client: &Client, line: &Value) -> Line {
    call(client, &match_call(line)).await
}

pub fn match_call(line: &Value) -> String {
    format!("match_mutation({})", quoted(&line.to_string()))
}

pub async fn try_match_line(client: &Client, line: &Value) -> Result<Line, tokio_postgres::Error> {
    try_call(client, &match_call(line)).await
}

/// A top-up of `wallets:u` at [`BCA`]; `more` are further arguments: `", reference => 'r'"`.
pub async fn intent(client: &Client, amount: u64, more: &str) -> Line {
    call(client, &format!("create_intent('topup', 'wallets:u', {amount}, '{BCA}'{more})")).await
}

/// The intent as it is now.
pub async fn intent_now(client: &Client, id: &str) -> Line {
    one(client, &format!("SELECT * FROM wallet_ledger.intents WHERE id = '{id}'")).await
}

/// The mutation of that provider's id at [`BCA`], as it is now.
pub async fn mutation_now(client: &Client, provider_id: &str) -> Line {
    let sql = format!(
        "SELECT * FROM wallet_ledger.mutations \
         WHERE bank_account = '{BCA}' AND provider_mutation_id = {}",
        quoted(provider_id)
    );
    one(client, &sql).await
}

/// An amount as a number: `0` and `0.00` are the same.
pub fn money(text: &str) -> Decimal {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// The row of a query that must return one.
pub async fn one(client: &Client, sql: &str) -> Line {
    let mut found = lines(client, sql).await;
    assert_eq!(found.len(), 1, "{sql}: {found:?}");
    found.remove(0)
}

/// The work list, the oldest first.
pub async fn work_list(client: &Client) -> Vec<Line> {
    lines(client, "SELECT * FROM wallet_ledger.mutations_to_review ORDER BY created_at, id").await
}

/// What must give no row, and what it would mean if it did. Told from the tables alone.
const PROOFS: &[(&str, &str)] = &[
    (
        "a bank account's balance is not its opening balance and its mutations",
        "SELECT a.address, a.posted, b.opening_balance, m.total
         FROM wallet_data.bank_accounts b JOIN wallet_data.accounts a USING (account_id)
         LEFT JOIN (SELECT bank_account_id, sum(CASE direction_id WHEN 1 THEN amount ELSE -amount END) AS total
                    FROM wallet_data.mutations WHERE state_id <> 7 GROUP BY 1) m USING (bank_account_id)
         WHERE a.posted <> b.opening_balance + coalesce(m.total, 0)",
    ),
    (
        "what is in suspense is not what waits",
        "SELECT a.address, a.posted, m.total
         FROM wallet_data.bank_accounts b JOIN wallet_data.accounts a ON a.account_id = b.suspense_account_id
         LEFT JOIN (SELECT bank_account_id, sum(amount) AS total
                    FROM wallet_data.mutations WHERE state_id IN (2, 3) GROUP BY 1) m USING (bank_account_id)
         WHERE a.posted <> coalesce(m.total, 0)",
    ),
    (
        "a matched mutation and a paid intent do not point at each other",
        "SELECT m.mutation_id, i.intent_id
         FROM (SELECT * FROM wallet_data.mutations WHERE state_id = 1) m
         FULL JOIN (SELECT * FROM wallet_data.intents WHERE state_id = 4) i
             ON i.intent_id = m.intent_id AND i.mutation_id = m.mutation_id AND i.ledger_id = m.ledger_id
         WHERE m.mutation_id IS NULL OR i.intent_id IS NULL OR i.paid_amount <> m.amount
            OR (i.bank_account_id <> m.bank_account_id AND m.applied_transaction_id IS NULL)
            OR i.transaction_id IS DISTINCT FROM coalesce(m.applied_transaction_id, m.received_transaction_id)",
    ),
    (
        "a payment's postings are not its amount, or do not reach its account",
        "SELECT i.intent_id, sum(t.amount), i.paid_amount FROM wallet_data.intents i
         LEFT JOIN wallet_data.transfers t ON coalesce(t.transaction_id, t.transfer_id) = i.transaction_id
         WHERE i.state_id = 4 GROUP BY i.intent_id, i.paid_amount, i.credit_account_id
         HAVING sum(t.amount) IS DISTINCT FROM i.paid_amount
             OR NOT bool_or(t.credit_account_id = i.credit_account_id)",
    ),
    (
        "two live intents share a total at a bank account",
        "SELECT bank_account_id, total FROM wallet_data.intents
         WHERE unique_code IS NOT NULL AND state_id IN (1, 2, 3) AND (state_id = 2 OR expires_at > now())
         GROUP BY ledger_id, bank_account_id, total HAVING count(*) > 1",
    ),
    (
        "what is live and what live_intents holds differ",
        "SELECT i.intent_id, l.intent_id FROM (SELECT * FROM wallet_data.intents WHERE state_id IN (1, 2, 3)) i
         FULL JOIN wallet_data.live_intents l ON l.ledger_id = i.ledger_id AND l.intent_id = i.intent_id
         WHERE l.intent_id IS NULL OR i.intent_id IS NULL OR (l.due_at IS NULL) <> (i.state_id = 2)",
    ),
    (
        "a live intent's total is not kept for it",
        "SELECT i.intent_id FROM wallet_data.intents i LEFT JOIN wallet_data.intent_codes c
             ON c.ledger_id = i.ledger_id AND c.bank_account_id = i.bank_account_id AND c.total = i.total
         WHERE i.unique_code IS NOT NULL AND i.state_id IN (1, 2, 3) AND (i.state_id = 2 OR i.expires_at > now())
           AND (c.intent_id IS DISTINCT FROM i.intent_id OR c.free_at <= now())",
    ),
];

/// Asserts that money in is sound, and the books with it.
pub async fn assert_bank_sound(client: &Client) {
    for (meaning, sql) in PROOFS {
        let found = lines(client, &format!("{sql} LIMIT 5")).await;
        assert!(found.is_empty(), "{meaning}: {found:#?}");
    }
    crate::proof::assert_sound(client).await;
}

/// The events of these topics, in their order.
pub async fn events(client: &Client, topics: &[&str]) -> Vec<Line> {
    let topics: Vec<String> = topics.iter().map(|topic| quoted(topic)).collect();
    let sql = format!(
        "SELECT topic, payload FROM wallet_ledger.events WHERE topic IN ({}) ORDER BY id",
        topics.join(", ")
    );
    lines(client, &sql).await
}

/// What people did, in its order.
pub async fn actions(client: &Client) -> Vec<Line> {
    lines(client, "SELECT * FROM wallet_ledger.payment_actions ORDER BY id").await
}
