//! Proves that making books is safe to repeat and never mixes them: what exists comes back as it is,
//! what exists differently is refused by the name of the property that differs, states change by the
//! rules, and money stays in its ledger. Every refusal is also checked to have written nothing.

use futures::future::join_all;
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

#[tokio::test]
async fn a_ledger_is_created_once() {
    let db = TestDb::new("ledger").await;
    let client = db.app().await;
    let first = call(&client, "create_ledger('school-7.jkt', metadata => '{\"npsn\": 1}')").await;
    assert_eq!(
        first.pick(["ledger", "currency", "timezone", "closed_until"]),
        ["school-7.jkt", "IDR", "Asia/Jakarta", "NULL"]
    );
    let before = contents(&client).await;
    assert_eq!(first, call(&client, "create_ledger('school-7.jkt')").await);
    for (sql, field) in [
        ("create_ledger('school-7.jkt', 'USD')", "currency"),
        ("create_ledger('school-7.jkt', timezone => 'Asia/Makassar')", "timezone"),
    ] {
        let error = assert_error(try_call(&client, sql).await, "already_exists", "PT409");
        assert_eq!(error.detail["field"], field);
    }
    assert_error(try_call(&client, "create_ledger('x', 'XXX')").await, "currency_not_found", "PT404");
    for bad in ["''", "'a b'", "'é'", "repeat('a', 64)"] {
        let sql = format!("create_ledger({bad})");
        assert_error(try_call(&client, &sql).await, "invalid_argument", "PT400");
    }
    let zone = try_call(&client, "create_ledger('x', timezone => 'Mars/Base')").await;
    assert_error(zone, "invalid_argument", "PT400");
    // The identity sequence moves on a conflict; rows do not.
    assert_eq!(before, contents(&client).await);
}

#[tokio::test]
async fn a_currency_keeps_its_scale() {
    let db = TestDb::with_ledger("currency").await;
    let client = db.app().await;
    for _ in 0..2 {
        assert_eq!(value(&client, "SELECT wallet_ledger.create_currency('XBT', 8)").await, "XBT");
    }
    let before = contents(&client).await;
    let error = assert_error(try_call(&client, "create_currency('XBT', 7)").await, "already_exists", "PT409");
    assert_eq!((&error.detail["field"], &error.detail["currency"]), (&json!("scale"), &json!("XBT")));
    for bad in ["'idr', 2", "'ID', 2", "'', 2", "'IDRX', 19", "'IDRX', -1", "'💸💸💸', 2"] {
        let sql = format!("create_currency({bad})");
        assert_error(try_call(&client, &sql).await, "invalid_argument", "PT400");
    }
    assert_eq!(before, contents(&client).await);
}

#[tokio::test]
async fn kinds_are_a_vocabulary_of_each_ledger() {
    let (_db, client) = books("kinds").await;
    call(&client, "create_ledger('other')").await;
    for _ in 0..2 {
        call(&client, "create_kind('spp', ledger => 'other')").await;
    }
    let kinds = "SELECT count(*) FROM wallet_ledger.kinds WHERE kind = 'spp'";
    assert_eq!(value(&client, kinds).await, "1");
    let post = "post_transfer('bank', 'wallets:a', 1, 'spp', ledger => 'main')";
    let error = assert_error(try_call(&client, post).await, "kind_not_found", "PT404");
    assert_eq!((&error.detail["kind"], &error.detail["ledger"]), (&json!("spp"), &json!("main")));
    call(&client, "create_kind('spp', ledger => 'main')").await;
    assert_eq!(&call(&client, post).await["kind"], "spp");
    for reserved in ["reversal", "rebalance"] {
        let post = format!("post_transfer('bank', 'wallets:a', 1, '{reserved}', ledger => 'main')");
        assert_error(try_call(&client, &post).await, "reserved_kind", "PT403");
        let create = format!("create_kind('{reserved}', ledger => 'main')");
        assert_error(try_call(&client, &create).await, "reserved_kind", "PT403");
    }
    for bad in ["", "Top", "a b", "1a", "é"] {
        let sql = format!("create_kind('{bad}', ledger => 'main')");
        assert_error(try_call(&client, &sql).await, "invalid_argument", "PT400");
    }
    // A built-in kind exists already: creating it is harmless and adds nothing.
    let before = contents(&client).await;
    call(&client, "create_kind('topup', ledger => 'main')").await;
    assert_eq!(before, contents(&client).await);
}

#[tokio::test]
async fn an_account_is_created_once_and_a_difference_is_named() {
    let db = TestDb::with_ledger("account").await;
    let client = db.app().await;
    let create = "create_account('fees', 'revenue', 'IDR', -10, 1000, 'platform', '{\"a\": 1}')";
    let first = call(&client, create).await;
    assert_eq!(
        first.pick(["ledger", "account", "type", "currency", "state", "posted", "held", "available"]),
        ["main", "fees", "revenue", "IDR", "open", "0.00", "0.00", "0.00"]
    );
    assert_eq!(
        first.pick(["version", "minimum_balance", "maximum_balance", "stripes", "owner", "metadata"]),
        ["0", "-10.00", "1000.00", "1", "platform", "{\"a\": 1}"]
    );
    let before = contents(&client).await;
    assert_eq!(first, call(&client, create).await);
    for (other, field) in [
        ("'fees', 'asset', 'IDR', -10, 1000, 'platform'", "type"),
        ("'fees', 'revenue', 'USD', -10, 1000, 'platform'", "currency"),
        ("'fees', 'revenue', 'IDR', -11, 1000, 'platform'", "minimum_balance"),
        ("'fees', 'revenue', 'IDR', NULL, 1000, 'platform'", "minimum_balance"),
        ("'fees', 'revenue', 'IDR', -10, 1001, 'platform'", "maximum_balance"),
        ("'fees', 'revenue', 'IDR', -10, NULL, 'platform', NULL, 4", "maximum_balance"),
        ("'fees', 'revenue', 'IDR', -10, 1000, 'somebody'", "owner"),
        ("'fees', 'revenue', 'IDR', -10, 1000, 'platform', '{\"a\": 2}'", "metadata"),
    ] {
        let sql = format!("create_account({other})");
        let error = assert_error(try_call(&client, &sql).await, "already_exists", "PT409");
        assert_eq!((&error.detail["field"], &error.detail["account"]), (&json!(field), &json!("fees")));
    }
    assert_eq!(before, contents(&client).await);
    call(&client, "create_account('float', 'liability')").await;
    let striped = try_call(&client, "create_account('float', 'liability', stripes => 4)").await;
    assert_eq!(assert_error(striped, "already_exists", "PT409").detail["field"], "stripes");
}

#[tokio::test]
async fn a_wallet_is_opened_once_however_many_ask() {
    let db = TestDb::with_ledger("wallet").await;
    let sessions = join_all((0..20).map(|_| db.app())).await;
    let answers = join_all(sessions.iter().map(|client| call(client, "open_wallet('budi')"))).await;
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:#?}");
    assert_eq!(
        answers[0].pick(["account", "type", "minimum_balance", "owner"]),
        ["wallets:budi", "liability", "0.00", "budi"]
    );
    let client = &sessions[0];
    assert_eq!(value(client, "SELECT count(*) FROM wallet_data.accounts").await, "1");
    let create = "create_account('wallets:budi', 'liability', minimum_balance => -5, owner => 'budi')";
    let error = assert_error(try_call(client, create).await, "already_exists", "PT409");
    assert_eq!(error.detail["field"], "minimum_balance");
    for owner in ["a b", "", "a:", "💸"] {
        let open = try_call(client, &format!("open_wallet('{owner}')")).await;
        assert_error(open, "invalid_address", "PT400");
    }
}

#[tokio::test]
async fn freezing_and_closing_follow_their_rules() {
    let (_db, client) = books("states").await;
    let frozen = call(&client, "freeze_account('wallets:a', 'police report')").await;
    assert_eq!(frozen.pick(["state", "posted"]), ["frozen", "1000.00"]);
    let before = contents(&client).await;
    call(&client, "freeze_account('wallets:a')").await;
    assert_eq!(before, contents(&client).await, "freezing twice writes nothing");
    for refused in [
        "post_transfer('wallets:a', 'shop', 1)",
        "post_transfer('bank', 'wallets:a', 1)",
        "hold_funds('wallets:a', 1, 'shop')",
        "close_account('wallets:a')",
        "reopen_account('wallets:a')",
    ] {
        let error = assert_error(try_call(&client, refused).await, "account_frozen", "PT422");
        assert_eq!(error.detail["account"], "wallets:a", "{refused}");
    }
    assert_eq!(&call(&client, "unfreeze_account('wallets:a')").await["state"], "open");
    let error =
        assert_error(try_call(&client, "close_account('wallets:a')").await, "account_not_empty", "PT409");
    assert_eq!(error.detail["posted"], "1000.00");
    assert_eq!(&call(&client, "close_account('wallets:c', 'left')").await["state"], "closed");
    call(&client, "close_account('wallets:c')").await;
    for refused in [
        "post_transfer('wallets:c', 'shop', 1)",
        "post_transfer('bank', 'wallets:c', 1)",
        "hold_funds('wallets:c', 1)",
        "freeze_account('wallets:c')",
        "unfreeze_account('wallets:c')",
    ] {
        assert_error(try_call(&client, refused).await, "account_closed", "PT422");
    }
    assert_eq!(&call(&client, "reopen_account('wallets:c')").await["state"], "open");
    call(&client, "post_transfer('bank', 'wallets:c', 1)").await;
    let topics = "SELECT string_agg(topic || ' ' || subject, ', ' ORDER BY id) FROM wallet_ledger.events";
    assert_eq!(
        value(&client, topics).await,
        "account.frozen wallets:a, account.unfrozen wallets:a, account.closed wallets:c, \
         account.reopened wallets:c"
    );
    for name in ["freeze_account", "unfreeze_account", "close_account", "reopen_account"] {
        let missing = try_call(&client, &format!("{name}('wallets:nobody')")).await;
        assert_error(missing, "account_not_found", "PT404");
    }
    verify_clean(&client).await;
}

#[tokio::test]
async fn money_and_ids_stay_in_their_ledger() {
    let (_db, client) = books("two_ledgers").await;
    call(&client, "create_ledger('other')").await;
    for account in ["bank", "till"] {
        call(&client, &format!("create_account('{account}', 'asset', ledger => 'other')")).await;
    }
    let post = "post_transfer('bank', 'till', 5, ledger => 'other')";
    assert_eq!(call(&client, post).await.pick(["ledger", "credit_balance"]), ["other", "-5.00"]);
    assert_eq!(posted(&client, "bank").await, "1500.00", "the bank of the ledger main is another one");
    let across = "post_transfer('till', 'wallets:a', 1, ledger => 'other')";
    let error = assert_error(try_call(&client, across).await, "account_not_found", "PT404");
    assert_eq!(error.detail["account"], "wallets:a");

    let posted = call(&client, "post_transfer('wallets:a', 'shop', 1, ledger => 'main')").await;
    let hold = call(&client, "hold_funds('wallets:a', 1, 'shop', ledger => 'main')").await;
    for (sql, token) in [
        (format!("reverse_transfer('{}', ledger => 'other')", &posted["id"]), "transfer_not_found"),
        (
            format!("reverse_transaction('{}', ledger => 'other')", &posted["transaction_id"]),
            "transaction_not_found",
        ),
        (format!("capture_hold('{}', ledger => 'other')", &hold["id"]), "hold_not_found"),
        (format!("release_hold('{}', ledger => 'other')", &hold["id"]), "hold_not_found"),
    ] {
        assert_error(try_call(&client, &sql).await, token, "PT404");
    }
    // A key is unique in its ledger, not beyond.
    for ledger in ["main", "other"] {
        let credit = if ledger == "main" { "shop" } else { "till" };
        let sql =
            format!("post_transfer('bank', '{credit}', 1, idempotency_key => 'k', ledger => '{ledger}')");
        assert_eq!(&call(&client, &sql).await["replayed"], "f");
    }
    verify_clean(&client).await;
    db::verify_clean_ledger(&client, "other").await;
}

#[tokio::test]
async fn the_ledger_is_found_in_the_documented_order() {
    let db = TestDb::new("resolve").await;
    let client = db.app().await;
    let open = "open_wallet('x')";
    assert_error(try_call(&client, open).await, "ledger_required", "PT400");
    call(&client, "create_ledger('only')").await;
    assert_eq!(&call(&client, open).await["ledger"], "only");
    call(&client, "create_ledger('claimed')").await;
    call(&client, "create_ledger('setting')").await;
    assert_error(try_call(&client, open).await, "ledger_required", "PT400");

    let claims = |ledger: &str| format!("SET request.jwt.claims = '{{\"ledger\": \"{ledger}\"}}'");
    db::execute(&client, &claims("claimed")).await;
    assert_eq!(&call(&client, open).await["ledger"], "claimed");
    db::execute(&client, "SET wallet_ledger.ledger = 'setting'").await;
    assert_eq!(&call(&client, open).await["ledger"], "setting");
    assert_eq!(&call(&client, "open_wallet('x', ledger => 'only')").await["ledger"], "only");
    db::execute(&client, "SET wallet_ledger.ledger = ''").await;
    assert_eq!(&call(&client, open).await["ledger"], "claimed");
    db::execute(&client, &claims("nowhere")).await;
    let error = assert_error(try_call(&client, open).await, "ledger_not_found", "PT404");
    assert_eq!(error.detail["ledger"], "nowhere");
    // What PostgREST leaves behind, and what is no claim at all.
    for claims in ["", "{}", "[]", "not json", "{\"ledger\": 7}", "{\"ledger\": null}"] {
        db::execute(&client, &format!("SET request.jwt.claims = '{claims}'")).await;
        assert_error(try_call(&client, open).await, "ledger_required", "PT400");
    }
    // For one transaction only, as behind a pooler.
    let local = "BEGIN; SELECT set_config('wallet_ledger.ledger', 'setting', true); \
                 SELECT ledger FROM wallet_ledger.open_wallet('y'); COMMIT";
    let found = lines(&client, local).await;
    assert_eq!(&found.last().unwrap()["ledger"], "setting");
    assert_error(try_call(&client, open).await, "ledger_required", "PT400");
}

#[tokio::test]
async fn a_ledger_made_in_a_rolled_back_transaction_is_forgotten() {
    let db = TestDb::with_ledger("rolled_back").await;
    let client = db.app().await;
    db::execute(&client, "BEGIN").await;
    call(&client, "create_ledger('ghost')").await;
    call(&client, "create_kind('ghostly', ledger => 'ghost')").await;
    call(&client, "create_account('a', 'asset', ledger => 'ghost')").await;
    call(&client, "create_account('b', 'asset', ledger => 'ghost')").await;
    call(&client, "post_transfer('a', 'b', 1, 'ghostly', ledger => 'ghost')").await;
    db::execute(&client, "ROLLBACK").await;
    let post = "post_transfer('a', 'b', 1, 'ghostly', ledger => 'ghost')";
    assert_error(try_call(&client, post).await, "ledger_not_found", "PT404");
    // The same with a savepoint: the kind goes, the ledger stays.
    db::execute(&client, "BEGIN; SELECT wallet_ledger.create_ledger('real'); SAVEPOINT s").await;
    call(&client, "create_kind('ghostly', ledger => 'real')").await;
    call(&client, "create_account('a', 'asset', ledger => 'real')").await;
    let missing = "post_transfer('a', 'b', 1, 'ghostly', ledger => 'real')";
    assert_error(try_call(&client, missing).await, "account_not_found", "PT404");
    db::execute(&client, "ROLLBACK TO s").await;
    assert_error(try_call(&client, missing).await, "kind_not_found", "PT404");
    db::execute(&client, "ROLLBACK").await;
}

/// Two kinds at once have two numbers: who comes second waits, and counts from what the first has added.
#[tokio::test]
async fn two_sessions_add_a_kind_each() {
    let (db, client) = books("kinds_at_once").await;
    let (first, second) = (db.app().await, db.app().await);
    let waiting = backend(&second).await;
    execute(&first, "BEGIN").await;
    call(&first, "create_kind('aa')").await;
    let release = async {
        until_blocked(&client, &waiting).await;
        execute(&first, "COMMIT").await;
    };
    tokio::join!(call(&second, "create_kind('bb')"), release);
    // Who looks at an old state is told to look again.
    for (level, one, two) in [("REPEATABLE READ", "cc", "dd"), ("SERIALIZABLE", "ee", "ff")] {
        execute(&second, &format!("BEGIN ISOLATION LEVEL {level}")).await;
        value(&second, "SELECT count(*) FROM wallet_ledger.kinds").await;
        call(&first, &format!("create_kind('{one}')")).await;
        let late = format!("create_kind('{two}')");
        assert_error(try_call(&second, &late).await, "try_again", "PT503");
        execute(&second, "ROLLBACK").await;
        call(&second, &late).await;
    }
    let own = "SELECT string_agg(name, ' ' ORDER BY kind_id) FROM wallet_data.kinds WHERE length(name) = 2";
    assert_eq!(value(&client, own).await, "aa bb cc dd ee ff");
}
