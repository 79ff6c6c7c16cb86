//! Proves that `limit_on_insert` asks the limits of the account that a row names, under the account's own lock and
//! before the row is written; and that what does not fit is refused when it fires and found before by
//! `check_trigger`.

#[path = "triggers_limit/refusals.rs"]
mod refusals;

use wallet_ledger_tests::books::{backend, books, until_blocked};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

const ARGUMENTS: &str =
    "'account=wallets:{member}', 'amount=total', 'merchant=shops:{shop}', 'category=kind', 'at=made_at'";

/// An application's orders: the table, and a client that may insert and has no right on the ledger.
async fn orders(test: &str) -> (TestDb, Client, Client) {
    let (db, client) = books(test).await;
    let (dba, buyer) = (db.connect().await, db.role("buyer", "").await);
    let sql = format!(
        "CREATE TYPE public.kind AS ENUM ('food', 'drinks');
         CREATE TABLE public.orders (
             id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, member text, total numeric(18, 2), shop text,
             kind public.kind, made_at timestamptz, note text, made_on date);
         GRANT INSERT, SELECT ON public.orders TO \"{buyer}\""
    );
    execute(&dba, &sql).await;
    (db, dba, client)
}

async fn attach(dba: &Client, form: &str, arguments: &str) {
    let sql = format!(
        "DROP TRIGGER IF EXISTS limited ON public.orders;
         CREATE TRIGGER limited {form} EXECUTE FUNCTION wallet_ledger.limit_on_insert({arguments})"
    );
    execute(dba, &sql).await;
}

const FORM: &str = "BEFORE INSERT ON public.orders FOR EACH ROW";
const ROW: &str =
    "INSERT INTO public.orders (member, total, shop, kind) VALUES ('a', 100, 'canteen', 'food')";

async fn findings(dba: &Client) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', severity, trigger_name, problem) AS line, hint
               FROM wallet_ledger.check_trigger('public.orders')";
    let found = lines(dba, sql).await;
    assert!(found.iter().all(|line| !line["hint"].is_empty()), "{found:?}");
    found.iter().map(|line| line["line"].to_owned()).collect()
}

async fn count(dba: &Client) -> String {
    value(dba, "SELECT count(*) FROM public.orders").await
}

#[tokio::test]
async fn a_row_that_may_be_spent_is_inserted_as_it_is() {
    let (db, dba, _) = orders("inserted").await;
    attach(&dba, FORM, ARGUMENTS).await;
    assert_eq!(findings(&dba).await, [""; 0]);
    let before = contents(&dba).await;
    let buyer = db.connect_as(&format!("{}_buyer", db.name)).await;
    execute(&buyer, ROW).await;
    execute(
        &buyer,
        "INSERT INTO public.orders (member, total, shop, kind, made_at, note)
         SELECT CASE g % 2 WHEN 0 THEN 'a' ELSE 'b' END, g, NULL, NULL, now(), repeat('n', 3000)
         FROM generate_series(1, 500) g",
    )
    .await;
    let seen = "SELECT count(*), sum(total), sum(length(note)) AS notes, min(id) AS first, max(id) AS last,
                       count(shop) AS shops FROM public.orders";
    let row = lines(&buyer, seen).await.remove(0);
    assert_eq!(
        row.pick(["count", "sum", "notes", "first", "last", "shops"]),
        ["501", "125350.00", "1500000", "1", "501", "1"]
    );
    // It checks and does not count: nothing is written to the books.
    assert_eq!(contents(&dba).await, before);
}

/// Arguments that do not fit, and what the error and the finding say.
#[rustfmt::skip]
const MISFITS: &[(&str, &str)] = &[
    ("", "the argument 'account' is missing"),
    ("'account=wallets:{member}'", "the argument 'amount' is missing"),
    ("'wallets:{member}', 'total'", "not of the form name=value"),
    ("'account=wallets:{member}', 'amount=total', 'member=a'", "there is no argument 'member'"),
    ("'account=wallets:{member}', 'amount=total', 'at='", "the argument 'at' is empty"),
    ("'account=wallets:{member}', 'amount=total', 'amount=id'", "'amount' is named twice"),
    ("'account=wallets:{membr}', 'amount=total'", "no column \"membr\" (placeholder)"),
    ("'account=wallets:{member', 'amount=total'", "malformed"),
    ("'account=wallets:{member}', 'amount=Total'", "no column \"Total\" (amount column)"),
    ("'account=wallets:{member}', 'amount=kind'", "\"kind\" is of type public.kind, which is no number"),
    ("'account=wallets:{member}', 'amount=total', 'merchant=merchant'", "no column \"merchant\" (placeholder)"),
    ("'account=wallets:{member}', 'amount=total', 'merchant=shops::{shop}'", "malformed"),
    ("'account=wallets:{member}', 'amount=total', 'category=id'", "\"id\" is of type bigint, which is no word"),
    ("'account=wallets:{member}', 'amount=total', 'method=total'", "which is no word"),
    ("'account=wallets:{member}', 'amount=total', 'at=made_on'", "\"made_on\" is of type date, which is no timestamp with time zone"),
    ("'account=wallets:{member}', 'amount=total', 'ledger={school}'", "no column \"school\" (placeholder)"),
    ("'account=wallets:{member}', 'amount=total', 'ledger=a:b'", "it is no ledger's name"),
];

#[tokio::test]
async fn arguments_that_do_not_fit() {
    let (_db, dba, _) = orders("misfits").await;
    for (arguments, words) in MISFITS {
        attach(&dba, FORM, arguments).await;
        let found = findings(&dba).await;
        assert!(
            found.iter().any(|line| line.starts_with("error limited") && line.contains(words)),
            "{arguments}: {found:?}"
        );
        let error = assert_error(dba.batch_execute(ROW).await, "invalid_trigger", "PT422");
        assert!(error.message.starts_with("trigger limited on public.orders: "), "{error:#?}");
        assert!(error.message.contains(words), "{error:#?}");
    }
    attach(&dba, FORM, "'account=wallets:{member}', 'amount=total', 'ledger=second'").await;
    assert!(findings(&dba).await[0].contains("there is no ledger second"));
    assert_error(dba.batch_execute(ROW).await, "ledger_not_found", "PT404");
    assert_eq!(count(&dba).await, "0");
}

#[tokio::test]
async fn forms_that_do_not_work() {
    let (_db, dba, _) = orders("forms").await;
    execute(&dba, ROW).await;
    for (form, fire, words, finding) in [
        ("AFTER INSERT ON public.orders FOR EACH ROW", ROW, "BEFORE trigger FOR EACH ROW", "BEFORE each row"),
        ("BEFORE INSERT ON public.orders FOR EACH STATEMENT", ROW, "FOR EACH ROW", "BEFORE each row"),
        (
            "BEFORE INSERT OR UPDATE ON public.orders FOR EACH ROW",
            "UPDATE public.orders SET total = 1",
            "only on INSERT",
            "on nothing else",
        ),
        (
            "BEFORE DELETE ON public.orders FOR EACH ROW",
            "DELETE FROM public.orders",
            "only on INSERT",
            "on nothing else",
        ),
    ] {
        attach(&dba, form, ARGUMENTS).await;
        let found = findings(&dba).await;
        assert!(found.iter().any(|line| line.starts_with("error") && line.contains(finding)), "{found:?}");
        let error = assert_error(dba.batch_execute(fire).await, "invalid_trigger", "PT422");
        assert!(error.message.contains(words), "{form}: {error:#?}");
    }
    assert!(dba.batch_execute("SELECT wallet_ledger.limit_on_insert()").await.is_err());
    assert_eq!(value(&dba, "SELECT sum(total) FROM public.orders").await, "100.00");
}

#[tokio::test]
async fn rows_that_say_nothing_that_can_be_judged() {
    let (_db, dba, client) = orders("rows").await;
    execute(&dba, "ALTER TABLE public.orders ALTER kind TYPE text, ALTER total TYPE numeric").await;
    attach(&dba, FORM, ARGUMENTS).await;
    for (number, (values, token, sqlstate)) in [
        ("NULL, 100, 'canteen', 'food', NULL", "missing_argument", "PT400"),
        ("'a', NULL, 'canteen', 'food', NULL", "missing_argument", "PT400"),
        ("'a:b', 100, 'canteen', 'food', NULL", "invalid_address", "PT400"),
        ("'a b', 100, 'canteen', 'food', NULL", "invalid_address", "PT400"),
        ("'', 100, 'canteen', 'food', NULL", "invalid_address", "PT400"),
        ("'a', 100, 'canteen:till', 'food', NULL", "invalid_address", "PT400"),
        ("'a', 100, '💸', 'food', NULL", "invalid_address", "PT400"),
        ("'nobody', 100, 'canteen', 'food', NULL", "account_not_found", "PT404"),
        ("'a', 0, 'canteen', 'food', NULL", "invalid_amount", "PT400"),
        ("'a', -1, 'canteen', 'food', NULL", "invalid_amount", "PT400"),
        ("'a', 'NaN', 'canteen', 'food', NULL", "invalid_amount", "PT400"),
        ("'a', 0.001, 'canteen', 'food', NULL", "invalid_amount", "PT400"),
        ("'a', 1e40, 'canteen', 'food', NULL", "amount_out_of_range", "PT400"),
        ("'a', 100, 'canteen', 'Food', NULL", "invalid_argument", "PT400"),
        ("'a', 100, 'canteen', '', NULL", "invalid_argument", "PT400"),
        ("'a', 100, 'canteen', 'food', 'infinity'", "invalid_argument", "PT400"),
    ]
    .into_iter()
    .enumerate()
    {
        let sql = format!("INSERT INTO public.orders (member, total, shop, kind, made_at) VALUES ({values})");
        let error = assert_error(dba.batch_execute(&sql).await, token, sqlstate);
        let row = (number + 1).to_string();
        assert_eq!(error.detail["row"], json!(row), "{values}: {error:#?}");
        assert!(error.message.starts_with(&format!("row {row} of public.orders: ")), "{error:#?}");
    }
    assert_eq!(count(&dba).await, "0");
    // Nothing was left locked, and the books know of nothing.
    call(&client, "post_transfer('wallets:a', 'shop', 1)").await;
    // A row without a primary key has no name yet.
    execute(&dba, "ALTER TABLE public.orders DROP CONSTRAINT orders_pkey").await;
    let refused = dba.batch_execute("INSERT INTO public.orders (member) VALUES ('a')").await;
    assert!(assert_error(refused, "missing_argument", "PT400").message.starts_with("row (new) of"));
}

/// A merchant is a column that holds an address or a name, or a template; NULL names nobody.
#[tokio::test]
async fn merchants_are_columns_or_templates() {
    let (_db, dba, _) = orders("merchants").await;
    for (merchant, shop, refused) in [
        ("shop", "'shops:canteen'", false),
        ("shop", "'canteen'", false),
        ("shop", "'shops::canteen'", true),
        ("shop", "''", true),
        ("shop", "NULL", false),
        ("shops:{shop}", "NULL", false),
        ("shops:{shop}", "'shops:canteen'", true),
        ("shops:1", "'anything at all'", false),
    ] {
        let arguments = format!("'account=wallets:{{member}}', 'amount=total', 'merchant={merchant}'");
        attach(&dba, FORM, &arguments).await;
        let sql = format!("INSERT INTO public.orders (member, total, shop) VALUES ('a', 1, {shop})");
        let result = dba.batch_execute(&sql).await;
        if refused {
            assert_error(result, "invalid_address", "PT400");
        } else {
            result.unwrap_or_else(|e| panic!("{merchant} {shop}: {}", cluster::explain(&e)));
        }
    }
}

/// What was judged holds until the transaction ends: nobody else moves the account's money meanwhile.
#[tokio::test]
async fn the_account_is_locked_until_the_transaction_ends() {
    let (db, dba, client) = orders("locked").await;
    attach(&dba, FORM, ARGUMENTS).await;
    let other = db.app().await;
    let waiting = backend(&other).await;
    execute(&dba, &format!("BEGIN; {ROW}")).await;
    // Other accounts do not wait.
    call(&client, "post_transfer('wallets:b', 'shop', 1)").await;
    let payment = tokio::spawn(async move {
        call(&other, "post_transfer('wallets:a', 'shop', 1)").await;
    });
    until_blocked(&client, &waiting).await;
    assert!(!payment.is_finished());
    execute(&dba, "COMMIT").await;
    payment.await.unwrap();
    // The row and its payment in one transaction, as an application writes them.
    execute(
        &dba,
        &format!(
            "BEGIN; {ROW}; SELECT wallet_ledger.post_transfer('wallets:a', 'shop', 100, 'payment'); COMMIT"
        ),
    )
    .await;
    assert_eq!(books::posted(&client, "wallets:a").await, "899.00");
    verify_clean(&client).await;
}

/// A payment locks the merchant's account first, because its address comes first: so does the row that names it.
#[tokio::test]
async fn a_row_and_its_payment_never_wait_in_a_circle_with_another_payment() {
    let (db, dba, client) = orders("circle").await;
    call(&client, "create_account('shops:canteen', 'liability')").await;
    call(&client, "create_account('shops:wide', 'liability', stripes => 4)").await;
    attach(&dba, FORM, ARGUMENTS).await;
    let other = db.app().await;
    let waiting = backend(&other).await;
    for shop in ["canteen", "wide", "nowhere-yet"] {
        let credited = if shop == "nowhere-yet" { "shop" } else { &format!("shops:{shop}") };
        execute(&dba, &format!("BEGIN; {}", ROW.replace("canteen", shop))).await;
        let pay = format!("post_transfer('wallets:a', '{credited}', 100, 'payment')");
        let both = async {
            until_blocked(&client, &waiting).await;
            let paid = dba.batch_execute(&format!("SELECT wallet_ledger.{pay}; COMMIT")).await;
            paid.unwrap_or_else(|e| panic!("{shop}: {}", cluster::explain(&e)));
        };
        // The account of a merchant whom the row does not lead to is locked by nobody before the payment.
        let pay = if shop == "nowhere-yet" { "post_transfer('wallets:a', 'wallets:b', 100)" } else { &pay };
        let (payment, ()) = futures::join!(try_call(&other, pay), both);
        payment.unwrap_or_else(|e| panic!("{shop}: {}", cluster::explain(&e)));
    }
    assert_eq!(books::posted(&client, "wallets:a").await, "400.00");
    verify_clean(&client).await;
}

/// Expired holds are given back before the account is judged, as a payment does it.
#[tokio::test]
async fn an_expired_hold_is_given_back_first() {
    let (_db, dba, client) = orders("holds").await;
    attach(&dba, FORM, ARGUMENTS).await;
    let hold = "hold_funds('wallets:a', 900, 'shop', clock_timestamp() + interval '200 milliseconds')";
    call(&client, hold).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    execute(&dba, ROW).await;
    assert_eq!(books::balances(&client, "wallets:a").await, ["1000.00", "0.00", "1000.00"]);
    assert_eq!(
        value(&client, "SELECT held FROM wallet_data.accounts WHERE address = 'wallets:a'").await,
        "0.00"
    );
    verify_clean(&client).await;
}
