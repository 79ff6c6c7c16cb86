//! Proves that whatever is wrong with a call is said in the closed vocabulary (token, SQLSTATE, JSON detail,
//! the item's position, a hint), that nothing was written, and that the session goes on. Each case runs
//! three times: as it is, inside a PL/pgSQL block that catches it, and after that in the same transaction
//! with a posting that must succeed. The cases are tables: one line a fault.

use wallet_ledger_tests::*;

const OURS: [(&str, &str); 13] = [
    ("missing_argument", "PT400"),
    ("invalid_argument", "PT400"),
    ("invalid_json", "PT400"),
    ("unknown_field", "PT400"),
    ("invalid_amount", "PT400"),
    ("amount_out_of_range", "PT400"),
    ("invalid_address", "PT400"),
    ("same_account", "PT400"),
    ("account_not_found", "PT404"),
    ("kind_not_found", "PT404"),
    ("ledger_not_found", "PT404"),
    ("currency_not_found", "PT404"),
    ("currency_mismatch", "PT422"),
];

fn sqlstate_of(token: &str) -> &'static str {
    OURS.iter().find(|(known, _)| *known == token).map_or_else(
        || match token {
            "reserved_kind" => "PT403",
            _ => "PT422",
        },
        |(_, state)| state,
    )
}

/// Books in which every kind of account that can be refused is there.
async fn spoilt(test: &str) -> (TestDb, Client) {
    let (db, client) = books(test).await;
    for sql in [
        "create_account('dollars', 'liability', 'USD')",
        "create_account('frozen', 'liability')",
        "create_account('closed', 'liability')",
        "freeze_account('frozen')",
        "close_account('closed')",
        "create_ledger('other')",
        "create_account('elsewhere', 'liability', ledger => 'other')",
        "close_period('main', '2026-02-01 00:00+07')",
    ] {
        call(&client, sql).await;
    }
    db::execute(
        &client,
        "SET wallet_ledger.ledger = 'main'; \
         CREATE FUNCTION pg_temp.caught(call text) RETURNS jsonb LANGUAGE plpgsql AS $$ \
         DECLARE state text; message text; detail text; hint text; \
         BEGIN \
             EXECUTE 'SELECT * FROM wallet_ledger.' || call; \
             RETURN NULL; \
         EXCEPTION WHEN OTHERS THEN \
             GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, \
                 detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT; \
             RETURN jsonb_build_object('state', state, 'message', message, 'detail', detail, 'hint', hint); \
         END $$",
    )
    .await;
    (db, client)
}

/// One fault, three times. Returns the error.
async fn refused(client: &Client, sql: &str, token: &str) -> LedgerError {
    let shown: String = sql.chars().take(200).collect();
    let before = contents(client).await;
    let error = match try_calls(client, sql).await {
        Ok(rows) => panic!("{shown}: expected {token}, got {rows:?}"),
        Err(error) => sql_error(&error),
    };
    assert_eq!((error.token(), error.sqlstate.as_str()), (token, sqlstate_of(token)), "{shown}: {error:#?}");
    assert!(
        !error.message.is_empty() && !error.message.contains('\n') && error.message.len() < 600,
        "{error:#?}"
    );
    assert!(error.hint.as_deref().is_some_and(|hint| !hint.is_empty()), "{shown}: {error:#?}");
    assert_eq!(before, contents(client).await, "{shown} wrote something");

    let caught: Value = client
        .query_one("SELECT pg_temp.caught($1)", &[&sql])
        .await
        .unwrap_or_else(|e| panic!("{shown}: {e:?}"))
        .get(0);
    assert_eq!(caught["state"], error.sqlstate, "{shown}");
    assert_eq!(caught["message"], error.message, "{shown}");
    let detail: Value = serde_json::from_str(caught["detail"].as_str().unwrap()).unwrap();
    assert_eq!(detail, error.detail, "{shown}");
    assert_eq!(caught["hint"].as_str(), error.hint.as_deref(), "{shown}");
    assert_eq!(before, contents(client).await, "{shown} wrote something before it was caught");

    // Caught, and the transaction goes on: posts, and is rolled back by the test.
    db::execute(client, "BEGIN").await;
    client.query_one("SELECT pg_temp.caught($1)", &[&sql]).await.unwrap();
    call(client, "post_transfer('wallets:a', 'shop', 1)").await;
    db::execute(client, "ROLLBACK").await;
    error
}

#[tokio::test]
async fn amounts() {
    let (_db, client) = spoilt("amounts").await;
    let transfer = call(&client, "post_transfer('wallets:a', 'shop', 100)").await["id"].to_owned();
    let hold = call(&client, "hold_funds('wallets:a', 100, 'shop')").await["id"].to_owned();
    let faces: [(&str, bool); 6] = [
        ("post_transfer('wallets:a', 'shop', #)", true),
        ("preview_transfer('wallets:a', 'shop', #)", true),
        ("hold_funds('wallets:a', #, 'shop')", true),
        (
            "post_transfers(jsonb_build_array(jsonb_build_object('debit_account', 'wallets:a', \
             'credit_account', 'shop', 'amount', #)), on_error => 'raise')",
            true,
        ),
        (&format!("capture_hold('{hold}', #)"), false),
        (&format!("reverse_transfer('{transfer}', #)"), false),
    ];
    for (face, needs_amount) in faces {
        for (amount, token, reason) in [
            ("NULL", "missing_argument", None),
            ("'NaN'::numeric", "invalid_amount", Some("NaN")),
            ("'Infinity'::numeric", "invalid_amount", Some("infinite")),
            ("'-Infinity'::numeric", "invalid_amount", Some("infinite")),
            ("0", "invalid_amount", Some("zero")),
            ("0.000", "invalid_amount", Some("zero")),
            ("-0.01", "invalid_amount", Some("negative")),
            ("0.001", "invalid_amount", Some("too_many_decimals")),
            ("10.0000000000000000001", "invalid_amount", Some("too_many_decimals")),
            ("1e29", "amount_out_of_range", None),
            ("-1e29", "amount_out_of_range", None),
            ("1e1000", "amount_out_of_range", None),
            ("1e-100", "amount_out_of_range", None),
        ] {
            if amount == "NULL" && !needs_amount {
                continue;
            }
            let error = refused(&client, &face.replace('#', amount), token).await;
            assert_eq!(error.detail["argument"], "amount", "{face} {amount}");
            assert_eq!(error.detail["reason"].as_str(), reason, "{face} {amount}");
            let position = if face.starts_with("post_transfers") { json!(1) } else { Value::Null };
            assert_eq!(error.detail["position"], position);
        }
    }
    // The largest of all fit the type and not the currency's decimals.
    for amount in ["79228162514264337593543950335", "792281625142643375935439503.36"] {
        refused(&client, &format!("post_transfer('wallets:a', 'shop', {amount})"), "amount_out_of_range")
            .await;
    }
}

/// What only JSON can get wrong. `#` is the item's broken key and value.
#[tokio::test]
async fn items() {
    let (_db, client) = spoilt("items").await;
    let good = r#"{"debit_account": "wallets:a", "credit_account": "shop", "amount": 1}"#;
    for (broken, token, argument) in [
        (r#""amount": "NaN""#, "invalid_amount", "amount"),
        (r#""amount": "-Infinity""#, "invalid_amount", "amount"),
        (r#""amount": """#, "invalid_amount", "amount"),
        (r#""amount": " 1""#, "invalid_amount", "amount"),
        (r#""amount": "1e2""#, "invalid_amount", "amount"),
        (r#""amount": "1,000""#, "invalid_amount", "amount"),
        (r#""amount": "Rp1""#, "invalid_amount", "amount"),
        (r#""amount": "💸""#, "invalid_amount", "amount"),
        (r#""amount": "0.001""#, "invalid_amount", "amount"),
        (r#""amount": "100000000000000000000000000000""#, "amount_out_of_range", "amount"),
        (r#""amount": true"#, "invalid_argument", "amount"),
        (r#""amount": [1]"#, "invalid_argument", "amount"),
        (r#""amount": {"value": 1}"#, "invalid_argument", "amount"),
        (r#""amount": null"#, "missing_argument", "amount"),
        (r#""debit_account": null"#, "missing_argument", "debit_account"),
        (r#""debit_account": 5"#, "invalid_argument", "debit_account"),
        (r#""debit_account": ["wallets:a"]"#, "invalid_argument", "debit_account"),
        (r#""credit_account": false"#, "invalid_argument", "credit_account"),
        (r#""credit_account": {}"#, "invalid_argument", "credit_account"),
        (r#""kind": 1"#, "invalid_argument", "kind"),
        (r#""idempotency_key": 1"#, "invalid_argument", "idempotency_key"),
        (r#""idempotency_key": """#, "invalid_argument", "idempotency_key"),
        (r#""reference": []"#, "invalid_argument", "reference"),
        (r#""description": 1.5"#, "invalid_argument", "description"),
        (r#""metadata": 5"#, "invalid_argument", "metadata"),
        (r#""metadata": "text""#, "invalid_argument", "metadata"),
        (r#""effective_at": 1"#, "invalid_argument", "effective_at"),
        (r#""effective_at": """#, "invalid_argument", "effective_at"),
        (r#""effective_at": "2026-03-01""#, "invalid_argument", "effective_at"),
        (r#""effective_at": "2026-03-01 10:00:00""#, "invalid_argument", "effective_at"),
        (r#""effective_at": "2026-02-30T00:00:00Z""#, "invalid_argument", "effective_at"),
        (r#""effective_at": "infinity""#, "invalid_argument", "effective_at"),
        (r#""effective_at": "-005000-01-01T00:00:00Z""#, "invalid_argument", "effective_at"),
        (r#""expected_version": 1.5"#, "invalid_argument", "expected_version"),
        (r#""expected_version": "x""#, "invalid_argument", "expected_version"),
        (r#""expected_version": true"#, "invalid_argument", "expected_version"),
        (r#""expected_version": 1e30"#, "invalid_argument", "expected_version"),
        (r#""transaction": 7"#, "invalid_argument", "transaction"),
    ] {
        // The last of equal keys counts, in jsonb itself.
        let sql =
            format!("post_transfers('[{good}, {}, {good}]')", good.replace('}', &format!(", {broken}}}")));
        let error = refused(&client, &sql, token).await;
        assert_eq!(
            (&error.detail["argument"], &error.detail["position"]),
            (&json!(argument), &json!(2)),
            "{broken}"
        );
        assert!(error.message.starts_with("item 2: "), "{error:?}");
    }
    for key in ["ammount", "Amount", "amount ", "", "💸", "id", "ledger"] {
        let sql = format!("post_transfers('[{good}, {}]')", good.replace('}', &format!(", \"{key}\": 1}}")));
        let error = refused(&client, &sql, "unknown_field").await;
        assert_eq!((&error.detail["field"], &error.detail["position"]), (&json!(key), &json!(2)));
    }
    for (whole, token, position) in [
        ("NULL", "missing_argument", None),
        ("'{}'", "invalid_json", None),
        ("'null'", "invalid_json", None),
        ("'5'", "invalid_json", None),
        ("'\"[]\"'", "invalid_json", None),
        ("'true'", "invalid_json", None),
        ("'[5]'", "invalid_json", Some(1)),
        ("'[null]'", "invalid_json", Some(1)),
        ("'[[]]'", "invalid_json", Some(1)),
        ("'[[{}]]'", "invalid_json", Some(1)),
        ("'[\"a\"]'", "invalid_json", Some(1)),
        ("'[{}]'", "missing_argument", Some(1)),
    ] {
        for mode in ["raise", "report"] {
            let sql = format!("post_transfers({whole}, on_error => '{mode}')");
            if whole == "'[{}]'" && mode == "report" {
                // An item that is readable and refused is an outcome.
                let outcome = calls(&client, &sql).await.remove(0);
                assert_eq!(outcome.pick(["outcome", "error"]), ["rejected", "missing_argument"]);
                continue;
            }
            assert_eq!(refused(&client, &sql, token).await.detail["position"].as_i64(), position, "{whole}");
        }
    }
    for mode in ["NULL", "'stop'", "''", "'RAISE'"] {
        let error =
            refused(&client, &format!("post_transfers('[]', on_error => {mode})"), "invalid_argument").await;
        assert_eq!(error.detail["argument"], "on_error");
    }
}

#[tokio::test]
async fn accounts_and_labels() {
    let (_db, client) = spoilt("accounts").await;
    // In every face, on either side.
    let faces = [
        "post_transfer('#', 'shop', 1)",
        "post_transfer('shop', '#', 1)",
        "preview_transfer('wallets:a', '#', 1)",
        "hold_funds('#', 1, 'shop')",
        "hold_funds('wallets:a', 1, '#')",
        "post_transfers('[{\"debit_account\": \"shop\", \"credit_account\": \"#\", \"amount\": 1}]')",
    ];
    let long = "a".repeat(129);
    let endless = "a".repeat(1_000_000);
    for face in faces {
        for address in ["", " ", "a b", ":a", "a:", "a::b", "a/b", "é", "💸", "wallets:💸", &long, &endless]
        {
            refused(&client, &face.replace('#', address), "invalid_address").await;
        }
        for (account, token) in [
            ("wallets:nobody", "account_not_found"),
            ("elsewhere", "account_not_found"),
            ("WALLETS:A", "account_not_found"),
            ("dollars", "currency_mismatch"),
            ("frozen", "account_frozen"),
            ("closed", "account_closed"),
        ] {
            let is_destination = face.starts_with("hold_funds('wallets:a'");
            let is_alone = face.starts_with("hold_funds('#'");
            // A hold on dollars is a hold; a frozen destination is a matter of the capture.
            if (is_alone && account == "dollars")
                || (is_destination && matches!(account, "frozen" | "closed"))
            {
                continue;
            }
            refused(&client, &face.replace('#', account), token).await;
        }
    }
    for same in [
        "post_transfer('wallets:a', 'wallets:a', 1)",
        "hold_funds('wallets:a', 1, 'wallets:a')",
        "post_transfers('[{\"debit_account\": \"shop\", \"credit_account\": \"shop\", \"amount\": 1}]')",
    ] {
        refused(&client, same, "same_account").await;
    }
    for (arguments, token, argument) in [
        ("NULL, 'shop', 1", "missing_argument", "debit_account"),
        ("'shop', NULL, 1", "missing_argument", "credit_account"),
        ("'wallets:a', 'shop', 1, kind => ''", "kind_not_found", ""),
        ("'wallets:a', 'shop', 1, kind => 'Payment'", "kind_not_found", ""),
        ("'wallets:a', 'shop', 1, kind => repeat('x', 1000)", "kind_not_found", ""),
        ("'wallets:a', 'shop', 1, kind => 'reversal'", "reserved_kind", ""),
        ("'wallets:a', 'shop', 1, idempotency_key => ''", "invalid_argument", "idempotency_key"),
        (
            "'wallets:a', 'shop', 1, idempotency_key => repeat('k', 256)",
            "invalid_argument",
            "idempotency_key",
        ),
        ("'wallets:a', 'shop', 1, reference => ''", "invalid_argument", "reference"),
        ("'wallets:a', 'shop', 1, reference => repeat('r', 256)", "invalid_argument", "reference"),
        ("'wallets:a', 'shop', 1, description => repeat('d', 2001)", "invalid_argument", "description"),
        ("'wallets:a', 'shop', 1, description => repeat('💸', 501)", "invalid_argument", "description"),
        (
            "'wallets:a', 'shop', 1, metadata => jsonb_build_object('a', repeat('m', 70000))",
            "invalid_argument",
            "metadata",
        ),
        ("'wallets:a', 'shop', 1, effective_at => 'infinity'", "invalid_argument", "effective_at"),
        ("'wallets:a', 'shop', 1, effective_at => '-infinity'", "invalid_argument", "effective_at"),
        (
            "'wallets:a', 'shop', 1, effective_at => '10000-01-01 00:00+00'",
            "invalid_argument",
            "effective_at",
        ),
        ("'wallets:a', 'shop', 1, effective_at => '2026-01-31 23:59:59+07'", "period_closed", ""),
        ("'wallets:a', 'shop', 1, expected_version => -1", "invalid_argument", "expected_version"),
        ("'wallets:a', 'shop', 1, ledger => ''", "ledger_not_found", ""),
        ("'wallets:a', 'shop', 1, ledger => 'nowhere'", "ledger_not_found", ""),
    ] {
        for name in ["post_transfer", "preview_transfer"] {
            let error = refused(&client, &format!("{name}({arguments})"), token).await;
            assert_eq!(error.detail["argument"].as_str().unwrap_or(""), argument, "{arguments}");
        }
    }
}

#[tokio::test]
async fn other_functions() {
    let (_db, client) = spoilt("others").await;
    for (sql, token, argument) in [
        ("hold_funds(NULL, 1)", "missing_argument", "account"),
        ("hold_funds('wallets:a', 1, expires_at => '2026-01-01')", "invalid_argument", "expires_at"),
        ("hold_funds('wallets:a', 1, expires_at => '-infinity')", "invalid_argument", "expires_at"),
        ("hold_funds('wallets:a', 1, kind => 'rebalance')", "reserved_kind", ""),
        ("hold_funds('wallets:a', 1, reference => '')", "invalid_argument", "reference"),
        ("capture_hold(NULL)", "missing_argument", "hold_id"),
        ("release_hold(NULL)", "missing_argument", "hold_id"),
        ("reverse_transfer(NULL)", "missing_argument", "transfer_id"),
        ("reverse_transaction(NULL)", "missing_argument", "transaction_id"),
        ("expire_holds(NULL)", "missing_argument", "max_count"),
        ("forget_idempotency_keys(NULL)", "missing_argument", "older_than"),
        ("forget_idempotency_keys(max_count => NULL)", "missing_argument", "max_count"),
        ("forget_webhook_refusals(NULL)", "missing_argument", "older_than"),
        ("forget_webhook_refusals('59 minutes')", "invalid_argument", "older_than"),
        ("forget_webhook_refusals(max_count => NULL)", "missing_argument", "max_count"),
        ("create_ledger(NULL)", "missing_argument", "ledger"),
        ("create_ledger('x', NULL)", "missing_argument", "currency"),
        ("create_ledger('x', timezone => NULL)", "missing_argument", "timezone"),
        ("create_ledger('💸')", "invalid_argument", "ledger"),
        ("create_currency(NULL, 2)", "missing_argument", "code"),
        ("create_currency('ABC', NULL)", "missing_argument", "scale"),
        ("create_kind(NULL)", "missing_argument", "kind"),
        ("create_account(NULL, 'asset')", "missing_argument", "account"),
        ("create_account('x', NULL)", "missing_argument", "type"),
        ("create_account('x', 'asset', stripes => NULL)", "missing_argument", "stripes"),
        ("create_account('x', '')", "invalid_argument", "type"),
        ("create_account('x', 'Asset')", "invalid_argument", "type"),
        ("create_account('x y', 'asset')", "invalid_address", "account"),
        ("create_account('x', 'asset', '')", "currency_not_found", ""),
        ("create_account('x', 'asset', minimum_balance => 'NaN')", "invalid_amount", "minimum_balance"),
        ("create_account('x', 'asset', minimum_balance => '-Infinity')", "invalid_amount", "minimum_balance"),
        ("create_account('x', 'asset', minimum_balance => -0.001)", "invalid_amount", "minimum_balance"),
        ("create_account('x', 'asset', minimum_balance => -1e29)", "amount_out_of_range", "minimum_balance"),
        ("create_account('x', 'asset', minimum_balance => 1)", "invalid_argument", "minimum_balance"),
        ("create_account('x', 'asset', maximum_balance => 'Infinity')", "invalid_amount", "maximum_balance"),
        ("create_account('x', 'asset', maximum_balance => -1)", "invalid_argument", "maximum_balance"),
        ("create_account('x', 'asset', owner => '')", "invalid_argument", "owner"),
        ("create_account('x', 'asset', owner => repeat('o', 256))", "invalid_argument", "owner"),
        ("open_wallet(NULL)", "missing_argument", "owner"),
        ("open_wallet(repeat('o', 121))", "invalid_address", "account"),
        ("freeze_account(NULL)", "missing_argument", "account"),
        ("close_account('a b')", "invalid_address", "account"),
        ("poll_events(max_count => 0)", "invalid_argument", "max_count"),
        ("poll_events(max_count => NULL)", "missing_argument", "max_count"),
        ("poll_transfers(max_count => 10001)", "invalid_argument", "max_count"),
        ("poll_transfers('garbage')", "invalid_argument", "after"),
        ("poll_events('')", "invalid_argument", "after"),
    ] {
        let error = refused(&client, sql, token).await;
        assert_eq!(error.detail["argument"].as_str().unwrap_or(""), argument, "{sql}");
    }
}
