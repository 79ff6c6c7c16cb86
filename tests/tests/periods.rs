//! Proves that a closed period stays closed: nothing becomes effective in it, whoever was under way when
//! it closed and whatever snapshot they look from. The races are driven step by step; each step waits
//! until the server shows the lock that it expects.

use wallet_ledger_tests::*;

const DATED: &str = "post_transfer('wallets:a', 'shop', 1, effective_at => '2026-01-15 00:00+07')";
const CLOSE: &str = "close_period('main', '2026-02-01 00:00+07')";

#[tokio::test]
async fn nothing_becomes_effective_in_a_closed_period() {
    let (_db, client) = books("closed").await;
    call(&client, DATED).await;
    let closed = call(&client, CLOSE).await;
    assert_eq!(&closed["closed_until"], "2026-01-31 17:00:00+00");
    let before = contents(&client).await;
    assert_eq!(call(&client, CLOSE).await, closed, "closing twice is harmless");
    let error = assert_error(try_call(&client, DATED).await, "period_closed", "PT422");
    assert_eq!(
        error.detail,
        json!({"error": "period_closed", "effective_at": "2026-01-14T17:00:00Z",
               "closed_until": "2026-01-31T17:00:00Z"})
    );
    let earlier = try_call(&client, "close_period('main', '2026-01-01 00:00+07')").await;
    assert_error(earlier, "period_closed", "PT422");
    for until in ["now() + interval '1 second'", "'infinity'", "'-infinity'"] {
        let refused = try_call(&client, &format!("close_period('main', {until})")).await;
        assert_error(refused, "invalid_argument", "PT400");
    }
    assert_error(try_call(&client, "close_period('main', NULL)").await, "missing_argument", "PT400");
    let batch = r#"post_transfers('[
        {"debit_account": "wallets:a", "credit_account": "shop", "amount": 1},
        {"debit_account": "wallets:a", "credit_account": "shop", "amount": 1,
         "effective_at": "2026-01-31T23:59:59.999999+07:00"}]')"#;
    assert_eq!(assert_error(try_calls(&client, batch).await, "period_closed", "PT422").detail["position"], 2);
    assert_eq!(before, contents(&client).await);
    // The end of the period is the first open moment; without a date, now is open.
    call(&client, "post_transfer('wallets:a', 'shop', 1, effective_at => '2026-02-01 00:00+07')").await;
    let posted = call(&client, "post_transfer('wallets:a', 'shop', 1)").await;
    assert_eq!(posted["effective_at"], posted["created_at"]);
    let later =
        call(&client, "post_transfer('wallets:a', 'shop', 1, effective_at => '2999-01-01 00:00+07')").await;
    assert_eq!(&later["effective_at"], "2998-12-31 17:00:00+00");
    // Other ledgers close for themselves.
    call(&client, "create_ledger('other')").await;
    for account in ["x", "y"] {
        call(&client, &format!("create_account('{account}', 'asset', ledger => 'other')")).await;
    }
    call(&client, "post_transfer('x', 'y', 1, effective_at => '2026-01-15', ledger => 'other')").await;
    let history = "SELECT string_agg(ledger || ' ' || closed_until || ' ' || closed_by, ',') \
                   FROM wallet_ledger.closed_periods";
    assert_eq!(value(&client, history).await, "main 2026-01-31 17:00:00+00 postgres");
    verify_clean(&client).await;
}

#[tokio::test]
async fn closing_waits_for_postings_under_way_and_holds_back_new_ones() {
    for level in ["READ COMMITTED", "REPEATABLE READ"] {
        let (db, client) = books("under_way").await;
        let [poster, closer, late] = [db.app().await, db.app().await, db.app().await];
        db::execute(&poster, &format!("BEGIN ISOLATION LEVEL {level}")).await;
        call(&poster, DATED).await;
        let closer_pid = backend(&closer).await;
        let closing = tokio::spawn(async move { try_call(&closer, CLOSE).await });
        until_blocked(&client, &closer_pid).await;
        // Comes while the closing waits: must wait behind it, and find the period closed.
        db::execute(&late, &format!("BEGIN ISOLATION LEVEL {level}")).await;
        let late_pid = backend(&late).await;
        let posting = tokio::spawn(async move { try_call(&late, DATED).await });
        until_blocked(&client, &late_pid).await;
        db::execute(&poster, "COMMIT").await;
        closing.await.unwrap().unwrap();
        let refused = posting.await.unwrap();
        if level == "READ COMMITTED" {
            assert_error(refused, "period_closed", "PT422");
        } else {
            // Its snapshot is older than the closing; PostgreSQL says so, the ledger says try again.
            assert_eq!(assert_error(refused, "try_again", "PT503").detail["cause"], "serialization");
        }
        let inside =
            "SELECT count(*) FROM wallet_ledger.transfers WHERE effective_at < '2026-02-01 00:00+07'";
        assert_eq!(value(&client, inside).await, "1");
        verify_clean(&client).await;
    }
}

/// A snapshot from before the closing must not be a way around it.
#[tokio::test]
async fn an_old_snapshot_cannot_post_into_a_period_closed_since() {
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let (db, client) = books("old_snapshot").await;
        let old = db.app().await;
        db::execute(
            &old,
            &format!("BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM wallet_ledger.accounts"),
        )
        .await;
        call(&client, CLOSE).await;
        assert_error(try_call(&old, DATED).await, "try_again", "PT503");
        db::execute(&old, "ROLLBACK").await;
        // What is effective now is none of the closing's business, but the snapshot's accounts are fresh.
        db::execute(
            &old,
            &format!("BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM wallet_ledger.accounts"),
        )
        .await;
        call(&old, "post_transfer('wallets:a', 'shop', 1)").await;
        db::execute(&old, "COMMIT").await;
        verify_clean(&client).await;
    }
}

/// Every face that posts waits for the closing: otherwise one of them would be the way in.
#[tokio::test]
async fn every_posting_function_is_held_back_by_a_closing_under_way() {
    let (db, client) = books("faces").await;
    let posted = call(&client, "post_transfer('wallets:a', 'shop', 5)").await;
    let hold = call(&client, "hold_funds('wallets:a', 5, 'shop')").await;
    let closer = db.app().await;
    for sql in [
        "post_transfer('wallets:a', 'shop', 1)".to_owned(),
        "post_transfer('wallets:a', 'shop', 1, idempotency_key => 'k')".to_owned(),
        r#"post_transfers('[{"debit_account": "wallets:a", "credit_account": "shop", "amount": 1}]')"#.to_owned(),
        r#"post_transfers('[{"debit_account": "wallets:a", "credit_account": "shop", "amount": 1}]', 'call')"#.to_owned(),
        format!("reverse_transfer('{}', 1)", &posted["id"]),
        format!("reverse_transaction('{}')", &posted["transaction_id"]),
        format!("capture_hold('{}', 1)", &hold["id"]),
    ] {
        let day = value(&client, "SELECT now() - interval '1 day'").await;
        db::execute(&closer, "BEGIN").await;
        call(&closer, &format!("close_period('main', '{day}')")).await;
        let session = db.app().await;
        let pid = backend(&session).await;
        let posting = tokio::spawn(async move { try_calls(&session, &sql).await });
        until_blocked(&client, &pid).await;
        db::execute(&closer, "COMMIT").await;
        assert_eq!(posting.await.unwrap().unwrap().len(), 1);
    }
    verify_clean(&client).await;
}
