//! What can be wrong with triggers that call `post_on_status_change()`.

use super::status::{Effects, check_counterpart, check_form, check_key};
use super::{Add, check_ledger};
use crate::ledger::rules::built_in_kind;
use crate::trigger::rules::column::{Holds, Problem, shown};
use crate::trigger::rules::facts::{Books, Finding, Severity, Table, Trigger};
use crate::trigger::rules::posting::definition::Definition;

/// What the table needs so that a row's posting happens once.
pub fn check_table(table: &Table, findings: &mut Vec<Finding>) {
    let mut add = |severity, problem: String, hint: &str| {
        findings.push(Finding { trigger: None, severity, problem, hint: hint.to_owned() });
    };
    let why = "it is what makes a row's posting happen once";
    check_key(table, why, &mut add);
    if table.has_heirs {
        let hint = "Use a partitioned table, or keys that are unique over all of the tables.";
        let name = &table.name;
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
    let effects = Effects {
        on_insert: "rows that are inserted in the posting status are not posted",
        on_update: "rows that come to the posting status later are not posted",
        why: "they share the rows' idempotency keys",
    };
    let same = |one: &Trigger, other: &Trigger| one.arguments == other.arguments;
    check_counterpart(trigger, all, &same, &same_purpose, &effects, add);
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

fn same_purpose(one: &Trigger, other: &Trigger) -> bool {
    one.name != other.name && one.arguments.get(5).is_some() && one.arguments.get(5) == other.arguments.get(5)
}
