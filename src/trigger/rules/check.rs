//! What check_trigger() finds: everything that would fail when the trigger fires, and everything that
//! would let a row's money go unposted without an error.

use super::definition::{Definition, Holds, Problem, shown};
use super::facts::{Books, Finding, Severity, Table, Trigger};
use crate::ledger::rules::built_in_kind;

/// Row by row is noticeably slower than a statement at once from about here on.
const BIG_TABLE_ROWS: i64 = 10_000;

/// Everything found, the table's own problems first, then trigger by trigger.
pub fn inspect(table: &Table, triggers: &[Trigger], books: &Books) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_table(table, triggers, &mut findings);
    for trigger in triggers {
        let mut add = |severity, text: String, hint: &str| {
            let (trigger, hint) = (Some(trigger.name.clone()), hint.to_owned());
            findings.push(Finding { trigger, severity, problem: text, hint });
        };
        check_form(table, trigger, &mut add);
        match Definition::parse(&trigger.arguments) {
            Ok(definition) => check_arguments(table, &definition, books, &mut add),
            Err(problem) => add(Severity::Error, problem.text, &problem.hint),
        }
        check_counterpart(trigger, triggers, &mut add);
    }
    findings
}

/// Takes severity, problem and hint.
type Add<'a> = dyn FnMut(Severity, String, &str) + 'a;

fn check_table(table: &Table, triggers: &[Trigger], findings: &mut Vec<Finding>) {
    let mut add = |severity, problem: String, hint: &str| {
        findings.push(Finding { trigger: None, severity, problem, hint: hint.to_owned() });
    };
    let name = &table.name;
    if !table.is_table {
        add(Severity::Error, format!("{name} is not a table"), "Attach the trigger to the table behind it.");
        return;
    }
    if triggers.is_empty() {
        add(
            Severity::Warning,
            format!("{name} has no trigger that calls post_on_status_change()"),
            "Create one with CREATE TRIGGER … EXECUTE FUNCTION wallet_ledger.post_on_status_change(…).",
        );
        return;
    }
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

fn check_form(table: &Table, trigger: &Trigger, add: &mut Add) {
    use Severity::{Error, Note, Warning};
    if !trigger.is_after {
        add(
            Error,
            "it does not fire AFTER the change".to_owned(),
            "Make it an AFTER trigger: money follows what was written.",
        );
    }
    if trigger.on_other {
        add(
            Error,
            "it fires on DELETE or TRUNCATE".to_owned(),
            "Attach it to INSERT and UPDATE; deleting a row moves no money.",
        );
    }
    match trigger.enabled {
        'D' => add(
            Error,
            "it is disabled".to_owned(),
            "ALTER TABLE … ENABLE TRIGGER …; rows changed meanwhile are not posted.",
        ),
        'R' => add(Warning, "it fires in replica mode only".to_owned(), "ALTER TABLE … ENABLE TRIGGER …"),
        _ => {}
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
    if trigger.has_condition {
        add(Note, "it has a WHEN condition".to_owned(), "Rows that the condition leaves out are not posted.");
    }
    if trigger.has_columns {
        let hint = "A status that a BEFORE trigger sets is not seen; leave the column list out.";
        add(Note, "it fires for UPDATE OF certain columns only".to_owned(), hint);
    }
    if trigger.is_own_copy {
        let hint = "Right where statements name the partition itself; both use the root's keys, so a row still posts once.";
        add(Note, "it is the partition's own, besides the parent's".to_owned(), hint);
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
    if let Some(ledger) = ledger
        && !books.ledgers.iter().any(|known| known == ledger)
    {
        add(Severity::Error, format!("there is no ledger {ledger}"), "Create it with create_ledger().");
        return;
    }
    if definition.ledger.is_none() && books.ledgers.len() > 1 {
        let hint = "Name the ledger in the trigger's last argument: otherwise the session's setting decides, and a row could be posted in two ledgers.";
        add(Severity::Warning, format!("there are {} ledgers and it names none", books.ledgers.len()), hint);
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
fn check_counterpart(trigger: &Trigger, all: &[Trigger], add: &mut Add) {
    let fires = |other: &&Trigger| other.is_after && !matches!(other.enabled, 'D' | 'R');
    if !fires(&trigger) {
        return;
    }
    let events: [(&str, Covers, &str); 2] = [
        ("INSERT", |other| other.on_insert, "rows that are inserted in the posting status are not posted"),
        ("UPDATE", |other| other.on_update, "rows that come to the posting status later are not posted"),
    ];
    for (event, covers, effect) in events {
        let others: Vec<&Trigger> = all.iter().filter(fires).filter(|other| covers(other)).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::rules::definition::Column;

    fn table() -> Table {
        let column =
            |name: &str, holds| Column { name: name.to_owned(), type_name: "some".to_owned(), holds };
        Table {
            name: "public.topups".to_owned(),
            is_table: true,
            has_key: true,
            columns: vec![
                column("id", Holds::Integer),
                column("status", Holds::Enum),
                column("owner_id", Holds::Text),
                column("amount", Holds::Numeric),
            ],
            labels: vec![vec![], vec!["pending".to_owned(), "paid".to_owned()], vec![], vec![]],
            ..Table::default()
        }
    }

    fn triggers() -> [Trigger; 2] {
        let arguments = ["status", "paid", "banks:bca:1", "wallets:{owner_id}", "amount", "topup"];
        let update = Trigger {
            name: "a_update".to_owned(),
            arguments: arguments.map(str::to_owned).to_vec(),
            is_after: true,
            on_insert: false,
            on_update: true,
            on_other: false,
            per_row: false,
            has_old_rows: true,
            has_new_rows: true,
            enabled: 'O',
            has_condition: false,
            has_columns: false,
            is_own_copy: false,
        };
        let insert = Trigger {
            name: "b_insert".to_owned(),
            on_insert: true,
            on_update: false,
            has_old_rows: false,
            ..update.clone()
        };
        [update, insert]
    }

    fn found(change: impl Fn(&mut Table, &mut [Trigger; 2], &mut Books)) -> Vec<(Severity, String)> {
        let (mut table, mut triggers) = (table(), triggers());
        let mut books = Books { ledgers: vec!["main".to_owned()], own_kinds: vec![] };
        change(&mut table, &mut triggers, &mut books);
        inspect(&table, &triggers, &books)
            .into_iter()
            .map(|finding| (finding.severity, finding.problem))
            .collect()
    }

    fn set_argument(triggers: &mut [Trigger; 2], index: usize, value: &str) {
        for trigger in triggers {
            trigger.arguments[index] = value.to_owned();
        }
    }

    #[test]
    fn a_sound_pair_has_no_findings() {
        assert_eq!(found(|_, _, _| {}), []);
    }

    #[test]
    fn arguments_are_held_against_the_table() {
        for (index, value, words) in [
            (0, "state", "no column \"state\""),
            (1, "Paid", "'Paid' is not a value"),
            (2, "banks:{bank}", "no column \"bank\""),
            (3, "wallets:{owner_id", "malformed"),
            (4, "ammount", "no column \"ammount\""),
            (4, "status", "no number"),
            (5, "reversal", "written by the ledger itself"),
            (5, "top_up", "no kind top_up"),
        ] {
            let findings = found(|table, triggers, _| {
                table.columns[1].holds = if value == "status" { Holds::Other } else { Holds::Enum };
                set_argument(triggers, index, value);
            });
            assert_eq!(findings.len(), 2, "{value}: {findings:?}");
            assert!(
                findings
                    .iter()
                    .all(|(severity, problem)| *severity == Severity::Error && problem.contains(words)),
                "{findings:?}"
            );
        }
        assert!(
            found(|_, triggers, _| triggers.iter_mut().for_each(|trigger| trigger.arguments.truncate(5)))[0]
                .1
                .contains("5 arguments")
        );
    }

    #[test]
    fn form_and_counterpart() {
        let words = |change: fn(&mut Table, &mut [Trigger; 2])| {
            let findings = found(|table, triggers, _| change(table, triggers));
            assert_eq!(findings.len(), 1, "{findings:?}");
            findings[0].1.clone()
        };
        assert!(words(|_, triggers| triggers[0].has_old_rows = false).contains("both transition tables"));
        assert!(
            words(|_, triggers| triggers[1].has_new_rows = false).contains("without its transition table")
        );
        assert!(words(|table, _| table.has_key = false).contains("no primary key"));
        assert!(words(|_, triggers| triggers[1].on_other = true).contains("DELETE"));
        assert!(
            words(|_, triggers| triggers[1].arguments[3] = "wallets:x".to_owned())
                .contains("arguments differ")
        );
        assert!(
            words(|table, triggers| {
                triggers[0].per_row = true;
                triggers[0].has_old_rows = false;
                table.rows = 50_000;
            })
            .contains("50000 rows")
        );
        let disabled = found(|_, triggers, _| triggers[1].enabled = 'D');
        assert!(disabled.iter().any(|(_, problem)| problem.contains("disabled")));
        assert!(disabled.iter().any(|(_, problem)| problem.contains("fires on INSERT")));
        let before = found(|_, triggers, _| triggers[0].is_after = false);
        assert!(before.iter().any(|(_, problem)| problem.contains("AFTER")));
    }

    #[test]
    fn several_ledgers_need_a_name() {
        let findings = found(|_, _, books| books.ledgers.push("second".to_owned()));
        assert!(
            findings
                .iter()
                .all(|(severity, problem)| *severity == Severity::Warning && problem.contains("2 ledgers"))
        );
        assert_eq!(findings.len(), 2);
        let named = found(|_, triggers, books| {
            books.ledgers.push("second".to_owned());
            triggers
                .iter_mut()
                .for_each(|trigger| trigger.arguments.extend(["".to_owned(), "second".to_owned()]));
        });
        assert_eq!(named, []);
    }
}
