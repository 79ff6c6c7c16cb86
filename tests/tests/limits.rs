//! Proves spending limits: what is spent counts gross, in the periods of the ledger's time zone, under the lock of
//! the money; a hold counts while it is open, a refund gives back while the day lasts; all limits apply, and
//! what check_spending_limit says is what posting does.

#[path = "limits/batches.rs"]
mod batches;
#[path = "limits/changes.rs"]
mod changes;
#[path = "limits/holds.rs"]
mod holds;
#[path = "limits/races.rs"]
mod races;
#[path = "limits/refusals.rs"]
mod refusals;
#[path = "limits/scopes.rs"]
mod scopes;
#[path = "limits/times.rs"]
mod times;

use wallet_ledger_tests::*;

/// [`books`] with money enough that only limits refuse, and enough of the day left.
pub async fn school(test: &str) -> (TestDb, Client) {
    away_from_midnight().await;
    let (db, client) = books(test).await;
    for account in ["wallets:a", "wallets:b"] {
        call(&client, &format!("post_transfer('bank', '{account}', 1000000, 'topup')")).await;
    }
    for merchant in ["canteen", "kiosk"] {
        call(&client, &format!("create_account('merchants:{merchant}', 'liability')")).await;
    }
    (db, client)
}

/// A limit of `wallets:a`; `more` are further arguments: `"daily => 50000"`.
pub async fn limit(client: &Client, more: &str) -> Line {
    call(client, &format!("set_spending_limit('wallets:a', {more})")).await
}

/// A payment of `wallets:a` to the canteen; `more` are further arguments: `", effective_at => …"`.
pub async fn pay(client: &Client, amount: &str, more: &str) -> Result<Line, tokio_postgres::Error> {
    try_call(client, &format!("post_transfer('wallets:a', 'merchants:canteen', {amount}, 'payment'{more})"))
        .await
}

/// Asserts that a payment passes a limit, and for which reason.
#[track_caller]
pub fn assert_limited<T: std::fmt::Debug>(result: Result<T, tokio_postgres::Error>, reason: &str) -> Value {
    let error = assert_error(result, "spending_limit_exceeded", "PT422");
    assert_eq!(error.detail["reason"], reason, "{error:#?}");
    error.detail
}

pub async fn check(client: &Client, more: &str) -> Line {
    call(client, &format!("check_spending_limit('wallets:a', {more})")).await
}

#[tokio::test]
async fn the_day_s_limit_cuts_the_second_payment() {
    let (_db, client) = school("daily").await;
    let set = limit(&client, "daily => 50000, reason => 'pocket money'").await;
    assert_eq!(
        set.pick(["account", "name", "daily", "weekly", "currency", "reason"]),
        ["wallets:a", "default", "50000.00", "NULL", "IDR", "pocket money"]
    );
    assert_eq!(
        check(&client, "30000").await.pick(["allowed", "remaining", "spent"]),
        ["t", "50000.00", "0.00"]
    );
    pay(&client, "30000", "").await.unwrap();
    let said = check(&client, "20000.01").await;
    assert_eq!(
        said.pick(["allowed", "reason", "limit_amount", "spent", "held", "remaining", "limit_name"]),
        ["f", "daily", "50000.00", "30000.00", "0.00", "20000.00", "default"]
    );
    let detail = assert_limited(pay(&client, "20000.01", "").await, "daily");
    for (name, value) in [
        ("account", "wallets:a"),
        ("limit", "default"),
        ("limit_amount", "50000.00"),
        ("spent", "30000.00"),
        ("held", "0.00"),
        ("remaining", "20000.00"),
        ("amount", "20000.01"),
    ] {
        assert_eq!(detail[name], value, "{name}");
    }
    let midnight = "SELECT (date_trunc('day', now() AT TIME ZONE 'Asia/Jakarta') + interval '1 day') AT TIME ZONE 'Asia/Jakarta'";
    assert_eq!(value(&client, midnight).await, said["resets_at"]);
    pay(&client, "20000", "").await.unwrap();
    assert_limited(pay(&client, "0.01", "").await, "daily");
    verify_clean(&client).await;
}

#[tokio::test]
async fn spending_is_gross_and_other_kinds_do_not_count() {
    let (_db, client) = school("gross").await;
    limit(&client, "daily => 100").await;
    pay(&client, "60", "").await.unwrap();
    // Money that comes in, or goes out for something else, changes nothing.
    call(&client, "post_transfer('bank', 'wallets:a', 500, 'topup')").await;
    call(&client, "post_transfer('merchants:canteen', 'wallets:a', 60, 'refund')").await;
    call(&client, "post_transfer('wallets:a', 'bank', 5000, 'withdrawal')").await;
    call(&client, "post_transfer('wallets:a', 'wallets:b', 5000)").await;
    assert_eq!(check(&client, "1").await.pick(["spent", "remaining"]), ["60.00", "40.00"]);
    try_call(&client, "post_transfer('wallets:a', 'merchants:canteen', 40, 'purchase')").await.unwrap();
    assert_limited(pay(&client, "0.01", "").await, "daily");
    // The one who is paid does not spend.
    call(&client, "post_transfer('wallets:b', 'wallets:a', 5000, 'payment')").await;
    call(&client, "set_setting('limited_kinds', 'payment')").await;
    assert_eq!(check(&client, "1").await.pick(["spent", "remaining"]), ["60.00", "40.00"], "counted anew");
    verify_clean(&client).await;
}

#[tokio::test]
async fn what_was_spent_before_a_limit_was_set_counts() {
    let (_db, client) = school("before").await;
    pay(&client, "70", "").await.unwrap();
    limit(&client, "daily => 100, merchants => '{\"limits\": {\"kiosk\": {\"daily\": 10}}}'").await;
    assert_eq!(check(&client, "1").await.pick(["spent", "remaining"]), ["70.00", "30.00"]);
    assert_limited(pay(&client, "31", "").await, "daily");
    pay(&client, "30", "").await.unwrap();
    // Lifted, spent without a limit, and set again: nothing is forgotten.
    limit(&client, "reason => 'lifted'").await;
    assert_eq!(check(&client, "1").await.pick(["allowed", "remaining", "spent"]), ["t", "NULL", "NULL"]);
    pay(&client, "500", "").await.unwrap();
    limit(&client, "daily => 700").await;
    assert_eq!(check(&client, "1").await.pick(["spent", "remaining"]), ["600.00", "100.00"]);
    pay(&client, "100", "").await.unwrap();
    assert_limited(pay(&client, "1", "").await, "daily");
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_hold_counts_while_it_is_open_and_what_is_captured_stays() {
    let (_db, client) = school("holds").await;
    limit(&client, "daily => 100, per_transaction => 80").await;
    let hold = |amount: u32, more: &str| {
        format!("hold_funds('wallets:a', {amount}, 'merchants:canteen', kind => 'payment'{more})")
    };
    assert_limited(try_call(&client, &hold(81, "")).await, "per_transaction");
    let first = call(&client, &hold(70, "")).await["id"].to_owned();
    assert_eq!(check(&client, "30").await.pick(["spent", "held", "remaining"]), ["0.00", "70.00", "30.00"]);
    assert_limited(try_call(&client, &hold(31, "")).await, "daily");
    assert_limited(pay(&client, "31", "").await, "daily");
    call(&client, &format!("capture_hold('{first}', 50)")).await;
    assert_eq!(check(&client, "30").await.pick(["spent", "held", "remaining"]), ["50.00", "0.00", "50.00"]);
    let second = call(&client, &hold(50, "")).await["id"].to_owned();
    assert_limited(pay(&client, "0.01", "").await, "daily");
    call(&client, &format!("release_hold('{second}')")).await;
    let expiring = hold(50, ", expires_at => clock_timestamp() + interval '150 milliseconds'");
    let third = call(&client, &expiring).await;
    until(&client, &format!("SELECT now() > '{}'", &third["expires_at"]), "t").await;
    assert_eq!(check(&client, "50").await.pick(["allowed", "held", "remaining"]), ["t", "0.00", "50.00"]);
    pay(&client, "50", "").await.unwrap();
    assert_limited(pay(&client, "0.01", "").await, "daily");
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_refund_gives_the_allowance_back() {
    let (_db, client) = school("refunds").await;
    limit(&client, "daily => 100, weekly => 1000").await;
    let paid = pay(&client, "100", "").await.unwrap()["id"].to_owned();
    assert_limited(pay(&client, "1", "").await, "daily");
    call(&client, &format!("reverse_transfer('{paid}', 40)")).await;
    assert_eq!(check(&client, "1").await.pick(["spent", "remaining"]), ["60.00", "40.00"]);
    pay(&client, "40", "").await.unwrap();
    call(&client, &format!("reverse_transfer('{paid}')")).await;
    assert_eq!(check(&client, "1").await.pick(["spent", "remaining"]), ["40.00", "60.00"]);
    // A hold that was captured and taken back.
    let hold = call(&client, "hold_funds('wallets:a', 60, 'merchants:canteen', kind => 'payment')").await;
    let captured = call(&client, &format!("capture_hold('{}')", &hold["id"])).await;
    call(&client, &format!("reverse_transfer('{}')", &captured["id"])).await;
    assert_eq!(check(&client, "1").await.pick(["spent", "remaining"]), ["40.00", "60.00"]);
    verify_clean(&client).await;
}

#[tokio::test]
async fn what_a_batch_spends_is_counted_item_by_item_and_transaction_by_transaction() {
    let (_db, client) = school("batches").await;
    limit(&client, "daily => 100, per_transaction => 60").await;
    let item = |amount: u32, more: &str| {
        format!(
            r#"{{"debit_account": "wallets:a", "credit_account": "merchants:canteen", "amount": {amount}, "kind": "payment"{more}}}"#
        )
    };
    let batch = |items: &[String]| format!("post_transfers('[{}]', on_error => 'report')", items.join(", "));
    let linked = r#", "transaction": "t""#;
    let outcomes = calls(
        &client,
        &batch(&[
            item(40, ""),
            // A transaction is judged as a whole: 30 and 31 are more than 60.
            item(30, linked),
            item(31, linked),
            item(60, ""),
            item(1, ""),
        ]),
    )
    .await;
    let said: Vec<[&str; 2]> = outcomes.iter().map(|line| line.pick(["outcome", "error"])).collect();
    assert_eq!(
        said,
        [
            ["posted", "NULL"],
            ["rejected", "linked_item_failed"],
            ["rejected", "spending_limit_exceeded"],
            ["posted", "NULL"],
            ["rejected", "spending_limit_exceeded"],
        ]
    );
    assert_eq!(check(&client, "1").await.pick(["spent", "remaining"]), ["100.00", "0.00"]);
    let whole = format!("post_transfers('[{}]')", [item(1, "")].join(", "));
    assert_limited(try_calls(&client, &whole).await, "daily");
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_preview_says_what_posting_would_say_and_counts_nothing() {
    let (_db, client) = school("preview").await;
    limit(&client, "daily => 100").await;
    let preview =
        |amount: u32| format!("preview_transfer('wallets:a', 'merchants:canteen', {amount}, 'payment')");
    let before = contents(&client).await;
    call(&client, &preview(100)).await;
    assert_limited(try_call(&client, &preview(101)).await, "daily");
    check(&client, "100").await;
    assert_eq!(contents(&client).await, before);
    pay(&client, "100", "").await.unwrap();
    assert_limited(try_call(&client, &preview(1)).await, "daily");
}

/// How many statements of ours a call runs, in a session that has its plans already.
async fn statements_of(db: &TestDb, calls: &[&str]) -> Vec<usize> {
    let mut script = "LOAD 'auto_explain'; SET auto_explain.log_nested_statements = on;".to_owned();
    for call in calls {
        // Twice before: the first spending reads the limits and counts anew.
        let call = format!("SELECT FROM wallet_ledger.{call};");
        script += &format!(
            "{call} {call} SET auto_explain.log_min_duration = 0; SET client_min_messages = log; {call}
             RESET client_min_messages; SET auto_explain.log_min_duration = -1; \\warn next\n"
        );
    }
    let mut psql = db.cluster.program("psql");
    let mut child = psql
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &db.name, "-f", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("psql");
    let mut stdin = child.stdin.take().expect("piped");
    tokio::io::AsyncWriteExt::write_all(&mut stdin, script.as_bytes()).await.expect("psql reads");
    drop(stdin);
    let output = child.wait_with_output().await.expect("psql ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said.split_terminator("next\n").map(|part| part.matches("Query Text:").count()).collect()
}

#[tokio::test]
async fn a_limited_account_that_pays_costs_no_statement_unless_it_holds() {
    let (db, client) = school("statements").await;
    limit(&client, "daily => 1000000, categories => '{\"limits\": {\"food\": {\"weekly\": 900000}}}'").await;
    call(&client, "set_spending_limit('wallets:c', daily => 1000000)").await;
    call(&client, "post_transfer('bank', 'wallets:c', 1000, 'topup')").await;
    call(&client, "hold_funds('wallets:c', 1, 'shop', kind => 'payment')").await;
    let counts = statements_of(
        &db,
        &[
            "post_transfer('wallets:b', 'shop', 1, 'payment')",
            "post_transfer('wallets:a', 'shop', 1, 'payment')",
            "post_transfer('bank', 'wallets:a', 1, 'topup')",
            "post_transfer('wallets:c', 'shop', 1, 'payment')",
        ],
    )
    .await;
    let plain = counts[0];
    assert!(plain >= 3, "{counts:?}");
    // An account with holds looks whether one has expired, and which of them limits count.
    assert_eq!(
        counts,
        [plain, plain, plain, plain + 2],
        "plain, limited, limited and paid to, limited with a hold"
    );
}

#[tokio::test]
async fn in_report_form_a_refusal_is_remembered_under_its_key() {
    let (_db, client) = school("keys").await;
    limit(&client, "daily => 0").await;
    assert_limited(pay(&client, "1", ", idempotency_key => 'k'").await, "daily");
    let items = r#"[{"debit_account": "wallets:a", "credit_account": "shop", "amount": 1, "kind": "payment", "idempotency_key": "r"}]"#;
    let report = format!("post_transfers('{items}', on_error => 'report')");
    let first = call(&client, &report).await;
    limit(&client, "daily => 100").await;
    let again = call(&client, &report).await;
    assert_eq!(again.pick(["outcome", "error", "replayed"]), ["rejected", "spending_limit_exceeded", "t"]);
    assert_eq!(first["detail"], again["detail"]);
    pay(&client, "1", ", idempotency_key => 'k'").await.unwrap();
}
