//! From the rows of a firing to what they ask of each ledger.

use super::Context;
use super::reader::Reader;

use crate::error::Result;
use crate::trigger::rules::key;
use crate::trigger::rules::posting::{
    self as rules, KeyChanged, Movement, Phase, Snapshot, Step, Transition,
};
use crate::trigger::source::{Firing, Slot};
use std::collections::{BTreeMap, HashMap};

/// A row whose change concerns money.
pub struct Change {
    /// The row's primary key as text.
    pub row: String,
    /// The idempotency key of its transfer.
    pub key: String,
}

/// What the rows ask of one ledger.
#[derive(Default)]
pub struct Changes {
    pub posts: Vec<(Change, Movement)>,
    pub reverses: Vec<Change>,
    /// Refused where the row was posted with another movement; an error in reading it counts only then.
    pub compares: Vec<(Change, Result<Movement>)>,
}

/// Changes by the name of the ledger; without a name, of the session's.
pub type Ledgers = BTreeMap<Option<String>, Changes>;

/// Reads the rows and sorts what they ask for by ledger.
pub fn collect(firing: &Firing, mut reader: Reader, context: &Context) -> Result<Ledgers> {
    let mut ledgers = Ledgers::new();
    let mut failed = None;
    let paired = firing.pairs(|old, new| {
        if failed.is_none() {
            failed = visit(&mut reader, context, &mut ledgers, old, new).err();
        }
    });
    match (failed, paired) {
        (Some(error), _) => Err(error),
        (None, Some(())) => Ok(ledgers),
        (None, None) => collect_by_key(firing, &mut reader, context),
    }
}

fn visit(
    reader: &mut Reader,
    context: &Context,
    ledgers: &mut Ledgers,
    old: Option<Slot>,
    new: Slot,
) -> Result<()> {
    let (old_phase, new_phase) = (old.map(|old| reader.phase(old)), reader.phase(new));
    if !rules::matters(old_phase, new_phase) {
        return Ok(());
    }
    let before = old.zip(old_phase).map(|(old, phase)| (phase, reader.snapshot(old)));
    sort_in(context, ledgers, before.as_ref(), new_phase, &reader.snapshot(new))
}

/// Where rows were dropped on their way to another partition: old and new meet by their keys.
fn collect_by_key(firing: &Firing, reader: &mut Reader, context: &Context) -> Result<Ledgers> {
    let mut before: HashMap<Vec<String>, (Phase, Snapshot)> = HashMap::new();
    firing.old_rows(|old| {
        let (phase, snapshot) = (reader.phase(old), reader.snapshot(old));
        before.insert(snapshot.key.clone(), (phase, snapshot));
    });
    let mut ledgers = Ledgers::new();
    let mut outcome = Ok(());
    firing.new_rows(|new| {
        if outcome.is_err() {
            return;
        }
        let (phase, snapshot) = (reader.phase(new), reader.snapshot(new));
        outcome = match before.remove(&snapshot.key) {
            Some(old) => sort_in(context, &mut ledgers, Some(&old), phase, &snapshot),
            None if phase == Phase::Other => Ok(()),
            None => Err(rules::key_changed(None, Some(&key::row_key(&snapshot.key)), &context.table)),
        };
    });
    outcome?;
    match before.values().find(|(phase, _)| *phase == Phase::Posting) {
        Some((_, lost)) => Err(rules::key_changed(Some(&key::row_key(&lost.key)), None, &context.table)),
        None => Ok(ledgers),
    }
}

/// Decides what a row's change asks for and puts it to its ledger.
fn sort_in(
    context: &Context,
    ledgers: &mut Ledgers,
    before: Option<&(Phase, Snapshot)>,
    new: Phase,
    now: &Snapshot,
) -> Result<()> {
    let Context { definition, table } = context;
    let transition = Transition {
        old: before.map(|(phase, _)| *phase),
        new,
        key_changed: before.is_some_and(|(_, old)| old.key != now.key),
        money_changed: before.is_some_and(|(_, old)| !old.same_money(now)),
    };
    let row = key::row_key(&now.key);
    let step = rules::step(transition).map_err(|KeyChanged| {
        let old = before.map(|(_, old)| key::row_key(&old.key));
        rules::key_changed(old.as_deref(), Some(&row), table)
    })?;
    let Some(step) = step else { return Ok(()) };
    // An edited row was posted in the ledger that it named before.
    let named_in = match (step, before) {
        (Step::Compare, Some((_, old))) => old,
        _ => now,
    };
    let ledger = rules::ledger(definition, named_in, table)?;
    let changes = ledgers.entry(ledger.clone()).or_default();
    let key = key::posting_key(table, &definition.kind, &row);
    let change = Change { row, key };
    match step {
        Step::Post => {
            let movement = rules::movement(definition, now, table)?;
            changes.posts.push((change, movement));
        }
        Step::Reverse => changes.reverses.push(change),
        Step::Compare => {
            let movement = match rules::ledger(definition, now, table) {
                Ok(other) if other != ledger => Err(rules::other_ledger(&change.key)),
                _ => rules::movement(definition, now, table),
            };
            changes.compares.push((change, movement));
        }
    }
    Ok(())
}
