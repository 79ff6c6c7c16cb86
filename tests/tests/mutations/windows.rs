//! The window of an intent is the bank's time, not ours.

use super::*;

/// Moves an intent's life to these offsets from now, in seconds: created, expires, accepts until.
async fn live(superuser: &Client, id: &str, created: i64, expires: i64, accepts: i64) {
    let sql = format!(
        "UPDATE wallet_data.intents SET created_at = now() + {created} * interval '1 second', \
         expires_at = now() + {expires} * interval '1 second', \
         accepts_until = now() + {accepts} * interval '1 second' WHERE intent_id = '{id}'"
    );
    db::execute(superuser, &sql).await;
}

#[tokio::test]
async fn the_banks_time_decides() {
    let (db, client) = bank_books("window").await;
    let superuser = db.connect().await;
    const HOUR: i64 = 3600;
    // An intent of five hours ago that was open for two, with a grace of one; and one that is to come to its
    // end. Offsets of the transfer in seconds, whether it pays.
    for (case, created, expires, accepts, dated, expected) in [
        ("begins", -5 * HOUR, -3 * HOUR, -2 * HOUR, -5 * HOUR + 2, "matched"),
        ("clock behind", -5 * HOUR, -3 * HOUR, -2 * HOUR, -5 * HOUR - 290, "matched"),
        ("too early", -5 * HOUR, -3 * HOUR, -2 * HOUR, -5 * HOUR - 310, "review resembles_intent"),
        ("long before", -5 * HOUR, -3 * HOUR, -2 * HOUR, -6 * HOUR - 10, "suspense"),
        ("before its expiry", -5 * HOUR, -3 * HOUR, -2 * HOUR, -3 * HOUR - 2, "matched"),
        ("in the grace", -5 * HOUR, -3 * HOUR, -2 * HOUR, -2 * HOUR - 2, "matched"),
        ("late", -5 * HOUR, -3 * HOUR, -2 * HOUR, -2 * HOUR + 2, "review resembles_intent"),
        ("very late", -5 * HOUR, -3 * HOUR, -2 * HOUR, 0, "review resembles_intent"),
        ("too late to resemble", -40 * 24 * HOUR, -33 * 24 * HOUR, -32 * 24 * HOUR, 0, "suspense"),
        ("the bank's clock ahead", -HOUR, HOUR, 2 * HOUR, HOUR, "matched"),
        ("further ahead", -HOUR, HOUR, 2 * HOUR, 2 * HOUR + 5, "review resembles_intent"),
    ] {
        for written_down in [false, true] {
            let line = intent(&client, 50_000, "").await;
            live(&superuser, &line["id"], created, expires, accepts).await;
            if written_down {
                value(&client, "SELECT wallet_ledger.expire_intents()").await;
            }
            let id = format!("{case} {written_down}");
            let movement = with(&credit(&id, &line["total"]), json!({"date": wib(dated)}));
            let outcome = match_line(&client, &movement).await;
            assert_eq!(told(&outcome), expected, "{id}");
            let status = intent_now(&client, &line["id"]).await["status"].to_owned();
            let otherwise = if expires < 0 { "expired" } else { "open" };
            assert_eq!(status, if expected == "matched" { "paid" } else { otherwise }, "{id}");
            // Out of the way of the next case.
            db::execute(&superuser, &format!("UPDATE wallet_data.intents SET accepts_until = '2000-01-01', created_at = '2000-01-01' WHERE intent_id = '{}'", &line["id"])).await;
        }
    }
    for row in work_list(&client).await {
        let expected = match &row["status"] {
            "suspense" => "[]".to_owned(),
            _ => row["suggestions"].to_owned(),
        };
        assert_eq!(&row["suggestions"], expected);
    }
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn a_setting_is_the_length_of_the_grace() {
    let (db, client) = bank_books("grace").await;
    let superuser = db.connect().await;
    for (grace, dated, expected) in [
        ("0 seconds", 5, "review resembles_intent"),
        ("10 minutes", 595, "matched"),
        ("10 minutes", 605, "review resembles_intent"),
        ("7 days", 7 * 24 * 3600 - 5, "matched"),
    ] {
        call(&client, &format!("set_setting('intent_grace', '{grace}')")).await;
        let line = intent(&client, 50_000, ", expires_in => '1 hour'").await;
        // A month ago, all of it.
        let past = format!(
            "UPDATE wallet_data.intents SET created_at = created_at - interval '20 days', \
             expires_at = expires_at - interval '20 days', accepts_until = accepts_until - interval '20 days' \
             WHERE intent_id = '{}'",
            &line["id"]
        );
        db::execute(&superuser, &past).await;
        let date = wib(-20 * 24 * 3600 + 3600 + dated);
        let outcome = match_line(
            &client,
            &with(&credit(&format!("{grace} {dated}"), &line["total"]), json!({"date": date})),
        )
        .await;
        assert_eq!(told(&outcome), expected, "{grace} {dated}");
        let gone = format!(
            "UPDATE wallet_data.intents SET accepts_until = '2000-01-01' WHERE intent_id = '{}'",
            &line["id"]
        );
        db::execute(&superuser, &gone).await;
    }
    assert_bank_sound(&client).await;
}

/// A bank that tells the date alone means any moment of that day in WIB.
#[tokio::test]
async fn a_date_alone_is_the_whole_day() {
    let (db, client) = bank_books("dates").await;
    let superuser = db.connect().await;
    for (case, created, accepts, date, expected) in [
        ("the same day", "2026-03-10 09:00+07", "2026-03-10 12:00+07", "2026-03-10", "matched"),
        (
            "midnight is the date alone",
            "2026-03-10 09:00+07",
            "2026-03-10 12:00+07",
            "2026-03-10 00:00:00",
            "matched",
        ),
        (
            "a second after midnight is not",
            "2026-03-10 09:00+07",
            "2026-03-10 12:00+07",
            "2026-03-10 00:00:01",
            "suspense",
        ),
        ("from the evening on", "2026-03-10 23:59+07", "2026-03-12 00:00+07", "2026-03-10", "matched"),
        ("until the morning", "2026-03-09 10:00+07", "2026-03-10 00:01+07", "2026-03-10", "matched"),
        ("until the day begins", "2026-03-09 10:00+07", "2026-03-10 00:00+07", "2026-03-10", "matched"),
        (
            "until just before",
            "2026-03-09 10:00+07",
            "2026-03-09 23:59:59+07",
            "2026-03-10",
            "review resembles_intent",
        ),
        ("the day before", "2026-03-11 09:00+07", "2026-03-11 12:00+07", "2026-03-10", "suspense"),
        ("WIB, not UTC", "2026-03-10 03:00+07", "2026-03-10 04:00+07", "2026-03-09", "suspense"),
        ("WIB, and not UTC", "2026-03-10 03:00+07", "2026-03-10 04:00+07", "2026-03-10", "matched"),
    ] {
        let line = intent(&client, 50_000, "").await;
        let life = format!(
            "UPDATE wallet_data.intents SET created_at = '{created}', expires_at = '{accepts}', accepts_until = '{accepts}' \
             WHERE intent_id = '{}'",
            &line["id"]
        );
        db::execute(&superuser, &life).await;
        let outcome = match_line(&client, &with(&credit(case, &line["total"]), json!({"date": date}))).await;
        assert_eq!(told(&outcome), expected, "{case}");
        assert_eq!(&mutation_now(&client, case).await["booked_on"], &date[..10], "{case}");
        let gone = format!(
            "UPDATE wallet_data.intents SET accepts_until = '2000-01-01', created_at = '2000-01-01' WHERE intent_id = '{}'",
            &line["id"]
        );
        db::execute(&superuser, &gone).await;
    }
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn a_movement_of_a_closed_period_counts_from_now() {
    let (_db, client) = bank_books("closed_period").await;
    call(&client, "close_period('main', '2026-02-01 00:00+07')").await;
    for (date, kept) in
        [("2026-01-31 23:59:59", false), ("2026-02-01 00:00:01", true), ("2999-01-01 10:00:00", false)]
    {
        let outcome = match_line(&client, &with(&credit(date, "5"), json!({"date": date}))).await;
        let sql = format!(
            "SELECT * FROM wallet_ledger.transfers WHERE transaction_id = '{}'",
            &outcome["transaction_id"]
        );
        let posted = one(&client, &sql).await;
        let row = mutation_now(&client, date).await;
        assert_eq!(posted["effective_at"] == row["occurred_at"], kept, "{date}");
        assert!(kept || posted["effective_at"] == posted["created_at"], "{date}");
        assert_eq!(&row["booked_on"], &date[..10]);
    }
    assert_bank_sound(&client).await;
}
