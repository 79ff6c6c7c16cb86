//! Proves the promise of a key: one intention, one effect, one answer. The first result comes back bit for
//! bit, another request is refused by the name of the field that differs, a key is looked at before
//! anything else, a raised call leaves it free, a reported rejection does not, and fifty sessions at
//! once are as good as one.

use futures::future::join_all;
use wallet_ledger_tests::*;

const POST: &str = "post_transfer('wallets:a', 'shop', 10, 'payment', 'k', 'ref', 'words', '{\"a\": 1}', \
                    '2026-01-01 00:00+07', 1)";

/// Two answers are the same but for the flag that says which came first.
fn assert_replay(first: &[Line], again: &[Line]) {
    assert_eq!(first.len(), again.len());
    for (first, again) in first.iter().zip(again) {
        assert_eq!(first.without(&["replayed", "outcome"]), again.without(&["replayed", "outcome"]));
        assert_eq!((&first["replayed"], &again["replayed"]), ("f", "t"));
    }
}

#[tokio::test]
async fn every_function_with_a_key_replays_its_first_result() {
    let (_db, client) = books("replay").await;
    let first = calls(&client, "post_transfer('wallets:a', 'shop', 200, idempotency_key => 'first')").await;
    let hold = |key: &str| format!("hold_funds('wallets:a', 100, 'shop', idempotency_key => '{key}')");
    let held = [calls(&client, &hold("h1")).await, calls(&client, &hold("h2")).await];
    let (id, transaction) = (&first[0]["id"], &first[0]["transaction_id"]);
    let linked = r#"post_transfers('[
        {"debit_account": "wallets:a", "credit_account": "shop", "amount": 1, "transaction": "t"},
        {"debit_account": "wallets:a", "credit_account": "wallets:c", "amount": 2, "transaction": "t"}]', 'call')"#;
    let mut done = vec![
        ("post_transfer('wallets:a', 'shop', 200, idempotency_key => 'first')".to_owned(), first.clone()),
        (hold("h1"), held[0].clone()),
        (hold("h2"), held[1].clone()),
    ];
    for sql in [
        format!("capture_hold('{}', 40, idempotency_key => 'c')", &held[0][0]["id"]),
        format!("release_hold('{}', 'changed mind', idempotency_key => 'r')", &held[1][0]["id"]),
        format!("reverse_transfer('{id}', 50, 'half', 'rev')"),
        format!("reverse_transaction('{transaction}', 'rest', 'revall')"),
        linked.to_owned(),
        POST.replace(", 1)", ", NULL)"),
    ] {
        let answer = calls(&client, &sql).await;
        done.push((sql, answer));
    }
    // Much happens in between; the answers stay what they were.
    call(&client, "post_transfer('bank', 'wallets:a', 1000)").await;
    call(&client, "post_transfer('wallets:a', 'shop', 7)").await;
    call(&client, "freeze_account('wallets:a')").await;
    call(&client, "close_period('main', now() - interval '1 second')").await;
    let before = contents(&client).await;
    for (sql, first) in &done {
        assert_replay(first, &calls(&client, sql).await);
    }
    assert_eq!(before, contents(&client).await, "replays write nothing");
    verify_clean(&client).await;
}

#[tokio::test]
async fn another_request_is_refused_by_the_field_that_differs() {
    let (_db, client) = books("mismatch").await;
    call(&client, POST).await;
    let hold =
        call(&client, "hold_funds('wallets:a', 1, 'shop', NULL, 'payment', 'h', 'ref', 'words', '{}')").await;
    let id = hold["id"].to_owned();
    let other_hold = call(&client, "hold_funds('wallets:a', 1, 'shop')").await;
    let other = &other_hold["id"];
    call(&client, &format!("capture_hold('{id}', 0.5, 'shop', 'c')")).await;
    let transfer = call(&client, "post_transfer('wallets:a', 'shop', 3)").await;
    let transfer = &transfer["id"];
    call(&client, &format!("reverse_transfer('{transfer}', 1, 'why', 'r')")).await;
    let before = contents(&client).await;
    let hold_args = "'wallets:a', 1, 'shop', NULL, 'payment', 'h', 'ref', 'words', '{}'";
    let mut cases = vec![
        (POST.replace("'wallets:a'", "'wallets:b'"), "debit_account"),
        (POST.replace("'shop'", "'wallets:b'"), "credit_account"),
        (POST.replace(", 10,", ", 10.01,"), "amount"),
        (POST.replace(", 10,", ", NULL,"), "amount"),
        (POST.replace("'payment'", "'fee'"), "kind"),
        (POST.replace("'ref'", "'fer'"), "reference"),
        (POST.replace("'ref'", "NULL"), "reference"),
        (POST.replace("'words'", "''"), "description"),
        (POST.replace("\"a\": 1", "\"a\": 2"), "metadata"),
        (POST.replace("2026-01-01", "2026-01-02"), "effective_at"),
        (POST.replace(", 1)", ", 2)"), "expected_version"),
        (POST.replace(", 1)", ", NULL)"), "expected_version"),
        (format!("capture_hold('{other}', 0.5, 'shop', 'c')"), "hold_id"),
        (format!("capture_hold('{id}', 0.4, 'shop', 'c')"), "amount"),
        (format!("capture_hold('{id}', 0.5, 'bank', 'c')"), "destination"),
        (format!("reverse_transfer('{id}', 1, 'why', 'r')"), "transfer_id"),
        (format!("reverse_transfer('{transfer}', 2, 'why', 'r')"), "amount"),
        (format!("reverse_transfer('{transfer}', 1, 'not', 'r')"), "reason"),
        // Another function under the same key is another request as well.
        ("hold_funds('wallets:a', 10, idempotency_key => 'k')".to_owned(), "operation"),
        (format!("release_hold('{id}', idempotency_key => 'c')"), "operation"),
        (format!("reverse_transaction('{transfer}', 'why', 'r')"), "operation"),
        ("post_transfer('wallets:a', 'shop', 1, idempotency_key => 'h')".to_owned(), "operation"),
        ("post_transfers('[]', 'k')".to_owned(), "operation"),
    ];
    for (from, to, field) in [
        ("'wallets:a'", "'wallets:b'", "account"),
        (", 1,", ", 2,", "amount"),
        ("'shop'", "'bank'", "destination"),
        ("NULL", "'2999-01-01'", "expires_at"),
        ("'payment'", "'fee'", "kind"),
        ("'ref'", "'fer'", "reference"),
        ("'words'", "'other'", "description"),
        ("'{}'", "'[]'", "metadata"),
    ] {
        cases.push((format!("hold_funds({})", hold_args.replace(from, to)), field));
    }
    for (sql, field) in cases {
        let error = assert_error(try_calls(&client, &sql).await, "idempotency_conflict", "PT409");
        assert_eq!(error.detail["field"], field, "{sql}");
        assert!(error.message.contains(field), "{sql}: {error:?}");
    }
    // The same amount and the same moment written in another way are the same request.
    for same in
        [POST.replace(", 10,", ", 10.000,"), POST.replace("2026-01-01 00:00+07", "2025-12-31 17:00+00")]
    {
        assert_eq!(&call(&client, &same).await["replayed"], "t");
    }
    let json = r#"post_transfers('[{"debit_account": "wallets:a", "credit_account": "shop", "amount": "10.0",
        "kind": "payment", "idempotency_key": "k", "reference": "ref", "description": "words",
        "metadata": {"a": 1}, "effective_at": "2026-01-01T00:00:00+07:00", "expected_version": 1}]')"#;
    assert_eq!(
        &calls(&client, json).await[0]["outcome"],
        "replayed",
        "an item means what a single call means"
    );
    assert_eq!(before, contents(&client).await);
}

#[tokio::test]
async fn the_key_comes_before_every_other_check() {
    let (_db, client) = books("first").await;
    call(&client, POST).await;
    for other in [
        POST.replace(", 10,", ", -1,"),
        POST.replace("'shop'", "'not an address'"),
        POST.replace("'payment'", "'nonsense'"),
        POST.replace("'wallets:a'", "NULL"),
        POST.replace("'shop'", "'wallets:a'"),
    ] {
        assert_error(try_call(&client, &other).await, "idempotency_conflict", "PT409");
    }
    for bad in ["''", "repeat('k', 256)", "repeat('é', 128)"] {
        let sql = format!("post_transfer('wallets:a', 'shop', -1, idempotency_key => {bad})");
        let error = assert_error(try_call(&client, &sql).await, "invalid_argument", "PT400");
        assert_eq!(error.detail["argument"], "idempotency_key");
    }
    call(&client, "post_transfer('wallets:a', 'shop', 1, idempotency_key => repeat('💸', 63))").await;
}

#[tokio::test]
async fn a_raised_call_leaves_its_keys_free() {
    let (_db, client) = books("free").await;
    let before = contents(&client).await;
    let post = "post_transfer('wallets:c', 'shop', 10, idempotency_key => 'k')";
    let batch = r#"post_transfers('[
        {"debit_account": "wallets:a", "credit_account": "shop", "amount": 1, "idempotency_key": "i"},
        {"debit_account": "wallets:c", "credit_account": "shop", "amount": 10}]', 'call')"#;
    let hold = "hold_funds('wallets:c', 10, idempotency_key => 'h')";
    for sql in [post, batch, hold] {
        assert_error(try_calls(&client, sql).await, "insufficient_funds", "PT402");
        assert_eq!(before, contents(&client).await);
    }
    call(&client, "post_transfer('bank', 'wallets:c', 50)").await;
    for sql in [post, batch, hold] {
        assert_eq!(&calls(&client, sql).await[0]["replayed"], "f");
    }
    // A rolled-back caller too.
    db::execute(&client, "BEGIN").await;
    call(&client, &post.replace("'k'", "'rolled'")).await;
    db::execute(&client, "ROLLBACK").await;
    assert_eq!(&call(&client, &post.replace("'k'", "'rolled'")).await["replayed"], "f");
}

#[tokio::test]
async fn a_reported_rejection_is_remembered() {
    let (_db, client) = books("remembered").await;
    let batch = r#"post_transfers('[
        {"debit_account": "wallets:c", "credit_account": "shop", "amount": 10, "idempotency_key": "poor"},
        {"debit_account": "wallets:a", "credit_account": "shop", "amount": 10, "idempotency_key": "rich"}]',
        on_error => 'report')"#;
    let first = calls(&client, batch).await;
    assert_eq!(first[0].pick(["outcome", "error", "replayed"]), ["rejected", "insufficient_funds", "f"]);
    call(&client, "post_transfer('bank', 'wallets:c', 100)").await;
    let before = contents(&client).await;
    let again = calls(&client, batch).await;
    assert_replay(&first, &again);
    assert_eq!(again[1].pick(["outcome", "replayed"]), ["replayed", "t"]);
    // Under raise, and alone, it is the error that it was.
    let raised = assert_error(
        try_calls(&client, &batch.replace("'report'", "'raise'")).await,
        "insufficient_funds",
        "PT402",
    );
    assert_eq!(raised.detail["available"], "0.00");
    let alone = "post_transfer('wallets:c', 'shop', 10, idempotency_key => 'poor')";
    assert_error(try_call(&client, alone).await, "insufficient_funds", "PT402");
    assert_eq!(before, contents(&client).await, "a later retry never half-succeeds by surprise");
    // The position is that of the call that asks, and a single call has none.
    let error = assert_error(try_call(&client, alone).await, "insufficient_funds", "PT402");
    assert!(error.detail["position"].is_null() && error.message.starts_with("account "), "{error:?}");
    let moved = r#"post_transfers('[
        {"debit_account": "bank", "credit_account": "shop", "amount": 1},
        {"debit_account": "wallets:c", "credit_account": "shop", "amount": 10, "idempotency_key": "poor"}]', on_error => '#')"#;
    let outcome = calls(&client, &moved.replace('#', "report")).await.remove(1);
    assert_eq!((&outcome["replayed"], &outcome.json("detail")["position"]), ("t", &json!(2)));
    assert!(outcome["message"].starts_with("item 2: account "), "{outcome:?}");
    let error =
        assert_error(try_calls(&client, &moved.replace('#', "raise")).await, "insufficient_funds", "PT402");
    assert!(error.message.starts_with("item 2: account ") && error.detail["position"] == 2, "{error:?}");
    // All of a rejected transaction is remembered, the innocent items with it.
    let linked = r#"post_transfers('[
        {"debit_account": "wallets:c", "credit_account": "shop", "amount": 1, "idempotency_key": "t1", "transaction": "t"},
        {"debit_account": "wallets:nobody", "credit_account": "shop", "amount": 1, "idempotency_key": "t2", "transaction": "t"}]',
        on_error => 'report')"#;
    let first = calls(&client, linked).await;
    assert_eq!(
        first.iter().map(|row| &row["error"]).collect::<Vec<_>>(),
        ["linked_item_failed", "account_not_found"]
    );
    call(&client, "open_wallet('nobody')").await;
    call(&client, "post_transfer('bank', 'wallets:nobody', 100)").await;
    assert_replay(&first, &calls(&client, linked).await);
    verify_clean(&client).await;
}

#[tokio::test]
async fn a_key_for_the_whole_call_works_in_both_modes() {
    let (_db, client) = books("call_key").await;
    for mode in ["raise", "report"] {
        let batch = |amount: u32, key: &str| {
            format!(
                r#"post_transfers('[{{"debit_account": "wallets:a", "credit_account": "shop", "amount": {amount}}},
                {{"debit_account": "wallets:a", "credit_account": "shop", "amount": 2, "idempotency_key": "{mode}-item"}}]',
                '{key}', '{mode}')"#
            )
        };
        let first = calls(&client, &batch(5, mode)).await;
        assert_replay(&first, &calls(&client, &batch(5, mode)).await);
        let error = assert_error(try_calls(&client, &batch(6, mode)).await, "idempotency_conflict", "PT409");
        assert_eq!(error.detail["field"], "transfers");
        let other_mode = batch(5, mode)
            .replace(&format!("'{mode}')"), if mode == "raise" { "'report')" } else { "'raise')" });
        let error = assert_error(try_calls(&client, &other_mode).await, "idempotency_conflict", "PT409");
        assert_eq!(error.detail["field"], "on_error");
    }
    let rejected = r#"post_transfers('[{"debit_account": "wallets:c", "credit_account": "shop", "amount": 5},
        {"debit_account": "wallets:a", "credit_account": "shop", "amount": 5}]', 'mixed', 'report')"#;
    let first = calls(&client, rejected).await;
    assert_eq!(first.iter().map(|row| &row["outcome"]).collect::<Vec<_>>(), ["rejected", "posted"]);
    call(&client, "post_transfer('bank', 'wallets:c', 100)").await;
    assert_replay(&first, &calls(&client, rejected).await);
    verify_clean(&client).await;
}

#[tokio::test]
async fn the_same_key_twice_in_one_batch_is_one_posting() {
    let (_db, client) = books("twice").await;
    let batch = |second: u32, mode: &str| {
        format!(
            r#"post_transfers('[{{"debit_account": "wallets:a", "credit_account": "shop", "amount": 5, "idempotency_key": "{mode}{second}"}},
            {{"debit_account": "wallets:a", "credit_account": "shop", "amount": {second}, "idempotency_key": "{mode}{second}"}}]',
            on_error => '{mode}')"#
        )
    };
    for mode in ["raise", "report"] {
        let outcomes = calls(&client, &batch(5, mode)).await;
        assert_eq!(
            outcomes.iter().map(|row| row.pick(["outcome", "replayed"])).collect::<Vec<_>>(),
            [["posted", "f"], ["replayed", "t"]]
        );
        assert_eq!(outcomes[0]["id"], outcomes[1]["id"]);
        assert_eq!(outcomes[0]["debit_balance"], outcomes[1]["debit_balance"]);
    }
    let error = assert_error(try_calls(&client, &batch(6, "raise")).await, "idempotency_conflict", "PT409");
    assert_eq!((&error.detail["field"], &error.detail["position"]), (&json!("amount"), &json!(2)));
    let outcomes = calls(&client, &batch(6, "report")).await;
    assert_eq!(
        outcomes.iter().map(|row| row.pick(["outcome", "error"])).collect::<Vec<_>>(),
        [["posted", "NULL"], ["rejected", "idempotency_conflict"]]
    );
    // The conflict was the second item's: the key stands for the first.
    assert_eq!(
        &call(&client, "post_transfer('wallets:a', 'shop', 5, idempotency_key => 'report6')").await["replayed"],
        "t"
    );
    verify_clean(&client).await;
}

#[tokio::test]
async fn fifty_sessions_with_one_key_have_one_effect_and_one_answer() {
    let (db, client) = books("fifty").await;
    let sessions = join_all((0..50).map(|_| db.app())).await;
    let batch = r#"post_transfers('[{"debit_account": "wallets:a", "credit_account": "shop", "amount": 1},
        {"debit_account": "wallets:b", "credit_account": "shop", "amount": 1, "idempotency_key": "item"}]', 'call', 'report')"#;
    let keyed = r#"post_transfers('[{"debit_account": "wallets:a", "credit_account": "shop", "amount": 1, "idempotency_key": "x"},
        {"debit_account": "wallets:b", "credit_account": "shop", "amount": 1, "idempotency_key": "y"}]')"#;
    let hold = "hold_funds('wallets:a', 10, 'shop', idempotency_key => 'hold')";
    for sql in [POST, hold, batch, keyed] {
        let sql = sql.replace(", 1)", ", NULL)");
        let answers = join_all(sessions.iter().map(|client| calls(client, &sql))).await;
        let plain = |answer: &Vec<Line>| {
            answer.iter().map(|row| row.without(&["replayed", "outcome"])).collect::<Vec<_>>()
        };
        assert!(answers.iter().all(|answer| plain(answer) == plain(&answers[0])), "{sql}");
        let fresh = answers.iter().filter(|answer| answer.iter().all(|row| &row["replayed"] == "f")).count();
        assert_eq!(fresh, 1, "{sql}");
    }
    assert_eq!(value(&client, "SELECT count(*) FROM wallet_ledger.transfers").await, "7");
    assert_eq!(value(&client, "SELECT count(*) FROM wallet_ledger.holds").await, "1");
    verify_clean(&client).await;
}

#[tokio::test]
async fn keys_are_forgotten_by_age_in_bounded_steps_the_oldest_first() {
    let (db, client) = books("forget").await;
    for key in 1..=5 {
        call(&client, &format!("post_transfer('wallets:a', 'shop', 1, idempotency_key => 'k{key}')")).await;
    }
    // Only a superuser can make a key old.
    let age =
        "UPDATE wallet_data.idempotency_keys SET created_at = now() - right(key, 1)::int * interval '1 hour'";
    db::execute(&db.connect().await, age).await;
    let forget = |age: &str, count: i32| format!("forget_idempotency_keys('{age}', {count})");
    for (age, count) in
        [("59 minutes 59 seconds", 1), ("-1 day", 1), ("1 day", 0), ("1 day", -1), ("1 day", 1_000_001)]
    {
        assert_error(try_call(&client, &forget(age, count)).await, "invalid_argument", "PT400");
    }
    let left = "SELECT string_agg(key, ' ' ORDER BY key) FROM wallet_data.idempotency_keys";
    for (age, count, forgotten, rest) in [
        ("6 hours", 10, "0", "k1 k2 k3 k4 k5"),
        ("100000000 years", 10, "0", "k1 k2 k3 k4 k5"),
        ("2 hours 30 minutes", 2, "2", "k1 k2 k3"),
        ("2 hours 30 minutes", 2, "1", "k1 k2"),
        ("2 hours 30 minutes", 2, "0", "k1 k2"),
    ] {
        assert_eq!(&call(&client, &forget(age, count)).await["forget_idempotency_keys"], forgotten);
        assert_eq!(value(&client, left).await, rest);
    }
    assert_eq!(
        &call(&client, "post_transfer('wallets:a', 'shop', 1, idempotency_key => 'k5')").await["replayed"],
        "f"
    );
    assert_eq!(
        &call(&client, "post_transfer('wallets:a', 'shop', 1, idempotency_key => 'k1')").await["replayed"],
        "t"
    );
    verify_clean(&client).await;
}

/// Each of two calls has the key of the other on an item. All keys of a call are claimed in one order, so one of them
/// waits for the other, and is told that the keys are used otherwise: nobody is aborted.
#[tokio::test]
async fn keys_of_calls_and_keys_of_items_have_one_order() {
    let (db, client) = books("crossed").await;
    let [first, second, blocker] = [db.app().await, db.app().await, db.app().await];
    let batch = |key: &str, item: &str| {
        let with = |key: &str| json!({"debit_account": "wallets:a", "credit_account": "shop", "amount": 5, "idempotency_key": key});
        format!("post_transfers('{}', '{key}')", json!([with("m"), with(item)]))
    };
    // Both are in the middle of their claiming when the key that both want becomes free.
    db::execute(&blocker, "BEGIN").await;
    call(&blocker, "post_transfer('wallets:a', 'shop', 1, idempotency_key => 'm')").await;
    let processes = [backend(&first).await, backend(&second).await];
    let release = async {
        for process in &processes {
            until_blocked(&client, process).await;
        }
        db::execute(&blocker, "ROLLBACK").await;
    };
    let calls = [batch("x", "y"), batch("y", "x")];
    let (one, other, ()) = tokio::join!(try_calls(&first, &calls[0]), try_calls(&second, &calls[1]), release);
    let (winner, loser) = if one.is_ok() { (one, other) } else { (other, one) };
    assert_eq!(winner.unwrap_or_else(|error| panic!("{:#?}", sql_error(&error))).len(), 2);
    assert_error(loser, "idempotency_conflict", "PT409");
    assert_eq!(posted(&client, "shop").await, "10.00");
    verify_clean(&client).await;
}

/// A key is of the call or of an item of it, not both.
#[tokio::test]
async fn a_call_and_its_item_do_not_share_a_key() {
    let (_db, client) = books("shared_key").await;
    let item =
        r#"{"debit_account": "wallets:a", "credit_account": "shop", "amount": 5, "idempotency_key": "k"}"#;
    let batch = |mode: &str| format!("post_transfers('[{item}]', 'k', '{mode}')");
    let error = assert_error(try_calls(&client, &batch("raise")).await, "idempotency_conflict", "PT409");
    assert_eq!(error.detail["field"], "operation");
    let first = calls(&client, &batch("report")).await;
    assert_eq!(first[0].pick(["outcome", "error"]), ["rejected", "idempotency_conflict"]);
    assert_replay(&first, &calls(&client, &batch("report")).await);
    assert_eq!(posted(&client, "shop").await, "0");
    verify_clean(&client).await;
}

/// Retention may forget an item's key before that of its call: a repeated call claims nothing anew.
#[tokio::test]
async fn a_replay_of_a_call_claims_no_key_of_its_items() {
    let (db, client) = books("replayed_call").await;
    let batch = r#"post_transfers('[{"debit_account": "wallets:a", "credit_account": "shop", "amount": 5,
        "idempotency_key": "item"}]', 'call')"#;
    let first = calls(&client, batch).await;
    let root = db.connect().await;
    db::execute(&root, "DELETE FROM wallet_data.idempotency_keys WHERE key = 'item'").await;
    assert_replay(&first, &calls(&client, batch).await);
    assert_eq!(value(&root, "SELECT string_agg(key, ' ') FROM wallet_data.idempotency_keys").await, "call");
    assert_eq!(posted(&client, "shop").await, "5.00");
    verify_clean(&client).await;
}
