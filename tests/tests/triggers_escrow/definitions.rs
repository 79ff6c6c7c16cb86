//! Triggers that do not fit their table. Each is proved twice: the trigger fails when it first fires, with
//! an error that names what is wrong, and check_trigger() finds the same before anything has fired.

use super::market::{Form, Market, ORDERS, attach, findings};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

const TABLE: &str = "DROP TABLE IF EXISTS shop.orders; DROP TYPE IF EXISTS shop.state;
     CREATE TYPE shop.state AS ENUM ('pending', 'paid', 'shipped', 'delivered', 'cancelled');
     CREATE TABLE shop.orders (
         id int PRIMARY KEY, order_no text, buyer_id text, merchant_id int, total numeric, basket json,
         tracking_no text, made date, status shop.state);
     INSERT INTO shop.orders VALUES (1, 'A-1', '1', 1, 100000, NULL, NULL, NULL, 'pending');";

/// A word of the arguments, what stands in its place, and what the error and the finding say.
#[rustfmt::skip]
const ARGUMENTS_THAT_DO_NOT_FIT: &[(&str, &str, &str)] = &[
    ("'status_column=status'", "'status_column=state'", "no column \"state\" (status column)"),
    ("'status_column=status', ", "", "the argument 'status_column' is missing"),
    ("'opened=paid', ", "", "the argument 'opened' is missing"),
    ("'opened=paid'", "'opened=Paid'", "'Paid' is not a value of column \"status\""),
    ("'opened=paid'", "'opened='", "the argument 'opened' is empty"),
    ("'opened=paid'", "'paid'", "'paid' is not of the form name=value"),
    ("'opened=paid'", "'opened=paid', 'opened=shipped'", "'opened' is named twice"),
    ("'opened=paid'", "'paid=opened'", "there is no argument 'paid'"),
    ("'shipped=shipped'", "'shipped=paid'", "'paid' stands for opened and for shipped"),
    ("'refunded=cancelled'", "'refunded=returned'", "'returned' is not a value of column \"status\""),
    ("'reference={order_no}'", "'reference={number}'", "no column \"number\" (placeholder)"),
    ("'reference={order_no}'", "'reference=orders:{order_no}'", "it is no reference"),
    ("'buyer=wallets:{buyer_id}'", "'buyer=wallets:{Buyer_id}'", "no column \"Buyer_id\""),
    ("'buyer=wallets:{buyer_id}'", "'buyer=wallets:{buyer_id'", "a '{' is not closed"),
    ("'beneficiary=merchants:{merchant_id}'", "'beneficiary=merchants::{merchant_id}'", "it is no address"),
    ("'beneficiary=merchants:{merchant_id}', ", "", "either a column of lines, or a beneficiary"),
    ("'amount=total', ", "", "either a column of lines, or a beneficiary"),
    ("'amount=total'", "'amount=made'", "is of type date, which is no number"),
    ("'amount=total'", "'amount=totla'", "no column \"totla\" (amount column)"),
    ("'fee=merchant_commission'", "'lines=basket'", "either a column of lines, or a beneficiary"),
    ("'fee=merchant_commission'", "'fee=15%'", "the fee is no rate's name"),
    ("'beneficiary=merchants:{merchant_id}', 'amount=total', 'fee=merchant_commission'", "'lines=basket'",
     "column \"basket\" (lines) is of type json, which is not jsonb"),
    ("'beneficiary=merchants:{merchant_id}', 'amount=total', 'fee=merchant_commission'", "'lines=items'",
     "no column \"items\" (lines)"),
    ("'tracking=tracking_no'", "'tracking=awb'", "no column \"awb\" (tracking)"),
    ("'tracking=tracking_no'", "'auto_release_after=1 month'", "'1 month', which is no time"),
    ("'tracking=tracking_no'", "'auto_release_after=366 days'", "'366 days', which is no time"),
    ("'tracking=tracking_no'", "'ledger=a:b'", "it is no ledger's name"),
];

#[tokio::test]
async fn arguments_that_do_not_fit() {
    let market = Market::bare("arguments").await;
    for (word, other, words) in ARGUMENTS_THAT_DO_NOT_FIT {
        let whole = ORDERS.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(whole.contains(word), "{word}");
        let arguments = whole.replace(word, other);
        for form in [Form::Statement, Form::Row] {
            execute(&market.dba, &format!("{TABLE} {}", attach("shop.orders", form, &arguments))).await;
            let found = findings(&market.dba, "shop.orders").await;
            let errors = if matches!(form, Form::Row) { 1 } else { 2 };
            assert_eq!(found.len(), errors, "{arguments}: {found:?}");
            assert!(
                found.iter().all(|line| line.starts_with("error escrow") && line.contains(words)),
                "{words}: {found:?}"
            );
            let fired = market.clerk.batch_execute("UPDATE shop.orders SET buyer_id = '2'").await;
            let error = assert_error(fired, "invalid_trigger", "PT422");
            assert!(error.message.contains(words), "{error:#?}");
            assert!(
                error.message.starts_with("trigger escrow") && error.detail["table"] == "shop.orders",
                "{error:#?}"
            );
        }
    }
}

#[tokio::test]
async fn what_could_be_meant_so_is_a_note_or_a_warning() {
    let market = Market::bare("notes").await;
    let found = async |arguments: &str, change: &str| {
        let attached = attach("shop.orders", Form::Row, arguments);
        execute(&market.dba, &format!("{TABLE} {attached} {change}")).await;
        findings(&market.dba, "shop.orders").await.join("; ")
    };
    assert_eq!(found(ORDERS, "").await, "");
    let no_rate = ORDERS.replace("merchant_commission", "gift_wrap");
    assert_eq!(found(&no_rate, "").await, "note escrow there is no rate gift_wrap yet");
    let refused = market.clerk.batch_execute("UPDATE shop.orders SET status = 'paid'").await;
    assert_eq!(assert_error(refused, "rate_not_found", "PT404").detail["row"], "1");
    call(&market.app, "set_rate('gift_wrap', 0.01)").await;
    assert_eq!(found(&no_rate, "").await, "");
    let no_clock = ORDERS.replace("'shipped=shipped',", "");
    assert!(found(&no_clock, "").await.starts_with("note escrow no status value stands for shipped"));
    let float = "ALTER TABLE shop.orders ALTER total TYPE float8";
    assert!(found(ORDERS, float).await.starts_with("warning escrow the amount column \"total\""));
    let condition = "DROP TRIGGER escrow ON shop.orders;
        CREATE TRIGGER escrow AFTER INSERT OR UPDATE OF status ON shop.orders FOR EACH ROW WHEN (NEW.id > 0)
            EXECUTE FUNCTION wallet_ledger.escrow_on_status_change";
    let both = found(ORDERS, &format!("{condition}({ORDERS})")).await;
    assert!(both.contains("note escrow it has a WHEN condition") && both.contains("UPDATE OF"), "{both}");
    let disabled = found(ORDERS, "ALTER TABLE shop.orders DISABLE TRIGGER escrow").await;
    assert!(disabled.starts_with("error escrow it is disabled"), "{disabled}");
    let missing = found(&format!("{ORDERS}, 'ledger=second'"), "").await;
    assert_eq!(missing, "error escrow there is no ledger second");
    // Two for the same thing, and half a pair.
    let second = ORDERS.replace("'amount=total'", "'amount=merchant_id'");
    let second = format!(
        "CREATE TRIGGER other AFTER INSERT OR UPDATE ON shop.orders FOR EACH ROW
             EXECUTE FUNCTION wallet_ledger.escrow_on_status_change({second})"
    );
    let twice = found(ORDERS, &second).await;
    assert_eq!(twice, "error escrow trigger other acts on the same escrows for the same event");
    execute(&market.dba, "DROP TRIGGER escrow ON shop.orders; DROP TRIGGER other ON shop.orders").await;
    let pair = attach("shop.orders", Form::Statement, ORDERS);
    execute(&market.dba, &format!("{pair} DROP TRIGGER escrow_on_update ON shop.orders")).await;
    let half = findings(&market.dba, "shop.orders").await.join("; ");
    assert!(
        half.starts_with("warning escrow_on_insert no trigger with the same arguments fires on UPDATE"),
        "{half}"
    );
}

/// What comes behind CREATE TRIGGER t, what fires it, and what the error and the finding say.
const FORMS_THAT_DO_NOT_WORK: &[(&str, &str, &str, &str)] = &[
    ("BEFORE UPDATE ON shop.orders FOR EACH ROW", "UPDATE shop.orders SET made = now()", "AFTER", "AFTER"),
    (
        "AFTER UPDATE ON shop.orders REFERENCING NEW TABLE AS n FOR EACH STATEMENT",
        "UPDATE shop.orders SET made = now()",
        "transition tables",
        "both transition tables",
    ),
    (
        "AFTER INSERT ON shop.orders FOR EACH STATEMENT",
        "INSERT INTO shop.orders VALUES (2)",
        "transition tables",
        "without its transition table",
    ),
    (
        "AFTER INSERT OR DELETE ON shop.orders FOR EACH ROW",
        "DELETE FROM shop.orders",
        "only on INSERT or UPDATE",
        "DELETE or TRUNCATE",
    ),
];

#[tokio::test]
async fn forms_that_do_not_work() {
    let market = Market::bare("forms").await;
    for (form, fire, words, finding) in FORMS_THAT_DO_NOT_WORK {
        let function = format!("EXECUTE FUNCTION wallet_ledger.escrow_on_status_change({ORDERS})");
        execute(&market.dba, &format!("{TABLE} CREATE TRIGGER t {form} {function}")).await;
        let found = findings(&market.dba, "shop.orders").await;
        assert!(
            found.iter().any(|line| line.starts_with("error t") && line.contains(finding)),
            "{form}: {found:?}"
        );
        let error = assert_error(market.dba.batch_execute(fire).await, "invalid_trigger", "PT422");
        assert!(error.message.contains(words), "{form}: {error:#?}");
    }
    for (key, words) in [("UNIQUE", "no primary key"), ("PRIMARY KEY DEFERRABLE", "is deferrable")] {
        let table = TABLE.replace("PRIMARY KEY", key);
        execute(&market.dba, &format!("{table} {}", attach("shop.orders", Form::Row, ORDERS))).await;
        assert!(findings(&market.dba, "shop.orders").await[0].contains(words));
        let fired = market.clerk.batch_execute("UPDATE shop.orders SET status = 'paid'").await;
        assert_error(fired, "invalid_trigger", "PT422");
    }
}
