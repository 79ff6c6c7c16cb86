//! Proves that a row of an application's table moves its money once, whatever happens to the row.
//!
//! Here: the life of a row, under triggers per statement and per row, on tables as people have them
//! (text, uuid, composite and partitioned keys, enums, domains, quoted names), and what is refused. Each
//! refusal must leave the books as they were. `definitions`: triggers that do not fit their table, as
//! they fire and as check_trigger() finds them. `sessions`: bulk updates and many sessions at once.

#[path = "triggers/definitions.rs"]
mod definitions;
#[path = "triggers/sessions.rs"]
mod sessions;
#[path = "triggers/shop.rs"]
mod shop;

use shop::{ARGUMENTS, Form, attach, count, findings, topups, transfers};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::proof::assert_sound;
use wallet_ledger_tests::*;

const BOTH: [Form; 2] = [Form::Statement, Form::Row];

#[tokio::test]
async fn a_row_posts_once_and_is_taken_back_once() {
    for form in BOTH {
        let (_db, client) = topups("life", form).await;
        assert_eq!(findings(&client, "topups").await, [""; 0], "{form:?}");
        let posted = "topup 1 banks:bca:1 wallets:1 500000.00";
        let reversed = "reversal 1 wallets:1 banks:bca:1 500000.00";
        execute(&client, "INSERT INTO topups VALUES (1, '1', 500000)").await;
        for (status, expected) in [
            ("review", vec![]),
            ("refunded", vec![]),
            ("paid", vec![posted]),
            ("paid", vec![posted]),
            ("review", vec![posted]),
            ("paid", vec![posted]),
            ("refunded", vec![posted, reversed]),
            ("refunded", vec![posted, reversed]),
            ("paid", vec![posted, reversed]),
            ("refunded", vec![posted, reversed]),
        ] {
            execute(&client, &format!("UPDATE topups SET status = '{status}'")).await;
            assert_eq!(transfers(&client).await, expected, "{form:?}, to {status}");
        }
        // Directly in the posting status, several at once, and by an upsert.
        execute(&client, "INSERT INTO topups VALUES (2, '2', 10, 'paid'), (3, '3', 20, 'paid')").await;
        assert_eq!(count(&client).await, "4");
        let upsert =
            "INSERT INTO topups VALUES (3, '3', 20, 'paid'), (4, '4', 30, 'paid'), (5, '4', 1, 'review')
                      ON CONFLICT (id) DO UPDATE SET status = excluded.status";
        execute(&client, upsert).await;
        execute(&client, upsert).await;
        assert_eq!(count(&client).await, "5");
        // Gone and back again: the key is what counts.
        execute(&client, "DELETE FROM topups; INSERT INTO topups VALUES (2, '2', 10.000, 'paid')").await;
        assert_eq!(count(&client).await, "5");
        assert_sound(&client).await;
    }
}

#[tokio::test]
async fn what_remains_is_taken_back() {
    let (_db, client) = topups("remains", Form::Statement).await;
    execute(&client, "INSERT INTO topups SELECT g, '1', 100, 'paid' FROM generate_series(1, 3) g").await;
    let id = |row: &str| format!("(SELECT id FROM wallet_ledger.transfers WHERE reference = '{row}')");
    call(&client, &format!("reverse_transfer({}, 30)", id("1"))).await;
    call(&client, &format!("reverse_transfer({})", id("2"))).await;
    execute(&client, "UPDATE topups SET status = 'refunded'").await;
    let reversed = "SELECT string_agg(reference || ':' || amount, ' ' ORDER BY reference, amount)
                    FROM wallet_ledger.transfers WHERE kind = 'reversal'";
    assert_eq!(value(&client, reversed).await, "1:30.00 1:70.00 2:100.00 3:100.00");
    let words = "SELECT DISTINCT description FROM wallet_ledger.transfers WHERE description IS NOT NULL";
    assert_eq!(value(&client, words).await, "status became refunded");
    assert_sound(&client).await;
}

#[tokio::test]
async fn whoever_may_change_the_row_needs_no_right_on_the_ledger() {
    for form in BOTH {
        let (db, client) = topups("rights", form).await;
        let role = db.role("clerk", "").await;
        execute(&client, &format!("GRANT SELECT, INSERT, UPDATE ON topups TO \"{role}\"")).await;
        let clerk = db.connect_as(&role).await;
        execute(&clerk, "INSERT INTO topups VALUES (1, '1', 500); UPDATE topups SET status = 'paid'").await;
        assert_eq!(count(&client).await, "1", "{form:?}");
        for sql in ["SELECT * FROM wallet_data.transfers", "SELECT wallet_ledger.check_trigger('topups')"] {
            assert_eq!(sql_error(&try_lines(&clerk, sql).await.unwrap_err()).sqlstate, "42501", "{sql}");
        }
        // Nor can it attach the function to a table of its own.
        execute(&client, &format!("CREATE SCHEMA own AUTHORIZATION \"{role}\"")).await;
        execute(&clerk, "CREATE TABLE own.topups (LIKE public.topups INCLUDING ALL)").await;
        let refused = clerk.batch_execute(&attach("own.topups", form, ARGUMENTS)).await;
        assert_eq!(sql_error(&refused.unwrap_err()).sqlstate, "42501");
    }
}

#[tokio::test]
async fn no_function_of_the_tables_owner_runs_with_the_ledgers_rights() {
    let (_db, client) = shop::shop("casts").await;
    execute(
        &client,
        &format!(
            "CREATE TYPE state AS ENUM ('new', 'paid', 'refunded');
             CREATE FUNCTION steal(state) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE ''as %'', current_user; END';
             CREATE FUNCTION same(state, state) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''as %'', current_user; END';
             CREATE CAST (state AS text) WITH FUNCTION steal(state) AS IMPLICIT;
             CREATE OPERATOR = (LEFTARG = state, RIGHTARG = state, FUNCTION = same);
             CREATE DOMAIN checked AS text CHECK (VALUE IS NULL OR length(VALUE) < 5);
             CREATE TABLE topups (id checked PRIMARY KEY, owner_id checked, amount numeric, status state);
             {} INSERT INTO topups VALUES ('1', '1', 5, 'new'); UPDATE topups SET status = 'paid'",
            attach("topups", Form::Statement, ARGUMENTS)
        ),
    )
    .await;
    assert_eq!(count(&client).await, "1");
}

/// Tables as people have them. For each: how it is made, its arguments, an INSERT of a row that is not
/// yet paid, what pays it, and the reference that its transfer must have.
#[rustfmt::skip]
const TABLES: &[(&str, &str, &str, &str, &str)] = &[
    ("CREATE TABLE t (id text PRIMARY KEY, owner_id int, amount int, status varchar(20))", ARGUMENTS,
     "VALUES ('TOP/2026/é-1:reverse', 1, 5, NULL)", "status = 'paid'", "TOP/2026/é-1:reverse"),
    ("CREATE TABLE t (id uuid PRIMARY KEY, owner_id bigint, amount bigint, status char(10))", ARGUMENTS,
     "VALUES ('018f0000-0000-7000-8000-00000000000a', 1, 5, 'new')", "status = 'paid'",
     "018f0000-0000-7000-8000-00000000000a"),
    ("CREATE TYPE state AS ENUM ('new', 'paid', 'refunded');
      CREATE DOMAIN rupiah AS numeric(18, 2) CHECK (VALUE > 0);
      CREATE DOMAIN state_of_topup AS state;
      CREATE TABLE t (note text, amount rupiah, status state_of_topup, b text, a int, owner_id text, PRIMARY KEY (a, b))",
     ARGUMENTS, "VALUES (NULL, 5, 'new', 'x\",\"y', 7, '1')", "status = 'paid'", r#"["7","x\",\"y"]"#),
    (r#"CREATE SCHEMA "My Shop"; CREATE TABLE "My Shop"."Top""Ups" ("Id" int PRIMARY KEY, "Owner Id" int, "Amount" text, "isPaid" boolean);
        CREATE VIEW t AS SELECT * FROM "My Shop"."Top""Ups""#,
     "'isPaid', 'true', 'banks:bca:1', 'wallets:{Owner Id}', 'Amount', 'topup'",
     "VALUES (42, 1, '5.00', false)", "\"isPaid\" = true", "42"),
    ("CREATE TABLE t (id smallint PRIMARY KEY, account text, amount float8, status smallint)",
     "'status', '2', 'banks:bca:1', '{account}', 'amount', 'topup'",
     "VALUES (1, 'wallets:1', 5, 1)", "status = 2", "1"),
    ("CREATE TABLE t (gone int, id bigint, owner_id int, amount numeric, PRIMARY KEY (id) INCLUDE (owner_id));
      ALTER TABLE t DROP COLUMN gone; ALTER TABLE t ADD status text DEFAULT 'new'", ARGUMENTS,
     "VALUES (1, 1, 5)", "status = 'paid'", "1"),
];

#[tokio::test]
async fn keys_and_columns_of_every_kind() {
    for (create, arguments, insert, pay, reference) in TABLES {
        for form in BOTH {
            let (_db, client) = shop::shop("kinds").await;
            execute(&client, create).await;
            let table = if create.contains("My Shop") { "\"My Shop\".\"Top\"\"Ups\"" } else { "t" };
            execute(&client, &attach(table, form, arguments)).await;
            let found = findings(&client, table).await;
            assert!(
                found.iter().all(|line| line.starts_with("warning") && line.contains("double precision")),
                "{found:?}"
            );
            execute(&client, &format!("INSERT INTO t {insert}; UPDATE t SET {pay}; UPDATE t SET {pay}"))
                .await;
            let found =
                lines(&client, "SELECT reference, amount, credit_account FROM wallet_ledger.transfers").await;
            assert_eq!(found.len(), 1, "{create}: {found:?}");
            assert_eq!(
                found[0].pick(["reference", "amount", "credit_account"]),
                [reference, "5.00", "wallets:1"]
            );
        }
    }
}

#[tokio::test]
async fn a_key_is_the_same_in_every_session() {
    let (_db, client) = shop::shop("same_key").await;
    execute(
        &client,
        &format!(
            "CREATE TABLE t (at timestamptz, span interval, x float8, raw bytea, long text, owner_id int, amount numeric,
                             status text, PRIMARY KEY (at, span, x, raw, long)); {}
             INSERT INTO t VALUES ('2026-11-01 07:00+07', '1 day 2 hours', 0.1::float4, '\\xff00', repeat('x', 1000), 1, 5, 'paid')",
            attach("t", Form::Statement, ARGUMENTS)
        ),
    )
    .await;
    execute(
        &client,
        "SET timezone = 'Asia/Jakarta'; SET datestyle = 'SQL, DMY'; SET intervalstyle = 'iso_8601';
         SET bytea_output = 'escape'; SET extra_float_digits = -5;
         UPDATE t SET status = 'x'; UPDATE t SET status = 'paid'",
    )
    .await;
    assert_eq!(count(&client).await, "1");
    let keys = "SELECT string_agg(key, ' ') FROM wallet_data.idempotency_keys";
    assert!(value(&client, keys).await.starts_with("trigger:public.t:topup:sha256:"));
    assert_eq!(value(&client, "SHOW timezone").await, "Asia/Jakarta");
}

#[tokio::test]
async fn partitioned_tables_are_named_by_their_root() {
    for form in BOTH {
        let (_db, client) = shop::shop("partitions").await;
        execute(
            &client,
            &format!(
                "CREATE TABLE topups (city text, id int, owner_id text, amount numeric, status text, zone int,
                                      PRIMARY KEY (id, city)) PARTITION BY LIST (city);
                 CREATE TABLE topups_jkt PARTITION OF topups FOR VALUES IN ('jkt');
                 -- Another order of columns than the root's.
                 CREATE TABLE topups_sby (zone int, status text, amount numeric, owner_id text, id int NOT NULL, city text NOT NULL);
                 ALTER TABLE topups ATTACH PARTITION topups_sby FOR VALUES IN ('sby');
                 {}",
                attach("topups", form, ARGUMENTS)
            ),
        )
        .await;
        execute(
            &client,
            "INSERT INTO topups VALUES ('jkt', 1, '1', 5, 'new'), ('sby', 1, '2', 6, 'new');
             UPDATE topups SET status = 'paid'; UPDATE topups SET status = 'x'; UPDATE topups SET status = 'paid'",
        )
        .await;
        let keys =
            value(&client, "SELECT string_agg(key, ' ' ORDER BY key) FROM wallet_data.idempotency_keys")
                .await;
        assert_eq!(
            keys,
            r#"trigger:public.topups:topup:["1","jkt"] trigger:public.topups:topup:["1","sby"]"#
        );
        if matches!(form, Form::Row) {
            assert!(findings(&client, "topups").await[0].contains("per row on a partitioned table"));
            continue;
        }
        assert_eq!(findings(&client, "topups").await, [""; 0]);
        // Statements that name a partition fire its own triggers only; the root's keys keep it to once.
        execute(&client, &attach("topups_sby", form, ARGUMENTS)).await;
        assert!(findings(&client, "topups_sby").await[0].contains("besides the parent's"));
        execute(
            &client,
            "INSERT INTO topups VALUES ('sby', 2, '2', 7, 'new');
             UPDATE topups_sby SET status = 'x'; UPDATE topups_sby SET status = 'paid'; UPDATE topups SET status = 'x';
             UPDATE topups SET status = 'paid'",
        )
        .await;
        assert_eq!(count(&client).await, "3");
        // The partition key is part of the primary key: a paid row cannot move.
        let moved =
            client.batch_execute("UPDATE topups SET city = 'sby', id = 50 WHERE owner_id = '1'").await;
        assert_error(moved, "row_key_changed", "PT409");
        // A row that is not paid can; and one that gets lost on the way is noticed where it counts.
        execute(
            &client,
            "INSERT INTO topups VALUES ('jkt', 9, '3', 7, 'new'); UPDATE topups SET city = 'sby' WHERE id = 9;
             CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER lose BEFORE INSERT ON topups_sby FOR EACH ROW WHEN (new.zone IS NULL) EXECUTE FUNCTION lose();",
        )
        .await;
        execute(&client, "INSERT INTO topups VALUES ('jkt', 10, '3', 7, 'new'), ('jkt', 11, '4', 8, 'new')")
            .await;
        let sql = "UPDATE topups SET city = CASE id WHEN 10 THEN 'sby' ELSE city END, status = 'paid' WHERE id IN (10, 11)";
        execute(&client, sql).await;
        assert_eq!(count(&client).await, "4", "the row that is left is posted, the lost one is not");
        let lost = client.batch_execute("UPDATE topups SET city = 'sby' WHERE id = 11").await;
        assert_error(lost, "row_key_changed", "PT409");
        assert_sound(&client).await;
    }
}

#[tokio::test]
async fn what_would_leave_row_and_books_apart_is_refused() {
    for form in BOTH {
        let (_db, client) = topups("refused", form).await;
        execute(
            &client,
            "INSERT INTO topups VALUES (1, '1', 100, 'paid'), (2, '2', 200, 'new'), (3, '3', NULL, 'new'), (4, NULL, 5, 'new'),
                                       (5, '1:x', 5, 'new'), (6, '99', 5, 'new'), (7, '4', -5, 'new'), (8, '5', 0.001, 'new'), (9, '5', 'NaN', 'new')",
        )
        .await;
        let before = contents(&client).await;
        for (sql, token, sqlstate, detail) in [
            ("SET amount = 150 WHERE id = 1", "idempotency_conflict", "PT409", ("field", "amount")),
            ("SET owner_id = '2' WHERE id = 1", "idempotency_conflict", "PT409", ("field", "credit_account")),
            ("SET amount = NULL WHERE id = 1", "missing_argument", "PT400", ("column", "amount")),
            ("SET status = 'paid' WHERE id = 3", "missing_argument", "PT400", ("column", "amount")),
            ("SET status = 'paid' WHERE id = 4", "missing_argument", "PT400", ("column", "owner_id")),
            ("SET status = 'paid' WHERE id = 5", "invalid_address", "PT400", ("column", "owner_id")),
            ("SET status = 'paid' WHERE id = 6", "account_not_found", "PT404", ("account", "wallets:99")),
            ("SET status = 'paid' WHERE id = 7", "invalid_amount", "PT400", ("reason", "negative")),
            ("SET status = 'paid' WHERE id = 8", "invalid_amount", "PT400", ("reason", "too_many_decimals")),
            ("SET status = 'paid' WHERE id = 9", "invalid_amount", "PT400", ("reason", "NaN")),
            ("SET status = 'paid' WHERE id IN (2, 3)", "missing_argument", "PT400", ("row", "3")),
            ("SET status = 'paid' WHERE id IN (2, 6)", "account_not_found", "PT404", ("row", "6")),
            ("SET id = 11 WHERE id = 1", "row_key_changed", "PT409", ("new_key", "11")),
            ("SET id = 11, status = 'x' WHERE id = 1", "row_key_changed", "PT409", ("old_key", "1")),
            ("SET id = 12, status = 'paid' WHERE id = 2", "row_key_changed", "PT409", ("row", "2")),
        ] {
            let refused = client.batch_execute(&format!("UPDATE topups {sql}")).await;
            let error = assert_error(refused, token, sqlstate);
            assert_eq!(error.detail[detail.0], detail.1, "{form:?} {sql}: {error:#?}");
            assert_eq!(error.detail["table"], "public.topups", "{error:#?}");
            assert!(error.message.contains("public.topups") && error.message.contains("row "), "{error:#?}");
            assert!(error.detail.get("position").is_none(), "{error:#?}");
        }
        assert_eq!(before, contents(&client).await);
        // What is not paid may be edited and renumbered at will, and a paid row's other columns too.
        execute(
            &client,
            "UPDATE topups SET id = 102, amount = 300 WHERE id = 2; UPDATE topups SET note = 'thanks', amount = 100.0 WHERE id = 1;
             UPDATE topups SET status = 'review', amount = 1 WHERE id = 1",
        )
        .await;
        assert_eq!(before, contents(&client).await);
        let refused = client.batch_execute("UPDATE topups SET status = 'paid' WHERE id = 1").await;
        assert_eq!(assert_error(refused, "idempotency_conflict", "PT409").detail["field"], "amount");
        // The money is spent: it cannot be taken back.
        call(&client, "post_transfer('wallets:1', 'wallets:5', 60)").await;
        let refused = client.batch_execute("UPDATE topups SET status = 'refunded' WHERE id = 1").await;
        assert_eq!(assert_error(refused, "insufficient_funds", "PT402").detail["row"], "1");
        assert_sound(&client).await;
    }
}

#[tokio::test]
async fn a_row_that_was_paid_before_the_trigger_came_is_left_alone() {
    let (_db, client) = shop::shop("late").await;
    execute(
        &client,
        &format!(
            "CREATE TABLE topups (id int PRIMARY KEY, owner_id text, amount numeric, status text);
             INSERT INTO topups VALUES (1, '1', 5, 'paid'), (2, '2', 5, 'paid'); {}
             UPDATE topups SET amount = 6 WHERE id = 1; UPDATE topups SET amount = NULL, owner_id = NULL WHERE id = 2;
             UPDATE topups SET status = 'refunded'",
            attach("topups", Form::Statement, ARGUMENTS)
        ),
    )
    .await;
    assert_eq!(count(&client).await, "0");
}

#[tokio::test]
async fn the_books_follow_the_named_ledger() {
    let (_db, client) = shop::shop("ledgers").await;
    call(&client, "create_ledger('school-2')").await;
    call(&client, "create_account('banks:bca:1', 'asset', ledger => 'school-2')").await;
    call(&client, "open_wallet('1', ledger => 'school-2')").await;
    execute(
        &client,
        &format!(
            "CREATE TABLE topups (id int PRIMARY KEY, owner_id text, amount numeric, status text, school text); {}
             INSERT INTO topups VALUES (1, '1', 5, 'paid', 'main'), (2, '1', 6, 'paid', 'school-2'), (3, '2', 7, 'paid', 'main')",
            attach("topups", Form::Statement, &format!("{ARGUMENTS}, '{{school}}'"))
        ),
    )
    .await;
    let sums = "SELECT string_agg(ledger || ' ' || posted, ', ' ORDER BY ledger) FROM wallet_ledger.accounts
                WHERE account = 'banks:bca:1'";
    assert_eq!(value(&client, sums).await, "main 12.00, school-2 6.00");
    let moved = client.batch_execute("UPDATE topups SET school = 'school-2' WHERE id = 1").await;
    assert_eq!(assert_error(moved, "idempotency_conflict", "PT409").detail["field"], "ledger");
    let unknown = client.batch_execute("INSERT INTO topups VALUES (4, '1', 5, 'paid', 'school-3')").await;
    assert_error(unknown, "ledger_not_found", "PT404");
    execute(&client, "UPDATE topups SET status = 'refunded'").await;
    assert_eq!(value(&client, sums).await, "main 0.00, school-2 0.00");
    assert_sound(&client).await;
}

#[tokio::test]
async fn a_rows_key_is_never_forgotten() {
    let (_db, client) = topups("forget", Form::Statement).await;
    execute(&client, "INSERT INTO topups VALUES (1, '1', 5, 'paid')").await;
    call(
        &client,
        "post_transfer('banks:bca:1', 'wallets:2', 1, idempotency_key => 'a key of the application')",
    )
    .await;
    execute(&client, "UPDATE wallet_data.idempotency_keys SET created_at = now() - interval '1 year'").await;
    let forgotten = call(&client, "forget_idempotency_keys('90 days')").await;
    assert_eq!(&forgotten["forget_idempotency_keys"], "1");
    execute(&client, "UPDATE topups SET status = 'x'; UPDATE topups SET status = 'paid'").await;
    assert_eq!(count(&client).await, "2");
}
