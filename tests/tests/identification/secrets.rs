//! What is secret stays so: not in a table, a view, an event, an error or the log that others read.

use crate::pupils::{PIN, TILL, WRONG, pupils};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

const SECRET_TABLES: [&str; 3] = ["member_pins", "member_fingerprints", "member_qr_codes"];
const TEMPLATE: &str = "a-template-of-ana";

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn nobody_but_the_owner_reads_a_secret() {
    let (db, client) = pupils("readers").await;
    let root = db.connect().await;
    let code = call(&client, "create_qr_code('ana')").await;
    call(&client, &format!("enrol_fingerprint('ana', 'left_thumb', '{TEMPLATE}')")).await;
    call(&client, &format!("verify_pin('ana', '{WRONG}')")).await;
    call(&client, &format!("verify_pin('ana', '{PIN}')")).await;
    call(&client, &format!("record_authentication('qr', credential => '{}')", &code["token"])).await;
    call(&client, &format!("record_authentication('fingerprint', 'ana', device => '{TILL}')")).await;
    let hash = value(&root, "SELECT pin_hash FROM wallet_data.member_pins").await;
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=4,p=1$") && !hash.contains(PIN), "{hash}");
    let digest = value(&root, "SELECT encode(token_digest, 'hex') FROM wallet_data.member_qr_codes").await;
    // The superuser sees the stored forms where they belong, so the search below can find them.
    let stored = format!("{:?}", lines(&root, "TABLE wallet_data.member_fingerprints").await);
    assert!(stored.contains(&hex(TEMPLATE)), "{stored}");
    let words = [PIN, WRONG, &code["token"], &hash, &digest, TEMPLATE, &hex(TEMPLATE)];
    let relations = "SELECT c.oid::regclass AS name, c.relname FROM pg_class c
                     WHERE relnamespace IN ('wallet_data'::regnamespace, 'wallet_ledger'::regnamespace)
                       AND relkind IN ('r', 'v')";
    for role in ["wallet_app", "wallet_auditor"] {
        let session = db.connect_as(role).await;
        let mut denied = Vec::new();
        for relation in lines(&root, relations).await {
            match try_lines(&session, &format!("SELECT * FROM {}", &relation["name"])).await {
                Ok(rows) => {
                    let shown = format!("{rows:?}");
                    assert!(!words.iter().any(|word| shown.contains(word)), "{role} {}", &relation["name"]);
                }
                Err(error) => {
                    assert_eq!(sql_error(&error).sqlstate, "42501");
                    denied.push(relation["relname"].to_owned());
                }
            }
        }
        for table in SECRET_TABLES {
            assert!(denied.iter().any(|name| name == table), "{role} reads {table}");
            for sql in [
                format!("SELECT count(*) FROM wallet_data.{table}"),
                format!("COPY wallet_data.{table} TO STDOUT"),
                format!("DELETE FROM wallet_data.{table}"),
                format!("SELECT table_to_xml('wallet_data.{table}', true, true, '')"),
                "SELECT * FROM pg_statistic".to_owned(),
            ] {
                let error = sql_error(&try_lines(&session, &sql).await.expect_err(&sql));
                assert_eq!(error.sqlstate, "42501", "{role} {sql}");
            }
        }
    }
    let auditor = db.connect_as("wallet_auditor").await;
    for call in ["set_pin('ana', '9041')", "verify_pin('ana', '9041')", "create_qr_code('ana')"] {
        let error = sql_error(&try_call(&auditor, call).await.expect_err(call));
        assert_eq!(error.sqlstate, "42501", "{call}");
    }
}

/// An error from below would show the row; it is told without it.
#[tokio::test]
async fn no_error_and_no_log_has_a_pin() {
    let (db, client) = pupils("log").await;
    let root = db.connect().await;
    execute(&root, "ALTER TABLE wallet_data.member_pins ADD CONSTRAINT odd CHECK (set_by = 'x') NOT VALID")
        .await;
    let set = client.prepare("SELECT wallet_ledger.set_pin('ana', $1)").await.unwrap();
    let verify = client.prepare("SELECT succeeded FROM wallet_ledger.verify_pin('ana', $1)").await.unwrap();
    // A word of this run alone: the log is one for all tests.
    let mark = format!("{}9041", std::process::id());
    let refused = client.query(&set, &[&mark]).await.expect_err("the constraint refuses it");
    let error = sql_error(&refused);
    assert_eq!(error.token(), "books_inconsistent");
    let malformed = format!("{mark}x");
    for statement in [&set, &verify] {
        let refused = client.query(statement, &[&malformed]).await.expect_err("no PIN");
        assert_eq!(sql_error(&refused).token(), "invalid_argument");
        assert!(!format!("{refused:?}").contains(&mark), "{refused:?}");
    }
    let said = format!("{refused:?}");
    assert!(!said.contains(&mark) && !said.contains("argon2id"), "{said}");
    let log = std::fs::read_to_string(&db.cluster.log).unwrap();
    assert!(log.contains("pin must have 4 to 12 digits"), "the log has the refusals");
    assert!(!log.contains(&mark), "the log has the PIN");
}
