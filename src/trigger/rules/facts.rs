//! What check_trigger() knows about a table, its triggers and the books, and what it says.

use super::definition::Column;
use std::fmt;

/// A table with triggers, as the catalogue describes it.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub name: String,
    /// An ordinary or partitioned table: what can have a primary key and AFTER triggers.
    pub is_table: bool,
    pub is_partitioned: bool,
    /// Tables that inherit from it and are not partitions: their keys are not unique across the tables.
    pub has_heirs: bool,
    pub rows: i64,
    pub has_key: bool,
    pub key_is_deferrable: bool,
    pub columns: Vec<Column>,
    /// The labels of each column's enum.
    pub labels: Vec<Vec<String>>,
}

/// A trigger that calls `post_on_status_change()`.
#[derive(Clone, Debug)]
pub struct Trigger {
    pub name: String,
    pub arguments: Vec<String>,
    pub is_after: bool,
    pub on_insert: bool,
    pub on_update: bool,
    pub on_other: bool,
    pub per_row: bool,
    pub has_old_rows: bool,
    pub has_new_rows: bool,
    /// PostgreSQL's letter: O, A, R or D.
    pub enabled: char,
    pub has_condition: bool,
    pub has_columns: bool,
    /// Its table is a partition and this trigger was not inherited, while the parent has its own.
    pub is_own_copy: bool,
}

/// The ledgers, and the kinds of their own that they have.
#[derive(Clone, Debug, Default)]
pub struct Books {
    pub ledgers: Vec<String>,
    pub own_kinds: Vec<(String, String)>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It fails when it fires, or never posts.
    Error,
    /// It can leave a row unposted.
    Warning,
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        })
    }
}

#[derive(Clone, Debug)]
pub struct Finding {
    pub trigger: Option<String>,
    pub severity: Severity,
    pub problem: String,
    pub hint: String,
}
