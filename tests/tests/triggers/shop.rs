//! A small application with top-ups, as people have it.

use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

/// The arguments that most tests use.
pub const ARGUMENTS: &str =
    "'status', 'paid', 'banks:bca:1', 'wallets:{owner_id}', 'amount', 'topup', 'refunded'";

/// How the triggers are attached.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    Statement,
    Row,
}

/// The statements that attach the pair of triggers to a table.
pub fn attach(table: &str, form: Form, arguments: &str) -> String {
    let function = format!("EXECUTE FUNCTION wallet_ledger.post_on_status_change({arguments})");
    match form {
        Form::Statement => format!(
            "CREATE TRIGGER posted_on_update AFTER UPDATE ON {table}
                 REFERENCING OLD TABLE AS \"Old Rows\" NEW TABLE AS n FOR EACH STATEMENT {function};
             CREATE TRIGGER posted_on_insert AFTER INSERT ON {table}
                 REFERENCING NEW TABLE AS whatever FOR EACH STATEMENT {function};"
        ),
        Form::Row => {
            format!("CREATE TRIGGER posted AFTER INSERT OR UPDATE ON {table} FOR EACH ROW {function};")
        }
    }
}

/// A database with the ledger `main`, the bank and the wallets 1 to 5, and a session of the table's owner.
pub async fn shop(test: &str) -> (TestDb, Client) {
    let db = TestDb::with_ledger(test).await;
    let client = db.connect().await;
    call(&client, "create_account('banks:bca:1', 'asset')").await;
    for owner in 1..=5 {
        call(&client, &format!("open_wallet('{owner}')")).await;
    }
    (db, client)
}

/// The same with the table `topups` and its triggers.
pub async fn topups(test: &str, form: Form) -> (TestDb, Client) {
    let (db, client) = shop(test).await;
    execute(
        &client,
        &format!(
            "CREATE TABLE topups (
                 id bigint PRIMARY KEY, owner_id text, amount numeric, status text NOT NULL DEFAULT 'pending', note text);
             {}",
            attach("topups", form, ARGUMENTS)
        ),
    )
    .await;
    (db, client)
}

/// The transfers in their order: kind, reference, debit, credit, amount.
pub async fn transfers(client: &Client) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', kind, reference, debit_account, credit_account, amount) AS line
               FROM wallet_ledger.transfers ORDER BY created_at, id";
    lines(client, sql).await.iter().map(|line| line["line"].to_owned()).collect()
}

/// How many transfers there are.
pub async fn count(client: &Client) -> String {
    value(client, "SELECT count(*) FROM wallet_ledger.transfers").await
}

/// What check_trigger() says about a table: severity, trigger and problem.
pub async fn findings(client: &Client, table: &str) -> Vec<String> {
    let sql = format!(
        "SELECT concat_ws(' ', severity, trigger_name, problem) AS line, hint FROM wallet_ledger.check_trigger('{table}')"
    );
    let found = lines(client, &sql).await;
    assert!(found.iter().all(|line| !line["hint"].is_empty()), "{found:?}");
    found.iter().map(|line| line["line"].to_owned()).collect()
}
