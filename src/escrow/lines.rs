//! The lines of an escrow as they come in, as a JSON array of objects.

use super::rules::request::{Wanted, check_count};
use crate::error::Result;
use crate::spi::jsonb::Items;

/// The lines as they came. A malformed one fails the call.
pub fn wanted_lines(lines: &Items) -> Result<Vec<Wanted<'_>>> {
    let count = lines.count("lines")?;
    check_count(count)?;
    let mut wanted = vec![Wanted::default(); count];
    lines.walk(
        "lines",
        |index, key, field| wanted[index].set(key, field).map_err(|error| error.at_item(index)),
        |_| Ok(()),
    )?;
    Ok(wanted)
}
