//! Proves that a setting has its default until it is changed, that a change counts from its moment on and
//! never before, that changes are kept, that nobody who should not can make one, and that whatever is wrong
//! with a call is said and changes nothing.

use futures::future::join_all;
use wallet_ledger_tests::books::{backend, until_blocked};
use wallet_ledger_tests::*;

/// `setting=value` of every setting, at a moment written in SQL.
async fn values(client: &Client, at: &str) -> Vec<String> {
    let rows = calls(client, &format!("list_settings({at})")).await;
    rows.iter().map(|row| format!("{}={}", &row["setting"], &row["value"])).collect()
}

async fn value_of(client: &Client, setting: &str, at: &str) -> String {
    let sql = format!("SELECT value FROM wallet_ledger.list_settings({at}) WHERE setting = '{setting}'");
    value(client, &sql).await
}

const DEFAULTS: [&str; 7] = [
    "topup_minimum=10000",
    "topup_maximum=10000000",
    "unique_code_cooldown=48 hours",
    "unique_code_beneficiary=platform",
    "unique_code_account=platform:revenue:unique_code",
    "intent_grace=1 hour",
    "shortfall_account=platform:receivable:chargebacks",
];

#[tokio::test]
async fn everything_has_a_default() {
    let db = TestDb::with_ledger("defaults").await;
    let client = db.app().await;
    for at in ["", "now()", "'-infinity'", "'infinity'", "'2020-01-01'"] {
        assert_eq!(values(&client, at).await[..DEFAULTS.len()], DEFAULTS, "{at}");
    }
    let rows = calls(&client, "list_settings()").await;
    for row in &rows {
        assert_eq!(&row["ledger"], "main");
        assert_eq!(row["value"], row["default_value"], "{row:?}");
        assert_eq!(row.pick(["effective_from", "set_by", "reason", "created_at"]), ["NULL"; 4], "{row:?}");
        assert!(
            ["amount", "interval", "count", "word", "account", "kinds"].contains(&&row["unit"]),
            "{row:?}"
        );
        assert!(row["meaning"].ends_with('.'), "{row:?}");
    }
    assert_eq!(value(&client, "SELECT count(*) FROM wallet_ledger.settings").await, "0");
}

#[tokio::test]
async fn a_change_counts_from_its_moment_on() {
    let db = TestDb::with_ledger("change").await;
    let client = db.app().await;
    let before = value(&client, "SELECT clock_timestamp()").await;
    let set = call(&client, "set_setting('topup_minimum', '25000.00', reason => 'campaign')").await;
    assert_eq!(
        set.pick(["ledger", "setting", "value", "default_value", "unit", "set_by", "reason"]),
        ["main", "topup_minimum", "25000", "10000", "amount", "postgres", "campaign"]
    );
    assert_eq!(set["effective_from"], set["created_at"]);
    assert_eq!(value_of(&client, "topup_minimum", "").await, "25000");
    assert_eq!(value_of(&client, "topup_minimum", &format!("'{before}'")).await, "10000");

    // Ahead: not yet, and from that very microsecond.
    let ahead = "'2999-01-01 00:00:00+07'";
    let announced = call(&client, &format!("set_setting('topup_minimum', '30000', {ahead})")).await;
    assert_eq!(&announced["effective_from"], "2998-12-31 17:00:00+00");
    assert_eq!(value_of(&client, "topup_minimum", "").await, "25000");
    assert_eq!(
        value_of(&client, "topup_minimum", "'2998-12-31 23:59:59.999999+07'").await,
        "25000",
        "a microsecond before"
    );
    assert_eq!(value_of(&client, "topup_minimum", ahead).await, "30000");
    // What is changed now stays until what was announced begins, which is replaced by its own moment.
    call(&client, "set_setting('topup_minimum', '26000')").await;
    call(&client, &format!("set_setting('topup_minimum', '31000', {ahead})")).await;
    assert_eq!(value_of(&client, "topup_minimum", "").await, "26000");
    assert_eq!(value_of(&client, "topup_minimum", "'infinity'").await, "31000");
    assert_eq!(value_of(&client, "topup_maximum", "'infinity'").await, "10000000", "the others stay");

    // Lengths of time are one value however they are written.
    for text in ["'PT36H'", "'1 day 12 hours'", "'36:00:00'", "('36 hours'::interval)::text"] {
        let set = call(&client, &format!("set_setting('unique_code_cooldown', {text})")).await;
        assert_eq!(&set["value"], "36 hours", "{text}");
        assert_eq!(value(&client, &format!("SELECT '{}'::interval", &set["value"])).await, "36:00:00");
    }
    // Other ledgers have their own.
    call(&client, "create_ledger('other')").await;
    db::execute(&client, "SET wallet_ledger.ledger = 'other'").await;
    assert_eq!(values(&client, "").await[..DEFAULTS.len()], DEFAULTS);
    call(&client, "set_setting('topup_minimum', '1')").await;
    assert_eq!(value_of(&client, "topup_minimum", "ledger => 'main'").await, "26000");
}

#[tokio::test]
async fn the_same_change_is_made_once_and_every_change_is_kept() {
    let db = TestDb::with_ledger("history").await;
    let client = db.app().await;
    let superuser = db.connect().await;
    let ahead = "'2999-01-01 00:00+00'";
    let mut first = Vec::new();
    for arguments in [
        "'topup_minimum', '20000'".to_owned(),
        format!("'topup_minimum', '30000', {ahead}"),
        "'unique_code_beneficiary', 'payer', reason => 'they asked'".to_owned(),
        // The default's value, set by somebody, is a change: it stays when the default changes.
        "'intent_grace', '1 hour'".to_owned(),
    ] {
        first.push(call(&client, &format!("set_setting({arguments})")).await);
        let before = contents(&superuser).await;
        let again = call(&client, &format!("set_setting({arguments})")).await;
        assert_eq!(first.last(), Some(&again), "{arguments}");
        assert_eq!(before, contents(&superuser).await, "{arguments} wrote something");
    }
    // now() is now, also when it is the same moment for the whole transaction.
    db::execute(&client, "BEGIN").await;
    let one = call(&client, "set_setting('topup_minimum', '21000', now())").await;
    assert_eq!(call(&client, "set_setting('topup_minimum', '21000', now())").await, one);
    let two = call(&client, "set_setting('topup_minimum', '22000', now())").await;
    assert!(two["effective_from"] >= one["effective_from"]);
    db::execute(&client, "COMMIT").await;
    assert_eq!(value_of(&client, "topup_minimum", "").await, "22000");
    call(&client, &format!("set_setting('topup_minimum', '40000', {ahead})")).await;
    call(&client, &format!("set_setting('topup_minimum', '30000', {ahead})")).await;
    assert_eq!(value_of(&client, "topup_minimum", "'infinity'").await, "30000");

    let history = "SELECT string_agg(revision || ' ' || setting || ' ' || value || ' ' || \
                       (effective_from > created_at) || ' ' || set_by, ', ' ORDER BY revision) \
                   FROM wallet_ledger.settings WHERE ledger = 'main'";
    assert_eq!(
        value(&client, history).await,
        "1 topup_minimum 20000 false postgres, 2 topup_minimum 30000 true postgres, \
         3 unique_code_beneficiary payer false postgres, 4 intent_grace 1 hour false postgres, \
         5 topup_minimum 21000 false postgres, 6 topup_minimum 22000 false postgres, \
         7 topup_minimum 40000 true postgres, 8 topup_minimum 30000 true postgres"
    );
    let events =
        "SELECT payload FROM wallet_ledger.events WHERE topic = 'setting.changed' ORDER BY created_at, id";
    let changed: Vec<Value> = lines(&client, events).await.iter().map(|row| row.json("payload")).collect();
    assert_eq!(changed.len(), 8, "one event for each change");
    assert_eq!(
        changed[1],
        json!({"setting": "topup_minimum", "value": "30000", "value_before": "20000", "reason": null,
               "effective_from": "2999-01-01T00:00:00Z", "set_by": "postgres"})
    );
    assert_eq!(changed[2].pointer("/value_before"), Some(&json!("platform")));
    assert_eq!(changed[2].pointer("/reason"), Some(&json!("they asked")));
}

#[tokio::test]
async fn bad_input_is_refused_and_changes_nothing() {
    let db = TestDb::with_ledger("bad_settings").await;
    let client = db.app().await;
    let superuser = db.connect().await;
    call(&client, "set_setting('topup_maximum', '500000', '2999-01-01')").await;
    let before = contents(&superuser).await;
    let long = format!("'{}'", "a".repeat(129));
    let endless = "repeat('9', 1000000)";
    for (setting, value) in [
        ("topup_minimum", "''"),
        ("topup_minimum", "'  '"),
        ("topup_minimum", "'💸'"),
        ("topup_minimum", "'NaN'"),
        ("topup_minimum", "'-1'"),
        ("topup_minimum", "'-0.01'"),
        ("topup_minimum", "'Infinity'"),
        ("topup_minimum", "'1e3'"),
        ("topup_minimum", "'10,000'"),
        ("topup_minimum", "'Rp10000'"),
        ("topup_minimum", "'99999999999999999999999999999'"),
        ("topup_minimum", "'0.00000000000000000000000000001'"),
        ("topup_minimum", endless),
        ("topup_minimum", "'10000001'"),
        ("topup_minimum", "'500001'"),
        ("topup_maximum", "'9999.99'"),
        ("unique_code_cooldown", "'48'"),
        ("unique_code_cooldown", "'1 month'"),
        ("unique_code_cooldown", "'-1 hour'"),
        ("unique_code_cooldown", "'1 hour ago'"),
        ("unique_code_cooldown", "'31 days'"),
        ("unique_code_cooldown", "'infinity'"),
        ("unique_code_cooldown", endless),
        ("intent_grace", "'8 days'"),
        ("unique_code_beneficiary", "'Payer'"),
        ("unique_code_beneficiary", "'both'"),
        ("unique_code_account", "'a b'"),
        ("unique_code_account", "'platform:'"),
        ("unique_code_account", &long),
        ("shortfall_account", "'💸'"),
    ] {
        let result = try_call(&client, &format!("set_setting('{setting}', {value})")).await;
        let error = assert_error(result, "invalid_argument", "PT400");
        assert_eq!(error.detail["argument"], "value", "{setting} {value}: {error:?}");
        assert!(error.message.len() < 600, "{error:?}");
    }
    for setting in ["''", "'topup'", "'TOPUP_MINIMUM'", "' topup_minimum'", "'💸'", endless] {
        let result = try_call(&client, &format!("set_setting({setting}, '1')")).await;
        let error = assert_error(result, "invalid_argument", "PT400");
        assert_eq!(error.detail["argument"], "setting", "{setting}");
        assert!(DEFAULTS.iter().all(|known| error.message.contains(known.split('=').next().unwrap())));
    }
    for (arguments, argument) in
        [("NULL, '1'", "setting"), ("'topup_minimum', NULL", "value"), ("NULL, NULL", "setting")]
    {
        let error = assert_error(
            try_call(&client, &format!("set_setting({arguments})")).await,
            "missing_argument",
            "PT400",
        );
        assert_eq!(error.detail["argument"], argument);
    }
    for (more, argument) in [
        ("now() - interval '1 microsecond'", "effective_from"),
        ("'2020-01-01'", "effective_from"),
        ("'infinity'", "effective_from"),
        ("'-infinity'", "effective_from"),
        ("reason => ''", "reason"),
        ("reason => ' '", "reason"),
        ("reason => repeat('💸', 64)", "reason"),
    ] {
        let result = try_call(&client, &format!("set_setting('topup_minimum', '1', {more})")).await;
        assert_eq!(assert_error(result, "invalid_argument", "PT400").detail["argument"], argument, "{more}");
    }
    let nowhere = try_call(&client, "set_setting('topup_minimum', '1', ledger => 'nowhere')").await;
    assert_error(nowhere, "ledger_not_found", "PT404");
    let nowhere = try_calls(&client, "list_settings(ledger => 'nowhere')").await;
    assert_error(nowhere, "ledger_not_found", "PT404");
    assert_eq!(before, contents(&superuser).await);
}

#[tokio::test]
async fn auditors_read_and_nobody_rewrites() {
    let db = TestDb::with_ledger("setting_roles").await;
    let client = db.app().await;
    call(&client, "set_setting('topup_minimum', '20000')").await;
    let auditor = db.connect_as("wallet_auditor").await;
    assert_eq!(value_of(&auditor, "topup_minimum", "").await, "20000");
    assert_eq!(value(&auditor, "SELECT count(*) FROM wallet_ledger.settings").await, "1");
    let denied = try_call(&auditor, "set_setting('topup_minimum', '1')").await.unwrap_err();
    assert_eq!(sql_error(&denied).sqlstate, "42501");
    let read_only = db.app().await;
    db::execute(&read_only, "BEGIN READ ONLY").await;
    assert_eq!(value_of(&read_only, "topup_minimum", "").await, "20000");
    db::execute(&read_only, "COMMIT").await;

    let name = db.role("clerk", "LOGIN IN ROLE wallet_app").await;
    let clerk = db.connect().await;
    db::execute(&clerk, &format!("SET SESSION AUTHORIZATION \"{name}\"")).await;
    let set = call(&clerk, "set_setting('topup_minimum', '21000')").await;
    assert_eq!(&set["set_by"], name.as_str(), "who is logged in, not the definer");
    let superuser = db.connect().await;
    let before = contents(&superuser).await;
    let owner = db.connect_as("wallet_owner").await;
    let replica = db.connect().await;
    db::execute(&replica, "SET session_replication_role = replica").await;
    for statement in [
        "UPDATE wallet_data.settings SET value = '1'",
        "DELETE FROM wallet_data.settings",
        "TRUNCATE wallet_data.settings",
    ] {
        let error = try_lines(&client, statement).await.unwrap_err();
        assert_eq!(sql_error(&error).sqlstate, "42501", "{statement}");
        for session in [&superuser, &owner, &replica] {
            assert_error(try_lines(session, statement).await, "append_only", "PT403");
        }
    }
    let backdated = "INSERT INTO wallet_data.settings (ledger_id, revision, effective_from, created_at, name, value, set_by) \
                     SELECT ledger_id, 99, now() - interval '1 second', now(), 'topup_minimum', '1', 'x' FROM wallet_data.ledgers";
    let error = sql_error(&try_lines(&superuser, backdated).await.unwrap_err());
    assert_eq!(error.sqlstate, "23514", "{error:?}");
    assert_eq!(before, contents(&superuser).await);
}

/// Two sessions that each make a change which fits what they saw, and which do not fit each other.
#[tokio::test]
async fn changes_wait_for_each_other_and_stay_in_order() {
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let db = TestDb::with_ledger("setting_race").await;
        let client = db.app().await;
        let [first, second] = [db.app().await, db.app().await];
        for session in [&first, &second] {
            db::execute(session, &format!("BEGIN ISOLATION LEVEL {level}")).await;
            assert_eq!(value_of(session, "topup_minimum", "").await, "10000");
        }
        call(&first, "set_setting('topup_minimum', '400000')").await;
        let pid = backend(&second).await;
        let waiting = tokio::spawn(async move {
            let result = try_call(&second, "set_setting('topup_maximum', '300000')").await;
            (second, result)
        });
        until_blocked(&client, &pid).await;
        db::execute(&first, "COMMIT").await;
        let (second, result) = waiting.await.unwrap();
        if level == "READ COMMITTED" {
            assert_error(result, "invalid_argument", "PT400");
        } else {
            assert_error(result, "try_again", "PT503");
        }
        db::execute(&second, "ROLLBACK").await;
        assert_eq!(
            values(&client, "'infinity'").await[..2],
            ["topup_minimum=400000", "topup_maximum=10000000"],
            "{level}"
        );
    }
}

#[tokio::test]
async fn many_sessions_at_once_lose_no_change() {
    let db = TestDb::with_ledger("setting_many").await;
    let client = db.app().await;
    let sessions = join_all((0..8).map(|_| db.app())).await;
    let calls = sessions.iter().enumerate().map(|(index, session)| async move {
        for round in 0..10 {
            let amount = 1_000 + 100 * index + round;
            call(session, &format!("set_setting('topup_minimum', '{amount}')")).await;
        }
        // The same from everybody: made once.
        call(session, "set_setting('topup_maximum', '777777', '2999-01-01')").await;
    });
    join_all(calls).await;
    let sql = "SELECT count(*) || ' ' || max(revision) || ' ' || count(*) FILTER (WHERE setting = 'topup_maximum') \
               FROM wallet_ledger.settings";
    assert_eq!(value(&client, sql).await, "81 81 1");
    // Later revisions begin later: the last one made is the one that counts.
    let last = "SELECT value FROM wallet_ledger.settings WHERE setting = 'topup_minimum' ORDER BY revision DESC LIMIT 1";
    assert_eq!(value_of(&client, "topup_minimum", "").await, value(&client, last).await);
}
