//! How a row is named: in messages, in the transfer's reference, and in idempotency keys.
//!
//! The key decides whether a row's money moves a second time, so it must be the same whoever fires the
//! trigger, and different for different rows: tables are named with their schema, composite keys are
//! JSON arrays, and what would not fit or could be mistaken for something else is hashed.

use crate::idempotency::rules::KEY_BYTES_MAX;
use sha2::{Digest, Sha256};

/// Every key of a trigger begins with this: such keys are never forgotten.
pub const PREFIX: &str = "trigger:";
const REVERSE: &str = ":reverse";
const HASHED: &str = "sha256:";

/// A table's name with its schema, quoted where SQL would need it. Not PostgreSQL's own quoting: its
/// list of reserved words grows with every version, and a key must outlive an upgrade.
pub fn table_name(schema: &str, table: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(table))
}

fn quoted(name: &str) -> String {
    let plain = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// The primary key as one text: the value itself, or a JSON array where there are several.
pub fn row_key(values: &[String]) -> String {
    match values {
        [value] => value.clone(),
        values => serde_json::Value::from(values).to_string(),
    }
}

/// The idempotency key of a row's transfer.
pub fn posting_key(table: &str, kind: &str, row: &str) -> String {
    let room = KEY_BYTES_MAX - REVERSE.len();
    let ambiguous = row.starts_with(HASHED) || row.ends_with(REVERSE);
    let key = format!("{PREFIX}{table}:{kind}:{row}");
    if key.len() <= room && !ambiguous {
        return key;
    }
    let key = format!("{PREFIX}{table}:{kind}:{HASHED}{}", digest(row));
    if key.len() <= room {
        return key;
    }
    format!("{PREFIX}{HASHED}{}", digest(&format!("{table}:{kind}:{row}")))
}

/// The idempotency key of the transfer that takes a row's transfer back.
pub fn reversal_key(posting_key: &str) -> String {
    format!("{posting_key}{REVERSE}")
}

/// What the transfer carries as its reference: the row's key where it fits.
pub fn reference(row: &str) -> Option<&str> {
    (!row.is_empty() && row.len() <= 255).then_some(row)
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composite(values: &[&str]) -> String {
        row_key(&values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn keys_are_readable_where_they_can_be() {
        assert_eq!(posting_key("public.topups", "topup", "42"), "trigger:public.topups:topup:42");
        assert_eq!(reversal_key("trigger:public.topups:topup:42"), "trigger:public.topups:topup:42:reverse");
        assert_eq!(table_name("public", "TopUps"), "public.\"TopUps\"");
        assert_eq!(composite(&["42"]), "42");
        assert_eq!(composite(&["2026-11-01", "a\"b"]), r#"["2026-11-01","a\"b"]"#);
    }

    #[test]
    fn different_rows_have_different_keys() {
        assert_ne!(composite(&["a,b", "c"]), composite(&["a", "b,c"]));
        assert_ne!(table_name("a.b", "c"), table_name("a", "b.c"));
        // A row that looks like another row's reversal, or like a hash, is hashed.
        let reversal = reversal_key(&posting_key("t", "k", "42"));
        assert_ne!(posting_key("t", "k", "42:reverse"), reversal);
        let long = "x".repeat(300);
        let hashed = posting_key("t", "k", &long);
        assert_ne!(posting_key("t", "k", hashed.strip_prefix("trigger:t:k:").unwrap()), hashed);
    }

    #[test]
    fn every_key_fits_with_its_reversal() {
        let name = "N".repeat(63);
        let table = table_name(&name, &name);
        for row in ["1", &"x".repeat(60), &"x".repeat(100_000)] {
            for table in ["public.t", table.as_str()] {
                let key = posting_key(table, &"k".repeat(63), row);
                assert!(reversal_key(&key).len() <= KEY_BYTES_MAX && key.starts_with(PREFIX), "{key}");
            }
        }
    }

    #[test]
    fn a_reference_is_the_key_where_it_fits() {
        assert_eq!(reference("42"), Some("42"));
        assert_eq!(reference(""), None);
        assert_eq!(reference(&"x".repeat(256)), None);
    }
}
