//! Reading the rows of a table that posts: the primary key, the status, the amount and what templates
//! name.

use crate::error::Result;
use crate::json::parse_number;
use crate::money::Number;
use crate::spi::numeric;
use crate::trigger::field::{Field, RowMemory, texts};
use crate::trigger::rules::column::Column;
use crate::trigger::rules::posting::definition::Places;
use crate::trigger::rules::posting::{Phase, Snapshot};
use crate::trigger::source::{Attribute, Slot};
use pgrx::pg_sys;
use rust_decimal::Decimal;

/// Reads what the definition names out of rows.
pub struct Reader {
    key: Vec<Field>,
    status: Field,
    amount: Field,
    amount_type: pg_sys::Oid,
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
            amount: Field::of(attributes[places.amount]),
            amount_type: attributes[places.amount].base_type,
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
        let Self { memory, key, amount, amount_type, placeholders, .. } = self;
        memory.within(|| Snapshot {
            key: texts(key, slot).into_iter().map(Option::unwrap_or_default).collect(),
            amount: read_amount(amount, *amount_type, slot),
            values: texts(placeholders, slot),
        })
    }
}

fn read_amount(amount: &mut Field, base_type: pg_sys::Oid, slot: Slot) -> Option<Result<Number>> {
    let value = slot.value(amount.number())?;
    // SAFETY: the column has this base type; integers up to eight bytes are passed by value.
    Some(Ok(match base_type {
        pg_sys::NUMERICOID => unsafe { numeric::from_datum(value) },
        pg_sys::INT2OID => Number::Finite(Decimal::from(value.value() as i16)),
        pg_sys::INT4OID => Number::Finite(Decimal::from(value.value() as i32)),
        pg_sys::INT8OID => Number::Finite(Decimal::from(value.value() as i64)),
        _ => {
            let text = amount.text(slot)?;
            return Some(parse_number("amount", text.trim()));
        }
    }))
}
