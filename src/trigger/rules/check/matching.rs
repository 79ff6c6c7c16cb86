//! What can be wrong with triggers that call `match_on_insert()`.

use super::{Add, BIG_TABLE_ROWS, check_ledger};
use crate::trigger::rules::column::Holds;
use crate::trigger::rules::facts::{Books, Severity, Table, Trigger};
use crate::trigger::rules::matching::Definition;

pub fn check(table: &Table, trigger: &Trigger, books: &Books, add: &mut Add) {
    check_form(table, trigger, add);
    let definition = match Definition::parse(&trigger.arguments) {
        Ok(definition) => definition,
        Err(problem) => return add(Severity::Error, problem.text, &problem.hint),
    };
    for problem in definition.resolve(&table.columns).err().into_iter().flatten() {
        add(Severity::Error, problem.text, &problem.hint);
    }
    for name in definition.amounts() {
        let column = table.columns.iter().find(|column| column.name == name);
        if let Some(column) = column.filter(|column| column.holds == Holds::Float) {
            let hint = "Use numeric: a binary fraction cannot hold every amount exactly.";
            let problem = format!("the amount column \"{}\" is of type {}", column.name, column.type_name);
            add(Severity::Warning, problem, hint);
        }
    }
    let ledger = definition.ledger.as_ref().and_then(|template| template.constant());
    check_ledger(definition.ledger.is_some(), ledger, books, add);
    let provider = definition.provider;
    if !books.providers.contains(&(provider as i16)) {
        let problem =
            format!("no bank account of {} is registered: every row will be refused", provider.name());
        add(Severity::Warning, problem, "Register one with register_bank_account().");
    }
}

fn check_form(table: &Table, trigger: &Trigger, add: &mut Add) {
    use Severity::{Error, Note};
    if !trigger.on_insert || trigger.on_update || trigger.on_other {
        let hint = "Attach it AFTER INSERT: a movement is taken in when its row comes.";
        add(Error, "it must fire on INSERT, on nothing else".to_owned(), hint);
    } else if !trigger.per_row && trigger.is_after && !trigger.has_new_rows {
        let hint = "Add REFERENCING NEW TABLE AS new_rows.";
        add(Error, "it fires on INSERT, per statement, without its transition table".to_owned(), hint);
    }
    if trigger.per_row && table.rows >= BIG_TABLE_ROWS {
        let hint = "A trigger per statement with its transition table takes many rows in at once.";
        add(Note, format!("it fires per row on a table of about {} rows", table.rows), hint);
    }
}
