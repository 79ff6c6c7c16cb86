//! A marketplace as people have it: a table of orders, an owner of the tables, and a clerk who may change
//! orders and knows nothing of the ledger.

use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

/// The arguments that most tests use.
pub const ORDERS: &str = "'status_column=status', 'opened=paid', 'shipped=shipped', 'released=delivered',
    'refunded=cancelled', 'reference={order_no}', 'buyer=wallets:{buyer_id}',
    'beneficiary=merchants:{merchant_id}', 'amount=total', 'fee=merchant_commission', 'tracking=tracking_no'";

/// The same with the lines in a column, which the total must be the sum of.
pub const LINES: &str = "'status_column=status', 'opened=paid', 'shipped=shipped', 'released=delivered',
    'refunded=cancelled', 'reference={order_no}', 'buyer=wallets:{buyer_id}', 'lines=lines', 'amount=total'";

/// How the triggers are attached.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    Statement,
    Row,
}

pub const BOTH: [Form; 2] = [Form::Statement, Form::Row];

/// The statements that attach the trigger, or the pair of them, to a table.
pub fn attach(table: &str, form: Form, arguments: &str) -> String {
    let function = format!("EXECUTE FUNCTION wallet_ledger.escrow_on_status_change({arguments})");
    match form {
        Form::Statement => format!(
            "CREATE TRIGGER escrow_on_update AFTER UPDATE ON {table}
                 REFERENCING OLD TABLE AS \"Old Rows\" NEW TABLE AS n FOR EACH STATEMENT {function};
             CREATE TRIGGER escrow_on_insert AFTER INSERT ON {table}
                 REFERENCING NEW TABLE AS whatever FOR EACH STATEMENT {function};"
        ),
        Form::Row => {
            format!("CREATE TRIGGER escrow AFTER INSERT OR UPDATE ON {table} FOR EACH ROW {function};")
        }
    }
}

pub const TABLE: &str = "CREATE TABLE shop.orders (
    id bigint PRIMARY KEY, order_no text, buyer_id text, merchant_id int, total numeric, lines jsonb,
    tracking_no text, note text, status text NOT NULL DEFAULT 'pending');";

pub struct Market {
    pub db: TestDb,
    /// A superuser.
    pub dba: Client,
    /// A trusted backend, as `wallet_app`.
    pub app: Client,
    /// May change orders, and nothing else.
    pub clerk: Client,
}

impl Market {
    /// The buyers 1 to 9, each with 1,000,000.00, the merchants 1 to 9, all with floor 0, and no table yet.
    pub async fn bare(test: &str) -> Market {
        let db = TestDb::with_ledger(test).await;
        let (dba, app) = (db.connect().await, db.app().await);
        call(&app, "create_account('bank', 'asset')").await;
        for number in 1..=9 {
            call(&app, &format!("open_wallet('{number}')")).await;
            call(&app, &format!("post_transfer('bank', 'wallets:{number}', 1000000, 'topup')")).await;
            let merchant = format!("create_account('merchants:{number}', 'liability', minimum_balance => 0)");
            call(&app, &merchant).await;
        }
        let (owner, clerk) = (db.role("shop", "").await, db.role("clerk", "").await);
        execute(
            &dba,
            &format!(
                "CREATE SCHEMA shop AUTHORIZATION \"{owner}\"; GRANT USAGE ON SCHEMA shop TO \"{clerk}\";
                 ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT, INSERT, UPDATE ON TABLES TO \"{clerk}\""
            ),
        )
        .await;
        let clerk = db.connect_as(&clerk).await;
        Market { db, dba, app, clerk }
    }

    /// The same with the table and its trigger.
    pub async fn open(test: &str, form: Form, arguments: &str) -> Market {
        let market = Market::bare(test).await;
        execute(&market.dba, &format!("{TABLE} {}", attach("shop.orders", form, arguments))).await;
        market
    }

    /// A new order of 100,000 by buyer 1 from merchant 1.
    pub async fn order(&self, id: u32) {
        let sql = format!(
            "INSERT INTO shop.orders (id, order_no, buyer_id, merchant_id, total) VALUES ({id}, 'A-{id}', '1', 1, 100000)"
        );
        execute(&self.clerk, &sql).await;
    }

    /// Gives an order another status, as the clerk.
    pub async fn set(&self, id: u32, status: &str) -> Result<(), tokio_postgres::Error> {
        self.clerk.batch_execute(&format!("UPDATE shop.orders SET status = '{status}' WHERE id = {id}")).await
    }

    /// The same where it must succeed.
    pub async fn must_set(&self, id: u32, status: &str) {
        self.set(id, status).await.unwrap_or_else(|e| panic!("{id} to {status}: {}", cluster::explain(&e)));
    }

    pub async fn status(&self, id: u32) -> String {
        value(&self.dba, &format!("SELECT status FROM shop.orders WHERE id = {id}")).await
    }

    /// The escrows: reference, status, held, released, fee, refunded, returned.
    pub async fn escrows(&self) -> Vec<String> {
        // What has not moved yet is 0 without decimals.
        let sql = "SELECT concat_ws(' ', reference, status, held_amount, round(released_amount, 2), round(fee_amount, 2),
                                    round(refunded_amount, 2), round(returned_amount, 2)) AS line
                   FROM wallet_ledger.escrows ORDER BY reference";
        lines(&self.app, sql).await.iter().map(|line| line["line"].to_owned()).collect()
    }

    /// Asserts that a statement of the clerk is refused and has changed nothing, neither the books nor the table.
    pub async fn refused(&self, sql: &str, token: &str, sqlstate: &str) -> LedgerError {
        let orders = "SELECT md5(coalesce(string_agg(o::text, ';' ORDER BY o::text), '')) FROM shop.orders o";
        let before = (contents(&self.app).await, value(&self.dba, orders).await);
        let error = assert_error(self.clerk.batch_execute(sql).await, token, sqlstate);
        assert_eq!((contents(&self.app).await, value(&self.dba, orders).await), before, "{sql}");
        error
    }
}

/// What check_trigger() says about a table: severity, trigger and problem.
pub async fn findings(client: &Client, table: &str) -> Vec<String> {
    let sql = format!(
        "SELECT concat_ws(' ', severity, trigger_name, problem) AS line, hint FROM wallet_ledger.check_trigger('{table}')"
    );
    let found = lines(client, &sql).await;
    assert!(found.iter().all(|line| !line["hint"].is_empty()), "{found:?}");
    found.iter().map(|line| line["line"].to_owned()).collect()
}
