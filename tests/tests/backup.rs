//! Proves that the books outlive what is done to databases: dump and restore (custom and plain format) keep
//! every row, balance, policy and user-added index and trigger, and the copy verifies, posts and polls on;
//! DROP EXTENSION … CASCADE leaves every row and the guards on duty; creating it again carries on, in the
//! same session too.

use std::path::PathBuf;

use wallet_ledger_tests::*;

/// Books with a bit of everything in them, and what a DBA may have added to their tables.
async fn lived_in(test: &str) -> (TestDb, Client) {
    let (db, client) = books(test).await;
    db::execute(&client, "SET wallet_ledger.ledger = 'main'").await;
    for sql in [
        "create_currency('XBT', 8)",
        "create_kind('spp')",
        "create_account('coins', 'asset', 'XBT', minimum_balance => -5, maximum_balance => 1000, metadata => '{\"a\": \"😀\"}')",
        "create_account('coins:out', 'liability', 'XBT')",
        "create_account('float', 'liability', minimum_balance => 0, stripes => 8)",
        "post_transfer('coins', 'coins:out', 0.00000001, 'spp', 'key-1', 'ref', 'words 🍜', '{\"b\": [1, 2.50]}', '2026-01-05')",
        "post_transfer('bank', 'float', 300)",
        "hold_funds('wallets:a', 10, 'shop', idempotency_key => 'key-2')",
        "hold_funds('wallets:a', 20, expires_at => '2999-01-01')",
        "hold_funds('float', 30, 'shop')",
        "freeze_account('wallets:b', 'checked')",
        "close_account('wallets:c')",
        "create_ledger('other', 'USD', 'Asia/Singapore', '{\"npsn\": 7}')",
        "create_account('x', 'asset', ledger => 'other')",
        "create_account('y', 'asset', ledger => 'other')",
        "post_transfer('x', 'y', 12.34, ledger => 'other')",
        "close_period('main', '2026-02-01')",
    ] {
        call(&client, sql).await;
    }
    calls(
        &client,
        r#"post_transfers('[{"debit_account": "shop", "credit_account": "wallets:a", "amount": 1, "idempotency_key": "i1", "transaction": "t"},
            {"debit_account": "shop", "credit_account": "bank", "amount": 2, "transaction": "t"},
            {"debit_account": "wallets:b", "credit_account": "shop", "amount": 2, "idempotency_key": "i2"}]', 'call', 'report')"#,
    )
    .await;
    let paid = call(&client, "post_transfer('wallets:a', 'shop', 50)").await;
    call(&client, &format!("reverse_transfer('{}', 20)", &paid["id"])).await;
    let hold = call(&client, "hold_funds('wallets:a', 5, 'shop')").await;
    call(&client, &format!("capture_hold('{}', 4)", &hold["id"])).await;
    db::execute(
        &db.connect().await,
        "CREATE INDEX mine_by_amount ON wallet_data.transfers (ledger_id, amount) WHERE amount > 100; \
         ALTER TABLE wallet_data.transfers ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY mine_see_small ON wallet_data.transfers FOR SELECT TO wallet_auditor USING (amount < 100); \
         CREATE POLICY mine_app ON wallet_data.transfers FOR SELECT TO wallet_app USING (true); \
         CREATE TABLE seen (account text, posted numeric); GRANT ALL ON seen TO wallet_owner; \
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             INSERT INTO public.seen VALUES (NEW.address, NEW.posted); RETURN NULL; END $$; \
         CREATE TRIGGER mine_note AFTER UPDATE ON wallet_data.accounts FOR EACH ROW EXECUTE FUNCTION note(); \
         CREATE VIEW mine_report AS SELECT account, sum(amount) AS amount FROM wallet_ledger.entries GROUP BY 1",
    )
    .await;
    (db, client)
}

/// Everything that is defined in the two schemas, as PostgreSQL writes it down.
async fn definitions(client: &Client) -> Vec<Line> {
    lines(
        client,
        "WITH ours AS (SELECT oid, relname, relkind, coalesce(relacl, acldefault('r', relowner)) AS relacl, relowner, relrowsecurity, reloptions FROM pg_class \
             WHERE relnamespace IN ('wallet_data'::regnamespace, 'wallet_ledger'::regnamespace) AND relkind IN ('r', 'v', 'S')) \
         SELECT 'relation' AS what, relname::text AS name, concat_ws(' ', relkind, relowner::regrole, \
             (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(relacl) a), relrowsecurity, reloptions::text, \
             CASE relkind WHEN 'v' THEN pg_get_viewdef(oid) END, obj_description(oid)) AS text FROM ours \
         UNION ALL SELECT 'column', attrelid::regclass || '.' || attname, concat_ws(' ', format_type(atttypid, atttypmod), \
             attnotnull, attidentity, attcollation, pg_get_expr(adbin, adrelid)) \
             FROM pg_attribute JOIN ours ON oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum \
             WHERE attnum > 0 AND NOT attisdropped AND relkind = 'r' \
         UNION ALL SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index JOIN ours ON oid = indrelid \
         UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(c.oid) || c.convalidated::text \
             FROM pg_constraint c JOIN ours ON ours.oid = conrelid \
         UNION ALL SELECT 'trigger', tgname::text, pg_get_triggerdef(t.oid) || tgenabled::text FROM pg_trigger t \
             JOIN ours ON ours.oid = tgrelid WHERE NOT tgisinternal \
         UNION ALL SELECT 'policy', polname::text, concat_ws(' ', polcmd, polroles::regrole[], pg_get_expr(polqual, polrelid)) FROM pg_policy \
         UNION ALL SELECT 'function', p.oid::regprocedure::text, concat_ws(' ', proowner::regrole, prosecdef, provolatile, proconfig::text, \
             (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(proacl) a), obj_description(p.oid)) \
             FROM pg_proc p WHERE pronamespace IN ('wallet_data'::regnamespace, 'wallet_ledger'::regnamespace) \
         UNION ALL SELECT 'schema', nspname::text, concat_ws(' ', nspowner::regrole, \
             (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(nspacl) a)) FROM pg_namespace WHERE nspname LIKE 'wallet%' \
         UNION ALL SELECT 'sequence', s.seqrelid::regclass::text, concat_ws(' ', seqstart, seqincrement) FROM pg_sequence s JOIN ours ON oid = seqrelid \
         ORDER BY 1, 2, 3",
    )
    .await
}

const BALANCES: &str = "SELECT * FROM wallet_ledger.accounts ORDER BY ledger, account";

/// Posts, holds, captures, replays, reverses and polls in the copy.
async fn carries_on(db: &TestDb, client: &Client, cursor: &str) {
    db::execute(client, "SET wallet_ledger.ledger = 'main'").await;
    let before = calls(client, "balance('wallets:a')").await.remove(0);
    let posted = call(client, "post_transfer('wallets:a', 'shop', 1)").await;
    let next: i64 = before["version"].parse().unwrap();
    assert_eq!(&posted["debit_version"], (next + 1).to_string());
    let replay = "post_transfer('coins', 'coins:out', 0.00000001, 'spp', 'key-1', 'ref', 'words 🍜', '{\"b\": [1, 2.50]}', '2026-01-05')";
    assert_eq!(&call(client, replay).await["replayed"], "t");
    let hold = call(client, "hold_funds('wallets:a', 10, 'shop', idempotency_key => 'key-2')").await;
    assert_eq!(&hold["replayed"], "t");
    call(client, &format!("capture_hold('{}')", &hold["id"])).await;
    call(client, &format!("reverse_transfer('{}')", &posted["id"])).await;
    call(client, "open_wallet('newcomer')").await;
    call(client, "post_transfer('float', 'wallets:newcomer', 270)").await;
    assert_error(try_call(client, "post_transfer('wallets:b', 'shop', 1)").await, "account_frozen", "PT422");
    let dated = "post_transfer('wallets:a', 'shop', 1, effective_at => '2026-01-31')";
    assert_error(try_call(client, dated).await, "period_closed", "PT422");
    // The consumer's cursor from before goes on without a gap or a repeat.
    let settled = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint > ";
    let now = value(client, "SELECT pg_current_xact_id()").await;
    until(client, &format!("{settled}{now}"), "t").await;
    let polled = calls(client, &format!("poll_transfers('{cursor}')")).await;
    assert!(polled.len() >= 4 && polled.iter().any(|row| row["id"] == posted["id"]), "{polled:?}");
    assert_error(
        try_lines(&db.connect().await, "DELETE FROM wallet_data.transfers").await,
        "append_only",
        "PT403",
    );
    let noted = "SELECT count(*) > 0 FROM seen WHERE account = 'wallets:newcomer'";
    assert_eq!(value(&db.connect().await, noted).await, "t", "the user's own trigger is at work");
    verify_clean(client).await;
    db::verify_clean_ledger(client, "other").await;
}

async fn last_cursor(client: &Client) -> String {
    let now = value(client, "SELECT pg_current_xact_id()").await;
    let past = format!("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint > {now}");
    until(client, &past, "t").await;
    calls(client, "poll_transfers(max_count => 10000)").await.last().unwrap()["cursor"].to_owned()
}

fn file(db: &TestDb) -> PathBuf {
    std::env::temp_dir().join(format!("{}.dump", db.name))
}

#[tokio::test]
async fn dump_and_restore_keep_everything_and_the_copy_carries_on() {
    let (db, client) = lived_in("dumped").await;
    let cursor = last_cursor(&client).await;
    let (rows, defined, balances) =
        (contents(&client).await, definitions(&client).await, lines(&client, BALANCES).await);
    for format in ["custom", "plain"] {
        let copy = TestDb::empty(&format!("restored_{format}")).await;
        let dump = file(&copy);
        run(db.cluster.program("pg_dump").args(["-F", format, "-d", &db.name, "-f"]).arg(&dump)).await;
        let mut restore = if format == "custom" {
            let mut restore = db.cluster.program("pg_restore");
            restore.args(["--exit-on-error", "-d", &copy.name]).arg(&dump);
            restore
        } else {
            let mut restore = db.cluster.program("psql");
            restore.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &copy.name, "-f"]).arg(&dump);
            restore
        };
        run(&mut restore).await;
        std::fs::remove_file(&dump).unwrap();
        let restored = copy.app().await;
        assert_eq!(contents(&restored).await, rows, "{format}");
        assert_eq!(lines(&restored, BALANCES).await, balances, "{format}");
        let again = definitions(&restored).await;
        for (is, was) in again.iter().zip(&defined) {
            assert_eq!(is, was, "{format}");
        }
        assert_eq!(again.len(), defined.len());
        for ledger in ["main", "other"] {
            db::verify_clean_ledger(&restored, ledger).await;
        }
        carries_on(&copy, &restored, &cursor).await;
        call(&copy.connect().await, "install()").await;
        assert_eq!(definitions(&restored).await, defined, "install() after a restore changes nothing");
    }
    assert_eq!(contents(&client).await, rows);
    carries_on(&db, &client, &cursor).await;
}

#[tokio::test]
async fn dropping_the_extension_leaves_the_books_and_their_guards() {
    let (db, client) = lived_in("dropped").await;
    let cursor = last_cursor(&client).await;
    let (rows, defined) = (contents(&client).await, definitions(&client).await);
    let superuser = db.connect().await;
    let alone = sql_error(&try_lines(&superuser, "DROP SCHEMA wallet_data").await.unwrap_err());
    assert_eq!(alone.sqlstate, "2BP01", "a schema full of books does not go by itself");
    db::execute(&superuser, "DROP EXTENSION wallet_ledger CASCADE").await;
    assert_eq!(contents(&superuser).await, rows);
    for statement in [
        "UPDATE wallet_data.transfers SET amount = 1",
        "DELETE FROM wallet_data.transfers",
        "TRUNCATE wallet_data.transfers",
        "DELETE FROM wallet_data.accounts",
    ] {
        assert_error(try_lines(&superuser, statement).await, "append_only", "PT403");
    }
    // The views go on reading while nobody can post.
    lines(&client, BALANCES).await;
    let gone = sql_error(&try_call(&client, "post_transfer('wallets:a', 'shop', 1)").await.unwrap_err());
    assert_eq!(gone.sqlstate, "42883");
    db::execute(&superuser, "CREATE EXTENSION wallet_ledger; SELECT wallet_ledger.install()").await;
    assert_eq!(contents(&client).await, rows);
    assert_eq!(definitions(&client).await, defined);
    // The same session as before, with its kept plans and its cached ids.
    carries_on(&db, &client, &cursor).await;
}

/// One session through three installations: ids of the one before must not leak into the next.
#[tokio::test]
async fn a_session_forgets_tables_that_are_gone() {
    let db = TestDb::new("forgotten").await;
    let client = db.connect().await;
    for round in 0..3 {
        // The names are the same, the ids behind them are not.
        for filler in 0..round {
            call(&client, &format!("create_ledger('filler{filler}')")).await;
        }
        call(&client, "create_ledger('main')").await;
        db::execute(&client, "SET wallet_ledger.ledger = 'main'").await;
        for filler in 0..=round {
            call(&client, &format!("create_kind('filler{filler}')")).await;
        }
        call(&client, "create_kind('mine')").await;
        for account in ["x", "y"] {
            call(&client, &format!("create_account('{account}', 'asset')")).await;
        }
        for _ in 0..3 {
            let posted = call(&client, "post_transfer('x', 'y', 1, 'mine', reference => 'r')").await;
            assert_eq!(posted.pick(["ledger", "kind"]), ["main", "mine"]);
        }
        call(&client, "hold_funds('x', 1, 'y', idempotency_key => 'h')").await;
        assert_eq!(call(&client, "balance('x')").await.pick(["posted", "version"]), ["3.00", "3"]);
        verify_clean(&client).await;
        let refresh = match round {
            0 => "DROP SCHEMA wallet_data CASCADE; SELECT wallet_ledger.install()",
            1 => {
                "DROP EXTENSION wallet_ledger CASCADE; DROP SCHEMA wallet_data CASCADE; \
                  CREATE EXTENSION wallet_ledger; SELECT wallet_ledger.install()"
            }
            _ => "SELECT 1",
        };
        db::execute(&client, refresh).await;
    }
    // And when there is nothing any more.
    db::execute(&client, "DROP SCHEMA wallet_data CASCADE").await;
    for sql in ["post_transfer('x', 'y', 1)", "create_ledger('main')", "poll_events()"] {
        assert_error(try_calls(&client, sql).await, "not_installed", "PT503");
    }
}
