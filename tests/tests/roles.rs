//! Proves who can do what, by trying: PUBLIC nothing, auditors read and write nothing, applications write
//! through functions only, and nobody changes what is booked, neither the owner nor a superuser nor a
//! replica. And that definer functions cannot be led astray by a caller's own objects.

use wallet_ledger_tests::*;

/// Every function of the extension with NULL for each argument, and whether it only reads.
async fn every_function(client: &Client) -> Vec<(String, String, bool)> {
    let sql = "SELECT p.proname, p.pronargs, p.provolatile <> 'v' AS reads, p.prorettype = 'trigger'::regtype AS is_trigger \
               FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' \
               JOIN pg_extension e ON e.oid = d.refobjid WHERE e.extname = 'wallet_ledger' ORDER BY 1";
    let found = lines(client, sql).await;
    let callable = found.iter().filter(|row| &row["is_trigger"] == "f");
    callable
        .map(|row| {
            let nulls = vec!["NULL"; row["pronargs"].parse().unwrap()].join(", ");
            (row["proname"].to_owned(), format!("{}({nulls})", &row["proname"]), &row["reads"] == "t")
        })
        .collect()
}

async fn every_relation(client: &Client) -> Vec<(String, bool)> {
    let sql = "SELECT c.oid::regclass::text AS name, c.relkind = 'v' AS is_view FROM pg_class c \
               WHERE c.relnamespace IN ('wallet_data'::regnamespace, 'wallet_ledger'::regnamespace) \
                 AND c.relkind IN ('r', 'v') ORDER BY 1";
    lines(client, sql).await.iter().map(|row| (row["name"].to_owned(), &row["is_view"] == "t")).collect()
}

/// What PostgreSQL says about a missing privilege, and nothing else.
#[track_caller]
fn assert_denied<T: std::fmt::Debug>(result: Result<T, tokio_postgres::Error>, what: &str) {
    let error = match result {
        Ok(value) => panic!("{what} was allowed: {value:?}"),
        Err(error) => sql_error(&error),
    };
    assert_eq!(error.sqlstate, "42501", "{what}: {error:?}");
}

async fn assert_no_writing(client: &Client, relations: &[(String, bool)], role: &str) {
    for (relation, is_view) in relations {
        let column = "ctid";
        let mut statements =
            vec![format!("INSERT INTO {relation} DEFAULT VALUES"), format!("DELETE FROM {relation}")];
        if !is_view {
            statements.push(format!("TRUNCATE {relation} CASCADE"));
            statements.push(format!("SELECT {column} FROM {relation} FOR UPDATE"));
            statements.push(format!("ALTER TABLE {relation} DISABLE TRIGGER ALL"));
            statements.push(format!("DROP TABLE {relation} CASCADE"));
        }
        for statement in statements {
            let error = sql_error(&try_lines(client, &statement).await.expect_err(&statement));
            // A view that cannot be written says so before its privileges are looked at.
            let expected: &[&str] = if *is_view { &["42501", "55000"] } else { &["42501"] };
            assert!(expected.contains(&error.sqlstate.as_str()), "{role}: {statement}: {error:?}");
        }
    }
}

#[tokio::test]
async fn public_has_nothing_at_all() {
    let (db, _client) = books("public").await;
    let superuser = db.connect().await;
    let functions = every_function(&superuser).await;
    let relations = every_relation(&superuser).await;
    assert!(functions.len() >= 25 && relations.len() >= 20, "{functions:?} {relations:?}");
    let stranger = db.role("stranger", "LOGIN").await;
    let client = db.connect_as(&stranger).await;
    for (name, call, _) in &functions {
        assert_denied(try_calls(&client, call).await, name);
        let may: String = value(
            &superuser,
            &format!(
                "SELECT bool_or(has_function_privilege('{stranger}', oid, 'EXECUTE')) FROM pg_proc \
             WHERE proname = '{name}' AND pronamespace = 'wallet_ledger'::regnamespace"
            ),
        )
        .await;
        assert_eq!(may, "f", "{name}");
    }
    for (relation, _) in &relations {
        assert_denied(try_lines(&client, &format!("SELECT 1 FROM {relation}")).await, relation);
    }
    let schemas = format!(
        "SELECT has_schema_privilege('{stranger}', 'wallet_data', 'USAGE') OR \
                has_schema_privilege('{stranger}', 'wallet_data', 'CREATE') OR \
                has_schema_privilege('{stranger}', 'wallet_ledger', 'USAGE') OR \
                has_schema_privilege('{stranger}', 'wallet_ledger', 'CREATE')"
    );
    assert_eq!(value(&superuser, &schemas).await, "f");
}

/// Tables that nobody but wallet_owner reads: keys of webhooks, PINs, templates of fingers, codes.
const SECRETS: [&str; 4] = ["webhook_secrets", "member_pins", "member_fingerprints", "member_qr_codes"];

#[tokio::test]
async fn an_auditor_reads_everything_and_writes_nothing() {
    let (db, client) = books("auditor").await;
    let held = call(&client, "hold_funds('wallets:a', 1, 'shop')").await;
    let transfer = call(&client, "post_transfer('wallets:a', 'shop', 1)").await;
    let superuser = db.connect().await;
    let auditor = db.connect_as("wallet_auditor").await;
    let before = contents(&client).await;
    for (name, sql, reads) in every_function(&superuser).await {
        let result = try_calls(&auditor, &sql).await;
        match (reads, result) {
            (false, result) => assert_denied(result, &name),
            // Refused for its NULLs is allowed to call.
            (true, Err(error)) => assert_ne!(sql_error(&error).sqlstate, "42501", "{name}"),
            (true, Ok(_)) => {}
        }
    }
    // The same with arguments that would work for somebody who may.
    for sql in [
        "post_transfer('wallets:a', 'shop', 1)".to_owned(),
        "post_transfers('[]')".to_owned(),
        "open_wallet('a')".to_owned(),
        "expire_holds()".to_owned(),
        "close_period('main', '2020-01-01')".to_owned(),
        format!("release_hold('{}')", &held["id"]),
        format!("reverse_transfer('{}')", &transfer["id"]),
        "install()".to_owned(),
    ] {
        assert_denied(try_calls(&auditor, &sql).await, &sql);
    }
    let relations = every_relation(&superuser).await;
    for (relation, _) in &relations {
        let sql = format!("SELECT * FROM {relation}");
        // All but the secrets, which are for their owner alone.
        match SECRETS.iter().any(|secret| relation.ends_with(secret)) {
            true => assert_eq!(sql_error(&try_lines(&auditor, &sql).await.unwrap_err()).sqlstate, "42501"),
            false => drop(lines(&auditor, &sql).await),
        }
    }
    for sql in [
        "balance('wallets:a')",
        "statement('wallets:a')",
        "poll_transfers()",
        "poll_events()",
        "errors()",
        "verify_ledger('main')",
        "doctor()",
        "preview_transfer('wallets:a', 'shop', 1)",
    ] {
        calls(&auditor, sql).await;
    }
    assert_no_writing(&auditor, &relations, "wallet_auditor").await;
    assert_eq!(before, contents(&client).await);
}

#[tokio::test]
async fn an_application_writes_through_functions_only() {
    let (db, client) = books("application").await;
    let relations = every_relation(&db.connect().await).await;
    let before = contents(&client).await;
    assert_no_writing(&client, &relations, "wallet_app").await;
    for (relation, set) in [
        ("accounts", "posted = posted + 1"),
        ("accounts", "minimum_balance = -1000000"),
        ("holds", "state_id = 3"),
        ("transfers", "amount = 1"),
        ("idempotency_keys", "result = NULL"),
        ("ledgers", "closed_until = NULL"),
        ("timeline", "position_offset = 0"),
    ] {
        let sql = format!("UPDATE wallet_data.{relation} SET {set}");
        assert_denied(try_lines(&client, &sql).await, &sql);
    }
    for sql in [
        "CREATE TABLE wallet_data.mine (id int)",
        "CREATE FUNCTION wallet_ledger.post_transfer() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE VIEW wallet_ledger.mine AS SELECT 1",
    ] {
        assert_denied(try_lines(&client, sql).await, sql);
    }
    assert_denied(try_calls(&client, "install()").await, "install()");
    assert_eq!(before, contents(&client).await);
    verify_clean(&client).await;
}

/// A login of an application, and not a superuser's session that has put the role on: it takes nobody else's role.
#[tokio::test]
async fn an_application_becomes_nobody_else() {
    let (db, _client) = books("becomes").await;
    let login = db.role("login", "LOGIN IN ROLE wallet_app").await;
    let mut config = db.cluster.config(&db.name);
    let (client, connection) =
        config.user(&login).connect(tokio_postgres::NoTls).await.expect("a login of its own");
    tokio::spawn(connection);
    assert_eq!(value(&client, "SELECT session_user").await, login);
    call(&client, "post_transfer('wallets:a', 'wallets:b', 1)").await;
    for role in ["wallet_owner", "wallet_auditor", "postgres"] {
        for sql in [format!("SET ROLE {role}"), format!("SET SESSION AUTHORIZATION {role}")] {
            assert_denied(client.batch_execute(&sql).await, &sql);
        }
    }
    client.batch_execute("SET ROLE wallet_app").await.expect("what it is");
    assert_eq!(value(&client, "SELECT current_user").await, "wallet_app");
}

/// The append-only guard: not the owner, not a superuser, not a replica.
#[tokio::test]
async fn booked_rows_do_not_change_for_anybody() {
    let (db, client) = books("booked").await;
    call(&client, "freeze_account('wallets:b')").await;
    let before = contents(&client).await;
    let superuser = db.connect().await;
    let owner = db.connect_as("wallet_owner").await;
    let replica = db.connect().await;
    db::execute(&replica, "SET session_replication_role = replica").await;
    for statement in [
        "UPDATE wallet_data.transfers SET amount = amount + 1",
        "UPDATE wallet_data.transfers SET reference = 'x' WHERE false",
        "DELETE FROM wallet_data.transfers",
        "TRUNCATE wallet_data.transfers",
        "DELETE FROM wallet_data.events",
        "UPDATE wallet_data.events SET payload = '{}'",
        "TRUNCATE wallet_data.events",
    ] {
        assert_denied(try_lines(&owner, statement).await, statement);
        for session in [&superuser, &replica] {
            let error = assert_error(try_lines(session, statement).await, "append_only", "PT403");
            assert!(error.detail["table"].is_string() && error.detail["operation"].is_string());
        }
    }
    for statement in [
        "DELETE FROM wallet_data.accounts",
        "TRUNCATE wallet_data.accounts CASCADE",
        "DELETE FROM wallet_data.account_profiles",
        "DELETE FROM wallet_data.holds",
        "DELETE FROM wallet_data.reversal_totals",
        "DELETE FROM wallet_data.ledgers",
        "UPDATE wallet_data.currencies SET scale = 0",
        "UPDATE wallet_data.kinds SET name = 'x'",
        "TRUNCATE wallet_data.idempotency_keys",
        "DELETE FROM wallet_data.closed_periods",
    ] {
        for session in [&owner, &superuser, &replica] {
            assert_error(try_lines(session, statement).await, "append_only", "PT403");
        }
    }
    assert_eq!(before, contents(&client).await);
}

/// What every definer function must be, asked of the catalogue.
#[tokio::test]
async fn definer_functions_belong_to_the_owner_and_pin_their_search_path() {
    let db = TestDb::new("definers").await;
    let client = db.connect().await;
    let sql = "SELECT p.proname FROM pg_proc p \
               JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' \
               JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'wallet_ledger' WHERE ";
    let definers = lines(&client, &format!("{sql} p.prosecdef")).await;
    assert!(definers.len() >= 20, "{definers:?}");
    for (what, condition) in [
        (
            "definer without a pinned search_path",
            "p.prosecdef AND NOT EXISTS (SELECT FROM unnest(p.proconfig) c WHERE c LIKE 'search_path=pg_catalog, pg_temp')",
        ),
        ("definer of another owner", "p.prosecdef AND p.proowner <> 'wallet_owner'::regrole"),
        ("install() must run as its caller", "p.proname = 'install' AND p.prosecdef"),
        (
            "open to PUBLIC",
            "p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0)",
        ),
        (
            "an overload",
            "(SELECT count(*) FROM pg_proc o WHERE o.pronamespace = p.pronamespace AND o.proname = p.proname) > 1",
        ),
        ("strict, so that a NULL would be answered with NULL", "p.proisstrict AND p.pronargs > 0"),
    ] {
        assert_eq!(lines(&client, &format!("{sql} ({condition})")).await, [], "{what}");
    }
    let owner = "SELECT rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole OR rolcreatedb OR rolreplication \
                 FROM pg_roles WHERE rolname = 'wallet_owner'";
    assert_eq!(value(&client, owner).await, "f");
    let bodies =
        "SELECT count(*) FROM pg_proc WHERE pronamespace = 'wallet_data'::regnamespace AND prosecdef";
    assert_eq!(value(&client, bodies).await, "0");
}

/// A caller's own objects in front of ours: temporary tables named like our tables and like the engine's
/// transient row sets, functions and operators named like PostgreSQL's.
#[tokio::test]
async fn a_callers_objects_do_not_lead_definer_functions_astray() {
    let (db, client) = books("astray").await;
    let superuser = db.connect().await;
    db::execute(&superuser, "CREATE SCHEMA evil; GRANT ALL ON SCHEMA evil, public TO wallet_app").await;
    let post = "post_transfers('[
        {\"debit_account\": \"wallets:a\", \"credit_account\": \"shop\", \"amount\": 1, \"idempotency_key\": \"x#\"},
        {\"debit_account\": \"wallets:a\", \"credit_account\": \"wallets:c\", \"amount\": 2, \"idempotency_key\": \"y#\"}]',
        on_error => 'report')";
    for prepared_before in [true, false] {
        let session = db.app().await;
        let round = if prepared_before { "1" } else { "2" };
        if prepared_before {
            calls(&session, &post.replace('#', "0")).await;
        }
        db::execute(
            &session,
            "SET search_path = pg_temp, evil, public, pg_catalog; \
                 CREATE TEMP TABLE accounts (ledger_id int, posted numeric); \
                 CREATE TEMP TABLE transfers (ledger_id int); \
                 CREATE TEMP TABLE wallet_transfers (ledger_id int, amount numeric); \
                 CREATE TEMP TABLE wallet_balances (account_id bigint, posted numeric, held numeric, version bigint); \
                 CREATE TEMP TABLE wallet_claims (key text); \
                 CREATE TEMP TABLE wallet_rejections (key text, error jsonb); \
                 CREATE OR REPLACE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS \
                     'BEGIN RAISE EXCEPTION ''led astray''; END'; \
                 CREATE OR REPLACE FUNCTION evil.sum_trap(numeric, numeric) RETURNS boolean LANGUAGE plpgsql AS \
                     'BEGIN RAISE EXCEPTION ''led astray''; END'; \
                 DROP OPERATOR IF EXISTS evil.>= (numeric, numeric); \
                 DROP OPERATOR IF EXISTS evil.= (numeric, numeric); \
                 CREATE OPERATOR evil.>= (FUNCTION = evil.sum_trap, LEFTARG = numeric, RIGHTARG = numeric); \
                 CREATE OPERATOR evil.= (FUNCTION = evil.sum_trap, LEFTARG = numeric, RIGHTARG = numeric)",
        )
        .await;
        let outcomes = calls(&session, &post.replace('#', round)).await;
        assert!(outcomes.iter().all(|row| &row["outcome"] == "posted"), "{outcomes:?}");
        for sql in [
            "post_transfer('wallets:a', 'shop', 1)",
            "hold_funds('wallets:a', 1)",
            "expire_holds()",
            "balance('wallets:a')",
            "open_wallet('d')",
            "forget_idempotency_keys()",
        ] {
            call(&session, sql).await;
        }
    }
    verify_clean(&client).await;
}
