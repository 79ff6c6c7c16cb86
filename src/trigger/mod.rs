//! Triggers: the application's own tables and the ledger, in the same statement and transaction.
//!
//! | function | attached to | what it does |
//! |---|---|---|
//! | `post_on_status_change` | an application's table | a change of a row's status moves the money |
//! | `escrow_on_status_change` | an application's table of orders | a change of a row's status acts on its escrow |
//! | `match_on_insert` | an application's table of bank mutations | a new row is taken in and matched |
//! | `limit_on_insert` | an application's table of orders | a new row is refused where its buyer may not spend so much |
//! | `update_on_intent` | `wallet_data.intents` | a paid intent marks the application's row |
//!
//! The rooms `posting`, `escrowing`, `matching`, `limiting` and `marking` are the five flows. All of them read rows in
//! place, from PostgreSQL's transition tables, and make one call of the engine per firing and ledger.

pub mod api;
mod escrowing;
mod field;
mod limiting;
mod marking;
mod matching;
mod posting;
pub mod rules;
pub mod source;
pub mod store;

use crate::error::{Code, LedgerError, Result, invalid};
use crate::spi::Session;
use pgrx::pg_sys;
use rules::column::Problem;
use rules::facts::Finding;
use rules::key;
use source::{Event, Firing};

/// The table that fired: the root of a partitioned one.
fn table_name(session: &Session, firing: &Firing) -> String {
    let mut relation = firing.relation();
    if firing.is_partition() {
        relation = store::partition_root(session, relation).unwrap_or(relation);
    }
    let (schema, name) = source::relation_name(relation);
    key::table_name(&schema, &name)
}

/// The error for a trigger that does not fit its table.
fn invalid_trigger(problem: &Problem, trigger: &str, table: &str) -> LedgerError {
    let error =
        LedgerError::new(Code::InvalidTrigger, format!("trigger {trigger} on {table}: {}", problem.text))
            .with("trigger", trigger)
            .with("table", table)
            .with("explanation", &problem.hint);
    match &problem.column {
        Some(column) => error.with("column", column),
        None => error,
    }
}

/// The first of several problems, which are never none.
fn first(problems: Vec<Problem>) -> Problem {
    let unknown = || Problem::new("its columns cannot be read", "Create the trigger anew.");
    problems.into_iter().next().unwrap_or_else(unknown)
}

/// Checks what a trigger must be to be fired: AFTER, on these events, with its transition tables.
fn check_form(firing: &Firing, events: &[Event], otherwise: Problem) -> std::result::Result<(), Problem> {
    if !firing.is_after() {
        return Err(Problem::new("it must be an AFTER trigger", "Money follows what was written."));
    }
    if !events.contains(&firing.event()) {
        return Err(otherwise);
    }
    if !firing.per_row() && !firing.has_transition_tables() {
        let hint = "Add REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows, for INSERT only the second.";
        return Err(Problem::new("a trigger per statement needs its transition tables", hint));
    }
    Ok(())
}

/// What is wrong with a table's triggers.
pub fn check(session: &Session, relation: pg_sys::Oid) -> Result<Vec<Finding>> {
    let table = store::table(session, relation)
        .ok_or_else(|| invalid("table", "be an existing table").with("value", relation.to_u32()))?;
    let triggers = store::triggers(session, relation);
    let find_marked = |wanted: &_| store::marked::find(session, wanted);
    Ok(rules::check::inspect(&table, &triggers, &store::books(session), &find_marked))
}
