//! Proves that whatever is passed to escrow and rates is either understood, or refused with the documented
//! error, and that what is refused has written nothing at all.

#[path = "escrow_bad_input/hostile.rs"]
mod hostile;

use wallet_ledger_tests::bank::{money, quoted};
use wallet_ledger_tests::escrow::{
    BUYER, COMMISSION, DRIVER, MERCHANT, act, assert_escrows_sound, open_call, open_order, shop,
};
use wallet_ledger_tests::*;

const NOBODY: &str = "'00000000-0000-7000-8000-000000000000'";

/// What a call must be refused with: the error, and the argument or field that it names, if any.
type Refusal = (&'static str, &'static str);

/// Asserts that a call is refused, names what is wrong, and writes nothing.
async fn refused(client: &Client, sql: &str, (token, names): Refusal) -> LedgerError {
    let shown: String = sql.chars().take(300).collect();
    let before = contents(client).await;
    let error = match try_calls(client, sql).await {
        Ok(rows) => panic!("{shown}: expected {token}, got {rows:?}"),
        Err(error) => sql_error(&error),
    };
    assert_eq!(error.token(), token, "{shown}: {error:#?}");
    assert!(error.sqlstate.starts_with("PT4"), "{shown}: {error:?}");
    assert!(!error.message.contains('\n') && error.hint.is_some(), "{shown}: {error:?}");
    if !names.is_empty() {
        let said = [&error.detail["argument"], &error.detail["field"], &error.detail["account"]];
        assert!(said.contains(&&json!(names)), "{shown}: {error:#?}");
    }
    assert_eq!(before, contents(client).await, "{shown} wrote something");
    error
}

/// One line for the merchant, with other values in some of its fields; null takes a field away.
fn line(fields: Value) -> String {
    let good = json!({"beneficiary": MERCHANT, "amount": 100, "fee": "merchant_commission"});
    json!([bank_line(&good, fields)]).to_string()
}

fn bank_line(good: &Value, fields: Value) -> Value {
    wallet_ledger_tests::bank::with(good, fields)
}

#[tokio::test]
async fn lines_of_every_sort() {
    let (_db, client) = shop("lines").await;
    call(&client, "create_account('merchants:usd', 'liability', 'USD', 0)").await;
    let many = |count: usize| json!(vec![json!({"beneficiary": MERCHANT, "amount": 1}); count]).to_string();
    let good = json!({"beneficiary": MERCHANT, "amount": 100});
    let cases: Vec<(String, Refusal)> = vec![
        ("[]".into(), ("invalid_argument", "lines")),
        (many(1001), ("too_many_items", "")),
        ("{}".into(), ("invalid_json", "")),
        ("5".into(), ("invalid_json", "")),
        ("\"text\"".into(), ("invalid_json", "")),
        ("null".into(), ("invalid_json", "")),
        ("[1]".into(), ("invalid_json", "")),
        ("[null]".into(), ("invalid_json", "")),
        ("[[]]".into(), ("invalid_json", "")),
        (json!([[good]]).to_string(), ("invalid_json", "")),
        (json!([good, "x"]).to_string(), ("invalid_json", "")),
        (json!({"lines": [good]}).to_string(), ("invalid_json", "")),
        ("[{}]".into(), ("missing_argument", "beneficiary")),
        (line(json!({"benefciary": "x"})), ("unknown_field", "benefciary")),
        (line(json!({"": "x"})), ("unknown_field", "")),
        (line(json!({"💸": 1})), ("unknown_field", "💸")),
        (line(json!({"rate": 0.1})), ("unknown_field", "rate")),
        (line(json!({"beneficiary": null})), ("missing_argument", "beneficiary")),
        (line(json!({"amount": null})), ("missing_argument", "amount")),
        (line(json!({"amount": 0})), ("invalid_amount", "amount")),
        (line(json!({"amount": -1})), ("invalid_amount", "amount")),
        (line(json!({"amount": "-0.00"})), ("invalid_amount", "amount")),
        (line(json!({"amount": 1.005})), ("invalid_amount", "amount")),
        (line(json!({"amount": "100.005"})), ("invalid_amount", "amount")),
        (line(json!({"amount": "1e3"})), ("invalid_amount", "amount")),
        (line(json!({"amount": "NaN"})), ("invalid_amount", "amount")),
        (line(json!({"amount": "Infinity"})), ("invalid_amount", "amount")),
        (line(json!({"amount": ""})), ("invalid_amount", "amount")),
        (line(json!({"amount": "100,00"})), ("invalid_amount", "amount")),
        (line(json!({"amount": " 100"})), ("invalid_amount", "amount")),
        (line(json!({"amount": "💸"})), ("invalid_amount", "amount")),
        (line(json!({"amount": true})), ("invalid_argument", "amount")),
        (line(json!({"amount": [100]})), ("invalid_argument", "amount")),
        (line(json!({"amount": {"value": 100}})), ("invalid_argument", "amount")),
        (format!("[{{\"beneficiary\":\"{MERCHANT}\",\"amount\":1e400}}]"), ("amount_out_of_range", "amount")),
        (format!("[{{\"beneficiary\":\"{MERCHANT}\",\"amount\":1e29}}]"), ("amount_out_of_range", "amount")),
        (line(json!({"beneficiary": ""})), ("invalid_address", "beneficiary")),
        (line(json!({"beneficiary": "a b"})), ("invalid_address", "beneficiary")),
        (line(json!({"beneficiary": "💸"})), ("invalid_address", "beneficiary")),
        (line(json!({"beneficiary": "x".repeat(129)})), ("invalid_address", "beneficiary")),
        (line(json!({"beneficiary": 5})), ("invalid_argument", "beneficiary")),
        (line(json!({"beneficiary": [MERCHANT]})), ("invalid_argument", "beneficiary")),
        (line(json!({"beneficiary": "merchants:404"})), ("account_not_found", "merchants:404")),
        (line(json!({"beneficiary": BUYER})), ("same_account", BUYER)),
        (line(json!({"beneficiary": "merchants:usd"})), ("currency_mismatch", "")),
        (line(json!({"fee": "no_such_fee"})), ("rate_not_found", "")),
        (line(json!({"fee": ""})), ("invalid_argument", "name")),
        (line(json!({"fee": "15%"})), ("invalid_argument", "name")),
        (line(json!({"fee": 0.15})), ("invalid_argument", "fee")),
        (line(json!({"description": "x".repeat(2001)})), ("invalid_argument", "description")),
        (line(json!({"description": ["food"]})), ("invalid_argument", "description")),
    ];
    for (lines, refusal) in cases {
        refused(&client, &open_call("l", &lines, ""), refusal).await;
    }
    // The error says which line.
    let second = json!([good, {"beneficiary": MERCHANT, "amount": 0}]).to_string();
    let error = refused(&client, &open_call("l", &second, ""), ("invalid_amount", "amount")).await;
    assert_eq!(error.detail["position"], 2, "{error:?}");
    // A string is a number, as JavaScript has to write it; a thousand lines are not too many.
    let opened = call(&client, &open_call("s", &line(json!({"amount": "100.10"})), "")).await;
    assert_eq!(&opened["amount"], "100.10");
    let opened = call(&client, &open_call("m", &many(1000), "")).await;
    act(&client, "release_escrow", &opened["id"], ", 999.99").await;
    act(&client, "refund_escrow", &opened["id"], "").await;
    assert_escrows_sound(&client).await;
}

#[tokio::test]
async fn what_an_escrow_opens_with() {
    let (_db, client) = shop("opening").await;
    for name in ["frozen", "closed", "dollars"] {
        let currency = if name == "dollars" { "USD" } else { "IDR" };
        call(&client, &format!("create_account('{name}', 'liability', '{currency}', 0)")).await;
    }
    call(&client, "post_transfer('bank', 'frozen', 1000)").await;
    call(&client, "freeze_account('frozen', 'fraud')").await;
    call(&client, "close_account('closed')").await;
    call(&client, "create_account('escrows:old', 'liability', minimum_balance => 0)").await;
    call(&client, "post_transfer('bank', 'escrows:old', 5)").await;
    call(&client, "create_account('escrows:other', 'asset')").await;
    call(&client, "create_account('escrows:same', 'liability', minimum_balance => 0)").await;
    let lines = quoted(&line(json!({})));
    let from = |buyer: &str| format!("open_escrow('o', {buyer}, {lines})");
    let with = |reference: &str| format!("open_escrow({reference}, '{BUYER}', {lines})");
    let more = |more: &str| open_call("o", &line(json!({})), more);
    let long = format!("'{}'", "r".repeat(121));
    let keyed = format!(", idempotency_key => '{}'", "k".repeat(256));
    for (sql, refusal) in [
        (with("NULL"), ("missing_argument", "reference")),
        (with("''"), ("invalid_argument", "reference")),
        (with("'a:b'"), ("invalid_argument", "reference")),
        (with("'a b'"), ("invalid_argument", "reference")),
        (with("'💸'"), ("invalid_argument", "reference")),
        (with(&long), ("invalid_argument", "reference")),
        (with("'old'"), ("already_exists", "escrows:old")),
        (with("'other'"), ("already_exists", "")),
        (from("NULL"), ("missing_argument", "buyer")),
        (from("''"), ("invalid_address", "buyer")),
        (from("'💸'"), ("invalid_address", "buyer")),
        (from("'wallets:404'"), ("account_not_found", "wallets:404")),
        (from("'frozen'"), ("account_frozen", "frozen")),
        (from("'closed'"), ("account_closed", "closed")),
        (from("'dollars'"), ("currency_mismatch", "")),
        (from("'wallets:c'"), ("insufficient_funds", "wallets:c")),
        (from(&format!("'{MERCHANT}'")), ("same_account", MERCHANT)),
        (format!("open_escrow('o', '{BUYER}', NULL)"), ("missing_argument", "lines")),
        (more(", NULL"), ("missing_argument", "auto_release_after")),
        (more(", '-1 second'"), ("invalid_argument", "auto_release_after")),
        (more(", '-1 month 29 days'"), ("invalid_argument", "auto_release_after")),
        (more(", '365 days 1 second'"), ("invalid_argument", "auto_release_after")),
        (more(", '200000 years'"), ("invalid_argument", "auto_release_after")),
        (more(", amount => 99"), ("lines_mismatch", "")),
        (more(", amount => 100.01"), ("lines_mismatch", "")),
        (more(", amount => 0"), ("invalid_amount", "amount")),
        (more(", amount => -100"), ("invalid_amount", "amount")),
        (more(", amount => 'NaN'"), ("invalid_amount", "amount")),
        (more(", amount => 'Infinity'"), ("invalid_amount", "amount")),
        (more(", amount => 100.001"), ("invalid_amount", "amount")),
        (more(", amount => 1e400"), ("amount_out_of_range", "amount")),
        (more(", metadata => '5'"), ("invalid_argument", "metadata")),
        (more(", idempotency_key => ''"), ("invalid_argument", "idempotency_key")),
        (more(&keyed), ("invalid_argument", "idempotency_key")),
        (more(", ledger => 'nobody'"), ("ledger_not_found", "")),
        (more(&format!(", intent_id => {NOBODY}")), ("intent_not_found", "")),
    ] {
        refused(&client, &sql, refusal).await;
    }
    // An account that waits there empty is as good as none, but not as its own beneficiary.
    let itself = open_call("same", &line(json!({"beneficiary": "escrows:same"})), "");
    refused(&client, &itself, ("same_account", "escrows:same")).await;
    call(&client, &with("'same'")).await;
    let again = refused(&client, &with("'same'"), ("already_exists", "")).await;
    assert_eq!(again.detail["reference"], "same");
    // What is too much for the buyer is the ordinary error.
    let rich = open_call("rich", &line(json!({"amount": 1e9})), "");
    refused(&client, &rich, ("insufficient_funds", BUYER)).await;
    assert_escrows_sound(&client).await;
}

/// A fee that goes to the buyer, to the escrow itself or back to the beneficiary cannot be moved, or not back.
#[tokio::test]
async fn fees_to_a_party() {
    let (_db, client) = shop("fee_parties").await;
    call(&client, &format!("set_rate('cashback', 0.1, account => '{BUYER}')")).await;
    let back = open_call("b", &line(json!({"fee": "cashback"})), "");
    refused(&client, &back, ("same_account", BUYER)).await;
    call(&client, "create_account('escrows:f', 'liability', minimum_balance => 0)").await;
    call(&client, "set_rate('own', 0.1, account => 'escrows:f')").await;
    let own = open_call("f", &line(json!({"fee": "own"})), "");
    refused(&client, &own, ("same_account", "escrows:f")).await;
    // To the beneficiary it is only another posting.
    call(&client, &format!("set_rate('tip', 0.1, account => '{MERCHANT}')")).await;
    let id = call(&client, &open_call("t", &line(json!({"fee": "tip"})), "")).await["id"].to_owned();
    act(&client, "release_escrow", &id, "").await;
    assert_eq!(posted(&client, MERCHANT).await, "100.00");
    act(&client, "refund_escrow", &id, "").await;
    assert_escrows_sound(&client).await;
}

#[tokio::test]
async fn what_moves_and_how_much() {
    let (_db, client) = shop("moves").await;
    let held = open_order(&client, "held").await["id"].to_owned();
    let part = open_order(&client, "part").await["id"].to_owned();
    act(&client, "release_escrow", &part, ", 40000").await;
    let done = open_order(&client, "done").await["id"].to_owned();
    act(&client, "mark_shipped", &done, "").await;
    act(&client, "confirm_receipt", &done, "").await;
    let mut cases: Vec<(String, Refusal)> = Vec::new();
    for function in ["release_escrow", "refund_escrow"] {
        let too_much =
            if function == "release_escrow" { "release_exceeds_escrow" } else { "refund_exceeds_payment" };
        for (arguments, refusal) in [
            ("0", ("invalid_amount", "amount")),
            ("-1", ("invalid_amount", "amount")),
            ("'NaN'", ("invalid_amount", "amount")),
            ("'-Infinity'", ("invalid_amount", "amount")),
            ("0.001", ("invalid_amount", "amount")),
            ("1e400", ("amount_out_of_range", "amount")),
            ("100000.01", (too_much, "")),
            ("15000.01, line => 2", (too_much, "")),
            ("line => 0", ("invalid_argument", "line")),
            ("line => -1", ("invalid_argument", "line")),
            ("line => 3", ("invalid_argument", "line")),
            ("line => 99", ("invalid_argument", "line")),
            ("line => 2147483647", ("invalid_argument", "line")),
            ("reason => ''", ("invalid_argument", "reason")),
            ("reason => ' '", ("invalid_argument", "reason")),
            ("idempotency_key => ''", ("invalid_argument", "idempotency_key")),
            ("ledger => '💸'", ("ledger_not_found", "")),
        ] {
            cases.push((format!("{function}('{held}', {arguments})"), refusal));
        }
        cases.push((format!("{function}(NULL)"), ("missing_argument", "escrow_id")));
        cases.push((format!("{function}({NOBODY})"), ("escrow_not_found", "")));
    }
    let long = format!("'{}'", "r".repeat(1001));
    cases.extend([
        (format!("release_escrow('{part}', 60000.01)"), ("release_exceeds_escrow", "")),
        (format!("release_escrow('{done}')"), ("escrow_closed", "")),
        (format!("release_escrow('{done}', 1)"), ("escrow_closed", "")),
        (format!("confirm_receipt('{done}')"), ("escrow_closed", "")),
        (format!("mark_shipped('{done}')"), ("escrow_closed", "")),
        (format!("open_dispute('{done}', 'u', 'r')"), ("escrow_closed", "")),
        (format!("refund_escrow('{done}', 100000.01)"), ("refund_exceeds_payment", "")),
        (format!("refund_escrow('{held}', on_shortfall => NULL)"), ("invalid_argument", "on_shortfall")),
        (format!("refund_escrow('{held}', on_shortfall => 'Advance')"), ("invalid_argument", "on_shortfall")),
        (format!("refund_escrow('{held}', reason => {long})"), ("invalid_argument", "reason")),
        ("confirm_receipt(NULL)".into(), ("missing_argument", "escrow_id")),
        (format!("confirm_receipt({NOBODY})"), ("escrow_not_found", "")),
        (format!("confirm_receipt('{held}', '')"), ("invalid_argument", "reason")),
        ("mark_shipped(NULL)".into(), ("missing_argument", "escrow_id")),
        (format!("mark_shipped({NOBODY})"), ("escrow_not_found", "")),
        (format!("mark_shipped('{held}', '')"), ("invalid_argument", "tracking_reference")),
        (
            format!("mark_shipped('{held}', '{}')", "x".repeat(256)),
            ("invalid_argument", "tracking_reference"),
        ),
        ("release_due_escrows(NULL)".into(), ("missing_argument", "max_count")),
        ("release_due_escrows(0)".into(), ("invalid_argument", "max_count")),
        ("release_due_escrows(-1)".into(), ("invalid_argument", "max_count")),
        ("release_due_escrows(10001)".into(), ("invalid_argument", "max_count")),
        ("release_due_escrows(5, 'nobody')".into(), ("ledger_not_found", "")),
    ]);
    for (sql, refusal) in cases {
        refused(&client, &sql, refusal).await;
    }
    act(&client, "mark_shipped", &held, ", '📦'").await;
    refused(&client, &format!("mark_shipped('{held}')"), ("already_shipped", "")).await;
    assert_escrows_sound(&client).await;
}

#[tokio::test]
async fn disputes_of_every_sort() {
    let (_db, client) = shop("disputes").await;
    let id = open_order(&client, "d").await["id"].to_owned();
    let free = open_order(&client, "free").await["id"].to_owned();
    let dispute = act(&client, "open_dispute", &id, ", 'u', 'r'").await["id"].to_owned();
    let large = format!("'[\"{}\"]'", "e".repeat(70_000));
    let resolve = |amount: &str| format!("resolve_dispute('{dispute}', {amount}, 'r')");
    for (sql, refusal) in [
        ("open_dispute(NULL, 'u', 'r')".into(), ("missing_argument", "escrow_id")),
        (format!("open_dispute('{free}', NULL, 'r')"), ("missing_argument", "opened_by")),
        (format!("open_dispute('{free}', 'u', NULL)"), ("missing_argument", "reason")),
        (format!("open_dispute('{free}', '', 'r')"), ("invalid_argument", "opened_by")),
        (format!("open_dispute('{free}', 'u', ' ')"), ("invalid_argument", "reason")),
        (format!("open_dispute('{free}', 'u', '{}')", "r".repeat(1001)), ("invalid_argument", "reason")),
        (format!("open_dispute('{free}', 'u', 'r', {large})"), ("invalid_argument", "evidence")),
        (format!("open_dispute('{free}', 'u', 'r', '5')"), ("invalid_argument", "evidence")),
        (format!("open_dispute('{free}', 'u', 'r', '\"x\"')"), ("invalid_argument", "evidence")),
        (format!("open_dispute({NOBODY}, 'u', 'r')"), ("escrow_not_found", "")),
        (format!("open_dispute('{id}', 'u', 'r')"), ("escrow_disputed", "")),
        ("add_dispute_note(NULL, 'n')".into(), ("missing_argument", "dispute_id")),
        (format!("add_dispute_note('{dispute}', NULL)"), ("missing_argument", "note")),
        (format!("add_dispute_note('{dispute}', '')"), ("invalid_argument", "note")),
        (format!("add_dispute_note('{dispute}', '{}')", "💸".repeat(1001)), ("invalid_argument", "note")),
        (format!("add_dispute_note('{dispute}', 'n', 'true')"), ("invalid_argument", "evidence")),
        (format!("add_dispute_note({NOBODY}, 'n')"), ("dispute_not_found", "")),
        ("resolve_dispute(NULL, 0, 'r')".into(), ("missing_argument", "dispute_id")),
        (format!("resolve_dispute({NOBODY}, 0, 'r')"), ("dispute_not_found", "")),
        (format!("resolve_dispute('{dispute}', 0, NULL)"), ("missing_argument", "reason")),
        (format!("resolve_dispute('{dispute}', 0, '')"), ("invalid_argument", "reason")),
        (resolve("NULL"), ("missing_argument", "refund_amount")),
        (resolve("-0.01"), ("invalid_argument", "refund_amount")),
        (resolve("0.001"), ("invalid_amount", "refund_amount")),
        (resolve("'NaN'"), ("invalid_amount", "refund_amount")),
        (resolve("'Infinity'"), ("invalid_amount", "refund_amount")),
        (resolve("1e400"), ("amount_out_of_range", "refund_amount")),
        (resolve("100000.01"), ("refund_exceeds_payment", "")),
    ] {
        refused(&client, &sql, refusal).await;
    }
    call(&client, &resolve("-0.00")).await;
    refused(&client, &resolve("0"), ("already_resolved", "")).await;
    assert_escrows_sound(&client).await;
}

#[tokio::test]
async fn rates_of_every_sort() {
    let (_db, client) = shop("rates").await;
    let long = "f".repeat(64);
    for (arguments, refusal) in [
        ("NULL, 0.1", ("missing_argument", "name")),
        ("'fee', NULL", ("missing_argument", "rate")),
        ("'', 0.1", ("invalid_argument", "name")),
        ("'Fee', 0.1", ("invalid_argument", "name")),
        ("'a fee', 0.1", ("invalid_argument", "name")),
        ("'💸', 0.1", ("invalid_argument", "name")),
        (&format!("'{long}', 0.1"), ("invalid_argument", "name")),
        ("'fee', 1.000001", ("invalid_argument", "rate")),
        ("'fee', 15", ("invalid_argument", "rate")),
        ("'fee', -0.000001", ("invalid_argument", "rate")),
        ("'fee', 0.0000001", ("invalid_argument", "rate")),
        ("'fee', 'NaN'", ("invalid_amount", "rate")),
        ("'fee', 'Infinity'", ("invalid_amount", "rate")),
        ("'fee', 1e400", ("amount_out_of_range", "rate")),
        ("'fee', 0.1, account => ''", ("invalid_address", "account")),
        ("'fee', 0.1, account => '💸'", ("invalid_address", "account")),
        ("'fee', 0.1, reason => ''", ("invalid_argument", "reason")),
        ("'fee', 0.1, now() - interval '1 day'", ("invalid_argument", "effective_from")),
        ("'fee', 0.1, 'infinity'", ("invalid_argument", "effective_from")),
        ("'fee', 0.1, ledger => 'nobody'", ("ledger_not_found", "")),
    ] {
        refused(&client, &format!("set_rate({arguments})"), refusal).await;
    }
    refused(&client, "list_rates(ledger => 'nobody')", ("ledger_not_found", "")).await;
    // All and nothing are rates.
    call(&client, "set_rate('merchant_commission', 1)").await;
    call(&client, "set_rate('nothing', -0.0)").await;
    let lines = json!([{"beneficiary": MERCHANT, "amount": 3, "fee": "merchant_commission"},
                       {"beneficiary": DRIVER, "amount": 3, "fee": "nothing"}]);
    let id = call(&client, &open_call("r", &lines.to_string(), "")).await["id"].to_owned();
    act(&client, "release_escrow", &id, "").await;
    assert_eq!(money(&posted(&client, MERCHANT).await), dec!(0));
    assert_eq!(posted(&client, COMMISSION).await, "3.00");
    act(&client, "refund_escrow", &id, "").await;
    assert_eq!(posted(&client, BUYER).await, "1000000.00");
    assert_escrows_sound(&client).await;
}
