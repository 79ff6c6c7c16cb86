//! Whose rights the code of an application runs with: its own. An order's trigger runs as the table's owner
//! whoever has brought the payment about, cannot put on the ledger's role, and leaves no setting behind. A
//! staging table's casts and operators are not called at all.

use super::counter::{ORDERS, Shop, insert, mark, row, stage};
use wallet_ledger_tests::bank::{assert_bank_sound, credit, match_line, webhook_call};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

#[tokio::test]
async fn an_orders_trigger_runs_as_the_tables_owner() {
    let shop = Shop::open("owner").await;
    execute(
        &shop.dba,
        &format!(
            "SET ROLE \"{}\"; CREATE TABLE shop.seen (who text, path text, zone text, made text DEFAULT current_user);
             CREATE FUNCTION shop.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO shop.seen VALUES (current_user, current_setting('search_path'), current_setting('timezone'));
                 RETURN NEW; END $$;
             CREATE TRIGGER note_before BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.note();
             CREATE TRIGGER note_after AFTER UPDATE ON shop.orders FOR EACH STATEMENT EXECUTE FUNCTION shop.note();
             CREATE FUNCTION shop.checked(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO shop.seen VALUES (current_user, current_setting('search_path'), current_setting('timezone'));
                 RETURN true; END $$;
             ALTER TABLE shop.orders ADD CHECK (shop.checked(status)) NOT VALID; RESET ROLE",
            shop.owner
        ),
    )
    .await;
    let mut seen = 0;
    for id in 1..=3 {
        let intent = shop.order(id, 50_000).await;
        execute(&shop.dba, "DELETE FROM shop.seen").await;
        // By the edge function, by a backend, and by a superuser: the application's code sees no difference.
        match id {
            1 => {
                execute(
                    &shop.edge,
                    &format!("SET timezone = 'Asia/Jakarta'; {}", insert(&[row("m1", &intent["total"])])),
                )
                .await
            }
            2 => {
                execute(&shop.app, "SET timezone = 'Asia/Jakarta'").await;
                let body = json!([credit("m2", &intent["total"])]).to_string();
                call(&shop.app, &webhook_call(&body)).await;
            }
            _ => {
                execute(&shop.dba, "SET timezone = 'Asia/Jakarta'; SET wallet_ledger.ledger = 'main'").await;
                match_line(&shop.dba, &credit("m3", &intent["total"])).await;
            }
        }
        let rows = lines(&shop.dba, "SELECT DISTINCT * FROM shop.seen").await;
        seen += rows.len();
        let expected = [shop.owner.as_str(), "pg_catalog, pg_temp", "Asia/Jakarta", shop.owner.as_str()];
        assert!(rows.iter().all(|row| row.pick(["who", "path", "zone", "made"]) == expected), "{rows:?}");
    }
    assert_eq!(seen, 3);
    assert_eq!(shop.orders().await, "1 paid, 2 paid, 3 paid");
}

/// What an order's trigger tries; each must fail with that SQLSTATE inside it, or change nothing.
#[rustfmt::skip]
const ATTEMPTS: &[(&str, &str)] = &[
    ("SET ROLE wallet_owner", "42501"),
    ("RESET ROLE", "42501"),
    ("SET SESSION AUTHORIZATION postgres", "42501"),
    ("PERFORM * FROM wallet_data.webhook_secrets", "42501"),
    ("UPDATE wallet_data.accounts SET posted = 0", "42501"),
    ("INSERT INTO wallet_data.intents SELECT * FROM wallet_data.intents", "42501"),
    ("PERFORM wallet_ledger.open_wallet('thief')", "42501"),
    // At COMMIT it would be run with the rights of whoever pays.
    ("EXECUTE 'DECLARE late CURSOR WITH HOLD FOR SELECT 1'", "42501"),
    ("CREATE TEMPORARY TABLE late (n int)", "42501"),
];

#[tokio::test]
async fn an_orders_trigger_cannot_get_at_the_ledgers_rights() {
    let shop = Shop::open("attempts").await;
    for (place, (attempt, sqlstate)) in ATTEMPTS.iter().enumerate() {
        let id = place as i64 + 1;
        execute(
            &shop.dba,
            &format!(
                "CREATE OR REPLACE FUNCTION shop.attempt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     BEGIN {attempt}; EXCEPTION WHEN OTHERS THEN NEW.status := 'paid ' || SQLSTATE; END; RETURN NEW; END $$;
                 ALTER FUNCTION shop.attempt() OWNER TO \"{}\";
                 CREATE OR REPLACE TRIGGER attempt BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.attempt()",
                shop.owner
            ),
        )
        .await;
        let intent = shop.order(id, 50_000).await;
        execute(&shop.edge, &insert(&[row(&format!("m{id}"), &intent["total"])])).await;
        let status = shop.value(&format!("SELECT status FROM shop.orders WHERE id = {id}")).await;
        assert_eq!(status, format!("paid {sqlstate}"), "{attempt}");
    }
    let accounts =
        shop.value("SELECT count(*) FROM wallet_ledger.accounts WHERE account = 'wallets:thief'").await;
    assert_eq!(accounts, "0");
    assert_bank_sound(&shop.app).await;
}

/// A table's owner is asked for a role of their own, whoever's payment has run their trigger.
#[tokio::test]
async fn an_orders_trigger_is_not_trusted_for_its_callers_sake() {
    let shop = Shop::open("lent").await;
    execute(
        &shop.dba,
        &format!(
            "GRANT wallet_user TO \"{0}\"; SET ROLE \"{0}\";
             CREATE FUNCTION shop.crown() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 BEGIN
                     PERFORM wallet_ledger.assign_role('thief', 'super_administrator');
                 EXCEPTION WHEN OTHERS THEN NEW.status := 'paid ' || SQLSTATE; END;
                 RETURN NEW; END $$;
             CREATE TRIGGER crown BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.crown(); RESET ROLE",
            shop.owner
        ),
    )
    .await;
    for (id, session) in [(1, &shop.app), (2, &shop.dba)] {
        let intent = shop.order(id, 50_000).await;
        match_line(session, &credit(&format!("m{id}"), &intent["total"])).await;
        let status = shop.value(&format!("SELECT status FROM shop.orders WHERE id = {id}")).await;
        assert_eq!(status, "paid PT403");
    }
    assert_eq!(shop.value("SELECT count(*) FROM wallet_ledger.role_assignments").await, "0");
    // The backend itself is trusted as before.
    call(&shop.app, "assign_role('first', 'super_administrator')").await;
    assert_bank_sound(&shop.app).await;
}

#[tokio::test]
async fn settings_of_an_orders_trigger_end_with_it() {
    let shop = Shop::open("settings").await;
    // Its own equality and its own now(), on a search_path that it leaves behind if it can. Whatever of the
    // ledger's would call them would do so as wallet_owner.
    execute(
        &shop.dba,
        &format!(
            "CREATE SCHEMA evil AUTHORIZATION \"{0}\"; GRANT USAGE ON SCHEMA evil TO PUBLIC; SET ROLE \"{0}\";
             CREATE FUNCTION evil.same(int, int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
                 RAISE 'evil code as %', current_user; END $$;
             CREATE FUNCTION evil.same(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
                 RAISE 'evil code as %', current_user; END $$;
             CREATE FUNCTION evil.same(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
                 RAISE 'evil code as %', current_user; END $$;
             CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.same);
             CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.same);
             CREATE OPERATOR evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = evil.same);
             CREATE FUNCTION shop.leave() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM set_config('search_path', 'evil, pg_catalog', false);
                 PERFORM set_config('search_path', 'evil, pg_catalog', true);
                 PERFORM set_config('wallet_ledger.ledger', 'nowhere', false);
                 PERFORM set_config('lock_timeout', '7777', false);
                 RETURN NEW; END $$;
             CREATE TRIGGER leave BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.leave(); RESET ROLE",
            shop.owner
        ),
    )
    .await;
    for id in 1..=3 {
        let intent = shop.order(id, 50_000).await;
        let settings =
            "SELECT concat_ws(' ', current_setting('search_path'), current_setting('lock_timeout'),
                            nullif(current_setting('wallet_ledger.ledger', true), ''))";
        let (session, pay) = match id {
            1 => (&shop.edge, insert(&[row("m1", &intent["total"])])),
            2 => (
                &shop.app,
                format!(
                    "SELECT wallet_ledger.{}",
                    webhook_call(&json!([credit("m2", &intent["total"])]).to_string())
                ),
            ),
            _ => (&shop.dba, insert(&[row("m3", &intent["total"])])),
        };
        let before = value(session, settings).await;
        execute(session, &format!("BEGIN; {pay}")).await;
        assert_eq!(value(session, settings).await, before, "within the transaction");
        execute(session, "COMMIT").await;
        assert_eq!(value(session, settings).await, before);
    }
    assert_eq!(shop.orders().await, "1 paid, 2 paid, 3 paid");
    assert_bank_sound(&shop.app).await;
}

#[tokio::test]
async fn an_error_of_an_orders_trigger_leaves_no_right_behind() {
    let shop = Shop::open("error_rights").await;
    execute(
        &shop.dba,
        &format!(
            "CREATE FUNCTION shop.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
             CREATE TRIGGER fail AFTER UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.fail();
             CREATE FUNCTION shop.tried(statement text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
                 EXECUTE statement; RETURN 'done ' || current_user;
                 EXCEPTION WHEN OTHERS THEN RETURN SQLERRM || ' ' || current_user; END $$;
             GRANT USAGE ON SCHEMA shop TO wallet_app; GRANT EXECUTE ON FUNCTION shop.tried TO PUBLIC;
             GRANT INSERT ON shop.mutations TO wallet_app; SET ROLE \"{}\"; RESET ROLE",
            shop.owner
        ),
    )
    .await;
    let intent = shop.order(1, 50_000).await;
    let pay = bank::quoted(&insert(&[row("m1", &intent["total"])]));
    // Caught in a subtransaction: the session is who it was, and may do what it could.
    for (session, who) in [(&shop.app, "wallet_app"), (&shop.dba, "postgres")] {
        execute(session, "BEGIN").await;
        for _ in 0..3 {
            assert_eq!(value(session, &format!("SELECT shop.tried({pay})")).await, format!("no {who}"));
        }
        assert_eq!(
            value(session, "SELECT current_user || ' ' || current_setting('search_path')").await,
            format!("{who} \"$user\", public")
        );
        execute(session, "COMMIT").await;
    }
    execute(&shop.dba, "DROP TRIGGER fail ON shop.orders").await;
    execute(&shop.edge, &insert(&[row("m1", &intent["total"])])).await;
    assert_eq!(shop.orders().await, "1 paid");
}

#[tokio::test]
async fn row_security_is_the_owners() {
    let shop = Shop::open("policies").await;
    execute(
        &shop.dba,
        "ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;
         CREATE POLICY mine ON shop.orders USING (current_setting('shop.tenant', true) = '1')",
    )
    .await;
    let intent = shop.order(1, 50_000).await;
    execute(&shop.edge, &insert(&[row("m1", &intent["total"])])).await;
    assert_eq!(shop.orders().await, "1 paid", "its owner is not bound by it");
    execute(&shop.dba, "ALTER TABLE shop.orders FORCE ROW LEVEL SECURITY").await;
    assert!(super::findings(&shop.dba, "wallet_data.intents").await[0].contains("forced on its owner"));
    let intent = shop.order(2, 50_000).await;
    execute(&shop.edge, &insert(&[row("m2", &intent["total"])])).await;
    assert_eq!(shop.orders().await, "1 paid, 2 unpaid", "unless it is forced");
}

#[tokio::test]
async fn nothing_of_a_staging_table_runs_with_the_ledgers_rights() {
    let shop = Shop::bare("casts").await;
    execute(
        &shop.dba,
        &format!(
            "SET ROLE \"{}\"; CREATE TYPE shop.direction AS ENUM ('CR', 'DB');
             CREATE FUNCTION shop.steal(shop.direction) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE ''as %'', current_user; END';
             CREATE FUNCTION shop.same(shop.direction, shop.direction) RETURNS boolean LANGUAGE plpgsql AS
                 'BEGIN RAISE ''as %'', current_user; END';
             CREATE CAST (shop.direction AS text) WITH FUNCTION shop.steal(shop.direction) AS IMPLICIT;
             CREATE OPERATOR shop.= (LEFTARG = shop.direction, RIGHTARG = shop.direction, FUNCTION = shop.same);
             CREATE TABLE shop.staged (id text, account_number text, date date, amount int, type shop.direction);
             RESET ROLE; {}
             INSERT INTO shop.staged VALUES ('a', '1000000001', current_date, 5000, 'CR')",
            shop.owner,
            stage("shop.staged", "'moota', 'id=id', 'account_number=account_number', 'date=date', 'amount=amount', 'type=type'")
        ),
    )
    .await;
    assert_eq!(shop.taken().await, "a suspense");
}

#[tokio::test]
async fn who_may_attach_what() {
    let shop = Shop::bare("attach").await;
    // Whoever may insert needs no right on the ledger, and has none.
    for sql in ["SELECT * FROM wallet_data.mutations", "SELECT wallet_ledger.open_wallet('x')"] {
        assert_eq!(sql_error(&try_lines(&shop.edge, sql).await.unwrap_err()).sqlstate, "42501", "{sql}");
    }
    // The shop's owner can attach neither; a backend's role can attach the one to its own tables, but not
    // the other, which writes to those of others.
    let owner = shop.db.connect_as(&shop.owner).await;
    let staged = stage("shop.bodies", "'moota', 'payload'");
    assert_eq!(sql_error(&owner.batch_execute(&staged).await.unwrap_err()).sqlstate, "42501");
    execute(&shop.dba, &format!("GRANT wallet_app TO \"{}\"", shop.owner)).await;
    execute(&owner, &staged).await;
    let elsewhere = mark("elsewhere", ORDERS).replace("wallet_data.intents", "shop.orders");
    for sql in [mark("paid", ORDERS), elsewhere.clone()] {
        assert_eq!(sql_error(&owner.batch_execute(&sql).await.unwrap_err()).sqlstate, "42501", "{sql}");
    }
    // Attached elsewhere all the same, it refuses to write.
    execute(&shop.dba, &format!("INSERT INTO shop.orders VALUES (1, 1); {elsewhere}")).await;
    let refused = owner.batch_execute("UPDATE shop.orders SET total = 2").await;
    let error = assert_error(refused, "invalid_trigger", "PT422");
    assert!(error.message.contains("must be attached to wallet_data.intents"), "{error:#?}");
    // The tables' owner may attach it where it belongs.
    let ledgers = shop.db.connect_as("wallet_owner").await;
    execute(&ledgers, &mark("paid", ORDERS)).await;
}

/// Whoever may put another table in the place of the one that a payment marks, because the schema is theirs, must not
/// have their own table's triggers run with the rights of the other one's owner.
#[tokio::test]
async fn a_table_put_in_the_place_of_another_runs_as_its_own_owner() {
    let shop = Shop::bare("replaced").await;
    execute(&shop.dba, "CREATE TABLE shop.parcels (id bigint PRIMARY KEY, status text, seen text)").await;
    execute(&shop.dba, &mark("parcels_paid", "'shop.parcels', 'id', 'status', 'paid', 'unpaid', 'order'"))
        .await;
    let intent = shop.intent("order", 50_000, "'1'").await;
    let eve = shop.db.connect_as(&shop.owner).await;
    execute(
        &eve,
        "BEGIN; DROP TABLE shop.parcels; CREATE TABLE shop.parcels (id bigint PRIMARY KEY, status text, seen text);
         INSERT INTO shop.parcels VALUES (1, 'unpaid');
         CREATE FUNCTION shop.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             NEW.seen := current_user; RETURN NEW; END $$;
         CREATE TRIGGER see BEFORE UPDATE ON shop.parcels FOR EACH ROW EXECUTE FUNCTION shop.see()",
    )
    .await;
    let payer = backend(&shop.app).await;
    let swap = async {
        until_blocked(&shop.dba, &payer).await;
        execute(&eve, "COMMIT").await;
    };
    let line = credit("m1", &intent["total"]);
    let (paid, ()) = tokio::join!(match_line(&shop.app, &line), swap);
    assert_eq!(&paid["outcome"], "matched");
    assert_eq!(
        shop.value("SELECT status || ' ' || seen FROM shop.parcels").await,
        format!("paid {}", shop.owner)
    );
    assert_bank_sound(&shop.app).await;
}
