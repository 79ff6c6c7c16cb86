//! Cursors: where a consumer stands, as text that it keeps and gives back.

use crate::error::{Result, invalid};
use uuid::Uuid;

/// `<position>.<id>` of the last row seen.
pub fn to_cursor(position: i64, id: Uuid) -> String {
    format!("{position}.{id}")
}

/// The inverse of [`to_cursor`]; nothing at all means the beginning.
pub fn from_cursor(cursor: Option<&str>) -> Result<(i64, Uuid)> {
    let Some(cursor) = cursor else { return Ok((0, Uuid::nil())) };
    let malformed = || invalid("after", "be a cursor that an earlier call returned").with("value", cursor);
    let (position, id) = cursor.split_once('.').ok_or_else(malformed)?;
    let position: i64 = position.parse().map_err(|_| malformed())?;
    if position < 0 {
        return Err(malformed());
    }
    Ok((position, id.parse().map_err(|_| malformed())?))
}

/// Rows up to but not including this position may be read.
///
/// Positions are transaction ids plus the timeline's offset. In a restored copy that nothing has been
/// written to yet, the offset is still the old cluster's and says nothing: every row there is
/// committed, and the first write will get a position above them all.
pub fn horizon(oldest_running: i64, offset: i64, is_this_cluster: bool) -> i64 {
    if is_this_cluster { oldest_running.saturating_add(offset) } else { i64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_what_it_was_made_of() {
        let id = Uuid::from_u128(7);
        assert_eq!(from_cursor(Some(&to_cursor(42, id))), Ok((42, id)));
        assert_eq!(from_cursor(None), Ok((0, Uuid::nil())));
        for bad in ["", "1", "1.", ".x", "-1.00000000-0000-0000-0000-000000000000", "x.y", "💸"] {
            assert!(from_cursor(Some(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_horizon_is_the_oldest_running_transaction() {
        assert_eq!(horizon(100, 5, true), 105);
        assert_eq!(horizon(100, 5, false), i64::MAX);
    }
}
