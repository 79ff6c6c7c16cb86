//! doctor() finds what strays from a fresh installation, and nothing where nothing does.
//!
//! Each stray is made in a transaction, looked at, repaired with the hint's own SQL where the hint is
//! SQL, looked at again, and rolled back. A stray that doctor() does not see turns its line red; so
//! does a hint that does not repair.

use wallet_ledger_tests::*;

/// The rows that are not well, and the notes.
async fn findings(client: &Client) -> Vec<(String, String, String, Option<String>)> {
    let query = "SELECT check_name, status, detail, hint FROM wallet_ledger.doctor() \
                 WHERE status <> 'ok' OR hint IS NOT NULL";
    let rows = client.query(query, &[]).await.unwrap_or_else(|e| panic!("{}", cluster::explain(&e)));
    rows.iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
        // What this machine is like is no stray: checksums, and roles that other tests have made.
        .filter(|(check, status, ..): &(String, String, String, _)| {
            !(status == "ok" && ["settings", "roles", "long_transactions"].contains(&check.as_str()))
        })
        .collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Repair {
    /// The hint is SQL, or says to run install().
    Hint,
    /// The hint is advice.
    Advice,
}
use Repair::{Advice, Hint};

/// What is done to the installation, and what doctor() says to it: check, status, words of the detail.
#[rustfmt::skip]
const STRAYS: &[(&str, &str, &str, &str, Repair)] = &[
    ("UPDATE pg_extension SET extversion = '0.0.1' WHERE extname = 'wallet_ledger'", "extension_version", "error", "0.0.1", Advice),
    ("INSERT INTO wallet_data.schema_versions (version, library) VALUES (999, 'x')", "data_version", "error", "999", Advice),
    ("DELETE FROM wallet_data.schema_versions", "data_version", "error", "version 0", Advice),
    ("ALTER EXTENSION wallet_ledger ADD TABLE wallet_data.transfers", "extension_members", "error", "wallet_data.transfers", Hint),
    ("ALTER EXTENSION wallet_ledger ADD VIEW wallet_ledger.holds", "extension_members", "error", "wallet_ledger.holds", Hint),
    ("DROP TABLE wallet_data.reversal_totals", "tables", "error", "reversal_totals is missing", Advice),
    ("ALTER TABLE wallet_data.events SET UNLOGGED", "tables", "error", "unlogged", Advice),
    ("ALTER TABLE wallet_data.holds ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY", "tables", "error", "forced", Advice),
    ("ALTER TABLE wallet_data.transfers ALTER amount DROP NOT NULL", "columns", "error", "transfers.amount", Advice),
    ("ALTER TABLE wallet_data.transfers ADD note text", "columns", "warning", "transfers.note", Advice),
    ("ALTER TABLE wallet_data.accounts DROP CONSTRAINT accounts_floor", "constraints", "error", "accounts_floor is missing", Hint),
    ("ALTER TABLE wallet_data.accounts DROP CONSTRAINT accounts_floor, ADD CONSTRAINT accounts_floor CHECK (true)", "constraints", "error", "CHECK (true)", Hint),
    ("ALTER TABLE wallet_data.accounts DROP CONSTRAINT accounts_floor, \
         ADD CONSTRAINT accounts_floor CHECK (posted - held >= minimum_balance) NOT VALID", "constraints", "error", "NOT VALID", Hint),
    ("ALTER TABLE wallet_data.transfers DROP CONSTRAINT transfers_pkey", "constraints", "error", "transfers_pkey is missing", Hint),
    ("DROP INDEX wallet_data.transfers_debit_version", "indexes", "error", "transfers_debit_version is missing", Hint),
    ("DROP INDEX wallet_data.transfers_credit_version; \
      CREATE INDEX transfers_credit_version ON wallet_data.transfers (ledger_id, credit_account_id, credit_version)",
         "indexes", "error", "transfers_credit_version is", Hint),
    ("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'wallet_data.transfers_position'::regclass", "indexes", "error", "INVALID", Hint),
    ("ALTER TABLE wallet_data.transfers DISABLE TRIGGER transfers_append_only", "guards", "error", "DISABLED", Hint),
    ("ALTER TABLE wallet_data.transfers ENABLE TRIGGER transfers_append_only", "guards", "error", "ENABLE ORIGIN", Hint),
    ("DROP TRIGGER accounts_are_kept ON wallet_data.accounts", "guards", "error", "accounts_are_kept is missing", Hint),
    ("CREATE OR REPLACE FUNCTION wallet_data.refuse_change() RETURNS trigger \
         LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'", "guards", "error", "refuse_change", Hint),
    ("CREATE TRIGGER mine BEFORE INSERT ON wallet_data.transfers FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
         "guards", "warning", "mine", Advice),
    ("CREATE RULE mine AS ON INSERT TO wallet_data.events DO INSTEAD NOTHING", "guards", "warning", "mine", Advice),
    ("DROP VIEW wallet_ledger.trial_balance", "views", "error", "trial_balance is missing", Hint),
    ("ALTER VIEW wallet_ledger.transfers SET (security_invoker = false)", "views", "error", "security_invoker=false", Hint),
    ("ALTER ROLE wallet_owner SUPERUSER", "roles", "error", "SUPERUSER", Hint),
    ("ALTER ROLE wallet_owner BYPASSRLS", "roles", "error", "BYPASSRLS", Hint),
    ("ALTER ROLE wallet_owner LOGIN", "roles", "error", "LOGIN", Hint),
    ("ALTER TABLE wallet_data.holds OWNER TO postgres", "owners", "error", "wallet_data.holds", Hint),
    ("ALTER FUNCTION wallet_ledger.post_transfer OWNER TO postgres", "owners", "error", "post_transfer", Hint),
    ("ALTER FUNCTION wallet_ledger.post_transfer RESET search_path", "functions", "error", "post_transfer", Hint),
    ("ALTER FUNCTION wallet_ledger.purchase SECURITY INVOKER", "functions", "error", "purchase", Hint),
    ("ALTER FUNCTION wallet_ledger.balance SET search_path = public, pg_catalog", "functions", "error", "balance", Hint),
    ("CREATE FUNCTION wallet_ledger.post_transfer(text) RETURNS text LANGUAGE sql AS 'SELECT $1'", "functions", "warning", "post_transfer", Advice),
    ("UPDATE pg_proc SET probin = '$libdir/other' WHERE oid = 'wallet_ledger.errors'::regproc", "functions", "error", "errors()", Advice),
    ("GRANT DELETE ON wallet_data.transfers TO wallet_owner", "append_only", "error", "wallet_owner may DELETE on wallet_data.transfers", Hint),
    ("GRANT UPDATE (amount) ON wallet_data.transfers TO wallet_app", "append_only", "error", "wallet_app may UPDATE", Hint),
    ("GRANT INSERT ON wallet_data.accounts TO wallet_app", "table_writers", "error", "wallet_app may INSERT", Hint),
    ("GRANT SELECT ON wallet_ledger.accounts TO PUBLIC", "public", "error", "SELECT on table wallet_ledger.accounts", Hint),
    ("GRANT EXECUTE ON FUNCTION wallet_ledger.post_transfer TO PUBLIC", "public", "error", "EXECUTE on function", Hint),
    ("GRANT USAGE ON SCHEMA wallet_data TO PUBLIC", "public", "error", "USAGE on schema wallet_data", Hint),
    ("GRANT SELECT ON wallet_ledger.accounts TO wallet_user", "signed_in", "warning", "wallet_user may SELECT on wallet_ledger.accounts", Hint),
    ("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA wallet_ledger TO wallet_user", "privileges", "error", "callers of wallet_ledger.post_transfer", Hint),
    ("REVOKE EXECUTE ON FUNCTION wallet_ledger.post_transfer FROM wallet_app", "privileges", "error", "nobody, not wallet_app", Hint),
    ("GRANT SELECT ON ALL TABLES IN SCHEMA wallet_data TO wallet_auditor", "privileges", "error", "readers of wallet_data.webhook_secrets", Hint),
    ("REVOKE SELECT ON wallet_ledger.accounts FROM wallet_app", "privileges", "error", "readers of wallet_ledger.accounts", Hint),
    ("GRANT SELECT ON wallet_data.member_pins TO wallet_app", "secrets", "error", "wallet_app may read secrets", Hint),
    ("GRANT SELECT (secret) ON wallet_data.webhook_secrets TO pg_monitor", "secrets", "error", "pg_monitor may read secrets", Hint),
    ("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA wallet_ledger TO pg_monitor", "grants", "warning", "pg_monitor may call", Hint),
    ("CREATE ROLE wl_doctor_owner; ALTER SCHEMA wallet_ledger OWNER TO wl_doctor_owner", "owners", "error", "schema wallet_ledger", Hint),
    ("GRANT SELECT ON wallet_ledger.accounts TO pg_monitor", "grants", "ok", "pg_monitor", Advice),
    ("SET LOCAL synchronous_commit = off", "settings", "warning", "synchronous_commit", Advice),
    ("SET LOCAL zero_damaged_pages = on", "settings", "error", "zero_damaged_pages", Advice),
    ("UPDATE wallet_data.timeline SET system_identifier = 1", "timeline", "ok", "another cluster", Advice),
    ("DELETE FROM wallet_data.timeline", "timeline", "error", "empty", Hint),
    ("UPDATE wallet_data.ledgers SET timezone = 'Mars/Olympus'", "time_zones", "error", "Mars/Olympus", Advice),
    ("SELECT wallet_ledger.hold_funds('banks:bca:1', 5); UPDATE wallet_data.holds SET expires_at = now() - interval '2 days'",
         "holds", "ok", "1 holds", Advice),
    ("SELECT wallet_ledger.hold_funds('banks:bca:1', 5, idempotency_key => 'h'); \
      UPDATE wallet_data.idempotency_keys SET created_at = now() - interval '91 days'",
         "idempotency_keys", "ok", "1 keys", Advice),
];

/// The hint of the finding, as SQL.
fn repair(hint: &str) -> String {
    match hint.split_once("SELECT wallet_ledger.install()") {
        Some(_) => "SELECT wallet_ledger.install()".to_owned(),
        None => hint.rsplit(": ").next().expect("a split has a last part").trim_end_matches('.').to_owned(),
    }
}

#[tokio::test]
async fn every_stray_is_found_and_its_hint_repairs_it() {
    let db = TestDb::with_ledger("doctor").await;
    let client = db.connect().await;
    db::execute(&client, "SELECT wallet_ledger.create_account('banks:bca:1', 'asset')").await;
    assert_eq!(findings(&client).await, []);
    for (stray, check, status, words, how) in STRAYS {
        db::execute(&client, &format!("BEGIN; {stray}")).await;
        let found = findings(&client).await;
        let hit = found
            .iter()
            .find(|(found_check, found_status, detail, _)| {
                found_check == check && found_status == status && detail.contains(words)
            })
            .unwrap_or_else(|| panic!("{stray}\nis not found as {check}: {found:#?}"));
        let hint = hit.3.as_deref().unwrap_or_else(|| panic!("{stray}: no hint"));
        if *how == Hint {
            // Removing a key takes its index with it; the key's hint comes first and restores both.
            db::execute(&client, &repair(hint)).await;
            assert_eq!(findings(&client).await, [], "{stray}: after {hint}");
        }
        db::execute(&client, "ROLLBACK").await;
    }
    assert_eq!(findings(&client).await, []);
}

#[tokio::test]
async fn every_check_of_doctor_has_a_stray() {
    let db = TestDb::with_ledger("doctor_checks").await;
    let client = db.connect().await;
    let checks = client.query("SELECT DISTINCT check_name FROM wallet_ledger.doctor()", &[]).await.unwrap();
    for row in checks {
        let check: String = row.get(0);
        // An hour is too long for a test.
        let tested = check == "long_transactions" || STRAYS.iter().any(|stray| stray.1 == check);
        assert!(tested, "no stray for {check}");
    }
}

#[tokio::test]
async fn what_users_may_add_is_no_stray() {
    let db = TestDb::with_ledger("doctor_user").await;
    let client = db.connect().await;
    db::execute(
        &client,
        "CREATE INDEX mine ON wallet_data.transfers (ledger_id, created_at); \
         ALTER TABLE wallet_data.transfers ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY mine ON wallet_data.transfers FOR SELECT TO wallet_app USING (true); \
         CREATE VIEW wallet_ledger.mine AS SELECT 1 AS one; \
         ALTER VIEW wallet_ledger.mine OWNER TO wallet_owner",
    )
    .await;
    let worse: Vec<_> = findings(&client).await.into_iter().filter(|finding| finding.1 != "ok").collect();
    assert_eq!(worse, []);
}

#[tokio::test]
async fn it_says_that_nothing_is_installed() {
    let db = TestDb::empty("doctor_empty").await;
    let client = db.connect().await;
    db::execute(&client, "CREATE EXTENSION wallet_ledger").await;
    let found = findings(&client).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].0.as_str(), found[0].1.as_str()), ("data_version", "error"));
    assert!(found[0].3.as_deref().unwrap_or_default().contains("install()"));
    db::execute(&client, "SELECT wallet_ledger.install()").await;
    assert_eq!(findings(&client).await, []);
}

#[tokio::test]
async fn our_roles_may_ask_and_are_told_what_was_not_looked_at() {
    let db = TestDb::with_ledger("doctor_roles").await;
    for role in ["wallet_app", "wallet_auditor"] {
        let client = db.connect_as(role).await;
        assert_eq!(findings(&client).await, [], "{role}");
        let unseen: i64 = client
            .query_one(
                "SELECT count(*) FROM wallet_ledger.doctor() \
                 WHERE check_name = 'long_transactions' AND detail LIKE '%' || current_user || ' may not'",
                &[],
            )
            .await
            .unwrap()
            .get(0);
        assert_eq!(unseen, 1, "{role}");
    }
}
