//! `match_on_insert`: a row of an application's staging table reports a movement at a bank.
//!
//! A row becomes what the provider would have sent and goes through the provider's own parser, so a staging
//! table, a webhook and `match_mutation` cannot read the same movement in different ways. Under which id a
//! movement is stored is the provider's matter, not the row's: a row that comes again is a duplicate.
//!
//! All rows of a statement are one call of the engine per ledger: see `bank::mutation` for its statements
//! and its locks. Ledgers go in the order of their names.
//!
//! A row that is not understood, or whose money the ledger cannot take in, makes the INSERT fail: the
//! application has it in hand, so nothing is lost. What is older than the opening balance is passed by,
//! since that balance contains it.

use super::field::{Field, RowMemory, texts};
use super::rules::column::{Column, Problem};
use super::rules::matching::{Definition, Places, unambiguous};
use super::rules::{Row, fill, is_null, key, named};
use super::source::{Attribute, Event, Firing, Slot};
use super::{check_form, first, invalid_trigger, table_name};
use crate::bank::rules::Line;
use crate::bank::webhook::intake::{self, From};
use crate::bank::webhook::refusal;
use crate::bank::webhook::rules::{Headers, parse};
use crate::error::{Code, Result};
use crate::ledger;
use crate::spi::{Session, settings};
use std::collections::BTreeMap;
use std::ffi::CStr;

/// What makes the text of a value the same in every session. Only while rows are read: the payments call
/// triggers of applications, whose day is that of their own time zone.
const READING: [(&CStr, &CStr); 5] = [
    (c"timezone", c"UTC"),
    (c"datestyle", c"ISO, YMD"),
    (c"intervalstyle", c"postgres"),
    (c"bytea_output", c"hex"),
    (c"extra_float_digits", c"1"),
];

/// What the rows report to one ledger: every line with the row that it stands in.
#[derive(Default)]
struct Reported {
    lines: Vec<Line>,
    rows: Vec<String>,
}

/// Reports by the name of the ledger; without a name, the session's.
type Ledgers = BTreeMap<Option<String>, Reported>;

/// Runs one firing.
pub fn fire(firing: &Firing) -> Result<()> {
    let session = Session::connect();
    let table = table_name(&session, firing);
    let refuse = |problem: Problem| invalid_trigger(&problem, &firing.name(), &table);
    let otherwise = Problem::new(
        "it must fire only on INSERT",
        "A movement is taken in when its row comes; changing or deleting the row changes nothing.",
    );
    check_form(firing, &[Event::Insert], otherwise).map_err(refuse)?;
    let definition = Definition::parse(&firing.arguments()).map_err(refuse)?;
    let (columns, attributes) = firing.columns();
    let places = definition.resolve(&columns).map_err(|problems| refuse(first(problems)))?;
    let mut reader = Reader::new(&attributes, &columns, &definition, &places, &firing.key_columns());
    let ledgers = settings::with(&READING, || collect(firing, &mut reader, &definition, &table))?;
    for (name, reported) in ledgers {
        take_in(&session, &definition, name.as_deref(), &reported, &table)?;
    }
    Ok(())
}

/// Reads what the definition names out of rows.
struct Reader {
    key: Vec<Field>,
    sources: Vec<Field>,
    /// Which of the sources are amounts in columns that hold numbers.
    numeric: Vec<bool>,
    placeholders: Vec<Field>,
    memory: RowMemory,
}

/// A row as the definition sees it.
struct Snapshot {
    key: Vec<Option<String>>,
    sources: Vec<Option<String>>,
    placeholders: Vec<Option<String>>,
}

impl Reader {
    fn new(
        attributes: &[Attribute],
        columns: &[Column],
        definition: &Definition,
        places: &Places,
        key: &[i16],
    ) -> Self {
        let fields = |places: &[usize]| {
            places.iter().map(|place| Field::trimmed(attributes[*place], &columns[*place])).collect()
        };
        Self {
            key: Field::of_numbers(attributes, key),
            sources: fields(&places.sources),
            numeric: definition.numeric_amounts(columns, places),
            placeholders: fields(&places.placeholders),
            memory: RowMemory::new(),
        }
    }

    fn read(&mut self, slot: Slot) -> Snapshot {
        let Self { key, sources, numeric, placeholders, memory } = self;
        memory.within(|| Snapshot {
            key: texts(key, slot),
            sources: texts(sources, slot)
                .into_iter()
                .zip(numeric.iter())
                .map(|(value, is_number)| if *is_number { value.map(unambiguous) } else { value })
                .collect(),
            placeholders: texts(placeholders, slot),
        })
    }
}

/// Reads the rows and what each reports.
fn collect(firing: &Firing, reader: &mut Reader, definition: &Definition, table: &str) -> Result<Ledgers> {
    let mut ledgers = Ledgers::new();
    let mut outcome = Ok(());
    let mut count = 0;
    firing.inserted(|slot| {
        if outcome.is_ok() {
            count += 1;
            outcome = visit(reader.read(slot), count, definition, table, &mut ledgers);
        }
    });
    outcome.map(|()| ledgers)
}

/// `number` names the row where no primary key does.
fn visit(
    row: Snapshot,
    number: usize,
    definition: &Definition,
    table: &str,
    ledgers: &mut Ledgers,
) -> Result<()> {
    let key: Vec<String> = row.key.into_iter().map(Option::unwrap_or_default).collect();
    let key = if key.is_empty() { number.to_string() } else { key::row_key(&key) };
    let at = Row { key: &key, table };
    let ledger = match &definition.ledger {
        Some(template) => Some(fill(template, &definition.placeholders, &row.placeholders, at)?),
        None => None,
    };
    let body = definition.body(row.sources).map_err(|column| is_null(column, &key, table))?;
    let lines = parse(definition.provider, &Headers::default(), &body)
        .map_err(|bad| named(refusal::not_understood(bad.reason, &bad.message, None), &key, table))?;
    let reported = ledgers.entry(ledger).or_default();
    for line in lines {
        if let Err(bad) = &line {
            let error = refusal::not_understood(bad.reason, &bad.message, bad.id.as_deref());
            return Err(named(error, &key, table));
        }
        reported.lines.push(line);
        reported.rows.push(key.clone());
    }
    Ok(())
}

/// Takes in what the rows report to one ledger.
fn take_in(
    session: &Session,
    definition: &Definition,
    ledger: Option<&str>,
    reported: &Reported,
    table: &str,
) -> Result<()> {
    let Some(first) = reported.rows.first() else { return Ok(()) };
    let ledger = ledger::resolve(session, ledger).map_err(|error| named(error, first, table))?;
    let from = From::Provider(definition.provider);
    let outcomes = intake::process(session, &ledger, &from, &reported.lines, true)?;
    for (outcome, row) in outcomes.iter().zip(&reported.rows) {
        if outcome.is_rejected() {
            let error = refusal::rejected(outcome);
            if error.code != Code::BeforeOpening {
                return Err(named(error, row, table));
            }
        }
    }
    Ok(())
}
