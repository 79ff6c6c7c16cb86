//! What somebody claims to be, beyond what they are.

use crate::cast::school;
use crate::{Identity, attempt, begin_as};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

async fn refused(session: &Client, actor: &str, sql: &str) {
    for identity in [Identity::Setting, Identity::Claim] {
        let error = attempt(session, actor, identity, sql).await;
        let error = error.unwrap_or_else(|| panic!("{actor} was allowed: {sql}"));
        assert_eq!((error.token(), error.sqlstate.as_str()), ("not_allowed", "PT403"), "{actor}: {sql}");
        assert!(error.hint.is_some_and(|hint| !hint.is_empty()));
    }
}

async fn allowed(session: &Client, actor: &str, sql: &str) {
    for identity in [Identity::Setting, Identity::Claim] {
        let error = attempt(session, actor, identity, sql).await;
        assert!(error.is_none(), "{actor}: {sql}: {error:?}");
    }
}

#[tokio::test]
async fn a_forged_scope_gives_nothing() {
    let (db, _app) = school("forged").await;
    let session = db.connect().await;
    for sql in [
        "assign_role('actor-tenant-a', 'tenant_administrator', 'coop')",
        "assign_role('actor-tenant-a', 'cashier', 'coop')",
        "assign_role('actor-tenant-a', 'tenant_administrator', 'canteen')",
        "assign_role('actor-tenant-a', 'organisation_administrator')",
        "assign_role('actor-friend', 'member', 'joni')",
        "assign_role('actor-friend', 'guardian', 'g-both')",
        "set_item('coop', 'es-teh', 1)",
        "set_party_status('device', 'till-b', false)",
    ] {
        refused(&session, "actor-tenant-a", sql).await;
    }
    // A device of somebody else is not taken over by naming one's own merchant.
    let error =
        attempt(&session, "actor-tenant-a", Identity::Setting, "create_device('till-b', 'canteen')").await;
    let error = error.expect("another merchant's till");
    assert_eq!((error.token(), &error.detail["field"]), ("already_exists", &json!("merchant")));
    // A scope that only looks like the own one has the wrong form.
    for scope in ["canteen ", "canteen\u{200b}", "merchants:canteen", "", "canteen%", "can*"] {
        let sql = format!("assign_role('actor-friend', 'cashier', '{scope}')");
        let error = attempt(&session, "actor-tenant-a", Identity::Setting, &sql).await.expect("not a name");
        assert_eq!(error.token(), "invalid_argument", "{scope:?}");
    }
    refused(&session, "actor-tenant-a", "assign_role('actor-friend', 'cashier', 'Canteen')").await;
}

/// What a till sold past limits and balance is the organisation's money.
#[tokio::test]
async fn a_merchant_lends_nobodys_money() {
    let (db, app) = school("lends_money").await;
    let session = db.connect().await;
    let accept = "create_device('till-a', 'canteen', conflict_policy => 'accept')";
    let owe = |most: &str| format!("create_device('till-a', 'canteen', overdraft_limit => {most})");
    let made = "create_device('t9', 'canteen', conflict_policy => 'accept', overdraft_limit => 1e15)";
    for sql in [accept, made, &owe("0.01")] {
        refused(&session, "actor-tenant-a", sql).await;
        allowed(&session, "actor-organisation", sql).await;
    }
    execute(&app, "SET wallet_ledger.actor = 'actor-organisation'").await;
    call(&app, &accept.replace("'accept'", "'accept', overdraft_limit => 20000")).await;
    // Said again it is the same; more is more; less and nothing are the merchant's to say, once.
    refused(&session, "actor-tenant-a", &owe("20000.01")).await;
    refused(&session, "actor-tenant-a", accept).await;
    for sql in [
        &owe("20000"),
        &owe("5000"),
        "create_device('till-a', 'canteen', gap_policy => 'take')",
        "create_device('till-a', 'canteen', conflict_policy => 'reject')",
    ] {
        allowed(&session, "actor-tenant-a", sql).await;
    }
    call(&app, &owe("5000")).await;
    refused(&session, "actor-tenant-a", &owe("20000")).await;
}

/// A role belongs to a name that was said, and said in full.
#[tokio::test]
async fn a_name_that_is_cut_or_missing_is_nobody() {
    let (db, app) = school("nobody").await;
    let session = db.connect().await;
    let (longest, sql) = ("n".repeat(255), "create_merchant('kiosk')");
    for actor in [&longest, "postgres"] {
        call(&app, &format!("assign_role('{actor}', 'organisation_administrator')")).await;
        allowed(&session, actor, sql).await;
    }
    for more in ["n", "é"] {
        refused(&session, &format!("{longest}{more}"), sql).await;
    }
    for claims in ["", "{}", "{\"sub\": \"\"}", "{\"sub\": 5}", "[]"] {
        let put_on = format!("SELECT set_config('request.jwt.claims', '{claims}', true)");
        execute(&session, &format!("BEGIN; SET LOCAL ROLE wallet_user; {put_on}")).await;
        assert_error(try_call(&session, sql).await, "not_allowed", "PT403");
        execute(&session, "ROLLBACK").await;
    }
    execute(
        &session,
        &format!("BEGIN; SET LOCAL ROLE wallet_user; SET LOCAL wallet_ledger.actor = '{longest}n'"),
    )
    .await;
    assert_error(try_call(&session, sql).await, "not_allowed", "PT403");
    execute(&session, "ROLLBACK").await;
}

#[tokio::test]
async fn nobody_crowns_or_deposes_themselves() {
    let (db, app) = school("oneself").await;
    let session = db.connect().await;
    for actor in ["actor-organisation", "actor-tenant-a", "actor-cashier-a", "actor-joni", "actor-stranger"] {
        refused(&session, actor, &format!("assign_role('{actor}', 'super_administrator')")).await;
        refused(&session, actor, "assign_role('actor-friend', 'super_administrator')").await;
    }
    // Not even who is one already; and nobody may lock everybody out.
    refused(&session, "actor-super", "assign_role('actor-super', 'super_administrator')").await;
    refused(&session, "actor-super", "revoke_role('actor-super', 'super_administrator')").await;
    refused(
        &session,
        "actor-organisation",
        "revoke_role('actor-organisation', 'organisation_administrator')",
    )
    .await;
    refused(&session, "actor-organisation", "revoke_role('actor-super', 'super_administrator')").await;
    refused(&session, "actor-tenant-a", "revoke_role('actor-tenant-a', 'tenant_administrator', 'canteen')")
        .await;
    refused(&session, "actor-joni", "revoke_role('actor-joni', 'member', 'joni')").await;
    call(&app, "assign_role('actor-tenant-a', 'cashier', 'canteen')").await;
    refused(&session, "actor-tenant-a", "revoke_role('actor-tenant-a', 'cashier', 'canteen')").await;
    allowed(&session, "actor-tenant-a", "revoke_role('actor-cashier-a', 'cashier', 'canteen')").await;
    allowed(&session, "actor-super", "assign_role('actor-friend', 'super_administrator')").await;
    // A trusted backend is nobody in particular: it sets up the first administrator, and names who asked for it.
    execute(&app, "SET wallet_ledger.actor = 'actor-super'").await;
    call(&app, "revoke_role('actor-super', 'super_administrator')").await;
    refused(&session, "actor-super", "create_merchant('kiosk')").await;
    let role = call(&app, "assign_role('actor-super', 'super_administrator')").await;
    assert_eq!(role.pick(["assigned", "assigned_by"]), ["t", "actor-super"]);
    allowed(&session, "actor-super", "create_merchant('kiosk')").await;
}

#[tokio::test]
async fn a_role_counts_in_its_ledger_and_while_it_lasts() {
    let (db, app) = school("lasts").await;
    let session = db.connect().await;
    call(&app, "create_ledger('other')").await;
    execute(&session, "SET wallet_ledger.ledger = 'main'").await;
    execute(&app, "SET wallet_ledger.ledger = 'main'").await;
    allowed(&session, "actor-organisation", "create_member('budi')").await;
    refused(&session, "actor-organisation", "create_member('budi', ledger => 'other')").await;
    refused(&session, "actor-super", "assign_role('x', 'organisation_administrator', ledger => 'other')")
        .await;

    let sql = "set_item('canteen', 'roti', 5000)";
    allowed(&session, "actor-tenant-a", sql).await;
    call(&app, "revoke_role('actor-tenant-a', 'tenant_administrator', 'canteen')").await;
    refused(&session, "actor-tenant-a", sql).await;
    call(&app, "assign_role('actor-tenant-a', 'tenant_administrator', 'canteen')").await;
    allowed(&session, "actor-tenant-a", sql).await;
}

#[tokio::test]
async fn the_token_goes_before_the_setting_and_nobody_is_a_stranger() {
    let (db, _app) = school("who").await;
    let session = db.connect().await;
    let sql = "SELECT * FROM wallet_ledger.create_merchant('kiosk')";
    // The setting may be left over from somebody else's request.
    begin_as(&session, "actor-organisation", Identity::Claim).await;
    execute(&session, "SET LOCAL wallet_ledger.actor = 'actor-stranger'").await;
    assert!(try_lines(&session, sql).await.is_ok());
    execute(&session, "RESET ROLE").await;
    let by = "SELECT payload ->> 'actor' FROM wallet_data.events WHERE topic = 'merchant.created' AND subject = 'kiosk'";
    assert_eq!(value(&session, by).await, "actor-organisation", "written down as well");
    execute(&session, "ROLLBACK").await;
    begin_as(&session, "actor-stranger", Identity::Claim).await;
    execute(&session, "SET LOCAL wallet_ledger.actor = 'actor-organisation'").await;
    let error = assert_error(try_lines(&session, sql).await, "not_allowed", "PT403");
    assert_eq!(error.detail["actor"], "actor-stranger");
    execute(&session, "ROLLBACK").await;
    // Without either, who is logged in; PostgREST leaves empty claims behind.
    for claims in ["", "{}", "{\"sub\": \"\"}", "{\"sub\": 5}", "[]", "nonsense"] {
        execute(
            &session,
            &format!(
                "BEGIN; SET LOCAL ROLE wallet_user; SELECT set_config('request.jwt.claims', '{claims}', true)"
            ),
        )
        .await;
        let error = assert_error(try_lines(&session, sql).await, "not_allowed", "PT403");
        assert_eq!(error.detail["actor"], "postgres", "{claims}");
        execute(&session, "ROLLBACK").await;
    }
}

#[tokio::test]
async fn trusted_backends_act_for_anyone() {
    let (db, _app) = school("trusted").await;
    let backend = db.role("backend", "LOGIN IN ROLE wallet_app").await;
    for session in [db.connect().await, db.app().await, db.connect_as(&backend).await] {
        execute(&session, "SET wallet_ledger.actor = 'actor-stranger'").await;
        let link = call(&session, "link_guardian('g-unlinked', 'ani')").await;
        assert_eq!(&link["linked_by"], "actor-stranger", "named for the audit");
        call(&session, "link_guardian('g-unlinked', 'ani', false, false, false)").await;
    }
    // Membership that has to be put on first is none yet.
    let careful = db.role("careful", "LOGIN NOINHERIT IN ROLE wallet_user, wallet_app").await;
    let session = db.connect_as(&careful).await;
    let error = sql_error(&try_call(&session, "create_merchant('kiosk')").await.unwrap_err());
    assert_eq!(error.sqlstate, "42501");
    let both = db.role("both", "LOGIN IN ROLE wallet_user, wallet_app").await;
    call(&db.connect_as(&both).await, "create_merchant('kiosk')").await;
}

/// A definer function of a backend lends its EXECUTE, and not who calls it.
#[tokio::test]
async fn a_backends_function_does_not_lend_its_trust() {
    let (db, _app) = school("lends").await;
    let superuser = db.connect().await;
    let person = db.role("person", "LOGIN").await;
    execute(
        &superuser,
        &format!(
            "CREATE SCHEMA api AUTHORIZATION wallet_app; GRANT USAGE ON SCHEMA api TO \"{person}\";
             CREATE FUNCTION api.kiosk() RETURNS text LANGUAGE sql SECURITY DEFINER AS
                 'SELECT merchant FROM wallet_ledger.create_merchant(''kiosk'')';
             ALTER FUNCTION api.kiosk() OWNER TO wallet_app"
        ),
    )
    .await;
    let session = db.connect_as(&person).await;
    assert_error(try_lines(&session, "SELECT api.kiosk()").await, "not_allowed", "PT403");
    execute(&session, "SET wallet_ledger.actor = 'actor-organisation'").await;
    assert_eq!(value(&session, "SELECT api.kiosk()").await, "kiosk");
}

/// Code of a table's owner that PostgreSQL runs while a superuser looks after the table.
#[tokio::test]
async fn a_superusers_housekeeping_does_not_lend_its_trust() {
    let (db, _app) = school("housekeeping").await;
    let superuser = db.connect().await;
    let person = db.role("person", "LOGIN IN ROLE wallet_user").await;
    execute(&superuser, &format!("CREATE SCHEMA mine AUTHORIZATION \"{person}\"")).await;
    execute(
        &db.connect_as(&person).await,
        "CREATE FUNCTION mine.trap(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END';
         CREATE TABLE mine.bait (id int);
         CREATE INDEX ON mine.bait (mine.trap(id));
         INSERT INTO mine.bait SELECT generate_series(1, 100);
         CREATE OR REPLACE FUNCTION mine.trap(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
             PERFORM wallet_ledger.assign_role('thief', 'super_administrator'); RETURN $1; END $$",
    )
    .await;
    for sql in ["ANALYZE mine.bait", "REINDEX TABLE mine.bait", "VACUUM ANALYZE mine.bait"] {
        assert_error(superuser.batch_execute(sql).await, "not_allowed", "PT403");
    }
    let thief = "SELECT count(*) FROM wallet_ledger.role_assignments WHERE actor = 'thief'";
    assert_eq!(value(&superuser, thief).await, "0");
}
