//! What cannot be done to a mutation is refused, says why, and changes nothing.

use super::*;

#[tokio::test]
async fn no_state_allows_more_than_its_table() {
    let (_db, client) = bank_books("states").await;
    const STATES: [&str; 7] =
        ["matched", "suspense", "review", "ignored", "assigned", "returned", "duplicate"];
    let table: [(&str, [bool; 7]); 5] = [
        ("match_mutation_by_hand('@', '#', 'r')", [false, true, true, false, false, false, false]),
        ("assign_mutation('@', 'shop', 'r')", [false, true, true, true, false, false, false]),
        ("return_mutation('@', 'r')", [false, true, true, false, false, false, false]),
        ("mark_mutation_duplicate('@', '%', 'r')", [false, true, true, true, false, false, false]),
        ("unmatch_mutation('@', 'r')", [true, false, false, false, true, true, true]),
    ];
    let mut number = 0;
    for (action, allowed) in table {
        for (state, allowed) in STATES.into_iter().zip(allowed) {
            number += 1;
            let line = intent(&client, 50_000, "").await;
            let paid = intent(&client, 60_000, "").await;
            let id = format!("m{number}");
            let movement = match state {
                "matched" => credit(&id, &paid["total"]),
                "ignored" => debit(&id, &format!("{number}.10")),
                _ => credit(&id, &format!("{number}.10")),
            };
            let twin = with(&movement, json!({"mutation_id": format!("twin {number}")}));
            let original =
                match_line(&client, &with(&twin, json!({"amount": movement["amount"]}))).await["mutation_id"]
                    .to_owned();
            let mutation = if state == "matched" {
                original.clone()
            } else {
                let distinct = if state == "review" {
                    movement.clone()
                } else {
                    with(&movement, json!({"description": "other"}))
                };
                match_line(&client, &distinct).await["mutation_id"].to_owned()
            };
            let step = match state {
                "assigned" => "assign_mutation('@', 'wallets:u', 'r')",
                "returned" => "return_mutation('@', 'r')",
                "duplicate" => "mark_mutation_duplicate('@', '%', 'r')",
                _ => "",
            };
            if !step.is_empty() {
                call(&client, &step.replace('@', &mutation).replace('%', &original)).await;
            }
            let status = format!("SELECT status FROM wallet_ledger.mutations WHERE id = '{mutation}'");
            assert_eq!(value(&client, &status).await, state);
            let sql = action.replace('@', &mutation).replace('#', &line["id"]).replace('%', &original);
            if allowed {
                call(&client, &sql).await;
                continue;
            }
            let before = contents(&client).await;
            let error = assert_error(try_call(&client, &sql).await, "mutation_not_matchable", "PT422");
            assert_eq!(
                (&error.detail["status"], &error.detail["mutation_id"]),
                (&json!(state), &json!(mutation)),
                "{sql}"
            );
            assert_eq!(before, contents(&client).await, "{sql} wrote something");
        }
    }
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn what_is_missing_or_unknown_is_named() {
    let (_db, client) = bank_books("unknown").await;
    let line = intent(&client, 50_000, "").await;
    let id = match_line(&client, &credit("m", "5")).await["mutation_id"].to_owned();
    call(&client, "create_account('dollars', 'liability', 'USD')").await;
    call(&client, "freeze_account('wallets:b', 'checked')").await;
    let before = contents(&client).await;
    let nobody = "00000000-0000-7000-8000-000000000000";
    let blank = "' '";
    let long = format!("'{}'", "x".repeat(1001));
    for sql in [
        "match_mutation_by_hand('@', '#', 'r')",
        "verify_payment('#', '@')",
        "assign_mutation('@', 'shop', 'r')",
        "return_mutation('@', 'r')",
        "unmatch_mutation('@', 'r')",
        "mark_mutation_duplicate('@', '@', 'r')",
    ] {
        let complete = sql.replace('#', &line["id"]);
        let unknown = complete.replace('@', nobody);
        let error = assert_error(try_call(&client, &unknown).await, "mutation_not_found", "PT404");
        assert_eq!(error.detail["mutation_id"], nobody, "{sql}");
        let missing = complete.replacen("'@'", "NULL", 1).replace('@', &id);
        assert_error(try_call(&client, &missing).await, "missing_argument", "PT400");
        if sql.contains("'r'") {
            for (reason, token) in [
                ("NULL", "missing_argument"),
                ("''", "invalid_argument"),
                (blank, "invalid_argument"),
                (&long, "invalid_argument"),
            ] {
                let sql = complete.replace('@', &id).replace("'r'", reason);
                let error = assert_error(try_call(&client, &sql).await, token, "PT400");
                assert_eq!(error.detail["argument"], "reason", "{sql}");
            }
        }
        if sql.contains('#') {
            let sql = sql.replace('@', &id).replace('#', nobody);
            assert_error(try_call(&client, &sql).await, "intent_not_found", "PT404");
            let missing = sql.replace(&format!("'{nobody}'"), "NULL");
            assert_error(try_call(&client, &missing).await, "missing_argument", "PT400");
        }
    }
    for (account, token, sqlstate) in [
        ("NULL", "missing_argument", "PT400"),
        ("'a b'", "invalid_address", "PT400"),
        ("'nobody'", "account_not_found", "PT404"),
        ("'dollars'", "currency_mismatch", "PT422"),
        ("'wallets:b'", "account_frozen", "PT422"),
        ("'banks:bca:1'", "invalid_argument", "PT400"),
        ("'banks:bca:1:suspense'", "invalid_argument", "PT400"),
        ("'banks:bca:1:outgoing'", "invalid_argument", "PT400"),
        ("'shop', 'r', 'no kind') --", "kind_not_found", "PT404"),
    ] {
        let sql = format!("assign_mutation('{id}', {account}, 'r')").replace(") --, 'r')", ")");
        assert_error(try_call(&client, &sql).await, token, sqlstate);
    }
    assert_eq!(before, contents(&client).await);
    assert_bank_sound(&client).await;
}

/// Of another ledger: as good as not there.
#[tokio::test]
async fn ledgers_do_not_see_each_others_mutations() {
    let (_db, client) = bank_books("ledgers").await;
    call(&client, "create_ledger('other')").await;
    call(&client, "register_bank_account('banks:x', 'moota', 'bca-1', '1000000001', ledger => 'other')")
        .await;
    db::execute(&client, "SET wallet_ledger.ledger = 'main'").await;
    let line = intent(&client, 50_000, "").await;
    let here = match_line(&client, &credit("m", "5")).await["mutation_id"].to_owned();
    let movement = credit("m", &line["total"]);
    let there =
        call(&client, &format!("match_mutation({}, ledger => 'other')", quoted(&movement.to_string()))).await;
    assert_eq!(
        (&there["outcome"], &there["bank_account"]),
        ("suspense", "banks:x"),
        "the same id, another movement, no intent"
    );
    for sql in [
        format!("match_mutation_by_hand('{}', '{}', 'r')", &there["mutation_id"], &line["id"]),
        format!("return_mutation('{here}', 'r', ledger => 'other')"),
    ] {
        assert_error(try_call(&client, &sql).await, "mutation_not_found", "PT404");
    }
    let crossed = format!(
        "match_mutation_by_hand('{}', '{}', 'r', ledger => 'other')",
        &there["mutation_id"], &line["id"]
    );
    assert_error(try_call(&client, &crossed).await, "intent_not_found", "PT404");
    assert_bank_sound(&client).await;
}
