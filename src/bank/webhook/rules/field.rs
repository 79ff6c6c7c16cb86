//! The fields of a line, each with the refusal that names it.

use super::json::Json;
use super::number::decimal;
use crate::bank::rules::{self, BadLine, ID_BYTES_MAX, prose, when::When};
use rust_decimal::Decimal;

type Field<T> = Result<T, BadLine>;

/// The only currency of these providers that the ledger's own amounts can be told apart from: a notice
/// has no currency of its own, and one in another must not be taken for rupiah.
const CURRENCY: &str = "IDR";

/// The first of `names` that the object has.
pub fn first<'j>(object: &'j Json, names: &[&str]) -> Option<&'j Json<'j>> {
    names.iter().find_map(|name| object.get(name))
}

pub fn missing(name: &str) -> BadLine {
    BadLine::new("missing_field", format!("{name} is missing"))
}

/// A key: of a payment, an order, a movement. Whole numbers are as good as strings.
pub fn id<'j>(object: &'j Json, names: &[&str]) -> Field<&'j str> {
    optional_id(object, names)?.ok_or_else(|| missing(names.first().unwrap_or(&"id")))
}

/// As [`id`], but it may be absent or blank.
pub fn optional_id<'j>(object: &'j Json, names: &[&str]) -> Field<Option<&'j str>> {
    for name in names {
        let Some(value) = object.get(name) else { continue };
        let text = match value {
            Json::Text(text) => text,
            Json::Number(literal) if literal.bytes().all(|byte| byte.is_ascii_digit()) => *literal,
            _ => {
                return Err(BadLine::new("invalid_id", format!("{name} must be a string or a whole number")));
            }
        };
        if text.trim().is_empty() {
            continue;
        }
        if text.len() > ID_BYTES_MAX {
            return Err(BadLine::new("too_long", format!("{name} has more than {ID_BYTES_MAX} bytes")));
        }
        if text.chars().any(char::is_control) {
            return Err(BadLine::new("invalid_id", format!("{name} has control characters")));
        }
        return Ok(Some(text));
    }
    Ok(None)
}

/// An amount above zero, from a number or from a string of digits with at most one point.
pub fn amount(value: &Json, name: &str) -> Field<Decimal> {
    if is_ambiguous(value) {
        let message =
            format!("{name} may be thousands or decimals: write it with none, two or four decimals");
        return Err(BadLine::new("invalid_amount", message));
    }
    let amount = number(value).ok_or_else(|| {
        BadLine::new("invalid_amount", format!("{name} is not an amount that can be kept exactly"))
    })?;
    if amount > Decimal::ZERO {
        return Ok(amount);
    }
    Err(BadLine::new("invalid_amount", format!("{name} must be above zero")))
}

/// The first of `names` that is there, as an amount above zero.
pub fn required_amount(object: &Json, names: &[&str]) -> Field<Decimal> {
    for name in names {
        if let Some(value) = object.get(name) {
            return amount(value, name);
        }
    }
    Err(missing(names.first().unwrap_or(&"amount")))
}

fn is_ambiguous(value: &Json) -> bool {
    match value {
        Json::Text(text) => is_read_two_ways(text),
        Json::Number(literal) => is_read_two_ways(literal),
        _ => false,
    }
}

/// Whether an amount can be read in two ways: one to three digits that do not begin with 0, a point, three digits.
/// Indonesia writes a thousand as 1.000, others write one with three decimals so; the wrong reading is wrong by a
/// factor of a thousand. Numbers of JSON too: whoever makes one of such a text makes the same mistake.
pub fn is_read_two_ways(text: &str) -> bool {
    text.strip_prefix('-').unwrap_or(text).split_once('.').is_some_and(|(whole, fraction)| {
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        (1..=3).contains(&whole.len())
            && !whole.starts_with('0')
            && fraction.len() == 3
            && plain(whole)
            && plain(fraction)
    })
}

/// The exact value of a JSON number or of an amount in a string.
fn number(value: &Json) -> Option<Decimal> {
    match value {
        Json::Number(literal) => decimal(literal),
        Json::Text(text) => rules::amount(text),
        _ => None,
    }
}

/// A balance, which may also be zero or negative. It only serves the proof: one that cannot be read is
/// left out rather than letting the movement wait for it.
pub fn balance(value: Option<&Json>) -> Option<Decimal> {
    match value? {
        ambiguous if is_ambiguous(ambiguous) => None,
        Json::Text(text) if text.starts_with('-') => rules::amount(&text[1..]).map(|amount| -amount),
        other => number(other),
    }
}

/// The time in the first of `names` that is there.
pub fn when(object: &Json, names: &[&str]) -> Field<When> {
    for name in names {
        if let Some(value) = object.get(name) {
            let text = if let Json::Text(text) = value { text } else { "" };
            let refusal = || BadLine::new("invalid_date", format!("{name} is not a date or a time"));
            return When::parse(text).ok_or_else(refusal);
        }
    }
    Err(missing(names.first().unwrap_or(&"date")))
}

/// What is said about it, in one line of bounded length.
pub fn description(object: &Json, names: &[&str]) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for text in names.iter().filter_map(|name| object.get(name)?.literal()).map(str::trim) {
        if !text.is_empty() && !parts.contains(&text) {
            parts.push(text);
        }
    }
    prose(&parts.join(" "))
}

/// Refuses amounts in another currency than rupiah.
pub fn in_rupiah(currency: Option<&Json>) -> Field<()> {
    match currency {
        None => Ok(()),
        Some(Json::Text(text)) if text.eq_ignore_ascii_case(CURRENCY) => Ok(()),
        Some(_) => Err(BadLine::new("unsupported_currency", format!("currency must be {CURRENCY}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::Source;
    use super::*;

    fn refused(value: &str) -> &'static str {
        amount(&Source::new(value).parse().unwrap(), "amount").unwrap_err().reason
    }

    #[test]
    fn amounts_in_all_their_forms() {
        for (text, value) in [
            ("100123", "100123"),
            ("\"10000\"", "10000"),
            ("\"12111.00\"", "12111.00"),
            ("12111.00", "12111.00"),
            ("3799460.89", "3799460.89"),
            ("1e3", "1000"),
            ("0.001", "0.001"),
            ("\"1000.000\"", "1000.000"),
            ("\"1.0000\"", "1.0000"),
        ] {
            let source = Source::new(text);
            assert_eq!(amount(&source.parse().unwrap(), "amount").unwrap().to_string(), value, "{text}");
        }
        for text in [
            "0",
            "0.00",
            "-0",
            "-1",
            "\"0\"",
            "\"-1\"",
            "\"\"",
            "\" 1\"",
            "\"1e3\"",
            "\"1,000\"",
            "\"1.000.000\"",
            "\"1.000\"",
            "\"150.500\"",
            "1.000",
            "100.123",
            "\"NaN\"",
            "\"Infinity\"",
            "1e400",
            "1e-400",
            "true",
            "[1]",
            "{}",
            "\"１\"",
            "\"10 000\"",
            "\"Rp10000\"",
            "99999999999999999999999999999",
            "\"99999999999999999999999999999\"",
        ] {
            assert_eq!(refused(text), "invalid_amount", "{text}");
        }
    }

    #[test]
    fn ids_are_strings_or_whole_numbers() {
        let long = "x".repeat(ID_BYTES_MAX + 1);
        let text = format!(
            r#"{{"a":"x y","b":6192242,"c":1.5,"d":-1,"e":1e5,"f":"","g":null,"h":"{long}","i":"a\u0000","j":[],"k":true,"l":" "}}"#
        );
        let source = Source::new(&text);
        let object = source.parse().unwrap();
        assert_eq!(id(&object, &["a"]), Ok("x y"));
        assert_eq!(id(&object, &["g", "f", "l", "b"]), Ok("6192242"));
        for (name, reason) in [
            ("c", "invalid_id"),
            ("d", "invalid_id"),
            ("e", "invalid_id"),
            ("f", "missing_field"),
            ("g", "missing_field"),
            ("h", "too_long"),
            ("i", "invalid_id"),
            ("j", "invalid_id"),
            ("k", "invalid_id"),
            ("l", "missing_field"),
            ("nothing", "missing_field"),
        ] {
            let refusal = id(&object, &[name]).unwrap_err();
            assert_eq!(refusal.reason, reason, "{name}");
            assert!(refusal.message.contains(name));
        }
    }

    #[test]
    fn balances_may_be_negative_and_unreadable_ones_are_left_out() {
        let source = Source::new(
            r#"[3799460.89, "-5.00", -5, 0, "x", null, 1e400, "--1", "1.000", "-1.000", -1.000]"#,
        );
        let Ok(Json::Array(values)) = source.parse() else { panic!() };
        let read: Vec<_> = values.iter().map(|value| balance(Some(value)).map(|b| b.to_string())).collect();
        let expected = ["3799460.89", "-5.00", "-5", "0"].map(|text| Some(text.to_owned()));
        assert_eq!(read[..4], expected);
        assert!(read[4..].iter().all(Option::is_none), "{read:?}");
    }
}
