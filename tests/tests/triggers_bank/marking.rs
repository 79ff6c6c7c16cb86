//! Which rows an intent marks, what is passed over, and what makes a payment fail as a whole.

use super::counter::{ORDERS, Shop, findings, insert, mark, row};
use wallet_ledger_tests::bank::{
    BCA, assert_bank_sound, credit, match_call, match_line, mutation_now, webhook_call,
};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

#[tokio::test]
async fn what_does_not_name_a_row_is_passed_over() {
    let shop = Shop::open("passed_over").await;
    execute(&shop.dba, "INSERT INTO shop.orders VALUES (7, 1), (8, 1)").await;
    let long = "9".repeat(200);
    let mut paid = 0;
    for (purpose, reference) in [
        // Another purpose, no reference, no bigint, too large a one, a row that is not there.
        ("topup", "'7'"),
        ("other", "'7'"),
        ("order", "NULL"),
        ("order", "'abc'"),
        ("order", "'7; DROP TABLE shop.orders'"),
        ("order", "'7.0'"),
        ("order", &format!("'{long}'")),
        ("order", "'99'"),
    ] {
        let intent = shop.intent(purpose, 50_000, reference).await;
        paid += 1;
        let outcome = match_line(&shop.app, &credit(&format!("m{paid}"), &intent["total"])).await;
        assert_eq!(&outcome["outcome"], "matched", "{purpose} {reference}");
    }
    assert_eq!(shop.orders().await, "7 unpaid, 8 unpaid");
    // An intent that ends otherwise marks nothing; one among the others does.
    let cancelled = shop.intent("order", 60_000, "'8'").await;
    call(&shop.app, &format!("cancel_intent('{}')", &cancelled["id"])).await;
    let intent = shop.intent("order", 60_000, "' 007 '").await;
    execute(&shop.edge, &insert(&[row("x", "1"), row("last", &intent["total"])])).await;
    assert_eq!(shop.orders().await, "7 paid, 8 unpaid");
    assert_bank_sound(&shop.app).await;
}

#[tokio::test]
async fn an_order_that_was_paid_twice_stays_paid() {
    let shop = Shop::open("twice").await;
    let first = shop.order(1, 50_000).await;
    match_line(&shop.app, &credit("m1", &first["total"])).await;
    let second = shop.intent("order", 50_000, "'1'").await;
    match_line(&shop.app, &credit("m2", &second["total"])).await;
    for (mutation, status) in [("m2", "1 paid"), ("m1", "1 unpaid")] {
        let id = mutation_now(&shop.app, mutation).await["id"].to_owned();
        call(&shop.app, &format!("unmatch_mutation('{id}', 'twice')")).await;
        assert_eq!(shop.orders().await, status);
    }
}

/// Two references that are one value of the key's type: undoing the first payment leaves the second.
#[tokio::test]
async fn an_order_paid_under_another_spelling_stays_paid() {
    let shop = Shop::open("spelling").await;
    execute(&shop.dba, "INSERT INTO shop.orders VALUES (2, 1)").await;
    for (mutation, reference) in [("m1", "'002'"), ("m2", "'0002'")] {
        let intent = shop.intent("order", 50_000, reference).await;
        match_line(&shop.app, &credit(mutation, &intent["total"])).await;
    }
    for (mutation, status) in [("m1", "2 paid"), ("m2", "2 unpaid")] {
        let id = mutation_now(&shop.app, mutation).await["id"].to_owned();
        call(&shop.app, &format!("unmatch_mutation('{id}', 'twice')")).await;
        assert_eq!(shop.orders().await, status);
    }
}

#[tokio::test]
async fn a_row_is_left_alone_where_no_value_says_otherwise() {
    let shop = Shop::bare("alone").await;
    execute(&shop.dba, &mark("paid", "'shop.orders', 'id', 'status', 'paid', ''")).await;
    let intent = shop.order(1, 50_000).await;
    match_line(&shop.app, &credit("m1", &intent["total"])).await;
    let id = mutation_now(&shop.app, "m1").await["id"].to_owned();
    call(&shop.app, &format!("unmatch_mutation('{id}', 'a mistake')")).await;
    assert_eq!(shop.orders().await, "1 paid");
}

#[tokio::test]
async fn intents_of_the_named_ledger_only() {
    let shop = Shop::bare("ledger").await;
    for sql in [
        "create_ledger('other')",
        "create_account('shop', 'liability', ledger => 'other')",
        "register_bank_account('banks:bca:9', 'moota', 'bca-9', '9', 'BCA', 0, ledger => 'other')",
    ] {
        call(&shop.app, sql).await;
    }
    execute(&shop.dba, &mark("paid", &format!("{ORDERS}, 'main'"))).await;
    execute(&shop.dba, "INSERT INTO shop.orders VALUES (1, 1)").await;
    for (ledger, bank, account, status) in
        [("other", "bca-9", "banks:bca:9", "1 unpaid"), ("main", "bca-1", BCA, "1 paid")]
    {
        let sql = format!("create_intent('order', 'shop', 50000, '{account}', '1', ledger => '{ledger}')");
        let intent = call(&shop.app, &sql).await;
        let line = bank::with(&credit("m", &intent["total"]), json!({ "bank_id": bank }));
        let matching = format!("match_mutation({}, ledger => '{ledger}')", bank::quoted(&line.to_string()));
        let outcome = call(&shop.app, &matching).await;
        assert_eq!((&outcome["outcome"], shop.orders().await.as_str()), ("matched", status), "{ledger}");
    }
}

/// Tables of orders as people have them: how the table is made, its name, the arguments behind it, a row's
/// values, and the reference of its intent. The status becomes `paid`, `true` or `2`.
#[rustfmt::skip]
const TABLES: &[(&str, &str, &str, &str, &str)] = &[
    ("id uuid PRIMARY KEY, status text", "shop.t", "'id', 'status', 'paid'",
     "'018f0000-0000-7000-8000-00000000000a', 'x'", "018F0000-0000-7000-8000-00000000000A"),
    ("id text PRIMARY KEY, status varchar(4)", "shop.t", "'id', 'status', 'paid'", "'INV/7 é''\"', 'x'", "INV/7 é''\""),
    ("id varchar(20) UNIQUE, status char(6)", "shop.t", "'id', 'status', 'paid'", "'INV-7', 'x'", "INV-7"),
    ("id char(8) PRIMARY KEY, paid boolean", "shop.t", "'id', 'paid', 'true'", "'A1', false", "A1"),
    ("id int PRIMARY KEY, state smallint", "shop.t", "'id', 'state', '2'", "42, 1", "42"),
    ("id smallint PRIMARY KEY, status shop.state", "shop.t", "'id', 'status', 'paid'", "42, 'new'", "42"),
    ("id numeric(10, 2) PRIMARY KEY, status shop.state_of_order", "shop.t", "'id', 'status', 'paid'", "42, 'new'", "42.00"),
    ("id shop.number PRIMARY KEY, status text COLLATE \"C\"", "shop.t", "'id', 'status', 'it''s \\ paid'", "42, 'x'", "42"),
    ("\"Order \"\"No\"\"\" bigint PRIMARY KEY, \"Is Paid\" text", "shop.\"My.Orders\"", "'Order \"No\"', 'Is Paid', 'paid'", "42, 'x'", "42"),
];

#[tokio::test]
async fn keys_and_columns_of_every_kind() {
    for (columns, table, arguments, values, reference) in TABLES {
        for form in ["REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT", "FOR EACH ROW"] {
            let shop = Shop::bare("kinds").await;
            execute(
                &shop.dba,
                &format!(
                    "CREATE TYPE shop.state AS ENUM ('new', 'paid'); CREATE DOMAIN shop.state_of_order AS shop.state;
                     CREATE DOMAIN shop.number AS bigint CHECK (VALUE > 0);
                     SET ROLE \"{}\"; CREATE TABLE {table} ({columns}); INSERT INTO {table} VALUES ({values}); RESET ROLE;
                     CREATE TRIGGER marked AFTER UPDATE ON wallet_data.intents {form}
                         EXECUTE FUNCTION wallet_ledger.update_on_intent('{table}', {arguments})",
                    shop.owner
                ),
            )
            .await;
            execute(&shop.dba, &format!("GRANT USAGE ON SCHEMA shop TO \"{}\"", shop.owner)).await;
            let found = findings(&shop.dba, "wallet_data.intents").await;
            assert!(found.iter().all(|line| line.starts_with("note marked it fires per row")), "{found:?}");
            let intent = shop.intent("order", 50_000, &format!("'{reference}'")).await;
            match_line(&shop.app, &credit("m", &intent["total"])).await;
            let marked = shop
                .value(&format!(
                    "SELECT (jsonb_agg(to_jsonb(t) - 'id' - 'Order \"No\"') -> 0)::text FROM {table} t"
                ))
                .await;
            let expected = ["\"paid\"", "\"paid  \"", ": true", ": 2", "\"it's \\\\ paid\""];
            assert!(expected.iter().any(|value| marked.contains(value)), "{columns}: {marked}");
        }
    }
}

#[tokio::test]
async fn a_partitioned_table_of_orders() {
    let shop = Shop::bare("parts").await;
    execute(
        &shop.dba,
        &format!(
            "SET ROLE \"{}\"; CREATE TABLE shop.parts (id bigint, city text, status text DEFAULT 'x', PRIMARY KEY (id, city))
                 PARTITION BY LIST (city);
             CREATE TABLE shop.jkt PARTITION OF shop.parts FOR VALUES IN ('jkt');
             CREATE TABLE shop.sby PARTITION OF shop.parts FOR VALUES IN ('sby');
             INSERT INTO shop.parts VALUES (1, 'jkt'), (2, 'sby'), (3, 'sby'); RESET ROLE; {}",
            shop.owner,
            mark("paid", "'shop.parts', 'id', 'status', 'paid'")
        ),
    )
    .await;
    assert_eq!(findings(&shop.dba, "wallet_data.intents").await, [""; 0]);
    let first = shop.intent("order", 50_000, "'1'").await;
    let second = shop.intent("order", 50_000, "'2'").await;
    let body = json!([credit("a", &first["total"]), credit("b", &second["total"])]).to_string();
    call(&shop.app, &webhook_call(&body)).await;
    let orders = "SELECT string_agg(id || ' ' || status, ', ' ORDER BY id) FROM shop.parts";
    assert_eq!(shop.value(orders).await, "1 paid, 2 paid, 3 x");
}

#[tokio::test]
async fn several_tables_have_a_trigger_each() {
    let shop = Shop::open("several").await;
    execute(
        &shop.dba,
        &format!(
            "CREATE TABLE shop.members (no text PRIMARY KEY, active boolean DEFAULT false); INSERT INTO shop.members VALUES ('1'), ('2');
             ALTER TABLE shop.members OWNER TO \"{}\"; {}",
            shop.owner,
            mark("members_active", "'shop.members', 'no', 'active', 'true', 'false', 'subscription'")
        ),
    )
    .await;
    let order = shop.order(1, 50_000).await;
    let member = shop.intent("subscription", 50_000, "'2'").await;
    execute(&shop.edge, &insert(&[row("a", &order["total"]), row("b", &member["total"])])).await;
    let members = "SELECT string_agg(no || ' ' || active, ', ' ORDER BY no) FROM shop.members";
    assert_eq!(
        (shop.orders().await.as_str(), shop.value(members).await.as_str()),
        ("1 paid", "1 false, 2 true")
    );
}

/// What is done to the shop, and what the payment then says: error, SQLSTATE, words of the message.
#[rustfmt::skip]
const FAILURES: &[(&str, &str, &str, &str)] = &[
    ("DROP TABLE shop.orders", "invalid_trigger", "PT422", "no table shop.orders"),
    ("ALTER TABLE shop.orders RENAME id TO number", "invalid_trigger", "PT422", "no column \"id\""),
    ("ALTER TABLE shop.orders RENAME status TO state", "invalid_trigger", "PT422", "no column \"status\""),
    ("ALTER TABLE shop.orders DROP id, ADD id date", "invalid_trigger", "PT422", "\"id\" is of type date"),
    ("ALTER TABLE shop.orders OWNER TO wallet_owner", "invalid_trigger", "PT422", "belongs to the ledger's own role"),
    ("ALTER TABLE shop.orders RENAME TO o; CREATE VIEW shop.orders AS SELECT * FROM shop.o", "invalid_trigger", "PT422", "is not a table"),
    ("ALTER TABLE shop.orders ALTER status DROP DEFAULT, ALTER status DROP NOT NULL, ALTER status TYPE date USING NULL", "invalid_trigger", "PT422", "invalid input syntax for type date"),
    ("ALTER TABLE shop.orders ADD CHECK (status <> 'paid')", "invalid_trigger", "PT422", "orders_status_check"),
    ("ALTER TABLE shop.orders ALTER status TYPE varchar(3) USING 'x'", "invalid_trigger", "PT422", "too long"),
    ("CREATE FUNCTION shop.late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON shop.orders DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION shop.late()", "invalid_trigger", "PT422", "deferred trigger"),
    // As Django makes all foreign keys.
    ("CREATE TABLE shop.history (id bigint REFERENCES shop.orders DEFERRABLE INITIALLY DEFERRED);
      GRANT INSERT ON shop.history TO PUBLIC;
      CREATE FUNCTION shop.f() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN INSERT INTO shop.history VALUES (NEW.id); RETURN NULL; END';
      CREATE TRIGGER f AFTER UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.f()", "invalid_trigger", "PT422", "deferred trigger"),
    ("CREATE UNIQUE INDEX ON shop.orders (status); INSERT INTO shop.orders VALUES (5, 1, 'paid')", "invalid_trigger", "PT422", "duplicate key"),
    ("CREATE FUNCTION shop.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM 1 FROM orders; RETURN NULL; END';
      CREATE TRIGGER f AFTER UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.f()", "invalid_trigger", "PT422", "\"orders\" does not exist"),
    ("CREATE FUNCTION shop.f() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN PERFORM wallet_ledger.post_transfer(''wallets:c'', ''shop'', 1); RETURN NULL; END';
      GRANT USAGE ON SCHEMA wallet_ledger TO PUBLIC; GRANT EXECUTE ON FUNCTION wallet_ledger.post_transfer TO PUBLIC;
      CREATE TRIGGER f AFTER UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.f()", "insufficient_funds", "PT402", "wallets:c"),
];

/// A foreign key that is checked at COMMIT is a deferred trigger to PostgreSQL: where it is checked at once, there is
/// nothing to refuse.
#[tokio::test]
async fn deferred_keys_are_no_obstacle_once_they_are_immediate() {
    let shop = Shop::open("deferred_keys").await;
    execute(
        &shop.dba,
        "CREATE TABLE shop.customers (id int PRIMARY KEY);
         INSERT INTO shop.customers VALUES (1);
         ALTER TABLE shop.orders ADD customer int DEFAULT 1 REFERENCES shop.customers DEFERRABLE INITIALLY DEFERRED;
         CREATE TABLE shop.history (id bigint REFERENCES shop.orders DEFERRABLE INITIALLY DEFERRED);
         GRANT INSERT ON shop.history TO PUBLIC;
         CREATE FUNCTION shop.f() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN SET CONSTRAINTS ALL IMMEDIATE; INSERT INTO shop.history VALUES (NEW.id); RETURN NULL; END';
         CREATE TRIGGER f AFTER UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.f()",
    )
    .await;
    let intent = shop.order(1, 50_000).await;
    execute(&shop.edge, &insert(&[row("m1", &intent["total"])])).await;
    assert_eq!(shop.orders().await, "1 paid");
    assert_eq!(shop.value("SELECT count(*) FROM shop.history").await, "1");
}

#[tokio::test]
async fn what_the_table_refuses_fails_the_payment() {
    for (change, token, sqlstate, words) in FAILURES {
        let shop = Shop::open("refuses").await;
        let intent = shop.order(1, 50_000).await;
        execute(&shop.dba, change).await;
        let before = contents(&shop.app).await;
        let line = credit("m1", &intent["total"]);
        let (webhook, one) = (webhook_call(&json!([line]).to_string()), match_call(&line));
        for sql in [format!("SELECT wallet_ledger.{webhook}"), format!("SELECT wallet_ledger.{one}")] {
            let error = assert_error(try_lines(&shop.app, &sql).await, token, sqlstate);
            assert!(error.message.contains(words), "{change}: {error:#?}");
        }
        let staged = shop.edge.batch_execute(&insert(&[row("m1", &intent["total"])])).await;
        let error = assert_error(staged, token, sqlstate);
        if *token == "invalid_trigger" {
            assert_eq!(error.detail["trigger"], "orders_paid", "{error:#?}");
            assert!(error.detail["explanation"].is_string(), "{error:#?}");
        }
        assert_eq!(contents(&shop.app).await, before, "{change}");
        // What pays nothing is not touched by it.
        call(&shop.app, &format!("cancel_intent('{}')", &intent["id"])).await;
    }
}

#[tokio::test]
async fn what_the_application_raises_comes_through() {
    let shop = Shop::open("raises").await;
    execute(
        &shop.dba,
        "CREATE FUNCTION shop.f() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE 'order % is closed', new.id USING DETAIL = 'of the shop'; END $$;
         CREATE TRIGGER f BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.f()",
    )
    .await;
    let intent = shop.order(1, 50_000).await;
    let refused =
        sql_error(&shop.edge.batch_execute(&insert(&[row("m", &intent["total"])])).await.unwrap_err());
    assert_eq!((refused.sqlstate.as_str(), refused.message.as_str()), ("P0001", "order 1 is closed"));
    assert_eq!(refused.detail, "of the shop");
    execute(&shop.dba, "DROP TRIGGER f ON shop.orders").await;
    // A row that somebody else holds is worth another try.
    execute(&shop.dba, "BEGIN; SELECT FROM shop.orders FOR UPDATE").await;
    let pay = insert(&[row("m", &intent["total"])]);
    let refused = shop.edge.batch_execute(&format!("SET lock_timeout = '100ms'; {pay}")).await;
    let error = assert_error(refused, "try_again", "PT503");
    assert_eq!(error.detail["cause"], "lock_timeout", "{error:#?}");
    execute(&shop.dba, "COMMIT").await;
    execute(&shop.edge, &pay).await;
    assert_eq!(shop.orders().await, "1 paid");
}
