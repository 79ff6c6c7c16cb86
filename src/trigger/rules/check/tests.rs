use super::*;
use crate::trigger::rules::column::{Column, Holds};
use crate::trigger::rules::marking::KeyType;

fn table() -> Table {
    let column = |name: &str, holds| Column { name: name.to_owned(), type_name: "some".to_owned(), holds };
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
        function: Function::PostOnStatusChange,
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

fn books() -> Books {
    Books { ledgers: vec!["main".to_owned()], providers: vec![1], ..Books::default() }
}

fn found(change: impl Fn(&mut Table, &mut [Trigger; 2], &mut Books)) -> Vec<(Severity, String)> {
    let (mut table, mut triggers) = (table(), triggers());
    let mut books = books();
    change(&mut table, &mut triggers, &mut books);
    inspect(&table, &triggers, &books, &|_| None)
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
    assert!(words(|_, triggers| triggers[1].has_new_rows = false).contains("without its transition table"));
    assert!(words(|table, _| table.has_key = false).contains("no primary key"));
    assert!(words(|_, triggers| triggers[1].on_other = true).contains("DELETE"));
    assert!(
        words(|_, triggers| triggers[1].arguments[3] = "wallets:x".to_owned()).contains("arguments differ")
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

/// What is said about one trigger of another function on a table with these columns.
fn found_alone(
    function: Function,
    arguments: &[&str],
    change: impl Fn(&mut Table, &mut Trigger, &mut Books, &mut Marked),
) -> Vec<String> {
    let [update, insert] = triggers();
    let of = |trigger: Trigger| Trigger {
        function,
        arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
        ..trigger
    };
    let mut trigger = if function == Function::MatchOnInsert { of(insert) } else { of(update) };
    let mut table = table();
    table.columns.push(Column {
        name: "payload".to_owned(),
        type_name: "jsonb".to_owned(),
        holds: Holds::Jsonb,
    });
    if function == Function::UpdateOnIntent {
        table.name = "wallet_data.intents".to_owned();
    }
    let column = |name: &str, holds| Column { name: name.to_owned(), type_name: "some".to_owned(), holds };
    let mut marked = Marked {
        is_table: true,
        columns: vec!["id".to_owned(), "status".to_owned()],
        key: Some((column("id", Holds::Integer), Some(KeyType::Int8))),
        key_is_indexed: true,
        status: Some((column("status", Holds::Enum), vec!["new".to_owned(), "paid".to_owned()])),
        ..Marked::default()
    };
    let mut books = books();
    change(&mut table, &mut trigger, &mut books, &mut marked);
    let find = |wanted: &Marking| (wanted.table == "orders").then(|| marked.clone());
    inspect(&table, &[trigger], &books, &find)
        .into_iter()
        .map(|finding| format!("{} {}", finding.severity, finding.problem))
        .collect()
}

#[test]
fn staging_tables_are_checked() {
    let found = |arguments: &[&str], change: fn(&mut Table, &mut Trigger, &mut Books)| {
        found_alone(Function::MatchOnInsert, arguments, |table, trigger, books, _| {
            change(table, trigger, books);
        })
    };
    let nothing = |_: &mut Table, _: &mut Trigger, _: &mut Books| {};
    let document = &["moota", "payload"][..];
    let fields = &["moota", "id=id", "bank_id=owner_id", "date=status", "amount=amount", "type=status"][..];
    for arguments in [document, fields, &["moota", "payload", "ledger={owner_id}"]] {
        assert_eq!(found(arguments, nothing), [""; 0], "{arguments:?}");
    }
    // A key is not needed, and a partitioned table is no different.
    assert_eq!(
        found(document, |table, _, _| {
            table.has_key = false;
            table.is_partitioned = true;
            table.has_heirs = true;
        }),
        [""; 0]
    );
    let form = |change| found(document, change).join("; ");
    assert!(form(|_, trigger, _| trigger.has_new_rows = false).starts_with("error it fires on INSERT, per"));
    assert!(form(|_, trigger, _| trigger.on_update = true).starts_with("error it must fire on INSERT"));
    assert!(form(|_, trigger, _| trigger.on_other = true).starts_with("error it must fire on INSERT"));
    assert!(form(|_, trigger, _| trigger.is_after = false).starts_with("error it does not fire AFTER"));
    assert!(form(|_, trigger, _| trigger.enabled = 'D').starts_with("error it is disabled"));
    assert!(form(|_, _, books| books.providers = vec![2]).starts_with("warning no bank account of moota"));
    assert!(
        form(|_, _, books| books.ledgers.push("b".to_owned())).starts_with("warning there are 2 ledgers")
    );
    assert!(
        form(|table, trigger, _| {
            trigger.per_row = true;
            trigger.has_new_rows = false;
            table.rows = 20_000;
        })
        .starts_with("note it fires per row on a table of about 20000")
    );
    let arguments = |arguments: &[&str]| found(arguments, nothing).join("; ");
    assert!(arguments(&["moota"]).starts_with("error it has 1 arguments"));
    assert!(arguments(&["moota", "body"]).starts_with("error the table has no column \"body\""));
    assert!(arguments(&["moota", "amount"]).starts_with("error column \"amount\" is of type some"));
    assert!(arguments(&["mootaa", "payload"]).starts_with("error there is no provider"));
    assert!(arguments(&["moota", "payload", "ledger=second"]).starts_with("error there is no ledger second"));
    let float = found(fields, |table, _, _| table.columns[3].holds = Holds::Float).join("; ");
    assert!(float.starts_with("warning the amount column \"amount\""), "{float}");
}

#[test]
fn tables_that_a_payment_marks_are_checked() {
    let orders = ["public.orders", "id", "status", "paid", "new", "order", "main"];
    let found = |change: fn(&mut Table, &mut Trigger, &mut Marked)| {
        found_alone(Function::UpdateOnIntent, &orders, |table, trigger, _, marked| {
            change(table, trigger, marked);
        })
        .join("; ")
    };
    assert_eq!(found(|_, _, _| {}), "");
    assert!(found(|table, _, _| table.name = "public.x".to_owned()).starts_with("error public.x is not"));
    assert!(found(|_, trigger, _| trigger.on_insert = true).starts_with("error it must fire on UPDATE"));
    assert!(found(|_, trigger, _| trigger.has_old_rows = false).contains("both transition tables"));
    assert!(found(|_, trigger, _| trigger.per_row = true).starts_with("note it fires per row"));
    assert!(found(|_, trigger, _| trigger.arguments.truncate(3)).starts_with("error it has 3 arguments"));
    assert!(
        found(|_, trigger, _| trigger.arguments[6] = "b".to_owned()).starts_with("error there is no ledger")
    );
    assert!(
        found(|_, trigger, _| trigger.arguments[0] = "public.order".to_owned())
            .starts_with("error there is no table public.order")
    );
    assert!(
        found(|_, trigger, _| trigger.arguments[3] = "Paid".to_owned()).starts_with("error 'Paid' is not")
    );
    assert!(
        found(|_, _, marked| marked.key_is_indexed = false).starts_with("warning no index of public.orders")
    );
    assert!(found(|_, _, marked| marked.forces_row_security = true).starts_with("warning row security"));
    assert!(
        found(|_, _, marked| marked.deferred = vec!["late".to_owned()])
            .starts_with("error trigger late of public.orders is initially deferred")
    );
    assert!(
        found(|_, _, marked| marked.open_functions = vec!["shop.note".to_owned()])
            .starts_with("note shop.note(), a trigger function")
    );
}

const ORDERS: [&str; 7] = [
    "status_column=status",
    "opened=paid",
    "shipped=pending",
    "reference={id}",
    "buyer=wallets:{owner_id}",
    "beneficiary=shop",
    "amount=amount",
];

#[test]
fn tables_of_orders_are_checked() {
    let found = |arguments: &[&str], change: fn(&mut Table, &mut Trigger, &mut Books)| {
        let findings = found_alone(Function::EscrowOnStatusChange, arguments, |table, trigger, books, _| {
            // Per row, one trigger does for both events.
            trigger.per_row = true;
            trigger.on_insert = true;
            change(table, trigger, books);
        });
        findings.join("; ")
    };
    let with = |words: &[&'static str]| -> String {
        let name = |word: &str| word.split_once('=').map(|(name, _)| name.to_owned());
        let kept = ORDERS.iter().filter(|word| !words.iter().any(|other| name(other) == name(word)));
        let arguments: Vec<&str> = kept.chain(words).copied().filter(|word| !word.ends_with('=')).collect();
        found(&arguments, |_, _, _| {})
    };
    assert_eq!(found(&ORDERS, |_, _, _| {}), "");
    assert_eq!(with(&["fee=merchant_commission", "ledger={owner_id}"]), "");
    assert_eq!(with(&["beneficiary=", "lines=payload"]), "");
    for (words, finding) in [
        (&["status_column=state"][..], "error the table has no column \"state\" (status column)"),
        (&["buyer="], "error the argument 'buyer' is missing"),
        (&["opened=Paid"], "error 'Paid' is not a value of column \"status\""),
        (&["shipped=paid"], "error 'paid' stands for opened and for shipped"),
        (&["beneficiary=", "lines=owner_id"], "error column \"owner_id\" (lines) is of type some"),
        (&["amount=payload"], "error the amount column \"payload\" is of type jsonb"),
        (&["shipped="], "note no status value stands for shipped"),
        (&["fee=gift_wrap"], "note there is no rate gift_wrap yet"),
        (&["ledger=second"], "error there is no ledger second"),
    ] {
        assert!(with(words).starts_with(finding), "{words:?}: {}", with(words));
    }
    let form = |change| found(&ORDERS, change);
    assert!(form(|table, _, _| table.has_key = false).starts_with("error public.topups has no primary key"));
    assert!(form(|table, _, _| table.key_is_deferrable = true).starts_with("error the primary key"));
    assert!(form(|_, trigger, _| trigger.is_after = false).starts_with("error it does not fire AFTER"));
    assert!(form(|_, trigger, _| trigger.on_other = true).starts_with("error it fires on DELETE"));
    assert!(form(|_, trigger, _| trigger.enabled = 'D').starts_with("error it is disabled"));
    assert!(
        form(|table, _, _| table.is_partitioned = true).starts_with("warning it fires per row on a part")
    );
    assert!(form(|table, _, _| table.columns[3].holds = Holds::Float).starts_with("warning the amount"));
    assert!(
        form(|_, _, books| books.ledgers.push("b".to_owned())).starts_with("warning there are 2 ledgers")
    );
    let one_event = found_alone(Function::EscrowOnStatusChange, &ORDERS, |_, _, _, _| {});
    assert_eq!(one_event.len(), 1, "{one_event:?}");
    assert!(
        one_event[0].starts_with("warning no trigger with the same arguments fires on INSERT: rows that")
    );
}

#[test]
fn a_pair_for_orders_has_the_same_words_in_any_order() {
    let pair = |second: &[&str], also_updates: bool| {
        let [update, insert] = triggers();
        let of = |trigger: Trigger, arguments: &[&str]| Trigger {
            function: Function::EscrowOnStatusChange,
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
            ..trigger
        };
        let both = [of(update, &ORDERS), Trigger { on_update: also_updates, ..of(insert, second) }];
        let findings = inspect(&table(), &both, &books(), &|_| None);
        findings.into_iter().map(|finding| finding.problem).collect::<Vec<_>>()
    };
    let mut reversed = ORDERS;
    reversed.reverse();
    assert_eq!(pair(&reversed, false), [""; 0]);
    let twice = "trigger b_insert acts on the same escrows for the same event";
    assert!(pair(&reversed, true).iter().any(|problem| problem == twice));
    reversed[0] = "amount=id";
    assert_eq!(pair(&reversed, false), ["its arguments differ from those of trigger b_insert"]);
    reversed[0] = "amount=amount";
    reversed[3] = "reference=gift-{id}";
    assert!(
        pair(&reversed, false)
            .iter()
            .all(|problem| problem.starts_with("no trigger with the same arguments"))
    );
}
