//! The form of plain arguments: what can be said about them without looking at anything else.

use crate::error::{Code, LedgerError, Result, invalid, missing};

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

/// The same where there must be one.
pub fn needed_label<'a>(text: Option<&'a str>, name: &str, bytes_max: usize) -> Result<&'a str> {
    label(text, name, bytes_max)?.ok_or_else(|| missing(name))
}

/// The name of something that is named by lower-case words, such as the `example`.
pub fn word<'a>(text: &'a str, name: &str, example: &str) -> Result<&'a str> {
    let well_formed = text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.len() <= 63
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if well_formed {
        return Ok(text);
    }
    Err(invalid(name, &format!("be lower-case words such as {example}")).with("value", text))
}

/// How many a bounded call may work on.
pub fn max_count(count: Option<i32>, most: i32) -> Result<i64> {
    match count {
        None => Err(missing("max_count")),
        Some(count) if (1..=most).contains(&count) => Ok(i64::from(count)),
        Some(_) => Err(invalid("max_count", &format!("be between 1 and {most}"))),
    }
}

/// From which age on something is forgotten: microseconds, at least an hour. What would reach back before all
/// history is as good as for ever. `micros`: of the interval `older_than`.
pub fn age(micros: Option<i128>) -> Result<i64> {
    const HOUR: i128 = 3_600_000_000;
    const FOR_EVER: i64 = 24 * 366 * 5_000 * 3_600_000_000;
    let micros = micros.ok_or_else(|| missing("older_than"))?;
    if micros < HOUR {
        return Err(invalid("older_than", "be at least one hour"));
    }
    Ok(i64::try_from(micros).unwrap_or(FOR_EVER).min(FOR_EVER))
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

    #[test]
    fn words_are_lower_case_and_counts_bounded() {
        for text in ["a", "escrow_fee", "x9", &"w".repeat(63)] {
            assert_eq!(word(text, "name", "top_up"), Ok(text));
        }
        for text in ["", "Fee", "1fee", "fee rate", "_fee", "💸", &"w".repeat(64)] {
            assert!(word(text, "name", "top_up").is_err(), "{text:?}");
        }
        assert_eq!(max_count(Some(1), 10), Ok(1));
        assert_eq!(max_count(Some(10), 10), Ok(10));
        for count in [None, Some(0), Some(-1), Some(11), Some(i32::MAX)] {
            assert!(max_count(count, 10).is_err(), "{count:?}");
        }
    }

    #[test]
    fn nothing_is_forgotten_within_the_hour() {
        const HOUR: i128 = 3_600_000_000;
        assert_eq!(age(Some(HOUR)), Ok(3_600_000_000));
        assert_eq!(age(Some(i128::MAX)), age(Some(i128::from(i64::MAX))));
        for micros in [None, Some(HOUR - 1), Some(0), Some(-HOUR), Some(i128::MIN)] {
            assert!(age(micros).is_err(), "{micros:?}");
        }
    }
}
