//! Proves what `post_transfers` adds to one posting: raise is all or nothing and names the position,
//! report gives each item its own outcome, linked items happen together or not at all in both modes,
//! ten thousand items are one call and one more is refused, and every item is what a single call
//! would have been.

use wallet_ledger_tests::*;

fn item(debit: &str, credit: &str, amount: &str, more: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!(", {more}") };
    format!(r#"{{"debit_account": "{debit}", "credit_account": "{credit}", "amount": {amount}{more}}}"#)
}

fn post(items: &[String], more: &str) -> String {
    format!("post_transfers('[{}]'{more})", items.join(", "))
}

#[tokio::test]
async fn raise_is_all_or_nothing_and_names_the_position() {
    let (_db, client) = books("raise").await;
    let before = contents(&client).await;
    for (bad, token, state) in [
        (item("wallets:c", "shop", "1", ""), "insufficient_funds", "PT402"),
        (item("wallets:nobody", "shop", "1", ""), "account_not_found", "PT404"),
        (item("wallets:a", "wallets:a", "1", ""), "same_account", "PT400"),
        (item("wallets:a", "shop", "0", ""), "invalid_amount", "PT400"),
        (item("wallets:a", "shop", "1", r#""kind": "nonsense""#), "kind_not_found", "PT404"),
    ] {
        let good = item("wallets:a", "shop", "1", "");
        for position in [1, 3] {
            let mut items = vec![good.clone(), good.clone()];
            items.insert(position - 1, bad.clone());
            let error = assert_error(try_calls(&client, &post(&items, "")).await, token, state);
            assert_eq!(error.detail["position"], position, "{error:?}");
            assert!(error.message.starts_with(&format!("item {position}: ")), "{error:?}");
            assert_eq!(before, contents(&client).await);
        }
    }
}

#[tokio::test]
async fn report_gives_each_item_its_own_outcome() {
    let (_db, client) = books("report").await;
    call(&client, "freeze_account('wallets:b')").await;
    let items = [
        item("wallets:a", "shop", "900", ""),
        item("wallets:a", "shop", "100.01", ""),
        item("wallets:a", "shop", "100", ""),
        item("wallets:b", "shop", "1", ""),
        item("wallets:a", "wallets:nobody", "1", ""),
        item("shop", "shop", "1", ""),
        item("shop", "wallets:c", "0.001", ""),
        item("shop", "wallets:c", "1000", ""),
    ];
    let outcomes = calls(&client, &post(&items, ", on_error => 'report'")).await;
    let told: Vec<_> =
        outcomes.iter().map(|row| row.pick(["position", "outcome", "error", "replayed"])).collect();
    assert_eq!(
        told,
        [
            ["1", "posted", "NULL", "f"],
            ["2", "rejected", "insufficient_funds", "f"],
            ["3", "posted", "NULL", "f"],
            ["4", "rejected", "account_frozen", "f"],
            ["5", "rejected", "account_not_found", "f"],
            ["6", "rejected", "same_account", "f"],
            ["7", "rejected", "invalid_amount", "f"],
            ["8", "posted", "NULL", "f"],
        ]
    );
    let detail = outcomes[1].json("detail");
    assert_eq!(
        (&detail["available"], &detail["shortfall"], &detail["position"]),
        (&json!("100.00"), &json!("0.01"), &json!(2))
    );
    assert_eq!(outcomes[1].pick(["id", "amount", "transaction_id"]), ["NULL"; 3]);
    assert_eq!(outcomes[2].pick(["amount", "debit_balance", "debit_version"]), ["100.00", "0.00", "3"]);
    assert_eq!(posted(&client, "wallets:c").await, "1000.00");
    // All rejected: nothing at all is written.
    let before = contents(&client).await;
    calls(&client, &post(&[item("wallets:a", "shop", "1", "")], ", on_error => 'report'")).await;
    assert_eq!(before, contents(&client).await);
    verify_clean(&client).await;
}

#[tokio::test]
async fn linked_items_happen_together_or_not_at_all() {
    let (_db, client) = books("linked").await;
    let linked = |debit, credit, amount, label: &str| {
        item(debit, credit, amount, &format!(r#""transaction": "{label}""#))
    };
    let items = [
        linked("wallets:a", "shop", "10", "first"),
        linked("wallets:a", "wallets:c", "20", "first"),
        linked("wallets:c", "shop", "5", "second"),
        linked("wallets:c", "shop", "15.01", "second"),
        linked("wallets:a", "shop", "970.01", "second"),
        item("wallets:c", "shop", "20", ""),
        linked("wallets:nobody", "shop", "1", "third"),
        linked("wallets:b", "shop", "500", "third"),
        item("wallets:b", "shop", "500", ""),
    ];
    let outcomes = calls(&client, &post(&items, ", on_error => 'report'")).await;
    let told: Vec<_> = outcomes.iter().map(|row| row.pick(["outcome", "error"])).collect();
    assert_eq!(
        told,
        [
            ["posted", "NULL"],
            ["posted", "NULL"],
            // The second transaction fails at its second item: what its first took is given back, so
            // that the sixth item finds all of it.
            ["rejected", "linked_item_failed"],
            ["rejected", "insufficient_funds"],
            ["rejected", "linked_item_failed"],
            ["posted", "NULL"],
            ["rejected", "account_not_found"],
            ["rejected", "linked_item_failed"],
            ["posted", "NULL"],
        ]
    );
    assert_eq!(outcomes[4].json("detail")["failed_position"], 4);
    assert_eq!(outcomes[7].json("detail")["failed_position"], 7);
    assert_eq!(outcomes[0]["transaction_id"], outcomes[1]["transaction_id"]);
    assert_ne!(outcomes[0]["transaction_id"], outcomes[5]["transaction_id"]);
    assert_eq!(outcomes[5]["transaction_id"], outcomes[5]["id"], "a single transfer is its own transaction");
    assert_eq!(posted(&client, "wallets:c").await, "0.00");
    assert_eq!(posted(&client, "wallets:b").await, "0.00");
    // The same label further down would silently make two transactions of one: refused.
    let apart = [items[0].clone(), items[5].clone(), items[1].clone()];
    let error = assert_error(try_calls(&client, &post(&apart, "")).await, "invalid_argument", "PT400");
    assert_eq!((&error.detail["argument"], &error.detail["position"]), (&json!("transaction"), &json!(3)));
    verify_clean(&client).await;
}

/// Money may pass through an account within one call, and an item may fail for what an earlier did.
#[tokio::test]
async fn items_see_what_earlier_items_did() {
    let (_db, client) = books("chain").await;
    let chain = [
        item("wallets:a", "wallets:c", "1000", ""),
        item("wallets:c", "wallets:b", "999.99", ""),
        item("wallets:b", "wallets:a", "1499.99", ""),
    ];
    let outcomes = calls(&client, &post(&chain, "")).await;
    let told: Vec<_> = outcomes.iter().map(|row| row.pick(["debit_balance", "credit_balance"])).collect();
    assert_eq!(told, [["0.00", "1000.00"], ["0.01", "1499.99"], ["0.00", "1499.99"]]);
    assert_eq!(outcomes[2].pick(["debit_version", "credit_version"]), ["3", "3"]);
    verify_clean(&client).await;
}

#[tokio::test]
async fn ten_thousand_items_are_one_call_and_one_more_is_refused() {
    let (_db, client) = books("ten_thousand").await;
    let many = |count: u32| {
        format!(
            "post_transfers((SELECT jsonb_agg(jsonb_build_object('debit_account', 'bank', \
             'credit_account', 'wallets:' || (ARRAY['a', 'b', 'c'])[1 + i % 3], 'amount', i)) \
             FROM generate_series(1, {count}) i))"
        )
    };
    let before = contents(&client).await;
    let error = assert_error(try_calls(&client, &many(10_001)).await, "too_many_items", "PT400");
    assert_eq!((&error.detail["count"], &error.detail["max_count"]), (&json!(10_001), &json!(10_000)));
    assert_eq!(before, contents(&client).await);
    let outcomes = calls(&client, &many(10_000)).await;
    assert_eq!(outcomes.len(), 10_000);
    for (index, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome["position"], (index + 1).to_string());
        assert_eq!(outcome["amount"], format!("{}.00", index + 1));
    }
    // 1 + 2 + … + 10,000, on top of the 1,500 of the beginning.
    assert_eq!(posted(&client, "bank").await, "50006500.00");
    assert_eq!(calls(&client, "post_transfers('[]')").await, [], "nothing to do is not an error");
    verify_clean(&client).await;
}

/// A batch leaves exactly what the same transfers leave one at a time.
#[tokio::test]
async fn a_batch_equals_its_items_one_at_a_time() {
    const LEFT: &str = "SELECT account, posted, version FROM wallet_ledger.accounts ORDER BY account";
    const LOG: &str = "SELECT debit_account, credit_account, amount, debit_balance, credit_balance, debit_version, \
                       credit_version, kind, reference FROM wallet_ledger.transfers ORDER BY id";
    let transfers: Vec<(String, String, u32)> = (0..200_u32)
        .map(|index| {
            let accounts = ["wallets:a", "wallets:b", "wallets:c", "shop", "bank"];
            let from = (index * 7 + index / 3) % 5;
            let to = (from + 1 + index % 4) % 5;
            (accounts[from as usize].to_owned(), accounts[to as usize].to_owned(), 1 + index * 13 % 90)
        })
        .collect();
    let mut results = Vec::new();
    for batched in [true, false] {
        let (_db, client) = books("equal").await;
        if batched {
            let items: Vec<_> = transfers
                .iter()
                .map(|(debit, credit, amount)| {
                    item(debit, credit, &amount.to_string(), r#""reference": "r""#)
                })
                .collect();
            calls(&client, &post(&items, ", on_error => 'report'")).await;
        } else {
            for (debit, credit, amount) in &transfers {
                let sql = format!("post_transfer('{debit}', '{credit}', {amount}, reference => 'r')");
                if let refused @ Err(_) = try_call(&client, &sql).await {
                    assert_error(refused, "insufficient_funds", "PT402");
                }
            }
        }
        verify_clean(&client).await;
        results.push((lines(&client, LEFT).await, lines(&client, LOG).await));
    }
    assert!(results[0].1.len() > 100, "most of them post");
    assert_eq!(results[0], results[1]);
}
