//! Proves that a bank account is tied to the books once and for good: every argument says what it says, the
//! same registration is harmless, another one is refused with the field that differs, and the opening
//! balance is in the books exactly once, whatever was there before.

use wallet_ledger_tests::bank::{
    BCA, assert_bank_sound, bank_books, credit, deliver, events, money, one, try_match_line, wib, with,
};
use wallet_ledger_tests::*;

const OPENING: &str = "equity:opening_balances";

async fn account(client: &Client, account: &str) -> Line {
    one(client, &format!("SELECT * FROM wallet_ledger.accounts WHERE account = '{account}'")).await
}

async fn transfers(client: &Client) -> String {
    value(client, "SELECT count(*) FROM wallet_ledger.transfers").await
}

/// Refused, and nothing of it is there: no account, no event.
async fn refused(client: &Client, sql: &str, token: &str, sqlstate: &str) -> LedgerError {
    let before = contents(client).await;
    let error = assert_error(try_call(client, sql).await, token, sqlstate);
    assert_eq!(before, contents(client).await, "{sql} wrote something");
    error
}

#[tokio::test]
async fn every_argument_is_what_it_says() {
    let (_db, client) = books("register").await;
    let registered = call(
        &client,
        "register_bank_account(account => 'banks:bca:9', provider => 'moota', provider_bank_id => ' VLagzqBj42D ', \
         account_number => '123-456 7890', bank => 'BCA 💸', opening_balance => 1500000.50, \
         opened_on => '2026-01-02', holder_name => 'PT Maju', suspense_account => 'unknown:bca', \
         outgoing_account => 'payouts:bca', ledger => 'main')",
    )
    .await;
    assert_eq!(
        registered.pick(["ledger", "account", "provider", "provider_bank_id", "account_number", "bank"]),
        ["main", "banks:bca:9", "moota", "VLagzqBj42D", "1234567890", "BCA 💸"]
    );
    assert_eq!(
        registered.pick([
            "holder_name",
            "currency",
            "opening_balance",
            "opened_on",
            "suspense_account",
            "outgoing_account"
        ]),
        ["PT Maju", "IDR", "1500000.50", "2026-01-02", "unknown:bca", "payouts:bca"]
    );
    let shown = one(&client, "SELECT * FROM wallet_ledger.bank_accounts").await;
    assert_eq!(shown, registered, "the view says the same as the call");
    for (name, kind, floor, posted) in [
        ("banks:bca:9", "asset", "NULL", "1500000.50"),
        ("unknown:bca", "liability", "0.00", "0.00"),
        ("payouts:bca", "liability", "NULL", "0.00"),
        (OPENING, "equity", "NULL", "1500000.50"),
    ] {
        let row = account(&client, name).await;
        assert_eq!(row.pick(["type", "minimum_balance"]), [kind, floor], "{name}");
        assert_eq!(money(&row["posted"]), money(posted), "{name}");
    }
    let posting = one(&client, "SELECT * FROM wallet_ledger.transfers WHERE kind = 'opening'").await;
    assert_eq!(
        posting.pick(["debit_account", "credit_account", "amount"]),
        ["banks:bca:9", OPENING, "1500000.50"]
    );
    let told = events(&client, &["bank_account.registered"]).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].json("payload")["account"], "banks:bca:9");
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn the_least_that_can_be_said() {
    let (_db, client) = books("least").await;
    let registered = call(&client, "register_bank_account('banks:x', 'statement')").await;
    assert_eq!(
        registered.pick(["provider", "opening_balance", "suspense_account", "outgoing_account"]),
        ["statement", "0.00", "banks:x:suspense", "banks:x:outgoing"]
    );
    assert_eq!(
        registered.pick(["provider_bank_id", "account_number", "bank", "holder_name", "opened_on"]),
        ["NULL"; 5]
    );
    let opening = "SELECT count(*) FROM wallet_ledger.accounts WHERE account = 'equity:opening_balances'";
    assert_eq!(value(&client, opening).await, "0", "no opening balance, no account for it");
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn the_same_again_changes_nothing_and_another_one_is_refused() {
    let (_db, client) = books("again").await;
    let register = |fields: &str| {
        format!(
            "register_bank_account('banks:bca:9', 'moota', 'id-9', '99', 'BCA', 1000, '2026-01-02', 'PT Maju'{fields})"
        )
    };
    let first = call(&client, &register("")).await;
    let before = contents(&client).await;
    for again in [
        register(""),
        register(", suspense_account => 'banks:bca:9:suspense'"),
        register("").replace("'99'", "'9-9'"),
        register("").replace(" 1000,", " NULL,"),
        register("").replace(" 1000,", " 1000.00,"),
    ] {
        assert_eq!(call(&client, &again).await, first, "{again}");
    }
    assert_eq!(before, contents(&client).await);
    call(&client, "create_account('mine', 'liability')").await;
    for (change, to, field) in [
        ("'moota'", "'xendit'", "provider"),
        ("'id-9'", "'id-8'", "provider_bank_id"),
        ("'id-9'", "NULL", "provider_bank_id"),
        ("'99'", "'98'", "account_number"),
        ("'BCA'", "'BRI'", "bank"),
        (" 1000,", " 1000.01,", "opening_balance"),
        (" 1000,", " 0,", "opening_balance"),
        ("2026-01-02", "2026-01-03", "opened_on"),
        ("'PT Maju'", "'PT Mundur'", "holder_name"),
        ("'PT Maju')", "'PT Maju', suspense_account => 'mine')", "suspense_account"),
        ("'PT Maju')", "'PT Maju', outgoing_account => 'mine')", "outgoing_account"),
    ] {
        let call = register("").replace(change, to);
        let error = refused(&client, &call, "already_exists", "PT409").await;
        assert_eq!(
            (&error.detail["field"], &error.detail["account"]),
            (&json!(field), &json!("banks:bca:9"))
        );
    }
    // What the provider calls an account means one account of the ledger.
    for (id, number, field) in [
        ("'id-9'", "'1'", "provider_bank_id"),
        ("'id-1'", "'99'", "account_number"),
        ("NULL", "'9 9'", "account_number"),
    ] {
        let taken = format!("register_bank_account('banks:other', 'moota', {id}, {number})");
        let error = refused(&client, &taken, "already_exists", "PT409").await;
        assert_eq!(
            (&error.detail["field"], &error.detail["account"]),
            (&json!(field), &json!("banks:other"))
        );
    }
    // Elsewhere it is another account.
    call(&client, "register_bank_account('banks:xendit', 'xendit', 'id-9', '99')").await;
    call(&client, "create_ledger('other')").await;
    call(&client, "register_bank_account('banks:bca:9', 'moota', 'id-9', '99', ledger => 'other')").await;
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn an_opening_balance_is_in_the_books_once() {
    let (_db, client) = books("opening").await;
    for (name, there, given, stored, posted_anew) in [
        ("a", "0", "NULL", "0.00", false),
        ("b", "0", "0", "0.00", false),
        ("c", "0", "500", "500.00", true),
        ("d", "0", "-500.25", "-500.25", true),
        ("e", "700", "NULL", "700.00", false),
        ("f", "700", "700.00", "700.00", false),
        ("g", "-30", "NULL", "-30.00", false),
    ] {
        let bank = format!("banks:{name}");
        call(&client, &format!("create_account('{bank}', 'asset')")).await;
        match there {
            "0" => (),
            below if below.starts_with('-') => {
                call(&client, &format!("post_transfer('shop', '{bank}', {})", &below[1..])).await;
            }
            above => {
                call(&client, &format!("post_transfer('{bank}', 'shop', {above})")).await;
            }
        }
        let before: i64 = transfers(&client).await.parse().unwrap();
        for round in 0..2 {
            let row = call(
                &client,
                &format!("register_bank_account('{bank}', 'moota', '{name}', opening_balance => {given})"),
            )
            .await;
            assert_eq!(&row["opening_balance"], stored, "{name} {round}");
        }
        let after: i64 = transfers(&client).await.parse().unwrap();
        assert_eq!(after - before, i64::from(posted_anew), "{name}");
        assert_eq!(money(&posted(&client, &bank).await), money(stored), "{name}");
    }
    assert_eq!(posted(&client, OPENING).await, "-0.25");
    // The books know better: neither another balance nor zero.
    call(&client, "create_account('banks:h', 'asset')").await;
    call(&client, "post_transfer('banks:h', 'shop', 700)").await;
    for given in ["0", "699.99", "-700"] {
        let sql = format!("register_bank_account('banks:h', 'moota', 'h', opening_balance => {given})");
        let error = refused(&client, &sql, "invalid_argument", "PT400").await;
        assert_eq!(
            (&error.detail["argument"], &error.detail["posted"]),
            (&json!("opening_balance"), &json!("700.00"))
        );
    }
    call(&client, "post_transfer('shop', 'banks:h', 700)").await;
    let used = "register_bank_account('banks:h', 'moota', 'h', opening_balance => 5)";
    refused(&client, used, "invalid_argument", "PT400").await;
    assert_bank_sound(&client).await;
}

/// Mutations of days before the opening balance are part of it.
#[tokio::test]
async fn what_is_older_than_the_opening_balance_is_in_it() {
    let (_db, client) = bank_books("opened_on").await;
    let today = &wib(0)[..10].to_owned();
    let register = format!(
        "register_bank_account('banks:new', 'moota', 'new', '777', opening_balance => 1000, opened_on => '{today}')"
    );
    call(&client, &register).await;
    let line = |id: &str, date: &str| {
        with(&credit(id, "50000"), json!({"bank_id": "new", "account_number": "777", "date": date}))
    };
    let yesterday = wib(-24 * 3600)[..10].to_owned();
    let before = contents(&client).await;
    for date in [
        format!("{yesterday} 23:59:59"),
        yesterday.clone(),
        "1999-12-31".into(),
        format!("{today}T00:00:00+08:00"),
    ] {
        let error = assert_error(try_match_line(&client, &line("m", &date)).await, "before_opening", "PT422");
        assert_eq!(error.detail["provider_mutation_id"], "m");
    }
    assert_eq!(before, contents(&client).await);
    let batch = [line("m1", &yesterday), line("m2", today), line("m3", &format!("{today}T00:00:00+07:00"))];
    let answer = deliver(&client, &batch).await;
    assert_eq!(answer.pick(["suspense_count", "rejected_count"]), ["2", "1"], "{answer:?}");
    let stored = one(&client, "SELECT * FROM wallet_ledger.webhook_lines").await;
    assert_eq!(stored.pick(["line", "reason"]), ["1", "before_opening"]);
    assert_eq!(posted(&client, "banks:new").await, "101000.00");
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn what_cannot_be_a_bank_account_is_refused_and_leaves_nothing() {
    let (_db, client) = books("refused").await;
    for sql in [
        "create_account('dollars', 'asset', 'USD')",
        "create_account('dollars:s', 'liability', 'USD')",
        "create_account('income', 'revenue')",
        "create_account('mine', 'liability')",
        "create_merchant('canteen')",
    ] {
        call(&client, sql).await;
    }
    let long = "x".repeat(129);
    for (sql, token, argument) in [
        ("register_bank_account(NULL, 'moota')", "missing_argument", "account"),
        ("register_bank_account('banks:x', NULL)", "missing_argument", "provider"),
        ("register_bank_account('banks::x', 'moota')", "invalid_address", "account"),
        ("register_bank_account('', 'moota')", "invalid_address", "account"),
        ("register_bank_account('banks:x', 'Moota')", "invalid_argument", "provider"),
        ("register_bank_account('banks:x', '')", "invalid_argument", "provider"),
        ("register_bank_account('banks:x', 'moota', ' ')", "invalid_argument", "provider_bank_id"),
        (
            &format!("register_bank_account('banks:x', 'moota', '{long}')"),
            "invalid_argument",
            "provider_bank_id",
        ),
        ("register_bank_account('banks:x', 'moota', 'i', 'abc')", "invalid_argument", "account_number"),
        ("register_bank_account('banks:x', 'moota', 'i', '')", "invalid_argument", "account_number"),
        ("register_bank_account('banks:x', 'moota', 'i', '1', ' ')", "invalid_argument", "bank"),
        ("register_bank_account('banks:x', 'moota', holder_name => '')", "invalid_argument", "holder_name"),
        (
            "register_bank_account('banks:x', 'moota', opening_balance => 'NaN')",
            "invalid_amount",
            "opening_balance",
        ),
        (
            "register_bank_account('banks:x', 'moota', opening_balance => 'Infinity')",
            "invalid_amount",
            "opening_balance",
        ),
        (
            "register_bank_account('banks:x', 'moota', opening_balance => 0.001)",
            "invalid_amount",
            "opening_balance",
        ),
        (
            "register_bank_account('banks:x', 'moota', opening_balance => 1e29)",
            "amount_out_of_range",
            "opening_balance",
        ),
        (
            "register_bank_account('banks:x', 'moota', opened_on => '2999-01-01')",
            "invalid_argument",
            "opened_on",
        ),
        (
            "register_bank_account('banks:x', 'moota', opened_on => 'infinity')",
            "invalid_argument",
            "opened_on",
        ),
        (
            "register_bank_account('banks:x', 'moota', suspense_account => 'a b')",
            "invalid_address",
            "suspense_account",
        ),
        (
            "register_bank_account('banks:x', 'moota', suspense_account => 'bank')",
            "invalid_argument",
            "suspense_account",
        ),
        (
            "register_bank_account('banks:x', 'moota', suspense_account => 'dollars:s')",
            "invalid_argument",
            "suspense_account",
        ),
        (
            "register_bank_account('banks:x', 'moota', outgoing_account => 'income')",
            "invalid_argument",
            "outgoing_account",
        ),
        (
            "register_bank_account('dollars', 'moota', outgoing_account => 'mine')",
            "invalid_argument",
            "outgoing_account",
        ),
        (
            "register_bank_account('banks:x', 'moota', suspense_account => 'mine', outgoing_account => 'mine')",
            "invalid_argument",
            "outgoing_account",
        ),
        (
            "register_bank_account('banks:x', 'moota', suspense_account => 'merchants:canteen')",
            "invalid_argument",
            "suspense_account",
        ),
        ("register_bank_account('mine', 'moota')", "invalid_argument", "account"),
        ("register_bank_account('wallets:a', 'moota')", "invalid_argument", "account"),
    ] {
        let sqlstate = "PT400";
        let error = refused(&client, sql, token, sqlstate).await;
        assert_eq!(error.detail["argument"], argument, "{sql}: {error:?}");
    }
    let missing = "register_bank_account('banks:x', 'moota', ledger => 'nowhere')";
    refused(&client, missing, "ledger_not_found", "PT404").await;
    // The floor of the address: its companions must fit as well.
    let address = "a".repeat(125);
    let error =
        refused(&client, &format!("register_bank_account('{address}', 'moota')"), "invalid_address", "PT400")
            .await;
    assert_eq!(error.detail["argument"], "suspense_account");
    for name in ["moota", "midtrans", "xendit", "snap", "bri", "statement"] {
        let row = call(&client, &format!("register_bank_account('banks:{name}', '{name}', '{name}')")).await;
        assert_eq!(&row["provider"], if name == "bri" { "snap" } else { name });
    }
}

/// Another currency has accounts of its own wherever the ledger makes them.
#[tokio::test]
async fn currencies_do_not_meet() {
    let (_db, client) = bank_books("currencies").await;
    let idr = "register_bank_account('banks:idr', 'moota', 'idr', opening_balance => 1000)";
    call(&client, idr).await;
    call(&client, "create_account('banks:usd', 'asset', 'USD')").await;
    call(&client, "create_account('customers:usd', 'liability', 'USD')").await;
    let usd =
        call(&client, "register_bank_account('banks:usd', 'moota', 'usd', '55', opening_balance => 12.34)")
            .await;
    assert_eq!(usd.pick(["currency", "opening_balance"]), ["USD", "12.34"]);
    for companion in ["banks:usd:suspense", "banks:usd:outgoing"] {
        assert_eq!(&account(&client, companion).await["currency"], "USD");
    }
    assert_eq!(posted(&client, "banks:usd").await, "12.34");
    let wrong = try_call(&client, "create_intent('other', 'wallets:u', 100, 'banks:usd')").await;
    assert_error(wrong, "currency_mismatch", "PT422");
    // The code is worth cents there, and has an account of its currency to go to.
    call(&client, &format!("create_intent('other', 'wallets:u', 100, '{BCA}')")).await;
    let intent = call(&client, "create_intent('other', 'customers:usd', 100, 'banks:usd')").await;
    let code: Decimal = intent["unique_code"].parse().unwrap();
    assert_eq!(intent["total"].parse::<Decimal>().unwrap(), dec!(100) + code / dec!(100));
    let line = with(&credit("d1", &intent["total"]), json!({"bank_id": "usd", "account_number": null}));
    let outcome = bank::match_line(&client, &line).await;
    assert_eq!(&outcome["outcome"], "matched", "{outcome:?}");
    assert_eq!(posted(&client, "customers:usd").await, "100.00");
    let codes = account(&client, "platform:revenue:unique_code:usd").await;
    assert_eq!(codes["posted"].parse::<Decimal>().unwrap(), code / dec!(100));
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn only_an_application_registers() {
    let (db, client) = books("roles").await;
    call(&client, "register_bank_account('banks:x', 'moota', 'x')").await;
    for role in ["wallet_auditor"] {
        let other = db.connect_as(role).await;
        let denied = try_call(&other, "register_bank_account('banks:y', 'moota')").await.unwrap_err();
        assert_eq!(sql_error(&denied).sqlstate, "42501");
        assert_eq!(lines(&other, "SELECT * FROM wallet_ledger.bank_accounts").await.len(), 1);
    }
    for statement in
        ["UPDATE wallet_data.bank_accounts SET opening_balance = 1", "DELETE FROM wallet_data.bank_accounts"]
    {
        let denied = try_lines(&client, statement).await.unwrap_err();
        assert_eq!(sql_error(&denied).sqlstate, "42501");
    }
    let deleted = try_lines(&db.connect().await, "DELETE FROM wallet_data.bank_accounts").await;
    assert_error(deleted, "append_only", "PT403");
}
