//! The guards in the tables, each one alone: what refuses when the code above it is wrong.
//!
//! The first half goes past the functions, as a superuser, and shows that each constraint, index and
//! trigger bites by itself. The second half shows the guards that live in the code (row locks, the
//! version in the write-back, the rules, the claim of a key) by what two sessions can see of them.
//! `scripts/mutants.sh` removes every one of them in turn and demands that its test here goes red.

use futures::future::join_all;
use wallet_ledger_tests::books::{backend, balances, books, until_blocked};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::lines::{call, try_call, value};
use wallet_ledger_tests::proof::assert_sound;
use wallet_ledger_tests::*;

/// Runs a statement that must be refused; the SQLSTATE and the constraint or message.
async fn refused(client: &Client, sql: &str) -> (String, String) {
    match client.batch_execute(sql).await {
        Ok(()) => panic!("not refused: {sql}"),
        Err(error) => {
            let db = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error}"));
            let what = db.constraint().unwrap_or(db.message());
            (db.code().code().to_owned(), what.to_owned())
        }
    }
}

/// A copy of the first transfer of wallets:a with other values in some columns.
fn copied_transfer(changes: &str) -> String {
    format!(
        "INSERT INTO wallet_data.transfers SELECT (jsonb_populate_record(t, \
         jsonb_build_object('transfer_id', gen_random_uuid()) || '{changes}')).* \
         FROM wallet_data.transfers t JOIN wallet_data.accounts a ON a.account_id = t.credit_account_id \
         WHERE a.address = 'wallets:a' AND t.credit_version = 1"
    )
}

#[tokio::test]
async fn floor_check_refuses_what_the_rules_let_through() {
    let (db, _) = books("guard_floor").await;
    let root = db.connect().await;
    for change in
        ["posted = -0.01", "held = posted + 0.01", "posted = posted - 1000.01", "minimum_balance = 5000"]
    {
        let sql = format!("UPDATE wallet_data.accounts SET {change} WHERE address = 'wallets:a'");
        assert_eq!(refused(&root, &sql).await, ("23514".into(), "accounts_floor".into()), "{change}");
    }
    for change in ["posted = 'NaN'", "posted = 'Infinity'", "held = -1", "held = 'NaN'"] {
        let sql = format!("UPDATE wallet_data.accounts SET {change} WHERE address = 'bank'");
        assert_eq!(refused(&root, &sql).await.0, "23514", "{change}");
    }
    assert_eq!(balances(&root, "wallets:a").await, ["1000.00", "0.00", "1000.00"]);
}

#[tokio::test]
async fn version_indexes_refuse_a_repeated_version() {
    let (db, _) = books("guard_version").await;
    let root = db.connect().await;
    // Copies that repeat the debit's version only, the credit's only, and neither.
    assert_eq!(
        refused(&root, &copied_transfer(r#"{"credit_version": 99}"#)).await,
        ("23505".into(), "transfers_debit_version".into())
    );
    assert_eq!(
        refused(&root, &copied_transfer(r#"{"debit_version": 99}"#)).await,
        ("23505".into(), "transfers_credit_version".into())
    );
    execute(&root, &copied_transfer(r#"{"debit_version": 99, "credit_version": 99}"#)).await;
}

#[tokio::test]
async fn amounts_in_the_log_are_finite_and_positive() {
    let (db, _) = books("guard_amount").await;
    let root = db.connect().await;
    for amount in ["0", "-1", "\"NaN\"", "\"Infinity\""] {
        let changes = format!(r#"{{"debit_version": 99, "credit_version": 99, "amount": {amount}}}"#);
        assert_eq!(refused(&root, &copied_transfer(&changes)).await.0, "23514", "{amount}");
    }
}

#[tokio::test]
async fn append_only_guard_refuses_even_a_superuser() {
    let (db, _) = books("guard_append_only").await;
    let root = db.connect().await;
    let unchanged =
        value(&root, "SELECT md5(string_agg(t::text, ';' ORDER BY t::text)) FROM wallet_data.transfers t")
            .await;
    // An ordinary trigger would be skipped in the second mode.
    for mode in ["origin", "replica"] {
        execute(&root, &format!("SET session_replication_role = {mode}")).await;
        for sql in [
            "UPDATE wallet_data.transfers SET amount = amount + 1",
            "UPDATE wallet_data.transfers SET description = 'x' WHERE false",
            "DELETE FROM wallet_data.transfers",
            "TRUNCATE wallet_data.transfers",
            "INSERT INTO wallet_data.transfers SELECT * FROM wallet_data.transfers \
             ON CONFLICT (ledger_id, transfer_id) DO UPDATE SET amount = 1",
            "UPDATE wallet_data.events SET topic = 'x'",
            "DELETE FROM wallet_data.events",
            "TRUNCATE wallet_data.events",
            "DELETE FROM wallet_data.accounts",
            "TRUNCATE wallet_data.accounts CASCADE",
            "DELETE FROM wallet_data.account_profiles",
            "DELETE FROM wallet_data.holds",
            "TRUNCATE wallet_data.holds",
            "DELETE FROM wallet_data.reversal_totals",
            "DELETE FROM wallet_data.ledgers",
            "UPDATE wallet_data.kinds SET name = 'x'",
            "DELETE FROM wallet_data.kinds",
            "UPDATE wallet_data.currencies SET scale = 3",
            "UPDATE wallet_data.closed_periods SET closed_by = 'x'",
            "TRUNCATE wallet_data.idempotency_keys",
        ] {
            assert_error(root.batch_execute(sql).await, "append_only", "PT403");
        }
    }
    let digest = "SELECT md5(string_agg(t::text, ';' ORDER BY t::text)) FROM wallet_data.transfers t";
    assert_eq!(value(&root, digest).await, unchanged);
}

#[tokio::test]
async fn not_even_the_owner_may_write_to_the_log() {
    let (db, _) = books("guard_owner").await;
    for role in ["wallet_owner", "wallet_app", "wallet_auditor"] {
        let client = db.connect_as(role).await;
        for sql in [
            "UPDATE wallet_data.transfers SET amount = 1",
            "DELETE FROM wallet_data.transfers",
            "TRUNCATE wallet_data.transfers",
            "UPDATE wallet_data.events SET topic = 'x'",
        ] {
            assert_eq!(refused(&client, sql).await.0, "42501", "{role}: {sql}");
        }
    }
}

#[tokio::test]
async fn holds_and_reversals_have_guards_of_their_own() {
    let (db, client) = books("guard_holds").await;
    let root = db.connect().await;
    let hold = call(&client, "hold_funds('wallets:a', 10, 'shop')").await["id"].to_owned();
    for change in
        ["captured_amount = 11", "state_id = 2", "state_id = 3", "resolved_at = now()", "amount = 0"]
    {
        let sql = format!("UPDATE wallet_data.holds SET {change} WHERE hold_id = '{hold}'");
        assert_eq!(refused(&root, &sql).await.0, "23514", "{change}");
    }
    let transfer = call(&client, "post_transfer('wallets:a', 'shop', 10)").await["id"].to_owned();
    call(&client, &format!("reverse_transfer('{transfer}', 4)")).await;
    for amount in ["10.01", "-1", "'NaN'"] {
        let sql = format!("UPDATE wallet_data.reversal_totals SET reversed_amount = {amount}");
        assert_eq!(
            refused(&root, &sql).await,
            ("23514".into(), "reversal_totals_within_original".into()),
            "{amount}"
        );
    }
}

#[tokio::test]
async fn a_key_has_one_row() {
    let (db, client) = books("guard_key").await;
    call(&client, "post_transfer('wallets:a', 'shop', 10, idempotency_key => 'k')").await;
    let root = db.connect().await;
    let again = "INSERT INTO wallet_data.idempotency_keys SELECT * FROM wallet_data.idempotency_keys";
    assert_eq!(refused(&root, again).await, ("23505".into(), "idempotency_keys_pkey".into()));
}

#[tokio::test]
async fn simultaneous_calls_with_one_key_have_one_effect() {
    let (db, _) = books("guard_claim").await;
    let sessions = join_all((0..30).map(|_| db.app())).await;
    let calls = sessions
        .iter()
        .map(|client| call(client, "post_transfer('wallets:a', 'shop', 10, idempotency_key => 'k')"));
    let receipts = join_all(calls).await;
    let fresh = receipts.iter().filter(|receipt| &receipt["replayed"] == "f").count();
    assert_eq!(fresh, 1, "exactly one call posts");
    let first = receipts[0].without(&["replayed"]);
    assert!(receipts.iter().all(|receipt| receipt.without(&["replayed"]) == first), "{receipts:?}");
    assert_eq!(balances(&sessions[0], "wallets:a").await[0], "990.00");
}

#[tokio::test]
async fn rules_refuse_an_overdraft_before_the_check_has_to() {
    let (db, client) = books("guard_rules").await;
    let refusal = try_call(&client, "post_transfer('wallets:a', 'shop', 1000.01)").await;
    let error = assert_error(refusal, "insufficient_funds", "PT402");
    assert_eq!((&error.detail["available"], &error.detail["shortfall"]), (&json!("1000.00"), &json!("0.01")));
    call(&client, "hold_funds('wallets:a', 600)").await;
    let refusal = try_call(&client, "post_transfer('wallets:a', 'shop', 400.01)").await;
    assert_error(refusal, "insufficient_funds", "PT402");
    assert_error(try_call(&client, "hold_funds('wallets:a', 400.01)").await, "insufficient_funds", "PT402");
    assert_sound(&db.connect().await).await;
}

#[tokio::test]
async fn row_locks_make_the_second_debit_see_the_first() {
    let (db, one) = books("guard_locks").await;
    let (two, root) = (db.app().await, db.connect().await);
    execute(&one, "BEGIN").await;
    call(&one, "post_transfer('wallets:a', 'shop', 800)").await;
    let second = backend(&two).await;
    let (refusal, ()) = tokio::join!(try_call(&two, "post_transfer('wallets:a', 'shop', 800)"), async {
        until_blocked(&root, &second).await;
        execute(&one, "COMMIT").await;
    });
    let error = assert_error(refusal, "insufficient_funds", "PT402");
    assert_eq!(error.detail["available"], json!("200.00"), "the second decides on what the first left");
    assert_sound(&root).await;
}

#[tokio::test]
async fn a_credit_and_a_debit_at_once_both_count() {
    // The unique indexes cannot see this one: the same version once on each side. What makes it right
    // are the row locks, and behind them the version in the condition of the write-back.
    let (db, one) = books("guard_lost_update").await;
    let (two, root) = (db.app().await, db.connect().await);
    execute(&one, "BEGIN").await;
    call(&one, "post_transfer('bank', 'wallets:a', 50)").await;
    let second = backend(&two).await;
    let (receipt, ()) = tokio::join!(try_call(&two, "post_transfer('wallets:a', 'shop', 30)"), async {
        until_blocked(&root, &second).await;
        execute(&one, "COMMIT").await;
    });
    let receipt = receipt.unwrap_or_else(|e| panic!("the second posts too: {}", cluster::explain(&e)));
    assert_eq!((&receipt["debit_balance"], &receipt["debit_version"]), ("1020.00", "3"));
    assert_eq!(balances(&root, "wallets:a").await[0], "1020.00");
    assert_sound(&root).await;
}

#[tokio::test]
async fn every_version_is_used_once_on_either_side() {
    let (db, client) = books("guard_versions").await;
    for round in 1..=20 {
        call(&client, &format!("post_transfer('wallets:a', 'wallets:c', {round})")).await;
        call(&client, &format!("post_transfer('wallets:c', 'wallets:a', {round})")).await;
    }
    assert_sound(&db.connect().await).await;
}

/// What a guard refuses below our functions is told as what it is; what a table of somebody's own refuses stays what
/// PostgreSQL says of it.
#[tokio::test]
async fn a_guard_that_bites_is_told_as_broken_books() {
    let (db, client) = books("guard_told").await;
    let owner = db.connect().await;
    let spoil = async |table: &str, event: &str, column: &str, wrong: &str| {
        let sql = format!(
            "CREATE OR REPLACE FUNCTION public.spoil() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN NEW.{column} := {wrong}; RETURN NEW; END $$; \
             CREATE TRIGGER spoil BEFORE {event} ON wallet_data.{table} FOR EACH ROW EXECUTE FUNCTION public.spoil()"
        );
        execute(&owner, &sql).await;
        let result = try_call(&client, "post_transfer('wallets:a', 'wallets:b', 1)").await;
        execute(&owner, &format!("DROP TRIGGER spoil ON wallet_data.{table}")).await;
        result
    };
    let before = balances(&client, "wallets:a").await;
    let floor = spoil("accounts", "UPDATE", "posted", "-1").await;
    let error = assert_error(floor, "books_inconsistent", "PT500");
    assert!(
        error.detail["cause"].as_str().is_some_and(|cause| cause.contains("accounts_floor")),
        "{error:?}"
    );
    let index = spoil("transfers", "INSERT", "credit_version", "1").await;
    assert_error(index, "books_inconsistent", "PT500");
    let theirs = "(SELECT 1 / 0)";
    let error = spoil("transfers", "INSERT", "amount", theirs).await.expect_err("divided by zero");
    assert_eq!(error.code().map(|code| code.code()), Some("22012"));
    assert_eq!(balances(&client, "wallets:a").await, before);
}
