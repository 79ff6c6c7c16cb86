//! JSON with its numbers as they were written.
//!
//! `serde_json` hands numbers out as `f64` (or, with `arbitrary_precision`, changes what a number is for
//! the whole crate), and refuses a document for one number that is too large for a `f64`. So the numbers
//! are cut out first and a `0` is read in the place of each; everything else about JSON, its limit of
//! depth included, is `serde_json`'s matter.

use super::number::is_number;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::slice::Iter;

/// A text whose numbers have been cut out.
pub struct Source<'a> {
    /// The text with `0` and blanks instead of each number, as long as before.
    masked: String,
    /// The numbers, in their order.
    numbers: Vec<&'a str>,
}

/// A JSON value. An object keeps its keys in order, repeated ones too.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    Null,
    Bool(bool),
    /// As it was written.
    Number(&'a str),
    Text(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Source<'a> {
    pub fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let mut source = Source { masked: String::with_capacity(text.len()), numbers: Vec::new() };
        let (mut at, mut copied) = (0, 0);
        while let Some(byte) = bytes.get(at) {
            let start = at;
            at = match byte {
                b'"' => string_end(bytes, start),
                b'-' | b'0'..=b'9' => number_end(bytes, start),
                _ => start + 1,
            };
            // What only looks like a number stays, for serde_json to refuse it.
            if *byte != b'"' && is_number(&bytes[start..at]) {
                source.masked.push_str(&text[copied..start]);
                source.masked.push('0');
                source.masked.extend(std::iter::repeat_n(' ', at - start - 1));
                source.numbers.push(&text[start..at]);
                copied = at;
            } else if *byte == b'"'
                && let Some(whole) = mended(&text[start..at])
            {
                source.masked.push_str(&text[copied..start]);
                source.masked.push_str(&whole);
                copied = at;
            }
        }
        source.masked.push_str(&text[copied..]);
        source
    }

    pub fn parse(&self) -> serde_json::Result<Json<'_>> {
        let mut numbers = self.numbers.iter();
        let mut deserializer = serde_json::Deserializer::from_str(&self.masked);
        let json = Reader(&mut numbers).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(json)
    }
}

impl Json<'_> {
    /// The value of a key; the last one where the key is repeated, as PostgreSQL has it. `null` is none.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Json::Object(entries) = self else { return None };
        let (_, value) = entries.iter().rev().find(|(name, _)| name == key)?;
        (*value != Json::Null).then_some(value)
    }

    /// A string, or a number as it was written.
    pub fn literal(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            Json::Number(literal) => Some(literal),
            _ => None,
        }
    }

    pub fn is_object(&self) -> bool {
        matches!(self, Json::Object(_))
    }
}

/// The text without the blanks between its tokens. Order, spelling and blanks within strings stay, which
/// reading and writing it again would not promise.
pub fn minified(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut minified = String::with_capacity(text.len());
    let (mut at, mut copied) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at),
            b' ' | b'\t' | b'\n' | b'\r' => {
                minified.push_str(&text[copied..at]);
                at += 1;
                copied = at;
            }
            _ => at += 1,
        }
    }
    minified.push_str(&text[copied..]);
    minified
}

/// The position after the string that begins at `start`; the end of the text where it does not end.
pub fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// A string with the replacement character for each escape of half a character, as long as before; `None` where all of
/// its characters are whole. An emoji that somebody has cut in half must not take the other lines of a batch along.
fn mended(string: &str) -> Option<String> {
    let bytes = string.as_bytes();
    if !bytes.contains(&b'\\') {
        return None;
    }
    let unit = |at: usize| {
        let digits = string.get(at..)?.strip_prefix("\\u")?.get(..4)?;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
    };
    let (mut mended, mut at) = (None, 0);
    while let Some(byte) = bytes.get(at) {
        at += match (byte, unit(at)) {
            (b'\\', None) => 2,
            (b'\\', Some(0xD800..=0xDBFF)) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => 12,
            (b'\\', Some(0xD800..=0xDFFF)) => {
                mended.get_or_insert_with(|| string.to_owned()).replace_range(at..at + 6, "\\ufffd");
                6
            }
            _ => 1,
        };
    }
    mended
}

fn number_end(bytes: &[u8], start: usize) -> usize {
    let part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    start + bytes[start..].iter().take_while(|byte| part(byte)).count()
}

/// Builds a [`Json`]; the numbers are taken from the list as the zeros in their places come by.
struct Reader<'r, 'n, 's>(&'r mut Iter<'n, &'s str>);

impl<'de, 's: 'de> DeserializeSeed<'de> for Reader<'_, '_, 's> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, 's: 'de> Visitor<'de> for Reader<'_, '_, 's> {
    type Value = Json<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Json<'de>, E> {
        self.0.next().map(|literal| Json::Number(literal)).ok_or_else(|| E::custom("a number out of place"))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Json<'de>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(Reader(self.0))? {
            values.push(value);
        }
        Ok(Json::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key_seed(Key)? {
            entries.push((key, map.next_value_seed(Reader(self.0))?));
        }
        Ok(Json::Object(entries))
    }
}

/// Reads a key without a copy where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_as_they_were_written() {
        let text =
            r#" {"a": 1.50, "b":[-0,1e400,3799460.89], "1":"2,3", "\"4":{"c":12345678901234567890123}}"#;
        let source = Source::new(text);
        let json = source.parse().unwrap();
        assert_eq!(json.get("a"), Some(&Json::Number("1.50")));
        let list = ["-0", "1e400", "3799460.89"].map(Json::Number).to_vec();
        assert_eq!(json.get("b"), Some(&Json::Array(list)));
        assert_eq!(json.get("1"), Some(&Json::Text("2,3".into())));
        assert_eq!(json.get("\"4").unwrap().get("c"), Some(&Json::Number("12345678901234567890123")));
    }

    #[test]
    fn what_serde_json_refuses_is_refused() {
        for text in [
            "",
            "1 2",
            "01",
            "1.",
            ".5",
            "+1",
            "-",
            "1e",
            "1e+",
            "--1",
            "1-2",
            "1.2.3",
            "0x1",
            "tru0",
            "true1",
            "1a",
            "[1,]",
            "{\"a\" 1}",
            "{1:2}",
            "\"1",
            "NaN",
            "1\u{0}",
            "[1}",
            "１",
            "-é",
            "1é",
            "\\\"1",
            "\"\\",
        ] {
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text:?}");
            assert!(Source::new(text).parse().is_err(), "{text:?}");
        }
        for text in [
            "0",
            "-0",
            "-1.5E-7",
            "1e+5",
            " [ 1 , 2 ] ",
            "\"\\\\\"",
            "{\"é\":\"💸1\"}",
            "9".repeat(400).as_str(),
        ] {
            assert!(Source::new(text).parse().is_ok(), "{text:?}");
        }
    }

    #[test]
    fn half_characters_are_replaced_and_whole_ones_stay() {
        for (text, read) in [
            (r#""a\ud83d""#, "a\u{fffd}"),
            (r#""\ud83d b \ude00""#, "\u{fffd} b \u{fffd}"),
            (r#""\ud83d\ude00 é 💸""#, "😀 é 💸"),
            (r#""\uDE00\uD83D\uDE00""#, "\u{fffd}😀"),
            (r#""\\ud83d \\\ud83d""#, "\\ud83d \\\u{fffd}"),
            (r#""\ud83d\n\u00e9""#, "\u{fffd}\né"),
        ] {
            assert_eq!(Source::new(text).parse().unwrap(), Json::Text(read.into()), "{text}");
        }
        for text in [r#""\ud83""#, r#""\u+d83""#, r#""\ud83é""#, r#""\u💸""#, "\"\\"] {
            assert!(Source::new(text).parse().is_err(), "{text}");
        }
        let source = Source::new(r#"[{"a": "\ud83d", "n": 1.50}, 2]"#);
        let expected = Json::Array(vec![
            Json::Object(vec![
                ("a".into(), Json::Text("\u{fffd}".into())),
                ("n".into(), Json::Number("1.50")),
            ]),
            Json::Number("2"),
        ]);
        assert_eq!(source.parse().unwrap(), expected);
    }

    #[test]
    fn the_last_of_repeated_keys_counts_and_null_is_none() {
        let source = Source::new(r#"{"a":1,"a":2,"b":3,"b":null,"c":null,"c":4}"#);
        let json = source.parse().unwrap();
        assert_eq!(json.get("a"), Some(&Json::Number("2")));
        assert_eq!(json.get("b"), None);
        assert_eq!(json.get("c"), Some(&Json::Number("4")));
        assert_eq!(Json::Null.get("a"), None);
    }

    #[test]
    fn minified_drops_only_blanks_between_tokens() {
        let text = "\n{ \"b\" : \"x  y\\\" \\\\\" ,\t\"a\":[ 1.50 , 2 ],\r\n\"b\" :null }\n";
        assert_eq!(minified(text), "{\"b\":\"x  y\\\" \\\\\",\"a\":[1.50,2],\"b\":null}");
        for text in ["", "\"", "\"\\", "\" a", "é \u{a0}", "\\\" \""] {
            assert_eq!(minified(&minified(text)), minified(text));
        }
        assert_eq!(minified("\" a"), "\" a");
    }
}
