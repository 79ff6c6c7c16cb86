//! What can be wrong with triggers that call `post_on_status_change()`.

use super::{Add, BIG_TABLE_ROWS, check_ledger};
use crate::ledger::rules::built_in_kind;
use crate::trigger::rules::column::{Holds, Problem, shown};
use crate::trigger::rules::facts::{Books, Finding, Severity, Table, Trigger};
use crate::trigger::rules::posting::definition::Definition;

/// What the table needs so that a row's posting happens once.
pub fn check_table(table: &Table, findings: &mut Vec<Finding>) {
    let mut add = |severity, problem: String, hint: &str| {
        findings.push(Finding { trigger: None, severity, problem, hint: hint.to_owned() });
    };
    let name = &table.name;
    if !table.has_key {
        let hint = "ALTER TABLE … ADD PRIMARY KEY: it is what makes a row's posting happen once.";
        add(Severity::Error, format!("{name} has no primary key"), hint);
    } else if table.key_is_deferrable {
        let hint =
            "Make the primary key NOT DEFERRABLE: two rows must never share it, not even for a moment.";
        add(Severity::Error, format!("the primary key of {name} is deferrable"), hint);
    }
    if table.has_heirs {
        let hint = "Use a partitioned table, or keys that are unique over all of the tables.";
        let problem =
            format!("other tables inherit from {name}: the same key in two of them counts as one row");
        add(Severity::Warning, problem, hint);
    }
}

/// Everything about one trigger; `all` are those of the table that call the same function.
pub fn check(table: &Table, trigger: &Trigger, all: &[&Trigger], books: &Books, add: &mut Add) {
    check_form(table, trigger, add);
    match Definition::parse(&trigger.arguments) {
        Ok(definition) => check_arguments(table, &definition, books, add),
        Err(problem) => add(Severity::Error, problem.text, &problem.hint),
    }
    check_counterpart(trigger, all, add);
}

fn check_form(table: &Table, trigger: &Trigger, add: &mut Add) {
    use Severity::{Error, Note, Warning};
    if trigger.on_other {
        add(
            Error,
            "it fires on DELETE or TRUNCATE".to_owned(),
            "Attach it to INSERT and UPDATE; deleting a row moves no money.",
        );
    }
    if !trigger.per_row && trigger.is_after {
        if trigger.on_update && !(trigger.has_old_rows && trigger.has_new_rows) {
            let hint = "Add REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows.";
            add(Error, "it fires on UPDATE, per statement, without both transition tables".to_owned(), hint);
        } else if trigger.on_insert && !trigger.has_new_rows {
            let hint = "Add REFERENCING NEW TABLE AS new_rows.";
            add(Error, "it fires on INSERT, per statement, without its transition table".to_owned(), hint);
        }
    }
    if trigger.per_row && table.is_partitioned {
        let hint = "Use triggers per statement: a row that moves to another partition looks like a new row to a trigger per row.";
        add(Warning, "it fires per row on a partitioned table".to_owned(), hint);
    } else if trigger.per_row && table.rows >= BIG_TABLE_ROWS {
        let hint = "Triggers per statement with transition tables post a bulk change in one go.";
        add(Note, format!("it fires per row on a table of about {} rows", table.rows), hint);
    }
    if trigger.has_columns {
        let hint = "A status that a BEFORE trigger sets is not seen; leave the column list out.";
        add(Note, "it fires for UPDATE OF certain columns only".to_owned(), hint);
    }
}

fn check_arguments(table: &Table, definition: &Definition, books: &Books, add: &mut Add) {
    match definition.resolve(&table.columns) {
        Err(problems) => {
            for Problem { text, hint, .. } in problems {
                add(Severity::Error, text, &hint);
            }
        }
        Ok(places) => {
            let status = &table.columns[places.status];
            let is_label = |value: &str| table.labels[places.status].iter().any(|label| label == value);
            for value in [Some(&definition.posts_at), definition.reverses_at.as_ref()].into_iter().flatten() {
                if let Err(problem) = shown(value, status, is_label) {
                    add(Severity::Error, problem.text, &problem.hint);
                }
            }
            let amount = &table.columns[places.amount];
            if amount.holds == Holds::Float {
                let hint = "Use numeric: a binary fraction cannot hold every amount exactly.";
                let problem =
                    format!("the amount column \"{}\" is of type {}", amount.name, amount.type_name);
                add(Severity::Warning, problem, hint);
            }
        }
    }
    check_books(definition, books, add);
}

fn check_books(definition: &Definition, books: &Books, add: &mut Add) {
    let ledger = definition.ledger.as_ref().and_then(|template| template.constant());
    if !check_ledger(definition.ledger.is_some(), ledger, books, add) {
        return;
    }
    let kind = &definition.kind;
    match built_in_kind(kind) {
        Ok(Some(_)) => {}
        Err(error) => add(Severity::Error, error.message.clone(), error.hint()),
        Ok(None) => {
            let known = books
                .own_kinds
                .iter()
                .any(|(owner, known)| known == kind && ledger.is_none_or(|ledger| ledger == owner));
            if !known {
                let hint =
                    format!("SELECT wallet_ledger.create_kind('{kind}'), or use one of the view kinds.");
                add(Severity::Error, format!("there is no kind {kind}"), &hint);
            }
        }
    }
}

/// Whether a trigger fires on an event.
type Covers = fn(&Trigger) -> bool;

/// A row must be seen whichever way it comes to its status.
fn check_counterpart(trigger: &Trigger, all: &[&Trigger], add: &mut Add) {
    let fires = |other: &Trigger| other.is_after && !matches!(other.enabled, 'D' | 'R');
    if !fires(trigger) {
        return;
    }
    let events: [(&str, Covers, &str); 2] = [
        ("INSERT", |other| other.on_insert, "rows that are inserted in the posting status are not posted"),
        ("UPDATE", |other| other.on_update, "rows that come to the posting status later are not posted"),
    ];
    for (event, covers, effect) in events {
        let others: Vec<&Trigger> =
            all.iter().copied().filter(|other| fires(other) && covers(other)).collect();
        if others.iter().any(|other| other.arguments == trigger.arguments) {
            continue;
        }
        // Of the two that differ, the first in name order speaks.
        match others.iter().find(|other| same_purpose(other, trigger)) {
            Some(other) if trigger.name < other.name => add(
                Severity::Error,
                format!("its arguments differ from those of trigger {}", other.name),
                "Give both triggers the same arguments: they share the rows' idempotency keys.",
            ),
            Some(_) => {}
            None => add(
                Severity::Warning,
                format!("no trigger with the same arguments fires on {event}: {effect}"),
                "Create the same trigger for the other event; PostgreSQL allows one event per trigger with transition tables.",
            ),
        }
    }
}

fn same_purpose(one: &Trigger, other: &Trigger) -> bool {
    one.name != other.name && one.arguments.get(5).is_some() && one.arguments.get(5) == other.arguments.get(5)
}
