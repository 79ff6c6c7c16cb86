//! What can be wrong with triggers that call `update_on_intent()`.

use super::{Add, check_ledger};
use crate::trigger::rules::facts::{Books, Marked, Severity, Table, Trigger};
use crate::trigger::rules::marking::{Definition, INTENTS};

pub fn check(
    table: &Table,
    trigger: &Trigger,
    books: &Books,
    find_marked: &dyn Fn(&Definition) -> Option<Marked>,
    add: &mut Add,
) {
    check_form(table, trigger, add);
    let definition = match Definition::parse(&trigger.arguments) {
        Ok(definition) => definition,
        Err(problem) => return add(Severity::Error, problem.text, &problem.hint),
    };
    // Without a ledger it is for all of them, and no session's setting has a say.
    check_ledger(true, definition.ledger.as_deref(), books, add);
    let marked = find_marked(&definition);
    for problem in definition.resolve(marked.as_ref()).err().into_iter().flatten() {
        add(Severity::Error, problem.text, &problem.hint);
    }
    if let Some(marked) = marked.filter(|marked| marked.is_table) {
        check_marked(&definition, &marked, add);
    }
}

fn check_form(table: &Table, trigger: &Trigger, add: &mut Add) {
    use Severity::{Error, Note};
    if table.name != INTENTS {
        let hint = "Attach it to wallet_data.intents: it tells another table that an intent was paid.";
        add(Error, format!("{} is not {INTENTS}", table.name), hint);
    }
    if !trigger.on_update || trigger.on_insert || trigger.on_other {
        let hint = "Attach it AFTER UPDATE: an intent is never paid when it is made.";
        add(Error, "it must fire on UPDATE, on nothing else".to_owned(), hint);
    } else if !trigger.per_row && trigger.is_after && !(trigger.has_old_rows && trigger.has_new_rows) {
        let hint = "Add REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows.";
        add(Error, "it fires on UPDATE, per statement, without both transition tables".to_owned(), hint);
    }
    if trigger.per_row {
        let hint = "A trigger per statement changes the rows of all intents that a call pays in one UPDATE.";
        add(Note, "it fires per row".to_owned(), hint);
    }
}

/// What would make a payment slow or let a row be passed over.
fn check_marked(definition: &Definition, marked: &Marked, add: &mut Add) {
    let name = definition.target();
    if marked.key.is_some() && !marked.key_is_indexed {
        let hint = "Every payment reads the whole table. CREATE INDEX … ON … (…), or name the primary key.";
        let problem = format!("no index of {name} begins with \"{}\"", definition.key);
        add(Severity::Warning, problem, hint);
    }
    if marked.forces_row_security {
        let hint = "Rows that its policies hide from its owner are passed over.";
        add(Severity::Warning, format!("row security of {name} is forced on its owner"), hint);
    }
    for trigger in &marked.deferred {
        let hint = "What it does would happen with the rights of whoever commits: PostgreSQL refuses it. Make it INITIALLY IMMEDIATE.";
        add(Severity::Error, format!("trigger {trigger} of {name} is initially deferred"), hint);
    }
    for function in &marked.open_functions {
        let hint = "It runs with search_path = pg_catalog, pg_temp here. ALTER FUNCTION … SET search_path = …, or qualify every name in it.";
        let problem = format!("{function}(), a trigger function of {name}, sets no search_path");
        add(Severity::Note, problem, hint);
    }
}
