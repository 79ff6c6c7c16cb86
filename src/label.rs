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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_neither_blank_nor_endless() {
        assert_eq!(label(Some("order-1"), "reference", 10), Ok(Some("order-1")));
        assert_eq!(label(None, "reference", 10), Ok(None));
        for text in ["", "  ", "12345678901"] {
            assert!(label(Some(text), "reference", 10).is_err(), "{text:?}");
        }
    }
}
