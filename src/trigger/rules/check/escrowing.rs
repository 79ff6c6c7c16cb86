//! What can be wrong with triggers that call `escrow_on_status_change()`.

use super::status::{Effects, check_counterpart, check_form, check_key};
use super::{Add, check_ledger};
use crate::rate::rules::DEFAULTS;
use crate::trigger::rules::column::Holds;
use crate::trigger::rules::escrowing::Step;
use crate::trigger::rules::escrowing::definition::{Definition, Goods};
use crate::trigger::rules::facts::{Books, Finding, Severity, Table, Trigger};

/// What the table needs so that its rows have names.
pub fn check_table(table: &Table, findings: &mut Vec<Finding>) {
    let mut add = |severity, problem: String, hint: &str| {
        findings.push(Finding { trigger: None, severity, problem, hint: hint.to_owned() });
    };
    check_key(table, "it names the rows", &mut add);
}

/// Everything about one trigger; `all` are those of the table that call the same function.
pub fn check(table: &Table, trigger: &Trigger, all: &[&Trigger], books: &Books, add: &mut Add) {
    check_form(table, trigger, add);
    match Definition::parse(&trigger.arguments) {
        Ok(definition) => check_arguments(table, &definition, books, add),
        Err(problem) => add(Severity::Error, problem.text, &problem.hint),
    }
    let effects = Effects {
        on_insert: "rows that are inserted in a status of the mapping are passed over",
        on_update: "rows that come to a status of the mapping later are passed over",
        why: "they are about the same escrows",
    };
    let words = |trigger: &Trigger| {
        let mut words = trigger.arguments.clone();
        words.sort_unstable();
        words
    };
    let same = |one: &Trigger, other: &Trigger| words(one) == words(other);
    let same_purpose =
        |one: &Trigger, other: &Trigger| one.name != other.name && reference(one) == reference(other);
    check_counterpart(trigger, all, &same, &same_purpose, &effects, add);
    check_once(trigger, all, add);
}

/// The word that says which escrows a trigger is about.
fn reference(trigger: &Trigger) -> Option<&String> {
    trigger.arguments.iter().find(|word| word.starts_with("reference="))
}

/// Of two triggers that do the same thing, the second is refused. The first in name order speaks.
fn check_once(trigger: &Trigger, all: &[&Trigger], add: &mut Add) {
    let again = |other: &&&Trigger| {
        other.name > trigger.name
            && reference(other) == reference(trigger)
            && (other.on_insert && trigger.on_insert || other.on_update && trigger.on_update)
    };
    let Some(other) = all.iter().find(again) else { return };
    let is_certain = !(other.has_condition || trigger.has_condition);
    let severity = if is_certain { Severity::Error } else { Severity::Warning };
    let hint = "Keep one for each event: what the first has done to an escrow, the second may not do again.";
    add(severity, format!("trigger {} acts on the same escrows for the same event", other.name), hint);
}

fn check_arguments(table: &Table, definition: &Definition, books: &Books, add: &mut Add) {
    match definition.resolve(&table.columns) {
        Err(problems) => {
            for problem in problems {
                add(Severity::Error, problem.text, &problem.hint);
            }
        }
        Ok(places) => {
            let is_label = |value: &str| table.labels[places.status].iter().any(|label| label == value);
            if let Err(problem) = definition.shown_values(&table.columns[places.status], is_label) {
                add(Severity::Error, problem.text, &problem.hint);
            }
            let amount = places.amount.map(|place| &table.columns[place]);
            if let Some(column) = amount.filter(|column| column.holds == Holds::Float) {
                let hint = "Use numeric: a binary fraction cannot hold every amount exactly.";
                let problem =
                    format!("the amount column \"{}\" is of type {}", column.name, column.type_name);
                add(Severity::Warning, problem, hint);
            }
        }
    }
    if definition.value(Step::Ship).is_none() {
        let hint = "Name the value that says so, shipped=…, or call mark_shipped().";
        let problem = "no status value stands for shipped: nothing is released by the clock";
        add(Severity::Note, problem.to_owned(), hint);
    }
    check_books(definition, books, add);
}

fn check_books(definition: &Definition, books: &Books, add: &mut Add) {
    let ledger = definition.ledger.as_ref().and_then(|template| template.constant());
    if !check_ledger(definition.ledger.is_some(), ledger, books, add) {
        return;
    }
    let Goods::One { fee: Some(fee), .. } = &definition.goods else { return };
    let was_set =
        books.rates.iter().any(|(owner, rate)| rate == fee && ledger.is_none_or(|ledger| ledger == owner));
    if !was_set && !DEFAULTS.iter().any(|(rate, _)| rate == fee) {
        let hint = format!("SELECT wallet_ledger.set_rate('{fee}', …): without it no escrow can be opened.");
        add(Severity::Note, format!("there is no rate {fee} yet"), &hint);
    }
}
