//! What must be true of the results, found in another way than the code under test finds it.

use crate::bank::rules::ID_BYTES_MAX;
use crate::bank::webhook::rules::Provider;
use crate::bank::webhook::rules::signature::vectors::Vector;
use serde_json::Value;

/// What is planted as the value of secret keys.
pub const SECRET: &str = "hunter2";
/// The keys it is planted under.
const SECRET_KEYS: [&str; 7] =
    ["token", "signature_key", "passApp", "pin", "client_secret", "api_key", "Authorization"];

fn is_secret(provider: Provider, key: &str) -> bool {
    let also: &[&str] = match provider {
        Provider::Moota => &["meta", "username", "corporate_id"],
        Provider::SnapBri => &["idApp"],
        _ => &[],
    };
    SECRET_KEYS.contains(&key) || also.contains(&key)
}

/// How often the secret stands where nothing says that it is one: under a damaged key, say.
pub fn exposed_in_json(provider: Provider, json: &Value) -> usize {
    match json {
        Value::String(text) => text.matches(SECRET).count(),
        Value::Array(values) => values.iter().map(|value| exposed_in_json(provider, value)).sum(),
        Value::Object(map) => {
            let of_value =
                |key, value| if is_secret(provider, key) { 0 } else { exposed_in_json(provider, value) };
            map.iter().map(|(key, value)| key.matches(SECRET).count() + of_value(key, value)).sum()
        }
        _ => 0,
    }
}

/// The same in a text that is not JSON: how often it does not directly follow the whole key.
pub fn exposed_in_text(text: &str) -> usize {
    let named = |at: usize| {
        let before = text[..at].strip_suffix("\":\"").unwrap_or_default();
        SECRET_KEYS.iter().any(|key| before.strip_suffix(key).is_some_and(|rest| rest.ends_with('"')))
    };
    text.match_indices(SECRET).filter(|(at, _)| !named(*at)).count()
}

/// An id can be stored as it is.
pub fn assert_id(id: &str, body: &str) {
    assert!(!id.trim().is_empty() && id.len() <= ID_BYTES_MAX && !id.contains(char::is_control), "{body}");
}

/// Whether `jsonb` takes it: no NUL, and no number but one that a `f64` holds.
pub fn is_storable(json: &Value) -> bool {
    match json {
        Value::String(text) => !text.contains('\0'),
        Value::Number(number) => number.as_f64().is_some_and(f64::is_finite),
        Value::Array(values) => values.iter().all(is_storable),
        Value::Object(map) => map.iter().all(|(key, value)| !key.contains('\0') && is_storable(value)),
        Value::Null | Value::Bool(_) => true,
    }
}

/// All that is stored, in a row: keys, strings and numbers, with something between them.
pub fn text_of(json: &Value) -> String {
    fn collect(json: &Value, text: &mut String) {
        match json {
            Value::String(string) => text.push_str(string),
            Value::Number(number) => text.push_str(&number.to_string()),
            Value::Array(values) => values.iter().for_each(|value| collect(value, text)),
            Value::Object(map) => {
                for (key, value) in map {
                    text.push_str(key);
                    text.push('\n');
                    collect(value, text);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
        text.push('\n');
    }
    let mut text = String::new();
    collect(json, &mut text);
    text
}

/// The text with the replacement character's escape for each one of half a character, which to `serde_json` is an error
/// of the whole document. Elsewhere than in strings an escape is an error either way.
pub fn whole(body: &str) -> String {
    let mut whole = String::with_capacity(body.len());
    let mut rest = body;
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4).filter(|digits| !digits.starts_with('+'))?;
        u32::from_str_radix(digits, 16).ok()
    };
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        whole.push_str(before);
        let first = unit(escape);
        let is_pair = first.is_some_and(|first| (0xD800..0xDC00).contains(&first))
            && unit(&escape[6..]).is_some_and(|second| (0xDC00..0xE000).contains(&second));
        let length = match first {
            Some(_) if is_pair => 12,
            Some(_) => 6,
            None => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        let is_half = !is_pair && first.is_some_and(|first| (0xD800..0xE000).contains(&first));
        whole.push_str(if is_half { "\\ufffd" } else { &escape[..length] });
        rest = &escape[length..];
    }
    whole + rest
}

/// Whether the vector's signature covers the body.
pub fn is_signed(vector: &Vector, body: &str) -> bool {
    let text = |json: &Value, key: &str| match &json[key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match vector.provider {
        Provider::Moota => body == vector.body,
        Provider::Xendit => true,
        // The vector has no blank within a string but those that are part of the number.
        Provider::SnapBri => same_but_blanks(vector.body, body),
        Provider::Midtrans => {
            let old: Value = serde_json::from_str(vector.body).unwrap();
            // Of a number that no f64 holds, serde_json has no opinion.
            let Ok(new) = serde_json::from_str::<Value>(&whole(body)) else {
                return body.contains(['e', 'E']);
            };
            ["order_id", "status_code", "gross_amount"].iter().all(|key| text(&old, key) == text(&new, key))
        }
    }
}

fn same_but_blanks(one: &str, other: &str) -> bool {
    let plain = |text: &str| text.split(['\n', '\t', '\r', ' ']).collect::<String>();
    plain(one) == plain(other)
}
