//! `post_on_status_change`: a change of a row's status moves the money.
//!
//! A row's transfer has an idempotency key made of table, kind and primary key, so it is posted once
//! whatever the number of updates, sessions and triggers. Nothing is stored in the application's table,
//! and no flag can disagree with the books.
//!
//! | step | statements |
//! |---|---|
//! | read the rows, from PostgreSQL's transition tables | 0 |
//! | find what was posted before, where rows are reversed or edited | 1 |
//! | post: the array engine, once per firing and ledger | 4 or 5, however many rows |
//! | reverse: see `reversal` | 7, however many rows |
//!
//! A firing whose rows neither come to a status that matters nor leave it runs no statement at all, and
//! keeps no row in memory; otherwise memory grows with the rows that move money.
//!
//! Lock order. The row locks of the UPDATE come before anything here and keep two firings off the same
//! key: two sessions can only meet at accounts. A firing that only posts or only reverses has the order
//! of those flows: keys, accounts (all in one statement), reversal totals. One that does both locks the
//! accounts of both first, in one go, and then runs the two flows, which find them locked: so no two
//! firings of statement triggers wait for each other in a circle, whatever mix of rows they have. Row
//! triggers lock account after account in the order of the rows, as every transaction of several calls
//! does; PostgreSQL ends a circle with `try_again`. Ledgers go in the order of their names.

mod collect;
mod reader;
mod settle;

use super::rules::column::{Problem, shown};
use super::rules::posting::definition::Definition;
use super::source::{Event, Firing};
use super::{check_form, first, invalid_trigger, table_name};
use crate::error::Result;
use crate::ledger;
use crate::spi::Session;
use reader::Reader;

/// A trigger that reads its rows.
struct Context {
    definition: Definition,
    /// The table that names the rows: the root of a partitioned one.
    table: String,
}

/// Runs one firing.
pub fn fire(firing: &Firing) -> Result<()> {
    let session = Session::connect();
    let table = table_name(&session, firing);
    let refuse = |problem: Problem| invalid_trigger(&problem, &firing.name(), &table);
    let otherwise = Problem::new(
        "it must fire only on INSERT or UPDATE",
        "Deleting a row moves no money; reverse it first.",
    );
    check_form(firing, &[Event::Insert, Event::Update], otherwise).map_err(refuse)?;
    let definition = Definition::parse(&firing.arguments()).map_err(refuse)?;
    let (columns, attributes) = firing.columns();
    let places = definition.resolve(&columns).map_err(|problems| refuse(first(problems)))?;
    let key_columns = firing.key_columns();
    if key_columns.is_empty() {
        let hint = "ALTER TABLE … ADD PRIMARY KEY, not deferrable.";
        return Err(refuse(Problem::new("the table has no primary key", hint)));
    }
    let status = &columns[places.status];
    let as_shown = |value: &String| {
        shown(value, status, |label| attributes[places.status].has_label(label)).map_err(refuse)
    };
    let posts_at = as_shown(&definition.posts_at)?;
    let reverses_at = definition.reverses_at.as_ref().map(as_shown).transpose()?;
    let reader = Reader::new(&attributes, &columns, &places, &key_columns, posts_at, reverses_at);
    let context = Context { definition, table };
    for (name, changes) in collect::collect(firing, reader, &context)? {
        let ledger = ledger::resolve(&session, name.as_deref())?;
        settle::settle(&session, &ledger, &context, &changes)?;
    }
    Ok(())
}
