//! Reading the rows of a table that posts: the primary key, the status, the amount and what templates
//! name.

use crate::trigger::field::{Amount, Field, RowMemory, texts};
use crate::trigger::rules::column::Column;
use crate::trigger::rules::posting::definition::Places;
use crate::trigger::rules::posting::{Phase, Snapshot};
use crate::trigger::source::{Attribute, Slot};

/// Reads what the definition names out of rows.
pub struct Reader {
    key: Vec<Field>,
    status: Field,
    amount: Amount,
    placeholders: Vec<Field>,
    posts_at: String,
    reverses_at: Option<String>,
    memory: RowMemory,
}

impl Reader {
    /// `key` are column numbers; `posts_at` and `reverses_at` are the values as the column shows them.
    pub fn new(
        attributes: &[Attribute],
        columns: &[Column],
        places: &Places,
        key: &[i16],
        posts_at: String,
        reverses_at: Option<String>,
    ) -> Self {
        Self {
            key: Field::of_numbers(attributes, key),
            status: Field::trimmed(attributes[places.status], &columns[places.status]),
            amount: Amount::of(attributes[places.amount]),
            placeholders: places.placeholders.iter().map(|place| Field::of(attributes[*place])).collect(),
            posts_at,
            reverses_at,
            memory: RowMemory::new(),
        }
    }

    pub fn phase(&mut self, slot: Slot) -> Phase {
        let Self { memory, status, posts_at, reverses_at, .. } = self;
        memory.within(|| {
            let Some(status) = status.read(slot) else { return Phase::Other };
            if status == posts_at.as_bytes() {
                Phase::Posting
            } else if reverses_at.as_ref().is_some_and(|value| status == value.as_bytes()) {
                Phase::Reversing
            } else {
                Phase::Other
            }
        })
    }

    pub fn snapshot(&mut self, slot: Slot) -> Snapshot {
        let Self { memory, key, amount, placeholders, .. } = self;
        memory.within(|| Snapshot {
            key: texts(key, slot).into_iter().map(Option::unwrap_or_default).collect(),
            amount: amount.read(slot),
            values: texts(placeholders, slot),
        })
    }
}
