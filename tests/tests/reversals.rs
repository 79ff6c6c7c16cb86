//! Proves that a correction never takes back more than was moved: in parts, all at once, and from many
//! sessions together; that it needs the money to be there; and that a correction is not corrected.

use futures::future::join_all;
use wallet_ledger_tests::*;

#[tokio::test]
async fn parts_add_up_to_the_original_and_never_above() {
    let (_db, client) = books("parts").await;
    let original =
        call(&client, "post_transfer('wallets:a', 'shop', 100, 'payment', reference => 'inv-1')").await;
    let id = &original["id"];
    let part = call(&client, &format!("reverse_transfer('{id}', 30.01, 'damaged')")).await;
    assert_eq!(
        part.pick(["debit_account", "credit_account", "amount", "kind", "reference", "credit_balance"]),
        ["shop", "wallets:a", "30.01", "reversal", "inv-1", "930.01"]
    );
    let sql =
        format!("SELECT reverses_id, description FROM wallet_ledger.transfers WHERE id = '{}'", &part["id"]);
    assert_eq!(lines(&client, &sql).await[0].pick(["reverses_id", "description"]), [id, "damaged"]);
    for more in ["70", "69.999999", "1000"] {
        let refused = try_call(&client, &format!("reverse_transfer('{id}', {more})")).await;
        if more.contains('9') {
            assert_error(refused, "invalid_amount", "PT400");
            continue;
        }
        let error = assert_error(refused, "reversal_exceeds_original", "PT422");
        assert_eq!(error.detail["remaining"], "69.99");
        assert_eq!(
            (&error.detail["original_amount"], &error.detail["reversed_amount"]),
            (&json!("100.00"), &json!("30.01"))
        );
    }
    for wrong in ["'NaN'", "'Infinity'", "0", "-1", "1e29"] {
        let token = if wrong == "1e29" { "amount_out_of_range" } else { "invalid_amount" };
        assert_error(try_call(&client, &format!("reverse_transfer('{id}', {wrong})")).await, token, "PT400");
    }
    call(&client, &format!("reverse_transfer('{id}', 0.99)")).await;
    assert_eq!(
        &call(&client, &format!("reverse_transfer('{id}')")).await["amount"],
        "69.00",
        "all that remains"
    );
    for call_again in [
        format!("reverse_transfer('{id}')"),
        format!("reverse_transfer('{id}', 0.01)"),
        format!("reverse_transaction('{id}')"),
    ] {
        assert_error(try_calls(&client, &call_again).await, "reversal_exceeds_original", "PT422");
    }
    assert_eq!(posted(&client, "wallets:a").await, "1000.00");
    assert_error(
        try_call(&client, &format!("reverse_transfer('{}')", &part["id"])).await,
        "not_reversible",
        "PT422",
    );
    let unknown = "00000000-0000-7000-8000-000000000000";
    assert_error(
        try_call(&client, &format!("reverse_transfer('{unknown}')")).await,
        "transfer_not_found",
        "PT404",
    );
    assert_error(
        try_calls(&client, &format!("reverse_transaction('{unknown}')")).await,
        "transaction_not_found",
        "PT404",
    );
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_whole_transaction_goes_back_the_way_it_came() {
    let (_db, client) = books("transaction").await;
    let split = calls(
        &client,
        r#"post_transfers('[
            {"debit_account": "wallets:a", "credit_account": "wallets:c", "amount": 100, "transaction": "t"},
            {"debit_account": "wallets:c", "credit_account": "shop", "amount": 80, "transaction": "t"},
            {"debit_account": "wallets:c", "credit_account": "wallets:b", "amount": 20, "transaction": "t"}]')"#,
    )
    .await;
    let transaction = &split[0]["transaction_id"];
    call(&client, &format!("reverse_transfer('{}', 30)", &split[1]["id"])).await;
    let back = calls(&client, &format!("reverse_transaction('{transaction}', 'cancelled', 'k')")).await;
    // Last first, so that wallets:c, which kept nothing, has what it needs to give back.
    let told: Vec<_> =
        back.iter().map(|row| row.pick(["debit_account", "credit_account", "amount"])).collect();
    assert_eq!(
        told,
        [
            ["wallets:b", "wallets:c", "20.00"],
            ["shop", "wallets:c", "50.00"],
            ["wallets:c", "wallets:a", "100.00"]
        ]
    );
    assert!(back.iter().all(|row| row["transaction_id"] == back[0]["transaction_id"]));
    for (account, balance) in
        [("wallets:a", "1000.00"), ("wallets:b", "500.00"), ("wallets:c", "0.00"), ("shop", "0.00")]
    {
        assert_eq!(posted(&client, account).await, balance, "{account}");
    }
    let again = calls(&client, &format!("reverse_transaction('{transaction}', 'cancelled', 'k')")).await;
    assert!(again.iter().all(|row| &row["replayed"] == "t"));
    assert_error(
        try_calls(&client, &format!("reverse_transaction('{transaction}')")).await,
        "reversal_exceeds_original",
        "PT422",
    );
    let undo = try_calls(&client, &format!("reverse_transaction('{}')", &back[0]["transaction_id"])).await;
    assert_error(undo, "not_reversible", "PT422");
    verify_clean(&client).await;
}

#[tokio::test]
async fn the_money_must_still_be_there_and_the_accounts_open() {
    let (_db, client) = books("funds").await;
    let paid = call(&client, "post_transfer('wallets:a', 'wallets:c', 100)").await;
    let reverse = format!("reverse_transfer('{}')", &paid["id"]);
    call(&client, "post_transfer('wallets:c', 'shop', 60)").await;
    let before = contents(&client).await;
    let error = assert_error(try_call(&client, &reverse).await, "insufficient_funds", "PT402");
    assert_eq!(
        (&error.detail["account"], &error.detail["available"]),
        (&json!("wallets:c"), &json!("40.00"))
    );
    let whole = try_calls(&client, &reverse.replace("reverse_transfer", "reverse_transaction")).await;
    assert_error(whole, "insufficient_funds", "PT402");
    assert_eq!(before, contents(&client).await, "a refused reversal leaves no total behind");
    call(&client, &reverse.replace("')", "', 40)")).await;
    call(&client, "post_transfer('bank', 'wallets:c', 60)").await;
    for state in ["freeze", "unfreeze"] {
        call(&client, &format!("{state}_account('wallets:a')")).await;
        if state == "freeze" {
            assert_error(try_call(&client, &reverse).await, "account_frozen", "PT422");
        }
    }
    assert_eq!(&call(&client, &reverse).await["amount"], "60.00");
    verify_clean(&client).await;
}

/// Twenty sessions take back 10 each of 100: ten of them get it.
#[tokio::test]
async fn reversals_of_one_transfer_race_for_what_remains() {
    let (db, client) = books("race").await;
    let paid = call(&client, "post_transfer('wallets:a', 'shop', 100)").await;
    let sql = format!("reverse_transfer('{}', 10)", &paid["id"]);
    let sessions = join_all((0..20).map(|_| db.app())).await;
    let outcomes = join_all(sessions.iter().map(|client| try_call(client, &sql))).await;
    let mut done = 0;
    for outcome in outcomes {
        match outcome {
            Ok(_) => done += 1,
            refused => {
                assert_error(refused, "reversal_exceeds_original", "PT422");
            }
        }
    }
    assert_eq!(done, 10);
    assert_eq!(posted(&client, "wallets:a").await, "1000.00");
    verify_clean(&client).await;
}

#[tokio::test]
async fn captures_and_striped_postings_are_reversed_like_any_other() {
    let (db, client) = books("striped").await;
    let hold = call(&client, "hold_funds('wallets:a', 50, 'shop')").await;
    let taken = call(&client, &format!("capture_hold('{}')", &hold["id"])).await;
    call(&client, &format!("reverse_transfer('{}', 20)", &taken["id"])).await;
    assert_eq!(posted(&client, "wallets:a").await, "970.00");

    for sql in [
        "create_account('float', 'liability', minimum_balance => 0, stripes => 4)",
        "create_account('vault', 'asset', stripes => 16)",
    ] {
        call(&client, sql).await;
    }
    // Three sessions at once, so that three stripes have 100 each.
    let sessions = join_all((0..3).map(|_| db.app())).await;
    let mut posted_ids = Vec::new();
    for session in &sessions {
        db::execute(session, "BEGIN").await;
        posted_ids.push(call(session, "post_transfer('vault', 'float', 100)").await["id"].to_owned());
    }
    for session in &sessions {
        db::execute(session, "COMMIT").await;
    }
    // Spending 250 gathers; what came in cannot all go back afterwards, a part can.
    let paid = call(&client, "post_transfer('float', 'shop', 250)").await;
    assert_error(
        try_call(&client, &format!("reverse_transfer('{}')", posted_ids[0])).await,
        "insufficient_funds",
        "PT402",
    );
    call(&client, &format!("reverse_transfer('{}', 50)", posted_ids[0])).await;
    assert_eq!(posted(&client, "float").await, "0.00");
    let back = calls(&client, &format!("reverse_transaction('{}')", &paid["transaction_id"])).await;
    assert_eq!(
        back.iter().map(|row| &row["amount"]).collect::<Vec<_>>(),
        ["250.00"],
        "gathering is not taken back"
    );
    // A reversal may itself have to gather: 250 sit on one stripe, or on several after these.
    for id in &posted_ids[1..] {
        call(&client, &format!("reverse_transfer('{id}')")).await;
    }
    call(&client, &format!("reverse_transfer('{}')", posted_ids[0])).await;
    assert_eq!(posted(&client, "float").await, "0.00");
    assert_eq!(posted(&client, "vault").await, "0.00");
    verify_clean(&client).await;
}
