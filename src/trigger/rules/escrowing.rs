//! What a row means for its escrow under `escrow_on_status_change()`.
//!
//! The escrow is named by its reference, which the row's columns make up: that, and not the primary key, is
//! what happens once. So a row that stands for an escrow keeps its reference.

pub mod definition;

use super::template::Template;
use super::{Row, fill, is_null, key, named};
use crate::error::{Code, LedgerError, Result};
use crate::escrow::rules::request;
use crate::money::Number;
use definition::{Definition, Goods};

/// What a status value asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Open,
    Ship,
    Release,
    Refund,
}

impl Step {
    pub const ALL: [Step; 4] = [Step::Open, Step::Ship, Step::Release, Step::Refund];

    /// The argument that names the value.
    pub fn argument(self) -> &'static str {
        match self {
            Step::Open => "opened",
            Step::Ship => "shipped",
            Step::Release => "released",
            Step::Refund => "refunded",
        }
    }
}

/// What a row is called: its primary key, and the columns that templates name, in the order of
/// [`Definition::placeholders`].
#[derive(Clone, Debug, PartialEq)]
pub struct Names {
    pub key: Vec<String>,
    pub values: Vec<Option<String>>,
}

/// A row with what its status asks for.
pub type Stand = (Option<Step>, Names);

/// The step that a row's change asks for; `before` is `None` for a new row.
pub fn asked(
    definition: &Definition,
    before: Option<&Stand>,
    now: &Stand,
    table: &str,
) -> Result<Option<Step>> {
    let (step, names) = now;
    let Some((old_step, old_names)) = before else { return Ok(*step) };
    let renamed: Vec<&str> = definition
        .identity
        .iter()
        .filter(|place| old_names.values.get(**place) != names.values.get(**place))
        .filter_map(|place| definition.placeholders.get(*place).map(String::as_str))
        .collect();
    if old_step.is_some() && !renamed.is_empty() {
        let row = key::row_key(&names.key);
        let message = "what names its escrow was changed";
        let error = LedgerError::new(Code::RowKeyChanged, message).with("columns", renamed.join(", "));
        return Err(named(error, &row, table));
    }
    // Each value stands for one step, so the same step is the same status.
    Ok(if old_step == step { None } else { *step })
}

/// Whether a change from the one to the other may ask for anything, or has to be looked at more closely.
pub fn matters(before: Option<Option<Step>>, now: Option<Step>) -> bool {
    before.flatten().is_some() || now.is_some()
}

/// The escrow that a row is about: its ledger (`None`: the session's) and its reference. `None` where the
/// row has no reference and there is nothing to give back.
pub fn escrow(
    definition: &Definition,
    step: Step,
    names: &Names,
    table: &str,
) -> Result<Option<(Option<String>, String)>> {
    let row = key::row_key(&names.key);
    let value = |column: &str| {
        let place = definition.placeholders.iter().position(|name| name == column)?;
        names.values.get(place)?.as_deref()
    };
    if step == Step::Refund && definition.reference.columns().any(|column| value(column).is_none()) {
        return Ok(None);
    }
    let reference = filled(definition, &definition.reference, names, table)?;
    request::account(&reference).map_err(|error| named(error, &row, table))?;
    let ledger = definition.ledger.as_ref();
    let ledger = ledger.map(|template| filled(definition, template, names, table)).transpose()?;
    Ok(Some((ledger, reference)))
}

/// What an escrow is opened with, as far as columns and templates say it.
#[derive(Clone, Debug)]
pub struct Purchase {
    pub buyer: String,
    pub amount: Option<Number>,
    /// `None`: a column has the lines.
    pub beneficiary: Option<String>,
}

/// Reads the purchase out of a row. `amount` is that of its column, `has_lines` says whether its column of
/// lines has any.
pub fn purchase(
    definition: &Definition,
    names: &Names,
    amount: Option<Result<Number>>,
    has_lines: bool,
    table: &str,
) -> Result<Purchase> {
    let row = key::row_key(&names.key);
    let buyer = filled(definition, &definition.buyer, names, table)?;
    let beneficiary = match &definition.goods {
        Goods::Lines(column) if !has_lines => return Err(is_null(column, &row, table)),
        Goods::Lines(_) => None,
        Goods::One { beneficiary, .. } => Some(filled(definition, beneficiary, names, table)?),
    };
    let amount = match (&definition.amount, amount) {
        (None, _) => None,
        (Some(column), None) => return Err(is_null(column, &row, table)),
        (Some(_), Some(amount)) => Some(amount.map_err(|error| named(error, &row, table))?),
    };
    Ok(Purchase { buyer, amount, beneficiary })
}

fn filled(definition: &Definition, template: &Template, names: &Names, table: &str) -> Result<String> {
    let key = key::row_key(&names.key);
    fill(template, &definition.placeholders, &names.values, Row { key: &key, table })
}

/// The most bytes that a reason takes of a row's key.
const KEY_BYTES_MAX: usize = 255;
/// The most bytes that a reason may have.
const REASON_BYTES_MAX: usize = 1_000;

/// Why money moved, for the escrow's record.
pub fn reason(definition: &Definition, step: Step, row: &str, table: &str) -> String {
    let value = definition.value(step).unwrap_or_default();
    let row = shortened(row, KEY_BYTES_MAX);
    let reason = format!("row {row} of {table}: {} became {value}", definition.status);
    shortened(&reason, REASON_BYTES_MAX).to_owned()
}

/// The beginning of a text, in whole characters.
fn shortened(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests;
