//! A school with two pupils, a canteen and its till.

use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

pub const TILL: &str = "till-1";
/// Ana's.
pub const PIN: &str = "90417263";
pub const WRONG: &str = "5511";

/// Members `ana`, who has a PIN, and `ben`, and `gone`, who has left; the till of a canteen, and a `broken` one.
pub async fn pupils(test: &str) -> (TestDb, Client) {
    let db = TestDb::with_ledger(test).await;
    let client = db.app().await;
    for wallet in ["ana", "ben", "gone", "canteen"] {
        call(&client, &format!("open_wallet('{wallet}')")).await;
    }
    let people = format!(
        "INSERT INTO wallet_data.members (ledger_id, account_id, created_at, member, state_id)
         SELECT ledger_id, account_id, now(), owner, 1 + (owner = 'gone')::int
         FROM (SELECT *, split_part(address, ':', 2) AS owner FROM wallet_data.accounts) a
         WHERE owner IN ('ana', 'ben', 'gone');
         INSERT INTO wallet_data.merchants (ledger_id, account_id, created_at, merchant)
         SELECT ledger_id, account_id, now(), 'canteen' FROM wallet_data.accounts WHERE address = 'wallets:canteen';
         INSERT INTO wallet_data.devices (ledger_id, created_at, device, merchant, state_id)
         SELECT ledger_id, now(), device, merchant, 1 + (device = 'broken')::int
         FROM wallet_data.merchants, unnest(ARRAY['{TILL}', 'broken']) AS device"
    );
    execute(&db.connect().await, &people).await;
    call(&client, &format!("set_pin('ana', '{PIN}')")).await;
    (db, client)
}
