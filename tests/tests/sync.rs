//! Proves that what a till sold without a connection is taken exactly once and in order, whatever way it comes:
//! twice, late, with gaps, backwards, malformed; and that conflicts are decided by the till's policy, within its
//! bounds, and never silently.

use futures::future::join_all;
use wallet_ledger_tests::school::*;
use wallet_ledger_tests::*;

#[path = "sync/conflicts.rs"]
mod conflicts;
#[path = "sync/entries.rs"]
mod entries;

/// The time some minutes ago, as a till writes it.
pub async fn ago(client: &Client, interval: &str) -> String {
    let sql = format!(
        "SELECT to_char((now() - interval '{interval}') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    );
    value(client, &sql).await
}

/// An entry: one glass of tea at the till's price of Rp5,000.
pub fn tea(sequence: i64, member: &str, at: &str) -> Value {
    json!({"sequence": sequence, "member": member, "at": at,
        "items": [{"item": "es-teh", "quantity": 1, "unit_price": "5000"}]})
}

pub fn sync_call(device: &str, batch: &[Value]) -> String {
    let text = Value::from(batch.to_vec()).to_string().replace('\'', "''");
    format!("sync_purchases('{device}', '{text}')")
}

pub async fn sync(client: &Client, device: &str, batch: &[Value]) -> Vec<Line> {
    calls(client, &sync_call(device, batch)).await
}

/// Number, status, error and keep of each answer.
pub fn told(answers: &[Line]) -> Vec<[&str; 4]> {
    answers.iter().map(|line| line.pick(["sequence", "status", "error", "keep"])).collect()
}

async fn last_sequence(db: &TestDb, device: &str) -> String {
    let sql = format!("SELECT last_sequence FROM wallet_data.devices WHERE device = '{device}'");
    value(&db.connect().await, &sql).await
}

#[tokio::test]
async fn each_number_is_taken_once_and_in_order() {
    let (db, client) = school("once").await;
    let at = ago(&client, "1 hour").await;
    let batch = [tea(3, "m1", &at), tea(1, "m1", &at), tea(2, "m1", &at)];
    let first = sync(&client, "till-1", &batch).await;
    assert_eq!(
        told(&first),
        [["1", "accepted", "NULL", "f"], ["2", "accepted", "NULL", "f"], ["3", "accepted", "NULL", "f"]]
    );
    assert_eq!(posted(&client, "wallets:m1").await, "85000.00");
    // It counts when it was sold, not when it came.
    let sql = format!(
        "SELECT count(*) FROM wallet_ledger.transfers t JOIN wallet_ledger.purchases p USING (transaction_id)
         WHERE t.effective_at = '{at}' AND p.purchased_at = '{at}' AND p.created_at > p.purchased_at + interval '1 h'"
    );
    assert_eq!(value(&client, &sql).await, "3");
    let again = sync(&client, "till-1", &batch).await;
    for (before, now) in first.iter().zip(&again) {
        assert_eq!(
            now.pick(["sequence", "purchase_id", "error"]),
            before.pick(["sequence", "purchase_id", "error"])
        );
        assert_eq!(now.pick(["status", "keep"]), ["duplicate", "f"]);
    }
    assert_eq!(posted(&client, "wallets:m1").await, "85000.00");
    assert_eq!(last_sequence(&db, "till-1").await, "3");
    assert_eq!(events(&client, "purchase.completed").await, "3");
    assert!(sync(&client, "till-1", &[]).await.is_empty());
    let synced = "SELECT count(*) FROM wallet_data.devices WHERE last_synced_at > now() - interval '1 min'";
    assert_eq!(value(&db.connect().await, synced).await, "1");
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn the_same_batch_at_once_is_taken_once() {
    let (db, client) = school("at_once").await;
    let at = ago(&client, "5 min").await;
    let batch: Vec<Value> = (1..=10).map(|n| tea(n, "m1", &at)).collect();
    let sessions = join_all((0..8).map(|_| db.app())).await;
    let answers = join_all(sessions.iter().map(|session| sync(session, "till-1", &batch))).await;
    let accepted = answers.iter().flatten().filter(|line| &line["status"] == "accepted").count();
    let repeated = answers.iter().flatten().filter(|line| &line["status"] == "duplicate").count();
    assert_eq!((accepted, repeated), (10, 70));
    assert_eq!(posted(&client, "wallets:m1").await, "50000.00");
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn two_tills_spend_one_wallet_once() {
    let (db, client) = school("two_tills").await;
    let at = ago(&client, "5 min").await;
    // Rp100,000 is twenty glasses; both tills have sold fifteen.
    let batch: Vec<Value> = (1..=15).map(|n| tea(n, "m1", &at)).collect();
    let (one, two) = (db.app().await, db.app().await);
    let (one, two) = tokio::join!(sync(&one, "till-1", &batch), sync(&two, "till-2", &batch));
    let accepted = one.iter().chain(&two).filter(|line| &line["status"] == "accepted").count();
    assert_eq!(accepted, 20);
    assert_eq!(posted(&client, "wallets:m1").await, "0.00");
    assert_eq!(events(&client, "purchase.refused").await, "10");
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn behind_a_gap_everything_waits() {
    let (db, client) = school("gap_wait").await;
    let at = ago(&client, "5 min").await;
    let batch = [tea(1, "m1", &at), tea(4, "m1", &at), tea(5, "m1", &at)];
    let answers = sync(&client, "till-1", &batch).await;
    assert_eq!(
        told(&answers),
        [
            ["1", "accepted", "NULL", "f"],
            ["2", "gap", "NULL", "t"],
            ["4", "waiting", "NULL", "t"],
            ["5", "waiting", "NULL", "t"]
        ]
    );
    assert_eq!(&answers[1]["message"], "2 to 3 have not come");
    assert_eq!(last_sequence(&db, "till-1").await, "1");
    let gap = lines(&client, "SELECT payload FROM wallet_ledger.events WHERE topic = 'device.gap'").await;
    assert_eq!(gap[0].json("payload")["to_sequence"], 3);
    let rest = [tea(4, "m1", &at), tea(5, "m1", &at), tea(2, "m1", &at), tea(3, "m1", &at)];
    let answers = sync(&client, "till-1", &rest).await;
    assert!(answers.iter().all(|line| &line["status"] == "accepted"), "{answers:?}");
    assert_eq!(posted(&client, "wallets:m1").await, "75000.00");
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn or_is_taken_and_the_missing_ones_when_they_come() {
    let (db, client) = school("gap_take").await;
    device(&client, "canteen", "till-1", "gap_policy => 'take'").await;
    let at = ago(&client, "5 min").await;
    let answers = sync(&client, "till-1", &[tea(2, "m1", &at), tea(5, "m1", &at)]).await;
    assert_eq!(
        told(&answers),
        [
            ["1", "gap", "NULL", "t"],
            ["2", "accepted", "NULL", "f"],
            ["3", "gap", "NULL", "t"],
            ["5", "accepted", "NULL", "f"]
        ]
    );
    let gaps =
        lines(&client, "SELECT from_sequence, to_sequence FROM wallet_ledger.device_gaps ORDER BY 1").await;
    assert_eq!(gaps[0].pick(["from_sequence", "to_sequence"]), ["1", "1"]);
    assert_eq!(gaps[1].pick(["from_sequence", "to_sequence"]), ["3", "4"]);
    // Late, and under the other policy now; a number twice in one batch.
    device(&client, "canteen", "till-1", "gap_policy => 'wait'").await;
    let late =
        [tea(4, "m1", &at), tea(1, "m1", &at), tea(3, "m1", &at), tea(3, "m1", &at), tea(5, "m1", &at)];
    let answers = sync(&client, "till-1", &late).await;
    let statuses: Vec<&str> = answers.iter().map(|line| &line["status"]).collect();
    assert_eq!(statuses, ["accepted", "accepted", "duplicate", "accepted", "duplicate"]);
    assert_eq!(&answers[1]["purchase_id"], &answers[2]["purchase_id"]);
    assert_eq!(posted(&client, "wallets:m1").await, "75000.00");
    assert!(lines(&client, "SELECT * FROM wallet_ledger.device_gaps").await.is_empty());
    assert_eq!(last_sequence(&db, "till-1").await, "5");
    assert_purchases_sound(&db).await;
}

/// A number at the end of the range would leave no room for any after it.
#[tokio::test]
async fn a_number_far_beyond_is_not_the_tills() {
    let (db, client) = school("far").await;
    device(&client, "canteen", "till-1", "gap_policy => 'take'").await;
    let at = ago(&client, "5 min").await;
    let answers = sync(&client, "till-1", &[tea(1, "m1", &at), tea(i64::MAX, "m1", &at)]).await;
    let far = i64::MAX.to_string();
    assert_eq!(
        told(&answers),
        [[far.as_str(), "rejected", "invalid_argument", "f"], ["1", "accepted", "NULL", "f"]]
    );
    assert_eq!(last_sequence(&db, "till-1").await, "1");
    let answers = sync(&client, "till-1", &[tea(1_000_001, "m1", &at), tea(1_000_002, "m1", &at)]).await;
    let statuses: Vec<&str> = answers.iter().map(|line| &line["status"]).collect();
    assert_eq!(statuses, ["rejected", "gap", "accepted"]);
    assert_eq!(posted(&client, "wallets:m1").await, "90000.00");
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn something_else_under_a_number_is_told_and_kept() {
    let (db, client) = school("backwards").await;
    let at = ago(&client, "5 min").await;
    let first = sync(&client, "till-1", &[tea(1, "m1", &at), tea(2, "m1", &at)]).await;
    let other = sync(&client, "till-1", &[tea(1, "m2", &at), tea(2, "m1", &at)]).await;
    assert_eq!(told(&other), [["1", "duplicate", "sequence_conflict", "f"], ["2", "duplicate", "NULL", "f"]]);
    assert_eq!(&other[0]["purchase_id"], &first[0]["purchase_id"]);
    let event =
        lines(&client, "SELECT payload FROM wallet_ledger.events WHERE topic = 'sync.rejected'").await;
    let payload = event[0].json("payload");
    assert!(payload["entry"].as_str().unwrap().contains("\"m2\""), "{payload}");
    assert_eq!(payload["error"]["error"], "sequence_conflict");
    assert_eq!(posted(&client, "wallets:m1").await, "90000.00");
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn ten_thousand_are_a_batch_and_one_more_is_not() {
    let (db, client) = school("many").await;
    let at = ago(&client, "5 min").await;
    let count = if long() { 10_000 } else { 1_500 };
    top_up(&client, "m1", 100_000_000).await;
    let batch: Vec<Value> = (1..=count).map(|n| tea(n, "m1", &at)).collect();
    let answers = sync(&client, "till-1", &batch).await;
    assert_eq!(answers.iter().filter(|line| &line["status"] == "accepted").count() as i64, count);
    assert!(answers.iter().zip(1..).all(|(line, n): (&Line, i64)| line["sequence"] == n.to_string()));
    let before = contents(&db.connect().await).await;
    let too_many = vec![json!({}); 10_001];
    let error =
        assert_error(try_calls(&client, &sync_call("till-1", &too_many)).await, "too_many_items", "PT400");
    assert_eq!(error.detail["count"], 10_001);
    assert_eq!(before, contents(&db.connect().await).await);
    assert_purchases_sound(&db).await;
}

#[tokio::test]
async fn what_is_wrong_with_the_whole_call_takes_nothing() {
    let (db, client) = school("whole").await;
    let at = ago(&client, "5 min").await;
    let before = contents(&db.connect().await).await;
    for (call, token, sqlstate) in [
        ("sync_purchases(NULL, '[]')", "missing_argument", "PT400"),
        ("sync_purchases('till-1', NULL)", "missing_argument", "PT400"),
        ("sync_purchases('till-9', '[]')", "device_not_found", "PT404"),
        ("sync_purchases('till-1', '{}')", "invalid_json", "PT400"),
        ("sync_purchases('till-1', '17')", "invalid_json", "PT400"),
    ] {
        assert_error(try_calls(&client, call).await, token, sqlstate);
    }
    assert_eq!(before, contents(&db.connect().await).await);
    for (kind, name) in [("device", "till-1"), ("merchant", "canteen")] {
        set_active(&client, kind, name, false).await;
        let result = try_calls(&client, &sync_call("till-1", &[tea(1, "m1", &at)])).await;
        assert_error(result, "party_inactive", "PT422");
        set_active(&client, kind, name, true).await;
    }
    assert_eq!(last_sequence(&db, "till-1").await, "0");
    assert_eq!(told(&sync(&client, "till-1", &[tea(1, "m1", &at)]).await), [["1", "accepted", "NULL", "f"]]);
}
