//! Proves that every period of a subscription is paid once, also after a time without the job and with many jobs
//! at once; that a late payer has a grace and then expires; and that cancelling gives back what is stated.

use futures::future::join_all;
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

/// A ledger with a plan of Rp99,000 a month and a seller who has so much.
async fn sellers(test: &str, amount: u64) -> (TestDb, Client) {
    let db = TestDb::with_ledger(test).await;
    let client = db.app().await;
    call(&client, "create_account('bank', 'asset')").await;
    call(&client, "open_wallet('s')").await;
    call(&client, &format!("post_transfer('bank', 'wallets:s', {amount}, 'topup')")).await;
    call(&client, r#"create_plan('pro', 99000, limits => '{"products": 500}')"#).await;
    (db, client)
}

/// Moves a subscription's whole life back in time, as if it had begun earlier.
async fn earlier(db: &TestDb, by: &str) {
    let sql = format!(
        "ALTER TABLE wallet_data.subscription_periods DISABLE TRIGGER subscription_periods_append_only;
         UPDATE wallet_data.subscriptions
         SET started_at = started_at - interval '{by}', period_start = period_start - interval '{by}',
             period_end = period_end - interval '{by}', attempt_at = attempt_at - interval '{by}',
             past_due_since = past_due_since - interval '{by}';
         UPDATE wallet_data.subscription_periods
         SET period_start = period_start - interval '{by}', period_end = period_end - interval '{by}';
         ALTER TABLE wallet_data.subscription_periods ENABLE ALWAYS TRIGGER subscription_periods_append_only;"
    );
    execute(&db.connect().await, &sql).await;
}

async fn now(client: &Client) -> Line {
    lines(client, "SELECT * FROM wallet_ledger.subscriptions").await.remove(0)
}

/// Periods follow each other without a gap and each has one payment.
async fn assert_paid_once(client: &Client, count: usize) {
    let sql = "SELECT count(*), count(DISTINCT transaction_id) AS paid,
                      count(*) FILTER (WHERE period_start IS DISTINCT FROM follows AND period_number > 1) AS gaps
               FROM (SELECT *, lag(period_end) OVER (PARTITION BY subscription_id ORDER BY period_number) AS follows
                     FROM wallet_ledger.subscription_periods) p";
    let count = count.to_string();
    assert_eq!(lines(client, sql).await[0].pick(["count", "paid", "gaps"]), [&count, &count, "0"]);
    verify_clean(client).await;
}

#[tokio::test]
async fn the_first_period_is_paid_at_once() {
    let (_db, client) = sellers("first", 100_000).await;
    let subscribe = "subscribe('pro', 'wallets:s', 'shop-1', idempotency_key => 'k')";
    let first = call(&client, subscribe).await;
    assert_eq!(
        first.pick([
            "plan",
            "account",
            "status",
            "price",
            "period",
            "period_number",
            "reference",
            "replayed"
        ]),
        ["pro", "wallets:s", "active", "99000.00", "monthly", "1", "shop-1", "f"]
    );
    assert_eq!(first.json("limits")["products"], 500);
    let again = call(&client, subscribe).await;
    assert_eq!(again.pick(["id", "replayed"]), [&first["id"], "t"]);
    assert_eq!(books::posted(&client, "wallets:s").await, "1000.00");
    assert_eq!(books::posted(&client, "platform:revenue:subscriptions").await, "99000.00");
    assert_error(
        try_call(&client, "subscribe('pro', 'wallets:s', idempotency_key => 'k')").await,
        "idempotency_conflict",
        "PT409",
    );
    assert_error(try_call(&client, "subscribe('pro', 'wallets:s')").await, "already_exists", "PT409");
    assert_paid_once(&client, 1).await;
}

#[tokio::test]
async fn ten_at_once_are_one_subscription() {
    let (db, client) = sellers("at_once", 990_000).await;
    let sessions = join_all((0..10).map(|_| db.app())).await;
    let results =
        join_all(sessions.iter().map(|session| try_call(session, "subscribe('pro', 'wallets:s')"))).await;
    let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 9));
    for result in lost {
        assert_error(result, "already_exists", "PT409");
    }
    assert_eq!(books::posted(&client, "wallets:s").await, "891000.00");
    assert_paid_once(&client, 1).await;
}

#[tokio::test]
async fn after_months_without_the_job_every_period_is_paid_once() {
    let (db, client) = sellers("downtime", 1_000_000).await;
    call(&client, "subscribe('pro', 'wallets:s')").await;
    assert!(calls(&client, "renew_due_subscriptions()").await.is_empty());
    earlier(&db, "4 months").await;
    let renewed = calls(&client, "renew_due_subscriptions()").await;
    assert_eq!(renewed[0].pick(["outcome", "period_count", "error"]), ["renewed", "4", "NULL"]);
    assert!(calls(&client, "renew_due_subscriptions()").await.is_empty());
    assert_eq!(books::posted(&client, "wallets:s").await, "505000.00");
    assert_eq!(now(&client).await.pick(["status", "period_number"]), ["active", "5"]);
    assert_paid_once(&client, 5).await;
}

#[tokio::test]
async fn a_late_payer_has_a_grace_and_then_expires() {
    let (db, client) = sellers("late", 200_000).await;
    call(&client, "subscribe('pro', 'wallets:s')").await;
    // Three periods are due, the money is enough for one.
    earlier(&db, "3 months").await;
    let late = calls(&client, "renew_due_subscriptions()").await;
    assert_eq!(late[0].pick(["outcome", "period_count", "error"]), ["past_due", "1", "insufficient_funds"]);
    assert_eq!(&now(&client).await["status"], "past_due");
    // It is tried again a day later, not at once.
    assert!(calls(&client, "renew_due_subscriptions()").await.is_empty());
    earlier(&db, "1 day").await;
    assert_eq!(&calls(&client, "renew_due_subscriptions()").await[0]["outcome"], "past_due");
    // With money in the wallet it is active again, and what is owed was paid once.
    call(&client, "post_transfer('bank', 'wallets:s', 500000, 'topup')").await;
    earlier(&db, "1 day").await;
    let renewed = calls(&client, "renew_due_subscriptions()").await;
    assert_eq!(renewed[0].pick(["outcome", "period_count"]), ["renewed", "2"]);
    assert_eq!(now(&client).await.pick(["status", "past_due_since"]), ["active", "NULL"]);
    assert_paid_once(&client, 4).await;

    let (db, client) = sellers("expired", 99_000).await;
    call(&client, "subscribe('pro', 'wallets:s')").await;
    earlier(&db, "1 month").await;
    assert_eq!(&calls(&client, "renew_due_subscriptions()").await[0]["outcome"], "past_due");
    earlier(&db, "7 days").await;
    assert_eq!(&calls(&client, "renew_due_subscriptions()").await[0]["outcome"], "expired");
    assert_eq!(&now(&client).await["status"], "expired");
    assert!(calls(&client, "renew_due_subscriptions()").await.is_empty());
    let topics =
        "SELECT string_agg(topic, ' ' ORDER BY id) FROM wallet_ledger.events WHERE topic LIKE 'sub%'";
    assert_eq!(
        value(&client, topics).await,
        "subscription.started subscription.past_due subscription.expired"
    );
    // It can be begun anew.
    call(&client, "post_transfer('bank', 'wallets:s', 99000, 'topup')").await;
    assert_eq!(&call(&client, "subscribe('pro', 'wallets:s')").await["status"], "active");
    verify_clean(&client).await;
}

#[tokio::test]
async fn cancelling_gives_back_what_is_stated_and_nothing_more() {
    let (db, client) = sellers("cancel", 300_000).await;
    let id = call(&client, "subscribe('pro', 'wallets:s')").await["id"].to_owned();
    let cancelled = call(&client, &format!("cancel_subscription('{id}', reason => 'too dear')")).await;
    assert_eq!(cancelled.pick(["status", "refunded_amount"]), ["cancelled", "NULL"]);
    assert_eq!(cancelled["ends_at"], cancelled["period_end"]);
    assert_error(
        try_call(&client, &format!("cancel_subscription('{id}')")).await,
        "already_resolved",
        "PT409",
    );
    // A day of thirty is used up, in a month of 28 to 31 days.
    let id = call(&client, "subscribe('pro', 'wallets:s')").await["id"].to_owned();
    let half = format!(
        "UPDATE wallet_data.subscriptions SET period_start = now() - interval '10 days',
             period_end = now() + interval '20 days' WHERE subscription_id = '{id}'"
    );
    execute(&db.connect().await, &half).await;
    let cancelled = call(&client, &format!("cancel_subscription('{id}', 'prorated')")).await;
    let refunded: f64 = cancelled["refunded_amount"].parse().unwrap();
    assert!(
        (65_990.0..=66_000.0).contains(&refunded),
        "two thirds of 99,000, less the time of the call: {refunded}"
    );
    earlier(&db, "3 months").await;
    assert!(calls(&client, "renew_due_subscriptions()").await.is_empty(), "what is cancelled is not charged");
    verify_clean(&client).await;
}

#[tokio::test]
async fn months_are_the_calendars() {
    let (db, client) = sellers("calendar", 1_000_000).await;
    call(&client, "subscribe('pro', 'wallets:s')").await;
    // 31 January in Jakarta.
    execute(
        &db.connect().await,
        "UPDATE wallet_data.subscriptions SET started_at = '2026-01-31 10:00+07',
             period_start = '2026-01-31 10:00+07', period_end = '2026-02-28 10:00+07',
             attempt_at = '2026-02-28 10:00+07'",
    )
    .await;
    call(&client, "renew_due_subscriptions()").await;
    let days = "SELECT string_agg(to_char(period_end AT TIME ZONE 'Asia/Jakarta', 'MM-DD HH24:MI'), ' '
                                  ORDER BY period_number)
                FROM wallet_ledger.subscription_periods WHERE period_number BETWEEN 2 AND 5";
    assert_eq!(value(&client, days).await, "03-31 10:00 04-30 10:00 05-31 10:00 06-30 10:00");
}

#[tokio::test]
async fn eight_jobs_at_once_charge_two_hundred_once_each() {
    let (db, client) = sellers("jobs", 99_000).await;
    let many = "SELECT count(wallet_ledger.open_wallet('m' || n)) FROM generate_series(1, 200) n";
    value(&client, many).await;
    let fund = "SELECT count(wallet_ledger.post_transfer('bank', 'wallets:m' || n, 990000))
                FROM generate_series(1, 200) n";
    value(&client, fund).await;
    let start =
        "SELECT count(wallet_ledger.subscribe('pro', 'wallets:m' || n)) FROM generate_series(1, 200) n";
    value(&client, start).await;
    earlier(&db, "2 months").await;
    let sessions = join_all((0..8).map(|_| db.app())).await;
    let charged = join_all(sessions.iter().map(|session| async move {
        let mut charged = 0;
        for _ in 0..20 {
            charged += calls(session, "renew_due_subscriptions(30)").await.len();
        }
        charged
    }))
    .await;
    assert_eq!(charged.iter().sum::<usize>(), 200, "{charged:?}");
    assert_eq!(books::posted(&client, "platform:revenue:subscriptions").await, "59400000.00");
    let deadlocks = format!("SELECT deadlocks FROM pg_stat_database WHERE datname = '{}'", db.name);
    assert_eq!(value(&db.connect().await, &deadlocks).await, "0");
    assert_paid_once(&client, 600).await;
}

#[tokio::test]
async fn what_is_wrong_is_said_and_nothing_moves() {
    let (_db, client) = sellers("wrong", 98_999).await;
    for (call_of, sqlstate, token) in [
        ("create_plan('Pro', 1)", "PT400", "invalid_argument"),
        ("create_plan('', 1)", "PT400", "invalid_argument"),
        ("create_plan(NULL, 1)", "PT400", "missing_argument"),
        ("create_plan('x', 0)", "PT400", "invalid_amount"),
        ("create_plan('x', -5)", "PT400", "invalid_amount"),
        ("create_plan('x', 'NaN')", "PT400", "invalid_amount"),
        ("create_plan('x', 1.005)", "PT400", "invalid_amount"),
        ("create_plan('x', NULL)", "PT400", "missing_argument"),
        ("create_plan('x', 1, 'weekly')", "PT400", "invalid_argument"),
        ("create_plan('x', 1, grace => '-1 day')", "PT400", "invalid_argument"),
        ("create_plan('x', 1, grace => '91 days')", "PT400", "invalid_argument"),
        ("create_plan('x', 1, account => '💸')", "PT400", "invalid_address"),
        ("create_plan('x', 1, currency => 'XXX')", "PT404", "currency_not_found"),
        ("create_plan('pro', 98000)", "PT409", "already_exists"),
        ("subscribe('none', 'wallets:s')", "PT404", "plan_not_found"),
        ("subscribe('pro', 'wallets:nobody')", "PT404", "account_not_found"),
        ("subscribe('pro', NULL)", "PT400", "missing_argument"),
        ("subscribe(NULL, 'wallets:s')", "PT400", "missing_argument"),
        ("subscribe('pro', 'wallets:s', '')", "PT400", "invalid_argument"),
        ("subscribe('pro', 'wallets:s')", "PT402", "insufficient_funds"),
        ("cancel_subscription(NULL)", "PT400", "missing_argument"),
        ("cancel_subscription('00000000-0000-0000-0000-000000000000')", "PT404", "subscription_not_found"),
        ("cancel_subscription('00000000-0000-0000-0000-000000000000', 'all')", "PT400", "invalid_argument"),
        ("renew_due_subscriptions(0)", "PT400", "invalid_argument"),
        ("renew_due_subscriptions(NULL)", "PT400", "missing_argument"),
    ] {
        assert_error(try_call(&client, call_of).await, token, sqlstate);
    }
    let same = call(&client, r#"create_plan('pro', 99000, limits => '{"products": 500}')"#).await;
    assert_eq!(&same["name"], "pro");
    assert_eq!(value(&client, "SELECT count(*) FROM wallet_ledger.subscriptions").await, "0");
    assert_eq!(books::posted(&client, "wallets:s").await, "98999.00");
    verify_clean(&client).await;
}

#[tokio::test]
async fn what_was_never_paid_is_found() {
    let (db, client) = sellers("tampered", 200_000).await;
    let id = call(&client, "subscribe('pro', 'wallets:s')").await["id"].to_owned();
    verify_clean(&client).await;
    let owner = db.connect().await;
    for (tamper, finding, expected, actual) in [
        ("UPDATE wallet_data.subscriptions SET period = 2", "subscription_periods_mismatch", "2", "1 up to 1"),
        (
            "INSERT INTO wallet_data.subscription_refunds
             SELECT ledger_id, subscription_id, gen_random_uuid(), now(), 5, 'x', NULL FROM wallet_data.subscriptions",
            "subscription_posting_missing",
            "5",
            "nothing",
        ),
        (
            "INSERT INTO wallet_data.subscription_refunds
             SELECT ledger_id, subscription_id, transaction_id, now(), 5, 'x', NULL
             FROM wallet_data.subscription_periods",
            "subscription_posting_missing",
            "5",
            "99000.00",
        ),
    ] {
        execute(&owner, "BEGIN").await;
        execute(&owner, tamper).await;
        let found = calls(&owner, "verify_ledger()").await;
        assert_eq!(found.len(), 1, "{tamper}");
        let said = found[0].pick(["finding", "subject", "expected", "actual"]);
        assert_eq!(said, [finding, &id, expected, actual], "{tamper}");
        execute(&owner, "ROLLBACK").await;
    }
}

/// A payer in stripes pays several periods of several plans: enough stripes are locked at once, before the first period,
/// so that two jobs do not come back for each other's.
#[tokio::test]
async fn a_striped_payer_is_locked_for_all_periods_that_are_due() {
    let db = TestDb::with_ledger("stripes").await;
    let client = db.app().await;
    call(&client, "create_account('bank', 'asset')").await;
    call(&client, "create_account('wallets:corp', 'liability', minimum_balance => 0, stripes => 2)").await;
    call(&client, "create_account('z:plans', 'revenue', stripes => 2)").await;
    call(&client, "post_transfer('bank', 'wallets:corp', 20, 'topup')").await;
    for plan in ["one", "two"] {
        call(&client, &format!("create_plan('{plan}', 10, account => 'z:plans')")).await;
        call(&client, &format!("subscribe('{plan}', 'wallets:corp')")).await;
    }
    earlier(&db, "2 months").await;
    // 15 on each stripe: enough for one period and not for two.
    let (slow, left, right) = (db.connect().await, db.app().await, db.app().await);
    execute(&left, "BEGIN").await;
    call(&left, "create_account('till', 'asset')").await;
    call(&left, "post_transfer('till', 'wallets:corp', 15, 'topup')").await;
    call(&right, "post_transfer('bank', 'wallets:corp', 15, 'topup')").await;
    execute(&left, "COMMIT").await;
    let waiting = [backend(&left).await, backend(&right).await];
    let stripes =
        "SELECT FROM wallet_data.accounts WHERE address = 'z:plans' AND stripe > 0 FOR NO KEY UPDATE";
    execute(&slow, &format!("BEGIN; {stripes}")).await;
    let then = async {
        until_blocked(&client, &waiting[0]).await;
        let release = async {
            until_blocked(&client, &waiting[1]).await;
            execute(&slow, "COMMIT").await;
        };
        tokio::join!(calls(&right, "renew_due_subscriptions(1)"), release).0
    };
    let (left, right) = tokio::join!(calls(&left, "renew_due_subscriptions(1)"), then);
    assert_eq!(left[0].pick(["outcome", "period_count", "error"]), ["renewed", "2", "NULL"]);
    assert_eq!(right[0].pick(["period_count", "error"]), ["1", "insufficient_funds"]);
    verify_clean(&client).await;
}
