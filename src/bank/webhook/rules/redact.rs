//! What of a body may be stored.

use super::Provider;
use super::field;
use super::json::{Json, string_end};
use super::number::decimal;
use serde_json::{Number, Value};
use std::borrow::Cow;

const REDACTED: &str = "[redacted]";
/// Of a text that is not JSON this much is stored.
const TEXT_BYTES_MAX: usize = 65_536;
/// No key that holds a secret is longer.
const KEY_BYTES_MAX: usize = 128;
/// Keys with one of these in them have secrets as values, whoever sends them. Case and separators do not
/// matter: `apikey` is in `X-Api-Key`.
const SECRET_PARTS: [&str; 8] =
    ["password", "secret", "token", "passapp", "signature", "authorization", "apikey", "pin"];

/// The body without what must not be stored: the values of such keys, at any depth, become `[redacted]`.
/// Account numbers stay, the books need them.
///
/// The result can be stored as `jsonb`: it has no NUL, and a number that does not survive being one of
/// PostgreSQL's, or of `serde_json`'s, is a string. Of a repeated key the last value counts, as `jsonb` has it.
pub fn redacted(provider: Provider, root: &Json) -> Value {
    match root {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        // How it was written decides whether 1.000 is refused, now and when the body is read again.
        Json::Number(literal) => number(literal)
            .filter(|_| !field::is_read_two_ways(literal))
            .map_or_else(|| Value::String((*literal).to_owned()), Value::Number),
        Json::Text(text) => Value::String(without_nul(text)),
        Json::Array(values) => values.iter().map(|element| redacted(provider, element)).collect(),
        Json::Object(entries) => {
            let redact = |(key, element): &(Cow<str>, Json)| {
                let value =
                    if is_secret(provider, key) { REDACTED.into() } else { redacted(provider, element) };
                (without_nul(key), value)
            };
            entries.iter().map(redact).collect()
        }
    }
}

/// Of a body that is not JSON: its beginning, without what follows such keys.
pub fn scrubbed_text(provider: Provider, body: &str) -> Value {
    Value::String(without_nul(&scrubbed(provider, beginning(body))))
}

/// `jsonb` has no NUL.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A number of the same value, where there is one.
fn number(literal: &str) -> Option<Number> {
    if let Ok(number) = literal.parse::<u64>() {
        return Some(number.into());
    }
    if let Ok(number) = literal.parse::<i64>() {
        return Some(number.into());
    }
    // Only a `f64` that is written as the very number is as good as the number.
    let same = |number: &Number| {
        let text = number.to_string();
        text == literal || decimal(&text).is_some_and(|value| decimal(literal) == Some(value))
    };
    literal.parse().ok().and_then(Number::from_f64).filter(same)
}

/// Whether the value of the key may be a secret.
fn is_secret(provider: Provider, key: &str) -> bool {
    let known: &[&str] = match provider {
        Provider::Moota => &["meta", "username", "corporateid"],
        Provider::SnapBri => &["idapp"],
        Provider::Midtrans | Provider::Xendit => &[],
    };
    let bytes = key.as_bytes();
    let is_known = |name: &&str| rest_without(bytes, name).is_some_and(|rest| rest.iter().all(is_separator));
    known.iter().any(is_known) || (0..bytes.len()).any(|at| may_begin(bytes[at]) && has_part(&bytes[at..]))
}

/// Whether a part of [`SECRET_PARTS`] may begin with the byte; most bytes of most keys are done with here.
fn may_begin(byte: u8) -> bool {
    matches!(byte.to_ascii_lowercase(), b'a' | b'p' | b's' | b't')
}

/// Whether a part of [`SECRET_PARTS`] begins here.
fn has_part(key: &[u8]) -> bool {
    SECRET_PARTS.iter().any(|part| match rest_without(key, part) {
        // `shipping` has no `pin` in it.
        Some(rest) => *part != "pin" || !rest.first().is_some_and(|byte| byte.eq_ignore_ascii_case(&b'g')),
        None => false,
    })
}

/// What follows `name` at the beginning of `key`, which may have separators and capitals where `name` has none.
fn rest_without<'k>(key: &'k [u8], name: &str) -> Option<&'k [u8]> {
    let mut rest = key;
    for byte in name.bytes() {
        while rest.len() < key.len() && rest.first().is_some_and(is_separator) {
            rest = &rest[1..];
        }
        let (first, others) = rest.split_first()?;
        if first.to_ascii_lowercase() != byte {
            return None;
        }
        rest = others;
    }
    Some(rest)
}

fn is_separator(byte: &u8) -> bool {
    matches!(byte, b'_' | b'-' | b' ' | b'.' | 0)
}

fn beginning(text: &str) -> &str {
    let end = (0..=TEXT_BYTES_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// The text without the values that follow such keys. It is not JSON, perhaps by one byte: so a key is
/// taken for one wherever it stands between quotes and before a colon, within such a value too.
fn scrubbed(provider: Provider, text: &str) -> String {
    let bytes = text.as_bytes();
    let mut scrubbed = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, _) in text.match_indices('"') {
        let Some(start) = secret_value(provider, text, at) else { continue };
        let within = start < copied;
        // What a value that is cut already has within it is looked at only where that is quickly done.
        if within && matches!(bytes.get(start), Some(b'{' | b'[')) {
            continue;
        }
        if !within {
            scrubbed.push_str(&text[copied..start]);
            scrubbed.push_str(REDACTED);
        }
        copied = copied.max(value_end(bytes, start));
        if copied == bytes.len() {
            break;
        }
    }
    scrubbed.push_str(&text[copied..]);
    scrubbed
}

/// Where the value begins whose key, the name of a secret, begins with the quote at `at`.
fn secret_value(provider: Provider, text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let length = bytes[at + 1..].iter().take(KEY_BYTES_MAX).position(|byte| *byte == b'"')?;
    let end = at + 1 + length;
    let colon = after_blanks(bytes, end + 1);
    if bytes.get(colon) != Some(&b':') || !is_secret(provider, &text[at + 1..end]) {
        return None;
    }
    Some(after_blanks(bytes, colon + 1))
}

fn after_blanks(bytes: &[u8], start: usize) -> usize {
    start + bytes[start..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The end of the value that begins at `start`: of the string, the object, the array, or the word.
fn value_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at),
            b'{' | b'[' => (at, depth) = (at + 1, depth + 1),
            b'}' | b']' if depth > 0 => (at, depth) = (at + 1, depth - 1),
            b',' | b'}' | b']' if depth == 0 => return at,
            _ => {
                at += 1;
                continue;
            }
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::super::signature::vectors;
    use super::super::{BODY_BYTES_MAX, Headers, read};
    use super::*;
    use serde_json::json;

    fn redacted(provider: Provider, body: &str) -> Value {
        read(provider, &Headers::default(), body).redacted
    }

    fn text_of(value: &Value) -> &str {
        value.as_str().unwrap()
    }

    #[test]
    fn the_published_bodies_lose_their_secrets_and_nothing_else() {
        let moota = redacted(Provider::Moota, vectors::M1.body);
        let mut expected: Value = serde_json::from_str(vectors::M1.body).unwrap();
        for path in ["/0/token", "/0/bank/token", "/0/bank/meta", "/0/bank/username", "/0/bank/corporate_id"]
        {
            *expected.pointer_mut(path).unwrap() = json!("[redacted]");
        }
        assert_eq!(moota, expected);
        let snap = redacted(Provider::SnapBri, vectors::S4.body);
        assert_eq!(snap["additionalInfo"]["idApp"], "[redacted]");
        assert_eq!(snap["additionalInfo"]["passApp"], "[redacted]");
        assert_eq!(snap["virtualAccountNo"], "   777770000000000123");
        let midtrans = redacted(Provider::Midtrans, r#"{"signature_key":"abc","order_id":"1"}"#);
        assert_eq!(midtrans, json!({"signature_key": "[redacted]", "order_id": "1"}));
    }

    #[test]
    fn keys_of_secrets_in_any_spelling_and_depth() {
        for key in [
            "password",
            "userPassword",
            "client_secret",
            "TOKEN",
            "access-token",
            "pin",
            "PIN",
            "mpin",
            "pin_code",
            "userPin",
            "X-Signature",
            "Authorization",
            "api_key",
            "apiKey",
            "x-api-key",
            "passApp",
            "pass_app",
            "to\u{0}ken",
            "tok\\u0065n",
        ] {
            for value in [r#""hunter2""#, r#"{"a":["hunter2"]}"#, r#"["hunter2"]"#] {
                let body =
                    format!(r#"{{"a":[{{"b":{{"{}":{value}}}}}],"z":1}}"#, key.replace('\0', "\\u0000"));
                for provider in Provider::ALL {
                    let stored = redacted(provider, &body);
                    assert_eq!(stored["z"], 1, "{body}");
                    assert!(!stored.to_string().contains("hunter2"), "{stored}");
                }
            }
        }
        for key in ["shipping", "shipping_address", "mapping", "account_number", "amount", "key", "pass"] {
            let body = json!({ key: "kept" });
            assert_eq!(redacted(Provider::Xendit, &body.to_string()), body);
        }
        let repeated = r#"{"token":"hunter2","token":"hunter2","a":1,"a":2}"#;
        assert_eq!(redacted(Provider::Xendit, repeated), json!({"token": "[redacted]", "a": 2}));
    }

    #[test]
    fn numbers_keep_their_value() {
        for (literal, stored) in [
            ("100123", "100123"),
            ("3799460.89", "3799460.89"),
            ("100000.00", "100000.0"),
            ("1000.000", "1000.0"),
            ("0.125", "0.125"),
            ("1.000", "\"1.000\""),
            ("-150.500", "\"-150.500\""),
            ("-5", "-5"),
            ("1e3", "1000.0"),
            ("18446744073709551615", "18446744073709551615"),
            ("18446744073709551616", "\"18446744073709551616\""),
            ("1e400", "\"1e400\""),
            ("0.1000000000000000055511151231257827", "\"0.1000000000000000055511151231257827\""),
            ("9007199254740993.5", "\"9007199254740993.5\""),
            ("1e-400", "\"1e-400\""),
            ("-0", "0"),
        ] {
            assert_eq!(redacted(Provider::Moota, literal).to_string(), stored);
        }
        let long = "1".repeat(200_000);
        assert_eq!(redacted(Provider::Moota, &long), json!(long));
    }

    #[test]
    fn what_is_not_json_is_cut_and_scrubbed() {
        assert_eq!(redacted(Provider::Moota, ""), json!(""));
        assert_eq!(redacted(Provider::Moota, "hello\0"), json!("hello\u{fffd}"));
        let long = "💸".repeat(20_000) + "x";
        assert_eq!(text_of(&redacted(Provider::Moota, &long)).len(), TEXT_BYTES_MAX);
        assert_eq!(text_of(&redacted(Provider::Moota, &"x".repeat(5_000_000))).len(), TEXT_BYTES_MAX);
        assert_eq!(text_of(&redacted(Provider::Moota, &"[".repeat(100_000))).len(), TEXT_BYTES_MAX);
        let large = format!(r#"{{"token":"hunter2"{}}}"#, " ".repeat(BODY_BYTES_MAX));
        assert!(text_of(&redacted(Provider::Moota, &large)).starts_with(r#"{"token":[redacted] "#));
        for (broken, stored) in [
            (r#"[{"token":"hunter2","a":1}"#, r#"[{"token":[redacted],"a":1}"#),
            (r#"{"x" "a":"b","token" : "hunt\"er2","#, r#"{"x" "a":"b","token" : [redacted],"#),
            (r#"{"token":"hunter2"#, r#"{"token":[redacted]"#),
            (
                r#"{"bank":{"meta":{"a":["}",{"b":"hunter2"}]},"id":5},"#,
                r#"{"bank":{"meta":[redacted],"id":5},"#,
            ),
            (r#"{"meta":{"a":"hunter2""#, r#"{"meta":[redacted]"#),
            (r#"{"username":hunter2}}"#, r#"{"username":[redacted]}}"#),
            (r#"{"token":"#, r#"{"token":[redacted]"#),
            (r#"{"é":"token":"é"#, r#"{"é":"token":[redacted]"#),
            (r#""token":"a"token":"hunter2" b"#, r#""token":[redacted]token":[redacted] b"#),
            (r#""token":"a\"token":"hunter2" b"#, r#""token":[redacted]:[redacted] b"#),
        ] {
            assert_eq!(redacted(Provider::Moota, broken), json!(stored));
        }
    }

    #[test]
    fn every_part_may_begin() {
        for part in SECRET_PARTS {
            assert!(
                may_begin(part.as_bytes()[0]) && is_secret(Provider::Xendit, &format!("x{part}x")),
                "{part}"
            );
        }
    }

    #[test]
    fn nothing_has_a_nul() {
        let stored = redacted(Provider::Moota, r#"{"a\u0000b":["c\u0000"]}"#);
        assert_eq!(stored, json!({"a\u{fffd}b": ["c\u{fffd}"]}));
    }
}
