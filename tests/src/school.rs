//! A school: pupils with wallets, canteens with tills and a catalogue, and a second opinion about what was bought.

use tokio_postgres::Client;

use crate::db::{TestDb, verify_clean};
use crate::lines::{Line, call, lines, try_call, value};

/// The ledger `main` with `bank`, the canteen `canteen` (with the tills `till-1`, which is strict, and `till-2`) and
/// its catalogue, and the pupils `m1` with Rp100,000 and `m2` with nothing.
pub async fn school(test: &str) -> (TestDb, Client) {
    let db = TestDb::with_ledger(test).await;
    let client = db.app().await;
    call(&client, "create_account('bank', 'asset')").await;
    call(&client, "create_merchant('canteen')").await;
    device(&client, "canteen", "till-1", "").await;
    device(&client, "canteen", "till-2", "").await;
    for (item, price, category, decimals) in [
        ("nasi-goreng", "15000", "'food'", 0),
        ("es-teh", "5000", "'drink'", 0),
        ("rice", "12500.50", "'food'", 3),
        ("pen", "3000", "NULL", 0),
    ] {
        item_of(&client, "canteen", item, price, category, decimals).await;
    }
    member(&client, "m1", 100_000).await;
    member(&client, "m2", 0).await;
    (db, client)
}

/// A pupil with a wallet that has so much.
pub async fn member(client: &Client, member: &str, amount: u64) {
    call(client, &format!("create_member('{member}')")).await;
    top_up(client, member, amount).await;
}

pub async fn top_up(client: &Client, member: &str, amount: u64) {
    if amount > 0 {
        call(client, &format!("post_transfer('bank', 'wallets:{member}', {amount}, 'topup')")).await;
    }
}

/// A till; `policy` is `""`, or what is set: `"gap_policy => 'take', overdraft_limit => 1000"`.
pub async fn device(client: &Client, merchant: &str, device: &str, policy: &str) {
    let more = if policy.is_empty() { String::new() } else { format!(", {policy}") };
    call(client, &format!("create_device('{device}', '{merchant}'{more})")).await;
}

/// An item of a catalogue; `category` is SQL: `'food'` or `NULL`.
pub async fn item_of(client: &Client, merchant: &str, item: &str, price: &str, category: &str, decimals: u8) {
    let sql = format!(
        "set_item('{merchant}', '{item}', {price}, category => {category}, quantity_decimals => {decimals})"
    );
    call(client, &sql).await;
}

/// Makes a `member`, `merchant` or `device` inactive, or active again.
pub async fn set_active(client: &Client, kind: &str, name: &str, active: bool) {
    call(client, &format!("set_party_status('{kind}', '{name}', {active})")).await;
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
