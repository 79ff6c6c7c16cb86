//! What check_trigger() finds: everything that would fail when the trigger fires, and everything that
//! would let a row's money go unposted without an error.

mod escrowing;
mod limiting;
mod marking;
mod matching;
mod posting;
mod status;

use super::facts::{Books, Finding, Function, Marked, Severity, Table, Trigger};
use super::marking::Definition as Marking;

/// Row by row is noticeably slower than a statement at once from about here on.
const BIG_TABLE_ROWS: i64 = 10_000;

/// Takes severity, problem and hint.
type Add<'a> = dyn FnMut(Severity, String, &str) + 'a;

/// Everything found, the table's own problems first, then trigger by trigger. `find_marked` looks for the
/// table that an `update_on_intent` trigger names.
pub fn inspect(
    table: &Table,
    triggers: &[Trigger],
    books: &Books,
    find_marked: &dyn Fn(&Marking) -> Option<Marked>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !check_table(table, triggers, &mut findings) {
        return findings;
    }
    for trigger in triggers {
        let mut add = |severity, text: String, hint: &str| {
            let (trigger, hint) = (Some(trigger.name.clone()), hint.to_owned());
            findings.push(Finding { trigger, severity, problem: text, hint });
        };
        check_common(trigger, &mut add);
        let alike = || -> Vec<&Trigger> {
            triggers.iter().filter(|other| other.function == trigger.function).collect()
        };
        match trigger.function {
            Function::PostOnStatusChange => posting::check(table, trigger, &alike(), books, &mut add),
            Function::EscrowOnStatusChange => escrowing::check(table, trigger, &alike(), books, &mut add),
            Function::MatchOnInsert => matching::check(table, trigger, books, &mut add),
            Function::LimitOnInsert => limiting::check(table, trigger, books, &mut add),
            Function::UpdateOnIntent => marking::check(table, trigger, books, find_marked, &mut add),
        }
    }
    findings
}

/// False where there is nothing that triggers could be checked on.
fn check_table(table: &Table, triggers: &[Trigger], findings: &mut Vec<Finding>) -> bool {
    let mut add = |severity, problem: String, hint: String| {
        findings.push(Finding { trigger: None, severity, problem, hint });
    };
    let name = &table.name;
    if !table.is_table {
        let hint = "Attach the trigger to the table behind it.".to_owned();
        add(Severity::Error, format!("{name} is not a table"), hint);
        return false;
    }
    if triggers.is_empty() {
        let functions = Function::ALL.map(Function::name).join(", ");
        add(
            Severity::Warning,
            format!("{name} has no trigger that calls a function of the ledger"),
            format!(
                "Create one with CREATE TRIGGER … EXECUTE FUNCTION wallet_ledger.…; there are {functions}."
            ),
        );
        return false;
    }
    let calls = |function| triggers.iter().any(|trigger| trigger.function == function);
    if calls(Function::PostOnStatusChange) {
        posting::check_table(table, findings);
    } else if calls(Function::EscrowOnStatusChange) {
        escrowing::check_table(table, findings);
    }
    true
}

/// What goes for all of the functions.
fn check_common(trigger: &Trigger, add: &mut Add) {
    use Severity::{Error, Note, Warning};
    // A limit is asked before anything is written; it says so itself.
    if !trigger.is_after && trigger.function != Function::LimitOnInsert {
        let hint = "Make it an AFTER trigger: money follows what was written.";
        add(Error, "it does not fire AFTER the change".to_owned(), hint);
    }
    match trigger.enabled {
        'D' => {
            let hint = "ALTER TABLE … ENABLE TRIGGER …; rows changed meanwhile are passed over.";
            add(Error, "it is disabled".to_owned(), hint);
        }
        'R' => add(Warning, "it fires in replica mode only".to_owned(), "ALTER TABLE … ENABLE TRIGGER …"),
        _ => {}
    }
    if trigger.has_condition {
        let hint = "Rows that the condition leaves out are passed over.";
        add(Note, "it has a WHEN condition".to_owned(), hint);
    }
    if trigger.is_own_copy {
        let hint =
            "Right where statements name the partition itself; what was taken in once is not taken in again.";
        add(Note, "it is the partition's own, besides the parent's".to_owned(), hint);
    }
}

/// Whether the ledger that a trigger names for every row is there; and a warning where it names none and
/// there are several.
fn check_ledger(names_one: bool, constant: Option<&str>, books: &Books, add: &mut Add) -> bool {
    if let Some(ledger) = constant
        && !books.ledgers.iter().any(|known| known == ledger)
    {
        add(Severity::Error, format!("there is no ledger {ledger}"), "Create it with create_ledger().");
        return false;
    }
    if !names_one && books.ledgers.len() > 1 {
        let hint = "Name the ledger in the trigger's last argument: otherwise the session's setting decides, and a row could be taken in by two ledgers.";
        add(Severity::Warning, format!("there are {} ledgers and it names none", books.ledgers.len()), hint);
    }
    true
}

#[cfg(test)]
mod tests;
