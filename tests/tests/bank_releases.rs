//! Proves that what is sent to a seller's bank by hand leaves the seller's wallet once, never more than was
//! earned, and meets the bank's own debit.

use wallet_ledger_tests::*;

async fn released(test: &str) -> (TestDb, Client, String) {
    let db = TestDb::with_ledger(test).await;
    let client = db.app().await;
    for set_up in [
        "register_bank_account('banks:bri:1', 'statement', account_number => '1', opening_balance => 500000)",
        "open_wallet('buyer')",
        "open_wallet('seller')",
        "create_account('bank', 'asset')",
        "post_transfer('bank', 'wallets:buyer', 100000, 'topup')",
    ] {
        call(&client, set_up).await;
    }
    let lines = r#"[{"beneficiary": "wallets:seller", "amount": 100000, "fee": "merchant_commission"}]"#;
    let id = call(&client, &format!("open_escrow('O1', 'wallets:buyer', '{lines}')")).await["id"].to_owned();
    (db, client, id)
}

fn record(id: &str, reference: &str, more: &str) -> String {
    format!("record_bank_release('{id}', 'banks:bri:1', '{reference}'{more})")
}

#[tokio::test]
async fn what_was_earned_is_sent_once() {
    let (_db, client, id) = released("sent").await;
    let early = try_call(&client, &record(&id, "R1", "")).await;
    assert_error(early, "release_exceeds_escrow", "PT422");
    call(&client, &format!("release_escrow('{id}')")).await;
    let first = call(&client, &record(&id, "R1", ", '2026-01-05 10:00+07', amount => 30000")).await;
    assert_eq!(
        first.pick([
            "account",
            "bank_account",
            "amount",
            "transfer_reference",
            "sent_at",
            "line",
            "recorded_by"
        ]),
        ["wallets:seller", "banks:bri:1", "30000.00", "R1", "2026-01-05 03:00:00+00", "1", "postgres"]
    );
    let twice = try_call(&client, &record(&id, "R1", ", amount => 1000")).await;
    assert_error(twice, "already_exists", "PT409");
    let too_much = try_call(&client, &record(&id, "R2", ", amount => 55000.01")).await;
    let error = assert_error(too_much, "release_exceeds_escrow", "PT422");
    assert_eq!(error.detail["left"], "55000.00");
    assert_eq!(&call(&client, &record(&id, "R2", "")).await["amount"], "55000.00");
    assert_eq!(books::posted(&client, "wallets:seller").await, "0.00");
    assert_eq!(books::posted(&client, "banks:bri:1:outgoing").await, "85000.00");
    let rows = "SELECT count(*), sum(amount) FROM wallet_ledger.bank_releases WHERE reference = 'O1'";
    assert_eq!(lines(&client, rows).await[0].pick(["count", "sum"]), ["2", "85000.00"]);
    verify_clean(&client).await;
}

#[tokio::test]
async fn what_was_given_back_cannot_be_sent() {
    let (_db, client, id) = released("given_back").await;
    call(&client, &format!("release_escrow('{id}')")).await;
    call(&client, &format!("refund_escrow('{id}', 40000)")).await;
    let too_much = try_call(&client, &record(&id, "R", ", amount => 51000.01")).await;
    assert_error(too_much, "release_exceeds_escrow", "PT422");
    assert_eq!(&call(&client, &record(&id, "R", "")).await["amount"], "51000.00");
    verify_clean(&client).await;
}

#[tokio::test]
async fn what_was_sent_before_it_was_given_back_leaves_nothing() {
    let (_db, client, id) = released("sent_first").await;
    call(&client, &format!("release_escrow('{id}')")).await;
    call(&client, &record(&id, "R1", "")).await;
    call(&client, &format!("refund_escrow('{id}', 100000, on_shortfall => 'advance')")).await;
    assert_eq!(books::posted(&client, "receivables:wallets:seller").await, "85000.00");
    for more in ["", ", amount => 0.01"] {
        let error = assert_error(
            try_call(&client, &record(&id, "R2", more)).await,
            "release_exceeds_escrow",
            "PT422",
        );
        assert_eq!(error.detail["left"], "0.00");
    }
    verify_clean(&client).await;
}

#[tokio::test]
async fn what_is_wrong_is_said_and_nothing_moves() {
    let (_db, client, id) = released("wrong").await;
    call(&client, &format!("release_escrow('{id}')")).await;
    for (call_of, sqlstate, token) in [
        (record(&id, "", ""), "PT400", "invalid_argument"),
        (record(&id, "R", ", now() + interval '1 hour'"), "PT400", "invalid_argument"),
        (record(&id, "R", ", 'infinity'"), "PT400", "invalid_argument"),
        (record(&id, "R", ", line => 0"), "PT400", "invalid_argument"),
        (record(&id, "R", ", line => 2"), "PT400", "invalid_argument"),
        (record(&id, "R", ", line => NULL"), "PT400", "missing_argument"),
        (record(&id, "R", ", amount => 0"), "PT400", "invalid_amount"),
        (record(&id, "R", ", amount => 'NaN'"), "PT400", "invalid_amount"),
        (record(&id, "R", ", amount => 0.001"), "PT400", "invalid_amount"),
        (format!("record_bank_release('{id}', 'bank', 'R')"), "PT404", "bank_account_not_found"),
        (format!("record_bank_release('{id}', NULL, 'R')"), "PT400", "missing_argument"),
        ("record_bank_release(NULL, 'banks:bri:1', 'R')".to_owned(), "PT400", "missing_argument"),
        (record("00000000-0000-0000-0000-000000000000", "R", ""), "PT404", "escrow_not_found"),
    ] {
        assert_error(try_call(&client, &call_of).await, token, sqlstate);
    }
    assert_eq!(books::posted(&client, "wallets:seller").await, "85000.00");
    verify_clean(&client).await;
}

#[tokio::test]
async fn what_was_never_posted_is_found() {
    let (db, client, id) = released("tampered").await;
    call(&client, &format!("release_escrow('{id}')")).await;
    call(&client, &record(&id, "R1", "")).await;
    verify_clean(&client).await;
    let owner = db.connect().await;
    let forged = lines(
        &owner,
        "INSERT INTO wallet_data.bank_releases
         SELECT ledger_id, line, escrow_id, gen_random_uuid(), gen_random_uuid(), bank_account_id, sent_at,
                recorded_at, 1, 'R2', 'x' FROM wallet_data.bank_releases
         RETURNING bank_release_id",
    )
    .await
    .remove(0);
    let mut found: Vec<Vec<String>> = calls(&owner, "verify_ledger()")
        .await
        .iter()
        .map(|line| line.pick(["finding", "subject", "expected", "actual"]).map(str::to_owned).to_vec())
        .collect();
    found.sort();
    let mut wanted = vec![
        ["bank_release_mismatch", &forged["bank_release_id"], "1", "nothing"],
        ["bank_release_mismatch", &id, "at most 85000.00", "85001.00"],
    ];
    wanted.sort();
    assert_eq!(found, wanted);
}
