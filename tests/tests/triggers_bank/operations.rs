//! What is done to databases: install() again, doctor(), DROP EXTENSION, dump and restore. The triggers are
//! the DBA's own, and stay.

use super::counter::{Shop, findings, insert, row};
use wallet_ledger_tests::bank::assert_bank_sound;
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

/// The triggers that are not the ledger's own, as PostgreSQL writes them down.
async fn triggers(client: &Client) -> Vec<Line> {
    lines(
        client,
        "SELECT pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text AS text FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
         WHERE NOT t.tgisinternal AND p.proname IN ('match_on_insert', 'update_on_intent') ORDER BY 1",
    )
    .await
}

async fn assert_no_stray(client: &Client) {
    let strays = "SELECT * FROM wallet_ledger.doctor() WHERE check_name = 'guards' AND (status <> 'ok' OR hint IS NOT NULL)";
    let found = lines(client, strays).await;
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test]
async fn installing_keeps_them_and_doctor_knows_them() {
    let shop = Shop::open("install").await;
    let before = triggers(&shop.dba).await;
    assert_eq!(before.len(), 3);
    assert_no_stray(&shop.dba).await;
    call(&shop.dba, "install()").await;
    assert_eq!(triggers(&shop.dba).await, before);
    assert_no_stray(&shop.dba).await;
    let intent = shop.order(1, 50_000).await;
    execute(&shop.edge, &insert(&[row("m1", &intent["total"])])).await;
    assert_eq!(shop.orders().await, "1 paid");
    // Any other trigger on the intents is worth a look, and so is this one on any other table.
    for (stray, words) in [
        (
            "CREATE TRIGGER mine BEFORE UPDATE ON wallet_data.intents FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "intents mine",
        ),
        (
            "CREATE TRIGGER mine AFTER UPDATE ON wallet_data.accounts FOR EACH ROW EXECUTE FUNCTION wallet_ledger.update_on_intent('a.b', 'c', 'd', 'e')",
            "accounts mine",
        ),
    ] {
        execute(&shop.dba, &format!("BEGIN; {stray}")).await;
        let sql = "SELECT string_agg(detail, ' ') FROM wallet_ledger.doctor() WHERE check_name = 'guards' AND status = 'warning'";
        assert!(value(&shop.dba, sql).await.contains(words), "{stray}");
        execute(&shop.dba, "ROLLBACK").await;
    }
}

#[tokio::test]
async fn dump_and_restore_carry_them() {
    let shop = Shop::open("dump").await;
    let paid = shop.order(1, 50_000).await;
    let open = shop.order(2, 50_000).await;
    execute(&shop.edge, &insert(&[row("m1", &paid["total"])])).await;
    let (rows, defined) = (contents(&shop.app).await, triggers(&shop.dba).await);
    for format in ["custom", "plain"] {
        let copy = TestDb::empty(&format!("triggers_{format}")).await;
        let dump = std::env::temp_dir().join(format!("{}.dump", copy.name));
        run(shop.db.cluster.program("pg_dump").args(["-F", format, "-d", &shop.db.name, "-f"]).arg(&dump))
            .await;
        if format == "custom" {
            run(shop.db.cluster.program("pg_restore").args(["--exit-on-error", "-d", &copy.name]).arg(&dump))
                .await;
        } else {
            let arguments = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &copy.name, "-f"];
            run(shop.db.cluster.program("psql").args(arguments).arg(&dump)).await;
        }
        std::fs::remove_file(&dump).unwrap();
        let (dba, app) = (copy.connect().await, copy.app().await);
        // Restoring the rows has fired nothing.
        assert_eq!(contents(&app).await, rows, "{format}");
        assert_eq!(triggers(&dba).await, defined, "{format}");
        let orders = "SELECT string_agg(id || ' ' || status, ', ' ORDER BY id) FROM shop.orders";
        assert_eq!(value(&dba, orders).await, "1 paid, 2 unpaid");
        assert_no_stray(&dba).await;
        for table in ["shop.mutations", "shop.bodies", "wallet_data.intents"] {
            assert_eq!(findings(&dba, table).await, [""; 0], "{format} {table}");
        }
        execute(&dba, &insert(&[row("m2", &open["total"])])).await;
        assert_eq!(value(&dba, orders).await, "1 paid, 2 paid", "{format}");
        assert_bank_sound(&app).await;
    }
}

#[tokio::test]
async fn dropping_the_extension_takes_them_with_it() {
    let shop = Shop::open("drop").await;
    let open = shop.order(1, 50_000).await;
    let refused = sql_error(&shop.dba.batch_execute("DROP EXTENSION wallet_ledger").await.unwrap_err());
    assert_eq!(refused.sqlstate, "2BP01");
    execute(&shop.dba, "DROP EXTENSION wallet_ledger CASCADE; CREATE EXTENSION wallet_ledger; SELECT wallet_ledger.install()").await;
    assert_eq!(triggers(&shop.dba).await, []);
    execute(&shop.edge, &insert(&[row("m1", &open["total"])])).await;
    assert_eq!(shop.orders().await, "1 unpaid");
}
