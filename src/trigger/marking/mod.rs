//! `update_on_intent`: an intent that becomes paid marks the row of the application that it is for.
//!
//! The inverse of the other two: the ledger writes to an application's table. That must not happen with the
//! ledger's own rights, for the table's triggers, defaults and constraints are code of its owner. So the
//! UPDATE runs as the table's owner, as PostgreSQL runs referential actions, and whatever that code sets
//! or becomes ends with it: see `spi::identity`. The table is locked before its owner is looked at, and the UPDATE is
//! for that table only: nobody can put one of their own in its place meanwhile, which would run their code as
//! somebody else.
//!
//! | step | statements |
//! |---|---|
//! | read the intents, from PostgreSQL's transition tables | 0 |
//! | look the table up | 2, or 3 where the status is an enum |
//! | which payments that were undone another intent has made good | 1, where there are any |
//! | mark the rows | 1 for those that are paid, 1 for those that no longer are |
//!
//! However many intents. A firing in which none is paid or undone runs no statement.
//!
//! The rows are locked after everything that the payment locks: an application that locks its row and then
//! calls the ledger can meet a payment the other way round, and PostgreSQL ends the circle (`try_again`).

use super::field::Field;
use super::rules::column::Problem;
use super::rules::marking::{Definition, INTENTS, KeyType, Plan, Turn};
use super::source::{Event, Firing, Slot};
use super::store::marked;
use super::{check_form, first, invalid_trigger, table_name};
use crate::error::{Code, LedgerError, Result};
use crate::ledger;
use crate::report::Refusal;
use crate::spi::{Session, identity};
use pgrx::pg_sys;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Which trigger is writing to which table, for what that table refuses.
#[derive(Default)]
pub struct Writing(RefCell<Option<(String, String)>>);

impl Writing {
    /// What PostgreSQL said while the application's table was being written, as an error of ours: the
    /// value does not fit, a constraint forbids it, a name in a trigger of the table is unknown.
    pub fn refused(&self, refusal: &Refusal) -> Option<LedgerError> {
        let writing = self.0.borrow();
        let (trigger, table) = writing.as_ref()?;
        let is_the_tables = ["22", "23", "42", "44"].iter().any(|class| refusal.sqlstate.starts_with(class));
        is_the_tables.then(|| {
            let message = format!("trigger {trigger} on {INTENTS}: {table} refuses it: {}", refusal.message);
            LedgerError::new(Code::InvalidTrigger, message)
                .with("trigger", trigger)
                .with("table", table)
                .with("explanation", "A payment cannot be taken in while the table refuses to be marked.")
                .with("cause", &refusal.message)
                .with("sqlstate", &refusal.sqlstate)
        })
    }
}

/// The references of the intents that were paid, and of those whose payment was undone.
#[derive(Default)]
struct References {
    paid: BTreeSet<String>,
    undone: BTreeSet<String>,
}

/// The keys that references mean. `002` and `2` are one bigint, and so one row.
struct Keys {
    paid: BTreeSet<String>,
    undone: BTreeSet<String>,
}

impl References {
    /// A reference that is no value of the key's type is passed over. One row that is paid and undone is paid.
    fn keys(&self, key_type: KeyType) -> Keys {
        let keys = |references: &BTreeSet<String>| -> BTreeSet<String> {
            references.iter().filter_map(|reference| key_type.key(reference)).collect()
        };
        let paid = keys(&self.paid);
        let undone = keys(&self.undone).into_iter().filter(|key| !paid.contains(key)).collect();
        Keys { paid, undone }
    }

    /// Under which references an intent may have paid what was undone: those of the undone ones as they are, and
    /// every likely spelling of their keys.
    fn spellings(&self, keys: &Keys, key_type: KeyType) -> BTreeSet<String> {
        let likely = keys.undone.iter().flat_map(|key| key_type.spellings(key));
        self.undone.iter().cloned().chain(likely).collect()
    }
}

/// Runs one firing.
pub fn fire(firing: &Firing, writing: &Writing) -> Result<()> {
    let session = Session::connect();
    let table = table_name(&session, firing);
    let refuse = |problem: Problem| invalid_trigger(&problem, &firing.name(), &table);
    if table != INTENTS {
        let hint = "It tells another table that an intent was paid.";
        return Err(refuse(Problem::new(format!("it must be attached to {INTENTS}"), hint)));
    }
    let otherwise = Problem::new("it must fire only on UPDATE", "An intent is never paid when it is made.");
    check_form(firing, &[Event::Update], otherwise).map_err(refuse)?;
    let definition = Definition::parse(&firing.arguments()).map_err(refuse)?;
    let Some(changes) = collect(firing) else {
        return Err(refuse(Problem::new("its rows do not pair", "Create the trigger anew.")));
    };
    if changes.is_empty() {
        return Ok(());
    }
    let ledger_id = match &definition.ledger {
        Some(name) => Some(ledger::resolve(&session, Some(name))?.id),
        None => None,
    };
    let mut references = choose(&changes, &definition, ledger_id);
    if definition.undone.is_none() {
        references.undone.clear();
    }
    if references.paid.is_empty() && references.undone.is_empty() {
        return Ok(());
    }
    let found = marked::lock(&session, &definition);
    let plan = definition.resolve(found.as_ref()).map_err(|problems| refuse(first(problems)))?;
    let mut keys = references.keys(plan.key_type);
    if !keys.undone.is_empty() {
        let spellings = references.spellings(&keys, plan.key_type);
        let still_paid = marked::still_paid(&session, &spellings, definition.purpose, ledger_id);
        for reference in &still_paid {
            keys.undone.retain(|key| Some(key) != plan.key_type.key(reference).as_ref());
        }
    }
    let owner = pg_sys::Oid::from(plan.marked.owner);
    *writing.0.borrow_mut() = Some((firing.name(), definition.target()));
    let is_marked = identity::run_as(owner, || mark(&session, &definition, &plan, &keys));
    *writing.0.borrow_mut() = None;
    if is_marked {
        return Ok(());
    }
    let message = format!("{} became another table meanwhile", definition.target());
    Err(LedgerError::new(Code::TryAgain, message).with("cause", "concurrent_change"))
}

/// An intent that was paid, or whose payment was undone.
struct Change {
    turn: Turn,
    ledger_id: i32,
    purpose_id: i16,
    reference: String,
}

/// Reads the intents that turn; `None` where old and new rows cannot be told apart.
fn collect(firing: &Firing) -> Option<Vec<Change>> {
    let (columns, attributes) = firing.columns();
    let place = |name: &str| columns.iter().position(|column| column.name == name);
    let number = |name: &str| place(name).map(|place| attributes[place].number);
    let (ledger, purpose, state) = (number("ledger_id")?, number("purpose_id")?, number("state_id")?);
    let mut reference = Field::of(attributes[place("reference")?]);
    let small = |slot: Slot, number| slot.value(number).map_or(0, |value| value.value() as i16);
    let mut changes = Vec::new();
    firing.pairs(|old, new| {
        let Some(turn) = old.and_then(|old| Turn::of(small(old, state), small(new, state))) else { return };
        let Some(reference) = reference.text(new) else { return };
        let ledger_id = new.value(ledger).map_or(0, |value| value.value() as i32);
        changes.push(Change { turn, ledger_id, purpose_id: small(new, purpose), reference });
    })?;
    Some(changes)
}

/// The references of the intents that the trigger is for.
fn choose(changes: &[Change], definition: &Definition, ledger_id: Option<i32>) -> References {
    let mut references = References::default();
    for change in changes {
        let other_purpose = definition.purpose.is_some_and(|purpose| purpose as i16 != change.purpose_id);
        if other_purpose || ledger_id.is_some_and(|id| id != change.ledger_id) {
            continue;
        }
        match change.turn {
            Turn::Paid => references.paid.insert(change.reference.clone()),
            Turn::Undone => references.undone.insert(change.reference.clone()),
        };
    }
    references
}

/// Marks the rows; false where the table is not the one that was looked at. A key that no row has is passed over.
fn mark(session: &Session, definition: &Definition, plan: &Plan, keys: &Keys) -> bool {
    let set = |value: Option<&String>, keys: &BTreeSet<String>| {
        value
            .filter(|_| !keys.is_empty())
            .is_none_or(|value| marked::set(session, definition, plan, value, keys))
    };
    set(Some(&definition.paid), &keys.paid) && set(definition.undone.as_ref(), &keys.undone)
}
