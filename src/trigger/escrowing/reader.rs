//! Reading the rows of a table of orders.

use crate::error::Result;
use crate::money::Number;
use crate::spi::jsonb::Document;
use crate::trigger::field::{Amount, Field, RowMemory, texts};
use crate::trigger::rules::column::Column;
use crate::trigger::rules::escrowing::definition::{Places, Values};
use crate::trigger::rules::escrowing::{Names, Stand, Step};
use crate::trigger::source::{Attribute, Slot};

/// Reads what the definition names out of rows.
pub struct Reader {
    key: Vec<Field>,
    status: Field,
    placeholders: Vec<Field>,
    amount: Option<Amount>,
    lines: Option<i16>,
    tracking: Option<Field>,
    values: Values,
    memory: RowMemory,
}

impl Reader {
    /// `key` are column numbers.
    pub fn new(
        attributes: &[Attribute],
        columns: &[Column],
        places: &Places,
        key: &[i16],
        values: Values,
    ) -> Self {
        let trimmed = |place: usize| Field::trimmed(attributes[place], &columns[place]);
        Self {
            key: Field::of_numbers(attributes, key),
            status: trimmed(places.status),
            placeholders: places.placeholders.iter().map(|place| trimmed(*place)).collect(),
            amount: places.amount.map(|place| Amount::of(attributes[place])),
            lines: places.lines.map(|place| attributes[place].number),
            tracking: places.tracking.map(trimmed),
            values,
            memory: RowMemory::new(),
        }
    }

    pub fn step(&mut self, slot: Slot) -> Option<Step> {
        let Self { memory, status, values, .. } = self;
        memory.within(|| values.step(status.read(slot)?))
    }

    /// The row with its names and what its status asks for.
    pub fn stand(&mut self, slot: Slot) -> Stand {
        let step = self.step(slot);
        let Self { memory, key, placeholders, .. } = self;
        let names = memory.within(|| Names {
            key: texts(key, slot).into_iter().map(Option::unwrap_or_default).collect(),
            values: texts(placeholders, slot),
        });
        (step, names)
    }

    pub fn amount(&mut self, slot: Slot) -> Option<Result<Number>> {
        let Self { memory, amount, .. } = self;
        memory.within(|| amount.as_mut()?.read(slot))
    }

    pub fn lines(&mut self, slot: Slot) -> Option<Document> {
        let value = slot.value(self.lines?)?;
        // SAFETY: the definition's column of lines is jsonb.
        self.memory.within(|| Some(unsafe { Document::from_datum(value) }))
    }

    /// The carrier's number; blanks are none.
    pub fn tracking(&mut self, slot: Slot) -> Option<String> {
        let Self { memory, tracking, .. } = self;
        let text = memory.within(|| tracking.as_mut()?.text(slot))?;
        (!text.trim().is_empty()).then_some(text)
    }
}
