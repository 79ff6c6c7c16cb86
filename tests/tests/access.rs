//! Proves who may do what: everybody tries every function of people, limits, purchases and identification, and is
//! let through exactly where role_permissions() says so. Identity comes from the setting or from the JWT; what is
//! claimed beyond it (another scope, another ledger, somebody else's function) gives nothing; and a refusal does
//! not tell whether there is what was asked for.

#[path = "access/cast.rs"]
mod cast;
#[path = "access/claims.rs"]
mod claims;
#[path = "access/page.rs"]
mod page;
#[path = "access/tries.rs"]
mod tries;

use cast::{CAST, Person, school};
use tries::{Try, tries};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

/// How a session says who it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    Setting,
    Claim,
}

/// Puts on an identity for one transaction, as PostgREST does.
pub async fn begin_as(session: &Client, actor: &str, identity: Identity) {
    let put_on = match identity {
        Identity::Setting => format!("SET LOCAL wallet_ledger.actor = '{actor}'"),
        Identity::Claim => {
            format!(
                "SELECT set_config('request.jwt.claims', '{}', true)",
                json!({ "sub": actor, "role": "x" })
            )
        }
    };
    execute(session, &format!("BEGIN; SET LOCAL ROLE wallet_user; {put_on}")).await;
}

/// What became of a try: the token and SQLSTATE of its refusal, if it was refused. Nothing of it stays.
async fn attempt(
    session: &Client,
    actor: &str,
    identity: Identity,
    sql: &str,
) -> Option<wallet_ledger_tests::LedgerError> {
    begin_as(session, actor, identity).await;
    let result = try_calls(session, sql).await;
    execute(session, "ROLLBACK").await;
    result.err().map(|error| sql_error(&error))
}

/// A line of role_permissions().
struct Permission {
    action: String,
    role: String,
    reach: String,
    right: Option<String>,
}

async fn permissions(client: &Client) -> Vec<Permission> {
    let rows = calls(client, "role_permissions()").await;
    rows.iter()
        .map(|row| Permission {
            action: row["action"].to_owned(),
            role: row["role"].to_owned(),
            reach: row["reach"].to_owned(),
            right: row.get("link_right").map(str::to_owned),
        })
        .collect()
}

/// What the table says about a person and a try: the only place where this test decides.
fn may(person: &Person, tried: &Try, table: &[Permission]) -> bool {
    table.iter().filter(|line| line.action == tried.action).any(|line| {
        person.roles.iter().filter(|role| role.name == line.role).any(|role| match line.reach.as_str() {
            "organisation" => true,
            "own_merchant" => tried.merchant == Some(role.scope),
            "oneself" => tried.member == Some(role.scope),
            "linked_member" => {
                tried.member == Some(role.scope)
                    && line.right.as_deref().is_some_and(|right| role.rights.contains(&right))
            }
            other => panic!("a reach that nobody knows: {other}"),
        })
    })
}

/// What the refusal says that was tried. Who may not set up a till is told so, whatever its policies are to be.
fn names(error: &wallet_ledger_tests::LedgerError, tried: &Try) -> bool {
    let action = &error.detail["action"];
    action == tried.action || tried.action == "accept_overdraft" && action == "create_device"
}

#[tokio::test]
async fn everybody_tries_everything() {
    let (db, app) = school("walk").await;
    let table = permissions(&app).await;
    let session = db.connect().await;
    let tries = tries(&app).await;
    let (mut allowed, mut refused, mut wrong) = (0, 0, Vec::new());
    for person in CAST {
        for tried in &tries {
            let expected = may(person, tried, &table);
            for identity in [Identity::Setting, Identity::Claim] {
                let error = attempt(&session, person.actor, identity, &tried.sql).await;
                let what = format!("{} ({}): {}: {error:?}", person.actor, tried.action, tried.sql);
                match error {
                    None => allowed += 1,
                    Some(_) => refused += 1,
                }
                let is_right = match (&error, expected) {
                    (Some(error), false) => {
                        (error.token(), error.sqlstate.as_str()) == ("not_allowed", "PT403")
                            && error.detail["actor"] == person.actor
                            && names(error, tried)
                    }
                    (error, expected) => error.is_none() && expected,
                };
                if !is_right {
                    wrong.push(what);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} are not as the table says:\n{}", wrong.len(), wrong.join("\n"));
    let actions: std::collections::BTreeSet<&str> = tries.iter().map(|tried| tried.action).collect();
    println!("{} tries of {} actions: {allowed} allowed, {refused} refused", tries.len(), actions.len());
    assert!(actions.len() >= 13 && allowed > 100 && refused > 500, "{allowed} allowed, {refused} refused");
    verify_clean(&app).await;
}

#[tokio::test]
async fn every_action_of_the_table_is_tried() {
    let (_db, app) = school("tried").await;
    let tries = tries(&app).await;
    for line in permissions(&app).await {
        let is_tried = tries.iter().any(|tried| tried.action == line.action);
        // An action whose function is not there yet cannot be.
        let is_there = tries::FUNCTIONS
            .iter()
            .filter(|(action, _)| *action == line.action)
            .map(|(_, function)| *function)
            .collect::<Vec<_>>();
        assert!(!is_there.is_empty(), "nobody says which function {} is", line.action);
        assert!(is_tried || !tries::exists(&app, is_there[0]).await, "{} is never tried", line.action);
    }
}

/// Through PostgREST a client can undo the count of a wrong PIN: so nobody who signs in gets an answer at all.
#[tokio::test]
async fn nobody_who_signs_in_checks_a_pin() {
    let (db, app) = school("pins").await;
    call(&app, "set_pin('joni', '482913')").await;
    let (superuser, session) = (db.connect().await, db.connect().await);
    // A backend's function lends the right to call, and no trust.
    let lent = "CREATE SCHEMA api AUTHORIZATION wallet_app; GRANT USAGE ON SCHEMA api TO wallet_user;
                CREATE FUNCTION api.check_pin(pin text) RETURNS SETOF wallet_ledger.authentication_row
                LANGUAGE sql SECURITY DEFINER AS $$
                    SELECT * FROM wallet_ledger.verify_pin('joni', pin, 'till-a') $$;
                ALTER FUNCTION api.check_pin OWNER TO wallet_app";
    execute(&superuser, lent).await;
    for person in CAST {
        for pin in ["482913", "551100"] {
            for identity in [Identity::Setting, Identity::Claim] {
                let direct = format!("verify_pin('joni', '{pin}', 'till-a')");
                let error = attempt(&session, person.actor, identity, &direct).await.expect("no right");
                assert_eq!(error.sqlstate, "42501", "{}", person.actor);
                let recorded = format!("record_authentication('pin', 'joni', '{pin}', 'till-a')");
                let error = attempt(&session, person.actor, identity, &recorded).await.expect("refused");
                assert_backend_only(&error, person.actor, "record_authentication");
                begin_as(&session, person.actor, identity).await;
                let lent = try_lines(&session, &format!("SELECT * FROM api.check_pin('{pin}')")).await;
                assert_backend_only(&sql_error(&lent.unwrap_err()), person.actor, "verify_pin");
                execute(&session, "ROLLBACK").await;
            }
        }
    }
    assert_eq!(value(&app, "SELECT count(*) FROM wallet_ledger.authentications").await, "0");
    execute(&app, "SET wallet_ledger.actor = 'actor-cashier-a'").await;
    assert_eq!(&call(&app, "verify_pin('joni', '551100', 'till-a')").await["attempts_left"], "4");
    let recorded = "SELECT string_agg(actor || ' ' || reason, ', ') FROM wallet_ledger.authentications";
    assert_eq!(value(&app, recorded).await, "actor-cashier-a wrong_pin");
}

fn assert_backend_only(error: &wallet_ledger_tests::LedgerError, actor: &str, function: &str) {
    assert_eq!((error.token(), error.sqlstate.as_str()), ("not_allowed", "PT403"), "{error:?}");
    assert_eq!(
        error.detail,
        json!({"error": "not_allowed", "actor": actor, "action": function, "reason": "backend_only"})
    );
}

/// Of what there is and of what there is not, the refusal says the same, to the letter.
#[tokio::test]
async fn a_refusal_tells_nothing() {
    let (db, _app) = school("tells_nothing").await;
    let session = db.connect().await;
    for (there, nowhere) in [
        ("set_item('coop', 'es-teh', 1)", "set_item('nowhere', 'es-teh', 1)"),
        ("create_device('till-b', 'coop')", "create_device('till-x', 'nowhere')"),
        ("set_party_status('device', 'till-b', false)", "set_party_status('device', 'till-x', false)"),
        ("set_party_status('member', 'ani', false)", "set_party_status('member', 'nobody', false)"),
        ("set_party_status('merchant', 'coop', false)", "set_party_status('merchant', 'nowhere', false)"),
        ("assign_role('x', 'cashier', 'coop')", "assign_role('x', 'cashier', 'nowhere')"),
        ("assign_role('x', 'member', 'ani')", "assign_role('x', 'member', 'nobody')"),
        ("revoke_role('actor-cashier-b', 'cashier', 'coop')", "revoke_role('x', 'cashier', 'nowhere')"),
        ("link_guardian('g-linked', 'ani')", "link_guardian('nobody', 'nobody')"),
        ("create_member('ani')", "create_member('nobody')"),
        ("create_merchant('coop')", "create_merchant('nowhere')"),
        ("create_guardian('g-linked')", "create_guardian('nobody')"),
    ] {
        for actor in ["actor-tenant-a", "actor-cashier-a", "actor-joni", "actor-viewer", "actor-stranger"] {
            let [first, second] = [
                attempt(&session, actor, Identity::Setting, there).await,
                attempt(&session, actor, Identity::Setting, nowhere).await,
            ]
            .map(|error| error.unwrap_or_else(|| panic!("{actor} was allowed: {there} or {nowhere}")));
            assert_eq!(first.token(), "not_allowed", "{actor}: {there}: {first:?}");
            assert_eq!(
                (first.message, first.detail.to_string(), first.hint),
                (second.message, second.detail.to_string(), second.hint),
                "{actor}: {there}"
            );
        }
    }
}

/// The role `wallet_user` itself: the functions that ask, and nothing else.
#[tokio::test]
async fn a_signed_in_person_reaches_only_what_asks() {
    let (db, app) = school("reaches").await;
    let superuser = db.connect().await;
    let person = db.role("person", "LOGIN IN ROLE wallet_user").await;
    let client = db.connect_as(&person).await;
    let open: Vec<&str> = tries::FUNCTIONS.iter().map(|(_, function)| *function).collect();
    let functions = lines(
        &superuser,
        &format!(
            "SELECT p.proname, p.pronargs, has_function_privilege('{person}', p.oid, 'EXECUTE') AS may,
                    p.prorettype = 'trigger'::regtype AS is_trigger
             FROM pg_proc p WHERE p.pronamespace = 'wallet_ledger'::regnamespace"
        ),
    )
    .await;
    assert!(functions.len() > 70, "{}", functions.len());
    let also = ["role_permissions", "repay_overdraft"];
    for function in &functions {
        let name = &function["proname"];
        let expected = open.contains(&name) || also.contains(&name);
        assert_eq!(&function["may"] == "t", expected, "{name}");
        if !expected && &function["is_trigger"] == "f" {
            let nulls = vec!["NULL"; function["pronargs"].parse().unwrap()].join(", ");
            let error = sql_error(&try_calls(&client, &format!("{name}({nulls})")).await.expect_err(name));
            assert_eq!(error.sqlstate, "42501", "{name}: {error:?}");
        }
    }
    let relations = lines(
        &superuser,
        "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind IN ('r', 'v', 'S')
           AND relnamespace IN ('wallet_data'::regnamespace, 'wallet_ledger'::regnamespace)",
    )
    .await;
    assert!(relations.len() > 60, "{}", relations.len());
    for relation in &relations {
        let error = sql_error(
            &try_lines(&client, &format!("SELECT 1 FROM {}", &relation["name"])).await.expect_err("denied"),
        );
        assert_eq!(error.sqlstate, "42501", "{}", &relation["name"]);
    }
    for sql in [
        "post_transfer('wallets:joni', 'wallets:ani', 1)",
        "open_wallet('thief')",
        "balance('wallets:joni')",
        "install()",
    ] {
        let error = sql_error(&try_calls(&client, sql).await.expect_err(sql));
        assert_eq!(error.sqlstate, "42501", "{sql}");
    }
    assert!(calls(&client, "role_permissions()").await.len() > 50);
    let signed_in = "SELECT string_agg(status || ': ' || detail, '; ') FROM wallet_ledger.doctor()
                     WHERE check_name = 'signed_in'";
    assert_eq!(value(&superuser, signed_in).await, "ok: wallet_user reads no table and no view");
    execute(&superuser, "GRANT SELECT ON wallet_ledger.members TO wallet_user").await;
    let found = value(&superuser, signed_in).await;
    assert!(found.starts_with("warning: wallet_user may SELECT on wallet_ledger.members"), "{found}");
    verify_clean(&app).await;
}
