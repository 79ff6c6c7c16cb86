//! Rows of staging tables: as people have them, and as they should not be. What is refused leaves neither
//! a row nor a trace in the books, and the error names the row.

use super::counter::{FIELDS, Shop, findings, insert, row, stage};
use wallet_ledger_tests::bank::{
    BCA_NUMBER, assert_bank_sound, credit, debit, mutation_now, quoted, wib, with,
};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

#[tokio::test]
async fn what_nobody_waits_for_lets_the_insert_pass() {
    let shop = Shop::open("pass").await;
    let unexpected = row("m1", "5000");
    let debit = row("m2", "7000").replace("'CR'", "'DB'");
    let resembling = row("m3", "5000").replace("TRSF m3", "TRSF m1");
    execute(&shop.edge, &insert(&[unexpected.clone(), debit, unexpected, resembling])).await;
    assert_eq!(shop.taken().await, "m1 suspense, m2 ignored, m3 review");
    // Older than the opening balance, which contains it.
    call(
        &shop.app,
        "register_bank_account('banks:bni:3', 'moota', 'bni-3', '3000000003', 'BNI', 0, '2026-06-01')",
    )
    .await;
    let old = row("m4", "9000").replace("bca-1", "bni-3").replace(BCA_NUMBER, "3000000003");
    let old = old.replacen(&wib(0)[..10], "2026-05-31", 1);
    execute(&shop.edge, &insert(&[old])).await;
    assert_eq!(shop.taken().await, "m1 suspense, m2 ignored, m3 review");
    assert_eq!(shop.value("SELECT count(*) FROM shop.mutations").await, "5");
    assert_bank_sound(&shop.app).await;
}

#[tokio::test]
async fn bodies_as_providers_send_them() {
    let shop = Shop::open("bodies").await;
    let first = shop.order(1, 100_000).await;
    let second = shop.order(2, 100_000).await;
    let insert =
        |payload: &Value| format!("INSERT INTO shop.bodies VALUES ({})", quoted(&payload.to_string()));
    // One mutation, a list of them, the list in an object, none at all.
    execute(&shop.edge, &insert(&credit("a", &first["total"]))).await;
    let rest = vec![credit("b", &second["total"]), debit("c", "1000")];
    execute(&shop.edge, &insert(&Value::from(rest))).await;
    execute(&shop.edge, &insert(&json!({ "mutations": [credit("d", "12111.00")] }))).await;
    execute(&shop.edge, &insert(&json!([]))).await;
    assert_eq!(shop.orders().await, "1 paid, 2 paid");
    assert_eq!(shop.taken().await, "a matched, b matched, c ignored, d suspense");
    // A table of another make: json and text, quoted names, a domain.
    execute(
        &shop.dba,
        &format!(
            "CREATE DOMAIN shop.body AS text; CREATE TABLE shop.\"My Lines\" (\"Raw Body\" shop.body, other json);
             {} {}",
            stage("shop.\"My Lines\"", "'moota', 'Raw Body'"),
            stage("shop.\"My Lines\"", "'moota', 'other'").replace("taken_in", "also").replace(
                "FOR EACH STATEMENT",
                "FOR EACH ROW WHEN (new.other IS NOT NULL)"
            ).replace("REFERENCING NEW TABLE AS n", ""),
        ),
    )
    .await;
    assert!(findings(&shop.dba, "shop.\"My Lines\"").await[0].starts_with("note also it has a WHEN"));
    let (one, other) = (quoted(&credit("e", "777").to_string()), quoted(&credit("f", "888").to_string()));
    execute(&shop.dba, &format!("INSERT INTO shop.\"My Lines\" VALUES ({one}, {other}), ({one}, NULL)"))
        .await;
    assert_eq!(shop.taken().await, "a matched, b matched, c ignored, d suspense, e suspense, f suspense");
    assert_bank_sound(&shop.app).await;
}

/// Columns in other types than those of [`Shop`]: how the table is made, the values of a row for id, date and
/// amount, and the moment that must be stored.
#[rustfmt::skip]
const TYPES: &[(&str, &str, &str)] = &[
    ("id int, date timestamptz, amount bigint, type char(6)", "(7, '2026-11-20 17:30:00+00', 5000, 'CR')", "7 2026-11-20 17:30:00.000 5000.00"),
    ("id uuid, date date, amount int, type varchar(2)", "('018f0000-0000-7000-8000-00000000000a', '2026-11-21', 5000, 'cr')",
     "018f0000-0000-7000-8000-00000000000a 2026-11-20 17:00:00.000 5000.00"),
    ("id char(12), date text, amount text, type text", "('x-1', '2026-11-21T00:30:00+07:00', '5000.00', 'credit')", "x-1 2026-11-20 17:30:00.000 5000.00"),
    ("id text, date timestamp(0), amount float8, type text", "('x', '2026-11-21 00:30:00', 5000.25, 'CR')", "x 2026-11-20 17:30:00.000 5000.25"),
    // A column of numbers has no separators of thousands; as text this would be refused.
    ("id text, date timestamp, amount numeric(18, 3), type text", "('x', '2026-11-21 00:30:00', 150.5, 'CR')", "x 2026-11-20 17:30:00.000 150.50"),
    ("id text, date timestamp, amount shop.rupiah, type shop.direction", "('💸 ''\\\"', '2026-11-21 00:30:00.5', 5000, 'CR')",
     "💸 '\\\" 2026-11-20 17:30:00.500 5000.00"),
];

#[tokio::test]
async fn columns_of_every_kind() {
    for (columns, values, expected) in TYPES {
        let shop = Shop::bare("types").await;
        execute(
            &shop.dba,
            &format!(
                "CREATE DOMAIN shop.rupiah AS numeric(18, 2); CREATE TYPE shop.direction AS ENUM ('CR', 'DB');
                 CREATE TABLE shop.staged ({columns}, number bigint DEFAULT {BCA_NUMBER}); {}",
                stage("shop.staged", "'moota', 'id=id', 'account_number=number', 'date=date', 'amount=amount', 'type=type'")
            ),
        )
        .await;
        let found = findings(&shop.dba, "shop.staged").await;
        assert!(found.iter().all(|line| line.starts_with("warning") && line.contains("double")), "{found:?}");
        // Nothing of the session has a say in what is read.
        execute(
            &shop.dba,
            &format!(
                "SET timezone = 'America/New_York'; SET datestyle = 'SQL, DMY'; SET extra_float_digits = -10;
                 INSERT INTO shop.staged VALUES {values}"
            ),
        )
        .await;
        let sql = "SELECT concat_ws(' ', provider_mutation_id,
                       to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS'), amount)
                   FROM wallet_ledger.mutations";
        assert_eq!(&value(&shop.dba, sql).await, expected, "{columns}");
        assert_eq!(value(&shop.dba, "SHOW timezone").await, "America/New_York");
    }
}

#[tokio::test]
async fn a_row_names_its_ledger() {
    let shop = Shop::bare("ledgers").await;
    for sql in [
        "create_ledger('school-2')",
        "create_account('shop', 'liability', ledger => 'school-2')",
        "register_bank_account('banks:bca:9', 'moota', 'bca-9', '9', 'BCA', 0, ledger => 'school-2')",
    ] {
        call(&shop.app, sql).await;
    }
    execute(
        &shop.dba,
        &format!(
            "CREATE TABLE shop.staged (id int PRIMARY KEY, school int, payload text); {}",
            stage("shop.staged", "'moota', 'payload', 'ledger=school-{school}'")
        ),
    )
    .await;
    let line =
        |id: &str, bank: &str| with(&credit(id, "5000"), json!({ "bank_id": bank, "account_number": null }));
    let insert = |id: i32, school: &str, line: &Value| {
        format!("INSERT INTO shop.staged VALUES ({id}, {school}, {})", quoted(&line.to_string()))
    };
    execute(&shop.dba, &insert(1, "2", &line("a", "bca-9"))).await;
    let stored = "SELECT string_agg(ledger || ' ' || bank_account, ' ') FROM wallet_ledger.mutations";
    assert_eq!(shop.value(stored).await, "school-2 banks:bca:9");
    for (sql, token, sqlstate) in [
        (insert(2, "3", &line("b", "bca-9")), "ledger_not_found", "PT404"),
        (insert(2, "NULL", &line("b", "bca-9")), "missing_argument", "PT400"),
        (insert(2, "2", &line("b", "bca-1")), "bank_account_not_found", "PT404"),
    ] {
        let error = assert_error(shop.dba.batch_execute(&sql).await, token, sqlstate);
        assert_eq!(error.detail["row"], "2", "{error:#?}");
    }
    // Without a name it is the session's.
    execute(
        &shop.dba,
        &format!("DROP TRIGGER taken_in ON shop.staged; {}", stage("shop.staged", "'moota', 'payload'")),
    )
    .await;
    assert!(findings(&shop.dba, "shop.staged").await[0].starts_with("warning taken_in there are 2 ledgers"));
    let sql = insert(3, "2", &line("c", "bca-9"));
    assert_error(shop.dba.batch_execute(&sql).await, "ledger_required", "PT400");
    execute(&shop.dba, &format!("SET wallet_ledger.ledger = 'school-2'; {sql}")).await;
    assert_eq!(shop.value("SELECT count(*) FROM wallet_ledger.mutations").await, "2");
}

/// What is done to a good row, the error, and a fact of its detail.
#[rustfmt::skip]
const BAD_ROWS: &[(&str, &str, &str, &str, &str, &str)] = &[
    ("5000", "0", "invalid_amount", "PT400", "reason", "invalid_amount"),
    ("5000", "-5", "invalid_amount", "PT400", "row", "9"),
    ("5000", "'NaN'", "invalid_amount", "PT400", "row", "9"),
    ("5000", "NULL", "invalid_argument", "PT400", "reason", "missing_field"),
    ("'CR'", "'XX'", "invalid_argument", "PT400", "reason", "invalid_direction"),
    ("'CR'", "NULL", "invalid_argument", "PT400", "reason", "missing_field"),
    ("'bad'", "''", "invalid_argument", "PT400", "reason", "missing_field"),
    ("'bad'", "NULL", "invalid_argument", "PT400", "reason", "missing_field"),
    ("'bad'", "repeat('x', 129)", "invalid_argument", "PT400", "reason", "too_long"),
    ("date", "'infinity'", "invalid_argument", "PT400", "reason", "invalid_date"),
    ("'bca-1', '1000000001'", "'other', '77'", "bank_account_not_found", "PT404", "provider_mutation_id", "bad"),
    ("'bca-1', '1000000001'", "NULL, NULL", "bank_account_not_found", "PT404", "row", "9"),
    ("'bad'", "'known'", "idempotency_conflict", "PT409", "provider_mutation_id", "known"),
];

#[tokio::test]
async fn a_row_that_cannot_be_taken_in_is_named_and_refused() {
    let shop = Shop::open("bad").await;
    let intent = shop.order(1, 100_000).await;
    execute(&shop.edge, &insert(&[row("known", "1234")])).await;
    let before = contents(&shop.app).await;
    // Rows are named by their key: the identity goes on from where the refused ones left it.
    for (from, to, token, sqlstate, fact, expected) in BAD_ROWS {
        execute(&shop.dba, "ALTER TABLE shop.mutations ALTER number RESTART WITH 8").await;
        let good = row("good", &intent["total"]);
        let bad = row("bad", "5000");
        let date = bad.split(", ").nth(4).expect("a date").to_owned();
        let from = if *from == "date" { date.as_str() } else { from };
        assert!(bad.contains(from), "{from}: {bad}");
        let bad = bad.replacen(from, to, 1);
        let refused = shop.edge.batch_execute(&insert(&[good, bad])).await;
        let error = assert_error(refused, token, sqlstate);
        assert_eq!(error.detail[*fact], *expected, "{to}: {error:#?}");
        assert_eq!((&error.detail["table"], &error.detail["row"]), (&json!("shop.mutations"), &json!("9")));
        assert!(error.message.starts_with("row 9 of shop.mutations: "), "{error:#?}");
        assert_eq!(contents(&shop.app).await, before, "{to}");
    }
    assert_eq!(shop.value("SELECT count(*) FROM shop.mutations").await, "1");
    assert_eq!(shop.orders().await, "1 unpaid");
}

#[tokio::test]
async fn a_body_that_cannot_be_taken_in_is_refused() {
    let shop = Shop::open("bad_bodies").await;
    execute(
        &shop.dba,
        &format!("CREATE TABLE shop.texts (body text); {}", stage("shop.texts", "'moota', 'body'")),
    )
    .await;
    let before = contents(&shop.app).await;
    let one_bad = Value::from(vec![credit("a", "5000"), with(&credit("b", "1"), json!({ "amount": "1,5" }))]);
    let large = format!("[{}]", " ".repeat(5_000_000));
    for (body, token, reason) in [
        ("", "invalid_json", "empty_body"),
        ("{", "invalid_json", "not_json"),
        ("1", "invalid_json", "unexpected_shape"),
        ("{\"hello\": 1}", "invalid_json", "unexpected_shape"),
        ("[1]", "invalid_json", "not_an_object"),
        (&"[".repeat(100_000), "invalid_json", "not_json"),
        (&large, "invalid_argument", "body_too_large"),
        (&one_bad.to_string(), "invalid_amount", "invalid_amount"),
        (&credit("a", "1e400").to_string(), "invalid_amount", "invalid_amount"),
        (&credit("a", "0.001").to_string(), "invalid_amount", ""),
    ] {
        // Without a primary key a row is named by its place.
        let sql = format!("INSERT INTO shop.texts VALUES ('[]'), ({})", quoted(body));
        let error = assert_error(shop.dba.batch_execute(&sql).await, token, "PT400");
        assert_eq!(error.detail["row"], "2", "{error:#?}");
        assert!(reason.is_empty() || error.detail["reason"] == reason, "{error:#?}");
    }
    let null = shop.dba.batch_execute("INSERT INTO shop.texts VALUES (NULL)").await;
    let error = assert_error(null, "missing_argument", "PT400");
    assert_eq!((&error.detail["column"], &error.detail["row"]), (&json!("body"), &json!("1")));
    assert_eq!(contents(&shop.app).await, before);
    assert_eq!(shop.value("SELECT count(*) FROM shop.texts").await, "0");
    // An emoji is none of these.
    let emoji = with(&credit("💸", "5000"), json!({ "description": "💸\n\u{1}é" }));
    execute(&shop.dba, &format!("INSERT INTO shop.texts VALUES ({})", quoted(&emoji.to_string()))).await;
    assert_eq!(&mutation_now(&shop.app, "💸").await["description"], "💸  é");
}

#[tokio::test]
async fn a_staging_table_may_be_partitioned_and_its_trigger_per_row() {
    let shop = Shop::bare("partitions").await;
    execute(
        &shop.dba,
        &format!(
            "CREATE TABLE shop.parts (id text, city text, account_number text, date timestamp, amount int, type text,
                                      PRIMARY KEY (id, city)) PARTITION BY LIST (city);
             CREATE TABLE shop.parts_jkt PARTITION OF shop.parts FOR VALUES IN ('jkt');
             CREATE TABLE shop.parts_sby (type text, amount int, date timestamp, account_number text,
                                          city text NOT NULL, id text NOT NULL);
             ALTER TABLE shop.parts ATTACH PARTITION shop.parts_sby FOR VALUES IN ('sby'); {}",
            stage("shop.parts", &FIELDS.replace("'bank_id=bank_id', ", "").replace("'bank_type=bank_type', ", "")
                .replace(", 'description=description', 'balance=balance'", ""))
        ),
    )
    .await;
    let values = |city: &str, id: &str, amount: &str| {
        format!("('{id}', '{city}', '{BCA_NUMBER}', '{}', {amount}, 'CR')", wib(0))
    };
    let into = |table: &str, rows: &[String]| {
        format!(
            "INSERT INTO shop.{table} (id, city, account_number, date, amount, type) VALUES {}",
            rows.join(", ")
        )
    };
    execute(&shop.dba, &into("parts", &[values("jkt", "a", "5001"), values("sby", "b", "5002")])).await;
    let refused = shop.dba.batch_execute(&into("parts", &[values("sby", "c", "0")])).await;
    let error = assert_error(refused, "invalid_amount", "PT400");
    assert_eq!(
        (&error.detail["table"], &error.detail["row"]),
        (&json!("shop.parts"), &json!("[\"c\",\"sby\"]"))
    );
    execute(
        &shop.dba,
        "DROP TRIGGER taken_in ON shop.parts;
         CREATE TRIGGER taken_in AFTER INSERT ON shop.parts FOR EACH ROW EXECUTE FUNCTION wallet_ledger.match_on_insert(
             'moota', 'id=id', 'account_number=account_number', 'date=date', 'amount=amount', 'type=type')",
    )
    .await;
    assert_eq!(findings(&shop.dba, "shop.parts").await, [""; 0]);
    execute(&shop.dba, &into("parts_sby", &[values("sby", "d", "5003"), values("sby", "e", "5004")])).await;
    // The trigger per row has the partition's order of columns.
    assert_eq!(shop.taken().await, "a suspense, b suspense, d suspense, e suspense");
    let refused = shop.dba.batch_execute(&into("parts", &[values("sby", "f", "-1")])).await;
    assert_eq!(assert_error(refused, "invalid_amount", "PT400").detail["table"], "shop.parts");
    assert_bank_sound(&shop.app).await;
}

#[tokio::test]
async fn a_gateways_notification_in_a_staging_table() {
    let shop = Shop::open("gateway").await;
    call(&shop.app, "register_bank_account('banks:midtrans', 'midtrans', opening_balance => 0)").await;
    execute(
        &shop.dba,
        &format!(
            "INSERT INTO shop.orders VALUES (7, 50000);
             CREATE TABLE shop.notices (id int PRIMARY KEY, body json); {}",
            stage("shop.notices", "'midtrans', 'body'")
        ),
    )
    .await;
    assert_eq!(findings(&shop.dba, "shop.notices").await, [""; 0]);
    let intent =
        "create_intent('order', 'shop', 50000, 'banks:midtrans', '7', method => 'gateway', number => 'no-7')";
    call(&shop.app, intent).await;
    let notice = |id: i32, status: &str, amount: &str| {
        let body = json!({
            "transaction_id": "t-7", "order_id": "no-7", "transaction_status": status, "gross_amount": amount,
            "status_code": "200", "transaction_time": wib(0), "currency": "IDR", "payment_type": "qris",
        });
        format!("INSERT INTO shop.notices VALUES ({id}, {})", quoted(&body.to_string()))
    };
    for (id, status) in [(1, "pending"), (2, "settlement"), (3, "settlement"), (4, "pending")] {
        execute(&shop.dba, &notice(id, status, "50000.00")).await;
        assert_eq!(shop.orders().await, if id == 1 { "7 unpaid" } else { "7 paid" }, "{id} {status}");
    }
    // Another amount for the same payment is not taken in, so the row is not either.
    let other = shop.dba.batch_execute(&notice(5, "settlement", "60000.00")).await;
    let error = sql_error(&other.unwrap_err());
    assert!(error.sqlstate.starts_with("PT4") && error.detail["row"] == "5", "{error:#?}");
    assert_bank_sound(&shop.app).await;
}
