//! What goes for every trigger that follows the status of a table's rows.

use super::{Add, BIG_TABLE_ROWS};
use crate::trigger::rules::facts::{Severity, Table, Trigger};

/// The table needs a key that names its rows; `why` ends the hint.
pub fn check_key(table: &Table, why: &str, add: &mut Add) {
    let name = &table.name;
    if !table.has_key {
        let hint = format!("ALTER TABLE … ADD PRIMARY KEY: {why}.");
        add(Severity::Error, format!("{name} has no primary key"), &hint);
    } else if table.key_is_deferrable {
        let hint =
            "Make the primary key NOT DEFERRABLE: two rows must never share it, not even for a moment.";
        add(Severity::Error, format!("the primary key of {name} is deferrable"), hint);
    }
}

pub fn check_form(table: &Table, trigger: &Trigger, add: &mut Add) {
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

/// What happens to rows where one of the two events has no trigger.
pub struct Effects {
    pub on_insert: &'static str,
    pub on_update: &'static str,
    /// Why both must have the same arguments.
    pub why: &'static str,
}

/// Compares two triggers.
type Compare<'a> = dyn Fn(&Trigger, &Trigger) -> bool + 'a;

/// Whether a trigger fires on an event.
type Covers = fn(&Trigger) -> bool;

/// A row must be seen whichever way it comes to its status.
///
/// `same`: two triggers with the same arguments; `same_purpose`: two that should have them.
pub fn check_counterpart(
    trigger: &Trigger,
    all: &[&Trigger],
    same: &Compare,
    same_purpose: &Compare,
    effects: &Effects,
    add: &mut Add,
) {
    let fires = |other: &Trigger| other.is_after && !matches!(other.enabled, 'D' | 'R');
    if !fires(trigger) {
        return;
    }
    let events: [(&str, Covers, &str); 2] = [
        ("INSERT", |other| other.on_insert, effects.on_insert),
        ("UPDATE", |other| other.on_update, effects.on_update),
    ];
    for (event, covers, effect) in events {
        let others: Vec<&Trigger> =
            all.iter().copied().filter(|other| fires(other) && covers(other)).collect();
        if others.iter().any(|other| same(other, trigger)) {
            continue;
        }
        // Of the two that differ, the first in name order speaks.
        match others.iter().find(|other| same_purpose(other, trigger)) {
            Some(other) if trigger.name < other.name => add(
                Severity::Error,
                format!("its arguments differ from those of trigger {}", other.name),
                &format!("Give both triggers the same arguments: {}.", effects.why),
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
