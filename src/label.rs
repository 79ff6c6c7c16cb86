//! Labels: what people write in a few words, such as a reason or a reference.

use crate::error::{Code, LedgerError, Result};

/// Bounds of a free-text label of ours: a reference, a reason, a name.
pub fn label<'a>(text: Option<&'a str>, name: &str, bytes_max: usize) -> Result<Option<&'a str>> {
    match text {
        Some(text) if text.trim().is_empty() || text.len() > bytes_max => Err(LedgerError::new(
            Code::InvalidArgument,
            format!("{name} must have 1 to {bytes_max} bytes, not only blanks"),
        )
        .with("argument", name)),
        other => Ok(other),
    }
}
