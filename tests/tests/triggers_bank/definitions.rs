//! Triggers that do not fit. Each is proved twice: it fails when it fires, with an error that names what
//! is wrong, and check_trigger() finds the same before.

use super::counter::{ORDERS, Shop, findings, insert, mark, row, stage};
use wallet_ledger_tests::bank::{credit, match_call};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

/// Arguments of match_on_insert that do not fit, and what the error and the finding say.
#[rustfmt::skip]
const STAGING: &[(&str, &str)] = &[
    ("", "0 arguments"),
    ("'moota'", "1 arguments"),
    ("'mootaa', 'id'", "no provider 'mootaa'"),
    ("'moota', 'payload'", "no column \"payload\""),
    ("'moota', 'amount'", "\"amount\" is of type numeric, which is no JSON"),
    ("'moota', 'id', 'type'", "either one column that holds everything, or a column for each field"),
    ("'moota', 'id=id', 'bank_id=bank_id', 'date=date', 'amount=amount'", "no column is named for the field type"),
    ("'moota', 'id=id', 'bank_id=bank_id', 'date=date', 'ammount=amount', 'type=type'", "no field 'ammount'"),
    ("'moota', 'id=id', 'bank_id=bank', 'date=date', 'amount=amount', 'type=type'", "no column \"bank\" (bank_id)"),
    ("'moota', 'id=id', 'bank_id=bank_id', 'date=date', 'amount=flag', 'type=type'", "is of type boolean, which is no number"),
    ("'midtrans', 'id=id', 'date=date'", "midtrans does not send flat lines"),
    ("'moota', 'id', 'ledger={school}'", "no column \"school\" (placeholder)"),
    ("'moota', 'id', 'ledger=a:b'", "it is no ledger's name"),
];

#[tokio::test]
async fn staging_arguments_that_do_not_fit() {
    let shop = Shop::bare("staging").await;
    execute(&shop.dba, "ALTER TABLE shop.mutations ADD flag boolean").await;
    for (arguments, words) in STAGING {
        execute(
            &shop.dba,
            &format!(
                "DROP TRIGGER IF EXISTS taken_in ON shop.mutations; {}",
                stage("shop.mutations", arguments)
            ),
        )
        .await;
        let found = findings(&shop.dba, "shop.mutations").await;
        assert!(
            found.iter().any(|line| line.starts_with("error taken_in") && line.contains(words)),
            "{arguments}: {found:?}"
        );
        let fired = shop.edge.batch_execute(&insert(&[row("m", "5000")])).await;
        let error = assert_error(fired, "invalid_trigger", "PT422");
        assert!(error.message.starts_with("trigger taken_in on shop.mutations: "), "{error:#?}");
        assert!(error.message.contains(words), "{error:#?}");
    }
}

/// What comes behind CREATE TRIGGER t, what fires it, and words of the error and the finding.
#[rustfmt::skip]
const FORMS: &[(&str, &str, &str, &str)] = &[
    ("BEFORE INSERT ON shop.bodies FOR EACH ROW", "INSERT INTO shop.bodies VALUES ('[]')", "AFTER", "AFTER"),
    ("AFTER INSERT ON shop.bodies FOR EACH STATEMENT", "INSERT INTO shop.bodies VALUES ('[]')", "transition tables", "without its transition table"),
    ("AFTER INSERT OR UPDATE ON shop.bodies FOR EACH ROW", "UPDATE shop.bodies SET payload = '[]'", "only on INSERT", "on nothing else"),
    ("AFTER DELETE ON shop.bodies FOR EACH ROW", "DELETE FROM shop.bodies", "only on INSERT", "on nothing else"),
    ("AFTER TRUNCATE ON shop.bodies FOR EACH STATEMENT", "TRUNCATE shop.bodies", "only on INSERT", "on nothing else"),
];

#[tokio::test]
async fn staging_forms_that_do_not_work() {
    let shop = Shop::bare("forms").await;
    for (form, fire, words, finding) in FORMS {
        execute(
            &shop.dba,
            &format!(
                "DROP TRIGGER IF EXISTS t ON shop.bodies; INSERT INTO shop.bodies VALUES ('[]');
                 CREATE TRIGGER t {form} EXECUTE FUNCTION wallet_ledger.match_on_insert('moota', 'payload')"
            ),
        )
        .await;
        let found = findings(&shop.dba, "shop.bodies").await;
        assert!(
            found.iter().any(|line| line.starts_with("error t") && line.contains(finding)),
            "{form}: {found:?}"
        );
        let error = assert_error(shop.dba.batch_execute(fire).await, "invalid_trigger", "PT422");
        assert!(error.message.contains(words), "{form}: {error:#?}");
    }
    let called = shop.dba.batch_execute("SELECT wallet_ledger.match_on_insert()").await;
    assert!(called.is_err());
}

#[tokio::test]
async fn findings_about_staging_tables() {
    let shop = Shop::open("findings").await;
    for (change, severity, words) in [
        ("ALTER TABLE shop.mutations DISABLE TRIGGER taken_in", "error", "it is disabled"),
        ("ALTER TABLE shop.mutations ENABLE REPLICA TRIGGER taken_in", "warning", "replica mode"),
        ("ALTER TABLE shop.mutations ALTER amount TYPE real", "warning", "\"amount\" is of type real"),
        ("SELECT wallet_ledger.create_ledger('second')", "warning", "2 ledgers and it names none"),
        ("ALTER TABLE shop.mutations DROP amount", "error", "no column \"amount\" (amount)"),
    ] {
        assert_eq!(findings(&shop.dba, "shop.mutations").await, [""; 0], "before {change}");
        execute(&shop.dba, &format!("BEGIN; {change}")).await;
        let found = findings(&shop.dba, "shop.mutations").await;
        assert!(
            found.iter().any(|line| line.starts_with(severity) && line.contains(words)),
            "{change}: {found:?}"
        );
        execute(&shop.dba, "ROLLBACK").await;
    }
    execute(&shop.dba, &stage("shop.bodies", "'xendit', 'payload'").replace("taken_in", "gateway")).await;
    let found = findings(&shop.dba, "shop.bodies").await;
    assert!(
        found.len() == 1 && found[0].starts_with("warning gateway no bank account of xendit"),
        "{found:?}"
    );
    // A trigger of each function on one table: none speaks for the other.
    let posting = "CREATE TRIGGER posted AFTER INSERT OR UPDATE ON shop.mutations FOR EACH ROW
        EXECUTE FUNCTION wallet_ledger.post_on_status_change('type', 'CR', 'bank', 'shop', 'amount', 'topup')";
    execute(&shop.dba, posting).await;
    assert_eq!(findings(&shop.dba, "shop.mutations").await, [""; 0]);
    assert!(findings(&shop.dba, "shop.orders").await[0].contains("has no trigger"));
}

/// Arguments of update_on_intent that do not fit, and what the error and the finding say.
#[rustfmt::skip]
const MARKING: &[(&str, &str)] = &[
    ("'shop.orders', 'id', 'status'", "3 arguments instead of 4 to 7"),
    ("'shop.orders', 'id', 'status', 'paid', '', '', '', ''", "8 arguments instead of 4 to 7"),
    ("'orders', 'id', 'status', 'paid'", "'orders' is no schema and table"),
    ("'shop.order', 'id', 'status', 'paid'", "no table shop.order"),
    ("'shop.\"Orders\"', 'id', 'status', 'paid'", "no table shop.\"Orders\""),
    ("'shop.orders', 'ID', 'status', 'paid'", "no column \"ID\" (key column)"),
    ("'shop.orders', 'id', 'Status', 'paid'", "no column \"Status\" (status column)"),
    ("'shop.orders', 'made', 'status', 'paid'", "\"made\" is of type date"),
    ("'shop.orders', 'id', 'state', 'Paid'", "'Paid' is not a value of column \"state\""),
    ("'shop.orders', 'id', 'state', 'paid', 'unpaid'", "'unpaid' is not a value of column \"state\""),
    ("'shop.orders', 'id', 'status', 'paid', 'paid'", "for paid and for undone"),
    ("'shop.orders', 'id', 'status', 'paid', '', 'orders'", "no purpose 'orders'"),
    ("'shop.seen', 'id', 'status', 'paid'", "shop.seen is not a table"),
    ("'wallet_data.accounts', 'account_id', 'address', 'paid'", "belongs to the ledger's own role"),
];

#[tokio::test]
async fn marking_arguments_that_do_not_fit() {
    let shop = Shop::bare("marking").await;
    execute(
        &shop.dba,
        "CREATE TYPE shop.state AS ENUM ('new', 'paid'); ALTER TABLE shop.orders ADD state shop.state, ADD made date;
         CREATE VIEW shop.seen AS SELECT * FROM shop.orders",
    )
    .await;
    let intent = shop.order(1, 50_000).await;
    let pay = format!("SELECT wallet_ledger.{}", match_call(&credit("m1", &intent["total"])));
    let before = contents(&shop.app).await;
    for (arguments, words) in MARKING {
        execute(
            &shop.dba,
            &format!("DROP TRIGGER IF EXISTS marked ON wallet_data.intents; {}", mark("marked", arguments)),
        )
        .await;
        let found = findings(&shop.dba, "wallet_data.intents").await;
        assert!(
            found.iter().any(|line| line.starts_with("error marked") && line.contains(words)),
            "{arguments}: {found:?}"
        );
        let error = assert_error(try_lines(&shop.app, &pay).await, "invalid_trigger", "PT422");
        assert!(error.message.starts_with("trigger marked on wallet_data.intents: "), "{error:#?}");
        assert!(error.message.contains(words), "{error:#?}");
        assert_eq!(contents(&shop.app).await, before);
    }
    execute(
        &shop.dba,
        &format!(
            "DROP TRIGGER marked ON wallet_data.intents; {}",
            mark("marked", &format!("{ORDERS}, 'second'"))
        ),
    )
    .await;
    assert!(findings(&shop.dba, "wallet_data.intents").await[0].contains("no ledger second"));
    assert_error(try_lines(&shop.app, &pay).await, "ledger_not_found", "PT404");
}

#[tokio::test]
async fn marking_forms_that_do_not_work() {
    let shop = Shop::bare("marking_forms").await;
    let intent = shop.order(1, 50_000).await;
    let pay = format!("SELECT wallet_ledger.{}", match_call(&credit("m1", &intent["total"])));
    for (form, words, finding) in [
        ("BEFORE UPDATE ON wallet_data.intents FOR EACH ROW", "AFTER", "AFTER"),
        (
            "AFTER UPDATE ON wallet_data.intents FOR EACH STATEMENT",
            "transition tables",
            "both transition tables",
        ),
        (
            "AFTER UPDATE ON wallet_data.intents REFERENCING NEW TABLE AS n FOR EACH STATEMENT",
            "transition tables",
            "both transition tables",
        ),
    ] {
        let function = format!("EXECUTE FUNCTION wallet_ledger.update_on_intent({ORDERS})");
        execute(&shop.dba, &format!("CREATE OR REPLACE TRIGGER t {form} {function}")).await;
        let found = findings(&shop.dba, "wallet_data.intents").await;
        assert!(
            found.iter().any(|line| line.starts_with("error t") && line.contains(finding)),
            "{form}: {found:?}"
        );
        let error = assert_error(try_lines(&shop.app, &pay).await, "invalid_trigger", "PT422");
        assert!(error.message.contains(words), "{form}: {error:#?}");
        execute(&shop.dba, "DROP TRIGGER t ON wallet_data.intents").await;
    }
    let function = format!("EXECUTE FUNCTION wallet_ledger.update_on_intent({ORDERS})");
    let insert = "AFTER INSERT OR UPDATE ON wallet_data.intents FOR EACH ROW";
    execute(&shop.dba, &format!("CREATE TRIGGER t {insert} {function}")).await;
    assert!(findings(&shop.dba, "wallet_data.intents").await[0].contains("on nothing else"));
    let sql = "SELECT wallet_ledger.create_intent('order', 'shop', 50000, 'banks:bca:1')";
    assert_error(try_lines(&shop.app, sql).await, "invalid_trigger", "PT422");
}

#[tokio::test]
async fn findings_about_marked_tables() {
    let shop = Shop::open("marked").await;
    for (change, severity, words) in [
        ("ALTER TABLE wallet_data.intents DISABLE TRIGGER orders_paid", "error", "it is disabled"),
        (
            "ALTER TABLE shop.orders DROP CONSTRAINT orders_pkey",
            "warning",
            "no index of shop.orders begins with \"id\"",
        ),
        (
            "ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
            "warning",
            "is forced on its owner",
        ),
        (
            "CREATE FUNCTION shop.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
          CREATE TRIGGER f AFTER UPDATE ON shop.orders EXECUTE FUNCTION shop.f()",
            "note",
            "shop.f(), a trigger function of shop.orders, sets no search_path",
        ),
        ("ALTER TABLE shop.orders RENAME TO purchases", "error", "no table shop.orders"),
    ] {
        assert_eq!(findings(&shop.dba, "wallet_data.intents").await, [""; 0], "before {change}");
        execute(&shop.dba, &format!("BEGIN; {change}")).await;
        let found = findings(&shop.dba, "wallet_data.intents").await;
        assert_eq!(found.len(), 1, "{change}: {found:?}");
        assert!(found[0].starts_with(severity) && found[0].contains(words), "{change}: {found:?}");
        execute(&shop.dba, "ROLLBACK").await;
    }
    execute(
        &shop.dba,
        "CREATE FUNCTION shop.f() RETURNS trigger LANGUAGE plpgsql SET search_path = shop AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER f AFTER UPDATE ON shop.orders EXECUTE FUNCTION shop.f();
         CREATE TRIGGER g BEFORE DELETE ON shop.orders EXECUTE FUNCTION shop.f();",
    )
    .await;
    assert_eq!(findings(&shop.dba, "wallet_data.intents").await, [""; 0]);
}
