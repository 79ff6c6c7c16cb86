//! Proves what one posting does: the marketplace example comes out to the rupiah, floors and ceilings
//! look at the available balance, an expected version protects a decision, the receipt says what the
//! tables say, and labels come back as they were given.

use wallet_ledger_tests::*;

/// Requirements, system A: total 100,000, delivery 15,000, food 85,000; merchant commission 15 %, driver
/// 80 % of the delivery. Merchant 72,250, driver 12,000, platform 15,750, all or nothing.
#[tokio::test]
async fn the_marketplace_example_comes_out_to_the_rupiah() {
    let db = TestDb::with_ledger("marketplace").await;
    let client = db.app().await;
    call(&client, "create_account('banks:bca:1234567890', 'asset')").await;
    for owner in ["customer", "merchant", "driver"] {
        call(&client, &format!("open_wallet('{owner}')")).await;
    }
    call(&client, "create_account('orders:1:escrow', 'liability', minimum_balance => 0)").await;
    call(&client, "create_account('platform:revenue:commission', 'revenue')").await;
    call(&client, "create_account('payouts:clearing', 'liability', minimum_balance => 0)").await;

    let topup =
        call(&client, "post_transfer('banks:bca:1234567890', 'wallets:customer', 500000, 'topup')").await;
    assert_eq!(topup.pick(["debit_balance", "credit_balance"]), ["500000.00", "500000.00"]);
    let paid = call(&client, "post_transfer('wallets:customer', 'orders:1:escrow', 100000, 'payment')").await;
    assert_eq!(paid.pick(["debit_balance", "credit_balance"]), ["400000.00", "100000.00"]);
    let split = calls(
        &client,
        r#"post_transfers('[
            {"debit_account": "orders:1:escrow", "credit_account": "wallets:merchant", "amount": 72250,
             "kind": "earning", "reference": "order-1", "transaction": "order-1"},
            {"debit_account": "orders:1:escrow", "credit_account": "wallets:driver", "amount": "12000.00",
             "kind": "earning", "reference": "order-1", "transaction": "order-1"},
            {"debit_account": "orders:1:escrow", "credit_account": "platform:revenue:commission",
             "amount": 15750, "kind": "commission", "reference": "order-1", "transaction": "order-1"}]')"#,
    )
    .await;
    let told: Vec<_> = split.iter().map(|row| row.pick(["outcome", "amount", "debit_balance"])).collect();
    assert_eq!(
        told,
        [
            ["posted", "72250.00", "27750.00"],
            ["posted", "12000.00", "15750.00"],
            ["posted", "15750.00", "0.00"]
        ]
    );
    assert!(split.iter().all(|row| row["transaction_id"] == split[0]["transaction_id"]));
    let payout =
        call(&client, "hold_funds('wallets:merchant', 50000, 'payouts:clearing', kind => 'payout')").await;
    assert_eq!(payout.pick(["held", "available"]), ["50000.00", "22250.00"]);
    let overdraft = try_call(&client, "post_transfer('wallets:merchant', 'wallets:driver', 22250.01)").await;
    let error = assert_error(overdraft, "insufficient_funds", "PT402");
    assert_eq!(
        error.detail,
        json!({"error": "insufficient_funds", "account": "wallets:merchant", "available": "22250.00",
               "required": "22250.01", "minimum_balance": "0.00", "shortfall": "0.01", "currency": "IDR"})
    );
    for (account, posted, available) in [
        ("banks:bca:1234567890", "500000.00", "500000.00"),
        ("wallets:customer", "400000.00", "400000.00"),
        ("orders:1:escrow", "0.00", "0.00"),
        ("wallets:merchant", "72250.00", "22250.00"),
        ("wallets:driver", "12000.00", "12000.00"),
        ("platform:revenue:commission", "15750.00", "15750.00"),
    ] {
        let [is_posted, _, is_available] = balances(&client, account).await;
        assert_eq!((is_posted.as_str(), is_available.as_str()), (posted, available), "{account}");
    }
    let trial = "SELECT sum(debit_balance) || ' ' || sum(credit_balance) FROM wallet_ledger.trial_balance";
    assert_eq!(value(&client, trial).await, "500000.00 500000.00");
    verify_clean(&client).await;
}

#[tokio::test]
async fn floors_and_ceilings_look_at_the_available_balance() {
    let (_db, client) = books("bounds").await;
    call(&client, "create_account('credit', 'liability', minimum_balance => -100, maximum_balance => 50)")
        .await;
    call(&client, "hold_funds('wallets:a', 600, 'shop')").await;
    let refused = try_call(&client, "post_transfer('wallets:a', 'shop', 400.01)").await;
    assert_eq!(assert_error(refused, "insufficient_funds", "PT402").detail["available"], "400.00");
    call(&client, "post_transfer('wallets:a', 'shop', 400)").await;
    // A negative floor is credit: it can be used up and not exceeded.
    call(&client, "post_transfer('credit', 'shop', 99.99)").await;
    let refused = try_call(&client, "post_transfer('credit', 'shop', 0.02)").await;
    let error = assert_error(refused, "insufficient_funds", "PT402");
    assert_eq!((&error.detail["available"], &error.detail["shortfall"]), (&json!("-99.99"), &json!("0.01")));
    call(&client, "post_transfer('credit', 'shop', 0.01)").await;
    // The ceiling counts what is available: a hold makes room, a release takes it.
    call(&client, "post_transfer('bank', 'credit', 150)").await;
    let over = try_call(&client, "post_transfer('bank', 'credit', 0.01)").await;
    let error = assert_error(over, "balance_limit_exceeded", "PT422");
    assert_eq!(
        error.detail,
        json!({"error": "balance_limit_exceeded", "account": "credit", "available": "50.00", "amount": "0.01",
               "maximum_balance": "50.00", "currency": "IDR"})
    );
    call(&client, "hold_funds('credit', 20, 'shop')").await;
    call(&client, "post_transfer('bank', 'credit', 20)").await;
    assert_error(
        try_call(&client, "post_transfer('bank', 'credit', 0.01)").await,
        "balance_limit_exceeded",
        "PT422",
    );
    // An asset is the mirror image: credits take away.
    call(&client, "create_account('cash', 'asset', minimum_balance => 0, maximum_balance => 10)").await;
    assert_error(
        try_call(&client, "post_transfer('wallets:b', 'cash', 1)").await,
        "insufficient_funds",
        "PT402",
    );
    call(&client, "post_transfer('cash', 'wallets:b', 10)").await;
    assert_error(
        try_call(&client, "post_transfer('cash', 'wallets:b', 1)").await,
        "balance_limit_exceeded",
        "PT422",
    );
    call(&client, "post_transfer('wallets:b', 'cash', 10)").await;
    verify_clean(&client).await;
}

#[tokio::test]
async fn an_expected_version_protects_a_decision() {
    let (_db, client) = books("version").await;
    let at = |version: i64| format!("post_transfer('wallets:a', 'shop', 1, expected_version => {version})");
    for wrong in [0, 2, i64::MAX] {
        let error = assert_error(try_call(&client, &at(wrong)).await, "version_conflict", "PT409");
        assert_eq!(
            error.detail,
            json!({"error": "version_conflict", "account": "wallets:a", "expected_version": wrong, "version": 1})
        );
    }
    assert_eq!(&call(&client, &at(1)).await["debit_version"], "2");
    assert_error(try_call(&client, &at(1)).await, "version_conflict", "PT409");
    let negative = assert_error(try_call(&client, &at(-1)).await, "invalid_argument", "PT400");
    assert_eq!(negative.detail["argument"], "expected_version");
    // Within a call the version is that after the items before.
    let items = |second: i64| {
        format!(
            r#"post_transfers('[{{"debit_account": "wallets:a", "credit_account": "shop", "amount": 1,
                                  "expected_version": 2}},
                                {{"debit_account": "wallets:a", "credit_account": "shop", "amount": 1,
                                  "expected_version": {second}}}]')"#
        )
    };
    let error = assert_error(try_calls(&client, &items(2)).await, "version_conflict", "PT409");
    assert_eq!(error.detail["position"], 2);
    assert_eq!(&calls(&client, &items(3)).await[1]["debit_version"], "4");
}

/// The receipt, the tables' balances, the two entries and the next posting all tell the same story.
#[tokio::test]
async fn balances_and_versions_after_each_posting_form_a_line() {
    let (_db, client) = books("line").await;
    for (amount, balance, version) in
        [("0.01", "999.99", "2"), ("100", "899.99", "3"), ("899.99", "0.00", "4")]
    {
        let receipt = call(&client, &format!("post_transfer('wallets:a', 'shop', {amount})")).await;
        assert_eq!(receipt.pick(["debit_balance", "debit_version"]), [balance, version]);
        assert_eq!(posted(&client, "wallets:a").await, balance);
    }
    let entries = lines(
        &client,
        "SELECT version, side, amount, balance_before, balance_after FROM wallet_ledger.entries \
         WHERE account = 'wallets:a' ORDER BY version",
    )
    .await;
    let told: Vec<_> = entries
        .iter()
        .map(|row| row.pick(["version", "side", "amount", "balance_before", "balance_after"]))
        .collect();
    assert_eq!(
        told,
        [
            ["1", "credit", "1000.00", "0.00", "1000.00"],
            ["2", "debit", "-0.01", "1000.00", "999.99"],
            ["3", "debit", "-100.00", "999.99", "899.99"],
            ["4", "debit", "-899.99", "899.99", "0.00"],
        ]
    );
}

#[tokio::test]
async fn labels_come_back_as_they_were_given() {
    let (_db, client) = books("labels").await;
    let post = "post_transfer('wallets:a', 'shop', 1, reference => 'INV/2026/💸', \
                description => E'Bakso 🍜\\n\"dua\" porsi', metadata => '{\"emoji\": \"😀\", \"z\": [1, null, {\"a\": 1.50}]}', \
                effective_at => '2026-01-02 03:04:05.678901+07')";
    let receipt = call(&client, post).await;
    assert_eq!(receipt.pick(["reference", "effective_at"]), ["INV/2026/💸", "2026-01-01 20:04:05.678901+00"]);
    let sql = format!("SELECT * FROM wallet_ledger.transfers WHERE id = '{}'", &receipt["id"]);
    let stored = lines(&client, &sql).await.remove(0);
    assert_eq!(
        stored.pick(["description", "metadata"]),
        ["Bakso 🍜\n\"dua\" porsi", "{\"z\": [1, null, {\"a\": 1.50}], \"emoji\": \"😀\"}"]
    );
    for column in
        ["debit_balance", "credit_version", "effective_at", "created_at", "transaction_id", "ledger"]
    {
        assert_eq!(stored[column], receipt[column], "{column}");
    }
    // The same through JSON.
    let items = r#"post_transfers('[{"debit_account": "wallets:a", "credit_account": "shop", "amount": 1,
        "description": "🍜", "metadata": {"emoji": "😀", "deep": [[{"x": 1e2}]]},
        "effective_at": "2026-01-02T03:04:05.678901+07:00"}]')"#;
    let outcome = calls(&client, items).await.remove(0);
    assert_eq!(&outcome["effective_at"], "2026-01-01 20:04:05.678901+00");
    let sql = format!("SELECT metadata FROM wallet_ledger.transfers WHERE id = '{}'", &outcome["id"]);
    assert_eq!(value(&client, &sql).await, "{\"deep\": [[{\"x\": 100}]], \"emoji\": \"😀\"}");
}

/// A posting commits or vanishes with the caller's own row.
#[tokio::test]
async fn a_posting_is_part_of_the_callers_transaction() {
    let (db, client) = books("together").await;
    db::execute(
        &db.connect().await,
        "CREATE TABLE orders (id int PRIMARY KEY); GRANT ALL ON orders TO wallet_app",
    )
    .await;
    let before = contents(&client).await;
    for broken in [
        "BEGIN; INSERT INTO orders VALUES (1); \
         SELECT wallet_ledger.post_transfer('wallets:a', 'shop', 1, idempotency_key => 'o1'); ROLLBACK",
        "BEGIN; INSERT INTO orders VALUES (1); SAVEPOINT s; \
         SELECT wallet_ledger.post_transfer('wallets:a', 'shop', 1, idempotency_key => 'o1'); \
         ROLLBACK TO s; COMMIT; DELETE FROM orders",
    ] {
        db::execute(&client, broken).await;
        assert_eq!(before, contents(&client).await);
    }
    let both = "BEGIN; INSERT INTO orders VALUES (1); \
                SELECT wallet_ledger.post_transfer('wallets:a', 'shop', 1, idempotency_key => 'o1'); COMMIT";
    db::execute(&client, both).await;
    assert_eq!(posted(&client, "wallets:a").await, "999.00");
    verify_clean(&client).await;
}
