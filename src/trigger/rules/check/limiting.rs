//! What can be wrong with triggers that call `limit_on_insert()`.

use super::{Add, check_ledger};
use crate::trigger::rules::column::Holds;
use crate::trigger::rules::facts::{Books, Severity, Table, Trigger};
use crate::trigger::rules::limiting::Definition;

pub fn check(table: &Table, trigger: &Trigger, books: &Books, add: &mut Add) {
    use Severity::{Error, Warning};
    if trigger.is_after || !trigger.per_row {
        let hint = "Create it as BEFORE INSERT … FOR EACH ROW: what is refused must not be written first.";
        add(Error, "it does not fire BEFORE each row".to_owned(), hint);
    }
    if !trigger.on_insert || trigger.on_update || trigger.on_other {
        let hint = "Attach it to INSERT: a row spends when it comes.";
        add(Error, "it must fire on INSERT, on nothing else".to_owned(), hint);
    }
    let definition = match Definition::parse(&trigger.arguments) {
        Ok(definition) => definition,
        Err(problem) => return add(Error, problem.text, &problem.hint),
    };
    for problem in definition.resolve(&table.columns).err().into_iter().flatten() {
        add(Error, problem.text, &problem.hint);
    }
    let amount = table.columns.iter().find(|column| column.name == definition.amount);
    if let Some(column) = amount.filter(|column| column.holds == Holds::Float) {
        let hint = "Use numeric: a binary fraction cannot hold every amount exactly.";
        let problem = format!("the amount column \"{}\" is of type {}", column.name, column.type_name);
        add(Warning, problem, hint);
    }
    let ledger = definition.ledger.as_ref().and_then(|template| template.constant());
    check_ledger(definition.ledger.is_some(), ledger, books, add);
}

#[cfg(test)]
mod tests {
    use super::super::inspect;
    use super::*;
    use crate::trigger::rules::column::Column;
    use crate::trigger::rules::facts::Function;

    const ARGUMENTS: [&str; 2] = ["account=wallets:{member}", "amount=total"];

    fn found(change: impl Fn(&mut Table, &mut Trigger, &mut Books)) -> Vec<String> {
        let column =
            |name: &str, holds| Column { name: name.to_owned(), type_name: "some".to_owned(), holds };
        let columns = vec![column("member", Holds::Text), column("total", Holds::Numeric)];
        let name = "public.orders".to_owned();
        let mut table = Table { name, is_table: true, columns, ..Table::default() };
        let mut trigger = Trigger {
            name: "limited".to_owned(),
            function: Function::LimitOnInsert,
            arguments: ARGUMENTS.map(str::to_owned).to_vec(),
            is_after: false,
            on_insert: true,
            on_update: false,
            on_other: false,
            per_row: true,
            has_old_rows: false,
            has_new_rows: false,
            enabled: 'O',
            has_condition: false,
            has_columns: false,
            is_own_copy: false,
        };
        let mut books = Books { ledgers: vec!["main".to_owned()], ..Books::default() };
        change(&mut table, &mut trigger, &mut books);
        let findings = inspect(&table, &[trigger], &books, &|_| None);
        findings.iter().map(|finding| format!("{} {}", finding.severity, finding.problem)).collect()
    }

    /// Neither a primary key nor a trigger for UPDATE is missed.
    #[test]
    fn a_sound_trigger_has_no_findings() {
        assert_eq!(found(|_, _, _| {}), [""; 0]);
    }

    #[test]
    fn what_would_fail_is_found_before() {
        let one = |change: fn(&mut Table, &mut Trigger, &mut Books), words: &str| {
            let findings = found(change);
            assert!(findings.len() == 1 && findings[0].contains(words), "{words}: {findings:?}");
        };
        one(|_, trigger, _| trigger.is_after = true, "error it does not fire BEFORE each row");
        one(|_, trigger, _| trigger.per_row = false, "error it does not fire BEFORE each row");
        one(|_, trigger, _| trigger.on_update = true, "error it must fire on INSERT");
        one(|_, trigger, _| trigger.on_insert = false, "error it must fire on INSERT");
        one(|_, trigger, _| trigger.enabled = 'D', "error it is disabled");
        one(|_, trigger, _| trigger.has_condition = true, "note it has a WHEN condition");
        one(|_, trigger, _| trigger.arguments.truncate(1), "error the argument 'amount' is missing");
        one(
            |table, _, _| table.columns[0].name = "owner".to_owned(),
            "error the table has no column \"member\"",
        );
        one(|table, _, _| table.columns[1].holds = Holds::Float, "warning the amount column \"total\"");
        one(|_, _, books| books.ledgers.push("second".to_owned()), "warning there are 2 ledgers");
        one(
            |_, trigger, _| trigger.arguments.push("ledger=third".to_owned()),
            "error there is no ledger third",
        );
    }
}
