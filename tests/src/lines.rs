//! Results as text: what PostgreSQL prints, column by column. Money compares exactly, to the last
//! written decimal, and a replay compares bit for bit.

use std::collections::BTreeMap;
use std::ops::Index;

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::cluster::explain;

/// One row of a result. `line["amount"]` is the column's text; NULL reads `NULL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line(BTreeMap<String, Option<String>>);

impl Line {
    pub fn get(&self, column: &str) -> Option<&str> {
        self.0.get(column).unwrap_or_else(|| panic!("no column {column} in {:?}", self.0)).as_deref()
    }

    /// The same without these columns.
    pub fn without(&self, columns: &[&str]) -> Line {
        let mut rest = self.clone();
        rest.0.retain(|name, _| !columns.contains(&name.as_str()));
        rest
    }

    /// These columns in this order, for comparing with a list.
    pub fn pick<const N: usize>(&self, columns: [&str; N]) -> [&str; N] {
        columns.map(|column| &self[column])
    }

    /// A column that holds JSON.
    pub fn json(&self, column: &str) -> serde_json::Value {
        serde_json::from_str(&self[column]).unwrap_or_else(|e| panic!("{column} of {self:?}: {e}"))
    }
}

impl Index<&str> for Line {
    type Output = str;

    fn index(&self, column: &str) -> &str {
        self.get(column).unwrap_or("NULL")
    }
}

/// The rows of a query, or of the last of several statements that returned any.
pub async fn try_lines(client: &Client, sql: &str) -> Result<Vec<Line>, tokio_postgres::Error> {
    let messages = client.simple_query(sql).await?;
    let row = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => {
            let column = |(index, column): (usize, &tokio_postgres::SimpleColumn)| {
                (column.name().to_owned(), row.get(index).map(str::to_owned))
            };
            Some(Line(row.columns().iter().enumerate().map(column).collect()))
        }
        _ => None,
    };
    Ok(messages.iter().filter_map(row).collect())
}

/// The same for a query that must succeed.
pub async fn lines(client: &Client, sql: &str) -> Vec<Line> {
    try_lines(client, sql).await.unwrap_or_else(|e| panic!("{sql}: {}", explain(&e)))
}

/// The one value of a query that returns one.
pub async fn value(client: &Client, sql: &str) -> String {
    let rows = lines(client, sql).await;
    match rows.as_slice() {
        [Line(columns)] if columns.len() == 1 => {
            columns.values().next().cloned().flatten().unwrap_or("NULL".to_owned())
        }
        other => panic!("{sql}: expected one value, got {other:?}"),
    }
}

/// Calls a function of the ledger, written as in SQL: `post_transfer('a', 'b', 1)`.
pub async fn try_calls(client: &Client, call: &str) -> Result<Vec<Line>, tokio_postgres::Error> {
    try_lines(client, &format!("SELECT * FROM wallet_ledger.{call}")).await
}

/// The same for a function that returns one row.
pub async fn try_call(client: &Client, call: &str) -> Result<Line, tokio_postgres::Error> {
    let mut rows = try_calls(client, call).await?;
    assert_eq!(rows.len(), 1, "{call}: {rows:?}");
    Ok(rows.remove(0))
}

/// Calls a function that must succeed.
pub async fn calls(client: &Client, call: &str) -> Vec<Line> {
    try_calls(client, call).await.unwrap_or_else(|e| panic!("{call}: {}", explain(&e)))
}

/// Calls a function that must succeed and returns one row.
pub async fn call(client: &Client, call: &str) -> Line {
    try_call(client, call).await.unwrap_or_else(|e| panic!("{call}: {}", explain(&e)))
}
