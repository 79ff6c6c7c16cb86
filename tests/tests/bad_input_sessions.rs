//! Proves that the way errors get their SQLSTATE and DETAIL never touches anything else: prepared
//! statements go on after an error, blocks that catch can post again and catch again, and neither a later
//! error of PostgreSQL's own nor a NOTICE or WARNING carries what belonged to ours.

use tokio::io::AsyncWriteExt;
use tokio_postgres::types::ToSql;
use wallet_ledger_tests::*;

/// One prepared statement with text parameters, as drivers and poolers use them, through many refusals.
#[tokio::test]
async fn a_prepared_statement_survives_every_refusal() {
    let (_db, client) = books("prepared").await;
    let post = client
        .prepare(
            "SELECT debit_balance::text, replayed FROM wallet_ledger.post_transfer($1::text, $2::text, \
             $3::text::numeric, kind => $4::text, idempotency_key => $5::text, reference => $6::text, \
             metadata => $7::text::jsonb, effective_at => $8::text::timestamptz)",
        )
        .await
        .unwrap();
    let good: [Option<&str>; 8] = [Some("wallets:a"), Some("shop"), Some("1"), None, None, None, None, None];
    let mut left = 1000;
    for (place, text, token, state) in [
        (0, Some("wallets:nobody"), "account_not_found", "PT404"),
        (0, None, "missing_argument", "PT400"),
        (1, Some("wallets:a"), "same_account", "PT400"),
        (1, Some(""), "invalid_address", "PT400"),
        (2, Some("NaN"), "invalid_amount", "PT400"),
        (2, Some("0"), "invalid_amount", "PT400"),
        (2, Some("1e29"), "amount_out_of_range", "PT400"),
        (2, Some("5000"), "insufficient_funds", "PT402"),
        (2, None, "missing_argument", "PT400"),
        (3, Some("nonsense"), "kind_not_found", "PT404"),
        (3, Some("rebalance"), "reserved_kind", "PT403"),
        (4, Some(""), "invalid_argument", "PT400"),
        (5, Some(""), "invalid_argument", "PT400"),
        (7, Some("infinity"), "invalid_argument", "PT400"),
        (2, Some("ten"), "", "22P02"),
        (6, Some("{"), "", "22P02"),
    ] {
        let mut bad = good;
        bad[place] = text;
        let run = |values: [Option<&'static str>; 8]| {
            let (client, post) = (&client, &post);
            async move {
                let parameters: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
                client.query_one(post, &parameters).await
            }
        };
        let refused = run(bad).await;
        if token.is_empty() {
            let error = sql_error(&refused.unwrap_err());
            assert_eq!((error.sqlstate.as_str(), error.token()), (state, ""), "{error:?}");
        } else {
            assert_error(refused, token, state);
        }
        let row = run(good).await.unwrap();
        left -= 1;
        assert_eq!(row.get::<_, String>(0), format!("{left}.00"));
    }
    verify_clean(&client).await;
}

/// One transaction: refused, caught, posted, refused otherwise, PostgreSQL's own errors in between.
#[tokio::test]
async fn caught_errors_do_not_colour_what_comes_after() {
    let (db, client) = books("colour").await;
    db::execute(&db.connect().await, "CREATE TABLE own (id int PRIMARY KEY); GRANT ALL ON own TO wallet_app")
        .await;
    db::execute(
        &client,
        "CREATE TEMP TABLE seen (step int, state text, detail text, hint text); \
         CREATE FUNCTION pg_temp.step(number int, statement text) RETURNS void LANGUAGE plpgsql AS $$ \
         DECLARE state text; detail text; hint text; \
         BEGIN \
             EXECUTE statement; \
             INSERT INTO seen VALUES (number, 'fine'); \
         EXCEPTION WHEN OTHERS THEN \
             GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT; \
             INSERT INTO seen VALUES (number, state, detail, hint); \
         END $$",
    )
    .await;
    let ledger = "SELECT wallet_ledger.";
    let steps = [
        (format!("{ledger}post_transfer('wallets:a', 'shop', 5000)"), "PT402", "insufficient_funds"),
        ("SELECT 1/0".to_owned(), "22012", ""),
        (format!("{ledger}post_transfer('wallets:a', 'shop', 1)"), "fine", ""),
        ("INSERT INTO own VALUES (1)".to_owned(), "fine", ""),
        (format!("{ledger}post_transfer('a b', 'shop', 1)"), "PT400", "invalid_address"),
        ("INSERT INTO own VALUES (1)".to_owned(), "23505", "Key (id)=(1) already exists."),
        (format!("{ledger}capture_hold('00000000-0000-7000-8000-000000000000')"), "PT404", "hold_not_found"),
        ("SELECT wallet_ledger.capture_hold('x')".to_owned(), "22P02", ""),
        (
            "DO $d$ BEGIN RAISE EXCEPTION 'mine' USING ERRCODE = 'XY123', DETAIL = 'my own'; END $d$"
                .to_owned(),
            "XY123",
            "my own",
        ),
        ("DO $d$ BEGIN RAISE EXCEPTION 'mine'; END $d$".to_owned(), "P0001", ""),
        (format!("{ledger}post_transfers('[{{\"ammount\": 1}}]')"), "PT400", "unknown_field"),
        ("SELECT * FROM nowhere".to_owned(), "42P01", ""),
        ("SELECT 'x'::int".to_owned(), "22P02", ""),
        (format!("{ledger}post_transfer('wallets:a', 'shop', 1, idempotency_key => 'k')"), "fine", ""),
        (
            format!("{ledger}post_transfer('wallets:a', 'shop', 2, idempotency_key => 'k')"),
            "PT409",
            "idempotency_conflict",
        ),
        (format!("{ledger}post_transfer('wallets:a', 'shop', 1, idempotency_key => 'k')"), "fine", ""),
    ];
    db::execute(&client, "BEGIN").await;
    for (number, (statement, _, _)) in steps.iter().enumerate() {
        client.execute("SELECT pg_temp.step($1, $2)", &[&(number as i32), statement]).await.unwrap();
    }
    db::execute(&client, "COMMIT").await;
    let seen = lines(&client, "SELECT * FROM seen ORDER BY step").await;
    assert_eq!(seen.len(), steps.len());
    for (seen, (statement, state, detail)) in seen.iter().zip(&steps) {
        assert_eq!(&seen["state"], *state, "{statement}: {seen:?}");
        if state.starts_with("PT") {
            assert_eq!(seen.json("detail")["error"], *detail, "{statement}");
            assert!(!seen["hint"].is_empty());
        } else if *state != "fine" {
            assert_eq!(&seen["detail"], *detail, "{statement}");
            assert!(seen["hint"].is_empty(), "{statement}: {seen:?}");
        }
    }
    assert_eq!(posted(&client, "wallets:a").await, "998.00");
    verify_clean(&client).await;
}

/// An error that crosses two levels of blocks, SQL functions and a trigger is the same error.
#[tokio::test]
async fn an_error_arrives_whole_through_functions_and_triggers() {
    let (db, client) = books("through").await;
    db::execute(
        &db.connect().await,
        "CREATE TABLE orders (id int, amount numeric); GRANT ALL ON orders TO wallet_app; \
         CREATE FUNCTION pay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             PERFORM wallet_ledger.post_transfer('wallets:a', 'shop', NEW.amount, reference => NEW.id::text); \
             RETURN NEW; END $$; \
         CREATE TRIGGER pay BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION pay(); \
         CREATE FUNCTION place(amount numeric) RETURNS int LANGUAGE sql AS \
             'INSERT INTO orders VALUES (1, amount) RETURNING id'; \
         CREATE FUNCTION place_or_less(amount numeric) RETURNS text LANGUAGE plpgsql AS $$ BEGIN \
             BEGIN \
                 PERFORM place(amount); \
                 RETURN 'all'; \
             EXCEPTION WHEN SQLSTATE 'PT402' THEN \
                 PERFORM place(1); \
                 RETURN 'less'; \
             END; END $$",
    )
    .await;
    let direct = assert_error(try_lines(&client, "SELECT place(5000)").await, "insufficient_funds", "PT402");
    assert_eq!(direct.detail["required"], "5000.00");
    assert_eq!(value(&client, "SELECT place_or_less(5000)").await, "less");
    assert_eq!(value(&client, "SELECT place_or_less(10)").await, "all");
    let error = sql_error(&try_lines(&client, "SELECT place_or_less('NaN')").await.unwrap_err());
    assert_eq!((error.token(), error.sqlstate.as_str()), ("invalid_amount", "PT400"));
    assert_eq!(posted(&client, "wallets:a").await, "989.00");
    assert_eq!(value(&client, "SELECT count(*) FROM orders").await, "2");
    // Far more failures in one transaction than PostgreSQL's error stack is deep.
    let many = "DO $$ BEGIN FOR i IN 1..2000 LOOP BEGIN \
                    PERFORM wallet_ledger.post_transfer('wallets:a', 'shop', 5000); \
                EXCEPTION WHEN SQLSTATE 'PT402' THEN NULL; END; END LOOP; END $$";
    db::execute(&client, many).await;
    verify_clean(&client).await;
}

/// Notices and warnings that come after a caught error have their own SQLSTATE and no detail of ours.
#[tokio::test]
async fn notices_after_an_error_are_their_own() {
    let (db, _client) = books("notices").await;
    let script = "SET client_min_messages = debug1; SET log_error_verbosity = verbose; \
        DO $$ BEGIN \
            BEGIN PERFORM wallet_ledger.post_transfer('wallets:a', 'shop', 5000); \
            EXCEPTION WHEN SQLSTATE 'PT402' THEN RAISE NOTICE 'first notice'; END; \
            RAISE WARNING 'a warning'; RAISE NOTICE 'second notice'; END $$; \
        SELECT wallet_ledger.post_transfer('wallets:a', 'shop', 5000); \
        DO $$ BEGIN RAISE NOTICE 'after a raised error'; END $$; \
        ROLLBACK; SELECT 1/0;";
    let mut output = db
        .cluster
        .program("psql")
        .args(["-X", "-q", "-v", "VERBOSITY=verbose", "-d", &db.name, "-f", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let statements =
        script.replace("$$; ", "$$;\n").replace("5000); ", "5000);\n").replace("ROLLBACK; ", "ROLLBACK;\n");
    output.stdin.take().unwrap().write_all(statements.as_bytes()).await.unwrap();
    let said = String::from_utf8(output.wait_with_output().await.unwrap().stderr).unwrap();
    for expected in [
        "NOTICE:  00000: first notice",
        "WARNING:  01000: a warning",
        "NOTICE:  00000: second notice",
        "ERROR:  PT402: account wallets:a has 1000.00 available and needs 5000.00",
        "NOTICE:  00000: after a raised error",
        "WARNING:  25P01: there is no transaction in progress",
        "ERROR:  22012: division by zero",
    ] {
        assert!(said.contains(expected), "{expected} is missing:\n{said}");
    }
    assert_eq!(said.matches("insufficient_funds").count(), 1, "only our error has our detail:\n{said}");
    assert_eq!(said.matches("PT402").count(), 1, "{said}");
}

/// What PostgreSQL refuses before the ledger is asked stays PostgreSQL's own error.
#[tokio::test]
async fn what_the_types_refuse_is_postgresqls_own() {
    let (_db, client) = books("types").await;
    let before = contents(&client).await;
    for (sql, state) in [
        ("capture_hold('not a uuid')", "22P02"),
        ("reverse_transfer('')", "22P02"),
        ("post_transfer('wallets:a', 'shop', '')", "22P02"),
        ("post_transfer('wallets:a', 'shop', 'ten')", "22P02"),
        ("post_transfers('[{]')", "22P02"),
        ("post_transfers('')", "22P02"),
        (r#"post_transfers('[{"debit_account": "a\u0000b"}]')"#, "22P05"),
        (r"post_transfer(E'a\000b', 'shop', 1)", "22021"),
        ("post_transfer('wallets:a', 'shop', 1, effective_at => 'tomorrowish')", "22007"),
        ("post_transfer('wallets:a', 'shop', 1, amont => 1)", "42883"),
    ] {
        let error = sql_error(&try_calls(&client, sql).await.unwrap_err());
        assert_eq!(error.sqlstate, state, "{sql}: {error:?}");
        assert_eq!(before, contents(&client).await);
    }
    call(&client, "post_transfer('wallets:a', 'shop', 1)").await;
}
