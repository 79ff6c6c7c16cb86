//! Proves that releases by the clock happen once each, however many jobs run at once, and that one escrow that
//! cannot be released is reported and put off, and keeps no other waiting.

use futures::future::join_all;
use wallet_ledger_tests::bank::{events, money, one};
use wallet_ledger_tests::escrow::{
    BUYER, COMMISSION, DRIVER, MERCHANT, ORDER, act, assert_escrows_sound, escrow_now, open_call, open_order,
    shop,
};
use wallet_ledger_tests::*;

const SELLERS: usize = 5;
const CALLERS: usize = 4;

/// Opens escrows of two lines each for a buyer, all due at once, in few statements.
async fn open_due(client: &Client, buyer: &str, count: usize) {
    call(client, &format!("open_wallet('{buyer}')")).await;
    call(client, &format!("post_transfer('bank', 'wallets:{buyer}', {})", 100 * count)).await;
    let chunk = 250.min(count);
    for first in (0..count).step_by(chunk) {
        let last = (first + chunk).min(count) - 1;
        let sql = format!(
            "SELECT count(*) FROM (SELECT wallet_ledger.mark_shipped((o.escrow).id)
             FROM (SELECT wallet_ledger.open_escrow('{buyer}-' || n, 'wallets:{buyer}', jsonb_build_array(
                       jsonb_build_object('beneficiary', 'sellers:' || n % {SELLERS}, 'amount', 90.01,
                                          'fee', 'merchant_commission'),
                       jsonb_build_object('beneficiary', 'sellers:' || (n * 7 + 3) % {SELLERS}, 'amount', 9.99)),
                       '0') AS escrow
                   FROM generate_series({first}, {last}) AS n OFFSET 0) o) s"
        );
        assert_eq!(value(client, &sql).await, (last + 1 - first).to_string());
    }
}

async fn sellers(client: &Client) {
    for seller in 0..SELLERS {
        call(client, &format!("create_account('sellers:{seller}', 'liability', minimum_balance => 0)")).await;
    }
}

/// One job: chunk after chunk until there is nothing left for it.
async fn job(client: &Client, chunk: usize) -> Vec<Line> {
    let mut all = Vec::new();
    loop {
        let done = calls(client, &format!("release_due_escrows({chunk})")).await;
        if done.is_empty() {
            return all;
        }
        all.extend(done);
    }
}

#[tokio::test]
async fn thousands_by_four_jobs_at_once() {
    let count = if long() { 10_000 } else { 2_000 };
    let (db, client) = shop("many").await;
    sellers(&client).await;
    let mut sessions = Vec::new();
    for _ in 0..CALLERS {
        sessions.push(db.app().await);
    }
    let opening = sessions.iter().enumerate().map(|(number, session)| async move {
        open_due(session, &format!("buyer{number}"), count / CALLERS).await;
    });
    join_all(opening).await;
    // One seller who is frozen, and holds on two others whose time is over, or is not.
    call(&client, "create_account('sellers:frozen', 'liability', minimum_balance => 0)").await;
    let poison =
        json!([{"beneficiary": "sellers:1", "amount": 5}, {"beneficiary": "sellers:frozen", "amount": 5}]);
    let poisoned = call(&client, &open_call("poisoned", &poison.to_string(), ", '0'")).await["id"].to_owned();
    act(&client, "mark_shipped", &poisoned, "").await;
    call(&client, "freeze_account('sellers:frozen', 'fraud')").await;
    for (seller, more) in [(0, ", expires_at => now() + interval '1 s'"), (2, "")] {
        call(&client, &format!("post_transfer('bank', 'sellers:{seller}', 50)")).await;
        call(&client, &format!("hold_funds('sellers:{seller}', 20, 'shop'{more})")).await;
    }
    until(&client, "SELECT count(*) FROM wallet_data.holds WHERE expires_at < now()", "1").await;

    let begun = std::time::Instant::now();
    let done: Vec<Line> =
        join_all(sessions.iter().map(|session| job(session, 200))).await.into_iter().flatten().collect();
    println!("{} a second", done.len() as f64 / begun.elapsed().as_secs_f64());
    let mut released: Vec<&str> =
        done.iter().filter(|row| &row["outcome"] == "released").map(|row| &row["escrow_id"]).collect();
    assert_eq!(released.len(), count);
    released.sort_unstable();
    released.dedup();
    assert_eq!(released.len(), count, "each once");
    let failed: Vec<&Line> = done.iter().filter(|row| &row["outcome"] != "released").collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(
        failed[0].pick(["escrow_id", "outcome", "amount", "error"]),
        [poisoned.as_str(), "failed", "NULL", "account_frozen"]
    );
    assert_eq!(
        value(&client, "SELECT count(*) FROM wallet_ledger.escrows WHERE status = 'released'").await,
        count.to_string()
    );
    let releases = "SELECT count(*) || ' ' || count(DISTINCT escrow_id) FROM wallet_ledger.escrow_actions
                    WHERE action = 'release_escrow'";
    assert_eq!(value(&client, releases).await, format!("{count} {count}"));
    // 15 % of 90.01 are 13.50 and a bit.
    assert_eq!(money(&posted(&client, COMMISSION).await), dec!(13.50) * Decimal::from(count));
    assert_eq!(events(&client, &["escrow.released"]).await.len(), count);
    let waits = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(value(&client, waits).await, "0");
    assert_eq!(balances(&client, "sellers:2").await[1], "20.00");
    assert_eq!(money(&balances(&client, "sellers:0").await[1]), dec!(0), "its hold was over");
    assert_escrows_sound(&client).await;
}

/// Whatever goes wrong inside one, the ledger's own errors or others', the rest go through.
#[tokio::test]
async fn a_failure_is_reported_put_off_and_leaves_no_half() {
    let (db, client) = shop("poison").await;
    let owner = db.connect().await;
    db::execute(
        &owner,
        "CREATE FUNCTION public.poison() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF NEW.reference = 'foreign' AND NEW.kind_id = (SELECT kind_id FROM wallet_data.kinds WHERE name = 'commission')
             THEN RAISE EXCEPTION 'not while I watch'; END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER poison BEFORE INSERT ON wallet_data.transfers FOR EACH ROW EXECUTE FUNCTION public.poison()",
    )
    .await;
    call(&client, "create_account('merchants:closed', 'liability', minimum_balance => 0)").await;
    for reference in ["one", "foreign", "closed", "two"] {
        let lines = if reference == "closed" {
            ORDER.replace(MERCHANT, "merchants:closed")
        } else {
            ORDER.to_owned()
        };
        let opened = call(&client, &open_call(reference, &lines, ", '0'")).await;
        act(&client, "mark_shipped", &opened["id"], "").await;
    }
    call(&client, "close_account('merchants:closed')").await;
    let before = value(&client, "SELECT clock_timestamp()").await;
    let rows = calls(&client, "release_due_escrows()").await;
    let outcomes: Vec<String> =
        rows.iter().map(|row| row.pick(["reference", "outcome", "amount", "error"]).join(" ")).collect();
    assert_eq!(
        outcomes,
        [
            "one released 100000.00 NULL",
            "foreign failed NULL P0001",
            "closed failed NULL account_closed",
            "two released 100000.00 NULL",
        ]
    );
    assert_eq!(&rows[1]["message"], "not while I watch");
    assert_eq!(posted(&client, DRIVER).await, "24000.00");
    for row in &rows[1..3] {
        let held = escrow_now(&client, &row["escrow_id"]).await;
        assert_eq!(held.pick(["status", "held_amount", "fee_amount"]).map(str::to_owned)[0], "shipped");
        assert_eq!(posted(&client, &held["account"]).await, "100000.00");
        let put_off = one(
            &owner,
            &format!(
                "SELECT attempt_at >= '{before}'::timestamptz + interval '1 hour' AS later, release_due_at <= now() AS due
                 FROM wallet_data.escrows WHERE escrow_id = '{}'",
                &row["escrow_id"]
            ),
        )
        .await;
        assert_eq!(put_off.pick(["later", "due"]), ["t", "t"]);
    }
    let told: Vec<Value> =
        events(&client, &["escrow.release_failed"]).await.iter().map(|row| row.json("payload")).collect();
    assert_eq!(told.len(), 2);
    for (payload, row) in told.iter().zip(&rows[1..3]) {
        for name in ["escrow_id", "reference", "error", "message"] {
            assert_eq!(payload[name], row[name], "{payload}");
        }
        assert_eq!(payload["for"], json!(["finance"]));
        assert!(payload["again_at"].is_string());
    }
    assert_escrows_sound(&client).await;
    // Not before its hour, and then with what has stood in the way gone.
    assert!(calls(&client, "release_due_escrows()").await.is_empty());
    db::execute(&owner, "DROP TRIGGER poison ON wallet_data.transfers").await;
    db::execute(&owner, "UPDATE wallet_data.escrows SET attempt_at = now() WHERE attempt_at > now()").await;
    let rows = calls(&client, "release_due_escrows()").await;
    let mut outcomes: Vec<&str> = rows.iter().map(|row| &row["outcome"]).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["failed", "released"]);
    // By hand at any time.
    let closed = rows.iter().find(|row| &row["reference"] == "closed").expect("still closed");
    act(&client, "refund_escrow", &closed["escrow_id"], "").await;
    assert_eq!(posted(&client, BUYER).await, "700000.00");
    assert_escrows_sound(&client).await;
}

/// The longest overdue first, and no more than was asked for.
#[tokio::test]
async fn the_longest_overdue_first() {
    let (db, client) = shop("order").await;
    let mut ids = Vec::new();
    for hours in [1, 3, 2] {
        let id = open_order(&client, &format!("h{hours}")).await["id"].to_owned();
        act(&client, "mark_shipped", &id, "").await;
        let sql = format!(
            "UPDATE wallet_data.escrows SET release_due_at = now() - interval '{hours} h',
                 attempt_at = now() - interval '{hours} h' WHERE escrow_id = '{id}'"
        );
        db::execute(&db.connect().await, &sql).await;
        ids.push(id);
    }
    for expected in ["h3", "h2", "h1"] {
        let rows = calls(&client, "release_due_escrows(1)").await;
        assert_eq!((rows.len(), &rows[0]["reference"]), (1, expected));
    }
    assert!(calls(&client, "release_due_escrows(1)").await.is_empty());
    assert_escrows_sound(&client).await;
}
