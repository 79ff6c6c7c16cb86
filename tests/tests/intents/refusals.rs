//! What cannot be done to an intent, or expected at all, is refused, says why, and changes nothing.

use super::*;

/// Every state and every action: what is not in the table is refused, says why, and changes nothing.
#[tokio::test]
async fn no_state_allows_more_than_its_table() {
    let (_db, client) = bank_books("states").await;
    const STATES: [&str; 6] = ["open", "pending_verification", "rejected", "paid", "expired", "cancelled"];
    const NO: (&str, &str) = ("already_resolved", "PT409");
    const NOT_PENDING: (&str, &str) = ("intent_not_pending", "PT409");
    const OVER: (&str, &str) = ("intent_expired", "PT422");
    const YES: (&str, &str) = ("", "");
    let table: [(&str, [(&str, &str); 6]); 5] = [
        ("cancel_intent('#')", [YES, YES, YES, NO, OVER, NO]),
        ("submit_payment_proof('#', 'p')", [YES, YES, YES, NO, OVER, NO]),
        ("reject_payment('#', 'r')", [NOT_PENDING, YES, NOT_PENDING, NO, OVER, NO]),
        ("verify_payment('#', '@')", [NOT_PENDING, YES, NOT_PENDING, NO, NOT_PENDING, NO]),
        ("match_mutation_by_hand('@', '#', 'r')", [YES, YES, YES, NO, YES, NO]),
    ];
    let mut number = 0;
    for (action, outcomes) in table {
        for (state, (token, sqlstate)) in STATES.into_iter().zip(outcomes) {
            number += 1;
            let line = match state {
                "expired" => expired(&client, 50_000, "").await,
                _ => intent(&client, 50_000, "").await,
            };
            let id = &line["id"];
            let steps: &[&str] = match state {
                "pending_verification" => &["submit_payment_proof('#', 'p')"],
                "rejected" => &["submit_payment_proof('#', 'p')", "reject_payment('#', 'r')"],
                "cancelled" => &["cancel_intent('#')"],
                _ => &[],
            };
            for step in steps {
                call(&client, &step.replace('#', id)).await;
            }
            if state == "paid" {
                match_line(&client, &credit(&format!("p{number}"), &line["total"])).await;
            }
            assert_eq!(status(&client, id).await, state);
            match_line(&client, &credit(&format!("m{number}"), &format!("7{number}.50"))).await;
            let mutation = mutation_now(&client, &format!("m{number}")).await["id"].to_owned();
            let sql = action.replace('#', id).replace('@', &mutation);
            if token.is_empty() {
                call(&client, &sql).await;
                continue;
            }
            let before = contents(&client).await;
            let error = assert_error(try_call(&client, &sql).await, token, sqlstate);
            assert_eq!(error.detail["status"], state, "{sql}");
            assert_eq!(error.detail["intent_id"], *id, "{sql}");
            assert_eq!(before, contents(&client).await, "{sql} wrote something");
        }
    }
    assert_bank_sound(&client).await;
}

/// Which accounts may serve: what mutations alone move is nobody's wallet, no other bank's, and no place for an
/// intent's money, a code's or a debt.
#[tokio::test]
async fn an_account_serves_one_purpose() {
    let (_db, client) = bank_books("serves").await;
    call(&client, "create_member('ani')").await;
    call(&client, "create_account('platform:codes', 'revenue')").await;
    let refused = async |sql: &str, argument: &str| {
        let before = contents(&client).await;
        let error = assert_error(try_call(&client, sql).await, "invalid_argument", "PT400");
        assert_eq!(error.detail["argument"], argument, "{sql}: {error:?}");
        assert_eq!(before, contents(&client).await, "{sql} wrote something");
    };
    let own = [BRI.to_owned(), format!("{BRI}:suspense"), format!("{BRI}:outgoing")];
    for account in ["wallets:u", "wallets:ani", "wallets:not-yet", &own[2]] {
        for argument in ["suspense_account", "outgoing_account"] {
            let sql = format!("register_bank_account('banks:x', 'moota', {argument} => '{account}')");
            refused(&sql, argument).await;
        }
    }
    let sql = format!("register_bank_account('banks:x', 'moota', outgoing_account => '{}')", &own[1]);
    refused(&sql, "outgoing_account").await;
    for account in &own {
        refused(&format!("create_intent('topup', '{account}', 50000, '{BCA}')"), "credit_account").await;
        for setting in ["unique_code_account", "shortfall_account"] {
            refused(&format!("set_setting('{setting}', '{account}')"), "value").await;
        }
    }
    // Set before it became a bank account's: found where it is used.
    call(&client, "set_setting('unique_code_account', 'banks:y:suspense')").await;
    call(&client, &format!("register_bank_account('banks:x', 'moota', suspense_account => '{}')", &own[1]))
        .await;
    call(&client, "register_bank_account('banks:y', 'moota', 'y')").await;
    refused(&format!("create_intent('topup', 'wallets:u', 50000, '{BCA}')"), "unique_code_account").await;
    call(&client, "set_setting('unique_code_account', 'platform:codes')").await;
    intent(&client, 50_000, "").await;
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn what_cannot_be_expected_is_refused() {
    let (_db, client) = bank_books("refused").await;
    call(&client, "create_account('closed', 'liability')").await;
    call(&client, "close_account('closed')").await;
    call(&client, "create_account('dollars', 'liability', 'USD')").await;
    let before = contents(&client).await;
    let create = |from: &str, to: &str| {
        format!("create_intent('other', 'wallets:u', 50000, '{BCA}', 'r', '1 hour')").replacen(from, to, 1)
    };
    let long = "x".repeat(256);
    for (from, to, token, sqlstate, argument) in [
        ("'other'", "NULL", "missing_argument", "PT400", "purpose"),
        ("'other'", "'Topup'", "invalid_argument", "PT400", "purpose"),
        ("'wallets:u'", "NULL", "missing_argument", "PT400", "credit_account"),
        ("'wallets:u'", "'a b'", "invalid_address", "PT400", "credit_account"),
        ("'wallets:u'", "'nobody'", "account_not_found", "PT404", ""),
        ("'wallets:u'", "'closed'", "account_closed", "PT422", ""),
        ("'wallets:u'", "'dollars'", "currency_mismatch", "PT422", ""),
        ("'wallets:u'", "'banks:bca:1'", "same_account", "PT400", ""),
        ("'wallets:u'", "'banks:bca:1:suspense'", "invalid_argument", "PT400", "credit_account"),
        ("'wallets:u'", "'banks:bca:1:outgoing'", "invalid_argument", "PT400", "credit_account"),
        ("50000", "NULL", "missing_argument", "PT400", "amount"),
        ("50000", "0", "invalid_amount", "PT400", "amount"),
        ("50000", "-1", "invalid_amount", "PT400", "amount"),
        ("50000", "0.001", "invalid_amount", "PT400", "amount"),
        ("50000", "'NaN'", "invalid_amount", "PT400", "amount"),
        ("50000", "'-Infinity'", "invalid_amount", "PT400", "amount"),
        ("50000", "1e400", "amount_out_of_range", "PT400", "amount"),
        ("50000", "792281625142643375935439503.35", "amount_out_of_range", "PT400", "amount"),
        ("'banks:bca:1'", "NULL", "missing_argument", "PT400", "bank_account"),
        ("'banks:bca:1'", "'wallets:u'", "bank_account_not_found", "PT404", ""),
        ("'banks:bca:1'", "'a b'", "invalid_address", "PT400", "bank_account"),
        ("'r'", "''", "invalid_argument", "PT400", "reference"),
        ("'r'", &format!("'{long}'"), "invalid_argument", "PT400", "reference"),
        ("'1 hour'", "NULL", "missing_argument", "PT400", "expires_in"),
        ("'1 hour'", "'0 seconds'", "invalid_argument", "PT400", "expires_in"),
        ("'1 hour'", "'-1 hour'", "invalid_argument", "PT400", "expires_in"),
        ("'1 hour'", "'367 days'", "invalid_argument", "PT400", "expires_in"),
        ("'1 hour'", "'178000000 years'", "invalid_argument", "PT400", "expires_in"),
        ("'1 hour'", "'1 hour', method => NULL", "missing_argument", "PT400", "method"),
        ("'1 hour'", "'1 hour', method => 'cash'", "invalid_argument", "PT400", "method"),
        ("'1 hour'", "'1 hour', number => '5'", "invalid_argument", "PT400", "number"),
        ("'1 hour'", "'1 hour', payer_name => ' '", "invalid_argument", "PT400", "payer_name"),
        ("'1 hour'", "'1 hour', metadata => '1'", "invalid_argument", "PT400", "metadata"),
        ("'1 hour'", "'1 hour', ''", "invalid_argument", "PT400", "idempotency_key"),
        ("'1 hour'", "'1 hour', ledger => 'nowhere'", "ledger_not_found", "PT404", ""),
    ] {
        let sql = create(from, to);
        let error = assert_error(try_call(&client, &sql).await, token, sqlstate);
        assert!(argument.is_empty() || error.detail["argument"] == argument, "{sql}: {error:?}");
        assert_eq!(before, contents(&client).await, "{sql} wrote something");
    }
    let nobody = "00000000-0000-7000-8000-000000000000";
    for sql in ["cancel_intent('#')", "submit_payment_proof('#', 'p')", "reject_payment('#', 'r')"] {
        let error =
            assert_error(try_call(&client, &sql.replace('#', nobody)).await, "intent_not_found", "PT404");
        assert_eq!(error.detail["intent_id"], nobody);
        let missing =
            assert_error(try_call(&client, &sql.replace("'#'", "NULL")).await, "missing_argument", "PT400");
        assert_eq!(missing.detail["argument"], "intent_id");
    }
    let open = intent(&client, 50_000, "").await;
    for (sql, token) in [
        ("cancel_intent('#', '')", "invalid_argument"),
        ("cancel_intent('#', ' ')", "invalid_argument"),
        ("submit_payment_proof('#', NULL)", "missing_argument"),
        ("submit_payment_proof('#', '')", "invalid_argument"),
        ("reject_payment('#', NULL)", "missing_argument"),
        ("reject_payment('#', '')", "invalid_argument"),
    ] {
        assert_error(try_call(&client, &sql.replace('#', &open["id"])).await, token, "PT400");
    }
    assert_bank_sound(&client).await;
}

/// What the application may read and call, the auditor may read, and nobody may write past the functions.
#[tokio::test]
async fn intents_are_written_by_functions_only() {
    let (db, client) = bank_books("written").await;
    let line = intent(&client, 50_000, "").await;
    let cancel = format!("SELECT * FROM wallet_ledger.cancel_intent('{}')", &line["id"]);
    let auditor = db.connect_as("wallet_auditor").await;
    assert_eq!(lines(&auditor, "SELECT * FROM wallet_ledger.intents").await.len(), 1);
    for sql in [cancel.as_str(), "SELECT wallet_ledger.expire_intents()"] {
        assert_eq!(sql_error(&try_lines(&auditor, sql).await.unwrap_err()).sqlstate, "42501");
    }
    for table in ["intents", "live_intents", "intent_codes", "mutations", "payment_actions"] {
        for sql in [
            format!("DELETE FROM wallet_data.{table}"),
            format!("UPDATE wallet_data.{table} SET ledger_id = 1"),
        ] {
            assert_eq!(sql_error(&try_lines(&client, &sql).await.unwrap_err()).sqlstate, "42501", "{sql}");
        }
    }
    for sql in [
        "DELETE FROM wallet_data.intents",
        "TRUNCATE wallet_data.intents CASCADE",
        "DELETE FROM wallet_data.mutations",
    ] {
        assert_error(try_lines(&db.connect().await, sql).await, "append_only", "PT403");
    }
}
