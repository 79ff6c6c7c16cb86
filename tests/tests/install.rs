//! CREATE EXTENSION and install().

use wallet_ledger_tests::*;

const VERSION: &str = env!("WL_EXTENSION_VERSION");

#[tokio::test]
async fn the_extension_has_the_version_of_the_crate() {
    let db = TestDb::new("version").await;
    let found = rows(
        &db.connect().await,
        "SELECT extversion, nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace \
         WHERE extname = 'wallet_ledger'",
        &[],
    )
    .await
    .unwrap();
    assert_eq!(found, [json!({"extversion": VERSION, "nspname": "wallet_ledger"})]);
}

#[tokio::test]
async fn install_runs_again_and_changes_nothing() {
    const CATALOG: &str = "SELECT c.oid::bigint, c.relname, c.relkind::text, c.relfilenode::bigint, c.relacl::text \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname IN ('wallet_data', 'wallet_ledger') ORDER BY c.relname, c.oid";
    let db = TestDb::with_ledger("install_again").await;
    let client = db.connect().await;
    let before = rows(&client, CATALOG, &[]).await.unwrap();
    client.query("SELECT wallet_ledger.install()", &[]).await.unwrap();
    client.query("SELECT wallet_ledger.install()", &[]).await.unwrap();
    assert_eq!(before, rows(&client, CATALOG, &[]).await.unwrap());
    assert!(!before.is_empty());
    verify_clean(&client).await;
}

#[tokio::test]
async fn the_data_are_not_members_of_the_extension() {
    let db = TestDb::new("members").await;
    let client = db.connect().await;
    let tables = rows(
        &client,
        "SELECT relname FROM pg_class WHERE relnamespace = 'wallet_data'::regnamespace AND relkind IN ('r', 'p')",
        &[],
    )
    .await
    .unwrap();
    assert!(tables.contains(&json!({"relname": "transfers"})), "{tables:?}");
    let members = rows(
        &client,
        "SELECT c.oid::regclass::text FROM pg_depend d JOIN pg_class c ON d.objid = c.oid \
         WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e' \
           AND d.refclassid = 'pg_extension'::regclass \
           AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'wallet_ledger') \
           AND c.relkind NOT IN ('c')",
        &[],
    )
    .await
    .unwrap();
    assert_eq!(members, Vec::<Value>::new(), "tables, views and sequences must not be members");
}

#[tokio::test]
async fn drop_extension_leaves_the_rows_and_create_carries_on() {
    let db = TestDb::with_ledger("drop").await;
    let client = db.connect().await;
    let count = "SELECT count(*) FROM wallet_data.ledgers";
    let before: i64 = client.query_one(count, &[]).await.unwrap().get(0);
    assert!(before > 0);
    db::execute(&client, "DROP EXTENSION wallet_ledger CASCADE").await;
    let after: i64 = client.query_one(count, &[]).await.unwrap().get(0);
    assert_eq!(before, after);
    db::execute(&client, "CREATE EXTENSION wallet_ledger; SELECT wallet_ledger.install()").await;
    verify_clean(&client).await;
}

/// The version row, the guards and the views are repaired by running it again.
#[tokio::test]
async fn install_repairs_what_was_taken_away() {
    let (db, client) = books("repair").await;
    let superuser = db.connect().await;
    db::execute(
        &superuser,
        "ALTER TABLE wallet_data.transfers DISABLE TRIGGER transfers_append_only; \
         DROP VIEW wallet_ledger.trial_balance; REVOKE SELECT ON wallet_data.transfers FROM wallet_auditor",
    )
    .await;
    call(&superuser, "install()").await;
    let refused = try_lines(&superuser, "DELETE FROM wallet_data.transfers").await;
    assert_error(refused, "append_only", "PT403");
    lines(&client, "SELECT * FROM wallet_ledger.trial_balance").await;
    lines(&db.connect_as("wallet_auditor").await, "SELECT * FROM wallet_ledger.transfers").await;
    verify_clean(&client).await;
}

/// The extension is created by a superuser; the tables may be made by whoever owns the database.
#[tokio::test]
async fn a_database_owner_with_createrole_can_install() {
    let db = TestDb::empty("owner_installs").await;
    let superuser = db.connect().await;
    let role = db.role("dba", "LOGIN CREATEROLE").await;
    db::execute(
        &superuser,
        &format!("ALTER DATABASE \"{}\" OWNER TO \"{role}\"; CREATE EXTENSION wallet_ledger", db.name),
    )
    .await;
    let dba = db.connect_as(&role).await;
    call(&dba, "install()").await;
    call(&dba, "install()").await;
    assert_eq!(value(&dba, "SELECT current_user").await, role, "install() gives the role back");
    let owners = "SELECT string_agg(DISTINCT relowner::regrole::text, ',') FROM pg_class \
                  WHERE relnamespace = 'wallet_data'::regnamespace";
    assert_eq!(value(&superuser, owners).await, "wallet_owner");
    let app = db.app().await;
    call(&app, "create_ledger('main')").await;
    for account in ["x", "y"] {
        call(&app, &format!("create_account('{account}', 'asset')")).await;
    }
    call(&app, "post_transfer('x', 'y', 1)").await;
    verify_clean(&app).await;
    // Membership that install() granted goes with the role; the database must be given back first.
    db::execute(&superuser, &format!("ALTER DATABASE \"{}\" OWNER TO postgres", db.name)).await;
}

#[tokio::test]
async fn a_plain_role_is_told_what_it_lacks() {
    let db = TestDb::empty("plain").await;
    let superuser = db.connect().await;
    let role = db.role("plain", "LOGIN").await;
    db::execute(
        &superuser,
        &format!(
            "CREATE EXTENSION wallet_ledger; REVOKE CREATE ON DATABASE \"{}\" FROM wallet_owner; \
             GRANT USAGE ON SCHEMA wallet_ledger TO \"{role}\"; \
             GRANT EXECUTE ON FUNCTION wallet_ledger.install() TO \"{role}\"",
            db.name
        ),
    )
    .await;
    let plain = db.connect_as(&role).await;
    let error = assert_error(try_call(&plain, "install()").await, "privilege_missing", "PT403");
    assert_eq!(error.detail["role"], role);
    let lacks = error.detail["lacks"].as_str().unwrap();
    assert!(lacks.contains("CREATEROLE") && lacks.contains("database"), "{lacks}");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'wallet_data'";
    assert_eq!(value(&superuser, schemas).await, "0", "nothing was made");
    // Somebody else's schema of that name is not taken over.
    db::execute(&superuser, "CREATE SCHEMA wallet_data").await;
    let error = assert_error(try_call(&superuser, "install()").await, "privilege_missing", "PT403");
    assert_eq!(error.detail["owner"], "postgres");
}

#[tokio::test]
async fn without_the_tables_every_call_says_so() {
    let db = TestDb::empty("not_installed").await;
    let client = db.connect().await;
    db::execute(&client, "CREATE EXTENSION wallet_ledger").await;
    for sql in [
        "post_transfer('a', 'b', 1)",
        "create_ledger('main')",
        "open_wallet('a')",
        "balance('a')",
        "poll_transfers()",
        "preview_transfer('a', 'b', 1)",
        "expire_holds()",
    ] {
        assert_error(try_calls(&client, sql).await, "not_installed", "PT503");
    }
    call(&client, "install()").await;
    call(&client, "create_ledger('main')").await;
}

/// Whoever may make schemas must not be there first: what they put into it would be called by whoever installs.
#[tokio::test]
async fn a_schema_that_a_stranger_made_is_refused() {
    let db = TestDb::empty("squatted").await;
    let dba = db.connect().await;
    let stranger = db.role("squatter", "").await;
    let refused = |whose: &str| format!("schema wallet_ledger, or something in it, belongs to {whose}");
    for squat in [
        format!("CREATE SCHEMA wallet_ledger AUTHORIZATION \"{stranger}\""),
        format!(
            "CREATE SCHEMA wallet_ledger;
             CREATE FUNCTION wallet_ledger.trap(oid, regclass) RETURNS boolean LANGUAGE sql AS 'SELECT true';
             ALTER FUNCTION wallet_ledger.trap OWNER TO \"{stranger}\";
             CREATE OPERATOR wallet_ledger.= (LEFTARG = oid, RIGHTARG = regclass, FUNCTION = wallet_ledger.trap)"
        ),
    ] {
        db::execute(&dba, &squat).await;
        let error = sql_error(&dba.batch_execute("CREATE EXTENSION wallet_ledger").await.unwrap_err());
        assert_eq!((error.sqlstate.as_str(), error.message), ("42501", refused(&stranger)));
        db::execute(&dba, "DROP SCHEMA wallet_ledger CASCADE").await;
    }
    // One that the DBA made is as good as one that the extension makes: a dump brings it along. And default privileges
    // of the database let nobody in.
    db::execute(
        &dba,
        &format!(
            "ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO \"{stranger}\";
             CREATE SCHEMA wallet_ledger; CREATE EXTENSION wallet_ledger"
        ),
    )
    .await;
    let open = format!(
        "SELECT count(*) FROM pg_proc p WHERE p.pronamespace = 'wallet_ledger'::regnamespace
         AND has_function_privilege('{stranger}', p.oid, 'EXECUTE')"
    );
    assert_eq!(value(&dba, &open).await, "0");
    assert_eq!(value(&dba, "SELECT wallet_ledger.install()").await, "wallet_data installed, version 1");
}

/// Nothing that the caller's search_path names is called by install(), and it is the same afterwards.
#[tokio::test]
async fn install_follows_nobodys_search_path() {
    let db = TestDb::new("led_astray").await;
    let dba = db.connect().await;
    db::execute(
        &dba,
        "CREATE SCHEMA evil;
         CREATE FUNCTION evil.trap(name, name) RETURNS boolean LANGUAGE plpgsql AS
             'BEGIN RAISE EXCEPTION ''led astray''; END';
         CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = name, FUNCTION = evil.trap);
         SET search_path = evil, public, pg_catalog",
    )
    .await;
    assert_eq!(value(&dba, "SELECT wallet_ledger.install()").await, "wallet_data is up to date, version 1");
    db::execute(&dba, "BEGIN; SELECT wallet_ledger.install(); CREATE TABLE after (n int); COMMIT").await;
    assert_eq!(value(&dba, "SELECT 'evil.after'::pg_catalog.regclass IS NOT NULL").await, "t");
}
