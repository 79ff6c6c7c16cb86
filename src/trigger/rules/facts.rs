//! What check_trigger() knows about a table, its triggers and the books, and what it says.

use super::column::Column;
use super::marking::KeyType;
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

/// The ledger's trigger functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    PostOnStatusChange,
    EscrowOnStatusChange,
    MatchOnInsert,
    LimitOnInsert,
    UpdateOnIntent,
}

impl Function {
    pub const ALL: [Function; 5] = [
        Function::PostOnStatusChange,
        Function::EscrowOnStatusChange,
        Function::MatchOnInsert,
        Function::LimitOnInsert,
        Function::UpdateOnIntent,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Function::PostOnStatusChange => "post_on_status_change",
            Function::EscrowOnStatusChange => "escrow_on_status_change",
            Function::MatchOnInsert => "match_on_insert",
            Function::LimitOnInsert => "limit_on_insert",
            Function::UpdateOnIntent => "update_on_intent",
        }
    }
}

/// A trigger that calls one of them.
#[derive(Clone, Debug)]
pub struct Trigger {
    pub name: String,
    pub function: Function,
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

/// A table whose rows a paid intent marks, as the catalogue describes it.
#[derive(Clone, Debug, Default)]
pub struct Marked {
    /// Its oid.
    pub table: u32,
    /// The oid of its owner.
    pub owner: u32,
    /// An ordinary or partitioned table.
    pub is_table: bool,
    /// It belongs to the role that the ledger's functions run as.
    pub is_the_ledgers: bool,
    /// Row security holds for its owner too.
    pub forces_row_security: bool,
    /// The names of all its columns.
    pub columns: Vec<String>,
    /// The key column, and what it holds if that can be a reference.
    pub key: Option<(Column, Option<KeyType>)>,
    /// Whether an index begins with the key column.
    pub key_is_indexed: bool,
    /// The status column and the labels of its enum.
    pub status: Option<(Column, Vec<String>)>,
    /// Functions of its own triggers for UPDATE that set no search_path.
    pub open_functions: Vec<String>,
    /// Its own triggers for UPDATE that are initially deferred.
    pub deferred: Vec<String>,
}

/// The ledgers, the kinds of their own that they have, their rates, and who reports to them.
#[derive(Clone, Debug, Default)]
pub struct Books {
    pub ledgers: Vec<String>,
    pub own_kinds: Vec<(String, String)>,
    /// The rates that were set, by ledger.
    pub rates: Vec<(String, String)>,
    /// The ids of the providers that have bank accounts.
    pub providers: Vec<i16>,
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
