//! A shop as people have it: orders, a staging table of Moota's mutations, an edge function that may do
//! nothing but insert, and an owner without any right on the ledger.

use wallet_ledger_tests::bank::{BCA, BCA_ID, BCA_NUMBER, bank_books, wib};
use wallet_ledger_tests::db::execute;
use wallet_ledger_tests::*;

/// The columns of an older Moota integration, field by field.
pub const FIELDS: &str = "'moota', 'mutation_id=id', 'bank_id=bank_id', 'account_number=account_number',
    'bank_type=bank_type', 'date=date', 'amount=amount', 'type=type', 'description=description', 'balance=balance'";

/// The arguments that most tests use.
pub const ORDERS: &str = "'shop.orders', 'id', 'status', 'paid', 'unpaid', 'order'";

/// The statement that attaches `match_on_insert` to a table.
pub fn stage(table: &str, arguments: &str) -> String {
    format!(
        "CREATE TRIGGER taken_in AFTER INSERT ON {table} REFERENCING NEW TABLE AS n
             FOR EACH STATEMENT EXECUTE FUNCTION wallet_ledger.match_on_insert({arguments});"
    )
}

/// The statement that attaches `update_on_intent` to the intents.
pub fn mark(trigger: &str, arguments: &str) -> String {
    format!(
        "CREATE TRIGGER {trigger} AFTER UPDATE ON wallet_data.intents REFERENCING OLD TABLE AS o NEW TABLE AS n
             FOR EACH STATEMENT EXECUTE FUNCTION wallet_ledger.update_on_intent({arguments});"
    )
}

pub struct Shop {
    pub db: TestDb,
    /// A trusted backend, as `wallet_app`.
    pub app: Client,
    /// A superuser.
    pub dba: Client,
    /// May insert into the staging tables, and nothing else.
    pub edge: Client,
    /// The role that owns schema and tables.
    pub owner: String,
}

impl Shop {
    /// The books of money in, the shop's tables, and no trigger yet.
    pub async fn bare(test: &str) -> Shop {
        let (db, app) = bank_books(test).await;
        let dba = db.connect().await;
        let (owner, edge) = (db.role("shop", "").await, db.role("edge", "").await);
        execute(
            &dba,
            &format!(
                "CREATE SCHEMA shop AUTHORIZATION \"{owner}\"; SET ROLE \"{owner}\";
                 CREATE TABLE shop.orders (
                     id bigint PRIMARY KEY, total numeric(18, 2), status text NOT NULL DEFAULT 'unpaid');
                 CREATE TABLE shop.mutations (
                     id text, bank_id text, account_number text, bank_type text, date timestamp,
                     amount numeric(18, 2), description text, type text, balance numeric(18, 2),
                     number int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
                 CREATE TABLE shop.bodies (payload jsonb);
                 GRANT USAGE ON SCHEMA shop TO \"{edge}\";
                 GRANT INSERT ON shop.mutations, shop.bodies TO \"{edge}\"; RESET ROLE;"
            ),
        )
        .await;
        let edge = db.connect_as(&edge).await;
        Shop { db, app, dba, edge, owner }
    }

    /// The same with both triggers.
    pub async fn open(test: &str) -> Shop {
        let shop = Shop::bare(test).await;
        let (fields, payload) = (stage("shop.mutations", FIELDS), stage("shop.bodies", "'moota', 'payload'"));
        execute(&shop.dba, &format!("{fields} {payload} {}", mark("orders_paid", ORDERS))).await;
        shop
    }

    /// A new order and its intent; returns the intent.
    pub async fn order(&self, id: i64, amount: u32) -> Line {
        execute(&self.dba, &format!("INSERT INTO shop.orders VALUES ({id}, {amount})")).await;
        self.intent("order", amount, &format!("'{id}'")).await
    }

    /// An intent for an order or whatever else; `reference` as SQL.
    pub async fn intent(&self, purpose: &str, amount: u32, reference: &str) -> Line {
        let arguments = format!("'{purpose}', 'shop', {amount}, '{BCA}', reference => {reference}");
        call(&self.app, &format!("create_intent({arguments})")).await
    }

    /// The orders with their status, by id.
    pub async fn orders(&self) -> String {
        self.value("SELECT string_agg(id || ' ' || status, ', ' ORDER BY id) FROM shop.orders").await
    }

    /// The mutations of the ledger: provider's id and status.
    pub async fn taken(&self) -> String {
        let sql =
            "SELECT string_agg(provider_mutation_id || ' ' || status, ', ' ORDER BY provider_mutation_id)
                   FROM wallet_ledger.mutations";
        self.value(sql).await
    }

    pub async fn value(&self, sql: &str) -> String {
        value(&self.dba, sql).await
    }
}

/// A row of the staging table: a credit at BCA, dated now.
pub fn row(id: &str, amount: &str) -> String {
    format!("('{id}', '{BCA_ID}', '{BCA_NUMBER}', 'bca', '{}', {amount}, 'TRSF {id}', 'CR', 0)", wib(0))
}

/// The INSERT of such rows.
pub fn insert(rows: &[String]) -> String {
    format!(
        "INSERT INTO shop.mutations (id, bank_id, account_number, bank_type, date, amount, description, type, balance)
         VALUES {}",
        rows.join(", ")
    )
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
