//! Setting, lifting, and what remains of it.

use super::{check, limit, school};
use wallet_ledger_tests::*;

#[tokio::test]
async fn the_same_again_changes_nothing_and_every_change_is_kept() {
    let (_db, client) = school("history").await;
    let set = r#"daily => 50000, windows => '[{"from": "07:00", "to": "15:00"}]', merchants => '{"deny": ["kiosk"]}'"#;
    let first = limit(&client, set).await;
    assert_eq!(limit(&client, set).await["id"], first["id"]);
    db::execute(&client, "SET wallet_ledger.actor = 'bu-sari'").await;
    let changed = limit(&client, "daily => 40000, reason => 'less sweets'").await;
    assert_eq!(
        changed.pick(["daily", "windows", "set_by", "reason"]),
        ["40000.00", "NULL", "bu-sari", "less sweets"]
    );
    let kept = lines(&client, "SELECT * FROM wallet_ledger.spending_limits ORDER BY revision").await;
    let kept: Vec<[&str; 4]> =
        kept.iter().map(|line| line.pick(["account", "revision", "daily", "set_by"])).collect();
    assert_eq!(kept, [["wallets:a", "1", "50000.00", "postgres"], ["wallets:a", "2", "40000.00", "bu-sari"]]);
    let events = lines(
        &client,
        "SELECT payload FROM wallet_ledger.events WHERE topic = 'limit.changed' ORDER BY created_at, id",
    )
    .await;
    assert_eq!(events.len(), 2);
    let payload = events[1].json("payload");
    assert_eq!(
        (&payload["limit"]["daily"], &payload["limit_before"]["daily"]),
        (&json!("40000.00"), &json!("50000.00"))
    );
    assert_eq!((&payload["set_by"], &payload["account"]), (&json!("bu-sari"), &json!("wallets:a")));
}

/// Compared is what counts from the moment of the change, not what was set last.
#[tokio::test]
async fn the_same_as_what_was_set_last_is_a_change_where_another_one_counts() {
    let (_db, client) = school("revisions").await;
    let moment = async |seconds: u32| {
        value(&client, &format!("SELECT clock_timestamp() + interval '{seconds} seconds'")).await
    };
    let (soon, later) = (moment(10).await, moment(7200).await);
    let first = limit(&client, "daily => 10").await;
    let ahead = limit(&client, &format!("daily => 100, effective_from => '{soon}'")).await;
    assert_eq!(limit(&client, &format!("daily => 100, effective_from => '{soon}'")).await["id"], ahead["id"]);
    let last = limit(&client, "daily => 20").await;
    assert_ne!(first["id"], last["id"]);
    until(&client, &format!("SELECT clock_timestamp() > '{soon}'"), "t").await;
    // A retry of what has begun meanwhile is no change of the past.
    assert_eq!(limit(&client, &format!("daily => 100, effective_from => '{soon}'")).await["id"], ahead["id"]);
    let other = format!("set_spending_limit('wallets:a', daily => 1, effective_from => '{soon}')");
    assert_error(try_call(&client, &other).await, "invalid_argument", "PT400");
    // What was set last counts no more.
    assert_eq!(&check(&client, "1").await["limit_amount"], "100.00");
    let again = limit(&client, "daily => 20").await;
    assert!(![&first["id"], &ahead["id"], &last["id"]].contains(&&again["id"]), "{again:?}");
    assert_eq!(&check(&client, "1").await["limit_amount"], "20.00");
    // To stay as it is now is a change for a moment from which nothing is said yet.
    let kept = limit(&client, &format!("daily => 20, effective_from => '{later}'")).await;
    assert_ne!(kept["id"], again["id"]);
    assert_eq!(limit(&client, &format!("daily => 20, effective_from => '{later}'")).await["id"], kept["id"]);
    let before = lines(
        &client,
        "SELECT payload->'limit'->>'daily' AS daily, payload->'limit_before'->>'daily' AS before
         FROM wallet_ledger.events WHERE topic = 'limit.changed' ORDER BY created_at, id",
    )
    .await;
    let before: Vec<[&str; 2]> = before.iter().map(|line| line.pick(["daily", "before"])).collect();
    assert_eq!(
        before,
        [["10.00", "NULL"], ["100.00", "10.00"], ["20.00", "10.00"], ["20.00", "100.00"], ["20.00", "20.00"]]
    );
    verify_clean(&client).await;
}

#[tokio::test]
async fn rows_of_the_history_cannot_be_changed() {
    let (db, client) = school("kept").await;
    limit(&client, "daily => 1").await;
    let owner = db.connect().await;
    for role in ["origin", "replica"] {
        db::execute(&owner, &format!("SET session_replication_role = {role}")).await;
        for sql in [
            "UPDATE wallet_data.spending_limits SET daily = 2",
            "DELETE FROM wallet_data.spending_limits",
            "TRUNCATE wallet_data.spending_limits",
        ] {
            let error = owner.batch_execute(sql).await.expect_err(sql);
            assert_eq!(sql_error(&error).token(), "append_only", "{sql}");
        }
    }
    for (columns, values, constraint) in [
        ("daily", "-1", "limit_amount_check"),
        ("daily", "'NaN'", "limit_amount_check"),
        ("effective_from", "'2020-01-01'", "spending_limits_not_backdated"),
        ("method", "'face'", "spending_limits_method_check"),
        ("account_id, replaces_default", "NULL, true", "spending_limits_default_replaces_nothing"),
    ] {
        let sql = format!(
            "INSERT INTO wallet_data.spending_limits
             SELECT (jsonb_populate_record(NULL::wallet_data.spending_limits, to_jsonb(there) || to_jsonb(given)
                 || jsonb_build_object('revision', 9, 'limit_id', gen_random_uuid()))).*
             FROM (SELECT * FROM wallet_data.spending_limits LIMIT 1) there, (SELECT {}) given",
            columns
                .split(", ")
                .zip(values.split(", "))
                .map(|(c, v)| format!("{v} AS {c}"))
                .collect::<Vec<_>>()
                .join(", ")
        );
        let error = owner.batch_execute(&sql).await.expect_err(&sql);
        let said = error.as_db_error().unwrap();
        assert_eq!(said.constraint(), Some(constraint), "{said:?}");
    }
}

#[tokio::test]
async fn verify_finds_a_counter_that_was_tampered_with() {
    let (db, client) = school("tampered").await;
    limit(&client, "daily => 100").await;
    super::pay(&client, "60", "").await.unwrap();
    verify_clean(&client).await;
    let owner = db.connect().await;
    db::execute(&owner, "UPDATE wallet_data.accounts SET spending = replace(spending::text, '60.00', '10.00')::json WHERE address = 'wallets:a'").await;
    let found = lines(&client, "SELECT * FROM wallet_ledger.verify_ledger('main')").await;
    assert!(
        !found.is_empty() && found.iter().all(|line| &line["finding"] == "spending_differs"),
        "{found:?}"
    );
}

#[tokio::test]
async fn verify_finds_limits_that_do_not_count() {
    let (db, client) = school("other_limits").await;
    call(&client, "create_member('a')").await;
    limit(&client, "daily => 100").await;
    call(&client, "set_spending_limit('*', weekly => 1000)").await;
    super::pay(&client, "1", "").await.unwrap();
    verify_clean(&client).await;
    let owner = db.connect().await;
    let kept = value(&client, "SELECT spending FROM wallet_data.accounts WHERE address = 'wallets:a'").await;
    let mut spending: Value = serde_json::from_str(&kept).unwrap();
    spending["limits"] = Value::Array(spending["limits"].as_array().unwrap()[..1].to_vec());
    let sql = format!("UPDATE wallet_data.accounts SET spending = '{spending}' WHERE address = 'wallets:a'");
    db::execute(&owner, &sql).await;
    let found = lines(&client, "SELECT finding, subject FROM wallet_ledger.verify_ledger('main')").await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].pick(["finding", "subject"]), ["limits_differ", "wallets:a"]);
}

/// A guardian tightens, and loosens what the guardian has tightened; nothing that the organisation has set.
#[tokio::test]
async fn a_guardian_loosens_nothing_that_the_organisation_has_set() {
    let (db, client) = school("guardian").await;
    call(&client, "create_member('a')").await;
    call(&client, "create_guardian('sari', actor => 'bu-sari')").await;
    call(&client, "link_guardian('sari', 'a', may_set_limits => true)").await;
    db::execute(&client, "SET wallet_ledger.actor = 'pak-admin'").await;
    limit(&client, "daily => 100").await;
    call(&client, "set_spending_limit('*', weekly => 1000)").await;
    let guardian = db.connect_as("wallet_user").await;
    db::execute(&guardian, "SET wallet_ledger.actor = 'bu-sari'").await;
    for loosened in [
        "'wallets:a', daily => 500",
        "'wallets:a'",
        "'wallets:a', name => 'own', daily => 500, replaces_default => true",
        "'*', weekly => 5000",
        "'wallets:b', daily => 1",
        "'bank', daily => 1",
    ] {
        let refused = try_call(&guardian, &format!("set_spending_limit({loosened})")).await;
        assert_error(refused, "not_allowed", "PT403");
    }
    call(&guardian, "set_spending_limit('wallets:a', name => 'guardian', daily => 30)").await;
    assert_eq!(super::assert_limited(super::pay(&client, "31", "").await, "daily")["limit"], "guardian");
    call(&guardian, "set_spending_limit('wallets:a', name => 'guardian', daily => 300)").await;
    assert_eq!(super::assert_limited(super::pay(&client, "101", "").await, "daily")["limit"], "default");
    // A change made ahead would begin whatever the organisation sets meanwhile.
    let ahead = "name => 'guardian', daily => 1000, effective_from => now() + interval '1 day'";
    let refused = try_call(&guardian, &format!("set_spending_limit('wallets:a', {ahead})")).await;
    assert_error(refused, "not_allowed", "PT403");
    call(&client, &format!("set_spending_limit('wallets:a', {ahead})")).await;
    // The organisation may change what a guardian has set.
    let changed = call(&client, "set_spending_limit('wallets:a', name => 'guardian')").await;
    assert_eq!(changed.pick(["daily", "set_by"]), ["NULL", "pak-admin"]);
    let taken = try_call(&guardian, "set_spending_limit('wallets:a', name => 'guardian', daily => 1)").await;
    assert_error(taken, "not_allowed", "PT403");
}
