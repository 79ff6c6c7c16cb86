//! Triggers that do not fit their table. Each is proved twice: the trigger fails when it first fires, with
//! an error that names what is wrong, and check_trigger() finds the same before anything has fired. A
//! sound pair of triggers has no finding.

use super::shop::{ARGUMENTS, Form, attach, findings, shop, topups};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

const TABLE: &str = "CREATE TYPE state AS ENUM ('new', 'paid', 'refunded');
     CREATE TABLE topups (id int PRIMARY KEY, owner_id text, amount numeric, status state, made date);
     INSERT INTO topups VALUES (1, '1', 5, 'new');";

/// Arguments that do not fit, and what the error and the finding say.
#[rustfmt::skip]
const ARGUMENTS_THAT_DO_NOT_FIT: &[(&str, &str)] = &[
    ("'state', 'paid', 'banks:bca:1', 'wallets:{owner_id}', 'amount', 'topup'", "no column \"state\""),
    ("'status', 'paid', 'banks:{bank}', 'wallets:{owner_id}', 'amount', 'topup'", "no column \"bank\""),
    ("'status', 'paid', 'banks:bca:1', 'wallets:{Owner_id}', 'amount', 'topup'", "no column \"Owner_id\""),
    ("'status', 'paid', 'banks:bca:1', 'wallets:{owner_id}', 'ammount', 'topup'", "no column \"ammount\""),
    ("'status', 'paid', 'banks:bca:1', 'wallets:{owner_id}', 'made', 'topup'", "is of type date, which is no number"),
    ("'status', 'Paid', 'banks:bca:1', 'wallets:{owner_id}', 'amount', 'topup'", "'Paid' is not a value of column"),
    ("'status', 'paid', 'banks:bca:1', 'wallets:{owner_id}', 'amount', 'topup', 'back'", "'back' is not a value of column"),
    ("'status', 'paid', 'banks:bca:1', 'wallets:{owner_id', 'amount', 'topup'", "a '{' is not closed"),
    ("'status', 'paid', 'banks::1', 'wallets:{owner_id}', 'amount', 'topup'", "it is no address"),
    ("'status', 'paid', 'banks:bca:1', 'wallets:{owner_id}', 'amount', 'topup', '', 'a:b'", "it is no ledger's name"),
    ("'status', 'paid', 'banks:bca:1', 'wallets:{owner_id}', 'amount', 'topup', 'paid'", "both posts and reverses"),
    ("'status', 'paid', 'banks:bca:1', 'wallets:{owner_id}', 'amount'", "5 arguments instead of 6 to 8"),
    ("'status', 'paid', 'banks:bca:1', 'wallets:{owner_id}', 'amount', ''", "the kind is empty"),
];

#[tokio::test]
async fn arguments_that_do_not_fit() {
    let (_db, client) = shop("arguments").await;
    for (arguments, words) in ARGUMENTS_THAT_DO_NOT_FIT {
        for form in [Form::Statement, Form::Row] {
            execute(&client, "DROP TABLE IF EXISTS topups; DROP TYPE IF EXISTS state").await;
            execute(&client, &format!("{TABLE} {}", attach("topups", form, arguments))).await;
            let found = findings(&client, "topups").await;
            let errors = if matches!(form, Form::Row) { 1 } else { 2 };
            assert_eq!(found.len(), errors, "{arguments}: {found:?}");
            assert!(
                found.iter().all(|line| line.starts_with("error posted") && line.contains(words)),
                "{found:?}"
            );
            let fired = client.batch_execute("UPDATE topups SET owner_id = '2'").await;
            let error = assert_error(fired, "invalid_trigger", "PT422");
            assert!(error.message.contains(words), "{error:#?}");
            assert!(
                error.message.starts_with("trigger posted") && error.detail["table"] == "public.topups",
                "{error:#?}"
            );
            if words.starts_with("no column") {
                let columns = error.detail["explanation"].as_str().unwrap();
                assert!(columns.contains("id, owner_id, amount, status, made"), "{error:#?}");
            }
        }
    }
}

/// What comes behind CREATE TRIGGER t, what fires it, and what the error and the finding say.
const FORMS_THAT_DO_NOT_WORK: &[(&str, &str, &str, &str)] = &[
    ("BEFORE UPDATE ON topups FOR EACH ROW", "UPDATE topups SET owner_id = '2'", "AFTER", "AFTER"),
    (
        "AFTER UPDATE ON topups FOR EACH STATEMENT",
        "UPDATE topups SET owner_id = '2'",
        "transition tables",
        "both transition tables",
    ),
    (
        "AFTER UPDATE ON topups REFERENCING NEW TABLE AS n FOR EACH STATEMENT",
        "UPDATE topups SET owner_id = '2'",
        "transition tables",
        "both transition tables",
    ),
    (
        "AFTER INSERT ON topups FOR EACH STATEMENT",
        "INSERT INTO topups VALUES (2)",
        "transition tables",
        "without its transition table",
    ),
    (
        "AFTER INSERT OR DELETE ON topups FOR EACH ROW",
        "DELETE FROM topups",
        "only on INSERT or UPDATE",
        "DELETE or TRUNCATE",
    ),
    (
        "AFTER TRUNCATE ON topups FOR EACH STATEMENT",
        "TRUNCATE topups",
        "only on INSERT or UPDATE",
        "DELETE or TRUNCATE",
    ),
];

#[tokio::test]
async fn forms_that_do_not_work() {
    let (_db, client) = shop("forms").await;
    for (form, fire, words, finding) in FORMS_THAT_DO_NOT_WORK {
        execute(&client, "DROP TABLE IF EXISTS topups; DROP TYPE IF EXISTS state").await;
        let function = format!("EXECUTE FUNCTION wallet_ledger.post_on_status_change({ARGUMENTS})");
        execute(&client, &format!("{TABLE} CREATE TRIGGER t {form} {function}")).await;
        let found = findings(&client, "topups").await;
        assert!(
            found.iter().any(|line| line.starts_with("error t") && line.contains(finding)),
            "{form}: {found:?}"
        );
        let error = assert_error(client.batch_execute(fire).await, "invalid_trigger", "PT422");
        assert!(error.message.contains(words), "{form}: {error:#?}");
    }
}

#[tokio::test]
async fn a_table_needs_a_primary_key() {
    for (key, words) in [("UNIQUE", "no primary key"), ("PRIMARY KEY DEFERRABLE", "is deferrable")] {
        let (_db, client) = shop("no_key").await;
        let create = format!(
            "CREATE TABLE topups (id int NOT NULL {key}, owner_id text, amount numeric, status text);"
        );
        execute(&client, &format!("{create} {}", attach("topups", Form::Statement, ARGUMENTS))).await;
        assert!(findings(&client, "topups").await[0].contains(words));
        let refused = client.batch_execute("INSERT INTO topups VALUES (1, '1', 5, 'paid')").await;
        assert_error(refused, "invalid_trigger", "PT422");
    }
}

#[tokio::test]
async fn a_table_that_changes_is_read_anew() {
    let (_db, client) = topups("changes", Form::Statement).await;
    execute(&client, "INSERT INTO topups VALUES (1, '1', 5, 'paid')").await;
    execute(&client, "ALTER TABLE topups RENAME owner_id TO customer").await;
    let refused = client.batch_execute("INSERT INTO topups VALUES (2, '2', 5, 'paid')").await;
    let error = assert_error(refused, "invalid_trigger", "PT422");
    assert_eq!(error.detail["column"], "owner_id", "{error:#?}");
    execute(
        &client,
        "ALTER TABLE topups ADD owner_id int; UPDATE topups SET owner_id = customer::int; ALTER TABLE topups DROP customer;
         ALTER TABLE topups ALTER amount TYPE bigint; INSERT INTO topups VALUES (2, 5, 'paid', NULL, 2)",
    )
    .await;
    let sums = "SELECT string_agg(account || ' ' || posted, ', ' ORDER BY account) FROM wallet_ledger.accounts WHERE posted > 0";
    assert_eq!(value(&client, sums).await, "banks:bca:1 10.00, wallets:1 5.00, wallets:2 5.00");
}

#[tokio::test]
async fn findings_beyond_the_form() {
    let (_db, client) = topups("findings", Form::Statement).await;
    let arguments = |kind: &str| ARGUMENTS.replace("'topup'", &format!("'{kind}'"));
    let replace = |arguments: String| {
        let drop = "DROP TRIGGER posted_on_update ON topups; DROP TRIGGER posted_on_insert ON topups;";
        format!("{drop} {}", attach("topups", Form::Statement, &arguments))
    };
    let only_update = "DROP TRIGGER posted_on_insert ON topups".to_owned();
    let other = attach("topups", Form::Statement, &ARGUMENTS.replace("banks:bca:1", "wallets:2"));
    let differs = format!("{only_update}; {}", other.split_once(';').unwrap().1);
    for (change, severity, words) in [
        (replace(arguments("reversal")), "error", "written by the ledger itself"),
        (replace(arguments("top_up")), "error", "no kind top_up"),
        (replace(format!("{ARGUMENTS}, 'other'")), "error", "no ledger other"),
        ("ALTER TABLE topups DISABLE TRIGGER posted_on_update".to_owned(), "error", "it is disabled"),
        ("ALTER TABLE topups ENABLE REPLICA TRIGGER posted_on_update".to_owned(), "warning", "replica mode"),
        (only_update, "warning", "fires on INSERT: rows that are inserted in the posting status are not posted"),
        ("DROP TRIGGER posted_on_update ON topups".to_owned(), "warning", "fires on UPDATE"),
        (differs, "error", "arguments differ"),
        ("CREATE TABLE more () INHERITS (topups)".to_owned(), "warning", "other tables inherit"),
        ("SELECT wallet_ledger.create_ledger('second')".to_owned(), "warning", "2 ledgers and it names none"),
        (
            format!(
                "DROP TRIGGER posted_on_update ON topups; CREATE TRIGGER u AFTER UPDATE OF status ON topups FOR EACH ROW
                     WHEN (old.status <> 'x') EXECUTE FUNCTION wallet_ledger.post_on_status_change({ARGUMENTS});
                 INSERT INTO topups SELECT g FROM generate_series(1, 20000) g; ANALYZE topups"
            ),
            "note",
            "per row on a table of about 20000 rows",
        ),
    ] {
        assert_eq!(findings(&client, "topups").await, [""; 0], "before {change}");
        execute(&client, &format!("BEGIN; {change}")).await;
        let found = findings(&client, "topups").await;
        assert!(
            found.iter().any(|line| line.starts_with(severity) && line.contains(words)),
            "{change}: {found:?}"
        );
        execute(&client, "ROLLBACK").await;
    }
    execute(&client, "CREATE TABLE bare (id int); CREATE VIEW seen AS SELECT 1 AS id").await;
    assert!(findings(&client, "bare").await[0].contains("no trigger"));
    assert!(findings(&client, "seen").await[0].contains("not a table"));
    let nothing = try_lines(&client, "SELECT * FROM wallet_ledger.check_trigger(NULL)").await;
    assert_error(nothing, "missing_argument", "PT400");
    let gone = try_lines(&client, "SELECT * FROM wallet_ledger.check_trigger(4294967295)").await;
    assert_error(gone, "invalid_argument", "PT400");
}
