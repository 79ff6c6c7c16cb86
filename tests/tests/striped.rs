//! Proves that a striped account is one account in everything but speed: balances add up over the
//! stripes, the floor holds across them however the money is spread, money is gathered when one stripe
//! is not enough, and states hold for all of it. Sessions that overlap are what spreads the money.

use futures::future::join_all;
use wallet_ledger_tests::*;

async fn float(test: &str, stripes: u32, floor: &str) -> (TestDb, Client) {
    let (db, client) = books(test).await;
    let sql =
        format!("create_account('float', 'liability', minimum_balance => {floor}, stripes => {stripes})");
    assert_eq!(&call(&client, &sql).await["stripes"], stripes.to_string());
    (db, client)
}

/// `bank` is a single row that sessions would queue for; from this one they can overlap.
async fn striped_vault(client: &Client) {
    db::execute(client, "SELECT wallet_ledger.create_account('vault', 'asset', stripes => 64)").await;
}

#[tokio::test]
async fn its_balance_is_the_sum_and_it_looks_like_one_account() {
    let (_db, client) = float("sum", 16, "0").await;
    let rows = "SELECT count(*) || ' ' || min(stripe) || ' ' || max(stripe) FROM wallet_data.accounts \
                WHERE address = 'float'";
    assert_eq!(value(&client, rows).await, "17 0 16");
    for amount in [100, 200, 300] {
        call(&client, &format!("post_transfer('bank', 'float', {amount})")).await;
    }
    assert_eq!(balances(&client, "float").await, ["600.00", "0.00", "600.00"].map(String::from));
    let listed = "SELECT count(*) FROM wallet_ledger.accounts WHERE account = 'float'";
    assert_eq!(value(&client, listed).await, "1");
    let again =
        call(&client, "create_account('float', 'liability', minimum_balance => 0, stripes => 16)").await;
    assert_eq!(again.pick(["posted", "available", "version", "stripes"]), ["600.00", "600.00", "3", "16"]);
    let expected = "post_transfer('float', 'shop', 1, expected_version => 3)";
    assert_error(try_call(&client, expected).await, "invalid_argument", "PT400");
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_ceiling_and_too_many_stripes_are_refused() {
    let db = TestDb::with_ledger("ceiling").await;
    let client = db.app().await;
    let before = contents(&client).await;
    for (arguments, argument) in [
        ("maximum_balance => 10, stripes => 2", "maximum_balance"),
        ("stripes => 0", "stripes"),
        ("stripes => -1", "stripes"),
        ("stripes => 257", "stripes"),
        ("stripes => 65537", "stripes"),
        ("stripes => 2147483647", "stripes"),
    ] {
        let sql = format!("create_account('float', 'liability', {arguments})");
        let error = assert_error(try_call(&client, &sql).await, "invalid_argument", "PT400");
        assert_eq!(error.detail["argument"], argument);
    }
    assert_eq!(before, contents(&client).await);
    call(&client, "create_account('widest', 'liability', stripes => 256)").await;
}

#[tokio::test]
async fn money_is_gathered_when_no_stripe_has_enough() {
    let (db, client) = float("gather", 8, "0").await;
    striped_vault(&client).await;
    let clients = spread(&db, 5, 100).await;
    let paid = call(&clients[0], "post_transfer('float', 'shop', 450, 'payment')").await;
    assert_eq!(paid.pick(["amount", "kind", "credit_balance"]), ["450.00", "payment", "450.00"]);
    assert_eq!(balances(&client, "float").await[0], "50.00");
    let rebalanced = "SELECT count(*) > 0 FROM wallet_ledger.transfers \
                      WHERE kind = 'rebalance' AND debit_account = 'float' AND credit_account = 'float'";
    assert_eq!(value(&client, rebalanced).await, "t");
    let short = try_call(&client, "post_transfer('float', 'shop', 50.01)").await;
    let error = assert_error(short, "insufficient_funds", "PT402");
    assert_eq!(error.detail["available"], "50.00");
    call(&client, "post_transfer('float', 'shop', 50)").await;
    assert_eq!(balances(&client, "float").await[0], "0.00");
    // What was gathered rides along and is not reversible by itself; the payment is.
    let id = value(&client, "SELECT id FROM wallet_ledger.transfers WHERE kind = 'rebalance' LIMIT 1").await;
    assert_error(try_call(&client, &format!("reverse_transfer('{id}')")).await, "not_reversible", "PT422");
    call(&client, &format!("reverse_transaction('{}')", &paid["transaction_id"])).await;
    assert_eq!(balances(&client, "float").await[0], "450.00");
    verify_clean(&client).await;
}

/// Puts `each` into as many stripes of `float` as there are sessions: each session still holds its
/// stripe when the next one comes, which therefore takes another.
async fn spread(db: &TestDb, sessions: usize, each: u32) -> Vec<Client> {
    let clients = join_all((0..sessions).map(|_| db.app())).await;
    for client in &clients {
        db::execute(client, "BEGIN").await;
        call(client, &format!("post_transfer('vault', 'float', {each}, 'topup')")).await;
    }
    for client in &clients {
        db::execute(client, "COMMIT").await;
    }
    let used =
        "SELECT count(*) FROM wallet_data.accounts WHERE address = 'float' AND stripe > 0 AND posted > 0";
    assert_eq!(value(&clients[0], used).await, sessions.to_string(), "one stripe per session");
    clients
}

#[tokio::test]
async fn the_floor_holds_across_stripes_when_sessions_race() {
    let (db, client) = float("race", 4, "-30").await;
    striped_vault(&client).await;
    let clients = spread(&db, 4, 100).await;
    call(&client, "create_account('sink', 'liability', stripes => 16)").await;
    // 430 may leave, 43 times 10; 8 sessions try 80 times in all.
    let more = join_all((0..4).map(|_| db.app())).await;
    let outcomes = join_all(clients.iter().chain(&more).map(|client| async move {
        let mut paid = 0;
        for _ in 0..10 {
            match try_call(client, "post_transfer('float', 'sink', 10)").await {
                Ok(_) => paid += 1,
                refused => {
                    assert_error(refused, "insufficient_funds", "PT402");
                }
            }
        }
        paid
    }))
    .await;
    assert_eq!(outcomes.iter().sum::<i32>(), 43, "every rupiah above the floor can be spent, none below");
    assert_eq!(balances(&client, "float").await[2], "-30.00");
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_state_holds_for_every_stripe() {
    let (_db, client) = float("state", 4, "0").await;
    call(&client, "post_transfer('bank', 'float', 10)").await;
    assert_eq!(&call(&client, "freeze_account('float')").await["state"], "frozen");
    let states = "SELECT count(*) FROM wallet_data.accounts WHERE address = 'float' AND state_id = 2";
    assert_eq!(value(&client, states).await, "5");
    for refused in ["post_transfer('bank', 'float', 1)", "post_transfer('float', 'shop', 1)"] {
        assert_error(try_call(&client, refused).await, "account_frozen", "PT422");
    }
    call(&client, "unfreeze_account('float')").await;
    assert_error(try_call(&client, "close_account('float')").await, "account_not_empty", "PT409");
    call(&client, "post_transfer('float', 'shop', 10)").await;
    assert_eq!(&call(&client, "close_account('float')").await["state"], "closed");
    assert_error(try_call(&client, "post_transfer('bank', 'float', 1)").await, "account_closed", "PT422");
    call(&client, "reopen_account('float')").await;
    call(&client, "post_transfer('bank', 'float', 1)").await;
    verify_clean(&client).await;
}

#[tokio::test]
async fn closing_waits_for_a_posting_to_any_stripe() {
    let (db, client) = float("close_race", 4, "0").await;
    let poster = db.app().await;
    db::execute(&poster, "BEGIN").await;
    call(&poster, "post_transfer('bank', 'float', 10)").await;
    let closer = db.app().await;
    let pid = backend(&closer).await;
    let closing = tokio::spawn(async move { try_call(&closer, "close_account('float')").await });
    until_blocked(&client, &pid).await;
    db::execute(&poster, "COMMIT").await;
    assert_error(closing.await.unwrap(), "account_not_empty", "PT409");
}

#[tokio::test]
async fn two_striped_accounts_pay_each_other_without_deadlock() {
    let (db, client) = float("deadlock", 4, "0").await;
    call(&client, "create_account('pool', 'liability', minimum_balance => 0, stripes => 4)").await;
    call(&client, "post_transfer('bank', 'float', 1000)").await;
    call(&client, "post_transfer('bank', 'pool', 1000)").await;
    let clients = join_all((0..6).map(|_| db.app())).await;
    join_all(clients.iter().enumerate().map(|(index, client)| async move {
        let (from, to) = if index % 2 == 0 { ("float", "pool") } else { ("pool", "float") };
        for _ in 0..15 {
            // More than one stripe has: gathers under the locks of all of them.
            call(client, &format!("post_transfer('{from}', '{to}', 10)")).await;
        }
    }))
    .await;
    assert_eq!(
        (posted(&client, "float").await, posted(&client, "pool").await),
        ("1000.00".into(), "1000.00".into())
    );
    verify_clean(&client).await;
}
