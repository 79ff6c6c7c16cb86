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
         WHERE n.nspname IN ('wallet_data', 'wallet_ledger') ORDER BY c.relname";
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
