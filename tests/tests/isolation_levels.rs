//! Proves that callers of every isolation level stay correct against each other, and that what PostgreSQL
//! has to abort inside a function comes out as `try_again` (PT503) with the cause, never as 40001, 40P01
//! or 55P03. The commit of a SERIALIZABLE transaction is PostgreSQL's own statement: a 40001 there is its
//! own as well, nothing has been written, and the caller repeats the transaction as always.

use futures::future::join_all;
use rand::Rng;
use rand::seq::IndexedRandom;
use wallet_ledger_tests::*;

const LEVELS: [&str; 3] = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"];

async fn impatient(db: &TestDb) -> Client {
    let client = db.connect().await;
    // A setting of superusers: deadlocks are found soon, so that the test meets many.
    db::execute(&client, "SET deadlock_timeout = '20ms'; SET ROLE wallet_app").await;
    client
}

/// What one session met while it worked.
#[derive(Default)]
struct Met {
    committed: usize,
    refused: usize,
    aborted: usize,
    at_commit: usize,
}

async fn work(client: &Client, level: &str, seed: Seed, stream: u64, rounds: usize) -> Met {
    let mut rng = seed.rng(stream);
    let mut met = Met::default();
    let accounts = ["wallets:a", "wallets:b", "wallets:c", "float"];
    for round in 0..rounds {
        db::execute(
            client,
            &format!("BEGIN ISOLATION LEVEL {level}; SELECT sum(posted) FROM wallet_ledger.accounts"),
        )
        .await;
        let mut failed = None;
        for _ in 0..rng.random_range(1..=2) {
            let [from, to] = [accounts.choose(&mut rng).unwrap(), accounts.choose(&mut rng).unwrap()];
            let amount = rng.random_range(1..400);
            let sql = match rng.random_range(0..6) {
                0 => format!("hold_funds('{from}', {amount}, 'shop', now() + interval '30 milliseconds')"),
                1 => {
                    format!("post_transfer('{from}', '{to}', {amount}, idempotency_key => 'k{}')", round / 2)
                }
                2 => "expire_holds(10)".to_owned(),
                3 => format!(
                    "post_transfers('[{{\"debit_account\": \"{from}\", \"credit_account\": \"{to}\", \
                              \"amount\": {amount}}}]', on_error => 'report')"
                ),
                _ => format!("post_transfer('{from}', '{to}', {amount})"),
            };
            if let Err(error) = try_calls(client, &sql).await {
                failed = Some(sql_error(&error));
                break;
            }
        }
        match failed {
            Some(error) if error.sqlstate == "PT503" => {
                assert_eq!(error.token(), "try_again", "{error:?}");
                let cause = error.detail["cause"].as_str().unwrap();
                assert!(["serialization", "deadlock"].contains(&cause), "{error:?}");
                met.aborted += 1;
                db::execute(client, "ROLLBACK").await;
            }
            Some(error) => {
                assert!(error.sqlstate.starts_with("PT4") && !error.token().is_empty(), "{level}: {error:?}");
                met.refused += 1;
                db::execute(client, "ROLLBACK").await;
            }
            None => match client.batch_execute("COMMIT").await {
                Ok(()) => met.committed += 1,
                Err(error) => {
                    assert_eq!((sql_error(&error).sqlstate.as_str(), level), ("40001", "SERIALIZABLE"));
                    met.at_commit += 1;
                }
            },
        }
    }
    met
}

#[tokio::test]
async fn callers_of_all_levels_together_stay_correct() {
    let seed = Seed::from_env_or_random("isolation_levels");
    for levels in [&LEVELS[..1], &LEVELS[1..2], &LEVELS[2..], &LEVELS[..]] {
        let (db, client) = books("levels").await;
        call(&client, "create_account('float', 'liability', minimum_balance => 0, stripes => 3)").await;
        call(&client, "post_transfer('bank', 'float', 500)").await;
        let sessions = join_all((0..6).map(|_| impatient(&db))).await;
        let rounds = if long() { 300 } else { 25 };
        let met =
            join_all(sessions.iter().enumerate().map(|(index, session)| {
                work(session, levels[index % levels.len()], seed, index as u64, rounds)
            }))
            .await;
        let total = |of: fn(&Met) -> usize| met.iter().map(of).sum::<usize>();
        println!(
            "{levels:?}: {} committed, {} refused, {} to try again, {} aborted at commit",
            total(|met| met.committed),
            total(|met| met.refused),
            total(|met| met.aborted),
            total(|met| met.at_commit)
        );
        assert!(total(|met| met.committed) > rounds / 2);
        let sums = "SELECT sum(CASE WHEN type = 'asset' THEN posted ELSE -posted END) = 0 FROM wallet_ledger.accounts";
        assert_eq!(value(&client, sums).await, "t");
        let floors = "SELECT count(*) FROM wallet_data.accounts WHERE posted - held < minimum_balance";
        assert_eq!(value(&client, floors).await, "0");
        verify_clean(&client).await;
    }
}

/// Every function that writes, called with a snapshot that is older than what it has to change.
#[tokio::test]
async fn an_old_snapshot_gives_try_again_and_the_repeated_transaction_works() {
    for level in &LEVELS[1..] {
        let (db, client) = books("old").await;
        let hold = "hold_funds('wallets:a', 1, 'shop')";
        let capture = call(&client, hold).await["id"].to_owned();
        let release = call(&client, hold).await["id"].to_owned();
        let paid = call(&client, "post_transfer('wallets:a', 'shop', 5)").await;
        let session = db.app().await;
        for sql in [
            "post_transfer('wallets:a', 'shop', 1)".to_owned(),
            "post_transfers('[{\"debit_account\": \"wallets:a\", \"credit_account\": \"shop\", \"amount\": 1}]', on_error => 'report')".to_owned(),
            "hold_funds('wallets:a', 1)".to_owned(),
            format!("capture_hold('{capture}')"),
            format!("release_hold('{release}')"),
            format!("reverse_transfer('{}', 1)", &paid["id"]),
            format!("reverse_transaction('{}')", &paid["id"]),
            "freeze_account('wallets:a')".to_owned(),
        ] {
            db::execute(&session, &format!("BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM wallet_data.accounts")).await;
            call(&client, "post_transfer('bank', 'wallets:a', 1)").await;
            let error = assert_error(try_calls(&session, &sql).await, "try_again", "PT503");
            assert_eq!(error.detail["cause"], "serialization", "{sql}");
            db::execute(&session, &format!("ROLLBACK; BEGIN ISOLATION LEVEL {level}")).await;
            calls(&session, &sql).await;
            db::execute(&session, "COMMIT").await;
        }
        call(&client, "unfreeze_account('wallets:a')").await;
        // A key that was used since the snapshot: not seen, and still not used twice.
        db::execute(
            &session,
            &format!("BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM wallet_data.accounts"),
        )
        .await;
        let keyed = "post_transfer('bank', 'wallets:a', 1, idempotency_key => 'k')";
        call(&client, keyed).await;
        assert_error(try_call(&session, keyed).await, "try_again", "PT503");
        db::execute(&session, &format!("ROLLBACK; BEGIN ISOLATION LEVEL {level}")).await;
        assert_eq!(&call(&session, keyed).await["replayed"], "t");
        db::execute(&session, "COMMIT").await;
        verify_clean(&client).await;
    }
}

/// Write skew: two transactions each see enough in the other's account. The floor is each account's own
/// and the rows are locked, so neither level lets a floor break.
#[tokio::test]
async fn two_spenders_of_one_balance_never_both_have_it() {
    for level in LEVELS {
        let (db, client) = books("spenders").await;
        let [first, second] = [db.app().await, db.app().await];
        for session in [&first, &second] {
            let read = format!("BEGIN ISOLATION LEVEL {level}; SELECT posted FROM wallet_ledger.accounts");
            db::execute(session, &read).await;
        }
        call(&first, "post_transfer('wallets:a', 'shop', 1000)").await;
        let pid = backend(&second).await;
        let spending =
            tokio::spawn(
                async move { try_call(&second, "post_transfer('wallets:a', 'wallets:b', 1)").await },
            );
        until_blocked(&client, &pid).await;
        db::execute(&first, "COMMIT").await;
        let refused = spending.await.unwrap();
        if level == "READ COMMITTED" {
            assert_eq!(assert_error(refused, "insufficient_funds", "PT402").detail["available"], "0.00");
        } else {
            assert_error(refused, "try_again", "PT503");
        }
        assert_eq!(posted(&client, "wallets:a").await, "0.00");
        verify_clean(&client).await;
    }
}

#[tokio::test]
async fn lock_timeouts_and_deadlocks_are_try_again() {
    let (db, client) = books("aborts").await;
    let holder = db.app().await;
    db::execute(&holder, "BEGIN").await;
    call(&holder, "post_transfer('wallets:a', 'shop', 1, idempotency_key => 'k')").await;
    let waiter = db.app().await;
    db::execute(&waiter, "SET lock_timeout = '30ms'").await;
    for sql in [
        "post_transfer('wallets:a', 'wallets:b', 1)",
        "post_transfer('bank', 'wallets:b', 1, idempotency_key => 'k')",
        "hold_funds('wallets:a', 1)",
        "freeze_account('wallets:a')",
        "close_account('shop')",
        "close_period('main', '2026-01-01')",
        "post_transfers('[{\"debit_account\": \"wallets:a\", \"credit_account\": \"bank\", \"amount\": 1}]', on_error => 'report')",
    ] {
        let error = assert_error(try_calls(&waiter, sql).await, "try_again", "PT503");
        assert_eq!(error.detail["cause"], "lock_timeout", "{sql}");
    }
    db::execute(&holder, "COMMIT").await;
    assert_eq!(
        &call(&waiter, "post_transfer('wallets:a', 'shop', 1, idempotency_key => 'k')").await["replayed"],
        "t"
    );

    // Two transactions of two calls each, crosswise: one call alone never deadlocks, these must.
    let [left, right] = [impatient(&db).await, impatient(&db).await];
    for (session, account) in [(&left, "wallets:a"), (&right, "wallets:b")] {
        db::execute(session, "BEGIN").await;
        call(session, &format!("hold_funds('{account}', 1)")).await;
    }
    let (one, other) = tokio::join!(
        try_call(&left, "hold_funds('wallets:b', 1)"),
        try_call(&right, "hold_funds('wallets:a', 1)")
    );
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1, "one of them goes on");
    let aborted = if one.is_err() { one } else { other };
    let error = assert_error(aborted, "try_again", "PT503");
    assert_eq!(error.detail["cause"], "deadlock");
    let waited = error.detail["postgres_detail"].as_str().unwrap_or_default();
    assert_eq!(waited.matches("waits for").count(), 2, "{waited}");
    for session in [&left, &right] {
        db::execute(session, "COMMIT").await;
    }
    assert_eq!(balances(&client, "wallets:a").await[1], "1.00");
    verify_clean(&client).await;
}
