//! Which rows references name: a reference is a text, and the key of an application's table has a type.

use uuid::Uuid;

/// What a key column holds, and so which references are values of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    Int2,
    Int4,
    Int8,
    Numeric,
    Uuid,
    Text,
    /// Text that is filled up with blanks.
    Padded,
}

/// How far spellings of a key are tried: as many digits as a bigint has, and a few zeros and blanks.
const SPELLING_DIGITS_MAX: usize = 19;
const SPELLING_DECIMALS_MAX: usize = 4;
const SPELLING_BLANKS_MAX: usize = 36;

impl KeyType {
    /// The type's name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            KeyType::Int2 => "int2",
            KeyType::Int4 => "int4",
            KeyType::Int8 => "int8",
            KeyType::Numeric => "numeric",
            KeyType::Uuid => "uuid",
            KeyType::Text => "text",
            KeyType::Padded => "bpchar",
        }
    }

    /// The one form of the value that a reference is of this type, as PostgreSQL can read it; `None` where it is
    /// no value of it. References with the same key mean the same row.
    pub fn key(self, reference: &str) -> Option<String> {
        let number = |range: std::ops::RangeInclusive<i64>| {
            let number = reference.trim().parse::<i64>().ok()?;
            range.contains(&number).then(|| number.to_string())
        };
        match self {
            KeyType::Int2 => number(i16::MIN.into()..=i16::MAX.into()),
            KeyType::Int4 => number(i32::MIN.into()..=i32::MAX.into()),
            KeyType::Int8 => number(i64::MIN..=i64::MAX),
            KeyType::Numeric => {
                let text = reference.trim();
                let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
                let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
                let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
                let minus = if text.starts_with('-') { "-" } else { "" };
                (plain(whole) && plain(fraction)).then(|| {
                    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
                    match (whole, fraction) {
                        ("", "") => "0".to_owned(),
                        (whole, "") => format!("{minus}{whole}"),
                        (whole, fraction) => format!("{minus}{whole:0>1}.{fraction}"),
                    }
                })
            }
            KeyType::Uuid => Uuid::try_parse(reference.trim()).ok().map(|id| id.to_string()),
            KeyType::Text => Some(reference.to_owned()),
            KeyType::Padded => Some(reference.trim_end_matches(' ').to_owned()),
        }
    }

    /// The references that are likely to be written for a key, for looking them up: numbers filled up with zeros,
    /// decimals that are zeros, ids in capitals or without hyphens, texts filled up with blanks.
    pub fn spellings(self, key: &str) -> Vec<String> {
        let filled = |key: &str| -> Vec<String> {
            let (minus, digits) = key.strip_prefix('-').map_or(("", key), |digits| ("-", digits));
            let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
            (whole.len()..=SPELLING_DIGITS_MAX.max(whole.len()))
                .map(|width| format!("{minus}{whole:0>width$}{rest}"))
                .collect()
        };
        match self {
            KeyType::Int2 | KeyType::Int4 | KeyType::Int8 => filled(key),
            KeyType::Numeric => {
                let point = if key.contains('.') { "" } else { "." };
                let decimals =
                    (1..=SPELLING_DECIMALS_MAX).map(|count| format!("{key}{point}{:0<count$}", ""));
                std::iter::once(key.to_owned()).chain(decimals).flat_map(|text| filled(&text)).collect()
            }
            KeyType::Uuid => {
                let forms = [key.to_owned(), key.replace('-', ""), format!("{{{key}}}")];
                forms.into_iter().flat_map(|form| [form.to_ascii_uppercase(), form]).collect()
            }
            KeyType::Text => vec![key.to_owned()],
            KeyType::Padded => {
                (0..=SPELLING_BLANKS_MAX).map(|blanks| format!("{key}{:blanks$}", "")).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_keys_or_not() {
        use KeyType::{Int2, Int4, Int8, Numeric, Padded, Text};
        for (key_type, reference, key) in [
            (Int8, "7", Some("7")),
            (Int8, " 007 ", Some("7")),
            (Int8, "-7", Some("-7")),
            (Int8, "9223372036854775807", Some("9223372036854775807")),
            (Int8, "9223372036854775808", None),
            (Int4, "2147483648", None),
            (Int2, "32768", None),
            (Int2, "32767", Some("32767")),
            (Int8, "abc", None),
            (Int8, "", None),
            (Int8, "7.0", None),
            (Int8, "1e3", None),
            (Numeric, "7.50", Some("7.5")),
            (Numeric, " +007.00", Some("7")),
            (Numeric, "-0.0", Some("0")),
            (Numeric, "-00.50", Some("-0.5")),
            (Numeric, "NaN", None),
            (Numeric, "1e3", None),
            (Numeric, ".", None),
            (Text, " INV/7 💸", Some(" INV/7 💸")),
            (Padded, "a  ", Some("a")),
            (
                KeyType::Uuid,
                "018F0000-0000-7000-8000-00000000000A",
                Some("018f0000-0000-7000-8000-00000000000a"),
            ),
            (KeyType::Uuid, "018f0000", None),
        ] {
            assert_eq!(key_type.key(reference).as_deref(), key, "{key_type:?} {reference:?}");
        }
    }

    #[test]
    fn spellings_of_a_key_mean_that_key() {
        use KeyType::{Int8, Numeric, Padded, Text};
        let uuid = "018f0000-0000-7000-8000-00000000000a";
        for (key_type, key, among) in [
            (Int8, "2", ["2", "002", "0002"]),
            (Int8, "-2", ["-2", "-02", "-0002"]),
            (Int8, "0", ["0", "00", "000"]),
            (Numeric, "2", ["2", "002.0", "2.00"]),
            (Numeric, "2.5", ["2.5", "02.5", "2.50"]),
            (
                KeyType::Uuid,
                uuid,
                [uuid, "018F0000-0000-7000-8000-00000000000A", "018f000000007000800000000000000a"],
            ),
            (Padded, "a", ["a", "a ", "a     "]),
            (Text, "a", ["a", "a", "a"]),
        ] {
            let spellings = key_type.spellings(key);
            for spelling in &spellings {
                assert_eq!(key_type.key(spelling).as_deref(), Some(key), "{spelling:?}");
            }
            assert!(among.iter().all(|text| spellings.iter().any(|one| one == text)), "{key_type:?} {key}");
        }
    }
}
