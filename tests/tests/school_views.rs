//! Proves that what guardians, canteens and the organisation look at adds up: to the day by the ledger's clock,
//! against an independent sum of the same purchases.
//!
//! The purchases are written by hand, past the functions, so that they can lie on any day.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Duration, FixedOffset, NaiveDate, Utc};
use rand::Rng;
use wallet_ledger_tests::bank::{money, one};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

/// The ledger's clock: Asia/Jakarta has no daylight saving.
fn here(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    at.with_timezone(&FixedOffset::east_opt(7 * 3600).expect("seven hours"))
}

/// Midnight of a day by the ledger's clock.
fn midnight(day: NaiveDate) -> DateTime<Utc> {
    (day.and_hms_opt(0, 0, 0).expect("midnight") - Duration::hours(7)).and_utc()
}

#[derive(Clone)]
struct Purchase {
    member: &'static str,
    merchant: &'static str,
    device: Option<&'static str>,
    at: DateTime<Utc>,
    /// Category and amount of each line.
    lines: Vec<(Option<&'static str>, i64)>,
    /// Given back of the first line, at that time.
    refund: Option<(i64, DateTime<Utc>)>,
    is_refused: bool,
}

impl Purchase {
    fn amount(&self) -> i64 {
        self.lines.iter().map(|(_, amount)| amount).sum()
    }

    fn left(&self) -> i64 {
        self.amount() - self.refund.map_or(0, |(amount, _)| amount)
    }

    /// As rows of the tables, of whatever form these have otherwise.
    async fn insert(&self, dba: &Client) {
        let id = uuid::Uuid::now_v7().to_string();
        let refunded = self.refund.map_or(0, |(amount, _)| amount);
        let error = json!({
            "detail": {"error": "spending_limit_exceeded", "reason": "daily"}, "message": "too much",
        });
        let refused = self.is_refused;
        let row = json!({
            "state_id": if refused { 2 } else { 1 }, "is_overdraft": false, "purchase_id": id,
            "transaction_id": (!refused).then_some(&id), "purchased_at": self.at.to_rfc3339(), "created_at": self.at.to_rfc3339(),
            "amount": self.amount(), "refunded_amount": refunded, "member": self.member,
            "merchant": self.merchant, "device": self.device, "actor": "test",
            "error": refused.then_some(error), "overdraft_amount": 0, "overdraft_returned_amount": 0,
        });
        insert(dba, "purchases", row).await;
        for (index, (category, amount)) in self.lines.iter().enumerate() {
            let refunded = if index == 0 { refunded } else { 0 };
            let row = json!({
                "line": index + 1, "purchase_id": id, "quantity": 1, "quantity_scale": 0, "unit_price": amount,
                "refunded_quantity": 0, "amount": amount, "refunded_amount": refunded,
                "item": format!("item-{index}"), "category": category,
            });
            insert(dba, "purchase_items", row).await;
        }
        if let Some((amount, at)) = self.refund {
            let row = json!({
                "refund_id": uuid::Uuid::now_v7().to_string(), "purchase_id": id, "transaction_id": id,
                "refunded_at": at.to_rfc3339(), "amount": amount, "actor": "test",
            });
            insert(dba, "purchase_refunds", row).await;
        }
    }
}

/// A row of the ledger `main`. The account of a purchase is its member's.
async fn insert(dba: &Client, table: &str, mut row: Value) {
    let member = row["member"].as_str().unwrap_or_default().to_owned();
    let ids = one(
        dba,
        &format!(
            "SELECT (SELECT ledger_id FROM wallet_data.ledgers WHERE name = 'main') AS ledger_id,
                    (SELECT account_id FROM wallet_data.accounts WHERE address = 'wallets:{member}') AS account_id"
        ),
    )
    .await;
    row["ledger_id"] = json!(ids["ledger_id"]);
    row["account_id"] = json!(ids.get("account_id"));
    let values = bank::quoted(&row.to_string());
    let record = format!("jsonb_populate_record(NULL::wallet_data.{table}, {values})");
    execute(dba, &format!("INSERT INTO wallet_data.{table} SELECT ({record}).*")).await;
}

/// Members `ana` and `ben`, with balances; guardian `ibu` may view both, `paman` nobody; two merchants, two tills.
async fn school(test: &str) -> (TestDb, Client) {
    let db = TestDb::with_ledger(test).await;
    let (client, dba) = (db.app().await, db.connect().await);
    call(&client, "create_account('bank', 'asset')").await;
    for (wallet, amount) in [("ana", 70_000), ("ben", 30_000)] {
        call(&client, &format!("open_wallet('{wallet}')")).await;
        call(&client, &format!("post_transfer('bank', 'wallets:{wallet}', {amount}, 'topup')")).await;
    }
    let people = "
        INSERT INTO wallet_data.members (ledger_id, account_id, created_at, member, full_name)
        SELECT ledger_id, account_id, now(), split_part(address, ':', 2), 'Ana' FROM wallet_data.accounts
        WHERE address ^@ 'wallets:';
        INSERT INTO wallet_data.guardians (ledger_id, created_at, guardian)
        SELECT ledger_id, now(), g FROM wallet_data.ledgers, unnest(ARRAY['ibu', 'paman']) g;
        INSERT INTO wallet_data.guardian_links
            (ledger_id, may_view, may_top_up, may_set_limits, linked_at, guardian, member, linked_by)
        SELECT m.ledger_id, g.guardian = 'ibu', true, false, now(), g.guardian, m.member, 'test'
        FROM wallet_data.members m JOIN wallet_data.guardians g USING (ledger_id);";
    execute(&dba, people).await;
    for merchant in ["canteen", "kiosk"] {
        call(&client, &format!("create_account('merchants:{merchant}', 'liability')")).await;
        let places = format!(
            "INSERT INTO wallet_data.merchants (ledger_id, account_id, created_at, merchant)
             SELECT ledger_id, account_id, now(), '{merchant}' FROM wallet_data.accounts
             WHERE address = 'merchants:{merchant}';
             INSERT INTO wallet_data.devices (ledger_id, created_at, device, merchant)
             SELECT ledger_id, now(), '{merchant}-till', '{merchant}' FROM wallet_data.merchants
             WHERE merchant = '{merchant}'"
        );
        execute(&dba, &places).await;
    }
    (db, dba)
}

fn random(rng: &mut impl Rng, now: DateTime<Utc>) -> Purchase {
    // Within forty days, and often at a midnight or one microsecond before it.
    let back = Duration::minutes(rng.random_range(0..40 * 24 * 60));
    let mut at = now - back;
    match rng.random_range(0..4) {
        0 => at = midnight(here(at).date_naive()),
        1 => at = midnight(here(at).date_naive()) - Duration::microseconds(1),
        _ => {}
    }
    let merchant = ["canteen", "kiosk"][rng.random_range(0..2)];
    let count = rng.random_range(1..4);
    let categories = [Some("food"), Some("drinks"), None];
    let lines: Vec<_> =
        (0..count).map(|_| (categories[rng.random_range(0..3)], rng.random_range(1..9_000))).collect();
    let is_refused = rng.random_range(0..5) == 0;
    let later = at + Duration::minutes(rng.random_range(0..3_000));
    let refund = (!is_refused && rng.random_range(0..3) == 0)
        .then(|| (rng.random_range(1..=lines[0].1), later.min(now)));
    let device = [None, Some(if merchant == "canteen" { "canteen-till" } else { "kiosk-till" })];
    let member = ["ana", "ben"][rng.random_range(0..2)];
    Purchase { member, merchant, device: device[rng.random_range(0..2)], at, lines, refund, is_refused }
}

fn sum<'a>(purchases: impl Iterator<Item = &'a Purchase>, of: impl Fn(&Purchase) -> i64) -> Decimal {
    Decimal::from(purchases.map(of).sum::<i64>())
}

#[tokio::test]
async fn every_view_is_the_sum_of_its_purchases() {
    let seed = Seed::from_env_or_random("school_views");
    let mut rng = seed.rng(1);
    let (_db, dba) = school("sums").await;
    let now = away_from_midnight().await;
    let purchases: Vec<Purchase> = (0..150).map(|_| random(&mut rng, now)).collect();
    for purchase in &purchases {
        purchase.insert(&dba).await;
    }
    let today = here(now).date_naive();
    let monday = today - Duration::days(i64::from(today.weekday().num_days_from_monday()));
    let first = today.with_day(1).expect("the first");
    for member in ["ana", "ben"] {
        let row = one(
            &dba,
            &format!(
                "SELECT * FROM wallet_ledger.guardian_overview WHERE guardian = 'ibu' AND member = '{member}'"
            ),
        )
        .await;
        let bought = || purchases.iter().filter(move |p| p.member == member && !p.is_refused);
        for (column, from) in
            [("spent_today", today), ("spent_this_week", monday), ("spent_this_month", first)]
        {
            let expected = sum(bought().filter(|p| p.at >= midnight(from)), Purchase::left);
            assert_eq!(money(&row[column]), expected, "{member} {column}");
        }
        let refused =
            purchases.iter().filter(|p| p.member == member && p.is_refused && p.at >= midnight(today));
        assert_eq!(row["refused_today"], refused.count().to_string());
        let last = bought().map(|p| p.at).max().expect("one of many");
        let seen: DateTime<Utc> = dba
            .query_one("SELECT $1::text::timestamptz", &[&row["last_purchase_at"].to_owned()])
            .await
            .unwrap()
            .get(0);
        assert_eq!(seen.timestamp_micros(), last.timestamp_micros());
    }
    assert_eq!(
        value(&dba, "SELECT count(*) FROM wallet_ledger.guardian_overview").await,
        "2",
        "paman sees nobody"
    );
    by_category(&dba, &purchases).await;
    by_merchant(&dba, &purchases).await;
    organisation(&dba, &purchases, midnight(today)).await;
    overview(&dba, &purchases, today).await;
}

async fn by_category(dba: &Client, purchases: &[Purchase]) {
    let mut expected: BTreeMap<(String, String, String), (Decimal, Decimal)> = BTreeMap::new();
    for purchase in purchases.iter().filter(|purchase| !purchase.is_refused) {
        let day = here(purchase.at).date_naive().to_string();
        for (index, (category, amount)) in purchase.lines.iter().enumerate() {
            let refunded = if index == 0 { purchase.refund.map_or(0, |(amount, _)| amount) } else { 0 };
            let category = category.unwrap_or("NULL").to_owned();
            let sums = expected.entry((purchase.member.to_owned(), day.clone(), category)).or_default();
            *sums = (sums.0 + Decimal::from(*amount), sums.1 + Decimal::from(refunded));
        }
    }
    let rows = lines(dba, "SELECT * FROM wallet_ledger.spending_by_category WHERE ledger = 'main'").await;
    let found: BTreeMap<_, _> = rows
        .iter()
        .map(|row| {
            let key = row.pick(["member", "day", "category"]).map(str::to_owned).into();
            assert_eq!(money(&row["net"]), money(&row["amount"]) - money(&row["refunded"]));
            (key, (money(&row["amount"]), money(&row["refunded"])))
        })
        .collect();
    assert_eq!(found, expected);
}

async fn by_merchant(dba: &Client, purchases: &[Purchase]) {
    let rows = lines(dba, "SELECT * FROM wallet_ledger.canteen_day_report WHERE ledger = 'main'").await;
    let mut days: BTreeMap<(String, String), &Line> = BTreeMap::new();
    for row in &rows {
        assert!(days.insert(row.pick(["merchant", "day"]).map(str::to_owned).into(), row).is_none());
    }
    let mut expected: Vec<(String, String)> = Vec::new();
    for purchase in purchases {
        let merchant = purchase.merchant.to_owned();
        expected.push((merchant.clone(), here(purchase.at).date_naive().to_string()));
        expected.extend(purchase.refund.map(|(_, at)| (merchant, here(at).date_naive().to_string())));
    }
    expected.sort();
    expected.dedup();
    assert_eq!(days.keys().cloned().collect::<Vec<_>>(), expected);
    for ((merchant, day), row) in days {
        let of_day = |p: &&Purchase| p.merchant == merchant && here(p.at).date_naive().to_string() == day;
        let sold: Vec<&Purchase> = purchases.iter().filter(|p| of_day(p) && !p.is_refused).collect();
        let refused = purchases.iter().filter(|p| of_day(p) && p.is_refused).count();
        let back = purchases.iter().filter(|p| p.merchant == merchant).filter_map(|p| p.refund);
        let back = back.filter(|(_, at)| here(*at).date_naive().to_string() == day).map(|(amount, _)| amount);
        let (amount, refunded) =
            (sum(sold.iter().copied(), Purchase::amount), Decimal::from(back.sum::<i64>()));
        assert_eq!(
            row.pick(["purchase_count", "refused_count"]),
            [&*sold.len().to_string(), &*refused.to_string()]
        );
        assert_eq!(
            [money(&row["amount"]), money(&row["refunded"]), money(&row["net"])],
            [amount, refunded, amount - refunded],
            "{merchant} {day}"
        );
        for (column, names) in [
            (
                "by_category",
                sold.iter()
                    .flat_map(|p| p.lines.iter().map(|(c, a)| (c.unwrap_or(""), *a)))
                    .collect::<Vec<_>>(),
            ),
            ("by_device", sold.iter().map(|p| (p.device.unwrap_or(""), p.amount())).collect()),
        ] {
            let parts = row.json(column);
            let parts = parts.as_object().expect("an object");
            for (name, part) in parts {
                let expected: i64 =
                    names.iter().filter(|(known, _)| known == name).map(|(_, amount)| amount).sum();
                assert_eq!(
                    money(part["amount"].as_str().expect("text")),
                    Decimal::from(expected),
                    "{column} {name}"
                );
            }
            assert!(names.iter().all(|(name, _)| parts.contains_key(*name)), "{column} of {day}: {parts:?}");
        }
    }
}

async fn organisation(dba: &Client, purchases: &[Purchase], day: DateTime<Utc>) {
    // What a member owes is the balance of an account of its own.
    call(dba, "create_account('overdrafts:ben', 'asset')").await;
    call(dba, "post_transfer('overdrafts:ben', 'wallets:ben', 2500)").await;
    let owed =
        "SELECT string_agg(member || ' ' || owed, ', ' ORDER BY member) FROM wallet_ledger.member_spending";
    assert_eq!(value(dba, owed).await, "ana 0.00, ben 2500.00");
    let row = one(dba, "SELECT * FROM wallet_ledger.organisation_overview").await;
    let today = || purchases.iter().filter(|p| p.at >= day);
    let sold = today().filter(|p| !p.is_refused);
    let counts =
        [sold.clone().count(), today().filter(|p| p.is_refused).count()].map(|count| count.to_string());
    assert_eq!(row.pick(["purchases_today", "refused_today"]), [&*counts[0], &*counts[1]]);
    assert_eq!(money(&row["amount_today"]), sum(sold, Purchase::amount));
    let back =
        purchases.iter().filter_map(|p| p.refund).filter(|(_, at)| *at >= day).map(|(amount, _)| amount);
    assert_eq!(money(&row["refunded_today"]), Decimal::from(back.sum::<i64>()));
    assert_eq!(
        row.pick(["ledger", "currency", "member_count", "wallet_total", "owing_count", "owed_total"]),
        ["main", "IDR", "2", "102500.00", "1", "2500.00"]
    );
}

async fn overview(dba: &Client, purchases: &[Purchase], today: NaiveDate) {
    let overview: Value =
        serde_json::from_str(&value(dba, "SELECT wallet_ledger.member_overview('ana')").await).unwrap();
    assert_eq!(
        overview["balance"],
        json!({"posted": "70000.00", "held": "0.00", "available": "70000.00", "owed": "0.00"})
    );
    let from = midnight(today - Duration::days(29));
    let month = || purchases.iter().filter(move |p| p.member == "ana" && p.at >= from);
    let days = overview["spending"].as_array().expect("an array");
    let told: Decimal = days.iter().map(|day| money(day["amount"].as_str().expect("text"))).sum();
    assert_eq!(told, sum(month().filter(|p| !p.is_refused), Purchase::amount));
    let refusals = overview["refusals"].as_array().expect("an array");
    assert_eq!(refusals.len(), month().filter(|p| p.is_refused).count().min(50));
    for refusal in refusals {
        assert_eq!(
            (&refusal["error"], &refusal["reason"]),
            (&json!("spending_limit_exceeded"), &json!("daily"))
        );
    }
    let spent = one(dba, "SELECT * FROM wallet_ledger.member_spending WHERE member = 'ana'").await;
    for (key, column) in
        [("today", "spent_today"), ("this_week", "spent_this_week"), ("this_month", "spent_this_month")]
    {
        assert_eq!(overview["spent"][key], json!(spent[column]));
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason() {
    let (_db, dba) = school("refusals").await;
    let now = away_from_midnight().await;
    let refused = Purchase {
        member: "ana",
        merchant: "canteen",
        device: Some("canteen-till"),
        at: now,
        lines: vec![(Some("food"), 60_000)],
        refund: None,
        is_refused: true,
    };
    refused.insert(&dba).await;
    let row = one(&dba, "SELECT * FROM wallet_ledger.refusals").await;
    assert_eq!(
        row.pick(["member", "merchant", "device", "amount", "currency", "error", "reason", "message"]),
        ["ana", "canteen", "canteen-till", "60000", "IDR", "spending_limit_exceeded", "daily", "too much"]
    );
    // It is in no sum of what was sold.
    let day = one(&dba, "SELECT * FROM wallet_ledger.canteen_day_report").await;
    assert_eq!(day.pick(["purchase_count", "amount", "net", "refused_count"]), ["0", "0.00", "0.00", "1"]);
    assert_eq!(value(&dba, "SELECT count(*) FROM wallet_ledger.spending_by_category").await, "0");
}

#[tokio::test]
async fn the_overview_has_the_limits_that_count() {
    let (db, dba) = school("limits").await;
    let client = db.app().await;
    let limits = async || {
        let overview = value(&dba, "SELECT wallet_ledger.member_overview('ana')").await;
        let overview: Value = serde_json::from_str(&overview).unwrap();
        overview["limits"].clone()
    };
    assert_eq!(limits().await, json!([]));
    call(&client, "set_spending_limit('*', daily => 100000)").await;
    call(&client, "set_spending_limit('wallets:ana', daily => 50000, name => 'own')").await;
    call(&client, "set_spending_limit('wallets:ana', daily => 1, effective_from => now() + interval '1 hour', name => 'own')")
        .await;
    call(&client, "set_spending_limit('wallets:ben', daily => 7)").await;
    let counting = limits().await;
    assert_eq!(counting.as_array().map(Vec::len), Some(2), "{counting}");
    assert_eq!((&counting[0]["daily"], &counting[0]["is_default"]), (&json!("50000.00"), &json!(false)));
    assert_eq!((&counting[1]["daily"], &counting[1]["is_default"]), (&json!("100000.00"), &json!(true)));
    // One that replaces the defaults, and one that was lifted.
    call(&client, "set_spending_limit('wallets:ana', weekly => 9, name => 'free', replaces_default => true)")
        .await;
    call(&client, "set_spending_limit('wallets:ana', name => 'own')").await;
    let counting = limits().await;
    assert_eq!(counting.as_array().map(Vec::len), Some(1), "{counting}");
    assert_eq!(counting[0]["weekly"], json!("9.00"));
    assert_error(try_call(&client, "member_overview('nobody')").await, "member_not_found", "PT404");
    assert_error(try_call(&client, "member_overview(NULL)").await, "missing_argument", "PT400");
}

#[tokio::test]
async fn silent_tills_are_listed() {
    let (_db, dba) = school("silent").await;
    let silent = "SELECT string_agg(device || ' ' || extract(day FROM silent_for), ', ' ORDER BY device)
                  FROM wallet_ledger.devices_not_synced";
    assert_eq!(value(&dba, silent).await, "NULL");
    execute(&dba, "UPDATE wallet_data.devices SET created_at = now() - interval '9 days'").await;
    assert_eq!(value(&dba, silent).await, "canteen-till 9, kiosk-till 9");
    execute(&dba, "UPDATE wallet_data.devices SET last_synced_at = now() - interval '25 hours' WHERE device = 'kiosk-till'")
        .await;
    assert_eq!(value(&dba, silent).await, "canteen-till 9, kiosk-till 1");
    execute(&dba, "UPDATE wallet_data.devices SET last_synced_at = now() - interval '23 hours' WHERE device = 'kiosk-till'")
        .await;
    assert_eq!(value(&dba, silent).await, "canteen-till 9");
    execute(&dba, "UPDATE wallet_data.devices SET state_id = 2").await;
    assert_eq!(value(&dba, silent).await, "NULL");
}

#[tokio::test]
async fn backends_and_auditors_may_read_them() {
    let db = TestDb::new("readers").await;
    let views = [
        "member_spending",
        "guardian_overview",
        "spending_by_category",
        "refusals",
        "canteen_day_report",
        "organisation_overview",
        "devices_not_synced",
        "authentications",
    ];
    let dba = db.connect().await;
    for view in views {
        for (role, may) in [("wallet_app", "t"), ("wallet_auditor", "t"), ("public", "f")] {
            let sql = format!("SELECT has_table_privilege('{role}', 'wallet_ledger.{view}', 'SELECT')");
            assert_eq!(value(&dba, &sql).await, may, "{role} {view}");
        }
        let options = format!("SELECT reloptions FROM pg_class WHERE oid = 'wallet_ledger.{view}'::regclass");
        assert_eq!(value(&dba, &options).await, "{security_invoker=true}", "{view}");
    }
}
