//! `escrow_on_status_change`: an order's status opens its escrow, marks it as shipped, releases or refunds it.
//!
//! Nothing is stored in the application's table: the escrow is found by its reference, and its own state
//! machine says what may be done to it. What it forbids makes the statement fail, so that an order never has
//! a status that its money has not.
//!
//! A firing whose rows neither come to a status of the mapping nor have one runs no statement at all. Each
//! escrow costs what the function of the same name would; see `escrow::together` for the locks of several.
//! Row triggers lock account after account in the order of the rows, as every transaction of several calls
//! does; PostgreSQL ends a circle with `try_again`. Ledgers go in the order of their names.

mod reader;
mod settle;

use super::rules::column::Problem;
use super::rules::escrowing::definition::Definition;
use super::rules::escrowing::{self as rules, Purchase, Stand, Step};
use super::rules::key::row_key;
use super::rules::posting::key_changed;
use super::source::{Event, Firing, Slot};
use super::{check_form, first, invalid_trigger, table_name};
use crate::error::Result;
use crate::ledger;
use crate::spi::Session;
use crate::spi::jsonb::Document;
use crate::trigger::rules::named;
use reader::Reader;
use std::collections::{BTreeMap, HashMap};

/// A trigger that reads its rows.
struct Context {
    definition: Definition,
    /// The table that names the rows: the root of a partitioned one.
    table: String,
}

/// A row that asks for something.
struct Wish {
    /// The row's primary key as text.
    row: String,
    reference: String,
    what: What,
}

enum What {
    Open(Purchase, Option<Document>),
    Ship(Option<String>),
    Release,
    Refund,
}

/// Wishes by the name of the ledger; without a name, of the session's.
type Ledgers = BTreeMap<Option<String>, Vec<Wish>>;

/// Runs one firing.
pub fn fire(firing: &Firing) -> Result<()> {
    let session = Session::connect();
    let table = table_name(&session, firing);
    let refuse = |problem: Problem| invalid_trigger(&problem, &firing.name(), &table);
    let otherwise =
        Problem::new("it must fire only on INSERT or UPDATE", "Deleting an order moves no money; cancel it.");
    check_form(firing, &[Event::Insert, Event::Update], otherwise).map_err(refuse)?;
    let definition = Definition::parse(&firing.arguments()).map_err(refuse)?;
    let (columns, attributes) = firing.columns();
    let places = definition.resolve(&columns).map_err(|problems| refuse(first(problems)))?;
    let key_columns = firing.key_columns();
    if key_columns.is_empty() {
        let hint = "ALTER TABLE … ADD PRIMARY KEY, not deferrable.";
        return Err(refuse(Problem::new("the table has no primary key", hint)));
    }
    let is_label = |label: &str| attributes[places.status].has_label(label);
    let values = definition.shown_values(&columns[places.status], is_label).map_err(refuse)?;
    let reader = Reader::new(&attributes, &columns, &places, &key_columns, values);
    let context = Context { definition, table };
    for (name, wishes) in collect(firing, reader, &context)? {
        let Some(first) = wishes.first() else { continue };
        let ledger = ledger::resolve(&session, name.as_deref())
            .map_err(|error| named(error, &first.row, &context.table))?;
        settle::settle(&session, &ledger, &context, &wishes)?;
    }
    Ok(())
}

/// Reads the rows and sorts what they ask for by ledger.
fn collect(firing: &Firing, mut reader: Reader, context: &Context) -> Result<Ledgers> {
    let mut ledgers = Ledgers::new();
    let mut outcome = Ok(());
    let paired = firing.pairs(|old, new| {
        if outcome.is_ok() && rules::matters(old.map(|old| reader.step(old)), reader.step(new)) {
            let before = old.map(|old| reader.stand(old));
            outcome = sort_in(&mut reader, context, &mut ledgers, before.as_ref(), new);
        }
    });
    outcome?;
    match paired {
        Some(()) => Ok(ledgers),
        None => collect_by_key(firing, reader, context),
    }
}

/// Where rows were dropped on their way to another partition: old and new meet by their keys.
fn collect_by_key(firing: &Firing, mut reader: Reader, context: &Context) -> Result<Ledgers> {
    let mut before: HashMap<Vec<String>, Stand> = HashMap::new();
    firing.old_rows(|old| {
        let stand = reader.stand(old);
        before.insert(stand.1.key.clone(), stand);
    });
    let mut ledgers = Ledgers::new();
    let mut outcome = Ok(());
    firing.new_rows(|new| {
        if outcome.is_err() {
            return;
        }
        let (step, names) = reader.stand(new);
        outcome = match before.remove(&names.key) {
            Some(old) => sort_in(&mut reader, context, &mut ledgers, Some(&old), new),
            None if step.is_none() => Ok(()),
            None => Err(key_changed(None, Some(&row_key(&names.key)), &context.table)),
        };
    });
    outcome?;
    match before.into_values().find(|(step, _)| step.is_some()) {
        Some((_, lost)) => Err(key_changed(Some(&row_key(&lost.key)), None, &context.table)),
        None => Ok(ledgers),
    }
}

/// Decides what a row's change asks for and puts it to its ledger.
fn sort_in(
    reader: &mut Reader,
    context: &Context,
    ledgers: &mut Ledgers,
    before: Option<&Stand>,
    new: Slot,
) -> Result<()> {
    let Context { definition, table } = context;
    let now = reader.stand(new);
    let Some(step) = rules::asked(definition, before, &now, table)? else { return Ok(()) };
    let names = &now.1;
    let Some((ledger, reference)) = rules::escrow(definition, step, names, table)? else { return Ok(()) };
    let what = match step {
        Step::Open => {
            let lines = reader.lines(new);
            let amount = reader.amount(new);
            What::Open(rules::purchase(definition, names, amount, lines.is_some(), table)?, lines)
        }
        Step::Ship => What::Ship(reader.tracking(new)),
        Step::Release => What::Release,
        Step::Refund => What::Refund,
    };
    ledgers.entry(ledger).or_default().push(Wish { row: row_key(&names.key), reference, what });
    Ok(())
}
