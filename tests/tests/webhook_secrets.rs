//! Proves that a key is known to its caller and to `wallet_owner`, and to nobody else: not by any table, view,
//! function, statistic or error message, and not by the server's log, on a server that logs everything it can.

use wallet_ledger_tests::bank::{bank_books, credit, quoted, signature};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

const HIDDEN: &str = "hunter2-hidden";

/// Who may read the table, told by PostgreSQL.
#[tokio::test]
async fn only_the_owner_has_a_right_to_the_keys() {
    let (db, client) = bank_books("rights").await;
    let nobody = db.role("nobody", "LOGIN").await;
    let member = db.role("member", "LOGIN IN ROLE wallet_app, wallet_auditor").await;
    let superuser = db.connect().await;
    for role in ["public", "wallet_app", "wallet_auditor", &nobody, &member] {
        for privilege in ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"] {
            let has =
                format!("SELECT has_table_privilege('{role}', 'wallet_data.webhook_secrets', '{privilege}')");
            assert_eq!(value(&superuser, &has).await, "f", "{role} {privilege}");
            if ["SELECT", "INSERT", "UPDATE", "REFERENCES"].contains(&privilege) {
                let has = has.replace("has_table", "has_any_column");
                assert_eq!(value(&superuser, &has).await, "f", "{role} {privilege} of a column");
            }
        }
    }
    let views = "SELECT string_agg(DISTINCT r.ev_class::regclass::text, ' ') FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid \
                 WHERE d.refobjid = 'wallet_data.webhook_secrets'::regclass";
    assert_eq!(value(&superuser, views).await, "NULL", "no view reads it");
    let owner = db.connect_as("wallet_owner").await;
    assert_eq!(value(&owner, "SELECT secret FROM wallet_data.webhook_secrets").await, bank::SECRET);
    drop(client);
}

#[tokio::test]
async fn no_role_reaches_a_key_in_another_way() {
    let (db, client) = bank_books("reach").await;
    call(&client, &format!("set_webhook_secret('moota', '{HIDDEN}')")).await;
    let body = Value::from(vec![credit("a", "5"), json!({})]).to_string();
    let headers = json!({ "Signature": signature(HIDDEN, &body) });
    let sql = format!("receive_webhook('moota', {}, {})", quoted(&headers.to_string()), quoted(&body));
    assert_eq!(&call(&client, &sql).await["outcome"], "processed");
    let superuser = db.connect().await;
    // Statistics have samples of what is stored.
    execute(&superuser, "ANALYZE wallet_data.webhook_secrets; GRANT CREATE ON SCHEMA public TO PUBLIC").await;
    let sampled =
        "SELECT count(*) FROM pg_statistic WHERE starelid = 'wallet_data.webhook_secrets'::regclass";
    assert_ne!(value(&superuser, sampled).await, "0");
    for role in ["wallet_app", "wallet_auditor"] {
        let session = db.connect_as(role).await;
        for sql in [
            "SELECT * FROM wallet_data.webhook_secrets",
            "TABLE wallet_data.webhook_secrets",
            "SELECT count(*) FROM wallet_data.webhook_secrets",
            "SELECT 1 FROM wallet_data.webhook_secrets WHERE secret LIKE 'h%'",
            "COPY wallet_data.webhook_secrets TO STDOUT",
            "SELECT query_to_xml('SELECT * FROM wallet_data.webhook_secrets', true, true, '')",
            "SELECT table_to_xml('wallet_data.webhook_secrets', true, true, '')",
            "SELECT * FROM pg_statistic",
            "UPDATE wallet_data.webhook_secrets SET secret = 'known to me'",
            "DELETE FROM wallet_data.webhook_secrets",
            "INSERT INTO wallet_data.webhook_secrets SELECT 1, 1, 2, 'known to me', 'infinity', now(), 'me'",
            "BEGIN; LOCK wallet_data.webhook_secrets",
            "CREATE TABLE copied (LIKE wallet_data.webhook_secrets); INSERT INTO copied TABLE wallet_data.webhook_secrets",
            "CREATE TABLE refers (a int, b smallint, c smallint, FOREIGN KEY (a, b, c) REFERENCES wallet_data.webhook_secrets)",
            "CREATE VIEW mine AS SELECT * FROM wallet_data.webhook_secrets; SELECT * FROM mine",
            "CREATE FUNCTION peek() RETURNS text LANGUAGE sql AS 'SELECT secret FROM wallet_data.webhook_secrets LIMIT 1'; SELECT peek()",
            "CREATE TRIGGER mine AFTER INSERT ON wallet_data.webhook_secrets EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        ] {
            let denied = sql_error(&try_lines(&session, sql).await.expect_err(sql));
            assert_eq!(denied.sqlstate, "42501", "{role} {sql}: {denied:?}");
            assert!(!format!("{denied:?}").contains(HIDDEN), "{denied:?}");
            execute(&session, "ROLLBACK").await;
        }
        assert_eq!(
            value(&session, "SELECT count(*) FROM pg_stats WHERE tablename = 'webhook_secrets'").await,
            "0"
        );
        for row in lines(&session, "SELECT c.oid::regclass AS view FROM pg_class c WHERE relkind = 'v' AND relnamespace = 'wallet_ledger'::regnamespace").await {
            let shown = format!("{:?}", lines(&session, &format!("SELECT * FROM {}", &row["view"])).await);
            assert!(!shown.contains(HIDDEN) && !shown.contains(bank::SECRET), "{}", &row["view"]);
        }
        for row in lines(&session, "SELECT c.oid::regclass AS name FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'wallet_data'::regnamespace AND has_table_privilege(c.oid, 'SELECT')").await {
            let shown = format!("{:?}", lines(&session, &format!("SELECT * FROM {}", &row["name"])).await);
            assert!(!shown.contains(HIDDEN) && !shown.contains(bank::SECRET), "{}", &row["name"]);
        }
    }
    // Whatever function there is that asks for nothing.
    let free = "SELECT oid::regproc AS name FROM pg_proc WHERE pronamespace IN ('wallet_ledger'::regnamespace, 'wallet_data'::regnamespace) \
                AND pronargs = pronargdefaults AND prorettype <> 'trigger'::regtype AND provolatile <> 'v'";
    let mut called = 0;
    for row in lines(&superuser, free).await {
        let shown = format!("{:?}", lines(&superuser, &format!("SELECT * FROM {}()", &row["name"])).await);
        assert!(!shown.contains(HIDDEN) && !shown.contains(bank::SECRET), "{}", &row["name"]);
        called += 1;
    }
    assert!(called >= 5, "doctor() and more: {called}");
}

/// An error from below, that of a constraint somebody has added, would show the row. It is told without it.
#[tokio::test]
async fn an_error_does_not_tell_the_key() {
    let (db, client) = bank_books("error").await;
    let superuser = db.connect().await;
    execute(
        &superuser,
        "ALTER TABLE wallet_data.webhook_secrets ADD CONSTRAINT long CHECK (length(secret) > 100) NOT VALID",
    )
    .await;
    let refused = try_call(&client, &format!("set_webhook_secret('moota', '{HIDDEN}')")).await.unwrap_err();
    assert!(!format!("{refused:?}").contains(HIDDEN), "{refused:?}");
    execute(&superuser, "ALTER TABLE wallet_data.webhook_secrets DROP CONSTRAINT long").await;
    execute(&superuser, "BEGIN; LOCK wallet_data.webhook_secrets").await;
    execute(&client, "SET lock_timeout = '100ms'").await;
    let busy = try_call(&client, &format!("set_webhook_secret('moota', '{HIDDEN}')")).await;
    assert!(!format!("{busy:?}").contains(HIDDEN), "{busy:?}");
    assert_error(busy, "try_again", "PT503");
    execute(&superuser, "ROLLBACK").await;
    call(&client, &format!("set_webhook_secret('moota', '{HIDDEN}')")).await;
}

// As much as PostgreSQL can be made to say.
const TALKATIVE: &str = "log_statement = 'all'; log_min_duration_statement = 0; log_duration = on; \
    log_parameter_max_length = -1; log_parameter_max_length_on_error = -1; log_error_verbosity = verbose; \
    log_min_messages = debug1; log_min_error_statement = debug5; log_lock_waits = on; track_activity_query_size = 1MB";

/// What a session says so that its own statements are not logged either.
const QUIET: &str = "SET log_parameter_max_length = 0; SET log_parameter_max_length_on_error = 0";

/// A word for each way by which a key or a token comes to the server.
fn word(way: &str) -> String {
    format!("hunter2-{way}-planted")
}

/// The log's entries that have a word in them.
fn entries_with<'l>(log: &'l str, word: &str) -> Vec<&'l str> {
    let begins = |line: &str| {
        line.len() > 24 && line.starts_with("20") && line.as_bytes()[4] == b'-' && line.contains(" UTC [")
    };
    let mut entries: Vec<&str> = Vec::new();
    let mut start = 0;
    let mut offset = 0;
    for line in log.split_inclusive('\n') {
        if begins(line) && offset > start {
            entries.push(&log[start..offset]);
            start = offset;
        }
        offset += line.len();
    }
    entries.push(&log[start..]);
    entries.into_iter().filter(|entry| entry.contains(word)).collect()
}

/// Whether an entry only repeats what the caller sent: the statement's text, or its parameters.
fn is_callers_own(entry: &str) -> bool {
    let says = |mark: &str| entry.contains(mark);
    let statement = says("LOG:  00000: statement: ") || says("LOG:  00000: execute ");
    let duration = says("LOG:  00000: duration: ")
        && (says(" statement: ") || says(" execute ") || says(" parse ") || says(" bind "));
    let parameters =
        says("DETAIL:  parameters: ") || (says("CONTEXT:  ") && says("portal with parameters: "));
    statement || duration || parameters || says("STATEMENT:  ")
}

async fn set_bound(client: &Client, provider: &str, secret: &str) -> Result<(), tokio_postgres::Error> {
    client.query("SELECT wallet_ledger.set_webhook_secret($1, $2)", &[&provider, &secret]).await.map(|_| ())
}

async fn receive_bound(client: &Client, provider: &str, headers: &Value, body: &str) -> String {
    let sql = "SELECT outcome FROM wallet_ledger.receive_webhook($1, $2, $3)";
    client.query_one(sql, &[&provider, &headers, &body]).await.expect("a webhook raises nothing").get(0)
}

/// Webhooks of every sort with a token in them, and lines that are refused.
async fn traffic(client: &Client, secret: &str, token: &str) {
    let line = bank::with(
        &credit("a", "5"),
        json!({"token": token, "bank": {"meta": {"cookie": token}, "password": token}}),
    );
    for (number, body) in [
        format!("[{line}]"),
        format!("[{line}"),
        format!("[{}, {}]", line.to_string().replace("\"5\"", "0"), line.to_string().replace("CR", "XX")),
        json!({"token": token}).to_string(),
    ]
    .iter()
    .enumerate()
    {
        let headers = json!({ "Signature": signature(secret, body) });
        let outcome = receive_bound(client, "moota", &headers, body).await;
        assert_ne!(outcome, "refused", "{number}");
        assert_eq!(receive_bound(client, "moota", &headers, body).await, outcome);
        assert_eq!(receive_bound(client, "moota", &json!({ "Signature": token }), body).await, "refused");
        assert_eq!(
            receive_bound(client, "xendit", &json!({ "x-callback-token": token }), body).await,
            "refused"
        );
    }
    for bad in [
        json!({"amount": 0}),
        json!({"type": "XX"}),
        json!({"bank_id": "x", "account_number": "1"}),
        json!({"mutation_id": null}),
    ] {
        let line = bank::with(&bank::with(&line, json!({"mutation_id": "b"})), bad);
        let sql = "SELECT outcome FROM wallet_ledger.match_mutation($1)";
        let error = client.query_one(sql, &[&line]).await.expect_err("a bad line");
        // With log_parameter_max_length_on_error the server tells the caller too what the caller has sent.
        let said = sql_error(&error);
        assert!(!said.message.contains(token) && !said.detail.to_string().contains(token), "{said:?}");
    }
}

#[tokio::test]
async fn the_log_has_no_key_and_no_token() {
    let cluster_name = format!("{}_secrets", std::env::var("WL_CLUSTER").unwrap_or("test".to_owned()));
    Cluster::script(&cluster_name, TALKATIVE, "destroy").await;
    let cluster = Cluster::start(&cluster_name, TALKATIVE).await;
    {
        let db = TestDb::create(&cluster, "log", "template0").await;
        let superuser = db.connect().await;
        execute(&superuser, "CREATE EXTENSION wallet_ledger; SELECT wallet_ledger.install(), wallet_ledger.create_ledger('main')").await;
        let (loud, quiet) = (db.app().await, db.connect().await);
        call(
            &loud,
            &format!(
                "register_bank_account('{}', 'moota', '{}', '{}')",
                bank::BCA,
                bank::BCA_ID,
                bank::BCA_NUMBER
            ),
        )
        .await;

        // Ways that show the key in the caller's own words.
        execute(&loud, &format!("SELECT wallet_ledger.set_webhook_secret('moota', '{}')", word("literal")))
            .await;
        set_bound(&loud, "moota", &word("bound")).await.unwrap();
        set_bound(&loud, "moota", &format!("{} ", word("refused"))).await.unwrap_err();
        set_bound(&loud, "moota", &word("loud-key")).await.unwrap();
        traffic(&loud, &word("loud-key"), &word("loud-token")).await;

        // And those that do not.
        execute(&quiet, &format!("{QUIET}; SET ROLE wallet_app")).await;
        set_bound(&quiet, "moota", &word("quiet")).await.unwrap();
        for secret in [format!("{} ", word("quiet-refused")), word("quiet-refused").repeat(100)] {
            set_bound(&quiet, "moota", &secret).await.unwrap_err();
        }
        set_bound(&quiet, "moota", &word("quiet-key")).await.unwrap();
        traffic(&quiet, &word("quiet-key"), &word("quiet-token")).await;
        execute(&quiet, "RESET ROLE; SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_duration = off; SET ROLE wallet_app").await;
        execute(&quiet, &format!("SELECT wallet_ledger.set_webhook_secret('moota', '{}')", word("silent")))
            .await;
        by_copy(&db, &word("copied")).await;
        // Nothing that the functions run within says it: not even with the plans of nested statements.
        let explained = db.connect().await;
        execute(
            &explained,
            &format!(
                "{QUIET}; LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; \
                 SET auto_explain.log_verbose = on; SET auto_explain.log_analyze = on; SET ROLE wallet_app; \
                 BEGIN; CREATE TEMPORARY TABLE given (secret text) ON COMMIT DROP"
            ),
        )
        .await;
        copy_in(&explained, &word("explained")).await;
        execute(&explained, "SELECT wallet_ledger.set_webhook_secret('moota', secret) FROM given; COMMIT")
            .await;
        // Each of them is a key now: the last two that were set are live.
        for (way, live) in [("explained", true), ("copied", true), ("silent", false)] {
            let headers = json!({ "Signature": signature(&word(way), "[]") });
            let sql = "SELECT valid FROM wallet_ledger.verify_webhook('moota', $1, '[]')";
            assert_eq!(superuser.query_one(sql, &[&headers]).await.unwrap().get::<_, bool>(0), live, "{way}");
        }
    }
    let log = std::fs::read_to_string(&cluster.log).unwrap();
    for (nested, statement) in [
        ("plan:", "INSERT INTO wallet_data.webhook_secrets"),
        ("statement:", "set_webhook_secret"),
        ("ERROR:", "secret must have"),
    ] {
        assert!(log.contains(nested) && log.contains(statement), "the log tells everything else");
    }
    for way in ["literal", "bound", "refused", "loud-key", "loud-token"] {
        let found = entries_with(&log, &word(way));
        let shown = found.iter().filter(|entry| is_callers_own(entry)).count();
        let others: Vec<&&str> = found.iter().filter(|entry| !is_callers_own(entry)).collect();
        assert!(others.is_empty(), "{way}: {others:#?}");
        assert!(shown > 0 || way == "loud-key", "{way} is in the caller's own words: the search works");
    }
    for way in ["quiet", "quiet-refused", "quiet-key", "quiet-token", "silent", "copied", "explained"] {
        let found = entries_with(&log, &word(way));
        assert!(found.is_empty(), "{way}: {found:#?}");
    }
    Cluster::script(&cluster_name, "", "destroy").await;
}

/// As the documentation has it: from a file, by psql.
async fn by_copy(db: &TestDb, secret: &str) {
    let folder = std::env::temp_dir();
    let (key, script) = (folder.join(format!("{}.key", db.name)), folder.join(format!("{}.sql", db.name)));
    std::fs::write(&key, format!("{secret}\n")).unwrap();
    let commands = format!(
        "SET ROLE wallet_app;\nBEGIN;\nCREATE TEMPORARY TABLE given (secret text) ON COMMIT DROP;\n\\copy given FROM '{}'\n\
         SELECT wallet_ledger.set_webhook_secret('moota', secret) FROM given;\nCOMMIT;\n",
        key.display()
    );
    std::fs::write(&script, commands).unwrap();
    run(db
        .cluster
        .program("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &db.name, "-f"])
        .arg(&script))
    .await;
    std::fs::remove_file(&key).unwrap();
    std::fs::remove_file(&script).unwrap();
}

async fn copy_in(client: &Client, text: &str) {
    use futures::SinkExt;
    let sink = client.copy_in("COPY given FROM STDIN").await.unwrap();
    let mut sink = std::pin::pin!(sink);
    let data: std::io::Cursor<Vec<u8>> = std::io::Cursor::new(format!("{text}\n").into_bytes());
    sink.send(data).await.unwrap();
    sink.close().await.unwrap();
}
