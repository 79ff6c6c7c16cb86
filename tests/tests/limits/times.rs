//! Days, weeks, months and windows, by the clock of the ledger's time zone. Payments are dated, so that the test
//! chooses the instant.

use super::{assert_limited, check, limit, pay, school};
use wallet_ledger_tests::*;

/// Makes every limit count since the year 2020: a payment is judged by the limits of its own day.
pub async fn since_long_ago(db: &TestDb) {
    let sql = "ALTER TABLE wallet_data.spending_limits DISABLE TRIGGER USER;
        UPDATE wallet_data.spending_limits SET effective_from = '2020-01-01', created_at = '2020-01-01';
        ALTER TABLE wallet_data.spending_limits ENABLE ALWAYS TRIGGER spending_limits_append_only";
    db::execute(&db.connect().await, sql).await;
}

fn at(time: &str) -> String {
    format!(", effective_at => '{time}'")
}

#[tokio::test]
async fn the_example_holds_to_the_microsecond() {
    let (db, client) = school("example").await;
    let windows = r#"[{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "07:00", "to": "15:00"}]"#;
    limit(&client, &format!("daily => 50000, windows => '{windows}'")).await;
    since_long_ago(&db).await;
    // Monday, 16 November 2026, in Jakarta.
    let on_monday = |clock: &str| format!("2026-11-16 {clock}+07");
    for (clock, reason) in [
        ("06:59:59.999999", "window"),
        ("15:00:00", "window"),
        ("16:00:00", "window"),
        ("00:00:00", "window"),
        ("23:59:59.999999", "window"),
    ] {
        let time = on_monday(clock);
        assert_limited(pay(&client, "1", &at(&time)).await, reason);
        assert_eq!(
            check(&client, &format!("1, at => '{time}'")).await.pick(["allowed", "reason"]),
            ["f", reason]
        );
    }
    let late = check(&client, &format!("1, at => '{}'", on_monday("16:00"))).await;
    let opens = "SELECT timestamptz '2026-11-17 07:00+07'";
    assert_eq!(value(&client, opens).await, late["resets_at"]);
    pay(&client, "30000", &at(&on_monday("07:00:00"))).await.unwrap();
    pay(&client, "10000", &at(&on_monday("12:00:00"))).await.unwrap();
    pay(&client, "9999", &at(&on_monday("14:59:59.999999"))).await.unwrap();
    assert_limited(pay(&client, "2", &at(&on_monday("13:00:00"))).await, "daily");
    pay(&client, "1", &at(&on_monday("13:00:00"))).await.unwrap();
    pay(&client, "50000", &at("2026-11-17 07:00+07")).await.unwrap();
    assert_limited(pay(&client, "1", &at("2026-11-21 12:00+07")).await, "window");
    assert_eq!(
        value(&client, "SELECT timestamptz '2026-11-23 07:00+07'").await,
        check(&client, "1, at => '2026-11-20 15:00+07'").await["resets_at"],
        "from Friday afternoon to Monday morning"
    );
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_day_ends_at_the_ledger_s_midnight() {
    let (db, client) = school("midnight").await;
    limit(&client, "daily => 100, weekly => 250, monthly => 320").await;
    since_long_ago(&db).await;
    // 23:59:59.999999 on Sunday, 4 October 2026, in Jakarta is still before 17:00 UTC.
    pay(&client, "100", &at("2026-10-04 16:59:59.999999+00")).await.unwrap();
    assert_limited(pay(&client, "1", &at("2026-10-03 17:00:00+00")).await, "daily");
    // Monday begins a day and a week.
    pay(&client, "100", &at("2026-10-04 17:00:00+00")).await.unwrap();
    assert_limited(pay(&client, "1", &at("2026-10-05 16:59:59.999999+00")).await, "daily");
    pay(&client, "100", &at("2026-10-06 12:00+07")).await.unwrap();
    assert_limited(pay(&client, "51", &at("2026-10-11 12:00+07")).await, "weekly");
    assert_limited(pay(&client, "21", &at("2026-10-12 12:00+07")).await, "monthly");
    pay(&client, "20", &at("2026-10-31 23:59:59.999999+07")).await.unwrap();
    // The first of November is a Sunday: another month, the same week.
    pay(&client, "100", &at("2026-11-01 00:00+07")).await.unwrap();
    assert_eq!(
        check(&client, "1, at => '2026-11-01 12:00+07'").await.pick(["reason", "spent"]),
        ["daily", "100.00"]
    );
    assert_eq!(
        check(&client, "1, at => '2026-10-30 12:00+07'").await.pick(["reason", "remaining"]),
        ["monthly", "0.00"]
    );
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_day_with_daylight_saving_is_as_long_as_it_is() {
    let (db, client) = school("dst").await;
    call(&client, "create_ledger('berlin', 'EUR', 'Europe/Berlin')").await;
    for account in
        ["'bank', 'asset'", "'cafe', 'liability'", "'wallets:a', 'liability', minimum_balance => 0"]
    {
        call(&client, &format!("create_account({account}, ledger => 'berlin')")).await;
    }
    call(&client, "post_transfer('bank', 'wallets:a', 1000, 'topup', ledger => 'berlin')").await;
    let windows = r#"[{"from": "02:00", "to": "04:00"}]"#;
    call(
        &client,
        &format!("set_spending_limit('wallets:a', daily => 10, windows => '{windows}', ledger => 'berlin')"),
    )
    .await;
    since_long_ago(&db).await;
    let pay = async |amount: u32, time: &str| {
        let sql = format!(
            "post_transfer('wallets:a', 'cafe', {amount}, 'payment', effective_at => '{time}', ledger => 'berlin')"
        );
        try_call(&client, &sql).await
    };
    // 25 October 2026: 02:30 comes twice, and both are in the window and on the same day.
    pay(4, "2026-10-25 02:30+02").await.unwrap();
    pay(4, "2026-10-25 02:30+01").await.unwrap();
    assert_limited(pay(3, "2026-10-25 03:59:59+01").await, "daily");
    assert_limited(pay(1, "2026-10-25 01:59:59+02").await, "window");
    assert_limited(pay(1, "2026-10-25 04:00+01").await, "window");
    // 29 March 2026: 02:00 to 03:00 does not come at all.
    assert_limited(pay(1, "2026-03-29 00:59:59+00").await, "window");
    pay(10, "2026-03-29 01:00+00").await.unwrap();
    assert_limited(pay(1, "2026-03-29 02:00+00").await, "window");
    // A day of 25 hours ends when the next one begins.
    pay(10, "2026-10-26 02:00+01").await.unwrap();
    let said = call(
        &client,
        "check_spending_limit('wallets:a', 1, at => '2026-10-25 02:10+02', ledger => 'berlin')",
    )
    .await;
    assert_eq!(said.pick(["allowed", "remaining"]), ["t", "2.00"]);
    assert_eq!(value(&client, "SELECT timestamptz '2026-10-26 00:00+01'").await, said["resets_at"]);
    db::verify_clean_ledger(&client, "berlin").await;
}

#[tokio::test]
async fn what_is_dated_into_the_future_counts_when_its_day_comes() {
    let (_db, client) = school("future").await;
    limit(&client, "daily => 100").await;
    let next = value(&client, "SELECT date_trunc('day', now() AT TIME ZONE 'Asia/Jakarta') AT TIME ZONE 'Asia/Jakarta' + interval '30 hours'").await;
    pay(&client, "70", &at(&next)).await.unwrap();
    assert_limited(pay(&client, "31", &at(&next)).await, "daily");
    pay(&client, "100", "").await.unwrap();
    assert_limited(pay(&client, "1", "").await, "daily");
    pay(&client, "30", &at(&next)).await.unwrap();
    assert_eq!(
        check(&client, &format!("1, at => '{next}'")).await.pick(["allowed", "spent"]),
        ["f", "100.00"]
    );
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_refund_of_another_day_gives_that_day_back_and_not_today() {
    let (db, client) = school("other_day").await;
    let yesterday = value(&client, "SELECT now() - interval '1 day'").await;
    limit(&client, "daily => 100").await;
    since_long_ago(&db).await;
    let paid = pay(&client, "100", &at(&yesterday)).await.unwrap();
    pay(&client, "60", "").await.unwrap();
    call(&client, &format!("reverse_transfer('{}', 30)", &paid["id"])).await;
    assert_eq!(check(&client, "1").await.pick(["spent", "remaining"]), ["60.00", "40.00"]);
    assert_limited(pay(&client, "31", &at(&yesterday)).await, "daily");
    pay(&client, "30", &at(&yesterday)).await.unwrap();
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_payment_is_judged_by_the_limits_of_its_own_day() {
    let (_db, client) = school("own_day").await;
    let before = value(&client, "SELECT clock_timestamp()").await;
    limit(&client, "daily => 100").await;
    pay(&client, "500", &at(&before)).await.unwrap();
    // On the same day it has been spent, though.
    assert_limited(pay(&client, "1", "").await, "daily");
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_change_counts_from_its_moment_on() {
    let (_db, client) = school("from").await;
    limit(&client, "daily => 100").await;
    let later = value(&client, "SELECT now() + interval '3 days'").await;
    limit(&client, &format!("daily => 20, effective_from => '{later}'")).await;
    assert_eq!(&check(&client, "100").await["allowed"], "t");
    let after = value(&client, "SELECT now() + interval '4 days'").await;
    assert_eq!(
        check(&client, &format!("21, at => '{after}'")).await.pick(["allowed", "limit_amount"]),
        ["f", "20.00"]
    );
    assert_limited(pay(&client, "21", &at(&after)).await, "daily");
    let history = "SELECT daily, effective_until IS NULL AS is_last FROM wallet_ledger.spending_limits ORDER BY revision";
    let history: Vec<[String; 2]> = lines(&client, history)
        .await
        .iter()
        .map(|line| line.pick(["daily", "is_last"]).map(String::from))
        .collect();
    assert_eq!(history, [["100.00", "f"], ["20.00", "t"]]);
}

/// What was set ahead begins by itself, also for a wallet whose limits are known by heart.
#[tokio::test]
async fn a_change_made_ahead_begins_at_its_moment() {
    let (_db, client) = school("ahead").await;
    limit(&client, "daily => 100").await;
    pay(&client, "10", "").await.unwrap();
    let moment = value(&client, "SELECT clock_timestamp() + interval '10 seconds'").await;
    limit(&client, &format!("name => 'own', daily => 30, effective_from => '{moment}'")).await;
    call(
        &client,
        &format!("set_setting('limited_kinds', 'payment, purchase, fee', effective_from => '{moment}')"),
    )
    .await;
    pay(&client, "10", "").await.unwrap();
    call(&client, "post_transfer('wallets:a', 'shop', 5, 'fee')").await;
    until(&client, &format!("SELECT clock_timestamp() > '{moment}'"), "t").await;
    let detail = assert_limited(pay(&client, "6", "").await, "daily");
    assert_eq!((&detail["limit"], &detail["spent"]), (&json!("own"), &json!("25.00")));
    pay(&client, "5", "").await.unwrap();
    assert_limited(try_call(&client, "post_transfer('wallets:a', 'shop', 1, 'fee')").await, "daily");
    verify_clean(&client).await;
}
