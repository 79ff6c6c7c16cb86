//! What people do: match, verify, assign, return, take back.

use wallet_ledger_tests::bank::actions;

use super::*;

/// A mutation in suspense; its id.
async fn waiting(client: &Client, provider_id: &str, amount: &str) -> String {
    let outcome = match_line(client, &credit(provider_id, amount)).await;
    assert!(["suspense", "review"].contains(&&outcome["outcome"]), "{outcome:?}");
    outcome["mutation_id"].to_owned()
}

#[tokio::test]
async fn a_person_can_match_what_the_rules_would_not() {
    let (_db, client) = bank_books("by_hand").await;
    db::execute(&client, "SET wallet_ledger.actor = 'sari'").await;
    let codes = "platform:revenue:unique_code";
    // Too little, too much, the base alone, the very total, and of another bank account.
    let mut wallet = dec!(0);
    for (case, amount, to_wallet, code) in [
        ("too little", dec!(49000), dec!(49000), false),
        ("too much", dec!(60000.50), dec!(60000.50), false),
        ("the base", dec!(50000), dec!(50000), false),
        ("the total", dec!(0), dec!(50000), true),
    ] {
        let line = intent(&client, 50_000, ", reference => 'r'").await;
        let amount = if amount.is_zero() { money(&line["total"]) } else { amount };
        let movement = with(&credit(case, &amount.to_string()), json!({"date": "2026-01-05 10:00:00"}));
        let id = match_line(&client, &movement).await["mutation_id"].to_owned();
        let had = balance(&client, codes).await;
        let row =
            call(&client, &format!("match_mutation_by_hand('{id}', '{}', '{case}')", &line["id"])).await;
        assert_eq!(row.pick(["status", "intent_id", "provider_mutation_id"]), ["matched", &line["id"], case]);
        let paid = intent_now(&client, &line["id"]).await;
        assert_eq!((&paid["status"], money(&paid["paid_amount"])), ("paid", amount));
        assert_eq!(paid["transaction_id"], row["transaction_id"]);
        wallet += to_wallet;
        assert_eq!(balance(&client, "wallets:u").await, wallet, "{case}");
        let expected = if code { money(&line["unique_code"]) } else { dec!(0) };
        assert_eq!(balance(&client, codes).await - had, expected, "{case}");
        let action = actions(&client).await.pop().unwrap();
        assert_eq!(
            action.pick(["action", "mutation_id", "intent_id", "transaction_id", "actor", "reason"]),
            ["match_mutation_by_hand", &id, &line["id"], &row["transaction_id"], "sari", case]
        );
        let event = events(&client, &["mutation.decided"]).await.pop().unwrap().json("payload");
        assert_eq!(
            [&event["action"], &event["status"], &event["actor"], &event["reason"]],
            ["match_mutation_by_hand", "matched", "sari", case]
        );
    }
    assert_eq!(balance(&client, SUSPENSE).await, dec!(0));
    assert_eq!(events(&client, &["intent.paid"]).await.len(), 4);
    // The payer has used the wrong one of our accounts.
    let line = call(&client, &format!("create_intent('topup', 'wallets:u', 50000, '{BRI}')")).await;
    let id = waiting(&client, "elsewhere", &line["total"]).await;
    call(&client, &format!("match_mutation_by_hand('{id}', '{}', 'the other bank')", &line["id"])).await;
    assert_eq!(balance(&client, "wallets:u").await, wallet + dec!(50000));
    assert_eq!(balance(&client, BRI).await, dec!(0));
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn money_without_an_intent_is_assigned() {
    let (_db, client) = bank_books("assign").await;
    db::execute(&client, "SET request.jwt.claims = '{\"sub\": \"finance-7\"}'").await;
    call(&client, "create_account('fees', 'expense')").await;
    call(&client, "create_account('donations', 'revenue')").await;
    call(&client, "create_kind('gift')").await;
    for (line, account, kind, debit_account, credit_account, expected) in [
        (credit("a", "100"), "wallets:u", "", SUSPENSE, "wallets:u", "deposit"),
        (credit("b", "200.50"), "donations", ", 'gift'", SUSPENSE, "donations", "gift"),
        (debit("c", "6500"), "fees", "", "fees", OUTGOING, "fee"),
        (debit("d", "50"), "wallets:u", ", 'withdrawal'", "wallets:u", OUTGOING, "withdrawal"),
    ] {
        let id = match_line(&client, &line).await["mutation_id"].to_owned();
        let row = call(&client, &format!("assign_mutation('{id}', '{account}', 'because'{kind})")).await;
        assert_eq!(row.pick(["status", "account"]), ["assigned", account]);
        let posted = one(
            &client,
            &format!(
                "SELECT * FROM wallet_ledger.transfers WHERE transaction_id = '{}'",
                &row["transaction_id"]
            ),
        )
        .await;
        assert_eq!(
            posted.pick(["debit_account", "credit_account", "kind"]),
            [debit_account, credit_account, expected]
        );
        assert_eq!(posted["amount"], row["amount"]);
        let action = actions(&client).await.pop().unwrap();
        assert_eq!(
            action.pick(["action", "mutation_id", "actor", "reason"]),
            ["assign_mutation", &id, "finance-7", "because"]
        );
    }
    assert_eq!(balance(&client, SUSPENSE).await, dec!(0));
    assert_eq!(balance(&client, OUTGOING).await, dec!(0), "everything that went out is for something");
    assert_eq!(balance(&client, "fees").await, dec!(6500));
    assert_eq!(balance(&client, "wallets:u").await, dec!(50));
    assert_eq!(balance(&client, BCA).await, dec!(300.50) - dec!(6550));
    assert_bank_sound(&client).await;
}

/// What goes back waits in the outgoing account until the bank says that it went.
#[tokio::test]
async fn money_goes_back_to_its_sender() {
    let (_db, client) = bank_books("return").await;
    let id = waiting(&client, "a", "750").await;
    let row = call(&client, &format!("return_mutation('{id}', 'unknown sender')")).await;
    assert_eq!(&row["status"], "returned");
    assert_eq!((balance(&client, SUSPENSE).await, balance(&client, OUTGOING).await), (dec!(0), dec!(750)));
    assert_eq!(balance(&client, BCA).await, dec!(750), "the bank has not said so");
    match_line(&client, &debit("b", "750")).await;
    assert_eq!((balance(&client, BCA).await, balance(&client, OUTGOING).await), (dec!(0), dec!(0)));
    let action = actions(&client).await.pop().unwrap();
    assert_eq!(action.pick(["action", "mutation_id", "reason"]), ["return_mutation", &id, "unknown sender"]);
    assert_bank_sound(&client).await;
}

/// Whatever was done with a mutation can be taken back, leaves the books as they were before, and can be done
/// again in another way.
#[tokio::test]
async fn everything_that_was_done_can_be_taken_back() {
    let (_db, client) = bank_books("unmatch").await;
    call(&client, "create_account('fees', 'expense')").await;
    for (case, number) in [
        ("automatic", 1),
        ("by hand", 2),
        ("exact by hand", 3),
        ("assigned", 4),
        ("returned", 5),
        ("debit", 6),
    ] {
        let line = intent(&client, 50_000, "").await;
        let id = format!("{case} {number}");
        let (suspense, wallet) = (balance(&client, SUSPENSE).await, balance(&client, "wallets:u").await);
        let codes = balance(&client, "platform:revenue:unique_code").await;
        let movement = match case {
            "automatic" => credit(&id, &line["total"]),
            "exact by hand" => with(&credit(&id, &line["total"]), json!({"date": "2026-01-05 10:00:00"})),
            "debit" => debit(&id, "450"),
            _ => credit(&id, "450.25"),
        };
        let mutation = match_line(&client, &movement).await["mutation_id"].to_owned();
        let outgoing = balance(&client, OUTGOING).await;
        let done = match case {
            "by hand" | "exact by hand" => {
                format!("match_mutation_by_hand('{mutation}', '{}', 'r')", &line["id"])
            }
            "assigned" => format!("assign_mutation('{mutation}', 'wallets:u', 'r')"),
            "returned" => format!("return_mutation('{mutation}', 'r')"),
            "debit" => format!("assign_mutation('{mutation}', 'fees', 'r')"),
            _ => String::new(),
        };
        if !done.is_empty() {
            call(&client, &done).await;
        }
        let was = mutation_now(&client, &id).await;
        let bank = balance(&client, BCA).await;
        for round in 0..2 {
            let row = call(&client, &format!("unmatch_mutation('{mutation}', 'a mistake {round}')")).await;
            let expected = if case == "debit" { "ignored" } else { "review" };
            assert_eq!(row.pick(["status", "intent_id", "account"]), [expected, "NULL", "NULL"], "{case}");
            assert_eq!(&row["reasons"], if case == "debit" { "{}" } else { "{unmatched}" }, "{case} {round}");
            assert_eq!(balance(&client, BCA).await, bank, "{case}: the bank's balance is the bank's");
            assert_eq!(balance(&client, "wallets:u").await, wallet, "{case}");
            assert_eq!(balance(&client, "platform:revenue:unique_code").await, codes, "{case}");
            assert_eq!(balance(&client, OUTGOING).await, outgoing, "{case}");
            let back = if case == "debit" { dec!(0) } else { money(&row["amount"]) };
            assert_eq!(balance(&client, SUSPENSE).await, suspense + back, "{case}");
            let open = intent_now(&client, &line["id"]).await;
            assert_eq!(
                open.pick(["status", "paid_amount", "mutation_id", "transaction_id", "closed_at"]),
                ["open", "NULL", "NULL", "NULL", "NULL"]
            );
            let action = actions(&client).await.pop().unwrap();
            assert_eq!(
                action.pick(["action", "mutation_id", "reason"]),
                ["unmatch_mutation", &mutation, &format!("a mistake {round}")]
            );
            if &was["status"] == "matched" {
                assert_eq!(&action["intent_id"], &line["id"]);
                let event = events(&client, &["intent.payment_undone"]).await.pop().unwrap().json("payload");
                assert_eq!(
                    (&event["intent_id"], &event["mutation_id"]),
                    (&json!(line["id"]), &json!(mutation))
                );
            }
            assert_error(
                try_call(&client, &format!("unmatch_mutation('{mutation}', 'r')")).await,
                "mutation_not_matchable",
                "PT422",
            );
            if round == 0 {
                let again = if done.is_empty() {
                    format!("match_mutation_by_hand('{mutation}', '{}', 'r')", &line["id"])
                } else {
                    done.clone()
                };
                call(&client, &again).await;
                assert_eq!(mutation_now(&client, &id).await["status"], was["status"], "{case}");
            }
        }
        assert_bank_sound(&client).await;
        if case != "debit" {
            call(&client, &format!("assign_mutation('{mutation}', 'shop', 'out of the way')")).await;
        }
        call(&client, &format!("cancel_intent('{}')", &line["id"])).await;
    }
    let wrong = "SELECT count(*) FROM wallet_ledger.transfers WHERE reverses_id IS NOT NULL";
    assert!(
        value(&client, wrong).await.parse::<u32>().unwrap() >= 12,
        "taken back by entries, not by changing any"
    );
}

/// Money that was spent cannot be taken back, and trying changes nothing.
#[tokio::test]
async fn spent_money_stays_where_it_is() {
    let (_db, client) = bank_books("spent").await;
    let line = intent(&client, 50_000, "").await;
    let matched = match_line(&client, &credit("m", &line["total"])).await["mutation_id"].to_owned();
    let assigned = waiting(&client, "a", "500").await;
    call(&client, &format!("assign_mutation('{assigned}', 'wallets:c', 'his')")).await;
    call(&client, "post_transfer('wallets:u', 'shop', 1)").await;
    call(&client, "hold_funds('wallets:c', 500)").await;
    let before = contents(&client).await;
    for mutation in [&matched, &assigned] {
        let error = assert_error(
            try_call(&client, &format!("unmatch_mutation('{mutation}', 'r')")).await,
            "insufficient_funds",
            "PT402",
        );
        assert!(error.detail["available"].is_string(), "{error:?}");
    }
    assert_eq!(before, contents(&client).await);
    call(&client, "post_transfer('shop', 'wallets:u', 1)").await;
    call(&client, "freeze_account('wallets:u', 'checked')").await;
    let before = contents(&client).await;
    let frozen = try_call(&client, &format!("unmatch_mutation('{matched}', 'r')")).await;
    assert_error(frozen, "account_frozen", "PT422");
    assert_eq!(before, contents(&client).await);
    call(&client, "unfreeze_account('wallets:u')").await;
    call(&client, &format!("unmatch_mutation('{matched}', 'r')")).await;
    assert_bank_sound(&client).await;
}

/// An intent whose time is over is expired again, not open.
#[tokio::test]
async fn an_undone_payment_does_not_turn_back_the_clock() {
    let (_db, client) = bank_books("undone_late").await;
    let line = intent(&client, 50_000, ", expires_in => '2 seconds'").await;
    match_line(&client, &credit("m", &line["total"])).await;
    until(&client, &format!("SELECT now() >= '{}'", &line["expires_at"]), "t").await;
    let mutation = mutation_now(&client, "m").await["id"].to_owned();
    call(&client, &format!("unmatch_mutation('{mutation}', 'not hers')")).await;
    let over = intent_now(&client, &line["id"]).await;
    assert_eq!(over.pick(["status", "closed_at", "reason"]), ["expired", &line["expires_at"], "not hers"]);
    // Within the grace the bank's time still counts.
    let outcome =
        match_line(&client, &with(&credit("n", &line["total"]), json!({"description": "the real one"})))
            .await;
    assert_eq!((told(&outcome).as_str(), &outcome["intent_id"]), ("matched", &line["id"]));
    assert_bank_sound(&client).await;
}

/// Reversing a posting on its own leaves mutation and intent as they are; unmatching brings them together again.
#[tokio::test]
async fn what_was_reversed_by_other_means_can_still_be_taken_back() {
    let (_db, client) = bank_books("reversed").await;
    let line = intent(&client, 50_000, "").await;
    let matched = match_line(&client, &credit("m", &line["total"])).await;
    let assigned = waiting(&client, "a", "500").await;
    let applied = call(&client, &format!("assign_mutation('{assigned}', 'wallets:c', 'his')")).await;
    for transaction in [&matched["transaction_id"], &applied["transaction_id"]] {
        calls(&client, &format!("reverse_transaction('{transaction}', 'by hand')")).await;
    }
    let found = calls(&client, "verify_ledger()").await;
    assert_eq!(
        found.iter().filter(|found| found["finding"] == *"mutation_posting_missing").count(),
        2,
        "{found:?}"
    );
    for mutation in [&matched["mutation_id"], &assigned] {
        let undone = call(&client, &format!("unmatch_mutation('{mutation}', 'nobody knows why')")).await;
        assert_eq!(&undone["status"], "review");
    }
    assert_eq!(&intent_now(&client, &line["id"]).await["status"], "open");
    assert_eq!(
        [balance(&client, "wallets:u").await, balance(&client, "wallets:c").await],
        [dec!(0), dec!(0)]
    );
    assert_eq!(balance(&client, SUSPENSE).await, money(&line["total"]) + dec!(500));
    assert_bank_sound(&client).await;
}
