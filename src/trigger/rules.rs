//! What the rows of an application's table mean to the ledger's triggers. Pure: the flows read the rows and
//! move the money.
//!
//! | module | what it is about |
//! |---|---|
//! | `posting` | `post_on_status_change`: a row's status moves money |
//! | `escrowing` | `escrow_on_status_change`: a row's status acts on its escrow |
//! | `matching` | `match_on_insert`: a row reports a movement at a bank |
//! | `limiting` | `limit_on_insert`: a row is about to spend |
//! | `marking` | `update_on_intent`: a paid intent marks a row |
//! | `check` | what `check_trigger` says about all of them |

pub mod check;
pub mod column;
pub mod escrowing;
pub mod facts;
pub mod key;
pub mod limiting;
pub mod marking;
pub mod matching;
pub mod posting;
pub mod template;
pub mod words;

use crate::error::{Code, LedgerError, Result};
use template::{Template, Unfilled};

/// Names a row in errors.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    pub key: &'a str,
    pub table: &'a str,
}

/// Fills a template with a row's values of `columns`, in the same order.
pub fn fill(template: &Template, columns: &[String], values: &[Option<String>], row: Row) -> Result<String> {
    let value = |column: &str| {
        let place = columns.iter().position(|name| name == column)?;
        values.get(place)?.as_deref()
    };
    template.fill(value).map_err(|unfilled| match unfilled {
        Unfilled::Null(column) => is_null(&column, row.key, row.table),
        Unfilled::Splits(column) => named(
            LedgerError::new(
                Code::InvalidAddress,
                format!("column \"{column}\" has a ':' and would name an account outside its template"),
            )
            .with("column", column),
            row.key,
            row.table,
        ),
    })
}

/// The error for a column that must have a value.
pub fn is_null(column: &str, row: &str, table: &str) -> LedgerError {
    let error = LedgerError::new(Code::MissingArgument, format!("column \"{column}\" is null"))
        .with("argument", column)
        .with("column", column);
    named(error, row, table)
}

/// Names the row that an error is about, in the message and in the detail.
pub fn named(error: LedgerError, row: &str, table: &str) -> LedgerError {
    let mut error = error.with("table", table).with("row", row);
    error.message = format!("row {row} of {table}: {}", error.message);
    error
}
