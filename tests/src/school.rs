//! A school: pupils with wallets, canteens with tills and a catalogue, and a second opinion about what was bought.

use tokio_postgres::Client;

use crate::db::{TestDb, execute, verify_clean};
use crate::lines::{Line, call, lines, try_call, value};

/// The ledger `main` with `bank`, the canteen `canteen` (with the tills `till-1`, which is strict, and `till-2`) and
/// its catalogue, and the pupils `m1` with Rp100,000 and `m2` with nothing.
pub async fn school(test: &str) -> (TestDb, Client) {
    let db = TestDb::with_ledger(test).await;
    let client = db.app().await;
    call(&client, "create_account('bank', 'asset')").await;
    merchant(&db, &client, "canteen").await;
    device(&db, "canteen", "till-1", "").await;
    device(&db, "canteen", "till-2", "").await;
    for (item, price, category, scale) in [
        ("nasi-goreng", "15000", "'food'", 0),
        ("es-teh", "5000", "'drink'", 0),
        ("rice", "12500.50", "'food'", 3),
        ("pen", "3000", "NULL", 0),
    ] {
        item_of(&db, "canteen", item, price, category, scale).await;
    }
    member(&db, &client, "m1", 100_000).await;
    member(&db, &client, "m2", 0).await;
    (db, client)
}

/// A pupil with a wallet that has so much.
pub async fn member(db: &TestDb, client: &Client, member: &str, amount: u64) {
    call(client, &format!("open_wallet('{member}')")).await;
    insert(
        db,
        &format!(
            "INSERT INTO wallet_data.members (ledger_id, account_id, created_at, member)
             SELECT 1, account_id, now(), '{member}' FROM wallet_data.accounts
             WHERE ledger_id = 1 AND address = 'wallets:{member}'"
        ),
    )
    .await;
    top_up(client, member, amount).await;
}

pub async fn top_up(client: &Client, member: &str, amount: u64) {
    if amount > 0 {
        call(client, &format!("post_transfer('bank', 'wallets:{member}', {amount}, 'topup')")).await;
    }
}

/// A canteen with an account.
pub async fn merchant(db: &TestDb, client: &Client, merchant: &str) {
    let account = format!("create_account('merchants:{merchant}', 'liability', minimum_balance => 0)");
    call(client, &account).await;
    insert(
        db,
        &format!(
            "INSERT INTO wallet_data.merchants (ledger_id, account_id, created_at, merchant)
             SELECT 1, account_id, now(), '{merchant}' FROM wallet_data.accounts
             WHERE ledger_id = 1 AND address = 'merchants:{merchant}'"
        ),
    )
    .await;
}

/// A till; `policy` is `""`, or what is set: `"gap_policy_id = 2, overdraft_limit = 1000"`.
pub async fn device(db: &TestDb, merchant: &str, device: &str, policy: &str) {
    insert(
        db,
        &format!(
            "INSERT INTO wallet_data.devices (ledger_id, created_at, device, merchant)
             VALUES (1, now(), '{device}', '{merchant}')"
        ),
    )
    .await;
    if !policy.is_empty() {
        set_device(db, device, policy).await;
    }
}

pub async fn set_device(db: &TestDb, device: &str, policy: &str) {
    insert(db, &format!("UPDATE wallet_data.devices SET {policy} WHERE device = '{device}'")).await;
}

/// An item of a catalogue; `category` is SQL: `'food'` or `NULL`.
pub async fn item_of(db: &TestDb, merchant: &str, item: &str, price: &str, category: &str, scale: u8) {
    insert(
        db,
        &format!(
            "INSERT INTO wallet_data.items (ledger_id, quantity_scale, updated_at, price, merchant, item, category,
                 updated_by)
             VALUES (1, {scale}, now(), {price}, '{merchant}', '{item}', {category}, 'test')
             ON CONFLICT (ledger_id, merchant, item) DO UPDATE SET price = excluded.price, category = excluded.category"
        ),
    )
    .await;
}

/// Makes a row of `table` (`members`, …) inactive, or active again.
pub async fn set_active(db: &TestDb, table: &str, condition: &str, active: bool) {
    let state = if active { 1 } else { 2 };
    insert(db, &format!("UPDATE wallet_data.{table} SET state_id = {state} WHERE {condition}")).await;
}

async fn insert(db: &TestDb, sql: &str) {
    execute(&db.connect().await, sql).await;
}

/// `purchase` in the canteen as a call to be made; `more` are further arguments: `", device => 'till-1'"`.
pub fn purchase_call(member: &str, items: &str, more: &str) -> String {
    format!("purchase('{member}', 'canteen', '{items}'{more})")
}

/// Buys in the canteen.
pub async fn buy(client: &Client, member: &str, items: &str, more: &str) -> Line {
    call(client, &purchase_call(member, items, more)).await
}

pub async fn try_buy(
    client: &Client,
    member: &str,
    items: &str,
    more: &str,
) -> Result<Line, tokio_postgres::Error> {
    try_call(client, &purchase_call(member, items, more)).await
}

/// How many events of that topic there are.
pub async fn events(client: &Client, topic: &str) -> String {
    value(client, &format!("SELECT count(*) FROM wallet_ledger.events WHERE topic = '{topic}'")).await
}

/// What must give no row, and what it would mean if it did. Told from the tables alone.
const PROOFS: &[(&str, &str)] = &[
    (
        "a purchase is not what its lines come to",
        "SELECT p.purchase_id, p.amount, i.amount AS lines FROM wallet_data.purchases p
         LEFT JOIN (SELECT purchase_id, sum(amount) AS amount, sum(refunded_amount) AS refunded
                    FROM wallet_data.purchase_items GROUP BY 1) i USING (purchase_id)
         WHERE (p.amount, p.refunded_amount) IS DISTINCT FROM (i.amount, i.refunded)",
    ),
    (
        "a purchase is not what left the wallet for the merchant",
        "SELECT p.purchase_id FROM wallet_data.purchases p
         LEFT JOIN (SELECT metadata ->> 'purchase_id' AS id, debit_account_id, sum(amount) AS amount
                    FROM wallet_data.transfers WHERE kind_id = 4 GROUP BY 1, 2) t ON t.id = p.purchase_id::text
         WHERE (CASE p.state_id WHEN 1 THEN p.amount ELSE 0 END) <> coalesce(t.amount, 0)
            OR p.state_id = 1 AND t.debit_account_id IS DISTINCT FROM p.account_id",
    ),
    (
        "a refund is not what came back",
        "SELECT p.purchase_id FROM wallet_data.purchases p
         LEFT JOIN (SELECT purchase_id, sum(amount) AS amount FROM wallet_data.purchase_refunds GROUP BY 1) r
             USING (purchase_id)
         LEFT JOIN (SELECT o.metadata ->> 'purchase_id' AS id, sum(t.amount) AS amount
                    FROM wallet_data.transfers t JOIN wallet_data.transfers o ON o.transfer_id = t.reverses_id
                    WHERE o.kind_id = 4 GROUP BY 1) t ON t.id = p.purchase_id::text
         WHERE p.refunded_amount <> coalesce(r.amount, 0) OR p.refunded_amount <> coalesce(t.amount, 0)",
    ),
    (
        "a till's number was decided otherwise than its purchase says",
        "SELECT e.device, e.sequence FROM wallet_data.device_entries e
         FULL JOIN (SELECT * FROM wallet_data.purchases WHERE device_sequence IS NOT NULL) p
             ON p.purchase_id = e.purchase_id
         WHERE p.purchase_id IS NOT NULL AND e.purchase_id IS NULL
            OR e.purchase_id IS NOT NULL AND ((e.device, e.sequence) IS DISTINCT FROM (p.device, p.device_sequence)
               OR e.state_id <> CASE WHEN p.state_id = 2 THEN 3 WHEN p.is_overdraft THEN 2 ELSE 1 END)",
    ),
    (
        "a till has decided a number beyond its last",
        "SELECT d.device FROM wallet_data.devices d
         LEFT JOIN (SELECT device, max(sequence) AS last FROM wallet_data.device_entries GROUP BY 1) e USING (device)
         WHERE d.last_sequence < coalesce(e.last, 0)",
    ),
];

/// Asserts that purchases are sound, and the books with them.
pub async fn assert_purchases_sound(db: &TestDb) {
    let client = &db.connect().await;
    for (meaning, sql) in PROOFS {
        let found = lines(client, &format!("{sql} LIMIT 5")).await;
        assert!(found.is_empty(), "{meaning}: {found:#?}");
    }
    verify_clean(client).await;
}
